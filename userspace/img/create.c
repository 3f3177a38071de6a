// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm img create`: a new image, alone or on top of another one.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "img/img.h"
#include "report.h"

static const struct option options[] = {
	IMG_COMMON_OPTIONS,
	{ "object", required_argument, NULL, '?' },
	{ NULL, 0, NULL, 0 },
};

/* The backing image must be one; its size is the default. */
static int check_backing(const char *path, const struct block_create *create, u64 *size)
{
	char *full = block_backing_path(path, create->backing_path);
	struct block *backing;

	if (!full)
		return -1;
	if (!create->backing_format) {
		backing = img_open(full, NULL, true, false);
		if (backing)
			report("img create: -b %s: give its format, too: -F %s",
			       create->backing_path, backing->format->name);
		free(full);
		block_close(backing);
		return -1;
	}
	backing = img_open(full, create->backing_format, true, false);
	free(full);
	if (!backing)
		return -1;
	if (!*size)
		*size = backing->size;
	block_close(backing);
	return 0;
}

static int create_image(const char *path, const char *format_name, struct block_create *create,
			bool unsafe, bool quiet)
{
	const struct block_format *format = block_find_format("-f", format_name);
	int ret;

	if (!format)
		return -1;
	if (create->backing_path && !unsafe && check_backing(path, create, &create->size))
		return -1;
	if (!create->size)
		return report("img create: no size; give one behind the file's name");
	if (!quiet) {
		printf("Formatting '%s', fmt=%s size=%llu", path, format->name, create->size);
		if (create->backing_path)
			printf(" backing_file=%s", create->backing_path);
		if (create->backing_format)
			printf(" backing_fmt=%s", create->backing_format);
		if (create->options)
			printf(" %s", create->options);
		putchar('\n');
		fflush(stdout);
	}
	img_guard(path);
	ret = block_create(path, format, create);
	img_unguard(!ret);
	return ret;
}

int img_create(int argc, char **argv)
{
	struct block_create create = { .size = 0 };
	struct img_common common = { .format = "raw" };
	bool unsafe = false;
	int id;

	while ((id = img_getopt(argc, argv, ":hf:F:b:o:uq", options, &common)) != -1) {
		switch (id) {
		case 'F':
			create.backing_format = optarg;
			break;
		case 'b':
			create.backing_path = optarg;
			break;
		case 'o':
			if (create.options)
				return -report("img create: -o twice; give one, with commas");
			create.options = optarg;
			break;
		case 'u':
			unsafe = true;
			break;
		case 'h':
			return 0;
		default:
			return EXIT_ERROR;
		}
	}
	if (img_files(argc, argv, 1, 2, "FILE [SIZE]"))
		return EXIT_ERROR;
	if (create.backing_format && !create.backing_path)
		return -report("img create: -F without -b");
	if (create.backing_format && !block_find_format("-F", create.backing_format))
		return EXIT_ERROR;
	if (optind + 1 < argc && img_size("img create:", argv[optind + 1], &create.size))
		return EXIT_ERROR;
	return create_image(argv[optind], common.format, &create, unsafe, common.quiet) ?
		       EXIT_ERROR : 0;
}
