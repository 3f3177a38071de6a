// SPDX-License-Identifier: GPL-2.0
/*
 * IN, OUT, INS and OUTS: to the in-kernel port bus, else to userspace through
 * the run page. String forms go in batches that stay within one guest page.
 *
 * The registers userspace sees at an exit are those before the instruction for
 * reads and for plain OUT (the next RUN completes it), and those after the
 * elements handed over for OUTS. If RIP was changed meanwhile the instruction
 * is not completed: it is not the one the guest would execute now.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../iobus.h"
#include "../memslot.h"
#include "../trace.h"
#include "segment.h"
#include "x86.h"

#define PIO_BATCH	1024	/* bytes of a string operation per exit */
#define PORT_POST	0x7e	/* where firmware writes to pass time */

/* ---- registers by width ------------------------------------------------- */

static unsigned long masked(unsigned long val, u8 bytes)
{
	return bytes == 8 ? val : val & (BIT_ULL(8 * bytes) - 1);
}

/* Writing a 32-bit register clears the upper half; a 16-bit one keeps the rest. */
static void reg_write_width(struct vcpu *vcpu, int reg, unsigned long val, u8 bytes)
{
	switch (bytes) {
	case 1:
		*(u8 *)&vcpu->regs[reg] = val;
		break;
	case 2:
		*(u16 *)&vcpu->regs[reg] = val;
		break;
	case 4:
		vcpu->regs[reg] = (u32)val;
		break;
	default:
		vcpu->regs[reg] = val;
	}
}

static bool same_instruction(struct vcpu *vcpu)
{
	return rip_read(vcpu) == vcpu->pio_rip && !vcpu->cs_moved;
}

/* Describe the access to userspace. */
static enum exit_action exit_to_user(struct vcpu *vcpu, u32 count,
				     enum exit_action (*complete)(struct vcpu *vcpu))
{
	struct minikvm_run *run = vcpu->run;

	run->exit_reason = MINIKVM_EXIT_IO;
	run->io.direction = vcpu->pio.in ? MINIKVM_EXIT_IO_IN : MINIKVM_EXIT_IO_OUT;
	run->io.size = vcpu->pio.size;
	run->io.port = vcpu->pio.port;
	run->io.count = count;
	run->io.data_offset = MINIKVM_PIO_PAGE_OFFSET * PAGE_SIZE;

	vcpu->pio_count = count;
	vcpu->pio_rip = rip_read(vcpu);
	vcpu->cs_moved = false;
	vcpu->complete_userspace_io = complete;
	return EXIT_TO_USER;
}

/* ---- IN and OUT --------------------------------------------------------- */

static enum exit_action complete_out(struct vcpu *vcpu)
{
	if (same_instruction(vcpu))
		vendor_call(skip_insn)(vcpu);
	return EXIT_RESUME;
}

static enum exit_action complete_out_skipped(struct vcpu *vcpu)
{
	return EXIT_RESUME;
}

static enum exit_action complete_in(struct vcpu *vcpu)
{
	u32 data = 0;

	if (!same_instruction(vcpu))
		return EXIT_RESUME;
	memcpy(&data, vcpu->pio_data, vcpu->pio.size);
	trace_kvm_pio(TRACE_READ, vcpu->pio.port, vcpu->pio.size, 1, &data);
	reg_write_width(vcpu, REG_RAX, data, vcpu->pio.size);
	vendor_call(skip_insn)(vcpu);
	return EXIT_RESUME;
}

static enum exit_action pio_single(struct vcpu *vcpu)
{
	struct pio_access *io = &vcpu->pio;
	u32 data = 0;

	if (io->in) {
		if (iobus_read(vcpu, IO_BUS_PIO, io->port, io->size, &data))
			return exit_to_user(vcpu, 1, complete_in);
		trace_kvm_pio(TRACE_READ, io->port, io->size, 1, &data);
		reg_write_width(vcpu, REG_RAX, data, io->size);
		vendor_call(skip_insn)(vcpu);
		return EXIT_RESUME;
	}

