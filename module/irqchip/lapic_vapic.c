// SPDX-License-Identifier: GPL-2.0
/*
 * The task priority in guest memory: what a VMM uses that rewrites a guest's
 * accesses to the TPR, each of them an exit, into accesses to a word of memory.
 *
 * The VMM learns of the instructions to rewrite by MINIKVM_EXIT_TPR_ACCESS. The
 * word then is the guest's TPR: taken over after each exit, and written before
 * an entry together with the priority of what is in service and what waits, by
 * which the guest's code knows when a lower priority has to be announced.
 */
#include "../minikvm.h"
#include "../memslot.h"
#include "lapic_impl.h"

/* Layout of the word. */
#define VAPIC_TPR(word)		((word) & 0xff)
#define VAPIC_ISR_SHIFT		8
#define VAPIC_IRR_SHIFT		24

static bool vapic_addr_valid(struct vm *vm, gpa_t gpa)
{
	gfn_t gfn = gpa >> PAGE_SHIFT, last = (gpa + sizeof(u32) - 1) >> PAGE_SHIFT;
	struct memslot *slot;
	bool valid;
	int idx;

	if (last < gfn)
		return false;
	idx = srcu_read_lock(&vm->srcu);
	do {
		slot = memslot_find(vm, gfn);
		valid = slot && !(slot->flags & MINIKVM_MEM_READONLY);
	} while (valid && gfn++ < last);
	srcu_read_unlock(&vm->srcu, idx);
	return valid;
}

/**
 * lapic_set_vapic_addr - MINIKVM_SET_VAPIC_ADDR
 * @vcpu: the vCPU, by the holder of its mutex
 * @gpa: of the word, 0 for none
 *
 * Return: 0; -EINVAL without an in-kernel APIC or writable memory at @gpa.
 */
int lapic_set_vapic_addr(struct vcpu *vcpu, gpa_t gpa)
{
	struct lapic *apic = vcpu->lapic;

	if (!apic)
		return -EINVAL;
	if (gpa && !vapic_addr_valid(vcpu->vm, gpa))
		return -EINVAL;
	apic->vapic_addr = gpa;
	if (gpa)
		__set_bit(APIC_ATTENTION_VAPIC, &vcpu->apic_attention);
	else
		__clear_bit(APIC_ATTENTION_VAPIC, &vcpu->apic_attention);
	vendor->apic_changed(vcpu);
	vcpu_set_request(vcpu, REQ_EVENT);
	return 0;
}

/**
 * lapic_set_tpr_reporting - MINIKVM_TPR_ACCESS_REPORTING
 * @vcpu: the vCPU, by the holder of its mutex
 * @ctl: in
 *
 * Without an in-kernel APIC userspace sees every access anyway.
 *
 * Return: 0; -EINVAL for flags.
 */
int lapic_set_tpr_reporting(struct vcpu *vcpu, const struct minikvm_tpr_access_ctl *ctl)
{
	if (ctl->flags)
		return -EINVAL;
	vcpu->report_tpr = ctl->enabled;
	return 0;
}

/* The guest touched the TPR, and somebody wants to know. */
void lapic_report_tpr(struct lapic *apic, bool write)
{
	struct vcpu *vcpu = apic->vcpu;

	apic->tpr_access_rip = rip_read(vcpu);
	apic->tpr_access_write = write;
	vcpu_set_request(vcpu, REQ_TPR_ACCESS);
}

/**
 * lapic_tpr_access_exit - REQ_TPR_ACCESS: report it to userspace
 * @vcpu: the vCPU
 *
 * The access is done, the exit only says where it was made.
 */
enum exit_action lapic_tpr_access_exit(struct vcpu *vcpu)
{
	struct minikvm_run *run = vcpu->run;

	run->exit_reason = MINIKVM_EXIT_TPR_ACCESS;
	run->tpr_access.rip = vcpu->lapic->tpr_access_rip;
	run->tpr_access.is_write = vcpu->lapic->tpr_access_write;
	return EXIT_TO_USER;
}

/**
 * lapic_sync_from_guest - after an exit: take over what the guest wrote
 * @vcpu: the vCPU, in RUN, preemption on; vcpu->apic_attention is not zero
 */
void lapic_sync_from_guest(struct vcpu *vcpu)
{
	struct lapic *apic = vcpu->lapic;
	u32 word;

	if (test_bit(APIC_ATTENTION_PV_EOI, &vcpu->apic_attention))
		lapic_pv_eoi_collect(apic);
	if (!test_bit(APIC_ATTENTION_VAPIC, &vcpu->apic_attention))
		return;
	/* Memory that went away: the last priority stays. */
	if (guest_read(vcpu->vm, apic->vapic_addr, &word, sizeof(word)))
		return;
	apic_reg_set(apic->regs, LAPIC_TPR, VAPIC_TPR(word));
	lapic_recheck(apic);
}

/**
 * lapic_sync_to_guest - before an entry: show the guest where the APIC stands
 * @vcpu: the vCPU, in RUN, preemption on; vcpu->apic_attention or the guest's PV
 *	EOI register is not zero
 */
void lapic_sync_to_guest(struct vcpu *vcpu)
{
	struct lapic *apic = vcpu->lapic;
	int irr, isr;
	u32 word;

	if (!apic)
		return;
	lapic_pv_eoi_arm(apic);
	if (!test_bit(APIC_ATTENTION_VAPIC, &vcpu->apic_attention) || !lapic_enabled(vcpu))
		return;
	irr = max(apic_vector_highest(apic->regs, LAPIC_IRR), 0);
	isr = max(apic_isr_highest(apic), 0) & 0xf0;
	word = (apic_reg(apic->regs, LAPIC_TPR) & 0xff) | isr << VAPIC_ISR_SHIFT |
	       (u32)irr << VAPIC_IRR_SHIFT;
	/* Nothing is lost without it but an exit saved. */
	(void)guest_write(vcpu->vm, apic->vapic_addr, &word, sizeof(word));
}
