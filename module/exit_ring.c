// SPDX-License-Identifier: GPL-2.0
/*
 * The exit ring: the last exits of a vCPU, each with its times, for readers who do not
 * stop it.
 *
 * The vCPU's own thread is the only writer. It gathers an exit in vcpu->exit_record and
 * writes it into the ring when the guest is entered again, and before that, marked as
 * open, when RUN returns. A slot's stamp is the number of its entry plus one, and 0 while
 * the entry is being written; a reader copies the entry and looks whether the stamp was
 * the right one before and after. So neither waits for the other, and a reader that was
 * overtaken knows what it lost.
 *
 * The ring belongs to its fds. The writer looks it up under RCU each time it writes, and
 * the last close waits for that.
 */
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/module.h>
#include <linux/mutex.h>
#include <linux/rcupdate.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <asm/tsc.h>

#include "exit_ring.h"

/* Entries on their way to userspace. */
#define READ_BATCH	32

/**
 * struct exit_slot - a place in the ring
 * @stamp: number of the entry plus one, 0 while it changes
 * @entry: the entry
 */
struct exit_slot {
	u64 stamp;
	struct minikvm_exit_entry entry;
};

/**
 * struct exit_ring - the last exits of a vCPU
 * @vcpu: the vCPU, kept by the fds
 * @fds: how many there are, under exit_ring_lock
 * @id: no other ring has or had it
 * @head: number of the next exit to be complete
 * @mask: number of slots less one
 * @slot: the slots
 */
struct exit_ring {
	struct vcpu *vcpu;
	unsigned int fds;
	u64 id;
	u64 head;
	u32 mask;
	struct exit_slot slot[];
};

/* Rings that there are. */
DEFINE_STATIC_KEY_FALSE(exit_ring_used);

/* Which vCPU has which ring, and who has it open. */
static DEFINE_MUTEX(exit_ring_lock);
static u64 last_ring_id;

/* ---- the writer: the vCPU's own thread ------------------------------------------- */

static void ring_write(struct exit_ring *ring, const struct minikvm_exit_entry *entry)
{
	struct exit_slot *slot = &ring->slot[entry->seq & ring->mask];

	WRITE_ONCE(slot->stamp, 0);
	/* Pairs with ring_copy(): who reads some of the new entry finds the stamp gone. */
	smp_wmb();
	slot->entry = *entry;
	/* Pairs with ring_copy(): the stamp says that the entry is whole. */
	smp_store_release(&slot->stamp, entry->seq + 1);
}

/* RCU read-locked, or interrupts off. The record begins anew with a new ring. */
static struct exit_ring *current_ring(struct vcpu *vcpu)
{
	struct exit_ring *ring = rcu_dereference_check(vcpu->exit_ring, rcu_read_lock_sched_held());
	struct exit_record *rec = &vcpu->exit_record;

	if (ring && rec->ring_id != ring->id)
		*rec = (struct exit_record) { .ring_id = ring->id };
	return ring;
}

/**
 * exit_ring_entry - the guest is about to be entered
 * @vcpu: the vCPU
 *
 * Context: interrupts off.
 */
noinline void exit_ring_entry(struct vcpu *vcpu)
{
	struct exit_record *rec = &vcpu->exit_record;
	struct exit_ring *ring = current_ring(vcpu);
	u64 now;

	if (!ring)
		return;
	now = rdtsc_ordered();
	if (rec->open) {
		struct minikvm_exit_entry *e = &rec->entry;

		e->flags &= ~MINIKVM_EXIT_ENTRY_OPEN;
		e->tsc_entry = now;
		e->kernel_ticks = now - e->tsc_exit - e->user_ticks - e->wait_ticks;
		ring_write(ring, e);
		/* Pairs with ring_read(): the entry is there before it counts. */
		smp_store_release(&ring->head, e->seq + 1);
		rec->open = false;
		now = rdtsc_ordered();
	}
	rec->entered = now;
}

/**
 * exit_ring_exit - the guest was left
 * @vcpu: the vCPU; nothing of the exit has been handled
 *
 * Context: interrupts off.
 */
noinline void exit_ring_exit(struct vcpu *vcpu)
{
	u64 now = rdtsc_ordered();
	struct exit_record *rec = &vcpu->exit_record;
	struct exit_ring *ring = current_ring(vcpu);
	struct exit_info info;

	if (!ring)
		return;
	vendor->get_exit_info(vcpu, &info);
	rec->entry = (struct minikvm_exit_entry) {
		.seq = ring->head,
		.tsc_exit = now,
		.guest_ticks = rec->entered ? now - rec->entered : 0,
		.qualification = info.qualification,
		.rip = info.rip,
		.reason = info.reason,
		.intr_info = info.intr_info,
		.error_code = info.error_code,
		.idt_info = info.idt_info,
	};
	if (info.gpa != MK_INVALID_GPA) {
		rec->entry.gpa = info.gpa;
		rec->entry.flags = MINIKVM_EXIT_ENTRY_GPA;
	}
	rec->open = true;
}

