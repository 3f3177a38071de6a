/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Owns the harness of tests that run guests: a virtual machine with memory and
 * vCPUs in a known mode, made through the ABI of uapi/minikvm.h on the device
 * that the environment variable DEV names (default /dev/minikvm; /dev/kvm runs
 * the same program on stock KVM).
 *
 * Functions that return nothing, or a pointer, end the program through
 * tap_bail() when they fail; they are for what a test takes for granted. What a
 * test examines it calls itself, with ioctl() on vm->fd or vcpu->fd. A missing
 * device skips the whole program.
 *
 * Guest-physical layout made by vm_new() and vcpu_set_mode():
 *
 *   0x00000  real-mode IVT, all zero
 *   0x01000  GDT (GUEST_GDT), selectors GUEST_SEL_*
 *   0x02000  IDT (GUEST_IDT), 256 entries of 16 bytes, all zero: any
 *            exception in a guest that installs no handler is a triple fault
 *   0x03000  TSS (GUEST_TSS), all zero
 *   0x08000  code (GUEST_CODE), room to 0x1ffff
 *   0x20000  page tables (GUEST_PT): 4 GiB identity-mapped with 2 MiB pages
 *   0x30000  one stack of 4 KiB per vCPU, that of vCPU 0 ends at 0x31000
 *            (GUEST_STACK_TOP); in real mode it ends at 0x8000 for all vCPUs
 *   0x40000  free for the test (GUEST_DATA)
 */
#ifndef SELFTESTS_VM_H
#define SELFTESTS_VM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "minikvm.h"
#include "tap.h"

#define GUEST_GDT	0x1000ULL
#define GUEST_IDT	0x2000ULL
#define GUEST_TSS	0x3000ULL
#define GUEST_CODE	0x8000ULL
#define GUEST_PT	0x20000ULL
#define GUEST_STACK	0x30000ULL
#define GUEST_DATA	0x40000ULL
#define GUEST_STACK_SIZE	0x1000ULL
#define GUEST_STACK_TOP(vcpu)	(GUEST_STACK + ((vcpu) + 1) * GUEST_STACK_SIZE)
#define GUEST_MEM_SIZE	0x400000ULL	/* slot 0 of vm_new(): 4 MiB at GPA 0 */

#define GUEST_SEL_CODE32	0x08
#define GUEST_SEL_DATA		0x10
#define GUEST_SEL_CODE64	0x18
#define GUEST_SEL_TSS		0x20	/* two entries */
#define GUEST_SEL_CODE16	0x30
#define GUEST_SEL_DATA16	0x38

enum guest_mode {
	GUEST_REAL,	/* CS base 0, IP as given; data segments base 0 */
	GUEST_PROT,	/* 32-bit flat, no paging */
	GUEST_LONG,	/* 64-bit, identity mapping of the first 4 GiB */
};

/* vm_new() flags */
#define VM_IRQCHIP	0x1	/* CREATE_IRQCHIP */
#define VM_PIT		0x2	/* CREATE_PIT2; implies VM_IRQCHIP */
#define VM_BARE		0x4	/* nothing but the VM: no memory */

#define VM_MAX_VCPUS	64
#define VM_MAX_SLOTS	32

struct vm;

struct vcpu {
	struct vm *vm;
	int fd;
	unsigned int id;
	struct minikvm_run *run;	/* mapping of run_size bytes */
	size_t run_size;
};

/* Backing of one slot made by vm_add_mem(). */
struct vm_mem {
	uint64_t gpa;
	size_t size;
	void *hva;
};

struct vm {
	int dev_fd;
	int fd;
	size_t run_size;
	unsigned int nr_vcpus;
	struct vcpu vcpu[VM_MAX_VCPUS];
	struct vm_mem mem[VM_MAX_SLOTS];	/* by slot; size 0: none */
};

/**
 * GUEST_ASM() - define a blob of guest code
 * @name: symbols name[] and name_end[]; pass @name to vm_load()
 * @bits: 16, 32 or 64
 * @...: assembler text (AT&T syntax). Runs at GUEST_CODE as loaded by vm_load();
 *	write position-independent code or reckon with "label - name + 0x8000".
 */
#define GUEST_ASM(name, bits, ...)				\
	extern const unsigned char name[], name##_end[];	\
	__asm__(".pushsection .rodata.guest,\"a\",@progbits\n"	\
		".balign 16\n.code" #bits "\n.globl " #name "\n" \
		#name ":\n" __VA_ARGS__ "\n"			\
		".globl " #name "_end\n" #name "_end:\n"	\
		".code64\n.popsection\n")

const char *dev_path(void);
int dev_open(void);
int dev_check_extension(int fd, unsigned long cap);

struct vm *vm_new(unsigned int flags);
void vm_free(struct vm *vm);
void *vm_add_mem(struct vm *vm, uint32_t slot, uint64_t gpa, size_t size,
		 uint32_t flags);
int vm_set_region(struct vm *vm, uint32_t slot, uint64_t gpa, uint64_t size,
		  const void *hva, uint32_t flags);
void *vm_hva(struct vm *vm, uint64_t gpa);
void vm_load_bytes(struct vm *vm, uint64_t gpa, const void *from, size_t len);
struct vcpu *vm_add_vcpu(struct vm *vm, unsigned int id);

/* Loads the blob defined by GUEST_ASM(name, ...) at GUEST_CODE. */
#define vm_load(vm, name) \
	vm_load_bytes(vm, GUEST_CODE, name, (size_t)(name##_end - (name)))

void vcpu_close(struct vcpu *vcpu);
void vcpu_set_mode(struct vcpu *vcpu, enum guest_mode mode, uint64_t rip);
int vcpu_run(struct vcpu *vcpu);
const char *exit_name(uint32_t reason);
void vcpu_dump(struct vcpu *vcpu);
uint32_t vcpu_io_value(const struct vcpu *vcpu);
int vcpu_get_msr(struct vcpu *vcpu, uint32_t index, uint64_t *value);
int vcpu_set_msr(struct vcpu *vcpu, uint32_t index, uint64_t value);

struct minikvm_cpuid2 *cpuid_supported(int dev_fd);
struct minikvm_cpuid_entry2 *cpuid_find(struct minikvm_cpuid2 *cpuid,
					uint32_t function, uint32_t index);

/**
 * vcpu_expect_exit() - run a vCPU and report one point: it exits as expected
 * @vcpu: vCPU
 * @reason: MINIKVM_EXIT_*
 * @...: printf format of the point's name, and its arguments
 */
#define vcpu_expect_exit(vcpu, reason, ...)				\
({									\
	struct vcpu *__v = (vcpu);					\
	int __r = vcpu_run(__v);					\
	bool __ok = tap_ok(!__r && __v->run->exit_reason == (reason),	\
			   __VA_ARGS__);				\
									\
	if (!__ok) {							\
		tap_diag("%s:%d: RUN %s, exit %s, want %s", __FILE__,	\
			 __LINE__, __r ? strerror(-__r) : "success",	\
			 exit_name(__v->run->exit_reason),		\
			 exit_name(reason));				\
		vcpu_dump(__v);						\
	}								\
	__ok;								\
})

#endif
