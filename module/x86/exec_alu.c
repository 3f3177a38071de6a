// SPDX-License-Identifier: GPL-2.0
/*
 * Integer arithmetic with the status flags it leaves. Pure logic, also built
 * into the unit tests, which compare it with the CPU.
 *
 * Flags that the manual calls undefined are left as today's CPUs leave them
 * where that is simple, and unchanged otherwise.
 *
 * Source: Intel SDM vol. 1 (December 2023), "EFLAGS Register", appendix
 * "EFLAGS Cross-Reference".
 */
#include <linux/bits.h>
#include <linux/types.h>

#include "exec.h"

#define FLAG_CF	BIT(0)
#define FLAG_PF	BIT(2)
#define FLAG_AF	BIT(4)
#define FLAG_ZF	BIT(6)
#define FLAG_SF	BIT(7)
#define FLAG_OF	BIT(11)
#define FLAGS_ALL	(FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

u64 exec_mask(u64 v, u32 size)
{
	return size >= 8 ? v : v & ((1ull << (8 * size)) - 1);
}

static bool top_bit(u64 v, u32 size)
{
	return (v >> (8 * size - 1)) & 1;
}

static u64 flags_szp(u64 r, u32 size)
{
	u64 f = 0;

	if (!exec_mask(r, size))
		f |= FLAG_ZF;
	if (top_bit(r, size))
		f |= FLAG_SF;
	if (!(__builtin_popcount((u8)r) & 1))
		f |= FLAG_PF;
	return f;
}

static u64 add(u64 *flags, u64 a, u64 b, u32 carry, u32 size)
{
	u64 r = exec_mask(a + b + carry, size);

	*flags |= flags_szp(r, size) | ((a ^ b ^ r) & FLAG_AF);
	if (top_bit((a & b) | ((a | b) & ~r), size))
		*flags |= FLAG_CF;
	if (top_bit((a ^ r) & (b ^ r), size))
		*flags |= FLAG_OF;
	return r;
}

static u64 sub(u64 *flags, u64 a, u64 b, u32 borrow, u32 size)
{
	u64 r = exec_mask(a - b - borrow, size);

	*flags |= flags_szp(r, size) | ((a ^ b ^ r) & FLAG_AF);
	if (top_bit((~a & b) | ((~a | b) & r), size))
		*flags |= FLAG_CF;
	if (top_bit((a ^ b) & (a ^ r), size))
		*flags |= FLAG_OF;
	return r;
}

/**
 * exec_alu2 - ADD, OR, ADC, SBB, AND, SUB, XOR, CMP, TEST
 * @rflags: in: carry; out: status flags
 * @op: which
 * @a: destination operand
 * @b: source operand
 * @size: bytes
 *
 * Return: the result; for CMP and TEST, what is compared with zero.
 */
u64 exec_alu2(u64 *rflags, enum insn_op op, u64 a, u64 b, u32 size)
{
	u32 carry = *rflags & FLAG_CF;
	u64 f = 0, r;

	a = exec_mask(a, size);
	b = exec_mask(b, size);
	switch (op) {
	case OP_ADD:
		r = add(&f, a, b, 0, size);
		break;
	case OP_ADC:
		r = add(&f, a, b, carry, size);
		break;
	case OP_SUB:
	case OP_CMP:
		r = sub(&f, a, b, 0, size);
		break;
	case OP_SBB:
		r = sub(&f, a, b, carry, size);
		break;
	case OP_OR:
		r = a | b;
		f = flags_szp(r, size);
		break;
	case OP_XOR:
		r = a ^ b;
		f = flags_szp(r, size);
		break;
	default:	/* AND, TEST */
		r = a & b;
		f = flags_szp(r, size);
		break;
	}
	*rflags = (*rflags & ~(u64)FLAGS_ALL) | f;
	return r;
}

/**
 * exec_alu1 - INC, DEC, NEG, NOT
 * @rflags: in and out; INC and DEC keep the carry, NOT keeps all
 * @op: which
 * @a: operand
 * @size: bytes
 */
u64 exec_alu1(u64 *rflags, enum insn_op op, u64 a, u32 size)
{
	u64 f = 0, keep = 0, r;

	a = exec_mask(a, size);
	switch (op) {
	case OP_INC:
		r = add(&f, a, 1, 0, size);
		keep = FLAG_CF;
		break;
	case OP_DEC:
		r = sub(&f, a, 1, 0, size);
		keep = FLAG_CF;
		break;
	case OP_NEG:
		r = sub(&f, 0, a, 0, size);
		break;
	default:	/* NOT */
		return exec_mask(~a, size);
	}
	*rflags = (*rflags & ~(FLAGS_ALL & ~keep)) | (f & ~keep);
	return r;
}

