// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of taps, on real ones in a network name space of its own: what is made, what joins
 * a bridge, what frames go through, and what is left afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdarg.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <unistd.h>

#include <linux/if_tun.h>

#include "net/link.h"
#include "net/tap.h"
#include "tap.h"

static char said[256];

int report(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(said, sizeof(said), fmt, ap);
	va_end(ap);
	return -1;
}

static struct net_backend *open_tap(const char *ifname, const char *bridge, unsigned int queues)
{
	struct netdev_config nd = { .kind = NETDEV_TAP, .arg = (char *)"tap", .queues = queues };

	strcpy(nd.ifname, ifname);
	strcpy(nd.bridge, bridge);
	*said = '\0';
	return tap_open(&nd);
}

static struct virtio_net_hdr_v1 header;
static u8 frame[70000];

static int send_frame(struct net_backend *nb, size_t len)
{
	struct iovec iov[3] = { { &header, sizeof(header) }, { frame, 14 },
				{ frame + 14, len - 14 } };

	return nb->ops->send(nb, 0, iov, 3);
}

/* The next frame of our own protocol; a new interface also sends what IPv6 likes. */
static ssize_t recv_frame(struct net_backend *nb, unsigned int queue, u8 *buf, size_t size)
{
	struct pollfd p = { .fd = nb->ops->poll_fd(nb, queue), .events = POLLIN };
	struct iovec iov[2] = { { &header, sizeof(header) }, { buf, size } };
	ssize_t len;
	int i;

	for (i = 0; i < 100; i++) {
		len = nb->ops->recv(nb, queue, iov, 2);
		if (len >= 14 && buf[12] == 0x88 && buf[13] == 0xb5)
			return len;
		if (len < 0 && len != -EAGAIN)
			return len;
		poll(&p, 1, 10);
	}
	return -EAGAIN;
}

static void make_frame(size_t len)
{
	size_t i;

	memset(&header, 0, sizeof(header));
	for (i = 0; i < len; i++)
		frame[i] = (u8)(i * 3 + len);
	memset(frame, 0xff, 6);
	memcpy(frame + 6, "\x52\x54\0\0\0\1", 6);
	frame[12] = 0x88;	/* local experimental protocol 1 */
	frame[13] = 0xb5;
}

static void test_interfaces(void)
{
	struct net_backend *a = open_tap("mk0", "", 1), *b;
	const u64 both = BIT_ULL(VIRTIO_NET_F_CSUM) | BIT_ULL(VIRTIO_NET_F_GUEST_CSUM) |
			 BIT_ULL(VIRTIO_NET_F_HOST_TSO4) | BIT_ULL(VIRTIO_NET_F_GUEST_TSO4);

	tap_ok(a && link_is_up("mk0"), "a tap is made, and switched on");
	if (!a)
		tap_bail("%s", said);
	tap_ok((a->features & both) == both && a->mtu == 1500, "it leaves checksums and segments to us");
	tap_ok(!open_tap("mk0", "", 1) && strstr(said, "in use"), "once: %s", said);
	tap_ok(!open_tap("lo", "", 1) && strstr(said, "is no tap"), "%s", said);
	a->ops->close(a);
	tap_ok(!link_exists("mk0"), "it goes with us");
	a = open_tap("", "", 1);
	b = open_tap("", "", 1);
	tap_ok(a && b && link_exists("tap0") && link_exists("tap1"), "names are found");
	link_delete((int)if_nametoindex("tap0"));
	tap_ok(recv_frame(a, 0, frame, sizeof(frame)) < 0 && recv_frame(a, 0, frame, sizeof(frame)) != -EAGAIN,
	       "one that is removed under us is an error");
	make_frame(60);
	tap_eq(send_frame(a, 60), 0, "what is sent there is lost");
	a->ops->close(a);
	b->ops->close(b);
}

static void test_descriptors(void)
{
	struct netdev_config nd = { .kind = NETDEV_TAP, .arg = (char *)"tap", .nr_fds = 1 };
	struct ifreq ifr = { .ifr_name = "mine" };
	struct net_backend *a;
	int fd = open("/dev/net/tun", O_RDWR);

	ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
	if (ioctl(fd, TUNSETIFF, &ifr) || link_set_up("mine", true))
		tap_bail("no tap");
	nd.fd[0] = fd;
	a = tap_open(&nd);
	tap_ok(a && !a->features && a->mtu == 1500, "a descriptor without headers is taken, without offloads");
	make_frame(60);
	tap_ok(a && !send_frame(a, 60), "and sends");
	if (a)
		a->ops->close(a);
	fd = open("/dev/null", O_RDWR);
	nd.fd[0] = fd;
	tap_ok(!tap_open(&nd) && strstr(said, "is no tap"), "%s", said);
	tap_ok(fcntl(fd, F_GETFD) < 0, "a descriptor that is refused is closed");
}

