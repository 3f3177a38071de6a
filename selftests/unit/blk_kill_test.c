// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the test that a killed process loses nothing that its guest had flushed, for the whole way from a
 * virtio disk's queue to the image, without a guest: a driver keeps five requests under way, and the process
 * is killed at a random moment. Then qemu-img check finds no error, if it is there, each sector is what it
 * must be (selftests/boot/tiny/records.h), and the next process goes on with the image.
 *
 * BLK_KILLS: how many for each kind of image. selftests/boot/kill-cases.sh does the same to guests.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "blk_driver.h"
#include "block/format.h"
#include "scratch.h"

static u32 sectors[128 << 11], sectors_below[128 << 11];
#define MUST	sectors
#include "../boot/tiny/records.h"

#define CHUNK		512U	/* sectors */

static const struct {
	const char *name, *format, *backing, *options;
} kinds[] = {
	{ "raw", "raw", NULL, NULL },
	{ "qcow2, 64k, over raw", "qcow2", "raw", "cluster_size=64k" },
	{ "qcow2, 4k, lazy, over raw", "qcow2", "raw", "cluster_size=4k,lazy_refcounts=on" },
	{ "qcow2, 4k", "qcow2", NULL, "cluster_size=4k" },
	{ "qcow2, 64k, lazy", "qcow2", NULL, "cluster_size=64k,lazy_refcounts=on" },
	{ "vdi", "vdi", NULL, NULL },
};

/* Offer the @i-th request of a batch. */
static void ask(unsigned int i, const struct op *op)
{
	u64 at_header = HEADER + 32 * i, at_data = DATA + (u64)i * MAX_WRITE * 512;
	struct { u32 type, reserved; u64 sector; } h = { op->type, 0, 0 };
	struct range r = { op->sector, op->nr, op->type == T_ZEROES && op->nr & 1 };
	unsigned int head = nr_desc[cur];

	if (op->type == T_OUT)
		h.sector = op->sector;
	else
		memcpy(at(at_data), &r, sizeof(r));
	memcpy(at(at_header), &h, sizeof(h));
	*at(STATUS + i) = 0xee;
	add(at_header, sizeof(h), F_NEXT);
	add(at_data, op->type == T_OUT ? op->nr * 512 : sizeof(r), F_NEXT);
	add(STATUS + i, 1, F_WRITE);
	offer((u16)head);
}

static bool run_batch(const struct op *ops, u32 seq)
{
	bool good;
	u32 i, s;

	for (i = 0; i < BATCH; i++) {
		for (s = 0; ops[i].type == T_OUT && s < ops[i].nr; s++)
			fill_sector((u64 *)(void *)at(DATA + (i * MAX_WRITE + s) * 512), seq,
				    ops[i].sector + s);
		ask(i, &ops[i]);
	}
	nr_desc[cur] = 0;
	good = wait_used(60);
	for (i = 0; i < BATCH; i++)
		good = good && !*at(STATUS + i);
	return good;
}

/* The process that is killed. It says 0 when the disk is open, then each batch that is flushed. */
static void write_on(const char *format, u32 round, int out)
{
	struct block_options opts = { .format = format };
	struct op ops[BATCH];
	u32 batch = 0;
	bool due;

	set_up_machine();
	open_disk(block_open("image", &opts));
	start();
	begin_round(round);
	if (write(out, &batch, sizeof(batch)) != sizeof(batch))
		_exit(1);
	for (batch = 1; batch <= MAX_BATCHES; batch++) {
		due = next_batch(round, ops);
		if (!run_batch(ops, round << 16 | batch) || (due && request(T_FLUSH, 0, 0)) ||
		    (due && write(out, &batch, sizeof(batch)) != sizeof(batch)))
			_exit(2);
	}
	_exit(3);
}

