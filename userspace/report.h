/* SPDX-License-Identifier: GPL-2.0 */
/*
 * How mkvm speaks to its user: one line on stderr, prefixed with the program's name.
 */
#ifndef MKVM_REPORT_H
#define MKVM_REPORT_H

#include "types.h"

/* Exit statuses of `mkvm run`; a signal N gives EXIT_SIGNAL_BASE + N. */
enum mkvm_exit {
	EXIT_POWEROFF = 0,
	EXIT_ERROR = 1,		/* usage or host error; nothing was started */
	EXIT_RESET = 2,		/* the guest reset and --no-reboot was given */
	EXIT_TRIPLE_FAULT = 3,
	EXIT_VCPU_ERROR = 4,	/* FAIL_ENTRY or INTERNAL_ERROR */
	EXIT_SIGNAL_BASE = 128,
};

/**
 * report() - print one line for the user on stderr
 * @fmt: printf format, without the trailing newline
 *
 * Return: always -1, so that a failing function can end in `return report(...)`.
 */
int report(const char *fmt, ...) __printf(1, 2);

#endif
