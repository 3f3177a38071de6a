// SPDX-License-Identifier: GPL-2.0
/*
 * The 8259A pair's state machine: initialization, priorities, end of interrupt
 * in all its forms, cascade, spurious interrupts, poll mode, edge and level.
 */
#include <linux/types.h>

#include "pic_chip.h"
#include "tap.h"

#define EVEN	0
#define ODD	1

static struct pic_pair p;

/* What every PC does: bases 0x30 and 0x38, slave on line 2, everything unmasked. */
static void start(u8 icw4)
{
	memset(&p, 0, sizeof(p));
	pic_pair_init(&p);
	pic_pair_write(&p, PIC_MASTER, EVEN, 0x11);
	pic_pair_write(&p, PIC_MASTER, ODD, 0x30);
	pic_pair_write(&p, PIC_MASTER, ODD, 0x04);
	pic_pair_write(&p, PIC_MASTER, ODD, icw4);
	pic_pair_write(&p, PIC_SLAVE, EVEN, 0x11);
	pic_pair_write(&p, PIC_SLAVE, ODD, 0x38);
	pic_pair_write(&p, PIC_SLAVE, ODD, 0x02);
	pic_pair_write(&p, PIC_SLAVE, ODD, icw4);
}

static int pulse(int line)
{
	int noted = pic_pair_set_line(&p, line, true);

	pic_pair_set_line(&p, line, false);
	return noted;
}

static void eoi(int chip)
{
	pic_pair_write(&p, chip, EVEN, 0x20);
}

static u8 isr(int chip)
{
	pic_pair_write(&p, chip, EVEN, 0x0b);
	return pic_pair_read(&p, chip, EVEN);
}

static u8 irr(int chip)
{
	pic_pair_write(&p, chip, EVEN, 0x0a);
	return pic_pair_read(&p, chip, EVEN);
}

static void test_init(void)
{
	start(0x01);
	tap_ok(!p.output, "nothing is requested after initialization");
	tap_eq(pic_pair_read(&p, PIC_MASTER, ODD), 0, "ICW1 clears the mask register");
	pic_pair_write(&p, PIC_MASTER, ODD, 0xa5);
	tap_eq(pic_pair_read(&p, PIC_MASTER, ODD), 0xa5, "after ICW4 the odd port is the mask");

	memset(&p, 0, sizeof(p));
	pic_pair_init(&p);
	pic_pair_write(&p, PIC_MASTER, EVEN, 0x10);
	pic_pair_write(&p, PIC_MASTER, ODD, 0x47);
	pic_pair_write(&p, PIC_MASTER, ODD, 0x04);
	pic_pair_write(&p, PIC_MASTER, ODD, 0xfe);
	tap_eq(pic_pair_read(&p, PIC_MASTER, ODD), 0xfe, "without IC4 no ICW4 is expected");
	tap_eq(p.chip[PIC_MASTER].irq_base, 0x40, "the base has its low three bits clear");

	start(0x01);
	pulse(3);
	pic_pair_inta(&p);
	pulse(4);
	p.acked[PIC_MASTER] = 0;
	pic_pair_write(&p, PIC_MASTER, EVEN, 0x11);
	tap_eq(p.acked[PIC_MASTER], 0x18, "ICW1 ends what was in service or requested");
	tap_ok(!p.output && !isr(PIC_MASTER) && !irr(PIC_MASTER), "and forgets it");
}

static void test_priority(void)
{
	start(0x01);
	tap_eq(pulse(4), 1, "an edge is noted");
	tap_eq(pulse(4), 0, "a second one before the INTA is coalesced");
	tap_ok(p.output, "INT is high");
	pulse(1);
	tap_eq(pic_pair_inta(&p), 0x31, "line 1 goes before line 4");
	tap_ok(!p.output, "line 4 waits while line 1 is in service");
	pulse(0);
	tap_ok(p.output, "line 0 does not wait");
	tap_eq(pic_pair_inta(&p), 0x30, "and nests");
	tap_eq(isr(PIC_MASTER), 0x03, "two lines are in service");
	eoi(PIC_MASTER);
	tap_eq(isr(PIC_MASTER), 0x02, "the EOI ends the most urgent");
	eoi(PIC_MASTER);
	tap_eq(pic_pair_inta(&p), 0x34, "then line 4 is served");
	tap_eq(p.acked[PIC_MASTER], 0x03, "both ends were reported");

	start(0x01);
	pic_pair_write(&p, PIC_MASTER, ODD, 0x10);
	tap_eq(pulse(4), -1, "a masked line says so");
	tap_ok(!p.output, "and does not interrupt");
	pic_pair_write(&p, PIC_MASTER, ODD, 0);
	tap_ok(p.output, "but is remembered until unmasked");
}

static void test_eoi(void)
{
	start(0x01);
	pulse(5);
	pic_pair_inta(&p);
	pulse(3);
	pic_pair_inta(&p);
	pic_pair_write(&p, PIC_MASTER, EVEN, 0x65);
	tap_eq(isr(PIC_MASTER), 0x08, "a specific EOI ends the line it names");

	start(0x01);
	pulse(3);
	pic_pair_inta(&p);
	pic_pair_write(&p, PIC_MASTER, EVEN, 0xa0);
	pulse(3);
	pulse(4);
	tap_eq(pic_pair_inta(&p), 0x34, "after a rotating EOI of line 3, line 4 comes first");

	start(0x01);
	pic_pair_write(&p, PIC_MASTER, EVEN, 0xc5);
	pulse(5);
	pulse(6);
	tap_eq(pic_pair_inta(&p), 0x36, "set priority: line 5 is the last");

	start(0x03);
	pulse(3);
	tap_eq(pic_pair_inta(&p), 0x33, "automatic EOI: the vector");
	tap_eq(isr(PIC_MASTER), 0, "nothing stays in service");
	tap_eq(p.acked[PIC_MASTER], 0x08, "and the end is reported");

	start(0x01);
	pulse(3);
	pic_pair_inta(&p);
	pic_pair_write(&p, PIC_MASTER, ODD, 0x08);
	pic_pair_write(&p, PIC_MASTER, EVEN, 0x68);
	pulse(6);
	tap_ok(p.output, "special mask mode: a masked line in service holds nobody up");
	tap_eq(pic_pair_inta(&p), 0x36, "line 6 is served");
	eoi(PIC_MASTER);
	tap_eq(isr(PIC_MASTER), 0x08, "and an EOI does not end the masked one");
}

