// SPDX-License-Identifier: GPL-2.0
/*
 * From instruction bytes to struct insn: prefixes, opcode tables, ModRM, SIB,
 * displacement and immediate. Pure logic, also built into the unit tests.
 *
 * Source: Intel SDM vol. 2A and 2D (December 2023), "Instruction Format" and
 * "Opcode Map".
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/string.h>
#include <linux/types.h>

#include "decode.h"

/* Opcode flags. */
#define BYTE	BIT(0)		/* operands are bytes */
#define SRC8	BIT(1)		/* the source is a byte, the destination is not */
#define SRC16	BIT(2)
#define SRC32	BIT(3)
#define IMM	BIT(4)		/* immediate of operand size, at most 4 bytes */
#define IMM8	BIT(5)		/* immediate byte, sign-extended */
#define D64	BIT(6)		/* 64-bit operands by default in 64-bit mode */
#define GROUP	BIT(7)		/* ModRM.reg selects from a group */
#define LOCKABLE BIT(8)
#define MEM	BIT(9)		/* the register form is another instruction */
#define LONG	BIT(10)		/* 64-bit mode only */
#define COND	BIT(11)		/* the low opcode bits are a condition */
#define XMM	BIT(12)		/* operand size does not depend on prefixes */

struct opcode {
	u8 op;
	u8 form;
	u16 flags;
};

#define O(_op, _form, _flags)	{ .op = OP_##_op, .form = FORM_##_form, .flags = (_flags) }

/* Without 00 to 3F, which alu_opcode() knows. */
static const struct opcode one_byte[256] = {
	[0x63] = O(MOVSX, REG_RM, SRC32 | LONG),
	[0x69] = O(IMUL_REG, REG_RM_IMM, IMM), [0x6b] = O(IMUL_REG, REG_RM_IMM, IMM8),
	/* Groups: the operation comes from ModRM.reg. */
	[0x80] = O(ADD, RM_IMM, BYTE | IMM | GROUP), [0x81] = O(ADD, RM_IMM, IMM | GROUP),
	[0x83] = O(ADD, RM_IMM, IMM8 | GROUP),
	[0x84] = O(TEST, RM_REG, BYTE), [0x85] = O(TEST, RM_REG, 0),
	[0x86] = O(XCHG, RM_REG, BYTE | LOCKABLE), [0x87] = O(XCHG, RM_REG, LOCKABLE),
	[0x88] = O(MOV, RM_REG, BYTE), [0x89] = O(MOV, RM_REG, 0),
	[0x8a] = O(MOV, REG_RM, BYTE), [0x8b] = O(MOV, REG_RM, 0),
	[0x8c] = O(MOV_FROM_SREG, RM_REG, 0),
	[0x8f] = O(POP, RM, D64 | GROUP),
	[0xa0] = O(MOV, ACC_MEM, BYTE), [0xa1] = O(MOV, ACC_MEM, 0),
	[0xa2] = O(MOV, MEM_ACC, BYTE), [0xa3] = O(MOV, MEM_ACC, 0),
	[0xa4] = O(MOVS, STRING, BYTE), [0xa5] = O(MOVS, STRING, 0),
	[0xa6] = O(CMPS, STRING, BYTE), [0xa7] = O(CMPS, STRING, 0),
	[0xaa] = O(STOS, STRING, BYTE), [0xab] = O(STOS, STRING, 0),
	[0xac] = O(LODS, STRING, BYTE), [0xad] = O(LODS, STRING, 0),
	[0xae] = O(SCAS, STRING, BYTE), [0xaf] = O(SCAS, STRING, 0),
	[0xc0] = O(ROL, RM_IMM, BYTE | IMM8 | GROUP), [0xc1] = O(ROL, RM_IMM, IMM8 | GROUP),
	[0xc6] = O(MOV, RM_IMM, BYTE | IMM | GROUP), [0xc7] = O(MOV, RM_IMM, IMM | GROUP),
	[0xd0] = O(ROL, RM_1, BYTE | GROUP), [0xd1] = O(ROL, RM_1, GROUP),
	[0xd2] = O(ROL, RM_CL, BYTE | GROUP), [0xd3] = O(ROL, RM_CL, GROUP),
	[0xf6] = O(TEST, RM, BYTE | GROUP), [0xf7] = O(TEST, RM, GROUP),
	[0xfe] = O(INC, RM, BYTE | GROUP), [0xff] = O(INC, RM, GROUP),
};

