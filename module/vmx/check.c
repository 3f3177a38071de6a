// SPDX-License-Identifier: GPL-2.0
/*
 * The VM-entry checker's table of sections, and the loop over it.
 */
#include "check_impl.h"

const struct vmcs_section vmcs_sections[] = {
	{ "VM-Execution Control Fields", VMCS_AREA_CONTROLS, vmcs_execution_rules },
	{ "VM-Exit Control Fields", VMCS_AREA_CONTROLS, vmcs_exit_rules },
	{ "VM-Entry Control Fields", VMCS_AREA_CONTROLS, vmcs_entry_rules },
	{ "Checks on Host Control Registers, MSRs, and SSP", VMCS_AREA_HOST,
	  vmcs_host_register_rules },
	{ "Checks on Host Segment and Descriptor-Table Registers", VMCS_AREA_HOST,
	  vmcs_host_segment_rules },
	{ "Checks Related to Address-Space Size", VMCS_AREA_HOST, vmcs_host_size_rules },
	{ "Checks on Guest Control Registers, Debug Registers, and MSRs", VMCS_AREA_GUEST,
	  vmcs_guest_register_rules },
	{ "Checks on Guest Segment Registers", VMCS_AREA_GUEST, vmcs_guest_segment_rules },
	{ "Checks on Guest Descriptor-Table Registers", VMCS_AREA_GUEST, vmcs_guest_table_rules },
	{ "Checks on Guest RIP, RFLAGS, and SSP", VMCS_AREA_GUEST, vmcs_guest_rip_rules },
	{ "Checks on Guest Non-Register State", VMCS_AREA_GUEST, vmcs_guest_other_rules },
	{ "Checks on Guest Page-Directory-Pointer-Table Entries", VMCS_AREA_GUEST,
	  vmcs_guest_pdpte_rules },
	{ "Loading MSRs", VMCS_AREA_MSR_LOAD, vmcs_msr_load_rules },
	{ 0 }
};

static const struct {
	const char *name, *failure;
} areas[NR_VMCS_AREAS] = {
	[VMCS_AREA_CONTROLS] = { "controls", "VM-instruction error 7" },
	[VMCS_AREA_HOST] = { "host state", "VM-instruction error 8" },
	[VMCS_AREA_GUEST] = { "guest state", "exit reason 33" },
	[VMCS_AREA_MSR_LOAD] = { "MSR loading", "exit reason 34" },
};

static void begin(struct vmcs_check *c, const struct vmcs_source *src)
{
	c->src = src;
	c->pin = field_of(c, VMCS_F_PIN_BASED_VM_EXEC_CONTROL);
	c->proc = field_of(c, VMCS_F_CPU_BASED_VM_EXEC_CONTROL);
	c->proc2 = c->proc & PROC_SECONDARY ? field_of(c, VMCS_F_SECONDARY_VM_EXEC_CONTROL) : 0;
	c->exit = field_of(c, VMCS_F_VM_EXIT_CONTROLS);
	c->entry = field_of(c, VMCS_F_VM_ENTRY_CONTROLS);
	c->intr = field_of(c, VMCS_F_VM_ENTRY_INTR_INFO);
	if (!(c->intr & INTR_VALID))
		c->intr = 0;
	c->cr0 = field_of(c, VMCS_F_GUEST_CR0);
	c->rflags = field_of(c, VMCS_F_GUEST_RFLAGS);
}

bool vmcs_check_area(const struct vmcs_source *src, enum vmcs_area area,
		     struct vmcs_finding *found)
{
	const struct vmcs_section *section;
	const struct vmcs_rule *rule;
	struct vmcs_check c;

	begin(&c, src);
	for (section = vmcs_sections; section->title; section++) {
		if (section->area != area)
			continue;
		for (rule = section->rules; rule->name; rule++) {
			if (!rule->holds(&c, rule)) {
				*found = (struct vmcs_finding) { section, rule };
				return true;
			}
		}
	}
	return false;
}

unsigned int vmcs_check_all(const struct vmcs_source *src, struct vmcs_finding *found,
			    unsigned int max)
{
	const struct vmcs_section *section;
	const struct vmcs_rule *rule;
	struct vmcs_check c;
	unsigned int n = 0;

	begin(&c, src);
	for (section = vmcs_sections; section->title; section++) {
		for (rule = section->rules; rule->name; rule++) {
			if (rule->holds(&c, rule))
				continue;
			if (n < max)
				found[n] = (struct vmcs_finding) { section, rule };
			n++;
		}
	}
	return n;
}

const char *vmcs_area_name(enum vmcs_area area)
{
	return areas[area].name;
}

const char *vmcs_area_failure(enum vmcs_area area)
{
	return areas[area].failure;
}
