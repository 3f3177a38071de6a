// SPDX-License-Identifier: GPL-2.0
/*
 * Emulation of the instruction at RIP, which touched a guest-physical address
 * that is not memory, or which the CPU leaves to software. It is fetched,
 * decoded and executed here on a copy of the registers, with each access sent
 * where it belongs: memory, an in-kernel device, or userspace.
 *
 * A read that only userspace can answer stops the execution. What was read so
 * far is remembered, RUN returns, and the next RUN executes the instruction
 * from its start with the remembered values. Writes are the last thing an
 * instruction does: registers are final before userspace sees them.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/processor-flags.h>

#include "../memslot.h"
#include "../trace.h"
#include "debug.h"
#include "emul_impl.h"

static enum exit_action emul_run(struct vcpu *vcpu);

/* ---- the guest's mode and segments -------------------------------------- */

/**
 * x86_mode - how the guest forms addresses now
 * @vcpu: the vCPU, loaded
 */
enum x86_mode x86_mode(struct vcpu *vcpu)
{
	bool db, l;

	/* There is no virtual-8086 mode in IA-32e mode. */
	if (is_long_mode(vcpu)) {
		vendor->get_cs_db_l(vcpu, &db, &l);
		if (l)
			return cr4_read(vcpu) & X86_CR4_LA57 ? X86_MODE_LONG57 : X86_MODE_LONG;
		return db ? X86_MODE_PROT32 : X86_MODE_PROT16;
	}
	if (!is_protmode(vcpu) || (rflags_read(vcpu) & X86_EFLAGS_VM))
		return X86_MODE_REAL;
	vendor->get_cs_db_l(vcpu, &db, &l);
	return db ? X86_MODE_PROT32 : X86_MODE_PROT16;
}

/**
 * x86_segment_load - what linearizing an address has to know of a segment
 * @vcpu: the vCPU, loaded
 * @seg: enum vcpu_seg
 * @s: out
 */
void x86_segment_load(struct vcpu *vcpu, int seg, struct x86_segment *s)
{
	struct minikvm_segment var;

	vendor->get_segment(vcpu, &var, seg);
	s->base = var.base;
	s->limit = var.limit;
	s->type = var.type;
	s->seg = seg;
	s->usable = !var.unusable;
	s->big = var.db;
}

/* ---- operations of exec.c ----------------------------------------------- */

static void op_vec_read(struct exec *x, int reg, void *buf, u32 size)
{
	fpu_vec_read(emul_ctx_of(x)->vcpu, reg, buf, size);
}

static void op_vec_write(struct exec *x, int reg, const void *buf, u32 size, bool clear)
{
	fpu_vec_write(emul_ctx_of(x)->vcpu, reg, buf, size, clear);
}

static void op_mmx_read(struct exec *x, int reg, void *buf)
{
	fpu_mmx_read(emul_ctx_of(x)->vcpu, reg, buf);
}

static void op_mmx_write(struct exec *x, int reg, const void *buf)
{
	fpu_mmx_write(emul_ctx_of(x)->vcpu, reg, buf);
}

static const struct exec_ops guest_exec_ops = {
	.read = emul_read,
	.write = emul_write,
	.port_in = emul_port_in,
	.port_out = emul_port_out,
	.vec_read = op_vec_read,
	.vec_write = op_vec_write,
	.mmx_read = op_mmx_read,
	.mmx_write = op_mmx_write,
	.selector = emul_selector,
	.load_segment = emul_load_segment,
	.system = emul_system,
};

/* ---- userspace ---------------------------------------------------------- */

static enum exit_action complete_mmio(struct vcpu *vcpu);

static enum exit_action exit_to_user(struct vcpu *vcpu, bool write)
{
	struct emul_ctx *c = vcpu->emul;
	struct emul_piece *p = &c->piece[c->cur_piece];
	struct minikvm_run *run = vcpu->run;

	run->exit_reason = MINIKVM_EXIT_MMIO;
	run->mmio.phys_addr = p->gpa;
	run->mmio.len = p->len;
	run->mmio.is_write = write;
	memset(run->mmio.data, 0, sizeof(run->mmio.data));
	if (write)
		memcpy(run->mmio.data, p->data, p->len);
	c->mmio_write = write;
	vcpu->complete_userspace_io = complete_mmio;
	vcpu->stats.mmio_exits++;
	return EXIT_TO_USER;
}

