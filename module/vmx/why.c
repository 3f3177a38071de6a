// SPDX-License-Identifier: GPL-2.0
/*
 * Tells why a VM entry failed: the first rule of the checker (check.h) that the VMCS breaks, in the
 * log and in the run page.
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/mm.h>
#include <linux/ratelimit.h>
#include <linux/string.h>
#include <linux/uaccess.h>
#include <asm/msr.h>

#include "../../uapi/minikvm_inspect.h"
#include "check.h"
#include "vmx.h"

static_assert(sizeof(struct minikvm_failed_entry) <= sizeof_field(struct minikvm_run, padding));
static_assert(offsetof(struct minikvm_failed_entry, cpu) ==
	      offsetof(struct minikvm_run, fail_entry.cpu) -
	      offsetof(struct minikvm_run, fail_entry));

static u64 read_field(void *opaque, u32 encoding)
{
	unsigned long value;

	return vmcs_try_read(encoding, &value) ? value : 0;
}

static u64 read_cap(void *opaque, u32 index)
{
	u64 value;

	return rdmsrl_safe(index, &value) ? 0 : value;
}

/* The addresses are the module's own, but what is wrong may be one of them. */
static bool read_memory(void *opaque, u64 pa, void *buf, u32 len)
{
	return pfn_valid(pa >> PAGE_SHIFT) && !copy_from_kernel_nofault(buf, __va(pa), len);
}

/* VM-instruction errors and basic exit reasons of failed entries are different numbers. */
static bool area_of(u64 reason, enum vmcs_area *area)
{
	switch (reason) {
	case 7:
		*area = VMCS_AREA_CONTROLS;
		return true;
	case 8:
		*area = VMCS_AREA_HOST;
		return true;
	case VMX_EXIT_REASONS_FAILED_VMENTRY | EXIT_REASON_INVALID_STATE:
		*area = VMCS_AREA_GUEST;
		return true;
	case VMX_EXIT_REASONS_FAILED_VMENTRY | EXIT_REASON_MSR_LOAD_FAIL:
		*area = VMCS_AREA_MSR_LOAD;
		return true;
	default:
		return false;
	}
}

/**
 * vmx_explain_failure - say which rule a VMCS breaks that the CPU did not enter
 * @vcpu: loaded; its VMCS is as it was at the entry
 * @reason: VM-instruction error, or exit reason with bit 31 set
 *
 * Fills in what struct minikvm_failed_entry has beyond fail_entry.
 */
void vmx_explain_failure(struct vcpu *vcpu, u64 reason)
{
	struct minikvm_failed_entry *told = (void *)vcpu->run->padding;
	struct vmcs_source src = {
		.field = read_field,
		.msr = read_cap,
		.memory = read_memory,
		.phys_bits = cpuid_eax(0x80000008),
		.linear_bits = cpuid_eax(0x80000008) >> 8,
	};
	struct vmcs_finding found;
	enum vmcs_area area;

	memset(told, 0, sizeof(*told));
	told->magic = MINIKVM_FAILED_ENTRY_MAGIC;
	if (!area_of(reason, &area))
		return;
	if (!vmcs_check_area(&src, area, &found)) {
		pr_err_ratelimited("vCPU %u: no check on %s that is known here fails\n",
				   vcpu->id, vmcs_area_name(area));
		return;
	}
	pr_err_ratelimited("vCPU %u: rule %s is broken: %s (SDM, \"%s\")\n", vcpu->id,
			   found.rule->name, found.rule->text, found.section->title);
	strscpy(told->rule, found.rule->name, sizeof(told->rule));
	strscpy(told->section, found.section->title, sizeof(told->section));
}
