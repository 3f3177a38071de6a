// SPDX-License-Identifier: GPL-2.0
/*
 * Frames between the queues of a network device and its back end. They go from and to guest RAM
 * directly; only the header in front of each is copied, and checked.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, "Network Device", "Device Operation".
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "iov.h"
#include "virtio/net.h"

/* Frames per round: how long a queue's lock is held; and how many may wait for an interrupt. */
#define BUDGET		64
#define INTERRUPT_EVERY 16

static void count(_Atomic u64 *counter, u64 n)
{
	/* Only one thread writes it. */
	atomic_store_explicit(counter, atomic_load_explicit(counter, memory_order_relaxed) + n,
			      memory_order_relaxed);
}

/* Which features allow a kind of segmentation, to the host and to the guest. */
static const struct {
	u8 gso;
	u64 host, guest;
} gso_kinds[] = {
	{ VIRTIO_NET_HDR_GSO_TCPV4, BIT_ULL(VIRTIO_NET_F_HOST_TSO4),
	  BIT_ULL(VIRTIO_NET_F_GUEST_TSO4) },
	{ VIRTIO_NET_HDR_GSO_TCPV6, BIT_ULL(VIRTIO_NET_F_HOST_TSO6),
	  BIT_ULL(VIRTIO_NET_F_GUEST_TSO6) },
	{ VIRTIO_NET_HDR_GSO_UDP, BIT_ULL(VIRTIO_NET_F_HOST_UFO), BIT_ULL(VIRTIO_NET_F_GUEST_UFO) },
	{ NET_GSO_UDP_L4, BIT_ULL(NET_F_HOST_USO),
	  BIT_ULL(NET_F_GUEST_USO4) | BIT_ULL(NET_F_GUEST_USO6) },
};

/*
 * Does a header ask only for what was negotiated, and within the frame of @len bytes? @to_host: it
 * comes from the driver.
 */
