// SPDX-License-Identifier: GPL-2.0
/*
 * The VM-entry checker's rules about VM-entry controls, among them the event to inject, and about
 * the MSRs to load.
 *
 * Source: Intel SDM vol. 3C (December 2023), "VM Entries", "VM-Entry Control Fields", "Loading
 * MSRs".
 */
#include "check_impl.h"

/* Vectors of exceptions that push an error code: #DF, #TS, #NP, #SS, #GP, #PF, #AC. */
#define PUSHES_ERROR_CODE	(BIT(8) | BIT(10) | BIT(11) | BIT(12) | BIT(13) | BIT(14) | BIT(17))

CHECK(injection_type)
{
	if (!c->intr)
		return true;
	switch (INTR_TYPE(c->intr)) {
	case INTR_RESERVED:
		return false;
	case INTR_OTHER:
		/* A pending MTF VM exit: only where there is a monitor trap flag. */
		return (msr_of(c, CAP_PROC) >> 32) & PROC_MONITOR_TRAP;
	default:
		return true;
	}
}

CHECK(injection_vector)
{
	u32 vector = INTR_VECTOR(c->intr);

	if (!c->intr)
		return true;
	switch (INTR_TYPE(c->intr)) {
	case INTR_NMI:
		return vector == 2;
	case INTR_HARDWARE_EXCEPTION:
		return vector <= 31;
	case INTR_OTHER:
		return !vector;
	default:
		return true;
	}
}

/* An exception for which the CPU itself would push an error code. */
static bool error_code_due(const struct vmcs_check *c)
{
	return injects(c, INTR_HARDWARE_EXCEPTION) &&
	       INTR_VECTOR(c->intr) < 32 && (PUSHES_ERROR_CODE >> INTR_VECTOR(c->intr)) & 1 &&
	       (!unrestricted(c) || c->cr0 & CHECK_CR0_PE);
}

/* CPUs with bit 56 of IA32_VMX_BASIC leave it to software which exceptions have one. */
CHECK(error_code_wanted)
{
	return c->intr & INTR_ERROR_CODE || !error_code_due(c) ||
	       msr_of(c, CAP_BASIC) & CAP_BASIC_ANY_ERROR;
}

CHECK(error_code_unwanted)
{
	if (!(c->intr & INTR_ERROR_CODE) || error_code_due(c))
		return true;
	return msr_of(c, CAP_BASIC) & CAP_BASIC_ANY_ERROR &&
	       injects(c, INTR_HARDWARE_EXCEPTION) &&
	       (!unrestricted(c) || c->cr0 & CHECK_CR0_PE);
}

CHECK(injection_reserved)
{
	return !(c->intr & 0x7ffff000);
}

CHECK(error_code_bits)
{
	return !(c->intr & INTR_ERROR_CODE) || !(field_of(c, rule->field) & ~0xffffull);
}

CHECK(instruction_length)
{
	u64 length = field_of(c, rule->field);

	if (!injects(c, INTR_SOFTWARE) && !injects(c, INTR_PRIVILEGED) &&
	    !injects(c, INTR_SOFTWARE_EXCEPTION))
		return true;
	return length ? length <= 15 : !!(msr_of(c, CAP_MISC) & CAP_MISC_ZERO_LENGTH);
}

CHECK(outside_smm)
{
	return !(c->entry & rule->arg);
}

/* Field: the count of the area; arg: its address. */
bool vmcs_msr_area_ok(const struct vmcs_check *c, const struct vmcs_rule *rule)
{
	u64 count = (u32)field_of(c, rule->field), area = field_of(c, rule->arg);

	return !count || (aligned_ok(c, area, 16) && phys_ok(c, area + count * 16 - 1));
}

