// SPDX-License-Identifier: GPL-2.0
/*
 * Taps: interfaces of the host whose other end is a descriptor. They may exist, be made here, come
 * open from whoever started mkvm, and be ports of a bridge.
 *
 * Source: Linux, Documentation/networking/tuntap.rst.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "net/link.h"
#include "net/tap.h"
#include "net/vhost.h"
#include "report.h"

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

ssize_t tap_recv(struct net_backend *nb, unsigned int queue, struct iovec *iov, unsigned int nr)
{
	struct tap *tap = (struct tap *)nb;
	ssize_t len;

	if (tap->has_header) {
		len = readv(tap->fd[queue], iov, (int)nr);
	} else {
		memset(iov[0].iov_base, 0, iov[0].iov_len);
		len = readv(tap->fd[queue], iov + 1, (int)nr - 1);
		if (len > 0)
			len += (ssize_t)iov[0].iov_len;
	}
	if (len < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	return len ? len : -EAGAIN;
}

int tap_send(struct net_backend *nb, unsigned int queue, struct iovec *iov, unsigned int nr)
{
	struct tap *tap = (struct tap *)nb;
	unsigned int skip = !tap->has_header;

	/* What the kernel does not take, being malformed or the interface down, is lost. */
	if (writev(tap->fd[queue], iov + skip, (int)(nr - skip)) < 0 && errno == EAGAIN)
		return -EAGAIN;
	return 0;
}

int tap_poll_fd(struct net_backend *nb, unsigned int queue)
{
	return ((struct tap *)nb)->fd[queue];
}

static unsigned int tun_flags(u64 features)
{
	unsigned int flags = 0;

	if (!(features & BIT_ULL(VIRTIO_NET_F_GUEST_CSUM)))
		return 0;
	flags = TUN_F_CSUM;
	if (features & BIT_ULL(VIRTIO_NET_F_GUEST_TSO4))
		flags |= TUN_F_TSO4;
	if (features & BIT_ULL(VIRTIO_NET_F_GUEST_TSO6))
		flags |= TUN_F_TSO6;
	if ((flags & (TUN_F_TSO4 | TUN_F_TSO6)) && (features & BIT_ULL(VIRTIO_NET_F_GUEST_ECN)))
		flags |= TUN_F_TSO_ECN;
	if (features & BIT_ULL(VIRTIO_NET_F_GUEST_UFO))
		flags |= TUN_F_UFO;
	if (features & BIT_ULL(NET_F_GUEST_USO4))
		flags |= TUN_F_USO4;
	if (features & BIT_ULL(NET_F_GUEST_USO6))
		flags |= TUN_F_USO6;
	return flags;
}

int tap_set_offloads(struct net_backend *nb, u64 features)
{
	struct tap *tap = (struct tap *)nb;
	unsigned int i;

	for (i = 0; tap->has_header && i < nb->queues; i++) {
		if (ioctl(tap->fd[i], TUNSETOFFLOAD, tun_flags(features)))
			return -errno;
	}
	return 0;
}

static void find_features(struct tap *tap)
{
	/* What the guest may leave to the host, and what the host may leave to the guest. */
	static const u64 csum = BIT_ULL(VIRTIO_NET_F_CSUM) | BIT_ULL(VIRTIO_NET_F_GUEST_CSUM);
	static const struct {
		u64 guest, host;
	} pairs[] = {
		{ BIT_ULL(VIRTIO_NET_F_GUEST_TSO4), BIT_ULL(VIRTIO_NET_F_HOST_TSO4) },
		{ BIT_ULL(VIRTIO_NET_F_GUEST_TSO6), BIT_ULL(VIRTIO_NET_F_HOST_TSO6) },
		{ BIT_ULL(VIRTIO_NET_F_GUEST_UFO), BIT_ULL(VIRTIO_NET_F_HOST_UFO) },
		{ BIT_ULL(NET_F_GUEST_USO4) | BIT_ULL(NET_F_GUEST_USO6), BIT_ULL(NET_F_HOST_USO) },
	};
	const u64 tso = BIT_ULL(VIRTIO_NET_F_GUEST_TSO4) | BIT_ULL(VIRTIO_NET_F_HOST_TSO4);
	unsigned int i;

	tap->nb.mtu = *tap->ifname ? link_mtu(tap->ifname) : 0;
	if (!tap->has_header || tap_set_offloads(&tap->nb, csum))
		return;
	tap->nb.features = csum;
	for (i = 0; i < ARRAY_SIZE(pairs); i++) {
		if (!tap_set_offloads(&tap->nb, csum | pairs[i].guest))
			tap->nb.features |= pairs[i].guest | pairs[i].host;
	}
	if ((tap->nb.features & tso) == tso)
		tap->nb.features |=
			BIT_ULL(VIRTIO_NET_F_GUEST_ECN) | BIT_ULL(VIRTIO_NET_F_HOST_ECN);
	(void)tap_set_offloads(&tap->nb, 0);
}

