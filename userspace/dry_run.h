/* SPDX-License-Identifier: GPL-2.0 */
/*
 * `--dry-run`: describe the machine that would run.
 */
#ifndef MKVM_DRY_RUN_H
#define MKVM_DRY_RUN_H

#include "types.h"

struct machine;

/**
 * dry_run() - build the board without its ends on the host, and print what it is
 * @m: cfg, boot, loop and disk are set, as for machine_create(); nothing else is opened
 * @json: as one JSON object instead of text
 *
 * Return: 0, or -1 after a report; the machine is destroyed again in both cases.
 */
int dry_run(struct machine *m, bool json);

#endif