	data = vcpu->regs[REG_RAX];
	trace_kvm_pio(TRACE_WRITE, io->port, io->size, 1, &data);
	if (!iobus_write(vcpu, IO_BUS_PIO, io->port, io->size, &data)) {
		vendor_call(skip_insn)(vcpu);
		return EXIT_RESUME;
	}
	memcpy(vcpu->pio_data, &data, io->size);
	/* Known VMMs reset the machine from here and expect RIP to have moved. */
	if (io->port == PORT_POST && vm_has_quirk(vcpu->vm, MINIKVM_X86_QUIRK_OUT_7E_INC_RIP)) {
		vendor_call(skip_insn)(vcpu);
		return exit_to_user(vcpu, 1, complete_out_skipped);
	}
	return exit_to_user(vcpu, 1, complete_out);
}

/* ---- INS and OUTS ------------------------------------------------------- */

/**
 * struct pio_string - where the string operation stands
 * @index: REG_RDI or REG_RSI
 * @seg: the segment of the memory operand
 * @mode: how addresses are formed
 * @access: GVA_*
 * @backward: RFLAGS.DF
 * @remaining: elements left
 */
struct pio_string {
	int index;
	struct x86_segment seg;
	enum x86_mode mode;
	u32 access;
	bool backward;
	unsigned long remaining;
};

static void string_init(struct vcpu *vcpu, struct pio_string *s)
{
	struct pio_access *io = &vcpu->pio;

	s->index = io->in ? REG_RDI : REG_RSI;
	s->mode = x86_mode(vcpu);
	x86_segment_load(vcpu, io->in ? SEG_ES : io->seg, &s->seg);
	s->access = io->in ? GVA_WRITE : 0;
	if (vendor->get_cpl(vcpu) == 3)
		s->access |= GVA_USER;
	s->backward = rflags_read(vcpu) & X86_EFLAGS_DF;
	s->remaining = io->rep ? masked(vcpu->regs[REG_RCX], io->addr_size) : 1;
}

/* Translate the current element, or the fault that it causes. */
static int string_element(struct vcpu *vcpu, struct pio_string *s, u64 *gva,
			  struct gva_fault *fault)
{
	u64 ea = masked(vcpu->regs[s->index], vcpu->pio.addr_size);

	return x86_linearize(&s->seg, s->mode, ea, vcpu->pio.size, vcpu->pio.in, gva, fault);
}

/* Move @len bytes between memory and @buf; pages are translated one by one. */
static int string_copy(struct vcpu *vcpu, struct pio_string *s, gva_t gva, void *buf, u32 len,
		       struct gva_fault *fault)
{
	gpa_t gpa[2];
	u32 first = min_t(u32, len, PAGE_SIZE - offset_in_page(gva));
	int i, pages = first < len ? 2 : 1;

	/* All translations first: an element is moved whole or not at all. */
	for (i = 0; i < pages; i++)
		if (gva_to_gpa(vcpu, i ? gva + first : gva, s->access, &gpa[i], fault))
			return -EFAULT;
	for (i = 0; i < pages; i++) {
		u32 n = i ? len - first : first;
		void *p = i ? buf + first : buf;
		int r = vcpu->pio.in ? guest_write(vcpu->vm, gpa[i], p, n) :
				       guest_read(vcpu->vm, gpa[i], p, n);

		if (r)
			return -ENXIO;		/* not memory */
	}
	return 0;
}

/* @count elements are done: step the registers. */
static void string_step(struct vcpu *vcpu, struct pio_string *s, u32 count)
{
	struct pio_access *io = &vcpu->pio;
	unsigned long ea = vcpu->regs[s->index];
	unsigned long len = (unsigned long)count * io->size;

	ea = s->backward ? ea - len : ea + len;
	reg_write_width(vcpu, s->index, ea, io->addr_size);
	s->remaining -= count;
	if (io->rep)
		reg_write_width(vcpu, REG_RCX, s->remaining, io->addr_size);
}

