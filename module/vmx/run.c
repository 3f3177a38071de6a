// SPDX-License-Identifier: GPL-2.0
/*
 * One stay in the guest: what is compared and written before the world switch,
 * and what must be looked at before interrupts come back on.
 *
 * This is the path every exit pays for. It reads one VMCS field per exit (two
 * for the exits that can interrupt an event's delivery) and writes those
 * whose value changed, which is RIP and little else.
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/hardirq.h>
#include <linux/jiffies.h>
#include <asm/apicdef.h>
#include <asm/debugreg.h>
#include <asm/mce.h>
#include <asm/mmu_context.h>
#include <asm/perf_event.h>
#include <asm/special_insns.h>
#include <asm/tlbflush.h>

#include "vmx.h"
#include "../x86/debug.h"

static_assert(offsetof(struct enter_ctx, host_rsp) == ENTER_CTX_HOST_RSP);
static_assert(offsetof(struct enter_ctx, spec_ctrl) == ENTER_CTX_SPEC_CTRL);
/* enter.S indexes vcpu->regs[] by the register's number in an instruction. */
static_assert(REG_RAX == 0 && REG_RCX == 1 && REG_RDX == 2 && REG_RBX == 3 &&
	      REG_RBP == 5 && REG_RSI == 6 && REG_RDI == 7 && REG_R8 == 8 && REG_R15 == 15);

/* Cached copies of what lives in the VMCS while the guest runs. */
#define REGS_IN_VMCS	(BIT(REG_RSP) | BIT(REG_RIP) | BIT(REG_RFLAGS) | BIT(REG_CR0) | \
			 BIT(REG_CR3) | BIT(REG_CR4) | BIT(REG_SEGMENTS))

static void flush_dirty_regs(struct vcpu *vcpu)
{
	if (vcpu->reg_dirty & BIT(REG_RIP))
		vmcs_writel(GUEST_RIP, vcpu->regs[REG_RIP]);
	if (vcpu->reg_dirty & BIT(REG_RSP))
		vmcs_writel(GUEST_RSP, vcpu->regs[REG_RSP]);
	if (vcpu->reg_dirty & BIT(REG_RFLAGS))
		vmcs_writel(GUEST_RFLAGS, vcpu->rflags);
	vcpu->reg_dirty = 0;
}

/*
 * VM entry insists on a threshold that the priority has not dropped below yet.
 * Userspace or an MMIO write may have lowered it since it was set.
 * SDM: "Controls for APIC Virtualization".
 */
static void check_tpr_threshold(struct vcpu_vmx *vmx)
{
	u32 tpr = READ_ONCE(vmx->virtual_apic[APIC_TASKPRI]) >> 4;

	if (vmx->tpr_threshold > tpr) {
		vmcs_write32(TPR_THRESHOLD, tpr);
		vmx->tpr_threshold = tpr;
	}
}

/*
 * The host's CR3 and CR4 change with tasks and features: VM exits restore these.
 * SDM: "Host-State Area".
 */
static void refresh_host_cr(struct vcpu_vmx *vmx)
{
	/* Not the kernel's own copy: reading the register is cheaper, and never stale. */
	unsigned long cr3 = __native_read_cr3();
	unsigned long cr4 = cr4_read_shadow();

	if (unlikely(cr3 != vmx->host.cr3)) {
		vmcs_writel(HOST_CR3, cr3);
		vmx->host.cr3 = cr3;
	}
	if (unlikely(cr4 != vmx->host.cr4)) {
		vmcs_writel(HOST_CR4, cr4);
		vmx->host.cr4 = cr4;
	}
}

/*
 * DR0 to DR3 are loaded only for a guest that has breakpoints enabled. DR6 stays
 * the host's: #DB exits, and such an exit changes no DR6. DR7 is in the VMCS.
 */
static void load_guest_breakpoints(struct vcpu *vcpu)
{
	const unsigned long *db = debug_eff_db(vcpu);

	set_debugreg(0, 7);
	set_debugreg(db[0], 0);
	set_debugreg(db[1], 1);
	set_debugreg(db[2], 2);
	set_debugreg(db[3], 3);
	vcpu->db_loaded = true;
}

/*
 * Bound this stay by vcpu->guest_timer, or, when there is none any more, do not.
 * The timer ticks when bit @rate of the TSC changes: rounded up, it never ends early.
 * A count of zero exits before the guest's first instruction; one that the field cannot
 * hold exits early, and is continued by the next entry. The control stays on, so that
 * arming costs one VMWRITE.
 * SDM: "VMX-Preemption Timer".
 */
static void load_guest_timer(struct vcpu_vmx *vmx)
{
	u64 end = vmx->vcpu.guest_timer, now = rdtsc();
	u32 value = vmx->slice ?: U32_MAX;

	if (end) {
		u32 rate = vmx_misc_preemption_timer_rate(vmx_caps.misc);
		u64 left = end > now ? ((end - 1) >> rate) + 1 - (now >> rate) : 0;

		value = min_t(u64, value, left);
	}
	vmcs_write32(VMX_PREEMPTION_TIMER_VALUE, value);
	vmcs_ctl_set_bits_pin(vmx, PIN_BASED_VMX_PREEMPTION_TIMER);
	vmx->timed = end;
}

