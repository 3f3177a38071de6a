// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's memory type range registers and the values a PAT may hold.
 */
#include <linux/nospec.h>
#include <asm/msr-index.h>

#include "mtrr.h"

#define MTRR_VAR_FIRST	0x200	/* base and mask, alternating */

/* VCNT 8, FIX and WC supported. */
#define MTRRCAP_VALUE	(0x500 | ARRAY_SIZE(((struct vcpu *)0)->mtrr_var) / 2)

/* Index into vcpu->mtrr_fixed, or -1. */
static int fixed_index(u32 msr)
{
	switch (msr) {
	case MSR_MTRRfix64K_00000:
		return 0;
	case MSR_MTRRfix16K_80000:
	case MSR_MTRRfix16K_A0000:
		return 1 + msr - MSR_MTRRfix16K_80000;
	case MSR_MTRRfix4K_C0000 ... MSR_MTRRfix4K_F8000:
		return 3 + array_index_nospec(msr - MSR_MTRRfix4K_C0000, 8);
	}
	return -1;
}

/* UC, WC, WT, WP and WB exist. */
static bool mtrr_type_valid(u8 type)
{
	return type < 8 && (BIT(type) & 0x73);
}

/**
 * pat_valid - can IA32_PAT hold this value?
 * @pat: eight memory types
 *
 * As for MTRRs, plus UC-. Source: Intel SDM vol. 3A (December 2023), "IA32_PAT
 * MSR".
 */
bool pat_valid(u64 pat)
{
	int i;

	for (i = 0; i < 8; i++, pat >>= 8)
		if ((pat & 0xff) != 7 && !mtrr_type_valid(pat & 0xff))
			return false;
	return true;
}

static bool fixed_valid(u64 data)
{
	int i;

	for (i = 0; i < 8; i++, data >>= 8)
		if (!mtrr_type_valid(data & 0xff))
			return false;
	return true;
}

/**
 * mtrr_get - read an MTRR
 * @vcpu: the vCPU
 * @index: MSR
 * @data: out
 *
 * Return: 0 or -ENOENT.
 */
int mtrr_get(struct vcpu *vcpu, u32 index, u64 *data)
{
	const u32 nr_var = ARRAY_SIZE(vcpu->mtrr_var);
	int i = fixed_index(index);

	if (i >= 0)
		*data = vcpu->mtrr_fixed[i];
	else if (index == MSR_MTRRcap)
		*data = MTRRCAP_VALUE;
	else if (index == MSR_MTRRdefType)
		*data = vcpu->mtrr_def_type;
	else if (index - MTRR_VAR_FIRST < nr_var)
		*data = vcpu->mtrr_var[array_index_nospec(index - MTRR_VAR_FIRST, nr_var)];
	else
		return -ENOENT;
	return 0;
}

/**
 * mtrr_set - write an MTRR
 * @vcpu: the vCPU
 * @index: MSR
 * @data: value
 *
 * Return: 0, -ENOENT, or -EINVAL (reserved bits or memory types).
 * Source: Intel SDM vol. 3A (December 2023), "Memory Type Range Registers
 * (MTRRs)".
 */
int mtrr_set(struct vcpu *vcpu, u32 index, u64 data)
{
	const u32 nr_var = ARRAY_SIZE(vcpu->mtrr_var);
	u64 reserved = vcpu->reserved_gpa_bits | GENMASK_ULL(63, 52);
	int i = fixed_index(index);

	if (i >= 0) {
		if (!fixed_valid(data))
			return -EINVAL;
		vcpu->mtrr_fixed[i] = data;
		return 0;
	}
	if (index == MSR_MTRRcap)
		return -EINVAL;
	if (index == MSR_MTRRdefType) {
		if ((data & ~0xcffull) || !mtrr_type_valid(data & 0xff))
			return -EINVAL;
		vcpu->mtrr_def_type = data;
		return 0;
	}
	if (index - MTRR_VAR_FIRST >= nr_var)
		return -ENOENT;

	/* Even: base and type. Odd: mask and valid bit. */
	if (index & 1 ? data & (reserved | 0x7ff) :
			(data & (reserved | 0xf00)) || !mtrr_type_valid(data & 0xff))
		return -EINVAL;
	vcpu->mtrr_var[array_index_nospec(index - MTRR_VAR_FIRST, nr_var)] = data;
	return 0;
}
