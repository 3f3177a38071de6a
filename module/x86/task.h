/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hardware task switches, as the vendor's exit describes them.
 */
#ifndef MINIKVM_TASK_H
#define MINIKVM_TASK_H

#include "../minikvm.h"

enum task_switch_reason {
	TASK_SWITCH_BY_CALL,
	TASK_SWITCH_BY_IRET,
	TASK_SWITCH_BY_JMP,
	TASK_SWITCH_BY_GATE,	/* of the IDT: an interrupt or exception */
};

/**
 * struct task_switch - what the CPU was about to do
 * @reason: enum task_switch_reason
 * @selector: of the new TSS
 * @soft_interrupt: INT n
 * @gate_vector: with @soft_interrupt: n
 * @has_error_code: the exception pushes @error_code
 * @error_code: as the new task sees it
 * @next_rip: where the old task goes on one day
 */
struct task_switch {
	enum task_switch_reason reason;
	u16 selector;
	bool soft_interrupt;
	u8 gate_vector;
	bool has_error_code;
	u32 error_code;
	u64 next_rip;
};

enum exit_action task_switch_exec(struct vcpu *vcpu, const struct task_switch *why);

#endif
