// SPDX-License-Identifier: GPL-2.0
/*
 * VDI images, VirtualBox's format: a header, a map with an entry for each MiB of the disk, and the
 * blocks that the map points to, in the order in which they were first written.
 *
 * Blocks are never given up, only punched: other programs append at the number of blocks that the
 * header says. The file grows ahead of its blocks, and the new size is on stable storage before a
 * map entry is written, so that no entry points behind the end of the file, whatever ends us.
 *
 * Source: "All about VDIs" (forums.virtualbox.org, tutorials), VDI header version 1.1.
 */
#include <endian.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "block/file.h"
#include "block/format.h"
#include "config_parse.h"
#include "iov.h"
#include "report.h"
#include "types.h"

#define VDI_SIGNATURE		0xbeda107fU
#define VDI_VERSION		0x00010001U
#define VDI_TEXT		"<<< Oracle VM VirtualBox Disk Image >>>\n"
#define VDI_HEADER_SIZE		0x190		/* from header_size on */
#define VDI_TYPE_DYNAMIC	1
#define VDI_TYPE_FIXED		2
#define VDI_BLOCK_SIZE		(1U << 20)
#define VDI_FREE		0xffffffffU	/* nothing was ever written */
#define VDI_ZERO		0xfffffffeU	/* discarded: zeroes */
#define VDI_MAX_BLOCKS		(16U << 20)	/* 16 TiB: a map of 64 MiB */
#define GROW_BLOCKS		32

struct vdi_header {
	char text[64];
	u32 signature;
	u32 version;
	u32 header_size;
	u32 type;
	u32 flags;
	char description[256];
	u32 map_offset;
	u32 data_offset;
	u32 geometry[3];
	u32 sector_size;
	u32 unused;
	u64 disk_size;
	u32 block_size;
	u32 block_extra;
	u32 blocks;
	u32 blocks_allocated;
	u8 uuid_image[16];
	u8 uuid_snapshot[16];
	u8 uuid_link[16];
	u8 uuid_parent[16];
	u8 unused2[56];
} __packed;
static_assert(sizeof(struct vdi_header) == 512, "the header is a sector");
static_assert(offsetof(struct vdi_header, disk_size) == 0x170, "disk_size");
static_assert(offsetof(struct vdi_header, blocks_allocated) == 0x184, "blocks_allocated");

/**
 * struct vdi - an open image
 * @header: as in the file, little endian; @lock guards blocks_allocated
 * @map: an entry for each block, host byte order: entries change from VDI_FREE or VDI_ZERO to a
 *	number, under @lock, once
 * @blocks: entries of @map
 * @next: number of the next block to append
 * @data_offset: where block 0 lies
 * @end: bytes of the file that certainly exist
 * @lock: one appends at a time
 */
struct vdi {
	struct block blk;
	struct host_file *file;
	struct vdi_header header;
	_Atomic u32 *map;
	u32 blocks;
	u32 next;
	u64 map_offset;
	u64 data_offset;
	u64 end;
	pthread_mutex_t lock;
};

static struct vdi *to_vdi(struct block *blk)
{
	return (struct vdi *)blk;
}

static u64 block_offset(const struct vdi *vdi, u32 entry)
{
	return vdi->data_offset + (u64)entry * VDI_BLOCK_SIZE;
}

static bool vdi_probe(const void *head, size_t len)
{
	const struct vdi_header *h = head;

	return len >= sizeof(*h) && le32toh(h->signature) == VDI_SIGNATURE;
}

static bool is_null_uuid(const u8 *uuid)
{
	static const u8 none[16];

	return !memcmp(uuid, none, sizeof(none));
}

