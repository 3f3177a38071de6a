// SPDX-License-Identifier: GPL-2.0
/*
 * RUN: the loop between entering the guest, handling its exits, waiting while
 * it halts, and giving in to whoever wants the thread.
 *
 * How others get its attention is in attention.c.
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/ktime.h>
#include <linux/sched/signal.h>
#include <linux/sched/stat.h>
#include <asm/cpufeature.h>
#include <asm/fpu/api.h>

#include "minikvm.h"
#include "compat.h"
#include "exit_ring.h"
#include "host_work.h"
#include "inspect.h"
#include "trace.h"
#include "irqchip/irqchip.h"
#include "irqchip/lapic.h"
#include "x86/debug.h"
#include "x86/fpu_switch.h"
#include "x86/sync_regs.h"
#include "x86/x86.h"

/**
 * vcpu_runnable - is there a reason not to sleep
 * @vcpu: the vCPU, by its own thread
 *
 * Return: whether it runs, or something waits that would end its halt.
 */
bool vcpu_runnable(struct vcpu *vcpu)
{
	if (vcpu->mp_state == MINIKVM_MP_STATE_RUNNABLE)
		return true;
	if (vcpu->lapic && lapic_has_events(vcpu))
		return true;
	if (vcpu->mp_state != MINIKVM_MP_STATE_HALTED)
		return false;
	if (vcpu->events.exception.pending || vcpu->events.nmi_pending ||
	    atomic_read(&vcpu->events.nmi_queued) || READ_ONCE(vcpu->unhalted))
		return true;
	return vcpu_irq_pending(vcpu) && vendor->irq_allowed(vcpu);
}

static bool vcpu_must_stop_waiting(struct vcpu *vcpu)
{
	return vcpu_runnable(vcpu) || signal_pending(current) ||
	       test_bit(REQ_VM_DEAD, &vcpu->requests);
}

/*
 * A halt that is soon over is cheaper waited out awake than with two context
 * switches. How long to try is learnt per vCPU from how long its halts last:
 * longer when a little more would have done, not at all after a long one.
 */
#define HALT_POLL_FIRST_NS	10000u

/* True if the wait is over. Only while nobody else wants this CPU. */
static bool vcpu_poll(struct vcpu *vcpu, ktime_t begin)
{
	ktime_t end = ktime_add_ns(begin, vcpu->halt_poll_ns);

	while (single_task_running() && !need_resched() && ktime_before(ktime_get(), end)) {
		/* Nobody else looks while it is not an hrtimer. */
		if (vcpu->guest_timer)
			lapic_timer_check(vcpu);
		if (vcpu_must_stop_waiting(vcpu))
			return true;
		cpu_relax();
	}
	return false;
}

static void vcpu_learn_poll(struct vcpu *vcpu, u64 waited_ns)
{
	u32 longest = READ_ONCE(vcpu->vm->halt_poll_max_ns);
	u32 old = vcpu->halt_poll_ns;

	if (waited_ns > longest)
		vcpu->halt_poll_ns = 0;
	else if (waited_ns > vcpu->halt_poll_ns)
		vcpu->halt_poll_ns = min(max(vcpu->halt_poll_ns * 2, HALT_POLL_FIRST_NS), longest);
	if (vcpu->halt_poll_ns != old)
		trace_kvm_halt_poll_ns(vcpu->halt_poll_ns > old, vcpu->id, vcpu->halt_poll_ns, old);
}

/* Sleep until vcpu_kick(), a signal, or a reason to run. False: need not. */
static bool vcpu_wait(struct vcpu *vcpu)
{
	bool slept = false;

	lapic_timer_block(vcpu);
	vcpu->stats.blocking = 1;
	prepare_to_rcuwait(&vcpu->wait);
	for (;;) {
		set_current_state(TASK_INTERRUPTIBLE);
		if (vcpu_must_stop_waiting(vcpu))
			break;
		if (unlikely(test_bit(REQ_INSPECT, &vcpu->requests))) {
			__set_current_state(TASK_RUNNING);
			inspect_serve(vcpu);
			continue;
		}
		slept = true;
		schedule();
	}
	finish_rcuwait(&vcpu->wait);
	vcpu->stats.blocking = 0;
	if (slept && !signal_pending(current))
		vcpu->stats.halt_wakeup++;
	return slept;
}

