/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The one thread of a small virtio device: waits for notifications and calls the device.
 */
#ifndef MKVM_VIRTIO_WORKER_H
#define MKVM_VIRTIO_WORKER_H

#include <pthread.h>
#include <stdatomic.h>

#include "types.h"

/**
 * struct virtio_worker - a thread
 * @name: of the thread, up to 15 characters
 * @serve: look at the queues; return after how many milliseconds to look again even without a
 *	notification, or -1. Called in the thread, without locks
 * @opaque: argument of @serve
 * @kick_fd: eventfd that stands for a notification; -1 before virtio_worker_init()
 * @quit: the thread shall end
 * @started: it exists
 * @thread: valid if @started
 */
struct virtio_worker {
	const char *name;
	int (*serve)(void *opaque);
	void *opaque;
	int kick_fd;
	atomic_bool quit;
	bool started;
	pthread_t thread;
};

/** virtio_worker_init() - @name, @serve and @opaque are set; 0, or -1 after a report */
int virtio_worker_init(struct virtio_worker *w);

/** virtio_worker_start() - 0, or -1 after a report; virtio_worker_end() is due in both cases */
int virtio_worker_start(struct virtio_worker *w);

/** virtio_worker_kick() - have @serve called; any thread */
void virtio_worker_kick(struct virtio_worker *w);

/** virtio_worker_end() - stop and join the thread, if there is one, and free what there is */
void virtio_worker_end(struct virtio_worker *w);

#endif
