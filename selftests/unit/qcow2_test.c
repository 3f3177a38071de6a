// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of single rules of the qcow2 format: which headers and tables are refused and with
 * what words, the feature bits, options of new images, damage that a write must not make worse, the
 * check and its repairs, and what the block layer is told of clusters.
 */
#include <fcntl.h>
#include <jansson.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/format.h"
#include "block/qcow2_int.h"
#include "report.h"
#include "tap.h"

#define SIZE	(1U << 20)
#define CLUSTER	4096U

static char dir[] = "/tmp/qcow2_rules.XXXXXX", image[64];
static char message[1024];
static unsigned int messages;

int report(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(message, sizeof(message), fmt, ap);
	va_end(ap);
	messages++;
	return -1;
}

static void patch(u64 offset, u64 value, unsigned int bytes)
{
	u8 buf[8];
	int fd = open(image, O_RDWR);

	put_be64(buf, value);
	if (fd < 0 || pwrite(fd, buf + 8 - bytes, bytes, (off_t)offset) != (ssize_t)bytes)
		tap_bail("cannot patch the image");
	close(fd);
}

static u64 peek(u64 offset, unsigned int bytes)
{
	u8 buf[8] = { 0 };
	int fd = open(image, O_RDONLY);

	if (fd < 0 || pread(fd, buf + 8 - bytes, bytes, (off_t)offset) != (ssize_t)bytes)
		tap_bail("cannot read the image");
	close(fd);
	return get_be64(buf);
}

static int create(const char *options)
{
	struct block_create c = { .size = SIZE, .options = options };

	messages = 0;
	*message = '\0';
	return block_create(image, &block_qcow2, &c);
}

static struct block *open_image(bool readonly, bool no_backing)
{
	struct block_options opts = { .readonly = readonly, .no_backing = no_backing };

	messages = 0;
	*message = '\0';
	return block_open(image, &opts);
}

/* A new image with a pattern in its first 64 KiB. */
static void make(const char *options)
{
	static u8 buf[65536];
	struct block *blk;

	memset(buf, 0x5a, sizeof(buf));
	if (create(options))
		tap_bail("cannot create an image: %s", message);
	blk = open_image(false, false);
	if (!blk || block_write(blk, buf, sizeof(buf), 0))
		tap_bail("cannot write to a new image: %s", message);
	block_close(blk);
}

static void refused(const char *text, const char *what)
{
	struct block *blk = open_image(true, true);

	if (!tap_ok(!blk && messages == 1 && strstr(message, text), "refused: %s", what))
		tap_diag("%u messages, the last: %s", messages, message);
	block_close(blk);
}

