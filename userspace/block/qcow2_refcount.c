// SPDX-License-Identifier: GPL-2.0
/*
 * Reference counts of host clusters: reading, changing, finding free clusters, and growing the
 * refcount table. qcow2 specification, "Host cluster management".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2_int.h"

#define GROW_STEP	(1U << 20)	/* the file grows ahead of what is allocated */

u64 qcow2_max_refcount(const struct qcow2 *q)
{
	return q->refcount_order == 6 ? INT64_MAX : (1ULL << (1U << q->refcount_order)) - 1;
}

u64 qcow2_get_count(const u8 *block, u64 index, unsigned int order)
{
	const u8 *p = block + (order >= 3 ? index << (order - 3) : index >> (3 - order));

	switch (order) {
	case 6:
		return get_be64(p);
	case 5:
		return get_be32(p);
	case 4:
		return (u64)p[0] << 8 | p[1];
	case 3:
		return *p;
	default:
		return (*p >> ((index & ((8U >> order) - 1)) << order)) & ((1U << (1U << order)) - 1);
	}
}

void qcow2_put_count(u8 *block, u64 index, unsigned int order, u64 value)
{
	u8 *p = block + (order >= 3 ? index << (order - 3) : index >> (3 - order));
	unsigned int shift, mask;

	switch (order) {
	case 6:
		put_be64(p, value);
		return;
	case 5:
		put_be32(p, (u32)value);
		return;
	case 4:
		p[0] = (u8)(value >> 8);
		p[1] = (u8)value;
		return;
	case 3:
		*p = (u8)value;
		return;
	default:
		shift = (unsigned int)(index & ((8U >> order) - 1)) << order;
		mask = ((1U << (1U << order)) - 1) << shift;
		*p = (u8)((*p & ~mask) | ((unsigned int)value << shift & mask));
	}
}

/* The page of a refcount block that has the count, and its index there; *@page NULL: no block. */
static int count_page(struct qcow2 *q, u64 cluster, struct page **page, u64 *index)
{
	u64 block = cluster >> q->refblock_bits, in_block, byte;

	*page = NULL;
	if (block >= q->reftable.size || !q->reftable.entries[block])
		return 0;
	in_block = cluster & ((1ULL << q->refblock_bits) - 1);
	byte = (in_block << q->refcount_order) >> 3 & ~(u64)(q->page_size - 1);
	*index = in_block - ((byte << 3) >> q->refcount_order);
	return qcow2_page(q, q->reftable.entries[block] + byte, META_REFBLOCK, page);
}

int qcow2_refcount(struct qcow2 *q, u64 cluster, u64 *count)
{
	struct page *page;
	u64 index;
	int ret = count_page(q, cluster, &page, &index);

	if (!ret)
		*count = page ? qcow2_get_count(page->data, index, q->refcount_order) : 0;
	return ret;
}

int qcow2_set_refcount(struct qcow2 *q, u64 cluster, u64 count)
{
	struct page *page;
	u64 index;
	int ret = count_page(q, cluster, &page, &index);

	if (ret)
		return ret;
	if (!page)
		return -EIO;
	qcow2_put_count(page->data, index, q->refcount_order, count);
	qcow2_page_dirty(q, page);
	if (!count) {
		if (cluster < q->free_hint)
			q->free_hint = cluster;
		if (q->compress_next >> q->cluster_bits == cluster)
			q->compress_next = 0;
		if (qcow2_meta_type(q, cluster) != META_NONE)
			qcow2_meta_remove(q, cluster);
		qcow2_forget_pages(q, cluster << q->cluster_bits);
	}
	return 0;
}

int qcow2_grow_file(struct qcow2 *q, u64 end)
{
	u64 size;
	int ret;

	if (end > q->file_size) {
		if (q->file->is_device)
			return -ENOSPC;
		size = (end + GROW_STEP - 1) & ~(u64)(GROW_STEP - 1);
		ret = host_file_truncate(q->file, size);
		if (ret)
			return ret;
		q->file_size = size;
	}
	if (q->zero_from < end)
		q->zero_from = end;
	return 0;
}

