// SPDX-License-Identifier: GPL-2.0
/*
 * The VM-entry checker's rules about guest state but for segment registers: control registers,
 * MSRs, descriptor tables, RIP and RFLAGS, what is not a register, and PDPTEs.
 *
 * Source: Intel SDM vol. 3C (December 2023), "VM Entries", "Checks on the Guest State Area"; the
 * section is named at each table in check.c.
 */
#include "check_impl.h"

CHECK(guest_cr0)
{
	u64 ignore = CHECK_CR0_NW_CD;

	if (unrestricted(c))
		ignore |= CHECK_CR0_PE | CHECK_CR0_PG;
	return fixed_bits_ok(c, c->cr0, CAP_CR0_FIXED0, ignore);
}

CHECK(guest_paging_protected)
{
	return !(c->cr0 & CHECK_CR0_PG) || c->cr0 & CHECK_CR0_PE;
}

CHECK(guest_cr4)
{
	return fixed_bits_ok(c, field_of(c, rule->field), CAP_CR4_FIXED0, 0);
}

/* Reserved in IA32_DEBUGCTL: bits 5:3 and 63:16. */
CHECK(guest_debugctl)
{
	return !(c->entry & ENTRY_LOAD_DEBUG) || !(field_of(c, rule->field) & ~0xffc7ull);
}

CHECK(guest_ia32e_paging)
{
	return !guest_ia32e(c) || c->cr0 & CHECK_CR0_PG;
}

CHECK(guest_ia32e_pae)
{
	return !guest_ia32e(c) || field_of(c, rule->field) & CHECK_CR4_PAE;
}

CHECK(guest_pcide)
{
	return guest_ia32e(c) || !(field_of(c, rule->field) & CHECK_CR4_PCIDE);
}

CHECK(guest_cr3)
{
	return phys_ok(c, field_of(c, rule->field));
}

CHECK(guest_dr7)
{
	return !(c->entry & ENTRY_LOAD_DEBUG) || !(field_of(c, rule->field) >> 32);
}

CHECK(guest_canonical)
{
	return canonical(c, field_of(c, rule->field));
}

CHECK(guest_pat)
{
	return !(c->entry & ENTRY_LOAD_PAT) || pat_ok(field_of(c, rule->field));
}

CHECK(guest_efer_reserved)
{
	return !(c->entry & ENTRY_LOAD_EFER) || !(field_of(c, rule->field) & ~CHECK_EFER_DEFINED);
}

CHECK(guest_efer_lma)
{
	return !(c->entry & ENTRY_LOAD_EFER) ||
	       !(field_of(c, rule->field) & CHECK_EFER_LMA) == !guest_ia32e(c);
}

CHECK(guest_efer_lme)
{
	u64 efer = field_of(c, rule->field);

	return !(c->entry & ENTRY_LOAD_EFER) || !(c->cr0 & CHECK_CR0_PG) ||
	       !(efer & CHECK_EFER_LMA) == !(efer & CHECK_EFER_LME);
}

const struct vmcs_rule vmcs_guest_register_rules[] = {
	{ "guest-cr0",
	  "CR0 has what VMX operation needs (an unrestricted guest not PE, PG) and no unknown bit",
	  guest_cr0, VMCS_F_GUEST_CR0, 0 },
	{ "guest-paging-needs-protection", "CR0.PG is set only with CR0.PE",
	  guest_paging_protected, VMCS_F_GUEST_CR0, 0 },
	{ "guest-cr4", "CR4 has the bits that VMX operation needs and none it does not know",
	  guest_cr4, VMCS_F_GUEST_CR4, 0 },
	{ "guest-debugctl", "reserved bits of IA32_DEBUGCTL are 0",
	  guest_debugctl, VMCS_F_GUEST_IA32_DEBUGCTL, 0 },
	{ "guest-ia32e-paging",
	  "an IA-32e mode guest has CR0.PG",
	  guest_ia32e_paging, VMCS_F_GUEST_CR0, 0 },
	{ "guest-ia32e-pae",
	  "an IA-32e mode guest has CR4.PAE",
	  guest_ia32e_pae, VMCS_F_GUEST_CR4, 0 },
	{ "guest-pcide",
	  "only an IA-32e mode guest has CR4.PCIDE",
	  guest_pcide, VMCS_F_GUEST_CR4, 0 },
	{ "guest-cr3", "CR3 is within the physical-address width", guest_cr3, VMCS_F_GUEST_CR3, 0 },
	{ "guest-dr7", "bits 63:32 of DR7 are 0", guest_dr7, VMCS_F_GUEST_DR7, 0 },
	{ "guest-sysenter-esp", "IA32_SYSENTER_ESP is canonical",
	  guest_canonical, VMCS_F_GUEST_SYSENTER_ESP, 0 },
	{ "guest-sysenter-eip", "IA32_SYSENTER_EIP is canonical",
	  guest_canonical, VMCS_F_GUEST_SYSENTER_EIP, 0 },
	{ "guest-pat", "each byte of IA32_PAT is a memory type: 0, 1, 4, 5, 6 or 7",
	  guest_pat, VMCS_F_GUEST_IA32_PAT, 0 },
	{ "guest-efer-reserved", "reserved bits of IA32_EFER are 0",
	  guest_efer_reserved, VMCS_F_GUEST_IA32_EFER, 0 },
	{ "guest-efer-lma", "IA32_EFER.LMA equals the control \"IA-32e mode guest\"",
	  guest_efer_lma, VMCS_F_GUEST_IA32_EFER, 0 },
	{ "guest-efer-lme", "with CR0.PG, IA32_EFER.LME equals IA32_EFER.LMA",
	  guest_efer_lme, VMCS_F_GUEST_IA32_EFER, 0 },
	{ 0 }
};

