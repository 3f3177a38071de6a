// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the network the device fuzzers have: what the guest sends is looked at and dropped, what it
 * receives is part of the input.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fuzz.h"
#include "net/net.h"

#define MAX_PENDING	8

/**
 * struct frame - header and frame, on its way to the guest
 * @len: bytes there are to be, of which the first are @data, the rest noughts
 */
struct frame {
	size_t len;
	u8 data[512];
};

/**
 * struct queue - one
 * @fd: eventfd: there is a frame
 * @lock: the rest
 * @nr: entries of @pending, oldest first
 * @sent: frames of the guest
 */
static struct queue {
	int fd;
	pthread_mutex_t lock;
	unsigned int nr;
	struct frame pending[MAX_PENDING];
	unsigned int sent;
} queue[MAX_NET_QUEUES];

static struct net_backend nb;

static ssize_t net_recv(struct net_backend *b, unsigned int nr, struct iovec *iov,
			unsigned int parts)
{
	struct queue *q = &queue[nr];
	struct frame *f = &q->pending[0];
	ssize_t ret = -EAGAIN;
	size_t pos = 0;
	unsigned int i;
	u64 count;

	(void)b;
	pthread_mutex_lock(&q->lock);
	if (q->nr) {
		for (i = 0; i < parts && pos < f->len; i++) {
			size_t n = iov[i].iov_len < f->len - pos ? iov[i].iov_len : f->len - pos;
			size_t known = pos < sizeof(f->data) ? sizeof(f->data) - pos : 0;

			memset(iov[i].iov_base, 0, n);
			memcpy(iov[i].iov_base, f->data + (known ? pos : 0), n < known ? n : known);
			pos += n;
		}
		ret = (ssize_t)pos;
		q->nr--;
		memmove(q->pending, q->pending + 1, q->nr * sizeof(*f));
	} else if (read(q->fd, &count, sizeof(count)) < 0) {
		ret = -EAGAIN;
	}
	pthread_mutex_unlock(&q->lock);
	return ret;
}

/* Every byte must be there to be read; now and then the network is busy. */
static int net_send(struct net_backend *b, unsigned int nr, struct iovec *iov, unsigned int parts)
{
	static volatile u8 sink;
	struct queue *q = &queue[nr];
	unsigned int i;
	size_t j;
	u8 sum = 0;

	(void)b;
	if (!parts || iov[0].iov_len != NET_HEADER_LEN)
		fuzz_fail("a frame without its header");
	if (!(++q->sent % 7))
		return -EAGAIN;
	for (i = 0; i < parts; i++) {
		for (j = 0; j < iov[i].iov_len; j++)
			sum ^= ((const u8 *)iov[i].iov_base)[j];
	}
	sink = sum;
	(void)sink;
	return 0;
}

static int net_poll_fd(struct net_backend *b, unsigned int nr)
{
	(void)b;
	return queue[nr].fd;
}

static int net_set_offloads(struct net_backend *b, u64 features)
{
	if (features & ~b->features)
		fuzz_fail("offloads %llx that were not offered", features & ~b->features);
	return 0;
}

static int net_set_queues(struct net_backend *b, unsigned int n)
{
	if (!n || n > b->queues)
		fuzz_fail("%u queues of %u", n, b->queues);
	return 0;
}

static void net_close(struct net_backend *b)
{
	(void)b;
}

static const struct net_backend_ops net_ops = {
	.recv = net_recv, .send = net_send, .poll_fd = net_poll_fd,
	.set_offloads = net_set_offloads, .set_queues = net_set_queues, .close = net_close,
};

struct net_backend *fuzz_net(unsigned int queues)
{
	unsigned int i;

	for (i = 0; i < queues && i < MAX_NET_QUEUES; i++) {
		pthread_mutex_init(&queue[i].lock, NULL);
		queue[i].fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (queue[i].fd < 0)
			fuzz_fail("no eventfd");
	}
	nb.ops = &net_ops;
	nb.queues = queues;
	nb.features = BIT_ULL(VIRTIO_NET_F_CSUM) | BIT_ULL(VIRTIO_NET_F_GUEST_CSUM) |
		      BIT_ULL(VIRTIO_NET_F_GUEST_TSO4) | BIT_ULL(VIRTIO_NET_F_GUEST_TSO6) |
		      BIT_ULL(VIRTIO_NET_F_HOST_TSO4) | BIT_ULL(VIRTIO_NET_F_HOST_TSO6);
	atomic_init(&nb.link_up, true);
	return &nb;
}

bool fuzz_net_deliver(struct fuzz_in *in)
{
	u16 how = fuzz_u16(in);
	size_t len = how & 0x3fff;
	struct queue *q;
	struct frame *f;
	u64 one = 1;

	if (!nb.ops)
		return false;
	q = &queue[(how >> 14) % nb.queues];
	/* A tap never gives less than a frame's header behind its own. */
	if (len < NET_HEADER_LEN + NET_FRAME_MIN)
		len = NET_HEADER_LEN + NET_FRAME_MIN;
	pthread_mutex_lock(&q->lock);
	if (q->nr < MAX_PENDING) {
		f = &q->pending[q->nr++];
		f->len = len;
		memset(f->data, 0, sizeof(f->data));
		fuzz_bytes(in, f->data, len < sizeof(f->data) ? len : sizeof(f->data));
	}
	pthread_mutex_unlock(&q->lock);
	return write(q->fd, &one, sizeof(one)) == sizeof(one);
}
