// SPDX-License-Identifier: GPL-2.0
/*
 * A function for GNU make: $(run-and-exit COMMAND) runs the command and ends make with its exit
 * status. make itself turns every failed recipe into status 2, and "make run CMD='exit 7'" has
 * to exit with 7.
 *
 * Source: GNU make manual, "Loading Dynamic Objects".
 */
#include <gnumake.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

/* make refuses to load an object without this. */
int plugin_is_GPL_compatible;

static char *run_and_exit(const char *name, unsigned int argc, char **argv)
{
	int status;

	(void)name;
	(void)argc;
	fflush(NULL);
	status = system(argv[0]);
	if (status == -1)
		exit(2);
	exit(WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
}

int make_exit_setup(const gmk_floc *where);

int make_exit_setup(const gmk_floc *where)
{
	(void)where;
	gmk_add_function("run-and-exit", run_and_exit, 1, 1, GMK_FUNC_DEFAULT);
	return 1;
}
