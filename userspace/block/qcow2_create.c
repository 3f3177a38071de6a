// SPDX-License-Identifier: GPL-2.0
/*
 * Makes new images: options, header with its extensions, preallocation. The tables are made by what
 * also replaces them (qcow2_rebuild.c), the header's first sector last.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/qcow2_int.h"
#include "config_parse.h"
#include "report.h"

#define DEFAULT_CLUSTER_BITS	16
#define FEATURE_NAME_SIZE	48

enum preallocation { PREALLOC_OFF, PREALLOC_METADATA, PREALLOC_FALLOC, PREALLOC_FULL };

static const char *const preallocations[] = { "off", "metadata", "falloc", "full" };
static const char *const compressions[] = { "zlib", "zstd" };

struct options {
	struct qcow2 *q;
	bool version_given;
	unsigned int preallocation;
};

static int bad_value(struct qcow2 *q, const char *key, const char *value, const char *allowed)
{
	return report("disk %s: %s=%s: must be %s", q->file->path, key, value, allowed);
}

/* A size with an optional k, K or M; 0 if it is none. */
static u64 parse_size(const char *text)
{
	char *end;
	u64 n = strtoull(text, &end, 10);

	if (end == text || n > (1U << 30))
		return 0;
	if (!strcmp(end, "k") || !strcmp(end, "K"))
		return n << 10;
	if (!strcmp(end, "M"))
		return n << 20;
	return *end ? 0 : n;
}

static int find_name(const char *value, const char *const *names, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!strcmp(names[i], value))
			return (int)i;
	}
	return -1;
}

static int opt_cluster_size(struct options *o, const char *key, const char *value)
{
	u64 size = parse_size(value);

	if (size & (size - 1) || size < 1U << MIN_CLUSTER_BITS || size > 1U << MAX_CLUSTER_BITS)
		return bad_value(o->q, key, value, "a power of two from 512 to 2M");
	o->q->cluster_bits = (unsigned int)__builtin_ctzll(size);
	return 0;
}

static int opt_compat(struct options *o, const char *key, const char *value)
{
	if (!strcmp(value, "0.10") || !strcmp(value, "v2"))
		o->q->version = 2;
	else if (!strcmp(value, "1.1") || !strcmp(value, "v3"))
		o->q->version = 3;
	else
		return bad_value(o->q, key, value, "0.10 (version 2) or 1.1 (version 3)");
	return 0;
}

static int opt_lazy(struct options *o, const char *key, const char *value)
{
	if (!strcmp(value, "on"))
		o->q->compat |= COMPAT_LAZY_REFCOUNTS;
	else if (!strcmp(value, "off"))
		o->q->compat &= ~COMPAT_LAZY_REFCOUNTS;
	else
		return bad_value(o->q, key, value, "on or off");
	return 0;
}

static int opt_refcount_bits(struct options *o, const char *key, const char *value)
{
	u64 bits = parse_size(value);

	if (!bits || bits & (bits - 1) || bits > 64)
		return bad_value(o->q, key, value, "1, 2, 4, 8, 16, 32 or 64");
	o->q->refcount_order = (unsigned int)__builtin_ctzll(bits);
	return 0;
}

static int opt_preallocation(struct options *o, const char *key, const char *value)
{
	int i = find_name(value, preallocations, ARRAY_SIZE(preallocations));

	if (i < 0)
		return bad_value(o->q, key, value, "off, metadata, falloc or full");
	o->preallocation = (unsigned int)i;
	return 0;
}

static int opt_compression(struct options *o, const char *key, const char *value)
{
	int i = find_name(value, compressions, ARRAY_SIZE(compressions));

	if (i < 0)
		return bad_value(o->q, key, value, "zlib or zstd");
	o->q->compression = (u8)i;
	return 0;
}

static const struct {
	const char *key;
	int (*parse)(struct options *o, const char *key, const char *value);
} option_table[] = {
	{ "cluster_size", opt_cluster_size }, { "compat", opt_compat },
	{ "lazy_refcounts", opt_lazy }, { "refcount_bits", opt_refcount_bits },
	{ "preallocation", opt_preallocation }, { "compression_type", opt_compression },
};

