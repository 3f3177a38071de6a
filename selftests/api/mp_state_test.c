// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of GET_MP_STATE, SET_MP_STATE and of RUN on a vCPU that is not
 * runnable.
 */
#include <signal.h>
#include <sys/time.h>

#include "api.h"

static uint32_t get(struct vcpu *vcpu)
{
	struct minikvm_mp_state state = { 0xffffffff };

	if (ioctl(vcpu->fd, MINIKVM_GET_MP_STATE, &state))
		tap_bail("GET_MP_STATE: %s", strerror(errno));
	return state.mp_state;
}

static int set(struct vcpu *vcpu, uint32_t mp_state)
{
	struct minikvm_mp_state state = { mp_state };

	return ioctl(vcpu->fd, MINIKVM_SET_MP_STATE, &state);
}

static void on_alarm(int sig)
{
	(void)sig;
}

/* RUN with a signal on its way every 10 ms until it returns. */
static int run_until_alarm(struct vcpu *vcpu)
{
	struct itimerval timer = { { 0, 10000 }, { 0, 10000 } };
	int r;

	vcpu->run->exit_reason = 0x55;
	setitimer(ITIMER_REAL, &timer, NULL);
	r = vcpu_run(vcpu);
	memset(&timer, 0, sizeof(timer));
	setitimer(ITIMER_REAL, &timer, NULL);
	return r;
}

static void test_without_chip(void)
{
	static const uint32_t states[] = {
		MINIKVM_MP_STATE_UNINITIALIZED, MINIKVM_MP_STATE_INIT_RECEIVED,
		MINIKVM_MP_STATE_HALTED, MINIKVM_MP_STATE_SIPI_RECEIVED,
	};
	struct vm *vm = vm_new(VM_BARE);
	struct vcpu *first = vm_add_vcpu(vm, 0), *second = vm_add_vcpu(vm, 1);
	size_t i;

	tap_eq(get(first), MINIKVM_MP_STATE_RUNNABLE,
	       "no irqchip: the first vCPU is runnable");
	tap_eq(get(second), MINIKVM_MP_STATE_RUNNABLE,
	       "no irqchip: the second vCPU is runnable");
	tap_errno(set(first, MINIKVM_MP_STATE_RUNNABLE), 0,
		  "no irqchip: set to runnable");
	for (i = 0; i < ARRAY_SIZE(states); i++)
		tap_errno(set(first, states[i]), EINVAL,
			  "no irqchip: set to state %u", states[i]);
	vm_free(vm);
}

static void test_with_chip(struct vm *vm)
{
	static const uint32_t bad[] = { 5, 6, 7, 8, 10, 11, 0xffffffff };
	struct vcpu *first = vm_add_vcpu(vm, 0), *second = vm_add_vcpu(vm, 1);
	size_t i;

	tap_eq(get(first), MINIKVM_MP_STATE_RUNNABLE,
	       "the boot CPU starts runnable");
	tap_eq(get(second), MINIKVM_MP_STATE_UNINITIALIZED,
	       "another CPU starts uninitialized");
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		tap_errno(set(first, bad[i]), EINVAL, "set to state %u", bad[i]);
	tap_eq(get(first), MINIKVM_MP_STATE_RUNNABLE, "still runnable");
	tap_errno(set(first, MINIKVM_MP_STATE_HALTED), 0, "set to halted");
	tap_eq(get(first), MINIKVM_MP_STATE_HALTED, "it is halted");
	tap_errno(set(first, MINIKVM_MP_STATE_UNINITIALIZED), 0,
		  "set to uninitialized");
	tap_eq(get(first), MINIKVM_MP_STATE_UNINITIALIZED, "it is uninitialized");
	tap_errno(set(first, MINIKVM_MP_STATE_INIT_RECEIVED), 0,
		  "set to INIT received");
	tap_eq(get(first), MINIKVM_MP_STATE_INIT_RECEIVED, "it waits for a SIPI");
	tap_errno(set(first, MINIKVM_MP_STATE_RUNNABLE), 0, "set to runnable");
	tap_eq(get(first), MINIKVM_MP_STATE_RUNNABLE, "it is runnable");
	test_efault(first->fd, MINIKVM_GET_MP_STATE, 4, "GET_MP_STATE");
	test_efault(first->fd, MINIKVM_SET_MP_STATE, 4, "SET_MP_STATE");
}

static void test_run(struct vm *vm)
{
	static const struct {
		uint32_t state;
		const char *name;
	} waits[] = {
		{ MINIKVM_MP_STATE_UNINITIALIZED, "uninitialized" },
		{ MINIKVM_MP_STATE_INIT_RECEIVED, "INIT received" },
		{ MINIKVM_MP_STATE_HALTED, "halted" },
	};
	struct vcpu *vcpu = &vm->vcpu[1];
	struct minikvm_sregs sregs;
	struct minikvm_regs regs;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(waits); i++) {
		set(vcpu, waits[i].state);
		vcpu->run->immediate_exit = 1;
		tap_eq(vcpu_run(vcpu), -EINTR, "%s: immediate_exit ends RUN",
		       waits[i].name);
		vcpu->run->immediate_exit = 0;
		tap_eq(run_until_alarm(vcpu), -EINTR, "%s: RUN waits for a signal",
		       waits[i].name);
		tap_eq(vcpu->run->exit_reason, MINIKVM_EXIT_INTR,
		       "%s: the exit reason is INTR", waits[i].name);
		tap_eq(get(vcpu), waits[i].state, "%s: the state stays",
		       waits[i].name);
	}

	/* A SIPI set from outside starts the CPU at vector 0. */
	set(vcpu, MINIKVM_MP_STATE_SIPI_RECEIVED);
	tap_eq(get(vcpu), MINIKVM_MP_STATE_RUNNABLE, "SIPI received: it starts");
	ioctl(vcpu->fd, MINIKVM_GET_SREGS, &sregs);
	ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs);
	tap_ok(sregs.cs.selector == 0 && sregs.cs.base == 0 && regs.rip == 0,
	       "SIPI received: at CS:IP 0:0");
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct vm *vm;

	sigaction(SIGALRM, &sa, NULL);
	tap_plan(0);
	test_without_chip();
	vm = vm_new(VM_IRQCHIP);
	test_with_chip(vm);
	test_run(vm);
	vm_free(vm);
	return tap_done();
}
