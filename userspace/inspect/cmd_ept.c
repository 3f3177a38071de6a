// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm ept`: its command line.
 */
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "inspect/ept.h"
#include "inspect/options.h"
#include "inspect/save.h"
#include "report.h"

static const char help_text[] =
	"Usage: mkvm ept NAME [--gpa ADDRESS] [--json] [--html FILE]\n"
	"\n"
	"How the guest-physical memory of a running machine is mapped to the host's: ranges with\n"
	"page size, permissions, memory type, accessed and dirty bits, against the memory slots.\n"
	"\n"
	"  --pid PID      the VMM's process instead of NAME; any VMM on minikvm\n"
	"  --gpa ADDRESS  how this guest-physical address is translated\n"
	"  --json         for programs\n"
	"  --html FILE    write a page with a map of accessed and dirty memory, and a search; it\n"
	"                 needs nothing else\n";

/**
 * struct request - what the user wants
 * @name: of the machine, or NULL: @pid
 * @pid: 0: none given
 * @gpa: address
 * @one: only @gpa
 * @json: as JSON
 * @html: file, or NULL
 */
struct request {
	const char *name;
	pid_t pid;
	unsigned long gpa;
	bool one;
	bool json;
	const char *html;
};

static int parse_option(struct request *r, int c)
{
	switch (c) {
	case 'p':
		r->pid = attach_parse_pid(optarg);
		return r->pid < 0 ? -1 : 0;
	case 'g':
		r->one = true;
		return option_number("--gpa", optarg, 0, (1UL << 52) - 1, &r->gpa);
	case 'j':
		r->json = true;
		return 0;
	case 'h':
		r->html = optarg;
		return 0;
	default:
		return -1;
	}
}

static int parse(struct request *r, int argc, char **argv)
{
	static const struct option options[] = {
		{ "pid", required_argument, NULL, 'p' }, { "gpa", required_argument, NULL, 'g' },
		{ "json", no_argument, NULL, 'j' }, { "html", required_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	*r = (struct request){ .name = NULL };
	/* Zero: whatever getopt() was used for before. */
	optind = 0;
	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (parse_option(r, c))
			return -1;
	}
	if (option_machine("ept", argc, argv, r->pid, &r->name))
		return -1;
	if (r->html && (r->one || r->json))
		return report("ept: --html writes it all: it goes with neither --gpa nor --json");
	return 0;
}

static int write_page(const struct ept_map *m, const char *path)
{
	struct save file;

	if (save_open(&file, path))
		return -1;
	ept_html(file.f, m);
	return save_close(&file, 0);
}

static int print(const struct ept_map *m, const struct request *r)
{
	if (r->html)
		return write_page(m, r->html);
	if (r->json)
		return output_json(r->one ? ept_gpa_json(m, r->gpa) : ept_json(m), JSON_INDENT(1));
	if (r->one)
		ept_show_gpa(stdout, m, r->gpa);
	else
		ept_show(stdout, m);
	return fflush(stdout) || ferror(stdout) ? report("cannot write: %s", strerror(errno)) : 0;
}

int cmd_ept(int argc, char **argv)
{
	struct ept_map map = { .root = 0 };
	struct attached machine;
	struct request r;
	int err;

	if (option_help(argc, argv)) {
		fputs(help_text, stdout);
		return 0;
	}
	if (parse(&r, argc, argv))
		return EXIT_ERROR;
	err = attach_open(&machine, r.name, r.pid) || ept_read(&map, &machine);
	/* It need not exist longer for our sake. */
	attach_close(&machine);
	if (!err)
		err = print(&map, &r);
	ept_free(&map);
	return err ? EXIT_ERROR : 0;
}
