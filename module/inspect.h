/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The reading interface (uapi/minikvm_inspect.h): what the run loop and the ioctl
 * dispatch need of it. inspect.c reads vCPUs, inspect_vm.c what belongs to the VM.
 */
#ifndef MINIKVM_INSPECT_H
#define MINIKVM_INSPECT_H

#include "minikvm.h"

void inspect_vcpu_init(struct vcpu *vcpu);
void inspect_serve(struct vcpu *vcpu);
void inspect_wake(struct vcpu *vcpu);
long inspect_vcpu_ioctl(struct vcpu *vcpu, unsigned int cmd, void __user *argp);
long inspect_vm_ioctl(struct vm *vm, unsigned int cmd, void __user *argp);

/*
 * Between an exit and the next entry, or while it waits: the vCPU's own thread, loaded.
 * It never waits for a reader.
 */
static inline void inspect_serve_pending(struct vcpu *vcpu)
{
	if (unlikely(test_bit(REQ_INSPECT, &vcpu->requests)))
		inspect_serve(vcpu);
}

/* Of every holder of vcpu->mutex that a reader may have to wait for. */
static inline void inspect_unlock(struct vcpu *vcpu)
{
	mutex_unlock(&vcpu->mutex);
	/* Pairs with inspect_vcpu(): it finds the mutex free, or this the request. */
	smp_mb();
	if (unlikely(test_bit(REQ_INSPECT, &vcpu->requests)))
		inspect_wake(vcpu);
}

#endif
