// SPDX-License-Identifier: GPL-2.0
/*
 * Selectors and descriptors: what a segment register holds after a load, and
 * every check that may fault instead. Pure logic, also built into the unit
 * tests.
 *
 * Source: Intel SDM vol. 3A (December 2023), "Segment Descriptors", "System
 * Descriptor Types", "Privilege Level Checking When Accessing Data Segments";
 * vol. 2, the pages of MOV, JMP, RET, LTR, LLDT, VERR, LAR.
 */
#include <linux/bits.h>
#include <linux/string.h>
#include <linux/types.h>

#include "selector.h"

#define S_CS		1
#define S_SS		2

#define VECTOR_TS	10
#define VECTOR_NP	11
#define VECTOR_SS	12
#define VECTOR_GP	13

#define SEL_RPL		3
#define SEL_TABLE	4	/* the LDT */

static enum exec_result fault(struct selector_env *env, u8 vector, u16 selector)
{
	env->fault = (struct gva_fault){
		.vector = vector, .has_error_code = true, .error_code = selector & ~SEL_RPL,
	};
	return EXEC_FAULT;
}

static bool canonical(const struct selector_env *env, u64 address)
{
	int spare = 64 - env->linear_bits;

	return (u64)((s64)(address << spare) >> spare) == address;
}

/**
 * selector_read - read the descriptor that a selector names
 * @env: the state
 * @selector: not null
 * @vector: #GP or #TS, if it lies outside its table
 * @desc: out: eight bytes
 * @linear: out: where they are
 *
 * Return: EXEC_OK, EXEC_FAULT, or what @env's operations return.
 */
enum exec_result selector_read(struct selector_env *env, u16 selector, u8 vector, u64 *desc,
			       u64 *linear)
{
	u32 offset = selector & ~7;
	u64 base = env->gdt.base;
	u32 limit = env->gdt.limit;

	if (selector & SEL_TABLE) {
		if (env->ldt.unusable || !env->ldt.present)
			return fault(env, vector, selector);
		base = env->ldt.base;
		limit = env->ldt.limit;
	}
	if (offset + 7 > limit)
		return fault(env, vector, selector);
	*linear = base + offset;
	if (!env->long_mode)
		*linear = (u32)*linear;
	return env->ops->read(env, *linear, desc, 8);
}

/**
 * selector_unpack - from a descriptor's eight bytes to a segment register
 * @desc: descriptor
 * @selector: which it was read for
 * @seg: out
 */
void selector_unpack(u64 desc, u16 selector, struct minikvm_segment *seg)
{
	u32 limit = (desc & 0xffff) | ((desc >> 32) & 0xf0000);

	memset(seg, 0, sizeof(*seg));
	seg->selector = selector;
	seg->base = ((desc >> 16) & 0xffffff) | ((desc >> 32) & 0xff000000);
	seg->type = (desc >> 40) & 15;
	seg->s = (desc >> 44) & 1;
	seg->dpl = (desc >> 45) & 3;
	seg->present = (desc >> 47) & 1;
	seg->avl = (desc >> 52) & 1;
	seg->l = (desc >> 53) & 1;
	seg->db = (desc >> 54) & 1;
	seg->g = (desc >> 55) & 1;
	seg->limit = seg->g ? limit << 12 | 0xfff : limit;
}

/* Real mode keeps limits and types; virtual-8086 mode has its own. */
static void load_paragraph(const struct selector_env *env, u16 selector,
			   struct minikvm_segment *seg)
{
	if (env->vm86)
		*seg = (struct minikvm_segment){
			.limit = 0xffff, .type = 3, .present = 1, .dpl = 3, .s = 1,
		};
	seg->selector = selector;
	seg->base = (u32)selector << 4;
	seg->present = 1;
	seg->unusable = 0;
}

static enum exec_result load_null(struct selector_env *env, int reg, u16 selector, u8 vector,
				  struct minikvm_segment *seg)
{
	u8 rpl = selector & SEL_RPL;

	if (reg == S_CS || reg == SEL_TR)
		return fault(env, vector, 0);
	if (reg == S_SS && (!env->code64 || env->cpl == 3 || rpl != env->cpl))
		return fault(env, vector, 0);
	/* The level is where SS says, null or not. */
	*seg = (struct minikvm_segment){ .selector = selector, .unusable = 1,
					 .dpl = reg == S_SS ? env->cpl : 0 };
	return EXEC_OK;
}

