// SPDX-License-Identifier: GPL-2.0
/*
 * What any guest may be offered: the host's CPUID cut down to what its kernel
 * enabled and mini-KVM can carry, plus what mini-KVM emulates. The answer of
 * GET_SUPPORTED_CPUID.
 */
#include <linux/mm.h>
#include <linux/sched/stat.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/cpufeature.h>
#include <asm/fpu/xcr.h>
#include <asm/fpu/xstate.h>
#include <asm/processor.h>

#include "../../uapi/minikvm_para.h"
#include "cpuid.h"

#define F(name)		BIT(X86_FEATURE_##name & 31)

#define MAX_BASIC_LEAF		0x1f
#define MAX_EXTENDED_LEAF	0x80000008

/* CPUID.(EAX=7,ECX=2):EDX has no word in every kernel we build for. */
#define LEAF7_2_EDX_ALLOW	GENMASK(5, 0)	/* PSFD IPRED RRSBA DDPD_U BHI MCDT_NO */

/* State components that XCR0 may enable for a guest. */
#define GUEST_XCR0	(XFEATURE_MASK_FP | XFEATURE_MASK_SSE | XFEATURE_MASK_YMM | \
			 XFEATURE_MASK_AVX512 | XFEATURE_MASK_PKRU)

/* Written once at load, before /dev/minikvm exists. */
static struct {
	u32 word[NCAPINTS];
	u32 leaf7_2_edx;
	u64 xcr0;
	struct {
		u32 size, offset, flags;
	} xstate[64];
} host_caps __read_mostly;

/* By word; those no guest is offered anything of are empty. */
static const struct cpuid_word cpuid_words[NCAPINTS] = {
	[CPUID_1_ECX] = {
		.function = 1, .reg = CPUID_REG_ECX,
		.allow = F(XMM3) | F(PCLMULQDQ) | F(SSSE3) | F(FMA) | F(CX16) |
			 F(PCID) | F(XMM4_1) | F(XMM4_2) | F(X2APIC) | F(MOVBE) |
			 F(POPCNT) | F(AES) | F(XSAVE) | F(AVX) | F(F16C) | F(RDRAND),
	},
	[CPUID_1_EDX] = {
		.function = 1, .reg = CPUID_REG_EDX,
		.allow = F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(PAE) |
			 F(MCE) | F(CX8) | F(APIC) | F(SEP) | F(MTRR) | F(PGE) |
			 F(MCA) | F(CMOV) | F(PAT) | F(PSE36) | F(CLFLUSH) | F(MMX) |
			 F(FXSR) | F(XMM) | F(XMM2) | F(SELFSNOOP),
	},
	[CPUID_7_0_EBX] = {
		.function = 7, .reg = CPUID_REG_EBX,
		.allow = F(FSGSBASE) | F(BMI1) | F(HLE) | F(AVX2) | F(FDP_EXCPTN_ONLY) |
			 F(SMEP) | F(BMI2) | F(ERMS) | F(INVPCID) | F(RTM) |
			 F(ZERO_FCS_FDS) | F(AVX512F) | F(AVX512DQ) | F(RDSEED) |
			 F(ADX) | F(SMAP) | F(AVX512IFMA) | F(CLFLUSHOPT) | F(CLWB) |
			 F(AVX512PF) | F(AVX512ER) | F(AVX512CD) | F(SHA_NI) |
			 F(AVX512BW) | F(AVX512VL),
	},
	[CPUID_7_ECX] = {
		.function = 7, .reg = CPUID_REG_ECX,
		.allow = F(AVX512VBMI) | F(LA57) | F(PKU) | F(RDPID) |
			 F(AVX512_VPOPCNTDQ) | F(UMIP) | F(AVX512_VBMI2) | F(GFNI) |
			 F(VAES) | F(VPCLMULQDQ) | F(AVX512_VNNI) | F(AVX512_BITALG) |
			 F(CLDEMOTE) | F(MOVDIRI) | F(MOVDIR64B),
	},
	[CPUID_7_EDX] = {
		.function = 7, .reg = CPUID_REG_EDX,
		.allow = F(AVX512_4VNNIW) | F(AVX512_4FMAPS) | F(SPEC_CTRL) |
			 F(SPEC_CTRL_SSBD) | F(ARCH_CAPABILITIES) | F(INTEL_STIBP) |
			 F(MD_CLEAR) | F(AVX512_VP2INTERSECT) | F(FSRM) | F(SERIALIZE) |
			 F(TSXLDTRK) | F(AVX512_FP16),
	},
	[CPUID_7_1_EAX] = {
		.function = 7, .index = 1, .reg = CPUID_REG_EAX,
		.allow = F(AVX_VNNI) | F(AVX512_BF16),
	},
	[CPUID_D_1_EAX] = {
		.function = 0xd, .index = 1, .reg = CPUID_REG_EAX,
		.allow = F(XSAVEOPT) | F(XSAVEC) | F(XGETBV1) | F(XSAVES),
	},
	[CPUID_8000_0001_ECX] = {
		.function = 0x80000001, .reg = CPUID_REG_ECX,
		.allow = F(LAHF_LM) | F(CMP_LEGACY) | F(CR8_LEGACY) | F(ABM) | F(SSE4A) |
			 F(MISALIGNSSE) | F(3DNOWPREFETCH) | F(OSVW) | F(XOP) | F(FMA4) |
			 F(TBM) | F(TOPOEXT),
	},
	[CPUID_8000_0001_EDX] = {
		.function = 0x80000001, .reg = CPUID_REG_EDX,
		/* The first line is AMD's copy of leaf 1 EDX. */
		.allow = F(FPU) | F(VME) | F(DE) | F(PSE) | F(TSC) | F(MSR) | F(PAE) |
			 F(MCE) | F(CX8) | F(APIC) | F(MTRR) | F(PGE) | F(MCA) | F(CMOV) |
			 F(PAT) | F(PSE36) | F(MMX) | F(FXSR) |
			 F(SYSCALL) | F(NX) | F(MMXEXT) | F(FXSR_OPT) | F(GBPAGES) |
			 F(RDTSCP) | F(LM) | F(3DNOWEXT) | F(3DNOW),
	},
	[CPUID_8000_0008_EBX] = {
		.function = 0x80000008, .reg = CPUID_REG_EBX,
		.allow = F(CLZERO) | F(XSAVEERPTR) | F(WBNOINVD) | F(AMD_IBPB) |
			 F(AMD_IBRS) | F(AMD_SSBD) | F(AMD_SSB_NO) | F(AMD_STIBP) |
			 F(AMD_STIBP_ALWAYS_ON),
	},
};

