// SPDX-License-Identifier: GPL-2.0
/*
 * Model-specific registers: which exist, who answers each, and the ones that
 * are plain storage with a validity rule.
 *
 * An MSR that neither this file nor the vendor knows, or that the VM's filter
 * denies, is refused, which the guest sees as #GP(0) unless userspace asked to
 * answer instead. Hypervisor-only rules are marked by @host: userspace may read
 * and write what it saves and restores.
 */
#include <linux/nospec.h>
#include <asm/apicdef.h>
#include <asm/cpufeature.h>
#include <asm/mce.h>
#include <asm/msr.h>
#include <asm/msr-index.h>

#include "../../uapi/minikvm_para.h"
#include "../irqchip/lapic.h"
#include "../trace.h"
#include "mtrr.h"
#include "x86.h"

#define MC_BANK_FIRST		MSR_IA32_MC0_CTL
#define MC_BANK_LAST		(MSR_IA32_MCx_CTL(MK_MCE_BANKS) - 1)
#define MC_CTL2_LAST		(MSR_IA32_MCx_CTL2(MK_MCE_BANKS) - 1)

/* Bits of IA32_ARCH_CAPABILITIES that say something about this guest. */
#define ARCH_CAPS_SUPPORTED						\
	(BIT_ULL(0) | BIT_ULL(1) | BIT_ULL(2) |	/* RDCL_NO IBRS_ALL RSBA */	\
	 BIT_ULL(4) | BIT_ULL(5) | BIT_ULL(6) |	/* SSB MDS PSCHANGE _NO */	\
	 BIT_ULL(8) |				/* TAA_NO */			\
	 BIT_ULL(13) | BIT_ULL(14) | BIT_ULL(15) |	/* SBDR FBSDP PSDP _NO */ \
	 BIT_ULL(17) | BIT_ULL(19) | BIT_ULL(20) |	/* FB_CLEAR RRSBA BHI_NO */ \
	 BIT_ULL(24) | BIT_ULL(26) | BIT_ULL(27) |	/* PBRSB GDS RFDS _NO */ \
	 BIT_ULL(28) | BIT_ULL(62))		/* RFDS_CLEAR ITS_NO */

/**
 * msr_arch_capabilities - IA32_ARCH_CAPABILITIES as a guest may see it
 *
 * What the host's register says, and what its kernel knows to be absent.
 */
u64 msr_arch_capabilities(void)
{
	u64 data = 0;

	if (boot_cpu_has(X86_FEATURE_ARCH_CAPABILITIES)) {
		rdmsrl(MSR_IA32_ARCH_CAPABILITIES, data);
		data &= ARCH_CAPS_SUPPORTED;
	}
	if (!boot_cpu_has_bug(X86_BUG_CPU_MELTDOWN))
		data |= ARCH_CAP_RDCL_NO;
	if (!boot_cpu_has_bug(X86_BUG_SPEC_STORE_BYPASS))
		data |= ARCH_CAP_SSB_NO;
	if (!boot_cpu_has_bug(X86_BUG_MDS))
		data |= ARCH_CAP_MDS_NO;
	if (!boot_cpu_has_bug(X86_BUG_RFDS))
		data |= ARCH_CAP_RFDS_NO;
	/* A Linux guest that is not told so takes every hypervisor's CPU for affected. */
	if (!boot_cpu_has_bug(X86_BUG_ITS))
		data |= ARCH_CAP_ITS_NO;
	if (!boot_cpu_has_bug(X86_BUG_ITLB_MULTIHIT))
		data |= ARCH_CAP_PSCHANGE_MC_NO;
	/* Without TSX there is nothing to be told about it. */
	if (!boot_cpu_has(X86_FEATURE_RTM))
		data &= ~(u64)ARCH_CAP_TAA_NO;
	else if (!boot_cpu_has_bug(X86_BUG_TAA))
		data |= ARCH_CAP_TAA_NO;
	return data;
}

/* ---- registers with a rule of their own --------------------------------- */

