// SPDX-License-Identifier: GPL-2.0
/*
 * Parses the options that several inspecting commands have, and prints as all of them do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "inspect/options.h"
#include "report.h"

bool option_help(int argc, char **argv)
{
	return argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-help") ||
			    !strcmp(argv[1], "-h") || !strcmp(argv[1], "help"));
}

int option_number(const char *option, const char *text, unsigned long min, unsigned long max,
		  unsigned long *value)
{
	bool hex = text[0] == '0' && (text[1] == 'x' || text[1] == 'X');
	char *end;

	errno = 0;
	*value = strtoul(text, &end, hex ? 16 : 10);
	if (*text < '0' || *text > '9' || end == text || (hex && end == text + 1) || *end ||
	    errno || *value < min || *value > max)
		return report("%s: '%s' is no number from %lu to %lu", option, text, min, max);
	return 0;
}

int option_machine(const char *command, int argc, char **argv, pid_t pid, const char **name)
{
	if (!pid && optind < argc)
		*name = argv[optind++];
	if (optind < argc)
		return report("%s: '%s' is too much", command, argv[optind]);
	if (!pid && !*name)
		return report("%s: which machine? 'mkvm list' names those that run; see "
			      "'mkvm %s --help'", command, command);
	return 0;
}

int option_seconds(const char *option, const char *text, double *value)
{
	char *end;

	*value = strtod(text, &end);
	if (end == text || *end || !(*value >= 0.01 && *value <= 86400))
		return report("%s: '%s' is no time from 0.01 to 86400 seconds", option, text);
	return 0;
}

bool output_colour(void)
{
	const char *term = getenv("TERM"), *no = getenv("NO_COLOR");

	return isatty(STDOUT_FILENO) && term && strcmp(term, "dumb") && (!no || !*no);
}

int output_json(json_t *value, size_t flags)
{
	int err;

	if (!value)
		return report("out of memory");
	err = json_dumpf(value, stdout, flags | JSON_ENSURE_ASCII);
	json_decref(value);
	return err || putchar('\n') == EOF ? report("cannot write the JSON") : 0;
}

int output_sleep(double seconds)
{
	struct timespec ts = { .tv_sec = (time_t)seconds };

	ts.tv_nsec = (long)((seconds - (double)ts.tv_sec) * 1e9);
	if (nanosleep(&ts, NULL))
		return -1;
	return 0;
}
