// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the descriptions of trace events. See trace_format.h.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "inspect/trace_format.h"

#define SYMBOL_LIST	"__print_symbolic("
#define MAX_SYMBOLS	1024

/* The number after @key in [@p, @end), or -1. */
static long number_after(const char *p, const char *end, const char *key)
{
	const char *at = strstr(p, key);

	if (!at || at >= end)
		return -1;
	return strtol(at + strlen(key), NULL, 10);
}

/* "\tfield:TYPE NAME[COUNT];\toffset:N;\tsize:N;\tsigned:N;" */
static void parse_field(struct trace_format *f, const char *line, const char *end)
{
	const char *semicolon = memchr(line, ';', (size_t)(end - line)), *name;
	struct trace_field *field = &f->field[f->nr_fields];
	long offset, size;

	if (!semicolon || f->nr_fields == TRACE_MAX_FIELDS)
		return;
	for (name = semicolon; name > line && !isspace((unsigned char)name[-1]); name--)
		;
	snprintf(field->name, sizeof(field->name), "%.*s", (int)(semicolon - name), name);
	field->name[strcspn(field->name, "[")] = '\0';
	offset = number_after(semicolon, end, "offset:");
	size = number_after(semicolon, end, "size:");
	if (!field->name[0] || offset < 0 || size < 0 || offset > 4096 || size > 4096)
		return;
	if (!strncmp(field->name, "common_", 7))
		return;
	field->offset = (unsigned int)offset;
	field->size = (unsigned int)size;
	field->is_signed = number_after(semicolon, end, "signed:") == 1;
	f->nr_fields++;
}

static int add_symbol(struct trace_format *f, unsigned int list, u64 value, const char *name)
{
	struct trace_symbol *grown;

	if (f->nr_symbols == MAX_SYMBOLS)
		return 0;
	if (!(f->nr_symbols & (f->nr_symbols - 1))) {
		grown = realloc(f->symbol, 2 * (f->nr_symbols + 1) * sizeof(*grown));
		if (!grown)
			return -1;
		f->symbol = grown;
	}
	f->symbol[f->nr_symbols] = (struct trace_symbol){ .list = list, .value = value };
	snprintf(f->symbol[f->nr_symbols].name, TRACE_NAME_MAX, "%s", name);
	f->nr_symbols++;
	return 0;
}

/* A string, or several in a row, which are one as in C. Where it ended, NULL: nowhere. */
static const char *parse_string(const char *p, char *name, size_t size)
{
	const char *quote;
	size_t len = 0;

	while (*p == '"') {
		p++;
		quote = strchr(p, '"');
		if (!quote)
			return NULL;
		if (len < size)
			len += (size_t)snprintf(name + len, size - len, "%.*s",
						(int)(quote - p), p);
		p = quote + 1;
		p += strspn(p, " ");
	}
	return p;
}

/* "{ 0, "EXCEPTION_NMI" }, { 1, ... })": what follows the value itself. Where it ended. */
static const char *parse_list(struct trace_format *f, unsigned int list, const char *p, int *err)
{
	char name[TRACE_NAME_MAX], *end;
	const char *rest;
	u64 value;

	for (;;) {
		p += strspn(p, ", \t");
		if (*p != '{')
			return p;
		p++;
		p += strspn(p, " ");
		value = strtoull(p, &end, 0);
		if (end == p)
			return p;
		p = end + strcspn(end, "\"}");
		if (*p != '"')
			return p;
		rest = parse_string(p, name, sizeof(name));
		if (!rest)
			return p;
		*err |= add_symbol(f, list, value, name);
		p = rest + strcspn(rest, "}");
		p += *p == '}';
	}
}

static int parse_symbols(struct trace_format *f, const char *text)
{
	unsigned int list = 0;
	int err = 0;

	while ((text = strstr(text, SYMBOL_LIST))) {
		text += strlen(SYMBOL_LIST);
		text += strcspn(text, "{");
		text = parse_list(f, list++, text, &err);
	}
	return err;
}

int trace_format_parse(struct trace_format *f, const char *text)
{
	const char *line, *end;
	long id = -1;

	memset(f, 0, sizeof(*f));
	for (line = text; *line; line = *end ? end + 1 : end) {
		end = line + strcspn(line, "\n");
		if (!strncmp(line, "name: ", 6))
			snprintf(f->name, sizeof(f->name), "%.*s", (int)(end - line - 6), line + 6);
		else if (!strncmp(line, "ID: ", 4))
			id = strtol(line + 4, NULL, 10);
		else if (!strncmp(line, "\tfield:", 7))
			parse_field(f, line + 7, end);
		else if (!strncmp(line, "print fmt: ", 11))
			break;
	}
	if (!f->name[0] || id <= 0 || id > 0xffff)
		return -1;
	f->id = (unsigned int)id;
	if (!parse_symbols(f, line))
		return 0;
	trace_format_free(f);
	return -1;
}

void trace_format_free(struct trace_format *f)
{
	free(f->symbol);
	memset(f, 0, sizeof(*f));
}

const struct trace_field *trace_format_field(const struct trace_format *f, const char *name)
{
	unsigned int i;

	for (i = 0; i < f->nr_fields; i++) {
		if (!strcmp(f->field[i].name, name))
			return &f->field[i];
	}
	return NULL;
}

u64 trace_field_value(const struct trace_field *field, const void *data, size_t len)
{
	u64 value = 0;

	if (!field || field->offset > len || field->size > len - field->offset)
		return 0;
	switch (field->size) {
	case 1:
	case 2:
	case 4:
	case 8:
		memcpy(&value, (const u8 *)data + field->offset, field->size);
		break;
	default:
		return 0;
	}
	if (field->is_signed && field->size < 8 && value >> (8 * field->size - 1))
		value |= ~0ull << (8 * field->size);
	return value;
}

const char *trace_format_symbol(const struct trace_format *f, unsigned int list, u64 value)
{
	unsigned int i;

	for (i = 0; i < f->nr_symbols; i++) {
		if (f->symbol[i].list == list && f->symbol[i].value == value)
			return f->symbol[i].name;
	}
	return NULL;
}
