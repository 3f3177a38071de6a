// SPDX-License-Identifier: GPL-2.0
/*
 * The console's ring: one writer that is never held up, readers that each remember where they are.
 */
#include <stdlib.h>
#include <string.h>

#include "control/console.h"
#include "loop.h"
#include "report.h"
#include "types.h"

struct console *console_create(struct loop *loop)
{
	struct console *con = calloc(1, sizeof(*con));

	if (!con) {
		report("out of memory");
		return NULL;
	}
	pthread_mutex_init(&con->lock, NULL);
	con->loop = loop;
	return con;
}

void console_destroy(struct console *con)
{
	if (!con)
		return;
	pthread_mutex_destroy(&con->lock);
	free(con);
}

void console_put(struct console *con, u8 byte)
{
	pthread_mutex_lock(&con->lock);
	con->ring[con->written++ % CONSOLE_SIZE] = byte;
	pthread_mutex_unlock(&con->lock);
	/* The main thread clears the flag before it looks: at most one wake-up too many. */
	if (atomic_load(&con->readers) && !atomic_exchange(&con->woken, true))
		loop_wake(con->loop);
}

static u64 oldest(const struct console *con)
{
	return con->written > CONSOLE_SIZE ? con->written - CONSOLE_SIZE : 0;
}

u64 console_start(struct console *con)
{
	u64 pos;

	pthread_mutex_lock(&con->lock);
	pos = oldest(con);
	pthread_mutex_unlock(&con->lock);
	return pos;
}

size_t console_get(struct console *con, u64 *pos, void *buf, size_t len)
{
	size_t offset, run;

	pthread_mutex_lock(&con->lock);
	if (*pos < oldest(con))
		*pos = oldest(con);
	offset = *pos % CONSOLE_SIZE;
	run = CONSOLE_SIZE - offset;
	if (run > con->written - *pos)
		run = con->written - *pos;
	if (run > len)
		run = len;
	memcpy(buf, con->ring + offset, run);
	pthread_mutex_unlock(&con->lock);
	return run;
}
