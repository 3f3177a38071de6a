/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The system call filters behind sandbox_thread().
 */
#ifndef MKVM_SECCOMP_FILTER_H
#define MKVM_SECCOMP_FILTER_H

#include "sandbox.h"

/** seccomp_filter_init() - once: have violations reported; 0, or -1 after a report */
int seccomp_filter_init(void);

/** seccomp_filter_load() - filter the calling thread, for good; 0 or a negative errno */
int seccomp_filter_load(enum sandbox_kind kind);

#endif
