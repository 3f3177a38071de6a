// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the table that `mkvm compare` prints for a person at a terminal.
 */
#include <string.h>

#include "compare/result.h"

#define TITLE_WIDTH 44

/* Printable characters only, of a text that may come from a file; how many there are. */
static int put_text(FILE *f, const char *s)
{
	int n = 0;

	for (; *s; s++) {
		if ((*s & 0xc0) != 0x80)
			n++;
		fputc((unsigned char)*s < 0x20 || *s == 0x7f ? '?' : *s, f);
	}
	return n;
}

static void pad(FILE *f, int n, int width)
{
	for (; n < width; n++)
		fputc(' ', f);
}

static const char *get(const json_t *object, const char *key)
{
	return json_string_value(json_object_get(object, key));
}

static bool has_column(const json_t *host, const char *id)
{
	json_t *column;
	size_t i;

	json_array_foreach(json_object_get(host, "columns"), i, column) {
		if (!strcmp(get(column, "id"), id))
			return true;
	}
	return false;
}

static void put_ratio(FILE *f, const json_t *row, const char *of, const char *to)
{
	double ratio = result_ratio(row, of, to);

	if (ratio < 0)
		fprintf(f, " %9s", "-");
	else
		fprintf(f, " %9.3f", ratio);
}

/* "median/p90"; of a single sample the value. */
static void put_figure(FILE *f, const json_t *row, const char *id)
{
	const json_t *value = json_object_get(json_object_get(row, "values"), id);
	char text[64];
	json_int_t p50, p90;

	if (!value) {
		fprintf(f, " %21s", "-");
		return;
	}
	p50 = json_integer_value(json_object_get(value, "p50"));
	p90 = json_integer_value(json_object_get(value, "p90"));
	if (json_integer_value(json_object_get(value, "n")) > 1)
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT " /%9" JSON_INTEGER_FORMAT,
			 p50, p90);
	else
		snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, p50);
	fprintf(f, " %21s", text);
}

static void put_group(FILE *f, const json_t *host, const json_t *row, bool kvm_qemu)
{
	const char *unit = get(row, "unit"), *title;
	json_t *column;
	size_t i;
	int n;

	fputc('\n', f);
	n = put_text(f, get(row, "group"));
	fputs(", ", f);
	n += 2 + put_text(f, !strcmp(unit, RESULT_TSC) ? get(host, "unit") : unit);
	pad(f, n, TITLE_WIDTH);
	json_array_foreach(json_object_get(host, "columns"), i, column) {
		title = get(column, "title");
		fputc(' ', f);
		pad(f, (int)strlen(title), 21);
		put_text(f, title);
	}
	fputs("     ratio", f);
	fputs(kvm_qemu ? "  to QEMU\n" : "\n", f);
}

static void put_host(FILE *f, const json_t *host)
{
	double mhz = (double)json_integer_value(json_object_get(host, "tsc_khz")) / 1000;
	bool kvm_qemu = has_column(host, "qemu-kvm");
	const char *group = "";
	json_t *row, *column, *note;
	size_t i, k;

	put_text(f, get(host, "cpu"));
	fprintf(f, ", %d CPU%s, ", (int)json_integer_value(json_object_get(host, "cpus")),
		json_integer_value(json_object_get(host, "cpus")) == 1 ? "" : "s");
	put_text(f, get(host, "kernel"));
	fputs("; guest: ", f);
	put_text(f, get(host, "guest"));
	fputs("\nThe time-stamp counter counts ", f);
	put_text(f, get(host, "unit"));
	if (mhz > 0 && !strcmp(get(host, "unit"), "cycles"))
		fprintf(f, ", %.3f to a microsecond", mhz);
	fputs(". Figures: median / 90th percentile; ratio: mini-KVM to stock KVM", f);
	fputs(kvm_qemu ? "; to QEMU: mini-KVM with mkvm to stock KVM with QEMU.\n" : ".\n", f);
	json_array_foreach(json_object_get(host, "rows"), i, row) {
		if (strcmp(group, get(row, "group")))
			put_group(f, host, row, kvm_qemu);
		group = get(row, "group");
		pad(f, put_text(f, get(row, "title")), TITLE_WIDTH);
		json_array_foreach(json_object_get(host, "columns"), k, column)
			put_figure(f, row, get(column, "id"));
		put_ratio(f, row, "minikvm", "kvm");
		if (kvm_qemu)
			put_ratio(f, row, "minikvm", "qemu-kvm");
		fputc('\n', f);
	}
	if (!json_array_size(json_object_get(host, "rows")))
		fputs("\nNothing was measured.\n", f);
	json_array_foreach(json_object_get(host, "notes"), i, note) {
		fputs(i ? "  * " : "\nNotes:\n  * ", f);
		put_text(f, json_string_value(note));
		fputc('\n', f);
	}
}

void result_write_table(FILE *f, const json_t *result)
{
	json_t *host;
	size_t i;

	json_array_foreach(json_object_get(result, "hosts"), i, host) {
		if (i)
			fputc('\n', f);
		put_host(f, host);
	}
}
