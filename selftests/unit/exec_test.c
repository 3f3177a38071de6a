// SPDX-License-Identifier: GPL-2.0
/*
 * The instruction emulator against the CPU: random instructions of every kind
 * it knows, from random registers, are executed by both, and registers, flags
 * and memory must come out the same. Then what the CPU cannot be asked: order
 * of accesses, faults in the middle, wrap-around in 16 and 32-bit code.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tap.h"
#include "exec.h"

#define MEM_SIZE	4096
#define AREA		1024	/* what instructions may touch, in its middle */
#define ROUNDS		3000	/* per kind of instruction */

struct state {
	u64 regs[16];
	u64 rflags;
	u64 pad;
	u8 xmm[16][16];
};

void native_run(const struct state *in, void *code, struct state *out);
extern char native_back[];

#define CF	0x001
#define PF	0x004
#define AF	0x010
#define ZF	0x040
#define SF	0x080
#define DF	0x400
#define OF	0x800
#define STATUS	(CF | PF | AF | ZF | SF | OF)

static u8 *mem, *copy, *code;		/* below 2 GiB: 32-bit addresses reach them */
static sigjmp_buf escape;

static u64 rnd(void)
{
	static u64 s = 0x9e3779b97f4a7c15ULL;

	s ^= s << 13;
	s ^= s >> 7;
	s ^= s << 17;
	return s * 0x2545f4914f6cdd1dULL;
}

/* Values that arithmetic trips over more often than chance would have it. */
static u64 rnd_value(void)
{
	static const u64 edge[] = { 0, 1, 0x7f, 0x80, 0xff, 0x7fff, 0x8000, 0xffff,
		0x7fffffff, 0x80000000, 0xffffffff, 0x7fffffffffffffff,
		0x8000000000000000, ~0ULL };

	return rnd() % 3 ? rnd() : edge[rnd() % (sizeof(edge) / sizeof(edge[0]))];
}

/* ---- the emulator's view of the same memory ---------------------------------- */

static struct state *emu;		/* vector registers of the running one */
static int nr_reads, nr_writes, read_after_write;

static u8 *at(u64 ea, u32 size)
{
	u64 start = (uintptr_t)mem;

	return ea >= start && ea + size <= start + MEM_SIZE ? copy + (ea - start) : NULL;
}

static enum exec_result t_read(struct exec *x, int seg, u64 ea, void *buf, u32 size)
{
	u8 *p = at(ea, size);

	(void)x;
	(void)seg;
	nr_reads++;
	read_after_write |= nr_writes;
	if (!p)
		return EXEC_FAULT;
	memcpy(buf, p, size);
	return EXEC_OK;
}

static enum exec_result t_write(struct exec *x, int seg, u64 ea, const void *buf, u32 size)
{
	u8 *p = at(ea, size);

	(void)x;
	(void)seg;
	nr_writes++;
	if (!p)
		return EXEC_FAULT;
	memcpy(p, buf, size);
	return EXEC_OK;
}

static void t_xmm_read(struct exec *x, int reg, void *buf)
{
	(void)x;
	memcpy(buf, emu->xmm[reg], 16);
}

static void t_xmm_write(struct exec *x, int reg, const void *buf)
{
	(void)x;
	memcpy(emu->xmm[reg], buf, 16);
}

static u16 t_selector(struct exec *x, int seg)
{
	u16 sel = 0;

	(void)x;
	switch (seg) {
	case 0:
		asm("mov %%es, %0" : "=r" (sel));
		break;
	case 1:
		asm("mov %%cs, %0" : "=r" (sel));
		break;
	case 2:
		asm("mov %%ss, %0" : "=r" (sel));
		break;
	case 3:
		asm("mov %%ds, %0" : "=r" (sel));
		break;
	case 4:
		asm("mov %%fs, %0" : "=r" (sel));
		break;
	case 5:
		asm("mov %%gs, %0" : "=r" (sel));
		break;
	}
	return sel;
}

static const struct exec_ops ops = {
	.read = t_read, .write = t_write, .xmm_read = t_xmm_read,
	.xmm_write = t_xmm_write, .selector = t_selector,
};

