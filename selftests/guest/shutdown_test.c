// SPDX-License-Identifier: GPL-2.0
/*
 * A triple fault ends in SHUTDOWN and nothing else: without an IDT, from real mode, and in a vCPU that
 * can be used again after its registers are set.
 */
#include <string.h>

#include "gvm.h"

static volatile uint64_t ran;

static void no_idt(void)
{
	static const struct { uint16_t limit; uint64_t base; } __attribute__((packed)) none = { 0, 0 };

	asm volatile("lidt %0; ud2" : : "m"(none));
}

static void again(void)
{
	ran = 1;
	guest_done();
}

int main(void)
{
	struct minikvm_sregs s;
	struct minikvm_regs r = { .rip = 0x100, .rflags = 2, .rsp = 0x8000 };
	struct gvm *vm;
	int stop;

	gvm_start();
	tap_plan(5);
	vm = gvm_create(1, 0);
	GVM_IOCTL(vm->vcpu[0].fd, MINIKVM_GET_SREGS, &s);
	gvm_enter64(vm, 0, no_idt);
	stop = gvm_run(vm, 0);
	tap_eq(stop, MINIKVM_EXIT_SHUTDOWN, "an exception without an IDT is a triple fault: SHUTDOWN");
	gvm_enter64(vm, 0, again);
	stop = gvm_run(vm, 0);
	tap_eq(stop, GVM_DONE, "the vCPU runs again when its state has been set");
	tap_ok(*(uint64_t *)gvm_guest(vm, &ran) == 1, "... the code it was given");
	/* Real mode with an IDT limit of 0: INT 10h. */
	s.cs.base = 0;
	s.cs.selector = 0;
	s.idt.limit = 0;
	s.idt.base = 0;
	memcpy(vm->ram + 0x100, "\xcd\x10\xf4", 3);
	GVM_IOCTL(vm->vcpu[0].fd, MINIKVM_SET_SREGS, &s);
	GVM_IOCTL(vm->vcpu[0].fd, MINIKVM_SET_REGS, &r);
	stop = gvm_run(vm, 0);
	tap_eq(stop, MINIKVM_EXIT_SHUTDOWN, "INT in real mode beyond the vector table's limit: SHUTDOWN");
	gvm_enter64(vm, 0, again);
	stop = gvm_run(vm, 0);
	tap_eq(stop, GVM_DONE, "... and the vCPU runs again");
	gvm_destroy(vm);
	return gvm_finish();
}
