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

	access_start(vcpu, GPA, 0x11);
	expect_mmio(vcpu, GPA, false, 0xcafe, "no slot");
	access_expect_read(vcpu, 0xcafe, "no slot");
	expect_mmio(vcpu, GPA, true, 0x11, "no slot");

	hva[0] = 0x1234;
	tap_errno(vm_set_region(vm, 1, GPA, SIZE, hva, 0), 0, "add a slot");
	access_start(vcpu, GPA, 0x22);
	access_expect_read(vcpu, 0x1234, "new slot");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "new slot: guest stores");
	tap_eq(hva[0], 0x22, "new slot: the store is in the backing");

	tap_errno(vm_set_region(vm, 1, 2 * GPA, SIZE, hva, 0), 0, "move it");
	access_start(vcpu, GPA, 0x33);
	expect_mmio(vcpu, GPA, false, 1, "where it was");
	access_start(vcpu, 2 * GPA, 0x33);
	access_expect_read(vcpu, 0x22, "where it went");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "where it went: guest stores");
	tap_eq(hva[0], 0x33, "where it went: the store is in the backing");

	tap_errno(vm_set_region(vm, 1, 0, 0, NULL, 0), 0, "delete it");
	access_start(vcpu, 2 * GPA, 0x44);
	expect_mmio(vcpu, 2 * GPA, false, 2, "deleted");
	tap_eq(hva[0], 0x33, "deleted: the backing stays as it was");

	tap_errno(vm_set_region(vm, 2, 2 * GPA, SIZE, hva, 0), 0,
		  "add it as another slot");
	access_start(vcpu, 2 * GPA, 0x55);
	access_expect_read(vcpu, 0x33, "added again");
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
	access_start(vcpu, GPA + 4, 0x88);
	access_expect_read(vcpu, 0x7777, "read-only");
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
	access_start(vcpu, GPA, 0xaa);
	access_expect_read(vcpu, 0x99, "backed");
	munmap(hva, SIZE);
	access_start(vcpu, GPA, 0xbb);
	tap_eq(vcpu_run(vcpu), -EFAULT, "RUN fails when the backing is unmapped");
	tap_eq(vcpu_run(vcpu), -EFAULT, "and fails again");
	if (mmap(hva, SIZE, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != hva)
		tap_bail("mmap: %s", strerror(errno));
	hva[0] = 0xcc;
	access_expect_read(vcpu, 0xcc, "mapped again, RUN goes on");
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
