// SPDX-License-Identifier: GPL-2.0
/*
 * The VM ioctls: copying their arguments in and out, and handing each to the
 * part of the module that does it.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "minikvm.h"
#include "eventfd.h"
#include "inspect.h"
#include "memslot.h"
#include "irqchip/irqchip.h"
#include "irqchip/irqfd.h"
#include "x86/x86.h"

static int vm_ioctl_set_tss_addr(struct vm *vm, unsigned long addr)
{
	/* The address is 32 bits wide and three pages must fit above it. */
	if (addr > (u32)(-3 * PAGE_SIZE))
		return -EINVAL;
	/* Real mode runs natively (unrestricted guest): nothing to place there. */
	vm->tss_addr = addr;
	return 0;
}

static int vm_ioctl_set_identity_map_addr(struct vm *vm, u64 __user *argp)
{
	u64 addr;
	int err = 0;

	/* The order of KVM's checks: a vCPU counts before the address. */
	mutex_lock(&vm->lock);
	if (vm->created_vcpus)
		err = -EINVAL;
	else if (copy_from_user(&addr, argp, sizeof(addr)))
		err = -EFAULT;
	else
		vm->identity_map_addr = addr;
	mutex_unlock(&vm->lock);
	return err;
}

static int vm_ioctl_create_irqchip(struct vm *vm)
{
	int err;

	mutex_lock(&vm->lock);
	if (irqchip_in_kernel(vm))
		err = -EEXIST;
	else if (vm->created_vcpus)
		err = -EINVAL;
	else
		err = irqchip_create(vm);
	mutex_unlock(&vm->lock);
	return err;
}

