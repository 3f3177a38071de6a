// SPDX-License-Identifier: GPL-2.0
/*
 * Exceptions a guest raises reach the guest's own handlers, with the right vector, error code and
 * return address, and none of them is seen by the host.
 */
#include "gvm.h"

static volatile uint64_t hits, frame_rip, frame_error, df_hits;

static void count_trap(struct guest_trap_frame *f)
{
	hits++;
	frame_rip = f->rip;
	frame_error = f->error;
}

static void on_double_fault(struct guest_trap_frame *f)
{
	(void)f;
	df_hits++;
	guest_eq(f->error, 0, "a double fault pushes error code 0");
	guest_check(true, "a fault whose handler is not present becomes a double fault");
	guest_done();
}

/* Maps the 4 KiB pages of GUEST_EXTRA..+2 MiB through a table of our own. */
static uint64_t page_table[512] __attribute__((aligned(4096)));

static void split_extra(void)
{
	uint64_t *pd = (uint64_t *)(GUEST_PML4 + 0x2000);
	unsigned int i;

	for (i = 0; i < 512; i++)
		page_table[i] = (GUEST_FREE + i * 4096) | 7;
	pd[GUEST_EXTRA >> 21] = (uint64_t)page_table | 7;
	write_cr3(read_cr3());
}

static void faults(void)
{
	volatile char *extra = (volatile char *)GUEST_EXTRA;
	uint64_t err, zero = 0;
	int vec;

	GUEST_TRY(vec, err, "ud2", );
	guest_eq(vec, EX_UD, "UD2 raises #UD");
	GUEST_TRY(vec, err, "xor %%edx, %%edx; mov $1, %%eax; divq %[z]", , [z] "m"(zero), "a"(0), "d"(0));
	guest_eq(vec, EX_DE, "a division by zero raises #DE");
	GUEST_TRY(vec, err, "mov %[a], %%rax; mov (%%rax), %%al", , [a] "r"(0x8000000000000000ul), "a"(0));
	guest_eq(vec, EX_GP, "a non-canonical address raises #GP");
	guest_eq(err, 0, "... with error code 0");
	GUEST_TRY(vec, err, "mov %[s], %%fs", , [s] "r"(0x1234));
	guest_eq(vec, EX_GP, "a selector beyond the GDT raises #GP");
	guest_eq(err, 0x1234 & ~3, "... whose error code is the selector");
	split_extra();
	page_table[1] = 0;
	page_table[2] &= ~2ul;
	page_table[3] |= 1ul << 63;
	page_table[4] |= 1ul << 51;
	write_cr3(read_cr3());
	GUEST_TRY(vec, err, "mov (%[p]), %%al", , [p] "r"(extra + 0x1010), "a"(0));
	guest_eq(vec, EX_PF, "reading a page that is not present raises #PF");
	guest_eq(err, 0, "... with error code 0");
	guest_eq(read_cr2(), GUEST_EXTRA + 0x1010, "... and CR2 holds the address");
	GUEST_TRY(vec, err, "movb $1, (%[p])", , [p] "r"(extra + 0x1020));
	guest_eq(err, 2, "writing it sets the write bit");
	GUEST_TRY(vec, err, "movb $1, (%[p])", , [p] "r"(extra + 0x2000));
	guest_check(vec == EX_PF && err == 3, "writing a read-only page is a protection fault");
	GUEST_TRY(vec, err, "jmp *%[p]", , [p] "r"(extra + 0x3000));
	guest_check(vec == EX_PF && err == 0x11, "executing a no-execute page is an instruction fetch fault");
	GUEST_TRY(vec, err, "mov (%[p]), %%al", , [p] "r"(extra + 0x5000), "a"(0));
	guest_eq(vec, -1, "a good page next to them raises nothing");
}

static void traps(void)
{
	uint64_t after;

	guest_set_handler(EX_BP, count_trap);
	hits = 0;
	asm volatile("int3\n1: lea 1b(%%rip), %0" : "=r"(after) : : "memory");
	guest_eq(hits, 1, "INT3 raises #BP once");
	guest_eq(frame_rip, after, "... and returns to the instruction after it");
	guest_set_handler(0x80, count_trap);
	hits = 0;
	asm volatile("int $0x80\n1: lea 1b(%%rip), %0" : "=r"(after) : : "memory");
	guest_check(hits == 1 && frame_rip == after, "INT 0x80 reaches its handler");
	guest_set_handler(EX_DB, count_trap);
	hits = 0;
	/* POPF sets TF; the trap comes after the instruction that follows it. */
	asm volatile("pushfq; orq $0x100, (%%rsp); popfq; nop\n"
		     "1: pushfq; andq $~0x100, (%%rsp); popfq; lea 1b(%%rip), %0"
		     : "=r"(after) : : "memory", "cc");
	guest_check(hits >= 1, "the trap flag raises #DB");
	guest_check(read_dr6() & (1 << 14), "... and sets DR6.BS");
	write_dr6(0xffff0ff0);
}

static void double_fault(void)
{
	extern unsigned char guest_idt[];
	uint64_t zero = 0;

	guest_set_handler(EX_DF, on_double_fault);
	/* #DE and the #NP of its absent gate are both contributory: together they are a #DF. */
	((volatile uint8_t *)guest_idt)[16 * EX_DE + 5] &= 0x7f;
	asm volatile("divq %0" : : "m"(zero), "a"(0), "d"(0) : "memory");
	guest_check(false, "the faulting instruction is not reached again");
	guest_done();
}

static void guest_main(void)
{
	faults();
	traps();
	double_fault();
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	vm = gvm_create(1, 0);
	gvm_enter64(vm, 0, guest_main);
	gvm_run_done(vm);
	gvm_destroy(vm);
	return gvm_finish();
}
