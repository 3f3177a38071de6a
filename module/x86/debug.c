// SPDX-License-Identifier: GPL-2.0
/*
 * Debugging: the guest's own debug registers, and a debugger in userspace that
 * steps the guest and sets breakpoints in it (SET_GUEST_DEBUG).
 *
 * The debugger's hardware breakpoints take the place of the guest's while they
 * are in use: the guest reads and writes the registers it believes to have,
 * and the CPU holds the debugger's. A step is RFLAGS.TF of the CPU, which
 * userspace neither sees nor needs to set.
 *
 * Source: Intel SDM vol. 3B (December 2023), "Debug Registers", "Debug
 * Exceptions", "General-Detect Exception Condition", "Single-Step Exception
 * Condition".
 */
#include <linux/build_bug.h>
#include <uapi/asm/debugreg.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "debug.h"
#include "x86.h"

#define DR6_WRITABLE	(DR_TRAP0 | DR_TRAP1 | DR_TRAP2 | DR_TRAP3 | \
			 DR6_BD | DR_STEP | DR6_BT)
#define DR6_BT		BIT(15)
#define DR7_WRITABLE	0xffff23fful
#define DR7_ONES	0x400ul

/* ---- the guest's registers ---------------------------------------------- */

/*
 * What the CPU's DR7 is to be: the debugger's, or the guest's. Whether any
 * breakpoint is enabled there is asked before each entry.
 */
void debug_update_dr7(struct vcpu *vcpu)
{
	vcpu->eff_dr7 = vcpu->guest_debug & MINIKVM_GUESTDBG_USE_HW_BP ?
			vcpu->debug_dr7 : vcpu->dr7;
	vendor->set_dr7(vcpu, vcpu->eff_dr7);
}

/**
 * dr_set - write a debug register
 * @vcpu: the vCPU
 * @nr: 0..7; 4 and 5 are 6 and 7, as without CR4.DE
 * @val: value
 *
 * Return: 0 or -EINVAL (upper half of DR6 or DR7).
 * SDM: "Debug Registers".
 */
int dr_set(struct vcpu *vcpu, int nr, unsigned long val)
{
	if (nr >= 0 && nr < 4) {
		vcpu->db[nr] = val;
		return 0;
	}
	if (val >> 32)
		return -EINVAL;
	if (nr == 4 || nr == 6) {
		vcpu->dr6 = (val & DR6_WRITABLE) | DR6_ACTIVE_LOW;
	} else {
		vcpu->dr7 = (val & DR7_WRITABLE) | DR7_ONES;
		debug_update_dr7(vcpu);
	}
	return 0;
}

/**
 * dr_get - read a debug register
 * @vcpu: the vCPU
 * @nr: 0..7
 * SDM: "Debug Registers".
 */
unsigned long dr_get(struct vcpu *vcpu, int nr)
{
	if (nr >= 0 && nr < 4)
		return vcpu->db[nr];
	return nr == 4 || nr == 6 ? vcpu->dr6 : vcpu->dr7;
}

/**
 * debugregs_get - GET_DEBUGREGS
 * @vcpu: the vCPU, loaded
 * @regs: out
 */
void debugregs_get(struct vcpu *vcpu, struct minikvm_debugregs *regs)
{
	memset(regs, 0, sizeof(*regs));
	memcpy(regs->db, vcpu->db, sizeof(regs->db));
	regs->dr6 = vcpu->dr6;
	regs->dr7 = vcpu->dr7;
}

/**
 * debugregs_set - SET_DEBUGREGS
 * @vcpu: the vCPU, loaded
 * @regs: in; reserved bits of the lower halves of DR6 and DR7 are taken as they
 *	are, as KVM takes them
 *
 * Return: 0, or -EINVAL (flags, or an upper half of DR6 or DR7 that is not 0).
 */
int debugregs_set(struct vcpu *vcpu, const struct minikvm_debugregs *regs)
{
	if (regs->flags || regs->dr6 >> 32 || regs->dr7 >> 32)
		return -EINVAL;
	memcpy(vcpu->db, regs->db, sizeof(vcpu->db));
	vcpu->dr6 = regs->dr6;
	vcpu->dr7 = regs->dr7;
	debug_update_dr7(vcpu);
	return 0;
}

/* ---- the debugger ------------------------------------------------------- */

static unsigned long linear_rip(struct vcpu *vcpu)
{
	unsigned long rip = rip_read(vcpu);

	if (is_64bit_code(vcpu))
		return rip;
	return (u32)(vendor->get_segment_base(vcpu, SEG_CS) + rip);
}

/**
 * debug_rflags_get - RFLAGS without the TF that steps for the debugger
 * @vcpu: the vCPU, loaded
 */
unsigned long debug_rflags_get(struct vcpu *vcpu)
{
	unsigned long rflags = rflags_read(vcpu);

	if (vcpu->guest_debug & MINIKVM_GUESTDBG_SINGLESTEP)
		rflags &= ~X86_EFLAGS_TF;
	return rflags;
}

