// SPDX-License-Identifier: GPL-2.0
/*
 * Keeps, writes and reads the contents of a VMCS. A file may come from anybody: all of it is
 * checked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/dump.h"
#include "inspect/save.h"
#include "report.h"

struct field_name {
	u32 encoding;
	const char *name;
};

#define FIELD_NAME(code, id, text)	{ .encoding = (code), .name = (text) },
static const struct field_name field_names[] = { MINIKVM_VMCS_FIELDS(FIELD_NAME) };

static int compare_names(const void *key, const void *entry)
{
	u32 a = *(const u32 *)key, b = ((const struct field_name *)entry)->encoding;

	return (a > b) - (a < b);
}

const char *vmcs_field_name(u32 encoding)
{
	const struct field_name *found = bsearch(&encoding, field_names, ARRAY_SIZE(field_names),
						 sizeof(field_names[0]), compare_names);

	return found ? found->name : NULL;
}

int vmcs_field_digits(u32 encoding)
{
	switch (MINIKVM_VMCS_WIDTH(encoding)) {
	case MINIKVM_VMCS_WIDTH_16:
		return 4;
	case MINIKVM_VMCS_WIDTH_32:
		return 8;
	default:
		return 16;
	}
}

/* Where the field is, or belongs. */
static unsigned int place_of(const struct vmcs_dump *d, u32 encoding)
{
	unsigned int low = 0, high = d->nr_fields;

	while (low < high) {
		unsigned int mid = (low + high) / 2;

		if (d->fields[mid].encoding < encoding)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

const struct vmcs_value *dump_find(const struct vmcs_dump *d, u32 encoding)
{
	unsigned int at = place_of(d, encoding);

	return at < d->nr_fields && d->fields[at].encoding == encoding ? &d->fields[at] : NULL;
}

u64 dump_value(const struct vmcs_dump *d, u32 encoding)
{
	const struct vmcs_value *field = dump_find(d, encoding);

	return field ? field->value : 0;
}

/* "Structure of VMCS Component Encoding": bits 12 and 31:15 are reserved, bit 0: the high half. */
const char *dump_add(struct vmcs_dump *d, u32 encoding, u64 value)
{
	unsigned int at = place_of(d, encoding);
	int digits = vmcs_field_digits(encoding);

	if (encoding & ~0x6ffeU)
		return "is no full encoding of a field (even, at most 0x6ffe, bit 12 clear)";
	if (digits < 16 && value >> (4 * digits))
		return "has a value that is wider than the field";
	if (at < d->nr_fields && d->fields[at].encoding == encoding)
		return "is there twice";
	if (d->nr_fields == DUMP_MAX_FIELDS)
		return "is one field too many";
	memmove(&d->fields[at + 1], &d->fields[at], (d->nr_fields - at) * sizeof(d->fields[0]));
	d->fields[at] = (struct vmcs_value){ .encoding = encoding, .value = value };
	d->nr_fields++;
	return NULL;
}

bool dump_cap(const struct vmcs_dump *d, u32 msr, u64 *value)
{
	u32 at = msr - DUMP_FIRST_CAP;

	if (at >= DUMP_NR_CAPS || !(d->has_cap & BIT(at)))
		return false;
	*value = d->caps[at];
	return true;
}

/* ---- writing --------------------------------------------------------------------------------- */

static void set_hex(json_t *object, int digits, u32 key, u64 value)
{
	char name[16], text[24];

	snprintf(name, sizeof(name), "0x%0*x", digits, key);
	snprintf(text, sizeof(text), "0x%llx", (unsigned long long)value);
	json_object_set_new(object, name, json_string(text));
}

json_t *dump_json(const struct vmcs_dump *d)
{
	json_t *caps = json_object(), *fields = json_object();
	unsigned int i;

	for (i = 0; i < DUMP_NR_CAPS; i++) {
		if (d->has_cap & BIT(i))
			set_hex(caps, 3, DUMP_FIRST_CAP + i, d->caps[i]);
	}
	for (i = 0; i < d->nr_fields; i++)
		set_hex(fields, 4, d->fields[i].encoding, d->fields[i].value);
	return json_pack("{s:s,s:s,s:I,s:I,s:I,s:I,s:I,s:i,s:i,s:o,s:o}",
			 "format", DUMP_FORMAT, "machine", d->machine,
			 "vcpu", (json_int_t)d->vcpu, "exits", (json_int_t)d->exits,
			 "tsc", (json_int_t)d->tsc, "cpu", (json_int_t)d->cpu,
			 "pending", (json_int_t)d->pending,
			 "phys_bits", (int)d->phys_bits, "linear_bits", (int)d->linear_bits,
			 "caps", caps, "fields", fields);
}

int dump_save(const struct vmcs_dump *d, const char *path)
{
	json_t *json = dump_json(d);
	struct save file;
	int ret = json ? save_open(&file, path) : report("out of memory");

	if (!ret) {
		ret = json_dumpf(json, file.f, JSON_INDENT(1));
		if (ret && !ferror(file.f))
			report("out of memory");
		fputc('\n', file.f);
		/* A write that failed is reported there. */
		ret = save_close(&file, ret && !ferror(file.f));
	}
	json_decref(json);
	return ret;
}

/* ---- reading --------------------------------------------------------------------------------- */

/* The whole of a file, zero-terminated; NULL after a report. */
static char *read_file(const char *path, size_t *len)
{
	FILE *f = fopen(path, "re");
	char *buf = NULL;

	if (!f) {
		report("cannot open %s: %s", path, strerror(errno));
		return NULL;
	}
	buf = malloc(DUMP_MAX_BYTES + 1);
	if (!buf) {
		report("out of memory");
		goto out;
	}
	*len = fread(buf, 1, DUMP_MAX_BYTES + 1, f);
	if (!ferror(f) && *len <= DUMP_MAX_BYTES)
		goto out;
	if (ferror(f))
		report("cannot read %s: %s", path, strerror(errno));
	else
		report("%s is no dump of a VMCS: it has more than %u KiB", path,
		       DUMP_MAX_BYTES >> 10);
	free(buf);
	buf = NULL;
out:
	fclose(f);
	return buf;
}

static bool parse_hex(const char *text, u64 *value)
{
	char *end;

	if (!text || strncmp(text, "0x", 2) || !strchr("0123456789abcdefABCDEF", text[2]) ||
	    !text[2])
		return false;
	errno = 0;
	*value = strtoull(text, &end, 16);
	return !*end && !errno;
}

static int load_caps(struct vmcs_dump *d, json_t *caps, const char *path)
{
	const char *key;
	json_t *item;
	u64 msr, value;

	json_object_foreach(caps, key, item) {
		if (!parse_hex(key, &msr) || msr - DUMP_FIRST_CAP >= DUMP_NR_CAPS)
			return report("%s: caps: '%.40s' is no VMX capability MSR (0x%x to 0x%x)",
				      path, key, DUMP_FIRST_CAP, DUMP_FIRST_CAP + DUMP_NR_CAPS - 1);
		if (!parse_hex(json_string_value(item), &value))
			return report("%s: caps: the value of %.40s is no number as \"0x1f\"", path,
				      key);
		d->caps[msr - DUMP_FIRST_CAP] = value;
		d->has_cap |= BIT((u32)msr - DUMP_FIRST_CAP);
	}
	return 0;
}

static int load_fields(struct vmcs_dump *d, json_t *fields, const char *path)
{
	const char *key, *wrong;
	json_t *item;
	u64 code, value;

	json_object_foreach(fields, key, item) {
		if (!parse_hex(key, &code) || code > 0xffffffff)
			return report("%s: fields: '%.40s' is no encoding as \"0x4000\"", path,
				      key);
		if (!parse_hex(json_string_value(item), &value))
			return report("%s: fields: the value of %.40s is no number as \"0x1f\"",
				      path, key);
		wrong = dump_add(d, (u32)code, value);
		if (wrong)
			return report("%s: fields: %.40s %s", path, key, wrong);
	}
	return d->nr_fields ? 0 : report("%s has no field of a VMCS", path);
}

/* A number that may be left out. */
static int load_number(json_t *root, const char *key, s64 max, u64 *value, const char *path)
{
	json_t *item = json_object_get(root, key);
	json_int_t given = json_integer_value(item);

	*value = 0;
	if (!item)
		return 0;
	if (!json_is_integer(item) || given < 0 || given > max)
		return report("%s: \"%s\" must be a number from 0 to %lld", path, key,
			      (long long)max);
	*value = (u64)given;
	return 0;
}

static int load_json(struct vmcs_dump *d, json_t *root, const char *path)
{
	const char *format = json_string_value(json_object_get(root, "format"));
	const char *machine = json_string_value(json_object_get(root, "machine"));
	json_t *caps = json_object_get(root, "caps"), *fields = json_object_get(root, "fields");
	u64 vcpu = 0, cpu = 0, pending = 0, phys_bits = 0, linear_bits = 0;
	char *c;

	if (!format || strcmp(format, DUMP_FORMAT))
		return report("%s is no dump of a VMCS: its \"format\" is not \"" DUMP_FORMAT "\"",
			      path);
	if (!json_is_object(fields) || (caps && !json_is_object(caps)))
		return report("%s: \"fields\" and \"caps\" must be objects", path);
	if (load_number(root, "vcpu", 0xffffffff, &vcpu, path) ||
	    load_number(root, "cpu", 0xffffffff, &cpu, path) ||
	    load_number(root, "pending", 0xffffffff, &pending, path) ||
	    load_number(root, "phys_bits", 64, &phys_bits, path) ||
	    load_number(root, "linear_bits", 64, &linear_bits, path) ||
	    load_number(root, "exits", INT64_MAX, &d->exits, path) ||
	    load_number(root, "tsc", INT64_MAX, &d->tsc, path))
		return -1;
	snprintf(d->machine, sizeof(d->machine), "%s", machine ? machine : "?");
	/* It goes to a terminal. */
	for (c = d->machine; *c; c++)
		if (*c < ' ' || *c > '~')
			*c = '?';
	d->vcpu = (unsigned int)vcpu;
	d->cpu = (unsigned int)cpu;
	d->pending = (u32)pending;
	d->phys_bits = (u8)phys_bits;
	d->linear_bits = (u8)linear_bits;
	return load_caps(d, caps, path) || load_fields(d, fields, path) ? -1 : 0;
}

int dump_load(struct vmcs_dump *d, const char *path)
{
	size_t len = 0;
	char *text = read_file(path, &len);
	json_error_t error;
	json_t *root;
	int ret;

	memset(d, 0, sizeof(*d));
	if (!text)
		return -1;
	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	free(text);
	if (!root)
		return report("%s is no dump of a VMCS: line %d: %s", path, error.line, error.text);
	ret = load_json(d, root, path);
	json_decref(root);
	return ret;
}
