// SPDX-License-Identifier: GPL-2.0
/*
 * The arithmetic of the sorted slot array, see memslot_array.h.
 */
#include "memslot_array.h"

/* Pages that one entry at @level maps: 4 KiB, 2 MiB, 1 GiB, 512 GiB. */
static inline gfn_t level_pages(int level)
{
	return (gfn_t)1 << ((level - 1) * 9);
}

static inline bool slot_has(const struct memslot *slot, gfn_t gfn)
{
	/* One comparison: below base_gfn the difference wraps to huge. */
	return gfn - slot->base_gfn < slot->npages;
}

/* Index of the first slot that starts above @gfn, or nr. */
static int first_above(const struct memslots *slots, gfn_t gfn)
{
	int lo = 0, hi = slots->nr;

	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;

		if (slots->slot[mid].base_gfn > gfn)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/**
 * memslots_find - the slot that holds a gfn
 * @slots: the array
 * @gfn: guest frame number
 *
 * Return: the slot, MEMSLOT_INVALID ones included, or NULL.
 */
struct memslot *memslots_find(struct memslots *slots, gfn_t gfn)
{
	int i = READ_ONCE(slots->last);

	if (i < slots->nr && slot_has(&slots->slot[i], gfn))
		return &slots->slot[i];

	i = first_above(slots, gfn) - 1;
	if (i < 0 || !slot_has(&slots->slot[i], gfn))
		return NULL;
	WRITE_ONCE(slots->last, i);
	return &slots->slot[i];
}

/**
 * memslots_find_id - the slot with a number
 * @slots: the array
 * @id: what userspace calls it
 *
 * Return: the slot or NULL. Linear: only ioctls look by number.
 */
struct memslot *memslots_find_id(struct memslots *slots, u32 id)
{
	int i;

	for (i = 0; i < slots->nr; i++)
		if (slots->slot[i].id == id)
			return &slots->slot[i];
	return NULL;
}

/**
 * memslots_overlap - is a range taken
 * @slots: the array
 * @id: a slot that does not count (the one that wants the range)
 * @start: first gfn
 * @end: gfn behind the last
 *
 * Return: whether another slot holds a page of the range.
 */
bool memslots_overlap(const struct memslots *slots, u32 id, gfn_t start, gfn_t end)
{
	int i;

	for (i = 0; i < slots->nr; i++) {
		const struct memslot *slot = &slots->slot[i];

		if (slot->id != id && slot->base_gfn < end &&
		    start < slot->base_gfn + slot->npages)
			return true;
	}
	return false;
}

/**
 * memslots_insert - add a slot where it belongs
 * @slots: an unpublished array with room for one more
 * @new: copied; overlaps nothing
 */
void memslots_insert(struct memslots *slots, const struct memslot *new)
{
	int at = first_above(slots, new->base_gfn);
	int i;

	for (i = slots->nr; i > at; i--)
		slots->slot[i] = slots->slot[i - 1];
	slots->slot[at] = *new;
	slots->nr++;
}

/**
 * memslots_remove - drop a slot
 * @slots: an unpublished array
 * @id: number of the slot; nothing happens if it is not there
 */
void memslots_remove(struct memslots *slots, u32 id)
{
	struct memslot *slot = memslots_find_id(slots, id);
	int i;

	if (!slot)
		return;
	slots->nr--;
	for (i = slot - slots->slot; i < slots->nr; i++)
		slots->slot[i] = slots->slot[i + 1];
	slots->last = 0;
}

/**
 * memslots_hole_level - how large an entry can say "no memory here"
 * @slots: the array
 * @gfn: a gfn that no slot holds
 * @max_level: largest level to consider, 1 or more
 *
 * Return: the largest level, at most @max_level, at which the naturally aligned
 * region around @gfn touches no slot.
 */
int memslots_hole_level(const struct memslots *slots, gfn_t gfn, int max_level)
{
	int above = first_above(slots, gfn);
	int level;

	for (level = 1; level < max_level; level++) {
		gfn_t start = gfn & ~(level_pages(level + 1) - 1);
		gfn_t end = start + level_pages(level + 1);

		if (above < slots->nr && slots->slot[above].base_gfn < end)
			break;
		if (above > 0 && slots->slot[above - 1].base_gfn +
				 slots->slot[above - 1].npages > start)
			break;
	}
	return level;
}

/**
 * memslot_map_level - how large a leaf a slot's geometry allows
 * @slot: the slot
 * @gfn: a gfn in it
 * @max_level: largest level to consider, 1 or more
 *
 * A large leaf needs the whole naturally aligned region inside the slot, and
 * gfn and hva congruent modulo its size.
 *
 * Return: the largest such level, at least 1.
 */
int memslot_map_level(const struct memslot *slot, gfn_t gfn, int max_level)
{
	int level;

	for (level = 1; level < max_level; level++) {
		gfn_t pages = level_pages(level + 1);
		gfn_t start = gfn & ~(pages - 1);

		if (((slot->hva >> 12) ^ slot->base_gfn) & (pages - 1))
			break;
		if (start < slot->base_gfn ||
		    start + pages > slot->base_gfn + slot->npages)
			break;
	}
	return level;
}

/**
 * memslot_hva_overlap - which of a slot's pages a range of the VMM backs
 * @slot: the slot
 * @start: first hva
 * @end: hva behind the last byte
 * @first: set to the first gfn
 * @last: set to the gfn behind the last
 *
 * Return: whether there is any; @first and @last are set only then.
 */
bool memslot_hva_overlap(const struct memslot *slot, unsigned long start, unsigned long end,
			 gfn_t *first, gfn_t *last)
{
	unsigned long slot_end = slot->hva + (slot->npages << 12);

	if (start < slot->hva)
		start = slot->hva;
	if (end > slot_end)
		end = slot_end;
	if (start >= end)
		return false;
	*first = slot->base_gfn + ((start - slot->hva) >> 12);
	*last = slot->base_gfn + ((end - 1 - slot->hva) >> 12) + 1;
	return true;
}
