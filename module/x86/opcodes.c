// SPDX-License-Identifier: GPL-2.0
/*
 * The opcode maps: which instruction a byte means, and how its operands are
 * encoded. Pure data and logic, also built into the unit tests.
 *
 * Source: Intel SDM vol. 2D (December 2023), appendix "Opcode Map".
 */
#include <linux/string.h>

#include "opcodes.h"

#define O(_op, _form, _flags)	{ .op = OP_##_op, .form = FORM_##_form, .flags = (_flags) }

/* Without the eight arithmetic operations of 00 to 3D, which alu_opcode() knows. */
static const struct opcode one_byte[256] = {
	[0x06] = O(PUSH_SREG, NONE, SREG | NO64), [0x07] = O(POP_SREG, NONE, SREG | NO64),
	[0x0e] = O(PUSH_SREG, NONE, SREG | NO64),
	[0x16] = O(PUSH_SREG, NONE, SREG | NO64), [0x17] = O(POP_SREG, NONE, SREG | NO64),
	[0x1e] = O(PUSH_SREG, NONE, SREG | NO64), [0x1f] = O(POP_SREG, NONE, SREG | NO64),
	[0x27] = O(DAA, NONE, NO64), [0x2f] = O(DAS, NONE, NO64),
	[0x37] = O(AAA, NONE, NO64), [0x3f] = O(AAS, NONE, NO64),
	[0x40 ... 0x47] = O(INC, RM, OPREG | NO64), [0x48 ... 0x4f] = O(DEC, RM, OPREG | NO64),
	[0x50 ... 0x57] = O(PUSH, RM, OPREG | D64), [0x58 ... 0x5f] = O(POP, RM, OPREG | D64),
	[0x60] = O(PUSHA, NONE, NO64), [0x61] = O(POPA, NONE, NO64),
	[0x62] = O(BOUND, REG_RM, MEM | NO64),
	[0x63] = O(MOVSX, REG_RM, SRC32 | LONG),	/* elsewhere ARPL */
	[0x68] = O(PUSH, IMM, D64 | IMM), [0x6a] = O(PUSH, IMM, D64 | IMM8),
	[0x69] = O(IMUL_REG, REG_RM_IMM, IMM), [0x6b] = O(IMUL_REG, REG_RM_IMM, IMM8),
	[0x6c] = O(INS, STRING, BYTE), [0x6d] = O(INS, STRING, 0),
	[0x6e] = O(OUTS, STRING, BYTE), [0x6f] = O(OUTS, STRING, 0),
	[0x70 ... 0x7f] = O(JCC, IMM, IMM8 | COND | NEAR),
	/* Groups: the operation comes from ModRM.reg. */
	[0x80] = O(ADD, RM_IMM, BYTE | IMM | GROUP), [0x81] = O(ADD, RM_IMM, IMM | GROUP),
	[0x82] = O(ADD, RM_IMM, BYTE | IMM | GROUP | NO64),
	[0x83] = O(ADD, RM_IMM, IMM8 | GROUP),
	[0x84] = O(TEST, RM_REG, BYTE), [0x85] = O(TEST, RM_REG, 0),
	[0x86] = O(XCHG, RM_REG, BYTE | LOCKABLE), [0x87] = O(XCHG, RM_REG, LOCKABLE),
	[0x88] = O(MOV, RM_REG, BYTE), [0x89] = O(MOV, RM_REG, 0),
	[0x8a] = O(MOV, REG_RM, BYTE), [0x8b] = O(MOV, REG_RM, 0),
	[0x8c] = O(MOV_FROM_SREG, RM_REG, 0),
	[0x8d] = O(LEA, REG_RM, MEM), [0x8e] = O(MOV_TO_SREG, REG_RM, SRC16),
	[0x8f] = O(POP, RM, D64 | GROUP),
	[0x90 ... 0x97] = O(XCHG, RM_REG, OPREG),
	[0x98] = O(CBW, NONE, 0), [0x99] = O(CWD, NONE, 0),
	[0x9a] = O(CALL_FAR, IMM, FAR | NO64),
	[0x9c] = O(PUSHF, NONE, D64), [0x9d] = O(POPF, NONE, D64),
	[0x9e] = O(SAHF, NONE, 0), [0x9f] = O(LAHF, NONE, 0),
	[0xa0] = O(MOV, ACC_MEM, BYTE), [0xa1] = O(MOV, ACC_MEM, 0),
	[0xa2] = O(MOV, MEM_ACC, BYTE), [0xa3] = O(MOV, MEM_ACC, 0),
	[0xa4] = O(MOVS, STRING, BYTE), [0xa5] = O(MOVS, STRING, 0),
	[0xa6] = O(CMPS, STRING, BYTE), [0xa7] = O(CMPS, STRING, 0),
	[0xa8] = O(TEST, RM_IMM, ACC | BYTE | IMM), [0xa9] = O(TEST, RM_IMM, ACC | IMM),
	[0xaa] = O(STOS, STRING, BYTE), [0xab] = O(STOS, STRING, 0),
	[0xac] = O(LODS, STRING, BYTE), [0xad] = O(LODS, STRING, 0),
	[0xae] = O(SCAS, STRING, BYTE), [0xaf] = O(SCAS, STRING, 0),
	[0xb0 ... 0xb7] = O(MOV, RM_IMM, OPREG | BYTE | IMM),
	[0xb8 ... 0xbf] = O(MOV, RM_IMM, OPREG | IMM64),
	[0xc0] = O(ROL, RM_IMM, BYTE | IMM8 | GROUP), [0xc1] = O(ROL, RM_IMM, IMM8 | GROUP),
	[0xc2] = O(RET, IMM, IMM16 | NEAR), [0xc3] = O(RET, NONE, NEAR),
	[0xc4] = O(LSEG, REG_RM, MEM | NO64), [0xc5] = O(LSEG, REG_RM, MEM | NO64),
	[0xc6] = O(MOV, RM_IMM, BYTE | IMM | GROUP), [0xc7] = O(MOV, RM_IMM, IMM | GROUP),
	[0xc8] = O(ENTER, IMM, IMM16 | IMM8 | D64), [0xc9] = O(LEAVE, NONE, D64),
	[0xca] = O(RETF, IMM, IMM16), [0xcb] = O(RETF, NONE, 0),
	[0xcf] = O(IRET, NONE, 0),
	[0xd0] = O(ROL, RM_1, BYTE | GROUP), [0xd1] = O(ROL, RM_1, GROUP),
	[0xd2] = O(ROL, RM_CL, BYTE | GROUP), [0xd3] = O(ROL, RM_CL, GROUP),
	[0xd4] = O(AAM, IMM, IMM8 | NO64), [0xd5] = O(AAD, IMM, IMM8 | NO64),
	[0xd6] = O(SALC, NONE, NO64), [0xd7] = O(XLAT, NONE, BYTE),
	[0xd9] = O(FNSTCW, RM, GROUP), [0xdb] = O(FNINIT, NONE, GROUP),
	[0xdd] = O(FNSTSW, RM, GROUP), [0xdf] = O(FNSTSW, RM, GROUP),
	[0xe0 ... 0xe3] = O(LOOP, IMM, IMM8 | NEAR),
	[0xe8] = O(CALL_REL, IMM, IMM | NEAR), [0xe9] = O(JMP_REL, IMM, IMM | NEAR),
	[0xea] = O(JMP_FAR, IMM, FAR | NO64), [0xeb] = O(JMP_REL, IMM, IMM8 | NEAR),
	[0xf5] = O(FLAG, NONE, 0),
	[0xf6] = O(TEST, RM, BYTE | GROUP), [0xf7] = O(TEST, RM, GROUP),
	[0xf8 ... 0xfd] = O(FLAG, NONE, 0),
	[0xfe] = O(INC, RM, BYTE | GROUP), [0xff] = O(INC, RM, GROUP),
};

