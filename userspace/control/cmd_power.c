// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm stop`, `pause`, `resume` and `reset`: what a person does to a machine from outside.
 */
#include <stdlib.h>
#include <string.h>

#include "config_parse.h"
#include "control/client.h"
#include "report.h"
#include "types.h"

#define DEFAULT_WAIT	60	/* seconds */
#define MAX_WAIT	86400

/* A command without arguments and result. */
static int simple(int argc, char **argv, const char *command)
{
	struct client_conn c;
	json_t *value = NULL;

	if (argc != 2 || argv[1][0] == '-') {
		report("usage: mkvm %s NAME", argv[0]);
		return EXIT_ERROR;
	}
	if (!client_open(&c, argv[1], false))
		value = client_call(&c, command, NULL);
	client_close(&c);
	json_decref(value);
	return value ? 0 : EXIT_ERROR;
}

int cmd_pause(int argc, char **argv)
{
	return simple(argc, argv, "stop");
}

int cmd_resume(int argc, char **argv)
{
	return simple(argc, argv, "cont");
}

int cmd_reset(int argc, char **argv)
{
	return simple(argc, argv, "system_reset");
}

/* A guest that does not run sees no button. */
static bool guest_runs(struct client_conn *c)
{
	json_t *status = client_call(c, "query-status", NULL);
	bool running = json_is_true(json_object_get(status, "running"));

	if (status && !running)
		report("%s does not run (%s): 'mkvm resume %s' first, or 'mkvm stop -f %s'",
		       c->name, json_string_value(json_object_get(status, "status")), c->name,
		       c->name);
	json_decref(status);
	return running;
}

static int stop(struct client_conn *c, bool force, unsigned int seconds)
{
	json_t *value;

	if (!force && !guest_runs(c))
		return EXIT_ERROR;
	value = client_call(c, force ? "quit" : "system_powerdown", NULL);
	if (!value)
		return EXIT_ERROR;
	json_decref(value);
	if (!seconds || client_wait_end(c, seconds * 1000))
		return 0;
	if (force)
		report("%s has not ended within %u seconds", c->name, seconds);
	else
		report("%s has not powered off within %u seconds; does the guest listen to the "
		       "power button? 'mkvm stop -f %s' ends it at once", c->name, seconds,
		       c->name);
	return EXIT_ERROR;
}

int cmd_stop(int argc, char **argv)
{
	unsigned int seconds = DEFAULT_WAIT;
	const char *name = NULL, *end;
	struct client_conn c;
	bool force = false;
	int status = EXIT_ERROR, i;
	u64 n;

	for (i = 1; i < argc; i++) {
		if (!strcmp(argv[i], "-f") || !strcmp(argv[i], "--force")) {
			force = true;
		} else if ((!strcmp(argv[i], "-w") || !strcmp(argv[i], "--wait")) && i + 1 < argc) {
			if (!config_number(argv[++i], &n, &end) || *end || n > MAX_WAIT) {
				report("mkvm stop -w %s: give seconds, at most %d", argv[i],
				       MAX_WAIT);
				return EXIT_ERROR;
			}
			seconds = (unsigned int)n;
		} else if (argv[i][0] == '-' || name) {
			name = NULL;
			break;
		} else {
			name = argv[i];
		}
	}
	if (!name) {
		report("usage: mkvm stop [-f] [-w SECONDS] NAME");
		return EXIT_ERROR;
	}
	if (!client_open(&c, name, false))
		status = stop(&c, force, seconds);
	client_close(&c);
	return status;
}
