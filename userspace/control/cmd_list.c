// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm list` and `mkvm info`: what runs, and how one of them is.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/client.h"
#include "control/entry.h"
#include "report.h"
#include "types.h"

#define MIB_SHIFT	20

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static long long number_of(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

static int print_json(json_t *value)
{
	int err = json_dumpf(value, stdout, JSON_INDENT(2) | JSON_ENSURE_ASCII);

	putchar('\n');
	json_decref(value);
	return err || fflush(stdout) ? report("cannot write") : 0;
}

/* ---- list ------------------------------------------------------------------------------------ */

static void list_one(void *opaque, const char *name)
{
	json_t *list = opaque, *info = NULL;
	struct client_conn c;

	if (!client_open(&c, name, true))
		info = client_call(&c, "query-info", NULL);
	if (!info)
		info = json_pack("{s:s,s:s}", "name", name, "status", "not answering");
	json_array_append_new(list, info);
	client_close(&c);
}

int cmd_list(int argc, char **argv)
{
	bool json = argc == 2 && !strcmp(argv[1], "--json");
	json_t *list, *info;
	size_t i;

	if (argc > 1 && !json) {
		report("usage: mkvm list [--json]");
		return EXIT_ERROR;
	}
	list = json_array();
	if (entry_each(list_one, list) < 0) {
		json_decref(list);
		return EXIT_ERROR;
	}
	if (json)
		return print_json(list) ? EXIT_ERROR : 0;
	printf("%-20s %-14s %8s %6s %9s\n", "NAME", "STATUS", "PID", "VCPUS", "MEMORY");
	json_array_foreach(list, i, info)
		printf("%-20s %-14s %8lld %6lld %5lld MiB\n", text_of(info, "name"),
		       text_of(info, "status"), number_of(info, "pid"), number_of(info, "vcpus"),
		       number_of(info, "memory") >> MIB_SHIFT);
	json_decref(list);
	return fflush(stdout) ? EXIT_ERROR : 0;
}

/* ---- info ------------------------------------------------------------------------------------ */

/* Host memory the process has, in MiB; 0 if it cannot be found out. */
static unsigned long resident_mib(long long pid)
{
	char path[64];
	unsigned long pages = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%lld/statm", pid);
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%*u %lu", &pages) != 1)
		pages = 0;
	fclose(f);
	return pages * (unsigned long)sysconf(_SC_PAGESIZE) >> MIB_SHIFT;
}

static void print_vcpus(const json_t *list)
{
	static const struct {
		const char *stat, *label;
	} shown[] = {
		{ "exits", "exits" }, { "io_exits", "port" }, { "mmio_exits", "mmio" },
		{ "halt_exits", "halt" }, { "irq_exits", "host interrupt" },
		{ "irq_injections", "interrupts" }, { "hypercalls", "hypercalls" },
		{ "pf_taken", "page faults" },
	};
	const json_t *vcpu, *stat;
	size_t i, k, s;

	json_array_foreach(list, i, vcpu) {
		printf("vcpu %-8lld", number_of(vcpu, "vcpu"));
		for (k = 0; k < ARRAY_SIZE(shown); k++) {
			json_array_foreach(json_object_get(vcpu, "stats"), s, stat) {
				if (!strcmp(text_of(stat, "name"), shown[k].stat))
					printf(" %s %lld", shown[k].label,
					       number_of(stat, "value"));
			}
		}
		putchar('\n');
	}
}

static void print_devices(const json_t *list)
{
	json_t *dev, *value;
	const char *name;
	size_t i;

	json_array_foreach(list, i, dev) {
		const char *file = text_of(dev, "file");

		printf("%-13s %s", text_of(dev, "device"), text_of(dev, "kind"));
		if (strcmp(file, "-"))
			printf(" %s (%s%s)", file, text_of(dev, "format"),
			       json_is_true(json_object_get(dev, "read-only")) ? ", read-only" :
									       "");
		json_object_foreach(json_object_get(dev, "stats"), name, value)
			printf(" %s %lld", name, (long long)json_integer_value(value));
		putchar('\n');
	}
}

static void print_info(const json_t *info)
{
	const json_t *main = json_object_get(info, "info");

	printf("name          %s\n", text_of(main, "name"));
	printf("status        %s\n", text_of(main, "status"));
	printf("pid           %lld\n", number_of(main, "pid"));
	printf("accelerator   %s\n", text_of(main, "accelerator"));
	printf("kernel        %s\n", text_of(main, "kernel"));
	printf("memory        %lld MiB, %lu MiB of the host's in use\n",
	       number_of(main, "memory") >> MIB_SHIFT, resident_mib(number_of(main, "pid")));
	printf("vcpus         %lld\n", number_of(main, "vcpus"));
	printf("resets        %lld\n", number_of(main, "resets"));
	print_vcpus(json_object_get(info, "vcpu-stats"));
	print_devices(json_object_get(info, "devices"));
}

int cmd_info(int argc, char **argv)
{
	bool json = argc == 3 && !strcmp(argv[1], "--json");
	json_t *info, *value, *all = NULL;
	struct client_conn c;
	int status = EXIT_ERROR;

	if (argc != 2 + json || argv[argc - 1][0] == '-') {
		report("usage: mkvm info [--json] NAME");
		return EXIT_ERROR;
	}
	if (client_open(&c, argv[argc - 1], false))
		goto out;
	info = client_call(&c, "query-info", NULL);
	if (!info)
		goto out;
	all = json_pack("{s:o}", "info", info);
	value = client_call(&c, "query-stats", json_pack("{s:s}", "target", "vcpu"));
	if (value)
		json_object_set_new(all, "vcpu-stats", value);
	value = client_call(&c, "query-device-stats", NULL);
	if (value)
		json_object_set_new(all, "devices", value);
	status = 0;
	if (json)
		status = print_json(all) ? EXIT_ERROR : 0;
	else
		print_info(all);
	if (!json)
		json_decref(all);
out:
	client_close(&c);
	return status;
}
