// SPDX-License-Identifier: GPL-2.0
/*
 * What each decoded instruction does to registers and memory. Pure logic, also
 * built into the unit tests, which compare it with the CPU.
 *
 * Reads come first and the one write comes last, so an execution that faults
 * or has to wait for a read leaves nothing behind and can be done again.
 *
 * Source: Intel SDM vol. 2A and 2B (December 2023), the page of each
 * instruction.
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>

#include "exec.h"

#define R_AX	0
#define R_CX	1
#define R_DX	2
#define R_BX	3
#define R_SP	4
#define R_SI	6
#define R_DI	7

#define S_ES	0
#define S_SS	2

#define FLAG_CF	BIT(0)
#define FLAG_ZF	BIT(6)
#define FLAG_DF	BIT(10)

#define VECTOR_GP	13

static bool is_long(const struct exec *x)
{
	return x->mode == X86_MODE_LONG || x->mode == X86_MODE_LONG57;
}

/* ---- registers ---------------------------------------------------------- */

/* Byte registers 4..7 without REX are AH, CH, DH and BH. */
static bool is_high_byte(const struct exec *x, u8 reg, u32 size)
{
	return size == 1 && !x->insn.rex && reg >= 4 && reg < 8;
}

static u64 reg_get(const struct exec *x, u8 reg, u32 size)
{
	if (is_high_byte(x, reg, size))
		return (x->regs[reg - 4] >> 8) & 0xff;
	return exec_mask(x->regs[reg], size);
}

static void reg_put(struct exec *x, u8 reg, u32 size, u64 val)
{
	u64 *r = &x->regs[reg];

	if (is_high_byte(x, reg, size)) {
		r = &x->regs[reg - 4];
		*r = (*r & ~0xff00ull) | (val & 0xff) << 8;
	} else if (size >= 4) {		/* 32-bit results clear the upper half */
		*r = exec_mask(val, size);
	} else {
		*r = (*r & ~exec_mask(~0ull, size)) | exec_mask(val, size);
	}
}

/* Pointers and counters in the address size, wherever they come from. */
static u64 addr_reg(const struct exec *x, u8 reg)
{
	return exec_mask(x->regs[reg], x->insn.addr_size);
}

static void addr_reg_put(struct exec *x, u8 reg, u64 val)
{
	reg_put(x, reg, x->insn.addr_size, val);
}

/* ---- operands ----------------------------------------------------------- */

/* Offset of the r/m operand in its segment. */
static u64 effective_address(const struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 ea = i->disp;

	if (i->base == REG_PC)
		ea += x->rip + i->len;
	else if (i->base != REG_NONE)
		ea += x->regs[i->base];
	if (i->index != REG_NONE)
		ea += x->regs[i->index] << i->scale;
	return exec_mask(ea, i->addr_size);
}

static enum exec_result mem_read(struct exec *x, int seg, u64 ea, u32 size, u64 *val)
{
	*val = 0;
	return x->ops->read(x, seg, ea, val, size);
}

static enum exec_result mem_write(struct exec *x, int seg, u64 ea, u32 size, u64 val)
{
	return x->ops->write(x, seg, ea, &val, size);
}

static enum exec_result rm_read(struct exec *x, u32 size, u64 *val)
{
	if (x->insn.mem)
		return mem_read(x, x->insn.seg, effective_address(x), size, val);
	*val = reg_get(x, x->insn.rm, size);
	return EXEC_OK;
}

static enum exec_result rm_write(struct exec *x, u32 size, u64 val)
{
	if (x->insn.mem)
		return mem_write(x, x->insn.seg, effective_address(x), size, val);
	reg_put(x, x->insn.rm, size, val);
	return EXEC_OK;
}

/* The operand that is not r/m: register, immediate, one or CL. */
static u64 other_operand(const struct exec *x, u32 size)
{
	switch (x->insn.form) {
	case FORM_RM_IMM:
		return exec_mask(x->insn.imm, size);
	case FORM_RM_1:
		return 1;
	case FORM_RM_CL:
		return x->regs[R_CX] & 0xff;
	case FORM_ACC_MEM:
	case FORM_MEM_ACC:
		return exec_mask(x->regs[R_AX], size);
	default:
		return reg_get(x, x->insn.reg, size);
	}
}

