// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm trace`: its command line, the recording, and who hears of what was recorded.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/entry.h"
#include "inspect/attach.h"
#include "inspect/cmd_trace.h"
#include "inspect/live.h"
#include "inspect/options.h"
#include "inspect/save.h"
#include "inspect/trace_json.h"
#include "inspect/trace_page.h"
#include "inspect/tracefs.h"
#include "report.h"

#define MAX_EVENTS	4000000u
#define MAX_THREADS	2048u
#define LOOK_S		0.05		/* how often the buffers are emptied */
#define MAX_PAGES	256u		/* of a CPU at once */
#define FEW_EVENTS	16
#define SYSENTER_SYMBOL	"entry_SYSENTER_compat"
#define MAX_WAIT_MS	100

static const char help_text[] =
	"Usage: mkvm trace NAME [--seconds N] [-o FILE] [--folded FILE] [--symbols FILE]\n"
	"\n"
	"Records what a running machine does, until N seconds, Ctrl-C or its end: each stay in\n"
	"the guest, each exit and who handled it, injections, page faults, port and memory-mapped\n"
	"I/O, and when its other threads ran. Needs root, and the trace events of minikvm or KVM.\n"
	"\n"
	"  --pid PID       the VMM's process instead of NAME; any VMM on minikvm or KVM\n"
	"  --seconds N     how long\n"
	"  -o FILE         JSON for ui.perfetto.dev or chrome://tracing: a track for each vCPU\n"
	"                  and each thread; default NAME.trace.json, unless --folded is given\n"
	"  --folded FILE   folded stacks, as flamegraph.pl reads them: EXIT;SYMBOL COUNT\n"
	"  --symbols FILE  names for the guest kernel's addresses: its vmlinux or System.map\n"
	"  --shift BYTES   how much further up the guest has its kernel than FILE says (KASLR);\n"
	"                  'auto': as its entry point of SYSENTER tells, on minikvm only\n"
	"  --events N      record at most N events (default 4000000)\n";

/* What is recorded of either module; a kernel may lack some. */
static const char *const vcpu_events[] = {
	"kvm_entry", "kvm_exit", "kvm_userspace_exit", "kvm_fpu", "kvm_vcpu_wakeup",
	"kvm_inj_virq", "kvm_inj_exception", "kvm_page_fault", "kvm_pio", "kvm_mmio",
	"kvm_fast_mmio", "kvm_msr", "kvm_hypercall", "kvm_apic_ipi", "kvm_msi_set_irq",
	"kvm_set_irq",
};

static const char *const systems[] = { "minikvm", "kvm" };

/**
 * struct thread - a thread of the process
 * @tid: its number
 * @name: what it calls itself
 */
struct thread {
	pid_t tid;
	char name[20];
};

/**
 * struct job - what the user wants, and what it takes
 * @name: of the machine, or NULL: @pid
 * @pid: the process
 * @seconds: 0: until somebody ends it
 * @json: @folded: @symbols_file: as given, or NULL
 * @shift: of the guest's kernel; @find_shift: to be found out
 * @max_events: most events to keep
 * @symbols: from @symbols_file
 * @threads: @nr_threads: those that were seen
 * @log: what was recorded
 * @lost: events that the kernel had no room for
 * @out: the JSON, if @json
 * @fold: the stacks, if @folded
 */
struct job {
	const char *name;
	pid_t pid;
	double seconds;
	const char *json, *folded, *symbols_file;
	unsigned long shift, max_events;
	bool find_shift;
	struct symbols symbols;
	struct thread *threads;
	unsigned int nr_threads;
	struct trace_log log;
	u64 lost;
	struct trace_json out;
	struct folded fold;
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
	switch (c) {
	case 'p':
		j->pid = attach_parse_pid(optarg);
		return j->pid < 0 ? -1 : 0;
	case 't':
		return option_seconds("--seconds", optarg, &j->seconds);
	case 'o':
		j->json = optarg;
		return 0;
	case 'f':
		j->folded = optarg;
		return 0;
	case 's':
		j->symbols_file = optarg;
		return 0;
	case 'k':
		j->find_shift = !strcmp(optarg, "auto");
		if (j->find_shift)
			return 0;
		return option_number("--shift", optarg, 0, ~0UL, &j->shift);
	case 'e':
		return option_number("--events", optarg, 1, 1000000000, &j->max_events);
	default:
		return -1;
	}
}

