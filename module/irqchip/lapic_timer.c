// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC's timer: one-shot, periodic and TSC deadline. A count of one is
 * a nanosecond, times the divisor: the guest sees a 1 GHz bus clock, as on KVM.
 *
 * A running timer is one of two things. Where the CPU can end a guest's stay at a
 * time (vcpu->guest_timer, in ticks of the host's TSC), it does: no timer of the
 * host is armed, and none interrupts. It goes off when somebody looks: the exit
 * that it causes, or, outside the guest, whoever is about to show or to change the
 * timer's state (lapic_timer_settle()). All of them hold vcpu->mutex.
 *
 * A vCPU that sleeps enters no guest, so before it does, and where the CPU has no
 * such timer, it is a host hrtimer. Its callback runs in hard interrupt context and
 * sets the IRR bit itself, so nothing is left for the vCPU thread to collect.
 * Whoever changes the timer stops the hrtimer first, which waits for the callback;
 * then no field below needs a lock. It stays an hrtimer until the guest arms it
 * anew: a guest that halts often would pay for changing back each time.
 *
 * Source: Intel SDM vol. 3A (December 2023), "APIC Timer", "TSC-Deadline Mode";
 * vol. 3C, "VMX-Preemption Timer".
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/math64.h>
#include <linux/time64.h>
#include <asm/tsc.h>

#include "../minikvm.h"
#include "../trace_irq.h"
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

/* Guest ticks from when the host's TSC is @host_tsc to the deadline, 0 if it has passed. */
static u64 lapic_deadline_left(struct lapic *apic, u64 host_tsc)
{
	u64 now = guest_tsc_at(apic->vcpu, host_tsc);
	u64 deadline = READ_ONCE(apic->tsc_deadline);

	if (deadline <= now)
		return 0;
	return min(deadline - now, LAPIC_MAX_DEADLINE_S * 1000 * apic->vcpu->tsc_khz);
}

static u64 lapic_deadline_ns(struct lapic *apic)
{
	return mul_u64_u64_div_u64(lapic_deadline_left(apic, rdtsc()), NSEC_PER_MSEC,
				   apic->vcpu->tsc_khz);
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

static void lapic_arm_hrtimer(struct lapic *apic, ktime_t expires)
{
	apic->timer_cpu = raw_smp_processor_id();
	hrtimer_start(&apic->timer, expires, HRTIMER_MODE_ABS_PINNED_HARD);
	trace_kvm_hv_timer_state(apic->vcpu->id, false);
}

static void lapic_arm_guest_timer(struct lapic *apic, u64 now, u64 ticks)
{
	apic->armed_tsc = now;
	apic->vcpu->guest_timer = now + ticks;
	trace_kvm_hv_timer_state(apic->vcpu->id, true);
}

/* Time in the guest is told by the TSC, so it has to be the same on all CPUs. */
static bool lapic_can_time_guest(struct lapic *apic)
{
	return vendor->can_time_guest(apic->vcpu) && !check_tsc_unstable();
}

/* Go off at @expires; @now is the same clock's. The timer is stopped. */
static void lapic_timer_arm_at(struct lapic *apic, ktime_t expires, ktime_t now)
{
	u64 ns = max_t(s64, ktime_to_ns(ktime_sub(expires, now)), 0);

	apic->expires = expires;
	if (lapic_can_time_guest(apic))
		lapic_arm_guest_timer(apic, rdtsc(),
				      mul_u64_u64_div_u64(ns, tsc_khz, NSEC_PER_MSEC) + 1);
	else
		lapic_arm_hrtimer(apic, expires);
}

static void lapic_timer_arm(struct lapic *apic, u64 ns)
{
	ktime_t now = ktime_get();

	lapic_timer_arm_at(apic, ktime_add_ns(now, ns), now);
}

/* The timer is stopped. */
static void lapic_timer_arm_deadline(struct lapic *apic, u64 tsc)
{
	u64 now = rdtsc(), left, ratio = apic->vcpu->tsc_ratio;

	WRITE_ONCE(apic->tsc_deadline, tsc);
	if (!tsc)
		return;
	left = lapic_deadline_left(apic, now);
	if (!left) {
		WRITE_ONCE(apic->tsc_deadline, 0);
		lapic_local_deliver(apic, LAPIC_LVTT);
		return;
	}
	if (!lapic_can_time_guest(apic)) {
		lapic_arm_hrtimer(apic, ktime_add_ns(ktime_get(), lapic_deadline_ns(apic)));
		return;
	}
	if (unlikely(ratio != TSC_RATIO_ONE))
		left = mul_u64_u64_div_u64(left, TSC_RATIO_ONE, ratio) + 1;
	lapic_arm_guest_timer(apic, now, left);
}

/* vcpu->guest_timer has been reached. */
static void lapic_guest_timer_fire(struct lapic *apic)
{
	ktime_t now, next;

	apic->vcpu->guest_timer = 0;
	if (lapic_timer_deadline(apic)) {
		/* One that is far away was armed for less; where the TSC is scaled, ticks round. */
		lapic_timer_arm_deadline(apic, READ_ONCE(apic->tsc_deadline));
		return;
	}
	lapic_local_deliver(apic, LAPIC_LVTT);
	if (!lapic_timer_periodic(apic) || !apic->period_ns)
		return;
	/* On the grid of the first expiry; what was missed is merged in the IRR. */
	now = ktime_get();
	next = ktime_add_ns(apic->expires, apic->period_ns);
	if (ktime_before(next, now)) {
		u64 late = ktime_to_ns(ktime_sub(now, next));

		next = ktime_add_ns(next, (div64_u64(late, apic->period_ns) + 1) *
					  apic->period_ns);
	}
	lapic_timer_arm_at(apic, next, now);
}

/*
 * If the guest is timed and its time has come, deliver: before the timer's state is
 * shown or changed, or the vCPU sleeps.
 */
void lapic_timer_settle(struct lapic *apic)
{
	if (apic->vcpu->guest_timer && rdtsc() >= apic->vcpu->guest_timer)
		lapic_guest_timer_fire(apic);
}

/**
 * lapic_timer_check - does vcpu->guest_timer end now
 * @vcpu: a vCPU with an in-kernel APIC, by the holder of its mutex
 *
 * To be called after an exit that it may have caused. Exits may come early: there
 * are other reasons to bound a stay, and a limit of how far the CPU can count.
 */
void lapic_timer_check(struct vcpu *vcpu)
{
	lapic_timer_settle(vcpu->lapic);
}

/* The guest was timed: wait for the rest by an hrtimer. */
static void lapic_timer_to_host(struct lapic *apic)
{
	apic->vcpu->guest_timer = 0;
	if (lapic_timer_deadline(apic))
		lapic_arm_hrtimer(apic, ktime_add_ns(ktime_get(), lapic_deadline_ns(apic)));
	else
		lapic_arm_hrtimer(apic, apic->expires);
}

/**
 * lapic_timer_block - the vCPU is about to sleep: only the host can wake it
 * @vcpu: the vCPU, by its own thread; vcpu->guest_timer may be 0
 */
void lapic_timer_block(struct vcpu *vcpu)
{
	if (!vcpu->guest_timer)
		return;
	lapic_timer_settle(vcpu->lapic);
	if (vcpu->guest_timer)
		lapic_timer_to_host(vcpu->lapic);
}

/* Was it running? Then @apic->expires says until when, but in deadline mode. */
static bool lapic_timer_cancel(struct lapic *apic)
{
	lapic_timer_settle(apic);
	if (apic->vcpu->guest_timer) {
		apic->vcpu->guest_timer = 0;
		return true;
	}
	if (!hrtimer_cancel(&apic->timer))
		return false;
	apic->expires = hrtimer_get_expires(&apic->timer);
	return true;
}

void lapic_timer_stop(struct lapic *apic)
{
	lapic_timer_cancel(apic);
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
 * state was saved. The timer is stopped.
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
	ktime_t expires;
	s64 left;

	lapic_timer_settle(apic);
	if (lapic_timer_deadline(apic) || !apic->count_ns)
		return 0;
	if (apic->vcpu->guest_timer)
		expires = apic->expires;
	else if (hrtimer_active(&apic->timer))
		expires = hrtimer_get_expires(&apic->timer);
	else
		return 0;
	left = max_t(s64, ktime_to_ns(ktime_sub(expires, ktime_get())), 0);
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
	if (lapic_timer_cancel(apic)) {
		WRITE_ONCE(apic->timer_mode, mode);
		lapic_timer_set_length(apic);
		lapic_timer_arm_at(apic, apic->expires, ktime_get());
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
	running = lapic_timer_cancel(apic);
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
	lapic_timer_settle(apic);
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
 * lapic_timer_migrate - bring the timer to the CPU the vCPU runs on
 * @vcpu: the vCPU, just loaded
 *
 * The interrupt of an hrtimer then is the exit, and no IPI has to follow it. A guest
 * that is timed is so on any CPU, unless the TSC has ceased to be good for that: it is
 * not the same everywhere, or has begun anew while the host slept.
 *
 * Context: preemption off.
 */
void lapic_timer_migrate(struct vcpu *vcpu)
{
	struct lapic *apic = vcpu->lapic;
	int cpu = smp_processor_id();

	if (!apic)
		return;
	if (vcpu->guest_timer && unlikely(check_tsc_unstable() || rdtsc() < apic->armed_tsc))
		lapic_timer_to_host(apic);
	if (apic->timer_cpu == cpu)
		return;
	apic->timer_cpu = cpu;
	if (hrtimer_cancel(&apic->timer))
		hrtimer_start_expires(&apic->timer, HRTIMER_MODE_ABS_PINNED_HARD);
}
