// SPDX-License-Identifier: GPL-2.0
/*
 * The control queue of a network device: receive filters, its address, queue pairs, offloads.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, "Network Device", "Control Virtqueue".
 */
#include <endian.h>
#include <string.h>

#include "virtio/net.h"

/* More than any command of ours needs; a longer one is cut, and refused for its length. */
#define COMMAND_MAX 4096
#define OFFLOADS                                                               \
	(BIT_ULL(VIRTIO_NET_F_GUEST_CSUM) | BIT_ULL(VIRTIO_NET_F_GUEST_TSO4) | \
	 BIT_ULL(VIRTIO_NET_F_GUEST_TSO6) | BIT_ULL(VIRTIO_NET_F_GUEST_ECN) |  \
	 BIT_ULL(VIRTIO_NET_F_GUEST_UFO) | BIT_ULL(NET_F_GUEST_USO4) | BIT_ULL(NET_F_GUEST_USO6))

void net_filter_reset(struct virtio_net *vn)
{
	memset(&vn->filter, 0, sizeof(vn->filter));
	/* A driver that never asks gets everything. */
	vn->filter.promisc = true;
	memcpy(vn->filter.mac, vn->nic->mac, MAC_LEN);
}

static bool listed(const u8 (*table)[MAC_LEN], unsigned int nr, const u8 *mac)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!memcmp(table[i], mac, MAC_LEN))
			return true;
	}
	return false;
}

static bool vlan_passes(const struct net_filter *f, const u8 *frame, size_t len)
{
	unsigned int id;

	if (!f->vlan_filtered || len < 18 || frame[12] != 0x81 || frame[13] != 0x00)
		return true;
	id = (frame[14] << 8 | frame[15]) & (NET_VLANS - 1);
	return f->vlan[id / 8] & BIT(id % 8);
}

bool net_filter_accepts(const struct net_filter *f, const u8 *frame, size_t len)
{
	static const u8 broadcast[MAC_LEN] = { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff };

	if (f->promisc)
		return true;
	if (!vlan_passes(f, frame, len))
		return false;
	if (!memcmp(frame, broadcast, MAC_LEN))
		return !f->nobcast;
	if (frame[0] & 1)
		return !f->nomulti && (f->allmulti || f->multicast_overflow ||
				       listed(f->multicast, f->nr_multicast, frame));
	return !f->nouni && (f->alluni || f->unicast_overflow || !memcmp(frame, f->mac, MAC_LEN) ||
			     listed(f->unicast, f->nr_unicast, frame));
}

static bool set_rx_mode(struct virtio_net *vn, u8 cmd, const u8 *data, size_t len)
{
	bool *const mode[] = {
		[VIRTIO_NET_CTRL_RX_PROMISC] = &vn->filter.promisc,
		[VIRTIO_NET_CTRL_RX_ALLMULTI] = &vn->filter.allmulti,
		[VIRTIO_NET_CTRL_RX_ALLUNI] = &vn->filter.alluni,
		[VIRTIO_NET_CTRL_RX_NOMULTI] = &vn->filter.nomulti,
		[VIRTIO_NET_CTRL_RX_NOUNI] = &vn->filter.nouni,
		[VIRTIO_NET_CTRL_RX_NOBCAST] = &vn->filter.nobcast,
	};

	if (!net_has(vn, cmd <= VIRTIO_NET_CTRL_RX_ALLMULTI ? VIRTIO_NET_F_CTRL_RX :
							      VIRTIO_NET_F_CTRL_RX_EXTRA) ||
	    cmd >= ARRAY_SIZE(mode) || len != 1)
		return false;
	*mode[cmd] = data[0];
	return true;
}

/* A table: 32 bits of how many, then the addresses. Return its length, 0 if it is cut short. */
static size_t read_table(const u8 *data, size_t len, u8 (*table)[MAC_LEN], unsigned int *nr,
			 bool *overflow)
{
	u32 n;

	if (len < sizeof(n))
		return 0;
	memcpy(&n, data, sizeof(n));
	n = le32toh(n);
	if (n > (len - sizeof(n)) / MAC_LEN)
		return 0;
	*overflow = n > NET_MAC_TABLE;
	*nr = *overflow ? 0 : n;
	memcpy(table, data + sizeof(n), *nr * MAC_LEN);
	return sizeof(n) + n * MAC_LEN;
}

static bool set_tables(struct virtio_net *vn, const u8 *data, size_t len)
{
	struct net_filter *f = &vn->filter, new = *f;
	size_t first, second;

	first = read_table(data, len, new.unicast, &new.nr_unicast, &new.unicast_overflow);
	if (!first)
		return false;
	second = read_table(data + first, len - first, new.multicast, &new.nr_multicast,
			    &new.multicast_overflow);
	if (!second || first + second != len)
		return false;
	*f = new;
	return true;
}

static bool set_mac(struct virtio_net *vn, u8 cmd, const u8 *data, size_t len)
{
	switch (cmd) {
	case VIRTIO_NET_CTRL_MAC_TABLE_SET:
		return net_has(vn, VIRTIO_NET_F_CTRL_RX) && set_tables(vn, data, len);
	case VIRTIO_NET_CTRL_MAC_ADDR_SET:
		if (!net_has(vn, VIRTIO_NET_F_CTRL_MAC_ADDR) || len != MAC_LEN)
			return false;
		memcpy(vn->filter.mac, data, MAC_LEN);
		return true;
	default:
		return false;
	}
}

