/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Looking into a machine from outside: copies of the VM's and the vCPUs' descriptors, taken from
 * the process that runs it, be it mkvm or another VMM on /dev/minikvm.
 */
#ifndef MKVM_INSPECT_ATTACH_H
#define MKVM_INSPECT_ATTACH_H

#include <sys/types.h>

#include "types.h"

/**
 * struct attached_vcpu - one vCPU
 * @id: as the VMM numbered it
 * @fd: ours
 */
struct attached_vcpu {
	unsigned int id;
	int fd;
};

/**
 * struct attached - a machine that is looked at
 * @label: its name, or "pid N"; for messages
 * @pid: the process that runs it
 * @pidfd: that process, whatever becomes of its number
 * @vm_fd: ours
 * @vcpus: in the order of their ids
 * @nr_vcpus: entries of @vcpus
 *
 * As long as the descriptors are open the VM exists, even if its process has ended or has made a new
 * one: who looks for long calls attach_again() again and again.
 */
struct attached {
	char label[80];
	pid_t pid;
	int pidfd;
	int vm_fd;
	struct attached_vcpu *vcpus;
	unsigned int nr_vcpus;
};

/**
 * attach_open() - find a machine and take copies of its descriptors
 * @a: filled in; attach_close() is due whatever the result
 * @name: of a running mkvm machine (`mkvm list`), or NULL
 * @pid: used if @name is NULL: any process with a VM of minikvm
 *
 * Needs the right to trace that process (CAP_SYS_PTRACE, or the same user).
 *
 * Return: 0, or -1 after a report: it does not run, is somebody else's, or has no VM of minikvm.
 */
int attach_open(struct attached *a, const char *name, pid_t pid);

/**
 * attach_again() - take new copies of the same process's descriptors
 * @a: attached
 *
 * A machine that was reset has another VM.
 *
 * Return: 0, or -1 after a report: it has ended, or has no VM now.
 */
int attach_again(struct attached *a);

/** attach_close() - give everything back; harmless twice */
void attach_close(struct attached *a);

/** attach_gone() - has the process that runs it ended? */
bool attach_gone(const struct attached *a);

/** attach_vcpu() - fd of the vCPU with this id, or -1 after a report that names those there are */
int attach_vcpu(const struct attached *a, unsigned int id);

/**
 * attach_parse_pid() - the value of --pid
 * @text: as the user wrote it
 *
 * Return: the process, or -1 after a report.
 */
pid_t attach_parse_pid(const char *text);

#endif
