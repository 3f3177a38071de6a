// SPDX-License-Identifier: GPL-2.0
/*
 * The PCI transport: capabilities that say where the register blocks are, the blocks themselves in
 * one BAR, and interrupts by MSI-X or by pin. Modern devices only.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, "Virtio Over PCI Bus".
 */
#include <stdlib.h>
#include <string.h>

#include "dev/msix.h"
#include "dev/pci.h"
#include "dev/pci_regs.h"
#include "machine.h"
#include "report.h"
#include "types.h"
#include "virtio/pci.h"
#include "vm_event.h"

#define VIRTIO_PCI_VENDOR	0x1af4
#define VIRTIO_PCI_DEVICE	0x1040	/* plus the device type */

/* The BAR: one page for each block. */
#define BAR_NR			0
#define BAR_SIZE		0x8000u
#define BLOCK_SIZE		0x1000u
#define BLOCK_COMMON		0x0000u
#define BLOCK_ISR		0x1000u
#define BLOCK_DEVICE		0x2000u
#define BLOCK_NOTIFY		0x3000u
#define BLOCK_MSIX_TABLE	0x4000u
#define BLOCK_MSIX_PBA		0x5000u

#define NOTIFY_MULTIPLIER	4

/* cfg_type of the capabilities. */
#define CAP_COMMON		1
#define CAP_NOTIFY		2
#define CAP_ISR			3
#define CAP_DEVICE		4
#define CAP_PCI			5

#define ISR_QUEUE		1
#define ISR_CONFIG		2

struct virtio_pci_cap {
	u8 id, next, len, type;
	u8 bar, cap_id, padding[2];
	u32 offset, length;
	u32 extra;		/* notify: multiplier; PCI access: data window */
} __packed;

/* Registers of the common block, with their only valid access size. */
enum common_reg {
	DEVICE_FEATURE_SELECT = 0x00,
	DEVICE_FEATURE = 0x04,
	DRIVER_FEATURE_SELECT = 0x08,
	DRIVER_FEATURE = 0x0c,
	CONFIG_VECTOR = 0x10,
	NUM_QUEUES = 0x12,
	DEVICE_STATUS = 0x14,
	CONFIG_GENERATION = 0x15,
	QUEUE_SELECT = 0x16,
	QUEUE_SIZE = 0x18,
	QUEUE_VECTOR = 0x1a,
	QUEUE_ENABLE = 0x1c,
	QUEUE_NOTIFY_OFF = 0x1e,
	QUEUE_DESC_LO = 0x20,
	QUEUE_DESC_HI = 0x24,
	QUEUE_DRIVER_LO = 0x28,
	QUEUE_DRIVER_HI = 0x2c,
	QUEUE_DEVICE_LO = 0x30,
	QUEUE_DEVICE_HI = 0x34,
};

/**
 * struct virtio_pci - the transport of one device
 * @access_cap: offset of the capability that gives access to the BAR through configuration space
 * @irq: of each MSI-X vector; guarded by the table's lock
 * @event: of each queue whose interrupts the host's kernel raises; likewise
 * @events: bits of the queues that have one; likewise
 * @direct: bits of those whose events are interrupts; written with the table's lock held
 * @pin_lock: @isr, and that the pin follows it; taken inside all other locks of the device
 * @isr: why the pin is asserted
 *
 * The fields from @device_select on are guarded by the device's lock; any thread reads vectors.
 */
struct virtio_pci {
	struct machine *m;
	struct virtio_dev *dev;
	struct pci_dev pci;
	struct msix msix;
	struct vm_irq irq[VIRTIO_MAX_QUEUES + 1];
	struct vm_irq event[VIRTIO_MAX_QUEUES];
	u64 events;
	_Atomic u64 direct;
	unsigned int access_cap;
	pthread_mutex_t pin_lock;
	u8 isr;
	u32 device_select;
	u32 driver_select;
	u16 queue_select;
	_Atomic u16 config_vector;
	_Atomic u16 queue_vector[VIRTIO_MAX_QUEUES];
};

