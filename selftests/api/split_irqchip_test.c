// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of the split irqchip and of INTERRUPT: what is refused with
 * which kind of irqchip.
 */
#include "api.h"

static int enable(struct vm *vm, uint32_t cap, uint64_t arg)
{
	struct minikvm_enable_cap c = { .cap = cap, .args[0] = arg };

	return ioctl(vm->fd, MINIKVM_ENABLE_CAP, &c);
}

static int interrupt(struct vcpu *vcpu, uint32_t vector)
{
	struct minikvm_interrupt irq = { .irq = vector };

	return ioctl(vcpu->fd, MINIKVM_INTERRUPT, &irq);
}

static void test_enable(void)
{
	struct minikvm_enable_cap cap = { .cap = MINIKVM_CAP_SPLIT_IRQCHIP, .flags = 1 };
	struct vm *vm = vm_new(VM_BARE);

	test_efault(vm->fd, MINIKVM_ENABLE_CAP, sizeof(cap), "ENABLE_CAP");
	tap_errno(ioctl(vm->fd, MINIKVM_ENABLE_CAP, &cap), EINVAL, "ENABLE_CAP with flags");
	tap_errno(enable(vm, MINIKVM_CAP_USER_MEMORY, 0), EINVAL,
		  "ENABLE_CAP of what cannot be enabled");
	tap_errno(enable(vm, MINIKVM_CAP_SPLIT_IRQCHIP, 4097), EINVAL,
		  "more reserved routes than routes");
	tap_errno(enable(vm, MINIKVM_CAP_SPLIT_IRQCHIP, 4096), 0, "all routes reserved");
	tap_errno(enable(vm, MINIKVM_CAP_SPLIT_IRQCHIP, 24), EEXIST, "twice");
	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_IRQCHIP, 0), EEXIST,
		  "CREATE_IRQCHIP after it");
	vm_free(vm);

	vm = vm_new(VM_IRQCHIP);
	tap_errno(enable(vm, MINIKVM_CAP_SPLIT_IRQCHIP, 24), EEXIST, "after CREATE_IRQCHIP");
	vm_free(vm);
	vm = vm_new(VM_BARE);
	vm_add_vcpu(vm, 0);
	tap_errno(enable(vm, MINIKVM_CAP_SPLIT_IRQCHIP, 24), EEXIST, "after a vCPU");
	vm_free(vm);
}

static void test_refused(struct vm *vm)
{
	struct minikvm_irqchip chip = { .chip_id = MINIKVM_IRQCHIP_IOAPIC };
	struct {
		struct minikvm_irq_routing head;
		struct minikvm_irq_routing_entry entry;
	} table = {
		.head.nr = 1,
		.entry = { .gsi = 1, .type = MINIKVM_IRQ_ROUTING_IRQCHIP,
			   .u.irqchip = { .irqchip = MINIKVM_IRQCHIP_IOAPIC, .pin = 1 } },
	};
	struct minikvm_irq_level line = { .irq = 1, .level = 1 };
	struct minikvm_reinject_control reinject = { 0 };
	struct minikvm_pit_state2 pit2 = { 0 };
	struct minikvm_pit_state pit = { 0 };

	tap_errno(ioctl(vm->fd, MINIKVM_GET_IRQCHIP, &chip), ENXIO, "split: GET_IRQCHIP");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_IRQCHIP, &chip), ENXIO, "split: SET_IRQCHIP");
	tap_errno(ioctl(vm->fd, MINIKVM_GET_PIT2, &pit2), ENXIO, "no PIT: GET_PIT2");
	tap_errno(ioctl(vm->fd, MINIKVM_GET_PIT, &pit), ENXIO, "no PIT: GET_PIT");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_PIT, &pit), ENXIO, "no PIT: SET_PIT");
	tap_errno(ioctl(vm->fd, MINIKVM_REINJECT_CONTROL, &reinject), ENXIO,
		  "no PIT: REINJECT_CONTROL");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_GSI_ROUTING, &table), EINVAL,
		  "split: a route to a pin");
	tap_errno(ioctl(vm->fd, MINIKVM_IRQ_LINE_STATUS, &line), 0, "split: IRQ_LINE_STATUS");
	tap_ok(line.status < 0, "split: no route leads anywhere at first");
	table.entry.type = MINIKVM_IRQ_ROUTING_MSI;
	table.entry.u.msi.address_lo = 0xfee00000;
	table.entry.u.msi.data = 0x41;
	tap_errno(ioctl(vm->fd, MINIKVM_SET_GSI_ROUTING, &table), 0, "split: a message");
}

static void test_split(void)
{
	struct vm *vm = vm_new(VM_BARE);
	struct vcpu *vcpu;

	enable(vm, MINIKVM_CAP_SPLIT_IRQCHIP, 24);
	vcpu = vm_add_vcpu(vm, 0);
	test_refused(vm);
	lapic_enable(vcpu);
	tap_errno(interrupt(vcpu, 256), EINVAL, "split: INTERRUPT with vector 256");
	tap_errno(interrupt(vcpu, 0x20), 0, "split: INTERRUPT");
	tap_errno(interrupt(vcpu, 0x21), EEXIST, "split: INTERRUPT while one waits");
	vm_free(vm);
}

static void test_others(void)
{
	struct minikvm_interrupt irq = { 0 };
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_errno(interrupt(vcpu, 256), EINVAL, "irqchip: INTERRUPT with vector 256");
	tap_errno(interrupt(vcpu, 0x20), ENXIO, "irqchip: INTERRUPT");
	test_efault(vcpu->fd, MINIKVM_INTERRUPT, sizeof(irq), "INTERRUPT");
	vm_free(vm);

	vm = vm_new(VM_BARE);
	vcpu = vm_add_vcpu(vm, 0);
	tap_errno(interrupt(vcpu, 0xffffffff), EINVAL, "no irqchip: vector 0xffffffff");
	tap_errno(interrupt(vcpu, 0x20), 0, "no irqchip: INTERRUPT");
	tap_errno(interrupt(vcpu, 0x21), 0, "no irqchip: it replaces one that waits");
	vm_free(vm);
}

int main(void)
{
	tap_plan(0);
	test_enable();
	test_split();
	test_others();
	return tap_done();
}
