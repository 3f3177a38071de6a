// SPDX-License-Identifier: GPL-2.0
/*
 * Virtio network devices: configuration, features, and the threads that serve them.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, "Network Device".
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "config_device.h"
#include "machine.h"
#include "report.h"
#include "sandbox.h"
#include "thread.h"
#include "virtio/net.h"
#include "virtio/pci.h"

#define NET_TYPE       1
#define CLASS_ETHERNET 0x020000

/* What vhost-net does not do: it hands over every frame that the tap has. */
#define FILTER_FEATURES                                                         \
	(BIT_ULL(VIRTIO_NET_F_CTRL_RX) | BIT_ULL(VIRTIO_NET_F_CTRL_RX_EXTRA) |  \
	 BIT_ULL(VIRTIO_NET_F_CTRL_VLAN))

/* What every device offers, whatever is behind it. */
#define OWN_FEATURES                                                             \
	(BIT_ULL(VIRTIO_NET_F_MAC) | BIT_ULL(VIRTIO_NET_F_STATUS) |              \
	 BIT_ULL(VIRTIO_NET_F_MRG_RXBUF) | BIT_ULL(VIRTIO_NET_F_CTRL_VQ) |       \
	 BIT_ULL(VIRTIO_NET_F_CTRL_RX) | BIT_ULL(VIRTIO_NET_F_CTRL_RX_EXTRA) |   \
	 BIT_ULL(VIRTIO_NET_F_CTRL_VLAN) | BIT_ULL(VIRTIO_NET_F_CTRL_MAC_ADDR) | \
	 BIT_ULL(VIRTIO_NET_F_GUEST_ANNOUNCE))

static void signal_event(int fd)
{
	u64 one = 1;

	if (write(fd, &one, sizeof(one)) < 0)
		return;
}

void net_kick(struct net_pair *pair)
{
	signal_event(pair->kick_fd);
}

/* The pair a queue belongs to; a control queue is served with the first. */
static struct net_pair *pair_of(struct virtio_net *vn, unsigned int queue)
{
	return &vn->pair[queue / 2 < vn->nr_pairs ? queue / 2 : 0];
}

static int net_notify_fd(void *opaque, unsigned int queue)
{
	struct virtio_net *vn = opaque;

	return vn->vhost ? net_vhost_notify_fd(vn, queue) : pair_of(vn, queue)->kick_fd;
}

static void net_notify(void *opaque, unsigned int queue)
{
	signal_event(net_notify_fd(opaque, queue));
}

static void net_events_moved(void *opaque)
{
	net_kick(&((struct virtio_net *)opaque)->pair[0]);
}

static void net_config_read(void *opaque, unsigned int offset, void *buf, unsigned int len)
{
	struct virtio_net *vn = opaque;

	pthread_rwlock_rdlock(&vn->filter_lock);
	memcpy(vn->config.mac, vn->filter.mac, MAC_LEN);
	pthread_rwlock_unlock(&vn->filter_lock);
	memcpy(buf, (const u8 *)&vn->config + offset, len);
}

static void net_stop(void *opaque)
{
	struct virtio_net *vn = opaque;
	unsigned int i;

	if (vn->vhost)
		net_vhost_stop(vn);
	for (i = 0; i < vn->nr_pairs; i++) {
		pthread_mutex_lock(&vn->dev.queue[2 * i].lock);
		net_drop_buffers(&vn->pair[i]);
		pthread_mutex_unlock(&vn->dev.queue[2 * i].lock);
	}
	pthread_rwlock_wrlock(&vn->filter_lock);
	net_filter_reset(vn);
	pthread_rwlock_unlock(&vn->filter_lock);
	vn->config.status &= (u16)~htole16(VIRTIO_NET_S_ANNOUNCE);
	atomic_store(&vn->active, 1);
	atomic_store(&vn->configured, false);
}

static const struct virtio_ops net_ops = {
	.config_read = net_config_read,
	.notify = net_notify,
	.notify_fd = net_notify_fd,
	.events_moved = net_events_moved,
	.stop = net_stop,
};

