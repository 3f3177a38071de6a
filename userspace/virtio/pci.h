/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtio over PCI.
 */
#ifndef MKVM_VIRTIO_PCI_H
#define MKVM_VIRTIO_PCI_H

#include "virtio/device.h"

struct machine;
struct virtio_pci;

/**
 * virtio_pci_create() - put a virtio device on the PCI bus
 * @m: the machine
 * @dev: the device, after virtio_init(); must outlive the transport
 * @class_code: PCI class, 24 bits
 *
 * Return: the transport, to be freed with virtio_pci_destroy(); NULL after a report.
 */
struct virtio_pci *virtio_pci_create(struct machine *m, struct virtio_dev *dev, u32 class_code);

/** virtio_pci_destroy() - free a transport, or NULL; the PCI bus is not used any more */
void virtio_pci_destroy(struct virtio_pci *vpci);

/**
 * virtio_pci_reset() - device and transport to power-on state; the bus resets the PCI function
 *	itself
 * @vpci: the transport
 */
void virtio_pci_reset(struct virtio_pci *vpci);

#endif
