// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the making and unmaking of test VMs; vm.h has the contract and the map
 * of guest memory.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "vm.h"

#define TSS_ADDR	0xfffbd000UL

#define CR0_PE		0x00000001ULL
#define CR0_MP		0x00000002ULL
#define CR0_ET		0x00000010ULL
#define CR0_NE		0x00000020ULL
#define CR0_WP		0x00010000ULL
#define CR0_PG		0x80000000ULL
#define CR4_PAE		0x00000020ULL
#define CR4_OSFXSR	0x00000200ULL
#define CR4_OSXMMEXCPT	0x00000400ULL
#define EFER_LME	0x00000100ULL
#define EFER_LMA	0x00000400ULL

#define PT_PRESENT	0x001ULL
#define PT_WRITE	0x002ULL
#define PT_USER		0x004ULL
#define PT_LARGE	0x080ULL

static const uint64_t guest_gdt[] = {
	[0] = 0,
	[GUEST_SEL_CODE32 / 8] = 0x00cf9b000000ffffULL,
	[GUEST_SEL_DATA / 8] = 0x00cf93000000ffffULL,
	[GUEST_SEL_CODE64 / 8] = 0x00af9b000000ffffULL,
	/* base GUEST_TSS, limit 0x67, busy 64-bit TSS */
	[GUEST_SEL_TSS / 8] = 0x00008b0030000067ULL,
	[GUEST_SEL_TSS / 8 + 1] = 0,
	[GUEST_SEL_CODE16 / 8] = 0x00009b000000ffffULL,
	[GUEST_SEL_DATA16 / 8] = 0x000093000000ffffULL,
};

/**
 * dev_path() - the device under test
 *
 * Return: $DEV, or /dev/minikvm.
 */
const char *dev_path(void)
{
	const char *path = getenv("DEV");

	return path && *path ? path : "/dev/minikvm";
}

/**
 * dev_open() - open the device under test, or skip the program
 *
 * Return: a file descriptor, owned by the caller.
 */
int dev_open(void)
{
	int fd = open(dev_path(), O_RDWR | O_CLOEXEC);

	if (fd < 0)
		tap_skip_all("%s: %s", dev_path(), strerror(errno));
	return fd;
}

/**
 * dev_check_extension() - value of a capability
 * @fd: device or VM
 * @cap: MINIKVM_CAP_*
 *
 * Return: the value, 0 if the capability is absent, -1 on error.
 */
int dev_check_extension(int fd, unsigned long cap)
{
	return ioctl(fd, MINIKVM_CHECK_EXTENSION, cap);
}

/**
 * vm_set_region() - set, change or delete a memory slot
 * @vm: VM
 * @slot: slot number
 * @gpa: first GPA
 * @size: bytes; 0 deletes
 * @hva: backing
 * @flags: MINIKVM_MEM_*
 *
 * Return: as the ioctl: 0, or -1 with errno.
 */
int vm_set_region(struct vm *vm, uint32_t slot, uint64_t gpa, uint64_t size,
		  const void *hva, uint32_t flags)
{
	struct minikvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	return ioctl(vm->fd, MINIKVM_SET_USER_MEMORY_REGION, &region);
}

/**
 * vm_add_mem() - give the guest fresh zeroed memory
 * @vm: VM
 * @slot: slot number, below VM_MAX_SLOTS and unused
 * @gpa: first GPA, page aligned
 * @size: bytes, page aligned
 * @flags: MINIKVM_MEM_*
 *
 * Return: its address, aligned to 2 MiB. Freed by vm_free().
 */
