/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A decoded instruction. Known are the integer instructions of the one- and
 * two-byte opcode maps, the moves between memory and the vector registers, and
 * what touches descriptor tables and control registers. Not known is what
 * always exits by itself, and arithmetic on vector and x87 registers.
 */
#ifndef MINIKVM_DECODE_H
#define MINIKVM_DECODE_H

#include <linux/types.h>

#include "segment.h"

#define INSN_MAX	15	/* bytes of the longest instruction */

#define REG_NONE	0xff
#define REG_PC		0x10	/* as base: RIP-relative */

enum insn_op {
	OP_NONE,
	/* In the order of their encodings 0..7. */
	OP_ADD, OP_OR, OP_ADC, OP_SBB, OP_AND, OP_SUB, OP_XOR, OP_CMP,
	OP_ROL, OP_ROR, OP_RCL, OP_RCR, OP_SHL, OP_SHR, OP_SAL, OP_SAR,
	OP_TEST, OP_NOT, OP_NEG, OP_MUL, OP_IMUL, OP_INC, OP_DEC, OP_DIV, OP_IDIV,
	OP_SHLD, OP_SHRD, OP_BSF, OP_BSR, OP_TZCNT, OP_LZCNT, OP_POPCNT, OP_CRC32,
	OP_AAA, OP_AAS, OP_DAA, OP_DAS, OP_AAM, OP_AAD,
	OP_MOV, OP_MOVZX, OP_MOVSX, OP_MOVBE, OP_MOV_FROM_SREG, OP_CMOV, OP_SET,
	OP_LEA, OP_BSWAP, OP_CBW, OP_CWD, OP_XLAT, OP_LAHF, OP_SAHF, OP_SALC, OP_FLAG,
	OP_BOUND, OP_ARPL,
	OP_XCHG, OP_XADD, OP_CMPXCHG, OP_CMPXCHG8B,
	OP_BT, OP_BTS, OP_BTR, OP_BTC,
	OP_PUSH, OP_POP, OP_PUSHA, OP_POPA, OP_PUSHF, OP_POPF, OP_ENTER, OP_LEAVE,
	OP_PUSH_SREG, OP_POP_SREG,
	OP_CALL, OP_JMP, OP_IMUL_REG,
	OP_CALL_REL, OP_JMP_REL, OP_JCC, OP_LOOP, OP_RET,
	OP_CALL_FAR, OP_JMP_FAR, OP_RETF, OP_IRET, OP_MOV_TO_SREG, OP_LSEG,
	OP_MOVS, OP_CMPS, OP_STOS, OP_LODS, OP_SCAS, OP_INS, OP_OUTS,
	OP_XMM_LOAD, OP_XMM_LOAD_LOW, OP_XMM_LOAD_HIGH, OP_XMM_STORE, OP_XMM_STORE_HIGH,
	OP_MMX_LOAD, OP_MMX_STORE, OP_FXSAVE, OP_FXRSTOR,
	OP_FNSTCW, OP_FNSTSW, OP_FNINIT, OP_LDMXCSR, OP_STMXCSR,
	/* Descriptor tables, control and debug registers. */
	OP_SLDT, OP_STR, OP_LLDT, OP_LTR, OP_VERR, OP_VERW, OP_LAR, OP_LSL,
	OP_SGDT, OP_SIDT, OP_LGDT, OP_LIDT, OP_SMSW, OP_LMSW, OP_INVLPG, OP_CLTS,
	OP_MOV_FROM_CR, OP_MOV_TO_CR, OP_WBINVD,
	OP_NOP,
	NR_OPS,
};

/* Which operand is where. */
enum insn_form {
	FORM_RM_REG,	/* destination r/m, source reg */
	FORM_REG_RM,
	FORM_RM_IMM,
	FORM_RM,	/* one operand */
	FORM_RM_1,	/* shift by one */
	FORM_RM_CL,
	FORM_REG_RM_IMM,
	FORM_ACC_MEM,	/* AL..RAX and an absolute address */
	FORM_MEM_ACC,
	FORM_STRING,
	FORM_NONE,	/* implied operands */
	FORM_IMM,	/* an immediate only: displacement of a branch, pushed value */
	FORM_RM_REG_IMM,	/* SHLD and SHRD */
	FORM_RM_REG_CL,
};

/**
 * struct insn - one instruction
 * @op: enum insn_op
 * @form: enum insn_form
 * @len: bytes
 * @op_size: bytes of the destination, or of the only operand
 * @src_size: bytes of the source in memory, where it differs
 * @addr_size: 2, 4 or 8
 * @opcode: last byte of the opcode
 * @reg: the register operand, 0..15 (or segment, or XMM register)
 * @rm: the r/m operand if it is a register
 * @mem: the r/m operand is memory
 * @seg: its segment, in encoding order (ES CS SS DS FS GS)
 * @base: @index: @scale: @disp: its address; REG_NONE, REG_PC
 * @rex: a REX prefix is present: SPL, BPL, SIL, DIL instead of AH..BH
 * @rep: 0, 0xf2 or 0xf3
 * @lock: LOCK prefix
 * @cond: condition code of CMOV, SET and Jcc
 * @align: the operand's linear address is a multiple of this, else #GP; 0: any
 * @vex: encoded with a VEX prefix: loads clear the register above the operand
 * @imm2: selector of a far pointer, nesting level of ENTER
 * @imm: immediate, sign-extended
 */
struct insn {
	u8 op;
	u8 form;
	u8 len;
	u8 op_size;
	u8 src_size;
	u8 addr_size;
	u8 opcode;
	u8 reg;
	u8 rm;
	bool mem;
	u8 seg;
	u8 base;
	u8 index;
	u8 scale;
	bool rex;
	u8 rep;
	bool lock;
	u8 cond;
	u8 align;
	bool vex;
	u16 imm2;
	s64 disp;
	u64 imm;
};

/*
 * 0; -ENODATA (the instruction goes on after @len bytes); -EINVAL (not known,
 * or not an instruction).
 */
int insn_decode(const u8 *bytes, u32 len, enum x86_mode mode, struct insn *insn);

#endif
