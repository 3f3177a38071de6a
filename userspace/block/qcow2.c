// SPDX-License-Identifier: GPL-2.0
/*
 * A qcow2 image as a whole: opening and closing it, its tables in memory, and what it offers to the
 * block layer.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2_int.h"
#include "report.h"

static int load_table(struct qcow2 *q, struct table *t)
{
	u64 bytes = table_bytes(t), i;
	u64 *disk = qcow2_alloc_buffer(bytes);
	int ret;

	free(t->entries);
	free(t->dirty);
	t->nr_dirty = 0;
	t->entries = calloc(t->size ? t->size : 1, sizeof(u64));
	t->dirty = calloc(bytes / q->page_size + 1, sizeof(bool));
	ret = disk && t->entries && t->dirty ? 0 : -ENOMEM;
	if (!ret && bytes)
		ret = host_file_read(q->file, disk, bytes, t->offset);
	for (i = 0; !ret && i < t->size; i++)
		t->entries[i] = be64toh(disk[i]);
	if (ret)
		t->size = 0;
	free(disk);
	return ret;
}

static int add_tables_of(struct qcow2 *q, const struct table *t, u64 mask, enum meta_type type)
{
	u32 i;
	int ret = 0;

	for (i = 0; !ret && i < t->size; i++) {
		u64 offset = t->entries[i] & mask;

		if (offset & (q->cluster_size - 1) || offset >= MAX_HOST_OFFSET)
			ret = -EIO;
		else if (offset)
			ret = qcow2_meta_add(q, offset, 1, type);
	}
	return ret;
}

/* -EIO: two tables share a cluster, or are not aligned. */
static int collect_meta(struct qcow2 *q)
{
	unsigned int i;
	int ret;

	free(q->meta);
	q->meta = NULL;
	q->meta_room = q->meta_used = 0;
	ret = qcow2_meta_add(q, 0, 1, META_HEADER);
	if (!ret && q->l1.size)
		ret = qcow2_meta_add(q, q->l1.offset, table_bytes(&q->l1), META_L1);
	if (!ret)
		ret = qcow2_meta_add(q, q->reftable.offset, table_bytes(&q->reftable),
				     META_REFTABLE);
	if (!ret && q->nr_snapshots)
		ret = qcow2_meta_add(q, q->snapshots_offset, q->snapshots_bytes, META_SNAPSHOTS);
	for (i = 0; !ret && i < q->nr_snapshots; i++)
		ret = qcow2_meta_add(q, q->snapshots[i].l1_offset,
				     q->snapshots[i].l1_size * sizeof(u64), META_SNAPSHOT_L1);
	if (!ret)
		ret = add_tables_of(q, &q->reftable, ~REFTABLE_RESERVED, META_REFBLOCK);
	if (!ret)
		ret = add_tables_of(q, &q->l1, ENTRY_OFFSET, META_L2);
	return ret;
}

static int cannot_read(const struct qcow2 *q, const char *what, int ret)
{
	report("disk %s: cannot read its %s: %s", q->file->path, what, strerror(-ret));
	return ret;
}

int qcow2_load_tables(struct qcow2 *q)
{
	int ret = load_table(q, &q->l1);

	qcow2_forget_all_pages(q);
	if (ret)
		return cannot_read(q, "L1 table", ret);
	ret = load_table(q, &q->reftable);
	if (ret)
		return cannot_read(q, "refcount table", ret);
	ret = qcow2_load_snapshots(q);
	if (ret)
		return cannot_read(q, "snapshot table", ret);
	ret = collect_meta(q);
	if (ret == -EIO) {
		/* Readable, perhaps; a check finds out what is wrong. */
		q->corrupt = true;
		ret = 0;
	}
	q->free_hint = 0;
	q->compress_next = 0;
	return ret;
}

struct qcow2 *qcow2_new(struct host_file *file)
{
	struct qcow2 *q = calloc(1, sizeof(*q));

	if (!q)
		return NULL;
	q->head = qcow2_alloc_buffer(SECTOR_SIZE);
	if (!q->head) {
		free(q);
		return NULL;
	}
	q->file = file;
	q->blk.format = &block_qcow2;
	q->blk.file = file;
	q->blk.align = file->align;
	q->lru.newer = q->lru.older = &q->lru;
	pthread_mutex_init(&q->flush_lock, NULL);
	pthread_mutex_init(&q->lock, NULL);
	pthread_cond_init(&q->wake, NULL);
	return q;
}

void qcow2_delete(struct qcow2 *q)
{
	qcow2_forget_all_pages(q);
	free(q->buckets);
	free(q->l1.entries);
	free(q->l1.dirty);
	free(q->reftable.entries);
	free(q->reftable.dirty);
	free(q->meta);
	free(q->head);
	qcow2_drop_snapshots(q->snapshots, q->nr_snapshots);
	qcow2_free_drop(q);
	pthread_cond_destroy(&q->wake);
	pthread_mutex_destroy(&q->lock);
	pthread_mutex_destroy(&q->flush_lock);
	host_file_close(q->file);
	free(q);
}

