// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of IOEVENTFD: which arguments are refused, which registrations
 * exclude each other, what DEASSIGN finds, and that a VM may have thousands.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "api.h"

#define MATCH	MINIKVM_IOEVENTFD_FLAG_DATAMATCH
#define PIO	MINIKVM_IOEVENTFD_FLAG_PIO
#define GONE	MINIKVM_IOEVENTFD_FLAG_DEASSIGN
#define CCW	MINIKVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY

#define MANY	2500

static int set(struct vm *vm, int fd, uint32_t flags, uint64_t addr, uint32_t len, uint64_t data)
{
	struct minikvm_ioeventfd arg = {
		.fd = fd, .flags = flags, .addr = addr, .len = len, .datamatch = data,
	};

	return ioctl(vm->fd, MINIKVM_IOEVENTFD, &arg);
}

static void test_arguments(struct vm *vm, int fd)
{
	static const uint32_t bad_len[] = { 3, 5, 6, 7, 9, 16, 0x80000000, 0xffffffff };
	unsigned int i;

	test_efault(vm->fd, MINIKVM_IOEVENTFD, sizeof(struct minikvm_ioeventfd), "IOEVENTFD");
	for (i = 0; i < ARRAY_SIZE(bad_len); i++)
		tap_errno(set(vm, fd, 0, 0x1000, bad_len[i], 0), EINVAL, "length %u", bad_len[i]);
	tap_errno(set(vm, fd, 0, ~0ull - 3, 4, 0), EINVAL, "a range that ends at 2^64");
	tap_errno(set(vm, fd, 0, ~0ull - 2, 8, 0), EINVAL, "a range that wraps");
	tap_errno(set(vm, fd, 0x20, 0x1000, 4, 0), EINVAL, "unknown flag");
	tap_errno(set(vm, fd, 0x80000000, 0x1000, 4, 0), EINVAL, "another unknown flag");
	tap_errno(set(vm, fd, MATCH, 0x1000, 0, 0), EINVAL, "length 0 with DATAMATCH");
	tap_errno(set(vm, -1, 0, 0x1000, 4, 0), EBADF, "no such fd");
	tap_errno(set(vm, vm->fd, 0, 0x1000, 4, 0), EINVAL, "an fd that is no eventfd");
	tap_errno(set(vm, -1, 0, 0x1000, 3, 0), EINVAL, "a bad length counts before a bad fd");
	tap_errno(set(vm, -1, GONE, 0x1000, 3, 0), EBADF, "DEASSIGN, no such fd");
	tap_errno(set(vm, vm->fd, GONE, 0x1000, 4, 0), EINVAL, "DEASSIGN, no eventfd");
	tap_errno(set(vm, fd, GONE, 0x1000, 4, 0), ENOENT, "DEASSIGN of what was never assigned");
	tap_errno(set(vm, fd, GONE | 0x20, 0x1000, 3, 0), ENOENT, "DEASSIGN looks at nothing else");
	tap_errno(set(vm, fd, 0, ~0ull, 0, 0), 0, "length 0 at the last address");
	tap_errno(set(vm, fd, GONE, ~0ull, 0, 0), 0, "... and off again");
	tap_errno(set(vm, fd, 0x10, 0x1000, 4, 0), 0, "a flag with a number and no meaning");
	tap_errno(set(vm, fd, GONE, 0x1000, 4, 0), 0, "... and off again");
	tap_errno(set(vm, fd, PIO, 0x123456789, 2, 0), 0, "a port that does not exist");
	tap_errno(set(vm, fd, CCW, 0x1000, 8, 0), 0, "the notification of another architecture");
	tap_errno(set(vm, fd, CCW | GONE, 0x1000, 8, 0), 0, "... and off again");
}