/**
 * struct growth - a refcount table in a new place
 * @table: it
 * @first: the host cluster where it begins; its own refcount blocks follow
 * @clusters: its clusters
 * @blocks: refcount blocks that are new: for itself and for them
 */
struct growth {
	struct table table;
	u64 first, clusters, blocks;
};

/* Behind everything that the table covers now, where no cluster can be in use. */
static int plan_growth(const struct qcow2 *q, u64 want, struct growth *g)
{
	u64 per_block = 1ULL << q->refblock_bits, per_cluster = q->cluster_size / sizeof(u64);
	u64 size = q->reftable.size;

	g->first = size << q->refblock_bits;
	size = want + 1 > size + size / 2 ? want + 1 : size + size / 2;
	do {
		size = (size + per_cluster) / per_cluster * per_cluster;
		g->clusters = size / per_cluster;
		for (g->blocks = 1; g->blocks * per_block < g->clusters + g->blocks; g->blocks++)
			;
	} while (q->reftable.size + g->blocks > size);
	if (size * sizeof(u64) > MAX_REFTABLE_BYTES ||
	    (g->first + g->clusters + g->blocks) << q->cluster_bits > MAX_HOST_OFFSET)
		return -ENOSPC;
	g->table.type = META_REFTABLE;
	g->table.offset = g->first << q->cluster_bits;
	g->table.size = (u32)size;
	g->table.entries = calloc(size, sizeof(u64));
	g->table.dirty = calloc(size * sizeof(u64) / q->page_size, sizeof(bool));
	if (!g->table.entries || !g->table.dirty)
		return -ENOMEM;
	memcpy(g->table.entries, q->reftable.entries, table_bytes(&q->reftable));
	return 0;
}

/* Write the blocks and the table, and make them stable. */
static int write_growth(struct qcow2 *q, struct growth *g)
{
	u64 per_block = 1ULL << q->refblock_bits, used = g->clusters + g->blocks, i, n;
	u64 *disk = qcow2_alloc_buffer(table_bytes(&g->table));
	u8 *block = qcow2_alloc_buffer(q->cluster_size);
	int ret = disk && block ? 0 : -ENOMEM;

	for (i = 0; !ret && i < g->blocks; i++) {
		u64 at = (g->first + g->clusters + i) << q->cluster_bits;

		memset(block, 0, q->cluster_size);
		for (n = 0; n < per_block && i * per_block + n < used; n++)
			qcow2_put_count(block, n, q->refcount_order, 1);
		ret = host_file_write(q->file, block, q->cluster_size, at);
		g->table.entries[q->reftable.size + i] = at;
	}
	for (i = 0; !ret && i < g->table.size; i++)
		disk[i] = htobe64(g->table.entries[i]);
	if (!ret)
		ret = host_file_write(q->file, disk, table_bytes(&g->table), g->table.offset);
	free(disk);
	free(block);
	return ret ? ret : host_file_flush(q->file);
}

/* Move the refcount table to where it can be larger; the header switches over. */
static int grow_reftable(struct qcow2 *q, u64 want)
{
	struct table old = q->reftable;
	struct growth g = { .blocks = 0 };
	u64 used = 0, i;
	int ret = plan_growth(q, want, &g);

	if (!ret)
		ret = qcow2_grow_file(q, (g.first + g.clusters + g.blocks) << q->cluster_bits);
	if (!ret)
		ret = qcow2_reserve_free(q, 1);
	if (!ret)
		ret = write_growth(q, &g);
	if (!ret) {
		used = g.clusters + g.blocks;
		ret = qcow2_meta_add(q, g.table.offset, g.clusters << q->cluster_bits,
				     META_REFTABLE);
	}
	if (!ret)
		ret = qcow2_meta_add(q, (g.first + g.clusters) << q->cluster_bits,
				     g.blocks << q->cluster_bits, META_REFBLOCK);
	if (!ret) {
		q->reftable = g.table;
		ret = qcow2_write_header(q);
	}
	if (!ret) {
		free(old.entries);
		free(old.dirty);
		qcow2_free(q, old.offset >> q->cluster_bits, clusters_for(q, table_bytes(&old)),
			   false);
		return 0;
	}
	if (q->reftable.offset != old.offset) {
		/* If nobody knows which one the file has, change nothing any more. */
		q->reftable = old;
		q->corrupt |= !!qcow2_write_header(q);
	}
	for (i = 0; i < used; i++)
		qcow2_meta_remove(q, g.first + i);
	free(g.table.entries);
	free(g.table.dirty);
	return ret;
}

