// SPDX-License-Identifier: GPL-2.0
/*
 * Prints a VMCS: every field in the manual's groups, every control word bit by bit.
 */
#include <string.h>

#include "inspect/controls.h"
#include "inspect/exits.h"
#include "inspect/fields.h"
#include "inspect/vmcs.h"
#include "minikvm_inspect.h"

static const char *bold(const struct vmcs_output *out)
{
	return out->colour ? "\033[1m" : "";
}

static const char *plain(const struct vmcs_output *out)
{
	return out->colour ? "\033[0m" : "";
}

void vmcs_title(const struct vmcs_output *out, const struct vmcs_dump *d)
{
	struct text exit = { .len = 0 };

	exit_text(&exit, d);
	fprintf(out->f, "%svCPU %u of %s%s", bold(out), d->vcpu, d->machine, plain(out));
	if (d->exits)
		fprintf(out->f, ", after %llu exits, read on host CPU %u",
			(unsigned long long)d->exits, d->cpu);
	fprintf(out->f, "\nlast exit: %s\nguest RIP 0x%llx\n", exit.buf,
		(unsigned long long)dump_value(d, VMCS_F_GUEST_RIP));
}

/* The field's register is newer than what is shown. */
static bool is_pending(const struct vmcs_dump *d, u32 encoding)
{
	return (encoding == VMCS_F_GUEST_RIP && (d->pending & MINIKVM_INSPECT_PENDING_RIP)) ||
	       (encoding == VMCS_F_GUEST_RSP && (d->pending & MINIKVM_INSPECT_PENDING_RSP)) ||
	       (encoding == VMCS_F_GUEST_RFLAGS && (d->pending & MINIKVM_INSPECT_PENDING_RFLAGS));
}

/* What there is to say of a field behind its value. */
static void remark(struct text *t, const struct vmcs_dump *d, const struct vmcs_value *field)
{
	u64 required, allowed;
	bool guest = field->encoding == VMCS_F_GUEST_CR0 || field->encoding == VMCS_F_GUEST_CR4;
	int cr = field->encoding == VMCS_F_GUEST_CR4 || field->encoding == VMCS_F_HOST_CR4 ? 4 : 0;

	field_text(t, d, field);
	if (is_pending(d, field->encoding))
		text_add(t, "%s(the next entry writes a newer value)", t->len ? " " : "");
	if (!guest && field->encoding != VMCS_F_HOST_CR0 && field->encoding != VMCS_F_HOST_CR4)
		return;
	if (!fixed_bits(d, cr, guest, &required, &allowed))
		return;
	text_add(t, " (required: %s", required ? "" : "none");
	word_text(t, cr ? &word_cr4 : &word_cr0, required);
	if ((field->value & required) != required || (field->value & ~allowed)) {
		text_add(t, "; NOT AS THE CPU WANTS IT: bits ");
		bits_text(t, (required & ~field->value) | (field->value & ~allowed));
	}
	text_add(t, ")");
}

static void show_field(const struct vmcs_output *out, const struct vmcs_dump *d,
		       const struct vmcs_value *field)
{
	struct text t = { .len = 0 };
	int digits = vmcs_field_digits(field->encoding);
	char name[24];

	remark(&t, d, field);
	fprintf(out->f, "  %04x  %-46s %*s0x%0*llx%s%s\n", field->encoding,
		field_name(field->encoding, name), 16 - digits, "", digits,
		(unsigned long long)field->value, t.len ? "  " : "", t.buf);
}

/* The bits of a control word that have no name. */
static void show_reserved(const struct vmcs_output *out, const char *what, u64 bits)
{
	struct text t = { .len = 0 };

	if (!bits)
		return;
	bits_text(&t, bits);
	fprintf(out->f, "               reserved, %s: %s\n", what, t.buf);
}

static void show_wrong(const struct vmcs_output *out, const char *what, u64 bits)
{
	struct text t = { .len = 0 };

	if (!bits)
		return;
	bits_text(&t, bits);
	fprintf(out->f, "               %s%s: %s%s\n", bold(out), what, t.buf, plain(out));
}

static void show_control(const struct vmcs_output *out, const struct vmcs_dump *d,
			 const struct vmcs_value *field, const struct control *c)
{
	u64 required = 0, allowed = 0, named = word_named(&c->word), value = field->value;
	u32 msr = control_limits(c, d, &required, &allowed);
	unsigned int i;

	show_field(out, d, &(struct vmcs_value){ .encoding = field->encoding, .value = value });
	if (msr)
		fprintf(out->f, "          bit  required  allowed  set   by %s%s (0x%x)\n",
			msr == c->true_msr ? "IA32_VMX_TRUE_" : "IA32_VMX_",
			c->msr_name + strlen("IA32_VMX_"), msr);
	else
		fprintf(out->f, "          bit  required  allowed  set   (%s is not known)\n",
			c->msr_name);
	for (i = 0; i < c->word.nr_parts; i++) {
		const struct word_part *part = &c->word.parts[i];
		u64 bit = BIT_ULL(part->low);

		fprintf(out->f, "          %s%3u  %-8s  %-7s  %-3s   %s%s\n",
			value & bit ? bold(out) : "", part->low,
			!msr ? "?" : required & bit ? "yes" : "-",
			!msr ? "?" : allowed & bit ? "yes" : "no", value & bit ? "SET" : "-",
			part->name, value & bit ? plain(out) : "");
	}
	show_reserved(out, "required and set", value & required & ~named);
	show_reserved(out, "allowed and set", value & allowed & ~required & ~named);
	if (!msr) {
		show_reserved(out, "set", value & ~named);
		return;
	}
	show_wrong(out, "REQUIRED BUT CLEAR", required & ~value);
	show_wrong(out, "SET BUT NOT ALLOWED", value & ~allowed);
}

