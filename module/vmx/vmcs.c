// SPDX-License-Identifier: GPL-2.0
/*
 * The VMCS of a vCPU: allocating it, filling in its areas, and moving it and
 * the host state it replaces between CPUs and tasks.
 *
 * Host state is written where it changes: once per VMCS, once per CPU the vCPU
 * comes to, or when the task's own FS and GS differ. None of it per entry,
 * except CR3 and CR4, which run.c compares.
 *
 * Source: Intel SDM vol. 3C (December 2023), "Virtual-Machine Control
 * Structures"; the area is named at each function.
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/gfp.h>
#include <linux/mm.h>
#include <asm/cpu_entry_area.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/fsgsbase.h>
#include <asm/mmu_context.h>
#include <asm/msr.h>
#include <asm/processor.h>

#include "vmx.h"
#include "../x86/x86.h"

/* What VM entry loads and VM exit needs before any guest has run. */
static void vmcs_init_pointers(struct vcpu_vmx *vmx)
{
	/* No shadow VMCS. */
	vmcs_write64(VMCS_LINK_POINTER, ~0ull);
	vmcs_write64(MSR_BITMAP, __pa(vmx->msr_bitmap));
	if (vmx->vpid)
		vmcs_write16(VIRTUAL_PROCESSOR_ID, vmx->vpid);
	vmcs_write32(VM_EXIT_MSR_STORE_COUNT, 0);
	vmcs_write32(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmx->entry_intr_info = 0;
	vmx_ept_load(vmx);
	vmx_perf_reset(vmx);
}

/*
 * "VM-Execution Control Fields", "VM-Exit Control Fields", "VM-Entry Control
 * Fields": what is on from the start. Interrupt and NMI windows come and go
 * with injection, "IA-32e mode guest" with EFER.LMA, the preemption timer with
 * the guest_slice parameter.
 * SDM: "VM-Execution Control Fields", "Exception Bitmap", "VM-Exit Control Fields", "VM-Entry
 * Control Fields".
 */
static void vmcs_init_controls(struct vcpu_vmx *vmx)
{
	u32 proc, proc2;

	proc = vmx_caps.proc & ~(CPU_BASED_INTR_WINDOW_EXITING | CPU_BASED_NMI_WINDOW_EXITING);
	proc = vmx_apicv_init(vmx, proc);
	if (vmx->exits_disabled & MINIKVM_X86_DISABLE_EXITS_HLT)
		proc &= ~CPU_BASED_HLT_EXITING;
	if (vmx->exits_disabled & MINIKVM_X86_DISABLE_EXITS_MWAIT)
		proc &= ~(CPU_BASED_MWAIT_EXITING | CPU_BASED_MONITOR_EXITING);
	proc2 = vmx_caps.proc2 & ~(SECONDARY_EXEC_ENABLE_RDTSCP | SECONDARY_EXEC_ENABLE_INVPCID |
				   SECONDARY_EXEC_DESC | SECONDARY_EXEC_RDRAND_EXITING |
				   SECONDARY_EXEC_RDSEED_EXITING | SECONDARY_EXEC_XSAVES |
				   SECONDARY_EXEC_ENABLE_PML | SECONDARY_EXEC_APIC_CONTROLS);
	if (!vmx->vpid)
		proc2 &= ~SECONDARY_EXEC_ENABLE_VPID;
	if (vmx->exits_disabled & MINIKVM_X86_DISABLE_EXITS_PAUSE)
		proc2 &= ~SECONDARY_EXEC_PAUSE_LOOP_EXITING;

	/* Whatever the copies say, the fields hold nothing yet. */
	memset(&vmx->ctl, 0xff, sizeof(vmx->ctl));
	vmcs_ctl_set_pin(vmx, vmx_caps.pin & ~PIN_BASED_VMX_PREEMPTION_TIMER);
	vmcs_ctl_set_proc(vmx, proc);
	vmcs_ctl_set_proc2(vmx, proc2);
	vmcs_ctl_set_exit(vmx, vmx_caps.exit);
	vmcs_ctl_set_entry(vmx, vmx_caps.entry & ~VM_ENTRY_IA32E_MODE);
	vmx->slice = 0;

	vmx_update_exceptions(&vmx->vcpu);
	vmcs_write32(PAGE_FAULT_ERROR_CODE_MASK, 0);
	vmcs_write32(PAGE_FAULT_ERROR_CODE_MATCH, 0);
	vmcs_write32(CR3_TARGET_COUNT, 0);
	if (vmx_caps.proc2 & SECONDARY_EXEC_XSAVES)
		vmcs_write64(XSS_EXIT_BITMAP, 0);
	if (vmx_caps.proc2 & SECONDARY_EXEC_ENCLS_EXITING)
		vmcs_write64(ENCLS_EXITING_BITMAP, ~0ull);
	vmcs_write64(TSC_OFFSET, vmx->vcpu.tsc_offset);
	if (vmx_has_tsc_scaling())
		vmcs_write64(TSC_MULTIPLIER, vmx->vcpu.tsc_ratio);
	vmx_ple_init(vmx);
	vmx_apic_changed(&vmx->vcpu);
}

/**
 * vmx_update_exceptions - choose which exceptions exit
 * @vcpu: loaded
 *
 * #DB and #AC: a guest can make the CPU raise them for ever while it delivers
 * one, and no interrupt would come in between. #MC: it is the host's. #UD: it
 * may be the other vendor's hypercall instruction. #BP: only for a debugger.
 * Everything else is the guest's own business.
 */
void vmx_update_exceptions(struct vcpu *vcpu)
{
	u32 bitmap = BIT(X86_TRAP_DB) | BIT(X86_TRAP_AC) | BIT(X86_TRAP_MC) | BIT(X86_TRAP_UD);

	if (vcpu->guest_debug & MINIKVM_GUESTDBG_USE_SW_BP)
		bitmap |= BIT(X86_TRAP_BP);
	vmcs_write32(EXCEPTION_BITMAP, bitmap);
}

/* "Host-State Area": the fields that are the same on every CPU for ever. SDM: "Host-State Area". */
static void vmcs_init_host(struct vcpu_vmx *vmx)
{
	struct desc_ptr idt;
	u64 value;

	/* Null selectors need no reloading when user mode had null ones, too. */
	vmcs_write16(HOST_CS_SELECTOR, __KERNEL_CS);
	vmcs_write16(HOST_SS_SELECTOR, __KERNEL_DS);
	vmcs_write16(HOST_DS_SELECTOR, 0);
	vmcs_write16(HOST_ES_SELECTOR, 0);
	vmcs_write16(HOST_TR_SELECTOR, GDT_ENTRY_TSS * 8);

	vmcs_writel(HOST_CR0, read_cr0());
	store_idt(&idt);
	vmcs_writel(HOST_IDTR_BASE, idt.address);
	vmcs_writel(HOST_RIP, (unsigned long)vmx_exit_point);

	rdmsrl(MSR_IA32_SYSENTER_CS, value);
	vmcs_write32(HOST_IA32_SYSENTER_CS, value);
	rdmsrl(MSR_IA32_SYSENTER_EIP, value);
	vmcs_writel(HOST_IA32_SYSENTER_EIP, value);
	rdmsrl(MSR_IA32_CR_PAT, value);
	vmcs_write64(HOST_IA32_PAT, value);
	rdmsrl(MSR_EFER, value);
	vmcs_write64(HOST_IA32_EFER, value);

	/* Those that do change, in step with their copies. */
	memset(&vmx->host, 0, sizeof(vmx->host));
	vmcs_write16(HOST_FS_SELECTOR, 0);
	vmcs_write16(HOST_GS_SELECTOR, 0);
	vmcs_writel(HOST_FS_BASE, 0);
	vmcs_writel(HOST_GS_BASE, 0);
	vmx->enter.host_rsp = 0;
}

/* "Guest-State Area": what no register of the guest's shows. SDM: "Guest Non-Register State". */
static void vmcs_init_guest(struct vcpu_vmx *vmx)
{
	vmcs_write32(GUEST_ACTIVITY_STATE, GUEST_ACTIVITY_ACTIVE);
	vmcs_write32(GUEST_INTERRUPTIBILITY_INFO, 0);
	vmcs_writel(GUEST_PENDING_DBG_EXCEPTIONS, 0);
	vmcs_write64(GUEST_IA32_DEBUGCTL, 0);
	vmcs_write32(VM_ENTRY_INTR_INFO_FIELD, 0);
	vmx->entry_intr_info = 0;
}

/* Host state of the CPU the vCPU comes to. SDM: "Host-State Area". */
static void vmcs_load_host_cpu(struct vcpu_vmx *vmx, int cpu)
{
	u64 value;

	vmcs_writel(HOST_TR_BASE, (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss);
	vmcs_writel(HOST_GDTR_BASE, (unsigned long)get_cpu_gdt_ro(cpu));
	rdmsrl(MSR_IA32_SYSENTER_ESP, value);
	vmcs_writel(HOST_IA32_SYSENTER_ESP, value);
	/* What this CPU cached of the guest's memory may be of an earlier stay. */
	vmx_flush_tlb(&vmx->vcpu);
	vmx_flush_tlb_guest(&vmx->vcpu);
}

/*
 * guest_slice, in TSC ticks, bounds one stay in the guest. Without "save
 * VMX-preemption timer value" every entry reloads the field, so writing it once
 * is enough.
 * SDM: "VMX-Preemption Timer".
 */
static void vmcs_load_slice(struct vcpu_vmx *vmx)
{
	u32 ticks = READ_ONCE(guest_slice), slice = 0;

	vmx->slice_ticks = ticks;
	if (vmx_has_preemption_timer() && ticks) {
		slice = ticks >> vmx_misc_preemption_timer_rate(vmx_caps.misc);
		slice = max(slice, 1u);
	}
	if (slice == vmx->slice)
		return;
	vmx->slice = slice;
	/* The next entry writes what it needs. */
	vmx->timed = false;
	if (slice) {
		vmcs_write32(VMX_PREEMPTION_TIMER_VALUE, slice);
		vmcs_ctl_set_bits_pin(vmx, PIN_BASED_VMX_PREEMPTION_TIMER);
	} else {
		vmcs_ctl_clear_bits_pin(vmx, PIN_BASED_VMX_PREEMPTION_TIMER);
	}
}

/**
 * vmx_vcpu_load - make the vCPU's VMCS current on this CPU
 * @vcpu: the vCPU
 * @cpu: this CPU
 *
 * Context: preemption off, interrupts on.
 */
void vmx_vcpu_load(struct vcpu *vcpu, int cpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	bool moved = vmx->vmcs_cpu != cpu;

	if (unlikely(this_cpu_read(vmcs_current) != vmx))
		vmcs_make_current(vmx, cpu);
	if (moved)
		vmcs_load_host_cpu(vmx, cpu);
	if (unlikely(READ_ONCE(guest_slice) != vmx->slice_ticks))
		vmcs_load_slice(vmx);
	if (unlikely(vmx->ple_grown))
		vmx_ple_forget(vmx);
	vmx->host_debugctl = __rdmsr(MSR_IA32_DEBUGCTLMSR);
	vmx->l1d_flush = true;
	WRITE_ONCE(vcpu->cpu, cpu);
}

/* FS and GS belong to the task. User selectors cannot be in the VMCS. */
static void vmcs_set_host_fs_gs(struct vcpu_vmx *vmx, u16 fs_sel, u16 gs_sel,
				unsigned long fs_base, unsigned long gs_base)
{
	struct vmcs_host *host = &vmx->host;

	if (fs_sel != host->fs_sel) {
		vmcs_write16(HOST_FS_SELECTOR, fs_sel & 7 ? 0 : fs_sel);
		host->fs_sel = fs_sel;
	}
	if (gs_sel != host->gs_sel) {
		vmcs_write16(HOST_GS_SELECTOR, gs_sel & 7 ? 0 : gs_sel);
		host->gs_sel = gs_sel;
	}
	if (fs_base != host->fs_base) {
		vmcs_writel(HOST_FS_BASE, fs_base);
		host->fs_base = fs_base;
	}
	if (gs_base != host->gs_base) {
		vmcs_writel(HOST_GS_BASE, gs_base);
		host->gs_base = gs_base;
	}
}

/**
 * vmx_prepare_switch - put away what user mode of this task needs
 * @vcpu: the vCPU, loaded
 *
 * Does its work once per stay on the CPU, not once per entry.
 *
 * Context: preemption off.
 * SDM: "Host-State Area".
 */
void vmx_prepare_switch(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	struct vmcs_host *host = &vmx->host;
	unsigned long fs_base;
	u16 fs_sel, gs_sel;

	if (likely(vmx->guest_state_loaded))
		return;

	uret_load(vmx);
	store_ldt(host->ldt_sel);
	savesegment(ds, host->ds_sel);
	savesegment(es, host->es_sel);
	if (likely(is_64bit_mm(current->mm))) {
		current_save_fsgs();
		fs_sel = current->thread.fsindex;
		gs_sel = current->thread.gsindex;
		fs_base = current->thread.fsbase;
		vmx->host_kernel_gs_base = current->thread.gsbase;
	} else {
		savesegment(fs, fs_sel);
		savesegment(gs, gs_sel);
		rdmsrl(MSR_FS_BASE, fs_base);
		rdmsrl(MSR_KERNEL_GS_BASE, vmx->host_kernel_gs_base);
	}
	native_wrmsrl(MSR_KERNEL_GS_BASE, vmx->guest_kernel_gs_base);
	vmcs_set_host_fs_gs(vmx, fs_sel, gs_sel, fs_base,
			    cpu_kernelmode_gs_base(raw_smp_processor_id()));
	vmx->guest_state_loaded = true;
}

/**
 * vmx_vcpu_put - give the CPU back to the task, as its user mode left it
 * @vcpu: the vCPU; its VMCS stays current
 * @to_user: the task returns to user mode; else it was switched out
 *
 * Context: preemption off.
 */
void vmx_vcpu_put(struct vcpu *vcpu, bool to_user)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	struct vmcs_host *host = &vmx->host;

	WRITE_ONCE(vcpu->cpu, -1);
	if (!vmx->guest_state_loaded)
		return;

	vcpu->stats.host_state_reload++;
	vmx->guest_kernel_gs_base = __rdmsr(MSR_KERNEL_GS_BASE);
	/* VM exits leave LDTR null, and user selectors unloaded. */
	if (host->ldt_sel || (host->gs_sel & 7)) {
		asm volatile("lldt %0" : : "rm" (host->ldt_sel));
		load_gs_index(host->gs_sel);
	}
	if (host->fs_sel & 7)
		loadsegment(fs, host->fs_sel);
	if (host->ds_sel | host->es_sel) {
		loadsegment(ds, host->ds_sel);
		loadsegment(es, host->es_sel);
	}
	/* VM exits set the limits of TR and GDTR to fixed values. */
	invalidate_tss_limit();
	native_wrmsrl(MSR_KERNEL_GS_BASE, vmx->host_kernel_gs_base);
	load_fixmap_gdt(raw_smp_processor_id());
	uret_put(vmx, to_user);
	vmx->guest_state_loaded = false;
}

/**
 * vmx_vcpu_create - allocate what VMX needs for a vCPU
 * @vcpu: zeroed but for its identity, not loaded
 *
 * Return: 0 or -ENOMEM.
 * SDM: "Format of the VMCS Region".
 */
int vmx_vcpu_create(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	BUILD_BUG_ON(offsetof(struct vcpu_vmx, vcpu));
	vmx->vmcs_cpu = -1;
	vcpu->cpu = -1;
	vmx->vmcs = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->vmcs)
		return -ENOMEM;
	vmx->msr_bitmap = (unsigned long *)__get_free_page(GFP_KERNEL_ACCOUNT);
	if (!vmx->msr_bitmap)
		goto free_vmcs;
	if (vmx_perf_create(vmx))
		goto free_bitmap;
	if (pml_create(vmx))
		goto free_perf;
	vmx->exits_disabled = READ_ONCE(vcpu->vm->exits_disabled);
	vmx_msr_bitmap_init(vmx);
	vmx->vpid = vpid_alloc();

	*(u32 *)vmx->vmcs = vmx_caps.revision;
	vmx->vmcs_pa = __pa(vmx->vmcs);
	vmx_vmclear(vmx->vmcs_pa);
	return 0;

free_perf:
	vmx_perf_free(vmx);
free_bitmap:
	free_page((unsigned long)vmx->msr_bitmap);
free_vmcs:
	free_page((unsigned long)vmx->vmcs);
	vmx->vmcs = NULL;
	return -ENOMEM;
}

