// SPDX-License-Identifier: GPL-2.0
/*
 * The slot array's arithmetic: overlap, wrapping, insertion, removal and lookup
 * against a naive model, and how large an entry geometry allows.
 */
#include "tap.h"
#include "memslot_array.h"

#define ROOM		64
#define SPACE		4096	/* gfns of the model's little world */
#define GFN_END		(1ULL << 36)

static struct memslots *slots;

static unsigned int rnd(unsigned int below)
{
	static unsigned long long state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned int)(state >> 16) % below;
}

static void add(u32 id, gfn_t base, unsigned long npages, unsigned long hva)
{
	struct memslot slot = { .base_gfn = base, .npages = npages, .hva = hva, .id = id };

	memslots_insert(slots, &slot);
}

static void reset(void)
{
	slots->nr = 0;
	slots->last = 0;
}

static int id_at(gfn_t gfn)
{
	struct memslot *slot = memslots_find(slots, gfn);

	return slot ? (int)slot->id : -1;
}

static void test_edges(void)
{
	reset();
	tap_ok(!memslots_find(slots, 0) && !memslots_find(slots, ~0ULL), "empty: nothing found");
	tap_ok(!memslots_overlap(slots, 0, 0, ~0ULL), "empty: nothing overlaps");
	memslots_remove(slots, 7);
	tap_eq(slots->nr, 0, "empty: removing what is not there changes nothing");

	add(1, 16, 16, 0x10000);
	add(2, 0, 8, 0x90000);
	add(3, GFN_END - 4, 4, 0x200000);
	tap_ok(slots->slot[0].id == 2 && slots->slot[1].id == 1 && slots->slot[2].id == 3,
	       "sorted by gfn whatever the order of insertion");
	tap_ok(id_at(0) == 2 && id_at(7) == 2 && id_at(8) == -1, "first and last page, and behind");
	tap_ok(id_at(15) == -1 && id_at(16) == 1 && id_at(31) == 1 && id_at(32) == -1,
	       "before, first, last, behind");
	tap_ok(id_at(GFN_END - 5) == -1 && id_at(GFN_END - 4) == 3 && id_at(GFN_END - 1) == 3 &&
	       id_at(GFN_END) == -1 && id_at(~0ULL) == -1, "a slot at the top");

	tap_ok(memslots_overlap(slots, 9, 31, 32), "overlap of one page at the end");
	tap_ok(memslots_overlap(slots, 9, 8, 17), "overlap of one page at the start");
	tap_ok(!memslots_overlap(slots, 9, 8, 16), "a gap filled exactly does not overlap");
	tap_ok(memslots_overlap(slots, 9, 4, 5), "inside a slot");
	tap_ok(memslots_overlap(slots, 9, 8, 100), "around a slot");
	tap_ok(!memslots_overlap(slots, 1, 10, 40), "a slot does not overlap itself");
	tap_eq(memslot_gfn_to_hva(&slots->slot[1], 17), 0x11000, "gfn to hva");

	/* The hint may point anywhere, even behind the array. */
	slots->last = 3;
	tap_eq(id_at(20), 1, "a stale hint behind the array is harmless");
	slots->last = 0;
	tap_eq(id_at(20), 1, "a stale hint at another slot is harmless");
	memslots_remove(slots, 3);
	tap_ok(slots->nr == 2 && id_at(GFN_END - 1) == -1 && id_at(20) == 1, "removal");
}

/* A world of SPACE gfns where owner[] says which slot holds each. */
static void test_fuzz(void)
{
	static int owner[SPACE];
	bool overlap_ok = true, find_ok = true, sorted_ok = true, id_ok = true;
	int step, i;

	reset();
	for (i = 0; i < SPACE; i++)
		owner[i] = -1;
	for (step = 0; step < 20000; step++) {
		u32 id = rnd(ROOM);
		gfn_t base = rnd(SPACE);
		unsigned long npages = 1 + rnd(SPACE - base < 200 ? SPACE - base : 200);
		struct memslot *slot = memslots_find_id(slots, id);
		bool taken = false;

		if (slot) {
			id_ok &= slot->id == id;
			memslots_remove(slots, id);
			for (i = 0; i < SPACE; i++)
				if (owner[i] == (int)id)
					owner[i] = -1;
			id_ok &= !memslots_find_id(slots, id);
		}
		for (i = base; i < (int)(base + npages); i++)
			taken |= owner[i] != -1;
		overlap_ok &= memslots_overlap(slots, id, base, base + npages) == taken;
		if (!taken) {
			add(id, base, npages, base << 12);
			for (i = base; i < (int)(base + npages); i++)
				owner[i] = id;
		}
		for (i = 1; i < slots->nr; i++)
			sorted_ok &= slots->slot[i - 1].base_gfn + slots->slot[i - 1].npages <=
				     slots->slot[i].base_gfn;
		for (i = 0; i < 16; i++) {
			gfn_t gfn = rnd(SPACE);

			find_ok &= id_at(gfn) == owner[gfn];
		}
	}
	tap_ok(sorted_ok, "fuzz: sorted and disjoint after every step");
	tap_ok(overlap_ok, "fuzz: overlap agrees with the model");
	tap_ok(find_ok, "fuzz: lookup agrees with the model");
	tap_ok(id_ok, "fuzz: lookup by number agrees with the model");
}

