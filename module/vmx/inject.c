// SPDX-License-Identifier: GPL-2.0
/*
 * Events through the VMCS: injecting exceptions, interrupts and NMIs, taking
 * back those whose delivery an exit cut short, and asking for an exit when the
 * guest can take one.
 *
 * Source: Intel SDM vol. 3C (December 2023), "Event Injection", "Information
 * for VM Exits That Occur During Event Delivery", "Virtual NMIs".
 */
#include <uapi/asm/debugreg.h>
#include <asm/trapnr.h>

#include "vmx.h"
#include "../x86/x86.h"

#define SHADOW_ANY	(GUEST_INTR_STATE_STI | GUEST_INTR_STATE_MOV_SS)

/*
 * The guest halts in the CPU: an event is what it waits for. RIP is past the HLT.
 * SDM: "Guest Non-Register State".
 */
static void end_guest_halt(void)
{
	if (vmcs_read32(GUEST_ACTIVITY_STATE) == GUEST_ACTIVITY_HLT)
		vmcs_write32(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
}

/* VM entry delivers the event; the CPU clears the valid bit at the exit. */
static void set_entry_intr_info(struct vcpu_vmx *vmx, u32 info)
{
	if (unlikely(vmx->exits_disabled & MINIKVM_X86_DISABLE_EXITS_HLT))
		end_guest_halt();
	vmcs_write32(VM_ENTRY_INTR_INFO_FIELD, info | INTR_INFO_VALID_MASK);
	vmx->entry_intr_info = info | INTR_INFO_VALID_MASK;
}

/* Software events push the address after the instruction, which is in no VMCS. */
static void set_entry_insn_len(struct vcpu_vmx *vmx)
{
	/* Userspace may restore an event without saying how long it was. */
	vmcs_write32(VM_ENTRY_INSTRUCTION_LEN, clamp(vmx->event_insn_len, 1u, 15u));
}

static bool exception_is_software(u8 vector)
{
	return vector == X86_TRAP_BP || vector == X86_TRAP_OF;
}

/*
 * VM entry with TF set and in the shadow of STI or MOV SS insists that the trap
 * of the step is pending: neither of the two sets TF, so it was set before.
 * That the entry injects this very trap does not satisfy it.
 * SDM: "Guest Non-Register State".
 */
static void satisfy_step_check(struct vcpu *vcpu)
{
	if ((vmx_rflags(vcpu) & X86_EFLAGS_TF) && vmx_get_shadow(vcpu))
		vmcs_writel(GUEST_PENDING_DBG_EXCEPTIONS,
			    vmcs_readl(GUEST_PENDING_DBG_EXCEPTIONS) | DR_STEP);
}

/**
 * vmx_take_pending_db - debug exceptions that the CPU still owes
 * @vcpu: loaded
 *
 * They wait while MOV SS or POP SS blocks them, also across an exit.
 *
 * Return: breakpoints in DR6's positions; the step itself is left out.
 * SDM: "Single-Step Exception Condition".
 */
unsigned long vmx_take_pending_db(struct vcpu *vcpu)
{
	unsigned long pending = vmcs_readl(GUEST_PENDING_DBG_EXCEPTIONS);

	if (pending)
		vmcs_writel(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	return pending & DR_TRAP_BITS;
}

/**
 * vmx_inject_exception - deliver vcpu->events.exception with the next entry
 * @vcpu: loaded
 * SDM: "Event Injection".
 */
void vmx_inject_exception(struct vcpu *vcpu)
{
	struct queued_exception *ex = &vcpu->events.exception;
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 info = ex->vector;

	if (ex->vector == X86_TRAP_DB)
		satisfy_step_check(vcpu);
	/* Real mode pushes no error codes, and VM entry refuses one. */
	if (ex->has_error_code && is_protmode(vcpu)) {
		/* The CPU has no way to deliver one with bits above 15 set. */
		vmcs_write32(VM_ENTRY_EXCEPTION_ERROR_CODE, (u16)ex->error_code);
		info |= INTR_INFO_DELIVER_CODE_MASK;
	}
	if (exception_is_software(ex->vector)) {
		set_entry_insn_len(vmx);
		info |= INTR_TYPE_SOFT_EXCEPTION;
	} else {
		info |= INTR_TYPE_HARD_EXCEPTION;
	}
	set_entry_intr_info(vmx, info);
}

/**
 * vmx_inject_irq - deliver vcpu->events.interrupt with the next entry
 * @vcpu: loaded; vmx_irq_allowed() unless the event is being re-injected
 * SDM: "Event Injection".
 */
void vmx_inject_irq(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 info = vcpu->events.interrupt.nr;

	vcpu->stats.irq_injections++;
	if (vcpu->events.interrupt.soft) {
		set_entry_insn_len(vmx);
		info |= INTR_TYPE_SOFT_INTR;
	} else {
		info |= INTR_TYPE_EXT_INTR;
	}
	set_entry_intr_info(vmx, info);
}

/**
 * vmx_inject_nmi - deliver an NMI with the next entry
 * @vcpu: loaded; vmx_nmi_allowed() unless the event is being re-injected
 * SDM: "Event Injection".
 */
void vmx_inject_nmi(struct vcpu *vcpu)
{
	vcpu->stats.nmi_injections++;
	set_entry_intr_info(to_vmx(vcpu), X86_TRAP_NMI | INTR_TYPE_NMI_INTR);
}

/*
 * An event was being delivered and was not: queue it again.
 * SDM: "Information for VM Exits That Occur During Event Delivery".
 */
static void requeue_event(struct vcpu_vmx *vmx, u32 info, unsigned long len_field,
			  unsigned long error_field)
{
	struct vcpu *vcpu = &vmx->vcpu;
	u8 vector = intr_info_vector(info);

	switch (intr_info_type(info)) {
	case INTR_TYPE_NMI_INTR:
		vcpu->events.nmi_injected = true;
		/* Its handler has not begun: injecting it anew must be allowed. */
		vmx_set_nmi_mask(vcpu, false);
		break;
	case INTR_TYPE_SOFT_EXCEPTION:
	case INTR_TYPE_PRIV_SW_EXCEPTION:
		vmx->event_insn_len = vmcs_read32(len_field);
		fallthrough;
	case INTR_TYPE_HARD_EXCEPTION:
		if (info & INTR_INFO_DELIVER_CODE_MASK)
			events_requeue_exception(vcpu, vector, true, vmcs_read32(error_field));
		else
			events_requeue_exception(vcpu, vector, false, 0);
		break;
	case INTR_TYPE_SOFT_INTR:
		vmx->event_insn_len = vmcs_read32(len_field);
		fallthrough;
	case INTR_TYPE_EXT_INTR:
		vcpu->events.interrupt.injected = true;
		vcpu->events.interrupt.soft = intr_info_type(info) == INTR_TYPE_SOFT_INTR;
		vcpu->events.interrupt.nr = vector;
		break;
	}
	vcpu_set_request(vcpu, REQ_EVENT);
}

static void forget_injected(struct vcpu *vcpu)
{
	vcpu->events.nmi_injected = false;
	vcpu->events.exception.injected = false;
	vcpu->events.interrupt.injected = false;
}

/**
 * vmx_complete_events - after an exit: what became of the event in flight
 * @vmx: just left the guest
 *
 * Whatever was injected is delivered, unless IDT-vectoring information says
 * that the exit came first; that covers events of the guest's own, too.
 * SDM: "Information for VM Exits That Occur During Event Delivery".
 */
void vmx_complete_events(struct vcpu_vmx *vmx)
{
	if (vmx->entry_intr_info) {
		vmx->entry_intr_info = 0;
		forget_injected(&vmx->vcpu);
	}
	if (unlikely(intr_info_valid(vmx->idt_info)))
		requeue_event(vmx, vmx->idt_info, VM_EXIT_INSTRUCTION_LEN,
			      IDT_VECTORING_ERROR_CODE);
}

/**
 * vmx_cancel_injection - the entry for which an event was injected is off
 * @vcpu: loaded
 */
void vmx_cancel_injection(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 info = vmx->entry_intr_info;

	if (!info)
		return;
	vmcs_write32(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmx->entry_intr_info = 0;
	forget_injected(vcpu);
	requeue_event(vmx, info, VM_ENTRY_INSTRUCTION_LEN, VM_ENTRY_EXCEPTION_ERROR_CODE);
}

/**
 * vmx_irq_allowed - would the guest take an interrupt now
 * @vcpu: loaded
 */
bool vmx_irq_allowed(struct vcpu *vcpu)
{
	return (vmx_rflags(vcpu) & X86_EFLAGS_IF) &&
	       !(vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) & SHADOW_ANY);
}

/**
 * vmx_nmi_allowed - would the guest take an NMI now
 * @vcpu: loaded
 * SDM: "Virtual NMIs".
 */
bool vmx_nmi_allowed(struct vcpu *vcpu)
{
	return !(vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) & (SHADOW_ANY | GUEST_INTR_STATE_NMI));
}

void vmx_request_irq_window(struct vcpu *vcpu)
{
	vmcs_ctl_set_bits_proc(to_vmx(vcpu), CPU_BASED_INTR_WINDOW_EXITING);
}

/* SDM: "Virtual NMIs". */
void vmx_request_nmi_window(struct vcpu *vcpu)
{
	/* STI's shadow holds an NMI back on some CPUs, and not its window. */
	if (vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) & GUEST_INTR_STATE_STI)
		vmcs_ctl_set_bits_proc(to_vmx(vcpu), CPU_BASED_INTR_WINDOW_EXITING);
	else
		vmcs_ctl_set_bits_proc(to_vmx(vcpu), CPU_BASED_NMI_WINDOW_EXITING);
}

