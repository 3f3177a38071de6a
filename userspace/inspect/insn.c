// SPDX-License-Identifier: GPL-2.0
/*
 * Tells the VM-exit instruction-information field: the operands of the instruction that exited.
 *
 * Source: Intel SDM vol. 3C (December 2023), "Information for VM Exits Due to Instruction Execution",
 * the tables "Format of the VM-Exit Instruction-Information Field as Used for ...".
 */
#include "inspect/exits.h"

#define INFO_REGISTER		BIT(10)	/* the operand is a register, not memory */
#define INFO_NO_INDEX		BIT(22)
#define INFO_NO_BASE		BIT(27)

static const char *segment_name(u32 info)
{
	static const char *const names[] = { "ES", "CS", "SS", "DS", "FS", "GS", "?", "?" };

	return names[info >> 15 & 7];
}

static const char *address_size(u32 info)
{
	static const char *const names[] = { "16-bit", "32-bit", "64-bit" };

	return (info >> 7 & 7) < 3 ? names[info >> 7 & 7] : "reserved-size";
}

/* The address without its displacement, which is the exit qualification. */
static void memory_text(struct text *t, u32 info)
{
	text_item(t, "%s:[", segment_name(info));
	if (!(info & INFO_NO_BASE))
		text_add(t, "%s + ", gpr_name(info >> 23 & 15));
	if (!(info & INFO_NO_INDEX))
		text_add(t, "%s * %u + ", gpr_name(info >> 18 & 15), 1U << (info & 3));
	text_add(t, "displacement], %s address", address_size(info));
}

static void operand_text(struct text *t, u32 info)
{
	if (info & INFO_REGISTER)
		text_item(t, "%s", gpr_name(info >> 3 & 15));
	else
		memory_text(t, info);
}

/* SGDT and its kin, SLDT and its kin. */
static void table_text(struct text *t, u32 reason, u32 info)
{
	static const char *const names[2][4] = {
		{ "SGDT", "SIDT", "LGDT", "LIDT" }, { "SLDT", "STR", "LLDT", "LTR" },
	};

	text_item(t, "%s", names[reason == 47][info >> 28 & 3]);
	if (reason == 47) {
		operand_text(t, info);
	} else {
		memory_text(t, info);
		/* In 64-bit mode it is undefined. */
		text_item(t, "%s operand", info & BIT(11) ? "32-bit" : "16-bit");
	}
}

static void random_text(struct text *t, u32 info)
{
	static const char *const sizes[] = { "16-bit", "32-bit", "64-bit", "reserved-size" };

	text_item(t, "to %s, %s", gpr_name(info >> 3 & 15), sizes[info >> 11 & 3]);
}

void instruction_text(struct text *t, u32 reason, u64 qualification, u32 info)
{
	struct text own = { .len = 0 };

	switch (reason & 0xffff) {
	case 30:	/* I/O: INS and OUTS */
		if (qualification & BIT(4))
			text_item(&own, "%s address%s%s", address_size(info),
				  qualification & BIT(3) ? "" : ", segment ",
				  qualification & BIT(3) ? "" : segment_name(info));
		break;
	case 46:
	case 47:
		table_text(&own, reason & 0xffff, info);
		break;
	case 50:	/* INVEPT, INVVPID, INVPCID */
	case 53:
	case 58:
		text_item(&own, "type in %s", gpr_name(info >> 28));
		memory_text(&own, info);
		break;
	case 23:	/* VMREAD, VMWRITE */
	case 25:
		operand_text(&own, info);
		text_item(&own, "encoding in %s", gpr_name(info >> 28));
		break;
	case 19:	/* VMCLEAR, VMPTRLD, VMPTRST, VMXON, XSAVES, XRSTORS */
	case 21:
	case 22:
	case 27:
	case 63:
	case 64:
		memory_text(&own, info);
		break;
	case 57:	/* RDRAND, RDSEED */
	case 61:
		random_text(&own, info);
		break;
	}
	text_add(t, "%s", own.buf);
}
