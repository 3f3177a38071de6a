/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The guest that is booted for the comparison.
 */
#ifndef MKVM_COMPARE_GUEST_H
#define MKVM_COMPARE_GUEST_H

#include "compare/compare.h"
#include "compare/host.h"

#define GUEST_DISK_SIZE (8 << 20)

/** guest_prepare() - make its disk and its initramfs in @c's directory; 0, or -1 after a report */
int guest_prepare(const struct compare *c);

/**
 * guest_run() - boot it, let it do its work, read the counters
 * @c: what is measured
 * @col: on what
 * @s: gets the samples
 * @trace: NULL, or where exits are counted by reason until it is up
 *
 * Return: 0, or -1 after a report.
 */
int guest_run(const struct compare *c, const struct column *col, struct samples *s,
	      const struct reasons *trace);

#endif
