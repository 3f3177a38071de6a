// SPDX-License-Identifier: GPL-2.0
/*
 * Writing guest data: in place where a cluster is the image's alone, else to new clusters, together
 * with what the guest does not write of them.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2_int.h"
#include "iov.h"

#define MAX_RUN_BYTES	(16U << 20)	/* allocated and written at once */

/**
 * struct write - a part of a request that goes to one place
 * @iov: the request's buffers, @nr of them; @at: where in them the part begins
 * @offset: on the disk
 * @len: bytes
 * @host: where it goes in the file, clusters and all: the place of @offset
 * @first: host cluster of a new run
 * @clusters: its clusters; 0: the part is written in place
 * @fresh: the new clusters read as zeroes
 * @reuse: the cluster is the image's already, but marked as zeroes
 */
struct write {
	const struct iovec *iov;
	unsigned int nr;
	u64 at, offset, len, host;
	u64 first, clusters;
	bool fresh, reuse;
};

void qcow2_wait_allocations(struct qcow2 *q, u64 first, u64 clusters)
{
	struct allocation *a = q->allocations;

	while (a) {
		if (a->first < first + clusters && first < a->first + a->clusters) {
			pthread_cond_wait(&q->wake, &q->lock);
			a = q->allocations;
		} else {
			a = a->next;
		}
	}
}

void qcow2_begin_allocation(struct qcow2 *q, struct allocation *a, u64 first, u64 clusters)
{
	a->first = first;
	a->clusters = clusters;
	a->next = q->allocations;
	q->allocations = a;
}

void qcow2_end_allocation(struct qcow2 *q, struct allocation *a)
{
	struct allocation **link = &q->allocations;

	while (*link != a)
		link = &(*link)->next;
	*link = a->next;
	pthread_cond_broadcast(&q->wake);
}

/* Clusters from @first on, up to @max, that no other write is about to map. */
static u64 without_conflict(struct qcow2 *q, u64 first, u64 max)
{
	const struct allocation *a;

	for (a = q->allocations; a; a = a->next) {
		if (a->first < first + max && first < a->first + a->clusters)
			max = a->first > first ? a->first - first : 0;
	}
	return max;
}

static bool in_place(u64 entry, enum entry_kind kind)
{
	return kind == ENTRY_DATA && entry & ENTRY_COPIED;
}

static bool reusable(u64 entry, enum entry_kind kind)
{
	return kind == ENTRY_ALLOC_ZERO && entry & ENTRY_COPIED;
}

/* How many entries from the first one on need new clusters; 0 and -EIO as they come. */
static int count_new(struct qcow2 *q, const u64 *entries, u64 max, u64 *nr)
{
	enum entry_kind kind;
	int ret;

	for (*nr = 0; *nr < max; ++*nr) {
		u64 entry = entries ? be64toh(entries[*nr]) : 0;

		ret = qcow2_entry_kind(q, entry, &kind);
		if (ret)
			return qcow2_mark_corrupt(q, "an L2 entry that is not valid", entry);
		if (in_place(entry, kind) || reusable(entry, kind))
			break;
	}
	return 0;
}

/*
 * May guest data go to a cluster that the image already had? The file may end in it, but not before
 * it: else a wild entry would make the file as large as can be.
 */
static int check_place(struct qcow2 *q, u64 host, u64 len)
{
	u64 end = clusters_for(q, q->file_size) << q->cluster_bits;
	int ret;

	if (host >= end || len > end - host)
		return qcow2_mark_corrupt(q, "a guest cluster outside the file", host);
	ret = qcow2_check_write(q, host, len, META_NONE);
	return ret ? ret : qcow2_grow_file(q, host + len);
}

/* Lock held. Decide where the beginning of the part goes; shorten it to what goes there. */
static int place(struct qcow2 *q, struct write *w, struct allocation *a)
{
	u64 cluster = w->offset >> q->cluster_bits, in_cluster = w->offset & (q->cluster_size - 1);
	u64 nr, *entries, want, zero_from;
	struct mapping map;
	struct page *page;
	s64 got;
	int ret;

	for (;;) {
		ret = qcow2_lookup(q, w->offset, w->len, &map);
		if (ret)
			return ret;
		if (map.kind == ENTRY_DATA && map.copied) {
			w->len = map.len;
			w->host = map.host;
			w->clusters = 0;
			return check_place(q, w->host, w->len);
		}
		if (without_conflict(q, cluster, 1))
			break;
		pthread_cond_wait(&q->wake, &q->lock);
		if (q->corrupt)
			return -EIO;
	}
	ret = qcow2_entries_for_write(q, cluster, &entries, &nr, &page);
	if (ret)
		return ret;
	want = clusters_for(q, in_cluster + w->len);
	if (want > nr)
		want = nr;
	if (want > MAX_RUN_BYTES >> q->cluster_bits && MAX_RUN_BYTES >> q->cluster_bits)
		want = MAX_RUN_BYTES >> q->cluster_bits;
	want = without_conflict(q, cluster, want);
	w->reuse = reusable(be64toh(entries[0]), map.kind);
	if (w->reuse) {
		w->first = (be64toh(entries[0]) & ENTRY_OFFSET) >> q->cluster_bits;
		w->clusters = 1;
		w->fresh = false;
		ret = check_place(q, w->first << q->cluster_bits, q->cluster_size);
	} else {
		ret = count_new(q, entries, want, &want);
		if (!ret)
			ret = qcow2_reserve_free(q, want);
		if (ret)
			return ret;
		zero_from = q->zero_from;
		got = qcow2_alloc(q, want, 1, &w->first);
		if (got < 0)
			return (int)got;
		w->clusters = (u64)got;
		w->fresh = w->first << q->cluster_bits >= zero_from;
	}
	if (ret)
		return ret;
	if (w->len > (w->clusters << q->cluster_bits) - in_cluster)
		w->len = (w->clusters << q->cluster_bits) - in_cluster;
	w->host = (w->first << q->cluster_bits) + in_cluster;
	qcow2_begin_allocation(q, a, cluster, w->clusters);
	return 0;
}

