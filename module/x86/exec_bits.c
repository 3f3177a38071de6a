// SPDX-License-Identifier: GPL-2.0
/*
 * Arithmetic beyond the eight basic operations: double shifts, division, bit
 * scans, CRC32 and decimal adjustment. Pure logic, also built into the unit
 * tests, which compare it with the CPU.
 *
 * Source: Intel SDM vol. 2A and 2B (December 2023), the page of each
 * instruction.
 */
#include <linux/bits.h>
#include <linux/types.h>

#include "exec_impl.h"

static u64 szp(u64 *rflags, u64 r, u32 size)
{
	r = exec_mask(r, size);
	*rflags &= ~(u64)(FLAG_ZF | FLAG_SF | FLAG_PF);
	if (!r)
		*rflags |= FLAG_ZF;
	if ((r >> (8 * size - 1)) & 1)
		*rflags |= FLAG_SF;
	if (!(__builtin_popcount((u8)r) & 1))
		*rflags |= FLAG_PF;
	return r;
}

static void put_flag(u64 *rflags, u64 flag, bool set)
{
	*rflags = set ? *rflags | flag : *rflags & ~flag;
}

/**
 * exec_double_shift - SHLD and SHRD
 * @rflags: in and out
 * @op: which
 * @a: destination
 * @b: source of the bits that come in
 * @count: as encoded; the CPU uses its low five bits, six for 64-bit operands
 * @size: bytes
 *
 * Counts above the width of a word leave the manual's guarantee; the result is
 * then what shifting the two operands as one ring of 32 bits gives.
 */
u64 exec_double_shift(u64 *rflags, enum insn_op op, u64 a, u64 b, u32 count, u32 size)
{
	u32 bits = 8 * size;
	u64 r, top = 1ull << (bits - 1);
	bool cf;

	a = exec_mask(a, size);
	b = exec_mask(b, size);
	count &= size == 8 ? 63 : 31;
	if (!count)
		return a;
	if (count > bits) {		/* only words: go round */
		u64 t = a;

		a = b;
		b = t;
		count -= bits;
	}
	if (op == OP_SHLD) {
		cf = (a >> (bits - count)) & 1;
		r = count == bits ? b : a << count | b >> (bits - count);
	} else {
		cf = (a >> (count - 1)) & 1;
		r = count == bits ? b : a >> count | b << (bits - count);
	}
	r = szp(rflags, r, size);
	put_flag(rflags, FLAG_CF, cf);
	put_flag(rflags, FLAG_OF, (r ^ a) & top);
	return r;
}

/* @hi:@lo / @divisor, when the quotient fits 64 bits. */
static u64 divide_wide(u64 hi, u64 lo, u64 divisor, u64 *rem)
{
	u64 q, r;

	asm("divq %4" : "=a" (q), "=d" (r) : "0" (lo), "1" (hi), "rm" (divisor) : "cc");
	*rem = r;
	return q;
}

/**
 * exec_divide - DIV and IDIV
 * @is_signed: IDIV
 * @divisor: of @size bytes
 * @size: bytes of quotient and remainder; the dividend has twice as many
 * @lo: in: lower half of the dividend; out: quotient
 * @hi: in: upper half; out: remainder
 *
 * Return: false if the divisor is zero or the quotient does not fit (#DE).
 */
bool exec_divide(bool is_signed, u64 divisor, u32 size, u64 *lo, u64 *hi)
{
	unsigned __int128 n = exec_mask(*hi, size);
	u64 sign = 1ull << (8 * size - 1), q, r, limit;
	bool negative = false, negative_rem = false;

	n = n << (8 * size) | exec_mask(*lo, size);
	divisor = exec_mask(divisor, size);
	if (!divisor)
		return false;
	limit = exec_mask(~0ull, size);
	if (is_signed) {
		negative_rem = *hi & sign;
		negative = negative_rem != !!(divisor & sign);
		if (negative_rem)
			n = -n;
		if (size < 8)
			n &= ((unsigned __int128)1 << (16 * size)) - 1;
		if (divisor & sign)
			divisor = exec_mask(-divisor, size);
		limit = negative ? sign : sign - 1;
	}
	if ((u64)(n >> 64) >= divisor)
		return false;
	q = divide_wide(n >> 64, (u64)n, divisor, &r);
	if (q > limit)
		return false;
	*lo = exec_mask(negative ? -q : q, size);
	*hi = exec_mask(negative_rem ? -r : r, size);
	return true;
}

