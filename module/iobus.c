// SPDX-License-Identifier: GPL-2.0
/*
 * The in-kernel I/O buses: a sorted array of ranges per bus, replaced as a
 * whole when a device comes and read under SRCU by the vCPU threads.
 *
 * Ranges may overlap (two ioeventfds on one register differ only in the value
 * they wait for), so a look-up is a stabbing query: the array is sorted by
 * base, and each entry remembers the furthest end of all entries up to it,
 * which tells the backward walk when nothing further left can reach the
 * address.
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/bitops.h>
#include <linux/bits.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "minikvm.h"
#include "iobus.h"

#define IOBUS_MAX_RANGES	1000	/* per bus, as in KVM */
#define IOBUS_MAX_MANY		65536	/* per bus, of devices whose ops say many */

/**
 * struct io_range - one device's place on a bus
 * @base: first port or GPA
 * @end: first byte after it; for a range of length 0, @base + 1
 * @max_end: greatest @end of this entry and all before it
 * @any_len: range of length 0: an access of any width at exactly @base
 * @dev: the device; NULL once detached
 */
struct io_range {
	u64 base;
	u64 end;
	u64 max_end;
	bool any_len;
	struct io_device *dev;
};

/**
 * struct io_bus - everything on one bus; never changes once published
 * @buckets: in which of 64 buckets of addresses there is a device at all
 * @nr: how many ranges
 * @ranges: by ascending base
 */
struct io_bus {
	u64 buckets;
	int nr;
	struct io_range ranges[];
};

/* Neighbours share a bucket: 16 ports, or a page. Most accesses are for userspace. */
static inline int bucket_shift(enum io_bus_nr nr)
{
	return nr == IO_BUS_PIO ? 4 : PAGE_SHIFT;
}

static u64 range_buckets(enum io_bus_nr nr, const struct io_range *range)
{
	u64 first = range->base >> bucket_shift(nr), last = (range->end - 1) >> bucket_shift(nr);

	return last - first >= 63 ? ~0ull : rol64(GENMASK_ULL(last - first, 0), first & 63);
}

static inline bool bus_may_have(const struct io_bus *bus, enum io_bus_nr nr, u64 addr)
{
	return bus->buckets & BIT_ULL((addr >> bucket_shift(nr)) & 63);
}

/**
 * iobus_init - make the buses of a VM, empty
 * @vm: the VM
 *
 * Return: 0.
 */
int iobus_init(struct vm *vm)
{
	int i;

	for (i = 0; i < NR_IO_BUSES; i++)
		RCU_INIT_POINTER(vm->buses[i], NULL);
	return 0;
}

static void io_device_free(struct io_device *dev)
{
	if (dev->ops->free)
		dev->ops->free(dev);
}

/**
 * iobus_destroy - free the buses and the devices still on them
 * @vm: the VM; nobody uses its buses any more
 */
void iobus_destroy(struct vm *vm)
{
	int i, n;

	for (i = 0; i < NR_IO_BUSES; i++) {
		struct io_bus *bus = rcu_dereference_protected(vm->buses[i], true);

		if (!bus)
			continue;
		for (n = 0; n < bus->nr; n++)
			if (bus->ranges[n].dev)
				io_device_free(bus->ranges[n].dev);
		RCU_INIT_POINTER(vm->buses[i], NULL);
		kvfree(bus);
	}
}

static struct io_bus *iobus_locked(struct vm *vm, enum io_bus_nr nr)
{
	return rcu_dereference_protected(vm->buses[nr], lockdep_is_held(&vm->slots_lock));
}

/* Copy what is still attached and put @new behind entries of the same base. */
static void iobus_fill(enum io_bus_nr nr, struct io_bus *to, const struct io_bus *from,
		       const struct io_range *new)
{
	u64 max_end = 0;
	bool placed = false;
	int i;

	for (i = 0; from && i < from->nr; i++) {
		if (!from->ranges[i].dev)
			continue;
		if (!placed && from->ranges[i].base > new->base) {
			to->ranges[to->nr++] = *new;
			placed = true;
		}
		to->ranges[to->nr++] = from->ranges[i];
	}
	if (!placed)
		to->ranges[to->nr++] = *new;

	for (i = 0; i < to->nr; i++) {
		max_end = max(max_end, to->ranges[i].end);
		to->ranges[i].max_end = max_end;
		to->buckets |= range_buckets(nr, &to->ranges[i]);
	}
}

/**
 * iobus_attach - put a device on a bus
 * @vm: the VM
 * @nr: which bus
 * @base: first port or GPA
 * @len: bytes; 0 stands for an access of any width at exactly @base
 * @dev: the device, owned by the bus from now on if its ops have a free()
 *
 * Context: vm->slots_lock held; waits for readers.
 * Return: 0; -ENOMEM; -ENOSPC when the bus is full: IOBUS_MAX_RANGES, of devices
 * whose ops say many IOBUS_MAX_MANY; -EINVAL when the range wraps.
 */