const struct cpuid_word *cpuid_word_of(unsigned int x86_feature)
{
	unsigned int word = x86_feature / 32;

	return word < NCAPINTS && cpuid_words[word].allow ? &cpuid_words[word] : NULL;
}

static void cap_set(unsigned int feature)
{
	host_caps.word[feature / 32] |= BIT(feature & 31);
}

/**
 * cpuid_cap_clear - withdraw a feature from every guest
 * @feature: X86_FEATURE_*
 *
 * For the vendor, at load time, when a VM-execution control that the feature
 * needs is missing.
 */
void cpuid_cap_clear(unsigned int feature)
{
	host_caps.word[feature / 32] &= ~BIT(feature & 31);
}

/**
 * cpuid_cap_set - offer a feature that the host's CPU does not have
 * @feature: X86_FEATURE_*
 *
 * For the vendor, at load time, when it can emulate the feature.
 */
void cpuid_cap_set(unsigned int feature)
{
	host_caps.word[feature / 32] |= BIT(feature & 31);
}

/**
 * cpuid_cap_has - may a guest be given this feature?
 * @feature: X86_FEATURE_*
 */
bool cpuid_cap_has(unsigned int feature)
{
	return host_caps.word[feature / 32] & BIT(feature & 31);
}

/* Features that software makes, or that the kernel files under another name. */
static void caps_add_emulated(void)
{
	cap_set(X86_FEATURE_X2APIC);
	cap_set(X86_FEATURE_HYPERVISOR);
	cap_set(X86_FEATURE_TSC_ADJUST);
	cap_set(X86_FEATURE_ARCH_CAPABILITIES);

	/* The guest may use 5-level paging even if its host does not. */
	if (boot_cpu_data.cpuid_level >= 7 && (cpuid_ecx(7) & F(LA57)))
		cap_set(X86_FEATURE_LA57);

	/* Intel has one bit for IBRS and IBPB, AMD one each. */
	if (boot_cpu_has(X86_FEATURE_IBPB) && boot_cpu_has(X86_FEATURE_IBRS))
		cap_set(X86_FEATURE_SPEC_CTRL);
	if (boot_cpu_has(X86_FEATURE_STIBP))
		cap_set(X86_FEATURE_INTEL_STIBP);
	if (boot_cpu_has(X86_FEATURE_AMD_SSBD))
		cap_set(X86_FEATURE_SPEC_CTRL_SSBD);
	if (boot_cpu_has(X86_FEATURE_IBPB))
		cap_set(X86_FEATURE_AMD_IBPB);
	if (boot_cpu_has(X86_FEATURE_IBRS))
		cap_set(X86_FEATURE_AMD_IBRS);
	if (boot_cpu_has(X86_FEATURE_STIBP))
		cap_set(X86_FEATURE_AMD_STIBP);
	if (boot_cpu_has(X86_FEATURE_SPEC_CTRL_SSBD))
		cap_set(X86_FEATURE_AMD_SSBD);
	if (!boot_cpu_has_bug(X86_BUG_SPEC_STORE_BYPASS))
		cap_set(X86_FEATURE_AMD_SSB_NO);
}

