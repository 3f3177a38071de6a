// SPDX-License-Identifier: GPL-2.0
/*
 * MSRs that VMX keeps: those with a field in the VMCS, those that stay loaded
 * across exits, and which ones the guest accesses without an exit at all.
 *
 * Source: Intel SDM vol. 3C (December 2023), "MSR-Bitmap Address"; vol. 4,
 * "Architectural MSRs".
 */
#include <asm/apicdef.h>
#include <asm/cpufeature.h>
#include <asm/mce.h>
#include <asm/msr.h>

#include "vmx.h"
#include "../x86/x86.h"

/* ---- the MSR bitmap -------------------------------------------------------- */

#define BITMAP_READ	BIT(0)
#define BITMAP_WRITE	BIT(1)

/*
 * Four quarters of 1 KiB: reads of MSRs 0 to 0x1fff, reads of 0xc0000000 and up,
 * and writes likewise. A set bit means an exit.
 * SDM: "MSR-Bitmap Address".
 */
static void bitmap_set_intercept(struct vcpu_vmx *vmx, u32 msr, int access, bool intercept)
{
	unsigned long bit = msr & 0x1fff;

	if (msr & 0xc0000000)
		bit += 0x400 * BITS_PER_BYTE;
	/* What the VM's filter denies must exit to be denied. */
	if (access & BITMAP_READ)
		__assign_bit(bit, vmx->msr_bitmap, intercept ||
			     !msr_allowed(&vmx->vcpu, msr, MINIKVM_MSR_FILTER_READ));
	if (access & BITMAP_WRITE)
		__assign_bit(bit + 0x800 * BITS_PER_BYTE, vmx->msr_bitmap, intercept ||
			     !msr_allowed(&vmx->vcpu, msr, MINIKVM_MSR_FILTER_WRITE));
}

/* Saved and loaded by hardware or by vmx_prepare_switch(): free for the guest. */
static const struct {
	u32 msr;
	int access;
} passthrough[] = {
	{ MSR_IA32_TSC,			BITMAP_READ },	/* TSC_OFFSET applies */
	{ MSR_FS_BASE,			BITMAP_READ | BITMAP_WRITE },
	{ MSR_GS_BASE,			BITMAP_READ | BITMAP_WRITE },
	{ MSR_KERNEL_GS_BASE,		BITMAP_READ | BITMAP_WRITE },
	{ MSR_IA32_SYSENTER_CS,		BITMAP_READ | BITMAP_WRITE },
	{ MSR_IA32_SYSENTER_ESP,	BITMAP_READ | BITMAP_WRITE },
	{ MSR_IA32_SYSENTER_EIP,	BITMAP_READ | BITMAP_WRITE },
};

/* With CAP_X86_DISABLE_EXITS: how long cores were in a C-state. */
static const u32 cstate_residency[] = {
	MSR_CORE_C1_RES, MSR_CORE_C3_RESIDENCY, MSR_CORE_C6_RESIDENCY, MSR_CORE_C7_RESIDENCY,
};

static void bitmap_set_static(struct vcpu_vmx *vmx)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(passthrough); i++)
		bitmap_set_intercept(vmx, passthrough[i].msr, passthrough[i].access, false);
	if (vmx->exits_disabled & MINIKVM_X86_DISABLE_EXITS_CSTATE)
		for (i = 0; i < ARRAY_SIZE(cstate_residency); i++)
			bitmap_set_intercept(vmx, cstate_residency[i], BITMAP_READ, false);
}

/* SDM: "MSR-Bitmap Address". */
void vmx_msr_bitmap_init(struct vcpu_vmx *vmx)
{
	memset(vmx->msr_bitmap, 0xff, PAGE_SIZE);
	bitmap_set_static(vmx);
	vmx->spec_ctrl_passthrough = false;
	vmx->x2apic_reads = 0;
	vmx->x2apic_writes = 0;
}

/* The CPU serves these itself: bit n stands for MSR 0x800 + n. */
void vmx_msr_bitmap_x2apic(struct vcpu_vmx *vmx, u64 reads, u64 writes)
{
	int i;

	if (reads == vmx->x2apic_reads && writes == vmx->x2apic_writes)
		return;
	for (i = 0; i < 64; i++) {
		bitmap_set_intercept(vmx, APIC_BASE_MSR + i, BITMAP_READ, !(reads & BIT_ULL(i)));
		bitmap_set_intercept(vmx, APIC_BASE_MSR + i, BITMAP_WRITE, !(writes & BIT_ULL(i)));
	}
	vmx->x2apic_reads = reads;
	vmx->x2apic_writes = writes;
}

