// SPDX-License-Identifier: GPL-2.0
/*
 * Disk images of any format: finds the format and the backing chain, checks ranges, and does what
 * is the same for all formats.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/file.h"
#include "block/format.h"
#include "iov.h"
#include "report.h"
#include "types.h"

#define MAX_DEPTH	200
#define ZERO_CHUNK	(1U << 20)

const struct block_format *const block_formats[] = {
	&block_qcow2,
	&block_vdi, &block_vmdk, &block_vhd, &block_raw, NULL
};

/* Formats that are recognized so that nobody takes them for raw. */
static const struct {
	const char *magic;
	const char *name;
} foreign[] = {
	{ "QFI\xfb", "qcow2" }, { "COWD", "vmdk version 0" }, { "vhdxfile", "vhdx" },
	{ "QED", "qed" }, { "LUKS\xba\xbe", "luks" }, { "WithoutFreeSpace", "parallels" },
	{ "WithouFreSpacExt", "parallels" },
};

const char *block_probe(const void *head, size_t len)
{
	size_t i;

	for (i = 0; block_formats[i]; i++) {
		if (block_formats[i]->probe && block_formats[i]->probe(head, len))
			return block_formats[i]->name;
	}
	for (i = 0; i < ARRAY_SIZE(foreign); i++) {
		size_t n = strlen(foreign[i].magic);

		if (len >= n && !memcmp(head, foreign[i].magic, n))
			return foreign[i].name;
	}
	return block_raw.name;
}

static const struct block_format *format_named(const char *name)
{
	size_t i;

	/* What everybody but QEMU calls it. */
	if (!strcmp(name, "vhd"))
		name = block_vhd.name;
	for (i = 0; block_formats[i]; i++) {
		if (!strcmp(block_formats[i]->name, name))
			return block_formats[i];
	}
	return NULL;
}

const struct block_format *block_find_format(const char *what, const char *name)
{
	const struct block_format *format = format_named(name);
	char list[128] = "";
	size_t i;

	if (format)
		return format;
	for (i = 0; block_formats[i]; i++)
		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%s%s", i ? ", " : "",
			 block_formats[i]->name);
	report("%s: format '%s' is not supported; use %s", what, name, list);
	return NULL;
}

/* Giving a guest the raw bytes of a qcow2 file invites it to write a header of its own. */
static const struct block_format *probe_file(struct host_file *file)
{
	const struct block_format *format;
	u8 head[BLOCK_PROBE_SIZE];
	size_t len = sizeof(head);
	const char *name;
	u64 size;
	int err = host_file_size(file, &size);

	if (!err && size < len)
		len = (size_t)size;
	if (!err)
		err = host_file_read(file, head, len, 0);
	if (err) {
		report("disk %s: cannot read its header: %s", file->path, strerror(-err));
		return NULL;
	}
	name = block_probe(head, len);
	format = format_named(name);
	if (!format)
		report("disk %s: looks like %s; convert it, or give format=raw", file->path, name);
	return format;
}

/**
 * struct link - an image of the chain that is being opened, and those above it
 */
struct link {
	const struct link *above;
	const char *path;
	dev_t dev;
	ino_t ino;
	unsigned int depth;
};

/* A file that cannot be examined cannot be opened, either: that is reported there. */
static int check_chain(struct link *link)
{
	const struct link *l;
	struct stat st;

	if (link->depth > MAX_DEPTH)
		return report("disk %s: its backing chain is longer than %d images", link->path,
			      MAX_DEPTH);
	if (stat(link->path, &st))
		return 0;
	link->dev = st.st_dev;
	link->ino = st.st_ino;
	for (l = link->above; l; l = l->above) {
		if (l->dev == link->dev && l->ino == link->ino)
			return report("disk %s: its backing chain comes back to itself",
				      link->path);
	}
	return 0;
}

char *block_backing_path(const char *path, const char *stored)
{
	const char *slash = strrchr(path, '/'), *name = stored;
	size_t scheme = strcspn(stored, ":/");
	char *full;

	if (!strncmp(stored, "file:", 5)) {
		name = stored + 5;
	} else if (stored[scheme] == ':') {
		report("disk %s: backing image '%s' is no file; only files are supported", path,
		       stored);
		return NULL;
	}
	if (*name == '/' || !slash)
		full = strdup(name);
	else if (asprintf(&full, "%.*s%s", (int)(slash + 1 - path), path, name) < 0)
		full = NULL;
	if (!full)
		report("out of memory");
	return full;
}

static struct block *open_link(struct link *link, const struct block_options *opts);

static int open_backing(struct block *blk, const struct link *link,
			const struct block_options *opts)
{
	struct block_options below = {
		.format = blk->backing_format, .readonly = true, .direct = opts->direct,
		.shared_ok = opts->shared_ok,
	};
	struct link next = { .above = link, .depth = link->depth + 1 };
	char *path = block_backing_path(blk->path, blk->backing_path);

	if (!path)
		return -1;
	next.path = path;
	blk->backing = open_link(&next, &below);
	if (blk->backing && blk->backing->probed_raw)
		report("disk %s: warning: it does not say which format its backing image '%s' "
		       "has; taken for raw", blk->path, blk->backing_path);
	free(path);
	return blk->backing ? 0 : report("disk %s: cannot open its backing image '%s'", blk->path,
					 blk->backing_path);
}

