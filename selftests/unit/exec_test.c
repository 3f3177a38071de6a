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
	u64 mmx[8];
	u8 vec[16][32];		/* without AVX the upper half stays as it is */
};

void native_run(const struct state *in, void *code, struct state *out);
extern char native_back[];
extern int native_avx;

#define CF	0x001
#define PF	0x004
#define AF	0x010
#define ZF	0x040
#define SF	0x080
#define DF	0x400
#define OF	0x800
#define STATUS	(CF | PF | AF | ZF | SF | OF)

#include "exec_kinds.h"

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

static void t_vec_read(struct exec *x, int reg, void *buf, u32 size)
{
	(void)x;
	memcpy(buf, emu->vec[reg], size);
}

static void t_vec_write(struct exec *x, int reg, const void *buf, u32 size, bool clear)
{
	(void)x;
	memcpy(emu->vec[reg], buf, size);
	if (clear)
		memset(emu->vec[reg] + size, 0, 32 - size);
}

static void t_mmx_read(struct exec *x, int reg, void *buf)
{
	(void)x;
	memcpy(buf, &emu->mmx[reg], 8);
}

static void t_mmx_write(struct exec *x, int reg, const void *buf)
{
	(void)x;
	memcpy(&emu->mmx[reg], buf, 8);
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
	.read = t_read, .write = t_write, .vec_read = t_vec_read,
	.vec_write = t_vec_write, .mmx_read = t_mmx_read, .mmx_write = t_mmx_write,
	.selector = t_selector,
};

/* ---- making instructions ---------------------------------------------------------- */

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
	for (i = 0; i < 512; i++)
		((u8 *)m->in.vec)[i] = rnd();
	for (i = 0; i < 8; i++)
		m->in.mmx[i] = rnd();
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
	if (k->how == FRAME)
		m->in.regs[5] = m->in.regs[4] + 64 + rnd() % 64;
	if (k->how == TABLE)
		m->in.regs[3] = (uintptr_t)mem + 256;
	if (k->how == DIVIDE && rnd() % 4) {	/* most quotients fit */
		m->in.regs[2] = rnd() & 1 ? 0 : rnd() % 100;
		m->in.regs[0] = rnd() >> (rnd() % 64);
	}
	if (k->how == BITS)
		for (i = 0; i < 16; i++)
			if (i != 4)
				m->in.regs[i] = (s64)(rnd() % 2048) - 1024;
}

/* The three-byte form, with REX's bits inverted. */
static void put_vex(struct made *m, const struct kind *k, u8 rex)
{
	u8 pp = k->prefix == 0x66 ? 1 : k->prefix == 0xf3 ? 2 : k->prefix == 0xf2 ? 3 : 0;

	put_byte(m, 0xc4);
	put_byte(m, 1 | (rex & 4 ? 0 : 0x80) | (rex & 2 ? 0 : 0x40) | (rex & 1 ? 0 : 0x20));
	put_byte(m, (rex & 8) << 4 | 0x78 | (k->how == VEX && (rnd() & 1) ? 4 : 0) | pp);
}

static void put_immediate(struct made *m, const struct kind *k, int size)
{
	int i, n = k->imm == 4 && size == 2 ? 2 : k->imm == 8 ? size : k->imm;

	for (i = 0; i < n; i++)
		put_byte(m, k->how == FRAME ? (i == 0 ? rnd() % 64 : i == 2 ? rnd() % 6 : 0) :
			    k->how == RETURN ? (i ? 0 : rnd() % 64) : rnd_value());
}

