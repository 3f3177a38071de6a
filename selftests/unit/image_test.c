// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of disk images without other programs: raw files, what is recognized, locks,
 * threads, and damaged VDI, VMDK and VHD images, each of which must give one message and no more.
 */
#include <endian.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/file.h"
#include "block/format.h"
#include "iov.h"
#include "tap.h"

#define MIB		(1U << 20)

static char dir[] = "/tmp/image_test.XXXXXX";
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

static const char *in_dir(const char *name)
{
	static char path[4][64];
	static unsigned int n;

	n = (n + 1) % 4;
	snprintf(path[n], sizeof(path[n]), "%s/%s", dir, name);
	return path[n];
}

static void put(const char *name, const void *data, size_t len, u64 offset)
{
	int fd = open(in_dir(name), O_RDWR | O_CREAT, 0600);

	if (fd < 0 || pwrite(fd, data, len, (off_t)offset) != (ssize_t)len)
		tap_bail("cannot write %s", name);
	close(fd);
}

static void set_size(const char *name, u64 size)
{
	int fd = open(in_dir(name), O_RDWR | O_CREAT, 0600);

	if (fd < 0 || ftruncate(fd, (off_t)size))
		tap_bail("cannot resize %s", name);
	close(fd);
}

static struct block *open_as(const char *name, const char *format, bool readonly)
{
	struct block_options opts = { .format = format, .readonly = readonly };

	messages = 0;
	*message = '\0';
	return block_open(in_dir(name), &opts);
}

/* It is refused with one message that contains @text. */
static void refused(const char *name, const char *format, bool readonly, const char *text,
		    const char *what)
{
	struct block *blk = open_as(name, format, readonly);

	if (!tap_ok(!blk && messages == 1 && strstr(message, text), "%s", what))
		tap_diag("%u messages: %s", messages, message);
	block_close(blk);
}

static bool all(const u8 *p, size_t len, u8 byte)
{
	size_t i;

	for (i = 0; i < len && p[i] == byte; i++)
		;
	return i == len;
}

static void test_iov(void)
{
	u8 a[3] = { 1, 2, 3 }, b[5] = { 4, 5, 6, 7, 8 }, out[8];
	struct iovec iov[] = { { a, 3 }, { NULL, 0 }, { b, 5 } }, part[3];

	tap_eq(iov_len(iov, 3), 8, "length of buffers");
	tap_ok(iov_slice(iov, 3, 2, 3, part) == 2 && part[0].iov_base == a + 2 &&
	       part[1].iov_base == b && part[1].iov_len == 2, "a part across buffers");
	tap_eq(iov_slice(iov, 3, 8, 5, part), 0, "a part behind the end");
	tap_ok(iov_read(iov, 3, 1, out, 8) == 7 && out[0] == 2 && out[6] == 8, "copy out");
	tap_ok(iov_write(iov, 3, 7, "xy", 2) == 1 && b[4] == 'x', "copy in, up to the end");
	iov_zero(iov, 3, 1, 3);
	tap_ok(a[0] == 1 && !a[1] && !a[2] && !b[0] && b[1] == 5, "clear");
}

