// SPDX-License-Identifier: GPL-2.0
/*
 * Turns words into text by their tables; knows no word itself.
 */
#include <stdarg.h>
#include <stdio.h>

#include "inspect/word.h"

static void __printf(2, 0) add(struct text *t, const char *fmt, va_list ap)
{
	size_t room = sizeof(t->buf) - t->len;
	int n = vsnprintf(t->buf + t->len, room, fmt, ap);

	if (n > 0)
		t->len += (size_t)n < room ? (size_t)n : room - 1;
}

void text_add(struct text *t, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	add(t, fmt, ap);
	va_end(ap);
}

void text_item(struct text *t, const char *fmt, ...)
{
	va_list ap;

	if (t->len)
		text_add(t, ", ");
	va_start(ap, fmt);
	add(t, fmt, ap);
	va_end(ap);
}

static u64 mask_of(const struct word_part *part)
{
	unsigned int width = part->high - part->low + 1;

	return (width == 64 ? ~0ULL : BIT_ULL(width) - 1) << part->low;
}

u64 word_part_value(const struct word_part *part, u64 value)
{
	return (value & mask_of(part)) >> part->low;
}

u64 word_named(const struct word *word)
{
	unsigned int i;
	u64 all = 0;

	for (i = 0; i < word->nr_parts; i++)
		all |= mask_of(&word->parts[i]);
	return all;
}

static void space(struct text *t)
{
	if (t->len && t->buf[t->len - 1] != ' ')
		text_add(t, " ");
}

static void value_text(struct text *t, const struct word_part *part, u64 value)
{
	if (!part->values)
		text_add(t, value < 10 ? "%llu" : "0x%llx", (unsigned long long)value);
	else if (value < part->nr_values && part->values[value])
		text_add(t, "%s", part->values[value]);
	else
		text_add(t, "reserved (%llu)", (unsigned long long)value);
}

void word_text(struct text *t, const struct word *word, u64 value)
{
	u64 rest = value & ~word_named(word) & ~word->fixed;
	unsigned int i;

	for (i = 0; i < word->nr_parts; i++) {
		const struct word_part *part = &word->parts[i];
		u64 here = word_part_value(part, value);

		if (part->low == part->high) {
			if (!here)
				continue;
			space(t);
			text_add(t, "%s", part->name);
			continue;
		}
		/* What a list has no name for, and a number that is zero, is worth a word only if
		 * it says something.
		 */
		if (!here && !part->values)
			continue;
		space(t);
		if (*part->name)
			text_add(t, "%s=", part->name);
		value_text(t, part, here);
	}
	if (rest) {
		space(t);
		text_add(t, "reserved bits ");
		bits_text(t, rest);
	}
}

void word_changes(struct text *t, const struct word *word, u64 before, u64 after)
{
	u64 rest = (before ^ after) & ~word_named(word);
	unsigned int i;

	for (i = 0; i < word->nr_parts; i++) {
		const struct word_part *part = &word->parts[i];
		u64 old = word_part_value(part, before), new = word_part_value(part, after);

		if (old == new)
			continue;
		if (part->low == part->high) {
			text_item(t, "%c%s", new ? '+' : '-', part->name);
			continue;
		}
		text_item(t, "%s%s", part->name, *part->name ? " " : "");
		value_text(t, part, old);
		text_add(t, " -> ");
		value_text(t, part, new);
	}
	if (rest & after) {
		text_item(t, "+bits ");
		bits_text(t, rest & after);
	}
	if (rest & before) {
		text_item(t, "-bits ");
		bits_text(t, rest & before);
	}
}

void bits_text(struct text *t, u64 bits)
{
	const char *gap = "";
	unsigned int bit, last;

	for (bit = 0; bit < 64; bit++) {
		if (!(bits & BIT_ULL(bit)))
			continue;
		for (last = bit; last < 63 && (bits & BIT_ULL(last + 1)); last++)
			;
		if (last > bit)
			text_add(t, "%s%u-%u", gap, bit, last);
		else
			text_add(t, "%s%u", gap, bit);
		gap = " ";
		bit = last;
	}
}
