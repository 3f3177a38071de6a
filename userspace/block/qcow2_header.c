// SPDX-License-Identifier: GPL-2.0
/*
 * The header of a qcow2 image: reading and checking it, and the fields that change: sizes and
 * places of tables, dirty and corrupt bits.
 *
 * qcow2 specification, "Header" and "Header extensions".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2_int.h"
#include "report.h"

#define FEATURE_NAME_SIZE	48U

int qcow2_write_header(struct qcow2 *q)
{
	u8 *h = q->head;
	int ret;

	put_be64(h + H_SIZE, q->image_size);
	put_be32(h + H_L1_SIZE, q->l1.size);
	put_be64(h + H_L1_OFFSET, q->l1.offset);
	put_be64(h + H_REFTABLE_OFFSET, q->reftable.offset);
	put_be32(h + H_REFTABLE_CLUSTERS, (u32)clusters_for(q, table_bytes(&q->reftable)));
	put_be32(h + H_NR_SNAPSHOTS, q->nr_snapshots);
	put_be64(h + H_SNAPSHOTS_OFFSET, q->snapshots_offset);
	if (q->version >= 3) {
		put_be64(h + H_INCOMPAT, q->incompat);
		put_be64(h + H_COMPAT, q->compat);
		put_be64(h + H_AUTOCLEAR, q->autoclear);
	}
	ret = host_file_write(q->file, h, SECTOR_SIZE, 0);
	return ret ? ret : host_file_flush(q->file);
}

int qcow2_mark_corrupt(struct qcow2 *q, const char *what, u64 offset)
{
	if (q->corrupt)
		return -EIO;
	q->corrupt = true;
	report("disk %s: damaged: %s (at 0x%llx); nothing is written to it any more; "
	       "see 'mkvm img check'", q->file->path, what, offset);
	if (!q->file->readonly && q->version >= 3) {
		q->incompat |= INCOMPAT_CORRUPT;
		(void)qcow2_write_header(q);
	}
	return -EIO;
}

int qcow2_set_dirty(struct qcow2 *q, bool dirty)
{
	u64 old = q->incompat;
	int ret;

	q->incompat = dirty ? old | INCOMPAT_DIRTY : old & ~INCOMPAT_DIRTY;
	ret = qcow2_write_header(q);
	if (ret)
		q->incompat = old;
	return ret;
}

static int make_writable(struct qcow2 *q)
{
	struct block_check result = { 0 };
	int ret = 0;

	if (q->incompat & INCOMPAT_DIRTY) {
		ret = qcow2_check(&q->blk, BLOCK_REPAIR_ALL, &result);
		if (!ret && (result.corruptions || result.check_errors))
			ret = -EIO;
		if (ret)
			return ret;
	}
	pthread_mutex_lock(&q->lock);
	if (q->autoclear) {
		u64 old = q->autoclear;

		/* None is known here: bitmaps would have to follow what is written. */
		q->autoclear = 0;
		ret = qcow2_write_header(q);
		if (ret)
			q->autoclear = old;
	}
	q->writable_checked = !ret;
	pthread_mutex_unlock(&q->lock);
	return ret;
}

int qcow2_prepare_change(struct qcow2 *q)
{
	bool full, checked, corrupt;

	pthread_mutex_lock(&q->lock);
	full = q->nr_dirty_l2 + q->nr_dirty_refs > q->max_pages / 2;
	checked = q->writable_checked;
	corrupt = q->corrupt;
	pthread_mutex_unlock(&q->lock);
	if (corrupt)
		return -EIO;
	if (!checked)
		return make_writable(q);
	return full ? qcow2_sync(q, true) : 0;
}

void qcow2_derive(struct qcow2 *q)
{
	q->cluster_size = 1U << q->cluster_bits;
	q->page_size = q->cluster_size < MAX_PAGE ? q->cluster_size : MAX_PAGE;
	q->l2_bits = q->cluster_bits - 3;
	q->refblock_bits = q->cluster_bits + 3 - q->refcount_order;
}

static int refuse(struct qcow2 *q, const char *what)
{
	return report("disk %s: %s", q->file->path, what);
}

static const struct {
	unsigned int bit;
	const char *name;
} refused_features[] = {
	{ 2, "an external data file" }, { 4, "extended L2 entries" },
};

