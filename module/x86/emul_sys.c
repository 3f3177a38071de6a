// SPDX-License-Identifier: GPL-2.0
/*
 * System instructions in emulation: segment registers, descriptor tables,
 * control registers, and the state of x87 and SSE. They come here when their
 * operand is a device, or when the CPU makes them exit (UMIP).
 *
 * Source: Intel SDM vol. 2A and 2B (December 2023), the page of each
 * instruction; vol. 3A, "System Instructions".
 */
#include <asm/cpufeature.h>
#include <asm/fpu/types.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "emul_impl.h"
#include "exec_impl.h"

static_assert(SEL_TR == SEG_TR && SEL_LDTR == SEG_LDTR);

/* ---- segments ----------------------------------------------------------- */

static enum exec_result table_read(struct selector_env *env, u64 linear, void *buf, u32 size)
{
	return emul_read_linear(env->opaque, linear, buf, size, &env->fault);
}

static enum exec_result table_write(struct selector_env *env, u64 linear, const void *buf,
				    u32 size)
{
	return emul_write_linear(env->opaque, linear, buf, size, &env->fault);
}

static const struct selector_ops table_ops = { .read = table_read, .write = table_write };

/**
 * emul_selector_env - what loading a segment depends on, but for the operations
 * @vcpu: the vCPU, loaded
 * @env: out
 */
void emul_selector_env(struct vcpu *vcpu, struct selector_env *env)
{
	struct minikvm_segment cs;

	memset(env, 0, sizeof(*env));
	vendor->get_segment(vcpu, &cs, SEG_CS);
	env->real = !is_protmode(vcpu);
	env->vm86 = !env->real && (rflags_read(vcpu) & X86_EFLAGS_VM);
	env->long_mode = is_long_mode(vcpu);
	env->code64 = env->long_mode && cs.l;
	env->linear_bits = cr4_read(vcpu) & X86_CR4_LA57 ? 57 : 48;
	env->cpl = vendor->get_cpl(vcpu);
	vendor->get_gdt(vcpu, &env->gdt);
	vendor->get_segment(vcpu, &env->ldt, SEG_LDTR);
}

u16 emul_selector(struct exec *x, int seg)
{
	struct minikvm_segment var;

	vendor->get_segment(emul_ctx_of(x)->vcpu, &var, seg);
	return var.selector;
}

enum exec_result emul_load_segment(struct exec *x, int seg, u16 selector,
				   enum seg_transfer how, struct code_segment *code)
{
	struct emul_ctx *c = emul_ctx_of(x);
	struct minikvm_segment *var = &c->seg[seg];
	struct selector_env env;
	enum exec_result res;

	emul_selector_env(c->vcpu, &env);
	env.ops = &table_ops;
	env.opaque = c;
	vendor->get_segment(c->vcpu, var, seg);
	res = selector_load(&env, seg, selector, how, var);
	x->fault = env.fault;
	if (res)
		return res;
	c->seg_mask |= BIT(seg);
	if (code) {
		code->limit = var->limit;
		code->is_64bit = env.long_mode && var->l;
	}
	return EXEC_OK;
}

/* ---- descriptor tables -------------------------------------------------- */

/* Real and virtual-8086 mode know none of these instructions. */
static bool has_tasks(const struct emul_ctx *c)
{
	return exec_is_protected(&c->x);
}

static bool umip_forbids(const struct emul_ctx *c)
{
	return c->x.cpl && (cr4_read(c->vcpu) & X86_CR4_UMIP);
}

static enum exec_result store_word(struct exec *x, u64 val)
{
	return exec_write_rm(x, x->insn.mem ? 2 : x->insn.op_size, val);
}

static enum exec_result store_selector(struct exec *x, int seg)
{
	if (!has_tasks(emul_ctx_of(x)))
		return exec_fault(x, X86_TRAP_UD);
	if (umip_forbids(emul_ctx_of(x)))
		return exec_gp(x, 0);
	return store_word(x, emul_selector(x, seg));
}

static enum exec_result load_selector(struct exec *x, int seg)
{
	enum exec_result res;
	u64 v;

	if (!has_tasks(emul_ctx_of(x)))
		return exec_fault(x, X86_TRAP_UD);
	if (x->cpl)
		return exec_gp(x, 0);
	res = exec_read_rm(x, 2, &v);
	return res ? res : emul_load_segment(x, seg, v, TRANSFER_LOAD, NULL);
}

