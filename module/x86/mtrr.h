/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Memory types as the guest programs them. They are kept, checked and read
 * back; the type a page really gets is the slot's (see mmu/).
 */
#ifndef MINIKVM_MTRR_H
#define MINIKVM_MTRR_H

#include "x86.h"

/* 0, -ENOENT (not an MTRR), -EINVAL (a value it cannot hold). */
int mtrr_get(struct vcpu *vcpu, u32 index, u64 *data);
int mtrr_set(struct vcpu *vcpu, u32 index, u64 data);
bool pat_valid(u64 pat);

#endif
