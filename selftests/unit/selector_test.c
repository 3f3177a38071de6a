// SPDX-License-Identifier: GPL-2.0
/*
 * Loading segment registers: which descriptor is good for which register at which level, the fault
 * otherwise, the bits that are marked in the table, and tables that end too early or are not there.
 */
#include "tap.h"
#include "selector.h"

#define GDT	0x1000
#define LDT	0x2000
#define ES	0
#define CS	1
#define SS	2
#define DS	3
#define TS	10
#define NP	11
#define SSF	12
#define GP	13

static u8 mem[0x3000];
static int writes;
static enum exec_result answer;		/* of the next access */

static enum exec_result t_read(struct selector_env *env, u64 linear, void *buf, u32 size)
{
	(void)env;
	if (answer)
		return answer;
	if (linear + size > sizeof(mem))
		return EXEC_UNKNOWN;
	memcpy(buf, mem + linear, size);
	return EXEC_OK;
}

static enum exec_result t_write(struct selector_env *env, u64 linear, const void *buf, u32 size)
{
	(void)env;
	writes++;
	if (linear + size > sizeof(mem))
		return EXEC_UNKNOWN;
	memcpy(mem + linear, buf, size);
	return EXEC_OK;
}

static const struct selector_ops ops = { .read = t_read, .write = t_write };

static struct selector_env env;
static struct minikvm_segment seg;

/* Descriptor @index gets access byte @access and flags @flags, base 12345678h, limit abcdeh. */
static void put(unsigned int index, u8 access, u8 flags)
{
	u64 d = 0xbcdeull | 0x345678ull << 16 | (u64)access << 40 | (u64)(flags << 4 | 0xa) << 48 | 0x12ull << 56;

	memcpy(mem + GDT + 8 * index, &d, 8);
}

static void fresh(u8 cpl)
{
	memset(mem, 0, sizeof(mem));
	env = (struct selector_env){
		.ops = &ops, .cpl = cpl, .linear_bits = 48,
		.gdt = { .base = GDT, .limit = 0x7f }, .ldt = { .unusable = 1 },
	};
	seg = (struct minikvm_segment){ .selector = 0x7777 };
	writes = 0;
	answer = EXEC_OK;
}

static bool loads(int reg, u16 selector, enum seg_transfer how)
{
	return selector_load(&env, reg, selector, how, &seg) == EXEC_OK && seg.selector == selector;
}

static bool faults(int reg, u16 selector, enum seg_transfer how, u8 vector, u16 code)
{
	return selector_load(&env, reg, selector, how, &seg) == EXEC_FAULT && env.fault.vector == vector &&
	       env.fault.has_error_code && env.fault.error_code == code && seg.selector == 0x7777 && !writes;
}

static void test_data(void)
{
	fresh(0);
	put(1, 0x92, 0xc);
	tap_ok(loads(DS, 8, TRANSFER_LOAD) && seg.base == 0x12345678 && seg.limit == 0xabcdefff && seg.g && seg.db &&
	       seg.type == 3 && seg.s && seg.present && !seg.unusable, "a data segment, with pages as its unit");
	tap_ok(writes == 1 && mem[GDT + 13] == 0x93, "it is marked as accessed in the table");
	put(1, 0x93, 0x4);
	writes = 0;
	tap_ok(loads(ES, 8, TRANSFER_LOAD) && seg.limit == 0xabcde && !writes, "an accessed one is not written to");

	fresh(3);
	put(1, 0x93, 0xc);
	tap_ok(faults(DS, 8, TRANSFER_LOAD, GP, 8), "level 3 does not load data of level 0");
	put(1, 0xf3, 0xc);
	tap_ok(loads(DS, 11, TRANSFER_LOAD), "but its own");
	fresh(0);
	put(1, 0x93, 0xc);
	tap_ok(faults(DS, 11, TRANSFER_LOAD, GP, 8), "the requested level counts, too");
	put(1, 0x99, 0xc);
	tap_ok(faults(DS, 8, TRANSFER_LOAD, GP, 8), "code that cannot be read is no data");
	put(1, 0x9b, 0xc);
	tap_ok(loads(DS, 8, TRANSFER_LOAD), "code that can is");
	fresh(0);
	put(1, 0x13, 0xc);
	tap_ok(faults(DS, 8, TRANSFER_LOAD, NP, 8), "not present: #NP");
	put(1, 0x89, 0);
	tap_ok(faults(DS, 8, TRANSFER_LOAD, GP, 8), "a TSS is no data");
	tap_ok(faults(DS, 0x80, TRANSFER_LOAD, GP, 0x80), "beyond the table");
	tap_ok(faults(DS, 0x0c, TRANSFER_LOAD, GP, 0x0c), "in an LDT that is not there");
	tap_ok(loads(DS, 3, TRANSFER_LOAD) && seg.unusable, "a null selector is fine in DS");
	answer = EXEC_WAIT;
	tap_eq(selector_load(&env, DS, 8, TRANSFER_LOAD, &seg), EXEC_WAIT, "a table that has to be waited for");
}

