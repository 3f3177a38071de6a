// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's machine-check architecture: its MSRs, and the errors that
 * userspace reports into it.
 *
 * An error lands in a bank. What the guest hears of it is #MC for an
 * uncorrected error, a corrected-machine-check interrupt (CMCI) for one that
 * needs no action, and nothing for a corrected error, which waits to be found.
 *
 * Source: Intel SDM vol. 3B (December 2023), "Machine-Check Architecture":
 * "Machine-Check MSRs", "Corrected Machine Check Error Interrupt", "UCR Error
 * Classification".
 */
#include <linux/nospec.h>
#include <asm/mce.h>
#include <asm/msr-index.h>

#include "../irqchip/lapic.h"
#include "x86.h"

#define VEC_MC			18

/* Each bank is four MSRs and four words of vcpu->mce_banks. */
#define BANK_CTL		0
#define BANK_STATUS		1
#define BANK_ADDR		2
#define BANK_MISC		3

#define CTL2_WRITABLE		(MCI_CTL2_CMCI_EN | MCI_CTL2_CMCI_THRESHOLD_MASK)

/* IA32_MCG_CAP beyond the number of banks. */
#define MCG_CAP_SUPPORTED	(MCG_CTL_P | MCG_SER_P | MCG_LMCE_P | MCG_CMCI_P)
#define MCG_CAP_EXT_CNT		0xff0000ull	/* of registers nobody has any more */

static u32 mce_nr_banks(const struct vcpu *vcpu)
{
	return vcpu->mcg_cap & MCG_BANKCNT_MASK;
}

/* ---- MSRs --------------------------------------------------------------- */

static bool mce_local_enabled(struct vcpu *vcpu)
{
	u64 feat_ctl;

	return !vendor->get_msr(vcpu, MSR_IA32_FEAT_CTL, &feat_ctl, true) &&
	       (feat_ctl & FEAT_CTL_LMCE_ENABLED);
}

static bool mce_is_ctl2(u32 index)
{
	return index >= MSR_IA32_MC0_CTL2 && index < MSR_IA32_MCx_CTL2(MK_MCE_BANKS);
}

static int mce_get_bank(struct vcpu *vcpu, u32 index, u64 *data, bool host)
{
	u32 n;

	if (mce_is_ctl2(index)) {
		n = index - MSR_IA32_MC0_CTL2;
		if (n >= mce_nr_banks(vcpu) || (!(vcpu->mcg_cap & MCG_CMCI_P) && !host))
			return -EINVAL;
		*data = vcpu->mce_ctl2[array_index_nospec(n, MK_MCE_BANKS)];
		return 0;
	}
	n = index - MSR_IA32_MC0_CTL;
	if (n >= 4 * mce_nr_banks(vcpu))
		return -EINVAL;
	*data = vcpu->mce_banks[array_index_nospec(n, 4 * MK_MCE_BANKS)];
	return 0;
}

/**
 * guest_mce_get_msr - RDMSR of a machine-check register
 * @vcpu: the vCPU, loaded
 * @index: what msr.c sends here
 * @data: out
 * @host: asked by userspace
 *
 * Return: 0; -EINVAL (a bank or register this guest does not have).
 */
int guest_mce_get_msr(struct vcpu *vcpu, u32 index, u64 *data, bool host)
{
	switch (index) {
	case MSR_IA32_MCG_CAP:
		*data = vcpu->mcg_cap;
		return 0;
	case MSR_IA32_MCG_STATUS:
		*data = vcpu->mcg_status;
		return 0;
	case MSR_IA32_MCG_CTL:
		if (!(vcpu->mcg_cap & MCG_CTL_P) && !host)
			return -EINVAL;
		*data = vcpu->mcg_ctl;
		return 0;
	case MSR_IA32_MCG_EXT_CTL:
		if (!host && !mce_local_enabled(vcpu))
			return -EINVAL;
		*data = vcpu->mcg_ext_ctl;
		return 0;
	default:
		return mce_get_bank(vcpu, index, data, host);
	}
}

