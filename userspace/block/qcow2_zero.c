// SPDX-License-Identifier: GPL-2.0
/*
 * Zeroing and discarding guest clusters, by their L2 entries where the version has zero clusters.
 */
#include <errno.h>
#include <stdlib.h>

#include "block/qcow2_int.h"

#define ZERO_BYTES	(1U << 20)

enum wipe { WIPE_ZERO, WIPE_ZERO_UNMAP, WIPE_DISCARD };

/* Does the backing image show through where this cluster is absent? */
static bool has_backing(const struct qcow2 *q, u64 cluster)
{
	return q->blk.backing && cluster << q->cluster_bits < q->blk.backing->size;
}

/* What a cluster's entry becomes; the same as before if nothing has to be done. */
static int wiped(struct qcow2 *q, u64 cluster, u64 entry, enum wipe wipe, u64 *new)
{
	enum entry_kind kind;
	int ret = qcow2_entry_kind(q, entry, &kind);

	if (ret)
		return qcow2_mark_corrupt(q, "an L2 entry that is not valid", entry);
	*new = entry;
	if (kind == ENTRY_PLAIN_ZERO || (kind == ENTRY_ABSENT && !has_backing(q, cluster)))
		return 0;
	if (kind == ENTRY_ABSENT && wipe == WIPE_DISCARD)
		return 0;
	if (kind == ENTRY_ALLOC_ZERO && wipe == WIPE_ZERO)
		return 0;
	if (kind == ENTRY_DATA && wipe == WIPE_ZERO && entry & ENTRY_COPIED && q->version >= 3)
		*new = entry | ENTRY_ZERO;
	else if (q->version >= 3 && (wipe != WIPE_DISCARD || has_backing(q, cluster)))
		*new = ENTRY_ZERO;
	else if (!has_backing(q, cluster))
		*new = 0;
	return 0;
}

/*
 * Lock held. Up to @max clusters whose entries are together; returns how many, or a negative
 * errno.
 */
static s64 wipe_some(struct qcow2 *q, u64 first, u64 max, enum wipe wipe)
{
	u64 nr, i, *entries, new, old;
	bool change = false;
	struct page *page;
	int ret;

	for (;;) {
		ret = qcow2_entries(q, first, &entries, &nr, &page);
		if (ret)
			return ret;
		if (nr > max)
			nr = max;
		if (!q->allocations)
			break;
		/* Waiting lets go of the lock, so entries may move. */
		qcow2_wait_allocations(q, first, nr);
		ret = qcow2_entries(q, first, &entries, &i, &page);
		if (ret)
			return ret;
		if (i >= nr)
			break;
	}
	for (i = 0; i < nr && !change; i++) {
		old = entries ? be64toh(entries[i]) : 0;
		ret = wiped(q, first + i, old, wipe, &new);
		if (ret)
			return ret;
		change = new != old;
	}
	if (!change)
		return (s64)nr;
	ret = qcow2_entries_for_write(q, first, &entries, &i, &page);
	if (!ret && nr > i)
		nr = i;
	if (!ret)
		ret = qcow2_reserve_free(q, nr);
	if (ret)
		return ret;
	for (i = 0; i < nr; i++) {
		old = be64toh(entries[i]);
		ret = wiped(q, first + i, old, wipe, &new);
		if (ret)
			break;
		if (new == old)
			continue;
		entries[i] = htobe64(new);
		if (!(new & ENTRY_OFFSET))
			qcow2_free_entry(q, old, wipe != WIPE_ZERO);
	}
	qcow2_page_dirty(q, page);
	return ret ? ret : (s64)nr;
}

static int wipe_clusters(struct qcow2 *q, u64 first, u64 clusters, enum wipe wipe)
{
	while (clusters) {
		int ret = qcow2_prepare_change(q);
		s64 done;

		if (ret)
			return ret;
		qcow2_enter(q);
		pthread_mutex_lock(&q->lock);
		done = q->corrupt ? -EIO : wipe_some(q, first, clusters, wipe);
		pthread_mutex_unlock(&q->lock);
		qcow2_leave(q);
		if (done < 0)
			return (int)done;
		first += (u64)done;
		clusters -= (u64)done;
	}
	return 0;
}

/* Zeroes as data, unless they are there already. */
static int write_zero_bytes(struct qcow2 *q, u64 offset, u64 len)
{
	u64 room = len < ZERO_BYTES ? len : ZERO_BYTES;
	struct iovec iov;
	u8 *zeroes = qcow2_alloc_buffer(room);
	int ret = zeroes ? 0 : -ENOMEM;

	while (!ret && len) {
		struct mapping map;
		u64 n = len < room ? len : room;

		pthread_mutex_lock(&q->lock);
		ret = qcow2_lookup(q, offset, n, &map);
		pthread_mutex_unlock(&q->lock);
		if (ret)
			break;
		n = map.len;
		if (map.kind != ENTRY_PLAIN_ZERO && map.kind != ENTRY_ALLOC_ZERO &&
		    (map.kind != ENTRY_ABSENT ||
		     has_backing(q, offset >> q->cluster_bits))) {
			iov = (struct iovec){ zeroes, (size_t)n };
			ret = qcow2_writev(&q->blk, &iov, 1, offset);
		}
		offset += n;
		len -= n;
	}
	free(zeroes);
	return ret;
}

int qcow2_zero_range(struct qcow2 *q, u64 offset, u64 len, bool unmap)
{
	u64 end = offset + len, first = clusters_for(q, offset), last = end >> q->cluster_bits;
	u64 first_byte = first << q->cluster_bits, last_byte;
	int ret = 0;

	/* The rest of the disk's last cluster is nobody's. */
	if (end >= q->image_size && end & (q->cluster_size - 1))
		last++;
	last_byte = last << q->cluster_bits;
	if (first >= last)
		return write_zero_bytes(q, offset, len);
	if (offset < first_byte)
		ret = write_zero_bytes(q, offset, first_byte - offset);
	if (!ret && q->version < 3 && (q->blk.backing || !unmap))
		ret = write_zero_bytes(q, first_byte, (end < last_byte ? end : last_byte) -
				       first_byte);
	else if (!ret)
		ret = wipe_clusters(q, first, last - first, unmap ? WIPE_ZERO_UNMAP : WIPE_ZERO);
	if (!ret && last_byte < end)
		ret = write_zero_bytes(q, last_byte, end - last_byte);
	return ret;
}

int qcow2_write_zeroes(struct block *blk, u64 offset, u64 len, bool unmap)
{
	return qcow2_zero_range(to_qcow2(blk), offset, len, unmap);
}

int qcow2_discard(struct block *blk, u64 offset, u64 len)
{
	struct qcow2 *q = to_qcow2(blk);
	u64 first = clusters_for(q, offset), end = offset + len, last = end >> q->cluster_bits;

	if (end >= blk->size && end & (q->cluster_size - 1))
		last++;
	return first < last ? wipe_clusters(q, first, last - first, WIPE_DISCARD) : 0;
}
