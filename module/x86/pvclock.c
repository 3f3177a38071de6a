// SPDX-License-Identifier: GPL-2.0
/*
 * kvmclock: the paravirtual clock. Each vCPU gives the address of a record in
 * which the kernel says what time it was at some TSC value and how fast the
 * TSC runs; the guest adds the rest without an exit.
 *
 * Where the host's own clock is the TSC, all vCPUs of a VM get one and the
 * same reference point, so their clocks cannot disagree; the record says so
 * (TSC_STABLE) and the guest need not serialise its reads. Elsewhere each
 * record is refreshed when its vCPU is moved.
 */
#include <linux/math64.h>
#include <linux/jiffies.h>
#include <linux/ktime.h>
#include <linux/time64.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/tsc.h>

#include "../../uapi/minikvm_para.h"
#include "../memslot.h"
#include "x86.h"

/**
 * struct clock_sample - one instant on two clocks
 * @tsc: host TSC
 * @ns: nanoseconds since boot, not steered by NTP
 * @real: CLOCK_REALTIME, nanoseconds
 * @exact: the kernel's clock is the TSC, so the two belong together for good
 */
struct clock_sample {
	u64 tsc;
	u64 ns;
	u64 real;
	bool exact;
};

static void clock_sample_now(struct clock_sample *s)
{
	struct system_time_snapshot snap;
	u64 before, after;

	before = rdtsc_ordered();
	ktime_get_snapshot(&snap);
	after = rdtsc_ordered();

	/* If the counter behind the kernel's time lies in between, it is the TSC. */
	s->exact = boot_cpu_has(X86_FEATURE_CONSTANT_TSC) && !check_tsc_unstable() &&
		   snap.cycles >= before && snap.cycles <= after;
	s->tsc = s->exact ? snap.cycles : after;
	s->ns = ktime_to_ns(snap.raw) + ktime_to_ns(ktime_mono_to_any(0, TK_OFFS_BOOT));
	s->real = ktime_to_ns(snap.real);
}

/* TSC ticks to nanoseconds as the guest will do it: (ticks << shift) * mul >> 32. */
static void tsc_scale(u64 khz, s8 *shift, u32 *mul)
{
	u64 hz = max(khz, 1ull) * 1000;

	*shift = 0;
	while (hz > 2 * NSEC_PER_SEC) {
		hz >>= 1;
		(*shift)--;
	}
	while (hz <= NSEC_PER_SEC) {
		hz <<= 1;
		(*shift)++;
	}
	*mul = div64_u64((u64)NSEC_PER_SEC << 32, hz);
}

static u64 ticks_to_ns(u64 ticks)
{
	s8 shift;
	u32 mul;

	tsc_scale(tsc_khz, &shift, &mul);
	ticks = shift < 0 ? ticks >> -shift : ticks << shift;
	return mul_u64_u32_shr(ticks, mul, 32);
}

/*
 * The VM's reference point; made on first use. Until the VM's clock is set
 * anew all vCPUs share it. Not exact: a fresh sample.
 */
static void vm_reference(struct vm *vm, struct clock_sample *s)
{
	struct clock_sample now;
	unsigned long flags;

	clock_sample_now(&now);
	raw_spin_lock_irqsave(&vm->tsc_lock, flags);
	if (now.exact && !vm->clock_ref_valid) {
		vm->clock_ref_tsc = now.tsc;
		vm->clock_ref_ns = now.ns;
		vm->clock_ref_valid = true;
	} else if (!now.exact) {
		vm->clock_ref_valid = false;
	}
	s->exact = vm->clock_ref_valid;
	s->tsc = s->exact ? vm->clock_ref_tsc : now.tsc;
	s->ns = s->exact ? vm->clock_ref_ns : now.ns;
	s->real = now.real;
	raw_spin_unlock_irqrestore(&vm->tsc_lock, flags);
}

