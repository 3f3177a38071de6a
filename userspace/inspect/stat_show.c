// SPDX-License-Identifier: GPL-2.0
/*
 * Shows what exits add up to: as a screen, as JSON and as CSV.
 */
#include <stdlib.h>
#include <string.h>

#include "inspect/stat_sum.h"

/* Basic exit reasons with a line of their own; SDM vol. 3D, "VMX Basic Exit Reasons". */
#define REASON_INTERRUPT	1
#define REASON_HLT		12
#define REASON_EPT_VIOLATION	48

#define HEAD_LINES	7
#define NS_OF_MS	1000000.0

static double per_second(const struct stat_sum *sum, u64 count)
{
	return sum->seconds > 0 ? (double)count / sum->seconds : 0;
}

static double ns_of(const struct stat_sum *sum, u64 ticks)
{
	return sum->tsc_khz ? (double)ticks * NS_OF_MS / sum->tsc_khz : 0;
}

/* Of all time that was measured, in percent. */
static double share(const struct stat_sum *sum, u64 ticks)
{
	u64 all = sum->guest_ticks + sum->kernel_ticks + sum->user_ticks + sum->wait_ticks;

	return all ? (double)ticks * 100 / (double)all : 0;
}

static u64 cost_of(const struct stat_reason *r)
{
	return r->kernel_ticks + r->user_ticks;
}

/* Reasons that came, those that cost most first; how many. */
static unsigned int order(const struct stat_sum *sum, unsigned int list[STAT_REASONS])
{
	unsigned int nr = 0, i, at;
	u64 cost;

	for (i = 0; i < STAT_REASONS; i++) {
		if (!sum->reason[i].count)
			continue;
		cost = cost_of(&sum->reason[i]);
		for (at = nr++; at && cost_of(&sum->reason[list[at - 1]]) < cost; at--)
			list[at] = list[at - 1];
		list[at] = i;
	}
	return nr;
}

static void show_reason(FILE *f, const struct stat_sum *sum, unsigned int reason)
{
	const struct stat_reason *r = &sum->reason[reason];
	char buf[32];

	fprintf(f, "%-28.28s %9.0f %9.0f %6.2f %9.0f %9.0f %9.0f\n",
		stat_name(reason, buf, sizeof(buf)), per_second(sum, r->count),
		per_second(sum, r->user), share(sum, cost_of(r)),
		ns_of(sum, stat_percentile(r, 50)), ns_of(sum, stat_percentile(r, 90)),
		ns_of(sum, stat_percentile(r, 99)));
}

void stat_show(FILE *f, const struct stat_sum *sum, const char *machine, unsigned int lines)
{
	unsigned int list[STAT_REASONS], nr = order(sum, list), i;

	fprintf(f, "%s: %u vCPU%s, %.1f s\n", machine, sum->nr_vcpus, sum->nr_vcpus == 1 ? "" : "s",
		sum->seconds);
	fprintf(f, "exits/s       %.0f, handled by the kernel %.0f, by userspace %.0f",
		per_second(sum, sum->exits), per_second(sum, sum->exits - sum->user),
		per_second(sum, sum->user));
	if (sum->lost)
		fprintf(f, "; %llu more were lost", (unsigned long long)sum->lost);
	fprintf(f, "\nvCPU time     guest %.1f %%, kernel %.1f %%, userspace %.1f %%, ",
		share(sum, sum->guest_ticks), share(sum, sum->kernel_ticks),
		share(sum, sum->user_ticks));
	fprintf(f, "halted %.1f %%\n", share(sum, sum->wait_ticks));
	fprintf(f, "interrupts/s  host %.0f", per_second(sum, sum->reason[REASON_INTERRUPT].count));
	if (sum->injected >= 0)
		fprintf(f, ", injected %.0f", per_second(sum, (u64)sum->injected));
	fprintf(f, "\nEPT faults/s  %.0f\nhalts/s       %.0f\n",
		per_second(sum, sum->reason[REASON_EPT_VIOLATION].count),
		per_second(sum, sum->reason[REASON_HLT].count));
	fprintf(f, "%-28s %9s %9s %6s %9s %9s %9s\n", "EXIT", "PER S", "USER", "TIME%", "P50 NS",
		"P90 NS", "P99 NS");
	for (i = 0; i < nr; i++) {
		if (lines && HEAD_LINES + i + 1 >= lines)
			break;
		show_reason(f, sum, list[i]);
	}
}