static void test_headers(void)
{
	static const struct {
		unsigned int offset, bytes;
		u64 value;
		const char *text;
	} faults[] = {
		{ H_VERSION, 4, 4, "version 4" },
		{ H_VERSION, 4, 1, "version 1" },
		{ H_BACKING_OFFSET, 8, CLUSTER + 1, "backing file's name" },
		{ H_BACKING_OFFSET, 8, UINT64_MAX, "backing file's name" },
		{ H_BACKING_OFFSET, 8, 50, "backing file's name" },
		{ H_CLUSTER_BITS, 4, 8, "2^8" },
		{ H_CLUSTER_BITS, 4, 22, "2^22" },
		{ H_CLUSTER_BITS, 4, UINT32_MAX, "clusters" },
		{ H_SIZE, 8, UINT64_MAX, "size" },
		{ H_SIZE, 8, 1ULL << 40, "L1 table has" },
		{ H_CRYPT, 4, 1, "encrypted" },
		{ H_CRYPT, 4, 2, "encrypted" },
		{ H_L1_SIZE, 4, 0, "L1 table has 0" },
		{ H_L1_SIZE, 4, UINT32_MAX, "at most" },
		{ H_L1_SIZE, 4, 1 << 20, "not inside the file" },
		{ H_L1_OFFSET, 8, 512, "not aligned" },
		{ H_L1_OFFSET, 8, 1ULL << 62, "not inside the file" },
		{ H_L1_OFFSET, 8, -(u64)CLUSTER, "not inside the file" },
		{ H_REFTABLE_OFFSET, 8, 100, "not aligned" },
		{ H_REFTABLE_OFFSET, 8, 0, "not aligned" },
		{ H_REFTABLE_OFFSET, 8, 1ULL << 50, "not inside the file" },
		{ H_REFTABLE_CLUSTERS, 4, 0, "no refcount table" },
		{ H_REFTABLE_CLUSTERS, 4, UINT32_MAX, "at most" },
		{ H_REFTABLE_CLUSTERS, 4, 1000, "not inside the file" },
		{ H_NR_SNAPSHOTS, 4, 70000, "snapshots" },
		{ H_NR_SNAPSHOTS, 4, 1, "snapshot table" },
		{ H_INCOMPAT, 8, 4, "an external data file" },
		{ H_INCOMPAT, 8, 16, "extended L2 entries" },
		{ H_INCOMPAT, 8, 1ULL << 40, "bit 40" },
		{ H_INCOMPAT, 8, 8, "compression type contradicts" },
		{ H_COMPRESSION, 1, 1, "compression type contradicts" },
		{ H_REFCOUNT_ORDER, 4, 7, "64 bits" },
		{ H_LENGTH, 4, 103, "header length" },
		{ H_LENGTH, 4, 96, "header length" },
		{ H_LENGTH, 4, CLUSTER + 8, "header length" },
		{ H_OUR_LENGTH + 4, 4, UINT32_MAX, "longer than its place" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		char what[64];

		make("cluster_size=4k");
		patch(faults[i].offset, faults[i].value, faults[i].bytes);
		snprintf(what, sizeof(what), "byte %u is 0x%llx", faults[i].offset,
			 faults[i].value);
		refused(faults[i].text, what);
	}
	make("cluster_size=4k");
	if (truncate(image, 60))
		tap_bail("truncate");
	refused("not a qcow2 image", "a file of 60 bytes");
}

static void test_feature_name(void)
{
	make("cluster_size=4k");
	/* Rename the corrupt bit of the feature name table to bit 17. */
	patch(H_OUR_LENGTH + 8 + 48 + 1, 17, 1);
	patch(H_INCOMPAT, 1 << 17, 8);
	refused("needs corrupt bit (incompatible feature bit 17)", "a feature by its name");
	patch(H_OUR_LENGTH + 8 + 48 + 2, 0x1b, 1);
	refused("needs ?orrupt bit", "no control characters from the image");
}

static void test_feature_bits(void)
{
	u8 buf[512] = { 1 };
	struct block *blk;

	make("cluster_size=4k");
	patch(H_COMPAT, 1ULL << 33, 8);
	patch(H_AUTOCLEAR, 1ULL << 9, 8);
	blk = open_image(false, false);
	block_close(blk);
	tap_ok(blk && peek(H_AUTOCLEAR, 8) == 1ULL << 9, "opened only: unknown autoclear bits stay");
	blk = open_image(false, false);
	tap_ok(blk && !block_write(blk, buf, 512, 0), "unknown compatible and autoclear bits: written");
	block_close(blk);
	tap_eq(peek(H_AUTOCLEAR, 8), 0, "then autoclear bits are clear");
	tap_eq(peek(H_COMPAT, 8), 1ULL << 33, "and compatible ones kept");

	patch(H_INCOMPAT, INCOMPAT_CORRUPT, 8);
	blk = open_image(false, false);
	tap_ok(!blk && strstr(message, "damaged"), "corrupt bit: not opened for writing");
	block_close(blk);
	blk = open_image(true, false);
	tap_ok(blk && !block_read(blk, buf, 512, 0) && buf[0] == 1, "but for reading");
	block_close(blk);
}

static struct block_check check(unsigned int repair)
{
	struct block_check result = { .check_errors = 999 };
	struct block *blk = open_image(!repair, true);

	if (blk)
		(void)block_qcow2.check(blk, repair, &result);
	block_close(blk);
	return result;
}

static u64 first_l2(void)
{
	return peek(peek(H_L1_OFFSET, 8), 8) & ENTRY_OFFSET;
}

static u64 refblock(void)
{
	return peek(peek(H_REFTABLE_OFFSET, 8), 8);
}

static bool is_repaired(const char *what)
{
	struct block_check r = check(BLOCK_REPAIR_ALL), after = check(0);
	struct block *blk;
	u8 byte = 0;
	bool ok;

	blk = open_image(false, false);
	ok = blk && !block_read(blk, &byte, 1, 5000);
	block_close(blk);
	ok = tap_ok(ok && byte == 0x5a && r.corruptions_fixed + r.leaks_fixed && !r.corruptions &&
		    !r.leaks && !after.corruptions && !after.leaks && !after.check_errors,
		    "repaired: %s", what);
	if (!ok)
		tap_diag("%llu fixed, %llu left, %llu after; %s", r.corruptions_fixed, r.corruptions,
			 after.corruptions, message);
	return ok;
}

static void test_repair(void)
{
	struct block_check r;
	u64 l2, data;

	make("cluster_size=4k");
	patch(refblock() + 2 * 200, 3, 2);
	r = check(0);
	tap_ok(r.leaks == 0, "a refcount behind the end of the file is nobody's leak");
	make("cluster_size=4k");
	l2 = first_l2();
	data = peek(l2 + 8, 8) & ENTRY_OFFSET;
	patch(refblock() + data / CLUSTER * 2, 0, 2);
	r = check(0);
	tap_ok(r.corruptions == 2 && !r.leaks, "refcount 0 of a cluster in use: it and its COPIED bit");
	is_repaired("a refcount that is too small");
	make("cluster_size=4k");
	patch(refblock() + data / CLUSTER * 2, 5, 2);
	r = check(0);
	tap_ok(r.leaks == 1 && r.corruptions == 1, "refcount 5 of a cluster with one reference");
	is_repaired("a refcount that is too large");
	make("cluster_size=4k");
	patch(first_l2(), peek(first_l2(), 8) & ~ENTRY_COPIED, 8);
	tap_eq(check(0).corruptions, 1, "a COPIED bit that is missing");
	is_repaired("a COPIED bit");
	make("cluster_size=4k");
	patch(peek(H_REFTABLE_OFFSET, 8), 0, 8);
	tap_ok(check(0).corruptions > 16, "no refcounts at all");
	is_repaired("no refcounts at all");
	make("cluster_size=4k,lazy_refcounts=on");
	patch(H_INCOMPAT, INCOMPAT_DIRTY, 8);
	patch(refblock() + data / CLUSTER * 2, 0, 2);
	block_close(open_image(false, false));
	tap_ok(!(peek(H_INCOMPAT, 8) & INCOMPAT_DIRTY) && !check(0).corruptions,
	       "a dirty image is repaired when it is opened for writing");
}

/* Each write would go to metadata, or change it. */
static void test_overlap(void)
{
	static const char *const names[] = { "header", "L1 table", "refcount table", "L2 table" };
	u8 buf[512] = { 7 };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		u64 l2, places[4], before;
		struct block *blk;
		int ret;

		make("cluster_size=4k");
		l2 = first_l2();
		places[0] = 0;
		places[1] = peek(H_L1_OFFSET, 8);
		places[2] = peek(H_REFTABLE_OFFSET, 8);
		places[3] = l2;
		/* Place 0 cannot be in an entry, but the free cluster can. */
		if (i)
			patch(l2, places[i] | ENTRY_COPIED, 8);
		else
			patch(refblock(), 0, 2);
		before = peek(places[i], 8);
		blk = open_image(false, false);
		ret = blk ? block_write(blk, buf, 512, i ? 0 : SIZE / 2) : 0;
		tap_ok(ret == -EIO && strstr(message, "damaged"), "a write to the %s is refused",
		       names[i]);
		tap_ok(peek(places[i], 8) == before && peek(H_INCOMPAT, 8) & INCOMPAT_CORRUPT,
		       "it is as it was, and the image marked corrupt");
		tap_eq(blk ? block_write(blk, buf, 512, 65536) : 0, -EIO, "no more writes");
		tap_eq(blk ? block_read(blk, buf, 512, 8192) : -1, 0, "but reads");
		block_close(blk);
	}
	make("cluster_size=4k");
	patch(peek(H_L1_OFFSET, 8), peek(H_REFTABLE_OFFSET, 8) | ENTRY_COPIED, 8);
	tap_ok(!open_image(false, false) && strstr(message, "damaged"),
	       "two tables in one cluster: not opened for writing");
}