static void count_poll(struct vcpu_stats *stats, u64 ns, bool success)
{
	stats->halt_attempted_poll++;
	if (success) {
		stats->halt_successful_poll++;
		stats->halt_poll_success_ns += ns;
		stats_hist_add(stats->halt_poll_success_hist, ns);
	} else {
		stats->halt_poll_fail_ns += ns;
		stats_hist_add(stats->halt_poll_fail_hist, ns);
	}
}

/* As vcpu_wait(), for a HLT: interrupts often follow each other closely. */
static void vcpu_wait_halted(struct vcpu *vcpu)
{
	ktime_t begin = ktime_get();
	ktime_t asleep = begin, end = begin;
	/* A guest that polls itself before it halts asks not to be doubled. */
	bool polled = vcpu->halt_poll_ns && vcpu->poll_control;
	bool done = false, slept = false;

	if (polled) {
		done = vcpu_poll(vcpu, begin);
		asleep = ktime_get();
		end = asleep;
	}
	if (!done) {
		slept = vcpu_wait(vcpu);
		end = ktime_get();
	}
	if (polled)
		count_poll(&vcpu->stats, ktime_to_ns(ktime_sub(asleep, begin)), !slept);
	if (slept) {
		u64 ns = ktime_to_ns(ktime_sub(end, asleep));

		vcpu->stats.halt_wait_ns += ns;
		stats_hist_add(vcpu->stats.halt_wait_hist, ns);
	}
	if (trace_kvm_vcpu_wakeup_enabled())
		trace_kvm_vcpu_wakeup(ktime_to_ns(ktime_sub(end, begin)), slept,
				      vcpu_runnable(vcpu));
	vcpu_learn_poll(vcpu, ktime_to_ns(ktime_sub(end, begin)));
}

/* The guest does not run: it halted, or waits for INIT or SIPI. */
static enum exit_action vcpu_block(struct vcpu *vcpu)
{
	/* The halt itself was a step. */
	if (vcpu_take_request(vcpu, REQ_DEBUG_STEP))
		return debug_step_exit(vcpu);
	if (!vcpu_runnable(vcpu)) {
		u64 since = exit_ring_wait_begin();

		if (vcpu->mp_state == MINIKVM_MP_STATE_HALTED)
			vcpu_wait_halted(vcpu);
		else
			vcpu_wait(vcpu);
		exit_ring_wait_end(vcpu, since);
		if (!vcpu_runnable(vcpu)) {
			if (vcpu_take_request(vcpu, REQ_VM_DEAD))
				return vcpu_fail(vcpu, -EIO);
			return EXIT_RESUME;
		}
	}
	if (vcpu->lapic)
		lapic_accept_events(vcpu);
	if (vcpu->mp_state == MINIKVM_MP_STATE_HALTED) {
		/* Pairs with vcpu_unblock(): one that comes later ends the next halt. */
		WRITE_ONCE(vcpu->unhalted, false);
		vcpu->mp_state = MINIKVM_MP_STATE_RUNNABLE;
	}
	return EXIT_RESUME;
}

/**
 * vcpu_halt - the guest executed HLT, already skipped
 * @vcpu: the vCPU
 *
 * With an in-kernel APIC the thread sleeps here until an interrupt comes;
 * without one only userspace knows when that will be.
 */
enum exit_action vcpu_halt(struct vcpu *vcpu)
{
	vcpu->stats.halt_exits++;
	if (vcpu->lapic) {
		vcpu->mp_state = MINIKVM_MP_STATE_HALTED;
		return EXIT_RESUME;
	}
	vcpu->run->exit_reason = MINIKVM_EXIT_HLT;
	return EXIT_TO_USER;
}