static noinstr void enter_and_exit(struct vcpu_vmx *vmx, unsigned int flags, bool tell_rcu)
{
	struct vcpu *vcpu = &vmx->vcpu;

	guest_context_begin(tell_rcu);

	if (static_branch_unlikely(&vmx_l1d_should_flush))
		vmx_l1d_flush(vmx);
	if (vcpu->cr2 != native_read_cr2())
		native_write_cr2(vcpu->cr2);

	vmx->fail = vmx_enter_guest(&vmx->enter, vcpu->regs, flags);

	vcpu->cr2 = native_read_cr2();
	compat_guest_was_here();
	guest_context_end();
}

/*
 * Exits that an instruction causes once it has begun: nothing was being
 * delivered, so IDT-vectoring information is not valid and not worth a VMREAD.
 */
static bool exit_may_interrupt_delivery(u16 basic)
{
	switch (basic) {
	case EXIT_REASON_CPUID:
	case EXIT_REASON_HLT:
	case EXIT_REASON_VMCALL:
	case EXIT_REASON_CR_ACCESS:
	case EXIT_REASON_DR_ACCESS:
	case EXIT_REASON_IO_INSTRUCTION:
	case EXIT_REASON_MSR_READ:
	case EXIT_REASON_MSR_WRITE:
	case EXIT_REASON_APIC_WRITE:
	case EXIT_REASON_EOI_INDUCED:
		return false;
	default:
		return true;
	}
}

/**
 * vmx_enter - run the guest until it exits
 * @vcpu: loaded, prepared by vmx_prepare_switch()
 *
 * Context: interrupts off.
 * SDM: "VM Entries".
 */
void vmx_enter(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	bool host_breakpoints = hw_breakpoint_active();
	unsigned long now = jiffies;
	unsigned int flags = 0;

	flush_dirty_regs(vcpu);
	refresh_host_cr(vmx);
	if (unlikely(vcpu->pat != vmx->pat)) {
		vmcs_write64(GUEST_IA32_PAT, vcpu->pat);
		vmx->pat = vcpu->pat;
	}
	if (unlikely(vcpu->eff_dr7 & (DR_GLOBAL_ENABLE_MASK | DR_LOCAL_ENABLE_MASK)))
		load_guest_breakpoints(vcpu);
	else if (unlikely(host_breakpoints))
		set_debugreg(0, 7);

	/* The debugger's TF is not the guest's: no trap of an earlier step pends. */
	if (unlikely(vcpu->guest_debug & MINIKVM_GUESTDBG_SINGLESTEP))
		vmx_set_shadow(vcpu, 0);

	if (vmx->tpr_threshold)
		check_tpr_threshold(vmx);
	if (static_branch_unlikely(&vmx_perf_in_use))
		vmx_perf_switch(vmx);
	if (vcpu->guest_timer | vmx->timed)
		load_guest_timer(vmx);

	if (vmx->launched)
		flags |= ENTER_RESUME;
	if (unlikely(vmx->spec_ctrl_passthrough))
		flags |= ENTER_SAVE_SPEC_CTRL;

	enter_and_exit(vmx, flags, vmx->rcu_told != now);
	vmx->rcu_told = now;

	if (unlikely(vmx->host_debugctl))
		update_debugctlmsr(vmx->host_debugctl);
	vcpu->db_loaded = false;
	if (unlikely(host_breakpoints))
		hw_breakpoint_restore();

	vmx->exit_known = 0;
	vmx->idt_info = 0;
	vcpu->reg_valid &= ~REGS_IN_VMCS;
	if (unlikely(vmx->fail)) {
		vmx->exit_reason = VMX_EXIT_REASONS_FAILED_VMENTRY;
		return;
	}

	vmx->exit_reason = vmcs_read32(VM_EXIT_REASON);
	/* A failed entry delivered nothing and launched nothing. */
	if (unlikely(exit_reason_failed_entry(vmx->exit_reason)))
		return;
	vmx->launched = true;
	if (exit_may_interrupt_delivery(exit_reason_basic(vmx->exit_reason)))
		vmx->idt_info = vmcs_read32(IDT_VECTORING_INFO_FIELD);
}

/*
 * A machine check that hit the guest is the host's to handle.
 * SDM: "Machine-Check Events During VM Entry".
 */
static void host_machine_check(void)
{
#ifdef CONFIG_X86_MCE
	struct pt_regs regs = {
		.cs = 3,			/* as if from user mode */
		.flags = X86_EFLAGS_IF,
	};

	do_machine_check(&regs);
#endif
}

/**
 * vmx_exit_irqoff - what must happen before interrupts come back on
 * @vcpu: just left the guest
 *
 * An external interrupt needs nothing: it was not acknowledged, it is taken
 * when interrupts come back on. NMIs are blocked until the handler's IRET.
 *
 * Context: interrupts off.
 */
void vmx_exit_irqoff(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u16 basic = exit_reason_basic(vmx->exit_reason);

	/* Also when the entry did not even exit. */
	if (unlikely(exit_reason_failed_entry(vmx->exit_reason))) {
		if (basic == EXIT_REASON_MCE_DURING_VMENTRY)
			host_machine_check();
		return;
	}
	if (basic == EXIT_REASON_EXTERNAL_INTERRUPT)
		vcpu->at_insn_boundary = true;
	if (basic == EXIT_REASON_EXCEPTION_NMI) {
		u32 info = vmx_intr_info(vmx);

		if (intr_info_is_nmi(info))
			vmx_call_nmi(COMPAT_NMI_ENTRY);
		else if (intr_info_is_exception(info, X86_TRAP_MC))
			host_machine_check();
	}
	if (vmx->entry_intr_info || intr_info_valid(vmx->idt_info))
		vmx_complete_events(vmx);
}
