// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm vmcs`: its command line, and what is read when.
 */
#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "inspect/attach.h"
#include "inspect/entry_check.h"
#include "inspect/live.h"
#include "inspect/options.h"
#include "inspect/vmcs.h"
#include "minikvm_inspect.h"
#include "report.h"

static const char help_text[] =
	"Usage: mkvm vmcs NAME|FILE [show] [--vcpu N] [--json] [--save FILE] [--wait MS]\n"
	"       mkvm vmcs NAME|FILE diff [FILE] [--interval SECONDS] ...\n"
	"       mkvm vmcs NAME watch [--interval SECONDS] [--count N] ...\n"
	"       mkvm vmcs NAME bitmaps [--vcpu N] [--json]\n"
	"       mkvm vmcs NAME|FILE check [--vcpu N] [--json]\n"
	"\n"
	"The VMCS of a vCPU of a running machine, or one that was saved: a FILE is told from\n"
	"the NAME of a machine by a '/' in it (./dump.json).\n"
	"\n"
	"  show    every field, in the groups of the Intel manual, in words\n"
	"  diff    what differs between two exits: now and after the interval, or FILE and now\n"
	"  watch   what differs, again and again, until Ctrl-C\n"
	"  bitmaps which MSRs and ports the guest uses without an exit\n"
	"  check   which of the manual's checks a VM entry with it would fail; status 2: some\n"
	"\n"
	"  --pid PID           the VMM's process instead of NAME; any VMM on minikvm\n"
	"  --vcpu N            which vCPU (default: 0)\n"
	"  --wait MS           how long the guest may take to exit by itself, before it is made\n"
	"                      to (default: 200); 0: made to at once\n"
	"  --interval SECONDS  between two readings (default: 1)\n"
	"  --count N           end after N readings\n"
	"  --save FILE         write what was read last, for diff, for show and for others\n"
	"  --json              for programs; watch: one line for each reading\n";

/* Status of check when rules are broken. */
#define EXIT_BROKEN	2

enum verb { VERB_SHOW, VERB_DIFF, VERB_WATCH, VERB_BITMAPS, VERB_CHECK };

static const char *const verbs[] = { "show", "diff", "watch", "bitmaps", "check" };

/**
 * struct request - what the user wants
 * @verb: what to do
 * @source: name of a machine, or file; NULL: @pid
 * @other: file to compare with, or NULL
 * @pid: 0: none given
 * @vcpu: number
 * @wait_ms: time for an exit
 * @interval: seconds between readings
 * @count: of readings; 0: no end
 * @save: file, or NULL
 * @json: as JSON
 */
struct request {
	enum verb verb;
	const char *source;
	const char *other;
	pid_t pid;
	unsigned long vcpu;
	unsigned long wait_ms;
	double interval;
	unsigned long count;
	const char *save;
	bool json;
};

/**
 * struct source - where readings come from
 * @file: a dump, or NULL: @machine
 * @machine: attached
 * @fd: of the vCPU
 */
struct source {
	const char *file;
	struct attached machine;
	int fd;
};

static int find_verb(const char *word)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(verbs); i++) {
		if (!strcmp(word, verbs[i]))
			return (int)i;
	}
	return -1;
}

/* NAME [VERB [FILE]], or with --pid only [VERB [FILE]]; the verb may also come first. */
static int parse_words(struct request *r, int argc, char **argv)
{
	int verb, at = 0;

	if (argc > 1 && find_verb(argv[0]) >= 0 && !r->pid && find_verb(argv[1]) < 0) {
		char *first = argv[0];

		argv[0] = argv[1];
		argv[1] = first;
	}
	if (!r->pid && at < argc)
		r->source = argv[at++];
	if (!r->pid && !r->source)
		return report("vmcs: which machine? 'mkvm list' names those that run; see "
			      "'mkvm vmcs --help'");
	if (at < argc) {
		verb = find_verb(argv[at]);
		if (verb < 0)
			return report("vmcs: '%s' is not known; use show, diff, watch, bitmaps or "
				      "check", argv[at]);
		r->verb = (enum verb)verb;
		at++;
	}
	if (r->verb == VERB_DIFF && at < argc)
		r->other = argv[at++];
	if (at < argc)
		return report("vmcs: '%s' is too much", argv[at]);
	return 0;
}

