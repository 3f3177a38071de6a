// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of GET_REGS, SET_REGS, GET_FPU and SET_FPU: nothing is lost on
 * the way in or out, and the guest computes with what was set.
 */
#include "api.h"

/* Changes every general register; the other one the FPU, in two steps. */
GUEST_ASM(regs_guest, 64,
	"	notq	%rax\n	notq	%rbx\n	notq	%rcx\n	notq	%rdx\n"
	"	notq	%rsi\n	notq	%rdi\n	notq	%rbp\n	notq	%rsp\n"
	"	notq	%r8\n	notq	%r9\n	notq	%r10\n	notq	%r11\n"
	"	notq	%r12\n	notq	%r13\n	notq	%r14\n	notq	%r15\n"
	"	outb	%al, $0xe0\n");
GUEST_ASM(fpu_guest, 64,
	"	fld1\n"
	"	pcmpeqd	%xmm0, %xmm0\n"
	"	outb	%al, $0xe0\n"
	"	paddq	%xmm15, %xmm0\n"
	"	movdqa	%xmm0, %xmm7\n"
	"	fld1\n"
	"	outb	%al, $0xe0\n");

static void fill_regs(struct minikvm_regs *regs)
{
	__u64 *r = &regs->rax;
	unsigned int i;

	memset(regs, 0, sizeof(*regs));
	for (i = 0; i < 16; i++)
		r[i] = 0x0123456789abcdefULL * (i + 1);
	regs->rip = GUEST_CODE;
	regs->rflags = 2;
}

static void test_regs(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_regs set, get;
	__u64 *s = &set.rax, *g = &get.rax;
	unsigned int i, good = 0;

	fill_regs(&set);
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_REGS, &set), 0, "SET_REGS");
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_REGS, &get), 0, "GET_REGS");
	tap_ok(!memcmp(&set, &get, sizeof(set)), "every register is as set");

	vm_load(vm, regs_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	ioctl(vcpu->fd, MINIKVM_SET_REGS, &set);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest inverts every register");
	ioctl(vcpu->fd, MINIKVM_GET_REGS, &get);
	for (i = 0; i < 16; i++)
		good += g[i] == ~s[i];
	tap_eq(good, 16, "GET_REGS returns the guest's values");

	set.rflags = 0;
	ioctl(vcpu->fd, MINIKVM_SET_REGS, &set);
	ioctl(vcpu->fd, MINIKVM_GET_REGS, &get);
	tap_eq(get.rflags, 2, "RFLAGS bit 1 cannot be cleared");
	set.rflags = 0x246cd7;
	set.rip = 0xffffffff80001234;
	ioctl(vcpu->fd, MINIKVM_SET_REGS, &set);
	ioctl(vcpu->fd, MINIKVM_GET_REGS, &get);
	tap_eq(get.rflags, 0x246cd7, "RFLAGS is as set");
	tap_eq(get.rip, 0xffffffff80001234, "RIP is as set, in all its bits");
	test_efault(vcpu->fd, MINIKVM_GET_REGS, sizeof(get), "GET_REGS");
	test_efault(vcpu->fd, MINIKVM_SET_REGS, sizeof(set), "SET_REGS");
}

static void test_fpu(struct vm *vm, struct vcpu *vcpu)
{
	/* 1.0 in the 80-bit format */
	static const uint8_t one[10] = { 0, 0, 0, 0, 0, 0, 0, 0x80, 0xff, 0x3f };
	struct minikvm_fpu set, get;
	uint64_t a[2], b[2], sum[2];
	unsigned int i;

	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_FPU, &get), 0, "GET_FPU");
	tap_eq(get.fcw, 0x37f, "FCW starts as FNINIT leaves it");
	/*
	 * KVM forgets what SET_FPU set where the guest's FPU is in its initial
	 * state: in XSTATE_BV the components then still count as initial.
	 */
	vm_load(vm, fpu_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest uses its FPU");
	memset(&set, 0, sizeof(set));
	set.fcw = 0x27f;
	set.fsw = 0x1800;	/* top of stack is register 3 */
	set.ftwx = 0xf8;
	set.last_opcode = 0x123;
	set.last_ip = 0x12345678;
	set.last_dp = 0x87654321;
	set.mxcsr = 0x1f80;
	for (i = 0; i < sizeof(set.xmm); i++)
		set.xmm[i / 16][i % 16] = (uint8_t)(i * 7 + 1);
	for (i = 0; i < 8; i++)
		memset(set.fpr[i], (int)(0x10 + i), 10);
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_FPU, &set), 0, "SET_FPU");
	memset(&get, 0xff, sizeof(get));
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_FPU, &get), 0, "GET_FPU again");
	tap_ok(!memcmp(set.xmm, get.xmm, sizeof(set.xmm)), "XMM is as set");
	tap_ok(!memcmp(set.fpr, get.fpr, sizeof(set.fpr)), "ST is as set");
	tap_eq(get.fcw, 0x27f, "FCW is as set");
	tap_eq(get.fsw, 0x1800, "FSW is as set");
	tap_eq(get.ftwx, 0xf8, "the tag word is as set");
	tap_eq(get.last_opcode, 0x123, "the last opcode is as set");
	tap_eq(get.last_ip, 0x12345678, "the last IP is as set");
	tap_eq(get.last_dp, 0x87654321, "the last data pointer is as set");

	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest computes");
	ioctl(vcpu->fd, MINIKVM_GET_FPU, &get);
	memcpy(a, set.xmm[0], 16);
	memcpy(b, set.xmm[15], 16);
	sum[0] = a[0] + b[0];
	sum[1] = a[1] + b[1];
	tap_ok(!memcmp(get.xmm[0], sum, 16), "XMM0 is the sum");
	tap_ok(!memcmp(get.xmm[7], sum, 16), "XMM7 is its copy");
	tap_ok(!memcmp(get.xmm[1], set.xmm[1], 16), "XMM1 is untouched");
	tap_ok(!memcmp(get.fpr[0], one, 10), "ST0 is 1.0");
	tap_eq(get.fsw & 0x3800, 0x1000, "the top of the stack moved by one");
	test_efault(vcpu->fd, MINIKVM_GET_FPU, sizeof(get), "GET_FPU");
	test_efault(vcpu->fd, MINIKVM_SET_FPU, sizeof(set), "SET_FPU");
}

int main(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_plan(0);
	test_regs(vm, vcpu);
	test_fpu(vm, vcpu);
	vm_free(vm);
	return tap_done();
}
