// SPDX-License-Identifier: GPL-2.0
/*
 * The CPUID of one vCPU: the table userspace set, the index that makes a
 * CPUID exit cheap, and the few bits that follow the vCPU's own state.
 */
#include <linux/mm.h>
#include <linux/overflow.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/apicdef.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>

#include "../../uapi/minikvm_para.h"
#include "../irqchip/lapic.h"
#include "../trace.h"
#include "cpuid.h"

#define CPUID_CLASSES	4	/* basic, hypervisor, extended, and the rest */
#define CPUID_DIRECT	64	/* leaves of a class found without a search */
#define CPUID_NONE	0xffff

/**
 * struct cpuid_index - where in the table a leaf is
 * @first: first entry of a leaf, by class (bits 31:30) and number in the class
 * @next: next entry of the same leaf, by entry
 */
struct cpuid_index {
	u16 first[CPUID_CLASSES][CPUID_DIRECT];
	u16 next[MK_MAX_CPUID_ENTRIES];
};

static struct cpuid_index *index_build(const struct minikvm_cpuid_entry2 *entries, int nent)
{
	struct cpuid_index *index = kmalloc(sizeof(*index), GFP_KERNEL_ACCOUNT);
	u32 class, leaf;
	int i;

	if (!index)
		return NULL;
	memset(index, 0xff, sizeof(*index));
	/* Backwards, so that each chain starts with the table's first entry. */
	for (i = nent - 1; i >= 0; i--) {
		class = entries[i].function >> 30;
		leaf = entries[i].function & GENMASK(29, 0);
		if (leaf >= CPUID_DIRECT)
			continue;
		index->next[i] = index->first[class][leaf];
		index->first[class][leaf] = i;
	}
	return index;
}

static bool entry_matches(const struct minikvm_cpuid_entry2 *e, u32 index)
{
	return !(e->flags & MINIKVM_CPUID_FLAG_SIGNIFCANT_INDEX) || e->index == index;
}

/* The whole of a CPUID exit that is this file's: inlined there. */
static __always_inline struct minikvm_cpuid_entry2 *find(struct vcpu *vcpu, u32 function,
							 u32 index)
{
	struct minikvm_cpuid_entry2 *entries = vcpu->cpuid_entries;
	u32 leaf = function & GENMASK(29, 0);
	u32 i;

	if (unlikely(!vcpu->cpuid_index))
		return NULL;
	if (likely(leaf < CPUID_DIRECT)) {
		for (i = vcpu->cpuid_index->first[function >> 30][leaf]; i != CPUID_NONE;
		     i = vcpu->cpuid_index->next[i])
			if (entry_matches(&entries[i], index))
				return &entries[i];
		return NULL;
	}
	for (i = 0; i < vcpu->cpuid_nent; i++)
		if (entries[i].function == function && entry_matches(&entries[i], index))
			return &entries[i];
	return NULL;
}

/**
 * cpuid_find - the entry that answers a leaf, without the out-of-range rule
 * @vcpu: the vCPU
 * @function: EAX
 * @index: ECX, looked at only for entries that say so
 *
 * Return: the entry, or NULL.
 */
struct minikvm_cpuid_entry2 *cpuid_find(struct vcpu *vcpu, u32 function, u32 index)
{
	return find(vcpu, function, index);
}

static bool vendor_is(const struct minikvm_cpuid_entry2 *e, const char *name)
{
	return !memcmp(&e->ebx, name, 4) && !memcmp(&e->edx, name + 4, 4) &&
	       !memcmp(&e->ecx, name + 8, 4);
}

/*
 * On Intel a leaf above the maximum of its class reads as the highest basic
 * leaf; on AMD it reads as zeros. *@function becomes the leaf that answers.
 */
static struct minikvm_cpuid_entry2 *find_out_of_range(struct vcpu *vcpu, u32 *function, u32 index)
{
	struct minikvm_cpuid_entry2 *basic = cpuid_find(vcpu, 0, 0), *class;

	if (!basic || vendor_is(basic, "AuthenticAMD") || vendor_is(basic, "HygonGenuine"))
		return NULL;

	if (*function >= 0x40000000 && *function <= 0x4fffffff)
		class = cpuid_find(vcpu, *function & 0xffffff00, 0);
	else if (*function >= 0xc0000000)
		class = cpuid_find(vcpu, 0xc0000000, 0);
	else
		class = cpuid_find(vcpu, *function & 0x80000000, 0);
	if (class && *function <= class->eax)
		return NULL;

