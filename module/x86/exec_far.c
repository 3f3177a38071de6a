// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that load or store segment registers, far transfers among them:
 * handlers of exec.c's table. Pure logic; the descriptors are selector.c's.
 *
 * Far transfers that change the privilege level, or go through a gate or a
 * task, are not executed here: they never need to be, unless their own operand
 * or stack is a device.
 *
 * Source: Intel SDM vol. 2A and 2B (December 2023), the page of each
 * instruction.
 */
#include <linux/bits.h>
#include <linux/string.h>
#include <linux/types.h>

#include "exec_impl.h"

static enum exec_result load(struct exec *x, int seg, u16 selector, enum seg_transfer how,
			     struct code_segment *code)
{
	return x->ops->load_segment ? x->ops->load_segment(x, seg, selector, how, code) :
				      EXEC_UNKNOWN;
}

/* Of four bytes the CPU writes the two that hold the selector. */
static enum exec_result push_selector(struct exec *x, int seg)
{
	u32 size = x->insn.op_size;
	u64 sp = exec_mask(x->regs[R_SP] - size, x->stack_size);
	enum exec_result res;

	res = exec_write(x, S_SS, sp, size == 4 ? 2 : size, x->ops->selector(x, seg));
	if (!res)
		exec_set_reg(x, R_SP, x->stack_size, sp);
	return res;
}

enum exec_result exec_push_sreg(struct exec *x)
{
	return push_selector(x, x->insn.reg);
}

enum exec_result exec_pop_sreg(struct exec *x)
{
	u64 v;
	enum exec_result res = exec_pop_value(x, x->insn.op_size, &v);

	if (!res)
		res = load(x, x->insn.reg, v, TRANSFER_LOAD, NULL);
	if (!res && x->insn.reg == S_SS)
		x->shadow = SHADOW_MOV_SS;
	return res;
}

/* To memory always two bytes. */
enum exec_result exec_mov_from_sreg(struct exec *x)
{
	return exec_write_rm(x, x->insn.mem ? 2 : x->insn.op_size,
			     x->ops->selector(x, x->insn.reg));
}

enum exec_result exec_mov_to_sreg(struct exec *x)
{
	u64 v;
	enum exec_result res = exec_read_rm(x, 2, &v);

	if (!res)
		res = load(x, x->insn.reg, v, TRANSFER_LOAD, NULL);
	if (!res && x->insn.reg == S_SS)
		x->shadow = SHADOW_MOV_SS;
	return res;
}

/* The far pointer of the memory operand. */
static enum exec_result read_pointer(struct exec *x, u64 *offset, u64 *selector)
{
	u32 size = x->insn.op_size;
	u64 ea = exec_address(x);
	enum exec_result res = exec_read(x, x->insn.seg, ea, size, offset);

	if (!res)
		res = exec_read(x, x->insn.seg, exec_mask(ea + size, x->insn.addr_size), 2,
				selector);
	return res;
}

/* LES, LDS, LSS, LFS, LGS. */
enum exec_result exec_lseg(struct exec *x)
{
	int seg = x->insn.opcode == 0xc4 ? S_ES : x->insn.opcode == 0xc5 ? S_DS :
		  x->insn.opcode & 7;
	u64 offset, selector;
	enum exec_result res = read_pointer(x, &offset, &selector);

	if (!res)
		res = load(x, seg, selector, TRANSFER_LOAD, NULL);
	if (!res)
		exec_set_reg(x, x->insn.reg, x->insn.op_size, offset);
	return res;
}

/* The target must be within the new code segment. */
static enum exec_result far_target(struct exec *x, u64 target, u32 size,
				   const struct code_segment *code)
{
	int spare = x->mode == X86_MODE_LONG57 ? 64 - 57 : 64 - 48;

	target = exec_mask(target, size);
	if (code->is_64bit) {
		if ((u64)((s64)(target << spare) >> spare) != target)
			return exec_gp(x, 0);
	} else if (target > code->limit) {
		return exec_gp(x, 0);
	}
	x->rip = target;
	x->branched = true;
	return EXEC_OK;
}

/* Far JMP and CALL, by pointer in the instruction or in memory. */
enum exec_result exec_far(struct exec *x)
{
	u64 offset = x->insn.imm, selector = x->insn.imm2;
	u64 next = exec_mask(exec_next_rip(x), x->insn.op_size);
	u32 size = x->insn.op_size;
	struct code_segment code;
	enum exec_result res = EXEC_OK;

	if (x->insn.mem)
		res = read_pointer(x, &offset, &selector);
	if (!res)
		res = load(x, S_CS, selector, TRANSFER_BRANCH, &code);
	if (!res)
		res = far_target(x, offset, size, &code);
	if (!res && x->insn.op == OP_CALL_FAR) {
		res = push_selector(x, S_CS);
		if (!res)
			res = exec_push_value(x, next, size);
	}
	return res;
}

enum exec_result exec_retf(struct exec *x)
{
	u32 size = x->insn.op_size;
	struct code_segment code;
	u64 offset, selector;
	enum exec_result res = exec_pop_value(x, size, &offset);

	if (!res)
		res = exec_pop_value(x, size, &selector);
	if (!res)
		res = load(x, S_CS, selector, TRANSFER_RETURN, &code);
	if (!res)
		res = far_target(x, offset, size, &code);
	if (!res)
		exec_set_reg(x, R_SP, x->stack_size, x->regs[R_SP] + x->insn.imm);
	return res;
}

/* In 64-bit mode the stack is part of the frame, whatever the levels are. */
static enum exec_result pop_stack(struct exec *x)
{
	u64 sp, ss;
	enum exec_result res = exec_pop_value(x, x->insn.op_size, &sp);

	if (!res)
		res = exec_pop_value(x, x->insn.op_size, &ss);
	if (!res)
		res = load(x, S_SS, ss, TRANSFER_RETURN, NULL);
	if (!res)
		exec_set_reg(x, R_SP, 8, sp);
	return res;
}

/* IRET to the same privilege level. */
enum exec_result exec_iret(struct exec *x)
{
	u32 size = x->insn.op_size;
	u64 offset, selector, flags;
	struct code_segment code;
	enum exec_result res;

	if (x->rflags & (FLAG_VM | FLAG_NT))
		return EXEC_UNKNOWN;
	res = exec_pop_value(x, size, &offset);
	if (!res)
		res = exec_pop_value(x, size, &selector);
	if (!res)
		res = exec_pop_value(x, size, &flags);
	if (res)
		return res;
	if (exec_is_protected(x) && !exec_is_long(x) && (flags & FLAG_VM))
		return EXEC_UNKNOWN;
	res = load(x, S_CS, selector, TRANSFER_RETURN, &code);
	if (!res)
		res = far_target(x, offset, size, &code);
	if (!res && exec_is_long(x))
		res = pop_stack(x);
	if (res)
		return res;
	x->rflags = exec_merge_flags(x, flags, size) & ~(u64)FLAG_RF;
	x->rflags |= exec_mask(flags & FLAG_RF, size);
	x->nmi_done = true;
	return EXEC_OK;
}
