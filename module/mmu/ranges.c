// SPDX-License-Identifier: GPL-2.0
/*
 * The second-dimension tables as ranges that are mapped alike, for readers.
 *
 * vm->mmu.lock is held for reading, for a bounded number of entries at a time: no table
 * is freed meanwhile, but faults wait. Between two such passes anything may change; a
 * range that was begun goes on only with what continues it exactly.
 */
#include <linux/mm.h>
#include <linux/srcu.h>

#include "../memslot.h"
#include "tables.h"

/* Entries looked at before the lock is dropped. */
#define READ_BATCH	4096

static u32 leaf_flags(u64 entry)
{
	const struct mmu_format *f = vendor->mmu_format;
	u32 flags = 0;

	if (mmu_entry_is_mmio(entry))
		return MINIKVM_INSPECT_EPT_MMIO;
	if (entry & f->read)
		flags |= MINIKVM_INSPECT_EPT_READ;
	if (entry & f->write)
		flags |= MINIKVM_INSPECT_EPT_WRITE;
	if (entry & f->exec)
		flags |= MINIKVM_INSPECT_EPT_EXEC;
	if (entry & f->accessed)
		flags |= MINIKVM_INSPECT_EPT_ACCESSED;
	if (entry & f->dirty)
		flags |= MINIKVM_INSPECT_EPT_DIRTY;
	if (entry & f->ignore_pat)
		flags |= MINIKVM_INSPECT_EPT_IGNORE_PAT;
	if (entry & MMU_ENTRY_SPECIAL)
		flags |= MINIKVM_INSPECT_EPT_SPECIAL;
	if (entry & MMU_ENTRY_HOST_WRITABLE)
		flags |= MINIKVM_INSPECT_EPT_HOST_WRITE;
	return flags;
}

/* The slot of a gfn, by way of the one found last. */
static u32 slot_id(struct vm *vm, const struct memslot **last, gfn_t gfn)
{
	const struct memslot *s = *last;

	if (!s || gfn < s->base_gfn || gfn >= s->base_gfn + s->npages)
		s = memslot_find(vm, gfn);
	*last = s;
	return s ? s->id : MINIKVM_INSPECT_NO_SLOT;
}

static void describe(struct vm *vm, const struct mmu_iter *it, u64 entry,
		     const struct memslot **last, struct minikvm_inspect_range *r)
{
	const struct mmu_format *f = vendor->mmu_format;

	*r = (struct minikvm_inspect_range) {
		.gpa = it->gfn << PAGE_SHIFT,
		.bytes = mmu_level_pages(it->level) << PAGE_SHIFT,
		.level = it->level,
		.flags = leaf_flags(entry),
		.slot = slot_id(vm, last, it->gfn),
	};
	if (r->flags & MINIKVM_INSPECT_EPT_MMIO)
		return;
	r->hpa = mmu_entry_pfn(entry) << PAGE_SHIFT;
	if (f->memtype)
		r->memtype = (entry & f->memtype) >> __ffs64(f->memtype);
}

/* Does @next begin where @r ends, here and there, and is it mapped the same way? */
static bool continues(const struct minikvm_inspect_range *r,
		      const struct minikvm_inspect_range *next)
{
	bool mmio = r->flags & MINIKVM_INSPECT_EPT_MMIO;

	return next->gpa == r->gpa + r->bytes && next->level == r->level &&
	       next->flags == r->flags && next->memtype == r->memtype &&
	       next->slot == r->slot && (mmio || next->hpa == r->hpa + r->bytes);
}

/* One pass, lock held. Return: whether it reached the end of what was asked for. */
static bool read_pass(struct vm *vm, struct mmu_range_walk *w, struct minikvm_inspect_range *to,
		      u32 room, u32 *nr)
{
	const struct memslot *last = NULL;
	struct minikvm_inspect_range next;
	int budget = READ_BATCH;
	struct mmu_iter it;
	bool more;

	for (more = mmu_walk(&it, vm, w->gfn, w->end); more; more = mmu_iter_next(&it)) {
		u64 entry = it.entry;

		if (!budget-- || *nr == room) {
			w->gfn = max(w->gfn, it.gfn);
			return false;
		}
		if (!mmu_entry_is_mmio(entry) && !mmu_entry_is_leaf(entry, it.level))
			continue;
		describe(vm, &it, entry, &last, &next);
		if (w->begun && continues(&w->range, &next)) {
			w->range.bytes += next.bytes;
			continue;
		}
		if (w->begun)
			to[(*nr)++] = w->range;
		w->range = next;
		w->begun = true;
	}
	w->gfn = w->end;
	return true;
}

/**
 * mmu_read_ranges - the next ranges of a VM's tables
 * @vm: the VM
 * @w: where the reader is: zeroes, @w->gfn and @w->end set, for the first call
 * @to: where they go
 * @nr: in: how many fit, at least 1; out: how many there are now
 *
 * Context: takes vm->srcu and vm->mmu.lock; does not wait for anyone else.
 * Return: whether there may be more.
 */
bool mmu_read_ranges(struct vm *vm, struct mmu_range_walk *w, struct minikvm_inspect_range *to,
		     u32 *nr)
{
	u32 room = *nr;
	bool end;
	int idx;

	*nr = 0;
	idx = srcu_read_lock(&vm->srcu);
	read_lock(&vm->mmu.lock);
	end = read_pass(vm, w, to, room, nr);
	read_unlock(&vm->mmu.lock);
	srcu_read_unlock(&vm->srcu, idx);
	if (!end)
		return true;
	/* The last one has nothing behind it that could continue it. */
	if (w->begun && *nr < room) {
		to[(*nr)++] = w->range;
		w->begun = false;
	}
	return w->begun;
}

/**
 * mmu_range_next - where to go on after a walk that was left
 * @w: the walk
 *
 * Return: the first gfn that no range handed out covers.
 */
gfn_t mmu_range_next(const struct mmu_range_walk *w)
{
	return w->begun ? w->range.gpa >> PAGE_SHIFT : w->gfn;
}
