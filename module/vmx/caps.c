// SPDX-License-Identifier: GPL-2.0
/*
 * Reads the VMX capability MSRs, decides which controls the module uses, and
 * refuses a CPU that lacks one it cannot do without, by name.
 *
 * Source: Intel SDM vol. 3D (December 2023), "VMX Capability Reporting
 * Facility".
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/bitfield.h>
#include <linux/kernel.h>
#include <linux/mm.h>
#include <asm/cpufeature.h>
#include <asm/msr.h>

#include "caps.h"

struct vmx_caps vmx_caps __ro_after_init;

struct bit_name {
	u32 bit;
	const char *name;
};

/* Names of everything required or forbidden, as the SDM spells them. */
static const struct bit_name pin_names[] = {
	{ PIN_BASED_EXT_INTR_MASK,		"external-interrupt exiting" },
	{ PIN_BASED_NMI_EXITING,		"NMI exiting" },
	{ PIN_BASED_VIRTUAL_NMIS,		"virtual NMIs" },
	{ }
};

static const struct bit_name proc_names[] = {
	{ CPU_BASED_INTR_WINDOW_EXITING,	"interrupt-window exiting" },
	{ CPU_BASED_USE_TSC_OFFSETTING,		"use TSC offsetting" },
	{ CPU_BASED_HLT_EXITING,		"HLT exiting" },
	{ CPU_BASED_INVLPG_EXITING,		"no INVLPG exiting" },
	{ CPU_BASED_MWAIT_EXITING,		"MWAIT exiting" },
	{ CPU_BASED_RDPMC_EXITING,		"RDPMC exiting" },
	{ CPU_BASED_RDTSC_EXITING,		"no RDTSC exiting" },
	{ CPU_BASED_CR3_LOAD_EXITING,		"no CR3-load exiting" },
	{ CPU_BASED_CR3_STORE_EXITING,		"no CR3-store exiting" },
	{ CPU_BASED_CR8_LOAD_EXITING,		"CR8-load exiting" },
	{ CPU_BASED_CR8_STORE_EXITING,		"CR8-store exiting" },
	{ CPU_BASED_NMI_WINDOW_EXITING,		"NMI-window exiting" },
	{ CPU_BASED_MOV_DR_EXITING,		"MOV-DR exiting" },
	{ CPU_BASED_UNCOND_IO_EXITING,		"unconditional I/O exiting" },
	{ CPU_BASED_USE_MSR_BITMAPS,		"use MSR bitmaps" },
	{ CPU_BASED_MONITOR_EXITING,		"MONITOR exiting" },
	{ CPU_BASED_ACTIVATE_SECONDARY_CONTROLS, "activate secondary controls" },
	{ }
};

static const struct bit_name proc2_names[] = {
	{ SECONDARY_EXEC_ENABLE_EPT,		"enable EPT" },
	{ SECONDARY_EXEC_UNRESTRICTED_GUEST,	"unrestricted guest" },
	{ }
};

static const struct bit_name exit_names[] = {
	{ VM_EXIT_SAVE_DEBUG_CONTROLS,		"save debug controls" },
	{ VM_EXIT_HOST_ADDR_SPACE_SIZE,		"host address-space size" },
	{ VM_EXIT_ACK_INTR_ON_EXIT,		"no acknowledge interrupt on exit" },
	{ VM_EXIT_LOAD_IA32_PAT,		"load IA32_PAT" },
	{ VM_EXIT_LOAD_IA32_EFER,		"load IA32_EFER" },
	{ VM_EXIT_SAVE_VMX_PREEMPTION_TIMER,	"no save VMX-preemption timer" },
	{ }
};

