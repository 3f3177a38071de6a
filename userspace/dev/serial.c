// SPDX-License-Identifier: GPL-2.0
/*
 * A 16550A UART: registers, FIFOs, interrupts, loopback. Characters travel in no time, so the
 * transmitter is always empty and a character timeout is due as soon as the receiver holds less
 * than its trigger level.
 *
 * The other end of the line honours RTS: while the guest holds it low, input waits. A driver that
 * is still probing or resetting the chip thus loses nothing.
 *
 * Source: Texas Instruments PC16550D data sheet (SNLS378C), "Registers".
 */
#include <stdlib.h>

#include "chardev.h"
#include "dev/serial.h"
#include "machine.h"
#include "report.h"
#include "types.h"

enum { REG_DATA, REG_IER, REG_IIR_FCR, REG_LCR, REG_MCR, REG_LSR, REG_MSR, REG_SCR };

#define IER_RX			BIT(0)
#define IER_THR			BIT(1)
#define IER_LINE		BIT(2)
#define IER_MODEM		BIT(3)
#define IER_MASK		0x0f

#define IIR_NONE		0x01
#define IIR_MODEM		0x00
#define IIR_THR			0x02
#define IIR_RX			0x04
#define IIR_TIMEOUT		0x0c
#define IIR_LINE		0x06
#define IIR_FIFO_ENABLED	0xc0

#define FCR_ENABLE		BIT(0)
#define FCR_CLEAR_RX		BIT(1)
#define FCR_CLEAR_TX		BIT(2)
#define FCR_KEPT		0xc9	/* enable, DMA mode, trigger level */

#define LCR_DLAB		BIT(7)

#define MCR_RTS			BIT(1)
#define MCR_OUT2		BIT(3)	/* gates the interrupt line, on a PC */
#define MCR_LOOP		BIT(4)
#define MCR_MASK		0x1f

#define LSR_DATA		BIT(0)
#define LSR_OVERRUN		BIT(1)
#define LSR_ERRORS		0x1e
#define LSR_THR_EMPTY		BIT(5)
#define LSR_TX_EMPTY		BIT(6)

#define MSR_DELTAS		0x0f
#define MSR_TRAILING_RI		BIT(2)
#define MSR_CTS			BIT(4)
#define MSR_DSR			BIT(5)
#define MSR_RI			BIT(6)
#define MSR_DCD			BIT(7)

static unsigned int fifo_size(const struct serial *s)
{
	return s->fcr & FCR_ENABLE ? SERIAL_FIFO_SIZE : 1;
}

static unsigned int trigger_level(const struct serial *s)
{
	static const u8 levels[4] = { 1, 4, 8, 14 };

	return s->fcr & FCR_ENABLE ? levels[s->fcr >> 6] : 1;
}

/* The interrupt of highest priority that is pending and enabled. */
static u8 pending(const struct serial *s)
{
	if ((s->ier & IER_LINE) && (s->lsr & LSR_ERRORS))
		return IIR_LINE;
	if ((s->ier & IER_RX) && s->fifo_used)
		return s->fifo_used >= trigger_level(s) ? IIR_RX : IIR_TIMEOUT;
	if ((s->ier & IER_THR) && s->thr_interrupt)
		return IIR_THR;
	if ((s->ier & IER_MODEM) && (s->msr & MSR_DELTAS))
		return IIR_MODEM;
	return IIR_NONE;
}

static void update_irq(struct serial *s)
{
	bool gate = (s->mcr & MCR_OUT2) && !(s->mcr & MCR_LOOP);
	bool level = gate && pending(s) != IIR_NONE;

	if (level == s->irq_level)
		return;
	s->irq_level = level;
	s->set_irq(s->opaque, level);
}

/* Modem inputs: a connected, ready peer; in loopback mode the chip's own outputs. */
static void update_modem(struct serial *s)
{
	u8 lines = MSR_DCD | MSR_DSR | MSR_CTS, changed;

	if (s->mcr & MCR_LOOP)
		lines = (u8)((s->mcr & 0x0c) << 4 | (s->mcr & 0x02) << 3 | (s->mcr & 0x01) << 5);
	changed = (u8)((s->msr ^ lines) & 0xf0);
	/* RI reports its trailing edge only. */
	if (lines & MSR_RI)
		changed &= (u8)~MSR_RI;
	s->msr = (u8)(lines | (s->msr & MSR_DELTAS) | changed >> 4);
}

