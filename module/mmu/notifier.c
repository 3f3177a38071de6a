// SPDX-License-Identifier: GPL-2.0
/*
 * Following the host's mm: what it unmaps, moves, write-protects or ages in the
 * VMM's address space goes from the guest's tables too.
 *
 * Mappings hold no page references. Instead the mm announces every change
 * before it makes it (invalidate_range_start) and when it is made
 * (invalidate_range_end). A fault that looked a page up before or during a
 * change must not map it afterwards, so
 *
 *	the fault				the mm
 *	seq = notifier_seq			lock, count++, zap, unlock
 *	look the page up			change its page tables
 *	lock					lock, seq++, count--, unlock
 *	count and hva in range: give up
 *	seq changed: give up
 *	map, unlock
 *
 * Giving up costs one more exit. The count covers every change in the mm, and
 * not only those that meet a slot, so that it stays balanced while slots come
 * and go.
 */
#include <linux/mm.h>
#include <linux/mmu_notifier.h>
#include <linux/srcu.h>

#include "../memslot.h"
#include "../trace.h"
#include "tables.h"

static struct vm *notifier_vm(struct mmu_notifier *mn)
{
	return container_of(mn, struct vm, mmu.notifier);
}

/**
 * mmu_notifier_blocks - may a page that was looked up be mapped
 * @vm: the VM
 * @seq: vm->mmu.notifier_seq from before the page was looked up
 * @hva: where it was looked up
 *
 * Context: vm->mmu.lock held for writing.
 *
 * Return: true if the host changed, or is changing, what is at @hva.
 */
bool mmu_notifier_blocks(struct vm *vm, unsigned long seq, hva_t hva)
{
	const struct mmu_state *mmu = &vm->mmu;

	lockdep_assert_held(&mmu->lock);
	if (mmu->notifier_count && hva >= mmu->notifier_start && hva < mmu->notifier_end)
		return true;
	return mmu->notifier_seq != seq;
}

typedef bool (*range_fn)(struct vm *vm, gfn_t first, gfn_t last, bool may_sleep);

/*
 * Call @fn for what each slot has of an hva range. The array is looked up only
 * now, behind the count: a fault that still maps from a newer one sees that.
 */
static bool handle_hva_range(struct vm *vm, unsigned long start, unsigned long end,
			     bool may_sleep, range_fn fn)
{
	struct memslots_iter it = { 0 };
	struct memslots *slots;
	struct memslot *slot;
	bool any = false;
	gfn_t first, last;
	int idx;

	idx = srcu_read_lock(&vm->srcu);
	slots = vm_memslots(vm);
	while ((slot = memslots_next(slots, &it, start, end)))
		if (memslot_hva_overlap(slot, start, end, &first, &last))
			any |= fn(vm, first, last, may_sleep);
	srcu_read_unlock(&vm->srcu, idx);
	return any;
}

static int invalidate_range_start(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct vm *vm = notifier_vm(mn);
	struct mmu_state *mmu = &vm->mmu;

	trace_kvm_unmap_hva_range(range->start, range->end);
	write_lock(&mmu->lock);
	if (!mmu->notifier_count++) {
		mmu->notifier_start = range->start;
		mmu->notifier_end = range->end;
	} else {
		/* One interval for all; too large only costs retries. */
		mmu->notifier_start = min(mmu->notifier_start, range->start);
		mmu->notifier_end = max(mmu->notifier_end, range->end);
	}
	write_unlock(&mmu->lock);

	handle_hva_range(vm, range->start, range->end,
			 mmu_notifier_range_blockable(range), mmu_zap_gfns);
	return 0;
}

static void invalidate_range_end(struct mmu_notifier *mn, const struct mmu_notifier_range *range)
{
	struct vm *vm = notifier_vm(mn);
	bool unbalanced;

	write_lock(&vm->mmu.lock);
	WRITE_ONCE(vm->mmu.notifier_seq, vm->mmu.notifier_seq + 1);
	unbalanced = !vm->mmu.notifier_count;
	if (!unbalanced)
		vm->mmu.notifier_count--;
	write_unlock(&vm->mmu.lock);

	if (unbalanced)
		vm_kill(vm, "the end of an mm change without its start");
}

static bool clear_young_range(struct vm *vm, gfn_t first, gfn_t last, bool may_sleep)
{
	/* Without an accessed bit, the next access must fault to be seen. */
	if (!vendor->mmu_format->accessed)
		return mmu_zap_gfns(vm, first, last, may_sleep);
	return mmu_age_gfns(vm, first, last, true);
}

static bool test_young_range(struct vm *vm, gfn_t first, gfn_t last, bool may_sleep)
{
	/* Without an accessed bit there is no knowing: spare the page. */
	if (!vendor->mmu_format->accessed)
		return true;
	return mmu_age_gfns(vm, first, last, false);
}

static int clear_flush_young(struct mmu_notifier *mn, struct mm_struct *mm,
			     unsigned long start, unsigned long end)
{
	struct vm *vm = notifier_vm(mn);

	if (!handle_hva_range(vm, start, end, false, clear_young_range))
		return 0;
	/* A cached translation would hide the next access from the entry. */
	if (vendor->mmu_format->accessed)
		vm_flush_tlbs(vm);
	return 1;
}

static int clear_young(struct mmu_notifier *mn, struct mm_struct *mm,
		       unsigned long start, unsigned long end)
{
	return handle_hva_range(notifier_vm(mn), start, end, false, clear_young_range);
}

static int test_young(struct mmu_notifier *mn, struct mm_struct *mm, unsigned long address)
{
	return handle_hva_range(notifier_vm(mn), address, address + 1, false,
				test_young_range);
}

/*
 * The mm ends, or mmu_notifier_stop() was called. Nobody faults any more: vCPUs
 * run only in threads of this mm.
 */
static void release(struct mmu_notifier *mn, struct mm_struct *mm)
{
	mmu_zap_gfns(notifier_vm(mn), 0, MMU_GFN_END, true);
}

static const struct mmu_notifier_ops notifier_ops = {
	.invalidate_range_start = invalidate_range_start,
	.invalidate_range_end = invalidate_range_end,
	.clear_flush_young = clear_flush_young,
	.clear_young = clear_young,
	.test_young = test_young,
	.release = release,
};

/**
 * mmu_notifier_start - follow the caller's mm
 * @vm: vm->mm is current->mm
 *
 * Return: 0, -ENOMEM, -EINTR.
 */
int mmu_notifier_start(struct vm *vm)
{
	int err;

	vm->mmu.notifier.ops = &notifier_ops;
	err = mmu_notifier_register(&vm->mmu.notifier, vm->mm);
	vm->mmu.notifier_registered = !err;
	return err;
}

/**
 * mmu_notifier_stop - no callback runs after this returns
 * @vm: the VM; the caller's reference keeps vm->mm's structure alive
 *
 * Context: sleeps.
 */
void mmu_notifier_stop(struct vm *vm)
{
	if (!vm->mmu.notifier_registered)
		return;
	mmu_notifier_unregister(&vm->mmu.notifier, vm->mm);
	vm->mmu.notifier_registered = false;
}
