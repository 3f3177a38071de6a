/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Walking one second-dimension page table: every entry that covers a range of
 * gfns, parents before children. No policy, no locks, no allocation; compiles
 * outside the kernel (selftests/unit/ept_iter_test.c).
 */
#ifndef MINIKVM_MMU_ITER_H
#define MINIKVM_MMU_ITER_H

#include <linux/compiler.h>
#include <linux/types.h>
#include <linux/kvm_types.h>

#define MMU_ROOT_LEVEL		4	/* 48 bits of guest-physical address */
#define MMU_TABLE_ENTRIES	512
#define MMU_ADDR_MASK		0x000ffffffffff000ULL

/* How an address in an entry becomes a pointer; a unit test has its own way. */
#ifndef MMU_TABLE_VA
#include <linux/io.h>
#define MMU_TABLE_VA(hpa)	((u64 *)__va(hpa))
#endif

/* Pages that one entry at @level covers. */
static inline gfn_t mmu_level_pages(int level)
{
	return (gfn_t)1 << ((level - 1) * 9);
}

static inline unsigned int mmu_level_index(gfn_t gfn, int level)
{
	return (gfn >> ((level - 1) * 9)) & (MMU_TABLE_ENTRIES - 1);
}

/* One past the last gfn that the tables can map. */
#define MMU_GFN_END		((gfn_t)1 << (MMU_ROOT_LEVEL * 9))

/**
 * struct mmu_iter - a position in the tables
 * @gfn: first gfn that the current entry covers
 * @level: its level: 1 maps 4 KiB, MMU_ROOT_LEVEL is the root table
 * @slot: where the entry is
 * @entry: what it was when the iterator came here
 *
 * The rest is private: @start and @end bound the gfns of interest, @min_level
 * is where the walk stops descending, @table the tables on the way, and an
 * entry leads to another table if its @table_mask bits equal @table_bits.
 */
struct mmu_iter {
	gfn_t gfn;
	int level;
	u64 *slot;
	u64 entry;

	gfn_t start, end;
	int min_level;
	u64 table_mask, table_bits;
	u64 *table[MMU_ROOT_LEVEL + 1];
};

bool mmu_iter_start(struct mmu_iter *it, u64 *root, u64 table_mask, u64 table_bits,
		    gfn_t start, gfn_t end, int min_level);
bool mmu_iter_next(struct mmu_iter *it);

static inline bool mmu_iter_at_table(const struct mmu_iter *it)
{
	return it->level > 1 && (it->entry & it->table_mask) == it->table_bits;
}

#endif
