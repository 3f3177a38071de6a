/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The pages that per_cpu/cpuN/trace_pipe_raw is read in, taken apart into events. Pure.
 *
 * Source: Linux, what events/header_page and events/header_event show of the layout; for the kinds
 * of headers and their times, include/linux/ring_buffer.h, "enum ring_buffer_type".
 */
#ifndef MKVM_INSPECT_TRACE_PAGE_H
#define MKVM_INSPECT_TRACE_PAGE_H

#include "types.h"

#define TRACE_PAGE_SIZE	4096

/**
 * trace_page_walk() - call @fn for each event of a page
 * @page: @len: what was read; not trusted
 * @fn: gets @opaque, the time, and the event's bytes, good during the call
 * @opaque: its argument
 * @lost: added to: how many events the kernel dropped before this page; 1 if it cannot tell
 *
 * Return: how many events, or -1: the page contradicts itself; what came before that counts.
 */
int trace_page_walk(const void *page, size_t len,
		    void (*fn)(void *opaque, u64 time, const void *data, size_t len), void *opaque,
		    u64 *lost);

#endif
