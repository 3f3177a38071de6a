/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Words of the processor, told bit by bit: a table names the parts of a register or of a VMCS
 * field, and these functions turn a value into text.
 */
#ifndef MKVM_INSPECT_WORD_H
#define MKVM_INSPECT_WORD_H

#include "types.h"

/**
 * struct text - a line that grows at its end
 * @buf: zero-terminated
 * @len: characters in it; what does not fit is cut off
 */
struct text {
	char buf[640];
	size_t len;
};

/** text_add() - append */
void text_add(struct text *t, const char *fmt, ...) __printf(2, 3);

/** text_item() - append, with ", " before it if it is not the first */
void text_item(struct text *t, const char *fmt, ...) __printf(2, 3);

/**
 * struct word_part - some bits of a word with a name
 * @low: lowest bit
 * @high: highest bit
 * @name: as the manual has it
 * @values: of several bits: what each value is called, NULL where it is reserved; NULL: a number
 * @nr_values: entries of @values
 */
struct word_part {
	u8 low;
	u8 high;
	const char *name;
	const char *const *values;
	u8 nr_values;
};

/**
 * struct word - a kind of word
 * @parts: in ascending order; bits that are in none of them are reserved
 * @nr_parts: entries of @parts
 * @fixed: reserved bits that are always set, and so are not worth a word
 */
struct word {
	const struct word_part *parts;
	unsigned int nr_parts;
	u64 fixed;
};

#define WORD_BIT(bit, text)		{ .low = (bit), .high = (bit), .name = (text) }
#define WORD_FIELD(lo, hi, text)	{ .low = (lo), .high = (hi), .name = (text) }
#define WORD_ENUM(lo, hi, text, list) \
	{ .low = (lo), .high = (hi), .name = (text), .values = (list), \
	  .nr_values = ARRAY_SIZE(list) }
#define WORD(list)			{ .parts = (list), .nr_parts = ARRAY_SIZE(list) }

/* The registers of the architecture. */
extern const struct word word_cr0, word_cr4, word_efer, word_rflags, word_debugctl, word_dr7;
extern const struct word word_dr6, word_pf_error, word_selector, word_exceptions;
/* Of the VMCS. */
extern const struct word word_interruptibility, word_activity, word_pending_debug, word_event_info;
extern const struct word word_exit_event, word_idt_event, word_eptp;
extern const struct word word_interrupt_status;

/** word_part_value() - the part's bits of a value */
u64 word_part_value(const struct word_part *part, u64 value);

/** word_named() - all bits of a kind of word that have a name */
u64 word_named(const struct word *word);

/** word_text() - append what is in a value: names of bits that are set, values of the others */
void word_text(struct text *t, const struct word *word, u64 value);

/** word_changes() - append what differs: "+NAME" set since, "-NAME" cleared, "NAME a -> b" */
void word_changes(struct text *t, const struct word *word, u64 before, u64 after);

/** bits_text() - append the numbers of the bits that are set: "1 4-6 9" */
void bits_text(struct text *t, u64 bits);

/** vector_name() - of an exception, as "#PF"; NULL: it has none */
const char *vector_name(unsigned int vector);

/** memory_type_name() - "UC", "WB" and so on; "reserved" */
const char *memory_type_name(unsigned int type);

/** access_rights_text() - append what a segment's access rights say, as the VMCS holds them */
void access_rights_text(struct text *t, u32 rights);

/** pat_text() - append the eight memory types of IA32_PAT */
void pat_text(struct text *t, u64 pat);

#endif