/* After 0F. The vector moves, which a prefix changes, are in opcode_vector(). */
static const struct opcode two_byte[256] = {
	[0x00] = O(SLDT, RM, GROUP), [0x01] = O(SGDT, RM, GROUP),
	[0x02] = O(LAR, REG_RM, SRC16), [0x03] = O(LSL, REG_RM, SRC16),
	[0x06] = O(CLTS, NONE, 0), [0x08 ... 0x09] = O(WBINVD, NONE, 0),
	[0x0d] = O(NOP, RM, MEM), [0x18 ... 0x1f] = O(NOP, RM, 0),
	[0x20] = O(MOV_FROM_CR, RM_REG, REGS | NATIVE),
	[0x22] = O(MOV_TO_CR, RM_REG, REGS | NATIVE),
	[0x40 ... 0x4f] = O(CMOV, REG_RM, COND),
	[0x80 ... 0x8f] = O(JCC, IMM, IMM | COND | NEAR),
	[0x90 ... 0x9f] = O(SET, RM, BYTE | COND),
	[0xa0] = O(PUSH_SREG, NONE, SREG | D64), [0xa1] = O(POP_SREG, NONE, SREG | D64),
	[0xa8] = O(PUSH_SREG, NONE, SREG | D64), [0xa9] = O(POP_SREG, NONE, SREG | D64),
	[0xa3] = O(BT, RM_REG, 0), [0xab] = O(BTS, RM_REG, LOCKABLE),
	[0xa4] = O(SHLD, RM_REG_IMM, IMM8), [0xa5] = O(SHLD, RM_REG_CL, 0),
	[0xac] = O(SHRD, RM_REG_IMM, IMM8), [0xad] = O(SHRD, RM_REG_CL, 0),
	[0xae] = O(NOP, RM, MEM | GROUP),
	[0xaf] = O(IMUL_REG, REG_RM, 0),
	[0xb0] = O(CMPXCHG, RM_REG, BYTE | LOCKABLE), [0xb1] = O(CMPXCHG, RM_REG, LOCKABLE),
	[0xb2] = O(LSEG, REG_RM, MEM), [0xb4] = O(LSEG, REG_RM, MEM),
	[0xb5] = O(LSEG, REG_RM, MEM),
	[0xb3] = O(BTR, RM_REG, LOCKABLE),
	[0xb6] = O(MOVZX, REG_RM, SRC8), [0xb7] = O(MOVZX, REG_RM, SRC16),
	[0xba] = O(BT, RM_IMM, IMM8 | GROUP), [0xbb] = O(BTC, RM_REG, LOCKABLE),
	[0xbc] = O(BSF, REG_RM, 0), [0xbd] = O(BSR, REG_RM, 0),
	[0xbe] = O(MOVSX, REG_RM, SRC8), [0xbf] = O(MOVSX, REG_RM, SRC16),
	[0xc0] = O(XADD, RM_REG, BYTE | LOCKABLE), [0xc1] = O(XADD, RM_REG, LOCKABLE),
	[0xc3] = O(MOV, RM_REG, MEM),			/* MOVNTI */
	[0xc7] = O(CMPXCHG8B, RM, MEM | GROUP | LOCKABLE),
	[0xc8 ... 0xcf] = O(BSWAP, RM, OPREG),
};

