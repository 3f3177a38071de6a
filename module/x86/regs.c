// SPDX-License-Identifier: GPL-2.0
/*
 * Control registers, EFER and XCR0: which values the guest may
 * write, and what else changes when it does. A refused write returns -EINVAL
 * and changes nothing; the guest gets #GP(0).
 *
 * Source throughout: Intel SDM vol. 3A (December 2023), "Control Registers",
 * "Extended Control Registers (Including XCR0)", and vol. 2, "MOV-Move to/from
 * Control Registers".
 */
#include <asm/cpufeature.h>
#include <asm/fpu/types.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "../irqchip/lapic.h"
#include "../memslot.h"
#include "x86.h"

#define CR0_DEFINED	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_ET | \
			 X86_CR0_NE | X86_CR0_WP | X86_CR0_AM | X86_CR0_NW | X86_CR0_CD | \
			 X86_CR0_PG)

#define CR4_ALWAYS	(X86_CR4_VME | X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | \
			 X86_CR4_PSE | X86_CR4_PAE | X86_CR4_MCE | X86_CR4_PGE | \
			 X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

#define EFER_DEFINED	(EFER_SCE | EFER_LME | EFER_LMA | EFER_NX)

/**
 * is_long_mode - IA-32e mode is active
 * @vcpu: the vCPU
 */
bool is_long_mode(struct vcpu *vcpu)
{
	return vcpu->efer & EFER_LMA;
}

/**
 * is_64bit_code - the guest executes 64-bit code
 * @vcpu: the vCPU
 */
bool is_64bit_code(struct vcpu *vcpu)
{
	bool db, l;

	if (!is_long_mode(vcpu))
		return false;
	vendor->get_cs_db_l(vcpu, &db, &l);
	return l;
}

/* ---- PAE page-directory-pointer-table entries --------------------------- */

/**
 * pdptrs_load - load the four PAE PDPTEs
 * @vcpu: the vCPU
 * @cr3: where they are
 *
 * Return: 0, or -EINVAL (not readable, or a present entry with reserved bits).
 * Source: Intel SDM vol. 3A (December 2023), "PDPTE Registers".
 */
int pdptrs_load(struct vcpu *vcpu, unsigned long cr3)
{
	u64 reserved = vcpu->reserved_gpa_bits | GENMASK_ULL(63, 52) |
		       GENMASK_ULL(8, 5) | GENMASK_ULL(2, 1);
	u64 pdpte[4];
	int i;

	if (guest_read(vcpu->vm, cr3 & 0xffffffe0ul, pdpte, sizeof(pdpte)))
		return -EINVAL;
	for (i = 0; i < 4; i++)
		if ((pdpte[i] & 1) && (pdpte[i] & reserved))
			return -EINVAL;
	memcpy(vcpu->pdptrs, pdpte, sizeof(pdpte));
	vendor->set_pdptrs(vcpu);
	return 0;
}

/* ---- CR0 ---------------------------------------------------------------- */

bool cr0_valid(unsigned long cr0)
{
	if (cr0 >> 32)
		return false;
	if ((cr0 & X86_CR0_NW) && !(cr0 & X86_CR0_CD))
		return false;
	return !(cr0 & X86_CR0_PG) || (cr0 & X86_CR0_PE);
}

/* Bits whose change makes cached linear translations wrong. */
static void flush_if_changed(struct vcpu *vcpu, unsigned long old, unsigned long new,
			     unsigned long bits)
{
	if ((old ^ new) & bits)
		vcpu_set_request(vcpu, REQ_TLB_FLUSH_GUEST);
}

/* Turning paging on or off while EFER.LME is set enters or leaves IA-32e mode. */
static int cr0_long_mode(struct vcpu *vcpu, unsigned long old, unsigned long new)
{
	struct minikvm_segment cs;

	if (!(vcpu->efer & EFER_LME) || !((old ^ new) & X86_CR0_PG))
		return 0;
	if (new & X86_CR0_PG) {
		vendor->get_segment(vcpu, &cs, SEG_CS);
		if (!(cr4_read(vcpu) & X86_CR4_PAE) || cs.l)
			return -EINVAL;
		vendor->set_efer(vcpu, vcpu->efer | EFER_LMA);
	} else {
		vendor->set_efer(vcpu, vcpu->efer & ~(u64)EFER_LMA);
	}
	return 0;
}

