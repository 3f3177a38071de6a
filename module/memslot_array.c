// SPDX-License-Identifier: GPL-2.0
/*
 * The set of memory slots: lookup, change by copying, and the arithmetic of a
 * slot's geometry, see memslot_array.h.
 */
#include <linux/errno.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "memslot_array.h"

/* A set with this many parts more than it has can be changed twice (a move). */
#define SPARE_SPANS	2

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

/* ---- lookup ------------------------------------------------------------------ */

/* Index of the last span that starts at or below @gfn, or -1. */
static int span_below(const struct memslots *slots, gfn_t gfn)
{
	int lo = 0, hi = slots->nr_spans;

	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;

		if (slots->span[mid].first > gfn)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo - 1;
}

/* Index of the first slot of a part that starts above @gfn, or nr. */
static int slot_above(const struct memslot_part *part, gfn_t gfn)
{
	int lo = 0, hi = part->nr;

	while (lo < hi) {
		int mid = lo + (hi - lo) / 2;

		if (part->slot[mid].base_gfn > gfn)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

/*
 * The slots that start around @gfn: the last one at or below it and the first
 * one above it; NULL where there is none.
 */
static void neighbours(const struct memslots *slots, gfn_t gfn, struct memslot **below,
		       struct memslot **above)
{
	int s = span_below(slots, gfn);
	struct memslot_part *part;
	int i = 0;

	*below = NULL;
	*above = NULL;
	if (s >= 0) {
		part = slots->span[s].part;
		i = slot_above(part, gfn);
		*below = &part->slot[i - 1];
		if (i < part->nr) {
			*above = &part->slot[i];
			return;
		}
	}
	if (s + 1 < slots->nr_spans)
		*above = &slots->span[s + 1].part->slot[0];
}

/**
 * memslots_find - the slot that holds a gfn
 * @slots: the set
 * @gfn: guest frame number
 *
 * Return: the slot, MEMSLOT_INVALID ones included, or NULL.
 */
struct memslot *memslots_find(struct memslots *slots, gfn_t gfn)
{
	struct memslot *slot = READ_ONCE(slots->last);
	int s;

	if (slot && slot_has(slot, gfn))
		return slot;

	s = span_below(slots, gfn);
	if (s < 0)
		return NULL;
	slot = &slots->span[s].part->slot[slot_above(slots->span[s].part, gfn) - 1];
	if (!slot_has(slot, gfn))
		return NULL;
	WRITE_ONCE(slots->last, slot);
	return slot;
}

/**
 * memslots_next - go through the slots
 * @slots: the set
 * @it: where we are, zeroes at first
 * @hva_start: parts that have nothing of the hva range from here
 * @hva_end: to here are left out; single slots are not
 *
 * Return: the next slot, by ascending gfn, or NULL behind the last.
 */
struct memslot *memslots_next(const struct memslots *slots, struct memslots_iter *it,
			      unsigned long hva_start, unsigned long hva_end)
{
	for (; it->s < slots->nr_spans; it->s++, it->i = 0) {
		const struct memslot_span *span = &slots->span[it->s];

		if (span->hva_start >= hva_end || hva_start >= span->hva_end)
			continue;
		if (it->i < span->part->nr)
			return &span->part->slot[it->i++];
	}
	return NULL;
}

/**
 * memslots_overlap - is a range taken
 * @slots: the set
 * @id: a slot that does not count (the one that wants the range)
 * @start: first gfn
 * @end: gfn behind the last
 *
 * Return: whether another slot holds a page of the range.
 */
bool memslots_overlap(const struct memslots *slots, u32 id, gfn_t start, gfn_t end)
{
	struct memslot *slot, *next;

	neighbours(slots, start, &slot, &next);
	if (slot && slot->id != id && slot_has(slot, start))
		return true;
	/* Only the slot that does not count can make this look twice. */
	for (slot = next; slot && slot->base_gfn < end; slot = next) {
		if (slot->id != id)
			return true;
		neighbours(slots, slot->base_gfn, &slot, &next);
	}
	return false;
}

/* ---- changing a set that is not published yet --------------------------------- */

static struct memslot_part *new_part(const struct memslot *from, int nr, int room)
{
	struct memslot_part *part;

	part = kvmalloc(sizeof(*part) + room * sizeof(part->slot[0]), GFP_KERNEL_ACCOUNT);
	if (!part)
		return NULL;
	part->users = 1;
	part->nr = nr;
	memcpy(part->slot, from, nr * sizeof(part->slot[0]));
	return part;
}

static void put_part(struct memslot_part *part)
{
	if (part && !--part->users)
		kvfree(part);
}

static void set_span(struct memslot_span *span, struct memslot_part *part)
{
	int i;

	span->part = part;
	span->first = part->slot[0].base_gfn;
	span->hva_start = ~0UL;
	span->hva_end = 0;
	for (i = 0; i < part->nr; i++) {
		unsigned long start = part->slot[i].hva;
		unsigned long end = start + (part->slot[i].npages << 12);

		if (start < span->hva_start)
			span->hva_start = start;
		if (end > span->hva_end)
			span->hva_end = end;
	}
}

static void insert_span(struct memslots *slots, int at, struct memslot_part *part)
{
	memmove(&slots->span[at + 1], &slots->span[at],
		(slots->nr_spans - at) * sizeof(slots->span[0]));
	slots->nr_spans++;
	set_span(&slots->span[at], part);
}

static void remove_span(struct memslots *slots, int at)
{
	slots->last = NULL;
	put_part(slots->span[at].part);
	slots->nr_spans--;
	memmove(&slots->span[at], &slots->span[at + 1],
		(slots->nr_spans - at) * sizeof(slots->span[0]));
}

static void replace_part(struct memslots *slots, int at, struct memslot_part *part)
{
	slots->last = NULL;
	put_part(slots->span[at].part);
	set_span(&slots->span[at], part);
}

/**
 * memslots_copy - a set to change
 * @old: the set to start from, or NULL for an empty one
 *
 * The copy can take memslots_insert() twice.
 *
 * Return: the set, given back with memslots_free(); NULL without memory.
 */
struct memslots *memslots_copy(const struct memslots *old)
{
	int nr_spans = old ? old->nr_spans : 0;
	int room = nr_spans + SPARE_SPANS;
	struct memslots *new;
	int s;

	new = kvmalloc(sizeof(*new) + room * sizeof(new->span[0]), GFP_KERNEL_ACCOUNT);
	if (!new)
		return NULL;
	new->generation = 0;
	new->nr = old ? old->nr : 0;
	new->nr_spans = nr_spans;
	new->room = room;
	new->last = NULL;
	if (nr_spans)
		memcpy(new->span, old->span, nr_spans * sizeof(new->span[0]));
	for (s = 0; s < nr_spans; s++)
		new->span[s].part->users++;
	return new;
}

/**
 * memslots_free - give a set back
 * @slots: the set, which nobody uses any more, or NULL
 */
void memslots_free(struct memslots *slots)
{
	int s;

	if (!slots)
		return;
	for (s = 0; s < slots->nr_spans; s++)
		put_part(slots->span[s].part);
	kvfree(slots);
}

/* @new belongs at @i of a part that is full: make it two. */
static int split_part(struct memslots *slots, int s, int i, const struct memslot *new)
{
	struct memslot_part *full = slots->span[s].part, *low, *high;
	/* Slots made in ascending order would leave only half-full parts. */
	int cut = i == full->nr ? full->nr : full->nr / 2;

	low = new_part(full->slot, cut, cut + 1);
	high = new_part(&full->slot[cut], full->nr - cut, full->nr - cut + 1);
	if (!low || !high || slots->nr_spans == slots->room) {
		put_part(low);
		put_part(high);
		return -ENOMEM;
	}
	if (i < cut || (i == cut && cut < full->nr)) {
		memmove(&low->slot[i + 1], &low->slot[i], (low->nr++ - i) * sizeof(*new));
		low->slot[i] = *new;
	} else {
		i -= cut;
		memmove(&high->slot[i + 1], &high->slot[i], (high->nr++ - i) * sizeof(*new));
		high->slot[i] = *new;
	}
	replace_part(slots, s, low);
	insert_span(slots, s + 1, high);
	return 0;
}

/**
 * memslots_insert - add a slot where it belongs
 * @slots: from memslots_copy(), not published yet
 * @new: copied; overlaps nothing
 *
 * Return: 0; -ENOMEM: nothing changed.
 */
int memslots_insert(struct memslots *slots, const struct memslot *new)
{
	int s = span_below(slots, new->base_gfn);
	struct memslot_part *old, *part;
	int i;

	if (!slots->nr_spans) {
		part = new_part(new, 1, 1);
		if (!part)
			return -ENOMEM;
		insert_span(slots, 0, part);
		slots->nr++;
		return 0;
	}
	if (s < 0)
		s = 0;
	old = slots->span[s].part;
	i = slot_above(old, new->base_gfn);
	if (old->nr == MEMSLOTS_PER_PART) {
		if (split_part(slots, s, i, new))
			return -ENOMEM;
	} else {
		part = new_part(old->slot, i, old->nr + 1);
		if (!part)
			return -ENOMEM;
		part->slot[i] = *new;
		memcpy(&part->slot[i + 1], &old->slot[i], (old->nr - i) * sizeof(*new));
		part->nr = old->nr + 1;
		replace_part(slots, s, part);
	}
	slots->nr++;
	return 0;
}

/* Two neighbours that became small are one again: -ENOMEM leaves them two. */
static void join_parts(struct memslots *slots, int s)
{
	struct memslot_part *low, *high, *part;

	if (s < 0 || s + 1 >= slots->nr_spans)
		return;
	low = slots->span[s].part;
	high = slots->span[s + 1].part;
	if (low->nr + high->nr > MEMSLOTS_PER_PART / 2)
		return;
	part = new_part(low->slot, low->nr, low->nr + high->nr);
	if (!part)
		return;
	memcpy(&part->slot[low->nr], high->slot, high->nr * sizeof(high->slot[0]));
	part->nr += high->nr;
	replace_part(slots, s, part);
	remove_span(slots, s + 1);
}

/**
 * memslots_remove - drop a slot
 * @slots: from memslots_copy(), not published yet
 * @base_gfn: its first gfn; nothing happens if no slot starts there
 *
 * Return: 0; -ENOMEM: nothing changed.
 */
int memslots_remove(struct memslots *slots, gfn_t base_gfn)
{
	int s = span_below(slots, base_gfn);
	struct memslot_part *old, *part;
	int i;

	if (s < 0)
		return 0;
	old = slots->span[s].part;
	i = slot_above(old, base_gfn) - 1;
	if (old->slot[i].base_gfn != base_gfn)
		return 0;
	if (old->nr == 1) {
		remove_span(slots, s);
	} else {
		part = new_part(old->slot, i, old->nr - 1);
		if (!part)
			return -ENOMEM;
		part->nr = old->nr - 1;
		memcpy(&part->slot[i], &old->slot[i + 1], (part->nr - i) * sizeof(part->slot[0]));
		replace_part(slots, s, part);
		join_parts(slots, s);
	}
	join_parts(slots, s - 1);
	slots->nr--;
	return 0;
}

/**
 * memslots_update - change a slot in place
 * @slots: from memslots_copy(), not published yet
 * @new: what it becomes; a slot starts at its base_gfn
 *
 * Return: 0; -ENOMEM: nothing changed.
 */
int memslots_update(struct memslots *slots, const struct memslot *new)
{
	int s = span_below(slots, new->base_gfn);
	struct memslot_part *old, *part;

	if (s < 0)
		return 0;
	old = slots->span[s].part;
	part = new_part(old->slot, old->nr, old->nr);
	if (!part)
		return -ENOMEM;
	part->slot[slot_above(part, new->base_gfn) - 1] = *new;
	replace_part(slots, s, part);
	return 0;
}

/* ---- geometry ------------------------------------------------------------------ */

/**
 * memslots_hole_level - how large an entry can say "no memory here"
 * @slots: the set
 * @gfn: a gfn that no slot holds
 * @max_level: largest level to consider, 1 or more
 *
 * Return: the largest level, at most @max_level, at which the naturally aligned
 * region around @gfn touches no slot.
 */
int memslots_hole_level(const struct memslots *slots, gfn_t gfn, int max_level)
{
	struct memslot *below, *above;
	int level;

	neighbours(slots, gfn, &below, &above);
	for (level = 1; level < max_level; level++) {
		gfn_t start = gfn & ~(level_pages(level + 1) - 1);
		gfn_t end = start + level_pages(level + 1);

		if (above && above->base_gfn < end)
			break;
		if (below && below->base_gfn + below->npages > start)
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
