// SPDX-License-Identifier: GPL-2.0
/*
 * The split irqchip: level-triggered routes of reserved GSIs report their EOI, others do not; a
 * userspace 8259 interrupts through LINT0, when the guest lets it.
 */
#include <errno.h>

#include "gvm.h"

#define VEC_LEVEL	0x51
#define VEC_EDGE	0x52
#define VEC_FREE	0x53	/* level, but of a GSI that is not reserved */
#define VEC_EXT		0x61
#define GSI_LEVEL	4
#define GSI_EDGE	5
#define GSI_FREE	30

static volatile uint64_t hits[256];

static void on_irq(struct guest_trap_frame *f)
{
	hits[f->vector]++;
	apic_write(APIC_EOI, 0);
}

/* An 8259's vector is in no APIC register: nothing to end. */
static void on_extint(struct guest_trap_frame *f)
{
	hits[f->vector]++;
}

static void window(void)
{
	sti();
	guest_relax();
	guest_relax();
	cli();
}

static void guest_main(void)
{
	guest_set_handler(VEC_LEVEL, on_irq);
	guest_set_handler(VEC_EDGE, on_irq);
	guest_set_handler(VEC_FREE, on_irq);
	guest_set_handler(VEC_EXT, on_extint);
	guest_set_handler(VEC_EXT + 1, on_extint);
	apic_enable();
	guest_check(apic_read(APIC_VERSION) & (1u << 24), "the APIC has directed EOI");
	apic_write(APIC_SVR, 0x11ff);
	guest_eq(apic_read(APIC_SVR), 0x11ff, "... and its bit in SVR");
	apic_write(APIC_SVR, 0x1ff);
	guest_check((apic_read(APIC_LVT_LINT0) & ~0xffu) == APIC_DM_EXTINT,
		    "LINT0 starts as ExtINT");

	guest_sync(1, 0);
	window();
	guest_eq(hits[VEC_LEVEL], 1, "a level-triggered route");
	guest_sync(2, 0);
	window();
	guest_eq(hits[VEC_EDGE], 1, "an edge-triggered route");
	guest_sync(3, 0);
	window();
	guest_eq(hits[VEC_FREE], 1, "a level-triggered route of a GSI not reserved");

	apic_write(APIC_LVT_LINT0, APIC_DM_EXTINT | APIC_MASKED);
	guest_sync(4, 0);
	window();
	apic_write(APIC_LVT_LINT0, APIC_DM_EXTINT);
	guest_sync(5, 0);
	guest_eq(hits[VEC_EXT], 0, "ExtINT with interrupts off waits");
	window();
	guest_eq(hits[VEC_EXT], 1, "... until they are on");
	guest_sync(6, 0);
	sti_hlt_cli();
	guest_eq(hits[VEC_EXT + 1], 1, "ExtINT wakes a halted CPU");
	guest_sync(7, 0);
	sti();
	guest_relax();
	guest_relax();
	cli();
	guest_eq(hits[VEC_EXT], 2, "ExtINT injected when the window opened");
	guest_done();
}

static struct gvm *vm;
static struct minikvm_run *run;

static struct minikvm_irq_routing_entry msi(uint32_t gsi, uint32_t vector, bool level)
{
	return (struct minikvm_irq_routing_entry){
		.gsi = gsi, .type = MINIKVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = 0xfee00000, .data = vector | (level ? 0xc000 : 0) },
	};
}

static void set_routes(void)
{
	struct {
		struct minikvm_irq_routing head;
		struct minikvm_irq_routing_entry entries[3];
	} table = { .head.nr = 3 };

	table.entries[0] = msi(GSI_LEVEL, VEC_LEVEL, true);
	table.entries[1] = msi(GSI_EDGE, VEC_EDGE, false);
	table.entries[2] = msi(GSI_FREE, VEC_FREE, true);
	GVM_IOCTL(vm->fd, MINIKVM_SET_GSI_ROUTING, &table);
}

static void test_routes(void)
{
	gvm_expect(vm, GVM_SYNC, "the APIC is set up");
	gvm_irq_line(vm, GSI_LEVEL, 1);
	gvm_expect(vm, MINIKVM_EXIT_IOAPIC_EOI, "the EOI of a level is an exit");
	tap_eq(run->eoi.vector, VEC_LEVEL, "it names the vector");
	gvm_expect(vm, GVM_SYNC, "the guest goes on");
	gvm_irq_line(vm, GSI_EDGE, 1);
	gvm_expect(vm, GVM_SYNC, "the EOI of an edge is none");
	gvm_irq_line(vm, GSI_FREE, 1);
	gvm_expect(vm, GVM_SYNC, "that of a GSI not reserved is none");
}

static void test_extint(void)
{
	/* The guest has masked LINT0 and is about to turn interrupts on for a while. */
	run->request_interrupt_window = 1;
	gvm_expect(vm, GVM_SYNC, "LINT0 masked: no window");
	run->request_interrupt_window = 0;
	tap_errno(gvm_interrupt(vm, 256), EINVAL, "INTERRUPT with vector 256");
	tap_errno(gvm_interrupt(vm, VEC_EXT), 0, "INTERRUPT");
	tap_errno(gvm_interrupt(vm, VEC_EXT + 1), EEXIST, "INTERRUPT while one waits");
	gvm_expect(vm, GVM_SYNC, "the guest goes on");
	tap_errno(gvm_interrupt(vm, VEC_EXT + 1), 0, "INTERRUPT before a HLT");
	gvm_expect(vm, GVM_SYNC, "the guest goes on");
	run->request_interrupt_window = 1;
	gvm_expect(vm, MINIKVM_EXIT_IRQ_WINDOW_OPEN, "LINT0 open: a window");
	tap_eq(run->ready_for_interrupt_injection, 1, "ready");
	run->request_interrupt_window = 0;
	tap_errno(gvm_interrupt(vm, VEC_EXT), 0, "INTERRUPT");
	tap_eq(gvm_run(vm, 0), GVM_DONE, "the guest is done");
}

int main(void)
{
	gvm_start();
	vm = gvm_create(1, GVM_SPLIT);
	run = vm->vcpu[0].run;
	set_routes();
	gvm_enter64(vm, 0, guest_main);
	test_routes();
	test_extint();
	gvm_destroy(vm);
	return gvm_finish();
}