static int mce_set_bank(struct vcpu *vcpu, u32 index, u64 data, bool host)
{
	u32 n;

	if (mce_is_ctl2(index)) {
		n = index - MSR_IA32_MC0_CTL2;
		if (n >= mce_nr_banks(vcpu))
			return -EINVAL;
		if (!(vcpu->mcg_cap & MCG_CMCI_P) && (data || !host))
			return -EINVAL;
		if (data & ~(u64)CTL2_WRITABLE)
			return -EINVAL;
		vcpu->mce_ctl2[array_index_nospec(n, MK_MCE_BANKS)] = data;
		return 0;
	}

	n = index - MSR_IA32_MC0_CTL;
	if (n >= 4 * mce_nr_banks(vcpu))
		return -EINVAL;
	/* CTL: all or nothing, but for the bits that known guests leave out. */
	if ((n & 3) == BANK_CTL && data && (data | BIT_ULL(10) | BIT_ULL(0)) != ~0ull)
		return -EINVAL;
	/* STATUS: software can only clear it. */
	if ((n & 3) == BANK_STATUS && data && !host)
		return -EINVAL;
	vcpu->mce_banks[array_index_nospec(n, 4 * MK_MCE_BANKS)] = data;
	return 0;
}

/**
 * guest_mce_set_msr - WRMSR of a machine-check register
 * @vcpu: the vCPU, loaded
 * @index: what msr.c sends here
 * @data: value
 * @host: by userspace, which also restores what is read-only to the guest
 *
 * Return: 0; -EINVAL (no such register in this guest, or a value it cannot hold).
 */
int guest_mce_set_msr(struct vcpu *vcpu, u32 index, u64 data, bool host)
{
	switch (index) {
	case MSR_IA32_MCG_CAP:
		return -EINVAL;
	case MSR_IA32_MCG_STATUS:
		vcpu->mcg_status = data;
		return 0;
	case MSR_IA32_MCG_CTL:
		if (!(vcpu->mcg_cap & MCG_CTL_P) && (data || !host))
			return -EINVAL;
		if (data && data != ~0ull)
			return -EINVAL;
		vcpu->mcg_ctl = data;
		return 0;
	case MSR_IA32_MCG_EXT_CTL:
		if ((!host && !mce_local_enabled(vcpu)) || (data & ~(u64)MCG_EXT_CTL_LMCE_EN))
			return -EINVAL;
		vcpu->mcg_ext_ctl = data;
		return 0;
	default:
		return mce_set_bank(vcpu, index, data, host);
	}
}

/* ---- ioctls ------------------------------------------------------------- */

/**
 * guest_mce_supported - MINIKVM_X86_GET_MCE_CAP_SUPPORTED
 *
 * Return: the bits of IA32_MCG_CAP that guest_mce_setup() accepts.
 */
u64 guest_mce_supported(void)
{
	return MCG_CAP_SUPPORTED;
}

/**
 * guest_mce_setup - MINIKVM_X86_SETUP_MCE
 * @vcpu: the vCPU, loaded
 * @mcg_cap: its IA32_MCG_CAP
 *
 * Every kind of error is enabled, CMCI of no bank is.
 *
 * Return: 0; -EINVAL (no bank, more than MK_MCE_BANKS, or an unknown bit).
 */
int guest_mce_setup(struct vcpu *vcpu, u64 mcg_cap)
{
	u32 i, banks = mcg_cap & MCG_BANKCNT_MASK;

	if (!banks || banks > MK_MCE_BANKS)
		return -EINVAL;
	if (mcg_cap & ~(MCG_CAP_SUPPORTED | MCG_BANKCNT_MASK | MCG_CAP_EXT_CNT))
		return -EINVAL;

	vcpu->mcg_cap = mcg_cap;
	if (mcg_cap & MCG_CTL_P)
		vcpu->mcg_ctl = ~0ull;
	for (i = 0; i < banks; i++) {
		vcpu->mce_banks[4 * i + BANK_CTL] = ~0ull;
		if (mcg_cap & MCG_CMCI_P)
			vcpu->mce_ctl2[i] = 0;
	}
	/* The local APIC has an LVT entry for CMCI, or has none. */
	if (vcpu->lapic)
		lapic_update_lvt_count(vcpu);
	return 0;
}

