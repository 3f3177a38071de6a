// SPDX-License-Identifier: GPL-2.0
/*
 * Which field of a VMCS is shown where, and by which table of words it is told.
 *
 * Source: Intel SDM vol. 3C (December 2023), chapter "Virtual Machine Control Structures".
 */
#include <stdio.h>

#include "inspect/controls.h"
#include "inspect/exits.h"
#include "inspect/fields.h"

/* ---- order ----------------------------------------------------------------------------------- */

static const u32 guest_registers[] = {
	VMCS_F_GUEST_CR0, VMCS_F_GUEST_CR3, VMCS_F_GUEST_CR4, VMCS_F_GUEST_DR7,
	VMCS_F_GUEST_RSP, VMCS_F_GUEST_RIP, VMCS_F_GUEST_RFLAGS,
};

/* Selector, base, limit and access rights of one after another: show.c counts on it. */
#define SEGMENT(name) VMCS_F_GUEST_##name##_SELECTOR, VMCS_F_GUEST_##name##_BASE, \
	VMCS_F_GUEST_##name##_LIMIT, VMCS_F_GUEST_##name##_AR

static const u32 guest_segments[] = {
	SEGMENT(CS), SEGMENT(SS), SEGMENT(DS), SEGMENT(ES), SEGMENT(FS), SEGMENT(GS),
	SEGMENT(LDTR), SEGMENT(TR),
};

static const u32 guest_tables[] = {
	VMCS_F_GUEST_GDTR_BASE, VMCS_F_GUEST_GDTR_LIMIT, VMCS_F_GUEST_IDTR_BASE,
	VMCS_F_GUEST_IDTR_LIMIT,
};

static const u32 guest_msrs[] = {
	VMCS_F_GUEST_IA32_DEBUGCTL, VMCS_F_GUEST_SYSENTER_CS, VMCS_F_GUEST_SYSENTER_ESP,
	VMCS_F_GUEST_SYSENTER_EIP, VMCS_F_GUEST_IA32_PERF_GLOBAL_CTRL, VMCS_F_GUEST_IA32_PAT,
	VMCS_F_GUEST_IA32_EFER, VMCS_F_GUEST_IA32_BNDCFGS, VMCS_F_GUEST_IA32_RTIT_CTL,
	VMCS_F_GUEST_IA32_LBR_CTL, VMCS_F_GUEST_S_CET, VMCS_F_GUEST_SSP,
	VMCS_F_GUEST_INTR_SSP_TABLE, VMCS_F_GUEST_IA32_PKRS, VMCS_F_GUEST_UINV,
	VMCS_F_GUEST_SMBASE,
};

static const u32 guest_other[] = {
	VMCS_F_GUEST_ACTIVITY_STATE, VMCS_F_GUEST_INTERRUPTIBILITY, VMCS_F_GUEST_PENDING_DBG,
	VMCS_F_LINK_POINTER, VMCS_F_PREEMPTION_TIMER_VALUE, VMCS_F_GUEST_PDPTR0,
	VMCS_F_GUEST_PDPTR1, VMCS_F_GUEST_PDPTR2, VMCS_F_GUEST_PDPTR3, VMCS_F_GUEST_INTR_STATUS,
	VMCS_F_GUEST_PML_INDEX,
};

static const u32 host_state[] = {
	VMCS_F_HOST_CR0, VMCS_F_HOST_CR3, VMCS_F_HOST_CR4, VMCS_F_HOST_RSP, VMCS_F_HOST_RIP,
	VMCS_F_HOST_CS_SELECTOR, VMCS_F_HOST_SS_SELECTOR, VMCS_F_HOST_DS_SELECTOR,
	VMCS_F_HOST_ES_SELECTOR, VMCS_F_HOST_FS_SELECTOR, VMCS_F_HOST_GS_SELECTOR,
	VMCS_F_HOST_TR_SELECTOR, VMCS_F_HOST_FS_BASE, VMCS_F_HOST_GS_BASE, VMCS_F_HOST_TR_BASE,
	VMCS_F_HOST_GDTR_BASE, VMCS_F_HOST_IDTR_BASE, VMCS_F_HOST_SYSENTER_CS,
	VMCS_F_HOST_SYSENTER_ESP, VMCS_F_HOST_SYSENTER_EIP, VMCS_F_HOST_IA32_PERF_GLOBAL_CTRL,
	VMCS_F_HOST_IA32_PAT, VMCS_F_HOST_IA32_EFER, VMCS_F_HOST_S_CET, VMCS_F_HOST_SSP,
	VMCS_F_HOST_INTR_SSP_TABLE, VMCS_F_HOST_IA32_PKRS,
};

