// SPDX-License-Identifier: GPL-2.0
/*
 * Interrupts that userspace injects into a VM without in-kernel interrupt controllers: windows, HLT,
 * the task priority through the run page, NMIs, and what the run page says at each exit.
 */
#include <errno.h>

#include "gvm.h"

#define VEC	0x41

static volatile uint64_t hits[256], order[16], nr_order, nmis;

static void on_irq(struct guest_trap_frame *f)
{
	hits[f->vector]++;
	order[nr_order++ & 15] = f->vector;
}

static void on_nmi(struct guest_trap_frame *f)
{
	(void)f;
	nmis++;
}

static void one_instruction(void)
{
	asm volatile("nop" : : : "memory");
}

static void guest_main(void)
{
	unsigned int i;

	for (i = 0; i < 4; i++)
		guest_set_handler(VEC + i, on_irq);
	guest_set_handler(EX_NMI, on_nmi);
	guest_iret();

	guest_sync(1, 0);
	sti();
	one_instruction();
	one_instruction();
	cli();
	guest_eq(hits[VEC], 1, "an interrupt injected when its window opened");

	guest_sync(2, 0);
	sti();
	for (i = 0; i < 20; i++)
		guest_relax();
	cli();
	guest_check(nr_order == 3 && order[1] == VEC + 1 && order[2] == VEC + 2,
		    "two, one behind the other");

	guest_sync(3, 0);
	sti_hlt_cli();
	guest_eq(hits[VEC + 3], 1, "an interrupt ends a HLT that userspace waits out");

	write_cr8(5);
	guest_sync(4, 0);
	guest_eq(read_cr8(), 7, "CR8 is what userspace made it");
	write_cr8(2);
	guest_eq(read_cr8(), 2, "CR8 is what the guest made it");

	guest_sync(5, 0);
	guest_eq(nmis, 1, "an NMI without an APIC");
	sti();
	guest_sync(6, 0);
	guest_eq(hits[VEC], 2, "an interrupt in the bitmap of SET_SREGS");
	guest_done();
}

static struct gvm *vm;
static struct minikvm_run *run;

static void test_window(void)
{
	gvm_expect(vm, GVM_SYNC, "interrupts off");
	tap_eq(run->if_flag, 0, "if_flag says so");
	tap_eq(run->ready_for_interrupt_injection, 0, "nothing can be injected");
	run->request_interrupt_window = 1;
	gvm_expect(vm, MINIKVM_EXIT_IRQ_WINDOW_OPEN, "the window opens behind STI's shadow");
	tap_eq(run->if_flag, 1, "if_flag is set");
	tap_eq(run->ready_for_interrupt_injection, 1, "an interrupt can be injected");
	run->request_interrupt_window = 0;
	tap_errno(gvm_interrupt(vm, VEC), 0, "INTERRUPT");
	gvm_expect(vm, GVM_SYNC, "the guest goes on");

	run->request_interrupt_window = 1;
	gvm_expect(vm, MINIKVM_EXIT_IRQ_WINDOW_OPEN, "a second window");
	tap_errno(gvm_interrupt(vm, VEC + 1), 0, "INTERRUPT while a window is wanted again");
	gvm_expect(vm, MINIKVM_EXIT_IRQ_WINDOW_OPEN, "it opens when the handler returns");
	run->request_interrupt_window = 0;
	tap_errno(gvm_interrupt(vm, VEC + 2), 0, "INTERRUPT");
	gvm_expect(vm, GVM_SYNC, "the guest goes on");
}

static void test_halt(void)
{
	run->request_interrupt_window = 1;
	gvm_expect(vm, MINIKVM_EXIT_HLT, "no window in STI's shadow: HLT comes first");
	tap_eq(run->ready_for_interrupt_injection, 1, "halted, an interrupt can be injected");
	run->request_interrupt_window = 0;
	tap_errno(gvm_interrupt(vm, VEC + 3), 0, "INTERRUPT");
	gvm_expect(vm, GVM_SYNC, "the guest goes on");
}

static void test_cr8(void)
{
	tap_eq(run->cr8, 5, "a raised priority shows at the next exit");
	run->cr8 = 16;
	tap_errno(ioctl(vm->vcpu[0].fd, MINIKVM_RUN, 0), EINVAL, "RUN with a CR8 of 16");
	run->cr8 = 7;
	gvm_expect(vm, MINIKVM_EXIT_SET_TPR, "a lowered priority is an exit");
	tap_eq(run->cr8, 2, "the run page has the new one");
	gvm_expect(vm, GVM_SYNC, "the guest goes on");
}

static void test_sregs(void)
{
	struct minikvm_vcpu_events events;
	struct minikvm_sregs sregs;

	GVM_IOCTL(vm->vcpu[0].fd, MINIKVM_GET_SREGS, &sregs);
	sregs.interrupt_bitmap[VEC / 64] = 1ull << (VEC % 64);
	GVM_IOCTL(vm->vcpu[0].fd, MINIKVM_SET_SREGS, &sregs);
	GVM_IOCTL(vm->vcpu[0].fd, MINIKVM_GET_VCPU_EVENTS, &events);
	tap_ok(events.interrupt.injected && events.interrupt.nr == VEC,
	       "VCPU_EVENTS shows it as injected");
	tap_eq(gvm_run(vm, 0), GVM_DONE, "the guest is done");
}

int main(void)
{
	gvm_start();
	vm = gvm_create(1, 0);
	run = vm->vcpu[0].run;
	gvm_enter64(vm, 0, guest_main);
	test_window();
	test_halt();
	test_cr8();
	tap_errno(ioctl(vm->vcpu[0].fd, MINIKVM_NMI, 0), 0, "NMI");
	gvm_expect(vm, GVM_SYNC, "the guest goes on");
	test_sregs();
	gvm_destroy(vm);
	return gvm_finish();
}
