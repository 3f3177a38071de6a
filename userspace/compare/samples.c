// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the reading of what benchmark programs print, and medians and percentiles.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "compare/samples.h"

#define NAME_CHARS "abcdefghijklmnopqrstuvwxyz0123456789_"

static struct sample_set *find_set(struct samples *s, const char *name, size_t len)
{
	struct sample_set *set;
	size_t i;

	for (i = 0; i < s->n; i++) {
		set = &s->set[i];
		if (strlen(set->name) == len && !memcmp(set->name, name, len))
			return set;
	}
	if (s->n == SAMPLES_MAX_SETS)
		return NULL;
	set = &s->set[s->n++];
	memset(set, 0, sizeof(*set));
	memcpy(set->name, name, len);
	return set;
}

static int reserve(struct sample_set *set, size_t more)
{
	size_t room = set->room ? set->room : 64;
	u64 *value;

	if (more > SAMPLES_MAX - set->n)
		return -ENOSPC;
	while (room < set->n + more)
		room *= 2;
	if (room == set->room)
		return 0;
	value = realloc(set->value, room * sizeof(*value));
	if (!value)
		return -ENOMEM;
	set->value = value;
	set->room = room;
	return 0;
}

/* A decimal number and what follows it; -1 if there is none or it is too large. */
static int number(const char **text, u64 *value)
{
	const char *s = *text;
	u64 v = 0;

	if (*s < '0' || *s > '9')
		return -1;
	for (; *s >= '0' && *s <= '9'; s++) {
		if (__builtin_mul_overflow(v, 10, &v) ||
		    __builtin_add_overflow(v, (u64)(*s - '0'), &v))
			return -1;
	}
	*text = s;
	*value = v;
	return 0;
}

int samples_line(struct samples *s, const char *line)
{
	size_t len = strspn(line, NAME_CHARS), n = 0;
	const char *p = line + len;
	struct sample_set *set;
	u64 value;
	int ret;

	if (!len || len >= SAMPLES_NAME_MAX || *p != ' ')
		return -EINVAL;
	while (*p == ' ') {
		p++;
		if (number(&p, &value))
			return -EINVAL;
		n++;
	}
	if (*p)
		return -EINVAL;
	set = find_set(s, line, len);
	if (!set)
		return -ENOSPC;
	ret = reserve(set, n);
	if (ret)
		return ret;
	for (p = line + len; *p == ' ';) {
		p++;
		number(&p, &set->value[set->n]);
		set->n++;
	}
	return 0;
}

int samples_add(struct samples *s, const char *name, u64 value)
{
	struct sample_set *set;
	size_t len = strlen(name);
	int ret;

	if (!len || len >= SAMPLES_NAME_MAX || strspn(name, NAME_CHARS) != len)
		return -EINVAL;
	set = find_set(s, name, len);
	if (!set)
		return -ENOSPC;
	ret = reserve(set, 1);
	if (!ret)
		set->value[set->n++] = value;
	return ret;
}

static int by_value(const void *a, const void *b)
{
	u64 x = *(const u64 *)a, y = *(const u64 *)b;

	return x < y ? -1 : x > y;
}

void samples_sort(struct samples *s)
{
	size_t i;

	for (i = 0; i < s->n; i++) {
		if (s->set[i].n)
			qsort(s->set[i].value, s->set[i].n, sizeof(u64), by_value);
	}
}

u64 samples_percentile(const struct sample_set *set, unsigned int percent)
{
	size_t i = set->n * percent / 100;

	if (!set->n)
		return 0;
	return set->value[i < set->n ? i : set->n - 1];
}

void samples_free(struct samples *s)
{
	size_t i;

	for (i = 0; i < s->n; i++)
		free(s->set[i].value);
	s->n = 0;
}