static bool code_allowed(const struct selector_env *env, u16 selector, enum seg_transfer how,
			 const struct minikvm_segment *seg)
{
	bool conforming = seg->type & DESC_CONFORMING;
	u8 rpl = selector & SEL_RPL;

	if (!(seg->type & DESC_CODE))
		return false;
	if (seg->l && seg->db && env->long_mode)
		return false;
	if (how == TRANSFER_BRANCH)
		return conforming ? seg->dpl <= env->cpl : rpl <= env->cpl && seg->dpl == env->cpl;
	return conforming ? seg->dpl <= rpl : seg->dpl == rpl;
}

static bool data_allowed(const struct selector_env *env, u16 selector,
			 const struct minikvm_segment *seg)
{
	u8 rpl = selector & SEL_RPL;

	if ((seg->type & (DESC_CODE | DESC_WRITABLE)) == DESC_CODE)
		return false;
	if ((seg->type & (DESC_CODE | DESC_CONFORMING)) == (DESC_CODE | DESC_CONFORMING))
		return true;
	return rpl <= seg->dpl && env->cpl <= seg->dpl;
}

static bool segment_allowed(const struct selector_env *env, int reg, u16 selector,
			    enum seg_transfer how, const struct minikvm_segment *seg)
{
	switch (reg) {
	case SEL_TR:
		if (seg->s)
			return false;
		return seg->type == SYS_TYPE_TSS32 ||
		       (seg->type == SYS_TYPE_TSS16 && !env->long_mode);
	case SEL_LDTR:
		return !seg->s && seg->type == DESC_LDT;
	case S_SS:
		return seg->s && (selector & SEL_RPL) == env->cpl && seg->dpl == env->cpl &&
		       (seg->type & (DESC_CODE | DESC_WRITABLE)) == DESC_WRITABLE;
	case S_CS:
		return seg->s && code_allowed(env, selector, how, seg);
	default:
		return seg->s && data_allowed(env, selector, seg);
	}
}

/* System descriptors have sixteen bytes in long mode. */
static enum exec_result read_upper_base(struct selector_env *env, u64 linear, u16 selector,
					struct minikvm_segment *seg)
{
	enum exec_result res;
	u32 upper = 0;

	res = env->ops->read(env, linear + 8, &upper, sizeof(upper));
	if (res)
		return res;
	seg->base |= (u64)upper << 32;
	return canonical(env, seg->base) ? EXEC_OK : fault(env, VECTOR_GP, selector);
}

/* Set a bit of the descriptor's type, where it is not set yet. */
static enum exec_result mark(struct selector_env *env, u64 desc, u64 linear, u8 bit)
{
	u64 marked = desc | (u64)bit << 40;
	u8 byte = marked >> 40;

	return marked == desc ? EXEC_OK : env->ops->write(env, linear + 5, &byte, 1);
}

static u8 not_present_vector(int reg, enum seg_transfer how)
{
	if (reg == S_SS)
		return VECTOR_SS;
	return reg == SEL_LDTR && how == TRANSFER_TASK ? VECTOR_TS : VECTOR_NP;
}

/* What the instructions that would change level need is not here. */
static bool unsupported(const struct selector_env *env, int reg, u16 selector,
			enum seg_transfer how, const struct minikvm_segment *seg)
{
	if (reg != S_CS)
		return false;
	if (how == TRANSFER_BRANCH)		/* a gate or a task */
		return !seg->s;
	return how == TRANSFER_RETURN && (selector & SEL_RPL) > env->cpl;
}

/**
 * selector_load - load a segment register as the CPU would
 * @env: the state
 * @reg: 0..5 in encoding order, SEL_TR, SEL_LDTR
 * @selector: what is loaded
 * @how: by what
 * @seg: in: what the register holds; out, with EXEC_OK: what it is to hold
 *
 * Return: EXEC_OK; EXEC_FAULT with @env->fault; EXEC_UNKNOWN: a gate, a task or
 * a return to an outer level; or what @env's operations return.
 * SDM: "Segment Descriptors", "Privilege Level Checking When Accessing Data Segments".
 */