/**
 * exec_scan - BSF, BSR, TZCNT, LZCNT, POPCNT
 * @rflags: in and out
 * @op: which
 * @v: operand
 * @size: bytes
 * @r: out
 *
 * Return: false if the destination keeps its value (BSF, BSR of zero).
 */
bool exec_scan(u64 *rflags, enum insn_op op, u64 v, u32 size, u64 *r)
{
	u32 bits = 8 * size;

	v = exec_mask(v, size);
	switch (op) {
	case OP_BSF:
	case OP_BSR:
		put_flag(rflags, FLAG_ZF, !v);
		if (!v)
			return false;
		*r = op == OP_BSF ? __builtin_ctzll(v) : 63 - __builtin_clzll(v);
		return true;
	case OP_POPCNT:
		*r = 0;
		for (; v; v &= v - 1)
			++*r;
		*rflags &= ~(u64)FLAGS_STATUS;
		put_flag(rflags, FLAG_ZF, !*r);
		return true;
	default:	/* TZCNT, LZCNT */
		if (!v)
			*r = bits;
		else if (op == OP_TZCNT)
			*r = __builtin_ctzll(v);
		else
			*r = __builtin_clzll(v) - (64 - bits);
		put_flag(rflags, FLAG_CF, !v);
		put_flag(rflags, FLAG_ZF, !*r);
		return true;
	}
}

/**
 * exec_crc32 - CRC32, the Castagnoli polynomial, least significant bit first
 * @crc: so far
 * @data: next bytes
 * @size: how many
 */
u32 exec_crc32(u32 crc, u64 data, u32 size)
{
	u32 i;

	while (size--) {
		crc ^= (u8)data;
		data >>= 8;
		for (i = 0; i < 8; i++)
			crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78 : 0);
	}
	return crc;
}

/* DAA and DAS. */
static void adjust_packed(u64 *rflags, bool subtract, u16 *ax)
{
	u8 al = *ax, old = al;
	bool cf = *rflags & FLAG_CF, carry = false, af = *rflags & FLAG_AF;

	if ((al & 0xf) > 9 || af) {
		carry = cf || (subtract ? al < 6 : al > 0xf9);
		al += subtract ? -6 : 6;
		af = true;
	}
	if (old > 0x99 || cf) {
		al += subtract ? -0x60 : 0x60;
		carry = true;
	} else if (!subtract) {
		carry = false;
	}
	szp(rflags, al, 1);
	put_flag(rflags, FLAG_AF, af);
	put_flag(rflags, FLAG_CF, carry);
	*ax = (*ax & 0xff00) | al;
}

/* AAA and AAS. */
static void adjust_unpacked(u64 *rflags, bool subtract, u16 *ax)
{
	bool adjust = (*ax & 0xf) > 9 || (*rflags & FLAG_AF);

	if (adjust)
		*ax = subtract ? *ax - 0x106 : *ax + 0x106;
	*ax &= 0xff0f;
	put_flag(rflags, FLAG_AF, adjust);
	put_flag(rflags, FLAG_CF, adjust);
}

/**
 * exec_decimal - AAA, AAS, DAA, DAS, AAM, AAD
 * @rflags: in and out
 * @op: which
 * @base: AAM and AAD: the immediate
 * @ax: in and out
 *
 * Return: false: AAM with a base of zero (#DE).
 */
bool exec_decimal(u64 *rflags, enum insn_op op, u8 base, u16 *ax)
{
	u8 al = *ax, ah = *ax >> 8;

	switch (op) {
	case OP_AAM:
		if (!base)
			return false;
		*ax = (al / base) << 8 | al % base;
		szp(rflags, *ax, 1);
		return true;
	case OP_AAD:
		*ax = (u8)(al + ah * base);
		szp(rflags, *ax, 1);
		return true;
	case OP_DAA:
	case OP_DAS:
		adjust_packed(rflags, op == OP_DAS, ax);
		return true;
	default:
		adjust_unpacked(rflags, op == OP_AAS, ax);
		return true;
	}
}
