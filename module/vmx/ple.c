// SPDX-License-Identifier: GPL-2.0
/*
 * PAUSE-loop exiting: when the CPU takes a guest's loop around PAUSE for a spin
 * lock, and how long it lets it spin.
 *
 * Two PAUSEs at most ple_gap ticks apart belong to one loop; a loop longer than
 * the window exits. The window grows with every exit, so that a guest whose
 * loops end by themselves is soon left alone, and starts anew whenever the
 * vCPU's thread comes back to a CPU.
 *
 * Source: Intel SDM vol. 3C (December 2023), "PAUSE" in "Changes to Instruction
 * Behavior in VMX Non-Root Operation", "Controls for PAUSE-Loop Exiting".
 */
#include <linux/module.h>

#include "vmx.h"
#include "../trace.h"

#define PLE_GROWTH	2
#define PLE_MAX_WINDOW	(UINT_MAX / PLE_GROWTH)

static unsigned int ple_gap = 128;
module_param(ple_gap, uint, 0444);
MODULE_PARM_DESC(ple_gap, "Longest gap in a PAUSE loop, in TSC ticks; 0: such loops never exit");

static unsigned int ple_window = 4096;
module_param(ple_window, uint, 0444);
MODULE_PARM_DESC(ple_window, "How long a PAUSE loop may last at first, in TSC ticks");

/* At load: what of @proc2 is left. */
u32 vmx_ple_caps(u32 proc2)
{
	return ple_gap ? proc2 : proc2 & ~SECONDARY_EXEC_PAUSE_LOOP_EXITING;
}

static bool vmx_has_ple(void)
{
	return vmx_caps.proc2 & SECONDARY_EXEC_PAUSE_LOOP_EXITING;
}

static void set_window(struct vcpu_vmx *vmx, u32 window)
{
	if (window == vmx->ple_window)
		return;
	trace_kvm_ple_window_update(vmx->vcpu.id, window, vmx->ple_window);
	vmcs_write32(PLE_WINDOW, window);
	vmx->ple_window = window;
}

/* Fields of a new VMCS. SDM: "Controls for PAUSE-Loop Exiting". */
void vmx_ple_init(struct vcpu_vmx *vmx)
{
	if (!vmx_has_ple())
		return;
	vmcs_write32(PLE_GAP, ple_gap);
	vmcs_write32(PLE_WINDOW, ple_window);
	vmx->ple_window = ple_window;
}

/* The vCPU's thread got a CPU, its VMCS is current: what it learnt no longer holds. */
void vmx_ple_forget(struct vcpu_vmx *vmx)
{
	vmx->ple_grown = false;
	set_window(vmx, ple_window);
}

/**
 * exit_pause - the guest seems to spin
 * @vcpu: the vCPU
 * SDM: "Controls for PAUSE-Loop Exiting".
 */
enum exit_action exit_pause(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	vmx->ple_grown = true;
	set_window(vmx, min(vmx->ple_window, PLE_MAX_WINDOW) * PLE_GROWTH);
	vcpu_on_spin(vcpu);
	vmx_skip_insn(vcpu);
	return EXIT_RESUME;
}
