/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtio network devices: what their files share. net.c makes the device and its threads,
 * net_queue.c moves frames, net_ctrl.c does what the driver asks for on the control queue. With
 * vhost-net the kernel moves frames instead, and net_vhost.c has one thread for the rest.
 *
 * One thread per pair of queues does everything with that pair; the first also serves the control
 * queue. Nothing is in flight while no thread holds a queue's lock, but for the buffers in
 * struct net_pool, which virtio_ops.stop() drops.
 */
#ifndef MKVM_VIRTIO_NET_H
#define MKVM_VIRTIO_NET_H

#include <pthread.h>
#include <stdatomic.h>

#include "net/net.h"
#include "types.h"
#include "virtio/device.h"

struct device_model;
struct device_stats;
struct machine;
struct net_vhost;
struct virtio_pci;

extern const struct device_model virtio_net_model;

#define NET_QUEUE_SIZE		256
#define NET_MAC_TABLE		64	/* addresses the filter can hold; more turn it off */
#define NET_VLANS		4096

#define NET_POOL_IOVS		(2 * NET_QUEUE_SIZE)

/**
 * struct net_pool - receive buffers taken from the driver ahead of time, as one frame may need many
 * @nr: entries of @chain
 * @nr_iovs: entries of @iov
 * @len: bytes in all of them
 * @chain: the requests, oldest first
 * @iov: their buffers, in the same order
 */
struct net_pool {
	unsigned int nr;
	unsigned int nr_iovs;
	size_t len;
	struct {
		u16 head;
		u16 nr_iovs;
		u32 len;
	} chain[NET_QUEUE_SIZE];
	struct iovec iov[NET_POOL_IOVS];
};

/** struct net_counters - since the start; written by one thread, read by any */
struct net_counters {
	_Atomic u64 rx_frames, rx_bytes, rx_dropped, tx_frames, tx_bytes, tx_dropped, interrupts;
};

/**
 * struct net_pair - a receive and a transmit queue, and the thread that serves them
 * @kick_fd: eventfd: the driver added requests, or look again
 * @kicked: it was signalled
 * @readable: the back end may have a frame
 * @rx_idle: the back end is not being waited for
 * @rx_starved: the driver gave no, or not enough, buffers
 * @tx_blocked: the back end takes no more frames now
 * @dead: the back end has failed
 * @pool: receive buffers; under the receive queue's lock, as are the next three
 * @pending: bytes, with the header, of a frame that is longer than the buffers so far; 0: none
 * @spilled: from where on @spill is not in the buffers yet, and @spill_end
 * @header: of the frame in work
 * @chain: request in work
 * @iov: buffers in work
 * @spill: the end of a frame that is longer than the buffers
 * @count: what went through
 *
 * All but @kick_fd and @count is the thread's.
 */
struct net_pair {
	struct virtio_net *vn;
	unsigned int index;
	int kick_fd;
	bool started;
	pthread_t thread;
	bool kicked, readable, rx_idle, rx_starved, tx_blocked, dead;
	struct net_pool pool;
	size_t pending, spilled, spill_end;
	struct virtio_net_hdr_v1 header;
	struct virtq_chain chain;
	struct iovec iov[NET_POOL_IOVS + 2];
	u8 spill[NET_FRAME_MAX];
	struct net_counters count;
};

/** struct net_filter - which frames the driver wants; struct virtio_net.filter_lock */
struct net_filter {
	bool promisc, allmulti, alluni, nomulti, nouni, nobcast;
	bool unicast_overflow, multicast_overflow;
	unsigned int nr_unicast, nr_multicast;
	u8 unicast[NET_MAC_TABLE][MAC_LEN];
	u8 multicast[NET_MAC_TABLE][MAC_LEN];
	u8 mac[MAC_LEN];
	bool vlan_filtered;
	u8 vlan[NET_VLANS / 8];
};

