// SPDX-License-Identifier: GPL-2.0
/*
 * Reading a live vCPU for another process: how the reader and the thread that runs
 * the vCPU find each other, and the vCPU's reading ioctls.
 *
 * What is in the VMCS only the CPU that has it loaded can tell. So a reader leaves its
 * work on a list and sets REQ_INSPECT. The vCPU's thread takes the list before its next
 * entry, while it waits halted, or when it leaves RUN. If nobody has the vCPU, the
 * reader takes vcpu->mutex and does it itself:
 *
 *	reader				holder of vcpu->mutex
 *	list_add(work)			unlock
 *	set REQ_INSPECT			barrier
 *	barrier				REQ_INSPECT? wake the readers
 *	trylock? else sleep
 *
 * One of the two sees the other. Only who holds vcpu->mutex takes work from the list;
 * vcpu->inspect.lock is held while it is done, so a reader that gave up (a signal) has
 * either taken its work back or waits for the few microseconds until it is done. The
 * vCPU's thread waits for nobody.
 */
#include <linux/capability.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/tsc.h>

#include "inspect.h"
#include "exit_ring.h"
#include "irqchip/irqchip.h"
#include "irqchip/lapic.h"
#include "x86/x86.h"

/**
 * struct inspect_work - something to read of a vCPU
 * @link: in vcpu->inspect.works, empty when it is not
 * @read: by a holder of vcpu->mutex, the vCPU loaded; must not sleep
 * @done: @read has returned
 * @mine: the reader got vcpu->mutex
 */
struct inspect_work {
	struct list_head link;
	void (*read)(struct vcpu *vcpu, struct inspect_work *work);
	bool done;
	bool mine;
};

/* A vCPU that nobody can reach so far. */
void inspect_vcpu_init(struct vcpu *vcpu)
{
	spin_lock_init(&vcpu->inspect.lock);
	INIT_LIST_HEAD(&vcpu->inspect.works);
	init_waitqueue_head(&vcpu->inspect.readers);
}

/* Readers look again whether they are served, or may serve themselves. */
void inspect_wake(struct vcpu *vcpu)
{
	wake_up_all(&vcpu->inspect.readers);
}

/**
 * inspect_serve - do what readers wait for
 * @vcpu: loaded, by the holder of its mutex
 *
 * Context: preemption on or off, interrupts on; does not sleep.
 */
void inspect_serve(struct vcpu *vcpu)
{
	struct inspect_work *work, *next;

	vcpu_take_request(vcpu, REQ_INSPECT);
	spin_lock(&vcpu->inspect.lock);
	list_for_each_entry_safe(work, next, &vcpu->inspect.works, link) {
		list_del_init(&work->link);
		work->read(vcpu, work);
		/* Pairs with served(). The work is its reader's from here on. */
		smp_store_release(&work->done, true);
	}
	spin_unlock(&vcpu->inspect.lock);
	inspect_wake(vcpu);
}

/* Nobody runs the vCPU: this CPU has its state for a moment. Its mutex is held. */
static void serve_here(struct vcpu *vcpu)
{
	/*
	 * Not vcpu_load(): the scheduler would tell the guest of a preemption, by way
	 * of the wrong mm.
	 */
	preempt_disable();
	vendor->vcpu_load(vcpu, smp_processor_id());
	inspect_serve(vcpu);
	vendor->vcpu_put(vcpu, true);
	preempt_enable();
}

static bool served(struct vcpu *vcpu, struct inspect_work *work)
{
	/* Pairs with inspect_serve(): what was read is there. */
	if (smp_load_acquire(&work->done))
		return true;
	work->mine = mutex_trylock(&vcpu->mutex);
	return work->mine;
}

static void wait_served(struct vcpu *vcpu, u32 wait_ms, struct inspect_work *work)
{
	vcpu_set_request(vcpu, REQ_INSPECT);
	/* Pairs with inspect_unlock(). */
	smp_mb();
	if (wait_ms && wait_event_interruptible_timeout(vcpu->inspect.readers,
							served(vcpu, work),
							msecs_to_jiffies(wait_ms)))
		return;
	vcpu_kick(vcpu);
	/* Interrupted or not: what became of the work says how it ended. */
	if (wait_event_interruptible(vcpu->inspect.readers, served(vcpu, work)))
		return;
}

