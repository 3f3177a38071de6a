// SPDX-License-Identifier: GPL-2.0
/*
 * A kernel that is nothing but a driver of the machine's first virtio device, a disk or a network,
 * honest or hostile as the command line says. It prints what it did and powers off: "E" at the end
 * if the device still serves an honest driver, "!" and a word if not.
 *
 *	steady	writes sectors and reads them back; sends frames
 *	wild	descriptors and ring indices that are noise
 *	loops	chains that never end, direct and in tables
 *	move	queues, BAR and memory decoding changed under a running device
 *	resets	a storm of resets, with requests on their way
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, "Virtio Over PCI Bus", "Block Device",
 * "Network Device".
 */
#include "driver.h"

#define BAR_ELSEWHERE	0xd0000000ul
#define TABLE(q)	(DESC(q) + 0x3000)
#define FRAME		72u		/* bytes: virtio header and a short frame */
#define RAM_END		0x4000000ul
#define F_INDIRECT	4

static u64 seed = 88172645463325252ul;

static u64 noise(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* One request of an honest driver: type 0 reads, 1 writes a sector of DATA. */
static int request(u32 type, u64 sector)
{
	*(volatile u32 *)HEADER = type;
	*(volatile u32 *)(HEADER + 4) = 0;
	*(volatile u64 *)(HEADER + 8) = sector;
	*(volatile u8 *)STATUS = 0xff;
	set_desc(DESC(0), 0, HEADER, 16, F_NEXT, 1);
	set_desc(DESC(0), 1, DATA, 512, F_NEXT | (type ? 0 : F_WRITE), 2);
	set_desc(DESC(0), 2, STATUS, 1, F_WRITE, 0);
	offer(0, 0);
	kick(0);
	return served(0) || *(volatile u8 *)STATUS ? -1 : 0;
}

/* A frame to everybody, of a protocol nobody speaks. */
static int frame(void)
{
	u32 i;

	clear(HEADER, FRAME);
	for (i = 0; i < 6; i++)
		*(volatile u8 *)(HEADER + 12 + i) = 0xff;
	*(volatile u8 *)(HEADER + 24) = 0x88;
	*(volatile u8 *)(HEADER + 25) = 0xb5;
	set_desc(DESC(1), 0, HEADER, FRAME, 0, 0);
	offer(1, 0);
	kick(1);
	return served(1);
}

static int steady(u32 rounds)
{
	u32 i, j;

	for (i = 0; i < rounds; i++) {
		if (is_net) {
			if (frame())
				return -1;
			continue;
		}
		for (j = 0; j < 512; j++)
			((volatile u8 *)DATA)[j] = (u8)(i + j);
		if (request(1, i % 64))
			return -1;
		clear(DATA, 512);
		if (request(0, i % 64))
			return -1;
		for (j = 0; j < 512; j++) {
			if (((volatile u8 *)DATA)[j] != (u8)(i + j))
				return -1;
		}
	}
	return 0;
}

static void wild_desc(u32 q, u64 table, u32 i)
{
	const u64 bases[8] = { HEADER, DATA, TABLE(q), DESC(q), USED(q), RAM_END - 8, 0xbffffff0 };
	u64 r = noise();
	u64 addr = r & 1 ? bases[r >> 1 & 7] + (r >> 8 & 63) : noise();
	u32 len = r & 16 ? (u32)noise() : (u32)(r >> 16 & 0x3ff);

	set_desc(table, i, addr, len, r >> 32 & 7, (u16)(r >> 40 & (r & 32 ? 0xffff : 15)));
}

static int wild(u32 round)
{
	u32 q = (u32)noise() % nr_queues, i;

	for (i = 0; i < QSIZE; i++) {
		wild_desc(q, DESC(q), i);
		wild_desc(q, TABLE(q), i);
	}
	*(volatile u64 *)HEADER = noise() & 15;
	*(volatile u64 *)(HEADER + 8) = noise() & (round & 1 ? 0xff : ~0ul);
	if (round & 4)
		avail_idx[q] = (u16)noise();
	offer(q, (u16)(noise() & 31));
	kick(q);
	return 0;
}

static int loops(u32 round)
{
	u32 q = round / 4 % nr_queues, i;

	switch (round & 3) {
	case 0:
		set_desc(DESC(q), 0, HEADER, 16, F_NEXT, 0);
		break;
	case 1:
		for (i = 0; i < QSIZE; i++)
			set_desc(DESC(q), i, HEADER, 16, F_NEXT, (u16)((i + 1) % QSIZE));
		break;
	case 2:
		set_desc(DESC(q), 0, TABLE(q), 16 * QSIZE, F_INDIRECT, 0);
		for (i = 0; i < QSIZE; i++)
			set_desc(TABLE(q), i, DATA, 512, F_NEXT | F_WRITE, (u16)((i + 1) % QSIZE));
		break;
	case 3:
		set_desc(DESC(q), 0, DESC(q), 16 * QSIZE, F_INDIRECT, 0);
		break;
	}
	for (i = 0; i < QSIZE; i++)
		offer(q, 0);
	kick(q);
	return 0;
}

/* As many good requests as fit, and nobody waits for them. */
static void flood(u32 q, u32 len)
{
	u32 i;

	*(volatile u64 *)HEADER = 0;
	*(volatile u64 *)(HEADER + 8) = 0;
	if (is_net) {
		set_desc(DESC(q), 0, HEADER, FRAME, q ? 0 : F_WRITE, 0);
	} else {
		set_desc(DESC(q), 0, HEADER, 16, F_NEXT, 1);
		set_desc(DESC(q), 1, DATA, len, F_NEXT | F_WRITE, 2);
		set_desc(DESC(q), 2, STATUS, 1, F_WRITE, 0);
	}
	for (i = 0; i < QSIZE; i++)
		offer(q, 0);
	kick(q);
}

/* Offer good requests, do not wait, and pull the rug away. */
static int move(u32 round)
{
	static const u64 places[4] = { RAM_END - 16, 0xfee00000, 0xfffffffffffff000, HEADER };
	u64 where = places[noise() & 3];
	u32 q = round / 5 % nr_queues;

	flood(q, 512);
	switch (round % 5) {
	case 0:
		place_queue(q, where, where, where, (u16)noise());
		break;
	case 1:
		reg16(0x16) = (u16)q;
		reg16(0x1c) = 0;
		break;
	case 2:
		config(0x04, 0);
		config(0x04, 6);
		break;
	case 3:
		config(0x10, BAR_ELSEWHERE);
		*(volatile u16 *)(BAR_ELSEWHERE + NOTIFY) = 0;
		config(0x10, 0xfee00000);	/* where the local APIC is */
		config(0x10, BAR);
		break;
	case 4:
		clear(DESC(q), 0x3000);
		reg8(0x14) = (u8)noise() | 1;
		break;
	}
	kick(q);
	return 0;
}

static int resets(u32 round)
{
	u32 i;

	for (i = 0; i < 8; i++) {
		flood(i % nr_queues, 4096);
		if ((round & 7) == i)
			reg8(0x14) = 0;
	}
	return initialise();
}

static const struct {
	const char *name;
	int (*attack)(u32 round);
	u32 rounds;
} attacks[] = {
	{ "wild", wild, 150 },
	{ "loops", loops, 100 },
	{ "move", move, 100 },
	{ "resets", resets, 50 },
};

static int same(const char *a, const char *b)
{
	while (*a && *a == *b) {
		a++;
		b++;
	}
	return *a == *b;
}

int main(const u8 *zero_page)
{
	const char *name = (const char *)(u64)*(const u32 *)(zero_page + CMDLINE_PTR);
	u32 i, n;

	if (initialise()) {
		print("!init");
		return 0;
	}
	if (same(name, "steady")) {
		print("s");
		print(steady(50) ? "!steady" : "E");
		return 0;
	}
	for (i = 0; i < sizeof(attacks) / sizeof(attacks[0]); i++) {
		if (!same(name, attacks[i].name))
			continue;
		print("a");
		for (n = 0; n < attacks[i].rounds; n++) {
			attacks[i].attack(n);
			/* Some attacks end in a device that gave up: go on with a new one. */
			if ((reg8(0x14) & 0x40 || !(n & 15)) && initialise())
				break;
		}
		if (n < attacks[i].rounds)
			print("!reset");
		else
			print(initialise() || steady(20) ? "!steady" : "E");
		return 0;
	}
	print("!unknown");
	return 0;
}
