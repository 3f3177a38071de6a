// SPDX-License-Identifier: GPL-2.0
/*
 * A local APIC whose register page the CPU works on by itself: requests on
 * their way into the page, what becomes of the state when the CPU begins or
 * ceases to deliver interrupts, and what is left to do after a write that the
 * CPU has made for the guest.
 *
 * While a vCPU is in the guest its CPU owns the page: it moves IRR bits to ISR,
 * clears ISR bits at an EOI and computes the PPR. Others must not write there, so
 * they leave their requests in a bitmap beside it, and the vCPU's own thread
 * collects them before its next entry. That holds for every APIC of a module
 * that uses the feature, also while the CPU does not deliver for this vCPU: then
 * nobody has to know which it is at the moment.
 *
 * Source: Intel SDM vol. 3C (December 2023), "APIC Virtualization and Virtual
 * Interrupts".
 */
#include <linux/bitops.h>

#include "../trace_irq.h"
#include "irqchip.h"
#include "lapic_impl.h"

/* Set at load by a vendor that will deliver interrupts from the register page. */
bool lapic_posting __ro_after_init;

/* Set at load by a vendor whose CPU serves the TPR of the xAPIC page. */
bool lapic_tpr_mapped __ro_after_init;

/* Another thread asks for a vector. Any context; returns true if it is news. */
bool lapic_post(struct lapic *apic, u8 vector)
{
	if (test_and_set_bit(vector, apic->posted))
		return false;
	/* The bit is there before the flag that says so. */
	WRITE_ONCE(apic->any_posted, true);
	return true;
}

/* By the vCPU's own thread, outside the guest: requests go into the IRR. */
bool lapic_collect(struct lapic *apic)
{
	unsigned long bits;
	int i;

	if (likely(!READ_ONCE(apic->any_posted)))
		return false;
	WRITE_ONCE(apic->any_posted, false);
	/* A bit set after the look below comes with the flag again. */
	smp_mb();
	for (i = 0; i < ARRAY_SIZE(apic->posted); i++) {
		if (!READ_ONCE(apic->posted[i]))
			continue;
		for (bits = xchg(&apic->posted[i], 0); bits; bits &= bits - 1) {
			u8 vector = i * BITS_PER_LONG + __ffs(bits);

			__set_bit(vector & 31, apic_vector_word(apic->regs, LAPIC_IRR, vector));
		}
	}
	WRITE_ONCE(apic->irr_pending, true);
	return true;
}

/* Requests that nobody has collected are void: reset, or a state is restored. */
void lapic_discard_posted(struct lapic *apic)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(apic->posted); i++)
		xchg(&apic->posted[i], 0);
}

/**
 * lapic_sync - tell the CPU what is requested and what is in service
 * @vcpu: loaded, by the holder of its mutex
 *
 * To be called when anything but the CPU changed IRR or ISR, before the next
 * entry. Does nothing for an APIC whose interrupts are injected.
 */
void lapic_sync(struct vcpu *vcpu)
{
	struct lapic *apic = vcpu->lapic;
	int request = -1;

	if (!apic || !apic->posts)
		return;
	lapic_collect(apic);
	if (!apic->delivers)
		return;
	if (apic_hw_enabled(apic))
		request = apic_vector_highest(apic->regs, LAPIC_IRR);
	vendor->set_virtual_irqs(vcpu, request, apic_vector_highest(apic->regs, LAPIC_ISR));
}

/**
 * lapic_set_delivers - the CPU begins or ceases to deliver from the page
 * @vcpu: loaded, by the holder of its mutex; has an in-kernel APIC
 * @delivers: whether the vendor has told it to
 */
void lapic_set_delivers(struct vcpu *vcpu, bool delivers)
{
	struct lapic *apic = vcpu->lapic;

	if (apic->delivers == delivers)
		return;
	apic->delivers = delivers;
	apic->isr_highest = apic_vector_highest(apic->regs, LAPIC_ISR);
	WRITE_ONCE(apic->irr_pending, true);
	vcpu_set_request(vcpu, REQ_EVENT);
}

/**
 * lapic_delivers - does the CPU deliver this APIC's interrupts
 * @vcpu: the vCPU, by its own thread
 */
bool lapic_delivers(struct vcpu *vcpu)
{
	return vcpu->lapic && vcpu->lapic->delivers;
}

/**
 * lapic_virtual_write - the CPU has written a register for the guest
 * @vcpu: loaded, by its own thread
 * @offset: which; the value is in the page, and the instruction is done
 */
void lapic_virtual_write(struct vcpu *vcpu, u32 offset)
{
	struct lapic *apic = vcpu->lapic;
	u32 val = apic_reg(apic->regs, offset);

	switch (offset) {
	case LAPIC_ID:
	case LAPIC_LDR:
		trace_kvm_apic(TRACE_APIC_WRITE, offset, val);
		apic_reg_set(apic->regs, offset, val & 0xff000000);
		lapic_map_update(vcpu->vm);
		break;
	case LAPIC_DFR:
		trace_kvm_apic(TRACE_APIC_WRITE, offset, val);
		apic_reg_set(apic->regs, offset, val | 0x0fffffff);
		lapic_map_update(vcpu->vm);
		break;
	case LAPIC_TMICT:
		/* Not a register in this mode; the CPU does not know. */
		if (apic->timer_mode == LVT_TIMER_DEADLINE) {
			apic_reg_set(apic->regs, offset, 0);
			break;
		}
		fallthrough;
	default:
		lapic_reg_write(apic, offset, val);
	}
}

/**
 * lapic_eoi_vectors_changed - ioapic_eoi_vectors() has a new answer
 * @vm: the VM
 *
 * CPUs that end a service by themselves have to exit for these. One raised from
 * now on is collected only by an entry that has loaded them.
 *
 * Context: any.
 */
void lapic_eoi_vectors_changed(struct vm *vm)
{
	if (lapic_posting)
		vm_request_all(vm, REQ_APIC);
}

/**
 * lapic_virtual_eoi - the CPU has ended a vector's service for the guest
 * @vcpu: loaded, by its own thread
 * @vector: one of those that ioapic_eoi_vectors() named
 */
void lapic_virtual_eoi(struct vcpu *vcpu, u8 vector)
{
	trace_kvm_eoi(vcpu->id, vector);
	lapic_eoi_broadcast(vcpu->lapic, vector);
}

/**
 * lapic_x2apic_reads - which x2APIC registers the CPU may read from the page
 * @vcpu: a vCPU with an in-kernel APIC, by the holder of its mutex
 * @registers: 64 bits: the register at offset n << 4, MSR 0x800 + n
 *
 * All that can be read but those whose value is computed, or kept in two parts.
 * The PPR is right while the CPU delivers.
 */
void lapic_x2apic_reads(struct vcpu *vcpu, u64 *registers)
{
	*registers = LAPIC_READABLE & ~(LAPIC_REG_BIT(LAPIC_TMCCT) | LAPIC_REG_BIT(LAPIC_ICR));
	if (!lapic_delivers(vcpu))
		*registers &= ~LAPIC_REG_BIT(LAPIC_PPR);
}
