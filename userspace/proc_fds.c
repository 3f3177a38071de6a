// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the walk through /proc/PID/fd.
 *
 * Source: proc(5), "/proc/pid/fd/".
 */
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "proc_fds.h"

bool proc_link(int dir, const char *name, char link[PROC_LINK_MAX])
{
	ssize_t n = readlinkat(dir, name, link, PROC_LINK_MAX - 1);

	link[n > 0 ? n : 0] = '\0';
	return n > 0;
}

int proc_fds(pid_t pid, int (*look)(void *opaque, int fd, const char *link), void *opaque)
{
	char link[PROC_LINK_MAX], path[32];
	struct dirent *entry;
	int ret = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%ld/fd", (long)pid);
	dir = opendir(path);
	if (!dir)
		return -1;
	while (!ret && (entry = readdir(dir))) {
		if (entry->d_name[0] != '.' && proc_link(dirfd(dir), entry->d_name, link))
			ret = look(opaque, atoi(entry->d_name), link);
	}
	closedir(dir);
	errno = 0;
	return ret;
}