static struct block *open_link(struct link *link, const struct block_options *opts)
{
	char *backing_path = NULL, *backing_format = NULL;
	const struct block_format *format = NULL;
	struct host_file *file;
	struct block *blk;

	if (check_chain(link))
		return NULL;
	if (opts->format) {
		char what[256];

		snprintf(what, sizeof(what), "disk %s", link->path);
		format = block_find_format(what, opts->format);
		if (!format)
			return NULL;
	}
	file = host_file_open(link->path, opts->readonly, opts->direct, !opts->shared_ok);
	if (!file)
		return NULL;
	if (!format)
		format = probe_file(file);
	if (!format) {
		host_file_close(file);
		return NULL;
	}
	blk = format->open(file, opts, &backing_path, &backing_format);
	if (!blk) {
		free(backing_path);
		free(backing_format);
		return NULL;
	}
	blk->format = format;
	blk->file = file;
	blk->align = file->align;
	blk->backing_path = backing_path;
	blk->backing_format = backing_format;
	blk->probed_raw = !opts->format && format == &block_raw;
	blk->path = strdup(link->path);
	if (!opts->readonly && !format->writev)
		report("disk %s: %s images can only be read; use readonly=on", link->path,
		       format->name);
	else if (!blk->path)
		report("out of memory");
	else if (!backing_path || opts->no_backing || !open_backing(blk, link, opts))
		goto out;
	block_close(blk);
	return NULL;
out:
	blk->readonly = blk->readonly || opts->readonly;
	return blk;
}

struct block *block_open(const char *path, const struct block_options *opts)
{
	struct link link = { .path = path };

	return open_link(&link, opts);
}

void block_close(struct block *blk)
{
	while (blk) {
		struct block *backing = blk->backing;

		free(blk->path);
		free(blk->backing_path);
		free(blk->backing_format);
		blk->format->close(blk);
		blk = backing;
	}
}

static int check_range(const struct block *blk, u64 offset, u64 len)
{
	return !len || len > blk->size || offset > blk->size - len ? -EINVAL : 0;
}

typedef int (*vector_fn)(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset);

/* Formats need not cope with more buffers than the host's system calls. */
static int in_groups(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset,
		     vector_fn fn)
{
	int ret = 0;

	while (nr && !ret) {
		unsigned int n = nr < IOV_MAX ? nr : IOV_MAX;
		u64 len = iov_len(iov, n);

		if (len)
			ret = fn(blk, iov, n, offset);
		offset += len;
		iov += n;
		nr -= n;
	}
	return ret;
}

int block_readv(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	int ret = check_range(blk, offset, iov_len(iov, nr));

	return ret ? ret : in_groups(blk, iov, nr, offset, blk->format->readv);
}

/*
 * A write to the start of a probed raw image. The first sector is copied before it is looked at:
 * the guest can change its buffer at any time.
 */
static int write_probed(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	u64 len = iov_len(iov, nr), done;
	struct iovec *rest, first;
	u8 head[SECTOR_SIZE];
	int ret = block_raw.readv(blk, &(struct iovec){ head, sizeof(head) }, 1, 0);

	if (ret)
		return ret;
	done = iov_read(iov, nr, 0, head + offset, (size_t)(SECTOR_SIZE - offset));
	if (strcmp(block_probe(head, sizeof(head)), block_raw.name))
		return -EPERM;
	first.iov_base = head + offset;
	first.iov_len = done;
	ret = block_raw.writev(blk, &first, 1, offset);
	if (ret || done == len)
		return ret;
	rest = calloc(nr, sizeof(*rest));
	if (!rest)
		return -ENOMEM;
	nr = iov_slice(iov, nr, done, len - done, rest);
	ret = in_groups(blk, rest, nr, offset + done, blk->format->writev);
	free(rest);
	return ret;
}

int block_writev(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	int ret = check_range(blk, offset, iov_len(iov, nr));

	if (ret)
		return ret;
	if (blk->readonly)
		return -EROFS;
	if (blk->probed_raw && offset < SECTOR_SIZE)
		return write_probed(blk, iov, nr, offset);
	return in_groups(blk, iov, nr, offset, blk->format->writev);
}

int block_read(struct block *blk, void *buf, size_t len, u64 offset)
{
	struct iovec iov = { buf, len };

	return block_readv(blk, &iov, 1, offset);
}

int block_write(struct block *blk, const void *buf, size_t len, u64 offset)
{
	struct iovec iov = { (void *)(uintptr_t)buf, len };

	return block_writev(blk, &iov, 1, offset);
}

static int write_zero_bytes(struct block *blk, u64 offset, u64 len)
{
	size_t chunk = len < ZERO_CHUNK ? (size_t)len : ZERO_CHUNK;
	struct iovec iov = { calloc(1, chunk), chunk };
	int ret = 0;

	if (!iov.iov_base)
		return -ENOMEM;
	while (len && !ret) {
		if (len < iov.iov_len)
			iov.iov_len = (size_t)len;
		ret = blk->format->writev(blk, &iov, 1, offset);
		offset += iov.iov_len;
		len -= iov.iov_len;
	}
	free(iov.iov_base);
	return ret;
}

