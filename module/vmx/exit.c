// SPDX-License-Identifier: GPL-2.0
/*
 * The exit table: which handler answers which exit, and what happens to exits
 * that have none.
 *
 * Source: Intel SDM vol. 3C (December 2023), "VM Exits", appendix "VMX Basic
 * Exit Reasons".
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/nospec.h>

#include "vmx.h"
#include "../x86/debug.h"
#include "../x86/x86.h"

/**
 * struct exit_entry - how an exit is answered
 * @handler: called with interrupts on, the vCPU loaded; NULL: not expected
 * @name: as the SDM calls it, for logs
 * @plain: nothing secret was touched: L1D needs no flush on its account
 * @event: may come while an event is being delivered, and copes
 */
struct exit_entry {
	enum exit_action (*handler)(struct vcpu *vcpu);
	const char *name;
	bool plain;
	bool event;
};

/*
 * The contract of a handler: it returns EXIT_RESUME to enter the guest again,
 * EXIT_TO_USER with vcpu->run filled in, or EXIT_FAIL with vcpu->run_errno set.
 * It moves RIP itself, with vmx_skip_insn(), when the instruction is done.
 * SDM: "VMX Basic Exit Reasons".
 */
static const struct exit_entry exit_table[] = {
	[EXIT_REASON_EXCEPTION_NMI]	= { exit_exception, "exception or NMI", .event = true },
	[EXIT_REASON_EXTERNAL_INTERRUPT] = { exit_external_interrupt, "external interrupt",
					    .plain = true },
	[EXIT_REASON_TRIPLE_FAULT]	= { exit_triple_fault, "triple fault", .event = true },
	[EXIT_REASON_INTERRUPT_WINDOW]	= { exit_interrupt_window, "interrupt window",
					    .plain = true },
	[EXIT_REASON_NMI_WINDOW]	= { exit_nmi_window, "NMI window", .plain = true },
	[EXIT_REASON_TASK_SWITCH]	= { exit_task_switch, "task switch", .event = true },
	[EXIT_REASON_CPUID]		= { exit_cpuid, "CPUID", .plain = true },
	[EXIT_REASON_HLT]		= { exit_hlt, "HLT" },
	[EXIT_REASON_INVD]		= { exit_skip, "INVD" },
	[EXIT_REASON_RDPMC]		= { exit_rdpmc, "RDPMC" },
	[EXIT_REASON_VMCALL]		= { exit_vmcall, "VMCALL" },
	[EXIT_REASON_VMCLEAR]		= { exit_undefined, "VMCLEAR" },
	[EXIT_REASON_VMLAUNCH]		= { exit_undefined, "VMLAUNCH" },
	[EXIT_REASON_VMPTRLD]		= { exit_undefined, "VMPTRLD" },
	[EXIT_REASON_VMPTRST]		= { exit_undefined, "VMPTRST" },
	[EXIT_REASON_VMREAD]		= { exit_undefined, "VMREAD" },
	[EXIT_REASON_VMRESUME]		= { exit_undefined, "VMRESUME" },
	[EXIT_REASON_VMWRITE]		= { exit_undefined, "VMWRITE" },
	[EXIT_REASON_VMOFF]		= { exit_undefined, "VMXOFF" },
	[EXIT_REASON_VMON]		= { exit_undefined, "VMXON" },
	[EXIT_REASON_CR_ACCESS]		= { exit_cr_access, "control-register access" },
	[EXIT_REASON_DR_ACCESS]		= { exit_dr_access, "MOV DR" },
	[EXIT_REASON_IO_INSTRUCTION]	= { exit_io, "I/O instruction" },
	[EXIT_REASON_MSR_READ]		= { msr_exec_rdmsr, "RDMSR", .plain = true },
	[EXIT_REASON_MSR_WRITE]		= { msr_exec_wrmsr, "WRMSR", .plain = true },
	[EXIT_REASON_MWAIT_INSTRUCTION]	= { exit_monitor_mwait, "MWAIT" },
	[EXIT_REASON_MONITOR_INSTRUCTION] = { exit_monitor_mwait, "MONITOR" },
	[EXIT_REASON_PAUSE_INSTRUCTION]	= { exit_pause, "PAUSE", .plain = true },
	[EXIT_REASON_TPR_BELOW_THRESHOLD] = { exit_tpr_threshold, "TPR below threshold" },
	[EXIT_REASON_GDTR_IDTR]		= { exit_descriptor_table, "GDTR or IDTR access" },
	[EXIT_REASON_LDTR_TR]		= { exit_descriptor_table, "LDTR or TR access" },
	[EXIT_REASON_APIC_ACCESS]	= { exit_apic_access, "APIC access" },
	[EXIT_REASON_APIC_WRITE]	= { exit_apic_write, "APIC write", .plain = true },
	[EXIT_REASON_EOI_INDUCED]	= { exit_eoi_induced, "virtualized EOI", .plain = true },
	[EXIT_REASON_EPT_VIOLATION]	= { exit_ept_violation, "EPT violation", .event = true },
	[EXIT_REASON_EPT_MISCONFIG]	= { exit_ept_misconfig, "EPT misconfiguration",
					    .event = true },
	[EXIT_REASON_INVEPT]		= { exit_undefined, "INVEPT" },
	[EXIT_REASON_PREEMPTION_TIMER]	= { exit_preemption_timer, "VMX-preemption timer",
					    .plain = true },
	[EXIT_REASON_INVVPID]		= { exit_undefined, "INVVPID" },
	[EXIT_REASON_WBINVD]		= { exit_skip, "WBINVD" },
	[EXIT_REASON_PML_FULL]		= { exit_pml_full, "page-modification log full",
					    .event = true },
	[EXIT_REASON_XSETBV]		= { exit_xsetbv, "XSETBV" },
	[EXIT_REASON_RDRAND]		= { exit_undefined, "RDRAND" },
	[EXIT_REASON_VMFUNC]		= { exit_undefined, "VMFUNC" },
	[EXIT_REASON_ENCLS]		= { exit_undefined, "ENCLS" },
	[EXIT_REASON_RDSEED]		= { exit_undefined, "RDSEED" },
};

