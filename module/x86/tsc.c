// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's time-stamp counter: the host's, scaled where the CPU can do that,
 * plus an offset, set so that the vCPUs of a VM stay in step.
 *
 * Source: Intel SDM vol. 3C (December 2023), "TSC Scaling".
 */
#include <linux/ktime.h>
#include <linux/math64.h>
#include <linux/minmax.h>
#include <linux/uaccess.h>
#include <asm/tsc.h>

#include "../irqchip/lapic.h"
#include "../trace.h"
#include "x86.h"

/* A frequency this close to the host's is the host's: no clock is more exact. */
#define TSC_TOLERANCE_PPM	250

static u64 scaled(const struct vcpu *vcpu, u64 host_tsc)
{
	if (likely(vcpu->tsc_ratio == TSC_RATIO_ONE))
		return host_tsc;
	return mul_u64_u64_shr(host_tsc, vcpu->tsc_ratio, TSC_RATIO_FRAC_BITS);
}

/**
 * guest_tsc_at - the guest's TSC when the host's had a value
 * @vcpu: the vCPU; any context
 * @host_tsc: the host's
 * SDM: "Time-Stamp Counter Offset and Multiplier".
 */
u64 guest_tsc_at(struct vcpu *vcpu, u64 host_tsc)
{
	return scaled(vcpu, host_tsc) + READ_ONCE(vcpu->tsc_offset);
}

/**
 * guest_tsc_read - the guest's TSC, now
 * @vcpu: the vCPU
 */
u64 guest_tsc_read(struct vcpu *vcpu)
{
	return guest_tsc_at(vcpu, rdtsc());
}

/* Its value or its speed changed. */
static void tsc_moved(struct vcpu *vcpu)
{
	lapic_timer_tsc_moved(vcpu);
	/* Whether kvmclock is the same on all vCPUs may have changed. */
	vcpu_set_request(vcpu, REQ_CLOCK_UPDATE);
	vm_request_all(vcpu->vm, REQ_CLOCK_UPDATE);
}

