// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of IRQ_LINE and IRQ_LINE_STATUS: who may call them, what they
 * report, and that a line reaches the guest through either controller.
 */
#include "api.h"

static int line(struct vm *vm, uint32_t irq, uint32_t level)
{
	struct minikvm_irq_level arg = { .irq = irq, .level = level };

	return ioctl(vm->fd, MINIKVM_IRQ_LINE, &arg);
}

/* Returns the status, or a negative errno below -1000. */
static int line_status(struct vm *vm, uint32_t irq, uint32_t level)
{
	struct minikvm_irq_level arg = { .irq = irq, .level = level };

	if (ioctl(vm->fd, MINIKVM_IRQ_LINE_STATUS, &arg))
		return -1000 - errno;
	return arg.status;
}

static void test_without_chip(void)
{
	struct vm *vm = vm_new(VM_BARE);

	tap_errno(line(vm, 0, 1), ENXIO, "IRQ_LINE without irqchip");
	tap_eq(line_status(vm, 0, 1), -1000 - ENXIO,
	       "IRQ_LINE_STATUS without irqchip");
	test_efault(vm->fd, MINIKVM_IRQ_LINE, sizeof(struct minikvm_irq_level),
		    "IRQ_LINE without irqchip");
	vm_free(vm);
}

static void test_arguments(struct vm *vm)
{
	uint32_t gsi;
	unsigned int good = 0;

	for (gsi = 0; gsi < MINIKVM_IOAPIC_NUM_PINS; gsi++)
		good += !line(vm, gsi, 1) && !line(vm, gsi, 0);
	tap_eq(good, MINIKVM_IOAPIC_NUM_PINS, "IRQ_LINE of GSI 0 to 23");
	tap_errno(line(vm, 5, 0xffffffff), 0, "IRQ_LINE, any level but 0 is high");
	tap_errno(line(vm, 5, 0), 0, "IRQ_LINE, level 0");
	tap_errno(line(vm, 24, 1), 0, "IRQ_LINE of a GSI without route");
	tap_errno(line(vm, 0xffffffff, 1), 0, "IRQ_LINE of GSI ~0");
	tap_eq(line_status(vm, 24, 1), -1,
	       "IRQ_LINE_STATUS of a GSI without route is -1");
	tap_eq(line_status(vm, 0xffffffff, 1), -1,
	       "IRQ_LINE_STATUS of GSI ~0 is -1");
	test_efault(vm->fd, MINIKVM_IRQ_LINE, sizeof(struct minikvm_irq_level),
		    "IRQ_LINE");
	test_efault(vm->fd, MINIKVM_IRQ_LINE_STATUS,
		    sizeof(struct minikvm_irq_level), "IRQ_LINE_STATUS");
}

static void set_ioapic_pin(struct vm *vm, unsigned int pin, uint64_t bits)
{
	struct minikvm_irqchip chip = { .chip_id = MINIKVM_IRQCHIP_IOAPIC };

	if (ioctl(vm->fd, MINIKVM_GET_IRQCHIP, &chip))
		tap_bail("GET_IRQCHIP: %s", strerror(errno));
	chip.chip.ioapic.redirtbl[pin].bits = bits;
	if (ioctl(vm->fd, MINIKVM_SET_IRQCHIP, &chip))
		tap_bail("SET_IRQCHIP: %s", strerror(errno));
}

static void test_ioapic(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	irq_guest_load(vm);
	lapic_enable(vcpu);
	vcpu_set_mode(vcpu, GUEST_REAL, GUEST_CODE);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest with interrupts on");

	/* Fixed delivery, edge, physical destination 0; no PIC has this line. */
	set_ioapic_pin(vm, 20, 0x55);
	tap_eq(line_status(vm, 20, 1), 1, "rising edge: one CPU reached");
	irq_guest_expect(vcpu, 0x55, "edge on an I/O APIC pin");
	tap_errno(line(vm, 20, 0), 0, "falling edge");
	tap_eq(line_status(vm, 20, 1), 1, "the next rising edge reaches it too");
	tap_eq(lapic_read(vcpu, 0x200 + 0x10 * (0x55 / 32)), 1u << 0x55 % 32,
	       "it waits in the IRR, the first has no EOI yet");
	vm_free(vm);
}

static void test_pic(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);
	struct minikvm_irqchip chip = { .chip_id = MINIKVM_IRQCHIP_PIC_MASTER };

	irq_guest_load(vm);
	vcpu_set_mode(vcpu, GUEST_REAL, GUEST_CODE);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest with interrupts on");
	ioctl(vm->fd, MINIKVM_GET_IRQCHIP, &chip);
	chip.chip.pic.irq_base = 0x20;
	chip.chip.pic.imr = 0;
	tap_errno(ioctl(vm->fd, MINIKVM_SET_IRQCHIP, &chip), 0,
		  "the first PIC at vector 0x20, nothing masked");
	tap_errno(line(vm, 4, 1), 0, "IRQ 4");
	irq_guest_expect(vcpu, 0x24, "IRQ 4 through PIC and LINT0");
	tap_errno(line(vm, 4, 0), 0, "IRQ 4 low");
	tap_errno(line(vm, 4, 1), 0, "IRQ 4 high again");
	irq_guest_expect(vcpu, 0x24, "a second edge on IRQ 4");
	vm_free(vm);
}

int main(void)
{
	struct vm *vm;

	tap_plan(0);
	test_without_chip();
	vm = vm_new(VM_IRQCHIP);
	vm_add_vcpu(vm, 0);
	test_arguments(vm);
	vm_free(vm);
	test_ioapic();
	test_pic();
	return tap_done();
}
