// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of the device itself: version, capability queries, sizes and
 * what the device refuses.
 */
#include "api.h"

/* Capabilities that clients take as a promise; each must be there, and 1 if so. */
static const struct {
	unsigned int cap;
	const char *name;
} basic_caps[] = {
	{ MINIKVM_CAP_IRQCHIP, "IRQCHIP" },
	{ MINIKVM_CAP_HLT, "HLT" },
	{ MINIKVM_CAP_USER_MEMORY, "USER_MEMORY" },
	{ MINIKVM_CAP_SET_TSS_ADDR, "SET_TSS_ADDR" },
	{ MINIKVM_CAP_EXT_CPUID, "EXT_CPUID" },
	{ MINIKVM_CAP_MP_STATE, "MP_STATE" },
	{ MINIKVM_CAP_SYNC_MMU, "SYNC_MMU" },
	{ MINIKVM_CAP_DESTROY_MEMORY_REGION_WORKS, "DESTROY_MEMORY_REGION_WORKS" },
	{ MINIKVM_CAP_JOIN_MEMORY_REGIONS_WORKS, "JOIN_MEMORY_REGIONS_WORKS" },
	{ MINIKVM_CAP_IRQ_INJECT_STATUS, "IRQ_INJECT_STATUS" },
	{ MINIKVM_CAP_PIT2, "PIT2" },
	{ MINIKVM_CAP_SET_IDENTITY_MAP_ADDR, "SET_IDENTITY_MAP_ADDR" },
	{ MINIKVM_CAP_IMMEDIATE_EXIT, "IMMEDIATE_EXIT" },
	{ MINIKVM_CAP_SIGNAL_MSI, "SIGNAL_MSI" },
	{ MINIKVM_CAP_TSC_DEADLINE_TIMER, "TSC_DEADLINE_TIMER" },
	{ MINIKVM_CAP_VAPIC, "VAPIC" },
	{ MINIKVM_CAP_PIT, "PIT" },
	{ MINIKVM_CAP_REINJECT_CONTROL, "REINJECT_CONTROL" },
	{ MINIKVM_CAP_VCPU_EVENTS, "VCPU_EVENTS" },
	{ MINIKVM_CAP_ENABLE_CAP, "ENABLE_CAP" },
	{ MINIKVM_CAP_ENABLE_CAP_VM, "ENABLE_CAP_VM" },
	{ MINIKVM_CAP_IOAPIC_POLARITY_IGNORED, "IOAPIC_POLARITY_IGNORED" },
	{ MINIKVM_CAP_SPLIT_IRQCHIP, "SPLIT_IRQCHIP" },
	{ MINIKVM_CAP_EXCEPTION_PAYLOAD, "EXCEPTION_PAYLOAD" },
	{ MINIKVM_CAP_X86_TRIPLE_FAULT_EVENT, "X86_TRIPLE_FAULT_EVENT" },
};

static void test_capabilities(int fd, const char *where)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(basic_caps); i++)
		tap_eq(dev_check_extension(fd, basic_caps[i].cap), 1,
		       "capability %s is 1 on the %s", basic_caps[i].name, where);
	tap_ok(dev_check_extension(fd, MINIKVM_CAP_IRQ_ROUTING) > 24,
	       "IRQ_ROUTING has room for every I/O APIC pin on the %s", where);
	tap_ok(dev_check_extension(fd, MINIKVM_CAP_NR_MEMSLOTS) >= 32,
	       "at least 32 memory slots on the %s", where);
	tap_ok(dev_check_extension(fd, MINIKVM_CAP_NR_VCPUS) >= 1,
	       "NR_VCPUS is positive on the %s", where);
	tap_ok(dev_check_extension(fd, MINIKVM_CAP_MAX_VCPUS) >=
	       dev_check_extension(fd, MINIKVM_CAP_NR_VCPUS),
	       "MAX_VCPUS is at least NR_VCPUS on the %s", where);
	tap_ok(dev_check_extension(fd, MINIKVM_CAP_MAX_VCPU_ID) >=
	       dev_check_extension(fd, MINIKVM_CAP_MAX_VCPUS),
	       "MAX_VCPU_ID is at least MAX_VCPUS on the %s", where);
	tap_eq(dev_check_extension(fd, MINIKVM_CAP_MSI_DEVID), 0,
	       "MSI_DEVID is absent, as on x86, on the %s", where);
	tap_eq(dev_check_extension(fd, 999999), 0,
	       "an unknown capability reads 0 on the %s", where);
	tap_eq(dev_check_extension(fd, 0xffffffffffffffffUL), 0,
	       "capability ~0 reads 0 on the %s", where);
}

int main(void)
{
	int fd = dev_open();
	int size, vm;

	tap_plan(0);
	tap_eq(ioctl(fd, MINIKVM_GET_API_VERSION, 0), MINIKVM_API_VERSION,
	       "GET_API_VERSION returns 12");
	tap_errno(ioctl(fd, MINIKVM_GET_API_VERSION, 1), EINVAL,
		  "GET_API_VERSION with an argument");

	size = ioctl(fd, MINIKVM_GET_VCPU_MMAP_SIZE, 0);
	tap_ok(size >= 2 * 4096 && size % 4096 == 0,
	       "GET_VCPU_MMAP_SIZE holds the run page and the PIO page");
	tap_ok(size >= (int)sizeof(struct minikvm_run),
	       "GET_VCPU_MMAP_SIZE holds struct minikvm_run");
	tap_errno(ioctl(fd, MINIKVM_GET_VCPU_MMAP_SIZE, 1), EINVAL,
		  "GET_VCPU_MMAP_SIZE with an argument");

	test_capabilities(fd, "device");
	vm = ioctl(fd, MINIKVM_CREATE_VM, 0);
	if (vm < 0)
		tap_bail("CREATE_VM: %s", strerror(errno));
	test_capabilities(vm, "VM");

	tap_errno(ioctl(fd, MINIKVM_CREATE_VM, 0x12345), EINVAL,
		  "CREATE_VM of an unknown type");
	tap_errno(ioctl(fd, MINIKVM_RUN, 0), EINVAL,
		  "the device has no RUN");
	tap_errno(ioctl(fd, MINIKVM_CREATE_VCPU, 0), EINVAL,
		  "the device has no CREATE_VCPU");
	tap_errno(ioctl(fd, _IO(MINIKVMIO, 0xfe), 0), EINVAL,
		  "unknown number of the device");
	tap_errno(ioctl(fd, _IO('x', 1), 0), EINVAL,
		  "unknown magic of the device");
	tap_errno(ioctl(fd, _IOW(MINIKVMIO, 0x00, int), 0), EINVAL,
		  "GET_API_VERSION with a size in its number");
	tap_errno(ioctl(vm, MINIKVM_RUN, 0), ENOTTY, "a VM has no RUN");
	tap_errno(ioctl(vm, _IO(MINIKVMIO, 0xfe), 0), ENOTTY,
		  "unknown number of a VM");
	tap_errno(ioctl(vm, MINIKVM_GET_API_VERSION, 0), ENOTTY,
		  "a VM has no GET_API_VERSION");
	return tap_done();
}
