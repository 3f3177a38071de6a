// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the test that raw and VDI images survive a SIGKILL of their writer at any moment: what was
 * flushed is there, and no block has bytes of another. IMAGE_KILLS: how often for each format
 * (default 12). qcow2 has a test of its own.
 */
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "block/format.h"
#include "scratch.h"
#include "tap.h"

#define BLOCK		4096U
#define BLOCKS		(48U << 8)	/* 48 MiB */

/* What a block must be, and what it may be instead, if it was written since the last flush. */
struct state {
	u32 flushed[BLOCKS];
	u32 written[BLOCKS];
	u32 next;
	u64 flushes;
};

static struct state *state;

static void fill(u32 *buf, u32 block, u32 tag)
{
	unsigned int i;

	for (i = 0; i < BLOCK / 4; i++)
		buf[i] = tag ? tag ^ block * 0x9e3779b1U : 0;
}

/* The process that is killed: writes, zeroes and flushes for ever. */
static void write_for_ever(const char *format)
{
	struct block_options opts = { .format = format };
	struct block *blk = block_open("image", &opts);
	u32 buf[BLOCK / 4], block, i;

	while (blk) {
		for (i = 0; i < 20; i++) {
			block = (u32)random() % BLOCKS;
			/* One write between two flushes, so that there are two possibilities. */
			if (state->written[block] != state->flushed[block])
				continue;
			state->written[block] = random() % 8 ? state->next++ : 0;
			fill(buf, block, state->written[block]);
			if (state->written[block] ? block_write(blk, buf, BLOCK, block * (u64)BLOCK) :
			    block_write_zeroes(blk, block * (u64)BLOCK, BLOCK, random() % 2))
				_exit(1);
		}
		if (block_flush(blk))
			_exit(1);
		memcpy(state->flushed, state->written, sizeof(state->flushed));
		state->flushes++;
	}
	_exit(1);
}

static int verify(const char *format)
{
	struct block_options opts = { .format = format };
	struct block *blk = block_open("image", &opts);
	struct block_check check = { .leaks = 0 };
	u32 buf[BLOCK / 4], want[BLOCK / 4], block;
	int bad = !blk;

	for (block = 0; block < BLOCKS && !bad; block++) {
		bad = block_read(blk, buf, BLOCK, block * (u64)BLOCK);
		fill(want, block, state->written[block]);
		if (!bad && memcmp(buf, want, BLOCK)) {
			fill(want, block, state->flushed[block]);
			state->written[block] = state->flushed[block];
			bad = memcmp(buf, want, BLOCK);
		}
		if (bad)
			tap_diag("block %u: %#x, neither %#x nor %#x", block, buf[0],
				 state->flushed[block], state->written[block]);
		state->flushed[block] = state->written[block];
	}
	if (!bad && blk->format->check &&
	    (blk->format->check(blk, 0, &check) || check.corruptions || check.leaks)) {
		tap_diag("the check finds faults");
		bad = 1;
	}
	block_close(blk);
	return bad;
}

static void test(const char *format, int kills)
{
	struct block_create create = { .size = BLOCKS * (u64)BLOCK };
	struct timespec pause;
	int i, status, bad;
	pid_t pid;

	memset(state, 0, sizeof(*state));
	state->next = 1;
	unlink("image");
	bad = block_create("image", block_find_format("test", format), &create);
	for (i = 0; i < kills && !bad; i++) {
		pid = fork();
		if (!pid) {
			srandom((unsigned int)i + 7);
			write_for_ever(format);
		}
		pause = (struct timespec){ 0, random() % 60000000 };
		nanosleep(&pause, NULL);
		kill(pid, SIGKILL);
		bad = waitpid(pid, &status, 0) != pid || !WIFSIGNALED(status) || verify(format);
	}
	tap_ok(!bad && state->flushes, "%s: %d kills, %llu flushes, %u writes, nothing lost", format, i,
	       (unsigned long long)state->flushes, state->next);
}

int main(void)
{
	const char *kills = getenv("IMAGE_KILLS");

	state = mmap(NULL, sizeof(*state), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (state == MAP_FAILED)
		tap_bail("no memory");
	scratch_enter();
	tap_plan(2);
	test("raw", kills ? atoi(kills) : 12);
	test("vdi", kills ? atoi(kills) : 12);
	scratch_leave();
	return tap_done();
}
