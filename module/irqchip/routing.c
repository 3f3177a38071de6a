// SPDX-License-Identifier: GPL-2.0
/*
 * The GSI routing table: which chip pins or which message a GSI stands for, and
 * back from a pin to its GSI for whoever waits for an acknowledgment.
 *
 * The table is replaced as a whole and read under SRCU, from any context.
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/nospec.h>
#include <linux/slab.h>

#include "../minikvm.h"
#include "../trace_irq.h"
#include "apic_regs.h"
#include "chips.h"
#include "irqchip.h"
#include "irqfd.h"
#include "lapic.h"
#include "pic_chip.h"

/* A GSI may reach one pin on each chip, or one message. */
#define ROUTES_PER_GSI		MINIKVM_NR_IRQCHIPS
#define ROUTING_FLAG_DEVID	1u	/* known, without meaning on x86 */

/* Message address and data, Intel SDM vol. 3A, "Message Signalled Interrupts". */
#define MSI_ADDR_BASE		0xfee00000u
#define MSI_ADDR_LOGICAL	BIT(2)
#define MSI_ADDR_REDIRECT	BIT(3)
#define MSI_ADDR_DEST(lo)	(((lo) >> 12) & 0xff)
#define MSI_ADDR_HI_RESERVED	0xffu		/* the rest: */
#define MSI_ADDR_HI_DEST	0xffffff00u	/* destination bits 31:8 */
#define MSI_DATA_VECTOR(data)	((data) & 0xff)
#define MSI_DATA_MODE(data)	(((data) >> 8) & 7)
#define MSI_DATA_LEVEL		BIT(15)

struct irq_route {
	u8 type;		/* MINIKVM_IRQ_ROUTING_*, 0: unused */
	u8 chip;
	u8 pin;
	struct lapic_msg msg;
};

/**
 * struct irq_routing_table - all routes of a VM
 * @nr_gsi: GSIs it knows
 * @gsi_of_pin: the way back, -1 where no GSI leads to the pin
 * @routes: ROUTES_PER_GSI for each GSI
 */
struct irq_routing_table {
	u32 nr_gsi;
	int gsi_of_pin[MINIKVM_NR_IRQCHIPS][MINIKVM_IOAPIC_NUM_PINS];
	struct irq_route routes[];
};

/* ---- raising ----------------------------------------------------------------- */

/* -EINVAL: bits that have no meaning where the destination has 32 bits. */
static int msi_decode(struct vm *vm, struct lapic_msg *msg, u32 address_lo, u32 address_hi,
		      u32 data)
{
	u32 dest_hi = vm->x2apic_format ? address_hi : 0;

	if (dest_hi & MSI_ADDR_HI_RESERVED)
		return -EINVAL;
	*msg = (struct lapic_msg) {
		.dest = MSI_ADDR_DEST(address_lo) | dest_hi,
		.vector = MSI_DATA_VECTOR(data),
		.mode = MSI_DATA_MODE(data),
		.logical = address_lo & MSI_ADDR_LOGICAL,
		.level = true,
		.trig_level = data & MSI_DATA_LEVEL,
	};
	/* The redirection hint asks for one of those meant. */
	if ((address_lo & MSI_ADDR_REDIRECT) && msg->mode == IRQ_MODE_FIXED)
		msg->mode = IRQ_MODE_LOWEST;
	return 0;
}

/* The message as the APICs see it: fields without meaning to them are zero. */
static noinline void trace_msi(const struct lapic_msg *msg)
{
	u64 address = MSI_ADDR_BASE | (u64)(msg->dest & MSI_ADDR_HI_DEST) << 32 |
		      (msg->dest & 0xff) << 12;
	u64 data = msg->vector | msg->mode << 8;

	if (msg->logical)
		address |= MSI_ADDR_LOGICAL;
	if (msg->trig_level)
		data |= MSI_DATA_LEVEL;
	trace_kvm_msi_set_irq(address, data);
}

static int irq_route_set(struct vm *vm, const struct irq_route *route, int level, int source)
{
	if (route->type == MINIKVM_IRQ_ROUTING_MSI) {
		if (!level)
			return -1;
		if (trace_kvm_msi_set_irq_enabled())
			trace_msi(&route->msg);
		return lapic_deliver(vm, NULL, &route->msg);
	}
	if (route->chip == MINIKVM_IRQCHIP_IOAPIC)
		return ioapic_set_irq(vm, route->pin, source, level);
	return pic_set_irq(vm, route->pin + (route->chip == MINIKVM_IRQCHIP_PIC_SLAVE ? 8 : 0),
			   source, level);
}