static int check_header(const char *path, const struct vdi_header *h)
{
	u64 size = le64toh(h->disk_size), blocks = le32toh(h->blocks);
	u32 type = le32toh(h->type);

	if (le32toh(h->signature) != VDI_SIGNATURE)
		return report("disk %s: is no VDI image", path);
	if (le32toh(h->version) != VDI_VERSION)
		return report("disk %s: VDI version %u.%u is not supported; use 1.1", path,
			      le32toh(h->version) >> 16, le32toh(h->version) & 0xffff);
	if (type != VDI_TYPE_DYNAMIC && type != VDI_TYPE_FIXED)
		return report("disk %s: VDI type %u is not supported; use 1 (dynamic) or 2 (fixed)",
			      path, type);
	if (!is_null_uuid(h->uuid_link) || !is_null_uuid(h->uuid_parent))
		return report("disk %s: is a VDI difference to another image, which is not "
			      "supported; clone it in VirtualBox", path);
	if (le32toh(h->sector_size) != SECTOR_SIZE || le32toh(h->block_size) != VDI_BLOCK_SIZE ||
	    h->block_extra)
		return report("disk %s: VDI sectors of %u and blocks of %u+%u bytes are not "
			      "supported; use 512 and 1048576", path, le32toh(h->sector_size),
			      le32toh(h->block_size), le32toh(h->block_extra));
	if (!size || size > (u64)VDI_MAX_BLOCKS * VDI_BLOCK_SIZE)
		return report("disk %s: a VDI disk of %llu bytes is not supported; 1 byte to "
			      "16 TiB are", path, size);
	if (blocks > VDI_MAX_BLOCKS || blocks * VDI_BLOCK_SIZE < size)
		return report("disk %s: is damaged: %llu blocks for a disk of %llu bytes", path,
			      blocks, size);
	return 0;
}

static int check_layout(const struct vdi *vdi, u64 file_size)
{
	const char *path = vdi->file->path;
	u64 map_end = vdi->map_offset + (u64)vdi->blocks * sizeof(u32);

	if (vdi->map_offset < sizeof(vdi->header) || vdi->map_offset % SECTOR_SIZE ||
	    vdi->data_offset % SECTOR_SIZE || vdi->data_offset < map_end)
		return report("disk %s: is damaged: its map at %llu or its data at %llu cannot be "
			      "there", path, vdi->map_offset, vdi->data_offset);
	if (map_end > file_size)
		return report("disk %s: is truncated: it ends within its map", path);
	return 0;
}

/* Each block is in use once, and in the file. Finds the number of the next one to append. */
static int check_map(struct vdi *vdi, u64 file_size)
{
	const char *path = vdi->file->path;
	u8 *seen = calloc(vdi->blocks / 8 + 1, 1);
	u32 i, entry, used = 0;
	int ret = 0;

	if (!seen)
		return report("out of memory");
	for (i = 0; i < vdi->blocks && !ret; i++) {
		entry = vdi->map[i];
		if (entry >= VDI_ZERO)
			continue;
		used++;
		if (entry >= vdi->blocks)
			ret = report("disk %s: is damaged: block %u is at number %u of %u", path, i,
				     entry, vdi->blocks);
		else if (seen[entry / 8] & BIT(entry % 8))
			ret = report("disk %s: is damaged: block %u shares its place with another "
				     "one", path, i);
		else if (block_offset(vdi, entry) + VDI_BLOCK_SIZE > file_size)
			ret = report("disk %s: is truncated: block %u is behind its end", path, i);
		else
			seen[entry / 8] |= (u8)BIT(entry % 8);
		if (entry >= vdi->next)
			vdi->next = entry + 1;
	}
	free(seen);
	return ret;
}

static int read_map(struct vdi *vdi, u64 file_size)
{
	size_t bytes = (size_t)vdi->blocks * sizeof(u32);
	u32 *raw = malloc(bytes), i;
	int err;

	vdi->map = malloc(vdi->blocks * sizeof(*vdi->map));
	if (!raw || !vdi->map) {
		free(raw);
		return report("out of memory");
	}
	err = host_file_read(vdi->file, raw, bytes, vdi->map_offset);
	for (i = 0; !err && i < vdi->blocks; i++)
		atomic_init(&vdi->map[i], le32toh(raw[i]));
	free(raw);
	if (err)
		return report("disk %s: cannot read its map: %s", vdi->file->path, strerror(-err));
	return check_map(vdi, file_size);
}

