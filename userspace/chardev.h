/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Byte streams a serial port or console is connected to: standard input and output, a pseudo
 * terminal, a socket, a file, or nothing.
 */
#ifndef MKVM_CHARDEV_H
#define MKVM_CHARDEV_H

#include "config.h"
#include "types.h"

struct chardev;
struct console;
struct machine;

/**
 * struct chardev_frontend - the serial port, as its back end sees it
 * @room: how many bytes it takes now
 * @receive: take @len bytes, at most what @room said
 *
 * Both are called in the main thread only.
 */
struct chardev_frontend {
	size_t (*room)(void *opaque);
	void (*receive)(void *opaque, const u8 *data, size_t len);
};

/**
 * chardev_open() - open a back end
 * @cfg: which; not CHARDEV_NONE
 * @m: the machine whose loop serves the input
 *
 * Return: the back end, or NULL after a report.
 */
struct chardev *chardev_open(const struct chardev_config *cfg, struct machine *m);

/** chardev_close() - free a back end, or NULL; the loop must not run any more */
void chardev_close(struct chardev *chr);

/** chardev_attach() - connect the serial port that gets the input */
void chardev_attach(struct chardev *chr, const struct chardev_frontend *frontend, void *opaque);

/**
 * chardev_start() - register the input with the loop and make the terminal raw; 0, or -1 after a
 *	report
 * @chr: the back end
 */
int chardev_start(struct chardev *chr);

/** chardev_record() - keep a copy of the guest's output; before chardev_start() */
void chardev_record(struct chardev *chr, struct console *console);

/** chardev_input_room() - how many bytes chardev_input() takes now; main thread only */
size_t chardev_input_room(struct chardev *chr);

/**
 * chardev_input() - input from elsewhere than the back end: `mkvm console`; main thread only
 * @chr: the back end
 * @data: the bytes
 * @len: at most what chardev_input_room() said
 */
void chardev_input(struct chardev *chr, const u8 *data, size_t len);

/**
 * chardev_write() - one byte from the guest; any thread
 * @chr: the back end
 * @byte: what it sends
 *
 * Standard output: waits while the reader is slow, unless the guest is being stopped. Sockets and
 * pseudo terminals: a reader that takes nothing for a tenth of a second loses output from then on,
 * until it reads again; without a client output is dropped.
 */
void chardev_write(struct chardev *chr, u8 byte);

/**
 * chardev_send() - likewise, for a thread that no signal interrupts
 * @chr: the back end
 * @data: what it sends; the guest may change the bytes meanwhile
 * @len: bytes
 */
void chardev_send(struct chardev *chr, const u8 *data, size_t len);

/**
 * chardev_feed() - hand buffered input to the serial port, as far as it has room; main thread only
 * @chr: the back end
 */
void chardev_feed(struct chardev *chr);

/** chardev_has_input() - is there buffered input that waits for room? any thread, approximate */
bool chardev_has_input(struct chardev *chr);

/** chardev_kick() - the serial port has room again: have the main thread feed it; any thread */
void chardev_kick(struct chardev *chr);

#endif