int tap_complete(struct tap *tap, const struct netdev_config *nd)
{
	find_features(tap);
	if (!nd->vhost)
		return 0;
	if (!tap->has_header)
		return report("network %s: vhost=on needs a tap that was opened with IFF_VNET_HDR",
			      nd->arg);
	tap->nb.vhost = vhost_open(nd->arg, tap->nb.queues);
	return tap->nb.vhost ? 0 : -1;
}

struct tap *tap_new(void)
{
	struct tap *tap = calloc(1, sizeof(*tap));

	if (!tap)
		report("out of memory");
	else
		atomic_init(&tap->nb.link_up, true);
	return tap;
}

int tap_add_fd(struct tap *tap, int fd, const char *arg)
{
	int header = NET_HEADER_LEN, little = 1, flags = fcntl(fd, F_GETFL);
	struct ifreq ifr;
	bool has_header;

	tap->fd[tap->nb.queues++] = fd;
	memset(&ifr, 0, sizeof(ifr));
	if (ioctl(fd, TUNGETIFF, &ifr) || !(ifr.ifr_flags & IFF_TAP))
		return report("network %s: descriptor %d is no tap or macvtap", arg, fd);
	if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) || fcntl(fd, F_SETFD, FD_CLOEXEC))
		return report("network %s: descriptor %d: %s", arg, fd, strerror(errno));
	/* IFF_NO_PI, which is needed, cannot be seen: the bit means something else here. */
	has_header = ifr.ifr_flags & IFF_VNET_HDR;
	if (has_header && (ioctl(fd, TUNSETVNETHDRSZ, &header) || ioctl(fd, TUNSETVNETLE, &little)))
		return report("network %s: the host's tap is too old: %s", arg, strerror(errno));
	if (tap->nb.queues > 1 && has_header != tap->has_header)
		return report("network %s: the descriptors differ in IFF_VNET_HDR", arg);
	tap->has_header = has_header;
	memcpy(tap->ifname, ifr.ifr_name, sizeof(tap->ifname));
	return 0;
}

void tap_close(struct net_backend *nb)
{
	struct tap *tap = (struct tap *)nb;
	unsigned int i;

	vhost_close(nb->vhost);
	for (i = 0; i < nb->queues; i++)
		close(tap->fd[i]);
	free(tap);
}

int tap_set_queues(struct net_backend *nb, unsigned int n)
{
	struct tap *tap = (struct tap *)nb;
	unsigned int i;
	int ret = 0;

	for (i = 0; nb->queues > 1 && i < nb->queues; i++) {
		struct ifreq ifr;

		memset(&ifr, 0, sizeof(ifr));
		ifr.ifr_flags = i < n ? IFF_ATTACH_QUEUE : IFF_DETACH_QUEUE;
		/* EINVAL: it is so already. */
		if (ioctl(tap->fd[i], TUNSETQUEUE, &ifr) && errno != EINVAL)
			ret = -errno;
	}
	return ret;
}

static const struct net_backend_ops tap_ops = {
	.recv = tap_recv,
	.send = tap_send,
	.poll_fd = tap_poll_fd,
	.set_offloads = tap_set_offloads,
	.set_queues = tap_set_queues,
	.close = tap_close,
};

