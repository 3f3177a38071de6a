/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Asynchronous requests to a disk image: a queue of them belongs to one thread, which submits,
 * waits and gets them back; who does the work is not its concern.
 */
#ifndef MKVM_BLOCK_AIO_H
#define MKVM_BLOCK_AIO_H

#include <liburing.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/uio.h>

#include "types.h"

struct aio;
struct aio_pool;
struct aio_request;
struct block;

enum aio_op {
	AIO_READ,
	AIO_WRITE,
	AIO_FLUSH,
	AIO_DISCARD,
	AIO_ZERO,
};

/**
 * struct aio_part - a transfer within one extent of the image
 * @request: what it is part of
 * @len: bytes
 */
struct aio_part {
	struct aio_request *request;
	u32 len;
};

/**
 * struct aio_request - one request; the submitter owns it again when aio_wait() returns it
 * @op: what to do
 * @unmap: AIO_ZERO: the space may be given back
 * @through: make it stable before it counts as done
 * @offset: first byte; the range lies within the image; likewise @len, not 0 except for AIO_FLUSH
 * @len: bytes
 * @iov: AIO_READ and AIO_WRITE: buffers of @len bytes together; valid until the request is done
 * @nr: entries of @iov
 * @result: 0 or a negative errno
 * @next: in lists of finished requests
 * @aio: from here on the engine's own: the queue
 * @first: the transfer, if there is only one
 * @parts: the transfers, if there are more, with their buffers; else NULL
 * @pending: transfers under way
 * @again: a transfer failed or stopped early: do it the slow way, which says why
 * @transferred: only the flush of @through is missing
 */
struct aio_request {
	enum aio_op op;
	bool unmap;
	bool through;
	u64 offset;
	u64 len;
	struct iovec *iov;
	unsigned int nr;
	int result;
	struct aio_request *next;

	struct aio *aio;
	struct aio_part first;
	struct aio_part *parts;
	unsigned int pending;
	bool again;
	bool transferred;
};

struct aio_list {
	struct aio_request *head;
	struct aio_request **tail;
};

/**
 * struct aio - a queue of requests
 * @blk: the image
 * @pool: threads for what cannot go by the ring
 * @event_fd: see aio_init()
 * @has_ring: io_uring is in use
 * @ring: the ring; of the owning thread, as everything up to @lock
 * @multishot: the ring can watch @event_fd for good; else it reads it anew each time
 * @armed: the ring watches @event_fd
 * @event: what was read from @event_fd, if it is read
 * @held: transfers by the ring that rely on block_hold(), which is taken once for all of them
 * @borrowed: how many have used the present hold; a hold ends some time
 * @done: finished, not yet returned
 * @lock: guards @pool_done
 * @pool_done: finished by the pool
 */
struct aio {
	struct block *blk;
	struct aio_pool *pool;
	int event_fd;
	bool has_ring;
	bool multishot;
	struct io_uring ring;
	bool armed;
	u64 event;
	unsigned int held;
	unsigned int borrowed;
	struct aio_list done;
	pthread_mutex_t lock;
	struct aio_list pool_done;
};

/** aio_ring_available() - does this host let us have an io_uring? 0, or a negative errno */
int aio_ring_available(void);

/**
 * aio_init() - an empty queue, still without an owner
 * @aio: the queue
 * @blk: the image; outlives it
 * @pool: the image's threads; outlives all requests
 *
 * A write to @aio->event_fd, an eventfd, ends aio_wait(): for doorbells and aio_wake().
 *
 * Return: 0 or a negative errno.
 */
int aio_init(struct aio *aio, struct block *blk, struct aio_pool *pool);

/** aio_destroy() - undo aio_init(); nothing is in flight, and the owner has called aio_stop() */
void aio_destroy(struct aio *aio);

/** aio_start() - the calling thread owns the queue from now on; @ring: use io_uring if possible */
void aio_start(struct aio *aio, bool ring);

/** aio_stop() - the owner ends; nothing is in flight */
void aio_stop(struct aio *aio);

/** aio_submit() - begin a request, at the latest with the next aio_wait(); owner only */
void aio_submit(struct aio *aio, struct aio_request *req);

/**
 * aio_wait() - wait until a request is done or somebody calls; owner only
 * @aio: the queue
 *
 * Return: requests that are done, linked by @next; NULL if there is none.
 */
struct aio_request *aio_wait(struct aio *aio);

/** aio_wake() - make aio_wait() return; any thread */
void aio_wake(struct aio *aio);

/* Threads that do requests with blocking calls: aio_pool.c */

/** aio_pool_create() - up to @max threads, made when needed, called @name; NULL: out of memory */
struct aio_pool *aio_pool_create(const char *name, unsigned int max);

/** aio_pool_destroy() - end the threads, when they have done what is queued; NULL is fine */
void aio_pool_destroy(struct aio_pool *pool);

/** aio_pool_submit() - do @req in one of the threads, then give it to aio_pool_done() */
void aio_pool_submit(struct aio_pool *pool, struct aio_request *req);

/** aio_pool_done() - of aio.c: @req has its result; any thread */
void aio_pool_done(struct aio_request *req);

#endif
