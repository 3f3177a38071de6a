/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of a vCPU: entries and exits, what the guest's instructions did,
 * faults, events that are injected, halts. Those of the interrupt chips are in
 * trace_irq.h.
 *
 * Names, fields and the text are those of KVM's tracepoints (Linux 6.1), in the
 * system "minikvm": what reads kvm:kvm_exit reads minikvm:kvm_exit. The symbols
 * behind them stay inside the module, so both modules can be loaded. Where a
 * field's value differs, Documentation/tracing.rst says so.
 *
 * A tracepoint that is off is a NOP: what it tells is collected in
 * TP_fast_assign(), which runs only when it is on. None of them sleeps; those
 * with a vCPU are called by its own thread, with the vCPU loaded.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM minikvm

#if !defined(MINIKVM_TRACE_H) || defined(TRACE_HEADER_MULTI_READ)
#define MINIKVM_TRACE_H

#include <linux/tracepoint.h>
#include <uapi/asm/vmx.h>

#include "minikvm.h"

#ifndef MINIKVM_TRACE_NAMES
#define MINIKVM_TRACE_NAMES

/* kvm_exit's isa: whose exit reasons they are. 2 would be SVM. */
#define TRACE_ISA_VMX		1

/* kvm_pio's rw, and that of kvm_msr and kvm_cr. */
#define TRACE_READ		0
#define TRACE_WRITE		1

/* kvm_mmio's type. */
#define TRACE_MMIO_UNSATISFIED	0	/* a read that only userspace can answer */
#define TRACE_MMIO_READ		1
#define TRACE_MMIO_WRITE	2

/* kvm_emulate_insn's flags: how the code is to be read. */
#define TRACE_INSN_CR0_PE	BIT(0)
#define TRACE_INSN_EFL_VM	BIT(1)
#define TRACE_INSN_CS_D		BIT(2)
#define TRACE_INSN_CS_L		BIT(3)

#define TRACE_INSN_BYTES	15

#define trace_names_userspace							\
	{ MINIKVM_EXIT_UNKNOWN,		"KVM_EXIT_UNKNOWN" },			\
	{ MINIKVM_EXIT_EXCEPTION,	"KVM_EXIT_EXCEPTION" },			\
	{ MINIKVM_EXIT_IO,		"KVM_EXIT_IO" },			\
	{ MINIKVM_EXIT_HYPERCALL,	"KVM_EXIT_HYPERCALL" },			\
	{ MINIKVM_EXIT_DEBUG,		"KVM_EXIT_DEBUG" },			\
	{ MINIKVM_EXIT_HLT,		"KVM_EXIT_HLT" },			\
	{ MINIKVM_EXIT_MMIO,		"KVM_EXIT_MMIO" },			\
	{ MINIKVM_EXIT_IRQ_WINDOW_OPEN,	"KVM_EXIT_IRQ_WINDOW_OPEN" },		\
	{ MINIKVM_EXIT_SHUTDOWN,	"KVM_EXIT_SHUTDOWN" },			\
	{ MINIKVM_EXIT_FAIL_ENTRY,	"KVM_EXIT_FAIL_ENTRY" },		\
	{ MINIKVM_EXIT_INTR,		"KVM_EXIT_INTR" },			\
	{ MINIKVM_EXIT_SET_TPR,		"KVM_EXIT_SET_TPR" },			\
	{ MINIKVM_EXIT_TPR_ACCESS,	"KVM_EXIT_TPR_ACCESS" },		\
	{ MINIKVM_EXIT_NMI,		"KVM_EXIT_NMI" },			\
	{ MINIKVM_EXIT_INTERNAL_ERROR,	"KVM_EXIT_INTERNAL_ERROR" },		\
	{ MINIKVM_EXIT_SYSTEM_EVENT,	"KVM_EXIT_SYSTEM_EVENT" },		\
	{ MINIKVM_EXIT_IOAPIC_EOI,	"KVM_EXIT_IOAPIC_EOI" },		\
	{ MINIKVM_EXIT_X86_RDMSR,	"KVM_EXIT_X86_RDMSR" },			\
	{ MINIKVM_EXIT_X86_WRMSR,	"KVM_EXIT_X86_WRMSR" }

