// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts that userspace injects: MINIKVM_INTERRUPT, and the window that
 * userspace asks for when the guest cannot take one yet.
 *
 * Without an in-kernel local APIC userspace has all the interrupt controllers.
 * It injects only what the guest can take at once, so an interrupt goes
 * straight to events.interrupt. With a split irqchip userspace has the 8259
 * pair: its vector waits here until the local APIC lets it through LINT0.
 */
#include "../minikvm.h"
#include "../x86/x86.h"
#include "irqchip.h"
#include "lapic.h"

/**
 * vcpu_interrupt - MINIKVM_INTERRUPT
 * @vcpu: the vCPU, loaded
 * @vector: what the CPU would have read from the interrupt controller
 *
 * Return: 0; -EINVAL (no such vector); -ENXIO (the 8259 pair is in the kernel);
 * -EEXIST (split irqchip: one waits already).
 */
int vcpu_interrupt(struct vcpu *vcpu, u32 vector)
{
	if (vector >= MINIKVM_NR_INTERRUPTS)
		return -EINVAL;

	if (!vcpu->lapic) {
		vcpu->events.interrupt.injected = true;
		vcpu->events.interrupt.soft = false;
		vcpu->events.interrupt.nr = vector;
	} else {
		if (!irqchip_split(vcpu->vm))
			return -ENXIO;
		if (vcpu->user_extint >= 0)
			return -EEXIST;
		vcpu->user_extint = vector;
	}
	vcpu_set_request(vcpu, REQ_EVENT);
	return 0;
}

/* Is there a place for one more, and would it ever be looked at? */
static bool vcpu_accepts_user_irq(struct vcpu *vcpu)
{
	if (!vcpu->lapic)
		return !vcpu->events.interrupt.injected;
	return vcpu->user_extint < 0 && lapic_accepts_pic(vcpu);
}

/**
 * vcpu_wants_irq_window - does userspace wait for the guest to take interrupts
 * @vcpu: the vCPU, in RUN, its irqchip not all in the kernel
 *
 * Return: whether an interrupt window has to be asked for before the entry.
 */
bool vcpu_wants_irq_window(struct vcpu *vcpu)
{
	/* What is on its way without an APIC is there when the window opens. */
	return vcpu->user_irq_window && (!vcpu->lapic || vcpu_accepts_user_irq(vcpu));
}

/**
 * vcpu_ready_for_user_irq - would MINIKVM_INTERRUPT be delivered at once
 * @vcpu: the vCPU, loaded
 *
 * Not while something else is half delivered: userspace that injects by other
 * means (SET_REGS, SET_SREGS) has to find the guest between two instructions.
 */
bool vcpu_ready_for_user_irq(struct vcpu *vcpu)
{
	struct vcpu_events *ev = &vcpu->events;

	return vendor->irq_allowed(vcpu) && vcpu_accepts_user_irq(vcpu) &&
	       !ev->exception.injected && !ev->exception.pending &&
	       !ev->interrupt.injected && !ev->nmi_injected;
}