void *vm_add_mem(struct vm *vm, uint32_t slot, uint64_t gpa, size_t size,
		 uint32_t flags)
{
	const size_t align = 0x200000;
	char *map, *hva;

	if (slot >= VM_MAX_SLOTS || vm->mem[slot].size)
		tap_bail("vm_add_mem: slot %u is in use or too high", slot);
	map = mmap(NULL, size + align, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (map == MAP_FAILED)
		tap_bail("mmap of %zu bytes: %s", size, strerror(errno));
	hva = (char *)(((uintptr_t)map + align - 1) & ~(align - 1));
	if (hva > map)
		munmap(map, (size_t)(hva - map));
	if (map + align > hva)
		munmap(hva + size, (size_t)(map + align - hva));
	if (vm_set_region(vm, slot, gpa, size, hva, flags))
		tap_bail("memory slot %u: %s", slot, strerror(errno));
	vm->mem[slot] = (struct vm_mem){ .gpa = gpa, .size = size, .hva = hva };
	return hva;
}

/**
 * vm_hva() - where guest memory made by vm_add_mem() is
 * @vm: VM
 * @gpa: guest physical address
 *
 * Return: a pointer, valid to the end of the slot.
 */
void *vm_hva(struct vm *vm, uint64_t gpa)
{
	struct vm_mem *mem;

	for (mem = vm->mem; mem < vm->mem + VM_MAX_SLOTS; mem++)
		if (gpa >= mem->gpa && gpa - mem->gpa < mem->size)
			return (char *)mem->hva + (gpa - mem->gpa);
	tap_bail("GPA %#llx is in no slot", (unsigned long long)gpa);
}

/**
 * vm_load_bytes() - copy into guest memory
 * @vm: VM
 * @gpa: where to; the whole range must be in one slot
 * @from: source
 * @len: bytes
 */
void vm_load_bytes(struct vm *vm, uint64_t gpa, const void *from, size_t len)
{
	char *to = vm_hva(vm, gpa);

	if (len && (char *)vm_hva(vm, gpa + len - 1) != to + len - 1)
		tap_bail("vm_load_bytes: range is not in one slot");
	memcpy(to, from, len);
}

/* Identity-maps the first 4 GiB: one PML4, one PDPT, four page directories. */
static void build_page_tables(struct vm *vm)
{
	uint64_t *pml4 = vm_hva(vm, GUEST_PT);
	uint64_t *pdpt = pml4 + 512;
	uint64_t *pd = pdpt + 512;
	unsigned int i;

	pml4[0] = (GUEST_PT + 0x1000) | PT_PRESENT | PT_WRITE | PT_USER;
	for (i = 0; i < 4; i++)
		pdpt[i] = (GUEST_PT + 0x2000 + i * 0x1000ULL) |
			  PT_PRESENT | PT_WRITE | PT_USER;
	for (i = 0; i < 4 * 512; i++)
		pd[i] = i * 0x200000ULL |
			PT_PRESENT | PT_WRITE | PT_USER | PT_LARGE;
}

/**
 * vm_new() - make a VM
 * @flags: VM_*
 *
 * Unless VM_BARE it gets slot 0 with GUEST_MEM_SIZE bytes at GPA 0, laid out as
 * drawn in vm.h. Skips the program if there is no device.
 *
 * Return: the VM; release it with vm_free().
 */
struct vm *vm_new(unsigned int flags)
{
	struct minikvm_pit_config pit = { 0 };
	struct vm *vm = calloc(1, sizeof(*vm));
	int r;

	if (!vm)
		tap_bail("out of memory");
	vm->dev_fd = dev_open();
	r = ioctl(vm->dev_fd, MINIKVM_GET_VCPU_MMAP_SIZE, 0);
	if (r < (int)sizeof(struct minikvm_run))
		tap_bail("GET_VCPU_MMAP_SIZE: %d", r);
	vm->run_size = (size_t)r;
	vm->fd = ioctl(vm->dev_fd, MINIKVM_CREATE_VM, 0);
	if (vm->fd < 0)
		tap_bail("CREATE_VM on %s: %s", dev_path(), strerror(errno));
	if (flags & VM_BARE)
		return vm;
	if (ioctl(vm->fd, MINIKVM_SET_TSS_ADDR, TSS_ADDR))
		tap_bail("SET_TSS_ADDR: %s", strerror(errno));
	if (flags & (VM_IRQCHIP | VM_PIT) &&
	    ioctl(vm->fd, MINIKVM_CREATE_IRQCHIP, 0))
		tap_bail("CREATE_IRQCHIP: %s", strerror(errno));
	if (flags & VM_PIT && ioctl(vm->fd, MINIKVM_CREATE_PIT2, &pit))
		tap_bail("CREATE_PIT2: %s", strerror(errno));
	vm_add_mem(vm, 0, 0, GUEST_MEM_SIZE, 0);
	vm_load_bytes(vm, GUEST_GDT, guest_gdt, sizeof(guest_gdt));
	build_page_tables(vm);
	return vm;
}

/**
 * vcpu_close() - release a vCPU's mapping and descriptor
 * @vcpu: vCPU, may be closed already
 */
void vcpu_close(struct vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->run_size);
	vcpu->run = NULL;
	if (vcpu->fd >= 0)
		close(vcpu->fd);
	vcpu->fd = -1;
}

