// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the VMM's disks: requests go to the right bytes of the image, and what a
 * hostile driver sends gets an error and touches nothing. The transport is a stand-in.
 */
#include <sched.h>
#include <time.h>
#include <unistd.h>

#include "block/block.h"
#include "machine.h"
#include "sandbox.h"
#include "tap.h"
#include "virtio/blk.h"
#include "virtio/device.h"
#include "virtio/pci.h"

#define RAM_SIZE	0x80000ULL
#define SECTORS		64
#define DESC		0x1000ULL
#define AVAIL		0x2000ULL
#define USED		0x3000ULL
#define HEADER		0x4000ULL
#define STATUS		0x4100ULL
#define DATA		0x8000ULL

#define T_IN		0
#define T_OUT		1
#define T_FLUSH		4
#define T_GET_ID	8

#define F_NEXT		1
#define F_WRITE		2

static struct machine m;
static struct config cfg;
static struct virtio_dev *dev;
static const struct device_ops *ops;
static void *disk;
static unsigned int nr_desc;
static u16 avail_idx;

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

static void interrupt(void *opaque, unsigned int queue)
{
	(void)opaque;
	(void)queue;
}

static void config_interrupt(void *opaque)
{
	(void)opaque;
}

static const struct virtio_transport transport = {
	.queue_interrupt = interrupt, .config_interrupt = config_interrupt,
};

struct virtio_pci *virtio_pci_create(struct machine *machine, struct virtio_dev *d, u32 class_code)
{
	(void)machine;
	(void)class_code;
	d->transport = &transport;
	dev = d;
	return (struct virtio_pci *)d;
}

void virtio_pci_destroy(struct virtio_pci *vpci)
{
	(void)vpci;
}

void virtio_pci_reset(struct virtio_pci *vpci)
{
	(void)vpci;
	pthread_mutex_lock(&dev->lock);
	virtio_reset(dev);
	pthread_mutex_unlock(&dev->lock);
}

static u8 *at(gpa_t gpa)
{
	return m.mem.ram[0].hva + gpa;
}

/* A driver's initialisation; forgets all descriptors. */
static void start(void)
{
	ops->reset(disk);
	pthread_mutex_lock(&dev->lock);
	memset(at(0), 0, 0x8000);
	nr_desc = 0;
	avail_idx = 0;
	virtio_set_status(dev, 3);
	virtio_set_features(dev, 0, (u32)dev->offered & ~(u32)VIRTIO_EVENT_IDX);
	virtio_set_features(dev, 1, VIRTIO_VERSION_1 >> 32);
	virtio_set_status(dev, 11);
	dev->queue[0].desc_gpa = DESC;
	dev->queue[0].avail_gpa = AVAIL;
	dev->queue[0].used_gpa = USED;
	virtio_enable_queue(dev, 0);
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
	} d = { addr, len, flags, (u16)(nr_desc + 1) };

	memcpy(at(DESC + 16 * nr_desc), &d, sizeof(d));
	nr_desc++;
}

/* Offer the chain that starts at descriptor 0. True if it comes back within five seconds. */
static bool submit(void)
{
	u16 *avail = (u16 *)at(AVAIL), *used = (u16 *)at(USED);
	struct timespec begin, now;

	avail[2 + avail_idx % 128] = 0;
	avail_idx++;
	__atomic_store_n(&avail[1], avail_idx, __ATOMIC_RELEASE);
	dev->ops->notify(dev->opaque, 0);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	do {
		bool failed;

		if (__atomic_load_n(&used[1], __ATOMIC_ACQUIRE) == avail_idx) {
			nr_desc = 0;
			return true;
		}
		pthread_mutex_lock(&dev->lock);
		failed = dev->status & VIRTIO_NEEDS_RESET;
		pthread_mutex_unlock(&dev->lock);
		if (failed)
			return false;
		sched_yield();
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec - begin.tv_sec < 5);
	return false;
}