/**
 * vcpu_internal_error - leave to userspace because the module cannot go on
 * @vcpu: the vCPU
 * @suberror: MINIKVM_INTERNAL_ERROR_*; the caller may add data afterwards
 */
enum exit_action vcpu_internal_error(struct vcpu *vcpu, u32 suberror)
{
	vcpu->run->exit_reason = MINIKVM_EXIT_INTERNAL_ERROR;
	vcpu->run->internal.suberror = suberror;
	vcpu->run->internal.ndata = 0;
	return EXIT_TO_USER;
}

/* Everything asked of this vCPU since its last entry. */
static enum exit_action vcpu_handle_requests(struct vcpu *vcpu)
{
	inspect_serve_pending(vcpu);
	if (vcpu_take_request(vcpu, REQ_VM_DEAD))
		return vcpu_fail(vcpu, -EIO);
	if (vcpu_take_request(vcpu, REQ_TRIPLE_FAULT)) {
		vcpu->run->exit_reason = MINIKVM_EXIT_SHUTDOWN;
		return EXIT_TO_USER;
	}
	if (vcpu_take_request(vcpu, REQ_TPR_ACCESS))
		return lapic_tpr_access_exit(vcpu);
	if (vcpu_take_request(vcpu, REQ_IOAPIC_EOI))
		return split_eoi_exit(vcpu);
	/* The step ends before anything else is delivered. */
	if (vcpu_take_request(vcpu, REQ_DEBUG_STEP))
		return debug_step_exit(vcpu);
	if (vcpu_take_request(vcpu, REQ_TLB_FLUSH)) {
		vcpu->stats.tlb_flush++;
		vendor->flush_tlb(vcpu);
	}
	if (vcpu_take_request(vcpu, REQ_TLB_FLUSH_GUEST)) {
		vcpu->stats.tlb_flush++;
		vendor->flush_tlb_guest(vcpu);
	}
	if (vcpu_take_request(vcpu, REQ_DIRTY_LOG))
		vendor->dirty_log_switch(vcpu);
	if (vcpu_take_request(vcpu, REQ_APIC))
		vendor->apic_changed(vcpu);
	if (vcpu_take_request(vcpu, REQ_CLOCK_UPDATE))
		pvclock_update(vcpu);
	if (vcpu_take_request(vcpu, REQ_STEAL_UPDATE))
		steal_update(vcpu);
	if (vcpu_take_request(vcpu, REQ_MSR_FILTER))
		vendor->msr_filter_changed(vcpu);
	return EXIT_RESUME;
}

static bool vcpu_wanted(struct vcpu *vcpu)
{
	return READ_ONCE(vcpu->requests) || xfer_to_guest_mode_work_pending();
}

/* Interrupts off, mode IN_GUEST: the guest runs in here. */
static void vcpu_enter_irqoff(struct vcpu *vcpu)
{
	guest_timing_begin();
	fpu_enter(vcpu);
	trace_kvm_entry(vcpu);
	exit_ring_at_entry(vcpu);
	vendor_call(enter)(vcpu);
	exit_ring_at_exit(vcpu);
	trace_kvm_exit(vcpu);
	WRITE_ONCE(vcpu->mode, VCPU_OUTSIDE_GUEST);
	vendor_call(exit_irqoff)(vcpu);
	fpu_exit(vcpu);
}

/* One entry and the exit that ends it. */
static enum exit_action vcpu_enter_guest(struct vcpu *vcpu)
{
	enum exit_action action;

