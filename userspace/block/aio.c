// SPDX-License-Identifier: GPL-2.0
/*
 * The asynchronous engine. Reads and writes of bytes that lie in the host file as they are go by
 * io_uring, a batch per system call; everything else, and everything where there is no io_uring,
 * goes to the pool. The owner waits for both, and for its doorbell, in one call.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "block/aio.h"
#include "block/block.h"
#include "iov.h"

#define RING_ENTRIES	128
#define MAX_PARTS	16
/*
 * After so many transfers the hold is let go: others wait for that (block_hold() in block.h). Until
 * the last of them is done, the pool takes the rest.
 */
#define MAX_BORROWED	1024

static void list_init(struct aio_list *list)
{
	list->head = NULL;
	list->tail = &list->head;
}

static void list_add(struct aio_list *list, struct aio_request *req)
{
	req->next = NULL;
	*list->tail = req;
	list->tail = &req->next;
}

static struct aio_request *list_take(struct aio_list *list)
{
	struct aio_request *head = list->head;

	list_init(list);
	return head;
}

int aio_ring_available(void)
{
	struct io_uring ring;
	int ret = io_uring_queue_init(4, &ring, 0);

	if (!ret)
		io_uring_queue_exit(&ring);
	return ret;
}

int aio_init(struct aio *aio, struct block *blk, struct aio_pool *pool)
{
	aio->blk = blk;
	aio->pool = pool;
	list_init(&aio->done);
	list_init(&aio->pool_done);
	pthread_mutex_init(&aio->lock, NULL);
	aio->event_fd = eventfd(0, EFD_CLOEXEC);
	return aio->event_fd < 0 ? -errno : 0;
}

void aio_destroy(struct aio *aio)
{
	if (aio->event_fd >= 0)
		close(aio->event_fd);
	pthread_mutex_destroy(&aio->lock);
}

void aio_start(struct aio *aio, bool ring)
{
	int ret;

	aio->has_ring = false;
	aio->armed = false;
	if (!ring)
		return;
	/*
	 * Completions are worked on in this thread, when it waits: no interruptions, no locks. A
	 * kernel that has these flags has polls that report again and again, too.
	 */
	ret = io_uring_queue_init(RING_ENTRIES, &aio->ring,
				  IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN);
	aio->multishot = !ret;
	if (ret == -EINVAL)
		ret = io_uring_queue_init(RING_ENTRIES, &aio->ring, 0);
	if (ret)
		return;
	aio->has_ring = true;
	(void)io_uring_register_ring_fd(&aio->ring);
}

void aio_stop(struct aio *aio)
{
	if (aio->has_ring)
		io_uring_queue_exit(&aio->ring);
	aio->has_ring = false;
}

void aio_wake(struct aio *aio)
{
	u64 one = 1;

	/* It can only fail when the counter is full: then nobody needs another call. */
	if (write(aio->event_fd, &one, sizeof(one)) < 0)
		return;
}

/* ---- the pool's side ------------------------------------------------------------------------- */

void aio_pool_done(struct aio_request *req)
{
	struct aio *aio = req->aio;
	bool first;

	pthread_mutex_lock(&aio->lock);
	first = !aio->pool_done.head;
	list_add(&aio->pool_done, req);
	/* With the lock held: afterwards the queue may be gone. */
	if (first)
		aio_wake(aio);
	pthread_mutex_unlock(&aio->lock);
}

static void take_pool_done(struct aio *aio)
{
	struct aio_request *req, *next;

	pthread_mutex_lock(&aio->lock);
	req = list_take(&aio->pool_done);
	pthread_mutex_unlock(&aio->lock);
	for (; req; req = next) {
		next = req->next;
		list_add(&aio->done, req);
	}
}

/* ---- the ring's side ------------------------------------------------------------------------- */

/* May one more transfer rely on the mapping? */
static bool borrow_hold(struct aio *aio)
{
	if (!aio->held) {
		block_hold(aio->blk);
		aio->borrowed = 0;
	} else if (aio->borrowed >= MAX_BORROWED) {
		return false;
	}
	aio->held++;
	aio->borrowed++;
	return true;
}

static void return_hold(struct aio *aio)
{
	if (!--aio->held)
		block_release(aio->blk);
}

static struct io_uring_sqe *get_sqe(struct aio *aio)
{
	struct io_uring_sqe *sqe = io_uring_get_sqe(&aio->ring);

	if (!sqe && io_uring_submit(&aio->ring) > 0)
		sqe = io_uring_get_sqe(&aio->ring);
	return sqe;
}

static bool is_aligned(const struct aio_request *req, unsigned int align)
{
	unsigned int i;

	for (i = 0; i < req->nr; i++) {
		if (((uintptr_t)req->iov[i].iov_base | req->iov[i].iov_len) % align)
			return false;
	}
	return !(req->offset % align);
}

/* Where the range lies in host files: extents; 0 if not all of it does, or in too many pieces. */
static unsigned int map_request(const struct aio_request *req, struct block_extent *ext)
{
	struct block *blk = req->aio->blk;
	u64 offset = req->offset, left = req->len;
	unsigned int n = 0;

	while (left) {
		if (n == MAX_PARTS ||
		    block_map(blk, offset, left, req->op == AIO_WRITE, &ext[n]) ||
		    ext[n].kind != BLOCK_DATA || !ext[n].len)
			return 0;
		if (ext[n].len > left)
			ext[n].len = left;
		if (blk->align > 1 && (ext[n].host_offset | ext[n].len) % blk->align)
			return 0;
		offset += ext[n].len;
		left -= ext[n].len;
		n++;
	}
	return n;
}

