/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the descriptors of another process are, by their links in /proc.
 */
#ifndef MKVM_PROC_FDS_H
#define MKVM_PROC_FDS_H

#include <stdbool.h>
#include <sys/types.h>

#define PROC_LINK_MAX 64 /* with the NUL; what is longer is cut */

/**
 * proc_link() - where a symbolic link of /proc leads
 * @dir: the link's directory, or AT_FDCWD
 * @name: of the link
 * @link: filled in, "" if there is none
 *
 * Return: whether there is such a link.
 */
bool proc_link(int dir, const char *name, char link[PROC_LINK_MAX]);

/**
 * proc_fds() - look at all descriptors of a process
 * @pid: the process
 * @look: called for each with its number and its link; anything but 0 ends the walk
 * @opaque: its argument
 *
 * The process runs on: what @look is told may no longer be so.
 *
 * Return: what @look returned last; or -1 with errno, if there is no such process or it may not
 * be looked at. errno is 0 if @look has returned the -1.
 */
int proc_fds(pid_t pid, int (*look)(void *opaque, int fd, const char *link), void *opaque);

#endif
