/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of the calls program share: VMs to call, and how an answer is
 * printed.
 */
#ifndef COMPAT_CALLS_H
#define COMPAT_CALLS_H

#include <stddef.h>
#include <stdint.h>

#include "minikvm.h"

enum state { BARE, IRQCHIP, SPLIT, NR_STATES };
enum fd_kind { DEVICE, VM, VCPU, NR_FDS };

extern const char *const state_name[NR_STATES];
extern const char *const fd_name[NR_FDS];

/* A VM in one of the states with one vCPU, CPUID set, and 64 KiB at GPA 0. */
struct fixture {
	int fd[NR_FDS];
	struct minikvm_run *run;
	void *mem;
};

#define FIXTURE_MEM	0x10000UL

void fixture_open(struct fixture *f, enum state state);
void fixture_close(struct fixture *f);

/* Prints "call GROUP: WHAT = ANSWER"; a descriptor among the answers is closed. */
int call(int fd, unsigned long cmd, unsigned long arg, const char *group, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));

/* The lists of calls, each printing its own groups. */
void calls_by_flags(void);
void calls_by_order(void);
void calls_with_memory(void);

#endif
