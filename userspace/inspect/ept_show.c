// SPDX-License-Identifier: GPL-2.0
/*
 * Prints second-dimension page tables: against the memory slots, by ranges, or for one address.
 */
#include <string.h>

#include "inspect/ept.h"
#include "inspect/word.h"

#define MEM_LOG_DIRTY	1
#define MEM_READONLY	2

static void perms_of(const struct minikvm_inspect_range *r, char perms[4])
{
	perms[0] = r->flags & MINIKVM_INSPECT_EPT_READ ? 'r' : '-';
	perms[1] = r->flags & MINIKVM_INSPECT_EPT_WRITE ? 'w' : '-';
	perms[2] = r->flags & MINIKVM_INSPECT_EPT_EXEC ? 'x' : '-';
	perms[3] = '\0';
}

/* Is all of a range in the slot that it says? */
static bool in_its_slot(const struct ept_map *m, const struct minikvm_inspect_range *r)
{
	const struct minikvm_inspect_slot *s = ept_slot(m, r->gpa);

	return s && s->slot == r->slot && r->gpa - s->gpa + r->bytes <= s->bytes;
}

/* What is special about a range. */
static void notes_of(struct text *t, const struct ept_map *m, const struct minikvm_inspect_range *r)
{
	if (r->flags & MINIKVM_INSPECT_EPT_MMIO) {
		text_item(t, "MMIO: every access exits");
		return;
	}
	if (r->flags & MINIKVM_INSPECT_EPT_IGNORE_PAT)
		text_item(t, "ignores the guest's PAT");
	if (r->flags & MINIKVM_INSPECT_EPT_SPECIAL)
		text_item(t, "host memory without a page of its own");
	if ((r->flags & MINIKVM_INSPECT_EPT_HOST_WRITE) && !(r->flags & MINIKVM_INSPECT_EPT_WRITE))
		text_item(t, "the first write will be allowed");
	if (r->slot == MINIKVM_INSPECT_NO_SLOT)
		text_item(t, "in no slot");
	else if (!in_its_slot(m, r))
		text_item(t, "OUTSIDE ITS SLOT");
}

static char mark(const struct ept_map *m, u32 flags, u32 bit, char letter)
{
	if (!m->has_ad)
		return '?';
	return flags & bit ? letter : '-';
}

static void slot_flags(struct text *t, u32 flags)
{
	if (flags & MEM_READONLY)
		text_item(t, "read-only");
	if (flags & MEM_LOG_DIRTY)
		text_item(t, "dirty pages are logged");
}

static void show_share(FILE *f, const char *what, u64 part, u64 whole)
{
	fprintf(f, "  %s %llu KiB", what, (unsigned long long)part >> 10);
	if (whole)
		fprintf(f, " (%.1f%%)", 100.0 * (double)part / (double)whole);
}

static void show_slots(FILE *f, const struct ept_map *m)
{
	unsigned int i, level;
	char size[24];

	fprintf(f, "\nMemory slots\n");
	for (i = 0; i < m->nr_slots; i++) {
		const struct minikvm_inspect_slot *s = &m->slots[i];
		struct ept_sum sum = ept_sum(m, s);
		struct text t = { .len = 0 };

		slot_flags(&t, s->flags);
		fprintf(f, "  slot %-3u %016llx-%016llx  %9s  at 0x%llx in the VMM%s%s\n", s->slot,
			(unsigned long long)s->gpa, (unsigned long long)(s->gpa + s->bytes - 1),
			ept_size_text(s->bytes, size), (unsigned long long)s->hva,
			t.len ? "  " : "", t.buf);
		fprintf(f, "         ");
		show_share(f, "mapped", sum.mapped, s->bytes);
		if (m->has_ad) {
			show_share(f, "accessed", sum.accessed, sum.mapped);
			show_share(f, "dirty", sum.dirty, sum.mapped);
		}
		for (level = 1; level <= 3; level++) {
			if (sum.level[level])
				fprintf(f, "  in %s pages %llu KiB", ept_level_name(level),
					(unsigned long long)sum.level[level] >> 10);
		}
		fputc('\n', f);
	}
	if (!m->nr_slots)
		fprintf(f, "  none\n");
}

