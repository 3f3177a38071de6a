// SPDX-License-Identifier: GPL-2.0
/*
 * Where the metadata of a qcow2 image is: a set of host clusters with their use, looked at before
 * each write, so that a damaged image is not damaged further.
 *
 * In the set: header, active L1 and L2 tables, refcount table and blocks, snapshot table and the
 * L1 tables of snapshots. A hash table with linear probing.
 */
#include <errno.h>
#include <stdlib.h>

#include "block/qcow2_int.h"

static size_t slot_of(const struct qcow2 *q, u64 cluster)
{
	return (size_t)((cluster * 0x9e3779b97f4a7c15ULL) >> 20) & (q->meta_room - 1);
}

static struct meta_slot *find_slot(const struct qcow2 *q, u64 cluster)
{
	size_t i = slot_of(q, cluster);

	while (q->meta[i].cluster && q->meta[i].cluster != cluster + 1)
		i = (i + 1) & (q->meta_room - 1);
	return &q->meta[i];
}

static int grow(struct qcow2 *q)
{
	struct meta_slot *old = q->meta;
	size_t room = q->meta_room, i;
	struct meta_slot *new = calloc(room ? 2 * room : 64, sizeof(*new));

	if (!new)
		return -ENOMEM;
	q->meta = new;
	q->meta_room = room ? 2 * room : 64;
	for (i = 0; i < room; i++) {
		if (old[i].cluster)
			*find_slot(q, old[i].cluster - 1) = old[i];
	}
	free(old);
	return 0;
}

int qcow2_meta_add(struct qcow2 *q, u64 offset, u64 len, enum meta_type type)
{
	u64 cluster = offset >> q->cluster_bits, end = cluster + clusters_for(q, len);

	for (; cluster < end; cluster++) {
		struct meta_slot *slot;

		if (2 * q->meta_used >= q->meta_room && grow(q))
			return -ENOMEM;
		slot = find_slot(q, cluster);
		if (slot->cluster) {
			slot->type = META_INCONSISTENT;
			return -EIO;
		}
		slot->cluster = cluster + 1;
		slot->type = type;
		q->meta_used++;
	}
	return 0;
}

void qcow2_meta_remove(struct qcow2 *q, u64 cluster)
{
	struct meta_slot *slot = find_slot(q, cluster);
	size_t i;

	if (!slot->cluster)
		return;
	slot->cluster = 0;
	q->meta_used--;
	/* What comes behind it without a gap may have been pushed there by it. */
	for (i = (size_t)(slot - q->meta + 1) & (q->meta_room - 1); q->meta[i].cluster;
	     i = (i + 1) & (q->meta_room - 1)) {
		struct meta_slot moved = q->meta[i];

		q->meta[i].cluster = 0;
		*find_slot(q, moved.cluster - 1) = moved;
	}
}

enum meta_type qcow2_meta_type(const struct qcow2 *q, u64 cluster)
{
	const struct meta_slot *slot = find_slot(q, cluster);

	return slot->cluster ? slot->type : META_NONE;
}

int qcow2_check_write(struct qcow2 *q, u64 offset, u64 len, enum meta_type type)
{
	u64 cluster = offset >> q->cluster_bits;
	u64 end = (offset + len - 1) >> q->cluster_bits;

	if (offset + len < offset || offset + len > MAX_HOST_OFFSET)
		return qcow2_mark_corrupt(q, "a write behind the last possible cluster", offset);
	for (; cluster <= end; cluster++) {
		if (qcow2_meta_type(q, cluster) != type)
			return qcow2_mark_corrupt(q, type == META_NONE ?
				"data in a cluster of metadata" :
				"metadata in a cluster of something else", offset);
	}
	return 0;
}