/* RUN begins: userspace's time ends. */
noinline void exit_ring_run(struct vcpu *vcpu)
{
	struct exit_record *rec = &vcpu->exit_record;

	rcu_read_lock();
	if (current_ring(vcpu) && rec->left_run)
		rec->entry.user_ticks += rdtsc_ordered() - rec->left_run;
	rec->left_run = 0;
	rcu_read_unlock();
}

/**
 * exit_ring_leave - RUN returns
 * @vcpu: the vCPU
 * @result: 0 or a negative errno
 */
noinline void exit_ring_leave(struct vcpu *vcpu, long result)
{
	struct exit_record *rec = &vcpu->exit_record;
	struct minikvm_exit_entry *e = &rec->entry;
	struct exit_ring *ring;

	rcu_read_lock();
	ring = current_ring(vcpu);
	if (ring && rec->open) {
		/* The first return is the exit's own, others come of signals. */
		if (!(e->flags & MINIKVM_EXIT_ENTRY_USER)) {
			e->flags |= MINIKVM_EXIT_ENTRY_USER;
			if (result)
				e->flags |= MINIKVM_EXIT_ENTRY_ERROR;
			e->run_reason = result ? (u32)result : vcpu->run->exit_reason;
		}
		e->flags |= MINIKVM_EXIT_ENTRY_OPEN;
		ring_write(ring, e);
		rec->left_run = rdtsc_ordered();
	}
	rcu_read_unlock();
}

/* The vCPU waited, halted or for INIT or SIPI; @since is 0 if nobody looked then. */
noinline void exit_ring_waited(struct vcpu *vcpu, u64 since)
{
	struct exit_record *rec = &vcpu->exit_record;

	rcu_read_lock();
	if (current_ring(vcpu) && rec->open && since > rec->entry.tsc_exit)
		rec->entry.wait_ticks += rdtsc_ordered() - since;
	rcu_read_unlock();
}

/* ---- readers ---------------------------------------------------------------------- */

/* Entry number @seq. False: overwritten, or not there. */
static bool ring_copy(struct exit_ring *ring, u64 seq, struct minikvm_exit_entry *entry)
{
	struct exit_slot *slot = &ring->slot[seq & ring->mask];

	/* Pairs with ring_write(). */
	if (smp_load_acquire(&slot->stamp) != seq + 1)
		return false;
	*entry = slot->entry;
	/* Pairs with ring_write(). */
	smp_rmb();
	return READ_ONCE(slot->stamp) == seq + 1;
}

/*
 * Up to @max entries from @arg->seq on. Return: how many; fewer mean that there are no
 * more.
 */
static u32 ring_read(struct exit_ring *ring, struct minikvm_exit_ring_read *arg,
		     struct minikvm_exit_entry *to, u32 max)
{
	/* Pairs with exit_ring_entry(). */
	u64 head = smp_load_acquire(&ring->head);
	u32 n = 0;

	arg->recorded = head;
	if (head > ring->mask && arg->seq < head - ring->mask - 1) {
		arg->lost += head - ring->mask - 1 - arg->seq;
		arg->seq = head - ring->mask - 1;
	}
	for (; n < max && arg->seq < head; arg->seq++) {
		if (ring_copy(ring, arg->seq, &to[n]))
			n++;
		else
			arg->lost++;
	}
	/* The one behind them, if it is in userspace's hands; or it is complete by now. */
	if (n < max && arg->seq == head && ring_copy(ring, head, &to[n])) {
		if (!(to[n].flags & MINIKVM_EXIT_ENTRY_OPEN))
			arg->seq++;
		n++;
	}
	return n;
}

