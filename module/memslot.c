// SPDX-License-Identifier: GPL-2.0
/*
 * Memory slots: checking what userspace asks for, publishing the result under
 * SRCU while vCPUs run, and the dirty log.
 *
 * A published array never changes. Whoever changes the slots holds slots_lock,
 * makes a new array, publishes it, waits until no reader has the old one, and
 * frees it. A slot that goes away or moves is first published as
 * MEMSLOT_INVALID: faults on it then wait, the mmu notifier still sees it, and
 * once its readers are gone its mappings are torn down. Only then is the array
 * without it published.
 */
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <asm/processor.h>

#include "memslot.h"
#include "mmu/mmu.h"
#include "mmu/iter.h"

/* KVM's bound; a dirty bitmap of such a slot is 256 MiB. */
#define MAX_SLOT_PAGES		((1UL << 31) - 1)

/* What GET_DIRTY_LOG handles at once: a page of bitmap, 128 MiB of guest. */
#define LOG_WORDS		(PAGE_SIZE / sizeof(long))

/**
 * vm_memslots - the current slot array
 * @vm: the VM
 *
 * Context: vm->srcu read-locked or vm->slots_lock held; the result is valid as
 * long as that lasts.
 */
struct memslots *vm_memslots(struct vm *vm)
{
	return srcu_dereference_check(vm->memslots, &vm->srcu,
				      lockdep_is_held(&vm->slots_lock));
}

/**
 * memslot_find - the slot that holds a gfn
 * @vm: the VM
 * @gfn: guest frame number
 *
 * Context: as vm_memslots().
 *
 * Return: the slot; NULL if there is none or it is being deleted or moved.
 */
struct memslot *memslot_find(struct vm *vm, gfn_t gfn)
{
	struct memslot *slot = memslots_find(vm_memslots(vm), gfn);

	return slot && !(slot->flags & MEMSLOT_INVALID) ? slot : NULL;
}

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

/**
 * memslots_init - give a new VM its empty slot array
 * @vm: the VM, its srcu and slots_lock initialized
 *
 * Return: 0 or -ENOMEM.
 */
int memslots_init(struct vm *vm)
{
	struct memslots *slots;

	slots = kzalloc(sizeof(*slots), GFP_KERNEL_ACCOUNT);
	if (!slots)
		return -ENOMEM;
	rcu_assign_pointer(vm->memslots, slots);
	return 0;
}

/**
 * memslots_destroy - free the slots of a VM nobody uses any more
 * @vm: the VM, after mmu_vm_destroy(): the mmu notifier looks at the slots
 */
void memslots_destroy(struct vm *vm)
{
	struct memslots *slots = rcu_dereference_protected(vm->memslots, true);
	int i;

	if (!slots)
		return;
	for (i = 0; i < slots->nr; i++)
		kvfree(slots->slot[i].dirty_bitmap);
	kvfree(slots);
	RCU_INIT_POINTER(vm->memslots, NULL);
}

/* ---- changing the slots, slots_lock held ---------------------------------- */

static struct memslots *copy_slots(const struct memslots *old, int room)
{
	struct memslots *new;

	new = kvmalloc(struct_size(new, slot, old->nr + room), GFP_KERNEL_ACCOUNT);
	if (!new)
		return NULL;
	memcpy(new, old, struct_size(old, slot, old->nr));
	return new;
}

/* On return nobody looks at the array that was current before. */
static void publish(struct vm *vm, struct memslots *new)
{
	struct memslots *old = vm_memslots(vm);

	rcu_assign_pointer(vm->memslots, new);
	synchronize_srcu_expedited(&vm->srcu);
	kvfree(old);
}

static unsigned long *alloc_dirty_bitmap(unsigned long npages)
{
	return kvcalloc(BITS_TO_LONGS(npages), sizeof(long), GFP_KERNEL_ACCOUNT);
}

/*
 * Take @old's mappings away and publish what remains; with @new, at another
 * place. Nothing can fail once the first array is published.
 */
static int replace_slot(struct vm *vm, const struct memslot *old, const struct memslot *new)
{
	struct memslot gone = *old;	/* the array it is in is about to go */
	struct memslots *invalid, *final;

	invalid = copy_slots(vm_memslots(vm), 0);
	final = copy_slots(vm_memslots(vm), 0);
	if (!invalid || !final) {
		kvfree(invalid);
		kvfree(final);
		return -ENOMEM;
	}
	memslots_find_id(invalid, gone.id)->flags |= MEMSLOT_INVALID;
	memslots_remove(final, gone.id);
	if (new)
		memslots_insert(final, new);

	publish(vm, invalid);
	mmu_zap_slot(vm, &gone);
	publish(vm, final);
	if (new)
		mmu_zap_range(vm, new->base_gfn, new->base_gfn + new->npages);
	if (!new || gone.dirty_bitmap != new->dirty_bitmap)
		kvfree(gone.dirty_bitmap);
	return 0;
}

