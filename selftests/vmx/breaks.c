// SPDX-License-Identifier: GPL-2.0
/*
 * For each rule of the VM-entry checker the change that breaks it and nothing else.
 */
#include "../../module/vmx/check_impl.h"
#include "image.h"

#define F(id)			VMCS_F_##id
#define SET(id, bits)		{ F(id), EDIT_SET, bits }
#define CLEAR(id, bits)		{ F(id), EDIT_CLEAR, bits }
#define PUT(id, value)		{ F(id), EDIT_PUT, value }
#define DATA(id, offset)	{ F(id), EDIT_PUT_DATA, offset }
#define SHADOW(id)		{ F(id), EDIT_PUT_SHADOW, 0 }
#define NOT_REQUIRED(id, cap)	{ F(id), EDIT_CLEAR_REQUIRED, cap }
#define FORBIDDEN(id, cap)	{ F(id), EDIT_SET_FORBIDDEN, cap }
#define BREAK(rule, base, ...)	{ rule, BASE_##base, { __VA_ARGS__ } }

/* Beyond any physical-address width; as a linear address, not canonical. */
#define TOO_HIGH		BIT_ULL(62)
#define UNALIGNED		0x808

#define SET_PIN(bits)		SET(PIN_BASED_VM_EXEC_CONTROL, bits)
#define CLEAR_PIN(bits)		CLEAR(PIN_BASED_VM_EXEC_CONTROL, bits)
#define SET_PROC(bits)		SET(CPU_BASED_VM_EXEC_CONTROL, bits)
#define SET_PROC2(bits)		SET(SECONDARY_VM_EXEC_CONTROL, bits)
#define NO_EPT			CLEAR(SECONDARY_VM_EXEC_CONTROL, PROC2_EPT)
#define TPR_SHADOW		SET_PROC(PROC_TPR_SHADOW), DATA(VIRTUAL_APIC_PAGE_ADDR, 0)
#define POSTING			SET_PIN(PIN_POSTED_INTERRUPTS), TPR_SHADOW,	\
				SET_PROC2(PROC2_INTR_DELIVERY)
#define ACKNOWLEDGE		SET(VM_EXIT_CONTROLS, EXIT_ACK_INTERRUPT)
#define INJECT(info)		PUT(VM_ENTRY_INTR_INFO, INTR_VALID | (info))
#define EXCEPTION		(INTR_HARDWARE_EXCEPTION << 8)
#define NMI			((INTR_NMI << 8) | 2)
#define INTERRUPTS_ON		SET(GUEST_RFLAGS, CHECK_RFLAGS_IF)