static void set_offset(struct vcpu *vcpu, u64 offset)
{
	trace_kvm_write_tsc_offset(vcpu->id, vcpu->tsc_offset, offset);
	WRITE_ONCE(vcpu->tsc_offset, offset);
	vendor->set_tsc_offset(vcpu, offset);
	tsc_moved(vcpu);
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

/* What later vCPUs are brought in step with. vm->tsc_lock held. */
static void remember_write(struct vcpu *vcpu, u64 offset, u64 now_ns)
{
	struct vm *vm = vcpu->vm;

	vm->tsc_last_nsec = now_ns;
	vm->tsc_last_write = scaled(vcpu, rdtsc()) + offset;
	vm->tsc_last_khz = vcpu->tsc_khz;
}

/*
 * Userspace sets the TSC of one vCPU after the other. Values that differ by
 * less than a second from where the last one should be by now are meant to be
 * equal, so they get the same offset; 0 is a new vCPU that joins the others.
 */
static void synchronize(struct vcpu *vcpu, u64 value)
{
	struct vm *vm = vcpu->vm;
	u64 offset, now, expected, hz = (u64)vcpu->tsc_khz * 1000;
	unsigned long flags;
	bool match;

	raw_spin_lock_irqsave(&vm->tsc_lock, flags);
	offset = value - scaled(vcpu, rdtsc());
	now = ktime_get_boottime_ns();
	expected = vm->tsc_last_write +
		   mul_u64_u32_div(now - vm->tsc_last_nsec, vcpu->tsc_khz, 1000000);
	match = vm->tsc_last_nsec && vm->tsc_last_khz == vcpu->tsc_khz &&
		(!value || (value < expected + hz && value + hz > expected));
	if (match && !check_tsc_unstable())
		offset = vm->tsc_cur_offset;
	else if (match)
		offset = expected - scaled(vcpu, rdtsc());
	remember_write(vcpu, offset, now);
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

/* ---- frequency ---------------------------------------------------------------- */

/* Beyond what the CPU can multiply by, or what ioctls can return. */
static bool khz_too_high(u32 khz)
{
	u64 max;

	if (!vendor->has_tsc_scaling())
		return false;
	max = mul_u64_u64_shr(U64_MAX, tsc_khz, TSC_RATIO_FRAC_BITS);
	return khz >= min_t(u64, max, S32_MAX);
}

static bool khz_is_hosts(u32 khz)
{
	u64 tolerance = div_u64((u64)tsc_khz * TSC_TOLERANCE_PPM, 1000000);

	return khz + tolerance >= tsc_khz && khz <= tsc_khz + tolerance;
}

/**
 * guest_tsc_set_khz - SET_TSC_KHZ of a vCPU
 * @vcpu: the vCPU, loaded
 * @khz: frequency in kHz, 0: the host's
 *
 * The counter goes on from another value: userspace sets that afterwards.
 *
 * Return: 0; -EINVAL: this CPU cannot scale its TSC so far, or at all.
 */
int guest_tsc_set_khz(struct vcpu *vcpu, u32 khz)
{
	u64 ratio = TSC_RATIO_ONE;

	if (khz_too_high(khz))
		return -EINVAL;
	if (!khz)
		khz = tsc_khz;
	if (!khz)
		return -EINVAL;		/* the kernel never found its own out */
	if (!khz_is_hosts(khz)) {
		if (!vendor->has_tsc_scaling())
			return -EINVAL;
		ratio = mul_u64_u32_div(TSC_RATIO_ONE, khz, tsc_khz);
		if (!ratio)
			return -EINVAL;
	}
	vcpu->tsc_khz = khz;
	if (ratio != vcpu->tsc_ratio) {
		WRITE_ONCE(vcpu->tsc_ratio, ratio);
		vendor->set_tsc_ratio(vcpu, ratio);
	}
	tsc_moved(vcpu);
	return 0;
}

/**
 * vm_tsc_set_khz - SET_TSC_KHZ of a VM: what its vCPUs start with
 * @vm: the VM
 * @khz: frequency in kHz, 0: the host's
 *
 * Return: 0; -EINVAL: too high for this CPU.
 */
int vm_tsc_set_khz(struct vm *vm, u32 khz)
{
	if (khz_too_high(khz))
		return -EINVAL;
	WRITE_ONCE(vm->default_tsc_khz, khz ? khz : tsc_khz);
	return 0;
}

/* ---- MINIKVM_VCPU_TSC_CTRL ------------------------------------------------------ */

static int set_offset_attr(struct vcpu *vcpu, u64 offset)
{
	struct vm *vm = vcpu->vm;
	unsigned long flags;

	raw_spin_lock_irqsave(&vm->tsc_lock, flags);
	remember_write(vcpu, offset, ktime_get_boottime_ns());
	vm->tsc_cur_offset = offset;
	raw_spin_unlock_irqrestore(&vm->tsc_lock, flags);
	set_offset(vcpu, offset);
	return 0;
}

/**
 * tsc_device_attr - HAS, GET and SET_DEVICE_ATTR of a vCPU
 * @vcpu: the vCPU, loaded
 * @cmd: MINIKVM_*_DEVICE_ATTR
 * @argp: struct minikvm_device_attr
 *
 * The only attribute is the TSC's offset from the (scaled) host TSC.
 *
 * Return: 0; -ENXIO (no such group or attribute); -EFAULT.
 */
long tsc_device_attr(struct vcpu *vcpu, unsigned int cmd, void __user *argp)
{
	struct minikvm_device_attr attr;
	u64 __user *value;
	u64 offset;

	if (copy_from_user(&attr, argp, sizeof(attr)))
		return -EFAULT;
	if (attr.group != MINIKVM_VCPU_TSC_CTRL || attr.attr != MINIKVM_VCPU_TSC_OFFSET)
		return -ENXIO;
	value = u64_to_user_ptr(attr.addr);
	switch (cmd) {
	case MINIKVM_HAS_DEVICE_ATTR:
		return 0;
	case MINIKVM_GET_DEVICE_ATTR:
		return put_user(vcpu->tsc_offset, value);
	default:
		return get_user(offset, value) ? -EFAULT : set_offset_attr(vcpu, offset);
	}
}
