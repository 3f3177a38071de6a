// SPDX-License-Identifier: GPL-2.0
/*
 * The split irqchip: local APICs in the kernel, the I/O APIC and the 8259 pair
 * in userspace.
 *
 * Every GSI is a message. The first of them, as many as userspace reserved, are
 * the pins of its I/O APIC: when a CPU finishes a vector that one of these sends
 * with level trigger mode, userspace is told by MINIKVM_EXIT_IOAPIC_EOI. The
 * userspace 8259 interrupts through MINIKVM_INTERRUPT, which stands for the
 * CPU's LINT0 and the acknowledge cycle in one: see user_irq.c.
 */
#include <linux/bitmap.h>

#include "../minikvm.h"
#include "apic_regs.h"
#include "irqchip.h"
#include "lapic.h"
#include "chips.h"

/**
 * irqchip_create_split - ENABLE_CAP(SPLIT_IRQCHIP)
 * @vm: the VM
 * @nr_reserved: how many GSIs, from 0 on, are pins of userspace's I/O APIC
 *
 * The routing table starts empty, and routes to pins are refused.
 *
 * Context: process; takes vm->lock.
 * Return: 0; -EINVAL (@nr_reserved is more than there are GSIs); -EEXIST (the VM
 * has an irqchip, or a vCPU); -ENOMEM.
 */
int irqchip_create_split(struct vm *vm, u64 nr_reserved)
{
	int err = -EEXIST;

	if (nr_reserved > MK_NR_GSI)
		return -EINVAL;

	mutex_lock(&vm->lock);
	if (irqchip_in_kernel(vm) || vm->created_vcpus)
		goto unlock;
	err = irq_set_routing(vm, NULL, 0, 0);
	if (err)
		goto unlock;
	vm->nr_reserved_gsi = nr_reserved;
	vm->irqchip_split = true;
	/* Pairs with irqchip_in_kernel(): who sees it sees which kind. */
	smp_store_release(&vm->irqchip_ready, true);
unlock:
	mutex_unlock(&vm->lock);
	return err;
}

/**
 * split_eoi - a local APIC finished a vector that an I/O APIC may have sent
 * @vcpu: whose, by its own thread
 * @vector: which
 * @level: it was requested with level trigger mode
 *
 * The same vector means different things on different CPUs, so it counts only
 * where a route leads to this one; or where it arrived as a level, which says
 * that a route led here before it was changed.
 */
void split_eoi(struct vcpu *vcpu, u8 vector, bool level)
{
	if (!level && !irq_eoi_routed(vcpu, vector))
		return;
	vcpu->ioapic_eoi_vector = vector;
	vcpu_set_request(vcpu, REQ_IOAPIC_EOI);
}

/**
 * split_eoi_exit - REQ_IOAPIC_EOI: tell userspace's I/O APIC
 * @vcpu: the vCPU
 */
enum exit_action split_eoi_exit(struct vcpu *vcpu)
{
	vcpu->run->exit_reason = MINIKVM_EXIT_IOAPIC_EOI;
	vcpu->run->eoi.vector = vcpu->ioapic_eoi_vector;
	return EXIT_TO_USER;
}
