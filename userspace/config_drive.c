// SPDX-License-Identifier: GPL-2.0
/*
 * Options that name disks: -drive and -hda.
 */
#include <stdio.h>
#include <string.h>

#include "block/format.h"
#include "config_parse.h"
#include "report.h"

static int set_format(struct drive_config *d, const char *arg, const char *value)
{
	char what[256];

	snprintf(what, sizeof(what), "-drive %s", arg);
	return block_find_format(what, value) ? config_set_string(&d->format, value) : -1;
}

static int set_drive_key(void *opaque, const char *arg, const char *key, const char *value)
{
	struct drive_config *d = opaque;

	if (!strcmp(key, "file"))
		return *value ? config_set_string(&d->path, value) :
				report("-drive %s: file= is empty", arg);
	if (!strcmp(key, "format"))
		return set_format(d, arg, value);
	if (!strcmp(key, "if"))
		return strcmp(value, "virtio") ?
			       report("-drive %s: interface '%s' is not supported; use virtio", arg,
				      value) :
			       0;
	if (!strcmp(key, "media"))
		return strcmp(value, "disk") ?
			       report("-drive %s: media '%s' is not supported; use disk", arg,
				      value) :
			       0;
	if (!strcmp(key, "readonly") || !strcmp(key, "read-only")) {
		d->readonly = !strcmp(value, "on");
		return strcmp(value, "on") && strcmp(value, "off") ?
			report("-drive %s: readonly is on or off, not '%s'", arg, value) : 0;
	}
	return report("-drive %s: key '%s' is not supported; use file, format, if, readonly", arg,
		      key);
}

static struct drive_config *next_drive(struct config *cfg, const char *arg)
{
	if (cfg->nr_drives == MAX_DRIVES) {
		report("drive %s: too many; at most %d drives", arg, MAX_DRIVES);
		return NULL;
	}
	return &cfg->drive[cfg->nr_drives++];
}

int config_parse_drive(struct config *cfg, const char *arg)
{
	struct drive_config *d = next_drive(cfg, arg);

	if (!d || config_keys("-drive", arg, set_drive_key, d))
		return -1;
	return d->path ? 0 : report("-drive %s: file= is missing", arg);
}

int config_parse_hda(struct config *cfg, const char *arg)
{
	struct drive_config *d = next_drive(cfg, arg);

	return d ? config_set_string(&d->path, arg) : -1;
}