static unsigned int common_size(unsigned int reg)
{
	switch (reg) {
	case DEVICE_STATUS:
	case CONFIG_GENERATION:
		return 1;
	case CONFIG_VECTOR:
	case NUM_QUEUES:
	case QUEUE_SELECT:
	case QUEUE_SIZE:
	case QUEUE_VECTOR:
	case QUEUE_ENABLE:
	case QUEUE_NOTIFY_OFF:
		return 2;
	default:
		return 4;
	}
}

static u64 read_queue_reg(struct virtio_pci *vpci, unsigned int reg)
{
	unsigned int nr = vpci->queue_select;
	struct virtqueue *vq;

	/* A queue that does not exist has size 0. */
	if (nr >= vpci->dev->nr_queues)
		return reg == QUEUE_VECTOR ? MSIX_NO_VECTOR : 0;
	vq = &vpci->dev->queue[nr];
	switch (reg) {
	case QUEUE_SIZE:
		return vq->size;
	case QUEUE_VECTOR:
		return vpci->queue_vector[nr];
	case QUEUE_ENABLE:
		return vq->enabled;
	case QUEUE_NOTIFY_OFF:
		return nr;
	case QUEUE_DESC_LO:
		return (u32)vq->desc_gpa;
	case QUEUE_DESC_HI:
		return vq->desc_gpa >> 32;
	case QUEUE_DRIVER_LO:
		return (u32)vq->avail_gpa;
	case QUEUE_DRIVER_HI:
		return vq->avail_gpa >> 32;
	case QUEUE_DEVICE_LO:
		return (u32)vq->used_gpa;
	case QUEUE_DEVICE_HI:
		return vq->used_gpa >> 32;
	default:
		return 0;
	}
}

static u64 common_read(struct virtio_pci *vpci, unsigned int reg, unsigned int size)
{
	struct virtio_dev *dev = vpci->dev;

	if (size != common_size(reg))
		return 0;
	switch (reg) {
	case DEVICE_FEATURE_SELECT:
		return vpci->device_select;
	case DEVICE_FEATURE:
		return vpci->device_select < 2 ? (u32)(dev->offered >> (32 * vpci->device_select)) :
						 0;
	case DRIVER_FEATURE_SELECT:
		return vpci->driver_select;
	case DRIVER_FEATURE:
		return vpci->driver_select < 2 ?
			       (u32)(dev->accepted >> (32 * vpci->driver_select)) :
			       0;
	case CONFIG_VECTOR:
		return vpci->config_vector;
	case NUM_QUEUES:
		return dev->nr_queues;
	case DEVICE_STATUS:
		return dev->status;
	case CONFIG_GENERATION:
		return dev->generation;
	case QUEUE_SELECT:
		return vpci->queue_select;
	default:
		return read_queue_reg(vpci, reg);
	}
}

static u64 set_low(u64 old, u32 value)
{
	return (old & ~(u64)UINT32_MAX) | value;
}

static u64 set_high(u64 old, u32 value)
{
	return (old & UINT32_MAX) | (u64)value << 32;
}

/*
 * A vector the table does not have reads back as "none", which tells the driver that it did not get
 * it.
 */
static u16 valid_vector(const struct virtio_pci *vpci, u64 value)
{
	return value < vpci->msix.nr ? (u16)value : MSIX_NO_VECTOR;
}

/*
 * The events of a queue are its vector's message for as long as that may be sent; a vector that is
 * masked, or the pin, is left to the device and queue_interrupt(). Called with the table's lock
 * held, so that no message is sent once the guest's write that masks the vector is done.
 */
static bool connect_event(struct virtio_pci *vpci, unsigned int queue)
{
	struct vm *vm = &vpci->m->vm;
	u64 address;
	u32 data;

	if (msix_message(&vpci->msix, vpci->queue_vector[queue], &address, &data))
		return vm_irq_attach(vm, &vpci->event[queue], address, data);
	vm_irq_detach(vm, &vpci->event[queue]);
	return false;
}

