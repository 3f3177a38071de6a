// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the entropy device and the virtio console: bytes arrive whole and in order, the
 * rate is kept, and a driver that breaks the rules harms only itself. The transport, the stream and
 * the options are stand-ins.
 */
#include <sched.h>
#include <stdarg.h>
#include <time.h>
#include <unistd.h>

#include "chardev.h"
#include "config_parse.h"
#include "machine.h"
#include "sandbox.h"
#include "tap.h"
#include "virtio/console.h"
#include "virtio/device.h"
#include "virtio_bus.h"
#include "virtio/rng.h"

#define RAM_SIZE	0x80000ULL
#define RING(q)		(0x1000ULL + (q) * 0x4000ULL)
#define AVAIL(q)	(RING(q) + 0x1000)
#define USED(q)		(RING(q) + 0x2000)
#define DATA		0x10000ULL
#define SIZE		8

#define F_NEXT		1
#define F_WRITE		2

static struct machine m;
static struct config cfg;
static const struct device_ops *ops;
static void *device;
static u16 avail_idx[2];
static u64 max_bytes, period;
static u8 sent[20000];
static size_t nr_sent;
static const struct chardev_frontend *frontend;
static void *frontend_opaque;
static pthread_mutex_t sent_lock = PTHREAD_MUTEX_INITIALIZER;

int report(const char *fmt, ...)
{
	(void)fmt;
	return -1;
}

int device_report(const struct device_config *d, const char *fmt, ...)
{
	(void)d;
	(void)fmt;
	return -1;
}

const char *device_value(const struct device_config *d, const char *key)
{
	(void)d;
	(void)key;
	return NULL;
}

int device_number(const struct device_config *d, const char *key, u64 min, u64 max, u64 *value)
{
	(void)d;
	(void)min;
	(void)max;
	*value = *key == 'm' ? max_bytes : period;
	return 0;
}

struct chardev_config *config_take_chardev(struct config *c, const char *user, const char *id)
{
	(void)c;
	(void)user;
	(void)id;
	return NULL;
}

void sandbox_thread(enum sandbox_kind kind)
{
	(void)kind;
}

int machine_add_device(struct machine *machine, const struct device_ops *device_ops, void *opaque)
{
	(void)machine;
	ops = device_ops;
	device = opaque;
	return 0;
}

void chardev_send(struct chardev *chr, const u8 *data, size_t len)
{
	(void)chr;
	pthread_mutex_lock(&sent_lock);
	memcpy(sent + nr_sent, data, len);
	nr_sent += len;
	pthread_mutex_unlock(&sent_lock);
}

bool chardev_has_input(struct chardev *chr)
{
	(void)chr;
	return false;
}

void chardev_kick(struct chardev *chr)
{
	(void)chr;
}

void chardev_attach(struct chardev *chr, const struct chardev_frontend *f, void *opaque)
{
	(void)chr;
	frontend = f;
	frontend_opaque = opaque;
}

static u8 *at(gpa_t gpa)
{
	return m.mem.ram[0].hva + gpa;
}

/* A driver's initialisation. */
static void start(void)
{
	unsigned int q;

	ops->reset(device);
	pthread_mutex_lock(&dev->lock);
	memset(at(0), 0, 0x10000);
	virtio_set_status(dev, 3);
	virtio_set_features(dev, 0, 0);
	virtio_set_features(dev, 1, VIRTIO_VERSION_1 >> 32);
	virtio_set_status(dev, 11);
	for (q = 0; q < dev->nr_queues; q++) {
		avail_idx[q] = 0;
		dev->queue[q].size = SIZE;
		dev->queue[q].desc_gpa = RING(q);
		dev->queue[q].avail_gpa = AVAIL(q);
		dev->queue[q].used_gpa = USED(q);
		virtio_enable_queue(dev, q);
	}
	virtio_set_status(dev, 15);
	pthread_mutex_unlock(&dev->lock);
}

static void describe(unsigned int q, unsigned int nr, u64 addr, u32 len, u16 flags)
{
	struct {
		u64 addr;
		u32 len;
		u16 flags;
		u16 next;
	} d = { addr, len, flags, (u16)(nr + 1) };

	memcpy(at(RING(q) + 16 * nr), &d, sizeof(d));
}

/* Offer the chain that starts at @head. */
static void offer(unsigned int q, u16 head)
{
	u16 *avail = (u16 *)at(AVAIL(q));

	avail[2 + avail_idx[q] % SIZE] = head;
	__atomic_store_n(&avail[1], ++avail_idx[q], __ATOMIC_RELEASE);
	dev->ops->notify(dev->opaque, q);
}

/* Bytes written for the last chain, once all are back; -1: two seconds were not enough. */
static s64 wait_used(unsigned int q)
{
	u16 *used = (u16 *)at(USED(q));
	unsigned int i;
	u32 len;

	for (i = 0; i < 2000; i++) {
		if (__atomic_load_n(&used[1], __ATOMIC_ACQUIRE) == avail_idx[q]) {
			memcpy(&len, at(USED(q) + 4 + 8 * ((avail_idx[q] - 1u) % SIZE) + 4), 4);
			return len;
		}
		if (dev->status & VIRTIO_NEEDS_RESET)
			return -1;
		usleep(1000);
	}
	return -1;
}

static bool create(const struct device_model *model, u64 bytes, u64 msec)
{
	struct device_config d = { .model = model, .port = 1 };

	max_bytes = bytes;
	period = msec;
	return !model->create(&m, &d) && !ops->start(device);
}

