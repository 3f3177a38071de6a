// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of REGISTER_ and UNREGISTER_COALESCED_MMIO: arguments, limits,
 * and the page of the vCPU's mapping that the ring is in.
 */
#include <sys/mman.h>

#include "api.h"

#define RING(vcpu)	((volatile struct minikvm_coalesced_mmio_ring *)	\
			 ((char *)(vcpu)->run + MINIKVM_COALESCED_MMIO_PAGE_OFFSET * 4096))

static int zone(struct vm *vm, unsigned long cmd, uint64_t addr, uint32_t size, uint32_t pio)
{
	struct minikvm_coalesced_mmio_zone arg = { .addr = addr, .size = size, .pio = pio };

	return ioctl(vm->fd, cmd, &arg);
}

static int set(struct vm *vm, uint64_t addr, uint32_t size, uint32_t pio)
{
	return zone(vm, MINIKVM_REGISTER_COALESCED_MMIO, addr, size, pio);
}

static int gone(struct vm *vm, uint64_t addr, uint32_t size, uint32_t pio)
{
	return zone(vm, MINIKVM_UNREGISTER_COALESCED_MMIO, addr, size, pio);
}

int main(void)
{
	struct vm *vm = vm_new(VM_BARE);
	struct vcpu *vcpu, *second;
	unsigned int i;

	tap_plan(0);
	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_COALESCED_MMIO), MINIKVM_COALESCED_MMIO_PAGE_OFFSET,
	       "CAP_COALESCED_MMIO");
	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_COALESCED_PIO), 1, "CAP_COALESCED_PIO");
	test_efault(vm->fd, MINIKVM_REGISTER_COALESCED_MMIO, sizeof(struct minikvm_coalesced_mmio_zone),
		    "REGISTER_COALESCED_MMIO");
	test_efault(vm->fd, MINIKVM_UNREGISTER_COALESCED_MMIO,
		    sizeof(struct minikvm_coalesced_mmio_zone), "UNREGISTER_COALESCED_MMIO");
	tap_errno(set(vm, 0x1000, 16, 2), EINVAL, "neither memory nor ports");
	tap_errno(set(vm, 0x1000, 16, ~0u), EINVAL, "garbage for it");
	tap_errno(gone(vm, 0x1000, 16, 2), EINVAL, "UNREGISTER, neither memory nor ports");
	tap_errno(gone(vm, 0x1000, 16, 0), 0, "UNREGISTER of nothing succeeds");
	tap_errno(set(vm, 0x1000, 16, 0), 0, "a zone of memory");
	tap_errno(set(vm, 0x1000, 16, 0), 0, "the same zone again");
	tap_errno(set(vm, 0x1004, 4, 0), 0, "a zone in it");
	tap_errno(set(vm, 0x1000, 16, 1), 0, "a zone of ports");
	tap_errno(set(vm, ~0ull - 3, 16, 0), 0, "a zone that wraps");
	tap_errno(set(vm, 0x2000, 0, 0), 0, "a zone of no size");
	tap_errno(set(vm, 0x2000, ~0u, 0), 0, "a zone of 4 GiB");
	tap_errno(gone(vm, 0x1000, 16, 0), 0, "UNREGISTER");
	tap_errno(gone(vm, 0, ~0u, 0), 0, "UNREGISTER of a length that is not");
	vm_free(vm);

	vm = vm_new(VM_BARE);
	vcpu = vm_add_vcpu(vm, 0);
	second = vm_add_vcpu(vm, 1);
	tap_ok(RING(vcpu)->first == 0 && RING(vcpu)->last == 0, "the ring is empty");
	RING(vcpu)->first = 7;
	tap_eq(RING(second)->first, 7, "all vCPUs of a VM show the same ring");
	for (i = 0; i < 1100 && !set(vm, 0x10000 + 16 * i, 16, 0); i++)
		;
	tap_eq(i, 1000, "a bus takes a thousand");
	tap_errno(set(vm, 0, 16, 0), ENOSPC, "and no more");
	tap_errno(set(vm, 0, 16, 1), 0, "the other bus has room");
	tap_errno(gone(vm, 0x10000, 16, 0), 0, "one is taken away");
	tap_errno(set(vm, 0, 16, 0), 0, "another takes its place");
	vm_free(vm);
	return tap_done();
}