static const u32 execution_words[] = {
	VMCS_F_PIN_BASED_VM_EXEC_CONTROL, VMCS_F_CPU_BASED_VM_EXEC_CONTROL,
	VMCS_F_SECONDARY_VM_EXEC_CONTROL, VMCS_F_TERTIARY_VM_EXEC_CONTROL,
	VMCS_F_VM_FUNCTION_CONTROL,
};

static const u32 execution_more[] = {
	VMCS_F_EXCEPTION_BITMAP, VMCS_F_PAGE_FAULT_ERROR_CODE_MASK,
	VMCS_F_PAGE_FAULT_ERROR_CODE_MATCH, VMCS_F_IO_BITMAP_A, VMCS_F_IO_BITMAP_B,
	VMCS_F_TSC_OFFSET, VMCS_F_TSC_MULTIPLIER, VMCS_F_CR0_GUEST_HOST_MASK,
	VMCS_F_CR0_READ_SHADOW, VMCS_F_CR4_GUEST_HOST_MASK, VMCS_F_CR4_READ_SHADOW,
	VMCS_F_CR3_TARGET_COUNT, VMCS_F_CR3_TARGET_VALUE0, VMCS_F_CR3_TARGET_VALUE1,
	VMCS_F_CR3_TARGET_VALUE2, VMCS_F_CR3_TARGET_VALUE3, VMCS_F_APIC_ACCESS_ADDR,
	VMCS_F_VIRTUAL_APIC_PAGE_ADDR, VMCS_F_TPR_THRESHOLD, VMCS_F_EOI_EXIT_BITMAP0,
	VMCS_F_EOI_EXIT_BITMAP1, VMCS_F_EOI_EXIT_BITMAP2, VMCS_F_EOI_EXIT_BITMAP3,
	VMCS_F_POSTED_INTR_NV, VMCS_F_POSTED_INTR_DESC_ADDR, VMCS_F_PID_POINTER_TABLE,
	VMCS_F_LAST_PID_POINTER_INDEX, VMCS_F_MSR_BITMAP, VMCS_F_EXECUTIVE_VMCS_POINTER,
	VMCS_F_EPT_POINTER, VMCS_F_VIRTUAL_PROCESSOR_ID, VMCS_F_PLE_GAP, VMCS_F_PLE_WINDOW,
	VMCS_F_EPTP_LIST_ADDRESS, VMCS_F_EPTP_INDEX, VMCS_F_VMREAD_BITMAP, VMCS_F_VMWRITE_BITMAP,
	VMCS_F_ENCLS_EXITING_BITMAP, VMCS_F_ENCLV_EXITING_BITMAP, VMCS_F_PCONFIG_EXITING_BITMAP,
	VMCS_F_PML_ADDRESS, VMCS_F_VIRT_EXCEPTION_INFO_ADDR, VMCS_F_XSS_EXIT_BITMAP,
	VMCS_F_SPP_TABLE_POINTER, VMCS_F_LOW_PASID_DIRECTORY, VMCS_F_HIGH_PASID_DIRECTORY,
	VMCS_F_INSTRUCTION_TIMEOUT, VMCS_F_HLAT_POINTER, VMCS_F_HLAT_PREFIX_SIZE,
	VMCS_F_SHARED_EPT_POINTER, VMCS_F_SPEC_CTRL_MASK, VMCS_F_SPEC_CTRL_SHADOW,
};

static const u32 exit_words[] = { VMCS_F_VM_EXIT_CONTROLS, VMCS_F_SECONDARY_VM_EXIT_CONTROLS };
static const u32 exit_msrs[] = {
	VMCS_F_VM_EXIT_MSR_STORE_COUNT, VMCS_F_VM_EXIT_MSR_STORE_ADDR,
	VMCS_F_VM_EXIT_MSR_LOAD_COUNT, VMCS_F_VM_EXIT_MSR_LOAD_ADDR,
};

