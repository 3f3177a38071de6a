// SPDX-License-Identifier: GPL-2.0
/*
 * Sockets and clients of the control socket. Everything here runs in the main thread, but for
 * control_event(). The descriptors have an epoll instance of their own, which is one source of the
 * main loop. No system call here waits: a client that does not read keeps only itself waiting.
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "chardev.h"
#include "control/console.h"
#include "control/control.h"
#include "machine.h"
#include "report.h"
#include "types.h"

#define MAX_CLIENTS	32
#define MAX_LISTENERS	2
#define MAX_QUEUED	256

/**
 * struct client - a connection
 * @control: the server
 * @fd: socket
 * @qmp: the conversation
 * @eof: the client sends no more
 * @deaf: the client has left: output is dropped, what it sent before counts
 * @dead: to be removed
 * @attached: @qmp is done, it is a console now
 * @pos: how far it has seen the console
 * @more: it has not seen all of it
 * @interest: what epoll waits for
 */
struct client {
	struct control *control;
	int fd;
	struct qmp_session *qmp;
	bool eof;
	bool deaf;
	bool dead;
	bool attached;
	u64 pos;
	bool more;
	u32 interest;
};

/**
 * struct control - the server
 * @m: the machine
 * @epoll_fd: all descriptors below
 * @listener: sockets, @nr_listeners of them
 * @extra: path to remove at the end, or NULL
 * @client: NULL where there is none
 * @uid: who may connect, besides root
 * @lock: @queue, @nr_queued
 * @queue: events to be delivered
 * @nr_queued: entries of @queue
 */
struct control {
	struct machine *m;
	int epoll_fd;
	int listener[MAX_LISTENERS];
	unsigned int nr_listeners;
	char *extra;
	struct client *client[MAX_CLIENTS];
	uid_t uid;
	pthread_mutex_t lock;
	json_t *queue[MAX_QUEUED];
	unsigned int nr_queued;
};

struct machine *control_machine(struct qmp_session *s)
{
	struct client *c = s->opaque;

	return c->control->m;
}

/* ---- events ---------------------------------------------------------------------------------- */

void control_event(struct machine *m, const char *name, const char *format, ...)
{
	struct control *ctl = m->control;
	struct timeval now;
	json_t *event, *data = NULL;
	va_list ap;

	if (!ctl)
		return;
	gettimeofday(&now, NULL);
	event = json_pack("{s:s,s:{s:I,s:I}}", "event", name, "timestamp", "seconds",
			  (json_int_t)now.tv_sec, "microseconds", (json_int_t)now.tv_usec);
	if (format) {
		va_start(ap, format);
		data = json_vpack_ex(NULL, 0, format, ap);
		va_end(ap);
	}
	if (event && data)
		json_object_set_new(event, "data", data);
	pthread_mutex_lock(&ctl->lock);
	if (event && ctl->nr_queued < MAX_QUEUED) {
		ctl->queue[ctl->nr_queued++] = event;
		event = NULL;
	}
	pthread_mutex_unlock(&ctl->lock);
	json_decref(event);
	loop_wake(&m->loop);
}

static void deliver_events(struct control *ctl)
{
	json_t *queue[MAX_QUEUED];
	unsigned int nr, i, k;

	pthread_mutex_lock(&ctl->lock);
	nr = ctl->nr_queued;
	memcpy(queue, ctl->queue, nr * sizeof(queue[0]));
	ctl->nr_queued = 0;
	pthread_mutex_unlock(&ctl->lock);
	for (i = 0; i < nr; i++) {
		for (k = 0; k < MAX_CLIENTS; k++) {
			if (ctl->client[k])
				qmp_event(ctl->client[k]->qmp, queue[i]);
		}
		json_decref(queue[i]);
	}
}

/* ---- clients --------------------------------------------------------------------------------- */

