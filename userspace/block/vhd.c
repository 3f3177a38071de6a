// SPDX-License-Identifier: GPL-2.0
/*
 * VHD images, the format of Virtual PC and of Hyper-V's first generation, fixed and dynamic, for
 * reading.
 *
 * A footer of one sector ends the file; dynamic images have a copy of it at the start and, where it
 * says, a header with the place of the block allocation table. A block is preceded by a bitmap of
 * the sectors that were written. All fields are big endian.
 *
 * Source: Microsoft, "Virtual Hard Disk Image Format Specification", version 1.0.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/file.h"
#include "block/format.h"
#include "report.h"
#include "types.h"

#define VHD_COOKIE		"conectix"
#define VHD_DYNAMIC_COOKIE	"cxsparse"
#define VHD_VERSION		0x00010000U
#define VHD_FIXED		2
#define VHD_DYNAMIC		3
#define VHD_DIFFERENCING	4
#define VHD_UNUSED		0xffffffffU
#define VHD_MAX_SIZE		(1ULL << 41)	/* 2040 GiB is the format's own limit */
#define VHD_MAX_BLOCK		(256U << 20)
#define VHD_MAX_GEOMETRY	(65535ULL * 16 * 255)

struct vhd_footer {
	char cookie[8];
	u32 features;
	u32 version;
	u64 data_offset;
	u32 timestamp;
	char creator_app[4];
	u32 creator_version;
	char creator_os[4];
	u64 original_size;
	u64 current_size;
	u16 cylinders;
	u8 heads;
	u8 sectors;
	u32 type;
	u32 checksum;
	u8 uuid[16];
	u8 saved_state;
	u8 unused[427];
} __packed;
static_assert(sizeof(struct vhd_footer) == 512, "the footer is a sector");

struct vhd_dynamic_header {
	char cookie[8];
	u64 data_offset;
	u64 table_offset;
	u32 version;
	u32 table_entries;
	u32 block_size;
	u32 checksum;
	u8 unused[984];
} __packed;
static_assert(sizeof(struct vhd_dynamic_header) == 1024, "the header is two sectors");

/**
 * struct vhd - an open image
 * @file_size: bytes of @file
 * @block_size: dynamic: bytes of a block's data, a power of two; 0: the image is fixed
 * @bitmap_size: bytes of the bitmap in front of it, whole sectors
 * @table_offset: where the table is
 * @tables_end: no block begins before it
 */
struct vhd {
	struct block blk;
	struct host_file *file;
	u64 file_size;
	u32 block_size;
	u32 bitmap_size;
	u64 table_offset;
	u64 tables_end;
};

static struct vhd *to_vhd(struct block *blk)
{
	return (struct vhd *)blk;
}

/* A fixed image starts with the disk's first sector: only its name or format=vpc tells. */
static bool vhd_probe(const void *head, size_t len)
{
	return len >= sizeof(struct vhd_footer) && !memcmp(head, VHD_COOKIE, 8);
}

/* The sum of all bytes but the checksum's, inverted. */
static u32 checksum(const void *p, size_t len, size_t field)
{
	const u8 *bytes = p;
	u32 sum = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (i < field || i >= field + sizeof(u32))
			sum += bytes[i];
	}
	return ~sum;
}

static bool footer_good(const struct vhd_footer *f)
{
	u32 sum = checksum(f, sizeof(*f), offsetof(struct vhd_footer, checksum));

	return !memcmp(f->cookie, VHD_COOKIE, 8) && be32toh(f->checksum) == sum;
}

/* The one at the end of the file, or the copy at its start. */
static int read_footer(struct vhd *vhd, struct vhd_footer *f)
{
	const char *path = vhd->file->path;
	int err = host_file_size(vhd->file, &vhd->file_size);

	if (!err && vhd->file_size < sizeof(*f))
		return report("disk %s: is truncated: it has no VHD footer", path);
	if (!err)
		err = host_file_read(vhd->file, f, sizeof(*f), vhd->file_size - sizeof(*f));
	if (!err && footer_good(f))
		return 0;
	if (!err)
		err = host_file_read(vhd->file, f, sizeof(*f), 0);
	if (!err && footer_good(f))
		return 0;
	if (err)
		return report("disk %s: cannot read its footer: %s", path, strerror(-err));
	return report("disk %s: has no VHD footer that is whole, neither at its end nor at its "
		      "start", path);
}