/* How the instruction ends for now: done, or to be executed again. */
static enum exit_action string_end(struct vcpu *vcpu, struct pio_string *s)
{
	if (!s->remaining)
		vendor_call(skip_insn)(vcpu);
	return EXIT_RESUME;
}

static enum exit_action string_fault(struct vcpu *vcpu, int err, const struct gva_fault *fault)
{
	if (err == -EFAULT) {
		gva_inject(vcpu, fault);
		return EXIT_RESUME;
	}
	return mmio_exec_string_io(vcpu);
}

/* Can all of an element be written at once? */
static bool is_memory(struct vcpu *vcpu, gpa_t gpa)
{
	struct memslot *slot;
	bool writable;
	int idx;

	if (offset_in_page(gpa) + vcpu->pio.size > PAGE_SIZE)
		return false;
	idx = srcu_read_lock(&vcpu->vm->srcu);
	slot = memslot_find(vcpu->vm, gpa >> PAGE_SHIFT);
	writable = slot && !(slot->flags & MINIKVM_MEM_READONLY);
	srcu_read_unlock(&vcpu->vm->srcu, idx);
	return writable;
}

/* Elements that fit one exit: within the page, forward only, and the batch. */
static u32 string_batch(struct vcpu *vcpu, struct pio_string *s)
{
	unsigned long ea = masked(vcpu->regs[s->index], vcpu->pio.addr_size);
	u32 in_page;

	if (s->backward)
		return 1;
	in_page = (PAGE_SIZE - offset_in_page(s->seg.base + ea)) / vcpu->pio.size;
	return max_t(u32, 1, min3((unsigned long)in_page, s->remaining,
				  (unsigned long)PIO_BATCH / vcpu->pio.size));
}

/*
 * Store elements of pio_data that lie in one page of memory, at once. Anything
 * unusual, a fault included, is left to the caller's way through the elements.
 */
static bool ins_store_page(struct vcpu *vcpu, struct pio_string *s, const void *data, u32 count)
{
	u64 ea = masked(vcpu->regs[s->index], vcpu->pio.addr_size), gva;
	u32 len = count * vcpu->pio.size;
	struct gva_fault fault;

	if (string_batch(vcpu, s) < count || masked(ea + len - 1, vcpu->pio.addr_size) < ea)
		return false;
	if (x86_linearize(&s->seg, s->mode, ea, len, true, &gva, &fault) ||
	    offset_in_page(gva) + len > PAGE_SIZE ||
	    string_copy(vcpu, s, gva, (void *)data, len, &fault))
		return false;
	string_step(vcpu, s, count);
	return true;
}

/* Store elements of pio_data: to memory, stepping the registers. */
static enum exit_action ins_store(struct vcpu *vcpu, struct pio_string *s, const void *data,
				  u32 count)
{
	struct gva_fault fault;
	u64 gva;
	u32 i;
	int r;

	if (count > 1 && ins_store_page(vcpu, s, data, count))
		return string_end(vcpu, s);
	for (i = 0; i < count; i++) {
		u32 val;

		/* Userspace may still be writing to the page: use one copy. */
		memcpy(&val, data + i * vcpu->pio.size, vcpu->pio.size);
		r = string_element(vcpu, s, &gva, &fault);
		if (!r)
			r = string_copy(vcpu, s, gva, &val, vcpu->pio.size, &fault);
		if (r)
			return string_fault(vcpu, r, &fault);
		string_step(vcpu, s, 1);
	}
	return string_end(vcpu, s);
}

static enum exit_action complete_ins(struct vcpu *vcpu)
{
	struct pio_string s;

	if (!same_instruction(vcpu))
		return EXIT_RESUME;
	trace_kvm_pio(TRACE_READ, vcpu->pio.port, vcpu->pio.size, vcpu->pio_count, vcpu->pio_data);
	string_init(vcpu, &s);
	/* Userspace may have changed the count. */
	return ins_store(vcpu, &s, vcpu->pio_data,
			 min_t(unsigned long, vcpu->pio_count, s.remaining));
}