/**
 * vmx_msr_filter_changed - bring the bitmap in line with the VM's MSR filter
 * @vcpu: loaded, its own thread
 * SDM: "MSR-Bitmap Address".
 */
void vmx_msr_filter_changed(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	bitmap_set_static(vmx);
	vmx_msr_bitmap_cpuid_changed(vmx);
	if (vmx->spec_ctrl_passthrough)
		bitmap_set_intercept(vmx, MSR_IA32_SPEC_CTRL, BITMAP_READ | BITMAP_WRITE, false);
}

static bool guest_has_spec_ctrl(struct vcpu *vcpu)
{
	return guest_has(vcpu, X86_FEATURE_SPEC_CTRL) ||
	       guest_has(vcpu, X86_FEATURE_INTEL_STIBP) ||
	       guest_has(vcpu, X86_FEATURE_SPEC_CTRL_SSBD);
}

/* The commands have no state: whoever may give them gives them directly. */
void vmx_msr_bitmap_cpuid_changed(struct vcpu_vmx *vmx)
{
	struct vcpu *vcpu = &vmx->vcpu;

	bitmap_set_intercept(vmx, MSR_IA32_PRED_CMD, BITMAP_WRITE,
			     !(guest_has(vcpu, X86_FEATURE_SPEC_CTRL) &&
			       boot_cpu_has(X86_FEATURE_IBPB)));
	bitmap_set_intercept(vmx, MSR_IA32_FLUSH_CMD, BITMAP_WRITE,
			     !(guest_has(vcpu, X86_FEATURE_FLUSH_L1D) &&
			       boot_cpu_has(X86_FEATURE_FLUSH_L1D)));
	if (vmx->spec_ctrl_passthrough && !guest_has_spec_ctrl(vcpu)) {
		bitmap_set_intercept(vmx, MSR_IA32_SPEC_CTRL, BITMAP_READ | BITMAP_WRITE, true);
		vmx->spec_ctrl_passthrough = false;
	}
}

/* ---- registers with rules of their own ---------------------------------------- */

/* 48 or 57 bits, sign extended: what no pointer can be is #GP. */
static bool canonical(struct vcpu *vcpu, u64 addr)
{
	int shift = cr4_read(vcpu) & X86_CR4_LA57 ? 64 - 57 : 64 - 48;

	return (u64)((s64)(addr << shift) >> shift) == addr;
}

static u64 read_kernel_gs_base(struct vcpu_vmx *vmx)
{
	/* The register holds it from vmx_prepare_switch() to vmx_vcpu_put(). */
	preempt_disable();
	if (vmx->guest_state_loaded)
		rdmsrl(MSR_KERNEL_GS_BASE, vmx->guest_kernel_gs_base);
	preempt_enable();
	return vmx->guest_kernel_gs_base;
}

static void write_kernel_gs_base(struct vcpu_vmx *vmx, u64 data)
{
	preempt_disable();
	if (vmx->guest_state_loaded)
		wrmsrl(MSR_KERNEL_GS_BASE, data);
	vmx->guest_kernel_gs_base = data;
	preempt_enable();
}

/* Does the register take the value? Only the CPU knows which bits it has. */
static bool spec_ctrl_valid(u64 value)
{
	unsigned long flags;
	u64 saved;
	bool ok;

	local_irq_save(flags);
	ok = !rdmsrl_safe(MSR_IA32_SPEC_CTRL, &saved) &&
	     !wrmsrl_safe(MSR_IA32_SPEC_CTRL, value);
	if (ok)
		wrmsrl(MSR_IA32_SPEC_CTRL, saved);
	local_irq_restore(flags);
	return ok;
}