static void test_stack(void)
{
	fresh(0);
	put(1, 0x93, 0xc);
	tap_ok(loads(SS, 8, TRANSFER_LOAD), "a stack");
	fresh(0);
	put(1, 0x91, 0xc);
	tap_ok(faults(SS, 8, TRANSFER_LOAD, GP, 8), "a stack must be writable");
	put(1, 0xf3, 0xc);
	tap_ok(faults(SS, 8, TRANSFER_LOAD, GP, 8), "and of the current level");
	put(1, 0x13, 0xc);
	tap_ok(faults(SS, 8, TRANSFER_LOAD, SSF, 8), "not present: #SS");
	tap_ok(faults(SS, 0, TRANSFER_LOAD, GP, 0), "and not null");
	env.long_mode = true;
	env.code64 = true;
	tap_ok(loads(SS, 0, TRANSFER_LOAD) && seg.unusable, "but in 64-bit code");
	fresh(3);
	env.long_mode = true;
	env.code64 = true;
	tap_ok(faults(SS, 3, TRANSFER_LOAD, GP, 0), "below level 3");
}

static void test_code(void)
{
	fresh(0);
	put(1, 0x9b, 0xc);
	tap_ok(loads(CS, 8, TRANSFER_BRANCH), "a jump to code");
	tap_ok(loads(CS, 8, TRANSFER_RETURN), "a return to code");
	fresh(3);
	put(1, 0x9b, 0xc);
	tap_ok(faults(CS, 11, TRANSFER_BRANCH, GP, 8), "no jump to another level");
	put(1, 0x9f, 0xc);
	tap_ok(selector_load(&env, CS, 8, TRANSFER_BRANCH, &seg) == EXEC_OK && seg.selector == 11,
	       "but to conforming code, at the old level");
	fresh(3);
	put(1, 0x9b, 0xc);
	tap_ok(faults(CS, 8, TRANSFER_RETURN, GP, 8), "no return inwards");
	fresh(0);
	put(1, 0xfb, 0xc);
	tap_eq(selector_load(&env, CS, 11, TRANSFER_RETURN, &seg), EXEC_UNKNOWN, "a return outwards is not done here");
	put(2, 0x8c, 0);
	tap_eq(selector_load(&env, CS, 0x10, TRANSFER_BRANCH, &seg), EXEC_UNKNOWN, "nor a call through a gate");
	put(1, 0x93, 0xc);
	tap_ok(faults(CS, 8, TRANSFER_BRANCH, GP, 8), "data is no code");
	put(1, 0x9b, 0x6);
	env.long_mode = true;
	tap_ok(faults(CS, 8, TRANSFER_BRANCH, GP, 8), "in long mode not with both L and D");
	tap_ok(faults(CS, 0, TRANSFER_BRANCH, GP, 0), "nor the null selector");
}

