// SPDX-License-Identifier: GPL-2.0
/*
 * All threads of mkvm start here.
 *
 * A thread names itself: the name of another one is set through /proc, which the sandbox does not
 * allow.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "thread.h"

/*
 * Less than a huge page, which a host may give for the first byte that is touched. Large buffers
 * are allocated. With -overcommit mem-lock=on all of it is resident.
 */
#define STACK_SIZE	(256 * 1024)

struct thread_start {
	char name[16];
	void *(*fn)(void *opaque);
	void *opaque;
};

static void *run_thread(void *opaque)
{
	struct thread_start start = *(struct thread_start *)opaque;

	free(opaque);
	(void)pthread_setname_np(pthread_self(), start.name);
	return start.fn(start.opaque);
}

int thread_create(pthread_t *thread, const char *name, void *(*fn)(void *), void *opaque)
{
	struct thread_start *start = malloc(sizeof(*start));
	pthread_attr_t attr;
	int err;

	if (!start)
		return ENOMEM;
	snprintf(start->name, sizeof(start->name), "%s", name);
	start->fn = fn;
	start->opaque = opaque;
	err = pthread_attr_init(&attr);
	if (!err) {
		(void)pthread_attr_setstacksize(&attr, STACK_SIZE);
		err = pthread_create(thread, &attr, run_thread, start);
		pthread_attr_destroy(&attr);
	}
	if (err)
		free(start);
	return err;
}