static void test_collisions(struct vm *vm, int fd, int other)
{
	tap_errno(set(vm, fd, MATCH, 0x2000, 4, 1), 0, "four bytes, value 1");
	tap_errno(set(vm, other, MATCH, 0x2000, 4, 1), EEXIST, "the same for another eventfd");
	tap_errno(set(vm, other, MATCH, 0x2000, 4, 2), 0, "value 2");
	tap_errno(set(vm, other, MATCH, 0x2000, 4, 1ull << 32 | 1), 0, "a value that cannot be written");
	tap_errno(set(vm, other, 0, 0x2000, 4, 0), EEXIST, "any value");
	tap_errno(set(vm, other, 0, 0x2000, 2, 0), 0, "any value of two bytes");
	tap_errno(set(vm, other, MATCH, 0x2000, 2, 7), EEXIST, "one value of two bytes");
	tap_errno(set(vm, other, 0, 0x2000, 0, 0), EEXIST, "any length");
	tap_errno(set(vm, other, 0, 0x2001, 4, 0), 0, "an address that overlaps");
	tap_errno(set(vm, other, PIO, 0x2000, 4, 0), 0, "a port of the same number");
	tap_errno(set(vm, fd, 0, 0x3000, 0, 0), 0, "any length elsewhere");
	tap_errno(set(vm, other, 0, 0x3000, 0, 0), EEXIST, "twice");
	tap_errno(set(vm, other, MATCH, 0x3000, 8, 5), EEXIST, "one length at that address");

	tap_errno(set(vm, fd, GONE | MATCH, 0x2000, 4, 2), ENOENT, "DEASSIGN, another's eventfd");
	tap_errno(set(vm, fd, GONE | MATCH, 0x2000, 4, 3), ENOENT, "DEASSIGN, another value");
	tap_errno(set(vm, fd, GONE, 0x2000, 4, 1), ENOENT, "DEASSIGN without DATAMATCH");
	tap_errno(set(vm, fd, GONE | MATCH, 0x2000, 2, 1), ENOENT, "DEASSIGN, another length");
	tap_errno(set(vm, fd, GONE | MATCH | PIO, 0x2000, 4, 1), ENOENT, "DEASSIGN, the other bus");
	tap_errno(set(vm, fd, GONE | MATCH, 0x2000, 4, 1), 0, "DEASSIGN");
	tap_errno(set(vm, fd, GONE | MATCH, 0x2000, 4, 1), ENOENT, "DEASSIGN twice");
	tap_errno(set(vm, fd, MATCH, 0x2000, 4, 1), 0, "the place is free again");
	tap_errno(set(vm, fd, GONE, 0x3000, 0, 0), 0, "DEASSIGN, any length");
	tap_errno(set(vm, fd, 0, 0x3000, 0, 0), 0, "that place is free, too");
}

static void test_many(int fd)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	unsigned int i, made = 0, gone = 0;

	for (i = 0; i < MANY; i++)
		made += !set(vm, fd, MATCH | PIO, 0x500, 4, i);
	tap_eq(made, MANY, "thousands at one port");
	tap_errno(set(vm, fd, MATCH | PIO, 0x500, 4, MANY / 2), EEXIST, "... none of them twice");
	for (i = 0; i < MANY; i += 2)
		gone += !set(vm, fd, MATCH | PIO | GONE, 0x500, 4, i);
	tap_eq(gone, MANY / 2, "... half of them are taken away");
	tap_errno(set(vm, fd, MATCH | PIO | GONE, 0x500, 4, 2), ENOENT, "... once");
	/* The others go with the VM. */
	vm_free(vm);
}

int main(void)
{
	struct vm *vm = vm_new(VM_BARE);
	int fd = eventfd(0, EFD_NONBLOCK), other = eventfd(0, EFD_NONBLOCK);
	struct minikvm_create_device device = { .type = 99 };

	tap_plan(0);
	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_IOEVENTFD), 1, "CAP_IOEVENTFD");
	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_IOEVENTFD_NO_LENGTH), 1, "CAP_IOEVENTFD_NO_LENGTH");
	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_IOEVENTFD_ANY_LENGTH), 1, "CAP_IOEVENTFD_ANY_LENGTH");
	test_arguments(vm, fd);
	test_collisions(vm, fd, other);
	test_many(fd);

	test_efault(vm->fd, MINIKVM_CREATE_DEVICE, sizeof(device), "CREATE_DEVICE");
	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_DEVICE, &device), ENODEV, "a device of no known type");
	device.type = 5;
	device.flags = MINIKVM_CREATE_DEVICE_TEST;
	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_DEVICE, &device), ENODEV, "another architecture's device");

	/* Closed while registrations are left: the eventfds live on. */
	vm_free(vm);
	tap_eq(write(fd, &(uint64_t){ 1 }, 8), 8, "the eventfd outlives the VM");
	close(fd);
	close(other);
	return tap_done();
}
