// SPDX-License-Identifier: GPL-2.0
/*
 * The VM-entry checker's rules about the guest's segment registers: one rule for each register and
 * each thing that must be true of it.
 *
 * Source: Intel SDM vol. 3C (December 2023), "VM Entries", "Checks on Guest Segment Registers".
 */
#include "check_impl.h"

static u64 seg_base(const struct vmcs_check *c, enum segment seg)
{
	return field_of(c, VMCS_F_GUEST_ES_BASE + 2 * seg);
}

static u32 seg_limit(const struct vmcs_check *c, enum segment seg)
{
	return field_of(c, VMCS_F_GUEST_ES_LIMIT + 2 * seg);
}

/* CS and TR have no choice; the others are checked if they can be used. */
static bool usable(const struct vmcs_check *c, enum segment seg)
{
	return seg == SEG_CS || seg == SEG_TR || !(seg_ar(c, seg) & SEG_AR_UNUSABLE);
}

/* Access rights of code, stack and data segments count if the guest is not in virtual-8086 mode. */
static bool rights_count(const struct vmcs_check *c, enum segment seg)
{
	return usable(c, seg) && (seg >= SEG_LDTR || !guest_v8086(c));
}

/* ---- selectors ---- */
CHECK(table_indicator)
{
	return !usable(c, rule->field) || !(seg_selector(c, rule->field) & 4);
}

CHECK(ss_rpl)
{
	return guest_v8086(c) || unrestricted(c) ||
	       !((seg_selector(c, SEG_SS) ^ seg_selector(c, SEG_CS)) & 3);
}

/* ---- bases ---- */
CHECK(base_v8086)
{
	return !guest_v8086(c) ||
	       seg_base(c, rule->field) == (u64)seg_selector(c, rule->field) << 4;
}

CHECK(base_canonical)
{
	if (rule->field == SEG_LDTR && !usable(c, SEG_LDTR))
		return true;
	return canonical(c, seg_base(c, rule->field));
}

CHECK(base_high)
{
	return !usable(c, rule->field) || !(seg_base(c, rule->field) >> 32);
}

/* ---- limits and access rights of virtual-8086 mode ---- */
CHECK(limit_v8086)
{
	return !guest_v8086(c) || seg_limit(c, rule->field) == 0xffff;
}

CHECK(rights_v8086)
{
	return !guest_v8086(c) || seg_ar(c, rule->field) == 0xf3;
}

/* ---- access rights otherwise ---- */
CHECK(cs_type)
{
	u32 type = SEG_AR_TYPE(seg_ar(c, SEG_CS));

	if (!rights_count(c, SEG_CS))
		return true;
	return (type >= 9 && type & 1) || (type == 3 && unrestricted(c));
}

CHECK(ss_type)
{
	u32 type = SEG_AR_TYPE(seg_ar(c, SEG_SS));

	return !rights_count(c, SEG_SS) || type == 3 || type == 7;
}

/* Accessed, and readable if it is code. */
CHECK(data_type)
{
	u32 type = SEG_AR_TYPE(seg_ar(c, rule->field));

	return !rights_count(c, rule->field) || (type & 1 && (!(type & 8) || type & 2));
}

CHECK(tr_type)
{
	u32 type = SEG_AR_TYPE(seg_ar(c, SEG_TR));

	return type == 11 || (type == 3 && !guest_ia32e(c));
}

CHECK(ldtr_type)
{
	return !usable(c, SEG_LDTR) || SEG_AR_TYPE(seg_ar(c, SEG_LDTR)) == 2;
}

CHECK(is_segment)
{
	return !rights_count(c, rule->field) || seg_ar(c, rule->field) & SEG_AR_S;
}

CHECK(is_system)
{
	return !usable(c, rule->field) || !(seg_ar(c, rule->field) & SEG_AR_S);
}

CHECK(cs_dpl)
{
	u32 dpl = SEG_AR_DPL(seg_ar(c, SEG_CS)), ss_dpl = SEG_AR_DPL(seg_ar(c, SEG_SS));

	if (!rights_count(c, SEG_CS))
		return true;
	switch (SEG_AR_TYPE(seg_ar(c, SEG_CS))) {
	case 3:
		return rule->arg != 3 || !dpl;
	case 9:
	case 11:
		return rule->arg != 9 || dpl == ss_dpl;
	case 13:
	case 15:
		return rule->arg != 13 || dpl <= ss_dpl;
	default:
		return true;
	}
}

CHECK(ss_dpl_rpl)
{
	return guest_v8086(c) || unrestricted(c) ||
	       SEG_AR_DPL(seg_ar(c, SEG_SS)) == (u32)(seg_selector(c, SEG_SS) & 3);
}

CHECK(ss_dpl_zero)
{
	if (guest_v8086(c))
		return true;
	return !SEG_AR_DPL(seg_ar(c, SEG_SS)) ||
	       (SEG_AR_TYPE(seg_ar(c, SEG_CS)) != 3 && c->cr0 & CHECK_CR0_PE);
}

CHECK(data_dpl)
{
	u32 ar = seg_ar(c, rule->field);

	return unrestricted(c) || !rights_count(c, rule->field) || SEG_AR_TYPE(ar) > 11 ||
	       SEG_AR_DPL(ar) >= (u32)(seg_selector(c, rule->field) & 3);
}

CHECK(present)
{
	return !rights_count(c, rule->field) || seg_ar(c, rule->field) & SEG_AR_P;
}

CHECK(reserved_rights)
{
	return !rights_count(c, rule->field) ||
	       !(seg_ar(c, rule->field) & SEG_AR_RESERVED);
}

