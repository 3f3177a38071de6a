// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the VMM's 16550A: what Linux's driver probes for and relies on, interrupts,
 * loopback, flow control, and random accesses.
 */
#include "chardev.h"
#include "dev/serial.h"
#include "machine.h"
#include "tap.h"

enum { DATA, IER, IIR, LCR, MCR, LSR, MSR, SCR };
#define FCR IIR

static struct serial uart;
static u8 sent[64];
static unsigned int nr_sent, nr_drained;
static bool irq;

/* What serial.c needs of the machine; only the chip is under test. */
void chardev_write(struct chardev *chr, u8 byte)
{
	(void)chr;
	(void)byte;
}

void chardev_attach(struct chardev *chr, const struct chardev_frontend *frontend, void *opaque)
{
	(void)chr;
	(void)frontend;
	(void)opaque;
}

bool chardev_has_input(struct chardev *chr)
{
	return !chr;
}

void chardev_kick(struct chardev *chr)
{
	(void)chr;
}

int machine_add_device(struct machine *m, const struct device_ops *ops, void *opaque)
{
	(void)m;
	(void)ops;
	(void)opaque;
	return -1;
}

void vm_irq_line(struct vm *vm, unsigned int gsi, bool level)
{
	(void)vm;
	(void)gsi;
	(void)level;
}

int report(const char *fmt, ...)
{
	(void)fmt;
	return -1;
}

static void on_out(void *opaque, u8 byte)
{
	(void)opaque;
	sent[nr_sent++ % sizeof(sent)] = byte;
}

static void on_drained(void *opaque)
{
	(void)opaque;
	nr_drained++;
}

static void on_irq(void *opaque, bool level)
{
	(void)opaque;
	irq = level;
}

static void fresh(void)
{
	serial_reset(&uart);
	nr_sent = 0;
	nr_drained = 0;
	irq = false;
}

static void write_reg(unsigned int reg, unsigned int value)
{
	serial_write(&uart, reg, (u8)value);
}

static u8 read_reg(unsigned int reg)
{
	return serial_read(&uart, reg);
}

static void receive(const char *text)
{
	serial_receive(&uart, (const u8 *)text, strlen(text));
}

/* The steps of Linux's 8250 driver that decide what the chip is. */
static void test_probe(void)
{
	fresh();
	write_reg(IER, 0x0f);
	tap_eq(read_reg(IER), 0x0f, "four interrupt enable bits");
	write_reg(IER, 0xff);
	tap_eq(read_reg(IER), 0x0f, "and no more");
	write_reg(IER, 0);
	write_reg(SCR, 0x5a);
	tap_eq(read_reg(SCR), 0x5a, "the scratch register keeps its value");
	write_reg(MCR, 0x1a);
	tap_eq(read_reg(MSR) & 0xf0, 0x90, "loopback: RTS and OUT2 return as CTS and DCD");
	write_reg(MCR, 0);
	write_reg(FCR, 1);
	tap_eq(read_reg(IIR) & 0xc0, 0xc0, "FIFOs are there when enabled");
	write_reg(FCR, 0);
	tap_eq(read_reg(IIR) & 0xc0, 0, "and not when disabled");
	write_reg(LCR, 0x83);
	write_reg(DATA, 1);
	write_reg(IER, 2);
	tap_ok(read_reg(DATA) == 1 && read_reg(IER) == 2, "the divisor latch is behind DLAB");
	write_reg(LCR, 3);
	tap_eq(read_reg(IER), 0, "and the interrupt enables are not touched by it");
}

static void test_transmit(void)
{
	fresh();
	tap_eq(read_reg(LSR), 0x60, "the transmitter is empty");
	write_reg(DATA, 'A');
	tap_ok(nr_sent == 1 && sent[0] == 'A' && read_reg(LSR) == 0x60, "a byte goes out at once");
	write_reg(MCR, 8);
	write_reg(IER, 2);
	tap_ok(irq && (read_reg(IIR) & 0xf) == 2, "enabling its interrupt raises it");
	tap_ok(!irq && (read_reg(IIR) & 0xf) == 1, "reading the cause clears it");
	write_reg(DATA, 'B');
	tap_ok(irq, "the next byte raises it again");
	write_reg(MCR, 0);
	tap_ok(!irq, "OUT2 gates the line");
}