static void test_map_level(void)
{
	struct memslot s = { .base_gfn = 512, .npages = 1024, .hva = 0x40000000 };

	tap_eq(memslot_map_level(&s, 512, 3), 2, "aligned slot: 2 MiB at its start");
	tap_eq(memslot_map_level(&s, 1535, 3), 2, "aligned slot: 2 MiB at its end");
	tap_eq(memslot_map_level(&s, 512, 1), 1, "never above the level asked for");
	s.npages = 1023;
	tap_eq(memslot_map_level(&s, 1024, 3), 1, "a large page would reach behind the slot");
	tap_eq(memslot_map_level(&s, 1023, 3), 2, "but the one before it fits");
	s.npages = 1024;
	s.base_gfn = 513;
	s.hva = 0x40001000;
	tap_eq(memslot_map_level(&s, 513, 3), 1, "a large page would begin before the slot");
	tap_eq(memslot_map_level(&s, 1024, 3), 2, "but the one after it fits");
	s.hva = 0x40000000;
	tap_eq(memslot_map_level(&s, 1024, 3), 1, "gfn and hva not congruent");
	s = (struct memslot){ .base_gfn = 1 << 18, .npages = 1 << 18, .hva = 0x40000000 };
	tap_eq(memslot_map_level(&s, (1 << 18) + 77, 3), 3, "1 GiB");
	s.hva += 0x200000;
	tap_eq(memslot_map_level(&s, (1 << 18) + 77, 3), 2, "congruent modulo 2 MiB only");
	s = (struct memslot){ .base_gfn = GFN_END - 512, .npages = 512, .hva = 0x200000 };
	tap_eq(memslot_map_level(&s, GFN_END - 1, 3), 2, "at the top of the address space");
}

/* By definition: no slot meets the region, but one meets the next larger. */
static int naive_hole_level(gfn_t gfn, int max_level)
{
	int level, i;

	for (level = max_level; level > 1; level--) {
		gfn_t pages = 1ULL << ((level - 1) * 9);
		gfn_t start = gfn / pages * pages;
		bool meets = false;

		for (i = 0; i < slots->nr; i++)
			meets |= slots->slot[i].base_gfn < start + pages &&
				 slots->slot[i].base_gfn + slots->slot[i].npages > start;
		if (!meets)
			break;
	}
	return level;
}

static void test_hole_level(void)
{
	bool ok = true;
	int round, i;

	reset();
	tap_eq(memslots_hole_level(slots, 12345, 4), 4, "no slot at all: the largest entry");
	add(1, 0, 0xa0, 0);
	tap_eq(memslots_hole_level(slots, 0xa0, 4), 1, "the page behind a slot");
	tap_eq(memslots_hole_level(slots, 0x200, 4), 2, "the next 2 MiB");
	tap_eq(memslots_hole_level(slots, 1 << 18, 4), 3, "the next 1 GiB");
	tap_eq(memslots_hole_level(slots, 1ULL << 27, 4), 4, "the next 512 GiB");
	add(2, 0x200, 0x200, 0);
	tap_eq(memslots_hole_level(slots, 0x400, 4), 2, "2 MiB right behind a slot");
	tap_eq(memslots_hole_level(slots, 0x1ff, 4), 1, "the page before a slot");
	for (round = 0; round < 200; round++) {
		reset();
		for (i = 0; i < 8; i++) {
			gfn_t base = (gfn_t)rnd(1 << 15) << rnd(14);
			unsigned long npages = 1 + rnd(1 << 12);

			if (!memslots_overlap(slots, i, base, base + npages))
				add(i, base, npages, 0);
		}
		for (i = 0; i < 200; i++) {
			gfn_t gfn = (gfn_t)rnd(1 << 15) << rnd(14);

			if (!memslots_find(slots, gfn))
				ok &= memslots_hole_level(slots, gfn, 4) ==
				      naive_hole_level(gfn, 4);
		}
	}
	tap_ok(ok, "fuzz: hole levels agree with the definition");
}

static void test_hva_overlap(void)
{
	struct memslot s = { .base_gfn = 100, .npages = 10, .hva = 0x50000 };
	gfn_t first = 0, last = 0;
	bool ok = true;
	int i, page;

	tap_ok(!memslot_hva_overlap(&s, 0x4f000, 0x50000, &first, &last), "hva range before");
	tap_ok(!memslot_hva_overlap(&s, 0x5a000, 0x5b000, &first, &last), "hva range behind");
	tap_ok(memslot_hva_overlap(&s, 0x50000, 0x50001, &first, &last) && first == 100 &&
	       last == 101, "one byte is one page");
	tap_ok(memslot_hva_overlap(&s, 0, ~0UL, &first, &last) && first == 100 && last == 110,
	       "everything is the slot");
	for (i = 0; i < 5000; i++) {
		unsigned long start = 0x48000 + rnd(0x18000);
		unsigned long end = start + 1 + rnd(0x8000);
		gfn_t want_first = ~0ULL, want_last = 0;

		for (page = 0; page < 10; page++) {
			unsigned long at = s.hva + page * 0x1000;

			if (at >= end || at + 0x1000 <= start)
				continue;
			if (want_first == ~0ULL)
				want_first = s.base_gfn + page;
			want_last = s.base_gfn + page + 1;
		}
		if (memslot_hva_overlap(&s, start, end, &first, &last))
			ok &= first == want_first && last == want_last;
		else
			ok &= want_first == ~0ULL;
	}
	tap_ok(ok, "fuzz: hva ranges agree page by page");
}

int main(void)
{
	/* Exactly as large as needed: one element more is a sanitizer's report. */
	slots = malloc(sizeof(*slots) + ROOM * sizeof(slots->slot[0]));
	if (!slots)
		tap_bail("no memory");
	tap_plan(0);
	test_edges();
	test_fuzz();
	test_map_level();
	test_hole_level();
	test_hva_overlap();
	free(slots);
	return tap_done();
}