static int misc_enable_set(struct vcpu *vcpu, u64 data, bool host)
{
	const u64 read_only = MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL |
			      MSR_IA32_MISC_ENABLE_BTS_UNAVAIL;

	if (!host) {
		if ((data ^ vcpu->misc_enable) & read_only)
			return -EINVAL;
		/* No performance monitoring, and writing the bit is ignored. */
		data &= ~(u64)MSR_IA32_MISC_ENABLE_EMON;
		data |= vcpu->misc_enable & MSR_IA32_MISC_ENABLE_EMON;
	}
	if ((data ^ vcpu->misc_enable) & MSR_IA32_MISC_ENABLE_MWAIT &&
	    !vm_has_quirk(vcpu->vm, MINIKVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT)) {
		if (!guest_has(vcpu, X86_FEATURE_XMM3))
			return -EINVAL;
		vcpu->misc_enable = data;
		cpuid_update_runtime(vcpu);
		return 0;
	}
	vcpu->misc_enable = data;
	return 0;
}

/* Whether CPUID can be made to fault, and whether it does. */
static int platform_info_set(struct vcpu *vcpu, u64 data, bool host)
{
	if (!host || (!(data & MSR_PLATFORM_INFO_CPUID_FAULT) && vcpu->cpuid_faulting))
		return -EINVAL;
	vcpu->platform_info = data;
	return 0;
}

static int misc_features_set(struct vcpu *vcpu, u64 data)
{
	if (data & ~(u64)MSR_MISC_FEATURES_ENABLES_CPUID_FAULT ||
	    (data && !(vcpu->platform_info & MSR_PLATFORM_INFO_CPUID_FAULT)))
		return -EINVAL;
	vcpu->misc_features_enables = data;
	vcpu->cpuid_faulting = data;
	return 0;
}

/* AMD's HWCR: of what guests set there only McStatusWrEn means something here. */
static int hwcr_set(struct vcpu *vcpu, u64 data)
{
	/* TLB cache, flush filter and IGNNE: switching them off is ignored. */
	data &= ~(BIT_ULL(3) | BIT_ULL(6) | BIT_ULL(8));
	if (data & ~BIT_ULL(18))
		return -EINVAL;
	vcpu->hwcr = data;
	return 0;
}

/* SDM: "Time-Stamp Counter Adjustment". */
static int tsc_adjust_set(struct vcpu *vcpu, u64 data, bool host)
{
	if (!guest_has(vcpu, X86_FEATURE_TSC_ADJUST))
		return 0;
	/* The guest moves its TSC with it; userspace restores the TSC itself. */
	if (!host)
		guest_tsc_shift(vcpu, data - vcpu->tsc_adjust);
	vcpu->tsc_adjust = data;
	return 0;
}

/*
 * Registers of real CPUs that kernels and firmware read without asking CPUID.
 * They hold nothing here; -ENOENT: not one of them.
 */
