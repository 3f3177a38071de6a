// SPDX-License-Identifier: GPL-2.0
/*
 * Opening the accelerator, checking what it offers, and creating a VM on it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "accel.h"
#include "guest_mem.h"
#include "layout.h"
#include "report.h"
#include "types.h"

static const struct {
	int cap;
	const char *name;
} required_caps[] = {
	{ MINIKVM_CAP_IRQCHIP, "IRQCHIP" },
	{ MINIKVM_CAP_HLT, "HLT" },
	{ MINIKVM_CAP_USER_MEMORY, "USER_MEMORY" },
	{ MINIKVM_CAP_SET_TSS_ADDR, "SET_TSS_ADDR" },
	{ MINIKVM_CAP_EXT_CPUID, "EXT_CPUID" },
	{ MINIKVM_CAP_PIT2, "PIT2" },
	{ MINIKVM_CAP_SIGNAL_MSI, "SIGNAL_MSI" },
};

static int open_device(const char *path)
{
	const char *base = strrchr(path, '/') + 1;
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	switch (errno) {
	case ENOENT:
	case ENXIO:
	case ENODEV:
		return report("cannot open %s: no such device; %s, or choose another --accel", path,
			      strcmp(base, "kvm") ? "load minikvm.ko" :
						    "modprobe kvm-intel or kvm-amd");
	case EACCES:
	case EPERM:
		return report("cannot open %s: permission denied; become root or join its group",
			      path);
	default:
		return report("cannot open %s: %s", path, strerror(errno));
	}
}

/* GET_SUPPORTED_CPUID with a table that grows until it is large enough. */
static struct minikvm_cpuid2 *supported_cpuid(int fd)
{
	struct minikvm_cpuid2 *cpuid = NULL;
	unsigned int nent;

	for (nent = 128; nent <= 4096; nent *= 2) {
		free(cpuid);
		cpuid = calloc(1, sizeof(*cpuid) + nent * sizeof(cpuid->entries[0]));
		if (!cpuid)
			return NULL;
		cpuid->nent = nent;
		if (!ioctl(fd, MINIKVM_GET_SUPPORTED_CPUID, cpuid))
			return cpuid;
		if (errno != E2BIG)
			break;
	}
	free(cpuid);
	return NULL;
}

static int check_extension(int fd, int cap)
{
	int ret = ioctl(fd, MINIKVM_CHECK_EXTENSION, cap);

	return ret > 0 ? ret : 0;
}

static int probe(struct accel *accel)
{
	unsigned int i;
	int ret;

	ret = ioctl(accel->fd, MINIKVM_GET_API_VERSION, 0);
	if (ret < 0)
		return report("%s is not an accelerator: %s", accel->path, strerror(errno));
	if (ret != MINIKVM_API_VERSION)
		return report("%s speaks API version %d, mkvm needs %d", accel->path, ret,
			      MINIKVM_API_VERSION);
	for (i = 0; i < ARRAY_SIZE(required_caps); i++) {
		if (!check_extension(accel->fd, required_caps[i].cap))
			return report("%s lacks capability %s (%d), which mkvm needs", accel->path,
				      required_caps[i].name, required_caps[i].cap);
	}
	ret = ioctl(accel->fd, MINIKVM_GET_VCPU_MMAP_SIZE, 0);
	if (ret < (int)sizeof(struct minikvm_run))
		return report("%s reports a run page of %d bytes, too small", accel->path, ret);
	accel->run_size = (size_t)ret;

	accel->max_vcpus = (unsigned int)check_extension(accel->fd, MINIKVM_CAP_MAX_VCPUS);
	if (!accel->max_vcpus)
		accel->max_vcpus = (unsigned int)check_extension(accel->fd, MINIKVM_CAP_NR_VCPUS);
	if (!accel->max_vcpus)
		accel->max_vcpus = 1;
	accel->immediate_exit = check_extension(accel->fd, MINIKVM_CAP_IMMEDIATE_EXIT);
	accel->ioeventfd = check_extension(accel->fd, MINIKVM_CAP_IOEVENTFD);
	accel->any_length = check_extension(accel->fd, MINIKVM_CAP_IOEVENTFD_ANY_LENGTH);
	accel->irqfd = check_extension(accel->fd, MINIKVM_CAP_IRQFD) &&
		       check_extension(accel->fd, MINIKVM_CAP_IRQ_ROUTING);
	accel->tsc_deadline = check_extension(accel->fd, MINIKVM_CAP_TSC_DEADLINE_TIMER);

	accel->cpuid = supported_cpuid(accel->fd);
	if (!accel->cpuid)
		return report("%s: cannot read the supported CPUID leaves: %s", accel->path,
			      strerror(errno));
	return 0;
}

