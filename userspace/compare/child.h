/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Programs that `mkvm compare` runs: VMMs, benchmarks, modprobe.
 */
#ifndef MKVM_COMPARE_CHILD_H
#define MKVM_COMPARE_CHILD_H

#include <stdio.h>
#include <sys/types.h>

#include "types.h"

#define CHILD_MAX_ARGS 64

/**
 * struct child - a program that runs, and ends when we end
 * @argv: its arguments, each allocated
 * @argc: how many
 * @pid: its process, -1: none
 * @in: its standard input, -1: none
 * @out: its standard output and error output, -1: none
 * @cgroup: -1, or cgroup.procs of the cgroup that it runs in; the caller's
 * @line: what it wrote since the last whole line
 * @used: bytes of that
 * @tail: the last lines it wrote, oldest first
 */
struct child {
	char *argv[CHILD_MAX_ARGS + 1];
	unsigned int argc;
	pid_t pid;
	int in, out, cgroup;
	char line[65536];
	size_t used;
	char *tail[8];
};

/** child_init() - no program; child_free() is due */
void child_init(struct child *c);

/** child_arg() - one more argument; a failure is told by child_start() */
void child_arg(struct child *c, const char *fmt, ...) __printf(2, 3);

/**
 * child_start() - run it
 * @c: with its arguments
 * @kvm_device: NULL, or a device that the program sees as /dev/kvm, and nothing else in /dev but
 *	null, zero, random and urandom
 *
 * Return: 0, or -1 after a report.
 */
int child_start(struct child *c, const char *kvm_device);

/**
 * child_read() - read what it wrote
 * @c: the program
 * @fn: called with each whole line, without its end
 * @opaque: its argument
 *
 * Return: 1 if there may be more later, 0 at the end of its output.
 */
int child_read(struct child *c, void (*fn)(void *opaque, char *line), void *opaque);

/** child_wait() - wait for its end: its exit status, or 128 and the number of a signal */
int child_wait(struct child *c);

/** child_kill() - end it, if it runs, by SIGTERM and after five seconds by SIGKILL */
void child_kill(struct child *c);

/** child_print_tail() - show its last lines to the user */
void child_print_tail(const struct child *c);

/** child_free() - kill it and free all */
void child_free(struct child *c);

#endif
