// SPDX-License-Identifier: GPL-2.0
/*
 * MC146818 clock and CMOS memory: the host's UTC, plus whatever offset the guest gives it by
 * setting the clock. There is no periodic, alarm or update interrupt.
 *
 * Source: Motorola MC146818 data sheet (ADI856R2), "Address Map", "Time, Calendar, and Alarm
 * Locations".
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "dev/rtc.h"
#include "machine.h"
#include "report.h"
#include "types.h"

#define CMOS_SIZE	128

enum {
	RTC_SECONDS = 0x00,
	RTC_MINUTES = 0x02,
	RTC_HOURS = 0x04,
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

#define A_DEFAULT	0x26		/* 32768 Hz time base, 1024 Hz rate; never updating */
#define B_SET		BIT(7)	/* the guest is setting the clock */
#define B_BINARY	BIT(2)
#define B_24H		BIT(1)
#define B_WRITABLE	(B_SET | B_BINARY | B_24H | 1)
#define D_VALID		BIT(7)
#define HOUR_PM		BIT(7)

struct rtc {
	pthread_mutex_t lock;
	u8 index;
	u8 cmos[CMOS_SIZE];	/* the time fields are valid only while B_SET */
	s64 offset;			/* guest clock minus host clock, seconds */
};

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

/* Clock to registers. */
static void latch(struct rtc *rtc)
{
	time_t now = time(NULL) + (time_t)rtc->offset;
	u8 *r = rtc->cmos;
	struct tm tm;

	if (!gmtime_r(&now, &tm))
		return;
	r[RTC_SECONDS] = encode(rtc, tm.tm_sec);
	r[RTC_MINUTES] = encode(rtc, tm.tm_min);
	if (r[RTC_B] & B_24H)
		r[RTC_HOURS] = encode(rtc, tm.tm_hour);
	else
		r[RTC_HOURS] = (u8)(encode(rtc, (tm.tm_hour + 11) % 12 + 1) |
				    (tm.tm_hour >= 12 ? HOUR_PM : 0));
	r[RTC_WEEKDAY] = encode(rtc, tm.tm_wday + 1);
	r[RTC_DAY] = encode(rtc, tm.tm_mday);
	r[RTC_MONTH] = encode(rtc, tm.tm_mon + 1);
	r[RTC_YEAR] = encode(rtc, tm.tm_year % 100);
	r[RTC_CENTURY] = encode(rtc, (tm.tm_year + 1900) / 100);
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
	rtc->offset = (s64)timegm(&tm) - (s64)time(NULL);
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
		latch(rtc);
	value = rtc->cmos[rtc->index];
	pthread_mutex_unlock(&rtc->lock);
	return value;
}

static void write_register(struct rtc *rtc, u8 value)
{
	unsigned int reg = rtc->index;

	if (is_time_field(reg)) {
		/*
		 * Without SET the chip takes the write between two updates: read, change, write
		 * back.
		 */
		bool running = !(rtc->cmos[RTC_B] & B_SET);

		if (running)
			latch(rtc);
		rtc->cmos[reg] = value;
		if (running)
			unlatch(rtc);
		return;
	}
	switch (reg) {
	case RTC_A:
		rtc->cmos[RTC_A] = value & 0x7f;
		break;
	case RTC_B:
		if (!(rtc->cmos[RTC_B] & B_SET) && (value & B_SET))
			latch(rtc);
		if ((rtc->cmos[RTC_B] & B_SET) && !(value & B_SET))
			unlatch(rtc);
		rtc->cmos[RTC_B] = value & B_WRITABLE;
		break;
	case RTC_C:
	case RTC_D:
		break;
	default:
		rtc->cmos[reg] = value;
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

/* The clock runs on batteries: a reset leaves time and memory alone. */
static void rtc_reset(void *opaque)
{
	struct rtc *rtc = opaque;

	rtc->index = 0;
	rtc->cmos[RTC_B] &= (u8)~B_SET;
}

static void rtc_destroy(void *opaque)
{
	free(opaque);
}

static const struct device_ops rtc_ops = { .reset = rtc_reset, .destroy = rtc_destroy };

int rtc_create(struct machine *m)
{
	struct rtc *rtc = calloc(1, sizeof(*rtc));

	if (!rtc)
		return report("out of memory");
	pthread_mutex_init(&rtc->lock, NULL);
	rtc->cmos[RTC_A] = A_DEFAULT;
	rtc->cmos[RTC_B] = B_24H;
	rtc->cmos[RTC_D] = D_VALID;
	if (machine_add_device(m, &rtc_ops, rtc))
		return -1;
	if (bus_attach(&m->pio, RTC_PORT, 2, &rtc_bus_ops, rtc))
		return report("the clock's ports are taken");
	return 0;
}
