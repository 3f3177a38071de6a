/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A decoded instruction. Only instructions that can touch memory are known,
 * and of these the ones that compilers and firmware use on device registers.
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
	OP_TEST, OP_NOT, OP_NEG, OP_MUL, OP_IMUL, OP_INC, OP_DEC,
	OP_MOV, OP_MOVZX, OP_MOVSX, OP_MOVBE, OP_MOV_FROM_SREG, OP_CMOV, OP_SET,
	OP_XCHG, OP_XADD, OP_CMPXCHG, OP_CMPXCHG8B,
	OP_BT, OP_BTS, OP_BTR, OP_BTC,
	OP_PUSH, OP_POP, OP_CALL, OP_JMP, OP_IMUL_REG,
	OP_MOVS, OP_CMPS, OP_STOS, OP_LODS, OP_SCAS,
	OP_XMM_LOAD, OP_XMM_LOAD_LOW, OP_XMM_LOAD_HIGH, OP_XMM_STORE, OP_XMM_STORE_HIGH,
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
};

/**
 * struct insn - one instruction
 * @op: enum insn_op
 * @form: enum insn_form
 * @len: bytes
 * @op_size: bytes of the destination, or of the only operand
 * @src_size: bytes of the source in memory, where it differs
 * @addr_size: 2, 4 or 8
 * @reg: the register operand, 0..15 (or segment, or XMM register)
 * @rm: the r/m operand if it is a register
 * @mem: the r/m operand is memory
 * @seg: its segment, in encoding order (ES CS SS DS FS GS)
 * @base: @index: @scale: @disp: its address; REG_NONE, REG_PC
 * @rex: a REX prefix is present: SPL, BPL, SIL, DIL instead of AH..BH
 * @rep: 0, 0xf2 or 0xf3
 * @lock: LOCK prefix
 * @cond: condition code of CMOV and SET
 * @imm: immediate, sign-extended
 */
struct insn {
	u8 op;
	u8 form;
	u8 len;
	u8 op_size;
	u8 src_size;
	u8 addr_size;
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
	s64 disp;
	u64 imm;
};

/*
 * 0; -ENODATA (the instruction goes on after @len bytes); -EINVAL (not known,
 * or not an instruction).
 */
int insn_decode(const u8 *bytes, u32 len, enum x86_mode mode, struct insn *insn);

#endif