static int legacy_get(u32 index, u64 *data)
{
	switch (index) {
	case MSR_IA32_PLATFORM_ID:
	case MSR_IA32_EBL_CR_POWERON:
	case MSR_IA32_DEBUGCTLMSR:
	case MSR_IA32_LASTBRANCHFROMIP:
	case MSR_IA32_LASTBRANCHTOIP:
	case MSR_IA32_LASTINTFROMIP:
	case MSR_IA32_LASTINTTOIP:
	case MSR_IA32_PERF_CTL:
	case MSR_IA32_P5_MC_ADDR:
	case MSR_IA32_P5_MC_TYPE:
	case MSR_P6_PERFCTR0 ... MSR_P6_PERFCTR1:
	case MSR_P6_EVNTSEL0 ... MSR_P6_EVNTSEL1:
	case MSR_RAPL_POWER_UNIT:
	case MSR_PKG_ENERGY_STATUS:
	case MSR_DRAM_ENERGY_STATUS:
	case MSR_PP0_ENERGY_STATUS:
	case MSR_PP1_ENERGY_STATUS:
	/* AMD's */
	case MSR_AMD64_SYSCFG:
	case MSR_K8_TSEG_ADDR:
	case MSR_K8_TSEG_MASK:
	case MSR_VM_HSAVE_PA:
	case MSR_K8_INT_PENDING_MSG:
	case MSR_AMD64_NB_CFG:
	case MSR_FAM10H_MMIO_CONF_BASE:
	case MSR_AMD64_BU_CFG2:
	case MSR_AMD64_DC_CFG:
	case MSR_AMD64_TW_CFG:
	case MSR_F15H_EX_CFG:
	case MSR_K7_EVNTSEL0 ... MSR_K7_EVNTSEL3:
	case MSR_K7_PERFCTR0 ... MSR_K7_PERFCTR3:
		*data = 0;
		return 0;
	case MSR_K7_CLK_CTL:		/* a ramp-up count that K7 guests want to see */
		*data = 0x20000000;
		return 0;
	case MSR_FSB_FREQ:
		*data = 3;
		return 0;
	case MSR_EBC_FREQUENCY_ID:	/* core clock equals bus clock */
		*data = 1 << 24;
		return 0;
	case MSR_IA32_PERF_STATUS:	/* a multiplier that divides by nothing odd */
		*data = 1000ull | 4ull << 40;
		return 0;
	case MSR_IA32_BBL_CR_CTL3:	/* an enabled 256 KiB L2 cache */
		*data = 0xbe702111;
		return 0;
	}
	return -ENOENT;
}

/* Writes to the same kind of register: ignored, or refused if they ask for something. */
static int legacy_set(u32 index, u64 data)
{
	switch (index) {
	case MSR_IA32_UCODE_WRITE:
	case MSR_IA32_BBL_CR_CTL3:
	case MSR_P6_PERFCTR0 ... MSR_P6_PERFCTR1:
	case MSR_P6_EVNTSEL0 ... MSR_P6_EVNTSEL1:
	/* AMD's */
	case MSR_AMD64_NB_CFG:
	case MSR_VM_HSAVE_PA:
	case MSR_AMD64_PATCH_LOADER:
	case MSR_AMD64_BU_CFG2:
	case MSR_AMD64_DC_CFG:
	case MSR_AMD64_TW_CFG:
	case MSR_F15H_EX_CFG:
	case MSR_K7_EVNTSEL0 ... MSR_K7_EVNTSEL3:
	case MSR_K7_PERFCTR0 ... MSR_K7_PERFCTR3:
	case MSR_K7_CLK_CTL:
		return 0;
	case MSR_IA32_DEBUGCTLMSR:	/* no last-branch recording to turn on */
		return data & ~(u64)(DEBUGCTLMSR_LBR | DEBUGCTLMSR_BTF) ? -EINVAL : 0;
	case MSR_FAM10H_MMIO_CONF_BASE:
		return data ? -EINVAL : 0;
	}
	return -ENOENT;
}

/* ---- reading and writing ------------------------------------------------ */

/* Storage, with a rule of its own at most for who may look. */
static int stored_get(struct vcpu *vcpu, u32 index, u64 *data, bool host)
{
	switch (index) {
	case MSR_PLATFORM_INFO:
		if (!host && READ_ONCE(vcpu->vm->platform_info_hidden))
			return -EINVAL;
		*data = vcpu->platform_info;
		return 0;
	case MSR_MISC_FEATURES_ENABLES:
		*data = vcpu->misc_features_enables;
		return 0;
	case MSR_IA32_POWER_CTL:
		*data = vcpu->power_ctl;
		return 0;
	case MSR_SMI_COUNT:
		*data = vcpu->smi_count;
		return 0;
	case MSR_K7_HWCR:
		*data = vcpu->hwcr;
		return 0;
	}
	return -ENOENT;
}