static void show_range(FILE *f, const struct ept_map *m, const struct minikvm_inspect_range *r)
{
	bool mmio = r->flags & MINIKVM_INSPECT_EPT_MMIO;
	char perms[4], size[24], slot[16] = "-", host[24] = "-";
	struct text t = { .len = 0 };

	perms_of(r, perms);
	notes_of(&t, m, r);
	if (r->slot != MINIKVM_INSPECT_NO_SLOT)
		snprintf(slot, sizeof(slot), "%u", r->slot);
	if (!mmio)
		snprintf(host, sizeof(host), "%012llx", (unsigned long long)r->hpa);
	fprintf(f, "  %012llx-%012llx  %9s  %u  %s  %s  %-8s  %c%c  %4s  %-12s%s%s\n",
		(unsigned long long)r->gpa, (unsigned long long)(r->gpa + r->bytes - 1),
		ept_size_text(r->bytes, size), r->level, ept_level_name(r->level), perms,
		mmio ? "-" : memory_type_name(r->memtype),
		mark(m, r->flags, MINIKVM_INSPECT_EPT_ACCESSED, 'A'),
		mark(m, r->flags, MINIKVM_INSPECT_EPT_DIRTY, 'D'), slot, host, t.len ? "  " : "",
		t.buf);
}

static void show_head(FILE *f)
{
	fprintf(f, "  %-25s  %9s  %-8s %-5s %-8s  %-2s  %4s  %s\n", "guest-physical", "size",
		"level", "perms", "type", "AD", "slot", "host-physical");
}

void ept_show(FILE *f, const struct ept_map *m)
{
	struct ept_sum sum = ept_sum(m, NULL);
	unsigned int i;

	fprintf(f, "EPT of %s: root at host-physical 0x%llx, %llu table page%s; largest page %s\n",
		m->machine, (unsigned long long)m->root, (unsigned long long)m->table_pages,
		m->table_pages == 1 ? "" : "s", ept_level_name(m->max_level));
	fprintf(f, "%u range%s map %llu KiB; ", m->nr_ranges, m->nr_ranges == 1 ? "" : "s",
		(unsigned long long)sum.mapped >> 10);
	if (m->has_ad)
		fprintf(f, "%llu KiB accessed, %llu KiB dirty\n",
			(unsigned long long)sum.accessed >> 10,
			(unsigned long long)sum.dirty >> 10);
	else
		fprintf(f, "the CPU keeps no accessed and dirty bits in these tables\n");
	show_slots(f, m);
	fprintf(f, "\nRanges\n");
	show_head(f);
	for (i = 0; i < m->nr_ranges; i++)
		show_range(f, m, &m->ranges[i]);
}