/* ---- arithmetic --------------------------------------------------------- */

static enum exec_result exec_two(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 rm, other = other_operand(x, i->op_size), r;
	enum exec_result res = rm_read(x, i->op_size, &rm);

	if (res)
		return res;
	if (i->form == FORM_REG_RM) {
		r = exec_alu2(&x->rflags, i->op, other, rm, i->op_size);
		if (i->op != OP_CMP)
			reg_put(x, i->reg, i->op_size, r);
		return EXEC_OK;
	}
	r = exec_alu2(&x->rflags, i->op, rm, other, i->op_size);
	if (i->op == OP_CMP || i->op == OP_TEST)
		return EXEC_OK;
	return rm_write(x, i->op_size, r);
}

static enum exec_result exec_one(struct exec *x)
{
	u64 v;
	enum exec_result res = rm_read(x, x->insn.op_size, &v);

	if (res)
		return res;
	v = exec_alu1(&x->rflags, x->insn.op, v, x->insn.op_size);
	return rm_write(x, x->insn.op_size, v);
}

static enum exec_result exec_shifts(struct exec *x)
{
	u64 v;
	enum exec_result res = rm_read(x, x->insn.op_size, &v);

	if (res)
		return res;
	v = exec_shift(&x->rflags, x->insn.op, v, other_operand(x, 1), x->insn.op_size);
	return rm_write(x, x->insn.op_size, v);
}

/* rDX:rAX (AX for bytes) = rAX * r/m. */
static enum exec_result exec_mul_acc(struct exec *x)
{
	u32 size = x->insn.op_size;
	u64 v, lo, hi;
	enum exec_result res = rm_read(x, size, &v);

	if (res)
		return res;
	exec_mul(&x->rflags, x->insn.op == OP_IMUL, x->regs[R_AX], v, size, &lo, &hi);
	if (size == 1) {
		reg_put(x, R_AX, 2, lo | hi << 8);
		return EXEC_OK;
	}
	reg_put(x, R_AX, size, lo);
	reg_put(x, R_DX, size, hi);
	return EXEC_OK;
}

static enum exec_result exec_imul_reg(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 v, lo, hi;
	enum exec_result res = rm_read(x, i->op_size, &v);

	if (res)
		return res;
	exec_mul(&x->rflags, true, v,
		 i->form == FORM_REG_RM_IMM ? i->imm : x->regs[i->reg], i->op_size, &lo, &hi);
	reg_put(x, i->reg, i->op_size, lo);
	return EXEC_OK;
}

/* ---- moves -------------------------------------------------------------- */

static enum exec_result exec_mov(struct exec *x)
{
	const struct insn *i = &x->insn;
	enum exec_result res;
	u64 v;

	if (i->form != FORM_REG_RM && i->form != FORM_ACC_MEM)
		return rm_write(x, i->op_size, other_operand(x, i->op_size));
	res = rm_read(x, i->op_size, &v);
	if (!res)
		reg_put(x, i->form == FORM_ACC_MEM ? R_AX : i->reg, i->op_size, v);
	return res;
}

static enum exec_result exec_mov_extend(struct exec *x)
{
	const struct insn *i = &x->insn;
	u32 shift = 64 - 8 * i->src_size;
	u64 v;
	enum exec_result res = rm_read(x, i->src_size, &v);

	if (res)
		return res;
	if (i->op == OP_MOVSX)
		v = (s64)(v << shift) >> shift;
	reg_put(x, i->reg, i->op_size, v);
	return EXEC_OK;
}

static u64 byte_swap(u64 v, u32 size)
{
	return __builtin_bswap64(v) >> (64 - 8 * size);
}

static enum exec_result exec_movbe(struct exec *x)
{
	const struct insn *i = &x->insn;
	enum exec_result res;
	u64 v;

