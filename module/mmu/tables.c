// SPDX-License-Identifier: GPL-2.0
/*
 * A VM's second-dimension tables: allocating and freeing them, mapping and
 * unmapping. What changes single bits of an entry is in track.c.
 *
 * Every change happens under vm->mmu.lock held for writing, except that single
 * bits are set and accessed bits cleared under the read lock. The CPU sets accessed and dirty
 * bits at any time, so entries that it may be using are changed by atomic
 * operations only. Where a change takes something away, TLBs are flushed before
 * the lock is dropped: whoever finds an entry absent may rely on no CPU using
 * it, and a page of tables is freed only after the flush.
 */
#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/page-flags.h>
#include <asm/cpufeature.h>

#include "../memslot.h"
#include "tables.h"

/* Entries looked at before the lock is dropped for a moment. */
#define ZAP_BATCH	16384

/*
 * A CPU with the iTLB-multihit erratum stops with a machine check when a guest
 * fetches instructions from a page whose mapping changes between small and
 * large. Where the host mitigates that, large leaves are not executable, and a
 * fetch from one replaces it by small ones.
 */
bool mmu_large_nx(void)
{
	return boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT) && !cpu_mitigations_off();
}

/* ---- table pages ----------------------------------------------------------- */

/**
 * mmu_cache_fill - set table pages aside
 * @cache: what is there already counts
 * @nr: how many are needed, at most MMU_ROOT_LEVEL - 1
 *
 * Return: 0 or -ENOMEM.
 */
int mmu_cache_fill(struct mmu_table_cache *cache, int nr)
{
	while (cache->nr < nr) {
		struct page *page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);

		if (!page)
			return -ENOMEM;
		cache->page[cache->nr++] = page;
	}
	return 0;
}

void mmu_cache_drain(struct mmu_table_cache *cache)
{
	while (cache->nr)
		__free_page(cache->page[--cache->nr]);
}

/* Put an empty table where the iterator is. */
static void link_table(struct vm *vm, struct mmu_iter *it, struct mmu_table_cache *cache)
{
	struct page *page = cache->page[--cache->nr];

	vm->mmu.nr_pages++;
	WRITE_ONCE(*it->slot, page_to_phys(page) | mmu_table_bits());
}

/* ---- removing -------------------------------------------------------------- */

/**
 * struct zap - one pass of removal
 * @tables: table pages to free after the flush
 * @flush: some CPU may hold a translation that was removed
 * @budget: entries that may still be looked at
 */
struct zap {
	struct list_head tables;
	bool flush;
	long budget;
};

/* A leaf is gone: tell the host what the guest did to the page. */
static void account_leaf(u64 old)
{
	const struct mmu_format *f = vendor->mmu_format;
	struct page *page;

	if (old & MMU_ENTRY_SPECIAL)
		return;
	page = pfn_to_page(mmu_entry_pfn(old));
	if (f->dirty ? old & f->dirty : old & f->write)
		SetPageDirty(page);
	/*
	 * Not folio_mark_accessed(): that may hold a reference for a while, and
	 * the host, about to migrate or collapse the page, would find it pinned.
	 */
	if (!f->accessed || old & f->accessed)
		folio_set_referenced(page_folio(page));
}

/* Under vm->mmu.lock, for writing. */
static void count_leaf(struct vm *vm, int level, int n)
{
	switch (level) {
	case 1:
		vm->stats.pages_4k += n;
		break;
	case 2:
		vm->stats.pages_2m += n;
		break;
	default:
		vm->stats.pages_1g += n;
	}
}

static void zap_table(struct vm *vm, struct zap *zap, u64 entry, int level);

static void zap_entry(struct vm *vm, struct zap *zap, u64 *slot, int level)
{
	u64 old = READ_ONCE(*slot);

	zap->budget--;
	if (!old)
		return;
	/* Atomic: an accessed or dirty bit set until now is not lost. */
	old = xchg(slot, 0);
	if (mmu_entry_is_table(old, level)) {
		zap_table(vm, zap, old, level - 1);
	} else if (mmu_entry_is_leaf(old, level)) {
		account_leaf(old);
		count_leaf(vm, level, -1);
		zap->flush = true;
	}
}

/* The table that @entry led to is detached; recursion is as deep as the tables. */
static void zap_table(struct vm *vm, struct zap *zap, u64 entry, int level)
{
	u64 *table = MMU_TABLE_VA(entry & MMU_ADDR_MASK);
	int i;

	for (i = 0; i < MMU_TABLE_ENTRIES; i++)
		zap_entry(vm, zap, &table[i], level);
	/* A CPU may have cached the way to this table, even if it is empty. */
	zap->flush = true;
	list_add(&virt_to_page(table)->lru, &zap->tables);
	vm->mmu.nr_pages--;
}

