/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The sorted set of memory slots: finding, inserting, removing, and what its
 * geometry allows. No locks; it compiles outside the kernel
 * (selftests/unit/memslot_test.c).
 *
 * A set is a sorted list of parts, each a sorted array of slots. Neither changes
 * once published, but two sets share the parts in which they do not differ, so
 * that a change copies one part and the list, however many slots there are.
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

/* Slots of one part: it fits two pages. */
#define MEMSLOTS_PER_PART	168

/**
 * struct memslot_part - slots that follow each other
 * @users: sets it belongs to; protected by what protects changing the sets
 * @nr: how many slots, never 0
 * @slot: the slots, by ascending and disjoint gfn ranges
 */
struct memslot_part {
	int users;
	int nr;
	struct memslot slot[];
};

/**
 * struct memslot_span - where a part is, and what it may hold
 * @first: first gfn of its first slot
 * @hva_start: lowest hva of its slots
 * @hva_end: hva behind the highest
 * @part: the part
 */
struct memslot_span {
	gfn_t first;
	unsigned long hva_start, hva_end;
	struct memslot_part *part;
};

/**
 * struct memslots - all slots of a VM
 * @generation: how many sets the VM had before this one
 * @nr: how many slots
 * @nr_spans: how many parts
 * @room: how many parts @span has room for
 * @last: the slot found last; a hint that races are allowed to spoil
 * @span: the parts, by ascending gfns
 */
struct memslots {
	u64 generation;
	int nr;
	int nr_spans;
	int room;
	struct memslot *last;
	struct memslot_span span[];
};

static inline unsigned long memslot_gfn_to_hva(const struct memslot *slot, gfn_t gfn)
{
	return slot->hva + ((gfn - slot->base_gfn) << 12);
}

struct memslots *memslots_copy(const struct memslots *old);
void memslots_free(struct memslots *slots);
int memslots_insert(struct memslots *slots, const struct memslot *new);
int memslots_remove(struct memslots *slots, gfn_t base_gfn);
int memslots_update(struct memslots *slots, const struct memslot *new);

/**
 * struct memslots_iter - a position in a set; begins as zeroes
 * @s: a span
 * @i: a slot of its part
 */
struct memslots_iter {
	int s, i;
};

struct memslot *memslots_find(struct memslots *slots, gfn_t gfn);
struct memslot *memslots_next(const struct memslots *slots, struct memslots_iter *it,
			      unsigned long hva_start, unsigned long hva_end);
bool memslots_overlap(const struct memslots *slots, u32 id, gfn_t start, gfn_t end);
int memslots_hole_level(const struct memslots *slots, gfn_t gfn, int max_level);
int memslot_map_level(const struct memslot *slot, gfn_t gfn, int max_level);
bool memslot_hva_overlap(const struct memslot *slot, unsigned long start, unsigned long end,
			 gfn_t *first, gfn_t *last);

#endif