static int parse(struct job *j, int argc, char **argv)
{
	static const struct option options[] = {
		{ "pid", required_argument, NULL, 'p' },
		{ "seconds", required_argument, NULL, 't' },
		{ "output", required_argument, NULL, 'o' },
		{ "folded", required_argument, NULL, 'f' },
		{ "symbols", required_argument, NULL, 's' },
		{ "shift", required_argument, NULL, 'k' },
		{ "events", required_argument, NULL, 'e' }, { NULL, 0, NULL, 0 },
	};
	int c;

	*j = (struct job){ .max_events = MAX_EVENTS };
	/* Zero: whatever getopt() was used for before. */
	optind = 0;
	while ((c = getopt_long(argc, argv, "o:", options, NULL)) != -1) {
		if (parse_option(j, c))
			return -1;
	}
	if (option_machine("trace", argc, argv, j->pid, &j->name))
		return -1;
	if ((j->shift || j->find_shift) && !j->symbols_file)
		return report("trace: --shift moves the symbols of --symbols, which is not given");
	j->log.limit = j->max_events;
	return 0;
}

static int find_process(struct job *j)
{
	if (j->name && !entry_name_valid(j->name))
		return report("'%s' is no name of a virtual machine", j->name);
	if (j->name)
		j->pid = entry_pid(j->name);
	if (j->pid <= 0)
		return report("no virtual machine '%s' is running; see 'mkvm list'", j->name);
	if (kill(j->pid, 0) && errno == ESRCH)
		return report("there is no process %d", (int)j->pid);
	return 0;
}

/* ---- symbols --------------------------------------------------------------------------------- */

/* Linux tells the CPU where SYSENTER leads; where that is in the file is a symbol. */
static int find_shift(struct job *j)
{
	u64 linked = symbols_address(&j->symbols, SYSENTER_SYMBOL), there = 0;
	struct attached machine;
	struct vmcs_dump *dump;
	int err;

	if (!linked)
		return report("%s has no symbol " SYSENTER_SYMBOL ": --shift auto cannot tell",
			      j->symbols_file);
	dump = calloc(1, sizeof(*dump));
	if (!dump)
		return report("out of memory");
	err = attach_open(&machine, j->name, j->pid);
	if (!err && !machine.nr_vcpus)
		err = report("%s has no vCPU", machine.label);
	if (!err)
		err = live_vmcs(&machine, machine.vcpus[0].fd, MAX_WAIT_MS, dump);
	if (!err)
		there = dump_value(dump, VMCS_F_GUEST_SYSENTER_EIP);
	attach_close(&machine);
	free(dump);
	if (err)
		return -1;
	if (!there)
		return report("the guest has told no entry point of SYSENTER: not a 64-bit Linux, "
			      "or not booted that far");
	j->symbols.shift = there - linked;
	return 0;
}

static int load_symbols(struct job *j)
{
	if (!j->symbols_file)
		return 0;
	if (symbols_load(&j->symbols, j->symbols_file))
		return -1;
	j->symbols.shift = j->shift;
	return j->find_shift ? find_shift(j) : 0;
}

/* ---- threads --------------------------------------------------------------------------------- */

static struct thread *find_thread(struct job *j, pid_t tid)
{
	unsigned int i;

	for (i = 0; i < j->nr_threads; i++) {
		if (j->threads[i].tid == tid)
			return &j->threads[i];
	}
	return NULL;
}