	*function = basic->eax;
	return cpuid_find(vcpu, basic->eax, index);
}

/**
 * cpuid_lookup - what CPUID returns to this guest
 * @vcpu: the vCPU
 * @eax: in: leaf; out: result
 * @ebx: out
 * @ecx: in: sub-leaf; out: result
 * @edx: out
 *
 * Source: Intel SDM vol. 2A (December 2023), "CPUID-CPU Identification".
 */
void cpuid_lookup(struct vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx)
{
	u32 function = *eax, index = *ecx;
	struct minikvm_cpuid_entry2 *e = cpuid_find(vcpu, function, index);

	if (unlikely(!e))
		e = find_out_of_range(vcpu, &function, index);
	if (likely(e)) {
		*eax = e->eax;
		*ebx = e->ebx;
		*ecx = e->ecx;
		*edx = e->edx;
		return;
	}

	*eax = 0;
	*ebx = 0;
	*ecx = 0;
	*edx = 0;
	/* Any sub-leaf of the topology leaves echoes ECX and tells the APIC id. */
	if (function == 0xb || function == 0x1f) {
		e = cpuid_find(vcpu, function, 1);
		if (e) {
			*ecx = index & 0xff;
			*edx = e->edx;
		}
	}
}

static noinline void exec_absent_leaf(struct vcpu *vcpu, u32 function, u32 index)
{
	u32 eax = function, ecx = index;
	u32 ebx, edx;

	cpuid_lookup(vcpu, &eax, &ebx, &ecx, &edx);
	vcpu->regs[REG_RAX] = eax;
	vcpu->regs[REG_RBX] = ebx;
	vcpu->regs[REG_RCX] = ecx;
	vcpu->regs[REG_RDX] = edx;
	if (trace_kvm_cpuid_enabled()) {
		u32 leaf = function;

		find_out_of_range(vcpu, &leaf, index);
		trace_kvm_cpuid(vcpu, function, index, false, leaf != function);
	}
}

/**
 * cpuid_exec - the guest executed CPUID
 * @vcpu: the vCPU
 *
 * The caller skips the instruction.
 * SDM: "CPUID-CPU Identification".
 */
void cpuid_exec(struct vcpu *vcpu)
{
	u32 function = vcpu->regs[REG_RAX], index = vcpu->regs[REG_RCX];
	const struct minikvm_cpuid_entry2 *e = find(vcpu, function, index);

	if (unlikely(!e)) {
		exec_absent_leaf(vcpu, function, index);
		return;
	}
	vcpu->regs[REG_RAX] = e->eax;
	vcpu->regs[REG_RBX] = e->ebx;
	vcpu->regs[REG_RCX] = e->ecx;
	vcpu->regs[REG_RDX] = e->edx;
	trace_kvm_cpuid(vcpu, function, index, true, false);
}

/**
 * guest_has - does this guest's CPUID show a feature?
 * @vcpu: the vCPU
 * @x86_feature: X86_FEATURE_*, of a word that mirrors a CPUID register
 */
bool guest_has(struct vcpu *vcpu, unsigned int x86_feature)
{
	const struct cpuid_word *w = cpuid_word_of(x86_feature);
	struct minikvm_cpuid_entry2 *e;

	if (!w)
		return false;
	e = cpuid_find(vcpu, w->function, w->index);
	/* A plain entry answers every sub-leaf, but describes sub-leaf 0. */
	if (!e || (w->index && !(e->flags & MINIKVM_CPUID_FLAG_SIGNIFCANT_INDEX)))
		return false;
	return *cpuid_entry_reg(e, w->reg) & BIT(x86_feature & 31);
}

static void change_bit32(u32 *word, unsigned int x86_feature, bool set)
{
	if (set)
		*word |= BIT(x86_feature & 31);
	else
		*word &= ~BIT(x86_feature & 31);
}

static struct minikvm_cpuid_entry2 *table_find(struct minikvm_cpuid_entry2 *entries, int nent,
					       u32 function)
{
	struct minikvm_cpuid_entry2 *e;

	for (e = entries; e < entries + nent; e++)
		if (e->function == function)
			return e;
	return NULL;
}

