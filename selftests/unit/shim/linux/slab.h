/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stands in for the kernel's <linux/slab.h>: memory, and a way to run out of it.
 */
#ifndef SHIM_LINUX_SLAB_H
#define SHIM_LINUX_SLAB_H

#include <stdlib.h>

#define GFP_KERNEL_ACCOUNT	0

/* Allocations until one fails; negative: none does. The test defines it. */
extern int shim_fail_in;

static inline void *kvmalloc(size_t size, int flags)
{
	(void)flags;
	if (shim_fail_in >= 0 && shim_fail_in-- == 0)
		return NULL;
	return malloc(size);
}

static inline void kvfree(void *p)
{
	free(p);
}

#endif
