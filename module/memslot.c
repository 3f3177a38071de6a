// SPDX-License-Identifier: GPL-2.0
/*
 * Memory slots: checking what userspace asks for, and publishing the result
 * under SRCU while vCPUs run. The dirty log is in dirty_log.c.
 *
 * A published set never changes. Whoever changes the slots holds slots_lock,
 * makes a new set, publishes it, waits until no reader has the old one, and
 * frees it. A slot that goes away or moves is first published as
 * MEMSLOT_INVALID: faults on it then wait, the mmu notifier still sees it, and
 * once its readers are gone its mappings are torn down. Only then is the set
 * without it published.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>
#include <linux/xarray.h>
#include <asm/processor.h>

#include "memslot.h"
#include "mmu/mmu.h"
#include "mmu/iter.h"

/* KVM's bound; a dirty bitmap of such a slot is 256 MiB. */
#define MAX_SLOT_PAGES		((1UL << 31) - 1)

/* How KVM derives its default bound of page tables from the memory of a VM. */
#define PAGES_PER_MMU_PAGE	50UL
#define MIN_MMU_PAGES		64UL

/**
 * vm_memslots - the current set of slots
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
 * memslots_init - give a new VM its empty set of slots
 * @vm: the VM, its srcu and slots_lock initialized
 *
 * Return: 0 or -ENOMEM.
 */
int memslots_init(struct vm *vm)
{
	struct memslots *slots = memslots_copy(NULL);

	if (!slots)
		return -ENOMEM;
	xa_init_flags(&vm->slot_ids, XA_FLAGS_ACCOUNT);
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
	struct memslots_iter it = { 0 };
	struct memslot *slot;

	if (!slots)
		return;
	while ((slot = memslots_next(slots, &it, 0, ~0UL)))
		kvfree(slot->dirty_bitmap);
	memslots_free(slots);
	RCU_INIT_POINTER(vm->memslots, NULL);
	xa_destroy(&vm->slot_ids);
}

/* ---- changing the slots, slots_lock held ---------------------------------- */

/**
 * memslot_by_id - the slot with a number
 * @vm: the VM
 * @id: what userspace calls it
 *
 * Context: vm->slots_lock held.
 *
 * Return: the slot or NULL.
 */
struct memslot *memslot_by_id(struct vm *vm, u32 id)
{
	void *base = xa_load(&vm->slot_ids, id);

	return base ? memslots_find(vm_memslots(vm), xa_to_value(base)) : NULL;
}

/* On return nobody looks at the set that was current before. */
static void publish(struct vm *vm, struct memslots *new)
{
	struct memslots *old = vm_memslots(vm);

	new->generation = old->generation + 1;
	rcu_assign_pointer(vm->memslots, new);
	synchronize_srcu_expedited(&vm->srcu);
	memslots_free(old);
}

static unsigned long *alloc_dirty_bitmap(struct vm *vm, unsigned long npages)
{
	unsigned long *bitmap = kvcalloc(BITS_TO_LONGS(npages), sizeof(long), GFP_KERNEL_ACCOUNT);

	if (bitmap && dirty_log_initially_set(vm))
		bitmap_set(bitmap, 0, npages);
	return bitmap;
}

/*
 * Take @old's mappings away and publish what remains; with @new, at another
 * place. Nothing can fail once the first set is published.
 */
static int replace_slot(struct vm *vm, const struct memslot *old, const struct memslot *new)
{
	struct memslot gone = *old;	/* the set it is in is about to go */
	struct memslots *invalid, *final;

	invalid = memslots_copy(vm_memslots(vm));
	final = memslots_copy(vm_memslots(vm));
	gone.flags |= MEMSLOT_INVALID;
	if (!invalid || !final || memslots_update(invalid, &gone) ||
	    memslots_remove(final, gone.base_gfn) || (new && memslots_insert(final, new))) {
		memslots_free(invalid);
		memslots_free(final);
		return -ENOMEM;
	}

	publish(vm, invalid);
	mmu_zap_slot(vm, &gone);
	/* What was written where the slot was counts where it goes. */
	if (new && gone.dirty_bitmap)
		dirty_log_sync(vm);
	/* Storing over what is there, and erasing, take no memory. */
	if (new)
		xa_store(&vm->slot_ids, new->id, xa_mk_value(new->base_gfn), GFP_KERNEL);
	else
		xa_erase(&vm->slot_ids, gone.id);
	publish(vm, final);
	if (new)
		mmu_zap_range(vm, new->base_gfn, new->base_gfn + new->npages);
	if (!new || gone.dirty_bitmap != new->dirty_bitmap)
		kvfree(gone.dirty_bitmap);
	return 0;
}

static int create_slot(struct vm *vm, const struct memslot *new)
{
	struct memslots *slots = memslots_copy(vm_memslots(vm));

	if (!slots || memslots_insert(slots, new) ||
	    xa_err(xa_store(&vm->slot_ids, new->id, xa_mk_value(new->base_gfn),
			    GFP_KERNEL_ACCOUNT))) {
		memslots_free(slots);
		return -ENOMEM;
	}
	publish(vm, slots);
	/* Accesses before this made entries that say "no memory here". */
	mmu_zap_range(vm, new->base_gfn, new->base_gfn + new->npages);
	return 0;
}