static const u32 entry_words[] = { VMCS_F_VM_ENTRY_CONTROLS };
static const u32 entry_msrs[] = {
	VMCS_F_VM_ENTRY_MSR_LOAD_COUNT, VMCS_F_VM_ENTRY_MSR_LOAD_ADDR,
};
static const u32 entry_event[] = {
	VMCS_F_VM_ENTRY_INTR_INFO, VMCS_F_VM_ENTRY_EXCEPTION_ERROR_CODE,
	VMCS_F_VM_ENTRY_INSTRUCTION_LEN,
};

static const u32 exit_basic[] = {
	VMCS_F_VM_EXIT_REASON, VMCS_F_EXIT_QUALIFICATION, VMCS_F_GUEST_LINEAR_ADDRESS,
	VMCS_F_GUEST_PHYSICAL_ADDRESS,
};
static const u32 exit_event[] = { VMCS_F_VM_EXIT_INTR_INFO, VMCS_F_VM_EXIT_INTR_ERROR_CODE };
static const u32 exit_idt[] = { VMCS_F_IDT_VECTORING_INFO, VMCS_F_IDT_VECTORING_ERROR_CODE };
static const u32 exit_instruction[] = {
	VMCS_F_VM_EXIT_INSTRUCTION_LEN, VMCS_F_VM_EXIT_INSTRUCTION_INFO, VMCS_F_IO_RCX,
	VMCS_F_IO_RSI, VMCS_F_IO_RDI, VMCS_F_IO_RIP,
};
static const u32 instruction_error[] = { VMCS_F_VM_INSTRUCTION_ERROR };

#define SECTION(in, name, list) { in, name, false, list, ARRAY_SIZE(list) }

static const char guest_area[] = "Guest-state area";
static const char host_area[] = "Host-state area";
static const char execution_area[] = "VM-execution control fields";
static const char exit_area[] = "VM-exit control fields";
static const char entry_area[] = "VM-entry control fields";
static const char info_area[] = "VM-exit information fields (read-only data)";

const struct section sections[] = {
	SECTION(guest_area, "Control, debug and other registers", guest_registers),
	{ guest_area, "Segment registers", true, guest_segments, ARRAY_SIZE(guest_segments) },
	SECTION(guest_area, "Descriptor-table registers", guest_tables),
	SECTION(guest_area, "MSRs", guest_msrs),
	SECTION(guest_area, "Non-register state", guest_other),
	SECTION(host_area, "Host state", host_state),
	SECTION(execution_area, "Control words", execution_words),
	SECTION(execution_area, "Bitmaps, masks and addresses", execution_more),
	SECTION(exit_area, "Control words", exit_words),
	SECTION(exit_area, "VM-exit controls for MSRs", exit_msrs),
	SECTION(entry_area, "Control words", entry_words),
	SECTION(entry_area, "VM-entry controls for MSRs", entry_msrs),
	SECTION(entry_area, "VM-entry controls for event injection", entry_event),
	SECTION(info_area, "Basic VM-exit information", exit_basic),
	SECTION(info_area, "VM exits due to vectored events", exit_event),
	SECTION(info_area, "VM exits that occur during event delivery", exit_idt),
	SECTION(info_area, "VM exits due to instruction execution", exit_instruction),
	SECTION(info_area, "VM-instruction error field", instruction_error),
};
const unsigned int nr_sections = ARRAY_SIZE(sections);

const struct section *section_of(u32 encoding)
{
	unsigned int s, i;

	for (s = 0; s < nr_sections; s++) {
		for (i = 0; i < sections[s].nr_fields; i++) {
			if (sections[s].fields[i] == encoding)
				return &sections[s];
		}
	}
	return NULL;
}

const char *area_name(u32 encoding)
{
	switch (MINIKVM_VMCS_AREA(encoding)) {
	case MINIKVM_VMCS_AREA_CONTROL:
		return "Control fields";
	case MINIKVM_VMCS_AREA_EXIT:
		return info_area;
	case MINIKVM_VMCS_AREA_GUEST:
		return guest_area;
	default:
		return host_area;
	}
}

