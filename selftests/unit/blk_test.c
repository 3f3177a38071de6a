// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the VMM's disks: requests go to the right bytes of the image, and what a
 * hostile driver sends gets an error and touches nothing. All of it by io_uring and by threads.
 */
#include "blk_driver.h"

#define SECTORS		64

static u32 written(void)
{
	u32 len;

	memcpy(&len, at(USED + 4 + 8 * ((avail_idx[cur] - 1u) % QUEUE_SIZE) + 4), 4);
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
	tap_ok(!submit() && device_failed(), "no status byte: it gives up");
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

		if (!(i % 8) || device_failed())
			start();
		header((u32)random() % 10, (u64)random() % (SECTORS + 4));
		nr_desc[cur] = 0;
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

static u32 config32(unsigned int offset)
{
	u32 value = 0;

	pthread_mutex_lock(&dev->lock);
	dev->ops->config_read(dev->opaque, offset, &value, 4);
	pthread_mutex_unlock(&dev->lock);
	return value;
}

static void test_config(void)
{
	start();
	tap_eq(config32(0), SECTORS, "capacity");
	tap_eq(config32(12), 254, "buffers of a request");
	tap_eq(config32(20), 512, "block size");
	tap_eq(config32(24) & 0xff, 3, "eight of them are a physical one");
	tap_eq(config32(32) >> 16, NR_QUEUES, "queues");
	tap_ok(config32(36) == BLK_MAX_RANGE_SECTORS && config32(40) == 1 && config32(44) == 8,
	       "limits of discards");
	tap_ok(config32(48) == BLK_MAX_RANGE_SECTORS && config32(52) == 1 && config32(56) == 1,
	       "and of writes of zeroes, which may unmap");
	tap_eq(config32(32) & 0xff, 1, "the cache is on");
	tap_ok((dev->offered & (BIT(5) | BIT(12) | BIT(13) | BIT(14) | BIT(9) | BIT(11))) ==
	       (BIT(12) | BIT(13) | BIT(14) | BIT(9) | BIT(11)), "the features say so");
}

static void test_ranges(void)
{
	unsigned int i;

	start();
	memset(at(DATA), 0xa5, 4096);
	tap_eq(request(T_OUT, 8, 4096), 0, "four KiB are written");
	tap_eq(request_range(T_ZEROES, 9, 2, 0), 0, "two sectors are zeroed");
	tap_eq(request(T_IN, 8, 4096), 0, "read back");
	for (i = 0; i < 4096 && at(DATA)[i] == (i / 512 == 1 || i / 512 == 2 ? 0 : 0xa5); i++)
		;
	tap_eq(i, 4096, "these and no others");
	tap_eq(request_range(T_ZEROES, 8, 8, 1), 0, "with unmap");
	tap_ok(!request(T_IN, 8, 4096) && filled(0, 4096), "they read as zeroes");
	tap_eq(request_range(T_DISCARD, 8, 8, 0), 0, "a discard");
	tap_eq(request_range(T_DISCARD, 8, 8, 1), 2, "with the unmap bit: not supported");
	tap_eq(request_range(T_ZEROES, 8, 8, 2), 2, "an unknown bit: not supported");
	tap_eq(request_range(T_DISCARD, SECTORS, 1, 0), 1, "behind the end");
	tap_eq(request_range(T_DISCARD, SECTORS - 1, 2, 0), 1, "across it");
	tap_eq(request_range(T_ZEROES, UINT64_MAX, 2, 0), 1, "a range that wraps");
	tap_eq(request_range(T_ZEROES, 0, UINT32_MAX, 0), 1, "one longer than the limit");
	tap_eq(request_range(T_DISCARD, 4, 0, 0), 0, "an empty one does nothing");
	tap_eq(request(T_DISCARD, 0, 15), 1, "15 bytes are no range");
	tap_eq(request(T_DISCARD, 0, 32), 1, "two are more than the limit");
	tap_eq(request(T_ZEROES, 0, 0), 1, "none is too few");
	tap_ok(!request(T_IN, 5, 512) && filled(5, 512), "none of them touched the disk");
	not_accepted = BIT(13) | BIT(14);
	start();
	tap_ok(request_range(T_DISCARD, 8, 8, 0) == 2 && request_range(T_ZEROES, 8, 8, 0) == 2,
	       "a driver that did not ask for it does not get it");
	not_accepted = 0;
}

/* Both queues at once, a chain of requests each. */
static void *queue_traffic(void *opaque)
{
	unsigned int i, wrong = 0;

	cur = *(unsigned int *)opaque;
	for (i = 0; i < 500; i++) {
		u8 byte = (u8)(cur * 100 + i);
		u64 sector = 16 + cur * 8 + i % 8;

		memset(at(DATA), byte, 512);
		wrong += request(T_OUT, sector, 512) != 0;
		memset(at(DATA), 0, 512);
		wrong += request(T_IN, sector, 512) != 0 || !filled(byte, 512);
	}
	return (void *)(uintptr_t)wrong;
}

static void test_two_queues(void)
{
	unsigned int nr[NR_QUEUES] = { 0, 1 }, i;
	pthread_t thread[NR_QUEUES];
	void *wrong, *all = NULL;

	start();
	for (i = 0; i < NR_QUEUES; i++)
		if (pthread_create(&thread[i], NULL, queue_traffic, &nr[i]))
			tap_bail("no thread");
	for (i = 0; i < NR_QUEUES; i++) {
		pthread_join(thread[i], &wrong);
		all = wrong ? wrong : all;
	}
	tap_ok(!all, "two queues at once");
}

/* As many requests as the queue holds, in one batch, then a reset in the middle of another. */
static void test_batch(void)
{
	unsigned int i, round, wrong = 0;

	for (round = 0; round < 50; round++) {
		start();
		for (i = 0; i < QUEUE_SIZE / 3; i++) {
			header(T_IN, 0);
			add(HEADER, 16, F_NEXT);
			add(DATA + 512 * i, 512, F_NEXT | F_WRITE);
			add(HEADER + 0x200 + i, 1, F_WRITE);
			*at(HEADER + 0x200 + i) = 0xee;
		}
		for (i = 0; i < QUEUE_SIZE / 3; i++)
			offer((u16)(3 * i));
		if (round % 2) {
			reset();
			memset(at(HEADER + 0x200), 0x55, QUEUE_SIZE);
			sched_yield();
			for (i = 0; i < QUEUE_SIZE / 3; i++)
				wrong += *at(HEADER + 0x200 + i) != 0x55;
			continue;
		}
		wrong += !wait_used(5);
		for (i = 0; i < QUEUE_SIZE / 3; i++)
			wrong += *at(HEADER + 0x200 + i) != 0;
	}
	tap_ok(!wrong, "batches of requests, and resets in the middle of them");
}

static struct block *open_raw(const char *path, bool readonly)
{
	struct block_options opts = { .format = "raw", .readonly = readonly };

	return block_open(path, &opts);
}

static void fill_image(int fd)
{
	u8 block[512];
	int i;

	for (i = 0; i < SECTORS; i++) {
		memset(block, i, sizeof(block));
		if (fd < 0 || pwrite(fd, block, sizeof(block), i * 512) != (ssize_t)sizeof(block))
			tap_bail("no image");
	}
}

static void test_all(const char *path, int fd)
{
	fill_image(fd);
	open_disk(open_raw(path, false));
	test_config();
	test_good(path);
	test_bad();
	test_ranges();
	test_batch();
	test_two_queues();
	tap_ok(!open_raw(path, false), "a second writer is refused");
	tap_ok(!open_raw(path, true), "and a reader");
	test_random();
	if (ftruncate(fd, 10 * 512))
		tap_bail("cannot cut the image");
	start();
	tap_eq(request(T_IN, 20, 512), 1, "an image cut behind our back gives an error");
	tap_eq(request(T_IN, 2, 512), 0, "to that request alone");
	close_disk();
	open_disk(open_raw(path, true));
	start();
	tap_ok((dev->offered & BIT(5)) && request(T_OUT, 0, 512) == 1, "read-only: no writes");
	tap_eq(request(T_IN, 0, 512), 0, "but read");
	tap_ok(!(dev->offered & (BIT(11) | BIT(13) | BIT(14))), "no cache to switch, no discards");
	close_disk();
}

/* Writes go elsewhere, to a file without a name. */
static void test_snapshot(const char *path, int fd)
{
	struct block_options opts = { .format = "raw" };
	struct block *reader;
	u8 block[512];

	fill_image(fd);
	setenv("TMPDIR", "/nonexistent", 1);
	tap_ok(!block_open_snapshot(path, &opts), "no snapshot without a place for it");
	unsetenv("TMPDIR");
	open_disk(block_open_snapshot(path, &opts));
	start();
	memset(at(DATA), 0xa5, 1024);
	tap_eq(request(T_OUT, 3, 1024), 0, "a snapshot takes writes");
	tap_eq(request(T_FLUSH, 0, 0), 0, "and flushes");
	memset(at(DATA), 0, 1024);
	tap_ok(!request(T_IN, 3, 1024) && filled(0xa5, 1024), "gives them back");
	tap_ok(!request(T_IN, 5, 512) && filled(5, 512), "and what was there before");
	tap_ok(pread(fd, block, 512, 3 * 512) == 512 && block[0] == 3, "the image stays as it was");
	tap_ok(!open_raw(path, false), "it is locked against writers");
	reader = open_raw(path, true);
	tap_ok(reader, "and open to readers");
	block_close(reader);
	close_disk();
}

int main(void)
{
	char path[] = "/tmp/blk_test.XXXXXX";
	int fd = mkstemp(path);

	set_up_machine();
	tap_plan(0);
	test_all(path, fd);
	test_snapshot(path, fd);
	cfg.drive[0].aio = DRIVE_AIO_THREADS;
	test_all(path, fd);
	unlink(path);
	close(fd);
	free(m.mem.ram[0].hva);
	return tap_done();
}
