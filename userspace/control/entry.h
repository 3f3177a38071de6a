/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The names of running machines: a folder with a locked file and a control socket for each.
 */
#ifndef MKVM_CONTROL_ENTRY_H
#define MKVM_CONTROL_ENTRY_H

#include <sys/types.h>

#include "types.h"

#define ENTRY_PATH_MAX	108		/* of a Unix socket's address, with the terminating zero */

/**
 * struct entry - a name that is ours
 * @name: not owned
 * @dir_fd: the folder; -1: there is none, and no control socket
 * @lock_fd: NAME.lock, open and locked
 * @socket: path of NAME.sock
 */
struct entry {
	const char *name;
	int dir_fd;
	int lock_fd;
	char socket[ENTRY_PATH_MAX];
};

/**
 * entry_dir() - the folder: $MKVM_RUNTIME_DIR, or /run/mkvm for root, or $XDG_RUNTIME_DIR/mkvm
 * @buf: filled
 * @size: its size
 *
 * Return: false if there is none, because $XDG_RUNTIME_DIR is not set, or the path is too long.
 */
bool entry_dir(char *buf, size_t size);

/** entry_name_valid() - 1 to 64 letters, digits, '_', '.', '-', not beginning with '.' or '-' */
bool entry_name_valid(const char *name);

/** entry_socket() - path of a machine's control socket; false if there is no folder */
bool entry_socket(const char *name, char path[ENTRY_PATH_MAX]);

/**
 * entry_claim() - make a name ours until entry_release() or the end of the process
 * @e: filled in
 * @name: kept, not copied
 *
 * A name that somebody's crash left behind is free. Where there is no place for the folder, a note
 * is printed and the machine goes without: @e->dir_fd is -1.
 *
 * Return: 0, or -1 after a report: the name is taken, or the folder is not safe.
 */
int entry_claim(struct entry *e, const char *name);

/** entry_release() - give the name back, with its socket; harmless without entry_claim() */
void entry_release(struct entry *e);

/** entry_in_use() - does a machine of this name run? */
bool entry_in_use(const char *name);

/** entry_pid() - the process that runs the machine of this name; 0: there is none */
pid_t entry_pid(const char *name);

/**
 * entry_each() - call @fn for each name that is in use, in alphabetical order
 * @fn: gets @opaque and the name
 * @opaque: its argument
 *
 * What a crash left behind is removed on the way.
 *
 * Return: how many, or -1 after a report.
 */
int entry_each(void (*fn)(void *opaque, const char *name), void *opaque);

#endif
