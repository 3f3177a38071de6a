// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the test that qcow2 images survive: power cuts that lose any of the writes since the last
 * fdatasync, a host file that stops taking writes, and SIGKILL. After each, nothing that was
 * flushed is lost, no sector has bytes of another, and the image is consistent but for leaks.
 *
 * Each write fills its sectors with a tag; for each sector there is the set of tags that it may
 * have now. QCOW2_CRASHES multiplies the numbers of tries, QCOW2_SEED is where random numbers
 * begin.
 */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block/file.h"
#include "block/format.h"
#include "block/qcow2.h"
#include "iov.h"
#include "report.h"
#include "tap.h"

#define MAX_SECTORS	4096U
#define MAX_FILE	(8U << 20)
#define THREADS		3U
#define SECTOR		512U

/* What a sector may be: a bit for each tag. */
struct allowed {
	u64 bits[4];
};

/* Shared with the process that is killed. */
struct shared {
	struct allowed sectors[MAX_SECTORS];
	u8 now[MAX_SECTORS];
	u64 flushes;
};

struct pending {
	u64 offset;
	size_t len;
	u8 *data;
};

static struct shared *sh;
static u64 seed, size;
static _Thread_local u64 state;
static char dir[] = "/tmp/qcow2_crash.XXXXXX", image[64], cut_image[64];
static bool bypass, record, failed, lazy;
static u8 *stable;
static u64 file_len;
static struct pending *pendings;
static size_t nr_pending, nr_cuts;
static u64 cut_in;		/* writes until the power is cut, 0: never */
static s64 fail_in = -1, fail_for;	/* writes until they fail; for how many */
static struct { u8 tags[MAX_SECTORS]; u64 size; bool there; } snap;

int __real_host_file_write(struct host_file *f, const void *buf, size_t len, u64 offset);
int __real_host_file_writev(struct host_file *f, const struct iovec *iov, unsigned int nr,
			    u64 offset);
int __real_host_file_flush(struct host_file *f);
int __real_host_file_truncate(struct host_file *f, u64 len);
int __real_host_file_punch(struct host_file *f, u64 offset, u64 len);
int __wrap_host_file_write(struct host_file *f, const void *buf, size_t len, u64 offset);
int __wrap_host_file_writev(struct host_file *f, const struct iovec *iov, unsigned int nr,
			    u64 offset);
int __wrap_host_file_flush(struct host_file *f);
int __wrap_host_file_truncate(struct host_file *f, u64 len);
int __wrap_host_file_punch(struct host_file *f, u64 offset, u64 len);

/* Leaks are expected; what else is reported is shown. */
int report(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (!strstr(text, "leaked") && !strstr(text, "was not closed") &&
	    !strstr(text, "cannot write its metadata"))
		tap_diag("%s", text);
	return -1;
}

static u64 rnd(u64 n)
{
	state = state * 6364136223846793005ULL + 1442695040888963407ULL;
	return n ? (state >> 33) % n : 0;
}

static bool fail(const char *what, u64 value)
{
	if (!failed)
		tap_diag("seed %llu: %s (0x%llx)", seed, what, value);
	failed = true;
	return false;
}

static void allow(u64 sector, u8 tag)
{
	__atomic_fetch_or(&sh->sectors[sector].bits[tag / 64], 1ULL << tag % 64, __ATOMIC_SEQ_CST);
}

static bool is_allowed(u64 sector, u8 tag)
{
	return sh->sectors[sector].bits[tag / 64] >> tag % 64 & 1;
}

/* Flushed: every @step-th sector from @first has what was written last, and nothing else. */
static void settle(u64 first, u64 step)
{
	u64 i;

	for (i = first; i < MAX_SECTORS; i += step) {
		struct allowed exact = { { 0 } };

		exact.bits[sh->now[i] / 64] = 1ULL << sh->now[i] % 64;
		sh->sectors[i] = exact;
	}
}