/* Is there nothing but zeroes at these bytes, as far as this image alone can tell? */
static int is_zero(struct qcow2 *q, u64 offset, u64 len, bool *zero)
{
	struct mapping map;
	int ret;

	pthread_mutex_lock(&q->lock);
	ret = qcow2_lookup(q, offset, len, &map);
	pthread_mutex_unlock(&q->lock);
	*zero = map.kind == ENTRY_PLAIN_ZERO || map.kind == ENTRY_ALLOC_ZERO ||
		(map.kind == ENTRY_ABSENT &&
		 (!q->blk.backing || offset >= q->blk.backing->size));
	return ret;
}

/* The rest of a cluster: NULL where nothing has to be written. */
static int copy_rest(struct qcow2 *q, const struct write *w, u64 offset, u64 len, u8 **buf)
{
	bool zero;
	int ret = 0;

	*buf = NULL;
	if (!len)
		return 0;
	ret = is_zero(q, offset, len, &zero);
	if (ret || (zero && w->fresh))
		return ret;
	*buf = qcow2_alloc_buffer(len);
	if (!*buf)
		return -ENOMEM;
	return zero ? 0 : qcow2_read_range(q, *buf, len, offset);
}

/* Lock free. Write the part, and around it what makes its first and last cluster whole. */
static int transfer(struct qcow2 *q, const struct write *w)
{
	u64 head = w->clusters ? w->offset & (q->cluster_size - 1) : 0, tail = 0, host = w->host;
	u8 *before = NULL, *after = NULL;
	struct iovec *iov;
	unsigned int nr = 0;
	int ret;

	if (w->clusters)
		tail = (w->clusters << q->cluster_bits) - head - w->len;
	iov = calloc(w->nr + 2, sizeof(*iov));
	ret = iov ? 0 : -ENOMEM;
	if (!ret)
		ret = copy_rest(q, w, w->offset - head, head, &before);
	if (!ret)
		ret = copy_rest(q, w, w->offset + w->len, tail, &after);
	if (!ret) {
		if (before) {
			iov[nr++] = (struct iovec){ before, (size_t)head };
			host -= head;
		}
		nr += iov_slice(w->iov, w->nr, w->at, w->len, iov + nr);
		if (after)
			iov[nr++] = (struct iovec){ after, (size_t)tail };
		ret = host_file_writev(q->file, iov, nr, host);
	}
	free(before);
	free(after);
	free(iov);
	return ret;
}

/* Lock held. The clusters are written: let the guest see them. */
static int link_run(struct qcow2 *q, const struct write *w)
{
	u64 i, nr, *entries;
	struct page *page;
	int ret;

	ret = qcow2_reserve_free(q, w->clusters);
	if (!ret)
		ret = qcow2_entries_for_write(q, w->offset >> q->cluster_bits, &entries, &nr,
					      &page);
	if (ret)
		return ret;
	for (i = 0; i < w->clusters; i++) {
		u64 old = be64toh(entries[i]);

		entries[i] = htobe64(((w->first + i) << q->cluster_bits) | ENTRY_COPIED);
		if (!w->reuse)
			qcow2_free_entry(q, old, false);
	}
	qcow2_page_dirty(q, page);
	return 0;
}

static int write_part(struct qcow2 *q, struct write *w)
{
	struct allocation a;
	int ret;

	pthread_mutex_lock(&q->lock);
	ret = q->corrupt ? -EIO : place(q, w, &a);
	pthread_mutex_unlock(&q->lock);
	if (ret)
		return ret;
	ret = transfer(q, w);
	if (!w->clusters)
		return ret;
	pthread_mutex_lock(&q->lock);
	if (!ret)
		ret = link_run(q, w);
	if (ret && !w->reuse)
		qcow2_undo_alloc(q, w->first, w->clusters);
	qcow2_end_allocation(q, &a);
	pthread_mutex_unlock(&q->lock);
	return ret;
}

int qcow2_writev(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	struct qcow2 *q = to_qcow2(blk);
	u64 len = iov_len(iov, nr), done = 0;
	int ret = qcow2_prepare_change(q);

	if (ret)
		return ret;
	qcow2_enter(q);
	while (!ret && done < len) {
		struct write w = {
			.iov = iov, .nr = nr, .at = done,
			.offset = offset + done, .len = len - done,
		};

		ret = write_part(q, &w);
		done += w.len;
	}
	qcow2_leave(q);
	return ret;
}
