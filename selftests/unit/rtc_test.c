// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the VMM's clock: the time a guest reads and sets, in each format, and the
 * interrupts, which take a few seconds of real time.
 */
#include <poll.h>
#include <time.h>

#include "dev/rtc.h"
#include "machine.h"
#include "tap.h"

#define A	0x0a
#define B	0x0b
#define C	0x0c
#define D	0x0d
#define B_SET	0x80
#define PIE	0x40
#define AIE	0x20
#define UIE	0x10
#define BINARY	0x04
#define H24	0x02

static const struct config config;
static struct machine m;
static const struct device_ops *ops;
static void *chip;
static struct loop_source timer;
static bool irq;

int machine_add_device(struct machine *machine, const struct device_ops *device_ops, void *opaque)
{
	(void)machine;
	ops = device_ops;
	chip = opaque;
	return 0;
}

int loop_add(struct loop *loop, struct loop_source source)
{
	(void)loop;
	timer = source;
	return 0;
}

void vm_irq_line(struct vm *vm, unsigned int gsi, bool level)
{
	(void)vm;
	if (gsi == RTC_GSI)
		irq = level;
}

int report(const char *fmt, ...)
{
	(void)fmt;
	return -1;
}

static u8 get(u8 reg)
{
	u8 value;

	bus_write(&m.pio, RTC_PORT, &reg, 1);
	bus_read(&m.pio, RTC_PORT + 1, &value, 1);
	return value;
}

static void set(u8 reg, unsigned int value)
{
	u8 byte = (u8)value;

	bus_write(&m.pio, RTC_PORT, &reg, 1);
	bus_write(&m.pio, RTC_PORT + 1, &byte, 1);
}

/* What the clock shows, in binary format. */
static time_t shown(void)
{
	struct tm tm = {
		.tm_sec = get(0), .tm_min = get(2), .tm_hour = get(4), .tm_mday = get(7),
		.tm_mon = get(8) - 1, .tm_year = get(9) + get(0x32) * 100 - 1900,
	};

	return timegm(&tm);
}

/* Serve the timer for up to @ms, until the line is high. Return how long it took. */
static int wait_irq(int ms)
{
	struct pollfd pfd = { .fd = timer.fd, .events = POLLIN };
	struct timespec start, now;
	int passed = 0;

	clock_gettime(CLOCK_MONOTONIC, &start);
	while (!irq && passed < ms) {
		if (poll(&pfd, 1, ms - passed) > 0)
			timer.ready(timer.opaque);
		clock_gettime(CLOCK_MONOTONIC, &now);
		passed = (int)((now.tv_sec - start.tv_sec) * 1000 +
			       (now.tv_nsec - start.tv_nsec) / 1000000);
	}
	return passed;
}

static void test_time(void)
{
	time_t now = time(NULL), diff;

	tap_ok(get(D) == 0x80 && !(get(A) & 0x80), "battery good, no update in progress");
	set(B, H24 | BINARY);
	diff = shown() - now;
	tap_ok(diff >= 0 && diff <= 2, "the clock shows the host's UTC, with the century");
	set(B, B_SET | H24 | BINARY);
	set(0, 58);
	set(2, 59);
	set(4, 23);
	set(7, 31);
	set(8, 12);
	set(9, 99);
	set(0x32, 19);
	set(B, H24 | BINARY);
	diff = shown() - 946684798;	/* 1999-12-31 23:59:58 */
	tap_ok(diff >= 0 && diff <= 1, "it can be set");
	set(B, H24);
	tap_ok(get(7) == 0x31 && get(8) == 0x12 && get(9) == 0x99 && get(0x32) == 0x19, "BCD");
	set(B, BINARY);
	tap_eq(get(4), 0x80 | 11, "12-hour format, 11 p.m.");
	set(B, H24 | BINARY);
	set(4, 0);
	tap_eq(get(4), 0, "a field can be written while the clock runs");
	set(B, BINARY);
	tap_eq(get(4), 12, "12-hour format, 12 a.m.");
	set(B, B_SET);
	set(9, 0xff);
	set(0x32, 0xff);
	set(8, 0xff);
	set(B, 0);
	tap_ok(get(8) <= 0x12, "nonsense is normalised");
	set(0x40, 0x5a);
	tap_eq(get(0x40), 0x5a, "other registers are memory");
	tap_eq(get(0xc0), 0x5a, "bit 7 of the index is not part of it");
}

static void test_interrupts(void)
{
	int ms;

	ops->reset(chip);
	get(C);
	wait_irq(20);
	tap_ok(!irq, "no interrupt while none is enabled");
	set(B, H24 | BINARY | UIE);
	wait_irq(5000);
	tap_ok(irq, "an update interrupt comes");
	tap_eq(get(C) & 0x90, 0x90, "register C says so");
	tap_ok(!irq && !get(C), "and reading it clears both");
	ms = wait_irq(5000);
	tap_ok(irq && ms >= 20, "the next one comes at the next second, not at once");
	set(B, H24 | BINARY);
	get(C);

	set(1, (get(0) + 2u) % 60);
	set(3, 0xff);
	set(5, 0xff);
	set(B, H24 | BINARY | AIE);
	ms = wait_irq(10000);
	tap_ok(irq && ms >= 500 && (get(0) + 60u - get(1)) % 60 < 5, "the alarm comes when due");
	tap_eq(get(C) & 0xa0, 0xa0, "register C says so");
	set(1, (get(0) + 30u) % 60);
	wait_irq(1300);
	tap_ok(!irq, "and not at another");

	set(A, 0x2a);	/* 64 Hz */
	set(B, H24 | BINARY | PIE);
	wait_irq(5000);
	tap_ok(irq && (get(C) & 0xc0) == 0xc0, "a periodic interrupt");
	set(A, 0x20);
	get(C);
	wait_irq(50);
	tap_ok(!irq, "rate 0 means none");
	set(A, 0x26);
	wait_irq(5000);
	tap_ok(irq, "a new rate takes effect");
	ops->reset(chip);
	irq = false;
	wait_irq(50);
	tap_ok(!irq && !(get(B) & (PIE | AIE | UIE)) && get(0x40) == 0x5a,
	       "a reset turns interrupts off and keeps the memory");
}

static void test_random(void)
{
	unsigned int i;

	srandom(1);
	for (i = 0; i < 100000; i++) {
		unsigned int r = (unsigned int)random();

		if (r & 0x100)
			set(r & 0x7f, r >> 16);
		else
			get(r & 0x7f);
		if (!(r & 0xf000))
			timer.ready(timer.opaque);
	}
	ops->reset(chip);
	tap_ok(get(D) == 0x80, "random accesses break nothing");
}

int main(void)
{
	tap_plan(0);
	bus_init(&m.pio);
	m.cfg = &config;
	if (rtc_create(&m))
		tap_bail("the clock cannot be created");
	test_time();
	test_interrupts();
	test_random();
	ops->destroy(chip);
	return tap_done();
}
