// SPDX-License-Identifier: GPL-2.0
/*
 * Disks whose changes are forgotten: a temporary overlay over an image that stays as it is.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block/block.h"
#include "block/format.h"
#include "report.h"
#include "types.h"

#define OVERLAY_FORMAT	"qcow2"
#define DEFAULT_DIR	"/var/tmp"	/* may become large, so not /tmp, which may be memory */

/* The image's size and format; nothing of it stays open. */
static int look_at(const char *path, const struct block_options *opts, struct block_create *create)
{
	struct block_options look = { .format = opts->format, .readonly = true };
	struct block *base = block_open(path, &look);

	if (!base)
		return -1;
	create->size = base->size;
	create->backing_format = base->format->name;
	block_close(base);
	return 0;
}

static int make_temporary(char **path)
{
	const char *dir = getenv("TMPDIR");
	int fd;

	if (asprintf(path, "%s/mkvm-snapshot.XXXXXX", dir && *dir ? dir : DEFAULT_DIR) < 0) {
		*path = NULL;
		return report("out of memory");
	}
	fd = mkostemp(*path, O_CLOEXEC);
	if (fd < 0) {
		report("snapshot: cannot create %s: %s", *path, strerror(errno));
		free(*path);
		*path = NULL;
		return -1;
	}
	close(fd);
	return 0;
}

struct block *block_open_snapshot(const char *path, const struct block_options *opts)
{
	const struct block_format *format = block_find_format("snapshot", OVERLAY_FORMAT);
	struct block_options overlay = { .format = OVERLAY_FORMAT, .direct = opts->direct };
	struct block_create create = { .size = 0 };
	char *full = realpath(path, NULL), *temporary = NULL;
	struct block *blk = NULL;

	if (!full) {
		report("disk %s: %s", path, strerror(errno));
		return NULL;
	}
	create.backing_path = full;
	if (!format || look_at(path, opts, &create) || make_temporary(&temporary))
		goto out;
	if (!block_create(temporary, format, &create))
		blk = block_open(temporary, &overlay);
	/* From here on it exists as long as it is open. */
	unlink(temporary);
out:
	free(temporary);
	free(full);
	return blk;
}