static json_t *reason_json(const struct stat_sum *sum, unsigned int reason)
{
	const struct stat_reason *r = &sum->reason[reason];
	char buf[32];

	return json_pack("{s:s,s:i,s:I,s:I,s:I,s:f,s:f,s:f,s:f,s:f,s:f}",
			 "name", stat_name(reason, buf, sizeof(buf)), "reason", (int)reason,
			 "count", (json_int_t)r->count, "user", (json_int_t)r->user,
			 "kernel", (json_int_t)(r->count - r->user),
			 "per-second", per_second(sum, r->count),
			 "kernel-ns", ns_of(sum, r->kernel_ticks),
			 "user-ns", ns_of(sum, r->user_ticks),
			 "p50-ns", ns_of(sum, stat_percentile(r, 50)),
			 "p90-ns", ns_of(sum, stat_percentile(r, 90)),
			 "p99-ns", ns_of(sum, stat_percentile(r, 99)));
}

json_t *stat_json(const struct stat_sum *sum, const char *machine)
{
	unsigned int reasons[STAT_REASONS], nr = order(sum, reasons), i;
	json_t *list = json_array(), *all;

	for (i = 0; i < nr; i++)
		json_array_append_new(list, reason_json(sum, reasons[i]));
	all = json_pack("{s:s,s:i,s:f,s:I,s:I,s:I,s:I,s:f,s:f,s:f,s:f,s:I,s:I,s:I,s:I,s:o}",
			"machine", machine, "vcpus", (int)sum->nr_vcpus, "seconds", sum->seconds,
			"exits", (json_int_t)sum->exits,
			"kernel", (json_int_t)(sum->exits - sum->user),
			"user", (json_int_t)sum->user, "lost", (json_int_t)sum->lost,
			"guest-ns", ns_of(sum, sum->guest_ticks),
			"kernel-ns", ns_of(sum, sum->kernel_ticks),
			"user-ns", ns_of(sum, sum->user_ticks),
			"halted-ns", ns_of(sum, sum->wait_ticks),
			"host-interrupts", (json_int_t)sum->reason[REASON_INTERRUPT].count,
			"injected-interrupts", (json_int_t)sum->injected,
			"ept-faults", (json_int_t)sum->reason[REASON_EPT_VIOLATION].count,
			"halts", (json_int_t)sum->reason[REASON_HLT].count, "reasons", list);
	/* An unknown number is none. */
	if (all && sum->injected < 0)
		json_object_set_new(all, "injected-interrupts", json_null());
	return all;
}

void stat_csv_head(FILE *f)
{
	fputs("time,reason,name,count,user,per_second,kernel_ns,user_ns,p50_ns,p90_ns,p99_ns\n", f);
}

void stat_csv(FILE *f, const struct stat_sum *sum, double time)
{
	unsigned int list[STAT_REASONS], nr = order(sum, list), i;
	const struct stat_reason *r;
	char buf[32];

	for (i = 0; i < nr; i++) {
		r = &sum->reason[list[i]];
		fprintf(f, "%.3f,%u,\"%s\",%llu,%llu,%.1f,", time, list[i],
			stat_name(list[i], buf, sizeof(buf)), (unsigned long long)r->count,
			(unsigned long long)r->user, per_second(sum, r->count));
		fprintf(f, "%.0f,%.0f,%.0f,%.0f,%.0f\n",
			ns_of(sum, r->kernel_ticks), ns_of(sum, r->user_ticks),
			ns_of(sum, stat_percentile(r, 50)), ns_of(sum, stat_percentile(r, 90)),
			ns_of(sum, stat_percentile(r, 99)));
	}
}
