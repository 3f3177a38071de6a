// SPDX-License-Identifier: GPL-2.0
/*
 * Serial back ends, and the keys that talk to mkvm instead of to the guest.
 *
 * Input is buffered here, not in the UART, so that the escape key works even while the guest reads
 * nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chardev.h"
#include "control/console.h"
#include "machine.h"
#include "report.h"
#include "term.h"
#include "types.h"

#define ESCAPE_KEY	0x01	/* Ctrl-A */
#define INPUT_SIZE	4096

struct chardev {
	struct machine *m;
	int in_fd;		/* -1: no input */
	int out_fd;		/* -1: output is dropped */
	bool close_out;
	bool tty;		/* input is a terminal: escape keys work */
	bool eof;
	bool escaped;		/* the last key was the escape key */
	struct console *console;	/* NULL, or gets a copy of the output */
	const struct chardev_frontend *frontend;
	void *opaque;
	u8 input[INPUT_SIZE];
	size_t head;		/* first byte not yet handed over; main thread only */
	atomic_size_t used;	/* bytes buffered */
};

struct chardev *chardev_open(const struct serial_config *cfg, struct machine *m)
{
	struct chardev *chr = calloc(1, sizeof(*chr));

	if (!chr) {
		report("out of memory");
		return NULL;
	}
	chr->m = m;
	chr->in_fd = -1;
	chr->out_fd = -1;
	switch (cfg->kind) {
	case SERIAL_STDIO:
		chr->in_fd = STDIN_FILENO;
		chr->out_fd = STDOUT_FILENO;
		chr->tty = isatty(STDIN_FILENO);
		break;
	case SERIAL_FILE:
		chr->out_fd = open(cfg->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
		if (chr->out_fd < 0) {
			report("-serial file:%s: cannot open it for writing: %s", cfg->path,
			       strerror(errno));
			free(chr);
			return NULL;
		}
		chr->close_out = true;
		break;
	default:
		break;
	}
	return chr;
}

void chardev_close(struct chardev *chr)
{
	if (!chr)
		return;
	if (chr->close_out)
		close(chr->out_fd);
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

	return !chr->eof && (chr->tty || atomic_load(&chr->used) < INPUT_SIZE);
}

static void input_ready(void *opaque)
{
	struct chardev *chr = opaque;
	size_t room = INPUT_SIZE - atomic_load(&chr->used), i;
	u8 buf[256];
	ssize_t n;

	if (chr->tty || room > sizeof(buf))
		room = sizeof(buf);
	n = read(chr->in_fd, buf, room);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return;
	/* End of file, or a terminal that is gone: the guest runs on without input. */
	if (n <= 0) {
		chr->eof = true;
		return;
	}
	for (i = 0; i < (size_t)n; i++)
		key(chr, buf[i]);
	chardev_feed(chr);
}

int chardev_start(struct chardev *chr)
{
	struct loop_source source = {
		.fd = chr->in_fd, .wanted = input_wanted, .ready = input_ready, .opaque = chr,
	};

	if (chr->in_fd < 0 || !chr->frontend)
		return 0;
	if (loop_add(&chr->m->loop, source))
		return -1;
	return term_raw(chr->in_fd);
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

void chardev_write(struct chardev *chr, u8 byte)
{
	if (chr->console)
		console_put(chr->console, byte);
	while (chr->out_fd >= 0) {
		if (write(chr->out_fd, &byte, 1) == 1)
			return;
		if (errno == EAGAIN) {
			/* Somebody else made our standard output non-blocking. */
			usleep(1000);
		} else if (errno != EINTR) {
			/*
			 * The reader has gone or the disk is full: this byte is lost, as on a cut
			 * cable.
			 */
			return;
		}
		if (machine_stopping(chr->m))
			return;
	}
}

void chardev_feed(struct chardev *chr)
{
	for (;;) {
		size_t used = atomic_load(&chr->used);
		size_t room = chr->frontend->room(chr->opaque);
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