/**
 * pvclock_vm_init - a new VM's clock starts at zero
 * @vm: the VM
 */
void pvclock_vm_init(struct vm *vm)
{
	struct clock_sample now;

	clock_sample_now(&now);
	vm->clock_offset = -(s64)now.ns;
	vm->default_tsc_khz = tsc_khz;
}

/* One TSC offset and speed on all vCPUs is what makes one reference point true for all. */
static bool tscs_match(struct vm *vm)
{
	struct vcpu *v;
	u64 offset = 0, ratio = 0;
	int i;

	vm_for_each_vcpu(i, v, vm) {
		if (i == 0) {
			offset = READ_ONCE(v->tsc_offset);
			ratio = READ_ONCE(v->tsc_ratio);
		} else if (offset != READ_ONCE(v->tsc_offset) ||
			   ratio != READ_ONCE(v->tsc_ratio)) {
			return false;
		}
	}
	return true;
}

/**
 * pvclock_vm_now - the VM's clock (GET_CLOCK)
 * @vm: the VM
 *
 * Return: nanoseconds, as every vCPU's kvmclock reads now.
 */
u64 pvclock_vm_now(struct vm *vm)
{
	struct clock_sample s;

	vm_reference(vm, &s);
	if (s.exact)
		s.ns += ticks_to_ns(rdtsc_ordered() - s.tsc);
	return s.ns + READ_ONCE(vm->clock_offset);
}

/**
 * pvclock_vm_set - set the VM's clock (SET_CLOCK)
 * @vm: the VM
 * @ns: what it reads from now on
 */
void pvclock_vm_set(struct vm *vm, u64 ns)
{
	struct clock_sample now;
	unsigned long flags;

	clock_sample_now(&now);
	raw_spin_lock_irqsave(&vm->tsc_lock, flags);
	vm->clock_ref_valid = false;
	WRITE_ONCE(vm->clock_offset, ns - now.ns);
	raw_spin_unlock_irqrestore(&vm->tsc_lock, flags);
	vm_request_all(vm, REQ_CLOCK_UPDATE);
}

static void get_clock(struct vm *vm, struct minikvm_clock_data *data)
{
	struct clock_sample now, ref;

	clock_sample_now(&now);
	vm_reference(vm, &ref);
	/* Two clocks would have to be told apart: none is the VM's. */
	if (!now.exact || !ref.exact || !tscs_match(vm)) {
		data->clock = now.ns + READ_ONCE(vm->clock_offset);
		return;
	}
	if (now.tsc < ref.tsc)
		now = ref;		/* the reference was made just now */
	data->clock = ref.ns + ticks_to_ns(now.tsc - ref.tsc) + READ_ONCE(vm->clock_offset);
	data->flags = MINIKVM_CLOCK_TSC_STABLE | MINIKVM_CLOCK_REALTIME | MINIKVM_CLOCK_HOST_TSC;
	data->realtime = now.real;
	data->host_tsc = now.tsc;
}

static int set_clock(struct vm *vm, const struct minikvm_clock_data *data)
{
	u64 ns = data->clock, real;

	if (data->flags & ~(MINIKVM_CLOCK_TSC_STABLE | MINIKVM_CLOCK_REALTIME |
			    MINIKVM_CLOCK_HOST_TSC))
		return -EINVAL;
	if (data->flags & MINIKVM_CLOCK_REALTIME) {
		/* Time has passed since the clock was read; it never goes back for this. */
		real = ktime_get_real_ns();
		if (real > data->realtime)
			ns += real - data->realtime;
	}
	pvclock_vm_set(vm, ns);
	return 0;
}

/**
 * vm_clock_ioctl - GET_CLOCK and SET_CLOCK
 * @vm: the VM
 * @cmd: MINIKVM_GET_CLOCK or MINIKVM_SET_CLOCK
 * @argp: struct minikvm_clock_data
 *
 * GET: TSC_STABLE says that all vCPUs read one clock; REALTIME and HOST_TSC come
 * with it. SET: with REALTIME, what passed since @realtime is added; the other
 * flags may be given back as they were got.
 *
 * Return: 0; -EINVAL (unknown flags); -EFAULT.
 */
