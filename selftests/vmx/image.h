/* SPDX-License-Identifier: GPL-2.0 */
/*
 * VMCSs for tests of the VM-entry checker: valid ones, and for each rule the change that breaks it.
 * Pure C: the test module writes them into a real VMCS, the unit test looks at them as they are.
 */
#ifndef SELFTESTS_VMX_IMAGE_H
#define SELFTESTS_VMX_IMAGE_H

#include "../../module/vmx/check.h"

#define IMAGE_FIELDS	160
#define IMAGE_CAP_FIRST	0x480
#define IMAGE_CAPS	(0x491 - IMAGE_CAP_FIRST + 1)

/**
 * struct image_env - what a valid VMCS depends on
 * @caps: capability MSRs from IA32_VMX_BASIC on
 * @eptp: EPT pointer; it maps what image_guest_page() fills, from guest-physical 0 on
 * @data: physical address of a page that image_data_page() filled
 * @shadow: physical address of a page that begins like a shadow VMCS
 * @host_cr0: @host_cr3: @host_cr4: and so on: host state
 */
struct image_env {
	u64 caps[IMAGE_CAPS];
	u64 eptp, data, shadow;
	u64 host_cr0, host_cr3, host_cr4, host_efer, host_pat;
	u64 host_rip, host_fs_base, host_gs_base, host_tr_base, host_gdtr_base, host_idtr_base;
	u64 host_sysenter_esp, host_sysenter_eip;
	u32 host_sysenter_cs;
	u16 host_cs, host_ss, host_tr;
};

/** struct image - fields of a VMCS, in the order they were set */
struct image {
	unsigned int nr;
	struct {
		u32 encoding;
		u64 value;
	} field[IMAGE_FIELDS];
};

/** enum image_base - valid VMCSs, each for a guest that makes one exit */
enum image_base {
	BASE_LONG,		/* 64-bit, not unrestricted */
	BASE_LONG_UNRESTRICTED,
	BASE_PAE,		/* 32-bit with PAE paging */
	BASE_V8086,
	BASE_REAL,		/* unrestricted */
	NR_BASES,
};

/** enum edit_op - how a break changes a field */
enum edit_op {
	EDIT_NONE,
	EDIT_SET,		/* these bits */
	EDIT_CLEAR,		/* these bits */
	EDIT_PUT,		/* this value */
	EDIT_PUT_DATA,		/* an address: so far into the data page */
	EDIT_PUT_SHADOW,	/* the address of the shadow VMCS */
	EDIT_CLEAR_REQUIRED,	/* the lowest bit that this capability MSR requires */
	EDIT_SET_FORBIDDEN,	/* the highest bit that this capability MSR does not allow */
};

#define BREAK_EDITS	8

/**
 * struct rule_break - a change that breaks one rule and no other
 * @rule: its name
 * @base: of which VMCS
 * @edit: in this order
 */
struct rule_break {
	const char *rule;
	enum image_base base;
	struct {
		u32 encoding;
		enum edit_op op;
		u64 value;
	} edit[BREAK_EDITS];
};

/** rule_breaks - one for each rule; ends with one without name */
extern const struct rule_break rule_breaks[];

/** image_base_name() - for messages */
const char *image_base_name(enum image_base base);

/** image_base_exit() - reason of the guest's first exit: HLT, or CPUID in virtual-8086 mode */
u16 image_base_exit(enum image_base base);

/** image_init() - make a valid VMCS */
void image_init(struct image *im, const struct image_env *env, enum image_base base);

/** image_break() - apply a break */
void image_break(struct image *im, const struct image_env *env, const struct rule_break *b);

/** image_get() - value of a field; 0 if it was never set */
u64 image_get(const struct image *im, u32 encoding);

/** image_cap() - a capability MSR; 0 if there is none */
u64 image_cap(const struct image_env *env, u32 msr);

#define IMAGE_GUEST_PAGES	5

/** image_guest_page() - fill page @nr of the guest's memory: code and paging structures */
void image_guest_page(u8 *page, unsigned int nr);

/** image_data_page() - fill the page at @env->data; @env->caps is filled in */
void image_data_page(u8 *page, const struct image_env *env);

/** image_shadow_page() - fill the page at @env->shadow */
void image_shadow_page(u8 *page, const struct image_env *env);

#endif
