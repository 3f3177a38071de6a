// SPDX-License-Identifier: GPL-2.0
/*
 * The VM-entry checker's rules about VM-execution and VM-exit controls. The rules about VM-entry
 * controls are in check_entry.c.
 *
 * Source: Intel SDM vol. 3C (December 2023), "VM Entries", "Checks on VMX Controls".
 */
#include "check_impl.h"

/* A control word against its capability MSR: field and index of the MSR without "TRUE". */
static u64 settings(const struct vmcs_check *c, u32 msr)
{
	if (msr <= CAP_ENTRY && msr_of(c, CAP_BASIC) & CAP_BASIC_TRUE_CTLS)
		msr += CAP_TRUE_OFFSET;
	return msr_of(c, msr);
}

bool vmcs_required_set(const struct vmcs_check *c, const struct vmcs_rule *rule)
{
	return !((u32)settings(c, rule->arg) & ~(u32)field_of(c, rule->field));
}

bool vmcs_only_allowed_set(const struct vmcs_check *c, const struct vmcs_rule *rule)
{
	return !((u32)field_of(c, rule->field) & ~(u32)(settings(c, rule->arg) >> 32));
}

CHECK(proc2_allowed)
{
	return !(c->proc & PROC_SECONDARY) || vmcs_only_allowed_set(c, rule);
}

/* IA32_VMX_MISC[24:16] says how many there are; the manual's own limit is 4. */
CHECK(cr3_targets)
{
	return field_of(c, rule->field) <= ((msr_of(c, CAP_MISC) >> 16) & 0x1ff);
}

/* The address of a page, of meaning only with the control @arg of its word. */
CHECK(page_ok)
{
	return aligned_ok(c, field_of(c, rule->field), 4096);
}

CHECK(proc_page)
{
	return !(c->proc & rule->arg) || page_ok(c, rule);
}

CHECK(proc2_page)
{
	return !(c->proc2 & rule->arg) || page_ok(c, rule);
}

CHECK(tpr_threshold_bits)
{
	return !(c->proc & PROC_TPR_SHADOW) || c->proc2 & PROC2_INTR_DELIVERY ||
	       !(field_of(c, rule->field) & ~15ull);
}

#define VTPR_OFFSET	0x80

CHECK(tpr_threshold_vtpr)
{
	u64 page = field_of(c, VMCS_F_VIRTUAL_APIC_PAGE_ADDR);
	u8 vtpr;

	if (!(c->proc & PROC_TPR_SHADOW) ||
	    c->proc2 & (PROC2_APIC_ACCESSES | PROC2_INTR_DELIVERY))
		return true;
	if (!aligned_ok(c, page, 4096) || !memory_of(c, page + VTPR_OFFSET, &vtpr, 1))
		return true;
	return (field_of(c, rule->field) & 15) <= vtpr >> 4;
}

CHECK(tpr_shadow_needed)
{
	return c->proc & PROC_TPR_SHADOW ||
	       !(c->proc2 & (PROC2_X2APIC | PROC2_APIC_REGISTERS | PROC2_INTR_DELIVERY));
}

CHECK(virtual_nmis)
{
	return c->pin & PIN_NMI || !(c->pin & PIN_VIRTUAL_NMIS);
}

CHECK(nmi_window)
{
	return c->pin & PIN_VIRTUAL_NMIS || !(c->proc & PROC_NMI_WINDOW);
}

CHECK(x2apic_alone)
{
	return !(c->proc2 & PROC2_X2APIC) || !(c->proc2 & PROC2_APIC_ACCESSES);
}

CHECK(delivery_exits)
{
	return !(c->proc2 & PROC2_INTR_DELIVERY) || c->pin & PIN_EXT_INT;
}

static bool posting(const struct vmcs_check *c)
{
	return c->pin & PIN_POSTED_INTERRUPTS;
}

CHECK(posted_delivery)
{
	return !posting(c) || c->proc2 & PROC2_INTR_DELIVERY;
}

CHECK(posted_acknowledged)
{
	return !posting(c) || c->exit & EXIT_ACK_INTERRUPT;
}

CHECK(posted_vector)
{
	return !posting(c) || field_of(c, rule->field) <= 255;
}

CHECK(posted_descriptor)
{
	return !posting(c) || aligned_ok(c, field_of(c, rule->field), 64);
}

CHECK(vpid)
{
	return !(c->proc2 & PROC2_VPID) || (u16)field_of(c, rule->field);
}

/* ---- the EPT pointer, with IA32_VMX_EPT_VPID_CAP beside it ---- */
CHECK(eptp_memory_type)
{
	u64 cap = msr_of(c, CAP_EPT_VPID);

	if (!(c->proc2 & PROC2_EPT))
		return true;
	switch (field_of(c, rule->field) & 7) {
	case 0:
		return cap & BIT(8);
	case 6:
		return cap & BIT(14);
	default:
		return false;
	}
}