long vm_clock_ioctl(struct vm *vm, unsigned int cmd, void __user *argp)
{
	struct minikvm_clock_data data = {};

	if (cmd == MINIKVM_SET_CLOCK)
		return copy_from_user(&data, argp, sizeof(data)) ? -EFAULT : set_clock(vm, &data);
	get_clock(vm, &data);
	return copy_to_user(argp, &data, sizeof(data)) ? -EFAULT : 0;
}

/* ---- the guest's records ------------------------------------------------ */

/**
 * pvclock_update - rewrite this vCPU's record
 * @vcpu: the vCPU, its own thread, loaded
 */
void pvclock_update(struct vcpu *vcpu)
{
	struct minikvm_pvclock rec = {};
	struct clock_sample s;
	gpa_t gpa = vcpu->pvclock.time_gpa;

	if (!(vcpu->pvclock.system_time_msr & MINIKVM_MSR_ENABLED))
		return;

	vm_reference(vcpu->vm, &s);
	if (s.exact && tscs_match(vcpu->vm))
		rec.flags = MINIKVM_PVCLOCK_TSC_STABLE_BIT;
	if (vcpu->pvclock.stopped) {
		rec.flags |= MINIKVM_PVCLOCK_GUEST_STOPPED;
		vcpu->pvclock.stopped = false;
	}
	rec.tsc_timestamp = guest_tsc_at(vcpu, s.tsc);
	rec.system_time = s.ns + READ_ONCE(vcpu->vm->clock_offset);
	tsc_scale(mul_u64_u64_shr(tsc_khz, vcpu->tsc_ratio, TSC_RATIO_FRAC_BITS),
		  &rec.tsc_shift, &rec.tsc_to_system_mul);

	/* Odd while in flux: a guest that reads meanwhile tries again. */
	rec.version = (vcpu->pvclock.version | 1);
	if (guest_write(vcpu->vm, gpa, &rec.version, sizeof(rec.version)))
		return;
	smp_wmb();		/* odd before the contents change */
	if (guest_write(vcpu->vm, gpa, &rec, sizeof(rec)))
		return;
	smp_wmb();		/* contents before even */
	rec.version++;
	guest_write(vcpu->vm, gpa, &rec.version, sizeof(rec.version));
	vcpu->pvclock.version = rec.version;
}

/**
 * pvclock_loaded - the vCPU was loaded on a CPU
 * @vcpu: the vCPU
 * @cpu: where
 *
 * A clock without common reference may read differently there, and it drifts
 * from the host's: it is refreshed on every move and about once a second.
 *
 * Context: preemption off.
 */
void pvclock_loaded(struct vcpu *vcpu, int cpu)
{
	if (!(vcpu->pvclock.system_time_msr & MINIKVM_MSR_ENABLED) ||
	    READ_ONCE(vcpu->vm->clock_ref_valid))
		return;
	if (vcpu->pvclock.cpu == cpu && time_before(jiffies, vcpu->pvclock.refresh))
		return;
	vcpu->pvclock.cpu = cpu;
	vcpu->pvclock.refresh = jiffies + HZ;
	vcpu_set_request(vcpu, REQ_CLOCK_UPDATE);
}

/**
 * pvclock_stopped - the host stopped this vCPU for a while (KVMCLOCK_CTRL)
 * @vcpu: the vCPU
 *
 * The guest's watchdogs learn of it from the record.
 *
 * Return: 0 or -EINVAL (the guest has no kvmclock).
 */
int pvclock_stopped(struct vcpu *vcpu)
{
	if (!(vcpu->pvclock.system_time_msr & MINIKVM_MSR_ENABLED))
		return -EINVAL;
	vcpu->pvclock.stopped = true;
	vcpu_set_request(vcpu, REQ_CLOCK_UPDATE);
	return 0;
}