/* The name that the image gives to an incompatible feature, or our own. */
static void feature_name(const u8 *table, u32 len, unsigned int bit, char *name)
{
	u32 i;

	for (i = 0; i < ARRAY_SIZE(refused_features); i++) {
		if (refused_features[i].bit == bit) {
			strcpy(name, refused_features[i].name);
			return;
		}
	}
	for (i = 0; i + FEATURE_NAME_SIZE <= len; i += FEATURE_NAME_SIZE) {
		if (table[i] == 0 && table[i + 1] == bit) {
			memcpy(name, table + i + 2, FEATURE_NAME_SIZE - 2);
			name[FEATURE_NAME_SIZE - 2] = '\0';
			for (; *name; name++) {
				if (*name < ' ' || *name > '~')
					*name = '?';
			}
			return;
		}
	}
	strcpy(name, "a feature without a name");
}

static int check_features(struct qcow2 *q, const u8 *names, u32 len)
{
	u64 unknown = q->incompat & ~(INCOMPAT_DIRTY | INCOMPAT_CORRUPT | INCOMPAT_COMPRESSION);
	char name[FEATURE_NAME_SIZE];
	unsigned int bit;

	if (unknown) {
		bit = (unsigned int)__builtin_ctzll(unknown);
		feature_name(names, len, bit, name);
		return report("disk %s: needs %s (incompatible feature bit %u), which is not supported",
			      q->file->path, name, bit);
	}
	if (!!(q->incompat & INCOMPAT_COMPRESSION) != !!q->compression)
		return refuse(q, "its compression type contradicts its feature bits");
	if (q->compression > 1)
		return report("disk %s: compression type %u is not supported; 0 (zlib) and 1 (zstd) are",
			      q->file->path, q->compression);
	return 0;
}

/* Extensions lie between the header and the backing file's name, in the first cluster. */
static int parse_extensions(struct qcow2 *q, const u8 *first, u32 end, char **backing_format)
{
	u32 at = q->header_length, names = 0, names_len = 0;

	while (at + 8 <= end) {
		u32 type = get_be32(first + at), len = get_be32(first + at + 4);

		at += 8;
		if (type == EXT_END)
			break;
		if (len > end - at)
			return report("disk %s: header extension 0x%x is longer than its place",
				      q->file->path, type);
		if (type == EXT_FEATURE_NAMES) {
			names = at;
			names_len = len;
		} else if (type == EXT_BACKING_FORMAT && !*backing_format) {
			*backing_format = strndup((const char *)first + at, len);
			if (!*backing_format)
				return refuse(q, "out of memory");
		}
		at = len > end - at - (-len & 7) ? end : at + ((len + 7) & ~7U);
	}
	return check_features(q, first + names, names_len);
}

static int parse_v3(struct qcow2 *q, const u8 *h)
{
	if (q->version == 2) {
		q->header_length = H_V2_LENGTH;
		q->refcount_order = 4;
		return 0;
	}
	q->incompat = get_be64(h + H_INCOMPAT);
	q->compat = get_be64(h + H_COMPAT);
	q->autoclear = get_be64(h + H_AUTOCLEAR);
	q->refcount_order = get_be32(h + H_REFCOUNT_ORDER);
	q->header_length = get_be32(h + H_LENGTH);
	if (q->refcount_order > 6)
		return refuse(q, "its refcounts are wider than 64 bits");
	if (q->header_length < H_V3_LENGTH || q->header_length % 8 ||
	    q->header_length > q->cluster_size)
		return report("disk %s: header length %u; must be a multiple of 8, from %d to a cluster",
			      q->file->path, q->header_length, H_V3_LENGTH);
	if (q->header_length > H_COMPRESSION)
		q->compression = h[H_COMPRESSION];
	return 0;
}

/* A table that the header describes: aligned, and inside the file. */
static int check_place(struct qcow2 *q, const char *what, u64 offset, u64 bytes, u64 max)
{
	if (bytes > max)
		return report("disk %s: its %s has %llu bytes; at most %llu are supported",
			      q->file->path, what, bytes, max);
	if (offset & (q->cluster_size - 1) || !offset || offset > q->file_size ||
	    bytes > q->file_size - offset)
		return report("disk %s: its %s at 0x%llx is not aligned or not inside the file",
			      q->file->path, what, offset);
	return 0;
}

