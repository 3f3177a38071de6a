/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest writes that need no exit to userspace: those that signal an eventfd
 * (ioeventfd.c) and those that are queued for later (coalesced.c). The other
 * direction, eventfds that interrupt the guest, is irqchip/irqfd.h.
 */
#ifndef MINIKVM_EVENTFD_H
#define MINIKVM_EVENTFD_H

#include "minikvm.h"

/* IOEVENTFD; what is still assigned goes with the VM's buses. */
int ioeventfd_set(struct vm *vm, const struct minikvm_ioeventfd *args);

int coalesced_init(struct vm *vm);		/* -ENOMEM */
void coalesced_destroy(struct vm *vm);		/* after the buses, which hold the zones */
struct page *coalesced_page(struct vm *vm);	/* for the vCPUs' mappings */
/* REGISTER_ and UNREGISTER_COALESCED_MMIO. */
int coalesced_register(struct vm *vm, const struct minikvm_coalesced_mmio_zone *zone);
int coalesced_unregister(struct vm *vm, const struct minikvm_coalesced_mmio_zone *zone);

#endif
