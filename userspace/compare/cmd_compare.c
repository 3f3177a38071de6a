// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm compare`: the command line, and the order in which things are measured.
 */
#include <dirent.h>
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "compare/compare.h"
#include "compare/guest.h"
#include "compare/modules.h"
#include "compare/result.h"
#include "compare/rows.h"
#include "config_parse.h"
#include "report.h"

volatile sig_atomic_t compare_stop;

const struct column columns[NR_COLUMNS] = {
	{ "kvm", "stock KVM", "/dev/kvm", false, false },
	{ "minikvm", "mini-KVM", "/dev/minikvm", true, false },
	{ "qemu-kvm", "QEMU, stock KVM", "/dev/kvm", false, true },
	{ "qemu-minikvm", "QEMU, mini-KVM", "/dev/minikvm", true, true },
};

static const struct {
	const char *name;
	enum bench bit;
	int (*measure)(const struct compare *c, const struct column *col, json_t *host);
	const char *what;
} benches[] = {
	{ "exits", BENCH_EXITS, measure_exits, "what each class of exit costs" },
	{ "boot", BENCH_BOOT, measure_guest, "a guest's boot to init; counters and memory there" },
	{ "blk", BENCH_BLK, NULL, "virtio-blk, per request; in the same boot" },
	{ "net", BENCH_NET, NULL, "virtio-net, per frame there and back; in the same boot" },
	{ "reasons", BENCH_REASONS, measure_reasons, "exits of a boot by reason (mkvm only)" },
	{ "many", BENCH_MANY, measure_many, "many tiny VMs at once" },
};

static const char help_text[] =
	"Usage: mkvm compare [options]\n"
	"\n"
	"  compare [--bench LIST] [--repeat N] [--vms N] [--timeout SECONDS] [--qemu FILE|none]\n"
	"          [--kernel FILE] [--modules DIR] [--initrd FILE --marker TEXT] [--disk FILE]\n"
	"          [--append ARGUMENTS] [--memory MIB] [--smp N]\n"
	"          [--stock-module MODULE] [--module MODULE] [--module-params PARAMETERS]\n"
	"          [--only kvm|minikvm] [--unit cycles|instructions]\n"
	"          [--json FILE] [--html FILE] [--quiet]\n"
	"  compare --from FILE [--from FILE]... [--json FILE] [--html FILE] [--quiet]\n"
	"  compare --list [--help]\n"
	"\n"
	"Measures stock KVM, then mini-KVM, on this host with the same VMM and the same guest,\n"
	"and with QEMU if there is one, and prints a table. Modules are unloaded and loaded for\n"
	"that, and put back at the end; no other VM may run. The exit status is 1 if a figure could not be had.\n"
	"\n"
	"  --bench LIST           of these, with commas between (--list tells them); default: all\n"
	"  --repeat N             measure everything N times (default 1)\n"
	"  --vms N                so many tiny VMs for 'many' (default 8)\n"
	"  --timeout SECONDS      how long a program or a guest may take (default 600)\n"
	"  --qemu FILE            QEMU to compare with (default: the one there is); or none\n"
	"  --kernel FILE          kernel of the guest (default: that of this host)\n"
	"  --modules DIR          its modules (default: /lib/modules/RELEASE)\n"
	"  --initrd FILE          an initramfs of your own; only its boot can be measured, up to\n"
	"  --marker TEXT          this on its serial console\n"
	"  --disk FILE            one more disk for the guest; it is not written to\n"
	"  --append ARGUMENTS     more of its kernel's command line\n"
	"  --memory MIB, --smp N  its memory and vCPUs (default 256, 1)\n"
	"  --stock-module MODULE  stock KVM, a name or a .ko file (default kvm-intel)\n"
	"  --module MODULE        mini-KVM, likewise (default minikvm)\n"
	"  --module-params TEXT   parameters for it\n"
	"  --only kvm|minikvm     measure one of the two; there is no ratio then\n"
	"  --unit WORD            what the time-stamp counter counts (default cycles; in the lab\n"
	"                         instructions)\n"
	"  --json FILE            write the result as JSON ('-': to standard output, no table)\n"
	"  --html FILE            write a page with plots\n"
	"  --quiet                no table\n"
	"  --from FILE            measure nothing: read a result that --json wrote; several are\n"
	"                         put into one report\n";

