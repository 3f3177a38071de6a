/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What was recorded, put in order and told as a story: when each vCPU was in the guest, which exit
 * it then had and who handled it, when each other thread ran, and what happened in between. Pure.
 */
#ifndef MKVM_INSPECT_TRACE_LOG_H
#define MKVM_INSPECT_TRACE_LOG_H

#include <sys/types.h>

#include "inspect/trace_format.h"
#include "types.h"

#define TRACE_MAX_ARGS	(TRACE_MAX_FIELDS + 2)

struct trace_record;
struct trace_track;

/**
 * struct trace_log - events in the order they came, from all CPUs
 * @record: @nr: @room: one for each
 * @bytes: @used: @size: what they consist of
 * @limit: most events to keep; 0 for no limit
 * @dropped: how many came after that
 */
struct trace_log {
	struct trace_record *record;
	size_t nr, room;
	u8 *bytes;
	size_t used, size;
	size_t limit;
	u64 dropped;
	bool out_of_memory;
};

/** trace_log_add() - keep an event: for trace_page_walk(), @opaque is a struct trace_log */
void trace_log_add(void *opaque, u64 time, const void *data, size_t len);

/** trace_log_start() - time of the earliest event, 0 if there is none */
u64 trace_log_start(const struct trace_log *log);

/** trace_log_free() - give everything back; harmless twice */
void trace_log_free(struct trace_log *log);

/* How a value is to be shown. */
enum trace_arg_kind { TRACE_ARG_NUMBER, TRACE_ARG_HEX, TRACE_ARG_TEXT };

/**
 * struct trace_arg - something worth knowing of a slice
 * @key: what
 * @kind: which of the following it is
 * @value: a number
 * @text: not a number
 */
struct trace_arg {
	const char *key;
	enum trace_arg_kind kind;
	u64 value;
	const char *text;
};

/**
 * struct trace_slice - something a thread did for a while, or an instant
 * @tid: the thread
 * @name: @category: what
 * @start: @end: when, in nanoseconds; the same for an instant
 * @rip: of the guest, if @has_rip
 * @arg: @nr_args: details
 *
 * Slices of one thread lie inside each other or apart, and are told in the order of their ends.
 */
struct trace_slice {
	pid_t tid;
	const char *name, *category;
	u64 start, end;
	bool has_rip;
	u64 rip;
	struct trace_arg arg[TRACE_MAX_ARGS];
	unsigned int nr_args;
};

/**
 * struct trace_sink - who listens
 * @ours: is this a thread of the process? Asked of those that were only seen running
 * @slice: a slice or an instant; good during the call
 * @track: a thread that had any: @vcpu is its vCPU's number, or -1
 * @opaque: their first argument
 */
struct trace_sink {
	bool (*ours)(void *opaque, pid_t tid);
	void (*slice)(void *opaque, const struct trace_slice *slice);
	void (*track)(void *opaque, pid_t tid, int vcpu);
	void *opaque;
};

/**
 * trace_log_tell() - tell what is in a log
 * @log: is sorted
 * @formats: @nr_formats: what its events are; others are left out
 * @sink: who listens
 *
 * A stay in the guest is a slice "guest"; what follows is one of the exit's name in the category
 * "exit", which says in "handled" whether RUN returned for it. Inside that lie "userspace", from
 * RUN's return to the next call, and "halted". Other threads have slices "running".
 *
 * Return: number of exits; -1 after a report: out of memory.
 */
long trace_log_tell(struct trace_log *log, const struct trace_format *formats,
		    unsigned int nr_formats, const struct trace_sink *sink);

#endif
