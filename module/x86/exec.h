/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Execution of a decoded instruction on a copy of the registers. Memory and
 * all other state are reached through operations, so that the same code runs
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

/* Why a segment register is loaded: decides which checks apply. */
enum seg_transfer {
	TRANSFER_LOAD,		/* MOV, POP, LDS and kin, LLDT, LTR */
	TRANSFER_BRANCH,	/* far JMP and CALL */
	TRANSFER_RETURN,	/* far RET, IRET */
	TRANSFER_TASK,		/* part of a task switch: #TS instead of #GP */
};

/**
 * struct code_segment - what a far transfer has to know of its target's CS
 * @limit: of EIP
 * @is_64bit: CS.L, with EFER.LMA
 */
struct code_segment {
	u32 limit;
	bool is_64bit;
};

/*
 * How an execution reaches what is not a general register. Each that returns an
 * exec_result may say EXEC_WAIT, and is then asked again in the same order.
 */
struct exec_ops {
	/* @ea is cut to the address size. */
	enum exec_result (*read)(struct exec *x, int seg, u64 ea, void *buf, u32 size);
	/* EXEC_OK means that it happens once the instruction is through. */
	enum exec_result (*write)(struct exec *x, int seg, u64 ea, const void *buf, u32 size);
	enum exec_result (*port_in)(struct exec *x, u16 port, void *buf, u32 size);
	enum exec_result (*port_out)(struct exec *x, u16 port, const void *buf, u32 size);
	/* @size: 16 or 32; @clear: bits above @size become zero. */
	void (*vec_read)(struct exec *x, int reg, void *buf, u32 size);
	void (*vec_write)(struct exec *x, int reg, const void *buf, u32 size, bool clear);
	void (*mmx_read)(struct exec *x, int reg, void *buf);
	void (*mmx_write)(struct exec *x, int reg, const void *buf);
	u16 (*selector)(struct exec *x, int seg);
	/* Takes effect once the instruction is through; @code if @seg is CS. */
	enum exec_result (*load_segment)(struct exec *x, int seg, u16 selector,
					 enum seg_transfer how, struct code_segment *code);
	/* OP_FXSAVE and what follows it in enum insn_op. */
	enum exec_result (*system)(struct exec *x);
};

/**
 * struct exec - one instruction in execution
 * @ops: how to reach memory
 * @insn: the instruction
 * @mode: the guest's mode
 * @stack_size: bytes of the stack pointer: 2, 4 or 8; not set unless
 *	exec_uses_stack()
 * @cpl: privilege level
 * @regs: general registers, in: before, out: after
 * @rip: of the instruction; out: of the next
 * @rflags: likewise
 * @again: out: a repeated string instruction with elements left; @rip unchanged
 * @branched: out: @rip is the target of a branch
 * @shadow: out: SHADOW_*: events wait for the next instruction
 * @nmi_done: out: an IRET, which unblocks NMIs
 * @fault: out, with EXEC_FAULT
 */
struct exec {
	const struct exec_ops *ops;
	struct insn insn;
	enum x86_mode mode;
	u8 stack_size;
	u8 cpl;
	u64 regs[16];
	u64 rip;
	u64 rflags;
	bool again;
	bool branched;
	u8 shadow;
	bool nmi_done;
	struct gva_fault fault;
};

#define SHADOW_STI	1
#define SHADOW_MOV_SS	2

enum exec_result exec_insn(struct exec *x);
bool exec_uses_stack(const struct insn *insn);
bool exec_one_operand(const struct insn *insn);

/* exec_alu.c, exec_bits.c: arithmetic of @size bytes; updates the status flags. */
u64 exec_mask(u64 v, u32 size);
u64 exec_alu2(u64 *rflags, enum insn_op op, u64 a, u64 b, u32 size);
u64 exec_alu1(u64 *rflags, enum insn_op op, u64 a, u32 size);
u64 exec_shift(u64 *rflags, enum insn_op op, u64 a, u32 count, u32 size);
void exec_mul(u64 *rflags, bool is_signed, u64 a, u64 b, u32 size, u64 *lo, u64 *hi);
bool exec_cond(u64 rflags, u8 cond);
u64 exec_double_shift(u64 *rflags, enum insn_op op, u64 a, u64 b, u32 count, u32 size);
/* false: #DE. @lo and @hi: in: dividend, out: quotient and remainder. */
bool exec_divide(bool is_signed, u64 divisor, u32 size, u64 *lo, u64 *hi);
/* false: BSF or BSR of zero, the destination keeps its value. */
bool exec_scan(u64 *rflags, enum insn_op op, u64 v, u32 size, u64 *r);
u32 exec_crc32(u32 crc, u64 data, u32 size);
/* AAA, AAS, DAA, DAS, AAM, AAD: AX in, AX out; false: #DE. */
bool exec_decimal(u64 *rflags, enum insn_op op, u8 base, u16 *ax);

#endif