/**
 * cpuid_host_init - read what the host offers
 *
 * Load time, before the vendor's setup.
 */
void cpuid_host_init(void)
{
	u32 raw[4], max_ext = cpuid_eax(0x80000000);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cpuid_words); i++) {
		const struct cpuid_word *w = &cpuid_words[i];
		u32 max = w->function & 0x80000000 ? max_ext : boot_cpu_data.cpuid_level;

		if (!w->allow)
			continue;

		memset(raw, 0, sizeof(raw));
		if (w->function <= max)
			cpuid_count(w->function, w->index, &raw[0], &raw[1], &raw[2], &raw[3]);
		host_caps.word[i] = boot_cpu_data.x86_capability[i] & w->allow & raw[w->reg];
	}
	caps_add_emulated();

	if (!boot_cpu_has(X86_FEATURE_OSPKE))
		cpuid_cap_clear(X86_FEATURE_PKU);
	if (!boot_cpu_has(X86_FEATURE_XSAVE))
		cpuid_cap_clear(X86_FEATURE_XSAVE);

	if (boot_cpu_data.cpuid_level >= 7 && cpuid_eax(7) >= 2) {
		cpuid_count(7, 2, &raw[0], &raw[1], &raw[2], &raw[3]);
		host_caps.leaf7_2_edx = raw[3] & LEAF7_2_EDX_ALLOW;
	}

	if (boot_cpu_has(X86_FEATURE_XSAVE)) {
		host_caps.xcr0 = xgetbv(XCR_XFEATURE_ENABLED_MASK) & GUEST_XCR0;
		if (!cpuid_cap_has(X86_FEATURE_PKU))
			host_caps.xcr0 &= ~(u64)XFEATURE_MASK_PKRU;
		for (i = 2; i < 64; i++) {
			cpuid_count(0xd, i, &raw[0], &raw[1], &raw[2], &raw[3]);
			host_caps.xstate[i].size = raw[0];
			host_caps.xstate[i].offset = raw[1];
			host_caps.xstate[i].flags = raw[2];
		}
	}
}

/**
 * cpuid_supported_xcr0 - the XCR0 bits that any guest may set
 */
u64 cpuid_supported_xcr0(void)
{
	return host_caps.xcr0;
}

u32 cpuid_xstate_size(u64 xfeatures, bool compacted)
{
	u32 offset, size = FXSAVE_SIZE + XSAVE_HDR_SIZE;
	int i;

	for (i = 2; i < 63; i++) {
		if (!(xfeatures & BIT_ULL(i)))
			continue;
		if (!compacted)
			offset = host_caps.xstate[i].offset;
		else if (host_caps.xstate[i].flags & BIT(1))	/* starts on 64 bytes */
			offset = ALIGN(size, 64);
		else
			offset = size;
		size = max(size, offset + host_caps.xstate[i].size);
	}
	return size;
}

bool cpuid_leaf_is_indexed(u32 function)
{
	switch (function) {
	case 4:
	case 7:
	case 0xb:
	case 0xd:
	case 0xf:
	case 0x10:
	case 0x12:
	case 0x14:
	case 0x17:
	case 0x18:
	case 0x1d:
	case 0x1e:
	case 0x1f:
	case 0x8000001d:
		return true;
	}
	return false;
}

/* ---- GET_SUPPORTED_CPUID ------------------------------------------------ */

struct entry_array {
	struct minikvm_cpuid_entry2 *entries;
	u32 max, nent;
};

/* The next free entry with the host's values, or NULL when there is none. */
static struct minikvm_cpuid_entry2 *add_host_leaf(struct entry_array *a, u32 function, u32 index)
{
	struct minikvm_cpuid_entry2 *e;

