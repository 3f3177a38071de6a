/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the world switch (enter.S) and its caller agree on: the layout of
 * struct enter_ctx and the bits of the flags argument. Plain numbers, because
 * the assembler reads this file too; run.c asserts that they are true.
 */
#ifndef MINIKVM_VMX_ENTER_H
#define MINIKVM_VMX_ENTER_H

#define ENTER_CTX_HOST_RSP		0
#define ENTER_CTX_SPEC_CTRL		8

#define ENTER_RESUME			0x1	/* VMRESUME, else VMLAUNCH */
#define ENTER_SAVE_SPEC_CTRL		0x2	/* the guest may have written SPEC_CTRL */

#ifndef __ASSEMBLY__

#include <linux/types.h>

/**
 * struct enter_ctx - what the world switch keeps per vCPU
 * @host_rsp: value of the VMCS field HOST_RSP, 0 when the field is not written
 * @spec_ctrl: the guest's IA32_SPEC_CTRL
 */
struct enter_ctx {
	unsigned long host_rsp;
	u64 spec_ctrl;
};

/**
 * vmx_enter_guest - run the guest until its next VM exit
 * @ctx: this vCPU's
 * @regs: the general registers, vcpu->regs (RSP and RIP are in the VMCS)
 * @flags: ENTER_*
 *
 * Context: interrupts off, the vCPU's VMCS current, noinstr.
 * Return: 0 after a VM exit (failed VM entries that exit included), 1 when
 * VMLAUNCH, VMRESUME or the VMWRITE of HOST_RSP itself failed or faulted.
 */
int vmx_enter_guest(struct enter_ctx *ctx, unsigned long *regs, unsigned int flags);

/* Where VM exits arrive: the value of HOST_RIP. Not callable. */
void vmx_exit_point(void);

#endif /* __ASSEMBLY__ */
#endif
