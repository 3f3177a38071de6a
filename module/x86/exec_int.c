// SPDX-License-Identifier: GPL-2.0
/*
 * Integer instructions that compute or move: handlers of exec.c's table. Pure
 * logic, also built into the unit tests.
 *
 * Source: Intel SDM vol. 2A and 2B (December 2023), the page of each
 * instruction.
 */
#include <linux/bits.h>
#include <linux/string.h>
#include <linux/types.h>

#include "exec_impl.h"

/* ---- arithmetic --------------------------------------------------------- */

enum exec_result exec_two(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 rm, other = exec_other(x, i->op_size), r;
	enum exec_result res = exec_read_rm(x, i->op_size, &rm);

	if (res)
		return res;
	if (i->form == FORM_REG_RM) {
		r = exec_alu2(&x->rflags, i->op, other, rm, i->op_size);
		if (i->op != OP_CMP)
			exec_set_reg(x, i->reg, i->op_size, r);
		return EXEC_OK;
	}
	r = exec_alu2(&x->rflags, i->op, rm, other, i->op_size);
	if (i->op == OP_CMP || i->op == OP_TEST)
		return EXEC_OK;
	return exec_write_rm(x, i->op_size, r);
}

enum exec_result exec_one(struct exec *x)
{
	u64 v;
	enum exec_result res = exec_read_rm(x, x->insn.op_size, &v);

	if (res)
		return res;
	v = exec_alu1(&x->rflags, x->insn.op, v, x->insn.op_size);
	return exec_write_rm(x, x->insn.op_size, v);
}

enum exec_result exec_shifts(struct exec *x)
{
	u64 v;
	enum exec_result res = exec_read_rm(x, x->insn.op_size, &v);

	if (res)
		return res;
	v = exec_shift(&x->rflags, x->insn.op, v, exec_other(x, 1), x->insn.op_size);
	return exec_write_rm(x, x->insn.op_size, v);
}

/* rDX:rAX = @hi:@lo, or AX for bytes. */
static enum exec_result set_acc_pair(struct exec *x, u32 size, u64 lo, u64 hi)
{
	if (size == 1) {
		exec_set_reg(x, R_AX, 2, lo | hi << 8);
		return EXEC_OK;
	}
	exec_set_reg(x, R_AX, size, lo);
	exec_set_reg(x, R_DX, size, hi);
	return EXEC_OK;
}

/* rDX:rAX (AX for bytes) = rAX * r/m. */
enum exec_result exec_mul_acc(struct exec *x)
{
	u32 size = x->insn.op_size;
	u64 v, lo, hi;
	enum exec_result res = exec_read_rm(x, size, &v);

	if (res)
		return res;
	exec_mul(&x->rflags, x->insn.op == OP_IMUL, x->regs[R_AX], v, size, &lo, &hi);
	return set_acc_pair(x, size, lo, hi);
}

enum exec_result exec_imul_reg(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 v, lo, hi;
	enum exec_result res = exec_read_rm(x, i->op_size, &v);

	if (res)
		return res;
	exec_mul(&x->rflags, true, v,
		 i->form == FORM_REG_RM_IMM ? i->imm : x->regs[i->reg], i->op_size, &lo, &hi);
	exec_set_reg(x, i->reg, i->op_size, lo);
	return EXEC_OK;
}

enum exec_result exec_double(struct exec *x)
{
	const struct insn *i = &x->insn;
	u32 count = i->form == FORM_RM_REG_CL ? x->regs[R_CX] & 0xff : i->imm & 0xff;
	u64 v;
	enum exec_result res = exec_read_rm(x, i->op_size, &v);

	if (res)
		return res;
	v = exec_double_shift(&x->rflags, i->op, v, exec_reg(x, i->reg, i->op_size), count,
			      i->op_size);
	return exec_write_rm(x, i->op_size, v);
}

/* rAX and rDX = quotient and remainder of rDX:rAX (AX for bytes) by r/m. */
enum exec_result exec_div_acc(struct exec *x)
{
	u32 size = x->insn.op_size;
	u64 v, lo = exec_mask(x->regs[R_AX], size), hi;
	enum exec_result res = exec_read_rm(x, size, &v);