static int set_spec_ctrl(struct vcpu_vmx *vmx, u64 data, bool host)
{
	struct vcpu *vcpu = &vmx->vcpu;

	if (!boot_cpu_has(X86_FEATURE_MSR_SPEC_CTRL))
		return data || !host ? -EINVAL : 0;
	if (!host && !guest_has_spec_ctrl(vcpu))
		return -EINVAL;
	if (data >> 32 || !spec_ctrl_valid(data))
		return -EINVAL;
	vmx->enter.spec_ctrl = data;
	vcpu->spec_ctrl = data;
	/*
	 * Guests that use it write it often; those that never do should not
	 * pay for reading it back after every exit.
	 */
	if (data && guest_has_spec_ctrl(vcpu) && !vmx->spec_ctrl_passthrough) {
		bitmap_set_intercept(vmx, MSR_IA32_SPEC_CTRL, BITMAP_READ | BITMAP_WRITE, false);
		vmx->spec_ctrl_passthrough = true;
	}
	return 0;
}

/* Not passed through because the host or the guest's CPUID lacks the command. */
static int set_command(struct vcpu *vcpu, u32 index, u64 data, bool host)
{
	bool known = index == MSR_IA32_PRED_CMD ? guest_has(vcpu, X86_FEATURE_SPEC_CTRL) :
						  guest_has(vcpu, X86_FEATURE_FLUSH_L1D);

	if (host)
		return data ? -EINVAL : 0;
	if (!known || data & ~1ull)
		return -EINVAL;
	return data ? wrmsrl_safe(index, data) ? -EINVAL : 0 : 0;
}

static int set_tsc_aux(struct vcpu_vmx *vmx, u64 data, bool host)
{
	struct vcpu *vcpu = &vmx->vcpu;

	if (!host && !guest_has(vcpu, X86_FEATURE_RDTSCP) && !guest_has(vcpu, X86_FEATURE_RDPID))
		return -EINVAL;
	if (data >> 32)
		return -EINVAL;
	vcpu->tsc_aux = data;
	uret_set(vmx, URET_TSC_AUX, data);
	return 0;
}

/* ---- get and set ----------------------------------------------------------------- */

/**
 * vmx_get_msr - read an MSR that VMX keeps
 * @vcpu: loaded
 * @index: MSR number
 * @data: out
 * @host: by userspace, which may read every register it may have to save; the
 *	guest only those its CPUID promises
 *
 * Return: 0; -ENOENT not one of ours; -EINVAL the guest's CPU has none.
 */
int vmx_get_msr(struct vcpu *vcpu, u32 index, u64 *data, bool host)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	switch (index) {
	case MSR_FS_BASE:
		*data = vmcs_readl(GUEST_FS_BASE);
		return 0;
	case MSR_GS_BASE:
		*data = vmcs_readl(GUEST_GS_BASE);
		return 0;
	case MSR_KERNEL_GS_BASE:
		*data = read_kernel_gs_base(vmx);
		return 0;
	case MSR_IA32_SYSENTER_CS:
		*data = vmcs_read32(GUEST_SYSENTER_CS);
		return 0;
	case MSR_IA32_SYSENTER_ESP:
		*data = vmcs_readl(GUEST_SYSENTER_ESP);
		return 0;
	case MSR_IA32_SYSENTER_EIP:
		*data = vmcs_readl(GUEST_SYSENTER_EIP);
		return 0;
	case MSR_STAR:
		*data = vmx->uret[URET_STAR];
		return 0;
	case MSR_LSTAR:
		*data = vmx->uret[URET_LSTAR];
		return 0;
	case MSR_SYSCALL_MASK:
		*data = vmx->uret[URET_SYSCALL_MASK];
		return 0;
	case MSR_CSTAR:
		*data = vmx->cstar;
		return 0;
	case MSR_TSC_AUX:
		if (!host && !guest_has(vcpu, X86_FEATURE_RDTSCP) &&
		    !guest_has(vcpu, X86_FEATURE_RDPID))
			return -EINVAL;
		*data = vcpu->tsc_aux;
		return 0;
	case MSR_IA32_SPEC_CTRL:
		if (!host && !guest_has_spec_ctrl(vcpu))
			return -EINVAL;
		*data = vmx->enter.spec_ctrl;
		return 0;
	case MSR_IA32_FEAT_CTL:
		*data = vmx->feat_ctl;
		return 0;
	default:
		return -ENOENT;
	}
}

/* Local machine checks are all it can switch on here; else it has the lock. */
static int set_feat_ctl(struct vcpu_vmx *vmx, u64 data, bool host)
{
	u64 valid = FEAT_CTL_LOCKED;

	if (vmx->vcpu.mcg_cap & MCG_LMCE_P)
		valid |= FEAT_CTL_LMCE_ENABLED;
	if ((data & ~valid) || (!host && (vmx->feat_ctl & FEAT_CTL_LOCKED)))
		return -EINVAL;
	vmx->feat_ctl = data;
	return 0;
}