#define SHADOW_ANY	(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)

/* One of the things that hardly ever follow an instruction. */
static noinline void skip_insn_rest(struct vcpu *vcpu, unsigned long old_rip)
{
	unsigned long rip = vcpu->regs[REG_RIP];

	/* Outside 64-bit code RIP has 32 bits and wraps. */
	if ((rip ^ old_rip) >> 32 && !is_64bit_code(vcpu))
		reg_write(vcpu, REG_RIP, (u32)rip);
	vmx_set_shadow(vcpu, 0);
	if (vmx_rflags(vcpu) & X86_EFLAGS_TF)
		debug_step_trap(vcpu);
}

/**
 * vmx_skip_insn - the instruction that caused the exit has been executed
 * @vcpu: the vCPU
 *
 * Moves RIP past it, ends the interrupt shadow of the one before it, and
 * raises the single-step trap the CPU would raise now.
 */
void vmx_skip_insn(struct vcpu *vcpu)
{
	unsigned long rip = vmx_rip(vcpu);
	unsigned long rflags = vmx_rflags(vcpu);
	unsigned long next = rip + vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
	u32 state = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);

	reg_write(vcpu, REG_RIP, next);
	if (unlikely((rip ^ next) >> 32 | (state & SHADOW_ANY) | (rflags & X86_EFLAGS_TF)))
		skip_insn_rest(vcpu, rip);
}

/**
 * vmx_get_exit_info - describe the last exit
 * @vcpu: loaded, not entered since
 * @info: out
 */
void vmx_get_exit_info(struct vcpu *vcpu, struct exit_info *info)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	*info = (struct exit_info) {
		.reason = vmx->exit_reason,
		.qualification = vmx_exit_qual(vmx),
		.rip = vmx_rip(vcpu),
		.gpa = MK_INVALID_GPA,
	};
	if (exit_reason_failed_entry(vmx->exit_reason))
		return;
	info->idt_info = vmx->idt_info;
	info->intr_info = vmx_intr_info(vmx);
	if (intr_info_valid(info->intr_info) && (info->intr_info & INTR_INFO_DELIVER_CODE_MASK))
		info->error_code = vmcs_read32(VM_EXIT_INTR_ERROR_CODE);
	if (info->reason == EXIT_REASON_EPT_VIOLATION || info->reason == EXIT_REASON_EPT_MISCONFIG)
		info->gpa = vmcs_read64(GUEST_PHYSICAL_ADDRESS);
}

