/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What cpuid.c (one vCPU's CPUID) and cpuid_host.c (what any guest may be
 * offered) share.
 */
#ifndef MINIKVM_CPUID_H
#define MINIKVM_CPUID_H

#include "x86.h"

enum cpuid_reg { CPUID_REG_EAX, CPUID_REG_EBX, CPUID_REG_ECX, CPUID_REG_EDX };

/**
 * struct cpuid_word - where 32 feature bits live, by X86_FEATURE_x / 32
 * @function: CPUID leaf
 * @index: sub-leaf
 * @reg: the register of the leaf
 * @allow: bits a guest may be given if the host has them
 */
struct cpuid_word {
	u8 reg;
	u32 function;
	u32 index;
	u32 allow;
};

/* NULL for a word no guest is ever offered. */
const struct cpuid_word *cpuid_word_of(unsigned int x86_feature);

/* Bytes an XSAVE area needs for these components. */
u32 cpuid_xstate_size(u64 xfeatures, bool compacted);

/* Leaves whose output depends on ECX. */
bool cpuid_leaf_is_indexed(u32 function);

static inline u32 *cpuid_entry_reg(struct minikvm_cpuid_entry2 *e, int reg)
{
	switch (reg) {
	case CPUID_REG_EAX:
		return &e->eax;
	case CPUID_REG_EBX:
		return &e->ebx;
	case CPUID_REG_ECX:
		return &e->ecx;
	default:
		return &e->edx;
	}
}

#endif
