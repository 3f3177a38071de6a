// SPDX-License-Identifier: GPL-2.0
/*
 * Owns what `mkvm compare` reads from the host about VMs of other processes.
 *
 * Sources: Linux Documentation/trace/histogram.rst, Documentation/filesystems/proc.rst.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "compare/host.h"
#include "compare/modules.h"
#include "compare/rows.h"
#include "control/client.h"
#include "report.h"

static void add_up(json_t *sums, json_t *list)
{
	json_t *stat, *value;
	const char *name;
	json_int_t sum;
	size_t i;

	json_array_foreach(list, i, stat) {
		name = json_string_value(json_object_get(stat, "name"));
		value = json_object_get(stat, "value");
		if (!json_is_integer(value))
			continue;
		sum = json_integer_value(json_object_get(sums, name));
		json_object_set_new(sums, name, json_integer(sum + json_integer_value(value)));
	}
}

/* What query-stats gives for all that @target names, added up. */
static int add_target(json_t *sums, struct client_conn *conn, const char *target)
{
	json_t *list = client_call(conn, "query-stats", json_pack("{s:s}", "target", target));
	json_t *one;
	size_t i;

	json_array_foreach(list, i, one) add_up(sums, json_object_get(one, "stats"));
	json_decref(list);
	return list ? 0 : -1;
}

int counters_add(struct samples *s, const char *name)
{
	json_t *sums = json_object(), *value;
	struct client_conn conn;
	const char *key;
	int ret;

	ret = client_open(&conn, name, false);
	if (!ret)
		ret = add_target(sums, &conn, "vcpu");
	if (!ret)
		ret = add_target(sums, &conn, "vm");
	client_close(&conn);
	json_object_foreach(sums, key, value) {
		if (row_find(key) && samples_add(s, key, (u64)json_integer_value(value)))
			ret = report("compare: too many counters");
	}
	json_decref(sums);
	return ret;
}

/* Writes a text to a file of the kernel's; 0 or an errno. */
static int put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC), err = 0;

	if (fd < 0)
		return errno;
	if (write(fd, text, strlen(text)) < 0)
		err = errno;
	close(fd);
	return err;
}

int reasons_begin(struct reasons *r, bool minikvm)
{
	static const char *const roots[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	const char *event = minikvm ? "minikvm/kvm_exit" : "kvm/kvm_exit", *root = roots[0];
	char path[192];
	int err;

	r->prefix = cpu_has_vmx() ? "reason_" : "svm_";
	snprintf(path, sizeof(path), "%s/instances", root);
	if (access(path, F_OK))
		root = roots[1];
	snprintf(path, sizeof(path), "%s/events/%s", root, event);
	if (access(path, F_OK))
		return report("compare: no exits by reason: %s: %s", path, strerror(errno));
	snprintf(r->dir, sizeof(r->dir), "%s/instances/mkvm-compare-%d", root, getpid());
	if (mkdir(r->dir, 0700))
		return report("compare: %s: %s", r->dir, strerror(errno));
	snprintf(path, sizeof(path), "%s/events/%s/trigger", r->dir, event);
	snprintf(r->hist, sizeof(r->hist), "%s/events/%s/hist", r->dir, event);
	err = put(path, "hist:keys=exit_reason");
	if (!err)
		return 0;
	rmdir(r->dir);
	return report("compare: no exits by reason: %s: %s", path, strerror(err));
}

bool reasons_line(struct samples *s, const char *prefix, const char *line)
{
	unsigned long long reason, count;
	char name[SAMPLES_NAME_MAX];

	if (sscanf(line, "{ exit_reason: %llu } hitcount: %llu", &reason, &count) != 2 ||
	    reason > 0xffff)
		return false;
	snprintf(name, sizeof(name), "%s%llu", prefix, reason);
	return !samples_add(s, name, count);
}

int reasons_add(struct samples *s, const struct reasons *r)
{
	FILE *f = fopen(r->hist, "re");
	char line[256];
	unsigned int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n += reasons_line(s, r->prefix, line);
	if (f)
		fclose(f);
	return n ? 0 : report("compare: %s tells no exits", r->hist);
}

void reasons_end(struct reasons *r)
{
	char path[192];

	/* "hist" becomes "trigger": the instance goes only without one. */
	snprintf(path, sizeof(path), "%.*strigger", (int)strlen(r->hist) - 4, r->hist);
	put(path, "!hist:keys=exit_reason");
	if (rmdir(r->dir))
		report("compare: %s stays: %s", r->dir, strerror(errno));
}

/* Sum of the numbers behind the names of a file with lines "NAME: N kB". */
static u64 sum_lines(const char *path, const char *const *names)
{
	FILE *f = fopen(path, "re");
	unsigned long long kib;
	char line[256];
	u64 sum = 0;
	size_t i;

	while (f && fgets(line, sizeof(line), f)) {
		for (i = 0; names[i]; i++) {
			size_t len = strlen(names[i]);

			if (!strncmp(line, names[i], len) && line[len] == ':' &&
			    sscanf(line + len + 1, "%llu", &kib) == 1)
				sum += kib;
		}
	}
	if (f)
		fclose(f);
	return sum;
}

u64 memory_of_process(pid_t pid)
{
	static const char *const names[] = { "Pss_Anon", "Pss_Shmem", NULL };
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	return sum_lines(path, names);
}
