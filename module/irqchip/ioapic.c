// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC: 24 pins, each with a redirection table entry that says which
 * message the pin sends to which local APIC.
 *
 * An edge pin sends once per rising edge that finds it unmasked. A level pin
 * sends when it is high and its Remote IRR bit is clear; the EOI clears the bit
 * and, if the line is still high, the pin sends again. A guest that never calms
 * the device down would do nothing else: after STORM_LENGTH times in a row the
 * pin takes a rest, in which the guest gets somewhere.
 *
 * Source: Intel 82093AA I/O Advanced Programmable Interrupt Controller data
 * sheet (May 1996), "Register Description" and "I/O Redirection Table
 * Registers".
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/bitmap.h>
#include <linux/nospec.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "../minikvm.h"
#include "../iobus.h"
#include "../trace_irq.h"
#include "apic_regs.h"
#include "chips.h"
#include "irqchip.h"
#include "lapic.h"

#define IOAPIC_BASE		0xfec00000ull
#define IOAPIC_SIZE		0x100
#define IOAPIC_SELECT		0x00
#define IOAPIC_WINDOW		0x10

#define IOAPIC_REG_ID		0x00
#define IOAPIC_REG_VERSION	0x01
#define IOAPIC_REG_ARB		0x02
#define IOAPIC_REG_REDIR	0x10
#define IOAPIC_VERSION_VALUE	(0x11 | (MINIKVM_IOAPIC_NUM_PINS - 1) << 16)

/* How often an EOI may find its line still high, and how long the pin then rests. */
#define STORM_LENGTH		10000
#define STORM_REST		(HZ / 100)

/* Halves of an entry. Delivery status (12) and Remote IRR (14) are read-only. */
#define REDIR_LOW_WRITABLE	0x0001afffu
#define REDIR_LOW_READONLY	0x00005000u
#define REDIR_HIGH_WRITABLE	0xff000000u

/**
 * struct ioapic - the I/O APIC of a VM
 * @dev: its place on the MMIO bus
 * @vm: whose
 * @lock: everything below; taken in any context
 * @s: registers; @s.irr holds the level of each line as last seen
 * @sent: edge pins whose current high level was already sent
 * @lines: per pin, which sources hold it high
 * @storm: per pin, how many EOIs in a row found it still high
 * @rested: sends for the pins that took a rest
 * @ack_vectors: vectors whose EOI must come here; written under @lock, read
 *	without
 */
struct ioapic {
	struct io_device dev;
	struct vm *vm;
	spinlock_t lock;		/* see above */
	struct minikvm_ioapic_state s;
	u32 sent;
	unsigned long lines[MINIKVM_IOAPIC_NUM_PINS];
	u32 storm[MINIKVM_IOAPIC_NUM_PINS];
	struct delayed_work rested;
	DECLARE_BITMAP(ack_vectors, 256);
};

/* ---- delivery ------------------------------------------------------------------ */

/* @lock held. As irq_set_level(): how many took it, <0 masked or nobody there. */
static int ioapic_send(struct ioapic *ioapic, int pin)
{
	typeof(ioapic->s.redirtbl[0]) *e = &ioapic->s.redirtbl[pin];
	struct lapic_msg msg = {
		.dest = e->fields.dest_id,
		.vector = e->fields.vector,
		.mode = e->fields.delivery_mode,
		.logical = e->fields.dest_mode,
		.level = true,
		.trig_level = e->fields.trig_mode,
	};
	int taken;

	if (e->fields.mask || (e->fields.trig_mode && e->fields.remote_irr))
		return -1;
	if (!e->fields.trig_mode)
		ioapic->sent |= BIT(pin);
	taken = lapic_deliver(ioapic->vm, NULL, &msg);
	if (e->fields.trig_mode && taken > 0)
		e->fields.remote_irr = 1;
	return taken;
}

/* @lock held. */
static int ioapic_set_line(struct ioapic *ioapic, int pin, bool high)
{
	bool edge = !ioapic->s.redirtbl[pin].fields.trig_mode;
	bool was_high = ioapic->s.irr & BIT(pin);

	if (!high) {
		ioapic->s.irr &= ~BIT(pin);
		ioapic->sent &= ~BIT(pin);
		return 1;
	}
	ioapic->s.irr |= BIT(pin);
	/* Only a rising edge counts; a level is looked at whenever it is set. */
	if (edge && was_high)
		return 0;
	/* A level that waits for its EOI is coalesced, not masked. */
	if (!edge && !ioapic->s.redirtbl[pin].fields.mask &&
	    ioapic->s.redirtbl[pin].fields.remote_irr)
		return 0;
	return ioapic_send(ioapic, pin);
}