#define HOST_SELECTOR(reg, REG, bits)						\
	BREAK("host-" reg "-selector", LONG, SET(HOST_##REG##_SELECTOR, bits))
#define HOST_BASE(reg, REG)							\
	BREAK("host-" reg "-base", LONG, PUT(HOST_##REG##_BASE, TOO_HIGH))

#define V8086(reg, REG)								\
	BREAK("guest-" reg "-base-v8086", V8086, PUT(GUEST_##REG##_BASE, 16)),	\
	BREAK("guest-" reg "-limit-v8086", V8086, PUT(GUEST_##REG##_LIMIT, 0xfffe)), \
	BREAK("guest-" reg "-rights-v8086", V8086, PUT(GUEST_##REG##_AR, 0xf7))
#define RIGHTS(reg, REG)							\
	BREAK("guest-" reg "-present", LONG, CLEAR(GUEST_##REG##_AR, SEG_AR_P)),	\
	BREAK("guest-" reg "-reserved", LONG, SET(GUEST_##REG##_AR, BIT(8)))
#define SEGMENT(reg, REG)							\
	BREAK("guest-" reg "-segment", LONG, CLEAR(GUEST_##REG##_AR, SEG_AR_S)),	\
	RIGHTS(reg, REG),							\
	BREAK("guest-" reg "-granularity", LONG, PUT(GUEST_##REG##_LIMIT, 0xffffff00))
#define DATA_SEGMENT(reg, REG)							\
	BREAK("guest-" reg "-type", LONG, CLEAR(GUEST_##REG##_AR, 1)),		\
	BREAK("guest-" reg "-dpl", LONG, SET(GUEST_##REG##_SELECTOR, 3)),	\
	SEGMENT(reg, REG)
#define SYSTEM_SEGMENT(reg, REG)						\
	BREAK("guest-" reg "-system", LONG, SET(GUEST_##REG##_AR, SEG_AR_S)),	\
	RIGHTS(reg, REG),							\
	BREAK("guest-" reg "-granularity", LONG, SET(GUEST_##REG##_LIMIT, BIT(20)))
#define BASE(reg, REG, value)							\
	BREAK("guest-" reg "-base", LONG, PUT(GUEST_##REG##_BASE, value))

const struct rule_break rule_breaks[] = {
	/* VM-execution controls */
	BREAK("pin-required", LONG, NOT_REQUIRED(PIN_BASED_VM_EXEC_CONTROL, CAP_PIN)),
	BREAK("pin-allowed", LONG, FORBIDDEN(PIN_BASED_VM_EXEC_CONTROL, CAP_PIN)),
	BREAK("proc-required", LONG, NOT_REQUIRED(CPU_BASED_VM_EXEC_CONTROL, CAP_PROC)),
	BREAK("proc-allowed", LONG, FORBIDDEN(CPU_BASED_VM_EXEC_CONTROL, CAP_PROC)),
	BREAK("proc2-allowed", LONG, FORBIDDEN(SECONDARY_VM_EXEC_CONTROL, CAP_PROC2)),
	BREAK("cr3-target-count", LONG, PUT(CR3_TARGET_COUNT, 0x200)),
	BREAK("io-bitmap-a", LONG, SET_PROC(PROC_IO_BITMAPS), PUT(IO_BITMAP_A, UNALIGNED),
	      DATA(IO_BITMAP_B, 0)),
	BREAK("io-bitmap-b", LONG, SET_PROC(PROC_IO_BITMAPS), DATA(IO_BITMAP_A, 0),
	      PUT(IO_BITMAP_B, TOO_HIGH)),
	BREAK("msr-bitmap", LONG, SET_PROC(PROC_MSR_BITMAPS), PUT(MSR_BITMAP, UNALIGNED)),
	BREAK("virtual-apic-page", LONG, TPR_SHADOW, PUT(VIRTUAL_APIC_PAGE_ADDR, TOO_HIGH)),
	BREAK("tpr-threshold-bits", LONG, TPR_SHADOW, PUT(TPR_THRESHOLD, 0x10)),
	BREAK("tpr-threshold-vtpr", LONG, TPR_SHADOW, PUT(TPR_THRESHOLD, 3)),
	BREAK("tpr-shadow-needed", LONG, SET_PROC2(PROC2_X2APIC)),
	BREAK("virtual-nmis", LONG, CLEAR_PIN(PIN_NMI)),
	BREAK("nmi-window", LONG, CLEAR_PIN(PIN_VIRTUAL_NMIS), SET_PROC(PROC_NMI_WINDOW)),
	BREAK("apic-access-page", LONG, SET_PROC2(PROC2_APIC_ACCESSES),
	      PUT(APIC_ACCESS_ADDR, UNALIGNED)),
	BREAK("x2apic-or-accesses", LONG, TPR_SHADOW, PUT(TPR_THRESHOLD, 0),
	      SET_PROC2(PROC2_X2APIC | PROC2_APIC_ACCESSES), DATA(APIC_ACCESS_ADDR, 0)),
	BREAK("delivery-needs-exits", LONG, TPR_SHADOW, SET_PROC2(PROC2_INTR_DELIVERY),
	      CLEAR_PIN(PIN_EXT_INT)),
	BREAK("posted-delivery", LONG, SET_PIN(PIN_POSTED_INTERRUPTS), ACKNOWLEDGE,
	      PUT(POSTED_INTR_NV, 0xf2), DATA(POSTED_INTR_DESC_ADDR, 0)),
	BREAK("posted-acknowledge", LONG, POSTING, PUT(POSTED_INTR_NV, 0xf2),
	      DATA(POSTED_INTR_DESC_ADDR, 0)),
	BREAK("posted-vector", LONG, POSTING, ACKNOWLEDGE, PUT(POSTED_INTR_NV, 0x1f2),
	      DATA(POSTED_INTR_DESC_ADDR, 0)),
	BREAK("posted-descriptor", LONG, POSTING, ACKNOWLEDGE, PUT(POSTED_INTR_NV, 0xf2),
	      PUT(POSTED_INTR_DESC_ADDR, UNALIGNED)),
	BREAK("vpid", LONG, SET_PROC2(PROC2_VPID), PUT(VIRTUAL_PROCESSOR_ID, 0)),
	BREAK("eptp-memory-type", LONG, CLEAR(EPT_POINTER, 7), SET(EPT_POINTER, 1)),
	BREAK("eptp-walk-length", LONG, SET(EPT_POINTER, 7 << 3)),
	BREAK("eptp-accessed-dirty", LONG, SET(EPT_POINTER, BIT(6))),
	BREAK("eptp-reserved", LONG, SET(EPT_POINTER, TOO_HIGH)),
	BREAK("pml-needs-ept", LONG, NO_EPT, SET_PROC2(PROC2_PML), DATA(PML_ADDRESS, 0)),
	BREAK("pml-page", LONG, SET_PROC2(PROC2_PML), PUT(PML_ADDRESS, UNALIGNED)),
	BREAK("unrestricted-needs-ept", LONG, NO_EPT, SET_PROC2(PROC2_UNRESTRICTED)),
	BREAK("mode-based-needs-ept", LONG, NO_EPT, SET_PROC2(PROC2_MODE_BASED_EPT)),
	BREAK("vm-functions", LONG, SET_PROC2(PROC2_VMFUNC), PUT(VM_FUNCTION_CONTROL, BIT_ULL(63))),
	BREAK("eptp-switching-needs-ept", LONG, NO_EPT, SET_PROC2(PROC2_VMFUNC),
	      PUT(VM_FUNCTION_CONTROL, 1), DATA(EPTP_LIST_ADDRESS, 0)),
	BREAK("eptp-list", LONG, SET_PROC2(PROC2_VMFUNC), PUT(VM_FUNCTION_CONTROL, 1),
	      PUT(EPTP_LIST_ADDRESS, UNALIGNED)),
	BREAK("vmread-bitmap", LONG, SET_PROC2(PROC2_SHADOW_VMCS), PUT(VMREAD_BITMAP, UNALIGNED),
	      DATA(VMWRITE_BITMAP, 0)),
	BREAK("vmwrite-bitmap", LONG, SET_PROC2(PROC2_SHADOW_VMCS), DATA(VMREAD_BITMAP, 0),
	      PUT(VMWRITE_BITMAP, TOO_HIGH)),
	BREAK("ve-information", LONG, SET_PROC2(PROC2_VE),
	      PUT(VIRT_EXCEPTION_INFO_ADDR, UNALIGNED)),
	BREAK("tsc-multiplier", LONG, SET_PROC2(PROC2_TSC_SCALING), PUT(TSC_MULTIPLIER, 0)),

	/* VM-exit controls */
	BREAK("exit-required", LONG, NOT_REQUIRED(VM_EXIT_CONTROLS, CAP_EXIT)),
	BREAK("exit-allowed", LONG, FORBIDDEN(VM_EXIT_CONTROLS, CAP_EXIT)),
	BREAK("exit-save-timer", LONG, CLEAR_PIN(PIN_PREEMPTION_TIMER),
	      SET(VM_EXIT_CONTROLS, EXIT_SAVE_TIMER)),
	BREAK("exit-msr-store-address", LONG, PUT(VM_EXIT_MSR_STORE_COUNT, 1),
	      DATA(VM_EXIT_MSR_STORE_ADDR, 8)),
	BREAK("exit-msr-load-address", LONG, PUT(VM_EXIT_MSR_LOAD_COUNT, 1),
	      PUT(VM_EXIT_MSR_LOAD_ADDR, TOO_HIGH)),

	/* VM-entry controls */
	BREAK("entry-required", LONG, NOT_REQUIRED(VM_ENTRY_CONTROLS, CAP_ENTRY)),
	BREAK("entry-allowed", LONG, FORBIDDEN(VM_ENTRY_CONTROLS, CAP_ENTRY)),
	BREAK("injection-type", LONG, INJECT(INTR_RESERVED << 8)),
	BREAK("injection-vector", LONG, INJECT((INTR_NMI << 8) | 3)),
	BREAK("injection-error-code-wanted", LONG, INJECT(EXCEPTION | 13)),
	BREAK("injection-error-code-unwanted", LONG, INJECT(EXCEPTION | INTR_ERROR_CODE | 6)),
	BREAK("injection-reserved", LONG, INJECT(EXCEPTION | BIT(12) | 6)),
	BREAK("injection-error-code-bits", LONG, INJECT(EXCEPTION | INTR_ERROR_CODE | 13),
	      PUT(VM_ENTRY_EXCEPTION_ERROR_CODE, 0x10000)),
	BREAK("injection-instruction-length", LONG, INJECT((INTR_SOFTWARE << 8) | 0x80),
	      PUT(VM_ENTRY_INSTRUCTION_LEN, 16)),
	BREAK("entry-msr-load-address", LONG, PUT(VM_ENTRY_MSR_LOAD_COUNT, 1),
	      PUT(VM_ENTRY_MSR_LOAD_ADDR, TOO_HIGH)),
	BREAK("entry-to-smm", LONG, SET(VM_ENTRY_CONTROLS, ENTRY_SMM)),
	BREAK("entry-dual-monitor", LONG, SET(VM_ENTRY_CONTROLS, ENTRY_DUAL_MONITOR)),

	/* host state */
	BREAK("host-cr0", LONG, CLEAR(HOST_CR0, BIT(5) /* NE */)),
	BREAK("host-cr4", LONG, CLEAR(HOST_CR4, BIT(13) /* VMXE */)),
	BREAK("host-cr3", LONG, SET(HOST_CR3, TOO_HIGH)),
	BREAK("host-sysenter-esp", LONG, PUT(HOST_SYSENTER_ESP, TOO_HIGH)),
	BREAK("host-sysenter-eip", LONG, PUT(HOST_SYSENTER_EIP, TOO_HIGH)),
	BREAK("host-pat", LONG, PUT(HOST_IA32_PAT, 2)),
	BREAK("host-efer-reserved", LONG, SET(HOST_IA32_EFER, BIT(9))),
	BREAK("host-efer-mode", LONG, CLEAR(HOST_IA32_EFER, CHECK_EFER_LME)),
	HOST_SELECTOR("es", ES, 3),
	HOST_SELECTOR("cs", CS, 4),
	HOST_SELECTOR("ss", SS, 3),
	HOST_SELECTOR("ds", DS, 4),
	HOST_SELECTOR("fs", FS, 1),
	HOST_SELECTOR("gs", GS, 2),
	HOST_SELECTOR("tr", TR, 4),
	BREAK("host-cs-null", LONG, PUT(HOST_CS_SELECTOR, 0)),
	BREAK("host-tr-null", LONG, PUT(HOST_TR_SELECTOR, 0)),
	HOST_BASE("fs", FS),
	HOST_BASE("gs", GS),
	HOST_BASE("gdtr", GDTR),
	HOST_BASE("idtr", IDTR),
	HOST_BASE("tr", TR),
	BREAK("host-address-space-size", PAE, CLEAR(VM_EXIT_CONTROLS, EXIT_HOST_64),
	      CLEAR(HOST_IA32_EFER, CHECK_EFER_LMA | CHECK_EFER_LME)),
	BREAK("host-cr4-pae", LONG, CLEAR(HOST_CR4, CHECK_CR4_PAE)),
	BREAK("host-rip", LONG, PUT(HOST_RIP, TOO_HIGH)),

	/* guest control registers, debug registers and MSRs */
	BREAK("guest-cr0", LONG, CLEAR(GUEST_CR0, BIT(5) /* NE */)),
	BREAK("guest-paging-needs-protection", REAL, SET(GUEST_CR0, CHECK_CR0_PG)),
	BREAK("guest-cr4", LONG, CLEAR(GUEST_CR4, BIT(13) /* VMXE */)),
	BREAK("guest-debugctl", LONG, SET(GUEST_IA32_DEBUGCTL, BIT_ULL(32))),
	BREAK("guest-ia32e-paging", LONG_UNRESTRICTED, CLEAR(GUEST_CR0, CHECK_CR0_PG)),
	BREAK("guest-ia32e-pae", LONG, CLEAR(GUEST_CR4, CHECK_CR4_PAE)),
	BREAK("guest-pcide", PAE, SET(GUEST_CR4, CHECK_CR4_PCIDE)),
	BREAK("guest-cr3", LONG, SET(GUEST_CR3, TOO_HIGH)),
	BREAK("guest-dr7", LONG, SET(GUEST_DR7, BIT_ULL(32))),
	BREAK("guest-sysenter-esp", LONG, PUT(GUEST_SYSENTER_ESP, TOO_HIGH)),
	BREAK("guest-sysenter-eip", LONG, PUT(GUEST_SYSENTER_EIP, TOO_HIGH)),
	BREAK("guest-pat", LONG, PUT(GUEST_IA32_PAT, 3)),
	BREAK("guest-efer-reserved", LONG, SET(GUEST_IA32_EFER, BIT(9))),
	BREAK("guest-efer-lma", LONG, CLEAR(GUEST_IA32_EFER, CHECK_EFER_LMA | CHECK_EFER_LME)),
	BREAK("guest-efer-lme", PAE, SET(GUEST_IA32_EFER, CHECK_EFER_LME)),

	/* guest segment registers */
	BREAK("guest-tr-table", LONG, SET(GUEST_TR_SELECTOR, 4)),
	BREAK("guest-ldtr-table", LONG, SET(GUEST_LDTR_SELECTOR, 4)),
	BREAK("guest-ss-rpl", LONG, SET(GUEST_CS_SELECTOR, 3)),
	V8086("cs", CS),
	V8086("ss", SS),
	V8086("ds", DS),
	V8086("es", ES),
	V8086("fs", FS),
	V8086("gs", GS),
	BASE("tr", TR, TOO_HIGH),
	BASE("fs", FS, TOO_HIGH),
	BASE("gs", GS, TOO_HIGH),
	BASE("ldtr", LDTR, TOO_HIGH),
	BASE("cs", CS, BIT_ULL(32)),
	BASE("ss", SS, BIT_ULL(32)),
	BASE("ds", DS, BIT_ULL(32)),
	BASE("es", ES, BIT_ULL(32)),
	BREAK("guest-cs-type", LONG, CLEAR(GUEST_CS_AR, 8)),
	BREAK("guest-cs-dpl-data", REAL, SET(GUEST_CS_AR, 3 << 5)),
	BREAK("guest-cs-dpl-nonconforming", LONG, SET(GUEST_CS_AR, 3 << 5)),
	BREAK("guest-cs-dpl-conforming", LONG, SET(GUEST_CS_AR, (3 << 5) | 4)),
	BREAK("guest-cs-default", LONG, SET(GUEST_CS_AR, SEG_AR_DB)),
	SEGMENT("cs", CS),
	BREAK("guest-ss-type", LONG, CLEAR(GUEST_SS_AR, 2)),
	BREAK("guest-ss-dpl", LONG, SET(GUEST_CS_AR, 4), SET(GUEST_SS_AR, 3 << 5)),
	BREAK("guest-ss-dpl-zero", REAL, SET(GUEST_SS_AR, 3 << 5)),
	SEGMENT("ss", SS),
	DATA_SEGMENT("ds", DS),
	DATA_SEGMENT("es", ES),
	DATA_SEGMENT("fs", FS),
	DATA_SEGMENT("gs", GS),
	BREAK("guest-tr-type", LONG, CLEAR(GUEST_TR_AR, 2)),
	BREAK("guest-tr-usable", LONG, SET(GUEST_TR_AR, SEG_AR_UNUSABLE)),
	SYSTEM_SEGMENT("tr", TR),
	BREAK("guest-ldtr-type", LONG, SET(GUEST_LDTR_AR, 1)),
	SYSTEM_SEGMENT("ldtr", LDTR),

	/* guest descriptor tables, RIP and RFLAGS */
	BREAK("guest-gdtr-base", LONG, PUT(GUEST_GDTR_BASE, TOO_HIGH)),
	BREAK("guest-idtr-base", LONG, PUT(GUEST_IDTR_BASE, TOO_HIGH)),
	BREAK("guest-gdtr-limit", LONG, PUT(GUEST_GDTR_LIMIT, 0x10000)),
	BREAK("guest-idtr-limit", LONG, PUT(GUEST_IDTR_LIMIT, 0x10000)),
	BREAK("guest-rip-high", PAE, SET(GUEST_RIP, BIT_ULL(32))),
	BREAK("guest-rip-width", LONG, PUT(GUEST_RIP, TOO_HIGH)),
	BREAK("guest-rflags", LONG, SET(GUEST_RFLAGS, BIT(3))),
	BREAK("guest-rflags-vm", V8086, SET_PROC2(PROC2_UNRESTRICTED),
	      CLEAR(GUEST_CR0, CHECK_CR0_PE | CHECK_CR0_PG)),
	BREAK("guest-rflags-if", LONG, INJECT(0x20)),

	/* guest non-register state */
	BREAK("activity-known", LONG, PUT(GUEST_ACTIVITY_STATE, 4)),
	BREAK("activity-hlt-privilege", V8086, PUT(GUEST_ACTIVITY_STATE, ACTIVITY_HLT)),
	BREAK("activity-blocking", LONG, PUT(GUEST_ACTIVITY_STATE, ACTIVITY_HLT), INTERRUPTS_ON,
	      PUT(GUEST_INTERRUPTIBILITY, BLOCK_STI)),
	BREAK("activity-injection", LONG, PUT(GUEST_ACTIVITY_STATE, ACTIVITY_HLT),
	      INJECT(EXCEPTION | 6)),
	BREAK("blocking-reserved", LONG, PUT(GUEST_INTERRUPTIBILITY, BIT(5))),
	BREAK("blocking-both", LONG, INTERRUPTS_ON,
	      PUT(GUEST_INTERRUPTIBILITY, BLOCK_STI | BLOCK_MOV_SS)),
	BREAK("blocking-sti", LONG, PUT(GUEST_INTERRUPTIBILITY, BLOCK_STI)),
	BREAK("blocking-interrupt", LONG, INTERRUPTS_ON, INJECT(0x20),
	      PUT(GUEST_INTERRUPTIBILITY, BLOCK_STI)),
	BREAK("blocking-nmi", LONG, INJECT(NMI), PUT(GUEST_INTERRUPTIBILITY, BLOCK_MOV_SS)),
	BREAK("blocking-smi", LONG, PUT(GUEST_INTERRUPTIBILITY, BLOCK_SMI)),
	BREAK("blocking-virtual-nmi", LONG, INJECT(NMI), PUT(GUEST_INTERRUPTIBILITY, BLOCK_NMI)),
	BREAK("pending-debug-reserved", LONG, PUT(GUEST_PENDING_DBG, BIT(4))),
	BREAK("pending-debug-step", LONG, INTERRUPTS_ON, SET(GUEST_RFLAGS, CHECK_RFLAGS_TF),
	      PUT(GUEST_INTERRUPTIBILITY, BLOCK_STI)),
	BREAK("pending-debug-no-step", LONG, INTERRUPTS_ON, PUT(GUEST_PENDING_DBG, BIT(14)),
	      PUT(GUEST_INTERRUPTIBILITY, BLOCK_STI)),
	BREAK("link-pointer-alignment", LONG, DATA(LINK_POINTER, 8)),
	BREAK("link-pointer-width", LONG, PUT(LINK_POINTER, TOO_HIGH)),
	BREAK("link-pointer-revision", LONG, DATA(LINK_POINTER, 0)),
	BREAK("link-pointer-shadow", LONG, SHADOW(LINK_POINTER)),

	/* PDPTEs */
	BREAK("guest-pdpte0", PAE, SET(GUEST_PDPTR0, 2)),
	BREAK("guest-pdpte1", PAE, PUT(GUEST_PDPTR1, 1 | TOO_HIGH)),
	BREAK("guest-pdpte2", PAE, PUT(GUEST_PDPTR2, 1 | BIT(5))),
	BREAK("guest-pdpte3", PAE, PUT(GUEST_PDPTR3, 1 | BIT(8))),

	/* MSRs to load */
	BREAK("msr-load-fs-gs", LONG, PUT(VM_ENTRY_MSR_LOAD_COUNT, 1),
	      DATA(VM_ENTRY_MSR_LOAD_ADDR, 0x100)),
	BREAK("msr-load-x2apic", LONG, PUT(VM_ENTRY_MSR_LOAD_COUNT, 1),
	      DATA(VM_ENTRY_MSR_LOAD_ADDR, 0x110)),
	BREAK("msr-load-smm", LONG, PUT(VM_ENTRY_MSR_LOAD_COUNT, 1),
	      DATA(VM_ENTRY_MSR_LOAD_ADDR, 0x120)),
	BREAK("msr-load-reserved", LONG, PUT(VM_ENTRY_MSR_LOAD_COUNT, 1),
	      DATA(VM_ENTRY_MSR_LOAD_ADDR, 0x130)),
	{ 0 }
};
