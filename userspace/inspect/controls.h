/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Control words of the VMCS: their bits, and which of them the CPU wants or allows to be set.
 */
#ifndef MKVM_INSPECT_CONTROLS_H
#define MKVM_INSPECT_CONTROLS_H

#include "inspect/dump.h"
#include "inspect/word.h"

/**
 * struct control - a control word
 * @encoding: of its field
 * @word: names of its bits
 * @msr: the capability MSR that reports its allowed settings, 0: there is none
 * @true_msr: the one used instead if bit 55 of IA32_VMX_BASIC is set, 0: there is none
 * @msr_name: its name, as the manual has it
 * @allowed_only: the MSR has 64 bits that may be 1, and no bit must be 1
 */
struct control {
	u32 encoding;
	struct word word;
	u16 msr;
	u16 true_msr;
	const char *msr_name;
	bool allowed_only;
};

extern const struct control controls[];
extern const unsigned int nr_controls;

/** control_find() - the control word of this encoding, or NULL: the field is none */
const struct control *control_find(u32 encoding);

/**
 * control_limits() - what the CPU says of a control word
 * @c: the word
 * @d: has the capability MSRs
 * @required: filled in: bits that must be 1
 * @allowed: filled in: bits that may be 1
 *
 * Return: number of the MSR that says so, or 0: it is not known.
 */
u32 control_limits(const struct control *c, const struct vmcs_dump *d, u64 *required,
		   u64 *allowed);

/**
 * fixed_bits() - the same of CR0 or CR4 in VMX operation, by IA32_VMX_CRn_FIXED0 and _FIXED1
 * @d: has the capability MSRs
 * @cr: 0 or 4
 * @guest: of the guest: an unrestricted guest need not have CR0.PE and CR0.PG
 */
bool fixed_bits(const struct vmcs_dump *d, int cr, bool guest, u64 *required, u64 *allowed);

#endif
