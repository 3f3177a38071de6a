// SPDX-License-Identifier: GPL-2.0
/*
 * The VM fd: creation, and teardown in strict reverse.
 *
 * A VM lives as long as its fd or one of its vCPU fds is open. The last close
 * frees it, vCPUs first.
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "minikvm.h"
#include "compat.h"
#include "memslot.h"
#include "eventfd.h"
#include "iobus.h"
#include "mmu/mmu.h"
#include "irqchip/irqchip.h"
#include "irqchip/irqfd.h"
#include "irqchip/lapic.h"
#include "x86/x86.h"

/**
 * vm_kill - end a VM whose invariants broke
 * @vm: the VM
 * @why: what was wrong, for the log
 *
 * Every later ioctl on the VM and its vCPUs returns -EIO; running vCPUs leave.
 *
 * Context: any.
 */
void vm_kill(struct vm *vm, const char *why)
{
	if (!xchg(&vm->dead, true))
		pr_err("VM of pid %d is dead: %s\n", vm->owner_pid, why);
	vm_request_all(vm, REQ_VM_DEAD);
}

struct vcpu *vm_vcpu_by_id(struct vm *vm, u32 id)
{
	struct vcpu *vcpu;
	int i;

	/* Most VMMs number densely, so the first guess is usually right. */
	if (id < vm_nr_vcpus(vm) && vm->vcpus[id]->id == id)
		return vm->vcpus[id];
	vm_for_each_vcpu(i, vcpu, vm)
		if (vcpu->id == id)
			return vcpu;
	return NULL;
}

/* ---- creation and teardown ---------------------------------------------- */

static void vm_destroy(struct vm *vm)
{
	int i;

	/* Timers and chips first: they kick vCPUs. */
	pit_destroy(vm);
	irqchip_stop(vm);
	/* Until here the host's mm may change, which looks at the vCPUs. */
	mmu_vm_destroy(vm);
	for (i = 0; i < vm->nr_vcpus; i++)
		vcpu_destroy(vm->vcpus[i]);
	irqchip_destroy(vm);
	iobus_destroy(vm);
	coalesced_destroy(vm);
	msr_filter_free(vm);
	memslots_destroy(vm);
	vendor->vm_destroy(vm);
	hardware_put();
	preempt_notifier_dec();
	cleanup_srcu_struct(&vm->srcu);
	mmdrop(vm->mm);
	kvfree(vm);
}

void vm_get(struct vm *vm)
{
	refcount_inc(&vm->refcount);
}

void vm_put(struct vm *vm)
{
	if (refcount_dec_and_test(&vm->refcount))
		vm_destroy(vm);
}

static struct vm *vm_alloc(void)
{
	struct vm *vm;
	int err;

	vm = kvzalloc(sizeof(*vm), GFP_KERNEL_ACCOUNT);
	if (!vm)
		return ERR_PTR(-ENOMEM);

	refcount_set(&vm->refcount, 1);
	mutex_init(&vm->lock);
	mutex_init(&vm->slots_lock);
	mutex_init(&vm->irq_lock);
	mutex_init(&vm->apic_map_lock);
	raw_spin_lock_init(&vm->tsc_lock);
	INIT_LIST_HEAD(&vm->ioeventfds);
	irqfd_vm_init(vm);
	vm->halt_poll_max_ns = MK_HALT_POLL_NS;
	vm->owner_pid = task_pid_nr(current);
	mmgrab(current->mm);
	vm->mm = current->mm;

	err = init_srcu_struct(&vm->srcu);
	if (err)
		goto drop_mm;
	/* The scheduler looks for notifiers only while somebody may have one. */
	preempt_notifier_inc();
	err = hardware_get();
	if (err)
		goto stop_notifiers;
	err = vendor->vm_init(vm);
	if (err)
		goto put_hardware;
	err = memslots_init(vm);
	if (err)
		goto destroy_vendor;
	err = iobus_init(vm);
	if (err)
		goto destroy_memslots;
	err = coalesced_init(vm);
	if (err)
		goto destroy_iobus;
	pvclock_vm_init(vm);
	err = mmu_vm_init(vm);
	if (err)
		goto destroy_coalesced;
	return vm;

destroy_coalesced:
	coalesced_destroy(vm);
destroy_iobus:
	iobus_destroy(vm);
destroy_memslots:
	memslots_destroy(vm);
destroy_vendor:
	vendor->vm_destroy(vm);
put_hardware:
	hardware_put();
stop_notifiers:
	preempt_notifier_dec();
	cleanup_srcu_struct(&vm->srcu);
drop_mm:
	mmdrop(vm->mm);
	kvfree(vm);
	return ERR_PTR(err);
}

/* ---- the fd --------------------------------------------------------------- */

static int vm_release(struct inode *inode, struct file *file)
{
	struct vm *vm = file->private_data;

	/* Nobody can deassign them any more, though vCPUs may go on. */
	irqfd_release(vm);
	vm_put(vm);
	return 0;
}

static const struct file_operations vm_fops = {
	.owner		= THIS_MODULE,
	.release	= vm_release,
	.unlocked_ioctl	= vm_ioctl,
	.llseek		= noop_llseek,
};

/**
 * vm_create - CREATE_VM
 *
 * Return: the new VM's fd; -ENOMEM; -EBUSY or -EIO from hardware_get(); -EINTR
 * when a fatal signal ended the registration with the host mm; -EMFILE.
 */
int vm_create(void)
{
	struct vm *vm = vm_alloc();
	int fd;

	if (IS_ERR(vm))
		return PTR_ERR(vm);
	fd = anon_inode_getfd("minikvm-vm", &vm_fops, vm, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		vm_put(vm);
	return fd;
}