static void fifo_clear(struct serial *s)
{
	s->fifo_head = 0;
	s->fifo_used = 0;
	s->lsr &= (u8)~LSR_DATA;
}

static void fifo_push(struct serial *s, u8 byte)
{
	if (s->fifo_used >= fifo_size(s)) {
		s->lsr |= LSR_OVERRUN;
		return;
	}
	s->fifo[(s->fifo_head + s->fifo_used) % SERIAL_FIFO_SIZE] = byte;
	s->fifo_used++;
	s->lsr |= LSR_DATA;
}

static u8 fifo_pop(struct serial *s)
{
	u8 byte = s->fifo[s->fifo_head];

	if (!s->fifo_used)
		return 0;
	s->fifo_head = (s->fifo_head + 1) % SERIAL_FIFO_SIZE;
	s->fifo_used--;
	if (!s->fifo_used)
		s->lsr &= (u8)~LSR_DATA;
	return byte;
}

static bool input_allowed(const struct serial *s)
{
	return (s->mcr & MCR_RTS) && !(s->mcr & MCR_LOOP);
}

u8 serial_read(struct serial *s, unsigned int reg)
{
	bool drained = false;
	u8 value = 0;

	pthread_mutex_lock(&s->lock);
	switch (reg) {
	case REG_DATA:
		if (s->lcr & LCR_DLAB) {
			value = s->dll;
		} else {
			value = fifo_pop(s);
			drained = !s->fifo_used;
		}
		break;
	case REG_IER:
		value = s->lcr & LCR_DLAB ? s->dlm : s->ier;
		break;
	case REG_IIR_FCR:
		value = pending(s);
		if (value == IIR_THR)
			s->thr_interrupt = false;
		if (s->fcr & FCR_ENABLE)
			value |= IIR_FIFO_ENABLED;
		break;
	case REG_LCR:
		value = s->lcr;
		break;
	case REG_MCR:
		value = s->mcr;
		break;
	case REG_LSR:
		value = s->lsr;
		s->lsr &= (u8)~LSR_ERRORS;
		break;
	case REG_MSR:
		value = s->msr;
		s->msr &= (u8)~MSR_DELTAS;
		break;
	case REG_SCR:
		value = s->scr;
		break;
	default:
		break;
	}
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	if (drained)
		s->drained(s->opaque);
	return value;
}

static void write_fcr(struct serial *s, u8 value)
{
	if ((value ^ s->fcr) & FCR_ENABLE || value & FCR_CLEAR_RX)
		fifo_clear(s);
	if ((value ^ s->fcr) & FCR_ENABLE || value & FCR_CLEAR_TX)
		s->thr_interrupt = true;
	/* Without the enable bit the others are not programmed. */
	s->fcr = value & FCR_ENABLE ? value & FCR_KEPT : 0;
}

static void write_ier(struct serial *s, u8 value)
{
	/* Enabling the interrupt while the transmitter is empty, which it always is, raises it. */
	if ((value & IER_THR) && !(s->ier & IER_THR))
		s->thr_interrupt = true;
	s->ier = value & IER_MASK;
}

void serial_write(struct serial *s, unsigned int reg, u8 value)
{
	bool transmit = false, was_allowed, drained;

	pthread_mutex_lock(&s->lock);
	was_allowed = input_allowed(s);
	switch (reg) {
	case REG_DATA:
		if (s->lcr & LCR_DLAB) {
			s->dll = value;
			break;
		}
		s->thr_interrupt = true;
		if (s->mcr & MCR_LOOP)
			fifo_push(s, value);
		else
			transmit = true;
		break;
	case REG_IER:
		if (s->lcr & LCR_DLAB)
			s->dlm = value;
		else
			write_ier(s, value);
		break;
	case REG_IIR_FCR:
		write_fcr(s, value);
		break;
	case REG_LCR:
		s->lcr = value;
		break;
	case REG_MCR:
		s->mcr = value & MCR_MASK;
		update_modem(s);
		break;
	case REG_SCR:
		s->scr = value;
		break;
	default:
		break;
	}
	drained = input_allowed(s) && (!was_allowed || (reg == REG_IIR_FCR && !s->fifo_used));
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
	/* Without the lock: the back end may be slow. */
	if (transmit)
		s->out(s->opaque, value);
	if (drained)
		s->drained(s->opaque);
}

