// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction decoder: known encodings in every mode, what it must refuse,
 * and, for random bytes, that it never reads past what it was given and gives
 * the same answer whether the bytes come at once or one by one.
 */
#include <sys/mman.h>
#include <unistd.h>

#include "tap.h"
#include "decode.h"

#define LONG	X86_MODE_LONG
#define P32	X86_MODE_PROT32
#define P16	X86_MODE_PROT16
#define REAL	X86_MODE_REAL
#define NONE	REG_NONE

static const struct known {
	const char *text;	/* AT&T, as objdump prints it */
	enum x86_mode mode;
	u8 bytes[15];
	u8 len;
	u8 op, op_size, addr_size, seg, base, index;
	s32 disp;
	s64 imm;
} known[] = {
	{ "mov %eax,0x350(%rdi)", LONG, { 0x89, 0x87, 0x50, 3, 0, 0 }, 6,
	  OP_MOV, 4, 8, 3, 7, NONE, 0x350, 0 },
	{ "mov -0xa00000(%rip),%r9d", LONG, { 0x44, 0x8b, 0x0d, 0, 0, 0x60, 0xff }, 7,
	  OP_MOV, 4, 8, 3, REG_PC, NONE, -0xa00000, 0 },
	{ "mov %eax,0xffffffffff5fc0b0", LONG, { 0x89, 0x04, 0x25, 0xb0, 0xc0, 0x5f, 0xff }, 7,
	  OP_MOV, 4, 8, 3, NONE, NONE, -0xa03f50, 0 },
	{ "mov (%r12),%eax", LONG, { 0x41, 0x8b, 0x04, 0x24 }, 4,
	  OP_MOV, 4, 8, 3, 12, NONE, 0, 0 },
	{ "mov 0x0(%r13),%eax", LONG, { 0x41, 0x8b, 0x45, 0 }, 4,
	  OP_MOV, 4, 8, 3, 13, NONE, 0, 0 },
	{ "mov (%rax,%r12,4),%eax", LONG, { 0x42, 0x8b, 0x04, 0xa0 }, 4,
	  OP_MOV, 4, 8, 3, 0, 12, 0, 0 },
	{ "movb $0x7f,%fs:(%rbp)", LONG, { 0x64, 0xc6, 0x45, 0, 0x7f }, 5,
	  OP_MOV, 1, 8, 4, 5, NONE, 0, 0x7f },
	{ "movq $-1,(%rsp)", LONG, { 0x48, 0xc7, 0x04, 0x24, 0xff, 0xff, 0xff, 0xff }, 8,
	  OP_MOV, 8, 8, 2, 4, NONE, 0, -1 },
	{ "movw $0x1234,(%eax)", LONG, { 0x67, 0x66, 0xc7, 0x00, 0x34, 0x12 }, 6,
	  OP_MOV, 2, 4, 3, 0, NONE, 0, 0x1234 },
	{ "movabs 0x1122334455667788,%al", LONG,
	  { 0xa0, 0x88, 0x77, 0x66, 0x55, 0x44, 0x33, 0x22, 0x11 }, 9,
	  OP_MOV, 1, 8, 3, NONE, NONE, 0x55667788, 0 },
	{ "cs: is ignored in 64-bit mode", LONG, { 0x2e, 0x8b, 0x00 }, 3,
	  OP_MOV, 4, 8, 3, 0, NONE, 0, 0 },
	{ "REX before another prefix is ignored", LONG, { 0x48, 0x66, 0x8b, 0x00 }, 4,
	  OP_MOV, 2, 8, 3, 0, NONE, 0, 0 },
	{ "pushq (%rax)", LONG, { 0xff, 0x30 }, 2, OP_PUSH, 8, 8, 3, 0, NONE, 0, 0 },
	{ "callw *(%rax) calls with 64 bits", LONG, { 0x66, 0xff, 0x10 }, 3,
	  OP_CALL, 8, 8, 3, 0, NONE, 0, 0 },
	{ "lock cmpxchg %ecx,(%rdx)", LONG, { 0xf0, 0x0f, 0xb1, 0x0a }, 4,
	  OP_CMPXCHG, 4, 8, 3, 2, NONE, 0, 0 },
	{ "movbe %eax,(%rdi)", LONG, { 0x0f, 0x38, 0xf1, 0x07 }, 4,
	  OP_MOVBE, 4, 8, 3, 7, NONE, 0, 0 },
	{ "movdqu %xmm1,(%rdi)", LONG, { 0xf3, 0x0f, 0x7f, 0x0f }, 4,
	  OP_XMM_STORE, 16, 8, 3, 7, NONE, 0, 0 },
	{ "clflush (%rdi)", LONG, { 0x0f, 0xae, 0x3f }, 3, OP_NOP, 4, 8, 3, 7, NONE, 0, 0 },
	{ "rep movsq", LONG, { 0xf3, 0x48, 0xa5 }, 3, OP_MOVS, 8, 8, 3, NONE, NONE, 0, 0 },
	{ "gs lodsb", LONG, { 0x65, 0xac }, 2, OP_LODS, 1, 8, 5, NONE, NONE, 0, 0 },
	{ "inc %eax in 32-bit code is REX in 64-bit", LONG, { 0x40, 0x8b, 0x00 }, 3,
	  OP_MOV, 4, 8, 3, 0, NONE, 0, 0 },
	{ "mov 0xfee00020,%eax", P32, { 0xa1, 0x20, 0, 0xe0, 0xfe }, 5,
	  OP_MOV, 4, 4, 3, NONE, NONE, -0x11fffe0, 0 },
	{ "mov 0xfee00020,%ecx", P32, { 0x8b, 0x0d, 0x20, 0, 0xe0, 0xfe }, 6,
	  OP_MOV, 4, 4, 3, NONE, NONE, -0x11fffe0, 0 },
	{ "mov %es:(%ebp,%esi,8),%ax", P32, { 0x66, 0x26, 0x8b, 0x44, 0xf5, 0 }, 6,
	  OP_MOV, 2, 4, 0, 5, 6, 0, 0 },
	{ "mov (%bx,%si),%eax", P32, { 0x67, 0x8b, 0x00 }, 3, OP_MOV, 4, 2, 3, 3, 6, 0, 0 },
	{ "addl $0x7f,(%eax)", P32, { 0x83, 0x00, 0x7f }, 3, OP_ADD, 4, 4, 3, 0, NONE, 0, 0x7f },
	{ "mov 0x1234,%ax", REAL, { 0x8b, 0x06, 0x34, 0x12 }, 4,
	  OP_MOV, 2, 2, 3, NONE, NONE, 0x1234, 0 },
	{ "movb $0x5a,-2(%bp,%di)", REAL, { 0xc6, 0x43, 0xfe, 0x5a }, 4,
	  OP_MOV, 1, 2, 2, 5, 7, -2, 0x5a },
	{ "mov %ds,0x10(%si)", REAL, { 0x8c, 0x5c, 0x10 }, 3,
	  OP_MOV_FROM_SREG, 2, 2, 3, 6, NONE, 0x10, 0 },
	{ "movl $0x12345678,%cs:(%eax)", REAL,
	  { 0x66, 0x67, 0x2e, 0xc7, 0x00, 0x78, 0x56, 0x34, 0x12 }, 9,
	  OP_MOV, 4, 4, 1, 0, NONE, 0, 0x12345678 },
	{ "lidt (%rax)", LONG, { 0x0f, 0x01, 0x18 }, 3, OP_LIDT, 4, 8, 3, 0, NONE, 0, 0 },
	{ "fnstcw -2(%rbp)", LONG, { 0xd9, 0x7d, 0xfe }, 3, OP_FNSTCW, 4, 8, 2, 5, NONE, -2, 0 },
	{ "vmovdqu (%r9),%ymm1", LONG, { 0xc4, 0xc1, 0x7e, 0x6f, 0x09 }, 5,
	  OP_XMM_LOAD, 32, 8, 3, 9, NONE, 0, 0 },
	{ "vmovups %xmm0,(%eax) in 32-bit code", P32, { 0xc5, 0xf8, 0x11, 0x00 }, 4,
	  OP_XMM_STORE, 16, 4, 3, 0, NONE, 0, 0 },
	{ "lds (%eax),%eax is no vex", P32, { 0xc5, 0x00 }, 2,
	  OP_LSEG, 4, 4, 3, 0, NONE, 0, 0 },
	{ "ljmp *(%eax)", P32, { 0xff, 0x28 }, 2, OP_JMP_FAR, 4, 4, 3, 0, NONE, 0, 0 },
	{ "rep outsb %fs:", P32, { 0xf3, 0x64, 0x6e }, 3, OP_OUTS, 1, 4, 4, NONE, NONE, 0, 0 },
	{ "xlat", REAL, { 0xd7 }, 1, OP_XLAT, 1, 2, 3, NONE, NONE, 0, 0 },
	{ "popcnt (%rcx),%eax", LONG, { 0xf3, 0x0f, 0xb8, 0x01 }, 4,
	  OP_POPCNT, 4, 8, 3, 1, NONE, 0, 0 },
	{ "shld $3,%eax,(%rcx)", LONG, { 0x0f, 0xa4, 0x01, 3 }, 4,
	  OP_SHLD, 4, 8, 3, 1, NONE, 0, 3 },
	{ "rep stosw", P16, { 0xf3, 0xab }, 2, OP_STOS, 2, 2, 3, NONE, NONE, 0, 0 },
};

