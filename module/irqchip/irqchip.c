// SPDX-License-Identifier: GPL-2.0
/*
 * The in-kernel interrupt chips as a set: made and freed together, saved and
 * restored by GET/SET_IRQCHIP, and merged into one answer to "is there an
 * interrupt for this vCPU".
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include "../minikvm.h"
#include "chips.h"
#include "irqchip.h"
#include "lapic.h"
#include "pic_chip.h"

/**
 * irqchip_create - CREATE_IRQCHIP
 * @vm: the VM
 *
 * Context: vm->lock held; no vCPU exists and no chip does.
 * Return: 0; -ENOMEM; -ENOSPC when a bus is full.
 */
int irqchip_create(struct vm *vm)
{
	int err;

	err = pic_create(vm);
	if (err)
		return err;
	err = ioapic_create(vm);
	if (err)
		goto destroy_pic;
	err = irq_default_routing(vm);
	if (err)
		goto destroy_ioapic;

	/* Pairs with irqchip_in_kernel(): who sees it sees the chips. */
	smp_store_release(&vm->irqchip_ready, true);
	return 0;

destroy_ioapic:
	ioapic_destroy(vm);
destroy_pic:
	pic_destroy(vm);
	return err;
}

/**
 * irqchip_stop - after this no chip sends anything by itself
 * @vm: a VM that runs no vCPU any more, but still has them; safe without chips
 */
void irqchip_stop(struct vm *vm)
{
	ioapic_stop(vm);
}

/**
 * irqchip_destroy - free the chips
 * @vm: a VM whose vCPUs are gone; safe when it never had chips. pit_destroy()
 *	came before the vCPUs went.
 */
void irqchip_destroy(struct vm *vm)
{
	pit_destroy(vm);
	ioapic_destroy(vm);
	pic_destroy(vm);
	irq_free_routing(vm);
	lapic_map_free(vm);
}

/**
 * irqchip_get - GET_IRQCHIP
 * @vm: the VM
 * @chip: chip_id in; the state out
 *
 * Return: 0; -EINVAL unknown chip_id; -ENXIO without in-kernel chips.
 */
int irqchip_get(struct vm *vm, struct minikvm_irqchip *chip)
{
	if (!irqchip_kernel(vm))
		return -ENXIO;

	memset(&chip->chip, 0, sizeof(chip->chip));
	switch (chip->chip_id) {
	case MINIKVM_IRQCHIP_PIC_MASTER:
		pic_get(vm, PIC_MASTER, &chip->chip.pic);
		return 0;
	case MINIKVM_IRQCHIP_PIC_SLAVE:
		pic_get(vm, PIC_SLAVE, &chip->chip.pic);
		return 0;
	case MINIKVM_IRQCHIP_IOAPIC:
		ioapic_get(vm, &chip->chip.ioapic);
		return 0;
	default:
		return -EINVAL;
	}
}

/**
 * irqchip_set - SET_IRQCHIP
 * @vm: the VM
 * @chip: chip_id and state
 *
 * Return: 0; -EINVAL unknown chip_id; -ENXIO without in-kernel chips.
 */
int irqchip_set(struct vm *vm, const struct minikvm_irqchip *chip)
{
	if (!irqchip_kernel(vm))
		return -ENXIO;

	switch (chip->chip_id) {
	case MINIKVM_IRQCHIP_PIC_MASTER:
		pic_set(vm, PIC_MASTER, &chip->chip.pic);
		return 0;
	case MINIKVM_IRQCHIP_PIC_SLAVE:
		pic_set(vm, PIC_SLAVE, &chip->chip.pic);
		return 0;
	case MINIKVM_IRQCHIP_IOAPIC:
		ioapic_set(vm, &chip->chip.ioapic);
		return 0;
	default:
		return -EINVAL;
	}
}

/* The 8259 pair, wherever it is, has an interrupt that LINT0 lets through. */
static bool vcpu_pic_pending(struct vcpu *vcpu)
{
	bool intr = vcpu->user_extint >= 0 || pic_intr(vcpu->vm);

	return intr && lapic_accepts_pic(vcpu);
}

static int vcpu_pic_ack(struct vcpu *vcpu)
{
	int vector = vcpu->user_extint;

	if (vector < 0)
		return pic_read_irq(vcpu->vm);
	vcpu->user_extint = -1;
	return vector;
}

/**
 * vcpu_irq_pending - do the in-kernel chips have an interrupt for a vCPU
 * @vcpu: the vCPU, by its own thread
 *
 * Return: true if vcpu_irq_ack() would return a vector; false without in-kernel
 * chips. Does not sleep.
 */
bool vcpu_irq_pending(struct vcpu *vcpu)
{
	if (!vcpu->lapic)
		return false;
	return vcpu_pic_pending(vcpu) || lapic_pending(vcpu) >= 0;
}

/**
 * vcpu_irq_injectable - is there an interrupt that must be injected
 * @vcpu: the vCPU, by its own thread
 *
 * Return: as vcpu_irq_pending(), but for those that the CPU delivers from the
 * APIC's registers itself.
 */
bool vcpu_irq_injectable(struct vcpu *vcpu)
{
	if (!vcpu->lapic)
		return false;
	return vcpu_pic_pending(vcpu) || (!lapic_delivers(vcpu) && lapic_pending(vcpu) >= 0);
}

/**
 * vcpu_irq_ack - the processor takes the interrupt
 * @vcpu: the vCPU, by its own thread
 *
 * ExtINT comes before the APIC's own vectors: it is not prioritized by them.
 *
 * Return: the vector, now in service; -1 if there is none to be injected.
 */
int vcpu_irq_ack(struct vcpu *vcpu)
{
	int vector;

	if (!vcpu->lapic)
		return -1;
	if (vcpu_pic_pending(vcpu))
		return vcpu_pic_ack(vcpu);
	if (lapic_delivers(vcpu))
		return -1;
	vector = lapic_pending(vcpu);
	if (vector >= 0)
		lapic_accept(vcpu, vector);
	return vector;
}
