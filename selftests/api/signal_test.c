// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of leaving RUN early: signals, SET_SIGNAL_MASK and
 * immediate_exit.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#include "api.h"

static volatile int handled;

static void on_signal(int sig)
{
	(void)sig;
	handled++;
}

/* The kernel's sigset_t is 64 bits; glibc's is larger. */
static int set_mask(struct vcpu *vcpu, uint64_t blocked, uint32_t len)
{
	struct {
		struct minikvm_signal_mask head;
		uint8_t set[8];
	} arg = { .head.len = len };

	memcpy(arg.head.sigset, &blocked, sizeof(blocked));
	return ioctl(vcpu->fd, MINIKVM_SET_SIGNAL_MASK, &arg);
}

static bool is_pending(int sig)
{
	sigset_t set;

	sigpending(&set);
	return sigismember(&set, sig);
}

static void test_arguments(struct vcpu *vcpu)
{
	struct minikvm_signal_mask *head = page_end(sizeof(*head));

	tap_errno(set_mask(vcpu, 0, 8), 0, "SET_SIGNAL_MASK");
	tap_errno(set_mask(vcpu, 0, 4), EINVAL, "mask of 4 bytes");
	tap_errno(set_mask(vcpu, 0, 16), EINVAL, "mask of 16 bytes");
	tap_errno(set_mask(vcpu, 0, 0), EINVAL, "mask of 0 bytes");
	tap_errno(set_mask(vcpu, 0, 0xffffffff), EINVAL, "mask of 2^32-1 bytes");
	test_efault(vcpu->fd, MINIKVM_SET_SIGNAL_MASK, sizeof(*head),
		    "SET_SIGNAL_MASK");
	head->len = 8;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SIGNAL_MASK, head), EFAULT,
		  "SET_SIGNAL_MASK, no memory behind the header");
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SIGNAL_MASK, NULL), 0,
		  "a null pointer takes the mask away");
}

/* A timer interrupts a guest that makes no exit of its own. */
static void test_signal(struct vm *vm, struct vcpu *vcpu)
{
	struct itimerval timer = { { 0, 0 }, { 0, 20000 } };
	unsigned int i;

	vm_load(vm, spin_guest);
	vcpu_set_mode(vcpu, GUEST_PROT, GUEST_CODE);
	for (i = 0; i < 3; i++) {
		vcpu->run->exit_reason = MINIKVM_EXIT_IO;
		handled = 0;
		setitimer(ITIMER_REAL, &timer, NULL);
		tap_eq(vcpu_run(vcpu), -EINTR, "a signal ends RUN");
		tap_eq(vcpu->run->exit_reason, MINIKVM_EXIT_INTR,
		       "the exit reason is INTR");
		tap_eq(handled, 1, "the handler ran");
	}
}

static void test_mask(struct vm *vm, struct vcpu *vcpu)
{
	struct timespec none = { 0, 0 };
	sigset_t usr1, old;

	irq_guest_load(vm);
	vcpu_set_mode(vcpu, GUEST_REAL, GUEST_CODE);
	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	pthread_sigmask(SIG_BLOCK, &usr1, &old);
	handled = 0;
	pthread_kill(pthread_self(), SIGUSR1);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO,
			 "a pending but blocked signal does not end RUN");

	tap_errno(set_mask(vcpu, 0, 8), 0, "nothing blocked while RUN runs");
	tap_eq(vcpu_run(vcpu), -EINTR, "the pending signal ends RUN");
	tap_eq(vcpu->run->exit_reason, MINIKVM_EXIT_INTR, "exit reason is INTR");
	tap_ok(is_pending(SIGUSR1) && !handled,
	       "the signal is still pending, no handler ran");
	tap_eq(vcpu_run(vcpu), -EINTR, "it ends the next RUN too");
	tap_errno(sigtimedwait(&usr1, NULL, &none), 0, "userspace takes it");
	tap_ok(!is_pending(SIGUSR1), "now it is gone");

	tap_errno(set_mask(vcpu, 1ULL << (SIGUSR1 - 1), 8), 0,
		  "SIGUSR1 blocked while RUN runs");
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_sigmask(SIG_BLOCK, NULL, &old);
	tap_ok(!sigismember(&old, SIGUSR1), "the thread's own mask is untouched");
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SIGNAL_MASK, NULL), 0,
		  "the mask is taken away");
}

/* immediate_exit completes what is open and enters no guest. */
static void test_immediate_exit(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_run *run = vcpu->run;
	struct minikvm_regs regs;
	unsigned int i;

	GUEST_ASM(in_guest, 16,
		"	inb	$0xe0, %al\n"
		"	outb	%al, $0xe1\n"
		"	hlt\n");

	vm_load(vm, in_guest);
	vcpu_set_mode(vcpu, GUEST_REAL, GUEST_CODE);
	run->immediate_exit = 1;
	for (i = 0; i < 2; i++)
		tap_eq(vcpu_run(vcpu), -EINTR, "immediate_exit ends RUN");
	ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs);
	tap_eq(regs.rip, GUEST_CODE, "no instruction was executed");
	run->immediate_exit = 0;
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest reads a port");
	*((uint8_t *)run + run->io.data_offset) = 0x5a;
	run->immediate_exit = 1;
	tap_eq(vcpu_run(vcpu), -EINTR, "immediate_exit with the read answered");
	run->immediate_exit = 0;
	ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs);
	tap_eq(regs.rax & 0xff, 0x5a, "the read is complete: AL has the answer");
	tap_eq(regs.rip, GUEST_CODE + 2, "and RIP is behind the instruction");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest goes on");
	tap_eq(vcpu_io_value(vcpu), 0x5a, "it has the value");
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_signal };
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	sigaction(SIGALRM, &sa, NULL);
	sigaction(SIGUSR1, &sa, NULL);
	tap_plan(0);
	test_arguments(vcpu);
	test_signal(vm, vcpu);
	test_mask(vm, vcpu);
	test_immediate_exit(vm, vcpu);
	vm_free(vm);
	return tap_done();
}
