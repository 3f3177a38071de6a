// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of registers in the run page: which classes there are, when
 * they are loaded and stored, and what a class that cannot be loaded does.
 */
#include "api.h"

#define ALL	(MINIKVM_SYNC_X86_REGS | MINIKVM_SYNC_X86_SREGS | MINIKVM_SYNC_X86_EVENTS)

/* Counts in RBX, one exit each. */
GUEST_ASM(count_guest, 64,
	"1:	outb	%al, $0x10\n"
	"	incq	%rbx\n"
	"	jmp	1b\n");

static void refused(struct vcpu *vcpu, uint64_t valid, uint64_t dirty, const char *what)
{
	struct minikvm_regs before, after;

	ioctl(vcpu->fd, MINIKVM_GET_REGS, &before);
	vcpu->run->kvm_valid_regs = valid;
	vcpu->run->kvm_dirty_regs = dirty;
	tap_eq(vcpu_run(vcpu), -EINVAL, "%s", what);
	ioctl(vcpu->fd, MINIKVM_GET_REGS, &after);
	tap_ok(!memcmp(&before, &after, sizeof(after)), "%s: the guest did not run", what);
	vcpu->run->kvm_valid_regs = 0;
	vcpu->run->kvm_dirty_regs = 0;
}

static void test_store(struct vcpu *vcpu)
{
	struct minikvm_sync_regs *sync = &vcpu->run->s.regs;
	struct minikvm_vcpu_events events;
	struct minikvm_sregs sregs;
	struct minikvm_regs regs;

	/* KVM leaves padding, and bits of interrupt_bitmap, as they are. */
	memset(sync, 0, sizeof(*sync));
	vcpu->run->kvm_valid_regs = ALL;
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "RUN with all classes valid");
	ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs);
	ioctl(vcpu->fd, MINIKVM_GET_SREGS, &sregs);
	ioctl(vcpu->fd, MINIKVM_GET_VCPU_EVENTS, &events);
	tap_ok(!memcmp(&regs, &sync->regs, sizeof(regs)), "REGS as GET_REGS has them");
	tap_ok(!memcmp(&sregs, &sync->sregs, sizeof(sregs)), "SREGS as GET_SREGS has them");
	tap_ok(!memcmp(&events, &sync->events, sizeof(events)),
	       "EVENTS as GET_VCPU_EVENTS has them");

	sync->regs.rbx = 0xeeeeeeeeeeeeeeee;
	sync->sregs.cr0 = 0;
	vcpu->run->kvm_valid_regs = MINIKVM_SYNC_X86_SREGS;
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "RUN with SREGS valid");
	tap_ok(sync->regs.rbx == 0xeeeeeeeeeeeeeeee && sync->sregs.cr0 == sregs.cr0,
	       "only SREGS is stored");
	memset(&sync->regs, 0xee, sizeof(sync->regs));
	vcpu->run->kvm_valid_regs = MINIKVM_SYNC_X86_REGS;
	vcpu->run->immediate_exit = 1;
	tap_eq(vcpu_run(vcpu), -EINTR, "immediate_exit");
	ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs);
	tap_ok(!memcmp(&regs, &sync->regs, sizeof(regs)), "registers are stored on an error, too");
	vcpu->run->immediate_exit = 0;
	vcpu->run->kvm_valid_regs = 0;
}

static void test_load(struct vcpu *vcpu)
{
	struct minikvm_sync_regs *sync = &vcpu->run->s.regs;
	struct minikvm_regs regs;
	struct minikvm_sregs sregs;

	vcpu->run->kvm_valid_regs = ALL;
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "RUN to fill the page");
	sync->regs.rbx = 0x1000;
	sync->sregs.cr8 = 5;
	vcpu->run->cr8 = 5;
	vcpu->run->kvm_dirty_regs = MINIKVM_SYNC_X86_REGS | MINIKVM_SYNC_X86_SREGS;
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "RUN with REGS and SREGS dirty");
	tap_eq(vcpu->run->kvm_dirty_regs, 0, "they are dirty no more");
	tap_eq(sync->regs.rbx, 0x1001, "the guest went on with them");
	tap_eq(sync->sregs.cr8, 5, "SREGS, too");

	sync->regs.rbx = 0x2000;
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "RUN with nothing dirty");
	tap_eq(sync->regs.rbx, 0x1002, "what is not dirty is not loaded");

	/* REGS is loaded, then SREGS refused. */
	ioctl(vcpu->fd, MINIKVM_GET_SREGS, &sregs);
	sync->regs.rbx = 0x3000;
	sync->sregs.cr4 |= 1ULL << 31;
	vcpu->run->kvm_dirty_regs = ALL;
	tap_eq(vcpu_run(vcpu), -EINVAL, "SREGS that no CPU can have");
	tap_eq(vcpu->run->kvm_dirty_regs, MINIKVM_SYNC_X86_SREGS | MINIKVM_SYNC_X86_EVENTS,
	       "what was loaded before is dirty no more");
	ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs);
	tap_eq(regs.rbx, 0x3000, "and is loaded");
	vcpu->run->s.regs.sregs = sregs;
	sync->events.flags = ~0u;
	vcpu->run->kvm_dirty_regs = MINIKVM_SYNC_X86_EVENTS;
	tap_eq(vcpu_run(vcpu), -EINVAL, "events with unknown flags");
	vcpu->run->kvm_dirty_regs = 0;
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "and it runs on");
}

int main(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_plan(0);
	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_SYNC_REGS), ALL, "the classes there are");
	vm_load(vm, count_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	refused(vcpu, 1ULL << 3, 0, "an unknown class valid");
	refused(vcpu, ALL | 1ULL << 63, 0, "an unknown and all known classes valid");
	refused(vcpu, 0, 1ULL << 31, "an unknown class dirty");
	refused(vcpu, 0, ALL | 1ULL << 31, "an unknown and all known classes dirty");
	test_store(vcpu);
	test_load(vcpu);
	vm_free(vm);
	return tap_done();
}
