// SPDX-License-Identifier: GPL-2.0
/*
 * Directed yield: a vCPU that only waits for another gives its CPU time to the
 * thread that runs the other one.
 */
#include <linux/pid.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>
#include <linux/sched/task.h>

#include "minikvm.h"

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
 * Return: whether the scheduler was willing.
 */
bool vcpu_yield_to(struct vcpu *target)
{
	struct task_struct *task = NULL;
	struct pid *pid;
	bool yielded;

	rcu_read_lock();
	pid = rcu_dereference(target->pid);
	if (pid)
		task = get_pid_task(pid, PIDTYPE_PID);
	rcu_read_unlock();
	if (!task)
		return false;
	yielded = yield_to(task, true) > 0;
	put_task_struct(task);
	return yielded;
}