#define trace_names_exception							\
	{ 0, "#DE" }, { 1, "#DB" }, { 3, "#BP" }, { 4, "#OF" }, { 5, "#BR" },	\
	{ 6, "#UD" }, { 7, "#NM" }, { 8, "#DF" }, { 10, "#TS" }, { 11, "#NP" },	\
	{ 12, "#SS" }, { 13, "#GP" }, { 14, "#PF" }, { 16, "#MF" },		\
	{ 17, "#AC" }, { 18, "#MC" }

#define trace_names_mmio							\
	{ TRACE_MMIO_UNSATISFIED,	"unsatisfied-read" },			\
	{ TRACE_MMIO_READ,		"read" },				\
	{ TRACE_MMIO_WRITE,		"write" }

#define trace_names_insn							\
	{ 0,					"real" },			\
	{ TRACE_INSN_CR0_PE | TRACE_INSN_EFL_VM, "vm16" },			\
	{ TRACE_INSN_CR0_PE,			"prot16" },			\
	{ TRACE_INSN_CR0_PE | TRACE_INSN_CS_D,	"prot32" },			\
	{ TRACE_INSN_CR0_PE | TRACE_INSN_CS_L,	"prot64" }

#endif /* MINIKVM_TRACE_NAMES */

/* ---- entry and exit ------------------------------------------------------- */

/* Interrupts are off; the guest runs next. */
TRACE_EVENT(kvm_entry,
	TP_PROTO(struct vcpu *vcpu),
	TP_ARGS(vcpu),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(unsigned long, rip)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu->id;
		__entry->rip = rip_read(vcpu);
	),
	TP_printk("vcpu %u, rip 0x%lx", __entry->vcpu_id, __entry->rip)
);

/* Interrupts are still off; info1 is the qualification, info2 IDT-vectoring information. */
TRACE_EVENT(kvm_exit,
	TP_PROTO(struct vcpu *vcpu),
	TP_ARGS(vcpu),
	TP_STRUCT__entry(
		__field(unsigned int, exit_reason)
		__field(unsigned long, guest_rip)
		__field(u32, isa)
		__field(u64, info1)
		__field(u64, info2)
		__field(u32, intr_info)
		__field(u32, error_code)
		__field(unsigned int, vcpu_id)
	),
	TP_fast_assign(
		struct exit_info info;

		vendor->get_exit_info(vcpu, &info);
		__entry->exit_reason = info.reason;
		__entry->guest_rip = rip_read(vcpu);
		__entry->isa = TRACE_ISA_VMX;
		__entry->info1 = info.qualification;
		__entry->info2 = info.idt_info;
		__entry->intr_info = info.intr_info;
		__entry->error_code = info.error_code;
		__entry->vcpu_id = vcpu->id;
	),
	TP_printk("vcpu %u reason %s%s rip 0x%lx info1 0x%016llx info2 0x%016llx intr_info 0x%08x error_code 0x%08x",
		  __entry->vcpu_id,
		  __print_symbolic(__entry->exit_reason & 0xffff, VMX_EXIT_REASONS),
		  __entry->exit_reason & VMX_EXIT_REASONS_FAILED_VMENTRY ?
			" FAILED_VMENTRY" : "",
		  __entry->guest_rip, __entry->info1, __entry->info2,
		  __entry->intr_info, __entry->error_code)
);

/* RUN returns: @reason is of the run page, @errno what the ioctl says, 0 or negative. */
TRACE_EVENT(kvm_userspace_exit,
	TP_PROTO(u32 reason, int errno),
	TP_ARGS(reason, errno),
	TP_STRUCT__entry(
		__field(u32, reason)
		__field(int, errno)
	),
	TP_fast_assign(
		__entry->reason = reason;
		__entry->errno = errno;
	),
	TP_printk("reason %s (%d)",
		  __entry->errno < 0 ?
		  (__entry->errno == -EINTR ? "restart" : "error") :
		  __print_symbolic(__entry->reason, trace_names_userspace),
		  __entry->errno < 0 ? -__entry->errno : __entry->reason)
);

/* The registers become the guest's, or the task's again. */
TRACE_EVENT(kvm_fpu,
	TP_PROTO(int load),
	TP_ARGS(load),
	TP_STRUCT__entry(__field(u32, load)),
	TP_fast_assign(__entry->load = load;),
	TP_printk("%s", __print_symbolic(__entry->load, { 0, "unload" }, { 1, "load" }))
);

/* ---- halts ---------------------------------------------------------------- */

