// SPDX-License-Identifier: GPL-2.0
/*
 * Owns EXIT_FAIL_ENTRY: what userspace is told when the CPU refuses the guest state it made, and
 * that the vCPU runs on with a state that is right. mini-KVM also names the check that failed,
 * behind what KVM fills in.
 */
#include "api.h"
#include "minikvm_inspect.h"

#define INVALID_GUEST_STATE	0x80000021

GUEST_ASM(hello, 32,
	"	movl	$42, %eax\n"
	"	outb	%al, $0xe0\n");

/* Each differs from a state that is right in one thing. */
static void bad_ss_type(struct minikvm_sregs *s) { s->ss.type = 1; }
static void bad_tr_type(struct minikvm_sregs *s) { s->tr.type = 2; }
static void bad_ds_kind(struct minikvm_sregs *s) { s->ds.s = 0; }

static void test_refused(struct vcpu *vcpu, const struct minikvm_sregs *good,
			 void (*spoil)(struct minikvm_sregs *), const char *rule)
{
	const struct minikvm_failed_entry *why = (void *)vcpu->run->padding;
	struct minikvm_sregs bad = *good;

	spoil(&bad);
	memset(vcpu->run->padding, 0, sizeof(vcpu->run->padding));
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SREGS, &bad), 0, "%s: set", rule);
	tap_errno(ioctl(vcpu->fd, MINIKVM_RUN, 0), 0, "%s: RUN returns", rule);
	tap_eq(vcpu->run->exit_reason, MINIKVM_EXIT_FAIL_ENTRY, "%s: the entry failed", rule);
	tap_eq(vcpu->run->fail_entry.hardware_entry_failure_reason, INVALID_GUEST_STATE,
	       "%s: for the guest state", rule);
	if (why->magic == MINIKVM_FAILED_ENTRY_MAGIC)
		tap_ok(!strcmp(why->rule, rule) &&
		       !strcmp(why->section, "Checks on Guest Segment Registers"),
		       "%s: is named (%.48s)", rule, why->rule);
	else
		tap_ok(!why->magic && getenv("DEV"), "%s: KVM leaves the rest alone", rule);
}

int main(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);
	struct minikvm_sregs good;

	vm_load(vm, hello);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	if (ioctl(vcpu->fd, MINIKVM_GET_SREGS, &good))
		tap_bail("GET_SREGS");
	test_refused(vcpu, &good, bad_ss_type, "guest-ss-type");
	test_refused(vcpu, &good, bad_tr_type, "guest-tr-type");
	test_refused(vcpu, &good, bad_ds_kind, "guest-ds-segment");
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SREGS, &good), 0, "a state that is right again");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "the guest runs");
	tap_eq(vcpu_io_value(vcpu), 42, "and says 42");
	vm_free(vm);
	return tap_done();
}