bool vmx_get_nmi_mask(struct vcpu *vcpu)
{
	return vmcs_read32(GUEST_INTERRUPTIBILITY_INFO) & GUEST_INTR_STATE_NMI;
}

/* SDM: "Format of Interruptibility State". */
void vmx_set_nmi_mask(struct vcpu *vcpu, bool masked)
{
	u32 state = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);
	u32 wanted = masked ? state | GUEST_INTR_STATE_NMI : state & ~GUEST_INTR_STATE_NMI;

	if (wanted != state)
		vmcs_write32(GUEST_INTERRUPTIBILITY_INFO, wanted);
}

/*
 * One instruction after STI or a load of SS: MINIKVM_X86_SHADOW_INT_*.
 * SDM: "Format of Interruptibility State".
 */
u32 vmx_get_shadow(struct vcpu *vcpu)
{
	u32 state = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);
	u32 mask = 0;

	if (state & GUEST_INTR_STATE_STI)
		mask |= MINIKVM_X86_SHADOW_INT_STI;
	if (state & GUEST_INTR_STATE_MOV_SS)
		mask |= MINIKVM_X86_SHADOW_INT_MOV_SS;
	return mask;
}

/* SDM: "Format of Interruptibility State". */
void vmx_set_shadow(struct vcpu *vcpu, u32 mask)
{
	u32 state = vmcs_read32(GUEST_INTERRUPTIBILITY_INFO);
	u32 wanted = state & ~SHADOW_ANY;

	/* Both at once do not exist. */
	if (mask & MINIKVM_X86_SHADOW_INT_MOV_SS)
		wanted |= GUEST_INTR_STATE_MOV_SS;
	else if (mask & MINIKVM_X86_SHADOW_INT_STI)
		wanted |= GUEST_INTR_STATE_STI;
	if (wanted != state)
		vmcs_write32(GUEST_INTERRUPTIBILITY_INFO, wanted);
}
