// SPDX-License-Identifier: GPL-2.0
/*
 * CPUID in the guest answers from the table userspace set: indexed leaves by their index, leaves beyond
 * the table as the manual says, OSXSAVE live, and no register but the four changed.
 */
#include "gvm.h"

#include <stdlib.h>
#include <string.h>

static void guest_main(void)
{
	uint32_t r[4];
	uint64_t keep = 0x1122334455667788, kept;

	cpuid(0x80000000, 0, r);
	guest_eq(r[0], 0x80000008, "a leaf answers with EAX as set");
	cpuid(4, 0, r);
	guest_check(r[0] == 0x40 && r[3] == 0x43, "leaf 4, index 0");
	cpuid(4, 1, r);
	guest_check(r[0] == 0x41 && r[3] == 0x44, "leaf 4, index 1");
	cpuid(4, 9, r);
	guest_check(!r[0] && !r[1] && !r[2] && !r[3], "an index not in the table is zeros");
	cpuid(2, 77, r);
	guest_eq(r[1], 0x22, "the index of a leaf without one is ignored");
	cpuid(3, 0, r);
	guest_check(!r[0] && !r[1] && !r[2] && !r[3], "a leaf in range but not in the table is zeros");
	cpuid(0x40000000, 0, r);
	guest_eq(r[1], 0x4d564b4d, "a hypervisor leaf is answered");
	cpuid(1, 0, r);
	guest_check(!(r[2] & (1 << 27)), "OSXSAVE is clear while CR4.OSXSAVE is");
	if (r[2] & (1 << 26)) {
		write_cr4(read_cr4() | (1 << 18));
		cpuid(1, 0, r);
		guest_check(r[2] & (1 << 27), "OSXSAVE follows CR4.OSXSAVE");
		write_cr4(read_cr4() & ~(1ul << 18));
		cpuid(1, 0, r);
		guest_check(!(r[2] & (1 << 27)), "... both ways");
	} else {
		guest_skip("the CPU has no XSAVE");
		guest_skip("the CPU has no XSAVE");
	}
	asm volatile("mov %1, %%r15; mov $-1, %%rax; mov $-1, %%rbx; xor %%ecx, %%ecx; mov $-1, %%rdx\n"
		     "mov $0x80000000, %%eax; cpuid; mov %%r15, %0; shr $32, %%rbx; add %%rbx, %0\n"
		     "shr $32, %%rdx; add %%rdx, %0"
		     : "=r"(kept) : "r"(keep) : "rax", "rbx", "rcx", "rdx", "r15", "cc");
	guest_eq(kept, keep, "upper halves are cleared, other registers kept");
	guest_done();
}

static struct minikvm_cpuid_entry2 entry(uint32_t fn, uint32_t idx, uint32_t flags, uint32_t a, uint32_t b,
					 uint32_t c, uint32_t d)
{
	return (struct minikvm_cpuid_entry2){ .function = fn, .index = idx, .flags = flags, .eax = a,
					      .ebx = b, .ecx = c, .edx = d };
}

/* Leaf 1, 7 and 0xd stay as the device supports them, so that CR4 may hold what the test writes. */
static void set_table(struct gvm *vm)
{
	struct minikvm_cpuid2 *sup = calloc(1, sizeof(*sup) + 100 * sizeof(sup->entries[0]));
	struct minikvm_cpuid2 *c = calloc(1, sizeof(*c) + 100 * sizeof(c->entries[0]));
	struct minikvm_cpuid_entry2 *e = c->entries;
	unsigned int i;

	sup->nent = 100;
	GVM_IOCTL(vm->dev, MINIKVM_GET_SUPPORTED_CPUID, sup);
	for (i = 0; i < sup->nent; i++) {
		uint32_t fn = sup->entries[i].function;

		if (fn == 0 || fn == 1 || fn == 7 || fn == 0xd || fn == 0x80000001 || fn == 0x80000008)
			*e++ = sup->entries[i];
	}
	*e++ = entry(2, 0, 0, 0x21, 0x22, 0x23, 0x24);
	*e++ = entry(4, 0, 1, 0x40, 0x41, 0x42, 0x43);
	*e++ = entry(4, 1, 1, 0x41, 0x42, 0x43, 0x44);
	*e++ = entry(0x40000000, 0, 0, 0x40000001, 0x4d564b4d, 0x564b4d56, 0x4d);
	*e++ = entry(0x80000000, 0, 0, 0x80000008, 0, 0, 0);
	c->nent = e - c->entries;
	GVM_IOCTL(vm->vcpu[0].fd, MINIKVM_SET_CPUID2, c);
	free(sup);
	free(c);
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	vm = gvm_create(1, 0);
	set_table(vm);
	gvm_enter64(vm, 0, guest_main);
	gvm_run_done(vm);
	gvm_destroy(vm);
	return gvm_finish();
}
