// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the user network: it answers the guest, opens and closes forwarded ports, and
 * survives a guest that sends rubbish or reads nothing.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "net/net.h"
#include "sandbox.h"
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

void sandbox_thread(enum sandbox_kind kind)
{
	(void)kind;
}

static struct net_backend *open_user(u16 port)
{
	struct netdev_config nd = {
		.kind = NETDEV_USER, .arg = (char *)"user",
		.user = {
			.net = { htonl(0x0a000200) }, .mask = { htonl(0xffffff00) },
			.host = { htonl(0x0a000202) }, .dns = { htonl(0x0a000203) },
			.dhcp_start = { htonl(0x0a00020f) },
			.fwd = { { .host = { htonl(INADDR_LOOPBACK) }, .host_port = port,
				   .guest_port = 80 } },
			.nr_fwds = port ? 1 : 0,
		},
	};

	return user_net_open(&nd);
}

static struct virtio_net_hdr_v1 header;
static u8 in[4000];

static int send_frame(struct net_backend *nb, const void *frame, size_t len)
{
	struct iovec iov[2] = { { &header, sizeof(header) }, { (void *)frame, len } };

	return nb->ops->send(nb, 0, iov, 2);
}

static ssize_t recv_frame(struct net_backend *nb, int wait_ms)
{
	struct pollfd p = { .fd = nb->ops->poll_fd(nb, 0), .events = POLLIN };
	struct iovec iov[2] = { { &header, sizeof(header) }, { in, sizeof(in) } };

	poll(&p, 1, wait_ms);
	return nb->ops->recv(nb, 0, iov, 2);
}

/* Who has 10.0.2.@last? Told by 10.0.2.15. */
static void ask(struct net_backend *nb, u8 last)
{
	u8 arp[42] = {
		0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x52, 0x54, 0, 0, 0, 1, 8, 6,
		0, 1, 8, 0, 6, 4, 0, 1, 0x52, 0x54, 0, 0, 0, 1, 10, 0, 2, 15,
		0, 0, 0, 0, 0, 0, 10, 0, 2, last,
	};

	send_frame(nb, arp, sizeof(arp));
}

/* Does an ARP reply come, among whatever else does? */
static bool answered(struct net_backend *nb)
{
	int i;

	for (i = 0; i < 20; i++) {
		if (recv_frame(nb, 200) >= (ssize_t)NET_HEADER_LEN + 42 && in[13] == 6 && in[21] == 2)
			return true;
	}
	return false;
}

static int dial(u16 port)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(port),
				 .sin_addr = { htonl(INADDR_LOOPBACK) } };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (!connect(fd, (void *)&a, sizeof(a)))
		return fd;
	close(fd);
	return -1;
}

/* A port that nobody has. */
static u16 free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (bind(fd, (void *)&a, sizeof(a)) || getsockname(fd, (void *)&a, &len))
		tap_bail("no port");
	close(fd);
	return ntohs(a.sin_port);
}

int main(void)
{
	static u8 junk[65000];
	u16 port = free_port();
	struct net_backend *nb = open_user(port);
	unsigned int i, j;
	int fd, lost = 0;

	if (!nb && strstr(said, "needs libslirp"))
		tap_skip_all("libslirp is not installed");
	if (!nb || nb->ops->start(nb))
		tap_bail("%s", said);
	tap_ok(nb->link_up && !nb->features, "a network without offloads");
	ask(nb, 2);
	tap_ok(answered(nb), "the host answers");
	ask(nb, 3);
	tap_ok(answered(nb), "so does the name server");
	tap_ok(!open_user(port) && strstr(said, "cannot listen"), "%s", said);
	fd = dial(port);
	tap_ok(fd >= 0, "the forwarded port is open");
	for (i = 0; i < 20 && !(recv_frame(nb, 200) >= (ssize_t)NET_HEADER_LEN + 42 && in[12] == 8 &&
				((in[13] == 6 && in[21] == 1) || in[13] == 0)); i++)
		;
	tap_ok(i < 20, "and the guest hears of it");
	close(fd);

	srandom(4);
	for (i = 0; i < 3000; i++) {
		size_t len = 14 + (size_t)random() % (i % 100 ? 1500 : 64000);

		for (j = 0; j < len && j < 100; j++)
			junk[j] = (u8)random();
		/* IPv4 and IPv6 get further. */
		junk[12] = i % 3 ? 0x08 : 0x86;
		junk[13] = i % 3 ? 0 : 0xdd;
		junk[14] = i % 2 ? 0x45 : junk[14];
		while (send_frame(nb, junk, len) == -EAGAIN && lost < 1000) {
			usleep(1000);
			lost++;
		}
	}
	while (recv_frame(nb, 20) > 0)
		;
	ask(nb, 2);
	tap_ok(answered(nb), "after 3000 frames of rubbish the host answers");
	/* Nobody reads: the thread must neither stop nor fill the memory. */
	for (i = 0; i < 20000; i++)
		ask(nb, 2);
	usleep(100000);
	while (recv_frame(nb, 50) > 0)
		;
	ask(nb, 2);
	tap_ok(answered(nb), "and after 20000 answers that nobody read");
	nb->ops->close(nb);
	tap_ok(dial(port) < 0, "the forwarded port is closed");
	return tap_done();
}