/**
 * struct outputs - where the result goes
 * @json: file, or NULL
 * @html: file, or NULL
 * @quiet: no table
 * @result: what is read by --from, or NULL
 */
struct outputs {
	const char *json, *html;
	bool quiet;
	json_t *result;
};

static void on_signal(int sig)
{
	(void)sig;
	compare_stop = 1;
}

char *bench_program(const char *name)
{
	static const char *const folders[] = { "/../lib/mkvm/", "/", "/../selftests/out/bench/" };
	const char *dir = getenv("MKVM_LIBDIR");
	char self[PATH_MAX], *path;
	ssize_t n;
	size_t i;

	if (dir && *dir) {
		if (asprintf(&path, "%s/%s", dir, name) < 0)
			return NULL;
		if (!access(path, X_OK))
			return path;
		report("compare: %s: %s", path, strerror(errno));
		free(path);
		return NULL;
	}
	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	self[n > 0 ? n : 0] = '\0';
	if (strrchr(self, '/'))
		*strrchr(self, '/') = '\0';
	for (i = 0; i < ARRAY_SIZE(folders); i++) {
		if (asprintf(&path, "%s%s%s", self, folders[i], name) < 0)
			return NULL;
		if (!access(path, X_OK))
			return path;
		free(path);
	}
	report("compare: the program %s, which belongs to mkvm, is not installed; MKVM_LIBDIR "
	       "names its folder",
	       name);
	return NULL;
}

static void print_list(void)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(benches); i++)
		printf("%-10s %s\n", benches[i].name, benches[i].what);
	printf("\nSingle classes of exits:\n");
	rows_list(stdout);
}

static int take_bench(struct compare *c, const char *word)
{
	const struct row_name *row = row_find(word);
	size_t i;

	for (i = 0; i < ARRAY_SIZE(benches); i++) {
		if (!strcmp(word, benches[i].name)) {
			c->benches |= benches[i].bit;
			return 0;
		}
	}
	if (!row || strcmp(row->group, GROUP_EXITS))
		return report("compare: there is no benchmark '%s' (see 'mkvm compare --list')",
			      word);
	if (c->nr_names == COMPARE_MAX_NAMES)
		return report("compare: --bench names too many benchmarks");
	c->names[c->nr_names++] = row->name;
	return 0;
}

static int take_benches(struct compare *c, const char *list)
{
	char *copy = strdup(list), *word, *rest = copy;
	int ret = copy ? 0 : report("out of memory");

	/* The last one on the command line counts. */
	c->benches = 0;
	c->nr_names = 0;
	while (!ret && (word = strsep(&rest, ",")))
		ret = take_bench(c, word);
	free(copy);
	/* "exits" is all of them. */
	if (c->benches & BENCH_EXITS)
		c->nr_names = 0;
	return ret;
}

static int take_number(u64 *value, const char *option, const char *arg, u64 least, u64 most)
{
	const char *end;

	if (!config_number(arg, value, &end) || *end || *value < least || *value > most)
		return report("compare: --%s takes a number from %llu to %llu, not '%s'", option,
			      (unsigned long long)least, (unsigned long long)most, arg);
	return 0;
}

static int take_from(struct outputs *o, const char *path)
{
	json_t *more = result_load(path);

	if (!more)
		return -1;
	if (!o->result)
		o->result = result_new();
	result_merge(o->result, more);
	json_decref(more);
	return result_check(o->result, "compare: all --from together");
}

enum {
	OPT_BENCH,
	OPT_REPEAT,
	OPT_VMS,
	OPT_TIMEOUT,
	OPT_QEMU,
	OPT_KERNEL,
	OPT_MODULES,
	OPT_INITRD,
	OPT_MARKER,
	OPT_DISK,
	OPT_APPEND,
	OPT_MEMORY,
	OPT_SMP,
	OPT_STOCK,
	OPT_MODULE,
	OPT_PARAMS,
	OPT_UNIT,
	OPT_ONLY,
	OPT_JSON,
	OPT_HTML,
	OPT_FROM,
	OPT_QUIET,
	OPT_LIST,
	OPT_HELP,
};

