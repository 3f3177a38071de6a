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

/*
 * Wait until there is room for output, SLOW_MSEC at most; false: there is none and the output is to
 * be dropped.
 */
static bool wait_for_reader(struct chardev *chr)
{
	struct pollfd pfd = { .fd = chr->fds.out, .events = POLLOUT };
	int n;

	if (chr->lossy && atomic_load(&chr->stalled))
		return false;
	/* Not repeated after a signal: the guest may be stopping. */
	n = poll(&pfd, 1, SLOW_MSEC);
	if (chr->lossy && n == 0)
		atomic_store(&chr->stalled, true);
	return !chr->lossy || n != 0;
}

/* A blocking descriptor must not block a thread that no signal interrupts. */
static bool wait_until_writable(const struct chardev *chr)
{
	struct pollfd pfd = { .fd = chr->fds.out, .events = POLLOUT };

	return poll(&pfd, 1, SLOW_MSEC) > 0;
}

/* Write some bytes. Return how many; -1 if they are lost, as on a cut cable; 0 to try again. */
static ssize_t write_some(struct chardev *chr, const void *data, size_t len)
{
	ssize_t n = write(chr->fds.out, data, len);

	if (n > 0) {
		if (chr->lossy && atomic_load(&chr->stalled))
			atomic_store(&chr->stalled, false);
		return n;
	}
	/* The reader has gone, or the disk is full. */
	if (n == 0 || (errno != EAGAIN && errno != EINTR))
		return -1;
	/* EAGAIN on standard output: somebody else made it non-blocking. */
	return errno == EAGAIN && !wait_for_reader(chr) ? -1 : 0;
}

void chardev_write(struct chardev *chr, u8 byte)
{
	if (chr->console)
		console_put(chr->console, byte);
	while (chr->fds.out >= 0 && !write_some(chr, &byte, 1)) {
		if (machine_stopping(chr->m))
			return;
	}
}

void chardev_send(struct chardev *chr, const u8 *data, size_t len)
{
	/* As much as a pipe that is writable takes without blocking, and a terminal usually. */
	u8 piece[256];

	while (len) {
		size_t n = len < sizeof(piece) ? len : sizeof(piece), i;
		ssize_t done = 0;

		memcpy(piece, data, n);
		for (i = 0; chr->console && i < n; i++)
			console_put(chr->console, piece[i]);
		for (i = 0; chr->fds.out >= 0 && done >= 0 && i < n; i += (size_t)done) {
			if (machine_stopping(chr->m))
				return;
			done = chr->lossy || wait_until_writable(chr) ?
				       write_some(chr, piece + i, n - i) : 0;
			if (done < 0)
				break;
		}
		data += n;
		len -= n;
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
