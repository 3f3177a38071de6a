// SPDX-License-Identifier: GPL-2.0
/*
 * The dirty log: which pages of a slot were written, by the guest or by the
 * module on its behalf, since userspace last asked.
 *
 * A page whose bit is clear is tracked: its next write sets the bit. A page
 * whose bit is set is not. Whoever clears a bit therefore makes the page
 * tracked again, in this order: take the bit, then track the page under
 * vm->mmu.lock. A fault makes a page writable and sets its bit under the same
 * lock, so one of the two always undoes the other.
 *
 * A page is tracked by having no write permission, or, where the CPU keeps a log
 * of its own, by having no dirty bit: the CPU logs the page when it sets it. Such
 * a log is collected before the bitmaps are looked at.
 *
 * Normally reading the log clears it. With MANUAL_DIRTY_LOG_PROTECT2 reading
 * leaves it alone, and userspace clears the part that it is about to copy.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "memslot.h"
#include "mmu/mmu.h"

/* What one round handles: a page of bitmap, 128 MiB of guest. */
#define LOG_WORDS		(PAGE_SIZE / sizeof(long))

#define LOG_OPTIONS		(MINIKVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE |	\
				 MINIKVM_DIRTY_LOG_INITIALLY_SET)

/**
 * memslot_mark_dirty - a page was written
 * @vm: the VM
 * @slot: the slot that holds it
 * @gfn: the page
 *
 * Context: as vm_memslots(); any number of callers at once.
 */
void memslot_mark_dirty(struct vm *vm, struct memslot *slot, gfn_t gfn)
{
	unsigned long bit = gfn - slot->base_gfn;

	/* Most pages are written many times between two readings of the log. */
	if (slot->dirty_bitmap && !test_bit(bit, slot->dirty_bitmap))
		set_bit(bit, slot->dirty_bitmap);
}

/* ---- CPUs that log by themselves --------------------------------------------- */

/* The count has changed from or to 0. No vCPU enters again without noticing. */
static void tell_vcpus(struct vm *vm)
{
	struct vcpu *vcpu;
	int i;

	/* Pairs with dirty_log_new_vcpu(): it sees the count, or we see it. */
	smp_mb();
	vm_for_each_vcpu(i, vcpu, vm)
		vcpu_set_request(vcpu, REQ_DIRTY_LOG);
	vm_wait_outside_guest(vm);
}

/**
 * dirty_log_hold - a slot that logs is about to be published
 * @vm: the VM
 *
 * On return no vCPU runs without logging, if its CPU can: mappings of the slot
 * may leave it to the CPU.
 *
 * Context: vm->slots_lock held.
 */
void dirty_log_hold(struct vm *vm)
{
	WRITE_ONCE(vm->dirty_slots, vm->dirty_slots + 1);
	if (vendor->mmu_format->logs_dirty && vm->dirty_slots == 1)
		tell_vcpus(vm);
}

/**
 * dirty_log_release - a slot that logged is gone, or logs no more
 * @vm: the VM
 *
 * Context: vm->slots_lock held; the change is published.
 */
void dirty_log_release(struct vm *vm)
{
	WRITE_ONCE(vm->dirty_slots, vm->dirty_slots - 1);
	if (vendor->mmu_format->logs_dirty && !vm->dirty_slots)
		tell_vcpus(vm);
}

void dirty_log_new_vcpu(struct vcpu *vcpu)
{
	if (!vendor->mmu_format->logs_dirty)
		return;
	/* Pairs with tell_vcpus(): published first, the count read later. */
	smp_mb();
	vcpu_set_request(vcpu, REQ_DIRTY_LOG);
}

/**
 * dirty_log_sync - have what CPUs logged in the bitmaps
 * @vm: the VM
 *
 * Context: vm->slots_lock held.
 */
void dirty_log_sync(struct vm *vm)
{
	struct vcpu *vcpu;
	int i;

	if (!vendor->mmu_format->logs_dirty)
		return;
	vm_for_each_vcpu(i, vcpu, vm)
		vendor->dirty_log_collect(vcpu);
}

/* ---- the ioctls ---------------------------------------------------------------- */

/**
 * dirty_log_set_manual - ENABLE_CAP(MANUAL_DIRTY_LOG_PROTECT2)
 * @vm: the VM
 * @options: MINIKVM_DIRTY_LOG_*; 0 goes back to clearing by reading
 *
 * Return: 0; -EINVAL: an unknown option, or INITIALLY_SET alone.
 */
int dirty_log_set_manual(struct vm *vm, u64 options)
{
	u64 allowed = MINIKVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE;

	if (options & allowed)
		allowed = LOG_OPTIONS;
	if (options & ~allowed)
		return -EINVAL;
	WRITE_ONCE(vm->dirty_log_manual, options);
	return 0;
}

/*
 * Clear the bits of @words words of the log, from @first on, that are set in
 * @buf, and leave in @buf those that were set. Their pages are tracked again.
 *
 * Return: whether the caller must flush TLBs.
 */
static bool take_log(struct vm *vm, const struct memslot *slot, unsigned long first,
		     unsigned long words, unsigned long *buf)
{
	bool flush = false;
	unsigned long i;

	for (i = 0; i < words; i++) {
		unsigned long *word = &slot->dirty_bitmap[first + i];

		/* Bits behind the last page are never set, whatever is asked. */
		buf[i] &= READ_ONCE(*word);
		if (!buf[i])
			continue;
		buf[i] &= atomic_long_fetch_andnot(buf[i], (atomic_long_t *)word);
		flush |= mmu_track_pages(vm, slot->base_gfn + (first + i) * BITS_PER_LONG,
					 buf[i]);
	}
	return flush;
}