/* In 64-bit mode the base has eight bytes, else four, of which a word form uses three. */
static enum exec_result store_table(struct exec *x)
{
	struct vcpu *vcpu = emul_ctx_of(x)->vcpu;
	u32 size = exec_is_long(x) ? 8 : 4;
	u64 ea = exec_address(x);
	struct minikvm_dtable dt;
	enum exec_result res;

	if (umip_forbids(emul_ctx_of(x)))
		return exec_gp(x, 0);
	if (x->insn.op == OP_SGDT)
		vendor->get_gdt(vcpu, &dt);
	else
		vendor->get_idt(vcpu, &dt);
	res = exec_write(x, x->insn.seg, ea, 2, dt.limit);
	return res ? res : exec_write(x, x->insn.seg, exec_mask(ea + 2, x->insn.addr_size), size,
				      dt.base);
}

static bool canonical_base(struct vcpu *vcpu, u64 base)
{
	int spare = cr4_read(vcpu) & X86_CR4_LA57 ? 64 - 57 : 64 - 48;

	return (u64)((s64)(base << spare) >> spare) == base;
}

static enum exec_result load_table(struct exec *x)
{
	struct vcpu *vcpu = emul_ctx_of(x)->vcpu;
	u64 ea = exec_address(x), limit, base;
	struct minikvm_dtable dt = {};
	enum exec_result res;

	if (x->cpl)
		return exec_gp(x, 0);
	res = exec_read(x, x->insn.seg, ea, 2, &limit);
	if (!res)
		res = exec_read(x, x->insn.seg, exec_mask(ea + 2, x->insn.addr_size),
				exec_is_long(x) ? 8 : 4, &base);
	if (res)
		return res;
	if (!exec_is_long(x) && x->insn.op_size == 2)
		base &= 0xffffff;
	if (exec_is_long(x) && !canonical_base(vcpu, base))
		return exec_gp(x, 0);
	dt.limit = limit;
	dt.base = base;
	if (x->insn.op == OP_LGDT)
		vendor->set_gdt(vcpu, &dt);
	else
		vendor->set_idt(vcpu, &dt);
	return EXEC_OK;
}

/* VERR, VERW, LAR, LSL. */
static enum exec_result probe(struct exec *x)
{
	struct emul_ctx *c = emul_ctx_of(x);
	struct minikvm_segment seg;
	struct selector_env env;
	enum exec_result res;
	u64 v, desc;
	bool ok;

	if (!has_tasks(c))
		return exec_fault(x, X86_TRAP_UD);
	res = exec_read_rm(x, 2, &v);
	if (res)
		return res;
	emul_selector_env(c->vcpu, &env);
	env.ops = &table_ops;
	env.opaque = c;
	res = selector_probe(&env, x->insn.op, v, &ok, &desc);
	x->fault = env.fault;
	if (res)
		return res;
	x->rflags &= ~(u64)FLAG_ZF;
	if (!ok)
		return EXEC_OK;
	x->rflags |= FLAG_ZF;
	selector_unpack(desc, v, &seg);
	if (x->insn.op == OP_LAR)
		exec_set_reg(x, x->insn.reg, x->insn.op_size, (desc >> 32) & 0xffff00);
	else if (x->insn.op == OP_LSL)
		exec_set_reg(x, x->insn.reg, x->insn.op_size, seg.limit);
	return EXEC_OK;
}

/* ---- control registers -------------------------------------------------- */

static enum exec_result load_cr(struct exec *x, int nr, u64 val)
{
	struct vcpu *vcpu = emul_ctx_of(x)->vcpu;
	int r;

	switch (nr) {
	case 0:
		r = cr0_set(vcpu, val);
		break;
	case 2:
		vcpu->cr2 = val;
		r = 0;
		break;
	case 3:
		r = cr3_set(vcpu, val);
		break;
	case 4:
		r = cr4_set(vcpu, val);
		break;
	case 8:
		r = cr8_set(vcpu, val);
		break;
	default:
		return exec_fault(x, X86_TRAP_UD);
	}
	return r ? exec_gp(x, 0) : EXEC_OK;
}

