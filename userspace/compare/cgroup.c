// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the memory cgroup in which many VMs at once are counted.
 *
 * Sources: Linux Documentation/admin-guide/cgroup-v2.rst, "Memory"; fsopen(2).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compare/cgroup.h"
#include "report.h"

#define TEXT_MAX 16384 /* memory.stat of Linux 6.1 has 1.5 KiB */

/* The whole of a file of the kernel's, cut if it is longer; bytes, or -1 with errno. */
static ssize_t get(int dir, const char *name, char *text, size_t size)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), err;
	size_t len = 0;
	ssize_t n = fd < 0 ? -1 : 1;

	while (n > 0 && len < size - 1) {
		n = read(fd, text + len, size - 1 - len);
		len += n > 0 ? (size_t)n : 0;
	}
	err = errno;
	if (fd >= 0)
		close(fd);
	text[len] = '\0';
	errno = err;
	return n < 0 ? -1 : (ssize_t)len;
}

static int put(int dir, const char *name, const char *text)
{
	int fd = openat(dir, name, O_WRONLY | O_CLOEXEC), err = 0;

	if (fd < 0)
		return -1;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	errno = err;
	return err ? -1 : 0;
}

static bool has_word(char *text, const char *want)
{
	char *word, *save;

	for (word = strtok_r(text, " \n", &save); word; word = strtok_r(NULL, " \n", &save)) {
		if (!strcmp(word, want))
			return true;
	}
	return false;
}

/* The hierarchy, mounted nowhere: descriptor of its root, or -1 with errno. */
static int open_root(void)
{
	int fs = fsopen("cgroup2", FSOPEN_CLOEXEC), root = -1, err;

	if (fs < 0)
		return -1;
	if (!fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		root = fsmount(fs, FSMOUNT_CLOEXEC, 0);
	err = errno;
	close(fs);
	errno = err;
	return root;
}

/* Children of the root have memory.stat from here on. */
static int enable_memory(struct cgroup *g)
{
	char text[TEXT_MAX];

	if (get(g->root, "cgroup.controllers", text, sizeof(text)) < 0)
		return report("compare: cgroup.controllers: %s", strerror(errno));
	if (!has_word(text, "memory"))
		return report("compare: cgroup v2 has no memory controller: the kernel lacks it, "
			      "or a cgroup of version 1 has it");
	if (get(g->root, "cgroup.subtree_control", text, sizeof(text)) < 0)
		return report("compare: cgroup.subtree_control: %s", strerror(errno));
	if (has_word(text, "memory"))
		return 0;
	if (put(g->root, "cgroup.subtree_control", "+memory"))
		return report("compare: cgroup.subtree_control: +memory: %s", strerror(errno));
	g->enabled = true;
	return 0;
}

int cgroup_open(struct cgroup *g)
{
	*g = (struct cgroup){ .root = open_root(), .dir = -1, .procs = -1 };
	if (g->root < 0)
		return report("compare: cgroup v2: %s", strerror(errno));
	if (enable_memory(g))
		return -1;
	snprintf(g->name, sizeof(g->name), "mkvm-compare-%d", getpid());
	if (mkdirat(g->root, g->name, 0755)) {
		report("compare: cgroup %s: %s", g->name, strerror(errno));
		*g->name = '\0';
		return -1;
	}
	g->dir = openat(g->root, g->name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (g->dir >= 0)
		g->procs = openat(g->dir, "cgroup.procs", O_WRONLY | O_CLOEXEC);
	return g->procs < 0 ? report("compare: cgroup %s: %s", g->name, strerror(errno)) : 0;
}

int cgroup_kernel(const struct cgroup *g, u64 *kib)
{
	char text[TEXT_MAX], *line;
	unsigned long long bytes;

	/*
	 * Each CPU counts for itself. memory.stat alone may be 64 pages late for each of them;
	 * reading cpu.stat adds all counters of the cgroup up (kernel/cgroup/rstat.c of 6.1).
	 */
	if (get(g->dir, "cpu.stat", text, sizeof(text)) < 0 ||
	    get(g->dir, "memory.stat", text, sizeof(text)) < 0)
		return report("compare: cgroup %s: %s", g->name, strerror(errno));
	line = strstr(text, "\nkernel ");
	if (!line || sscanf(line, " kernel %llu", &bytes) != 1)
		return report("compare: memory.stat has no \"kernel\": that takes Linux 5.18");
	*kib = bytes / 1024;
	return 0;
}

void cgroup_close(struct cgroup *g)
{
	int i;

	if (g->procs >= 0)
		close(g->procs);
	if (g->dir >= 0)
		close(g->dir);
	/* A process that has been waited for may still be on its way out. */
	for (i = 0; *g->name && unlinkat(g->root, g->name, AT_REMOVEDIR); i++) {
		if (errno != EBUSY || i == 50) {
			report("compare: cgroup %s stays: %s", g->name, strerror(errno));
			break;
		}
		usleep(20000);
	}
	if (g->enabled)
		put(g->root, "cgroup.subtree_control", "-memory");
	if (g->root >= 0)
		close(g->root);
	*g = (struct cgroup){ .root = -1, .dir = -1, .procs = -1 };
}