/* Uncorrected, no action required: reported like a corrected error. */
static bool mce_is_ucna(const struct minikvm_x86_mce *mce)
{
	const u64 other = MCI_STATUS_PCC | MCI_STATUS_S | MCI_STATUS_AR;
	const u64 needed = MCI_STATUS_VAL | MCI_STATUS_UC;

	return !mce->mcg_status && (mce->status & (needed | other)) == needed;
}

static void mce_record(u64 *bank, const struct minikvm_x86_mce *mce, u64 status)
{
	bank[BANK_STATUS] = status;
	bank[BANK_ADDR] = mce->addr;
	bank[BANK_MISC] = mce->misc;
}

static void mce_inject_ucna(struct vcpu *vcpu, u64 *bank, const struct minikvm_x86_mce *mce)
{
	u32 nr = array_index_nospec(mce->bank, MK_MCE_BANKS);

	mce_record(bank, mce, mce->status);
	vcpu->mcg_status = mce->mcg_status;
	if (vcpu->lapic && (vcpu->mcg_cap & MCG_CMCI_P) &&
	    (vcpu->mce_ctl2[nr] & MCI_CTL2_CMCI_EN))
		lapic_cmci(vcpu);
}

/* An error that the guest must hear of now. */
static void mce_inject_uncorrected(struct vcpu *vcpu, u64 *bank,
				   const struct minikvm_x86_mce *mce, u64 overflow)
{
	/* Reporting switched off, for all banks or this one. */
	if ((vcpu->mcg_cap & MCG_CTL_P) && vcpu->mcg_ctl != ~0ull)
		return;
	if (bank[BANK_CTL] != ~0ull)
		return;

	/* A second one before the handler is done, or no handler: shutdown. */
	if ((vcpu->mcg_status & MCG_STATUS_MCIP) || !(cr4_read(vcpu) & X86_CR4_MCE)) {
		vcpu_set_request(vcpu, REQ_TRIPLE_FAULT);
		return;
	}
	mce_record(bank, mce, mce->status | overflow);
	vcpu->mcg_status = mce->mcg_status;
	inject_exception(vcpu, VEC_MC);
}

/**
 * guest_mce_inject - MINIKVM_X86_SET_MCE: an error has happened
 * @vcpu: the vCPU it is reported to, loaded
 * @mce: what its bank shall hold
 *
 * A corrected error does not overwrite an uncorrected one; either sets the
 * overflow bit of one that was not cleared yet.
 *
 * Return: 0, also when the guest has switched such reports off; -EINVAL (no such
 * bank, or a status without its valid bit).
 */
int guest_mce_inject(struct vcpu *vcpu, const struct minikvm_x86_mce *mce)
{
	u64 *bank, overflow = 0;

	if (mce->bank >= mce_nr_banks(vcpu) || !(mce->status & MCI_STATUS_VAL))
		return -EINVAL;
	bank = &vcpu->mce_banks[4 * array_index_nospec(mce->bank, MK_MCE_BANKS)];
	if (mce_is_ucna(mce)) {
		mce_inject_ucna(vcpu, bank, mce);
		return 0;
	}

	if (bank[BANK_STATUS] & MCI_STATUS_VAL)
		overflow = MCI_STATUS_OVER;
	if (mce->status & MCI_STATUS_UC)
		mce_inject_uncorrected(vcpu, bank, mce, overflow);
	else if (overflow && (bank[BANK_STATUS] & MCI_STATUS_UC))
		bank[BANK_STATUS] |= MCI_STATUS_OVER;
	else
		mce_record(bank, mce, mce->status | overflow);
	return 0;
}
