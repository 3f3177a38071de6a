// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm console`: this terminal becomes the machine's serial console, until the escape key or the
 * machine's end.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/client.h"
#include "report.h"
#include "term.h"
#include "types.h"

#define ESCAPE_KEY	0x01	/* Ctrl-A, as in chardev.c */

static const char keys_text[] =
	"\r\nmkvm: Ctrl-A x  leave the console; the machine runs on\r\n"
	"mkvm: Ctrl-A h  this text\r\n"
	"mkvm: Ctrl-A Ctrl-A  send Ctrl-A to the guest\r\n";

static void on_signal(int sig)
{
	term_restore();
	_exit(EXIT_SIGNAL_BASE + sig);
}

static bool write_all(int fd, const char *data, size_t len)
{
	while (len) {
		ssize_t n = write(fd, data, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return false;
		data += n;
		len -= (size_t)n;
	}
	return true;
}

/*
 * What of @in is for the guest goes to @out. Returns its length, or -1: leave.
 */
static ssize_t filter_keys(const char *in, size_t len, char *out, bool *escaped)
{
	size_t n = 0, i;

	for (i = 0; i < len; i++) {
		if (!*escaped && in[i] == ESCAPE_KEY) {
			*escaped = true;
			continue;
		}
		if (!*escaped || in[i] == ESCAPE_KEY) {
			out[n++] = in[i];
		} else if (in[i] == 'x' || in[i] == 'X') {
			return -1;
		} else if (in[i] == 'h' || in[i] == 'H' || in[i] == '?') {
			(void)write_all(STDERR_FILENO, keys_text, sizeof(keys_text) - 1);
		}
		*escaped = false;
	}
	return (ssize_t)n;
}

/**
 * struct stream - the two directions of a console
 * @fd: the machine
 * @tty: the input is a terminal: the escape key works
 * @escaped: the last key was the escape key
 * @input: there is more of it
 * @out: input on its way to the machine
 * @out_used: bytes of it
 */
struct stream {
	int fd;
	bool tty;
	bool escaped;
	bool input;
	char out[1024];
	size_t out_used;
};

/* false: leave */
static bool read_input(struct stream *s)
{
	char buf[sizeof(s->out)];
	ssize_t n = read(STDIN_FILENO, buf, sizeof(buf)), used;

	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return true;
	if (n <= 0) {
		/* A terminal that is gone, or the end of a file: the output goes on. */
		s->input = false;
		return !s->tty;
	}
	if (!s->tty) {
		memcpy(s->out, buf, (size_t)n);
		s->out_used = (size_t)n;
		return true;
	}
	used = filter_keys(buf, (size_t)n, s->out, &s->escaped);
	if (used < 0)
		return false;
	s->out_used = (size_t)used;
	return true;
}

static int relay(struct stream *s)
{
	char buf[4096];
	ssize_t n;

	for (;;) {
		struct pollfd pfd[] = {
			{ .fd = s->fd, .events = POLLIN | (s->out_used ? POLLOUT : 0) },
			{ .fd = s->input && !s->out_used ? STDIN_FILENO : -1, .events = POLLIN },
		};

		if (poll(pfd, 2, -1) < 0)
			continue;
		if (pfd[0].revents & ~POLLOUT) {
			n = recv(s->fd, buf, sizeof(buf), MSG_DONTWAIT);
			if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
				return 0;
			if (n > 0 && !write_all(STDOUT_FILENO, buf, (size_t)n))
				return EXIT_ERROR;
		}
		if (pfd[0].revents & POLLOUT) {
			n = send(s->fd, s->out, s->out_used, MSG_DONTWAIT | MSG_NOSIGNAL);
			if (n > 0) {
				s->out_used -= (size_t)n;
				memmove(s->out, s->out + n, s->out_used);
			}
		}
		if (pfd[1].revents && !read_input(s))
			return 0;
	}
}

static int console(struct client_conn *c, bool replay)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct stream s = { .fd = c->fd, .tty = isatty(STDIN_FILENO), .input = true };
	json_t *value = client_call(c, "console", json_pack("{s:b}", "replay", replay));
	int status;

	if (!value)
		return EXIT_ERROR;
	json_decref(value);
	if (s.tty)
		report("connected to %s; Ctrl-A x leaves, Ctrl-A h lists the keys", c->name);
	sigemptyset(&sa.sa_mask);
	sigaction(SIGINT, &sa, NULL);
	sigaction(SIGTERM, &sa, NULL);
	sigaction(SIGHUP, &sa, NULL);
	if (term_raw(STDIN_FILENO))
		return EXIT_ERROR;
	/* What came right behind the reply. */
	status = write_all(STDOUT_FILENO, c->buf, c->used) ? relay(&s) : EXIT_ERROR;
	term_restore();
	if (s.tty)
		(void)write_all(STDERR_FILENO, "\n", 1);
	return status;
}

int cmd_console(int argc, char **argv)
{
	bool replay = !(argc == 3 && !strcmp(argv[1], "--no-replay"));
	struct client_conn c;
	int status = EXIT_ERROR;

	if (argc != (replay ? 2 : 3) || argv[argc - 1][0] == '-') {
		report("usage: mkvm console [--no-replay] NAME");
		return EXIT_ERROR;
	}
	if (!client_open(&c, argv[argc - 1], false))
		status = console(&c, replay);
	client_close(&c);
	return status;
}
