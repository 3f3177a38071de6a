// SPDX-License-Identifier: GPL-2.0
/*
 * Irqfds: an eventfd that is signalled raises a GSI, without an ioctl. One with
 * RESAMPLE is for a level: it holds the GSI high until the guest acknowledges,
 * and then signals another eventfd, whose reader says whether the level is
 * still there by signalling the first one again.
 *
 * An irqfd is a waiter on its eventfd. The wake-up comes in any context, with the
 * eventfd's lock held and interrupts off, and delivers at once: routing and
 * chips may be called like that, and the routing table is looked up each time,
 * so that a new one counts from the moment it is published. Nothing on that way
 * signals an eventfd: acknowledgments come from the vCPUs' threads only.
 *
 * Taking an irqfd down has to wait for its wake-ups, which the hang-up of an
 * eventfd, itself a wake-up, cannot do. So it is left to a workqueue: whoever
 * removes the irqfd from vm->irqfds queues the work, once.
 *
 * Interface: Linux Documentation/virt/kvm/api.rst, "KVM_IRQFD".
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/eventfd.h>
#include <linux/file.h>
#include <linux/list.h>
#include <linux/poll.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/wait.h>
#include <linux/workqueue.h>

#include "../minikvm.h"
#include "../compat.h"
#include "chips.h"
#include "irqchip.h"
#include "irqfd.h"

#define IRQFD_FLAGS	(MINIKVM_IRQFD_FLAG_DEASSIGN | MINIKVM_IRQFD_FLAG_RESAMPLE)

/**
 * struct resampler - the irqfds with RESAMPLE of one GSI
 * @link: on vm->resamplers; changed under vm->irqfd_lock, read under SRCU
 * @irqfds: likewise
 * @gsi: which
 *
 * They share the level (IRQ_SOURCE_RESAMPLE): an acknowledgment lowers it once,
 * then all of them are told.
 */
struct resampler {
	struct list_head link;
	struct list_head irqfds;
	u32 gsi;
};

/**
 * struct irqfd - one eventfd that raises a GSI
 * @link: on vm->irqfds; empty once it is being taken down
 * @vm: whose
 * @gsi: which
 * @eventfd: holds a reference
 * @wait: this irqfd as a waiter on @eventfd
 * @poll: puts @wait there
 * @resampler: with RESAMPLE only
 * @resample_link: on resampler.irqfds
 * @resamplefd: whom to tell of acknowledgments; holds a reference
 * @shutdown: takes it down
 */
struct irqfd {
	struct list_head link;
	struct vm *vm;
	u32 gsi;
	struct eventfd_ctx *eventfd;
	wait_queue_entry_t wait;
	poll_table poll;
	struct resampler *resampler;
	struct list_head resample_link;
	struct eventfd_ctx *resamplefd;
	struct work_struct shutdown;
};

/* Of all VMs; apart from others so that it can be flushed. */
static struct workqueue_struct *irqfd_wq;

/* ---- acknowledgment ------------------------------------------------------------ */

/**
 * irqfd_acked - the guest finished an interrupt: lower the level, ask for it anew
 * @vm: the VM
 * @gsi: which
 *
 * Context: process, by a vCPU's thread; no chip's lock held.
 */
void irqfd_acked(struct vm *vm, u32 gsi)
{
	struct resampler *r;
	struct irqfd *irqfd;
	int idx;

	if (list_empty(&vm->resamplers))
		return;
	idx = srcu_read_lock(&vm->srcu);
	list_for_each_entry_srcu(r, &vm->resamplers, link, srcu_read_lock_held(&vm->srcu)) {
		if (r->gsi != gsi)
			continue;
		/* First: whoever is told may raise it again at once. */
		irq_set_level(vm, gsi, 0, IRQ_SOURCE_RESAMPLE);
		list_for_each_entry_srcu(irqfd, &r->irqfds, resample_link,
					 srcu_read_lock_held(&vm->srcu))
			compat_eventfd_signal(irqfd->resamplefd);
	}
	srcu_read_unlock(&vm->srcu, idx);
}

