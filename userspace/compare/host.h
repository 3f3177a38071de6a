/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the host tells about VMs that run: counters, exits by reason, memory.
 */
#ifndef MKVM_COMPARE_HOST_H
#define MKVM_COMPARE_HOST_H

#include <sys/types.h>

#include "compare/samples.h"

/**
 * counters_add() - the counters of a machine of mkvm, which its control socket tells
 * @s: gets a sample for each counter that rows.c knows, vCPUs added up
 * @name: the machine
 *
 * They are KVM's binary statistics; stock KVM lets only the VMM itself ask for them.
 *
 * Return: 0, or -1 after a report.
 */
int counters_add(struct samples *s, const char *name);

/**
 * struct reasons - a trace instance of our own that counts exits
 * @dir: it
 * @hist: the counts in it
 * @prefix: of the samples: "reason_" of VMX, "svm_" of AMD's codes
 */
struct reasons {
	char dir[96], hist[160];
	const char *prefix;
};

/**
 * reasons_begin() - count exits by reason from now on, of all VMs of a hypervisor
 * @r: filled in; reasons_end() is due if this returned 0
 * @minikvm: whose tracepoint
 *
 * Return: 0, or -1 after a report: no tracefs, no such tracepoint, or no histograms.
 */
int reasons_begin(struct reasons *r, bool minikvm);

/** reasons_add() - a sample, prefix and number, for each reason seen; 0, or -1 after a report */
int reasons_add(struct samples *s, const struct reasons *r);

/**
 * reasons_line() - take a line of a histogram of exit_reason
 * @s: gets a sample, @prefix and the number
 * @prefix: of its name
 * @line: as the kernel prints it
 *
 * Return: whether it was one of a reason.
 */
bool reasons_line(struct samples *s, const char *prefix, const char *line);

/** reasons_end() - take the instance away */
void reasons_end(struct reasons *r);

/** memory_of_process() - KiB of anonymous and shared memory, each page counted once: its PSS */
u64 memory_of_process(pid_t pid);

#endif
