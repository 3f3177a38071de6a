// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of X86_SET_MSR_FILTER and of the exits for MSRs that userspace
 * answers: which filters are refused, which accesses a filter denies, what the
 * exit says, and how userspace's answer reaches the guest.
 */
#include "api.h"

#define MSR_TSC			0x10
#define MSR_SYSENTER_CS		0x174
#define MSR_PAT			0x277
#define MSR_STAR		0xc0000081
#define MSR_FS_BASE		0xc0000100
#define MSR_NONE		0x0badcafe	/* no CPU has it */

#define ALL_REASONS	(MINIKVM_MSR_EXIT_REASON_INVAL | MINIKVM_MSR_EXIT_REASON_UNKNOWN | \
			 MINIKVM_MSR_EXIT_REASON_FILTER)
#define READ		MINIKVM_MSR_FILTER_READ
#define WRITE		MINIKVM_MSR_FILTER_WRITE
#define ALLOW		MINIKVM_MSR_FILTER_DEFAULT_ALLOW
#define DENY		MINIKVM_MSR_FILTER_DEFAULT_DENY

/* RCX selects the MSR, RAX and RDX are as left by the test. */
GUEST_ASM(rdmsr_guest, 64,
	"	rdmsr\n"
	"	outb	%al, $0xe0\n"
	"	hlt\n");
GUEST_ASM(wrmsr_guest, 64,
	"	wrmsr\n"
	"	outb	%al, $0xe0\n"
	"	hlt\n");

static uint8_t bits[0x1000];

static int set_filter(struct vm *vm, uint32_t flags, struct minikvm_msr_filter_range r)
{
	struct minikvm_msr_filter f = { .flags = flags, .ranges[0] = r };

	return ioctl(vm->fd, MINIKVM_X86_SET_MSR_FILTER, &f);
}

#define RANGE(...)	((struct minikvm_msr_filter_range){ __VA_ARGS__ })

static int enable_cap(int fd, uint32_t cap, uint64_t arg)
{
	struct minikvm_enable_cap e = { .cap = cap, .args = { arg } };

	return ioctl(fd, MINIKVM_ENABLE_CAP, &e);
}

static void test_bad_filters(struct vm *vm)
{
	test_efault(vm->fd, MINIKVM_X86_SET_MSR_FILTER, sizeof(struct minikvm_msr_filter),
		    "X86_SET_MSR_FILTER");
	tap_errno(set_filter(vm, 2, RANGE()), EINVAL, "unknown flag of the filter");
	tap_errno(set_filter(vm, DENY, RANGE()), EINVAL, "deny everything");
	tap_errno(set_filter(vm, ALLOW, RANGE(.nmsrs = 1, .bitmap = bits)), EINVAL,
		  "a range for neither reads nor writes");
	tap_errno(set_filter(vm, ALLOW, RANGE(4, 1, 0, bits)), EINVAL, "unknown flag of a range");
	tap_errno(set_filter(vm, ALLOW, RANGE(READ | 4, 1, 0, bits)), EINVAL,
		  "unknown flag of a range beside a known one");
	tap_errno(set_filter(vm, ALLOW, RANGE(READ, 0x600 * 8 + 1, 0, bits)), EINVAL,
		  "a bitmap of more than 1536 bytes");
	tap_errno(set_filter(vm, ALLOW, RANGE(READ, 0xffffffff, 0, bits)), EINVAL,
		  "a bitmap of 512 MiB");
	tap_errno(set_filter(vm, ALLOW, RANGE(READ, 1, 0, BAD_PTR)), EFAULT, "no bitmap there");
	tap_errno(set_filter(vm, ALLOW, RANGE(READ, 65, 0, page_end(8))), EFAULT,
		  "a bitmap that ends too early");
	tap_errno(set_filter(vm, ALLOW, RANGE(4, 0, 0, BAD_PTR)), 0,
		  "a range of no MSRs is not looked at");
	tap_errno(set_filter(vm, ALLOW, RANGE(READ | WRITE, 0x600 * 8, 0xfffffff0, bits)), 0,
		  "a range that would wrap");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_X86_USER_SPACE_MSR, 8), EINVAL,
		  "exits for an unknown reason");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_X86_USER_SPACE_MSR, 1ull << 32), EINVAL,
		  "exits for an unknown reason in the upper half");
}

static void start(struct vcpu *vcpu, uint32_t msr, uint64_t value)
{
	struct minikvm_regs regs = {
		.rip = GUEST_CODE, .rflags = 2, .rcx = msr,
		.rax = value & 0xffffffff, .rdx = value >> 32,
	};

	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	if (ioctl(vcpu->fd, MINIKVM_SET_REGS, &regs))
		tap_bail("SET_REGS: %s", strerror(errno));
}

static void expect_msr_exit(struct vcpu *vcpu, uint32_t reason, uint32_t why, uint32_t msr,
			    uint64_t data, const char *what)
{
	if (!vcpu_expect_exit(vcpu, reason, "%s: exit", what))
		return;
	tap_eq(vcpu->run->msr.reason, why, "%s: reason", what);
	tap_eq(vcpu->run->msr.index, msr, "%s: MSR", what);
	tap_eq(vcpu->run->msr.data, data, "%s: data", what);
	tap_eq(vcpu->run->msr.error, 0, "%s: no error yet", what);
}

static uint64_t edx_eax(struct vcpu *vcpu)
{
	struct minikvm_regs regs;

	if (ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs))
		tap_bail("GET_REGS: %s", strerror(errno));
	return (uint32_t)regs.rax | regs.rdx << 32;
}