static void connect_events(void *opaque)
{
	struct virtio_pci *vpci = opaque;
	u64 direct = 0;
	unsigned int i;

	for (i = 0; vpci->events && i < vpci->dev->nr_queues; i++) {
		if ((vpci->events & BIT_ULL(i)) && connect_event(vpci, i))
			direct |= BIT_ULL(i);
	}
	if (atomic_exchange(&vpci->direct, direct) != direct)
		vpci->dev->ops->events_moved(vpci->dev->opaque);
}

static void vectors_changed(struct virtio_pci *vpci)
{
	pthread_mutex_lock(&vpci->msix.lock);
	connect_events(vpci);
	pthread_mutex_unlock(&vpci->msix.lock);
}

/* Where a queue lies. Called with the queue's lock held; it is not in use. */
static void place_queue(struct virtqueue *vq, unsigned int reg, u32 value)
{
	switch (reg) {
	case QUEUE_SIZE:
		vq->size = (u16)value;
		break;
	case QUEUE_DESC_LO:
		vq->desc_gpa = set_low(vq->desc_gpa, value);
		break;
	case QUEUE_DESC_HI:
		vq->desc_gpa = set_high(vq->desc_gpa, value);
		break;
	case QUEUE_DRIVER_LO:
		vq->avail_gpa = set_low(vq->avail_gpa, value);
		break;
	case QUEUE_DRIVER_HI:
		vq->avail_gpa = set_high(vq->avail_gpa, value);
		break;
	case QUEUE_DEVICE_LO:
		vq->used_gpa = set_low(vq->used_gpa, value);
		break;
	case QUEUE_DEVICE_HI:
		vq->used_gpa = set_high(vq->used_gpa, value);
		break;
	default:
		break;
	}
}

static void write_queue_reg(struct virtio_pci *vpci, unsigned int reg, u32 value)
{
	unsigned int nr = vpci->queue_select;
	struct virtqueue *vq;

	if (nr >= vpci->dev->nr_queues)
		return;
	vq = &vpci->dev->queue[nr];
	switch (reg) {
	case QUEUE_VECTOR:
		vpci->queue_vector[nr] = valid_vector(vpci, value);
		vectors_changed(vpci);
		break;
	case QUEUE_ENABLE:
		if (value == 1)
			virtio_enable_queue(vpci->dev, nr);
		break;
	default:
		pthread_mutex_lock(&vq->lock);
		/* Size and addresses are frozen once the queue is in use. */
		if (!vq->enabled)
			place_queue(vq, reg, value);
		pthread_mutex_unlock(&vq->lock);
		break;
	}
}

/* Acknowledge the pin's interrupt; return what it was for. */
static u8 take_isr(struct virtio_pci *vpci)
{
	u8 isr;

	pthread_mutex_lock(&vpci->pin_lock);
	isr = vpci->isr;
	vpci->isr = 0;
	if (isr)
		pci_set_intx(vpci->m, &vpci->pci, false);
	pthread_mutex_unlock(&vpci->pin_lock);
	return isr;
}

/*
 * A reset by the driver: the device, and the transport's registers. Called with the device's lock
 * held.
 */
static void reset_registers(struct virtio_pci *vpci)
{
	unsigned int i;

	vpci->device_select = 0;
	vpci->driver_select = 0;
	vpci->queue_select = 0;
	vpci->config_vector = MSIX_NO_VECTOR;
	for (i = 0; i < VIRTIO_MAX_QUEUES; i++)
		vpci->queue_vector[i] = MSIX_NO_VECTOR;
	vectors_changed(vpci);
	(void)take_isr(vpci);
}

static void common_write(struct virtio_pci *vpci, unsigned int reg, unsigned int size, u32 value)
{
	struct virtio_dev *dev = vpci->dev;

	if (size != common_size(reg))
		return;
	switch (reg) {
	case DEVICE_FEATURE_SELECT:
		vpci->device_select = value;
		break;
	case DRIVER_FEATURE_SELECT:
		vpci->driver_select = value;
		break;
	case DRIVER_FEATURE:
		virtio_set_features(dev, vpci->driver_select, value);
		break;
	case CONFIG_VECTOR:
		vpci->config_vector = valid_vector(vpci, value);
		break;
	case DEVICE_STATUS:
		virtio_set_status(dev, (u8)value);
		if (!(value & 0xff))
			reset_registers(vpci);
		break;
	case QUEUE_SELECT:
		vpci->queue_select = (u16)value;
		break;
	case DEVICE_FEATURE:
	case NUM_QUEUES:
	case CONFIG_GENERATION:
		break;
	default:
		write_queue_reg(vpci, reg, value);
		break;
	}
}