/**
 * vmx_vcpu_free - undo vmx_vcpu_create()
 * @vcpu: not loaded; may sleep
 */
void vmx_vcpu_free(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (!vmx->vmcs)
		return;
	vmcs_clear_anywhere(vmx);
	vpid_free(vmx->vpid);
	pml_free(vmx);
	vmx_perf_free(vmx);
	free_page((unsigned long)vmx->msr_bitmap);
	free_page((unsigned long)vmx->vmcs);
	vmx->vmcs = NULL;
}

/**
 * vmx_vcpu_reset - the vendor's part of power-on and INIT
 * @vcpu: loaded
 * @init: INIT, which leaves controls, host state and most MSRs alone
 *
 * Source: Intel SDM vol. 3A (December 2023), "Processor State After Reset".
 * SDM: "Initializing a VMCS".
 */
void vmx_vcpu_reset(struct vcpu *vcpu, bool init)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	if (!init) {
		vmcs_init_pointers(vmx);
		vmcs_init_controls(vmx);
		vmcs_load_slice(vmx);
		vmcs_init_host(vmx);
	}
	vmcs_init_guest(vmx);
	vmx_msr_reset(vmx, init);
	vmx_regs_reset(vmx, init);
	vmx_cpuid_changed(vcpu);
	vmx_flush_tlb_guest(vcpu);
}

