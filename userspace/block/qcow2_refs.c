// SPDX-License-Identifier: GPL-2.0
/*
 * Counts the references to each host cluster by following all tables: what the refcounts should be.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2_int.h"
#include "report.h"

#define CHUNK			4096U
#define BITMAP_ENTRY_SIZE	24U
#define MAX_BITMAP_BYTES	(64U << 20)

void qcow2_fault(struct qcow2 *q, struct refs *refs, const char *what, u64 value)
{
	refs->result->corruptions++;
	if (refs->report)
		report("disk %s: ERROR: %s (0x%llx)", q->file->path, what, value);
}

int qcow2_refs_init(struct qcow2 *q, struct refs *refs, struct block_check *result)
{
	u64 size;
	int ret = host_file_size(q->file, &size);

	memset(refs, 0, sizeof(*refs));
	refs->result = result;
	refs->nr = ret ? 0 : clusters_for(q, size);
	return ret;
}

void qcow2_refs_drop(struct refs *refs)
{
	u64 i;

	for (i = 0; i < refs->nr_chunks; i++)
		free(refs->chunks[i]);
	free(refs->chunks);
}

u32 qcow2_refs_get(const struct refs *refs, u64 cluster)
{
	u64 chunk = cluster / CHUNK;

	return chunk < refs->nr_chunks && refs->chunks[chunk] ?
	       refs->chunks[chunk][cluster % CHUNK] : 0;
}

int qcow2_refs_set(struct refs *refs, u64 cluster, u32 count)
{
	u64 chunk = cluster / CHUNK;

	if (chunk >= refs->nr_chunks) {
		u64 nr = chunk + chunk / 2 + 16;
		u32 **chunks = realloc(refs->chunks, nr * sizeof(*chunks));

		if (!chunks)
			return -ENOMEM;
		memset(chunks + refs->nr_chunks, 0, (nr - refs->nr_chunks) * sizeof(*chunks));
		refs->chunks = chunks;
		refs->nr_chunks = nr;
	}
	if (!refs->chunks[chunk])
		refs->chunks[chunk] = calloc(CHUNK, sizeof(u32));
	if (!refs->chunks[chunk])
		return -ENOMEM;
	refs->chunks[chunk][cluster % CHUNK] = count;
	if (cluster >= refs->end)
		refs->end = cluster + 1;
	return 0;
}

u64 qcow2_refs_next(const struct refs *refs, u64 cluster)
{
	while (cluster < refs->end && !refs->chunks[cluster / CHUNK])
		cluster = (cluster / CHUNK + 1) * CHUNK;
	return cluster < refs->end ? cluster : refs->end;
}

void qcow2_ref(struct qcow2 *q, struct refs *refs, u64 offset, u64 len, const char *what)
{
	u64 cluster = offset >> q->cluster_bits, end;

	if (!len)
		return;
	end = (offset + len - 1) >> q->cluster_bits;
	if (offset + len < offset || end >= refs->nr) {
		qcow2_fault(q, refs, what, offset);
		return;
	}
	for (; cluster <= end && !refs->err; cluster++) {
		u32 count = qcow2_refs_get(refs, cluster);

		refs->err = qcow2_refs_set(refs, cluster, count < UINT32_MAX ? count + 1 : count);
	}
}

u64 *qcow2_read_l1(struct qcow2 *q, u64 offset, u32 size, int *err)
{
	u64 *l1 = qcow2_alloc_buffer(size * sizeof(u64));
	u32 i;

	*err = l1 ? host_file_read(q->file, l1, size * sizeof(u64), offset) : -ENOMEM;
	if (*err) {
		free(l1);
		return NULL;
	}
	for (i = 0; i < size; i++)
		l1[i] = be64toh(l1[i]);
	return l1;
}

static void ref_entry(struct qcow2 *q, struct refs *refs, u64 entry, bool active, u64 *next)
{
	u64 offset = entry & ENTRY_OFFSET, len = q->cluster_size;
	enum entry_kind kind;

	if (qcow2_entry_kind(q, entry, &kind)) {
		qcow2_fault(q, refs, "L2 entry that is not valid", entry);
		return;
	}
	if (kind == ENTRY_ABSENT || kind == ENTRY_PLAIN_ZERO)
		return;
	if (kind == ENTRY_PACKED)
		qcow2_packed_range(q, entry, &offset, &len);
	/* The last sector of compressed data may reach behind the end of the file. */
	if (kind == ENTRY_PACKED && len > 1 &&
	    (offset + len - 1) >> q->cluster_bits == refs->nr &&
	    offset >> q->cluster_bits < refs->nr)
		len = (refs->nr << q->cluster_bits) - offset;
	qcow2_ref(q, refs, offset, len, "guest cluster outside the file");
	if (!active)
		return;
	refs->result->allocated_clusters++;
	refs->result->compressed_clusters += kind == ENTRY_PACKED;
	refs->result->fragmented_clusters += kind == ENTRY_PACKED || (*next && *next != offset);
	*next = offset + q->cluster_size;
}

int qcow2_ref_tree(struct qcow2 *q, struct refs *refs, const u64 *l1, u32 size, bool active)
{
	u64 next = 0, *l2 = qcow2_alloc_buffer(q->cluster_size);
	u32 i, n;

	if (!l2)
		return -ENOMEM;
	for (i = 0; i < size && !refs->err; i++) {
		u64 offset = l1[i] & ENTRY_OFFSET;

		if (l1[i] & L1_RESERVED || offset & (q->cluster_size - 1)) {
			qcow2_fault(q, refs, "L1 entry that is not valid", l1[i]);
			continue;
		}
		if (!offset)
			continue;
		qcow2_ref(q, refs, offset, q->cluster_size, "L2 table outside the file");
		if (offset >> q->cluster_bits >= refs->nr)
			continue;
		/* One table many times over would take for ever. */
		if (qcow2_refs_get(refs, offset >> q->cluster_bits) > q->nr_snapshots + 2) {
			qcow2_fault(q, refs, "L2 table with too many references", offset);
			continue;
		}
		if (host_file_read(q->file, l2, q->cluster_size, offset)) {
			refs->result->check_errors++;
			continue;
		}
		for (n = 0; n < q->cluster_size / sizeof(u64); n++)
			ref_entry(q, refs, be64toh(l2[n]), active, &next);
	}
	free(l2);
	return refs->err;
}

