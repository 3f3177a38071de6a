// SPDX-License-Identifier: GPL-2.0
/*
 * UMIP, by the CPU or by the hypervisor: level 0 still stores the descriptor tables' registers, level 3
 * gets #GP, and without CR4.UMIP both do.
 */
#include "gvm.h"

#define CR4_UMIP	(1ul << 11)

extern uint8_t guest_idt[];
extern uint64_t guest_gdt[];

struct table {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed));

static volatile int vec[5];
static volatile uint64_t err[5];
static volatile struct table gdt, idt;
static volatile bool smsw_too;		/* the CPU does it: a hypervisor cannot make SMSW exit */

#define TRY(n, insn, inputs...)						\
do {									\
	uint64_t e__;							\
	int v__;							\
									\
	GUEST_TRY(v__, e__, insn, , ##inputs);				\
	vec[n] = v__;							\
	err[n] = e__;							\
} while (0)

static void store_all(void)
{
	uint64_t word;

	TRY(0, "sgdt (%%rdi)", "D"(&gdt));
	TRY(1, "sidt (%%rdi)", "D"(&idt));
	TRY(2, "sldt (%%rdi)", "D"(&word));
	TRY(3, "str %%eax", "a"(0));
	TRY(4, "smsw %%eax", "a"(0));
}

static void user_code(void)
{
	store_all();
	asm volatile("int $0x80");
}

static bool all(int want)
{
	unsigned int i;

	for (i = 0; i < 5; i++) {
		if (i == 4 && !smsw_too)
			continue;
		if (vec[i] != want || (want == EX_GP && err[i]))
			return false;
	}
	return true;
}

static void level0(const char *text)
{
	uint64_t tr = 0xffffffffffffffff, ldt = 0xffffffff, msw = 0;

	gdt.base = 0;
	idt.base = 0;
	store_all();
	guest_check(all(-1) && gdt.base == (uint64_t)guest_gdt && gdt.limit > 64 && idt.base == (uint64_t)guest_idt &&
		    idt.limit == 4095, text);
	asm volatile("str %%rax; sldt %%ecx; smsw %%rdx" : "+a"(tr), "+c"(ldt), "+d"(msw));
	guest_eq(tr, 0x40, "STR to a register");
	guest_eq(ldt, 0, "SLDT to a register");
	guest_eq(msw, read_cr0(), "SMSW to a register");
	/* What loads these may exit as well. */
	asm volatile("lgdt (%0); lidt (%1); lldt %w2" : : "r"(&gdt), "r"(&idt), "r"(0) : "memory");
	guest_check(guest_gdt[8] >> 41 & 1, "LGDT, LIDT and LLDT at level 0");
}

static void guest_main(void)
{
	uint16_t tr = 0x40;

	guest_gdt[8] |= 1ul << 41;
	level0("without UMIP level 0 stores the tables' registers");
	guest_run_user(user_code);
	guest_check(all(-1), "without UMIP level 3 does, too");
	write_cr4(read_cr4() | CR4_UMIP);
	guest_check(read_cr4() & CR4_UMIP, "CR4.UMIP stays");
	level0("with UMIP level 0 stores the tables' registers");
	guest_gdt[8] &= ~(1ul << 41);
	asm volatile("ltr %0" : : "r"(tr) : "memory");
	guest_check(guest_gdt[8] >> 41 & 1, "LTR at level 0 makes the TSS busy");
	guest_run_user(user_code);
	guest_check(all(EX_GP), "with UMIP level 3 gets #GP");
	write_cr4(read_cr4() & ~CR4_UMIP);
	guest_run_user(user_code);
	guest_check(all(-1), "and none once it is off again");
	guest_done();
}

int main(void)
{
	struct gvm *vm;
	uint32_t r[4];

	gvm_start();
	if (!gvm_cpuid_has(7, 0, 2, 2))
		tap_skip_all("the device offers no UMIP");
	vm = gvm_create(1, 0);
	cpuid(7, 0, r);
	*(bool *)gvm_guest(vm, &smsw_too) = r[2] >> 2 & 1;
	gvm_enter64(vm, 0, guest_main);
	gvm_run_done(vm);
	gvm_destroy(vm);
	return gvm_finish();
}
