/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An address space devices attach to: one for ports, one for memory-mapped registers.
 */
#ifndef MKVM_BUS_H
#define MKVM_BUS_H

#include <pthread.h>

#include "types.h"

/**
 * struct bus_ops - what a device does with an access
 * @read: return the value at @offset; @size is 1, 2, 4 or 8 and the access lies wholly in the
 *	region
 * @write: take the low @size bytes of @value
 *
 * Called from vCPU threads, several at once, with the bus locked against attach and detach: an
 * operation must not attach to or detach from the bus it is called from.
 */
struct bus_ops {
	u64 (*read)(void *opaque, u64 offset, unsigned int size);
	void (*write)(void *opaque, u64 offset, unsigned int size, u64 value);
};

struct bus_region {
	u64 base;
	u64 len;
	const struct bus_ops *ops;
	void *opaque;
};

#define BUS_MAX_REGIONS	64

/**
 * struct bus - sorted, non-overlapping regions
 * @lock: read for dispatch, write for attach and detach
 * @region: in order of address
 * @nr: entries used
 */
struct bus {
	pthread_rwlock_t lock;
	struct bus_region region[BUS_MAX_REGIONS];
	unsigned int nr;
};

/** bus_init() - an empty bus */
void bus_init(struct bus *bus);

/** bus_destroy() - undo bus_init(); no thread may use the bus any more */
void bus_destroy(struct bus *bus);

/**
 * bus_attach() - give [base, base + len) to a device
 * @bus: the bus
 * @base: first address
 * @len: bytes
 * @ops: what it does
 * @opaque: argument of @ops
 *
 * Return: 0; -EINVAL for an empty or wrapping range; -EBUSY if it overlaps another; -ENOSPC if the
 * bus is full.
 */
int bus_attach(struct bus *bus, u64 base, u64 len, const struct bus_ops *ops, void *opaque);

/**
 * bus_detach() - take the region that starts at @base away; on return no access to it is in
 *	progress
 * @bus: the bus
 * @base: first address
 */
void bus_detach(struct bus *bus, u64 base);

/**
 * bus_read() - read @len bytes (1 to 8) at @addr for the guest
 * @data: filled; all ones where no device answers, as on a real bus
 * @bus: the bus
 * @addr: first address
 * @len: bytes
 */
void bus_read(struct bus *bus, u64 addr, void *data, unsigned int len);

/**
 * bus_write() - write @len bytes (1 to 8) at @addr for the guest; dropped where no device answers
 * @bus: the bus
 * @addr: first address
 * @data: the bytes, little endian
 * @len: bytes
 */
void bus_write(struct bus *bus, u64 addr, const void *data, unsigned int len);

#endif
