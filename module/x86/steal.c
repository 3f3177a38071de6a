// SPDX-License-Identifier: GPL-2.0
/*
 * Steal time: tells the guest, per vCPU, how long its thread was runnable while
 * others had the CPU, and whether that is so right now.
 *
 * A guest that sees another vCPU preempted need not wait for it to flush its TLB:
 * it sets a bit in that vCPU's record, and the flush is done here before the vCPU
 * runs again.
 */
#include <linux/sched.h>
#include <linux/sched/stat.h>
#include <linux/stddef.h>

#include "../../uapi/minikvm_para.h"
#include "../memslot.h"
#include "x86.h"

#define FLUSH_TRIES	8

static gpa_t record_gpa(struct vcpu *vcpu)
{
	return vcpu->steal.msr & MINIKVM_STEAL_VALID_BITS;
}

/**
 * steal_set_msr - write MINIKVM_MSR_STEAL_TIME
 * @vcpu: the vCPU, loaded
 * @data: bit 0 enables; the record's address
 *
 * Return: 0; -EINVAL (reserved bits; or the host's scheduler keeps no account).
 */
int steal_set_msr(struct vcpu *vcpu, u64 data)
{
	if (!sched_info_on() || data & MINIKVM_STEAL_RESERVED_MASK)
		return -EINVAL;
	vcpu->steal.msr = data;
	vcpu->steal.run_delay = current->sched_info.run_delay;
	if (data & MINIKVM_MSR_ENABLED)
		vcpu_set_request(vcpu, REQ_STEAL_UPDATE);
	return 0;
}

/*
 * Take "preempted" back, and with it the request to flush that another vCPU may
 * add at any moment as long as it stands. 0 or -EFAULT.
 */
static int clear_preempted(struct vcpu *vcpu, gpa_t gpa)
{
	u8 seen, zero = 0;
	u64 old;
	int i, r;

	r = guest_read(vcpu->vm, gpa, &seen, sizeof(seen));
	if (r)
		return r;
	old = seen;
	for (i = 0; i < FLUSH_TRIES; i++) {
		r = guest_cmpxchg(vcpu->vm, gpa, &old, 0, sizeof(zero));
		if (r != -EAGAIN)
			break;
	}
	if (r == -EAGAIN) {
		/* A guest that plays with the byte: whatever it asked for, flush after. */
		r = guest_write(vcpu->vm, gpa, &zero, sizeof(zero));
		old = MINIKVM_VCPU_FLUSH_TLB;
	}
	if (!r && old & MINIKVM_VCPU_FLUSH_TLB && guest_pv_has(vcpu, MINIKVM_FEATURE_PV_TLB_FLUSH))
		vendor->flush_tlb_guest(vcpu);
	return r;
}

/**
 * steal_update - bring this vCPU's record up to date
 * @vcpu: the vCPU, its own thread, loaded, about to enter the guest
 *
 * Context: sleeps.
 */
void steal_update(struct vcpu *vcpu)
{
	const size_t version_at = offsetof(struct minikvm_steal_time, version);
	const size_t preempted_at = offsetof(struct minikvm_steal_time, preempted);
	struct vm *vm = vcpu->vm;
	gpa_t gpa = record_gpa(vcpu);
	u64 steal, run_delay;
	u32 version;

	if (!(vcpu->steal.msr & MINIKVM_MSR_ENABLED))
		return;
	if (clear_preempted(vcpu, gpa + preempted_at))
		return;
	vcpu->steal.preempted = false;

	if (guest_read(vm, gpa + version_at, &version, sizeof(version)) ||
	    guest_read(vm, gpa, &steal, sizeof(steal)))
		return;
	/* Odd while in flux: a guest that reads meanwhile tries again. */
	version = (version | 1) + (version & 1 ? 2 : 0);
	if (guest_write(vm, gpa + version_at, &version, sizeof(version)))
		return;
	smp_wmb();		/* odd before the contents change */

	run_delay = current->sched_info.run_delay;
	/* Another thread than last time has an account of its own. */
	if (run_delay > vcpu->steal.run_delay)
		steal += run_delay - vcpu->steal.run_delay;
	vcpu->steal.run_delay = run_delay;
	if (guest_write(vm, gpa, &steal, sizeof(steal)))
		return;
	smp_wmb();		/* contents before even */
	version++;
	guest_write(vm, gpa + version_at, &version, sizeof(version));
}

/**
 * steal_preempted - the scheduler gives this runnable vCPU's CPU to another task
 * @vcpu: the vCPU, its own thread
 *
 * Says so in the record, unless an instruction is being emulated: its page walks
 * must not be flushed behind it.
 *
 * Context: preemption off; does not fault pages in.
 */
void steal_preempted(struct vcpu *vcpu)
{
	const u8 preempted = MINIKVM_VCPU_PREEMPTED;
	gpa_t gpa = record_gpa(vcpu) + offsetof(struct minikvm_steal_time, preempted);

	if (!(vcpu->steal.msr & MINIKVM_MSR_ENABLED) || vcpu->steal.preempted ||
	    !vcpu->at_insn_boundary || current->mm != vcpu->vm->mm)
		return;
	if (!guest_write_nofault(vcpu->vm, gpa, &preempted, sizeof(preempted)))
		vcpu->steal.preempted = true;
}