/* What was not written when an image was found damaged is not taken from its repaired counts. */
static void test_repair_while_open(void)
{
	struct block_check r = { .corruptions = 1 }, after = { .corruptions = 1 };
	struct block *blk;
	u8 buf[512] = { 7 };
	int ret;

	make("cluster_size=4k");
	patch(first_l2(), peek(H_L1_OFFSET, 8) | ENTRY_COPIED, 8);
	blk = open_image(false, false);
	ret = blk ? block_discard(blk, 8192, 8192) : -1;
	tap_ok(!ret && block_write(blk, buf, 512, 0) == -EIO, "damage is found after a discard");
	ret = blk ? blk->format->check(blk, BLOCK_REPAIR_ALL, &r) : -1;
	tap_ok(!ret && !r.corruptions && !r.leaks, "repaired by who found it");
	ret = blk ? blk->format->check(blk, 0, &after) : -1;
	if (!tap_ok(!ret && !after.corruptions && !after.leaks && !after.check_errors,
		    "and it stays so when the discard would have been written"))
		tap_diag("%d: %llu corruptions, %llu leaks", ret, after.corruptions, after.leaks);
	block_close(blk);
	after = check(0);
	tap_ok(!after.corruptions && !after.leaks, "and when it is opened again");
}

static void test_bad_entries(void)
{
	static const u64 entries[] = {
		0x123200, ENTRY_COPIED, 0x3e0ULL << 48 | 0x10000, 0x10000 | 0x100,
		ENTRY_COMPRESSED | 0x3fffffffffffffffULL, ENTRY_COMPRESSED | ENTRY_COPIED | 0x10000,
	};
	struct block *blk;
	u8 buf[512];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(entries); i++) {
		make("cluster_size=4k");
		patch(first_l2(), entries[i], 8);
		blk = open_image(true, false);
		tap_ok(blk && block_read(blk, buf, 512, 0) == -EIO &&
		       !block_read(blk, buf, 512, 8192) && buf[0] == 0x5a,
		       "L2 entry 0x%llx: an error for its cluster alone", entries[i]);
		block_close(blk);
		tap_ok(check(0).corruptions, "and the check finds it");
	}
	make("cluster_size=4k");
	patch(peek(H_L1_OFFSET, 8), 1ULL << 54, 8);
	blk = open_image(true, false);
	tap_ok(blk && block_read(blk, buf, 512, 0) == -EIO, "an L2 table behind the end of the file");
	block_close(blk);
}