static enum exit_action complete_port(struct vcpu *vcpu);

static enum exit_action exit_to_port(struct vcpu *vcpu, bool write)
{
	struct emul_ctx *c = vcpu->emul;
	struct minikvm_run *run = vcpu->run;

	run->exit_reason = MINIKVM_EXIT_IO;
	run->io.direction = write ? MINIKVM_EXIT_IO_OUT : MINIKVM_EXIT_IO_IN;
	run->io.size = c->port_len;
	run->io.port = c->port;
	run->io.count = 1;
	run->io.data_offset = MINIKVM_PIO_PAGE_OFFSET * PAGE_SIZE;
	if (write)
		memcpy(vcpu->pio_data, &c->port_data, c->port_len);
	vcpu->complete_userspace_io = complete_port;
	return EXIT_TO_USER;
}

/* A read goes on, unless userspace put the vCPU elsewhere. */
static enum exit_action continue_read(struct vcpu *vcpu)
{
	if (rip_read(vcpu) != vcpu->emul->start_rip)
		return EXIT_RESUME;
	emul_remember_read(vcpu->emul);
	return emul_run(vcpu);
}

static enum exit_action complete_port(struct vcpu *vcpu)
{
	struct emul_ctx *c = vcpu->emul;

	if (c->port_write)
		return EXIT_RESUME;
	memcpy(c->reads[c->nr_reads], vcpu->pio_data, c->port_len);
	trace_kvm_pio(TRACE_READ, c->port, c->port_len, 1, c->reads[c->nr_reads]);
	return continue_read(vcpu);
}

/* Userspace has done one piece. */
static enum exit_action complete_mmio(struct vcpu *vcpu)
{
	struct emul_ctx *c = vcpu->emul;
	struct emul_piece *p = &c->piece[c->cur_piece];

	if (!c->mmio_write) {
		memcpy(p->data, vcpu->run->mmio.data, p->len);
		trace_kvm_mmio(TRACE_MMIO_READ, p->len, p->gpa, p->data);
	}
	if (++c->cur_piece < c->nr_pieces)
		return exit_to_user(vcpu, c->mmio_write);
	c->nr_pieces = 0;
	if (c->mmio_write)
		return EXIT_RESUME;
	return continue_read(vcpu);
}

/* ---- fetch -------------------------------------------------------------- */

/* Append instruction bytes up to the next page boundary: 0, -EFAULT, -ENXIO. */
static int fetch_bytes(struct emul_ctx *c, gva_t gva)
{
	u32 n = min_t(u32, INSN_MAX - c->nr_bytes, PAGE_SIZE - offset_in_page(gva));
	gpa_t gpa;

	if (gva_to_gpa(c->vcpu, gva, c->access | GVA_FETCH, &gpa, &c->x.fault))
		return -EFAULT;
	if (guest_read(c->vcpu->vm, gpa, c->bytes + c->nr_bytes, n))
		return -ENXIO;
	c->nr_bytes += n;
	return 0;
}

/* -EFAULT: c->x.fault; -EINVAL: not an instruction known here; -ENXIO: not memory. */
static int fetch_and_decode(struct emul_ctx *c)
{
	struct vcpu *vcpu = c->vcpu;
	gva_t gva = c->start_rip;
	int r;

	if (c->x.mode != X86_MODE_LONG && c->x.mode != X86_MODE_LONG57)
		gva = (u32)(gva + vendor->get_segment_base(vcpu, SEG_CS));
	c->nr_bytes = 0;
	r = fetch_bytes(c, gva);
	if (r)
		return r;
	/* Drivers execute the same few instructions over and over. */
	if (c->nr_bytes == c->nr_decoded && c->x.mode == c->decoded_mode &&
	    !memcmp(c->bytes, c->decoded, c->nr_bytes))
		return 0;
	c->nr_decoded = 0;
	r = insn_decode(c->bytes, c->nr_bytes, c->x.mode, &c->x.insn);
	if (!r) {
		memcpy(c->decoded, c->bytes, c->nr_bytes);
		c->nr_decoded = c->nr_bytes;
		c->decoded_mode = c->x.mode;
	}
	if (r != -ENODATA)
		return r;

	/* It goes on in the next page, which may fault. */
	r = fetch_bytes(c, gva + c->nr_bytes);
	if (r)
		return r;
	r = insn_decode(c->bytes, c->nr_bytes, c->x.mode, &c->x.insn);
	return r == -ENODATA ? -EINVAL : r;
}

