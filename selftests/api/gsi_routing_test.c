// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of SET_GSI_ROUTING: which tables are refused, that a refused
 * one leaves the old one in force, and that a GSI leads where its route says.
 */
#include "api.h"

struct table {
	struct minikvm_irq_routing head;
	struct minikvm_irq_routing_entry entry[4];
};

static int set(struct vm *vm, struct table *table, uint32_t nr)
{
	table->head.nr = nr;
	return ioctl(vm->fd, MINIKVM_SET_GSI_ROUTING, &table->head);
}

static struct minikvm_irq_routing_entry to_pin(uint32_t gsi, uint32_t chip,
					       uint32_t pin)
{
	return (struct minikvm_irq_routing_entry){
		.gsi = gsi, .type = MINIKVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

static struct minikvm_irq_routing_entry to_msi(uint32_t gsi, uint32_t vector)
{
	return (struct minikvm_irq_routing_entry){
		.gsi = gsi, .type = MINIKVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = 0xfee00000, .data = vector },
	};
}

static void test_arguments(struct vm *vm)
{
	uint32_t limit = dev_check_extension(vm->fd, MINIKVM_CAP_IRQ_ROUTING);
	struct table t = { 0 };
	struct minikvm_irq_routing *head;

	tap_errno(set(vm, &t, 0), 0, "an empty table");
	t.head.flags = 1;
	tap_errno(set(vm, &t, 0), EINVAL, "flags in the header");
	t.head.flags = 0;
	tap_errno(set(vm, &t, limit + 1), EINVAL, "more entries than allowed");
	tap_errno(set(vm, &t, 0xffffffff), EINVAL, "2^32-1 entries");
	t.entry[0] = to_msi(limit, 0x40);
	tap_errno(set(vm, &t, 1), EINVAL, "GSI %u, the limit", limit);
	t.entry[0] = to_msi(limit - 1, 0x40);
	tap_errno(set(vm, &t, 1), 0, "GSI %u, the highest", limit - 1);
	t.entry[0] = to_msi(0xffffffff, 0x40);
	tap_errno(set(vm, &t, 1), EINVAL, "GSI ~0");
	t.entry[0] = to_msi(1, 0x40);
	t.entry[0].type = 0;
	tap_errno(set(vm, &t, 1), EINVAL, "type 0");
	t.entry[0].type = 77;
	tap_errno(set(vm, &t, 1), EINVAL, "type 77");
	t.entry[0] = to_msi(1, 0x40);
	t.entry[0].flags = 2;
	tap_errno(set(vm, &t, 1), EINVAL, "flags in a route to a message");
	t.entry[0] = to_pin(1, MINIKVM_IRQCHIP_IOAPIC, 1);
	t.entry[0].flags = 1;
	tap_errno(set(vm, &t, 1), EINVAL, "flags in a route to a pin");
	t.entry[0] = to_pin(1, MINIKVM_IRQCHIP_IOAPIC, 23);
	tap_errno(set(vm, &t, 1), 0, "I/O APIC pin 23");
	t.entry[0] = to_pin(1, MINIKVM_IRQCHIP_IOAPIC, 24);
	tap_errno(set(vm, &t, 1), EINVAL, "I/O APIC pin 24");
	t.entry[0] = to_pin(1, MINIKVM_IRQCHIP_IOAPIC, 0xffffffff);
	tap_errno(set(vm, &t, 1), EINVAL, "I/O APIC pin ~0");
	t.entry[0] = to_pin(1, MINIKVM_IRQCHIP_PIC_SLAVE, 8);
	tap_errno(set(vm, &t, 1), EINVAL, "PIC pin 8");
	t.entry[0] = to_pin(1, 3, 0);
	tap_errno(set(vm, &t, 1), EINVAL, "chip 3");
	t.entry[0] = to_pin(1, MINIKVM_IRQCHIP_PIC_MASTER, 1);
	t.entry[1] = to_pin(1, MINIKVM_IRQCHIP_IOAPIC, 1);
	tap_errno(set(vm, &t, 2), 0, "one GSI to a PIC and to the I/O APIC");
	t.entry[0] = to_pin(1, MINIKVM_IRQCHIP_IOAPIC, 2);
	tap_errno(set(vm, &t, 2), EINVAL, "one GSI to two pins of a chip");
	t.entry[0] = to_msi(1, 0x40);
	tap_errno(set(vm, &t, 2), EINVAL, "one GSI to a message and to a pin");
	t.entry[1] = to_msi(1, 0x41);
	tap_errno(set(vm, &t, 2), EINVAL, "one GSI to two messages");

	test_efault(vm->fd, MINIKVM_SET_GSI_ROUTING, sizeof(*head),
		    "SET_GSI_ROUTING");
	head = page_end(sizeof(*head));
	head->nr = 1;
	tap_errno(ioctl(vm->fd, MINIKVM_SET_GSI_ROUTING, head), EFAULT,
		  "SET_GSI_ROUTING, no memory behind the header");
}

static int pulse(struct vm *vm, uint32_t gsi)
{
	struct minikvm_irq_level arg = { .irq = gsi, .level = 1 };
	int status;

	if (ioctl(vm->fd, MINIKVM_IRQ_LINE_STATUS, &arg))
		tap_bail("IRQ_LINE_STATUS: %s", strerror(errno));
	status = arg.status;
	arg.irq = gsi;
	arg.level = 0;
	if (ioctl(vm->fd, MINIKVM_IRQ_LINE, &arg))
		tap_bail("IRQ_LINE: %s", strerror(errno));
	return status;
}

/* Vectors rise, so that the earlier ones, which get no EOI, block nothing. */
static void test_delivery(struct vm *vm, struct vcpu *vcpu)
{
	struct table t = { .entry = { to_msi(100, 0x31), to_msi(101, 0x42) } };

	tap_errno(set(vm, &t, 2), 0, "GSI 100 and 101 to messages");
	tap_eq(pulse(vm, 100), 1, "GSI 100 reaches one CPU");
	irq_guest_expect(vcpu, 0x31, "GSI 100");
	tap_eq(pulse(vm, 101), 1, "GSI 101 reaches one CPU");
	irq_guest_expect(vcpu, 0x42, "GSI 101");
	tap_eq(pulse(vm, 10), -1, "GSI 10, not in the new table, reaches nobody");

	t.entry[0] = to_msi(100, 0x53);
	t.entry[1].type = 77;
	tap_errno(set(vm, &t, 2), EINVAL, "a table with one bad entry");
	tap_eq(pulse(vm, 101), 1, "the old table is still in force");
	tap_eq(lapic_read(vcpu, 0x200 + 0x10 * (0x42 / 32)), 1u << 0x42 % 32,
	       "GSI 101 has its old vector, pending until EOI");
	tap_errno(set(vm, &t, 1), 0, "GSI 100 to another vector");
	tap_eq(pulse(vm, 100), 1, "GSI 100 reaches one CPU");
	irq_guest_expect(vcpu, 0x53, "GSI 100, new route");
	tap_errno(set(vm, &t, 0), 0, "no route at all");
	tap_eq(pulse(vm, 100), -1, "GSI 100 reaches nobody");
}

int main(void)
{
	struct vm *vm = vm_new(VM_BARE);
	struct table t = { 0 };
	struct vcpu *vcpu;

	tap_plan(0);
	tap_errno(set(vm, &t, 0), EINVAL, "SET_GSI_ROUTING without irqchip");
	vm_free(vm);

	vm = vm_new(VM_IRQCHIP);
	vcpu = vm_add_vcpu(vm, 0);
	test_arguments(vm);
	irq_guest_load(vm);
	lapic_enable(vcpu);
	vcpu_set_mode(vcpu, GUEST_REAL, GUEST_CODE);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest with interrupts on");
	test_delivery(vm, vcpu);
	vm_free(vm);
	return tap_done();
}
