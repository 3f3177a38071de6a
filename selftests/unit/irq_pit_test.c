// SPDX-License-Identifier: GPL-2.0
/*
 * The 8254's counters in modes 0 to 5, as functions of the clocks since the load.
 */
#include <linux/types.h>

#include "pit_count.h"
#include "tap.h"

static void test_counter(void)
{
	tap_eq(pit_counter(0, 1000, 0), 1000, "mode 0 starts at the count");
	tap_eq(pit_counter(0, 1000, 999), 1, "mode 0 counts down by one");
	tap_eq(pit_counter(0, 1000, 1001), 0xffff, "mode 0 wraps around");
	tap_eq(pit_counter(0, PIT_MAX_COUNT, 0), 0, "a count of 65536 reads as 0");
	tap_eq(pit_counter(0, PIT_MAX_COUNT, 1), 0xffff, "and then as 65535");

	tap_eq(pit_counter(2, 1000, 1), 999, "mode 2 counts down by one");
	tap_eq(pit_counter(2, 1000, 999), 1, "mode 2 ends at one");
	tap_eq(pit_counter(2, 1000, 1000), 1000, "mode 2 reloads");
	tap_eq(pit_counter(2, 1000, 1000ull * 1000 * 1000 * 1000 + 7), 993,
	       "mode 2 is right after days");

	tap_eq(pit_counter(3, 1000, 1), 998, "mode 3 counts down by two");
	tap_eq(pit_counter(3, 1000, 500), 1000, "mode 3 reloads at half the period");
	tap_eq(pit_counter(3, 1000, 501), 998, "and counts down again");
}

static void test_output(void)
{
	tap_ok(!pit_output(0, 10, 0) && !pit_output(0, 10, 9) && pit_output(0, 10, 10) &&
	       pit_output(0, 10, 100000), "mode 0: high from the end on");
	tap_ok(pit_output(1, 10, 0) && pit_output(1, 10, 9) && !pit_output(1, 10, 10),
	       "mode 1: the other way round");
	tap_ok(!pit_output(2, 10, 0) && !pit_output(2, 10, 9) && pit_output(2, 10, 10) &&
	       !pit_output(2, 10, 11) && pit_output(2, 10, 20), "mode 2: a pulse per period");
	tap_ok(pit_output(3, 10, 0) && pit_output(3, 10, 4) && !pit_output(3, 10, 5) &&
	       !pit_output(3, 10, 9) && pit_output(3, 10, 10), "mode 3: a square wave");
	tap_ok(pit_output(3, 9, 4) && !pit_output(3, 9, 5),
	       "mode 3: the odd clock goes to the high half");
	tap_ok(!pit_output(4, 10, 9) && pit_output(4, 10, 10) && !pit_output(4, 10, 11),
	       "mode 4: a strobe");
	tap_ok(pit_output(5, 10, 10) && !pit_output(5, 10, 20), "mode 5: one strobe");
}

/* State from userspace can hold any mode and any count but 0. */
static void test_hostile(void)
{
	unsigned int mode;
	u32 count;
	u64 sum = 0;

	for (mode = 0; mode < 256; mode++)
		for (count = 1; count; count <<= 1)
			sum += pit_counter(mode, count, ~0ull) + pit_output(mode, count, ~0ull);
	tap_ok(sum, "any mode, count and time can be asked for");
	tap_ok(pit_mode_periodic(2) && pit_mode_periodic(3) && !pit_mode_periodic(0) &&
	       !pit_mode_periodic(PIT_MODE_UNSET), "two modes are periodic");
}

int main(void)
{
	test_counter();
	test_output();
	test_hostile();
	return tap_done();
}
