// SPDX-License-Identifier: GPL-2.0
/*
 * The memory and port accesses of an instruction in emulation: translation,
 * and which bytes belong to memory, to an in-kernel device, to userspace.
 *
 * Reads happen at once, and what they returned is kept: an instruction that
 * has to wait for userspace is executed again from its start. Writes are
 * noted down and happen when the instruction is through.
 */
#include <linux/mm.h>

#include "../iobus.h"
#include "../irqchip/lapic.h"
#include "../memslot.h"
#include "../trace.h"
#include "emul_impl.h"

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

static enum exec_result translate(struct emul_ctx *c, gva_t gva, u32 size, u32 access,
				  struct span *s, struct gva_fault *fault)
{
	u32 room = PAGE_SIZE - offset_in_page(gva);

	s->nr = size > room ? 2 : 1;
	s->len[0] = min(size, room);
	s->len[1] = size - s->len[0];
	/* The CPU has just walked for this operand: no need to do it again. */
	if (s->nr == 1 && c->exit_gpa != MK_INVALID_GPA &&
	    offset_in_page(c->exit_gpa) == offset_in_page(gva)) {
		s->gpa[0] = c->exit_gpa;
		return EXEC_OK;
	}
	if (gva_to_gpa(c->vcpu, gva, access, &s->gpa[0], fault))
		return EXEC_FAULT;
	if (s->nr == 2 && gva_to_gpa(c->vcpu, gva + room, access, &s->gpa[1], fault))
		return EXEC_FAULT;
	return EXEC_OK;
}

/* Segmentation, then the alignment that some vector moves insist on. */
static enum exec_result linearize(struct emul_ctx *c, int seg, u64 ea, u32 size, bool write,
				  u64 *linear)
{
	struct gva_fault *fault = &c->x.fault;
	struct x86_segment s = { .seg = seg };

	/* In 64-bit mode only FS and GS have a base, and nothing has a limit. */
	if ((c->x.mode != X86_MODE_LONG && c->x.mode != X86_MODE_LONG57) || seg >= SEG_FS)
		x86_segment_load(c->vcpu, seg, &s);
	if (x86_linearize(&s, c->x.mode, ea, size, write, linear, fault))
		return EXEC_FAULT;
	if (c->x.insn.align && (*linear & (c->x.insn.align - 1))) {
		*fault = (struct gva_fault){ .vector = 13, .has_error_code = true };
		return EXEC_FAULT;
	}
	return EXEC_OK;
}

/* ---- devices ------------------------------------------------------------ */

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

/**
 * emul_device_access - an access to an in-kernel device
 * @vcpu: the vCPU
 * @gpa: where
 * @data: out or in
 * @len: 1..8 bytes
 * @write: the guest writes
 *
 * Return: 0; else no device took it: it is userspace's.
 */
int emul_device_access(struct vcpu *vcpu, gpa_t gpa, void *data, u32 len, bool write)
{
	int r = write ? device_write(vcpu, gpa, len, data) : device_read(vcpu, gpa, len, data);

	trace_kvm_mmio(write ? TRACE_MMIO_WRITE : r ? TRACE_MMIO_UNSATISFIED :
		       TRACE_MMIO_READ, len, gpa, r && !write ? NULL : data);
	return r;
}

/* An access that is not memory, in pieces of eight bytes. */
static void access_devices(struct emul_ctx *c, gpa_t gpa, u8 *data, u32 len, bool write)
{
	while (len) {
		u32 n = min(len, 8u);

		if (emul_device_access(c->vcpu, gpa, data, n, write) && c->nr_pieces < MAX_PIECES)
			c->piece[c->nr_pieces++] = (struct emul_piece){
				.gpa = gpa, .data = data, .len = n,
			};
		gpa += n;
		data += n;
		len -= n;
	}
}

/* ---- reads -------------------------------------------------------------- */

/**
 * emul_remember_read - the read that waited is complete
 * @c: its emulation
 */
void emul_remember_read(struct emul_ctx *c)
{
	if (c->nr_reads < MAX_READS)
		c->nr_reads++;
}

static bool read_known(struct emul_ctx *c, void *buf, u32 size)
{
	if (c->next_read >= c->nr_reads)
		return false;
	memcpy(buf, c->reads[c->next_read++], size);
	return true;
}

static enum exec_result read_now(struct emul_ctx *c, gva_t gva, void *buf, u32 size, u32 access,
				 struct gva_fault *fault)
{
	u8 *data = c->reads[c->nr_reads];
	struct span s;
	int i;

	if (translate(c, gva, size, access, &s, fault))
		return EXEC_FAULT;
	c->cur_piece = 0;
	c->nr_pieces = 0;
	for (i = 0; i < s.nr; i++) {
		if (guest_read(c->vcpu->vm, s.gpa[i], data, s.len[i]))
			access_devices(c, s.gpa[i], data, s.len[i], false);
		data += s.len[i];
	}
	if (c->nr_pieces)
		return EXEC_WAIT;
	emul_remember_read(c);
	return read_known(c, buf, size) ? EXEC_OK : EXEC_UNKNOWN;
}

enum exec_result emul_read(struct exec *x, int seg, u64 ea, void *buf, u32 size)
{
	struct emul_ctx *c = emul_ctx_of(x);
	u64 linear;

