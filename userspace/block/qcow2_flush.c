// SPDX-License-Identifier: GPL-2.0
/*
 * Writes cached metadata in the order that keeps the image consistent (see qcow2_int.h).
 *
 * What is dirty is copied with the lock held and written from the copies without it, so that other
 * transfers go on meanwhile; the pages stay in the cache until their copies are in the file. One
 * flush at a time (flush_lock): no older copy can follow a newer one.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2_int.h"

/**
 * struct copy - a page of metadata on its way to the file
 * @page: of the cache, pinned; or NULL: page @index of @table
 */
struct copy {
	struct page *page;
	struct table *table;
	u32 index;
	u64 offset;
	u8 *data;
};

struct batch {
	struct copy *copies;
	size_t nr, done;
	u8 *data;
};

void qcow2_table_dirty(struct qcow2 *q, struct table *t, u32 index)
{
	size_t page = index / (q->page_size / sizeof(u64));

	t->nr_dirty += !t->dirty[page];
	t->dirty[page] = true;
}

static void copy_table_page(struct qcow2 *q, struct table *t, u32 index, struct copy *copy)
{
	u32 per_page = q->page_size / (u32)sizeof(u64), i;
	u64 *disk = (u64 *)(void *)copy->data;

	for (i = 0; i < per_page && index * per_page + i < t->size; i++)
		disk[i] = htobe64(t->entries[index * per_page + i]);
	t->dirty[index] = false;
	t->nr_dirty--;
	copy->table = t;
	copy->index = index;
	copy->offset = t->offset + (u64)index * q->page_size;
}

/* Copy all that is dirty of a kind, and mark it clean. */
static int gather(struct qcow2 *q, struct batch *b, enum meta_type type, struct table *t)
{
	size_t room = type == META_L2 ? q->nr_dirty_l2 : q->nr_dirty_refs, n = 0;
	struct page *page;
	u32 i;

	memset(b, 0, sizeof(*b));
	if (t)
		room = t->nr_dirty;
	if (!room)
		return 0;
	b->copies = calloc(room, sizeof(*b->copies));
	b->data = qcow2_alloc_buffer(room * q->page_size);
	if (!b->copies || !b->data) {
		free(b->copies);
		free(b->data);
		memset(b, 0, sizeof(*b));
		return -ENOMEM;
	}
	for (n = 0; n < room; n++)
		b->copies[n].data = b->data + n * q->page_size;
	n = 0;
	for (i = 0; t && t->nr_dirty; i++) {
		if (t->dirty[i])
			copy_table_page(q, t, i, &b->copies[n++]);
	}
	for (page = q->lru.newer; !t && page != &q->lru; page = page->newer) {
		if (!page->dirty || page->type != type)
			continue;
		memcpy(b->copies[n].data, page->data, q->page_size);
		b->copies[n].page = page;
		b->copies[n++].offset = page->offset;
		page->dirty = false;
		page->pins++;
	}
	b->nr = n;
	if (type == META_L2 && !t)
		q->nr_dirty_l2 = 0;
	else if (!t)
		q->nr_dirty_refs = 0;
	return 0;
}

static int write_batch(struct qcow2 *q, struct batch *b)
{
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < b->nr; i++)
		ret = host_file_write(q->file, b->copies[i].data, q->page_size,
				      b->copies[i].offset);
	return ret;
}

/* Done with the copies; if they are not all stable in the file, everything is dirty again. */
static void end_batch(struct qcow2 *q, struct batch *b, bool stable)
{
	size_t i;

	for (i = 0; i < b->nr; i++) {
		struct copy *c = &b->copies[i];

		if (c->page)
			c->page->pins--;
		if (c->page && !stable)
			qcow2_page_dirty(q, c->page);
		/* A table that has moved meanwhile was written as a whole. */
		if (c->table && !stable && c->offset >= c->table->offset &&
		    c->offset < c->table->offset + table_bytes(c->table))
			qcow2_table_dirty(q, c->table,
					  c->index * (q->page_size / (u32)sizeof(u64)));
	}
	free(b->copies);
	free(b->data);
}

/* The copies of a flush, and the check that each goes where metadata of its kind is. */
struct flush {
	struct batch refs, reftable, l2, l1;
};