/**
 * vm_free() - release a VM, its vCPUs and its memory
 * @vm: VM made by vm_new()
 */
void vm_free(struct vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++)
		vcpu_close(&vm->vcpu[i]);
	if (vm->fd >= 0)
		close(vm->fd);
	close(vm->dev_fd);
	for (i = 0; i < VM_MAX_SLOTS; i++)
		if (vm->mem[i].size)
			munmap(vm->mem[i].hva, vm->mem[i].size);
	free(vm);
}

/**
 * cpuid_supported() - the table of GET_SUPPORTED_CPUID
 * @dev_fd: device
 *
 * Return: a table, freed by the caller with free().
 */
struct minikvm_cpuid2 *cpuid_supported(int dev_fd)
{
	const uint32_t room = 256;
	struct minikvm_cpuid2 *cpuid;

	cpuid = calloc(1, sizeof(*cpuid) + room * sizeof(cpuid->entries[0]));
	if (!cpuid)
		tap_bail("out of memory");
	cpuid->nent = room;
	if (ioctl(dev_fd, MINIKVM_GET_SUPPORTED_CPUID, cpuid))
		tap_bail("GET_SUPPORTED_CPUID: %s", strerror(errno));
	return cpuid;
}

/**
 * cpuid_find() - look a leaf up
 * @cpuid: table
 * @function: EAX
 * @index: ECX; ignored for a leaf without sub-leaves
 *
 * Return: the entry, or NULL.
 */
struct minikvm_cpuid_entry2 *cpuid_find(struct minikvm_cpuid2 *cpuid,
					uint32_t function, uint32_t index)
{
	struct minikvm_cpuid_entry2 *e;

	for (e = cpuid->entries; e < cpuid->entries + cpuid->nent; e++)
		if (e->function == function &&
		    (!(e->flags & MINIKVM_CPUID_FLAG_SIGNIFCANT_INDEX) ||
		     e->index == index))
			return e;
	return NULL;
}

/* Gives the vCPU all that is supported, with its own APIC id. */
static void set_cpuid(struct vcpu *vcpu)
{
	struct minikvm_cpuid2 *cpuid = cpuid_supported(vcpu->vm->dev_fd);
	struct minikvm_cpuid_entry2 *e = cpuid_find(cpuid, 1, 0);

	if (e)
		e->ebx = (e->ebx & 0x00ffffff) | vcpu->id << 24;
	if (ioctl(vcpu->fd, MINIKVM_SET_CPUID2, cpuid))
		tap_bail("SET_CPUID2: %s", strerror(errno));
	free(cpuid);
}

/**
 * vm_add_vcpu() - make a vCPU with the supported CPUID, in its reset state
 * @vm: VM
 * @id: vCPU id, also its APIC id
 *
 * Return: the vCPU, owned by @vm.
 */
struct vcpu *vm_add_vcpu(struct vm *vm, unsigned int id)
{
	struct vcpu *vcpu;

	if (vm->nr_vcpus == VM_MAX_VCPUS)
		tap_bail("vm_add_vcpu: more than %d vCPUs", VM_MAX_VCPUS);
	vcpu = &vm->vcpu[vm->nr_vcpus];
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->fd = ioctl(vm->fd, MINIKVM_CREATE_VCPU, (unsigned long)id);
	if (vcpu->fd < 0)
		tap_bail("CREATE_VCPU(%u): %s", id, strerror(errno));
	vcpu->run_size = vm->run_size;
	vcpu->run = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE,
			 MAP_SHARED, vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		tap_bail("mmap of vCPU %u: %s", id, strerror(errno));
	vm->nr_vcpus++;
	set_cpuid(vcpu);
	return vcpu;
}

static struct minikvm_segment flat_segment(uint16_t sel, enum guest_mode mode)
{
	bool code = sel == GUEST_SEL_CODE32 || sel == GUEST_SEL_CODE64;
	bool real = mode == GUEST_REAL;

	return (struct minikvm_segment){
		.selector = real ? 0 : sel,
		.limit = real ? 0xffff : 0xffffffff,
		.type = code ? 11 : 3,
		.present = 1,
		.s = 1,
		.l = sel == GUEST_SEL_CODE64 && !real,
		.db = sel != GUEST_SEL_CODE64 && !real,
		.g = !real,
	};
}