static const struct bit_name entry_names[] = {
	{ VM_ENTRY_LOAD_DEBUG_CONTROLS,		"load debug controls" },
	{ VM_ENTRY_IA32E_MODE,			"IA-32e mode guest" },
	{ VM_ENTRY_SMM,				"no entry to SMM" },
	{ VM_ENTRY_DEACT_DUAL_MONITOR,		"no deactivate dual-monitor treatment" },
	{ VM_ENTRY_LOAD_IA32_PAT,		"load IA32_PAT" },
	{ VM_ENTRY_LOAD_IA32_EFER,		"load IA32_EFER" },
	{ }
};

/**
 * struct control_word - one 32-bit word of controls
 * @title: the SDM's name for it
 * @msr_name: what to call its capability MSR in a message
 * @msr: that MSR
 * @true_msr: the one that knows more where it exists, 0 if none
 * @required: bits that must be settable
 * @optional: bits that are set if possible
 * @forbidden: bits that must be clearable
 * @allowed: where in struct vmx_caps the usable bits go
 * @fixed: where the bits that cannot be 0 go
 * @names: of the bits above
 */
struct control_word {
	const char *title;
	const char *msr_name;
	u32 msr, true_msr;
	u32 required, optional, forbidden;
	size_t allowed, fixed;
	const struct bit_name *names;
};

#define CONTROL_WORD(field, SET, MSR, TRUE_MSR, what) {				\
	.title		= what,							\
	.msr_name	= #MSR,							\
	.msr		= MSR_##MSR,						\
	.true_msr	= TRUE_MSR,						\
	.required	= SET##_REQUIRED,					\
	.optional	= SET##_OPTIONAL,					\
	.forbidden	= SET##_FORBIDDEN,					\
	.allowed	= offsetof(struct vmx_caps, field),			\
	.fixed		= offsetof(struct vmx_caps, field##_fixed),		\
	.names		= field##_names,					\
}

/* The primary controls come before the secondary ones they switch on. */
static const struct control_word control_words[] = {
	CONTROL_WORD(pin, PIN, IA32_VMX_PINBASED_CTLS,
		     MSR_IA32_VMX_TRUE_PINBASED_CTLS, "pin-based control"),
	CONTROL_WORD(proc, PROC, IA32_VMX_PROCBASED_CTLS,
		     MSR_IA32_VMX_TRUE_PROCBASED_CTLS, "primary processor-based control"),
	CONTROL_WORD(proc2, PROC2, IA32_VMX_PROCBASED_CTLS2,
		     0, "secondary processor-based control"),
	CONTROL_WORD(exit, VMEXIT, IA32_VMX_EXIT_CTLS,
		     MSR_IA32_VMX_TRUE_EXIT_CTLS, "VM-exit control"),
	CONTROL_WORD(entry, VMENTRY, IA32_VMX_ENTRY_CTLS,
		     MSR_IA32_VMX_TRUE_ENTRY_CTLS, "VM-entry control"),
};

static void name_missing(const struct control_word *w, u32 missing)
{
	const struct bit_name *n;

	for (n = w->names; n->bit; n++)
		if (missing & n->bit)
			pr_err("this CPU lacks the %s \"%s\" (MSR %s, bit %d)\n",
			       w->title, n->name, w->msr_name, ffs(n->bit) - 1);
}

/* SDM: "VMX Capability Reporting Facility". */
static int read_control_word(struct vmx_caps *caps, const struct control_word *w, bool true_ctls)
{
	u32 must, may, missing, ctl;

	rdmsr(true_ctls && w->true_msr ? w->true_msr : w->msr, must, may);

	missing = (w->required & ~may) | (w->forbidden & must);
	if (missing) {
		name_missing(w, missing);
		return -EOPNOTSUPP;
	}
	ctl = ((w->required | w->optional) & may) | must;
	*(u32 *)((void *)caps + w->allowed) = ctl;
	*(u32 *)((void *)caps + w->fixed) = must;
	return 0;
}

static const struct bit_name ept_names[] = {
	{ VMX_EPT_PAGE_WALK_4_BIT,	"EPT page walks of length 4" },
	{ VMX_EPTP_WB_BIT,		"write-back EPT paging structures" },
	{ VMX_EPT_INVEPT_BIT,		"INVEPT" },
	{ VMX_EPT_EXTENT_GLOBAL_BIT,	"all-context INVEPT" },
	{ }
};