CHECK(cs_default)
{
	u32 ar = seg_ar(c, SEG_CS);

	return guest_v8086(c) || !guest_ia32e(c) || !(ar & SEG_AR_L) || !(ar & SEG_AR_DB);
}

CHECK(granularity)
{
	u32 limit = seg_limit(c, rule->field);
	bool g = seg_ar(c, rule->field) & SEG_AR_G;

	if (!rights_count(c, rule->field))
		return true;
	return g ? (limit & 0xfff) == 0xfff : !(limit >> 20);
}

CHECK(tr_usable)
{
	return !(seg_ar(c, SEG_TR) & SEG_AR_UNUSABLE);
}

#define V8086(reg, REG)								\
	{ "guest-" reg "-base-v8086",						\
	  "in virtual-8086 mode " #REG "'s base is its selector times 16",	\
	  base_v8086, SEG_##REG, 0 },						\
	{ "guest-" reg "-limit-v8086",						\
	  "in virtual-8086 mode " #REG "'s limit is FFFFH",			\
	  limit_v8086, SEG_##REG, 0 },						\
	{ "guest-" reg "-rights-v8086",						\
	  "in virtual-8086 mode " #REG "'s access rights are F3H",		\
	  rights_v8086, SEG_##REG, 0 }

#define RIGHTS(reg, REG)							\
	{ "guest-" reg "-present", #REG " is present", present, SEG_##REG, 0 },	\
	{ "guest-" reg "-reserved", "reserved bits of " #REG "'s access rights are 0", \
	  reserved_rights, SEG_##REG, 0 },					\
	{ "guest-" reg "-granularity",						\
	  #REG "'s limit fits its G bit: with G it ends in FFFH, without it is below 1 MiB", \
	  granularity, SEG_##REG, 0 }

#define SEGMENT(reg, REG)							\
	{ "guest-" reg "-segment", #REG " is a code or data segment: S is 1",	\
	  is_segment, SEG_##REG, 0 },						\
	RIGHTS(reg, REG)

#define DATA(reg, REG)								\
	{ "guest-" reg "-type", #REG "'s type is accessed, and readable if it is code", \
	  data_type, SEG_##REG, 0 },						\
	{ "guest-" reg "-dpl",							\
	  "unless the guest is unrestricted, " #REG "'s DPL is not below its RPL", \
	  data_dpl, SEG_##REG, 0 },						\
	SEGMENT(reg, REG)

#define SYSTEM(reg, REG)							\
	{ "guest-" reg "-system", #REG " is a system segment: S is 0",		\
	  is_system, SEG_##REG, 0 },						\
	RIGHTS(reg, REG)

#define BASE(reg, REG, what, holds)						\
	{ "guest-" reg "-base", #REG "'s base " what, holds, SEG_##REG, 0 }

const struct vmcs_rule vmcs_guest_segment_rules[] = {
	{ "guest-tr-table", "TR's selector is in the GDT: TI is 0", table_indicator, SEG_TR, 0 },
	{ "guest-ldtr-table", "LDTR's selector is in the GDT: TI is 0",
	  table_indicator, SEG_LDTR, 0 },
	{ "guest-ss-rpl", "unless the guest is unrestricted, SS's RPL equals CS's",
	  ss_rpl, SEG_SS, 0 },
	V8086("cs", CS),
	V8086("ss", SS),
	V8086("ds", DS),
	V8086("es", ES),
	V8086("fs", FS),
	V8086("gs", GS),
	BASE("tr", TR, "is canonical", base_canonical),
	BASE("fs", FS, "is canonical", base_canonical),
	BASE("gs", GS, "is canonical", base_canonical),
	BASE("ldtr", LDTR, "is canonical", base_canonical),
	BASE("cs", CS, "is below 4 GiB", base_high),
	BASE("ss", SS, "is below 4 GiB", base_high),
	BASE("ds", DS, "is below 4 GiB", base_high),
	BASE("es", ES, "is below 4 GiB", base_high),
	{ "guest-cs-type",
	  "CS's type is accessed code, or read/write accessed data in an unrestricted guest",
	  cs_type, SEG_CS, 0 },
	{ "guest-cs-dpl-data", "CS's DPL is 0 if its type is data", cs_dpl, SEG_CS, 3 },
	{ "guest-cs-dpl-nonconforming", "CS's DPL equals SS's if it is non-conforming code",
	  cs_dpl, SEG_CS, 9 },
	{ "guest-cs-dpl-conforming", "CS's DPL is not above SS's if it is conforming code",
	  cs_dpl, SEG_CS, 13 },
	{ "guest-cs-default", "64-bit code has CS.D clear", cs_default, SEG_CS, 0 },
	SEGMENT("cs", CS),
	{ "guest-ss-type", "SS's type is read/write accessed data", ss_type, SEG_SS, 0 },
	{ "guest-ss-dpl", "unless the guest is unrestricted, SS's DPL equals its RPL",
	  ss_dpl_rpl, SEG_SS, 0 },
	{ "guest-ss-dpl-zero", "SS's DPL is 0 in real mode, and if CS's type is data",
	  ss_dpl_zero, SEG_SS, 0 },
	SEGMENT("ss", SS),
	DATA("ds", DS),
	DATA("es", ES),
	DATA("fs", FS),
	DATA("gs", GS),
	{ "guest-tr-type", "TR's type is a busy TSS: 11, or 3 outside IA-32e mode",
	  tr_type, SEG_TR, 0 },
	{ "guest-tr-usable", "TR is usable", tr_usable, SEG_TR, 0 },
	SYSTEM("tr", TR),
	{ "guest-ldtr-type", "LDTR's type is an LDT: 2", ldtr_type, SEG_LDTR, 0 },
	SYSTEM("ldtr", LDTR),
	{ 0 }
};
