// SPDX-License-Identifier: GPL-2.0
/*
 * The queues of a virtio disk: takes requests, checks them, hands them to the image's engine and
 * gives them back. One thread per queue does all that; it waits for the image, the doorbell and
 * its masters in one place.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, "Block Device", "Device Operation".
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/block.h"
#include "control/event.h"
#include "iov.h"
#include "machine.h"
#include "report.h"
#include "sandbox.h"
#include "thread.h"
#include "types.h"
#include "virtio/blk.h"

#define T_IN			0
#define T_OUT			1
#define T_FLUSH			4
#define T_GET_ID		8
#define T_DISCARD		11
#define T_WRITE_ZEROES		13

#define S_OK			0
#define S_IOERR			1
#define S_UNSUPP		2

#define RANGE_F_UNMAP		1u

struct request_header {
	u32 type;
	u32 reserved;
	u64 sector;
};

/* What a discard or a write of zeroes is about. */
struct request_range {
	u64 sector;
	u32 num_sectors;
	u32 flags;
};

/**
 * struct blk_request - a request the image works on
 * @aio: for the engine
 * @head: to give it back
 * @status: where its status goes, in guest RAM
 * @next: in blk_queue.kept
 * @iov: the buffers
 */
struct blk_request {
	struct aio_request aio;
	u16 head;
	u8 *status;
	struct blk_request *next;
	struct iovec iov[];
};

static struct blk_request *to_request(struct aio_request *aio)
{
	return (struct blk_request *)aio;
}

/* ---- taking requests ------------------------------------------------------------------------- */

/* The last byte the device may write is the status. */
static u8 *status_byte(const struct virtq_chain *c)
{
	const struct iovec *last = &c->iov[c->nr_out + c->nr_in - 1];

	return (u8 *)last->iov_base + last->iov_len - 1;
}

/* Whole logical blocks within the disk? Subtractions only, so that no sum can wrap. */
static bool valid_range(const struct virtio_blk *disk, u64 sector, u64 sectors)
{
	u64 capacity = disk->blk->size / SECTOR_SIZE;
	u64 block = disk->drive->disk.logical_block / SECTOR_SIZE;

	return sector <= capacity && sectors <= capacity - sector && !(sector % block) &&
	       !(sectors % block);
}

/*
 * Must a write be stable before it is given back? Yes for a driver that cannot flush, or has said
 * that it does not.
 */
static bool writes_through(struct virtio_blk *disk)
{
	bool cached = atomic_load(&disk->write_cache) && (disk->dev.accepted & BLK_F_FLUSH);

	return !cached && !disk->drive->unsafe;
}

static u8 take_transfer(struct blk_queue *q, struct blk_request *req, bool write, u64 sector)
{
	const struct virtq_chain *c = &q->chain;
	u64 len = write ? c->out_len - sizeof(struct request_header) : c->in_len - 1;

	if (len % SECTOR_SIZE || len > INT32_MAX ||
	    !valid_range(q->disk, sector, len / SECTOR_SIZE))
		return S_IOERR;
	if (write && q->disk->blk->readonly)
		return S_IOERR;
	req->aio.op = write ? AIO_WRITE : AIO_READ;
	req->aio.through = write && writes_through(q->disk);
	req->aio.offset = sector * SECTOR_SIZE;
	req->aio.len = len;
	req->aio.iov = req->iov;
	req->aio.nr = write ? iov_slice(c->iov, c->nr_out, sizeof(struct request_header), len,
					req->iov) :
			      iov_slice(c->iov + c->nr_out, c->nr_in, 0, len, req->iov);
	return S_OK;
}

static u8 take_range(struct blk_queue *q, struct blk_request *req, bool discard)
{
	const struct virtq_chain *c = &q->chain;
	u32 allowed = discard ? 0 : RANGE_F_UNMAP;
	struct request_range r;
	u64 sector, sectors;
	u32 flags;

	if (!(q->disk->dev.accepted & (discard ? BLK_F_DISCARD : BLK_F_WRITE_ZEROES)))
		return S_UNSUPP;
	/* The ranges are copied once; BLK_MAX_RANGES is one. */
	if (c->out_len != sizeof(struct request_header) + sizeof(r) ||
	    virtq_read(c, sizeof(struct request_header), &r, sizeof(r)) != sizeof(r))
		return S_IOERR;
	sector = le64toh(r.sector);
	sectors = le32toh(r.num_sectors);
	flags = le32toh(r.flags);
	if (flags & ~allowed)
		return S_UNSUPP;
	if (sectors > BLK_MAX_RANGE_SECTORS || !valid_range(q->disk, sector, sectors))
		return S_IOERR;
	if (q->disk->blk->readonly)
		return S_IOERR;
	req->aio.op = discard ? AIO_DISCARD : AIO_ZERO;
	/* Space is given back only where the user has allowed it. */
	req->aio.unmap = (flags & RANGE_F_UNMAP) && q->disk->drive->disk.discard;
	req->aio.through = writes_through(q->disk);
	req->aio.offset = sector * SECTOR_SIZE;
	req->aio.len = sectors * SECTOR_SIZE;
	return S_OK;
}

