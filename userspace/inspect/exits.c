// SPDX-License-Identifier: GPL-2.0
/*
 * Tells a VM exit in words.
 *
 * Source: Intel SDM vol. 3C (December 2023), "Recording VM-Exit Information and Updating VM-entry
 * Control Fields", "VM-Instruction Error Numbers"; vol. 3D, appendix "VMX Basic Exit Reasons".
 */
#include "inspect/exits.h"

/* Those whose qualification, or whose other information, is told below. */
enum {
	EXIT_EXCEPTION = 0, EXIT_SIPI = 4, EXIT_TASK_SWITCH = 9,
	EXIT_INVLPG = 14, EXIT_CR = 28, EXIT_DR = 29, EXIT_IO = 30, EXIT_GUEST_STATE = 33,
	EXIT_MSR_LOADING = 34, EXIT_MWAIT = 36, EXIT_APIC_ACCESS = 44, EXIT_EOI = 45,
	EXIT_GDTR_IDTR = 46, EXIT_LDTR_TR = 47, EXIT_EPT_VIOLATION = 48, EXIT_EPT_MISCONFIG = 49,
	EXIT_INVEPT = 50, EXIT_INVVPID = 53, EXIT_APIC_WRITE = 56, EXIT_INVPCID = 58,
	EXIT_PML_FULL = 62, EXIT_XSAVES = 63, EXIT_XRSTORS = 64, EXIT_SPP = 66,
	EXIT_INSTRUCTION_TIMEOUT = 75,
};

static const char *const reason_names[] = {
	[0] = "exception or NMI", [1] = "external interrupt", [2] = "triple fault",
	[3] = "INIT signal", [4] = "start-up IPI (SIPI)", [5] = "I/O system-management interrupt",
	[6] = "other SMI", [7] = "interrupt window", [8] = "NMI window", [9] = "task switch",
	[10] = "CPUID", [11] = "GETSEC", [12] = "HLT", [13] = "INVD", [14] = "INVLPG",
	[15] = "RDPMC", [16] = "RDTSC", [17] = "RSM", [18] = "VMCALL", [19] = "VMCLEAR",
	[20] = "VMLAUNCH", [21] = "VMPTRLD", [22] = "VMPTRST", [23] = "VMREAD",
	[24] = "VMRESUME", [25] = "VMWRITE", [26] = "VMXOFF", [27] = "VMXON",
	[28] = "control-register access", [29] = "MOV DR", [30] = "I/O instruction",
	[31] = "RDMSR", [32] = "WRMSR", [33] = "VM-entry failure due to invalid guest state",
	[34] = "VM-entry failure due to MSR loading", [36] = "MWAIT", [37] = "monitor trap flag",
	[39] = "MONITOR", [40] = "PAUSE", [41] = "VM-entry failure due to machine-check event",
	[43] = "TPR below threshold", [44] = "APIC access", [45] = "virtualized EOI",
	[46] = "access to GDTR or IDTR", [47] = "access to LDTR or TR", [48] = "EPT violation",
	[49] = "EPT misconfiguration", [50] = "INVEPT", [51] = "RDTSCP",
	[52] = "VMX-preemption timer expired", [53] = "INVVPID", [54] = "WBINVD or WBNOINVD",
	[55] = "XSETBV", [56] = "APIC write", [57] = "RDRAND", [58] = "INVPCID",
	[59] = "VMFUNC", [60] = "ENCLS", [61] = "RDSEED", [62] = "page-modification log full",
	[63] = "XSAVES", [64] = "XRSTORS", [65] = "PCONFIG", [66] = "SPP-related event",
	[67] = "UMWAIT", [68] = "TPAUSE", [69] = "LOADIWKEY", [70] = "ENCLV",
	[72] = "ENQCMD PASID translation failure", [73] = "ENQCMDS PASID translation failure",
	[74] = "bus lock", [75] = "instruction timeout", [76] = "SEAMCALL", [77] = "TDCALL",
	[78] = "RDMSRLIST", [79] = "WRMSRLIST",
};

const char *exit_reason_name(u32 basic)
{
	return basic < ARRAY_SIZE(reason_names) ? reason_names[basic] : NULL;
}