static int take_option(void *opaque, const char *arg, const char *key, const char *value)
{
	struct options *o = opaque;
	size_t i;

	(void)arg;
	for (i = 0; i < ARRAY_SIZE(option_table); i++) {
		if (!strcmp(option_table[i].key, key))
			return option_table[i].parse(o, key, value);
	}
	return report("disk %s: qcow2 option '%s' is not supported; use cluster_size, compat, "
		      "lazy_refcounts, refcount_bits, preallocation, compression_type",
		      o->q->file->path, key);
}

static int check_options(const struct options *o, const struct block_create *create)
{
	struct qcow2 *q = o->q;

	if (q->version < 3 && q->compat & COMPAT_LAZY_REFCOUNTS)
		return report("disk %s: lazy_refcounts=on needs compat=1.1", q->file->path);
	if (q->version < 3 && q->refcount_order != 4)
		return report("disk %s: refcount_bits other than 16 need compat=1.1",
			      q->file->path);
	if (q->version < 3 && q->compression)
		return report("disk %s: compression_type=zstd needs compat=1.1", q->file->path);
	if (o->preallocation && create->backing_path)
		return report("disk %s: preallocation does not go with a backing file",
			      q->file->path);
	if (create->size % SECTOR_SIZE || create->size > MAX_IMAGE_SIZE)
		return report("disk %s: %llu bytes: must be a multiple of %d, at most 2^62",
			      q->file->path, create->size, SECTOR_SIZE);
	return 0;
}

static u32 add_extension(u8 *first, u32 at, u32 type, const void *data, u32 len)
{
	put_be32(first + at, type);
	put_be32(first + at + 4, len);
	memcpy(first + at + 8, data, len);
	return at + 8 + ((len + 7) & ~7U);
}

static u32 add_feature_names(u8 *first, u32 at)
{
	static const struct {
		u8 type, bit;
		char name[FEATURE_NAME_SIZE - 2];
	} names[] = {
		{ 0, 0, "dirty bit" }, { 0, 1, "corrupt bit" }, { 0, 3, "compression type" },
		{ 1, 0, "lazy refcounts" },
	};

	static_assert(sizeof(names[0]) == FEATURE_NAME_SIZE, "as the specification says");
	return add_extension(first, at, EXT_FEATURE_NAMES, names, sizeof(names));
}

/* Room that is needed behind the header: extensions with their end, backing file's name. */
static u64 room_needed(const struct block_create *create, bool names)
{
	u64 room = 8;

	if (names)
		room += 8 + 4 * FEATURE_NAME_SIZE;
	if (create->backing_format)
		room += 8 + ((strlen(create->backing_format) + 7) & ~7ULL);
	return room + (create->backing_path ? strlen(create->backing_path) : 0);
}

/* The first cluster; its first sector has no magic yet. */
static int write_first(struct qcow2 *q, const struct block_create *create)
{
	bool names = q->version >= 3 &&
		     q->header_length + room_needed(create, true) <= q->cluster_size;
	u32 at = q->header_length, len;
	u8 *first;
	int ret;

	if (create->backing_path && (strlen(create->backing_path) > 1023 ||
	    q->header_length + room_needed(create, false) > q->cluster_size))
		return report("disk %s: the backing file's name is too long for the header",
			      q->file->path);
	first = qcow2_alloc_buffer(q->cluster_size);
	if (!first)
		return report("disk %s: out of memory", q->file->path);
	if (create->backing_format && create->backing_path)
		at = add_extension(first, at, EXT_BACKING_FORMAT, create->backing_format,
				   (u32)strlen(create->backing_format));
	if (names)
		at = add_feature_names(first, at);
	at += 8;	/* type 0 ends them */
	if (create->backing_path) {
		len = (u32)strlen(create->backing_path);
		memcpy(first + at, create->backing_path, len);
		put_be64(first + H_BACKING_OFFSET, at);
		put_be32(first + H_BACKING_SIZE, len);
	}
	put_be32(first + H_VERSION, q->version);
	put_be32(first + H_CLUSTER_BITS, q->cluster_bits);
	if (q->version >= 3) {
		put_be32(first + H_REFCOUNT_ORDER, q->refcount_order);
		put_be32(first + H_LENGTH, q->header_length);
		first[H_COMPRESSION] = q->compression;
	}
	memcpy(q->head, first, SECTOR_SIZE);
	put_be32(q->head + H_MAGIC, QCOW2_MAGIC);
	ret = qcow2_grow_file(q, q->cluster_size);
	if (!ret)
		ret = host_file_write(q->file, first, q->cluster_size, 0);
	free(first);
	return ret ? report("disk %s: cannot write it: %s", q->file->path, strerror(-ret)) : 0;
}