/* ---- making instructions ---------------------------------------------------------- */

/**
 * struct kind - a family of encodings
 * @name: what it is
 * @bytes: opcode, without prefixes and ModRM; @len: its length
 * @reg: ModRM.reg, or ANY
 * @imm: 0, 1: immediate byte, 4: immediate of operand size
 * @undef: status flags that the manual leaves undefined
 * @how: special needs
 */
enum how { PLAIN, BITS, STRING, STACK, BRANCH, SSE, SHIFT, NO66, ACC8B };
#define ANY	0xff

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
	{ "movntdq", { 0x0f, 0xe7 }, 2, 0xe7, ANY, 0, 0, SSE, 0x66 },
};

/**
 * struct made - one instruction and what it starts from
 * @insn: bytes; @len: how many
 * @undef: flags not to compare
 */
struct made {
	u8 insn[24];
	int len;
	u16 undef;
	struct state in;
};

static void put_byte(struct made *m, u8 b)
{
	m->insn[m->len++] = b;
}

/* A memory operand whose address lies in the area; returns the ModRM.rm part. */
static void put_memory(struct made *m, u8 reg, u8 rex, bool align16, bool addr32)
{
	static const u8 bases[] = { 3, 5, 6, 0, 1, 2, 7 };
	u8 base = bases[rnd() % sizeof(bases)];
	bool sib = rnd() & 1;
	u8 scale = rnd() & 3;
	u8 index = sib ? (rnd() & 7) : 4;
	s8 disp = rnd() % 64;
	u64 target;

	if (align16)
		disp &= ~15;
	if (index == 4 && (rex & 2))
		rex &= ~2;
	base |= (rex & 1) << 3;
	index |= (rex & 2) << 2;
	if (index == base || index == 4)
		sib = base == 12;
	if (!sib)
		index = 4;
	target = (uintptr_t)mem + MEM_SIZE / 2 + (rnd() % AREA / 4 & (align16 ? ~15 : ~0));
	if (sib && index != 4) {
		m->in.regs[index] = align16 ? 16 * (rnd() % 4) : rnd() % 32;
		target -= m->in.regs[index] << scale;
	}
	m->in.regs[base] = target;
	if (addr32)		/* the upper half must not count */
		m->in.regs[base] |= rnd() << 32;
	put_byte(m, 0x40 | (reg & 7) << 3 | (sib ? 4 : base & 7));
	if (sib)
		put_byte(m, scale << 6 | (index & 7) << 3 | (base & 7));
	put_byte(m, disp);
}

static void place_registers(struct made *m, const struct kind *k, bool rep)
{
	int i;

	for (i = 0; i < 16; i++)
		m->in.regs[i] = rnd_value();
	for (i = 0; i < 256; i++)
		((u8 *)m->in.xmm)[i] = rnd();
	m->in.rflags = 0x202 | (rnd() & STATUS);
	m->in.regs[4] = (uintptr_t)mem + MEM_SIZE / 4;		/* a stack */
	if (k->how == STRING) {
		m->in.regs[6] = (uintptr_t)mem + MEM_SIZE / 2 + rnd() % 256;
		m->in.regs[7] = (uintptr_t)mem + MEM_SIZE / 2 + rnd() % 256;
		if (rnd() & 1)
			m->in.rflags |= DF;
		if (rep)
			m->in.regs[1] = rnd() % 8;
	}
	if (k->how == BITS)
		for (i = 0; i < 16; i++)
			if (i != 4)
				m->in.regs[i] = (s64)(rnd() % 2048) - 1024;
}