static int create_slot(struct vm *vm, const struct memslot *new)
{
	struct memslots *slots = copy_slots(vm_memslots(vm), 1);

	if (!slots)
		return -ENOMEM;
	memslots_insert(slots, new);
	publish(vm, slots);
	/* Accesses before this made entries that say "no memory here". */
	mmu_zap_range(vm, new->base_gfn, new->base_gfn + new->npages);
	return 0;
}

/* Only MINIKVM_MEM_LOG_DIRTY_PAGES can have changed. */
static int change_flags(struct vm *vm, const struct memslot *old, const struct memslot *new)
{
	unsigned long *old_bitmap = old->dirty_bitmap;
	struct memslots *slots = copy_slots(vm_memslots(vm), 0);

	if (!slots)
		return -ENOMEM;
	*memslots_find_id(slots, new->id) = *new;
	publish(vm, slots);

	if (new->dirty_bitmap) {
		/* From here on a first write to a page faults and is logged. */
		mmu_write_protect_slot(vm, new);
	} else {
		kvfree(old_bitmap);
		/* Small pages were for the log's sake; let large ones return. */
		mmu_zap_slot(vm, new);
	}
	return 0;
}

/* Everything about @mem that can be told without looking at other slots. */
static int check_region(const struct minikvm_userspace_memory_region *mem)
{
	const u64 in_page = PAGE_SIZE - 1;

	if (mem->flags & ~(MINIKVM_MEM_LOG_DIRTY_PAGES | MINIKVM_MEM_READONLY))
		return -EINVAL;
	if ((mem->memory_size | mem->guest_phys_addr | mem->userspace_addr) & in_page)
		return -EINVAL;
	if (mem->userspace_addr != untagged_addr(mem->userspace_addr) ||
	    !access_ok((void __user *)(unsigned long)mem->userspace_addr, mem->memory_size))
		return -EINVAL;
	/* The upper half is an address space: SMM's, which is not offered. */
	if (mem->slot >= MK_MAX_MEMSLOTS)
		return -EINVAL;
	if (mem->guest_phys_addr + mem->memory_size < mem->guest_phys_addr)
		return -EINVAL;
	if (mem->memory_size >> PAGE_SHIFT > MAX_SLOT_PAGES)
		return -EINVAL;
	return 0;
}

/* The largest gfn that the CPU and our tables can address, plus one. */
static gfn_t gfn_limit(void)
{
	int bits = min_t(int, boot_cpu_data.x86_phys_bits, MMU_ROOT_LEVEL * 9 + PAGE_SHIFT);

	return (gfn_t)1 << (bits - PAGE_SHIFT);
}

static int set_slot(struct vm *vm, const struct minikvm_userspace_memory_region *mem)
{
	const struct memslot *old = memslots_find_id(vm_memslots(vm), mem->slot);
	struct memslot new = {
		.base_gfn = mem->guest_phys_addr >> PAGE_SHIFT,
		.npages = mem->memory_size >> PAGE_SHIFT,
		.hva = mem->userspace_addr,
		.id = mem->slot,
		.flags = mem->flags,
	};
	bool moves;
	int err;

	if (!new.npages)
		return old ? replace_slot(vm, old, NULL) : -EINVAL;

	if (old && (new.hva != old->hva || new.npages != old->npages ||
		    (new.flags ^ old->flags) & MINIKVM_MEM_READONLY))
		return -EINVAL;
	moves = old && new.base_gfn != old->base_gfn;
	if (old && !moves && new.flags == old->flags)
		return 0;

	if (!old || moves) {
		if (memslots_overlap(vm_memslots(vm), new.id, new.base_gfn,
				     new.base_gfn + new.npages))
			return -EEXIST;
		if (new.base_gfn + new.npages > gfn_limit())
			return -EINVAL;
	}

	if (new.flags & MINIKVM_MEM_LOG_DIRTY_PAGES) {
		new.dirty_bitmap = old ? old->dirty_bitmap : NULL;
		if (!new.dirty_bitmap)
			new.dirty_bitmap = alloc_dirty_bitmap(new.npages);
		if (!new.dirty_bitmap)
			return -ENOMEM;
	}

	if (!old)
		err = create_slot(vm, &new);
	else if (moves)
		err = replace_slot(vm, old, &new);
	else
		err = change_flags(vm, old, &new);
	/* On failure @old is still what it was, and keeps its bitmap. */
	if (err && (!old || new.dirty_bitmap != old->dirty_bitmap))
		kvfree(new.dirty_bitmap);
	return err;
}

