// SPDX-License-Identifier: GPL-2.0
/*
 * VMDK images, VMware's format, for reading: one sparse file with the descriptor inside, or a
 * descriptor file beside flat files.
 *
 * A descriptor is text; it names the extents that make up the disk, in order. A sparse extent has
 * a grain directory that points to grain tables, which point to grains of a power of two of
 * sectors. Tables are looked up as needed: a header can ask for no more memory than a few of them.
 *
 * Source: VMware, "Virtual Disk Format 5.0" (technical note).
 */
#include <ctype.h>
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/file.h"
#include "block/format.h"
#include "report.h"
#include "types.h"

#define VMDK_MAGIC		"KDMV"
#define VMDK_COMPRESSED		BIT(16)
#define VMDK_MARKERS		BIT(17)
#define VMDK_ZERO_GRAINS	BIT(2)
#define VMDK_GD_AT_END		UINT64_MAX
#define VMDK_TABLE_ENTRIES	512
#define VMDK_MIN_GRAIN		8ULL		/* sectors */
#define VMDK_MAX_GRAIN		(1ULL << 17)	/* 64 MiB */
#define VMDK_MAX_SECTORS	(1ULL << 37)	/* 64 TiB */
#define VMDK_DESCRIPTOR_MAX	65536
#define VMDK_MAX_EXTENTS	256
#define CACHED_TABLES		32

struct vmdk_header {
	char magic[4];
	u32 version;
	u32 flags;
	u64 capacity;
	u64 grain_size;
	u64 descriptor_offset;
	u64 descriptor_size;
	u32 table_entries;
	u64 redundant_directory;
	u64 directory;
	u64 overhead;
	u8 unclean;
	char line_ends[4];
	u16 compression;
	u8 unused[433];
} __packed;
static_assert(sizeof(struct vmdk_header) == 512, "the header is a sector");

/* A grain table in memory; host byte order. */
struct vmdk_table {
	bool valid;
	u64 index;
	u32 grain[VMDK_TABLE_ENTRIES];
};

enum extent_kind { EXTENT_SPARSE, EXTENT_FLAT, EXTENT_ZERO };

/**
 * struct vmdk_extent - a part of the disk
 * @kind: how it is stored
 * @start: first byte of the disk
 * @len: bytes
 * @file: sparse: the image's; flat: its own; NULL if it is zeroes
 * @file_size: of @file
 * @offset: flat: where it starts in @file
 * @grain: sparse: bytes
 * @directory: sparse: where the grain directory is, bytes
 * @overhead: sparse: no grain lies before it, bytes
 * @zero_grains: sparse: grain 1 means zeroes
 */
struct vmdk_extent {
	enum extent_kind kind;
	u64 start;
	u64 len;
	struct host_file *file;
	u64 file_size;
	u64 offset;
	u64 grain;
	u64 directory;
	u64 overhead;
	bool zero_grains;
};

/**
 * struct vmdk - an open image
 * @file: as opened: the sparse extent, or the descriptor
 * @extent: the disk, without gaps
 * @nr_extents: entries of @extent
 * @lock: guards @table
 * @table: the sparse extent's grain tables, each at its number modulo CACHED_TABLES
 */
struct vmdk {
	struct block blk;
	struct host_file *file;
	struct vmdk_extent *extent;
	unsigned int nr_extents;
	pthread_mutex_t lock;
	struct vmdk_table *table;
};

static struct vmdk *to_vmdk(struct block *blk)
{
	return (struct vmdk *)blk;
}

/* A descriptor may begin with other comments and empty lines. */
static bool is_descriptor(const char *text, size_t len)
{
	static const char first[] = "# Disk DescriptorFile";

	while (len >= sizeof(first) - 1) {
		const char *end = memchr(text, '\n', len);

		if (!memcmp(text, first, sizeof(first) - 1))
			return true;
		if (!end || (*text != '#' && *text != '\r' && *text != '\n'))
			return false;
		len -= (size_t)(end + 1 - text);
		text = end + 1;
	}
	return false;
}