	if (res)
		return res;
	hi = size == 1 ? (x->regs[R_AX] >> 8) & 0xff : exec_mask(x->regs[R_DX], size);
	if (!exec_divide(x->insn.op == OP_IDIV, v, size, &lo, &hi))
		return exec_fault(x, VECTOR_DE);
	return set_acc_pair(x, size, lo, hi);
}

enum exec_result exec_bit_scan(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 v, r;
	enum exec_result res = exec_read_rm(x, i->op_size, &v);

	if (!res && exec_scan(&x->rflags, i->op, v, i->op_size, &r))
		exec_set_reg(x, i->reg, i->op_size, r);
	return res;
}

enum exec_result exec_crc(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 v;
	enum exec_result res = exec_read_rm(x, i->src_size, &v);

	if (!res)
		exec_set_reg(x, i->reg, i->op_size == 8 ? 8 : 4,
			     exec_crc32(x->regs[i->reg], v, i->src_size));
	return res;
}

enum exec_result exec_bcd(struct exec *x)
{
	u16 ax = x->regs[R_AX];

	if (!exec_decimal(&x->rflags, x->insn.op, x->insn.imm, &ax))
		return exec_fault(x, VECTOR_DE);
	exec_set_reg(x, R_AX, 2, ax);
	return EXEC_OK;
}

/* ---- moves -------------------------------------------------------------- */

enum exec_result exec_mov(struct exec *x)
{
	const struct insn *i = &x->insn;
	enum exec_result res;
	u64 v;

	if (i->form != FORM_REG_RM && i->form != FORM_ACC_MEM)
		return exec_write_rm(x, i->op_size, exec_other(x, i->op_size));
	res = exec_read_rm(x, i->op_size, &v);
	if (!res)
		exec_set_reg(x, i->form == FORM_ACC_MEM ? R_AX : i->reg, i->op_size, v);
	return res;
}

enum exec_result exec_mov_extend(struct exec *x)
{
	const struct insn *i = &x->insn;
	u32 shift = 64 - 8 * i->src_size;
	u64 v;
	enum exec_result res = exec_read_rm(x, i->src_size, &v);

	if (res)
		return res;
	if (i->op == OP_MOVSX)
		v = (s64)(v << shift) >> shift;
	exec_set_reg(x, i->reg, i->op_size, v);
	return EXEC_OK;
}

static u64 byte_swap(u64 v, u32 size)
{
	return __builtin_bswap64(v) >> (64 - 8 * size);
}

enum exec_result exec_movbe(struct exec *x)
{
	const struct insn *i = &x->insn;
	enum exec_result res;
	u64 v;

	if (i->form == FORM_RM_REG)
		return exec_write_rm(x, i->op_size,
				byte_swap(exec_reg(x, i->reg, i->op_size), i->op_size));
	res = exec_read_rm(x, i->op_size, &v);
	if (!res)
		exec_set_reg(x, i->reg, i->op_size, byte_swap(v, i->op_size));
	return res;
}

/* The source is read, and may fault, whether the condition holds or not. */
enum exec_result exec_cmov(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 v;
	enum exec_result res = exec_read_rm(x, i->op_size, &v);

	if (res)
		return res;
	if (!exec_cond(x->rflags, i->cond))
		v = exec_reg(x, i->reg, i->op_size);
	exec_set_reg(x, i->reg, i->op_size, v);
	return EXEC_OK;
}

enum exec_result exec_set(struct exec *x)
{
	return exec_write_rm(x, 1, exec_cond(x->rflags, x->insn.cond));
}

enum exec_result exec_lea(struct exec *x)
{
	exec_set_reg(x, x->insn.reg, x->insn.op_size, exec_address(x));
	return EXEC_OK;
}

/* Of a word the manual promises nothing; CPUs clear it. */
enum exec_result exec_bswap(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 v = x->regs[i->rm];

	exec_set_reg(x, i->rm, i->op_size, i->op_size == 2 ? 0 : byte_swap(v, i->op_size));
	return EXEC_OK;
}

