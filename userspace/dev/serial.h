/* SPDX-License-Identifier: GPL-2.0 */
/*
 * 16550A serial ports.
 */
#ifndef MKVM_DEV_SERIAL_H
#define MKVM_DEV_SERIAL_H

#include <pthread.h>

#include "types.h"

struct chardev;
struct machine;

#define SERIAL_FIFO_SIZE	16

/**
 * struct serial - one UART
 * @out: called, without @lock, with each byte the guest sends
 * @drained: called, without @lock, when the guest made room for input after there was none
 * @set_irq: called, with @lock held, when the interrupt line changes
 * @opaque: argument of the three
 * @lock: everything below
 * @ier: interrupt enable register
 * @fcr: FIFO control register, without the bits that act at once
 * @lcr: line control register
 * @mcr: modem control register
 * @lsr: line status register
 * @msr: modem status register
 * @scr: scratch register
 * @dll: divisor latch, low
 * @dlm: divisor latch, high
 * @thr_interrupt: THR became empty and nobody has been told
 * @irq_level: the interrupt line
 * @fifo: received bytes, a ring
 * @fifo_head: oldest byte
 * @fifo_used: bytes in @fifo
 *
 * The chip knows neither back end nor interrupt controller, so that it can be tested alone.
 */
struct serial {
	void (*out)(void *opaque, u8 byte);
	void (*drained)(void *opaque);
	void (*set_irq)(void *opaque, bool level);
	void *opaque;
	pthread_mutex_t lock;
	u8 ier, fcr, lcr, mcr, lsr, msr, scr, dll, dlm;
	bool thr_interrupt;	/* THR became empty and nobody has been told */
	bool irq_level;
	u8 fifo[SERIAL_FIFO_SIZE];
	unsigned int fifo_head;
	unsigned int fifo_used;
};

/** serial_init() - the caller has filled in what stands above @lock */
void serial_init(struct serial *s);

/** serial_reset() - registers as firmware leaves them, FIFO empty, line low */
void serial_reset(struct serial *s);

/** serial_read() - guest access to register @reg, 0 to 7; any thread */
u8 serial_read(struct serial *s, unsigned int reg);

/** serial_write() - likewise; may wait for the back end */
void serial_write(struct serial *s, unsigned int reg, u8 value);

/** serial_room() - how many bytes serial_receive() takes now; 0 while the guest holds RTS low */
size_t serial_room(struct serial *s);
/**
 * serial_receive() - input for the guest; what exceeds serial_room() sets the overrun bit and is
 *	lost
 * @s: the UART
 * @data: the bytes, little endian
 * @len: bytes
 */
void serial_receive(struct serial *s, const u8 *data, size_t len);

/** serials_create() - add the machine's serial ports; 0, or -1 after a report */
int serials_create(struct machine *m);

#endif
