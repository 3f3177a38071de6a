/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of module/mmu share: how entries are read and made, and the
 * operations on a VM's tables that a fault and the host's mm need.
 */
#ifndef MINIKVM_MMU_TABLES_H
#define MINIKVM_MMU_TABLES_H

#include "mmu.h"
#include "iter.h"

/*
 * Ours, in bits every vendor leaves to software: the leaf maps host memory
 * whose struct page, if there is one, is not ours to mark (PFN mappings,
 * reserved pages).
 */
#define MMU_ENTRY_SPECIAL	BIT_ULL(52)

/*
 * Ours, too: host and slot allow writing. An entry that has it and no write
 * permission is write-protected for the dirty log's sake; while the entry is
 * there the host has not changed its mind.
 */
#define MMU_ENTRY_HOST_WRITABLE	BIT_ULL(53)

static inline u64 mmu_table_bits(void)
{
	return vendor->mmu_format->read | vendor->mmu_format->write | vendor->mmu_format->exec;
}

/* A table's entry has every permission and is no large leaf; no leaf is so. */
static inline u64 mmu_table_mask(void)
{
	return mmu_table_bits() | vendor->mmu_format->large;
}

static inline bool mmu_entry_is_mmio(u64 entry)
{
	const struct mmu_format *f = vendor->mmu_format;

	return f->mmio && (entry & f->mmio_mask) == f->mmio;
}

static inline bool mmu_entry_is_table(u64 entry, int level)
{
	return level > 1 && (entry & mmu_table_mask()) == mmu_table_bits();
}

static inline bool mmu_entry_is_leaf(u64 entry, int level)
{
	return entry & mmu_table_bits() && !mmu_entry_is_mmio(entry) &&
	       !mmu_entry_is_table(entry, level);
}

/* The pfn a leaf maps its first page to. */
static inline u64 mmu_entry_pfn(u64 entry)
{
	return (entry & MMU_ADDR_MASK) >> PAGE_SHIFT;
}

/* mmu_iter_start() on a VM's tables, down to the last level. */
static inline bool mmu_walk(struct mmu_iter *it, struct vm *vm, gfn_t start, gfn_t end)
{
	return mmu_iter_start(it, page_address(vm->mmu.root_page), mmu_table_mask(),
			      mmu_table_bits(), start, end, 1);
}

/**
 * struct mmu_mapping - what a fault wants in the tables
 * @gfn: the page that was accessed
 * @pfn: the host page behind it
 * @level: how large a leaf may be; host, slot and format allow it
 * @writable: the guest may write, now
 * @host_writable: see MMU_ENTRY_HOST_WRITABLE
 * @write: @exec: what it is trying to do
 * @special: see MMU_ENTRY_SPECIAL
 * @uncached: device memory
 */
struct mmu_mapping {
	gfn_t gfn;
	u64 pfn;
	int level;
	bool writable;
	bool host_writable;
	bool write, exec;
	bool special;
	bool uncached;
};

/* Table pages set aside before the lock is taken. */
struct mmu_table_cache {
	int nr;
	struct page *page[MMU_ROOT_LEVEL - 1];
};

int mmu_cache_fill(struct mmu_table_cache *cache, int nr);
void mmu_cache_drain(struct mmu_table_cache *cache);

/* vm->mmu.lock held for writing. 0 done, or how many table pages it takes. */
int mmu_map(struct vm *vm, const struct mmu_mapping *m, struct mmu_table_cache *cache);
int mmu_mark_mmio(struct vm *vm, gfn_t gfn, int level, struct mmu_table_cache *cache);

bool mmu_zap_gfns(struct vm *vm, gfn_t start, gfn_t end, bool may_sleep);
bool mmu_allow_write(struct vm *vm, struct memslot *slot, gfn_t gfn);
bool mmu_age_gfns(struct vm *vm, gfn_t start, gfn_t end, bool clear);

/* Large leaves are not executable: see the comment in tables.c. */
bool mmu_large_nx(void);

int mmu_notifier_start(struct vm *vm);
void mmu_notifier_stop(struct vm *vm);
bool mmu_notifier_blocks(struct vm *vm, unsigned long seq, hva_t hva);

/**
 * struct host_page - the host memory behind one guest page
 * @pfn: its frame
 * @page: a reference to give back, or NULL for memory without one
 * @writable: the host lets the VMM write it
 * @special: no struct page of ours to mark dirty or accessed
 * @uncached: device memory
 */
struct host_page {
	u64 pfn;
	struct page *page;
	bool writable;
	bool special;
	bool uncached;
};

int host_page_get(hva_t hva, bool write, bool want_write, struct host_page *hp);
void host_page_put(struct host_page *hp);
int host_mapping_level(struct mm_struct *mm, hva_t hva, int max_level);

#endif
