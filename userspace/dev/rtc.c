// SPDX-License-Identifier: GPL-2.0
/*
 * MC146818 clock and CMOS memory: the host's UTC, plus whatever offset the guest gives it by
 * setting the clock, with its periodic, alarm and update interrupts.
 *
 * A timer runs only while the guest has one of the interrupts enabled; the main thread serves it.
 *
 * Source: Motorola MC146818 data sheet (ADI856R2), "Address Map", "Time, Calendar, and Alarm
 * Locations", "Interrupts".
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

#include "dev/rtc.h"
#include "machine.h"
#include "report.h"
#include "types.h"

#define CMOS_SIZE	128
#define NSEC_PER_SEC	1000000000L

enum {
	RTC_SECONDS = 0x00,
	RTC_SECONDS_ALARM = 0x01,
	RTC_MINUTES = 0x02,
	RTC_MINUTES_ALARM = 0x03,
	RTC_HOURS = 0x04,
	RTC_HOURS_ALARM = 0x05,
	RTC_WEEKDAY = 0x06,
	RTC_DAY = 0x07,
	RTC_MONTH = 0x08,
	RTC_YEAR = 0x09,
	RTC_A = 0x0a,
	RTC_B = 0x0b,
	RTC_C = 0x0c,
	RTC_D = 0x0d,
	RTC_CENTURY = 0x32,
};

#define A_RATE		0x0f
#define A_DEFAULT	0x26	/* 32768 Hz time base, 1024 Hz rate; never updating */
#define B_SET		BIT(7)	/* the guest is setting the clock */
#define B_BINARY	BIT(2)
#define B_24H		BIT(1)
#define B_WRITABLE	(B_SET | INTERRUPTS | B_BINARY | B_24H | BIT(0))
#define C_IRQ		BIT(7)
#define D_VALID		BIT(7)

/* The same bits enable an interrupt in register B and report it in register C. */
#define PERIODIC	BIT(6)
#define ALARM		BIT(5)
#define UPDATE		BIT(4)
#define INTERRUPTS	(PERIODIC | ALARM | UPDATE)

#define HOUR_PM		BIT(7)
#define ALARM_ANY	0xc0	/* an alarm field from here on matches always */

/**
 * struct rtc - the chip
 * @lock: everything below
 * @index: register selected by the index port
 * @cmos: registers; the time fields are valid only right after latch(), or while B_SET
 * @offset: guest clock minus host clock, seconds
 * @last: host second up to which updates have been reported
 * @timer_fd: expires when an enabled interrupt is due
 */
struct rtc {
	struct machine *m;
	pthread_mutex_t lock;
	u8 index;
	u8 cmos[CMOS_SIZE];
	s64 offset;
	time_t last;
	int timer_fd;
};

/* Not time(): that may lag behind the timer by a tick. */
static time_t host_second(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec;
}

static u8 encode(const struct rtc *rtc, int value)
{
	return (u8)(rtc->cmos[RTC_B] & B_BINARY ? value : value / 10 << 4 | value % 10);
}

static int decode(const struct rtc *rtc, u8 value)
{
	return rtc->cmos[RTC_B] & B_BINARY ? value : (value >> 4) * 10 + (value & 0xf);
}

static bool is_time_field(unsigned int reg)
{
	switch (reg) {
	case RTC_SECONDS:
	case RTC_MINUTES:
	case RTC_HOURS:
	case RTC_WEEKDAY:
	case RTC_DAY:
	case RTC_MONTH:
	case RTC_YEAR:
	case RTC_CENTURY:
		return true;
	default:
		return false;
	}
}

/* Clock to registers, at a second of the host's clock. */
static void latch(struct rtc *rtc, time_t second)
{
	time_t now = second + (time_t)rtc->offset;
	u8 *r = rtc->cmos;
	struct tm tm;
	int year;

	if (!gmtime_r(&now, &tm))
		return;
	/* Years the registers cannot hold come from a guest that set nonsense. */
	year = tm.tm_year + 1900 < 0 ? 0 : (tm.tm_year + 1900) % 10000;
	r[RTC_SECONDS] = encode(rtc, tm.tm_sec);
	r[RTC_MINUTES] = encode(rtc, tm.tm_min);
	if (r[RTC_B] & B_24H) {
		r[RTC_HOURS] = encode(rtc, tm.tm_hour);
	} else {
		r[RTC_HOURS] = encode(rtc, (tm.tm_hour + 11) % 12 + 1);
		if (tm.tm_hour >= 12)
			r[RTC_HOURS] |= HOUR_PM;
	}
	r[RTC_WEEKDAY] = encode(rtc, tm.tm_wday + 1);
	r[RTC_DAY] = encode(rtc, tm.tm_mday);
	r[RTC_MONTH] = encode(rtc, tm.tm_mon + 1);
	r[RTC_YEAR] = encode(rtc, year % 100);
	r[RTC_CENTURY] = encode(rtc, year / 100);
}