/* Prefixes, opcode, ModRM, immediate. */
static void make(struct made *m, const struct kind *k)
{
	u8 op = k->bytes[k->len - 1] + rnd() % (k->last - k->bytes[k->len - 1] + 1);
	u8 reg = k->reg == ANY ? rnd() & 7 : k->reg, rex = 0;
	bool addr32 = k->how != STRING && !(rnd() & 7), p66 = false, rep = false;
	bool can_be_reg = k->how == PLAIN || k->how == SHIFT || k->how == BITS;
	int i, size, at;

	memset(m, 0, sizeof(*m));
	m->undef = k->undef;
	rep = k->how == STRING && (rnd() & 1);
	place_registers(m, k, rep);

	if (rep)
		put_byte(m, rnd() & 1 ? 0xf2 : 0xf3);
	if (k->prefix)
		put_byte(m, k->prefix);
	if (k->how == PLAIN || k->how == SHIFT || k->how == BITS || k->how == STRING) {
		p66 = !(rnd() % 3);
		if (p66)
			put_byte(m, 0x66);
	}
	if (addr32)
		put_byte(m, 0x67);
	if (rnd() & 1) {
		rex = 0x40 | (rnd() & 0xf);
		if (k->how == STACK || k->how == ACC8B)
			rex &= ~8;
		if (k->how == BRANCH || k->len == 3)
			rex &= 0x4f;
		put_byte(m, rex);
	}
	size = rex & 8 ? 8 : p66 ? 2 : 4;
	for (i = 0; i < k->len - 1; i++)
		put_byte(m, k->bytes[i]);
	put_byte(m, op);
	if (k->how == STRING)
		return;

	at = m->len;
	if (can_be_reg && k->bytes[0] != 0x0f && !(rnd() & 3)) {
		u8 rm = rnd() & 7;

		if ((rm | (rex & 1) << 3) == 4 || (reg | (rex & 4) << 1) == 4)
			rm = 3;
		put_byte(m, 0xc0 | reg << 3 | rm);
	} else {
		put_memory(m, reg, rex, k->how == SSE, addr32);
	}
	/* The stack pointer is not for arithmetic here: it would leave the area. */
	if (k->reg == ANY && k->how != SSE && (reg | (rex & 4) << 1) == 4)
		m->insn[at] ^= 1 << 3;
	if (k->imm)
		put_byte(m, rnd_value());
	if (k->imm == 4)
		for (i = 1; i < (size == 2 ? 2 : 4); i++)
			put_byte(m, rnd_value());
}

/* ---- both ways ----------------------------------------------------------------------- */

static void on_signal(int sig)
{
	siglongjmp(escape, sig);
}

static void catch_signals(void)
{
	static char stack[65536];
	stack_t ss = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = SA_ONSTACK | SA_NODEFER };

	sigaltstack(&ss, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGILL, &sa, NULL);
	sigaction(SIGFPE, &sa, NULL);
}

/* By the CPU: false if it refused. */
static bool run_native(const struct made *m, struct state *out)
{
	static const u8 jump[] = { 0xff, 0x25, 0, 0, 0, 0 };	/* jmp *0(%rip) */
	u64 back = (uintptr_t)native_back;

	memcpy(code, m->insn, m->len);
	memcpy(code + m->len, jump, sizeof(jump));
	memcpy(code + m->len + sizeof(jump), &back, sizeof(back));
	if (sigsetjmp(escape, 1))
		return false;
	native_run(&m->in, code, out);
	return true;
}

static enum exec_result run_emulated(const struct made *m, struct state *out, struct exec *x)
{
	enum exec_result res;
	int r, guard = 64;

	memset(x, 0, sizeof(*x));
	*out = m->in;
	x->ops = &ops;
	x->mode = X86_MODE_LONG;
	x->stack_size = 8;
	r = insn_decode(m->insn, m->len, x->mode, &x->insn);
	if (r || x->insn.len != m->len)
		return EXEC_UNKNOWN;
	memcpy(x->regs, m->in.regs, sizeof(x->regs));
	x->rip = (uintptr_t)code;
	x->rflags = m->in.rflags;
	emu = out;
	nr_writes = 0;
	read_after_write = 0;
	do {
		nr_writes = 0;
		res = exec_insn(x);
	} while (res == EXEC_OK && x->again && guard--);
	memcpy(out->regs, x->regs, sizeof(x->regs));
	out->rflags = x->rflags;
	return res;
}

