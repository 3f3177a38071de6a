// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of virtio disks whose image fails, or takes its time: an error goes to one
 * request, is kept or ignored as the options say; a reset waits for what is in flight and drops
 * what is kept; writes are flushed when the driver has no cache to flush. The image is a stand-in.
 */
#include <errno.h>
#include <fcntl.h>

#include "blk_driver.h"
#include "block/format.h"

#define SECTORS		64
#define DISK_SIZE	(SECTORS * 512)

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	u8 data[DISK_SIZE];
	int read_error, write_error, flush_error;	/* what calls give, while not 0 */
	bool held;		/* calls wait */
	unsigned int waiting;
	unsigned int nr_writes, nr_flushes, nr_calls;
	unsigned int unflushed;	/* writes since the last flush */
	int map_fd;		/* where transfers by the ring go, and fail; -1: nowhere */
	unsigned int nr_maps;
} image = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER, .map_fd = -1 };

static void enter(void)
{
	pthread_mutex_lock(&image.lock);
	image.nr_calls++;
	image.waiting++;
	pthread_cond_broadcast(&image.changed);
	while (image.held)
		pthread_cond_wait(&image.changed, &image.lock);
	image.waiting--;
}

static int leave(int error)
{
	pthread_mutex_unlock(&image.lock);
	return error;
}

static void hold_calls(bool held)
{
	pthread_mutex_lock(&image.lock);
	image.held = held;
	pthread_cond_broadcast(&image.changed);
	pthread_mutex_unlock(&image.lock);
}

static void wait_for_calls(unsigned int n)
{
	pthread_mutex_lock(&image.lock);
	while (image.waiting < n)
		pthread_cond_wait(&image.changed, &image.lock);
	pthread_mutex_unlock(&image.lock);
}

static int fake_readv(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	unsigned int i;

	(void)blk;
	enter();
	for (i = 0; i < nr && !image.read_error; i++) {
		memcpy(iov[i].iov_base, image.data + offset, iov[i].iov_len);
		offset += iov[i].iov_len;
	}
	return leave(image.read_error);
}

static int fake_writev(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	unsigned int i;

	(void)blk;
	enter();
	image.nr_writes++;
	for (i = 0; i < nr && !image.write_error; i++) {
		memcpy(image.data + offset, iov[i].iov_base, iov[i].iov_len);
		offset += iov[i].iov_len;
		image.unflushed++;
	}
	return leave(image.write_error);
}

static int fake_zero(struct block *blk, u64 offset, u64 len, bool unmap)
{
	(void)blk;
	(void)unmap;
	enter();
	if (!image.write_error)
		memset(image.data + offset, 0, len);
	image.unflushed++;
	return leave(image.write_error);
}

static int fake_discard(struct block *blk, u64 offset, u64 len)
{
	(void)blk;
	(void)offset;
	(void)len;
	enter();
	return leave(image.write_error);
}

static int fake_flush(struct block *blk)
{
	(void)blk;
	enter();
	image.nr_flushes++;
	image.unflushed = 0;
	return leave(image.flush_error);
}

static int fake_map(struct block *blk, u64 offset, u64 len, bool write, struct block_extent *ext)
{
	(void)blk;
	(void)write;
	if (image.map_fd < 0)
		return -EOPNOTSUPP;
	/* Pieces of a sector, so that requests have several parts. */
	image.nr_maps++;
	ext->kind = BLOCK_DATA;
	ext->len = len < 512 ? len : 512;
	ext->fd = image.map_fd;
	ext->host_offset = offset;
	return 0;
}

static void fake_close(struct block *blk)
{
	free(blk);
}

static const struct block_format fake_format = {
	.name = "fake", .readv = fake_readv, .writev = fake_writev, .write_zeroes = fake_zero,
	.discard = fake_discard, .flush = fake_flush, .map = fake_map, .close = fake_close,
};

static struct block *fake_image(void)
{
	struct block *blk = calloc(1, sizeof(*blk));

	if (!blk)
		tap_bail("no memory");
	blk->format = &fake_format;
	blk->size = DISK_SIZE;
	blk->align = 1;
	image.read_error = image.write_error = image.flush_error = 0;
	memset(image.data, 0, sizeof(image.data));
	nr_pauses = 0;
	return blk;
}