/* After 0F. The SSE opcodes, which a prefix changes, are in sse_opcode(). */
static const struct opcode two_byte[256] = {
	[0x0d] = O(NOP, RM, MEM), [0x18] = O(NOP, RM, 0), [0x1f] = O(NOP, RM, 0),
	[0x40 ... 0x4f] = O(CMOV, REG_RM, COND),
	[0x90 ... 0x9f] = O(SET, RM, BYTE | COND),
	[0xa3] = O(BT, RM_REG, 0), [0xab] = O(BTS, RM_REG, LOCKABLE),
	[0xae] = O(NOP, RM, MEM | GROUP),
	[0xaf] = O(IMUL_REG, REG_RM, 0),
	[0xb0] = O(CMPXCHG, RM_REG, BYTE | LOCKABLE), [0xb1] = O(CMPXCHG, RM_REG, LOCKABLE),
	[0xb3] = O(BTR, RM_REG, LOCKABLE),
	[0xb6] = O(MOVZX, REG_RM, SRC8), [0xb7] = O(MOVZX, REG_RM, SRC16),
	[0xba] = O(BT, RM_IMM, IMM8 | GROUP), [0xbb] = O(BTC, RM_REG, LOCKABLE),
	[0xbe] = O(MOVSX, REG_RM, SRC8), [0xbf] = O(MOVSX, REG_RM, SRC16),
	[0xc0] = O(XADD, RM_REG, BYTE | LOCKABLE), [0xc1] = O(XADD, RM_REG, LOCKABLE),
	[0xc3] = O(MOV, RM_REG, MEM),			/* MOVNTI */
	[0xc7] = O(CMPXCHG8B, RM, MEM | GROUP | LOCKABLE),
};

/**
 * struct cursor - decoding in progress
 * @p: bytes
 * @len: how many there are
 * @at: how many were used
 * @mode: the guest's
 * @prefix66: operand-size prefix
 * @rex: REX prefix, 0 if none
 * @short_data: the bytes ended too early
 */
