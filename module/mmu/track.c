// SPDX-License-Identifier: GPL-2.0
/*
 * Following what the guest does to pages that are mapped: the dirty log's
 * tracking of first writes, and the host's question which pages are in use.
 */
#include <linux/mm.h>
#include <linux/page-flags.h>

#include "../memslot.h"
#include "tables.h"

/* Entries looked at before the lock is dropped for a moment. */
#define TRACK_BATCH	16384

/* ---- dirty tracking ---------------------------------------------------------- */

/* Make the next write through the entry the iterator is at be seen. */
static bool track_leaf(struct mmu_iter *it)
{
	const struct mmu_format *f = vendor->mmu_format;
	u64 old = it->entry;

	/* A large leaf must become small before the CPU's log is fine enough. */
	u64 bit = f->logs_dirty && it->level == 1 ? f->dirty : f->write;

	if (!mmu_entry_is_leaf(old, it->level) || !(old & bit))
		return false;
	while (!try_cmpxchg64(it->slot, &old, old & ~bit))
		cpu_relax();
	/* Without a dirty bit, write permission is what says "dirty". */
	if ((!f->dirty || bit == f->dirty) && !(old & MMU_ENTRY_SPECIAL))
		SetPageDirty(pfn_to_page(mmu_entry_pfn(old)));
	return true;
}

/**
 * mmu_track_pages - have the next write to some of 64 pages logged
 * @vm: the VM
 * @first: gfn of bit 0
 * @mask: which pages
 *
 * A large leaf around one of them is write-protected as a whole; the next write
 * to it makes it small.
 *
 * Context: vm->slots_lock held; takes vm->mmu.lock.
 *
 * Return: whether TLBs must be flushed, which is left to the caller.
 */
bool mmu_track_pages(struct vm *vm, gfn_t first, u64 mask)
{
	struct mmu_iter it;
	bool more;
	bool flush = false;

	if (!mask)
		return false;
	write_lock(&vm->mmu.lock);
	for (more = mmu_walk(&it, vm, first + __ffs64(mask), first + fls64(mask)); more;
	     more = mmu_iter_next(&it))
		if (it.level > 1 || mask & BIT_ULL(it.gfn - first))
			flush |= track_leaf(&it);
	write_unlock(&vm->mmu.lock);
	return flush;
}

/**
 * mmu_track_slot - have the next write to every page of a slot logged
 * @vm: the VM
 * @slot: the slot, already published with its dirty bitmap
 *
 * Context: sleeps; vm->slots_lock held.
 */
void mmu_track_slot(struct vm *vm, const struct memslot *slot)
{
	gfn_t gfn = slot->base_gfn, end = slot->base_gfn + slot->npages;
	struct mmu_iter it;
	bool more;
	bool flush = false;

	while (gfn < end) {
		gfn_t stop = end;
		long budget = TRACK_BATCH;

		write_lock(&vm->mmu.lock);
		for (more = mmu_walk(&it, vm, gfn, end); more; more = mmu_iter_next(&it)) {
			if (--budget < 0) {
				stop = max(gfn, it.gfn);
				break;
			}
			flush |= track_leaf(&it);
		}
		write_unlock(&vm->mmu.lock);
		gfn = stop;
		cond_resched();
	}
	if (flush)
		vm_flush_tlbs(vm);
}

/* Give write permission back to the leaf the iterator is at, if it may have it. */
static bool allow_leaf(struct mmu_iter *it, bool small_only)
{
	const struct mmu_format *f = vendor->mmu_format;
	u64 old = it->entry;

	do {
		if (old & f->write)
			return true;
		if (!(old & MMU_ENTRY_HOST_WRITABLE) || (small_only && it->level > 1))
			return false;
		/* The write comes again: spare the CPU setting the dirty bit. */
	} while (!try_cmpxchg64(it->slot, &old, old | f->write | f->dirty | f->accessed));
	return true;
}

/**
 * mmu_allow_write - a write found a mapping that only lacked the permission
 * @vm: the VM
 * @slot: the slot of @gfn, not read-only
 * @gfn: the page
 *
 * An entry that is there is what the host maps: the host removes entries before
 * it changes its mind. So the host need not be asked, and only the read lock is
 * needed; it keeps tables from being freed, and a page's tracking apart from
 * taking its bit out of the log.
 *
 * Context: takes vm->mmu.lock; vm->srcu read-locked.
 *
 * Return: whether the write can proceed; its page is in the log.
 */
bool mmu_allow_write(struct vm *vm, struct memslot *slot, gfn_t gfn)
{
	struct mmu_iter it;
	bool more, done = false;

	read_lock(&vm->mmu.lock);
	for (more = mmu_walk(&it, vm, gfn, gfn + 1); more; more = mmu_iter_next(&it)) {
		if (mmu_iter_at_table(&it))
			continue;
		done = mmu_entry_is_leaf(it.entry, it.level) &&
		       allow_leaf(&it, slot->dirty_bitmap);
		break;
	}
	if (done)
		memslot_mark_dirty(vm, slot, gfn);
	read_unlock(&vm->mmu.lock);
	return done;
}

/* ---- ageing -------------------------------------------------------------------- */

/**
 * mmu_age_gfns - has the guest accessed a range lately
 * @vm: the VM
 * @start: first gfn
 * @end: gfn behind the last
 * @clear: and forget it, without flushing TLBs
 *
 * Only for a format with an accessed bit.
 *
 * Context: takes vm->mmu.lock.
 *
 * Return: whether an accessed bit was set.
 */
bool mmu_age_gfns(struct vm *vm, gfn_t start, gfn_t end, bool clear)
{
	const u64 accessed = vendor->mmu_format->accessed;
	struct mmu_iter it;
	bool more;
	bool young = false;

	read_lock(&vm->mmu.lock);
	for (more = mmu_walk(&it, vm, start, end); more; more = mmu_iter_next(&it)) {
		if (!mmu_entry_is_leaf(it.entry, it.level) || !(it.entry & accessed))
			continue;
		young = true;
		if (!clear)
			break;
		clear_bit(__ffs64(accessed), (unsigned long *)it.slot);
	}
	read_unlock(&vm->mmu.lock);
	return young;
}