/* ---- execution ---------------------------------------------------------- */

static u8 stack_size(struct vcpu *vcpu, enum x86_mode mode)
{
	struct minikvm_segment ss;

	if (mode == X86_MODE_LONG || mode == X86_MODE_LONG57)
		return 8;
	vendor->get_segment(vcpu, &ss, SEG_SS);
	return ss.db ? 4 : 2;
}

static void load_registers(struct emul_ctx *c)
{
	struct vcpu *vcpu = c->vcpu;
	int i;

	for (i = 0; i < REG_RIP; i++)
		c->x.regs[i] = vcpu->regs[i];
	c->x.regs[REG_RSP] = reg_read(vcpu, REG_RSP);
	c->x.rip = rip_read(vcpu);
	c->x.rflags = rflags_read(vcpu);
	c->start_tf = c->x.rflags & X86_EFLAGS_TF;
}

static void commit_segments(struct emul_ctx *c)
{
	int seg;

	for (seg = 0; seg < NR_VCPU_SEGS; seg++)
		if (c->seg_mask & BIT(seg))
			vendor->set_segment(c->vcpu, &c->seg[seg], seg);
	c->seg_mask = 0;
}

/* The instruction, or one element of it, is done. */
static void commit_registers(struct emul_ctx *c)
{
	struct vcpu *vcpu = c->vcpu;
	u32 shadow = 0;
	int i;

	for (i = 0; i < REG_RSP; i++)
		vcpu->regs[i] = c->x.regs[i];
	if (c->x.regs[REG_RSP] != reg_read(vcpu, REG_RSP))
		reg_write(vcpu, REG_RSP, c->x.regs[REG_RSP]);
	for (i = REG_RBP; i < REG_RIP; i++)
		vcpu->regs[i] = c->x.regs[i];
	if (c->x.again) {
		rflags_write(vcpu, c->x.rflags);
		return;
	}
	if (unlikely(c->seg_mask))
		commit_segments(c);
	reg_write(vcpu, REG_RIP, c->x.rip);
	/* IRET brings a new RF, everything else ends the old one. */
	rflags_write(vcpu, c->x.nmi_done ? c->x.rflags : c->x.rflags & ~(u64)X86_EFLAGS_RF);
	if (unlikely(c->x.nmi_done))
		vendor->set_nmi_mask(vcpu, false);
	if (c->x.shadow == SHADOW_STI)
		shadow = MINIKVM_X86_SHADOW_INT_STI;
	else if (c->x.shadow == SHADOW_MOV_SS)
		shadow = MINIKVM_X86_SHADOW_INT_MOV_SS;
	if (vendor->get_shadow(vcpu) != shadow)
		vendor->set_shadow(vcpu, shadow);
	if (c->start_tf)
		debug_step_trap(vcpu);
}

static bool must_yield(struct vcpu *vcpu)
{
	return signal_pending(current) || need_resched() || READ_ONCE(vcpu->requests);
}

static enum exec_result run_once(struct emul_ctx *c)
{
	load_registers(c);
	c->next_read = 0;
	c->nr_pieces = 0;
	c->nr_writes = 0;
	c->seg_mask = 0;
	c->port_wait = false;
	c->port_write = false;
	return exec_insn(&c->x);
}

/* Execute from the current registers, with what was read already. */
static enum exit_action emul_run(struct vcpu *vcpu)
{
	struct emul_ctx *c = vcpu->emul;
	int n;

	for (n = 0; n < MAX_ELEMENTS; n++) {
		switch (run_once(c)) {
		case EXEC_OK:
			break;
		case EXEC_FAULT:
			gva_inject(vcpu, &c->x.fault);
			return EXIT_RESUME;
		case EXEC_WAIT:
			return c->port_wait ? exit_to_port(vcpu, false) : exit_to_user(vcpu, false);
		case EXEC_UNKNOWN:
			return emulation_failed(vcpu, c->bytes, c->nr_bytes);
		}
		c->nr_reads = 0;
		if (emul_apply_writes(c))
			continue;
		commit_registers(c);
		c->exit_gpa = MK_INVALID_GPA;
		if (c->nr_pieces)
			return exit_to_user(vcpu, true);
		if (c->port_write)
			return exit_to_port(vcpu, true);
		if (!c->x.again || must_yield(vcpu))
			break;
	}
	return EXIT_RESUME;
}

