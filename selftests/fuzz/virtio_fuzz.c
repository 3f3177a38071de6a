// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of virtio devices: the input is a driver, well-behaved or not, that plays on one device
 * through its registers, its queues and guest RAM. FUZZ_TARGET names the device.
 *
 * The device's threads run as they do in `mkvm run`. The driver waits for them a little, so that
 * most requests are served, and now and then it does not, so that a reset meets some on their way.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "virtio/device.h"

#define SLOT		1

/* Each queue has a page for each part; buffers and indirect tables come after all queues. */
#define QUEUES		6
#define QUEUE_BASE(q)	(0x10000ULL + 0x4000ULL * (q))
#define DESC(q)		QUEUE_BASE(q)
#define AVAIL(q)	(QUEUE_BASE(q) + 0x1000)
#define USED(q)		(QUEUE_BASE(q) + 0x2000)
#define TABLE		0x30000ULL
#define DATA		0x40000ULL
#define RAM_END		(16 * MIB)

/* Registers of the common block: Virtual I/O Device (VIRTIO) Version 1.2, "Common configuration
 * structure layout". */
#define DRIVER_FEATURE_SELECT	0x08
#define DRIVER_FEATURE		0x0c
#define DEVICE_FEATURE_SELECT	0x00
#define DEVICE_FEATURE		0x04
#define NUM_QUEUES		0x12
#define DEVICE_STATUS		0x14
#define QUEUE_SELECT		0x16
#define QUEUE_SIZE		0x18
#define QUEUE_ENABLE		0x1c
#define QUEUE_DESC		0x20
#define QUEUE_DRIVER		0x28
#define QUEUE_DEVICE		0x30

#define F_NEXT		1
#define F_WRITE		2
#define F_INDIRECT	4

/**
 * struct driver - what the driver knows
 * @bar: where the registers are
 * @common: offset of the common block; likewise @notify, @device
 * @multiplier: bytes between the queues' doorbells
 * @nr_queues: how many of the device's queues it uses
 * @size: entries of a queue
 * @avail: what it offered
 * @waited: in vain, since the device was set up
 */
static struct driver {
	struct machine *m;
	u64 bar;
	u32 common, notify, device;
	u32 multiplier;
	unsigned int nr_queues;
	u16 size;
	u16 avail[QUEUES];
	bool waited[QUEUES];
} d;

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

static const struct target {
	const char *name;
	const char *options[12];
} targets[] = {
	{ "blk", { "-drive", "file=%disk,format=raw,if=virtio" } },
	{ "blk-ro", { "-drive", "file=%disk,format=raw,if=virtio,readonly=on" } },
	{ "blk-mq", { "-drive", "file=%disk,format=raw,if=none,id=d0,discard=unmap,aio=threads",
		      "-device", "virtio-blk-pci,drive=d0,num-queues=2,serial=fuzz" } },
	{ "rng", { "-device", "virtio-rng-pci,max-bytes=4096,period=1" } },
	{ "console", { "-chardev", "null,id=c0", "-device", "virtio-serial-pci", "-device",
		       "virtconsole,chardev=c0" } },
	{ "net", { "-netdev", "tap,id=n0,ifname=none,queues=1", "-device",
		   "virtio-net-pci,netdev=n0,host_mtu=9000" } },
	{ "net-mq", { "-netdev", "tap,id=n0,ifname=none,queues=2", "-device",
		      "virtio-net-pci,netdev=n0,mq=on" } },
};

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void *at(u64 gpa)
{
	return d.m->mem.ram[0].hva + gpa;
}

static u16 get16(u64 gpa)
{
	return __atomic_load_n((u16 *)at(gpa), __ATOMIC_ACQUIRE);
}

static void put16(u64 gpa, u16 value)
{
	__atomic_store_n((u16 *)at(gpa), value, __ATOMIC_RELEASE);
}

static void reg_write(u32 reg, unsigned int size, u64 value)
{
	mmio_write(d.m, d.bar + d.common + reg, size, value);
}

static u64 reg_read(u32 reg, unsigned int size)
{
	return mmio_read(d.m, d.bar + d.common + reg, size);
}

/* ---- setting up ---------------------------------------------------------------------------- */

static void find_registers(void)
{
	unsigned int cap, n = 0;

	cfg_write(d.m, SLOT, 4, 2, 6);
	d.bar = cfg_read(d.m, SLOT, 0x10, 4) & ~15u;
	for (cap = cfg_read(d.m, SLOT, 0x34, 1); cap && n < 48; n++) {
		u32 offset = cfg_read(d.m, SLOT, cap + 8, 4);

		if (cfg_read(d.m, SLOT, cap, 1) == 9) {
			switch (cfg_read(d.m, SLOT, cap + 3, 1)) {
			case 1:
				d.common = offset;
				break;
			case 2:
				d.notify = offset;
				d.multiplier = cfg_read(d.m, SLOT, cap + 16, 4);
				break;
			case 4:
				d.device = offset;
				break;
			}
		}
		cap = cfg_read(d.m, SLOT, cap + 1, 1);
	}
	if (!d.notify)
		fuzz_fail("there is no virtio device in slot %u", SLOT);
}

