/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sets of samples by name, as the benchmark programs print them, and their statistics.
 */
#ifndef MKVM_COMPARE_SAMPLES_H
#define MKVM_COMPARE_SAMPLES_H

#include <stdio.h>

#include "types.h"

#define SAMPLES_NAME_MAX 32 /* with its NUL */
#define SAMPLES_MAX_SETS 128
#define SAMPLES_MAX	 (1u << 20) /* of one set */

/**
 * struct sample_set - measurements of one thing
 * @name: lower-case letters, digits and '_'
 * @value: them
 * @n: how many
 * @room: how many fit
 */
struct sample_set {
	char name[SAMPLES_NAME_MAX];
	u64 *value;
	size_t n, room;
};

/** struct samples - the sets of one run, in the order in which they appeared */
struct samples {
	struct sample_set set[SAMPLES_MAX_SETS];
	size_t n;
};

/**
 * samples_line() - take "NAME VALUE VALUE..." and add the values to their set
 * @s: the sets
 * @line: the text, without its newline
 *
 * Return: 0; -EINVAL: the line is no such thing, and nothing was added; -ENOSPC: too many sets or
 * samples; -ENOMEM.
 */
int samples_line(struct samples *s, const char *line);

/** samples_add() - add one value; 0, -EINVAL for a bad name, -ENOSPC or -ENOMEM */
int samples_add(struct samples *s, const char *name, u64 value);

/** samples_sort() - sort each set, for samples_percentile() */
void samples_sort(struct samples *s);

/**
 * samples_percentile() - the sample that @percent of them are not above
 * @set: sorted
 * @percent: 0 to 100
 *
 * Return: it; the upper one of two in the middle; 0 of an empty set.
 */
u64 samples_percentile(const struct sample_set *set, unsigned int percent);

/** samples_free() - free the values; all is empty again */
void samples_free(struct samples *s);

#endif
