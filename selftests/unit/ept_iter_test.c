// SPDX-License-Identifier: GPL-2.0
/*
 * The table iterator: which entries it visits and in which order, for ranges,
 * levels and large leaves, for tables that change under it, and against a naive
 * recursive walk of random tables.
 */
#include "tap.h"
#include "iter.h"

/* As EPT spells it: read, write, execute; bit 7 makes a leaf large. */
#define RWX	0x7ULL
#define LARGE	0x80ULL
#define MMIO	0x6ULL
#define MASK	(RWX | LARGE)

#define MAX_TABLES	256

static u64 *root;
static u64 *tables[MAX_TABLES];
static int nr_tables;

static u64 *new_table(void)
{
	u64 *t;

	if (nr_tables == MAX_TABLES)
		tap_bail("too many tables");
	t = aligned_alloc(4096, 4096);
	if (!t)
		tap_bail("no memory");
	memset(t, 0, 4096);
	tables[nr_tables++] = t;
	return t;
}

static void reset(void)
{
	while (nr_tables)
		free(tables[--nr_tables]);
	root = new_table();
}

static u64 link_to(u64 *table)
{
	return (u64)(uintptr_t)table | RWX;
}

/* The table at @level that covers @gfn, made if need be. */
static u64 *table_at(gfn_t gfn, int level)
{
	u64 *t = root;
	int l;

	for (l = MMU_ROOT_LEVEL; l > level; l--) {
		u64 *e = &t[mmu_level_index(gfn, l)];

		if (!*e)
			*e = link_to(new_table());
		t = (u64 *)(uintptr_t)(*e & MMU_ADDR_MASK);
	}
	return t;
}

static void put(gfn_t gfn, int level, u64 entry)
{
	table_at(gfn, level)[mmu_level_index(gfn, level)] = entry;
}

static bool start(struct mmu_iter *it, gfn_t from, gfn_t to, int min_level)
{
	return mmu_iter_start(it, root, MASK, RWX, from, to, min_level);
}

static int count(gfn_t from, gfn_t to, int min_level)
{
	struct mmu_iter it;
	int n = 0;
	bool more;

	for (more = start(&it, from, to, min_level); more; more = mmu_iter_next(&it))
		n++;
	return n;
}

static void test_bounds(void)
{
	struct mmu_iter it;
	bool more;
	gfn_t last = 0;
	int n = 0;

	reset();
	tap_ok(!start(&it, 5, 5, 1), "an empty range has no entries");
	tap_ok(!start(&it, 6, 5, 1), "a backward range has no entries");
	tap_ok(!start(&it, MMU_GFN_END, ~0ULL, 1), "nothing is behind the tables' reach");
	tap_eq(count(0, 1, 1), 1, "one page of an empty root: one entry");
	for (more = start(&it, 0, ~0ULL, 1); more; more = mmu_iter_next(&it)) {
		last = it.gfn;
		n++;
	}
	tap_eq(n, 512, "a range beyond the tables' reach ends with the root");
	tap_eq(last, 511ULL << 27, "and its last entry is the root's last");
	tap_eq(count((1 << 27) - 1, (1 << 27) + 1, 1), 2, "two pages on a border: two entries");
	tap_ok(start(&it, (5ULL << 27) + 99, MMU_GFN_END, 1) && it.gfn == 5ULL << 27 &&
	       it.level == MMU_ROOT_LEVEL && it.slot == &root[5],
	       "the first entry is the one that covers the start");
}

static void test_descent(void)
{
	static const int want_level[] = { 4, 3, 2, 1, 1, 1 };
	struct mmu_iter it;
	bool more, ok = true;
	int n = 0;

	reset();
	put(0x12345, 1, 0xabc000 | RWX);
	for (more = start(&it, 0x12345, 0x12348, 1); more; more = mmu_iter_next(&it), n++)
		ok &= n < 6 && it.level == want_level[n] &&
		      it.gfn == (it.level == 1 ? 0x12345 + (gfn_t)n - 3 :
				 0x12345 & ~(mmu_level_pages(it.level) - 1));
	tap_ok(ok && n == 6, "a parent comes before its children, children in order");
	tap_eq(count(0x12345, 0x12348, 2), 3, "no descent below the level asked for");
	tap_eq(count(0x12345, 0x12348, 4), 1, "the root alone");
	tap_eq(count(0x123ff, 0x12401, 1), 5, "back up where a table ends");
	tap_eq(count(0x12200, 0x12400, 1), 3 + 512, "a whole table");
	tap_eq(count(0, MMU_GFN_END, 1), 512 * 4, "everything");

	put(0x40000, 2, 0x200000 | RWX | LARGE);
	tap_eq(count(0x40000, 0x40200, 1), 3, "a large leaf is not descended into");
	put(0x80000, 3, MMIO);
	tap_eq(count(0x80000, 0x80200, 1), 2, "nor is an MMIO marking");
	/* At level 1 bits 7 and 2:0 look like a table's. */
	tap_eq(count(0x12345, 0x12346, 1), 4, "nothing is below level 1");
	put(511ULL << 27 | 0x7ffffff, 1, RWX);
	tap_eq(count(MMU_GFN_END - 1, MMU_GFN_END, 1), 4, "the very last page");
	tap_eq(count(MMU_GFN_END - 2, ~0ULL, 1), 5, "the last two, with a range that ends later");
}

