// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the cable between two VMMs: frames arrive whole and in order however the stream
 * is cut, a peer that talks nonsense is cut off, and a listener survives its peers.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "net/net.h"
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

static char path[64];

static struct net_backend *open_end(bool server)
{
	struct netdev_config nd = {
		.kind = NETDEV_STREAM, .arg = "stream", .server = server, .path = path,
		.address = { .sin_family = AF_UNIX },
	};

	return stream_open(&nd);
}

static u8 in[70000], out[70000];
static struct virtio_net_hdr_v1 header;

static int send_frame(struct net_backend *nb, size_t len)
{
	struct iovec iov[3] = { { &header, sizeof(header) }, { out, 14 }, { out + 14, len - 14 } };

	return nb->ops->send(nb, 0, iov, 3);
}

/* The next frame's length, header included, waiting up to a tenth of a second. */
static ssize_t recv_frame(struct net_backend *nb)
{
	struct iovec iov[3] = { { &header, sizeof(header) }, { in, 100 },
				{ in + 100, sizeof(in) - 100 } };
	ssize_t len = nb->ops->recv(nb, 0, iov, 3);
	int i;

	for (i = 0; len == -EAGAIN && i < 10; i++) {
		struct pollfd p = { .fd = nb->ops->poll_fd(nb, 0), .events = POLLIN };

		poll(&p, 1, 10);
		len = nb->ops->recv(nb, 0, iov, 3);
	}
	return len;
}

static void fill(size_t len)
{
	size_t i;

	for (i = 0; i < len; i++)
		out[i] = (u8)(i * 13 + len);
}

static int raw_peer(void)
{
	struct sockaddr_un a = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	strcpy(a.sun_path, path);
	return connect(fd, (void *)&a, sizeof(a)) ? -1 : fd;
}

static void test_frames(struct net_backend *a, struct net_backend *b)
{
	static const size_t lengths[] = { 14, 60, 1514, 9000, NET_FRAME_MAX };
	unsigned int i, sent = 0, got = 0, bad = 0;

	for (i = 0; i < ARRAY_SIZE(lengths); i++) {
		fill(lengths[i]);
		tap_ok(!send_frame(b, lengths[i]) &&
		       recv_frame(a) == (ssize_t)(NET_HEADER_LEN + lengths[i]) &&
		       !memcmp(in, out, lengths[i]), "a frame of %zu bytes", lengths[i]);
	}
	/* More than the socket holds, with a reader that is slow. */
	while (got < 3000) {
		while (sent < 3000) {
			fill(14 + sent);
			if (send_frame(a, 14 + sent))
				break;
			sent++;
		}
		for (i = 0; i < 7 && got < sent; i++) {
			ssize_t len = recv_frame(b);

			fill(14 + got);
			bad += len != (ssize_t)(NET_HEADER_LEN + 14 + got) || memcmp(in, out, 14 + got);
			got++;
		}
		if (bad)
			break;
	}
	tap_eq(bad, 0, "3000 frames to a slow reader");
}

static void test_peers(struct net_backend *a)
{
	static const u8 tcp[] = "GET / HTTP/1.0\r\n\r\n";
	u32 zero = 0, len = htonl(20);
	int fd = raw_peer();
	unsigned int i;

	recv_frame(a);
	tap_ok(a->link_up, "the next peer is taken");
	tap_ok(write(fd, tcp, sizeof(tcp)) == sizeof(tcp) && recv_frame(a) == -EAGAIN && !a->link_up,
	       "one that talks nonsense is cut off");
	close(fd);
	fd = raw_peer();
	recv_frame(a);
	tap_ok(write(fd, &zero, 4) == 4 && recv_frame(a) == -EAGAIN && !a->link_up,
	       "so is one with a frame of no length");
	close(fd);
	fd = raw_peer();
	fill(20);
	tap_ok(write(fd, &len, 2) == 2, "a length in two pieces");
	recv_frame(a);
	tap_ok(write(fd, (u8 *)&len + 2, 2) == 2 && recv_frame(a) == -EAGAIN && a->link_up, "no frame yet");
	for (i = 0; i < 19; i++)
		(void)!write(fd, out + i, 1);
	tap_eq(recv_frame(a), -EAGAIN, "nor without its last byte");
	tap_ok(write(fd, out + 19, 1) == 1 && recv_frame(a) == (ssize_t)NET_HEADER_LEN + 20 &&
	       !memcmp(in, out, 20), "then it is there");
	close(fd);
	tap_ok(recv_frame(a) == -EAGAIN && !a->link_up, "a peer that leaves takes the link down");
	tap_eq(send_frame(a, 60), 0, "what is sent to nobody is lost");
}

int main(void)
{
	struct net_backend *a, *b;
	struct stat st;

	snprintf(path, sizeof(path), "/tmp/net_stream_test.%d", (int)getpid());
	tap_ok(!open_end(false) && strstr(said, "start the other end first"), "nobody listens");
	a = open_end(true);
	tap_ok(a && !a->link_up && !stat(path, &st) && !(st.st_mode & 077), "a listener, for its owner alone");
	tap_ok(!open_end(true), "a second is refused");
	b = open_end(false);
	if (!a || !b)
		tap_bail("no connection: %s", said);
	recv_frame(a);
	tap_ok(a->link_up && b->link_up, "the ends are connected");
	test_frames(a, b);
	b->ops->close(b);
	tap_ok(recv_frame(a) == -EAGAIN && !a->link_up, "the other end is closed");
	test_peers(a);
	/* As if killed: the file stays, nobody answers. */
	link(path, "/tmp/net_stream_test.keep");
	a->ops->close(a);
	tap_ok(stat(path, &st), "the socket is removed");
	rename("/tmp/net_stream_test.keep", path);
	a = open_end(true);
	tap_ok(a, "one left behind by a dead process is replaced");
	a->ops->close(a);
	unlink(path);
	return tap_done();
}
