/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the CPU's VMX can do, and which VM-execution, VM-exit and VM-entry
 * controls the module may set. A control that is in neither set below was
 * never asked for, and setting it does not compile.
 *
 * Source: Intel SDM vol. 3C (December 2023), "Virtual-Machine Control
 * Structures" (the control fields); vol. 3D, "VMX Capability Reporting
 * Facility".
 */
#ifndef MINIKVM_VMX_CAPS_H
#define MINIKVM_VMX_CAPS_H

#include <linux/types.h>
#include <asm/vmx.h>

/* Linux 6.12 gave the control the name of its kin. */
#ifndef SECONDARY_EXEC_XSAVES
#define SECONDARY_EXEC_XSAVES	SECONDARY_EXEC_ENABLE_XSAVES
#endif

/* Of use one without the other; see apicv.c. */
#define SECONDARY_EXEC_APIC_CONTROLS						\
				(SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES |	\
				 SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE |	\
				 SECONDARY_EXEC_APIC_REGISTER_VIRT |		\
				 SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY)

#define PIN_REQUIRED		(PIN_BASED_EXT_INTR_MASK |			\
				 PIN_BASED_NMI_EXITING |			\
				 PIN_BASED_VIRTUAL_NMIS)
#define PIN_OPTIONAL		PIN_BASED_VMX_PREEMPTION_TIMER
#define PIN_FORBIDDEN		0

#define PROC_REQUIRED		(CPU_BASED_INTR_WINDOW_EXITING |		\
				 CPU_BASED_USE_TSC_OFFSETTING |			\
				 CPU_BASED_HLT_EXITING |			\
				 CPU_BASED_MWAIT_EXITING |			\
				 CPU_BASED_RDPMC_EXITING |			\
				 CPU_BASED_CR8_LOAD_EXITING |			\
				 CPU_BASED_CR8_STORE_EXITING |			\
				 CPU_BASED_NMI_WINDOW_EXITING |			\
				 CPU_BASED_MOV_DR_EXITING |			\
				 CPU_BASED_UNCOND_IO_EXITING |			\
				 CPU_BASED_USE_MSR_BITMAPS |			\
				 CPU_BASED_MONITOR_EXITING |			\
				 CPU_BASED_ACTIVATE_SECONDARY_CONTROLS)
#define PROC_OPTIONAL		CPU_BASED_TPR_SHADOW
/* Must be allowed to be 0: with EPT these would be exits for nothing. */
#define PROC_FORBIDDEN		(CPU_BASED_INVLPG_EXITING |			\
				 CPU_BASED_RDTSC_EXITING |			\
				 CPU_BASED_CR3_LOAD_EXITING |			\
				 CPU_BASED_CR3_STORE_EXITING)

#define PROC2_REQUIRED		(SECONDARY_EXEC_ENABLE_EPT |			\
				 SECONDARY_EXEC_UNRESTRICTED_GUEST)
#define PROC2_OPTIONAL		(SECONDARY_EXEC_ENABLE_RDTSCP |			\
				 SECONDARY_EXEC_ENABLE_VPID |			\
				 SECONDARY_EXEC_WBINVD_EXITING |		\
				 SECONDARY_EXEC_ENABLE_INVPCID |		\
				 SECONDARY_EXEC_ENCLS_EXITING |			\
				 SECONDARY_EXEC_TSC_SCALING |			\
				 SECONDARY_EXEC_ENABLE_PML |			\
				 SECONDARY_EXEC_DESC |				\
				 SECONDARY_EXEC_RDRAND_EXITING |		\
				 SECONDARY_EXEC_RDSEED_EXITING |		\
				 SECONDARY_EXEC_XSAVES |			\
				 SECONDARY_EXEC_PAUSE_LOOP_EXITING |		\
				 SECONDARY_EXEC_APIC_CONTROLS)
#define PROC2_FORBIDDEN		0

#define VMEXIT_REQUIRED		(VM_EXIT_SAVE_DEBUG_CONTROLS |			\
				 VM_EXIT_HOST_ADDR_SPACE_SIZE |			\
				 VM_EXIT_LOAD_IA32_PAT |			\
				 VM_EXIT_LOAD_IA32_EFER)
#define VMEXIT_OPTIONAL		0
#define VMEXIT_FORBIDDEN	(VM_EXIT_ACK_INTR_ON_EXIT |			\
				 VM_EXIT_SAVE_VMX_PREEMPTION_TIMER)

#define VMENTRY_REQUIRED	(VM_ENTRY_LOAD_DEBUG_CONTROLS |			\
				 VM_ENTRY_IA32E_MODE |				\
				 VM_ENTRY_LOAD_IA32_PAT |			\
				 VM_ENTRY_LOAD_IA32_EFER)
#define VMENTRY_OPTIONAL	0
#define VMENTRY_FORBIDDEN	(VM_ENTRY_SMM | VM_ENTRY_DEACT_DUAL_MONITOR)

/**
 * struct vmx_caps - this machine's VMX, read once at load
 * @pin: @proc: @proc2: @exit: @entry: per control word: what may be set, which
 *	includes what must be
 * @pin_fixed: and likewise: what must be set
 * @revision: VMCS revision identifier
 * @ept: @vpid: the halves of IA32_VMX_EPT_VPID_CAP
 * @misc: IA32_VMX_MISC
 * @cr0_fixed0: bits that must be 1 in CR0, unrestricted guest considered
 * @cr0_fixed1: bits that may be 1 in CR0
 * @cr4_fixed0: @cr4_fixed1: the same of CR4
 */
struct vmx_caps {
	u32 pin, proc, proc2, exit, entry;
	u32 pin_fixed, proc_fixed, proc2_fixed, exit_fixed, entry_fixed;
	u32 revision;
	u32 ept, vpid;
	u64 misc;
	u64 cr0_fixed0, cr0_fixed1;
	u64 cr4_fixed0, cr4_fixed1;
};

extern struct vmx_caps vmx_caps;

int vmx_caps_setup(void);
int vmx_caps_check_cpu(void);

u32 vmx_ple_caps(u32 proc2);			/* ple.c: those of use */
u32 vmx_apicv_caps(u32 proc, u32 proc2);	/* apicv.c: those of use */

static inline bool vmx_has_vpid(void)
{
	return vmx_caps.proc2 & SECONDARY_EXEC_ENABLE_VPID;
}

/* The dirty bit is what is logged. */
static inline bool vmx_has_pml(void)
{
	return vmx_caps.proc2 & SECONDARY_EXEC_ENABLE_PML && vmx_caps.ept & VMX_EPT_AD_BIT;
}

/* UMIP on a CPU without it: while the guest has it on, what it forbids exits. */
static inline bool vmx_emulates_umip(void)
{
	return !boot_cpu_has(X86_FEATURE_UMIP) && (vmx_caps.proc2 & SECONDARY_EXEC_DESC);
}

static inline bool vmx_has_preemption_timer(void)
{
	return vmx_caps.pin & PIN_BASED_VMX_PREEMPTION_TIMER;
}

static inline bool vmx_has_ept_ad(void)
{
	return vmx_caps.ept & VMX_EPT_AD_BIT;
}

#endif
