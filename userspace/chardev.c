// SPDX-License-Identifier: GPL-2.0
/*
 * Streams of bytes to and from the guest, and the keys that talk to mkvm instead of to the guest.
 *
 * Input is buffered here, not in the UART, so that the escape key works even while the guest reads
 * nothing.
 */
#include <errno.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chardev.h"
#include "chardev_fds.h"
#include "control/console.h"
#include "machine.h"
#include "report.h"
#include "term.h"
#include "types.h"

#define ESCAPE_KEY	0x01	/* Ctrl-A */
#define INPUT_SIZE	4096

/* How long the guest waits for a slow reader of a socket or pseudo terminal, once. */
#define SLOW_MSEC	100

/**
 * struct chardev - one stream
 * @fds: what is open
 * @lossy: a reader that does not read loses output, instead of stalling the guest
 * @tty: input is a terminal: escape keys work
 * @connected: there is input to be had; false without a client. Main thread only
 * @eof: input has ended for good; likewise
 * @escaped: the last key was the escape key; likewise
 * @stalled: the reader did not take anything for SLOW_MSEC: do not wait for it again
 * @console: NULL, or gets a copy of the output
 * @input: bytes for the guest, a ring
 * @head: first byte not yet handed over; main thread only
 * @used: bytes in @input
 */
struct chardev {
	struct machine *m;
	struct chardev_fds fds;
	bool lossy;
	bool tty;
	bool connected;
	bool eof;
	bool escaped;
	atomic_bool stalled;
	struct console *console;
	const struct chardev_frontend *frontend;
	void *opaque;
	u8 input[INPUT_SIZE];
	size_t head;
	atomic_size_t used;
};

struct chardev *chardev_open(const struct chardev_config *cfg, struct machine *m)
{
	struct chardev *chr = calloc(1, sizeof(*chr));

	if (!chr) {
		report("out of memory");
		return NULL;
	}
	chr->m = m;
	if (chardev_fds_open(&chr->fds, cfg)) {
		free(chr);
		return NULL;
	}
	chr->lossy = chr->fds.listen >= 0 || chr->fds.hold >= 0;
	chr->tty = cfg->kind == CHARDEV_STDIO && isatty(STDIN_FILENO);
	chr->connected = chr->fds.in >= 0 && chr->fds.listen < 0;
	return chr;
}

void chardev_close(struct chardev *chr)
{
	if (!chr)
		return;
	chardev_fds_close(&chr->fds);
	free(chr);
}

void chardev_attach(struct chardev *chr, const struct chardev_frontend *frontend, void *opaque)
{
	chr->frontend = frontend;
	chr->opaque = opaque;
}

static void push(struct chardev *chr, u8 byte)
{
	size_t used = atomic_load(&chr->used);

	/*
	 * Only a terminal can get here with a full buffer: it is read further for the escape key's
	 * sake.
	 */
	if (used == INPUT_SIZE)
		return;
	chr->input[(chr->head + used) % INPUT_SIZE] = byte;
	atomic_fetch_add(&chr->used, 1);
}

static void print_keys(void)
{
	static const char text[] =
		"\r\nmkvm: Ctrl-A x  quit\r\n"
		"mkvm: Ctrl-A h  this text\r\n"
		"mkvm: Ctrl-A Ctrl-A  send Ctrl-A to the guest\r\n";

	if (write(STDERR_FILENO, text, sizeof(text) - 1) < 0)
		return;
}

static void key(struct chardev *chr, u8 byte)
{
	if (!chr->tty) {
		push(chr, byte);
		return;
	}
	if (!chr->escaped) {
		if (byte == ESCAPE_KEY)
			chr->escaped = true;
		else
			push(chr, byte);
		return;
	}
	chr->escaped = false;
	switch (byte) {
	case 'x':
	case 'X':
		machine_post(chr->m, MACHINE_QUIT);
		break;
	case 'h':
	case 'H':
	case '?':
		print_keys();
		break;
	case ESCAPE_KEY:
		push(chr, byte);
		break;
	default:
		break;
	}
}

static bool input_wanted(void *opaque)
{
	struct chardev *chr = opaque;

	return chr->connected && !chr->eof && (chr->tty || atomic_load(&chr->used) < INPUT_SIZE);
}