static u16 undefined_flags(const struct made *m, const struct exec *x, const struct kind *k)
{
	u32 count, bits = 8 * x->insn.op_size, mask = bits == 64 ? 63 : 31;

	if (k->how != SHIFT)
		return m->undef;
	count = (x->insn.form == FORM_RM_CL ? m->in.regs[1] & 0xff : x->insn.imm & 0xff) & mask;
	if (!count)
		return 0;
	/* Shifts of everything out of a byte or word leave CF undefined. */
	if (count >= bits && x->insn.op >= OP_SHL)
		return AF | OF | CF;
	if (x->insn.op < OP_SHL)
		return count == 1 ? 0 : OF;
	return count == 1 ? AF : AF | OF;
}

static void show(const struct kind *k, const struct made *m, const struct state *want,
		 const struct state *got, u16 undef)
{
	char hex[64];
	int i, n = 0;

	for (i = 0; i < m->len; i++)
		n += snprintf(hex + n, sizeof(hex) - n, "%02x ", m->insn[i]);
	tap_diag("%s: bytes %s", k->name, hex);
	for (i = 0; i < 16; i++)
		if (want->regs[i] != got->regs[i])
			tap_diag("  r%d: in %#llx, CPU %#llx, emulator %#llx", i,
				 (unsigned long long)m->in.regs[i],
				 (unsigned long long)want->regs[i],
				 (unsigned long long)got->regs[i]);
	if ((want->rflags ^ got->rflags) & ~(u64)undef)
		tap_diag("  rflags: in %#llx, CPU %#llx, emulator %#llx",
			 (unsigned long long)m->in.rflags, (unsigned long long)want->rflags,
			 (unsigned long long)got->rflags);
	for (i = 0; i < MEM_SIZE; i++)
		if (mem[i] != copy[i])
			tap_diag("  memory +%#x: CPU %02x, emulator %02x", i, mem[i], copy[i]);
}

/* Where the memory operand is; false if it has none, or not a plain one. */
static bool operand_address(const struct made *m, struct insn *insn, u64 *ea)
{
	if (insn_decode(m->insn, m->len, X86_MODE_LONG, insn) || insn->base > 15)
		return false;
	*ea = m->in.regs[insn->base] + insn->disp;
	if (insn->index != REG_NONE)
		*ea += m->in.regs[insn->index] << insn->scale;
	if (insn->addr_size == 4)
		*ea = (u32)*ea;
	return true;
}

/* Branches find a way back in memory, CMPXCHG8B sometimes what it expects. */
static void prepare_memory(const struct made *m, const struct kind *k)
{
	u64 back = (uintptr_t)native_back, ea;
	struct insn insn;
	u32 i;

	for (i = 0; i < MEM_SIZE; i++)
		mem[i] = rnd();
	if (k->how == BRANCH)
		for (i = 0; i < MEM_SIZE; i += 8)
			memcpy(mem + i, &back, 8);
	if (k->how == ACC8B && (rnd() & 1) && operand_address(m, &insn, &ea)) {
		u32 expected[2] = { m->in.regs[0], m->in.regs[2] };

		memcpy(mem + (ea - (uintptr_t)mem), expected, 8);
	}
	memcpy(copy, mem, MEM_SIZE);
}

/*
 * A branch reads its target where memory holds one. The bit number must not be
 * the address too, or the operand lies anywhere.
 */
static bool usable(const struct made *m, const struct kind *k)
{
	struct insn insn;
	u64 ea;

	if (k->how == BRANCH)
		return operand_address(m, &insn, &ea) && (ea - (uintptr_t)mem) % 8 == 0;
	if (k->how == BITS && operand_address(m, &insn, &ea))
		return insn.reg != insn.base && insn.reg != insn.index;
	return true;
}

