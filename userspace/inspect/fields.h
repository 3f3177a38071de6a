/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The fields of a VMCS in the order and the groups of the manual, and what each one says.
 */
#ifndef MKVM_INSPECT_FIELDS_H
#define MKVM_INSPECT_FIELDS_H

#include "inspect/dump.h"
#include "inspect/word.h"

/**
 * struct section - fields that belong together
 * @area: the manual's name of the area
 * @title: the manual's name of the group
 * @segments: the group is that of the segment registers
 * @fields: encodings, in the order they are shown
 * @nr_fields: entries of @fields
 */
struct section {
	const char *area;
	const char *title;
	bool segments;
	const u32 *fields;
	unsigned int nr_fields;
};

extern const struct section sections[];
extern const unsigned int nr_sections;

/** section_of() - the section a field is shown in, or NULL: it is in none */
const struct section *section_of(u32 encoding);

/** area_name() - the area that an encoding belongs to, by its bits */
const char *area_name(u32 encoding);

/** field_text() - append what the value of a field says; nothing if the number says it all */
void field_text(struct text *t, const struct vmcs_dump *d, const struct vmcs_value *field);

/** field_changes() - append what a change from one value to another means */
void field_changes(struct text *t, u32 encoding, u64 before, u64 after);

/** field_name() - the manual's name, or "field 0x..." */
const char *field_name(u32 encoding, char buf[24]);

#endif