static u64 device_read(struct virtio_pci *vpci, unsigned int offset, unsigned int size)
{
	struct virtio_dev *dev = vpci->dev;
	u64 value = 0;

	if (offset >= dev->config_size || size > dev->config_size - offset)
		return 0;
	pthread_mutex_lock(&dev->lock);
	dev->ops->config_read(dev->opaque, offset, &value, size);
	pthread_mutex_unlock(&dev->lock);
	return value;
}

static void device_write(struct virtio_pci *vpci, unsigned int offset, unsigned int size, u64 value)
{
	struct virtio_dev *dev = vpci->dev;

	if (!dev->ops->config_write || offset >= dev->config_size ||
	    size > dev->config_size - offset)
		return;
	pthread_mutex_lock(&dev->lock);
	dev->ops->config_write(dev->opaque, offset, &value, size);
	pthread_mutex_unlock(&dev->lock);
}

static u64 bar_read(void *opaque, u64 offset, unsigned int size)
{
	struct virtio_pci *vpci = opaque;
	unsigned int block = (unsigned int)offset & ~(BLOCK_SIZE - 1);
	unsigned int reg = (unsigned int)offset & (BLOCK_SIZE - 1);
	u64 value = 0;

	switch (block) {
	case BLOCK_COMMON:
		pthread_mutex_lock(&vpci->dev->lock);
		value = common_read(vpci, reg, size);
		pthread_mutex_unlock(&vpci->dev->lock);
		break;
	case BLOCK_ISR:
		/* Reading the register acknowledges the interrupt. */
		value = reg ? 0 : take_isr(vpci);
		break;
	case BLOCK_DEVICE:
		value = device_read(vpci, reg, size);
		break;
	case BLOCK_MSIX_TABLE:
		value = msix_table_read(&vpci->msix, reg, size);
		break;
	case BLOCK_MSIX_PBA:
		value = msix_pba_read(&vpci->msix, reg, size);
		break;
	default:
		break;
	}
	return value;
}

static void bar_write(void *opaque, u64 offset, unsigned int size, u64 value)
{
	struct virtio_pci *vpci = opaque;
	unsigned int block = (unsigned int)offset & ~(BLOCK_SIZE - 1);
	unsigned int reg = (unsigned int)offset & (BLOCK_SIZE - 1);

	switch (block) {
	case BLOCK_COMMON:
		pthread_mutex_lock(&vpci->dev->lock);
		common_write(vpci, reg, size, (u32)value);
		pthread_mutex_unlock(&vpci->dev->lock);
		break;
	case BLOCK_DEVICE:
		device_write(vpci, reg, size, value);
		break;
	case BLOCK_NOTIFY:
		/* The offset says which queue; the value repeats it. */
		if (reg % NOTIFY_MULTIPLIER == 0 && reg / NOTIFY_MULTIPLIER < vpci->dev->nr_queues)
			vpci->dev->ops->notify(vpci->dev->opaque, reg / NOTIFY_MULTIPLIER);
		break;
	case BLOCK_MSIX_TABLE:
		msix_table_write(&vpci->msix, reg, size, value);
		break;
	default:
		break;
	}
}

/* The doorbells of the queues follow the BAR: with them a notification is no exit to here. */
static void bar_moved(void *opaque, u64 base, bool attached)
{
	struct virtio_pci *vpci = opaque;
	const struct virtio_ops *ops = vpci->dev->ops;
	unsigned int queue;
	int fd;

	for (queue = 0; queue < vpci->dev->nr_queues; queue++) {
		fd = ops->notify_fd ? ops->notify_fd(vpci->dev->opaque, queue) : -1;
		if (fd >= 0)
			vm_doorbell(&vpci->m->vm, base + BLOCK_NOTIFY + queue * NOTIFY_MULTIPLIER,
				    fd, attached);
	}
}

