// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the randomized test of qcow2 images: the same disk is changed by mkvm's code and by qemu-
 * img and qemu-io in turns, over cluster sizes, versions, refcount widths, backing files,
 * compression and snapshots; it always reads as the model in memory, and qemu-img check is
 * content.
 *
 * QCOW2_ROUNDS is the number of images, QCOW2_SEED where the random numbers begin; a failure prints
 * the seed of its image.
 */
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "block/format.h"
#include "block/qcow2.h"
#include "tap.h"

#define MAX_SNAPS	4
#define TURNS		3

struct snap {
	char name[16];
	u8 *data;
	u64 size;
};

struct config {
	unsigned int cluster_bits, refcount_bits;
	bool v2, lazy, zstd, backing, backing_qcow2, direct;
};

static struct config cfg;
static u8 *model, *backing_model;
static u64 size, backing_size;
static struct snap snaps[MAX_SNAPS];
static unsigned int nr_snaps, nr_named, operations;
static u64 seed, state;
static char dir[] = "/tmp/qcow2_test.XXXXXX", image[64], backing[64], raw[64];
static struct block *blk;
static bool failed;

extern char **environ;

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

/* Run a program without a shell; its output goes to a file that is shown if it fails. */
static bool run(char *const argv[])
{
	posix_spawn_file_actions_t actions;
	char log[80], line[256];
	int status = -1, i;
	pid_t pid;
	FILE *f;

	snprintf(log, sizeof(log), "%s/log", dir);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&actions, 1, 2);
	if (posix_spawnp(&pid, argv[0], &actions, NULL, argv, environ))
		tap_skip_all("cannot run %s", argv[0]);
	posix_spawn_file_actions_destroy(&actions);
	waitpid(pid, &status, 0);
	if (!status)
		return true;
	fail("status of a program", (u64)status);
	for (i = 0; argv[i]; i++)
		tap_diag("  %s", argv[i]);
	f = fopen(log, "r");
	for (i = 0; f && i < 10 && fgets(line, sizeof(line), f); i++)
		tap_diag("  > %.*s", (int)strcspn(line, "\n"), line);
	if (f)
		fclose(f);
	return false;
}

#define RUN(...) run((char *[]){ __VA_ARGS__, NULL })

static u8 *backing_bytes(u64 offset, u64 len)
{
	u8 *bytes = calloc(1, len);

	if (cfg.backing && offset < backing_size)
		memcpy(bytes, backing_model + offset,
		       len < backing_size - offset ? len : backing_size - offset);
	return bytes;
}

static void fill(u8 *buf, u64 len)
{
	u64 i, step = rnd(3) ? 0 : rnd(251);
	u8 value = (u8)(1 + rnd(255));

	for (i = 0; i < len; i++)
		buf[i] = step ? (u8)(value + rnd(256)) : value;
}

static bool open_ours(bool readonly)
{
	struct block_options opts = { .readonly = readonly, .direct = cfg.direct };

	blk = block_open(image, &opts);
	if (!blk)
		return fail("block_open", 0);
	return blk->size == size || fail("size of the disk", blk->size);
}

static void range(u64 *offset, u64 *len)
{
	u64 cluster = 1ULL << cfg.cluster_bits, max = rnd(4) ? 2 * cluster : 20 * cluster;

	*offset = rnd(size / 512) * 512;
	*len = (1 + rnd(max / 512)) * 512;
	if (!rnd(3)) {
		*offset &= ~(cluster - 1);
		*len = (*len + cluster - 1) & ~(cluster - 1);
	} else if (!rnd(3)) {
		*offset += rnd(512);
		*len = 1 + rnd(*len);
	}
	if (*len > size - *offset)
		*len = size - *offset;
}

static bool ours_write(void)
{
	u64 offset, len, cut;
	struct iovec iov[3];
	int ret;

	range(&offset, &len);
	fill(model + offset, len);
	cut = rnd(len);
	iov[0] = (struct iovec){ model + offset, cut };
	iov[1] = (struct iovec){ model + offset + cut, 0 };
	iov[2] = (struct iovec){ model + offset + cut, len - cut };
	ret = block_writev(blk, iov, 3, offset);
	return !ret || fail("block_writev", (u64)-ret);
}