static enum exec_result mov_from_cr(struct exec *x)
{
	struct vcpu *vcpu = emul_ctx_of(x)->vcpu;
	u64 val;

	switch (x->insn.reg) {
	case 0:
		val = cr0_read(vcpu);
		break;
	case 2:
		val = vcpu->cr2;
		break;
	case 3:
		val = cr3_read(vcpu);
		break;
	case 4:
		val = cr4_read(vcpu);
		break;
	case 8:
		val = cr8_get(vcpu);
		break;
	default:
		return exec_fault(x, X86_TRAP_UD);
	}
	exec_set_reg(x, x->insn.rm, x->insn.op_size, val);
	return EXEC_OK;
}

/* PE can be set, but not cleared. */
static enum exec_result lmsw(struct exec *x)
{
	struct vcpu *vcpu = emul_ctx_of(x)->vcpu;
	const u64 bits = X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS;
	enum exec_result res;
	u64 v;

	if (x->cpl)
		return exec_gp(x, 0);
	res = exec_read_rm(x, 2, &v);
	if (res)
		return res;
	return load_cr(x, 0, (cr0_read(vcpu) & ~(bits & ~(u64)X86_CR0_PE)) | (v & bits));
}

/* What only ring 0 may do, and has no operand in memory. */
static enum exec_result privileged(struct exec *x)
{
	struct vcpu *vcpu = emul_ctx_of(x)->vcpu;

	if (x->cpl)
		return exec_gp(x, 0);
	switch (x->insn.op) {
	case OP_INVLPG:
		vcpu_set_request(vcpu, REQ_TLB_FLUSH_GUEST);
		return EXEC_OK;
	case OP_CLTS:
		return load_cr(x, 0, cr0_read(vcpu) & ~X86_CR0_TS);
	case OP_MOV_FROM_CR:
		return mov_from_cr(x);
	case OP_MOV_TO_CR:
		return load_cr(x, x->insn.reg, exec_reg(x, x->insn.rm, x->insn.op_size));
	default:	/* INVD, WBINVD: no cache of the guest's needs it */
		return EXEC_OK;
	}
}

/* ---- x87 and SSE -------------------------------------------------------- */

/**
 * emul_vector_allowed - would the CPU execute a vector or x87 instruction now
 * @c: the emulation, decoded
 *
 * It has executed the instruction it exited for; the bytes in memory may be
 * another's by now.
 *
 * Return: false, and #UD, #NM or #MF in @c->x.fault.
 */
bool emul_vector_allowed(struct emul_ctx *c)
{
	struct vcpu *vcpu = c->vcpu;
	u8 op = c->x.insn.op;
	bool x87 = op == OP_FNSTCW || op == OP_FNSTSW || op == OP_FNINIT;
	struct fxregs_state fx __aligned(16);
	u64 cr0, cr4;

	if (op < OP_XMM_LOAD || op > OP_STMXCSR)
		return true;
	cr0 = cr0_read(vcpu);
	cr4 = cr4_read(vcpu);
	c->x.fault = (struct gva_fault){ .vector = X86_TRAP_UD };
	if (c->x.insn.vex) {
		if (!(cr4 & X86_CR4_OSXSAVE) ||
		    (vcpu->xcr0 & (XFEATURE_MASK_SSE | XFEATURE_MASK_YMM)) !=
		    (XFEATURE_MASK_SSE | XFEATURE_MASK_YMM))
			return false;
	} else if (!x87 && op != OP_FXSAVE && op != OP_FXRSTOR) {
		if (cr0 & X86_CR0_EM)
			return false;
		if (op != OP_MMX_LOAD && op != OP_MMX_STORE && !(cr4 & X86_CR4_OSFXSR))
			return false;
	}
	c->x.fault.vector = X86_TRAP_NM;
	if (cr0 & (X86_CR0_TS | X86_CR0_EM))
		return false;
	if (op != OP_MMX_LOAD && op != OP_MMX_STORE)
		return true;
	/* These report an x87 exception that waits, the others do not. */
	fpu_save_area(vcpu, &fx, false);
	c->x.fault.vector = X86_TRAP_MF;
	return !(fx.swd & BIT(7));
}

/* 512 bytes; the last 48 are software's and keep what they held. */
#define FX_BYTES	464
#define FX_STEP		16