/* SDM: "VMX Capability Reporting Facility". */
static int read_ept_caps(struct vmx_caps *caps)
{
	const struct bit_name *n;
	int err = 0;

	rdmsr(MSR_IA32_VMX_EPT_VPID_CAP, caps->ept, caps->vpid);
	for (n = ept_names; n->bit; n++) {
		if (caps->ept & n->bit)
			continue;
		pr_err("this CPU lacks %s (MSR IA32_VMX_EPT_VPID_CAP, bit %d)\n",
		       n->name, ffs(n->bit) - 1);
		err = -EOPNOTSUPP;
	}

	/* A VPID is of use only to those who can flush it. */
	if (!(caps->vpid & VMX_VPID_INVVPID_BIT) ||
	    !(caps->vpid & VMX_VPID_EXTENT_GLOBAL_CONTEXT_BIT))
		caps->proc2 &= ~SECONDARY_EXEC_ENABLE_VPID;
	return err;
}

/* IA32_VMX_BASIC: the memory type that VMCS accesses want. */
#define BASIC_MEM_TYPE		GENMASK_ULL(53, 50)
#define BASIC_MEM_TYPE_WB	6

/* SDM: "VMX Capability Reporting Facility". */
static int read_basic(struct vmx_caps *caps, u64 *basic)
{
	rdmsrl(MSR_IA32_VMX_BASIC, *basic);
	caps->revision = vmx_basic_vmcs_revision_id(*basic);

	if (vmx_basic_vmcs_size(*basic) > PAGE_SIZE) {
		pr_err("this CPU's VMCS takes %u bytes, more than a page (MSR IA32_VMX_BASIC)\n",
		       vmx_basic_vmcs_size(*basic));
		return -EOPNOTSUPP;
	}
	if (FIELD_GET(BASIC_MEM_TYPE, *basic) != BASIC_MEM_TYPE_WB) {
		pr_err("this CPU's VMCS is not write-back memory (MSR IA32_VMX_BASIC)\n");
		return -EOPNOTSUPP;
	}
	return 0;
}

static int read_caps(struct vmx_caps *caps)
{
	u64 basic;
	int i, err;

	memset(caps, 0, sizeof(*caps));
	err = read_basic(caps, &basic);
	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(control_words); i++) {
		err = read_control_word(caps, &control_words[i], basic & VMX_BASIC_TRUE_CTLS);
		if (err)
			return err;
	}
	err = read_ept_caps(caps);
	if (err)
		return err;

	caps->proc2 = vmx_apicv_caps(caps->proc, vmx_ple_caps(caps->proc2));
	/* ENCLS exists only with SGX, and so does its bitmap's meaning. */
	if (!(cpuid_ebx(7) & BIT(2)))
		caps->proc2 &= ~SECONDARY_EXEC_ENCLS_EXITING;

	rdmsrl(MSR_IA32_VMX_MISC, caps->misc);
	rdmsrl(MSR_IA32_VMX_CR0_FIXED0, caps->cr0_fixed0);
	rdmsrl(MSR_IA32_VMX_CR0_FIXED1, caps->cr0_fixed1);
	rdmsrl(MSR_IA32_VMX_CR4_FIXED0, caps->cr4_fixed0);
	rdmsrl(MSR_IA32_VMX_CR4_FIXED1, caps->cr4_fixed1);
	/* An unrestricted guest may switch these two off. */
	caps->cr0_fixed0 &= ~(u64)(X86_CR0_PE | X86_CR0_PG);
	return 0;
}

