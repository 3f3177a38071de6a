// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel that owns the guest's half of the test that a killed mkvm loses nothing (kill-cases.sh):
 * it checks its disk for what was flushed in earlier rounds, says "V", and writes until it is killed.
 * After each flush that the disk has answered it says "A" and how far it was.
 *
 * What it writes is in records.h. The initrd is a text, a line for each round: its number and the
 * last batch whose flush was heard of, both hexadecimal. A last line with one number is the round to
 * begin; without one the disk is only checked, and "E" is the answer. "!" and a word: it went wrong.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, "Block Device", "Device Operation".
 */
#include "driver.h"

#define RAMDISK_IMAGE	0x218		/* of the zero page */
#define RAMDISK_SIZE	0x21c

#define F_DISCARD	(1u << 13)
#define F_WRITE_ZEROES	(1u << 14)

#define CHUNK		512u		/* sectors that are read at once: 256 KiB */
#define MUST		((u32 *)0x2200000ul)

#include "records.h"

static void print_hex(u32 value)
{
	char text[] = "00000000 ";
	u32 i;

	for (i = 0; i < 8; i++)
		text[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
	print(text);
}

/* Offer the @i-th request of a batch; its data lies at @data. */
static void ask(u32 i, const struct op *op, u64 data)
{
	u64 header = HEADER + 32 * i, status = STATUS + i;
	u32 at = 3 * i, len = op->nr * 512;

	*(volatile u32 *)header = op->type;
	*(volatile u32 *)(header + 4) = 0;
	*(volatile u64 *)(header + 8) = op->type == T_OUT || op->type == T_IN ? op->sector : 0;
	*(volatile u8 *)status = 0xff;
	if (op->type == T_DISCARD || op->type == T_ZEROES) {
		*(volatile u64 *)data = op->sector;
		*(volatile u32 *)(data + 8) = op->nr;
		*(volatile u32 *)(data + 12) = op->type == T_ZEROES && op->nr & 1;	/* unmap */
		len = 16;
	}
	set_desc(DESC(0), at, header, 16, F_NEXT, (u16)(op->type == T_FLUSH ? at + 2 : at + 1));
	set_desc(DESC(0), at + 1, data, len, F_NEXT | (op->type == T_IN ? F_WRITE : 0),
		 (u16)(at + 2));
	set_desc(DESC(0), at + 2, status, 1, F_WRITE, 0);
	offer(0, (u16)at);
}

/* Have @nr requests served that were offered. */
static int answered(u32 nr)
{
	kick(0);
	if (served(0))
		return 0;
	while (nr--) {
		if (*(volatile u8 *)(STATUS + nr))
			return 0;
	}
	return 1;
}

static int check_chunk(u32 first)
{
	struct op op = { T_IN, first, CHUNK };
	u32 i;

	ask(0, &op, DATA);
	if (!answered(1)) {
		print("!read");
		return 0;
	}
	for (i = 0; i < CHUNK; i++) {
		const u64 *data = (u64 *)(DATA + 512 * i);

		if (is_allowed(data, first + i))
			continue;
		print("!lost: sector, must be, is, filled, newest: ");
		print_hex(first + i);
		print_hex(MUST[first + i]);
		print_hex((u32)data[0]);
		print_hex((u32)is_filled(data, first + i));
		print_hex(newest);
		return 0;
	}
	return 1;
}

static int check_disk(void)
{
	u32 first, i;

	for (first = 0; first < DISK_SECTORS; first += CHUNK) {
		for (i = 0; i < CHUNK && !MUST[first + i]; i++)
			;
		if (i < CHUNK && !check_chunk(first))
			return 0;
	}
	return 1;
}

static void write_on(u32 round)
{
	struct op ops[BATCH], flush = { T_FLUSH, 0, 0 };
	u32 batch, i, s;
	int due;

	begin_round(round);
	for (batch = 1; batch <= MAX_BATCHES; batch++) {
		due = next_batch(round, ops);
		for (i = 0; i < BATCH; i++) {
			u64 data = DATA + 512 * MAX_WRITE * i;

			for (s = 0; ops[i].type == T_OUT && s < ops[i].nr; s++)
				fill_sector((u64 *)(data + 512 * s), round << 16 | batch,
					    ops[i].sector + s);
			ask(i, &ops[i], data);
		}
		if (!answered(BATCH)) {
			print("!write");
			return;
		}
		if (!due)
			continue;
		ask(0, &flush, DATA);
		if (!answered(1)) {
			print("!flush");
			return;
		}
		print("A ");
		print_hex(batch);
		print("\n");
	}
	print("!end");
}

/* The next number of the text; what ends it is in @end, 0 at the end of the text. */
static u32 number(const char **text, const char *stop, char *end)
{
	u32 value = 0;

	for (*end = 0; *text < stop; (*text)++) {
		char c = **text;

		if (c >= '0' && c <= '9') {
			value = value << 4 | (u32)(c - '0');
		} else if (c >= 'a' && c <= 'f') {
			value = value << 4 | (u32)(c - 'a' + 10);
		} else {
			(*text)++;
			*end = c;
			break;
		}
	}
	return value;
}

int main(const u8 *zero_page)
{
	const char *text = (char *)(u64)*(const u32 *)(zero_page + RAMDISK_IMAGE);
	const char *stop = text + *(const u32 *)(zero_page + RAMDISK_SIZE);
	u32 round = 0;
	char end;

	if (initialise() || is_net) {
		print("!init");
		return 0;
	}
	reg32(0x00) = 0;
	if (~reg32(0x04) & (F_DISCARD | F_WRITE_ZEROES)) {
		print("!features");
		return 0;
	}
	clear((u64)MUST, DISK_SECTORS * sizeof(u32));
	while (text < stop) {
		round = number(&text, stop, &end);
		if (end != ' ')
			break;
		expect_round(round, number(&text, stop, &end));
		round = 0;
	}
	if (!check_disk())
		return 0;
	print("V\n");
	if (round)
		write_on(round);
	else
		print("E\n");
	return 0;
}