enum exec_result selector_load(struct selector_env *env, int reg, u16 selector,
			       enum seg_transfer how, struct minikvm_segment *seg)
{
	u8 vector = how == TRANSFER_TASK ? VECTOR_TS : VECTOR_GP;
	struct minikvm_segment new;
	enum exec_result res;
	u64 desc = 0, linear;

	if (reg < SEL_TR && (env->real || env->vm86)) {
		load_paragraph(env, selector, seg);
		return EXEC_OK;
	}
	if (!(selector & ~SEL_RPL))
		return load_null(env, reg, selector, vector, seg);
	if (reg >= SEL_TR && (selector & SEL_TABLE))
		return fault(env, vector, selector);
	res = selector_read(env, selector, vector, &desc, &linear);
	if (res)
		return res;
	selector_unpack(desc, selector, &new);
	if (unsupported(env, reg, selector, how, &new))
		return EXEC_UNKNOWN;
	/* RET never goes inwards. */
	if (reg == S_CS && how == TRANSFER_RETURN && (selector & SEL_RPL) < env->cpl)
		return fault(env, vector, selector);
	if (!segment_allowed(env, reg, selector, how, &new))
		return fault(env, vector, selector);
	if (!new.present)
		return fault(env, not_present_vector(reg, how), selector);

	if (reg >= SEL_TR && env->long_mode)
		res = read_upper_base(env, linear, selector, &new);
	if (!res && reg == SEL_TR)
		res = mark(env, desc, linear, DESC_TSS_BUSY);
	else if (!res && new.s)
		res = mark(env, desc, linear, DESC_ACCESSED);
	if (res)
		return res;
	if (new.s)
		new.type |= DESC_ACCESSED;
	else if (reg == SEL_TR)
		new.type |= DESC_TSS_BUSY;
	if (reg == S_CS && how == TRANSFER_BRANCH)
		new.selector = (selector & ~SEL_RPL) | env->cpl;
	*seg = new;
	return EXEC_OK;
}

/* Which system descriptors LAR and LSL tell of. */
static bool probe_system(const struct selector_env *env, enum insn_op op, u8 type)
{
	/* By type; gates have no limit. */
	static const u16 lar = 0x1a3e, lsl = 0x0a0e, lar64 = 0x1a04, lsl64 = 0x0a04;

	if (op == OP_LAR)
		return (env->long_mode ? lar64 : lar) >> type & 1;
	if (op == OP_LSL)
		return (env->long_mode ? lsl64 : lsl) >> type & 1;
	return false;
}

/**
 * selector_probe - VERR, VERW, LAR, LSL: look at a descriptor and never fault
 * @env: the state
 * @op: which of them
 * @selector: operand
 * @ok: out: the answer
 * @desc: out, if @ok: the descriptor
 *
 * Return: EXEC_OK, or what @env's operations return (the table may fault).
 */
enum exec_result selector_probe(struct selector_env *env, enum insn_op op, u16 selector, bool *ok,
				u64 *desc)
{
	struct minikvm_segment seg;
	enum exec_result res;
	u64 linear;
	u8 level;

	*ok = false;
	if (!(selector & ~SEL_RPL))
		return EXEC_OK;
	env->fault.vector = 0;
	res = selector_read(env, selector, VECTOR_TS, desc, &linear);
	if (res == EXEC_FAULT && env->fault.vector == VECTOR_TS)
		return EXEC_OK;		/* beyond the table */
	if (res)
		return res;
	selector_unpack(*desc, selector, &seg);
	level = (selector & SEL_RPL) > env->cpl ? selector & SEL_RPL : env->cpl;
	if (!seg.s)
		*ok = probe_system(env, op, seg.type) && seg.dpl >= level;
	else if ((seg.type & (DESC_CODE | DESC_CONFORMING)) == (DESC_CODE | DESC_CONFORMING))
		*ok = true;
	else
		*ok = seg.dpl >= level;
	if (op == OP_VERW)
		*ok = *ok && (seg.type & (DESC_CODE | DESC_WRITABLE)) == DESC_WRITABLE;
	else if (op == OP_VERR)
		*ok = *ok && (!(seg.type & DESC_CODE) || (seg.type & DESC_WRITABLE));
	return EXEC_OK;
}