/* "Format of Exit Reason" */
static const struct word_part reason_flags[] = {
	WORD_FIELD(0, 15, "reason"), WORD_BIT(25, "busy-shadow-stack"), WORD_BIT(26, "bus-lock"),
	WORD_BIT(27, "enclave-mode"), WORD_BIT(28, "pending-MTF"), WORD_BIT(29, "from-VMX-root"),
	WORD_BIT(31, "VM-entry-failure"),
};
static const struct word word_reason_flags = WORD(reason_flags);

void exit_reason_text(struct text *t, u32 reason)
{
	const char *name = exit_reason_name(reason & 0xffff);
	struct text flags = { .len = 0 };

	text_add(t, "%u %s", reason & 0xffff, name ? name : "(not in the manual)");
	word_text(&flags, &word_reason_flags, reason & ~0xffffU);
	if (flags.len)
		text_add(t, " [%s]", flags.buf);
}

void event_text(struct text *t, u32 info)
{
	static const char *const types[] = {
		"external interrupt", "reserved event", "NMI", "hardware exception",
		"software interrupt", "privileged software exception", "software exception",
		"other event",
	};
	u32 vector = info & 0xff, type = info >> 8 & 7;

	if (!(info & BIT(31))) {
		text_add(t, "not valid");
		return;
	}
	text_add(t, "%s", types[type]);
	if ((type == 3 || type == 5 || type == 6) && vector_name(vector))
		text_add(t, " %s", vector_name(vector));
	text_add(t, ", vector %u%s", vector, info & BIT(11) ? ", with error code" : "");
}

const char *gpr_name(unsigned int number)
{
	static const char *const names[] = {
		"RAX", "RCX", "RDX", "RBX", "RSP", "RBP", "RSI", "RDI",
		"R8", "R9", "R10", "R11", "R12", "R13", "R14", "R15",
	};

	return names[number & 15];
}

/* "Exit Qualification for Control-Register Accesses" */
static void cr_text(struct text *t, u64 q)
{
	unsigned int cr = q & 15;
	const char *reg = gpr_name(q >> 8 & 15);

	switch (q >> 4 & 3) {
	case 0:
		text_item(t, "MOV to CR%u from %s", cr, reg);
		break;
	case 1:
		text_item(t, "MOV from CR%u to %s", cr, reg);
		break;
	case 2:
		text_item(t, "CLTS");
		break;
	default:
		text_item(t, "LMSW of 0x%04x from %s", (u32)(q >> 16) & 0xffff,
			  q & BIT(6) ? "memory" : "a register");
	}
}

/* "Exit Qualification for I/O Instructions" */
static void io_text(struct text *t, u64 q)
{
	text_item(t, "%s%s%s port 0x%x, %u byte%s%s", q & BIT(5) ? "REP " : "",
		  q & BIT(3) ? "IN" : "OUT", q & BIT(4) ? "S" : "", (u32)(q >> 16) & 0xffff,
		  (u32)(q & 7) + 1, q & 7 ? "s" : "",
		  q & BIT(6) ? ", port in the instruction" : "");
}

/* "Exit Qualification for EPT Violations" */
static void ept_text(struct text *t, u64 q)
{
	static const char *const kinds[] = { "read", "write", "fetch" };
	static const char *const rights[] = { "read", "write", "execute", "user-execute" };
	const char *gap = "";
	unsigned int i;

	if (t->len)
		text_add(t, ", ");
	for (i = 0; i < 3; i++) {
		if (q & BIT(i)) {
			text_add(t, "%s%s", gap, kinds[i]);
			gap = "+";
		}
	}
	text_add(t, "%s; mapped for: ", *gap ? "" : "no access");
	for (i = 0, gap = ""; i < 4; i++) {
		if (q & BIT(3 + i)) {
			text_add(t, "%s%s", gap, rights[i]);
			gap = "+";
		}
	}
	if (!*gap)
		text_add(t, "nothing");
	if (q & BIT(7))
		text_item(t, "%s", q & BIT(8) ? "by a linear address" : "by the guest's page walk");
	if (q & BIT(12))
		text_item(t, "NMI unblocked by IRET");
	if (q & BIT(13))
		text_item(t, "shadow-stack access");
	if (q & BIT(15))
		text_item(t, "guest-paging verification");
	if (q & BIT(16))
		text_item(t, "asynchronous");
}