static bool vmdk_probe(const void *head, size_t len)
{
	return (len >= sizeof(struct vmdk_header) && !memcmp(head, VMDK_MAGIC, 4)) ||
	       is_descriptor(head, len);
}

/* The value of "key=value" or "key="value"" in a descriptor; empty if there is none. */
static void descriptor_value(const char *text, const char *key, char *value, size_t size)
{
	size_t key_len = strlen(key), n;

	*value = '\0';
	while (*text) {
		const char *line = text + strspn(text, " \t");

		if (!strncasecmp(line, key, key_len)) {
			line += key_len;
			line += strspn(line, " \t");
			if (*line == '=') {
				line++;
				line += strspn(line, " \t\"");
				n = strcspn(line, "\"\r\n");
				snprintf(value, size, "%.*s", (int)(n < size ? n : size), line);
				return;
			}
		}
		text += strcspn(text, "\n");
		text += *text == '\n';
	}
}

/* Text of up to VMDK_DESCRIPTOR_MAX bytes, ended by a 0; NULL after a report. */
static char *read_descriptor(struct host_file *file, u64 offset, u64 len)
{
	char *text;
	u64 size;
	int err = host_file_size(file, &size);

	if (!err && (!len || len > VMDK_DESCRIPTOR_MAX || offset > size || len > size - offset)) {
		report("disk %s: is damaged: its descriptor of %llu bytes at %llu cannot be there",
		       file->path, len, offset);
		return NULL;
	}
	text = calloc(1, (size_t)len + 1);
	if (!text) {
		report("out of memory");
		return NULL;
	}
	if (!err)
		err = host_file_read(file, text, (size_t)len, offset);
	if (err) {
		report("disk %s: cannot read its descriptor: %s", file->path, strerror(-err));
		free(text);
		return NULL;
	}
	return text;
}

static int check_descriptor(const char *path, const char *text, bool embedded)
{
	const char *const good = embedded ? "monolithicSparse" : "monolithicFlat";
	char type[64], parent[32];

	if (!is_descriptor(text, strlen(text)))
		return report("disk %s: has no VMDK descriptor", path);
	descriptor_value(text, "createType", type, sizeof(type));
	if (strcmp(type, good) && (embedded || strcmp(type, "twoGbMaxExtentFlat")))
		return report("disk %s: VMDK type '%s' is not supported; use %s", path, type,
			      embedded ? good : "monolithicFlat or twoGbMaxExtentFlat");
	descriptor_value(text, "parentCID", parent, sizeof(parent));
	if (*parent && strcasecmp(parent, "ffffffff"))
		return report("disk %s: is a VMDK snapshot of another image, which is not "
			      "supported; consolidate it", path);
	return 0;
}

static int check_header(const char *path, const struct vmdk_header *h, u64 file_size)
{
	u64 capacity = le64toh(h->capacity), grain = le64toh(h->grain_size);
	u64 directory = le64toh(h->directory), tables;
	u32 flags = le32toh(h->flags), version = le32toh(h->version);
	u64 overhead = le64toh(h->overhead);

	if (version < 1 || version > 3)
		return report("disk %s: VMDK version %u is not supported; use 1 to 3", path,
			      version);
	if (directory == VMDK_GD_AT_END || h->compression ||
	    (flags & (VMDK_COMPRESSED | VMDK_MARKERS)))
		return report("disk %s: a compressed (streamOptimized) VMDK is not supported; "
			      "use monolithicSparse", path);
	if (!capacity || capacity > VMDK_MAX_SECTORS)
		return report("disk %s: a VMDK disk of %llu sectors is not supported; 1 to "
			      "%llu are", path, capacity, VMDK_MAX_SECTORS);
	if (grain < VMDK_MIN_GRAIN || grain > VMDK_MAX_GRAIN || (grain & (grain - 1)) ||
	    le32toh(h->table_entries) != VMDK_TABLE_ENTRIES)
		return report("disk %s: is damaged: grains of %llu sectors, tables of %u entries",
			      path, grain, le32toh(h->table_entries));
	tables = (capacity - 1) / (grain * VMDK_TABLE_ENTRIES) + 1;
	if (!directory || directory > file_size / SECTOR_SIZE ||
	    tables * sizeof(u32) > file_size - directory * SECTOR_SIZE)
		return report("disk %s: is truncated or damaged: its directory of %llu entries at "
			      "sector %llu is not in the file", path, tables, directory);
	if (overhead > file_size / SECTOR_SIZE)
		return report("disk %s: is truncated or damaged: %llu sectors of tables", path,
			      overhead);
	return 0;
}