static void test_options(void)
{
	static const struct {
		const char *options, *text;
	} bad[] = {
		{ "cluster_size=3000", "power of two" }, { "cluster_size=256", "512 to 2M" },
		{ "cluster_size=4M", "512 to 2M" }, { "cluster_size=x", "512 to 2M" },
		{ "compat=1.0", "0.10" }, { "lazy_refcounts=yes", "on or off" },
		{ "refcount_bits=3", "1, 2, 4" }, { "refcount_bits=128", "1, 2, 4" },
		{ "preallocation=all", "off, metadata" }, { "compression_type=lzma", "zlib or zstd" },
		{ "encryption=on", "'encryption' is not supported" },
		{ "extended_l2=on", "'extended_l2' is not supported" },
		{ "data_file=x", "'data_file' is not supported" },
		{ "compat=0.10,lazy_refcounts=on", "needs compat=1.1" },
		{ "compat=0.10,refcount_bits=8", "need compat=1.1" },
		{ "compat=0.10,compression_type=zstd", "needs compat=1.1" },
	};
	static const char *const prealloc[] = { "metadata", "falloc", "full" };
	char options[64];
	size_t i;

	unlink(image);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		int ret = create(bad[i].options);

		if (!tap_ok(ret && messages == 1 && strstr(message, bad[i].text) &&
			    access(image, F_OK), "refused: -o %s", bad[i].options))
			tap_diag("%s", message);
	}
	for (i = 0; i < ARRAY_SIZE(prealloc); i++) {
		struct block_check r;
		struct stat st;

		snprintf(options, sizeof(options), "cluster_size=4k,preallocation=%s", prealloc[i]);
		tap_eq(create(options), 0, "preallocation=%s", prealloc[i]);
		r = check(0);
		tap_ok(r.allocated_clusters == SIZE / 4096 && !r.corruptions && !r.leaks &&
		       !stat(image, &st) && (i == 0 || st.st_blocks * 512 >= SIZE),
		       "all clusters are there");
		unlink(image);
	}
}