/* "Exit Qualification for APIC-Access VM Exits from Linear Accesses and Guest-Physical Accesses" */
static void apic_text(struct text *t, u64 q)
{
	static const char *const kinds[16] = {
		[0] = "linear read", [1] = "linear write", [2] = "instruction fetch",
		[3] = "event delivery", [4] = "monitoring by user interrupts",
		[10] = "guest-physical, event delivery", [15] = "guest-physical, instruction",
	};
	const char *kind = kinds[q >> 12 & 15];

	text_item(t, "%s at offset 0x%x", kind ? kind : "access of a reserved type",
		  (u32)q & 0xfff);
}

/* "Exit Qualification for Task Switches" */
static void task_text(struct text *t, u64 q)
{
	static const char *const sources[] = { "CALL", "IRET", "JMP", "a task gate in the IDT" };

	text_item(t, "to TSS selector 0x%04x by %s", (u32)q & 0xffff, sources[q >> 30 & 3]);
}

static void exception_text(struct text *t, u64 q, u32 event)
{
	struct text dr6 = { .len = 0 };

	if (!(event & BIT(31)))
		return;
	event_text(t, event);
	if ((event >> 8 & 7) != 3)
		return;
	if ((event & 0xff) == 14)
		text_item(t, "linear address 0x%llx", (unsigned long long)q);
	if ((event & 0xff) == 1) {
		word_text(&dr6, &word_dr6, q);
		text_item(t, "%s", dr6.len ? dr6.buf : "no condition");
	}
}

/* "VM-Entry Failures During or After Loading Guest State" */
static void guest_state_text(struct text *t, u64 q)
{
	switch (q) {
	case 2:
		text_item(t, "loading the PDPTEs failed");
		break;
	case 3:
		text_item(t, "an NMI was to be injected while blocked by STI");
		break;
	case 4:
		text_item(t, "the VMCS link pointer is invalid");
		break;
	default:
		text_item(t, "a check of the guest state failed");
	}
}

static void mwait_text(struct text *t, u64 q)
{
	text_item(t, "the monitor hardware was %sarmed", q & 1 ? "" : "not ");
}

static void sipi_text(struct text *t, u64 q)
{
	text_item(t, "vector 0x%02x: starts at 0x%x", (u32)q & 0xff, ((u32)q & 0xff) << 12);
}

static void dr_text(struct text *t, u64 q)
{
	if (q & BIT(4))
		text_item(t, "MOV from DR%u to %s", (u32)q & 7, gpr_name(q >> 8 & 15));
	else
		text_item(t, "MOV to DR%u from %s", (u32)q & 7, gpr_name(q >> 8 & 15));
}

static void linear_text(struct text *t, u64 q)
{
	text_item(t, "linear address 0x%llx", (unsigned long long)q);
}

static void entry_text(struct text *t, u64 q)
{
	text_item(t, "entry %llu of the VM-entry MSR-load area", (unsigned long long)q);
}

static void eoi_text(struct text *t, u64 q)
{
	text_item(t, "vector %u", (u32)q & 0xff);
}

static void offset_text(struct text *t, u64 q)
{
	text_item(t, "offset 0x%x of the APIC page", (u32)q & 0xfff);
}

static void displacement_text(struct text *t, u64 q)
{
	text_item(t, "displacement 0x%llx of the memory operand", (unsigned long long)q);
}

static void unblocked_text(struct text *t, u64 q)
{
	if (q & BIT(12))
		text_item(t, "NMI unblocked by IRET");
}

static void timeout_text(struct text *t, u64 q)
{
	text_item(t, "the VM's context is %s", q & 1 ? "corrupted" : "good");
	unblocked_text(t, q);
}

static void (*const qualifications[])(struct text *t, u64 q) = {
	[EXIT_SIPI] = sipi_text,
	[EXIT_TASK_SWITCH] = task_text,
	[EXIT_INVLPG] = linear_text,
	[19] = displacement_text,	/* VMCLEAR, VMPTRLD, VMPTRST, VMREAD, VMWRITE, VMXON */
	[21] = displacement_text,
	[22] = displacement_text,
	[23] = displacement_text,
	[25] = displacement_text,
	[27] = displacement_text,
	[EXIT_CR] = cr_text,
	[EXIT_DR] = dr_text,
	[EXIT_IO] = io_text,
	[EXIT_GUEST_STATE] = guest_state_text,
	[EXIT_MSR_LOADING] = entry_text,
	[EXIT_MWAIT] = mwait_text,
	[EXIT_APIC_ACCESS] = apic_text,
	[EXIT_EOI] = eoi_text,
	[EXIT_GDTR_IDTR] = displacement_text,
	[EXIT_LDTR_TR] = displacement_text,
	[EXIT_EPT_VIOLATION] = ept_text,
	[EXIT_INVEPT] = displacement_text,
	[EXIT_INVVPID] = displacement_text,
	[EXIT_APIC_WRITE] = offset_text,
	[EXIT_INVPCID] = displacement_text,
	[EXIT_PML_FULL] = unblocked_text,
	[EXIT_XSAVES] = displacement_text,
	[EXIT_XRSTORS] = displacement_text,
	[EXIT_INSTRUCTION_TIMEOUT] = timeout_text,
};