static int stored_set(struct vcpu *vcpu, u32 index, u64 data, bool host)
{
	switch (index) {
	case MSR_PLATFORM_INFO:
		return platform_info_set(vcpu, data, host);
	case MSR_MISC_FEATURES_ENABLES:
		return misc_features_set(vcpu, data);
	case MSR_IA32_POWER_CTL:
		vcpu->power_ctl = data;
		return 0;
	case MSR_SMI_COUNT:
		if (!host)
			return -EINVAL;
		vcpu->smi_count = data;
		return 0;
	case MSR_K7_HWCR:
		return hwcr_set(vcpu, data);
	}
	return -ENOENT;
}

/* What is left when no case above matched. */
static int other_get(struct vcpu *vcpu, u32 index, u64 *data, bool host)
{
	int r = vendor->get_msr(vcpu, index, data, host);

	if (r == -ENOENT)
		r = stored_get(vcpu, index, data, host);
	if (r == -ENOENT)
		r = mtrr_get(vcpu, index, data);
	return r == -ENOENT ? legacy_get(index, data) : r;
}

static int other_set(struct vcpu *vcpu, u32 index, u64 data, bool host)
{
	int r = vendor->set_msr(vcpu, index, data, host);

	if (r == -ENOENT)
		r = stored_set(vcpu, index, data, host);
	if (r == -ENOENT)
		r = mtrr_set(vcpu, index, data);
	return r == -ENOENT ? legacy_set(index, data) : r;
}

/**
 * msr_get - read an MSR of this vCPU
 * @vcpu: the vCPU, loaded
 * @index: ECX of RDMSR
 * @data: out: the value, only on success
 * @host: asked by userspace
 *
 * Return: 0; -ENOENT (no such MSR); -EINVAL (not for this caller). The guest
 * gets #GP(0) in both cases.
 */
int msr_get(struct vcpu *vcpu, u32 index, u64 *data, bool host)
{
	switch (index) {
	case MSR_IA32_TSC:
		*data = guest_tsc_read(vcpu);
		return 0;
	case MSR_IA32_TSC_ADJUST:
		*data = vcpu->tsc_adjust;
		return 0;
	case MSR_IA32_TSC_DEADLINE:
		*data = vcpu->lapic ? lapic_get_tsc_deadline(vcpu) : 0;
		return 0;
	case MSR_EFER:
		*data = vcpu->efer;
		return 0;
	case MSR_IA32_APICBASE:
		*data = vcpu->apic_base;
		return 0;
	case APIC_BASE_MSR ... APIC_BASE_MSR + 0xff:
		return vcpu->lapic ? lapic_msr_read(vcpu, index, data) : -EINVAL;
	case MSR_IA32_CR_PAT:
		*data = vcpu->pat;
		return 0;
	case MSR_IA32_MISC_ENABLE:
		*data = vcpu->misc_enable;
		return 0;
	case MSR_IA32_UCODE_REV:
		*data = vcpu->microcode_version;
		return 0;
	case MSR_IA32_ARCH_CAPABILITIES:
		if (!host && !guest_has(vcpu, X86_FEATURE_ARCH_CAPABILITIES))
			return -EINVAL;
		*data = vcpu->arch_capabilities;
		return 0;
	case MSR_IA32_XSS:
		if (!host && !guest_has(vcpu, X86_FEATURE_XSAVES))
			return -EINVAL;
		*data = vcpu->xss;
		return 0;
	case MSR_IA32_MCG_CAP:
	case MSR_IA32_MCG_STATUS:
	case MSR_IA32_MCG_CTL:
	case MSR_IA32_MCG_EXT_CTL:
	case MSR_IA32_MC0_CTL2 ... MC_CTL2_LAST:
	case MC_BANK_FIRST ... MC_BANK_LAST:
		return guest_mce_get_msr(vcpu, index, data, host);
	case MINIKVM_MSR_WALL_CLOCK:
	case MINIKVM_MSR_SYSTEM_TIME:
	case MINIKVM_MSR_WALL_CLOCK_NEW ... MINIKVM_MSR_POLL_CONTROL:
		return pv_get_msr(vcpu, index, data);
	}
	return other_get(vcpu, index, data, host);
}

