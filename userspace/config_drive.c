// SPDX-License-Identifier: GPL-2.0
/*
 * Options that name disks: -drive and -hda.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/format.h"
#include "config_parse.h"
#include "report.h"
#include "types.h"

#define SERIAL_MAX	20	/* bytes virtio-blk has for it */

/* ---- keys with a list of values -------------------------------------------------------------- */

struct word {
	const char *name;
	int value;
};

/* Find @value among @words, ended by one without a name; else say what there is. */
static int find_word(const char *arg, const char *key, const char *value, const struct word *words,
		     int *found)
{
	char list[128] = "";
	const struct word *w;

	for (w = words; w->name; w++) {
		size_t len = strlen(list);

		if (!strcmp(w->name, value)) {
			*found = w->value;
			return 0;
		}
		snprintf(list + len, sizeof(list) - len, "%s%s", len ? ", " : "", w->name);
	}
	return report("-drive %s: %s '%s' is not supported; use %s", arg, key, value, list);
}

static int set_interface(struct drive_config *d, const char *arg, const char *value)
{
	static const struct word words[] = { { "virtio", 0 }, { "none", 1 }, { NULL, 0 } };
	int on_device = 0;

	if (find_word(arg, "interface", value, words, &on_device))
		return -1;
	d->on_device = on_device;
	return 0;
}

static int set_media(struct drive_config *d, const char *arg, const char *value)
{
	static const struct word words[] = { { "disk", 0 }, { NULL, 0 } };
	int media;

	(void)d;
	return find_word(arg, "media", value, words, &media);
}

static int set_cache(struct drive_config *d, const char *arg, const char *value)
{
	enum { CACHED = 1, DIRECT = 2, UNSAFE = 4 };
	static const struct word words[] = {
		{ "none", CACHED | DIRECT }, { "writeback", CACHED }, { "writethrough", 0 },
		{ "directsync", DIRECT }, { "unsafe", CACHED | UNSAFE }, { NULL, 0 }
	};
	int mode = 0;

	if (find_word(arg, "cache", value, words, &mode))
		return -1;
	d->disk.write_cache = mode & CACHED;
	d->direct = mode & DIRECT;
	d->unsafe = mode & UNSAFE;
	return 0;
}

static int set_aio(struct drive_config *d, const char *arg, const char *value)
{
	static const struct word words[] = {
		{ "io_uring", DRIVE_AIO_RING }, { "threads", DRIVE_AIO_THREADS }, { NULL, 0 }
	};
	int aio = 0;

	if (find_word(arg, "aio", value, words, &aio))
		return -1;
	d->aio = (enum drive_aio)aio;
	return 0;
}

static int set_discard(struct drive_config *d, const char *arg, const char *value)
{
	static const struct word words[] = {
		{ "unmap", 1 }, { "on", 1 }, { "ignore", 0 }, { "off", 0 }, { NULL, 0 }
	};
	int discard = 0;

	if (find_word(arg, "discard", value, words, &discard))
		return -1;
	d->disk.discard = discard;
	return 0;
}

static int set_werror(struct drive_config *d, const char *arg, const char *value)
{
	static const struct word words[] = {
		{ "enospc", DRIVE_ERROR_ENOSPC }, { "stop", DRIVE_ERROR_STOP },
		{ "report", DRIVE_ERROR_REPORT }, { "ignore", DRIVE_ERROR_IGNORE }, { NULL, 0 }
	};
	int policy = 0;

	if (find_word(arg, "werror", value, words, &policy))
		return -1;
	d->werror = (enum drive_error)policy;
	return 0;
}

static int set_rerror(struct drive_config *d, const char *arg, const char *value)
{
	static const struct word words[] = {
		{ "stop", DRIVE_ERROR_STOP }, { "report", DRIVE_ERROR_REPORT },
		{ "ignore", DRIVE_ERROR_IGNORE }, { NULL, 0 }
	};
	int policy = 0;

	if (find_word(arg, "rerror", value, words, &policy))
		return -1;
	d->rerror = (enum drive_error)policy;
	return 0;
}

/* ---- the others ------------------------------------------------------------------------------ */

static int set_file(struct drive_config *d, const char *arg, const char *value)
{
	return *value ? config_set_string(&d->path, value) :
			report("-drive %s: file= is empty", arg);
}

static int set_format(struct drive_config *d, const char *arg, const char *value)
{
	char what[256];

	snprintf(what, sizeof(what), "-drive %s", arg);
	return block_find_format(what, value) ? config_set_string(&d->format, value) : -1;
}

static int set_id(struct drive_config *d, const char *arg, const char *value)
{
	return *value ? config_set_string(&d->id, value) : report("-drive %s: id= is empty", arg);
}