static void test_cascade(void)
{
	start(0x01);
	pulse(12);
	tap_eq(irr(PIC_MASTER), 0x04, "the slave requests on line 2");
	tap_eq(pic_pair_inta(&p), 0x3c, "INTA yields the slave's vector");
	tap_eq(isr(PIC_MASTER), 0x04, "line 2 is in service on the master");
	tap_eq(isr(PIC_SLAVE), 0x10, "line 4 on the slave");
	pulse(8);
	tap_ok(!p.output, "a more urgent slave line waits for the master");
	eoi(PIC_SLAVE);
	eoi(PIC_MASTER);
	tap_eq(pic_pair_inta(&p), 0x38, "and comes after its EOI");

	start(0x11);
	pulse(12);
	pic_pair_inta(&p);
	pulse(8);
	tap_ok(p.output, "special fully nested mode lets it through");
	tap_eq(pic_pair_inta(&p), 0x38, "at once");
}

static void test_spurious(void)
{
	start(0x01);
	tap_eq(pic_pair_inta(&p), 0x37, "INTA without a request: line 7 of the master");
	tap_eq(isr(PIC_MASTER), 0, "nothing is in service");

	pic_pair_write_elcr(&p, PIC_SLAVE, 0xff);
	tap_eq(p.chip[PIC_SLAVE].elcr, 0xde, "RTC and FPU lines stay edge triggered");
	pic_pair_set_line(&p, 11, true);
	tap_ok(p.output, "a level requests");
	pic_pair_set_line(&p, 11, false);
	tap_ok(!p.output, "and takes the request back when it goes away");
}

static void test_level(void)
{
	int rounds;

	start(0x01);
	pic_pair_write_elcr(&p, PIC_MASTER, 0xff);
	tap_eq(p.chip[PIC_MASTER].elcr, 0xf8, "timer, keyboard and cascade stay edge triggered");
	pic_pair_set_line(&p, 5, true);
	for (rounds = 0; rounds < 3; rounds++) {
		tap_eq(pic_pair_inta(&p), 0x35, "a level interrupts");
		tap_ok(!p.output, "not again before the EOI");
		eoi(PIC_MASTER);
		tap_ok(p.output, "but after it, while it is high");
	}
	pic_pair_set_line(&p, 5, false);
	tap_ok(!p.output, "until it is low");

	start(0x01);
	pic_pair_set_line(&p, 5, true);
	pic_pair_inta(&p);
	eoi(PIC_MASTER);
	tap_ok(!p.output, "a high edge line interrupts once");
	pic_pair_write_elcr(&p, PIC_MASTER, 0x20);
	tap_ok(p.output, "and again when it becomes level triggered");
}

static void test_poll(void)
{
	start(0x01);
	pic_pair_write(&p, PIC_MASTER, EVEN, 0x0c);
	tap_eq(pic_pair_read(&p, PIC_MASTER, EVEN), 0, "poll: nothing is requested");
	pulse(6);
	pic_pair_write(&p, PIC_MASTER, EVEN, 0x0c);
	tap_eq(pic_pair_read(&p, PIC_MASTER, EVEN), 0x86, "poll: line 6");
	tap_eq(isr(PIC_MASTER), 0x40, "which is then in service");
	tap_eq(pic_pair_read(&p, PIC_MASTER, ODD), 0, "the next read is an ordinary one");
}

/* Any bytes in any order: the state stays one that the rest can work with. */
static void test_hostile(void)
{
	u32 seed = 12345;
	bool sane = true;
	int i;

	start(0x01);
	for (i = 0; i < 200000; i++) {
		u32 r = seed = seed * 1664525 + 1013904223;

		switch ((r >> 28) & 7) {
		case 0:
		case 1:
			pic_pair_write(&p, (r >> 8) & 1, (r >> 9) & 1, r >> 16);
			break;
		case 2:
			pic_pair_read(&p, (r >> 8) & 1, (r >> 9) & 1);
			break;
		case 3:
			pic_pair_write_elcr(&p, (r >> 8) & 1, r >> 16);
			break;
		case 4:
			pic_pair_inta(&p);
			break;
		default:
			pic_pair_set_line(&p, (r >> 8) & 15, (r >> 12) & 1);
		}
		sane = sane && p.chip[0].priority_add < 8 && p.chip[1].priority_add < 8 &&
		       p.chip[0].init_state < 4 && p.chip[1].init_state < 4 &&
		       !(p.chip[0].elcr & 7) && !(p.chip[1].elcr & 0x21);
	}
	tap_ok(sane, "random accesses leave a sane state");
}

int main(void)
{
	test_init();
	test_priority();
	test_eoi();
	test_cascade();
	test_spurious();
	test_level();
	test_poll();
	test_hostile();
	return tap_done();
}
