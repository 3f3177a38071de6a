// SPDX-License-Identifier: GPL-2.0
/*
 * Speculation control: SPEC_CTRL, PRED_CMD and ARCH_CAPABILITIES exist exactly when the guest's CPUID
 * says so, take the bits the manual defines and refuse the others.
 */
#include "gvm.h"

static void guest_main(void)
{
	uint32_t r[4], max[4], ext[4] = { 0 };
	bool ibrs, ibpb, stibp, ssbd, caps;
	uint64_t v;

	cpuid(0, 0, max);
	r[3] = 0;
	if (max[0] >= 7)
		cpuid(7, 0, r);
	cpuid(0x80000000, 0, max);
	if (max[0] >= 0x80000008)
		cpuid(0x80000008, 0, ext);
	ibrs = r[3] & (1 << 26) || ext[1] & (1 << 14);
	ibpb = r[3] & (1 << 26) || ext[1] & (1 << 12);
	stibp = r[3] & (1 << 27) || ext[1] & (1 << 15);
	ssbd = r[3] & (1u << 31) || ext[1] & (1 << 24);
	caps = r[3] & (1 << 29);
	guest_note("CPUID 7 EDX and 80000008h EBX", r[3], ext[1]);
	if (ibrs) {
		guest_check(guest_try_wrmsr(MSR_SPEC_CTRL, 1) == -1 && rdmsr(MSR_SPEC_CTRL) == 1, "SPEC_CTRL.IBRS sets");
		guest_check(guest_try_wrmsr(MSR_SPEC_CTRL, 0) == -1 && rdmsr(MSR_SPEC_CTRL) == 0, "... and clears");
	}
	if (stibp)
		guest_eq(guest_try_wrmsr(MSR_SPEC_CTRL, 2), -1, "SPEC_CTRL.STIBP sets");
	if (ibrs || stibp || ssbd) {
		guest_eq(guest_try_wrmsr(MSR_SPEC_CTRL, 1ul << 40), EX_GP, "a reserved bit of SPEC_CTRL raises #GP");
		guest_try_wrmsr(MSR_SPEC_CTRL, 0);
	} else {
		guest_eq(guest_try_wrmsr(MSR_SPEC_CTRL, 0), EX_GP, "without it in CPUID, SPEC_CTRL raises #GP");
		guest_eq(guest_try_rdmsr(MSR_SPEC_CTRL, &v), EX_GP, "... on reading too");
	}
	if (ibpb) {
		guest_eq(guest_try_wrmsr(MSR_PRED_CMD, 1), -1, "PRED_CMD.IBPB");
		guest_eq(guest_try_wrmsr(MSR_PRED_CMD, 1ul << 20), EX_GP, "a reserved bit of PRED_CMD raises #GP");
	} else {
		guest_eq(guest_try_wrmsr(MSR_PRED_CMD, 1), EX_GP, "without it in CPUID, PRED_CMD raises #GP");
	}
	guest_eq(guest_try_rdmsr(MSR_PRED_CMD, &v), EX_GP, "PRED_CMD cannot be read");
	guest_eq(guest_try_rdmsr(MSR_ARCH_CAPABILITIES, &v), caps ? -1 : EX_GP,
		 caps ? "ARCH_CAPABILITIES can be read" : "without it in CPUID, ARCH_CAPABILITIES raises #GP");
	guest_eq(guest_try_wrmsr(MSR_ARCH_CAPABILITIES, 0), EX_GP, "ARCH_CAPABILITIES cannot be written");
	guest_done();
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	vm = gvm_create(1, 0);
	gvm_enter64(vm, 0, guest_main);
	gvm_run_done(vm);
	gvm_destroy(vm);
	return gvm_finish();
}