int drive_set_serial(struct drive_config *d, const char *what, const char *value)
{
	if (strlen(value) > SERIAL_MAX)
		return report("%s: serial '%s' is too long; at most %d bytes", what, value,
			      SERIAL_MAX);
	return config_set_string(&d->disk.serial, value);
}

static int set_serial(struct drive_config *d, const char *arg, const char *value)
{
	char what[256];

	snprintf(what, sizeof(what), "-drive %s", arg);
	return drive_set_serial(d, what, value);
}

static int set_readonly(struct drive_config *d, const char *arg, const char *value)
{
	return config_flag("-drive", arg, "readonly", value, &d->readonly);
}

static int set_snapshot(struct drive_config *d, const char *arg, const char *value)
{
	return config_flag("-drive", arg, "snapshot", value, &d->snapshot);
}

static int set_index(struct drive_config *d, const char *arg, const char *value)
{
	(void)d;
	(void)value;
	return report("-drive %s: index= is not supported; drives are numbered in the order of "
		      "the options", arg);
}

static int set_detect_zeroes(struct drive_config *d, const char *arg, const char *value)
{
	(void)d;
	return !strcmp(value, "off") ?
		       0 :
		       report("-drive %s: detect-zeroes=%s is not supported; only off", arg, value);
}

static const struct {
	const char *name;
	int (*set)(struct drive_config *d, const char *arg, const char *value);
} drive_keys[] = {
	{ "file", set_file },
	{ "format", set_format },
	{ "if", set_interface },
	{ "id", set_id },
	{ "media", set_media },
	{ "readonly", set_readonly },
	{ "read-only", set_readonly },
	{ "cache", set_cache },
	{ "aio", set_aio },
	{ "discard", set_discard },
	{ "detect-zeroes", set_detect_zeroes },
	{ "serial", set_serial },
	{ "werror", set_werror },
	{ "rerror", set_rerror },
	{ "snapshot", set_snapshot },
	{ "index", set_index },
};

static int set_drive_key(void *opaque, const char *arg, const char *key, const char *value)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(drive_keys); i++) {
		if (!strcmp(key, drive_keys[i].name))
			return drive_keys[i].set(opaque, arg, value);
	}
	return report("-drive %s: key '%s' is not supported; use file, format, if, id, media, "
		      "readonly, cache, aio, discard, serial, werror, rerror, snapshot", arg, key);
}

static struct drive_config *next_drive(struct config *cfg, const char *arg)
{
	struct drive_config *d = &cfg->drive[cfg->nr_drives];

	if (cfg->nr_drives == MAX_DRIVES) {
		report("drive %s: too many; at most %d drives", arg, MAX_DRIVES);
		return NULL;
	}
	cfg->nr_drives++;
	d->werror = DRIVE_ERROR_ENOSPC;
	d->disk = (struct disk_config){
		.queue_size = 256, .logical_block = 512, .physical_block = 512,
		.write_zeroes = true, .write_cache = true, .config_wce = true,
	};
	return d;
}

static int check_drive(const struct config *cfg, const struct drive_config *d, const char *arg)
{
	const struct drive_config *other;

	if (!d->path)
		return report("-drive %s: file= is missing", arg);
	if (d->on_device && !d->id)
		return report("-drive %s: with if=none it needs an id= for a -device to name it",
			      arg);
	for (other = cfg->drive; other < d; other++) {
		if (d->id && other->id && !strcmp(d->id, other->id))
			return report("-drive %s: id '%s' is taken", arg, d->id);
	}
	return d->readonly && d->snapshot ?
		       report("-drive %s: readonly=on and snapshot=on exclude each other", arg) :
		       0;
}

int config_parse_drive(struct config *cfg, const char *arg)
{
	struct drive_config *d = next_drive(cfg, arg);

	if (!d || config_keys("-drive", arg, set_drive_key, d))
		return -1;
	return check_drive(cfg, d, arg);
}

int config_parse_hda(struct config *cfg, const char *arg)
{
	struct drive_config *d = next_drive(cfg, arg);

	return d ? config_set_string(&d->path, arg) : -1;
}

int config_check_drives(const struct config *cfg)
{
	unsigned int i;

	for (i = 0; i < cfg->nr_drives; i++) {
		const struct drive_config *d = &cfg->drive[i];

		if (d->on_device && !d->used)
			return report("-drive %s: nothing uses it; add -device "
				      "virtio-blk-pci,drive=%s", d->path, d->id);
	}
	return 0;
}

void drive_config_free(struct drive_config *d)
{
	free(d->path);
	free(d->format);
	free(d->id);
	free(d->disk.serial);
}