const char *field_name(u32 encoding, char buf[24])
{
	const char *name = vmcs_field_name(encoding);

	if (name)
		return name;
	snprintf(buf, 24, "field 0x%04x", encoding);
	return buf;
}

/* ---- what they say --------------------------------------------------------------------------- */

/* Fields that are a word of bits, besides control words. */
static const struct {
	u32 encoding;
	const struct word *word;
} words[] = {
	{ VMCS_F_GUEST_CR0, &word_cr0 }, { VMCS_F_CR0_READ_SHADOW, &word_cr0 },
	{ VMCS_F_CR0_GUEST_HOST_MASK, &word_cr0 }, { VMCS_F_HOST_CR0, &word_cr0 },
	{ VMCS_F_GUEST_CR4, &word_cr4 }, { VMCS_F_CR4_READ_SHADOW, &word_cr4 },
	{ VMCS_F_CR4_GUEST_HOST_MASK, &word_cr4 }, { VMCS_F_HOST_CR4, &word_cr4 },
	{ VMCS_F_GUEST_IA32_EFER, &word_efer }, { VMCS_F_HOST_IA32_EFER, &word_efer },
	{ VMCS_F_GUEST_RFLAGS, &word_rflags }, { VMCS_F_GUEST_IA32_DEBUGCTL, &word_debugctl },
	{ VMCS_F_GUEST_DR7, &word_dr7 }, { VMCS_F_EXCEPTION_BITMAP, &word_exceptions },
	{ VMCS_F_PAGE_FAULT_ERROR_CODE_MASK, &word_pf_error },
	{ VMCS_F_PAGE_FAULT_ERROR_CODE_MATCH, &word_pf_error },
	{ VMCS_F_GUEST_INTERRUPTIBILITY, &word_interruptibility },
	{ VMCS_F_GUEST_ACTIVITY_STATE, &word_activity },
	{ VMCS_F_GUEST_PENDING_DBG, &word_pending_debug },
	{ VMCS_F_GUEST_INTR_STATUS, &word_interrupt_status },
	{ VMCS_F_EPT_POINTER, &word_eptp },
	{ VMCS_F_VM_ENTRY_INTR_INFO, &word_event_info },
	{ VMCS_F_VM_EXIT_INTR_INFO, &word_exit_event },
	{ VMCS_F_IDT_VECTORING_INFO, &word_idt_event },
};

static const struct word *word_of(u32 encoding)
{
	const struct control *control = control_find(encoding);
	unsigned int i;

	if (control)
		return &control->word;
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		if (words[i].encoding == encoding)
			return words[i].word;
	}
	/* The selectors of guest and host. */
	if ((encoding >= VMCS_F_GUEST_ES_SELECTOR && encoding <= VMCS_F_GUEST_TR_SELECTOR) ||
	    (encoding >= VMCS_F_HOST_ES_SELECTOR && encoding <= VMCS_F_HOST_TR_SELECTOR))
		return &word_selector;
	return NULL;
}

static bool is_access_rights(u32 encoding)
{
	return encoding >= VMCS_F_GUEST_ES_AR && encoding <= VMCS_F_GUEST_TR_AR;
}

static void cr3_text(struct text *t, u64 value, u64 cr4)
{
	text_add(t, "page tables at 0x%llx", (unsigned long long)(value & 0xffffffffff000ULL));
	if (cr4 & BIT(17))
		text_add(t, ", PCID %u", (u32)value & 0xfff);
	else if (value & 0x18)
		text_add(t, "%s%s", value & 8 ? ", PWT" : "", value & 16 ? ", PCD" : "");
}

static void tsc_multiplier_text(struct text *t, u64 value)
{
	/* 48 binary places. */
	text_add(t, "x %u.%06u", (u32)(value >> 48),
		 (u32)(((value & 0xffffffffffffULL) >> 16) * 1000000 >> 32));
}

/* EOI-exit bitmap n has the vectors from 64 * n on. */
static void vectors_text(struct text *t, u64 bits, unsigned int first)
{
	unsigned int bit;
	const char *gap = "vectors ";

	for (bit = 0; bit < 64; bit++) {
		if (bits & BIT_ULL(bit)) {
			text_add(t, "%s%u", gap, first + bit);
			gap = " ";
		}
	}
}

