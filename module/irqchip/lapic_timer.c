// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC's timer: one-shot, periodic and TSC deadline, on a host
 * hrtimer. A count of one is a nanosecond, times the divisor: the guest sees
 * a 1 GHz bus clock, as on KVM.
 *
 * The hrtimer's callback runs in hard interrupt context and sets the IRR bit
 * itself, so nothing is left for the vCPU thread to collect. Whoever changes
 * the timer stops the hrtimer first, which waits for the callback; then no
 * field below needs a lock.
 *
 * Source: Intel SDM vol. 3A (December 2023), "APIC Timer", "TSC-Deadline Mode".
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/math64.h>
#include <linux/time64.h>
#include <asm/tsc.h>

#include "../minikvm.h"
#include "../x86/x86.h"
#include "lapic_impl.h"

/* Shorter periods would let a guest keep a host CPU in its timer interrupt. */
#define LAPIC_MIN_PERIOD_NS	200000ull

/* A deadline further away than this is armed for this; keeps products in 64 bits. */
#define LAPIC_MAX_DEADLINE_S	(10ull * 365 * 24 * 3600)

static bool lapic_timer_deadline(const struct lapic *apic)
{
	return READ_ONCE(apic->timer_mode) == LVT_TIMER_DEADLINE;
}

static bool lapic_timer_periodic(const struct lapic *apic)
{
	return READ_ONCE(apic->timer_mode) == LVT_TIMER_PERIODIC;
}

/* Nanoseconds until the guest's TSC reaches the deadline, 0 if it has. */
static u64 lapic_deadline_ns(struct lapic *apic)
{
	u64 now = guest_tsc_read(apic->vcpu);
	u64 khz = apic->vcpu->tsc_khz;
	u64 deadline = READ_ONCE(apic->tsc_deadline);
	u64 cycles;

	if (deadline <= now)
		return 0;
	cycles = min(deadline - now, LAPIC_MAX_DEADLINE_S * 1000 * khz);
	return mul_u64_u64_div_u64(cycles, NSEC_PER_MSEC, khz);
}

static enum hrtimer_restart lapic_timer_fn(struct hrtimer *timer)
{
	struct lapic *apic = container_of(timer, struct lapic, timer);

	if (lapic_timer_deadline(apic)) {
		/* The host's clock may run ahead of the TSC it is disciplined from. */
		u64 left = lapic_deadline_ns(apic);

		if (left) {
			hrtimer_set_expires(timer, ktime_add_ns(ktime_get(), left));
			return HRTIMER_RESTART;
		}
		WRITE_ONCE(apic->tsc_deadline, 0);
	}

	lapic_local_deliver(apic, LAPIC_LVTT);

	if (!lapic_timer_periodic(apic) || !apic->period_ns)
		return HRTIMER_NORESTART;
	/* On the grid of the first expiry, so the guest's clock does not drift. */
	hrtimer_forward_now(timer, ns_to_ktime(apic->period_ns));
	return HRTIMER_RESTART;
}

void lapic_timer_init(struct lapic *apic)
{
	hrtimer_init(&apic->timer, CLOCK_MONOTONIC, HRTIMER_MODE_ABS_PINNED_HARD);
	apic->timer.function = lapic_timer_fn;
}

void lapic_timer_stop(struct lapic *apic)
{
	hrtimer_cancel(&apic->timer);
}

static void lapic_timer_arm(struct lapic *apic, u64 ns)
{
	apic->timer_cpu = raw_smp_processor_id();
	hrtimer_start(&apic->timer, ktime_add_ns(ktime_get(), ns),
		      HRTIMER_MODE_ABS_PINNED_HARD);
}

/* The hrtimer is stopped. */
static void lapic_timer_arm_deadline(struct lapic *apic, u64 tsc)
{
	u64 ns;

	WRITE_ONCE(apic->tsc_deadline, tsc);
	if (!tsc)
		return;
	ns = lapic_deadline_ns(apic);
	if (ns) {
		lapic_timer_arm(apic, ns);
		return;
	}
	WRITE_ONCE(apic->tsc_deadline, 0);
	lapic_local_deliver(apic, LAPIC_LVTT);
}

static void lapic_timer_set_length(struct lapic *apic)
{
	u64 ns = (u64)apic_reg(apic->regs, LAPIC_TMICT) << apic->divide_shift;

	apic->count_ns = ns;
	if (ns && lapic_timer_periodic(apic) && ns < LAPIC_MIN_PERIOD_NS) {
		pr_info_ratelimited("vCPU %u: APIC timer period of %llu ns made %llu ns\n",
				    apic->vcpu->id, ns, LAPIC_MIN_PERIOD_NS);
		ns = LAPIC_MIN_PERIOD_NS;
	}
	apic->period_ns = ns;
}

/*
 * Start counting at @count: the initial count, or what was left of it when the
 * state was saved. The hrtimer is stopped.
 */
void lapic_timer_start(struct lapic *apic, u32 count)
{
	u64 ns;

	if (lapic_timer_deadline(apic))
		return;
	lapic_timer_set_length(apic);
	if (!apic->period_ns)
		return;

	ns = (u64)count << apic->divide_shift;
	/* More than the initial count cannot be left over. */
	if (ns > apic->count_ns)
		ns = apic->count_ns;
	/*
	 * Nothing left over: the state was saved just before the interrupt, or
	 * says nothing about the count. A one-shot fires at once, like KVM's.
	 */
	if (lapic_timer_periodic(apic) && (!ns || ns == apic->count_ns))
		ns = apic->period_ns;
	lapic_timer_arm(apic, ns);
}

