// SPDX-License-Identifier: GPL-2.0
/*
 * The vCPU fd: creation and destruction, the mmap'ed run page, and loading onto
 * a CPU.
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/anon_inodes.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <asm/tsc.h>

#include "minikvm.h"
#include "compat.h"
#include "inspect.h"
#include "memslot.h"
#include "eventfd.h"
#include "irqchip/irqchip.h"
#include "irqchip/lapic.h"
#include "x86/x86.h"

/* ---- loading -------------------------------------------------------------- */

/**
 * vcpu_load - make this CPU the one that holds the vCPU's state
 * @vcpu: the vCPU, its mutex held
 *
 * Until vcpu_put() the scheduler moves the state along with the thread.
 *
 * Context: preemption on.
 */
void vcpu_load(struct vcpu *vcpu)
{
	int cpu = get_cpu();

	preempt_notifier_register(&vcpu->preempt);
	vendor_call(vcpu_load)(vcpu, cpu);
	pvclock_loaded(vcpu, cpu);
	steal_loaded(vcpu);
	if (vcpu->lapic)
		lapic_timer_migrate(vcpu);
	put_cpu();
}

void vcpu_put(struct vcpu *vcpu)
{
	preempt_disable();
	vendor_call(vcpu_put)(vcpu, true);
	preempt_notifier_unregister(&vcpu->preempt);
	preempt_enable();
}

static void vcpu_sched_in(struct preempt_notifier *notifier, int cpu)
{
	struct vcpu *vcpu = container_of(notifier, struct vcpu, preempt);

	WRITE_ONCE(vcpu->ready, false);
	vendor_call(vcpu_load)(vcpu, cpu);
	pvclock_loaded(vcpu, cpu);
	steal_loaded(vcpu);
	if (vcpu->lapic)
		lapic_timer_migrate(vcpu);
}

static void vcpu_sched_out(struct preempt_notifier *notifier, struct task_struct *next)
{
	struct vcpu *vcpu = container_of(notifier, struct vcpu, preempt);

	if (compat_task_is_runnable(current)) {
		WRITE_ONCE(vcpu->ready, true);
		steal_preempted(vcpu);
	}
	vendor_call(vcpu_put)(vcpu, false);
}

static struct preempt_ops vcpu_preempt_ops = {
	.sched_in	= vcpu_sched_in,
	.sched_out	= vcpu_sched_out,
};

/* ---- reset ---------------------------------------------------------------- */

/**
 * vcpu_reset - put a vCPU into its state after power-on or INIT
 * @vcpu: the vCPU, loaded
 * @init: INIT (keeps FPU, most MSRs and CR0's cache bits) instead of power-on
 *
 * Source: Intel SDM vol. 3A (December 2023), "Processor State After Reset".
 */
void vcpu_reset(struct vcpu *vcpu, bool init)
{
	memset(&vcpu->events.exception, 0, sizeof(vcpu->events.exception));
	vcpu->events.interrupt.injected = false;
	vcpu->events.nmi_injected = false;
	vcpu->events.nmi_pending = 0;
	atomic_set(&vcpu->events.nmi_queued, 0);

	lapic_reset(vcpu, init);	/* IA32_APIC_BASE without an APIC too */
	fpu_reset(vcpu, init);
	msr_reset(vcpu, init);
	vendor->vcpu_reset(vcpu, init);
	regs_reset(vcpu, init);
	vcpu_set_request(vcpu, REQ_EVENT);
}

/* ---- the mmap'ed pages ------------------------------------------------------ */

static vm_fault_t vcpu_mmap_fault(struct vm_fault *vmf)
{
	struct vcpu *vcpu = vmf->vma->vm_file->private_data;
	struct page *page;

	if (vmf->pgoff == 0)
		page = virt_to_page(vcpu->run);
	else if (vmf->pgoff == MINIKVM_PIO_PAGE_OFFSET)
		page = virt_to_page(vcpu->pio_data);
	else if (vmf->pgoff == MINIKVM_COALESCED_MMIO_PAGE_OFFSET)
		page = coalesced_page(vcpu->vm);
	else
		return VM_FAULT_SIGBUS;
	get_page(page);
	vmf->page = page;
	return 0;
}

static const struct vm_operations_struct vcpu_vm_ops = {
	.fault = vcpu_mmap_fault,
};

static int vcpu_mmap(struct file *file, struct vm_area_struct *vma)
{
	/* The pages are the vCPU's own: they outlive a mapping, and it them. */
	vma->vm_ops = &vcpu_vm_ops;
	return 0;
}

/* ---- the fd ----------------------------------------------------------------- */

static int vcpu_release(struct inode *inode, struct file *file)
{
	struct vcpu *vcpu = file->private_data;

	/* The vCPU itself goes with its VM: others may still send it IPIs. */
	vm_put(vcpu->vm);
	return 0;
}

static const struct file_operations vcpu_fops = {
	.owner		= THIS_MODULE,
	.release	= vcpu_release,
	.unlocked_ioctl	= vcpu_ioctl,
	.mmap		= vcpu_mmap,
	.llseek		= noop_llseek,
};

/* ---- creation and destruction ------------------------------------------------- */

static int vcpu_alloc_pages(struct vcpu *vcpu)
{
	BUILD_BUG_ON(sizeof(struct minikvm_run) > PAGE_SIZE);

	vcpu->run = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	vcpu->pio_data = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	return vcpu->run && vcpu->pio_data ? 0 : -ENOMEM;
}