static void show_segments(const struct vmcs_output *out, const struct vmcs_dump *d,
			  const struct section *s)
{
	static const char *const names[] = { "CS", "SS", "DS", "ES", "FS", "GS", "LDTR", "TR" };
	unsigned int i;

	fprintf(out->f, "  %-5s %-8s  %-18s  %-10s  access rights\n", "", "selector", "base",
		"limit");
	for (i = 0; i + 3 < s->nr_fields; i += 4) {
		u32 rights = (u32)dump_value(d, s->fields[i + 3]);
		struct text t = { .len = 0 };

		access_rights_text(&t, rights);
		fprintf(out->f, "  %-5s 0x%04llx    0x%016llx  0x%08llx  0x%05x %s\n", names[i / 4],
			(unsigned long long)dump_value(d, s->fields[i]),
			(unsigned long long)dump_value(d, s->fields[i + 1]),
			(unsigned long long)dump_value(d, s->fields[i + 2]), rights, t.buf);
	}
}

static void show_section(const struct vmcs_output *out, const struct vmcs_dump *d,
			 const struct section *s)
{
	unsigned int i;

	for (i = 0; i < s->nr_fields; i++) {
		const struct vmcs_value *field = dump_find(d, s->fields[i]);
		const struct control *c = control_find(s->fields[i]);

		if (field && c)
			show_control(out, d, field, c);
		else if (field)
			show_field(out, d, field);
	}
}

static bool has_any(const struct vmcs_dump *d, const struct section *s)
{
	unsigned int i;

	for (i = 0; i < s->nr_fields; i++) {
		if (dump_find(d, s->fields[i]))
			return true;
	}
	return false;
}

void vmcs_show(const struct vmcs_output *out, const struct vmcs_dump *d)
{
	const char *area = NULL;
	bool others = false;
	unsigned int i;

	vmcs_title(out, d);
	for (i = 0; i < nr_sections; i++) {
		const struct section *s = &sections[i];

		if (!has_any(d, s))
			continue;
		if (s->area != area)
			fprintf(out->f, "\n%s%s%s\n", bold(out), s->area, plain(out));
		area = s->area;
		fprintf(out->f, " %s\n", s->title);
		if (s->segments)
			show_segments(out, d, s);
		else
			show_section(out, d, s);
	}
	for (i = 0; i < d->nr_fields; i++) {
		if (section_of(d->fields[i].encoding))
			continue;
		if (!others)
			fprintf(out->f, "\n%sFields that the manual of 2023 does not have%s\n",
				bold(out), plain(out));
		others = true;
		show_field(out, d, &d->fields[i]);
	}
}

/* ---- JSON ------------------------------------------------------------------------------------ */

static json_t *bits_json(const struct vmcs_dump *d, const struct control *c, u64 value)
{
	u64 required = 0, allowed = 0;
	u32 msr = control_limits(c, d, &required, &allowed);
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < c->word.nr_parts; i++) {
		const struct word_part *part = &c->word.parts[i];
		json_t *bit = json_pack("{s:i,s:s,s:b}", "bit", part->low, "name", part->name,
					"set", (int)(value >> part->low & 1));

		if (msr) {
			json_object_set_new(bit, "required",
					    json_boolean(required >> part->low & 1));
			json_object_set_new(bit, "allowed",
					    json_boolean(allowed >> part->low & 1));
		}
		json_array_append_new(list, bit);
	}
	return list;
}

static json_t *field_json(const struct vmcs_dump *d, const struct vmcs_value *field)
{
	const struct section *s = section_of(field->encoding);
	const struct control *c = control_find(field->encoding);
	struct text t = { .len = 0 };
	char code[16], value[24], name[24];
	json_t *json;

	remark(&t, d, field);
	snprintf(code, sizeof(code), "0x%04x", field->encoding);
	snprintf(value, sizeof(value), "0x%llx", (unsigned long long)field->value);
	json = json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "encoding", code, "name",
			 field_name(field->encoding, name), "area",
			 s ? s->area : area_name(field->encoding), "group",
			 s ? s->title : "others", "value", value, "text", t.buf);
	if (c)
		json_object_set_new(json, "bits", bits_json(d, c, field->value));
	return json;
}

json_t *vmcs_show_json(const struct vmcs_dump *d)
{
	json_t *json = dump_json(d), *list = json_array();
	struct text exit = { .len = 0 };
	unsigned int i;

	exit_text(&exit, d);
	json_object_set_new(json, "exit", json_string(exit.buf));
	for (i = 0; i < d->nr_fields; i++)
		json_array_append_new(list, field_json(d, &d->fields[i]));
	json_object_set_new(json, "decoded", list);
	return json;
}