static const struct refused {
	const char *text;
	enum x86_mode mode;
	u8 bytes[15];
	u8 len;
} refused[] = {
	{ "lock mov", LONG, { 0xf0, 0x89, 0x00 }, 3 },
	{ "lock add to a register", LONG, { 0xf0, 0x01, 0xc0 }, 3 },
	{ "lock add from memory", LONG, { 0xf0, 0x03, 0x00 }, 3 },
	{ "lock cmp", LONG, { 0xf0, 0x39, 0x00 }, 3 },
	{ "mov to a seventh segment register", LONG, { 0x8c, 0x30 }, 2 },
	{ "group 5, undefined", LONG, { 0xff, 0x38 }, 2 },
	{ "cmpxchg16b", LONG, { 0x48, 0x0f, 0xc7, 0x08 }, 4 },
	{ "mov to cs", P32, { 0x8e, 0xc8 }, 2 },
	{ "push es in 64-bit mode", LONG, { 0x06 }, 1 },
	{ "far jump by pointer in 64-bit mode", LONG, { 0xea, 0, 0, 0, 0, 8, 0 }, 7 },
	{ "lea of a register", LONG, { 0x8d, 0xc0 }, 2 },
	{ "fld m32", LONG, { 0xd9, 0x00 }, 2 },
	{ "xsave", LONG, { 0x0f, 0xae, 0x20 }, 3 },
	{ "vex with a third operand", LONG, { 0xc5, 0xc2, 0x10, 0x00 }, 4 },
	{ "vex after a 66 prefix", LONG, { 0x66, 0xc5, 0xf8, 0x10, 0x00 }, 5 },
	{ "vmovlps from memory", LONG, { 0xc5, 0xf8, 0x12, 0x00 }, 4 },
	{ "vmovss with vex.l", LONG, { 0xc5, 0xfe, 0x7e, 0x00 }, 4 },
	{ "rdmsr", LONG, { 0x0f, 0x32 }, 2 },
	{ "ud2", LONG, { 0x0f, 0x0b }, 2 },
	{ "hlt", LONG, { 0xf4 }, 1 },
	{ "fifteen prefixes", LONG, { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
				      0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66 }, 15 },
	{ "sixteen bytes", LONG, { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
				   0x66, 0x66, 0x66, 0x66, 0x8b, 0x80 }, 15 },
};

