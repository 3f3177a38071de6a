// SPDX-License-Identifier: GPL-2.0
/*
 * Where VMX meets the second-dimension page tables: how EPT spells an entry,
 * the EPT pointer, VPIDs, and dropping cached translations. The tables
 * themselves are module/mmu's.
 *
 * Source: Intel SDM vol. 3C (December 2023), "The Extended Page Table
 * Mechanism (EPT)", "Caching Translation Information".
 */
#include <linux/bitmap.h>
#include <linux/spinlock.h>

#include "vmx.h"
#include "../mmu/mmu.h"

/*
 * "Format of an EPT Page-Table Entry that Maps a 4-KByte Page". Write-back
 * ignores the guest's PAT, as on every machine without assigned devices.
 * Write and execute without read is a misconfiguration: the exit comes without
 * a walk, and the CPU never caches the entry.
 * SDM: "The Extended Page Table Mechanism (EPT)".
 */
struct mmu_format vmx_ept_format __ro_after_init = {
	.read		= VMX_EPT_READABLE_MASK,
	.write		= VMX_EPT_WRITABLE_MASK,
	.exec		= VMX_EPT_EXECUTABLE_MASK,
	.large		= BIT_ULL(7),
	.memtype_wb	= (VMX_EPTP_MT_WB << VMX_EPT_MT_EPTE_SHIFT) | VMX_EPT_IPAT_BIT,
	.memtype_uc	= VMX_EPTP_MT_UC << VMX_EPT_MT_EPTE_SHIFT,
	.mmio		= VMX_EPT_MISCONFIG_WX_VALUE,
	.mmio_mask	= VMX_EPT_RWX_MASK,
	.memtype	= 7ull << VMX_EPT_MT_EPTE_SHIFT,
	.ignore_pat	= VMX_EPT_IPAT_BIT,
	.max_level	= 1,
};

static DECLARE_BITMAP(vpid_used, VMX_NR_VPIDS);
static DEFINE_SPINLOCK(vpid_lock);

/* At load, after vmx_caps_setup(). */
void vmx_ept_setup(void)
{
	if (vmx_caps.ept & VMX_EPT_2MB_PAGE_BIT)
		vmx_ept_format.max_level = 2;
	if ((vmx_caps.ept & VMX_EPT_2MB_PAGE_BIT) && (vmx_caps.ept & VMX_EPT_1GB_PAGE_BIT))
		vmx_ept_format.max_level = 3;
	if (vmx_has_ept_ad()) {
		vmx_ept_format.accessed = VMX_EPT_ACCESS_BIT;
		vmx_ept_format.dirty = VMX_EPT_DIRTY_BIT;
		vmx_ept_format.logs_dirty = vmx_has_pml();
	}
	/* 0 is the host's. */
	__set_bit(0, vpid_used);
}

/* "Extended-Page-Table Pointer (EPTP)" SDM: "Extended-Page-Table Pointer (EPTP)". */
static u64 vmx_eptp(struct vm *vm)
{
	u64 eptp = vm->mmu.root_hpa | VMX_EPTP_MT_WB | VMX_EPTP_PWL_4;

	if (vmx_has_ept_ad())
		eptp |= VMX_EPTP_AD_ENABLE_BIT;
	return eptp;
}

void vmx_ept_load(struct vcpu_vmx *vmx)
{
	vmcs_write64(EPT_POINTER, vmx_eptp(vmx->vcpu.vm));
}

/**
 * vpid_alloc - a tag for a vCPU's linear translations
 *
 * Return: the VPID, or 0: none left, or none on this CPU; then every entry and
 * exit drops the translations, which is slow but right.
 * SDM: "Virtual-Processor Identifier (VPID)".
 */
u16 vpid_alloc(void)
{
	unsigned long vpid = 0;

	if (!vmx_has_vpid())
		return 0;
	spin_lock(&vpid_lock);
	vpid = find_first_zero_bit(vpid_used, VMX_NR_VPIDS);
	if (vpid < VMX_NR_VPIDS)
		__set_bit(vpid, vpid_used);
	else
		vpid = 0;
	spin_unlock(&vpid_lock);
	return vpid;
}

void vpid_free(u16 vpid)
{
	if (!vpid)
		return;
	spin_lock(&vpid_lock);
	__clear_bit(vpid, vpid_used);
	spin_unlock(&vpid_lock);
}

/**
 * vmx_flush_tlb - drop what this CPU cached of the VM's EPT
 * @vcpu: any vCPU of the VM
 *
 * Context: preemption on or off; translations of other CPUs are dropped when
 * their vCPUs take the same request, or move.
 * SDM: "Caching Translation Information".
 */
void vmx_flush_tlb(struct vcpu *vcpu)
{
	if (vmx_caps.ept & VMX_EPT_EXTENT_CONTEXT_BIT)
		vmx_invept(VMX_EPT_EXTENT_CONTEXT, vmx_eptp(vcpu->vm));
	else
		vmx_invept(VMX_EPT_EXTENT_GLOBAL, 0);
}

/**
 * vmx_flush_tlb_guest - drop what this CPU cached of the guest's own paging
 * @vcpu: the vCPU
 * SDM: "Caching Translation Information".
 */
void vmx_flush_tlb_guest(struct vcpu *vcpu)
{
	u16 vpid = to_vmx(vcpu)->vpid;

	/* Without a VPID the next entry does it. */
	if (!vpid)
		return;
	if (vmx_caps.vpid & VMX_VPID_EXTENT_SINGLE_CONTEXT_BIT)
		vmx_invvpid(VMX_VPID_EXTENT_SINGLE_CONTEXT, vpid);
	else
		vmx_invvpid(VMX_VPID_EXTENT_ALL_CONTEXT, 0);
}
