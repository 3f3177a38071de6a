// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the VMM's device buses: who may attach where, and which device an access finds.
 */
#include "bus.h"
#include "tap.h"
#include "types.h"

static struct bus bus;
static u64 last_offset, last_value;
static unsigned int last_size;
static void *last_opaque;

static u64 on_read(void *opaque, u64 offset, unsigned int size)
{
	last_opaque = opaque;
	last_offset = offset;
	last_size = size;
	return 0x1122334455667788ULL;
}

static void on_write(void *opaque, u64 offset, unsigned int size, u64 value)
{
	on_read(opaque, offset, size);
	last_value = value;
}

static const struct bus_ops ops = { .read = on_read, .write = on_write };
static const struct bus_ops silent;

static u64 read_at(u64 addr, unsigned int len)
{
	u64 value = 0;

	last_opaque = NULL;
	bus_read(&bus, addr, &value, len);
	return value;
}

static void test_attach(void)
{
	tap_eq(bus_attach(&bus, 0x100, 0x10, &ops, "a"), 0, "attach a region");
	tap_eq(bus_attach(&bus, 0x110, 0x10, &ops, "b"), 0, "and its neighbour");
	tap_eq(bus_attach(&bus, 0xf0, 0x10, &ops, "c"), 0, "and the one before");
	tap_eq(bus_attach(&bus, 0x100, 0x10, &ops, "x"), -EBUSY, "the same again is refused");
	tap_eq(bus_attach(&bus, 0x10f, 1, &ops, "x"), -EBUSY, "so is its last byte");
	tap_eq(bus_attach(&bus, 0, 0x1000, &ops, "x"), -EBUSY, "and what contains it");
	tap_eq(bus_attach(&bus, 0x200, 0, &ops, "x"), -EINVAL, "an empty region is refused");
	tap_eq(bus_attach(&bus, UINT64_MAX, 2, &ops, "x"), -EINVAL, "and one that wraps");
	tap_eq(bus_attach(&bus, UINT64_MAX, 1, &ops, "end"), 0, "the last byte of the space works");
}

static void test_dispatch(void)
{
	u64 value = 0xa1b2c3d4e5f60718ULL;

	tap_ok(read_at(0x104, 4) == 0x55667788 && !strcmp(last_opaque, "a") && last_offset == 4 &&
	       last_size == 4, "a read finds its device, at an offset");
	tap_ok(read_at(0x110, 1) == 0x88 && !strcmp(last_opaque, "b") && !last_offset,
	       "the first byte belongs to the next one");
	tap_ok(read_at(UINT64_MAX, 1) == 0x88 && !strcmp(last_opaque, "end"), "the last byte, too");
	tap_ok(read_at(0x10e, 4) == 0xffffffff && !last_opaque,
	       "an access that straddles two devices finds none and reads as ones");
	tap_ok(read_at(0x120, 8) == UINT64_MAX && !last_opaque, "no device reads as ones");
	tap_ok(read_at(0x104, 3) == 0xffffff && !last_opaque, "odd sizes are not passed on");
	bus_write(&bus, 0xfc, &value, 2);
	tap_ok(!strcmp(last_opaque, "c") && last_offset == 12 && last_value == 0x0718,
	       "a write carries as many bytes as it has");
	bus_detach(&bus, 0x100);
	tap_ok(read_at(0x104, 4) == 0xffffffff && !last_opaque && read_at(0x110, 1) == 0x88,
	       "a detached device is gone, its neighbour is not");
	bus_detach(&bus, 0x104);
	tap_eq(bus_attach(&bus, 0x100, 0x10, &silent, "s"), 0, "its place can be taken");
	tap_ok(read_at(0x100, 1) == 0xff, "by a device that cannot be read");
	bus_write(&bus, 0x100, &value, 1);
}

static void test_full(void)
{
	unsigned int i, attached = 0;

	for (i = 0; i < 2 * BUS_MAX_REGIONS; i++)
		attached += !bus_attach(&bus, 0x10000 + 16 * i, 16, &ops, "f");
	tap_ok(attached == BUS_MAX_REGIONS - 4 &&
	       bus_attach(&bus, 0x90000, 1, &ops, "f") == -ENOSPC, "a full bus says so");
}

int main(void)
{
	tap_plan(0);
	bus_init(&bus);
	test_attach();
	test_dispatch();
	test_full();
	bus_destroy(&bus);
	return tap_done();
}