/* Eight operations, each between r/m and register in both directions and sizes. */
static bool alu_opcode(u8 b, struct opcode *o)
{
	o->op = OP_ADD + (b >> 3);
	if ((b & 7) >= 4) {
		o->form = FORM_RM_IMM;
		o->flags = ACC | IMM;
	} else {
		o->form = b & 2 ? FORM_REG_RM : FORM_RM_REG;
		o->flags = o->form == FORM_RM_REG && o->op != OP_CMP ? LOCKABLE : 0;
	}
	if (!(b & 1))
		o->flags |= BYTE;
	return true;
}

bool opcode_one_byte(u8 opcode, bool is_long, struct opcode *o)
{
	if (opcode < 0x40 && (opcode & 7) < 6)
		return alu_opcode(opcode, o);
	*o = one_byte[opcode];
	if (opcode == 0x63 && !is_long)
		*o = (struct opcode)O(ARPL, RM_REG, SRC16);
	if (is_long && (o->flags & NO64))
		return false;
	return o->op && (is_long || !(o->flags & LONG));
}

bool opcode_two_byte(u8 opcode, u8 prefix, struct opcode *o)
{
	*o = two_byte[opcode];
	if (prefix == SSE_F3 && opcode == 0xb8)
		*o = (struct opcode)O(POPCNT, REG_RM, 0);
	else if (prefix == SSE_F3 && opcode == 0xbc)
		o->op = OP_TZCNT;
	else if (prefix == SSE_F3 && opcode == 0xbd)
		o->op = OP_LZCNT;
	else if (opcode == 0xc3 && prefix)
		return false;
	return o->op;
}