/* Rotation through @width places, one step at a time: counts are small. */
static u64 rotate(u64 *rflags, enum insn_op op, u64 a, u32 count, u32 size)
{
	bool cf = *rflags & FLAG_CF, out, of;
	u64 top = 1ull << (8 * size - 1);

	while (count--) {
		if (op == OP_ROL || op == OP_RCL) {
			out = a & top;
			a = exec_mask(a << 1, size) | (op == OP_ROL ? out : cf);
		} else {
			out = a & 1;
			a = (a >> 1) | ((op == OP_ROR ? out : cf) ? top : 0);
		}
		cf = out;
	}
	of = op == OP_ROL || op == OP_RCL ? top_bit(a, size) != cf :
	     top_bit(a, size) != top_bit(a << 1, size);
	*rflags &= ~(u64)(FLAG_CF | FLAG_OF);
	*rflags |= (cf ? FLAG_CF : 0) | (of ? FLAG_OF : 0);
	return a;
}

/**
 * exec_shift - ROL, ROR, RCL, RCR, SHL, SHR, SAL, SAR
 * @rflags: in and out
 * @op: which
 * @a: operand
 * @count: as encoded; the CPU uses its low five bits, six for 64-bit operands
 * @size: bytes
 */
u64 exec_shift(u64 *rflags, enum insn_op op, u64 a, u32 count, u32 size)
{
	u32 bits = 8 * size;
	u64 r, f = 0;
	s64 wide;
	bool cf, of;

	a = exec_mask(a, size);
	count &= size == 8 ? 63 : 31;
	if (!count)
		return a;

	switch (op) {
	case OP_ROL:
	case OP_ROR:
	case OP_RCL:
	case OP_RCR:
		return rotate(rflags, op, a, count, size);
	case OP_SHR:
		r = count < bits ? a >> count : 0;
		cf = count <= bits && ((a >> (count - 1)) & 1);
		of = top_bit(a, size);
		break;
	case OP_SAR:
		wide = (s64)(a << (64 - bits)) >> (64 - bits);
		r = exec_mask(wide >> count, size);
		cf = (wide >> (count - 1)) & 1;
		of = false;
		break;
	default:	/* SHL, SAL */
		r = count < bits ? exec_mask(a << count, size) : 0;
		cf = count <= bits && ((a >> (bits - count)) & 1);
		of = top_bit(r, size) != cf;
		break;
	}
	f = flags_szp(r, size) | (cf ? FLAG_CF : 0) | (of ? FLAG_OF : 0);
	*rflags = (*rflags & ~(u64)(FLAGS_ALL & ~FLAG_AF)) | f;
	return r;
}

static s64 sign_extend(u64 v, u32 size)
{
	return (s64)(v << (64 - 8 * size)) >> (64 - 8 * size);
}

/**
 * exec_mul - MUL and IMUL
 * @rflags: out: CF and OF: the upper half matters
 * @is_signed: IMUL
 * @a: operand
 * @b: operand
 * @size: bytes of an operand
 * @lo: out: lower half of the product
 * @hi: out: upper half
 */
void exec_mul(u64 *rflags, bool is_signed, u64 a, u64 b, u32 size, u64 *lo, u64 *hi)
{
	unsigned __int128 p;
	bool wide;

	if (is_signed) {
		__int128 s = (__int128)sign_extend(a, size) * sign_extend(b, size);

		p = s;
		wide = s != sign_extend((u64)p, size);
	} else {
		p = (unsigned __int128)exec_mask(a, size) * exec_mask(b, size);
		wide = p >> (8 * size);
	}
	*lo = exec_mask((u64)p, size);
	*hi = exec_mask((u64)(p >> (8 * size)), size);
	*rflags &= ~(u64)(FLAG_CF | FLAG_OF);
	if (wide)
		*rflags |= FLAG_CF | FLAG_OF;
}

/**
 * exec_cond - does a condition hold?
 * @rflags: status flags
 * @cond: low four bits of a CMOV, SET or Jcc opcode
 */
bool exec_cond(u64 rflags, u8 cond)
{
	bool sf = rflags & FLAG_SF, of = rflags & FLAG_OF, r;

	switch (cond >> 1) {
	case 0:
		r = of;
		break;
	case 1:
		r = rflags & FLAG_CF;
		break;
	case 2:
		r = rflags & FLAG_ZF;
		break;
	case 3:
		r = rflags & (FLAG_CF | FLAG_ZF);
		break;
	case 4:
		r = sf;
		break;
	case 5:
		r = rflags & FLAG_PF;
		break;
	case 6:
		r = sf != of;
		break;
	default:
		r = (rflags & FLAG_ZF) || sf != of;
		break;
	}
	return r != (cond & 1);
}
