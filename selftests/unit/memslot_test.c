// SPDX-License-Identifier: GPL-2.0
/*
 * The set of slots: overlap, wrapping, insertion, removal and lookup against a
 * naive model, few slots and many, with and without memory, and how large an entry geometry allows.
 */
#include "tap.h"
#include <linux/slab.h>
#include "memslot_array.h"

#define ROOM		64
#define SPACE		4096	/* gfns of the model's little world */
#define GFN_END		(1ULL << 36)
#define MANY		5000

int shim_fail_in = -1;

static struct memslots *slots;

static unsigned int rnd(unsigned int below)
{
	static unsigned long long state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned int)(state >> 16) % below;
}

/* As the module does it: change a copy, then let it take the original's place. */
static void add(u32 id, gfn_t base, unsigned long npages, unsigned long hva)
{
	struct memslot slot = { .base_gfn = base, .npages = npages, .hva = hva, .id = id };
	struct memslots *new = memslots_copy(slots);

	if (!new || memslots_insert(new, &slot))
		tap_bail("no memory");
	memslots_free(slots);
	slots = new;
}

static void drop(gfn_t base)
{
	struct memslots *new = memslots_copy(slots);

	if (!new || memslots_remove(new, base))
		tap_bail("no memory");
	memslots_free(slots);
	slots = new;
}

static void reset(void)
{
	memslots_free(slots);
	slots = memslots_copy(NULL);
	if (!slots)
		tap_bail("no memory");
}

static int id_at(gfn_t gfn)
{
	struct memslot *slot = memslots_find(slots, gfn);

	return slot ? (int)slot->id : -1;
}

/* The whole structure: order, counts, and what the spans say of their parts. */
static bool consistent(void)
{
	struct memslots_iter it = { 0 };
	struct memslot *slot;
	gfn_t end = 0;
	int s, nr = 0;
	bool ok = true;

	while ((slot = memslots_next(slots, &it, 0, ~0UL))) {
		struct memslot_span *span = &slots->span[it.s];

		ok &= slot->base_gfn >= end && slot->npages;
		ok &= it.i > 1 || span->first == slot->base_gfn;
		ok &= slot->hva >= span->hva_start &&
		      slot->hva + (slot->npages << 12) <= span->hva_end;
		end = slot->base_gfn + slot->npages;
		nr++;
	}
	for (s = 0; s < slots->nr_spans; s++)
		ok &= slots->span[s].part->nr > 0 &&
		      slots->span[s].part->nr <= MEMSLOTS_PER_PART &&
		      slots->span[s].part->users == 1;
	return ok && nr == slots->nr;
}

static void test_edges(void)
{
	static const u32 order[] = { 2, 1, 3 };
	struct memslots_iter it = { 0 };
	struct memslot *slot;
	bool sorted = true;

	reset();
	tap_ok(!memslots_find(slots, 0) && !memslots_find(slots, ~0ULL), "empty: nothing found");
	tap_ok(!memslots_overlap(slots, 0, 0, ~0ULL), "empty: nothing overlaps");
	drop(7);
	tap_eq(slots->nr, 0, "empty: removing what is not there changes nothing");

	add(1, 16, 16, 0x10000);
	add(2, 0, 8, 0x90000);
	add(3, GFN_END - 4, 4, 0x200000);
	while ((slot = memslots_next(slots, &it, 0, ~0UL)))
		sorted &= slot->id == order[it.i - 1];
	tap_ok(sorted && consistent(), "sorted by gfn whatever the order of insertion");
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
	tap_ok(memslots_overlap(slots, 1, 10, GFN_END), "but hides none behind it");
	slot = memslots_find(slots, 17);
	tap_eq(memslot_gfn_to_hva(slot, 17), 0x11000, "gfn to hva");

	/* The hint may be any slot. */
	slots->last = memslots_find(slots, 0);
	tap_eq(id_at(20), 1, "a hint at another slot is harmless");
	drop(GFN_END - 4);
	tap_ok(slots->nr == 2 && id_at(GFN_END - 1) == -1 && id_at(20) == 1, "removal");
	drop(17);
	tap_eq(slots->nr, 2, "removing by a gfn where no slot starts changes nothing");
}

/* A world of SPACE gfns where owner[] says which slot holds each. */
static void test_fuzz(void)
{
	static int owner[SPACE];
	static gfn_t base_of[ROOM];
	bool overlap_ok = true, find_ok = true, sorted_ok = true;
	int step, i;

	reset();
	for (i = 0; i < SPACE; i++)
		owner[i] = -1;
	for (i = 0; i < ROOM; i++)
		base_of[i] = ~0ULL;
	for (step = 0; step < 20000; step++) {
		u32 id = rnd(ROOM);
		gfn_t base = rnd(SPACE);
		unsigned long npages = 1 + rnd(SPACE - base < 200 ? SPACE - base : 200);
		bool taken = false;

		if (base_of[id] != ~0ULL) {
			drop(base_of[id]);
			base_of[id] = ~0ULL;
			for (i = 0; i < SPACE; i++)
				if (owner[i] == (int)id)
					owner[i] = -1;
		}
		for (i = base; i < (int)(base + npages); i++)
			taken |= owner[i] != -1;
		overlap_ok &= memslots_overlap(slots, id, base, base + npages) == taken;
		if (!taken) {
			add(id, base, npages, base << 12);
			base_of[id] = base;
			for (i = base; i < (int)(base + npages); i++)
				owner[i] = id;
		}
		sorted_ok &= consistent();
		for (i = 0; i < 16; i++) {
			gfn_t gfn = rnd(SPACE);

			find_ok &= id_at(gfn) == owner[gfn];
		}
	}
	tap_ok(sorted_ok, "fuzz: sorted and disjoint after every step");
	tap_ok(overlap_ok, "fuzz: overlap agrees with the model");
	tap_ok(find_ok, "fuzz: lookup agrees with the model");
}