/* Registers to clock: the guest has set it. */
static void unlatch(struct rtc *rtc)
{
	const u8 *r = rtc->cmos;
	int hour = decode(rtc, r[RTC_HOURS] & (r[RTC_B] & B_24H ? 0xff : 0x7f));
	struct tm tm = {
		.tm_sec = decode(rtc, r[RTC_SECONDS]),
		.tm_min = decode(rtc, r[RTC_MINUTES]),
		.tm_mday = decode(rtc, r[RTC_DAY]),
		.tm_mon = decode(rtc, r[RTC_MONTH]) - 1,
		.tm_year = decode(rtc, r[RTC_YEAR]) + decode(rtc, r[RTC_CENTURY]) * 100 - 1900,
	};

	if (!(r[RTC_B] & B_24H))
		hour = hour % 12 + (r[RTC_HOURS] & HOUR_PM ? 12 : 0);
	tm.tm_hour = hour;
	/* Every field is a byte, so timegm() cannot overflow. */
	rtc->offset = (s64)timegm(&tm) - (s64)host_second();
}

/* Record events; interrupt if one of them is enabled. Called with the lock held. */
static void set_flags(struct rtc *rtc, u8 flags)
{
	rtc->cmos[RTC_C] |= flags;
	if (!(rtc->cmos[RTC_C] & rtc->cmos[RTC_B] & INTERRUPTS) || (rtc->cmos[RTC_C] & C_IRQ))
		return;
	rtc->cmos[RTC_C] |= C_IRQ;
	vm_irq_line(&rtc->m->vm, RTC_GSI, true);
}

static u8 clear_flags(struct rtc *rtc)
{
	u8 flags = rtc->cmos[RTC_C];

	rtc->cmos[RTC_C] = 0;
	if (flags & C_IRQ)
		vm_irq_line(&rtc->m->vm, RTC_GSI, false);
	return flags;
}

/* Period of the periodic interrupt in nanoseconds, 0 if the rate is 0. */
static long period(const struct rtc *rtc)
{
	unsigned int rate = rtc->cmos[RTC_A] & A_RATE;

	/* With a 32768 Hz time base, rates 1 and 2 are those of 8 and 9. */
	if (rate == 1 || rate == 2)
		rate += 7;
	return rate ? NSEC_PER_SEC / (32768 >> (rate - 1)) : 0;
}

/* Have the timer expire for the interrupts that are enabled. Called with the lock held. */
static void arm(struct rtc *rtc)
{
	u8 enabled = rtc->cmos[RTC_B] & INTERRUPTS;
	struct itimerspec spec = { 0 };
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	rtc->last = now.tv_sec;
	if ((enabled & PERIODIC) && period(rtc)) {
		spec.it_interval.tv_nsec = period(rtc);
		spec.it_value = spec.it_interval;
	} else if (enabled) {
		/* One second from the next full one on: that is when the chip updates. */
		spec.it_interval.tv_sec = 1;
		spec.it_value.tv_nsec = NSEC_PER_SEC - now.tv_nsec;
		if (spec.it_value.tv_nsec == NSEC_PER_SEC) {
			spec.it_value.tv_sec = 1;
			spec.it_value.tv_nsec = 0;
		}
	}
	/* Fails only for times that are out of range. */
	(void)timerfd_settime(rtc->timer_fd, 0, &spec, NULL);
}

static bool alarm_matches(const struct rtc *rtc)
{
	static const u8 fields[][2] = {
		{ RTC_SECONDS, RTC_SECONDS_ALARM },
		{ RTC_MINUTES, RTC_MINUTES_ALARM },
		{ RTC_HOURS, RTC_HOURS_ALARM },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		u8 alarm = rtc->cmos[fields[i][1]];

		if (alarm < ALARM_ANY && alarm != rtc->cmos[fields[i][0]])
			return false;
	}
	return true;
}

/* Report the updates since the last call: usually none or one. Called with the lock held. */
static void update(struct rtc *rtc)
{
	time_t now = host_second();

	/* The host's clock was set, or we were stopped: alarms in between are lost. */
	if (now < rtc->last || now - rtc->last > 60)
		rtc->last = now - 1;
	while (rtc->last < now) {
		rtc->last++;
		latch(rtc, rtc->last);
		set_flags(rtc, alarm_matches(rtc) ? UPDATE | ALARM : UPDATE);
	}
}

static void timer_ready(void *opaque)
{
	struct rtc *rtc = opaque;
	u64 expirations;

	pthread_mutex_lock(&rtc->lock);
	if (read(rtc->timer_fd, &expirations, sizeof(expirations)) == sizeof(expirations)) {
		if (rtc->cmos[RTC_B] & PERIODIC)
			set_flags(rtc, PERIODIC);
		if (!(rtc->cmos[RTC_B] & B_SET))
			update(rtc);
	}
	pthread_mutex_unlock(&rtc->lock);
}

