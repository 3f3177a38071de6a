// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls: VMCALL, with the number in RAX, arguments in RBX, RCX, RDX and
 * RSI, and the result in RAX. None but the no-op is offered: what a guest may
 * call is announced in CPUID, and nothing is.
 */
#include <linux/errno.h>

#include "../../uapi/minikvm_para.h"
#include "x86.h"

#define HC_VAPIC_POLL_IRQ	1	/* an exit that looks for interrupts; succeeds */

/**
 * hypercall_exec - the guest executed VMCALL
 * @vcpu: the vCPU, RIP at the instruction
 *
 * Return: EXIT_RESUME, the instruction skipped and RAX 0, -ENOSYS (as the
 * interface numbers it: no such call) or -EPERM (not in ring 0).
 */
enum exit_action hypercall_exec(struct vcpu *vcpu)
{
	bool wide = is_64bit_code(vcpu);
	u64 nr = vcpu->regs[REG_RAX];
	long ret = -MINIKVM_ENOSYS;

	if (!wide)
		nr = (u32)nr;
	if (vendor->get_cpl(vcpu))
		ret = -EPERM;
	else if (nr == HC_VAPIC_POLL_IRQ)
		ret = 0;

	vcpu->regs[REG_RAX] = wide ? ret : (u32)ret;
	vendor->skip_insn(vcpu);
	return EXIT_RESUME;
}
