// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm stat`: its command line, and reading the exit rings of a machine's vCPUs.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "control/client.h"
#include "inspect/attach.h"
#include "inspect/cmd_stat.h"
#include "inspect/live.h"
#include "inspect/options.h"
#include "inspect/stat_sum.h"
#include "report.h"

#define RING_ENTRIES	8192u		/* of each vCPU */
#define BATCH		1024u		/* entries that are read at once */
#define LOOK_S		0.02		/* how often the rings are emptied */
#define CLEAR_SCREEN	"\033[H\033[J"

static const char help_text[] =
	"Usage: mkvm stat NAME [--interval S] [--once] [--json | --csv]\n"
	"\n"
	"What the exits of a running machine cost, again and again until Ctrl-C: how many of each\n"
	"reason, who handled them, what half, 90 % and 99 % of them cost at most (within 3 %);\n"
	"where the vCPUs' time went; interrupts, EPT faults and halts. Needs root and minikvm.\n"
	"\n"
	"  --pid PID      the VMM's process instead of NAME; any VMM on minikvm\n"
	"  --vcpu N       only this vCPU\n"
	"  --interval S   seconds that are added up, default 1\n"
	"  --count N      end after N intervals\n"
	"  --once         after one\n"
	"  --json         an object a line, for programs\n"
	"  --csv          a line for each reason, for spreadsheets\n";

enum output { OUTPUT_TEXT, OUTPUT_JSON, OUTPUT_CSV };

/**
 * struct ring - the exit ring of a vCPU
 * @fd: of the ring, -1: none
 * @seq: number of the entry to read next
 */
struct ring {
	int fd;
	u64 seq;
};

/**
 * struct job - what the user wants, and what it takes
 * @name: of the machine, or NULL: @pid
 * @pid: 0: none given
 * @vcpu: the only one, -1: all
 * @interval: seconds
 * @count: intervals, 0: any number
 * @output: how to show them
 * @machine: the machine
 * @ring: @nr_rings: one for each vCPU
 * @sum: of this interval
 * @injected: interrupts injected before it, -1: not known
 */
struct job {
	const char *name;
	pid_t pid;
	long vcpu;
	double interval;
	unsigned long count;
	enum output output;
	struct attached machine;
	struct ring *ring;
	unsigned int nr_rings;
	struct stat_sum *sum;
	s64 injected;
};

static volatile sig_atomic_t stop;

static void on_signal(int sig)
{
	(void)sig;
	stop = 1;
}

/* ---- command line ---------------------------------------------------------------------------- */

static int parse_option(struct job *j, int c)
{
	unsigned long value;

	switch (c) {
	case 'p':
		j->pid = attach_parse_pid(optarg);
		return j->pid < 0 ? -1 : 0;
	case 'v':
		if (option_number("--vcpu", optarg, 0, 4095, &value))
			return -1;
		j->vcpu = (long)value;
		return 0;
	case 'i':
		return option_seconds("--interval", optarg, &j->interval);
	case 'n':
		return option_number("--count", optarg, 1, 1000000000, &j->count);
	case '1':
		j->count = 1;
		return 0;
	case 'j':
	case 'c':
		if (j->output != OUTPUT_TEXT)
			return report("stat: either --json or --csv, once");
		j->output = c == 'j' ? OUTPUT_JSON : OUTPUT_CSV;
		return 0;
	default:
		return -1;
	}
}