/**
 * struct virtio_net - one device
 * @nb: its back end, the machine's
 * @quit: the threads shall end
 * @configured: the back end knows what the driver negotiated; cleared by a reset
 * @control_queue: its number, which depends on what was negotiated
 * @active: pairs the driver uses
 * @link_seen: what the driver was told of the link; first thread
 * @filter_lock: @filter; inside the queues' locks
 * @config: guarded by the device's lock
 * @vhost: NULL, or what serves the pairs in place of their threads
 */
struct virtio_net {
	struct virtio_dev dev;
	struct virtio_pci *pci;
	struct net_backend *nb;
	const struct netdev_config *netdev;
	const struct nic_config *nic;
	unsigned int number;
	unsigned int nr_pairs;
	atomic_bool quit;
	atomic_bool configured;
	atomic_uint control_queue;
	atomic_uint active;
	bool link_seen;
	pthread_rwlock_t filter_lock;
	struct net_filter filter;
	struct virtio_net_config config;
	struct net_pair *pair;
	struct net_vhost *vhost;
};

static inline bool net_has(const struct virtio_net *vn, unsigned int feature)
{
	return vn->dev.accepted & BIT_ULL(feature);
}

/** net_kick() - make a pair's thread look again; any thread */
void net_kick(struct net_pair *pair);

/**
 * net_transmit() - send what is in the transmit queue
 * @pair: the pair
 *
 * Return: true if there is more and nothing to wait for.
 */
bool net_transmit(struct net_pair *pair);

/** net_receive() - likewise, hand over what the back end has */
bool net_receive(struct net_pair *pair);

/** net_drop_buffers() - forget all that is in flight; receive queue's lock held */
void net_drop_buffers(struct net_pair *pair);

/** net_filter_reset() - as after power-on; @filter_lock held */
void net_filter_reset(struct virtio_net *vn);

/**
 * net_filter_accepts() - does the driver want this frame?
 * @f: the filter, its lock held
 * @frame: its first bytes
 * @len: at least NET_FRAME_MIN
 */
bool net_filter_accepts(const struct net_filter *f, const u8 *frame, size_t len);

/** net_configure() - tell the back end what was negotiated; first thread, no lock held */
void net_configure(struct virtio_net *vn);

/** net_update_link() - tell the driver of a cable that was plugged in or pulled out; likewise */
void net_update_link(struct virtio_net *vn);

/** net_control() - serve the control queue; first thread, no lock held */
void net_control(struct virtio_net *vn);

/** net_apply_offloads() - tell the back end what the guest can handle, of VIRTIO_NET_F_GUEST_* */
int net_apply_offloads(struct virtio_net *vn, u64 features);

/* net_vhost.c: vn->vhost is there, but for the first */

/** net_vhost_create() - if the back end has vhost-net: set vn->vhost; 0, or -1 after a report */
int net_vhost_create(struct virtio_net *vn);

/** net_vhost_start() - have the kernel ready, and start the thread; 0, or -1 after a report */
int net_vhost_start(struct virtio_net *vn);

/** net_vhost_notify_fd() - the eventfd of a queue's notifications */
int net_vhost_notify_fd(const struct virtio_net *vn, unsigned int queue);

/**
 * net_vhost_stop() - take all pairs back from the kernel and forget its events: virtio_ops.stop
 * @vn: the device
 */
void net_vhost_stop(struct virtio_net *vn);

/**
 * net_vhost_pause() - likewise, but the queues go on where they stopped; or have them go on. Main
 *	thread
 * @vn: the device
 * @pause: which
 */
void net_vhost_pause(struct virtio_net *vn, bool pause);

/** net_vhost_stats() - what is known of pairs in the kernel's hands */
void net_vhost_stats(struct virtio_net *vn, struct device_stats *s);

/** net_vhost_destroy() - end the thread and free it; the back end closes vhost-net itself */
void net_vhost_destroy(struct virtio_net *vn);

#endif