/* Copied, so that nothing is held while the chips do their work; returns how many. */
static int irq_routes_of(struct vm *vm, u32 gsi, struct irq_route *routes)
{
	struct irq_routing_table *table;
	int idx, nr = 0;

	idx = srcu_read_lock(&vm->srcu);
	table = srcu_dereference(vm->routing, &vm->srcu);
	if (table && gsi < table->nr_gsi) {
		const struct irq_route *from;

		from = &table->routes[array_index_nospec(gsi, table->nr_gsi) * ROUTES_PER_GSI];
		for (; nr < ROUTES_PER_GSI && from[nr].type; nr++)
			routes[nr] = from[nr];
	}
	srcu_read_unlock(&vm->srcu, idx);
	return nr;
}

/**
 * irq_set_level - drive a GSI
 * @vm: a VM with in-kernel chips
 * @gsi: which; one without a route does nothing
 * @level: 0 low, else high
 * @source: IRQ_SOURCE_*: levels of different sources are ORed
 *
 * Context: any, hard interrupts included.
 * Return: <0 masked or not connected, 0 coalesced with a pending interrupt, >0
 * how many CPUs (or chips) took it.
 */
int irq_set_level(struct vm *vm, u32 gsi, int level, int source)
{
	struct irq_route routes[ROUTES_PER_GSI];
	int i, one, nr, total = -1;

	trace_kvm_set_irq(gsi, level, source);
	nr = irq_routes_of(vm, gsi, routes);
	for (i = 0; i < nr; i++) {
		one = irq_route_set(vm, &routes[i], level, source);
		if (one >= 0)
			total = max(total, 0) + one;
	}
	return total;
}

/**
 * irq_pulse - an edge: userspace's source drives a GSI high and low again
 * @vm: a VM with in-kernel chips
 * @gsi: which; one without a route does nothing
 *
 * Context: any, hard interrupts included.
 */
void irq_pulse(struct vm *vm, u32 gsi)
{
	struct irq_route routes[ROUTES_PER_GSI];
	int i, nr;

	trace_kvm_set_irq(gsi, 1, IRQ_SOURCE_USER);
	nr = irq_routes_of(vm, gsi, routes);
	for (i = 0; i < nr; i++)
		irq_route_set(vm, &routes[i], 1, IRQ_SOURCE_USER);
	trace_kvm_set_irq(gsi, 0, IRQ_SOURCE_USER);
	for (i = 0; i < nr; i++)
		if (routes[i].type != MINIKVM_IRQ_ROUTING_MSI)
			irq_route_set(vm, &routes[i], 0, IRQ_SOURCE_USER);
}

/**
 * irq_send_msi - SIGNAL_MSI
 * @vm: a VM with in-kernel chips
 * @msi: the message
 *
 * Return: >0 how many CPUs took it, 0 blocked, <0 no CPU meant; -EINVAL for an
 * unknown flag, or with 32-bit destinations (X2APIC_API) reserved bits of the address.
 */
int irq_send_msi(struct vm *vm, const struct minikvm_msi *msi)
{
	struct lapic_msg msg;

	if ((msi->flags & ~ROUTING_FLAG_DEVID) ||
	    msi_decode(vm, &msg, msi->address_lo, msi->address_hi, msi->data))
		return -EINVAL;
	trace_kvm_msi_set_irq((u64)msi->address_hi << 32 | msi->address_lo, msi->data);
	return lapic_deliver(vm, NULL, &msg);
}

/* ---- the way back ---------------------------------------------------------------- */

static int irq_gsi_of_pin(struct vm *vm, u32 chip, u32 pin)
{
	struct irq_routing_table *table;
	int idx, gsi = -1;

	idx = srcu_read_lock(&vm->srcu);
	table = srcu_dereference(vm->routing, &vm->srcu);
	if (table)
		gsi = table->gsi_of_pin[chip][pin];
	srcu_read_unlock(&vm->srcu, idx);
	return gsi;
}

/* The guest finished an interrupt that came from this pin. */
void irq_acked(struct vm *vm, u32 chip, u32 pin)
{
	int gsi = irq_gsi_of_pin(vm, chip, pin);

	trace_kvm_ack_irq(chip, pin);
	if (gsi < 0)
		return;
	if (gsi == PIT_GSI)
		pit_acked(vm);
	irqfd_acked(vm, gsi);
}

