/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Network back ends: where a network device's frames go to and come from.
 */
#ifndef MKVM_NET_NET_H
#define MKVM_NET_NET_H

#include <stdatomic.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <linux/virtio_net.h>

#include "net/net_config.h"
#include "types.h"

/* Before each frame, in both directions; the driver of the guest and the host's tap agree on it. */
#define NET_HEADER_LEN		sizeof(struct virtio_net_hdr_v1)

static_assert(sizeof(struct virtio_net_hdr_v1) == 12, "header before a frame");

/* Largest frame without the header: 64 KiB of IP, Ethernet's header, a VLAN tag or two. */
#define NET_FRAME_MAX		(65535 + 14 + 8)
#define NET_FRAME_MIN		14

/* Newer than some headers: segmentation of UDP by datagrams (virtio 1.3, Linux 6.2). */
#define NET_F_GUEST_USO4	54
#define NET_F_GUEST_USO6	55
#define NET_F_HOST_USO		56
#define NET_GSO_UDP_L4		5

struct net_backend;
struct vhost;

/**
 * struct net_backend_ops - a kind of back end
 * @recv: take the next frame off @queue. @iov[0] is room for the header alone, in mkvm's own
 *	memory; the rest is for the frame, in guest RAM, and last in mkvm's own memory again.
 *	Return the bytes of header and frame; -EAGAIN if there is none now; another negative errno
 *	if there will be none any more
 * @send: send a frame, buffers as @recv has them. Return 0, also if the frame was lost on the way;
 *	-EAGAIN if it has to be sent again once poll() says so
 * @poll_fd: what to wait for to call @recv again, or -1
 * @set_offloads: the guest can handle these: VIRTIO_NET_F_GUEST_* as bits; others are to be undone
 *	before a frame is handed over. NULL: frames never need it. 0 or -errno
 * @set_queues: use the first @n queues for what comes in; NULL: there is only one
 * @start: NULL, or start threads; after privilege was dropped; 0, or -1 after a report
 * @close: undo the open function
 *
 * One thread per queue calls recv, send and poll_fd of that queue; one at a time calls the rest,
 * and may do so while the former run.
 */
struct net_backend_ops {
	ssize_t (*recv)(struct net_backend *nb, unsigned int queue, struct iovec *iov,
			unsigned int nr);
	int (*send)(struct net_backend *nb, unsigned int queue, struct iovec *iov, unsigned int nr);
	int (*poll_fd)(struct net_backend *nb, unsigned int queue);
	int (*set_offloads)(struct net_backend *nb, u64 features);
	int (*set_queues)(struct net_backend *nb, unsigned int n);
	int (*start)(struct net_backend *nb);
	void (*close)(struct net_backend *nb);
};

/**
 * struct net_backend - an open back end; the first member of each kind's structure
 * @ops: what it is
 * @queues: queue pairs, at least 1
 * @features: VIRTIO_NET_F_* bits it can take part in: checksums and segmentation
 * @mtu: of the interface behind it, 0: it has none
 * @vhost: the host's kernel moves the frames, by the descriptors of poll_fd(); NULL: recv() and
 *	send() do. Closed with the back end
 * @link_up: a cable is plugged in at the other end; changes at any time
 */
struct net_backend {
	const struct net_backend_ops *ops;
	unsigned int queues;
	u64 features;
	unsigned int mtu;
	struct vhost *vhost;
	atomic_bool link_up;
};

/**
 * net_open() - open the back end of a network; whatever needs privilege happens here
 * @nd: which
 * @mac: of the device on it
 *
 * Return: the back end, owned by the caller (nb->ops->close()), or NULL after a report.
 */
struct net_backend *net_open(const struct netdev_config *nd, const u8 *mac);

/* The kinds, for net_open() alone. */
struct net_backend *tap_open(const struct netdev_config *nd);
struct net_backend *macvtap_open(const struct netdev_config *nd, const u8 *mac);
struct net_backend *stream_open(const struct netdev_config *nd);
struct net_backend *user_net_open(const struct netdev_config *nd);

#endif
