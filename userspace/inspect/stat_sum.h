/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a machine's exits add up to in a while: how many of each reason, who handled them, what they
 * cost. Pure: entries of the exit ring in, figures out.
 */
#ifndef MKVM_INSPECT_STAT_SUM_H
#define MKVM_INSPECT_STAT_SUM_H

#include <jansson.h>
#include <stdio.h>

#include "minikvm_inspect.h"
#include "types.h"

#define STAT_REASONS	80u	/* basic exit reasons; what is beyond counts as the last */
#define STAT_SUB_BITS	4	/* costs are kept within 1/32, about 3 % */
#define STAT_BUCKETS	((64 - STAT_SUB_BITS + 1) << STAT_SUB_BITS)

/**
 * struct stat_reason - exits of one reason
 * @count: how many
 * @user: of these, how many RUN returned for
 * @kernel_ticks: @user_ticks: TSC ticks that handling them took; halts do not count
 * @cost: how many took how long, by stat_bucket()
 */
struct stat_reason {
	u64 count, user, kernel_ticks, user_ticks;
	u32 cost[STAT_BUCKETS];
};

/**
 * struct stat_sum - exits of all reasons
 * @reason: by basic exit reason
 * @exits: @user: @lost: how many; lost ones are in none of the other figures
 * @guest_ticks: @kernel_ticks: @user_ticks: @wait_ticks: where the vCPUs' time went
 * @tsc_khz: frequency of the ticks
 * @seconds: how long all this took
 * @nr_vcpus: of which it is the sum
 * @injected: interrupts that were injected, -1: not known
 */
struct stat_sum {
	struct stat_reason reason[STAT_REASONS];
	u64 exits, user, lost;
	u64 guest_ticks, kernel_ticks, user_ticks, wait_ticks;
	u32 tsc_khz;
	double seconds;
	unsigned int nr_vcpus;
	s64 injected;
};

/** stat_add() - count an exit; one that is not over yet is left out */
void stat_add(struct stat_sum *sum, const struct minikvm_exit_entry *e);

/**
 * stat_percentile() - what @percent of the exits of a reason cost at most
 * @r: the reason
 * @percent: 1 to 100
 *
 * Return: ticks, in the middle of their bucket; 0 if there were no exits.
 */
u64 stat_percentile(const struct stat_reason *r, unsigned int percent);

/** stat_name() - of a reason; @buf is used for one without a name */
const char *stat_name(unsigned int reason, char *buf, size_t size);

/**
 * stat_show() - a screen of text
 * @f: where to
 * @sum: the figures
 * @machine: its name
 * @lines: lines there are, 0: any number
 */
void stat_show(FILE *f, const struct stat_sum *sum, const char *machine, unsigned int lines);

/** stat_json() - the same for programs; a new reference, NULL: out of memory */
json_t *stat_json(const struct stat_sum *sum, const char *machine);

/** stat_csv_head() - the first line of what stat_csv() writes */
void stat_csv_head(FILE *f);

/** stat_csv() - one line for each reason that came; @time: seconds since the start */
void stat_csv(FILE *f, const struct stat_sum *sum, double time);

#endif