/* Give every guest cluster a host cluster, of zeroes. */
static int map_all(struct qcow2 *q, unsigned int preallocation)
{
	u64 cluster = 0, end = clusters_for(q, q->image_size), i, nr, *entries, first;
	struct page *page;
	int ret = 0;

	while (!ret && cluster < end) {
		s64 got = 0;

		ret = qcow2_prepare_change(q);
		if (ret)
			break;
		pthread_mutex_lock(&q->lock);
		ret = qcow2_entries_for_write(q, cluster, &entries, &nr, &page);
		if (nr > end - cluster)
			nr = end - cluster;
		if (!ret)
			got = qcow2_alloc(q, nr, 1, &first);
		if (!ret && got < 0)
			ret = (int)got;
		/* Allocating may have thrown out the page. */
		if (!ret)
			ret = qcow2_entries_for_write(q, cluster, &entries, &nr, &page);
		for (i = 0; !ret && i < (u64)got; i++)
			entries[i] = htobe64((first + i) << q->cluster_bits | ENTRY_COPIED);
		if (!ret)
			qcow2_page_dirty(q, page);
		pthread_mutex_unlock(&q->lock);
		if (!ret && preallocation >= PREALLOC_FALLOC)
			ret = host_file_allocate(q->file, first << q->cluster_bits,
						 (u64)got << q->cluster_bits,
						 preallocation == PREALLOC_FULL);
		cluster += (u64)got;
	}
	return ret;
}

static int make(struct qcow2 *q, const struct options *o, const struct block_create *create)
{
	u64 need = qcow2_l1_size(q, create->size), *l1 = NULL;
	struct new_state state = { .size = create->size };
	int ret;

	if (need > MAX_L1_BYTES / sizeof(u64))
		return report("disk %s: %llu bytes are too many for clusters of %u bytes",
			      q->file->path, create->size, q->cluster_size);
	if (write_first(q, create))
		return -1;
	l1 = calloc(need ? need : 1, sizeof(u64));
	state.l1 = l1;
	state.l1_size = (u32)need;
	ret = l1 ? qcow2_begin_switch(q) : -ENOMEM;
	if (!ret) {
		ret = qcow2_switch(q, &state);
		qcow2_end_switch(q);
	}
	free(l1);
	if (!ret && o->preallocation)
		ret = map_all(q, o->preallocation);
	if (!ret)
		ret = qcow2_finish(q);
	return ret ? report("disk %s: cannot write it: %s", q->file->path, strerror(-ret)) : 0;
}

int qcow2_create(struct host_file *file, const struct block_create *create)
{
	struct qcow2 *q = qcow2_new(file);
	struct options o = { .q = q };
	int ret;

	if (!q)
		return report("disk %s: out of memory", file->path);
	q->version = 3;
	q->cluster_bits = DEFAULT_CLUSTER_BITS;
	q->refcount_order = 4;
	ret = create->options ? config_keys("-o", create->options, take_option, &o) : 0;
	if (!ret)
		ret = check_options(&o, create);
	if (!ret)
		ret = host_file_empty(file);
	if (!ret) {
		qcow2_derive(q);
		if (q->compression)
			q->incompat |= INCOMPAT_COMPRESSION;
		q->header_length = q->version < 3 ? H_V2_LENGTH : H_OUR_LENGTH;
		q->zero_from = file->is_device ? UINT64_MAX : 0;
		q->l1.type = META_L1;
		q->reftable.type = META_REFTABLE;
		ret = file->is_device ? host_file_size(file, &q->file_size) : 0;
		if (!ret)
			ret = qcow2_cache_init(q) ? report("disk %s: out of memory", file->path) :
						    make(q, &o, create);
	}
	q->file = NULL;		/* the caller's */
	qcow2_delete(q);
	return ret ? -1 : 0;
}