/* The leaf that shows paravirtual features. */
static struct minikvm_cpuid_entry2 *pv_features_entry(struct minikvm_cpuid_entry2 *entries,
						      int nent)
{
	const char *sig = MINIKVM_SIGNATURE;
	struct minikvm_cpuid_entry2 *e;

	/* Another interface (Hyper-V's) may occupy the first range. */
	for (e = entries; e < entries + nent; e++)
		if ((e->function & 0xffff00ff) == MINIKVM_CPUID_SIGNATURE &&
		    !memcmp(&e->ebx, sig, 4) && !memcmp(&e->ecx, sig + 4, 4) &&
		    !memcmp(&e->edx, sig + 8, 4))
			return table_find(entries, nent, e->function | MINIKVM_CPUID_FEATURES);
	return NULL;
}

/* Apply the vCPU's state to one table: it need not be the vCPU's yet. */
static void update_runtime(struct vcpu *vcpu, struct minikvm_cpuid_entry2 *entries, int nent)
{
	const u32 compact = BIT(X86_FEATURE_XSAVES & 31) | BIT(X86_FEATURE_XSAVEC & 31);
	unsigned long cr4 = cr4_read(vcpu);
	struct minikvm_cpuid_entry2 *e;

	/* Nobody here notices when a guest halts without an exit. */
	if (vcpu->vm->exits_disabled & MINIKVM_X86_DISABLE_EXITS_HLT) {
		e = pv_features_entry(entries, nent);
		if (e)
			e->eax &= ~BIT(MINIKVM_FEATURE_PV_UNHALT);
	}
	for (e = entries; e < entries + nent; e++) {
		switch (e->function) {
		case 1:
			if (boot_cpu_has(X86_FEATURE_XSAVE))
				change_bit32(&e->ecx, X86_FEATURE_OSXSAVE,
					     cr4 & X86_CR4_OSXSAVE);
			change_bit32(&e->edx, X86_FEATURE_APIC,
				     vcpu->apic_base & MSR_IA32_APICBASE_ENABLE);
			if (!vm_has_quirk(vcpu->vm, MINIKVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT))
				change_bit32(&e->ecx, X86_FEATURE_MWAIT,
					     vcpu->misc_enable & MSR_IA32_MISC_ENABLE_MWAIT);
			break;
		case 7:
			if (boot_cpu_has(X86_FEATURE_PKU) && entry_matches(e, 0))
				change_bit32(&e->ecx, X86_FEATURE_OSPKE, cr4 & X86_CR4_PKE);
			break;
		case 0xd:
			if (entry_matches(e, 0))
				e->ebx = cpuid_xstate_size(vcpu->xcr0, false);
			else if (e->index == 1 && (e->eax & compact))
				e->ebx = cpuid_xstate_size(vcpu->xcr0 | vcpu->xss, true);
			break;
		}
	}
}

/**
 * cpuid_update_runtime - refresh the bits that follow CR4, XCR0 and APIC base
 * @vcpu: the vCPU, after one of these changed
 */
void cpuid_update_runtime(struct vcpu *vcpu)
{
	update_runtime(vcpu, vcpu->cpuid_entries, vcpu->cpuid_nent);
}

static u32 guest_pv_features(struct vcpu *vcpu)
{
	struct minikvm_cpuid_entry2 *e = pv_features_entry(vcpu->cpuid_entries,
							   vcpu->cpuid_nent);

	return e ? e->eax : 0;
}

static u8 guest_maxphyaddr(struct vcpu *vcpu)
{
	struct minikvm_cpuid_entry2 *e = cpuid_find(vcpu, 0x80000000, 0);

	if (e && e->eax >= 0x80000008) {
		e = cpuid_find(vcpu, 0x80000008, 0);
		if (e)
			return e->eax & 0xff;
	}
	return 36;
}

/**
 * cpuid_defaults - derive from the table what is asked often
 * @vcpu: the vCPU, with or without a table
 */
void cpuid_defaults(struct vcpu *vcpu)
{
	struct minikvm_cpuid_entry2 *e = cpuid_find(vcpu, 0xd, 0);

	vcpu->supported_xcr0 = e ? (e->eax | (u64)e->edx << 32) & cpuid_supported_xcr0() : 0;
	vcpu->pv_features = guest_pv_features(vcpu);
	vcpu->maxphyaddr = guest_maxphyaddr(vcpu);
	vcpu->reserved_gpa_bits = vcpu->maxphyaddr < 52 ?
				  GENMASK_ULL(51, vcpu->maxphyaddr) : 0;
	vcpu->cr4_reserved = cr4_reserved_bits(vcpu);
}

