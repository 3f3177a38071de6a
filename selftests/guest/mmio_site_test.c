// SPDX-License-Identifier: GPL-2.0
/*
 * One instruction that accesses a device again and again, as a driver's does, while what it depends on
 * changes in between: its own bytes, the page tables that lead to them, CR3, the register that addresses
 * the device, and whether there is memory where the device was. Each access is what the instruction says now.
 */
#include <string.h>
#include <sys/mman.h>

#include "gvm.h"

#define ALIAS		0x60000000ul		/* one of the next two, by a large page */
#define CODE_A		(GUEST_FREE + 0x400000)
#define CODE_B		(GUEST_FREE + 0x600000)
#define OTHER_PML4	(GUEST_FREE + 0x100000)	/* PML4, PDPT and the second page directory */
#define DEV		GUEST_MMIO		/* writes are kept */
#define DEV_LAST	(GUEST_MMIO + 0x10)	/* reads the last value written */
#define DEV_WHERE	(GUEST_MMIO + 0x18)	/* reads where it was written */
#define PTE		0xe7ul			/* present, writable, user, accessed, dirty, large */

static uint64_t dev_value, dev_where;

static bool serve(struct gvm_vcpu *v, struct minikvm_run *run)
{
	uint64_t r = 0;

	(void)v;
	if (run->mmio.is_write) {
		dev_value = 0;
		memcpy(&dev_value, run->mmio.data, run->mmio.len);
		dev_where = run->mmio.phys_addr;
		return true;
	}
	if (run->mmio.phys_addr == DEV_LAST)
		r = dev_value;
	else if (run->mmio.phys_addr == DEV_WHERE)
		r = dev_where;
	else
		r = 0x8182838485868788ull;
	memcpy(run->mmio.data, &r, run->mmio.len);
	return true;
}

static void put(uint64_t at, const char *code, unsigned int len)
{
	unsigned int i;
	uint32_t r[4];

	for (i = 0; i < len; i++)
		((volatile uint8_t *)at)[i] = code[i];
	cpuid(0, 0, r);			/* serializes */
}
#define PUT(at, code)	put(at, code, sizeof(code) - 1)

#define STORE_EAX	"\x89\x07\xc3"
#define STORE_ECX	"\x89\x0f\xc3"
#define STORE_AL	"\x88\x07\xc3"
#define LOAD_EAX	"\x8b\x07\xc3"
#define LOAD_SIGN	"\x0f\xbe\x07\xc3"			/* movsbl (%rdi), %eax */
#define STORE_IMM	"\xc7\x87\x40\0\0\0\x11\x22\x33\x44\xc3"	/* movl $0x44332211, 0x40(%rdi) */
#define STORE_IMM2	"\xc7\x87\x40\0\0\0\x11\x22\x33\x55\xc3"

static uint64_t run_at(uint64_t code, uint64_t rdi)
{
	uint64_t rax = 0xa1a2a3a4a5a6a7a8ull;

	asm volatile("call *%2" : "+a"(rax) : "D"(rdi), "r"(code), "c"(0xc1c2c3c4c5c6c7c8ull)
		     : "memory");
	return rax;
}

static uint64_t last(void)
{
	return *(volatile uint64_t *)DEV_LAST;
}

/* Three times: the first is met for the first time, the others again. */
static bool stores(uint64_t code, uint64_t want)
{
	unsigned int i;
	bool ok = true;

	for (i = 0; i < 3; i++) {
		run_at(code, DEV + 8 * i);
		ok &= last() == want && *(volatile uint64_t *)DEV_WHERE == DEV + 8 * i;
	}
	return ok;
}

static bool loads(uint64_t code, uint64_t want)
{
	return run_at(code, DEV) == want && run_at(code, DEV) == want && run_at(code, DEV) == want;
}

