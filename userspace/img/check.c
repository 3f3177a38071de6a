// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm img check`: find and repair faults in an image's tables.
 */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "img/img.h"
#include "report.h"

/* qemu-img's exit statuses. */
enum check_exit {
	CHECK_CLEAN = 0,
	CHECK_FAILED = 1,
	CHECK_CORRUPT = 2,
	CHECK_LEAKS = 3,
	CHECK_UNSUPPORTED = 63,
};

static const struct option options[] = {
	IMG_COMMON_OPTIONS,
	{ "output", required_argument, NULL, IMG_OUTPUT },
	{ "repair", optional_argument, NULL, IMG_REPAIR },
	{ NULL, 0, NULL, 0 },
};

static int parse_repair(const char *arg, unsigned int *repair)
{
	if (!strcmp(arg, "leaks"))
		*repair = BLOCK_REPAIR_LEAKS;
	else if (!strcmp(arg, "all"))
		*repair = BLOCK_REPAIR_ALL;
	else
		return report("img check: -r %s: use leaks or all", arg);
	return 0;
}

static void set_count(json_t *object, const char *key, u64 value)
{
	if (value)
		json_object_set_new(object, key, json_integer((json_int_t)value));
}

static void print_json(const struct block *blk, const struct block_check *c)
{
	json_t *object = json_object();
	json_t *name = json_string(blk->path);

	json_object_set_new(object, "filename", name ? name : json_string("(not UTF-8)"));
	json_object_set_new(object, "format", json_string(blk->format->name));
	json_object_set_new(object, "check-errors", json_integer((json_int_t)c->check_errors));
	set_count(object, "image-end-offset", c->image_end_offset);
	set_count(object, "corruptions", c->corruptions);
	set_count(object, "leaks", c->leaks);
	set_count(object, "corruptions-fixed", c->corruptions_fixed);
	set_count(object, "leaks-fixed", c->leaks_fixed);
	set_count(object, "total-clusters", c->total_clusters);
	set_count(object, "allocated-clusters", c->allocated_clusters);
	set_count(object, "fragmented-clusters", c->fragmented_clusters);
	set_count(object, "compressed-clusters", c->compressed_clusters);
	json_dumpf(object, stdout, JSON_INDENT(4));
	putchar('\n');
	json_decref(object);
}

static void print_human(const struct block_check *c)
{
	if (!c->corruptions && !c->leaks && !c->check_errors)
		puts("No errors were found on the image.");
	if (c->corruptions)
		printf("\n%llu errors were found on the image.\n"
		       "Data may be corrupted, or further writes to the image may corrupt it.\n",
		       c->corruptions);
	if (c->leaks)
		printf("\n%llu leaked clusters were found on the image.\n"
		       "This means waste of disk space, but no harm to data.\n", c->leaks);
	if (c->check_errors)
		printf("\n%llu internal errors have occurred during the check.\n",
		       c->check_errors);
	if (c->total_clusters && c->allocated_clusters)
		printf("%llu/%llu = %.2f%% allocated, %.2f%% fragmented, "
		       "%.2f%% compressed clusters\n", c->allocated_clusters, c->total_clusters,
		       (double)c->allocated_clusters * 100 / (double)c->total_clusters,
		       (double)c->fragmented_clusters * 100 / (double)c->allocated_clusters,
		       (double)c->compressed_clusters * 100 / (double)c->allocated_clusters);
	if (c->image_end_offset)
		printf("Image end offset: %llu\n", c->image_end_offset);
}

static int check_image(struct block *blk, unsigned int repair, bool json, bool quiet)
{
	struct block_check result = { .corruptions = 0 }, fixed;
	int err;

	if (!blk->format->check) {
		report("disk %s: %s images have nothing to check", blk->path, blk->format->name);
		return CHECK_UNSUPPORTED;
	}
	err = blk->format->check(blk, repair, &result);
	if (!err && (result.corruptions_fixed || result.leaks_fixed)) {
		fixed = result;
		if (!json && !quiet)
			printf("The following inconsistencies were found and repaired:\n\n"
			       "    %llu leaked clusters\n    %llu corruptions\n\n"
			       "Double checking the fixed image now...\n", fixed.leaks_fixed,
			       fixed.corruptions_fixed);
		memset(&result, 0, sizeof(result));
		err = blk->format->check(blk, 0, &result);
		result.corruptions_fixed = fixed.corruptions_fixed;
		result.leaks_fixed = fixed.leaks_fixed;
	}
	if (err) {
		img_error(blk, "check it", err);
		return CHECK_FAILED;
	}
	if (json)
		print_json(blk, &result);
	else if (!quiet)
		print_human(&result);
	if (result.corruptions || result.check_errors)
		return result.check_errors ? CHECK_FAILED : CHECK_CORRUPT;
	return result.leaks ? CHECK_LEAKS : CHECK_CLEAN;
}

int img_check(int argc, char **argv)
{
	struct block_options opts = { .no_backing = true };
	struct img_common common = { .quiet = false };
	unsigned int repair = 0;
	int id, json = 0, status;
	struct block *blk;

	while ((id = img_getopt(argc, argv, ":hf:qr:U", options, &common)) != -1) {
		switch (id) {
		case 'r':
		case IMG_REPAIR:
			if (parse_repair(optarg ? optarg : "all", &repair))
				return CHECK_FAILED;
			break;
		case IMG_OUTPUT:
			json = img_output(optarg);
			if (json < 0)
				return CHECK_FAILED;
			break;
		case 'h':
			return 0;
		default:
			return CHECK_FAILED;
		}
	}
	if (img_files(argc, argv, 1, 1, "FILE"))
		return CHECK_FAILED;
	if (repair && common.shared_ok)
		return -report("img check: -r and -U together: a repair needs the lock");
	opts.format = common.format;
	opts.shared_ok = common.shared_ok;
	opts.readonly = !repair;
	blk = block_open(argv[optind], &opts);
	if (!blk)
		return CHECK_FAILED;
	status = check_image(blk, repair, json, common.quiet);
	block_close(blk);
	return status;
}
