// SPDX-License-Identifier: GPL-2.0
/*
 * Memory slots change under a running guest: a slot moves, goes away (its pages become MMIO) and comes
 * back, is made read-only, and other vCPUs see each change at once.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gvm.h"

#define SLOT_SIZE	0x10000u
#define MAGIC_A		0xaaaa5555aaaa5555ul
#define MAGIC_B		0xbbbb6666bbbb6666ul
#define MMIO_ANSWER	0x3c

enum stage { ST_MOVE = 1, ST_DELETE, ST_ADD, ST_READONLY, ST_WRITABLE, ST_SWAP, ST_END };

static uint8_t *mem_a, *mem_b;
static volatile uint64_t mmio_reads, mmio_writes, ap_bad, ap_rounds, ap_stop;

static volatile uint64_t *extra(uint64_t off)
{
	return (volatile uint64_t *)(GUEST_EXTRA + off);
}

static void one_cpu(void)
{
	guest_eq(*extra(0x1000), MAGIC_A, "a slot's memory is what userspace put there");
	*extra(0x2000) = 77;
	guest_sync(ST_MOVE, 0);
	guest_eq(*extra(0x101000), MAGIC_A, "a moved slot answers at its new address");
	guest_eq(*extra(0x102000), 77, "... with what was written before");
	guest_eq(*(volatile uint8_t *)extra(0x1000), MMIO_ANSWER, "... and its old address is MMIO");
	guest_sync(ST_DELETE, 0);
	guest_eq(*(volatile uint8_t *)extra(0x101000), MMIO_ANSWER, "a deleted slot is MMIO");
	*extra(0x101000) = 1;
	guest_sync(ST_ADD, 0);
	guest_eq(*extra(0x101000), MAGIC_B, "a slot added in its place shows the new memory");
	guest_sync(ST_READONLY, 0);
	guest_eq(*extra(0x101000), MAGIC_B, "a read-only slot reads as before");
	*extra(0x101000) = 5;
	guest_eq(*extra(0x101000), MAGIC_B, "... and a write does not change it");
	guest_sync(ST_WRITABLE, 0);
	*extra(0x101000) = 6;
	guest_eq(*extra(0x101000), 6, "a writable slot again takes the write");
}

/* Reads a word whose slot the host deletes and re-adds all the time: the word, or MMIO's answer. */
static void ap_main(unsigned int cpu)
{
	(void)cpu;
	while (!ap_stop) {
		uint8_t v = *(volatile uint8_t *)extra(0x201000);

		if (v != (uint8_t)MAGIC_A && v != (uint8_t)MAGIC_B && v != MMIO_ANSWER)
			ap_bad++;
		ap_rounds++;
		guest_relax();
	}
}

static void guest_main(void)
{
	uint64_t before;
	unsigned int i;

	one_cpu();
	apic_enable();
	guest_check(guest_start_ap(1, ap_main) && guest_wait(&ap_rounds, 1, 1000000), "a second vCPU reads a slot");
	for (i = 0; i < 50; i++) {
		guest_sync(ST_SWAP, i);
		before = ap_rounds;
		/* Two rounds later it has begun a read after the change. */
		guest_wait(&ap_rounds, before + 2, 1000000);
		if (*(volatile uint8_t *)extra(0x201000) != (uint8_t)(i % 3 == 2 ? MMIO_ANSWER :
								     i % 3 ? MAGIC_B : MAGIC_A))
			ap_bad++;
	}
	ap_stop = 1;
	guest_eq(ap_bad, 0, "fifty changes under two running vCPUs: each read is the old or the new memory");
	guest_sync(ST_END, 0);
	guest_done();
}

static void check(int r, const char *what)
{
	if (r)
		tap_ok(false, "%s: %s", what, strerror(errno));
}

static void on_sync(struct gvm_vcpu *v, uint64_t stage, uint64_t value)
{
	struct gvm *vm = v->vm;

	switch (stage) {
	case ST_MOVE:
		check(gvm_slot(vm, 1, GUEST_EXTRA + 0x100000, SLOT_SIZE, mem_a, 0), "moving a slot");
		break;
	case ST_DELETE:
		check(gvm_slot(vm, 1, 0, 0, NULL, 0), "deleting a slot");
		break;
	case ST_ADD:
		check(gvm_slot(vm, 1, GUEST_EXTRA + 0x100000, SLOT_SIZE, mem_b, 0), "adding a slot");
		break;
	case ST_READONLY:
		check(gvm_slot(vm, 1, 0, 0, NULL, 0), "deleting a slot");
		check(gvm_slot(vm, 1, GUEST_EXTRA + 0x100000, SLOT_SIZE, mem_b, MINIKVM_MEM_READONLY),
		      "adding a read-only slot");
		break;
	case ST_WRITABLE:
		check(gvm_slot(vm, 1, 0, 0, NULL, 0), "deleting a slot");
		check(gvm_slot(vm, 1, GUEST_EXTRA + 0x100000, SLOT_SIZE, mem_b, 0), "adding a slot");
		break;
	case ST_SWAP:
		*(uint64_t *)(mem_b + 0x1000) = MAGIC_B;
		if (value)
			check(value % 3 == 0 ? 0 : gvm_slot(vm, 2, 0, 0, NULL, 0), "deleting a slot");
		if (value % 3 != 2)
			check(gvm_slot(vm, 2, GUEST_EXTRA + 0x200000, SLOT_SIZE, value % 3 ? mem_b : mem_a, 0),
			      "adding a slot");
		break;
	case ST_END:
		break;
	}
}

static bool serve(struct gvm_vcpu *v, struct minikvm_run *run)
{
	(void)v;
	if (run->mmio.phys_addr < GUEST_EXTRA || run->mmio.phys_addr >= GUEST_EXTRA + 0x400000)
		return false;
	if (run->mmio.is_write)
		mmio_writes++;
	else
		memset(run->mmio.data, MMIO_ANSWER, sizeof(run->mmio.data));
	mmio_reads += !run->mmio.is_write;
	return true;
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	mem_a = mmap(NULL, SLOT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	mem_b = mmap(NULL, SLOT_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (mem_a == MAP_FAILED || mem_b == MAP_FAILED)
		tap_bail("out of memory");
	*(uint64_t *)(mem_a + 0x1000) = MAGIC_A;
	*(uint64_t *)(mem_b + 0x1000) = MAGIC_B;
	vm = gvm_create(2, GVM_IRQCHIP);
	vm->mmio = serve;
	vm->sync = on_sync;
	if (gvm_slot(vm, 1, GUEST_EXTRA, SLOT_SIZE, mem_a, 0))
		tap_bail("MINIKVM_SET_USER_MEMORY_REGION: %s", strerror(errno));
	gvm_enter64(vm, 0, guest_main);
	gvm_run_threads(vm, 2);
	tap_ok(mmio_writes >= 2, "writes to a deleted and to a read-only slot came to userspace");
	tap_eq(*(uint64_t *)(mem_a + 0x2000), 77, "userspace sees what the guest wrote");
	gvm_destroy(vm);
	return gvm_finish();
}