/* At the first sign of life of a driver. */
void net_configure(struct virtio_net *vn)
{
	struct virtqueue *vq = &vn->dev.queue[0];

	pthread_mutex_lock(&vq->lock);
	if (virtio_running(&vn->dev) && !vq->stopped) {
		(void)net_apply_offloads(vn, vn->dev.accepted);
		if (vn->nb->ops->set_queues)
			(void)vn->nb->ops->set_queues(vn->nb, 1);
		atomic_store(&vn->control_queue,
			     2 * (net_has(vn, VIRTIO_NET_F_MQ) ? vn->nr_pairs : 1));
		pthread_rwlock_wrlock(&vn->filter_lock);
		vn->filter.vlan_filtered = net_has(vn, VIRTIO_NET_F_CTRL_VLAN);
		pthread_rwlock_unlock(&vn->filter_lock);
		atomic_store(&vn->configured, true);
	}
	pthread_mutex_unlock(&vq->lock);
}

void net_update_link(struct virtio_net *vn)
{
	bool up = atomic_load(&vn->nb->link_up);
	u16 status = up ? VIRTIO_NET_S_LINK_UP : 0;

	if (up == vn->link_seen)
		return;
	vn->link_seen = up;
	pthread_mutex_lock(&vn->dev.lock);
	if (up && net_has(vn, VIRTIO_NET_F_GUEST_ANNOUNCE))
		status |= VIRTIO_NET_S_ANNOUNCE;
	vn->config.status = htole16(status);
	virtio_config_changed(&vn->dev);
	pthread_mutex_unlock(&vn->dev.lock);
}

/* Do what there is to do. True if there is more. */
static bool serve(struct net_pair *pair)
{
	struct virtio_net *vn = pair->vn;
	bool first = pair->index == 0, more = false;

	if (first)
		net_update_link(vn);
	if (!virtio_running(&vn->dev))
		return false;
	if (first && !atomic_load(&vn->configured))
		net_configure(vn);
	if (first && pair->kicked && atomic_load(&vn->configured))
		net_control(vn);
	if (pair->index >= atomic_load(&vn->active) || !atomic_load(&vn->configured)) {
		/* Without multiqueue, the third queue is the control queue, and not ours. */
		if (!first && pair->kicked)
			net_kick(&vn->pair[0]);
		pair->rx_idle = true;
		return false;
	}
	if (pair->kicked || pair->tx_blocked)
		more |= net_transmit(pair);
	if (!pair->dead &&
	    (pair->readable || (pair->kicked && (pair->rx_starved || pair->rx_idle))))
		more |= net_receive(pair);
	if (first)
		net_update_link(vn);
	return more;
}

/* Is a frame of the back end of any use? */
static bool wants_frames(const struct net_pair *pair)
{
	struct virtio_net *vn = pair->vn;

	return !pair->rx_starved && virtio_running(&vn->dev) && atomic_load(&vn->configured) &&
	       pair->index < atomic_load(&vn->active);
}

static void wait_for_work(struct net_pair *pair)
{
	struct virtio_net *vn = pair->vn;
	struct pollfd p[2] = { { .fd = pair->kick_fd, .events = POLLIN }, { .fd = -1 } };
	u64 n;

	pair->rx_idle = !wants_frames(pair);
	if (!pair->dead) {
		p[1].events =
			(short)((pair->rx_idle ? 0 : POLLIN) | (pair->tx_blocked ? POLLOUT : 0));
		/* Without a guest's interest, an error would wake us for ever. */
		p[1].fd = p[1].events ? vn->nb->ops->poll_fd(vn->nb, pair->index) : -1;
	}
	pair->kicked = false;
	pair->readable = false;
	if (poll(p, 2, -1) < 0)
		return;
	if (p[0].revents)
		pair->kicked = read(pair->kick_fd, &n, sizeof(n)) == sizeof(n);
	pair->readable = p[1].revents & (POLLIN | POLLERR | POLLHUP);
}

