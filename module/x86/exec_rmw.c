// SPDX-License-Identifier: GPL-2.0
/*
 * Instructions that read, change and write one operand, string instructions,
 * and moves of vector registers: handlers of exec.c's table. Pure logic, also
 * built into the unit tests.
 *
 * Source: Intel SDM vol. 2A and 2B (December 2023), the page of each
 * instruction.
 */
#include <linux/bits.h>
#include <linux/string.h>
#include <linux/types.h>

#include "exec_impl.h"

/* ---- read, change, write ------------------------------------------------ */

enum exec_result exec_xchg(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 reg = exec_reg(x, i->reg, i->op_size), v;
	enum exec_result res = exec_read_rm(x, i->op_size, &v);

	if (!res)
		res = exec_write_rm(x, i->op_size, reg);
	if (!res)
		exec_set_reg(x, i->reg, i->op_size, v);
	return res;
}

enum exec_result exec_xadd(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 reg = exec_reg(x, i->reg, i->op_size), v, sum;
	enum exec_result res = exec_read_rm(x, i->op_size, &v);

	if (res)
		return res;
	sum = exec_alu2(&x->rflags, OP_ADD, v, reg, i->op_size);
	/* If both are the same register the sum stays. */
	if (!i->mem) {
		exec_set_reg(x, i->reg, i->op_size, v);
		return exec_write_rm(x, i->op_size, sum);
	}
	res = exec_write_rm(x, i->op_size, sum);
	if (!res)
		exec_set_reg(x, i->reg, i->op_size, v);
	return res;
}

enum exec_result exec_cmpxchg(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 v, acc = exec_mask(x->regs[R_AX], i->op_size);
	enum exec_result res = exec_read_rm(x, i->op_size, &v);

	if (res)
		return res;
	exec_alu2(&x->rflags, OP_CMP, acc, v, i->op_size);
	if (acc == v)
		return exec_write_rm(x, i->op_size, exec_reg(x, i->reg, i->op_size));
	exec_set_reg(x, R_AX, i->op_size, v);
	return EXEC_OK;
}

enum exec_result exec_cmpxchg8b(struct exec *x)
{
	u64 v, acc = (u32)x->regs[R_AX] | x->regs[R_DX] << 32;
	enum exec_result res = exec_read_rm(x, 8, &v);

	if (res)
		return res;
	if (acc == v) {
		x->rflags |= FLAG_ZF;
		return exec_write_rm(x, 8, (u32)x->regs[R_BX] | x->regs[R_CX] << 32);
	}
	x->rflags &= ~(u64)FLAG_ZF;
	exec_set_reg(x, R_AX, 4, v);
	exec_set_reg(x, R_DX, 4, v >> 32);
	return EXEC_OK;
}

/* A bit number in a register reaches beyond the operand, in both directions. */
enum exec_result exec_bit(struct exec *x)
{
	const struct insn *i = &x->insn;
	u32 size = i->op_size, bits = 8 * size;
	u64 n = exec_other(x, size), v, mask, ea = 0;
	enum exec_result res;
	s64 offset;

	if (i->mem) {
		ea = exec_address(x);
		if (i->form == FORM_RM_REG) {
			offset = (s64)(n << (64 - bits)) >> (64 - bits);
			ea += (offset >> (size == 2 ? 4 : size == 4 ? 5 : 6)) * (s64)size;
			ea = exec_mask(ea, i->addr_size);
		}
		res = exec_read(x, i->seg, ea, size, &v);
	} else {
		res = exec_read_rm(x, size, &v);
	}
	if (res)
		return res;

	mask = 1ull << (n & (bits - 1));
	x->rflags &= ~(u64)FLAG_CF;
	if (v & mask)
		x->rflags |= FLAG_CF;
	if (i->op == OP_BT)
		return EXEC_OK;
	v = i->op == OP_BTS ? v | mask : i->op == OP_BTR ? v & ~mask : v ^ mask;
	return i->mem ? exec_write(x, i->seg, ea, size, v) : exec_write_rm(x, size, v);
}

/* ---- strings ------------------------------------------------------------ */

static void string_advance(struct exec *x, u8 reg)
{
	u64 step = x->insn.op_size;

	exec_set_addr_reg(x, reg, exec_addr_reg(x, reg) + (x->rflags & FLAG_DF ? -step : step));
}

