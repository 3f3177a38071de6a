// SPDX-License-Identifier: GPL-2.0
/*
 * MMIO: the instruction at RIP touched a guest-physical address that is not
 * memory. It is fetched, decoded and executed here on a copy of the registers,
 * with each access sent where it belongs: memory, an in-kernel device, or
 * userspace through MINIKVM_EXIT_MMIO.
 *
 * A read that only userspace can answer stops the execution. What was read so
 * far is remembered, RUN returns, and the next RUN executes the instruction
 * from its start with the remembered values. A write is the last thing an
 * instruction does: registers are final before userspace sees it.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <asm/cpufeature.h>
#include <asm/processor-flags.h>

#include "../iobus.h"
#include "../irqchip/lapic.h"
#include "../memslot.h"
#include "debug.h"
#include "exec.h"
#include "x86.h"

#define MAX_ACCESS	16	/* bytes of the widest access */
#define MAX_READS	2	/* of one instruction, or one string element */
#define MAX_PIECES	4	/* 16 bytes in eights, across a page */
#define MAX_ELEMENTS	1024	/* of a string instruction in one go */

/**
 * struct emul_piece - up to eight bytes for userspace
 * @gpa: where
 * @offset: in the access
 * @len: 1..8
 */
struct emul_piece {
	gpa_t gpa;
	u8 offset;
	u8 len;
};

/**
 * struct emul_ctx - emulation in progress on one vCPU
 * @x: the instruction and its registers
 * @vcpu: whose
 * @start_rip: RIP of the instruction, to notice that userspace changed it
 * @access: GVA_USER if the guest runs in ring 3
 * @exit_gpa: what the CPU found for the operand; MK_INVALID_GPA when used up
 * @reads: results of reads so far, for the execution that comes next
 * @nr_reads: how many
 * @next_read: which one this execution is at
 * @piece: what userspace is to do for the access @data
 * @nr_pieces: how many
 * @cur_piece: which one is with userspace
 * @data: bytes of the access that waits for userspace
 * @data_len: how many
 * @mmio_write: the access is a write
 * @bytes: the instruction
 * @nr_bytes: how many were fetched
 */
struct emul_ctx {
	struct exec x;
	struct vcpu *vcpu;
	u64 start_rip;
	u32 access;
	gpa_t exit_gpa;
	u8 reads[MAX_READS][MAX_ACCESS];
	int nr_reads, next_read;
	struct emul_piece piece[MAX_PIECES];
	int nr_pieces, cur_piece;
	u8 data[MAX_ACCESS];
	u32 data_len;
	bool mmio_write;
	u8 bytes[INSN_MAX];
	u8 nr_bytes;
};

static enum exit_action emul_run(struct vcpu *vcpu);

static struct emul_ctx *ctx_of(struct exec *x)
{
	return container_of(x, struct emul_ctx, x);
}

/* ---- the guest's mode and segments -------------------------------------- */

/**
 * x86_mode - how the guest forms addresses now
 * @vcpu: the vCPU, loaded
 */
enum x86_mode x86_mode(struct vcpu *vcpu)
{
	struct minikvm_segment cs;

