/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the families of instructions share with exec.c, which dispatches to
 * them: operands, registers, and the handlers themselves.
 */
#ifndef MINIKVM_EXEC_IMPL_H
#define MINIKVM_EXEC_IMPL_H

#include <linux/bits.h>

#include "exec.h"

#define R_AX	0
#define R_CX	1
#define R_DX	2
#define R_BX	3
#define R_SP	4
#define R_BP	5
#define R_SI	6
#define R_DI	7

#define S_ES	0
#define S_CS	1
#define S_SS	2
#define S_DS	3

#define FLAG_CF	BIT(0)
#define FLAG_PF	BIT(2)
#define FLAG_AF	BIT(4)
#define FLAG_ZF	BIT(6)
#define FLAG_SF	BIT(7)
#define FLAG_TF	BIT(8)
#define FLAG_IF	BIT(9)
#define FLAG_DF	BIT(10)
#define FLAG_OF	BIT(11)
#define FLAG_IOPL (BIT(12) | BIT(13))
#define FLAG_NT	BIT(14)
#define FLAG_RF	BIT(16)
#define FLAG_VM	BIT(17)
#define FLAG_AC	BIT(18)
#define FLAG_ID	BIT(21)
#define FLAGS_STATUS	(FLAG_CF | FLAG_PF | FLAG_AF | FLAG_ZF | FLAG_SF | FLAG_OF)

#define VECTOR_DE	0
#define VECTOR_BR	5
#define VECTOR_UD	6
#define VECTOR_GP	13

static inline bool exec_is_long(const struct exec *x)
{
	return x->mode == X86_MODE_LONG || x->mode == X86_MODE_LONG57;
}

/* Not real mode and not virtual-8086 mode. */
static inline bool exec_is_protected(const struct exec *x)
{
	return x->mode != X86_MODE_REAL;
}

static inline u32 exec_iopl(const struct exec *x)
{
	return (x->rflags & FLAG_IOPL) >> 12;
}

static inline enum exec_result exec_fault(struct exec *x, u8 vector)
{
	x->fault = (struct gva_fault){ .vector = vector };
	return EXEC_FAULT;
}

static inline enum exec_result exec_gp(struct exec *x, u16 error_code)
{
	x->fault = (struct gva_fault){
		.vector = VECTOR_GP, .has_error_code = true, .error_code = error_code,
	};
	return EXEC_FAULT;
}

/* exec.c: registers and operands. */
u64 exec_reg(const struct exec *x, u8 reg, u32 size);
void exec_set_reg(struct exec *x, u8 reg, u32 size, u64 val);
u64 exec_addr_reg(const struct exec *x, u8 reg);
void exec_set_addr_reg(struct exec *x, u8 reg, u64 val);
u64 exec_address(const struct exec *x);
enum exec_result exec_read(struct exec *x, int seg, u64 ea, u32 size, u64 *val);
enum exec_result exec_write(struct exec *x, int seg, u64 ea, u32 size, u64 val);
enum exec_result exec_read_rm(struct exec *x, u32 size, u64 *val);
enum exec_result exec_write_rm(struct exec *x, u32 size, u64 val);
u64 exec_other(const struct exec *x, u32 size);
u64 exec_next_rip(const struct exec *x);

/* exec_int.c */
enum exec_result exec_two(struct exec *x);
enum exec_result exec_one(struct exec *x);
enum exec_result exec_shifts(struct exec *x);
enum exec_result exec_double(struct exec *x);
enum exec_result exec_mul_acc(struct exec *x);
enum exec_result exec_imul_reg(struct exec *x);
enum exec_result exec_div_acc(struct exec *x);
enum exec_result exec_bit_scan(struct exec *x);
enum exec_result exec_crc(struct exec *x);
enum exec_result exec_bcd(struct exec *x);
enum exec_result exec_mov(struct exec *x);
enum exec_result exec_mov_extend(struct exec *x);
enum exec_result exec_movbe(struct exec *x);
enum exec_result exec_cmov(struct exec *x);
enum exec_result exec_set(struct exec *x);
enum exec_result exec_lea(struct exec *x);
enum exec_result exec_bswap(struct exec *x);
enum exec_result exec_extend_acc(struct exec *x);
enum exec_result exec_xlat(struct exec *x);
enum exec_result exec_flag(struct exec *x);
enum exec_result exec_ah_flags(struct exec *x);
enum exec_result exec_bound(struct exec *x);
enum exec_result exec_arpl(struct exec *x);

/* exec_rmw.c */
enum exec_result exec_xchg(struct exec *x);
enum exec_result exec_xadd(struct exec *x);
enum exec_result exec_cmpxchg(struct exec *x);
enum exec_result exec_cmpxchg8b(struct exec *x);
enum exec_result exec_bit(struct exec *x);
enum exec_result exec_string(struct exec *x);
enum exec_result exec_vec_load(struct exec *x);
enum exec_result exec_vec_store(struct exec *x);
enum exec_result exec_mmx(struct exec *x);

/* exec_flow.c */
enum exec_result exec_push(struct exec *x);
enum exec_result exec_pop(struct exec *x);
enum exec_result exec_push_all(struct exec *x);
enum exec_result exec_pop_all(struct exec *x);
enum exec_result exec_pushf(struct exec *x);
enum exec_result exec_popf(struct exec *x);
enum exec_result exec_enter(struct exec *x);
enum exec_result exec_leave(struct exec *x);
enum exec_result exec_branch(struct exec *x);
enum exec_result exec_relative(struct exec *x);
enum exec_result exec_loop(struct exec *x);
enum exec_result exec_ret(struct exec *x);

/* exec_far.c */
enum exec_result exec_push_value(struct exec *x, u64 val, u32 size);
enum exec_result exec_pop_value(struct exec *x, u32 size, u64 *val);
enum exec_result exec_jump_to(struct exec *x, u64 target, u32 size);
u64 exec_merge_flags(const struct exec *x, u64 val, u32 size);
enum exec_result exec_push_sreg(struct exec *x);
enum exec_result exec_pop_sreg(struct exec *x);
enum exec_result exec_mov_from_sreg(struct exec *x);
enum exec_result exec_mov_to_sreg(struct exec *x);
enum exec_result exec_lseg(struct exec *x);
enum exec_result exec_far(struct exec *x);
enum exec_result exec_retf(struct exec *x);
enum exec_result exec_iret(struct exec *x);

#endif
