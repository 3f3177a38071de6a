// SPDX-License-Identifier: GPL-2.0
/*
 * Module load and unload, /dev/minikvm and the system ioctls, and which CPUs
 * have virtualization switched on.
 *
 * Virtualization is on while a VM exists: VMXON on every online CPU when the
 * first VM is made, VMXOFF when the last one goes. In between, CPUs may come
 * and go, the machine may suspend, reboot or start another kernel.
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/cpu.h>
#include <linux/cpuhotplug.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/reboot.h>
#include <linux/uaccess.h>

#include "minikvm.h"
#include "compat.h"
#include "irqchip/irqfd.h"
#include "x86/x86.h"

MODULE_DESCRIPTION("mini-KVM: KVM's kernel half, small enough to read");
MODULE_AUTHOR("The mini-KVM authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(MINIKVM_VERSION);

const struct minikvm_vendor_ops *vendor = &vmx_ops;

DEFINE_STATIC_CALL_NULL(vendor_vcpu_load, *vendor->vcpu_load);
DEFINE_STATIC_CALL_NULL(vendor_vcpu_put, *vendor->vcpu_put);
DEFINE_STATIC_CALL_NULL(vendor_prepare_switch, *vendor->prepare_switch);
DEFINE_STATIC_CALL_NULL(vendor_enter, *vendor->enter);
DEFINE_STATIC_CALL_NULL(vendor_exit_irqoff, *vendor->exit_irqoff);
DEFINE_STATIC_CALL_NULL(vendor_handle_exit, *vendor->handle_exit);
DEFINE_STATIC_CALL_NULL(vendor_cache_reg, *vendor->cache_reg);
DEFINE_STATIC_CALL_NULL(vendor_skip_insn, *vendor->skip_insn);

/* Before any VM exists. */
static void vendor_link_calls(void)
{
	static_call_update(vendor_vcpu_load, vendor->vcpu_load);
	static_call_update(vendor_vcpu_put, vendor->vcpu_put);
	static_call_update(vendor_prepare_switch, vendor->prepare_switch);
	static_call_update(vendor_enter, vendor->enter);
	static_call_update(vendor_exit_irqoff, vendor->exit_irqoff);
	static_call_update(vendor_handle_exit, vendor->handle_exit);
	static_call_update(vendor_cache_reg, vendor->cache_reg);
	static_call_update(vendor_skip_insn, vendor->skip_insn);
}

static DEFINE_MUTEX(hardware_lock);	/* inside cpus_read_lock() */
static int hardware_users;		/* VMs; changes under hardware_lock */
static DEFINE_PER_CPU(bool, hardware_on);
static enum cpuhp_state hotplug_state;

bool hardware_on_this_cpu(void)
{
	return this_cpu_read(hardware_on);
}

/* On the CPU in question, which cannot change under us. */
static int hardware_enable_here(void)
{
	int err;

	if (this_cpu_read(hardware_on))
		return 0;
	err = vendor->cpu_enable();
	if (!err)
		this_cpu_write(hardware_on, true);
	return err;
}

static void hardware_disable_here(void)
{
	if (!this_cpu_read(hardware_on))
		return;
	vendor->cpu_disable();
	this_cpu_write(hardware_on, false);
}

static void hardware_enable_ipi(void *first_error)
{
	int err = hardware_enable_here();

	if (err)
		cmpxchg((int *)first_error, 0, err);
}

static void hardware_disable_ipi(void *unused)
{
	hardware_disable_here();
}

/**
 * hardware_get - one more VM needs virtualization
 *
 * Context: may sleep.
 * Return: 0; -EBUSY when another hypervisor holds a CPU's virtualization (the
 * log names it and the cure); -EIO when a CPU refuses to switch it on. After
 * an error no CPU is left switched on by this call.
 */
int hardware_get(void)
{
	int err = 0;

	cpus_read_lock();
	mutex_lock(&hardware_lock);
	if (!hardware_users)
		on_each_cpu(hardware_enable_ipi, &err, 1);
	if (!err)
		hardware_users++;
	else
		on_each_cpu(hardware_disable_ipi, NULL, 1);
	mutex_unlock(&hardware_lock);
	cpus_read_unlock();
	return err;
}

/**
 * hardware_put - a VM that called hardware_get() is gone
 *
 * Context: may sleep. None of the VM's vCPUs is loaded anywhere.
 */
void hardware_put(void)
{
	cpus_read_lock();
	mutex_lock(&hardware_lock);
	if (!--hardware_users)
		on_each_cpu(hardware_disable_ipi, NULL, 1);
	mutex_unlock(&hardware_lock);
	cpus_read_unlock();
}

/* A CPU came up: it joins if VMs exist, and stays down if it cannot. */
static int hardware_cpu_online(unsigned int cpu)
{
	int err = 0;

	mutex_lock(&hardware_lock);
	if (hardware_users) {
		preempt_disable();
		err = hardware_enable_here();
		preempt_enable();
	}
	mutex_unlock(&hardware_lock);
	return err;
}

static int hardware_cpu_offline(unsigned int cpu)
{
	mutex_lock(&hardware_lock);
	preempt_disable();
	hardware_disable_here();
	preempt_enable();
	mutex_unlock(&hardware_lock);
	return 0;
}

