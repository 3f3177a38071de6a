// SPDX-License-Identifier: GPL-2.0
/*
 * The VMX vendor: the table of operations the rest of the module calls, and
 * what happens at load and per VM.
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/module.h>

#include "vmx.h"
#include "../mmu/mmu.h"
#include "../x86/x86.h"

/*
 * Upper bound of one stay in the guest, by the VMX-preemption timer. Real CPUs
 * need none: their interrupts end a guest's stay. Emulated ones may not see
 * them while the guest has interrupts off.
 */
unsigned int guest_slice;
module_param(guest_slice, uint, 0644);
MODULE_PARM_DESC(guest_slice, "Longest stay in the guest, in TSC ticks; 0 (default): unbounded");

static bool preemption_timer = true;
module_param(preemption_timer, bool, 0644);
MODULE_PARM_DESC(preemption_timer, "Let the CPU time the guest for its local APIC timer, where it can (default: yes)");

/*
 * CPUs on which the VMX-preemption timer does not count at the rate it should, by what
 * CPUID.1 returns in EAX. Older ones with the same erratum have no unrestricted guest.
 * Source: Intel's specification updates: BA86 (Xeon 7500), AAX65, AAT59, AAU65 (Core
 * i3, i5, i7 with 32 nm and Xeon L3406), and KVM's list for 0x306a8 (Xeon E3-1200 v2).
 */
static const u32 bad_preemption_timers[] = { 0x206e6, 0x20652, 0x20655, 0x306a8 };

static void check_preemption_timer(void)
{
	u32 cpu = cpuid_eax(1);
	int i;

	for (i = 0; i < ARRAY_SIZE(bad_preemption_timers); i++)
		if (cpu == bad_preemption_timers[i])
			preemption_timer = false;
}

/*
 * The timer may stop in the deeper of the states that MWAIT leads to. A guest that
 * halts without an exit is left to the host as well: emulated CPUs may not end that.
 * SDM: "VMX-Preemption Timer".
 */
static bool vmx_can_time_guest(struct vcpu *vcpu)
{
	return READ_ONCE(preemption_timer) && vmx_has_preemption_timer() &&
	       !(to_vmx(vcpu)->exits_disabled &
		 (MINIKVM_X86_DISABLE_EXITS_HLT | MINIKVM_X86_DISABLE_EXITS_MWAIT));
}

/*
 * Instructions that are #UD in a guest unless a control allows them, and what
 * a control makes possible that the CPU does not have.
 */
static void adjust_features(void)
{
	if (vmx_emulates_umip())
		cpuid_cap_set(X86_FEATURE_UMIP);
	if (!(vmx_caps.proc2 & SECONDARY_EXEC_ENABLE_RDTSCP)) {
		cpuid_cap_clear(X86_FEATURE_RDTSCP);
		cpuid_cap_clear(X86_FEATURE_RDPID);
	}
	if (!(vmx_caps.proc2 & SECONDARY_EXEC_ENABLE_INVPCID))
		cpuid_cap_clear(X86_FEATURE_INVPCID);
	if (!(vmx_caps.proc2 & SECONDARY_EXEC_XSAVES))
		cpuid_cap_clear(X86_FEATURE_XSAVES);
}

static int vmx_setup(void)
{
	int err;

	err = vmx_caps_setup();
	if (err)
		return err;
	adjust_features();
	check_preemption_timer();
	if (guest_slice && !vmx_has_preemption_timer())
		pr_warn("guest_slice ignored: this CPU has no VMX-preemption timer\n");
	vmx_apicv_setup();
	vmx_ept_setup();
	vmx_perf_setup();
	err = vmx_l1d_setup();
	if (err)
		return err;
	err = vmx_cpu_setup();
	if (err)
		vmx_l1d_unsetup();
	return err;
}

static void vmx_unsetup(void)
{
	vmx_cpu_unsetup();
	vmx_l1d_unsetup();
}

static int vmx_vm_init(struct vm *vm)
{
	int err = vmx_inspect_vm_init();

	if (err)
		return err;
	err = vmx_apicv_vm_init(vm);
	if (err)
		return err;
	err = vmx_emergency_get();
	if (err)
		mmu_apic_page_destroy(vm);
	return err;
}