static struct emul_ctx *emul_context(struct vcpu *vcpu)
{
	struct emul_ctx *c = vcpu->emul;

	if (!c) {
		c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
		if (!c)
			return NULL;
		c->vcpu = vcpu;
		c->x.ops = &guest_exec_ops;
		vcpu->emul = c;
	}
	return c;
}

/* For kvm_emulate_insn: the mode as four bits of the guest's state. */
static noinline void trace_insn(struct emul_ctx *c, bool failed)
{
	u8 flags = is_protmode(c->vcpu) ? TRACE_INSN_CR0_PE : 0;

	switch (c->x.mode) {
	case X86_MODE_REAL:
		if (flags)
			flags |= TRACE_INSN_EFL_VM;
		break;
	case X86_MODE_PROT16:
		break;
	case X86_MODE_PROT32:
		flags |= TRACE_INSN_CS_D;
		break;
	default:
		flags |= TRACE_INSN_CS_L;
	}
	trace_kvm_emulate_insn(c->vcpu, c->start_rip, c->bytes,
			       failed ? c->nr_bytes : c->x.insn.len, flags, failed);
}

static enum exit_action emul_start(struct vcpu *vcpu, gpa_t gpa, bool io_allowed)
{
	struct emul_ctx *c = emul_context(vcpu);
	int r;

	if (!c)
		return vcpu_fail(vcpu, -ENOMEM);
	c->x.mode = x86_mode(vcpu);
	c->x.cpl = vendor->get_cpl(vcpu);
	c->start_rip = rip_read(vcpu);
	c->access = c->x.cpl == 3 ? GVA_USER : 0;
	c->nr_reads = 0;
	c->io_allowed = io_allowed;
	c->exit_gpa = MK_INVALID_GPA;

	r = fetch_and_decode(c);
	if (r != -EFAULT)
		vcpu->stats.insn_emulation++;
	if (trace_kvm_emulate_insn_enabled())
		trace_insn(c, r != 0);
	if (r == -EFAULT || (!r && !emul_vector_allowed(c))) {
		gva_inject(vcpu, &c->x.fault);
		return EXIT_RESUME;
	}
	if (r)
		return emulation_failed(vcpu, c->bytes, c->nr_bytes);
	if (exec_one_operand(&c->x.insn)) {
		c->exit_gpa = gpa;
		if (gpa != MK_INVALID_GPA)
			emul_fast_learn(c);
	}
	if (exec_uses_stack(&c->x.insn))
		c->x.stack_size = stack_size(vcpu, c->x.mode);
	return emul_run(vcpu);
}

/**
 * mmio_exec - emulate the instruction at RIP
 * @vcpu: the vCPU, in RUN
 * @gpa: the guest-physical address that made the CPU exit, if it may be an
 *	operand's; else MK_INVALID_GPA
 *
 * Return: EXIT_RESUME; EXIT_TO_USER with MINIKVM_EXIT_MMIO, or with
 * INTERNAL_ERROR if the instruction is not one that can be emulated; EXIT_FAIL
 * (-ENOMEM).
 */
enum exit_action mmio_exec(struct vcpu *vcpu, gpa_t gpa)
{
	enum exit_action action;

	if (gpa != MK_INVALID_GPA && emul_fast(vcpu, gpa, &action))
		return action;
	return emul_start(vcpu, gpa, false);
}

/**
 * mmio_exec_string_io - emulate INS or OUTS, whose operand is not memory
 * @vcpu: the vCPU, in RUN; the CPU has checked that it may access the port
 *
 * Return: as mmio_exec(), and EXIT_TO_USER with MINIKVM_EXIT_IO.
 */
enum exit_action mmio_exec_string_io(struct vcpu *vcpu)
{
	return emul_start(vcpu, MK_INVALID_GPA, true);
}

/**
 * emul_free - free what mmio_exec() keeps
 * @vcpu: a vCPU that will not run again
 */
void emul_free(struct vcpu *vcpu)
{
	if (vcpu->emul)
		kfree(vcpu->emul->fast);
	kfree(vcpu->emul);
	vcpu->emul = NULL;
}