static bool ours_compressed(void)
{
	u64 cluster = 1ULL << cfg.cluster_bits, offset = rnd(size) & ~(cluster - 1);
	u64 len = size - offset < cluster ? size - offset : cluster;
	int ret;

	fill(model + offset, len);
	ret = block_qcow2.write_compressed(blk, model + offset, len, offset);
	return !ret || fail("write_compressed", (u64)-ret);
}

static bool ours_zeroes(void)
{
	u64 offset, len;
	int ret;

	range(&offset, &len);
	memset(model + offset, 0, len);
	ret = block_write_zeroes(blk, offset, len, rnd(2));
	return !ret || fail("block_write_zeroes", (u64)-ret);
}

/*
 * What was discarded reads as before, as zeroes or as the backing image; from then on as it
 * did first.
 */
static bool adopt(u64 offset, u64 len, const u8 *now)
{
	u8 *below = backing_bytes(offset, len);
	u64 i;

	for (i = 0; i < len; i++) {
		if (now[i] && now[i] != model[offset + i] && now[i] != below[i])
			break;
	}
	free(below);
	if (i < len)
		return fail("discarded bytes read as something else", offset + i);
	memcpy(model + offset, now, len);
	return true;
}

static bool ours_discard(void)
{
	u64 offset, len;
	u8 *now;
	bool ok;
	int ret;

	range(&offset, &len);
	ret = block_discard(blk, offset, len);
	if (ret)
		return fail("block_discard", (u64)-ret);
	now = malloc(len);
	ret = block_read(blk, now, len, offset);
	ok = ret ? fail("read after discard", (u64)-ret) : adopt(offset, len, now);
	free(now);
	return ok;
}

static bool same(const u8 *now, u64 offset, u64 len, const char *who)
{
	u64 i;

	if (!memcmp(now, model + offset, len))
		return true;
	for (i = 0; now[i] == model[offset + i]; i++)
		;
	tap_diag("0x%02x, should be 0x%02x", now[i], model[offset + i]);
	return fail(who, offset + i);
}

static bool ours_read(u64 offset, u64 len)
{
	u8 *now = malloc(len);
	int ret = block_read(blk, now, len, offset);
	bool ok = ret ? fail("block_read", (u64)-ret) :
			same(now, offset, len, "mkvm reads a byte wrong");

	free(now);
	return ok;
}

static bool ours_read_some(void)
{
	u64 offset, len;

	range(&offset, &len);
	return ours_read(offset, len);
}

/* Bytes that block_map() says are at some place of the file must be there. */
static bool ours_map(void)
{
	u64 offset, len;
	struct block_extent ext;
	bool write = rnd(2), ok = true;
	u8 *buf;

	range(&offset, &len);
	block_hold(blk);
	if (!block_map(blk, offset, len, write, &ext) && ext.kind == BLOCK_DATA && !cfg.direct) {
		if (write) {
			fill(model + offset, ext.len);
			ok = pwrite(ext.fd, model + offset, ext.len, (off_t)ext.host_offset) ==
			     (ssize_t)ext.len;
		} else {
			buf = malloc(ext.len);
			ok = pread(ext.fd, buf, ext.len, (off_t)ext.host_offset) ==
			     (ssize_t)ext.len && same(buf, offset, ext.len, "block_map");
			free(buf);
		}
	}
	block_release(blk);
	return ok || fail("transfer through block_map", offset);
}

static void model_snapshot(void)
{
	struct snap *s = &snaps[nr_snaps++];

	snprintf(s->name, sizeof(s->name), "s%u", nr_named++);
	s->size = size;
	s->data = malloc(size);
	memcpy(s->data, model, size);
}

static void model_apply(const struct snap *s)
{
	size = s->size;
	model = realloc(model, size);
	memcpy(model, s->data, size);
}

static void model_delete(unsigned int i)
{
	free(snaps[i].data);
	memmove(&snaps[i], &snaps[i + 1], (--nr_snaps - i) * sizeof(snaps[0]));
}

static void model_resize(u64 new_size)
{
	model = realloc(model, new_size);
	if (new_size > size)
		memset(model + size, 0, new_size - size);
	size = new_size;
}

