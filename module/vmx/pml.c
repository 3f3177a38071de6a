// SPDX-License-Identifier: GPL-2.0
/*
 * Page-modification logging: the CPU itself notes the guest-physical address of
 * every write that sets the dirty bit of an EPT entry, so that a write to a page
 * that the dirty log tracks costs no exit.
 *
 * The CPU fills a page of 512 entries from the last to the first and exits when
 * it is full. How far it has come is in the VMCS, which only the vCPU's own
 * thread can read; so that anybody can collect the entries, while the guest
 * runs, those not written yet hold a value that no address is. Collected ones
 * hold another, until the vCPU's thread empties the page.
 *
 * An entry is marked as collected only after its page is in the dirty log: who
 * finds it collected may rely on that. Two at once may collect the same entry,
 * and the page may be in the log once more than it was written.
 *
 * Source: Intel SDM vol. 3C (December 2023), "Page-Modification Logging".
 */
#include <linux/gfp.h>
#include <linux/srcu.h>

#include "vmx.h"
#include "../memslot.h"
#include "../trace.h"

#define PML_ENTRIES	512
#define PML_FREE	~0ull		/* addresses are page aligned */
#define PML_COLLECTED	(~0ull - 1)

/* Everything but the VMCS field; the CPU logs nothing meanwhile. */
static void pml_empty(struct vcpu_vmx *vmx)
{
	memset64(vmx->pml, PML_FREE, PML_ENTRIES);
	vmcs_write16(GUEST_PML_INDEX, PML_ENTRIES - 1);
}

/**
 * pml_create - the page that the CPU fills
 * @vmx: a vCPU being made
 *
 * Return: 0, also without the feature; -ENOMEM.
 */
int pml_create(struct vcpu_vmx *vmx)
{
	if (!vmx_has_pml())
		return 0;
	vmx->pml = (u64 *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->pml)
		return -ENOMEM;
	memset64(vmx->pml, PML_FREE, PML_ENTRIES);
	return 0;
}

void pml_free(struct vcpu_vmx *vmx)
{
	free_page((unsigned long)vmx->pml);
	vmx->pml = NULL;
}

/**
 * vmx_dirty_log_collect - move what the CPU has logged into the dirty log
 * @vcpu: any vCPU; it may be in guest mode
 *
 * Every write that was complete before the call is in the log after it.
 *
 * Context: vm->srcu read-locked or vm->slots_lock held.
 */
void vmx_dirty_log_collect(struct vcpu *vcpu)
{
	u64 *pml = to_vmx(vcpu)->pml;
	struct memslot *slot;
	int i;

	for (i = PML_ENTRIES - 1; i >= 0; i--) {
		u64 gpa = READ_ONCE(pml[i]);

		if (gpa == PML_FREE)
			break;
		if (gpa == PML_COLLECTED)
			continue;
		slot = memslots_find(vm_memslots(vcpu->vm), gpa >> PAGE_SHIFT);
		if (slot)
			memslot_mark_dirty(vcpu->vm, slot, gpa >> PAGE_SHIFT);
		/* The vCPU's thread may have emptied the page, and the CPU gone on. */
		cmpxchg(&pml[i], gpa, PML_COLLECTED);
	}
}

/**
 * vmx_dirty_log_switch - have the CPU log, or not, as the VM's slots want it
 * @vcpu: loaded, by its own thread
 * SDM: "Page-Modification Logging".
 */
void vmx_dirty_log_switch(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	bool on = vmx->ctl.proc2 & SECONDARY_EXEC_ENABLE_PML;

	if (on == (READ_ONCE(vcpu->vm->dirty_slots) > 0))
		return;
	/* What is left of an earlier time nobody asked for any more. */
	pml_empty(vmx);
	if (on) {
		vmcs_ctl_clear_bits_proc2(vmx, SECONDARY_EXEC_ENABLE_PML);
	} else {
		vmcs_write64(PML_ADDRESS, __pa(vmx->pml));
		vmcs_ctl_set_bits_proc2(vmx, SECONDARY_EXEC_ENABLE_PML);
	}
}

/**
 * exit_pml_full - the CPU has no room to log the write it is about to do
 * @vcpu: the vCPU
 * SDM: "Page-Modification Logging".
 */
enum exit_action exit_pml_full(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	int idx;

	trace_kvm_pml_full(vcpu->id);
	/* As with an EPT violation: the IRET of an NMI handler will come again. */
	if (qual_ept_unblocked_nmi(vmx_exit_qual(vmx)) && !intr_info_valid(vmx->idt_info))
		vmx_set_nmi_mask(vcpu, true);

	idx = srcu_read_lock(&vcpu->vm->srcu);
	vmx_dirty_log_collect(vcpu);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	pml_empty(vmx);
	return EXIT_RESUME;
}
