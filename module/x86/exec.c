// SPDX-License-Identifier: GPL-2.0
/*
 * What each decoded instruction does to registers and memory: operands, and the
 * table of handlers; these are in exec_int.c (arithmetic, moves), exec_rmw.c
 * (read-change-write, strings, vector registers), exec_flow.c (stack,
 * branches) and exec_far.c (segments). Pure logic, also built into the unit
 * tests, which compare it with the CPU.
 *
 * What an instruction writes to memory takes effect when it is through, so an
 * execution that faults or has to wait leaves nothing behind and can be done
 * again.
 *
 * Source: Intel SDM vol. 2A and 2B (December 2023), the page of each
 * instruction.
 */
#include <linux/bits.h>
#include <linux/string.h>
#include <linux/types.h>

#include "exec_impl.h"

/* ---- registers ---------------------------------------------------------- */

/* Byte registers 4..7 without REX are AH, CH, DH and BH. */
static bool is_high_byte(const struct exec *x, u8 reg, u32 size)
{
	return size == 1 && !x->insn.rex && reg >= 4 && reg < 8;
}

u64 exec_reg(const struct exec *x, u8 reg, u32 size)
{
	if (is_high_byte(x, reg, size))
		return (x->regs[reg - 4] >> 8) & 0xff;
	return exec_mask(x->regs[reg], size);
}

void exec_set_reg(struct exec *x, u8 reg, u32 size, u64 val)
{
	u64 *r = &x->regs[reg];

	if (is_high_byte(x, reg, size)) {
		r = &x->regs[reg - 4];
		*r = (*r & ~0xff00ull) | (val & 0xff) << 8;
	} else if (size >= 4) {		/* 32-bit results clear the upper half */
		*r = exec_mask(val, size);
	} else {
		*r = (*r & ~exec_mask(~0ull, size)) | exec_mask(val, size);
	}
}

/* Pointers and counters in the address size, wherever they come from. */
u64 exec_addr_reg(const struct exec *x, u8 reg)
{
	return exec_mask(x->regs[reg], x->insn.addr_size);
}

void exec_set_addr_reg(struct exec *x, u8 reg, u64 val)
{
	exec_set_reg(x, reg, x->insn.addr_size, val);
}

/* ---- operands ----------------------------------------------------------- */

/* Offset of the r/m operand in its segment. */
u64 exec_address(const struct exec *x)
{
	const struct insn *i = &x->insn;
	u64 ea = i->disp;

	if (i->base == REG_PC)
		ea += x->rip + i->len;
	else if (i->base != REG_NONE)
		ea += x->regs[i->base];
	if (i->index != REG_NONE)
		ea += x->regs[i->index] << i->scale;
	return exec_mask(ea, i->addr_size);
}

enum exec_result exec_read(struct exec *x, int seg, u64 ea, u32 size, u64 *val)
{
	*val = 0;
	return x->ops->read(x, seg, ea, val, size);
}

enum exec_result exec_write(struct exec *x, int seg, u64 ea, u32 size, u64 val)
{
	return x->ops->write(x, seg, ea, &val, size);
}

enum exec_result exec_read_rm(struct exec *x, u32 size, u64 *val)
{
	if (x->insn.mem)
		return exec_read(x, x->insn.seg, exec_address(x), size, val);
	*val = exec_reg(x, x->insn.rm, size);
	return EXEC_OK;
}

enum exec_result exec_write_rm(struct exec *x, u32 size, u64 val)
{
	if (x->insn.mem)
		return exec_write(x, x->insn.seg, exec_address(x), size, val);
	exec_set_reg(x, x->insn.rm, size, val);
	return EXEC_OK;
}

/* The operand that is not r/m: register, immediate, one or CL. */
u64 exec_other(const struct exec *x, u32 size)
{
	switch (x->insn.form) {
	case FORM_RM_IMM:
		return exec_mask(x->insn.imm, size);
	case FORM_RM_1:
		return 1;
	case FORM_RM_CL:
		return x->regs[R_CX] & 0xff;
	case FORM_ACC_MEM:
	case FORM_MEM_ACC:
		return exec_mask(x->regs[R_AX], size);
	default:
		return exec_reg(x, x->insn.reg, size);
	}
}

/* ---- dispatch ----------------------------------------------------------- */

/* Prefetches and cache flushes of a device register have no effect. */
static enum exec_result exec_nop(struct exec *x)
{
	return x ? EXEC_OK : EXEC_UNKNOWN;
}

static enum exec_result exec_system(struct exec *x)
{
	return x->ops->system ? x->ops->system(x) : EXEC_UNKNOWN;
}