/**
 * vcpu_set_mode() - put a vCPU into a mode, ready to run
 * @vcpu: vCPU of a VM with the layout of vm_new()
 * @mode: GUEST_*
 * @rip: entry point, normally GUEST_CODE
 *
 * Sets segments, control registers, tables, RIP, RSP (its own stack) and RFLAGS
 * (interrupts off); RDI is the vCPU id, the other registers are zero. MSRs, FPU
 * and local APIC stay as they are.
 */
void vcpu_set_mode(struct vcpu *vcpu, enum guest_mode mode, uint64_t rip)
{
	struct minikvm_regs regs = {
		.rip = rip,
		.rflags = 2,
		.rdi = vcpu->id,
		.rsp = mode == GUEST_REAL ? GUEST_CODE : GUEST_STACK_TOP(vcpu->id),
	};
	struct minikvm_segment data, code;
	struct minikvm_sregs sregs;

	if (ioctl(vcpu->fd, MINIKVM_GET_SREGS, &sregs))
		tap_bail("GET_SREGS: %s", strerror(errno));
	code = flat_segment(mode == GUEST_LONG ? GUEST_SEL_CODE64 :
			    GUEST_SEL_CODE32, mode);
	data = flat_segment(GUEST_SEL_DATA, mode);
	sregs.cs = code;
	sregs.ds = sregs.es = sregs.fs = sregs.gs = sregs.ss = data;
	sregs.cr2 = sregs.cr3 = sregs.cr4 = sregs.efer = 0;
	sregs.cr0 = CR0_ET;
	if (mode != GUEST_REAL) {
		sregs.cr0 |= CR0_PE | CR0_MP | CR0_NE;
		sregs.gdt.base = GUEST_GDT;
		sregs.gdt.limit = sizeof(guest_gdt) - 1;
		sregs.idt.base = GUEST_IDT;
		sregs.idt.limit = 256 * 16 - 1;
		sregs.cr4 = CR4_OSFXSR | CR4_OSXMMEXCPT;
		sregs.tr = (struct minikvm_segment){
			.base = GUEST_TSS, .limit = 0x67, .type = 11,
			.selector = GUEST_SEL_TSS, .present = 1,
		};
	}
	if (mode == GUEST_LONG) {
		sregs.cr0 |= CR0_PG | CR0_WP;
		sregs.cr4 |= CR4_PAE;
		sregs.cr3 = GUEST_PT;
		sregs.efer = EFER_LME | EFER_LMA;
	}
	if (ioctl(vcpu->fd, MINIKVM_SET_SREGS, &sregs))
		tap_bail("SET_SREGS: %s", strerror(errno));
	if (ioctl(vcpu->fd, MINIKVM_SET_REGS, &regs))
		tap_bail("SET_REGS: %s", strerror(errno));
}

/**
 * vcpu_run() - MINIKVM_RUN once
 * @vcpu: vCPU
 *
 * Return: 0 with the exit in vcpu->run, or a negative errno.
 */
int vcpu_run(struct vcpu *vcpu)
{
	return ioctl(vcpu->fd, MINIKVM_RUN, 0) < 0 ? -errno : 0;
}

/**
 * exit_name() - name of an exit reason
 * @reason: MINIKVM_EXIT_*
 *
 * Return: a constant string.
 */
const char *exit_name(uint32_t reason)
{
	static const char *const names[] = {
		[MINIKVM_EXIT_UNKNOWN] = "UNKNOWN",
		[MINIKVM_EXIT_EXCEPTION] = "EXCEPTION",
		[MINIKVM_EXIT_IO] = "IO",
		[MINIKVM_EXIT_HYPERCALL] = "HYPERCALL",
		[MINIKVM_EXIT_DEBUG] = "DEBUG",
		[MINIKVM_EXIT_HLT] = "HLT",
		[MINIKVM_EXIT_MMIO] = "MMIO",
		[MINIKVM_EXIT_IRQ_WINDOW_OPEN] = "IRQ_WINDOW_OPEN",
		[MINIKVM_EXIT_SHUTDOWN] = "SHUTDOWN",
		[MINIKVM_EXIT_FAIL_ENTRY] = "FAIL_ENTRY",
		[MINIKVM_EXIT_INTR] = "INTR",
		[MINIKVM_EXIT_SET_TPR] = "SET_TPR",
		[MINIKVM_EXIT_TPR_ACCESS] = "TPR_ACCESS",
		[MINIKVM_EXIT_NMI] = "NMI",
		[MINIKVM_EXIT_INTERNAL_ERROR] = "INTERNAL_ERROR",
		[MINIKVM_EXIT_SYSTEM_EVENT] = "SYSTEM_EVENT",
		[MINIKVM_EXIT_IOAPIC_EOI] = "IOAPIC_EOI",
		[MINIKVM_EXIT_X86_RDMSR] = "X86_RDMSR",
		[MINIKVM_EXIT_X86_WRMSR] = "X86_WRMSR",
	};
	static char number[24];

	if (reason < sizeof(names) / sizeof(names[0]) && names[reason])
		return names[reason];
	snprintf(number, sizeof(number), "%u", reason);
	return number;
}