/**
 * msr_set - write an MSR of this vCPU
 * @vcpu: the vCPU, loaded
 * @index: ECX of WRMSR
 * @data: the value
 * @host: asked by userspace, which may write what is read-only to the guest
 *
 * Return: 0; -ENOENT (no such MSR); -EINVAL (a value it cannot hold, or not for
 * this caller). Nothing changed then, and the guest gets #GP(0).
 */
int msr_set(struct vcpu *vcpu, u32 index, u64 data, bool host)
{
	switch (index) {
	case MSR_IA32_TSC:
		guest_tsc_write(vcpu, data, host);
		return 0;
	case MSR_IA32_TSC_ADJUST:
		return tsc_adjust_set(vcpu, data, host);
	case MSR_IA32_TSC_DEADLINE:
		if (vcpu->lapic)
			lapic_set_tsc_deadline(vcpu, data);
		return 0;
	case MSR_EFER:
		return efer_set(vcpu, data, host);
	case MSR_IA32_APICBASE:
		return lapic_set_base(vcpu, data, host);
	case APIC_BASE_MSR ... APIC_BASE_MSR + 0xff:
		return vcpu->lapic ? lapic_msr_write(vcpu, index, data) : -EINVAL;
	case MSR_IA32_CR_PAT:
		if (!pat_valid(data))
			return -EINVAL;
		vcpu->pat = data;
		return 0;
	case MSR_IA32_MISC_ENABLE:
		return misc_enable_set(vcpu, data, host);
	case MSR_IA32_UCODE_REV:
		if (host)
			vcpu->microcode_version = data;
		return 0;
	case MSR_IA32_ARCH_CAPABILITIES:
		if (!host)
			return -EINVAL;
		vcpu->arch_capabilities = data;
		return 0;
	case MSR_IA32_XSS:
		/* No supervisor state component is offered. */
		return data || (!host && !guest_has(vcpu, X86_FEATURE_XSAVES)) ? -EINVAL : 0;
	case MSR_IA32_MCG_CAP:
	case MSR_IA32_MCG_STATUS:
	case MSR_IA32_MCG_CTL:
	case MSR_IA32_MCG_EXT_CTL:
	case MSR_IA32_MC0_CTL2 ... MC_CTL2_LAST:
	case MC_BANK_FIRST ... MC_BANK_LAST:
		return guest_mce_set_msr(vcpu, index, data, host);
	case MINIKVM_MSR_WALL_CLOCK:
	case MINIKVM_MSR_SYSTEM_TIME:
	case MINIKVM_MSR_WALL_CLOCK_NEW ... MINIKVM_MSR_POLL_CONTROL:
		return pv_set_msr(vcpu, index, data);
	}
	return other_set(vcpu, index, data, host);
}

/* ---- the guest's instructions ------------------------------------------- */

#define MSR_DENIED	(-EPERM)	/* by the VM's filter; beside what get and set return */

static u32 exit_reason_of(int err)
{
	switch (err) {
	case -ENOENT:
		return MINIKVM_MSR_EXIT_REASON_UNKNOWN;
	case MSR_DENIED:
		return MINIKVM_MSR_EXIT_REASON_FILTER;
	default:
		return MINIKVM_MSR_EXIT_REASON_INVAL;
	}
}

static enum exit_action complete_wrmsr(struct vcpu *vcpu)
{
	if (READ_ONCE(vcpu->run->msr.error))
		inject_gp(vcpu);
	else
		vendor->skip_insn(vcpu);
	return EXIT_RESUME;
}

static enum exit_action complete_rdmsr(struct vcpu *vcpu)
{
	u64 data = READ_ONCE(vcpu->run->msr.data);

	if (READ_ONCE(vcpu->run->msr.error)) {
		inject_gp(vcpu);
		return EXIT_RESUME;
	}
	vcpu->regs[REG_RAX] = (u32)data;
	vcpu->regs[REG_RDX] = data >> 32;
	vendor->skip_insn(vcpu);
	return EXIT_RESUME;
}