static int check_request(const struct request *r)
{
	bool file = r->source && strchr(r->source, '/');

	if (file && r->verb == VERB_WATCH)
		return report("vmcs: a file does not change; watch needs a machine");
	if (file && r->verb == VERB_BITMAPS)
		return report("vmcs: the bitmaps are in no file; they need a machine");
	if (r->save && r->verb == VERB_BITMAPS)
		return report("vmcs: --save does not go with bitmaps");
	if (file && r->verb == VERB_DIFF && !r->other)
		return report("vmcs: diff of a file needs a second one");
	return 0;
}

static int parse(struct request *r, int argc, char **argv)
{
	static const struct option options[] = {
		{ "pid", required_argument, NULL, 'p' }, { "vcpu", required_argument, NULL, 'v' },
		{ "wait", required_argument, NULL, 'w' },
		{ "interval", required_argument, NULL, 'i' },
		{ "count", required_argument, NULL, 'n' },
		{ "save", required_argument, NULL, 's' }, { "json", no_argument, NULL, 'j' },
		{ NULL, 0, NULL, 0 },
	};
	int c, err = 0;

	*r = (struct request){ .wait_ms = 200, .interval = 1 };
	/* Zero: whatever getopt() was used for before. */
	optind = 0;
	while (!err && (c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 'p':
			r->pid = attach_parse_pid(optarg);
			err = r->pid < 0;
			break;
		case 'v':
			err = option_number("--vcpu", optarg, 0, 0xffffffff, &r->vcpu);
			break;
		case 'w':
			err = option_number("--wait", optarg, 0, MINIKVM_INSPECT_MAX_WAIT_MS,
					    &r->wait_ms);
			break;
		case 'i':
			err = option_seconds("--interval", optarg, &r->interval);
			break;
		case 'n':
			err = option_number("--count", optarg, 1, 1000000000, &r->count);
			break;
		case 's':
			r->save = optarg;
			break;
		case 'j':
			r->json = true;
			break;
		default:
			return -1;
		}
	}
	return err || parse_words(r, argc - optind, argv + optind) || check_request(r) ? -1 : 0;
}

/* ---- reading --------------------------------------------------------------------------------- */

static int open_source(struct source *s, const struct request *r)
{
	*s = (struct source){ .machine = { .pidfd = -1, .vm_fd = -1 } };
	if (r->source && strchr(r->source, '/')) {
		s->file = r->source;
		return 0;
	}
	if (attach_open(&s->machine, r->source, r->pid))
		return -1;
	s->fd = attach_vcpu(&s->machine, (unsigned int)r->vcpu);
	return s->fd < 0 ? -1 : 0;
}

static int read_source(const struct source *s, const struct request *r, struct vmcs_dump *d)
{
	if (s->file)
		return dump_load(d, s->file);
	return live_vmcs(&s->machine, s->fd, (unsigned int)r->wait_ms, d);
}

/* After a while: the machine may have been reset. */
static int read_again(struct source *s, const struct request *r, struct vmcs_dump *d)
{
	if (output_sleep(r->interval) || attach_again(&s->machine))
		return -1;
	s->fd = attach_vcpu(&s->machine, (unsigned int)r->vcpu);
	return s->fd < 0 ? -1 : read_source(s, r, d);
}

static int do_show(const struct vmcs_output *out, const struct source *s, const struct request *r,
		   struct vmcs_dump *d)
{
	if (read_source(s, r, d))
		return -1;
	if (r->json)
		return output_json(vmcs_show_json(d), JSON_INDENT(1));
	vmcs_show(out, d);
	return 0;
}