static int read_all(struct vdi *vdi)
{
	const char *path = vdi->file->path;
	struct vdi_header *h = &vdi->header;
	u64 size;
	int err = host_file_size(vdi->file, &size);

	if (!err && size < sizeof(*h))
		return report("disk %s: is truncated: it has no VDI header", path);
	if (!err)
		err = host_file_read(vdi->file, h, sizeof(*h), 0);
	if (err)
		return report("disk %s: cannot read its header: %s", path, strerror(-err));
	if (check_header(path, h))
		return -1;
	vdi->blocks = le32toh(h->blocks);
	vdi->map_offset = le32toh(h->map_offset);
	vdi->data_offset = le32toh(h->data_offset);
	/* QEMU makes disks of any number of bytes; the last sector is there in full. */
	vdi->blk.size = (le64toh(h->disk_size) + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE;
	vdi->end = vdi->file->is_device ? 0 : size;
	return check_layout(vdi, size) || read_map(vdi, size) ? -1 : 0;
}

static void vdi_free(struct vdi *vdi)
{
	pthread_mutex_destroy(&vdi->lock);
	host_file_close(vdi->file);
	free(vdi->map);
	free(vdi);
}

static struct block *vdi_open(struct host_file *file, const struct block_options *opts,
			      char **backing_path, char **backing_format)
{
	struct vdi *vdi = calloc(1, sizeof(*vdi));

	(void)opts;
	(void)backing_path;
	(void)backing_format;
	if (!vdi) {
		report("out of memory");
		host_file_close(file);
		return NULL;
	}
	pthread_mutex_init(&vdi->lock, NULL);
	vdi->file = file;
	if (read_all(vdi)) {
		vdi_free(vdi);
		return NULL;
	}
	vdi->blk.cluster_size = VDI_BLOCK_SIZE;
	return &vdi->blk;
}

static void vdi_close(struct block *blk)
{
	struct vdi *vdi = to_vdi(blk);
	u64 size, used = block_offset(vdi, vdi->next);

	/* Give back what the file grew ahead. */
	if (!vdi->file->readonly && !vdi->file->is_device &&
	    !host_file_size(vdi->file, &size) && size > used &&
	    size <= used + (u64)GROW_BLOCKS * VDI_BLOCK_SIZE)
		(void)host_file_truncate(vdi->file, used);
	vdi_free(vdi);
}

/* What @offset has: its map entry, and how much of @len is in the same block. */
static u32 look_up(struct vdi *vdi, u64 offset, u64 len, u64 *part)
{
	u64 left = VDI_BLOCK_SIZE - offset % VDI_BLOCK_SIZE;

	*part = len < left ? len : left;
	return atomic_load_explicit(&vdi->map[offset / VDI_BLOCK_SIZE], memory_order_acquire);
}

/* The file holds @vdi's next block, which reads as zeroes. */
static int make_room(struct vdi *vdi)
{
	u64 start = block_offset(vdi, vdi->next), end = start + VDI_BLOCK_SIZE;
	u64 most = block_offset(vdi, vdi->blocks), size;
	int err;

	if (end <= vdi->end || vdi->file->is_device)
		/* Nobody knows what is there: a block that another program gave up, perhaps. */
		return host_file_zero(vdi->file, start, VDI_BLOCK_SIZE, true);
	err = host_file_size(vdi->file, &size);
	if (!err && size > start)
		err = host_file_zero(vdi->file, start, size - start, true);
	if (err)
		return err;
	end += (u64)GROW_BLOCKS * VDI_BLOCK_SIZE;
	if (end > most)
		end = most;
	err = host_file_truncate(vdi->file, end);
	if (!err)
		err = host_file_flush(vdi->file);
	if (!err)
		vdi->end = end;
	return err;
}

/* The map's first entries lie in the page of the header's number of blocks. */
#define PAGE_ENTRIES	((4096 - sizeof(struct vdi_header)) / sizeof(u32))

/*
 * Write the number of blocks and a map entry, at once if they share a page of the file: no signal
 * ends a process within one, and other programs call it an error if the two do not agree. Else the
 * number goes first: one that is too high does no harm.
 */
static int write_entry(struct vdi *vdi, u32 index, u32 entry)
{
	const size_t skip = offsetof(struct vdi_header, blocks_allocated);
	struct {
		struct vdi_header header;
		u32 map[PAGE_ENTRIES];
	} page = { .header = vdi->header };
	size_t len = sizeof(page.header.blocks_allocated);
	u32 le = htole32(entry), i;
	int err;

	page.header.blocks_allocated = htole32(entry + 1);
	if (index < PAGE_ENTRIES && vdi->map_offset == sizeof(page.header)) {
		for (i = 0; i < index; i++)
			page.map[i] = htole32(vdi->map[i]);
		page.map[index] = le;
		len = sizeof(page.header) + (index + 1) * sizeof(le) - skip;
	}
	err = host_file_write(vdi->file, (u8 *)&page + skip, len, skip);
	if (!err && len == sizeof(page.header.blocks_allocated))
		err = host_file_write(vdi->file, &le, sizeof(le),
				      vdi->map_offset + (u64)index * sizeof(le));
	if (!err)
		vdi->header.blocks_allocated = page.header.blocks_allocated;
	return err;
}

/* The first write to a block: append it, then let the map point to it. Called with the lock. */
static int append(struct vdi *vdi, const struct iovec *iov, unsigned int nr, u64 offset)
{
	u32 index = (u32)(offset / VDI_BLOCK_SIZE), entry = vdi->next;
	int err;

	if (entry >= vdi->blocks)
		return -ENOSPC;	/* leaked blocks took the place: the image needs a check */
	err = make_room(vdi);
	if (!err)
		err = host_file_writev(vdi->file, iov, nr,
				       block_offset(vdi, entry) + offset % VDI_BLOCK_SIZE);
	if (!err)
		err = write_entry(vdi, index, entry);
	if (err)
		return err;
	vdi->next++;
	atomic_store_explicit(&vdi->map[index], entry, memory_order_release);
	return 0;
}

/* Within one block. */
static int write_part(struct vdi *vdi, const struct iovec *iov, unsigned int nr, u64 offset)
{
	u64 part;
	u32 entry = look_up(vdi, offset, 1, &part);
	int err;

	if (entry >= VDI_ZERO) {
		pthread_mutex_lock(&vdi->lock);
		entry = look_up(vdi, offset, 1, &part);
		if (entry >= VDI_ZERO) {
			err = append(vdi, iov, nr, offset);
			pthread_mutex_unlock(&vdi->lock);
			return err;
		}
		pthread_mutex_unlock(&vdi->lock);
	}
	return host_file_writev(vdi->file, iov, nr,
				block_offset(vdi, entry) + offset % VDI_BLOCK_SIZE);
}

static int read_part(struct vdi *vdi, const struct iovec *iov, unsigned int nr, u64 offset)
{
	u64 part;
	u32 entry = look_up(vdi, offset, 1, &part);

	if (entry < VDI_ZERO)
		return host_file_readv(vdi->file, iov, nr,
				       block_offset(vdi, entry) + offset % VDI_BLOCK_SIZE);
	iov_zero(iov, nr, 0, UINT64_MAX);
	return 0;
}

/* Cut a transfer at the borders of blocks. */
static int in_parts(struct vdi *vdi, const struct iovec *iov, unsigned int nr, u64 offset,
		    int (*fn)(struct vdi *vdi, const struct iovec *iov, unsigned int nr,
			      u64 offset))
{
	u64 len = iov_len(iov, nr), done, part;
	struct iovec *slice;
	int err = 0;

	look_up(vdi, offset, len, &part);
	if (part == len)
		return fn(vdi, iov, nr, offset);
	slice = calloc(nr, sizeof(*slice));
	if (!slice)
		return -ENOMEM;
	for (done = 0; done < len && !err; done += part) {
		look_up(vdi, offset + done, len - done, &part);
		err = fn(vdi, slice, iov_slice(iov, nr, done, part, slice), offset + done);
	}
	free(slice);
	return err;
}

static int vdi_readv(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	return in_parts(to_vdi(blk), iov, nr, offset, read_part);
}

static int vdi_writev(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	return in_parts(to_vdi(blk), iov, nr, offset, write_part);
}

/* Call @fn on the parts of a range that have blocks; the others read as zeroes already. */
static int on_blocks(struct vdi *vdi, u64 offset, u64 len,
		     int (*fn)(struct host_file *f, u64 offset, u64 len, bool unmap), bool unmap)
{
	u64 part;
	u32 entry;
	int err = 0;

	for (; len && !err; offset += part, len -= part) {
		entry = look_up(vdi, offset, len, &part);
		if (entry < VDI_ZERO)
			err = fn(vdi->file, block_offset(vdi, entry) + offset % VDI_BLOCK_SIZE,
				 part, unmap);
	}
	return err;
}

static int vdi_write_zeroes(struct block *blk, u64 offset, u64 len, bool unmap)
{
	return on_blocks(to_vdi(blk), offset, len, host_file_zero, unmap);
}

static int punch(struct host_file *f, u64 offset, u64 len, bool unmap)
{
	int ret = host_file_punch(f, offset, len);

	(void)unmap;
	return ret == -EOPNOTSUPP ? 0 : ret;
}

static int vdi_discard(struct block *blk, u64 offset, u64 len)
{
	return on_blocks(to_vdi(blk), offset, len, punch, true);
}

static int vdi_flush(struct block *blk)
{
	return host_file_flush(to_vdi(blk)->file);
}

static int vdi_map(struct block *blk, u64 offset, u64 len, bool write, struct block_extent *ext)
{
	struct vdi *vdi = to_vdi(blk);
	u32 entry = look_up(vdi, offset, len, &ext->len);

	(void)write;
	ext->kind = BLOCK_ZERO;
	if (entry < VDI_ZERO) {
		ext->kind = BLOCK_DATA;
		ext->fd = vdi->file->fd;
		ext->host_offset = block_offset(vdi, entry) + offset % VDI_BLOCK_SIZE;
	}
	return 0;
}

static void vdi_hold(struct block *blk)
{
	host_file_hold(to_vdi(blk)->file);
}

static void vdi_release(struct block *blk)
{
	host_file_release(to_vdi(blk)->file);
}

static int vdi_option(void *opaque, const char *arg, const char *key, const char *value)
{
	bool *fixed = opaque;

	if (strcmp(key, "static"))
		return report("-o %s: vdi has no option '%s'; use static", arg, key);
	*fixed = !strcmp(value, "on");
	return *fixed || !strcmp(value, "off") ? 0 :
		report("-o %s: static is on or off, not '%s'", arg, value);
}

/* Random UUIDs (RFC 4122, version 4): VirtualBox tells images apart by them. */
static int new_uuid(u8 *uuid)
{
	if (getrandom(uuid, 16, 0) != 16)
		return -EIO;
	uuid[6] = (u8)((uuid[6] & 0x0f) | 0x40);
	uuid[8] = (u8)((uuid[8] & 0x3f) | 0x80);
	return 0;
}

static int write_new(struct host_file *file, struct vdi_header *h, bool fixed)
{
	u32 blocks = le32toh(h->blocks), data_offset = le32toh(h->data_offset), i;
	size_t bytes = data_offset - sizeof(*h);
	u32 *map = malloc(bytes);
	u64 size = data_offset;
	int err;

	if (!map)
		return -ENOMEM;
	memset(map, 0, bytes);
	for (i = 0; i < blocks; i++)
		map[i] = fixed ? htole32(i) : htole32(VDI_FREE);
	if (fixed)
		size += (u64)blocks * VDI_BLOCK_SIZE;
	err = host_file_truncate(file, size);
	/* A device may hold anything. */
	if (!err && fixed && file->is_device)
		err = host_file_zero(file, data_offset, size - data_offset, true);
	if (!err)
		err = host_file_write(file, map, bytes, sizeof(*h));
	if (!err)
		err = host_file_write(file, h, sizeof(*h), 0);
	free(map);
	return err;
}

static int vdi_create(struct host_file *file, const struct block_create *create)
{
	struct vdi_header h = { .text = VDI_TEXT };
	u64 blocks = (create->size + VDI_BLOCK_SIZE - 1) / VDI_BLOCK_SIZE;
	bool fixed = false;
	int err;

	if (create->backing_path)
		return report("disk %s: VDI images have no backing image", file->path);
	if (create->options && config_keys("-o", create->options, vdi_option, &fixed))
		return -1;
	if (blocks > VDI_MAX_BLOCKS)
		return report("disk %s: %llu bytes are too much for VDI; at most 16 TiB",
			      file->path, create->size);
	h.signature = htole32(VDI_SIGNATURE);
	h.version = htole32(VDI_VERSION);
	h.header_size = htole32(VDI_HEADER_SIZE);
	h.type = htole32(fixed ? VDI_TYPE_FIXED : VDI_TYPE_DYNAMIC);
	h.map_offset = htole32(sizeof(h));
	h.data_offset = htole32((u32)((sizeof(h) + blocks * 4 + 4095) / 4096 * 4096));
	h.sector_size = htole32(SECTOR_SIZE);
	h.disk_size = htole64(create->size);
	h.block_size = htole32(VDI_BLOCK_SIZE);
	h.blocks = htole32((u32)blocks);
	h.blocks_allocated = htole32(fixed ? (u32)blocks : 0);
	if (host_file_empty(file))
		return -1;
	err = new_uuid(h.uuid_image);
	if (!err)
		err = new_uuid(h.uuid_snapshot);
	if (!err)
		err = write_new(file, &h, fixed);
	return err ? report("disk %s: cannot write it: %s", file->path, strerror(-err)) : 0;
}

/* What makes an image unusable was found on opening; what is left is the number of blocks. */
static int vdi_check(struct block *blk, unsigned int repair, struct block_check *result)
{
	struct vdi *vdi = to_vdi(blk);
	u32 counted = le32toh(vdi->header.blocks_allocated), used = 0, highest = 0, i, entry;

	for (i = 0; i < vdi->blocks; i++) {
		entry = vdi->map[i];
		if (entry >= VDI_ZERO)
			continue;
		used++;
		if (entry >= highest)
			highest = entry + 1;
	}
	result->total_clusters = vdi->blocks;
	result->allocated_clusters = used;
	result->image_end_offset = block_offset(vdi, vdi->next);
	if (counted < highest || counted > vdi->blocks) {
		/* Another program would write over a block that is in use. */
		report("disk %s: the header says %u blocks; there are %u", blk->path, counted,
		       highest);
		if (repair == BLOCK_REPAIR_ALL) {
			u32 le = htole32(highest);
			int err = host_file_write(vdi->file, &le, sizeof(le),
						  offsetof(struct vdi_header, blocks_allocated));
			if (err)
				return err;
			vdi->header.blocks_allocated = le;
			vdi->next = highest;
			result->corruptions_fixed++;
			counted = highest;
		} else {
			result->corruptions++;
		}
	}
	if (counted > used && !result->corruptions)
		result->leaks += counted - used;
	return 0;
}

const struct block_format block_vdi = {
	.name = "vdi", .probe = vdi_probe, .open = vdi_open, .create = vdi_create,
	.close = vdi_close, .readv = vdi_readv, .writev = vdi_writev,
	.write_zeroes = vdi_write_zeroes, .discard = vdi_discard, .flush = vdi_flush,
	.map = vdi_map, .hold = vdi_hold, .release = vdi_release, .check = vdi_check,
};