/*
 * Have @work done, by whoever has the vCPU. It may exit on its own for @wait_ms.
 *
 * Return: 0; -EINTR, not done; -EINVAL, too long to wait.
 */
static int inspect_vcpu(struct vcpu *vcpu, u32 wait_ms, struct inspect_work *work)
{
	if (wait_ms > MINIKVM_INSPECT_MAX_WAIT_MS)
		return -EINVAL;
	work->done = false;
	work->mine = false;
	spin_lock(&vcpu->inspect.lock);
	list_add_tail(&work->link, &vcpu->inspect.works);
	spin_unlock(&vcpu->inspect.lock);

	wait_served(vcpu, wait_ms, work);

	if (work->mine) {
		if (!work->done)
			serve_here(vcpu);
		inspect_unlock(vcpu);
	}
	/* Whoever is at it is done when this lock is free. */
	spin_lock(&vcpu->inspect.lock);
	list_del_init(&work->link);
	spin_unlock(&vcpu->inspect.lock);
	return work->done ? 0 : -EINTR;
}

/* ---- the VMCS ---------------------------------------------------------------- */

struct vmcs_work {
	struct inspect_work work;
	struct minikvm_inspect_vmcs *head;
	struct minikvm_inspect_field *fields;
};

static u32 pending_regs(struct vcpu *vcpu)
{
	u32 pending = 0;

	if (vcpu->reg_dirty & BIT(REG_RIP))
		pending |= MINIKVM_INSPECT_PENDING_RIP;
	if (vcpu->reg_dirty & BIT(REG_RSP))
		pending |= MINIKVM_INSPECT_PENDING_RSP;
	if (vcpu->reg_dirty & BIT(REG_RFLAGS))
		pending |= MINIKVM_INSPECT_PENDING_RFLAGS;
	return pending;
}

static void read_vmcs(struct vcpu *vcpu, struct inspect_work *work)
{
	struct vmcs_work *w = container_of(work, struct vmcs_work, work);
	struct minikvm_inspect_vmcs *head = w->head;

	vendor->inspect_fields(vcpu, w->fields);
	head->cpu = raw_smp_processor_id();
	head->pending = pending_regs(vcpu);
	head->exits = vcpu->stats.exits;
	head->tsc = rdtsc();
	head->rip = rip_read(vcpu);
	head->rsp = reg_read(vcpu, REG_RSP);
	head->rflags = rflags_read(vcpu);
}

static long ioctl_vmcs(struct vcpu *vcpu, struct minikvm_inspect_vmcs __user *argp)
{
	u32 nr = vendor->inspect_nr_fields();
	struct minikvm_inspect_vmcs head;
	struct vmcs_work w = { .work.read = read_vmcs, .head = &head };
	long err;

	if (copy_from_user(&head, argp, sizeof(head)))
		return -EFAULT;
	if (head.flags)
		return -EINVAL;
	if (head.nr < nr)
		return put_user(nr, &argp->nr) ? -EFAULT : -E2BIG;
	head.nr = nr;
	head.vcpu_id = vcpu->id;

	w.fields = kvcalloc(nr, sizeof(*w.fields), GFP_KERNEL_ACCOUNT);
	if (!w.fields)
		return -ENOMEM;
	err = inspect_vcpu(vcpu, head.wait_ms, &w.work);
	if (!err && (copy_to_user(u64_to_user_ptr(head.fields), w.fields,
				  nr * sizeof(*w.fields)) ||
		     copy_to_user(argp, &head, sizeof(head))))
		err = -EFAULT;
	kvfree(w.fields);
	return err;
}

/* ---- bitmaps ------------------------------------------------------------------- */

#define NR_BITMAPS	3

struct bitmap_work {
	struct inspect_work work;
	u32 present;
	u8 (*copy)[MINIKVM_INSPECT_BITMAP_BYTES];	/* of NR_BITMAPS */
};