/*
 * A refcount block for @cluster, in @cluster itself: it is free, as all clusters without a
 * block. The table's entry is written later (qcow2_flush.c), the block before it.
 */
static int add_refblock(struct qcow2 *q, u64 cluster)
{
	u64 index = cluster >> q->refblock_bits;
	u8 *block;
	int ret;

	if (index >= q->reftable.size)
		return grow_reftable(q, index);
	if (qcow2_meta_type(q, cluster) != META_NONE)
		return qcow2_mark_corrupt(q, "metadata in a cluster with refcount 0",
					  cluster << q->cluster_bits);
	ret = qcow2_grow_file(q, (cluster + 1) << q->cluster_bits);
	if (ret)
		return ret;
	block = qcow2_alloc_buffer(q->cluster_size);
	if (!block)
		return -ENOMEM;
	qcow2_put_count(block, cluster & ((1ULL << q->refblock_bits) - 1), q->refcount_order, 1);
	ret = host_file_write(q->file, block, q->cluster_size, cluster << q->cluster_bits);
	free(block);
	if (!ret)
		ret = qcow2_meta_add(q, cluster << q->cluster_bits, 1, META_REFBLOCK);
	if (ret)
		return ret;
	qcow2_forget_pages(q, cluster << q->cluster_bits);
	q->reftable.entries[index] = cluster << q->cluster_bits;
	qcow2_table_dirty(q, &q->reftable, (u32)index);
	return 0;
}

/* The first run of up to @want, at least @min free clusters; all have refcount blocks then. */
static s64 find_free(struct qcow2 *q, u64 want, u64 min, u64 *first)
{
	u64 cluster = q->free_hint, run = 0, count;
	bool first_free = true;
	int ret;

	for (;; cluster++) {
		u64 block = cluster >> q->refblock_bits;

		if (cluster << q->cluster_bits >= MAX_HOST_OFFSET)
			return -ENOSPC;
		if (block >= q->reftable.size || !q->reftable.entries[block]) {
			if (run && run >= min)
				break;
			ret = add_refblock(q, cluster);
			if (ret)
				return ret;
			run = 0;
			cluster--;	/* look at it again */
			continue;
		}
		ret = qcow2_refcount(q, cluster, &count);
		if (ret)
			return ret;
		if (count) {
			if (run && run >= min)
				break;
			run = 0;
			continue;
		}
		if (first_free) {
			q->free_hint = cluster;
			first_free = false;
		}
		if (!run++)
			*first = cluster;
		if (run == want)
			break;
	}
	return (s64)run;
}

s64 qcow2_alloc(struct qcow2 *q, u64 want, u64 min, u64 *first)
{
	s64 run;
	u64 i;
	int ret;

	if (q->compat & COMPAT_LAZY_REFCOUNTS && !(q->incompat & INCOMPAT_DIRTY)) {
		ret = qcow2_set_dirty(q, true);
		if (ret)
			return ret;
	}
	run = find_free(q, want, min, first);
	if (run < 0)
		return run;
	for (i = 0; i < (u64)run; i++) {
		if (qcow2_meta_type(q, *first + i) != META_NONE)
			return qcow2_mark_corrupt(q, "metadata in a cluster with refcount 0",
						  (*first + i) << q->cluster_bits);
	}
	ret = qcow2_grow_file(q, (*first + (u64)run) << q->cluster_bits);
	if (ret)
		return ret;
	for (i = 0; i < (u64)run; i++) {
		ret = qcow2_set_refcount(q, *first + i, 1);
		if (ret) {
			qcow2_undo_alloc(q, *first, i);
			return ret;
		}
	}
	if (q->free_hint == *first)
		q->free_hint += (u64)run;
	return run;
}

void qcow2_undo_alloc(struct qcow2 *q, u64 first, u64 clusters)
{
	/* On failure they leak; nothing refers to them. */
	while (clusters--)
		(void)qcow2_set_refcount(q, first + clusters, 0);
}
