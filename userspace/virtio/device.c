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
	dev->accepted = 0;
	dev->generation = 0;
	atomic_init(&dev->status, 0);
}

/* Call @fn on each queue, with its lock held. */
static void each_queue(struct virtio_dev *dev, void (*fn)(struct virtqueue *vq))
{
	unsigned int i;

	for (i = 0; i < dev->nr_queues; i++) {
		pthread_mutex_lock(&dev->queue[i].lock);
		fn(&dev->queue[i]);
		pthread_mutex_unlock(&dev->queue[i].lock);
	}
}

void virtio_reset(struct virtio_dev *dev)
{
	/* First the source of requests, then those that are on their way, then the rest. */
	atomic_store(&dev->status, 0);
	each_queue(dev, virtqueue_stop);
	if (dev->ops->stop)
		dev->ops->stop(dev->opaque);
	each_queue(dev, virtqueue_reset);
	dev->accepted = 0;
	/* Again: a thread that was in the middle of a bad request may have set NEEDS_RESET. */
	atomic_store(&dev->status, 0);
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

	if (!status) {
		virtio_reset(dev);
		return;
	}
	status &= settable;
	if (!(dev->status & VIRTIO_FEATURES_OK) && (status & VIRTIO_FEATURES_OK) &&
	    !features_ok(dev))
		status &= (u8)~VIRTIO_FEATURES_OK;
	if (!((dev->status | status) & VIRTIO_FEATURES_OK))
		status &= (u8)~VIRTIO_DRIVER_OK;
	/* The driver can only add bits; NEEDS_RESET may be added by another thread meanwhile. */
	atomic_fetch_or(&dev->status, status);
}

void virtio_enable_queue(struct virtio_dev *dev, unsigned int queue)
{
	struct virtqueue *vq = &dev->queue[queue];
	int err = 0;

	if (!(dev->status & VIRTIO_FEATURES_OK))
		return;
	pthread_mutex_lock(&vq->lock);
	if (!vq->enabled) {
		vq->event_idx = dev->accepted & VIRTIO_EVENT_IDX;
		err = virtqueue_enable(vq);
	}
	pthread_mutex_unlock(&vq->lock);
	if (err)
		virtio_fail(dev);
}

void virtio_config_changed(struct virtio_dev *dev)
{
	dev->generation++;
	if (dev->status & VIRTIO_DRIVER_OK)
		dev->transport->config_interrupt(dev->transport_opaque);
}

bool virtio_running(const struct virtio_dev *dev)
{
	u8 status = atomic_load(&dev->status);

	return (status & VIRTIO_DRIVER_OK) && !(status & (VIRTIO_NEEDS_RESET | VIRTIO_FAILED));
}

void virtio_fail(struct virtio_dev *dev)
{
	if (atomic_fetch_or(&dev->status, VIRTIO_NEEDS_RESET) & VIRTIO_DRIVER_OK)
		dev->transport->config_interrupt(dev->transport_opaque);
}

void virtio_interrupt_queue(struct virtio_dev *dev, unsigned int queue)
{
	if (virtqueue_should_interrupt(&dev->queue[queue]))
		dev->transport->queue_interrupt(dev->transport_opaque, queue);
}
