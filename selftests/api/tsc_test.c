// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of the time-stamp counter as userspace sees it: its frequency,
 * and that what is set by SET_MSRS is where the guest goes on counting.
 */
#include "api.h"

#define MSR_TSC		0x10
#define MSR_TSC_ADJUST	0x3b

GUEST_ASM(rdtsc_guest, 64,
	"1:	rdtsc\n"
	"	outb	%al, $0xe0\n"
	"	jmp	1b\n");

static uint64_t guest_tsc(struct vcpu *vcpu)
{
	struct minikvm_regs regs;

	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest reads its TSC");
	if (ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs))
		tap_bail("GET_REGS: %s", strerror(errno));
	return (uint32_t)regs.rax | regs.rdx << 32;
}

static void test_value(struct vcpu *vcpu, uint64_t start, const char *what)
{
	uint64_t first, second, seen;

	tap_eq(vcpu_set_msr(vcpu, MSR_TSC, start), 1, "%s: TSC is set", what);
	first = guest_tsc(vcpu);
	second = guest_tsc(vcpu);
	/* A minute of a fast CPU is a generous bound for a test this short. */
	tap_ok(first >= start && first - start < 300000000000ULL,
	       "%s: the guest counts on from there", what);
	tap_ok(second > first, "%s: and upwards", what);
	tap_eq(vcpu_get_msr(vcpu, MSR_TSC, &seen), 1, "%s: TSC is read", what);
	tap_ok(seen > second && seen - second < 300000000000ULL,
	       "%s: userspace sees the same counter", what);
}

int main(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);
	uint64_t adjust;
	int khz;

	tap_plan(0);
	if (dev_check_extension(vm->dev_fd, MINIKVM_CAP_GET_TSC_KHZ)) {
		khz = ioctl(vcpu->fd, MINIKVM_GET_TSC_KHZ, 0);
		tap_ok(khz > 1000, "GET_TSC_KHZ: %d kHz", khz);
	} else {
		tap_skip("no capability GET_TSC_KHZ");
	}
	vm_load(vm, rdtsc_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	test_value(vcpu, 0x0000100000000000, "far ahead");
	test_value(vcpu, 0x0000200000000000, "further ahead");
	test_value(vcpu, 1000, "back near zero");

	/* Userspace restores TSC_ADJUST without moving the TSC. */
	tap_eq(vcpu_set_msr(vcpu, MSR_TSC_ADJUST, 0x123456789), 1,
	       "TSC_ADJUST is set");
	tap_eq(vcpu_get_msr(vcpu, MSR_TSC_ADJUST, &adjust), 1,
	       "TSC_ADJUST is read");
	tap_eq(adjust, 0x123456789, "TSC_ADJUST is as set");
	vm_free(vm);
	return tap_done();
}
