// SPDX-License-Identifier: GPL-2.0
/*
 * User-return MSRs: MSRs whose guest value can stay loaded while the kernel
 * runs, because the kernel needs its own value only in user mode or when it
 * comes back from there. They are put back when RUN ends; when the scheduler
 * takes the CPU from a vCPU's thread, only once this CPU returns to user mode:
 * a vCPU that stays in the kernel pays nothing for them.
 *
 * Only those are loaded that the guest has an instruction to see: SYSCALL and
 * SYSRET need EFER.SCE and 64-bit mode, TSC_AUX needs RDTSCP or RDPID. RDMSR and
 * WRMSR of all of them exit.
 *
 * Source: Intel SDM vol. 4 (December 2023), "Architectural MSRs"; the kernel's
 * user-return notifiers.
 */
#include <linux/percpu.h>
#include <linux/user-return-notifier.h>
#include <asm/msr.h>

#include "vmx.h"

static const u32 uret_msr[NR_URET] = {
	[URET_STAR]		= MSR_STAR,
	[URET_LSTAR]		= MSR_LSTAR,
	[URET_SYSCALL_MASK]	= MSR_SYSCALL_MASK,
	[URET_TSC_AUX]		= MSR_TSC_AUX,
};

/**
 * struct uret_cpu - the MSRs of one CPU; changed on it, interrupts off
 * @notifier: fires on this CPU's next return to user mode, if armed
 * @host: the kernel's values
 * @current_value: what the registers hold
 * @present: which of them exist
 * @registered: the notifier is armed: nobody else will put the values back
 */
struct uret_cpu {
	struct user_return_notifier notifier;
	bool registered;
	u8 present;
	u64 host[NR_URET];
	u64 current_value[NR_URET];
};

static DEFINE_PER_CPU(struct uret_cpu, uret_cpu);

static void uret_restore(struct uret_cpu *u)
{
	int i;

	for (i = 0; i < NR_URET; i++) {
		if (u->current_value[i] == u->host[i])
			continue;
		native_wrmsrl(uret_msr[i], u->host[i]);
		u->current_value[i] = u->host[i];
	}
}

static void uret_on_user_return(struct user_return_notifier *notifier)
{
	struct uret_cpu *u = container_of(notifier, struct uret_cpu, notifier);
	unsigned long flags;

	/* uret_cpu_disable() may come by IPI. */
	local_irq_save(flags);
	if (u->registered) {
		u->registered = false;
		user_return_notifier_unregister(notifier);
		uret_restore(u);
	}
	local_irq_restore(flags);
}

/* On the CPU that enters VMX operation: learn the kernel's values. */
void uret_cpu_enable(void)
{
	struct uret_cpu *u = this_cpu_ptr(&uret_cpu);
	int i;

	u->notifier.on_user_return = uret_on_user_return;
	u->present = 0;
	for (i = 0; i < NR_URET; i++) {
		if (i == URET_TSC_AUX && !boot_cpu_has(X86_FEATURE_RDTSCP) &&
		    !boot_cpu_has(X86_FEATURE_RDPID))
			continue;
		if (rdmsrl_safe(uret_msr[i], &u->host[i]))
			continue;
		u->current_value[i] = u->host[i];
		u->present |= BIT(i);
	}
}

/* On the CPU that leaves VMX operation, interrupts off. */
void uret_cpu_disable(void)
{
	struct uret_cpu *u = this_cpu_ptr(&uret_cpu);

	if (u->registered)
		uret_on_user_return(&u->notifier);
	else
		uret_restore(u);
}

/**
 * uret_load - make this CPU's MSRs the guest's
 * @vmx: the vCPU about to run here
 *
 * Context: preemption off, interrupts on.
 */
void uret_load(struct vcpu_vmx *vmx)
{
	u8 load = vmx->uret_used & ~vmx->uret_refused;
	struct uret_cpu *u;
	int i;

	if (!load)
		return;
	vmx->uret_loaded = true;
	local_irq_disable();
	u = this_cpu_ptr(&uret_cpu);
	/* uret_set() has tried the values: writing them cannot fault. */
	for (i = 0; i < NR_URET; i++) {
		u64 value = vmx->uret[i];

		if (!(load & BIT(i)) || value == u->current_value[i])
			continue;
		native_wrmsrl(uret_msr[i], value);
		u->current_value[i] = value;
	}
	local_irq_enable();
}

/**
 * uret_put - this CPU stops running a vCPU whose MSRs uret_load() loaded
 * @vmx: the vCPU
 * @to_user: its thread returns to user mode; else another thread comes, which
 *	may, or this one comes back
 *
 * Context: preemption off; interrupts on if @to_user.
 */
void uret_put(struct vcpu_vmx *vmx, bool to_user)
{
	struct uret_cpu *u = this_cpu_ptr(&uret_cpu);

	if (!vmx->uret_loaded)
		return;
	vmx->uret_loaded = false;
	if (to_user) {
		/* uret_cpu_disable() may come by IPI. */
		local_irq_disable();
		uret_restore(u);
		local_irq_enable();
	} else if (!u->registered) {
		u->registered = true;
		user_return_notifier_register(&u->notifier);
	}
}

/**
 * uret_use - which of the MSRs matter to the guest may have changed
 * @vmx: the vCPU, loaded: its EFER and secondary controls
 */
void uret_use(struct vcpu_vmx *vmx)
{
	u64 syscall = EFER_SCE | EFER_LMA;
	u8 used = 0;

	if ((vmx->vcpu.efer & syscall) == syscall)
		used |= BIT(URET_STAR) | BIT(URET_LSTAR) | BIT(URET_SYSCALL_MASK);
	if (vmx->ctl.proc2 & SECONDARY_EXEC_ENABLE_RDTSCP)
		used |= BIT(URET_TSC_AUX);
	if (used == vmx->uret_used)
		return;
	vmx->uret_used = used;
	preempt_disable();
	if (vmx->guest_state_loaded)
		uret_load(vmx);
	preempt_enable();
}

/**
 * uret_set - the guest's value of one of the MSRs changed
 * @vmx: the vCPU, loaded
 * @slot: which MSR
 * @value: its new value, already checked
 *
 * The register itself tells whether it takes the value. One that this CPU refuses,
 * or an MSR it does not have, stays the guest's to read, not to use.
 */
void uret_set(struct vcpu_vmx *vmx, enum uret_slot slot, u64 value)
{
	struct uret_cpu *u;
	unsigned long flags;

	vmx->uret[slot] = value;
	local_irq_save(flags);
	u = this_cpu_ptr(&uret_cpu);
	if ((u->present & BIT(slot)) && !wrmsrl_safe(uret_msr[slot], value)) {
		vmx->uret_refused &= ~BIT(slot);
		if (vmx->uret_loaded && (vmx->uret_used & BIT(slot)))
			u->current_value[slot] = value;
		else
			native_wrmsrl(uret_msr[slot], u->current_value[slot]);
	} else {
		vmx->uret_refused |= BIT(slot);
	}
	local_irq_restore(flags);
}
