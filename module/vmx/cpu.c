// SPDX-License-Identifier: GPL-2.0
/*
 * VMX operation per CPU: VMXON and VMXOFF, which VMCS is current, which VMCSs a
 * CPU may hold in its caches, and turning it all off in an emergency.
 *
 * A VMCS that was ever current on a CPU may live in that CPU's caches until
 * VMCLEAR is executed there. So each CPU keeps a list of them; it is changed
 * only on that CPU with interrupts off.
 *
 * Source: Intel SDM vol. 3C (December 2023), "Introduction to Virtual Machine
 * Extensions", "Software Use of Virtual-Machine Control Structures".
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/gfp.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/ratelimit.h>
#include <linux/smp.h>
#include <asm/perf_event.h>
#include <asm/reboot.h>
#include <asm/tlbflush.h>

#include "vmx.h"

static DEFINE_PER_CPU(void *, vmxon_region);
static DEFINE_PER_CPU(struct list_head, vmcs_list);
DEFINE_PER_CPU(struct vcpu_vmx *, vmcs_current);

static DEFINE_RATELIMIT_STATE(busy_limit, HZ, 1);

/* Serializes the first and last user of the emergency callback. */
static DEFINE_MUTEX(emergency_lock);
static int emergency_users;
static bool emergency_registered;

void vmx_insn_failed(const char *insn, unsigned long operand, unsigned long value)
{
	pr_err_ratelimited("%s failed: operand 0x%lx, value 0x%lx\n", insn, operand, value);
}

void vmx_insn_faulted(const char *insn)
{
	pr_err_once("%s faulted: VMX was switched off on CPU %d\n", insn, raw_smp_processor_id());
}

/**
 * vmx_cpu_setup - allocate the VMXON region of every CPU
 *
 * Return: 0 or -ENOMEM.
 */
int vmx_cpu_setup(void)
{
	struct page *page;
	int cpu;

	for_each_possible_cpu(cpu) {
		INIT_LIST_HEAD(&per_cpu(vmcs_list, cpu));
		page = alloc_pages_node(cpu_to_node(cpu), GFP_KERNEL | __GFP_ZERO, 0);
		if (!page) {
			vmx_cpu_unsetup();
			return -ENOMEM;
		}
		*(u32 *)page_address(page) = vmx_caps.revision;
		per_cpu(vmxon_region, cpu) = page_address(page);
	}
	return 0;
}

void vmx_cpu_unsetup(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		free_page((unsigned long)per_cpu(vmxon_region, cpu));
		per_cpu(vmxon_region, cpu) = NULL;
	}
}

/* Is a module of this name loaded? May sleep. */
static bool module_is_loaded(const char *name)
{
#ifdef MODULE
	struct kobject *kobj = kset_find_obj(THIS_MODULE->mkobj.kobj.kset, name);

	kobject_put(kobj);
	return kobj;
#else
	return false;
#endif
}

/*
 * Firmware left the switch open: close it with VMX on, as every host does.
 * SDM: "Enabling and Entering VMX Operation".
 */
static int feature_control_enable(void)
{
	u64 value;

	if (rdmsrl_safe(MSR_IA32_FEAT_CTL, &value))
		return -EIO;
	if (!(value & FEAT_CTL_LOCKED)) {
		value |= FEAT_CTL_LOCKED | FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX;
		if (wrmsrl_safe(MSR_IA32_FEAT_CTL, value))
			return -EIO;
	}
	return value & FEAT_CTL_VMX_ENABLED_OUTSIDE_SMX ? 0 : -EIO;
}

static int enter_vmx_operation(u64 pa)
{
	cr4_set_bits(X86_CR4_VMXE);
	asm goto("1: vmxon %[pa]\n\t"
		 "jbe %l[failed]\n\t"
		 VMX_FAULTS_TO(failed)
		 : : [pa] "m" (pa) : "cc", "memory" : failed);
	return 0;
failed:
	cr4_clear_bits(X86_CR4_VMXE);
	return -EIO;
}

/* CR4.VMXE is cleared whether or not VMXOFF had anything to switch off. */
static void leave_vmx_operation(void)
{
	asm goto("1: vmxoff\n\t"
		 VMX_FAULTS_TO(out)
		 : : : "cc", "memory" : out);
out:
	cr4_clear_bits(X86_CR4_VMXE);
}

/**
 * vmx_cpu_enable - enter VMX operation on this CPU
 *
 * Context: interrupts off or migration disabled.
 * Return: 0; -EBUSY when CR4.VMXE is set already, so another hypervisor holds
 * the CPU; -EIO when the CPU refuses VMX operation or differs from the others.
 * SDM: "Enabling and Entering VMX Operation".
 */
int vmx_cpu_enable(void)
{
	int cpu = raw_smp_processor_id();
	int err;

	if (cr4_read_shadow() & X86_CR4_VMXE) {
		/* Every CPU comes here at once; one line is enough. */
		if (__ratelimit(&busy_limit))
			pr_err("VMX is in use by kvm_intel or another hypervisor module: stop its VMs or unload it (rmmod kvm_intel); since Linux 6.12 load kvm with enable_virt_at_load=0\n");
		return -EBUSY;
	}

	err = feature_control_enable();
	if (err) {
		pr_err("CPU %d: VMX is disabled by the firmware (IA32_FEATURE_CONTROL)\n", cpu);
		return err;
	}
	err = vmx_caps_check_cpu();
	if (err)
		return err;

	intel_pt_handle_vmx(1);
	err = enter_vmx_operation(__pa(per_cpu(vmxon_region, cpu)));
	if (err) {
		intel_pt_handle_vmx(0);
		pr_err("CPU %d: VMXON failed\n", cpu);
		return err;
	}
	/* Nothing cached under an EPTP or VPID of an earlier life. */
	vmx_invept(VMX_EPT_EXTENT_GLOBAL, 0);
	if (vmx_has_vpid())
		vmx_invvpid(VMX_VPID_EXTENT_ALL_CONTEXT, 0);
	uret_cpu_enable();
	return 0;
}