static void test_kind(const struct kind *k)
{
	struct state want, got;
	int i, compared = 0, refused = 0, bad = 0;
	struct made m;
	struct exec x;
	u16 undef;

	for (i = 0; i < ROUNDS && bad < 3; i++) {
		make(&m, k);
		if (!usable(&m, k))
			continue;
		prepare_memory(&m, k);
		memset(&want, 0, sizeof(want));
		if (!run_native(&m, &want)) {
			refused++;
			continue;
		}
		compared++;
		if (run_emulated(&m, &got, &x) != EXEC_OK) {
			tap_diag("%s: not emulated", k->name);
			show(k, &m, &want, &got, 0);
			bad++;
			continue;
		}
		undef = undefined_flags(&m, &x, k);
		if (memcmp(want.regs, got.regs, sizeof(want.regs)) ||
		    ((want.rflags ^ got.rflags) & ~(u64)undef) ||
		    memcmp(want.xmm, got.xmm, sizeof(want.xmm)) ||
		    memcmp(mem, copy, MEM_SIZE) ||
		    (k->how == BRANCH && x.rip != (uintptr_t)native_back) ||
		    (k->how != BRANCH && x.rip != (uintptr_t)code + m.len)) {
			show(k, &m, &want, &got, undef);
			bad++;
		}
	}
	if (!compared && refused)
		tap_skip("%s: this CPU does not have it", k->name);
	else
		tap_ok(!bad && compared > 100, "%s: as the CPU (%d compared, %d refused)",
		       k->name, compared, refused);
}

/* ---- what the CPU cannot show ---------------------------------------------------------- */

static enum exec_result script[4];
static int step;

static enum exec_result s_access(struct exec *x, int seg, u64 ea, void *buf, u32 size)
{
	(void)x;
	(void)seg;
	(void)ea;
	memset(buf, 0x5a, size);
	return script[step++];
}

static int stored;

static enum exec_result s_store(struct exec *x, int seg, u64 ea, const void *buf, u32 size)
{
	(void)x;
	(void)seg;
	(void)ea;
	(void)buf;
	(void)size;
	stored++;
	return script[step++];
}

static const struct exec_ops script_ops = { .read = s_access, .write = s_store };

static enum exec_result run_script(const u8 *bytes, int len, enum exec_result first,
				   enum exec_result second)
{
	struct exec x = { .ops = &script_ops, .mode = X86_MODE_LONG, .stack_size = 8 };

	script[0] = first;
	script[1] = second;
	step = 0;
	stored = 0;
	x.regs[1] = 5;
	if (insn_decode(bytes, len, x.mode, &x.insn))
		return EXEC_UNKNOWN;
	return exec_insn(&x);
}

static void test_order(void)
{
	static const u8 rmw[] = { 0x09, 0x03 };			/* or %eax, (%rbx) */
	static const u8 movs[] = { 0xf3, 0xa4 };
	static const u8 push[] = { 0xff, 0x33 };		/* push (%rbx) */

	tap_eq(run_script(rmw, sizeof(rmw), EXEC_WAIT, EXEC_OK), EXEC_WAIT, "or: waits for its read");
	tap_eq(stored, 0, "or: writes nothing before the read is there");
	tap_eq(run_script(rmw, sizeof(rmw), EXEC_OK, EXEC_FAULT), EXEC_FAULT, "or: its write may fault");
	tap_eq(run_script(movs, sizeof(movs), EXEC_FAULT, EXEC_OK), EXEC_FAULT, "movs: a read faults");
	tap_eq(stored, 0, "movs: nothing is written after a faulting read");
	tap_eq(run_script(push, sizeof(push), EXEC_WAIT, EXEC_OK), EXEC_WAIT, "push: waits for its read");
	tap_eq(stored, 0, "push: the stack is not written before");
}

static u64 last_ea;
static int last_seg;

static enum exec_result a_read(struct exec *x, int seg, u64 ea, void *buf, u32 size)
{
	(void)x;
	memset(buf, 0x11, size);
	last_ea = ea;
	last_seg = seg;
	return EXEC_OK;
}

static enum exec_result a_write(struct exec *x, int seg, u64 ea, const void *buf, u32 size)
{
	(void)x;
	(void)buf;
	(void)size;
	last_ea = ea;
	last_seg = seg;
	return EXEC_OK;
}

static const struct exec_ops addr_ops = { .read = a_read, .write = a_write };

static struct exec run_mode(enum x86_mode mode, const u8 *bytes, int len, const u64 *regs)
{
	struct exec x = { .ops = &addr_ops, .mode = mode, .stack_size = 2, .rip = 0xfffe };

