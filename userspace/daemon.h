/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Running in the background: -daemonize.
 */
#ifndef MKVM_DAEMON_H
#define MKVM_DAEMON_H

#include "types.h"

/**
 * daemon_fork() - go on in a child process, in a session of its own
 * @status: the exit status for the parent
 *
 * The parent waits until daemon_ready() or the child's end; until then messages go to its standard
 * error. Call before anything is opened and any thread exists.
 *
 * Return: true in the parent, which must end with @status; false in the child.
 */
bool daemon_fork(int *status);

/**
 * daemon_ready() - the machine is built: let the parent go, with status 0, and give up its
 *	terminal; does nothing a second time, or without daemon_fork()
 */
void daemon_ready(void);

#endif
