// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of GET_MSRS and SET_MSRS: how many entries are done, which
 * values are refused, and that guest and userspace see the same registers.
 */
#include "api.h"

#define MSR_APICBASE		0x1b
#define MSR_SYSENTER_CS		0x174
#define MSR_PAT			0x277
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MSR_EFER		0xc0000080
#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_CSTAR		0xc0000083
#define MSR_SFMASK		0xc0000084
#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102
#define MSR_NONE		0x0badcafe	/* no CPU has it */

#define NONCANONICAL		0x8000000000000000ULL
#define PAT_RESET		0x0007040600070406ULL

/* ECX selects the MSR: RDMSR, report EDX:EAX, then WRMSR what is in EDX:EAX. */
GUEST_ASM(rdmsr_guest, 64,
	"	rdmsr\n"
	"	outb	%al, $0xe0\n"
	"	hlt\n");
GUEST_ASM(wrmsr_guest, 64,
	"	wrmsr\n"
	"	outb	%al, $0xe0\n"
	"	hlt\n");

struct batch {
	struct minikvm_msrs head;
	struct minikvm_msr_entry entry[256];
};

static void test_counts(struct vcpu *vcpu)
{
	struct minikvm_msrs *head = page_end(sizeof(*head));
	static struct batch b;
	unsigned int i;

	b.head.nmsrs = 0;
	tap_eq(ioctl(vcpu->fd, MINIKVM_SET_MSRS, &b), 0, "SET_MSRS of none");
	tap_eq(ioctl(vcpu->fd, MINIKVM_GET_MSRS, &b), 0, "GET_MSRS of none");
	for (i = 0; i < 256; i++)
		b.entry[i].index = MSR_STAR;
	b.head.nmsrs = 255;
	tap_eq(ioctl(vcpu->fd, MINIKVM_GET_MSRS, &b), 255, "GET_MSRS of 255");
	tap_eq(ioctl(vcpu->fd, MINIKVM_SET_MSRS, &b), 255, "SET_MSRS of 255");
	b.head.nmsrs = 256;
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_MSRS, &b), E2BIG,
		  "GET_MSRS of 256");
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_MSRS, &b), E2BIG,
		  "SET_MSRS of 256");
	b.head.nmsrs = 0xffffffff;
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_MSRS, &b), E2BIG,
		  "GET_MSRS of 2^32-1");

	test_efault(vcpu->fd, MINIKVM_GET_MSRS, sizeof(b.head), "GET_MSRS");
	test_efault(vcpu->fd, MINIKVM_SET_MSRS, sizeof(b.head), "SET_MSRS");
	head->nmsrs = 1;
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_MSRS, head), EFAULT,
		  "GET_MSRS, no memory behind the header");
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_MSRS, head), EFAULT,
		  "SET_MSRS, no memory behind the header");
}

static void test_short_count(struct vcpu *vcpu)
{
	static struct batch b;
	uint64_t value;

	vcpu_set_msr(vcpu, MSR_CSTAR, 0x1000);
	b.head.nmsrs = 3;
	b.entry[0] = (struct minikvm_msr_entry){ .index = MSR_LSTAR, .data = 0x2000 };
	b.entry[1] = (struct minikvm_msr_entry){ .index = MSR_NONE, .data = 1 };
	b.entry[2] = (struct minikvm_msr_entry){ .index = MSR_CSTAR, .data = 0x3000 };
	tap_eq(ioctl(vcpu->fd, MINIKVM_SET_MSRS, &b), 1,
	       "SET_MSRS stops at the MSR that does not exist");
	vcpu_get_msr(vcpu, MSR_LSTAR, &value);
	tap_eq(value, 0x2000, "the entry before it was written");
	vcpu_get_msr(vcpu, MSR_CSTAR, &value);
	tap_eq(value, 0x1000, "the entry after it was not");

	b.entry[0].data = b.entry[2].data = 0xdead;
	tap_eq(ioctl(vcpu->fd, MINIKVM_GET_MSRS, &b), 1,
	       "GET_MSRS stops at the MSR that does not exist");
	tap_eq(b.entry[0].data, 0x2000, "the entry before it was read");
	tap_eq(b.entry[2].data, 0xdead, "the entry after it was not touched");
}