	if (a->nent >= a->max)
		return NULL;
	e = &a->entries[a->nent++];
	memset(e, 0, sizeof(*e));
	e->function = function;
	e->index = index;
	if ((function & 0xc0000000) == MINIKVM_CPUID_SIGNATURE)
		return e;
	cpuid_count(function, index, &e->eax, &e->ebx, &e->ecx, &e->edx);
	if (cpuid_leaf_is_indexed(function))
		e->flags = MINIKVM_CPUID_FLAG_SIGNIFCANT_INDEX;
	return e;
}

static void zero_leaf(struct minikvm_cpuid_entry2 *e)
{
	e->eax = 0;
	e->ebx = 0;
	e->ecx = 0;
	e->edx = 0;
}

/* Replace the feature registers of an entry by what guests may be given. */
static void apply_caps(struct minikvm_cpuid_entry2 *e)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cpuid_words); i++)
		if (cpuid_words[i].allow && cpuid_words[i].function == e->function &&
		    cpuid_words[i].index == e->index)
			*cpuid_entry_reg(e, cpuid_words[i].reg) = host_caps.word[i];
}

static int add_cache_leaves(struct entry_array *a, struct minikvm_cpuid_entry2 *e)
{
	u32 i;

	/* The last sub-leaf is the one of cache type 0. */
	for (i = 1; (e->eax & 0x1f) && i < 32; i++) {
		e = add_host_leaf(a, e->function, i);
		if (!e)
			return -E2BIG;
	}
	return 0;
}

static int add_leaf7(struct entry_array *a, struct minikvm_cpuid_entry2 *e)
{
	u32 max = min(e->eax, 2u);

	e->eax = max;
	apply_caps(e);
	if (max >= 1) {
		e = add_host_leaf(a, 7, 1);
		if (!e)
			return -E2BIG;
		zero_leaf(e);
		apply_caps(e);
	}
	if (max >= 2) {
		e = add_host_leaf(a, 7, 2);
		if (!e)
			return -E2BIG;
		zero_leaf(e);
		e->edx = host_caps.leaf7_2_edx;
	}
	return 0;
}

static int add_xsave_leaves(struct entry_array *a, struct minikvm_cpuid_entry2 *e)
{
	u64 xcr0 = cpuid_cap_has(X86_FEATURE_XSAVE) ? host_caps.xcr0 : 0;
	int i;

	e->eax = xcr0;
	e->ebx = xcr0 ? cpuid_xstate_size(xcr0, false) : 0;
	e->ecx = e->ebx;
	e->edx = xcr0 >> 32;
	if (!xcr0)
		return 0;

	e = add_host_leaf(a, 0xd, 1);
	if (!e)
		return -E2BIG;
	apply_caps(e);
	e->ebx = e->eax & (F(XSAVES) | F(XSAVEC)) ? cpuid_xstate_size(xcr0, true) : 0;
	e->ecx = 0;			/* no supervisor component */
	e->edx = 0;

	for (i = 2; i < 64; i++) {
		if (!(xcr0 & BIT_ULL(i)))
			continue;
		e = add_host_leaf(a, 0xd, i);
		if (!e)
			return -E2BIG;
		e->ecx &= BIT(1);
		e->edx = 0;
	}
	return 0;
}

static void fill_hypervisor_leaf(struct minikvm_cpuid_entry2 *e)
{
	static const char signature[12] = MINIKVM_SIGNATURE;

	if (e->function == MINIKVM_CPUID_SIGNATURE) {
		e->eax = MINIKVM_CPUID_FEATURES;
		memcpy(&e->ebx, signature, 4);
		memcpy(&e->ecx, signature + 4, 4);
		memcpy(&e->edx, signature + 8, 4);
		return;
	}
	e->eax = BIT(MINIKVM_FEATURE_CLOCKSOURCE) | BIT(MINIKVM_FEATURE_NOP_IO_DELAY) |
		 BIT(MINIKVM_FEATURE_CLOCKSOURCE2) | BIT(MINIKVM_FEATURE_PV_EOI) |
		 BIT(MINIKVM_FEATURE_CLOCKSOURCE_STABLE_BIT) | BIT(MINIKVM_FEATURE_PV_UNHALT) |
		 BIT(MINIKVM_FEATURE_PV_TLB_FLUSH) | BIT(MINIKVM_FEATURE_PV_SEND_IPI) |
		 BIT(MINIKVM_FEATURE_POLL_CONTROL) | BIT(MINIKVM_FEATURE_PV_SCHED_YIELD);
	if (sched_info_on())
		e->eax |= BIT(MINIKVM_FEATURE_STEAL_TIME);
}