static void header(u32 type, u64 sector)
{
	memcpy(at(HEADER), &type, 4);
	memset(at(HEADER + 4), 0, 4);
	memcpy(at(HEADER + 8), &sector, 8);
	*at(STATUS) = 0xee;
}

/* One plain request: header, data, status byte. Its status, or -1 if it never came back. */
static int request(u32 type, u64 sector, u32 len)
{
	header(type, sector);
	add(HEADER, 16, F_NEXT);
	if (len)
		add(DATA, len, type == T_OUT ? F_NEXT : F_NEXT | F_WRITE);
	add(STATUS, 1, F_WRITE);
	return submit() ? *at(STATUS) : -1;
}

static u32 written(void)
{
	u32 len;

	memcpy(&len, at(USED + 4 + 8 * ((avail_idx - 1u) % 128) + 4), 4);
	return len;
}

static bool filled(u8 byte, size_t len)
{
	size_t i;

	for (i = 0; i < len && at(DATA)[i] == byte; i++)
		;
	return i == len;
}

static void test_good(const char *path)
{
	u8 block[512];
	FILE *f = fopen(path, "r");

	start();
	memset(at(DATA), 0xa5, 1024);
	tap_ok(!request(T_OUT, 3, 1024) && written() == 1, "two sectors are written");
	tap_ok(f && !fseek(f, 4 * 512, SEEK_SET) && fread(block, 512, 1, f) == 1 &&
	       block[0] == 0xa5 && fread(block, 512, 1, f) == 1 && block[0] == 5, "to their place");
	if (f)
		fclose(f);
	memset(at(DATA), 0, 1024);
	tap_ok(!request(T_IN, 3, 1024) && written() == 1025 && filled(0xa5, 1024), "and read back");
	tap_ok(!request(T_IN, SECTORS - 1, 512) && filled(SECTORS - 1, 512), "the last sector");
	tap_eq(request(T_FLUSH, 0, 0), 0, "flush");
	tap_ok(!request(T_GET_ID, 0, 20) && !strcmp((char *)at(DATA), "mkvm-disk0"), "its id");
	tap_ok(!request(T_GET_ID, 0, 4) && written() == 5, "into a buffer that is too small, too");
	tap_eq(request(99, 0, 512), 2, "an unknown request is not supported");

	/* Header in three pieces, data in uneven ones, status at the end of the last. */
	header(T_IN, 7);
	add(HEADER, 1, F_NEXT);
	add(HEADER + 1, 14, F_NEXT);
	add(HEADER + 15, 1, F_NEXT);
	add(DATA, 3, F_NEXT | F_WRITE);
	add(DATA + 3, 500, F_NEXT | F_WRITE);
	add(DATA + 503, 10, F_WRITE);
	tap_ok(submit() && at(DATA)[512] == 0 && filled(7, 512), "buffers can be cut anywhere");
}

static void test_bad(void)
{
	start();
	memset(at(DATA), 0x77, 2048);
	tap_eq(request(T_IN, SECTORS, 512), 1, "a read behind the end fails");
	tap_eq(request(T_IN, SECTORS - 1, 1024), 1, "so does one across it");
	tap_eq(request(T_OUT, SECTORS, 512), 1, "and a write");
	tap_eq(request(T_IN, UINT64_MAX, 512), 1, "sector 2^64 - 1");
	tap_eq(request(T_IN, UINT64_MAX / 512 + 1, 512), 1, "a sector whose offset wraps");
	tap_eq(request(T_IN, 0, 511), 1, "511 bytes");
	tap_eq(request(T_OUT, 0, 513), 1, "513 bytes");
	tap_ok(filled(0x77, 2048), "none of them touched the buffer");
	tap_ok(!request(T_IN, 0, 512) && filled(0, 512), "nor the disk");

	header(T_IN, 0);
	add(HEADER, 16, 0);
	tap_ok(!submit() && (dev->status & VIRTIO_NEEDS_RESET), "no status byte: it gives up");
	tap_ok(request(T_FLUSH, 0, 0) < 0, "and stays silent");
	start();
	tap_eq(request(T_FLUSH, 0, 0), 0, "until a reset");
	header(T_IN, 0);
	add(HEADER, 15, F_NEXT);
	add(STATUS, 1, F_WRITE);
	tap_ok(!submit(), "a header of 15 bytes: it gives up");
	start();
	add(STATUS, 1, F_WRITE);
	tap_ok(!submit(), "no header: it gives up");
	start();
	header(T_OUT, 0);
	add(HEADER, 16, F_NEXT);
	add(RAM_SIZE - 256, 512, F_NEXT);
	add(STATUS, 1, F_WRITE);
	tap_ok(!submit(), "a buffer that leaves RAM: it gives up");
	start();
	tap_ok(!request(T_IN, 0, 512) && filled(0, 512), "the disk was not touched");
}

