/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Owns the list of VMCS fields: the encoding and the name of every one in the
 * manual, in the order of the encodings. The module reads by it, mkvm names by it.
 *
 * Source: Intel SDM vol. 3D (December 2023), appendix "Field Encoding in VMCS".
 */
#ifndef _UAPI_MINIKVM_VMCS_H
#define _UAPI_MINIKVM_VMCS_H

/* An encoding tells the field's area and width. Bit 0 set: the high half of 64 bits. */
#define MINIKVM_VMCS_AREA(encoding)	(((encoding) >> 10) & 3)
#define MINIKVM_VMCS_AREA_CONTROL	0
#define MINIKVM_VMCS_AREA_EXIT		1	/* read-only data */
#define MINIKVM_VMCS_AREA_GUEST		2
#define MINIKVM_VMCS_AREA_HOST		3

#define MINIKVM_VMCS_WIDTH(encoding)	(((encoding) >> 13) & 3)
#define MINIKVM_VMCS_WIDTH_16		0
#define MINIKVM_VMCS_WIDTH_64		1
#define MINIKVM_VMCS_WIDTH_32		2
#define MINIKVM_VMCS_WIDTH_NATURAL	3

/*
 * F(encoding, IDENTIFIER, "name in the manual"): call it with a macro of your own to
 * make what you need of it. Fields of 64 bits stand here once, by their full encoding.
 */
