/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the guest has lately written to its serial console, kept for whoever attaches later.
 */
#ifndef MKVM_CONTROL_CONSOLE_H
#define MKVM_CONTROL_CONSOLE_H

#include <pthread.h>
#include <stdatomic.h>

#include "types.h"

struct loop;

#define CONSOLE_SIZE	65536

/**
 * struct console - the last CONSOLE_SIZE bytes of output
 * @lock: @ring and @written
 * @ring: byte n of the output is at n % CONSOLE_SIZE
 * @written: bytes ever
 * @readers: how many follow it; main thread writes
 * @woken: the main thread knows that there is something new
 * @loop: of the main thread
 */
struct console {
	pthread_mutex_t lock;
	u8 ring[CONSOLE_SIZE];
	u64 written;
	atomic_uint readers;
	atomic_bool woken;
	struct loop *loop;
};

/** console_create() - an empty one, or NULL after a report */
struct console *console_create(struct loop *loop);

/** console_destroy() - free it, or NULL */
void console_destroy(struct console *con);

/** console_put() - one more byte; never waits for readers; any thread */
void console_put(struct console *con, u8 byte);

/** console_start() - where a reader begins: the oldest byte there is */
u64 console_start(struct console *con);

/**
 * console_get() - copy output for a reader
 * @con: the console
 * @pos: where the reader is; moved on to the oldest byte there is if it fell behind
 * @buf: filled
 * @len: its size
 *
 * Return: bytes copied, 0 if the reader has seen all. The caller adds what it used to @pos.
 */
size_t console_get(struct console *con, u64 *pos, void *buf, size_t len);

#endif
