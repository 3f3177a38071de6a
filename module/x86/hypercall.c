// SPDX-License-Identifier: GPL-2.0
/*
 * Hypercalls: VMCALL, with the number in RAX, arguments in RBX, RCX, RDX and
 * RSI, and the result in RAX; and what happens to guests that use the other
 * vendor's instruction for it.
 */
#include <linux/errno.h>
#include <linux/mm.h>
#include <linux/sched/stat.h>
#include <linux/string.h>

#include "../../uapi/minikvm_para.h"
#include "../irqchip/lapic.h"
#include "../memslot.h"
#include "../trace.h"
#include "x86.h"

#define HC_INSN_SIZE	3

/**
 * struct hypercall - one call as the guest made it
 * @nr: RAX
 * @args: RBX, RCX, RDX, RSI
 * @wide: from 64-bit code; otherwise all are 32 bits
 */
struct hypercall {
	u64 nr;
	u64 args[4];
	bool wide;
};

/* The guest says that @id holds what it waits for: let it have this CPU. */
static void hc_yield(struct vcpu *vcpu, u64 id)
{
	struct vcpu *target;

	if (single_task_running() || id > U32_MAX)
		return;
	target = vm_vcpu_by_id(vcpu->vm, id);
	if (target && target != vcpu && READ_ONCE(target->ready))
		vcpu_yield_to(target);
}

/* End the HLT of @id, which waits for a lock; or its next one, if it comes later. */
static void hc_kick(struct vcpu *vcpu, u64 id)
{
	struct vcpu *target = id > U32_MAX ? NULL : vm_vcpu_by_id(vcpu->vm, id);

	if (target && target->lapic)
		vcpu_unblock(target);
}

static enum exit_action complete_hypercall(struct vcpu *vcpu)
{
	u64 ret = READ_ONCE(vcpu->run->hypercall.ret);

	vcpu->regs[REG_RAX] = is_64bit_code(vcpu) ? ret : (u32)ret;
	vendor->skip_insn(vcpu);
	return EXIT_RESUME;
}

/* A range of guest memory becomes private or shared: userspace's decision. */
static enum exit_action hc_map_gpa_range(struct vcpu *vcpu, const struct hypercall *hc, long *ret)
{
	u64 gpa = hc->args[0], npages = hc->args[1];
	struct minikvm_run *run = vcpu->run;

	if (!(READ_ONCE(vcpu->vm->user_hypercalls) & BIT(MINIKVM_HC_MAP_GPA_RANGE))) {
		*ret = -MINIKVM_ENOSYS;
		return EXIT_RESUME;
	}
	if (!PAGE_ALIGNED(gpa) || !npages ||
	    (gpa >> PAGE_SHIFT) + npages <= gpa >> PAGE_SHIFT) {
		*ret = -MINIKVM_EINVAL;
		return EXIT_RESUME;
	}
	run->exit_reason = MINIKVM_EXIT_HYPERCALL;
	run->hypercall.nr = MINIKVM_HC_MAP_GPA_RANGE;
	run->hypercall.args[0] = gpa;
	run->hypercall.args[1] = npages;
	run->hypercall.args[2] = hc->args[2];
	run->hypercall.longmode = hc->wide;
	vcpu->complete_userspace_io = complete_hypercall;
	return EXIT_TO_USER;
}

static enum exit_action dispatch(struct vcpu *vcpu, const struct hypercall *hc, long *ret)
{
	*ret = -MINIKVM_ENOSYS;
	switch (hc->nr) {
	case MINIKVM_HC_VAPIC_POLL_IRQ:		/* an exit that looks for interrupts */
		*ret = 0;
		break;
	case MINIKVM_HC_KICK_CPU:
		if (!guest_pv_has(vcpu, MINIKVM_FEATURE_PV_UNHALT))
			break;
		hc_kick(vcpu, hc->args[1]);
		hc_yield(vcpu, hc->args[1]);
		*ret = 0;
		break;
	case MINIKVM_HC_CLOCK_PAIRING:
		*ret = pvclock_pairing(vcpu, hc->args[0], hc->args[1]);
		break;
	case MINIKVM_HC_SEND_IPI:
		if (guest_pv_has(vcpu, MINIKVM_FEATURE_PV_SEND_IPI))
			*ret = lapic_send_pv_ipi(vcpu->vm, hc->args, hc->wide ? 64 : 32);
		break;
	case MINIKVM_HC_SCHED_YIELD:
		if (!guest_pv_has(vcpu, MINIKVM_FEATURE_PV_SCHED_YIELD))
			break;
		hc_yield(vcpu, hc->args[0]);
		*ret = 0;
		break;
	case MINIKVM_HC_MAP_GPA_RANGE:
		return hc_map_gpa_range(vcpu, hc, ret);
	}
	return EXIT_RESUME;
}

