// SPDX-License-Identifier: GPL-2.0
/*
 * Exits of the instructions that touch control and debug registers.
 *
 * Source: Intel SDM vol. 3C (December 2023), "Exit Qualification for
 * Control-Register Accesses", "Exit Qualification for MOV DR".
 */
#include <asm/trapnr.h>

#include "vmx.h"
#include "../trace.h"
#include "../x86/debug.h"
#include "../x86/x86.h"

/* The low four bits, of which PE can be set but not cleared. */
#define LMSW_BITS	(X86_CR0_PE | X86_CR0_MP | X86_CR0_EM | X86_CR0_TS)

static unsigned long read_gpr(struct vcpu *vcpu, int reg)
{
	unsigned long value = reg_read(vcpu, reg);

	/* Bits 63:32 are whatever they were before the guest left 64-bit mode. */
	return is_64bit_code(vcpu) ? value : (u32)value;
}

/*
 * Userspace that runs the APIC itself must see a lowered priority: an interrupt
 * may have waited for it.
 */
static enum exit_action write_cr8(struct vcpu *vcpu, unsigned long value)
{
	unsigned long old = cr8_get(vcpu);

	if (cr8_set(vcpu, value)) {
		inject_gp(vcpu);
		return EXIT_RESUME;
	}
	vmx_skip_insn(vcpu);
	if (vcpu->lapic || old <= value)
		return EXIT_RESUME;
	vcpu->run->exit_reason = MINIKVM_EXIT_SET_TPR;
	return EXIT_TO_USER;
}

static enum exit_action mov_to_cr(struct vcpu *vcpu, int cr, unsigned long value)
{
	int err;

	trace_kvm_cr(TRACE_WRITE, cr, value);
	switch (cr) {
	case 0:
		err = cr0_set(vcpu, value);
		break;
	case 3:
		err = cr3_set(vcpu, value);
		break;
	case 4:
		err = cr4_set(vcpu, value);
		break;
	case 8:
		return write_cr8(vcpu, value);
	default:
		inject_ud(vcpu);
		return EXIT_RESUME;
	}
	if (err)
		inject_gp(vcpu);
	else
		vmx_skip_insn(vcpu);
	return EXIT_RESUME;
}

static enum exit_action mov_from_cr(struct vcpu *vcpu, int cr, int reg)
{
	switch (cr) {
	case 3:
		reg_write(vcpu, reg, cr3_read(vcpu));
		break;
	case 8:
		reg_write(vcpu, reg, cr8_get(vcpu));
		break;
	default:
		inject_ud(vcpu);
		return EXIT_RESUME;
	}
	trace_kvm_cr(TRACE_READ, cr, vcpu->regs[reg]);
	vmx_skip_insn(vcpu);
	return EXIT_RESUME;
}

/**
 * exit_cr_access - MOV CR, CLTS, LMSW
 * @vcpu: the vCPU
 * SDM: "Exit Qualification for Control-Register Accesses".
 */
enum exit_action exit_cr_access(struct vcpu *vcpu)
{
	unsigned long qual = vmx_exit_qual(to_vmx(vcpu));
	unsigned long cr0;

	switch (qual_cr_access(qual)) {
	case CR_MOV_TO:
		return mov_to_cr(vcpu, qual_cr_number(qual), read_gpr(vcpu, qual_cr_reg(qual)));
	case CR_MOV_FROM:
		return mov_from_cr(vcpu, qual_cr_number(qual), qual_cr_reg(qual));
	case CR_CLTS:
		return mov_to_cr(vcpu, 0, cr0_read(vcpu) & ~X86_CR0_TS);
	case CR_LMSW:
	default:
		cr0 = cr0_read(vcpu) & ~(LMSW_BITS & ~X86_CR0_PE);
		return mov_to_cr(vcpu, 0, cr0 | (qual_cr_lmsw_source(qual) & LMSW_BITS));
	}
}

/**
 * exit_dr_access - MOV DR
 * @vcpu: the vCPU
 *
 * Every access exits: DR0 to DR3 are in the hardware only while a breakpoint is
 * enabled, and DR6 never is.
 * SDM: "Exit Qualification for MOV DR", "General-Detect Exception Condition".
 */
enum exit_action exit_dr_access(struct vcpu *vcpu)
{
	unsigned long qual = vmx_exit_qual(to_vmx(vcpu));
	int dr = qual_dr_number(qual);
	int reg = qual_dr_reg(qual);

	if ((dr == 4 || dr == 5) && (cr4_read(vcpu) & X86_CR4_DE)) {
		inject_ud(vcpu);
		return EXIT_RESUME;
	}
	if (vmx_get_cpl(vcpu)) {
		inject_gp(vcpu);
		return EXIT_RESUME;
	}
	/* General detect: a debugger wants to see who touches these. */
	if (vcpu->eff_dr7 & DR7_GD) {
		if (vcpu->guest_debug & MINIKVM_GUESTDBG_USE_HW_BP)
			return debug_exit(vcpu, X86_TRAP_DB, DR6_BD);
		inject_db(vcpu, DR6_BD);
		return EXIT_RESUME;
	}
	if (qual_dr_is_read(qual)) {
		reg_write(vcpu, reg, dr_get(vcpu, dr));
	} else if (dr_set(vcpu, dr, read_gpr(vcpu, reg))) {
		inject_gp(vcpu);
		return EXIT_RESUME;
	}
	vmx_skip_insn(vcpu);
	return EXIT_RESUME;
}
