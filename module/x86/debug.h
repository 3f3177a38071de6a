/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Debug registers, and the debugger in userspace (debug.c).
 */
#ifndef MINIKVM_X86_DEBUG_H
#define MINIKVM_X86_DEBUG_H

#include "../minikvm.h"

#define DR6_ACTIVE_LOW	0xffff0ff0ul	/* reads as 1 unless a cause clears it */
#define DR6_BD		BIT(13)
#define DR7_GD		BIT(13)

void debugregs_get(struct vcpu *vcpu, struct minikvm_debugregs *regs);
int debugregs_set(struct vcpu *vcpu, const struct minikvm_debugregs *regs);
int guest_debug_set(struct vcpu *vcpu, const struct minikvm_guest_debug *dbg);

void debug_update_dr7(struct vcpu *vcpu);	/* dr7 or guest_debug changed */
unsigned long debug_rflags_get(struct vcpu *vcpu);
void debug_rflags_set(struct vcpu *vcpu, unsigned long rflags);
enum exit_action debug_exit(struct vcpu *vcpu, u8 vector, unsigned long causes);
void debug_step_trap(struct vcpu *vcpu);
enum exit_action debug_step_exit(struct vcpu *vcpu);	/* REQ_DEBUG_STEP */

/* The debugger takes every #DB of the guest. */
static inline bool debug_takes_db(struct vcpu *vcpu)
{
	return vcpu->guest_debug & (MINIKVM_GUESTDBG_SINGLESTEP | MINIKVM_GUESTDBG_USE_HW_BP);
}

/* The registers the CPU is to hold while the guest runs. */
static inline const unsigned long *debug_eff_db(struct vcpu *vcpu)
{
	return vcpu->guest_debug & MINIKVM_GUESTDBG_USE_HW_BP ? vcpu->debug_db : vcpu->db;
}

#endif