static int get_log(struct vm *vm, const struct minikvm_dirty_log *log, unsigned long *buf)
{
	void __user *to = (void __user *)(unsigned long)log->dirty_bitmap;
	struct memslot *slot = memslot_by_id(vm, log->slot);
	unsigned long total, done;
	bool manual = READ_ONCE(vm->dirty_log_manual);
	bool flush = false;
	int err = 0;

	if (!slot || !slot->dirty_bitmap)
		return -ENOENT;
	dirty_log_sync(vm);

	total = BITS_TO_LONGS(slot->npages);
	for (done = 0; done < total && !err; done += LOG_WORDS) {
		unsigned long words = min(total - done, LOG_WORDS);
		void *from = slot->dirty_bitmap + done;

		if (!manual) {
			memset(buf, 0xff, words * sizeof(long));
			flush |= take_log(vm, slot, done, words, buf);
			from = buf;
		}
		if (copy_to_user(to + done * sizeof(long), from, words * sizeof(long)))
			err = -EFAULT;
		cond_resched();
	}
	/*
	 * A CPU with a stale translation may have written a page since its bit
	 * was taken. That is fine before we return: the caller reads the page
	 * only afterwards.
	 */
	if (flush)
		vm_flush_tlbs(vm);
	return err;
}

/**
 * dirty_log_get - GET_DIRTY_LOG
 * @vm: the VM, of the caller's own mm
 * @log: a private copy of what userspace passed; log->dirty_bitmap has room for
 *	one bit per page of the slot, rounded up to 64
 *
 * Reports the pages written since the log was last cleared, or since logging
 * began, and, unless clearing is manual, clears it. On -EFAULT what was already
 * taken is lost, as in KVM.
 *
 * Context: sleeps; takes vm->slots_lock.
 *
 * Return: 0; -EINVAL: slot number too high; -ENOENT: no such slot, or it does
 * not log; -EFAULT: log->dirty_bitmap; -ENOMEM.
 */
int dirty_log_get(struct vm *vm, const struct minikvm_dirty_log *log)
{
	unsigned long *buf;
	int err;

	if (log->slot >= MK_MAX_MEMSLOTS)
		return -EINVAL;
	buf = kmalloc_array(LOG_WORDS, sizeof(long), GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	mutex_lock(&vm->slots_lock);
	err = get_log(vm, log, buf);
	mutex_unlock(&vm->slots_lock);
	kfree(buf);
	return err;
}

static int check_clear(const struct minikvm_clear_dirty_log *log, const struct memslot *slot)
{
	u64 rest;

	if (!slot || !slot->dirty_bitmap)
		return -ENOENT;
	if (log->first_page > slot->npages)
		return -EINVAL;
	rest = slot->npages - log->first_page;
	/* Whole words, but for the end of the slot. */
	if (log->num_pages > rest || (log->num_pages < rest && log->num_pages % BITS_PER_LONG))
		return -EINVAL;
	return 0;
}

static int clear_log(struct vm *vm, const struct minikvm_clear_dirty_log *log, unsigned long *buf)
{
	const void __user *from = (const void __user *)(unsigned long)log->dirty_bitmap;
	struct memslot *slot = memslot_by_id(vm, log->slot);
	unsigned long total, done;
	bool flush = false;
	int err;

	err = check_clear(log, slot);
	if (err)
		return err;
	dirty_log_sync(vm);

	total = BITS_TO_LONGS(log->num_pages);
	for (done = 0; done < total && !err; done += LOG_WORDS) {
		unsigned long words = min(total - done, LOG_WORDS);

		if (copy_from_user(buf, from + done * sizeof(long), words * sizeof(long))) {
			err = -EFAULT;
			break;
		}
		flush |= take_log(vm, slot, log->first_page / BITS_PER_LONG + done, words, buf);
		cond_resched();
	}
	/* On return a write to a page of a cleared bit is logged. */
	if (flush)
		vm_flush_tlbs(vm);
	return err;
}

/**
 * dirty_log_clear - CLEAR_DIRTY_LOG
 * @vm: the VM, of the caller's own mm
 * @log: a private copy of what userspace passed; log->dirty_bitmap has a bit for
 *	each of log->num_pages pages from log->first_page on
 *
 * Clears the bits of the log that are set in userspace's bitmap. Works whether
 * or not clearing is manual. On -EFAULT some of them may be cleared.
 *
 * Context: sleeps; takes vm->slots_lock.
 *
 * Return: 0; -EINVAL: slot number too high, first_page no multiple of 64, a range
 * that does not lie in the slot, or does not end with it or at a multiple of
 * 64; -ENOENT: no such slot, or it does not log; -EFAULT: log->dirty_bitmap;
 * -ENOMEM.
 */
int dirty_log_clear(struct vm *vm, const struct minikvm_clear_dirty_log *log)
{
	unsigned long *buf;
	int err;

	if (log->slot >= MK_MAX_MEMSLOTS || log->first_page % BITS_PER_LONG)
		return -EINVAL;
	buf = kmalloc_array(LOG_WORDS, sizeof(long), GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	mutex_lock(&vm->slots_lock);
	err = clear_log(vm, log, buf);
	mutex_unlock(&vm->slots_lock);
	kfree(buf);
	return err;
}