static void test_errors(void)
{
	start();
	nr_events = 0;
	image.read_error = -EIO;
	tap_eq(request(T_IN, 0, 512), 1, "a read that fails is an error");
	tap_eq(request(T_OUT, 0, 512), 0, "of that request alone");
	image.read_error = 0;
	tap_eq(request(T_IN, 0, 512), 0, "and not of the next");
	image.write_error = -EIO;
	tap_eq(request(T_OUT, 0, 512), 1, "a write");
	tap_eq(request_range(T_DISCARD, 0, 1, 0), 1, "a discard");
	tap_eq(request_range(T_ZEROES, 0, 1, 0), 1, "zeroes");
	image.write_error = 0;
	image.flush_error = -EIO;
	tap_eq(request(T_FLUSH, 0, 0), 1, "a flush");
	image.flush_error = 0;
	tap_ok(!nr_pauses, "none of them pauses the guest");
	tap_eq(nr_events, 5, "clients of the control socket hear of each");
}

static bool wait_for_pause(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < 5000 && nr_pauses < n; i++)
		usleep(1000);
	return nr_pauses == n;
}

static void test_no_space(void)
{
	start();
	nr_pauses = 0;
	memset(at(DATA), 0x31, 512);
	image.write_error = -ENOSPC;
	header(T_OUT, 5);
	chain(T_OUT, 512);
	offer(0);
	tap_ok(wait_for_pause(1) && *at(STATUS) == 0xee, "no space: the guest is paused");
	/* The other queue goes on; the same disk, so it is kept, too. */
	cur = 1;
	memset(at(DATA), 0x32, 512);
	header(T_OUT, 6);
	chain(T_OUT, 512);
	offer(0);
	tap_ok(wait_for_pause(2) && *at(STATUS) == 0xee, "so it is for a request of another queue");
	cur = 0;
	ops->resumed(disk);
	tap_ok(wait_for_pause(4) && *at(STATUS) == 0xee, "there is still no space: both wait on");
	image.write_error = 0;
	ops->resumed(disk);
	tap_ok(wait_used(5) && !*at(STATUS) && image.data[5 * 512] == 0x31, "now there is");
	cur = 1;
	tap_ok(wait_used(5) && !*at(STATUS) && image.data[6 * 512] == 0x32, "for the other, too");
	cur = 0;
	nr_desc[0] = nr_desc[1] = 0;

	image.write_error = -ENOSPC;
	header(T_OUT, 7);
	chain(T_OUT, 512);
	nr_pauses = 0;
	offer(0);
	tap_ok(wait_for_pause(1), "one more is kept");
	reset();
	memset(at(0), 0x66, 0x8000);
	image.write_error = 0;
	ops->resumed(disk);
	usleep(20000);
	tap_ok(*at(STATUS) == 0x66 && image.data[7 * 512] != 0x31, "a reset drops it");
	start();
	tap_eq(request(T_OUT, 7, 512), 0, "and the disk works");
}

static void test_policies(void)
{
	struct drive_config *d = &cfg.drive[0];

	start();
	nr_pauses = 0;
	d->werror = DRIVE_ERROR_REPORT;
	image.write_error = -ENOSPC;
	tap_eq(request(T_OUT, 0, 512), 1, "werror=report: no space is an error");
	d->werror = DRIVE_ERROR_IGNORE;
	tap_eq(request(T_OUT, 0, 512), 0, "werror=ignore: it is none");
	image.read_error = -EIO;
	d->rerror = DRIVE_ERROR_IGNORE;
	tap_eq(request(T_IN, 0, 512), 0, "rerror=ignore");
	tap_eq(nr_pauses, 0, "no pause so far");
	d->rerror = DRIVE_ERROR_STOP;
	header(T_IN, 0);
	chain(T_IN, 512);
	offer(0);
	tap_ok(wait_for_pause(1) && *at(STATUS) == 0xee, "rerror=stop: a read is kept");
	image.read_error = 0;
	ops->resumed(disk);
	tap_ok(wait_used(5) && !*at(STATUS), "and done when the guest goes on");
	nr_desc[0] = 0;
	d->werror = DRIVE_ERROR_ENOSPC;
	d->rerror = DRIVE_ERROR_REPORT;
	image.write_error = 0;
}

