/* SPDX-License-Identifier: GPL-2.0 */
/*
 * `mkvm img`: what its subcommands share.
 */
#ifndef MKVM_IMG_IMG_H
#define MKVM_IMG_IMG_H

#include <getopt.h>

#include "block/block.h"
#include "block/format.h"
#include "report.h"
#include "types.h"

/** img_main() - `mkvm img`: pick the subcommand; return the exit status */
int img_main(int argc, char **argv);

/* The subcommands: @argv[0] is the name; each returns its exit status. */
int img_create(int argc, char **argv);
int img_info(int argc, char **argv);
int img_check(int argc, char **argv);
int img_convert(int argc, char **argv);
int img_compare(int argc, char **argv);
int img_resize(int argc, char **argv);
int img_snapshot(int argc, char **argv);

/* Long options that have no letter. */
enum img_option {
	IMG_OUTPUT = 1000,
	IMG_BACKING_CHAIN,
	IMG_SHRINK,
	IMG_REPAIR,
	IMG_PREALLOCATION,
};

#define IMG_COMMON_OPTIONS \
	{ "help", no_argument, NULL, 'h' }, { "quiet", no_argument, NULL, 'q' }, \
	{ "force-share", no_argument, NULL, 'U' }, { "format", required_argument, NULL, 'f' }

/**
 * struct img_common - options that mean the same to every subcommand that has them
 * @format: -f
 * @quiet: -q
 * @progress: -p
 * @shared_ok: -U
 */
struct img_common {
	const char *format;
	bool quiet, progress, shared_ok;
};

/**
 * img_getopt() - getopt_long() that reports what is wrong and reads the options of all
 * @argc: of the subcommand
 * @argv: its options; positional arguments move to the end
 * @letters: as for getopt(), starting with ':'
 * @options: long options
 * @common: what options of all set, as far as @letters has them
 *
 * Return: as getopt_long(), but no option of @common; '?' after a report. "help" prints the help
 * and gives 'h'.
 */
int img_getopt(int argc, char **argv, const char *letters, const struct option *options,
	       struct img_common *common);

/**
 * img_files() - check the number of positional arguments
 * @argc: of the subcommand, after img_getopt()
 * @argv: its options
 * @least: that many at least
 * @most: and at most
 * @what: what they are, for the message
 *
 * Return: 0, or -1 after a report.
 */
int img_files(int argc, char **argv, int least, int most, const char *what);

/** img_output() - value of --output: 0 human, 1 json, -1 after a report */
int img_output(const char *arg);

/**
 * img_size() - a size: a number, decimal fractions allowed, with b, k, K, M, G, T, P or E behind it
 * @what: option or argument, for messages
 * @arg: text
 * @size: bytes, rounded up to whole sectors
 *
 * Return: 0, or -1 after a report.
 */
int img_size(const char *what, const char *arg, u64 *size);

#define IMG_HUMAN_SIZE	20

/** img_human_size() - "1.5 GiB": three significant digits, into IMG_HUMAN_SIZE characters */
void img_human_size(char *buf, u64 size);

/** img_open() - block_open() with the exit status's conventions left to the caller */
struct block *img_open(const char *path, const char *format, bool readonly, bool shared_ok);

/** img_error() - report that something was done to an image and failed; always -1 */
int img_error(const struct block *blk, const char *what, int err);

/**
 * img_guard() - a file is being made: a signal removes it before it ends the process
 * @path: it; must stay valid. A file that is there already is never removed
 */
void img_guard(const char *path);

/** img_unguard() - it is done (@keep), or it failed and goes away unless it was there before */
void img_unguard(bool keep);

/**
 * struct img_snapshot_line - a snapshot as the list shows it
 * @vm_state_size: bytes
 * @seconds: since the Epoch
 * @vm_clock: nanoseconds
 */
struct img_snapshot_line {
	const char *id;
	const char *name;
	u64 vm_state_size;
	u64 seconds;
	u64 vm_clock;
};

/** img_snapshot_header() - print the heading of a list of snapshots */
void img_snapshot_header(void);
void img_snapshot_print(const struct img_snapshot_line *line);

/**
 * struct img_progress - a bar on stdout, or nothing
 * @mode: 0 nothing, 1 as qemu-img prints it, 2 a bar for a terminal
 * @last: what was printed last, in hundredths of a percent
 */
struct img_progress {
	int mode;
	unsigned int last;
};

/** img_progress_start() - @asked: -p was given; else it is shown on a terminal unless @quiet */
void img_progress_start(struct img_progress *p, bool asked, bool quiet);
void img_progress_update(struct img_progress *p, u64 done, u64 total);
void img_progress_end(struct img_progress *p, bool complete);

#endif