static void test_vhost(void)
{
	struct netdev_config nd = { .kind = NETDEV_TAP, .arg = (char *)"tap", .queues = 2, .vhost = true };
	struct ifreq ifr = { .ifr_name = "plain" };
	bool there = !access("/dev/vhost-net", R_OK | W_OK);
	struct net_backend *a;

	strcpy(nd.ifname, "fast");
	a = tap_open(&nd);
	tap_ok(there ? a && a->vhost : !a && strstr(said, "/dev/vhost-net") &&
					       strstr(said, "vhost=off"),
	       "vhost-net is opened, or named as what is missing");
	if (a)
		a->ops->close(a);
	tap_ok(!link_exists("fast"), "the tap is gone");
	ifr.ifr_flags = IFF_TAP | IFF_NO_PI;
	nd.nr_fds = 1;
	nd.fd[0] = open("/dev/net/tun", O_RDWR);
	if (ioctl(nd.fd[0], TUNSETIFF, &ifr))
		tap_bail("no tap");
	tap_ok(!tap_open(&nd) && strstr(said, "IFF_VNET_HDR") && fcntl(nd.fd[0], F_GETFD) < 0, "%s",
	       said);
}

static void test_bridge(void)
{
	struct net_backend *a, *b;
	static const size_t lengths[] = { 14, 60, 1514, 9014 };
	u8 got[10000], mac[6], bridge_mac[6];
	unsigned int i;

	tap_ok(!open_tap("", "mkbr", 1) && strstr(said, "no bridge mkbr"), "%s", said);
	tap_ok(!open_tap("", "lo", 1) && strstr(said, "lo is no bridge"), "%s", said);
	if (link_add_bridge("mkbr") || link_set_up("mkbr", true) || link_set_mtu("mkbr", 9000)) {
		tap_skip("no bridges here");
		return;
	}
	a = open_tap("", "mkbr", 1);
	b = open_tap("", "mkbr", 4);
	tap_ok(a && b && a->mtu == 9000 && link_mtu("mkbr") == 9000, "two taps join a bridge, with its MTU");
	if (!a || !b)
		tap_bail("%s", said);
	tap_ok(!link_get_mac("tap0", mac) && mac[0] == 0xfe && !link_get_mac("mkbr", bridge_mac) &&
	       link_is_up("tap0"), "a port's address is a high one");
	/* A new port may take a moment to forward. */
	for (i = 0; i < 50; i++) {
		make_frame(60);
		send_frame(a, 60);
		if (recv_frame(b, 0, got, sizeof(got)) > 0)
			break;
	}
	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		size_t len = lengths[i] < 60 ? 60 : lengths[i];
		ssize_t n;

		make_frame(len);
		send_frame(b, len);
		n = recv_frame(a, 0, got, sizeof(got));
		tap_ok(n == (ssize_t)(NET_HEADER_LEN + len) && !memcmp(got, frame, len),
		       "a frame of %zu bytes crosses it", len);
	}
	tap_ok(b->queues == 4 && !b->ops->set_queues(b, 1) && !b->ops->set_queues(b, 4) &&
	       !b->ops->set_queues(b, 4) && !b->ops->set_queues(b, 2), "queues are switched on and off");
	tap_ok(!b->ops->set_offloads(b, b->features) && !b->ops->set_offloads(b, 0), "and offloads");
	header.gso_type = 99;
	tap_eq(send_frame(a, 60), 0, "a header the kernel refuses costs the frame");
	a->ops->close(a);
	b->ops->close(b);
	tap_ok(!link_exists("tap0") && !link_exists("tap1"), "nothing is left");
	link_set_up("mkbr", false);
	tap_eq(link_delete_bridge("mkbr"), 0, "not even on the bridge");
}

int main(void)
{
	if (unshare(CLONE_NEWNET | CLONE_NEWNS) || mount("sysfs", "/sys", "sysfs", 0, NULL) ||
	    access("/dev/net/tun", R_OK | W_OK))
		tap_skip_all("needs root, name spaces and /dev/net/tun");
	test_interfaces();
	test_descriptors();
	test_vhost();
	test_bridge();
	return tap_done();
}
