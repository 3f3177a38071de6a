/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the opcode tables say about an opcode: shared by the tables and the
 * decoder, nobody else's business.
 */
#ifndef MINIKVM_OPCODES_H
#define MINIKVM_OPCODES_H

#include <linux/bits.h>
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
#define FIXED	BIT(12)		/* operand size does not depend on prefixes */
#define OPREG	BIT(13)		/* no ModRM: the low opcode bits are the register */
#define ACC	BIT(14)		/* no ModRM: the operand is AL..RAX */
#define NO64	BIT(15)		/* not in 64-bit mode */
#define IMM16	BIT(16)		/* immediate word */
#define IMM64	BIT(17)		/* immediate of operand size, eight bytes too */
#define FAR	BIT(18)		/* offset of operand size and selector */
#define NEAR	BIT(19)		/* 64-bit operands whatever the prefixes, in 64-bit mode */
#define SREG	BIT(20)		/* bits 5:3 of the opcode are the segment register */
#define NATIVE	BIT(21)		/* 4 or 8 bytes by mode alone */
#define REGS	BIT(22)		/* ModRM.mod is ignored: always registers */

struct opcode {
	u8 op;
	u8 form;
	u32 flags;
};

/* Which of the prefixes that select an SSE opcode is there. */
#define SSE_NONE	0
#define SSE_66		1
#define SSE_F3		2
#define SSE_F2		3

/* All return false for what is not known. */
bool opcode_one_byte(u8 opcode, bool is_long, struct opcode *o);
bool opcode_two_byte(u8 opcode, u8 prefix, struct opcode *o);
bool opcode_0f38(u8 opcode, u8 prefix, struct opcode *o, u8 *size);
bool opcode_vector(u8 opcode, u8 prefix, bool vex, struct opcode *o, u8 *size, u8 *align);
/* @modrm selects within a group; @map2: the 0F map. */
bool opcode_group(u8 opcode, u8 modrm, bool map2, u8 prefix, struct opcode *o);

#endif
