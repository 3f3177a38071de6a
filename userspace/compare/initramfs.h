/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The initramfs of the guest that `mkvm compare` brings along.
 */
#ifndef MKVM_COMPARE_INITRAMFS_H
#define MKVM_COMPARE_INITRAMFS_H

#include <stdio.h>

#include "types.h"

/**
 * initramfs_entry() - write one member of a cpio archive
 * @f: the archive
 * @name: without a leading '/'; "TRAILER!!!" ends the archive
 * @mode: as st_mode
 * @data: its bytes
 * @size: how many
 */
void initramfs_entry(FILE *f, const char *name, unsigned int mode, const void *data, size_t size);

/**
 * initramfs_release() - the release a kernel was built as
 * @release: gets it
 * @size: room
 * @kernel: a bzImage
 *
 * Source: Linux Documentation/arch/x86/boot.rst, "kernel_version".
 *
 * Return: 0, or -1 after a report.
 */
int initramfs_release(char *release, size_t size, const char *kernel);

/**
 * initramfs_make() - an init, and the virtio drivers of a kernel that has them as modules
 * @path: the archive to make
 * @init: static program that becomes /init; it loads /modules/N.ko in the order of their numbers
 * @modules_dir: folder with modules.dep
 *
 * Return: 0, or -1 after a report.
 */
int initramfs_make(const char *path, const char *init, const char *modules_dir);

#endif
