/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What differs between the kernels this module builds for, and the few kernel
 * services that are not in a header one may include. The only file that tests
 * LINUX_VERSION_CODE.
 */
#ifndef MINIKVM_COMPAT_H
#define MINIKVM_COMPAT_H

#include <linux/context_tracking.h>
#include <linux/entry-kvm.h>
#include <linux/eventfd.h>
#include <linux/irqflags.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/rcutree.h>
#include <linux/syscore_ops.h>
#include <linux/version.h>
#include <linux/vtime.h>
#include <asm/cpufeature.h>
#include <asm/idtentry.h>
#include <asm/nospec-branch.h>

/* Linux 6.9 dropped the argument, which was always the current CPU. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 9, 0)
#define COMPAT_RCU_CPU	smp_processor_id()
#else
#define COMPAT_RCU_CPU
#endif

/* Since 6.12 a task may stay on the queue for a while although it sleeps. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
#define compat_task_is_runnable(task)	((task)->on_rq)
#else
#define compat_task_is_runnable(task)	task_is_runnable(task)
#endif

/*
 * The callbacks around suspend, interrupts off on the last CPU. A stable
 * release changed their form in mid-series, so Kbuild looks at the header.
 */
#ifdef COMPAT_SYSCORE_DATA
#define COMPAT_SYSCORE_ARG	void *unused
struct compat_syscore {
	struct syscore_ops ops;
	struct syscore core;
};

static inline void compat_syscore_register(struct compat_syscore *s)
{
	s->core.ops = &s->ops;
	register_syscore(&s->core);
}

static inline void compat_syscore_unregister(struct compat_syscore *s)
{
	unregister_syscore(&s->core);
}
#else
#define COMPAT_SYSCORE_ARG	void
struct compat_syscore {
	struct syscore_ops ops;
};

static inline void compat_syscore_register(struct compat_syscore *s)
{
	register_syscore_ops(&s->ops);
}

static inline void compat_syscore_unregister(struct compat_syscore *s)
{
	unregister_syscore_ops(&s->ops);
}
#endif

/*
 * The kernel counts a CPU in guest mode as one in user mode: time goes to the
 * guest, RCU sees a quiescent state. The pairs nest, timing outside context:
 *
 *	guest_timing_begin();		interrupts off
 *		guest_context_begin(..); nothing instrumentable from here ...
 *		VM entry, VM exit
 *		guest_context_end();	... to here
 *	guest_timing_end();		after the pending tick was taken
 */
static __always_inline void guest_timing_begin(void)
{
	vtime_account_guest_enter();
}

static __always_inline void guest_timing_end(void)
{
	vtime_account_guest_exit();
}

static __always_inline void guest_context_begin(bool tell_rcu)
{
	instrumentation_begin();
	trace_hardirqs_on_prepare();
	lockdep_hardirqs_on_prepare();
	instrumentation_end();

	/*
	 * The CPU-bound part of what user mode would tell RCU. RCU looks at its
	 * ticks only, so once per tick is as good as once per entry.
	 */
	if (!context_tracking_guest_enter() && tell_rcu) {
		instrumentation_begin();
		rcu_virt_note_context_switch(COMPAT_RCU_CPU);
		instrumentation_end();
	}
	lockdep_hardirqs_on(CALLER_ADDR0);
}

static __always_inline void guest_context_end(void)
{
	lockdep_hardirqs_off(CALLER_ADDR0);
	context_tracking_guest_exit();

	instrumentation_begin();
	trace_hardirqs_off_finish();
	instrumentation_end();
}

/*
 * The frame that a PFN mapping (VM_IO or VM_PFNMAP) has at an address, and
 * whether it may be written; 0, or -EINVAL when nothing is there. mmap_lock
 * held; the answer lasts until the mm announces a change (mmu notifier).
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 12, 0)
static inline int compat_follow_pfn(struct vm_area_struct *vma, unsigned long addr,
				    unsigned long *pfn, bool *writable)
{
	spinlock_t *ptl;	/* of the page table that @ptep is in */
	pte_t *ptep;
	int err;

	err = follow_pte(vma->vm_mm, addr, &ptep, &ptl);
	if (err)
		return err;
	__acquire(ptl);		/* by follow_pte(), which sparse cannot know */
	*pfn = pte_pfn(*ptep);
	*writable = pte_write(*ptep);
	pte_unmap_unlock(ptep, ptl);
	return 0;
}
#else
static inline int compat_follow_pfn(struct vm_area_struct *vma, unsigned long addr,
				    unsigned long *pfn, bool *writable)
{
	struct follow_pfnmap_args args = { .vma = vma, .address = addr };
	int err;

	err = follow_pfnmap_start(&args);
	if (err)
		return err;
	*pfn = args.pfn;
	*writable = args.writable;
	follow_pfnmap_end(&args);
	return 0;
}
#endif

/*
 * The host's NMI handler for an NMI that ended a guest's run. It is called with
 * a frame of our making on the task's stack, not through the IDT.
 */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
#define COMPAT_NMI_ENTRY	asm_exc_nmi_noist
#else
#define COMPAT_NMI_ENTRY	asm_exc_nmi_kvm_vmx
#endif

/* Linux 6.8 dropped the count, which everybody gave as 1. Any context but NMI. */
static inline void compat_eventfd_signal(struct eventfd_ctx *ctx)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
	eventfd_signal(ctx, 1);
#else
	eventfd_signal(ctx);
#endif
}

/*
 * VMSCAPE: kernels that know of it want to hear that a guest ran, and then keep
 * its branch predictions from this task's user mode.
 */
static __always_inline void compat_guest_was_here(void)
{
#ifdef X86_FEATURE_IBPB_EXIT_TO_USER
	if (cpu_feature_enabled(X86_FEATURE_IBPB_EXIT_TO_USER))
		this_cpu_write(x86_ibpb_exit_to_user, true);
#endif
}

#endif