	if (i->form == FORM_RM_REG)
		return rm_write(x, i->op_size,
				byte_swap(reg_get(x, i->reg, i->op_size), i->op_size));
	res = rm_read(x, i->op_size, &v);
	if (!res)
		reg_put(x, i->reg, i->op_size, byte_swap(v, i->op_size));
	return res;
}

/* To memory always two bytes. */
static enum exec_result exec_mov_from_sreg(struct exec *x)
{
	return rm_write(x, x->insn.mem ? 2 : x->insn.op_size, x->ops->selector(x, x->insn.reg));
}

/* The source is read, and may fault, whether the condition holds or not. */
static enum exec_result exec_cmov(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 v;
	enum exec_result res = rm_read(x, i->op_size, &v);

	if (res)
		return res;
	if (!exec_cond(x->rflags, i->cond))
		v = reg_get(x, i->reg, i->op_size);
	reg_put(x, i->reg, i->op_size, v);
	return EXEC_OK;
}

static enum exec_result exec_set(struct exec *x)
{
	return rm_write(x, 1, exec_cond(x->rflags, x->insn.cond));
}

/* ---- read, change, write ------------------------------------------------ */

static enum exec_result exec_xchg(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 reg = reg_get(x, i->reg, i->op_size), v;
	enum exec_result res = rm_read(x, i->op_size, &v);

	if (!res)
		res = rm_write(x, i->op_size, reg);
	if (!res)
		reg_put(x, i->reg, i->op_size, v);
	return res;
}

static enum exec_result exec_xadd(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 reg = reg_get(x, i->reg, i->op_size), v, sum;
	enum exec_result res = rm_read(x, i->op_size, &v);

	if (res)
		return res;
	sum = exec_alu2(&x->rflags, OP_ADD, v, reg, i->op_size);
	/* If both are the same register the sum stays. */
	if (!i->mem) {
		reg_put(x, i->reg, i->op_size, v);
		return rm_write(x, i->op_size, sum);
	}
	res = rm_write(x, i->op_size, sum);
	if (!res)
		reg_put(x, i->reg, i->op_size, v);
	return res;
}

static enum exec_result exec_cmpxchg(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 v, acc = exec_mask(x->regs[R_AX], i->op_size);
	enum exec_result res = rm_read(x, i->op_size, &v);

	if (res)
		return res;
	exec_alu2(&x->rflags, OP_CMP, acc, v, i->op_size);
	if (acc == v)
		return rm_write(x, i->op_size, reg_get(x, i->reg, i->op_size));
	reg_put(x, R_AX, i->op_size, v);
	return EXEC_OK;
}

static enum exec_result exec_cmpxchg8b(struct exec *x)
{
	u64 v, acc = (u32)x->regs[R_AX] | x->regs[R_DX] << 32;
	enum exec_result res = rm_read(x, 8, &v);

	if (res)
		return res;
	if (acc == v) {
		x->rflags |= FLAG_ZF;
		return rm_write(x, 8, (u32)x->regs[R_BX] | x->regs[R_CX] << 32);
	}
	x->rflags &= ~(u64)FLAG_ZF;
	reg_put(x, R_AX, 4, v);
	reg_put(x, R_DX, 4, v >> 32);
	return EXEC_OK;
}

/* A bit number in a register reaches beyond the operand, in both directions. */
static enum exec_result exec_bit(struct exec *x)
{
	const struct insn *i = &x->insn;
	u32 size = i->op_size, bits = 8 * size;
	u64 n = other_operand(x, size), v, mask, ea = 0;
	enum exec_result res;
	s64 offset;

	if (i->mem) {
		ea = effective_address(x);
		if (i->form == FORM_RM_REG) {
			offset = (s64)(n << (64 - bits)) >> (64 - bits);
			ea += (offset >> (size == 2 ? 4 : size == 4 ? 5 : 6)) * (s64)size;
			ea = exec_mask(ea, i->addr_size);
		}
		res = mem_read(x, i->seg, ea, size, &v);
	} else {
		res = rm_read(x, size, &v);
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
	return i->mem ? mem_write(x, i->seg, ea, size, v) : rm_write(x, size, v);
}

/* ---- stack and branches ------------------------------------------------- */

static enum exec_result push(struct exec *x, u64 val, u32 size)
{
	u64 sp = exec_mask(x->regs[R_SP] - size, x->stack_size);
	enum exec_result res = mem_write(x, S_SS, sp, size, val);