void exit_qualification_text(struct text *t, u32 reason, u64 qualification, u32 event)
{
	struct text own = { .len = 0 };
	u32 basic = reason & 0xffff;

	if (basic == EXIT_EXCEPTION)
		exception_text(&own, qualification, event);
	else if (basic < ARRAY_SIZE(qualifications) && qualifications[basic])
		qualifications[basic](&own, qualification);
	text_add(t, "%s", own.buf);
}

bool exit_writes(u32 reason, u32 encoding)
{
	u32 basic = reason & 0xffff;

	switch (encoding) {
	case VMCS_F_GUEST_PHYSICAL_ADDRESS:
		return basic == EXIT_EPT_VIOLATION || basic == EXIT_EPT_MISCONFIG ||
		       basic == EXIT_SPP;
	case VMCS_F_GUEST_LINEAR_ADDRESS:
		/* INS, OUTS, LMSW from memory, and EPT violations by a linear address. */
		return basic == EXIT_IO || basic == EXIT_CR || basic == EXIT_EPT_VIOLATION ||
		       basic == EXIT_SPP;
	default:
		return true;
	}
}

const char *instruction_error_name(u32 error)
{
	static const char *const names[] = {
		[1] = "VMCALL executed in VMX root operation",
		[2] = "VMCLEAR with invalid physical address",
		[3] = "VMCLEAR with VMXON pointer", [4] = "VMLAUNCH with non-clear VMCS",
		[5] = "VMRESUME with non-launched VMCS", [6] = "VMRESUME after VMXOFF",
		[7] = "VM entry with invalid control field(s)",
		[8] = "VM entry with invalid host-state field(s)",
		[9] = "VMPTRLD with invalid physical address", [10] = "VMPTRLD with VMXON pointer",
		[11] = "VMPTRLD with incorrect VMCS revision identifier",
		[12] = "VMREAD/VMWRITE from/to unsupported VMCS component",
		[13] = "VMWRITE to read-only VMCS component",
		[15] = "VMXON executed in VMX root operation",
		[16] = "VM entry with invalid executive-VMCS pointer",
		[17] = "VM entry with non-launched executive VMCS",
		[18] = "VM entry with executive-VMCS pointer not VMXON pointer",
		[19] = "VMCALL with non-clear VMCS",
		[20] = "VMCALL with invalid VM-exit control fields",
		[22] = "VMCALL with incorrect MSEG revision identifier",
		[23] = "VMXOFF under dual-monitor treatment of SMIs and SMM",
		[24] = "VMCALL with invalid SMM-monitor features",
		[25] = "VM entry with invalid VM-execution control fields in executive VMCS",
		[26] = "VM entry with events blocked by MOV SS",
		[28] = "invalid operand to INVEPT/INVVPID",
	};

	return error < ARRAY_SIZE(names) ? names[error] : NULL;
}

void exit_text(struct text *t, const struct vmcs_dump *d)
{
	u32 reason = (u32)dump_value(d, VMCS_F_VM_EXIT_REASON);
	struct text more = { .len = 0 };

	exit_reason_text(t, reason);
	exit_qualification_text(&more, reason, dump_value(d, VMCS_F_EXIT_QUALIFICATION),
				(u32)dump_value(d, VMCS_F_VM_EXIT_INTR_INFO));
	if (exit_writes(reason, VMCS_F_GUEST_PHYSICAL_ADDRESS))
		text_item(&more, "guest-physical address 0x%llx",
			  (unsigned long long)dump_value(d, VMCS_F_GUEST_PHYSICAL_ADDRESS));
	if (more.len)
		text_add(t, ": %s", more.buf);
}