/* MOVBE and CRC32 share their opcodes; MOVNTDQA is a vector load. */
bool opcode_0f38(u8 opcode, u8 prefix, struct opcode *o, u8 *size)
{
	bool store = opcode == 0xf1;

	if (opcode == 0x2a && prefix == SSE_66) {
		*o = (struct opcode)O(XMM_LOAD, REG_RM, MEM | FIXED);
		*size = 16;
		return true;
	}
	if (opcode != 0xf0 && opcode != 0xf1)
		return false;
	if (prefix == SSE_F2) {
		*o = (struct opcode)O(CRC32, REG_RM, 0);
		if (opcode == 0xf0)
			o->flags |= SRC8;
		return true;
	}
	if (prefix == SSE_F3)
		return false;
	*o = store ? (struct opcode)O(MOVBE, RM_REG, MEM) : (struct opcode)O(MOVBE, REG_RM, MEM);
	return true;
}

/* ---- vector moves ------------------------------------------------------- */

#define SIZE_REXW	0	/* MOVD or MOVQ */
#define SIZE_VECTOR	64	/* 16, with VEX.L 32 */

#define V_ALIGN		BIT(0)	/* #GP unless naturally aligned */
#define V_VEX		BIT(1)	/* has a VEX form that takes no third operand */

/* Moves between vector registers and memory, and nothing that computes. */
static const struct {
	u8 opcode, prefix, op, size, how;
} vector_opcodes[] = {
	{ 0x10, SSE_NONE, OP_XMM_LOAD, SIZE_VECTOR, V_VEX },
	{ 0x11, SSE_NONE, OP_XMM_STORE, SIZE_VECTOR, V_VEX },
	{ 0x10, SSE_66, OP_XMM_LOAD, SIZE_VECTOR, V_VEX },
	{ 0x11, SSE_66, OP_XMM_STORE, SIZE_VECTOR, V_VEX },
	{ 0x10, SSE_F3, OP_XMM_LOAD, 4, V_VEX },
	{ 0x11, SSE_F3, OP_XMM_STORE, 4, V_VEX },
	{ 0x10, SSE_F2, OP_XMM_LOAD, 8, V_VEX },
	{ 0x11, SSE_F2, OP_XMM_STORE, 8, V_VEX },
	{ 0x12, SSE_NONE, OP_XMM_LOAD_LOW, 8, 0 },
	{ 0x13, SSE_NONE, OP_XMM_STORE, 8, V_VEX },
	{ 0x12, SSE_66, OP_XMM_LOAD_LOW, 8, 0 },
	{ 0x13, SSE_66, OP_XMM_STORE, 8, V_VEX },
	{ 0x16, SSE_NONE, OP_XMM_LOAD_HIGH, 8, 0 },
	{ 0x17, SSE_NONE, OP_XMM_STORE_HIGH, 8, V_VEX },
	{ 0x16, SSE_66, OP_XMM_LOAD_HIGH, 8, 0 },
	{ 0x17, SSE_66, OP_XMM_STORE_HIGH, 8, V_VEX },
	{ 0x28, SSE_NONE, OP_XMM_LOAD, SIZE_VECTOR, V_VEX | V_ALIGN },
	{ 0x29, SSE_NONE, OP_XMM_STORE, SIZE_VECTOR, V_VEX | V_ALIGN },
	{ 0x28, SSE_66, OP_XMM_LOAD, SIZE_VECTOR, V_VEX | V_ALIGN },
	{ 0x29, SSE_66, OP_XMM_STORE, SIZE_VECTOR, V_VEX | V_ALIGN },
	{ 0x2b, SSE_NONE, OP_XMM_STORE, SIZE_VECTOR, V_VEX | V_ALIGN },
	{ 0x2b, SSE_66, OP_XMM_STORE, SIZE_VECTOR, V_VEX | V_ALIGN },
	{ 0x6e, SSE_66, OP_XMM_LOAD, SIZE_REXW, V_VEX },
	{ 0x7e, SSE_66, OP_XMM_STORE, SIZE_REXW, V_VEX },
	{ 0x6e, SSE_NONE, OP_MMX_LOAD, SIZE_REXW, 0 },
	{ 0x7e, SSE_NONE, OP_MMX_STORE, SIZE_REXW, 0 },
	{ 0x6f, SSE_NONE, OP_MMX_LOAD, 8, 0 },
	{ 0x7f, SSE_NONE, OP_MMX_STORE, 8, 0 },
	{ 0xe7, SSE_NONE, OP_MMX_STORE, 8, 0 },
	{ 0x7e, SSE_F3, OP_XMM_LOAD, 8, V_VEX },
	{ 0xd6, SSE_66, OP_XMM_STORE, 8, V_VEX },
	{ 0x6f, SSE_66, OP_XMM_LOAD, SIZE_VECTOR, V_VEX | V_ALIGN },
	{ 0x7f, SSE_66, OP_XMM_STORE, SIZE_VECTOR, V_VEX | V_ALIGN },
	{ 0x6f, SSE_F3, OP_XMM_LOAD, SIZE_VECTOR, V_VEX },
	{ 0x7f, SSE_F3, OP_XMM_STORE, SIZE_VECTOR, V_VEX },
	{ 0xe7, SSE_66, OP_XMM_STORE, SIZE_VECTOR, V_VEX | V_ALIGN },
	{ 0xf0, SSE_F2, OP_XMM_LOAD, SIZE_VECTOR, V_VEX },	/* LDDQU */
	{ .op = OP_NONE },
};

