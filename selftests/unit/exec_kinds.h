/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The families of encodings that exec_test.c makes random instructions of.
 * Included there, after the names of the flags.
 */
#ifndef EXEC_KINDS_H
#define EXEC_KINDS_H

/**
 * struct kind - a family of encodings
 * @name: what it is
 * @bytes: opcode, without prefixes and ModRM; @len: its length
 * @reg: ModRM.reg, ANY or NONE
 * @imm: bytes of immediate; 4: of operand size, at most four; 8: up to eight
 * @undef: status flags that the manual leaves undefined
 * @how: special needs
 */
enum how { PLAIN, BITS, STRING, STACK, BRANCH, SSE, SHIFT, NO66, ACC8B,
	   DIVIDE, POPFLAGS, FRAME, RETURN, MEMONLY, TABLE, DOUBLE, VEX, VEX128 };
#define ANY	0xff
#define NONE	0xfe	/* no ModRM */

struct kind {
	const char *name;
	u8 bytes[3];
	u8 len;
	u8 last;		/* last value of the final opcode byte, step 1 */
	u8 reg;
	u8 imm;
	u16 undef;
	enum how how;
	u8 prefix;		/* mandatory */
};

static const struct kind kinds[] = {
	{ "add r/m, r", { 0x00 }, 1, 0x03, ANY, 0, 0, PLAIN, 0 },
	{ "or r/m, r", { 0x08 }, 1, 0x0b, ANY, 0, AF, PLAIN, 0 },
	{ "adc r/m, r", { 0x10 }, 1, 0x13, ANY, 0, 0, PLAIN, 0 },
	{ "sbb r/m, r", { 0x18 }, 1, 0x1b, ANY, 0, 0, PLAIN, 0 },
	{ "and r/m, r", { 0x20 }, 1, 0x23, ANY, 0, AF, PLAIN, 0 },
	{ "sub r/m, r", { 0x28 }, 1, 0x2b, ANY, 0, 0, PLAIN, 0 },
	{ "xor r/m, r", { 0x30 }, 1, 0x33, ANY, 0, AF, PLAIN, 0 },
	{ "cmp r/m, r", { 0x38 }, 1, 0x3b, ANY, 0, 0, PLAIN, 0 },
	{ "movsxd", { 0x63 }, 1, 0x63, ANY, 0, 0, NO66, 0 },
	{ "imul r, r/m, imm", { 0x69 }, 1, 0x69, ANY, 4, SF | ZF | AF | PF, PLAIN, 0 },
	{ "imul r, r/m, imm8", { 0x6b }, 1, 0x6b, ANY, 1, SF | ZF | AF | PF, PLAIN, 0 },
	{ "group 1 r/m8, imm8", { 0x80 }, 1, 0x80, ANY, 1, AF, PLAIN, 0 },
	{ "group 1 r/m, imm", { 0x81 }, 1, 0x81, ANY, 4, AF, PLAIN, 0 },
	{ "group 1 r/m, imm8", { 0x83 }, 1, 0x83, ANY, 1, AF, PLAIN, 0 },
	{ "test r/m, r", { 0x84 }, 1, 0x85, ANY, 0, AF, PLAIN, 0 },
	{ "xchg", { 0x86 }, 1, 0x87, ANY, 0, 0, PLAIN, 0 },
	{ "mov", { 0x88 }, 1, 0x8b, ANY, 0, 0, PLAIN, 0 },
	{ "mov r/m, sreg", { 0x8c }, 1, 0x8c, 0, 0, 0, PLAIN, 0 },
	{ "mov r/m, gs", { 0x8c }, 1, 0x8c, 5, 0, 0, PLAIN, 0 },
	{ "pop r/m", { 0x8f }, 1, 0x8f, 0, 0, 0, STACK, 0 },
	{ "movs", { 0xa4 }, 1, 0xa5, ANY, 0, 0, STRING, 0 },
	{ "cmps", { 0xa6 }, 1, 0xa7, ANY, 0, 0, STRING, 0 },
	{ "stos, lods, scas", { 0xaa }, 1, 0xaf, ANY, 0, 0, STRING, 0 },
	{ "shift r/m8, imm8", { 0xc0 }, 1, 0xc0, ANY, 1, AF | OF, SHIFT, 0 },
	{ "shift r/m, imm8", { 0xc1 }, 1, 0xc1, ANY, 1, AF | OF, SHIFT, 0 },
	{ "mov r/m8, imm8", { 0xc6 }, 1, 0xc6, 0, 1, 0, PLAIN, 0 },
	{ "mov r/m, imm", { 0xc7 }, 1, 0xc7, 0, 4, 0, PLAIN, 0 },
	{ "shift by one", { 0xd0 }, 1, 0xd1, ANY, 0, AF, PLAIN, 0 },
	{ "shift by cl", { 0xd2 }, 1, 0xd3, ANY, 0, AF | OF, SHIFT, 0 },
	{ "test r/m8, imm8", { 0xf6 }, 1, 0xf6, 0, 1, AF, PLAIN, 0 },
	{ "test r/m, imm", { 0xf7 }, 1, 0xf7, 1, 4, AF, PLAIN, 0 },
	{ "not", { 0xf6 }, 1, 0xf7, 2, 0, 0, PLAIN, 0 },
	{ "neg", { 0xf6 }, 1, 0xf7, 3, 0, 0, PLAIN, 0 },
	{ "mul", { 0xf6 }, 1, 0xf7, 4, 0, SF | ZF | AF | PF, PLAIN, 0 },
	{ "imul", { 0xf6 }, 1, 0xf7, 5, 0, SF | ZF | AF | PF, PLAIN, 0 },
	{ "inc", { 0xfe }, 1, 0xff, 0, 0, 0, PLAIN, 0 },
	{ "dec", { 0xfe }, 1, 0xff, 1, 0, 0, PLAIN, 0 },
	{ "call r/m", { 0xff }, 1, 0xff, 2, 0, 0, BRANCH, 0 },
	{ "jmp r/m", { 0xff }, 1, 0xff, 4, 0, 0, BRANCH, 0 },
	{ "push r/m", { 0xff }, 1, 0xff, 6, 0, 0, STACK, 0 },
	{ "div", { 0xf6 }, 1, 0xf7, 6, 0, STATUS, DIVIDE, 0 },
	{ "idiv", { 0xf6 }, 1, 0xf7, 7, 0, STATUS, DIVIDE, 0 },
	{ "add, or acc, imm8", { 0x04 }, 1, 0x04, NONE, 1, 0, PLAIN, 0 },
	{ "sbb acc, imm", { 0x1d }, 1, 0x1d, NONE, 4, 0, PLAIN, 0 },
	{ "cmp acc, imm", { 0x3d }, 1, 0x3d, NONE, 4, 0, PLAIN, 0 },
	{ "test acc, imm8", { 0xa8 }, 1, 0xa8, NONE, 1, AF, PLAIN, 0 },
	{ "test acc, imm", { 0xa9 }, 1, 0xa9, NONE, 4, AF, PLAIN, 0 },
	{ "push r", { 0x50 }, 1, 0x57, NONE, 0, 0, STACK, 0 },
	{ "pop r", { 0x58 }, 1, 0x5b, NONE, 0, 0, STACK, 0 },
	{ "push imm8", { 0x6a }, 1, 0x6a, NONE, 1, 0, STACK, 0 },
	{ "push imm", { 0x68 }, 1, 0x68, NONE, 4, 0, STACK, 0 },
	{ "pushf", { 0x9c }, 1, 0x9c, NONE, 0, 0, STACK, 0 },
	{ "popf", { 0x9d }, 1, 0x9d, NONE, 0, 0, POPFLAGS, 0 },
	{ "leave", { 0xc9 }, 1, 0xc9, NONE, 0, 0, FRAME, 0 },
	{ "enter", { 0xc8 }, 1, 0xc8, NONE, 3, 0, FRAME, 0 },
	{ "push, pop fs", { 0x0f, 0xa0 }, 2, 0xa0, NONE, 0, 0, STACK, 0 },
	{ "ret", { 0xc3 }, 1, 0xc3, NONE, 0, 0, RETURN, 0 },
	{ "ret imm16", { 0xc2 }, 1, 0xc2, NONE, 2, 0, RETURN, 0 },
	{ "xchg acc, r", { 0x90 }, 1, 0x93, NONE, 0, 0, PLAIN, 0 },
	{ "cbw, cwd", { 0x98 }, 1, 0x99, NONE, 0, 0, PLAIN, 0 },
	{ "sahf, lahf", { 0x9e }, 1, 0x9f, NONE, 0, 0, PLAIN, 0 },
	{ "cmc", { 0xf5 }, 1, 0xf5, NONE, 0, 0, PLAIN, 0 },
	{ "clc, stc", { 0xf8 }, 1, 0xf9, NONE, 0, 0, PLAIN, 0 },
	{ "mov r8, imm8", { 0xb0 }, 1, 0xb3, NONE, 1, 0, PLAIN, 0 },
	{ "mov r, imm", { 0xb8 }, 1, 0xbb, NONE, 8, 0, PLAIN, 0 },
	{ "lea", { 0x8d }, 1, 0x8d, ANY, 0, 0, MEMONLY, 0 },
	{ "xlat", { 0xd7 }, 1, 0xd7, NONE, 0, 0, TABLE, 0 },
	{ "bswap", { 0x0f, 0xc8 }, 2, 0xcb, NONE, 0, 0, NO66, 0 },
	{ "shld imm8", { 0x0f, 0xa4 }, 2, 0xa4, ANY, 1, AF | OF, DOUBLE, 0 },
	{ "shld cl", { 0x0f, 0xa5 }, 2, 0xa5, ANY, 0, AF | OF, DOUBLE, 0 },
	{ "shrd imm8", { 0x0f, 0xac }, 2, 0xac, ANY, 1, AF | OF, DOUBLE, 0 },
	{ "shrd cl", { 0x0f, 0xad }, 2, 0xad, ANY, 0, AF | OF, DOUBLE, 0 },
	{ "bsf, bsr", { 0x0f, 0xbc }, 2, 0xbd, ANY, 0, CF | OF | SF | AF | PF, PLAIN, 0 },
	{ "tzcnt, lzcnt", { 0x0f, 0xbc }, 2, 0xbd, ANY, 0, OF | SF | AF | PF, PLAIN, 0xf3 },
	{ "popcnt", { 0x0f, 0xb8 }, 2, 0xb8, ANY, 0, 0, PLAIN, 0xf3 },
	{ "crc32", { 0x0f, 0x38, 0xf0 }, 3, 0xf1, ANY, 0, 0, PLAIN, 0xf2 },
	{ "nop r/m", { 0x0f, 0x1f }, 2, 0x1f, 0, 0, 0, PLAIN, 0 },
	{ "prefetch", { 0x0f, 0x18 }, 2, 0x18, 1, 0, 0, PLAIN, 0 },
	{ "cmovcc", { 0x0f, 0x40 }, 2, 0x4f, ANY, 0, 0, PLAIN, 0 },
	{ "setcc", { 0x0f, 0x90 }, 2, 0x9f, 0, 0, 0, PLAIN, 0 },
	{ "bt", { 0x0f, 0xa3 }, 2, 0xa3, ANY, 0, OF | SF | AF | PF, BITS, 0 },
	{ "bts", { 0x0f, 0xab }, 2, 0xab, ANY, 0, OF | SF | AF | PF, BITS, 0 },
	{ "btr", { 0x0f, 0xb3 }, 2, 0xb3, ANY, 0, OF | SF | AF | PF, BITS, 0 },
	{ "btc", { 0x0f, 0xbb }, 2, 0xbb, ANY, 0, OF | SF | AF | PF, BITS, 0 },
	{ "bt imm8", { 0x0f, 0xba }, 2, 0xba, 4, 1, OF | SF | AF | PF, PLAIN, 0 },
	{ "bts imm8", { 0x0f, 0xba }, 2, 0xba, 5, 1, OF | SF | AF | PF, PLAIN, 0 },
	{ "btr imm8", { 0x0f, 0xba }, 2, 0xba, 6, 1, OF | SF | AF | PF, PLAIN, 0 },
	{ "btc imm8", { 0x0f, 0xba }, 2, 0xba, 7, 1, OF | SF | AF | PF, PLAIN, 0 },
	{ "clflush", { 0x0f, 0xae }, 2, 0xae, 7, 0, 0, NO66, 0 },
	{ "imul r, r/m", { 0x0f, 0xaf }, 2, 0xaf, ANY, 0, SF | ZF | AF | PF, PLAIN, 0 },
	{ "cmpxchg", { 0x0f, 0xb0 }, 2, 0xb1, ANY, 0, 0, PLAIN, 0 },
	{ "movzx", { 0x0f, 0xb6 }, 2, 0xb7, ANY, 0, 0, PLAIN, 0 },
	{ "movsx", { 0x0f, 0xbe }, 2, 0xbf, ANY, 0, 0, PLAIN, 0 },
	{ "xadd", { 0x0f, 0xc0 }, 2, 0xc1, ANY, 0, 0, PLAIN, 0 },
	{ "movnti", { 0x0f, 0xc3 }, 2, 0xc3, ANY, 0, 0, NO66, 0 },
	{ "cmpxchg8b", { 0x0f, 0xc7 }, 2, 0xc7, 1, 0, 0, ACC8B, 0 },
	{ "movbe", { 0x0f, 0x38, 0xf0 }, 3, 0xf1, ANY, 0, 0, PLAIN, 0 },
	{ "movups", { 0x0f, 0x10 }, 2, 0x11, ANY, 0, 0, SSE, 0 },
	{ "movupd", { 0x0f, 0x10 }, 2, 0x11, ANY, 0, 0, SSE, 0x66 },
	{ "movss", { 0x0f, 0x10 }, 2, 0x11, ANY, 0, 0, SSE, 0xf3 },
	{ "movsd", { 0x0f, 0x10 }, 2, 0x11, ANY, 0, 0, SSE, 0xf2 },
	{ "movlps", { 0x0f, 0x12 }, 2, 0x13, ANY, 0, 0, SSE, 0 },
	{ "movhps", { 0x0f, 0x16 }, 2, 0x17, ANY, 0, 0, SSE, 0 },
	{ "movlpd", { 0x0f, 0x12 }, 2, 0x13, ANY, 0, 0, SSE, 0x66 },
	{ "movhpd", { 0x0f, 0x16 }, 2, 0x17, ANY, 0, 0, SSE, 0x66 },
	{ "movaps", { 0x0f, 0x28 }, 2, 0x29, ANY, 0, 0, SSE, 0 },
	{ "movntps", { 0x0f, 0x2b }, 2, 0x2b, ANY, 0, 0, SSE, 0 },
	{ "movd, movq from memory", { 0x0f, 0x6e }, 2, 0x6e, ANY, 0, 0, SSE, 0x66 },
	{ "movd, movq to memory", { 0x0f, 0x7e }, 2, 0x7e, ANY, 0, 0, SSE, 0x66 },
	{ "movq xmm, m64", { 0x0f, 0x7e }, 2, 0x7e, ANY, 0, 0, SSE, 0xf3 },
	{ "movq m64, xmm", { 0x0f, 0xd6 }, 2, 0xd6, ANY, 0, 0, SSE, 0x66 },
	{ "movdqa load", { 0x0f, 0x6f }, 2, 0x6f, ANY, 0, 0, SSE, 0x66 },
	{ "movdqa store", { 0x0f, 0x7f }, 2, 0x7f, ANY, 0, 0, SSE, 0x66 },
	{ "movdqu load", { 0x0f, 0x6f }, 2, 0x6f, ANY, 0, 0, SSE, 0xf3 },
	{ "movdqu store", { 0x0f, 0x7f }, 2, 0x7f, ANY, 0, 0, SSE, 0xf3 },
	{ "lddqu", { 0x0f, 0xf0 }, 2, 0xf0, ANY, 0, 0, SSE, 0xf2 },
	{ "movntdqa", { 0x0f, 0x38, 0x2a }, 3, 0x2a, ANY, 0, 0, SSE, 0x66 },
	{ "movd, movq mm from memory", { 0x0f, 0x6e }, 2, 0x6e, ANY, 0, 0, SSE, 0 },
	{ "movd, movq mm to memory", { 0x0f, 0x7e }, 2, 0x7e, ANY, 0, 0, SSE, 0 },
	{ "movq mm load", { 0x0f, 0x6f }, 2, 0x6f, ANY, 0, 0, SSE, 0 },
	{ "movq mm store", { 0x0f, 0x7f }, 2, 0x7f, ANY, 0, 0, SSE, 0 },
	{ "movntq", { 0x0f, 0xe7 }, 2, 0xe7, ANY, 0, 0, SSE, 0 },
	{ "vmovups", { 0x10 }, 1, 0x11, ANY, 0, 0, VEX, 0 },
	{ "vmovupd", { 0x10 }, 1, 0x11, ANY, 0, 0, VEX, 0x66 },
	{ "vmovaps", { 0x28 }, 1, 0x29, ANY, 0, 0, VEX, 0 },
	{ "vmovntps", { 0x2b }, 1, 0x2b, ANY, 0, 0, VEX, 0 },
	{ "vmovdqa load", { 0x6f }, 1, 0x6f, ANY, 0, 0, VEX, 0x66 },
	{ "vmovdqu load", { 0x6f }, 1, 0x6f, ANY, 0, 0, VEX, 0xf3 },
	{ "vmovdqa store", { 0x7f }, 1, 0x7f, ANY, 0, 0, VEX, 0x66 },
	{ "vmovdqu store", { 0x7f }, 1, 0x7f, ANY, 0, 0, VEX, 0xf3 },
	{ "vmovntdq", { 0xe7 }, 1, 0xe7, ANY, 0, 0, VEX, 0x66 },
	{ "vmovd, vmovq load", { 0x6e }, 1, 0x6e, ANY, 0, 0, VEX128, 0x66 },
	{ "vmovd, vmovq store", { 0x7e }, 1, 0x7e, ANY, 0, 0, VEX128, 0x66 },
	{ "vmovss", { 0x10 }, 1, 0x11, ANY, 0, 0, VEX128, 0xf3 },
	{ "vmovsd", { 0x10 }, 1, 0x11, ANY, 0, 0, VEX128, 0xf2 },
	{ "vmovq load", { 0x7e }, 1, 0x7e, ANY, 0, 0, VEX128, 0xf3 },
	{ "vmovhps store", { 0x17 }, 1, 0x17, ANY, 0, 0, VEX128, 0 },
	{ "movntdq", { 0x0f, 0xe7 }, 2, 0xe7, ANY, 0, 0, SSE, 0x66 },
};

#endif
