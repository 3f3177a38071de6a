// SPDX-License-Identifier: GPL-2.0
/*
 * L1 and L2 tables: finding, checking, allocating and copying them. qcow2 specification, "Cluster
 * mapping".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2_int.h"

int qcow2_entry_kind(const struct qcow2 *q, u64 entry, enum entry_kind *kind)
{
	u64 host = entry & ENTRY_OFFSET, offset, len;

	if (entry & ENTRY_COMPRESSED) {
		qcow2_packed_range(q, entry, &offset, &len);
		*kind = ENTRY_PACKED;
		return entry & ENTRY_COPIED || offset >= MAX_HOST_OFFSET || !offset ? -EIO : 0;
	}
	if (entry & L2_RESERVED || host & (q->cluster_size - 1))
		return -EIO;
	if (entry & ENTRY_ZERO) {
		if (q->version < 3)
			return -EIO;
		*kind = host ? ENTRY_ALLOC_ZERO : ENTRY_PLAIN_ZERO;
		return 0;
	}
	if (!host && entry & ENTRY_COPIED)
		return -EIO;
	*kind = host ? ENTRY_DATA : ENTRY_ABSENT;
	return 0;
}

void qcow2_packed_range(const struct qcow2 *q, u64 entry, u64 *offset, u64 *len)
{
	unsigned int x = 62 - (q->cluster_bits - 8);
	u64 sectors = ((entry & (ENTRY_COMPRESSED - 1)) >> x) + 1;

	*offset = entry & ((1ULL << x) - 1);
	*len = sectors * SECTOR_SIZE - (*offset & (SECTOR_SIZE - 1));
}

static int check_l1_entry(struct qcow2 *q, u64 entry)
{
	u64 host = entry & ENTRY_OFFSET;

	if (entry & L1_RESERVED || host & (q->cluster_size - 1))
		return qcow2_mark_corrupt(q, "an L1 entry that is not valid", entry);
	return 0;
}

static int get_page(struct qcow2 *q, u64 cluster, u64 **entries, u64 *nr, struct page **page)
{
	u64 l2 = q->l1.entries[cluster >> q->l2_bits] & ENTRY_OFFSET;
	u64 index = cluster & ((1ULL << q->l2_bits) - 1), per_page = q->page_size / sizeof(u64);
	int ret = qcow2_page(q, l2 + index / per_page * q->page_size, META_L2, page);

	if (ret)
		return ret;
	*entries = (u64 *)(void *)(*page)->data + index % per_page;
	*nr = per_page - index % per_page;
	return 0;
}

int qcow2_entries(struct qcow2 *q, u64 cluster, u64 **entries, u64 *nr, struct page **page)
{
	u64 index = cluster >> q->l2_bits;
	int ret;

	*page = NULL;
	*entries = NULL;
	if (index >= q->l1.size)
		return -EIO;
	if (!(q->l1.entries[index] & ENTRY_OFFSET)) {
		*nr = (1ULL << q->l2_bits) - (cluster & ((1ULL << q->l2_bits) - 1));
		return 0;
	}
	ret = check_l1_entry(q, q->l1.entries[index]);
	return ret ? ret : get_page(q, cluster, entries, nr, page);
}

/*
 * A new L2 table, with the content of the one at @old or empty. It is complete in the file
 * before the L1 entry can be: that is written after the next fdatasync.
 */
static int new_l2(struct qcow2 *q, u64 index, u64 old)
{
	u64 first;
	s64 got = qcow2_reserve_free(q, 1);
	void *table;
	int ret;

	if (!got)
		got = qcow2_alloc(q, 1, 1, &first);
	if (got < 0)
		return (int)got;
	table = qcow2_alloc_buffer(q->cluster_size);
	ret = table ? 0 : -ENOMEM;
	if (!ret && old)
		ret = host_file_read(q->file, table, q->cluster_size, old);
	if (!ret)
		ret = host_file_write(q->file, table, q->cluster_size, first << q->cluster_bits);
	free(table);
	if (!ret)
		ret = qcow2_meta_add(q, first << q->cluster_bits, 1, META_L2);
	if (ret) {
		qcow2_undo_alloc(q, first, 1);
		return ret;
	}
	qcow2_forget_pages(q, first << q->cluster_bits);
	if (old)
		qcow2_free(q, old >> q->cluster_bits, 1, false);
	q->l1.entries[index] = first << q->cluster_bits | ENTRY_COPIED;
	qcow2_table_dirty(q, &q->l1, (u32)index);
	return 0;
}

int qcow2_entries_for_write(struct qcow2 *q, u64 cluster, u64 **entries, u64 *nr,
			    struct page **page)
{
	u64 index = cluster >> q->l2_bits, entry;
	int ret;

	if (index >= q->l1.size)
		return -EIO;
	entry = q->l1.entries[index];
	ret = check_l1_entry(q, entry);
	/* A shared table is never dirty here, so the file has all of it. */
	if (!ret && (!(entry & ENTRY_COPIED) || !(entry & ENTRY_OFFSET)))
		ret = new_l2(q, index, entry & ENTRY_OFFSET);
	return ret ? ret : get_page(q, cluster, entries, nr, page);
}

void qcow2_free_entry(struct qcow2 *q, u64 entry, bool punch)
{
	u64 offset = entry & ENTRY_OFFSET, len = q->cluster_size;

	if (entry & ENTRY_COMPRESSED)
		qcow2_packed_range(q, entry, &offset, &len);
	else if (!offset)
		return;
	len += offset & (q->cluster_size - 1);
	qcow2_free(q, offset >> q->cluster_bits, clusters_for(q, len), punch);
}
