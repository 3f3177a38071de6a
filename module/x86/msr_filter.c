// SPDX-License-Identifier: GPL-2.0
/*
 * The MSR filter of a VM (X86_SET_MSR_FILTER): which MSRs its guest may read and
 * write. What the filter denies is #GP, or an exit to userspace if that was asked
 * for; accesses by userspace and by the CPU's own state switching are not filtered.
 */
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/string.h>
#include <linux/uaccess.h>

#include "x86.h"

/**
 * struct msr_range - one range of a filter, as userspace described it
 * @flags: MINIKVM_MSR_FILTER_*: accesses it decides on
 * @base: first MSR
 * @nmsrs: bits of @bitmap
 * @bitmap: a set bit allows
 */
struct msr_range {
	u32 flags;
	u32 base, nmsrs;
	unsigned long *bitmap;
};

/**
 * struct msr_filter - a filter; never changed once published
 * @default_allow: what happens to accesses in no range
 * @count: ranges in use
 * @ranges: in userspace's order
 */
struct msr_filter {
	bool default_allow;
	unsigned int count;
	struct msr_range ranges[MINIKVM_MSR_FILTER_MAX_RANGES];
};

static void filter_free(struct msr_filter *filter)
{
	unsigned int i;

	if (!filter)
		return;
	for (i = 0; i < filter->count; i++)
		kfree(filter->ranges[i].bitmap);
	kfree(filter);
}

static int filter_add(struct msr_filter *filter, const struct minikvm_msr_filter_range *from)
{
	struct msr_range *to = &filter->ranges[filter->count];
	size_t size;

	if (!from->nmsrs)
		return 0;
	if (!from->flags || from->flags & ~(MINIKVM_MSR_FILTER_READ | MINIKVM_MSR_FILTER_WRITE))
		return -EINVAL;
	/* Whole words are copied, like KVM does: the VMM's buffer has them. */
	size = BITS_TO_LONGS((u64)from->nmsrs) * sizeof(long);
	if (size > MINIKVM_MSR_FILTER_MAX_BITMAP_SIZE)
		return -EINVAL;
	to->bitmap = memdup_user((const void __user *)from->bitmap, size);
	if (IS_ERR(to->bitmap))
		return PTR_ERR(to->bitmap);
	to->flags = from->flags;
	to->base = from->base;
	to->nmsrs = from->nmsrs;
	filter->count++;
	return 0;
}

/* A filter that denies everything, state the guest needs to run included, is a mistake. */
static bool denies_all(const struct minikvm_msr_filter *filter)
{
	unsigned int i;

	if (!(filter->flags & MINIKVM_MSR_FILTER_DEFAULT_DENY))
		return false;
	for (i = 0; i < ARRAY_SIZE(filter->ranges); i++)
		if (filter->ranges[i].nmsrs)
			return false;
	return true;
}

/**
 * msr_filter_set - X86_SET_MSR_FILTER
 * @vm: the VM
 * @arg: the new filter, already copied; its bitmaps are copied here
 *
 * Replaces the old one. A vCPU in the guest leaves it, and obeys from then on.
 *
 * Return: 0; -EINVAL (unknown flags; nothing but "deny" said; a range with no or
 * unknown flags, or a bitmap of more than 1536 bytes); -EFAULT; -ENOMEM.
 */
int msr_filter_set(struct vm *vm, const struct minikvm_msr_filter *arg)
{
	struct msr_filter *filter, *old;
	unsigned int i;
	int r;

	if (arg->flags & ~MINIKVM_MSR_FILTER_DEFAULT_DENY || denies_all(arg))
		return -EINVAL;
	filter = kzalloc(sizeof(*filter), GFP_KERNEL_ACCOUNT);
	if (!filter)
		return -ENOMEM;
	filter->default_allow = !(arg->flags & MINIKVM_MSR_FILTER_DEFAULT_DENY);
	for (i = 0; i < ARRAY_SIZE(arg->ranges); i++) {
		r = filter_add(filter, &arg->ranges[i]);
		if (r) {
			filter_free(filter);
			return r;
		}
	}

	mutex_lock(&vm->lock);
	old = rcu_replace_pointer(vm->msr_filter, filter, lockdep_is_held(&vm->lock));
	synchronize_srcu(&vm->srcu);
	filter_free(old);
	vm_request_all(vm, REQ_MSR_FILTER);
	mutex_unlock(&vm->lock);
	return 0;
}

/**
 * msr_filter_free - forget the filter
 * @vm: a VM whose vCPUs do not run any more
 */
void msr_filter_free(struct vm *vm)
{
	filter_free(rcu_dereference_protected(vm->msr_filter, true));
	RCU_INIT_POINTER(vm->msr_filter, NULL);
}

/**
 * msr_filter_allows - does the VM's filter let the guest do this?
 * @vcpu: the vCPU
 * @index: MSR
 * @access: MINIKVM_MSR_FILTER_READ or _WRITE
 *
 * x2APIC registers are never filtered: the APIC may be the CPU's own. Call
 * msr_allowed(), which is quick where there is no filter.
 */
bool msr_filter_allows(struct vcpu *vcpu, u32 index, u32 access)
{
	struct vm *vm = vcpu->vm;
	const struct msr_filter *filter;
	const struct msr_range *r;
	bool allowed = true;
	int idx;

	if (index >= 0x800 && index <= 0x8ff)
		return true;

	idx = srcu_read_lock(&vm->srcu);
	filter = srcu_dereference(vm->msr_filter, &vm->srcu);
	if (filter) {
		allowed = filter->default_allow;
		for (r = filter->ranges; r < filter->ranges + filter->count; r++) {
			/* A range that would wrap covers nothing. */
			if (!(r->flags & access) || index < r->base ||
			    index >= r->base + r->nmsrs)
				continue;
			allowed = test_bit(index - r->base, r->bitmap);
			break;
		}
	}
	srcu_read_unlock(&vm->srcu, idx);
	return allowed;
}