/* Only MINIKVM_MEM_LOG_DIRTY_PAGES can have changed. */
static int change_flags(struct vm *vm, const struct memslot *old, const struct memslot *new)
{
	unsigned long *old_bitmap = old->dirty_bitmap;
	struct memslots *slots = memslots_copy(vm_memslots(vm));

	if (!slots || memslots_update(slots, new)) {
		memslots_free(slots);
		return -ENOMEM;
	}
	publish(vm, slots);

	if (!new->dirty_bitmap) {
		kvfree(old_bitmap);
		/* Small pages were for the log's sake; let large ones return. */
		mmu_collapse_slot(vm, new);
	} else if (!dirty_log_initially_set(vm)) {
		/* From here on a first write to a page is logged. */
		mmu_track_slot(vm, new);
	}
	return 0;
}

/*
 * What GET_NR_MMU_PAGES answers follows the memory of the VM until userspace
 * sets it. Called when a slot has come or gone.
 */
static void account_slot(struct vm *vm, long npages)
{
	vm->memslot_pages += npages;
	if (!vm->mmu_pages_requested)
		WRITE_ONCE(vm->mmu_pages_max,
			   max(vm->memslot_pages / PAGES_PER_MMU_PAGE, MIN_MMU_PAGES));
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

static int delete_slot(struct vm *vm, const struct memslot *old)
{
	bool logged = old->dirty_bitmap;
	long npages = old->npages;
	int err = replace_slot(vm, old, NULL);

	if (err)
		return err;
	if (logged)
		dirty_log_release(vm);
	account_slot(vm, -npages);
	return 0;
}

/* @new is checked and has its bitmap; @old is the slot of the same number, if any. */
static int apply_slot(struct vm *vm, const struct memslot *old, const struct memslot *new)
{
	int err;

	if (old && new->base_gfn == old->base_gfn)
		return change_flags(vm, old, new);
	if (old)
		return replace_slot(vm, old, new);
	err = create_slot(vm, new);
	if (!err)
		account_slot(vm, new->npages);
	return err;
}

static int set_slot(struct vm *vm, const struct minikvm_userspace_memory_region *mem)
{
	const struct memslot *old = memslot_by_id(vm, mem->slot);
	struct memslot new = {
		.base_gfn = mem->guest_phys_addr >> PAGE_SHIFT,
		.npages = mem->memory_size >> PAGE_SHIFT,
		.hva = mem->userspace_addr,
		.id = mem->slot,
		.flags = mem->flags,
	};
	bool stays = old && new.base_gfn == old->base_gfn;
	bool logged;
	int err;

	if (!new.npages)
		return old ? delete_slot(vm, old) : -EINVAL;
	if (old && (new.hva != old->hva || new.npages != old->npages ||
		    (new.flags ^ old->flags) & MINIKVM_MEM_READONLY))
		return -EINVAL;
	if (stays && new.flags == old->flags)
		return 0;

	if (!stays) {
		if (memslots_overlap(vm_memslots(vm), new.id, new.base_gfn,
				     new.base_gfn + new.npages))
			return -EEXIST;
		if (new.base_gfn + new.npages > gfn_limit())
			return -EINVAL;
	}

	if (new.flags & MINIKVM_MEM_LOG_DIRTY_PAGES) {
		new.dirty_bitmap = old ? old->dirty_bitmap : NULL;
		if (!new.dirty_bitmap)
			new.dirty_bitmap = alloc_dirty_bitmap(vm, new.npages);
		if (!new.dirty_bitmap)
			return -ENOMEM;
	}

	logged = old && old->dirty_bitmap;
	if (new.dirty_bitmap)
		dirty_log_hold(vm);
	err = apply_slot(vm, old, &new);
	if (err ? !!new.dirty_bitmap : logged)
		dirty_log_release(vm);
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

/* ---- the bound of page tables ---------------------------------------------- */

/**
 * memslots_set_mmu_pages - SET_NR_MMU_PAGES
 * @vm: the VM
 * @pages: how many pages its shadow page tables may take
 *
 * There are no shadow page tables: second-dimension tables are as large as the
 * memory that they map needs, here as in KVM with two-dimensional paging. What
 * the number decides is whether RUN starts without any slot (see vcpu_run()).
 *
 * Context: sleeps; takes vm->slots_lock.
 *
 * Return: 0; -EINVAL: less than 64.
 */
int memslots_set_mmu_pages(struct vm *vm, unsigned long pages)
{
	if (pages < MIN_MMU_PAGES)
		return -EINVAL;
	mutex_lock(&vm->slots_lock);
	WRITE_ONCE(vm->mmu_pages_max, pages);
	vm->mmu_pages_requested = true;
	mutex_unlock(&vm->slots_lock);
	return 0;
}
