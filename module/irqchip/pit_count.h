/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The 8254's counters as arithmetic on elapsed input clocks, apart from timers
 * and VMs, so that it is tested hosted.
 *
 * Source: Intel 82C54 CHMOS Programmable Interval Timer data sheet (October
 * 1994), "Mode Definitions". Counters count binary whatever the BCD bit says,
 * and the gate of a counter does not freeze it, as in KVM's 8254.
 */
#ifndef MINIKVM_PIT_COUNT_H
#define MINIKVM_PIT_COUNT_H

#include <linux/types.h>

#include "../../uapi/minikvm.h"

#define PIT_HZ			1193182u
#define PIT_MAX_COUNT		0x10000u	/* what a programmed 0 means */
#define PIT_MODE_UNSET		0xff		/* after power-up */

/* RW bits of the control word; as a state, the byte that comes next. */
#define PIT_RW_LOW		1
#define PIT_RW_HIGH		2
#define PIT_RW_BOTH		3	/* low byte of two is next */
#define PIT_RW_BOTH_HIGH	4	/* its high byte is next */

static inline bool pit_mode_periodic(u8 mode)
{
	return mode == 2 || mode == 3;
}

/* The counter after @clocks input clocks since it was loaded. */
static inline u16 pit_counter(u8 mode, u32 count, u64 clocks)
{
	switch (mode) {
	case 2:
		return count - clocks % count;
	case 3:
		/* Counts down by two, twice per period. */
		return count - 2 * clocks % count;
	default:
		/* Goes on from 0xffff once it has reached zero. */
		return count - clocks;
	}
}

/* Level of OUT after @clocks input clocks. */
static inline bool pit_output(u8 mode, u32 count, u64 clocks)
{
	switch (mode) {
	case 1:
		return clocks < count;
	case 2:
		return clocks && clocks % count == 0;
	case 3:
		return clocks % count < (count + 1) / 2;
	case 4:
	case 5:
		return clocks == count;
	default:
		return clocks >= count;
	}
}

#endif
