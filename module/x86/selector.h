/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Loading a segment register: everything that decides the outcome, and the two
 * operations on descriptor tables that it takes.
 */
#ifndef MINIKVM_SELECTOR_H
#define MINIKVM_SELECTOR_H

#include <linux/types.h>

#include "../../uapi/minikvm.h"
#include "exec.h"

#define SEL_TR		6	/* after the six of the instruction encoding */
#define SEL_LDTR	7

#define DESC_ACCESSED	1	/* code and data: type bits */
#define DESC_WRITABLE	2	/* data; code: readable */
#define DESC_CONFORMING	4	/* code; data: expands down */
#define DESC_CODE	8
#define DESC_LDT	2	/* system: types */
#define DESC_TSS_BUSY	2	/* or'ed into a TSS's type */
#define SYS_TYPE_TSS16	1
#define SYS_TYPE_TSS32	9

struct selector_env;

/* Accesses of the CPU's own, by linear address; EXEC_FAULT leaves env->fault. */
struct selector_ops {
	enum exec_result (*read)(struct selector_env *env, u64 linear, void *buf, u32 size);
	enum exec_result (*write)(struct selector_env *env, u64 linear, const void *buf,
				  u32 size);
};

/**
 * struct selector_env - the state that loading a segment depends on
 * @ops: how to reach the tables
 * @opaque: theirs
 * @real: real mode: the selector is the base
 * @vm86: virtual-8086 mode
 * @long_mode: EFER.LMA
 * @code64: EFER.LMA and CS.L
 * @linear_bits: width of a linear address in long mode: 48 or 57
 * @cpl: privilege level
 * @gdt: @ldt: tables; @ldt.unusable if none is loaded
 * @fault: out, with EXEC_FAULT
 */
struct selector_env {
	const struct selector_ops *ops;
	void *opaque;
	bool real, vm86, long_mode, code64;
	u8 linear_bits;
	u8 cpl;
	struct minikvm_dtable gdt;
	struct minikvm_segment ldt;
	struct gva_fault fault;
};

/* The descriptor as it lies in memory. */
enum exec_result selector_read(struct selector_env *env, u16 selector, u8 vector, u64 *desc,
			       u64 *linear);
void selector_unpack(u64 desc, u16 selector, struct minikvm_segment *seg);
/* @seg: in: what the register holds; out: what it is to hold. */
enum exec_result selector_load(struct selector_env *env, int reg, u16 selector,
			       enum seg_transfer how, struct minikvm_segment *seg);
/* VERR, VERW, LAR, LSL: *@ok: may the current level see it; *@desc: its eight bytes. */
enum exec_result selector_probe(struct selector_env *env, enum insn_op op, u16 selector, bool *ok,
				u64 *desc);

#endif