/**
 * opcode_vector - moves between vector registers and memory, 0F map
 * @opcode: last opcode byte
 * @prefix: SSE_*
 * @vex: encoded with VEX
 * @o: out
 * @size: in: 32 with VEX.L, 8 with REX.W or VEX.W, else 4; out: of the operand
 * @align: out: what the address must be a multiple of; 0: nothing
 */
bool opcode_vector(u8 opcode, u8 prefix, bool vex, struct opcode *o, u8 *size, u8 *align)
{
	bool store;
	u32 n;

	for (n = 0; vector_opcodes[n].op; n++)
		if (vector_opcodes[n].opcode == opcode && vector_opcodes[n].prefix == prefix)
			break;
	o->op = vector_opcodes[n].op;
	if (!o->op || (vex && !(vector_opcodes[n].how & V_VEX)))
		return false;
	store = o->op == OP_XMM_STORE || o->op == OP_XMM_STORE_HIGH || o->op == OP_MMX_STORE;
	o->form = store ? FORM_RM_REG : FORM_REG_RM;
	o->flags = MEM | FIXED;
	if (vector_opcodes[n].size == SIZE_VECTOR)
		*size = *size == 32 ? 32 : 16;
	else if (*size == 32)
		return false;
	else if (vector_opcodes[n].size != SIZE_REXW)
		*size = vector_opcodes[n].size;
	*align = vector_opcodes[n].how & V_ALIGN ? *size : 0;
	return true;
}

/* ---- groups ------------------------------------------------------------- */