int accel_open(struct accel *accel, const char *name)
{
	memset(accel, 0, sizeof(*accel));
	accel->fd = -1;
	if (!strcmp(name, "minikvm"))
		accel->path = "/dev/minikvm";
	else if (!strcmp(name, "kvm"))
		accel->path = "/dev/kvm";
	else
		accel->path = name;

	accel->fd = open_device(accel->path);
	if (accel->fd < 0)
		return -1;
	if (probe(accel)) {
		accel_close(accel);
		return -1;
	}
	return 0;
}

void accel_close(struct accel *accel)
{
	free(accel->cpuid);
	accel->cpuid = NULL;
	if (accel->fd >= 0)
		close(accel->fd);
	accel->fd = -1;
}

static int set_memory(struct vm *vm, const struct guest_mem *mem)
{
	unsigned int i;

	for (i = 0; i < mem->nr; i++) {
		struct minikvm_userspace_memory_region slot = {
			.slot = i,
			.guest_phys_addr = mem->ram[i].gpa,
			.memory_size = mem->ram[i].size,
			.userspace_addr = (uintptr_t)mem->ram[i].hva,
		};

		if (ioctl(vm->fd, MINIKVM_SET_USER_MEMORY_REGION, &slot))
			return report("%s: cannot add %llu MiB of guest memory at 0x%llx: %s",
				      vm->accel->path, mem->ram[i].size / MIB,
				      mem->ram[i].gpa, strerror(errno));
	}
	return 0;
}

static int vm_setup(struct vm *vm, const struct guest_mem *mem)
{
	struct minikvm_pit_config pit = { .flags = MINIKVM_PIT_SPEAKER_DUMMY };
	u64 identity_map = KVM_IDENTITY_MAP_BASE;
	const char *path = vm->accel->path;

	/*
	 * Both ranges lie in the hole below 4 GiB; the identity map must be placed before the first
	 * vCPU.
	 */
	if (check_extension(vm->accel->fd, MINIKVM_CAP_SET_IDENTITY_MAP_ADDR) &&
	    ioctl(vm->fd, MINIKVM_SET_IDENTITY_MAP_ADDR, &identity_map))
		return report("%s: SET_IDENTITY_MAP_ADDR failed: %s", path, strerror(errno));
	if (ioctl(vm->fd, MINIKVM_SET_TSS_ADDR, (unsigned long)KVM_TSS_BASE))
		return report("%s: SET_TSS_ADDR failed: %s", path, strerror(errno));
	if (ioctl(vm->fd, MINIKVM_CREATE_IRQCHIP, 0))
		return report("%s: CREATE_IRQCHIP failed: %s", path, strerror(errno));
	if (ioctl(vm->fd, MINIKVM_CREATE_PIT2, &pit))
		return report("%s: CREATE_PIT2 failed: %s", path, strerror(errno));
	return set_memory(vm, mem);
}

int vm_create(struct vm *vm, const struct guest_mem *mem)
{
	/* The kernel returns EINTR if a signal arrives while it sets up its notifiers. */
	do {
		vm->fd = ioctl(vm->accel->fd, MINIKVM_CREATE_VM, 0);
	} while (vm->fd < 0 && errno == EINTR);
	if (vm->fd < 0 && errno == EBUSY)
		return report("%s: cannot create a VM: another hypervisor holds the CPU; see dmesg",
			      vm->accel->path);
	if (vm->fd < 0)
		return report("%s: cannot create a VM: %s", vm->accel->path, strerror(errno));
	vm->generation++;
	if (vm_setup(vm, mem)) {
		vm_destroy(vm);
		return -1;
	}
	return 0;
}

void vm_destroy(struct vm *vm)
{
	if (vm->fd >= 0)
		close(vm->fd);
	vm->fd = -1;
}

void vm_irq_line(struct vm *vm, unsigned int gsi, bool level)
{
	struct minikvm_irq_level irq = { .irq = gsi, .level = level };

	if (ioctl(vm->fd, MINIKVM_IRQ_LINE, &irq))
		report("%s: cannot drive interrupt line %u: %s", vm->accel->path, gsi,
		       strerror(errno));
}

void vm_signal_msi(struct vm *vm, u64 address, u32 data)
{
	struct minikvm_msi msi = {
		.address_lo = (u32)address,
		.address_hi = (u32)(address >> 32),
		.data = data,
	};

	/* The guest wrote address and data; a message nobody accepts is lost, as on a real bus. */
	(void)ioctl(vm->fd, MINIKVM_SIGNAL_MSI, &msi);
}
