// SPDX-License-Identifier: GPL-2.0
/*
 * The 8259 pair in a VM: its ports, its lock, who drives its lines and which
 * processor its output interrupts. The chips' logic is pic_chip.c.
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/slab.h>

#include "../minikvm.h"
#include "../iobus.h"
#include "../trace_irq.h"
#include "chips.h"
#include "irqchip.h"
#include "lapic.h"
#include "pic_chip.h"

#define PIC_MASTER_PORT		0x20
#define PIC_SLAVE_PORT		0xa0
#define PIC_ELCR_PORT		0x4d0

/**
 * struct pic - the 8259 pair of a VM
 * @vm: whose
 * @lock: everything below; taken in any context
 * @pair: the chips
 * @lines: per line, which sources hold it high
 * @master: the master's place on the PIO bus
 * @slave: the slave's
 * @elcr: that of the edge/level control registers
 */
struct pic {
	struct vm *vm;
	spinlock_t lock;		/* see above */
	struct pic_pair pair;
	unsigned long lines[16];
	struct io_device master, slave, elcr;
};

/* INT went high: tell the processor whose LINT0 it reaches. */
static void pic_wake(struct vm *vm)
{
	struct vcpu *vcpu;
	int i;

	vm_for_each_vcpu(i, vcpu, vm) {
		if (lapic_accepts_pic(vcpu)) {
			vcpu_request(vcpu, REQ_EVENT);
			return;
		}
	}
}

/**
 * struct pic_news - what an access changed that others want to know
 * @imr: the mask registers before it
 * @was_high: INT before it
 * @acked: lines whose service it ended
 * @unmasked: lines it unmasked
 * @wake: INT went high
 */
struct pic_news {
	u8 imr[2];
	bool was_high;
	u8 acked[2];
	u8 unmasked[2];
	bool wake;
};

/* Before an access, @lock held. */
static void pic_watch(struct pic *pic, struct pic_news *news)
{
	lockdep_assert_held(&pic->lock);
	news->imr[0] = pic->pair.chip[0].imr;
	news->imr[1] = pic->pair.chip[1].imr;
	news->was_high = pic->pair.output;
}

/* After it, @lock still held. */
static void pic_collect(struct pic *pic, struct pic_news *news)
{
	int i;

	lockdep_assert_held(&pic->lock);
	for (i = 0; i < 2; i++) {
		news->acked[i] = pic->pair.acked[i];
		news->unmasked[i] = news->imr[i] & ~pic->pair.chip[i].imr;
		pic->pair.acked[i] = 0;
	}
	news->wake = pic->pair.output && !news->was_high;
}

/* And without it: those who are told come back with accesses of their own. */
static void pic_tell(struct pic *pic, const struct pic_news *news)
{
	int chip, line;

	if (news->wake)
		pic_wake(pic->vm);
	for (chip = 0; chip < 2; chip++) {
		for (line = 0; (news->acked[chip] | news->unmasked[chip]) >> line; line++) {
			if (news->acked[chip] & BIT(line))
				irq_acked(pic->vm, chip, line);
			if (news->unmasked[chip] & BIT(line))
				irq_unmasked(pic->vm, chip, line);
		}
	}
}

/**
 * pic_set_irq - a source drives a line
 * @vm: the VM
 * @pin: 0 to 7 master, 8 to 15 slave
 * @source: IRQ_SOURCE_*; the line is high while any source holds it so
 * @level: 0 low, else high
 *
 * Context: any.
 * Return: -1 masked, 0 coalesced, 1 noted.
 */
int pic_set_irq(struct vm *vm, int pin, int source, int level)
{
	struct pic *pic = vm->pic;
	struct pic_news news;
	unsigned long flags;
	int noted;

	spin_lock_irqsave(&pic->lock, flags);
	pic_watch(pic, &news);
	if (level)
		__set_bit(source, &pic->lines[pin]);
	else
		__clear_bit(source, &pic->lines[pin]);
	noted = pic_pair_set_line(&pic->pair, pin, pic->lines[pin] != 0);
	trace_kvm_pic_set_irq(pin >> 3, pin & 7, pic->pair.chip[pin >> 3].elcr,
			      pic->pair.chip[pin >> 3].imr, !noted);
	pic_collect(pic, &news);
	spin_unlock_irqrestore(&pic->lock, flags);
	pic_tell(pic, &news);
	return noted;
}

/**
 * pic_intr - level of the 8259's INT
 * @vm: the VM
 *
 * Context: any; no lock.
 */
bool pic_intr(struct vm *vm)
{
	return vm->pic && READ_ONCE(vm->pic->pair.output);
}

/**
 * pic_read_irq - the INTA cycle
 * @vm: a VM with in-kernel chips
 *
 * Context: process.
 * Return: the vector; a spurious one if the request has gone away.
 */
int pic_read_irq(struct vm *vm)
{
	struct pic *pic = vm->pic;
	struct pic_news news;
	unsigned long flags;
	int vector;

	spin_lock_irqsave(&pic->lock, flags);
	pic_watch(pic, &news);
	/* INT drops with the INTA, so another request is a rising edge. */
	news.was_high = false;
	vector = pic_pair_inta(&pic->pair);
	pic_collect(pic, &news);
	spin_unlock_irqrestore(&pic->lock, flags);
	pic_tell(pic, &news);
	return vector;
}

/* ---- ports ------------------------------------------------------------------- */