static void read_bitmaps(struct vcpu *vcpu, struct inspect_work *work)
{
	struct bitmap_work *w = container_of(work, struct bitmap_work, work);
	int i;

	w->present = 0;
	for (i = 0; i < NR_BITMAPS; i++) {
		const void *bitmap = vendor->inspect_bitmap(vcpu, BIT(i));

		if (!bitmap)
			continue;
		w->present |= BIT(i);
		memcpy(w->copy[i], bitmap, MINIKVM_INSPECT_BITMAP_BYTES);
	}
}

static long ioctl_bitmaps(struct vcpu *vcpu, struct minikvm_inspect_bitmaps __user *argp)
{
	struct bitmap_work w = { .work.read = read_bitmaps };
	struct minikvm_inspect_bitmaps head;
	u64 to[NR_BITMAPS];
	long err;
	int i;

	if (copy_from_user(&head, argp, sizeof(head)))
		return -EFAULT;
	if (head.flags || head.pad)
		return -EINVAL;
	to[ilog2(MINIKVM_INSPECT_BITMAP_MSR)] = head.msr;
	to[ilog2(MINIKVM_INSPECT_BITMAP_IO_A)] = head.io_a;
	to[ilog2(MINIKVM_INSPECT_BITMAP_IO_B)] = head.io_b;

	w.copy = kvcalloc(NR_BITMAPS, sizeof(*w.copy), GFP_KERNEL_ACCOUNT);
	if (!w.copy)
		return -ENOMEM;
	err = inspect_vcpu(vcpu, head.wait_ms, &w.work);
	head.present = w.present;
	for (i = 0; i < NR_BITMAPS && !err; i++)
		if (to[i] && w.present & BIT(i) &&
		    copy_to_user(u64_to_user_ptr(to[i]), w.copy[i], sizeof(w.copy[i])))
			err = -EFAULT;
	if (!err && copy_to_user(argp, &head, sizeof(head)))
		err = -EFAULT;
	kvfree(w.copy);
	return err;
}

/* ---- the local APIC -------------------------------------------------------------- */

struct lapic_work {
	struct inspect_work work;
	struct minikvm_inspect_lapic *state;
};

static void read_lapic(struct vcpu *vcpu, struct inspect_work *work)
{
	struct minikvm_inspect_lapic *state =
		container_of(work, struct lapic_work, work)->state;

	state->mp_state = vcpu->mp_state;
	state->apic_base = vcpu->apic_base;
	state->has_apic = !!vcpu->lapic;
	memset(&state->regs, 0, sizeof(state->regs));
	if (vcpu->lapic)
		lapic_get_state(vcpu, &state->regs);
}

static long ioctl_lapic(struct vcpu *vcpu, struct minikvm_inspect_lapic __user *argp)
{
	struct lapic_work w = { .work.read = read_lapic };
	long err = -EINVAL;

	w.state = memdup_user(argp, sizeof(*w.state));
	if (IS_ERR(w.state))
		return PTR_ERR(w.state);
	if (!w.state->flags)
		err = inspect_vcpu(vcpu, w.state->wait_ms, &w.work);
	if (!err && copy_to_user(argp, w.state, sizeof(*w.state)))
		err = -EFAULT;
	kfree(w.state);
	return err;
}

/**
 * inspect_vcpu_ioctl - the reading ioctls of a vCPU's fd
 * @vcpu: the vCPU
 * @cmd: of magic MINIKVM_INSPECTIO
 * @argp: its argument
 *
 * Context: the caller may be any process; vcpu->mutex is not held.
 * Return: as uapi/minikvm_inspect.h says; -EPERM; -ENOTTY (no such command).
 */
long inspect_vcpu_ioctl(struct vcpu *vcpu, unsigned int cmd, void __user *argp)
{
	/* Host addresses, the kernel's included, are nobody else's business. */
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch (cmd) {
	case MINIKVM_INSPECT_VMCS:
		return ioctl_vmcs(vcpu, argp);
	case MINIKVM_INSPECT_BITMAPS:
		return ioctl_bitmaps(vcpu, argp);
	case MINIKVM_INSPECT_LAPIC:
		return ioctl_lapic(vcpu, argp);
	case MINIKVM_EXIT_RING:
		return exit_ring_fd(vcpu, argp);
	default:
		return -ENOTTY;
	}
}
