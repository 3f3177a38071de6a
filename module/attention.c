// SPDX-License-Identifier: GPL-2.0
/*
 * Getting the attention of a vCPU, or of all vCPUs of a VM: waking one that
 * waits, interrupting one that is in the guest.
 *
 * Who wants a vCPU's attention sets a request and then looks at its mode; the
 * vCPU sets its mode and then looks at its requests. One of the two always
 * sees the other:
 *
 *	vcpu thread			anyone
 *	mode = IN_GUEST			set_bit(request)
 *	barrier				barrier
 *	requests pending? back out	mode == IN_GUEST? send an IPI
 *
 * Interrupts are off in the vCPU's thread from the first line on, so the IPI is
 * taken only by the exit it causes.
 */
#include <linux/smp.h>
#include <trace/events/ipi.h>	/* smp_send_reschedule() traces */

#include "minikvm.h"

struct kick_mask {
	struct cpumask mask;
};

/* Scratch of vm_wait_outside_guest(), which runs with preemption off. */
static DEFINE_PER_CPU(struct kick_mask, vm_kick_mask);

/*
 * Tell a vCPU that it is on its way out of the guest. Preemption off, behind a
 * barrier after the request.
 *
 * Return: the mode it was in; *@cpu is the CPU to interrupt, negative if none:
 * it is outside, or here.
 */
static enum vcpu_mode vcpu_expel(struct vcpu *vcpu, int *cpu)
{
	enum vcpu_mode was = cmpxchg(&vcpu->mode, VCPU_IN_GUEST, VCPU_EXITING);

	*cpu = -1;
	if (was != VCPU_OUTSIDE_GUEST && READ_ONCE(vcpu->cpu) != smp_processor_id())
		*cpu = READ_ONCE(vcpu->cpu);
	return was;
}

/**
 * vcpu_kick - make a vCPU look at its requests soon
 * @vcpu: any vCPU
 *
 * Wakes it if it waits, forces an exit if it is in the guest, does nothing
 * otherwise: it will look on its own before it enters.
 *
 * Context: any, hard interrupts included.
 */
void vcpu_kick(struct vcpu *vcpu)
{
	int cpu;

	/* The request is visible before the mode is read. */
	smp_mb();
	if (rcuwait_wake_up(&vcpu->wait)) {
		WRITE_ONCE(vcpu->ready, true);
		return;
	}

	preempt_disable();
	/* Reading first spares the line that the vCPU's entries write. */
	if (READ_ONCE(vcpu->mode) == VCPU_IN_GUEST &&
	    vcpu_expel(vcpu, &cpu) == VCPU_IN_GUEST && cpu >= 0)
		smp_send_reschedule(cpu);
	preempt_enable();
}

/**
 * vcpu_unblock - end a vCPU's halt without an interrupt
 * @vcpu: any vCPU
 *
 * One that is not halted does not wait at its next HLT.
 *
 * Context: any, hard interrupts included.
 */
void vcpu_unblock(struct vcpu *vcpu)
{
	WRITE_ONCE(vcpu->unhalted, true);
	vcpu_request(vcpu, REQ_EVENT);
}

/**
 * vm_request_all - set a request on every vCPU and get their attention
 * @vm: the VM
 * @req: what they are to do before their next entry
 *
 * Context: any; does not wait.
 */
void vm_request_all(struct vm *vm, enum vcpu_request req)
{
	struct vcpu *vcpu;
	int i;

	vm_for_each_vcpu(i, vcpu, vm)
		vcpu_request(vcpu, req);
}

static void nothing(void *unused)
{
}

/**
 * vm_wait_outside_guest - wait until every vCPU has left guest mode once
 * @vm: the VM
 *
 * Requests set before the call are seen by each vCPU before it enters again.
 *
 * Context: interrupts on; does not sleep.
 * Return: whether one had to be waited for.
 */
bool vm_wait_outside_guest(struct vm *vm)
{
	struct cpumask *cpus;
	struct vcpu *vcpu;
	bool any = false;
	int i, cpu;

	/* Requests first, modes second; the vCPU does it the other way round. */
	smp_mb();
	preempt_disable();
	cpus = this_cpu_ptr(&vm_kick_mask.mask);
	cpumask_clear(cpus);
	vm_for_each_vcpu(i, vcpu, vm) {
		/* Also one that somebody else expelled: it may not be out yet. */
		vcpu_expel(vcpu, &cpu);
		if (cpu < 0)
			continue;
		cpumask_set_cpu(cpu, cpus);
		any = true;
	}
	if (any)
		smp_call_function_many(cpus, nothing, NULL, true);
	preempt_enable();
	return any;
}

/**
 * vm_flush_tlbs - no CPU uses a stale second-dimension translation after this
 * @vm: the VM whose entries were removed or lost permissions
 *
 * Halted vCPUs are not woken: they flush before their next entry.
 *
 * Context: interrupts on; may hold spinlocks; does not sleep, but waits for
 * the CPUs that are in guest mode.
 */
void vm_flush_tlbs(struct vm *vm)
{
	struct vcpu *vcpu;
	int i;

	vm_for_each_vcpu(i, vcpu, vm)
		vcpu_set_request(vcpu, REQ_TLB_FLUSH);
	atomic64_inc(&vm->stats.remote_tlb_flush_requests);
	if (vm_wait_outside_guest(vm))
		atomic64_inc(&vm->stats.remote_tlb_flush);
}