static void vmx_vm_destroy(struct vm *vm)
{
	vmx_emergency_put();
	mmu_apic_page_destroy(vm);
}

const struct minikvm_vendor_ops vmx_ops = {
	.name			= "VMX",
	.vcpu_size		= sizeof(struct vcpu_vmx),
	.setup			= vmx_setup,
	.unsetup		= vmx_unsetup,
	.cpu_enable		= vmx_cpu_enable,
	.cpu_disable		= vmx_cpu_disable,
	.vm_init		= vmx_vm_init,
	.vm_destroy		= vmx_vm_destroy,
	.vcpu_create		= vmx_vcpu_create,
	.vcpu_free		= vmx_vcpu_free,
	.vcpu_reset		= vmx_vcpu_reset,
	.vcpu_load		= vmx_vcpu_load,
	.vcpu_put		= vmx_vcpu_put,
	.prepare_switch		= vmx_prepare_switch,
	.enter			= vmx_enter,
	.exit_irqoff		= vmx_exit_irqoff,
	.handle_exit		= vmx_handle_exit,
	.cancel_injection	= vmx_cancel_injection,
	.irq_allowed		= vmx_irq_allowed,
	.nmi_allowed		= vmx_nmi_allowed,
	.inject_irq		= vmx_inject_irq,
	.inject_nmi		= vmx_inject_nmi,
	.inject_exception	= vmx_inject_exception,
	.take_pending_db	= vmx_take_pending_db,
	.request_irq_window	= vmx_request_irq_window,
	.request_nmi_window	= vmx_request_nmi_window,
	.get_nmi_mask		= vmx_get_nmi_mask,
	.set_nmi_mask		= vmx_set_nmi_mask,
	.get_shadow		= vmx_get_shadow,
	.set_shadow		= vmx_set_shadow,
	.update_tpr		= vmx_update_tpr,
	.apic_changed		= vmx_apic_changed,
	.set_virtual_irqs	= vmx_set_virtual_irqs,
	.can_time_guest		= vmx_can_time_guest,
	.cache_reg		= vmx_cache_reg,
	.get_segment		= vmx_get_segment,
	.set_segment		= vmx_set_segment,
	.get_segment_base	= vmx_get_segment_base,
	.get_cs_db_l	= vmx_get_cs_db_l,
	.get_cpl		= vmx_get_cpl,
	.get_idt		= vmx_get_idt,
	.set_idt		= vmx_set_idt,
	.get_gdt		= vmx_get_gdt,
	.set_gdt		= vmx_set_gdt,
	.set_cr0		= vmx_set_cr0,
	.set_cr3		= vmx_set_cr3,
	.set_cr4		= vmx_set_cr4,
	.set_efer		= vmx_set_efer,
	.set_dr7		= vmx_set_dr7,
	.update_exceptions	= vmx_update_exceptions,
	.cr4_valid		= vmx_cr4_valid,
	.set_pdptrs		= vmx_set_pdptrs,
	.get_pdptrs		= vmx_get_pdptrs,
	.get_msr		= vmx_get_msr,
	.set_msr		= vmx_set_msr,
	.msr_filter_changed	= vmx_msr_filter_changed,
	.set_tsc_offset		= vmx_set_tsc_offset,
	.set_tsc_ratio		= vmx_set_tsc_ratio,
	.has_tsc_scaling	= vmx_has_tsc_scaling,
	.cpuid_changed		= vmx_cpuid_changed,
	.skip_insn		= vmx_skip_insn,
	.dirty_log_switch	= vmx_dirty_log_switch,
	.dirty_log_collect	= vmx_dirty_log_collect,
	.flush_tlb		= vmx_flush_tlb,
	.flush_tlb_guest	= vmx_flush_tlb_guest,
	.get_exit_info		= vmx_get_exit_info,
	.dump			= vmx_dump,
	.inspect_nr_fields	= vmx_inspect_nr_fields,
	.inspect_fields		= vmx_inspect_fields,
	.inspect_bitmap		= vmx_inspect_bitmap,
	.inspect_caps		= vmx_inspect_caps,
	.mmu_format		= &vmx_ept_format,
};
