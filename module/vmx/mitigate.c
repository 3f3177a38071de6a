// SPDX-License-Identifier: GPL-2.0
/*
 * L1 terminal fault: emptying the L1 data cache before the guest runs, when
 * and as the host's own mitigation settings ask for it.
 *
 * The other mitigations around a VM entry (SPEC_CTRL, return buffer, branch
 * history, VERW) are a few instructions each and sit in enter.S.
 *
 * Source: Intel, "Deep Dive: Intel Analysis of L1 Terminal Fault"; the kernel's
 * Documentation/admin-guide/hw-vuln/l1tf.rst.
 */
#include <linux/gfp.h>
#include <linux/hardirq.h>
#include <linux/jump_label.h>
#include <linux/mm.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>
#include <asm/processor.h>

#include "vmx.h"

/* Twice the cache, because its replacement is not quite least-recently-used. */
#define L1D_FLUSH_ORDER		4
#define L1D_FLUSH_SIZE		(PAGE_SIZE << L1D_FLUSH_ORDER)
#define L1D_LINE		64

DEFINE_STATIC_KEY_FALSE(vmx_l1d_should_flush);
static DEFINE_STATIC_KEY_FALSE(l1d_flush_conditional);
static void *l1d_flush_pages;
static bool l1d_state_is_ours;

static enum vmx_l1d_flush_state l1d_choose(void)
{
	u64 caps;

	if (!boot_cpu_has_bug(X86_BUG_L1TF))
		return VMENTER_L1D_FLUSH_NOT_REQUIRED;
	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES)) {
		rdmsrl(MSR_IA32_ARCH_CAPABILITIES, caps);
		if (caps & ARCH_CAP_SKIP_VMENTRY_L1DFLUSH)
			return VMENTER_L1D_FLUSH_NOT_REQUIRED;
	}
	switch (l1tf_mitigation) {
	case L1TF_MITIGATION_OFF:
		return VMENTER_L1D_FLUSH_NEVER;
	case L1TF_MITIGATION_FULL:
	case L1TF_MITIGATION_FULL_FORCE:
		return VMENTER_L1D_FLUSH_ALWAYS;
	default:
		return VMENTER_L1D_FLUSH_COND;
	}
}

/**
 * vmx_l1d_setup - follow the host's choice, or make it if nobody did
 *
 * kvm_intel stores its choice where sysfs shows it. When that says "automatic"
 * no hypervisor was loaded yet, and ours goes there.
 *
 * Return: 0 or -ENOMEM.
 */
int vmx_l1d_setup(void)
{
	enum vmx_l1d_flush_state state = l1tf_vmx_mitigation;
	int i;

	if (state == VMENTER_L1D_FLUSH_AUTO)
		state = l1d_choose();
	if ((state == VMENTER_L1D_FLUSH_COND || state == VMENTER_L1D_FLUSH_ALWAYS) &&
	    !boot_cpu_has(X86_FEATURE_FLUSH_L1D)) {
		l1d_flush_pages = (void *)__get_free_pages(GFP_KERNEL, L1D_FLUSH_ORDER);
		if (!l1d_flush_pages)
			return -ENOMEM;
		/* No two alike, so that no host below merges them into one. */
		for (i = 0; i < 1 << L1D_FLUSH_ORDER; i++)
			memset(l1d_flush_pages + i * PAGE_SIZE, i + 1, PAGE_SIZE);
	}
	if (l1tf_vmx_mitigation == VMENTER_L1D_FLUSH_AUTO) {
		l1tf_vmx_mitigation = state;
		l1d_state_is_ours = true;
	}
	if (state == VMENTER_L1D_FLUSH_COND)
		static_branch_enable(&l1d_flush_conditional);
	if (state == VMENTER_L1D_FLUSH_COND || state == VMENTER_L1D_FLUSH_ALWAYS)
		static_branch_enable(&vmx_l1d_should_flush);
	return 0;
}

void vmx_l1d_unsetup(void)
{
	if (l1d_state_is_ours)
		l1tf_vmx_mitigation = VMENTER_L1D_FLUSH_AUTO;
	free_pages((unsigned long)l1d_flush_pages, L1D_FLUSH_ORDER);
	l1d_flush_pages = NULL;
}

/**
 * vmx_l1d_flush - empty L1D, if something worth stealing may be in it
 * @vmx: the vCPU about to enter
 *
 * Context: interrupts off, noinstr.
 */
noinstr void vmx_l1d_flush(struct vcpu_vmx *vmx)
{
	const u8 *pages = l1d_flush_pages;
	unsigned int i;

	if (static_branch_likely(&l1d_flush_conditional)) {
		bool flush = vmx->l1d_flush || kvm_get_cpu_l1tf_flush_l1d();

		vmx->l1d_flush = false;
		kvm_clear_cpu_l1tf_flush_l1d();
		if (!flush)
			return;
	}
	vmx->vcpu.stats.l1d_flush++;
	if (static_cpu_has(X86_FEATURE_FLUSH_L1D)) {
		native_wrmsrl(MSR_IA32_FLUSH_CMD, L1D_FLUSH);
		return;
	}
	if (!pages)
		return;
	/* The translations first, then every line. */
	for (i = 0; i < L1D_FLUSH_SIZE; i += PAGE_SIZE)
		READ_ONCE(pages[i]);
	native_cpuid_eax(0);
	for (i = 0; i < L1D_FLUSH_SIZE; i += L1D_LINE)
		READ_ONCE(pages[i]);
	asm volatile("lfence" : : : "memory");
}
