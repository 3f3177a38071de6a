// SPDX-License-Identifier: GPL-2.0
/*
 * Exits that are a few lines each: exceptions, windows, and the instructions
 * that always exit.
 *
 * Source: Intel SDM vol. 3C (December 2023), "VMX Non-Root Operation".
 */
#include <asm/cpu.h>
#include <asm/cpufeature.h>
#include <asm/trapnr.h>

#include "vmx.h"
#include "../irqchip/lapic.h"
#include "../x86/debug.h"
#include "../x86/x86.h"

/*
 * Time for the guest's APIC timer; or only the bound of a stay, which did its work by
 * happening.
 * SDM: "VMX-Preemption Timer".
 */
enum exit_action exit_preemption_timer(struct vcpu *vcpu)
{
	if (vcpu->guest_timer)
		lapic_timer_check(vcpu);
	return EXIT_RESUME;
}

/* Taken by the host when interrupts came back on. */
enum exit_action exit_external_interrupt(struct vcpu *vcpu)
{
	vcpu->stats.irq_exits++;
	return EXIT_RESUME;
}

/* Instructions that do nothing here: no cache of the guest's needs flushing. */
enum exit_action exit_skip(struct vcpu *vcpu)
{
	vmx_skip_insn(vcpu);
	return EXIT_RESUME;
}

/* SDM: "Instructions That Cause VM Exits Unconditionally". */
enum exit_action exit_undefined(struct vcpu *vcpu)
{
	inject_ud(vcpu);
	return EXIT_RESUME;
}

/* No C-state to enter: done at once, but not by a guest that was told it may not. */
enum exit_action exit_monitor_mwait(struct vcpu *vcpu)
{
	if (!vm_has_quirk(vcpu->vm, MINIKVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS) &&
	    !guest_has(vcpu, X86_FEATURE_MWAIT))
		return exit_undefined(vcpu);
	return exit_skip(vcpu);
}

/* SDM: "Instructions That Cause VM Exits Unconditionally". */
enum exit_action exit_cpuid(struct vcpu *vcpu)
{
	if (unlikely(vcpu->cpuid_faulting) && vmx_get_cpl(vcpu)) {
		inject_gp(vcpu);
		return EXIT_RESUME;
	}
	cpuid_exec(vcpu);
	vmx_skip_insn(vcpu);
	return EXIT_RESUME;
}

enum exit_action exit_hlt(struct vcpu *vcpu)
{
	vmx_skip_insn(vcpu);
	return vcpu_halt(vcpu);
}

/* There are no performance counters, hence no valid counter number. */
enum exit_action exit_rdpmc(struct vcpu *vcpu)
{
	inject_gp(vcpu);
	return EXIT_RESUME;
}

enum exit_action exit_vmcall(struct vcpu *vcpu)
{
	vcpu->stats.hypercalls++;
	return hypercall_exec(vcpu);
}

/*
 * SDM: "Instructions That Cause VM Exits Unconditionally", "XSETBV-Set Extended Control Register".
 */
enum exit_action exit_xsetbv(struct vcpu *vcpu)
{
	u64 value = (u32)vcpu->regs[REG_RAX] | vcpu->regs[REG_RDX] << 32;

	if (vmx_get_cpl(vcpu) || xcr0_set(vcpu, vcpu->regs[REG_RCX], value, false))
		inject_gp(vcpu);
	else
		vmx_skip_insn(vcpu);
	return EXIT_RESUME;
}

enum exit_action exit_triple_fault(struct vcpu *vcpu)
{
	vcpu->run->exit_reason = MINIKVM_EXIT_SHUTDOWN;
	return EXIT_TO_USER;
}

enum exit_action exit_interrupt_window(struct vcpu *vcpu)
{
	vcpu->stats.irq_window_exits++;
	vmcs_ctl_clear_bits_proc(to_vmx(vcpu), CPU_BASED_INTR_WINDOW_EXITING);
	vcpu_set_request(vcpu, REQ_EVENT);
	return EXIT_RESUME;
}

enum exit_action exit_nmi_window(struct vcpu *vcpu)
{
	vcpu->stats.nmi_window_exits++;
	vmcs_ctl_clear_bits_proc(to_vmx(vcpu), CPU_BASED_NMI_WINDOW_EXITING);
	vcpu_set_request(vcpu, REQ_EVENT);
	return EXIT_RESUME;
}

/* ---- exceptions --------------------------------------------------------------- */

