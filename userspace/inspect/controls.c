// SPDX-License-Identifier: GPL-2.0
/*
 * The control words of the VMCS, as a table.
 *
 * Source: Intel SDM vol. 3C (December 2023), "VM-Execution Control Fields", "VM-Exit Control
 * Fields", "VM-Entry Control Fields"; vol. 3D, appendix "VMX Capability Reporting Facility".
 */
#include "inspect/controls.h"

#define CAP_BASIC		0x480
#define BASIC_TRUE_CONTROLS	BIT_ULL(55)
#define CPU_ACTIVATE_SECONDARY	BIT(31)
#define SECONDARY_UNRESTRICTED	BIT(7)
#define CR0_PE_PG		0x80000001ULL

static const struct word_part pin_parts[] = {
	WORD_BIT(0, "external-interrupt exiting"), WORD_BIT(3, "NMI exiting"),
	WORD_BIT(5, "virtual NMIs"), WORD_BIT(6, "activate VMX-preemption timer"),
	WORD_BIT(7, "process posted interrupts"),
};

static const struct word_part primary_parts[] = {
	WORD_BIT(2, "interrupt-window exiting"), WORD_BIT(3, "use TSC offsetting"),
	WORD_BIT(7, "HLT exiting"), WORD_BIT(9, "INVLPG exiting"), WORD_BIT(10, "MWAIT exiting"),
	WORD_BIT(11, "RDPMC exiting"), WORD_BIT(12, "RDTSC exiting"),
	WORD_BIT(15, "CR3-load exiting"), WORD_BIT(16, "CR3-store exiting"),
	WORD_BIT(17, "activate tertiary controls"), WORD_BIT(19, "CR8-load exiting"),
	WORD_BIT(20, "CR8-store exiting"), WORD_BIT(21, "use TPR shadow"),
	WORD_BIT(22, "NMI-window exiting"), WORD_BIT(23, "MOV-DR exiting"),
	WORD_BIT(24, "unconditional I/O exiting"), WORD_BIT(25, "use I/O bitmaps"),
	WORD_BIT(27, "monitor trap flag"), WORD_BIT(28, "use MSR bitmaps"),
	WORD_BIT(29, "MONITOR exiting"), WORD_BIT(30, "PAUSE exiting"),
	WORD_BIT(31, "activate secondary controls"),
};

static const struct word_part secondary_parts[] = {
	WORD_BIT(0, "virtualize APIC accesses"), WORD_BIT(1, "enable EPT"),
	WORD_BIT(2, "descriptor-table exiting"), WORD_BIT(3, "enable RDTSCP"),
	WORD_BIT(4, "virtualize x2APIC mode"), WORD_BIT(5, "enable VPID"),
	WORD_BIT(6, "WBINVD exiting"), WORD_BIT(7, "unrestricted guest"),
	WORD_BIT(8, "APIC-register virtualization"), WORD_BIT(9, "virtual-interrupt delivery"),
	WORD_BIT(10, "PAUSE-loop exiting"), WORD_BIT(11, "RDRAND exiting"),
	WORD_BIT(12, "enable INVPCID"), WORD_BIT(13, "enable VM functions"),
	WORD_BIT(14, "VMCS shadowing"), WORD_BIT(15, "enable ENCLS exiting"),
	WORD_BIT(16, "RDSEED exiting"), WORD_BIT(17, "enable PML"),
	WORD_BIT(18, "EPT-violation #VE"), WORD_BIT(19, "conceal VMX from PT"),
	WORD_BIT(20, "enable XSAVES/XRSTORS"), WORD_BIT(21, "PASID translation"),
	WORD_BIT(22, "mode-based execute control for EPT"),
	WORD_BIT(23, "sub-page write permissions for EPT"),
	WORD_BIT(24, "Intel PT uses guest physical addresses"), WORD_BIT(25, "use TSC scaling"),
	WORD_BIT(26, "enable user wait and pause"), WORD_BIT(27, "enable PCONFIG"),
	WORD_BIT(28, "enable ENCLV exiting"), WORD_BIT(30, "VMM bus-lock detection"),
	WORD_BIT(31, "instruction timeout"),
};

static const struct word_part tertiary_parts[] = {
	WORD_BIT(0, "LOADIWKEY exiting"), WORD_BIT(1, "enable HLAT"),
	WORD_BIT(2, "EPT paging-write control"), WORD_BIT(3, "guest-paging verification"),
	WORD_BIT(4, "IPI virtualization"), WORD_BIT(6, "enable MSR-list instructions"),
	WORD_BIT(7, "virtualize IA32_SPEC_CTRL"),
};