CHECK(eptp_walk_length)
{
	u64 cap = msr_of(c, CAP_EPT_VPID);

	if (!(c->proc2 & PROC2_EPT))
		return true;
	switch ((field_of(c, rule->field) >> 3) & 7) {
	case 3:
		return cap & BIT(6);
	case 4:
		return cap & BIT(7);
	default:
		return false;
	}
}

CHECK(eptp_accessed_dirty)
{
	return !(c->proc2 & PROC2_EPT) || !(field_of(c, rule->field) & BIT(6)) ||
	       msr_of(c, CAP_EPT_VPID) & BIT(21);
}

CHECK(eptp_reserved)
{
	u64 reserved = 0xf80, eptp = field_of(c, rule->field);

	if (msr_of(c, CAP_EPT_VPID) & BIT(23))		/* supervisor shadow stacks */
		reserved &= ~BIT_ULL(7);
	return !(c->proc2 & PROC2_EPT) || (!(eptp & reserved) && phys_ok(c, eptp));
}

/* What the control @arg can only do with nested paging. */
CHECK(needs_ept)
{
	return !(c->proc2 & rule->arg) || c->proc2 & PROC2_EPT;
}

CHECK(vm_functions)
{
	return !(c->proc2 & PROC2_VMFUNC) ||
	       !(field_of(c, rule->field) & ~msr_of(c, CAP_VMFUNC));
}

static bool switches_eptp(const struct vmcs_check *c)
{
	return c->proc2 & PROC2_VMFUNC && field_of(c, VMCS_F_VM_FUNCTION_CONTROL) & 1;
}

CHECK(eptp_switching_ept)
{
	return !switches_eptp(c) || c->proc2 & PROC2_EPT;
}

CHECK(eptp_list)
{
	return !switches_eptp(c) || page_ok(c, rule);
}

CHECK(tsc_multiplier)
{
	return !(c->proc2 & PROC2_TSC_SCALING) || field_of(c, rule->field);
}

