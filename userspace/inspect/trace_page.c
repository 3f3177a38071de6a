// SPDX-License-Identifier: GPL-2.0
/*
 * Takes ring buffer pages apart. See trace_page.h.
 */
#include <string.h>

#include "inspect/trace_page.h"

/* A page begins with the time of its first event and how many bytes of events follow. */
#define HEAD_BYTES	16
#define COMMIT_OFFSET	8
#define COMMIT_BYTES	0xfffff
#define MISSED_EVENTS	BIT(31)
#define MISSED_STORED	BIT(30)		/* how many: eight bytes behind the events */

/* Each event with 5 bits of kind or length in words, and 27 bits of time since the one before. */
#define KIND_BITS	5
#define KIND_LENGTH	0		/* the length is in the next word */
#define KIND_MAX_WORDS	28
#define KIND_PADDING	29
#define KIND_TIME_DELTA	30		/* no event, but the upper bits of a time difference */
#define KIND_TIME_STAMP	31		/* ... of an absolute time */
#define TIME_BITS	27
#define STAMP_BITS	59		/* of an absolute time; the rest is as it was */

static u32 read32(const u8 *p)
{
	u32 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static u64 read64(const u8 *p)
{
	u64 v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static void count_missed(const u8 *data, size_t commit, size_t room, u32 flags, u64 *lost)
{
	if (!(flags & MISSED_EVENTS))
		return;
	if ((flags & MISSED_STORED) && room - commit >= sizeof(u64))
		*lost += read64(data + commit);
	else
		*lost += 1;
}

int trace_page_walk(const void *page, size_t len,
		    void (*fn)(void *opaque, u64 time, const void *data, size_t len), void *opaque,
		    u64 *lost)
{
	const u8 *data = (const u8 *)page + HEAD_BYTES;
	size_t commit, at = 0, size;
	u32 word, kind, flags;
	int nr = 0;
	u64 time;

	if (len < HEAD_BYTES)
		return -1;
	time = read64(page);
	flags = read32((const u8 *)page + COMMIT_OFFSET);
	commit = flags & COMMIT_BYTES;
	if (commit > len - HEAD_BYTES)
		return -1;
	count_missed(data, commit, len - HEAD_BYTES, flags, lost);

	while (commit - at >= sizeof(u32)) {
		word = read32(data + at);
		kind = word & (BIT(KIND_BITS) - 1);
		word >>= KIND_BITS;
		at += sizeof(u32);
		/* Behind the last event. */
		if (kind == KIND_PADDING && !word)
			return nr;
		if (kind && kind <= KIND_MAX_WORDS) {
			size = kind * sizeof(u32);
		} else {
			if (commit - at < sizeof(u32))
				return -1;
			size = read32(data + at);
			if (kind == KIND_TIME_DELTA || kind == KIND_TIME_STAMP) {
				u64 upper = (u64)size << TIME_BITS;

				time = kind == KIND_TIME_DELTA ? time + upper + word :
				       (time >> STAMP_BITS << STAMP_BITS) | (upper + word);
				at += sizeof(u32);
				continue;
			}
			/* The length counts the word that it is in. */
			if (size < sizeof(u32))
				return -1;
			if (kind == KIND_LENGTH) {
				at += sizeof(u32);
				size -= sizeof(u32);
			}
		}
		size = (size + 3) & ~(size_t)3;
		if (size > commit - at)
			return -1;
		/* What was thrown away took no time, as the kernel counts it. */
		if (kind != KIND_PADDING) {
			time += word;
			fn(opaque, time, data + at, size);
			nr++;
		}
		at += size;
	}
	return nr;
}