/**
 * irqfd_ack_wanted - is there an irqfd with RESAMPLE of a GSI
 * @vm: the VM
 * @gsi: which
 *
 * Context: any.
 */
bool irqfd_ack_wanted(struct vm *vm, u32 gsi)
{
	struct resampler *r;
	bool wanted = false;
	int idx;

	if (list_empty(&vm->resamplers))
		return false;
	idx = srcu_read_lock(&vm->srcu);
	list_for_each_entry_srcu(r, &vm->resamplers, link, srcu_read_lock_held(&vm->srcu))
		wanted |= r->gsi == gsi;
	srcu_read_unlock(&vm->srcu, idx);
	return wanted;
}

static int resampler_join(struct irqfd *irqfd)
{
	struct vm *vm = irqfd->vm;
	struct resampler *r;

	lockdep_assert_held(&vm->irqfd_lock);
	list_for_each_entry(r, &vm->resamplers, link)
		if (r->gsi == irqfd->gsi)
			goto found;
	r = kzalloc(sizeof(*r), GFP_KERNEL_ACCOUNT);
	if (!r)
		return -ENOMEM;
	r->gsi = irqfd->gsi;
	INIT_LIST_HEAD(&r->irqfds);
	list_add_rcu(&r->link, &vm->resamplers);
	ioapic_rescan(vm);
found:
	list_add_rcu(&irqfd->resample_link, &r->irqfds);
	irqfd->resampler = r;
	return 0;
}

static void resampler_leave(struct irqfd *irqfd)
{
	struct resampler *r = irqfd->resampler;
	struct vm *vm = irqfd->vm;
	bool last;

	mutex_lock(&vm->irqfd_lock);
	list_del_rcu(&irqfd->resample_link);
	last = list_empty(&r->irqfds);
	if (last)
		list_del_rcu(&r->link);
	synchronize_srcu_expedited(&vm->srcu);
	if (last) {
		irq_set_level(vm, r->gsi, 0, IRQ_SOURCE_RESAMPLE);
		ioapic_rescan(vm);
		kfree(r);
	}
	mutex_unlock(&vm->irqfd_lock);
}

/* ---- injection ------------------------------------------------------------------- */

/* Any context. */
static void irqfd_inject(struct irqfd *irqfd)
{
	if (irqfd->resampler)
		irq_set_level(irqfd->vm, irqfd->gsi, 1, IRQ_SOURCE_RESAMPLE);
	else
		irq_pulse(irqfd->vm, irqfd->gsi);
}

/* vm->irqfd_list_lock held, so that queueing is over for whoever takes it next. */
static void irqfd_deactivate(struct irqfd *irqfd)
{
	lockdep_assert_held(&irqfd->vm->irqfd_list_lock);
	list_del_init(&irqfd->link);
	queue_work(irqfd_wq, &irqfd->shutdown);
}

/* The eventfd's lock is held, interrupts are off. */
static int irqfd_wakeup(wait_queue_entry_t *wait, unsigned int mode, int sync, void *key)
{
	struct irqfd *irqfd = container_of(wait, struct irqfd, wait);
	struct vm *vm = irqfd->vm;
	__poll_t events = key_to_poll(key);
	unsigned long flags;
	u64 count;

	if (events & EPOLLIN) {
		/* The event is consumed: no reader is to see it. */
		eventfd_ctx_do_read(irqfd->eventfd, &count);
		irqfd_inject(irqfd);
	}
	if (events & EPOLLHUP) {
		spin_lock_irqsave(&vm->irqfd_list_lock, flags);
		if (!list_empty(&irqfd->link))
			irqfd_deactivate(irqfd);
		spin_unlock_irqrestore(&vm->irqfd_list_lock, flags);
	}
	return !!(events & EPOLLIN);
}

