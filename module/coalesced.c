// SPDX-License-Identifier: GPL-2.0
/*
 * Coalesced writes: a guest's write to a registered zone is queued in a ring
 * that userspace reads when it has another reason to look, and the guest goes
 * on at once. What finds the ring full leaves to userspace as any write does.
 *
 * The ring is a page that userspace maps writable, so both indices may hold
 * anything at any time: each is read once and checked, and nothing in the
 * kernel depends on what else is in the page.
 *
 * Interface: Linux Documentation/virt/kvm/api.rst,
 * "KVM_(UN)REGISTER_COALESCED_MMIO", "The kvm_run structure".
 */
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "minikvm.h"
#include "eventfd.h"
#include "iobus.h"

/**
 * struct coalesced - what a VM has for it
 * @ring: the page
 * @lock: one vCPU at a time adds to @ring
 * @zones: under vm->slots_lock
 */
struct coalesced {
	struct minikvm_coalesced_mmio_ring *ring;
	spinlock_t lock;		/* see above */
	struct list_head zones;
};

/**
 * struct coalesced_zone - one registered zone
 * @dev: its place on the bus
 * @link: on coalesced.zones
 * @owner: whose ring it fills
 * @addr: first port or GPA
 * @size: bytes
 * @pio: ports
 */
struct coalesced_zone {
	struct io_device dev;
	struct list_head link;
	struct coalesced *owner;
	u64 addr;
	u32 size;
	bool pio;
};

/* A zone that wraps around is accepted, like KVM does, and holds nothing. */
static bool zone_holds(const struct coalesced_zone *z, u64 addr, u32 len)
{
	return addr + len >= addr && addr >= z->addr && addr + len <= z->addr + z->size;
}

static int coalesced_write(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len,
			   const void *data)
{
	struct coalesced_zone *z = container_of(dev, struct coalesced_zone, dev);
	struct minikvm_coalesced_mmio_ring *ring = z->owner->ring;
	struct minikvm_coalesced_mmio *slot;
	int err = -EOPNOTSUPP;
	u32 last, next;

	if (len > (int)sizeof(slot->data) || !zone_holds(z, addr, len))
		return -EOPNOTSUPP;

	spin_lock(&z->owner->lock);
	last = READ_ONCE(ring->last);
	if (last >= MINIKVM_COALESCED_MMIO_MAX)
		goto out;
	next = (last + 1) % MINIKVM_COALESCED_MMIO_MAX;
	/* One entry stays free: a full ring is not to look empty. */
	if (next == READ_ONCE(ring->first))
		goto out;

	slot = &ring->coalesced_mmio[last];
	slot->phys_addr = addr;
	slot->len = len;
	slot->pio = z->pio;
	memcpy(slot->data, data, len);
	/* Pairs with userspace, which reads @last before the entry. */
	smp_store_release(&ring->last, next);
	err = 0;
out:
	spin_unlock(&z->owner->lock);
	return err;
}

static void coalesced_free(struct io_device *dev)
{
	struct coalesced_zone *z = container_of(dev, struct coalesced_zone, dev);

	list_del(&z->link);
	kfree(z);
}

static const struct io_device_ops coalesced_ops = {
	.write	= coalesced_write,
	.free	= coalesced_free,
};

static enum io_bus_nr coalesced_bus(bool pio)
{
	return pio ? IO_BUS_PIO : IO_BUS_MMIO;
}

/**
 * coalesced_register - REGISTER_COALESCED_MMIO: queue the writes to a zone
 * @vm: the VM
 * @zone: in kernel memory
 *
 * Zones may overlap each other and what else is on the bus; which of them takes a
 * write is not said.
 *
 * Context: process; takes vm->slots_lock and waits for readers of the bus.
 * Return: 0; -EINVAL (@pio is neither 0 nor 1); -ENOSPC (the bus is full); -ENOMEM.
 */
int coalesced_register(struct vm *vm, const struct minikvm_coalesced_mmio_zone *zone)
{
	struct coalesced_zone *z;
	u64 len = zone->size;
	int err;

	if (zone->pio > 1)
		return -EINVAL;
	z = kzalloc(sizeof(*z), GFP_KERNEL_ACCOUNT);
	if (!z)
		return -ENOMEM;
	z->dev.ops = &coalesced_ops;
	z->owner = vm->coalesced;
	z->addr = zone->addr;
	z->size = zone->size;
	z->pio = zone->pio;
	/* The bus takes no range that wraps; zone_holds() turns everything down. */
	if (z->addr + len < z->addr)
		len = 0;

	mutex_lock(&vm->slots_lock);
	err = iobus_attach(vm, coalesced_bus(z->pio), z->addr, len, &z->dev);
	if (!err)
		list_add_tail(&z->link, &vm->coalesced->zones);
	mutex_unlock(&vm->slots_lock);
	if (err)
		kfree(z);
	return err;
}

/**
 * coalesced_unregister - UNREGISTER_COALESCED_MMIO
 * @vm: the VM
 * @zone: in kernel memory: every registered zone that holds all of it goes
 *
 * What was queued stays in the ring.
 *
 * Context: process; takes vm->slots_lock and waits for readers of the bus.
 * Return: 0, also if there was none; -EINVAL (@pio is neither 0 nor 1).
 */
int coalesced_unregister(struct vm *vm, const struct minikvm_coalesced_mmio_zone *zone)
{
	struct coalesced_zone *z, *next;

	if (zone->pio > 1)
		return -EINVAL;
	/* KVM's lengths are signed here: such a zone is in none. */
	if (zone->size > S32_MAX)
		return 0;
	mutex_lock(&vm->slots_lock);
	list_for_each_entry_safe(z, next, &vm->coalesced->zones, link)
		if (z->pio == zone->pio && zone_holds(z, zone->addr, zone->size))
			iobus_detach(vm, coalesced_bus(z->pio), &z->dev);
	mutex_unlock(&vm->slots_lock);
	return 0;
}

/* ---- life ---------------------------------------------------------------------- */

/**
 * coalesced_init - make a VM's ring, empty
 * @vm: the VM
 *
 * Return: 0; -ENOMEM.
 */
int coalesced_init(struct vm *vm)
{
	struct coalesced *c;

	BUILD_BUG_ON(struct_size_t(struct minikvm_coalesced_mmio_ring, coalesced_mmio,
				   MINIKVM_COALESCED_MMIO_MAX) > PAGE_SIZE);

	c = kzalloc(sizeof(*c), GFP_KERNEL_ACCOUNT);
	if (!c)
		return -ENOMEM;
	c->ring = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!c->ring) {
		kfree(c);
		return -ENOMEM;
	}
	spin_lock_init(&c->lock);
	INIT_LIST_HEAD(&c->zones);
	vm->coalesced = c;
	return 0;
}

/**
 * coalesced_destroy - undo coalesced_init()
 * @vm: a VM whose buses are gone; its mappings keep the page as long as they need
 */
void coalesced_destroy(struct vm *vm)
{
	if (!vm->coalesced)
		return;
	free_page((unsigned long)vm->coalesced->ring);
	kfree(vm->coalesced);
	vm->coalesced = NULL;
}

struct page *coalesced_page(struct vm *vm)
{
	return virt_to_page(vm->coalesced->ring);
}