static void vcpu_free_pages(struct vcpu *vcpu)
{
	free_page((unsigned long)vcpu->pio_data);
	free_page((unsigned long)vcpu->run);
}

static struct vcpu *vcpu_alloc(struct vm *vm, u32 id)
{
	struct vcpu *vcpu;
	int err = -ENOMEM;

	vcpu = kvzalloc(vendor->vcpu_size, GFP_KERNEL_ACCOUNT);
	if (!vcpu)
		return ERR_PTR(-ENOMEM);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->cpu = -1;
	vcpu->user_extint = -1;
	vcpu->tsc_ratio = TSC_RATIO_ONE;
	vcpu->tsc_khz = max(tsc_khz, 1u);
	mutex_init(&vcpu->mutex);
	rcuwait_init(&vcpu->wait);
	inspect_vcpu_init(vcpu);
	preempt_notifier_init(&vcpu->preempt, &vcpu_preempt_ops);
	vcpu->mp_state = MINIKVM_MP_STATE_RUNNABLE;

	if (vcpu_alloc_pages(vcpu))
		goto free_pages;
	err = fpu_create(vcpu);
	if (err)
		goto free_pages;
	if (irqchip_in_kernel(vm)) {
		err = lapic_create(vcpu);
		if (err)
			goto free_fpu;
		if (id != vm->bsp_id)
			vcpu->mp_state = MINIKVM_MP_STATE_UNINITIALIZED;
	}
	err = vendor->vcpu_create(vcpu);
	if (err)
		goto free_lapic;
	return vcpu;

free_lapic:
	if (vcpu->lapic)
		lapic_free(vcpu);
free_fpu:
	fpu_free(vcpu);
free_pages:
	vcpu_free_pages(vcpu);
	kvfree(vcpu);
	return ERR_PTR(err);
}

/**
 * vcpu_destroy - free a vCPU that nobody can reach or run any more
 * @vcpu: from vcpu_create(), or never published
 */
void vcpu_destroy(struct vcpu *vcpu)
{
	if (vcpu->lapic)
		lapic_free(vcpu);
	vendor->vcpu_free(vcpu);
	vcpu_forget_thread(vcpu);
	emul_free(vcpu);
	cpuid_free(vcpu);
	fpu_free(vcpu);
	vcpu_free_pages(vcpu);
	kvfree(vcpu);
}

/* vm->lock held. The fd is the last thing that can fail. */
static int vcpu_publish(struct vm *vm, struct vcpu *vcpu)
{
	char name[sizeof("minikvm-vcpu:") + 10];
	int fd;

	if (vm_vcpu_by_id(vm, vcpu->id))
		return -EEXIST;
	vcpu->idx = vm->nr_vcpus;
	vm_get(vm);
	snprintf(name, sizeof(name), "minikvm-vcpu:%u", vcpu->id);
	fd = anon_inode_getfd(name, &vcpu_fops, vcpu, O_RDWR | O_CLOEXEC);
	if (fd < 0) {
		vm_put(vm);
		return fd;
	}
	vm->vcpus[vcpu->idx] = vcpu;
	/* Pairs with vm_nr_vcpus(): the pointer is there before the count. */
	smp_store_release(&vm->nr_vcpus, vcpu->idx + 1);
	dirty_log_new_vcpu(vcpu);
	/* A filter set since the vCPU's bitmap was made asked only those it could see. */
	vcpu_set_request(vcpu, REQ_MSR_FILTER);
	return fd;
}

/**
 * vcpu_create - CREATE_VCPU
 * @vm: the VM
 * @id: APIC id of the new vCPU, below MK_MAX_VCPU_ID
 *
 * Return: the vCPU's fd; -EINVAL (id or number of vCPUs out of range); -EEXIST;
 * -ENOMEM; -EMFILE.
 */
int vcpu_create(struct vm *vm, u32 id)
{
	struct vcpu *vcpu;
	int fd;

	if (id >= MK_MAX_VCPU_ID)
		return -EINVAL;

	/* The place is reserved first, so that chips cannot appear midway. */
	mutex_lock(&vm->lock);
	if (vm->created_vcpus >= MK_MAX_VCPUS || (vm->max_vcpu_ids && id >= vm->max_vcpu_ids)) {
		mutex_unlock(&vm->lock);
		return -EINVAL;
	}
	/* Too late to choose another bound (CAP_MAX_VCPU_ID). */
	if (!vm->max_vcpu_ids)
		vm->max_vcpu_ids = MK_MAX_VCPU_ID;
	vm->created_vcpus++;
	mutex_unlock(&vm->lock);

	vcpu = vcpu_alloc(vm, id);
	if (IS_ERR(vcpu)) {
		fd = PTR_ERR(vcpu);
		goto unreserve;
	}
	mutex_lock(&vcpu->mutex);
	vcpu_load(vcpu);
	vcpu_reset(vcpu, false);
	guest_tsc_set_khz(vcpu, READ_ONCE(vm->default_tsc_khz));
	guest_tsc_write(vcpu, 0, true);
	vcpu_put(vcpu);
	mutex_unlock(&vcpu->mutex);

	mutex_lock(&vm->lock);
	fd = vcpu_publish(vm, vcpu);
	mutex_unlock(&vm->lock);
	if (fd < 0)
		goto destroy;
	if (vcpu->lapic)
		lapic_map_update(vm);
	return fd;

destroy:
	vcpu_destroy(vcpu);
unreserve:
	mutex_lock(&vm->lock);
	vm->created_vcpus--;
	mutex_unlock(&vm->lock);
	return fd;
}