static const struct bus_ops bar_ops = { .read = bar_read, .write = bar_write };

/*
 * Access to the BAR through configuration space, for software that has not mapped it: the
 * capability holds offset and length, and accesses to its data window go there. Return false if the
 * driver's choice is not valid.
 */
static bool access_window(struct virtio_pci *vpci, unsigned int offset, unsigned int size,
			  u32 *where)
{
	struct virtio_pci_cap cap;
	unsigned int data = vpci->access_cap + offsetof(struct virtio_pci_cap, extra);

	if (offset != data)
		return false;
	memcpy(&cap, vpci->pci.cfg + vpci->access_cap, sizeof(cap));
	if (cap.bar != BAR_NR || cap.length != size || cap.offset % size ||
	    cap.offset > BAR_SIZE - size)
		return false;
	*where = cap.offset;
	return true;
}

static void access_read(void *opaque, unsigned int offset, unsigned int size)
{
	struct virtio_pci *vpci = opaque;
	u32 where;
	u64 value;

	if (!access_window(vpci, offset, size, &where))
		return;
	value = bar_read(vpci, where, size);
	memcpy(vpci->pci.cfg + offset, &value, size);
}

static void access_written(void *opaque, unsigned int offset, unsigned int size)
{
	struct virtio_pci *vpci = opaque;
	u64 value = 0;
	u32 where;

	if (!access_window(vpci, offset, size, &where))
		return;
	memcpy(&value, vpci->pci.cfg + offset, size);
	bar_write(vpci, where, size, value);
}

static const struct pci_cfg_hook access_hook = { .read = access_read, .written = access_written };

/*
 * Interrupt with @vector if MSI-X is on, else by pin with @isr as the reason. Any thread.
 */
static void interrupt(struct virtio_pci *vpci, u16 vector, u8 isr)
{
	if (msix_is_enabled(&vpci->msix)) {
		msix_raise(&vpci->msix, vector);
		return;
	}
	pthread_mutex_lock(&vpci->pin_lock);
	vpci->isr |= isr;
	pci_set_intx(vpci->m, &vpci->pci, true);
	pthread_mutex_unlock(&vpci->pin_lock);
}

static void queue_interrupt(void *opaque, unsigned int queue)
{
	struct virtio_pci *vpci = opaque;

	interrupt(vpci, vpci->queue_vector[queue], ISR_QUEUE);
}

static void config_interrupt(void *opaque)
{
	struct virtio_pci *vpci = opaque;

	interrupt(vpci, vpci->config_vector, ISR_CONFIG);
}

static int event_fd(void *opaque, unsigned int queue)
{
	struct virtio_pci *vpci = opaque;
	int fd;

	pthread_mutex_lock(&vpci->msix.lock);
	fd = vm_irq_open(&vpci->m->vm, &vpci->event[queue]);
	if (fd >= 0)
		vpci->events |= BIT_ULL(queue);
	pthread_mutex_unlock(&vpci->msix.lock);
	return fd;
}

static bool event_is_direct(void *opaque, unsigned int queue)
{
	return atomic_load(&((struct virtio_pci *)opaque)->direct) & BIT_ULL(queue);
}

static const struct virtio_transport pci_transport = {
	.queue_interrupt = queue_interrupt,
	.config_interrupt = config_interrupt,
	.event_fd = event_fd,
	.event_is_direct = event_is_direct,
};

static void send_msi(void *opaque, unsigned int vector, u64 address, u32 data)
{
	struct virtio_pci *vpci = opaque;

	vm_irq_send(&vpci->m->vm, &vpci->irq[vector], address, data);
}

static unsigned int add_cap(struct virtio_pci *vpci, u8 type, u32 offset, u32 length, u32 extra)
{
	bool long_cap = type == CAP_NOTIFY || type == CAP_PCI;
	struct virtio_pci_cap cap = {
		.type = type, .bar = BAR_NR, .offset = offset, .length = length, .extra = extra,
	};

	cap.len = long_cap ? sizeof(cap) : offsetof(struct virtio_pci_cap, extra);
	return pci_add_capability(&vpci->pci, PCI_CAP_ID_VENDOR, &cap, cap.len);
}

