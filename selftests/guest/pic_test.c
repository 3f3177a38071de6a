// SPDX-License-Identifier: GPL-2.0
/*
 * The 8259 pair through LINT0 in ExtINT mode: initialization, masks, priority, the cascade, EOI, level
 * mode, and the 8254's channel 0 on IRQ 0.
 */
#include "gvm.h"

#define BASE	0x20
#define SLAVE	0x28

static volatile uint64_t hits[16], order[8], norder, lower_at;

static void line(unsigned int gsi, unsigned int level)
{
	guest_sync(gsi, level);
}

static void on_irq(struct guest_trap_frame *f)
{
	unsigned int irq = f->vector - BASE;

	hits[irq]++;
	if (norder < 8)
		order[norder++] = irq;
	/* A line that stays high would leave the interrupted code no instruction of its own. */
	if (lower_at && hits[irq] >= lower_at)
		line(irq, 0);
	if (irq >= 8)
		outb(0xa0, 0x20);
	outb(0x20, 0x20);
}

static void on_irq_no_eoi(struct guest_trap_frame *f)
{
	hits[f->vector - BASE]++;
}

static void window(void)
{
	unsigned int i;

	sti();
	for (i = 0; i < 20; i++)
		guest_relax();
	cli();
}

static void pulse(unsigned int irq)
{
	line(irq, 1);
	line(irq, 0);
}

static void init_pair(void)
{
	unsigned int i;

	outb(0x20, 0x11);
	outb(0x21, BASE);
	outb(0x21, 4);
	outb(0x21, 1);
	outb(0xa0, 0x11);
	outb(0xa1, SLAVE);
	outb(0xa1, 2);
	outb(0xa1, 1);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	for (i = 0; i < 16; i++)
		guest_set_handler(BASE + i, on_irq);
	guest_check(inb(0x21) == 0xff && inb(0xa1) == 0xff, "the masks read back");
}

static void requests(void)
{
	pulse(5);
	window();
	guest_eq(hits[5], 0, "a masked line does not interrupt");
	outb(0x20, 0x0a);
	outb(0x20, 0x20);
	outb(0x21, 0xdf);
	line(5, 1);
	outb(0x20, 0x0a);
	guest_check(inb(0x20) & 0x20, "a raised line shows in IRR");
	window();
	line(5, 0);
	guest_check(hits[5] >= 1, "an unmasked line interrupts");
	outb(0x20, 0x0b);
	guest_eq(inb(0x20), 0, "ISR is clear after EOI");
	guest_set_handler(BASE + 5, on_irq_no_eoi);
	hits[5] = 0;
	pulse(5);
	window();
	outb(0x20, 0x0b);
	guest_check(hits[5] == 0 || inb(0x20) == 0x20, "without EOI, ISR stays set");
	guest_set_handler(BASE + 5, on_irq);
	outb(0x20, 0x20);
}

static void priority_and_cascade(void)
{
	unsigned int i;

	for (i = 0; i < 16; i++)
		hits[i] = 0;
	outb(0x21, 0x00);
	outb(0xa1, 0x00);
	line(7, 1);
	line(12, 1);
	line(3, 1);
	line(1, 1);
	norder = 0;
	window();
	line(7, 0);
	line(12, 0);
	line(3, 0);
	line(1, 0);
	guest_check(hits[1] && hits[12] && hits[3] && hits[7], "four lines, one on the slave, all arrive");
	guest_check(order[0] == 1 && order[1] == 12 && order[2] == 3 && order[3] == 7,
		    "... in the order of their priority, the slave's in place of IRQ 2");
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	window();
}

static void level_mode(void)
{
	outb(0x4d1, 0x02);			/* ELCR: IRQ 9 is level triggered */
	guest_eq(inb(0x4d1), 0x02, "ELCR reads back");
	outb(0x21, 0xfb);
	outb(0xa1, 0xfd);
	hits[9] = 0;
	lower_at = 3;
	line(9, 1);
	sti();
	while (hits[9] < 3)
		guest_relax();
	window();
	guest_eq(hits[9], 3, "a level-triggered line interrupts again after each EOI until it is lowered");
	lower_at = 0;
	outb(0x4d1, 0);
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
}

static void pit(void)
{
	uint32_t a, b;

	hits[0] = 0;
	outb(0x21, 0xfe);
	outb(0x43, 0x34);
	outb(0x40, 0xa9);
	outb(0x40, 0x04);
	while (hits[0] < 3)
		sti_hlt_cli();
	guest_check(true, "the 8254's channel 0 interrupts through the 8259, waking HLT");
	outb(0x21, 0xff);
	outb(0x43, 0x34);
	outb(0x40, 0xff);
	outb(0x40, 0xff);
	outb(0x43, 0x00);
	a = inb(0x40);
	a |= inb(0x40) << 8;
	for (b = 0; b < 2000; b++)
		guest_relax();
	outb(0x43, 0x00);
	b = inb(0x40);
	b |= inb(0x40) << 8;
	guest_check(a != b, "a latched count moves on");
	outb(0x43, 0xe2);
	guest_eq(inb(0x40) & 0x3f, 0x34, "read-back returns the channel's mode");
}

static void guest_main(void)
{
	apic_enable();
	apic_write(APIC_LVT_LINT0, APIC_DM_EXTINT);
	init_pair();
	requests();
	priority_and_cascade();
	level_mode();
	pit();
	guest_done();
}

static void set_line(struct gvm_vcpu *v, uint64_t gsi, uint64_t lvl)
{
	gvm_irq_line(v->vm, gsi, lvl);
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	vm = gvm_create(1, GVM_IRQCHIP | GVM_PIT);
	vm->sync = set_line;
	gvm_enter64(vm, 0, guest_main);
	gvm_run_done(vm);
	gvm_destroy(vm);
	return gvm_finish();
}