struct cursor {
	const u8 *p;
	u32 len, at;
	enum x86_mode mode;
	bool prefix66;
	u8 rex;
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

/* Groups 1, 1A, 2, 3, 4, 5, 8, 9, 11 and 15: what ModRM.reg makes of them. */
static bool resolve_group(const struct cursor *c, bool two, u8 opcode, u8 reg, struct opcode *o)
{
	static const u8 group3[8] = { OP_TEST, OP_TEST, OP_NOT, OP_NEG, OP_MUL, OP_IMUL };
	static const u8 group5[8] = { OP_INC, OP_DEC, OP_CALL, OP_NONE, OP_JMP, OP_NONE, OP_PUSH };

	if (two) {
		switch (opcode) {
		case 0xae:		/* CLFLUSH(OPT), CLWB; FXSAVE and kin are not for devices */
			return reg == 7 || (reg == 6 && c->prefix66);
		case 0xba:
			o->op = OP_BT + (reg & 3);
			if (reg > 4)
				o->flags |= LOCKABLE;
			return reg >= 4;
		default:		/* 0xc7; with REX.W it is CMPXCHG16B */
			return reg == 1 && !(c->rex & 8);
		}
	}
	switch (opcode) {
	case 0x80 ... 0x83:
		o->op = OP_ADD + reg;
		if (o->op != OP_CMP)
			o->flags |= LOCKABLE;
		return true;
	case 0xc0:
	case 0xc1:
	case 0xd0 ... 0xd3:
		o->op = OP_ROL + reg;
		return true;
	case 0xf6:
	case 0xf7:
		o->op = group3[reg];
		if (o->op == OP_TEST) {
			o->form = FORM_RM_IMM;
			o->flags |= IMM;
		} else if (reg < 4) {
			o->flags |= LOCKABLE;
		}
		return o->op != OP_NONE;
	case 0xfe:
	case 0xff:
		if (opcode == 0xfe && reg > 1)
			return false;
		o->op = group5[reg];
		o->flags |= reg < 2 ? LOCKABLE : D64;
		return o->op != OP_NONE;
	default:			/* 0x8f, 0xc6, 0xc7 */
		return reg == 0;
	}
}

#define SSE_NONE	0
#define SSE_66		1
#define SSE_F3		2
#define SSE_F2		3

/*
 * Moves between XMM registers and memory. @size 0: MOVD or MOVQ, by REX.W.
 */
static const struct {
	u8 opcode, prefix, op, size;
} sse_opcodes[] = {
	{ 0x10, SSE_NONE, OP_XMM_LOAD, 16 },	{ 0x11, SSE_NONE, OP_XMM_STORE, 16 },
	{ 0x10, SSE_66, OP_XMM_LOAD, 16 },	{ 0x11, SSE_66, OP_XMM_STORE, 16 },
	{ 0x10, SSE_F3, OP_XMM_LOAD, 4 },	{ 0x11, SSE_F3, OP_XMM_STORE, 4 },
	{ 0x10, SSE_F2, OP_XMM_LOAD, 8 },	{ 0x11, SSE_F2, OP_XMM_STORE, 8 },
	{ 0x12, SSE_NONE, OP_XMM_LOAD_LOW, 8 },	{ 0x13, SSE_NONE, OP_XMM_STORE, 8 },
	{ 0x12, SSE_66, OP_XMM_LOAD_LOW, 8 },	{ 0x13, SSE_66, OP_XMM_STORE, 8 },
	{ 0x16, SSE_NONE, OP_XMM_LOAD_HIGH, 8 }, { 0x17, SSE_NONE, OP_XMM_STORE_HIGH, 8 },
	{ 0x16, SSE_66, OP_XMM_LOAD_HIGH, 8 },	{ 0x17, SSE_66, OP_XMM_STORE_HIGH, 8 },
	{ 0x28, SSE_NONE, OP_XMM_LOAD, 16 },	{ 0x29, SSE_NONE, OP_XMM_STORE, 16 },
	{ 0x28, SSE_66, OP_XMM_LOAD, 16 },	{ 0x29, SSE_66, OP_XMM_STORE, 16 },
	{ 0x2b, SSE_NONE, OP_XMM_STORE, 16 },	{ 0x2b, SSE_66, OP_XMM_STORE, 16 },
	{ 0x6e, SSE_66, OP_XMM_LOAD, 0 },	{ 0x7e, SSE_66, OP_XMM_STORE, 0 },
	{ 0x7e, SSE_F3, OP_XMM_LOAD, 8 },	{ 0xd6, SSE_66, OP_XMM_STORE, 8 },
	{ 0x6f, SSE_66, OP_XMM_LOAD, 16 },	{ 0x7f, SSE_66, OP_XMM_STORE, 16 },
	{ 0x6f, SSE_F3, OP_XMM_LOAD, 16 },	{ 0x7f, SSE_F3, OP_XMM_STORE, 16 },
	{ 0xe7, SSE_66, OP_XMM_STORE, 16 },
	{ .op = OP_NONE },
};

static bool sse_opcode(const struct cursor *c, struct insn *i, u8 opcode, struct opcode *o)
{
	u8 prefix = i->rep == 0xf3 ? SSE_F3 : i->rep == 0xf2 ? SSE_F2 :
		    c->prefix66 ? SSE_66 : SSE_NONE;
	u32 n;

	for (n = 0; sse_opcodes[n].op; n++) {
		if (sse_opcodes[n].opcode != opcode || sse_opcodes[n].prefix != prefix)
			continue;
		o->op = sse_opcodes[n].op;
		o->form = o->op == OP_XMM_STORE || o->op == OP_XMM_STORE_HIGH ?
			  FORM_RM_REG : FORM_REG_RM;
		o->flags = MEM | XMM;
		i->op_size = sse_opcodes[n].size;
		if (!i->op_size)
			i->op_size = c->rex & 8 ? 8 : 4;
		return true;
	}
	return false;
}

/* Eight operations, each between r/m and register in both directions and sizes. */
static bool alu_opcode(u8 b, struct opcode *o)
{
	if ((b & 7) > 3)		/* with the accumulator: no memory */
		return false;
	o->op = OP_ADD + (b >> 3);
	o->form = b & 2 ? FORM_REG_RM : FORM_RM_REG;
	o->flags = b & 1 ? 0 : BYTE;
	if (o->form == FORM_RM_REG && o->op != OP_CMP)
		o->flags |= LOCKABLE;
	return true;
}

/* Find the opcode, its map included. *@second: it is in the 0F map. */
static bool decode_opcode(struct cursor *c, struct insn *i, u8 b, struct opcode *o, bool *second,
			  u8 *opcode)
{
	*second = false;
	*opcode = b;
	if (b < 0x40 && b != 0x0f)
		return alu_opcode(b, o);
	if (b != 0x0f) {
		*o = one_byte[b];
		return o->op && (!(o->flags & LONG) || is_long(c));
	}

	*second = true;
	*opcode = next_byte(c);
	if (*opcode == 0x38) {		/* MOVBE; with F2 these are CRC32 */
		*opcode = next_byte(c);
		if ((*opcode != 0xf0 && *opcode != 0xf1) || i->rep)
			return false;
		o->op = OP_MOVBE;
		o->form = *opcode == 0xf0 ? FORM_REG_RM : FORM_RM_REG;
		o->flags = MEM;
		return true;
	}
	*o = two_byte[*opcode];
	return o->op || sse_opcode(c, i, *opcode, o);
}

static void decode_sizes(const struct cursor *c, struct insn *i, const struct opcode *o)
{
	bool wide = c->mode == X86_MODE_PROT32 || is_long(c);

	if (!(o->flags & XMM)) {
		i->op_size = wide != c->prefix66 ? 4 : 2;
		if (is_long(c)) {
			if ((o->flags & D64) && i->op_size == 4)
				i->op_size = 8;
			/* Near branches ignore the operand-size prefix. */
			if ((c->rex & 8) || o->op == OP_CALL || o->op == OP_JMP)
				i->op_size = 8;
		}
		if (o->flags & BYTE)
			i->op_size = 1;
	}
	i->src_size = o->flags & SRC8 ? 1 : o->flags & SRC16 ? 2 : o->flags & SRC32 ? 4 :
		      i->op_size;
}

/* Everything after the opcode. */
static bool decode_operands(struct cursor *c, struct insn *i, struct opcode *o, bool second,
			    u8 opcode)
{
	u8 modrm;

	if (o->form == FORM_STRING) {
		decode_sizes(c, i, o);
		if (i->seg == REG_NONE)
			i->seg = 3;
		i->mem = true;
		return !i->lock;
	}
	if (o->form == FORM_ACC_MEM || o->form == FORM_MEM_ACC) {
		decode_sizes(c, i, o);
		i->disp = next_signed(c, i->addr_size);
		if (i->seg == REG_NONE)
			i->seg = 3;
		i->mem = true;
		return !i->lock;
	}

	modrm = next_byte(c);
	decode_modrm(c, i, modrm);
	if (c->short_data)
		return true;
	if ((o->flags & GROUP) && !resolve_group(c, second, opcode, (modrm >> 3) & 7, o))
		return false;
	if ((o->flags & MEM) && !i->mem)
		return false;
	if (i->lock && !(i->mem && (o->flags & LOCKABLE)))
		return false;
	/* There are six segment registers. */
	if (o->op == OP_MOV_FROM_SREG) {
		i->reg &= 7;
		if (i->reg > 5)
			return false;
	}
	decode_sizes(c, i, o);
	if (o->flags & IMM8)
		i->imm = next_signed(c, 1);
	else if (o->flags & IMM)
		i->imm = next_signed(c, i->op_size == 8 ? 4 : i->op_size);
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
	u8 opcode, b;

	memset(insn, 0, sizeof(*insn));
	insn->base = REG_NONE;
	insn->index = REG_NONE;

	b = decode_prefixes(&c, insn, &prefix67);
	if (is_long(&c))
		insn->addr_size = prefix67 ? 4 : 8;
	else
		insn->addr_size = (mode == X86_MODE_PROT32) != prefix67 ? 4 : 2;
	insn->rex = c.rex;

	known = !c.short_data && decode_opcode(&c, insn, b, &o, &second, &opcode);
	if (known && !c.short_data)
		known = decode_operands(&c, insn, &o, second, opcode);
	if (c.short_data)		/* at 15 bytes it is too long for any CPU */
		return c.len < INSN_MAX ? -ENODATA : -EINVAL;
	if (!known)
		return -EINVAL;

	insn->op = o.op;
	insn->form = o.form;
	insn->len = c.at;
	if (o.flags & COND)
		insn->cond = opcode & 0xf;
	return 0;
}