static bool same(const struct known *k, const struct insn *i)
{
	return i->op == k->op && i->len == k->len && i->op_size == k->op_size &&
	       i->addr_size == k->addr_size && i->seg == k->seg && i->base == k->base &&
	       i->index == k->index && (s32)i->disp == k->disp && (s64)i->imm == k->imm &&
	       i->mem;
}

static void test_known(void)
{
	struct insn insn;
	unsigned int n;
	int r;

	for (n = 0; n < sizeof(known) / sizeof(known[0]); n++) {
		memset(&insn, 0xee, sizeof(insn));
		r = insn_decode(known[n].bytes, known[n].len, known[n].mode, &insn);
		if (!tap_ok(!r && same(&known[n], &insn), "%s", known[n].text))
			tap_diag("r %d op %u len %u size %u addr %u seg %u base %u index %u disp %#llx imm %#llx",
				 r, insn.op, insn.len, insn.op_size, insn.addr_size, insn.seg,
				 insn.base, insn.index, (unsigned long long)insn.disp,
				 (unsigned long long)insn.imm);
	}
	for (n = 0; n < sizeof(refused) / sizeof(refused[0]); n++)
		tap_eq(insn_decode(refused[n].bytes, refused[n].len, refused[n].mode, &insn),
		       -EINVAL, "refused: %s", refused[n].text);
}

