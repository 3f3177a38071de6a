// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the proof that uapi/ is numerically KVM's ABI: every number, structure
 * size, field offset and field size equals the one in <linux/kvm.h>.
 *
 * The names compared are listed in uapi_names.h. The headers of uapi/ are also
 * embedded here as text and read by a small parser, so that a macro, structure
 * or field that is missing in the list is a failure, not an omission.
 */
#include <ctype.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/kvm.h>
#include <linux/kvm_para.h>

#include "minikvm.h"
#include "minikvm_para.h"
#include "tap.h"

struct number {
	const char *name;
	unsigned long long ours, kvms;
};

struct layout {
	const char *owner;	/* structure, without its prefix */
	const char *field;	/* "" for the structure itself */
	size_t off, kvm_off;
	size_t size, kvm_size;
	const void *bits, *kvm_bits;	/* objects with the bit-field set */
	size_t bits_size;
};

#define N(x)	{ "MINIKVM_" #x, MINIKVM_##x, KVM_##x },
#define M(x)	{ "MINIKVM_MSR_" #x, MINIKVM_MSR_##x, MSR_KVM_##x },
#define C(x, n)	{ "MINIKVM_" #x, MINIKVM_##x, n },

#define SIZE_OF(s, f)	sizeof(((struct s *)0)->f)
#define S(s)	{ .owner = #s, .field = "",				\
		  .size = sizeof(struct minikvm_##s),			\
		  .kvm_size = sizeof(struct kvm_##s) },
#define F(s, f)	{ .owner = #s, .field = #f,				\
		  .off = offsetof(struct minikvm_##s, f),		\
		  .kvm_off = offsetof(struct kvm_##s, f),		\
		  .size = SIZE_OF(minikvm_##s, f),			\
		  .kvm_size = SIZE_OF(kvm_##s, f) },
#define X(s, f)	{ .owner = #s, .field = #f,				\
		  .off = offsetof(struct minikvm_##s, f),		\
		  .kvm_off = offsetof(struct kvm_##s, f),		\
		  .size = SIZE_OF(minikvm_##s, f[0]),			\
		  .kvm_size = SIZE_OF(kvm_##s, f[0]) },
#define B(s, f)	{ .owner = #s, .field = #f,				\
		  .bits = &(const struct minikvm_##s){ .f = 1 },	\
		  .kvm_bits = &(const struct kvm_##s){ .f = 1 },	\
		  .bits_size = sizeof(struct kvm_##s) },
#define Z(s, n)	{ .owner = #s, .field = "",				\
		  .size = sizeof(struct minikvm_##s), .kvm_size = (n) },
#define L(s, f, o, n) { .owner = #s, .field = #f,			\
		  .off = offsetof(struct minikvm_##s, f), .kvm_off = (o), \
		  .size = SIZE_OF(minikvm_##s, f), .kvm_size = (n) },

#include "uapi_names.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* The headers' text, NUL-terminated; paths are from selftests/. */
#define EMBED(symbol, path)						\
	extern const char symbol[];					\
	__asm__(".pushsection .rodata\n" #symbol ":\n.incbin \"" path "\"\n" \
		".byte 0\n.popsection\n")
EMBED(text_minikvm, "../uapi/minikvm.h");
EMBED(text_cap, "../uapi/minikvm_cap.h");
EMBED(text_state, "../uapi/minikvm_state.h");
EMBED(text_para, "../uapi/minikvm_para.h");

static bool number_listed(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		if (!strcmp(numbers[i].name, name))
			return true;
	/* A string, compared in main(). */
	return !strcmp(name, "MINIKVM_SIGNATURE");
}

/* Whether one component of "a[1].b.c" is @name. */
static bool path_has(const char *path, const char *name)
{
	size_t len = strlen(name);

	while (*path) {
		if (!strncmp(path, name, len) && !isalnum(path[len]) &&
		    path[len] != '_')
			return true;
		path += strcspn(path, ".");
		path += *path == '.';
	}
	return false;
}

static bool field_listed(const char *owner, const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(layouts); i++)
		if (!strcmp(layouts[i].owner, owner) &&
		    (*name ? path_has(layouts[i].field, name) :
			     !*layouts[i].field))
			return true;
	return false;
}

/*
 * Splits a header into words, single punctuation marks and newlines (which end
 * a #define). Comments vanish.
 */
static const char *next_token(const char *p, char *token, size_t size)
{
	size_t n = 0;

	for (;;) {
		while (*p == ' ' || *p == '\t')
			p++;
		if (strncmp(p, "/*", 2))
			break;
		p = strstr(p, "*/");
		if (!p)
			tap_bail("unterminated comment in a header");
		p += 2;
	}
	if (isalnum(*p) || *p == '_') {
		while ((isalnum(*p) || *p == '_') && n < size - 1)
			token[n++] = *p++;
	} else if (*p) {
		token[n++] = *p++;
	}
	token[n] = '\0';
	return p;
}

struct scan {
	unsigned int names, fields, missing;
};

static void missing(struct scan *scan, const char *what, const char *name)
{
	tap_diag("not in uapi_names.h: %s %s", what, name);
	scan->missing++;
}

/* A declared name is a word followed by ; , [ or : outside of brackets. */
static const char *scan_struct(const char *p, const char *owner,
			       struct scan *scan)
{
	char token[80] = "", last[80];
	int depth = 1, brackets = 0;

	while (depth > 0) {
		strcpy(last, token);
		p = next_token(p, token, sizeof(token));
		if (!*token)
			tap_bail("struct %s does not end", owner);
		depth += (*token == '{') - (*token == '}');
		if (!brackets && strchr(";,[:", *token) &&
		    (isalpha(*last) || *last == '_')) {
			scan->fields++;
			if (!field_listed(owner, last))
				missing(scan, owner, last);
		}
		brackets += (*token == '[') - (*token == ']');
	}
	return p;
}

static void scan_header(const char *p, struct scan *scan)
{
	char token[80], name[80];

	for (;;) {
		p = next_token(p, token, sizeof(token));
		if (!*token)
			return;
		if (!strcmp(token, "define")) {
			p = next_token(p, name, sizeof(name));
			if (!strncmp(name, "_UAPI_", 6))
				continue;
			scan->names++;
			if (!number_listed(name))
				missing(scan, "macro", name);
		} else if (!strcmp(token, "struct")) {
			p = next_token(p, name, sizeof(name));
			p = next_token(p, token, sizeof(token));
			if (strncmp(name, "minikvm_", 8) || *token != '{')
				continue;
			scan->names++;
			if (!field_listed(name + 8, ""))
				missing(scan, "struct", name);
			p = scan_struct(p, name + 8, scan);
		}
	}
}

static void test_layout(const struct layout *l)
{
	const char *dot = *l->field ? "." : "";
	bool ok = l->off == l->kvm_off && l->size == l->kvm_size;

	if (l->bits)
		ok = ok && !memcmp(l->bits, l->kvm_bits, l->bits_size);
	if (!tap_ok(ok, "struct minikvm_%s%s%s", l->owner, dot, l->field))
		tap_diag("offset %zu, want %zu; size %zu, want %zu%s", l->off,
			 l->kvm_off, l->size, l->kvm_size,
			 l->bits ? "; or bits differ" : "");
}

int main(void)
{
	struct scan scan = { 0 };
	size_t i;

	tap_plan(ARRAY_SIZE(numbers) + ARRAY_SIZE(layouts) + 3);
	for (i = 0; i < ARRAY_SIZE(numbers); i++)
		tap_eq(numbers[i].ours, numbers[i].kvms, "%s", numbers[i].name);
	for (i = 0; i < ARRAY_SIZE(layouts); i++)
		test_layout(&layouts[i]);
	tap_ok(sizeof(MINIKVM_SIGNATURE) == sizeof(KVM_SIGNATURE) &&
	       !memcmp(MINIKVM_SIGNATURE, KVM_SIGNATURE, sizeof(KVM_SIGNATURE)),
	       "MINIKVM_SIGNATURE");

	scan_header(text_minikvm, &scan);
	scan_header(text_cap, &scan);
	scan_header(text_state, &scan);
	scan_header(text_para, &scan);
	tap_diag("the headers declare %u macros and structures, %u fields",
		 scan.names, scan.fields);
	tap_ok(!scan.missing, "every name of the headers is in the list");
	/* The parser saw the headers: it cannot pass by reading nothing. */
	tap_ok(scan.names >= ARRAY_SIZE(numbers) && scan.fields > 300,
	       "the headers were read to their end");
	return tap_done();
}
