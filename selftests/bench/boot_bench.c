// SPDX-License-Identifier: GPL-2.0
/*
 * What a boot costs: runs a command, reads what it prints and gives the time-stamp counter's distance
 * between its start and the first line that holds a marker, as "boot VALUE".
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static uint64_t stamp(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return lo | (uint64_t)hi << 32;
}

/* usage: boot_bench MARKER LOG COMMAND [ARG...]: what the command prints goes to LOG */
int main(int argc, char **argv)
{
	uint64_t start, seen = 0;
	char line[4096];
	int p[2], status;
	FILE *in, *log;
	pid_t pid;

	if (argc < 4) {
		fprintf(stderr, "usage: boot_bench MARKER LOG COMMAND [ARG...]\n");
		return 1;
	}
	log = fopen(argv[2], "w");
	if (!log || pipe(p)) {
		fprintf(stderr, "boot_bench: %s: %s\n", argv[2], strerror(errno));
		return 1;
	}
	start = stamp();
	pid = fork();
	if (pid < 0) {
		fprintf(stderr, "boot_bench: fork: %s\n", strerror(errno));
		return 1;
	}
	if (!pid) {
		dup2(p[1], STDOUT_FILENO);
		dup2(p[1], STDERR_FILENO);
		close(p[0]);
		close(p[1]);
		execvp(argv[3], argv + 3);
		fprintf(stderr, "boot_bench: %s: %s\n", argv[3], strerror(errno));
		_exit(127);
	}
	close(p[1]);
	in = fdopen(p[0], "r");
	while (in && fgets(line, sizeof(line), in)) {
		if (!seen && strstr(line, argv[1]))
			seen = stamp();
		fputs(line, log);
	}
	fclose(log);
	if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status) || WEXITSTATUS(status)) {
		fprintf(stderr, "boot_bench: the command failed, see %s\n", argv[2]);
		return 1;
	}
	if (!seen) {
		fprintf(stderr, "boot_bench: '%s' never appeared, see %s\n", argv[1], argv[2]);
		return 1;
	}
	printf("boot %llu\n", (unsigned long long)(seen - start));
	return 0;
}