static int open_sparse(struct vmdk *vmdk)
{
	struct vmdk_extent *e = calloc(1, sizeof(*e));
	struct host_file *file = vmdk->file;
	struct vmdk_header h;
	char *text;
	int err;

	vmdk->extent = e;
	vmdk->table = calloc(CACHED_TABLES, sizeof(*vmdk->table));
	if (!e || !vmdk->table)
		return report("out of memory");
	vmdk->nr_extents = 1;
	e->kind = EXTENT_SPARSE;
	e->file = file;
	err = host_file_size(file, &e->file_size);
	if (!err)
		err = host_file_read(file, &h, sizeof(h), 0);
	if (err)
		return report("disk %s: cannot read its header: %s", file->path, strerror(-err));
	if (check_header(file->path, &h, e->file_size))
		return -1;
	if (le64toh(h.descriptor_offset) > e->file_size / SECTOR_SIZE ||
	    le64toh(h.descriptor_size) > VMDK_DESCRIPTOR_MAX / SECTOR_SIZE)
		return report("disk %s: is truncated or damaged: its descriptor is not in the file",
			      file->path);
	text = read_descriptor(file, le64toh(h.descriptor_offset) * SECTOR_SIZE,
			       le64toh(h.descriptor_size) * SECTOR_SIZE);
	err = text ? check_descriptor(file->path, text, true) : -1;
	free(text);
	if (err)
		return -1;
	e->len = le64toh(h.capacity) * SECTOR_SIZE;
	e->grain = le64toh(h.grain_size) * SECTOR_SIZE;
	e->directory = le64toh(h.directory) * SECTOR_SIZE;
	e->overhead = le64toh(h.overhead) * SECTOR_SIZE;
	e->zero_grains = le32toh(h.flags) & VMDK_ZERO_GRAINS;
	vmdk->blk.size = e->len;
	vmdk->blk.cluster_size = (u32)e->grain;
	return 0;
}

/* The file of a flat extent, beside the descriptor: a name that leads elsewhere is refused. */
static struct host_file *open_extent(struct vmdk *vmdk, const char *name, bool lock)
{
	const char *path = vmdk->file->path, *slash = strrchr(path, '/');
	struct host_file *file;
	char *full;

	if (!*name || strchr(name, '/')) {
		report("disk %s: its extent '%s' is not a file beside it", path, name);
		return NULL;
	}
	if (asprintf(&full, "%.*s%s", slash ? (int)(slash + 1 - path) : 0, path, name) < 0) {
		report("out of memory");
		return NULL;
	}
	file = host_file_open(full, true, vmdk->file->direct, lock);
	free(full);
	return file;
}

