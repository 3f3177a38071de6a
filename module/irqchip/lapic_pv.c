// SPDX-License-Identifier: GPL-2.0
/*
 * What a guest that knows it is one does to its local APIC without touching it:
 * PV EOI, where a bit in memory stands for the write to the EOI register, and
 * IPIs to a set of vCPUs by one hypercall.
 *
 * PV EOI: before an entry the bit is set, if the one interrupt in service may be
 * ended late: no other waits, and no chip wants to know. The guest clears it
 * instead of writing EOI. After every exit the bit is taken back, and if the guest
 * had cleared it the EOI is done. So between exits the APIC is always up to date.
 */
#include <linux/align.h>

#include "../../uapi/minikvm_para.h"
#include "../memslot.h"
#include "../trace_irq.h"
#include "irqchip.h"
#include "lapic_impl.h"

static gpa_t pv_eoi_gpa(struct vcpu *vcpu)
{
	return vcpu->pv_eoi_msr & ~(u64)MINIKVM_MSR_ENABLED;
}

/**
 * lapic_set_pv_eoi - write MINIKVM_MSR_PV_EOI_EN
 * @vcpu: the vCPU, loaded, its own thread
 * @data: bit 0 enables; address of the byte, 4-byte aligned
 *
 * Return: 0; -EINVAL (reserved bit, or no memory there).
 */
int lapic_set_pv_eoi(struct vcpu *vcpu, u64 data)
{
	gpa_t gpa = data & ~(u64)MINIKVM_MSR_ENABLED;
	u8 byte;

	if (!IS_ALIGNED(gpa, 4))
		return -EINVAL;
	if (data & MINIKVM_MSR_ENABLED && guest_read(vcpu->vm, gpa, &byte, sizeof(byte)))
		return -EINVAL;
	vcpu->pv_eoi_msr = data;
	return 0;
}

/* Before an entry, what is to be injected is chosen. Sleeps. */
void lapic_pv_eoi_arm(struct lapic *apic)
{
	const u8 enabled = MINIKVM_PV_EOI_ENABLED;
	struct vcpu *vcpu = apic->vcpu;

	/* Where the CPU delivers, EOIs make no exit to be spared. */
	if (!(vcpu->pv_eoi_msr & MINIKVM_MSR_ENABLED) || apic->delivers)
		return;
	/* Another waits, perhaps for this one's EOI; or a chip does. */
	if (READ_ONCE(apic->irr_pending) || apic->isr_highest < 0 ||
	    ioapic_handles_vector(vcpu->vm, apic->isr_highest))
		return;
	if (!guest_write(vcpu->vm, pv_eoi_gpa(vcpu), &enabled, sizeof(enabled)))
		__set_bit(APIC_ATTENTION_PV_EOI, &vcpu->apic_attention);
}

/* After an exit, or an entry that was called off. Sleeps. */
void lapic_pv_eoi_collect(struct lapic *apic)
{
	struct vcpu *vcpu = apic->vcpu;
	const u8 disabled = 0;
	u8 byte;

	__clear_bit(APIC_ATTENTION_PV_EOI, &vcpu->apic_attention);
	if (!(vcpu->pv_eoi_msr & MINIKVM_MSR_ENABLED))
		return;
	if (!guest_read(vcpu->vm, pv_eoi_gpa(vcpu), &byte, sizeof(byte)) &&
	    byte & MINIKVM_PV_EOI_ENABLED &&
	    !guest_write(vcpu->vm, pv_eoi_gpa(vcpu), &disabled, sizeof(disabled)))
		return;
	trace_kvm_pv_eoi(vcpu->id, apic->isr_highest);
	/* Cleared by the guest; or the memory has gone, and with it the answer. */
	lapic_eoi(apic);
}

/* ---- IPIs by hypercall ----------------------------------------------------------- */

static long send_to_set(struct vm *vm, u64 set, u32 first, const struct lapic_msg *msg)
{
	struct vcpu *target;
	long count = 0;
	int bit;

	while (set) {
		bit = __ffs(set);
		set &= set - 1;
		target = vm_vcpu_by_id(vm, first + bit);
		if (target && target->lapic && apic_hw_enabled(target->lapic))
			count += lapic_take(target->lapic, msg->mode, msg->vector, msg->level,
					    msg->trig_level);
	}
	return count;
}

/**
 * lapic_send_pv_ipi - MINIKVM_HC_SEND_IPI
 * @vm: the VM
 * @args: two words of a set of APIC ids, the id of the set's first bit, and the
 *	ICR's low half
 * @width: bits of a word of the set, 32 or 64
 *
 * Return: how many APICs took it; -MINIKVM_EINVAL (a destination mode or shorthand
 * in the ICR: the set is the destination).
 */
long lapic_send_pv_ipi(struct vm *vm, const u64 *args, unsigned int width)
{
	u32 icr = args[3], first = args[2];
	struct lapic_msg msg = {
		.vector = icr & ICR_VECTOR,
		.mode = ICR_MODE(icr),
		.level = icr & ICR_ASSERT,
		.trig_level = icr & ICR_LEVEL,
	};

	if (ICR_SHORTHAND(icr) || icr & ICR_LOGICAL)
		return -MINIKVM_EINVAL;
	return send_to_set(vm, args[0], first, &msg) +
	       send_to_set(vm, args[1], first + width, &msg);
}