static int vm_ioctl_create_pit2(struct vm *vm, void __user *argp)
{
	struct minikvm_pit_config config;
	int err;

	if (copy_from_user(&config, argp, sizeof(config)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	err = pit_create(vm, config.flags);
	mutex_unlock(&vm->lock);
	return err;
}

/* What came before PIT2: port 0x61 is always served, and flags do not exist. */
static int vm_ioctl_create_pit(struct vm *vm)
{
	int err;

	mutex_lock(&vm->lock);
	err = pit_create(vm, MINIKVM_PIT_SPEAKER_DUMMY);
	mutex_unlock(&vm->lock);
	return err;
}

static int vm_ioctl_pit(struct vm *vm, unsigned int cmd, void __user *argp)
{
	struct minikvm_pit_state2 state;
	struct minikvm_pit_state old;
	int err;

	/* GET copies in as well, as in KVM. */
	if (copy_from_user(&old, argp, sizeof(old)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	err = pit_get_state(vm, &state);
	if (!err && cmd == MINIKVM_SET_PIT) {
		memcpy(state.channels, old.channels, sizeof(state.channels));
		err = pit_set_state(vm, &state);
	}
	mutex_unlock(&vm->lock);
	if (err || cmd == MINIKVM_SET_PIT)
		return err;
	memcpy(old.channels, state.channels, sizeof(old.channels));
	return copy_to_user(argp, &old, sizeof(old)) ? -EFAULT : 0;
}

static int vm_ioctl_reinject_control(struct vm *vm, void __user *argp)
{
	struct minikvm_reinject_control control;
	int err;

	if (copy_from_user(&control, argp, sizeof(control)))
		return -EFAULT;
	mutex_lock(&vm->lock);
	err = pit_set_reinject(vm, control.pit_reinject);
	mutex_unlock(&vm->lock);
	return err;
}

static int vm_ioctl_pit2(struct vm *vm, unsigned int cmd, void __user *argp)
{
	struct minikvm_pit_state2 state;
	int err = -ENXIO;

	if (cmd == MINIKVM_SET_PIT2 && copy_from_user(&state, argp, sizeof(state)))
		return -EFAULT;
	memset(&state, 0, cmd == MINIKVM_GET_PIT2 ? sizeof(state) : 0);
	mutex_lock(&vm->lock);
	if (vm->pit)
		err = cmd == MINIKVM_SET_PIT2 ? pit_set_state(vm, &state) :
						pit_get_state(vm, &state);
	mutex_unlock(&vm->lock);
	if (!err && cmd == MINIKVM_GET_PIT2 && copy_to_user(argp, &state, sizeof(state)))
		return -EFAULT;
	return err;
}

static int vm_ioctl_irqchip(struct vm *vm, unsigned int cmd, void __user *argp)
{
	struct minikvm_irqchip *chip;
	int err;

	chip = memdup_user(argp, sizeof(*chip));
	if (IS_ERR(chip))
		return PTR_ERR(chip);
	if (!irqchip_kernel(vm)) {
		err = -ENXIO;
	} else if (cmd == MINIKVM_SET_IRQCHIP) {
		err = irqchip_set(vm, chip);
	} else {
		err = irqchip_get(vm, chip);
		if (!err && copy_to_user(argp, chip, sizeof(*chip)))
			err = -EFAULT;
	}
	kfree(chip);
	return err;
}

static int vm_ioctl_irq_line(struct vm *vm, unsigned int cmd, void __user *argp)
{
	struct minikvm_irq_level line;

	if (copy_from_user(&line, argp, sizeof(line)))
		return -EFAULT;
	if (!irqchip_in_kernel(vm))
		return -ENXIO;
	line.status = irq_set_level(vm, line.irq, line.level, IRQ_SOURCE_USER);
	if (cmd == MINIKVM_IRQ_LINE_STATUS && copy_to_user(argp, &line, sizeof(line)))
		return -EFAULT;
	return 0;
}

static int vm_ioctl_signal_msi(struct vm *vm, void __user *argp)
{
	struct minikvm_msi msi;

	if (copy_from_user(&msi, argp, sizeof(msi)))
		return -EFAULT;
	if (!irqchip_in_kernel(vm))
		return -EINVAL;
	return irq_send_msi(vm, &msi);
}

static int vm_ioctl_set_gsi_routing(struct vm *vm, void __user *argp)
{
	struct minikvm_irq_routing head;
	struct minikvm_irq_routing_entry *entries = NULL;
	int err;

	if (copy_from_user(&head, argp, sizeof(head)))
		return -EFAULT;
	if (!irqchip_in_kernel(vm) || head.nr > MK_NR_GSI || head.flags)
		return -EINVAL;
	if (head.nr) {
		entries = vmemdup_user(argp + sizeof(head),
				       array_size(head.nr, sizeof(*entries)));
		if (IS_ERR(entries))
			return PTR_ERR(entries);
	}
	err = irq_set_routing(vm, entries, head.nr, head.flags);
	kvfree(entries);
	return err;
}

static int vm_ioctl_set_boot_cpu_id(struct vm *vm, u32 id)
{
	int err = 0;

	mutex_lock(&vm->lock);
	if (vm->created_vcpus)
		err = -EBUSY;
	else
		vm->bsp_id = id;
	mutex_unlock(&vm->lock);
	return err;
}

static int vm_ioctl_set_memory(struct vm *vm, void __user *argp)
{
	struct minikvm_userspace_memory_region mem;

	if (copy_from_user(&mem, argp, sizeof(mem)))
		return -EFAULT;
	return memslot_set(vm, &mem);
}

static int vm_ioctl_get_dirty_log(struct vm *vm, void __user *argp)
{
	struct minikvm_dirty_log log;

	if (copy_from_user(&log, argp, sizeof(log)))
		return -EFAULT;
	return dirty_log_get(vm, &log);
}

static int vm_ioctl_clear_dirty_log(struct vm *vm, void __user *argp)
{
	struct minikvm_clear_dirty_log log;

	if (copy_from_user(&log, argp, sizeof(log)))
		return -EFAULT;
	return dirty_log_clear(vm, &log);
}

static int vm_ioctl_irqfd(struct vm *vm, void __user *argp)
{
	struct minikvm_irqfd args;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	return irqfd_set(vm, &args);
}

static int vm_ioctl_ioeventfd(struct vm *vm, void __user *argp)
{
	struct minikvm_ioeventfd args;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	return ioeventfd_set(vm, &args);
}

static int vm_ioctl_coalesced(struct vm *vm, unsigned int cmd, void __user *argp)
{
	struct minikvm_coalesced_mmio_zone zone;

	if (copy_from_user(&zone, argp, sizeof(zone)))
		return -EFAULT;
	return cmd == MINIKVM_REGISTER_COALESCED_MMIO ? coalesced_register(vm, &zone) :
							coalesced_unregister(vm, &zone);
}

/* No type of device is known: not even whether one could be made has another answer. */
static int vm_ioctl_create_device(void __user *argp)
{
	struct minikvm_create_device args;

	if (copy_from_user(&args, argp, sizeof(args)))
		return -EFAULT;
	return -ENODEV;
}

static int vm_ioctl_enable_cap(struct vm *vm, void __user *argp)
{
	struct minikvm_enable_cap cap;

	if (copy_from_user(&cap, argp, sizeof(cap)))
		return -EFAULT;
	return vm_enable_cap(vm, &cap);
}

static long vm_ioctl_set_msr_filter(struct vm *vm, void __user *argp)
{
	struct minikvm_msr_filter filter;

	if (copy_from_user(&filter, argp, sizeof(filter)))
		return -EFAULT;
	return msr_filter_set(vm, &filter);
}

/**
 * vm_ioctl - every ioctl on a VM's fd
 * @file: the fd
 * @cmd: MINIKVM_*, the whole 32 bits
 * @arg: as @cmd defines it
 *
 * Return: as @cmd defines it; -EIO (another process's VM, or a dead one);
 * -ENOTTY (no such ioctl on a VM).
 */
long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vm *vm = file->private_data;
	void __user *argp = (void __user *)arg;

	if (_IOC_TYPE(cmd) == MINIKVM_INSPECTIO)
		return inspect_vm_ioctl(vm, cmd, argp);
	if (vm->mm != current->mm || READ_ONCE(vm->dead))
		return -EIO;

	/* The whole command counts: KVM reuses numbers between sizes. */
	switch (cmd) {
	case MINIKVM_CREATE_VCPU:
		return vcpu_create(vm, arg);
	case MINIKVM_SET_USER_MEMORY_REGION:
		return vm_ioctl_set_memory(vm, argp);
	case MINIKVM_SET_NR_MMU_PAGES:
		return memslots_set_mmu_pages(vm, arg);
	case MINIKVM_GET_NR_MMU_PAGES:
		return (int)READ_ONCE(vm->mmu_pages_max);
	case MINIKVM_GET_DIRTY_LOG:
		return vm_ioctl_get_dirty_log(vm, argp);
	case MINIKVM_CLEAR_DIRTY_LOG:
		return vm_ioctl_clear_dirty_log(vm, argp);
	case MINIKVM_CHECK_EXTENSION:
		return check_extension(vm, arg);
	case MINIKVM_ENABLE_CAP:
		return vm_ioctl_enable_cap(vm, argp);
	case MINIKVM_SET_TSS_ADDR:
		return vm_ioctl_set_tss_addr(vm, arg);
	case MINIKVM_SET_IDENTITY_MAP_ADDR:
		return vm_ioctl_set_identity_map_addr(vm, argp);
	case MINIKVM_SET_BOOT_CPU_ID:
		return vm_ioctl_set_boot_cpu_id(vm, arg);
	case MINIKVM_CREATE_IRQCHIP:
		return vm_ioctl_create_irqchip(vm);
	case MINIKVM_GET_IRQCHIP:
	case MINIKVM_SET_IRQCHIP:
		return vm_ioctl_irqchip(vm, cmd, argp);
	case MINIKVM_IRQ_LINE:
	case MINIKVM_IRQ_LINE_STATUS:
		return vm_ioctl_irq_line(vm, cmd, argp);
	case MINIKVM_SIGNAL_MSI:
		return vm_ioctl_signal_msi(vm, argp);
	case MINIKVM_SET_GSI_ROUTING:
		return vm_ioctl_set_gsi_routing(vm, argp);
	case MINIKVM_IRQFD:
		return vm_ioctl_irqfd(vm, argp);
	case MINIKVM_IOEVENTFD:
		return vm_ioctl_ioeventfd(vm, argp);
	case MINIKVM_REGISTER_COALESCED_MMIO:
	case MINIKVM_UNREGISTER_COALESCED_MMIO:
		return vm_ioctl_coalesced(vm, cmd, argp);
	case MINIKVM_CREATE_DEVICE:
		return vm_ioctl_create_device(argp);
	case MINIKVM_CREATE_PIT2:
		return vm_ioctl_create_pit2(vm, argp);
	case MINIKVM_CREATE_PIT:
		return vm_ioctl_create_pit(vm);
	case MINIKVM_GET_PIT:
	case MINIKVM_SET_PIT:
		return vm_ioctl_pit(vm, cmd, argp);
	case MINIKVM_REINJECT_CONTROL:
		return vm_ioctl_reinject_control(vm, argp);
	case MINIKVM_GET_PIT2:
	case MINIKVM_SET_PIT2:
		return vm_ioctl_pit2(vm, cmd, argp);
	case MINIKVM_GET_CLOCK:
	case MINIKVM_SET_CLOCK:
		return vm_clock_ioctl(vm, cmd, argp);
	case MINIKVM_SET_TSC_KHZ:
		return vm_tsc_set_khz(vm, arg);
	case MINIKVM_GET_TSC_KHZ:
		return READ_ONCE(vm->default_tsc_khz);
	case MINIKVM_X86_SET_MSR_FILTER:
		return vm_ioctl_set_msr_filter(vm, argp);
	case MINIKVM_GET_STATS_FD:
		return stats_vm_fd(vm);
	default:
		return -ENOTTY;
	}
}
