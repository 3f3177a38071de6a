// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the option parser: the input is a command line, one argument a line.
 */
#include <stdlib.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "fuzz.h"

#define MAX_ARGS	64

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* Help goes to stdout; libFuzzer talks on stderr. */
int LLVMFuzzerInitialize(int *argc, char ***argv)
{
	(void)argc;
	(void)argv;
	if (!freopen("/dev/null", "w", stdout))
		fuzz_fail("cannot open /dev/null");
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char *text = malloc(size + 1), *line = text, *next;
	char *argv[MAX_ARGS + 2] = { "run" };
	struct config cfg;
	int argc = 1;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	for (; line && argc <= MAX_ARGS; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = '\0';
		argv[argc++] = line;
	}
	config_parse(&cfg, argc, argv);
	config_free(&cfg);
	free(text);
	return 0;
}
