// SPDX-License-Identifier: GPL-2.0
/*
 * Capabilities: what CHECK_EXTENSION says of this module, and what ENABLE_CAP
 * switches on for a VM or a vCPU.
 */
#include <linux/cpumask.h>
#include <linux/minmax.h>
#include <linux/sched/stat.h>
#include <asm/cpufeature.h>

#include "../uapi/minikvm_para.h"
#include "minikvm.h"
#include "memslot.h"
#include "irqchip/irqchip.h"
#include "irqchip/lapic.h"
#include "x86/sync_regs.h"

#define X2APIC_API_FLAGS	(MINIKVM_X2APIC_API_USE_32BIT_IDS |	\
				 MINIKVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)

#define ALL_QUIRKS	(MINIKVM_X86_QUIRK_LINT0_REENABLED |		\
			 MINIKVM_X86_QUIRK_CD_NW_CLEARED |		\
			 MINIKVM_X86_QUIRK_LAPIC_MMIO_HOLE |		\
			 MINIKVM_X86_QUIRK_OUT_7E_INC_RIP |		\
			 MINIKVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT |	\
			 MINIKVM_X86_QUIRK_FIX_HYPERCALL_INSN |		\
			 MINIKVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS)

#define ALL_EXITS	(MINIKVM_X86_DISABLE_EXITS_MWAIT |		\
			 MINIKVM_X86_DISABLE_EXITS_HLT |		\
			 MINIKVM_X86_DISABLE_EXITS_PAUSE |		\
			 MINIKVM_X86_DISABLE_EXITS_CSTATE)

/* A guest may wait by MWAIT if that wakes up, and the APIC timer runs on meanwhile. */
static u32 disable_exits_supported(void)
{
	if (boot_cpu_has(X86_FEATURE_MWAIT) && !boot_cpu_has_bug(X86_BUG_MONITOR) &&
	    boot_cpu_has(X86_FEATURE_ARAT))
		return ALL_EXITS;
	return ALL_EXITS & ~MINIKVM_X86_DISABLE_EXITS_MWAIT;
}

/* What is there or not, without a value. */
static const u8 plain_caps[] = {
	MINIKVM_CAP_IRQCHIP,
	MINIKVM_CAP_HLT,
	MINIKVM_CAP_USER_MEMORY,
	MINIKVM_CAP_SET_TSS_ADDR,
	MINIKVM_CAP_EXT_CPUID,
	MINIKVM_CAP_CLOCKSOURCE,
	MINIKVM_CAP_MP_STATE,
	MINIKVM_CAP_SYNC_MMU,
	MINIKVM_CAP_MMU_SHADOW_CACHE_CONTROL,
	MINIKVM_CAP_DESTROY_MEMORY_REGION_WORKS,
	MINIKVM_CAP_JOIN_MEMORY_REGIONS_WORKS,
	MINIKVM_CAP_USER_NMI,
	MINIKVM_CAP_IRQ_INJECT_STATUS,
	MINIKVM_CAP_PIT2,
	MINIKVM_CAP_PIT_STATE2,
	MINIKVM_CAP_SET_BOOT_CPU_ID,
	MINIKVM_CAP_SET_IDENTITY_MAP_ADDR,
	MINIKVM_CAP_INTERNAL_ERROR_DATA,
	MINIKVM_CAP_GET_TSC_KHZ,
	MINIKVM_CAP_TSC_DEADLINE_TIMER,
	MINIKVM_CAP_SIGNAL_MSI,
	MINIKVM_CAP_PCI_SEGMENT,
	MINIKVM_CAP_HALT_POLL,
	MINIKVM_CAP_LAST_CPU,
	MINIKVM_CAP_READONLY_MEM,
	MINIKVM_CAP_CHECK_EXTENSION_VM,
	MINIKVM_CAP_SET_GUEST_DEBUG,
	MINIKVM_CAP_DEBUGREGS,
	MINIKVM_CAP_X86_ROBUST_SINGLESTEP,
	MINIKVM_CAP_XSAVE,
	MINIKVM_CAP_SREGS2,
	MINIKVM_CAP_BINARY_STATS_FD,
	MINIKVM_CAP_EXIT_ON_EMULATION_FAILURE,
	MINIKVM_CAP_IRQFD,
	MINIKVM_CAP_IRQFD_RESAMPLE,
	MINIKVM_CAP_IOEVENTFD,
	MINIKVM_CAP_IOEVENTFD_NO_LENGTH,
	MINIKVM_CAP_IOEVENTFD_ANY_LENGTH,
	MINIKVM_CAP_COALESCED_PIO,
	MINIKVM_CAP_IMMEDIATE_EXIT,
	MINIKVM_CAP_GET_MSR_FEATURES,
	MINIKVM_CAP_ENABLE_CAP,
	MINIKVM_CAP_ENABLE_CAP_VM,
	MINIKVM_CAP_PIT,
	MINIKVM_CAP_REINJECT_CONTROL,
	MINIKVM_CAP_SPLIT_IRQCHIP,
	MINIKVM_CAP_IOAPIC_POLARITY_IGNORED,
	MINIKVM_CAP_VCPU_EVENTS,
	MINIKVM_CAP_EXCEPTION_PAYLOAD,
	MINIKVM_CAP_X86_TRIPLE_FAULT_EVENT,
	MINIKVM_CAP_NOP_IO_DELAY,
	MINIKVM_CAP_KVMCLOCK_CTRL,
	MINIKVM_CAP_DISABLE_QUIRKS,
	MINIKVM_CAP_VCPU_ATTRIBUTES,
	MINIKVM_CAP_MSR_PLATFORM_INFO,
	MINIKVM_CAP_X86_USER_SPACE_MSR,
	MINIKVM_CAP_X86_MSR_FILTER,
	MINIKVM_CAP_ENFORCE_PV_FEATURE_CPUID,
	MINIKVM_CAP_SYS_ATTRIBUTES,
};

