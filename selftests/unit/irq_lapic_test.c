// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC's arithmetic: vectors and priorities, the timer's divisor,
 * logical destinations in the three models.
 */
#include <linux/types.h>

#include "apic_regs.h"
#include "tap.h"

static _Alignas(64) unsigned char regs[0x400];

static void set_vector(u32 bank, u8 vector)
{
	u32 offset = bank + (vector / 32) * 0x10;

	apic_reg_set(regs, offset, apic_reg(regs, offset) | 1u << vector % 32);
}

static void test_vectors(void)
{
	bool right = true;
	int v;

	tap_eq(apic_vector_highest(regs, LAPIC_IRR), -1, "no vector: -1");
	for (v = 0; v < 256; v++) {
		memset(regs, 0, sizeof(regs));
		set_vector(LAPIC_IRR, v);
		right = right && apic_vector_highest(regs, LAPIC_IRR) == v &&
			apic_vector_test(regs, LAPIC_IRR, v) &&
			!apic_vector_test(regs, LAPIC_IRR, v ^ 1) &&
			apic_vector_highest(regs, LAPIC_ISR) == -1 &&
			apic_vector_highest(regs, LAPIC_TMR) == -1;
	}
	tap_ok(right, "each of the 256 vectors is found in its bank, and only there");

	memset(regs, 0, sizeof(regs));
	set_vector(LAPIC_ISR, 0x31);
	set_vector(LAPIC_ISR, 0xef);
	set_vector(LAPIC_ISR, 0x80);
	tap_eq(apic_vector_highest(regs, LAPIC_ISR), 0xef, "the highest of three");
}

static void test_priority(void)
{
	tap_eq(apic_ppr(0, -1), 0, "PPR: nothing in service, no task priority");
	tap_eq(apic_ppr(0x35, -1), 0x35, "PPR: the task priority, subclass included");
	tap_eq(apic_ppr(0x35, 0x41), 0x40, "PPR: the service class, without a subclass");
	tap_eq(apic_ppr(0x4f, 0x41), 0x4f, "PPR: on a tie the task priority");
	tap_eq(apic_ppr(0x135, -1), 0x35, "PPR: only eight bits count");

	tap_ok(!apic_vector_passes(-1, 0), "no vector passes nothing");
	tap_ok(!apic_vector_passes(0x0f, 0), "class 0 never passes");
	tap_ok(apic_vector_passes(0x10, 0), "class 1 passes PPR 0");
	tap_ok(!apic_vector_passes(0x4f, 0x40), "the same class does not pass");
	tap_ok(apic_vector_passes(0x50, 0x4f), "the next one does");
}

static void test_divide(void)
{
	static const struct { u32 tdcr, divisor; } t[] = {
		{ 0x0, 2 }, { 0x1, 4 }, { 0x2, 8 }, { 0x3, 16 },
		{ 0x8, 32 }, { 0x9, 64 }, { 0xa, 128 }, { 0xb, 1 },
	};
	unsigned int i;

	for (i = 0; i < sizeof(t) / sizeof(t[0]); i++)
		tap_eq(1u << apic_divide_shift(t[i].tdcr), t[i].divisor,
		       "divide configuration %#x", t[i].tdcr);
	tap_eq(1u << apic_divide_shift(0x4), 2, "bit 2 is reserved and does not count");
}

static void test_logical(void)
{
	int bit, bad = 0;

	for (bit = 0; bit < 8; bit++)
		bad += !xapic_logical_match(0x01000000u << bit, LAPIC_DFR_FLAT, 1u << bit) +
		       xapic_logical_match(0x01000000u << bit, LAPIC_DFR_FLAT, 0xff ^ 1u << bit);
	tap_eq(bad, 0, "flat: one bit each");

	tap_ok(xapic_logical_match(0x32000000, LAPIC_DFR_CLUSTER, 0x36),
	       "cluster: same cluster, a common bit");
	tap_ok(!xapic_logical_match(0x32000000, LAPIC_DFR_CLUSTER, 0x34),
	       "cluster: same cluster, no common bit");
	tap_ok(!xapic_logical_match(0x32000000, LAPIC_DFR_CLUSTER, 0x42),
	       "cluster: another cluster");
	tap_ok(!xapic_logical_match(0x32000000, LAPIC_DFR_CLUSTER, 0x132),
	       "cluster: a destination beyond eight bits");
	tap_ok(!xapic_logical_match(0xff000000, 0x1fffffff, 0xff), "no third model");
	tap_ok(!xapic_logical_match(0, LAPIC_DFR_FLAT, 0xff), "no logical id, no match");

	tap_eq(x2apic_ldr(0), 0x00000001, "x2APIC id 0");
	tap_eq(x2apic_ldr(15), 0x00008000, "x2APIC id 15");
	tap_eq(x2apic_ldr(16), 0x00010001, "x2APIC id 16: next cluster");
	tap_eq(x2apic_ldr(0x3ff), 0x003f8000, "x2APIC id 1023");
	tap_ok(x2apic_logical_match(x2apic_ldr(17), 0x00010003), "x2APIC: one of two meant");
	tap_ok(!x2apic_logical_match(x2apic_ldr(17), 0x00000003), "x2APIC: another cluster");
	tap_ok(!x2apic_logical_match(x2apic_ldr(17), 0x00010001), "x2APIC: another member");
}

int main(void)
{
	test_vectors();
	test_priority();
	test_divide();
	test_logical();
	return tap_done();
}
