// SPDX-License-Identifier: GPL-2.0
/*
 * Replaces the metadata of an image as a whole: new tables and refcounts go to clusters that
 * neither the old nor the new state uses, and one write of the header's first sector switches
 * over. So snapshots, growing and repairs are done or not begun, whenever the program is killed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2_int.h"

/**
 * struct rebuild - the work at a new state
 * @used: references of the old state
 * @refs: those of the new one
 * @l1: the new active L1 table
 * @hint: no cluster below is free in both
 * @blocks: new refcount block for each part of the file; 0: none; @nr_blocks, room for @room
 */
struct rebuild {
	struct qcow2 *q;
	const struct new_state *state;
	struct block_check faults;
	struct refs used, refs;
	u64 *l1;
	u64 hint;
	u64 l1_offset, snapshots_offset, snapshots_bytes, reftable_offset, reftable_clusters;
	u64 *blocks;
	u64 nr_blocks;
};

int qcow2_begin_switch(struct qcow2 *q)
{
	int ret = 0;

	qcow2_begin_exclusive(q);
	/* The second time writes the refcounts of what the first one has freed. */
	if (!q->corrupt)
		ret = qcow2_sync(q, true);
	if (!ret && !q->corrupt)
		ret = qcow2_sync(q, true);
	if (ret) {
		qcow2_end_exclusive(q);
		return ret;
	}
	pthread_mutex_lock(&q->flush_lock);
	pthread_mutex_lock(&q->lock);
	return 0;
}

void qcow2_end_switch(struct qcow2 *q)
{
	pthread_mutex_unlock(&q->lock);
	pthread_mutex_unlock(&q->flush_lock);
	qcow2_end_exclusive(q);
}

/* @nr contiguous clusters that neither state uses; counted as used by the new one. */
static int take(struct rebuild *r, u64 nr, u64 *offset)
{
	u64 cluster = r->hint, run = 0;
	int ret = 0;

	for (; run < nr; cluster++) {
		run = qcow2_refs_get(&r->refs, cluster) || qcow2_refs_get(&r->used, cluster) ?
		      0 : run + 1;
		if (nr == 1 && run)
			r->hint = cluster + 1;
	}
	*offset = (cluster - nr) << r->q->cluster_bits;
	if (cluster << r->q->cluster_bits > MAX_HOST_OFFSET)
		return -EFBIG;
	while (!ret && nr--)
		ret = qcow2_refs_set(&r->refs, --cluster, 1);
	return ret;
}

static int put(struct rebuild *r, const void *buf, u64 len, u64 offset)
{
	int ret = qcow2_grow_file(r->q, offset + len);

	return ret ? ret : host_file_write(r->q->file, buf, len, offset);
}

/* Everything of the new state but the tables that are still to be written. */
static int count_new(struct rebuild *r)
{
	struct qcow2 *q = r->q;
	int ret = qcow2_refs_init(q, &r->refs, &r->faults);

	if (ret)
		return ret;
	qcow2_ref(q, &r->refs, 0, q->cluster_size, "header");
	ret = qcow2_ref_tree(q, &r->refs, r->state->l1, r->state->l1_size, false);
	if (!ret)
		ret = qcow2_ref_snapshots(q, &r->refs, r->state->snapshots,
					  r->state->nr_snapshots);
	if (!ret)
		ret = qcow2_ref_bitmaps(q, &r->refs);
	return ret;
}

static bool is_alone(const struct rebuild *r, u64 offset)
{
	u64 cluster = offset >> r->q->cluster_bits;

	return qcow2_refs_get(&r->refs, cluster) == 1;
}

/* Set the COPIED bits of a table; tells whether one has changed. */
static bool fix_copied(struct rebuild *r, u64 *l2)
{
	bool change = false;
	u32 i;

	for (i = 0; i < r->q->cluster_size / sizeof(u64); i++) {
		u64 entry = be64toh(l2[i]), fixed = entry & ~ENTRY_COPIED;
		enum entry_kind kind;

		if (qcow2_entry_kind(r->q, fixed, &kind) || kind == ENTRY_ABSENT)
			continue;
		if ((kind == ENTRY_DATA || kind == ENTRY_ALLOC_ZERO) &&
		    is_alone(r, fixed & ENTRY_OFFSET))
			fixed |= ENTRY_COPIED;
		if (fixed != entry) {
			l2[i] = htobe64(fixed);
			change = true;
		}
	}
	return change;
}

