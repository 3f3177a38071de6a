/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Owns the driver that the tests of virtio disks share: a machine that is a stand-in, queues set up
 * as a guest does, and requests. Everything goes to queue `cur`.
 */
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "block/block.h"
#include "control/event.h"
#include "machine.h"
#include "sandbox.h"
#include "tap.h"
#include "virtio/blk.h"
#include "virtio/device.h"
#include "virtio_bus.h"

#define RAM_SIZE	0x80000ULL
#define SECTORS		64
#define NR_QUEUES	2
#define QUEUE_SIZE	128
/* Each queue has its own part of RAM. */
#define PART		0x20000ULL
#define BASE		(cur * PART)
#define DESC		(BASE + 0x1000)
#define AVAIL		(BASE + 0x2000)
#define USED		(BASE + 0x3000)
#define HEADER		(BASE + 0x4000)
#define STATUS		(BASE + 0x4100)
#define DATA		(BASE + 0x8000)

#define T_IN		0
#define T_OUT		1
#define T_FLUSH		4
#define T_GET_ID	8
#define T_DISCARD	11
#define T_ZEROES	13

#define F_NEXT		1
#define F_WRITE		2

static struct machine m;
static struct config cfg;
static const struct device_ops *ops;
static void *disk;
static _Thread_local unsigned int cur;
static u64 not_accepted;	/* features the driver leaves out */
static unsigned int nr_desc[NR_QUEUES];
static u16 avail_idx[NR_QUEUES];
static atomic_uint nr_pauses, nr_events;

void sandbox_thread(enum sandbox_kind kind)
{
	(void)kind;
}

int report(const char *fmt, ...)
{
	(void)fmt;
	return -1;
}

int machine_add_device(struct machine *machine, const struct device_ops *device_ops, void *opaque)
{
	(void)machine;
	ops = device_ops;
	disk = opaque;
	return 0;
}

void machine_pause(struct machine *machine, enum machine_pause reason)
{
	(void)machine;
	nr_pauses += reason == PAUSE_IO_ERROR;
}

void control_event(struct machine *machine, const char *name, const char *format, ...)
{
	(void)machine;
	(void)format;
	nr_events += !strcmp(name, "BLOCK_IO_ERROR");
}

static u8 *at(gpa_t gpa)
{
	return m.mem.ram[0].hva + gpa;
}

static void reset(void)
{
	pthread_mutex_lock(&dev->lock);
	virtio_reset(dev);
	pthread_mutex_unlock(&dev->lock);
}

/* A driver's initialisation; forgets all descriptors. */
static void start(void)
{
	unsigned int q;

	reset();
	pthread_mutex_lock(&dev->lock);
	virtio_set_status(dev, 3);
	virtio_set_features(dev, 0, (u32)(dev->offered & ~(VIRTIO_EVENT_IDX | not_accepted)));
	virtio_set_features(dev, 1, VIRTIO_VERSION_1 >> 32);
	virtio_set_status(dev, 11);
	for (q = 0; q < dev->nr_queues; q++) {
		memset(at(q * PART), 0, 0x8000);
		nr_desc[q] = 0;
		avail_idx[q] = 0;
		dev->queue[q].size = QUEUE_SIZE;
		dev->queue[q].desc_gpa = q * PART + 0x1000;
		dev->queue[q].avail_gpa = q * PART + 0x2000;
		dev->queue[q].used_gpa = q * PART + 0x3000;
		virtio_enable_queue(dev, q);
	}
	virtio_set_status(dev, 15);
	pthread_mutex_unlock(&dev->lock);
}

static void add(u64 addr, u32 len, u16 flags)
{
	struct {
		u64 addr;
		u32 len;
		u16 flags;
		u16 next;
	} d = { addr, len, flags, (u16)(nr_desc[cur] + 1) };

	memcpy(at(DESC + 16 * nr_desc[cur]), &d, sizeof(d));
	nr_desc[cur]++;
}

static bool device_failed(void)
{
	return dev->status & VIRTIO_NEEDS_RESET;
}

/* Offer the chain that starts at descriptor @head, and notify. */
static void offer(u16 head)
{
	u16 *avail = (u16 *)at(AVAIL);

	avail[2 + avail_idx[cur] % QUEUE_SIZE] = head;
	avail_idx[cur]++;
	__atomic_store_n(&avail[1], avail_idx[cur], __ATOMIC_RELEASE);
	dev->ops->notify(dev->opaque, cur);
}

/* True if everything offered comes back within @seconds; false also if the device gave up. */
static bool wait_used(unsigned int seconds)
{
	u16 *used = (u16 *)at(USED);
	struct timespec begin, now;

	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		if (__atomic_load_n(&used[1], __ATOMIC_ACQUIRE) == avail_idx[cur])
			return true;
		if (device_failed())
			return false;
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((unsigned int)(now.tv_sec - begin.tv_sec) < seconds);
	return false;
}

/* Offer the chain that starts at descriptor 0 and wait for it. */
static bool submit(void)
{
	offer(0);
	nr_desc[cur] = 0;
	return wait_used(5);
}

static void header(u32 type, u64 sector)
{
	memcpy(at(HEADER), &type, 4);
	memset(at(HEADER + 4), 0, 4);
	memcpy(at(HEADER + 8), &sector, 8);
	*at(STATUS) = 0xee;
}

/* Header, data of @len bytes, status byte. */
static void chain(u32 type, u32 len)
{
	bool out = type == T_OUT || type == T_DISCARD || type == T_ZEROES;

	add(HEADER, 16, F_NEXT);
	if (len)
		add(DATA, len, out ? F_NEXT : F_NEXT | F_WRITE);
	add(STATUS, 1, F_WRITE);
}

/* One plain request: header, data, status byte. Its status, or -1 if it never came back. */
static int request(u32 type, u64 sector, u32 len)
{
	header(type, sector);
	chain(type, len);
	return submit() ? *at(STATUS) : -1;
}

struct range {
	u64 sector;
	u32 sectors;
	u32 flags;
};

/* A discard or zeroing of one range. */
static inline int request_range(u32 type, u64 sector, u32 sectors, u32 flags)
{
	struct range r = { sector, sectors, flags };

	memcpy(at(DATA), &r, sizeof(r));
	return request(type, 0, sizeof(r));
}

static void set_up_machine(void)
{
	m.cfg = &cfg;
	cfg.nr_drives = 1;
	cfg.nr_vcpus = NR_QUEUES;
	cfg.drive[0] = (struct drive_config){
		.path = "image", .werror = DRIVE_ERROR_ENOSPC,
		.disk = { .queue_size = 256, .logical_block = 512, .physical_block = 4096,
			  .discard = true, .write_zeroes = true, .write_cache = true,
			  .config_wce = true },
	};
	m.mem.nr = 1;
	m.mem.ram[0] = (struct guest_ram){ 0, RAM_SIZE, aligned_alloc(4096, RAM_SIZE) };
	if (!m.mem.ram[0].hva)
		tap_bail("no memory");
	memset(m.mem.ram[0].hva, 0, RAM_SIZE);
}

static void open_disk(struct block *blk)
{
	m.disk[0] = blk;
	if (!m.disk[0] || virtio_blks_create(&m) || ops->start(disk))
		tap_bail("no disk");
}

static inline void close_disk(void)
{
	reset();
	ops->destroy(disk);
	block_close(m.disk[0]);
}