/* End of file, or a terminal or client that is gone: the guest runs on without input. */
static void input_ended(struct chardev *chr)
{
	if (chr->fds.listen < 0) {
		chr->eof = true;
		return;
	}
	chr->connected = false;
	chardev_fds_hang_up(&chr->fds);
}

static void input_ready(void *opaque)
{
	struct chardev *chr = opaque;
	size_t room = INPUT_SIZE - atomic_load(&chr->used), i;
	u8 buf[256];
	ssize_t n;

	if (chr->tty || room > sizeof(buf))
		room = sizeof(buf);
	n = read(chr->fds.in, buf, room);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	if (n <= 0) {
		input_ended(chr);
		return;
	}
	for (i = 0; i < (size_t)n; i++)
		key(chr, buf[i]);
	chardev_feed(chr);
}

/* One client at a time; the next waits. */
static bool client_wanted(void *opaque)
{
	struct chardev *chr = opaque;

	return !chr->connected;
}

static void client_ready(void *opaque)
{
	struct chardev *chr = opaque;

	chr->connected = chardev_fds_accept(&chr->fds);
	atomic_store(&chr->stalled, false);
}

int chardev_start(struct chardev *chr)
{
	struct loop_source input = {
		.fd = chr->fds.in, .wanted = input_wanted, .ready = input_ready, .opaque = chr,
	};
	struct loop_source client = {
		.fd = chr->fds.listen, .wanted = client_wanted, .ready = client_ready,
		.opaque = chr,
	};

	if (chr->fds.in < 0 || !chr->frontend)
		return 0;
	if (loop_add(&chr->m->loop, input) ||
	    (client.fd >= 0 && loop_add(&chr->m->loop, client)))
		return -1;
	return chr->tty ? term_raw(chr->fds.in) : 0;
}

void chardev_record(struct chardev *chr, struct console *console)
{
	chr->console = console;
}

size_t chardev_input_room(struct chardev *chr)
{
	return chr->frontend ? INPUT_SIZE - atomic_load(&chr->used) : 0;
}

void chardev_input(struct chardev *chr, const u8 *data, size_t len)
{
	while (len--)
		push(chr, *data++);
	chardev_feed(chr);
}

/* No room for output. Return true if it is worth trying again. */
static bool wait_for_reader(struct chardev *chr)
{
	struct pollfd pfd = { .fd = chr->fds.out, .events = POLLOUT };

	if (!chr->lossy) {
		/* Somebody else made our standard output non-blocking. */
		usleep(1000);
		return true;
	}
	if (atomic_load(&chr->stalled))
		return false;
	/* Not repeated after a signal: the guest may be stopping. */
	if (poll(&pfd, 1, SLOW_MSEC) == 0)
		atomic_store(&chr->stalled, true);
	return !atomic_load(&chr->stalled);
}

void chardev_write(struct chardev *chr, u8 byte)
{
	if (chr->console)
		console_put(chr->console, byte);
	while (chr->fds.out >= 0) {
		if (write(chr->fds.out, &byte, 1) == 1) {
			if (chr->lossy && atomic_load(&chr->stalled))
				atomic_store(&chr->stalled, false);
			return;
		}
		/* The reader has gone or the disk is full: the byte is lost, as on a cut cable. */
		if (errno != EAGAIN && errno != EINTR)
			return;
		if ((errno == EAGAIN && !wait_for_reader(chr)) || machine_stopping(chr->m))
			return;
	}
}

void chardev_feed(struct chardev *chr)
{
	for (;;) {
		size_t used = atomic_load(&chr->used);
		size_t room = chr->frontend ? chr->frontend->room(chr->opaque) : 0;
		size_t run = INPUT_SIZE - chr->head;

		if (run > used)
			run = used;
		if (run > room)
			run = room;
		if (!run)
			return;
		chr->frontend->receive(chr->opaque, chr->input + chr->head, run);
		chr->head = (chr->head + run) % INPUT_SIZE;
		atomic_fetch_sub(&chr->used, run);
	}
}

bool chardev_has_input(struct chardev *chr)
{
	return atomic_load(&chr->used) != 0;
}

void chardev_kick(struct chardev *chr)
{
	loop_wake(&chr->m->loop);
}
