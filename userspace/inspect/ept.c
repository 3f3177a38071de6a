// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the second-dimension page tables of a machine, and finds one's way in them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "inspect/ept.h"
#include "inspect/live.h"
#include "report.h"

#define BATCH		1024
#define MAX_SLOTS	65536

static u64 page_bytes(u32 level)
{
	return 1ULL << (12 + 9 * (level - 1));
}

const char *ept_level_name(u32 level)
{
	static const char *const names[] = { "?", "4 KiB", "2 MiB", "1 GiB" };

	return names[level < ARRAY_SIZE(names) ? level : 0];
}

const char *ept_size_text(u64 bytes, char buf[24])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	unsigned int unit = 0;

	while (unit + 1 < ARRAY_SIZE(units) && bytes && !(bytes & 1023)) {
		bytes >>= 10;
		unit++;
	}
	snprintf(buf, 24, "%llu %s", (unsigned long long)bytes, units[unit]);
	return buf;
}

static bool joins(const struct minikvm_inspect_range *a, const struct minikvm_inspect_range *b)
{
	bool mmio = a->flags & MINIKVM_INSPECT_EPT_MMIO;

	return a->gpa + a->bytes == b->gpa && (mmio || a->hpa + a->bytes == b->hpa) &&
	       a->level == b->level && a->flags == b->flags && a->memtype == b->memtype &&
	       a->slot == b->slot;
}

int ept_add(struct ept_map *m, const struct minikvm_inspect_range *r)
{
	struct minikvm_inspect_range *last = m->nr_ranges ? &m->ranges[m->nr_ranges - 1] : NULL;
	struct minikvm_inspect_range *grown;

	if (!r->bytes || r->gpa + r->bytes < r->gpa || r->level < 1 || r->level > 3 ||
	    r->bytes & (page_bytes(r->level) - 1))
		return report("%s: a range of the tables makes no sense: 0x%llx, 0x%llx bytes, "
			      "level %u", m->machine, (unsigned long long)r->gpa,
			      (unsigned long long)r->bytes, r->level);
	/* The tables have changed between two readings: a larger page begins before. */
	if (last && r->gpa < last->gpa + last->bytes)
		return 0;
	if (last && joins(last, r)) {
		last->bytes += r->bytes;
		return 0;
	}
	if (m->nr_ranges == EPT_MAX_RANGES)
		return report("%s: the tables have more than %u ranges", m->machine,
			      EPT_MAX_RANGES);
	if (m->nr_ranges == m->room) {
		unsigned int room = m->room ? 2 * m->room : BATCH;

		grown = realloc(m->ranges, room * sizeof(*grown));
		if (!grown)
			return report("out of memory");
		m->ranges = grown;
		m->room = room;
	}
	m->ranges[m->nr_ranges++] = *r;
	return 0;
}

static int read_tables(struct ept_map *m, const struct attached *a)
{
	static struct minikvm_inspect_range batch[BATCH];
	struct minikvm_inspect_ept e = { .gpa = 0 };
	u64 from;
	u32 i;

	do {
		from = e.gpa;
		e.nr = BATCH;
		e.ranges = (uintptr_t)batch;
		if (attach_gone(a))
			return report("%s has ended", a->label);
		if (ioctl(a->vm_fd, MINIKVM_INSPECT_EPT, &e))
			return live_failed(a, "the page tables");
		for (i = 0; i < e.nr && i < BATCH; i++) {
			if (ept_add(m, &batch[i]))
				return -1;
		}
		if (e.gpa <= from && e.gpa < e.end)
			return report("%s: reading the page tables does not get on", a->label);
	} while (e.gpa < e.end);
	m->root = e.root;
	m->table_pages = e.table_pages;
	m->end = e.end;
	m->max_level = e.max_level;
	m->has_ad = e.has_ad;
	return 0;
}

static int read_slots(struct ept_map *m, const struct attached *a)
{
	struct minikvm_inspect_slots s = { .nr = 64 };
	struct minikvm_inspect_slot *grown;

	for (;;) {
		/* One more than nothing, so that there is an address to give. */
		grown = realloc(m->slots, (s.nr + 1) * sizeof(*grown));
		if (!grown)
			return report("out of memory");
		m->slots = grown;
		s.slots = (uintptr_t)grown;
		if (!ioctl(a->vm_fd, MINIKVM_INSPECT_SLOTS, &s))
			break;
		if (errno != E2BIG || s.nr > MAX_SLOTS)
			return live_failed(a, "the memory slots");
	}
	m->nr_slots = s.nr;
	return 0;
}

int ept_read(struct ept_map *m, const struct attached *a)
{
	*m = (struct ept_map){ .root = 0 };
	snprintf(m->machine, sizeof(m->machine), "%s", a->label);
	return read_slots(m, a) || read_tables(m, a) ? -1 : 0;
}

void ept_free(struct ept_map *m)
{
	free(m->ranges);
	free(m->slots);
	m->ranges = NULL;
	m->slots = NULL;
	m->nr_ranges = m->room = m->nr_slots = 0;
}

const struct minikvm_inspect_range *ept_find(const struct ept_map *m, u64 gpa)
{
	unsigned int low = 0, high = m->nr_ranges;

	while (low < high) {
		unsigned int mid = (low + high) / 2;
		const struct minikvm_inspect_range *r = &m->ranges[mid];

		if (gpa < r->gpa)
			high = mid;
		else if (gpa - r->gpa < r->bytes)
			return r;
		else
			low = mid + 1;
	}
	return NULL;
}

const struct minikvm_inspect_slot *ept_slot(const struct ept_map *m, u64 gpa)
{
	unsigned int i;

	for (i = 0; i < m->nr_slots; i++) {
		if (gpa >= m->slots[i].gpa && gpa - m->slots[i].gpa < m->slots[i].bytes)
			return &m->slots[i];
	}
	return NULL;
}

/* What a range and a slot have in common. */
static u64 common(const struct minikvm_inspect_range *r, const struct minikvm_inspect_slot *s)
{
	u64 from = r->gpa > s->gpa ? r->gpa : s->gpa;
	u64 r_end = r->gpa + r->bytes, s_end = s->gpa + s->bytes;
	u64 to = r_end < s_end ? r_end : s_end;

	return from < to ? to - from : 0;
}

struct ept_sum ept_sum(const struct ept_map *m, const struct minikvm_inspect_slot *slot)
{
	struct ept_sum sum = { .mapped = 0 };
	unsigned int i;

	for (i = 0; i < m->nr_ranges; i++) {
		const struct minikvm_inspect_range *r = &m->ranges[i];
		u64 bytes = slot ? common(r, slot) : r->bytes;

		if (r->flags & MINIKVM_INSPECT_EPT_MMIO)
			continue;
		sum.mapped += bytes;
		sum.level[r->level] += bytes;
		if (r->flags & MINIKVM_INSPECT_EPT_ACCESSED)
			sum.accessed += bytes;
		if (r->flags & MINIKVM_INSPECT_EPT_DIRTY)
			sum.dirty += bytes;
	}
	return sum;
}