/**
 * vmx_cpuid_changed - the guest's CPUID decides which instructions and MSRs exist
 * @vcpu: loaded
 */
void vmx_cpuid_changed(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 proc2 = vmx->ctl.proc2;

	proc2 &= ~(SECONDARY_EXEC_ENABLE_RDTSCP | SECONDARY_EXEC_ENABLE_INVPCID |
		   SECONDARY_EXEC_RDRAND_EXITING | SECONDARY_EXEC_RDSEED_EXITING |
		   SECONDARY_EXEC_XSAVES);
	/* This one control stands for RDTSCP and RDPID. */
	if (guest_has(vcpu, X86_FEATURE_RDTSCP) || guest_has(vcpu, X86_FEATURE_RDPID))
		proc2 |= SECONDARY_EXEC_ENABLE_RDTSCP;
	if (guest_has(vcpu, X86_FEATURE_INVPCID))
		proc2 |= SECONDARY_EXEC_ENABLE_INVPCID;
	if (guest_has(vcpu, X86_FEATURE_XSAVES))
		proc2 |= SECONDARY_EXEC_XSAVES;
	/* These two work unless they are made to exit, and then are #UD. */
	if (!guest_has(vcpu, X86_FEATURE_RDRAND))
		proc2 |= SECONDARY_EXEC_RDRAND_EXITING;
	if (!guest_has(vcpu, X86_FEATURE_RDSEED))
		proc2 |= SECONDARY_EXEC_RDSEED_EXITING;
	vmcs_ctl_set_proc2(vmx, proc2 & vmx_caps.proc2);
	uret_use(vmx);

	vmx_cr4_update_owned(vcpu);
	vmx_msr_bitmap_cpuid_changed(vmx);
}
