/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Pausing the machine: vCPUs leave the guest and wait, the guest's clocks stand still, devices go
 * on, but for those with a paused operation.
 */
#ifndef MKVM_PAUSE_H
#define MKVM_PAUSE_H

#include <pthread.h>
#include <stdatomic.h>

#include "minikvm.h"
#include "types.h"

struct machine;

/* Why the guest does not run; machine_pause_name() spells them as QMP's RunState does. */
enum machine_pause {
	PAUSE_NONE = 0,		/* it runs */
	PAUSE_PRELAUNCH,	/* -S: it has not begun */
	PAUSE_USER,
	PAUSE_IO_ERROR,		/* a disk's image takes no writes; the request is kept */
};

/**
 * struct pause_state - of a machine
 * @lock: everything below but @reason, which is written with it held and read without
 * @changed: @reason or @parked changed
 * @reason: enum machine_pause
 * @live: vCPU threads exist
 * @parked: how many of them wait
 * @settled: they are all out of the guest, and the clocks are saved
 * @told: @on_change has been called for this pause
 * @generation: the VM the clocks belong to
 * @clock: kvmclock when the guest was left
 * @clock_valid: @clock holds something; main thread only
 * @pit: the interval timer, likewise
 * @pit_valid: @pit holds something
 * @on_change: NULL, or told of each change, in the main thread: paused or running
 */
struct pause_state {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	atomic_int reason;
	bool live;
	unsigned int parked;
	bool settled;
	bool told;
	unsigned int generation;
	struct minikvm_clock_data clock;
	bool clock_valid;
	struct minikvm_pit_state2 pit;
	bool pit_valid;
	void (*on_change)(struct machine *m, bool running);
};

/** machine_pause_init() - once, before any thread */
void machine_pause_init(struct machine *m);

/**
 * machine_pause() - ask for a pause; any thread, also a vCPU's, whatever locks it holds
 * @m: the machine
 * @reason: why; ignored if the machine is paused already
 *
 * Returns at once: vCPUs leave the guest soon, the main thread then saves the clocks. They stop
 * between two instructions, with port and memory accesses complete. Device threads go on.
 */
void machine_pause(struct machine *m, enum machine_pause reason);

/**
 * machine_pause_settle() - if a pause was asked for, wait until no vCPU is in the guest; main
 *	thread
 * @m: the machine
 *
 * Waits at most a second for vCPU threads that serve an exit: such a thread, perhaps waiting for
 * the reader of a serial port, runs no guest code before it has noticed the pause.
 */
void machine_pause_settle(struct machine *m);

/**
 * machine_resume() - let the guest go on; main thread
 * @m: the machine
 *
 * The guest's kvmclock continues where it stopped and its watchdogs are told. Then the devices'
 * resumed operations are called, while vCPUs run: one that cannot go on asks for a pause anew.
 * Does nothing if the machine runs.
 */
void machine_resume(struct machine *m);

/** machine_paused() - enum machine_pause; any thread */
enum machine_pause machine_paused(struct machine *m);

/** machine_pause_name() - "running", "prelaunch", "paused" or "io-error" */
const char *machine_pause_name(enum machine_pause reason);

/* For vcpu.c */

/** machine_pause_live() - vCPU threads exist from now on, or are about to end */
void machine_pause_live(struct machine *m, bool live);

/**
 * machine_park() - wait here while the machine is paused and not being stopped; vCPU threads,
 *	with no access pending
 * @m: the machine
 */
void machine_park(struct machine *m);

#endif
