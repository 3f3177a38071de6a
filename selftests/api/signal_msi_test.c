// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of SIGNAL_MSI: who may call it, what it returns, and that the
 * message reaches the CPU it is addressed to.
 */
#include "api.h"

static int msi(struct vm *vm, uint32_t address, uint32_t data, uint32_t flags)
{
	struct minikvm_msi arg = {
		.address_lo = address, .data = data, .flags = flags,
	};

	return ioctl(vm->fd, MINIKVM_SIGNAL_MSI, &arg);
}

static bool irr(struct vcpu *vcpu, unsigned int vector)
{
	return lapic_read(vcpu, 0x200 + 0x10 * (vector / 32)) & 1u << vector % 32;
}

int main(void)
{
	struct vm *vm = vm_new(VM_BARE);
	struct vcpu *vcpu, *second;

	tap_plan(0);
	tap_errno(msi(vm, 0xfee00000, 0x40, 0), EINVAL,
		  "SIGNAL_MSI without irqchip");
	vm_free(vm);

	vm = vm_new(VM_IRQCHIP);
	vcpu = vm_add_vcpu(vm, 0);
	second = vm_add_vcpu(vm, 1);
	test_efault(vm->fd, MINIKVM_SIGNAL_MSI, sizeof(struct minikvm_msi),
		    "SIGNAL_MSI");
	tap_errno(msi(vm, 0xfee00000, 0x40, 2), EINVAL, "unknown flag");
	lapic_enable(vcpu);
	lapic_enable(second);
	tap_eq(msi(vm, 0xfee77000, 0x40, 0), 0,
	       "a message to a CPU that does not exist reaches none");

	tap_eq(msi(vm, 0xfee01000, 0x41, 0), 1, "a message to CPU 1 reaches one");
	tap_ok(irr(second, 0x41) && !irr(vcpu, 0x41), "it waits at CPU 1");
	tap_eq(msi(vm, 0xfee01000, 0x41, 0), 1,
	       "the same again counts, though it is coalesced");
	tap_eq(msi(vm, 0xfeeff000, 0x42, 0), 2, "a broadcast reaches both");
	tap_ok(irr(second, 0x42) && irr(vcpu, 0x42), "it waits at both");

	irq_guest_load(vm);
	vcpu_set_mode(vcpu, GUEST_REAL, GUEST_CODE);
	tap_eq(msi(vm, 0xfee00000, 0x63, 0), 1, "a message to CPU 0 reaches one");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest turns interrupts on");
	if (vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "the guest is interrupted"))
		tap_eq(vcpu_io_value(vcpu), 0x63, "by the highest vector");
	vm_free(vm);
	return tap_done();
}