/* What an image that is opened for writing needs beside its tables. */
static int prepare_writing(struct qcow2 *q)
{
	int ret;

	q->zero_from = q->file->is_device ? UINT64_MAX :
		       clusters_for(q, q->file_size) << q->cluster_bits;
	q->corrupt |= !!(q->incompat & INCOMPAT_CORRUPT);
	if (q->check_only)
		return 0;
	if (q->corrupt)
		return report("disk %s: is damaged; it can be read, or repaired by "
			      "'mkvm img check -r all'", q->file->path);
	if (!(q->incompat & INCOMPAT_DIRTY))
		return 0;
	report("disk %s: was not closed; its refcounts are worked out again", q->file->path);
	ret = qcow2_prepare_change(q);
	return ret ? report("disk %s: cannot be repaired; see 'mkvm img check'",
			    q->file->path) : 0;
}

static struct block *qcow2_open(struct host_file *file, const struct block_options *opts,
				char **backing_path, char **backing_format)
{
	struct qcow2 *q = qcow2_new(file);
	int ret;

	if (!q) {
		report("disk %s: out of memory", file->path);
		host_file_close(file);
		return NULL;
	}
	q->blk.readonly = opts->readonly;
	q->check_only = opts->no_backing;
	if (qcow2_parse_header(q, backing_path, backing_format)) {
		qcow2_delete(q);
		return NULL;
	}
	q->blk.size = q->image_size & ~(u64)(SECTOR_SIZE - 1);
	q->blk.cluster_size = q->cluster_size;
	ret = qcow2_cache_init(q);
	if (ret)
		report("disk %s: out of memory", file->path);
	if (ret || qcow2_load_tables(q) || (!opts->readonly && prepare_writing(q))) {
		qcow2_delete(q);
		return NULL;
	}
	return &q->blk;
}

static bool qcow2_probe(const void *head, size_t len)
{
	const u8 *h = head;

	return len >= 8 && get_be32(h) == QCOW2_MAGIC && get_be32(h + H_VERSION) >= 2;
}

static int qcow2_flush(struct block *blk)
{
	return qcow2_sync(to_qcow2(blk), false);
}

int qcow2_finish(struct qcow2 *q)
{
	/* The second time for the refcounts of what the first one has freed. */
	int ret = qcow2_sync(q, true);

	if (!ret)
		ret = qcow2_sync(q, true);
	pthread_mutex_lock(&q->lock);
	if (!ret && !q->corrupt && q->incompat & INCOMPAT_DIRTY)
		ret = qcow2_set_dirty(q, false);
	/* Take back what the file has grown ahead. */
	if (!q->file->is_device && q->zero_from < q->file_size)
		(void)host_file_truncate(q->file, q->zero_from);
	pthread_mutex_unlock(&q->lock);
	return ret;
}

static void qcow2_close(struct block *blk)
{
	struct qcow2 *q = to_qcow2(blk);
	int ret = blk->readonly || !q->writable_checked ? 0 : qcow2_finish(q);

	if (ret)
		report("disk %s: cannot write its metadata: %s", q->file->path, strerror(-ret));
	qcow2_delete(q);
}

static void qcow2_hold(struct block *blk)
{
	qcow2_enter(to_qcow2(blk));
	host_file_hold(to_qcow2(blk)->file);
}

static void qcow2_release(struct block *blk)
{
	host_file_release(to_qcow2(blk)->file);
	qcow2_leave(to_qcow2(blk));
}

static int qcow2_map(struct block *blk, u64 offset, u64 len, bool write, struct block_extent *ext)
{
	struct qcow2 *q = to_qcow2(blk);
	struct mapping map = { .kind = ENTRY_ABSENT };
	int ret;

	pthread_mutex_lock(&q->lock);
	/* The first write prepares the image and goes through qcow2_writev(). */
	ret = write && (q->corrupt || !q->writable_checked) ? -EOPNOTSUPP : 0;
	if (!ret)
		ret = qcow2_lookup(q, offset, len, &map);
	ext->len = map.len;
	switch (ret ? ENTRY_ABSENT : map.kind) {
	case ENTRY_DATA:
		ext->kind = BLOCK_DATA;
		ext->host_offset = map.host;
		ext->fd = q->file->fd;
		/* Not behind the end of the file, where a transfer would be short. */
		if (map.host >= q->file_size)
			ret = -EOPNOTSUPP;
		else if (ext->len > q->file_size - map.host)
			ext->len = q->file_size - map.host;
		if (!ret && write && map.host + ext->len > q->zero_from)
			ret = -EOPNOTSUPP;
		if (!ret && write)
			ret = map.copied ? qcow2_check_write(q, map.host, ext->len, META_NONE) :
					   -EOPNOTSUPP;
		break;
	case ENTRY_PLAIN_ZERO:
	case ENTRY_ALLOC_ZERO:
		ext->kind = BLOCK_ZERO;
		break;
	case ENTRY_PACKED:
		ext->kind = BLOCK_COMPRESSED;
		break;
	default:
		ext->kind = BLOCK_ABSENT;
	}
	pthread_mutex_unlock(&q->lock);
	return ret;
}

const struct block_format block_qcow2 = {
	.name = "qcow2",
	.probe = qcow2_probe,
	.open = qcow2_open,
	.create = qcow2_create,
	.close = qcow2_close,
	.readv = qcow2_readv,
	.writev = qcow2_writev,
	.write_zeroes = qcow2_write_zeroes,
	.discard = qcow2_discard,
	.write_compressed = qcow2_write_compressed,
	.flush = qcow2_flush,
	.map = qcow2_map,
	.hold = qcow2_hold,
	.release = qcow2_release,
	.resize = qcow2_resize,
	.check = qcow2_check,
	.info = qcow2_info,
};
