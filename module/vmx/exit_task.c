// SPDX-License-Identifier: GPL-2.0
/*
 * Exits of task switches and of the instructions on descriptor tables.
 *
 * Source: Intel SDM vol. 3C (December 2023), "Exit Qualification for Task
 * Switches", "Treatment of Task Switches", "Instructions That Cause VM Exits
 * Conditionally".
 */
#include "vmx.h"
#include "../x86/task.h"
#include "../x86/x86.h"

/* The event went through a task gate: entering the task delivers it. */
static void take_event(struct vcpu *vcpu, u32 info, struct task_switch *why)
{
	struct vcpu_events *ev = &vcpu->events;

	switch (intr_info_type(info)) {
	case INTR_TYPE_NMI_INTR:
		ev->nmi_injected = false;
		vmx_set_nmi_mask(vcpu, true);
		break;
	case INTR_TYPE_SOFT_INTR:
		why->soft_interrupt = true;
		why->gate_vector = intr_info_vector(info);
		fallthrough;
	case INTR_TYPE_EXT_INTR:
		ev->interrupt.injected = false;
		break;
	default:
		why->has_error_code = info & INTR_INFO_DELIVER_CODE_MASK;
		if (why->has_error_code)
			why->error_code = ev->exception.error_code;
		ev->exception.injected = false;
		break;
	}
}

/* Events that are no instruction's leave RIP where it is. */
static bool by_instruction(u32 info)
{
	if (!intr_info_valid(info))
		return true;
	switch (intr_info_type(info)) {
	case INTR_TYPE_HARD_EXCEPTION:
	case INTR_TYPE_EXT_INTR:
	case INTR_TYPE_NMI_INTR:
		return false;
	default:
		return true;
	}
}

/**
 * exit_task_switch - CALL, JMP, IRET or an event found a TSS
 * @vcpu: the vCPU
 * SDM: "Treatment of Task Switches".
 */
enum exit_action exit_task_switch(struct vcpu *vcpu)
{
	static const enum task_switch_reason reasons[] = {
		TASK_SWITCH_BY_CALL, TASK_SWITCH_BY_IRET, TASK_SWITCH_BY_JMP, TASK_SWITCH_BY_GATE,
	};
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	unsigned long qual = vmx_exit_qual(vmx);
	struct task_switch why = {
		.reason = reasons[qual_task_source(qual)],
		.selector = qual_task_selector(qual),
		.next_rip = vmx_rip(vcpu),
	};
	u32 info = vmx->idt_info;

	if (by_instruction(info))
		why.next_rip += vmcs_read32(VM_EXIT_INSTRUCTION_LEN);
	if (intr_info_valid(info) && why.reason == TASK_SWITCH_BY_GATE)
		take_event(vcpu, info, &why);
	return task_switch_exec(vcpu, &why);
}

/**
 * exit_descriptor_table - SGDT, SIDT, LGDT, LIDT, SLDT, STR, LLDT, LTR
 * @vcpu: the vCPU
 *
 * They exit while CR4.UMIP is set on a CPU that does not know it.
 */
enum exit_action exit_descriptor_table(struct vcpu *vcpu)
{
	return mmio_exec(vcpu, MK_INVALID_GPA);
}
