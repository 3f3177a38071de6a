// SPDX-License-Identifier: GPL-2.0
/*
 * The host's performance monitoring while the guest runs: counters that
 * exclude guests stop, and PEBS, which writes to linear addresses of whoever
 * runs, is off.
 *
 * VM entry and VM exit load the registers from two small tables, which are
 * empty while the host counts nothing.
 *
 * Source: Intel SDM vol. 3C (December 2023), "Loading MSRs" (of VM entry and of
 * VM exit); the kernel's perf_guest_get_msrs().
 */
#include <linux/jump_label.h>
#include <linux/slab.h>
#include <asm/msr.h>
#include <asm/perf_event.h>

#include "vmx.h"

DEFINE_STATIC_KEY_FALSE(vmx_perf_in_use);

/* At load: does the host count anything, ever? */
void vmx_perf_setup(void)
{
	struct x86_pmu_capability pmu;

	perf_get_x86_pmu_capability(&pmu);
	if (pmu.version)
		static_branch_enable(&vmx_perf_in_use);
}

/**
 * vmx_perf_create - allocate the MSR-load areas
 * @vmx: the vCPU
 *
 * Return: 0 or -ENOMEM.
 */
int vmx_perf_create(struct vcpu_vmx *vmx)
{
	/* Naturally aligned as a power of two, physically contiguous. */
	vmx->msr_switch = kzalloc(roundup_pow_of_two(sizeof(struct msr_switch)),
				  GFP_KERNEL_ACCOUNT);
	return vmx->msr_switch ? 0 : -ENOMEM;
}

void vmx_perf_free(struct vcpu_vmx *vmx)
{
	kfree(vmx->msr_switch);
	vmx->msr_switch = NULL;
}

static void set_count(struct vcpu_vmx *vmx, u32 nr)
{
	vmcs_write32(VM_ENTRY_MSR_LOAD_COUNT, nr);
	vmcs_write32(VM_EXIT_MSR_LOAD_COUNT, nr);
	vmx->msr_switch->nr = nr;
}

/* The VMCS is loaded, and its fields hold nothing yet. */
void vmx_perf_reset(struct vcpu_vmx *vmx)
{
	vmcs_write64(VM_ENTRY_MSR_LOAD_ADDR, __pa(vmx->msr_switch->guest));
	vmcs_write64(VM_EXIT_MSR_LOAD_ADDR, __pa(vmx->msr_switch->host));
	set_count(vmx, 0);
}

/**
 * vmx_perf_switch - ask perf which registers differ for the guest
 * @vmx: the vCPU about to enter
 *
 * Context: interrupts off.
 * SDM: "VM-Exit Controls for MSRs", "VM-Entry Controls for MSRs", "Loading MSRs".
 */
void vmx_perf_switch(struct vcpu_vmx *vmx)
{
	struct msr_switch *sw = vmx->msr_switch;
	struct perf_guest_switch_msr *msrs;
	int i, nr_msrs = 0;
	u32 nr = 0;

	msrs = perf_guest_get_msrs(&nr_msrs, NULL);
	if (!msrs)
		nr_msrs = 0;
	for (i = 0; i < nr_msrs && nr < MSR_SWITCH_MAX; i++) {
		if (msrs[i].host == msrs[i].guest)
			continue;
		/* A record in flight must land in host memory before the switch. */
		if (msrs[i].msr == MSR_IA32_PEBS_ENABLE)
			wrmsrl(MSR_IA32_PEBS_ENABLE, 0);
		sw->guest[nr].index = msrs[i].msr;
		sw->guest[nr].value = msrs[i].guest;
		sw->host[nr].index = msrs[i].msr;
		sw->host[nr].value = msrs[i].host;
		nr++;
	}
	if (unlikely(nr != sw->nr))
		set_count(vmx, nr);
}
