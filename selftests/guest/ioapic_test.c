// SPDX-License-Identifier: GPL-2.0
/*
 * The I/O APIC: edges and levels raised by userspace with IRQ_LINE, masks, remote IRR, the register
 * file, and the 8254's channel 0 arriving on pin 0, as the default routing has it.
 */
#include "gvm.h"

#define IOAPIC		0xfec00000ul
#define IOAPIC_ID	0
#define IOAPIC_VER	1
#define REDIR(pin)	(0x10 + 2 * (pin))
#define R_LEVEL		(1u << 15)
#define R_REMOTE_IRR	(1u << 14)
#define R_MASKED	(1u << 16)
#define R_LOGICAL	(1u << 11)
#define R_ACTIVE_LOW	(1u << 13)

#define VEC	0x51
#define PIN	10

static volatile uint64_t hits;
static volatile uint64_t lower_at;
static volatile bool check_irr, irr_seen;

static uint32_t io_read(unsigned int reg)
{
	*(volatile uint32_t *)IOAPIC = reg;
	return *(volatile uint32_t *)(IOAPIC + 0x10);
}

static void io_write(unsigned int reg, uint32_t v)
{
	*(volatile uint32_t *)IOAPIC = reg;
	*(volatile uint32_t *)(IOAPIC + 0x10) = v;
}

static void route(unsigned int pin, uint32_t lo, uint32_t dest)
{
	io_write(REDIR(pin) + 1, dest << 24);
	io_write(REDIR(pin), lo);
}

static void line(unsigned int gsi, unsigned int level)
{
	guest_sync(gsi, level);
}

static void on_irq(struct guest_trap_frame *f)
{
	(void)f;
	hits++;
	if (check_irr)
		irr_seen = io_read(REDIR(PIN)) & R_REMOTE_IRR;
	/* A line that stays high would leave the interrupted code no instruction of its own. */
	if (lower_at && hits >= lower_at)
		line(PIN, 0);
	apic_write(APIC_EOI, 0);
}

static void window(void)
{
	unsigned int i;

	sti();
	for (i = 0; i < 20; i++)
		guest_relax();
	cli();
}

static void registers(void)
{
	guest_eq(io_read(IOAPIC_VER) >> 16 & 0xff, 23, "24 redirection entries");
	guest_check(io_read(REDIR(PIN)) & R_MASKED, "entries are masked at reset");
	io_write(IOAPIC_ID, 0x0f000000);
	guest_eq(io_read(IOAPIC_ID), 0x0f000000, "the id register holds four bits");
	io_write(IOAPIC_ID, 0);
	io_write(REDIR(PIN), 0xffffffff & ~0x700u);
	guest_check(!(io_read(REDIR(PIN)) & (R_REMOTE_IRR | 1 << 12)), "status bits of an entry are read-only");
	io_write(REDIR(PIN), R_MASKED);
}

static void edge(void)
{
	route(PIN, VEC, 0);
	hits = 0;
	line(PIN, 1);
	window();
	guest_eq(hits, 1, "edge: a rising line interrupts once");
	line(PIN, 1);
	window();
	guest_eq(hits, 1, "edge: a line that stays high does not again");
	line(PIN, 0);
	window();
	guest_eq(hits, 1, "edge: falling does nothing");
	line(PIN, 1);
	line(PIN, 0);
	window();
	guest_eq(hits, 2, "edge: a pulse while interrupts are off is kept");
	route(PIN, VEC | R_MASKED, 0);
	line(PIN, 1);
	line(PIN, 0);
	window();
	guest_eq(hits, 2, "edge: masked, it is lost");
	route(PIN, VEC, 0);
	window();
	guest_eq(hits, 2, "... for good");
	route(PIN, VEC | R_LOGICAL, 1);
	apic_write(APIC_LDR, 1u << 24);
	apic_write(APIC_DFR, 0xffffffff);
	line(PIN, 1);
	line(PIN, 0);
	window();
	guest_eq(hits, 3, "edge: logical destination");
	route(PIN, VEC, 7);
	line(PIN, 1);
	line(PIN, 0);
	window();
	guest_eq(hits, 3, "edge: another CPU's interrupt does not come here");
}

static void level(void)
{
	route(PIN, VEC | R_LEVEL, 0);
	hits = 0;
	lower_at = 1;
	check_irr = true;
	line(PIN, 1);
	window();
	guest_eq(hits, 1, "level: once when the handler lowers the line");
	guest_check(irr_seen, "... with remote IRR set inside");
	check_irr = false;
	guest_check(!(io_read(REDIR(PIN)) & R_REMOTE_IRR), "... and cleared by EOI");
	lower_at = 3;
	hits = 0;
	line(PIN, 1);
	sti();
	while (hits < 3)
		guest_relax();
	window();
	guest_eq(hits, 3, "level: it comes again after each EOI until the line is low");
	lower_at = 1;
	hits = 0;
	route(PIN, VEC | R_LEVEL | R_MASKED, 0);
	line(PIN, 1);
	window();
	guest_eq(hits, 0, "level: masked, it waits");
	route(PIN, VEC | R_LEVEL, 0);
	window();
	guest_eq(hits, 1, "... and comes when unmasked");
	lower_at = 0;
	route(PIN, R_MASKED, 0);
}

/* What the interrupted code sees of a line that nobody lowers. */
static void storm(void)
{
	uint64_t seen;

	route(PIN, VEC | R_LEVEL, 0);
	hits = 0;
	lower_at = 20000;
	line(PIN, 1);
	asm volatile("sti\n\tnop\n\tmov %1, %0" : "=r"(seen) : "m"(hits) : "memory");
	cli();
	line(PIN, 0);
	guest_eq(seen, 10000, "level: after ten thousand in a row the guest gets a rest");
	window();
	lower_at = 0;
	route(PIN, R_MASKED, 0);
}

static void pit(void)
{
	hits = 0;
	route(0, VEC, 0);
	outb(0x43, 0x34);			/* channel 0, both bytes, rate generator */
	outb(0x40, 0xa9);			/* 1193182 Hz / 1193: about 1 kHz */
	outb(0x40, 0x04);
	while (hits < 3)
		sti_hlt_cli();
	guest_check(true, "the 8254's channel 0 comes through pin 0, its default route");
	route(0, VEC | R_MASKED, 0);
	outb(0x43, 0x30);
	outb(0x40, 0);
	outb(0x40, 0);
}

static void guest_main(void)
{
	guest_set_handler(VEC, on_irq);
	apic_enable();
	outb(0x21, 0xff);
	outb(0xa1, 0xff);
	registers();
	edge();
	level();
	storm();
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