static void pic_port_write(struct pic *pic, gpa_t addr, u8 val)
{
	struct pic_news news;
	unsigned long flags;

	spin_lock_irqsave(&pic->lock, flags);
	pic_watch(pic, &news);
	if (addr >= PIC_ELCR_PORT)
		pic_pair_write_elcr(&pic->pair, addr & 1, val);
	else
		pic_pair_write(&pic->pair, addr >> 7, addr & 1, val);
	pic_collect(pic, &news);
	spin_unlock_irqrestore(&pic->lock, flags);
	pic_tell(pic, &news);
}

static u8 pic_port_read(struct pic *pic, gpa_t addr)
{
	struct pic_news news;
	unsigned long flags;
	u8 val;

	spin_lock_irqsave(&pic->lock, flags);
	pic_watch(pic, &news);
	if (addr >= PIC_ELCR_PORT)
		val = pic->pair.chip[addr & 1].elcr;
	else
		val = pic_pair_read(&pic->pair, addr >> 7, addr & 1);
	pic_collect(pic, &news);
	spin_unlock_irqrestore(&pic->lock, flags);
	pic_tell(pic, &news);
	return val;
}

/* The chips are on an 8-bit bus: other widths are swallowed, and read as zero. */
static int pic_write(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len,
		     const void *data)
{
	if (len == 1)
		pic_port_write(vcpu->vm->pic, addr, *(const u8 *)data);
	return 0;
}

static int pic_read(struct vcpu *vcpu, struct io_device *dev, gpa_t addr, int len, void *data)
{
	memset(data, 0, len);
	if (len == 1)
		*(u8 *)data = pic_port_read(vcpu->vm->pic, addr);
	return 0;
}

static const struct io_device_ops pic_ops = {
	.read = pic_read,
	.write = pic_write,
};

/* ---- life and state ------------------------------------------------------------ */

static int pic_attach(struct vm *vm, struct pic *pic)
{
	int err;

	lockdep_assert_held(&vm->slots_lock);
	err = iobus_attach(vm, IO_BUS_PIO, PIC_MASTER_PORT, 2, &pic->master);
	if (err)
		return err;
	err = iobus_attach(vm, IO_BUS_PIO, PIC_SLAVE_PORT, 2, &pic->slave);
	if (err)
		goto detach_master;
	err = iobus_attach(vm, IO_BUS_PIO, PIC_ELCR_PORT, 2, &pic->elcr);
	if (err)
		goto detach_slave;
	return 0;

detach_slave:
	iobus_detach(vm, IO_BUS_PIO, &pic->slave);
detach_master:
	iobus_detach(vm, IO_BUS_PIO, &pic->master);
	return err;
}

/**
 * pic_create - make the 8259 pair
 * @vm: the VM, its lock held, no vCPU yet
 *
 * Return: 0; -ENOMEM; -ENOSPC.
 */
int pic_create(struct vm *vm)
{
	struct pic *pic;
	int err;

	pic = kzalloc(sizeof(*pic), GFP_KERNEL_ACCOUNT);
	if (!pic)
		return -ENOMEM;
	pic->vm = vm;
	spin_lock_init(&pic->lock);
	pic_pair_init(&pic->pair);
	pic->master.ops = &pic_ops;
	pic->slave.ops = &pic_ops;
	pic->elcr.ops = &pic_ops;

	/* No vCPU exists, so nobody finds the ports before vm->pic is there. */
	mutex_lock(&vm->slots_lock);
	err = pic_attach(vm, pic);
	mutex_unlock(&vm->slots_lock);
	if (err) {
		kfree(pic);
		return err;
	}
	vm->pic = pic;
	return 0;
}

/**
 * pic_destroy - undo pic_create()
 * @vm: a VM whose vCPUs do not run any more
 */
void pic_destroy(struct vm *vm)
{
	struct pic *pic = vm->pic;

	if (!pic)
		return;
	mutex_lock(&vm->slots_lock);
	iobus_detach(vm, IO_BUS_PIO, &pic->master);
	iobus_detach(vm, IO_BUS_PIO, &pic->slave);
	iobus_detach(vm, IO_BUS_PIO, &pic->elcr);
	mutex_unlock(&vm->slots_lock);
	vm->pic = NULL;
	kfree(pic);
}

/**
 * pic_get - a PIC's part of GET_IRQCHIP
 * @vm: a VM with in-kernel chips
 * @chip: PIC_MASTER or PIC_SLAVE
 * @s: filled in
 */
void pic_get(struct vm *vm, int chip, struct minikvm_pic_state *s)
{
	struct pic *pic = vm->pic;
	unsigned long flags;

	spin_lock_irqsave(&pic->lock, flags);
	*s = pic->pair.chip[chip];
	spin_unlock_irqrestore(&pic->lock, flags);
}

/**
 * pic_set - a PIC's part of SET_IRQCHIP
 * @vm: a VM with in-kernel chips
 * @chip: PIC_MASTER or PIC_SLAVE
 * @s: state; which lines can be level triggered is not settable
 */
void pic_set(struct vm *vm, int chip, const struct minikvm_pic_state *s)
{
	struct pic *pic = vm->pic;
	struct minikvm_pic_state *to = &pic->pair.chip[chip];
	struct pic_news news;
	unsigned long flags;
	u8 elcr_mask;

	spin_lock_irqsave(&pic->lock, flags);
	pic_watch(pic, &news);
	elcr_mask = to->elcr_mask;
	*to = *s;
	to->elcr_mask = elcr_mask;
	to->elcr &= elcr_mask;
	to->priority_add &= 7;
	to->irq_base &= 0xf8;
	pic_pair_update(&pic->pair);
	pic_collect(pic, &news);
	spin_unlock_irqrestore(&pic->lock, flags);
	pic_tell(pic, &news);
}
