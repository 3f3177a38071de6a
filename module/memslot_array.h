/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sorted array of memory slots: finding, inserting, removing, and what its
 * geometry allows. Pure arithmetic: no locks, no allocation, and it compiles
 * outside the kernel (selftests/unit/memslot_test.c).
 */
#ifndef MINIKVM_MEMSLOT_ARRAY_H
#define MINIKVM_MEMSLOT_ARRAY_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/kvm_types.h>
#include <linux/types.h>

/*
 * Set in memslot.flags while a slot is being deleted or moved: userspace flags
 * are in the low bits, the kernel's begin at bit 16. Such a slot still counts
 * for the mmu notifier, but nothing new may be mapped from it.
 */
#define MEMSLOT_INVALID		BIT(16)

/**
 * struct memslot - one range of guest-physical memory
 * @base_gfn: first gfn
 * @npages: length in 4 KiB pages, never 0
 * @hva: where the VMM mapped it, page aligned
 * @id: the number userspace gave it (address space in bits 31..16 is refused)
 * @flags: MINIKVM_MEM_LOG_DIRTY_PAGES | MINIKVM_MEM_READONLY | MEMSLOT_INVALID
 * @dirty_bitmap: one bit per page while dirty logging is on, else NULL
 */
struct memslot {
	gfn_t base_gfn;
	unsigned long npages;
	unsigned long hva;
	u32 id;
	u32 flags;
	unsigned long *dirty_bitmap;
};

/**
 * struct memslots - all slots of a VM, by ascending and disjoint gfn ranges
 * @nr: how many
 * @last: index of the slot found last; a hint that races are allowed to spoil
 * @slot: the slots
 *
 * A published array is immutable but for @last and the bitmaps.
 */
struct memslots {
	int nr;
	int last;
	struct memslot slot[];
};

static inline unsigned long memslot_gfn_to_hva(const struct memslot *slot, gfn_t gfn)
{
	return slot->hva + ((gfn - slot->base_gfn) << 12);
}

struct memslot *memslots_find(struct memslots *slots, gfn_t gfn);
struct memslot *memslots_find_id(struct memslots *slots, u32 id);
bool memslots_overlap(const struct memslots *slots, u32 id, gfn_t start, gfn_t end);
void memslots_insert(struct memslots *slots, const struct memslot *new);
void memslots_remove(struct memslots *slots, u32 id);
int memslots_hole_level(const struct memslots *slots, gfn_t gfn, int max_level);
int memslot_map_level(const struct memslot *slot, gfn_t gfn, int max_level);
bool memslot_hva_overlap(const struct memslot *slot, unsigned long start, unsigned long end,
			 gfn_t *first, gfn_t *last);

#endif
