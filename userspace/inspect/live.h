/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reading a live machine through the module's inspection calls.
 */
#ifndef MKVM_INSPECT_LIVE_H
#define MKVM_INSPECT_LIVE_H

#include "inspect/attach.h"
#include "inspect/dump.h"

/**
 * live_failed() - report why an inspection call on a machine failed, by errno
 * @a: the machine
 * @what: what could not be read, as "its VMCS"
 *
 * Return: -1.
 */
int live_failed(const struct attached *a, const char *what);

/**
 * live_vmcs() - read the VMCS of a vCPU
 * @a: the machine
 * @fd: of the vCPU
 * @wait_ms: how long it may take to exit on its own before it is made to
 * @d: filled in
 *
 * Return: 0, or -1 after a report.
 */
int live_vmcs(const struct attached *a, int fd, unsigned int wait_ms, struct vmcs_dump *d);

#endif
