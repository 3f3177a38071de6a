// SPDX-License-Identifier: GPL-2.0
/*
 * From instruction bytes to struct insn: prefixes, ModRM, SIB, displacement
 * and immediate; the opcode maps are in opcodes.c. Pure logic, also built into
 * the unit tests.
 *
 * Source: Intel SDM vol. 2A (December 2023), "Instruction Format".
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>

#include "opcodes.h"

/**
 * struct cursor - decoding in progress
 * @p: bytes
 * @len: how many there are
 * @at: how many were used
 * @mode: the guest's
 * @prefix66: operand-size prefix
 * @rex: REX prefix, 0 if none; with VEX, its bits in the same places
 * @vex: there is a VEX prefix
 * @vex_prefix: SSE_*, from VEX.pp
 * @vex256: VEX.L
 * @vex_map: opcode map that VEX chose: 1 (0F), 2 (0F 38)
 * @short_data: the bytes ended too early
 */
struct cursor {
	const u8 *p;
	u32 len, at;
	enum x86_mode mode;
	bool prefix66;
	u8 rex;
	bool vex;
	u8 vex_prefix;
	bool vex256;
	u8 vex_map;
	bool short_data;
};

static bool is_long(const struct cursor *c)
{
	return c->mode == X86_MODE_LONG || c->mode == X86_MODE_LONG57;
}

static u8 next_byte(struct cursor *c)
{
	if (c->at >= c->len) {
		c->short_data = true;
		return 0;
	}
	return c->p[c->at++];
}

/* Little-endian, sign-extended. */
static s64 next_signed(struct cursor *c, int size)
{
	u64 v = 0;
	int i;

	for (i = 0; i < size; i++)
		v |= (u64)next_byte(c) << (8 * i);
	return (s64)(v << (64 - 8 * size)) >> (64 - 8 * size);
}

/* ---- prefixes ----------------------------------------------------------- */

/* Returns the first byte that is not a prefix. */
static u8 decode_prefixes(struct cursor *c, struct insn *i, bool *prefix67)
{
	u8 b, rex = 0;

	i->seg = REG_NONE;
	for (;;) {
		b = next_byte(c);
		if ((b & 0xf0) == 0x40 && is_long(c)) {
			rex = b;	/* counts only right before the opcode */
			continue;
		}
		switch (b) {
		case 0x26:		/* ES CS SS DS: nothing in 64-bit mode */
		case 0x2e:
		case 0x36:
		case 0x3e:
			if (!is_long(c))
				i->seg = (b >> 3) & 3;
			break;
		case 0x64:		/* FS, GS */
		case 0x65:
			i->seg = 4 + (b & 1);
			break;
		case 0x66:
			c->prefix66 = true;
			break;
		case 0x67:
			*prefix67 = true;
			break;
		case 0xf0:
			i->lock = true;
			break;
		case 0xf2:
		case 0xf3:
			i->rep = b;
			break;
		default:
			c->rex = rex;
			return b;
		}
		rex = 0;
	}
}

/* ---- ModRM, SIB, displacement ------------------------------------------- */

static void decode_address16(struct cursor *c, struct insn *i, u8 mod, u8 rm)
{
	/* BX+SI BX+DI BP+SI BP+DI SI DI BP BX */
	static const u8 base[8] = { 3, 3, 5, 5, 6, 7, 5, 3 };
	static const u8 index[4] = { 6, 7, 6, 7 };

	i->base = base[rm];
	i->index = rm < 4 ? index[rm] : REG_NONE;
	if (mod == 0 && rm == 6) {
		i->base = REG_NONE;
		i->disp = next_signed(c, 2);
	} else if (mod) {
		i->disp = next_signed(c, mod == 1 ? 1 : 2);
	}
}

static void decode_address(struct cursor *c, struct insn *i, u8 mod, u8 rm)
{
	u8 sib;

	if (i->addr_size == 2) {
		decode_address16(c, i, mod, rm);
		return;
	}
	if (rm == 4) {
		sib = next_byte(c);
		i->scale = sib >> 6;
		i->index = ((sib >> 3) & 7) | (c->rex & 2) << 2;
		if (i->index == 4)
			i->index = REG_NONE;
		rm = sib & 7;
		i->base = rm | (c->rex & 1) << 3;
		if (mod == 0 && rm == 5)
			i->base = REG_NONE;
	} else {
		i->base = rm | (c->rex & 1) << 3;
		if (mod == 0 && rm == 5)
			i->base = is_long(c) ? REG_PC : REG_NONE;
	}
	if (mod == 1)
		i->disp = next_signed(c, 1);
	else if (mod == 2 || i->base == REG_NONE || i->base == REG_PC)
		i->disp = next_signed(c, 4);
}

