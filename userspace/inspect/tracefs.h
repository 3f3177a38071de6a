/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A tracefs instance of our own: a ring buffer of the kernel's that records chosen events of one
 * process, and nothing else on the machine notices. It is taken away at the end; what a killed mkvm
 * left behind is taken away by the next one.
 *
 * Source: Linux Documentation/trace/ftrace.rst, "The File System", "Instances".
 */
#ifndef MKVM_INSPECT_TRACEFS_H
#define MKVM_INSPECT_TRACEFS_H

#include <sys/types.h>

#include "inspect/trace_format.h"
#include "types.h"

#define TRACEFS_MAX_EVENTS	64

/**
 * struct tracefs - our instance
 * @root: where tracefs is mounted
 * @dir: the instance's folder; empty: there is none
 * @cpu_fd: @nr_cpus: trace_pipe_raw of each CPU
 * @format: @nr_formats: the events that are recorded
 */
struct tracefs {
	const char *root;
	char dir[128];
	int *cpu_fd;
	unsigned int nr_cpus;
	struct trace_format format[TRACEFS_MAX_EVENTS];
	unsigned int nr_formats;
};

/**
 * tracefs_open() - make an instance that records nothing yet
 * @t: filled in; tracefs_close() is due whatever the result
 *
 * Return: 0, or -1 after a report: no tracefs, no permission.
 */
int tracefs_open(struct tracefs *t);

/**
 * tracefs_process() - record the threads that a process has and will have, and no others
 * @t: the instance
 * @pid: the process
 *
 * Return: 0, or -1 after a report.
 */
int tracefs_process(struct tracefs *t, pid_t pid);

/**
 * tracefs_event() - record an event, too
 * @t: the instance
 * @system: @name: the event
 *
 * Return: 1: it is, 0: the kernel has no such event, -1 after a report.
 */
int tracefs_event(struct tracefs *t, const char *system, const char *name);

/** tracefs_on() - begin or cease to record; -1 after a report */
int tracefs_on(struct tracefs *t, bool on);

/**
 * tracefs_read() - the next page of a CPU's buffer
 * @t: the instance
 * @cpu: index, below @t->nr_cpus
 * @page: TRACE_PAGE_SIZE bytes
 *
 * Return: bytes, 0: nothing there now, -1 after a report.
 */
int tracefs_read(struct tracefs *t, unsigned int cpu, void *page);

/** tracefs_format() - the event with this number, or NULL */
const struct trace_format *tracefs_format(const struct tracefs *t, unsigned int id);

/** tracefs_remove() - take the instance away; what is known of the events stays */
void tracefs_remove(struct tracefs *t);

/** tracefs_close() - ... and that too; harmless twice */
void tracefs_close(struct tracefs *t);

#endif
