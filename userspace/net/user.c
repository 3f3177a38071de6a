// SPDX-License-Identifier: GPL-2.0
/*
 * User networks: libslirp turns the guest's frames into sockets of this process, so no privilege is
 * needed. It runs in a thread of its own, connected to the device by a pair of sockets.
 *
 * The library is loaded when a user network is asked for: it brings glib with it, which is more
 * than the rest of mkvm.
 */
#include <dlfcn.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include <slirp/libslirp.h>

#include "net/net.h"
#include "report.h"
#include "sandbox.h"
#include "thread.h"

#define LIBRARY	      "libslirp.so.0"
#define BACKLOG_MAX   512 /* frames for a guest that is slow to take them */
#define SOCKET_BUFFER (4 << 20)
#define MTU	      1500

/* The library's functions. */
struct slirp_lib {
	void *handle;
	Slirp *(*new)(const SlirpConfig *cfg, const SlirpCb *callbacks, void *opaque);
	void (*cleanup)(Slirp *slirp);
	void (*pollfds_fill)(Slirp *slirp, u32 *timeout, SlirpAddPollCb add_poll, void *opaque);
	void (*pollfds_poll)(Slirp *slirp, int error, SlirpGetREventsCb get_revents, void *opaque);
	void (*input)(Slirp *slirp, const u8 *frame, int len);
	int (*add_hostfwd)(Slirp *slirp, int udp, struct in_addr host, int host_port,
			   struct in_addr guest, int guest_port);
};

struct timer {
	SlirpTimerCb fn;
	void *opaque;
	s64 when; /* milliseconds, as the clock below; -1: off */
	struct timer *next;
};

struct frame {
	struct frame *next;
	size_t len;
	u8 bytes[];
};

/**
 * struct user_net - one network
 * @fd: the device's end of the socket pair, and the thread's
 * @quit_fd: eventfd: the thread shall end
 * @backlog: frames the device has not taken, oldest first; @last its end, @nr_backlog how many
 * @poll_fd: what the thread waits for: quit_fd, its end of the pair, then the library's
 *
 * From @slirp on, once started, all is the thread's.
 */
struct user_net {
	struct net_backend nb;
	struct slirp_lib lib;
	int fd[2];
	int quit_fd;
	pthread_t thread;
	bool started;
	Slirp *slirp;
	struct timer *timers;
	struct frame *backlog, **last;
	unsigned int nr_backlog;
	struct pollfd *poll_fd;
	unsigned int nr_polls, max_polls;
	u8 buffer[NET_FRAME_MAX];
};

#define QUIT_POLL   0
#define DEVICE_POLL 1
#define OWN_POLLS   2