/* Wait for what the client may do next. */
static void update_interest(struct client *c)
{
	struct epoll_event event = { .data.ptr = c };
	size_t room = qmp_room(c->qmp);

	if (c->attached)
		room = c->qmp->in_used ? 0 : chardev_input_room(c->control->m->console_port);
	if (!c->eof && room)
		event.events |= EPOLLIN;
	if (c->qmp->out_used || c->more)
		event.events |= EPOLLOUT;
	if (event.events == c->interest)
		return;
	c->interest = event.events;
	(void)epoll_ctl(c->control->epoll_fd, EPOLL_CTL_MOD, c->fd, &event);
}

/* false: the socket takes no more, or is broken. */
static bool send_some(struct client *c, const void *data, size_t len, size_t *sent)
{
	ssize_t n = c->deaf ? (ssize_t)len :
			      send(c->fd, data, len, MSG_DONTWAIT | MSG_NOSIGNAL);

	if (n < 0 && errno == EPIPE && !c->attached) {
		c->deaf = true;
		n = (ssize_t)len;
	}
	*sent = n > 0 ? (size_t)n : 0;
	if (n < 0 && errno != EAGAIN && errno != EINTR)
		c->dead = true;
	return n > 0 && (size_t)n == len;
}

static void flush(struct client *c)
{
	size_t sent;

	while (c->qmp->out_used && !c->dead) {
		bool all = send_some(c, c->qmp->out + c->qmp->out_head, c->qmp->out_used, &sent);

		qmp_sent(c->qmp, sent);
		if (!all)
			return;
	}
}

/* The guest's output. A client that reads too slowly misses what the ring has no room for. */
static void flush_console(struct client *c)
{
	struct console *con = c->control->m->console;
	u8 buf[4096];
	size_t len, sent;
	unsigned int rounds;

	c->more = true;
	if (c->qmp->out_used)
		return;
	/* Bounded: the guest may write as fast as we read. */
	for (rounds = 0; rounds < 2 * CONSOLE_SIZE / sizeof(buf) && !c->dead; rounds++) {
		len = console_get(con, &c->pos, buf, sizeof(buf));
		if (!len) {
			c->more = false;
			return;
		}
		if (!send_some(c, buf, len, &sent)) {
			c->pos += sent;
			return;
		}
		c->pos += sent;
	}
}

/* What came with the request that attached the console, then what comes after it. */
static void feed_console(struct client *c)
{
	struct chardev *chr = c->control->m->console_port;
	struct qmp_session *s = c->qmp;
	size_t room = chardev_input_room(chr);
	u8 buf[1024];
	ssize_t n;

	if (s->in_used) {
		size_t len = s->in_used < room ? s->in_used : room;

		chardev_input(chr, (u8 *)s->in, len);
		s->in_used -= len;
		memmove(s->in, s->in + len, s->in_used);
		return;
	}
	if (!room || !(c->interest & EPOLLIN))
		return;
	n = recv(c->fd, buf, room < sizeof(buf) ? room : sizeof(buf), MSG_DONTWAIT);
	if (n > 0)
		chardev_input(chr, buf, (size_t)n);
	else if (n == 0)
		c->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		c->dead = true;
}

static void receive(struct client *c)
{
	size_t room = qmp_room(c->qmp);
	ssize_t n;

	if (!room || c->eof)
		return;
	n = recv(c->fd, c->qmp->in + c->qmp->in_used, room, MSG_DONTWAIT);
	if (n > 0)
		qmp_received(c->qmp, (size_t)n);
	else if (n == 0)
		c->eof = true;
	else if (errno != EAGAIN && errno != EINTR)
		c->dead = true;
}

/* As far as it goes without waiting. */
static void serve(struct client *c)
{
	flush(c);
	if (!c->attached)
		qmp_received(c->qmp, 0);
	flush(c);
	if (c->attached) {
		if (c->qmp->in_used)
			feed_console(c);
		flush_console(c);
	}
	/* A console stays open for output after its client's end of input. */
	if (c->qmp->broken ||
	    (c->eof && !c->attached && qmp_idle(c->qmp) && !c->qmp->out_used))
		c->dead = true;
}

