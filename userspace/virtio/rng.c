// SPDX-License-Identifier: GPL-2.0
/*
 * Virtio entropy devices: random bytes of the host's kernel, so many in a period.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, "Entropy Device".
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>

#include "machine.h"
#include "report.h"
#include "types.h"
#include "virtio/device.h"
#include "virtio/pci.h"
#include "virtio/rng.h"
#include "virtio/worker.h"

#define RNG_TYPE	4
#define CLASS_OTHER	0x00ff00
#define QUEUE_SIZE	8
#define PIECE		0x10000ULL	/* bytes given for one request at most */

#define DEFAULT_BYTES	MIB
#define DEFAULT_PERIOD	1000		/* milliseconds */

/**
 * struct virtio_rng - one device
 * @max_bytes: given in each period
 * @period: milliseconds
 * @left: of @max_bytes; thread only
 * @ends: end of the period, milliseconds of the monotonic clock; thread only
 * @chain: the request in work; thread only
 */
struct virtio_rng {
	struct virtio_dev dev;
	struct virtio_pci *pci;
	struct virtio_worker worker;
	u64 max_bytes;
	u64 period;
	u64 left;
	u64 ends;
	struct virtq_chain chain;
};

static u64 now_msec(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (u64)now.tv_sec * 1000 + (u64)now.tv_nsec / 1000000;
}

/* Fill the buffers with up to @len bytes. Return how many. */
static u64 fill(const struct virtq_chain *c, u64 len)
{
	u64 done = 0;
	unsigned int i;

	for (i = 0; i < c->nr_in && done < len; i++) {
		const struct iovec *iov = &c->iov[c->nr_out + i];
		u64 part = iov->iov_len < len - done ? iov->iov_len : len - done;
		ssize_t n = getrandom(iov->iov_base, part, 0);

		if (n > 0)
			done += (u64)n;
		/* Interrupted: what was given is enough, the driver asks again. */
		if (n < 0 || (u64)n < part)
			break;
	}
	return done;
}

/* Serve what is in the queue, as far as the period allows. Return 1 if it must wait. */
static int drain(struct virtio_rng *rng)
{
	struct virtqueue *vq = &rng->dev.queue[0];
	int ret;

	do {
		while (rng->left) {
			u64 len = rng->left < PIECE ? rng->left : PIECE;

			ret = virtqueue_pop(vq, &rng->chain);
			if (ret <= 0)
				break;
			/* The device has nothing to read, and no use for a buffer of no bytes. */
			if (rng->chain.out_len || !rng->chain.in_len) {
				ret = -EPROTO;
				break;
			}
			len = fill(&rng->chain, len);
			rng->left -= len;
			virtqueue_push(vq, rng->chain.head, (u32)len);
		}
		virtio_interrupt_queue(&rng->dev, 0);
		if (!rng->left)
			return 1;
		if (ret < 0) {
			virtio_fail(&rng->dev);
			return 0;
		}
	} while (virtqueue_rearm(vq));
	return 0;
}

static int rng_serve(void *opaque)
{
	struct virtio_rng *rng = opaque;
	u64 now = now_msec();
	int wait = 0;

	if (now >= rng->ends) {
		rng->ends = now + rng->period;
		rng->left = rng->max_bytes;
	}
	pthread_mutex_lock(&rng->dev.queue[0].lock);
	if (virtio_running(&rng->dev))
		wait = drain(rng);
	pthread_mutex_unlock(&rng->dev.queue[0].lock);
	return wait ? (int)(rng->ends - now) : -1;
}

static void rng_notify(void *opaque, unsigned int queue)
{
	struct virtio_rng *rng = opaque;

	(void)queue;
	virtio_worker_kick(&rng->worker);
}

static int rng_notify_fd(void *opaque, unsigned int queue)
{
	struct virtio_rng *rng = opaque;

	(void)queue;
	return rng->worker.kick_fd;
}

static const struct virtio_ops rng_ops = { .notify = rng_notify, .notify_fd = rng_notify_fd };

static int rng_start(void *opaque)
{
	struct virtio_rng *rng = opaque;

	return virtio_worker_start(&rng->worker);
}

static void rng_reset(void *opaque)
{
	struct virtio_rng *rng = opaque;

	virtio_pci_reset(rng->pci);
}

static void rng_destroy(void *opaque)
{
	struct virtio_rng *rng = opaque;

	virtio_worker_end(&rng->worker);
	virtio_pci_destroy(rng->pci);
	free(rng);
}

static const struct device_ops rng_device_ops = {
	.start = rng_start, .reset = rng_reset, .destroy = rng_destroy,
};

static int rng_limits(const struct device_config *cfg, u64 *bytes, u64 *period)
{
	*bytes = DEFAULT_BYTES;
	*period = DEFAULT_PERIOD;
	return device_number(cfg, "max-bytes", 1, GIB, bytes) ||
	       device_number(cfg, "period", 1, 3600 * 1000, period);
}

static int rng_check(struct config *cfg, struct device_config *dev)
{
	u64 bytes, period;

	(void)cfg;
	return rng_limits(dev, &bytes, &period) ? -1 : 0;
}

static int rng_create(struct machine *m, const struct device_config *cfg)
{
	struct virtio_rng *rng = calloc(1, sizeof(*rng));

	if (!rng)
		return report("out of memory");
	rng->worker = (struct virtio_worker){
		.name = "rng", .serve = rng_serve, .opaque = rng, .kick_fd = -1,
	};
	rng->dev.type = RNG_TYPE;
	rng->dev.nr_queues = 1;
	rng->dev.ops = &rng_ops;
	rng->dev.opaque = rng;
	virtio_init(&rng->dev, &m->mem, QUEUE_SIZE);
	if (!rng_limits(cfg, &rng->max_bytes, &rng->period) && !virtio_worker_init(&rng->worker))
		rng->pci = virtio_pci_create(m, &rng->dev, CLASS_OTHER);
	if (!rng->pci || machine_add_device(m, &rng_device_ops, rng)) {
		rng_destroy(rng);
		return -1;
	}
	return 0;
}

static const char *const rng_keys[] = { "max-bytes", "period", NULL };

const struct device_model virtio_rng_model = {
	.name = "virtio-rng-pci", .keys = rng_keys, .check = rng_check, .create = rng_create,
};