CHECK(table_limit)
{
	return field_of(c, rule->field) <= 0xffff;
}

const struct vmcs_rule vmcs_guest_table_rules[] = {
	{ "guest-gdtr-base",
	  "GDTR's base is canonical",
	  guest_canonical, VMCS_F_GUEST_GDTR_BASE, 0 },
	{ "guest-idtr-base",
	  "IDTR's base is canonical",
	  guest_canonical, VMCS_F_GUEST_IDTR_BASE, 0 },
	{ "guest-gdtr-limit",
	  "bits 31:16 of GDTR's limit are 0",
	  table_limit, VMCS_F_GUEST_GDTR_LIMIT, 0 },
	{ "guest-idtr-limit",
	  "bits 31:16 of IDTR's limit are 0",
	  table_limit, VMCS_F_GUEST_IDTR_LIMIT, 0 },
	{ 0 }
};

static bool guest_64bit(const struct vmcs_check *c)
{
	return guest_ia32e(c) && seg_ar(c, SEG_CS) & SEG_AR_L;
}

CHECK(guest_rip_high)
{
	return guest_64bit(c) || !(field_of(c, rule->field) >> 32);
}

/* Not canonical, quite: the highest bit of the width may differ from those above it. */
CHECK(guest_rip_width)
{
	u64 rip = field_of(c, rule->field);
	unsigned int bits = c->src->linear_bits;

	return !guest_64bit(c) || !width_limits(bits) || !(rip >> bits) || !(~rip >> bits);
}

/* Bits 63:22, 15, 5 and 3 are 0, bit 1 is 1. */
CHECK(guest_rflags)
{
	return !(c->rflags & ~0x3f7fd7ull) && c->rflags & BIT(1);
}

CHECK(guest_rflags_vm)
{
	return !guest_v8086(c) || (!guest_ia32e(c) && c->cr0 & CHECK_CR0_PE);
}

CHECK(guest_rflags_if)
{
	return !injects(c, INTR_EXTERNAL) || c->rflags & CHECK_RFLAGS_IF;
}

const struct vmcs_rule vmcs_guest_rip_rules[] = {
	{ "guest-rip-high", "outside 64-bit mode, bits 63:32 of RIP are 0",
	  guest_rip_high, VMCS_F_GUEST_RIP, 0 },
	{ "guest-rip-width",
	  "in 64-bit mode, the bits of RIP beyond the linear-address width are the same",
	  guest_rip_width, VMCS_F_GUEST_RIP, 0 },
	{ "guest-rflags", "reserved bits of RFLAGS are 0, and bit 1 is 1",
	  guest_rflags, VMCS_F_GUEST_RFLAGS, 0 },
	{ "guest-rflags-vm", "RFLAGS.VM is set neither in IA-32e mode nor without CR0.PE",
	  guest_rflags_vm, VMCS_F_GUEST_RFLAGS, 0 },
	{ "guest-rflags-if", "an external interrupt is injected only with RFLAGS.IF",
	  guest_rflags_if, VMCS_F_GUEST_RFLAGS, 0 },
	{ 0 }
};

