// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm img info`: what an image is, as text or as JSON with qemu-img's keys. The text is made from
 * the JSON.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "block/file.h"
#include "img/img.h"
#include "report.h"

static const struct option options[] = {
	IMG_COMMON_OPTIONS,
	{ "output", required_argument, NULL, IMG_OUTPUT },
	{ "backing-chain", no_argument, NULL, IMG_BACKING_CHAIN },
	{ NULL, 0, NULL, 0 },
};

static void set_string(json_t *object, const char *key, const char *value)
{
	json_t *string = json_string(value);

	/* A path that is no UTF-8 cannot be said in JSON as it is. */
	if (!string)
		string = json_string("(not UTF-8)");
	json_object_set_new(object, key, string);
}

static json_t *describe(struct block *blk)
{
	json_t *object = json_object();
	struct stat st;
	char *full;
	int err = 0;

	set_string(object, "filename", blk->path);
	set_string(object, "format", blk->format->name);
	json_object_set_new(object, "virtual-size", json_integer((json_int_t)blk->size));
	if (!fstat(blk->file->fd, &st))
		json_object_set_new(object, "actual-size", json_integer(st.st_blocks * 512));
	json_object_set_new(object, "dirty-flag", json_false());
	if (blk->cluster_size)
		json_object_set_new(object, "cluster-size", json_integer(blk->cluster_size));
	if (blk->backing_path) {
		set_string(object, "backing-filename", blk->backing_path);
		full = block_backing_path(blk->path, blk->backing_path);
		if (full)
			set_string(object, "full-backing-filename", full);
		free(full);
	}
	if (blk->backing_format)
		set_string(object, "backing-filename-format", blk->backing_format);
	if (blk->format->info)
		err = blk->format->info(blk, object);
	if (err) {
		img_error(blk, "read its properties", err);
		json_decref(object);
		return NULL;
	}
	return object;
}