static void read_name(struct job *j, struct thread *t)
{
	char path[64];
	FILE *f;

	snprintf(t->name, sizeof(t->name), "thread %d", (int)t->tid);
	snprintf(path, sizeof(path), "/proc/%d/task/%d/comm", (int)j->pid, (int)t->tid);
	f = fopen(path, "re");
	if (!f)
		return;
	if (fgets(t->name, sizeof(t->name), f))
		t->name[strcspn(t->name, "\n")] = '\0';
	fclose(f);
}

/* At the start and at the end: a thread that lives between the two is nobody's. */
static void note_threads(struct job *j)
{
	char path[64];
	struct dirent *d;
	DIR *dir;
	pid_t tid;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)j->pid);
	dir = opendir(path);
	while (dir && (d = readdir(dir)) && j->nr_threads < MAX_THREADS) {
		tid = (pid_t)atoi(d->d_name);
		if (tid <= 0 || find_thread(j, tid))
			continue;
		j->threads[j->nr_threads].tid = tid;
		read_name(j, &j->threads[j->nr_threads++]);
	}
	if (dir)
		closedir(dir);
}

/* ---- recording ------------------------------------------------------------------------------- */

static int choose_events(struct tracefs *t)
{
	unsigned int i, k, found = 0;
	int r;

	for (i = 0; i < ARRAY_SIZE(systems); i++) {
		for (k = 0; k < ARRAY_SIZE(vcpu_events); k++) {
			r = tracefs_event(t, systems[i], vcpu_events[k]);
			if (r < 0)
				return -1;
			found += (unsigned int)r;
		}
	}
	if (!found)
		return report("the kernel has no trace events of minikvm or KVM; is a module "
			      "loaded?");
	return tracefs_event(t, "sched", "sched_switch") < 0 ? -1 : 0;
}

/*
 * Takes what is in the buffers: how many events, or -1 after a report. Not all, if more keep
 * coming: a machine may well record faster than this reads.
 */
static int drain(struct job *j, struct tracefs *t)
{
	u8 page[TRACE_PAGE_SIZE];
	unsigned int cpu, i;
	int n, total = 0;

	for (cpu = 0; cpu < t->nr_cpus; cpu++) {
		for (i = 0; i < MAX_PAGES; i++) {
			n = tracefs_read(t, cpu, page);
			if (n < 0)
				return -1;
			if (!n)
				break;
			n = trace_page_walk(page, (size_t)n, trace_log_add, &j->log, &j->lost);
			if (n < 0)
				return report("the kernel's trace buffer is not understood");
			total += n;
			/* The page that is being written: soon there will be more in it. */
			if (n < FEW_EVENTS)
				break;
		}
	}
	return total;
}

static double now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static bool full(const struct job *j)
{
	return j->log.out_of_memory || j->log.nr == j->log.limit;
}

static int record(struct job *j, struct tracefs *t)
{
	double end = now() + j->seconds;
	int err = tracefs_on(t, true), n;

	while (!err && !stop && !full(j) && (!j->seconds || now() < end)) {
		output_sleep(LOOK_S);
		err = drain(j, t) < 0;
		if (kill(j->pid, 0) && errno == ESRCH)
			break;
	}
	if (!err)
		err = tracefs_on(t, false);
	while (!err && !full(j) && (n = drain(j, t)))
		err = n < 0;
	note_threads(j);
	return err;
}

static int make_recording(struct job *j, struct tracefs *t)
{
	int err;

	note_threads(j);
	err = tracefs_open(t) || choose_events(t) || tracefs_process(t, j->pid) || record(j, t);
	tracefs_remove(t);
	return err ? -1 : 0;
}

/* ---- what becomes of it ---------------------------------------------------------------------- */

static bool is_ours(void *opaque, pid_t tid)
{
	return find_thread(opaque, tid) != NULL;
}

static void on_slice(void *opaque, const struct trace_slice *slice)
{
	struct job *j = opaque;
	const struct symbols *symbols = j->symbols_file ? &j->symbols : NULL;

	if (j->json)
		trace_json_slice(&j->out, slice);
	if (j->folded)
		folded_add(&j->fold, slice, symbols);
}