static void client_ready(struct client *c, u32 events)
{
	/* A client may send a request and leave: what it sent counts. */
	if ((events & EPOLLIN) && c->attached)
		feed_console(c);
	else if (events & EPOLLIN)
		receive(c);
	else if (events & (EPOLLERR | EPOLLHUP))
		c->dead = true;
}

static void drop_client(struct control *ctl, unsigned int slot)
{
	struct client *c = ctl->client[slot];

	if (c->attached)
		atomic_fetch_sub(&ctl->m->console->readers, 1);
	close(c->fd);
	qmp_destroy(c->qmp);
	free(c);
	ctl->client[slot] = NULL;
}

const char *control_attach(struct qmp_session *s, bool replay)
{
	struct client *c = s->opaque;
	struct console *con = c->control->m->console;

	if (!con)
		return "this machine has no serial port but the terminal it was started on";
	c->pos = console_start(con);
	if (!replay) {
		pthread_mutex_lock(&con->lock);
		c->pos = con->written;
		pthread_mutex_unlock(&con->lock);
	}
	atomic_fetch_add(&con->readers, 1);
	c->attached = true;
	s->raw = true;
	return NULL;
}

/* ---- connections ----------------------------------------------------------------------------- */

static void refuse(int fd, const char *why)
{
	json_t *error = qmp_error("GenericError", why);
	char *text = error ? json_dumps(error, JSON_COMPACT) : NULL;

	if (text && send(fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL) > 0)
		(void)send(fd, "\r\n", 2, MSG_DONTWAIT | MSG_NOSIGNAL);
	free(text);
	json_decref(error);
	close(fd);
}

static struct client *client_create(struct control *ctl, int fd)
{
	struct client *c = calloc(1, sizeof(*c));

	if (!c)
		return NULL;
	c->control = ctl;
	c->fd = fd;
	c->qmp = qmp_create(control_commands, c);
	if (!c->qmp) {
		free(c);
		return NULL;
	}
	return c;
}

static void accept_client(struct control *ctl, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct epoll_event event = { .events = EPOLLIN };
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t len = sizeof(peer);
	struct client *c;
	unsigned int slot;

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) ||
	    (peer.uid != ctl->uid && peer.uid != 0)) {
		refuse(fd, "only the user who runs the machine, and root, may control it");
		return;
	}
	for (slot = 0; slot < MAX_CLIENTS && ctl->client[slot]; slot++)
		;
	if (slot == MAX_CLIENTS) {
		refuse(fd, "too many clients");
		return;
	}
	c = client_create(ctl, fd);
	if (!c) {
		refuse(fd, "out of memory");
		return;
	}
	c->interest = event.events;
	event.data.ptr = c;
	if (epoll_ctl(ctl->epoll_fd, EPOLL_CTL_ADD, fd, &event)) {
		qmp_destroy(c->qmp);
		free(c);
		refuse(fd, "out of memory");
		return;
	}
	ctl->client[slot] = c;
	qmp_send(c->qmp, control_greeting(ctl->m));
}

static void control_ready(void *opaque)
{
	struct control *ctl = opaque;
	struct epoll_event event[MAX_CLIENTS + MAX_LISTENERS];
	int n = epoll_wait(ctl->epoll_fd, event, ARRAY_SIZE(event), 0), i;

	for (i = 0; i < n; i++) {
		int *listener = event[i].data.ptr;

		if (listener >= ctl->listener && listener < ctl->listener + MAX_LISTENERS)
			accept_client(ctl, *listener);
		else
			client_ready(event[i].data.ptr, event[i].events);
	}
	/* The rest is done by control_serve(), which follows. */
}

