/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Real-time clock and CMOS memory.
 */
#ifndef MKVM_DEV_RTC_H
#define MKVM_DEV_RTC_H

struct machine;

/** rtc_create() - add the device; 0, or -1 after a report */
int rtc_create(struct machine *m);

#endif
