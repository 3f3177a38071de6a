// SPDX-License-Identifier: GPL-2.0
/*
 * A cable between two VMMs, or to a program like passt: a stream socket, in the file system or on
 * TCP, that carries frames with their length before each.
 *
 * The length is 32 bits, big endian: the format of QEMU's `-netdev stream` and `-netdev socket`.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "iov.h"
#include "net/net.h"
#include "report.h"

#define LENGTH_SIZE 4
#define IN_SIZE	    (2 * (NET_FRAME_MAX + LENGTH_SIZE))

/**
 * struct stream - one
 * @listen_fd: where the peer connects to, or -1
 * @fd: the connection, or -1
 * @path: file of @listen_fd, removed at the end, or NULL
 * @device: of that file, and @inode, to remove no other
 * @in: bytes received and not taken yet, from @in_start to @in_end
 * @out: rest of a frame the socket did not take whole, from @out_start to @out_end
 */
struct stream {
	struct net_backend nb;
	int listen_fd;
	int fd;
	char *path;
	dev_t device;
	ino_t inode;
	size_t in_start, in_end;
	size_t out_start, out_end;
	u8 in[IN_SIZE];
	u8 out[NET_FRAME_MAX + LENGTH_SIZE];
};

/* The peer is gone, or does not speak our format. A server waits for the next one. */
static void disconnect(struct stream *s)
{
	close(s->fd);
	s->fd = -1;
	s->in_start = 0;
	s->in_end = 0;
	s->out_start = 0;
	s->out_end = 0;
	atomic_store(&s->nb.link_up, false);
}

static void accept_peer(struct stream *s)
{
	int one = 1;

	s->fd = accept4(s->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (s->fd < 0)
		return;
	/* Fails on what is no TCP socket. */
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	atomic_store(&s->nb.link_up, true);
}

/* Length of the frame at the start of @in; 0: not whole yet; -EPROTO: no length of a frame. */
static ssize_t buffered_frame(const struct stream *s)
{
	size_t have = s->in_end - s->in_start;
	u32 len;

	if (have < LENGTH_SIZE)
		return 0;
	memcpy(&len, s->in + s->in_start, sizeof(len));
	len = ntohl(len);
	if (!len || len > NET_FRAME_MAX)
		return -EPROTO;
	return have - LENGTH_SIZE < len ? 0 : (ssize_t)len;
}

/* Receive more. 0, or -EAGAIN: nothing has come, or the peer is gone. */
static int refill(struct stream *s)
{
	ssize_t len;

	if (s->in_start) {
		memmove(s->in, s->in + s->in_start, s->in_end - s->in_start);
		s->in_end -= s->in_start;
		s->in_start = 0;
	}
	len = recv(s->fd, s->in + s->in_end, sizeof(s->in) - s->in_end, 0);
	if (len > 0) {
		s->in_end += (size_t)len;
		return 0;
	}
	if (!len || (errno != EAGAIN && errno != EINTR))
		disconnect(s);
	return -EAGAIN;
}

static ssize_t stream_recv(struct net_backend *nb, unsigned int queue, struct iovec *iov,
			   unsigned int nr)
{
	struct stream *s = (struct stream *)nb;
	ssize_t len;
	size_t done;

	(void)queue;
	if (s->fd < 0 && s->listen_fd >= 0)
		accept_peer(s);
	if (s->fd < 0)
		return -EAGAIN;
	for (;;) {
		len = buffered_frame(s);
		if (len > 0)
			break;
		if (len < 0) {
			disconnect(s);
			return -EAGAIN;
		}
		if (refill(s))
			return -EAGAIN;
	}
	memset(iov[0].iov_base, 0, iov[0].iov_len);
	done = iov_write(iov + 1, nr - 1, 0, s->in + s->in_start + LENGTH_SIZE, (size_t)len);
	s->in_start += LENGTH_SIZE + (size_t)len;
	return (ssize_t)(iov[0].iov_len + done);
}

/* Send what is left of the last frame. 0; -EAGAIN if the socket still does not take all of it. */
static int flush(struct stream *s)
{
	while (s->out_start < s->out_end) {
		ssize_t len =
			send(s->fd, s->out + s->out_start, s->out_end - s->out_start, MSG_NOSIGNAL);

		if (len < 0 && errno == EINTR)
			continue;
		if (len < 0 && errno == EAGAIN)
			return -EAGAIN;
		if (len < 0) {
			/* The receiving side finds the end of file and tidies up. */
			shutdown(s->fd, SHUT_RDWR);
			s->out_start = s->out_end;
			break;
		}
		s->out_start += (size_t)len;
	}
	return 0;
}

static int stream_send(struct net_backend *nb, unsigned int queue, struct iovec *iov,
		       unsigned int nr)
{
	struct stream *s = (struct stream *)nb;
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = nr };
	struct iovec header = iov[0];
	size_t len = (size_t)iov_len(iov + 1, nr - 1);
	ssize_t sent;
	u32 prefix;

	(void)queue;
	if (s->fd < 0)
		return 0;
	if (flush(s))
		return -EAGAIN;
	prefix = htonl((u32)len);
	iov[0].iov_base = &prefix;
	iov[0].iov_len = sizeof(prefix);
	sent = sendmsg(s->fd, &msg, MSG_NOSIGNAL);
	/* What the socket did not take goes first the next time. */
	if (sent >= 0 && (size_t)sent < LENGTH_SIZE + len) {
		s->out_start = 0;
		s->out_end = iov_read(iov, nr, (u64)sent, s->out, sizeof(s->out));
	}
	iov[0] = header;
	return sent < 0 && (errno == EAGAIN || errno == EINTR) ? -EAGAIN : 0;
}

