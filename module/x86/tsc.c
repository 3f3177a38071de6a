// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's time-stamp counter: an offset from the host's, set so that the
 * vCPUs of a VM stay in step.
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <asm/tsc.h>

#include "../irqchip/lapic.h"
#include "x86.h"

/**
 * guest_tsc_read - the guest's TSC, now
 * @vcpu: the vCPU
 */
u64 guest_tsc_read(struct vcpu *vcpu)
{
	return rdtsc() + vcpu->tsc_offset;
}

static void set_offset(struct vcpu *vcpu, u64 offset)
{
	WRITE_ONCE(vcpu->tsc_offset, offset);
	vendor->set_tsc_offset(vcpu, offset);
	lapic_timer_tsc_moved(vcpu);
	/* Whether kvmclock is the same on all vCPUs may have changed. */
	vcpu_set_request(vcpu, REQ_CLOCK_UPDATE);
	vm_request_all(vcpu->vm, REQ_CLOCK_UPDATE);
}

/**
 * guest_tsc_shift - move the guest's TSC
 * @vcpu: the vCPU, loaded
 * @delta: ticks, may be negative
 */
void guest_tsc_shift(struct vcpu *vcpu, s64 delta)
{
	set_offset(vcpu, vcpu->tsc_offset + delta);
}

/*
 * Userspace sets the TSC of one vCPU after the other. Values that differ by
 * less than a second from where the last one should be by now are meant to be
 * equal, so they get the same offset; 0 is a new vCPU that joins the others.
 */
static void synchronize(struct vcpu *vcpu, u64 value)
{
	struct vm *vm = vcpu->vm;
	u64 offset, now, expected, hz = (u64)tsc_khz * 1000;
	unsigned long flags;
	bool match;

	raw_spin_lock_irqsave(&vm->tsc_lock, flags);
	offset = value - rdtsc();
	now = ktime_get_boottime_ns();
	expected = vm->tsc_last_write +
		   mul_u64_u32_div(now - vm->tsc_last_nsec, tsc_khz, 1000000);
	match = vm->tsc_last_nsec &&
		(!value || (value < expected + hz && value + hz > expected));
	if (match && !check_tsc_unstable())
		offset = vm->tsc_cur_offset;
	else if (match)
		offset = expected - rdtsc();
	vm->tsc_last_nsec = now;
	vm->tsc_last_write = rdtsc() + offset;
	if (!match)
		vm->tsc_cur_offset = offset;
	raw_spin_unlock_irqrestore(&vm->tsc_lock, flags);
	set_offset(vcpu, offset);
}

/**
 * guest_tsc_write - write IA32_TIME_STAMP_COUNTER
 * @vcpu: the vCPU, loaded
 * @value: new value
 * @host: userspace restores it; the guest's own write also moves TSC_ADJUST
 *
 * Source: Intel SDM vol. 3B (December 2023), "Time-Stamp Counter Adjustment".
 */
void guest_tsc_write(struct vcpu *vcpu, u64 value, bool host)
{
	s64 delta;

	if (host) {
		synchronize(vcpu, value);
		return;
	}
	delta = value - guest_tsc_read(vcpu);
	vcpu->tsc_adjust += delta;
	guest_tsc_shift(vcpu, delta);
}
