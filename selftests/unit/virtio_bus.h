/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bus of a virtio device's test: in the place of virtio/pci.c, which is not linked. It counts
 * interrupts; a reset of the function resets the device.
 */
#ifndef MINIKVM_UNIT_VIRTIO_BUS_H
#define MINIKVM_UNIT_VIRTIO_BUS_H

#include <pthread.h>
#include <stdatomic.h>

#include "types.h"
#include "virtio/device.h"
#include "virtio/pci.h"

static struct virtio_dev *dev;		/* the device that was made last */
static atomic_uint nr_interrupts, nr_config_interrupts;

static void interrupt(void *opaque, unsigned int queue)
{
	(void)opaque;
	(void)queue;
	nr_interrupts++;
}

static void config_interrupt(void *opaque)
{
	(void)opaque;
	nr_config_interrupts++;
}

/* A test may put in what it wants of its own, before it makes a device. */
static struct virtio_transport transport = {
	.queue_interrupt = interrupt, .config_interrupt = config_interrupt,
};

struct virtio_pci *virtio_pci_create(struct machine *machine, struct virtio_dev *d, u32 class_code)
{
	(void)machine;
	(void)class_code;
	d->transport = &transport;
	dev = d;
	return (struct virtio_pci *)d;
}

void virtio_pci_destroy(struct virtio_pci *vpci)
{
	(void)vpci;
}

void virtio_pci_reset(struct virtio_pci *vpci)
{
	(void)vpci;
	pthread_mutex_lock(&dev->lock);
	virtio_reset(dev);
	pthread_mutex_unlock(&dev->lock);
}

#endif