/**
 * vcpu_dump() - print registers and the last exit as TAP comments
 * @vcpu: vCPU
 */
void vcpu_dump(struct vcpu *vcpu)
{
	struct minikvm_run *run = vcpu->run;
	struct minikvm_sregs s;
	struct minikvm_regs r;

	switch (run->exit_reason) {
	case MINIKVM_EXIT_IO:
		tap_diag("io %s port %#x size %u count %u",
			 run->io.direction ? "out" : "in", run->io.port,
			 run->io.size, run->io.count);
		break;
	case MINIKVM_EXIT_MMIO:
		tap_diag("mmio %s gpa %#llx len %u",
			 run->mmio.is_write ? "write" : "read",
			 (unsigned long long)run->mmio.phys_addr,
			 run->mmio.len);
		break;
	case MINIKVM_EXIT_INTERNAL_ERROR:
		tap_diag("internal error, suberror %u", run->internal.suberror);
		break;
	case MINIKVM_EXIT_FAIL_ENTRY:
		tap_diag("entry failure %#llx", (unsigned long long)
			 run->fail_entry.hardware_entry_failure_reason);
		break;
	}
	if (ioctl(vcpu->fd, MINIKVM_GET_REGS, &r) ||
	    ioctl(vcpu->fd, MINIKVM_GET_SREGS, &s))
		return;
	tap_diag("rip %llx rsp %llx rflags %llx cr0 %llx cr3 %llx cr4 %llx efer %llx",
		 r.rip, r.rsp, r.rflags, s.cr0, s.cr3, s.cr4, s.efer);
	tap_diag("rax %llx rbx %llx rcx %llx rdx %llx rsi %llx rdi %llx cs %x/%llx",
		 r.rax, r.rbx, r.rcx, r.rdx, r.rsi, r.rdi, s.cs.selector,
		 s.cs.base);
}

/**
 * vcpu_io_value() - the first item of a port write
 * @vcpu: vCPU that exited with MINIKVM_EXIT_IO
 *
 * Return: the value written, zero-extended.
 */
uint32_t vcpu_io_value(const struct vcpu *vcpu)
{
	const struct minikvm_run *run = vcpu->run;
	uint32_t value = 0;

	if (run->io.size > sizeof(value) ||
	    run->io.data_offset > vcpu->run_size - sizeof(value))
		tap_bail("IO exit with size %u, data at %#llx", run->io.size,
			 (unsigned long long)run->io.data_offset);
	memcpy(&value, (const char *)run + run->io.data_offset, run->io.size);
	return value;
}

struct one_msr {
	struct minikvm_msrs head;
	struct minikvm_msr_entry entry;
};

/**
 * vcpu_get_msr() - read one MSR
 * @vcpu: vCPU
 * @index: MSR number
 * @value: result
 *
 * Return: as the ioctl: 1 done, 0 refused, -1 with errno.
 */
int vcpu_get_msr(struct vcpu *vcpu, uint32_t index, uint64_t *value)
{
	struct one_msr msr = { .head.nmsrs = 1, .entry.index = index };
	int r = ioctl(vcpu->fd, MINIKVM_GET_MSRS, &msr);

	*value = msr.entry.data;
	return r;
}

/**
 * vcpu_set_msr() - write one MSR
 * @vcpu: vCPU
 * @index: MSR number
 * @value: value
 *
 * Return: as the ioctl: 1 done, 0 refused, -1 with errno.
 */
int vcpu_set_msr(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	struct one_msr msr = {
		.head.nmsrs = 1, .entry = { .index = index, .data = value },
	};

	return ioctl(vcpu->fd, MINIKVM_SET_MSRS, &msr);
}
