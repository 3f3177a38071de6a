/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host kernel's vhost-net: a thread of the kernel that moves frames between the rings in guest
 * RAM and a tap. Nothing here knows the device; see virtio/net_vhost.c.
 */
#ifndef MKVM_NET_VHOST_H
#define MKVM_NET_VHOST_H

#include "guest_mem.h"
#include "types.h"

struct vhost;

/* Queues of a pair, by their numbers in vhost. */
#define VHOST_RX	0
#define VHOST_TX	1
#define VHOST_QUEUES	2

/**
 * struct vhost_ring - where a queue lies, in this process, and how far it is
 * @size: entries
 * @base: next entry of the available ring to look at
 * @desc: descriptor table
 * @avail: available ring
 * @used: used ring
 */
struct vhost_ring {
	u16 size;
	u16 base;
	const void *desc;
	const void *avail;
	void *used;
};

/**
 * vhost_open() - open /dev/vhost-net, once for each pair of queues
 * @arg: the option, for messages
 * @pairs: 1 to MAX_NET_QUEUES
 *
 * Return: owned by the caller (vhost_close()); NULL after a report.
 */
struct vhost *vhost_open(const char *arg, unsigned int pairs);

/** vhost_close() - close it, or NULL; the kernel's threads end */
void vhost_close(struct vhost *v);

/**
 * vhost_set_up() - start the kernel's thread of a pair; before the thread that calls has a filter
 * @v: vhost
 * @pair: which, once
 * @mem: the guest's RAM, in which all buffers lie; in use until vhost_close()
 * @kick: eventfds the driver's notifications signal, of the receive and the transmit queue
 * @call: eventfds to signal when the driver wants an interrupt
 * @error: eventfd to signal when the driver breaks the rules
 *
 * Return: 0, or -1 after a report.
 */
int vhost_set_up(struct vhost *v, unsigned int pair, const struct guest_mem *mem, const int *kick,
		 const int *call, int error);

/**
 * vhost_start() - let the kernel serve a pair
 * @v: vhost
 * @pair: which; vhost_set_up() has been called, and it is not being served
 * @accepted: feature bits the driver chose, of all kinds
 * @ring: its queues
 * @tap: a tap's descriptor, which carries the header
 *
 * Requests that are in the rings already are looked at when @kick is signalled.
 *
 * Return: 0 or -errno; then the kernel serves neither queue.
 */
int vhost_start(struct vhost *v, unsigned int pair, u64 accepted, const struct vhost_ring *ring,
		int tap);

/**
 * vhost_stop() - end it; on return the kernel touches neither rings nor buffers, nor signals
 * @v: vhost
 * @pair: which
 * @base: set to where each queue is to be taken up again; all requests before were given back
 */
void vhost_stop(struct vhost *v, unsigned int pair, u16 *base);

#endif
