/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Registers through the run page (sync_regs.c).
 */
#ifndef MINIKVM_X86_SYNC_REGS_H
#define MINIKVM_X86_SYNC_REGS_H

#include "../minikvm.h"

#define SYNC_REGS_CLASSES	(MINIKVM_SYNC_X86_REGS | MINIKVM_SYNC_X86_SREGS | \
				 MINIKVM_SYNC_X86_EVENTS)

int sync_regs_load(struct vcpu *vcpu);
void sync_regs_store(struct vcpu *vcpu);

#endif
