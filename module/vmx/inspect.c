// SPDX-License-Identifier: GPL-2.0
/*
 * What readers are shown of VMX: every field of the VMCS that this CPU has, the
 * capability MSRs, and the bitmaps.
 *
 * A VMREAD of a field that the CPU lacks fails, and leaves its error number in the VMCS.
 * So which fields there are is found out once, with a VMCS of nobody's.
 */
#include <linux/bitmap.h>
#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/mutex.h>
#include <linux/smp.h>
#include <asm/msr.h>

#include "vmx.h"
#include "../../uapi/minikvm_vmcs.h"

#define FIELD(encoding, id, name)	encoding,
static const u16 all_fields[] = {
	MINIKVM_VMCS_FIELDS(FIELD)
};

static DECLARE_BITMAP(missing, ARRAY_SIZE(all_fields));	/* while they are looked for */

/* Of them those that exist; 0 until the first VM is made. */
static u16 fields[ARRAY_SIZE(all_fields)];
static u32 nr_fields;

/* The encodings are the kernel's. */
static_assert(VMCS_F_GUEST_CR0 == (int)GUEST_CR0 && VMCS_F_EPT_POINTER == (int)EPT_POINTER &&
	      VMCS_F_HOST_RIP == (int)HOST_RIP && VMCS_F_VM_EXIT_REASON == (int)VM_EXIT_REASON);

/* Any CPU in VMX operation, with the scratch VMCS current. */
static void find_missing(void)
{
	unsigned long value;
	int i;

	for (i = 0; i < ARRAY_SIZE(all_fields); i++)
		if (!vmcs_try_read(all_fields[i], &value))
			__set_bit(i, missing);
}

static void find_missing_here(void *region)
{
	vmcs_with_scratch(region, find_missing);
}

/* A field has to be on every CPU: the vCPU may be read on any. */
static void probe_fields(void *region)
{
	u32 n = 0;
	int i, cpu;

	bitmap_zero(missing, ARRAY_SIZE(all_fields));
	cpus_read_lock();
	for_each_online_cpu(cpu)
		smp_call_function_single(cpu, find_missing_here, region, 1);
	cpus_read_unlock();
	for (i = 0; i < ARRAY_SIZE(all_fields); i++)
		if (!test_bit(i, missing))
			fields[n++] = all_fields[i];
	/* Pairs with vmx_inspect_nr_fields(). */
	smp_store_release(&nr_fields, n);
}

/**
 * vmx_inspect_vm_init - the first VM finds out which fields there are
 *
 * Context: VMX is on; may sleep.
 * Return: 0 or -ENOMEM.
 */
int vmx_inspect_vm_init(void)
{
	static DEFINE_MUTEX(lock);
	unsigned long region;

	if (vmx_inspect_nr_fields())
		return 0;
	region = get_zeroed_page(GFP_KERNEL);
	if (!region)
		return -ENOMEM;
	mutex_lock(&lock);
	if (!nr_fields)
		probe_fields((void *)region);
	mutex_unlock(&lock);
	free_page(region);
	return 0;
}

u32 vmx_inspect_nr_fields(void)
{
	/* Pairs with probe_fields(). */
	return smp_load_acquire(&nr_fields);
}

static u32 field_bytes(u32 encoding)
{
	switch (MINIKVM_VMCS_WIDTH(encoding)) {
	case MINIKVM_VMCS_WIDTH_16:
		return 2;
	case MINIKVM_VMCS_WIDTH_32:
		return 4;
	default:
		return 8;
	}
}

/**
 * vmx_inspect_fields - read the whole VMCS
 * @vcpu: loaded
 * @to: room for vmx_inspect_nr_fields()
 *
 * Context: preemption off.
 */
void vmx_inspect_fields(struct vcpu *vcpu, struct minikvm_inspect_field *to)
{
	u32 i;

	for (i = 0; i < nr_fields; i++) {
		unsigned long value = 0;

		vmcs_try_read(fields[i], &value);
		to[i] = (struct minikvm_inspect_field) {
			.encoding = fields[i],
			.bytes = field_bytes(fields[i]),
			.value = value,
		};
	}
}

/**
 * vmx_inspect_bitmap - one of the vCPU's bitmaps
 * @vcpu: the vCPU, by the holder of its mutex
 * @which: MINIKVM_INSPECT_BITMAP_*
 *
 * Every port access exits without a bitmap.
 *
 * Return: the page, NULL if there is none.
 */
const void *vmx_inspect_bitmap(struct vcpu *vcpu, u32 which)
{
	return which == MINIKVM_INSPECT_BITMAP_MSR ? to_vmx(vcpu)->msr_bitmap : NULL;
}

/* IA32_VMX_BASIC to IA32_VMX_EXIT_CTLS2, the last one there is. */
#define FIRST_CAP	MSR_IA32_VMX_BASIC
#define NR_CAPS		0x14

static_assert(NR_CAPS <= MINIKVM_INSPECT_NR_CAPS);

/**
 * vmx_inspect_caps - the capability MSRs
 * @caps: zeroed
 */
void vmx_inspect_caps(struct minikvm_inspect_caps *caps)
{
	int i;

	caps->first = FIRST_CAP;
	for (i = 0; i < NR_CAPS; i++)
		if (!rdmsrl_safe(FIRST_CAP + i, &caps->value[i]))
			caps->valid |= BIT_ULL(i);
		else
			caps->value[i] = 0;
}
