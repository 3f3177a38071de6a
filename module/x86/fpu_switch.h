/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Whose FPU registers are in the CPU: swapped once for the whole of RUN, and
 * around each entry XCR0 and PKRU, where guest and host differ. Inline, because
 * every exit comes here and nearly always finds nothing to do.
 */
#ifndef MINIKVM_FPU_SWITCH_H
#define MINIKVM_FPU_SWITCH_H

#include <asm/cpufeature.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>
#include <asm/fpu/xcr.h>
#include <asm/pkru.h>

#include "../minikvm.h"
#include "../trace.h"

/* RUN begins: the registers become the guest's. By the vCPU's own thread. */
static inline void fpu_load_guest(struct vcpu *vcpu)
{
	fpu_swap_kvm_fpstate(&vcpu->guest_fpu, true);
	vcpu->guest_fpu_loaded = true;
	trace_kvm_fpu(1);
}

/* RUN ends: the registers become the task's again. By the vCPU's own thread. */
static inline void fpu_put_guest(struct vcpu *vcpu)
{
	fpu_swap_kvm_fpstate(&vcpu->guest_fpu, false);
	vcpu->guest_fpu_loaded = false;
	trace_kvm_fpu(0);
}

static inline bool guest_uses_pkru(struct vcpu *vcpu)
{
	return cpu_feature_enabled(X86_FEATURE_OSPKE) &&
	       ((vcpu->cr4 & X86_CR4_PKE) || (vcpu->xcr0 & XFEATURE_MASK_PKRU));
}

static inline bool guest_xcr0_differs(struct vcpu *vcpu)
{
	return vcpu->xcr0 != vcpu->host_xcr0 && (vcpu->cr4 & X86_CR4_OSXSAVE);
}

/**
 * fpu_enter - XCR0 and PKRU become the guest's
 * @vcpu: the vCPU, guest FPU loaded, interrupts off
 *
 * CR4.OSXSAVE and CR4.PKE are never guest-owned: CPUID shows them.
 */
static inline void fpu_enter(struct vcpu *vcpu)
{
	if (guest_xcr0_differs(vcpu))
		xsetbv(XCR_XFEATURE_ENABLED_MASK, vcpu->xcr0);
	if (guest_uses_pkru(vcpu)) {
		vcpu->host_pkru = read_pkru();
		write_pkru(vcpu->pkru);
	}
}

/**
 * fpu_exit - and the host's again
 * @vcpu: as for fpu_enter()
 */
static inline void fpu_exit(struct vcpu *vcpu)
{
	if (guest_uses_pkru(vcpu)) {
		vcpu->pkru = read_pkru();
		write_pkru(vcpu->host_pkru);
	}
	if (guest_xcr0_differs(vcpu))
		xsetbv(XCR_XFEATURE_ENABLED_MASK, vcpu->host_xcr0);
}
#endif