/* A halt is over, or a signal ended it. */
TRACE_EVENT(kvm_vcpu_wakeup,
	TP_PROTO(u64 ns, bool waited, bool valid),
	TP_ARGS(ns, waited, valid),
	TP_STRUCT__entry(
		__field(u64, ns)
		__field(bool, waited)
		__field(bool, valid)
	),
	TP_fast_assign(
		__entry->ns = ns;
		__entry->waited = waited;
		__entry->valid = valid;
	),
	TP_printk("%s time %lld ns, polling %s", __entry->waited ? "wait" : "poll",
		  __entry->ns, __entry->valid ? "valid" : "invalid")
);

/* How long the next halts are waited out awake. */
TRACE_EVENT(kvm_halt_poll_ns,
	TP_PROTO(bool grow, unsigned int vcpu_id, unsigned int new, unsigned int old),
	TP_ARGS(grow, vcpu_id, new, old),
	TP_STRUCT__entry(
		__field(bool, grow)
		__field(unsigned int, vcpu_id)
		__field(unsigned int, new)
		__field(unsigned int, old)
	),
	TP_fast_assign(
		__entry->grow = grow;
		__entry->vcpu_id = vcpu_id;
		__entry->new = new;
		__entry->old = old;
	),
	TP_printk("vcpu %u: halt_poll_ns %u (%s %u)", __entry->vcpu_id, __entry->new,
		  __entry->grow ? "grow" : "shrink", __entry->old)
);

/* ---- instructions --------------------------------------------------------- */

/* Arguments as the call reads them: 32 bits outside 64-bit code. */
TRACE_EVENT(kvm_hypercall,
	TP_PROTO(unsigned long nr, const u64 *args),
	TP_ARGS(nr, args),
	TP_STRUCT__entry(
		__field(unsigned long, nr)
		__field(unsigned long, a0)
		__field(unsigned long, a1)
		__field(unsigned long, a2)
		__field(unsigned long, a3)
	),
	TP_fast_assign(
		__entry->nr = nr;
		__entry->a0 = args[0];
		__entry->a1 = args[1];
		__entry->a2 = args[2];
		__entry->a3 = args[3];
	),
	TP_printk("nr 0x%lx a0 0x%lx a1 0x%lx a2 0x%lx a3 0x%lx", __entry->nr,
		  __entry->a0, __entry->a1, __entry->a2, __entry->a3)
);

/* @data holds @count elements of @size bytes; the first is shown. */
TRACE_EVENT(kvm_pio,
	TP_PROTO(unsigned int rw, unsigned int port, unsigned int size, unsigned int count,
		 const void *data),
	TP_ARGS(rw, port, size, count, data),
	TP_STRUCT__entry(
		__field(unsigned int, rw)
		__field(unsigned int, port)
		__field(unsigned int, size)
		__field(unsigned int, count)
		__field(unsigned int, val)
	),
	TP_fast_assign(
		__entry->rw = rw;
		__entry->port = port;
		__entry->size = size;
		__entry->count = count;
		__entry->val = size == 1 ? *(const u8 *)data :
			       size == 2 ? *(const u16 *)data : *(const u32 *)data;
	),
	TP_printk("pio_%s at 0x%x size %d count %d val 0x%x %s",
		  __entry->rw ? "write" : "read", __entry->port, __entry->size,
		  __entry->count, __entry->val, __entry->count > 1 ? "(...)" : "")
);

/* @val: @len bytes, up to 8; NULL where nobody knows yet. */
TRACE_EVENT(kvm_mmio,
	TP_PROTO(int type, int len, u64 gpa, const void *val),
	TP_ARGS(type, len, gpa, val),
	TP_STRUCT__entry(
		__field(u32, type)
		__field(u32, len)
		__field(u64, gpa)
		__field(u64, val)
	),
	TP_fast_assign(
		__entry->type = type;
		__entry->len = len;
		__entry->gpa = gpa;
		__entry->val = 0;
		if (val)
			memcpy(&__entry->val, val, min_t(u32, sizeof(__entry->val), len));
	),
	TP_printk("mmio %s len %u gpa 0x%llx val 0x%llx",
		  __print_symbolic(__entry->type, trace_names_mmio),
		  __entry->len, __entry->gpa, __entry->val)
);

/* A write that an ioeventfd noticed by its address alone. */
TRACE_EVENT(kvm_fast_mmio,
	TP_PROTO(u64 gpa),
	TP_ARGS(gpa),
	TP_STRUCT__entry(__field(u64, gpa)),
	TP_fast_assign(__entry->gpa = gpa;),
	TP_printk("fast mmio at gpa 0x%llx", __entry->gpa)
);

