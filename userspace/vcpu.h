/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtual CPUs: one thread each, which runs the guest and serves its exits.
 */
#ifndef MKVM_VCPU_H
#define MKVM_VCPU_H

#include <pthread.h>
#include <stdatomic.h>

#include "minikvm.h"
#include "types.h"

struct machine;

/**
 * struct vcpu - one virtual CPU
 * @m: the machine
 * @id: number, also the local APIC id
 * @fd: vCPU fd
 * @run: the run page shared with the kernel
 * @stats_fd: its counters, or -1; opened before it runs, because an ioctl on it would wait for RUN
 * @tid: its thread id, 0 until it runs
 * @thread: valid if @started
 * @started: the thread exists and must be joined
 */
struct vcpu {
	struct machine *m;
	unsigned int id;
	int fd;
	struct minikvm_run *run;
	int stats_fd;
	pthread_t thread;
	atomic_int tid;
	bool started;
};

/** vcpu_global_init() - once, before any thread: choose and set up the signal that stops a vCPU */
int vcpu_global_init(void);

/**
 * vcpu_create_all() - create and reset all vCPUs of the machine; none runs yet
 * @m: the machine
 *
 * Return: 0, or -1 after a report; vcpu_destroy_all() is due in both cases.
 */
int vcpu_create_all(struct machine *m);

/**
 * vcpu_start_all() - let them run; 0, or -1 after a report (vcpu_stop_all() is due in both cases)
 * @m: the machine
 */
int vcpu_start_all(struct machine *m);

/**
 * vcpu_kick_all() - make every vCPU thread leave the guest and look around; any thread, with
 *	pause.lock held while pause.live
 * @m: the machine
 */
void vcpu_kick_all(struct machine *m);

/** vcpu_stop_all() - stop and join the threads; machine_post() must have been called */
void vcpu_stop_all(struct machine *m);

/** vcpu_destroy_all() - close all vCPUs; their threads must be stopped */
void vcpu_destroy_all(struct machine *m);

/* vcpu_state.c */

/**
 * vcpu_reset_state() - CPUID, MSRs and, on vCPU 0, the registers a kernel is entered with; -1 after
 *	a report
 * @vcpu: the vCPU
 */
int vcpu_reset_state(struct vcpu *vcpu);

/** vcpu_report_state() - print the registers, for a report of a vCPU that cannot go on */
void vcpu_report_state(struct vcpu *vcpu);

#endif