/* CBW, CWDE, CDQE; CWD, CDQ, CQO. */
enum exec_result exec_extend_acc(struct exec *x)
{
	u32 size = x->insn.op_size, from = x->insn.op == OP_CBW ? size / 2 : size;
	s64 v = (s64)(x->regs[R_AX] << (64 - 8 * from)) >> (64 - 8 * from);

	if (x->insn.op == OP_CBW)
		exec_set_reg(x, R_AX, size, v);
	else
		exec_set_reg(x, R_DX, size, v < 0 ? ~0ull : 0);
	return EXEC_OK;
}

enum exec_result exec_xlat(struct exec *x)
{
	u64 ea = exec_mask(x->regs[R_BX] + (u8)x->regs[R_AX], x->insn.addr_size), v;
	enum exec_result res = exec_read(x, x->insn.seg, ea, 1, &v);

	if (!res)
		exec_set_reg(x, R_AX, 1, v);
	return res;
}

/* LAHF, SAHF and SALC (AL = carry ? FF : 0). */
enum exec_result exec_ah_flags(struct exec *x)
{
	const u64 flags = FLAGS_STATUS & ~FLAG_OF;
	u8 ah = x->regs[R_AX] >> 8;

	switch (x->insn.op) {
	case OP_SAHF:
		x->rflags = (x->rflags & ~flags) | (ah & flags);
		break;
	case OP_LAHF:
		ah = (x->rflags & flags) | 2;
		exec_set_reg(x, R_AX, 2, (x->regs[R_AX] & 0xff) | ah << 8);
		break;
	default:
		x->regs[R_AX] = (x->regs[R_AX] & ~0xffull) | (x->rflags & FLAG_CF ? 0xff : 0);
		break;
	}
	return EXEC_OK;
}

/* CMC, CLC, STC, CLI, STI, CLD, STD. */
enum exec_result exec_flag(struct exec *x)
{
	u8 opcode = x->insn.opcode;
	u64 flag = opcode >= 0xfc ? FLAG_DF : opcode >= 0xfa ? FLAG_IF : FLAG_CF;

	if (flag == FLAG_IF && x->cpl > exec_iopl(x))
		return exec_gp(x, 0);
	if (opcode == 0xfb && !(x->rflags & FLAG_IF))
		x->shadow = SHADOW_STI;
	if (opcode == 0xf5)
		x->rflags ^= FLAG_CF;
	else if (opcode & 1)
		x->rflags |= flag;
	else
		x->rflags &= ~flag;
	return EXEC_OK;
}

/* The index must lie between the two signed bounds in memory. */
enum exec_result exec_bound(struct exec *x)
{
	u32 size = x->insn.op_size, shift = 64 - 8 * size;
	s64 index = (s64)(x->regs[x->insn.reg] << shift) >> shift;
	u64 ea = exec_address(x), lo, hi;
	enum exec_result res = exec_read(x, x->insn.seg, ea, size, &lo);

	if (!res)
		res = exec_read(x, x->insn.seg, exec_mask(ea + size, x->insn.addr_size), size, &hi);
	if (res)
		return res;
	if (index < (s64)(lo << shift) >> shift || index > (s64)(hi << shift) >> shift)
		return exec_fault(x, VECTOR_BR);
	return EXEC_OK;
}

/* Raise the requested privilege level of a selector to that of another. */
enum exec_result exec_arpl(struct exec *x)
{
	u64 rpl = x->regs[x->insn.reg] & 3, v;
	enum exec_result res;

	if (!exec_is_protected(x))
		return exec_fault(x, VECTOR_UD);
	res = exec_read_rm(x, 2, &v);
	if (res)
		return res;
	x->rflags &= ~(u64)FLAG_ZF;
	if ((v & 3) >= rpl)
		return EXEC_OK;
	x->rflags |= FLAG_ZF;
	return exec_write_rm(x, 2, (v & ~3ull) | rpl);
}
