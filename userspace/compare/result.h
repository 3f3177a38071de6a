/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The result of a comparison, which is the JSON file itself, and what is written from it.
 *
 * {
 *   "format": "mkvm-compare", "version": 1,
 *   "hosts": [ {
 *     "cpu": TEXT, "kernel": TEXT, "mkvm": TEXT, "guest": TEXT, "date": TEXT, "cpus": N,
 *     "unit": "cycles" or "instructions",	what the time-stamp counter counts
 *     "tsc_khz": N,				0: unknown
 *     "columns": [ { "id": TEXT, "title": TEXT } ],
 *     "rows": [ { "group": TEXT, "name": TEXT, "title": TEXT, "unit": TEXT,
 *                 "values": { ID: { "n": N, "p50": N, "p90": N } } } ],
 *     "notes": [ TEXT ]
 *   } ]
 * }
 */
#ifndef MKVM_COMPARE_RESULT_H
#define MKVM_COMPARE_RESULT_H

#include <jansson.h>
#include <stdio.h>

#include "compare/samples.h"

/* Units of a row; RESULT_TSC stands for the host's. */
#define RESULT_TSC   "tsc"
#define RESULT_COUNT "count"
#define RESULT_KIB   "KiB"

/** result_new() - an empty result, a new reference */
json_t *result_new(void);

/**
 * result_add_host() - a host to measure on
 * @result: gets it
 * @version: of mkvm
 * @unit: what its time-stamp counter counts
 * @tsc_khz: how fast that counts, 0: unknown
 * @guest: what the guest is, a text
 *
 * Return: a reference that @result holds.
 */
json_t *result_add_host(json_t *result, const char *version, const char *unit, u64 tsc_khz,
			const char *guest);

/** result_add_column() - say that a column exists, in which there may be figures */
void result_add_column(json_t *host, const char *id, const char *title);

/**
 * result_add() - a figure
 * @host: of this host
 * @column: id of the column
 * @group: rows of one group stand together
 * @title: what was measured, for people
 * @unit: one of RESULT_*
 * @set: the samples, sorted; its name is the row's
 */
void result_add(json_t *host, const char *column, const char *group, const char *title,
		const char *unit, const struct sample_set *set);

/** result_note() - something that a reader must know; each only once */
void result_note(json_t *host, const char *fmt, ...) __printf(2, 3);

/**
 * result_load() - read a JSON file that `mkvm compare` wrote, and check all of it
 * @path: the file, "-" for standard input
 *
 * Return: a new reference, or NULL after a report.
 */
json_t *result_load(const char *path);

/** result_check() - is this a result? 0, or -1 after a report that names @what */
int result_check(const json_t *result, const char *what);

/** result_merge() - append the hosts of @more to those of @result */
void result_merge(json_t *result, const json_t *more);

/**
 * result_ratio() - median of one column to that of another
 * @row: the row
 * @of: id of the column above the line
 * @to: id of the one below it
 *
 * Return: it, or a negative number if one is missing or nothing.
 */
double result_ratio(const json_t *row, const char *of, const char *to);

/**
 * result_save() - write a file at once, or nothing
 * @path: the file, "-" for standard output
 * @write: writes it
 * @result: its argument
 *
 * Return: 0, or -1 after a report.
 */
int result_save(const char *path, void (*write)(FILE *f, const json_t *result),
		const json_t *result);

/* Writers of a checked result. */
void result_write_json(FILE *f, const json_t *result);
void result_write_table(FILE *f, const json_t *result);
void result_write_html(FILE *f, const json_t *result);

#endif