static enum exit_action complete_outs(struct vcpu *vcpu)
{
	return EXIT_RESUME;
}

static enum exit_action pio_ins(struct vcpu *vcpu, struct pio_string *s)
{
	u32 i, batch = string_batch(vcpu, s);
	struct gva_fault fault;
	enum exit_action act;
	u64 gva;
	gpa_t gpa;
	u32 data;

	/* A fault comes before the port is read. */
	if (string_element(vcpu, s, &gva, &fault) ||
	    gva_to_gpa(vcpu, gva, s->access, &gpa, &fault)) {
		gva_inject(vcpu, &fault);
		return EXIT_RESUME;
	}
	if (!is_memory(vcpu, gpa))
		return mmio_exec_string_io(vcpu);
	for (i = 0; i < batch; i++) {
		data = 0;
		if (iobus_read(vcpu, IO_BUS_PIO, vcpu->pio.port, vcpu->pio.size, &data))
			return exit_to_user(vcpu, batch - i, complete_ins);
		trace_kvm_pio(TRACE_READ, vcpu->pio.port, vcpu->pio.size, 1, &data);
		act = ins_store(vcpu, s, &data, 1);
		if (!s->remaining || act != EXIT_RESUME || vcpu->events.exception.pending)
			return act;
	}
	return EXIT_RESUME;
}

static enum exit_action pio_outs(struct vcpu *vcpu, struct pio_string *s)
{
	u32 i, batch = string_batch(vcpu, s), queued = 0;
	struct gva_fault fault;
	u64 gva;
	u32 data;
	int r = 0;

	for (i = 0; i < batch; i++) {
		data = 0;
		r = string_element(vcpu, s, &gva, &fault);
		if (!r)
			r = string_copy(vcpu, s, gva, &data, vcpu->pio.size, &fault);
		if (r)
			break;
		/* Once one element waits for userspace the others follow it. */
		if (queued || iobus_write(vcpu, IO_BUS_PIO, vcpu->pio.port, vcpu->pio.size, &data))
			memcpy(vcpu->pio_data + vcpu->pio.size * queued++, &data, vcpu->pio.size);
		else
			trace_kvm_pio(TRACE_WRITE, vcpu->pio.port, vcpu->pio.size, 1, &data);
		string_step(vcpu, s, 1);
	}
	if (!queued)
		return r ? string_fault(vcpu, r, &fault) : string_end(vcpu, s);

	trace_kvm_pio(TRACE_WRITE, vcpu->pio.port, vcpu->pio.size, queued, vcpu->pio_data);
	/* A fault is found again when the instruction continues. */
	string_end(vcpu, s);
	return exit_to_user(vcpu, queued, complete_outs);
}

/* Apart, so that a plain access does not pay for what these keep on the stack. */
static noinline enum exit_action pio_string_exec(struct vcpu *vcpu)
{
	struct pio_string s;

	string_init(vcpu, &s);
	if (!s.remaining)
		return string_end(vcpu, &s);
	return vcpu->pio.in ? pio_ins(vcpu, &s) : pio_outs(vcpu, &s);
}

/**
 * pio_exec - the guest accessed a port
 * @vcpu: the vCPU; vcpu->pio says what it did
 *
 * The CPU has checked I/O privilege before it exited.
 *
 * Return: EXIT_RESUME, or EXIT_TO_USER with MINIKVM_EXIT_IO (or INTERNAL_ERROR
 * if a string operand is not memory).
 * Source: Intel SDM vol. 2A (December 2023), "INS/INSB/INSW/INSD-Input from
 * Port to String"; vol. 3C, "Exit Qualification for I/O Instructions".
 */
enum exit_action pio_exec(struct vcpu *vcpu)
{
	return unlikely(vcpu->pio.string) ? pio_string_exec(vcpu) : pio_single(vcpu);
}