/*
 * Suspend takes every CPU but one down by hotplug; the last one comes here
 * with interrupts off. Firmware leaves it outside VMX operation on resume.
 */
static int hardware_suspend(COMPAT_SYSCORE_ARG)
{
	hardware_disable_here();
	return 0;
}

static void hardware_resume(COMPAT_SYSCORE_ARG)
{
	if (READ_ONCE(hardware_users) && hardware_enable_here())
		pr_err("CPU %d did not switch virtualization on after resume: its VMs will fail\n",
		       smp_processor_id());
}

static struct compat_syscore hardware_syscore = {
	.ops.suspend	= hardware_suspend,
	.ops.resume	= hardware_resume,
};

/*
 * A CPU in VMX operation ignores INIT, which is how firmware and kexec get
 * hold of it. Running guests are cut off: their VMs end with the machine.
 */
static int hardware_reboot(struct notifier_block *nb, unsigned long action, void *data)
{
	on_each_cpu(hardware_disable_ipi, NULL, 1);
	return NOTIFY_OK;
}

static struct notifier_block hardware_reboot_nb = {
	.notifier_call	= hardware_reboot,
	.priority	= 0,
};

/* What the module as a whole can do, beyond what a capability's value can say. */
static long device_attr(unsigned int cmd, void __user *argp)
{
	struct minikvm_device_attr attr;

	if (copy_from_user(&attr, argp, sizeof(attr)))
		return -EFAULT;
	if (attr.group || attr.attr != MINIKVM_X86_XCOMP_GUEST_SUPP)
		return -ENXIO;
	if (cmd == MINIKVM_HAS_DEVICE_ATTR)
		return 0;
	return put_user(cpuid_supported_xcr0(), (u64 __user *)u64_to_user_ptr(attr.addr));
}

static long device_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	switch (cmd) {
	case MINIKVM_GET_API_VERSION:
		return arg ? -EINVAL : MINIKVM_API_VERSION;
	case MINIKVM_CREATE_VM:
		return arg ? -EINVAL : vm_create();
	case MINIKVM_CHECK_EXTENSION:
		return check_extension(NULL, arg);
	case MINIKVM_GET_VCPU_MMAP_SIZE:
		/* Run page, PIO payload, coalesced writes. */
		return arg ? -EINVAL : 3 * PAGE_SIZE;
	case MINIKVM_GET_SUPPORTED_CPUID:
		return cpuid_get_supported(argp, false);
	case MINIKVM_X86_GET_MCE_CAP_SUPPORTED:
		return put_user(guest_mce_supported(), (u64 __user *)argp);
	case MINIKVM_GET_MSR_INDEX_LIST:
		return msr_get_index_list(argp);
	case MINIKVM_GET_MSR_FEATURE_INDEX_LIST:
		return msr_get_feature_index_list(argp);
	case MINIKVM_GET_MSRS:
		return msr_get_list(NULL, argp);
	case MINIKVM_HAS_DEVICE_ATTR:
	case MINIKVM_GET_DEVICE_ATTR:
		return device_attr(cmd, argp);
	default:
		return -EINVAL;
	}
}

static const struct file_operations device_fops = {
	.owner		= THIS_MODULE,
	.unlocked_ioctl	= device_ioctl,
	.llseek		= noop_llseek,
};

static struct miscdevice device = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "minikvm",
	.fops	= &device_fops,
	.mode	= 0660,
};

static int __init minikvm_init(void)
{
	int err;

	cpuid_host_init();
	err = irqfd_init();
	if (err)
		return err;
	err = vendor->setup();
	if (err)
		goto exit_irqfd;
	vendor_link_calls();

	err = cpuhp_setup_state_nocalls(CPUHP_AP_ONLINE_DYN, "kvm/minikvm:online",
					hardware_cpu_online, hardware_cpu_offline);
	if (err < 0)
		goto unsetup;
	hotplug_state = err;
	compat_syscore_register(&hardware_syscore);
	register_reboot_notifier(&hardware_reboot_nb);

	/* Published last: whoever opens it finds everything in place. */
	err = misc_register(&device);
	if (err) {
		pr_err("registering /dev/minikvm failed: %d\n", err);
		goto unregister;
	}
	return 0;

unregister:
	unregister_reboot_notifier(&hardware_reboot_nb);
	compat_syscore_unregister(&hardware_syscore);
	cpuhp_remove_state_nocalls(hotplug_state);
unsetup:
	vendor->unsetup();
exit_irqfd:
	irqfd_exit();
	return err;
}

/* Every VM and vCPU fd pins the module, so none exists here. */
static void __exit minikvm_exit(void)
{
	misc_deregister(&device);
	unregister_reboot_notifier(&hardware_reboot_nb);
	compat_syscore_unregister(&hardware_syscore);
	cpuhp_remove_state_nocalls(hotplug_state);
	/* VM teardown may have left work to the mmu notifier's SRCU and to RCU. */
	mmu_notifier_synchronize();
	rcu_barrier();
	vendor->unsetup();
	irqfd_exit();
}

module_init(minikvm_init);
module_exit(minikvm_exit);