	if (!is_protmode(vcpu) || (rflags_read(vcpu) & X86_EFLAGS_VM))
		return X86_MODE_REAL;
	vendor->get_segment(vcpu, &cs, SEG_CS);
	if (is_long_mode(vcpu) && cs.l)
		return cr4_read(vcpu) & X86_CR4_LA57 ? X86_MODE_LONG57 : X86_MODE_LONG;
	return cs.db ? X86_MODE_PROT32 : X86_MODE_PROT16;
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

/* ---- one access --------------------------------------------------------- */

/**
 * struct span - the pages of one access
 * @gpa: guest-physical address of each part
 * @len: bytes of each part
 * @nr: one or two
 */
struct span {
	gpa_t gpa[2];
	u32 len[2];
	int nr;
};

static int translate(struct emul_ctx *c, int seg, u64 ea, u32 size, bool write, struct span *s)
{
	struct vcpu *vcpu = c->vcpu;
	struct gva_fault *fault = &c->x.fault;
	u32 access = c->access | (write ? GVA_WRITE : 0);
	u32 room;
	gva_t gva;
	u64 linear;
	int r;

	/* In 64-bit mode only FS and GS have a base, and nothing has a limit. */
	if ((c->x.mode == X86_MODE_LONG || c->x.mode == X86_MODE_LONG57) && seg < SEG_FS) {
		struct x86_segment flat = { .seg = seg };

		r = x86_linearize(&flat, c->x.mode, ea, size, write, &linear, fault);
	} else {
		struct x86_segment full;

		x86_segment_load(vcpu, seg, &full);
		r = x86_linearize(&full, c->x.mode, ea, size, write, &linear, fault);
	}
	if (r)
		return r;
	gva = linear;

	room = PAGE_SIZE - offset_in_page(gva);
	s->nr = size > room ? 2 : 1;
	s->len[0] = min(size, room);
	s->len[1] = size - s->len[0];
	/* The CPU has just walked for this operand: no need to do it again. */
	if (s->nr == 1 && c->exit_gpa != MK_INVALID_GPA &&
	    offset_in_page(c->exit_gpa) == offset_in_page(gva)) {
		s->gpa[0] = c->exit_gpa;
		return 0;
	}
	r = gva_to_gpa(vcpu, gva, access, &s->gpa[0], fault);
	if (!r && s->nr == 2)
		r = gva_to_gpa(vcpu, gva + room, access, &s->gpa[1], fault);
	return r;
}

static int device_read(struct vcpu *vcpu, gpa_t gpa, u32 len, void *data)
{
	int r = -EOPNOTSUPP;

	if (vcpu->lapic)
		r = lapic_mmio_read(vcpu, gpa, len, data);
	if (r == -EOPNOTSUPP)
		r = iobus_read(vcpu, IO_BUS_MMIO, gpa, len, data);
	return r;
}

static int device_write(struct vcpu *vcpu, gpa_t gpa, u32 len, const void *data)
{
	int r = -EOPNOTSUPP;

	if (vcpu->lapic)
		r = lapic_mmio_write(vcpu, gpa, len, data);
	if (r == -EOPNOTSUPP)
		r = iobus_write(vcpu, IO_BUS_MMIO, gpa, len, data);
	return r;
}

/* One page's part of an access that is not memory, in pieces of eight bytes. */
static void access_devices(struct emul_ctx *c, gpa_t gpa, u32 offset, u32 len, bool write)
{
	while (len) {
		u32 n = min(len, 8u);
		void *p = c->data + offset;
		int r = write ? device_write(c->vcpu, gpa, n, p) :
				device_read(c->vcpu, gpa, n, p);

		if (r && c->nr_pieces < MAX_PIECES)
			c->piece[c->nr_pieces++] = (struct emul_piece){
				.gpa = gpa, .offset = offset, .len = n,
			};
		gpa += n;
		offset += n;
		len -= n;
	}
}

/* All of an access; what only userspace can do is left in c->piece. */
static enum exec_result access_all(struct emul_ctx *c, int seg, u64 ea, u32 size, bool write)
{
	struct span s;
	u32 offset = 0;
	int i, r;

	c->nr_pieces = 0;
	c->cur_piece = 0;
	c->data_len = size;
	if (translate(c, seg, ea, size, write, &s))
		return EXEC_FAULT;
	for (i = 0; i < s.nr; i++) {
		r = write ? guest_write(c->vcpu->vm, s.gpa[i], c->data + offset, s.len[i]) :
			    guest_read(c->vcpu->vm, s.gpa[i], c->data + offset, s.len[i]);
		if (r)
			access_devices(c, s.gpa[i], offset, s.len[i], write);
		offset += s.len[i];
	}
	return EXEC_OK;
}

static void remember_read(struct emul_ctx *c)
{
	if (c->nr_reads < MAX_READS)
		memcpy(c->reads[c->nr_reads++], c->data, c->data_len);
}

static enum exec_result op_read(struct exec *x, int seg, u64 ea, void *buf, u32 size)
{
	struct emul_ctx *c = ctx_of(x);
	enum exec_result res;

	if (size > MAX_ACCESS || c->next_read >= MAX_READS)
		return EXEC_UNKNOWN;
	if (c->next_read >= c->nr_reads) {
		res = access_all(c, seg, ea, size, false);
		if (res)
			return res;
		if (c->nr_pieces)
			return EXEC_WAIT;
		remember_read(c);
	}
	memcpy(buf, c->reads[c->next_read++], size);
	return EXEC_OK;
}

static enum exec_result op_write(struct exec *x, int seg, u64 ea, const void *buf, u32 size)
{
	struct emul_ctx *c = ctx_of(x);

	if (size > MAX_ACCESS)
		return EXEC_UNKNOWN;
	memcpy(c->data, buf, size);
	return access_all(c, seg, ea, size, true);
}

static void op_xmm_read(struct exec *x, int reg, void *buf)
{
	fpu_xmm_read(ctx_of(x)->vcpu, reg, buf);
}

static void op_xmm_write(struct exec *x, int reg, const void *buf)
{
	fpu_xmm_write(ctx_of(x)->vcpu, reg, buf);
}

static u16 op_selector(struct exec *x, int seg)
{
	struct minikvm_segment var;

	vendor->get_segment(ctx_of(x)->vcpu, &var, seg);
	return var.selector;
}

static const struct exec_ops guest_exec_ops = {
	.read = op_read,
	.write = op_write,
	.xmm_read = op_xmm_read,
	.xmm_write = op_xmm_write,
	.selector = op_selector,
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
		memcpy(run->mmio.data, c->data + p->offset, p->len);
	c->mmio_write = write;
	vcpu->complete_userspace_io = complete_mmio;
	vcpu->stats.mmio_exits++;
	return EXIT_TO_USER;
}

/* Userspace has done one piece. */
static enum exit_action complete_mmio(struct vcpu *vcpu)
{
	struct emul_ctx *c = vcpu->emul;
	struct emul_piece *p = &c->piece[c->cur_piece];

