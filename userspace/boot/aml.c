// SPDX-License-Identifier: GPL-2.0
/*
 * Writing AML: terms, package lengths, names and resource descriptors.
 *
 * Source: ACPI Specification 6.4, "ACPI Machine Language (AML) Specification" and "Resource Data
 * Types for ACPI".
 */
#include <string.h>

#include "boot/aml.h"
#include "types.h"

#define OP_ZERO		0x00
#define OP_ONE		0x01
#define OP_NAME		0x08
#define OP_BYTE		0x0a
#define OP_WORD		0x0b
#define OP_DWORD	0x0c
#define OP_QWORD	0x0e
#define OP_SCOPE	0x10
#define OP_BUFFER	0x11
#define OP_PACKAGE	0x12
#define OP_EXT		0x5b
#define OP_EXT_DEVICE	0x82
#define CHAR_ROOT	'\\'

static void put(struct aml *aml, const void *data, size_t len)
{
	if (aml->full || len > aml->size - aml->len) {
		aml->full = true;
		return;
	}
	memcpy(aml->buf + aml->len, data, len);
	aml->len += len;
}

static void put_byte(struct aml *aml, u8 byte)
{
	put(aml, &byte, 1);
}

/* A name, with an optional leading backslash, padded to four characters. */
static void put_name(struct aml *aml, const char *name)
{
	char seg[4] = "____";
	size_t len;

	if (*name == CHAR_ROOT) {
		put_byte(aml, (u8)*name);
		name++;
	}
	len = strlen(name);
	memcpy(seg, name, len < sizeof(seg) ? len : sizeof(seg));
	put(aml, seg, sizeof(seg));
}

size_t aml_begin_scope(struct aml *aml, const char *path)
{
	size_t mark;

	put_byte(aml, OP_SCOPE);
	mark = aml->len;
	put_name(aml, path);
	return mark;
}

size_t aml_begin_device(struct aml *aml, const char *seg)
{
	size_t mark;

	put_byte(aml, OP_EXT);
	put_byte(aml, OP_EXT_DEVICE);
	mark = aml->len;
	put_name(aml, seg);
	return mark;
}

size_t aml_begin_package(struct aml *aml, u8 nr_elements)
{
	size_t mark;

	put_byte(aml, OP_PACKAGE);
	mark = aml->len;
	put_byte(aml, nr_elements);
	return mark;
}

/* PkgLength of a block of @len bytes; the encoding counts itself. Return its size. */
static unsigned int encode_length(u8 out[4], size_t len)
{
	unsigned int extra, i;

	if (len + 1 < 64) {
		out[0] = (u8)(len + 1);
		return 1;
	}
	for (extra = 1; extra < 3 && len + 1 + extra >= (1ULL << (4 + 8 * extra)); extra++)
		;
	len += 1 + extra;
	out[0] = (u8)(extra << 6 | (len & 0xf));
	for (i = 1; i <= extra; i++)
		out[i] = (u8)(len >> (8 * i - 4));
	return 1 + extra;
}

/* The length is known only now: make room for it in front of the block. */
void aml_end(struct aml *aml, size_t mark)
{
	u8 length[4];
	unsigned int n;

	if (aml->full)
		return;
	n = encode_length(length, aml->len - mark);
	if (n > aml->size - aml->len) {
		aml->full = true;
		return;
	}
	memmove(aml->buf + mark + n, aml->buf + mark, aml->len - mark);
	memcpy(aml->buf + mark, length, n);
	aml->len += n;
}

void aml_name(struct aml *aml, const char *seg)
{
	put_byte(aml, OP_NAME);
	put_name(aml, seg);
}

void aml_int(struct aml *aml, u64 value)
{
	if (value <= 1) {
		put_byte(aml, value ? OP_ONE : OP_ZERO);
	} else if (value <= 0xff) {
		put_byte(aml, OP_BYTE);
		put(aml, &value, 1);
	} else if (value <= 0xffff) {
		put_byte(aml, OP_WORD);
		put(aml, &value, 2);
	} else if (value <= 0xffffffff) {
		put_byte(aml, OP_DWORD);
		put(aml, &value, 4);
	} else {
		put_byte(aml, OP_QWORD);
		put(aml, &value, 8);
	}
}

static unsigned int hex(char c)
{
	return (unsigned int)(c <= '9' ? c - '0' : c - 'A' + 10);
}

void aml_eisaid(struct aml *aml, const char *id)
{
	/* Three letters of five bits, then four hex digits, as a big-endian 32-bit number. */
	unsigned int letters = ((unsigned int)id[0] & 0x1f) << 10 |
			       ((unsigned int)id[1] & 0x1f) << 5 | ((unsigned int)id[2] & 0x1f);
	u8 value[4] = {
		(u8)(letters >> 8), (u8)letters,
		(u8)(hex(id[3]) << 4 | hex(id[4])), (u8)(hex(id[5]) << 4 | hex(id[6])),
	};

	put_byte(aml, OP_DWORD);
	put(aml, value, sizeof(value));
}

static void res_put(struct aml_res *res, const u8 *data, size_t len)
{
	/* Two bytes are kept for the end tag. */
	if (len > sizeof(res->data) - 2 - res->len)
		return;
	memcpy(res->data + res->len, data, len);
	res->len += len;
}

#define LO(x)	((u8)(x))
#define HI(x)	((u8)((x) >> 8))

void aml_res_io(struct aml_res *res, u16 port, u8 len)
{
	const u8 d[] = { 0x47, 1, LO(port), HI(port), LO(port), HI(port), 1, len };

	res_put(res, d, sizeof(d));
}

/* Edge triggered, active high, exclusive: an ISA interrupt. */
void aml_res_irq(struct aml_res *res, unsigned int irq)
{
	const u8 d[] = { 0x22, LO(1u << irq), HI(1u << irq) };

	res_put(res, d, sizeof(d));
}

/* General flags of an address range: minimum and maximum are fixed, positive decode. */
#define RANGE_FIXED	0x0c

static void word_range(struct aml_res *res, u8 type, u8 type_flags, u16 min, u16 max)
{
	u16 len = (u16)(max - min + 1);
	const u8 d[] = {
		0x88,	 13,	  0,	   type,    RANGE_FIXED, type_flags, 0,	      0,
		LO(min), HI(min), LO(max), HI(max), 0,		 0,	     LO(len), HI(len),
	};

	res_put(res, d, sizeof(d));
}

void aml_res_bus_range(struct aml_res *res, u16 min, u16 max)
{
	word_range(res, 2, 0, min, max);
}

void aml_res_io_range(struct aml_res *res, u16 min, u16 max)
{
	word_range(res, 1, 3 /* ISA and non-ISA addresses */, min, max);
}

void aml_res_mem_range(struct aml_res *res, u32 min, u32 max)
{
	u32 fields[5] = { 0, min, max, 0, max - min + 1 };
	/* Type 0: memory; last byte: read-write, not cached. */
	const u8 head[] = { 0x87, 23, 0, 0, RANGE_FIXED, 1 };
	u8 d[sizeof(head) + sizeof(fields)];

	memcpy(d, head, sizeof(head));
	memcpy(d + sizeof(head), fields, sizeof(fields));
	res_put(res, d, sizeof(d));
}

void aml_res_put(struct aml *aml, struct aml_res *res)
{
	size_t mark;

	res->data[res->len++] = 0x79;	/* end tag; checksum 0: not checked */
	res->data[res->len++] = 0;
	put_byte(aml, OP_BUFFER);
	mark = aml->len;
	aml_int(aml, res->len);
	put(aml, res->data, res->len);
	aml_end(aml, mark);
}
