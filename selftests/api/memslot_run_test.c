// SPDX-License-Identifier: GPL-2.0
/*
 * Owns what a guest sees of its memory slots: where there is none, an access is
 * MMIO; where there is one, it is the backing; where the backing is gone, RUN
 * fails and says so.
 */
#include <sys/mman.h>

#include "api.h"

#define GPA	0x800000ULL	/* slot 1, above the memory of vm_new() */
#define SIZE	0x4000ULL

/* RSI: address. Reports what is read there, then stores EBX there. */
GUEST_ASM(access_guest, 64,
	"1:	movl	(%rsi), %eax\n"
	"	outl	%eax, $0xe0\n"
	"	movl	%ebx, (%rsi)\n"
	"	outb	%al, $0xe1\n"
	"	jmp	1b\n");

static void start(struct vcpu *vcpu, uint64_t gpa, uint32_t store)
{
	struct minikvm_regs regs = {
		.rip = GUEST_CODE, .rflags = 2, .rsi = gpa, .rbx = store,
	};

	/* Completes what an earlier exit left open, before it is overwritten. */
	vcpu->run->immediate_exit = 1;
	vcpu_run(vcpu);
	vcpu->run->immediate_exit = 0;
	if (ioctl(vcpu->fd, MINIKVM_SET_REGS, &regs))
		tap_bail("SET_REGS: %s", strerror(errno));
}

static void expect_read(struct vcpu *vcpu, uint32_t want, const char *what)
{
	if (vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "%s: guest reads memory", what))
		tap_eq(vcpu_io_value(vcpu), want, "%s: the value", what);
}

/* The guest's next access must be MMIO; reads are answered with @value. */
static void expect_mmio(struct vcpu *vcpu, uint64_t gpa, bool write,
			uint32_t value, const char *what)
{
	struct minikvm_run *run = vcpu->run;
	uint32_t stored;

	if (!vcpu_expect_exit(vcpu, MINIKVM_EXIT_MMIO, "%s: MMIO %s", what,
			      write ? "write" : "read"))
		return;
	tap_ok(run->mmio.phys_addr == gpa && run->mmio.len == 4 &&
	       run->mmio.is_write == write, "%s: address, length, direction", what);
	if (write) {
		memcpy(&stored, run->mmio.data, sizeof(stored));
		tap_eq(stored, value, "%s: the value stored", what);
	} else {
		memcpy(run->mmio.data, &value, sizeof(value));
	}
}

static void test_life_of_slot(struct vm *vm, struct vcpu *vcpu)
{
	uint32_t *hva = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	start(vcpu, GPA, 0x11);
	expect_mmio(vcpu, GPA, false, 0xcafe, "no slot");
	expect_read(vcpu, 0xcafe, "no slot");
	expect_mmio(vcpu, GPA, true, 0x11, "no slot");

	hva[0] = 0x1234;
	tap_errno(vm_set_region(vm, 1, GPA, SIZE, hva, 0), 0, "add a slot");
	start(vcpu, GPA, 0x22);
	expect_read(vcpu, 0x1234, "new slot");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "new slot: guest stores");
	tap_eq(hva[0], 0x22, "new slot: the store is in the backing");

	tap_errno(vm_set_region(vm, 1, 2 * GPA, SIZE, hva, 0), 0, "move it");
	start(vcpu, GPA, 0x33);
	expect_mmio(vcpu, GPA, false, 1, "where it was");
	start(vcpu, 2 * GPA, 0x33);
	expect_read(vcpu, 0x22, "where it went");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "where it went: guest stores");
	tap_eq(hva[0], 0x33, "where it went: the store is in the backing");

	tap_errno(vm_set_region(vm, 1, 0, 0, NULL, 0), 0, "delete it");
	start(vcpu, 2 * GPA, 0x44);
	expect_mmio(vcpu, 2 * GPA, false, 2, "deleted");
	tap_eq(hva[0], 0x33, "deleted: the backing stays as it was");

	tap_errno(vm_set_region(vm, 2, 2 * GPA, SIZE, hva, 0), 0,
		  "add it as another slot");
	start(vcpu, 2 * GPA, 0x55);
	expect_read(vcpu, 0x33, "added again");
	tap_errno(vm_set_region(vm, 2, 0, 0, NULL, 0), 0, "delete it again");
	munmap(hva, SIZE);
}

static void test_readonly(struct vm *vm, struct vcpu *vcpu)
{
	uint32_t *hva = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (!dev_check_extension(vm->fd, MINIKVM_CAP_READONLY_MEM)) {
		tap_skip("no capability READONLY_MEM");
		return;
	}
	hva[1] = 0x7777;
	tap_errno(vm_set_region(vm, 1, GPA, SIZE, hva, MINIKVM_MEM_READONLY), 0,
		  "add a read-only slot");
	start(vcpu, GPA + 4, 0x88);
	expect_read(vcpu, 0x7777, "read-only");
	expect_mmio(vcpu, GPA + 4, true, 0x88, "read-only");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "read-only: guest goes on");
	tap_eq(hva[1], 0x7777, "read-only: the backing is unchanged");
	tap_errno(vm_set_region(vm, 1, 0, 0, NULL, 0), 0, "delete it");
	munmap(hva, SIZE);
}

static void test_backing_gone(struct vm *vm, struct vcpu *vcpu)
{
	uint32_t *hva = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	hva[0] = 0x99;
	tap_errno(vm_set_region(vm, 1, GPA, SIZE, hva, 0), 0, "add a slot");
	start(vcpu, GPA, 0xaa);
	expect_read(vcpu, 0x99, "backed");
	munmap(hva, SIZE);
	start(vcpu, GPA, 0xbb);
	tap_eq(vcpu_run(vcpu), -EFAULT, "RUN fails when the backing is unmapped");
	tap_eq(vcpu_run(vcpu), -EFAULT, "and fails again");
	if (mmap(hva, SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != hva)
		tap_bail("mmap: %s", strerror(errno));
	hva[0] = 0xcc;
	expect_read(vcpu, 0xcc, "mapped again, RUN goes on");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "mapped again: guest stores");
	tap_eq(hva[0], 0xbb, "mapped again: the store is in the new backing");
	tap_errno(vm_set_region(vm, 1, 0, 0, NULL, 0), 0, "delete it");
	munmap(hva, SIZE);
}

int main(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_plan(0);
	vm_load(vm, access_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	test_life_of_slot(vm, vcpu);
	test_readonly(vm, vcpu);
	test_backing_gone(vm, vcpu);
	vm_free(vm);
	return tap_done();
}
