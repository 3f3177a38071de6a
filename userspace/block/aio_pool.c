// SPDX-License-Identifier: GPL-2.0
/*
 * Threads that do requests with blocking calls: whatever needs an image format's own code, and all
 * of them where there is no io_uring.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "block/aio.h"
#include "block/block.h"
#include "thread.h"

/**
 * struct aio_pool - threads and what they have to do
 * @name: of each thread
 * @max: threads at most
 * @lock: everything below
 * @work: signalled when a request is added, or @quit is set
 * @head: requests, oldest first
 * @tail: where the next one is linked
 * @nr: threads
 * @idle: threads that wait, less the requests they are about to take
 * @quit: they shall end
 * @thread: the threads
 */
struct aio_pool {
	char name[16];
	unsigned int max;
	pthread_mutex_t lock;
	pthread_cond_t work;
	struct aio_request *head;
	struct aio_request **tail;
	unsigned int nr;
	unsigned int idle;
	bool quit;
	pthread_t thread[];
};

static int perform(struct aio_request *req)
{
	struct block *blk = req->aio->blk;

	switch (req->op) {
	case AIO_READ:
		return block_readv(blk, req->iov, req->nr, req->offset);
	case AIO_WRITE:
		return block_writev(blk, req->iov, req->nr, req->offset);
	case AIO_FLUSH:
		return block_flush(blk);
	case AIO_DISCARD:
		return block_discard(blk, req->offset, req->len);
	case AIO_ZERO:
		return block_write_zeroes(blk, req->offset, req->len, req->unmap);
	default:
		return -EINVAL;
	}
}

static void run(struct aio_request *req)
{
	req->result = req->transferred ? 0 : perform(req);
	if (!req->result && req->through)
		req->result = block_flush(req->aio->blk);
	aio_pool_done(req);
}

static void *pool_thread(void *opaque)
{
	struct aio_pool *pool = opaque;

	pthread_mutex_lock(&pool->lock);
	for (;;) {
		struct aio_request *req = pool->head;

		if (!req && pool->quit)
			break;
		if (!req) {
			pool->idle++;
			pthread_cond_wait(&pool->work, &pool->lock);
			pool->idle--;
			continue;
		}
		pool->head = req->next;
		if (!pool->head)
			pool->tail = &pool->head;
		pthread_mutex_unlock(&pool->lock);
		run(req);
		pthread_mutex_lock(&pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* One more thread, if that is possible. Called with the lock held. */
static void add_thread(struct aio_pool *pool)
{
	if (!thread_create(&pool->thread[pool->nr], pool->name, pool_thread, pool))
		pool->nr++;
}

struct aio_pool *aio_pool_create(const char *name, unsigned int max)
{
	struct aio_pool *pool = calloc(1, sizeof(*pool) + max * sizeof(pool->thread[0]));

	if (!pool)
		return NULL;
	snprintf(pool->name, sizeof(pool->name), "%s", name);
	pool->max = max;
	pool->tail = &pool->head;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->work, NULL);
	return pool;
}

void aio_pool_destroy(struct aio_pool *pool)
{
	unsigned int i;

	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->quit = true;
	pthread_cond_broadcast(&pool->work);
	pthread_mutex_unlock(&pool->lock);
	for (i = 0; i < pool->nr; i++)
		pthread_join(pool->thread[i], NULL);
	pthread_cond_destroy(&pool->work);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}

void aio_pool_submit(struct aio_pool *pool, struct aio_request *req)
{
	unsigned int waiting = 1;
	struct aio_request *r;
	bool inline_run;

	req->next = NULL;
	pthread_mutex_lock(&pool->lock);
	for (r = pool->head; r && waiting <= pool->idle; r = r->next)
		waiting++;
	if (waiting > pool->idle && pool->nr < pool->max)
		add_thread(pool);
	/* A host that gives us no thread at all makes this one do it. */
	inline_run = !pool->nr;
	if (!inline_run) {
		*pool->tail = req;
		pool->tail = &req->next;
		pthread_cond_signal(&pool->work);
	}
	pthread_mutex_unlock(&pool->lock);
	if (inline_run)
		run(req);
}
