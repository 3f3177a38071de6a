/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory slots and the only door to guest memory: gfn to hva, and reading and
 * writing guest physical ranges with a length.
 */
#ifndef MINIKVM_MEMSLOT_H
#define MINIKVM_MEMSLOT_H

#include "minikvm.h"
#include "memslot_array.h"

int memslots_init(struct vm *vm);
void memslots_destroy(struct vm *vm);
/* SET_USER_MEMORY_REGION, with KVM's errno for every mistake. */
int memslot_set(struct vm *vm, const struct minikvm_userspace_memory_region *mem);
int memslots_set_mmu_pages(struct vm *vm, unsigned long pages);

/* Callers hold srcu_read_lock(&vm->srcu) or vm->slots_lock. */
struct memslots *vm_memslots(struct vm *vm);
/* Usable slots only: NULL also for one that is being deleted or moved. */
struct memslot *memslot_find(struct vm *vm, gfn_t gfn);
/* vm->slots_lock held. */
struct memslot *memslot_by_id(struct vm *vm, u32 id);

/* ---- dirty_log.c: ioctls and ENABLE_CAP, then what the others need -------- */
int dirty_log_get(struct vm *vm, const struct minikvm_dirty_log *log);
int dirty_log_clear(struct vm *vm, const struct minikvm_clear_dirty_log *log);
int dirty_log_set_manual(struct vm *vm, u64 options);
void memslot_mark_dirty(struct vm *vm, struct memslot *slot, gfn_t gfn);

/* vm->slots_lock held; around publishing slots that log. May fail nowhere. */
void dirty_log_hold(struct vm *vm);
void dirty_log_release(struct vm *vm);
/* vm->slots_lock held: what the CPUs logged so far is in the bitmaps. */
void dirty_log_sync(struct vm *vm);
/* The vCPU is published and has not run yet. */
void dirty_log_new_vcpu(struct vcpu *vcpu);

/* New logs begin with every page in them, and nothing is tracked until cleared. */
static inline bool dirty_log_initially_set(struct vm *vm)
{
	return READ_ONCE(vm->dirty_log_manual) & MINIKVM_DIRTY_LOG_INITIALLY_SET;
}

/*
 * The door. Each takes the SRCU lock itself and returns 0 or -EFAULT (no slot,
 * read-only slot, or the host mapping is gone). @len may cross pages.
 * Called by a thread of the VM's own mm.
 */
int guest_read(struct vm *vm, gpa_t gpa, void *data, size_t len);
int guest_write(struct vm *vm, gpa_t gpa, const void *data, size_t len);
/* Preemption off: -EFAULT also when a page is not there right now. */
int guest_write_nofault(struct vm *vm, gpa_t gpa, const void *data, size_t len);
/* One page- or descriptor-table entry of 4 or 8 bytes, aligned, in one piece. */
int guest_read_entry(struct vm *vm, gpa_t gpa, u64 *entry, size_t len);
/*
 * Atomic compare-and-exchange of 1, 2, 4 or 8 bytes that do not cross a page:
 * 0 done, -EAGAIN *old differed (updated), -EFAULT, -EINVAL.
 */
int guest_cmpxchg(struct vm *vm, gpa_t gpa, u64 *old, u64 new, size_t len);

#define GUEST_WATCH_MAX	7

/**
 * struct guest_watch - words of guest memory and what they held
 * @generation: of the memory slots in which they were found
 * @nr: how many words, up to GUEST_WATCH_MAX
 * @at: where each is in the VMM; in one page
 * @value: what it held
 * @mask: the bits of it that count
 */
struct guest_watch {
	u64 generation;
	int nr;
	const u64 __user *at[GUEST_WATCH_MAX];
	u64 value[GUEST_WATCH_MAX];
	u64 mask[GUEST_WATCH_MAX];
};

/* Both by a thread of the VM's own mm; they take the SRCU lock. */
int guest_watch_add(struct vm *vm, struct guest_watch *watch, gpa_t gpa, u64 value, u64 mask);
bool guest_watch_same(struct vm *vm, const struct guest_watch *watch);
#endif
