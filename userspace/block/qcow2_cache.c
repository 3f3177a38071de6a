// SPDX-License-Identifier: GPL-2.0
/*
 * The cache of L2 tables and refcount blocks, in pages of up to 4 KiB.
 *
 * Dirty pages are never evicted: qcow2_flush.c writes them, in order. Operations dirty few pages
 * and call qcow2_prepare_change() before they begin, so the cache exceeds its limit by little.
 */
#include <errno.h>
#include <stdlib.h>

#include "block/qcow2_int.h"

#define CACHE_BYTES	(1U << 20)	/* beside what covers the whole disk */
#define CACHE_L2_BYTES	(32U << 20)	/* which counts up to this */
#define KEEP_NEWEST	32U

void *qcow2_alloc_buffer(size_t len)
{
	void *buf;

	if (posix_memalign(&buf, MAX_PAGE, len ? len : 1))
		return NULL;
	__builtin_memset(buf, 0, len);
	return buf;
}

int qcow2_cache_init(struct qcow2 *q)
{
	u64 cover = (clusters_for(q, q->image_size) * sizeof(u64));

	if (cover > CACHE_L2_BYTES)
		cover = CACHE_L2_BYTES;
	q->max_pages = (unsigned int)((CACHE_BYTES + cover) / q->page_size);
	for (q->nr_buckets = 64; q->nr_buckets < q->max_pages; q->nr_buckets *= 2)
		;
	q->lru.newer = q->lru.older = &q->lru;
	q->buckets = calloc(q->nr_buckets, sizeof(struct page *));
	return q->buckets ? 0 : -ENOMEM;
}

static struct page **bucket_of(struct qcow2 *q, u64 offset)
{
	u64 hash = (offset / q->page_size) * 0x9e3779b97f4a7c15ULL;

	return &q->buckets[(hash >> 32) & (q->nr_buckets - 1)];
}

static void lru_remove(struct page *page)
{
	page->older->newer = page->newer;
	page->newer->older = page->older;
}

static void lru_add_newest(struct qcow2 *q, struct page *page)
{
	page->newer = &q->lru;
	page->older = q->lru.older;
	q->lru.older->newer = page;
	q->lru.older = page;
}

static void drop_page(struct qcow2 *q, struct page *page)
{
	struct page **link = bucket_of(q, page->offset);

	while (*link != page)
		link = &(*link)->chain;
	*link = page->chain;
	lru_remove(page);
	if (page->dirty && page->type == META_L2)
		q->nr_dirty_l2--;
	else if (page->dirty)
		q->nr_dirty_refs--;
	free(page->data);
	free(page);
	q->nr_pages--;
}

/* The newest stay: the caller still uses them. */
static void evict(struct qcow2 *q)
{
	struct page *page = q->lru.newer, *next;
	unsigned int candidates = q->nr_pages > KEEP_NEWEST ? q->nr_pages - KEEP_NEWEST : 0;

	for (; candidates && q->nr_pages >= q->max_pages; candidates--, page = next) {
		next = page->newer;
		if (!page->dirty && !page->pins)
			drop_page(q, page);
	}
}

int qcow2_page(struct qcow2 *q, u64 offset, enum meta_type type, struct page **found)
{
	struct page **bucket = bucket_of(q, offset), *page;
	int ret;

	for (page = *bucket; page; page = page->chain) {
		if (page->offset == offset && page->type == type) {
			lru_remove(page);
			lru_add_newest(q, page);
			*found = page;
			return 0;
		}
		/* One cluster as both: only in a damaged image. */
		if (page->offset == offset)
			return -EIO;
	}
	if (q->nr_pages >= q->max_pages)
		evict(q);
	page = calloc(1, sizeof(*page));
	if (!page)
		return -ENOMEM;
	page->data = qcow2_alloc_buffer(q->page_size);
	ret = page->data ? host_file_read(q->file, page->data, q->page_size, offset) : -ENOMEM;
	if (ret) {
		free(page->data);
		free(page);
		return ret;
	}
	page->offset = offset;
	page->type = type;
	page->chain = *bucket;
	*bucket = page;
	lru_add_newest(q, page);
	q->nr_pages++;
	*found = page;
	return 0;
}

void qcow2_page_dirty(struct qcow2 *q, struct page *page)
{
	if (page->dirty)
		return;
	page->dirty = true;
	if (page->type == META_L2)
		q->nr_dirty_l2++;
	else
		q->nr_dirty_refs++;
}

void qcow2_forget_pages(struct qcow2 *q, u64 offset)
{
	u64 end = offset + q->cluster_size;

	for (; offset < end; offset += q->page_size) {
		struct page *page = *bucket_of(q, offset);

		while (page && page->offset != offset)
			page = page->chain;
		if (page && !page->pins)
			drop_page(q, page);
	}
}

void qcow2_forget_all_pages(struct qcow2 *q)
{
	while (q->lru.newer != &q->lru)
		drop_page(q, q->lru.newer);
}
