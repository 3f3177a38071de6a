// SPDX-License-Identifier: GPL-2.0
/*
 * Writes second-dimension page tables as a page for a browser: the data as JavaScript, between the
 * halves of the page in ept_page.c.
 */
#include "inspect/ept.h"

/* As a string of JavaScript that ends neither the string nor the script. */
static void put_string(FILE *f, const char *s)
{
	fputc('"', f);
	for (; *s; s++) {
		unsigned char c = (unsigned char)*s;

		if (c < ' ' || c > '~' || c == '"' || c == '\\' || c == '<' || c == '>' || c == '&')
			fprintf(f, "\\u%04x", c);
		else
			fputc(c, f);
	}
	fputc('"', f);
}

void ept_html(FILE *f, const struct ept_map *m)
{
	unsigned int i;

	fputs(ept_page_head, f);
	fputs("const machine = ", f);
	put_string(f, m->machine);
	/* Numbers up to 2^53 are exact there; physical addresses have at most 52 bits. */
	fprintf(f, ", root = %llu, tablePages = %llu, hasAD = %s;\n", (unsigned long long)m->root,
		(unsigned long long)m->table_pages, m->has_ad ? "true" : "false");
	fprintf(f, "// [slot, gpa, bytes, hva as text, flags]\nconst slots = [\n");
	for (i = 0; i < m->nr_slots; i++) {
		const struct minikvm_inspect_slot *s = &m->slots[i];

		fprintf(f, "[%u,%llu,%llu,\"0x%llx\",%u],\n", s->slot, (unsigned long long)s->gpa,
			(unsigned long long)s->bytes, (unsigned long long)s->hva, s->flags);
	}
	fprintf(f, "];\n// [gpa, hpa, bytes, level, flags, memory type, slot or -1]\n"
		"const ranges = [\n");
	for (i = 0; i < m->nr_ranges; i++) {
		const struct minikvm_inspect_range *r = &m->ranges[i];

		fprintf(f, "[%llu,%llu,%llu,%u,%u,%u,%d],\n", (unsigned long long)r->gpa,
			(unsigned long long)r->hpa, (unsigned long long)r->bytes, r->level,
			r->flags, r->memtype,
			r->slot == MINIKVM_INSPECT_NO_SLOT ? -1 : (int)r->slot);
	}
	fputs("];\n", f);
	fputs(ept_page_tail, f);
}