/* Those of the fields of the exit information that are told in sentences. */
static bool information_text(struct text *t, const struct vmcs_dump *d,
			     const struct vmcs_value *field)
{
	u32 reason = (u32)dump_value(d, VMCS_F_VM_EXIT_REASON);
	u32 value = (u32)field->value;

	if (!exit_writes(reason, field->encoding)) {
		text_add(t, "(not defined by this exit)");
		return true;
	}
	switch (field->encoding) {
	case VMCS_F_VM_EXIT_REASON:
		exit_reason_text(t, value);
		return true;
	case VMCS_F_EXIT_QUALIFICATION:
		exit_qualification_text(t, reason, field->value,
					(u32)dump_value(d, VMCS_F_VM_EXIT_INTR_INFO));
		return true;
	case VMCS_F_VM_EXIT_INTR_INFO:
	case VMCS_F_IDT_VECTORING_INFO:
	case VMCS_F_VM_ENTRY_INTR_INFO:
		event_text(t, value);
		if ((value & BIT(31)) && (value & BIT(12)) &&
		    field->encoding == VMCS_F_VM_EXIT_INTR_INFO)
			text_add(t, ", NMI unblocking due to IRET");
		return true;
	case VMCS_F_VM_EXIT_INSTRUCTION_INFO:
		instruction_text(t, reason, dump_value(d, VMCS_F_EXIT_QUALIFICATION), value);
		return true;
	case VMCS_F_VM_INSTRUCTION_ERROR:
		if (value)
			text_add(t, "%s", instruction_error_name(value) ?: "not in the manual");
		return true;
	case VMCS_F_VM_EXIT_INSTRUCTION_LEN:
	case VMCS_F_VM_ENTRY_INSTRUCTION_LEN:
		text_add(t, "%u byte%s", value, value == 1 ? "" : "s");
		return true;
	}
	return false;
}

void field_text(struct text *t, const struct vmcs_dump *d, const struct vmcs_value *field)
{
	const struct word *word = word_of(field->encoding);
	u32 code = field->encoding;
	u64 value = field->value;

	/* Control words are told bit by bit. */
	if (information_text(t, d, field) || control_find(code))
		return;
	if (code == VMCS_F_EPT_POINTER) {
		text_add(t, "root 0x%llx, ", (unsigned long long)(value & 0xffffffffff000ULL));
		word_text(t, word, value & 0xfff);
	} else if (word) {
		word_text(t, word, value);
	} else if (is_access_rights(code)) {
		access_rights_text(t, (u32)value);
	} else if (code == VMCS_F_GUEST_IA32_PAT || code == VMCS_F_HOST_IA32_PAT) {
		pat_text(t, value);
	} else if (code == VMCS_F_GUEST_CR3) {
		cr3_text(t, value, dump_value(d, VMCS_F_GUEST_CR4));
	} else if (code == VMCS_F_HOST_CR3) {
		cr3_text(t, value, dump_value(d, VMCS_F_HOST_CR4));
	} else if (code == VMCS_F_TSC_OFFSET) {
		text_add(t, "%lld", (long long)value);
	} else if (code == VMCS_F_TSC_MULTIPLIER) {
		tsc_multiplier_text(t, value);
	} else if (code >= VMCS_F_EOI_EXIT_BITMAP0 && code <= VMCS_F_EOI_EXIT_BITMAP3) {
		vectors_text(t, value, (code - VMCS_F_EOI_EXIT_BITMAP0) / 2 * 64);
	} else if (code == VMCS_F_LINK_POINTER && value == ~0ULL) {
		text_add(t, "none");
	}
}

void field_changes(struct text *t, u32 encoding, u64 before, u64 after)
{
	const struct word *word = word_of(encoding);
	u64 more = after - before;

	if (word) {
		word_changes(t, word, before, after);
		return;
	}
	/* How far it went, if that says anything. */
	if (encoding != VMCS_F_GUEST_RIP && encoding != VMCS_F_GUEST_RSP &&
	    encoding != VMCS_F_TSC_OFFSET)
		return;
	if ((s64)more > 0 && more < BIT_ULL(32))
		text_add(t, "+0x%llx", (unsigned long long)more);
	else if ((s64)more < 0 && -more < BIT_ULL(32))
		text_add(t, "-0x%llx", (unsigned long long)-more);
}
