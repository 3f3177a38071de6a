/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The main thread's event loop: waits for input, signals and requests of other threads.
 */
#ifndef MKVM_LOOP_H
#define MKVM_LOOP_H

#include "types.h"

#define LOOP_MAX_SOURCES 32

/**
 * struct loop_source - a file descriptor to wait for
 * @fd: the descriptor
 * @wanted: NULL, or asked before each wait: poll this descriptor now?
 * @ready: called in the main thread when @fd is readable or at end of file
 * @opaque: argument of both
 */
struct loop_source {
	int fd;
	bool (*wanted)(void *opaque);
	void (*ready)(void *opaque);
	void *opaque;
};

struct loop {
	int wake_fd;
	struct loop_source source[LOOP_MAX_SOURCES];
	unsigned int nr;
};

/** loop_init() - 0, or -1 after a report */
int loop_init(struct loop *loop);

/** loop_destroy() - undo loop_init(); no thread may wake the loop any more */
void loop_destroy(struct loop *loop);

/** loop_add() - wait for one more descriptor; -1 if there are too many */
int loop_add(struct loop *loop, struct loop_source source);

/** loop_wait() - block until something happened, and call what is ready; main thread only */
void loop_wait(struct loop *loop);

/** loop_wake() - make loop_wait() return; any thread, any signal handler */
void loop_wake(struct loop *loop);

#endif