static bool set_vlan(struct virtio_net *vn, u8 cmd, const u8 *data, size_t len)
{
	u16 id;

	if (!net_has(vn, VIRTIO_NET_F_CTRL_VLAN) || len != sizeof(id) ||
	    cmd > VIRTIO_NET_CTRL_VLAN_DEL)
		return false;
	memcpy(&id, data, sizeof(id));
	id = le16toh(id);
	if (id >= NET_VLANS)
		return false;
	if (cmd == VIRTIO_NET_CTRL_VLAN_ADD)
		vn->filter.vlan[id / 8] |= (u8)BIT(id % 8);
	else
		vn->filter.vlan[id / 8] &= (u8)~BIT(id % 8);
	return true;
}

static bool set_pairs(struct virtio_net *vn, u8 cmd, const u8 *data, size_t len)
{
	unsigned int i;
	u16 n;

	if (!net_has(vn, VIRTIO_NET_F_MQ) || cmd != VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET ||
	    len != sizeof(n))
		return false;
	memcpy(&n, data, sizeof(n));
	n = le16toh(n);
	if (n < VIRTIO_NET_CTRL_MQ_VQ_PAIRS_MIN || n > vn->nr_pairs)
		return false;
	if (vn->nb->ops->set_queues && vn->nb->ops->set_queues(vn->nb, n))
		return false;
	atomic_store(&vn->active, n);
	for (i = 1; i < vn->nr_pairs; i++)
		net_kick(&vn->pair[i]);
	return true;
}

int net_apply_offloads(struct virtio_net *vn, u64 features)
{
	return vn->nb->ops->set_offloads ? vn->nb->ops->set_offloads(vn->nb, features & OFFLOADS) :
					   0;
}

static bool set_offloads(struct virtio_net *vn, u8 cmd, const u8 *data, size_t len)
{
	u64 wanted;

	if (!net_has(vn, VIRTIO_NET_F_CTRL_GUEST_OFFLOADS) ||
	    cmd != VIRTIO_NET_CTRL_GUEST_OFFLOADS_SET || len != sizeof(wanted))
		return false;
	memcpy(&wanted, data, sizeof(wanted));
	wanted = le64toh(wanted);
	return !(wanted & ~(vn->dev.accepted & OFFLOADS)) && !net_apply_offloads(vn, wanted);
}

/* Do a command; @data is our copy. */
static bool do_command(struct virtio_net *vn, u8 class, u8 cmd, const u8 *data, size_t len)
{
	bool ok = false;

	switch (class) {
	case VIRTIO_NET_CTRL_MQ:
		return set_pairs(vn, cmd, data, len);
	case VIRTIO_NET_CTRL_GUEST_OFFLOADS:
		return set_offloads(vn, cmd, data, len);
	case VIRTIO_NET_CTRL_ANNOUNCE:
		/* The status bit is cleared by net_control(), which may take the device's lock. */
		return net_has(vn, VIRTIO_NET_F_GUEST_ANNOUNCE) &&
		       cmd == VIRTIO_NET_CTRL_ANNOUNCE_ACK;
	default:
		break;
	}
	pthread_rwlock_wrlock(&vn->filter_lock);
	switch (class) {
	case VIRTIO_NET_CTRL_RX:
		ok = set_rx_mode(vn, cmd, data, len);
		break;
	case VIRTIO_NET_CTRL_MAC:
		ok = set_mac(vn, cmd, data, len);
		break;
	case VIRTIO_NET_CTRL_VLAN:
		ok = set_vlan(vn, cmd, data, len);
		break;
	default:
		break;
	}
	pthread_rwlock_unlock(&vn->filter_lock);
	return ok;
}

/* Serve one request. Sets @announced if the driver has announced itself. 0, or -EPROTO. */
static bool serve(struct virtio_net *vn, const struct virtq_chain *c, bool *announced)
{
	u8 command[COMMAND_MAX], ack = VIRTIO_NET_ERR;
	size_t len = virtq_read(c, 0, command, sizeof(command));

	if (len < 2 || !c->in_len)
		return false;
	if (len == c->out_len && do_command(vn, command[0], command[1], command + 2, len - 2)) {
		ack = VIRTIO_NET_OK;
		*announced |= command[0] == VIRTIO_NET_CTRL_ANNOUNCE;
	}
	virtq_write(c, c->in_len - 1, &ack, 1);
	return true;
}

void net_control(struct virtio_net *vn)
{
	struct virtio_dev *dev = &vn->dev;
	unsigned int queue = atomic_load(&vn->control_queue);
	struct virtqueue *vq = &dev->queue[queue];
	struct net_pair *pair = &vn->pair[0];
	bool announced = false;
	int ret = 0;

	pthread_mutex_lock(&vq->lock);
	while (virtio_running(dev)) {
		while ((ret = virtqueue_pop(vq, &pair->chain)) > 0) {
			if (!serve(vn, &pair->chain, &announced)) {
				ret = -1;
				break;
			}
			virtqueue_push(vq, pair->chain.head, 1);
		}
		virtio_interrupt_queue(dev, queue);
		if (ret < 0) {
			virtio_fail(dev);
			break;
		}
		if (!virtqueue_rearm(vq))
			break;
	}
	pthread_mutex_unlock(&vq->lock);
	if (!announced)
		return;
	pthread_mutex_lock(&dev->lock);
	vn->config.status &= (u16)~htole16(VIRTIO_NET_S_ANNOUNCE);
	pthread_mutex_unlock(&dev->lock);
}
