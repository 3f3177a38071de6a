/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The exit ring: what the run loop calls while somebody records exits. Off it is a NOP
 * at each of these places.
 */
#ifndef MINIKVM_EXIT_RING_H
#define MINIKVM_EXIT_RING_H

#include <linux/jump_label.h>
#include <asm/msr.h>

#include "minikvm.h"

DECLARE_STATIC_KEY_FALSE(exit_ring_used);

long exit_ring_fd(struct vcpu *vcpu, void __user *argp);

void exit_ring_entry(struct vcpu *vcpu);
void exit_ring_exit(struct vcpu *vcpu);
void exit_ring_run(struct vcpu *vcpu);
void exit_ring_leave(struct vcpu *vcpu, long result);
void exit_ring_waited(struct vcpu *vcpu, u64 since);

/* Interrupts off, right before the guest is entered. */
static __always_inline void exit_ring_at_entry(struct vcpu *vcpu)
{
	if (static_branch_unlikely(&exit_ring_used))
		exit_ring_entry(vcpu);
}

/* Interrupts off, right after it was left. */
static __always_inline void exit_ring_at_exit(struct vcpu *vcpu)
{
	if (static_branch_unlikely(&exit_ring_used))
		exit_ring_exit(vcpu);
}

/* RUN begins, and returns @result. */
static __always_inline void exit_ring_at_run(struct vcpu *vcpu)
{
	if (static_branch_unlikely(&exit_ring_used))
		exit_ring_run(vcpu);
}

static __always_inline void exit_ring_at_leave(struct vcpu *vcpu, long result)
{
	if (static_branch_unlikely(&exit_ring_used))
		exit_ring_leave(vcpu, result);
}

/* The vCPU begins to wait; what this returns goes to exit_ring_wait_end(). */
static __always_inline u64 exit_ring_wait_begin(void)
{
	return static_branch_unlikely(&exit_ring_used) ? rdtsc_ordered() : 0;
}

static __always_inline void exit_ring_wait_end(struct vcpu *vcpu, u64 since)
{
	if (static_branch_unlikely(&exit_ring_used))
		exit_ring_waited(vcpu, since);
}

#endif
