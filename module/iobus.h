/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The in-kernel I/O buses: which in-kernel device answers a port or an MMIO
 * address. What nobody answers goes to userspace.
 */
#ifndef MINIKVM_IOBUS_H
#define MINIKVM_IOBUS_H

#include "minikvm.h"

/*
 * IO_BUS_FAST_MMIO holds what is reached by its address alone: an access that
 * the CPU marks as MMIO needs no decoding there. IO_BUS_CCW is the
 * notification bus of another architecture, which KVM takes ioeventfds for
 * everywhere; no guest here writes to it.
 */
enum io_bus_nr { IO_BUS_PIO, IO_BUS_MMIO, IO_BUS_FAST_MMIO, IO_BUS_CCW, NR_IO_BUSES };

struct io_device;

/**
 * struct io_device_ops - how a device is reached
 * @read: @write: 0 handled, -EOPNOTSUPP: not mine after all, ask the next one
 * @free: last reference gone (bus destroyed or device detached)
 * @many: a VM may have thousands of these: they have a limit of their own
 */
struct io_device_ops {
	int (*read)(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len, void *data);
	int (*write)(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len,
		     const void *data);
	void (*free)(struct io_device *dev);
	bool many;
};

struct io_device {
	const struct io_device_ops *ops;
};

int iobus_init(struct vm *vm);
void iobus_destroy(struct vm *vm);
/* vm->slots_lock held: 0, -ENOMEM, -ENOSPC. */
int iobus_attach(struct vm *vm, enum io_bus_nr bus, gpa_t base, u64 len, struct io_device *dev);
void iobus_detach(struct vm *vm, enum io_bus_nr bus, struct io_device *dev);
/* vCPU thread: 0 handled, -EOPNOTSUPP nobody answers (go to userspace). */
int iobus_read(struct vcpu *vcpu, enum io_bus_nr bus, gpa_t addr, int len, void *data);
int iobus_write(struct vcpu *vcpu, enum io_bus_nr bus, gpa_t addr, int len, const void *data);

/* Is anything at all on the bus? A hint, without SRCU: what comes later may be missed. */
static inline bool iobus_used(struct vm *vm, enum io_bus_nr bus)
{
	return rcu_access_pointer(vm->buses[bus]);
}
#endif
