// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of making a VM and of the addresses and ids set on it before
 * its first vCPU.
 */
#include <fcntl.h>
#include <unistd.h>

#include "api.h"

#define HIGHEST_TSS	0xffffd000UL	/* three pages below 4 GiB */

static void test_many(int dev)
{
	int fds[64];
	unsigned int i, made = 0;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = ioctl(dev, MINIKVM_CREATE_VM, 0);
		made += fds[i] >= 0;
	}
	tap_eq(made, ARRAY_SIZE(fds), "64 VMs exist at once");
	/* Oldest first, then a new one while the others go. */
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		close(fds[i]);
	fds[0] = ioctl(dev, MINIKVM_CREATE_VM, 0);
	tap_ok(fds[0] >= 0, "another one after all are gone");
	tap_eq(fcntl(fds[0], F_GETFD) & FD_CLOEXEC, FD_CLOEXEC,
	       "a VM fd is close-on-exec");
	close(fds[0]);
	for (i = 0; i < 100; i++) {
		int fd = ioctl(dev, MINIKVM_CREATE_VM, 0);

		if (fd < 0)
			break;
		close(fd);
	}
	tap_eq(i, 100, "100 VMs one after the other");
}

static void test_addresses(struct vm *vm)
{
	uint64_t ident = 0xfeffc000;
	struct minikvm_regs regs;

	tap_errno(ioctl(vm->fd, MINIKVM_SET_TSS_ADDR, 0xfffbd000UL), 0,
		  "SET_TSS_ADDR");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_TSS_ADDR, HIGHEST_TSS), 0,
		  "SET_TSS_ADDR, the last three pages below 4 GiB");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_TSS_ADDR, HIGHEST_TSS + 1), EINVAL,
		  "SET_TSS_ADDR, no room for three pages below 4 GiB");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_TSS_ADDR, 0x100000000UL), EINVAL,
		  "SET_TSS_ADDR above 4 GiB");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_IDENTITY_MAP_ADDR, &ident), 0,
		  "SET_IDENTITY_MAP_ADDR");
	test_efault(vm->fd, MINIKVM_SET_IDENTITY_MAP_ADDR, sizeof(ident),
		    "SET_IDENTITY_MAP_ADDR");
	ident = 0;
	tap_errno(ioctl(vm->fd, MINIKVM_SET_IDENTITY_MAP_ADDR, &ident), 0,
		  "SET_IDENTITY_MAP_ADDR of 0 stands for the default");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_BOOT_CPU_ID, 1), 0,
		  "SET_BOOT_CPU_ID before the first vCPU");

	vm_add_vcpu(vm, 0);
	tap_errno(ioctl(vm->fd, MINIKVM_SET_IDENTITY_MAP_ADDR, &ident), EINVAL,
		  "SET_IDENTITY_MAP_ADDR after a vCPU was made");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_BOOT_CPU_ID, 0), EBUSY,
		  "SET_BOOT_CPU_ID after a vCPU was made");
	tap_errno(ioctl(vm->vcpu[0].fd, MINIKVM_GET_REGS, &regs), 0,
		  "the vCPU works");
}

/* The boot CPU's APIC_BASE has bit 8 and it alone starts as runnable. */
static void test_boot_cpu(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct minikvm_mp_state state;
	uint64_t base;
	unsigned int id;

	tap_errno(ioctl(vm->fd, MINIKVM_SET_BOOT_CPU_ID, 1), 0,
		  "SET_BOOT_CPU_ID 1");
	for (id = 0; id < 2; id++) {
		struct vcpu *vcpu = vm_add_vcpu(vm, id);

		vcpu_get_msr(vcpu, 0x1b, &base);
		tap_eq(base & 0x100, id == 1 ? 0x100 : 0,
		       "vCPU %u %s the boot CPU's bit", id,
		       id == 1 ? "has" : "lacks");
		ioctl(vcpu->fd, MINIKVM_GET_MP_STATE, &state);
		tap_eq(state.mp_state, id == 1 ? MINIKVM_MP_STATE_RUNNABLE :
		       MINIKVM_MP_STATE_UNINITIALIZED,
		       "vCPU %u starts %s", id,
		       id == 1 ? "runnable" : "uninitialized");
	}
	vm_free(vm);
}

int main(void)
{
	struct vm *vm = vm_new(VM_BARE);

	tap_plan(0);
	test_many(vm->dev_fd);
	test_addresses(vm);
	vm_free(vm);
	test_boot_cpu();
	return tap_done();
}