/* The guest unmasked a pin. */
void irq_unmasked(struct vm *vm, u32 chip, u32 pin)
{
	if (irq_gsi_of_pin(vm, chip, pin) == PIT_GSI)
		pit_unmasked(vm);
}

bool irq_ack_wanted(struct vm *vm, u32 chip, u32 pin)
{
	int gsi = irq_gsi_of_pin(vm, chip, pin);

	if (gsi < 0)
		return false;
	return (gsi == PIT_GSI && READ_ONCE(vm->pit)) || irqfd_ack_wanted(vm, gsi);
}

/* ---- the table ---------------------------------------------------------------------- */

static int irq_route_fill(struct vm *vm, struct irq_route *route,
			  const struct minikvm_irq_routing_entry *e)
{
	u32 pins;

	switch (e->type) {
	case MINIKVM_IRQ_ROUTING_IRQCHIP:
		/* A split irqchip has no pins here. */
		if (e->flags || irqchip_split(vm))
			return -EINVAL;
		switch (e->u.irqchip.irqchip) {
		case MINIKVM_IRQCHIP_PIC_MASTER:
		case MINIKVM_IRQCHIP_PIC_SLAVE:
			pins = 8;
			break;
		case MINIKVM_IRQCHIP_IOAPIC:
			pins = MINIKVM_IOAPIC_NUM_PINS;
			break;
		default:
			return -EINVAL;
		}
		if (e->u.irqchip.pin >= pins)
			return -EINVAL;
		route->chip = e->u.irqchip.irqchip;
		route->pin = e->u.irqchip.pin;
		break;
	case MINIKVM_IRQ_ROUTING_MSI:
		if (e->flags & ~ROUTING_FLAG_DEVID)
			return -EINVAL;
		if (msi_decode(vm, &route->msg, e->u.msi.address_lo, e->u.msi.address_hi,
			       e->u.msi.data))
			return -EINVAL;
		break;
	default:
		return -EINVAL;
	}
	route->type = e->type;
	return 0;
}

static int irq_table_add(struct vm *vm, struct irq_routing_table *table,
			 const struct minikvm_irq_routing_entry *e)
{
	struct irq_route *routes = &table->routes[e->gsi * ROUTES_PER_GSI];
	struct irq_route new = { };
	int i, err;

	err = irq_route_fill(vm, &new, e);
	if (err)
		return err;
	/* One pin per chip, or one message and nothing else. */
	for (i = 0; i < ROUTES_PER_GSI && routes[i].type; i++)
		if (new.type == MINIKVM_IRQ_ROUTING_MSI ||
		    routes[i].type == MINIKVM_IRQ_ROUTING_MSI || routes[i].chip == new.chip)
			return -EINVAL;
	if (i == ROUTES_PER_GSI)
		return -EINVAL;
	routes[i] = new;
	if (new.type == MINIKVM_IRQ_ROUTING_IRQCHIP)
		table->gsi_of_pin[new.chip][new.pin] = e->gsi;
	return 0;
}

static struct irq_routing_table *
irq_table_make(struct vm *vm, const struct minikvm_irq_routing_entry *entries, u32 nr)
{
	struct irq_routing_table *table;
	u32 i, nr_gsi = 0;
	int err;

	for (i = 0; i < nr; i++) {
		if (entries[i].gsi >= MK_NR_GSI)
			return ERR_PTR(-EINVAL);
		nr_gsi = max(nr_gsi, entries[i].gsi + 1);
	}
	table = kvzalloc(struct_size(table, routes, nr_gsi * ROUTES_PER_GSI), GFP_KERNEL_ACCOUNT);
	if (!table)
		return ERR_PTR(-ENOMEM);
	table->nr_gsi = nr_gsi;
	memset(table->gsi_of_pin, 0xff, sizeof(table->gsi_of_pin));

	for (i = 0; i < nr; i++) {
		err = irq_table_add(vm, table, &entries[i]);
		if (err) {
			kvfree(table);
			return ERR_PTR(err);
		}
	}
	return table;
}

/* The message of a pin of userspace's I/O APIC that wants the vector's EOI. */
static const struct lapic_msg *irq_split_level(const struct irq_routing_table *table, u32 gsi)
{
	const struct irq_route *route = &table->routes[gsi * ROUTES_PER_GSI];

	if (route->type != MINIKVM_IRQ_ROUTING_MSI || !route->msg.trig_level)
		return NULL;
	return &route->msg;
}