static void set_up_queue(unsigned int q)
{
	reg_write(QUEUE_SELECT, 2, q);
	reg_write(QUEUE_SIZE, 2, d.size);
	reg_write(QUEUE_DESC, 4, DESC(q));
	reg_write(QUEUE_DESC + 4, 4, 0);
	reg_write(QUEUE_DRIVER, 4, AVAIL(q));
	reg_write(QUEUE_DRIVER + 4, 4, 0);
	reg_write(QUEUE_DEVICE, 4, USED(q));
	reg_write(QUEUE_DEVICE + 4, 4, 0);
	reg_write(QUEUE_ENABLE, 2, 1);
}

static void initialise(u32 without, unsigned int order)
{
	u32 low, high;
	unsigned int q;

	for (q = 0; q < QUEUES; q++) {
		memset(at(DESC(q)), 0, 0x300);
		memset(at(AVAIL(q)), 0, 0x100);
		memset(at(USED(q)), 0, 0x300);
	}
	memset(at(TABLE), 0, 0x300);
	memset(d.avail, 0, sizeof(d.avail));
	memset(d.waited, 0, sizeof(d.waited));
	reg_write(DEVICE_STATUS, 1, 0);
	reg_write(DEVICE_STATUS, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER);
	reg_write(DEVICE_FEATURE_SELECT, 4, 0);
	low = (u32)reg_read(DEVICE_FEATURE, 4);
	reg_write(DEVICE_FEATURE_SELECT, 4, 1);
	high = (u32)reg_read(DEVICE_FEATURE, 4);
	reg_write(DRIVER_FEATURE_SELECT, 4, 0);
	reg_write(DRIVER_FEATURE, 4, low & ~without);
	reg_write(DRIVER_FEATURE_SELECT, 4, 1);
	reg_write(DRIVER_FEATURE, 4, high);
	reg_write(DEVICE_STATUS, 1, VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_FEATURES_OK);
	d.nr_queues = (unsigned int)reg_read(NUM_QUEUES, 2);
	if (d.nr_queues > QUEUES)
		d.nr_queues = QUEUES;
	d.size = (u16)(1u << order);
	for (q = 0; q < d.nr_queues; q++)
		set_up_queue(q);
	reg_write(DEVICE_STATUS, 1, 0xf);
}

/* ---- what a driver does -------------------------------------------------------------------- */

/* Once it was in vain (a network nobody sends to, a device that is confused), it waits less. */
static void wait_for(unsigned int q)
{
	unsigned int i, patience = d.waited[q] ? 3 : 60;

	for (i = 0; i < patience; i++) {
		if (get16(USED(q) + 2) == d.avail[q] ||
		    (reg_read(DEVICE_STATUS, 1) & VIRTIO_NEEDS_RESET))
			return;
		sched_yield();
	}
	d.waited[q] = true;
}

static void ring(unsigned int q, bool patient)
{
	mmio_write(d.m, d.bar + d.notify + q * d.multiplier, 2, q);
	if (patient)
		wait_for(q);
}

static void offer(unsigned int q, u16 head)
{
	put16(AVAIL(q) + 4 + 2u * (d.avail[q] % d.size), head);
	put16(AVAIL(q) + 2, ++d.avail[q]);
}

static void put_desc(u64 table, unsigned int i, u64 addr, u32 len, u16 flags, u16 next)
{
	struct desc desc = { addr, len, flags, next };

	memcpy(at(table + sizeof(desc) * i), &desc, sizeof(desc));
}

/* A descriptor of any kind. */
static void any_desc(struct fuzz_in *in)
{
	static const u64 bases[8] = { DATA, DATA + 0x1000, TABLE, DESC(0), USED(0), RAM_END - 64,
				      0, RAM_HIGH_BASE };
	u8 where = fuzz_u8(in), how = fuzz_u8(in);
	u64 addr = how & 0x80 ? fuzz_u64(in) : bases[how & 7] + fuzz_u8(in);
	u32 len = how & 0x40 ? fuzz_u32(in) : how & 0x20 ? 16u * fuzz_u8(in) : fuzz_u8(in);
	u16 flags = how & 0x10 ? fuzz_u16(in) : fuzz_u8(in) & 7;
	u16 next = how & 8 ? fuzz_u16(in) : fuzz_u8(in) % 16;

	put_desc(where & 0x80 ? TABLE : DESC((where >> 5) % QUEUES), where & 31, addr, len, flags,
		 next);
}

