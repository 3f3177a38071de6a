/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What readers of other processes need in every vCPU: who waits to read it (inspect.c),
 * and its last exit on the way into the exit ring (exit_ring.c).
 */
#ifndef MINIKVM_INSPECT_TYPES_H
#define MINIKVM_INSPECT_TYPES_H

#include <linux/list.h>
#include <linux/spinlock.h>
#include <linux/wait.h>

#include "../uapi/minikvm_inspect.h"

/**
 * struct vcpu_inspect - who wants to read a vCPU; any context
 * @lock: protects @works, and is held while they are done
 * @works: struct inspect_work
 * @readers: wait here for their work to be done, or for vcpu->mutex
 */
struct vcpu_inspect {
	spinlock_t lock;	/* see above */
	struct list_head works;
	wait_queue_head_t readers;
};

/**
 * struct exit_record - the last exit; only the vCPU's own thread touches it
 * @ring_id: of the ring that the rest is for
 * @open: @entry holds an exit after which the guest was not entered again
 * @entry: what is known of it
 * @entered: TSC of the last entry, 0 if the ring came later
 * @left_run: TSC of RUN's return, 0 while it runs
 */
struct exit_record {
	u64 ring_id;
	bool open;
	struct minikvm_exit_entry entry;
	u64 entered;
	u64 left_run;
};

#endif