static const char *string_of(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static u64 number_of(const json_t *object, const char *key)
{
	return (u64)json_integer_value(json_object_get(object, key));
}

static void print_value(const json_t *value, int indent);

static void print_member(const char *key, const json_t *value, int indent)
{
	const char *c;

	printf("%*s", indent, "");
	for (c = key; *c; c++)
		putchar(*c == '-' ? ' ' : *c);
	putchar(':');
	if (json_is_object(value) || json_is_array(value))
		putchar('\n');
	else
		putchar(' ');
	print_value(value, indent + 4);
}

static void print_value(const json_t *value, int indent)
{
	const char *key;
	json_t *member;
	char text[24];
	size_t i;

	switch (json_typeof(value)) {
	case JSON_OBJECT:
		json_object_foreach((json_t *)(uintptr_t)value, key, member)
			print_member(key, member, indent);
		break;
	case JSON_ARRAY:
		json_array_foreach(value, i, member) {
			snprintf(text, sizeof(text), "[%zu]", i);
			print_member(text, member, indent);
		}
		break;
	case JSON_STRING:
		puts(json_string_value(value));
		break;
	case JSON_INTEGER:
		printf("%lld\n", (long long)json_integer_value(value));
		break;
	case JSON_REAL:
		printf("%g\n", json_real_value(value));
		break;
	case JSON_TRUE:
	case JSON_FALSE:
		puts(json_is_true(value) ? "true" : "false");
		break;
	case JSON_NULL:
		putchar('\n');
		break;
	}
}

void img_snapshot_header(void)
{
	printf("%-10s%-17s%8s%20s%13s%11s\n", "ID", "TAG", "VM SIZE", "DATE", "VM CLOCK",
	       "ICOUNT");
}

void img_snapshot_print(const struct img_snapshot_line *line)
{
	time_t seconds = (time_t)line->seconds;
	char size[IMG_HUMAN_SIZE], date[32] = "?", clock[32];
	u64 s = line->vm_clock / 1000000000;
	struct tm tm;

	img_human_size(size, line->vm_state_size);
	if (localtime_r(&seconds, &tm))
		strftime(date, sizeof(date), "%Y-%m-%d %H:%M:%S", &tm);
	snprintf(clock, sizeof(clock), "%02llu:%02llu:%02llu.%03llu", s / 3600, s / 60 % 60,
		 s % 60, line->vm_clock / 1000000 % 1000);
	printf("%-9s %-16s %8s%20s%13s%11s\n", line->id ? line->id : "",
	       line->name ? line->name : "", size, date, clock, "");
}

static void print_snapshots(const json_t *list)
{
	json_t *s;
	size_t i;

	if (!json_array_size(list))
		return;
	puts("Snapshot list:");
	img_snapshot_header();
	json_array_foreach(list, i, s) {
		struct img_snapshot_line line = {
			.id = string_of(s, "id"), .name = string_of(s, "name"),
			.vm_state_size = number_of(s, "vm-state-size"),
			.seconds = number_of(s, "date-sec"),
			.vm_clock = number_of(s, "vm-clock-sec") * 1000000000ULL +
				    number_of(s, "vm-clock-nsec"),
		};

		img_snapshot_print(&line);
	}
}

static void print_human(const json_t *o)
{
	const char *backing = string_of(o, "backing-filename");
	const char *full = string_of(o, "full-backing-filename");
	char virtual_size[IMG_HUMAN_SIZE], actual_size[IMG_HUMAN_SIZE];
	const json_t *data = json_object_get(json_object_get(o, "format-specific"), "data");

	img_human_size(virtual_size, number_of(o, "virtual-size"));
	img_human_size(actual_size, number_of(o, "actual-size"));
	printf("image: %s\nfile format: %s\nvirtual size: %s (%llu bytes)\ndisk size: %s\n",
	       string_of(o, "filename"), string_of(o, "format"), virtual_size,
	       number_of(o, "virtual-size"), actual_size);
	if (json_is_true(json_object_get(o, "encrypted")))
		puts("encrypted: yes");
	if (number_of(o, "cluster-size"))
		printf("cluster_size: %llu\n", number_of(o, "cluster-size"));
	if (json_is_true(json_object_get(o, "dirty-flag")))
		puts("cleanly shut down: no");
	if (backing) {
		printf("backing file: %s", backing);
		if (!full)
			printf(" (cannot determine actual path)");
		else if (strcmp(full, backing))
			printf(" (actual path: %s)", full);
		putchar('\n');
	}
	if (string_of(o, "backing-filename-format"))
		printf("backing file format: %s\n", string_of(o, "backing-filename-format"));
	print_snapshots(json_object_get(o, "snapshots"));
	if (data && json_object_size(data)) {
		puts("Format specific information:");
		print_value(data, 4);
	}
}

/* The descriptions of @path and, with @chain, of what is below it: an array. */
static int describe_chain(json_t *list, const char *path, const char *format, bool shared_ok,
			  bool chain)
{
	struct block_options opts = {
		.format = format, .readonly = true, .shared_ok = shared_ok, .no_backing = !chain,
	};
	struct block *blk, *whole = block_open(path, &opts);
	json_t *object;

	if (!whole)
		return -1;
	for (blk = whole; blk; blk = blk->backing) {
		object = describe(blk);
		if (!object)
			break;
		json_array_append_new(list, object);
	}
	block_close(whole);
	return blk ? -1 : 0;
}

static void print(const json_t *list, bool json, bool chain)
{
	json_t *object;
	size_t i;

	if (json) {
		json_dumpf(chain ? list : json_array_get(list, 0), stdout, JSON_INDENT(4));
		putchar('\n');
		return;
	}
	json_array_foreach(list, i, object) {
		if (i)
			putchar('\n');
		print_human(object);
	}
}

int img_info(int argc, char **argv)
{
	struct img_common common = { .quiet = false };
	bool chain = false;
	int id, json = 0, ret;
	json_t *list;

	while ((id = img_getopt(argc, argv, ":hf:Uq", options, &common)) != -1) {
		switch (id) {
		case IMG_OUTPUT:
			json = img_output(optarg);
			if (json < 0)
				return EXIT_ERROR;
			break;
		case IMG_BACKING_CHAIN:
			chain = true;
			break;
		case 'h':
			return 0;
		default:
			return EXIT_ERROR;
		}
	}
	if (img_files(argc, argv, 1, 1, "FILE"))
		return EXIT_ERROR;
	list = json_array();
	ret = describe_chain(list, argv[optind], common.format, common.shared_ok, chain);
	if (!ret)
		print(list, json, chain);
	json_decref(list);
	return ret ? EXIT_ERROR : 0;
}
