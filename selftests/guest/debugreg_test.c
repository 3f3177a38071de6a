// SPDX-License-Identifier: GPL-2.0
/*
 * Debug registers belong to the guest: they read back, breakpoints and watchpoints fire, another VM and
 * the host's own do not see them, and they survive exits.
 */
#include "gvm.h"

static volatile uint64_t hits, hit_rip, watched, dr6_seen;

static void on_db(struct guest_trap_frame *f)
{
	hits++;
	hit_rip = f->rip;
	dr6_seen = read_dr6();
	write_dr6(0xffff0ff0);
	f->rflags |= 1 << 16;			/* RF: not again on the same instruction */
}

static void registers(void)
{
	uint64_t err;
	int vec;

	guest_eq(read_dr7(), 0x400, "DR7 is 400h at reset");
	guest_eq(read_dr6(), 0xffff0ff0, "DR6 is ffff0ff0h at reset");
	write_dr0(0x1111222233334444);
	write_dr3(0x5555666677778888);
	guest_relax();
	guest_check(read_dr0() == 0x1111222233334444 && read_dr3() == 0x5555666677778888,
		    "address registers read back after an exit");
	GUEST_TRY(vec, err, "mov %[v], %%db7", , [v] "r"(1ul << 40));
	guest_eq(vec, EX_GP, "an upper bit of DR7 raises #GP");
	GUEST_TRY(vec, err, "mov %[v], %%db6", , [v] "r"(1ul << 40));
	guest_eq(vec, EX_GP, "an upper bit of DR6 raises #GP");
	asm volatile("mov %0, %%cr4" : : "r"(X86_CR4_DEFAULT | 8));
	GUEST_TRY(vec, err, "mov %%db4, %%rax", , "a"(0));
	guest_eq(vec, EX_UD, "DR4 with CR4.DE set raises #UD");
	write_cr4(X86_CR4_DEFAULT);
}

static void breakpoints(void)
{
	uint64_t at;

	guest_set_handler(EX_DB, on_db);
	asm volatile("lea 1f(%%rip), %0\n\tmov %0, %%db0\n\tmov %1, %%db7\n\tmov %2, %%eax\n\tcpuid\n1:\tnop"
		     : "=&r"(at) : "r"(0x402ul), "i"(0) : "rax", "rbx", "rcx", "rdx", "memory");
	guest_eq(hits, 1, "an instruction breakpoint fires, after an exit");
	guest_eq(hit_rip, at, "... before its instruction");
	guest_eq(dr6_seen & 0xf, 1, "... and DR6 names it");
	write_dr7(0x400);
	hits = 0;
	write_dr1((uint64_t)&watched);
	write_dr7(0x400 | 2 << 2 | 1 << 20 | 3 << 22);	/* global, write, four bytes */
	(void)watched;
	guest_eq(hits, 0, "a write watchpoint ignores a read");
	watched = 5;
	guest_eq(hits, 1, "... and fires on a write");
	guest_eq(dr6_seen & 0xf, 2, "... and DR6 names it");
	guest_sync(1, 0);
	watched = 6;
	guest_eq(hits, 2, "... also after another VM has run");
	write_dr7(0x400);
	watched = 7;
	guest_eq(hits, 2, "... and no more when it is off");
	guest_done();
}

static void guest_main(void)
{
	registers();
	breakpoints();
}

static void other_main(void)
{
	hits = 0;
	guest_set_handler(EX_DB, on_db);
	watched = 1;
	guest_check(!hits && read_dr7() == 0x400 && read_dr1() == 0, "another VM sees none of it");
	guest_done();
}

int main(void)
{
	struct gvm *vm, *other;
	int stop;

	gvm_start();
	vm = gvm_create(1, 0);
	other = gvm_create(1, 0);
	gvm_enter64(vm, 0, guest_main);
	gvm_enter64(other, 0, other_main);
	stop = gvm_run(vm, 0);
	if (tap_ok(stop == GVM_SYNC, "the first VM stops with a watchpoint armed")) {
		/* The host's own write to the same address: a leaked DR7 would raise SIGTRAP here. */
		watched = 3;
		tap_ok(true, "the host's write to the watched address raises nothing");
		gvm_run_done(other);
		gvm_run_done(vm);
	}
	gvm_destroy(other);
	gvm_destroy(vm);
	return gvm_finish();
}