/**
 * vmx_delivery_error - an event's delivery exited in a way nobody can finish
 * @vcpu: the vCPU
 *
 * Return: EXIT_TO_USER, MINIKVM_INTERNAL_ERROR_DELIVERY_EV with the vectoring
 * information, exit reason, qualification, for EPT misconfigurations the guest
 * physical address, and the CPU.
 * SDM: "Information for VM Exits That Occur During Event Delivery".
 */
enum exit_action vmx_delivery_error(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	struct minikvm_run *run = vcpu->run;
	int n = 0;

	vcpu_internal_error(vcpu, MINIKVM_INTERNAL_ERROR_DELIVERY_EV);
	run->internal.data[n++] = vmx->idt_info;
	run->internal.data[n++] = vmx->exit_reason;
	run->internal.data[n++] = vmx_exit_qual(vmx);
	if (exit_reason_basic(vmx->exit_reason) == EXIT_REASON_EPT_MISCONFIG)
		run->internal.data[n++] = vmcs_read64(GUEST_PHYSICAL_ADDRESS);
	run->internal.data[n++] = vmx->vmcs_cpu;
	run->internal.ndata = n;
	return EXIT_TO_USER;
}

static enum exit_action unexpected_exit(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	struct minikvm_run *run = vcpu->run;

	pr_err_ratelimited("vCPU %u: unexpected exit reason 0x%x\n", vcpu->id, vmx->exit_reason);
	vcpu_internal_error(vcpu, MINIKVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON);
	run->internal.data[0] = vmx->exit_reason;
	run->internal.data[1] = vmx->vmcs_cpu;
	run->internal.ndata = 2;
	return EXIT_TO_USER;
}

/*
 * The CPU would not enter the guest: userspace gave it a state no CPU can be
 * in, or the module has a bug. Userspace gets KVM's numbers, the log the rest.
 * SDM: "Checks on the Guest State Area", "VM-Entry Failures During or After Loading Guest State".
 */
static enum exit_action failed_entry(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	struct minikvm_run *run = vcpu->run;
	u64 reason = vmx->exit_reason;

	if (vmx->fail)
		reason = vmcs_read32(VM_INSTRUCTION_ERROR);
	pr_err_ratelimited("vCPU %u: VM entry failed: %s 0x%llx\n", vcpu->id,
			   vmx->fail ? "VM-instruction error" : "exit reason", reason);
	vmx_explain_failure(vcpu, reason);
	vmx_dump(vcpu);
	/* It was not delivered, and the field still holds it. */
	vmx_cancel_injection(vcpu);

	run->exit_reason = MINIKVM_EXIT_FAIL_ENTRY;
	run->fail_entry.hardware_entry_failure_reason = reason;
	run->fail_entry.cpu = vmx->vmcs_cpu;
	return EXIT_TO_USER;
}

static noinline enum exit_action odd_exit(struct vcpu *vcpu)
{
	u32 reason = to_vmx(vcpu)->exit_reason;

	if (!exit_reason_failed_entry(reason))
		return unexpected_exit(vcpu);
	/* The host's, and handled. */
	if (exit_reason_basic(reason) == EXIT_REASON_MCE_DURING_VMENTRY)
		return EXIT_RESUME;
	return failed_entry(vcpu);
}

/**
 * vmx_handle_exit - answer the exit that ended the last stay in the guest
 * @vcpu: loaded
 *
 * Context: interrupts and preemption on.
 * Return: as the contract above says.
 */
enum exit_action vmx_handle_exit(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 reason = vmx->exit_reason;
	const struct exit_entry *entry;

	/* Also a reason with a flag in its upper half. */
	if (unlikely(reason >= ARRAY_SIZE(exit_table)))
		return odd_exit(vcpu);
	entry = &exit_table[array_index_nospec(reason, ARRAY_SIZE(exit_table))];
	if (unlikely(!entry->handler))
		return odd_exit(vcpu);
	if (unlikely(intr_info_valid(vmx->idt_info)) && !entry->event)
		return vmx_delivery_error(vcpu);
	if (!entry->plain)
		vmx->l1d_flush = true;
	return entry->handler(vcpu);
}