/* One element. */
static enum exec_result string_element(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 a = 0, b = 0, acc = exec_mask(x->regs[R_AX], i->op_size);
	bool si = i->op == OP_MOVS || i->op == OP_CMPS || i->op == OP_LODS || i->op == OP_OUTS;
	bool di = i->op != OP_LODS && i->op != OP_OUTS;
	enum exec_result res = EXEC_OK;

	if (i->op == OP_INS)
		res = x->ops->port_in ? x->ops->port_in(x, x->regs[R_DX], &a, i->op_size) :
		      EXEC_UNKNOWN;
	if (!res && si)
		res = exec_read(x, i->seg, exec_addr_reg(x, R_SI), i->op_size, &a);
	if (!res && (i->op == OP_CMPS || i->op == OP_SCAS))
		res = exec_read(x, S_ES, exec_addr_reg(x, R_DI), i->op_size, &b);
	if (!res && (i->op == OP_MOVS || i->op == OP_STOS || i->op == OP_INS))
		res = exec_write(x, S_ES, exec_addr_reg(x, R_DI), i->op_size,
				 i->op == OP_STOS ? acc : a);
	if (!res && i->op == OP_OUTS)
		res = x->ops->port_out ? x->ops->port_out(x, x->regs[R_DX], &a, i->op_size) :
		      EXEC_UNKNOWN;
	if (res)
		return res;

	if (i->op == OP_LODS)
		exec_set_reg(x, R_AX, i->op_size, a);
	else if (i->op == OP_CMPS)
		exec_alu2(&x->rflags, OP_CMP, a, b, i->op_size);
	else if (i->op == OP_SCAS)
		exec_alu2(&x->rflags, OP_CMP, acc, b, i->op_size);
	if (si)
		string_advance(x, R_SI);
	if (di)
		string_advance(x, R_DI);
	return EXEC_OK;
}

enum exec_result exec_string(struct exec *x)
{
	const struct insn *i = &x->insn;
	enum exec_result res;
	u64 count;

	/* Ports have no quadwords. */
	if ((i->op == OP_INS || i->op == OP_OUTS) && i->op_size == 8)
		x->insn.op_size = 4;
	if (!i->rep)
		return string_element(x);
	count = exec_addr_reg(x, R_CX);
	if (!count)
		return EXEC_OK;
	res = string_element(x);
	if (res)
		return res;
	exec_set_addr_reg(x, R_CX, --count);
	x->again = count != 0;
	/* CMPS and SCAS: REPE goes on while equal, REPNE while not. */
	if (i->op == OP_CMPS || i->op == OP_SCAS) {
		bool equal = x->rflags & FLAG_ZF, while_equal = i->rep == 0xf3;

		if (equal != while_equal)
			x->again = false;
	}
	return EXEC_OK;
}

/* ---- vector registers --------------------------------------------------- */

enum exec_result exec_vec_load(struct exec *x)
{
	const struct insn *i = &x->insn;
	u32 size = i->op_size > 16 ? 32 : 16;
	u8 buf[32] = {}, old[16];
	enum exec_result res;

	res = x->ops->read(x, i->seg, exec_address(x), buf, i->op_size);
	if (res)
		return res;
	if (i->op != OP_XMM_LOAD) {
		x->ops->vec_read(x, i->reg, old, 16);
		if (i->op == OP_XMM_LOAD_LOW) {
			memcpy(buf + 8, old + 8, 8);
		} else {
			memcpy(buf + 8, buf, 8);
			memcpy(buf, old, 8);
		}
	}
	x->ops->vec_write(x, i->reg, buf, size, i->vex);
	return EXEC_OK;
}

enum exec_result exec_vec_store(struct exec *x)
{
	const struct insn *i = &x->insn;
	u8 buf[32];

	x->ops->vec_read(x, i->reg, buf, i->op_size > 16 ? 32 : 16);
	return x->ops->write(x, i->seg, exec_address(x),
			     i->op == OP_XMM_STORE_HIGH ? buf + 8 : buf, i->op_size);
}

enum exec_result exec_mmx(struct exec *x)
{
	const struct insn *i = &x->insn;
	enum exec_result res;
	u64 v = 0;

	if (!x->ops->mmx_read || !x->ops->mmx_write)
		return EXEC_UNKNOWN;
	if (i->op == OP_MMX_STORE) {
		x->ops->mmx_read(x, i->reg & 7, &v);
		return exec_write(x, i->seg, exec_address(x), i->op_size, v);
	}
	res = exec_read(x, i->seg, exec_address(x), i->op_size, &v);
	if (!res)
		x->ops->mmx_write(x, i->reg & 7, &v);
	return res;
}