static const struct word_part exit_parts[] = {
	WORD_BIT(2, "save debug controls"), WORD_BIT(9, "host address-space size"),
	WORD_BIT(12, "load IA32_PERF_GLOBAL_CTRL"), WORD_BIT(15, "acknowledge interrupt on exit"),
	WORD_BIT(18, "save IA32_PAT"), WORD_BIT(19, "load IA32_PAT"),
	WORD_BIT(20, "save IA32_EFER"), WORD_BIT(21, "load IA32_EFER"),
	WORD_BIT(22, "save VMX-preemption timer value"), WORD_BIT(23, "clear IA32_BNDCFGS"),
	WORD_BIT(24, "conceal VMX from PT"), WORD_BIT(25, "clear IA32_RTIT_CTL"),
	WORD_BIT(26, "clear IA32_LBR_CTL"), WORD_BIT(27, "clear UINV"),
	WORD_BIT(28, "load CET state"), WORD_BIT(29, "load PKRS"),
	WORD_BIT(30, "save IA32_PERF_GLOBAL_CTL"), WORD_BIT(31, "activate secondary controls"),
};

static const struct word_part exit2_parts[] = {
	WORD_BIT(3, "prematurely busy shadow stack"),
};

static const struct word_part entry_parts[] = {
	WORD_BIT(2, "load debug controls"), WORD_BIT(9, "IA-32e mode guest"),
	WORD_BIT(10, "entry to SMM"), WORD_BIT(11, "deactivate dual-monitor treatment"),
	WORD_BIT(13, "load IA32_PERF_GLOBAL_CTRL"), WORD_BIT(14, "load IA32_PAT"),
	WORD_BIT(15, "load IA32_EFER"), WORD_BIT(16, "load IA32_BNDCFGS"),
	WORD_BIT(17, "conceal VMX from PT"), WORD_BIT(18, "load IA32_RTIT_CTL"),
	WORD_BIT(19, "load UINV"), WORD_BIT(20, "load CET state"),
	WORD_BIT(21, "load guest IA32_LBR_CTL"), WORD_BIT(22, "load PKRS"),
};

static const struct word_part function_parts[] = { WORD_BIT(0, "EPTP switching") };

const struct control controls[] = {
	{ VMCS_F_PIN_BASED_VM_EXEC_CONTROL, WORD(pin_parts), 0x481, 0x48d,
	  "IA32_VMX_PINBASED_CTLS", false },
	{ VMCS_F_CPU_BASED_VM_EXEC_CONTROL, WORD(primary_parts), 0x482, 0x48e,
	  "IA32_VMX_PROCBASED_CTLS", false },
	{ VMCS_F_SECONDARY_VM_EXEC_CONTROL, WORD(secondary_parts), 0x48b, 0,
	  "IA32_VMX_PROCBASED_CTLS2", false },
	{ VMCS_F_TERTIARY_VM_EXEC_CONTROL, WORD(tertiary_parts), 0x492, 0,
	  "IA32_VMX_PROCBASED_CTLS3", true },
	{ VMCS_F_VM_EXIT_CONTROLS, WORD(exit_parts), 0x483, 0x48f, "IA32_VMX_EXIT_CTLS", false },
	{ VMCS_F_SECONDARY_VM_EXIT_CONTROLS, WORD(exit2_parts), 0x493, 0, "IA32_VMX_EXIT_CTLS2",
	  true },
	{ VMCS_F_VM_ENTRY_CONTROLS, WORD(entry_parts), 0x484, 0x490, "IA32_VMX_ENTRY_CTLS",
	  false },
	{ VMCS_F_VM_FUNCTION_CONTROL, WORD(function_parts), 0x491, 0, "IA32_VMX_VMFUNC", true },
};
const unsigned int nr_controls = ARRAY_SIZE(controls);

const struct control *control_find(u32 encoding)
{
	unsigned int i;

	for (i = 0; i < nr_controls; i++) {
		if (controls[i].encoding == encoding)
			return &controls[i];
	}
	return NULL;
}

u32 control_limits(const struct control *c, const struct vmcs_dump *d, u64 *required, u64 *allowed)
{
	u64 basic = 0, value;
	u32 msr = c->msr;

	if (c->true_msr && dump_cap(d, CAP_BASIC, &basic) && (basic & BASIC_TRUE_CONTROLS))
		msr = c->true_msr;
	if (!dump_cap(d, msr, &value))
		return 0;
	*required = c->allowed_only ? 0 : value & 0xffffffff;
	*allowed = c->allowed_only ? value : value >> 32;
	return msr;
}

bool fixed_bits(const struct vmcs_dump *d, int cr, bool guest, u64 *required, u64 *allowed)
{
	u32 msr = cr ? 0x488 : 0x486;

	if (!dump_cap(d, msr, required) || !dump_cap(d, msr + 1, allowed))
		return false;
	if (!cr && guest &&
	    (dump_value(d, VMCS_F_CPU_BASED_VM_EXEC_CONTROL) & CPU_ACTIVATE_SECONDARY) &&
	    (dump_value(d, VMCS_F_SECONDARY_VM_EXEC_CONTROL) & SECONDARY_UNRESTRICTED))
		*required &= ~CR0_PE_PG;
	return true;
}