/* One transfer. The ring has room: transfers that are prepared can only be submitted. */
static void prepare(struct io_uring_sqe *sqe, const struct aio_request *req,
		    const struct block_extent *ext, const struct iovec *iov, unsigned int nr,
		    struct aio_part *part)
{
	if (req->op == AIO_WRITE && nr == 1)
		io_uring_prep_write(sqe, ext->fd, iov->iov_base, (u32)iov->iov_len,
				    ext->host_offset);
	else if (req->op == AIO_WRITE)
		io_uring_prep_writev(sqe, ext->fd, iov, nr, ext->host_offset);
	else if (nr == 1)
		io_uring_prep_read(sqe, ext->fd, iov->iov_base, (u32)iov->iov_len,
				   ext->host_offset);
	else
		io_uring_prep_readv(sqe, ext->fd, iov, nr, ext->host_offset);
	part->len = (u32)ext->len;
	io_uring_sqe_set_data(sqe, part);
}

/* Several extents: each gets its own slice of the buffers. */
static bool prepare_parts(struct aio *aio, struct aio_request *req, const struct block_extent *ext,
			  unsigned int n)
{
	struct iovec *iov;
	unsigned int i;
	u64 done = 0;

	/* A slice boundary cuts at most one buffer in two. */
	req->parts = malloc(n * sizeof(req->parts[0]) + (req->nr + n) * sizeof(*iov));
	if (!req->parts)
		return false;
	iov = (struct iovec *)(void *)(req->parts + n);
	for (i = 0; i < n; i++) {
		unsigned int nr = iov_slice(req->iov, req->nr, done, ext[i].len, iov);

		req->parts[i].request = req;
		prepare(io_uring_get_sqe(&aio->ring), req, &ext[i], iov, nr, &req->parts[i]);
		iov += nr;
		done += ext[i].len;
	}
	return true;
}

static bool submit_to_ring(struct aio *aio, struct aio_request *req)
{
	struct block_extent ext[MAX_PARTS];
	unsigned int n;

	if (!aio->has_ring || req->op > AIO_WRITE || req->len > INT32_MAX ||
	    (aio->blk->align > 1 && !is_aligned(req, aio->blk->align)) || !borrow_hold(aio))
		return false;
	n = map_request(req, ext);
	if (n && io_uring_sq_space_left(&aio->ring) < n)
		(void)io_uring_submit(&aio->ring);
	if (!n || io_uring_sq_space_left(&aio->ring) < n) {
		return_hold(aio);
		return false;
	}
	req->pending = n;
	if (n == 1) {
		req->first.request = req;
		prepare(io_uring_get_sqe(&aio->ring), req, ext, req->iov, req->nr, &req->first);
	} else if (!prepare_parts(aio, req, ext, n)) {
		return_hold(aio);
		return false;
	}
	return true;
}

void aio_submit(struct aio *aio, struct aio_request *req)
{
	req->aio = aio;
	req->parts = NULL;
	req->again = false;
	req->transferred = false;
	req->result = 0;
	if (!submit_to_ring(aio, req))
		aio_pool_submit(aio->pool, req);
}

static void part_done(struct aio *aio, struct aio_part *part, int res)
{
	struct aio_request *req = part->request;

	if (res < 0 || (u32)res != part->len)
		req->again = true;
	if (--req->pending)
		return;
	free(req->parts);
	req->parts = NULL;
	return_hold(aio);
	req->transferred = !req->again;
	if (req->again || req->through)
		aio_pool_submit(aio->pool, req);
	else
		list_add(&aio->done, req);
}

/*
 * Have the ring watch the eventfd. A poll reports every write from when it was armed on, and once
 * what came before; nobody reads the counter, which cannot get full in a lifetime.
 */
static void arm(struct aio *aio)
{
	struct io_uring_sqe *sqe = get_sqe(aio);

	if (!sqe)
		return;
	if (aio->multishot)
		io_uring_prep_poll_multishot(sqe, aio->event_fd, POLLIN);
	else
		io_uring_prep_read(sqe, aio->event_fd, &aio->event, sizeof(aio->event), 0);
	io_uring_sqe_set_data(sqe, NULL);
	aio->armed = true;
}

/* Has somebody called? */
static bool wait_for_ring(struct aio *aio)
{
	struct io_uring_cqe *cqe;
	unsigned int head, n = 0;
	bool called = false;

	if (!aio->armed)
		arm(aio);
	/* Interrupted or out of memory for a moment: the caller comes back. */
	(void)io_uring_submit_and_wait(&aio->ring, 1);
	io_uring_for_each_cqe(&aio->ring, head, cqe) {
		struct aio_part *part = io_uring_cqe_get_data(cqe);

		n++;
		if (part) {
			part_done(aio, part, cqe->res);
		} else {
			called = true;
			aio->armed = cqe->flags & IORING_CQE_F_MORE;
		}
	}
	io_uring_cq_advance(&aio->ring, n);
	return called;
}

struct aio_request *aio_wait(struct aio *aio)
{
	bool called = true;

	if (aio->has_ring)
		called = wait_for_ring(aio);
	else if (read(aio->event_fd, &aio->event, sizeof(aio->event)) < 0)
		aio->event = 0;
	if (called)
		take_pool_done(aio);
	return list_take(&aio->done);
}