/* Once the guest ran, its CPU model stays what it was. */
static bool same_table(struct vcpu *vcpu, const struct minikvm_cpuid_entry2 *entries, u32 nent)
{
	const struct minikvm_cpuid_entry2 *old = vcpu->cpuid_entries;
	u32 i;

	if (nent != vcpu->cpuid_nent)
		return false;
	for (i = 0; i < nent; i++)
		if (memcmp(&old[i], &entries[i],
			   offsetof(struct minikvm_cpuid_entry2, padding)))
			return false;
	return true;
}

/* What no vCPU can honour: -EINVAL. */
static int check_table(const struct minikvm_cpuid_entry2 *entries, u32 nent)
{
	u32 i, virt;

	for (i = 0; i < nent; i++) {
		if (entries[i].function != 0x80000008)
			continue;
		virt = (entries[i].eax >> 8) & 0xff;
		if (virt && virt != 48 && virt != 57)
			return -EINVAL;
		break;
	}
	return 0;
}

/**
 * cpuid_set2 - SET_CPUID2
 * @vcpu: the vCPU; its mutex is held and it is loaded
 * @arg: in: the table, copied
 *
 * Return: 0, -E2BIG (more than 256 entries), -EINVAL (linear address width
 * other than 48 or 57, or a table that differs after the first RUN), -EFAULT,
 * -ENOMEM.
 */
int cpuid_set2(struct vcpu *vcpu, struct minikvm_cpuid2 __user *arg)
{
	struct minikvm_cpuid_entry2 *entries = NULL;
	struct cpuid_index *index = NULL;
	struct minikvm_cpuid2 head;
	u32 nent;
	int r;

	if (copy_from_user(&head, arg, sizeof(head)))
		return -EFAULT;
	nent = head.nent;
	if (nent > MK_MAX_CPUID_ENTRIES)
		return -E2BIG;
	if (nent) {
		entries = vmemdup_user(arg->entries, array_size(sizeof(*entries), nent));
		if (IS_ERR(entries))
			return PTR_ERR(entries);
	}

	r = check_table(entries, nent);
	if (r)
		goto out;
	update_runtime(vcpu, entries, nent);
	if (vcpu->has_run) {
		r = same_table(vcpu, entries, nent) ? 0 : -EINVAL;
		goto out;
	}
	if (nent) {
		index = index_build(entries, nent);
		if (!index) {
			r = -ENOMEM;
			goto out;
		}
	}

	swap(vcpu->cpuid_entries, entries);
	swap(vcpu->cpuid_index, index);
	vcpu->cpuid_nent = nent;
	cpuid_defaults(vcpu);
	vendor->cpuid_changed(vcpu);
	lapic_update_version(vcpu);	/* directed EOI */
out:
	kvfree(entries);
	kfree(index);
	return r;
}

/**
 * cpuid_get2 - GET_CPUID2
 * @vcpu: the vCPU
 * @arg: in: room; out: the table as set, runtime bits current
 *
 * Return: 0, -E2BIG (too little room), -EFAULT.
 */
int cpuid_get2(struct vcpu *vcpu, struct minikvm_cpuid2 __user *arg)
{
	struct minikvm_cpuid2 head;

	if (copy_from_user(&head, arg, sizeof(head)))
		return -EFAULT;
	if (head.nent < vcpu->cpuid_nent)
		return -E2BIG;
	if (copy_to_user(arg->entries, vcpu->cpuid_entries,
			 vcpu->cpuid_nent * sizeof(*vcpu->cpuid_entries)))
		return -EFAULT;
	return put_user((u32)vcpu->cpuid_nent, &arg->nent);
}

/**
 * cpuid_free - forget the table
 * @vcpu: a vCPU that will not run again
 */
void cpuid_free(struct vcpu *vcpu)
{
	vcpu->cpuid_nent = 0;
	kvfree(vcpu->cpuid_entries);
	vcpu->cpuid_entries = NULL;
	kfree(vcpu->cpuid_index);
	vcpu->cpuid_index = NULL;
}
