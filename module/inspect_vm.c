// SPDX-License-Identifier: GPL-2.0
/*
 * The reading ioctls of a VM's fd: the CPU's capabilities, the second-dimension
 * tables as ranges, memory slots, and interrupt chips.
 */
#include <linux/capability.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/uaccess.h>

#include "inspect.h"
#include "memslot.h"
#include "irqchip/irqchip.h"
#include "mmu/iter.h"
#include "mmu/mmu.h"

static long ioctl_caps(void __user *argp)
{
	struct minikvm_inspect_caps *caps = kzalloc(sizeof(*caps), GFP_KERNEL);
	long err;

	if (!caps)
		return -ENOMEM;
	vendor->inspect_caps(caps);
	caps->phys_bits = boot_cpu_data.x86_phys_bits;
	caps->virt_bits = boot_cpu_data.x86_virt_bits;
	err = copy_to_user(argp, caps, sizeof(*caps)) ? -EFAULT : 0;
	kfree(caps);
	return err;
}

/* ---- tables -------------------------------------------------------------------- */

/* Ranges on their way to userspace: what fits a page. */
#define BATCH	(PAGE_SIZE / sizeof(struct minikvm_inspect_range))

/* Read the tables from @walk's position on, until @arg->nr ranges are out. */
static long read_ranges(struct vm *vm, struct minikvm_inspect_ept *arg,
			struct mmu_range_walk *walk, struct minikvm_inspect_range *batch)
{
	struct minikvm_inspect_range __user *to = u64_to_user_ptr(arg->ranges);
	u32 room = arg->nr;
	bool more;
	u32 n;

	arg->nr = 0;
	do {
		n = min_t(u32, room - arg->nr, BATCH);
		more = mmu_read_ranges(vm, walk, batch, &n);
		if (copy_to_user(to + arg->nr, batch, n * sizeof(*batch)))
			return -EFAULT;
		arg->nr += n;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	} while (more && arg->nr < room);
	return 0;
}

static long ioctl_ept(struct vm *vm, struct minikvm_inspect_ept __user *argp)
{
	struct minikvm_inspect_range *batch;
	struct mmu_range_walk walk = { };
	struct minikvm_inspect_ept arg;
	u64 last = MMU_GFN_END << PAGE_SHIFT;
	long err;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	arg.end = arg.end && arg.end < last ? PAGE_ALIGN(arg.end) : last;
	if (arg.flags || !arg.nr || arg.gpa > arg.end)
		return -EINVAL;
	walk.gfn = arg.gpa >> PAGE_SHIFT;
	walk.end = arg.end >> PAGE_SHIFT;

	batch = kcalloc(BATCH, sizeof(*batch), GFP_KERNEL_ACCOUNT);
	if (!batch)
		return -ENOMEM;
	err = read_ranges(vm, &arg, &walk, batch);
	kfree(batch);
	if (err)
		return err;
	arg.gpa = mmu_range_next(&walk) << PAGE_SHIFT;
	arg.root = vm->mmu.root_hpa;
	arg.table_pages = READ_ONCE(vm->mmu.nr_pages);
	arg.max_level = vendor->mmu_format->max_level;
	arg.has_ad = !!vendor->mmu_format->accessed;
	return copy_to_user(argp, &arg, sizeof(arg)) ? -EFAULT : 0;
}

/* ---- memory slots ---------------------------------------------------------------- */

/* All slots of one moment, to be freed by the caller; NULL: no memory. */
static struct minikvm_inspect_slot *copy_slots(struct vm *vm, u32 *nr)
{
	struct minikvm_inspect_slot *copy;
	struct memslots_iter it = { };
	struct memslots *slots;
	struct memslot *s;
	u32 n = 0;
	int idx;

	idx = srcu_read_lock(&vm->srcu);
	slots = vm_memslots(vm);
	/* One more, because there may be none, which is no lack of memory. */
	copy = kvcalloc(slots->nr + 1, sizeof(*copy), GFP_KERNEL_ACCOUNT);
	while (copy && (s = memslots_next(slots, &it, 0, ~0ul)))
		copy[n++] = (struct minikvm_inspect_slot) {
			.gpa = s->base_gfn << PAGE_SHIFT,
			.bytes = (u64)s->npages << PAGE_SHIFT,
			.hva = s->hva,
			.slot = s->id,
			.flags = s->flags & ~MEMSLOT_INVALID,
		};
	srcu_read_unlock(&vm->srcu, idx);
	*nr = n;
	return copy;
}

static long ioctl_slots(struct vm *vm, struct minikvm_inspect_slots __user *argp)
{
	struct minikvm_inspect_slot *copy;
	struct minikvm_inspect_slots arg;
	long err = 0;
	u32 nr;

	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.flags)
		return -EINVAL;
	copy = copy_slots(vm, &nr);
	if (!copy)
		return -ENOMEM;
	if (nr > arg.nr)
		err = -E2BIG;
	else if (copy_to_user(u64_to_user_ptr(arg.slots), copy, nr * sizeof(*copy)))
		err = -EFAULT;
	kvfree(copy);
	if (err != -EFAULT && put_user(nr, &argp->nr))
		err = -EFAULT;
	return err;
}

/* ---- interrupt chips ---------------------------------------------------------------- */

static long ioctl_irqchip(struct vm *vm, void __user *argp)
{
	struct minikvm_irqchip *chip = memdup_user(argp, sizeof(*chip));
	long err;

	if (IS_ERR(chip))
		return PTR_ERR(chip);
	err = irqchip_get(vm, chip);
	if (!err && copy_to_user(argp, chip, sizeof(*chip)))
		err = -EFAULT;
	kfree(chip);
	return err;
}

static long ioctl_pit(struct vm *vm, void __user *argp)
{
	struct minikvm_pit_state2 state = { };
	long err;

	if (mutex_lock_killable(&vm->lock))
		return -EINTR;
	err = vm->pit ? pit_get_state(vm, &state) : -ENXIO;
	mutex_unlock(&vm->lock);
	if (!err && copy_to_user(argp, &state, sizeof(state)))
		err = -EFAULT;
	return err;
}

/**
 * inspect_vm_ioctl - the reading ioctls of a VM's fd
 * @vm: the VM
 * @cmd: of magic MINIKVM_INSPECTIO
 * @argp: its argument
 *
 * Context: the caller may be any process.
 * Return: as uapi/minikvm_inspect.h says; -EPERM; -ENOTTY (no such command).
 */
long inspect_vm_ioctl(struct vm *vm, unsigned int cmd, void __user *argp)
{
	/* See inspect_vcpu_ioctl(). */
	if (!capable(CAP_SYS_ADMIN))
		return -EPERM;
	switch (cmd) {
	case MINIKVM_INSPECT_CAPS:
		return ioctl_caps(argp);
	case MINIKVM_INSPECT_EPT:
		return ioctl_ept(vm, argp);
	case MINIKVM_INSPECT_SLOTS:
		return ioctl_slots(vm, argp);
	case MINIKVM_INSPECT_IRQCHIP:
		return ioctl_irqchip(vm, argp);
	case MINIKVM_INSPECT_PIT:
		return ioctl_pit(vm, argp);
	default:
		return -ENOTTY;
	}
}