/* The active L2 tables whose COPIED bits have to change go to new places. */
static int make_l2(struct rebuild *r)
{
	struct qcow2 *q = r->q;
	u64 *l2 = qcow2_alloc_buffer(q->cluster_size);
	u32 i;
	int ret = l2 ? 0 : -ENOMEM;

	for (i = 0; !ret && i < r->state->l1_size; i++) {
		u64 offset = r->state->l1[i] & ENTRY_OFFSET, cluster = offset >> q->cluster_bits;

		r->l1[i] = r->state->l1[i] & ~ENTRY_COPIED;
		if (!offset || r->l1[i] & L1_RESERVED || offset & (q->cluster_size - 1) ||
		    cluster >= r->refs.nr)
			continue;
		if (host_file_read(q->file, l2, q->cluster_size, offset))
			continue;	/* as damaged as before */
		if (fix_copied(r, l2)) {
			ret = qcow2_refs_set(&r->refs, cluster,
					     qcow2_refs_get(&r->refs, cluster) - 1);
			if (!ret)
				ret = take(r, 1, &offset);
			if (!ret)
				ret = put(r, l2, q->cluster_size, offset);
			r->l1[i] = offset;
		}
		if (is_alone(r, offset))
			r->l1[i] |= ENTRY_COPIED;
	}
	free(l2);
	return ret;
}

static int make_table(struct rebuild *r, const u64 *entries, u64 size, u64 room, u64 *offset)
{
	u64 *disk = qcow2_alloc_buffer(room * r->q->cluster_size), i;
	int ret = disk ? 0 : -ENOMEM;

	if (!ret && !*offset)
		ret = take(r, room, offset);
	for (i = 0; !ret && i < size; i++)
		disk[i] = htobe64(entries[i]);
	if (!ret)
		ret = put(r, disk, room << r->q->cluster_bits, *offset);
	free(disk);
	return ret;
}

static int make_snapshots(struct rebuild *r)
{
	u8 *table, *padded;
	int ret;

	if (!r->state->nr_snapshots)
		return 0;
	table = qcow2_pack_snapshots(r->state->snapshots, r->state->nr_snapshots,
				     &r->snapshots_bytes);
	if (!table)
		return -EFBIG;
	ret = take(r, clusters_for(r->q, r->snapshots_bytes), &r->snapshots_offset);
	padded = qcow2_alloc_buffer(clusters_for(r->q, r->snapshots_bytes) << r->q->cluster_bits);
	if (!ret && !padded)
		ret = -ENOMEM;
	if (!ret) {
		memcpy(padded, table, r->snapshots_bytes);
		ret = put(r, padded, clusters_for(r->q, r->snapshots_bytes) << r->q->cluster_bits,
			  r->snapshots_offset);
	}
	free(padded);
	free(table);
	return ret;
}

/* Room in r->blocks for all parts of the file as it is by now. */
static int extend_blocks(struct rebuild *r)
{
	u64 nr = ((r->refs.end - 1) >> r->q->refblock_bits) + 1, *blocks;

	if (nr <= r->nr_blocks)
		return 0;
	blocks = realloc(r->blocks, nr * sizeof(u64));
	if (!blocks)
		return -ENOMEM;
	memset(blocks + r->nr_blocks, 0, (nr - r->nr_blocks) * sizeof(u64));
	r->blocks = blocks;
	r->nr_blocks = nr;
	return 0;
}

static bool block_is_needed(const struct rebuild *r, u64 block)
{
	u64 i = qcow2_refs_next(&r->refs, block << r->q->refblock_bits);
	u64 end = (block + 1) << r->q->refblock_bits;

	while (i < end && i < r->refs.end && !qcow2_refs_get(&r->refs, i))
		i = qcow2_refs_next(&r->refs, i + 1);
	return i < end && i < r->refs.end;
}

static int place_reftable(struct rebuild *r)
{
	u64 old = r->reftable_offset >> r->q->cluster_bits, i;

	for (i = 0; r->reftable_offset && i < r->reftable_clusters; i++)
		(void)qcow2_refs_set(&r->refs, old + i, 0);	/* is there: cannot fail */
	r->reftable_clusters = clusters_for(r->q, (r->nr_blocks + 1) * sizeof(u64));
	if (r->reftable_clusters << r->q->cluster_bits > MAX_REFTABLE_BYTES)
		return -EFBIG;
	return take(r, r->reftable_clusters, &r->reftable_offset);
}

/*
 * Places for the refcount blocks and their table, which themselves have refcounts: until all
 * fits.
 */
