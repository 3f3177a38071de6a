// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of `mkvm stat` that need no machine: sums and percentiles of exits, and what is shown
 * of them as text, JSON and CSV.
 */
#include <stdlib.h>
#include <string.h>

#include "inspect/cmd_stat.h"
#include "inspect/stat_sum.h"
#include "report.h"
#include "tap.h"

#define KHZ	2000000u	/* two ticks are a nanosecond */
#define CPUID	10
#define IO	30

static struct stat_sum *sum;

static void add(u32 reason, u64 kernel, u64 user, u64 wait, u32 flags)
{
	struct minikvm_exit_entry e = {
		.reason = reason, .guest_ticks = 1000, .kernel_ticks = kernel, .user_ticks = user,
		.wait_ticks = wait, .flags = flags,
	};

	stat_add(sum, &e);
}

static void reset(void)
{
	memset(sum, 0, sizeof(*sum));
	sum->tsc_khz = KHZ;
	sum->seconds = 2;
	sum->nr_vcpus = 2;
	sum->injected = -1;
}

static bool near(u64 got, u64 want)
{
	u64 apart = got > want ? got - want : want - got;

	if (apart * 32 <= want)
		return true;
	tap_diag("%llu is not near %llu", (unsigned long long)got, (unsigned long long)want);
	return false;
}

static void test_percentiles(void)
{
	unsigned int i, bad = 0;
	u64 value;

	reset();
	tap_eq(stat_percentile(&sum->reason[CPUID], 50), 0, "no exits have no median");
	for (i = 1; i <= 1000; i++)
		add(CPUID, i * 100, 0, 0, 0);
	tap_ok(near(stat_percentile(&sum->reason[CPUID], 50), 50000), "p50");
	tap_ok(near(stat_percentile(&sum->reason[CPUID], 90), 90000), "p90");
	tap_ok(near(stat_percentile(&sum->reason[CPUID], 99), 99000), "p99");
	tap_ok(near(stat_percentile(&sum->reason[CPUID], 100), 100000), "p100");
	for (i = 0; i < 64; i++) {
		for (value = 1ull << i; value < 3ull << i && value >= 1ull << i; value += 1 + (1ull << i) / 7) {
			reset();
			add(CPUID, value, 0, 0, 0);
			bad += !near(stat_percentile(&sum->reason[CPUID], 50), value);
			if (i == 63)
				break;
		}
	}
	reset();
	add(CPUID, ~0ull, 0, 0, 0);
	bad += !near(stat_percentile(&sum->reason[CPUID], 1), ~0ull);
	reset();
	add(CPUID, 0, 0, 0, 0);
	bad += stat_percentile(&sum->reason[CPUID], 99) != 0;
	tap_ok(!bad, "any cost is within 1/32");
}

static void test_sums(void)
{
	reset();
	add(CPUID, 400, 0, 0, 0);
	add(IO, 1000, 5000, 0, MINIKVM_EXIT_ENTRY_USER);
	add(IO, 500, 0, 0, 0);
	add(12, 100, 0, 7000, 0);
	add(0x80000021, 50, 60, 0, MINIKVM_EXIT_ENTRY_USER | MINIKVM_EXIT_ENTRY_ERROR);
	add(60000, 1, 0, 0, 0);
	add(CPUID, 99999, 0, 0, MINIKVM_EXIT_ENTRY_OPEN);
	tap_ok(sum->exits == 6 && sum->user == 2, "an exit that is not over does not count");
	tap_ok(sum->reason[IO].count == 2 && sum->reason[IO].user == 1 &&
	       sum->reason[IO].kernel_ticks == 1500 && sum->reason[IO].user_ticks == 5000, "who handled it");
	tap_ok(sum->guest_ticks == 6000 && sum->kernel_ticks == 2051 && sum->user_ticks == 5060 &&
	       sum->wait_ticks == 7000, "where time went; a halt is no cost");
	tap_ok(sum->reason[0x21].count == 1, "a failed entry counts with its basic reason");
	tap_ok(sum->reason[STAT_REASONS - 1].count == 1, "reasons that do not exist count together");
}

static char *text_of(void (*write)(FILE *f))
{
	char *text = NULL;
	size_t len = 0;
	FILE *f = open_memstream(&text, &len);

	write(f);
	fclose(f);
	return text;
}

static void screen(FILE *f) { stat_show(f, sum, "guest", 0); }
static void small_screen(FILE *f) { stat_show(f, sum, "guest", 10); }

static void csv(FILE *f)
{
	stat_csv_head(f);
	stat_csv(f, sum, 1.5);
}

static unsigned int lines_of(const char *text)
{
	unsigned int n = 0;

	for (; *text; text++)
		n += *text == '\n';
	return n;
}