/* One line: ACCESS SECTORS TYPE ["NAME" [OFFSET]]. */
static int add_extent(struct vmdk *vmdk, const char *line, bool lock)
{
	struct vmdk_extent *e = &vmdk->extent[vmdk->nr_extents];
	const char *path = vmdk->file->path;
	unsigned long long sectors = 0, offset = 0;
	char type[16] = "", name[256] = "";
	int n;

	if (vmdk->nr_extents == VMDK_MAX_EXTENTS)
		return report("disk %s: more than %d extents", path, VMDK_MAX_EXTENTS);
	n = sscanf(line, "%*s %20llu %15s \"%255[^\"\r\n]\" %20llu", &sectors, type, name, &offset);
	if (n < 2 || !sectors || sectors > VMDK_MAX_SECTORS || offset > VMDK_MAX_SECTORS)
		return report("disk %s: is damaged: extent '%.*s'", path,
			      (int)strcspn(line, "\r\n"), line);
	e->start = vmdk->blk.size;
	e->len = sectors * SECTOR_SIZE;
	e->offset = offset * SECTOR_SIZE;
	e->kind = !strcmp(type, "ZERO") ? EXTENT_ZERO : EXTENT_FLAT;
	if (e->kind == EXTENT_FLAT) {
		if (strcmp(type, "FLAT") || n < 3)
			return report("disk %s: VMDK extent type '%s' is not supported; use FLAT "
				      "or ZERO", path, type);
		e->file = open_extent(vmdk, name, lock);
		if (!e->file)
			return -1;
		vmdk->nr_extents++;
		n = host_file_size(e->file, &e->file_size);
		if (n || e->offset > e->file_size || e->len > e->file_size - e->offset)
			return report("disk %s: its extent '%s' is truncated", path, name);
	} else {
		vmdk->nr_extents++;
	}
	vmdk->blk.size += e->len;
	return vmdk->blk.size / SECTOR_SIZE <= VMDK_MAX_SECTORS ? 0 :
		report("disk %s: is larger than 64 TiB", path);
}

static int open_descriptor(struct vmdk *vmdk, bool lock)
{
	static const char *const access[] = { "RW ", "RDONLY ", "NOACCESS " };
	struct host_file *file = vmdk->file;
	char *text, *line;
	u64 size;
	size_t i;
	int ret = host_file_size(file, &size);

	if (ret)
		return report("disk %s: %s", file->path, strerror(-ret));
	vmdk->extent = calloc(VMDK_MAX_EXTENTS, sizeof(*vmdk->extent));
	if (!vmdk->extent)
		return report("out of memory");
	text = read_descriptor(file, 0, size);
	if (!text)
		return -1;
	ret = check_descriptor(file->path, text, false);
	for (line = text; !ret && *line; line += strcspn(line, "\n"), line += *line == '\n') {
		for (i = 0; i < ARRAY_SIZE(access); i++) {
			if (!strncmp(line, access[i], strlen(access[i])))
				ret = add_extent(vmdk, line, lock);
		}
	}
	free(text);
	if (!ret && !vmdk->blk.size)
		ret = report("disk %s: its descriptor names no extents", file->path);
	return ret;
}

static void vmdk_close(struct block *blk)
{
	struct vmdk *vmdk = to_vmdk(blk);
	unsigned int i;

	for (i = 0; i < vmdk->nr_extents; i++) {
		if (vmdk->extent[i].kind == EXTENT_FLAT)
			host_file_close(vmdk->extent[i].file);
	}
	host_file_close(vmdk->file);
	pthread_mutex_destroy(&vmdk->lock);
	free(vmdk->table);
	free(vmdk->extent);
	free(vmdk);
}

static struct block *vmdk_open(struct host_file *file, const struct block_options *opts,
			       char **backing_path, char **backing_format)
{
	struct vmdk *vmdk = calloc(1, sizeof(*vmdk));
	char magic[4];
	int ret;

	(void)backing_path;
	(void)backing_format;
	if (!vmdk) {
		report("out of memory");
		host_file_close(file);
		return NULL;
	}
	vmdk->file = file;
	pthread_mutex_init(&vmdk->lock, NULL);
	ret = host_file_read(file, magic, sizeof(magic), 0);
	if (ret)
		report("disk %s: cannot read its header: %s", file->path, strerror(-ret));
	else if (memcmp(magic, VMDK_MAGIC, sizeof(magic)))
		ret = open_descriptor(vmdk, !opts->shared_ok);
	else
		ret = open_sparse(vmdk);
	if (!ret)
		return &vmdk->blk;
	vmdk_close(&vmdk->blk);
	return NULL;
}