static u64 activity_of(const struct vmcs_check *c)
{
	return field_of(c, VMCS_F_GUEST_ACTIVITY_STATE);
}

static u64 blocking_of(const struct vmcs_check *c)
{
	return field_of(c, VMCS_F_GUEST_INTERRUPTIBILITY);
}

/* IA32_VMX_MISC has bits 6 to 8 for the states 1 to 3. */
CHECK(activity_known)
{
	u64 activity = activity_of(c);

	return activity == ACTIVITY_ACTIVE || (activity <= ACTIVITY_WAIT_SIPI &&
	       msr_of(c, CAP_MISC) & BIT_ULL(5 + activity));
}

CHECK(activity_hlt)
{
	return activity_of(c) != ACTIVITY_HLT || !SEG_AR_DPL(seg_ar(c, SEG_SS));
}

CHECK(activity_blocking)
{
	return activity_of(c) == ACTIVITY_ACTIVE || !(blocking_of(c) & (BLOCK_STI | BLOCK_MOV_SS));
}

CHECK(activity_injection)
{
	u32 vector = INTR_VECTOR(c->intr);
	bool exception = injects(c, INTR_HARDWARE_EXCEPTION);

	if (!c->intr)
		return true;
	switch (activity_of(c)) {
	case ACTIVITY_HLT:
		return injects(c, INTR_EXTERNAL) || injects(c, INTR_NMI) ||
		       injects(c, INTR_OTHER) ||
		       (exception && (vector == 1 || vector == 18));
	case ACTIVITY_SHUTDOWN:
		return injects(c, INTR_NMI) || (exception && vector == 18);
	case ACTIVITY_WAIT_SIPI:
		return false;
	default:
		return true;
	}
}

CHECK(blocking_reserved)
{
	return !(blocking_of(c) >> 5);
}

CHECK(blocking_both)
{
	return (blocking_of(c) & (BLOCK_STI | BLOCK_MOV_SS)) != (BLOCK_STI | BLOCK_MOV_SS);
}

CHECK(blocking_sti)
{
	return !(blocking_of(c) & BLOCK_STI) || c->rflags & CHECK_RFLAGS_IF;
}

CHECK(blocking_interrupt)
{
	return !injects(c, INTR_EXTERNAL) || !(blocking_of(c) & (BLOCK_STI | BLOCK_MOV_SS));
}

CHECK(blocking_nmi)
{
	return !injects(c, INTR_NMI) || !(blocking_of(c) & BLOCK_MOV_SS);
}

CHECK(blocking_smi)
{
	return !(blocking_of(c) & BLOCK_SMI);
}

CHECK(blocking_virtual_nmi)
{
	return !injects(c, INTR_NMI) || !(c->pin & PIN_VIRTUAL_NMIS) ||
	       !(blocking_of(c) & BLOCK_NMI);
}

/* Defined: B0 to B3, bus lock (11), enabled breakpoint (12), single step (14), RTM (16). */
#define PENDING_BS		BIT(14)
#define PENDING_DEFINED		(0xfull | BIT(11) | BIT(12) | PENDING_BS | BIT(16))

CHECK(pending_reserved)
{
	return !(field_of(c, rule->field) & ~PENDING_DEFINED);
}

/* Where a trap waits behind a shadow or in HLT, it must be the one that TF asks for. */
static bool pending_considered(const struct vmcs_check *c)
{
	return blocking_of(c) & (BLOCK_STI | BLOCK_MOV_SS) || activity_of(c) == ACTIVITY_HLT;
}

static bool steps(const struct vmcs_check *c)
{
	return c->rflags & CHECK_RFLAGS_TF && !(field_of(c, VMCS_F_GUEST_IA32_DEBUGCTL) & BIT(1));
}

CHECK(pending_step)
{
	return !pending_considered(c) || !steps(c) || field_of(c, rule->field) & PENDING_BS;
}

CHECK(pending_no_step)
{
	return !pending_considered(c) || steps(c) || !(field_of(c, rule->field) & PENDING_BS);
}

#define NO_LINK		(~0ull)

CHECK(link_aligned)
{
	u64 link = field_of(c, rule->field);

	return link == NO_LINK || !(link & 4095);
}

CHECK(link_width)
{
	u64 link = field_of(c, rule->field);

	return link == NO_LINK || phys_ok(c, link);
}

