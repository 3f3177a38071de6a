// SPDX-License-Identifier: GPL-2.0
/*
 * Ioeventfds: a guest's write to a port or an MMIO address signals an eventfd
 * instead of leaving to userspace. Each is a device on an I/O bus.
 *
 * One that takes any width (length 0) of an MMIO address is on two buses: on the
 * MMIO bus like the others, and on IO_BUS_FAST_MMIO, which is asked with nothing
 * but the address of an access, before the instruction is looked at.
 *
 * Interface: Linux Documentation/virt/kvm/api.rst, "KVM_IOEVENTFD".
 */
#include <linux/eventfd.h>
#include <linux/list.h>
#include <linux/slab.h>

#include "minikvm.h"
#include "compat.h"
#include "eventfd.h"
#include "iobus.h"

/* The last one has a number in KVM and no name or meaning: it is ignored. */
#define IOEVENTFD_FLAGS	(MINIKVM_IOEVENTFD_FLAG_DATAMATCH | MINIKVM_IOEVENTFD_FLAG_PIO |	\
			 MINIKVM_IOEVENTFD_FLAG_DEASSIGN |					\
			 MINIKVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY | 0x10)

/**
 * struct ioeventfd - one registration on one bus
 * @dev: its place there
 * @link: on vm->ioeventfds
 * @eventfd: whom to signal; holds a reference
 * @bus: which bus
 * @addr: port or GPA
 * @len: width of the access; 0 any
 * @match: only a write of @data counts
 * @data: see @match
 */
struct ioeventfd {
	struct io_device dev;
	struct list_head link;
	struct eventfd_ctx *eventfd;
	enum io_bus_nr bus;
	u64 addr;
	u32 len;
	bool match;
	u64 data;
};

/* ---- the guest writes -------------------------------------------------------- */

static int ioeventfd_write(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len,
			   const void *data)
{
	struct ioeventfd *e = container_of(dev, struct ioeventfd, dev);
	u64 val = 0;

	if (addr != e->addr || (e->len && e->len != len))
		return -EOPNOTSUPP;
	if (e->match) {
		memcpy(&val, data, e->len);
		if (val != e->data)
			return -EOPNOTSUPP;
	}
	compat_eventfd_signal(e->eventfd);
	return 0;
}

static void ioeventfd_free(struct io_device *dev)
{
	struct ioeventfd *e = container_of(dev, struct ioeventfd, dev);

	list_del(&e->link);
	eventfd_ctx_put(e->eventfd);
	kfree(e);
}

static const struct io_device_ops ioeventfd_ops = {
	.write	= ioeventfd_write,
	.free	= ioeventfd_free,
	.many	= true,
};

/* ---- IOEVENTFD ------------------------------------------------------------------ */

static enum io_bus_nr ioeventfd_bus(const struct minikvm_ioeventfd *args)
{
	if (args->flags & MINIKVM_IOEVENTFD_FLAG_PIO)
		return IO_BUS_PIO;
	if (args->flags & MINIKVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY)
		return IO_BUS_CCW;
	return IO_BUS_MMIO;
}

/* Would one write signal both? */
static bool ioeventfd_collide(const struct ioeventfd *a, const struct ioeventfd *b)
{
	if (a->bus != b->bus || a->addr != b->addr)
		return false;
	if (!a->len || !b->len)
		return true;
	return a->len == b->len && (!a->match || !b->match || a->data == b->data);
}

static int ioeventfd_add(struct vm *vm, struct ioeventfd *e)
{
	struct ioeventfd *other;
	int err;

	lockdep_assert_held(&vm->slots_lock);
	list_for_each_entry(other, &vm->ioeventfds, link)
		if (ioeventfd_collide(e, other))
			return -EEXIST;
	err = iobus_attach(vm, e->bus, e->addr, e->len, &e->dev);
	if (!err)
		list_add_tail(&e->link, &vm->ioeventfds);
	return err;
}