static bool all_zero(gpa_t gpa, size_t len)
{
	while (len--) {
		if (*at(gpa++))
			return false;
	}
	return true;
}

static void test_rng(void)
{
	struct timespec begin, end;
	unsigned int i;

	tap_ok(create(&virtio_rng_model, MIB, 1000), "an entropy device");
	start();
	describe(0, 0, DATA, 3, F_NEXT | F_WRITE);
	describe(0, 1, DATA + 0x100, 61, F_WRITE);
	offer(0, 0);
	tap_ok(wait_used(0) == 64 && !all_zero(DATA + 0x100, 61), "fills all buffers");
	tap_ok(all_zero(DATA + 3, 0x100 - 3) && all_zero(DATA + 0x100 + 61, 100), "and no more");
	describe(0, 0, DATA, 0x20000, F_WRITE);
	offer(0, 0);
	tap_eq(wait_used(0), 0x10000, "so much at once");
	describe(0, 0, DATA, 8, 0);
	offer(0, 0);
	tap_ok(wait_used(0) < 0 && (dev->status & VIRTIO_NEEDS_RESET), "takes no bytes");
	start();
	describe(0, 0, DATA, 8, F_WRITE);
	offer(0, 0);
	tap_eq(wait_used(0), 8, "works again after a reset");
	describe(0, 0, RAM_SIZE - 4, 8, F_WRITE);
	offer(0, 0);
	tap_ok(wait_used(0) < 0, "refuses buffers outside RAM");
	ops->destroy(device);

	tap_ok(create(&virtio_rng_model, 100, 200), "100 bytes in 200 ms");
	start();
	clock_gettime(CLOCK_MONOTONIC, &begin);
	for (i = 0; i < 4; i++) {
		describe(0, i, DATA + 0x100 * i, 60, F_WRITE);
		offer(0, (u16)i);
	}
	tap_eq(wait_used(0), 40, "four requests of 60: each gets what is left");
	clock_gettime(CLOCK_MONOTONIC, &end);
	i = (unsigned int)((end.tv_sec - begin.tv_sec) * 1000 +
			   (end.tv_nsec - begin.tv_nsec) / 1000000);
	tap_ok(i >= 195 && i < 1500, "take more than one period (%u ms)", i);
	ops->destroy(device);
}

static void test_console_output(void)
{
	u8 *data = at(DATA);
	unsigned int i;

	for (i = 0; i < 5000; i++)
		data[i] = (u8)(i * 7);
	describe(1, 0, DATA, 1000, F_NEXT);
	describe(1, 1, DATA + 1000, 4000, 0);
	offer(1, 0);
	tap_ok(wait_used(1) == 0 && nr_sent == 5000 && !memcmp(sent, data, 5000),
	       "output arrives, in order");
	describe(1, 0, RAM_SIZE, 16, 0);
	offer(1, 0);
	tap_ok(wait_used(1) < 0 && nr_sent == 5000, "not from outside RAM");
}

static void test_console_input(void)
{
	tap_eq(frontend->room(frontend_opaque), 0, "no buffer, no room for input");
	describe(0, 0, DATA, 3, F_NEXT | F_WRITE);
	describe(0, 1, DATA + 0x100, 10, F_WRITE);
	offer(0, 0);
	tap_eq(frontend->room(frontend_opaque), 13, "room as the buffer has");
	frontend->receive(frontend_opaque, (const u8 *)"hello", 5);
	tap_ok(wait_used(0) == 5 && !memcmp(at(DATA), "hel", 3) && !memcmp(at(DATA + 0x100), "lo", 2),
	       "input arrives");
	tap_eq(frontend->room(frontend_opaque), 0, "each buffer once");
	describe(0, 0, DATA, 10, F_WRITE);
	offer(0, 0);
	tap_eq(frontend->room(frontend_opaque), 10, "a buffer is taken");
	start();
	frontend->receive(frontend_opaque, (const u8 *)"late", 4);
	tap_ok(all_zero(USED(0), 16) && frontend->room(frontend_opaque) == 0,
	       "and forgotten at a reset");
	describe(0, 0, DATA, 10, 0);
	offer(0, 0);
	tap_ok(frontend->room(frontend_opaque) == 0 && (dev->status & VIRTIO_NEEDS_RESET),
	       "a buffer that cannot be written");
}

/* Resets while the driver floods both queues. */
static void test_reset_storm(void)
{
	unsigned int i;
	u16 j;

	for (i = 0; i < 200; i++) {
		nr_sent = 0;
		start();
		for (j = 0; j < 8; j++) {
			describe(1, j, DATA, 16, 0);
			offer(1, j);
			describe(0, j, DATA + 0x1000, 16, F_WRITE);
			offer(0, j);
		}
		if (frontend->room(frontend_opaque))
			frontend->receive(frontend_opaque, (const u8 *)"x", 1);
	}
	tap_ok(wait_used(1) == 0, "a reset storm harms nobody");
}

int main(void)
{
	tap_plan(0);
	if (guest_mem_create(&m.mem, RAM_SIZE))
		tap_bail("no memory");
	m.cfg = &cfg;
	test_rng();
	tap_ok(create(&virtio_serial_model, 1, 1), "a console");
	start();
	test_console_output();
	start();
	test_console_input();
	test_reset_storm();
	ops->destroy(device);
	guest_mem_destroy(&m.mem);
	return tap_done();
}
