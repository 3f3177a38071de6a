// SPDX-License-Identifier: GPL-2.0
/*
 * The only door to guest memory: every read and write of guest-physical memory
 * that the module does itself goes through here, with a length, by way of the
 * VMM's own mapping.
 *
 * Access by hva instead of by a mapped page means that the host's mm does the
 * rest: swapping in, copying on write, and failing when the VMM has unmapped
 * what it promised.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>

#include "memslot.h"

/*
 * Where @gpa is in the VMM, and in @room how many bytes follow it there in the
 * same slot. NULL: no memory, or not writable.
 */
static void __user *translate(struct vm *vm, gpa_t gpa, bool write, struct memslot **slot,
			      u64 *room)
{
	struct memslot *s = memslot_find(vm, gpa >> PAGE_SHIFT);
	u64 page;

	if (!s || (write && s->flags & MINIKVM_MEM_READONLY))
		return NULL;
	*slot = s;
	*room = ((u64)(s->base_gfn + s->npages) << PAGE_SHIFT) - gpa;
	/* The guest chose the gfn: keep a wrong guess inside the slot, too. */
	page = array_index_nospec((gpa >> PAGE_SHIFT) - s->base_gfn, s->npages);
	return (void __user *)(s->hva + (page << PAGE_SHIFT) + offset_in_page(gpa));
}

static void mark_dirty(struct vm *vm, struct memslot *slot, gpa_t gpa, size_t len)
{
	gfn_t gfn;

	if (!slot->dirty_bitmap)
		return;
	for (gfn = gpa >> PAGE_SHIFT; gfn <= (gpa + len - 1) >> PAGE_SHIFT; gfn++)
		memslot_mark_dirty(vm, slot, gfn);
}

/**
 * guest_read - copy from guest-physical memory
 * @vm: the VM; current->mm is vm->mm
 * @gpa: first byte; may cross pages and slots
 * @data: destination
 * @len: bytes
 *
 * Not atomic: the guest may write meanwhile, so read a thing once.
 *
 * Context: sleeps; takes vm->srcu.
 *
 * Return: 0; -EFAULT: part of the range is no memory, or the host mapping is
 * gone. @data then holds an unspecified part of it.
 */
int guest_read(struct vm *vm, gpa_t gpa, void *data, size_t len)
{
	struct memslot *slot;
	const void __user *from;
	size_t n;
	int err = 0;
	u64 room;
	int idx;

	idx = srcu_read_lock(&vm->srcu);
	for (; len; gpa += n, data += n, len -= n) {
		from = translate(vm, gpa, false, &slot, &room);
		if (!from) {
			err = -EFAULT;
			break;
		}
		n = min_t(u64, len, room);
		if (copy_from_user(data, from, n)) {
			err = -EFAULT;
			break;
		}
	}
	srcu_read_unlock(&vm->srcu, idx);
	return err;
}

/**
 * guest_read_entry - read a table entry in one piece
 * @vm: the VM; current->mm is vm->mm
 * @gpa: where, aligned to @len
 * @entry: out: the value, zero-extended
 * @len: 4 or 8
 *
 * Unlike guest_read(), never half of an old and half of a new value.
 *
 * Context: sleeps; takes vm->srcu.
 *
 * Return: 0; -EFAULT: no memory, not aligned, or the host mapping is gone.
 */
int guest_read_entry(struct vm *vm, gpa_t gpa, u64 *entry, size_t len)
{
	struct memslot *slot;
	const void __user *from;
	int err = -EFAULT;
	u32 entry32;
	u64 room;
	int idx;

	idx = srcu_read_lock(&vm->srcu);
	from = translate(vm, gpa, false, &slot, &room);
	if (from && !(gpa & (len - 1))) {
		if (len == sizeof(u64)) {
			err = get_user(*entry, (const u64 __user *)from);
		} else {
			err = get_user(entry32, (const u32 __user *)from);
			*entry = entry32;
		}
	}
	srcu_read_unlock(&vm->srcu, idx);
	return err;
}

/**
 * guest_write - copy to guest-physical memory
 * @vm: the VM; current->mm is vm->mm
 * @gpa: first byte; may cross pages and slots
 * @data: source
 * @len: bytes
 *
 * Context: sleeps; takes vm->srcu.
 *
 * Return: 0; -EFAULT: part of the range is no memory or a read-only slot, or
 * the host mapping is gone or not writable. Part of it may have been written.
 */
int guest_write(struct vm *vm, gpa_t gpa, const void *data, size_t len)
{
	struct memslot *slot;
	void __user *to;
	size_t n;
	int err = 0;
	u64 room;
	int idx;

	idx = srcu_read_lock(&vm->srcu);
	for (; len; gpa += n, data += n, len -= n) {
		to = translate(vm, gpa, true, &slot, &room);
		if (!to) {
			err = -EFAULT;
			break;
		}
		n = min_t(u64, len, room);
		if (copy_to_user(to, data, n)) {
			err = -EFAULT;
			break;
		}
		mark_dirty(vm, slot, gpa, n);
	}
	srcu_read_unlock(&vm->srcu, idx);
	return err;
}

/**
 * guest_write_nofault - copy to guest-physical memory that is there right now
 * @vm: the VM; current->mm is vm->mm
 * @gpa: first byte
 * @data: source
 * @len: bytes; they do not cross a page
 *
 * Context: does not sleep; takes vm->srcu.
 *
 * Return: 0; -EFAULT: as guest_write(), or the page would have to be faulted in.
 */
