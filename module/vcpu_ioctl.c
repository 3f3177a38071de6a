// SPDX-License-Identifier: GPL-2.0
/*
 * The vCPU ioctls: copying their arguments in and out, and handing each to the
 * part of the module that does it. RUN is in vcpu_run.c.
 */
#include <linux/fs.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "minikvm.h"
#include "inspect.h"
#include "irqchip/irqchip.h"
#include "irqchip/lapic.h"
#include "x86/debug.h"
#include "x86/x86.h"

static long vcpu_ioctl_set_signal_mask(struct vcpu *vcpu, void __user *argp)
{
	struct minikvm_signal_mask head;
	sigset_t set;

	if (!argp) {
		vcpu->sigset_active = false;
		return 0;
	}
	if (copy_from_user(&head, argp, sizeof(head)))
		return -EFAULT;
	if (head.len != sizeof(set))
		return -EINVAL;
	if (copy_from_user(&set, argp + sizeof(head), sizeof(set)))
		return -EFAULT;
	sigdelsetmask(&set, sigmask(SIGKILL) | sigmask(SIGSTOP));
	vcpu->sigset = set;
	vcpu->sigset_active = true;
	return 0;
}

static u32 vcpu_get_mp_state(struct vcpu *vcpu)
{
	/* An INIT or SIPI that already arrived counts as taken. */
	if (vcpu->lapic)
		lapic_accept_events(vcpu);
	/* So does a kick that ends a halt. */
	if (vcpu->mp_state == MINIKVM_MP_STATE_HALTED && READ_ONCE(vcpu->unhalted))
		return MINIKVM_MP_STATE_RUNNABLE;
	return vcpu->mp_state;
}

