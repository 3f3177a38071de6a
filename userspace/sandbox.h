/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What mkvm gives up before it runs guest code.
 */
#ifndef MKVM_SANDBOX_H
#define MKVM_SANDBOX_H

/**
 * sandbox_enter() - drop every capability, for good
 *
 * All files and devices must be open: afterwards the process, even if root started it, has no
 * privilege but its user id. Call before any thread exists, as capabilities are per thread.
 *
 * Return: 0, or -1 after a report.
 */
int sandbox_enter(void);

#endif