const struct vmcs_rule vmcs_execution_rules[] = {
	{ "pin-required", "every pin-based control that the CPU's capability MSR wants set is set",
	  vmcs_required_set, VMCS_F_PIN_BASED_VM_EXEC_CONTROL, CAP_PIN },
	{ "pin-allowed", "no pin-based control is set that the CPU does not have",
	  vmcs_only_allowed_set, VMCS_F_PIN_BASED_VM_EXEC_CONTROL, CAP_PIN },
	{ "proc-required",
	  "every primary processor-based control that the CPU's capability MSR wants set is set",
	  vmcs_required_set, VMCS_F_CPU_BASED_VM_EXEC_CONTROL, CAP_PROC },
	{ "proc-allowed", "no primary processor-based control is set that the CPU does not have",
	  vmcs_only_allowed_set, VMCS_F_CPU_BASED_VM_EXEC_CONTROL, CAP_PROC },
	{ "proc2-allowed", "no secondary processor-based control is set that the CPU does not have",
	  proc2_allowed, VMCS_F_SECONDARY_VM_EXEC_CONTROL, CAP_PROC2 },
	{ "cr3-target-count", "there are no more CR3-target values than the CPU has room for",
	  cr3_targets, VMCS_F_CR3_TARGET_COUNT, 0 },
	{ "io-bitmap-a",
	  "the address of I/O bitmap A is a page's, within the physical width",
	  proc_page, VMCS_F_IO_BITMAP_A, PROC_IO_BITMAPS },
	{ "io-bitmap-b",
	  "the address of I/O bitmap B is a page's, within the physical width",
	  proc_page, VMCS_F_IO_BITMAP_B, PROC_IO_BITMAPS },
	{ "msr-bitmap",
	  "the address of the MSR bitmaps is a page's, within the physical width",
	  proc_page, VMCS_F_MSR_BITMAP, PROC_MSR_BITMAPS },
	{ "virtual-apic-page",
	  "with a TPR shadow, the virtual-APIC address is a page's, within the physical width",
	  proc_page, VMCS_F_VIRTUAL_APIC_PAGE_ADDR, PROC_TPR_SHADOW },
	{ "tpr-threshold-bits",
	  "with a TPR shadow and no virtual-interrupt delivery, the TPR threshold is at most 15",
	  tpr_threshold_bits, VMCS_F_TPR_THRESHOLD, 0 },
	{ "tpr-threshold-vtpr",
	  "the TPR threshold is not above the priority class in the virtual TPR already",
	  tpr_threshold_vtpr, VMCS_F_TPR_THRESHOLD, 0 },
	{ "tpr-shadow-needed",
	  "x2APIC mode, APIC registers and interrupt delivery are virtual only with a TPR shadow",
	  tpr_shadow_needed, 0, 0 },
	{ "virtual-nmis", "NMIs are virtual only if NMIs exit", virtual_nmis, 0, 0 },
	{ "nmi-window", "an NMI window is waited for only if NMIs are virtual", nmi_window, 0, 0 },
	{ "apic-access-page",
	  "the APIC-access address is a page's, within the physical width",
	  proc2_page, VMCS_F_APIC_ACCESS_ADDR, PROC2_APIC_ACCESSES },
	{ "x2apic-or-accesses", "x2APIC mode and APIC accesses are not virtualized together",
	  x2apic_alone, 0, 0 },
	{ "delivery-needs-exits",
	  "virtual-interrupt delivery is on only if external interrupts exit",
	  delivery_exits, 0, 0 },
	{ "posted-delivery", "interrupts are posted only with virtual-interrupt delivery",
	  posted_delivery, 0, 0 },
	{ "posted-acknowledge", "interrupts are posted only if VM exits acknowledge interrupts",
	  posted_acknowledged, 0, 0 },
	{ "posted-vector", "the posted-interrupt notification vector is at most 255",
	  posted_vector, VMCS_F_POSTED_INTR_NV, 0 },
	{ "posted-descriptor",
	  "the posted-interrupt descriptor is 64-byte aligned, within the physical width",
	  posted_descriptor, VMCS_F_POSTED_INTR_DESC_ADDR, 0 },
	{ "vpid", "with VPIDs enabled the VPID is not 0, which is the host's",
	  vpid, VMCS_F_VIRTUAL_PROCESSOR_ID, 0 },
	{ "eptp-memory-type", "EPT structures have a memory type that the CPU can walk them with",
	  eptp_memory_type, VMCS_F_EPT_POINTER, 0 },
	{ "eptp-walk-length", "the EPT page-walk length is one that the CPU knows",
	  eptp_walk_length, VMCS_F_EPT_POINTER, 0 },
	{ "eptp-accessed-dirty", "EPT accessed and dirty flags are on only if the CPU has them",
	  eptp_accessed_dirty, VMCS_F_EPT_POINTER, 0 },
	{ "eptp-reserved",
	  "the EPT pointer's reserved bits are 0, also those beyond the physical-address width",
	  eptp_reserved, VMCS_F_EPT_POINTER, 0 },
	{ "pml-needs-ept",
	  "pages are logged when modified only with EPT",
	  needs_ept, 0, PROC2_PML },
	{ "pml-page",
	  "the address of the page-modification log is a page's, within the physical width",
	  proc2_page, VMCS_F_PML_ADDRESS, PROC2_PML },
	{ "unrestricted-needs-ept", "a guest is unrestricted only with EPT",
	  needs_ept, 0, PROC2_UNRESTRICTED },
	{ "mode-based-needs-ept", "mode-based execute control is on only with EPT",
	  needs_ept, 0, PROC2_MODE_BASED_EPT },
	{ "vm-functions", "no VM function is enabled that the CPU does not have",
	  vm_functions, VMCS_F_VM_FUNCTION_CONTROL, 0 },
	{ "eptp-switching-needs-ept", "the VM function EPTP switching is enabled only with EPT",
	  eptp_switching_ept, 0, 0 },
	{ "eptp-list",
	  "the address of the EPTP list is a page's, within the physical width",
	  eptp_list, VMCS_F_EPTP_LIST_ADDRESS, 0 },
	{ "vmread-bitmap",
	  "the address of the VMREAD bitmap is a page's, within the physical width",
	  proc2_page, VMCS_F_VMREAD_BITMAP, PROC2_SHADOW_VMCS },
	{ "vmwrite-bitmap",
	  "the address of the VMWRITE bitmap is a page's, within the physical width",
	  proc2_page, VMCS_F_VMWRITE_BITMAP, PROC2_SHADOW_VMCS },
	{ "ve-information",
	  "the virtualization-exception information address is a page's, within the physical width",
	  proc2_page, VMCS_F_VIRT_EXCEPTION_INFO_ADDR, PROC2_VE },
	{ "tsc-multiplier", "with TSC scaling the multiplier is not 0",
	  tsc_multiplier, VMCS_F_TSC_MULTIPLIER, 0 },
	{ 0 }
};

CHECK(save_timer)
{
	return c->pin & PIN_PREEMPTION_TIMER || !(c->exit & EXIT_SAVE_TIMER);
}

const struct vmcs_rule vmcs_exit_rules[] = {
	{ "exit-required", "every VM-exit control that the CPU's capability MSR wants set is set",
	  vmcs_required_set, VMCS_F_VM_EXIT_CONTROLS, CAP_EXIT },
	{ "exit-allowed", "no VM-exit control is set that the CPU does not have",
	  vmcs_only_allowed_set, VMCS_F_VM_EXIT_CONTROLS, CAP_EXIT },
	{ "exit-save-timer",
	  "the VMX-preemption timer is saved only if it runs",
	  save_timer, 0, 0 },
	{ "exit-msr-store-address",
	  "the area for MSRs stored at VM exits is 16-byte aligned, within the physical width",
	  vmcs_msr_area_ok, VMCS_F_VM_EXIT_MSR_STORE_COUNT, VMCS_F_VM_EXIT_MSR_STORE_ADDR },
	{ "exit-msr-load-address",
	  "the area of MSRs loaded at VM exits is 16-byte aligned, within the physical width",
	  vmcs_msr_area_ok, VMCS_F_VM_EXIT_MSR_LOAD_COUNT, VMCS_F_VM_EXIT_MSR_LOAD_ADDR },
	{ 0 }
};
