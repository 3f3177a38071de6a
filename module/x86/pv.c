// SPDX-License-Identifier: GPL-2.0
/*
 * The paravirtual MSRs: which of them this guest has, and who answers each.
 * kvmclock is in pvclock.c, steal time in steal.c, PV EOI in irqchip/lapic_pv.c.
 *
 * A guest may use a service that its CPUID does not show, unless userspace
 * switched that off (CAP_ENFORCE_PV_FEATURE_CPUID). Asynchronous page faults are
 * not offered, so their MSRs do not exist.
 */
#include <linux/errno.h>

#include "../../uapi/minikvm_para.h"
#include "../irqchip/lapic.h"
#include "x86.h"

/* The feature an MSR belongs to, -1: no such MSR. */
static int pv_msr_feature(u32 msr)
{
	switch (msr) {
	case MINIKVM_MSR_WALL_CLOCK:
	case MINIKVM_MSR_SYSTEM_TIME:
		return MINIKVM_FEATURE_CLOCKSOURCE;
	case MINIKVM_MSR_WALL_CLOCK_NEW:
	case MINIKVM_MSR_SYSTEM_TIME_NEW:
		return MINIKVM_FEATURE_CLOCKSOURCE2;
	case MINIKVM_MSR_STEAL_TIME:
		return MINIKVM_FEATURE_STEAL_TIME;
	case MINIKVM_MSR_PV_EOI_EN:
		return MINIKVM_FEATURE_PV_EOI;
	case MINIKVM_MSR_POLL_CONTROL:
		return MINIKVM_FEATURE_POLL_CONTROL;
	default:
		return -1;
	}
}

static bool pv_msr_exists(struct vcpu *vcpu, u32 msr)
{
	int feature = pv_msr_feature(msr);

	return feature >= 0 && guest_pv_has(vcpu, feature);
}

/**
 * pv_get_msr - read a paravirtual MSR
 * @vcpu: the vCPU
 * @msr: MINIKVM_MSR_*
 * @data: out
 *
 * Return: 0; -ENOENT (not of this guest).
 */
int pv_get_msr(struct vcpu *vcpu, u32 msr, u64 *data)
{
	if (!pv_msr_exists(vcpu, msr))
		return -ENOENT;
	switch (msr) {
	case MINIKVM_MSR_STEAL_TIME:
		*data = vcpu->steal.msr;
		return 0;
	case MINIKVM_MSR_PV_EOI_EN:
		*data = vcpu->pv_eoi_msr;
		return 0;
	case MINIKVM_MSR_POLL_CONTROL:
		*data = vcpu->poll_control;
		return 0;
	default:
		return pvclock_get_msr(vcpu, msr, data);
	}
}

/**
 * pv_set_msr - write a paravirtual MSR
 * @vcpu: the vCPU, loaded
 * @msr: MINIKVM_MSR_*
 * @data: the value
 *
 * Return: 0; -ENOENT (not of this guest); -EINVAL (reserved bits, or an address
 * where no memory is).
 */
int pv_set_msr(struct vcpu *vcpu, u32 msr, u64 data)
{
	if (!pv_msr_exists(vcpu, msr))
		return -ENOENT;
	switch (msr) {
	case MINIKVM_MSR_STEAL_TIME:
		return steal_set_msr(vcpu, data);
	case MINIKVM_MSR_PV_EOI_EN:
		return lapic_set_pv_eoi(vcpu, data);
	case MINIKVM_MSR_POLL_CONTROL:
		if (data & ~1ull)
			return -EINVAL;
		vcpu->poll_control = data;
		return 0;
	default:
		return pvclock_set_msr(vcpu, msr, data);
	}
}

/**
 * pv_reset - values after power-on or INIT: nothing in memory is written any more
 * @vcpu: the vCPU
 * @init: INIT
 */
void pv_reset(struct vcpu *vcpu, bool init)
{
	vcpu->steal.msr = 0;
	vcpu->steal.preempted = false;
	vcpu->pvclock.system_time_msr = 0;
	vcpu->pvclock.time_gpa = MK_INVALID_GPA;
	if (!init)
		vcpu->poll_control = 1;		/* the host polls while the guest halts */
	WRITE_ONCE(vcpu->unhalted, false);
}
