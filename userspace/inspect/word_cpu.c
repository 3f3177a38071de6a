// SPDX-License-Identifier: GPL-2.0
/*
 * The names of the bits of the architecture's registers.
 *
 * Source: Intel SDM vol. 3A (December 2023), "Control Registers", "System Flags and Fields in the
 * EFLAGS Register", "Segment Descriptors", "Debug Registers", "Page Attribute Table (PAT)".
 */
#include "inspect/word.h"

static const struct word_part cr0_parts[] = {
	WORD_BIT(0, "PE"), WORD_BIT(1, "MP"), WORD_BIT(2, "EM"), WORD_BIT(3, "TS"),
	WORD_BIT(4, "ET"), WORD_BIT(5, "NE"), WORD_BIT(16, "WP"), WORD_BIT(18, "AM"),
	WORD_BIT(29, "NW"), WORD_BIT(30, "CD"), WORD_BIT(31, "PG"),
};
const struct word word_cr0 = WORD(cr0_parts);

static const struct word_part cr4_parts[] = {
	WORD_BIT(0, "VME"), WORD_BIT(1, "PVI"), WORD_BIT(2, "TSD"), WORD_BIT(3, "DE"),
	WORD_BIT(4, "PSE"), WORD_BIT(5, "PAE"), WORD_BIT(6, "MCE"), WORD_BIT(7, "PGE"),
	WORD_BIT(8, "PCE"), WORD_BIT(9, "OSFXSR"), WORD_BIT(10, "OSXMMEXCPT"),
	WORD_BIT(11, "UMIP"), WORD_BIT(12, "LA57"), WORD_BIT(13, "VMXE"), WORD_BIT(14, "SMXE"),
	WORD_BIT(16, "FSGSBASE"), WORD_BIT(17, "PCIDE"), WORD_BIT(18, "OSXSAVE"),
	WORD_BIT(19, "KL"), WORD_BIT(20, "SMEP"), WORD_BIT(21, "SMAP"), WORD_BIT(22, "PKE"),
	WORD_BIT(23, "CET"), WORD_BIT(24, "PKS"), WORD_BIT(25, "UINTR"), WORD_BIT(28, "LAM_SUP"),
};
const struct word word_cr4 = WORD(cr4_parts);

static const struct word_part efer_parts[] = {
	WORD_BIT(0, "SCE"), WORD_BIT(8, "LME"), WORD_BIT(10, "LMA"), WORD_BIT(11, "NXE"),
};
const struct word word_efer = WORD(efer_parts);

static const struct word_part rflags_parts[] = {
	WORD_BIT(0, "CF"), WORD_BIT(2, "PF"), WORD_BIT(4, "AF"), WORD_BIT(6, "ZF"),
	WORD_BIT(7, "SF"), WORD_BIT(8, "TF"), WORD_BIT(9, "IF"), WORD_BIT(10, "DF"),
	WORD_BIT(11, "OF"), WORD_FIELD(12, 13, "IOPL"), WORD_BIT(14, "NT"), WORD_BIT(16, "RF"),
	WORD_BIT(17, "VM"), WORD_BIT(18, "AC"), WORD_BIT(19, "VIF"), WORD_BIT(20, "VIP"),
	WORD_BIT(21, "ID"),
};
const struct word word_rflags = {
	.parts = rflags_parts, .nr_parts = ARRAY_SIZE(rflags_parts), .fixed = BIT(1),
};

static const struct word_part debugctl_parts[] = {
	WORD_BIT(0, "LBR"), WORD_BIT(1, "BTF"), WORD_BIT(2, "BLD"), WORD_BIT(6, "TR"),
	WORD_BIT(7, "BTS"), WORD_BIT(8, "BTINT"), WORD_BIT(9, "BTS_OFF_OS"),
	WORD_BIT(10, "BTS_OFF_USR"), WORD_BIT(11, "FREEZE_LBRS_ON_PMI"),
	WORD_BIT(12, "FREEZE_PERFMON_ON_PMI"), WORD_BIT(13, "ENABLE_UNCORE_PMI"),
	WORD_BIT(14, "FREEZE_WHILE_SMM"), WORD_BIT(15, "RTM"),
};
const struct word word_debugctl = WORD(debugctl_parts);

static const struct word_part dr6_parts[] = {
	WORD_BIT(0, "B0"), WORD_BIT(1, "B1"), WORD_BIT(2, "B2"), WORD_BIT(3, "B3"),
	WORD_BIT(11, "BLD"), WORD_BIT(13, "BD"), WORD_BIT(14, "BS"), WORD_BIT(16, "RTM"),
};
/* As an exit qualification gives it: the reserved ones are zero, and BLD and RTM positive. */
const struct word word_dr6 = WORD(dr6_parts);