static void test_fifteen(void)
{
	/* Thirteen prefixes and mov (%rax),%eax. */
	u8 bytes[16] = { 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66,
			 0x66, 0x66, 0x66, 0x66, 0x66, 0x8b, 0x00 };
	struct insn insn;

	tap_ok(!insn_decode(bytes, 15, LONG, &insn) && insn.len == 15, "fifteen bytes are an instruction");
	tap_eq(insn_decode(bytes, 14, LONG, &insn), -ENODATA, "fourteen of them want another");
	tap_eq(insn_decode(bytes, 0, LONG, &insn), -ENODATA, "no byte at all wants one");
}

static unsigned int rnd(void)
{
	static unsigned long long s = 88172645463325252ULL;

	s ^= s << 13;
	s ^= s >> 7;
	s ^= s << 17;
	return s >> 16;
}

/* Bytes end where the mapping ends: one read too many is a fault. */
static void test_random(void)
{
	static const u8 likely[] = { 0x66, 0x67, 0xf0, 0xf2, 0xf3, 0x0f, 0x48, 0x8b, 0x89,
				     0x80, 0xc7, 0xff, 0x2e, 0x64, 0x0f, 0x38 };
	long page = sysconf(_SC_PAGESIZE);
	u8 *map = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	unsigned int known_insns = 0, wrong = 0;
	struct insn full, part;
	int i, j, n, r;

	if (map == MAP_FAILED || mprotect(map + page, page, PROT_NONE))
		tap_bail("mmap");
	for (i = 0; i < 2000000; i++) {
		enum x86_mode mode = rnd() % 5;
		int len = 1 + rnd() % 15;
		u8 *p = map + page - len;

		for (j = 0; j < len; j++)
			p[j] = rnd() % 3 ? rnd() : likely[rnd() % sizeof(likely)];
		r = insn_decode(p, len, mode, &full);
		if (r == -ENODATA || r == -EINVAL)
			continue;
		known_insns++;
		if (r || !full.len || full.len > len || !full.op || full.op >= NR_OPS ||
		    full.reg > 15 || full.rm > 15 || full.seg > 5) {
			if (full.mem || r)
				wrong++;
			continue;
		}
		/* Fewer bytes never decode to something else. */
		for (n = 0; n < full.len; n++)
			if (insn_decode(p, n, mode, &part) != -ENODATA)
				wrong++;
		if (insn_decode(p, full.len, mode, &part) || memcmp(&full, &part, sizeof(full)))
			wrong++;
	}
	tap_ok(known_insns > 10000 && !wrong, "random bytes: %u instructions, %u wrong",
	       known_insns, wrong);
	munmap(map, 2 * page);
}

int main(void)
{
	tap_plan(0);
	test_known();
	test_fifteen();
	test_random();
	return tap_done();
}