static int place_refblocks(struct rebuild *r)
{
	bool again = true;
	u64 i;
	int ret = 0;

	while (!ret && again) {
		again = false;
		ret = extend_blocks(r);
		for (i = 0; !ret && i < r->nr_blocks; i++) {
			if (r->blocks[i] || !block_is_needed(r, i))
				continue;
			ret = take(r, 1, &r->blocks[i]);
			again = true;
		}
		if (!ret && !again && (!r->reftable_offset || r->nr_blocks * sizeof(u64) >
				       r->reftable_clusters << r->q->cluster_bits)) {
			ret = place_reftable(r);
			again = true;
		}
	}
	for (i = 0; !ret && i < r->refs.end; i = qcow2_refs_next(&r->refs, i + 1)) {
		if (qcow2_refs_get(&r->refs, i) > qcow2_max_refcount(r->q))
			ret = -ERANGE;
	}
	return ret;
}

static int write_refblocks(struct rebuild *r)
{
	struct qcow2 *q = r->q;
	u8 *block = qcow2_alloc_buffer(q->cluster_size);
	u64 i, n, per_block = 1ULL << q->refblock_bits;
	int ret = block ? 0 : -ENOMEM;

	for (i = 0; !ret && i < r->nr_blocks; i++) {
		if (!r->blocks[i])
			continue;
		memset(block, 0, q->cluster_size);
		for (n = 0; n < per_block && i * per_block + n < r->refs.end; n++)
			qcow2_put_count(block, n, q->refcount_order,
					qcow2_refs_get(&r->refs, i * per_block + n));
		ret = put(r, block, q->cluster_size, r->blocks[i]);
	}
	free(block);
	if (!ret)
		ret = make_table(r, r->blocks, r->nr_blocks, r->reftable_clusters,
				 &r->reftable_offset);
	return ret;
}

/* Write the header of the new state; if that fails, the old one again. */
static int switch_header(struct rebuild *r)
{
	struct qcow2 *q = r->q;
	struct table l1 = q->l1, reftable = q->reftable;
	u64 snapshots_offset = q->snapshots_offset, size = q->image_size, incompat = q->incompat;
	unsigned int nr_snapshots = q->nr_snapshots;
	int ret;

	q->l1.offset = r->l1_offset;
	q->l1.size = r->state->l1_size;
	q->reftable.offset = r->reftable_offset;
	q->reftable.size = (u32)((r->reftable_clusters << q->cluster_bits) / sizeof(u64));
	q->snapshots_offset = r->snapshots_offset;
	q->nr_snapshots = r->state->nr_snapshots;
	q->image_size = r->state->size;
	q->incompat &= ~(INCOMPAT_DIRTY | (r->state->repaired ? INCOMPAT_CORRUPT : 0));
	ret = qcow2_write_header(q);
	if (!ret) {
		qcow2_drop_snapshots(q->snapshots, nr_snapshots);
		q->snapshots = NULL;
		return 0;
	}
	q->l1 = l1;
	q->reftable = reftable;
	q->snapshots_offset = snapshots_offset;
	q->nr_snapshots = nr_snapshots;
	q->image_size = size;
	q->incompat = incompat;
	/* If nobody knows which one the file has, change nothing any more. */
	q->corrupt |= !!qcow2_write_header(q);
	return ret;
}

static int commit(struct rebuild *r)
{
	struct qcow2 *q = r->q;
	int ret = switch_header(r);

	if (ret)
		return ret;
	q->blk.size = q->image_size & ~(u64)(SECTOR_SIZE - 1);
	if (r->state->repaired)
		q->corrupt = false;
	ret = qcow2_load_tables(q);
	q->corrupt |= !!ret;
	return ret;
}

int qcow2_switch(struct qcow2 *q, const struct new_state *state)
{
	struct rebuild r = { .q = q, .state = state };
	int ret = qcow2_refs_init(q, &r.used, &r.faults);

	if (state->l1_size > MAX_L1_BYTES / sizeof(u64))
		ret = -EFBIG;
	if (!ret)
		ret = qcow2_ref_all(q, &r.used);
	if (!ret)
		ret = count_new(&r);
	r.l1 = calloc(state->l1_size ? state->l1_size : 1, sizeof(u64));
	if (!ret && !r.l1)
		ret = -ENOMEM;
	if (!ret)
		ret = make_l2(&r);
	/* An empty L1 table needs a place, too: the specification knows no other. */
	if (!ret)
		ret = make_table(&r, r.l1, state->l1_size,
				 state->l1_size ? clusters_for(q, state->l1_size * sizeof(u64)) : 1,
				 &r.l1_offset);
	if (!ret)
		ret = make_snapshots(&r);
	if (!ret)
		ret = place_refblocks(&r);
	if (!ret)
		ret = write_refblocks(&r);
	if (!ret)
		ret = host_file_flush(q->file);
	if (!ret)
		ret = commit(&r);
	free(r.l1);
	free(r.blocks);
	qcow2_refs_drop(&r.used);
	qcow2_refs_drop(&r.refs);
	return ret;
}