static int parse_places(struct qcow2 *q, const u8 *h)
{
	u64 reftable_clusters = get_be32(h + H_REFTABLE_CLUSTERS), need;

	q->l1.type = META_L1;
	q->l1.size = get_be32(h + H_L1_SIZE);
	q->l1.offset = get_be64(h + H_L1_OFFSET);
	q->reftable.type = META_REFTABLE;
	q->reftable.offset = get_be64(h + H_REFTABLE_OFFSET);
	q->nr_snapshots = get_be32(h + H_NR_SNAPSHOTS);
	q->snapshots_offset = get_be64(h + H_SNAPSHOTS_OFFSET);
	if (q->image_size > MAX_IMAGE_SIZE)
		return refuse(q, "its size is impossible");
	need = qcow2_l1_size(q, q->image_size);
	if (need > q->l1.size)
		return report("disk %s: its L1 table has %u entries; its size needs %llu",
			      q->file->path, q->l1.size, need);
	if ((q->l1.size && check_place(q, "L1 table", q->l1.offset, table_bytes(&q->l1),
				       MAX_L1_BYTES)) ||
	    check_place(q, "refcount table", q->reftable.offset,
			reftable_clusters << q->cluster_bits, MAX_REFTABLE_BYTES))
		return -1;
	if (!reftable_clusters)
		return refuse(q, "it has no refcount table");
	q->reftable.size = (u32)((reftable_clusters << q->cluster_bits) / sizeof(u64));
	if (q->nr_snapshots > MAX_SNAPSHOTS)
		return report("disk %s: %u snapshots; at most %u are supported", q->file->path,
			      q->nr_snapshots, MAX_SNAPSHOTS);
	if (q->nr_snapshots)
		return check_place(q, "snapshot table", q->snapshots_offset, 1,
				   MAX_SNAPSHOT_BYTES);
	return 0;
}

static int parse_backing(struct qcow2 *q, const u8 *first, u32 *end, char **path)
{
	u64 offset = get_be64(first + H_BACKING_OFFSET);
	u32 len = get_be32(first + H_BACKING_SIZE);

	*end = q->cluster_size;
	if (!offset)
		return 0;
	if (len > 1023 || offset < q->header_length || offset > q->cluster_size ||
	    len > q->cluster_size - offset)
		return refuse(q, "its backing file's name is not inside the first cluster");
	*end = (u32)offset;
	*path = len ? strndup((const char *)first + offset, len) : NULL;
	return len && !*path ? refuse(q, "out of memory") : 0;
}

/* The first cluster, up to 2 MiB; what is behind the end of the file is zeroes. */
static u8 *read_first(struct qcow2 *q, const u8 *h)
{
	u64 len = q->cluster_size;
	u8 *first = qcow2_alloc_buffer(q->cluster_size);
	int ret;

	if (!first) {
		refuse(q, "out of memory");
		return NULL;
	}
	if (len > q->file_size)
		len = q->file_size;
	ret = host_file_read(q->file, first, (size_t)len, 0);
	if (!ret && !memcmp(first, h, H_V2_LENGTH))
		return first;
	refuse(q, ret ? strerror(-ret) : "its header changes while it is read");
	free(first);
	return NULL;
}

int qcow2_parse_header(struct qcow2 *q, char **backing_path, char **backing_format)
{
	u8 h[H_V2_LENGTH], *first;
	u32 extensions_end;
	int ret = host_file_size(q->file, &q->file_size);

	if (!ret)
		ret = host_file_read(q->file, h, sizeof(h), 0);
	if (ret || get_be32(h) != QCOW2_MAGIC)
		return refuse(q, ret && ret != -EIO ? strerror(-ret) : "is not a qcow2 image");
	q->version = get_be32(h + H_VERSION);
	q->cluster_bits = get_be32(h + H_CLUSTER_BITS);
	q->image_size = get_be64(h + H_SIZE);
	if (q->version < 2 || q->version > 3)
		return report("disk %s: qcow version %u is not supported; 2 and 3 are",
			      q->file->path, q->version);
	if (get_be32(h + H_CRYPT))
		return report("disk %s: is encrypted (method %u), which is not supported",
			      q->file->path, get_be32(h + H_CRYPT));
	if (q->cluster_bits < MIN_CLUSTER_BITS || q->cluster_bits > MAX_CLUSTER_BITS)
		return report("disk %s: clusters of 2^%u bytes; 512 bytes to 2 MiB are supported",
			      q->file->path, q->cluster_bits);
	q->cluster_size = 1U << q->cluster_bits;
	first = read_first(q, h);
	if (!first)
		return -1;
	memcpy(q->head, first, SECTOR_SIZE);
	ret = parse_v3(q, first);
	qcow2_derive(q);
	if (!ret)
		ret = parse_backing(q, first, &extensions_end, backing_path);
	if (!ret)
		ret = parse_extensions(q, first, extensions_end, backing_format);
	if (!ret)
		ret = parse_places(q, first);
	free(first);
	return ret;
}
