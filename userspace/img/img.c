// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm img`: picks the subcommand.
 */
#include <stdio.h>
#include <string.h>

#include "img/img.h"
#include "report.h"

static const char help_text[] =
	"Usage: mkvm img COMMAND [options] FILE...\n"
	"Make, examine and change disk images; options as qemu-img spells them.\n"
	"\n"
	"  create [-f FMT] [-o OPTIONS] [-b BACKING -F FMT] [-u] [-q] FILE [SIZE]\n"
	"  info [-f FMT] [--output=human|json] [--backing-chain] [-U] FILE\n"
	"  check [-f FMT] [--output=human|json] [-r leaks|all] [--repair] [-q] [-U] FILE\n"
	"  convert [-f FMT] [-O FMT] [-o OPTIONS] [-B BACKING -F FMT] [-c] [-n] [-p] [-q]\n"
	"          [-S SIZE] [-U] SOURCE TARGET\n"
	"  compare [-f FMT] [-F FMT] [-p] [-q] [-s] [-U] FILE1 FILE2\n"
	"  resize [-f FMT] [--shrink] [-q] FILE [+|-]SIZE\n"
	"  snapshot [-q] [-U] -l | -c NAME | -a NAME | -d NAME FILE\n"
	"\n"
	"Formats: raw, qcow2, vdi (read and written), vmdk, vpc (VHD; read).\n"
	"Sizes: bytes, or with K, M, G, T, P or E behind them. More: man mkvm-img\n";

static const struct {
	const char *name;
	int (*main)(int argc, char **argv);
} commands[] = {
	{ "create", img_create }, { "info", img_info }, { "check", img_check },
	{ "convert", img_convert }, { "compare", img_compare }, { "resize", img_resize },
	{ "snapshot", img_snapshot },
};

/* Is it an option that all know, and this subcommand has? Then it is done. */
static bool take_common(int id, const char *letters, struct img_common *common)
{
	if (id <= 0 || id > UINT8_MAX || !strchr(letters, id))
		return false;
	switch (id) {
	case 'f':
		common->format = optarg;
		return true;
	case 'q':
		common->quiet = true;
		return true;
	case 'p':
		common->progress = true;
		return true;
	case 'U':
		common->shared_ok = true;
		return true;
	}
	return false;
}

int img_getopt(int argc, char **argv, const char *letters, const struct option *options,
	       struct img_common *common)
{
	int id;

	opterr = 0;
	do {
		id = getopt_long(argc, argv, letters, options, NULL);
	} while (take_common(id, letters, common));
	switch (id) {
	case 'h':
		fputs(help_text, stdout);
		break;
	case ':':
		report("img %s: option '%s' needs a value", argv[0], argv[optind - 1]);
		return '?';
	case '?':
		if (optopt && optopt < 256)
			report("img %s: option '-%c' is not supported (see 'mkvm img --help')",
			       argv[0], optopt);
		else
			report("img %s: option '%s' is not supported (see 'mkvm img --help')",
			       argv[0], argv[optind - 1]);
		break;
	case 'f':
	case 'q':
	case 'U':
		/* Long options that all tables have, and this subcommand does without. */
		report("img %s: option '%s' is not supported (see 'mkvm img --help')", argv[0],
		       argv[optind - 1]);
		return '?';
	}
	return id;
}

int img_main(int argc, char **argv)
{
	size_t i;

	if (argc < 2)
		return -report("no subcommand; try 'mkvm img --help'");
	if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-help") || !strcmp(argv[1], "-h") ||
	    !strcmp(argv[1], "help")) {
		fputs(help_text, stdout);
		return 0;
	}
	for (i = 0; i < ARRAY_SIZE(commands); i++) {
		if (!strcmp(argv[1], commands[i].name))
			return commands[i].main(argc - 1, argv + 1);
	}
	report("img: unknown subcommand '%s'; try 'mkvm img --help'", argv[1]);
	return EXIT_ERROR;
}