/* SDM: "Opcode Map". */
static enum exec_result (*const handlers[NR_OPS])(struct exec *x) = {
	[OP_ADD] = exec_two, [OP_OR] = exec_two, [OP_ADC] = exec_two, [OP_SBB] = exec_two,
	[OP_AND] = exec_two, [OP_SUB] = exec_two, [OP_XOR] = exec_two, [OP_CMP] = exec_two,
	[OP_TEST] = exec_two,
	[OP_ROL] = exec_shifts, [OP_ROR] = exec_shifts, [OP_RCL] = exec_shifts,
	[OP_RCR] = exec_shifts, [OP_SHL] = exec_shifts, [OP_SHR] = exec_shifts,
	[OP_SAL] = exec_shifts, [OP_SAR] = exec_shifts,
	[OP_NOT] = exec_one, [OP_NEG] = exec_one, [OP_INC] = exec_one, [OP_DEC] = exec_one,
	[OP_MUL] = exec_mul_acc, [OP_IMUL] = exec_mul_acc, [OP_IMUL_REG] = exec_imul_reg,
	[OP_DIV] = exec_div_acc, [OP_IDIV] = exec_div_acc,
	[OP_SHLD] = exec_double, [OP_SHRD] = exec_double,
	[OP_BSF] = exec_bit_scan, [OP_BSR] = exec_bit_scan, [OP_TZCNT] = exec_bit_scan,
	[OP_LZCNT] = exec_bit_scan, [OP_POPCNT] = exec_bit_scan, [OP_CRC32] = exec_crc,
	[OP_AAA ... OP_AAD] = exec_bcd,
	[OP_MOV] = exec_mov, [OP_MOVZX] = exec_mov_extend, [OP_MOVSX] = exec_mov_extend,
	[OP_MOVBE] = exec_movbe, [OP_MOV_FROM_SREG] = exec_mov_from_sreg,
	[OP_CMOV] = exec_cmov, [OP_SET] = exec_set, [OP_LEA] = exec_lea,
	[OP_BSWAP] = exec_bswap, [OP_CBW] = exec_extend_acc, [OP_CWD] = exec_extend_acc,
	[OP_XLAT] = exec_xlat, [OP_LAHF] = exec_ah_flags, [OP_SAHF] = exec_ah_flags,
	[OP_SALC] = exec_ah_flags, [OP_FLAG] = exec_flag, [OP_BOUND] = exec_bound,
	[OP_ARPL] = exec_arpl,
	[OP_XCHG] = exec_xchg, [OP_XADD] = exec_xadd,
	[OP_CMPXCHG] = exec_cmpxchg, [OP_CMPXCHG8B] = exec_cmpxchg8b,
	[OP_BT] = exec_bit, [OP_BTS] = exec_bit, [OP_BTR] = exec_bit, [OP_BTC] = exec_bit,
	[OP_PUSH] = exec_push, [OP_POP] = exec_pop, [OP_PUSHA] = exec_push_all,
	[OP_POPA] = exec_pop_all, [OP_PUSHF] = exec_pushf, [OP_POPF] = exec_popf,
	[OP_ENTER] = exec_enter, [OP_LEAVE] = exec_leave,
	[OP_PUSH_SREG] = exec_push_sreg, [OP_POP_SREG] = exec_pop_sreg,
	[OP_CALL] = exec_branch, [OP_JMP] = exec_branch,
	[OP_CALL_REL] = exec_relative, [OP_JMP_REL] = exec_relative, [OP_JCC] = exec_relative,
	[OP_LOOP] = exec_loop, [OP_RET] = exec_ret,
	[OP_CALL_FAR] = exec_far, [OP_JMP_FAR] = exec_far, [OP_RETF] = exec_retf,
	[OP_IRET] = exec_iret, [OP_MOV_TO_SREG] = exec_mov_to_sreg, [OP_LSEG] = exec_lseg,
	[OP_MOVS] = exec_string, [OP_CMPS] = exec_string, [OP_STOS] = exec_string,
	[OP_LODS] = exec_string, [OP_SCAS] = exec_string, [OP_INS] = exec_string,
	[OP_OUTS] = exec_string,
	[OP_XMM_LOAD] = exec_vec_load, [OP_XMM_LOAD_LOW] = exec_vec_load,
	[OP_XMM_LOAD_HIGH] = exec_vec_load,
	[OP_XMM_STORE] = exec_vec_store, [OP_XMM_STORE_HIGH] = exec_vec_store,
	[OP_MMX_LOAD] = exec_mmx, [OP_MMX_STORE] = exec_mmx,
	[OP_FXSAVE ... OP_WBINVD] = exec_system,
	[OP_NOP] = exec_nop,
};

/**
 * exec_uses_stack - does the instruction push or pop
 * @insn: decoded
 *
 * Return: true if struct exec must know the size of the stack pointer.
 */
bool exec_uses_stack(const struct insn *insn)
{
	switch (insn->op) {
	case OP_PUSH ... OP_CALL:
	case OP_CALL_REL:
	case OP_RET:
	case OP_CALL_FAR:
	case OP_RETF:
	case OP_IRET:
		return true;
	default:
		return false;
	}
}

/**
 * exec_one_operand - is there one operand in memory, and nothing else accessed
 * @insn: decoded
 *
 * Return: true if an address that the CPU reported must be that operand's.
 */
bool exec_one_operand(const struct insn *insn)
{
	switch (insn->op) {
	case OP_MOVS:
	case OP_CMPS:
	case OP_JMP_FAR:
	case OP_MOV_TO_SREG:
	case OP_LSEG:
	case OP_LLDT ... OP_LSL:
		return false;
	default:
		return insn->mem && !exec_uses_stack(insn);
	}
}

/* RIP wraps with the code's address width. */
u64 exec_next_rip(const struct exec *x)
{
	u64 rip = x->rip + x->insn.len;

	if (exec_is_long(x))
		return rip;
	return exec_mask(rip, x->mode == X86_MODE_PROT32 ? 4 : 2);
}

/**
 * exec_insn - execute x->insn once: one instruction, or one string element
 * @x: the state; on anything but EXEC_OK its registers are to be discarded
 *
 * Return: see enum exec_result.
 */
enum exec_result exec_insn(struct exec *x)
{
	enum exec_result (*handler)(struct exec *x);
	enum exec_result res;

	handler = x->insn.op < NR_OPS ? handlers[x->insn.op] : NULL;
	if (!handler)
		return EXEC_UNKNOWN;
	x->again = false;
	x->branched = false;
	x->nmi_done = false;
	x->shadow = 0;
	res = handler(x);
	if (res == EXEC_OK && !x->again && !x->branched)
		x->rip = exec_next_rip(x);
	return res;
}
