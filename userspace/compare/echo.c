// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the answering of a guest's test frames.
 *
 * The format is that of net/stream.c: the length as 32 bits, big endian, then the frame.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "compare/echo.h"
#include "report.h"

#define LENGTH_SIZE   4
#define ETHERNET_SIZE 14

int echo_open(struct echo *e, const char *dir)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	e->fd = -1;
	e->used = 0;
	snprintf(e->path, sizeof(e->path), "%s/net", dir);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", e->path);
	unlink(e->path);
	e->listen = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (e->listen < 0 || bind(e->listen, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(e->listen, 1)) {
		report("%s: %s", e->path, strerror(errno));
		if (e->listen >= 0)
			close(e->listen);
		e->listen = -1;
		return -1;
	}
	return 0;
}

static void leave(struct echo *e)
{
	close(e->fd);
	e->fd = -1;
	e->used = 0;
}

void echo_accept(struct echo *e)
{
	int fd = accept4(e->listen, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (e->fd >= 0)
		leave(e);
	e->fd = fd;
}

/* Sends a frame back where it came from, if it is one of ours. False: the peer has gone. */
static bool answer(struct echo *e, u8 *frame, size_t len)
{
	u8 address[6];

	if (len < ETHERNET_SIZE || frame[12] != ECHO_ETHERTYPE >> 8 ||
	    frame[13] != (ECHO_ETHERTYPE & 0xff))
		return true;
	memcpy(address, frame, 6);
	memcpy(frame, frame + 6, 6);
	memcpy(frame + 6, address, 6);
	/* With the length before it, which stands in the buffer as well. */
	frame -= LENGTH_SIZE;
	len += LENGTH_SIZE;
	while (len) {
		ssize_t n = send(e->fd, frame, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		frame += n;
		len -= (size_t)n;
	}
	return true;
}

void echo_serve(struct echo *e)
{
	ssize_t n = recv(e->fd, e->buf + e->used, sizeof(e->buf) - e->used, 0);
	size_t at = 0;
	u32 len;

	if (n < 0 && errno == EINTR)
		return;
	if (n <= 0)
		return leave(e);
	e->used += (size_t)n;
	while (e->used - at >= LENGTH_SIZE) {
		memcpy(&len, e->buf + at, sizeof(len));
		len = ntohl(len);
		if (!len || len > ECHO_FRAME_MAX)
			return leave(e);
		if (e->used - at - LENGTH_SIZE < len)
			break;
		if (!answer(e, e->buf + at + LENGTH_SIZE, len))
			return leave(e);
		at += LENGTH_SIZE + len;
	}
	e->used -= at;
	memmove(e->buf, e->buf + at, e->used);
}

void echo_close(struct echo *e)
{
	if (e->fd >= 0)
		leave(e);
	if (e->listen >= 0)
		close(e->listen);
	unlink(e->path);
}