static int64_t clock_ns(void *opaque)
{
	struct timespec now;

	(void)opaque;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

static s64 clock_ms(void)
{
	return clock_ns(NULL) / 1000000;
}

static void *timer_new(SlirpTimerCb fn, void *fn_opaque, void *opaque)
{
	struct user_net *un = opaque;
	struct timer *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->fn = fn;
	t->opaque = fn_opaque;
	t->when = -1;
	t->next = un->timers;
	un->timers = t;
	return t;
}

static void timer_free(void *timer, void *opaque)
{
	struct user_net *un = opaque;
	struct timer **p;

	for (p = &un->timers; *p; p = &(*p)->next) {
		if (*p == timer) {
			*p = (*p)->next;
			free(timer);
			return;
		}
	}
}

static void timer_mod(void *timer, int64_t when, void *opaque)
{
	struct timer *t = timer;

	(void)opaque;
	if (t)
		t->when = when;
}

static void run_timers(struct user_net *un)
{
	s64 now = clock_ms();
	struct timer *t, *next;

	for (t = un->timers; t; t = next) {
		next = t->next;
		if (t->when >= 0 && t->when <= now) {
			t->when = -1;
			t->fn(t->opaque);
		}
	}
}

/* Milliseconds to the next timer, at most @timeout. */
static u32 until_timer(const struct user_net *un, u32 timeout)
{
	const struct timer *t;
	s64 now = clock_ms(), left;

	for (t = un->timers; t; t = t->next) {
		if (t->when < 0)
			continue;
		left = t->when > now ? t->when - now : 0;
		if (left < timeout)
			timeout = (u32)left;
	}
	return timeout;
}

static void queue_frame(struct user_net *un, const void *buf, size_t len)
{
	struct frame *f;

	/* Lost, as on any wire that is too busy; TCP sends it again. */
	if (un->nr_backlog == BACKLOG_MAX)
		return;
	f = malloc(sizeof(*f) + len);
	if (!f)
		return;
	f->next = NULL;
	f->len = len;
	memcpy(f->bytes, buf, len);
	*un->last = f;
	un->last = &f->next;
	un->nr_backlog++;
}

static ssize_t to_guest(const void *buf, size_t len, void *opaque)
{
	struct user_net *un = opaque;

	if (un->backlog || (send(un->fd[1], buf, len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
			    (errno == EAGAIN || errno == ENOBUFS)))
		queue_frame(un, buf, len);
	return (ssize_t)len;
}

static void send_backlog(struct user_net *un)
{
	struct frame *f;

	while ((f = un->backlog)) {
		if (send(un->fd[1], f->bytes, f->len, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 &&
		    (errno == EAGAIN || errno == ENOBUFS))
			return;
		un->backlog = f->next;
		un->nr_backlog--;
		free(f);
	}
	un->last = &un->backlog;
}

static void from_guest(struct user_net *un)
{
	unsigned int i;
	ssize_t len;

	for (i = 0; i < 64; i++) {
		len = recv(un->fd[1], un->buffer, sizeof(un->buffer), MSG_DONTWAIT);
		if (len <= 0)
			return;
		if (len > MTU + 22) /* Ethernet's header and two tags */
			continue;
		un->lib.input(un->slirp, un->buffer, (int)len);
	}
}

static void guest_error(const char *msg, void *opaque)
{
	/* A guest must not fill the host's terminal or log. */
	(void)msg;
	(void)opaque;
}

static void ignore_fd(int fd, void *opaque)
{
	(void)fd;
	(void)opaque;
}

static void ignore_notify(void *opaque)
{
	(void)opaque;
}

static const SlirpCb callbacks = {
	.send_packet = to_guest,
	.guest_error = guest_error,
	.clock_get_ns = clock_ns,
	.timer_new = timer_new,
	.timer_free = timer_free,
	.timer_mod = timer_mod,
	.register_poll_fd = ignore_fd,
	.unregister_poll_fd = ignore_fd,
	.notify = ignore_notify,
};

static const struct {
	int slirp;
	short poll;
} poll_bits[] = {
	{ SLIRP_POLL_IN, POLLIN },   { SLIRP_POLL_OUT, POLLOUT }, { SLIRP_POLL_PRI, POLLPRI },
	{ SLIRP_POLL_ERR, POLLERR }, { SLIRP_POLL_HUP, POLLHUP },
};

static int add_poll(int fd, int events, void *opaque)
{
	struct user_net *un = opaque;
	struct pollfd *p;
	unsigned int i, max;

	if (un->nr_polls == un->max_polls) {
		max = 2 * un->max_polls;
		p = realloc(un->poll_fd, max * sizeof(*p));
		if (!p)
			return -1;
		un->poll_fd = p;
		un->max_polls = max;
	}
	p = &un->poll_fd[un->nr_polls];
	p->fd = fd;
	p->events = 0;
	p->revents = 0;
	for (i = 0; i < 3; i++) {
		if (events & poll_bits[i].slirp)
			p->events |= poll_bits[i].poll;
	}
	return (int)un->nr_polls++;
}

static int get_revents(int index, void *opaque)
{
	struct user_net *un = opaque;
	unsigned int i;
	int events = 0;

	if (index < 0 || (unsigned int)index >= un->nr_polls)
		return 0;
	for (i = 0; i < ARRAY_SIZE(poll_bits); i++) {
		if (un->poll_fd[index].revents & poll_bits[i].poll)
			events |= poll_bits[i].slirp;
	}
	return events;
}

static void *user_net_thread(void *opaque)
{
	struct user_net *un = opaque;
	u32 timeout;
	int ret;

	sandbox_thread(SANDBOX_USERNET);
	for (;;) {
		timeout = UINT32_MAX;
		un->nr_polls = OWN_POLLS;
		/* While the guest is slow, the library reads nothing more for it. */
		if (!un->backlog)
			un->lib.pollfds_fill(un->slirp, &timeout, add_poll, un);
		timeout = until_timer(un, timeout);
		un->poll_fd[QUIT_POLL] = (struct pollfd){ .fd = un->quit_fd, .events = POLLIN };
		un->poll_fd[DEVICE_POLL] = (struct pollfd){
			.fd = un->fd[1],
			.events = (short)(POLLIN | (un->backlog ? POLLOUT : 0)),
		};
		ret = poll(un->poll_fd, un->nr_polls, timeout > INT32_MAX ? -1 : (int)timeout);
		if (ret >= 0 && un->poll_fd[QUIT_POLL].revents)
			return NULL;
		run_timers(un);
		if (un->backlog)
			send_backlog(un);
		else
			un->lib.pollfds_poll(un->slirp, ret < 0, get_revents, un);
		from_guest(un);
	}
}

static ssize_t user_net_recv(struct net_backend *nb, unsigned int queue, struct iovec *iov,
			     unsigned int nr)
{
	struct user_net *un = (struct user_net *)nb;
	ssize_t len = readv(un->fd[0], iov + 1, (int)nr - 1);

	(void)queue;
	if (len < 0)
		return errno == EINTR ? -EAGAIN : -errno;
	memset(iov[0].iov_base, 0, iov[0].iov_len);
	return len ? len + (ssize_t)iov[0].iov_len : -EAGAIN;
}

static int user_net_send(struct net_backend *nb, unsigned int queue, struct iovec *iov,
			 unsigned int nr)
{
	struct user_net *un = (struct user_net *)nb;
	struct msghdr msg = { .msg_iov = iov + 1, .msg_iovlen = nr - 1 };

	(void)queue;
	if (sendmsg(un->fd[0], &msg, MSG_NOSIGNAL | MSG_DONTWAIT) < 0 && errno == EAGAIN)
		return -EAGAIN;
	return 0;
}

static int user_net_poll_fd(struct net_backend *nb, unsigned int queue)
{
	(void)queue;
	return ((struct user_net *)nb)->fd[0];
}

static int user_net_start(struct net_backend *nb)
{
	struct user_net *un = (struct user_net *)nb;
	int err = thread_create(&un->thread, "user net", user_net_thread, un);

	if (err)
		return report("cannot start a thread of the user network: %s", strerror(err));
	un->started = true;
	return 0;
}

static void user_net_close(struct net_backend *nb)
{
	struct user_net *un = (struct user_net *)nb;
	struct frame *f;
	u64 one = 1;

	if (un->started && write(un->quit_fd, &one, sizeof(one)) == sizeof(one))
		pthread_join(un->thread, NULL);
	if (un->slirp)
		un->lib.cleanup(un->slirp);
	while ((f = un->backlog)) {
		un->backlog = f->next;
		free(f);
	}
	while (un->timers)
		timer_free(un->timers, un);
	if (un->fd[0] >= 0) {
		close(un->fd[0]);
		close(un->fd[1]);
	}
	if (un->quit_fd >= 0)
		close(un->quit_fd);
	/* The library stays loaded: glib does not like to be unloaded. */
	free(un->poll_fd);
	free(un);
}

static const struct net_backend_ops user_net_ops = {
	.recv = user_net_recv,
	.send = user_net_send,
	.poll_fd = user_net_poll_fd,
	.start = user_net_start,
	.close = user_net_close,
};

#ifdef MKVM_STATIC
static int load(struct slirp_lib *lib, const char *arg)
{
	(void)lib;
	return report("network %s: this mkvm is linked statically and has no user network", arg);
}
#else
static int load(struct slirp_lib *lib, const char *arg)
{
	const struct {
		const char *name;
		void **fn;
	} functions[] = {
		{ "slirp_new", (void **)&lib->new },
		{ "slirp_cleanup", (void **)&lib->cleanup },
		{ "slirp_pollfds_fill", (void **)&lib->pollfds_fill },
		{ "slirp_pollfds_poll", (void **)&lib->pollfds_poll },
		{ "slirp_input", (void **)&lib->input },
		{ "slirp_add_hostfwd", (void **)&lib->add_hostfwd },
	};
	unsigned int i;

	lib->handle = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
	if (!lib->handle)
		return report("network %s: a user network needs libslirp (package libslirp0): %s",
			      arg, dlerror());
	for (i = 0; i < ARRAY_SIZE(functions); i++) {
		*functions[i].fn = dlsym(lib->handle, functions[i].name);
		if (!*functions[i].fn)
			return report("network %s: " LIBRARY " lacks %s", arg, functions[i].name);
	}
	return 0;
}
#endif

static int start_library(struct user_net *un, const struct netdev_config *nd)
{
	const struct user_net_config *u = &nd->user;
	SlirpConfig cfg = {
		.version = 3, /* no field of the newest; disable_host_loopback stays off */
		.restricted = u->restricted,
		.in_enabled = true,
		.vnetwork = u->net,
		.vnetmask = u->mask,
		.vhost = u->host,
		.vdhcp_start = u->dhcp_start,
		.vnameserver = u->dns,
		.vhostname = u->hostname,
		.if_mtu = MTU,
		.if_mru = MTU,
	};
	unsigned int i;

	un->slirp = un->lib.new(&cfg, &callbacks, un);
	if (!un->slirp)
		return report("network %s: libslirp refuses to start", nd->arg);
	for (i = 0; i < u->nr_fwds; i++) {
		const struct hostfwd *f = &u->fwd[i];

		if (un->lib.add_hostfwd(un->slirp, f->udp, f->host, f->host_port,
					f->guest.s_addr ? f->guest : u->dhcp_start, f->guest_port))
			return report("network %s: cannot listen on %s port %u for hostfwd: %s",
				      nd->arg, f->udp ? "UDP" : "TCP", f->host_port,
				      strerror(errno));
	}
	return 0;
}

static int make_pair(struct user_net *un, const char *arg)
{
	int size = SOCKET_BUFFER, i;

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, un->fd)) {
		un->fd[0] = -1;
		return report("network %s: cannot make a socket pair: %s", arg, strerror(errno));
	}
	for (i = 0; i < 2; i++) {
		/* Beyond the system's limit only with privilege. */
		if (setsockopt(un->fd[i], SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
			(void)setsockopt(un->fd[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
	}
	un->quit_fd = eventfd(0, EFD_CLOEXEC);
	return un->quit_fd < 0 ?
		       report("network %s: cannot create an eventfd: %s", arg, strerror(errno)) :
		       0;
}

struct net_backend *user_net_open(const struct netdev_config *nd)
{
	struct user_net *un = calloc(1, sizeof(*un));

	if (!un) {
		report("out of memory");
		return NULL;
	}
	un->nb.ops = &user_net_ops;
	un->nb.queues = 1;
	atomic_init(&un->nb.link_up, true);
	un->last = &un->backlog;
	un->fd[0] = -1;
	un->quit_fd = -1;
	un->max_polls = 16;
	un->poll_fd = calloc(un->max_polls, sizeof(*un->poll_fd));
	if (!un->poll_fd || load(&un->lib, nd->arg) || make_pair(un, nd->arg) ||
	    start_library(un, nd)) {
		user_net_close(&un->nb);
		return NULL;
	}
	return &un->nb;
}