static bool ours_snapshot(void)
{
	unsigned int i = nr_snaps ? (unsigned int)rnd(nr_snaps) : 0;
	int ret = 0;

	if (cfg.refcount_bits < 16)	/* many compressed clusters in one */
		return true;
	if (nr_snaps < MAX_SNAPS && rnd(2)) {
		model_snapshot();
		ret = qcow2_snapshot_create(blk, snaps[nr_snaps - 1].name);
	} else if (nr_snaps && rnd(2)) {
		ret = qcow2_snapshot_apply(blk, snaps[i].name);
		model_apply(&snaps[i]);
	} else if (nr_snaps) {
		ret = qcow2_snapshot_delete(blk, snaps[i].name);
		model_delete(i);
	}
	if (blk->size != size)
		return fail("size after a snapshot", blk->size);
	return !ret || fail("snapshot", (u64)-ret);
}

static u64 new_size(void)
{
	u64 n = (1 + rnd(2 * size / 512)) * 512;

	return n > 64ULL << cfg.cluster_bits ? size : n;
}

static bool ours_resize(void)
{
	u64 n = new_size();
	int ret;

	if (cfg.v2 && nr_snaps)
		return true;
	ret = block_resize(blk, n);
	model_resize(n);
	return !ret || fail("block_resize", (u64)-ret);
}

static bool ours_turn(void)
{
	unsigned int i, n = 10 + (unsigned int)rnd(30);
	bool ok = open_ours(false);

	for (i = 0; ok && i < n; i++, operations++) {
		switch (rnd(20)) {
		case 0 ... 6:
			ok = ours_write();
			break;
		case 7:
			ok = ours_compressed();
			break;
		case 8 ... 10:
			ok = ours_zeroes();
			break;
		case 11 ... 12:
			ok = ours_discard();
			break;
		case 13 ... 14:
			ok = ours_map();
			break;
		case 15:
			ok = !block_flush(blk) || fail("block_flush", 0);
			break;
		case 16:
			ok = ours_snapshot();
			break;
		case 17:
			ok = rnd(2) || ours_resize();
			break;
		default:
			ok = ours_read_some();
		}
	}
	if (ok)
		ok = ours_read(0, size);
	block_close(blk);
	blk = NULL;
	return ok;
}

static bool check(void)
{
	struct block_options opts = { .readonly = true, .no_backing = true };
	struct block_check result = { 0 };
	struct block *b;
	int ret;

	if (!RUN("qemu-img", "check", "-q", "-f", "qcow2", image))
		return false;
	b = block_open(image, &opts);
	if (!b)
		return fail("open for a check", 0);
	ret = block_qcow2.check(b, 0, &result);
	block_close(b);
	if (ret || result.corruptions || result.leaks || result.check_errors)
		return fail("our check finds what qemu-img does not", result.leaks);
	return true;
}

static bool compare_raw(const char *path, const char *who)
{
	u8 *now = calloc(1, size);
	int fd = open(path, O_RDONLY);
	struct stat st;
	bool ok;

	ok = fd >= 0 && !fstat(fd, &st) && ((u64)st.st_size == size || fail("size", size)) &&
	     read(fd, now, size) == (ssize_t)size && same(now, 0, size, who);
	if (fd >= 0)
		close(fd);
	free(now);
	return ok || fail(who, 0);
}

