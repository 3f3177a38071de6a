// SPDX-License-Identifier: GPL-2.0
/*
 * `mkvm vmcs check`: which of the manual's checks on VM entry a VMCS would fail. The rules are the
 * module's own (module/vmx/check.h).
 */
#include <string.h>

#include "../module/vmx/check.h"
#include "inspect/entry_check.h"
#include "inspect/options.h"
#include "report.h"

#define BROKEN_MAX	256	/* more than there are rules */

static u64 read_field(void *dump, u32 encoding)
{
	return dump_value(dump, encoding);
}

static u64 read_cap(void *dump, u32 index)
{
	u64 value;

	return dump_cap(dump, index, &value) ? value : 0;
}

static unsigned int find_broken(const struct vmcs_dump *d, struct vmcs_finding found[BROKEN_MAX])
{
	const struct vmcs_source src = {
		.field = read_field,
		.msr = read_cap,
		.opaque = (void *)d,
		.phys_bits = d->phys_bits,
		.linear_bits = d->linear_bits,
	};
	unsigned int n = vmcs_check_all(&src, found, BROKEN_MAX);

	return n < BROKEN_MAX ? n : BROKEN_MAX;
}

static unsigned int count_rules(void)
{
	const struct vmcs_section *section;
	const struct vmcs_rule *rule;
	unsigned int n = 0;

	for (section = vmcs_sections; section->title; section++) {
		for (rule = section->rules; rule->name; rule++)
			n++;
	}
	return n;
}

const struct vmcs_rule *entry_check_rule(const char *name)
{
	const struct vmcs_section *section;
	const struct vmcs_rule *rule;

	for (section = vmcs_sections; section->title; section++) {
		for (rule = section->rules; rule->name; rule++) {
			if (!strcmp(rule->name, name))
				return rule;
		}
	}
	return NULL;
}

static void show(const struct vmcs_output *out, const struct vmcs_dump *d,
		 const struct vmcs_finding *found, unsigned int n)
{
	unsigned int i;

	vmcs_title(out, d);
	for (i = 0; i < n; i++) {
		const struct vmcs_rule *rule = found[i].rule;
		enum vmcs_area area = found[i].section->area;
		const char *name = vmcs_field_name(rule->field);

		fprintf(out->f, "broken: %s\n", rule->name);
		fprintf(out->f, "    wanted  %s\n", rule->text);
		/* Small numbers are those of registers. */
		if (rule->field >= VMCS_F_GUEST_ES_SELECTOR && name)
			fprintf(out->f, "    it has  %s 0x%llx\n", name,
				(unsigned long long)dump_value(d, rule->field));
		fprintf(out->f, "    manual  SDM vol. 3C, \"%s\"\n", found[i].section->title);
		fprintf(out->f, "    so      a VM entry ends with %s (%s)\n",
			vmcs_area_failure(area), vmcs_area_name(area));
	}
	fprintf(out->f, "%u of %u rules broken\n", n, count_rules());
	if (!d->phys_bits || !d->linear_bits)
		fprintf(out->f, "the file does not tell the width of addresses: not checked\n");
}

static json_t *show_json(const struct vmcs_finding *found, unsigned int n)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < n; i++)
		json_array_append_new(list, json_pack("{s:s,s:s,s:s,s:s,s:s}",
			"rule", found[i].rule->name, "text", found[i].rule->text,
			"section", found[i].section->title,
			"area", vmcs_area_name(found[i].section->area),
			"failure", vmcs_area_failure(found[i].section->area)));
	return json_pack("{s:i,s:o}", "rules", (int)count_rules(), "broken", list);
}

int entry_check(const struct vmcs_output *out, const struct vmcs_dump *d, bool json)
{
	static struct vmcs_finding found[BROKEN_MAX];
	unsigned int n;
	u64 basic;

	if (!dump_cap(d, DUMP_FIRST_CAP, &basic))
		return report("vmcs: check needs the capability MSRs (\"caps\"), which are "
			      "missing");
	n = find_broken(d, found);
	if (json) {
		if (output_json(show_json(found, n), JSON_INDENT(1)))
			return -1;
	} else {
		show(out, d, found, n);
	}
	return n ? 1 : 0;
}