int qcow2_ref_snapshots(struct qcow2 *q, struct refs *refs, const struct qcow2_snapshot *list,
			unsigned int nr)
{
	unsigned int i;
	int ret = 0;

	for (i = 0; !ret && i < nr; i++) {
		u64 *l1;

		qcow2_ref(q, refs, list[i].l1_offset, list[i].l1_size * sizeof(u64),
			  "L1 table of a snapshot outside the file");
		l1 = qcow2_read_l1(q, list[i].l1_offset, list[i].l1_size, &ret);
		if (ret == -ENOMEM)
			return ret;
		if (l1)
			ret = qcow2_ref_tree(q, refs, l1, list[i].l1_size, false);
		else
			refs->result->check_errors++;
		free(l1);
	}
	return ret == -ENOMEM ? ret : 0;
}

/* qcow2 specification, "Bitmaps": a directory of tables of clusters. */
static int ref_bitmap_table(struct qcow2 *q, struct refs *refs, u64 offset, u32 size)
{
	u64 *table;
	u32 i;
	int ret;

	if (size > MAX_BITMAP_BYTES / sizeof(u64)) {
		qcow2_fault(q, refs, "bitmap table that is too large", size);
		return 0;
	}
	qcow2_ref(q, refs, offset, size * sizeof(u64), "bitmap table outside the file");
	table = qcow2_read_l1(q, offset, size, &ret);
	if (!table)
		return ret;
	for (i = 0; i < size; i++) {
		if (table[i] & ENTRY_OFFSET)
			qcow2_ref(q, refs, table[i] & ENTRY_OFFSET, q->cluster_size,
				  "bitmap outside the file");
	}
	free(table);
	return 0;
}

static int ref_directory(struct qcow2 *q, struct refs *refs, u64 offset, u64 len)
{
	u8 *dir;
	u64 at;
	int ret;

	if (len > MAX_BITMAP_BYTES) {
		qcow2_fault(q, refs, "bitmap directory that is too large", len);
		return 0;
	}
	qcow2_ref(q, refs, offset, len, "bitmap directory outside the file");
	dir = qcow2_alloc_buffer(len);
	ret = dir ? host_file_read(q->file, dir, len, offset) : -ENOMEM;
	for (at = 0; !ret && at + BITMAP_ENTRY_SIZE <= len;) {
		u32 name = (u32)dir[at + 18] << 8 | dir[at + 19], extra = get_be32(dir + at + 20);

		ret = ref_bitmap_table(q, refs, get_be64(dir + at), get_be32(dir + at + 8));
		at += (BITMAP_ENTRY_SIZE + (u64)name + extra + 7) & ~7ULL;
	}
	free(dir);
	return ret;
}

int qcow2_ref_bitmaps(struct qcow2 *q, struct refs *refs)
{
	u32 at = q->header_length, end = q->cluster_size;
	u8 *first;
	int ret;

	if (!(q->autoclear & AUTOCLEAR_BITMAPS))
		return 0;
	first = qcow2_alloc_buffer(q->cluster_size);
	ret = first ? host_file_read(q->file, first, q->cluster_size, 0) : -ENOMEM;
	while (!ret && at + 8 <= end) {
		u32 type = get_be32(first + at), len = get_be32(first + at + 4);

		at += 8;
		if (type == EXT_END || len > end - at)
			break;
		if (type == EXT_BITMAPS && len >= 24) {
			ret = ref_directory(q, refs, get_be64(first + at + 16),
					    get_be64(first + at + 8));
			break;
		}
		at += (len + 7) & ~7U;
	}
	free(first);
	if (ret && ret != -ENOMEM)
		refs->result->check_errors++;
	return ret == -ENOMEM ? ret : 0;
}

int qcow2_ref_all(struct qcow2 *q, struct refs *refs)
{
	u32 i;
	int ret;

	qcow2_ref(q, refs, 0, q->cluster_size, "header");
	qcow2_ref(q, refs, q->l1.offset, table_bytes(&q->l1), "L1 table outside the file");
	ret = qcow2_ref_tree(q, refs, q->l1.entries, q->l1.size, true);
	if (!ret)
		ret = qcow2_ref_snapshots(q, refs, q->snapshots, q->nr_snapshots);
	if (q->nr_snapshots)
		qcow2_ref(q, refs, q->snapshots_offset, q->snapshots_bytes,
			  "snapshot table outside the file");
	qcow2_ref(q, refs, q->reftable.offset, table_bytes(&q->reftable),
		  "refcount table outside the file");
	for (i = 0; i < q->reftable.size; i++) {
		u64 entry = q->reftable.entries[i];

		if (entry & REFTABLE_RESERVED || entry & (q->cluster_size - 1))
			qcow2_fault(q, refs, "refcount table entry that is not valid", entry);
		else if (entry)
			qcow2_ref(q, refs, entry, q->cluster_size,
				  "refcount block outside the file");
	}
	if (!ret)
		ret = qcow2_ref_bitmaps(q, refs);
	return ret ? ret : refs->err;
}