/**
 * cr0_set - the guest writes CR0
 * @vcpu: the vCPU
 * @val: value
 *
 * Return: 0 or -EINVAL.
 * SDM: "Control Registers".
 */
int cr0_set(struct vcpu *vcpu, unsigned long val)
{
	unsigned long old = cr0_read(vcpu);
	unsigned long cr4 = cr4_read(vcpu);

	if (!cr0_valid(val))
		return -EINVAL;
	val = (val & CR0_DEFINED) | X86_CR0_ET;

	if (!(val & X86_CR0_PG) && (cr4 & X86_CR4_PCIDE))
		return -EINVAL;
	if ((val & X86_CR0_PG) && !(vcpu->efer & EFER_LME) && (cr4 & X86_CR4_PAE) &&
	    ((old ^ val) & (X86_CR0_PG | X86_CR0_CD | X86_CR0_NW)) &&
	    pdptrs_load(vcpu, cr3_read(vcpu)))
		return -EINVAL;
	if (cr0_long_mode(vcpu, old, val))
		return -EINVAL;

	vendor->set_cr0(vcpu, val);
	flush_if_changed(vcpu, old, val, X86_CR0_PG | X86_CR0_WP);
	return 0;
}

/* ---- CR3, CR4, CR8 ------------------------------------------------------ */

/**
 * cr3_set - the guest writes CR3
 * @vcpu: the vCPU
 * @val: value; bit 63 (keep translations) is accepted with PCIDs
 *
 * Return: 0 or -EINVAL.
 * SDM: "Control Registers".
 */
int cr3_set(struct vcpu *vcpu, unsigned long val)
{
	unsigned long cr4 = cr4_read(vcpu);
	bool keep = false;

	if (is_long_mode(vcpu)) {
		if (cr4 & X86_CR4_PCIDE) {
			keep = val >> 63;
			val &= ~BIT_ULL(63);
		}
		if (val & (vcpu->reserved_gpa_bits | GENMASK_ULL(63, 52)))
			return -EINVAL;
	} else if (is_paging(vcpu) && (cr4 & X86_CR4_PAE) && pdptrs_load(vcpu, val)) {
		return -EINVAL;
	}
	vendor->set_cr3(vcpu, val);
	if (!keep)
		vcpu_set_request(vcpu, REQ_TLB_FLUSH_GUEST);
	return 0;
}

static unsigned long cr4_feature_bits(struct vcpu *vcpu, bool guest)
{
	static const struct {
		unsigned long bit;
		unsigned int feature;
	} gated[] = {
		{ X86_CR4_PCIDE, X86_FEATURE_PCID },
		{ X86_CR4_OSXSAVE, X86_FEATURE_XSAVE },
		{ X86_CR4_SMEP, X86_FEATURE_SMEP },
		{ X86_CR4_SMAP, X86_FEATURE_SMAP },
		{ X86_CR4_FSGSBASE, X86_FEATURE_FSGSBASE },
		{ X86_CR4_PKE, X86_FEATURE_PKU },
		{ X86_CR4_LA57, X86_FEATURE_LA57 },
		{ X86_CR4_UMIP, X86_FEATURE_UMIP },
	};
	unsigned long bits = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(gated); i++)
		if (guest ? guest_has(vcpu, gated[i].feature) : cpuid_cap_has(gated[i].feature))
			bits |= gated[i].bit;
	return bits;
}

/**
 * cr4_reserved_bits - what this vCPU may not set in CR4
 * @vcpu: the vCPU; without CPUID only the host limits it
 */
unsigned long cr4_reserved_bits(struct vcpu *vcpu)
{
	unsigned long ok = cr4_feature_bits(vcpu, false);

	if (vcpu->cpuid_nent)
		ok &= cr4_feature_bits(vcpu, true);
	return ~(ok | CR4_ALWAYS);
}

/* cpuid_set2() keeps cr4_reserved current; before it, 0 means not yet asked. */
bool cr4_valid(struct vcpu *vcpu, unsigned long cr4)
{
	if (!vcpu->cr4_reserved)
		vcpu->cr4_reserved = cr4_reserved_bits(vcpu);
	return !(cr4 & vcpu->cr4_reserved) && vendor->cr4_valid(vcpu, cr4);
}

/**
 * cr4_set - the guest writes CR4
 * @vcpu: the vCPU
 * @val: value
 *
 * Return: 0 or -EINVAL.
 * SDM: "Control Registers".
 */