	if (size > MAX_ACCESS || c->next_read >= MAX_READS)
		return EXEC_UNKNOWN;
	if (read_known(c, buf, size))
		return EXEC_OK;
	if (linearize(c, seg, ea, size, false, &linear))
		return EXEC_FAULT;
	return read_now(c, linear, buf, size, c->access, &x->fault);
}

enum exec_result emul_read_linear(struct emul_ctx *c, u64 linear, void *buf, u32 size,
				  struct gva_fault *fault)
{
	if (size > MAX_ACCESS || c->next_read >= MAX_READS)
		return EXEC_UNKNOWN;
	if (read_known(c, buf, size))
		return EXEC_OK;
	return read_now(c, linear, buf, size, GVA_SYSTEM, fault);
}

/* ---- writes ------------------------------------------------------------- */

/* What a locked instruction read is what it must find when it writes. */
static bool locked_operand(struct emul_ctx *c, u32 size, const struct span *s, u64 *old)
{
	if (!c->x.insn.mem || (!c->x.insn.lock && c->x.insn.op != OP_XCHG))
		return false;
	if (s->nr > 1 || size > 8 || !c->next_read)
		return false;
	*old = 0;
	memcpy(old, c->reads[c->next_read - 1], size);
	return true;
}

static enum exec_result note_write(struct emul_ctx *c, gva_t gva, const void *buf, u32 size,
				   u32 access, struct gva_fault *fault)
{
	struct span s;
	u64 old = 0;
	bool atomic;
	int i;

	if (size > MAX_ACCESS)
		return EXEC_UNKNOWN;
	if (translate(c, gva, size, access | GVA_WRITE, &s, fault))
		return EXEC_FAULT;
	if (c->nr_writes + s.nr > MAX_WRITES)
		return EXEC_UNKNOWN;
	atomic = locked_operand(c, size, &s, &old);
	for (i = 0; i < s.nr; i++) {
		struct emul_write *w = &c->writes[c->nr_writes++];

		w->gpa = s.gpa[i];
		w->len = s.len[i];
		w->atomic = atomic;
		w->old = old;
		memcpy(w->data, buf, s.len[i]);
		buf += s.len[i];
	}
	return EXEC_OK;
}

enum exec_result emul_write(struct exec *x, int seg, u64 ea, const void *buf, u32 size)
{
	struct emul_ctx *c = emul_ctx_of(x);
	u64 linear;

	if (linearize(c, seg, ea, size, true, &linear))
		return EXEC_FAULT;
	return note_write(c, linear, buf, size, c->access, &x->fault);
}

enum exec_result emul_write_linear(struct emul_ctx *c, u64 linear, const void *buf, u32 size,
				   struct gva_fault *fault)
{
	return note_write(c, linear, buf, size, GVA_SYSTEM, fault);
}

/**
 * emul_apply_writes - the instruction is through: do what it writes
 * @c: its emulation
 *
 * What only userspace can do is left in @c->piece.
 *
 * Return: 0, or -EAGAIN: another CPU changed the operand of a locked
 * instruction, which is to be executed once more; nothing was written.
 */
int emul_apply_writes(struct emul_ctx *c)
{
	struct vm *vm = c->vcpu->vm;
	int i, r;

	c->nr_pieces = 0;
	c->cur_piece = 0;
	for (i = 0; i < c->nr_writes; i++) {
		struct emul_write *w = &c->writes[i];
		u64 new = 0;

		r = -EINVAL;
		if (w->atomic) {
			memcpy(&new, w->data, w->len);
			r = guest_cmpxchg(vm, w->gpa, &w->old, new, w->len);
			if (r == -EAGAIN)
				return r;
		}
		if (r && guest_write(vm, w->gpa, w->data, w->len))
			access_devices(c, w->gpa, w->data, w->len, true);
	}
	if (c->port_write) {
		trace_kvm_pio(TRACE_WRITE, c->port, c->port_len, 1, &c->port_data);
		if (!iobus_write(c->vcpu, IO_BUS_PIO, c->port, c->port_len, &c->port_data))
			c->port_write = false;
	}
	return 0;
}

/* ---- ports -------------------------------------------------------------- */

enum exec_result emul_port_in(struct exec *x, u16 port, void *buf, u32 size)
{
	struct emul_ctx *c = emul_ctx_of(x);

	if (!c->io_allowed || c->next_read >= MAX_READS)
		return EXEC_UNKNOWN;
	if (read_known(c, buf, size))
		return EXEC_OK;
	c->port = port;
	c->port_len = size;
	if (iobus_read(c->vcpu, IO_BUS_PIO, port, size, c->reads[c->nr_reads])) {
		c->port_wait = true;
		return EXEC_WAIT;
	}
	trace_kvm_pio(TRACE_READ, port, size, 1, c->reads[c->nr_reads]);
	emul_remember_read(c);
	return read_known(c, buf, size) ? EXEC_OK : EXEC_UNKNOWN;
}

enum exec_result emul_port_out(struct exec *x, u16 port, const void *buf, u32 size)
{
	struct emul_ctx *c = emul_ctx_of(x);

	if (!c->io_allowed)
		return EXEC_UNKNOWN;
	c->port = port;
	c->port_len = size;
	memcpy(&c->port_data, buf, size);
	c->port_write = true;
	return EXEC_OK;
}
