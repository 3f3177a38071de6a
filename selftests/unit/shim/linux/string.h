/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Stands in for the kernel's <linux/string.h>.
 */
#ifndef SHIM_LINUX_STRING_H
#define SHIM_LINUX_STRING_H

#include <string.h>

#endif
