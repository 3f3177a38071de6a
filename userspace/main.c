// SPDX-License-Identifier: GPL-2.0
/*
 * Entry point: picks the subcommand.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "compare/compare.h"
#include "config.h"
#include "control/client.h"
#include "img/img.h"
#include "inspect/apic.h"
#include "inspect/cmd_stat.h"
#include "inspect/cmd_trace.h"
#include "inspect/ept.h"
#include "inspect/vmcs.h"
#include "net/cmd_net.h"
#include "report.h"
#include "run.h"
#include "types.h"

static const char help_text[] =
	"Usage: mkvm COMMAND [options]\n"
	"\n"
	"  run [options]                 run a virtual machine ('mkvm run -help' lists its options)\n"
	"  img COMMAND                   make, examine and change disk images ('mkvm img --help')\n"
	"  net up|down|list [NAME]       a NAT network for guests ('mkvm net --help')\n"
	"  list [--json]                 the machines that run\n"
	"  info [--json] NAME            one of them: status, counters, devices\n"
	"  console [--no-replay] NAME    its serial console; Ctrl-A x leaves\n"
	"  stop [-f] [-w SECONDS] NAME   press its power button and wait (default 60 seconds);\n"
	"                                -f: pull its plug\n"
	"  pause NAME, resume NAME       stop the guest's CPUs and clocks, and let them go on\n"
	"  reset NAME                    press its reset button\n"
	"  vmcs NAME [show|diff|watch]   look into a vCPU's VMCS ('mkvm vmcs --help')\n"
	"  ept [--html FILE] NAME        its second-dimension page tables ('mkvm ept --help')\n"
	"  apic [--vcpu N] NAME          its interrupt chips ('mkvm apic --help')\n"
	"  compare [options]             stock KVM and mini-KVM, measured ('mkvm compare --help')\n"
	"  stat [--once] NAME            what its exits cost, live ('mkvm stat --help')\n"
	"  trace [-o FILE] NAME          record what its vCPUs and threads do ('mkvm trace --help')\n"
	"  help [options]                this text, or all options of run\n"
	"  version                       version of mkvm\n";

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} commands[] = {
	{ "run", run_main },
	{ "img", img_main },
	{ "net", cmd_net },
	{ "list", cmd_list },
	{ "info", cmd_info },
	{ "stop", cmd_stop },
	{ "pause", cmd_pause },
	{ "resume", cmd_resume },
	{ "reset", cmd_reset },
	{ "console", cmd_console },
	{ "vmcs", cmd_vmcs },
	{ "ept", cmd_ept },
	{ "apic", cmd_apic },
	{ "compare", cmd_compare },
	{ "stat", cmd_stat },
	{ "trace", cmd_trace },
};

static int is_one_of(const char *arg, const char *name)
{
	while (*arg == '-')
		arg++;
	return !strcmp(arg, name);
}

/* Whoever starts us with a standard descriptor closed must not see a disk opened in its place. */
static void fill_standard_descriptors(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

int main(int argc, char **argv)
{
	size_t i;

	fill_standard_descriptors();
	/* A file at the limit of its size (RLIMIT_FSIZE) fails a write, and ends nobody. */
	signal(SIGXFSZ, SIG_IGN);
	if (argc < 2) {
		report("no command; try 'mkvm run -help'");
		return EXIT_ERROR;
	}
	if (is_one_of(argv[1], "help") || is_one_of(argv[1], "h")) {
		if (argc > 2 && !strcmp(argv[2], "options"))
			config_print_options();
		else
			fputs(help_text, stdout);
		return 0;
	}
	if (is_one_of(argv[1], "version")) {
		puts("mkvm " MKVM_VERSION);
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].main(argc - 1, argv + 1);
	}
	report("unknown command '%s'; try 'mkvm help'", argv[1]);
	return EXIT_ERROR;
}
