// SPDX-License-Identifier: GPL-2.0
/*
 * Prints what differs between the VMCS at two exits.
 */
#include <string.h>

#include "inspect/exits.h"
#include "inspect/fields.h"
#include "inspect/vmcs.h"

/* One field of both; either may be missing. */
struct change {
	u32 encoding;
	const struct vmcs_value *before;
	const struct vmcs_value *after;
};

static bool find_change(struct change *c, u32 encoding, const struct vmcs_dump *before,
			const struct vmcs_dump *after)
{
	c->encoding = encoding;
	c->before = dump_find(before, encoding);
	c->after = dump_find(after, encoding);
	if (!c->before || !c->after)
		return c->before != c->after;
	return c->before->value != c->after->value;
}

/* What the change means: words that changed, or else what the new value says. */
static void explain(struct text *t, const struct change *c, const struct vmcs_dump *after)
{
	if (!c->before || !c->after) {
		text_add(t, "only one of them has this field");
		return;
	}
	field_changes(t, c->encoding, c->before->value, c->after->value);
	if (!t->len)
		field_text(t, after, c->after);
}

/* The value, with the digits that differ from @other highlighted. */
static void print_value(const struct vmcs_output *out, const struct vmcs_value *value,
			const struct vmcs_value *other, int digits)
{
	char mine[24], theirs[24] = "";
	bool lit = false;
	int i;

	fprintf(out->f, "  %*s", 16 - digits, "");
	if (!value) {
		fprintf(out->f, "%*s", digits + 2, "-");
		return;
	}
	snprintf(mine, sizeof(mine), "%0*llx", digits, (unsigned long long)value->value);
	if (other)
		snprintf(theirs, sizeof(theirs), "%0*llx", digits,
			 (unsigned long long)other->value);
	fprintf(out->f, "0x");
	for (i = 0; mine[i]; i++) {
		bool differs = *theirs && mine[i] != theirs[i];

		if (out->colour && differs != lit)
			fputs(differs ? "\033[1;33m" : "\033[0m", out->f);
		lit = differs;
		fputc(mine[i], out->f);
	}
	if (out->colour && lit)
		fputs("\033[0m", out->f);
}

static void print_change(const struct vmcs_output *out, const struct change *c,
			 const struct vmcs_dump *after)
{
	int digits = vmcs_field_digits(c->encoding);
	struct text t = { .len = 0 };
	char name[24];

	explain(&t, c, after);
	fprintf(out->f, "  %04x  %-46s", c->encoding, field_name(c->encoding, name));
	print_value(out, c->before, NULL, digits);
	print_value(out, c->after, c->before, digits);
	fprintf(out->f, "%s%s\n", t.len ? "  " : "", t.buf);
}

/* Calls @fn for each change, in the order of the manual; what is in no section comes last. */
static unsigned int each_change(const struct vmcs_dump *before, const struct vmcs_dump *after,
				void (*fn)(void *opaque, const struct change *c), void *opaque)
{
	const struct vmcs_dump *both[] = { before, after };
	unsigned int s, i, k, n = 0;
	struct change c;

	for (s = 0; s < nr_sections; s++) {
		for (i = 0; i < sections[s].nr_fields; i++) {
			if (!find_change(&c, sections[s].fields[i], before, after))
				continue;
			n++;
			fn(opaque, &c);
		}
	}
	for (k = 0; k < 2; k++) {
		for (i = 0; i < both[k]->nr_fields; i++) {
			u32 code = both[k]->fields[i].encoding;

			/* Those that both have were seen in the first one. */
			if (section_of(code) || (k && dump_find(before, code)) ||
			    !find_change(&c, code, before, after))
				continue;
			n++;
			fn(opaque, &c);
		}
	}
	return n;
}

struct printing {
	const struct vmcs_output *out;
	const struct vmcs_dump *after;
	const char *area;
};

static void print_one(void *opaque, const struct change *c)
{
	struct printing *p = opaque;
	const struct section *s = section_of(c->encoding);
	const char *area = s ? s->area : area_name(c->encoding);

	if (!p->area || strcmp(area, p->area))
		fprintf(p->out->f, "\n%s%s%s\n", p->out->colour ? "\033[1m" : "", area,
			p->out->colour ? "\033[0m" : "");
	p->area = area;
	print_change(p->out, c, p->after);
}

unsigned int vmcs_diff(const struct vmcs_output *out, const struct vmcs_dump *before,
		       const struct vmcs_dump *after)
{
	struct printing p = { .out = out, .after = after };
	unsigned int n;

	fputs("before: ", out->f);
	vmcs_title(out, before);
	fputs("after:  ", out->f);
	vmcs_title(out, after);
	n = each_change(before, after, print_one, &p);
	fprintf(out->f, "\n%u of %u fields differ\n", n, after->nr_fields);
	return n;
}

/* ---- JSON ------------------------------------------------------------------------------------ */

struct collecting {
	json_t *list;
	const struct vmcs_dump *after;
};

static json_t *value_json(const struct vmcs_value *value)
{
	char text[24];

	if (!value)
		return json_null();
	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value->value);
	return json_string(text);
}

static void collect_one(void *opaque, const struct change *c)
{
	struct collecting *all = opaque;
	struct text t = { .len = 0 };
	char code[16], name[24];

	explain(&t, c, all->after);
	snprintf(code, sizeof(code), "0x%04x", c->encoding);
	json_array_append_new(all->list,
			      json_pack("{s:s,s:s,s:o,s:o,s:s}", "encoding", code, "name",
					field_name(c->encoding, name), "before",
					value_json(c->before), "after", value_json(c->after),
					"text", t.buf));
}

json_t *vmcs_diff_json(const struct vmcs_dump *before, const struct vmcs_dump *after)
{
	struct collecting all = { .list = json_array(), .after = after };
	struct text old = { .len = 0 }, new = { .len = 0 };

	each_change(before, after, collect_one, &all);
	exit_text(&old, before);
	exit_text(&new, after);
	return json_pack("{s:s,s:I,s:{s:I,s:I,s:s},s:{s:I,s:I,s:s},s:o}", "machine",
			 after->machine, "vcpu", (json_int_t)after->vcpu, "before", "exits",
			 (json_int_t)before->exits, "tsc", (json_int_t)before->tsc, "exit", old.buf,
			 "after", "exits", (json_int_t)after->exits, "tsc",
			 (json_int_t)after->tsc, "exit", new.buf, "changes", all.list);
}