static void irqfd_queue(struct file *file, wait_queue_head_t *head, poll_table *poll)
{
	struct irqfd *irqfd = container_of(poll, struct irqfd, poll);

	/* Before other waiters, who are not woken for what was consumed. */
	add_wait_queue_priority(head, &irqfd->wait);
}

/* ---- life --------------------------------------------------------------------------- */

static void irqfd_free(struct irqfd *irqfd)
{
	if (irqfd->resamplefd)
		eventfd_ctx_put(irqfd->resamplefd);
	eventfd_ctx_put(irqfd->eventfd);
	kfree(irqfd);
}

/* Not on vm->irqfds any more. */
static void irqfd_shutdown(struct work_struct *work)
{
	struct irqfd *irqfd = container_of(work, struct irqfd, shutdown);
	u64 count;

	/* Takes the lock that the wake-ups hold: none is running or comes after it. */
	eventfd_ctx_remove_wait_queue(irqfd->eventfd, &irqfd->wait, &count);
	if (irqfd->resampler)
		resampler_leave(irqfd);
	irqfd_free(irqfd);
}

/* An irqfd with its references, or an error; @file is args->fd. */
static struct irqfd *irqfd_alloc(struct vm *vm, const struct minikvm_irqfd *args,
				 struct file *file)
{
	struct eventfd_ctx *eventfd, *resamplefd = NULL;
	struct irqfd *irqfd;

	eventfd = eventfd_ctx_fileget(file);
	if (IS_ERR(eventfd))
		return ERR_CAST(eventfd);
	if (args->flags & MINIKVM_IRQFD_FLAG_RESAMPLE) {
		resamplefd = eventfd_ctx_fdget(args->resamplefd);
		if (IS_ERR(resamplefd)) {
			eventfd_ctx_put(eventfd);
			return ERR_CAST(resamplefd);
		}
	}
	irqfd = kzalloc(sizeof(*irqfd), GFP_KERNEL_ACCOUNT);
	if (!irqfd) {
		if (resamplefd)
			eventfd_ctx_put(resamplefd);
		eventfd_ctx_put(eventfd);
		return ERR_PTR(-ENOMEM);
	}
	irqfd->vm = vm;
	irqfd->gsi = args->gsi;
	irqfd->eventfd = eventfd;
	irqfd->resamplefd = resamplefd;
	INIT_LIST_HEAD(&irqfd->link);
	INIT_WORK(&irqfd->shutdown, irqfd_shutdown);
	init_waitqueue_func_entry(&irqfd->wait, irqfd_wakeup);
	init_poll_funcptr(&irqfd->poll, irqfd_queue);
	return irqfd;
}

/* vm->irqfd_lock held: only hang-ups of other eventfds change the list meanwhile. */
static int irqfd_publish(struct irqfd *irqfd, struct file *file)
{
	struct vm *vm = irqfd->vm;
	struct irqfd *other;
	int err = 0;

	lockdep_assert_held(&vm->irqfd_lock);
	spin_lock_irq(&vm->irqfd_list_lock);
	list_for_each_entry(other, &vm->irqfds, link)
		if (other->eventfd == irqfd->eventfd)
			err = -EBUSY;
	spin_unlock_irq(&vm->irqfd_list_lock);
	if (!err && irqfd->resamplefd)
		err = resampler_join(irqfd);
	if (err)
		return err;

	spin_lock_irq(&vm->irqfd_list_lock);
	list_add_tail(&irqfd->link, &vm->irqfds);
	spin_unlock_irq(&vm->irqfd_list_lock);

	/* What was signalled before counts as well; the counter stays for the next time. */
	if (vfs_poll(file, &irqfd->poll) & EPOLLIN)
		irqfd_inject(irqfd);
	return 0;
}