static void test_map(void)
{
	static u8 buf[CLUSTER];
	struct block_extent ext;
	struct block *blk;

	make("cluster_size=4k");
	blk = open_image(false, false);
	tap_ok(block_map(blk, 0, 512, true, &ext) < 0, "before the first write none goes around us");
	tap_ok(!block_write(blk, buf, 512, 0) && !block_map(blk, 0, SIZE, true, &ext) &&
	       ext.kind == BLOCK_DATA && ext.len == 65536 && ext.fd >= 0, "then 64 KiB at once");
	tap_ok(!block_map(blk, 65536, SIZE - 65536, false, &ext) && ext.kind == BLOCK_ABSENT &&
	       ext.len == SIZE - 65536, "the rest is absent");
	tap_ok(!block_write_zeroes(blk, 4096, 4096, false) &&
	       !block_map(blk, 4096, 8192, false, &ext) && ext.kind == BLOCK_ZERO &&
	       ext.len == 4096, "zeroes, their cluster kept");
	tap_ok(!block_qcow2.write_compressed(blk, buf, CLUSTER, 8192) &&
	       !block_map(blk, 8192, 8192, false, &ext) && ext.kind == BLOCK_COMPRESSED,
	       "a compressed cluster");
	tap_ok(!qcow2_snapshot_create(blk, "x") && !block_map(blk, 16384, 512, false, &ext) &&
	       ext.kind == BLOCK_DATA && block_map(blk, 16384, 512, true, &ext) < 0,
	       "after a snapshot: read, but not written directly");
	tap_ok(!block_write(blk, buf, 512, 16384) && !block_map(blk, 16384, 8192, true, &ext) &&
	       ext.len == 4096, "until it is copied");
	block_close(blk);
	tap_ok(!check(0).corruptions && !check(0).leaks, "all is well");
}

static void test_snapshots(void)
{
	const struct qcow2_snapshot *list;
	struct block *blk;
	char *name = malloc(70000);
	json_t *info = json_object();

	make("cluster_size=4k,refcount_bits=1");
	blk = open_image(false, false);
	tap_eq(qcow2_snapshot_create(blk, "x"), -ERANGE, "1-bit refcounts: no snapshots");
	tap_eq(qcow2_snapshots(blk, &list), 0, "and none is left half made");
	block_close(blk);
	tap_ok(!check(0).corruptions && !check(0).leaks, "the image is as it was");
	make("cluster_size=4k");
	blk = open_image(false, false);
	memset(name, 'n', 69999);
	name[69999] = '\0';
	tap_eq(qcow2_snapshot_create(blk, ""), -EINVAL, "an empty name");
	tap_eq(qcow2_snapshot_create(blk, name), -EINVAL, "a name of 69999 bytes");
	tap_eq(qcow2_snapshot_apply(blk, "x"), -ENOENT, "apply what is not there");
	tap_eq(qcow2_snapshot_delete(blk, "x"), -ENOENT, "delete what is not there");
	tap_ok(!qcow2_snapshot_create(blk, "2") && !qcow2_snapshot_create(blk, "b\"\xff"),
	       "two snapshots");
	tap_ok(qcow2_snapshots(blk, &list) == 2 && !strcmp(list[1].id, "2") &&
	       list[1].disk_size == SIZE, "the second has ID 2");
	tap_ok(!block_qcow2.info(blk, info) && json_array_size(json_object_get(info, "snapshots")) == 2,
	       "both are in the information");
	tap_ok(!qcow2_snapshot_delete(blk, "2") && qcow2_snapshots(blk, &list) == 1 &&
	       !strcmp(list[0].name, "2"), "an ID goes before a name");
	block_close(blk);
	blk = open_image(true, false);
	tap_eq(qcow2_snapshot_create(blk, "y"), -EROFS, "none in an image that is only read");
	block_close(blk);
	patch(peek(H_SNAPSHOTS_OFFSET, 8), 512, 8);
	refused("snapshot table", "a snapshot whose L1 table is not aligned");
	json_decref(info);
	free(name);
}

int main(void)
{
	if (!mkdtemp(dir))
		tap_bail("cannot make %s", dir);
	snprintf(image, sizeof(image), "%s/image", dir);
	tap_plan(0);
	test_headers();
	test_feature_name();
	test_feature_bits();
	test_repair();
	test_overlap();
	test_repair_while_open();
	test_bad_entries();
	test_options();
	test_map();
	test_snapshots();
	unlink(image);
	rmdir(dir);
	return tap_done();
}