	if (!c->mmio_write)
		memcpy(c->data + p->offset, vcpu->run->mmio.data, p->len);
	if (++c->cur_piece < c->nr_pieces)
		return exit_to_user(vcpu, c->mmio_write);
	c->nr_pieces = 0;
	if (c->mmio_write)
		return EXIT_RESUME;

	/* Userspace put the vCPU elsewhere: there is nothing to go on with. */
	if (rip_read(vcpu) != c->start_rip)
		return EXIT_RESUME;
	remember_read(c);
	return emul_run(vcpu);
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
	r = insn_decode(c->bytes, c->nr_bytes, c->x.mode, &c->x.insn);
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
}

/* The instruction, or one element of it, is done. */
static void commit_registers(struct emul_ctx *c)
{
	struct vcpu *vcpu = c->vcpu;
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
	reg_write(vcpu, REG_RIP, c->x.rip);
	rflags_write(vcpu, c->x.rflags & ~(u64)X86_EFLAGS_RF);
	if (vendor->get_shadow(vcpu))
		vendor->set_shadow(vcpu, 0);
	if (c->x.rflags & X86_EFLAGS_TF)
		debug_step_trap(vcpu);
}

static bool must_yield(struct vcpu *vcpu)
{
	return signal_pending(current) || need_resched() || READ_ONCE(vcpu->requests);
}

/* Execute from the current registers, with what was read already. */
static enum exit_action emul_run(struct vcpu *vcpu)
{
	struct emul_ctx *c = vcpu->emul;
	enum exec_result res;
	int n;

	for (n = 0; n < MAX_ELEMENTS; n++) {
		load_registers(c);
		c->next_read = 0;
		c->nr_pieces = 0;
		res = exec_insn(&c->x);
		switch (res) {
		case EXEC_OK:
			break;
		case EXEC_FAULT:
			gva_inject(vcpu, &c->x.fault);
			return EXIT_RESUME;
		case EXEC_WAIT:
			return exit_to_user(vcpu, false);
		case EXEC_UNKNOWN:
			return emulation_failed(vcpu, c->bytes, c->nr_bytes);
		}
		commit_registers(c);
		c->nr_reads = 0;
		c->exit_gpa = MK_INVALID_GPA;
		if (c->nr_pieces)
			return exit_to_user(vcpu, true);
		if (!c->x.again || must_yield(vcpu))
			break;
	}
	return EXIT_RESUME;
}

/* One operand in memory: the address that the CPU reported is this operand's. */
static bool exit_gpa_is_operand(const struct insn *insn)
{
	switch (insn->op) {
	case OP_MOVS:
	case OP_CMPS:
	case OP_PUSH:
	case OP_POP:
	case OP_CALL:
		return false;
	}
	return true;
}

/**
 * mmio_exec - emulate the instruction at RIP
 * @vcpu: the vCPU, in RUN
 * @gpa: the guest-physical address that made the CPU exit
 *
 * Return: EXIT_RESUME; EXIT_TO_USER with MINIKVM_EXIT_MMIO, or with
 * INTERNAL_ERROR if the instruction is not one that can be emulated; EXIT_FAIL
 * (-ENOMEM).
 */
enum exit_action mmio_exec(struct vcpu *vcpu, gpa_t gpa)
{
	struct emul_ctx *c = vcpu->emul;
	int r;

	if (!c) {
		c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
		if (!c)
			return vcpu_fail(vcpu, -ENOMEM);
		c->vcpu = vcpu;
		c->x.ops = &guest_exec_ops;
		vcpu->emul = c;
	}
	c->x.mode = x86_mode(vcpu);
	c->start_rip = rip_read(vcpu);
	c->access = vendor->get_cpl(vcpu) == 3 ? GVA_USER : 0;
	c->nr_reads = 0;

	r = fetch_and_decode(c);
	if (r == -EFAULT) {
		gva_inject(vcpu, &c->x.fault);
		return EXIT_RESUME;
	}
	vcpu->stats.insn_emulation++;
	if (r)
		return emulation_failed(vcpu, c->bytes, c->nr_bytes);
	c->exit_gpa = exit_gpa_is_operand(&c->x.insn) ? gpa : MK_INVALID_GPA;
	c->x.stack_size = exit_gpa_is_operand(&c->x.insn) ? 0 : stack_size(vcpu, c->x.mode);
	return emul_run(vcpu);
}

/**
 * emul_free - free what mmio_exec() keeps
 * @vcpu: a vCPU that will not run again
 */
void emul_free(struct vcpu *vcpu)
{
	kfree(vcpu->emul);
	vcpu->emul = NULL;
}