/* Groups 6 and 7. */
static bool system_group(u8 opcode, u8 modrm, struct opcode *o)
{
	static const u8 group6[8] = { OP_SLDT, OP_STR, OP_LLDT, OP_LTR, OP_VERR, OP_VERW };
	static const u8 group7[8] = { OP_SGDT, OP_SIDT, OP_LGDT, OP_LIDT, OP_SMSW, OP_NONE,
				      OP_LMSW, OP_INVLPG };
	u8 reg = (modrm >> 3) & 7;

	o->op = opcode ? group7[reg] : group6[reg];
	/* The register forms of the others are other instructions. */
	if (opcode && modrm >= 0xc0 && o->op != OP_SMSW && o->op != OP_LMSW)
		return false;
	return o->op;
}

/* Group 15, memory forms. */
static bool group15(u8 reg, u8 prefix, struct opcode *o)
{
	static const u8 ops[8] = { OP_FXSAVE, OP_FXRSTOR, OP_LDMXCSR, OP_STMXCSR };

	if (reg == 7)			/* CLFLUSH, CLFLUSHOPT */
		return prefix == SSE_NONE || prefix == SSE_66;
	if (reg == 6)			/* CLWB; XSAVEOPT is not for devices */
		return prefix == SSE_66;
	o->op = ops[reg];
	return o->op && prefix == SSE_NONE;
}

static bool two_byte_group(u8 opcode, u8 modrm, u8 prefix, struct opcode *o)
{
	u8 reg = (modrm >> 3) & 7;

	switch (opcode) {
	case 0x00:
	case 0x01:
		return system_group(opcode, modrm, o);
	case 0xae:
		return group15(reg, prefix, o);
	case 0xba:
		o->op = OP_BT + (reg & 3);
		if (reg > 4)
			o->flags |= LOCKABLE;
		return reg >= 4;
	default:			/* 0xc7 */
		return reg == 1;
	}
}

/* x87: only what stores a word, or nothing. */
static bool x87_opcode(u8 opcode, u8 modrm)
{
	u8 reg = (modrm >> 3) & 7;

	switch (opcode) {
	case 0xdb:
		return modrm == 0xe3;
	case 0xdf:
		return modrm == 0xe0;
	default:			/* FNSTCW, FNSTSW */
		return reg == 7 && modrm < 0xc0;
	}
}

/* Groups 1, 1A, 2, 3, 4, 5, 6, 7, 8, 9, 11 and 15, and x87. */
bool opcode_group(u8 opcode, u8 modrm, bool map2, u8 prefix, struct opcode *o)
{
	static const u8 group3[8] = { OP_TEST, OP_TEST, OP_NOT, OP_NEG, OP_MUL, OP_IMUL, OP_DIV,
				      OP_IDIV };
	static const u8 group5[8] = { OP_INC, OP_DEC, OP_CALL, OP_CALL_FAR, OP_JMP, OP_JMP_FAR,
				      OP_PUSH };
	u8 reg = (modrm >> 3) & 7;

	if (map2)
		return two_byte_group(opcode, modrm, prefix, o);
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
	case 0xd9:
	case 0xdb:
	case 0xdd:
	case 0xdf:
		return x87_opcode(opcode, modrm);
	case 0xf6:
	case 0xf7:
		o->op = group3[reg];
		if (o->op == OP_TEST) {
			o->form = FORM_RM_IMM;
			o->flags |= IMM;
		} else if (reg < 4) {
			o->flags |= LOCKABLE;
		}
		return true;
	case 0xfe:
	case 0xff:
		if (opcode == 0xfe && reg > 1)
			return false;
		o->op = group5[reg];
		if (reg < 2)
			o->flags |= LOCKABLE;
		else if (o->op == OP_CALL || o->op == OP_JMP)
			o->flags |= NEAR;
		else if (o->op == OP_PUSH)
			o->flags |= D64;
		else
			o->flags |= MEM;
		return o->op;
	default:			/* 0x8f, 0xc6, 0xc7 */
		return reg == 0;
	}
}