static void bytes(void)
{
	unsigned int i;
	bool ok = true;

	PUT(CODE_A, STORE_EAX);
	guest_check(stores(CODE_A, 0xa5a6a7a8), "a store, three times, to three addresses");
	PUT(CODE_A, STORE_ECX);
	guest_check(stores(CODE_A, 0xc5c6c7c8), "another register once its byte has changed");
	PUT(CODE_A, STORE_AL);
	guest_check(stores(CODE_A, 0xa8), "another width");
	PUT(CODE_A, LOAD_EAX);
	guest_check(loads(CODE_A, 0x85868788), "a load instead clears the upper half");
	PUT(CODE_A, LOAD_SIGN);
	guest_check(loads(CODE_A, 0xffffff88), "a load that extends the sign");
	PUT(CODE_A, STORE_IMM);
	run_at(CODE_A, DEV);
	run_at(CODE_A, DEV);
	guest_eq(last(), 0x44332211, "a store of ten bytes of code");
	PUT(CODE_A, STORE_IMM2);
	run_at(CODE_A, DEV);
	guest_eq(last(), 0x55332211, "... of which the last has changed");
	for (i = 0; i < 64; i++) {
		((volatile uint8_t *)CODE_A)[9] = i;
		run_at(CODE_A, DEV);
		ok &= last() == (0x332211 | i << 24);
	}
	guest_check(ok, "... sixty-four times, without a serializing instruction");
	guest_eq(*(volatile uint64_t *)DEV_WHERE, DEV + 0x40, "... where its displacement says");
}

static void tables(void)
{
	uint64_t *pd = (uint64_t *)(GUEST_PML4 + 0x2000) + (ALIAS >> 21);
	uint64_t *other = (uint64_t *)OTHER_PML4, cr3 = read_cr3();
	unsigned int i;
	bool ok = true;

	PUT(CODE_A, STORE_EAX);
	PUT(CODE_B, STORE_ECX);
	for (i = 0; i < 16; i++) {
		*(volatile uint64_t *)pd = (i & 1 ? CODE_B : CODE_A) | PTE;
		asm volatile("invlpg (%0)" : : "r"(ALIAS) : "memory");
		ok &= stores(ALIAS, i & 1 ? 0xc5c6c7c8 : 0xa5a6a7a8);
	}
	guest_check(ok, "one address, other code once a page-table entry has changed");

	*(volatile uint64_t *)pd = CODE_A | PTE;
	memcpy(other, (void *)GUEST_PML4, 0x2000);
	other[0] = (OTHER_PML4 + 0x1000) | 7;
	other[512 + (ALIAS >> 30)] = (OTHER_PML4 + 0x2000) | 7;
	memcpy(other + 1024, (void *)(GUEST_PML4 + 0x2000 + (ALIAS >> 30) * 0x1000), 0x1000);
	other[1024 + ((ALIAS >> 21) & 511)] = CODE_B | PTE;
	for (i = 0, ok = true; i < 16; i++) {
		write_cr3(i & 1 ? OTHER_PML4 : cr3);
		ok &= stores(ALIAS, i & 1 ? 0xc5c6c7c8 : 0xa5a6a7a8);
	}
	write_cr3(cr3);
	guest_check(ok, "one address, other code in other page tables");
}

static void guest_main(void)
{
	bytes();
	tables();
	PUT(CODE_A, STORE_EAX);
	stores(CODE_A, 0xa5a6a7a8);
	guest_sync(1, 0);			/* memory comes where the device was */
	run_at(CODE_A, DEV);
	guest_eq(*(volatile uint32_t *)DEV, 0xa5a6a7a8, "the store goes to memory that came there");
	guest_sync(2, 0);			/* and goes */
	guest_check(stores(CODE_A, 0xa5a6a7a8), "... and to the device again once it has gone");
	guest_done();
}

int main(void)
{
	uint8_t *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct gvm *vm;

	gvm_start();
	vm = gvm_create(1, 0);
	vm->mmio = serve;
	gvm_enter64(vm, 0, guest_main);
	gvm_expect(vm, GVM_SYNC, "the guest stops before memory comes");
	dev_value = 0;
	tap_ok(page != MAP_FAILED && !gvm_slot(vm, 1, DEV, 4096, page, 0), "a slot comes where the device was");
	gvm_expect(vm, GVM_SYNC, "the guest stops before memory goes");
	tap_ok(dev_value == 0 && *(uint32_t *)page == 0xa5a6a7a8, "nothing went to the device meanwhile");
	tap_ok(!gvm_slot(vm, 1, DEV, 0, NULL, 0), "the slot goes");
	gvm_run_done(vm);
	gvm_destroy(vm);
	return gvm_finish();
}