static void write_wall_clock(struct vm *vm, gpa_t gpa)
{
	struct minikvm_wall_clock rec;
	u32 version;
	u64 ns, rem;

	if (!gpa || guest_read(vm, gpa, &version, sizeof(version)))
		return;
	version |= 1;
	if (guest_write(vm, gpa, &version, sizeof(version)))
		return;
	smp_wmb();		/* odd before the contents change */

	/* Wall time when the guest's clock read zero. */
	ns = ktime_get_real_ns() - pvclock_vm_now(vm);
	rec.version = version;
	rec.sec = div64_u64_rem(ns, NSEC_PER_SEC, &rem);
	rec.nsec = rem;
	if (guest_write(vm, gpa, &rec, sizeof(rec)))
		return;
	smp_wmb();		/* contents before even */
	version++;
	guest_write(vm, gpa, &version, sizeof(version));
}

/**
 * pvclock_pairing - MINIKVM_HC_CLOCK_PAIRING: wall time and TSC of one instant
 * @vcpu: the vCPU, its own thread
 * @gpa: where the record goes
 * @clock: MINIKVM_CLOCK_PAIRING_*
 *
 * Return: 0; -MINIKVM_EOPNOTSUPP (another clock, or the host's time is not its
 * TSC's); -MINIKVM_EFAULT (no memory there).
 */
long pvclock_pairing(struct vcpu *vcpu, gpa_t gpa, u64 clock)
{
	struct minikvm_clock_pairing rec = {};
	struct clock_sample now;
	u64 rem;

	if (clock != MINIKVM_CLOCK_PAIRING_WALLCLOCK)
		return -MINIKVM_EOPNOTSUPP;
	clock_sample_now(&now);
	if (!now.exact)
		return -MINIKVM_EOPNOTSUPP;
	rec.sec = div64_u64_rem(now.real, NSEC_PER_SEC, &rem);
	rec.nsec = rem;
	rec.tsc = guest_tsc_at(vcpu, now.tsc);
	return guest_write(vcpu->vm, gpa, &rec, sizeof(rec)) ? -MINIKVM_EFAULT : 0;
}

/**
 * pvclock_set_msr - write one of the four kvmclock MSRs
 * @vcpu: the vCPU
 * @msr: MINIKVM_MSR_*
 * @data: GPA of the record; SYSTEM_TIME: bit 0 enables
 *
 * Return: 0.
 */
int pvclock_set_msr(struct vcpu *vcpu, u32 msr, u64 data)
{
	if (msr == MINIKVM_MSR_WALL_CLOCK || msr == MINIKVM_MSR_WALL_CLOCK_NEW) {
		vcpu->vm->wall_clock_msr = data;
		write_wall_clock(vcpu->vm, data);
		return 0;
	}
	vcpu->pvclock.system_time_msr = data;
	if (!(data & MINIKVM_MSR_ENABLED)) {
		vcpu->pvclock.time_gpa = MK_INVALID_GPA;
		return 0;
	}
	vcpu->pvclock.time_gpa = data & ~(u64)MINIKVM_MSR_ENABLED;
	vcpu_set_request(vcpu, REQ_CLOCK_UPDATE);
	return 0;
}

/**
 * pvclock_get_msr - read one of the four kvmclock MSRs
 * @vcpu: the vCPU
 * @msr: MINIKVM_MSR_*
 * @data: out
 *
 * Return: 0.
 */
int pvclock_get_msr(struct vcpu *vcpu, u32 msr, u64 *data)
{
	if (msr == MINIKVM_MSR_WALL_CLOCK || msr == MINIKVM_MSR_WALL_CLOCK_NEW)
		*data = vcpu->vm->wall_clock_msr;
	else
		*data = vcpu->pvclock.system_time_msr;
	return 0;
}