/* The answer is in the vCPU's registers. */
TRACE_EVENT(kvm_cpuid,
	TP_PROTO(struct vcpu *vcpu, u32 function, u32 index, bool found, bool used_max_basic),
	TP_ARGS(vcpu, function, index, found, used_max_basic),
	TP_STRUCT__entry(
		__field(unsigned int, function)
		__field(unsigned int, index)
		__field(unsigned long, rax)
		__field(unsigned long, rbx)
		__field(unsigned long, rcx)
		__field(unsigned long, rdx)
		__field(bool, found)
		__field(bool, used_max_basic)
	),
	TP_fast_assign(
		__entry->function = function;
		__entry->index = index;
		__entry->rax = vcpu->regs[REG_RAX];
		__entry->rbx = vcpu->regs[REG_RBX];
		__entry->rcx = vcpu->regs[REG_RCX];
		__entry->rdx = vcpu->regs[REG_RDX];
		__entry->found = found;
		__entry->used_max_basic = used_max_basic;
	),
	TP_printk("func %x idx %x rax %lx rbx %lx rcx %lx rdx %lx, cpuid entry %s%s",
		  __entry->function, __entry->index, __entry->rax, __entry->rbx,
		  __entry->rcx, __entry->rdx, __entry->found ? "found" : "not found",
		  __entry->used_max_basic ? ", used max basic" : "")
);

/* @exception: the access fails, and the guest gets #GP. */
TRACE_EVENT(kvm_msr,
	TP_PROTO(unsigned int write, u32 ecx, u64 data, bool exception),
	TP_ARGS(write, ecx, data, exception),
	TP_STRUCT__entry(
		__field(unsigned int, write)
		__field(u32, ecx)
		__field(u64, data)
		__field(u8, exception)
	),
	TP_fast_assign(
		__entry->write = write;
		__entry->ecx = ecx;
		__entry->data = data;
		__entry->exception = exception;
	),
	TP_printk("msr_%s %x = 0x%llx%s", __entry->write ? "write" : "read", __entry->ecx,
		  __entry->data, __entry->exception ? " (#GP)" : "")
);

TRACE_EVENT(kvm_cr,
	TP_PROTO(unsigned int rw, unsigned int cr, unsigned long val),
	TP_ARGS(rw, cr, val),
	TP_STRUCT__entry(
		__field(unsigned int, rw)
		__field(unsigned int, cr)
		__field(unsigned long, val)
	),
	TP_fast_assign(
		__entry->rw = rw;
		__entry->cr = cr;
		__entry->val = val;
	),
	TP_printk("cr_%s %x = 0x%lx", __entry->rw ? "write" : "read", __entry->cr,
		  __entry->val)
);

/* @rip: linear; @insn: @len bytes that were fetched, at most TRACE_INSN_BYTES. */
TRACE_EVENT(kvm_emulate_insn,
	TP_PROTO(struct vcpu *vcpu, u64 rip, const u8 *insn, u8 len, u8 flags, bool failed),
	TP_ARGS(vcpu, rip, insn, len, flags, failed),
	TP_STRUCT__entry(
		__field(u64, rip)
		__field(u32, csbase)
		__field(u8, len)
		__array(u8, insn, TRACE_INSN_BYTES)
		__field(u8, flags)
		__field(u8, failed)
	),
	TP_fast_assign(
		__entry->rip = rip;
		__entry->csbase = vendor->get_segment_base(vcpu, SEG_CS);
		__entry->len = min_t(u8, len, TRACE_INSN_BYTES);
		memset(__entry->insn, 0, TRACE_INSN_BYTES);
		memcpy(__entry->insn, insn, __entry->len);
		__entry->flags = flags;
		__entry->failed = failed;
	),
	TP_printk("%x:%llx:%s (%s)%s", __entry->csbase, __entry->rip,
		  __print_hex(__entry->insn, __entry->len),
		  __print_symbolic(__entry->flags, trace_names_insn),
		  __entry->failed ? " failed" : "")
);