static long ring_ioctl_read(struct exit_ring *ring, struct minikvm_exit_ring_read __user *argp)
{
	struct minikvm_exit_ring_read arg;
	struct minikvm_exit_entry *batch;
	u32 room, n;
	long err = 0;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.flags || arg.pad || arg.seq > READ_ONCE(ring->head))
		return -EINVAL;
	batch = kcalloc(READ_BATCH, sizeof(*batch), GFP_KERNEL_ACCOUNT);
	if (!batch)
		return -ENOMEM;
	room = arg.nr;
	arg.nr = 0;
	arg.lost = 0;
	arg.tsc_khz = tsc_khz;
	do {
		u32 want = min_t(u32, room - arg.nr, READ_BATCH);

		n = ring_read(ring, &arg, batch, want);
		if (copy_to_user((struct minikvm_exit_entry __user *)u64_to_user_ptr(arg.entries) +
				 arg.nr, batch, n * sizeof(*batch)))
			err = -EFAULT;
		arg.nr += n;
		cond_resched();
	} while (!err && n == READ_BATCH && arg.nr < room && !fatal_signal_pending(current));
	kfree(batch);
	if (!err && copy_to_user(argp, &arg, sizeof(arg)))
		err = -EFAULT;
	return err;
}

static long ring_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	if (cmd != MINIKVM_EXIT_RING_READ)
		return -ENOTTY;
	/* Whoever has the fd got it from somebody who may read, or is he. */
	return ring_ioctl_read(file->private_data, (void __user *)arg);
}

/* ---- its life ------------------------------------------------------------------------ */

/* One fd less. */
static void ring_put(struct exit_ring *ring)
{
	struct vcpu *vcpu = ring->vcpu;
	bool last;

	mutex_lock(&exit_ring_lock);
	last = !--ring->fds;
	if (last)
		rcu_assign_pointer(vcpu->exit_ring, NULL);
	mutex_unlock(&exit_ring_lock);
	if (last) {
		synchronize_rcu();
		kvfree(ring);
	}
	static_branch_dec(&exit_ring_used);
	vm_put(vcpu->vm);
}

static int ring_release(struct inode *inode, struct file *file)
{
	ring_put(file->private_data);
	return 0;
}

static const struct file_operations ring_fops = {
	.owner		= THIS_MODULE,
	.release	= ring_release,
	.unlocked_ioctl	= ring_ioctl,
	.llseek		= noop_llseek,
};

/* The vCPU's ring, a new one if it has none. One fd more. */
static struct exit_ring *ring_get(struct vcpu *vcpu, u32 entries)
{
	struct exit_ring *ring, *old;

	ring = kvzalloc(struct_size(ring, slot, entries), GFP_KERNEL_ACCOUNT);
	if (!ring)
		return ERR_PTR(-ENOMEM);
	ring->vcpu = vcpu;
	ring->mask = entries - 1;

	static_branch_inc(&exit_ring_used);
	mutex_lock(&exit_ring_lock);
	old = rcu_dereference_protected(vcpu->exit_ring, lockdep_is_held(&exit_ring_lock));
	if (old) {
		kvfree(ring);
		ring = old;
	} else {
		ring->id = ++last_ring_id;
		rcu_assign_pointer(vcpu->exit_ring, ring);
	}
	ring->fds++;
	mutex_unlock(&exit_ring_lock);
	vm_get(vcpu->vm);
	return ring;
}

/**
 * exit_ring_fd - MINIKVM_EXIT_RING
 * @vcpu: the vCPU, which the fd keeps
 * @argp: struct minikvm_exit_ring
 *
 * Context: sleeps; the vCPU may run.
 * Return: the fd; -EFAULT, -EINVAL, -ENOMEM, -EMFILE, -ENFILE.
 */
long exit_ring_fd(struct vcpu *vcpu, void __user *argp)
{
	char name[sizeof("minikvm-exit-ring:") + 10];
	struct minikvm_exit_ring arg;
	struct exit_ring *ring;
	struct file *file;
	int fd;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.flags || arg.entries < MINIKVM_EXIT_RING_MIN ||
	    arg.entries > MINIKVM_EXIT_RING_MAX || !is_power_of_2(arg.entries))
		return -EINVAL;
	fd = get_unused_fd_flags(O_CLOEXEC);
	if (fd < 0)
		return fd;
	ring = ring_get(vcpu, arg.entries);
	if (IS_ERR(ring)) {
		put_unused_fd(fd);
		return PTR_ERR(ring);
	}
	snprintf(name, sizeof(name), "minikvm-exit-ring:%u", vcpu->id);
	file = anon_inode_getfile(name, &ring_fops, ring, O_RDWR);
	if (IS_ERR(file)) {
		put_unused_fd(fd);
		ring_put(ring);
		return PTR_ERR(file);
	}
	arg.entries = ring->mask + 1;
	if (copy_to_user(argp, &arg, sizeof(arg))) {
		put_unused_fd(fd);
		fput(file);
		return -EFAULT;
	}
	fd_install(fd, file);
	return fd;
}
