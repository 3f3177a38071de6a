// SPDX-License-Identifier: GPL-2.0
/*
 * Asking a running machine: connect by name, one request, one reply, nothing that waits for ever.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "control/client.h"
#include "control/entry.h"
#include "report.h"
#include "types.h"

#define REPLY_MAX	(16U << 20)

static u64 now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000 + (u64)ts.tv_nsec / 1000000;
}

/* Receive more; 1: some came, 0: the end, -1 with errno. */
static int fill(struct client_conn *c, u64 until)
{
	struct pollfd pfd = { .fd = c->fd, .events = POLLIN };
	u64 now = now_ms();
	ssize_t n;

	if (c->used == c->size) {
		size_t size = c->size ? c->size * 2 : 16384;
		char *buf = size > REPLY_MAX ? NULL : realloc(c->buf, size);

		if (!buf) {
			errno = ENOMEM;
			return -1;
		}
		c->buf = buf;
		c->size = size;
	}
	if (poll(&pfd, 1, now < until ? (int)(until - now) : 0) == 0) {
		errno = ETIMEDOUT;
		return -1;
	}
	n = recv(c->fd, c->buf + c->used, c->size - c->used, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 1 : -1;
	c->used += (size_t)n;
	return n ? 1 : 0;
}

/* The next line as JSON, or NULL with errno. */
static json_t *receive(struct client_conn *c, u64 until)
{
	json_t *value;
	char *end;
	int ret;

	while (!c->used || !(end = memchr(c->buf, '\n', c->used))) {
		ret = fill(c, until);
		if (ret <= 0) {
			if (!ret)
				errno = ECONNRESET;
			return NULL;
		}
	}
	value = json_loadb(c->buf, (size_t)(end - c->buf), 0, NULL);
	c->used -= (size_t)(end + 1 - c->buf);
	memmove(c->buf, end + 1, c->used);
	if (!value)
		errno = EPROTO;
	return value;
}

static int no_answer(const struct client_conn *c, bool quiet)
{
	if (quiet)
		return -1;
	if (errno == ETIMEDOUT)
		return report("%s does not answer", c->name);
	return report("%s does not answer: %s", c->name, strerror(errno));
}

int client_open(struct client_conn *c, const char *name, bool quiet)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	char path[ENTRY_PATH_MAX];
	json_t *greeting;
	const char *error;

	*c = (struct client_conn){ .name = name, .fd = -1 };
	if (!entry_name_valid(name))
		return report("'%s' is no name of a virtual machine", name);
	if (!entry_socket(name, path))
		return report("XDG_RUNTIME_DIR is not set, or too long: no machines can be found");
	memcpy(addr.sun_path, path, sizeof(addr.sun_path));
	c->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (c->fd < 0)
		return report("cannot create a socket: %s", strerror(errno));
	if (connect(c->fd, (struct sockaddr *)&addr, sizeof(addr))) {
		if (quiet)
			return -1;
		if (errno == ENOENT || errno == ECONNREFUSED)
			return report("no virtual machine '%s' is running; see 'mkvm list'", name);
		return report("%s: cannot connect: %s", path, strerror(errno));
	}
	greeting = receive(c, now_ms() + CLIENT_TIMEOUT_MS);
	if (!greeting)
		return no_answer(c, quiet);
	error = json_string_value(json_object_get(json_object_get(greeting, "error"), "desc"));
	if (error && !quiet)
		report("%s: %s", name, error);
	json_decref(greeting);
	return error ? -1 : 0;
}

void client_close(struct client_conn *c)
{
	if (c->fd >= 0)
		close(c->fd);
	free(c->buf);
	c->fd = -1;
	c->buf = NULL;
}

static int send_all(struct client_conn *c, const char *data, size_t len)
{
	while (len) {
		ssize_t n = send(c->fd, data, len, MSG_NOSIGNAL);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -1;
		data += n;
		len -= (size_t)n;
	}
	return 0;
}

json_t *client_call(struct client_conn *c, const char *command, json_t *args)
{
	json_t *request = json_pack("{s:s,s:o}", "execute", command, "arguments",
				    args ? args : json_object());
	char *text = request ? json_dumps(request, JSON_COMPACT) : NULL;
	u64 until = now_ms() + CLIENT_TIMEOUT_MS;
	json_t *reply = NULL, *value;
	int err = -1;

	json_decref(request);
	if (text)
		err = send_all(c, text, strlen(text)) || send_all(c, "\n", 1);
	free(text);
	while (!err && (reply = receive(c, until)) && json_object_get(reply, "event"))
		json_decref(reply);
	if (!reply) {
		no_answer(c, false);
		return NULL;
	}
	value = json_incref(json_object_get(reply, "return"));
	if (!value) {
		const char *why = json_string_value(
			json_object_get(json_object_get(reply, "error"), "desc"));

		report("%s: %s", c->name, why ? why : "an answer that makes no sense");
	}
	json_decref(reply);
	return value;
}

bool client_wait_end(struct client_conn *c, unsigned int ms)
{
	const struct timespec moment = { .tv_nsec = 10000000 };
	u64 until = now_ms() + ms;
	int ret;

	while ((ret = fill(c, until)) > 0)
		c->used = 0;
	if (ret < 0 && errno == ETIMEDOUT)
		return false;
	/* The socket goes before the disks are free and the name is. */
	while (entry_in_use(c->name)) {
		if (now_ms() >= until)
			return false;
		nanosleep(&moment, NULL);
	}
	return true;
}