static void on_track(void *opaque, pid_t tid, int vcpu)
{
	struct job *j = opaque;
	struct thread *thread = find_thread(j, tid);

	if (j->json)
		trace_json_thread(&j->out, tid, vcpu, thread ? thread->name : "thread");
}

static long write_json(struct job *j, struct tracefs *t, FILE *f)
{
	const struct trace_sink sink = { is_ours, on_slice, on_track, j };
	u64 lost = j->lost + j->log.dropped;
	char process[96];
	long exits;

	snprintf(process, sizeof(process), "mkvm %s", j->name ? j->name : "");
	if (!j->name)
		snprintf(process, sizeof(process), "pid %d", (int)j->pid);
	if (j->json) {
		j->out = (struct trace_json){
			.f = f, .pid = j->pid, .origin = trace_log_start(&j->log),
			.symbols = j->symbols_file ? &j->symbols : NULL,
		};
		trace_json_begin(&j->out, process);
	}
	exits = trace_log_tell(&j->log, t->format, t->nr_formats, &sink);
	if (j->json)
		trace_json_end(&j->out, exits > 0 ? (u64)exits : 0, j->log.nr, lost);
	return exits;
}

static int write_folded(struct job *j, struct save *file)
{
	int err = folded_write(&j->fold, file->f);

	if (err)
		report("out of memory");
	return save_close(file, err);
}

static int write_files(struct job *j, struct tracefs *t, struct save *json, struct save *folded)
{
	long exits = write_json(j, t, json->f);
	int err = exits < 0;

	if (j->json && save_close(json, err))
		err = -1;
	if (j->folded && write_folded(j, folded))
		err = -1;
	if (err)
		return -1;
	fprintf(stderr, "mkvm: %ld exits, %zu events", exits, j->log.nr);
	if (j->lost)
		fprintf(stderr, ", %llu lost", (unsigned long long)j->lost);
	if (full(j))
		fprintf(stderr, "; stopped because %s",
			j->log.out_of_memory ? "memory is short" : "--events allows no more");
	if (j->json)
		fprintf(stderr, "; wrote %s", j->json);
	fputc('\n', stderr);
	if (!exits)
		report("no exit was recorded: is the machine paused, or its vCPUs all idle?");
	return 0;
}

static int run(struct job *j, struct tracefs *t)
{
	struct save json = { .f = NULL }, folded = { .f = NULL };
	struct sigaction action = { .sa_handler = on_signal };
	int err;

	/* The files first: nobody wants to learn at the end that they cannot be written. */
	if (j->json && save_open(&json, j->json))
		return -1;
	if (j->folded && save_open(&folded, j->folded)) {
		if (j->json)
			save_close(&json, -1);
		return -1;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	err = make_recording(j, t);
	if (!err)
		return write_files(j, t, &json, &folded);
	if (j->json)
		save_close(&json, -1);
	if (j->folded)
		save_close(&folded, -1);
	return -1;
}

int cmd_trace(int argc, char **argv)
{
	struct tracefs *t;
	char name[96];
	struct job j;
	int err;

	if (option_help(argc, argv)) {
		fputs(help_text, stdout);
		return 0;
	}
	if (parse(&j, argc, argv) || find_process(&j))
		return EXIT_ERROR;
	if (!j.json && !j.folded) {
		snprintf(name, sizeof(name), "%s.trace.json", j.name ? j.name : "mkvm");
		j.json = name;
	}
	t = calloc(1, sizeof(*t));
	j.threads = calloc(MAX_THREADS, sizeof(*j.threads));
	if (!t || !j.threads) {
		err = report("out of memory");
	} else {
		err = load_symbols(&j) || run(&j, t);
		tracefs_close(t);
	}
	free(t);
	free(j.threads);
	symbols_free(&j.symbols);
	folded_free(&j.fold);
	trace_log_free(&j.log);
	return err ? EXIT_ERROR : 0;
}