static u8 take_flush(struct blk_queue *q, struct blk_request *req)
{
	req->aio.op = AIO_FLUSH;
	/* A length only tells that there is something to do. */
	req->aio.len = q->disk->drive->unsafe ? 0 : 1;
	return S_OK;
}

/* Is there something to do for the image? Then @req is ready; else @status is the answer. */
static bool take(struct blk_queue *q, struct blk_request *req, const struct request_header *h,
		 u8 *status, u32 *written)
{
	const struct virtq_chain *c = &q->chain;
	u64 id_len = c->in_len - 1 < sizeof(q->disk->id) ? c->in_len - 1 : sizeof(q->disk->id);

	switch (le32toh(h->type)) {
	case T_IN:
	case T_OUT:
		*status = take_transfer(q, req, le32toh(h->type) == T_OUT, le64toh(h->sector));
		break;
	case T_FLUSH:
		*status = take_flush(q, req);
		break;
	case T_GET_ID:
		*written = (u32)virtq_write(c, 0, q->disk->id, (size_t)id_len);
		*status = S_OK;
		return false;
	case T_DISCARD:
	case T_WRITE_ZEROES:
		*status = take_range(q, req, le32toh(h->type) == T_DISCARD);
		break;
	default:
		*status = S_UNSUPP;
		break;
	}
	return *status == S_OK && req->aio.len;
}

/*
 * The request in q->chain: hand it to the image, or answer it. -EPROTO if it is malformed beyond
 * answering.
 */
static int serve(struct blk_queue *q)
{
	struct virtqueue *vq = &q->disk->dev.queue[q->nr];
	const struct virtq_chain *c = &q->chain;
	struct request_header h;
	struct blk_request *req;
	u8 status = S_IOERR;
	u32 written = 0;

	if (virtq_read(c, 0, &h, sizeof(h)) != sizeof(h) || !c->in_len)
		return -EPROTO;
	req = malloc(sizeof(*req) + (c->nr_out + c->nr_in) * sizeof(req->iov[0]));
	if (req)
		memset(req, 0, sizeof(*req));
	if (req && take(q, req, &h, &status, &written)) {
		req->head = c->head;
		req->status = status_byte(c);
		q->in_flight++;
		aio_submit(&q->aio, &req->aio);
		return 0;
	}
	free(req);
	*status_byte(c) = status;
	virtqueue_push(vq, c->head, written + 1);
	return 0;
}

/* ---- giving them back ------------------------------------------------------------------------ */

static void count(struct blk_queue *q, const struct aio_request *req)
{
	static const enum blk_count kinds[] = {
		[AIO_READ] = BLK_COUNT_READ, [AIO_WRITE] = BLK_COUNT_WRITE,
		[AIO_FLUSH] = BLK_COUNT_FLUSH, [AIO_DISCARD] = BLK_COUNT_UNMAP,
		[AIO_ZERO] = BLK_COUNT_UNMAP,
	};
	struct blk_stats *s = &q->stats[kinds[req->op]];

	s->requests++;
	if (req->result)
		s->errors++;
	else if (req->op != AIO_FLUSH)
		s->bytes += req->len;
}

/* What is done about an error, in the words of QMP's BlockErrorAction and in ours. */
static const struct {
	const char *name;
	const char *text;
} actions[] = {
	[DRIVE_ERROR_REPORT] = { "report", "the guest is told" },
	[DRIVE_ERROR_STOP] = { "stop", "the guest is paused until somebody lets it go on" },
	[DRIVE_ERROR_IGNORE] = { "ignore", "ignored, as the options say" },
};

static void complain(struct virtio_blk *disk, const struct aio_request *req,
		     enum drive_error action)
{
	static const char *const names[] = {
		[AIO_READ] = "read", [AIO_WRITE] = "write", [AIO_FLUSH] = "flush",
		[AIO_DISCARD] = "discard", [AIO_ZERO] = "write of zeroes",
	};
	const char *reason = strerrordesc_np(-req->result);

	control_event(disk->m, "BLOCK_IO_ERROR", "{s:s,s:s,s:s,s:b,s:s}", "device", disk->name,
		      "operation", req->op == AIO_READ ? "read" : "write", "action",
		      actions[action].name, "nospace", req->result == -ENOSPC, "reason",
		      reason ? reason : "unknown");
	/* The first of many says enough. */
	if (!atomic_exchange(&disk->complained, true))
		report("disk %s (%s): %s of %llu bytes at %llu failed: %s; %s", disk->name,
		       disk->drive->path, names[req->op], req->op == AIO_FLUSH ? 0 : req->len,
		       req->offset, reason ? reason : "unknown error", actions[action].text);
}