static void test_answers(struct vm *vm, struct vcpu *vcpu)
{
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_X86_USER_SPACE_MSR, ALL_REASONS), 0,
		  "userspace answers whatever is refused");
	vm_load(vm, rdmsr_guest);
	start(vcpu, MSR_NONE, 0);
	expect_msr_exit(vcpu, MINIKVM_EXIT_X86_RDMSR, MINIKVM_MSR_EXIT_REASON_UNKNOWN, MSR_NONE, 0,
			"reading an MSR that does not exist");
	vcpu->run->msr.data = 0x1122334455667788;
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "the guest goes on");
	tap_eq(edx_eax(vcpu), 0x1122334455667788, "with userspace's value");

	start(vcpu, MSR_NONE, 0);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_X86_RDMSR, "once more");
	vcpu->run->msr.error = 1;
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_SHUTDOWN, "userspace refuses: #GP");

	vm_load(vm, wrmsr_guest);
	start(vcpu, MSR_NONE, 0x8877665544332211);
	expect_msr_exit(vcpu, MINIKVM_EXIT_X86_WRMSR, MINIKVM_MSR_EXIT_REASON_UNKNOWN, MSR_NONE,
			0x8877665544332211, "writing an MSR that does not exist");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "the guest goes on");
	start(vcpu, MSR_PAT, 0x0202020202020202);
	expect_msr_exit(vcpu, MINIKVM_EXIT_X86_WRMSR, MINIKVM_MSR_EXIT_REASON_INVAL, MSR_PAT,
			0x0202020202020202, "writing a reserved memory type");
	vcpu->run->msr.error = 1;
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_SHUTDOWN, "userspace refuses: #GP");

	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_X86_USER_SPACE_MSR,
			     MINIKVM_MSR_EXIT_REASON_FILTER), 0, "userspace answers the filter only");
	start(vcpu, MSR_PAT, 0x0202020202020202);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_SHUTDOWN, "a reserved memory type is #GP again");
	start(vcpu, MSR_NONE, 0);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_SHUTDOWN, "so is an MSR that does not exist");
}

/* One access after the other, under one filter. */
static void test_access(struct vm *vm, struct vcpu *vcpu, bool write, uint32_t msr, bool denied,
			const char *what)
{
	uint64_t value = 0;

	if (write)
		vm_load(vm, wrmsr_guest);
	else
		vm_load(vm, rdmsr_guest);
	vcpu_get_msr(vcpu, msr, &value);
	start(vcpu, msr, value);
	if (denied)
		expect_msr_exit(vcpu, write ? MINIKVM_EXIT_X86_WRMSR : MINIKVM_EXIT_X86_RDMSR,
				MINIKVM_MSR_EXIT_REASON_FILTER, msr, write ? value : 0, what);
	/* The instruction is finished by the next RUN: not the next test's. */
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "%s: %s", what,
			 denied ? "userspace did it" : "allowed");
}

static void test_filter(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_msr_filter f = { .ranges = {
		RANGE(READ, 1, MSR_FS_BASE, (uint8_t[8]){ 0 }),
		RANGE(WRITE, 2, MSR_SYSENTER_CS, (uint8_t[8]){ 2 }),
		/* The first range that covers an access decides. */
		RANGE(READ | WRITE, 16, MSR_FS_BASE, bits),
		RANGE(READ, 1, MSR_SYSENTER_CS, (uint8_t[8]){ 1 }),
	} };
	uint64_t v;

	memset(bits, 0xff, sizeof(bits));
	tap_errno(ioctl(vm->fd, MINIKVM_X86_SET_MSR_FILTER, &f), 0, "deny three accesses");
	test_access(vm, vcpu, false, MSR_FS_BASE, true, "reading FS_BASE");
	test_access(vm, vcpu, true, MSR_FS_BASE, false, "writing FS_BASE");
	test_access(vm, vcpu, false, MSR_SYSENTER_CS, false, "reading SYSENTER_CS");
	test_access(vm, vcpu, true, MSR_SYSENTER_CS, true, "writing SYSENTER_CS");
	test_access(vm, vcpu, true, MSR_SYSENTER_CS + 1, false, "writing SYSENTER_ESP");
	test_access(vm, vcpu, false, MSR_STAR, false, "reading STAR, in no range,");
	tap_eq(vcpu_get_msr(vcpu, MSR_FS_BASE, &v), 1, "userspace may read what the guest may not");

	f.flags = DENY;
	tap_errno(ioctl(vm->fd, MINIKVM_X86_SET_MSR_FILTER, &f), 0, "... and everything else");
	test_access(vm, vcpu, false, MSR_STAR, true, "reading STAR, in no range");
	test_access(vm, vcpu, false, MSR_TSC, true, "reading the TSC");
	test_access(vm, vcpu, true, MSR_FS_BASE, false, "writing FS_BASE");
	test_access(vm, vcpu, true, MSR_SYSENTER_CS + 1, false, "writing SYSENTER_ESP");

	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_X86_USER_SPACE_MSR, 0), 0, "no exits");
	vm_load(vm, rdmsr_guest);
	start(vcpu, MSR_FS_BASE, 0);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_SHUTDOWN, "what the filter denies is #GP");

	tap_errno(set_filter(vm, ALLOW, RANGE()), 0, "allow everything again");
	start(vcpu, MSR_FS_BASE, 0);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "reading FS_BASE is allowed again");
}

int main(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu;

	if (!dev_check_extension(vm->fd, MINIKVM_CAP_X86_MSR_FILTER))
		tap_skip_all("no capability X86_MSR_FILTER");
	tap_plan(0);
	test_bad_filters(vm);
	vcpu = vm_add_vcpu(vm, 0);
	test_answers(vm, vcpu);
	test_filter(vm, vcpu);
	vm_free(vm);
	return tap_done();
}
