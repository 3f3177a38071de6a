/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The accelerator's binary statistics, as JSON.
 */
#ifndef MKVM_CONTROL_STATS_H
#define MKVM_CONTROL_STATS_H

#include <jansson.h>

/**
 * stats_read() - all counters of a VM or vCPU, as QMP's list of { name, value }
 * @fd: what MINIKVM_GET_STATS_FD returned
 *
 * Histograms are lists of numbers.
 *
 * Return: a new reference, or NULL with errno: ENOTTY if @fd is -1.
 */
json_t *stats_read(int fd);

#endif
