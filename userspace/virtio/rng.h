/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtio entropy devices.
 */
#ifndef MKVM_VIRTIO_RNG_H
#define MKVM_VIRTIO_RNG_H

#include "config_device.h"

/* -device virtio-rng-pci[,max-bytes=N,period=MSEC] */
extern const struct device_model virtio_rng_model;

#endif