static long vcpu_set_mp_state(struct vcpu *vcpu, u32 state)
{
	switch (state) {
	case MINIKVM_MP_STATE_RUNNABLE:
		break;
	case MINIKVM_MP_STATE_UNINITIALIZED:
	case MINIKVM_MP_STATE_INIT_RECEIVED:
	case MINIKVM_MP_STATE_HALTED:
	case MINIKVM_MP_STATE_SIPI_RECEIVED:
		/* Without an in-kernel APIC only userspace can end these. */
		if (!vcpu->lapic)
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	if (state == MINIKVM_MP_STATE_SIPI_RECEIVED) {
		vcpu->mp_state = MINIKVM_MP_STATE_INIT_RECEIVED;
		set_bit(APIC_EVENT_SIPI, &vcpu->apic_events);
	} else {
		vcpu->mp_state = state;
	}
	vcpu_set_request(vcpu, REQ_EVENT);
	return 0;
}

/* Ioctls whose argument is one structure, read or written whole. */
union vcpu_arg {
	struct minikvm_regs regs;
	struct minikvm_sregs sregs;
	struct minikvm_sregs2 sregs2;
	struct minikvm_fpu fpu;
	struct minikvm_xsave xsave;
	struct minikvm_xcrs xcrs;
	struct minikvm_debugregs debugregs;
	struct minikvm_guest_debug guest_debug;
	struct minikvm_lapic_state lapic;
	struct minikvm_mp_state mp_state;
	struct minikvm_vcpu_events events;
	struct minikvm_interrupt interrupt;
	struct minikvm_vapic_addr vapic;
	struct minikvm_x86_mce mce;
	__u64 mcg_cap;
};

static long vcpu_ioctl_get(struct vcpu *vcpu, unsigned int cmd, union vcpu_arg *arg)
{
	switch (cmd) {
	case MINIKVM_GET_REGS:
		regs_get(vcpu, &arg->regs);
		return 0;
	case MINIKVM_GET_SREGS:
		sregs_get(vcpu, &arg->sregs);
		return 0;
	case MINIKVM_GET_SREGS2:
		sregs2_get(vcpu, &arg->sregs2);
		return 0;
	case MINIKVM_GET_FPU:
		return fpu_get(vcpu, &arg->fpu);
	case MINIKVM_GET_XSAVE:
		return fpu_get_xsave(vcpu, &arg->xsave);
	case MINIKVM_GET_XCRS:
		xcrs_get(vcpu, &arg->xcrs);
		return 0;
	case MINIKVM_GET_DEBUGREGS:
		debugregs_get(vcpu, &arg->debugregs);
		return 0;
	case MINIKVM_GET_LAPIC:
		return lapic_get_state(vcpu, &arg->lapic);
	case MINIKVM_GET_MP_STATE:
		arg->mp_state.mp_state = vcpu_get_mp_state(vcpu);
		return 0;
	case MINIKVM_GET_VCPU_EVENTS:
		vcpu_events_get(vcpu, &arg->events);
		return 0;
	default:
		return -EINVAL;
	}
}

static long vcpu_ioctl_set(struct vcpu *vcpu, unsigned int cmd, const union vcpu_arg *arg)
{
	switch (cmd) {
	case MINIKVM_SET_REGS:
		return regs_set(vcpu, &arg->regs);
	case MINIKVM_SET_SREGS:
		return sregs_set(vcpu, &arg->sregs);
	case MINIKVM_SET_SREGS2:
		return sregs2_set(vcpu, &arg->sregs2);
	case MINIKVM_SET_FPU:
		return fpu_set(vcpu, &arg->fpu);
	case MINIKVM_SET_XCRS:
		return xcrs_set(vcpu, &arg->xcrs);
	case MINIKVM_SET_DEBUGREGS:
		return debugregs_set(vcpu, &arg->debugregs);
	case MINIKVM_SET_GUEST_DEBUG:
		return guest_debug_set(vcpu, &arg->guest_debug);
	case MINIKVM_SET_LAPIC:
		return lapic_set_state(vcpu, &arg->lapic);
	case MINIKVM_SET_MP_STATE:
		return vcpu_set_mp_state(vcpu, arg->mp_state.mp_state);
	case MINIKVM_SET_VCPU_EVENTS:
		return vcpu_events_set(vcpu, &arg->events);
	case MINIKVM_INTERRUPT:
		return vcpu_interrupt(vcpu, arg->interrupt.irq);
	case MINIKVM_SET_VAPIC_ADDR:
		return lapic_set_vapic_addr(vcpu, arg->vapic.vapic_addr);
	case MINIKVM_X86_SETUP_MCE:
		return guest_mce_setup(vcpu, arg->mcg_cap);
	case MINIKVM_X86_SET_MCE:
		return guest_mce_inject(vcpu, &arg->mce);
	default:
		return -EINVAL;
	}
}

/*
 * The command itself tells the argument's size and whether it is an input or
 * an output, so one copy serves them all.
 */
static long vcpu_ioctl_struct(struct vcpu *vcpu, unsigned int cmd, void __user *argp)
{
	bool set = _IOC_DIR(cmd) == _IOC_WRITE;
	size_t size = _IOC_SIZE(cmd);
	union vcpu_arg *arg;
	long r;

	arg = kzalloc(sizeof(*arg), GFP_KERNEL_ACCOUNT);
	if (!arg)
		return -ENOMEM;
	if (set && copy_from_user(arg, argp, size)) {
		r = -EFAULT;
		goto free;
	}

	vcpu_load(vcpu);
	r = set ? vcpu_ioctl_set(vcpu, cmd, arg) : vcpu_ioctl_get(vcpu, cmd, arg);
	vcpu_put(vcpu);

	if (!r && !set && copy_to_user(argp, arg, size))
		r = -EFAULT;
free:
	kfree(arg);
	return r;
}

static long vcpu_ioctl_translate(struct vcpu *vcpu, void __user *argp)
{
	struct minikvm_translation tr;

	if (copy_from_user(&tr, argp, sizeof(tr)))
		return -EFAULT;
	vcpu_load(vcpu);
	gva_translate(vcpu, &tr);
	vcpu_put(vcpu);
	return copy_to_user(argp, &tr, sizeof(tr)) ? -EFAULT : 0;
}

static long vcpu_ioctl_loaded(struct vcpu *vcpu, unsigned int cmd, void __user *argp)
{
	long r;

	vcpu_load(vcpu);
	switch (cmd) {
	case MINIKVM_GET_MSRS:
		r = msr_get_list(vcpu, argp);
		break;
	case MINIKVM_SET_MSRS:
		r = msr_set_list(vcpu, argp);
		break;
	case MINIKVM_SET_CPUID2:
		r = cpuid_set2(vcpu, argp);
		break;
	case MINIKVM_GET_CPUID2:
		r = cpuid_get2(vcpu, argp);
		break;
	case MINIKVM_GET_XSAVE2:
		r = fpu_get_xsave2(vcpu, argp);
		break;
	case MINIKVM_SET_XSAVE:
		r = fpu_set_xsave(vcpu, argp);
		break;
	case MINIKVM_NMI:
		inject_nmi(vcpu);
		r = 0;
		break;
	case MINIKVM_KVMCLOCK_CTRL:
		r = pvclock_stopped(vcpu);
		break;
	case MINIKVM_HAS_DEVICE_ATTR:
	case MINIKVM_GET_DEVICE_ATTR:
	case MINIKVM_SET_DEVICE_ATTR:
		r = tsc_device_attr(vcpu, cmd, argp);
		break;
	default:
		r = -EINVAL;
	}
	vcpu_put(vcpu);
	return r;
}

/* The structure is also written back, unchanged. */
static long vcpu_ioctl_tpr_reporting(struct vcpu *vcpu, void __user *argp)
{
	struct minikvm_tpr_access_ctl ctl;
	long r;

	if (copy_from_user(&ctl, argp, sizeof(ctl)))
		return -EFAULT;
	r = lapic_set_tpr_reporting(vcpu, &ctl);
	if (!r && copy_to_user(argp, &ctl, sizeof(ctl)))
		r = -EFAULT;
	return r;
}

static long vcpu_ioctl_enable_cap(struct vcpu *vcpu, void __user *argp)
{
	struct minikvm_enable_cap cap;
	long r;

	if (copy_from_user(&cap, argp, sizeof(cap)))
		return -EFAULT;
	vcpu_load(vcpu);
	r = vcpu_enable_cap(vcpu, &cap);
	vcpu_put(vcpu);
	return r;
}

static long vcpu_ioctl_set_tsc_khz(struct vcpu *vcpu, u32 khz)
{
	long r;

	vcpu_load(vcpu);
	r = guest_tsc_set_khz(vcpu, khz);
	vcpu_put(vcpu);
	return r;
}

static long vcpu_ioctl_locked(struct vcpu *vcpu, unsigned int cmd, unsigned long arg)
{
	void __user *argp = (void __user *)arg;

	/* The whole command counts: KVM reuses numbers between sizes. */
	switch (cmd) {
	case MINIKVM_RUN:		/* with an argument; the caller does the others */
		return -EINVAL;
	case MINIKVM_GET_REGS:
	case MINIKVM_SET_REGS:
	case MINIKVM_GET_SREGS:
	case MINIKVM_SET_SREGS:
	case MINIKVM_GET_SREGS2:
	case MINIKVM_SET_SREGS2:
	case MINIKVM_GET_FPU:
	case MINIKVM_SET_FPU:
	case MINIKVM_GET_XSAVE:
	case MINIKVM_GET_XCRS:
	case MINIKVM_SET_XCRS:
	case MINIKVM_GET_DEBUGREGS:
	case MINIKVM_SET_DEBUGREGS:
	case MINIKVM_SET_GUEST_DEBUG:
	case MINIKVM_GET_MP_STATE:
	case MINIKVM_SET_MP_STATE:
	case MINIKVM_GET_VCPU_EVENTS:
	case MINIKVM_SET_VCPU_EVENTS:
	case MINIKVM_INTERRUPT:
	case MINIKVM_X86_SETUP_MCE:
	case MINIKVM_X86_SET_MCE:
		return vcpu_ioctl_struct(vcpu, cmd, argp);
	case MINIKVM_GET_MSRS:
	case MINIKVM_SET_MSRS:
	case MINIKVM_SET_CPUID2:
	case MINIKVM_GET_CPUID2:
	case MINIKVM_GET_XSAVE2:
	case MINIKVM_SET_XSAVE:
	case MINIKVM_NMI:
	case MINIKVM_KVMCLOCK_CTRL:
	case MINIKVM_HAS_DEVICE_ATTR:
	case MINIKVM_GET_DEVICE_ATTR:
	case MINIKVM_SET_DEVICE_ATTR:
		return vcpu_ioctl_loaded(vcpu, cmd, argp);
	case MINIKVM_GET_LAPIC:
	case MINIKVM_SET_LAPIC:
	case MINIKVM_SET_VAPIC_ADDR:
		/* There being no APIC comes before a bad pointer. */
		return vcpu->lapic ? vcpu_ioctl_struct(vcpu, cmd, argp) : -EINVAL;
	case MINIKVM_TPR_ACCESS_REPORTING:
		return vcpu_ioctl_tpr_reporting(vcpu, argp);
	case MINIKVM_SMI:
		/* As a KVM without system-management mode says it. */
		return -ENOTTY;
	case MINIKVM_GET_STATS_FD:
		return stats_vcpu_fd(vcpu);
	case MINIKVM_TRANSLATE:
		return vcpu_ioctl_translate(vcpu, argp);
	case MINIKVM_SET_SIGNAL_MASK:
		return vcpu_ioctl_set_signal_mask(vcpu, argp);
	case MINIKVM_GET_TSC_KHZ:
		return vcpu->tsc_khz;
	case MINIKVM_SET_TSC_KHZ:
		return vcpu_ioctl_set_tsc_khz(vcpu, arg);
	case MINIKVM_ENABLE_CAP:
		return vcpu_ioctl_enable_cap(vcpu, argp);
	default:
		return -EINVAL;
	}
}

/* What is not for the VMM, or not of KVM's magic. */
static noinline long vcpu_ioctl_other(struct vcpu *vcpu, unsigned int cmd, unsigned long arg)
{
	if (_IOC_TYPE(cmd) == MINIKVM_INSPECTIO)
		return inspect_vcpu_ioctl(vcpu, cmd, (void __user *)arg);
	if (vcpu->vm->mm != current->mm || READ_ONCE(vcpu->vm->dead))
		return -EIO;
	return -EINVAL;
}

/**
 * vcpu_ioctl - every ioctl on a vCPU's fd
 * @file: the fd
 * @cmd: MINIKVM_*, the whole 32 bits
 * @arg: as @cmd defines it
 *
 * Return: as @cmd defines it; -EIO (another process's VM, or a dead one);
 * -EINVAL (no such ioctl on a vCPU); -EINTR (killed while another thread had
 * the vCPU).
 */
long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct vcpu *vcpu = file->private_data;
	long r;

	if (vcpu->vm->mm != current->mm || READ_ONCE(vcpu->vm->dead) ||
	    _IOC_TYPE(cmd) != MINIKVMIO)
		return vcpu_ioctl_other(vcpu, cmd, arg);

	/* One thread at a time; another one waits until RUN returns. */
	if (mutex_lock_killable(&vcpu->mutex))
		return -EINTR;
	if (likely(cmd == MINIKVM_RUN && !arg))
		r = vcpu_run(vcpu);
	else
		r = vcpu_ioctl_locked(vcpu, cmd, arg);
	inspect_unlock(vcpu);
	return r;
}