static void test_receive(void)
{
	u8 buf[5] = "";
	unsigned int i;

	fresh();
	tap_eq(serial_room(&uart), 0, "no input while RTS is low");
	write_reg(MCR, 0x0b);
	tap_ok(serial_room(&uart) == 1 && nr_drained == 1, "one byte without FIFO once it is high");
	write_reg(FCR, 0x81);
	tap_eq(serial_room(&uart), 16, "sixteen with it");
	write_reg(IER, 1);
	receive("x");
	tap_ok(irq && (read_reg(IIR) & 0xf) == 0xc, "below the trigger level: character timeout");
	receive("1234567");
	tap_ok((read_reg(IIR) & 0xf) == 4 && (read_reg(LSR) & 1), "at the level: data available");
	for (i = 0; i < 4; i++)
		buf[i] = read_reg(DATA);
	tap_ok(!strcmp((char *)buf, "x123"), "bytes come out in order");
	receive("abcdefghijklmnop");
	tap_ok(read_reg(LSR) & 2, "too many set the overrun bit");
	tap_ok(!(read_reg(LSR) & 2), "which reading clears");
	nr_drained = 0;
	for (i = 0; i < 16; i++)
		read_reg(DATA);
	tap_ok(!irq && !(read_reg(LSR) & 1) && nr_drained == 1, "when empty, more is asked for");
	tap_eq(read_reg(DATA), 0, "an empty receiver reads as 0");
	receive("zz");
	write_reg(FCR, 0x83);
	tap_ok(!(read_reg(LSR) & 1) && !irq, "clearing the FIFO drops input and interrupt");
}

static void test_loopback(void)
{
	fresh();
	write_reg(FCR, 1);
	write_reg(MCR, 0x1f);
	write_reg(DATA, 'L');
	tap_ok(!nr_sent && read_reg(DATA) == 'L', "in loopback a byte comes back, none goes out");
	tap_eq(serial_room(&uart), 0, "and the line is cut");
	tap_eq(read_reg(MSR) & 0xf0, 0xf0, "all modem lines follow the outputs");
	write_reg(MCR, 0x10);
	tap_ok(read_reg(MSR) == 0x0f, "their change, and RI's trailing edge, is reported");
	tap_ok(read_reg(MSR) == 0x00, "once");
	write_reg(MCR, 0);
	tap_eq(read_reg(MSR) & 0xf0, 0xb0, "outside, the peer is connected and ready");
	write_reg(MCR, 8);
	write_reg(IER, 8);
	write_reg(MCR, 0x18);
	write_reg(MCR, 8);
	tap_ok(irq && !(read_reg(IIR) & 0xf), "a modem line change interrupts");
	read_reg(MSR);
	tap_ok(!irq, "until the status is read");
}

static void test_random(void)
{
	unsigned int i, wrong = 0;

	fresh();
	srandom(1);
	for (i = 0; i < 500000; i++) {
		unsigned int r = (unsigned int)random();

		if (r & 0x100)
			write_reg(r & 7, r >> 16);
		else if (r & 0x200)
			read_reg(r & 7);
		else if (r & 0x400)
			serial_receive(&uart, (const u8 *)"0123456789abcdef0123", (r >> 16) % 20);
		wrong += uart.fifo_used > SERIAL_FIFO_SIZE || uart.fifo_head >= SERIAL_FIFO_SIZE ||
			 !uart.fifo_used != !(uart.lsr & 1) || irq != uart.irq_level;
	}
	tap_ok(!wrong, "random accesses keep the chip consistent");
}

int main(void)
{
	uart.out = on_out;
	uart.drained = on_drained;
	uart.set_irq = on_irq;
	serial_init(&uart);
	tap_plan(0);
	test_probe();
	test_transmit();
	test_receive();
	test_loopback();
	test_random();
	return tap_done();
}