static void test_random(void)
{
	unsigned int i, j, answered = 0;

	srandom(1);
	for (i = 0; i < 3000; i++) {
		unsigned int n = 1 + (unsigned int)random() % 5;

		if (!(i % 8) || (dev->status & VIRTIO_NEEDS_RESET))
			start();
		header((u32)random() % 10, (u64)random() % (SECTORS + 4));
		nr_desc = 0;
		add(HEADER, 16, F_NEXT);
		for (j = 0; j < n; j++)
			add(DATA + (u64)random() % 0x1000, (u32)random() % 2048,
			    (u16)((j < n - 1 ? F_NEXT : 0) | (random() & F_WRITE)));
		answered += submit();
	}
	start();
	tap_ok(answered && request(T_FLUSH, 0, 0) == 0, "random requests: %u of 3000 answered",
	       answered);
}

static struct block *open_raw(const char *path, bool readonly)
{
	struct block_options opts = { .format = "raw", .readonly = readonly };

	return block_open(path, &opts);
}

static void open_disk(const char *path, bool readonly)
{
	m.disk[0] = open_raw(path, readonly);
	if (!m.disk[0] || virtio_blks_create(&m) || ops->start(disk))
		tap_bail("no disk");
}

static void close_disk(void)
{
	ops->destroy(disk);
	block_close(m.disk[0]);
}

int main(void)
{
	char path[] = "/tmp/blk_test.XXXXXX";
	int fd = mkstemp(path), i;
	u8 block[512];

	for (i = 0; i < SECTORS; i++) {
		memset(block, i, sizeof(block));
		if (fd < 0 || write(fd, block, sizeof(block)) != (ssize_t)sizeof(block))
			tap_bail("no image");
	}
	m.cfg = &cfg;
	cfg.nr_drives = 1;
	m.mem.nr = 1;
	m.mem.ram[0] = (struct guest_ram){ 0, RAM_SIZE, aligned_alloc(4096, RAM_SIZE) };
	if (!m.mem.ram[0].hva)
		tap_bail("no memory");
	memset(m.mem.ram[0].hva, 0, RAM_SIZE);
	tap_plan(0);
	open_disk(path, false);
	test_good(path);
	test_bad();
	tap_ok(!open_raw(path, false), "a second writer is refused");
	tap_ok(!open_raw(path, true), "and a reader");
	test_random();
	if (ftruncate(fd, 10 * 512))
		tap_bail("cannot cut the image");
	start();
	tap_eq(request(T_IN, 20, 512), 1, "an image cut behind our back gives an error");
	close_disk();
	open_disk(path, true);
	start();
	tap_ok((dev->offered & BIT(5)) && request(T_OUT, 0, 512) == 1, "read-only: no writes");
	tap_eq(request(T_IN, 0, 512), 0, "but read");
	close_disk();
	unlink(path);
	close(fd);
	free(m.mem.ram[0].hva);
	return tap_done();
}
