// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm img resize`: make a disk larger, or smaller if that is really wanted.
 */
#include <stdio.h>
#include <string.h>

#include "img/img.h"
#include "report.h"

static const struct option options[] = {
	IMG_COMMON_OPTIONS,
	{ "shrink", no_argument, NULL, IMG_SHRINK },
	{ "preallocation", required_argument, NULL, IMG_PREALLOCATION },
	{ NULL, 0, NULL, 0 },
};

/* SIZE, +SIZE or -SIZE. */
static int new_size(const struct block *blk, const char *arg, u64 *size)
{
	char sign = *arg == '+' || *arg == '-' ? *arg : 0;

	if (img_size("img resize:", arg + (sign != 0), size))
		return -1;
	if (sign == '+') {
		if (*size > INT64_MAX - blk->size)
			return report("img resize: %s: too large; less than 8 EiB", arg);
		*size += blk->size;
	} else if (sign == '-') {
		if (*size >= blk->size)
			return report("img resize: %s: the disk has only %llu bytes", arg,
				      blk->size);
		*size = blk->size - *size;
	}
	return *size ? 0 : report("img resize: %s: nothing would be left", arg);
}

static int resize(struct block *blk, const char *arg, bool shrink, bool quiet)
{
	u64 size;
	int err;

	if (new_size(blk, arg, &size))
		return -1;
	if (size < blk->size && !shrink)
		return report("img resize: %s: data would be lost: the disk has %llu bytes; "
			      "use --shrink if that is wanted", arg, blk->size);
	err = size == blk->size ? 0 : block_resize(blk, size);
	if (!err)
		err = block_flush(blk);
	if (err)
		return img_error(blk, "resize it", err);
	if (!quiet)
		puts("Image resized.");
	return 0;
}

int img_resize(int argc, char **argv)
{
	struct img_common common = { .quiet = false };
	bool shrink = false;
	struct block *blk;
	int id, ret;

	/* "-1G" is no option. */
	if (argc > 2 && argv[argc - 1][0] == '-' && strchr("0123456789", argv[argc - 1][1]) &&
	    argv[argc - 1][1])
		id = argc - 1;
	else
		id = argc;
	argc = id;
	while ((id = img_getopt(argc, argv, ":hf:q", options, &common)) != -1) {
		switch (id) {
		case IMG_SHRINK:
			shrink = true;
			break;
		case IMG_PREALLOCATION:
			if (strcmp(optarg, "off"))
				return -report("img resize: --preallocation=%s: use off", optarg);
			break;
		case 'h':
			return 0;
		default:
			return EXIT_ERROR;
		}
	}
	if (argv[argc])
		argc++;
	if (img_files(argc, argv, 2, 2, "FILE [+|-]SIZE"))
		return EXIT_ERROR;
	blk = img_open(argv[optind], common.format, false, false);
	if (!blk)
		return EXIT_ERROR;
	ret = resize(blk, argv[optind + 1], shrink, common.quiet);
	block_close(blk);
	return ret ? EXIT_ERROR : 0;
}