static void decode_modrm(struct cursor *c, struct insn *i, u8 modrm)
{
	u8 mod = modrm >> 6, rm = modrm & 7;

	i->reg = ((modrm >> 3) & 7) | (c->rex & 4) << 1;
	if (mod == 3) {
		i->rm = rm | (c->rex & 1) << 3;
		return;
	}
	i->mem = true;
	decode_address(c, i, mod, rm);
	if (i->seg == REG_NONE)		/* SS goes with (E)BP and (E)SP as base */
		i->seg = i->base == 4 || i->base == 5 ? 2 : 3;
}

/* ---- opcodes ------------------------------------------------------------ */

static u8 sse_prefix(const struct cursor *c, const struct insn *i)
{
	if (c->vex)
		return c->vex_prefix;
	return i->rep == 0xf3 ? SSE_F3 : i->rep == 0xf2 ? SSE_F2 :
	       c->prefix66 ? SSE_66 : SSE_NONE;
}

/*
 * C4 and C5 are VEX in 64-bit mode, and elsewhere in protected mode if what
 * would be ModRM names a register. Otherwise they load a segment and a pointer.
 */
static bool starts_vex(const struct cursor *c, u8 b)
{
	if ((b & 0xfe) != 0xc4 || c->mode == X86_MODE_REAL)
		return false;
	return is_long(c) || (c->at < c->len && c->p[c->at] >= 0xc0);
}

static bool decode_vex(struct cursor *c, struct insn *i, u8 b)
{
	static const u8 prefixes[] = { SSE_NONE, SSE_66, SSE_F3, SSE_F2 };
	u8 first, last;

	if (i->lock || i->rep || c->prefix66 || i->rex)
		return false;
	first = next_byte(c);
	last = first;
	c->vex = true;
	c->vex_map = 1;
	c->rex = first & 0x80 ? 0 : 4;
	if (b == 0xc4) {
		last = next_byte(c);
		c->vex_map = first & 0x1f;
		c->rex |= (first & 0x40 ? 0 : 2) | (first & 0x20 ? 0 : 1);
		c->rex |= last & 0x80 ? 8 : 0;
	}
	if (!is_long(c))
		c->rex = 0;
	c->vex_prefix = prefixes[last & 3];
	c->vex256 = last & 4;
	/* No move between memory and a register has a third operand. */
	return (last & 0x78) == 0x78;
}

static bool vector_opcode(struct cursor *c, struct insn *i, u8 opcode, struct opcode *o)
{
	i->op_size = c->vex256 ? 32 : c->rex & 8 ? 8 : 4;
	i->vex = c->vex;
	return opcode_vector(opcode, sse_prefix(c, i), c->vex, o, &i->op_size, &i->align);
}

static bool map_0f38(struct cursor *c, struct insn *i, struct opcode *o)
{
	i->opcode = next_byte(c);
	if (!opcode_0f38(i->opcode, sse_prefix(c, i), o, &i->op_size))
		return false;
	if (o->op == OP_XMM_LOAD) {
		i->op_size = c->vex256 ? 32 : 16;
		i->align = i->op_size;
		i->vex = c->vex;
		return true;
	}
	return !c->vex;
}

/* Find the opcode, its map included. *@second: it is in the 0F map. */
static bool decode_opcode(struct cursor *c, struct insn *i, u8 b, struct opcode *o, bool *second)
{
	*second = false;
	i->opcode = b;
	if (starts_vex(c, b)) {
		if (!decode_vex(c, i, b))
			return false;
		if (c->vex_map == 2)
			return map_0f38(c, i, o);
		i->opcode = next_byte(c);
		return c->vex_map == 1 && vector_opcode(c, i, i->opcode, o);
	}
	if (b != 0x0f)
		return opcode_one_byte(b, is_long(c), o);

	*second = true;
	i->opcode = next_byte(c);
	if (i->opcode == 0x38)
		return map_0f38(c, i, o);
	return opcode_two_byte(i->opcode, sse_prefix(c, i), o) ||
	       vector_opcode(c, i, i->opcode, o);
}

/* ---- operands ----------------------------------------------------------- */

static void decode_sizes(const struct cursor *c, struct insn *i, const struct opcode *o)
{
	bool wide = c->mode == X86_MODE_PROT32 || is_long(c);

	if (!(o->flags & FIXED)) {
		i->op_size = wide != c->prefix66 ? 4 : 2;
		if (is_long(c)) {
			if ((o->flags & D64) && i->op_size == 4)
				i->op_size = 8;
			if ((c->rex & 8) || (o->flags & NEAR))
				i->op_size = 8;
		}
		if (o->flags & NATIVE)
			i->op_size = is_long(c) ? 8 : 4;
		if (o->flags & BYTE)
			i->op_size = 1;
	}
	i->src_size = o->flags & SRC8 ? 1 : o->flags & SRC16 ? 2 : o->flags & SRC32 ? 4 :
		      i->op_size;
}

