/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What mkvm gives up before it runs guest code: capabilities and, if asked for, its user and the
 * sight of the file system, once and for the whole process; system calls, for each thread by kind.
 */
#ifndef MKVM_SANDBOX_H
#define MKVM_SANDBOX_H

#include "config.h"
#include "types.h"

/* Kinds of threads. Documentation/threat-model.rst says what each may do, and why. */
enum sandbox_kind {
	SANDBOX_MAIN,		/* the event loop: makes VMs and vCPUs, serves signals and consoles */
	SANDBOX_VCPU,		/* runs the guest and serves its exits */
	SANDBOX_DISK,		/* block requests */
	SANDBOX_NET,		/* network queues on descriptors that are open */
	SANDBOX_USERNET,	/* the user network: opens sockets for the guest */
	SANDBOX_SMALL,		/* small devices: computes, waits, reads and writes */
	NR_SANDBOX_KINDS,
};

/**
 * sandbox_enter() - chroot, change user and drop every capability, for good
 * @cfg: chroot, user and sandbox_off
 *
 * All files and devices must be open: afterwards the process, even if root started it, has no
 * privilege but its user id. Call before any thread exists, as capabilities are per thread.
 *
 * Return: 0, or -1 after a report.
 */
int sandbox_enter(const struct config *cfg);

/**
 * sandbox_thread() - from here on the calling thread may make only the system calls of its kind
 * @kind: what it is
 *
 * The first thing a thread does; the main thread calls it when the devices' threads exist. A thread
 * that is started by one with a filter has that filter, too. Any other system call ends the process
 * with a message that names it. Without effect after `--sandbox off` and in builds with sanitizers,
 * and before sandbox_enter(). Ends the process, after a report, if the kernel refuses.
 */
void sandbox_thread(enum sandbox_kind kind);

/**
 * sandbox_user() - look up `--user`
 * @name: a name in /etc/passwd, or "UID:GID" in numbers
 * @uid: set
 * @gid: set
 *
 * Return: 0, or -1 if there is no such user.
 */
int sandbox_user(const char *name, u32 *uid, u32 *gid);

#endif