static void test_system(void)
{
	u32 upper = 0xffff8000;

	fresh(0);
	put(1, 0x89, 0);
	tap_ok(loads(SEL_TR, 8, TRANSFER_LOAD) && seg.type == 11 && mem[GDT + 13] == 0x8b, "LTR makes the TSS busy");
	fresh(0);
	put(1, 0x8b, 0);
	tap_ok(faults(SEL_TR, 8, TRANSFER_LOAD, GP, 8), "and refuses a busy one");
	tap_ok(faults(SEL_TR, 0x0c, TRANSFER_LOAD, GP, 0x0c), "and one in the LDT");
	tap_ok(faults(SEL_TR, 0, TRANSFER_LOAD, GP, 0), "and none");
	put(1, 0x82, 0);
	tap_ok(loads(SEL_LDTR, 8, TRANSFER_LOAD) && !writes, "LLDT");
	tap_ok(loads(SEL_LDTR, 0, TRANSFER_LOAD) && seg.unusable, "LLDT of none");
	fresh(0);
	tap_ok(faults(SEL_LDTR, 8, TRANSFER_TASK, TS, 8), "a task's LDT that is none: #TS");

	fresh(0);
	env.long_mode = true;
	put(1, 0x89, 0);
	memcpy(mem + GDT + 16, &upper, 4);
	tap_ok(loads(SEL_TR, 8, TRANSFER_LOAD) && seg.base == 0xffff800012345678, "in long mode the base has 64 bits");
	fresh(0);
	env.long_mode = true;
	put(1, 0x89, 0);
	upper = 0x8000;
	memcpy(mem + GDT + 16, &upper, 4);
	tap_ok(faults(SEL_TR, 8, TRANSFER_LOAD, GP, 8), "and must be canonical");
	put(1, 0x81, 0);
	tap_ok(faults(SEL_TR, 8, TRANSFER_LOAD, GP, 8), "and a 16-bit TSS is none");
}

static void test_modes(void)
{
	fresh(0);
	env.real = true;
	seg = (struct minikvm_segment){ .limit = 0xffffffff, .type = 3, .s = 1 };
	tap_ok(loads(DS, 0x1234, TRANSFER_LOAD) && seg.base == 0x12340 && seg.limit == 0xffffffff,
	       "real mode: the base changes, a large limit stays");
	env.real = false;
	env.vm86 = true;
	tap_ok(loads(DS, 0x1234, TRANSFER_LOAD) && seg.base == 0x12340 && seg.limit == 0xffff && seg.dpl == 3,
	       "virtual-8086 mode: everything is given");
	fresh(0);
	put(1, 0x93, 0xc);
	memcpy(mem + LDT + 8, mem + GDT + 8, 8);
	env.ldt = (struct minikvm_segment){ .base = LDT, .limit = 15, .present = 1 };
	tap_ok(loads(DS, 0x0c, TRANSFER_LOAD), "from the LDT");
	seg.selector = 0x7777;
	tap_ok(faults(DS, 0x14, TRANSFER_LOAD, GP, 0x14), "beyond it");
}

static bool probe(enum insn_op op, u16 selector)
{
	bool ok;
	u64 desc;

	return selector_probe(&env, op, selector, &ok, &desc) == EXEC_OK && ok;
}

static void test_probe(void)
{
	fresh(3);
	put(1, 0xf1, 0xc);
	put(2, 0x93, 0xc);
	put(3, 0xfa, 0xc);
	put(4, 0xe9, 0);
	tap_ok(probe(OP_VERR, 11) && !probe(OP_VERW, 11), "data that may be read, but not written");
	tap_ok(!probe(OP_VERR, 16) && !probe(OP_LAR, 16) && !probe(OP_LSL, 16), "data of another level is not seen");
	tap_ok(probe(OP_VERR, 27) && !probe(OP_VERW, 27) && probe(OP_LAR, 27), "code");
	tap_ok(probe(OP_LAR, 35) && probe(OP_LSL, 35) && !probe(OP_VERR, 35), "a TSS has rights and a limit");
	tap_ok(!probe(OP_LAR, 0) && !probe(OP_LAR, 0x88) && !writes, "null, and beyond the table");
}

int main(void)
{
	tap_plan(0);
	test_data();
	test_stack();
	test_code();
	test_system();
	test_modes();
	test_probe();
	return tap_done();
}
