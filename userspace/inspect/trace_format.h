/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel says of a trace event in events/SYSTEM/NAME/format: its number, where its fields
 * are, and the names it prints values by. Pure: text in, a description out.
 *
 * Source: Linux Documentation/trace/events.rst, "Event formats".
 */
#ifndef MKVM_INSPECT_TRACE_FORMAT_H
#define MKVM_INSPECT_TRACE_FORMAT_H

#include "types.h"

#define TRACE_MAX_FIELDS	20
#define TRACE_NAME_MAX		48

/**
 * struct trace_field - where a value is
 * @name: as the kernel calls it
 * @offset: @size: in an event's bytes; 1, 2, 4 and 8 are numbers
 * @is_signed: it is sign-extended
 */
struct trace_field {
	char name[TRACE_NAME_MAX];
	unsigned int offset, size;
	bool is_signed;
};

/**
 * struct trace_symbol - a value that is printed as a name
 * @list: which of the text's lists it is from, the first is 0
 * @value: the value
 * @name: its name
 */
struct trace_symbol {
	unsigned int list;
	u64 value;
	char name[TRACE_NAME_MAX];
};

/**
 * struct trace_format - one event
 * @name: the event's
 * @id: what an event's bytes begin with
 * @field: @nr_fields: its own fields, those all events have left out
 * @symbol: @nr_symbols: allocated
 */
struct trace_format {
	char name[TRACE_NAME_MAX];
	unsigned int id;
	struct trace_field field[TRACE_MAX_FIELDS];
	unsigned int nr_fields;
	struct trace_symbol *symbol;
	unsigned int nr_symbols;
};

/**
 * trace_format_parse() - read a description
 * @f: filled in; trace_format_free() is due if this succeeds
 * @text: what the file says, terminated; not trusted
 *
 * Return: 0, or -1: it is none. More fields than TRACE_MAX_FIELDS are left out.
 */
int trace_format_parse(struct trace_format *f, const char *text);

/** trace_format_free() - give back what it took */
void trace_format_free(struct trace_format *f);

/** trace_format_field() - the field of that name, or NULL */
const struct trace_field *trace_format_field(const struct trace_format *f, const char *name);

/**
 * trace_field_value() - a field of an event
 * @field: which, may be NULL
 * @data: @len: the event's bytes
 *
 * Return: its value; 0 if there is no such field, it is no number, or it lies outside.
 */
u64 trace_field_value(const struct trace_field *field, const void *data, size_t len);

/** trace_format_symbol() - the name that list number @list has for @value, or NULL */
const char *trace_format_symbol(const struct trace_format *f, unsigned int list, u64 value);

#endif
