/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A virtio device without its transport: status, feature negotiation, queues.
 *
 * Locks: the device's, and inside it one per queue. Whoever configures the device (vCPU threads, by
 * the transport) holds the former. The device's own threads take only the queues', each while it
 * looks at rings; requests in flight are under no lock. What ends this is virtio_ops.stop().
 */
#ifndef MKVM_VIRTIO_DEVICE_H
#define MKVM_VIRTIO_DEVICE_H

#include <pthread.h>
#include <stdatomic.h>

#include "types.h"
#include "virtio/virtqueue.h"

#define VIRTIO_MAX_QUEUES	64

/* Device status bits. */
#define VIRTIO_ACKNOWLEDGE	0x01
#define VIRTIO_DRIVER		0x02
#define VIRTIO_DRIVER_OK	0x04
#define VIRTIO_FEATURES_OK	0x08
#define VIRTIO_NEEDS_RESET	0x40
#define VIRTIO_FAILED		0x80

/* Feature bits every device of ours offers. */
#define VIRTIO_INDIRECT_DESC	BIT_ULL(28)
#define VIRTIO_EVENT_IDX	BIT_ULL(29)
#define VIRTIO_VERSION_1	BIT_ULL(32)

struct virtio_dev;

/**
 * struct virtio_ops - a kind of device
 * @config_read: copy @len bytes at @offset of the device's configuration; the range is within
 *	config_size; device's lock held
 * @config_write: NULL if no field can be written, or take @len bytes at @offset; as @config_read
 * @notify: the driver added requests to a queue; called without a lock, in a vCPU thread: hand
 *	over and return
 * @notify_fd: NULL, or the eventfd that is as good as @notify, or -1
 * @events_moved: NULL, or what virtio_transport.event_is_direct() answers has changed; with locks of
 *	the transport held, any thread: hand over and return
 * @stop: the device is being reset; called with its lock held, when no queue yields a request any
 *	more. On return nothing is in flight: the device's threads look at no ring, touch no guest
 *	RAM and raise no interrupt until a queue is enabled again. What waits for something that
 *	may never come (a host that has space again, a packet) is given up. Threads that this waits
 *	for must not take the device's lock. NULL if @notify does all the work, or the device is always
 *	idle while none of its queues' locks is held.
 */
struct virtio_ops {
	void (*config_read)(void *opaque, unsigned int offset, void *buf, unsigned int len);
	void (*config_write)(void *opaque, unsigned int offset, const void *buf, unsigned int len);
	void (*notify)(void *opaque, unsigned int queue);
	int (*notify_fd)(void *opaque, unsigned int queue);
	void (*events_moved)(void *opaque);
	void (*stop)(void *opaque);
};

/**
 * struct virtio_transport - how a device reaches the driver
 * @queue_interrupt: requests of @queue were completed; any thread, with or without locks
 * @config_interrupt: status or configuration changed; likewise
 * @event_fd: an eventfd that the host's kernel can signal to interrupt because of @queue; it belongs
 *	to the transport and stays the same. -1: there is none. Before the guest runs
 * @event_is_direct: the accelerator takes the events of that eventfd now; else the device has to
 *	read them, and call @queue_interrupt. Any thread, with or without locks
 */
struct virtio_transport {
	void (*queue_interrupt)(void *opaque, unsigned int queue);
	void (*config_interrupt)(void *opaque);
	int (*event_fd)(void *opaque, unsigned int queue);
	bool (*event_is_direct)(void *opaque, unsigned int queue);
};

/**
 * struct virtio_dev - one device
 * @type: virtio device id, e.g. 2 for a block device
 * @offered: feature bits
 * @config_size: bytes of device-specific configuration
 * @nr_queues: queues in use
 * @ops: the device
 * @opaque: argument of @ops
 * @transport: set by the transport
 * @transport_opaque: argument of @transport
 * @lock: everything below, and the transport's registers. @accepted does not change while a queue
 *	yields requests
 * @accepted: feature bits the driver chose
 * @status: device status register; written with the lock held, but for virtio_fail(); read by any
 *	thread
 * @generation: counts changes of the configuration by the device
 * @queue: the queues
 */
struct virtio_dev {
	u16 type;
	u64 offered;
	unsigned int config_size;
	unsigned int nr_queues;
	const struct virtio_ops *ops;
	void *opaque;
	const struct virtio_transport *transport;
	void *transport_opaque;
	pthread_mutex_t lock;
	u64 accepted;
	atomic_uchar status;
	u8 generation;
	struct virtqueue queue[VIRTIO_MAX_QUEUES];
};

/**
 * virtio_init() - the caller has filled in what stands above @lock; @queue_size is a power of two
 * @dev: the device
 * @mem: the guest's RAM
 * @queue_size: entries each queue offers, at most VIRTQUEUE_MAX_SIZE
 */
void virtio_init(struct virtio_dev *dev, const struct guest_mem *mem, u16 queue_size);

/* Called with the lock held, and no queue's. */

/** virtio_reset() - as after power-on; waits for what is in flight, see virtio_ops.stop */
void virtio_reset(struct virtio_dev *dev);

/**
 * virtio_set_features() - 32 feature bits, the low ones for @select 0; ignored once FEATURES_OK is
 *	set
 * @dev: the device
 * @select: which half
 * @bits: the bits
 */
void virtio_set_features(struct virtio_dev *dev, u32 select, u32 bits);

/** virtio_set_status() - the driver wrote the status register; 0 resets */
void virtio_set_status(struct virtio_dev *dev, u8 status);

/** virtio_enable_queue() - the driver finished setting a queue up */
void virtio_enable_queue(struct virtio_dev *dev, unsigned int queue);

/** virtio_config_changed() - the device changed its configuration: tell a running driver */
void virtio_config_changed(struct virtio_dev *dev);

/* Called by any thread, with or without locks. */

/**
 * virtio_running() - may the device use its queues?
 * @dev: the device
 *
 * The answer holds for as long as the lock of a queue is held, as far as that queue is concerned.
 */
bool virtio_running(const struct virtio_dev *dev);

/**
 * virtio_fail() - the driver broke the rules: ask for a reset and take no more requests until it
 *	comes
 * @dev: the device
 */
void virtio_fail(struct virtio_dev *dev);

/**
 * virtio_interrupt_queue() - tell the driver of what was pushed, if it wants to hear of it; queue's
 *	lock held
 * @dev: the device
 * @queue: its number
 */
void virtio_interrupt_queue(struct virtio_dev *dev, unsigned int queue);

#endif
