// SPDX-License-Identifier: GPL-2.0
/*
 * The table iterator, see iter.h.
 */
#include "iter.h"

/* Stand on the entry of the current level that covers @gfn. */
static void settle(struct mmu_iter *it, gfn_t gfn)
{
	it->gfn = gfn & ~(mmu_level_pages(it->level) - 1);
	it->slot = it->table[it->level] + mmu_level_index(gfn, it->level);
	it->entry = READ_ONCE(*it->slot);
}

/**
 * mmu_iter_start - begin a walk
 * @it: set up by this call
 * @root: the root table
 * @table_mask: bits of an entry that tell whether it leads to a table
 * @table_bits: their value in an entry that does
 * @start: first gfn
 * @end: gfn behind the last; what is beyond MMU_GFN_END is not walked
 * @min_level: do not descend below it, 1 or more
 *
 * Visits every entry whose span meets [start, end), present or not, in order
 * of gfn, a parent before its children. The caller may change the entry it is
 * at: mmu_iter_next() reads it again and follows what is there then.
 *
 * Return: whether there is an entry to look at.
 */
bool mmu_iter_start(struct mmu_iter *it, u64 *root, u64 table_mask, u64 table_bits,
		    gfn_t start, gfn_t end, int min_level)
{
	if (end > MMU_GFN_END)
		end = MMU_GFN_END;
	if (start >= end)
		return false;

	it->start = start;
	it->end = end;
	it->min_level = min_level;
	it->table_mask = table_mask;
	it->table_bits = table_bits;
	it->level = MMU_ROOT_LEVEL;
	it->table[MMU_ROOT_LEVEL] = root;
	settle(it, start);
	return true;
}

/**
 * mmu_iter_next - go on to the next entry
 * @it: a walk that mmu_iter_start() or this function said is on an entry
 *
 * Return: whether there is one.
 */
bool mmu_iter_next(struct mmu_iter *it)
{
	gfn_t next;

	it->entry = READ_ONCE(*it->slot);
	if (it->level > it->min_level && mmu_iter_at_table(it)) {
		it->level--;
		it->table[it->level] = MMU_TABLE_VA(it->entry & MMU_ADDR_MASK);
		settle(it, it->gfn > it->start ? it->gfn : it->start);
		return true;
	}

	next = it->gfn + mmu_level_pages(it->level);
	if (next >= it->end)
		return false;
	/* Behind the last entry of a table the parent's next one follows. */
	while (it->level < MMU_ROOT_LEVEL && !mmu_level_index(next, it->level))
		it->level++;
	settle(it, next);
	return true;
}