void control_serve(struct machine *m)
{
	struct control *ctl = m->control;
	unsigned int i;

	if (!ctl)
		return;
	if (m->console)
		atomic_store(&m->console->woken, false);
	deliver_events(ctl);
	for (i = 0; i < MAX_CLIENTS; i++) {
		if (ctl->client[i])
			serve(ctl->client[i]);
	}
	/* Serving may have made events of its own: of a command that paused the machine. */
	deliver_events(ctl);
	for (i = 0; i < MAX_CLIENTS; i++) {
		struct client *c = ctl->client[i];

		if (!c)
			continue;
		flush(c);
		if (c->dead)
			drop_client(ctl, i);
		else
			update_interest(c);
	}
}

/* ---- the sockets ----------------------------------------------------------------------------- */

static int listen_at(struct control *ctl, const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct epoll_event event = { .events = EPOLLIN };
	int *fd = &ctl->listener[ctl->nr_listeners];

	if (strlen(path) >= sizeof(addr.sun_path))
		return report("control socket %s: its path is longer than %zu bytes", path,
			      sizeof(addr.sun_path) - 1);
	strcpy(addr.sun_path, path);
	*fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (*fd < 0)
		return report("cannot create a socket: %s", strerror(errno));
	ctl->nr_listeners++;
	event.data.ptr = fd;
	/* Nobody can connect before listen(), so the mode is right when it matters. */
	if (bind(*fd, (struct sockaddr *)&addr, sizeof(addr)))
		return report("control socket %s: cannot create it: %s", path, strerror(errno));
	if (chmod(path, 0600) || listen(*fd, 16) ||
	    epoll_ctl(ctl->epoll_fd, EPOLL_CTL_ADD, *fd, &event)) {
		report("control socket %s: cannot listen: %s", path, strerror(errno));
		(void)unlink(path);
		return -1;
	}
	return 0;
}

/* A socket of that name that nobody listens at is a crashed machine's. */
static int remove_stale(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct stat st;
	int fd, dead;

	if (lstat(path, &st))
		return 0;
	if (!S_ISSOCK(st.st_mode))
		return report("-qmp unix:%s: the file exists and is no socket", path);
	if (strlen(path) >= sizeof(addr.sun_path))
		return 0;
	strcpy(addr.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	dead = fd >= 0 && connect(fd, (struct sockaddr *)&addr, sizeof(addr)) &&
	       errno == ECONNREFUSED;
	if (fd >= 0)
		close(fd);
	if (!dead)
		return report("-qmp unix:%s: somebody listens there already", path);
	(void)unlink(path);
	return 0;
}

int control_open(struct machine *m, const char *path, const char *extra)
{
	struct control *ctl = calloc(1, sizeof(*ctl));
	struct loop_source source = { .ready = control_ready, .opaque = ctl };

	if (!ctl)
		return report("out of memory");
	ctl->m = m;
	ctl->uid = geteuid();
	pthread_mutex_init(&ctl->lock, NULL);
	m->control = ctl;
	ctl->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (ctl->epoll_fd < 0) {
		report("cannot create an epoll instance: %s", strerror(errno));
		goto fail;
	}
	source.fd = ctl->epoll_fd;
	if (loop_add(&m->loop, source))
		goto fail;
	if (extra) {
		if (remove_stale(extra) || listen_at(ctl, extra))
			goto fail;
		ctl->extra = strdup(extra);
	}
	if (path && listen_at(ctl, path))
		goto fail;
	return 0;
fail:
	control_close(m);
	return -1;
}

void control_close(struct machine *m)
{
	struct control *ctl = m->control;
	unsigned int i;

	if (!ctl)
		return;
	m->control = NULL;
	deliver_events(ctl);
	for (i = 0; i < MAX_CLIENTS; i++) {
		if (!ctl->client[i])
			continue;
		flush(ctl->client[i]);
		if (ctl->client[i]->attached)
			flush_console(ctl->client[i]);
		drop_client(ctl, i);
	}
	for (i = 0; i < ctl->nr_listeners; i++)
		close(ctl->listener[i]);
	if (ctl->extra)
		(void)unlink(ctl->extra);
	free(ctl->extra);
	if (ctl->epoll_fd >= 0)
		close(ctl->epoll_fd);
	pthread_mutex_destroy(&ctl->lock);
	free(ctl);
}
