/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The descriptors a byte stream consists of, and opening them.
 */
#ifndef MKVM_CHARDEV_FDS_H
#define MKVM_CHARDEV_FDS_H

#include "config.h"
#include "types.h"

/**
 * struct chardev_fds - what is open for one stream
 * @in: input, or -1
 * @out: output, or -1 to drop it; for a socket and a pseudo terminal the same as @in, and
 *	non-blocking
 * @listen: listening socket, or -1. @in and @out are then a descriptor of /dev/null which each
 *	client takes the place of
 * @null: /dev/null, to put back in its place, or -1
 * @hold: the other side of a pseudo terminal, held open so that it has no end; or -1
 * @path: of the socket, to be removed at the end, or NULL; not ours
 */
struct chardev_fds {
	int in;
	int out;
	int listen;
	int null;
	int hold;
	const char *path;
};

/** chardev_fds_open() - open what @cfg says; 0, or -1 after a report, with nothing left open */
int chardev_fds_open(struct chardev_fds *fds, const struct chardev_config *cfg);

/** chardev_fds_close() - close them, and remove what was made */
void chardev_fds_close(struct chardev_fds *fds);

/** chardev_fds_accept() - if a client is waiting, connect it; true if one is connected now */
bool chardev_fds_accept(struct chardev_fds *fds);

/** chardev_fds_hang_up() - the client has gone: output is dropped until the next */
void chardev_fds_hang_up(struct chardev_fds *fds);

#endif
