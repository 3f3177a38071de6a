/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Split virtqueues: the only code that touches rings. Devices see chains of iovecs.
 */
#ifndef MKVM_VIRTIO_VIRTQUEUE_H
#define MKVM_VIRTIO_VIRTQUEUE_H

#include <pthread.h>
#include <sys/uio.h>

#include "guest_mem.h"
#include "types.h"

/* A chain never has more descriptors than the queue has entries: virtio forbids it. */
#define VIRTQUEUE_MAX_SIZE	1024

/**
 * struct virtq_chain - one request: buffers the device reads, then buffers it writes
 * @head: index to give back with virtqueue_push()
 * @nr_out: device-readable buffers, iov[0] on
 * @nr_in: device-writable buffers, iov[nr_out] on
 * @out_len: bytes of the former
 * @in_len: bytes of the latter
 * @iov: in guest RAM; the guest can change the bytes at any time
 *
 * Sixteen KiB: one per queue as the place virtqueue_pop() fills, not one per request in flight; a
 * device that goes on without it keeps @head and the part of @iov that it needs.
 */
struct virtq_chain {
	u16 head;
	unsigned int nr_out;
	unsigned int nr_in;
	u64 out_len;
	u64 in_len;
	struct iovec iov[VIRTQUEUE_MAX_SIZE];
};

/**
 * struct virtqueue - one queue
 * @lock: everything below but @mem and @max_size. Held for as long as rings are looked at, not
 *	while a request is worked on; taken inside the device's lock
 * @mem: guest RAM
 * @max_size: entries the device offers, a power of two up to VIRTQUEUE_MAX_SIZE
 * @size: entries the driver chose
 * @desc_gpa: descriptor table; likewise @avail_gpa, @used_gpa: what the driver set
 * @enabled: the addresses were checked and the queue may be used
 * @broken: the driver broke the rules; nothing works until a reset
 * @event_idx: VIRTIO_F_EVENT_IDX was negotiated
 * @last_avail: next entry of the available ring to look at
 * @used_idx: next entry of the used ring to fill
 * @signalled: @used_idx when the driver was last interrupted
 * @stopped: the device is being reset: no request is taken any more
 * @desc: mapped rings, valid while @enabled; likewise @avail, @used
 * @avail_gpa: available ring, likewise
 * @used_gpa: used ring, likewise
 * @avail: available ring, likewise
 * @used: used ring, likewise
 *
 * All functions but virtqueue_init() are called with @lock held.
 */
struct virtqueue {
	pthread_mutex_t lock;
	const struct guest_mem *mem;
	u16 max_size;
	u16 size;
	gpa_t desc_gpa, avail_gpa, used_gpa;
	bool enabled;
	bool broken;
	bool event_idx;
	bool stopped;
	u16 last_avail;
	u16 used_idx;
	u16 signalled;
	const u8 *desc;
	u8 *avail;
	u8 *used;
};

/** virtqueue_init() - a queue of up to @max_size entries that is not enabled */
void virtqueue_init(struct virtqueue *vq, const struct guest_mem *mem, u16 max_size);

/** virtqueue_reset() - as after virtqueue_init() */
void virtqueue_reset(struct virtqueue *vq);

/**
 * virtqueue_stop() - take no more requests until virtqueue_reset(); those in flight can be given
 *	back
 * @vq: the queue
 */
void virtqueue_stop(struct virtqueue *vq);

/**
 * virtqueue_enable() - check size and addresses and start using the queue
 * @vq: the queue
 *
 * Return: 0; -EINVAL for a size that is no power of two or too large, or misaligned rings; -EFAULT
 * for rings outside RAM. The queue is not enabled then.
 */
int virtqueue_enable(struct virtqueue *vq);

/**
 * virtqueue_pop() - take the next request
 * @vq: the queue
 * @chain: filled in
 *
 * Any number of requests may be in flight at once, up to the size of the queue: a driver that
 * offers more than it has room for breaks the rules.
 *
 * Return: 1; 0 if there is none; -EPROTO if the driver broke the rules: the queue is then broken,
 * and the device has to ask for a reset.
 */
int virtqueue_pop(struct virtqueue *vq, struct virtq_chain *chain);

/**
 * virtqueue_unpop() - put the last @n requests taken back, none of which was given back: the next
 *	virtqueue_pop() takes the first of them again
 * @vq: the queue
 * @n: how many
 */
void virtqueue_unpop(struct virtqueue *vq, u16 n);

/**
 * virtqueue_push() - give a request back, in any order
 * @vq: the queue
 * @head: the request, virtq_chain.head
 * @written: bytes of its writable buffers that were written
 */
void virtqueue_push(struct virtqueue *vq, u16 head, u32 written);

/**
 * virtqueue_fill() - like virtqueue_push(), but the driver sees it only after virtqueue_flush()
 * @vq: the queue
 * @ahead: how many were filled since the last flush
 * @head: the request
 * @written: bytes written
 */
void virtqueue_fill(struct virtqueue *vq, u16 ahead, u16 head, u32 written);

/** virtqueue_flush() - show the driver the @n requests that were filled, all at once */
void virtqueue_flush(struct virtqueue *vq, u16 n);

/**
 * virtqueue_should_interrupt() - does the driver want to hear of what was pushed since the last
 *	call?
 * @vq: the queue
 */
bool virtqueue_should_interrupt(struct virtqueue *vq);

/**
 * virtqueue_rearm() - ask the driver to notify the device of the next request
 * @vq: the queue
 *
 * Return: true if a request has arrived meanwhile: look again instead of waiting.
 */
bool virtqueue_rearm(struct virtqueue *vq);

/** virtqueue_quiet() - tell the driver that the device is looking at the queue anyway */
void virtqueue_quiet(struct virtqueue *vq);

/**
 * virtq_read() - copy from the readable buffers of a chain
 * @chain: the request
 * @offset: first byte
 * @buf: where to or from
 * @len: bytes
 *
 * Return: bytes copied; fewer than @len at the end of the buffers.
 */
size_t virtq_read(const struct virtq_chain *chain, u64 offset, void *buf, size_t len);

/** virtq_write() - copy into the writable buffers of a chain; return as virtq_read() */
size_t virtq_write(const struct virtq_chain *chain, u64 offset, const void *buf, size_t len);

#endif