static int check_batch(struct qcow2 *q, const struct batch *b, enum meta_type type)
{
	size_t i;
	int ret = 0;

	for (i = 0; !ret && i < b->nr; i++)
		ret = qcow2_check_write(q, b->copies[i].offset, q->page_size, type);
	return ret;
}

static int begin(struct qcow2 *q, struct flush *f, bool all)
{
	/* A lazy image is repaired after a crash: its counts may wait, but not its table. */
	bool refs = all || !(q->incompat & INCOMPAT_DIRTY) || q->reftable.nr_dirty;
	int ret;

	memset(f, 0, sizeof(*f));
	ret = qcow2_free_merge(&q->flushing, &q->pending);
	if (!ret && refs)
		ret = gather(q, &f->refs, META_REFBLOCK, NULL);
	if (!ret)
		ret = gather(q, &f->reftable, META_REFTABLE, &q->reftable);
	if (!ret)
		ret = gather(q, &f->l2, META_L2, NULL);
	if (!ret)
		ret = gather(q, &f->l1, META_L1, &q->l1);
	if (!ret)
		ret = check_batch(q, &f->refs, META_REFBLOCK);
	if (!ret)
		ret = check_batch(q, &f->reftable, META_REFTABLE);
	if (!ret)
		ret = check_batch(q, &f->l2, META_L2);
	if (!ret)
		ret = check_batch(q, &f->l1, META_L1);
	return ret;
}

/* Without the lock. */
static int write_in_order(struct qcow2 *q, struct flush *f)
{
	int ret = write_batch(q, &f->refs);

	if (!ret && f->reftable.nr)
		ret = host_file_flush(q->file);
	if (!ret)
		ret = write_batch(q, &f->reftable);
	/* References only now: what they refer to is stable. */
	if (!ret && (f->l2.nr || f->l1.nr))
		ret = host_file_flush(q->file);
	if (!ret)
		ret = write_batch(q, &f->l2);
	if (!ret)
		ret = write_batch(q, &f->l1);
	if (!ret)
		ret = host_file_flush(q->file);
	return ret;
}

/* Refcounts that have just become smaller, so that little leaks if we are killed. */
static void write_freed(struct qcow2 *q)
{
	struct batch refs;
	int ret;

	if (q->reftable.nr_dirty || q->incompat & INCOMPAT_DIRTY ||
	    gather(q, &refs, META_REFBLOCK, NULL))
		return;
	ret = check_batch(q, &refs, META_REFBLOCK);
	pthread_mutex_unlock(&q->lock);
	if (!ret)
		ret = write_batch(q, &refs);
	pthread_mutex_lock(&q->lock);
	end_batch(q, &refs, !ret);
}

static int sync_locked(struct qcow2 *q, bool all)
{
	struct flush f;
	int ret = begin(q, &f, all);

	if (!ret) {
		pthread_mutex_unlock(&q->lock);
		ret = write_in_order(q, &f);
		pthread_mutex_lock(&q->lock);
	}
	end_batch(q, &f.refs, !ret);
	end_batch(q, &f.reftable, !ret);
	end_batch(q, &f.l2, !ret);
	end_batch(q, &f.l1, !ret);
	if (!ret && q->flushing.nr && !qcow2_free_merge(&q->ripe, &q->flushing))
		q->ripe_seq = q->idle_seq;
	if (!ret && q->ripe.nr && !q->corrupt) {
		qcow2_free_ripe(q);
		write_freed(q);
	}
	return ret;
}

static bool is_clean(const struct qcow2 *q)
{
	return !q->nr_dirty_l2 && !q->nr_dirty_refs && !q->l1.nr_dirty && !q->reftable.nr_dirty &&
	       !q->pending.nr && !q->flushing.nr && !q->ripe.nr;
}

int qcow2_sync(struct qcow2 *q, bool all)
{
	bool clean;
	int ret = 0;

	pthread_mutex_lock(&q->flush_lock);
	pthread_mutex_lock(&q->lock);
	clean = is_clean(q);
	/* What a damaged image has of the writes is not known. */
	if (q->corrupt && q->writable_checked)
		ret = -EIO;
	else if (!clean)
		ret = sync_locked(q, all);
	pthread_mutex_unlock(&q->lock);
	pthread_mutex_unlock(&q->flush_lock);
	return clean && !ret ? host_file_flush(q->file) : ret;
}