static void fill_address_sizes(struct minikvm_cpuid_entry2 *e)
{
	u32 virt = max((e->eax >> 8) & 0xff, 48u);

	e->eax = (e->eax & 0xff) | virt << 8;
	e->ecx &= ~(GENMASK(31, 16) | GENMASK(11, 8));
	e->edx = 0;
	apply_caps(e);
}

/* One leaf with its sub-leaves: 0 or -E2BIG. */
static int add_leaf(struct entry_array *a, u32 function)
{
	struct minikvm_cpuid_entry2 *e = add_host_leaf(a, function, 0);

	if (!e)
		return -E2BIG;

	switch (function) {
	case 0:
		e->eax = min_t(u32, e->eax, MAX_BASIC_LEAF);
		break;
	case 1:
	case 0x80000001:
		if (function == 0x80000001)
			e->ebx &= ~GENMASK(27, 16);
		apply_caps(e);
		break;
	case 2:				/* cache and TLB descriptors */
	case 0x80000002:		/* brand string */
	case 0x80000003:
	case 0x80000004:
	case 0x80000005:		/* L1, TLB (AMD) */
		break;
	case 4:
		return add_cache_leaves(a, e);
	case 6:				/* thermal: the APIC timer always runs */
		zero_leaf(e);
		e->eax = BIT(2);
		break;
	case 7:
		return add_leaf7(a, e);
	case 0xb:
	case 0x1f:			/* topology is for userspace to define */
		e->eax = 0;
		e->ebx = 0;
		e->ecx = 0;
		break;
	case 0xd:
		return add_xsave_leaves(a, e);
	case MINIKVM_CPUID_SIGNATURE:
	case MINIKVM_CPUID_FEATURES:
		fill_hypervisor_leaf(e);
		break;
	case 0x80000000:
		e->eax = min_t(u32, e->eax, MAX_EXTENDED_LEAF);
		break;
	case 0x80000006:		/* L2: bits 17:16 of EDX are reserved */
		e->edx &= ~GENMASK(17, 16);
		break;
	case 0x80000007:		/* invariant TSC, if the host trusts it too */
		e->edx &= boot_cpu_data.x86_power & BIT(8);
		e->eax = 0;
		e->ebx = 0;
		e->ecx = 0;
		break;
	case 0x80000008:
		fill_address_sizes(e);
		break;
	default:
		zero_leaf(e);
	}
	return 0;
}

static int add_class(struct entry_array *a, u32 base)
{
	u32 first = a->nent, limit, function;
	int r = add_leaf(a, base);

	if (r)
		return r;
	limit = a->entries[first].eax;
	for (function = base + 1; function <= limit && !r; function++)
		r = add_leaf(a, function);
	return r;
}

/* GET_EMULATED_CPUID: what works in software only. */
static int add_emulated(struct entry_array *a)
{
	if (a->max < 2)
		return -E2BIG;
	a->entries[0].eax = 1;
	a->entries[1].function = 1;
	a->entries[1].ecx = F(MOVBE);
	a->nent = 2;
	return 0;
}

/**
 * cpuid_get_supported - GET_SUPPORTED_CPUID
 * @arg: in: room; out: entries and their number
 * @emulated: report what software alone provides instead
 *
 * Return: 0, -E2BIG (too little room), -EFAULT, -ENOMEM.
 * Source: Intel SDM vol. 2A (December 2023), "CPUID-CPU Identification".
 */
int cpuid_get_supported(struct minikvm_cpuid2 __user *arg, bool emulated)
{
	static const u32 classes[] = { 0, 0x80000000, MINIKVM_CPUID_SIGNATURE };
	struct entry_array a = {};
	struct minikvm_cpuid2 head;
	unsigned int i;
	int r = 0;

	if (copy_from_user(&head, arg, sizeof(head)))
		return -EFAULT;
	if (head.nent < 1)
		return -E2BIG;
	a.max = min_t(u32, head.nent, MK_MAX_CPUID_ENTRIES);
	a.entries = kvcalloc(a.max, sizeof(*a.entries), GFP_KERNEL_ACCOUNT);
	if (!a.entries)
		return -ENOMEM;

	preempt_disable();		/* every leaf from the same CPU */
	if (emulated)
		r = add_emulated(&a);
	for (i = 0; !emulated && i < ARRAY_SIZE(classes) && !r; i++)
		r = add_class(&a, classes[i]);
	preempt_enable();

	if (!r && (put_user(a.nent, &arg->nent) ||
		   copy_to_user(arg->entries, a.entries, a.nent * sizeof(*a.entries))))
		r = -EFAULT;
	kvfree(a.entries);
	return r;
}