static void check_json(void)
{
	json_t *json = stat_json(sum, "gu\"est"), *first;

	first = json_array_get(json_object_get(json, "reasons"), 0);
	tap_ok(json_integer_value(json_object_get(json, "exits")) == 6 &&
	       json_integer_value(json_object_get(json, "kernel")) == 4 &&
	       json_integer_value(json_object_get(json, "halts")) == 1 &&
	       json_is_null(json_object_get(json, "injected-interrupts")) &&
	       json_real_value(json_object_get(json, "halted-ns")) == 3500, "JSON of the whole");
	tap_ok(!strcmp(json_string_value(json_object_get(json, "machine")), "gu\"est"), "... and its name");
	tap_ok(json_integer_value(json_object_get(first, "reason")) == IO &&
	       json_integer_value(json_object_get(first, "count")) == 2 &&
	       json_real_value(json_object_get(first, "per-second")) == 1 &&
	       json_real_value(json_object_get(first, "user-ns")) == 2500 &&
	       near((u64)json_real_value(json_object_get(first, "p99-ns")), 3000),
	       "JSON of a reason; what costs most comes first");
	json_decref(json);
	sum->injected = 17;
	json = stat_json(sum, "guest");
	tap_eq(json_integer_value(json_object_get(json, "injected-interrupts")), 17, "what the VMM counted");
	json_decref(json);
}

static void test_output(void)
{
	char *text = text_of(screen), *small = text_of(small_screen);
	unsigned int i, k, bad = 0;
	json_t *json;

	tap_ok(strstr(text, "exits/s       3, handled by the kernel 2, by userspace 1\n") &&
	       strstr(text, "halted 34.8 %\n") && !strstr(text, "injected") && !strstr(text, "lost"),
	       "the head of the screen");
	tap_ok(strstr(text, "CPUID") && lines_of(text) == 7 + 5, "a line for each reason");
	tap_ok(lines_of(small) == 9 && strlen(small) < strlen(text), "no more lines than fit");
	free(text);
	free(small);
	check_json();
	sum->lost = 4;
	text = text_of(screen);
	tap_ok(strstr(text, "; 4 more were lost\n") && strstr(text, "injected 8\n"), "what was lost is shown");
	free(text);
	text = text_of(csv);
	tap_ok(lines_of(text) == 6 && strstr(text, "\n1.500,30,\"") && strstr(text, ",2,1,1.0,750,2500,"), "CSV");
	free(text);

	reset();
	sum->tsc_khz = 0;
	sum->seconds = 0;
	text = text_of(screen);
	json = stat_json(sum, "guest");
	tap_ok(json && lines_of(text) == 7 && !strstr(text, "nan") && !strstr(text, "inf"),
	       "nothing in no time is zero");
	json_decref(json);
	free(text);

	srand(3);
	for (i = 0; i < 200; i++) {
		struct minikvm_exit_entry e;
		u8 *p = (u8 *)&e;

		for (k = 0; k < sizeof(e); k++)
			p[k] = (u8)rand();
		stat_add(sum, &e);
	}
	sum->tsc_khz = KHZ;
	sum->seconds = 1;
	json = stat_json(sum, "guest");
	bad += !json;
	json_decref(json);
	text = text_of(csv);
	bad += lines_of(text) < 2;
	free(text);
	tap_ok(!bad, "any entries can be shown");
}

static void test_command(void)
{
	static char *const bad[][5] = {
		{ "stat" }, { "stat", "a", "b" }, { "stat", "no/name" }, { "stat", "nobody-runs-this" },
		{ "stat", "--pid", "0" }, { "stat", "--pid", "999999999" }, { "stat", "--interval", "0", "a" },
		{ "stat", "--count", "0", "a" }, { "stat", "--vcpu", "-1", "a" }, { "stat", "--json", "--csv", "a" },
		{ "stat", "--what" }, { "stat", "--pid" }, { "stat", "--pid", "1", "--vcpu", "99999" },
	};
	unsigned int i, accepted = 0, n;
	char *argv[8];

	setenv("MKVM_RUNTIME_DIR", "/nonexistent", 1);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		for (n = 0; n < 5 && bad[i][n]; n++)
			argv[n] = bad[i][n];
		argv[n] = NULL;
		if (cmd_stat((int)n, argv) != EXIT_ERROR) {
			tap_diag("accepted: case %u", i);
			accepted++;
		}
	}
	tap_ok(!accepted, "bad command lines are refused");
}

int main(void)
{
	sum = malloc(sizeof(*sum));
	if (!sum)
		tap_bail("memory");
	test_percentiles();
	test_sums();
	add(IO, 0, 0, 0, MINIKVM_EXIT_ENTRY_OPEN);
	test_output();
	test_command();
	free(sum);
	return tap_done();
}