/* The first four bytes of the linked VMCS; false: there is none to be read. */
static bool linked(const struct vmcs_check *c, u32 *revision)
{
	u64 link = field_of(c, VMCS_F_LINK_POINTER);

	return link != NO_LINK && aligned_ok(c, link, 4096) && memory_of(c, link, revision, 4);
}

CHECK(link_revision)
{
	u32 revision;

	return !linked(c, &revision) || !((revision ^ msr_of(c, CAP_BASIC)) & 0x7fffffff);
}

CHECK(link_shadow)
{
	u32 revision;

	return !linked(c, &revision) || !(revision >> 31) == !(c->proc2 & PROC2_SHADOW_VMCS);
}

const struct vmcs_rule vmcs_guest_other_rules[] = {
	{ "activity-known",
	  "the activity state is one that the CPU supports",
	  activity_known, 0, 0 },
	{ "activity-hlt-privilege", "a guest is halted only at privilege level 0: SS.DPL is 0",
	  activity_hlt, 0, 0 },
	{ "activity-blocking", "a guest in the shadow of STI or MOV SS is active",
	  activity_blocking, 0, 0 },
	{ "activity-injection", "the event to inject can end the activity state",
	  activity_injection, 0, 0 },
	{ "blocking-reserved", "reserved bits of the interruptibility state are 0",
	  blocking_reserved, 0, 0 },
	{ "blocking-both", "blocking by STI and by MOV SS do not come together",
	  blocking_both, 0, 0 },
	{ "blocking-sti", "blocking by STI comes only with RFLAGS.IF", blocking_sti, 0, 0 },
	{ "blocking-interrupt",
	  "an external interrupt is not injected in the shadow of STI or MOV SS",
	  blocking_interrupt, 0, 0 },
	{ "blocking-nmi", "an NMI is not injected in the shadow of MOV SS", blocking_nmi, 0, 0 },
	{ "blocking-smi", "SMIs are not blocked outside SMM", blocking_smi, 0, 0 },
	{ "blocking-virtual-nmi", "an NMI is not injected while virtual NMIs are blocked",
	  blocking_virtual_nmi, 0, 0 },
	{ "pending-debug-reserved", "reserved bits of the pending debug exceptions are 0",
	  pending_reserved, VMCS_F_GUEST_PENDING_DBG, 0 },
	{ "pending-debug-step",
	  "a stepped guest (TF without BTF) that is halted or in a shadow has BS pending",
	  pending_step, VMCS_F_GUEST_PENDING_DBG, 0 },
	{ "pending-debug-no-step",
	  "a guest that is not stepped and is halted or in a shadow does not have BS pending",
	  pending_no_step, VMCS_F_GUEST_PENDING_DBG, 0 },
	{ "link-pointer-alignment", "the VMCS link pointer, if there is one, is a page's address",
	  link_aligned, VMCS_F_LINK_POINTER, 0 },
	{ "link-pointer-width", "the VMCS link pointer is within the physical-address width",
	  link_width, VMCS_F_LINK_POINTER, 0 },
	{ "link-pointer-revision", "the linked VMCS has the CPU's revision identifier",
	  link_revision, VMCS_F_LINK_POINTER, 0 },
	{ "link-pointer-shadow",
	  "the linked VMCS is a shadow VMCS if VMCSs are shadowed, and only then",
	  link_shadow, VMCS_F_LINK_POINTER, 0 },
	{ 0 }
};

#define PDPTE_P			BIT(0)
/* Bits 2:1 and 8:5, and those beyond the physical-address width. */
#define PDPTE_RESERVED		0x1e6ull

CHECK(pdpte)
{
	u64 entry = field_of(c, rule->field);

	if (!(c->proc2 & PROC2_EPT) || guest_ia32e(c) || !(c->cr0 & CHECK_CR0_PG) ||
	    !(field_of(c, VMCS_F_GUEST_CR4) & CHECK_CR4_PAE) || !(entry & PDPTE_P))
		return true;
	return !(entry & PDPTE_RESERVED) && phys_ok(c, entry);
}

#define PDPTE(n)								\
	{ "guest-pdpte" #n,							\
	  "with PAE paging and EPT, reserved bits of a present PDPTE" #n " are 0", \
	  pdpte, VMCS_F_GUEST_PDPTR##n, 0 }

const struct vmcs_rule vmcs_guest_pdpte_rules[] = {
	PDPTE(0), PDPTE(1), PDPTE(2), PDPTE(3),
	{ 0 }
};