/* The end of every pass, lock still held. */
static void zap_finish(struct vm *vm, struct zap *zap)
{
	struct page *page, *next;

	if (zap->flush)
		vm_flush_tlbs(vm);
	list_for_each_entry_safe(page, next, &zap->tables, lru) {
		list_del(&page->lru);
		__free_page(page);
	}
}

/* Remove the one entry the iterator is at, in a pass of its own. */
static void zap_one(struct vm *vm, struct mmu_iter *it)
{
	struct zap zap = { .tables = LIST_HEAD_INIT(zap.tables) };

	zap_entry(vm, &zap, it->slot, it->level);
	zap_finish(vm, &zap);
}

/*
 * One pass over [*start, @end): advances *@start behind what is done. A table
 * whose whole span goes is freed, up to spans of 1 GiB; larger ones stay until
 * the VM ends, at most one page per 512 GiB of guest-physical memory.
 */
static bool zap_pass(struct vm *vm, gfn_t *start, gfn_t end)
{
	struct zap zap = { .tables = LIST_HEAD_INIT(zap.tables), .budget = ZAP_BATCH };
	struct mmu_iter it;
	bool more;

	write_lock(&vm->mmu.lock);
	for (more = mmu_walk(&it, vm, *start, end); more; more = mmu_iter_next(&it)) {
		gfn_t behind = it.gfn + mmu_level_pages(it.level);

		if (zap.budget <= 0) {
			*start = max(*start, it.gfn);
			goto out;
		}
		if (mmu_iter_at_table(&it) &&
		    (it.level > 3 || it.gfn < *start || behind > end))
			zap.budget--;	/* only part of it: go down */
		else
			zap_entry(vm, &zap, it.slot, it.level);
	}
	*start = end;
out:
	zap_finish(vm, &zap);
	write_unlock(&vm->mmu.lock);
	return zap.flush;
}

/**
 * mmu_zap_gfns - remove every mapping and MMIO marking of a range
 * @vm: the VM
 * @start: first gfn
 * @end: gfn behind the last
 * @may_sleep: the caller allows rescheduling between passes
 *
 * Something else must keep new mappings from appearing (an invalid slot, a
 * notifier count); without that it only removes what was there.
 *
 * Context: takes vm->mmu.lock.
 *
 * Return: whether anything was mapped.
 */
bool mmu_zap_gfns(struct vm *vm, gfn_t start, gfn_t end, bool may_sleep)
{
	bool any = false;

	end = min(end, MMU_GFN_END);
	while (start < end) {
		any |= zap_pass(vm, &start, end);
		if (may_sleep)
			cond_resched();
	}
	return any;
}

/**
 * mmu_zap_slot - remove every mapping of a slot
 * @vm: the VM
 * @slot: unpublished, or published as MEMSLOT_INVALID
 *
 * On return no CPU uses a translation of it.
 *
 * Context: sleeps; vm->slots_lock held.
 */
void mmu_zap_slot(struct vm *vm, const struct memslot *slot)
{
	mmu_zap_gfns(vm, slot->base_gfn, slot->base_gfn + slot->npages, true);
}

/**
 * mmu_zap_range - forget MMIO markings where memory has appeared
 * @vm: the VM
 * @start: first gfn
 * @end: gfn behind the last
 *
 * A marking that reaches beyond the range goes as a whole; the rest of it is
 * marked again by the next access.
 *
 * Context: sleeps; vm->slots_lock held; the slot is published and synchronized.
 */
void mmu_zap_range(struct vm *vm, gfn_t start, gfn_t end)
{
	mmu_zap_gfns(vm, start, end, true);
}

/* A table whose place a large leaf could take, as far as slot and host are concerned. */
static bool could_be_large(struct vm *vm, const struct memslot *slot, const struct mmu_iter *it)
{
	if (!mmu_iter_at_table(it) || it->level > vendor->mmu_format->max_level ||
	    it->gfn < slot->base_gfn)
		return false;
	return memslot_map_level(slot, it->gfn, it->level) == it->level &&
	       host_mapping_level(vm->mm, memslot_gfn_to_hva(slot, it->gfn), it->level) ==
			it->level;
}

/**
 * mmu_collapse_slot - let large leaves return where only small ones were allowed
 * @vm: the VM, of the caller's own mm
 * @slot: published, and does not log any more
 *
 * Removes the small mappings; the next access makes a large one.
 *
 * Context: sleeps; vm->slots_lock held.
 */