	if (!res)
		reg_put(x, R_SP, x->stack_size, sp);
	return res;
}

static enum exec_result exec_push(struct exec *x)
{
	u64 v;
	enum exec_result res = rm_read(x, x->insn.op_size, &v);

	return res ? res : push(x, v, x->insn.op_size);
}

/* An address that uses the stack pointer sees it already incremented. */
static enum exec_result exec_pop(struct exec *x)
{
	u32 size = x->insn.op_size;
	u64 sp = exec_mask(x->regs[R_SP], x->stack_size), v;
	enum exec_result res = mem_read(x, S_SS, sp, size, &v);

	if (res)
		return res;
	reg_put(x, R_SP, x->stack_size, sp + size);
	return rm_write(x, size, v);
}

static enum exec_result branch(struct exec *x, u64 target, u32 size)
{
	int spare = x->mode == X86_MODE_LONG57 ? 64 - 57 : 64 - 48;

	target = exec_mask(target, size);
	if (is_long(x) && (u64)((s64)(target << spare) >> spare) != target) {
		x->fault = (struct gva_fault){ .vector = VECTOR_GP, .has_error_code = true };
		return EXEC_FAULT;
	}
	x->rip = target;
	return EXEC_OK;
}

static enum exec_result exec_branch(struct exec *x)
{
	u32 size = x->insn.op_size;
	u64 target, next = exec_mask(x->rip + x->insn.len, size);
	enum exec_result res = rm_read(x, size, &target);

