// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm img convert`: copy an image into another one of any format that can be written, without
 * what reads as zeroes or as the new image's backing image.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block/file.h"
#include "img/img.h"
#include "report.h"

#define CHUNK		(1U << 20)
#define BUF_SIZE	(2 * CHUNK)	/* the largest cluster */

/**
 * struct copy - a conversion in work
 * @zero_run: zeroes of at least that many bytes are left out; 0: none are
 * @clean: the target reads as zeroes, or as its backing image, where nothing was written
 * @compress: write clusters compressed
 * @buf: bytes of the source: BUF_SIZE
 * @below: as many of the target's backing image
 */
struct copy {
	struct block *source, *target;
	u64 zero_run;
	bool clean, compress;
	struct img_progress progress;
	u8 *buf, *below;
};

static const struct option options[] = {
	IMG_COMMON_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

static bool is_zero(const u8 *p, size_t len)
{
	return !len || (!*p && !memcmp(p, p + 1, len - 1));
}

static int write_data(struct copy *c, const u8 *p, size_t len, u64 offset)
{
	int err = block_write(c->target, p, len, offset);

	return err ? img_error(c->target, "write to it", err) : 0;
}

static int write_zeroes(struct copy *c, u64 offset, u64 len)
{
	int err = block_write_zeroes(c->target, offset, len, c->zero_run > 0);

	return err ? img_error(c->target, "write to it", err) : 0;
}

/* Does the target read like that without a write? @below: its backing image's bytes */
static bool is_there(const struct copy *c, const u8 *p, const u8 *below, size_t len)
{
	if (!c->clean)
		return false;
	return c->target->backing ? !memcmp(p, below, len) : c->zero_run && is_zero(p, len);
}

/* Write what must be of one chunk, in pieces of the granularity at which it is looked at. */
static int write_sparse(struct copy *c, size_t len, u64 offset)
{
	size_t step = c->zero_run ? (size_t)c->zero_run : 4096, at, n, run = 0;
	struct iovec iov = { c->below, len };
	int err;

	if (step > len)
		step = len;
	if (c->clean && c->target->backing) {
		err = block_read_backing(c->target, &iov, 1, offset);
		if (err)
			return img_error(c->target->backing, "read it", err);
	}
	/* [run, at) is what is to be written. */
	for (at = 0; at < len; at += n) {
		n = len - at < step ? len - at : step;
		if (!is_there(c, c->buf + at, c->below + at, n))
			continue;
		if (run < at && write_data(c, c->buf + run, at - run, offset + run))
			return -1;
		run = at + n;
	}
	return run < len ? write_data(c, c->buf + run, len - run, offset + run) : 0;
}

static int write_compressed(struct copy *c, size_t len, u64 offset)
{
	size_t cluster = c->target->cluster_size, at, n;

	for (at = 0; at < len; at += n) {
		int err;

		n = len - at < cluster ? len - at : cluster;
		if (c->clean && !c->target->backing && is_zero(c->buf + at, n))
			continue;
		err = c->target->format->write_compressed(c->target, c->buf + at, n, offset + at);
		if (err)
			return img_error(c->target, "write to it", err);
	}
	return 0;
}

static int copy_data(struct copy *c, u64 offset, size_t len)
{
	int err = block_read(c->source, c->buf, len, offset);

	if (err)
		return img_error(c->source, "read it", err);
	return c->compress ? write_compressed(c, len, offset) : write_sparse(c, len, offset);
}

/* A range of which it is known that it reads as zeroes. */
static int copy_zeroes(struct copy *c, u64 offset, u64 len)
{
	u64 n;

	if (!c->target->backing)
		return c->clean && c->zero_run ? 0 : write_zeroes(c, offset, len);
	for (; len; offset += n, len -= n) {
		struct block_extent ext;
		int err = 0;

		/* A backing image that has nothing there, either, is left to show through. */
		n = len;
		if (c->clean && offset < c->target->backing->size) {
			if (n > c->target->backing->size - offset)
				n = c->target->backing->size - offset;
			err = block_status(c->target->backing, offset, n, &ext);
			if (err)
				return img_error(c->target->backing, "read its tables", err);
			n = ext.len;
			if (ext.kind != BLOCK_DATA && ext.kind != BLOCK_COMPRESSED)
				continue;
		} else if (c->clean) {
			continue;
		}
		if (write_zeroes(c, offset, n))
			return -1;
	}
	return 0;
}

static int copy_all(struct copy *c)
{
	/* A compressed cluster is written whole: never end a piece inside one. */
	u64 unit = c->compress ? c->target->cluster_size : SECTOR_SIZE;
	u64 most = unit > CHUNK ? unit : CHUNK - CHUNK % unit;
	u64 size = c->source->size, offset = 0, len;
	int ret;

	while (offset < size) {
		struct block_extent ext;
		int err = block_status(c->source, offset, size - offset, &ext);

		if (err)
			return img_error(c->source, "read its tables", err);
		len = ext.len;
		if (ext.kind == BLOCK_DATA || ext.kind == BLOCK_COMPRESSED || len < unit) {
			len = (len + unit - 1) / unit * unit;
			if (len > most)
				len = most;
			if (len > size - offset)
				len = size - offset;
			ret = copy_data(c, offset, (size_t)len);
		} else {
			if (offset + len < size)
				len = len / unit * unit;
			ret = copy_zeroes(c, offset, len);
		}
		if (ret)
			return -1;
		offset += len;
		img_progress_update(&c->progress, offset, size);
	}
	if (!c->clean && c->target->size > size && write_zeroes(c, size, c->target->size - size))
		return -1;
	ret = block_flush(c->target);
	return ret ? img_error(c->target, "flush it", ret) : 0;
}

static int run_copy(struct copy *c, bool show, bool quiet)
{
	int ret = -1;

	if (c->target->size < c->source->size)
		return report("disk %s: its %llu bytes are too few for %s's %llu",
			      c->target->path, c->target->size, c->source->path, c->source->size);
	if (c->compress && (!c->target->cluster_size || c->target->cluster_size > BUF_SIZE))
		return report("img convert: -c: clusters of %u bytes cannot be compressed",
			      c->target->cluster_size);
	c->buf = malloc(BUF_SIZE);
	c->below = malloc(BUF_SIZE);
	if (!c->buf || !c->below) {
		report("out of memory");
	} else {
		img_progress_start(&c->progress, show, quiet);
		ret = copy_all(c);
		img_progress_end(&c->progress, !ret);
	}
	free(c->buf);
	free(c->below);
	return ret;
}

/**
 * struct convert_options - what was asked for
 */
struct convert_options {
	const char *source, *target;
	struct img_common common;
	const char *target_format;
	struct block_create create;
	u64 zero_run;
	bool existing, compress;
};

static int make_target(const struct convert_options *o)
{
	const struct block_format *format = block_find_format("-O", o->target_format);
	struct block *backing;
	char *full;

	if (!format)
		return -1;
	if (o->compress && !format->write_compressed)
		return report("img convert: -c: %s images cannot be compressed; use -O qcow2",
			      format->name);
	if (o->create.backing_path) {
		full = block_backing_path(o->target, o->create.backing_path);
		backing = full ? img_open(full, o->create.backing_format, true, false) : NULL;
		free(full);
		if (!backing)
			return -1;
		block_close(backing);
	}
	return block_create(o->target, format, &o->create);
}

static int convert(struct convert_options *o)
{
	struct copy c = {
		.zero_run = o->zero_run, .clean = !o->existing, .compress = o->compress,
	};
	int ret = -1;

	c.source = img_open(o->source, o->common.format, true, o->common.shared_ok);
	if (!c.source)
		return -1;
	o->create.size = c.source->size;
	img_guard(o->target);
	if (!o->existing && make_target(o))
		goto out;
	c.target = img_open(o->target, o->target_format, false, false);
	if (!c.target)
		goto out;
	/* What an old block device holds is not zeroes. */
	if (c.target->format == &block_raw && c.target->file->is_device)
		c.clean = false;
	ret = run_copy(&c, o->common.progress, o->common.quiet);
	block_close(c.target);
out:
	img_unguard(!ret);
	block_close(c.source);
	return ret;
}

static int check_options(int argc, char **argv, struct convert_options *o)
{
	if (img_files(argc, argv, 2, 2, "SOURCE TARGET (one of each)"))
		return -1;
	o->source = argv[optind];
	o->target = argv[optind + 1];
	if (o->create.backing_format && !o->create.backing_path)
		return report("img convert: -F without -B");
	if (o->create.backing_path && !o->create.backing_format)
		return report("img convert: -B %s: give its format, too, with -F",
			      o->create.backing_path);
	if (o->existing && o->compress)
		return report("img convert: -n and -c together: clusters cannot be overwritten "
			      "by compressed ones");
	if (o->existing && (o->create.options || o->create.backing_path))
		return report("img convert: -n and %s together: nothing is created",
			      o->create.options ? "-o" : "-B");
	return 0;
}

int img_convert(int argc, char **argv)
{
	struct convert_options o = { .target_format = "raw", .zero_run = 4096 };
	int id;

	while ((id = img_getopt(argc, argv, ":hf:F:O:B:b:o:S:cnpqU", options, &o.common)) != -1) {
		switch (id) {
		case 'F':
			o.create.backing_format = optarg;
			break;
		case 'O':
			o.target_format = optarg;
			break;
		case 'B':
		case 'b':
			o.create.backing_path = optarg;
			break;
		case 'o':
			if (o.create.options)
				return -report("img convert: -o twice; give one, with commas");
			o.create.options = optarg;
			break;
		case 'S':
			if (img_size("img convert: -S", optarg, &o.zero_run))
				return EXIT_ERROR;
			if (o.zero_run > CHUNK)
				return -report("img convert: -S %s: at most 1M", optarg);
			break;
		case 'c':
			o.compress = true;
			break;
		case 'n':
			o.existing = true;
			break;
		case 'h':
			return 0;
		default:
			return EXIT_ERROR;
		}
	}
	if (check_options(argc, argv, &o))
		return EXIT_ERROR;
	return convert(&o) ? EXIT_ERROR : 0;
}
