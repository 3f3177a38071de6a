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
 * daemon_log() - open the file that messages are added to from daemon_ready() on; 0, or -1 after a
 *	report
 * @path: the file
 */
int daemon_log(const char *path);

/**
 * daemon_ready() - the machine is built: messages go to the file of daemon_log(), if there is one;
 *	after daemon_fork() the parent goes, with status 0, and its terminal is given up
 *
 * Does nothing a second time.
 */
void daemon_ready(void);

#endif
