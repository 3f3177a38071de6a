// SPDX-License-Identifier: GPL-2.0
/*
 * The stack and branches within a code segment: handlers of exec.c's table.
 * Pure logic, also built into the unit tests.
 *
 * Source: Intel SDM vol. 2A and 2B (December 2023), the page of each
 * instruction.
 */
#include <linux/bits.h>
#include <linux/string.h>
#include <linux/types.h>

#include "exec_impl.h"

#define FLAGS_POPF	(FLAGS_STATUS | FLAG_TF | FLAG_DF | FLAG_NT | FLAG_AC | FLAG_ID)

/* ---- push and pop ------------------------------------------------------- */

enum exec_result exec_push_value(struct exec *x, u64 val, u32 size)
{
	u64 sp = exec_mask(x->regs[R_SP] - size, x->stack_size);
	enum exec_result res = exec_write(x, S_SS, sp, size, val);

	if (!res)
		exec_set_reg(x, R_SP, x->stack_size, sp);
	return res;
}

enum exec_result exec_pop_value(struct exec *x, u32 size, u64 *val)
{
	u64 sp = exec_mask(x->regs[R_SP], x->stack_size);
	enum exec_result res = exec_read(x, S_SS, sp, size, val);

	if (!res)
		exec_set_reg(x, R_SP, x->stack_size, sp + size);
	return res;
}

enum exec_result exec_push(struct exec *x)
{
	u32 size = x->insn.op_size;
	u64 v = exec_mask(x->insn.imm, size);
	enum exec_result res = EXEC_OK;

	if (x->insn.form != FORM_IMM)
		res = exec_read_rm(x, size, &v);
	return res ? res : exec_push_value(x, v, size);
}

/* An address that uses the stack pointer sees it already incremented. */
enum exec_result exec_pop(struct exec *x)
{
	u64 v;
	enum exec_result res = exec_pop_value(x, x->insn.op_size, &v);

	return res ? res : exec_write_rm(x, x->insn.op_size, v);
}

/* PUSHA: the stack pointer goes as it was before. */
enum exec_result exec_push_all(struct exec *x)
{
	u64 sp = x->regs[R_SP];
	enum exec_result res = EXEC_OK;
	int i;

	for (i = R_AX; i <= R_DI && !res; i++)
		res = exec_push_value(x, exec_mask(i == R_SP ? sp : x->regs[i], x->insn.op_size),
				      x->insn.op_size);
	return res;
}

/* POPA: what was pushed for the stack pointer is dropped. */
enum exec_result exec_pop_all(struct exec *x)
{
	u32 size = x->insn.op_size;
	enum exec_result res;
	u64 v;
	int i;

	for (i = R_DI; i >= R_AX; i--) {
		res = exec_pop_value(x, size, &v);
		if (res)
			return res;
		if (i != R_SP)
			exec_set_reg(x, i, size, v);
	}
	return EXEC_OK;
}

/* In virtual-8086 mode the flags take a privileged task. */
static bool flags_refused(const struct exec *x)
{
	return (x->rflags & FLAG_VM) && exec_iopl(x) < 3;
}

enum exec_result exec_pushf(struct exec *x)
{
	if (flags_refused(x))
		return exec_gp(x, 0);
	return exec_push_value(x, exec_mask(x->rflags & ~(u64)(FLAG_VM | FLAG_RF),
					    x->insn.op_size), x->insn.op_size);
}

/* What POPF and IRET make of the flags they find on the stack. */
u64 exec_merge_flags(const struct exec *x, u64 val, u32 size)
{
	u64 change = FLAGS_POPF;

	if (!x->cpl)
		change |= FLAG_IOPL;
	if (x->cpl <= exec_iopl(x))
		change |= FLAG_IF;
	change = exec_mask(change, size);
	return (x->rflags & ~change) | (val & change) | 2;
}

enum exec_result exec_popf(struct exec *x)
{
	u32 size = x->insn.op_size;
	enum exec_result res;
	u64 v;

	if (flags_refused(x))
		return exec_gp(x, 0);
	res = exec_pop_value(x, size, &v);
	if (!res)
		x->rflags = exec_merge_flags(x, v, size) & ~(u64)FLAG_RF;
	return res;
}