int block_write_zeroes(struct block *blk, u64 offset, u64 len, bool unmap)
{
	int ret = check_range(blk, offset, len);

	if (ret)
		return ret;
	if (blk->readonly)
		return -EROFS;
	ret = -EOPNOTSUPP;
	if (blk->format->write_zeroes)
		ret = blk->format->write_zeroes(blk, offset, len, unmap);
	return ret == -EOPNOTSUPP ? write_zero_bytes(blk, offset, len) : ret;
}

int block_discard(struct block *blk, u64 offset, u64 len)
{
	int ret = check_range(blk, offset, len);

	if (ret)
		return ret;
	if (blk->readonly)
		return -EROFS;
	return blk->format->discard ? blk->format->discard(blk, offset, len) : 0;
}

int block_flush(struct block *blk)
{
	return blk->readonly ? 0 : blk->format->flush(blk);
}

int block_map(struct block *blk, u64 offset, u64 len, bool write, struct block_extent *ext)
{
	int ret = check_range(blk, offset, len);

	if (ret)
		return ret;
	if (write && blk->readonly)
		return -EROFS;
	if (!blk->format->map || (write && blk->probed_raw && offset < SECTOR_SIZE))
		return -EOPNOTSUPP;
	memset(ext, 0, sizeof(*ext));
	ext->fd = -1;
	return blk->format->map(blk, offset, len, write, ext);
}

void block_hold(struct block *blk)
{
	if (blk->format->hold)
		blk->format->hold(blk);
}

void block_release(struct block *blk)
{
	if (blk->format->release)
		blk->format->release(blk);
}

static int status_of_one(struct block *blk, u64 offset, u64 len, struct block_extent *ext)
{
	memset(ext, 0, sizeof(*ext));
	ext->fd = -1;
	if (blk->format->status)
		return blk->format->status(blk, offset, len, ext);
	if (blk->format->map)
		return blk->format->map(blk, offset, len, false, ext);
	ext->len = len;
	return 0;
}

int block_status(struct block *blk, u64 offset, u64 len, struct block_extent *ext)
{
	unsigned int depth = 0;
	int ret = check_range(blk, offset, len);

	if (ret)
		return ret;
	for (;;) {
		ret = status_of_one(blk, offset, len, ext);
		ext->depth = depth;
		if (ret || ext->kind != BLOCK_ABSENT || !blk->backing)
			return ret;
		len = ext->len;
		blk = blk->backing;
		if (offset >= blk->size) {
			/* Behind the end of the backing image: nobody's. */
			ext->kind = BLOCK_ABSENT;
			return 0;
		}
		if (len > blk->size - offset)
			len = blk->size - offset;
		depth++;
	}
}

int block_read_backing(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	u64 len = iov_len(iov, nr), below = 0;
	struct iovec *part;
	int ret = 0;

	if (blk->backing && offset < blk->backing->size)
		below = blk->backing->size - offset;
	if (below >= len)
		return block_readv(blk->backing, iov, nr, offset);
	if (below) {
		part = calloc(nr, sizeof(*part));
		if (!part)
			return -ENOMEM;
		ret = block_readv(blk->backing, part, iov_slice(iov, nr, 0, below, part), offset);
		free(part);
	}
	iov_zero(iov, nr, below, len - below);
	return ret;
}

int block_read_extents(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset,
		       block_look_up_fn *look_up)
{
	struct iovec *slice = calloc(nr, sizeof(*slice));
	u64 len = iov_len(iov, nr), done = 0;
	int err = slice ? 0 : -ENOMEM;

	while (!err && done < len) {
		struct block_extent ext;
		struct host_file *file;

		err = look_up(blk, offset + done, len - done, &ext, &file);
		if (err)
			break;
		if (ext.kind == BLOCK_DATA)
			err = host_file_readv(file, slice,
					      iov_slice(iov, nr, done, ext.len, slice),
					      ext.host_offset);
		else
			iov_zero(iov, nr, done, ext.len);
		done += ext.len;
	}
	free(slice);
	return err;
}

int block_resize(struct block *blk, u64 size)
{
	int ret;

	if (!size || size % SECTOR_SIZE)
		return -EINVAL;
	if (blk->readonly)
		return -EROFS;
	if (!blk->format->resize)
		return -EOPNOTSUPP;
	ret = blk->format->resize(blk, size);
	if (!ret)
		blk->size = size;
	return ret;
}

int block_create(const char *path, const struct block_format *format,
		 const struct block_create *create)
{
	struct host_file *file;
	bool created;
	int ret;

	if (!format->create)
		return report("disk %s: %s images can only be read", path, format->name);
	file = host_file_create(path);
	if (!file)
		return -1;
	ret = format->create(file, create);
	created = file->created;
	if (ret && created)
		(void)unlink(path);
	host_file_close(file);
	return ret;
}
