/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtio consoles.
 */
#ifndef MKVM_VIRTIO_CONSOLE_H
#define MKVM_VIRTIO_CONSOLE_H

#include "config_device.h"

/* -device virtio-serial-pci, and what is plugged into it: -device virtconsole,chardev=ID */
extern const struct device_model virtio_serial_model;
extern const struct device_model virtconsole_model;

#endif