static bool header_is_valid(const struct virtio_net *vn, const struct virtio_net_hdr_v1 *h,
			    size_t len, bool to_host)
{
	unsigned int csum = to_host ? VIRTIO_NET_F_CSUM : VIRTIO_NET_F_GUEST_CSUM;
	u8 gso = h->gso_type & (u8)~VIRTIO_NET_HDR_GSO_ECN;
	unsigned int i;

	if (h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
		if (!net_has(vn, csum) ||
		    (size_t)le16toh(h->csum_start) + le16toh(h->csum_offset) + 2 > len)
			return false;
	}
	if (gso == VIRTIO_NET_HDR_GSO_NONE)
		return !h->gso_type;
	/* The checksum of a segment can only be computed once there are segments. */
	if (!(h->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && gso != VIRTIO_NET_HDR_GSO_UDP)
		return false;
	if (!h->gso_size || le16toh(h->hdr_len) > len)
		return false;
	for (i = 0; i < ARRAY_SIZE(gso_kinds); i++) {
		if (gso_kinds[i].gso == gso)
			return vn->dev.accepted &
			       (to_host ? gso_kinds[i].host : gso_kinds[i].guest);
	}
	return false;
}

/* Send the request in @pair->chain. 0; -EAGAIN if the back end is full; -EPROTO. */
static int send_chain(struct net_pair *pair)
{
	struct virtio_net *vn = pair->vn;
	const struct virtq_chain *c = &pair->chain;
	struct virtio_net_hdr_v1 *h = &pair->header;
	size_t len;
	unsigned int n;
	int err;

	if (c->nr_in || virtq_read(c, 0, h, sizeof(*h)) != sizeof(*h))
		return -EPROTO;
	len = c->out_len - sizeof(*h);
	/* Meant for the other direction. */
	h->flags &= VIRTIO_NET_HDR_F_NEEDS_CSUM;
	h->num_buffers = 0;
	if (len < NET_FRAME_MIN || len > NET_FRAME_MAX || !header_is_valid(vn, h, len, true)) {
		count(&pair->count.tx_dropped, 1);
		return 0;
	}
	pair->iov[0].iov_base = h;
	pair->iov[0].iov_len = sizeof(*h);
	n = 1 + iov_slice(c->iov, c->nr_out, sizeof(*h), len, pair->iov + 1);
	err = vn->nb->ops->send(vn->nb, pair->index, pair->iov, n);
	if (!err) {
		count(&pair->count.tx_frames, 1);
		count(&pair->count.tx_bytes, len);
	}
	return err;
}

static void interrupt(struct net_pair *pair, unsigned int queue)
{
	struct virtio_dev *dev = &pair->vn->dev;

	if (!virtqueue_should_interrupt(&dev->queue[queue]))
		return;
	count(&pair->count.interrupts, 1);
	dev->transport->queue_interrupt(dev->transport_opaque, queue);
}

bool net_transmit(struct net_pair *pair)
{
	struct virtio_dev *dev = &pair->vn->dev;
	unsigned int queue = 2 * pair->index + 1, n = 0;
	struct virtqueue *vq = &dev->queue[queue];
	bool more = false;
	int ret = 0;

	pair->tx_blocked = false;
	pthread_mutex_lock(&vq->lock);
	while (virtio_running(dev)) {
		virtqueue_quiet(vq);
		for (; n < BUDGET && (ret = virtqueue_pop(vq, &pair->chain)) > 0; n++) {
			ret = send_chain(pair);
			if (ret)
				break;
			virtqueue_push(vq, pair->chain.head, 0);
		}
		if (ret == -EAGAIN) {
			virtqueue_unpop(vq, 1);
			pair->tx_blocked = true;
			break;
		}
		if (ret < 0) {
			virtio_fail(dev);
			break;
		}
		more = n == BUDGET;
		if (more || !virtqueue_rearm(vq))
			break;
	}
	interrupt(pair, queue);
	pthread_mutex_unlock(&vq->lock);
	return more;
}

void net_drop_buffers(struct net_pair *pair)
{
	pair->pool.nr = 0;
	pair->pool.nr_iovs = 0;
	pair->pool.len = 0;
	pair->pending = 0;
}

/*
 * Take buffers until the longest frame fits, or there are none. 0, or -EPROTO.
 */
static int fill_pool(struct net_pair *pair, struct virtqueue *vq)
{
	struct net_pool *pool = &pair->pool;
	const struct virtq_chain *c = &pair->chain;
	int ret;

	while (pool->len < NET_HEADER_LEN + NET_FRAME_MAX && pool->nr < NET_QUEUE_SIZE &&
	       pool->nr_iovs + NET_QUEUE_SIZE <= NET_POOL_IOVS) {
		ret = virtqueue_pop(vq, &pair->chain);
		if (ret <= 0)
			return ret;
		/* Each must have room for the header. */
		if (c->nr_out || c->in_len < NET_HEADER_LEN || c->in_len > UINT32_MAX)
			return -EPROTO;
		memcpy(pool->iov + pool->nr_iovs, c->iov, c->nr_in * sizeof(*c->iov));
		pool->chain[pool->nr].head = c->head;
		pool->chain[pool->nr].nr_iovs = (u16)c->nr_in;
		pool->chain[pool->nr].len = (u32)c->in_len;
		pool->nr++;
		pool->nr_iovs += c->nr_in;
		pool->len += c->in_len;
		/* The rest of a frame that was longer than the buffers before. */
		if (pair->pending)
			pair->spilled += iov_write(c->iov, c->nr_in, 0, pair->spill + pair->spilled,
						   pair->spill_end - pair->spilled);
	}
	return 0;
}

/* Give the driver the frame of @total bytes, header included, that is in the first buffers. */
static void deliver(struct net_pair *pair, struct virtqueue *vq, size_t total)
{
	struct net_pool *pool = &pair->pool;
	size_t left = total;
	unsigned int n = 0, iovs = 0;

	while (left) {
		u32 part = pool->chain[n].len < left ? pool->chain[n].len : (u32)left;

		virtqueue_fill(vq, (u16)n, pool->chain[n].head, part);
		iovs += pool->chain[n].nr_iovs;
		pool->len -= pool->chain[n].len;
		left -= part;
		n++;
	}
	pair->header.num_buffers = htole16((u16)n);
	iov_write(pool->iov, pool->nr_iovs, 0, &pair->header, sizeof(pair->header));
	virtqueue_flush(vq, (u16)n);
	pool->nr -= n;
	pool->nr_iovs -= iovs;
	memmove(pool->chain, pool->chain + n, pool->nr * sizeof(*pool->chain));
	memmove(pool->iov, pool->iov + iovs, pool->nr_iovs * sizeof(*pool->iov));
	count(&pair->count.rx_frames, 1);
	count(&pair->count.rx_bytes, total - NET_HEADER_LEN);
}

/* Where the next frame goes: the header to us, then guest RAM, then our own memory. */
static unsigned int receive_iov(struct net_pair *pair, bool mergeable)
{
	const struct net_pool *pool = &pair->pool;
	unsigned int nr = mergeable ? pool->nr_iovs : pool->chain[0].nr_iovs, n = 1;

	pair->iov[0].iov_base = &pair->header;
	pair->iov[0].iov_len = sizeof(pair->header);
	n += iov_slice(pool->iov, nr, NET_HEADER_LEN, UINT64_MAX, pair->iov + 1);
	pair->iov[n].iov_base = pair->spill;
	pair->iov[n].iov_len = sizeof(pair->spill);
	return n + 1;
}

/* @nr: buffers of @pair->iov; @len: of the frame in them */
static bool is_wanted(struct net_pair *pair, unsigned int nr, size_t len)
{
	struct virtio_net *vn = pair->vn;
	u8 start[18];
	size_t have;
	bool wanted;

	if (len < NET_FRAME_MIN || !header_is_valid(vn, &pair->header, len, false))
		return false;
	have = iov_read(pair->iov + 1, nr - 1, 0, start, len < sizeof(start) ? len : sizeof(start));
	pthread_rwlock_rdlock(&vn->filter_lock);
	wanted = net_filter_accepts(&vn->filter, start, have);
	pthread_rwlock_unlock(&vn->filter_lock);
	return wanted;
}

/*
 * Take one frame from the back end. 1; 0 if it is to be finished when more buffers come; or a
 * negative errno of the back end.
 */
static int receive_frame(struct net_pair *pair, struct virtqueue *vq)
{
	struct virtio_net *vn = pair->vn;
	bool mergeable = net_has(vn, VIRTIO_NET_F_MRG_RXBUF);
	size_t room = mergeable ? pair->pool.len : pair->pool.chain[0].len;
	unsigned int n = receive_iov(pair, mergeable);
	ssize_t ret = vn->nb->ops->recv(vn->nb, pair->index, pair->iov, n);
	size_t total = (size_t)ret;

	if (ret < 0)
		return (int)ret;
	if (total < NET_HEADER_LEN + NET_FRAME_MIN || !is_wanted(pair, n, total - NET_HEADER_LEN) ||
	    (!mergeable && total > room)) {
		count(&pair->count.rx_dropped, 1);
		return 1;
	}
	if (total <= room) {
		deliver(pair, vq, total);
		return 1;
	}
	pair->pending = total;
	pair->spilled = 0;
	pair->spill_end = total - room;
	return 0;
}

/*
 * A frame and buffers to put it into. 1: go on; 0: the driver must give more first; or a negative
 * errno.
 */
static int receive_one(struct net_pair *pair, struct virtqueue *vq)
{
	int ret;

	for (;;) {
		ret = fill_pool(pair, vq);
		if (ret)
			return ret;
		if (pair->pending && pair->spilled == pair->spill_end) {
			deliver(pair, vq, pair->pending);
			pair->pending = 0;
			return 1;
		}
		if (pair->pool.nr && !pair->pending) {
			ret = receive_frame(pair, vq);
			if (ret)
				return ret;
		}
		/* A frame for which all buffers of the ring are not enough will never fit. */
		if (pair->pending && (pair->pool.nr >= vq->size ||
				      pair->pool.nr_iovs + NET_QUEUE_SIZE > NET_POOL_IOVS)) {
			pair->pending = 0;
			count(&pair->count.rx_dropped, 1);
			return 1;
		}
		if (!virtqueue_rearm(vq))
			return 0;
	}
}

/* The interface is gone: as a cable that was pulled out. */
static void net_backend_died(struct net_pair *pair)
{
	pair->dead = true;
	atomic_store(&pair->vn->nb->link_up, false);
	net_kick(&pair->vn->pair[0]);
}

bool net_receive(struct net_pair *pair)
{
	struct virtio_dev *dev = &pair->vn->dev;
	unsigned int queue = 2 * pair->index, n;
	struct virtqueue *vq = &dev->queue[queue];
	int ret = 0;

	pair->rx_starved = false;
	pthread_mutex_lock(&vq->lock);
	if (!virtio_running(dev) || !vq->enabled || vq->stopped) {
		pthread_mutex_unlock(&vq->lock);
		return false;
	}
	virtqueue_quiet(vq);
	for (n = 0; n < BUDGET; n++) {
		ret = receive_one(pair, vq);
		if (ret <= 0)
			break;
		/* The guest can begin with these; if it is at work already, it wants none. */
		if (n % INTERRUPT_EVERY == INTERRUPT_EVERY - 1)
			interrupt(pair, queue);
	}
	if (ret == -EPROTO)
		virtio_fail(dev);
	else if (ret < 0 && ret != -EAGAIN)
		net_backend_died(pair);
	pair->rx_starved = !ret;
	interrupt(pair, queue);
	pthread_mutex_unlock(&vq->lock);
	return n == BUDGET;
}