/**
 * debug_rflags_set - RFLAGS, with TF while the instruction to step is at RIP
 * @vcpu: the vCPU, loaded
 * @rflags: as the guest is to see them
 */
void debug_rflags_set(struct vcpu *vcpu, unsigned long rflags)
{
	if ((vcpu->guest_debug & MINIKVM_GUESTDBG_SINGLESTEP) &&
	    linear_rip(vcpu) == vcpu->singlestep_rip)
		rflags |= X86_EFLAGS_TF;
	rflags_write(vcpu, rflags);
}

static bool exception_waits(struct vcpu *vcpu)
{
	return vcpu->events.exception.pending ||
	       test_bit(REQ_TRIPLE_FAULT, &vcpu->requests);
}

/**
 * guest_debug_set - SET_GUEST_DEBUG
 * @vcpu: the vCPU, loaded
 * @dbg: in; unknown bits of control are ignored
 *
 * A step is of the instruction at RIP now: the flag does not follow RIP if
 * userspace moves it.
 *
 * Return: 0; -EBUSY (an exception was to be injected while another one waits),
 * which changes nothing.
 */
int guest_debug_set(struct vcpu *vcpu, const struct minikvm_guest_debug *dbg)
{
	unsigned long rflags;
	u32 control = dbg->control;

	if (control & (MINIKVM_GUESTDBG_INJECT_DB | MINIKVM_GUESTDBG_INJECT_BP)) {
		if (exception_waits(vcpu))
			return -EBUSY;
		/* The causes of a #DB are already where userspace wants them. */
		inject_exception(vcpu, control & MINIKVM_GUESTDBG_INJECT_DB ?
				       X86_TRAP_DB : X86_TRAP_BP);
	}

	/* Read while the step to end still hides its TF. */
	rflags = debug_rflags_get(vcpu);
	vcpu->guest_debug = control & MINIKVM_GUESTDBG_ENABLE ? control : 0;
	if (vcpu->guest_debug & MINIKVM_GUESTDBG_USE_HW_BP) {
		memcpy(vcpu->debug_db, dbg->arch.debugreg, sizeof(vcpu->debug_db));
		vcpu->debug_dr7 = dbg->arch.debugreg[7];
	}
	debug_update_dr7(vcpu);
	if (vcpu->guest_debug & MINIKVM_GUESTDBG_SINGLESTEP)
		vcpu->singlestep_rip = linear_rip(vcpu);
	debug_rflags_set(vcpu, rflags);
	vendor->update_exceptions(vcpu);
	if (vcpu->lapic)
		vendor->apic_changed(vcpu);

	clear_bit(REQ_DEBUG_STEP, &vcpu->requests);
	vcpu_set_request(vcpu, REQ_EVENT);
	return 0;
}

/**
 * debug_exit - leave to the debugger
 * @vcpu: the vCPU, by its own thread
 * @vector: X86_TRAP_DB or X86_TRAP_BP
 * @causes: of a #DB, in DR6's positions, all active high
 *
 * Return: EXIT_TO_USER with MINIKVM_EXIT_DEBUG.
 */
enum exit_action debug_exit(struct vcpu *vcpu, u8 vector, unsigned long causes)
{
	struct minikvm_debug_exit_arch *arch = &vcpu->run->debug.arch;

	vcpu->run->exit_reason = MINIKVM_EXIT_DEBUG;
	arch->exception = vector;
	arch->pad = 0;
	arch->pc = linear_rip(vcpu);
	arch->dr6 = causes | DR6_ACTIVE_LOW;
	arch->dr7 = vcpu->eff_dr7;
	return EXIT_TO_USER;
}

/**
 * debug_step_trap - an instruction with RFLAGS.TF set was executed in software
 * @vcpu: the vCPU, by its own thread
 *
 * A guest that steps itself gets its #DB. A debugger gets its exit as soon as
 * the instruction is all done, which may be after an exit to userspace and the
 * RUN that follows it.
 * SDM: "Single-Step Exception Condition".
 */
void debug_step_trap(struct vcpu *vcpu)
{
	/* What MOV SS held back until after this instruction comes with it. */
	unsigned long causes = DR_STEP | vendor->take_pending_db(vcpu);

	if (vcpu->guest_debug & MINIKVM_GUESTDBG_SINGLESTEP) {
		vcpu->step_causes = causes;
		vcpu_set_request(vcpu, REQ_DEBUG_STEP);
	} else {
		inject_db(vcpu, causes);
	}
}

/**
 * debug_step_exit - leave to the debugger, REQ_DEBUG_STEP taken
 * @vcpu: the vCPU, by its own thread
 *
 * Return: EXIT_TO_USER with MINIKVM_EXIT_DEBUG.
 */
enum exit_action debug_step_exit(struct vcpu *vcpu)
{
	return debug_exit(vcpu, X86_TRAP_DB, vcpu->step_causes);
}
