// SPDX-License-Identifier: GPL-2.0
/*
 * Directed yield: a vCPU that only waits for another gives its CPU time to the
 * thread that runs the other one.
 *
 * With more vCPUs than CPUs the holder of a guest's lock may be preempted, or
 * the target of its IPI may be waiting for a CPU. One that spins cannot know whom
 * it waits for, but it is one of those that are ready to run and do not.
 */
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

#include "minikvm.h"

/* Failed attempts to hand the CPU over before the spinner goes on spinning. */
#define SPIN_MAX_TRIES	3

/**
 * vcpu_track_thread - remember that the current thread runs a vCPU
 * @vcpu: the vCPU, its mutex held
 *
 * Context: may sleep, when another thread ran it before.
 */
void vcpu_track_thread(struct vcpu *vcpu)
{
	struct pid *old = rcu_dereference_protected(vcpu->pid, lockdep_is_held(&vcpu->mutex));
	struct pid *pid = task_pid(current);

	if (likely(old == pid))
		return;
	rcu_assign_pointer(vcpu->pid, get_pid(pid));
	if (!old)
		return;
	synchronize_rcu();
	put_pid(old);
}

/**
 * vcpu_forget_thread - undo vcpu_track_thread()
 * @vcpu: a vCPU that nobody can reach any more
 */
void vcpu_forget_thread(struct vcpu *vcpu)
{
	put_pid(rcu_dereference_protected(vcpu->pid, true));
}

/**
 * vcpu_yield_to - let another vCPU's thread run now
 * @target: a vCPU of the same VM, not the current thread's
 *
 * Context: may schedule.
 * Return: >0 done; 0 the scheduler did not want to; -ESRCH: it does not wait for a
 * CPU, or nobody else wants this one.
 */
int vcpu_yield_to(struct vcpu *target)
{
	struct task_struct *task = NULL;
	struct pid *pid;
	int r;

	rcu_read_lock();
	pid = rcu_dereference(target->pid);
	if (pid)
		task = get_pid_task(pid, PIDTYPE_PID);
	rcu_read_unlock();
	if (!task)
		return -ESRCH;
	r = yield_to(task, true);
	put_task_struct(task);
	return r;
}

/* One that spins, too, gets its turn only when it was passed over last time. */
static bool vcpu_worth_yielding_to(struct vcpu *vcpu)
{
	bool worth = !READ_ONCE(vcpu->spinning) || READ_ONCE(vcpu->spin_passed_over);

	if (READ_ONCE(vcpu->spinning))
		WRITE_ONCE(vcpu->spin_passed_over, !vcpu->spin_passed_over);
	return worth;
}

/**
 * vcpu_on_spin - the guest executes PAUSE after PAUSE
 * @vcpu: the vCPU, by its own thread
 *
 * Context: process, preemption on.
 */
void vcpu_on_spin(struct vcpu *vcpu)
{
	struct vm *vm = vcpu->vm;
	int nr = vm_nr_vcpus(vm);
	int first = READ_ONCE(vm->last_boosted);
	int tries = SPIN_MAX_TRIES;
	int i, r;

	WRITE_ONCE(vcpu->spinning, true);
	for (i = 1; i <= nr && tries; i++) {
		int n = (first + i) % nr;
		struct vcpu *other = vm->vcpus[n];

		if (other == vcpu || !READ_ONCE(other->ready) || !vcpu_worth_yielding_to(other))
			continue;
		r = vcpu_yield_to(other);
		if (r > 0) {
			WRITE_ONCE(vm->last_boosted, n);
			break;
		}
		if (r < 0)
			tries--;
	}
	WRITE_ONCE(vcpu->spinning, false);
	/* It runs: the next one to spin need not spare it. */
	WRITE_ONCE(vcpu->spin_passed_over, false);
}