static void *reset_thread(void *opaque)
{
	reset();
	atomic_store((atomic_bool *)opaque, true);
	return NULL;
}

static void test_reset_in_flight(void)
{
	atomic_bool done = false;
	pthread_t thread;
	unsigned int i;

	start();
	hold_calls(true);
	for (i = 0; i < 4; i++) {
		cur = i % 2;
		header(T_IN, i);
		nr_desc[cur] = 0;
		chain(T_IN, 512);
		offer(0);
	}
	wait_for_calls(4);
	cur = 0;
	if (pthread_create(&thread, NULL, reset_thread, &done))
		tap_bail("no thread");
	usleep(30000);
	tap_ok(!atomic_load(&done), "a reset waits for requests in flight");
	hold_calls(false);
	pthread_join(thread, NULL);
	memset(at(0), 0x66, 2 * PART);
	usleep(10000);
	for (i = 0; i < 2 * PART && *at(i) == 0x66; i++)
		;
	tap_eq(i, 2 * PART, "and then nothing touches RAM any more");
	start();
	tap_eq(request(T_IN, 0, 512), 0, "the disk works");
}

static void switch_cache(u8 on)
{
	pthread_mutex_lock(&dev->lock);
	dev->ops->config_write(dev->opaque, offsetof(struct blk_config, writeback), &on, 1);
	pthread_mutex_unlock(&dev->lock);
}

static void test_cache(void)
{
	unsigned int before;

	start();
	request(T_FLUSH, 0, 0);
	before = image.nr_flushes;
	tap_ok(!request(T_OUT, 0, 512) && image.nr_flushes == before, "write-back: no flush");
	switch_cache(0);
	tap_ok(!request(T_OUT, 0, 512) && !image.unflushed, "write-through: flushed");
	tap_ok(!request_range(T_ZEROES, 0, 1, 0) && !image.unflushed, "zeroes, too");
	image.flush_error = -EIO;
	tap_eq(request(T_OUT, 0, 512), 1, "a flush that fails makes the write fail");
	image.flush_error = 0;
	switch_cache(1);
	before = image.nr_flushes;
	tap_ok(!request(T_OUT, 0, 512) && image.nr_flushes == before, "write-back again");
	switch_cache(0);
	start();
	tap_ok(!request(T_OUT, 0, 512) && image.nr_flushes == before, "as after every reset");
	not_accepted = BLK_F_CONFIG_WCE;
	start();
	switch_cache(0);
	tap_ok(!request(T_OUT, 0, 512) && image.nr_flushes == before,
	       "only a driver that asked for it can switch");
	not_accepted = BLK_F_FLUSH;
	start();
	tap_ok(!request(T_OUT, 0, 512) && !image.unflushed, "a driver that cannot flush need not");
	cfg.drive[0].unsafe = true;
	before = image.nr_flushes;
	tap_ok(!request(T_OUT, 0, 512) && image.nr_flushes == before, "cache=unsafe does not care");
	not_accepted = 0;
	start();
	tap_ok(!request(T_FLUSH, 0, 0) && image.nr_flushes == before, "nor for flushes");
	cfg.drive[0].unsafe = false;
}

