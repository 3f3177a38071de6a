// SPDX-License-Identifier: GPL-2.0
/*
 * Segmentation: bases, limits, types and canonical addresses, mode by mode.
 */
#include "tap.h"
#include "segment.h"

#define ES	0
#define SS	2
#define DS	3
#define FS	4
#define GP	13
#define SS_FAULT 12

static struct gva_fault fault;
static u64 linear;

static int lin(enum x86_mode mode, struct x86_segment s, u64 ea, u32 size, bool write)
{
	memset(&fault, 0xee, sizeof(fault));
	linear = ~0ULL;
	return x86_linearize(&s, mode, ea, size, write, &linear, &fault);
}

static bool faults(int r, u8 vector)
{
	return r == -EFAULT && fault.vector == vector && fault.has_error_code && !fault.error_code;
}

static void test_long(void)
{
	struct x86_segment ds = { .seg = DS, .base = 0x1000 }, fs = { .seg = FS, .base = 0x1000 };
	struct x86_segment ss = { .seg = SS };

	tap_ok(!lin(X86_MODE_LONG, ds, 0x20, 8, true) && linear == 0x20,
	       "64-bit: DS has no base, no limit, no type");
	tap_ok(!lin(X86_MODE_LONG, fs, 0x20, 8, true) && linear == 0x1020, "64-bit: FS has a base");
	tap_ok(!lin(X86_MODE_LONG, ds, 0x7ffffffffff8, 8, false), "48 bits: last low address");
	tap_ok(faults(lin(X86_MODE_LONG, ds, 0x7ffffffffffc, 8, false), GP),
	       "48 bits: the end of an access counts");
	tap_ok(!lin(X86_MODE_LONG, ds, 0xffff800000000000, 1, false), "48 bits: first high address");
	tap_ok(faults(lin(X86_MODE_LONG, ss, 0x800000000000, 1, false), SS_FAULT),
	       "a non-canonical stack address is #SS");
	tap_ok(!lin(X86_MODE_LONG57, ds, 0x800000000000, 1, false), "57 bits reach further");
	tap_ok(faults(lin(X86_MODE_LONG57, ds, 1ULL << 56, 1, false), GP), "57 bits end too");
}

static void test_protected(void)
{
	struct x86_segment data = { .seg = DS, .base = 0xfffff000, .limit = 0xfff, .type = 3,
				    .usable = true };
	struct x86_segment s;

	tap_ok(!lin(X86_MODE_PROT32, data, 0xffc, 4, true) && linear == 0xfffffffc,
	       "the last four bytes of the limit");
	tap_ok(faults(lin(X86_MODE_PROT32, data, 0xffd, 4, true), GP), "one byte beyond the limit");
	tap_ok(faults(lin(X86_MODE_PROT32, data, 0xffffffff, 4, false), GP), "an offset that wraps");
	s = data;
	s.limit = 0xffffffff;
	tap_ok(!lin(X86_MODE_PROT32, s, 0x1000, 4, true) && linear == 0,
	       "base plus offset wraps at 4 GiB");
	s.type = 1;
	tap_ok(!lin(X86_MODE_PROT32, s, 0, 4, false) &&
	       faults(lin(X86_MODE_PROT32, s, 0, 4, true), GP), "a read-only segment");
	s.type = 9;
	tap_ok(faults(lin(X86_MODE_PROT32, s, 0, 4, false), GP), "execute-only code is not read");
	s.type = 11;
	tap_ok(!lin(X86_MODE_PROT32, s, 0, 4, false) &&
	       faults(lin(X86_MODE_PROT32, s, 0, 4, true), GP), "code is read but not written");
	s.usable = false;
	tap_ok(faults(lin(X86_MODE_PROT32, s, 0, 1, false), GP), "a null selector");
	s = data;
	s.seg = SS;
	tap_ok(faults(lin(X86_MODE_PROT16, s, 0x1000, 2, true), SS_FAULT), "the stack's limit is #SS");
}

static void test_expand_down(void)
{
	struct x86_segment s = { .seg = ES, .limit = 0xfff, .type = 7, .usable = true };

	tap_ok(faults(lin(X86_MODE_PROT32, s, 0xfff, 1, true), GP), "expand-down: up to the limit no");
	tap_ok(!lin(X86_MODE_PROT32, s, 0x1000, 1, true), "expand-down: above the limit yes");
	tap_ok(faults(lin(X86_MODE_PROT32, s, 0xffff, 2, true), GP), "expand-down: 16-bit top");
	s.big = true;
	tap_ok(!lin(X86_MODE_PROT32, s, 0xffff, 2, true), "expand-down: 32-bit top");
	tap_ok(faults(lin(X86_MODE_PROT32, s, 0xffffffff, 2, true), GP), "expand-down: 4 GiB is the end");
}

static void test_real(void)
{
	struct x86_segment s = { .seg = DS, .base = 0xffff0, .limit = 0xffff };

	tap_ok(!lin(X86_MODE_REAL, s, 0xffff, 1, true) && linear == 0x10ffef,
	       "real mode: no type, no A20 wrap");
	tap_ok(faults(lin(X86_MODE_REAL, s, 0xffff, 2, true), GP), "real mode: 64 KiB limit");
	s.limit = 0xffffffff;
	tap_ok(!lin(X86_MODE_REAL, s, 0xfee00000, 4, true) && linear == 0xfeeffff0,
	       "big real mode: the limit that was left counts");
}

int main(void)
{
	tap_plan(0);
	test_long();
	test_protected();
	test_expand_down();
	test_real();
	return tap_done();
}
