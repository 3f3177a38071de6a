// SPDX-License-Identifier: GPL-2.0
/*
 * An instance of tracefs. See tracefs.h.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect/trace_page.h"
#include "inspect/tracefs.h"
#include "report.h"

#define PREFIX		"mkvm-trace-"
#define BUFFER_KB	"8192"		/* for each CPU */
#define MAX_FORMAT	65536

static const char *const roots[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };

/* Writes a file of the instance; 0 or an errno. */
static int put(struct tracefs *t, const char *file, const char *value, int flags)
{
	char path[256];
	int fd, err = 0;

	snprintf(path, sizeof(path), "%s/%s", t->dir, file);
	fd = open(path, O_WRONLY | O_CLOEXEC | flags);
	if (fd < 0)
		return errno;
	if (write(fd, value, strlen(value)) < 0)
		err = errno;
	close(fd);
	return err;
}

/* An instance whose process is gone. */
static void remove_stale(struct tracefs *t)
{
	char path[512];
	struct dirent *d;
	DIR *dir;
	long pid;

	snprintf(path, sizeof(path), "%s/instances", t->root);
	dir = opendir(path);
	if (!dir)
		return;
	while ((d = readdir(dir))) {
		if (strncmp(d->d_name, PREFIX, strlen(PREFIX)))
			continue;
		pid = strtol(d->d_name + strlen(PREFIX), NULL, 10);
		if (pid <= 0 || !kill((pid_t)pid, 0) || errno != ESRCH)
			continue;
		snprintf(path, sizeof(path), "%s/instances/%s", t->root, d->d_name);
		rmdir(path);
	}
	closedir(dir);
}

static int open_cpus(struct tracefs *t)
{
	unsigned int nr = (unsigned int)sysconf(_SC_NPROCESSORS_CONF), i;
	char path[256];

	t->cpu_fd = calloc(nr, sizeof(*t->cpu_fd));
	if (!t->cpu_fd)
		return report("out of memory");
	for (i = 0; i < nr; i++) {
		snprintf(path, sizeof(path), "%s/per_cpu/cpu%u/trace_pipe_raw", t->dir, i);
		t->cpu_fd[i] = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		/* A CPU that has never been there. */
		if (t->cpu_fd[i] < 0 && errno != ENOENT)
			return report("%s: %s", path, strerror(errno));
		t->nr_cpus = i + 1;
	}
	return 0;
}

int tracefs_open(struct tracefs *t)
{
	char path[256];
	size_t i;
	int err;

	memset(t, 0, sizeof(*t));
	for (i = 0; i < ARRAY_SIZE(roots) && !t->root; i++) {
		snprintf(path, sizeof(path), "%s/instances", roots[i]);
		if (!access(path, F_OK))
			t->root = roots[i];
		else if (errno == EACCES)
			return report("no permission to trace: %s; try as root", roots[i]);
	}
	if (!t->root)
		return report("tracefs is not mounted: 'mount -t tracefs tracefs %s'", roots[0]);
	remove_stale(t);
	snprintf(t->dir, sizeof(t->dir), "%s/instances/" PREFIX "%d", t->root, (int)getpid());
	if (mkdir(t->dir, 0700) && errno != EEXIST) {
		err = errno;
		t->dir[0] = '\0';
		if (err == EACCES || err == EPERM)
			return report("no permission to trace; try as root");
		return report("cannot make an instance of tracefs: %s", strerror(err));
	}
	err = put(t, "tracing_on", "0", 0);
	if (!err)
		err = put(t, "trace_clock", "mono", 0);
	if (!err)
		err = put(t, "buffer_size_kb", BUFFER_KB, 0);
	if (!err)
		err = put(t, "options/event-fork", "1", 0);
	if (err)
		return report("cannot set up %s: %s", t->dir, strerror(err));
	return open_cpus(t);
}

int tracefs_process(struct tracefs *t, pid_t pid)
{
	char path[64];
	struct dirent *d;
	int err = 0, nr = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	dir = opendir(path);
	if (!dir && errno == ENOENT)
		return report("process %d has ended", (int)pid);
	if (!dir)
		return report("cannot read %s: %s", path, strerror(errno));
	/* Without O_TRUNC each is added to the others. */
	while (!err && (d = readdir(dir))) {
		if (d->d_name[0] == '.')
			continue;
		err = put(t, "set_event_pid", d->d_name, O_APPEND);
		/* It ended meanwhile. */
		if (err == ESRCH)
			err = 0;
		nr++;
	}
	closedir(dir);
	if (err)
		return report("cannot choose process %d: %s", (int)pid, strerror(err));
	return nr ? 0 : report("process %d has ended", (int)pid);
}

static int read_format(struct tracefs *t, const char *system, const char *name)
{
	char path[256], *text = malloc(MAX_FORMAT);
	size_t len = 0;
	ssize_t n = -1;
	int fd, err;

	if (!text)
		return report("out of memory");
	snprintf(path, sizeof(path), "%s/events/%s/%s/format", t->dir, system, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && len < MAX_FORMAT - 1 &&
	       (n = read(fd, text + len, MAX_FORMAT - 1 - len)) > 0)
		len += (size_t)n;
	if (fd >= 0)
		close(fd);
	text[len] = '\0';
	err = n < 0 ? -1 : trace_format_parse(&t->format[t->nr_formats], text);
	free(text);
	if (err)
		return report("cannot understand %s", path);
	t->nr_formats++;
	return 0;
}

int tracefs_event(struct tracefs *t, const char *system, const char *name)
{
	char file[128];
	int err;

	if (t->nr_formats == TRACEFS_MAX_EVENTS)
		return report("too many events");
	snprintf(file, sizeof(file), "events/%s/%s/enable", system, name);
	err = put(t, file, "1", 0);
	if (err == ENOENT)
		return 0;
	if (err)
		return report("cannot record %s:%s: %s", system, name, strerror(err));
	return read_format(t, system, name) ? -1 : 1;
}

int tracefs_on(struct tracefs *t, bool on)
{
	int err = put(t, "tracing_on", on ? "1" : "0", 0);

	return err ? report("cannot switch recording: %s", strerror(err)) : 0;
}

int tracefs_read(struct tracefs *t, unsigned int cpu, void *page)
{
	ssize_t n;

	if (t->cpu_fd[cpu] < 0)
		return 0;
	n = read(t->cpu_fd[cpu], page, TRACE_PAGE_SIZE);
	if (n >= 0)
		return (int)n;
	if (errno == EAGAIN || errno == EINTR)
		return 0;
	return report("cannot read what CPU %u recorded: %s", cpu, strerror(errno));
}

const struct trace_format *tracefs_format(const struct tracefs *t, unsigned int id)
{
	unsigned int i;

	for (i = 0; i < t->nr_formats; i++) {
		if (t->format[i].id == id)
			return &t->format[i];
	}
	return NULL;
}

void tracefs_remove(struct tracefs *t)
{
	unsigned int i;

	for (i = 0; i < t->nr_cpus; i++) {
		if (t->cpu_fd[i] >= 0)
			close(t->cpu_fd[i]);
	}
	free(t->cpu_fd);
	t->cpu_fd = NULL;
	t->nr_cpus = 0;
	if (t->dir[0] && rmdir(t->dir) && errno != ENOENT)
		report("cannot remove %s: %s", t->dir, strerror(errno));
	t->dir[0] = '\0';
}

void tracefs_close(struct tracefs *t)
{
	unsigned int i;

	tracefs_remove(t);
	for (i = 0; i < t->nr_formats; i++)
		trace_format_free(&t->format[i]);
	t->nr_formats = 0;
}
