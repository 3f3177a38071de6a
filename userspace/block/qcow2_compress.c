// SPDX-License-Identifier: GPL-2.0
/*
 * Compressed clusters: raw deflate or zstd, packed into host clusters without regard to their
 * borders. qcow2 specification, "Compressed Clusters Descriptor".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>
#include <zstd.h>

#include "block/qcow2_int.h"

#define DEFLATE_WINDOW_BITS	12	/* what QEMU reads */

static int inflate_cluster(const u8 *in, size_t in_len, u8 *out, size_t out_len)
{
	z_stream z = {
		.next_in = (u8 *)(uintptr_t)in, .avail_in = (uInt)in_len,
		.next_out = out, .avail_out = (uInt)out_len,
	};
	int ret;

	if (inflateInit2(&z, -MAX_WBITS) != Z_OK)
		return -ENOMEM;
	ret = inflate(&z, Z_FINISH);
	inflateEnd(&z);
	/* What follows in the last sector is not ours, so the end of the output is the end. */
	return (ret == Z_STREAM_END || ret == Z_BUF_ERROR) && !z.avail_out ? 0 : -EIO;
}

static int unzstd_cluster(const u8 *in, size_t in_len, u8 *out, size_t out_len)
{
	ZSTD_inBuffer from = { in, in_len, 0 };
	ZSTD_outBuffer to = { out, out_len, 0 };
	ZSTD_DStream *stream = ZSTD_createDStream();
	int ret = stream ? 0 : -ENOMEM;

	while (!ret && to.pos < to.size) {
		size_t in_before = from.pos, out_before = to.pos;
		size_t left = ZSTD_decompressStream(stream, &to, &from);

		if (ZSTD_isError(left) || (from.pos == in_before && to.pos == out_before))
			ret = -EIO;
	}
	ZSTD_freeDStream(stream);
	return ret;
}

int qcow2_read_packed(struct qcow2 *q, u64 entry, u8 *cluster)
{
	u64 offset, len, size;
	u8 *packed;
	int ret;

	qcow2_packed_range(q, entry, &offset, &len);
	pthread_mutex_lock(&q->lock);
	size = q->file_size;
	pthread_mutex_unlock(&q->lock);
	if (offset >= size)
		return -EIO;
	if (len > size - offset)
		len = size - offset;
	packed = qcow2_alloc_buffer(len);
	ret = packed ? host_file_read(q->file, packed, len, offset) : -ENOMEM;
	if (!ret)
		ret = q->compression ? unzstd_cluster(packed, len, cluster, q->cluster_size) :
				       inflate_cluster(packed, len, cluster, q->cluster_size);
	free(packed);
	return ret;
}

/* Bytes of @out that hold the cluster; 0: it does not become smaller. */
static size_t pack_cluster(const struct qcow2 *q, const u8 *in, u8 *out)
{
	size_t room = q->cluster_size - 1, n;
	z_stream z = {
		.next_in = (u8 *)(uintptr_t)in, .avail_in = q->cluster_size,
		.next_out = out, .avail_out = (uInt)room,
	};
	int ret;

	if (q->compression) {
		n = ZSTD_compress(out, room, in, q->cluster_size, ZSTD_CLEVEL_DEFAULT);
		return ZSTD_isError(n) ? 0 : n;
	}
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, -DEFLATE_WINDOW_BITS, 9,
			 Z_DEFAULT_STRATEGY) != Z_OK)
		return 0;
	ret = deflate(&z, Z_FINISH);
	deflateEnd(&z);
	return ret == Z_STREAM_END ? room - z.avail_out : 0;
}

static int add_reference(struct qcow2 *q, u64 cluster, s64 change)
{
	u64 count;
	int ret = qcow2_refcount(q, cluster, &count);

	return ret ? ret : qcow2_set_refcount(q, cluster, count + (u64)change);
}