int cr4_set(struct vcpu *vcpu, unsigned long val)
{
	unsigned long old = cr4_read(vcpu);
	unsigned long changed = old ^ val;

	if (!cr4_valid(vcpu, val))
		return -EINVAL;
	if (is_long_mode(vcpu)) {
		if (!(val & X86_CR4_PAE) || (changed & X86_CR4_LA57))
			return -EINVAL;
	} else if (is_paging(vcpu) && (val & X86_CR4_PAE) &&
		   (changed & (X86_CR4_PAE | X86_CR4_PSE | X86_CR4_PGE | X86_CR4_SMEP)) &&
		   pdptrs_load(vcpu, cr3_read(vcpu))) {
		return -EINVAL;
	}
	if ((val & X86_CR4_PCIDE) && !(old & X86_CR4_PCIDE) &&
	    (!is_long_mode(vcpu) || (cr3_read(vcpu) & GENMASK(11, 0))))
		return -EINVAL;

	vendor->set_cr4(vcpu, val);
	flush_if_changed(vcpu, old, val, X86_CR4_PGE | X86_CR4_PSE | X86_CR4_PAE |
			 X86_CR4_PCIDE | X86_CR4_SMEP | X86_CR4_SMAP | X86_CR4_PKE |
			 X86_CR4_LA57);
	if (changed & (X86_CR4_OSXSAVE | X86_CR4_PKE))
		cpuid_update_runtime(vcpu);
	return 0;
}

/**
 * cr8_set - the guest writes its task priority
 * @vcpu: the vCPU
 * @val: value
 *
 * Return: 0 or -EINVAL.
 */
int cr8_set(struct vcpu *vcpu, unsigned long val)
{
	if (val & ~0xful)
		return -EINVAL;
	if (vcpu->lapic)
		lapic_set_tpr(vcpu, val);
	else
		vcpu->cr8 = val;
	return 0;
}

/**
 * cr8_get - the guest's task priority
 * @vcpu: the vCPU
 */
unsigned long cr8_get(struct vcpu *vcpu)
{
	return vcpu->lapic ? lapic_get_cr8(vcpu) : vcpu->cr8;
}

/* ---- EFER, XCR0 --------------------------------------------------------- */

bool efer_valid(u64 efer)
{
	return !(efer & ~(u64)EFER_DEFINED);
}

/**
 * efer_set - write IA32_EFER
 * @vcpu: the vCPU
 * @val: value; LMA is read-only and ignored
 * @host: from userspace: not limited by the guest's CPUID
 *
 * Return: 0 or -EINVAL.
 * SDM: "Control Registers".
 */
int efer_set(struct vcpu *vcpu, u64 val, bool host)
{
	if (!efer_valid(val))
		return -EINVAL;
	if (!host) {
		if ((val & EFER_NX) && !guest_has(vcpu, X86_FEATURE_NX))
			return -EINVAL;
		if ((val & (EFER_LME | EFER_LMA)) && !guest_has(vcpu, X86_FEATURE_LM))
			return -EINVAL;
		if (is_paging(vcpu) && ((val ^ vcpu->efer) & EFER_LME))
			return -EINVAL;
	}
	val = (val & ~(u64)EFER_LMA) | (vcpu->efer & EFER_LMA);
	flush_if_changed(vcpu, vcpu->efer, val, EFER_NX);
	vendor->set_efer(vcpu, val);
	return 0;
}

/**
 * xcr0_set - XSETBV, or userspace restoring it
 * @vcpu: the vCPU
 * @index: extended control register, only 0 exists
 * @val: value
 * @host: from userspace
 *
 * Return: 0 or -EINVAL.
 * SDM: "Extended Control Registers (Including XCR0)".
 */
int xcr0_set(struct vcpu *vcpu, u32 index, u64 val, bool host)
{
	u64 avx512 = val & XFEATURE_MASK_AVX512;

	if (index || !(val & XFEATURE_MASK_FP))
		return -EINVAL;
	if ((val & XFEATURE_MASK_YMM) && !(val & XFEATURE_MASK_SSE))
		return -EINVAL;
	if (avx512 && (avx512 != XFEATURE_MASK_AVX512 || !(val & XFEATURE_MASK_YMM)))
		return -EINVAL;
	if (val & ~(vcpu->supported_xcr0 | XFEATURE_MASK_FP))
		return -EINVAL;
	if (vcpu->xcr0 != val) {
		vcpu->xcr0 = val;
		cpuid_update_runtime(vcpu);
	}
	return 0;
}
