// SPDX-License-Identifier: GPL-2.0
/*
 * Code that changes under the CPU: a guest that rewrites its own instructions, and instructions the host
 * rewrites while the vCPU is out, run as they are now and not as they were.
 */
#include "gvm.h"

#define CODE	(GUEST_FREE + 0x60000)

/* mov $imm32, %eax; ret */
static void put(volatile uint8_t *p, uint32_t v)
{
	p[0] = 0xb8;
	p[1] = v;
	p[2] = v >> 8;
	p[3] = v >> 16;
	p[4] = v >> 24;
	p[5] = 0xc3;
}

static uint32_t call(void)
{
	uint32_t r;

	asm volatile("call *%1" : "=a"(r) : "r"(CODE) : "memory");
	return r;
}

static void guest_main(void)
{
	uint32_t i, r[4];
	bool ok = true;

	for (i = 0; i < 100; i++) {
		put((volatile uint8_t *)CODE, 0x10000 + i);
		cpuid(0, 0, r);			/* serializes, and is an exit in between */
		ok &= call() == 0x10000 + i;
	}
	guest_check(ok, "code rewritten a hundred times runs as last written");
	for (i = 0; i < 100; i++) {
		put((volatile uint8_t *)CODE, 0x20000 + i);
		ok &= call() == 0x20000 + i;
	}
	guest_check(ok, "... also without a serializing instruction, by the near jump rule");
	guest_sync(1, 0);
	guest_eq(call(), 0x5a5a5a5a, "code the host rewrote between two runs is the new code");
	guest_done();
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	vm = gvm_create(1, 0);
	gvm_enter64(vm, 0, guest_main);
	if (tap_ok(gvm_run(vm, 0) == GVM_SYNC, "the guest stops for the host to change its code")) {
		put(vm->ram + CODE, 0x5a5a5a5a);
		gvm_run_done(vm);
	}
	gvm_destroy(vm);
	return gvm_finish();
}
