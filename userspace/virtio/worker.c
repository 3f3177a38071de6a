// SPDX-License-Identifier: GPL-2.0
/*
 * The thread of a small virtio device.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "report.h"
#include "sandbox.h"
#include "thread.h"
#include "virtio/worker.h"

static void *worker_thread(void *opaque)
{
	struct virtio_worker *w = opaque;
	struct pollfd pfd = { .fd = w->kick_fd, .events = POLLIN };
	int timeout = -1;
	u64 count;

	sandbox_thread(SANDBOX_SMALL);
	while (!atomic_load(&w->quit)) {
		if (poll(&pfd, 1, timeout) < 0 && errno != EINTR)
			break;
		if (pfd.revents && read(w->kick_fd, &count, sizeof(count)) < 0)
			count = 0;
		if (!atomic_load(&w->quit))
			timeout = w->serve(w->opaque);
	}
	return NULL;
}

int virtio_worker_init(struct virtio_worker *w)
{
	w->started = false;
	atomic_init(&w->quit, false);
	w->kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (w->kick_fd < 0)
		return report("cannot create an eventfd: %s", strerror(errno));
	return 0;
}

int virtio_worker_start(struct virtio_worker *w)
{
	int err = thread_create(&w->thread, w->name, worker_thread, w);

	if (err)
		return report("cannot start the thread %s: %s", w->name, strerror(err));
	w->started = true;
	return 0;
}

void virtio_worker_kick(struct virtio_worker *w)
{
	u64 one = 1;

	/* Fails only if the counter is full, and then the thread is awake anyway. */
	if (write(w->kick_fd, &one, sizeof(one)) < 0)
		return;
}

void virtio_worker_end(struct virtio_worker *w)
{
	if (w->started) {
		atomic_store(&w->quit, true);
		virtio_worker_kick(w);
		pthread_join(w->thread, NULL);
		w->started = false;
	}
	if (w->kick_fd >= 0)
		close(w->kick_fd);
	w->kick_fd = -1;
}