/**
 * hypercall_exec - the guest executed VMCALL
 * @vcpu: the vCPU, RIP at the instruction
 *
 * Return: EXIT_RESUME, the instruction skipped and RAX 0, a count (SEND_IPI), or
 * negative -MINIKVM_E*: ENOSYS no such call, or not for this guest; EPERM not in
 * ring 0; EINVAL, EFAULT, EOPNOTSUPP as the call defines them. EXIT_TO_USER with
 * MINIKVM_EXIT_HYPERCALL for calls userspace asked for (CAP_EXIT_HYPERCALL).
 * SDM: "VMCALL-Call to VM Monitor".
 */
enum exit_action hypercall_exec(struct vcpu *vcpu)
{
	struct hypercall hc = {
		.nr = vcpu->regs[REG_RAX],
		.args = { vcpu->regs[REG_RBX], vcpu->regs[REG_RCX],
			  vcpu->regs[REG_RDX], vcpu->regs[REG_RSI] },
		.wide = is_64bit_code(vcpu),
	};
	enum exit_action action = EXIT_RESUME;
	long ret = -MINIKVM_EPERM;
	int i;

	if (!hc.wide) {
		hc.nr = (u32)hc.nr;
		for (i = 0; i < ARRAY_SIZE(hc.args); i++)
			hc.args[i] = (u32)hc.args[i];
	}
	trace_kvm_hypercall(hc.nr, hc.args);
	if (!vendor->get_cpl(vcpu))
		action = dispatch(vcpu, &hc, &ret);
	if (action != EXIT_RESUME)
		return action;

	vcpu->regs[REG_RAX] = hc.wide ? ret : (u32)ret;
	vendor->skip_insn(vcpu);
	return EXIT_RESUME;
}

/* ---- the other vendor's instruction -------------------------------------------- */

/* Move the instruction at RIP; it may cross a page. 0, or -EFAULT with @fault. */
static int copy_insn(struct vcpu *vcpu, u8 *insn, u32 access, struct gva_fault *fault)
{
	gva_t gva = vendor->get_segment_base(vcpu, SEG_CS) + rip_read(vcpu);
	gpa_t gpa[HC_INSN_SIZE];
	int i, r;

	if (vendor->get_cpl(vcpu) == 3)
		access |= GVA_USER;
	for (i = 0; i < HC_INSN_SIZE; i++)
		if (gva_to_gpa(vcpu, gva + i, access, &gpa[i], fault))
			return -EFAULT;
	for (i = 0; i < HC_INSN_SIZE; i++) {
		r = access & GVA_WRITE ? guest_write(vcpu->vm, gpa[i], &insn[i], 1) :
					 guest_read(vcpu->vm, gpa[i], &insn[i], 1);
		if (r)
			return -ENXIO;		/* not memory, or read-only */
	}
	return 0;
}

/**
 * hypercall_fix - the guest executed something undefined
 * @vcpu: the vCPU, RIP at the instruction, nothing injected
 *
 * VMMCALL, AMD's hypercall, is replaced in guest memory by VMCALL, which the guest
 * then executes: kernels that do not tell the vendors apart work. Userspace can
 * switch that off (MINIKVM_X86_QUIRK_FIX_HYPERCALL_INSN). Anything else, and
 * where the code cannot be written: the exception it deserves.
 */
enum exit_action hypercall_fix(struct vcpu *vcpu)
{
	static const u8 vmmcall[HC_INSN_SIZE] = { 0x0f, 0x01, 0xd9 };
	u8 vmcall[HC_INSN_SIZE] = { 0x0f, 0x01, 0xc1 };
	u8 insn[HC_INSN_SIZE];
	struct gva_fault fault;
	int r;

	if (!vm_has_quirk(vcpu->vm, MINIKVM_X86_QUIRK_FIX_HYPERCALL_INSN) ||
	    copy_insn(vcpu, insn, GVA_FETCH, &fault) || memcmp(insn, vmmcall, sizeof(insn))) {
		inject_ud(vcpu);
		return EXIT_RESUME;
	}
	r = copy_insn(vcpu, vmcall, GVA_WRITE, &fault);
	if (r == -EFAULT)
		gva_inject(vcpu, &fault);
	else if (r)
		inject_ud(vcpu);
	return EXIT_RESUME;
}
