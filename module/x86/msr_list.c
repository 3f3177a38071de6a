// SPDX-License-Identifier: GPL-2.0
/*
 * The ioctls that move MSRs in lists: which ones a VMM should save, and
 * GET_MSRS and SET_MSRS.
 */
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>

#include "../../uapi/minikvm_para.h"
#include "x86.h"

/* @feature 0: always offered (X86_FEATURE_FPU, which every guest has). */
static const struct {
	u32 index;
	u32 feature;
} saved_msrs[] = {
	{ MSR_IA32_SYSENTER_CS }, { MSR_IA32_SYSENTER_ESP }, { MSR_IA32_SYSENTER_EIP },
	{ MSR_STAR }, { MSR_CSTAR }, { MSR_KERNEL_GS_BASE }, { MSR_SYSCALL_MASK },
	{ MSR_LSTAR }, { MSR_IA32_TSC }, { MSR_IA32_CR_PAT },
	{ MSR_IA32_FEAT_CTL },
	{ MSR_TSC_AUX, X86_FEATURE_RDTSCP },
	{ MSR_IA32_SPEC_CTRL, X86_FEATURE_SPEC_CTRL },
	{ MINIKVM_MSR_SYSTEM_TIME }, { MINIKVM_MSR_WALL_CLOCK },
	{ MINIKVM_MSR_SYSTEM_TIME_NEW }, { MINIKVM_MSR_WALL_CLOCK_NEW },
	{ MINIKVM_MSR_STEAL_TIME }, { MINIKVM_MSR_PV_EOI_EN },
	{ MSR_IA32_TSC_ADJUST }, { MSR_IA32_TSC_DEADLINE },
	{ MSR_IA32_ARCH_CAPABILITIES }, { MSR_IA32_MISC_ENABLE },
	{ MSR_IA32_MCG_STATUS }, { MSR_IA32_MCG_CTL }, { MSR_IA32_MCG_EXT_CTL },
	{ MSR_SMI_COUNT },
	{ MSR_PLATFORM_INFO }, { MSR_MISC_FEATURES_ENABLES }, { MSR_IA32_POWER_CTL },
	{ MSR_IA32_UCODE_REV }, { MSR_K7_HWCR }, { MINIKVM_MSR_POLL_CONTROL },
};

/* MSRs that tell a VMM what the host offers; readable without a vCPU. */
static const u32 feature_msrs[] = { MSR_IA32_UCODE_REV, MSR_IA32_ARCH_CAPABILITIES };

/* Write @n indices if there is room: 0, -E2BIG (nmsrs updated), -EFAULT. */
static int put_list(struct minikvm_msr_list __user *arg, const u32 *list, u32 n)
{
	u32 room;

	if (get_user(room, &arg->nmsrs) || put_user(n, &arg->nmsrs))
		return -EFAULT;
	if (room < n)
		return -E2BIG;
	return copy_to_user(arg->indices, list, n * sizeof(*list)) ? -EFAULT : 0;
}

/**
 * msr_get_index_list - GET_MSR_INDEX_LIST
 * @arg: in: room; out: the MSRs a VMM saves and restores
 *
 * Return: 0, -E2BIG (nmsrs says how many there are), -EFAULT.
 */
int msr_get_index_list(struct minikvm_msr_list __user *arg)
{
	u32 list[ARRAY_SIZE(saved_msrs)], i, n = 0;

	for (i = 0; i < ARRAY_SIZE(saved_msrs); i++)
		if (!saved_msrs[i].feature || cpuid_cap_has(saved_msrs[i].feature))
			list[n++] = saved_msrs[i].index;
	return put_list(arg, list, n);
}

/**
 * msr_get_feature_index_list - GET_MSR_FEATURE_INDEX_LIST
 * @arg: in: room; out: the MSRs that GET_MSRS of the device fd reads
 *
 * Return: as msr_get_index_list().
 */
int msr_get_feature_index_list(struct minikvm_msr_list __user *arg)
{
	return put_list(arg, feature_msrs, ARRAY_SIZE(feature_msrs));
}

static int get_feature_msr(u32 index, u64 *data)
{
	switch (index) {
	case MSR_IA32_UCODE_REV:
		return rdmsrl_safe(MSR_IA32_UCODE_REV, data) ? -EINVAL : 0;
	case MSR_IA32_ARCH_CAPABILITIES:
		*data = msr_arch_capabilities();
		return 0;
	}
	return -EINVAL;
}

static struct minikvm_msr_entry *copy_entries(struct minikvm_msrs __user *arg, u32 *nmsrs)
{
	struct minikvm_msrs head;

	if (copy_from_user(&head, arg, sizeof(head)))
		return ERR_PTR(-EFAULT);
	*nmsrs = head.nmsrs;
	if (*nmsrs >= MK_MAX_MSR_ENTRIES)
		return ERR_PTR(-E2BIG);
	return memdup_user(arg->entries, *nmsrs * sizeof(struct minikvm_msr_entry));
}

/**
 * msr_get_list - GET_MSRS
 * @vcpu: the vCPU, loaded; NULL: feature MSRs of the host
 * @arg: in: indices; out: values
 *
 * Return: how many were read before the first refused one, or -E2BIG (256 or
 * more), -EFAULT, -ENOMEM.
 */
long msr_get_list(struct vcpu *vcpu, struct minikvm_msrs __user *arg)
{
	struct minikvm_msr_entry *entries;
	u32 n, i;
	long r;
	u64 data;

	entries = copy_entries(arg, &n);
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	for (i = 0; i < n; i++) {
		data = 0;
		if (vcpu ? msr_get(vcpu, entries[i].index, &data, true) :
			   get_feature_msr(entries[i].index, &data))
			break;
		entries[i].data = data;
	}
	r = i;
	if (copy_to_user(arg->entries, entries, n * sizeof(*entries)))
		r = -EFAULT;
	kfree(entries);
	return r;
}

/**
 * msr_set_list - SET_MSRS
 * @vcpu: the vCPU, loaded
 * @arg: in: indices and values
 *
 * Return: how many were written before the first refused one, or -E2BIG,
 * -EFAULT, -ENOMEM.
 */
long msr_set_list(struct vcpu *vcpu, struct minikvm_msrs __user *arg)
{
	struct minikvm_msr_entry *entries;
	u32 n, i;

	entries = copy_entries(arg, &n);
	if (IS_ERR(entries))
		return PTR_ERR(entries);
	for (i = 0; i < n; i++)
		if (msr_set(vcpu, entries[i].index, entries[i].data, true))
			break;
	kfree(entries);
	return i;
}