/**
 * ioapic_set_irq - a source drives a pin
 * @vm: the VM
 * @pin: 0 to 23
 * @source: IRQ_SOURCE_*; the pin is high while any source holds it so
 * @level: 0 low, else high
 *
 * Context: any.
 * Return: <0 masked or nobody there, 0 coalesced, >0 how many APICs took it.
 */
int ioapic_set_irq(struct vm *vm, int pin, int source, int level)
{
	struct ioapic *ioapic = vm->ioapic;
	unsigned long flags;
	int taken;

	spin_lock_irqsave(&ioapic->lock, flags);
	if (level)
		__set_bit(source, &ioapic->lines[pin]);
	else
		__clear_bit(source, &ioapic->lines[pin]);
	taken = ioapic_set_line(ioapic, pin, ioapic->lines[pin] != 0);
	trace_kvm_ioapic_set_irq(ioapic->s.redirtbl[pin].bits, pin, !taken);
	spin_unlock_irqrestore(&ioapic->lock, flags);
	return taken;
}

/* ---- end of interrupt -------------------------------------------------------------- */

/* @lock held: a level pin's Remote IRR bit fell. */
static void ioapic_send_again(struct ioapic *ioapic, int pin)
{
	if (ioapic->s.redirtbl[pin].fields.mask || !(ioapic->s.irr & BIT(pin))) {
		ioapic->storm[pin] = 0;
		return;
	}
	if (++ioapic->storm[pin] < STORM_LENGTH) {
		ioapic_send(ioapic, pin);
		return;
	}
	ioapic->storm[pin] = 0;
	schedule_delayed_work(&ioapic->rested, STORM_REST);
}

static void ioapic_rested(struct work_struct *work)
{
	struct ioapic *ioapic = container_of(work, struct ioapic, rested.work);
	unsigned long flags;
	int pin;

	spin_lock_irqsave(&ioapic->lock, flags);
	for (pin = 0; pin < MINIKVM_IOAPIC_NUM_PINS; pin++)
		if (ioapic->s.redirtbl[pin].fields.trig_mode && (ioapic->s.irr & BIT(pin)))
			ioapic_send(ioapic, pin);
	spin_unlock_irqrestore(&ioapic->lock, flags);
}

/**
 * ioapic_handles_vector - does anyone here wait for the EOI of a vector
 * @vm: the VM
 * @vector: what a local APIC finished
 *
 * Context: any; no lock.
 */
bool ioapic_handles_vector(struct vm *vm, u8 vector)
{
	struct ioapic *ioapic = vm->ioapic;

	return test_bit(vector, ioapic ? ioapic->ack_vectors : vm->split_eoi_vectors);
}

/**
 * ioapic_eoi_vectors - vectors for which ioapic_handles_vector() is true
 * @vm: the VM
 * @vectors: 256 bits, filled in
 *
 * Context: any; no lock.
 */
void ioapic_eoi_vectors(struct vm *vm, unsigned long *vectors)
{
	bitmap_copy(vectors, vm->ioapic ? vm->ioapic->ack_vectors : vm->split_eoi_vectors, 256);
}

/**
 * ioapic_eoi - a local APIC finished a vector
 * @vcpu: whose
 * @vector: which
 * @level: it was requested with level trigger mode, so the EOI is broadcast
 *
 * Context: process.
 */
void ioapic_eoi(struct vcpu *vcpu, u8 vector, bool level)
{
	struct ioapic *ioapic = vcpu->vm->ioapic;
	unsigned long flags, acked = 0;
	int pin;

	if (!ioapic) {
		split_eoi(vcpu, vector, level);
		return;
	}
	/* Acknowledge first: whoever waits for it may lower the line. */
	spin_lock_irqsave(&ioapic->lock, flags);
	for (pin = 0; pin < MINIKVM_IOAPIC_NUM_PINS; pin++)
		if (ioapic->s.redirtbl[pin].fields.vector == vector)
			acked |= BIT(pin);
	spin_unlock_irqrestore(&ioapic->lock, flags);

	for_each_set_bit(pin, &acked, MINIKVM_IOAPIC_NUM_PINS)
		irq_acked(vcpu->vm, MINIKVM_IRQCHIP_IOAPIC, pin);
	if (!level)
		return;

	spin_lock_irqsave(&ioapic->lock, flags);
	for_each_set_bit(pin, &acked, MINIKVM_IOAPIC_NUM_PINS) {
		typeof(ioapic->s.redirtbl[0]) *e = &ioapic->s.redirtbl[pin];

		if (e->fields.vector != vector || !e->fields.trig_mode)
			continue;
		e->fields.remote_irr = 0;
		ioapic_send_again(ioapic, pin);
	}
	spin_unlock_irqrestore(&ioapic->lock, flags);
}

