// SPDX-License-Identifier: GPL-2.0
/*
 * Looking up and reading guest data, and who relies on the mapping while doing so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2_int.h"
#include "iov.h"

void qcow2_enter(struct qcow2 *q)
{
	pthread_mutex_lock(&q->lock);
	while (q->exclusive)
		pthread_cond_wait(&q->wake, &q->lock);
	q->users++;
	pthread_mutex_unlock(&q->lock);
}

void qcow2_leave(struct qcow2 *q)
{
	pthread_mutex_lock(&q->lock);
	if (!--q->users) {
		q->idle_seq++;
		if (q->exclusive)
			pthread_cond_broadcast(&q->wake);
	}
	pthread_mutex_unlock(&q->lock);
}

void qcow2_begin_exclusive(struct qcow2 *q)
{
	pthread_mutex_lock(&q->lock);
	while (q->exclusive)
		pthread_cond_wait(&q->wake, &q->lock);
	q->exclusive = true;
	while (q->users)
		pthread_cond_wait(&q->wake, &q->lock);
	pthread_mutex_unlock(&q->lock);
}

void qcow2_end_exclusive(struct qcow2 *q)
{
	pthread_mutex_lock(&q->lock);
	q->exclusive = false;
	pthread_cond_broadcast(&q->wake);
	pthread_mutex_unlock(&q->lock);
}

static int map_entry(struct qcow2 *q, u64 entry, struct mapping *map)
{
	int ret = qcow2_entry_kind(q, entry, &map->kind);

	if (ret)
		return qcow2_mark_corrupt(q, "an L2 entry that is not valid", entry);
	map->copied = entry & ENTRY_COPIED;
	map->host = map->kind == ENTRY_DATA || map->kind == ENTRY_ALLOC_ZERO ?
		    entry & ENTRY_OFFSET : 0;
	map->entry = entry;
	return 0;
}

/* Does @entry go on where @map, @bytes long up to here, ends? */
static bool continues(struct qcow2 *q, const struct mapping *map, u64 entry, u64 bytes)
{
	enum entry_kind kind;

	if (qcow2_entry_kind(q, entry, &kind) || kind != map->kind || kind == ENTRY_PACKED)
		return false;
	return kind != ENTRY_DATA || ((entry & ENTRY_OFFSET) == map->host + bytes &&
				      !!(entry & ENTRY_COPIED) == map->copied);
}

int qcow2_lookup(struct qcow2 *q, u64 offset, u64 len, struct mapping *map)
{
	u64 in_cluster = offset & (q->cluster_size - 1), nr, n = 1, bytes, *entries;
	struct page *page;
	int ret;

	memset(map, 0, sizeof(*map));
	ret = qcow2_entries(q, offset >> q->cluster_bits, &entries, &nr, &page);
	if (ret)
		return ret;
	if (entries) {
		ret = map_entry(q, be64toh(entries[0]), map);
		if (ret)
			return ret;
		while (n < nr && (n << q->cluster_bits) - in_cluster < len &&
		       continues(q, map, be64toh(entries[n]), n << q->cluster_bits))
			n++;
	} else {
		n = nr;
	}
	bytes = (n << q->cluster_bits) - in_cluster;
	map->len = bytes < len ? bytes : len;
	if (map->host)
		map->host += in_cluster;
	return 0;
}

/* Part of the caller's buffers; on the heap when there are many. */
struct part {
	struct iovec few[16], *iov;
	unsigned int nr;
};

static int take_part(struct part *part, const struct iovec *iov, unsigned int nr, u64 offset,
		     u64 len)
{
	part->iov = nr <= ARRAY_SIZE(part->few) ? part->few : calloc(nr, sizeof(*iov));
	if (!part->iov)
		return -ENOMEM;
	part->nr = iov_slice(iov, nr, offset, len, part->iov);
	return 0;
}

static void drop_part(struct part *part)
{
	if (part->iov != part->few)
		free(part->iov);
}

static int read_packed(struct qcow2 *q, const struct iovec *iov, unsigned int nr, u64 at,
		       u64 offset, const struct mapping *map)
{
	u8 *cluster = qcow2_alloc_buffer(q->cluster_size);
	int ret = cluster ? qcow2_read_packed(q, map->entry, cluster) : -ENOMEM;

	if (!ret)
		iov_write(iov, nr, at, cluster + (offset & (q->cluster_size - 1)),
			  (size_t)map->len);
	free(cluster);
	return ret;
}

/* Read @map->len bytes of the disk at @offset to the buffers' byte @at. */
static int read_mapping(struct qcow2 *q, const struct iovec *iov, unsigned int nr, u64 at,
			u64 offset, const struct mapping *map, u64 file_size)
{
	u64 there = map->len;
	struct part part;
	int ret;

	switch (map->kind) {
	case ENTRY_PLAIN_ZERO:
	case ENTRY_ALLOC_ZERO:
		iov_zero(iov, nr, at, map->len);
		return 0;
	case ENTRY_PACKED:
		return read_packed(q, iov, nr, at, offset, map);
	default:
		break;
	}
	/* A cluster that the file does not fully reach to goes on with zeroes. */
	if (map->kind == ENTRY_DATA && map->host + there > file_size)
		there = map->host < file_size ? file_size - map->host : 0;
	iov_zero(iov, nr, at + there, map->len - there);
	if (!there)
		return 0;
	ret = take_part(&part, iov, nr, at, there);
	if (ret)
		return ret;
	ret = map->kind == ENTRY_DATA ?
	      host_file_readv(q->file, part.iov, part.nr, map->host) :
	      block_read_backing(&q->blk, part.iov, part.nr, offset);
	drop_part(&part);
	return ret;
}

static int read_all(struct qcow2 *q, const struct iovec *iov, unsigned int nr, u64 offset, u64 len)
{
	u64 done = 0, file_size;
	struct mapping map;
	int ret;

	while (done < len) {
		pthread_mutex_lock(&q->lock);
		ret = qcow2_lookup(q, offset + done, len - done, &map);
		file_size = q->file_size;
		pthread_mutex_unlock(&q->lock);
		if (!ret)
			ret = read_mapping(q, iov, nr, done, offset + done, &map, file_size);
		if (ret)
			return ret;
		done += map.len;
	}
	return 0;
}

int qcow2_read_range(struct qcow2 *q, void *buf, u64 len, u64 offset)
{
	struct iovec iov = { buf, (size_t)len };
	u64 below = offset < q->image_size ? q->image_size - offset : 0;

	if (below >= len)
		return read_all(q, &iov, 1, offset, len);
	memset((u8 *)buf + below, 0, (size_t)(len - below));
	return below ? read_all(q, &iov, 1, offset, below) : 0;
}

int qcow2_readv(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	struct qcow2 *q = to_qcow2(blk);
	int ret;

	qcow2_enter(q);
	ret = read_all(q, iov, nr, offset, iov_len(iov, nr));
	qcow2_leave(q);
	return ret;
}