/**
 * memslot_set - SET_USER_MEMORY_REGION
 * @vm: the VM, of the caller's own mm
 * @mem: a private copy of what userspace passed
 *
 * Creates, deletes (size 0), moves (other guest_phys_addr) a slot or changes
 * its MINIKVM_MEM_LOG_DIRTY_PAGES flag. vCPUs may run meanwhile; when it
 * returns no CPU uses a translation that the change made wrong.
 *
 * Context: sleeps; takes vm->slots_lock; vm->srcu not read-locked.
 *
 * Return: 0;
 * -EINVAL: a flag not known; size, GPA or hva not page aligned; hva not a user
 *	address; slot number too high; GPA + size wraps or is beyond what the CPU
 *	can address; more than 2^31 - 1 pages; deleting a slot that does not
 *	exist; changing the size, hva or read-only flag of one that does;
 * -EEXIST: another slot holds part of the range;
 * -ENOMEM.
 */
int memslot_set(struct vm *vm, const struct minikvm_userspace_memory_region *mem)
{
	int err = check_region(mem);

	if (err)
		return err;
	mutex_lock(&vm->slots_lock);
	err = set_slot(vm, mem);
	mutex_unlock(&vm->slots_lock);
	return err;
}

/* ---- the dirty log --------------------------------------------------------- */

/*
 * Move up to LOG_WORDS words of the log from @first on into @buf. The pages of
 * the bits moved are write-protected again; the caller flushes TLBs.
 */
static bool take_log(struct vm *vm, const struct memslot *slot, unsigned long first,
		     unsigned long words, unsigned long *buf)
{
	bool any = false;
	unsigned long i;

	for (i = 0; i < words; i++) {
		unsigned long *word = &slot->dirty_bitmap[first + i];

		buf[i] = READ_ONCE(*word) ? xchg(word, 0) : 0;
		if (!buf[i])
			continue;
		any |= mmu_write_protect_pages(vm, slot->base_gfn +
						   (first + i) * BITS_PER_LONG, buf[i]);
	}
	return any;
}

static int get_dirty_log(struct vm *vm, const struct minikvm_dirty_log *log, unsigned long *buf)
{
	void __user *to = (void __user *)(unsigned long)log->dirty_bitmap;
	struct memslot *slot = memslots_find_id(vm_memslots(vm), log->slot);
	unsigned long total, done;
	bool flush = false;
	int err = 0;

	if (!slot || !slot->dirty_bitmap)
		return -ENOENT;

	total = BITS_TO_LONGS(slot->npages);
	for (done = 0; done < total && !err; done += LOG_WORDS) {
		unsigned long words = min(total - done, LOG_WORDS);

		flush |= take_log(vm, slot, done, words, buf);
		if (copy_to_user(to + done * sizeof(long), buf, words * sizeof(long)))
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
 * memslot_get_dirty_log - GET_DIRTY_LOG
 * @vm: the VM, of the caller's own mm
 * @log: a private copy of what userspace passed; log->dirty_bitmap has room for
 *	one bit per page of the slot, rounded up to 64
 *
 * Reports the pages written since the last call, or since logging began, and
 * starts anew. On -EFAULT what was already taken is lost, as in KVM.
 *
 * Context: sleeps; takes vm->slots_lock.
 *
 * Return: 0; -EINVAL: slot number too high; -ENOENT: no such slot, or it does
 * not log; -EFAULT: log->dirty_bitmap; -ENOMEM.
 */
int memslot_get_dirty_log(struct vm *vm, struct minikvm_dirty_log *log)
{
	unsigned long *buf;
	int err;

	if (log->slot >= MK_MAX_MEMSLOTS)
		return -EINVAL;
	buf = kmalloc_array(LOG_WORDS, sizeof(long), GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	mutex_lock(&vm->slots_lock);
	err = get_dirty_log(vm, log, buf);
	mutex_unlock(&vm->slots_lock);
	kfree(buf);
	return err;
}