/* Let it write and kill it. The last batch that it said, or -1 if it ended by itself. */
static int kill_writer(const char *format, u32 round, u32 *acked)
{
	int fds[2], status, opened;
	u32 batch;
	pid_t pid;

	if (pipe(fds))
		tap_bail("no pipe");
	pid = fork();
	if (!pid)
		write_on(format, round, fds[1]);
	close(fds[1]);
	/* Some are killed while they open the image. */
	opened = random() % 6 ? read(fds[0], &batch, sizeof(batch)) == sizeof(batch) : 1;
	usleep((useconds_t)(random() % 60000));
	kill(pid, SIGKILL);
	if (waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || !opened) {
		tap_diag("the writer ended with 0x%x", status);
		opened = 0;
	}
	*acked = 0;
	while (read(fds[0], &batch, sizeof(batch)) == sizeof(batch))
		*acked = batch;
	close(fds[0]);
	return opened ? 0 : -1;
}

/* Leaks are no errors. An image with lazy refcounts is repaired, by QEMU or when it is opened next. */
static int qemu_check(const char *format, bool lazy, u32 round)
{
	char command[128];
	int status;

	if (!strcmp(format, "raw") || (lazy && round % 2) || system("command -v qemu-img >/dev/null"))
		return 0;
	snprintf(command, sizeof(command), "qemu-img check -f %s %s image >check 2>&1", format,
		 lazy ? "-r all" : "");
	status = system(command);
	if (WIFEXITED(status) && (!WEXITSTATUS(status) || WEXITSTATUS(status) == 3))
		return 0;
	tap_diag("qemu-img check: 0x%x", status);
	(void)!system("grep -v ^Leaked check | head -n 20 | sed 's/^/# /'");
	return -1;
}

static int check_sectors(const char *format)
{
	struct block_options opts = { .format = format, .readonly = true };
	struct block *blk = block_open("image", &opts);
	static u64 data[CHUNK][64];
	u32 first, i;
	int bad = !blk;

	for (first = 0; first < DISK_SECTORS && !bad; first += CHUNK) {
		for (i = 0; i < CHUNK && !sectors[first + i]; i++)
			;
		if (i == CHUNK)
			continue;
		bad = block_read(blk, data, sizeof(data), first * 512ULL);
		for (i = 0; i < CHUNK && !bad; i++) {
			bad = !is_allowed(data[i], first + i);
			if (bad)
				tap_diag("sector %u must be %#x, is %#llx", first + i,
					 sectors[first + i], data[i][0]);
		}
	}
	block_close(blk);
	return bad;
}

static void test(size_t kind, int kills)
{
	const char *format = kinds[kind].format;
	struct block_create create = {
		.size = DISK_SECTORS * 512ULL, .options = kinds[kind].options,
		.backing_path = kinds[kind].backing, .backing_format = kinds[kind].backing,
	};
	bool lazy = kinds[kind].options && strstr(kinds[kind].options, "lazy");
	static u32 round;
	u64 flushed = 0;
	int i, bad;
	u32 acked;

	memset(sectors, 0, sizeof(sectors));
	if (kinds[kind].backing)
		memcpy(sectors, sectors_below, sizeof(sectors));
	unlink("image");
	bad = block_create("image", block_find_format("test", format), &create);
	/* On a machine with much else to do some more, until a batch was flushed. */
	for (i = 0; (i < kills || (!flushed && i < 20 * kills)) && !bad; i++) {
		round++;
		bad = kill_writer(format, round, &acked);
		expect_round(round, acked);
		flushed += acked;
		/* Ours first: it waits for a lock that is about to go. */
		bad = bad || check_sectors(format) || qemu_check(format, lazy, round);
	}
	tap_ok(!bad && flushed, "%s: %d kills, %llu batches flushed, nothing lost", kinds[kind].name, i,
	       flushed);
	if (!strcmp(format, "raw")) {
		memcpy(sectors_below, sectors, sizeof(sectors));
		if (rename("image", "raw"))
			tap_bail("cannot rename the image");
	}
}

int main(void)
{
	const char *kills = getenv("BLK_KILLS");
	size_t kind;

	scratch_enter();
	srandom((unsigned int)getpid());
	tap_plan(ARRAY_SIZE(kinds));
	for (kind = 0; kind < ARRAY_SIZE(kinds); kind++)
		test(kind, kills ? atoi(kills) : 4);
	scratch_leave();
	return tap_done();
}