/* ---- comparing ------------------------------------------------------------------------------- */

static int print_diff(const struct vmcs_output *out, const struct request *r,
		      const struct vmcs_dump *before, const struct vmcs_dump *after)
{
	if (r->json)
		return output_json(vmcs_diff_json(before, after),
				   r->verb == VERB_WATCH ? JSON_COMPACT : JSON_INDENT(1));
	vmcs_diff(out, before, after);
	if (before->exits && before->exits == after->exits)
		fprintf(out->f, "there was no exit between the two\n");
	return 0;
}

/* @d: two of them; the second one is the one to save. */
static int do_diff(const struct vmcs_output *out, struct source *s, const struct request *r,
		   struct vmcs_dump d[2])
{
	int err;

	if (r->other && s->file)
		err = dump_load(&d[0], s->file) || dump_load(&d[1], r->other);
	else if (r->other)
		err = dump_load(&d[0], r->other) || read_source(s, r, &d[1]);
	else
		err = read_source(s, r, &d[0]) || read_again(s, r, &d[1]);
	return err ? -1 : print_diff(out, r, &d[0], &d[1]);
}

static int do_watch(const struct vmcs_output *out, struct source *s, const struct request *r,
		    struct vmcs_dump d[2])
{
	unsigned long n;

	if (read_source(s, r, &d[0]))
		return -1;
	for (n = 1; !r->count || n < r->count; n++) {
		if (read_again(s, r, &d[1]))
			return -1;
		if (out->colour && !r->json)
			fputs("\033[H\033[2J", out->f);
		if (print_diff(out, r, &d[0], &d[1]) || fflush(out->f))
			return -1;
		d[0] = d[1];
	}
	/* With --count 1 there is nothing to compare with. */
	d[1] = d[0];
	return 0;
}

/* Rules that are broken are no error of ours. */
static int do_check(const struct vmcs_output *out, const struct source *s, const struct request *r,
		    struct vmcs_dump *d, int *broken)
{
	if (read_source(s, r, d))
		return -1;
	*broken = entry_check(out, d, r->json);
	return *broken < 0 ? -1 : 0;
}

static int do_bitmaps(const struct vmcs_output *out, const struct source *s,
		      const struct request *r)
{
	static struct vmcs_bitmaps bitmaps;

	if (bitmaps_read(&bitmaps, &s->machine, s->fd, (unsigned int)r->wait_ms))
		return -1;
	if (r->json)
		return output_json(bitmaps_json(&bitmaps), JSON_INDENT(1));
	bitmaps_show(out, &bitmaps);
	return 0;
}

int cmd_vmcs(int argc, char **argv)
{
	struct vmcs_output out = { .f = stdout, .colour = output_colour() };
	static struct vmcs_dump dumps[2];
	struct vmcs_dump *last = &dumps[1];
	struct request r;
	struct source s;
	int err, broken = 0;

	if (option_help(argc, argv)) {
		fputs(help_text, stdout);
		return 0;
	}
	if (parse(&r, argc, argv))
		return EXIT_ERROR;
	err = open_source(&s, &r);
	if (!err && r.verb == VERB_SHOW)
		err = do_show(&out, &s, &r, last);
	else if (!err && r.verb == VERB_DIFF)
		err = do_diff(&out, &s, &r, dumps);
	else if (!err && r.verb == VERB_BITMAPS)
		err = do_bitmaps(&out, &s, &r);
	else if (!err && r.verb == VERB_CHECK)
		err = do_check(&out, &s, &r, last, &broken);
	else if (!err)
		err = do_watch(&out, &s, &r, dumps);
	if (!err && r.save)
		err = dump_save(last, r.save);
	if (!err && (fflush(stdout) || ferror(stdout)))
		err = report("cannot write: %s", strerror(errno));
	attach_close(&s.machine);
	if (err)
		return EXIT_ERROR;
	return broken ? EXIT_BROKEN : 0;
}