/* Prefixes, opcode, ModRM, immediate. */
static void make(struct made *m, const struct kind *k)
{
	u8 op = k->bytes[k->len - 1] + rnd() % (k->last - k->bytes[k->len - 1] + 1);
	u8 reg = k->reg == ANY ? rnd() & 7 : k->reg, rex = 0;
	bool addr32 = k->how != STRING && !(rnd() & 7), p66 = false, rep = false;
	bool can_be_reg = k->how == PLAIN || k->how == SHIFT || k->how == BITS ||
			  k->how == DIVIDE || k->how == DOUBLE;
	bool vex = k->how == VEX || k->how == VEX128;
	int i, size, at;

	memset(m, 0, sizeof(*m));
	m->undef = k->undef;
	rep = k->how == STRING && (rnd() & 1);
	place_registers(m, k, rep);

	if (rep)
		put_byte(m, rnd() & 1 ? 0xf2 : 0xf3);
	if (k->prefix && !vex)
		put_byte(m, k->prefix);
	if (can_be_reg || k->how == STRING || k->how == MEMONLY) {
		p66 = !(rnd() % 3);
		if (p66)
			put_byte(m, 0x66);
	}
	if (addr32)
		put_byte(m, 0x67);
	if ((rnd() & 1) && k->how != FRAME && k->how != RETURN && k->how != POPFLAGS) {
		rex = 0x40 | (rnd() & 0xf);
		if (k->how == STACK || k->how == ACC8B)
			rex &= ~8;
		if (k->reg == NONE)	/* the low registers are prepared */
			rex &= ~1;
		if (!vex)
			put_byte(m, rex);
	}
	if (vex)
		put_vex(m, k, rex);
	size = rex & 8 ? 8 : p66 ? 2 : 4;
	for (i = 0; i < k->len - 1; i++)
		put_byte(m, k->bytes[i]);
	put_byte(m, op);
	if (k->how == STRING)
		return;
	if (k->reg == NONE) {
		put_immediate(m, k, size);
		return;
	}

	at = m->len;
	if (can_be_reg && (k->bytes[0] != 0x0f || k->how == DOUBLE) && !(rnd() & 3)) {
		u8 rm = rnd() & 7;

		if ((rm | (rex & 1) << 3) == 4 || (reg | (rex & 4) << 1) == 4)
			rm = 3;
		put_byte(m, 0xc0 | reg << 3 | rm);
	} else {
		put_memory(m, reg, rex, k->how == SSE || vex, addr32);
	}
	/* The stack pointer is not for arithmetic here: it would leave the area. */
	if (k->reg == ANY && k->how != SSE && !vex && (reg | (rex & 4) << 1) == 4)
		m->insn[at] ^= 1 << 3;
	put_immediate(m, k, size);
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
	*out = m->in;
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

	if (k->how != SHIFT && k->how != DOUBLE)
		return m->undef;
	count = (x->insn.form == FORM_RM_CL || x->insn.form == FORM_RM_REG_CL ? m->in.regs[1] & 0xff : x->insn.imm & 0xff) & mask;
	if (!count)
		return 0;
	if (k->how == DOUBLE && count > bits)
		return STATUS;
	/* Shifts of everything out of a byte or word leave CF undefined. */
	if (count >= bits && x->insn.op >= OP_SHL)
		return AF | OF | CF;
	if (k->how == DOUBLE)
		return count == 1 ? AF : AF | OF;
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
	if (k->how == BRANCH || k->how == RETURN)
		for (i = 0; i < MEM_SIZE; i += 8)
			memcpy(mem + i, &back, 8);
	if (k->how == POPFLAGS) {
		u64 flags = (rnd() & (STATUS | DF)) | 0x202 | (rnd() & 1 ? 1 << 21 : 0);

		memcpy(mem + MEM_SIZE / 4, &flags, 8);
	}
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
	bool branches = k->how == BRANCH || k->how == RETURN;
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
			if (k->how == DIVIDE && (run_emulated(&m, &got, &x) != EXEC_FAULT ||
						 x.fault.vector)) {
				tap_diag("%s: no #DE", k->name);
				show(k, &m, &want, &got, 0);
				bad++;
			}
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
		/* A word shifted by more than 16: the result is undefined, too. */
		if (k->how == DOUBLE && undef == STATUS)
			continue;
		if (memcmp(want.regs, got.regs, sizeof(want.regs)) ||
		    ((want.rflags ^ got.rflags) & ~(u64)undef) ||
		    memcmp(want.vec, got.vec, sizeof(want.vec)) ||
		    memcmp(want.mmx, got.mmx, sizeof(want.mmx)) ||
		    memcmp(mem, copy, MEM_SIZE) ||
		    (branches && x.rip != (uintptr_t)native_back) ||
		    (!branches && x.rip != (uintptr_t)code + m.len)) {
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

/* Decimal adjustment: sums and differences of two-digit numbers come out right. */
static void test_decimal(void)
{
	int a, b, wrong = 0;

	for (a = 0; a < 100; a++) {
		for (b = 0; b < 100; b++) {
			u8 pa = a / 10 << 4 | a % 10, pb = b / 10 << 4 | b % 10;
			int sum = (a + b) % 100, diff = (a - b + 100) % 100;
			u64 flags = 0;
			u16 ax;

			ax = exec_alu2(&flags, OP_ADD, pa, pb, 1);
			exec_decimal(&flags, OP_DAA, 0, &ax);
			wrong += ax != (sum / 10 << 4 | sum % 10) || (flags & CF) != (a + b > 99);
			flags = 0;
			ax = exec_alu2(&flags, OP_SUB, pa, pb, 1);
			exec_decimal(&flags, OP_DAS, 0, &ax);
			wrong += ax != (diff / 10 << 4 | diff % 10) || (flags & CF) != (a < b);
			/* One digit each, in AL, the carry into AH. */
			flags = 0;
			ax = exec_alu2(&flags, OP_ADD, a % 10, b % 10, 1);
			exec_decimal(&flags, OP_AAA, 0, &ax);
			wrong += ax != ((a % 10 + b % 10) / 10 << 8 | (a % 10 + b % 10) % 10);
			flags = 0;
			ax = 0x100 | exec_alu2(&flags, OP_SUB, a % 10, b % 10, 1);
			exec_decimal(&flags, OP_AAS, 0, &ax);
			wrong += ax != (a % 10 < b % 10 ? a % 10 - b % 10 + 10 : 0x100 | (a % 10 - b % 10));
			ax = a;
			exec_decimal(&flags, OP_AAM, 10, &ax);
			wrong += ax != (a / 10 << 8 | a % 10);
			exec_decimal(&flags, OP_AAD, 10, &ax);
			wrong += ax != a;
		}
	}
	tap_eq(wrong, 0, "DAA, DAS, AAA, AAS, AAM, AAD: decimal arithmetic");
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
	native_avx = !!__builtin_cpu_supports("avx");

	tap_plan(0);
	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		test_kind(&kinds[i]);
	test_order();
	test_small_modes();
	test_decimal();
	test_long_repeat();
	tap_ok(!read_after_write, "no execution read after it wrote");
	free(copy);
	return tap_done();
}