void mmu_collapse_slot(struct vm *vm, const struct memslot *slot)
{
	gfn_t gfn = slot->base_gfn, end = slot->base_gfn + slot->npages;
	struct mmu_iter it;
	bool more;

	while (gfn < end) {
		struct zap zap = { .tables = LIST_HEAD_INIT(zap.tables), .budget = ZAP_BATCH };
		gfn_t stop = end;

		write_lock(&vm->mmu.lock);
		for (more = mmu_walk(&it, vm, gfn, end); more; more = mmu_iter_next(&it)) {
			if (zap.budget <= 0) {
				stop = max(gfn, it.gfn);
				break;
			}
			if (could_be_large(vm, slot, &it))
				zap_entry(vm, &zap, it.slot, it.level);
			else
				zap.budget--;
		}
		zap_finish(vm, &zap);
		write_unlock(&vm->mmu.lock);
		gfn = stop;
		cond_resched();
	}
}

/* ---- mapping --------------------------------------------------------------- */

static bool leaf_allows(u64 entry, const struct mmu_mapping *m)
{
	const struct mmu_format *f = vendor->mmu_format;

	return (!m->write || entry & f->write) && (!m->exec || entry & f->exec);
}

static u64 make_leaf(const struct mmu_mapping *m, int level)
{
	const struct mmu_format *f = vendor->mmu_format;
	u64 pfn = m->pfn & ~(mmu_level_pages(level) - 1);
	u64 entry = pfn << PAGE_SHIFT | f->read | f->accessed;

	entry |= m->uncached ? f->memtype_uc : f->memtype_wb;
	if (level == 1 || !mmu_large_nx())
		entry |= f->exec;
	if (level > 1)
		entry |= f->large;
	if (m->writable)
		entry |= f->write;
	/* The access that faulted comes again: spare the CPU the update. */
	if (m->writable && m->write)
		entry |= f->dirty;
	if (m->special)
		entry |= MMU_ENTRY_SPECIAL;
	if (m->host_writable)
		entry |= MMU_ENTRY_HOST_WRITABLE;
	return entry;
}

/*
 * The iterator is where the leaf belongs. An existing leaf of the same page
 * only gains permissions, which needs no flush.
 */
static void install_leaf(struct vm *vm, struct mmu_iter *it, const struct mmu_mapping *m)
{
	const struct mmu_format *f = vendor->mmu_format;
	const u64 keep = f->write | f->exec | f->accessed | f->dirty | MMU_ENTRY_HOST_WRITABLE;
	u64 new = make_leaf(m, it->level);
	u64 old = READ_ONCE(*it->slot);

	if (mmu_entry_is_table(old, it->level) ||
	    (mmu_entry_is_leaf(old, it->level) &&
	     mmu_entry_pfn(old) != mmu_entry_pfn(new))) {
		zap_one(vm, it);
		old = 0;
	}
	if (!mmu_entry_is_leaf(old, it->level)) {
		count_leaf(vm, it->level, 1);
		WRITE_ONCE(*it->slot, new);
		return;
	}
	while (!try_cmpxchg64(it->slot, &old, new | (old & keep)))
		cpu_relax();
}

/* A leaf one level below the one that maps the same memory. */
static u64 smaller_leaf(u64 entry, int level)
{
	const struct mmu_format *f = vendor->mmu_format;

	if (level > 1)
		return entry;
	entry = (entry & ~f->large) | f->exec;
	/*
	 * What was protected because it was large may be left to the CPU's log
	 * now. The dirty bit of what was not stays: a TLB may still have it.
	 */
	if (f->logs_dirty && entry & MMU_ENTRY_HOST_WRITABLE && !(entry & f->write))
		entry = (entry & ~f->dirty) | f->write;
	return entry;
}

/*
 * Put a table that maps the same where the iterator is at a large leaf. No flush:
 * what a CPU still has of the large leaf is right, until someone takes something
 * away, and who does that flushes.
 */
static void split_leaf(struct vm *vm, struct mmu_iter *it, struct mmu_table_cache *cache)
{
	struct page *page = cache->page[--cache->nr];
	u64 step = mmu_level_pages(it->level - 1) << PAGE_SHIFT;
	u64 *table = page_address(page);
	u64 old = READ_ONCE(*it->slot);
	int i;

	do {
		u64 entry = smaller_leaf(old, it->level - 1);

		for (i = 0; i < MMU_TABLE_ENTRIES; i++)
			table[i] = entry + i * step;
		/* Again if the CPU has set an accessed or dirty bit meanwhile. */
	} while (!try_cmpxchg64(it->slot, &old, page_to_phys(page) | mmu_table_bits()));
	vm->mmu.nr_pages++;
	count_leaf(vm, it->level, -1);
	count_leaf(vm, it->level - 1, MMU_TABLE_ENTRIES);
	if (old & vendor->mmu_format->dirty && !(old & MMU_ENTRY_SPECIAL))
		SetPageDirty(pfn_to_page(mmu_entry_pfn(old)));
}

