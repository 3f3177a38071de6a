/* SPDX-License-Identifier: GPL-2.0 */
/* Stands in for the kernel's <linux/compiler.h>; see types.h beside it. */
#include <linux/types.h>