static enum exec_result fxsave(struct exec *x)
{
	struct fxregs_state fx __aligned(16);
	u64 ea = exec_address(x);
	enum exec_result res = EXEC_OK;
	u32 at, size = FX_BYTES;

	fpu_save_area(emul_ctx_of(x)->vcpu, &fx, x->insn.op_size == 8);
	if (!exec_is_long(x))		/* XMM8 to XMM15 do not exist */
		size = 160 + 8 * 16;
	if (!(cr4_read(emul_ctx_of(x)->vcpu) & X86_CR4_OSFXSR))
		size = 160;
	for (at = 0; at < size && !res; at += FX_STEP)
		res = x->ops->write(x, x->insn.seg, exec_mask(ea + at, x->insn.addr_size),
				    (u8 *)&fx + at, FX_STEP);
	return res;
}

static enum exec_result fxrstor(struct exec *x)
{
	struct vcpu *vcpu = emul_ctx_of(x)->vcpu;
	struct fxregs_state fx __aligned(16);
	u64 ea = exec_address(x);
	enum exec_result res = EXEC_OK;
	u32 at, size = FX_BYTES;

	fpu_save_area(vcpu, &fx, x->insn.op_size == 8);
	if (!exec_is_long(x))
		size = 160 + 8 * 16;
	if (!(cr4_read(vcpu) & X86_CR4_OSFXSR))
		size = 160;
	for (at = 0; at < size && !res; at += FX_STEP)
		res = x->ops->read(x, x->insn.seg, exec_mask(ea + at, x->insn.addr_size),
				   (u8 *)&fx + at, FX_STEP);
	if (!res && fpu_load_area(vcpu, &fx, x->insn.op_size == 8))
		return exec_gp(x, 0);
	return res;
}

static enum exec_result fpu_word(struct exec *x)
{
	struct vcpu *vcpu = emul_ctx_of(x)->vcpu;
	struct fxregs_state fx __aligned(16);
	enum exec_result res;
	u64 v;

	fpu_save_area(vcpu, &fx, false);
	switch (x->insn.op) {
	case OP_FNSTCW:
		return exec_write_rm(x, 2, fx.cwd);
	case OP_FNSTSW:
		return exec_write_rm(x, 2, fx.swd);
	case OP_STMXCSR:
		return exec_write_rm(x, 4, fx.mxcsr);
	case OP_LDMXCSR:
		res = exec_read_rm(x, 4, &v);
		if (res)
			return res;
		fx.mxcsr = v;
		break;
	default:	/* FNINIT */
		fx.cwd = 0x37f;
		fx.swd = 0;
		fx.twd = 0;
		fx.fop = 0;
		fx.rip = 0;
		fx.rdp = 0;
		break;
	}
	return fpu_load_area(vcpu, &fx, false) ? exec_gp(x, 0) : EXEC_OK;
}

/* ---- dispatch ----------------------------------------------------------- */

/**
 * emul_system - execute OP_FXSAVE and what follows it in enum insn_op
 * @x: the execution
 *
 * An effect on anything but memory happens at once, as the last step.
 */
enum exec_result emul_system(struct exec *x)
{
	switch (x->insn.op) {
	case OP_FXSAVE:
		return fxsave(x);
	case OP_FXRSTOR:
		return fxrstor(x);
	case OP_FNSTCW ... OP_STMXCSR:
		return fpu_word(x);
	case OP_SLDT:
		return store_selector(x, SEG_LDTR);
	case OP_STR:
		return store_selector(x, SEG_TR);
	case OP_LLDT:
		return load_selector(x, SEG_LDTR);
	case OP_LTR:
		return load_selector(x, SEG_TR);
	case OP_VERR ... OP_LSL:
		return probe(x);
	case OP_SGDT:
	case OP_SIDT:
		return store_table(x);
	case OP_LGDT:
	case OP_LIDT:
		return load_table(x);
	case OP_SMSW:
		if (umip_forbids(emul_ctx_of(x)))
			return exec_gp(x, 0);
		return store_word(x, cr0_read(emul_ctx_of(x)->vcpu));
	case OP_LMSW:
		return lmsw(x);
	case OP_INVLPG ... OP_MOV_TO_CR:
	case OP_WBINVD:
		return privileged(x);
	default:
		return EXEC_UNKNOWN;
	}
}