static bool cap_is_plain(long cap)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(plain_caps); i++)
		if (plain_caps[i] == cap)
			return true;
	return false;
}

/**
 * check_extension - CHECK_EXTENSION, on the device and on a VM
 * @vm: the VM, or NULL for the device
 * @cap: MINIKVM_CAP_*
 *
 * Tells the truth: a number is here only when all of it works.
 *
 * Return: the capability's value, 0 for every unknown one; never an errno.
 */
long check_extension(struct vm *vm, long cap)
{
	if (cap_is_plain(cap))
		return 1;
	switch (cap) {
	case MINIKVM_CAP_VAPIC:
		/* Of use only where each access to the TPR exits. */
		return !lapic_tpr_mapped;
	case MINIKVM_CAP_COALESCED_MMIO:
		return MINIKVM_COALESCED_MMIO_PAGE_OFFSET;
	case MINIKVM_CAP_ADJUST_CLOCK:
		return MINIKVM_CLOCK_TSC_STABLE | MINIKVM_CLOCK_REALTIME | MINIKVM_CLOCK_HOST_TSC;
	case MINIKVM_CAP_TSC_CONTROL:
	case MINIKVM_CAP_VM_TSC_CONTROL:
		return vendor->has_tsc_scaling();
	case MINIKVM_CAP_X86_DISABLE_EXITS:
		return disable_exits_supported();
	case MINIKVM_CAP_STEAL_TIME:
		return sched_info_on();
	case MINIKVM_CAP_EXIT_HYPERCALL:
		return BIT(MINIKVM_HC_MAP_GPA_RANGE);
	case MINIKVM_CAP_DISABLE_QUIRKS2:
		return ALL_QUIRKS;
	case MINIKVM_CAP_NR_VCPUS:
		return min_t(long, num_online_cpus(), MK_MAX_VCPUS);
	case MINIKVM_CAP_MAX_VCPUS:
		return MK_MAX_VCPUS;
	case MINIKVM_CAP_MAX_VCPU_ID:
		return MK_MAX_VCPU_ID;
	case MINIKVM_CAP_NR_MEMSLOTS:
		return MK_MAX_MEMSLOTS;
	case MINIKVM_CAP_MCE:
		return MK_MCE_BANKS;
	case MINIKVM_CAP_X2APIC_API:
		return X2APIC_API_FLAGS;
	case MINIKVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		return MINIKVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | MINIKVM_DIRTY_LOG_INITIALLY_SET;
	case MINIKVM_CAP_IRQ_ROUTING:
		return MK_NR_GSI;
	case MINIKVM_CAP_SYNC_REGS:
		return SYNC_REGS_CLASSES;
	case MINIKVM_CAP_XCRS:
		return boot_cpu_has(X86_FEATURE_XSAVE);
	case MINIKVM_CAP_XSAVE2:
		/* Whatever the guest may use lies below this: no AMX. */
		return sizeof(struct minikvm_xsave);
	case MINIKVM_CAP_SET_GUEST_DEBUG2:
		return MINIKVM_GUESTDBG_ENABLE | MINIKVM_GUESTDBG_SINGLESTEP |
		       MINIKVM_GUESTDBG_USE_SW_BP | MINIKVM_GUESTDBG_USE_HW_BP |
		       MINIKVM_GUESTDBG_INJECT_DB | MINIKVM_GUESTDBG_INJECT_BP |
		       MINIKVM_GUESTDBG_BLOCKIRQ;
	default:
		return 0;
	}
}

/* X2APIC_API: a flag once set stays. */
static int enable_x2apic_api(struct vm *vm, u64 flags)
{
	if (flags & ~X2APIC_API_FLAGS)
		return -EINVAL;
	if (flags & MINIKVM_X2APIC_API_USE_32BIT_IDS)
		vm->x2apic_format = true;
	if (flags & MINIKVM_X2APIC_API_DISABLE_BROADCAST_QUIRK)
		vm->x2apic_no_quirk = true;
	return 0;
}

