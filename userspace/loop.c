// SPDX-License-Identifier: GPL-2.0
/*
 * Event loop of the main thread. poll() and not epoll, because standard input may be a regular
 * file.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "loop.h"
#include "report.h"
#include "types.h"

int loop_init(struct loop *loop)
{
	memset(loop, 0, sizeof(*loop));
	loop->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (loop->wake_fd < 0)
		return report("cannot create an eventfd: %s", strerror(errno));
	return 0;
}

void loop_destroy(struct loop *loop)
{
	close(loop->wake_fd);
	loop->wake_fd = -1;
}

int loop_add(struct loop *loop, struct loop_source source)
{
	if (loop->nr == LOOP_MAX_SOURCES)
		return report("too many event sources");
	loop->source[loop->nr++] = source;
	return 0;
}

void loop_wait(struct loop *loop)
{
	struct pollfd pfd[LOOP_MAX_SOURCES + 1] = { { .fd = loop->wake_fd, .events = POLLIN } };
	u64 count;
	unsigned int i;

	for (i = 0; i < loop->nr; i++) {
		struct loop_source *s = &loop->source[i];

		/* A negative descriptor is skipped by poll(). */
		pfd[i + 1].fd = !s->wanted || s->wanted(s->opaque) ? s->fd : -1;
		pfd[i + 1].events = POLLIN;
	}
	if (poll(pfd, loop->nr + 1, -1) < 0)
		return;
	if (pfd[0].revents && read(loop->wake_fd, &count, sizeof(count)) < 0)
		count = 0;
	for (i = 0; i < loop->nr; i++) {
		if (pfd[i + 1].revents)
			loop->source[i].ready(loop->source[i].opaque);
	}
}

void loop_wake(struct loop *loop)
{
	u64 one = 1;

	/* Fails only if the counter is full, and then the loop is awake anyway. */
	if (write(loop->wake_fd, &one, sizeof(one)) < 0)
		return;
}
