// SPDX-License-Identifier: GPL-2.0
/*
 * Exits of guest-physical accesses: pages that are not mapped yet, and MMIO.
 *
 * Source: Intel SDM vol. 3C (December 2023), "Exit Qualification for EPT
 * Violations", "EPT Misconfigurations".
 */
#include <asm/cpufeature.h>

#include "vmx.h"
#include "../iobus.h"
#include "../mmu/mmu.h"
#include "../trace.h"
#include "../x86/x86.h"

/*
 * The access belongs to a device, or to memory that may only be read. If the
 * CPU made it to walk page tables, its address is no operand's.
 */
static enum exit_action emulate_access(struct vcpu *vcpu, gpa_t gpa, bool walk)
{
	/* An event's delivery is no instruction that could be emulated. */
	if (intr_info_valid(to_vmx(vcpu)->idt_info))
		return vmx_delivery_error(vcpu);
	return mmio_exec(vcpu, walk ? MK_INVALID_GPA : gpa);
}

static enum exit_action map_or_emulate(struct vcpu *vcpu, gpa_t gpa, u32 flags, bool walk)
{
	vcpu->stats.pf_taken++;
	switch (mmu_fault(vcpu, gpa, flags)) {
	case MMU_FIXED:
		return EXIT_RESUME;
	case MMU_EMULATE:
		vcpu->stats.pf_emulate++;
		return emulate_access(vcpu, gpa, walk);
	case MMU_ERROR:
	default:
		return EXIT_FAIL;
	}
}

/**
 * exit_ept_violation - no entry, or not the permission
 * @vcpu: the vCPU
 * SDM: "Exit Qualification for EPT Violations".
 */
enum exit_action exit_ept_violation(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	unsigned long qual = vmx_exit_qual(vmx);
	gpa_t gpa = vmcs_read64(GUEST_PHYSICAL_ADDRESS);
	u32 flags = 0;

	trace_kvm_page_fault(vcpu, gpa, qual);
	/*
	 * An IRET that ends an NMI handler faulted after it had unblocked NMIs;
	 * it will be executed again. During event delivery the bit means nothing.
	 */
	if (qual_ept_unblocked_nmi(qual) && !intr_info_valid(vmx->idt_info))
		vmx_set_nmi_mask(vcpu, true);

	if (qual_ept_read(qual))
		flags |= MMU_FAULT_READ;
	if (qual_ept_write(qual))
		flags |= MMU_FAULT_WRITE;
	if (qual_ept_fetch(qual))
		flags |= MMU_FAULT_EXEC;
	if (qual_ept_present(qual))
		flags |= MMU_FAULT_PRESENT;
	return map_or_emulate(vcpu, gpa, flags, qual_ept_walk(qual));
}

/*
 * A write that only has to be noticed, whatever it writes: an ioeventfd of any
 * length. Nothing says here that it is a write; KVM takes a read for one, too.
 *
 * The SDM does not promise the length of the instruction for this exit, but
 * every CPU has it. A hypervisor below might not.
 */
static bool mmio_noticed(struct vcpu *vcpu, gpa_t gpa)
{
	if (!iobus_used(vcpu->vm, IO_BUS_FAST_MMIO) || intr_info_valid(to_vmx(vcpu)->idt_info) ||
	    boot_cpu_has(X86_FEATURE_HYPERVISOR))
		return false;
	return !iobus_write(vcpu, IO_BUS_FAST_MMIO, gpa, 0, NULL);
}

/**
 * exit_ept_misconfig - an entry marked as MMIO
 * @vcpu: the vCPU
 *
 * The exit does not say whether the access read or wrote; the instruction does.
 * SDM: "EPT Misconfigurations".
 */
enum exit_action exit_ept_misconfig(struct vcpu *vcpu)
{
	gpa_t gpa = vmcs_read64(GUEST_PHYSICAL_ADDRESS);

	if (mmio_noticed(vcpu, gpa)) {
		trace_kvm_fast_mmio(gpa);
		vmx_skip_insn(vcpu);
		return EXIT_RESUME;
	}
	/* The marking of a larger hole may cover the APIC-access page. */
	if (unlikely(mmu_apic_page_at(vcpu->vm, gpa >> PAGE_SHIFT)))
		return map_or_emulate(vcpu, gpa, MMU_FAULT_READ, false);
	return emulate_access(vcpu, gpa, false);
}
