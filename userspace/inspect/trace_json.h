/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The two outputs of `mkvm trace`: trace events in JSON for Perfetto and Chrome, and folded stacks.
 */
#ifndef MKVM_INSPECT_TRACE_JSON_H
#define MKVM_INSPECT_TRACE_JSON_H

#include <stdio.h>

#include "inspect/symbols.h"
#include "inspect/trace_log.h"

/**
 * struct trace_json - a JSON file that is being written
 * @f: where to; not owned
 * @pid: of the process
 * @origin: the time that is shown as 0, in nanoseconds
 * @symbols: of the guest's kernel, or NULL
 * @any: something was written: a comma is due
 *
 * Source: "Trace Event Format" (Google, 2016), "JSON Object Format", "Complete Events", "Instant
 * Events", "Metadata Events".
 */
struct trace_json {
	FILE *f;
	pid_t pid;
	u64 origin;
	const struct symbols *symbols;
	bool any;
};

/** trace_json_begin() - write the beginning; @process: its name, any bytes */
void trace_json_begin(struct trace_json *j, const char *process);

/** trace_json_slice() - write a slice or an instant */
void trace_json_slice(struct trace_json *j, const struct trace_slice *slice);

/**
 * trace_json_thread() - write a thread's name, once
 * @j: the file
 * @tid: the thread
 * @vcpu: its vCPU's number, or -1
 * @name: its name, any bytes
 */
void trace_json_thread(struct trace_json *j, pid_t tid, int vcpu, const char *name);

/**
 * trace_json_end() - write the end
 * @j: the file
 * @exits: @events: @lost: what was recorded
 */
void trace_json_end(struct trace_json *j, u64 exits, u64 events, u64 lost);

/**
 * struct folded - how often each exit came from each place
 * @line: @nr: "reason;symbol", in no order until folded_write()
 */
struct folded {
	struct folded_line *line;
	size_t nr, room;
	bool out_of_memory;
};

/**
 * folded_add() - count an exit
 * @fold: the counters
 * @slice: what trace_log_tell() told; only those of the category "exit" count
 * @symbols: of the guest's kernel, or NULL: addresses stay numbers
 */
void folded_add(struct folded *fold, const struct trace_slice *slice,
		const struct symbols *symbols);

/** folded_write() - one line for each place: "REASON;SYMBOL COUNT". -1: out of memory meanwhile */
int folded_write(struct folded *fold, FILE *f);

/** folded_free() - give back what it took */
void folded_free(struct folded *fold);

#endif