static void test_raw(void)
{
	static struct iovec many[2500];
	struct block_extent ext;
	struct block *blk;
	u8 buf[8192];
	size_t i;

	set_size("raw", 4 * MIB);
	blk = open_as("raw", "raw", false);
	if (!blk)
		tap_bail("no raw image");
	memset(buf, 0x5a, sizeof(buf));
	tap_eq(block_write(blk, buf, 1000, MIB + 7), 0, "write 1000 bytes at an odd place");
	tap_ok(!block_read(blk, buf + 4096, 1002, MIB + 6) && !buf[4096] && !buf[4096 + 1001] &&
	       all(buf + 4097, 1000, 0x5a), "and read them");
	tap_ok(block_read(blk, buf, 512, 4 * MIB) == -EINVAL &&
	       block_write(blk, buf, 512, 4 * MIB - 511) == -EINVAL &&
	       block_read(blk, buf, 512, UINT64_MAX - 100) == -EINVAL &&
	       block_write_zeroes(blk, 0, 4 * MIB + 1, false) == -EINVAL &&
	       block_read(blk, buf, 0, 0) == -EINVAL, "ranges outside the disk, and empty ones");
	for (i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = (struct iovec){ buf, i % 3 };
	memset(buf, 0x77, 2);
	tap_ok(!block_writev(blk, many, ARRAY_SIZE(many), 64) &&
	       !block_read(blk, buf, 2501, 63) && !buf[0] && all(buf + 1, 2499, 0x77) && !buf[2500],
	       "2500 buffers, empty ones among them");
	tap_ok(!block_status(blk, 2 * MIB, MIB, &ext) && ext.kind == BLOCK_ZERO && ext.len == MIB,
	       "a hole is seen");
	tap_ok(!block_map(blk, 2 * MIB, 512, true, &ext) && ext.kind == BLOCK_DATA &&
	       ext.host_offset == 2 * MIB && ext.len == 512, "and can be written directly");
	memset(buf, 1, sizeof(buf));
	block_write(blk, buf, sizeof(buf), 3 * MIB);
	tap_ok(!block_write_zeroes(blk, 3 * MIB + 100, 5000, true) &&
	       !block_write_zeroes(blk, 3 * MIB + 6000, 10, false) &&
	       !block_read(blk, buf, sizeof(buf), 3 * MIB) && all(buf, 100, 1) &&
	       all(buf + 100, 5000, 0) && all(buf + 5100, 900, 1) && all(buf + 6000, 10, 0) &&
	       buf[6010] == 1, "zeroes, with and without a hole");
	tap_ok(!block_discard(blk, 3 * MIB, MIB) && !block_flush(blk), "discard, flush");
	tap_ok(!block_resize(blk, 5 * MIB) && blk->size == 5 * MIB &&
	       !block_read(blk, buf, 512, 5 * MIB - 512) && all(buf, 512, 0) &&
	       block_resize(blk, 5 * MIB + 1) == -EINVAL && block_resize(blk, 0) == -EINVAL,
	       "resize");
	set_size("raw", MIB);
	tap_eq(block_read(blk, buf, 512, 2 * MIB), -EIO, "a file cut behind our back");
	block_close(blk);
	blk = open_as("raw", "raw", true);
	tap_ok(block_write(blk, buf, 512, 0) == -EROFS && block_discard(blk, 0, 512) == -EROFS &&
	       block_write_zeroes(blk, 0, 512, true) == -EROFS && !block_flush(blk) &&
	       block_map(blk, 0, 512, true, &ext) == -EROFS, "read-only");
	block_close(blk);
}

static void test_probe(void)
{
	static const struct {
		const char *head;
		size_t len;
		const char *name;
	} heads[] = {
		{ "QFI\xfb", 4, "qcow2" }, { "vhdxfile", 8, "vhdx" }, { "QED", 4, "qed" },
		{ "KDMV", 4, "vmdk" }, { "conectix", 8, "vpc" }, { "LUKS\xba\xbe", 6, "luks" },
		{ "# Disk DescriptorFile\n", 22, "vmdk" }, { "\n# x\r\n# Disk DescriptorFile\n", 27, "vmdk" },
		{ "KDM", 3, "raw" }, { "\0", 1, "raw" }, { "# a comment\n", 12, "raw" },
	};
	struct block_extent ext;
	u8 head[4096], two[2];
	struct block *blk;
	size_t i;
	char name[8];

	for (i = 0; i < ARRAY_SIZE(heads); i++) {
		memset(head, 0, sizeof(head));
		memcpy(head, heads[i].head, heads[i].len);
		tap_ok(!strcmp(block_probe(head, sizeof(head)), heads[i].name), "probe: %s",
		       heads[i].name);
	}
	tap_ok(!strcmp(block_probe(head, 0), "raw"), "nothing at all is raw");
	set_size("probed", MIB);
	blk = open_as("probed", NULL, false);
	tap_ok(blk && blk->probed_raw && !messages, "zeroes are raw");
	memset(head, 0, sizeof(head));
	memcpy(head, "QFI\xfb", 4);
	tap_eq(block_write(blk, head, sizeof(head), 0), -EPERM, "nobody makes it a qcow2 image");
	memcpy(two, "QF", 2);
	tap_eq(block_write(blk, two, 2, 0), 0, "two bytes of the magic");
	tap_eq(block_write(blk, "I\xfb", 2, 2), -EPERM, "but not the others");
	tap_ok(block_map(blk, 0, 4096, true, &ext) && block_map(blk, 511, 1, true, &ext) &&
	       !block_map(blk, 512, 512, true, &ext), "nor behind our back");
	memset(head, 0xee, sizeof(head));
	tap_ok(!block_write(blk, head, sizeof(head), 0) && !block_read(blk, head, 4096, 0) &&
	       all(head, 4096, 0xee), "anything else can be written");
	block_close(blk);
	set_size("given", MIB);
	blk = open_as("given", "raw", false);
	tap_ok(blk && !block_write(blk, "vhdxfile", 8, 0), "unless it was said to be raw");
	block_close(blk);
	refused("given", NULL, false, "looks like vhdx", "what looks like a format we have not");
	strcpy(name, "qcow9");
	refused("given", name, false, "'qcow9' is not supported; use", "a format nobody has");
}

static void test_locks(void)
{
	struct block_options look = { .readonly = true, .shared_ok = true };
	struct block *a, *b;

	set_size("locked", MIB);
	a = open_as("locked", "raw", false);
	refused("locked", "raw", false, "in use by another writer", "two writers");
	refused("locked", "raw", true, "in use by another writer", "a writer, then a reader");
	b = block_open(in_dir("locked"), &look);
	tap_ok(b, "without a lock it can be looked at");
	block_close(b);
	tap_ok(!host_file_create(in_dir("locked")) && strstr(message, "in use"),
	       "nothing is created over it");
	block_close(a);
	a = open_as("locked", "raw", true);
	b = open_as("locked", "raw", true);
	tap_ok(a && b && a->size == MIB, "two readers; the size is as it was");
	refused("locked", "raw", false, "in use by another reader", "readers, then a writer");
	block_close(a);
	block_close(b);
}

/* O_DIRECT takes any offset, length and address, and bytes around them stay as they are. */
static void test_direct(void)
{
	struct block_options opts = { .format = "raw", .direct = true };
	static u8 model[256 << 10], buf[sizeof(model)];
	struct block *blk;
	unsigned int i, bad = 0;

	set_size("direct", sizeof(model));
	blk = block_open(in_dir("direct"), &opts);
	if (!blk) {
		tap_skip("no O_DIRECT on this file system: %s", message);
		return;
	}
	srandom(3);
	for (i = 0; i < 400 && !bad; i++) {
		size_t at = (size_t)random() % sizeof(model), len = 1 + (size_t)random() % 20000;
		u8 *p = buf + random() % 16;

		if (len > sizeof(model) - at - 16)
			continue;
		if (random() % 2) {
			memset(p, (int)i, len);
			memset(model + at, (int)i, len);
			bad = block_write(blk, p, len, at) != 0;
		} else {
			bad = block_read(blk, p, len, at) || memcmp(p, model + at, len);
		}
	}
	tap_ok(!bad && !block_read(blk, buf, sizeof(buf), 0) && !memcmp(buf, model, sizeof(model)),
	       "O_DIRECT with alignment %u, unaligned transfers", blk->align);
	block_close(blk);
}

static void create_vdi(const char *name, u64 size, const char *options)
{
	struct block_create create = { .size = size, .options = options };

	unlink(in_dir(name));
	if (block_create(in_dir(name), &block_vdi, &create))
		tap_bail("cannot create a VDI image: %s", message);
}

struct writer {
	struct block *blk;
	unsigned int number;
	int err;
};

/* Each writes its own sectors, which lie in everybody's blocks. */
static void *write_some(void *opaque)
{
	struct writer *w = opaque;
	u8 sector[512];
	u64 i;

	memset(sector, (int)w->number + 1, sizeof(sector));
	for (i = w->number; i < 4 * MIB / 512 && !w->err; i += 4)
		w->err = block_write(w->blk, sector, sizeof(sector), (i * 37 % 8192) * 512);
	return NULL;
}

static void test_threads(void)
{
	struct writer w[4];
	pthread_t thread[4];
	u8 sector[512];
	struct stat st;
	unsigned int i, bad = 0;

	create_vdi("threads", 4 * MIB, NULL);
	w[0].blk = open_as("threads", NULL, false);
	for (i = 0; i < 4; i++) {
		w[i] = (struct writer){ w[0].blk, i, 0 };
		pthread_create(&thread[i], NULL, write_some, &w[i]);
	}
	for (i = 0; i < 4; i++) {
		pthread_join(thread[i], NULL);
		bad += w[i].err != 0;
	}
	for (i = 0; i < 8192 && !bad; i++)
		bad = block_read(w[0].blk, sector, 512, (i * 37ULL % 8192) * 512) ||
		      !all(sector, 512, (u8)(i % 4 + 1));
	block_close(w[0].blk);
	tap_ok(!bad && !stat(in_dir("threads"), &st) && st.st_size == 4 * MIB + 4096,
	       "four threads write new blocks of one image");
}

/* A good image with some bytes changed is refused by name. */
struct fault {
	u64 offset;
	u64 value;
	unsigned int bytes;
	const char *text;
};

static void test_faults(const char *good, const char *format, const struct fault *fault, size_t nr)
{
	u8 bytes[8];
	size_t i;
	char command[256];
	unsigned int b;

	for (i = 0; i < nr; i++) {
		snprintf(command, sizeof(command), "cp %s %s", in_dir(good), in_dir("bad"));
		if (system(command))
			tap_bail("cannot copy");
		for (b = 0; b < fault[i].bytes; b++)
			bytes[b] = (u8)(fault[i].value >> 8 * b);
		put("bad", bytes, fault[i].bytes, fault[i].offset);
		refused("bad", format, true, fault[i].text, fault[i].text);
	}
}

static void test_vdi(void)
{
	static const struct fault faults[] = {
		{ 0x40, 0, 4, "is no VDI image" },
		{ 0x44, 0x00020000, 4, "version 2.0" },
		{ 0x4c, 4, 4, "type 4" },
		{ 0x154, 0, 4, "its map at 0" },
		{ 0x154, 513, 4, "its map at 513" },
		{ 0x154, 0xfffffe00, 4, "its map at 4294966784" },
		{ 0x158, 512, 4, "its data at 512" },
		{ 0x168, 4096, 4, "sectors of 4096" },
		{ 0x170, 0, 8, "a VDI disk of 0 bytes" },
		{ 0x170, UINT64_MAX, 8, "a VDI disk of 18446744073709551615 bytes" },
		{ 0x178, 65536, 4, "blocks of 65536" },
		{ 0x178, 0, 4, "blocks of 0" },
		{ 0x17c, 16, 4, "blocks of 1048576+16" },
		{ 0x180, 1, 4, "1 blocks for a disk" },
		{ 0x180, 0xffffffff, 4, "4294967295 blocks for a disk" },
		{ 0x180, 0x00100000, 4, "cannot be there" },
		{ 0x1b8, 1, 1, "difference to another image" },
		{ 0x200, 8, 4, "block 0 is at number 8 of 4" },
		{ 0x208, 0, 4, "block 2 shares its place" },
		{ 0x208, 3, 4, "block 2 is behind its end" },
	};
	struct block_check check = { .leaks = 0 };
	struct block *blk;
	u32 count = htole32(0);

	create_vdi("vdi", 4 * MIB, NULL);
	blk = open_as("vdi", NULL, false);
	tap_ok(blk && blk->format == &block_vdi && !block_write(blk, "abc", 3, 100) &&
	       !block_write(blk, "abc", 3, 2 * MIB - 1) && blk->size == 4 * MIB, "a VDI image");
	block_close(blk);
	test_faults("vdi", NULL, faults + 1, ARRAY_SIZE(faults) - 1);
	test_faults("vdi", "vdi", faults, 1);
	put("vdi", &count, 4, 0x184);
	blk = open_as("vdi", NULL, false);
	tap_ok(!block_vdi.check(blk, 0, &check) && check.corruptions == 1 &&
	       check.allocated_clusters == 3, "check finds a wrong number of blocks");
	tap_ok(!block_vdi.check(blk, BLOCK_REPAIR_ALL, &check) && check.corruptions_fixed == 1,
	       "and repairs it");
	block_close(blk);
	set_size("vdi", 600);
	refused("vdi", "vdi", true, "truncated", "a VDI image cut in its map");
	set_size("vdi", 100);
	refused("vdi", "vdi", true, "truncated", "a VDI image cut in its header");
}

/* 1 MiB in 64 KiB grains; the first one is at 1 MiB. */
static void make_vmdk(void)
{
	static const char text[] = "# Disk DescriptorFile\nversion=1\nCID=1\nparentCID=ffffffff\n"
				   "createType=\"monolithicSparse\"\nRW 2048 SPARSE \"x\"\n";
	u8 head[512] = "KDMV";
	u32 entry = htole32(64);

	unlink(in_dir("vmdk"));
	*(u32 *)(head + 4) = htole32(1);
	*(u32 *)(head + 8) = htole32(3);
	head[13] = 2048 >> 8;	/* capacity */
	head[20] = 128;		/* sectors of a grain */
	head[28] = 1;		/* descriptor */
	head[36] = 20;		/* its sectors */
	head[45] = 512 >> 8;	/* entries of a table */
	head[56] = 32;		/* directory */
	head[64] = 128;		/* tables and the like end there */
	put("vmdk", head, sizeof(head), 0);
	put("vmdk", text, sizeof(text) - 1, 512);
	put("vmdk", &entry, 4, 32 * 512);
	entry = htole32(2048);
	put("vmdk", &entry, 4, 64 * 512);
	set_size("vmdk", MIB + 65536);
	put("vmdk", "grain", 5, MIB);
}

static void test_vmdk(void)
{
	static const struct fault faults[] = {
		{ 4, 9, 4, "version 9" }, { 8, 0x10001, 4, "streamOptimized" },
		{ 77, 1, 2, "streamOptimized" }, { 56, UINT64_MAX, 8, "streamOptimized" },
		{ 12, 0, 8, "0 sectors" }, { 12, 1ULL << 60, 8, "sectors is not supported" },
		{ 20, 0, 8, "grains of 0" }, { 20, 129, 8, "grains of 129" },
		{ 20, 1ULL << 40, 8, "grains of" }, { 44, 511, 4, "tables of 511" },
		{ 44, 0xffffffff, 4, "tables of 4294967295" }, { 56, 0, 8, "directory" },
		{ 56, 1ULL << 55, 8, "directory" }, { 12, 1ULL << 36, 8, "directory" },
		{ 28, 1ULL << 60, 8, "descriptor" }, { 36, 1ULL << 54, 8, "descriptor" },
		{ 64, 1ULL << 60, 8, "of tables" }, { 512, 'x', 1, "no VMDK descriptor" },
		{ 512 + 69, 'Y', 1, "'YonolithicSparse'" }, { 512 + 50, '0', 1, "snapshot" },
	};
	static const char flat[] = "# Disk DescriptorFile\nparentCID=ffffffff\n"
				   "createType=\"monolithicFlat\"\nRW 2048 FLAT \"%s\" 0\n";
	char text[256], buf[8];
	struct block *blk;
	u32 entry;

	make_vmdk();
	blk = open_as("vmdk", NULL, true);
	tap_ok(blk && blk->size == MIB && !block_read(blk, buf, 6, 0) && !strcmp(buf, "grain") &&
	       !block_read(blk, buf, 6, 70000) && !*buf, "a VMDK image");
	block_close(blk);
	test_faults("vmdk", NULL, faults, ARRAY_SIZE(faults));
	refused("vmdk", NULL, false, "can only be read", "it cannot be written");
	entry = htole32(5);
	put("vmdk", &entry, 4, 64 * 512);
	entry = htole32(0xfffffff0);
	put("vmdk", &entry, 4, 64 * 512 + 4);
	blk = open_as("vmdk", NULL, true);
	tap_ok(blk && block_read(blk, buf, 6, 0) == -EIO && block_read(blk, buf, 6, 65536) == -EIO &&
	       !block_read(blk, buf, 6, 2 * 65536), "grains in the tables and behind the end");
	block_close(blk);
	set_size("flat-data", MIB);
	put("flat-data", "flat", 5, 0);
	snprintf(text, sizeof(text), flat, "flat-data");
	put("flat", text, strlen(text), 0);
	blk = open_as("flat", NULL, true);
	tap_ok(blk && blk->size == MIB && !block_read(blk, buf, 5, 0) && !strcmp(buf, "flat"),
	       "a flat VMDK image");
	block_close(blk);
	set_size("flat-data", MIB - 1);
	refused("flat", NULL, true, "truncated", "its data is too short");
	unlink(in_dir("flat"));
	snprintf(text, sizeof(text), flat, "../../etc/passwd");
	put("flat", text, strlen(text), 0);
	refused("flat", NULL, true, "not a file beside it", "its data is elsewhere");
}

static u32 vhd_sum(const u8 *p, size_t len)
{
	u32 sum = 0;

	while (len--)
		sum += *p++;
	return htobe32(~sum);
}

/* Dynamic, 4 MiB in blocks of 2 MiB, the second one with one sector written. */
static void make_vhd(const struct fault *fault)
{
	u8 footer[512] = "conectix", header[1024] = "cxsparse", sector[512] = "", *p;
	u32 table[128];
	unsigned int i;

	unlink(in_dir("vhd"));
	footer[13] = 1;				/* version 1.0 */
	*(u64 *)(footer + 16) = htobe64(512);
	memcpy(footer + 28, "win ", 4);
	*(u64 *)(footer + 48) = htobe64(4 * MIB);
	footer[63] = 3;
	*(u64 *)(header + 16) = htobe64(1536);
	header[25] = 1;
	header[31] = 2;
	*(u32 *)(header + 32) = htobe32(2 * MIB);
	if (fault) {
		p = fault->offset < 512 ? footer + fault->offset : header + fault->offset - 512;
		for (i = 0; i < fault->bytes; i++)
			p[i] = (u8)(fault->value >> 8 * (fault->bytes - 1 - i));
	}
	*(u32 *)(footer + 64) = vhd_sum(footer, 512);
	*(u32 *)(header + 36) = vhd_sum(header, 1024);
	memset(table, 0xff, sizeof(table));
	table[1] = htobe32(4);
	put("vhd", footer, 512, 0);
	put("vhd", header, 1024, 512);
	put("vhd", table, 512, 1536);
	sector[0] = 0x20;			/* sector 2 */
	put("vhd", sector, 512, 2048);
	memset(sector, 7, 512);
	for (i = 0; i < 4; i++)
		put("vhd", sector, 512, 2048 + 512 + 512 * i);
	put("vhd", footer, 512, 2048 + 512 + 2 * MIB);
}

static void test_vhd(void)
{
	static const struct fault faults[] = {
		{ 12, 0x00020000, 4, "version 0x20000" }, { 16, UINT64_MAX, 8, "its header at" },
		{ 16, 100, 8, "its header at 100" }, { 16, 1024, 8, "no header" },
		{ 48, 0, 8, "of 0 bytes" }, { 48, 1ULL << 62, 8, "bytes is not supported" },
		{ 48, 1000, 8, "of 1000 bytes" }, { 60, 4, 4, "difference" },
		{ 60, 9, 4, "type 9" }, { 512 + 16, UINT64_MAX - 3, 8, "its table" },
		{ 512 + 28, 1, 4, "its table of 1 entries" },
		{ 512 + 28, 0xffffffff, 4, "its table of 4294967295" },
		{ 512 + 32, 0, 4, "blocks of 0" }, { 512 + 32, 3 << 20, 4, "blocks of 3145728" },
		{ 512 + 32, 1U << 31, 4, "blocks of 2147483648" }, { 512, 'x', 1, "no header" },
		{ 48, 8 * MIB, 8, "are needed" }, { 60, 2, 4, "truncated" },
	};
	u8 buf[2048];
	struct block *blk;
	u32 entry;
	size_t i;

	make_vhd(NULL);
	blk = open_as("vhd", NULL, true);
	tap_ok(blk && blk->size == 4 * MIB && !block_read(blk, buf, 2048, 2 * MIB) &&
	       all(buf, 1024, 0) && all(buf + 1024, 512, 7) && all(buf + 1536, 512, 0) &&
	       !block_read(blk, buf, 2048, 1000) && all(buf, 2048, 0),
	       "a VHD image; only sectors marked in the bitmap are data");
	block_close(blk);
	for (i = 0; i < ARRAY_SIZE(faults); i++) {
		make_vhd(&faults[i]);
		refused("vhd", NULL, true, faults[i].text, faults[i].text);
	}
	make_vhd(NULL);
	put("vhd", "x", 1, 2048 + 512 + 2 * MIB + 100);
	blk = open_as("vhd", NULL, true);
	tap_ok(blk, "a damaged footer, but a good copy");
	block_close(blk);
	put("vhd", "x", 1, 100);
	refused("vhd", NULL, true, "no VHD footer that is whole", "both damaged");
	make_vhd(NULL);
	entry = htobe32(3);
	put("vhd", &entry, 4, 1536);
	entry = htobe32(0xfffffff0);
	put("vhd", &entry, 4, 1540);
	blk = open_as("vhd", NULL, true);
	tap_ok(blk && block_read(blk, buf, 512, 0) == -EIO &&
	       block_read(blk, buf, 512, 2 * MIB) == -EIO, "blocks in the table and behind the end");
	block_close(blk);
}

/* Whatever is in the file: opened and read, or refused with a message. */
static void test_random(const char *good, const char *format)
{
	static u8 buf[65536];
	unsigned int i, j, opened = 0, silent = 0;
	char command[256];
	struct block *blk;
	u64 offset;

	snprintf(command, sizeof(command), "cp %s %s", in_dir(good), in_dir("bad"));
	for (i = 0; i < 300; i++) {
		if (!(i % 20) && system(command))
			tap_bail("cannot copy");
		for (j = 0; j < 1 + i % 3; j++) {
			u8 byte = random() % 2 ? 0xff : (u8)random();

			put("bad", &byte, 1, (u64)random() % (random() % 2 ? 600 : 34000));
		}
		blk = open_as("bad", format, true);
		silent += !blk && messages != 1;
		if (!blk)
			continue;
		opened++;
		for (offset = 0; offset + sizeof(buf) <= blk->size && offset < 8 * MIB;
		     offset += sizeof(buf)) {
			struct block_extent ext;

			(void)block_read(blk, buf, sizeof(buf), offset);
			(void)block_status(blk, offset, blk->size - offset, &ext);
		}
		block_close(blk);
	}
	tap_ok(!silent, "%s with random damage: %u of 300 opened", format, opened);
}

int main(void)
{
	char command[64];

	if (!mkdtemp(dir))
		tap_bail("no directory");
	tap_plan(0);
	test_iov();
	test_raw();
	test_probe();
	test_locks();
	test_direct();
	test_threads();
	test_vdi();
	test_vmdk();
	test_vhd();
	srandom(1);
	test_random("threads", "vdi");
	make_vmdk();
	test_random("vmdk", "vmdk");
	make_vhd(NULL);
	test_random("vhd", "vpc");
	snprintf(command, sizeof(command), "rm -rf %s", dir);
	return tap_done() || system(command);
}