static const struct word_part dr7_parts[] = {
	WORD_BIT(0, "L0"), WORD_BIT(1, "G0"), WORD_BIT(2, "L1"), WORD_BIT(3, "G1"),
	WORD_BIT(4, "L2"), WORD_BIT(5, "G2"), WORD_BIT(6, "L3"), WORD_BIT(7, "G3"),
	WORD_BIT(8, "LE"), WORD_BIT(9, "GE"), WORD_BIT(11, "RTM"), WORD_BIT(13, "GD"),
	WORD_FIELD(16, 17, "R/W0"), WORD_FIELD(18, 19, "LEN0"),
	WORD_FIELD(20, 21, "R/W1"), WORD_FIELD(22, 23, "LEN1"),
	WORD_FIELD(24, 25, "R/W2"), WORD_FIELD(26, 27, "LEN2"),
	WORD_FIELD(28, 29, "R/W3"), WORD_FIELD(30, 31, "LEN3"),
};
const struct word word_dr7 = {
	.parts = dr7_parts, .nr_parts = ARRAY_SIZE(dr7_parts), .fixed = BIT(10),
};

static const struct word_part pf_error_parts[] = {
	WORD_BIT(0, "protection"), WORD_BIT(1, "write"), WORD_BIT(2, "user"),
	WORD_BIT(3, "reserved-bit"), WORD_BIT(4, "fetch"), WORD_BIT(5, "protection-key"),
	WORD_BIT(6, "shadow-stack"), WORD_BIT(7, "HLAT"), WORD_BIT(15, "SGX"),
};
const struct word word_pf_error = WORD(pf_error_parts);

static const struct word_part selector_parts[] = {
	WORD_FIELD(0, 1, "RPL"), WORD_BIT(2, "LDT"), WORD_FIELD(3, 15, "index"),
};
const struct word word_selector = WORD(selector_parts);

static const char *const exception_names[32] = {
	"#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "#9", "#TS", "#NP", "#SS",
	"#GP", "#PF", NULL, "#MF", "#AC", "#MC", "#XM", "#VE", "#CP",
};

const char *vector_name(unsigned int vector)
{
	return vector < ARRAY_SIZE(exception_names) ? exception_names[vector] : NULL;
}

static const struct word_part exception_parts[] = {
	WORD_BIT(0, "#DE"), WORD_BIT(1, "#DB"), WORD_BIT(3, "#BP"), WORD_BIT(4, "#OF"),
	WORD_BIT(5, "#BR"), WORD_BIT(6, "#UD"), WORD_BIT(7, "#NM"), WORD_BIT(8, "#DF"),
	WORD_BIT(10, "#TS"), WORD_BIT(11, "#NP"), WORD_BIT(12, "#SS"), WORD_BIT(13, "#GP"),
	WORD_BIT(14, "#PF"), WORD_BIT(16, "#MF"), WORD_BIT(17, "#AC"), WORD_BIT(18, "#MC"),
	WORD_BIT(19, "#XM"), WORD_BIT(20, "#VE"), WORD_BIT(21, "#CP"),
};
const struct word word_exceptions = WORD(exception_parts);

const char *memory_type_name(unsigned int type)
{
	static const char *const names[] = { "UC", "WC", NULL, NULL, "WT", "WP", "WB", "UC-" };

	return type < ARRAY_SIZE(names) && names[type] ? names[type] : "reserved";
}

void pat_text(struct text *t, u64 pat)
{
	unsigned int i;

	for (i = 0; i < 8; i++)
		text_add(t, "%sPA%u=%s", i ? " " : "", i,
			 memory_type_name((unsigned int)(pat >> (8 * i)) & 0xff));
}

/* "Code- and Data-Segment Types" */
static void code_or_data(struct text *t, u32 type)
{
	if (type & 8)
		text_add(t, "code, execute%s%s", type & 2 ? "/read" : " only",
			 type & 4 ? ", conforming" : "");
	else
		text_add(t, "data, read%s%s", type & 2 ? "/write" : " only",
			 type & 4 ? ", expand-down" : "");
	if (type & 1)
		text_item(t, "accessed");
}

/* "System-Segment and Gate-Descriptor Types" */
static const char *system_type(u32 type)
{
	switch (type) {
	case 1: return "16-bit TSS (available)";
	case 2: return "LDT";
	case 3: return "16-bit TSS (busy)";
	case 9: return "32/64-bit TSS (available)";
	case 11: return "32/64-bit TSS (busy)";
	default: return "system, type reserved";
	}
}

void access_rights_text(struct text *t, u32 rights)
{
	struct text own = { .len = 0 };

	/* Then the other bits mean nothing, or little. */
	if (rights & BIT(16)) {
		text_add(t, "unusable");
		return;
	}
	if (rights & BIT(4))
		code_or_data(&own, rights & 15);
	else
		text_item(&own, "%s", system_type(rights & 15));
	text_item(&own, "DPL %u", rights >> 5 & 3);
	text_item(&own, "%spresent", rights & BIT(7) ? "" : "not ");
	if (rights & BIT(12))
		text_item(&own, "AVL");
	if (rights & BIT(13))
		text_item(&own, "64-bit (L)");
	if (rights & BIT(14))
		text_item(&own, "32-bit (D/B)");
	if (rights & BIT(15))
		text_item(&own, "limit in 4 KiB (G)");
	if (rights & 0xfffe0f00) {
		text_item(&own, "reserved bits ");
		bits_text(&own, rights & 0xfffe0f00);
	}
	text_add(t, "%s", own.buf);
}
