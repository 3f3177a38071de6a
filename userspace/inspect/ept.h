/* SPDX-License-Identifier: GPL-2.0 */
/*
 * `mkvm ept`: what its parts share. The second-dimension page tables of a machine, and its memory
 * slots, as they were read.
 */
#ifndef MKVM_INSPECT_EPT_H
#define MKVM_INSPECT_EPT_H

#include <jansson.h>
#include <stdio.h>

#include "inspect/attach.h"
#include "minikvm_inspect.h"
#include "types.h"

#define EPT_MAX_RANGES	(1U << 23)	/* as many as 32 GiB in single pages have */

/**
 * struct ept_map - a machine's tables
 * @machine: its name
 * @root: host-physical address of the root table
 * @table_pages: that they take
 * @end: guest-physical address where they end
 * @max_level: of leaves
 * @has_ad: the CPU keeps accessed and dirty bits
 * @ranges: what is mapped, by ascending address
 * @nr_ranges: entries of @ranges
 * @room: allocated
 * @slots: memory slots, by ascending address
 * @nr_slots: entries of @slots
 */
struct ept_map {
	char machine[80];
	u64 root;
	u64 table_pages;
	u64 end;
	u32 max_level;
	bool has_ad;
	struct minikvm_inspect_range *ranges;
	unsigned int nr_ranges;
	unsigned int room;
	struct minikvm_inspect_slot *slots;
	unsigned int nr_slots;
};

/**
 * struct ept_sum - bytes of memory that is mapped
 * @mapped: all of it
 * @accessed: marked so
 * @dirty: marked so
 * @level: by the size of the page: [1] 4 KiB, [2] 2 MiB, [3] 1 GiB
 */
struct ept_sum {
	u64 mapped;
	u64 accessed;
	u64 dirty;
	u64 level[4];
};

/**
 * ept_read() - read tables and slots of a machine
 * @m: filled in; ept_free() is due whatever the result
 * @a: the machine
 *
 * Return: 0, or -1 after a report.
 */
int ept_read(struct ept_map *m, const struct attached *a);

/** ept_free() - give the memory back; harmless twice */
void ept_free(struct ept_map *m);

/**
 * ept_add() - put a range behind those there are, joined with the last one if they are alike
 *
 * Return: 0, or -1 after a report: it makes no sense, or there are too many.
 */
int ept_add(struct ept_map *m, const struct minikvm_inspect_range *r);

/** ept_find() - the range that maps an address, or NULL */
const struct minikvm_inspect_range *ept_find(const struct ept_map *m, u64 gpa);

/** ept_slot() - the memory slot of an address, or NULL */
const struct minikvm_inspect_slot *ept_slot(const struct ept_map *m, u64 gpa);

/** ept_sum() - add up the ranges of a slot, or of all with @slot NULL; no MMIO */
struct ept_sum ept_sum(const struct ept_map *m, const struct minikvm_inspect_slot *slot);

/** ept_level_name() - size of the pages of a level, as "4 KiB" */
const char *ept_level_name(u32 level);

/** ept_size_text() - bytes in the largest unit that shows them in full, as "640 KiB" */
const char *ept_size_text(u64 bytes, char buf[24]);

/** ept_show() - print it for a reader */
void ept_show(FILE *f, const struct ept_map *m);

/** ept_show_gpa() - print how one address is translated */
void ept_show_gpa(FILE *f, const struct ept_map *m, u64 gpa);

/** ept_json() - as JSON, a new reference; NULL: out of memory */
json_t *ept_json(const struct ept_map *m);

/** ept_gpa_json() - how one address is translated, as JSON */
json_t *ept_gpa_json(const struct ept_map *m, u64 gpa);

/** ept_html() - write a page that shows it; errors are those of @f */
void ept_html(FILE *f, const struct ept_map *m);

/** The page, but for its data: what comes before and after them. */
extern const char ept_page_head[], ept_page_tail[];

/** cmd_ept() - the subcommand; the exit status */
int cmd_ept(int argc, char **argv);

#endif
