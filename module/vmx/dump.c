// SPDX-License-Identifier: GPL-2.0
/*
 * Logs a VMCS, field by field, grouped as the SDM groups them. Used when VM
 * entry fails and by the vendor operation dump.
 *
 * Source: Intel SDM vol. 3C (December 2023), appendix "Field Encoding in VMCS".
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/kernel.h>
#include <linux/ratelimit.h>

#include "vmx.h"

struct vmcs_field_name {
	u32 encoding;
	const char *name;
};

#define F(field)	{ field, #field }

static const struct vmcs_field_name guest_fields[] = {
	F(GUEST_CR0), F(CR0_READ_SHADOW), F(CR0_GUEST_HOST_MASK),
	F(GUEST_CR3), F(GUEST_CR4), F(CR4_READ_SHADOW), F(CR4_GUEST_HOST_MASK),
	F(GUEST_PDPTR0), F(GUEST_PDPTR1), F(GUEST_PDPTR2), F(GUEST_PDPTR3),
	F(GUEST_RIP), F(GUEST_RSP), F(GUEST_RFLAGS), F(GUEST_DR7),
	F(GUEST_CS_SELECTOR), F(GUEST_CS_BASE), F(GUEST_CS_LIMIT), F(GUEST_CS_AR_BYTES),
	F(GUEST_SS_SELECTOR), F(GUEST_SS_BASE), F(GUEST_SS_LIMIT), F(GUEST_SS_AR_BYTES),
	F(GUEST_DS_SELECTOR), F(GUEST_DS_BASE), F(GUEST_DS_LIMIT), F(GUEST_DS_AR_BYTES),
	F(GUEST_ES_SELECTOR), F(GUEST_ES_BASE), F(GUEST_ES_LIMIT), F(GUEST_ES_AR_BYTES),
	F(GUEST_FS_SELECTOR), F(GUEST_FS_BASE), F(GUEST_FS_LIMIT), F(GUEST_FS_AR_BYTES),
	F(GUEST_GS_SELECTOR), F(GUEST_GS_BASE), F(GUEST_GS_LIMIT), F(GUEST_GS_AR_BYTES),
	F(GUEST_TR_SELECTOR), F(GUEST_TR_BASE), F(GUEST_TR_LIMIT), F(GUEST_TR_AR_BYTES),
	F(GUEST_LDTR_SELECTOR), F(GUEST_LDTR_BASE), F(GUEST_LDTR_LIMIT), F(GUEST_LDTR_AR_BYTES),
	F(GUEST_GDTR_BASE), F(GUEST_GDTR_LIMIT), F(GUEST_IDTR_BASE), F(GUEST_IDTR_LIMIT),
	F(GUEST_IA32_EFER), F(GUEST_IA32_PAT), F(GUEST_IA32_DEBUGCTL),
	F(GUEST_SYSENTER_CS), F(GUEST_SYSENTER_ESP), F(GUEST_SYSENTER_EIP),
	F(GUEST_INTERRUPTIBILITY_INFO), F(GUEST_ACTIVITY_STATE),
	F(GUEST_PENDING_DBG_EXCEPTIONS), F(VMCS_LINK_POINTER),
};

static const struct vmcs_field_name host_fields[] = {
	F(HOST_CR0), F(HOST_CR3), F(HOST_CR4), F(HOST_RIP), F(HOST_RSP),
	F(HOST_CS_SELECTOR), F(HOST_SS_SELECTOR), F(HOST_DS_SELECTOR), F(HOST_ES_SELECTOR),
	F(HOST_FS_SELECTOR), F(HOST_FS_BASE), F(HOST_GS_SELECTOR), F(HOST_GS_BASE),
	F(HOST_TR_SELECTOR), F(HOST_TR_BASE), F(HOST_GDTR_BASE), F(HOST_IDTR_BASE),
	F(HOST_IA32_SYSENTER_CS), F(HOST_IA32_SYSENTER_ESP), F(HOST_IA32_SYSENTER_EIP),
	F(HOST_IA32_EFER), F(HOST_IA32_PAT),
};

static const struct vmcs_field_name control_fields[] = {
	F(PIN_BASED_VM_EXEC_CONTROL), F(CPU_BASED_VM_EXEC_CONTROL),
	F(SECONDARY_VM_EXEC_CONTROL), F(VM_EXIT_CONTROLS), F(VM_ENTRY_CONTROLS),
	F(EXCEPTION_BITMAP), F(PAGE_FAULT_ERROR_CODE_MASK), F(PAGE_FAULT_ERROR_CODE_MATCH),
	F(VM_ENTRY_INTR_INFO_FIELD), F(VM_ENTRY_EXCEPTION_ERROR_CODE),
	F(VM_ENTRY_INSTRUCTION_LEN), F(TSC_OFFSET), F(EPT_POINTER), F(MSR_BITMAP),
};

static const struct vmcs_field_name exit_fields[] = {
	F(VM_EXIT_REASON), F(EXIT_QUALIFICATION), F(VM_INSTRUCTION_ERROR),
	F(VM_EXIT_INTR_INFO), F(VM_EXIT_INTR_ERROR_CODE),
	F(IDT_VECTORING_INFO_FIELD), F(IDT_VECTORING_ERROR_CODE),
	F(VM_EXIT_INSTRUCTION_LEN), F(VMX_INSTRUCTION_INFO),
	F(GUEST_PHYSICAL_ADDRESS), F(GUEST_LINEAR_ADDRESS),
};

static const struct {
	const char *title;
	const struct vmcs_field_name *fields;
	int nr;
} areas[] = {
	{ "Guest-State Area", guest_fields, ARRAY_SIZE(guest_fields) },
	{ "Host-State Area", host_fields, ARRAY_SIZE(host_fields) },
	{ "Control Fields", control_fields, ARRAY_SIZE(control_fields) },
	{ "VM-Exit Information Fields", exit_fields, ARRAY_SIZE(exit_fields) },
};

/* A guest that fails entry in a loop shall not fill the log. */
static DEFINE_RATELIMIT_STATE(dump_limit, 60 * HZ, 2);

/**
 * vmx_dump - log the vCPU's VMCS
 * @vcpu: loaded
 */
void vmx_dump(struct vcpu *vcpu)
{
	int area, i;

	if (!__ratelimit(&dump_limit))
		return;
	pr_err("VMCS of vCPU %u on CPU %d:\n", vcpu->id, to_vmx(vcpu)->vmcs_cpu);
	for (area = 0; area < ARRAY_SIZE(areas); area++) {
		pr_err("%s\n", areas[area].title);
		for (i = 0; i < areas[area].nr; i++)
			pr_err("  %-32s 0x%lx\n", areas[area].fields[i].name,
			       vmcs_read_any(areas[area].fields[i].encoding));
	}
}