/*
 * #DB: the causes are in the exit qualification, DR6 is untouched. It is the
 * debugger's if there is one. Otherwise it goes on to the guest, whose handler
 * reads DR6 through an exit.
 * SDM: "Exit Qualification for Debug Exceptions".
 */
static enum exit_action exit_debug_exception(struct vcpu *vcpu, u32 info)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	unsigned long causes = vmx_exit_qual(vmx);

	if (debug_takes_db(vcpu))
		return debug_exit(vcpu, X86_TRAP_DB, causes);
	/* INT1 traps behind itself; the exit's RIP is still on it. */
	if (intr_info_type(info) == INTR_TYPE_PRIV_SW_EXCEPTION)
		reg_write(vcpu, REG_RIP,
			  rip_read(vcpu) + vmcs_read32(VM_EXIT_INSTRUCTION_LEN));
	inject_db(vcpu, causes);
	return EXIT_RESUME;
}

/* INT3, while the debugger plants them. One that is not its own it sends back. */
static enum exit_action exit_breakpoint(struct vcpu *vcpu)
{
	to_vmx(vcpu)->event_insn_len = vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
	return debug_exit(vcpu, X86_TRAP_BP, 0);
}

static enum exit_action exit_to_user_exception(struct vcpu *vcpu, u32 info)
{
	vcpu->run->exit_reason = MINIKVM_EXIT_EXCEPTION;
	vcpu->run->ex.exception = intr_info_vector(info);
	vcpu->run->ex.error_code = info & INTR_INFO_DELIVER_CODE_MASK ?
				   vmcs_read32(VM_EXIT_INTR_ERROR_CODE) : 0;
	return EXIT_TO_USER;
}

/*
 * #AC is the guest's when it asked for alignment checks. Otherwise it can be the
 * host's detection of split locks, which the guest did not switch on: the
 * kernel warns and lets this task go on, or sends it SIGBUS.
 */
static enum exit_action exit_alignment_check(struct vcpu *vcpu, u32 info)
{
	bool asked = vmx_get_cpl(vcpu) == 3 && (cr0_read(vcpu) & X86_CR0_AM) &&
		     (vmx_rflags(vcpu) & X86_EFLAGS_AC);

	if (asked || !boot_cpu_has(X86_FEATURE_SPLIT_LOCK_DETECT)) {
		inject_exception_err(vcpu, X86_TRAP_AC, vmcs_read32(VM_EXIT_INTR_ERROR_CODE));
		return EXIT_RESUME;
	}
	if (handle_guest_split_lock(vmx_rip(vcpu)))
		return EXIT_RESUME;
	return exit_to_user_exception(vcpu, info);
}

/**
 * exit_exception - an exception of the exception bitmap, or an NMI
 * @vcpu: the vCPU
 *
 * The host's NMIs and machine checks were handled with interrupts still off.
 * SDM: "Information for VM Exits Due to Vectored Events".
 */
enum exit_action exit_exception(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 info = vmx_intr_info(vmx);

	if (intr_info_is_nmi(info) || intr_info_is_exception(info, X86_TRAP_MC))
		return EXIT_RESUME;

	/* An IRET out of an NMI handler faulted, having unblocked NMIs. */
	if ((info & INTR_INFO_UNBLOCK_NMI) && !intr_info_valid(vmx->idt_info))
		vmx_set_nmi_mask(vcpu, true);

	if (intr_info_valid(vmx->idt_info)) {
		vcpu_internal_error(vcpu, MINIKVM_INTERNAL_ERROR_SIMUL_EX);
		vcpu->run->internal.data[0] = vmx->idt_info;
		vcpu->run->internal.data[1] = info;
		vcpu->run->internal.data[2] = info & INTR_INFO_DELIVER_CODE_MASK ?
					      vmcs_read32(VM_EXIT_INTR_ERROR_CODE) : 0;
		vcpu->run->internal.data[3] = vmx->vmcs_cpu;
		vcpu->run->internal.ndata = 4;
		return EXIT_TO_USER;
	}

	switch (intr_info_vector(info)) {
	case X86_TRAP_DB:
		return exit_debug_exception(vcpu, info);
	case X86_TRAP_BP:
		return exit_breakpoint(vcpu);
	case X86_TRAP_AC:
		return exit_alignment_check(vcpu, info);
	case X86_TRAP_UD:
		return hypercall_fix(vcpu);
	default:
		return exit_to_user_exception(vcpu, info);
	}
}