static const struct option options[] = {
	{ "bench", required_argument, NULL, OPT_BENCH },
	{ "repeat", required_argument, NULL, OPT_REPEAT },
	{ "vms", required_argument, NULL, OPT_VMS },
	{ "timeout", required_argument, NULL, OPT_TIMEOUT },
	{ "qemu", required_argument, NULL, OPT_QEMU },
	{ "kernel", required_argument, NULL, OPT_KERNEL },
	{ "modules", required_argument, NULL, OPT_MODULES },
	{ "initrd", required_argument, NULL, OPT_INITRD },
	{ "marker", required_argument, NULL, OPT_MARKER },
	{ "disk", required_argument, NULL, OPT_DISK },
	{ "append", required_argument, NULL, OPT_APPEND },
	{ "memory", required_argument, NULL, OPT_MEMORY },
	{ "smp", required_argument, NULL, OPT_SMP },
	{ "stock-module", required_argument, NULL, OPT_STOCK },
	{ "module", required_argument, NULL, OPT_MODULE },
	{ "module-params", required_argument, NULL, OPT_PARAMS },
	{ "unit", required_argument, NULL, OPT_UNIT },
	{ "only", required_argument, NULL, OPT_ONLY },
	{ "json", required_argument, NULL, OPT_JSON },
	{ "html", required_argument, NULL, OPT_HTML },
	{ "from", required_argument, NULL, OPT_FROM },
	{ "quiet", no_argument, NULL, OPT_QUIET },
	{ "list", no_argument, NULL, OPT_LIST },
	{ "help", no_argument, NULL, OPT_HELP },
	{ NULL, 0, NULL, 0 },
};

/* One option that is a text. */
static int take_text(struct compare *c, struct outputs *o, int option, const char *arg)
{
	const char **const where[] = {
		[OPT_QEMU] = &c->qemu,		 [OPT_KERNEL] = &c->kernel,
		[OPT_MODULES] = &c->modules_dir, [OPT_INITRD] = &c->initrd,
		[OPT_MARKER] = &c->marker,	 [OPT_DISK] = &c->disk,
		[OPT_APPEND] = &c->append,	 [OPT_STOCK] = &c->stock_module,
		[OPT_MODULE] = &c->module,	 [OPT_PARAMS] = &c->module_params,
		[OPT_UNIT] = &c->unit,		 [OPT_ONLY] = &c->only,
		[OPT_JSON] = &o->json,		 [OPT_HTML] = &o->html,
	};

	if (!*arg && option != OPT_APPEND && option != OPT_PARAMS)
		return report("compare: --%s is empty", options[option].name);
	*where[option] = arg;
	return 0;
}

/* 0, -1 after a report, 1: all is done. */
static int take_option(struct compare *c, struct outputs *o, int option)
{
	switch (option) {
	case OPT_BENCH:
		return take_benches(c, optarg);
	case OPT_REPEAT:
		return take_number(&c->repeat, "repeat", optarg, 1, 100);
	case OPT_VMS:
		return take_number(&c->vms, "vms", optarg, 1, 256);
	case OPT_TIMEOUT:
		return take_number(&c->timeout, "timeout", optarg, 1, 86400);
	case OPT_MEMORY:
		return take_number(&c->memory, "memory", optarg, 64, 1 << 20);
	case OPT_SMP:
		return take_number(&c->smp, "smp", optarg, 1, 64);
	case OPT_FROM:
		return take_from(o, optarg);
	case OPT_QUIET:
		o->quiet = true;
		return 0;
	case OPT_LIST:
		print_list();
		return 1;
	case OPT_HELP:
		fputs(help_text, stdout);
		return 1;
	case '?':
	case ':':
		return report("compare: see 'mkvm compare --help'");
	default:
		return take_text(c, o, option, optarg);
	}
}

/* The QEMU there is, unless one was named. */
static const char *find_qemu(const char *wanted)
{
	static const char *const places[] = { "/usr/bin/qemu-system-x86_64",
					      "/usr/local/bin/qemu-system-x86_64" };
	size_t i;

	if (wanted)
		return strcmp(wanted, "none") ? wanted : NULL;
	for (i = 0; i < ARRAY_SIZE(places); i++) {
		if (!access(places[i], X_OK))
			return places[i];
	}
	return NULL;
}