/* The current count register: computed, never stored. */
u32 lapic_timer_count(struct lapic *apic)
{
	s64 left;

	if (lapic_timer_deadline(apic) || !apic->count_ns || !hrtimer_active(&apic->timer))
		return 0;
	left = max_t(s64, ktime_to_ns(hrtimer_expires_remaining(&apic->timer)), 0);
	/* A lengthened period counts the programmed one down several times. */
	if (left > apic->count_ns)
		left %= apic->count_ns;
	/* Not zero before it fires, or a saved timer would not fire once restored. */
	return max_t(u32, left >> apic->divide_shift, 1);
}

/* LVTT was written or reset: take the mode from it. */
void lapic_timer_set_mode(struct lapic *apic)
{
	u32 mode = apic_reg(apic->regs, LAPIC_LVTT) & (LVT_TIMER_PERIODIC | LVT_TIMER_DEADLINE);
	bool was_deadline = lapic_timer_deadline(apic);

	if (mode == apic->timer_mode)
		return;
	/* Into or out of deadline mode disarms the timer; both arms are cleared. */
	if (was_deadline || mode == LVT_TIMER_DEADLINE) {
		lapic_timer_stop(apic);
		apic_reg_set(apic->regs, LAPIC_TMICT, 0);
		apic->count_ns = 0;
		apic->period_ns = 0;
		WRITE_ONCE(apic->tsc_deadline, 0);
		WRITE_ONCE(apic->timer_mode, mode);
		return;
	}

	/* One-shot to periodic, or back: the count goes on, then the mode counts. */
	if (hrtimer_cancel(&apic->timer)) {
		WRITE_ONCE(apic->timer_mode, mode);
		lapic_timer_set_length(apic);
		hrtimer_start_expires(&apic->timer, HRTIMER_MODE_ABS_PINNED_HARD);
	} else {
		WRITE_ONCE(apic->timer_mode, mode);
	}
}

/* TDCR was written or reset: a running count goes on at the new speed. */
void lapic_timer_set_divide(struct lapic *apic)
{
	u32 shift = apic_divide_shift(apic_reg(apic->regs, LAPIC_TDCR));
	bool running;
	u32 count;

	if (shift == apic->divide_shift)
		return;
	if (lapic_timer_deadline(apic)) {
		apic->divide_shift = shift;
		return;
	}
	count = lapic_timer_count(apic);
	running = hrtimer_cancel(&apic->timer);
	apic->divide_shift = shift;
	if (running)
		lapic_timer_start(apic, count);
}

/**
 * lapic_get_tsc_deadline - RDMSR of IA32_TSC_DEADLINE
 * @vcpu: the vCPU, by the holder of its mutex
 *
 * Return: the armed deadline, in guest TSC ticks; 0 when none is or the timer is
 * in another mode.
 */
u64 lapic_get_tsc_deadline(struct vcpu *vcpu)
{
	struct lapic *apic = vcpu->lapic;

	if (!apic || !apic_hw_enabled(apic) || !lapic_timer_deadline(apic))
		return 0;
	return READ_ONCE(apic->tsc_deadline);
}

/**
 * lapic_set_tsc_deadline - WRMSR of IA32_TSC_DEADLINE
 * @vcpu: the vCPU, by the holder of its mutex
 * @tsc: guest TSC value to fire at; 0 disarms; one that has passed fires at once
 *
 * Ignored when the timer is in another mode.
 */
void lapic_set_tsc_deadline(struct vcpu *vcpu, u64 tsc)
{
	struct lapic *apic = vcpu->lapic;

	if (!apic || !apic_hw_enabled(apic) || !lapic_timer_deadline(apic))
		return;
	lapic_timer_stop(apic);
	lapic_timer_arm_deadline(apic, tsc);
}

/**
 * lapic_timer_tsc_moved - the guest's TSC jumped: an armed deadline is elsewhere
 * @vcpu: the vCPU, by the holder of its mutex
 */
void lapic_timer_tsc_moved(struct vcpu *vcpu)
{
	struct lapic *apic = vcpu->lapic;

	if (!apic || !lapic_timer_deadline(apic) || !READ_ONCE(apic->tsc_deadline))
		return;
	/* It may have fired by now, and then is 0. */
	lapic_timer_stop(apic);
	lapic_timer_arm_deadline(apic, READ_ONCE(apic->tsc_deadline));
}

/**
 * lapic_timer_migrate - bring the hrtimer to the CPU the vCPU runs on
 * @vcpu: the vCPU, just loaded
 *
 * The timer interrupt then is the exit, and no IPI has to follow it.
 *
 * Context: preemption off.
 */
void lapic_timer_migrate(struct vcpu *vcpu)
{
	struct lapic *apic = vcpu->lapic;
	int cpu = smp_processor_id();

	if (!apic || apic->timer_cpu == cpu)
		return;
	apic->timer_cpu = cpu;
	if (hrtimer_cancel(&apic->timer))
		hrtimer_start_expires(&apic->timer, HRTIMER_MODE_ABS_PINNED_HARD);
}