static int explain(const struct netdev_config *nd, const char *name, int err)
{
	const char *what = *name ? name : "a new one";

	switch (err) {
	case EPERM:
		return report(
			"network %s: no permission to use the tap %s; become root, or have it made for you: ip tuntap add NAME mode tap user %ld",
			nd->arg, what, (long)getuid());
	case EBUSY:
		return report("network %s: the tap %s is in use", nd->arg, what);
	case EINVAL:
		return report("network %s: %s exists and is no tap of the kind wanted (queues=%u)",
			      nd->arg, what, nd->queues);
	default:
		return report("network %s: cannot open the tap %s: %s", nd->arg, what,
			      strerror(err));
	}
}

/* One queue of a new or existing interface; sets tap->ifname. */
static int open_queue(struct tap *tap, const struct netdev_config *nd)
{
	struct ifreq ifr;
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return report("network %s: cannot open /dev/net/tun: %s%s", nd->arg,
			      strerror(errno), errno == ENOENT ? " (modprobe tun)" : "");
	memset(&ifr, 0, sizeof(ifr));
	memcpy(ifr.ifr_name, tap->ifname, sizeof(ifr.ifr_name));
	if (!*ifr.ifr_name)
		strcpy(ifr.ifr_name, "tap%d");
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR;
	if (nd->queues > 1)
		ifr.ifr_flags |= IFF_MULTI_QUEUE;
	if (ioctl(fd, TUNSETIFF, &ifr)) {
		explain(nd, tap->ifname, errno);
		close(fd);
		return -1;
	}
	return tap_add_fd(tap, fd, nd->arg);
}

/*
 * The port's own address must not become the bridge's, which is the lowest of its ports; and the
 * port must not lower the bridge's MTU.
 */
static int join_bridge(struct tap *tap, const struct netdev_config *nd)
{
	unsigned int mtu = link_mtu(nd->bridge);
	u8 mac[MAC_LEN];
	int err;

	if (!link_exists(nd->bridge))
		return report("network %s: there is no bridge %s; 'mkvm net up %s' makes one",
			      nd->arg, nd->bridge, nd->bridge);
	if (!link_is_bridge(nd->bridge))
		return report("network %s: %s is no bridge", nd->arg, nd->bridge);
	err = link_get_mac(tap->ifname, mac);
	mac[0] = 0xfe;
	if (!err)
		err = link_set_mac(tap->ifname, mac);
	if (!err && mtu)
		err = link_set_mtu(tap->ifname, mtu);
	if (!err)
		err = link_join_bridge(nd->bridge, tap->ifname);
	return err ? report("network %s: %s cannot join the bridge %s: %s", nd->arg, tap->ifname,
			    nd->bridge, strerror(-err)) :
		     0;
}

static int open_interface(struct tap *tap, const struct netdev_config *nd)
{
	bool existed = *nd->ifname && link_exists(nd->ifname);
	unsigned int i;
	int err;

	memcpy(tap->ifname, nd->ifname, sizeof(tap->ifname));
	for (i = 0; i < nd->queues; i++) {
		if (open_queue(tap, nd))
			return -1;
	}
	if (*nd->bridge && join_bridge(tap, nd))
		return -1;
	/* One that exists may be on, or be switched on by its owner when he likes. */
	err = link_is_up(tap->ifname) ? 0 : link_set_up(tap->ifname, true);
	return err && !existed ? report("network %s: cannot switch %s on: %s", nd->arg, tap->ifname,
					strerror(-err)) :
				 0;
}

struct net_backend *tap_open(const struct netdev_config *nd)
{
	struct tap *tap = tap_new();
	unsigned int i;
	int err = 0;

	if (!tap)
		return NULL;
	tap->nb.ops = &tap_ops;
	for (i = 0; !err && i < nd->nr_fds; i++)
		err = tap_add_fd(tap, nd->fd[i], nd->arg);
	if (!err && !nd->nr_fds)
		err = open_interface(tap, nd);
	if (err || tap_complete(tap, nd)) {
		tap_close(&tap->nb);
		return NULL;
	}
	return &tap->nb;
}
