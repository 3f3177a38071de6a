// SPDX-License-Identifier: GPL-2.0
/*
 * Owns what an instruction that cannot be emulated leads to: what userspace is
 * told in ring 0 and in ring 3, and EXIT_ON_EMULATION_FAILURE.
 */
#include "api.h"

#define SEL_USER_DATA	0x13		/* the flat segments, as ring 3 has them */
#define FLAG_BYTES	MINIKVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES

/* PMULLD with a memory operand: no emulator knows it. */
GUEST_ASM(pmulld_guest, 64,
	"	pmulld	0x50000000, %xmm0\n"
	"	hlt\n"
	"	.org	pmulld_guest + 0x40, 0x90\n"
	"	outb	%al, $0x10\n"		/* 8040: the handler of #UD */
	"	hlt\n");

static const uint8_t insn[] = { 0x66, 0x0f, 0x38, 0x40, 0x04, 0x25, 0, 0, 0, 0x50, 0xf4 };

static void start(struct vm *vm, struct vcpu *vcpu, bool user)
{
	uint64_t *gate = vm_hva(vm, GUEST_IDT + 16 * 6);
	struct minikvm_sregs sregs;

	vm_load(vm, pmulld_guest);
	gate[0] = 0x8040 | (uint64_t)GUEST_SEL_CODE64 << 16 | 0x8eULL << 40;
	gate[1] = 0;
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	if (ioctl(vcpu->fd, MINIKVM_GET_SREGS, &sregs))
		tap_bail("GET_SREGS: %s", strerror(errno));
	sregs.cr4 |= 1 << 9;			/* OSFXSR */
	if (user) {
		sregs.cs.dpl = 3;
		sregs.cs.selector |= 3;
		sregs.ss.dpl = 3;
		sregs.ss.selector = SEL_USER_DATA;
		/* Where the handler's stack is. */
		*(uint64_t *)((char *)vm_hva(vm, GUEST_TSS) + 4) = GUEST_STACK_TOP(0);
	}
	if (ioctl(vcpu->fd, MINIKVM_SET_SREGS, &sregs))
		tap_bail("SET_SREGS: %s", strerror(errno));
}

static void check_report(struct vcpu *vcpu, const char *what)
{
	struct minikvm_run *run = vcpu->run;
	uint64_t reason;

	if (!vcpu_expect_exit(vcpu, MINIKVM_EXIT_INTERNAL_ERROR, "%s: an internal error", what))
		return;
	tap_eq(run->internal.suberror, MINIKVM_INTERNAL_ERROR_EMULATION, "%s: emulation", what);
	tap_eq(run->emulation_failure.flags, FLAG_BYTES, "%s: there are bytes", what);
	tap_eq(run->internal.ndata, 8, "%s: eight words of data", what);
	tap_ok(run->emulation_failure.insn_size >= sizeof(insn) &&
	       !memcmp(run->emulation_failure.insn_bytes, insn, sizeof(insn)),
	       "%s: the instruction", what);
	reason = run->internal.data[3];
	if (cpu_is_intel())
		tap_ok(reason == 48 || reason == 49, "%s: of an EPT exit", what);
	else
		tap_eq(reason, 0x400, "%s: of a nested page fault", what);
	tap_eq(run->internal.data[5], 0, "%s: no event was under way", what);
}

static void test_kernel(struct vm *vm, struct vcpu *vcpu)
{
	start(vm, vcpu, false);
	check_report(vcpu, "ring 0");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "run again, the guest gets #UD");
	tap_eq(vcpu->run->io.port, 0x10, "its handler runs");
}

static void test_user(struct vm *vm, struct vcpu *vcpu)
{
	start(vm, vcpu, true);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "ring 3 gets #UD at once");
	tap_eq(vcpu->run->io.port, 0x10, "its handler runs");
}

static void test_cap(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_enable_cap cap = { .cap = MINIKVM_CAP_EXIT_ON_EMULATION_FAILURE };
	struct minikvm_regs regs;

	tap_eq(dev_check_extension(vm->fd, cap.cap), 1, "the capability");
	cap.args[0] = 2;
	tap_errno(ioctl(vm->fd, MINIKVM_ENABLE_CAP, &cap), EINVAL, "ENABLE_CAP with 2");
	cap.args[0] = 1;
	cap.flags = 1;
	tap_errno(ioctl(vm->fd, MINIKVM_ENABLE_CAP, &cap), EINVAL, "ENABLE_CAP with flags");
	cap.flags = 0;
	tap_errno(ioctl(vm->fd, MINIKVM_ENABLE_CAP, &cap), 0, "ENABLE_CAP");
	start(vm, vcpu, true);
	check_report(vcpu, "ring 3, enabled");
	/* No exception waits: userspace may go on behind the instruction. */
	ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs);
	tap_eq(regs.rip, GUEST_CODE, "RIP is at the instruction");
	check_report(vcpu, "ring 3, again");
	cap.args[0] = 0;
	tap_errno(ioctl(vm->fd, MINIKVM_ENABLE_CAP, &cap), 0, "and off");
	test_user(vm, vcpu);
}

int main(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_plan(0);
	test_kernel(vm, vcpu);
	test_user(vm, vcpu);
	test_cap(vm, vcpu);
	vm_free(vm);
	return tap_done();
}