/* On the CPU that holds it, interrupts off. */
static void vmcs_clear_here(struct vcpu_vmx *vmx)
{
	if (this_cpu_read(vmcs_current) == vmx)
		this_cpu_write(vmcs_current, NULL);
	vmx_vmclear(vmx->vmcs_pa);
	list_del(&vmx->vmcs_link);
	vmx->launched = false;
	/* Whoever sees -1 finds the VMCS off this list. */
	smp_store_release(&vmx->vmcs_cpu, -1);
}

/**
 * vmx_cpu_disable - leave VMX operation on this CPU
 *
 * Context: interrupts off or migration disabled. No vCPU is in the guest here.
 * SDM: "VMXOFF-Leave VMX Operation".
 */
void vmx_cpu_disable(void)
{
	struct vcpu_vmx *vmx, *next;
	unsigned long flags;

	local_irq_save(flags);
	list_for_each_entry_safe(vmx, next, this_cpu_ptr(&vmcs_list), vmcs_link)
		vmcs_clear_here(vmx);
	uret_cpu_disable();
	leave_vmx_operation();
	local_irq_restore(flags);
	intel_pt_handle_vmx(0);
}

static void vmcs_clear_ipi(void *data)
{
	struct vcpu_vmx *vmx = data;

	/* The CPU may have gone down, and cleared it, before the IPI was sent. */
	if (vmx->vmcs_cpu == raw_smp_processor_id())
		vmcs_clear_here(vmx);
}

/**
 * vmcs_clear_anywhere - VMCLEAR on whatever CPU may hold the VMCS
 * @vmx: its vCPU, in no guest
 *
 * Context: interrupts on.
 * SDM: "Software Use of Virtual-Machine Control Structures".
 */
void vmcs_clear_anywhere(struct vcpu_vmx *vmx)
{
	/* Pairs with the release in vmcs_clear_here(). */
	int cpu = smp_load_acquire(&vmx->vmcs_cpu);

	if (cpu >= 0)
		smp_call_function_single(cpu, vmcs_clear_ipi, vmx, 1);
}

/**
 * vmcs_make_current - VMPTRLD, after taking the VMCS from another CPU
 * @vmx: its vCPU
 * @cpu: this CPU
 *
 * Context: preemption off, interrupts on. When @vmx->vmcs_cpu was not @cpu
 * the caller has per-CPU fields to write.
 * SDM: "Software Use of Virtual-Machine Control Structures".
 */
void vmcs_make_current(struct vcpu_vmx *vmx, int cpu)
{
	if (vmx->vmcs_cpu != cpu) {
		vmcs_clear_anywhere(vmx);
		local_irq_disable();
		list_add(&vmx->vmcs_link, this_cpu_ptr(&vmcs_list));
		vmx->vmcs_cpu = cpu;
		local_irq_enable();
	}
	if (this_cpu_read(vmcs_current) != vmx) {
		this_cpu_write(vmcs_current, vmx);
		vmx_vmptrld(vmx->vmcs_pa);
		/* Another guest ran here: none of its branch predictions for this one. */
		indirect_branch_prediction_barrier();
	}
}

/**
 * vmcs_with_scratch - do something with a VMCS that is no vCPU's
 * @region: a zeroed page
 * @fn: called with it current, preemption off
 *
 * Context: every CPU is in VMX operation; the caller's thread has no vCPU loaded.
 */
void vmcs_with_scratch(void *region, void (*fn)(void))
{
	*(u32 *)region = vmx_caps.revision;
	preempt_disable();
	/* Whose VMCS it was makes it current again when it is loaded. */
	this_cpu_write(vmcs_current, NULL);
	vmx_vmclear(__pa(region));
	vmx_vmptrld(__pa(region));
	fn();
	vmx_vmclear(__pa(region));
	preempt_enable();
}

/*
 * The kernel is dying (NMI context, any CPU): no VMCS may be written back over
 * the crash kernel's memory, and INIT must work again.
 * SDM: "VMXOFF-Leave VMX Operation".
 */
static void emergency_disable(void)
{
	struct vcpu_vmx *vmx;

	if (!(__read_cr4() & X86_CR4_VMXE))
		return;
	list_for_each_entry(vmx, this_cpu_ptr(&vmcs_list), vmcs_link)
		vmx_vmclear(vmx->vmcs_pa);
	leave_vmx_operation();
}

/**
 * vmx_emergency_get - while a VM exists, a crash switches VMX off
 *
 * The kernel has room for one callback. kvm_intel, when it is loaded, has taken
 * it, and its callback switches VMX off whoever switched it on.
 *
 * Context: may sleep.
 * Return: 0.
 */
int vmx_emergency_get(void)
{
	mutex_lock(&emergency_lock);
	if (!emergency_users++ && !module_is_loaded("kvm_intel")) {
		cpu_emergency_register_virt_callback(emergency_disable);
		emergency_registered = true;
	}
	mutex_unlock(&emergency_lock);
	return 0;
}

/**
 * vmx_emergency_put - the last VM gives the callback back
 *
 * Context: may sleep.
 */
void vmx_emergency_put(void)
{
	mutex_lock(&emergency_lock);
	if (!--emergency_users && emergency_registered) {
		cpu_emergency_unregister_virt_callback(emergency_disable);
		emergency_registered = false;
	}
	mutex_unlock(&emergency_lock);
}
