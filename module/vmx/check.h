/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Answers why a VM entry failed: the manual's checks on VMX controls, host state, guest state and
 * MSRs to load, as tables of rules over a VMCS. Pure C without a call to the kernel: minikvm.ko
 * reads a live VMCS through it, `mkvm vmcs check` a saved one, the tests either.
 *
 * Source: Intel SDM vol. 3C (December 2023), "VM Entries".
 *
 * The checker follows the manual, for a processor in IA-32e mode and outside SMM. Not covered: what
 * CET, Intel PT, LBR virtualization, SGX, MPX, protection keys for supervisors, user interrupts,
 * performance-monitoring MSRs, sub-page permissions and SMM transfers add to the chapter.
 */
#ifndef MINIKVM_VMX_CHECK_H
#define MINIKVM_VMX_CHECK_H

#ifdef __KERNEL__
#include <linux/types.h>
#else
#include "types.h"
#endif

/** enum vmcs_area - what a rule is about; each ends a VM entry in its own way */
enum vmcs_area {
	VMCS_AREA_CONTROLS,	/* VMfailValid, VM-instruction error 7 */
	VMCS_AREA_HOST,		/* VMfailValid, VM-instruction error 8 */
	VMCS_AREA_GUEST,	/* exit reason 33, bit 31 set */
	VMCS_AREA_MSR_LOAD,	/* exit reason 34, bit 31 set */
	NR_VMCS_AREAS,
};

/**
 * struct vmcs_source - where the values come from
 * @field: value of the VMCS field with this encoding, 0 if there is none
 * @msr: value of a VMX capability MSR (IA32_VMX_BASIC to IA32_VMX_VMFUNC), 0 if there is none
 * @memory: copies @len bytes of physical memory; false, or NULL: nobody knows, and rules about
 *	memory hold
 * @opaque: handed to each of the above
 * @phys_bits: width of physical addresses, CPUID.80000008H:EAX[7:0]; 0: not known, all are well
 * @linear_bits: width of linear addresses, CPUID.80000008H:EAX[15:8]; likewise
 */
struct vmcs_source {
	u64 (*field)(void *opaque, u32 encoding);
	u64 (*msr)(void *opaque, u32 index);
	bool (*memory)(void *opaque, u64 pa, void *buf, u32 len);
	void *opaque;
	u8 phys_bits;
	u8 linear_bits;
};

struct vmcs_check;

/**
 * struct vmcs_rule - one thing a VM entry insists on
 * @name: unique, lower case with hyphens
 * @text: one sentence in plain words
 * @holds: does the VMCS keep it?
 * @field: encoding of the field, or number of the register, that @holds looks at
 * @arg: one number more for @holds
 */
struct vmcs_rule {
	const char *name;
	const char *text;
	bool (*holds)(const struct vmcs_check *c, const struct vmcs_rule *rule);
	u32 field;
	u32 arg;
};

/**
 * struct vmcs_section - a section of the manual
 * @title: its title there
 * @area: of all its rules
 * @rules: in the manual's order; the last one has no name
 */
struct vmcs_section {
	const char *title;
	enum vmcs_area area;
	const struct vmcs_rule *rules;
};

/** vmcs_sections - all rules, in the order of the manual; ends with one without a title */
extern const struct vmcs_section vmcs_sections[];

/** struct vmcs_finding - a rule that a VMCS breaks */
struct vmcs_finding {
	const struct vmcs_section *section;
	const struct vmcs_rule *rule;
};

/**
 * vmcs_check_area() - find the first rule of an area that a VMCS breaks
 * @src: the VMCS
 * @area: which rules
 * @found: filled in
 *
 * Context: any in which the functions of @src may be called.
 * Return: true: @found; false: all are kept.
 */
bool vmcs_check_area(const struct vmcs_source *src, enum vmcs_area area,
		     struct vmcs_finding *found);

/**
 * vmcs_check_all() - find every rule that a VMCS breaks
 * @src: the VMCS
 * @found: room for them
 * @max: how many fit
 *
 * A CPU ends at the first area with a broken rule.
 *
 * Return: number of broken rules, even if more than @max.
 */
unsigned int vmcs_check_all(const struct vmcs_source *src, struct vmcs_finding *found,
			    unsigned int max);

/** vmcs_area_name() - "controls", "host state", ... */
const char *vmcs_area_name(enum vmcs_area area);

/** vmcs_area_failure() - how a VM entry ends when a rule of the area is broken, in words */
const char *vmcs_area_failure(enum vmcs_area area);

#endif
