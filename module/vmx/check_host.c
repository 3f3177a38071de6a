// SPDX-License-Identifier: GPL-2.0
/*
 * The VM-entry checker's rules about the host state that the next VM exit would load.
 *
 * Source: Intel SDM vol. 3C (December 2023), "VM Entries", "Checks on Host Control Registers,
 * MSRs, and SSP", "Checks on Host Segment and Descriptor-Table Registers", "Checks Related to
 * Address-Space Size".
 */
#include "check_impl.h"

CHECK(host_cr0)
{
	return fixed_bits_ok(c, field_of(c, rule->field), CAP_CR0_FIXED0, CHECK_CR0_NW_CD);
}

CHECK(host_cr4)
{
	return fixed_bits_ok(c, field_of(c, rule->field), CAP_CR4_FIXED0, 0);
}

CHECK(host_cr3)
{
	return phys_ok(c, field_of(c, rule->field));
}

CHECK(host_canonical)
{
	return canonical(c, field_of(c, rule->field));
}

CHECK(host_pat)
{
	return !(c->exit & EXIT_LOAD_PAT) || pat_ok(field_of(c, rule->field));
}

CHECK(host_efer_reserved)
{
	return !(c->exit & EXIT_LOAD_EFER) || !(field_of(c, rule->field) & ~CHECK_EFER_DEFINED);
}

CHECK(host_efer_mode)
{
	u64 mode = c->exit & EXIT_HOST_64 ? CHECK_EFER_LMA | CHECK_EFER_LME : 0;

	return !(c->exit & EXIT_LOAD_EFER) ||
	       (field_of(c, rule->field) & (CHECK_EFER_LMA | CHECK_EFER_LME)) == mode;
}

const struct vmcs_rule vmcs_host_register_rules[] = {
	{ "host-cr0",
	  "the host's CR0 has the bits that VMX operation needs and none it does not know",
	  host_cr0, VMCS_F_HOST_CR0, 0 },
	{ "host-cr4",
	  "the host's CR4 has the bits that VMX operation needs and none it does not know",
	  host_cr4, VMCS_F_HOST_CR4, 0 },
	{ "host-cr3",
	  "the host's CR3 is within the physical-address width",
	  host_cr3, VMCS_F_HOST_CR3, 0 },
	{ "host-sysenter-esp", "the host's IA32_SYSENTER_ESP is canonical",
	  host_canonical, VMCS_F_HOST_SYSENTER_ESP, 0 },
	{ "host-sysenter-eip", "the host's IA32_SYSENTER_EIP is canonical",
	  host_canonical, VMCS_F_HOST_SYSENTER_EIP, 0 },
	{ "host-pat", "each byte of the host's IA32_PAT is a memory type: 0, 1, 4, 5, 6 or 7",
	  host_pat, VMCS_F_HOST_IA32_PAT, 0 },
	{ "host-efer-reserved", "reserved bits of the host's IA32_EFER are 0",
	  host_efer_reserved, VMCS_F_HOST_IA32_EFER, 0 },
	{ "host-efer-mode",
	  "LMA and LME of the host's IA32_EFER both equal the control \"host address-space size\"",
	  host_efer_mode, VMCS_F_HOST_IA32_EFER, 0 },
	{ 0 }
};

CHECK(host_selector)
{
	return !(field_of(c, rule->field) & 7);
}

CHECK(host_not_null)
{
	return field_of(c, rule->field);
}

#define HOST_SELECTOR(reg, REG)								\
	{ "host-" reg "-selector", "RPL and TI of the host's " #REG " selector are 0",	\
	  host_selector, VMCS_F_HOST_##REG##_SELECTOR, 0 }
#define HOST_BASE(reg, REG)								\
	{ "host-" reg "-base", "the host's " #REG " base is canonical",			\
	  host_canonical, VMCS_F_HOST_##REG##_BASE, 0 }

const struct vmcs_rule vmcs_host_segment_rules[] = {
	HOST_SELECTOR("es", ES),
	HOST_SELECTOR("cs", CS),
	HOST_SELECTOR("ss", SS),
	HOST_SELECTOR("ds", DS),
	HOST_SELECTOR("fs", FS),
	HOST_SELECTOR("gs", GS),
	HOST_SELECTOR("tr", TR),
	{ "host-cs-null",
	  "the host's CS selector is not null",
	  host_not_null, VMCS_F_HOST_CS_SELECTOR, 0 },
	{ "host-tr-null",
	  "the host's TR selector is not null",
	  host_not_null, VMCS_F_HOST_TR_SELECTOR, 0 },
	HOST_BASE("fs", FS),
	HOST_BASE("gs", GS),
	HOST_BASE("gdtr", GDTR),
	HOST_BASE("idtr", IDTR),
	HOST_BASE("tr", TR),
	{ 0 }
};

CHECK(host_size)
{
	return c->exit & EXIT_HOST_64;
}

CHECK(host_pae)
{
	return !(c->exit & EXIT_HOST_64) || field_of(c, rule->field) & CHECK_CR4_PAE;
}

CHECK(host_rip)
{
	return !(c->exit & EXIT_HOST_64) || canonical(c, field_of(c, rule->field));
}

const struct vmcs_rule vmcs_host_size_rules[] = {
	{ "host-address-space-size",
	  "a CPU in IA-32e mode returns to it: \"host address-space size\" is 1", host_size, 0, 0 },
	{ "host-cr4-pae", "a 64-bit host has CR4.PAE", host_pae, VMCS_F_HOST_CR4, 0 },
	{ "host-rip", "a 64-bit host's RIP is canonical", host_rip, VMCS_F_HOST_RIP, 0 },
	{ 0 }
};
