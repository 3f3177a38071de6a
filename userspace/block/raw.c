// SPDX-License-Identifier: GPL-2.0
/*
 * Raw images: the bytes of the file are the bytes of the disk.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "block/file.h"
#include "block/format.h"
#include "config_parse.h"
#include "report.h"
#include "types.h"

struct raw {
	struct block blk;
	struct host_file *file;
};

static struct host_file *file_of(struct block *blk)
{
	return ((struct raw *)blk)->file;
}

static int check_size(struct host_file *file, u64 *size)
{
	int err = host_file_size(file, size);

	if (err)
		return report("disk %s: cannot read its size: %s", file->path, strerror(-err));
	if (!*size)
		return report("disk %s: is empty", file->path);
	if (*size % SECTOR_SIZE)
		return report("disk %s: %llu bytes, no multiple of %d; use 'truncate -s %%%d'",
			      file->path, *size, SECTOR_SIZE, SECTOR_SIZE);
	return 0;
}

static struct block *raw_open(struct host_file *file, const struct block_options *opts,
			      char **backing_path, char **backing_format)
{
	struct raw *raw = NULL;
	u64 size;

	(void)opts;
	(void)backing_path;
	(void)backing_format;
	if (check_size(file, &size))
		goto fail;
	raw = calloc(1, sizeof(*raw));
	if (!raw) {
		report("out of memory");
		goto fail;
	}
	raw->file = file;
	raw->blk.size = size;
	return &raw->blk;
fail:
	host_file_close(file);
	return NULL;
}

static int raw_option(void *opaque, const char *arg, const char *key, const char *value)
{
	const char **preallocation = opaque;
	static const char *const modes[] = { "off", "falloc", "full" };
	size_t i;

	if (strcmp(key, "preallocation"))
		return report("-o %s: raw has no option '%s'; use preallocation", arg, key);
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		if (!strcmp(value, modes[i])) {
			*preallocation = modes[i];
			return 0;
		}
	}
	return report("-o %s: preallocation is off, falloc or full, not '%s'", arg, value);
}

static int raw_create(struct host_file *file, const struct block_create *create)
{
	const char *preallocation = "off";
	int err;

	if (create->backing_path)
		return report("disk %s: raw images have no backing image", file->path);
	if (create->options && config_keys("-o", create->options, raw_option, &preallocation))
		return -1;
	if (host_file_empty(file))
		return -1;
	err = host_file_truncate(file, create->size);
	if (!err && strcmp(preallocation, "off"))
		err = host_file_allocate(file, 0, create->size, !strcmp(preallocation, "full"));
	if (err)
		return report("disk %s: cannot make it %llu bytes: %s", file->path, create->size,
			      strerror(-err));
	return 0;
}

static void raw_close(struct block *blk)
{
	host_file_close(file_of(blk));
	free(blk);
}

static int raw_readv(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	return host_file_readv(file_of(blk), iov, nr, offset);
}

static int raw_writev(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	return host_file_writev(file_of(blk), iov, nr, offset);
}

static int raw_write_zeroes(struct block *blk, u64 offset, u64 len, bool unmap)
{
	return host_file_zero(file_of(blk), offset, len, unmap);
}

static int raw_discard(struct block *blk, u64 offset, u64 len)
{
	int ret = host_file_punch(file_of(blk), offset, len);

	return ret == -EOPNOTSUPP ? 0 : ret;
}

static int raw_flush(struct block *blk)
{
	return host_file_flush(file_of(blk));
}

static int raw_map(struct block *blk, u64 offset, u64 len, bool write, struct block_extent *ext)
{
	struct host_file *file = file_of(blk);

	(void)write;
	ext->kind = BLOCK_DATA;
	ext->len = len;
	ext->fd = file->fd;
	ext->host_offset = offset;
	return 0;
}

static int raw_status(struct block *blk, u64 offset, u64 len, struct block_extent *ext)
{
	bool hole;

	raw_map(blk, offset, len, false, ext);
	ext->len = host_file_extent(file_of(blk), offset, len, &hole);
	if (hole) {
		ext->kind = BLOCK_ZERO;
		ext->fd = -1;
	}
	return 0;
}

static void raw_hold(struct block *blk)
{
	host_file_hold(file_of(blk));
}

static void raw_release(struct block *blk)
{
	host_file_release(file_of(blk));
}

static int raw_resize(struct block *blk, u64 size)
{
	return host_file_truncate(file_of(blk), size);
}

const struct block_format block_raw = {
	.name = "raw", .open = raw_open, .create = raw_create, .close = raw_close,
	.readv = raw_readv, .writev = raw_writev, .write_zeroes = raw_write_zeroes,
	.discard = raw_discard, .flush = raw_flush, .map = raw_map, .status = raw_status,
	.hold = raw_hold, .release = raw_release, .resize = raw_resize,
};
