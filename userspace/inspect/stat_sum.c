// SPDX-License-Identifier: GPL-2.0
/*
 * Adds up exits. See stat_sum.h.
 */
#include <string.h>

#include "inspect/exits.h"
#include "inspect/stat_sum.h"

#define BASIC_REASON	0xffff
#define SUB		(1u << STAT_SUB_BITS)

/*
 * Below SUB each value has its bucket; above, each power of two has SUB of them. So a bucket is no
 * wider than 1/SUB of what is in it.
 */
static unsigned int bucket_of(u64 ticks)
{
	unsigned int power;

	if (ticks < SUB)
		return (unsigned int)ticks;
	power = 63 - (unsigned int)__builtin_clzll(ticks);
	return (power - STAT_SUB_BITS + 1) << STAT_SUB_BITS |
	       ((unsigned int)(ticks >> (power - STAT_SUB_BITS)) & (SUB - 1));
}

/* The middle of a bucket. */
static u64 middle_of(unsigned int bucket)
{
	unsigned int shift = (bucket >> STAT_SUB_BITS) - 1;
	u64 low;

	if (bucket < SUB)
		return bucket;
	low = (u64)(SUB | (bucket & (SUB - 1))) << shift;
	return low + (((u64)1 << shift) >> 1);
}

void stat_add(struct stat_sum *sum, const struct minikvm_exit_entry *e)
{
	unsigned int basic = e->reason & BASIC_REASON;
	struct stat_reason *r = &sum->reason[basic < STAT_REASONS ? basic : STAT_REASONS - 1];

	if (e->flags & MINIKVM_EXIT_ENTRY_OPEN)
		return;
	sum->exits++;
	r->count++;
	if (e->flags & MINIKVM_EXIT_ENTRY_USER) {
		sum->user++;
		r->user++;
	}
	sum->guest_ticks += e->guest_ticks;
	sum->kernel_ticks += e->kernel_ticks;
	sum->user_ticks += e->user_ticks;
	sum->wait_ticks += e->wait_ticks;
	r->kernel_ticks += e->kernel_ticks;
	r->user_ticks += e->user_ticks;
	r->cost[bucket_of(e->kernel_ticks + e->user_ticks)]++;
}

u64 stat_percentile(const struct stat_reason *r, unsigned int percent)
{
	/* The smallest cost that this many do not exceed. */
	u64 wanted = (r->count * percent + 99) / 100, seen = 0;
	unsigned int i;

	for (i = 0; i < STAT_BUCKETS && r->count; i++) {
		seen += r->cost[i];
		if (seen >= wanted)
			return middle_of(i);
	}
	return 0;
}

const char *stat_name(unsigned int reason, char *buf, size_t size)
{
	const char *name = exit_reason_name(reason);

	if (name && reason < STAT_REASONS - 1)
		return name;
	if (reason == STAT_REASONS - 1)
		return "other";
	snprintf(buf, size, "reason %u", reason);
	return buf;
}