/* MANY slots of two pages, three apart; which[] is the order they come in. */
static void fill_many(const int *which)
{
	int i;

	reset();
	for (i = 0; i < MANY; i++)
		add(which[i], which[i] * 3, 2, (unsigned long)which[i] << 20);
}

static bool many_found(int from, int step)
{
	bool ok = consistent();
	int i;

	for (i = 0; i < MANY; i++) {
		int want = i >= from && (i - from) % step == 0 ? i : -1;

		ok &= id_at(i * 3) == want && id_at(i * 3 + 1) == want && id_at(i * 3 + 2) == -1;
	}
	return ok;
}

/* Slots that meet [start, end) among those that a walk of [from, to) sees. */
static int count_hva(unsigned long from, unsigned long to, unsigned long start,
		     unsigned long end)
{
	struct memslots_iter it = { 0 };
	struct memslot *slot;
	int nr = 0;

	while ((slot = memslots_next(slots, &it, from, to)))
		nr += slot->hva < end && start < slot->hva + (slot->npages << 12);
	return nr;
}

static void test_many(void)
{
	static int which[MANY];
	struct memslot changed;
	struct memslots *old;
	bool ok = true;
	int i, j, tmp;

	for (i = 0; i < MANY; i++)
		which[i] = i;
	fill_many(which);
	tap_ok(many_found(0, 1), "many slots, made in ascending order");
	tap_eq(slots->nr_spans, (MANY + MEMSLOTS_PER_PART - 1) / MEMSLOTS_PER_PART,
	       "fill their parts");
	for (i = 0; i < MANY; i++)
		which[i] = MANY - 1 - i;
	fill_many(which);
	tap_ok(many_found(0, 1), "many slots, made in descending order");
	for (i = MANY - 1; i > 0; i--) {
		j = rnd(i + 1);
		tmp = which[i];
		which[i] = which[j];
		which[j] = tmp;
	}
	fill_many(which);
	tap_ok(many_found(0, 1), "many slots, made in no order");

	for (i = 0; i < 1000; i++) {
		unsigned long start = ((unsigned long)rnd(MANY) << 20) + rnd(0x4000);
		unsigned long end = start + 1 + rnd(1 << 23);

		ok &= count_hva(0, ~0UL, start, end) == count_hva(start, end, start, end);
	}
	tap_ok(ok, "no slot of an hva range is passed over");

	/* What somebody still reads must not change under him. */
	old = memslots_copy(slots);
	changed = *memslots_find(old, 30);
	changed.flags = MEMSLOT_INVALID;
	ok = !memslots_update(old, &changed) && memslots_find(old, 31)->flags &&
	     !memslots_find(slots, 31)->flags && !memslots_remove(old, 33) &&
	     id_at(33) == 11 && !memslots_find(old, 33);
	tap_ok(ok, "changing a copy leaves the original as it was");
	memslots_free(old);
	tap_ok(many_found(0, 1), "and so does freeing it");

	for (i = 0; i < MANY; i++)
		if (which[i] % 100)
			drop(which[i] * 3);
	tap_ok(many_found(0, 100), "most of them are removed");
	tap_ok(slots->nr_spans <= 3, "and what is left is joined");
	for (i = 0; i < MANY; i += 100)
		drop(i * 3);
	tap_ok(!slots->nr && !slots->nr_spans && id_at(0) == -1, "none is left");
}

/* Every allocation fails once: nothing changes, nothing leaks (the sanitizer looks). */
static void test_no_memory(void)
{
	struct memslot slot = { .base_gfn = 3 * MEMSLOTS_PER_PART, .npages = 1 };
	bool ok = true;
	int i, fail;

	reset();
	for (i = 0; i < 2 * MEMSLOTS_PER_PART; i++)
		add(i, i * 4, 2, 0);
	slot.base_gfn = 2;	/* its part is full and must be split */
	for (fail = 0; fail < 8; fail++) {
		struct memslots *copy;
		struct memslot update = *memslots_find(slots, 0);
		int err;

		update.flags = 1;
		shim_fail_in = fail;
		copy = memslots_copy(slots);
		err = !copy || memslots_insert(copy, &slot) || memslots_update(copy, &update) ||
		      memslots_remove(copy, 4);
		shim_fail_in = -1;
		if (copy && err)
			ok &= copy->nr >= slots->nr;
		memslots_free(copy);
		ok &= err == (fail < 5) && consistent() && slots->nr == 2 * MEMSLOTS_PER_PART;
	}
	tap_ok(ok, "without memory nothing changes");
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
	struct memslot *slot;
	int level;

	for (level = max_level; level > 1; level--) {
		gfn_t pages = 1ULL << ((level - 1) * 9);
		gfn_t start = gfn / pages * pages;
		struct memslots_iter it = { 0 };
		bool meets = false;

		while ((slot = memslots_next(slots, &it, 0, ~0UL)))
			meets |= slot->base_gfn < start + pages &&
				 slot->base_gfn + slot->npages > start;
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
	tap_plan(0);
	test_edges();
	test_fuzz();
	test_many();
	test_no_memory();
	test_map_level();
	test_hole_level();
	test_hva_overlap();
	memslots_free(slots);
	return tap_done();
}