static int irqfd_assign(struct vm *vm, const struct minikvm_irqfd *args)
{
	bool resample = args->flags & MINIKVM_IRQFD_FLAG_RESAMPLE;
	struct irqfd *irqfd;
	struct file *file;
	int err;

	/* Only the chips of the kernel tell of an acknowledgment. */
	if (!irqchip_in_kernel(vm) || (resample && irqchip_split(vm)))
		return -EINVAL;

	/* Held to the end: as long as it is, the eventfd does not hang up. */
	file = fget(args->fd);
	if (!file)
		return -EBADF;
	irqfd = irqfd_alloc(vm, args, file);
	if (IS_ERR(irqfd)) {
		err = PTR_ERR(irqfd);
		goto put_file;
	}
	mutex_lock(&vm->irqfd_lock);
	err = irqfd_publish(irqfd, file);
	mutex_unlock(&vm->irqfd_lock);
	if (err)
		irqfd_free(irqfd);
put_file:
	fput(file);
	return err;
}

static int irqfd_deassign(struct vm *vm, const struct minikvm_irqfd *args)
{
	struct irqfd *irqfd, *next;
	struct eventfd_ctx *eventfd;

	eventfd = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);

	/* The mutex: not while it is half assigned. */
	mutex_lock(&vm->irqfd_lock);
	spin_lock_irq(&vm->irqfd_list_lock);
	list_for_each_entry_safe(irqfd, next, &vm->irqfds, link)
		if (irqfd->eventfd == eventfd && irqfd->gsi == args->gsi)
			irqfd_deactivate(irqfd);
	spin_unlock_irq(&vm->irqfd_list_lock);
	mutex_unlock(&vm->irqfd_lock);
	eventfd_ctx_put(eventfd);

	/* No interrupt comes from it after the return. */
	flush_workqueue(irqfd_wq);
	return 0;
}

/**
 * irqfd_set - IRQFD: assign or, with FLAG_DEASSIGN, deassign
 * @vm: the VM
 * @args: in kernel memory
 *
 * Context: process; takes vm->irqfd_lock; deassigning waits for wake-ups under way.
 * Return: 0; -EINVAL (an unknown flag; the fd is no eventfd; assigning: no
 * in-kernel interrupt chips, or with RESAMPLE not all of them); -EBADF (no such
 * fd); -EBUSY (the eventfd raises a GSI of this VM already); -ENOMEM. Deassigning
 * what is not assigned succeeds.
 */
int irqfd_set(struct vm *vm, const struct minikvm_irqfd *args)
{
	if (args->flags & ~IRQFD_FLAGS)
		return -EINVAL;
	if (args->flags & MINIKVM_IRQFD_FLAG_DEASSIGN)
		return irqfd_deassign(vm, args);
	return irqfd_assign(vm, args);
}

void irqfd_vm_init(struct vm *vm)
{
	mutex_init(&vm->irqfd_lock);
	spin_lock_init(&vm->irqfd_list_lock);
	INIT_LIST_HEAD(&vm->irqfds);
	INIT_LIST_HEAD(&vm->resamplers);
}

/**
 * irqfd_release - take all irqfds of a VM down
 * @vm: the VM, whose fd is closed: nobody assigns any more
 */
void irqfd_release(struct vm *vm)
{
	struct irqfd *irqfd, *next;

	spin_lock_irq(&vm->irqfd_list_lock);
	list_for_each_entry_safe(irqfd, next, &vm->irqfds, link)
		irqfd_deactivate(irqfd);
	spin_unlock_irq(&vm->irqfd_list_lock);
	/* Also for those whose hang-up came first. */
	flush_workqueue(irqfd_wq);
}

int irqfd_init(void)
{
	irqfd_wq = alloc_workqueue("minikvm-irqfd", 0, 0);
	return irqfd_wq ? 0 : -ENOMEM;
}

void irqfd_exit(void)
{
	destroy_workqueue(irqfd_wq);
}
