/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The names of what is measured: in which group it stands, what people call it, its unit.
 */
#ifndef MKVM_COMPARE_ROWS_H
#define MKVM_COMPARE_ROWS_H

#include <jansson.h>

#include "compare/samples.h"

#define GROUP_EXITS    "Cost of an exit"
#define GROUP_BOOT     "Boot to init"
#define GROUP_COUNTERS "Counters at init"
#define GROUP_MEMORY   "Memory at init"
#define GROUP_VIRTIO   "virtio, per operation"
#define GROUP_REASONS  "Exits by reason, to init"
#define GROUP_MANY     "Many VMs at once, each"
#define GROUP_EACH     "Memory of each of many VMs"

/** struct row_name - one of them; a @name that is not known has none */
struct row_name {
	const char *name, *group, *title, *unit;
};

/** row_find() - the row of this name, or NULL */
const struct row_name *row_find(const char *name);

/** rows_list() - print the names of all classes of exits */
void rows_list(FILE *f);

/**
 * rows_publish() - add all samples to a result, and forget them
 * @host: of it
 * @column: id
 * @s: sorted here; free afterwards
 *
 * A benchmark's name that row_find() does not know is a class of exits.
 */
void rows_publish(json_t *host, const char *column, struct samples *s);

#endif