static const char *apicv_report(const struct vmx_caps *caps, u32 may2)
{
	if (caps->proc2 & SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY)
		return caps->proc2 & SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE ?
		       ", virtual-interrupt delivery" : ", virtual-interrupt delivery (xAPIC)";
	if (caps->proc2 & SECONDARY_EXEC_APIC_CONTROLS)
		return ", APIC accesses";
	return may2 & SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY ?
	       ", virtual-interrupt delivery (unused)" : "";
}

static void report(const struct vmx_caps *caps)
{
	u64 proc2, pin;
	u32 may2, may_pin;

	/* Bits 63:32 are the controls that may be set, used here or not. */
	rdmsrl(MSR_IA32_VMX_PROCBASED_CTLS2, proc2);
	rdmsrl(MSR_IA32_VMX_PINBASED_CTLS, pin);
	may2 = proc2 >> 32;
	may_pin = pin >> 32;
	pr_info("VMX: EPT 4-level%s%s%s, unrestricted guest%s%s%s%s%s%s%s%s%s\n",
		caps->ept & VMX_EPT_2MB_PAGE_BIT ? ", 2M" : "",
		caps->ept & VMX_EPT_1GB_PAGE_BIT ? ", 1G" : "",
		caps->ept & VMX_EPT_AD_BIT ? ", A/D" : "",
		caps->proc2 & SECONDARY_EXEC_ENABLE_VPID ? ", VPID" : "",
		caps->proc2 & SECONDARY_EXEC_ENABLE_INVPCID ? ", INVPCID" : "",
		caps->pin & PIN_BASED_VMX_PREEMPTION_TIMER ? ", preemption timer" : "",
		caps->proc & CPU_BASED_TPR_SHADOW ? ", TPR shadow" : "",
		caps->proc2 & SECONDARY_EXEC_PAUSE_LOOP_EXITING ? ", PAUSE-loop exiting" : "",
		apicv_report(caps, may2),
		may_pin & PIN_BASED_POSTED_INTR ? ", posted interrupts (unused)" : "",
		may2 & SECONDARY_EXEC_ENABLE_PML ? ", PML" : "",
		caps->proc2 & SECONDARY_EXEC_TSC_SCALING ? ", TSC scaling" : "");
}

/**
 * vmx_caps_setup - may the module run on this machine
 *
 * Fills in vmx_caps from the CPU it runs on and prints one line of what was
 * found, or one line per thing that is missing.
 *
 * Return: 0; -EOPNOTSUPP without VMX, with VMX disabled by the firmware, or
 * without a required control (all named in the log).
 * SDM: "Discovering Support for VMX".
 */
int vmx_caps_setup(void)
{
	u64 feat_ctl;
	int err;

	if (!(cpuid_ecx(1) & BIT(5))) {
		pr_err("this CPU has no VMX (CPUID.1:ECX bit 5 is clear)\n");
		return -EOPNOTSUPP;
	}
	if (rdmsrl_safe(MSR_IA32_FEAT_CTL, &feat_ctl)) {
		pr_err("this CPU has no IA32_FEATURE_CONTROL MSR: VMX cannot be switched on\n");
		return -EOPNOTSUPP;
	}
	if ((feat_ctl & FEAT_CTL_LOCKED) && !(feat_ctl & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX)) {
		pr_err("VMX is disabled by the firmware (IA32_FEATURE_CONTROL is 0x%llx, locked): enable it in the firmware's setup\n",
		       feat_ctl);
		return -EOPNOTSUPP;
	}
	err = read_caps(&vmx_caps);
	if (!err)
		report(&vmx_caps);
	return err;
}

/**
 * vmx_caps_check_cpu - does this CPU match the one the module was loaded on
 *
 * Context: any, on the CPU in question.
 * Return: 0, or -EIO when VMX works differently here.
 */
int vmx_caps_check_cpu(void)
{
	struct vmx_caps here;

	if (!read_caps(&here) && !memcmp(&here, &vmx_caps, sizeof(here)))
		return 0;
	pr_err("CPU %d reports other VMX capabilities than the others: not used\n",
	       raw_smp_processor_id());
	return -EIO;
}
