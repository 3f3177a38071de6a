/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The contract of host_work.c.
 */
#ifndef MINIKVM_HOST_WORK_H
#define MINIKVM_HOST_WORK_H

int host_work_handle(void);

#endif
