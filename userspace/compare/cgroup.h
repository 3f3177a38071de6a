/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The memory cgroup that VMs of `mkvm compare` run in: what the kernel has allocated for them.
 */
#ifndef MKVM_COMPARE_CGROUP_H
#define MKVM_COMPARE_CGROUP_H

#include "types.h"

/**
 * struct cgroup - a cgroup of our own
 * @root: descriptor of the root of cgroup v2
 * @dir: of the cgroup
 * @procs: of its cgroup.procs: who writes "0" to it moves there
 * @name: of the cgroup in @root
 * @enabled: whether we have given the memory controller to the root's children
 */
struct cgroup {
	int root, dir, procs;
	char name[40];
	bool enabled;
};

/**
 * cgroup_open() - make one
 * @g: filled in; cgroup_close() may be called in any case
 *
 * It needs no place where cgroup v2 is mounted. It takes root and a memory controller that
 * no cgroup of version 1 has.
 *
 * Return: 0, or -1 after a report.
 */
int cgroup_open(struct cgroup *g);

/**
 * cgroup_kernel() - KiB that the kernel has allocated for processes of the cgroup
 * @g: it
 * @kib: the result: page tables, stacks, slab objects, and all else that is allocated with
 *	__GFP_ACCOUNT, which KVM and mini-KVM do for what belongs to a VM
 *
 * Return: 0, or -1 after a report.
 */
int cgroup_kernel(const struct cgroup *g, u64 *kib);

/** cgroup_close() - take it away; its processes have been waited for */
void cgroup_close(struct cgroup *g);

#endif