static int check_commas(const char *option, const char *path)
{
	if (path && strchr(path, ','))
		return report("compare: --%s '%s': a comma in the name is not supported", option,
			      path);
	return 0;
}

static int finish_options(struct compare *c)
{
	static char kernel[128];
	struct utsname uts;

	if (strcmp(c->unit, "cycles") && strcmp(c->unit, "instructions"))
		return report("compare: --unit is cycles or instructions, not '%s'", c->unit);
	if (c->only && strcmp(c->only, "kvm") && strcmp(c->only, "minikvm"))
		return report("compare: --only is kvm or minikvm, not '%s'", c->only);
	if (!c->benches && !c->nr_names)
		c->benches = BENCH_ALL;
	if (!c->initrd != !c->marker)
		return report("compare: --initrd and --marker go together");
	if (c->initrd && c->benches & (BENCH_BLK | BENCH_NET)) {
		if (c->benches != BENCH_ALL)
			return report("compare: with --initrd there is no 'blk' and no 'net'");
		c->benches &= ~(unsigned int)(BENCH_BLK | BENCH_NET);
	}
	if (!c->kernel) {
		uname(&uts);
		snprintf(kernel, sizeof(kernel), "/boot/vmlinuz-%s", uts.release);
		c->kernel = kernel;
	}
	c->qemu = find_qemu(c->qemu);
	if (c->qemu && access(c->qemu, X_OK))
		return report("compare: --qemu %s: %s", c->qemu, strerror(errno));
	c->mkvm = realpath("/proc/self/exe", NULL);
	if (!c->mkvm)
		return report("compare: /proc/self/exe: %s", strerror(errno));
	return check_commas("disk", c->disk);
}

/* How many of its ticks the time-stamp counter makes in a millisecond; 0: it does not tell time. */
static u64 measure_khz(const struct compare *c)
{
	struct timespec from, to, pause = { 0, 50000000 };
	u64 begin, ns;

	if (strcmp(c->unit, "cycles"))
		return 0;
	clock_gettime(CLOCK_MONOTONIC_RAW, &from);
	begin = stamp();
	nanosleep(&pause, NULL);
	clock_gettime(CLOCK_MONOTONIC_RAW, &to);
	ns = (u64)(to.tv_sec - from.tv_sec) * 1000000000 + (u64)to.tv_nsec - (u64)from.tv_nsec;
	return (u64)((double)(stamp() - begin) * 1e6 / (double)ns);
}

static unsigned int wanted_of(const struct compare *c, const struct column *col)
{
	unsigned int wanted = c->benches | (c->nr_names ? BENCH_EXITS : 0);

	if ((c->only && strcmp(c->only, col->minikvm ? "minikvm" : "kvm")) ||
	    (col->qemu && !c->qemu))
		return 0;
	/* exit_bench is a VMM of its own. */
	return col->qemu ? wanted & ~(unsigned int)(BENCH_EXITS | BENCH_REASONS) : wanted;
}

static int measure_column(const struct compare *c, const struct column *col, json_t *host)
{
	unsigned int wanted = wanted_of(c, col), bit;
	int ret = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(benches) && !compare_stop; i++) {
		bit = benches[i].bit;
		if (bit == BENCH_BOOT)
			bit = BENCH_BOOT | BENCH_BLK | BENCH_NET;
		if (!benches[i].measure || !(wanted & bit))
			continue;
		fprintf(stderr, "mkvm compare: %s: %s\n", col->title, benches[i].what);
		/* What one lacks must not hide the others' figures. */
		if (benches[i].measure(c, col, host))
			ret = -1;
	}
	return ret;
}

static void remove_dir(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *d;

	while (dir && (d = readdir(dir)))
		unlinkat(dirfd(dir), d->d_name, 0);
	if (dir)
		closedir(dir);
	rmdir(path);
}

/* In the order in which they are shown. */
static void add_columns(const struct compare *c, json_t *host)
{
	size_t i;

	for (i = 0; i < NR_COLUMNS; i++) {
		if (wanted_of(c, &columns[i]))
			result_add_column(host, columns[i].id, columns[i].title);
	}
}

