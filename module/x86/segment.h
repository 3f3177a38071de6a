/* SPDX-License-Identifier: GPL-2.0 */
/*
 * From a segment and an offset to a linear address, for the accesses that
 * software does in the guest's place.
 */
#ifndef MINIKVM_SEGMENT_H
#define MINIKVM_SEGMENT_H

#include <linux/types.h>

#include "fault.h"

struct vcpu;

/* How the guest forms addresses and sizes operands. */
enum x86_mode {
	X86_MODE_REAL,		/* real and virtual-8086 mode: segments are not checked */
	X86_MODE_PROT16,
	X86_MODE_PROT32,
	X86_MODE_LONG,		/* 64-bit code; compatibility mode is PROT16 or PROT32 */
	X86_MODE_LONG57,	/* with 57-bit linear addresses */
};

/**
 * struct x86_segment - what an access has to know of a segment register
 * @base: linear base
 * @limit: bytes, scaled
 * @type: descriptor type, 4 bits
 * @seg: which register
 * @usable: not loaded with a null selector
 * @big: default/big bit: 32-bit offsets in an expand-down segment
 */
struct x86_segment {
	u64 base;
	u32 limit;
	u8 type;
	u8 seg;
	bool usable;
	bool big;
};

/* 0, or -EFAULT and the #GP or #SS that the access causes. */
int x86_linearize(const struct x86_segment *s, enum x86_mode mode, u64 ea, u32 size,
		  bool write, u64 *linear, struct gva_fault *fault);

/* emulate.c: the same of a real vCPU. */
enum x86_mode x86_mode(struct vcpu *vcpu);
void x86_segment_load(struct vcpu *vcpu, int seg, struct x86_segment *s);

#endif