static int parse(struct job *j, int argc, char **argv)
{
	static const struct option options[] = {
		{ "pid", required_argument, NULL, 'p' }, { "vcpu", required_argument, NULL, 'v' },
		{ "interval", required_argument, NULL, 'i' },
		{ "count", required_argument, NULL, 'n' }, { "once", no_argument, NULL, '1' },
		{ "json", no_argument, NULL, 'j' }, { "csv", no_argument, NULL, 'c' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*j = (struct job){ .vcpu = -1, .interval = 1, .injected = -1 };
	/* Zero: whatever getopt() was used for before. */
	optind = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (parse_option(j, c))
			return -1;
	}
	return option_machine("stat", argc, argv, j->pid, &j->name);
}

/* ---- rings ----------------------------------------------------------------------------------- */

/* The count of entries so far is where we begin: what came before is not of our time. */
static int skip_past(struct job *j, struct ring *r)
{
	struct minikvm_exit_ring_read read = { .nr = 0 };

	if (ioctl(r->fd, MINIKVM_EXIT_RING_READ, &read))
		return live_failed(&j->machine, "the exit ring");
	r->seq = read.recorded;
	j->sum->tsc_khz = read.tsc_khz;
	return 0;
}

static int open_ring(struct job *j, int vcpu_fd)
{
	struct minikvm_exit_ring args = { .entries = RING_ENTRIES };
	struct ring *r = &j->ring[j->nr_rings];

	r->fd = ioctl(vcpu_fd, MINIKVM_EXIT_RING, &args);
	if (r->fd < 0)
		return live_failed(&j->machine, "its exits");
	j->nr_rings++;
	return skip_past(j, r);
}

static int open_rings(struct job *j)
{
	const struct attached *a = &j->machine;
	unsigned int i;
	int fd;

	j->ring = calloc(a->nr_vcpus + 1, sizeof(*j->ring));
	j->sum = calloc(1, sizeof(*j->sum));
	if (!j->ring || !j->sum)
		return report("out of memory");
	if (j->vcpu >= 0) {
		fd = attach_vcpu(a, (unsigned int)j->vcpu);
		return fd < 0 ? -1 : open_ring(j, fd);
	}
	for (i = 0; i < a->nr_vcpus; i++) {
		if (open_ring(j, a->vcpus[i].fd))
			return -1;
	}
	return i ? 0 : report("%s has no vCPU", a->label);
}

/* Adds what is new; -1 after a report. */
static int read_ring(struct job *j, struct ring *r)
{
	static struct minikvm_exit_entry entry[BATCH];
	struct minikvm_exit_ring_read read;
	unsigned int i;

	do {
		read = (struct minikvm_exit_ring_read){
			.nr = BATCH, .seq = r->seq, .entries = (uintptr_t)entry,
		};
		if (ioctl(r->fd, MINIKVM_EXIT_RING_READ, &read))
			return live_failed(&j->machine, "the exit ring");
		for (i = 0; i < read.nr && i < BATCH; i++)
			stat_add(j->sum, &entry[i]);
		j->sum->lost += read.lost;
		r->seq = read.seq;
	} while (read.nr == BATCH);
	return 0;
}

static int read_rings(struct job *j)
{
	unsigned int i;

	for (i = 0; i < j->nr_rings; i++) {
		if (read_ring(j, &j->ring[i]))
			return -1;
	}
	return 0;
}

/* ---- the VMM's counters ---------------------------------------------------------------------- */

static s64 injected_of(const json_t *vcpus)
{
	const json_t *vcpu, *stat;
	s64 sum = -1;
	size_t i, k;

	json_array_foreach(vcpus, i, vcpu) {
		json_array_foreach(json_object_get(vcpu, "stats"), k, stat) {
			const char *name = json_string_value(json_object_get(stat, "name"));

			if (name && !strcmp(name, "irq_injections"))
				sum = (sum < 0 ? 0 : sum) +
				      json_integer_value(json_object_get(stat, "value"));
		}
	}
	return sum;
}

/* Interrupts injected since the machine began, of all vCPUs; -1: its VMM does not tell. */
static s64 ask_injected(const struct job *j)
{
	struct client_conn c;
	json_t *vcpus = NULL;
	s64 sum;

	if (!j->name || j->vcpu >= 0)
		return -1;
	if (!client_open(&c, j->name, true))
		vcpus = client_call(&c, "query-stats", json_pack("{s:s}", "target", "vcpu"));
	client_close(&c);
	sum = injected_of(vcpus);
	json_decref(vcpus);
	return sum;
}

/* ---- output ---------------------------------------------------------------------------------- */

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static unsigned int screen_lines(void)
{
	struct winsize size;

	if (!isatty(STDOUT_FILENO) || ioctl(STDOUT_FILENO, TIOCGWINSZ, &size))
		return 0;
	return size.ws_row;
}

static int show(struct job *j, double time)
{
	unsigned int lines = screen_lines();

	switch (j->output) {
	case OUTPUT_JSON:
		if (output_json(stat_json(j->sum, j->machine.label), JSON_COMPACT))
			return -1;
		break;
	case OUTPUT_CSV:
		stat_csv(stdout, j->sum, time);
		break;
	default:
		/* Over the one before, unless it is to be kept. */
		if (lines && j->count != 1)
			fputs(CLEAR_SCREEN, stdout);
		stat_show(stdout, j->sum, j->machine.label, j->count == 1 ? 0 : lines);
		if (!lines && j->count != 1)
			putchar('\n');
	}
	return fflush(stdout) || ferror(stdout) ? report("cannot write: %s", strerror(errno)) : 0;
}

/* One interval: 1 if the machine ended, -1 after a report. */
static int one_interval(struct job *j)
{
	u32 khz = j->sum->tsc_khz;
	double start = now(), end = start + j->interval;
	bool gone = false;
	s64 injected;

	memset(j->sum, 0, sizeof(*j->sum));
	j->sum->tsc_khz = khz;
	j->sum->nr_vcpus = j->nr_rings;
	while (!stop && !gone && now() < end) {
		output_sleep(end - now() < LOOK_S ? end - now() : LOOK_S);
		gone = attach_gone(&j->machine);
		if (read_rings(j))
			return -1;
	}
	j->sum->seconds = now() - start;
	injected = gone ? -1 : ask_injected(j);
	j->sum->injected = injected >= 0 && j->injected >= 0 ? injected - j->injected : -1;
	j->injected = injected;
	return gone;
}

static int run(struct job *j)
{
	struct sigaction action = { .sa_handler = on_signal };
	double start = now();
	unsigned long i;
	int r;

	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	if (j->output == OUTPUT_CSV)
		stat_csv_head(stdout);
	j->injected = ask_injected(j);
	for (i = 0; !stop && (!j->count || i < j->count); i++) {
		r = one_interval(j);
		if (r < 0)
			return -1;
		/* What an interrupted or ended interval has is shown, too, if it has anything. */
		if ((j->sum->exits || !(stop || r)) && show(j, now() - start))
			return -1;
		if (r)
			return report("%s has ended", j->machine.label);
	}
	return 0;
}

int cmd_stat(int argc, char **argv)
{
	struct job j;
	int err;

	if (option_help(argc, argv)) {
		fputs(help_text, stdout);
		return 0;
	}
	if (parse(&j, argc, argv))
		return EXIT_ERROR;
	err = attach_open(&j.machine, j.name, j.pid) || open_rings(&j) || run(&j);
	while (j.nr_rings)
		close(j.ring[--j.nr_rings].fd);
	free(j.ring);
	free(j.sum);
	attach_close(&j.machine);
	return err ? EXIT_ERROR : 0;
}
