// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of IRQFD: which arguments are refused, that one eventfd raises
 * one GSI, that its events are consumed and follow the routing table, and how
 * it ends: by DEASSIGN, with its last descriptor, or with the VM.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "api.h"

#define GONE		MINIKVM_IRQFD_FLAG_DEASSIGN
#define RESAMPLE	MINIKVM_IRQFD_FLAG_RESAMPLE

static int set(struct vm *vm, int fd, uint32_t gsi, uint32_t flags, int resamplefd)
{
	struct minikvm_irqfd arg = {
		.fd = fd, .gsi = gsi, .flags = flags, .resamplefd = resamplefd,
	};

	return ioctl(vm->fd, MINIKVM_IRQFD, &arg);
}

static void signal_fd(int fd)
{
	if (write(fd, &(uint64_t){ 1 }, 8) != 8)
		tap_bail("eventfd: %s", strerror(errno));
}

/* The counter of an eventfd, which is 0 afterwards. */
static uint64_t count(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static bool irr(struct vcpu *vcpu, unsigned int vector)
{
	return lapic_read(vcpu, 0x200 + 0x10 * (vector / 32)) & 1u << vector % 32;
}

/* KVM delivers some of them from a work queue. */
static bool irr_soon(struct vcpu *vcpu, unsigned int vector)
{
	unsigned int i;

	for (i = 0; i < 200; i++) {
		if (irr(vcpu, vector))
			return true;
		usleep(1000);
	}
	return false;
}

static void route(struct vm *vm, uint32_t gsi, uint32_t vector)
{
	struct {
		struct minikvm_irq_routing head;
		struct minikvm_irq_routing_entry entry;
	} t = {
		.head = { .nr = 1 },
		.entry = {
			.gsi = gsi, .type = MINIKVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = 0xfee00000, .data = vector },
		},
	};

	if (ioctl(vm->fd, MINIKVM_SET_GSI_ROUTING, &t.head))
		tap_bail("SET_GSI_ROUTING: %s", strerror(errno));
}

static void test_arguments(struct vm *vm, int fd, int other)
{
	test_efault(vm->fd, MINIKVM_IRQFD, sizeof(struct minikvm_irqfd), "IRQFD");
	tap_errno(set(vm, fd, 5, 4, 0), EINVAL, "unknown flag");
	tap_errno(set(vm, fd, 5, GONE | 0x80000000, 0), EINVAL, "unknown flag with DEASSIGN");
	tap_errno(set(vm, -1, 5, 0, 0), EBADF, "no such fd");
	tap_errno(set(vm, vm->fd, 5, 0, 0), EINVAL, "an fd that is no eventfd");
	tap_errno(set(vm, fd, 5, RESAMPLE, -1), EBADF, "RESAMPLE, no such fd");
	tap_errno(set(vm, fd, 5, RESAMPLE, vm->fd), EINVAL, "RESAMPLE, no eventfd");
	tap_errno(set(vm, -1, 5, GONE, 0), EBADF, "DEASSIGN, no such fd");
	tap_errno(set(vm, vm->fd, 5, GONE, 0), EINVAL, "DEASSIGN, no eventfd");
	tap_errno(set(vm, fd, 5, GONE, 0), 0, "DEASSIGN of what was never assigned");

	tap_errno(set(vm, fd, 5, 0, 0), 0, "assign");
	tap_errno(set(vm, fd, 5, 0, 0), EBUSY, "the same again");
	tap_errno(set(vm, fd, 6, 0, 0), EBUSY, "the same eventfd for another GSI");
	tap_errno(set(vm, fd, 6, RESAMPLE, other), EBUSY, "... with RESAMPLE");
	tap_errno(set(vm, other, 5, 0, 0), 0, "another eventfd for the same GSI");
	tap_errno(set(vm, fd, 6, GONE, 0), 0, "DEASSIGN with another GSI succeeds");
	tap_errno(set(vm, fd, 5, 0, 0), EBUSY, "... and changes nothing");
	tap_errno(set(vm, fd, 5, GONE | RESAMPLE, -1), 0, "DEASSIGN looks at no other flag");
	tap_errno(set(vm, fd, 0xffffffff, 0, 0), 0, "a GSI no table can have");
	signal_fd(fd);
	tap_errno(set(vm, fd, 0xffffffff, GONE, 0), 0, "... and off again");
	tap_errno(set(vm, other, 5, GONE, 0), 0, "DEASSIGN the other");

	tap_errno(set(vm, fd, 5, RESAMPLE, other), 0, "RESAMPLE");
	tap_errno(set(vm, other, 5, RESAMPLE, fd), 0, "... of each other, the same GSI");
	signal_fd(fd);
	signal_fd(other);
	tap_errno(set(vm, fd, 5, GONE, 0), 0, "DEASSIGN one");
	tap_errno(set(vm, other, 5, GONE, 0), 0, "DEASSIGN the last");
	tap_errno(set(vm, fd, 5, RESAMPLE, fd), 0, "RESAMPLE to itself");
	signal_fd(fd);
	tap_errno(set(vm, fd, 5, GONE, 0), 0, "... and off again");
}