/* Lock held. Room for @len bytes behind the last compressed cluster, or in a new host cluster. */
static int alloc_packed(struct qcow2 *q, size_t len, u64 *offset)
{
	u64 partial = q->compress_next >> q->cluster_bits, count = 0, first = 0;
	u64 room = q->cluster_size - (q->compress_next & (q->cluster_size - 1));
	bool share = q->compress_next;
	s64 got;
	int ret;

	if (share && (qcow2_refcount(q, partial, &count) || !count ||
		      count >= qcow2_max_refcount(q)))
		share = false;
	if (!share || room < len) {
		got = qcow2_alloc(q, 1, 1, &first);
		if (got < 0)
			return (int)got;
		if (share && first != partial + 1)
			share = false;
	}
	if (share) {
		ret = add_reference(q, partial, 1);
		if (ret && room < len)
			qcow2_undo_alloc(q, first, 1);
		if (ret)
			return ret;
	}
	*offset = share ? q->compress_next : first << q->cluster_bits;
	q->compress_next = (*offset + len) & (q->cluster_size - 1) ? *offset + len : 0;
	return 0;
}

static void undo_packed(struct qcow2 *q, u64 offset, size_t len)
{
	u64 cluster = offset >> q->cluster_bits, end = (offset + len - 1) >> q->cluster_bits;

	for (; cluster <= end; cluster++)
		(void)add_reference(q, cluster, -1);
}

/* Lock held. */
static int link_packed(struct qcow2 *q, u64 cluster, u64 offset, size_t len)
{
	unsigned int x = 62 - (q->cluster_bits - 8);
	u64 sectors = ((offset + len - 1) >> 9) - (offset >> 9), nr, *entries, old;
	struct page *page;
	int ret = offset >> x ? -EFBIG : qcow2_reserve_free(q, 1);

	if (!ret)
		ret = qcow2_entries_for_write(q, cluster, &entries, &nr, &page);
	if (ret)
		return ret;
	old = be64toh(entries[0]);
	entries[0] = htobe64(offset | sectors << x | ENTRY_COMPRESSED);
	qcow2_page_dirty(q, page);
	qcow2_free_entry(q, old, false);
	return 0;
}

static int store_packed(struct qcow2 *q, u64 cluster, const u8 *packed, size_t len)
{
	struct allocation a;
	u64 offset = 0;
	int ret;

	qcow2_enter(q);
	pthread_mutex_lock(&q->lock);
	qcow2_wait_allocations(q, cluster, 1);
	ret = q->corrupt ? -EIO : alloc_packed(q, len, &offset);
	if (ret)
		goto out;
	qcow2_begin_allocation(q, &a, cluster, 1);
	ret = qcow2_check_write(q, offset, len, META_NONE);
	if (!ret) {
		pthread_mutex_unlock(&q->lock);
		ret = host_file_write(q->file, packed, len, offset);
		pthread_mutex_lock(&q->lock);
	}
	if (!ret)
		ret = link_packed(q, cluster, offset, len);
	if (ret)
		undo_packed(q, offset, len);
	qcow2_end_allocation(q, &a);
out:
	pthread_mutex_unlock(&q->lock);
	qcow2_leave(q);
	return ret;
}

int qcow2_write_compressed(struct block *blk, const void *buf, size_t len, u64 offset)
{
	struct qcow2 *q = to_qcow2(blk);
	u8 *in = NULL, *out = NULL;
	struct iovec iov = { (void *)(uintptr_t)buf, len };
	size_t packed = 0;
	int ret;

	if (offset & (q->cluster_size - 1) || len > q->cluster_size ||
	    (len < q->cluster_size && offset + len != blk->size))
		return -EINVAL;
	ret = qcow2_prepare_change(q);
	if (ret)
		return ret;
	in = qcow2_alloc_buffer(q->cluster_size);
	out = qcow2_alloc_buffer(q->cluster_size);
	if (!in || !out) {
		ret = -ENOMEM;
		goto out;
	}
	memcpy(in, buf, len);
	packed = pack_cluster(q, in, out);
	ret = packed ? store_packed(q, offset >> q->cluster_bits, out, packed) :
		       qcow2_writev(blk, &iov, 1, offset);
out:
	free(in);
	free(out);
	return ret;
}