/* vm->irq_lock held: which EOIs may concern userspace. */
static void split_rescan(struct vm *vm, const struct irq_routing_table *table)
{
	DECLARE_BITMAP(vectors, 256);
	const struct lapic_msg *msg;
	u32 gsi;

	if (!irqchip_split(vm))
		return;
	bitmap_zero(vectors, 256);
	for (gsi = 0; gsi < min(table->nr_gsi, vm->nr_reserved_gsi); gsi++) {
		msg = irq_split_level(table, gsi);
		if (msg)
			__set_bit(msg->vector, vectors);
	}
	if (bitmap_equal(vm->split_eoi_vectors, vectors, 256))
		return;
	bitmap_copy(vm->split_eoi_vectors, vectors, 256);
	lapic_eoi_vectors_changed(vm);
}

bool irq_eoi_routed(struct vcpu *vcpu, u8 vector)
{
	const struct irq_routing_table *table;
	struct vm *vm = vcpu->vm;
	const struct lapic_msg *msg;
	bool routed = false;
	u32 gsi;
	int idx;

	idx = srcu_read_lock(&vm->srcu);
	table = srcu_dereference(vm->routing, &vm->srcu);
	for (gsi = 0; !routed && gsi < min(table->nr_gsi, vm->nr_reserved_gsi); gsi++) {
		msg = irq_split_level(table, gsi);
		routed = msg && msg->vector == vector && lapic_msg_is_for(vcpu, msg);
	}
	srcu_read_unlock(&vm->srcu, idx);
	return routed;
}

/**
 * irq_set_routing - SET_GSI_ROUTING: replace the table
 * @vm: a VM with in-kernel chips, or about to have them
 * @entries: the new routes, in kernel memory
 * @nr: how many
 * @flags: must be zero
 *
 * Context: process; takes vm->irq_lock and waits for readers.
 * Return: 0; -ENOMEM; -EINVAL for flags, too many entries, a GSI, chip or pin out
 * of range, an unknown type, a route to a pin when the irqchip is split, or two
 * routes of one GSI that exclude each other.
 */
int irq_set_routing(struct vm *vm, const struct minikvm_irq_routing_entry *entries, u32 nr,
		    u32 flags)
{
	struct irq_routing_table *table, *old;

	if (flags || nr > MK_NR_GSI)
		return -EINVAL;
	table = irq_table_make(vm, entries, nr);
	if (IS_ERR(table))
		return PTR_ERR(table);

	mutex_lock(&vm->irq_lock);
	old = rcu_replace_pointer(vm->routing, table, lockdep_is_held(&vm->irq_lock));
	ioapic_rescan(vm);
	split_rescan(vm, table);
	mutex_unlock(&vm->irq_lock);

	synchronize_srcu_expedited(&vm->srcu);
	kvfree(old);
	return 0;
}

/**
 * irq_default_routing - the table a VM starts with
 * @vm: the VM
 *
 * GSI n is I/O APIC pin n, and for n below 16 also line n of the 8259 pair.
 *
 * Return: 0; -ENOMEM.
 */
int irq_default_routing(struct vm *vm)
{
	struct minikvm_irq_routing_entry *entries;
	int gsi, err, nr = 0;

	entries = kcalloc(MINIKVM_IOAPIC_NUM_PINS + 16, sizeof(*entries), GFP_KERNEL);
	if (!entries)
		return -ENOMEM;
	for (gsi = 0; gsi < MINIKVM_IOAPIC_NUM_PINS; gsi++) {
		entries[nr++] = (struct minikvm_irq_routing_entry) {
			.gsi = gsi,
			.type = MINIKVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = { .irqchip = MINIKVM_IRQCHIP_IOAPIC, .pin = gsi },
		};
		if (gsi >= 16)
			continue;
		entries[nr++] = (struct minikvm_irq_routing_entry) {
			.gsi = gsi,
			.type = MINIKVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = { .irqchip = MINIKVM_IRQCHIP_PIC_MASTER + gsi / 8,
				       .pin = gsi % 8 },
		};
	}
	err = irq_set_routing(vm, entries, nr, 0);
	kfree(entries);
	return err;
}

/**
 * irq_free_routing - drop the table
 * @vm: a VM that raises no interrupt any more
 */
void irq_free_routing(struct vm *vm)
{
	kvfree(rcu_dereference_protected(vm->routing, true));
	RCU_INIT_POINTER(vm->routing, NULL);
}
