// SPDX-License-Identifier: GPL-2.0
/*
 * What the subcommands of `mkvm img` share: sizes, progress, files that are only there when done.
 */
#include <ctype.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "img/img.h"
#include "report.h"

#define BAR_WIDTH	40

/* The target in work; read by the signal handler. */
static const char *volatile guarded;

int img_files(int argc, char **argv, int least, int most, const char *what)
{
	int n = argc - optind;

	if (n < least)
		return report("img %s: %s is missing", argv[0], what);
	if (n > most)
		return report("img %s: unexpected argument '%s'; give %s", argv[0],
			      argv[optind + most], what);
	return 0;
}

int img_output(const char *arg)
{
	if (!strcmp(arg, "human"))
		return 0;
	if (!strcmp(arg, "json"))
		return 1;
	return report("--output=%s: use human or json", arg);
}

/* Decimal digits, and perhaps a fraction, times 2^@shift: exact as far as 64 bits go. */
static bool scale(const char *digits, size_t nr, const char *fraction, size_t nr_fraction,
		  unsigned int shift, u64 *size)
{
	u64 whole = 0, part = 0, unit = 1ULL << shift;
	long double value = 0;
	size_t i;

	for (i = 0; i < nr; i++) {
		if (whole > (UINT64_MAX - 9) / 10)
			return false;
		whole = whole * 10 + (u64)(digits[i] - '0');
	}
	for (i = nr_fraction; i-- > 0;)
		value = (value + (fraction[i] - '0')) / 10;
	part = (u64)(value * unit + 0.5L);
	if (whole > (UINT64_MAX - part) / unit)
		return false;
	*size = whole * unit + part;
	return true;
}

int img_size(const char *what, const char *arg, u64 *size)
{
	static const char units[] = "bkmgtpe";
	const char *fraction = "", *end, *unit = units;
	size_t nr = strspn(arg, "0123456789"), nr_fraction = 0;

	end = arg + nr;
	if (nr && *end == '.') {
		fraction = end + 1;
		nr_fraction = strspn(fraction, "0123456789");
		end = fraction + nr_fraction;
	}
	if (nr && *end)
		unit = strchr(units, tolower((unsigned char)*end++));
	if (!nr || !unit || *end || nr_fraction > 18)
		return report("%s %s: not a size; give bytes, or a number with K, M, G, T, P or E",
			      what, arg);
	if (!scale(arg, nr, fraction, nr_fraction, (unsigned int)(unit - units) * 10, size) ||
	    *size > INT64_MAX - SECTOR_SIZE)
		return report("%s %s: too large; less than 8 EiB", what, arg);
	*size = (*size + SECTOR_SIZE - 1) / SECTOR_SIZE * SECTOR_SIZE;
	return 0;
}

void img_human_size(char *buf, u64 size)
{
	static const char units[] = " KMGTPE";
	double value = (double)size;
	size_t i = 0;

	/* 1000 is the first number that %.3g would print with an exponent. */
	while (value >= 1000 && i + 2 < sizeof(units)) {
		value /= 1024;
		i++;
	}
	if (i)
		snprintf(buf, IMG_HUMAN_SIZE, "%.3g %ciB", value, units[i]);
	else
		snprintf(buf, IMG_HUMAN_SIZE, "%.3g B", value);
}

struct block *img_open(const char *path, const char *format, bool readonly, bool shared_ok)
{
	struct block_options opts = {
		.format = format, .readonly = readonly, .shared_ok = shared_ok,
	};

	return block_open(path, &opts);
}

int img_error(const struct block *blk, const char *what, int err)
{
	return report("disk %s: cannot %s: %s", blk->path, what, strerror(-err));
}

static void end_by_signal(int sig)
{
	if (guarded)
		(void)unlink(guarded);
	signal(sig, SIG_DFL);
	raise(sig);
}

void img_guard(const char *path)
{
	static const int signals[] = { SIGHUP, SIGINT, SIGQUIT, SIGTERM };
	struct sigaction old, act = { .sa_handler = end_by_signal, .sa_flags = SA_NODEFER };
	size_t i;

	if (access(path, F_OK))
		guarded = path;
	for (i = 0; i < ARRAY_SIZE(signals); i++) {
		/* What whoever started us ignores stays ignored. */
		if (!sigaction(signals[i], NULL, &old) && old.sa_handler == SIG_IGN)
			continue;
		sigaction(signals[i], &act, NULL);
	}
	/* A pipe whose reader went away must not end us half-way, either. */
	signal(SIGPIPE, SIG_IGN);
}

void img_unguard(bool keep)
{
	const char *path = guarded;

	if (path && !keep)
		(void)unlink(path);
	guarded = NULL;
}

void img_progress_start(struct img_progress *p, bool asked, bool quiet)
{
	p->last = UINT32_MAX;
	p->mode = 0;
	if (!quiet && isatty(STDOUT_FILENO))
		p->mode = 2;
	else if (asked && !quiet)
		p->mode = 1;
	img_progress_update(p, 0, 1);
}

void img_progress_update(struct img_progress *p, u64 done, u64 total)
{
	unsigned int now = total ? (unsigned int)((double)done * 10000 / (double)total) : 10000;
	unsigned int full = now * BAR_WIDTH / 10000, i;

	if (!p->mode || now == p->last)
		return;
	/* Each per cent is often enough for a file. */
	if (p->mode == 1 && p->last != UINT32_MAX && now < 10000 && now / 100 == p->last / 100)
		return;
	p->last = now;
	if (p->mode == 1) {
		printf("    (%u.%02u/100%%)\r", now / 100, now % 100);
	} else {
		putchar('[');
		for (i = 0; i < BAR_WIDTH; i++)
			putchar(i < full ? '=' : i == full ? '>' : ' ');
		printf("] %3u.%02u%%\r", now / 100, now % 100);
	}
	fflush(stdout);
}

void img_progress_end(struct img_progress *p, bool complete)
{
	if (complete)
		img_progress_update(p, 1, 1);
	if (p->mode)
		putchar('\n');
	fflush(stdout);
}
