// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the randomized test of disk images against qemu-img and qemu-io: in turns, we write and they
 * read, they write and we read; both must see what a model in memory says. CROSS_ROUNDS: turns per
 * format (default 4).
 */
#include <sys/stat.h>
#include <unistd.h>

#include "block/file.h"
#include "block/format.h"
#include "iov.h"
#include "scratch.h"
#include "tap.h"

#define DISK_SIZE	((6U << 20) + 512 * 37)
#define OPS		60

static const char *dir;
static u8 model[DISK_SIZE], seen[DISK_SIZE];
static unsigned int operations;

static TAP_PRINTF(1, 2) int run(const char *fmt, ...)
{
	char command[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return system(command);
}

/* A range that is often small, sometimes large, and likes borders. */
static size_t random_range(u64 *offset, size_t unit)
{
	size_t len = unit * (1 + (size_t)random() % (random() % 4 ? 40 : 3000));
	u64 at = (u64)random() % DISK_SIZE / unit * unit;

	if (!(random() % 4))
		at = at / (1 << 20) * (1 << 20);
	if (len > DISK_SIZE - at)
		len = (size_t)(DISK_SIZE - at);
	*offset = at;
	return len / unit * unit;
}

/* Split a buffer into pieces of random length. */
static unsigned int pieces(u8 *p, size_t len, struct iovec *iov, unsigned int most)
{
	unsigned int n = 0;

	while (len) {
		size_t part = n + 1 == most ? len : 1 + (size_t)random() % len;

		iov[n++] = (struct iovec){ p, part };
		p += part;
		len -= part;
	}
	return n;
}

static int our_operation(struct block *blk)
{
	struct iovec iov[5];
	size_t len, unit = random() % 2 ? 512 : 1;
	u64 offset;

	len = random_range(&offset, unit);
	operations++;
	switch (len ? random() % 8 : 7) {
	case 0:
	case 1:
		memset(model + offset, 0, len);
		return block_write_zeroes(blk, offset, len, random() % 2);
	case 2:
		return block_readv(blk, iov, pieces(seen, len, iov, 5), offset) ||
		       memcmp(seen, model + offset, len);
	case 3:
		/* Undefined after it, so defined again at once. */
		if (block_discard(blk, offset, len))
			return -1;
		break;
	case 7:
		return block_flush(blk);
	}
	memset(model + offset, (int)operations, len);
	return block_writev(blk, iov, pieces(model + offset, len, iov, 5), offset);
}

/* Everything, by block_status() and by reading: both must fit the model. */
static int we_see(const char *path, const char *format)
{
	struct block_options opts = { .format = format, .readonly = true };
	struct block *blk = block_open(path, &opts);
	struct block_extent ext;
	u64 at, size;
	int bad = !blk;

	if (bad)
		return 1;
	/* What VHD rounds up to its geometry reads as zeroes. */
	size = blk->size < DISK_SIZE ? blk->size : DISK_SIZE;
	bad = blk->size < DISK_SIZE;
	for (at = 0; at < size && !bad; at += ext.len) {
		bad = block_status(blk, at, size - at, &ext) || !ext.len ||
		      block_read(blk, seen + at, ext.len, at);
		if (!bad && ext.kind != BLOCK_DATA)
			bad = seen[at] || memcmp(seen + at, seen + at + 1, ext.len - 1);
		if (!bad && ext.kind == BLOCK_DATA &&
		    pread(ext.fd, seen + at, ext.len, (off_t)ext.host_offset) != (ssize_t)ext.len)
			bad = 1;
	}
	block_close(blk);
	return bad || memcmp(seen, model, DISK_SIZE);
}

static int they_see(const char *path, const char *format)
{
	FILE *f;
	size_t n;

	if (run("qemu-img convert -f %s -O raw %s %s/theirs.raw", format, path, dir))
		return 1;
	f = fopen("theirs.raw", "r");
	n = f ? fread(seen, 1, DISK_SIZE, f) : 0;
	if (f)
		fclose(f);
	return n != DISK_SIZE || memcmp(seen, model, DISK_SIZE);
}

static int our_turn(const char *path, const char *format)
{
	struct block_options opts = { .format = format };
	struct block *blk = block_open(path, &opts);
	int i, bad = !blk;

	for (i = 0; i < OPS && !bad; i++)
		bad = our_operation(blk);
	block_close(blk);
	return bad;
}

static int their_turn(const char *path, const char *format)
{
	char command[256];
	FILE *f;
	int i;

	snprintf(command, sizeof(command), "qemu-io -f %s %s >qemu-io.log 2>&1", format, path);
	f = popen(command, "w");
	if (!f)
		return 1;
	for (i = 0; i < OPS; i++) {
		u64 offset;
		size_t len = random_range(&offset, 512);
		int byte = random() % 255 + 1;

		operations++;
		if (random() % 4) {
			fprintf(f, "write -P %d %llu %zu\n", byte, offset, len);
			memset(model + offset, byte, len);
		} else {
			fprintf(f, "write -z %s %llu %zu\n", random() % 2 ? "-u" : "", offset, len);
			memset(model + offset, 0, len);
		}
	}
	return pclose(f) || !run("grep -qi error qemu-io.log");
}

/**
 * struct kind - what is tested
 * @name: format for both programs
 * @options: of qemu-img create -o
 * @ours: options of our own create; NULL: theirs makes the image
 * @writable: by us
 * @check: qemu-img can check it
 */
struct kind {
	const char *name;
	const char *options;
	const char *ours;
	bool writable;
	bool check;
};

static void test(const struct kind *kind, int rounds)
{
	const struct block_format *format = block_find_format("test", kind->name);
	struct block_create create = { .size = DISK_SIZE, .options = kind->ours };
	int i, bad = !format;

	memset(model, 0, sizeof(model));
	run("rm -f image image-flat.vmdk");
	if (kind->ours && *kind->ours == '-')
		create.options = NULL;
	if (!bad && kind->ours)
		bad = block_create("image", format, &create);
	else if (!bad)
		bad = run("qemu-img create -q -f %s -o '%s' image %u", kind->name, kind->options,
			  DISK_SIZE);
	for (i = 0; i < rounds && !bad; i++) {
		bad = their_turn("image", kind->name) || we_see("image", kind->name);
		if (bad)
			tap_diag("turn %d: they wrote, we read", i);
		if (!bad && kind->writable) {
			bad = our_turn("image", kind->name) || we_see("image", kind->name) ||
			      they_see("image", kind->name);
			if (bad)
				tap_diag("turn %d: we wrote, they read", i);
		}
		if (!bad && kind->check) {
			bad = run("qemu-img check -q -f %s image", kind->name);
			if (bad)
				tap_diag("turn %d: qemu-img check", i);
		}
	}
	tap_ok(!bad, "%s %s%s: the same to both", kind->name, kind->options,
	       kind->ours ? ", made by us" : "");
}

int main(void)
{
	static const struct kind kinds[] = {
		{ "raw", "size=1M", "-", true, false },
		{ "vdi", "static=off", NULL, true, true },
		{ "vdi", "static=on", NULL, true, true },
		{ "vdi", "static=off", "-", true, true },
		{ "vdi", "static=on", "static=on", true, true },
		{ "vmdk", "subformat=monolithicSparse", NULL, false, false },
		{ "vmdk", "subformat=monolithicSparse,zeroed_grain=on", NULL, false, false },
		{ "vmdk", "subformat=monolithicFlat", NULL, false, false },
		{ "vmdk", "subformat=twoGbMaxExtentFlat", NULL, false, false },
		{ "vpc", "subformat=dynamic", NULL, false, false },
		{ "vpc", "subformat=fixed", NULL, false, false },
		{ "vpc", "subformat=dynamic,force_size=on", NULL, false, false },
	};
	const char *rounds = getenv("CROSS_ROUNDS"), *seed = getenv("CROSS_SEED");
	unsigned int first = seed ? (unsigned int)atoi(seed) : 1;
	size_t i;

	if (system("qemu-io --version >/dev/null 2>&1"))
		tap_skip_all("no qemu-io");
	dir = scratch_enter();
	tap_plan(0);
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		srandom(first + (unsigned int)i);
		test(&kinds[i], rounds ? atoi(rounds) : 4);
	}
	tap_diag("%u operations, seed %u (CROSS_SEED)", operations, first);
	scratch_leave();
	return tap_done();
}
