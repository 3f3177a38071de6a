// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the disk image formats: the input is an image file. FUZZ_TARGET names the format;
 * "probe" lets the program find out.
 *
 * It is opened, looked at, read, checked and, in a copy that nobody else has, written and repaired.
 * A repaired image must be sound. The seed of what is done is a sum of all bytes: the first ones
 * are the same in every image. An input that ends in an odd byte has a hole behind it, so that
 * formats with large blocks need no large inputs.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "block/block.h"
#include "block/format.h"
#include "block/qcow2.h"
#include "fuzz.h"

#define PIECE		4096
#define MAX_EXTENTS	64
#define HOLE		(3 << 20)

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* Places worth a look: both ends, and some between. */
static u64 place(u64 size, unsigned int i, u64 seed)
{
	switch (i) {
	case 0:
		return 0;
	case 1:
		return size - SECTOR_SIZE;
	default:
		return (seed * (i * 0x9e3779b97f4a7c15ULL + 1)) % size & ~(u64)(SECTOR_SIZE - 1);
	}
}

static void read_some(struct block *blk, u64 seed)
{
	static u8 buf[PIECE];
	struct block_extent ext;
	u64 pos = 0;
	unsigned int i;

	for (i = 0; i < MAX_EXTENTS && pos < blk->size; i++, pos += ext.len) {
		if (block_status(blk, pos, blk->size - pos, &ext))
			break;
		if (!ext.len || ext.len > blk->size - pos)
			fuzz_fail("an extent of %llu bytes at %llu of %llu", ext.len, pos,
				  blk->size);
	}
	for (i = 0; i < 6; i++) {
		pos = place(blk->size, i, seed);
		block_read(blk, buf, blk->size - pos < PIECE ? blk->size - pos : PIECE, pos);
	}
}

static void check(struct block *blk, unsigned int repair)
{
	struct block_check result = { .corruptions = 0 }, after = { .corruptions = 0 };

	if (!blk->format->check || blk->format->check(blk, repair, &result))
		return;
	/* What a repair counts is what it could not help. */
	if (!repair || result.check_errors || result.corruptions || result.leaks)
		return;
	if (!blk->format->check(blk, 0, &after) && (after.corruptions || after.leaks))
		fuzz_fail("after a repair: %llu corruptions, %llu leaks", after.corruptions,
			  after.leaks);
}

static void write_some(struct block *blk, u64 seed)
{
	static u8 buf[PIECE];
	unsigned int i;
	u64 pos, len;

	for (i = 0; i < 6; i++) {
		pos = place(blk->size, i, seed);
		len = blk->size - pos < PIECE ? blk->size - pos : PIECE;
		memset(buf, 0x40 + (int)i, sizeof(buf));
		if (!block_write(blk, buf, len, pos) && !block_read(blk, buf, len, pos) &&
		    (buf[0] != 0x40 + i || buf[len - 1] != 0x40 + i))
			fuzz_fail("what was written at %llu reads back as something else", pos);
		if (i == 3)
			block_write_zeroes(blk, pos, len, true);
		if (i == 4)
			block_discard(blk, pos, len);
	}
	block_flush(blk);
}

/* Snapshots: those of the image, and one of ours. */
static void snapshots(struct block *blk, u64 seed)
{
	const struct qcow2_snapshot *list;
	unsigned int nr = qcow2_snapshots(blk, &list);
	char id[32] = "";

	if (nr && list[0].id)
		snprintf(id, sizeof(id), "%s", list[0].id);
	if (nr && (seed & 4))
		qcow2_snapshot_apply(blk, id);
	if (!qcow2_snapshot_create(blk, "fuzz")) {
		write_some(blk, seed);
		qcow2_snapshot_apply(blk, "fuzz");
		if (seed & 8)
			qcow2_snapshot_delete(blk, "fuzz");
	}
	if (nr && (seed & 16))
		qcow2_snapshot_delete(blk, id);
	if (seed & 32)
		block_resize(blk, (blk->size / 2 + SECTOR_SIZE) & ~(u64)(SECTOR_SIZE - 1));
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	const char *format = getenv("FUZZ_TARGET");
	struct block_options opts = { .readonly = true, .no_backing = true };
	const char *path = fuzz_file("image", data, size);
	struct block *blk;
	u64 seed = 1;
	size_t i;

	if (size && (data[size - 1] & 1) && truncate(path, (off_t)size + HOLE))
		fuzz_fail("cannot make a hole");
	opts.format = format && strcmp(format, "probe") ? format : NULL;
	for (i = 0; i < size; i++)
		seed = (seed ^ data[i]) * 0x100000001b3ULL;
	seed ^= seed >> 32;
	blk = block_open(path, &opts);
	if (!blk)
		return 0;
	if (blk->size)
		read_some(blk, seed | 1);
	check(blk, 0);
	block_close(blk);
	opts.readonly = false;
	blk = block_open(path, &opts);
	if (blk && blk->size)
		write_some(blk, seed | 1);
	if (blk && blk->size && blk->format == &block_qcow2 && (seed & 0x1c0) == 0x40)
		snapshots(blk, seed);
	if (blk)
		check(blk, seed & 2 ? BLOCK_REPAIR_ALL : BLOCK_REPAIR_LEAKS);
	block_close(blk);
	return 0;
}
