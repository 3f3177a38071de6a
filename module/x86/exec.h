/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Execution of a decoded instruction on a copy of the registers. Memory and
 * vector registers are reached through operations, so that the same code runs
 * in the kernel (emulate.c) and in the unit tests.
 */
#ifndef MINIKVM_EXEC_H
#define MINIKVM_EXEC_H

#include <linux/types.h>

#include "decode.h"

enum exec_result {
	EXEC_OK,	/* registers are updated; see again */
	EXEC_FAULT,	/* the guest is owed emul->fault; registers are not valid */
	EXEC_WAIT,	/* a read needs userspace: execute once more when it is there */
	EXEC_UNKNOWN,	/* cannot be executed here */
};

struct exec;

/* Each returns an exec_result. @ea is cut to the address size. */
struct exec_ops {
	enum exec_result (*read)(struct exec *x, int seg, u64 ea, void *buf, u32 size);
	/* At most once per execution, and last: EXEC_OK means it will happen. */
	enum exec_result (*write)(struct exec *x, int seg, u64 ea, const void *buf, u32 size);
	void (*xmm_read)(struct exec *x, int reg, void *buf);
	void (*xmm_write)(struct exec *x, int reg, const void *buf);
	u16 (*selector)(struct exec *x, int seg);
};

/**
 * struct exec - one instruction in execution
 * @ops: how to reach memory
 * @insn: the instruction
 * @mode: the guest's mode
 * @stack_size: bytes of the stack pointer: 2, 4 or 8
 * @regs: general registers, in: before, out: after
 * @rip: of the instruction; out: of the next
 * @rflags: likewise
 * @again: out: a repeated string instruction with elements left; @rip unchanged
 * @fault: out, with EXEC_FAULT
 */
struct exec {
	const struct exec_ops *ops;
	struct insn insn;
	enum x86_mode mode;
	u8 stack_size;
	u64 regs[16];
	u64 rip;
	u64 rflags;
	bool again;
	struct gva_fault fault;
};

enum exec_result exec_insn(struct exec *x);

/* exec_alu.c: arithmetic of @size bytes; updates the status flags. */
u64 exec_mask(u64 v, u32 size);
u64 exec_alu2(u64 *rflags, enum insn_op op, u64 a, u64 b, u32 size);
u64 exec_alu1(u64 *rflags, enum insn_op op, u64 a, u32 size);
u64 exec_shift(u64 *rflags, enum insn_op op, u64 a, u32 count, u32 size);
void exec_mul(u64 *rflags, bool is_signed, u64 a, u64 b, u32 size, u64 *lo, u64 *hi);
bool exec_cond(u64 rflags, u8 cond);

#endif