static void *net_thread(void *opaque)
{
	struct net_pair *pair = opaque;
	struct virtio_net *vn = pair->vn;

	sandbox_thread(SANDBOX_NET);
	while (!atomic_load(&vn->quit)) {
		if (serve(pair)) {
			pair->kicked = true;
			pair->readable = true;
		} else {
			wait_for_work(pair);
		}
	}
	return NULL;
}

static int net_start(void *opaque)
{
	struct virtio_net *vn = opaque;
	unsigned int i;
	char name[16];
	int err;

	if (vn->nb->ops->start && vn->nb->ops->start(vn->nb))
		return -1;
	if (vn->vhost)
		return net_vhost_start(vn);
	for (i = 0; i < vn->nr_pairs; i++) {
		snprintf(name, sizeof(name), i ? "net%u.%u" : "net%u", vn->number, i);
		err = thread_create(&vn->pair[i].thread, name, net_thread, &vn->pair[i]);
		if (err)
			return report("cannot start a network thread: %s", strerror(err));
		vn->pair[i].started = true;
	}
	return 0;
}

static void net_reset(void *opaque)
{
	virtio_pci_reset(((struct virtio_net *)opaque)->pci);
}

static void net_paused(void *opaque)
{
	struct virtio_net *vn = opaque;

	if (vn->vhost)
		net_vhost_pause(vn, true);
}

static void net_resumed(void *opaque)
{
	struct virtio_net *vn = opaque;

	if (vn->vhost)
		net_vhost_pause(vn, false);
}

static void net_stats(void *opaque, struct device_stats *s)
{
	static const struct {
		const char *name;
		size_t offset;
	} counters[] = {
		{ "rx_packets", offsetof(struct net_counters, rx_frames) },
		{ "rx_bytes", offsetof(struct net_counters, rx_bytes) },
		{ "rx_dropped", offsetof(struct net_counters, rx_dropped) },
		{ "tx_packets", offsetof(struct net_counters, tx_frames) },
		{ "tx_bytes", offsetof(struct net_counters, tx_bytes) },
		{ "tx_dropped", offsetof(struct net_counters, tx_dropped) },
		{ "interrupts", offsetof(struct net_counters, interrupts) },
	};
	struct virtio_net *vn = opaque;
	unsigned int i, j;

	s->kind = "net";
	snprintf(s->name, sizeof(s->name), "net%u", vn->number);
	s->file = vn->netdev->id;
	s->format = netdev_kind_name(vn->netdev->kind);
	if (vn->vhost) {
		net_vhost_stats(vn, s);
		return;
	}
	for (i = 0; i < ARRAY_SIZE(counters); i++) {
		u64 sum = 0;

		for (j = 0; j < vn->nr_pairs; j++)
			sum += atomic_load((_Atomic u64 *)(void *)((u8 *)&vn->pair[j].count +
								   counters[i].offset));
		device_stats_add(s, counters[i].name, sum);
	}
}

static void free_net(struct virtio_net *vn)
{
	unsigned int i;

	for (i = 0; i < vn->nr_pairs; i++) {
		if (vn->pair[i].kick_fd >= 0)
			close(vn->pair[i].kick_fd);
	}
	virtio_pci_destroy(vn->pci);
	free(vn->pair);
	free(vn);
}

static void net_destroy(void *opaque)
{
	struct virtio_net *vn = opaque;
	unsigned int i;

	atomic_store(&vn->quit, true);
	if (vn->vhost)
		net_vhost_destroy(vn);
	for (i = 0; i < vn->nr_pairs; i++) {
		if (!vn->pair[i].started)
			continue;
		net_kick(&vn->pair[i]);
		pthread_join(vn->pair[i].thread, NULL);
	}
	free_net(vn);
}

static const struct device_ops net_device_ops = {
	.start = net_start,
	.reset = net_reset,
	.paused = net_paused,
	.resumed = net_resumed,
	.stats = net_stats,
	.destroy = net_destroy,
};