/* Once, and before the first vCPU. */
static int vm_set_max_vcpu_ids(struct vm *vm, u64 ids)
{
	int err = -EINVAL;

	if (ids > MK_MAX_VCPU_ID)
		return -EINVAL;
	mutex_lock(&vm->lock);
	if (!vm->max_vcpu_ids || vm->max_vcpu_ids == ids) {
		vm->max_vcpu_ids = ids;
		err = 0;
	}
	mutex_unlock(&vm->lock);
	return err;
}

/**
 * vm_enable_cap - ENABLE_CAP on a VM
 * @vm: the VM
 * @cap: what userspace asked for, already copied
 *
 * Return: 0; -EINVAL (flags set, or a capability that no VM can enable);
 * otherwise as the capability defines it.
 */
int vm_enable_cap(struct vm *vm, const struct minikvm_enable_cap *cap)
{
	u64 arg = cap->args[0];

	if (cap->flags)
		return -EINVAL;
	switch (cap->cap) {
	case MINIKVM_CAP_SPLIT_IRQCHIP:
		return irqchip_create_split(vm, cap->args[0]);
	case MINIKVM_CAP_X2APIC_API:
		return enable_x2apic_api(vm, cap->args[0]);
	case MINIKVM_CAP_EXCEPTION_PAYLOAD:
		vm->exception_payload = cap->args[0];
		return 0;
	case MINIKVM_CAP_X86_TRIPLE_FAULT_EVENT:
		vm->triple_fault_event = cap->args[0];
		return 0;
	case MINIKVM_CAP_EXIT_ON_EMULATION_FAILURE:
		if (cap->args[0] & ~1ull)
			return -EINVAL;
		vm->exit_on_emulation_failure = cap->args[0];
		return 0;
	case MINIKVM_CAP_MANUAL_DIRTY_LOG_PROTECT2:
		return dirty_log_set_manual(vm, cap->args[0]);
	case MINIKVM_CAP_DISABLE_QUIRKS2:
		if (arg & ~(u64)ALL_QUIRKS)
			return -EINVAL;
		fallthrough;
	case MINIKVM_CAP_DISABLE_QUIRKS:
		WRITE_ONCE(vm->disabled_quirks, arg);
		return 0;
	case MINIKVM_CAP_X86_DISABLE_EXITS:
		if (arg & ~(u64)ALL_EXITS)
			return -EINVAL;
		/* What this CPU cannot give is left as it is, like in KVM. */
		WRITE_ONCE(vm->exits_disabled,
			   vm->exits_disabled | (arg & disable_exits_supported()));
		return 0;
	case MINIKVM_CAP_MSR_PLATFORM_INFO:
		WRITE_ONCE(vm->platform_info_hidden, !arg);
		return 0;
	case MINIKVM_CAP_X86_USER_SPACE_MSR:
		if (arg & ~(u64)(MINIKVM_MSR_EXIT_REASON_INVAL | MINIKVM_MSR_EXIT_REASON_UNKNOWN |
				 MINIKVM_MSR_EXIT_REASON_FILTER))
			return -EINVAL;
		WRITE_ONCE(vm->user_msr_reasons, arg);
		return 0;
	case MINIKVM_CAP_EXIT_HYPERCALL:
		if (arg & ~(u64)BIT(MINIKVM_HC_MAP_GPA_RANGE))
			return -EINVAL;
		WRITE_ONCE(vm->user_hypercalls, arg);
		return 0;
	case MINIKVM_CAP_X86_BUS_LOCK_EXIT:
		/* Nothing to switch off; switching it on is refused. */
		return arg & ~(u64)MINIKVM_BUS_LOCK_DETECTION_OFF ? -EINVAL : 0;
	case MINIKVM_CAP_HALT_POLL:
		if (arg != (u32)arg)
			return -EINVAL;
		WRITE_ONCE(vm->halt_poll_max_ns, arg);
		return 0;
	case MINIKVM_CAP_MAX_VCPU_ID:
		return vm_set_max_vcpu_ids(vm, arg);
	default:
		return -EINVAL;
	}
}

/**
 * vcpu_enable_cap - ENABLE_CAP on a vCPU
 * @vcpu: the vCPU, loaded
 * @cap: what userspace asked for, already copied
 *
 * Return: 0; -EINVAL (flags set, or a capability that no vCPU can enable);
 * otherwise as the capability defines it.
 */
int vcpu_enable_cap(struct vcpu *vcpu, const struct minikvm_enable_cap *cap)
{
	if (cap->flags)
		return -EINVAL;
	switch (cap->cap) {
	case MINIKVM_CAP_ENFORCE_PV_FEATURE_CPUID:
		vcpu->pv_enforce = cap->args[0];
		return 0;
	default:
		return -EINVAL;
	}
}