	vcpu->at_insn_boundary = false;
	if (READ_ONCE(vcpu->requests)) {
		if (vcpu->lapic && lapic_has_events(vcpu)) {
			lapic_accept_events(vcpu);
			if (vcpu->mp_state != MINIKVM_MP_STATE_RUNNABLE)
				return EXIT_RESUME;
		}
		action = vcpu_handle_requests(vcpu);
		if (action != EXIT_RESUME)
			return action;
		if (vcpu_take_request(vcpu, REQ_EVENT)) {
			vcpu->stats.req_event++;
			events_deliver(vcpu);
			if (vcpu->apic_attention | vcpu->pv_eoi_msr)
				lapic_sync_to_guest(vcpu);
		}
	}

	preempt_disable();
	vendor_call(prepare_switch)(vcpu);
	local_irq_disable();
	/* A softirq or a preemption may have used the FPU registers. */
	if (test_thread_flag(TIF_NEED_FPU_LOAD))
		switch_fpu_return();
	xfer_to_guest_mode_prepare();

	/* Pairs with the barriers in vcpu_kick() and vm_wait_outside_guest(). */
	smp_store_mb(vcpu->mode, VCPU_IN_GUEST);
	if (unlikely(vcpu_wanted(vcpu))) {
		WRITE_ONCE(vcpu->mode, VCPU_OUTSIDE_GUEST);
		local_irq_enable();
		preempt_enable();
		/* What was injected goes back to the queue; requests may kill it. */
		vendor->cancel_injection(vcpu);
		if (unlikely(vcpu->apic_attention))
			lapic_sync_from_guest(vcpu);
		return EXIT_RESUME;
	}

	vcpu_enter_irqoff(vcpu);

	/*
	 * An interrupt that ended the guest's run is taken here, while the
	 * tick still counts the time as the guest's.
	 */
	local_irq_enable();
	vcpu->stats.exits++;
	local_irq_disable();
	guest_timing_end();
	local_irq_enable();
	preempt_enable();

	if (unlikely(vcpu->apic_attention))
		lapic_sync_from_guest(vcpu);
	return vendor_call(handle_exit)(vcpu);
}

/* Signals, task work, a pending reschedule: 0, or -EINTR for a signal. */
static int vcpu_yield_to_kernel(struct vcpu *vcpu)
{
	int err = host_work_handle();

	if (err) {
		vcpu->run->exit_reason = MINIKVM_EXIT_INTR;
		vcpu->stats.signal_exits++;
	}
	return err;
}

static long vcpu_run_loop(struct vcpu *vcpu)
{
	enum exit_action action;
	int err;

	for (;;) {
		if (vcpu->mp_state == MINIKVM_MP_STATE_RUNNABLE)
			action = vcpu_enter_guest(vcpu);
		else
			action = vcpu_block(vcpu);
		if (action != EXIT_RESUME)
			return action == EXIT_TO_USER ? 0 : vcpu->run_errno;

		if (unlikely(vcpu->user_irq_window) && vcpu_ready_for_user_irq(vcpu)) {
			vcpu->run->exit_reason = MINIKVM_EXIT_IRQ_WINDOW_OPEN;
			vcpu->stats.request_irq_exits++;
			return 0;
		}
		err = vcpu_yield_to_kernel(vcpu);
		if (err)
			return err;
	}
}

/*
 * An AP before INIT and SIPI: wait for them, then let the VMM come again, as
 * KVM does.
 */
static long vcpu_run_uninitialized(struct vcpu *vcpu)
{
	if (READ_ONCE(vcpu->run->immediate_exit))
		return -EINTR;
	vcpu_wait(vcpu);
	lapic_accept_events(vcpu);
	if (signal_pending(current)) {
		vcpu->run->exit_reason = MINIKVM_EXIT_INTR;
		vcpu->stats.signal_exits++;
		return -EINTR;
	}
	return test_bit(REQ_VM_DEAD, &vcpu->requests) ? -EIO : -EAGAIN;
}

