// SPDX-License-Identifier: GPL-2.0
/*
 * Vector state is each vCPU's own: x87, SSE, AVX and AVX-512 registers of two vCPUs, of two VMs and of
 * the host program survive whatever the others load, across exits and preemption.
 */
#include <string.h>

#include "gvm.h"

#define WORDS	8			/* of 64 bits in the widest register */

static volatile uint64_t level;		/* 1 SSE, 2 AVX, 3 AVX-512; the host writes it */

/* Fills every vector register of the level, and an x87 register, with words derived from @seed. */
#define EACH16(f) f(0) f(1) f(2) f(3) f(4) f(5) f(6) f(7) f(8) f(9) f(10) f(11) f(12) f(13) f(14) f(15)
#define EACH32(f) EACH16(f) f(16) f(17) f(18) f(19) f(20) f(21) f(22) f(23) f(24) f(25) f(26) f(27) \
		  f(28) f(29) f(30) f(31)
#define LOAD_X(n) "movdqu " #n "*64(%0), %%xmm" #n "\n"
#define SAVE_X(n) "movdqu %%xmm" #n ", " #n "*64(%0)\n"
#define LOAD_Y(n) "vmovdqu " #n "*64(%0), %%ymm" #n "\n"
#define SAVE_Y(n) "vmovdqu %%ymm" #n ", " #n "*64(%0)\n"
#define LOAD_Z(n) "vmovdqu64 " #n "*64(%0), %%zmm" #n "\n"
#define SAVE_Z(n) "vmovdqu64 %%zmm" #n ", " #n "*64(%0)\n"

struct vectors {
	uint64_t reg[32][WORDS];
	uint64_t mask[8];
	uint64_t x87;
	uint32_t mxcsr;
};

static void load(const struct vectors *v, unsigned int lvl)
{
	asm volatile("fninit; fildll (%0)" : : "r"(&v->x87) : "memory");
	asm volatile("ldmxcsr %0" : : "m"(v->mxcsr));
	if (lvl == 3) {
		asm volatile(EACH32(LOAD_Z) : : "r"(v->reg) : "memory");
		asm volatile("kmovw (%0), %%k1; kmovw 8(%0), %%k7" : : "r"(v->mask) : "memory");
	} else if (lvl == 2) {
		asm volatile(EACH16(LOAD_Y) : : "r"(v->reg) : "memory");
	} else {
		asm volatile(EACH16(LOAD_X) : : "r"(v->reg) : "memory");
	}
}

static void save(struct vectors *v, unsigned int lvl)
{
	asm volatile("fistpll (%0)" : : "r"(&v->x87) : "memory");
	asm volatile("stmxcsr %0" : "=m"(v->mxcsr));
	if (lvl == 3) {
		asm volatile(EACH32(SAVE_Z) : : "r"(v->reg) : "memory");
		asm volatile("kmovw %%k1, (%0); kmovw %%k7, 8(%0)" : : "r"(v->mask) : "memory");
	} else if (lvl == 2) {
		asm volatile(EACH16(SAVE_Y) : : "r"(v->reg) : "memory");
	} else {
		asm volatile(EACH16(SAVE_X) : : "r"(v->reg) : "memory");
	}
}

static void make(struct vectors *v, uint64_t seed)
{
	unsigned int r, w;

	for (r = 0; r < 32; r++)
		for (w = 0; w < WORDS; w++)
			v->reg[r][w] = seed * 0x9e3779b97f4a7c15 + r * 0x0101010101010101 + w * 0x1234567;
	v->mask[0] = (seed * 0x5a5a + 1) & 0xffff;
	v->mask[1] = (seed * 0xa5a5 + 7) & 0xffff;
	v->x87 = seed * 1000003;
	v->mxcsr = 0x1f80 | (seed & 1 ? 0x6000 : 0x2000);	/* a rounding mode of its own */
}

static bool equal(const struct vectors *a, const struct vectors *b, unsigned int lvl)
{
	unsigned int regs = lvl == 3 ? 32 : 16, words = 1u << lvl, r, w;

	for (r = 0; r < regs; r++)
		for (w = 0; w < words; w++)
			if (a->reg[r][w] != b->reg[r][w])
				return false;
	if (lvl == 3 && (a->mask[0] != b->mask[0] || a->mask[1] != b->mask[1]))
		return false;
	return a->x87 == b->x87 && (a->mxcsr & 0xffc0) == (b->mxcsr & 0xffc0);
}

static struct vectors mine[2], seen[2];