/* A frame, with pointers to up to 31 enclosing ones. */
enum exec_result exec_enter(struct exec *x)
{
	u32 size = x->insn.op_size, level = x->insn.imm2 & 31, i;
	u64 outer[32], frame, bp = x->regs[R_BP];
	enum exec_result res = EXEC_OK;

	for (i = 1; i < level && !res; i++) {
		bp -= size;
		res = exec_read(x, S_SS, exec_mask(bp, x->stack_size), size, &outer[i]);
	}
	if (!res)
		res = exec_push_value(x, exec_mask(x->regs[R_BP], size), size);
	frame = exec_mask(x->regs[R_SP], x->stack_size);
	for (i = 1; i < level && !res; i++)
		res = exec_push_value(x, outer[i], size);
	if (!res && level)
		res = exec_push_value(x, exec_mask(frame, size), size);
	if (res)
		return res;
	exec_set_reg(x, R_BP, x->stack_size, frame);
	exec_set_reg(x, R_SP, x->stack_size, x->regs[R_SP] - x->insn.imm);
	return EXEC_OK;
}

enum exec_result exec_leave(struct exec *x)
{
	enum exec_result res;
	u64 v;

	exec_set_reg(x, R_SP, x->stack_size, x->regs[R_BP]);
	res = exec_pop_value(x, x->insn.op_size, &v);
	if (!res)
		exec_set_reg(x, R_BP, x->insn.op_size, v);
	return res;
}

/* ---- branches ----------------------------------------------------------- */

/* @size: of the operand; a word operand leaves a word of EIP. */
enum exec_result exec_jump_to(struct exec *x, u64 target, u32 size)
{
	int spare = x->mode == X86_MODE_LONG57 ? 64 - 57 : 64 - 48;

	target = exec_mask(target, size);
	if (exec_is_long(x) && (u64)((s64)(target << spare) >> spare) != target)
		return exec_gp(x, 0);
	x->rip = target;
	x->branched = true;
	return EXEC_OK;
}

enum exec_result exec_branch(struct exec *x)
{
	u32 size = x->insn.op_size;
	u64 target, next = exec_mask(x->rip + x->insn.len, size);
	enum exec_result res = exec_read_rm(x, size, &target);

	if (!res)
		res = exec_jump_to(x, target, size);
	if (!res && x->insn.op == OP_CALL)
		res = exec_push_value(x, next, size);
	return res;
}

enum exec_result exec_relative(struct exec *x)
{
	u32 size = x->insn.op_size;
	u64 next = exec_mask(x->rip + x->insn.len, size);
	enum exec_result res;

	if (x->insn.op == OP_JCC && !exec_cond(x->rflags, x->insn.cond))
		return EXEC_OK;
	res = exec_jump_to(x, next + x->insn.imm, size);
	if (!res && x->insn.op == OP_CALL_REL)
		res = exec_push_value(x, next, size);
	return res;
}

/* LOOPNE, LOOPE, LOOP, JCXZ. */
enum exec_result exec_loop(struct exec *x)
{
	u64 count = exec_addr_reg(x, R_CX);
	bool zf = x->rflags & FLAG_ZF, taken;

	if (x->insn.opcode == 0xe3) {
		taken = !count;
	} else {
		count = exec_mask(count - 1, x->insn.addr_size);
		exec_set_addr_reg(x, R_CX, count);
		taken = count && (x->insn.opcode == 0xe2 || zf == (x->insn.opcode == 0xe1));
	}
	if (!taken)
		return EXEC_OK;
	return exec_jump_to(x, x->rip + x->insn.len + x->insn.imm, x->insn.op_size);
}

enum exec_result exec_ret(struct exec *x)
{
	u64 target;
	enum exec_result res = exec_pop_value(x, x->insn.op_size, &target);

	if (!res)
		res = exec_jump_to(x, target, x->insn.op_size);
	if (!res)
		exec_set_reg(x, R_SP, x->stack_size, x->regs[R_SP] + x->insn.imm);
	return res;
}