/* What userspace wants to know at every return. */
static void vcpu_fill_run(struct vcpu *vcpu)
{
	struct minikvm_run *run = vcpu->run;

	run->if_flag = (rflags_read(vcpu) & X86_EFLAGS_IF) != 0;
	run->cr8 = vcpu->lapic ? lapic_get_cr8(vcpu) : vcpu->cr8;
	run->apic_base = vcpu->apic_base;
	run->ready_for_interrupt_injection = irqchip_kernel(vcpu->vm) ||
					     vcpu_ready_for_user_irq(vcpu);
	run->flags = 0;
}

static long vcpu_run_loaded(struct vcpu *vcpu)
{
	enum exit_action (*complete)(struct vcpu *vcpu);
	enum exit_action action;
	int err;

	if (vcpu->mp_state == MINIKVM_MP_STATE_UNINITIALIZED)
		return vcpu_run_uninitialized(vcpu);
	if (unlikely(READ_ONCE(vcpu->run->kvm_valid_regs) |
		     READ_ONCE(vcpu->run->kvm_dirty_regs))) {
		err = sync_regs_load(vcpu);
		if (err)
			return err;
	}
	/* Without an in-kernel APIC, CR8 is userspace's to set. */
	if (!vcpu->lapic && cr8_set(vcpu, vcpu->run->cr8))
		return -EINVAL;

	complete = vcpu->complete_userspace_io;
	if (complete) {
		vcpu->complete_userspace_io = NULL;
		action = complete(vcpu);
		if (action != EXIT_RESUME)
			return action == EXIT_TO_USER ? 0 : vcpu->run_errno;
		if (vcpu_take_request(vcpu, REQ_DEBUG_STEP)) {
			debug_step_exit(vcpu);
			return 0;
		}
	}
	if (READ_ONCE(vcpu->run->immediate_exit))
		return -EINTR;
	if (unlikely(!READ_ONCE(vcpu->vm->mmu_pages_max)))
		return -ENOSPC;
	vcpu->has_run = true;
	/* Asked for with each RUN; the event code then sees to the window. */
	vcpu->user_irq_window = READ_ONCE(vcpu->run->request_interrupt_window) &&
				!irqchip_kernel(vcpu->vm);
	if (vcpu->user_irq_window)
		vcpu_set_request(vcpu, REQ_EVENT);
	return vcpu_run_loop(vcpu);
}

/**
 * vcpu_run - RUN
 * @vcpu: the vCPU, its mutex held by the caller
 *
 * Return: 0 with run->exit_reason filled in; -EINTR (signal, or immediate_exit);
 * -EAGAIN (the vCPU left MINIKVM_MP_STATE_UNINITIALIZED); -EFAULT (guest memory's
 * host mapping is gone); -EINVAL (an unknown bit in run->kvm_valid_regs or
 * run->kvm_dirty_regs, registers there that cannot be loaded, or a bad run->cr8);
 * -EHWPOISON; -EIO (the VM is dead); -ENOMEM.
 */
long vcpu_run(struct vcpu *vcpu)
{
	long r;

	if (unlikely(rcu_access_pointer(vcpu->pid) != task_pid(current)))
		vcpu_track_thread(vcpu);
	vcpu_load(vcpu);
	/* real_blocked keeps a signal that userspace blocks but ignores pending. */
	if (vcpu->sigset_active)
		sigprocmask(SIG_SETMASK, &vcpu->sigset, &current->real_blocked);
	vcpu->run->flags = 0;
	fpu_load_guest(vcpu);
	exit_ring_at_run(vcpu);

	r = vcpu_run_loaded(vcpu);

	trace_kvm_userspace_exit(vcpu->run->exit_reason, r);
	fpu_put_guest(vcpu);
	if (vcpu->run->kvm_valid_regs)
		sync_regs_store(vcpu);
	vcpu_fill_run(vcpu);
	if (vcpu->sigset_active) {
		sigprocmask(SIG_SETMASK, &current->real_blocked, NULL);
		sigemptyset(&current->real_blocked);
	}
	inspect_serve_pending(vcpu);
	exit_ring_at_leave(vcpu, r);
	vcpu_put(vcpu);
	return r;
}