static int add_capabilities(struct virtio_pci *vpci)
{
	unsigned int access;

	if (!add_cap(vpci, CAP_COMMON, BLOCK_COMMON, 0x40, 0) ||
	    !add_cap(vpci, CAP_ISR, BLOCK_ISR, 1, 0) ||
	    !add_cap(vpci, CAP_NOTIFY, BLOCK_NOTIFY, BLOCK_SIZE, NOTIFY_MULTIPLIER))
		return -1;
	if (vpci->dev->config_size &&
	    !add_cap(vpci, CAP_DEVICE, BLOCK_DEVICE, vpci->dev->config_size, 0))
		return -1;
	access = add_cap(vpci, CAP_PCI, 0, 0, 0);
	if (!access)
		return -1;
	vpci->access_cap = access;
	memset(vpci->pci.wmask + access + offsetof(struct virtio_pci_cap, bar), 0xff, 1);
	memset(vpci->pci.wmask + access + offsetof(struct virtio_pci_cap, offset), 0xff, 12);
	vpci->pci.hook = &access_hook;
	vpci->pci.hook_opaque = vpci;
	return 0;
}

struct virtio_pci *virtio_pci_create(struct machine *m, struct virtio_dev *dev, u32 class_code)
{
	struct virtio_pci *vpci = calloc(1, sizeof(*vpci));
	struct pci_ident ident = {
		.vendor = VIRTIO_PCI_VENDOR,
		.device = (u16)(VIRTIO_PCI_DEVICE + dev->type),
		.subsys_vendor = VIRTIO_PCI_VENDOR,
		.subsys_device = (u16)(VIRTIO_PCI_DEVICE + dev->type),
		.class_code = class_code,
		.revision = 1,
	};
	unsigned int i;

	if (!vpci) {
		report("out of memory");
		return NULL;
	}
	vpci->m = m;
	vpci->dev = dev;
	pthread_mutex_init(&vpci->pin_lock, NULL);
	for (i = 0; i < ARRAY_SIZE(vpci->irq); i++)
		vm_irq_init(&vpci->irq[i]);
	for (i = 0; i < ARRAY_SIZE(vpci->event); i++)
		vm_irq_init(&vpci->event[i]);
	pci_dev_init(&vpci->pci, &ident, &m->mmio);
	vpci->pci.cfg[PCI_INT_PIN] = 1;
	pci_add_bar(&vpci->pci, BAR_NR, BAR_SIZE, &bar_ops, vpci);
	vpci->pci.bar[BAR_NR].moved = bar_moved;
	vpci->msix.send = send_msi;
	vpci->msix.changed = connect_events;
	vpci->msix.opaque = vpci;
	if (msix_init(&vpci->msix, &vpci->pci, dev->nr_queues + 1, BAR_NR, BLOCK_MSIX_TABLE,
		      BLOCK_MSIX_PBA) ||
	    add_capabilities(vpci)) {
		report("PCI configuration space is full");
		goto fail;
	}
	if (pci_host_add(m, &vpci->pci))
		goto fail;
	dev->transport = &pci_transport;
	dev->transport_opaque = vpci;
	return vpci;
fail:
	free(vpci);
	return NULL;
}

void virtio_pci_reset(struct virtio_pci *vpci)
{
	pthread_mutex_lock(&vpci->dev->lock);
	virtio_reset(vpci->dev);
	reset_registers(vpci);
	pthread_mutex_unlock(&vpci->dev->lock);
}

void virtio_pci_destroy(struct virtio_pci *vpci)
{
	unsigned int i;

	for (i = 0; vpci && i < ARRAY_SIZE(vpci->irq); i++)
		vm_irq_destroy(&vpci->m->vm, &vpci->irq[i]);
	for (i = 0; vpci && i < ARRAY_SIZE(vpci->event); i++)
		vm_irq_destroy(&vpci->m->vm, &vpci->event[i]);
	free(vpci);
}