/**
 * mmu_map - map a page, or the large page around it
 * @vm: the VM
 * @m: what to map
 * @cache: table pages; those used are taken out
 *
 * A larger leaf that is in the way but already allows the access stays; otherwise
 * smaller ones replace it. A table where a large leaf may go is replaced,
 * unless large leaves are not executable: then it may be there for a reason.
 *
 * Context: vm->mmu.lock held for writing; the caller knows that the page is
 * still what the host maps (mmu_notifier_blocks() said no).
 *
 * Return: 0 mapped; else how many pages @cache must hold for it to work.
 */
int mmu_map(struct vm *vm, const struct mmu_mapping *m, struct mmu_table_cache *cache)
{
	struct mmu_iter it;
	bool more, same;

	for (more = mmu_walk(&it, vm, m->gfn, m->gfn + 1); more; more = mmu_iter_next(&it)) {
		if (mmu_iter_at_table(&it)) {
			if (it.level > m->level || mmu_large_nx())
				continue;
		}
		same = mmu_entry_is_leaf(it.entry, it.level) &&
		       mmu_entry_pfn(it.entry) + (m->gfn - it.gfn) == m->pfn;
		if (same && leaf_allows(it.entry, m))
			return 0;
		if (it.level <= m->level) {
			install_leaf(vm, &it, m);
			return 0;
		}
		if (!cache->nr)
			return it.level - m->level;
		if (same) {
			split_leaf(vm, &it, cache);
			continue;
		}
		if (it.entry)
			zap_one(vm, &it);
		link_table(vm, &it, cache);
	}
	return 0;
}

/**
 * mmu_mark_mmio - make accesses to a hole exit at once
 * @vm: the VM
 * @gfn: a page that no slot holds
 * @level: largest aligned region around it without a slot
 * @cache: table pages; those used are taken out
 *
 * One entry marks the whole region, so the tables that markings need are
 * bounded by the slots' borders, whatever addresses a guest tries.
 *
 * Context: vm->mmu.lock held for writing, vm->srcu read-locked since the slots
 * were looked at: who adds a slot waits for that and then zaps its range.
 *
 * Return: as mmu_map().
 */
int mmu_mark_mmio(struct vm *vm, gfn_t gfn, int level, struct mmu_table_cache *cache)
{
	struct mmu_iter it;
	bool more;

	for (more = mmu_walk(&it, vm, gfn, gfn + 1); more; more = mmu_iter_next(&it)) {
		if (mmu_iter_at_table(&it))
			continue;
		if (it.entry)
			return 0;
		if (it.level <= level) {
			WRITE_ONCE(*it.slot, vendor->mmu_format->mmio);
			return 0;
		}
		if (!cache->nr)
			return it.level - level;
		link_table(vm, &it, cache);
	}
	return 0;
}

/* ---- the whole ------------------------------------------------------------- */

/**
 * mmu_vm_init - the root table, and following the host's mm
 * @vm: a VM nobody else sees yet; vm->mm is current->mm, vm->srcu is ready
 *
 * Context: sleeps; mmap_lock not held.
 *
 * Return: 0; -ENOMEM; -EINTR: a fatal signal came.
 */
int mmu_vm_init(struct vm *vm)
{
	int err;

	rwlock_init(&vm->mmu.lock);
	vm->mmu.root_page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	if (!vm->mmu.root_page)
		return -ENOMEM;
	vm->mmu.root_hpa = page_to_phys(vm->mmu.root_page);
	vm->mmu.nr_pages = 1;

	err = mmu_notifier_start(vm);
	if (err) {
		__free_page(vm->mmu.root_page);
		vm->mmu.root_page = NULL;
	}
	return err;
}

/**
 * mmu_vm_destroy - stop following the host's mm and free the tables
 * @vm: a VM none of whose vCPUs can run any more, but which still has its
 *	vCPU structures (removing mappings looks at them) and its slots
 *
 * The vendor makes sure that a CPU drops what it cached about a root before a
 * VM with the same root_hpa runs on it.
 *
 * Context: sleeps.
 */
void mmu_vm_destroy(struct vm *vm)
{
	struct zap zap = { .tables = LIST_HEAD_INIT(zap.tables) };
	u64 root;

	if (!vm->mmu.root_page)
		return;
	/* Returns when no notifier callback runs or will run any more. */
	mmu_notifier_stop(vm);

	root = page_to_phys(vm->mmu.root_page) | mmu_table_bits();
	write_lock(&vm->mmu.lock);
	zap_table(vm, &zap, root, MMU_ROOT_LEVEL);
	zap_finish(vm, &zap);
	write_unlock(&vm->mmu.lock);
	vm->mmu.root_page = NULL;
}