void ept_show_gpa(FILE *f, const struct ept_map *m, u64 gpa)
{
	const struct minikvm_inspect_range *r = ept_find(m, gpa);
	const struct minikvm_inspect_slot *s = ept_slot(m, gpa);

	fprintf(f, "guest-physical 0x%llx\n", (unsigned long long)gpa);
	if (s)
		fprintf(f, "  is in slot %u, at 0x%llx in the VMM\n", s->slot,
			(unsigned long long)(s->hva + (gpa - s->gpa)));
	else
		fprintf(f, "  is in no memory slot: an access to it is a device's%s\n",
			gpa >= m->end ? ", and the tables do not reach so far" : "");
	if (!r) {
		fprintf(f, "  is not mapped: the next access is an EPT violation\n");
		return;
	}
	if (!(r->flags & MINIKVM_INSPECT_EPT_MMIO))
		fprintf(f, "  is mapped to host-physical 0x%llx\n",
			(unsigned long long)(r->hpa + (gpa - r->gpa)));
	fprintf(f, "  by this range:\n");
	show_head(f);
	show_range(f, m, r);
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *range_json(const struct minikvm_inspect_range *r)
{
	char perms[4];
	json_t *json;

	perms_of(r, perms);
	json = json_pack("{s:I,s:I,s:I,s:i,s:s,s:s,s:b,s:b,s:b,s:b,s:b,s:b}", "gpa",
			 (json_int_t)r->gpa, "hpa", (json_int_t)r->hpa, "bytes",
			 (json_int_t)r->bytes, "level", (int)r->level, "perms", perms, "type",
			 memory_type_name(r->memtype), "accessed",
			 !!(r->flags & MINIKVM_INSPECT_EPT_ACCESSED), "dirty",
			 !!(r->flags & MINIKVM_INSPECT_EPT_DIRTY), "mmio",
			 !!(r->flags & MINIKVM_INSPECT_EPT_MMIO), "special",
			 !!(r->flags & MINIKVM_INSPECT_EPT_SPECIAL), "ignore-pat",
			 !!(r->flags & MINIKVM_INSPECT_EPT_IGNORE_PAT), "host-write",
			 !!(r->flags & MINIKVM_INSPECT_EPT_HOST_WRITE));
	if (json)
		json_object_set_new(json, "slot", r->slot == MINIKVM_INSPECT_NO_SLOT ?
				    json_null() : json_integer(r->slot));
	return json;
}

static json_t *slot_json(const struct ept_map *m, const struct minikvm_inspect_slot *s)
{
	struct ept_sum sum = ept_sum(m, s);

	return json_pack("{s:i,s:I,s:I,s:I,s:b,s:b,s:I,s:I,s:I}", "slot", (int)s->slot, "gpa",
			 (json_int_t)s->gpa, "bytes", (json_int_t)s->bytes, "hva",
			 (json_int_t)s->hva, "read-only", !!(s->flags & MEM_READONLY),
			 "dirty-log", !!(s->flags & MEM_LOG_DIRTY), "mapped",
			 (json_int_t)sum.mapped, "accessed", (json_int_t)sum.accessed, "dirty",
			 (json_int_t)sum.dirty);
}

json_t *ept_json(const struct ept_map *m)
{
	json_t *ranges = json_array(), *slots = json_array();
	unsigned int i;

	for (i = 0; i < m->nr_ranges; i++)
		json_array_append_new(ranges, range_json(&m->ranges[i]));
	for (i = 0; i < m->nr_slots; i++)
		json_array_append_new(slots, slot_json(m, &m->slots[i]));
	return json_pack("{s:s,s:I,s:I,s:I,s:i,s:b,s:o,s:o}", "machine", m->machine, "root",
			 (json_int_t)m->root, "table-pages", (json_int_t)m->table_pages, "end",
			 (json_int_t)m->end, "max-level", (int)m->max_level, "accessed-dirty",
			 m->has_ad, "slots", slots, "ranges", ranges);
}

json_t *ept_gpa_json(const struct ept_map *m, u64 gpa)
{
	const struct minikvm_inspect_range *r = ept_find(m, gpa);
	const struct minikvm_inspect_slot *s = ept_slot(m, gpa);
	json_t *json = json_pack("{s:s,s:I,s:b}", "machine", m->machine, "gpa", (json_int_t)gpa,
				 "mapped", !!r);

	json_object_set_new(json, "slot", s ? slot_json(m, s) : json_null());
	json_object_set_new(json, "range", r ? range_json(r) : json_null());
	json_object_set_new(json, "hpa", r && !(r->flags & MINIKVM_INSPECT_EPT_MMIO) ?
			    json_integer((json_int_t)(r->hpa + (gpa - r->gpa))) : json_null());
	json_object_set_new(json, "hva", s ? json_integer((json_int_t)(s->hva + (gpa - s->gpa))) :
			    json_null());
	return json;
}
