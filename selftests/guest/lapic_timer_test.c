// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC's timer: one-shot, periodic and TSC deadline, waking HLT, masked, stopped, and held
 * back by the task priority.
 */
#include "gvm.h"

#define VEC	0x40

static volatile uint64_t fired, last_tsc;

static void on_timer(struct guest_trap_frame *f)
{
	(void)f;
	fired++;
	last_tsc = rdtsc();
	apic_write(APIC_EOI, 0);
}

static bool isr_set(unsigned int reg, unsigned int vec)
{
	return apic_read(reg + 0x10 * (vec / 32)) >> (vec % 32) & 1;
}

static void halt_until(uint64_t want)
{
	while (fired < want)
		sti_hlt_cli();
}

static void one_shot(void)
{
	uint32_t a, b;

	apic_write(APIC_TDCR, 0xb);			/* divide by 1 */
	apic_write(APIC_LVTT, VEC);
	fired = 0;
	apic_write(APIC_TMICT, 1000000);
	a = apic_read(APIC_TMCCT);
	guest_check(a > 0 && a <= 1000000, "one-shot: the current count starts at the initial count");
	guest_relax();
	b = apic_read(APIC_TMCCT);
	guest_check(b < a, "... and counts down");
	halt_until(1);
	guest_eq(fired, 1, "one-shot: HLT wakes when it expires");
	guest_eq(apic_read(APIC_TMCCT), 0, "... and the count stays at 0");
	guest_check(!isr_set(APIC_IRR, VEC) && !isr_set(APIC_ISR, VEC), "... with nothing left pending");
	apic_write(APIC_TMICT, 1000);
	while (!isr_set(APIC_IRR, VEC))
		guest_relax();
	guest_eq(fired, 1, "with interrupts off it waits in IRR");
	sti();
	guest_relax();
	cli();
	guest_eq(fired, 2, "... and comes when they are enabled");
}

static void masked_and_stopped(void)
{
	unsigned int i;

	fired = 0;
	apic_write(APIC_LVTT, VEC | APIC_MASKED);
	apic_write(APIC_TMICT, 1000);
	sti();
	/* The count reads 0 a little before a timer of the host goes off: wait for that too. */
	for (i = 0; i < 1000; i++)
		guest_relax();
	guest_check(!fired && !isr_set(APIC_IRR, VEC), "a masked timer raises nothing");
	apic_write(APIC_TMICT, 0);	/* stock KVM delivers a masked expiry on unmasking; we do not ask */
	apic_write(APIC_LVTT, VEC);
	apic_write(APIC_TMICT, 100000000);
	apic_write(APIC_TMICT, 0);
	guest_eq(apic_read(APIC_TMCCT), 0, "writing 0 to the initial count stops it");
	for (i = 0; i < 50; i++)
		guest_relax();
	cli();
	guest_eq(fired, 0, "... and it raises nothing");
}

static void periodic(void)
{
	uint64_t start;

	fired = 0;
	apic_write(APIC_LVTT, VEC | APIC_TIMER_PERIODIC);
	start = rdtsc();
	apic_write(APIC_TMICT, 1000000);
	halt_until(5);
	guest_check(last_tsc > start, "periodic: it comes again and again");
	apic_write(APIC_LVTT, VEC | APIC_TIMER_PERIODIC | APIC_MASKED);
	start = fired;
	sti();
	for (int i = 0; i < 100; i++)
		guest_relax();
	cli();
	guest_check(fired <= start + 1, "periodic: masking ends it");
	apic_write(APIC_TMICT, 0);
}

static void priority(void)
{
	fired = 0;
	apic_write(APIC_LVTT, VEC);
	write_cr8(VEC >> 4);
	guest_eq(apic_read(APIC_TPR), VEC & 0xf0, "CR8 is the task priority's high nibble");
	apic_write(APIC_TMICT, 1000);
	while (!isr_set(APIC_IRR, VEC))
		guest_relax();
	sti();
	guest_relax();
	guest_eq(fired, 0, "a task priority at the vector's class holds it back");
	write_cr8((VEC >> 4) - 1);
	guest_relax();
	guest_eq(fired, 1, "... and lowering it lets it through");
	cli();
	write_cr8(0);
	guest_eq(apic_read(APIC_PPR), 0, "the processor priority falls with EOI");
}

static void deadline(void)
{
	uint32_t r[4];
	uint64_t when;

	cpuid(1, 0, r);
	if (!(r[2] & (1 << 24))) {
		guest_skip("the device offers no TSC deadline timer");
		return;
	}
	fired = 0;
	apic_write(APIC_LVTT, VEC | APIC_TIMER_DEADLINE);
	when = rdtsc() + 2000000;
	wrmsr(MSR_TSC_DEADLINE, when);
	guest_eq(rdmsr(MSR_TSC_DEADLINE), when, "TSC deadline: the MSR holds the deadline while armed");
	halt_until(1);
	guest_check(last_tsc >= when, "TSC deadline: it does not come early");
	guest_eq(rdmsr(MSR_TSC_DEADLINE), 0, "... and the MSR reads 0 afterwards");
	wrmsr(MSR_TSC_DEADLINE, 1);
	halt_until(2);
	guest_eq(fired, 2, "a deadline in the past comes at once");
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 200000000000ul);
	wrmsr(MSR_TSC_DEADLINE, 0);
	sti();
	for (int i = 0; i < 50; i++)
		guest_relax();
	cli();
	guest_eq(fired, 2, "writing 0 disarms it");
	apic_write(APIC_LVTT, VEC | APIC_TIMER_PERIODIC);
	wrmsr(MSR_TSC_DEADLINE, rdtsc() + 1000);
	guest_eq(rdmsr(MSR_TSC_DEADLINE), 0, "in another mode the MSR ignores writes");
}

static void guest_main(void)
{
	guest_set_handler(VEC, on_timer);
	apic_enable();
	one_shot();
	masked_and_stopped();
	periodic();
	priority();
	deadline();
	guest_done();
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	vm = gvm_create(1, GVM_IRQCHIP);
	gvm_enter64(vm, 0, guest_main);
	gvm_run_done(vm);
	gvm_destroy(vm);
	return gvm_finish();
}