static void test_events(struct vm *vm, struct vcpu *vcpu, int fd)
{
	route(vm, 40, 0x41);
	signal_fd(fd);
	tap_errno(set(vm, fd, 40, 0, 0), 0, "assign an eventfd that is signalled already");
	tap_ok(irr_soon(vcpu, 0x41), "the event of before raises the GSI");
	count(fd);
	route(vm, 40, 0x42);
	signal_fd(fd);
	tap_ok(irr_soon(vcpu, 0x42), "a new routing table counts at once");
	tap_eq(count(fd), 0, "the event is consumed");
	route(vm, 41, 0x43);
	signal_fd(fd);
	tap_ok(!irr(vcpu, 0x43), "a table without the GSI: no interrupt");
	tap_eq(count(fd), 0, "... and the event is consumed all the same");
	route(vm, 40, 0x44);
	tap_errno(set(vm, fd, 40, GONE, 0), 0, "DEASSIGN");
	signal_fd(fd);
	usleep(20000);
	tap_ok(!irr(vcpu, 0x44), "no interrupt afterwards");
	tap_eq(count(fd), 1, "the event is there for others");
}

static void test_ends(struct vm *vm, struct vcpu *vcpu, int other)
{
	int fd = eventfd(0, EFD_NONBLOCK), again;
	unsigned int i, good = 0;

	route(vm, 40, 0x51);
	tap_errno(set(vm, fd, 40, RESAMPLE, other), 0, "assign");
	again = dup(fd);
	close(fd);
	signal_fd(again);
	tap_ok(irr_soon(vcpu, 0x51), "it lives as long as a descriptor does");
	close(again);

	for (i = 0; i < 50; i++) {
		fd = eventfd(0, EFD_NONBLOCK);
		good += !set(vm, fd, i, i & 1 ? RESAMPLE : 0, other);
		close(fd);
	}
	tap_eq(good, 50, "fifty that end with their descriptors");
}

static void test_split(int fd, int other)
{
	struct minikvm_enable_cap cap = { .cap = MINIKVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct vm *vm = vm_new(VM_BARE);

	if (!dev_check_extension(vm->fd, MINIKVM_CAP_SPLIT_IRQCHIP)) {
		tap_skip("no split irqchip");
	} else {
		if (ioctl(vm->fd, MINIKVM_ENABLE_CAP, &cap))
			tap_bail("SPLIT_IRQCHIP: %s", strerror(errno));
		tap_errno(set(vm, fd, 30, 0, 0), 0, "split irqchip: assign");
		tap_errno(set(vm, other, 30, RESAMPLE, fd), EINVAL, "split irqchip: RESAMPLE");
	}
	vm_free(vm);
}

int main(void)
{
	int fd = eventfd(0, EFD_NONBLOCK), other = eventfd(0, EFD_NONBLOCK);
	struct vm *vm = vm_new(VM_BARE);
	struct vcpu *vcpu;

	tap_plan(0);
	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_IRQFD), 1, "CAP_IRQFD");
	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_IRQFD_RESAMPLE), 1, "CAP_IRQFD_RESAMPLE");
	tap_errno(set(vm, fd, 5, 0, 0), EINVAL, "without irqchip");
	tap_errno(set(vm, -1, 5, 0, 0), EINVAL, "... whatever the fd");
	tap_errno(set(vm, fd, 5, RESAMPLE, other), EINVAL, "... or RESAMPLE");
	tap_errno(set(vm, fd, 5, GONE, 0), 0, "DEASSIGN succeeds");
	tap_errno(set(vm, -1, 5, GONE, 0), EBADF, "DEASSIGN, no such fd");
	vm_free(vm);

	vm = vm_new(VM_IRQCHIP);
	vcpu = vm_add_vcpu(vm, 0);
	lapic_enable(vcpu);
	test_arguments(vm, fd, other);
	count(fd);
	count(other);
	test_events(vm, vcpu, fd);
	test_ends(vm, vcpu, other);
	test_split(fd, other);

	/* Closed while some are assigned. */
	if (set(vm, fd, 40, 0, 0) || set(vm, other, 3, RESAMPLE, fd))
		tap_bail("IRQFD: %s", strerror(errno));
	vm_free(vm);
	signal_fd(fd);
	tap_eq(count(fd), 1, "with the VM's descriptors closed events are nobody's");
	close(fd);
	close(other);
	return tap_done();
}