const struct vmcs_rule vmcs_entry_rules[] = {
	{ "entry-required", "every VM-entry control that the CPU's capability MSR wants set is set",
	  vmcs_required_set, VMCS_F_VM_ENTRY_CONTROLS, CAP_ENTRY },
	{ "entry-allowed", "no VM-entry control is set that the CPU does not have",
	  vmcs_only_allowed_set, VMCS_F_VM_ENTRY_CONTROLS, CAP_ENTRY },
	{ "injection-type", "the event to inject has a type that exists on this CPU",
	  injection_type, 0, 0 },
	{ "injection-vector",
	  "the event's vector fits its type: NMI 2, exceptions up to 31, a pending MTF exit 0",
	  injection_vector, 0, 0 },
	{ "injection-error-code-wanted",
	  "an exception that pushes an error code is injected with one", error_code_wanted, 0, 0 },
	{ "injection-error-code-unwanted",
	  "an event that pushes no error code, as all in real mode, is injected without one",
	  error_code_unwanted, 0, 0 },
	{ "injection-reserved", "bits 30:12 of the interruption information are 0",
	  injection_reserved, 0, 0 },
	{ "injection-error-code-bits", "bits 31:16 of the error code to inject are 0",
	  error_code_bits, VMCS_F_VM_ENTRY_EXCEPTION_ERROR_CODE, 0 },
	{ "injection-instruction-length",
	  "the instruction length of a software event is 1 to 15, or 0 if the CPU allows it",
	  instruction_length, VMCS_F_VM_ENTRY_INSTRUCTION_LEN, 0 },
	{ "entry-msr-load-address",
	  "the area of MSRs loaded at VM entry is 16-byte aligned, within the physical width",
	  vmcs_msr_area_ok, VMCS_F_VM_ENTRY_MSR_LOAD_COUNT, VMCS_F_VM_ENTRY_MSR_LOAD_ADDR },
	{ "entry-to-smm", "outside SMM a VM entry does not enter SMM", outside_smm, 0, ENTRY_SMM },
	{ "entry-dual-monitor",
	  "outside SMM a VM entry does not deactivate the dual-monitor treatment",
	  outside_smm, 0, ENTRY_DUAL_MONITOR },
	{ 0 }
};

/* ---- the MSR-load area: what its entries may hold ---- */
struct msr_entry {
	u32 index, reserved;
	u64 value;
};

/* An area longer than the CPU's recommended maximum of 512 is looked at so far. */
#define MSR_ENTRIES_MAX		512

static bool each_entry(const struct vmcs_check *c, bool (*ok)(const struct msr_entry *entry))
{
	u64 area = field_of(c, VMCS_F_VM_ENTRY_MSR_LOAD_ADDR);
	u32 count = field_of(c, VMCS_F_VM_ENTRY_MSR_LOAD_COUNT);
	struct msr_entry entry;
	u32 i;

	if (!aligned_ok(c, area, 16))
		return true;
	for (i = 0; i < count && i < MSR_ENTRIES_MAX; i++) {
		if (!memory_of(c, area + i * 16, &entry, sizeof(entry)))
			return true;
		if (!ok(&entry))
			return false;
	}
	return true;
}

static bool not_fs_gs_base(const struct msr_entry *entry)
{
	return entry->index != 0xc0000100 && entry->index != 0xc0000101;
}

static bool not_x2apic(const struct msr_entry *entry)
{
	return entry->index >> 8 != 8;
}

static bool not_smm_only(const struct msr_entry *entry)
{
	return entry->index != 0x9b;
}

static bool reserved_clear(const struct msr_entry *entry)
{
	return !entry->reserved;
}

CHECK(load_fs_gs)
{
	return each_entry(c, not_fs_gs_base);
}

CHECK(load_x2apic)
{
	return each_entry(c, not_x2apic);
}

CHECK(load_smm)
{
	return each_entry(c, not_smm_only);
}

CHECK(load_reserved)
{
	return each_entry(c, reserved_clear);
}

const struct vmcs_rule vmcs_msr_load_rules[] = {
	{ "msr-load-fs-gs",
	  "IA32_FS_BASE and IA32_GS_BASE are not loaded as MSRs: they have fields",
	  load_fs_gs, 0, 0 },
	{ "msr-load-x2apic", "no register of an x2APIC (MSRs 800H to 8FFH) is loaded",
	  load_x2apic, 0, 0 },
	{ "msr-load-smm", "IA32_SMM_MONITOR_CTL, which only SMM writes, is not loaded",
	  load_smm, 0, 0 },
	{ "msr-load-reserved", "bits 63:32 of an entry of the MSR-load area are 0",
	  load_reserved, 0, 0 },
	{ 0 }
};