static void test_values(struct vcpu *vcpu)
{
	static const struct {
		uint32_t index;
		uint64_t data;
		int done;
		const char *what;
	} cases[] = {
		{ MSR_STAR, 0xfedcba9876543210, 1, "STAR, any value" },
		{ MSR_SFMASK, 0x47700, 1, "SFMASK" },
		{ MSR_LSTAR, 0x00007fffffffffff, 1, "LSTAR, highest low address" },
		{ MSR_LSTAR, 0xffff800000000000, 1, "LSTAR, lowest high address" },
		{ MSR_LSTAR, NONCANONICAL, 0, "LSTAR, not canonical" },
		{ MSR_CSTAR, NONCANONICAL, 0, "CSTAR, not canonical" },
		{ MSR_FS_BASE, 0x123456789000, 1, "FS_BASE" },
		{ MSR_FS_BASE, NONCANONICAL, 0, "FS_BASE, not canonical" },
		{ MSR_GS_BASE, NONCANONICAL, 0, "GS_BASE, not canonical" },
		{ MSR_KERNEL_GS_BASE, 0xffff888000000000, 1, "KERNEL_GS_BASE" },
		{ MSR_KERNEL_GS_BASE, NONCANONICAL, 0,
		  "KERNEL_GS_BASE, not canonical" },
		{ MSR_SYSENTER_CS, 0x10, 1, "SYSENTER_CS" },
		{ MSR_PAT, 0x0606060606060606, 1, "PAT, all write-back" },
		{ MSR_PAT, 0x0606060606060602, 0, "PAT, reserved type 2" },
		{ MSR_PAT, 0x0806060606060606, 0, "PAT, reserved bits" },
		{ MSR_PAT, PAT_RESET, 1, "PAT, reset value" },
		{ MSR_MTRR_DEF_TYPE, 0xc06, 1, "MTRR_DEF_TYPE, on, write-back" },
		{ MSR_MTRR_DEF_TYPE, 0xc02, 0, "MTRR_DEF_TYPE, reserved type 2" },
		{ MSR_MTRR_DEF_TYPE, 0x1c06, 0, "MTRR_DEF_TYPE, reserved bit" },
		{ MSR_EFER, 0x100, 1, "EFER.LME" },
		{ MSR_EFER, 1ULL << 63, 0, "EFER, reserved bit 63" },
		{ MSR_EFER, 1ULL << 1, 0, "EFER, reserved bit 1" },
		{ MSR_EFER, 0, 1, "EFER, zero" },
		{ MSR_APICBASE, 0xfee00901, 0, "APIC_BASE, reserved bit 0" },
		{ MSR_APICBASE, 0xfee00500, 0, "APIC_BASE, x2APIC but disabled" },
		{ MSR_NONE, 0, 0, "an MSR that does not exist" },
	};
	uint64_t before, after;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		vcpu_get_msr(vcpu, cases[i].index, &before);
		tap_eq(vcpu_set_msr(vcpu, cases[i].index, cases[i].data),
		       cases[i].done, "SET_MSRS %s is %s", cases[i].what,
		       cases[i].done ? "accepted" : "refused");
		if (cases[i].index == MSR_NONE)
			continue;
		vcpu_get_msr(vcpu, cases[i].index, &after);
		tap_eq(after, cases[i].done ? cases[i].data : before,
		       "%s, value afterwards", cases[i].what);
	}
}

static void run_msr(struct vcpu *vcpu, uint32_t index, uint64_t value)
{
	struct minikvm_regs regs = {
		.rip = GUEST_CODE, .rflags = 2, .rcx = index,
		.rax = value & 0xffffffff, .rdx = value >> 32,
	};

	if (ioctl(vcpu->fd, MINIKVM_SET_REGS, &regs))
		tap_bail("SET_REGS: %s", strerror(errno));
}

static void test_guest(struct vm *vm, struct vcpu *vcpu)
{
	static const struct {
		uint32_t index;
		uint64_t data;
		const char *name;
	} same[] = {
		{ MSR_STAR, 0x0023001000000000, "STAR" },
		{ MSR_LSTAR, 0xffffffff81000000, "LSTAR" },
		{ MSR_SFMASK, 0x257fd5, "SFMASK" },
		{ MSR_FS_BASE, 0x00007f1234567000, "FS_BASE" },
		{ MSR_GS_BASE, 0x0000123400001000, "GS_BASE" },
		{ MSR_KERNEL_GS_BASE, 0xffff888001234000, "KERNEL_GS_BASE" },
		{ MSR_SYSENTER_CS, 0x33, "SYSENTER_CS" },
		{ MSR_PAT, 0x0406070001040506, "PAT" },
	};
	struct minikvm_regs regs;
	uint64_t value;
	size_t i;

	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	for (i = 0; i < ARRAY_SIZE(same); i++) {
		vm_load(vm, rdmsr_guest);
		vcpu_set_msr(vcpu, same[i].index, same[i].data);
		run_msr(vcpu, same[i].index, 0);
		vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest reads %s",
				 same[i].name);
		ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs);
		tap_eq((uint32_t)regs.rax | regs.rdx << 32, same[i].data,
		       "guest sees the %s that was set", same[i].name);
		vm_load(vm, wrmsr_guest);
		run_msr(vcpu, same[i].index, same[i].data ^ 0x1000);
		if (same[i].index == MSR_PAT)
			run_msr(vcpu, MSR_PAT, PAT_RESET);
		vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest writes %s",
				 same[i].name);
		vcpu_get_msr(vcpu, same[i].index, &value);
		tap_eq(value, same[i].index == MSR_PAT ? PAT_RESET :
		       same[i].data ^ 0x1000,
		       "userspace sees the %s the guest wrote", same[i].name);
	}
}

/* There is no handler in the guest, so that #GP becomes a triple fault. */
static void test_guest_gp(struct vm *vm, struct vcpu *vcpu)
{
	vm_load(vm, rdmsr_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	run_msr(vcpu, MSR_NONE, 0);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_SHUTDOWN,
			 "guest reads an MSR that does not exist: #GP");
	vm_load(vm, wrmsr_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	run_msr(vcpu, MSR_NONE, 0);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_SHUTDOWN,
			 "guest writes an MSR that does not exist: #GP");
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	run_msr(vcpu, MSR_PAT, 0x0606060606060602);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_SHUTDOWN,
			 "guest writes a reserved memory type: #GP");
	if (!cpu_is_intel()) {
		tap_skip("QEMU's AMD CPU takes addresses that are not canonical");
		return;
	}
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	run_msr(vcpu, MSR_LSTAR, NONCANONICAL);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_SHUTDOWN,
			 "guest writes an address that is not canonical: #GP");
}

int main(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_plan(0);
	test_counts(vcpu);
	test_short_count(vcpu);
	test_values(vcpu);
	test_guest(vm, vcpu);
	test_guest_gp(vm, vcpu);
	vm_free(vm);
	return tap_done();
}