/* @lock held: which vectors' EOIs matter, after a change of the table. */
static void ioapic_scan(struct ioapic *ioapic)
{
	DECLARE_BITMAP(vectors, 256);
	int pin;

	bitmap_zero(vectors, 256);
	for (pin = 0; pin < MINIKVM_IOAPIC_NUM_PINS; pin++) {
		typeof(ioapic->s.redirtbl[0]) *e = &ioapic->s.redirtbl[pin];

		if (e->fields.trig_mode ||
		    irq_ack_wanted(ioapic->vm, MINIKVM_IRQCHIP_IOAPIC, pin))
			__set_bit(e->fields.vector, vectors);
	}
	if (bitmap_equal(ioapic->ack_vectors, vectors, 256))
		return;
	bitmap_copy(ioapic->ack_vectors, vectors, 256);
	lapic_eoi_vectors_changed(ioapic->vm);
}

/**
 * ioapic_rescan - routes or listeners changed: who waits for which EOI
 * @vm: the VM
 */
void ioapic_rescan(struct vm *vm)
{
	struct ioapic *ioapic = vm->ioapic;
	unsigned long flags;

	if (!ioapic)
		return;
	spin_lock_irqsave(&ioapic->lock, flags);
	ioapic_scan(ioapic);
	spin_unlock_irqrestore(&ioapic->lock, flags);
}

/* ---- registers ------------------------------------------------------------------------ */

static u32 ioapic_read_window(struct ioapic *ioapic)
{
	u32 reg = ioapic->s.ioregsel;
	u32 pin;
	u64 bits;

	switch (reg) {
	case IOAPIC_REG_ID:
	case IOAPIC_REG_ARB:
		return (ioapic->s.id & 0xf) << 24;
	case IOAPIC_REG_VERSION:
		return IOAPIC_VERSION_VALUE;
	}
	pin = (reg - IOAPIC_REG_REDIR) >> 1;
	if (reg < IOAPIC_REG_REDIR || pin >= MINIKVM_IOAPIC_NUM_PINS)
		return ~0u;
	bits = ioapic->s.redirtbl[array_index_nospec(pin, MINIKVM_IOAPIC_NUM_PINS)].bits;
	return reg & 1 ? bits >> 32 : bits;
}

/* Returns the pin that was unmasked, or -1. */
static int ioapic_write_redir(struct ioapic *ioapic, u32 reg, u32 val)
{
	u32 pin = array_index_nospec((reg - IOAPIC_REG_REDIR) >> 1, MINIKVM_IOAPIC_NUM_PINS);
	typeof(ioapic->s.redirtbl[0]) *e = &ioapic->s.redirtbl[pin];
	bool was_masked = e->fields.mask;
	u32 low = e->bits, high = e->bits >> 32;

	if (reg & 1)
		high = val & REDIR_HIGH_WRITABLE;
	else
		low = (val & REDIR_LOW_WRITABLE) | (low & REDIR_LOW_READONLY);
	e->bits = (u64)high << 32 | low;

	/*
	 * An edge entry has no Remote IRR. Systems without an EOI register count
	 * on it: they switch a stuck entry to edge and back.
	 */
	if (!e->fields.trig_mode)
		e->fields.remote_irr = 0;
	ioapic_scan(ioapic);
	if (e->fields.trig_mode && (ioapic->s.irr & BIT(pin)))
		ioapic_send(ioapic, pin);
	return was_masked && !e->fields.mask ? pin : -1;
}

static int ioapic_write_window(struct ioapic *ioapic, u32 val)
{
	u32 reg = ioapic->s.ioregsel;

	if (reg == IOAPIC_REG_ID) {
		ioapic->s.id = (val >> 24) & 0xf;
		return -1;
	}
	if (reg < IOAPIC_REG_REDIR ||
	    reg >= IOAPIC_REG_REDIR + 2 * MINIKVM_IOAPIC_NUM_PINS)
		return -1;
	return ioapic_write_redir(ioapic, reg, val);
}

static int ioapic_mmio_read(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len,
			    void *data)
{
	struct ioapic *ioapic = container_of(dev, struct ioapic, dev);
	unsigned long flags;
	u32 val = 0;

	memset(data, 0, len);
	spin_lock_irqsave(&ioapic->lock, flags);
	if ((addr & 0xff) == IOAPIC_SELECT)
		val = ioapic->s.ioregsel;
	else if ((addr & 0xff) == IOAPIC_WINDOW)
		val = ioapic_read_window(ioapic);
	spin_unlock_irqrestore(&ioapic->lock, flags);
	memcpy(data, &val, min_t(int, len, sizeof(val)));
	return 0;
}

