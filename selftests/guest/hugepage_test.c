// SPDX-License-Identifier: GPL-2.0
/*
 * A guest on transparent huge pages: one touch makes 2 MiB usable, and splitting, freeing a part and
 * write-protecting a part of a large page leave the rest of its contents alone.
 */
#include <string.h>
#include <sys/mman.h>

#include "gvm.h"

#define SIZE	0x800000ul
#define LARGE	0x200000ul
#define PAGE	0x1000ul

enum stage { ST_TOUCHED = 1, ST_SPLIT, ST_FREED, ST_MOVED };

static volatile uint64_t *at(uint64_t off)
{
	return (volatile uint64_t *)(GUEST_EXTRA + off);
}

static void guest_main(void)
{
	uint64_t off;
	bool ok = true;

	for (off = 0; off < SIZE; off += LARGE)
		*at(off) = off + 1;
	guest_sync(ST_TOUCHED, 0);
	for (off = 0; off < SIZE; off += PAGE)
		*at(off) = off ^ 0x55;
	guest_sync(ST_SPLIT, 0);
	for (off = 0; off < SIZE; off += PAGE)
		ok &= *at(off) == (off == 5 * PAGE ? 0 : off ^ 0x55);
	guest_check(ok, "freeing one small page of a large one zeroes that page and no other");
	*at(5 * PAGE) = 9;
	guest_sync(ST_FREED, 0);
	ok = true;
	for (off = 0; off < SIZE; off += PAGE)
		ok &= *at(off) == (off >= LARGE && off < 2 * LARGE ? 0 : off == 5 * PAGE ? 9 : off ^ 0x55);
	guest_check(ok, "freeing a whole large page zeroes it and no other");
	*at(LARGE + 3 * PAGE) = 33;
	guest_sync(ST_MOVED, 0);
	ok = *at(2 * LARGE + 7 * PAGE) == 0x77;
	for (off = 2 * LARGE; off < 3 * LARGE; off += PAGE)
		ok &= off == 2 * LARGE + 7 * PAGE || *at(off) == (off ^ 0x55);
	guest_check(ok, "mapping one small page anew in the middle of a large one changes that page only");
	guest_done();
}

static bool run_to(struct gvm *vm, uint64_t stage)
{
	int stop = gvm_run(vm, 0);

	return tap_ok(stop == GVM_SYNC && vm->sync_stage == stage, "the guest reaches stage %u",
		      (unsigned int)stage);
}

/* Kilobytes of anonymous huge pages of the mapping at @mem, from smaps. */
static long huge_kb(const void *mem)
{
	unsigned long start, end;
	bool inside = false;
	char line[512];
	long kb = 0, v;
	FILE *f = fopen("/proc/self/smaps", "r");

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start < (uintptr_t)mem + SIZE && end > (uintptr_t)mem;
		else if (inside && sscanf(line, "AnonHugePages: %ld kB", &v) == 1)
			kb += v;
	}
	if (f)
		fclose(f);
	return kb;
}

static bool host_has_thp(void)
{
	FILE *f = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
	char line[128] = "";

	if (f && !fgets(line, sizeof(line), f))
		line[0] = 0;
	if (f)
		fclose(f);
	return line[0] && !strstr(line, "[never]");
}

int main(void)
{
	uint8_t *map, *mem;
	struct gvm *vm;
	uint64_t off;
	bool ok = true;

	gvm_start();
	map = mmap(NULL, SIZE + LARGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		tap_bail("out of memory");
	mem = (uint8_t *)(((uintptr_t)map + LARGE - 1) & ~(LARGE - 1));
	if (!host_has_thp() || madvise(mem, SIZE, MADV_HUGEPAGE))
		tap_skip_all("the host has no transparent huge pages, or too little memory for them");
	vm = gvm_create(1, 0);
	if (gvm_slot(vm, 1, GUEST_EXTRA, SIZE, mem, 0))
		tap_bail("MINIKVM_SET_USER_MEMORY_REGION: %s", strerror(errno));
	gvm_enter64(vm, 0, guest_main);
	if (!run_to(vm, ST_TOUCHED))
		return gvm_finish();
	tap_eq(huge_kb(mem), SIZE / 1024, "one touch in each 2 MiB made the host use huge pages");
	if (!run_to(vm, ST_SPLIT))
		return gvm_finish();
	for (off = 0; off < SIZE; off += PAGE)
		ok &= *(uint64_t *)(mem + off) == (off ^ 0x55);
	tap_ok(ok, "userspace sees every word the guest wrote");
	madvise(mem + 5 * PAGE, PAGE, MADV_DONTNEED);
	if (!run_to(vm, ST_FREED))
		return gvm_finish();
	madvise(mem + LARGE, LARGE, MADV_DONTNEED);
	if (!run_to(vm, ST_MOVED))
		return gvm_finish();
	tap_eq(*(uint64_t *)(mem + LARGE + 3 * PAGE), 33, "a freed large page is shared again when touched");
	if (mmap(mem + 2 * LARGE + 7 * PAGE, PAGE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == MAP_FAILED)
		tap_bail("mmap: %s", strerror(errno));
	*(uint64_t *)(mem + 2 * LARGE + 7 * PAGE) = 0x77;
	gvm_run_done(vm);
	gvm_destroy(vm);
	return gvm_finish();
}