/* The grain table that covers a grain; NULL and 0 if there is none. Called with the lock. */
static int get_table(struct vmdk *vmdk, const struct vmdk_extent *e, u64 index,
		     const struct vmdk_table **table)
{
	struct vmdk_table *t = &vmdk->table[index % CACHED_TABLES];
	u32 sector;
	size_t i;
	int err;

	*table = t;
	if (t->valid && t->index == index)
		return 0;
	err = host_file_read(e->file, &sector, sizeof(sector),
			     e->directory + index * sizeof(sector));
	if (err)
		return err;
	*table = NULL;
	if (!sector)
		return 0;
	t->valid = false;
	err = host_file_read(e->file, t->grain, sizeof(t->grain),
			     (u64)le32toh(sector) * SECTOR_SIZE);
	if (err)
		return err;
	for (i = 0; i < VMDK_TABLE_ENTRIES; i++)
		t->grain[i] = le32toh(t->grain[i]);
	t->index = index;
	t->valid = true;
	*table = t;
	return 0;
}

/* What a sparse extent has at @offset of it. */
static int sparse_look_up(struct vmdk *vmdk, const struct vmdk_extent *e, u64 offset,
			  struct block_extent *ext)
{
	u64 grain = offset / e->grain, host;
	const struct vmdk_table *table;
	u32 sector = 0;
	int err;

	pthread_mutex_lock(&vmdk->lock);
	err = get_table(vmdk, e, grain / VMDK_TABLE_ENTRIES, &table);
	if (!err && table)
		sector = table->grain[grain % VMDK_TABLE_ENTRIES];
	pthread_mutex_unlock(&vmdk->lock);
	if (err)
		return err;
	ext->kind = BLOCK_ZERO;
	if (!sector || (sector == 1 && e->zero_grains))
		return 0;
	/* A grain within the tables, or behind the end of the file: never data. */
	host = (u64)sector * SECTOR_SIZE;
	ext->kind = BLOCK_DATA;
	ext->host_offset = host + offset % e->grain;
	return host >= e->overhead && ext->host_offset + ext->len <= e->file_size ? 0 : -EIO;
}

static const struct vmdk_extent *find_extent(const struct vmdk *vmdk, u64 offset)
{
	unsigned int low = 0, high = vmdk->nr_extents;

	while (high - low > 1) {
		unsigned int middle = (low + high) / 2;

		if (vmdk->extent[middle].start <= offset)
			low = middle;
		else
			high = middle;
	}
	return &vmdk->extent[low];
}

static int look_up(struct block *blk, u64 offset, u64 len, struct block_extent *ext,
		   struct host_file **file)
{
	struct vmdk *vmdk = to_vmdk(blk);
	const struct vmdk_extent *e = find_extent(vmdk, offset);
	int err = 0;

	offset -= e->start;
	ext->len = len < e->len - offset ? len : e->len - offset;
	*file = e->file;
	switch (e->kind) {
	case EXTENT_ZERO:
		ext->kind = BLOCK_ZERO;
		break;
	case EXTENT_FLAT:
		ext->kind = BLOCK_DATA;
		ext->host_offset = e->offset + offset;
		break;
	case EXTENT_SPARSE:
		if (ext->len > e->grain - offset % e->grain)
			ext->len = e->grain - offset % e->grain;
		err = sparse_look_up(vmdk, e, offset, ext);
		break;
	}
	ext->fd = ext->kind == BLOCK_DATA ? e->file->fd : -1;
	return err;
}

static int vmdk_map(struct block *blk, u64 offset, u64 len, bool write, struct block_extent *ext)
{
	struct host_file *file;

	(void)write;
	return look_up(blk, offset, len, ext, &file);
}

static int vmdk_readv(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	return block_read_extents(blk, iov, nr, offset, look_up);
}

const struct block_format block_vmdk = {
	.name = "vmdk", .probe = vmdk_probe, .open = vmdk_open, .close = vmdk_close,
	.readv = vmdk_readv, .map = vmdk_map,
};