static int stream_poll_fd(struct net_backend *nb, unsigned int queue)
{
	struct stream *s = (struct stream *)nb;

	(void)queue;
	return s->fd >= 0 ? s->fd : s->listen_fd;
}

static void stream_close(struct net_backend *nb)
{
	struct stream *s = (struct stream *)nb;
	struct stat st;

	if (s->fd >= 0)
		close(s->fd);
	if (s->listen_fd >= 0)
		close(s->listen_fd);
	if (s->path && !lstat(s->path, &st) && st.st_dev == s->device && st.st_ino == s->inode)
		unlink(s->path);
	free(s->path);
	free(s);
}

static const struct net_backend_ops stream_ops = {
	.recv = stream_recv,
	.send = stream_send,
	.poll_fd = stream_poll_fd,
	.close = stream_close,
};

/* A socket left behind by a VMM that was killed: nobody answers there. */
static bool is_stale(const struct sockaddr_un *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct stat st;
	bool stale;

	if (fd < 0)
		return false;
	stale = !lstat(address->sun_path, &st) && S_ISSOCK(st.st_mode) &&
		connect(fd, (const void *)address, sizeof(*address)) && errno == ECONNREFUSED;
	close(fd);
	return stale;
}

static int serve(struct stream *s, const struct netdev_config *nd, const void *address,
		 socklen_t len)
{
	int one = 1, ret;
	struct stat st;
	mode_t mask;

	s->listen_fd = s->fd;
	s->fd = -1;
	if (nd->path && is_stale(address))
		unlink(nd->path);
	if (!nd->path)
		(void)setsockopt(s->listen_fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	mask = umask(0077);
	ret = bind(s->listen_fd, address, len);
	umask(mask);
	if (ret)
		return report("network %s: cannot listen there: %s", nd->arg, strerror(errno));
	if (nd->path && !lstat(nd->path, &st)) {
		s->path = strdup(nd->path);
		s->device = st.st_dev;
		s->inode = st.st_ino;
	}
	return listen(s->listen_fd, 1) ?
		       report("network %s: cannot listen there: %s", nd->arg, strerror(errno)) :
		       0;
}

static int call(struct stream *s, const struct netdev_config *nd, const void *address,
		socklen_t len)
{
	int one = 1;

	/* Blocking until here: the peer is there, or it is an error. */
	if (connect(s->fd, address, len))
		return report("network %s: cannot connect: %s; start the other end first", nd->arg,
			      strerror(errno));
	(void)setsockopt(s->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	atomic_store(&s->nb.link_up, true);
	return 0;
}

static int open_socket(struct stream *s, const struct netdev_config *nd)
{
	struct sockaddr_un path = { .sun_family = AF_UNIX };
	const void *address = &nd->address;
	socklen_t len = sizeof(nd->address);
	int type = SOCK_STREAM | SOCK_CLOEXEC | (nd->server ? SOCK_NONBLOCK : 0);
	int flag = 1;

	if (nd->path) {
		strcpy(path.sun_path, nd->path);
		address = &path;
		len = sizeof(path);
	}
	s->fd = socket(nd->path ? AF_UNIX : AF_INET, type, 0);
	if (s->fd < 0)
		return report("network %s: cannot make a socket: %s", nd->arg, strerror(errno));
	if (nd->server)
		return serve(s, nd, address, len);
	return call(s, nd, address, len) || ioctl(s->fd, FIONBIO, &flag) ? -1 : 0;
}

struct net_backend *stream_open(const struct netdev_config *nd)
{
	struct stream *s = calloc(1, sizeof(*s));

	if (!s) {
		report("out of memory");
		return NULL;
	}
	s->nb.ops = &stream_ops;
	s->nb.queues = 1;
	s->listen_fd = -1;
	s->fd = -1;
	atomic_init(&s->nb.link_up, false);
	if (open_socket(s, nd)) {
		stream_close(&s->nb);
		return NULL;
	}
	return &s->nb;
}