static u64 rtc_read(void *opaque, u64 offset, unsigned int size)
{
	struct rtc *rtc = opaque;
	u8 value;

	(void)size;
	/* The index port is write-only. */
	if (offset == 0)
		return 0xff;
	pthread_mutex_lock(&rtc->lock);
	if (is_time_field(rtc->index) && !(rtc->cmos[RTC_B] & B_SET))
		latch(rtc, host_second());
	value = rtc->index == RTC_C ? clear_flags(rtc) : rtc->cmos[rtc->index];
	pthread_mutex_unlock(&rtc->lock);
	return value;
}

static void write_time_field(struct rtc *rtc, u8 value)
{
	/* Without SET the chip takes the write between two updates: read, change, write back. */
	bool running = !(rtc->cmos[RTC_B] & B_SET);

	if (running)
		latch(rtc, host_second());
	rtc->cmos[rtc->index] = value;
	if (running)
		unlatch(rtc);
}

static void write_control(struct rtc *rtc, u8 value)
{
	u8 before = rtc->cmos[RTC_B];

	if (!(before & B_SET) && (value & B_SET))
		latch(rtc, host_second());
	if ((before & B_SET) && !(value & B_SET))
		unlatch(rtc);
	rtc->cmos[RTC_B] = value & B_WRITABLE;
	if ((before ^ value) & INTERRUPTS)
		arm(rtc);
	/* An event that is already recorded interrupts as soon as it is enabled. */
	set_flags(rtc, 0);
}

static void write_register(struct rtc *rtc, u8 value)
{
	switch (rtc->index) {
	case RTC_A:
		rtc->cmos[RTC_A] = value & 0x7f;
		if (rtc->cmos[RTC_B] & PERIODIC)
			arm(rtc);
		break;
	case RTC_B:
		write_control(rtc, value);
		break;
	case RTC_C:
	case RTC_D:
		break;
	default:
		if (is_time_field(rtc->index))
			write_time_field(rtc, value);
		else
			rtc->cmos[rtc->index] = value;
		break;
	}
}

static void rtc_write(void *opaque, u64 offset, unsigned int size, u64 value)
{
	struct rtc *rtc = opaque;

	(void)size;
	pthread_mutex_lock(&rtc->lock);
	/* Bit 7 of the index port is the NMI mask. */
	if (offset == 0)
		rtc->index = value & (CMOS_SIZE - 1);
	else
		write_register(rtc, (u8)value);
	pthread_mutex_unlock(&rtc->lock);
}

static const struct bus_ops rtc_bus_ops = { .read = rtc_read, .write = rtc_write };

/* The clock runs on batteries: a reset turns interrupts off and leaves time and memory alone. */
static void rtc_reset(void *opaque)
{
	struct rtc *rtc = opaque;

	pthread_mutex_lock(&rtc->lock);
	rtc->index = 0;
	rtc->cmos[RTC_B] &= (u8)~(B_SET | INTERRUPTS);
	rtc->cmos[RTC_C] = 0;
	arm(rtc);
	pthread_mutex_unlock(&rtc->lock);
}

static void rtc_destroy(void *opaque)
{
	struct rtc *rtc = opaque;

	if (rtc->timer_fd >= 0)
		close(rtc->timer_fd);
	free(rtc);
}

static const struct device_ops rtc_ops = { .reset = rtc_reset, .destroy = rtc_destroy };

/* Seconds the host's local time is ahead of UTC. Also has the C library read its files now. */
static s64 local_offset(void)
{
	time_t now = host_second();
	struct tm tm;

	tzset();
	return localtime_r(&now, &tm) ? tm.tm_gmtoff : 0;
}

int rtc_create(struct machine *m)
{
	struct rtc *rtc = calloc(1, sizeof(*rtc));
	struct loop_source timer = { .ready = timer_ready, .opaque = rtc };
	s64 ahead = local_offset();

	if (!rtc)
		return report("out of memory");
	rtc->m = m;
	rtc->timer_fd = -1;
	rtc->offset = m->cfg->rtc_localtime ? ahead : 0;
	pthread_mutex_init(&rtc->lock, NULL);
	rtc->cmos[RTC_A] = A_DEFAULT;
	rtc->cmos[RTC_B] = B_24H;
	rtc->cmos[RTC_D] = D_VALID;
	if (machine_add_device(m, &rtc_ops, rtc)) {
		free(rtc);
		return -1;
	}
	rtc->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (rtc->timer_fd < 0)
		return report("cannot create a timer: %s", strerror(errno));
	timer.fd = rtc->timer_fd;
	if (loop_add(&m->loop, timer))
		return -1;
	if (bus_attach(&m->pio, RTC_PORT, 2, &rtc_bus_ops, rtc))
		return report("the clock's ports are taken");
	return 0;
}