static bool theirs_read(void)
{
	return RUN("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw) &&
	       compare_raw(raw, "qemu-img reads a byte wrong");
}

static void io_command(char *text, size_t room)
{
	u64 offset, len;
	u8 value = (u8)(1 + rnd(255));

	do {
		range(&offset, &len);
		offset &= ~511ULL;
		len &= ~511ULL;
	} while (!len);
	if (rnd(3)) {
		snprintf(text, room, "write -P %u %llu %llu", value, offset, len);
		memset(model + offset, value, len);
	} else {
		snprintf(text, room, "write -z %s %llu %llu", rnd(2) ? "-u" : "", offset, len);
		memset(model + offset, 0, len);
	}
}

/* Compressed clusters in a new image: qemu-io refuses them where there is something already. */
static bool theirs_compressed(void)
{
	char text[8][64];
	char *argv[32] = { "qemu-io", "-f", "qcow2" };
	u64 cluster = 1ULL << cfg.cluster_bits, offset, len;
	unsigned int i, n = 3;

	for (i = 0; i < 8 && i * 3 * cluster < size; i++, operations++) {
		offset = i * 3 * cluster;
		len = size - offset < cluster ? size - offset : cluster;
		snprintf(text[i], sizeof(text[i]), "write -c -P %u %llu %llu", i + 1, offset, len);
		memset(model + offset, (int)i + 1, len);
		argv[n++] = "-c";
		argv[n++] = text[i];
	}
	argv[n] = image;
	return run(argv);
}

static bool theirs_writes(void)
{
	char text[8][64];
	char *argv[32] = { "qemu-io", "-f", "qcow2", "-d", "unmap" };
	unsigned int i, n = 5;

	for (i = 0; i < 8; i++, operations++) {
		io_command(text[i], sizeof(text[i]));
		argv[n++] = "-c";
		argv[n++] = text[i];
	}
	argv[n] = image;
	return run(argv);
}

static bool theirs_discard(void)
{
	u64 offset, len;
	char text[64];
	u8 *now;
	int fd;
	bool ok;

	range(&offset, &len);
	offset &= ~511ULL;
	len = (len + 511) & ~511ULL;
	snprintf(text, sizeof(text), "discard %llu %llu", offset, len);
	if (!RUN("qemu-io", "-f", "qcow2", "-d", "unmap", "-c", text, image) ||
	    !RUN("qemu-img", "convert", "-f", "qcow2", "-O", "raw", image, raw))
		return false;
	now = malloc(len);
	fd = open(raw, O_RDONLY);
	ok = fd >= 0 && pread(fd, now, len, (off_t)offset) == (ssize_t)len &&
	     adopt(offset, len, now);
	close(fd);
	free(now);
	return ok || fail("discard by qemu-io", offset);
}

static bool theirs_snapshot(void)
{
	unsigned int i = nr_snaps ? (unsigned int)rnd(nr_snaps) : 0;
	bool ok = true;

	if (cfg.refcount_bits < 16)	/* many compressed clusters in one */
		return true;
	if (nr_snaps < MAX_SNAPS && rnd(2)) {
		model_snapshot();
		return RUN("qemu-img", "snapshot", "-c", snaps[nr_snaps - 1].name, image);
	}
	if (nr_snaps && rnd(2)) {
		/* qemu-img does not resize a backed image to apply a snapshot. */
		if (snaps[i].size != size)
			return true;
		ok = RUN("qemu-img", "snapshot", "-a", snaps[i].name, image);
		model_apply(&snaps[i]);
	} else if (nr_snaps) {
		ok = RUN("qemu-img", "snapshot", "-d", snaps[i].name, image);
		model_delete(i);
	}
	return ok;
}

static bool theirs_turn(void)
{
	char text[32];
	u64 n = new_size();
	bool ok = theirs_writes();

	if (ok && !rnd(3))
		ok = theirs_discard();
	if (ok && rnd(2))
		ok = theirs_snapshot();
	if (ok && !rnd(4) && !nr_snaps && n >= size && !(cfg.v2 && cfg.backing)) {
		snprintf(text, sizeof(text), "%llu", n);
		ok = RUN("qemu-img", "resize", "-q", "-f", "qcow2", image, text);
		model_resize(n);
	}
	return ok && theirs_writes();
}

static bool make_backing(void)
{
	u64 i;
	int fd;

	backing_size = (1 + rnd(3 * size / 1024)) * 512;
	backing_model = calloc(1, backing_size);
	for (i = 0; i < backing_size; i += 512) {
		if (rnd(2))
			memset(backing_model + i, (int)(1 + rnd(255)), 512);
	}
	fd = open(cfg.backing_qcow2 ? raw : backing, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	if (fd < 0 || write(fd, backing_model, backing_size) != (ssize_t)backing_size)
		return fail("backing file", 0);
	close(fd);
	return !cfg.backing_qcow2 ||
	       RUN("qemu-img", "convert", "-f", "raw", "-O", "qcow2", raw, backing);
}

static bool make_image(void)
{
	struct block_create create = {
		.size = size, .backing_path = cfg.backing ? backing : NULL,
		.backing_format = cfg.backing_qcow2 ? "qcow2" : "raw",
	};
	char options[256], text[32];

	snprintf(options, sizeof(options),
		 "cluster_size=%llu,compat=%s,refcount_bits=%u,lazy_refcounts=%s,compression_type=%s",
		 1ULL << cfg.cluster_bits, cfg.v2 ? "0.10" : "1.1", cfg.refcount_bits,
		 cfg.lazy ? "on" : "off", cfg.zstd ? "zstd" : "zlib");
	snprintf(text, sizeof(text), "%llu", size);
	if (cfg.backing && !make_backing())
		return false;
	if (rnd(2)) {
		create.options = options;
		return !block_create(image, &block_qcow2, &create) || fail("create", 0);
	}
	if (!cfg.backing)
		return RUN("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, image, text);
	return RUN("qemu-img", "create", "-q", "-f", "qcow2", "-o", options, "-b", backing, "-F",
		   cfg.backing_qcow2 ? "qcow2" : "raw", image, text);
}

static void choose(void)
{
	static const unsigned int bits[] = { 9, 9, 10, 12, 12, 13, 16, 16, 18, 21 };

	memset(&cfg, 0, sizeof(cfg));
	cfg.cluster_bits = bits[rnd(ARRAY_SIZE(bits))];
	cfg.v2 = !rnd(4);
	cfg.refcount_bits = cfg.v2 || rnd(2) ? 16 : 1U << rnd(7);
	cfg.lazy = !cfg.v2 && !rnd(4);
	cfg.zstd = !cfg.v2 && rnd(2);
	cfg.backing = rnd(2);
	cfg.backing_qcow2 = cfg.backing && rnd(2);
	cfg.direct = !rnd(8);
	size = (1 + rnd((32ULL << cfg.cluster_bits) / 512)) * 512;
	if (cfg.cluster_bits == 9)
		size += 40000 + rnd(300) * 512;
	size &= ~511ULL;
}

static bool round_of(u64 s)
{
	unsigned int turn;
	bool ok;

	seed = state = s;
	rnd(1);
	failed = false;
	choose();
	model = calloc(1, size);
	ok = make_image();
	if (ok && cfg.backing)
		memcpy(model, backing_model, size < backing_size ? size : backing_size);
	if (ok && rnd(2))
		ok = theirs_compressed();
	for (turn = 0; ok && turn < TURNS; turn++) {
		ok = ours_turn() && check() && theirs_read();
		if (ok && turn + 1 < TURNS)
			ok = theirs_turn() && check();
	}
	if (!ok)
		tap_diag("cluster 2^%u, v%d, refcounts %u, lazy %d, zstd %d, backing %d/%d, direct %d",
			 cfg.cluster_bits, cfg.v2 ? 2 : 3, cfg.refcount_bits, cfg.lazy, cfg.zstd,
			 cfg.backing, cfg.backing_qcow2, cfg.direct);
	if (ok || !getenv("QCOW2_KEEP"))
		unlink(image);
	unlink(backing);
	unlink(raw);
	free(model);
	free(backing_model);
	model = backing_model = NULL;
	while (nr_snaps)
		model_delete(nr_snaps - 1);
	return ok;
}

int main(void)
{
	const char *rounds = getenv("QCOW2_ROUNDS"), *first = getenv("QCOW2_SEED");
	u64 n = rounds ? strtoull(rounds, NULL, 0) : 8, s, bad = 0;

	s = first ? strtoull(first, NULL, 0) : 1000;
	if (access("/usr/bin/qemu-img", X_OK) || access("/usr/bin/qemu-io", X_OK))
		tap_skip_all("qemu-img and qemu-io (package qemu-utils) are not installed");
	if (!mkdtemp(dir))
		tap_bail("cannot make %s", dir);
	snprintf(image, sizeof(image), "%s/image", dir);
	snprintf(backing, sizeof(backing), "%s/backing", dir);
	snprintf(raw, sizeof(raw), "%s/raw", dir);
	tap_plan(1);
	for (; n && bad < 3; n--, s++)
		bad += !round_of(s);
	tap_ok(!bad, "random images are the same for mkvm and qemu-img");
	tap_diag("%u operations", operations);
	if (!getenv("QCOW2_KEEP") || !bad) {
		snprintf(raw, sizeof(raw), "%s/log", dir);
		unlink(raw);
		rmdir(dir);
	}
	return tap_done();
}