/*
 * Virtual PC shows its guest a disk of cylinders x heads x sectors, other programs current_size;
 * those that are known to mean the latter are named here. The largest geometry stands for any size.
 */
static u64 disk_size(const struct vhd_footer *f)
{
	static const char size_apps[][5] = { "win ", "qem2", "d2v ", "CTXS", "tap\0" };
	u64 chs = (u64)be16toh(f->cylinders) * f->heads * f->sectors;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(size_apps); i++) {
		if (!memcmp(f->creator_app, size_apps[i], 4))
			return be64toh(f->current_size);
	}
	return chs && chs < VHD_MAX_GEOMETRY ? chs * SECTOR_SIZE : be64toh(f->current_size);
}

static int check_fixed(struct vhd *vhd)
{
	if (vhd->blk.size > vhd->file_size - sizeof(struct vhd_footer))
		return report("disk %s: is truncated: %llu bytes of a disk of %llu",
			      vhd->file->path, vhd->file_size - sizeof(struct vhd_footer),
			      vhd->blk.size);
	return 0;
}

static int check_dynamic(struct vhd *vhd, u64 header_offset)
{
	const char *path = vhd->file->path;
	struct vhd_dynamic_header h;
	u64 entries, needed;
	int err;

	if (header_offset < sizeof(struct vhd_footer) || vhd->file_size < sizeof(h) ||
	    header_offset > vhd->file_size - sizeof(h))
		return report("disk %s: is truncated or damaged: its header at %llu is not in the "
			      "file", path, header_offset);
	err = host_file_read(vhd->file, &h, sizeof(h), header_offset);
	if (err)
		return report("disk %s: cannot read its header: %s", path, strerror(-err));
	if (memcmp(h.cookie, VHD_DYNAMIC_COOKIE, 8) || be32toh(h.version) != VHD_VERSION ||
	    be32toh(h.checksum) !=
		    checksum(&h, sizeof(h), offsetof(struct vhd_dynamic_header, checksum)))
		return report("disk %s: is damaged: no header of version 1.0 at %llu", path,
			      header_offset);
	vhd->block_size = be32toh(h.block_size);
	vhd->table_offset = be64toh(h.table_offset);
	entries = be32toh(h.table_entries);
	if (vhd->block_size < SECTOR_SIZE || vhd->block_size > VHD_MAX_BLOCK ||
	    (vhd->block_size & (vhd->block_size - 1)))
		return report("disk %s: VHD blocks of %u bytes are not supported; a power of two, "
			      "512 to %u, is", path, vhd->block_size, VHD_MAX_BLOCK);
	vhd->bitmap_size = (vhd->block_size / SECTOR_SIZE + 7) / 8;
	vhd->bitmap_size = (vhd->bitmap_size + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE;
	needed = (vhd->blk.size - 1) / vhd->block_size + 1;
	if (entries < needed || vhd->table_offset > vhd->file_size ||
	    entries * sizeof(u32) > vhd->file_size - vhd->table_offset)
		return report("disk %s: is truncated or damaged: its table of %llu entries (%llu "
			      "are needed) at %llu", path, entries, needed, vhd->table_offset);
	vhd->tables_end = vhd->table_offset + needed * sizeof(u32);
	vhd->blk.cluster_size = vhd->block_size;
	return 0;
}

static int read_all(struct vhd *vhd)
{
	const char *path = vhd->file->path;
	struct vhd_footer f;

	if (read_footer(vhd, &f))
		return -1;
	if (be32toh(f.version) >> 16 != VHD_VERSION >> 16)
		return report("disk %s: VHD version %#x is not supported; use 1.0", path,
			      be32toh(f.version));
	vhd->blk.size = disk_size(&f);
	if (!vhd->blk.size || vhd->blk.size > VHD_MAX_SIZE || vhd->blk.size % SECTOR_SIZE)
		return report("disk %s: a VHD disk of %llu bytes is not supported; whole sectors "
			      "up to 2 TiB are", path, vhd->blk.size);
	switch (be32toh(f.type)) {
	case VHD_FIXED:
		return check_fixed(vhd);
	case VHD_DYNAMIC:
		return check_dynamic(vhd, be64toh(f.data_offset));
	case VHD_DIFFERENCING:
		return report("disk %s: is a VHD difference to another image, which is not "
			      "supported; merge it", path);
	default:
		return report("disk %s: VHD type %u is not supported; use 2 (fixed) or 3 (dynamic)",
			      path, be32toh(f.type));
	}
}

static void vhd_close(struct block *blk)
{
	host_file_close(to_vhd(blk)->file);
	free(blk);
}

static struct block *vhd_open(struct host_file *file, const struct block_options *opts,
			      char **backing_path, char **backing_format)
{
	struct vhd *vhd = calloc(1, sizeof(*vhd));

	(void)opts;
	(void)backing_path;
	(void)backing_format;
	if (!vhd) {
		report("out of memory");
		host_file_close(file);
		return NULL;
	}
	vhd->file = file;
	if (!read_all(vhd))
		return &vhd->blk;
	vhd_close(&vhd->blk);
	return NULL;
}

/* Is the sector written, and for how many after it, up to @most, does the same hold? */
static int bitmap_run(struct vhd *vhd, u64 bitmap, u32 sector, u32 most, bool *written, u32 *run)
{
	u32 first = sector / 8, last = (sector + most - 1) / 8, i;
	u8 buf[SECTOR_SIZE];
	int err;

	if (last - first >= sizeof(buf)) {
		last = first + sizeof(buf) - 1;
		most = (last + 1) * 8 - sector;
	}
	err = host_file_read(vhd->file, buf, last - first + 1, bitmap + first);
	if (err)
		return err;
	/* The first sector is the highest bit. */
	for (i = 0; i < most; i++) {
		u32 bit = sector % 8 + i;
		bool set = buf[bit / 8] & (0x80 >> bit % 8);

		if (i && set != *written)
			break;
		*written = set;
	}
	*run = i;
	return 0;
}

static int look_up(struct block *blk, u64 offset, u64 len, struct block_extent *ext,
		   struct host_file **file)
{
	struct vhd *vhd = to_vhd(blk);
	u64 in_block, block;
	u32 entry, run, sector;
	bool written;
	int err;

	*file = vhd->file;
	ext->kind = BLOCK_DATA;
	ext->fd = vhd->file->fd;
	ext->host_offset = offset;
	ext->len = len;
	if (!vhd->block_size)
		return 0;
	in_block = offset % vhd->block_size;
	if (ext->len > vhd->block_size - in_block)
		ext->len = vhd->block_size - in_block;
	err = host_file_read(vhd->file, &entry, sizeof(entry),
			     vhd->table_offset + offset / vhd->block_size * sizeof(entry));
	if (err)
		return err;
	written = entry != VHD_UNUSED;
	if (written) {
		block = (u64)be32toh(entry) * SECTOR_SIZE;
		/* Between the tables and the end of the file, or it is no block. */
		if (block < vhd->tables_end || block > vhd->file_size ||
		    vhd->bitmap_size + vhd->block_size > vhd->file_size - block)
			return -EIO;
		sector = (u32)(in_block / SECTOR_SIZE);
		err = bitmap_run(vhd, block, sector,
				 (u32)((in_block + ext->len - 1) / SECTOR_SIZE) - sector + 1,
				 &written, &run);
		if (err)
			return err;
		if (ext->len > (u64)run * SECTOR_SIZE - offset % SECTOR_SIZE)
			ext->len = (u64)run * SECTOR_SIZE - offset % SECTOR_SIZE;
		ext->host_offset = block + vhd->bitmap_size + in_block;
	}
	if (!written) {
		ext->kind = BLOCK_ZERO;
		ext->fd = -1;
	}
	return 0;
}

static int vhd_map(struct block *blk, u64 offset, u64 len, bool write, struct block_extent *ext)
{
	struct host_file *file;

	(void)write;
	return look_up(blk, offset, len, ext, &file);
}

static int vhd_readv(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	return block_read_extents(blk, iov, nr, offset, look_up);
}

const struct block_format block_vhd = {
	.name = "vpc", .probe = vhd_probe, .open = vhd_open, .close = vhd_close,
	.readv = vhd_readv, .map = vhd_map,
};