static int ioeventfd_assign(struct vm *vm, const struct minikvm_ioeventfd *args,
			    enum io_bus_nr bus)
{
	struct eventfd_ctx *eventfd;
	struct ioeventfd *e;
	int err;

	eventfd = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);
	e = kzalloc(sizeof(*e), GFP_KERNEL_ACCOUNT);
	if (!e) {
		eventfd_ctx_put(eventfd);
		return -ENOMEM;
	}
	e->dev.ops = &ioeventfd_ops;
	e->eventfd = eventfd;
	e->bus = bus;
	e->addr = args->addr;
	e->len = args->len;
	e->match = args->flags & MINIKVM_IOEVENTFD_FLAG_DATAMATCH;
	e->data = args->datamatch;

	mutex_lock(&vm->slots_lock);
	err = ioeventfd_add(vm, e);
	mutex_unlock(&vm->slots_lock);
	if (err) {
		kfree(e);
		eventfd_ctx_put(eventfd);
	}
	return err;
}

static int ioeventfd_deassign(struct vm *vm, const struct minikvm_ioeventfd *args,
			      enum io_bus_nr bus)
{
	bool match = args->flags & MINIKVM_IOEVENTFD_FLAG_DATAMATCH;
	struct eventfd_ctx *eventfd;
	struct ioeventfd *e;
	int err = -ENOENT;

	eventfd = eventfd_ctx_fdget(args->fd);
	if (IS_ERR(eventfd))
		return PTR_ERR(eventfd);

	mutex_lock(&vm->slots_lock);
	list_for_each_entry(e, &vm->ioeventfds, link) {
		if (e->bus != bus || e->eventfd != eventfd || e->addr != args->addr ||
		    e->len != args->len || e->match != match ||
		    (match && e->data != args->datamatch))
			continue;
		iobus_detach(vm, bus, &e->dev);		/* frees it */
		err = 0;
		break;
	}
	mutex_unlock(&vm->slots_lock);
	eventfd_ctx_put(eventfd);
	return err;
}

static bool ioeventfd_is_fast(const struct minikvm_ioeventfd *args, enum io_bus_nr bus)
{
	return bus == IO_BUS_MMIO && !args->len;
}

/**
 * ioeventfd_set - IOEVENTFD: assign or, with FLAG_DEASSIGN, deassign
 * @vm: the VM
 * @args: in kernel memory
 *
 * Context: process; takes vm->slots_lock and waits for readers of the bus.
 * Return: 0. Assigning: -EINVAL (a length that is not 0, 1, 2, 4 or 8; a range
 * that wraps; an unknown flag; length 0 with FLAG_DATAMATCH); -EEXIST (some write
 * would signal both this one and another); -ENOSPC (65536 are on the bus);
 * -ENOMEM. Deassigning: -ENOENT (none is exactly so). Both: -EBADF (no such fd),
 * -EINVAL (the fd is no eventfd).
 */
int ioeventfd_set(struct vm *vm, const struct minikvm_ioeventfd *args)
{
	enum io_bus_nr bus = ioeventfd_bus(args);
	int err;

	if (args->flags & MINIKVM_IOEVENTFD_FLAG_DEASSIGN) {
		err = ioeventfd_deassign(vm, args, bus);
		if (ioeventfd_is_fast(args, bus))
			ioeventfd_deassign(vm, args, IO_BUS_FAST_MMIO);
		return err;
	}

	if (args->len > 8 || (args->len && !is_power_of_2(args->len)) ||
	    args->addr + args->len < args->addr || (args->flags & ~IOEVENTFD_FLAGS) ||
	    (!args->len && (args->flags & MINIKVM_IOEVENTFD_FLAG_DATAMATCH)))
		return -EINVAL;
	err = ioeventfd_assign(vm, args, bus);
	if (err || !ioeventfd_is_fast(args, bus))
		return err;
	err = ioeventfd_assign(vm, args, IO_BUS_FAST_MMIO);
	if (err)
		ioeventfd_deassign(vm, args, bus);
	return err;
}