/* The access failed: userspace answers it, if it wants this kind, or #GP. */
static noinline enum exit_action access_failed(struct vcpu *vcpu, u32 exit_reason, u64 data,
					       int err)
{
	u32 reason = exit_reason_of(err);
	struct minikvm_run *run = vcpu->run;

	if (!(READ_ONCE(vcpu->vm->user_msr_reasons) & reason)) {
		trace_kvm_msr(exit_reason == MINIKVM_EXIT_X86_WRMSR, vcpu->regs[REG_RCX], data,
			      true);
		inject_gp(vcpu);
		return EXIT_RESUME;
	}
	run->exit_reason = exit_reason;
	run->msr.error = 0;
	memset(run->msr.pad, 0, sizeof(run->msr.pad));
	run->msr.reason = reason;
	run->msr.index = vcpu->regs[REG_RCX];
	run->msr.data = data;
	vcpu->complete_userspace_io = exit_reason == MINIKVM_EXIT_X86_RDMSR ?
				      complete_rdmsr : complete_wrmsr;
	return EXIT_TO_USER;
}

/**
 * msr_exec_rdmsr - the guest executed RDMSR
 * @vcpu: the vCPU
 *
 * Skips the instruction, injects #GP(0), or leaves with MINIKVM_EXIT_X86_RDMSR.
 * SDM: "RDMSR-Read from Model Specific Register".
 */
enum exit_action msr_exec_rdmsr(struct vcpu *vcpu)
{
	u32 index = vcpu->regs[REG_RCX];
	int err = MSR_DENIED;
	u64 data;

	if (msr_allowed(vcpu, index, MINIKVM_MSR_FILTER_READ))
		err = msr_get(vcpu, index, &data, false);
	if (unlikely(err))
		return access_failed(vcpu, MINIKVM_EXIT_X86_RDMSR, 0, err);
	trace_kvm_msr(TRACE_READ, index, data, false);
	vcpu->regs[REG_RAX] = (u32)data;
	vcpu->regs[REG_RDX] = data >> 32;
	vendor->skip_insn(vcpu);
	return EXIT_RESUME;
}

/**
 * msr_exec_wrmsr - the guest executed WRMSR
 * @vcpu: the vCPU
 *
 * Skips the instruction, injects #GP(0), or leaves with MINIKVM_EXIT_X86_WRMSR.
 * SDM: "WRMSR-Write to Model Specific Register".
 */
enum exit_action msr_exec_wrmsr(struct vcpu *vcpu)
{
	u64 data = (u32)vcpu->regs[REG_RAX] | (u64)vcpu->regs[REG_RDX] << 32;
	u32 index = vcpu->regs[REG_RCX];
	int err = MSR_DENIED;

	if (msr_allowed(vcpu, index, MINIKVM_MSR_FILTER_WRITE))
		err = msr_set(vcpu, index, data, false);
	if (unlikely(err))
		return access_failed(vcpu, MINIKVM_EXIT_X86_WRMSR, data, err);
	trace_kvm_msr(TRACE_WRITE, index, data, false);
	vendor->skip_insn(vcpu);
	return EXIT_RESUME;
}

/**
 * msr_reset - values after power-on or INIT
 * @vcpu: the vCPU
 * @init: INIT, which leaves all MSRs of this file alone but paravirtual ones
 *
 * Source: Intel SDM vol. 3A (December 2023), "Processor State After Reset".
 */
void msr_reset(struct vcpu *vcpu, bool init)
{
	pv_reset(vcpu, init);
	if (init)
		return;
	vcpu->pat = 0x0007040600070406ull;
	vcpu->misc_enable = MSR_IA32_MISC_ENABLE_PEBS_UNAVAIL |
			    MSR_IA32_MISC_ENABLE_BTS_UNAVAIL;
	vcpu->mcg_cap = MK_MCE_BANKS;
	vcpu->arch_capabilities = msr_arch_capabilities();
	vcpu->microcode_version = 1ull << 32;
	vcpu->xss = 0;
	vcpu->platform_info = MSR_PLATFORM_INFO_CPUID_FAULT;
	vcpu->misc_features_enables = 0;
	vcpu->cpuid_faulting = false;
}