/* The ring's own transfers fail, or stop early: the slow way has the last word. */
static void test_ring_errors(void)
{
	unsigned int before;
	char empty[] = "/tmp/blk_fault_test.XXXXXX";

	start();
	image.map_fd = open("/dev/full", O_RDWR | O_CLOEXEC);
	if (image.map_fd < 0)
		tap_bail("no /dev/full");
	before = image.nr_writes;
	memset(at(DATA), 0x77, 2048);
	tap_ok(!request(T_OUT, 8, 2048) && image.nr_writes == before + 1 &&
	       image.data[8 * 512] == 0x77, "a transfer that fails is done the slow way");
	image.write_error = -ENOSPC;
	nr_pauses = 0;
	header(T_OUT, 8);
	chain(T_OUT, 2048);
	offer(0);
	tap_ok(wait_for_pause(1), "whose error counts");
	image.write_error = 0;
	ops->resumed(disk);
	tap_ok(wait_used(5) && !*at(STATUS), "and which is tried again");
	nr_desc[0] = 0;
	close(image.map_fd);
	image.map_fd = mkstemp(empty);
	unlink(empty);
	memset(at(DATA), 0, 2048);
	tap_ok(!request(T_IN, 8, 2048) && at(DATA)[0] == 0x77, "so is a read that stops early");
	switch_cache(0);
	before = image.nr_flushes;
	tap_ok(!request(T_OUT, 0, 2048) && image.nr_flushes == before + 1,
	       "a write by the ring is flushed, too, where that is due");
	tap_ok(image.nr_maps > 4, "requests of several parts");
	close(image.map_fd);
	image.map_fd = -1;
}

/* Random requests on both queues, errors now and then, while another thread resets. */
static void *storm(void *opaque)
{
	unsigned int i, seed = *(unsigned int *)opaque + 1;

	cur = *(unsigned int *)opaque;
	for (i = 0; i < 3000; i++) {
		u16 *avail = (u16 *)at(AVAIL);

		header((u32)rand_r(&seed) % 14, (u64)rand_r(&seed) % (SECTORS + 2));
		nr_desc[cur] = 0;
		chain((u32)rand_r(&seed) % 2, 512 * ((u32)rand_r(&seed) % 4));
		avail[2 + i % QUEUE_SIZE] = (u16)(rand_r(&seed) % 4 ? 0 : rand_r(&seed) % 256);
		__atomic_store_n(&avail[1], (u16)(i + 1), __ATOMIC_RELEASE);
		dev->ops->notify(dev->opaque, cur);
		if (i % 64 == 0)
			image.write_error = (i / 64) % 3 ? 0 : -ENOSPC;
	}
	return NULL;
}

static void test_storm(void)
{
	unsigned int nr[NR_QUEUES] = { 0, 1 }, i;
	pthread_t thread[NR_QUEUES];

	start();
	for (i = 0; i < NR_QUEUES; i++)
		if (pthread_create(&thread[i], NULL, storm, &nr[i]))
			tap_bail("no thread");
	for (i = 0; i < 300; i++) {
		if (i % 4 == 3)
			ops->resumed(disk);
		start();
	}
	for (i = 0; i < NR_QUEUES; i++)
		pthread_join(thread[i], NULL);
	image.write_error = 0;
	start();
	tap_eq(request(T_IN, 0, 512), 0, "a storm of requests and resets");
}

static int sync_error;

/* In place of the C library's. */
int fdatasync(int fd)
{
	(void)fd;
	errno = sync_error;
	return sync_error ? -1 : 0;
}

/* The kernel tells of a failed write-back once. The disk remembers. */
static void test_lost_pages(void)
{
	char path[] = "/tmp/blk_fault_test.XXXXXX";
	struct block_options opts = { .format = "raw" };
	int fd = mkstemp(path);

	if (fd < 0 || ftruncate(fd, DISK_SIZE))
		tap_bail("no image");
	open_disk(block_open(path, &opts));
	start();
	tap_eq(request(T_FLUSH, 0, 0), 0, "a flush of a file");
	sync_error = EIO;
	tap_eq(request(T_FLUSH, 0, 0), 1, "one that fails");
	sync_error = 0;
	tap_eq(request(T_FLUSH, 0, 0), 1, "after which none succeeds");
	close_disk();
	unlink(path);
	close(fd);
}

static void test_all(void)
{
	open_disk(fake_image());
	test_errors();
	test_no_space();
	test_policies();
	test_reset_in_flight();
	test_cache();
	if (cfg.drive[0].aio != DRIVE_AIO_THREADS && !aio_ring_available())
		test_ring_errors();
	test_storm();
	close_disk();
}

int main(void)
{
	set_up_machine();
	tap_plan(0);
	test_all();
	test_lost_pages();
	cfg.drive[0].aio = DRIVE_AIO_THREADS;
	test_all();
	free(m.mem.ram[0].hva);
	return tap_done();
}