/* Is the image consistent, and each sector one of what it may be? */
static bool verify(const char *path, const char *when)
{
	struct block_options opts = { .readonly = true };
	struct block_check result = { 0 };
	u8 *data;
	u64 i, n;
	struct block *b;
	int ret;

	if (lazy) {
		/* Opening it for writing repairs it. */
		opts.readonly = false;
		block_close(block_open(path, &opts));
		opts.readonly = true;
	}
	b = block_open(path, &opts);
	if (!b)
		return fail("cannot be opened", 0) || fail(when, 0);
	ret = b->format->check(b, 0, &result);
	if (ret || result.corruptions || result.check_errors) {
		fail(when, 0);
		tap_diag("check: %d, %llu corruptions, %llu leaks", ret, result.corruptions,
			 result.leaks);
	}
	data = calloc(1, b->size);
	ret = block_read(b, data, b->size, 0);
	if (ret)
		fail(when, (u64)-ret);
	for (i = 0; !ret && !failed && i < b->size / SECTOR; i++) {
		u8 tag = data[i * SECTOR];

		for (n = 1; n < SECTOR && data[i * SECTOR + n] == tag; n++)
			;
		if (n == SECTOR && is_allowed(i, tag))
			continue;
		tap_diag("sector %llu is 0x%02x, was 0x%02x", i, tag, sh->now[i]);
		fail(when, i);
	}
	free(data);
	block_close(b);
	return !failed;
}

static void apply(u8 *to, const struct pending *p, u64 from, u64 len)
{
	if (p->data)
		memcpy(to + p->offset + from, p->data + from, len);
	else
		memset(to + p->offset + from, 0, len);
}

/*
 * What the disk has when the power goes: some sectors of what was written since the last
 * fdatasync.
 */