	if (!res)
		res = branch(x, target, size);
	if (!res && x->insn.op == OP_CALL)
		res = push(x, next, size);
	return res;
}

/* ---- strings ------------------------------------------------------------ */

static void string_advance(struct exec *x, u8 reg)
{
	u64 step = x->insn.op_size;

	addr_reg_put(x, reg, addr_reg(x, reg) + (x->rflags & FLAG_DF ? -step : step));
}

/* One element. */
static enum exec_result string_element(struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 a = 0, b = 0, acc = exec_mask(x->regs[R_AX], i->op_size);
	bool si = i->op == OP_MOVS || i->op == OP_CMPS || i->op == OP_LODS;
	bool di = i->op != OP_LODS;
	enum exec_result res = EXEC_OK;

	if (si)
		res = mem_read(x, i->seg, addr_reg(x, R_SI), i->op_size, &a);
	if (!res && (i->op == OP_CMPS || i->op == OP_SCAS))
		res = mem_read(x, S_ES, addr_reg(x, R_DI), i->op_size, &b);
	if (!res && (i->op == OP_MOVS || i->op == OP_STOS))
		res = mem_write(x, S_ES, addr_reg(x, R_DI), i->op_size, i->op == OP_MOVS ? a : acc);
	if (res)
		return res;

	if (i->op == OP_LODS)
		reg_put(x, R_AX, i->op_size, a);
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

static enum exec_result exec_string(struct exec *x)
{
	const struct insn *i = &x->insn;
	enum exec_result res;
	u64 count;

	if (!i->rep)
		return string_element(x);
	count = addr_reg(x, R_CX);
	if (!count)
		return EXEC_OK;
	res = string_element(x);
	if (res)
		return res;
	addr_reg_put(x, R_CX, --count);
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

static enum exec_result exec_xmm_load(struct exec *x)
{
	const struct insn *i = &x->insn;
	u8 buf[16] = {}, old[16];
	enum exec_result res;

	res = x->ops->read(x, i->seg, effective_address(x), buf, i->op_size);
	if (res)
		return res;
	if (i->op != OP_XMM_LOAD) {
		x->ops->xmm_read(x, i->reg, old);
		if (i->op == OP_XMM_LOAD_LOW) {
			memcpy(buf + 8, old + 8, 8);
		} else {
			memcpy(buf + 8, buf, 8);
			memcpy(buf, old, 8);
		}
	}
	x->ops->xmm_write(x, i->reg, buf);
	return EXEC_OK;
}

static enum exec_result exec_xmm_store(struct exec *x)
{
	const struct insn *i = &x->insn;
	u8 buf[16];

	x->ops->xmm_read(x, i->reg, buf);
	return x->ops->write(x, i->seg, effective_address(x),
			     i->op == OP_XMM_STORE_HIGH ? buf + 8 : buf, i->op_size);
}

/* Prefetches and cache flushes of a device register have no effect. */
static enum exec_result exec_nop(struct exec *x)
{
	return x ? EXEC_OK : EXEC_UNKNOWN;
}

/* ---- dispatch ----------------------------------------------------------- */

static enum exec_result (*const handlers[NR_OPS])(struct exec *x) = {
	[OP_ADD] = exec_two, [OP_OR] = exec_two, [OP_ADC] = exec_two, [OP_SBB] = exec_two,
	[OP_AND] = exec_two, [OP_SUB] = exec_two, [OP_XOR] = exec_two, [OP_CMP] = exec_two,
	[OP_TEST] = exec_two,
	[OP_ROL] = exec_shifts, [OP_ROR] = exec_shifts, [OP_RCL] = exec_shifts,
	[OP_RCR] = exec_shifts, [OP_SHL] = exec_shifts, [OP_SHR] = exec_shifts,
	[OP_SAL] = exec_shifts, [OP_SAR] = exec_shifts,
	[OP_NOT] = exec_one, [OP_NEG] = exec_one, [OP_INC] = exec_one, [OP_DEC] = exec_one,
	[OP_MUL] = exec_mul_acc, [OP_IMUL] = exec_mul_acc, [OP_IMUL_REG] = exec_imul_reg,
	[OP_MOV] = exec_mov, [OP_MOVZX] = exec_mov_extend, [OP_MOVSX] = exec_mov_extend,
	[OP_MOVBE] = exec_movbe, [OP_MOV_FROM_SREG] = exec_mov_from_sreg,
	[OP_CMOV] = exec_cmov, [OP_SET] = exec_set,
	[OP_XCHG] = exec_xchg, [OP_XADD] = exec_xadd,
	[OP_CMPXCHG] = exec_cmpxchg, [OP_CMPXCHG8B] = exec_cmpxchg8b,
	[OP_BT] = exec_bit, [OP_BTS] = exec_bit, [OP_BTR] = exec_bit, [OP_BTC] = exec_bit,
	[OP_PUSH] = exec_push, [OP_POP] = exec_pop,
	[OP_CALL] = exec_branch, [OP_JMP] = exec_branch,
	[OP_MOVS] = exec_string, [OP_CMPS] = exec_string, [OP_STOS] = exec_string,
	[OP_LODS] = exec_string, [OP_SCAS] = exec_string,
	[OP_XMM_LOAD] = exec_xmm_load, [OP_XMM_LOAD_LOW] = exec_xmm_load,
	[OP_XMM_LOAD_HIGH] = exec_xmm_load,
	[OP_XMM_STORE] = exec_xmm_store, [OP_XMM_STORE_HIGH] = exec_xmm_store,
	[OP_NOP] = exec_nop,
};

/* RIP wraps with the code's address width. */
static u64 next_rip(const struct exec *x)
{
	u64 rip = x->rip + x->insn.len;

	if (is_long(x))
		return rip;
	return exec_mask(rip, x->mode == X86_MODE_PROT32 ? 4 : 2);
}

/**
 * exec_insn - execute x->insn once: one instruction, or one string element
 * @x: the state; on anything but EXEC_OK its registers are to be discarded
 *
 * Return: see enum exec_result.
 */
enum exec_result exec_insn(struct exec *x)
{
	enum exec_result (*handler)(struct exec *x);
	enum exec_result res;

	handler = x->insn.op < NR_OPS ? handlers[x->insn.op] : NULL;
	if (!handler)
		return EXEC_UNKNOWN;
	x->again = false;
	res = handler(x);
	if (res == EXEC_OK && !x->again && x->insn.op != OP_CALL && x->insn.op != OP_JMP)
		x->rip = next_rip(x);
	return res;
}
