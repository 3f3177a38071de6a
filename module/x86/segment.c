// SPDX-License-Identifier: GPL-2.0
/*
 * Segmentation: offset to linear address with the checks of each mode. Pure
 * logic, also built into the unit tests.
 *
 * Source: Intel SDM vol. 3A (December 2023), "Limit Checking", "Type Checking"
 * and "Segment Limit Checking in 64-bit Mode"; vol. 1, "Canonical Addressing".
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/types.h>

#include "segment.h"

#define SEG_NR_SS	2
#define SEG_NR_FS	4

#define VECTOR_SS	12
#define VECTOR_GP	13

#define TYPE_CODE	BIT(3)
#define TYPE_DOWN	BIT(2)	/* data: expands down */
#define TYPE_RW		BIT(1)	/* data: writable; code: readable */

static int segment_fault(const struct x86_segment *s, struct gva_fault *fault)
{
	fault->vector = s->seg == SEG_NR_SS ? VECTOR_SS : VECTOR_GP;
	fault->has_error_code = true;
	fault->error_code = 0;
	fault->address = 0;
	return -EFAULT;
}

static bool canonical(u64 address, int bits)
{
	return (u64)((s64)(address << (64 - bits)) >> (64 - bits)) == address;
}

static bool type_allows(const struct x86_segment *s, bool write)
{
	if (!s->usable)
		return false;
	if (write)
		return (s->type & (TYPE_CODE | TYPE_RW)) == TYPE_RW;
	return !(s->type & TYPE_CODE) || (s->type & TYPE_RW);
}

static bool limit_allows(const struct x86_segment *s, u64 ea, u32 size)
{
	u64 last = ea + size - 1;

	if ((s->type & (TYPE_CODE | TYPE_DOWN)) == TYPE_DOWN)
		return ea > s->limit && last <= (s->big ? 0xffffffffu : 0xffffu);
	return last <= s->limit;
}

/**
 * x86_linearize - the linear address of an operand
 * @s: its segment
 * @mode: the guest's mode
 * @ea: offset, already cut to the address size
 * @size: bytes accessed
 * @write: the operand is written
 * @linear: out
 * @fault: out, on failure: #SS(0) for the stack segment, else #GP(0)
 *
 * Return: 0 or -EFAULT.
 */
int x86_linearize(const struct x86_segment *s, enum x86_mode mode, u64 ea, u32 size,
		  bool write, u64 *linear, struct gva_fault *fault)
{
	int bits;

	switch (mode) {
	case X86_MODE_LONG:
	case X86_MODE_LONG57:
		bits = mode == X86_MODE_LONG57 ? 57 : 48;
		*linear = s->seg >= SEG_NR_FS ? s->base + ea : ea;
		if (!canonical(*linear, bits) || !canonical(*linear + size - 1, bits))
			return segment_fault(s, fault);
		return 0;
	case X86_MODE_PROT16:
	case X86_MODE_PROT32:
		if (!type_allows(s, write))
			return segment_fault(s, fault);
		break;
	case X86_MODE_REAL:
		break;
	}
	if (!limit_allows(s, ea, size))
		return segment_fault(s, fault);
	*linear = (u32)(s->base + ea);
	return 0;
}