#define MINIKVM_VMCS_FIELDS(F)								\
	/* 16-bit control fields */							\
	F(0x0000, VIRTUAL_PROCESSOR_ID, "virtual-processor identifier (VPID)")		\
	F(0x0002, POSTED_INTR_NV, "posted-interrupt notification vector")		\
	F(0x0004, EPTP_INDEX, "EPTP index")						\
	F(0x0006, HLAT_PREFIX_SIZE, "HLAT prefix size")					\
	F(0x0008, LAST_PID_POINTER_INDEX, "last PID-pointer index")			\
	/* 16-bit guest-state fields */							\
	F(0x0800, GUEST_ES_SELECTOR, "guest ES selector")				\
	F(0x0802, GUEST_CS_SELECTOR, "guest CS selector")				\
	F(0x0804, GUEST_SS_SELECTOR, "guest SS selector")				\
	F(0x0806, GUEST_DS_SELECTOR, "guest DS selector")				\
	F(0x0808, GUEST_FS_SELECTOR, "guest FS selector")				\
	F(0x080a, GUEST_GS_SELECTOR, "guest GS selector")				\
	F(0x080c, GUEST_LDTR_SELECTOR, "guest LDTR selector")				\
	F(0x080e, GUEST_TR_SELECTOR, "guest TR selector")				\
	F(0x0810, GUEST_INTR_STATUS, "guest interrupt status")				\
	F(0x0812, GUEST_PML_INDEX, "PML index")						\
	F(0x0814, GUEST_UINV, "guest UINV")						\
	/* 16-bit host-state fields */							\
	F(0x0c00, HOST_ES_SELECTOR, "host ES selector")					\
	F(0x0c02, HOST_CS_SELECTOR, "host CS selector")					\
	F(0x0c04, HOST_SS_SELECTOR, "host SS selector")					\
	F(0x0c06, HOST_DS_SELECTOR, "host DS selector")					\
	F(0x0c08, HOST_FS_SELECTOR, "host FS selector")					\
	F(0x0c0a, HOST_GS_SELECTOR, "host GS selector")					\
	F(0x0c0c, HOST_TR_SELECTOR, "host TR selector")					\
	/* 64-bit control fields */							\
	F(0x2000, IO_BITMAP_A, "address of I/O bitmap A")				\
	F(0x2002, IO_BITMAP_B, "address of I/O bitmap B")				\
	F(0x2004, MSR_BITMAP, "address of MSR bitmaps")					\
	F(0x2006, VM_EXIT_MSR_STORE_ADDR, "VM-exit MSR-store address")			\
	F(0x2008, VM_EXIT_MSR_LOAD_ADDR, "VM-exit MSR-load address")			\
	F(0x200a, VM_ENTRY_MSR_LOAD_ADDR, "VM-entry MSR-load address")			\
	F(0x200c, EXECUTIVE_VMCS_POINTER, "executive-VMCS pointer")			\
	F(0x200e, PML_ADDRESS, "PML address")						\
	F(0x2010, TSC_OFFSET, "TSC offset")						\
	F(0x2012, VIRTUAL_APIC_PAGE_ADDR, "virtual-APIC address")			\
	F(0x2014, APIC_ACCESS_ADDR, "APIC-access address")				\
	F(0x2016, POSTED_INTR_DESC_ADDR, "posted-interrupt descriptor address")		\
	F(0x2018, VM_FUNCTION_CONTROL, "VM-function controls")				\
	F(0x201a, EPT_POINTER, "EPT pointer")						\
	F(0x201c, EOI_EXIT_BITMAP0, "EOI-exit bitmap 0")				\
	F(0x201e, EOI_EXIT_BITMAP1, "EOI-exit bitmap 1")				\
	F(0x2020, EOI_EXIT_BITMAP2, "EOI-exit bitmap 2")				\
	F(0x2022, EOI_EXIT_BITMAP3, "EOI-exit bitmap 3")				\
	F(0x2024, EPTP_LIST_ADDRESS, "EPTP-list address")				\
	F(0x2026, VMREAD_BITMAP, "VMREAD-bitmap address")				\
	F(0x2028, VMWRITE_BITMAP, "VMWRITE-bitmap address")				\
	F(0x202a, VIRT_EXCEPTION_INFO_ADDR, "virtualization-exception information address")	\
	F(0x202c, XSS_EXIT_BITMAP, "XSS-exiting bitmap")				\
	F(0x202e, ENCLS_EXITING_BITMAP, "ENCLS-exiting bitmap")				\
	F(0x2030, SPP_TABLE_POINTER, "sub-page-permission-table pointer")		\
	F(0x2032, TSC_MULTIPLIER, "TSC multiplier")					\
	F(0x2034, TERTIARY_VM_EXEC_CONTROL, "tertiary processor-based VM-execution controls")	\
	F(0x2036, ENCLV_EXITING_BITMAP, "ENCLV-exiting bitmap")				\
	F(0x2038, LOW_PASID_DIRECTORY, "low PASID directory address")			\
	F(0x203a, HIGH_PASID_DIRECTORY, "high PASID directory address")			\
	F(0x203c, SHARED_EPT_POINTER, "shared EPT pointer")				\
	F(0x203e, PCONFIG_EXITING_BITMAP, "PCONFIG-exiting bitmap")			\
	F(0x2040, HLAT_POINTER, "hypervisor-managed linear-address translation pointer (HLATP)") \
	F(0x2042, PID_POINTER_TABLE, "PID-pointer table address")			\
	F(0x2044, SECONDARY_VM_EXIT_CONTROLS, "secondary VM-exit controls")		\
	F(0x204a, SPEC_CTRL_MASK, "IA32_SPEC_CTRL mask")				\
	F(0x204c, SPEC_CTRL_SHADOW, "IA32_SPEC_CTRL shadow")				\
	/* 64-bit read-only data field */						\
	F(0x2400, GUEST_PHYSICAL_ADDRESS, "guest-physical address")			\
	/* 64-bit guest-state fields */							\
	F(0x2800, LINK_POINTER, "VMCS link pointer")					\
	F(0x2802, GUEST_IA32_DEBUGCTL, "guest IA32_DEBUGCTL")				\
	F(0x2804, GUEST_IA32_PAT, "guest IA32_PAT")					\
	F(0x2806, GUEST_IA32_EFER, "guest IA32_EFER")					\
	F(0x2808, GUEST_IA32_PERF_GLOBAL_CTRL, "guest IA32_PERF_GLOBAL_CTRL")		\
	F(0x280a, GUEST_PDPTR0, "guest PDPTE0")						\
	F(0x280c, GUEST_PDPTR1, "guest PDPTE1")						\
	F(0x280e, GUEST_PDPTR2, "guest PDPTE2")						\
	F(0x2810, GUEST_PDPTR3, "guest PDPTE3")						\
	F(0x2812, GUEST_IA32_BNDCFGS, "guest IA32_BNDCFGS")				\
	F(0x2814, GUEST_IA32_RTIT_CTL, "guest IA32_RTIT_CTL")				\
	F(0x2816, GUEST_IA32_LBR_CTL, "guest IA32_LBR_CTL")				\
	F(0x2818, GUEST_IA32_PKRS, "guest IA32_PKRS")					\
	/* 64-bit host-state fields */							\
	F(0x2c00, HOST_IA32_PAT, "host IA32_PAT")					\
	F(0x2c02, HOST_IA32_EFER, "host IA32_EFER")					\
	F(0x2c04, HOST_IA32_PERF_GLOBAL_CTRL, "host IA32_PERF_GLOBAL_CTRL")		\
	F(0x2c06, HOST_IA32_PKRS, "host IA32_PKRS")					\
	/* 32-bit control fields */							\
	F(0x4000, PIN_BASED_VM_EXEC_CONTROL, "pin-based VM-execution controls")		\
	F(0x4002, CPU_BASED_VM_EXEC_CONTROL, "primary processor-based VM-execution controls")	\
	F(0x4004, EXCEPTION_BITMAP, "exception bitmap")					\
	F(0x4006, PAGE_FAULT_ERROR_CODE_MASK, "page-fault error-code mask")		\
	F(0x4008, PAGE_FAULT_ERROR_CODE_MATCH, "page-fault error-code match")		\
	F(0x400a, CR3_TARGET_COUNT, "CR3-target count")					\
	F(0x400c, VM_EXIT_CONTROLS, "primary VM-exit controls")				\
	F(0x400e, VM_EXIT_MSR_STORE_COUNT, "VM-exit MSR-store count")			\
	F(0x4010, VM_EXIT_MSR_LOAD_COUNT, "VM-exit MSR-load count")			\
	F(0x4012, VM_ENTRY_CONTROLS, "VM-entry controls")				\
	F(0x4014, VM_ENTRY_MSR_LOAD_COUNT, "VM-entry MSR-load count")			\
	F(0x4016, VM_ENTRY_INTR_INFO, "VM-entry interruption-information field")	\
	F(0x4018, VM_ENTRY_EXCEPTION_ERROR_CODE, "VM-entry exception error code")	\
	F(0x401a, VM_ENTRY_INSTRUCTION_LEN, "VM-entry instruction length")		\
	F(0x401c, TPR_THRESHOLD, "TPR threshold")					\
	F(0x401e, SECONDARY_VM_EXEC_CONTROL, "secondary processor-based VM-execution controls")	\
	F(0x4020, PLE_GAP, "PLE_Gap")							\
	F(0x4022, PLE_WINDOW, "PLE_Window")						\
	F(0x4024, INSTRUCTION_TIMEOUT, "instruction-timeout control")			\
	/* 32-bit read-only data fields */						\
	F(0x4400, VM_INSTRUCTION_ERROR, "VM-instruction error")				\
	F(0x4402, VM_EXIT_REASON, "exit reason")					\
	F(0x4404, VM_EXIT_INTR_INFO, "VM-exit interruption information")		\
	F(0x4406, VM_EXIT_INTR_ERROR_CODE, "VM-exit interruption error code")		\
	F(0x4408, IDT_VECTORING_INFO, "IDT-vectoring information field")		\
	F(0x440a, IDT_VECTORING_ERROR_CODE, "IDT-vectoring error code")			\
	F(0x440c, VM_EXIT_INSTRUCTION_LEN, "VM-exit instruction length")		\
	F(0x440e, VM_EXIT_INSTRUCTION_INFO, "VM-exit instruction information")		\
	/* 32-bit guest-state fields */							\
	F(0x4800, GUEST_ES_LIMIT, "guest ES limit")					\
	F(0x4802, GUEST_CS_LIMIT, "guest CS limit")					\
	F(0x4804, GUEST_SS_LIMIT, "guest SS limit")					\
	F(0x4806, GUEST_DS_LIMIT, "guest DS limit")					\
	F(0x4808, GUEST_FS_LIMIT, "guest FS limit")					\
	F(0x480a, GUEST_GS_LIMIT, "guest GS limit")					\
	F(0x480c, GUEST_LDTR_LIMIT, "guest LDTR limit")					\
	F(0x480e, GUEST_TR_LIMIT, "guest TR limit")					\
	F(0x4810, GUEST_GDTR_LIMIT, "guest GDTR limit")					\
	F(0x4812, GUEST_IDTR_LIMIT, "guest IDTR limit")					\
	F(0x4814, GUEST_ES_AR, "guest ES access rights")				\
	F(0x4816, GUEST_CS_AR, "guest CS access rights")				\
	F(0x4818, GUEST_SS_AR, "guest SS access rights")				\
	F(0x481a, GUEST_DS_AR, "guest DS access rights")				\
	F(0x481c, GUEST_FS_AR, "guest FS access rights")				\
	F(0x481e, GUEST_GS_AR, "guest GS access rights")				\
	F(0x4820, GUEST_LDTR_AR, "guest LDTR access rights")				\
	F(0x4822, GUEST_TR_AR, "guest TR access rights")				\
	F(0x4824, GUEST_INTERRUPTIBILITY, "guest interruptibility state")		\
	F(0x4826, GUEST_ACTIVITY_STATE, "guest activity state")				\
	F(0x4828, GUEST_SMBASE, "guest SMBASE")						\
	F(0x482a, GUEST_SYSENTER_CS, "guest IA32_SYSENTER_CS")				\
	F(0x482e, PREEMPTION_TIMER_VALUE, "VMX-preemption timer value")			\
	/* 32-bit host-state field */							\
	F(0x4c00, HOST_SYSENTER_CS, "host IA32_SYSENTER_CS")				\
	/* natural-width control fields */						\
	F(0x6000, CR0_GUEST_HOST_MASK, "CR0 guest/host mask")				\
	F(0x6002, CR4_GUEST_HOST_MASK, "CR4 guest/host mask")				\
	F(0x6004, CR0_READ_SHADOW, "CR0 read shadow")					\
	F(0x6006, CR4_READ_SHADOW, "CR4 read shadow")					\
	F(0x6008, CR3_TARGET_VALUE0, "CR3-target value 0")				\
	F(0x600a, CR3_TARGET_VALUE1, "CR3-target value 1")				\
	F(0x600c, CR3_TARGET_VALUE2, "CR3-target value 2")				\
	F(0x600e, CR3_TARGET_VALUE3, "CR3-target value 3")				\
	/* natural-width read-only data fields */					\
	F(0x6400, EXIT_QUALIFICATION, "exit qualification")				\
	F(0x6402, IO_RCX, "I/O RCX")							\
	F(0x6404, IO_RSI, "I/O RSI")							\
	F(0x6406, IO_RDI, "I/O RDI")							\
	F(0x6408, IO_RIP, "I/O RIP")							\
	F(0x640a, GUEST_LINEAR_ADDRESS, "guest-linear address")				\
	/* natural-width guest-state fields */						\
	F(0x6800, GUEST_CR0, "guest CR0")						\
	F(0x6802, GUEST_CR3, "guest CR3")						\
	F(0x6804, GUEST_CR4, "guest CR4")						\
	F(0x6806, GUEST_ES_BASE, "guest ES base")					\
	F(0x6808, GUEST_CS_BASE, "guest CS base")					\
	F(0x680a, GUEST_SS_BASE, "guest SS base")					\
	F(0x680c, GUEST_DS_BASE, "guest DS base")					\
	F(0x680e, GUEST_FS_BASE, "guest FS base")					\
	F(0x6810, GUEST_GS_BASE, "guest GS base")					\
	F(0x6812, GUEST_LDTR_BASE, "guest LDTR base")					\
	F(0x6814, GUEST_TR_BASE, "guest TR base")					\
	F(0x6816, GUEST_GDTR_BASE, "guest GDTR base")					\
	F(0x6818, GUEST_IDTR_BASE, "guest IDTR base")					\
	F(0x681a, GUEST_DR7, "guest DR7")						\
	F(0x681c, GUEST_RSP, "guest RSP")						\
	F(0x681e, GUEST_RIP, "guest RIP")						\
	F(0x6820, GUEST_RFLAGS, "guest RFLAGS")						\
	F(0x6822, GUEST_PENDING_DBG, "guest pending debug exceptions")			\
	F(0x6824, GUEST_SYSENTER_ESP, "guest IA32_SYSENTER_ESP")			\
	F(0x6826, GUEST_SYSENTER_EIP, "guest IA32_SYSENTER_EIP")			\
	F(0x6828, GUEST_S_CET, "guest IA32_S_CET")					\
	F(0x682a, GUEST_SSP, "guest SSP")						\
	F(0x682c, GUEST_INTR_SSP_TABLE, "guest IA32_INTERRUPT_SSP_TABLE_ADDR")		\
	/* natural-width host-state fields */						\
	F(0x6c00, HOST_CR0, "host CR0")							\
	F(0x6c02, HOST_CR3, "host CR3")							\
	F(0x6c04, HOST_CR4, "host CR4")							\
	F(0x6c06, HOST_FS_BASE, "host FS base")						\
	F(0x6c08, HOST_GS_BASE, "host GS base")						\
	F(0x6c0a, HOST_TR_BASE, "host TR base")						\
	F(0x6c0c, HOST_GDTR_BASE, "host GDTR base")					\
	F(0x6c0e, HOST_IDTR_BASE, "host IDTR base")					\
	F(0x6c10, HOST_SYSENTER_ESP, "host IA32_SYSENTER_ESP")				\
	F(0x6c12, HOST_SYSENTER_EIP, "host IA32_SYSENTER_EIP")				\
	F(0x6c14, HOST_RSP, "host RSP")							\
	F(0x6c16, HOST_RIP, "host RIP")							\
	F(0x6c18, HOST_S_CET, "host IA32_S_CET")					\
	F(0x6c1a, HOST_SSP, "host SSP")							\
	F(0x6c1c, HOST_INTR_SSP_TABLE, "host IA32_INTERRUPT_SSP_TABLE_ADDR")

/* VMCS_F_GUEST_CR0 and its kin. */
#define MINIKVM_VMCS_ENUM(encoding, id, name)	VMCS_F_##id = (encoding),
enum minikvm_vmcs_field {
	MINIKVM_VMCS_FIELDS(MINIKVM_VMCS_ENUM)
};

/* How many there are. */
#define MINIKVM_VMCS_ONE(encoding, id, name)	+ 1
#define MINIKVM_VMCS_NR_FIELDS	(0 MINIKVM_VMCS_FIELDS(MINIKVM_VMCS_ONE))

#endif