/**
 * vmx_set_msr - write an MSR that VMX keeps
 * @vcpu: loaded
 * @index: MSR number
 * @data: value
 * @host: by userspace, which restores what the guest once had
 *
 * Return: 0; -ENOENT not one of ours; -EINVAL refused, nothing changed.
 */
int vmx_set_msr(struct vcpu *vcpu, u32 index, u64 data, bool host)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	switch (index) {
	case MSR_FS_BASE:
	case MSR_GS_BASE:
	case MSR_KERNEL_GS_BASE:
	case MSR_IA32_SYSENTER_ESP:
	case MSR_IA32_SYSENTER_EIP:
	case MSR_LSTAR:
	case MSR_CSTAR:
		if (!canonical(vcpu, data))
			return -EINVAL;
		break;
	}

	switch (index) {
	case MSR_FS_BASE:
		vmcs_writel(GUEST_FS_BASE, data);
		return 0;
	case MSR_GS_BASE:
		vmcs_writel(GUEST_GS_BASE, data);
		return 0;
	case MSR_KERNEL_GS_BASE:
		write_kernel_gs_base(vmx, data);
		return 0;
	case MSR_IA32_SYSENTER_CS:
		vmcs_write32(GUEST_SYSENTER_CS, data);
		return 0;
	case MSR_IA32_SYSENTER_ESP:
		vmcs_writel(GUEST_SYSENTER_ESP, data);
		return 0;
	case MSR_IA32_SYSENTER_EIP:
		vmcs_writel(GUEST_SYSENTER_EIP, data);
		return 0;
	case MSR_STAR:
		uret_set(vmx, URET_STAR, data);
		return 0;
	case MSR_LSTAR:
		uret_set(vmx, URET_LSTAR, data);
		return 0;
	case MSR_SYSCALL_MASK:
		/* Bits 63:32 are reserved in the register. */
		if (data >> 32)
			return -EINVAL;
		uret_set(vmx, URET_SYSCALL_MASK, data);
		return 0;
	case MSR_CSTAR:
		vmx->cstar = data;
		return 0;
	case MSR_TSC_AUX:
		return set_tsc_aux(vmx, data, host);
	case MSR_IA32_SPEC_CTRL:
		return set_spec_ctrl(vmx, data, host);
	case MSR_IA32_PRED_CMD:
	case MSR_IA32_FLUSH_CMD:
		return set_command(vcpu, index, data, host);
	case MSR_IA32_FEAT_CTL:
		return set_feat_ctl(vmx, data, host);
	default:
		return -ENOENT;
	}
}

/* SDM: "Time-Stamp Counter Offset and Multiplier". */
void vmx_set_tsc_offset(struct vcpu *vcpu, u64 offset)
{
	vmcs_write64(TSC_OFFSET, offset);
}

bool vmx_has_tsc_scaling(void)
{
	return vmx_caps.proc2 & SECONDARY_EXEC_TSC_SCALING;
}

/* SDM: "Time-Stamp Counter Offset and Multiplier". */
void vmx_set_tsc_ratio(struct vcpu *vcpu, u64 ratio)
{
	vmcs_write64(TSC_MULTIPLIER, ratio);
}

/* Power-on clears them; INIT leaves MSRs alone, but not predictor controls. */
void vmx_msr_reset(struct vcpu_vmx *vmx, bool init)
{
	int i;

	vmx->enter.spec_ctrl = 0;
	vmx->vcpu.spec_ctrl = 0;
	if (init)
		return;

	for (i = 0; i < NR_URET; i++)
		uret_set(vmx, i, 0);
	vmx->vcpu.tsc_aux = 0;
	vmx->cstar = 0;
	vmx->feat_ctl = 0;
	write_kernel_gs_base(vmx, 0);
	vmcs_write32(GUEST_SYSENTER_CS, 0);
	vmcs_writel(GUEST_SYSENTER_ESP, 0);
	vmcs_writel(GUEST_SYSENTER_EIP, 0);
	vmcs_write64(GUEST_IA32_PAT, vmx->vcpu.pat);
	vmx->pat = vmx->vcpu.pat;
}
