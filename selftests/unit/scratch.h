/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Owns the place where tests of disk images keep them: in memory if that is possible, because much
 * is flushed; the current directory from then on.
 */
#ifndef SELFTESTS_UNIT_SCRATCH_H
#define SELFTESTS_UNIT_SCRATCH_H

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static char scratch_path[64];

/* Make a new directory and go there; return its path. */
static inline const char *scratch_enter(void)
{
	strcpy(scratch_path, "/dev/shm/images.XXXXXX");
	if (!mkdtemp(scratch_path)) {
		strcpy(scratch_path, "/tmp/images.XXXXXX");
		if (!mkdtemp(scratch_path))
			tap_bail("no directory");
	}
	if (chdir(scratch_path))
		tap_bail("cannot enter %s", scratch_path);
	return scratch_path;
}

/* Remove it, whatever is in it. */
static inline void scratch_leave(void)
{
	char command[80];

	snprintf(command, sizeof(command), "rm -rf %s", scratch_path);
	if (chdir("/") || system(command))
		tap_diag("%s is left behind", scratch_path);
}

#endif
