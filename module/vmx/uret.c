// SPDX-License-Identifier: GPL-2.0
/*
 * User-return MSRs: MSRs whose guest value can stay loaded while the kernel
 * runs, because the kernel needs its own value only in user mode or when it
 * comes back from there. They are put back when this CPU next returns to user
 * mode, so a vCPU that stays in the kernel pays nothing for them.
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
 * @registered: the notifier is armed
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
		wrmsrl(uret_msr[i], u->host[i]);
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
}

static void uret_write(struct uret_cpu *u, enum uret_slot slot, u64 value)
{
	if (u->current_value[slot] == value || !(u->present & BIT(slot)))
		return;
	/* A value this CPU refuses stays the guest's to read, not to use. */
	if (wrmsrl_safe(uret_msr[slot], value))
		return;
	u->current_value[slot] = value;
	if (!u->registered) {
		u->registered = true;
		user_return_notifier_register(&u->notifier);
	}
}

/**
 * uret_load - make this CPU's MSRs the guest's
 * @vmx: the vCPU about to run here
 *
 * Context: preemption off.
 */
void uret_load(struct vcpu_vmx *vmx)
{
	struct uret_cpu *u = this_cpu_ptr(&uret_cpu);
	unsigned long flags;
	int i;

	local_irq_save(flags);
	for (i = 0; i < NR_URET; i++)
		uret_write(u, i, vmx->uret[i]);
	local_irq_restore(flags);
}

/**
 * uret_set - the guest's value of one of the MSRs changed
 * @vmx: the vCPU, loaded
 * @slot: which MSR
 * @value: its new value, already checked
 */
void uret_set(struct vcpu_vmx *vmx, enum uret_slot slot, u64 value)
{
	unsigned long flags;

	vmx->uret[slot] = value;
	local_irq_save(flags);
	if (vmx->guest_state_loaded)
		uret_write(this_cpu_ptr(&uret_cpu), slot, value);
	local_irq_restore(flags);
}