static void enable_vectors(unsigned int lvl)
{
	uint64_t xcr0 = lvl == 3 ? 0xe7 : lvl == 2 ? 7 : 3;

	if (lvl == 1)
		return;
	write_cr4(read_cr4() | 1 << 18);
	asm volatile("xsetbv" : : "c"(0), "a"((uint32_t)xcr0), "d"(0));
}

/* Loads registers once and looks at them after every kind of interruption the host thinks of. */
static void guest_main(void)
{
	unsigned int me = guest_this_cpu()->id, i;
	bool ok = true;

	enable_vectors(level);
	make(&mine[me], 11 + me + guest_this_cpu()->scratch[0] * 100);
	load(&mine[me], level);
	for (i = 0; i < 8; i++) {
		guest_relax();
		guest_sync(i, 0);
		save(&seen[me], level);
		ok &= equal(&mine[me], &seen[me], level);
		load(&mine[me], level);
	}
	guest_check(ok, me ? "vCPU 1 of the first VM kept its registers" :
			guest_this_cpu()->scratch[0] ? "the second VM's vCPU kept its registers" :
			"vCPU 0 of the first VM kept its registers");
	guest_done();
}

static void no_vectors_yet(void)
{
	struct vectors v;
	unsigned int r, w;
	bool zero = true;

	enable_vectors(level);
	make(&mine[0], 5);
	save(&v, level);
	for (r = 0; r < (level == 3 ? 32 : 16); r++)
		for (w = 0; w < 1u << level; w++)
			zero &= !v.reg[r][w];
	guest_check(zero, "a new vCPU's vector registers are zero, whatever the host's hold");
	guest_eq(v.mxcsr, 0x1f80, "... and MXCSR is at its reset value");
	guest_done();
}

static void run_round(struct gvm *a, struct gvm *b, unsigned int lvl, const char *name)
{
	struct vectors host, after;
	bool ok = true;
	unsigned int i, k;

	make(&host, 999);
	memset(&after, 0, sizeof(after));
	for (i = 0; i < 8; i++) {
		struct { struct gvm *vm; unsigned int cpu; } order[3] = { { a, 0 }, { b, 0 }, { a, 1 } };

		for (k = 0; k < 3; k++) {
			load(&host, lvl);
			if (gvm_run(order[k].vm, order[k].cpu) != GVM_SYNC)
				ok = false;
			/* The C library ran in between and may use vector registers: look at few it does not. */
			save(&after, lvl);
			ok &= after.x87 == host.x87 && (after.mxcsr & 0xffc0) == (host.mxcsr & 0xffc0);
			ok &= !memcmp(after.reg[13], host.reg[13], 8u << lvl);
			if (lvl == 3)
				ok &= !memcmp(after.reg[29], host.reg[29], 64) && after.mask[1] == host.mask[1];
		}
	}
	host.mxcsr = 0x1f80;
	asm volatile("fninit; ldmxcsr %0" : : "m"(host.mxcsr));
	tap_ok(ok, "%s: the host program kept its registers across 24 runs of three vCPUs", name);
	ok = gvm_run(a, 0) == GVM_DONE;
	ok &= gvm_run(b, 0) == GVM_DONE;
	ok &= gvm_run(a, 1) == GVM_DONE;
	tap_ok(ok, "%s: the vCPUs ran to their end", name);
}

static void test_level(unsigned int lvl, const char *name)
{
	struct gvm *fresh, *a, *b;
	struct guest_cpu *cpus;
	struct vectors host;
	extern struct guest_cpu guest_cpus[];

	level = lvl;
	fresh = gvm_create(1, 0);
	gvm_enter64(fresh, 0, no_vectors_yet);
	make(&host, 3);
	load(&host, lvl);
	gvm_run_done(fresh);
	host.mxcsr = 0x1f80;
	asm volatile("fninit; ldmxcsr %0" : : "m"(host.mxcsr));
	gvm_destroy(fresh);
	a = gvm_create(2, 0);
	b = gvm_create(1, 0);
	cpus = gvm_guest(b, guest_cpus);
	cpus[0].scratch[0] = 1;
	gvm_enter64(a, 0, guest_main);
	gvm_enter64(a, 1, guest_main);
	gvm_enter64(b, 0, guest_main);
	run_round(a, b, lvl, name);
	gvm_destroy(a);
	gvm_destroy(b);
}

int main(void)
{
	gvm_start();
	test_level(1, "x87 and SSE");
	if (gvm_cpuid_has(1, 0, 2, 28))
		test_level(2, "AVX");
	else
		tap_skip("the device offers no AVX");
	if (gvm_cpuid_has(7, 0, 1, 16))
		test_level(3, "AVX-512");
	else
		tap_skip("the device offers no AVX-512");
	return gvm_finish();
}