static void test_changes(void)
{
	struct mmu_iter it;
	bool more;
	int n = 0;

	reset();
	for (more = start(&it, 0x777, 0x778, 1); more; more = mmu_iter_next(&it), n++)
		if (it.level > 1)
			*it.slot = link_to(new_table());
	tap_ok(n == 4 && it.level == 1 && it.gfn == 0x777, "tables made on the way are followed");

	n = 0;
	for (more = start(&it, 0x700, 0x800, 1); more; more = mmu_iter_next(&it), n++)
		if (it.level == 2)
			*it.slot = 0;
	tap_eq(n, 3, "a table cut off on the way is not");
}

/* ---- random tables ---------------------------------------------------------- */

static unsigned int rnd(unsigned int below)
{
	static unsigned long long state = 0x9e3779b97f4a7c15ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (unsigned int)(state >> 16) % below;
}

static gfn_t rnd_gfn(void)
{
	/* A few indices per level, so that paths are shared; borders are likely. */
	static const unsigned int idx[] = { 0, 1, 255, 510, 511 };
	gfn_t gfn = 0;
	int l;

	for (l = 0; l < MMU_ROOT_LEVEL; l++)
		gfn = gfn << 9 | idx[rnd(5)];
	return gfn;
}

static void grow(void)
{
	gfn_t gfn = rnd_gfn();
	int level = 1 + rnd(3);
	u64 *t = root;
	int l;

	for (l = MMU_ROOT_LEVEL; l > level; l--) {
		u64 *e = &t[mmu_level_index(gfn, l)];

		if ((*e & MASK) != RWX) {
			if (nr_tables == MAX_TABLES)
				return;
			*e = link_to(new_table());
		}
		t = (u64 *)(uintptr_t)(*e & MMU_ADDR_MASK);
	}
	if ((t[mmu_level_index(gfn, level)] & MASK) != RWX || level == 1)
		t[mmu_level_index(gfn, level)] = rnd(4) ? RWX | (level > 1 ? LARGE : 0) : MMIO;
}

/* Compares step by step with what a recursive walk would visit. */
struct compare {
	struct mmu_iter it;
	bool more, ok;
	gfn_t from, to;
	int min_level;
};

static void naive(struct compare *c, u64 *table, gfn_t base, int level)
{
	gfn_t span = mmu_level_pages(level);
	int i;

	for (i = 0; i < MMU_TABLE_ENTRIES; i++) {
		gfn_t gfn = base + i * span;

		if (gfn >= c->to || gfn + span <= c->from)
			continue;
		if (!c->more || c->it.gfn != gfn || c->it.level != level ||
		    c->it.slot != &table[i] || c->it.entry != table[i]) {
			c->ok = false;
			return;
		}
		c->more = mmu_iter_next(&c->it);
		if (level > c->min_level && (table[i] & MASK) == RWX)
			naive(c, (u64 *)(uintptr_t)(table[i] & MMU_ADDR_MASK), gfn, level - 1);
	}
}

static void test_fuzz(void)
{
	struct compare c = { .ok = true };
	int round, i;

	for (round = 0; round < 40; round++) {
		reset();
		for (i = 0; i < 60; i++)
			grow();
		for (i = 0; i < 50; i++) {
			gfn_t a = rnd_gfn() + rnd(3), b = rnd_gfn() + rnd(3);

			c.from = a < b ? a : b;
			c.to = (a < b ? b : a) + 1;
			c.min_level = 1 + rnd(4);
			c.more = start(&c.it, c.from, c.to, c.min_level);
			naive(&c, root, 0, MMU_ROOT_LEVEL);
			c.ok &= !c.more;
		}
	}
	tap_ok(c.ok, "fuzz: visits what a recursive walk visits, in its order");
}

int main(void)
{
	tap_plan(0);
	test_bounds();
	test_descent();
	test_changes();
	test_fuzz();
	while (nr_tables)
		free(tables[--nr_tables]);
	return tap_done();
}
