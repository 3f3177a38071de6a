// SPDX-License-Identifier: GPL-2.0
/*
 * Options that say how a machine is found and controlled: -name, -qmp, -monitor.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config_parse.h"
#include "control/entry.h"
#include "report.h"

static int name_key(void *opaque, const char *arg, const char *key, const char *value)
{
	struct config *cfg = opaque;
	bool flag;

	if (!strcmp(key, "guest")) {
		if (!entry_name_valid(value))
			return report("-name %s: use 1 to 64 letters, digits, '_', '.' or '-' "
				      "(not first)", value);
		cfg->name_given = true;
		return config_set_string(&cfg->name, value);
	}
	if (!strcmp(key, "process")) {
		if (!*value || strlen(value) > 15)
			return report("-name %s: process= takes 1 to 15 characters", arg);
		return config_set_string(&cfg->process, value);
	}
	/* Threads have names anyway. */
	if (!strcmp(key, "debug-threads"))
		return config_flag("-name", arg, key, value, &flag);
	return report("-name %s: key '%s' is not supported; use guest, process or debug-threads",
		      arg, key);
}

int config_parse_name(struct config *cfg, const char *arg)
{
	char *list;
	int err;

	if (!*arg)
		return report("-name: the name is empty");
	/* The first value may stand without its key. */
	if (strchr(arg, '=') && strcspn(arg, "=") < strcspn(arg, ","))
		return config_keys("-name", arg, name_key, cfg);
	if (asprintf(&list, "guest=%s", arg) < 0)
		return report("out of memory");
	err = config_keys("-name", list, name_key, cfg);
	free(list);
	return err;
}

int config_default_name(struct config *cfg)
{
	char name[32];

	if (cfg->name_given)
		return 0;
	snprintf(name, sizeof(name), "mkvm-%ld", (long)getpid());
	return config_set_string(&cfg->name, name);
}

static int qmp_key(void *opaque, const char *arg, const char *key, const char *value)
{
	bool *flags = opaque;

	if (!strcmp(key, "server"))
		return config_flag("-qmp", arg, key, value, &flags[0]);
	if (!strcmp(key, "wait"))
		return config_flag("-qmp", arg, key, value, &flags[1]);
	return report("-qmp %s: key '%s' is not supported; use server and wait", arg, key);
}

int config_parse_qmp(struct config *cfg, const char *arg)
{
	size_t len = strcspn(arg, ",");
	bool flags[2] = { false, true };
	const char *keys = arg + len;
	char *path;

	if (!strcmp(arg, "none") || !strcmp(arg, "null"))
		return 0;
	if (cfg->qmp)
		return report("-qmp %s: can be given only once, besides the socket every machine "
			      "has", arg);
	if (strncmp(arg, "unix:", 5) || len <= 5)
		return report("-qmp %s: not supported; use unix:PATH,server=on,wait=off", arg);
	/* The old spelling of the two keys. */
	if (!strcmp(keys, ",server,nowait")) {
		flags[0] = true;
		flags[1] = false;
	} else if (*keys && config_keys("-qmp", keys + 1, qmp_key, flags)) {
		return -1;
	}
	if (!flags[0] || flags[1])
		return report("-qmp %s: only server=on,wait=off is supported", arg);
	path = strndup(arg + 5, len - 5);
	if (!path)
		return report("out of memory");
	cfg->qmp = path;
	return 0;
}

int config_parse_monitor(struct config *cfg, const char *arg)
{
	(void)cfg;
	if (!strcmp(arg, "none") || !strcmp(arg, "null"))
		return 0;
	return report("-monitor %s: there is no such monitor; use none, and 'mkvm info', "
		      "'mkvm stop' and so on, or -qmp", arg);
}
