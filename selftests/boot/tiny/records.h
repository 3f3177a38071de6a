/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the tests of a killed mkvm write, and what must be there afterwards.
 *
 * What a round does follows from its number: batches of requests that are under way at the same time,
 * writes mostly, some writes of zeroes and discards, and now and then a flush. Each sector tells the
 * round and the batch that wrote it. Whoever includes this has the types u32 and u64, and MUST, an array
 * for the sectors of the disk: the batch that wrote each last and was flushed; a later one may be there.
 */

#define T_IN		0
#define T_OUT		1
#define T_FLUSH		4
#define T_DISCARD	11
#define T_ZEROES	13

#define BATCH		5u		/* requests under way; three descriptors each */
#define DISK_SECTORS		(128u << 11)	/* of the disk: 128 MiB */
#define WINDOW		(2u << 11)	/* where a round writes, besides the disk's first 2 MiB */
#define MAX_WRITE	32u
#define MAX_ZERO	256u
#define MAX_BATCHES	0xffffu		/* of a round */

#define MAY_BE_ZERO	(1u << 31)

struct op {
	u32 type, sector, nr;
};

static u32 newest;	/* the last batch that can have left anything */
static u64 state;

static inline u32 draw(u32 n)
{
	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (u32)(state >> 20) % n;
}

static inline void begin_round(u32 round)
{
	state = 0x9e3779b97f4a7c15ul * (round + 1);
	draw(1);
}

/* The next batch of the round @round; is a flush due behind it? */
static inline int next_batch(u32 round, struct op *ops)
{
	u32 window = round * 0x9e3779b1u % (DISK_SECTORS - WINDOW), i;

	for (i = 0; i < BATCH; i++) {
		u32 kind = draw(16), most = kind > 1 ? MAX_WRITE : MAX_ZERO;

		ops[i].type = kind > 1 ? T_OUT : kind ? T_ZEROES : T_DISCARD;
		ops[i].nr = 1 + draw(draw(2) ? 8 : most);
		ops[i].sector = draw(WINDOW - MAX_ZERO) + (draw(2) ? window : 0);
		/* Now and then a whole cluster. */
		if (most == MAX_ZERO && draw(2)) {
			ops[i].sector &= ~127u;
			ops[i].nr = 128;
		}
	}
	return !draw(4);
}

static inline void expect_batch(const struct op *ops, u32 seq, int flushed)
{
	u32 i, s;

	for (i = 0; i < BATCH; i++) {
		for (s = ops[i].sector; s < ops[i].sector + ops[i].nr; s++) {
			if (flushed && ops[i].type != T_DISCARD)
				MUST[s] = seq;
			else if (!MUST[s])
				MUST[s] = MAY_BE_ZERO;
		}
	}
	for (i = 0; i < BATCH; i++) {
		for (s = ops[i].sector; s < ops[i].sector + ops[i].nr; s++) {
			if (ops[i].type != T_OUT)
				MUST[s] |= MAY_BE_ZERO;
		}
	}
}

/* Batches up to @acked were flushed; what follows, up to the next flush, may be there or not. */
static inline void expect_round(u32 round, u32 acked)
{
	struct op ops[BATCH];
	u32 batch = 0;
	int flush;

	begin_round(round);
	do {
		flush = next_batch(round, ops);
		batch++;
		expect_batch(ops, round << 16 | batch, batch <= acked);
	} while (batch <= acked || !flush);
	if (newest < (round << 16 | batch))
		newest = round << 16 | batch;
}

static inline void fill_sector(u64 *to, u32 seq, u32 sector)
{
	u64 x = (u64)sector << 32 | seq;
	u32 i;

	for (i = 0; i < 64; i++) {
		to[i] = x;
		x = (x ^ x >> 29) * 0xbf58476d1ce4e5b9ul + sector;
	}
}

static inline int is_filled(const u64 *data, u32 sector)
{
	u64 want[64];
	u32 i;

	fill_sector(want, (u32)data[0], sector);
	for (i = 0; i < 64; i++) {
		if (data[i] != want[i])
			return 0;
	}
	return 1;
}

static inline int is_zero(const u64 *data)
{
	u32 i;

	for (i = 0; i < 64; i++) {
		if (data[i])
			return 0;
	}
	return 1;
}

/* Is @data what sector @sector may hold? */
static inline int is_allowed(const u64 *data, u32 sector)
{
	u32 must = MUST[sector], seq = (u32)data[0];

	if (!must || (is_zero(data) && must & MAY_BE_ZERO))
		return 1;
	return !is_zero(data) && is_filled(data, sector) && seq >= (must & ~MAY_BE_ZERO) &&
	       seq <= newest;
}