static int ioapic_mmio_write(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len,
			     const void *data)
{
	struct ioapic *ioapic = container_of(dev, struct ioapic, dev);
	unsigned long flags;
	int unmasked = -1;
	u32 val = 0;

	memcpy(&val, data, min_t(int, len, sizeof(val)));
	spin_lock_irqsave(&ioapic->lock, flags);
	if ((addr & 0xff) == IOAPIC_SELECT)
		ioapic->s.ioregsel = val & 0xff;
	else if ((addr & 0xff) == IOAPIC_WINDOW)
		unmasked = ioapic_write_window(ioapic, val);
	spin_unlock_irqrestore(&ioapic->lock, flags);

	if (unmasked >= 0)
		irq_unmasked(vcpu->vm, MINIKVM_IRQCHIP_IOAPIC, unmasked);
	return 0;
}

static const struct io_device_ops ioapic_ops = {
	.read = ioapic_mmio_read,
	.write = ioapic_mmio_write,
};

/* ---- life and state ------------------------------------------------------------------------ */

/**
 * ioapic_create - make the I/O APIC, all pins masked
 * @vm: the VM, its lock held
 *
 * Return: 0; -ENOMEM; -ENOSPC.
 */
int ioapic_create(struct vm *vm)
{
	struct ioapic *ioapic;
	int err, pin;

	ioapic = kzalloc(sizeof(*ioapic), GFP_KERNEL_ACCOUNT);
	if (!ioapic)
		return -ENOMEM;
	ioapic->dev.ops = &ioapic_ops;
	ioapic->vm = vm;
	spin_lock_init(&ioapic->lock);
	INIT_DELAYED_WORK(&ioapic->rested, ioapic_rested);
	ioapic->s.base_address = IOAPIC_BASE;
	for (pin = 0; pin < MINIKVM_IOAPIC_NUM_PINS; pin++)
		ioapic->s.redirtbl[pin].fields.mask = 1;

	mutex_lock(&vm->slots_lock);
	err = iobus_attach(vm, IO_BUS_MMIO, IOAPIC_BASE, IOAPIC_SIZE, &ioapic->dev);
	mutex_unlock(&vm->slots_lock);
	if (err) {
		kfree(ioapic);
		return err;
	}
	vm->ioapic = ioapic;
	return 0;
}

/**
 * ioapic_stop - no pin sends by itself any more
 * @vm: a VM whose vCPUs do not run any more, but exist; safe without an I/O APIC
 */
void ioapic_stop(struct vm *vm)
{
	if (vm->ioapic)
		cancel_delayed_work_sync(&vm->ioapic->rested);
}

/**
 * ioapic_destroy - undo ioapic_create()
 * @vm: a VM whose vCPUs do not run any more, after ioapic_stop() unless it never
 *	had any
 */
void ioapic_destroy(struct vm *vm)
{
	struct ioapic *ioapic = vm->ioapic;

	if (!ioapic)
		return;
	mutex_lock(&vm->slots_lock);
	iobus_detach(vm, IO_BUS_MMIO, &ioapic->dev);
	mutex_unlock(&vm->slots_lock);
	vm->ioapic = NULL;
	kfree(ioapic);
}

/**
 * ioapic_get - the I/O APIC's part of GET_IRQCHIP
 * @vm: a VM with in-kernel chips
 * @s: filled in; irr shows only what was not sent yet
 */
void ioapic_get(struct vm *vm, struct minikvm_ioapic_state *s)
{
	struct ioapic *ioapic = vm->ioapic;
	unsigned long flags;

	spin_lock_irqsave(&ioapic->lock, flags);
	*s = ioapic->s;
	s->irr &= ~ioapic->sent;
	spin_unlock_irqrestore(&ioapic->lock, flags);
}

/**
 * ioapic_set - the I/O APIC's part of SET_IRQCHIP
 * @vm: a VM with in-kernel chips
 * @s: state; pins in irr are driven high again, which sends what was waiting
 */
void ioapic_set(struct vm *vm, const struct minikvm_ioapic_state *s)
{
	struct ioapic *ioapic = vm->ioapic;
	unsigned long flags, irr;
	int pin;

	spin_lock_irqsave(&ioapic->lock, flags);
	ioapic->s = *s;
	/* The window is where the bus has it; only an 8-bit register exists. */
	ioapic->s.base_address = IOAPIC_BASE;
	ioapic->s.ioregsel &= 0xff;
	ioapic->s.id &= 0xf;
	ioapic->s.pad = 0;
	ioapic->s.irr = 0;
	ioapic->sent = 0;
	ioapic_scan(ioapic);

	irr = s->irr;
	for_each_set_bit(pin, &irr, MINIKVM_IOAPIC_NUM_PINS)
		ioapic_set_line(ioapic, pin, true);
	spin_unlock_irqrestore(&ioapic->lock, flags);
}