/* The guest paused for longer than it was allowed to. */
TRACE_EVENT(kvm_ple_window_update,
	TP_PROTO(unsigned int vcpu_id, unsigned int new, unsigned int old),
	TP_ARGS(vcpu_id, new, old),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(unsigned int, new)
		__field(unsigned int, old)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->new = new;
		__entry->old = old;
	),
	TP_printk("vcpu %u old %u new %u (%s)", __entry->vcpu_id, __entry->old, __entry->new,
		  __entry->old < __entry->new ? "growed" : "shrinked")
);

/* ---- events into the guest ------------------------------------------------- */

TRACE_EVENT(kvm_inj_virq,
	TP_PROTO(unsigned int vector, bool soft, bool reinjected),
	TP_ARGS(vector, soft, reinjected),
	TP_STRUCT__entry(
		__field(unsigned int, vector)
		__field(bool, soft)
		__field(bool, reinjected)
	),
	TP_fast_assign(
		__entry->vector = vector;
		__entry->soft = soft;
		__entry->reinjected = reinjected;
	),
	TP_printk("%s 0x%x%s", __entry->soft ? "Soft/INTn" : "IRQ", __entry->vector,
		  __entry->reinjected ? " [reinjected]" : "")
);

TRACE_EVENT(kvm_inj_exception,
	TP_PROTO(const struct queued_exception *ex, bool reinjected),
	TP_ARGS(ex, reinjected),
	TP_STRUCT__entry(
		__field(u8, exception)
		__field(u8, has_error)
		__field(u32, error_code)
		__field(bool, reinjected)
	),
	TP_fast_assign(
		__entry->exception = ex->vector;
		__entry->has_error = ex->has_error_code;
		__entry->error_code = ex->error_code;
		__entry->reinjected = reinjected;
	),
	TP_printk("%s%s%s%s%s", __print_symbolic(__entry->exception, trace_names_exception),
		  __entry->has_error ? " (" : "",
		  __entry->has_error ? __print_symbolic(__entry->error_code, { }) : "",
		  __entry->has_error ? ")" : "",
		  __entry->reinjected ? " [reinjected]" : "")
);

/* ---- guest-physical memory -------------------------------------------------- */

/* @error_code: the exit qualification of the EPT violation. */
TRACE_EVENT(kvm_page_fault,
	TP_PROTO(struct vcpu *vcpu, u64 fault_address, u64 error_code),
	TP_ARGS(vcpu, fault_address, error_code),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(unsigned long, guest_rip)
		__field(u64, fault_address)
		__field(u64, error_code)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu->id;
		__entry->guest_rip = rip_read(vcpu);
		__entry->fault_address = fault_address;
		__entry->error_code = error_code;
	),
	TP_printk("vcpu %u rip 0x%lx address 0x%016llx error_code 0x%llx", __entry->vcpu_id,
		  __entry->guest_rip, __entry->fault_address, __entry->error_code)
);

TRACE_EVENT(kvm_pml_full,
	TP_PROTO(unsigned int vcpu_id),
	TP_ARGS(vcpu_id),
	TP_STRUCT__entry(__field(unsigned int, vcpu_id)),
	TP_fast_assign(__entry->vcpu_id = vcpu_id;),
	TP_printk("vcpu %d: PML full", __entry->vcpu_id)
);

/* The host's mm is about to change. */
TRACE_EVENT(kvm_unmap_hva_range,
	TP_PROTO(unsigned long start, unsigned long end),
	TP_ARGS(start, end),
	TP_STRUCT__entry(
		__field(unsigned long, start)
		__field(unsigned long, end)
	),
	TP_fast_assign(
		__entry->start = start;
		__entry->end = end;
	),
	TP_printk("mmu notifier unmap range: %#016lx -- %#016lx", __entry->start, __entry->end)
);

/* ---- time ------------------------------------------------------------------- */

TRACE_EVENT(kvm_write_tsc_offset,
	TP_PROTO(unsigned int vcpu_id, u64 previous_tsc_offset, u64 next_tsc_offset),
	TP_ARGS(vcpu_id, previous_tsc_offset, next_tsc_offset),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(u64, previous_tsc_offset)
		__field(u64, next_tsc_offset)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->previous_tsc_offset = previous_tsc_offset;
		__entry->next_tsc_offset = next_tsc_offset;
	),
	TP_printk("vcpu=%u prev=%llu next=%llu", __entry->vcpu_id,
		  __entry->previous_tsc_offset, __entry->next_tsc_offset)
);

#endif /* MINIKVM_TRACE_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace

/* Outside the guard: read several times. */
#include <trace/define_trace.h>