	memcpy(x.regs, regs, sizeof(x.regs));
	if (insn_decode(bytes, len, mode, &x.insn) || exec_insn(&x))
		x.rip = ~0ULL;
	return x;
}

static void test_small_modes(void)
{
	static const u8 mov_bxsi[] = { 0x8b, 0x40, 0x10 };	/* mov 16(%bx,%si), %ax */
	static const u8 mov_bp[] = { 0x8a, 0x46, 0x00 };	/* mov 0(%bp), %al */
	static const u8 movsb[] = { 0xa4 };
	static const u8 mov_ebx[] = { 0x8b, 0x03 };		/* mov (%ebx), %eax */
	static const u8 rip_rel[] = { 0x8b, 0x05, 0x10, 0, 0, 0 };
	u64 regs[16] = { [0] = 0xaaaabbbb, [3] = 0xfff0, [5] = 0x1234, [6] = 0x1ffff,
			 [7] = 0x1ffff };
	struct exec x;

	x = run_mode(X86_MODE_REAL, mov_bxsi, sizeof(mov_bxsi), regs);
	tap_eq(last_ea, 0xffff, "real mode: BX+SI+16 wraps at 64 KiB");
	tap_eq(last_seg, 3, "real mode: in DS");
	tap_eq(x.regs[0], 0xaaaa1111, "real mode: AX written, upper half kept");
	tap_eq(x.rip, 1, "real mode: IP wraps at 64 KiB");

	run_mode(X86_MODE_REAL, mov_bp, sizeof(mov_bp), regs);
	tap_eq(last_ea, 0x1234, "real mode: BP");
	tap_eq(last_seg, 2, "real mode: BP goes with SS");

	x = run_mode(X86_MODE_REAL, movsb, sizeof(movsb), regs);
	tap_eq(last_ea, 0xffff, "16-bit MOVSB uses DI only");
	tap_eq(x.regs[7], 0x10000, "16-bit MOVSB: DI wraps, the upper half stays");

	regs[3] = 0x1fffffff0;
	x = run_mode(X86_MODE_PROT32, mov_ebx, sizeof(mov_ebx), regs);
	tap_eq(last_ea, 0xfffffff0, "32-bit code: addresses have 32 bits");
	tap_eq(x.rip, 0x10000, "32-bit code: EIP goes on past 64 KiB");

	run_mode(X86_MODE_LONG, rip_rel, sizeof(rip_rel), regs);
	tap_eq(last_ea, 0xfffe + 6 + 0x10, "RIP-relative: from the next instruction");
}

static void test_long_repeat(void)
{
	static const u8 stos[] = { 0xf3, 0xab };		/* rep stos %eax */
	static const u8 none[] = { 0xf3, 0xa4 };
	struct exec x = { .ops = &addr_ops, .mode = X86_MODE_LONG, .rip = 100 };
	int n = 0;

	insn_decode(stos, sizeof(stos), x.mode, &x.insn);
	x.regs[1] = 1000;
	x.regs[7] = 0x5000;
	do {
		if (exec_insn(&x) != EXEC_OK)
			break;
		n++;
	} while (x.again && x.rip == 100);
	tap_ok(n == 1000 && x.regs[1] == 0 && x.regs[7] == 0x5000 + 4000 && x.rip == 102,
	       "rep stos: one element at a time, RIP moves after the last");

	insn_decode(none, sizeof(none), x.mode, &x.insn);
	x.regs[1] = 0;
	x.regs[7] = 7;
	tap_ok(exec_insn(&x) == EXEC_OK && !x.again && x.regs[7] == 7 && x.rip == 104,
	       "rep with a count of zero does nothing");
}

int main(void)
{
	unsigned int i;

	mem = mmap(NULL, MEM_SIZE, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_32BIT, -1, 0);
	copy = malloc(MEM_SIZE);
	if (mem == MAP_FAILED || code == MAP_FAILED || !copy)
		tap_bail("no memory below 2 GiB, or none that is executable");
	catch_signals();

	tap_plan(0);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		test_kind(&kinds[i]);
	test_order();
	test_small_modes();
	test_long_repeat();
	tap_ok(!read_after_write, "no execution read after it wrote");
	free(copy);
	return tap_done();
}
