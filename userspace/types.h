/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The small vocabulary all of mkvm shares: integer types and macros by the names the kernel has for
 * them.
 */
#ifndef MKVM_TYPES_H
#define MKVM_TYPES_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/types.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef __s64 s64;

#define BIT(n)		(1U << (n))
#define BIT_ULL(n)	(1ULL << (n))
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define __packed	__attribute((packed))
#define __printf(f, a)	__attribute((format(printf, f, a)))

#endif