size_t serial_room(struct serial *s)
{
	size_t room = 0;

	pthread_mutex_lock(&s->lock);
	if (input_allowed(s) && s->fifo_used < fifo_size(s))
		room = fifo_size(s) - s->fifo_used;
	pthread_mutex_unlock(&s->lock);
	return room;
}

void serial_receive(struct serial *s, const u8 *data, size_t len)
{
	pthread_mutex_lock(&s->lock);
	while (len--)
		fifo_push(s, *data++);
	update_irq(s);
	pthread_mutex_unlock(&s->lock);
}

void serial_reset(struct serial *s)
{
	s->ier = 0;
	s->fcr = 0;
	s->lcr = 0x03;	/* 8n1 and a divisor for 9600: what firmware leaves */
	s->dll = 12;
	s->dlm = 0;
	s->mcr = 0;
	s->scr = 0;
	s->lsr = LSR_THR_EMPTY | LSR_TX_EMPTY;
	s->msr = MSR_DCD | MSR_DSR | MSR_CTS;
	s->thr_interrupt = false;
	s->irq_level = false;
	fifo_clear(s);
}

void serial_init(struct serial *s)
{
	pthread_mutex_init(&s->lock, NULL);
	serial_reset(s);
}

/* A UART on the ISA bus of a machine. */
struct isa_serial {
	struct serial chip;
	struct machine *m;
	struct chardev *chr;
	unsigned int gsi;
};

static void port_out(void *opaque, u8 byte)
{
	struct isa_serial *port = opaque;

	chardev_write(port->chr, byte);
}

static void port_drained(void *opaque)
{
	struct isa_serial *port = opaque;

	if (chardev_has_input(port->chr))
		chardev_kick(port->chr);
}

static void port_set_irq(void *opaque, bool level)
{
	struct isa_serial *port = opaque;

	vm_irq_line(&port->m->vm, port->gsi, level);
}

static u64 port_read(void *opaque, u64 offset, unsigned int size)
{
	struct isa_serial *port = opaque;

	(void)size;
	return serial_read(&port->chip, (unsigned int)offset);
}

static void port_write(void *opaque, u64 offset, unsigned int size, u64 value)
{
	struct isa_serial *port = opaque;

	(void)size;
	serial_write(&port->chip, (unsigned int)offset, (u8)value);
}

static size_t port_room(void *opaque)
{
	struct isa_serial *port = opaque;

	return serial_room(&port->chip);
}

static void port_receive(void *opaque, const u8 *data, size_t len)
{
	struct isa_serial *port = opaque;

	serial_receive(&port->chip, data, len);
}

static void port_reset(void *opaque)
{
	struct isa_serial *port = opaque;

	serial_reset(&port->chip);
}

static void port_destroy(void *opaque)
{
	free(opaque);
}

static const struct bus_ops port_bus_ops = { .read = port_read, .write = port_write };
static const struct chardev_frontend port_frontend = { .room = port_room, .receive = port_receive };
static const struct device_ops port_ops = { .reset = port_reset, .destroy = port_destroy };

int serials_create(struct machine *m)
{
	static const struct {
		u16 port;
		unsigned int gsi;
	} com[MAX_SERIALS] = { { COM1_PORT, COM1_GSI }, { COM2_PORT, COM2_GSI } };
	unsigned int i;

	for (i = 0; i < MAX_SERIALS; i++) {
		struct isa_serial *port;

		if (!m->serial[i])
			continue;
		port = calloc(1, sizeof(*port));
		if (!port)
			return report("out of memory");
		port->m = m;
		port->chr = m->serial[i];
		port->gsi = com[i].gsi;
		port->chip.out = port_out;
		port->chip.drained = port_drained;
		port->chip.set_irq = port_set_irq;
		port->chip.opaque = port;
		serial_init(&port->chip);
		if (machine_add_device(m, &port_ops, port))
			return -1;
		if (bus_attach(&m->pio, com[i].port, 8, &port_bus_ops, port))
			return report("the ports of COM%u are taken", i + 1);
		chardev_attach(port->chr, &port_frontend, port);
	}
	return 0;
}