/*
 * A chain as a device wants it: readable parts, whose bytes come from the input, then writable
 * ones; directly or in a table.
 */
static void good_chain(struct fuzz_in *in, unsigned int q)
{
	u8 shape = fuzz_u8(in);
	unsigned int out = shape & 3, writable = shape >> 2 & 3, nr = out + writable, i;
	bool indirect = shape & 0x10;
	u64 table = indirect ? TABLE : DESC(q), data = DATA + 0x800ULL * (shape >> 5);
	unsigned int first = indirect ? 0 : (4u * d.avail[q]) % d.size;
	u8 bytes[512];

	if (!nr || (!indirect && first + nr > d.size))
		return;
	for (i = 0; i < nr; i++) {
		u32 len = fuzz_u8(in);
		u16 flags = (i < out ? 0 : F_WRITE) | (i < nr - 1 ? F_NEXT : 0);

		if (len >= 0x80)
			len = (len & 0x7f) * 512;
		if (i < out)
			memcpy(at(data), bytes, fuzz_bytes(in, bytes, len < 512 ? len : 512));
		put_desc(table, first + i, data, len, flags, (u16)(first + i + 1));
		data += len < 0x2000 ? len : 0x2000;
	}
	if (indirect)
		put_desc(DESC(q), 0, TABLE, 16 * nr, F_INDIRECT, 0);
	offer(q, (u16)first);
	ring(q, !(shape & 0x80));
}

static void any_register(struct fuzz_in *in, u8 op)
{
	unsigned int size = 1u << (op >> 4 & 3);
	u64 offset = op & 0x80 ? fuzz_u16(in) & 0x7fff :
				 (op & 0x40 ? d.device : d.common) + (fuzz_u8(in) & 0x3f);

	if (fuzz_u8(in) & 1)
		mmio_read(d.m, d.bar + offset, size);
	else
		mmio_write(d.m, d.bar + offset, size, fuzz_u64(in));
}

static void step(struct fuzz_in *in)
{
	u8 op = fuzz_u8(in);
	unsigned int q = (op >> 4) % QUEUES;

	switch (op & 15) {
	case 0: case 1: case 2: case 3: case 4:
		good_chain(in, q);
		break;
	case 5: case 6: case 7:
		any_desc(in);
		break;
	case 8: case 9:
		offer(q, op & 0x80 ? fuzz_u16(in) : fuzz_u8(in) & 31);
		ring(q, op & 0x40);
		break;
	case 10:
		any_register(in, op);
		break;
	case 11:
		cfg_write(d.m, SLOT, fuzz_u8(in) & ~3u, 4, fuzz_u32(in));
		cfg_write(d.m, SLOT, 0x10, 4, (u32)d.bar);
		cfg_write(d.m, SLOT, 4, 2, 6);
		break;
	case 12:
		d.avail[q] = fuzz_u16(in);
		put16(AVAIL(q) + 2, d.avail[q]);
		ring(q, true);
		break;
	case 13:
		fuzz_bytes(in, at(QUEUE_BASE(q) + (fuzz_u16(in) & 0x2fff)), fuzz_u8(in));
		break;
	case 14:
		if (op & 0x80 && fuzz_net_deliver(in))
			break;
		put16(AVAIL(q), op >> 4 & 1);
		ring(q, true);
		break;
	default:
		initialise(fuzz_u32(in), fuzz_u8(in) % 6);
		break;
	}
}

/* ---- the fuzzer ---------------------------------------------------------------------------- */

static const struct target *find_target(void)
{
	const char *name = getenv("FUZZ_TARGET");
	size_t i;

	for (i = 0; name && i < ARRAY_SIZE(targets); i++) {
		if (!strcmp(name, targets[i].name))
			return &targets[i];
	}
	fuzz_fail("FUZZ_TARGET=%s is not known", name ? name : "");
}

static void build_machine(void)
{
	static char text[12][128];
	const struct target *t = find_target();
	const char *options[16] = { "-serial", "none" };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(t->options) && t->options[i]; i++) {
		const char *hole = strstr(t->options[i], "%disk");

		if (hole)
			snprintf(text[i], sizeof(text[i]), "%.*s%s%s", (int)(hole - t->options[i]),
				 t->options[i], fuzz_file("disk", NULL, 64 * KIB), hole + 5);
		options[2 + i] = hole ? text[i] : t->options[i];
	}
	d.m = fuzz_machine(options);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_in in = { data, size };

	if (!d.m)
		build_machine();
	find_registers();
	initialise(fuzz_u32(&in), fuzz_u8(&in) % 6);
	while (in.left)
		step(&in);
	machine_reset(d.m);
	atomic_store(&d.m->event, MACHINE_RUNNING);
	return 0;
}