static void decode_immediates(struct cursor *c, struct insn *i, const struct opcode *o)
{
	if (o->flags & FAR) {
		i->imm = (u64)next_signed(c, i->op_size) & (i->op_size == 2 ? 0xffff : 0xffffffff);
		i->imm2 = next_signed(c, 2);
		return;
	}
	if (o->flags & IMM16) {
		i->imm = next_signed(c, 2) & 0xffff;
		if (o->flags & IMM8)
			i->imm2 = next_byte(c);
		return;
	}
	if (o->flags & IMM8)
		i->imm = next_signed(c, 1);
	else if (o->flags & IMM64)
		i->imm = next_signed(c, i->op_size);
	else if (o->flags & IMM)
		i->imm = next_signed(c, i->op_size == 8 ? 4 : i->op_size);
}

/* Operands that need no ModRM byte: false if the form has one. */
static bool decode_implied(struct cursor *c, struct insn *i, const struct opcode *o)
{
	switch (o->form) {
	case FORM_STRING:
		i->mem = true;
		break;
	case FORM_ACC_MEM:
	case FORM_MEM_ACC:
		i->mem = true;
		i->disp = next_signed(c, i->addr_size);
		break;
	case FORM_NONE:
		if (o->flags & GROUP)
			return false;
		i->mem = o->op == OP_XLAT;
		break;
	case FORM_IMM:
		break;
	default:
		if (!(o->flags & (OPREG | ACC)))
			return false;
		if (o->flags & OPREG)
			i->rm = (i->opcode & 7) | (c->rex & 1) << 3;
	}
	if (i->mem && i->seg == REG_NONE)
		i->seg = 3;
	if (o->flags & SREG)
		i->reg = (i->opcode >> 3) & 7;
	return true;
}

static bool decode_explicit(struct cursor *c, struct insn *i, struct opcode *o, bool second)
{
	u8 modrm = next_byte(c);

	decode_modrm(c, i, o->flags & REGS ? modrm | 0xc0 : modrm);
	if (c->short_data)
		return true;
	if ((o->flags & GROUP) && !opcode_group(i->opcode, modrm, second, sse_prefix(c, i), o))
		return false;
	if ((o->flags & MEM) && !i->mem)
		return false;
	/* CMPXCHG16B: no way to do it atomically. */
	if (o->op == OP_CMPXCHG8B && (c->rex & 8))
		return false;
	if (o->op == OP_FXSAVE || o->op == OP_FXRSTOR)
		i->align = 16;
	/* There are six segment registers, and CS is not loaded by a move. */
	if (o->op == OP_MOV_FROM_SREG || o->op == OP_MOV_TO_SREG) {
		i->reg &= 7;
		if (i->reg > 5 || (o->op == OP_MOV_TO_SREG && i->reg == 1))
			return false;
	}
	return true;
}

static bool decode_operands(struct cursor *c, struct insn *i, struct opcode *o, bool second)
{
	if (!decode_implied(c, i, o) && !decode_explicit(c, i, o, second))
		return false;
	if (c->short_data)
		return true;
	if (i->lock && !(i->mem && (o->flags & LOCKABLE)))
		return false;
	decode_sizes(c, i, o);
	decode_immediates(c, i, o);
	/* 90 exchanges nothing, not even the upper half of RAX. */
	if (o->op == OP_XCHG && (o->flags & OPREG) && !i->rm)
		o->op = OP_NOP;
	return true;
}

/**
 * insn_decode - decode one instruction
 * @bytes: from its first byte on
 * @len: how many are there; never reads past them
 * @mode: the guest's mode
 * @insn: out
 *
 * Return: 0, -ENODATA or -EINVAL (see decode.h).
 */
int insn_decode(const u8 *bytes, u32 len, enum x86_mode mode, struct insn *insn)
{
	struct cursor c = { .p = bytes, .len = len > INSN_MAX ? INSN_MAX : len, .mode = mode };
	struct opcode o = {};
	bool prefix67 = false, second, known;
	u8 b;

	memset(insn, 0, sizeof(*insn));
	insn->base = REG_NONE;
	insn->index = REG_NONE;

	b = decode_prefixes(&c, insn, &prefix67);
	if (is_long(&c))
		insn->addr_size = prefix67 ? 4 : 8;
	else
		insn->addr_size = (mode == X86_MODE_PROT32) != prefix67 ? 4 : 2;
	insn->rex = c.rex;

	known = !c.short_data && decode_opcode(&c, insn, b, &o, &second);
	if (known && !c.short_data)
		known = decode_operands(&c, insn, &o, second);
	if (c.short_data)		/* at 15 bytes it is too long for any CPU */
		return c.len < INSN_MAX ? -ENODATA : -EINVAL;
	if (!known)
		return -EINVAL;

	insn->op = o.op;
	insn->form = o.form;
	insn->len = c.at;
	if (o.flags & COND)
		insn->cond = insn->opcode & 0xf;
	return 0;
}