int guest_write_nofault(struct vm *vm, gpa_t gpa, const void *data, size_t len)
{
	struct memslot *slot;
	void __user *to;
	int err = -EFAULT;
	u64 room;
	int idx;

	idx = srcu_read_lock(&vm->srcu);
	to = translate(vm, gpa, true, &slot, &room);
	if (to && len <= room && !copy_to_user_nofault(to, data, len)) {
		mark_dirty(vm, slot, gpa, len);
		err = 0;
	}
	srcu_read_unlock(&vm->srcu, idx);
	return err;
}

/* 0 exchanged, 1 *@old differed and is updated, -EFAULT. */
static int cmpxchg_user(void __user *ptr, u64 *old, u64 new, size_t len)
{
	u8 old8 = *old;
	u16 old16 = *old;
	u32 old32 = *old;
	int r;

	switch (len) {
	case 1:
		r = __try_cmpxchg_user((u8 __user *)ptr, &old8, (u8)new, fault8);
		*old = old8;
		return r;
	case 2:
		r = __try_cmpxchg_user((u16 __user *)ptr, &old16, (u16)new, fault16);
		*old = old16;
		return r;
	case 4:
		r = __try_cmpxchg_user((u32 __user *)ptr, &old32, (u32)new, fault32);
		*old = old32;
		return r;
	default:
		return __try_cmpxchg_user((u64 __user *)ptr, old, new, fault64);
	}
}

/**
 * guest_cmpxchg - atomic compare-and-exchange of guest-physical memory
 * @vm: the VM; current->mm is vm->mm
 * @gpa: address; the operand does not cross a page
 * @old: in: expected value; out: the value found, if it differed
 * @new: value to store
 * @len: 1, 2, 4 or 8 bytes
 *
 * Atomic towards the guest's own locked instructions.
 *
 * Context: sleeps; takes vm->srcu.
 *
 * Return: 0 exchanged; -EAGAIN: *@old differed and is updated; -EINVAL: bad
 * @len or the operand crosses a page; -EFAULT: as guest_write().
 */
int guest_cmpxchg(struct vm *vm, gpa_t gpa, u64 *old, u64 new, size_t len)
{
	struct memslot *slot;
	void __user *ptr;
	int r = -EFAULT;
	u64 room;
	int idx;

	if (len != 1 && len != 2 && len != 4 && len != 8)
		return -EINVAL;
	if (offset_in_page(gpa) + len > PAGE_SIZE)
		return -EINVAL;

	idx = srcu_read_lock(&vm->srcu);
	ptr = translate(vm, gpa, true, &slot, &room);
	if (ptr)
		r = cmpxchg_user(ptr, old, new, len);
	if (r >= 0)
		mark_dirty(vm, slot, gpa, len);
	srcu_read_unlock(&vm->srcu, idx);
	return r > 0 ? -EAGAIN : r;
}

/**
 * guest_watch_add - one word more to be compared
 * @vm: the VM; current->mm is vm->mm
 * @watch: zeroes at first
 * @gpa: where the word is
 * @value: what it holds
 * @mask: the bits of it that count
 *
 * Context: takes vm->srcu.
 *
 * Return: 0; -EFAULT: no memory, or it crosses a page; -EAGAIN: the memory slots
 * are not those of the first word any more; -ENOSPC.
 */
int guest_watch_add(struct vm *vm, struct guest_watch *watch, gpa_t gpa, u64 value, u64 mask)
{
	struct memslot *slot;
	const void __user *at;
	u64 room, generation;
	int idx;

	if (watch->nr == GUEST_WATCH_MAX)
		return -ENOSPC;
	if (offset_in_page(gpa) + sizeof(u64) > PAGE_SIZE)
		return -EFAULT;

	idx = srcu_read_lock(&vm->srcu);
	generation = vm_memslots(vm)->generation;
	at = translate(vm, gpa, false, &slot, &room);
	srcu_read_unlock(&vm->srcu, idx);
	if (!at)
		return -EFAULT;
	if (watch->nr && generation != watch->generation)
		return -EAGAIN;
	watch->generation = generation;
	watch->at[watch->nr] = at;
	watch->value[watch->nr] = value & mask;
	watch->mask[watch->nr] = mask;
	watch->nr++;
	return 0;
}

/**
 * guest_watch_same - does every word still hold what it held
 * @vm: the VM; current->mm is vm->mm
 * @watch: its words
 *
 * Reads them all again. Each is read in one piece, if it is aligned.
 *
 * Context: sleeps; takes vm->srcu.
 *
 * Return: false also if the memory slots have changed or the host mapping is gone.
 */
bool guest_watch_same(struct vm *vm, const struct guest_watch *watch)
{
	bool same = false;
	u64 now;
	int i, idx;

	idx = srcu_read_lock(&vm->srcu);
	if (vm_memslots(vm)->generation != watch->generation)
		goto unlock;
	/* All are addresses in slots, which lie in user space as a whole. */
	if (!user_access_begin(watch->at[0], sizeof(u64)))
		goto unlock;
	for (i = 0; i < watch->nr; i++) {
		unsafe_get_user(now, watch->at[i], end);
		if ((now & watch->mask[i]) != watch->value[i])
			goto end;
	}
	same = true;
end:
	user_access_end();
unlock:
	srcu_read_unlock(&vm->srcu, idx);
	return same;
}
