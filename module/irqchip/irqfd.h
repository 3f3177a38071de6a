/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Eventfds that raise a GSI, and those that hear of its acknowledgment.
 */
#ifndef MINIKVM_IRQFD_H
#define MINIKVM_IRQFD_H

#include "../minikvm.h"

/* Module load and unload. -ENOMEM. */
int irqfd_init(void);
void irqfd_exit(void);

void irqfd_vm_init(struct vm *vm);
/* The VM's fd is closed: when this returns no eventfd interrupts the VM any more. */
void irqfd_release(struct vm *vm);
/* IRQFD */
int irqfd_set(struct vm *vm, const struct minikvm_irqfd *args);

/*
 * For routing.c. The guest finished an interrupt of a GSI: process context, no
 * chip's lock. Would anyone want to hear it: any context, any chip's lock.
 */
void irqfd_acked(struct vm *vm, u32 gsi);
bool irqfd_ack_wanted(struct vm *vm, u32 gsi);

#endif