static int make_pairs(struct virtio_net *vn)
{
	unsigned int i;

	vn->pair = calloc(vn->nr_pairs, sizeof(*vn->pair));
	if (!vn->pair) {
		vn->nr_pairs = 0;
		return report("out of memory");
	}
	for (i = 0; i < vn->nr_pairs; i++) {
		vn->pair[i].vn = vn;
		vn->pair[i].index = i;
		vn->pair[i].kick_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	}
	for (i = 0; i < vn->nr_pairs; i++) {
		if (vn->pair[i].kick_fd < 0)
			return report("cannot create an eventfd: %s", strerror(ENFILE));
	}
	return 0;
}

static void describe(struct virtio_net *vn)
{
	unsigned int mtu = vn->nic->mtu;

	/* Worth telling if it is not what every driver assumes. */
	if (!mtu && vn->nb->mtu && vn->nb->mtu != 1500 && vn->nb->mtu >= NET_MTU_MIN &&
	    vn->nb->mtu <= NET_MTU_MAX)
		mtu = vn->nb->mtu;
	vn->dev.type = NET_TYPE;
	vn->dev.offered = OWN_FEATURES | vn->nb->features;
	if (vn->nb->features & BIT_ULL(VIRTIO_NET_F_GUEST_CSUM))
		vn->dev.offered |= BIT_ULL(VIRTIO_NET_F_CTRL_GUEST_OFFLOADS);
	if (vn->nb->vhost)
		vn->dev.offered &= ~FILTER_FEATURES;
	if (vn->nr_pairs > 1)
		vn->dev.offered |= BIT_ULL(VIRTIO_NET_F_MQ);
	if (mtu)
		vn->dev.offered |= BIT_ULL(VIRTIO_NET_F_MTU);
	vn->link_seen = atomic_load(&vn->nb->link_up);
	memcpy(vn->config.mac, vn->nic->mac, MAC_LEN);
	vn->config.status = htole16(vn->link_seen ? VIRTIO_NET_S_LINK_UP : 0);
	vn->config.max_virtqueue_pairs = htole16((u16)vn->nr_pairs);
	vn->config.mtu = htole16((u16)mtu);
	/* Fields behind the MTU belong to features that are not offered. */
	vn->dev.config_size = offsetof(struct virtio_net_config, speed);
	vn->dev.nr_queues = 2 * vn->nr_pairs + 1;
	vn->dev.ops = &net_ops;
	vn->dev.opaque = vn;
}

/* The device's entry in the list of networks; the model's check function has made it. */
static unsigned int find_nic(const struct config *cfg, const struct device_config *dev)
{
	const char *id = device_value(dev, "netdev");
	unsigned int i;

	for (i = 0; i < cfg->net.nr_nics; i++) {
		if (!strcmp(cfg->net.netdev[cfg->net.nic[i].backend].id, id))
			break;
	}
	return i;
}

static int net_create(struct machine *m, const struct device_config *dev)
{
	struct virtio_net *vn = calloc(1, sizeof(*vn));

	if (!vn)
		return report("out of memory");
	vn->number = find_nic(m->cfg, dev);
	vn->nic = &m->cfg->net.nic[vn->number];
	vn->netdev = &m->cfg->net.netdev[vn->nic->backend];
	vn->nb = m->net[vn->nic->backend];
	vn->nr_pairs = vn->nic->single ? 1 : vn->nb->queues;
	atomic_init(&vn->active, 1);
	pthread_rwlock_init(&vn->filter_lock, NULL);
	net_filter_reset(vn);
	if (make_pairs(vn))
		goto fail;
	describe(vn);
	virtio_init(&vn->dev, &m->mem, NET_QUEUE_SIZE);
	vn->pci = virtio_pci_create(m, &vn->dev, CLASS_ETHERNET);
	if (!vn->pci || (vn->nb->vhost && net_vhost_create(vn)) ||
	    machine_add_device(m, &net_device_ops, vn))
		goto fail;
	return 0;
fail:
	if (vn->vhost)
		net_vhost_destroy(vn);
	free_net(vn);
	return -1;
}

static const char *const net_keys[] = { "netdev", "mac", "mq", "host_mtu", "vectors", NULL };

const struct device_model virtio_net_model = {
	.name = "virtio-net-pci",
	.keys = net_keys,
	.check = config_check_nic,
	.create = net_create,
};
