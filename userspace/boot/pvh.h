/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a kernel with a PVH entry point is told about the machine.
 */
#ifndef MKVM_BOOT_PVH_H
#define MKVM_BOOT_PVH_H

#include "boot/linux.h"
#include "guest_mem.h"

/**
 * pvh_write() - write the start info, and what it points to, at BOOT_PARAMS_GPA
 * @boot: command line and initrd have their places
 * @mem: the guest's RAM
 * @rsdp: ACPI tables
 *
 * Return: 0, or -1 if guest memory is too small.
 */
int pvh_write(const struct boot_source *boot, const struct guest_mem *mem, gpa_t rsdp);

#endif