/* One hypervisor: with mkvm, then with QEMU. */
static int measure_hypervisor(const struct compare *c, struct swap *swap, bool minikvm,
			      json_t *host)
{
	int ret = 0;
	size_t i;

	if (modules_choose(c, swap, minikvm, host)) {
		result_note(host, "%s could not be loaded", minikvm ? "mini-KVM" : "stock KVM");
		return -1;
	}
	for (i = 0; i < NR_COLUMNS; i++) {
		if (columns[i].minikvm == minikvm && !compare_stop &&
		    measure_column(c, &columns[i], host))
			ret = -1;
	}
	return ret;
}

static int measure(struct compare *c, json_t *result)
{
	struct swap swap;
	char guest[256];
	json_t *host;
	int ret = 0;

	if (modules_begin(c, &swap))
		return -1;
	snprintf(c->dir, sizeof(c->dir), "/tmp/mkvm-compare.XXXXXX");
	if (!mkdtemp(c->dir))
		return report("compare: %s: %s", c->dir, strerror(errno));
	if (c->benches & (BENCH_BOOT | BENCH_BLK | BENCH_NET | BENCH_REASONS) && guest_prepare(c)) {
		remove_dir(c->dir);
		return -1;
	}
	snprintf(guest, sizeof(guest), "%.160s, %llu MiB, %llu vCPU%s", c->kernel,
		 (unsigned long long)c->memory, (unsigned long long)c->smp, c->smp == 1 ? "" : "s");
	host = result_add_host(result, MKVM_VERSION, c->unit, measure_khz(c), guest);
	add_columns(c, host);
	if ((!c->only || !strcmp(c->only, "kvm")) && measure_hypervisor(c, &swap, false, host))
		ret = -1;
	if ((!c->only || !strcmp(c->only, "minikvm")) && !compare_stop &&
	    measure_hypervisor(c, &swap, true, host))
		ret = -1;
	if (compare_stop) {
		result_note(host, "interrupted");
		ret = -1;
	}
	if (modules_end(c, &swap))
		ret = -1;
	remove_dir(c->dir);
	return ret;
}

static int write_all(const struct outputs *o, const json_t *result)
{
	int ret = 0;

	if (o->json && result_save(o->json, result_write_json, result))
		ret = -1;
	if (o->html && result_save(o->html, result_write_html, result))
		ret = -1;
	if (!o->quiet && !(o->json && !strcmp(o->json, "-")) &&
	    result_save("-", result_write_table, result))
		ret = -1;
	return ret;
}

static int read_options(struct compare *c, struct outputs *o, int argc, char **argv)
{
	int option, ret = 0;

	if (argc == 2 && !strcmp(argv[1], "help")) {
		fputs(help_text, stdout);
		return 1;
	}
	optind = 1;
	while (!ret && (option = getopt_long(argc, argv, "", options, NULL)) >= 0)
		ret = take_option(c, o, option);
	if (!ret && optind < argc)
		ret = report("compare: '%s' is no option (see 'mkvm compare --help')",
			     argv[optind]);
	if (ret)
		return ret;
	return o->result ? 0 : finish_options(c);
}

int cmd_compare(int argc, char **argv)
{
	struct compare c = {
		.stock_module = "kvm-intel",
		.module = "minikvm",
		.module_params = "",
		.append = "",
		.memory = 256,
		.smp = 1,
		.repeat = 1,
		.vms = 8,
		.timeout = 600,
		.unit = "cycles",
	};
	struct sigaction stop = { .sa_handler = on_signal };
	struct outputs o = { .json = NULL };
	int ret;

	ret = read_options(&c, &o, argc, argv);
	if (!ret && !o.result) {
		sigaction(SIGINT, &stop, NULL);
		sigaction(SIGTERM, &stop, NULL);
		sigaction(SIGHUP, &stop, NULL);
		signal(SIGPIPE, SIG_IGN);
		o.result = result_new();
		ret = measure(&c, o.result);
	}
	/* A result with holes is written as well: the notes say what is missing. */
	if (ret <= 0 && o.result && json_array_size(json_object_get(o.result, "hosts")) &&
	    write_all(&o, o.result))
		ret = -1;
	json_decref(o.result);
	free(c.mkvm);
	return ret < 0 ? EXIT_ERROR : 0;
}