int iobus_attach(struct vm *vm, enum io_bus_nr nr, gpa_t base, u64 len, struct io_device *dev)
{
	struct io_bus *old = iobus_locked(vm, nr);
	struct io_range range = {
		.base = base,
		.end = len ? base + len : min(base, U64_MAX - 1) + 1,
		.any_len = !len,
		.dev = dev,
	};
	struct io_bus *new;
	int i, count = 0, alike = 0;

	if (len && range.end <= base)
		return -EINVAL;
	for (i = 0; old && i < old->nr; i++) {
		struct io_device *other = old->ranges[i].dev;

		count += !!other;
		alike += other && other->ops->many == dev->ops->many;
	}
	if (alike >= (dev->ops->many ? IOBUS_MAX_MANY : IOBUS_MAX_RANGES))
		return -ENOSPC;

	new = kvzalloc(struct_size(new, ranges, count + 1), GFP_KERNEL_ACCOUNT);
	if (!new)
		return -ENOMEM;
	iobus_fill(nr, new, old, &range);

	rcu_assign_pointer(vm->buses[nr], new);
	synchronize_srcu_expedited(&vm->srcu);
	kvfree(old);
	return 0;
}

/**
 * iobus_detach - take a device off a bus and free it
 * @vm: the VM
 * @nr: which bus
 * @dev: the device; nothing happens if it is not on the bus
 *
 * Never fails for want of memory: the range stays behind without a device
 * until the next attach copies the array.
 *
 * Context: vm->slots_lock held; waits for readers.
 */
void iobus_detach(struct vm *vm, enum io_bus_nr nr, struct io_device *dev)
{
	struct io_bus *bus = iobus_locked(vm, nr);
	bool found = false;
	int i;

	for (i = 0; bus && i < bus->nr; i++) {
		if (bus->ranges[i].dev != dev)
			continue;
		WRITE_ONCE(bus->ranges[i].dev, NULL);
		found = true;
	}
	if (!found)
		return;
	synchronize_srcu_expedited(&vm->srcu);
	io_device_free(dev);
}

/* Number of entries whose base is not above @addr. */
static int iobus_upper_bound(const struct io_bus *bus, u64 addr)
{
	int low = 0, high = bus->nr;

	while (low < high) {
		int mid = low + (high - low) / 2;

		if (bus->ranges[mid].base <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static bool io_range_holds(const struct io_range *range, u64 addr, int len)
{
	if (range->any_len)
		return addr == range->base;
	return addr < range->end && len <= range->end - addr;
}

/* Offer the access to every device in reach; @write chooses the direction. */
static int iobus_access(struct vcpu *vcpu, enum io_bus_nr nr, gpa_t addr, int len, void *data,
			bool write)
{
	struct vm *vm = vcpu->vm;
	struct io_bus *bus;
	int err = -EOPNOTSUPP;
	int i, idx;

	idx = srcu_read_lock(&vm->srcu);
	bus = srcu_dereference(vm->buses[nr], &vm->srcu);
	if (!bus || !bus_may_have(bus, nr, addr))
		goto out;

	for (i = iobus_upper_bound(bus, addr) - 1; i >= 0; i--) {
		const struct io_range *range = &bus->ranges[i];
		struct io_device *dev = READ_ONCE(range->dev);

		if (range->max_end <= addr)
			break;
		if (!dev || !io_range_holds(range, addr, len))
			continue;
		if (write)
			err = dev->ops->write ? dev->ops->write(vcpu, dev, addr, len, data) :
						-EOPNOTSUPP;
		else
			err = dev->ops->read ? dev->ops->read(vcpu, dev, addr, len, data) :
					       -EOPNOTSUPP;
		if (err != -EOPNOTSUPP)
			break;
	}
out:
	srcu_read_unlock(&vm->srcu, idx);
	return err;
}

/**
 * iobus_read - let an in-kernel device answer a guest's read
 * @vcpu: the vCPU that reads, by its own thread
 * @nr: which bus
 * @addr: port or GPA
 * @len: bytes, 1 to 8
 * @data: where @len bytes go
 *
 * Return: 0 answered; -EOPNOTSUPP nobody did, ask userspace.
 */
int iobus_read(struct vcpu *vcpu, enum io_bus_nr nr, gpa_t addr, int len, void *data)
{
	return iobus_access(vcpu, nr, addr, len, data, false);
}

/**
 * iobus_write - let an in-kernel device take a guest's write
 * @vcpu: the vCPU that writes, by its own thread
 * @nr: which bus
 * @addr: port or GPA
 * @len: bytes, 1 to 8; 0 on IO_BUS_FAST_MMIO, where only the address is known
 * @data: @len bytes
 *
 * Return: 0 taken; -EOPNOTSUPP nobody did, ask userspace.
 */
int iobus_write(struct vcpu *vcpu, enum io_bus_nr nr, gpa_t addr, int len, const void *data)
{
	/* The devices' write operations take it const again. */
	return iobus_access(vcpu, nr, addr, len, (void *)data, true);
}
