// SPDX-License-Identifier: GPL-2.0
/*
 * The host kernel's claims on a thread between two runs of its guest: signals,
 * rescheduling, task work. In a file of its own because the kernel's helper
 * takes a struct kvm_vcpu, and <linux/kvm_host.h> shares names with our headers.
 */
#include <linux/entry-kvm.h>
#include <linux/kvm_host.h>

#include "host_work.h"

/*
 * For a signal the helper writes KVM's exit reason and a counter through its
 * argument. They land here and are never read: the caller has its own.
 */
static struct kvm_run unused_run;
static struct kvm_vcpu unused_vcpu = { .run = &unused_run };

/**
 * host_work_handle - do what the host kernel wants done before the next entry
 *
 * May sleep. Called by a vCPU's thread, with interrupts and preemption on.
 *
 * Return: 0; -EINTR: a signal is pending, the thread must leave to userspace.
 */
int host_work_handle(void)
{
	if (!__xfer_to_guest_mode_work_pending())
		return 0;
	return xfer_to_guest_mode_handle_work(&unused_vcpu);
}