static void cut(void)
{
	u8 *now = malloc(MAX_FILE);
	bool prefix = rnd(2);
	size_t upto = rnd(nr_pending + 1), i;
	int fd;

	nr_cuts++;
	bypass = true;
	memcpy(now, stable, MAX_FILE);
	for (i = 0; i < nr_pending; i++) {
		struct pending *p = &pendings[i];
		u64 at, n;

		for (at = 0; at < p->len; at += n) {
			n = SECTOR - ((p->offset + at) & (SECTOR - 1));
			if (n > p->len - at)
				n = p->len - at;
			if (prefix ? i < upto : rnd(2))
				apply(now, p, at, n);
		}
	}
	fd = open(cut_image, O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (write(fd, now, file_len) != (ssize_t)file_len)
		fail("cannot write the cut image", 0);
	close(fd);
	free(now);
	verify(cut_image, prefix ? "after a kill" : "after a power cut");
	bypass = false;
	cut_in = 1 + rnd(60);
}

static int before_write(void)
{
	if (bypass || !record)
		return 0;
	if (cut_in && !--cut_in)
		cut();
	if (fail_in > 0)
		fail_in--;
	else if (!fail_in && fail_for) {
		fail_for -= fail_for > 0;
		return rnd(2) ? -ENOSPC : -EIO;
	}
	return 0;
}

static void remember(u64 offset, const u8 *data, size_t len)
{
	if (bypass || !record)
		return;
	pendings = realloc(pendings, (nr_pending + 1) * sizeof(*pendings));
	pendings[nr_pending] = (struct pending){ offset, len, NULL };
	if (data) {
		pendings[nr_pending].data = malloc(len);
		memcpy(pendings[nr_pending].data, data, len);
	}
	nr_pending++;
	if (offset + len > file_len)
		file_len = offset + len;
}

int __wrap_host_file_writev(struct host_file *f, const struct iovec *iov, unsigned int nr,
			    u64 offset)
{
	u64 len = iov_len(iov, nr);
	int ret = before_write();
	u8 *flat;

	if (bypass || !record)
		return __real_host_file_writev(f, iov, nr, offset);
	flat = malloc(len);
	iov_read(iov, nr, 0, flat, len);
	if (ret)	/* some of it arrives */
		len = rnd(len / SECTOR + 1) * SECTOR;
	if (len && __real_host_file_write(f, flat, len, offset))
		ret = -EIO;
	if (len)
		remember(offset, flat, len);
	free(flat);
	return ret;
}

int __wrap_host_file_write(struct host_file *f, const void *buf, size_t len, u64 offset)
{
	struct iovec iov = { (void *)(uintptr_t)buf, len };

	return __wrap_host_file_writev(f, &iov, 1, offset);
}

static void drop_pending(void)
{
	while (nr_pending)
		free(pendings[--nr_pending].data);
}

int __wrap_host_file_flush(struct host_file *f)
{
	size_t i;
	int ret;

	if (bypass || !record)
		return __real_host_file_flush(f);
	ret = before_write();
	if (ret)
		return ret;
	for (i = 0; i < nr_pending; i++)
		apply(stable, &pendings[i], 0, pendings[i].len);
	drop_pending();
	return 0;
}

int __wrap_host_file_truncate(struct host_file *f, u64 len)
{
	int ret = before_write();

	if (!ret && record && !bypass)
		file_len = len;
	return ret ? ret : __real_host_file_truncate(f, len);
}

int __wrap_host_file_punch(struct host_file *f, u64 offset, u64 len)
{
	int ret = before_write();

	if (!ret)
		remember(offset, NULL, len);
	return ret ? ret : __real_host_file_punch(f, offset, len);
}

/* Sectors from @first on, every @step-th, get @tag sooner or later. */
static void will_be(u64 first, u64 nr, u8 tag)
{
	u64 i;

	for (i = first; i < first + nr; i++)
		allow(i, tag);
}

static void is_now(u64 first, u64 nr, u8 tag)
{
	memset(sh->now + first, tag, nr);
}

static int op_write(struct block *b, u64 first, u64 nr, bool packed)
{
	u8 tag = (u8)(1 + rnd(254)), *buf = malloc(nr * SECTOR);
	int ret;

	memset(buf, tag, nr * SECTOR);
	will_be(first, nr, tag);
	ret = packed ? b->format->write_compressed(b, buf, nr * SECTOR, first * SECTOR) :
		       block_write(b, buf, nr * SECTOR, first * SECTOR);
	/* A failed write may have arrived in part. */
	if (!ret)
		is_now(first, nr, tag);
	free(buf);
	return ret;
}

/* After a failure and after a discard nobody knows: whatever may be is what it is. */
static void reread(struct block *b, u64 first, u64 nr)
{
	u8 *buf = malloc(nr * SECTOR);
	u64 i;

	if (!block_read(b, buf, nr * SECTOR, first * SECTOR)) {
		for (i = 0; i < nr; i++) {
			if (!is_allowed(first + i, buf[i * SECTOR]))
				fail("reads as nothing that was written", first + i);
			sh->now[first + i] = buf[i * SECTOR];
		}
	}
	free(buf);
}

static int op_data(struct block *b, unsigned int cluster)
{
	u64 first = rnd(size / SECTOR), nr = 1 + rnd(rnd(2) ? 8 : 100), per = cluster / SECTOR;
	unsigned int kind = (unsigned int)rnd(8);
	int ret;

	if (kind == 0) {
		first -= first % per;
		nr = per;
	}
	if (nr > size / SECTOR - first)
		nr = size / SECTOR - first;
	if (kind < 5) {
		ret = op_write(b, first, nr, kind == 0);
	} else {
		will_be(first, nr, 0);
		ret = kind < 7 ? block_write_zeroes(b, first * SECTOR, nr * SECTOR, rnd(2)) :
				 block_discard(b, first * SECTOR, nr * SECTOR);
	}
	if (ret || kind == 7)
		reread(b, first, nr);
	else if (kind >= 5)
		is_now(first, nr, 0);
	return ret;
}

static int op_flush(struct block *b)
{
	int ret = block_flush(b);

	if (!ret) {
		settle(0, 1);
		sh->flushes++;
	}
	return ret;
}

static int op_snapshot(struct block *b)
{
	int ret;
	u64 i;

	if (!snap.there) {
		memcpy(snap.tags, sh->now, sizeof(snap.tags));
		snap.size = size;
		ret = qcow2_snapshot_create(b, "one");
		snap.there = !ret;
		if (ret == -ERANGE)
			return 0;	/* many compressed clusters in one */
	} else if (rnd(2)) {
		/* The disk may become larger by it. */
		for (i = 0; i < snap.size / SECTOR; i++)
			allow(i, snap.tags[i]);
		ret = qcow2_snapshot_apply(b, "one");
		if (!ret) {
			memcpy(sh->now, snap.tags, sizeof(snap.tags));
			size = b->size;
		}
	} else {
		ret = qcow2_snapshot_delete(b, "one");
		snap.there = snap.there && ret;
	}
	if (!ret)
		settle(0, 1);
	return ret;
}

static int op_resize(struct block *b)
{
	u64 new = (1 + rnd(size / SECTOR + 200)) * SECTOR, i;
	int ret;

	if (new > MAX_SECTORS * SECTOR)
		return 0;
	for (i = new < size ? new / SECTOR : size / SECTOR; i < MAX_SECTORS; i++)
		allow(i, 0);
	ret = block_resize(b, new);
	if (ret == -ENOTSUP && snap.there)
		return 0;	/* version 2 */
	if (ret) {
		reread(b, 0, size / SECTOR);
		return ret;
	}
	size = new;
	for (i = new / SECTOR; i < MAX_SECTORS; i++)
		sh->now[i] = 0;
	settle(0, 1);
	return 0;
}

static unsigned int make_image(void)
{
	static const unsigned int bits[] = { 9, 9, 10, 12, 14, 16 };
	char options[128];
	struct block_create create = { .options = options };
	unsigned int cluster = 1U << bits[rnd(ARRAY_SIZE(bits))];
	bool v2 = !rnd(4);

	lazy = !v2 && !rnd(6);
	snprintf(options, sizeof(options), "cluster_size=%u,compat=%s,lazy_refcounts=%s,refcount_bits=%u",
		 cluster, v2 ? "0.10" : "1.1", lazy ? "on" : "off", v2 ? 16 : 2U << rnd(6));
	size = create.size = (200 + rnd(800)) * SECTOR;
	memset(sh, 0, sizeof(*sh));
	memset(&snap, 0, sizeof(snap));
	settle(0, 1);
	record = false;
	if (block_create(image, &block_qcow2, &create))
		fail("create", 0);
	return cluster;
}

static void start_recording(void)
{
	int fd = open(image, O_RDONLY);
	ssize_t n = read(fd, memset(stable, 0, MAX_FILE), MAX_FILE);

	close(fd);
	file_len = (u64)(n > 0 ? n : 0);
	drop_pending();
	record = true;
}

/* A run of operations; those that fail may do so only if writes fail. */
static void operate(unsigned int cluster, unsigned int n, bool may_fail)
{
	struct block_options opts = { 0 };
	struct block *b;
	int ret;

	start_recording();
	b = block_open(image, &opts);
	for (; b && n && !failed; n--) {
		switch (rnd(24)) {
		case 0:
			ret = op_snapshot(b);
			break;
		case 1:
			ret = op_resize(b);
			break;
		case 2 ... 5:
			ret = op_flush(b);
			break;
		default:
			ret = op_data(b, cluster);
		}
		if (ret && !may_fail)
			fail("an operation fails", (u64)-ret);
	}
	if (b)
		block_close(b);
	else if (!may_fail)
		fail("open", 0);
	record = false;
}

static void test_cuts(unsigned int tries)
{
	unsigned int i, n;

	for (i = 0; i < tries && !failed; i++) {
		unsigned int cluster = make_image();

		for (n = 0; n < 8 && !failed; n++) {
			cut_in = 1 + rnd(120);
			operate(cluster, 20, false);
			cut_in = 0;
			settle(0, 1);
		}
		if (!failed)
			verify(image, "at the end");
	}
	tap_ok(!failed && nr_cuts > tries, "power cuts and kills: flushed data is there");
	tap_diag("%zu cuts", nr_cuts);
}

/*
 * The same operations again and again, with writes that fail from the n-th on, or only for a
 * while.
 */
static void test_failures(unsigned int tries)
{
	unsigned int i, runs = 0;
	s64 n;

	failed = false;
	for (i = 0; i < tries && !failed; i++) {
		u64 s = rnd(~0U);
		unsigned int step = 1 + (unsigned int)rnd(3);

		for (n = 0; n < 250 && !failed; n += step, runs++) {
			unsigned int cluster;

			state = s;
			cluster = make_image();
			fail_in = n;
			fail_for = n & 1 ? 3 : -1;
			operate(cluster, 40, true);
			fail_in = -1;
			if (!failed)
				verify(image, "after failed writes");
		}
	}
	tap_ok(!failed && runs, "writes that fail: flushed data is there");
	tap_diag("%u runs", runs);
}

struct worker {
	struct block *b;
	unsigned int nr;
	u64 seed;
};

/* Each thread has its own sectors of every cluster. */
static void *work(void *arg)
{
	struct worker *w = arg;

	state = w->seed;
	for (;;) {
		u64 sector = rnd(size / SECTOR / THREADS) * THREADS + w->nr;

		if (!rnd(12)) {
			if (!block_flush(w->b)) {
				settle(w->nr, THREADS);
				__atomic_fetch_add(&sh->flushes, 1, __ATOMIC_SEQ_CST);
			}
		} else if (!rnd(6)) {
			allow(sector, 0);
			if (!block_write_zeroes(w->b, sector * SECTOR, SECTOR, rnd(2)))
				sh->now[sector] = 0;
		} else {
			(void)op_write(w->b, sector, 1, false);
		}
	}
	return NULL;
}

static void victim(u64 s)
{
	struct block_options opts = { 0 };
	struct worker workers[THREADS];
	pthread_t threads[THREADS];
	struct block *b = block_open(image, &opts);
	unsigned int i;

	for (i = 0; b && i < THREADS; i++) {
		workers[i] = (struct worker){ b, i, s + i };
		pthread_create(&threads[i], NULL, work, &workers[i]);
	}
	for (;;)
		pause();
}

/* Leaks are no errors; an image with lazy refcounts is repaired first. */
static bool qemu_is_content(void)
{
	char command[256];
	int ret;

	if (lazy || system("command -v qemu-img >/dev/null"))
		return true;
	snprintf(command, sizeof(command), "qemu-img check -f qcow2 %s >%s/check 2>&1", image, dir);
	ret = system(command);
	if (WIFEXITED(ret) && (WEXITSTATUS(ret) == 0 || WEXITSTATUS(ret) == 3))
		return true;
	snprintf(command, sizeof(command), "grep -v ^Leaked %s/check | head | sed 's/^/# /'", dir);
	(void)!system(command);
	return fail("qemu-img check finds an error", (u64)ret);
}

static void test_kills(unsigned int tries)
{
	u64 flushes = 0;
	unsigned int i;

	failed = false;
	for (i = 0; i < tries && !failed; i++) {
		u64 s = rnd(~0U);
		pid_t pid;

		if (i % 4 == 0)
			make_image();
		pid = fork();
		if (!pid)
			victim(s);
		usleep((useconds_t)(10000 + rnd(50000)));
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		if (!qemu_is_content() || !verify(image, "after SIGKILL"))
			break;
		flushes += sh->flushes;
		/* What was not flushed is what it is from now on: read it. */
		if (i % 4 != 3) {
			struct block_options opts = { .readonly = true };
			struct block *b = block_open(image, &opts);

			reread(b, 0, size / SECTOR);
			block_close(b);
			settle(0, 1);
		}
	}
	tap_ok(!failed && i == tries && flushes, "SIGKILL: flushed data is there");
	tap_diag("%u kills, %llu flushes", i, flushes);
}

int main(void)
{
	const char *times = getenv("QCOW2_CRASHES"), *first = getenv("QCOW2_SEED");
	unsigned int n = times ? (unsigned int)strtoul(times, NULL, 0) : 1;

	seed = first ? strtoull(first, NULL, 0) : 1;
	state = seed;
	rnd(1);
	sh = mmap(NULL, sizeof(*sh), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	stable = malloc(MAX_FILE);
	if (sh == MAP_FAILED || !stable || !mkdtemp(dir))
		tap_bail("cannot set up");
	snprintf(image, sizeof(image), "%s/image", dir);
	snprintf(cut_image, sizeof(cut_image), "%s/cut", dir);
	tap_plan(3);
	test_cuts(10 * n);
	test_failures(n);
	test_kills(20 * n);
	drop_pending();
	free(pendings);
	free(stable);
	if (!getenv("QCOW2_KEEP")) {
		unlink(image);
		unlink(cut_image);
		rmdir(dir);
	}
	return tap_done();
}
