// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm img compare`: do two images, of any format, hold the same?
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "img/img.h"
#include "report.h"

#define CHUNK	(1U << 20)

/* qemu-img's exit statuses. */
enum compare_exit {
	COMPARE_SAME = 0,
	COMPARE_DIFFERENT = 1,
	COMPARE_CANNOT_OPEN = 2,
	COMPARE_CANNOT_LOOK_UP = 3,
	COMPARE_CANNOT_READ = 4,
};

static const struct option options[] = {
	IMG_COMMON_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

/**
 * struct comparison - two images side by side
 * @blk: them
 * @buf: CHUNK bytes of each
 * @strict: size and allocation must be the same, too
 */
struct comparison {
	struct block *blk[2];
	u8 *buf[2];
	bool strict, quiet;
	struct img_progress progress;
};

static enum compare_exit differ(const struct comparison *c, const char *text, u64 offset)
{
	if (!c->quiet)
		printf(text, offset);
	return COMPARE_DIFFERENT;
}

static bool is_data(const struct block_extent *ext)
{
	return ext->kind == BLOCK_DATA || ext->kind == BLOCK_COMPRESSED;
}

/* What one image has at @offset, which may be behind its end: then zeroes that nobody stored. */
static int look_up(struct block *blk, u64 offset, u64 len, struct block_extent *ext)
{
	int err;

	if (offset >= blk->size) {
		*ext = (struct block_extent){ .kind = BLOCK_ABSENT, .len = len, .fd = -1 };
		return 0;
	}
	if (len > blk->size - offset)
		len = blk->size - offset;
	err = block_status(blk, offset, len, ext);
	return err ? img_error(blk, "read its tables", err) : 0;
}

static enum compare_exit compare_bytes(struct comparison *c, const struct block_extent ext[2],
				       u64 offset, size_t len)
{
	size_t i, at;

	for (i = 0; i < 2; i++) {
		int err = 0;

		if (is_data(&ext[i]))
			err = block_read(c->blk[i], c->buf[i], len, offset);
		else
			memset(c->buf[i], 0, len);
		if (err) {
			img_error(c->blk[i], "read it", err);
			return COMPARE_CANNOT_READ;
		}
	}
	if (!memcmp(c->buf[0], c->buf[1], len))
		return COMPARE_SAME;
	for (at = 0; c->buf[0][at] == c->buf[1][at]; at++)
		;
	return differ(c, "Content mismatch at offset %llu!\n",
		      (offset + at) / SECTOR_SIZE * SECTOR_SIZE);
}

static enum compare_exit compare(struct comparison *c)
{
	u64 size[2] = { c->blk[0]->size, c->blk[1]->size };
	u64 end = size[0] > size[1] ? size[0] : size[1], offset, len;
	enum compare_exit status = COMPARE_SAME;

	if (size[0] != size[1] && c->strict) {
		if (!c->quiet)
			puts("Strict mode: Image size mismatch!");
		return COMPARE_DIFFERENT;
	}
	for (offset = 0; offset < end && status == COMPARE_SAME; offset += len) {
		struct block_extent ext[2];
		size_t i;

		len = end - offset;
		for (i = 0; i < 2; i++) {
			if (look_up(c->blk[i], offset, len, &ext[i]))
				return COMPARE_CANNOT_LOOK_UP;
			len = ext[i].len;
		}
		if (c->strict && (ext[0].kind == BLOCK_ABSENT) != (ext[1].kind == BLOCK_ABSENT))
			return differ(c, "Strict mode: Offset %llu block status mismatch!\n",
				      offset);
		if (is_data(&ext[0]) || is_data(&ext[1])) {
			if (len > CHUNK)
				len = CHUNK;
			status = compare_bytes(c, ext, offset, (size_t)len);
		}
		img_progress_update(&c->progress, offset + len, end);
	}
	return status;
}

static int run(struct comparison *c, bool show)
{
	enum compare_exit status;

	c->buf[0] = malloc(CHUNK);
	c->buf[1] = malloc(CHUNK);
	if (!c->buf[0] || !c->buf[1]) {
		report("out of memory");
		status = COMPARE_CANNOT_READ;
	} else {
		img_progress_start(&c->progress, show, c->quiet);
		status = compare(c);
		img_progress_end(&c->progress, status == COMPARE_SAME);
		if (!c->quiet && status != COMPARE_DIFFERENT &&
		    c->blk[0]->size != c->blk[1]->size)
			puts("Warning: Image size mismatch!");
		if (!c->quiet && status == COMPARE_SAME)
			puts("Images are identical.");
	}
	free(c->buf[0]);
	free(c->buf[1]);
	return (int)status;
}

int img_compare(int argc, char **argv)
{
	struct img_common common = { .quiet = false };
	struct comparison c = { .strict = false };
	const char *format = NULL;
	int id, status = COMPARE_CANNOT_OPEN;

	while ((id = img_getopt(argc, argv, ":hf:F:pqsU", options, &common)) != -1) {
		switch (id) {
		case 'F':
			format = optarg;
			break;
		case 's':
			c.strict = true;
			break;
		case 'h':
			return 0;
		default:
			return COMPARE_CANNOT_OPEN;
		}
	}
	if (img_files(argc, argv, 2, 2, "FILE1 FILE2"))
		return COMPARE_CANNOT_OPEN;
	c.quiet = common.quiet;
	c.blk[0] = img_open(argv[optind], common.format, true, common.shared_ok);
	if (c.blk[0])
		c.blk[1] = img_open(argv[optind + 1], format, true, common.shared_ok);
	if (c.blk[1])
		status = run(&c, common.progress);
	block_close(c.blk[0]);
	block_close(c.blk[1]);
	return status;
}