/* Does this error stop the guest? An error that the user wants ignored is taken away. */
static bool stops_guest(struct virtio_blk *disk, struct aio_request *req)
{
	enum drive_error action =
		req->op == AIO_READ ? disk->drive->rerror : disk->drive->werror;

	if (action == DRIVE_ERROR_ENOSPC)
		action = req->result == -ENOSPC ? DRIVE_ERROR_STOP : DRIVE_ERROR_REPORT;
	complain(disk, req, action);
	if (action == DRIVE_ERROR_IGNORE)
		req->result = 0;
	return action == DRIVE_ERROR_STOP;
}

/* Give a request back. Called with the virtqueue's lock held, as the rest of this part. */
static void finish(struct blk_queue *q, struct blk_request *req)
{
	struct virtqueue *vq = &q->disk->dev.queue[q->nr];
	bool data = req->aio.op == AIO_READ && !req->aio.result;

	*req->status = req->aio.result ? S_IOERR : S_OK;
	virtqueue_push(vq, req->head, data ? (u32)req->aio.len + 1 : 1);
	q->in_flight--;
	free(req);
}

static void finish_list(struct blk_queue *q, struct aio_request *done)
{
	struct aio_request *next;

	for (; done; done = next) {
		struct blk_request *req = to_request(done);

		next = done->next;
		count(q, done);
		if (done->result && stops_guest(q->disk, done)) {
			req->next = q->kept;
			q->kept = req;
			machine_pause(q->disk->m, PAUSE_IO_ERROR);
		} else {
			finish(q, req);
		}
	}
}

/* What waits for the guest to go on: try it again, or on a reset forget it. */
static void release_kept(struct blk_queue *q, bool stopped)
{
	struct blk_request *req = q->kept, *next;
	bool retry = atomic_exchange(&q->retry, false);

	if (!stopped && !retry)
		return;
	q->kept = NULL;
	for (; req; req = next) {
		next = req->next;
		if (stopped)
			finish(q, req);
		else
			aio_submit(&q->aio, &req->aio);
	}
}

/* ---- the thread ------------------------------------------------------------------------------ */

/* Take what is in the queue, until it is empty and the driver knows that it has to call. */
static int drain(struct blk_queue *q)
{
	struct virtio_dev *dev = &q->disk->dev;
	struct virtqueue *vq = &dev->queue[q->nr];
	int ret = 0;

	while (virtio_running(dev)) {
		virtqueue_quiet(vq);
		while ((ret = virtqueue_pop(vq, &q->chain)) > 0) {
			ret = serve(q);
			if (ret)
				break;
		}
		if (ret || !virtqueue_rearm(vq))
			break;
	}
	return ret;
}

static void *queue_thread(void *opaque)
{
	struct blk_queue *q = opaque;
	struct virtio_dev *dev = &q->disk->dev;
	struct virtqueue *vq = &dev->queue[q->nr];

	sandbox_thread(SANDBOX_DISK);
	aio_start(&q->aio, q->disk->drive->aio != DRIVE_AIO_THREADS);
	while (!atomic_load(&q->quit)) {
		struct aio_request *done = aio_wait(&q->aio);
		int ret;

		pthread_mutex_lock(&vq->lock);
		finish_list(q, done);
		release_kept(q, vq->stopped);
		ret = drain(q);
		if (ret)
			virtio_fail(dev);
		/* Once for all that was given back in this round. */
		virtio_interrupt_queue(dev, q->nr);
		if (!q->in_flight)
			pthread_cond_broadcast(&q->idle);
		pthread_mutex_unlock(&vq->lock);
	}
	aio_stop(&q->aio);
	return NULL;
}

int blk_queue_start(struct blk_queue *q)
{
	char name[16];
	int err;

	snprintf(name, sizeof(name), "blk %s.%u", q->disk->name, q->nr);
	err = thread_create(&q->thread, name, queue_thread, q);
	if (err)
		return report("cannot start a disk thread: %s", strerror(err));
	q->started = true;
	return 0;
}

void blk_queue_drain(struct blk_queue *q)
{
	struct virtqueue *vq = &q->disk->dev.queue[q->nr];

	aio_wake(&q->aio);
	pthread_mutex_lock(&vq->lock);
	while (q->in_flight)
		pthread_cond_wait(&q->idle, &vq->lock);
	pthread_mutex_unlock(&vq->lock);
}

void blk_queue_retry(struct blk_queue *q)
{
	atomic_store(&q->retry, true);
	aio_wake(&q->aio);
}

void blk_queue_end(struct blk_queue *q)
{
	if (!q->started)
		return;
	atomic_store(&q->quit, true);
	aio_wake(&q->aio);
	pthread_join(q->thread, NULL);
	q->started = false;
}
