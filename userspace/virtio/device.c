// SPDX-License-Identifier: GPL-2.0
/*
 * What all virtio devices have in common: the initialisation sequence.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, "Basic Facilities of a Virtio Device", "Device
 * Initialization".
 */
#include "types.h"
#include "virtio/device.h"

void virtio_init(struct virtio_dev *dev, const struct guest_mem *mem, u16 queue_size)
{
	unsigned int i;

	dev->offered |= VIRTIO_VERSION_1 | VIRTIO_INDIRECT_DESC | VIRTIO_EVENT_IDX;
	pthread_mutex_init(&dev->lock, NULL);
	for (i = 0; i < dev->nr_queues; i++)
		virtqueue_init(&dev->queue[i], mem, queue_size);
	virtio_reset(dev);
}

void virtio_reset(struct virtio_dev *dev)
{
	unsigned int i;

	dev->accepted = 0;
	dev->status = 0;
	for (i = 0; i < dev->nr_queues; i++)
		virtqueue_reset(&dev->queue[i]);
}

void virtio_set_features(struct virtio_dev *dev, u32 select, u32 bits)
{
	if ((dev->status & VIRTIO_FEATURES_OK) || select > 1)
		return;
	if (select)
		dev->accepted = (dev->accepted & UINT32_MAX) | (u64)bits << 32;
	else
		dev->accepted = (dev->accepted & ~(u64)UINT32_MAX) | bits;
}

/* FEATURES_OK stays clear if the driver chose what was not offered, or is a legacy driver. */
static bool features_ok(const struct virtio_dev *dev)
{
	return !(dev->accepted & ~dev->offered) && (dev->accepted & VIRTIO_VERSION_1);
}

void virtio_set_status(struct virtio_dev *dev, u8 status)
{
	const u8 settable = VIRTIO_ACKNOWLEDGE | VIRTIO_DRIVER | VIRTIO_DRIVER_OK |
			    VIRTIO_FEATURES_OK | VIRTIO_FAILED;
	unsigned int i;

	if (!status) {
		virtio_reset(dev);
		return;
	}
	status &= settable;
	if (!(dev->status & VIRTIO_FEATURES_OK) && (status & VIRTIO_FEATURES_OK) &&
	    !features_ok(dev))
		status &= (u8)~VIRTIO_FEATURES_OK;
	/* The driver can only add bits. */
	dev->status |= status;
	if (!(dev->status & VIRTIO_FEATURES_OK))
		dev->status &= (u8)~VIRTIO_DRIVER_OK;
	for (i = 0; i < dev->nr_queues; i++)
		dev->queue[i].event_idx = dev->accepted & VIRTIO_EVENT_IDX;
}

void virtio_enable_queue(struct virtio_dev *dev, unsigned int queue)
{
	if (!(dev->status & VIRTIO_FEATURES_OK) || dev->queue[queue].enabled)
		return;
	if (virtqueue_enable(&dev->queue[queue]))
		virtio_fail(dev);
}

bool virtio_running(const struct virtio_dev *dev)
{
	return (dev->status & VIRTIO_DRIVER_OK) &&
	       !(dev->status & (VIRTIO_NEEDS_RESET | VIRTIO_FAILED));
}

void virtio_fail(struct virtio_dev *dev)
{
	dev->status |= VIRTIO_NEEDS_RESET;
	if (dev->status & VIRTIO_DRIVER_OK)
		dev->transport->config_interrupt(dev->transport_opaque);
}
