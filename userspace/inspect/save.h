/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Files that are there as a whole or not at all.
 */
#ifndef MKVM_INSPECT_SAVE_H
#define MKVM_INSPECT_SAVE_H

#include <stdio.h>

/**
 * struct save - a file being written
 * @path: what it will be called; not owned
 * @temporary: what it is called until then
 * @f: write here; errors are remembered by it
 */
struct save {
	const char *path;
	char *temporary;
	FILE *f;
};

/**
 * save_open() - begin; a file of that name stays as it is until save_close()
 *
 * A name that is a device or a pipe is written to as it is.
 *
 * Return: 0, or -1 after a report.
 */
int save_open(struct save *s, const char *path);

/**
 * save_close() - the file takes its name
 * @s: begun by save_open()
 * @failed: it does not, and what was written is removed
 *
 * Return: 0, or -1: @failed, or after a report.
 */
int save_close(struct save *s, int failed);

#endif
