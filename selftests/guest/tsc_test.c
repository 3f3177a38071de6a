// SPDX-License-Identifier: GPL-2.0
/*
 * Time: the TSC of a vCPU never goes back, TSC_ADJUST moves it as the manual says, and two vCPUs agree.
 */
#include "gvm.h"

static volatile uint64_t turn, stamps_bad, rounds, tsc_of[2], ap_ready;

static void one_cpu(void)
{
	uint64_t t, last = rdtsc(), adj, before, after;
	uint32_t r[4];
	unsigned int i;
	bool ok = true;

	for (i = 0; i < 1000; i++) {
		if (i % 3 == 0)
			guest_relax();
		t = rdtsc();
		ok &= t >= last;
		last = t;
	}
	guest_check(ok, "RDTSC never goes back, with and without exits between");
	before = rdtsc();
	t = rdmsr(MSR_TSC);
	after = rdtsc();
	guest_check(before <= t && t <= after, "the TSC MSR agrees with RDTSC");
	cpuid(7, 0, r);
	if (!(r[1] & 2)) {
		guest_skip("the device offers no TSC_ADJUST");
		return;
	}
	adj = rdmsr(MSR_TSC_ADJUST);
	before = rdtsc();
	wrmsr(MSR_TSC_ADJUST, adj + (1ul << 40));
	after = rdtsc();
	guest_check(after - before >= 1ul << 40 && after - before < (1ul << 40) + (1ul << 36),
		    "adding to TSC_ADJUST adds to the TSC");
	guest_eq(rdmsr(MSR_TSC_ADJUST), adj + (1ul << 40), "... and reads back");
	wrmsr(MSR_TSC_ADJUST, adj);
	after = rdtsc();
	guest_check(after - before < 1ul << 36, "... taking it back too");
	before = rdtsc();
	wrmsr(MSR_TSC, before + (1ul << 40));
	guest_check(rdmsr(MSR_TSC_ADJUST) - adj - (1ul << 40) + (1ul << 36) < 1ul << 37, "a write of the TSC shows in TSC_ADJUST");
	guest_check(rdtsc() - before >= 1ul << 40, "... and in the TSC");
	wrmsr(MSR_TSC_ADJUST, adj);
}

/* The two CPUs take turns; each stamp must not be older than the other's before it. */
static void ping_pong(unsigned int me)
{
	unsigned int i;

	for (i = 0; i < 200; i++) {
		while (turn != me)
			guest_relax();
		tsc_of[me] = rdtsc();
		if (tsc_of[me] < tsc_of[!me])
			stamps_bad++;
		turn = !me;
	}
}

static void ap_main(unsigned int cpu)
{
	ap_ready = 1;
	ping_pong(cpu);
	rounds++;
}

static void guest_main(void)
{
	one_cpu();
	apic_enable();
	turn = 1;
	guest_check(guest_start_ap(1, ap_main) && guest_wait(&ap_ready, 1, 1000000), "a second vCPU starts");
	ping_pong(0);
	guest_eq(stamps_bad, 0, "two vCPUs taking turns never see time go back");
	guest_done();
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	vm = gvm_create(2, GVM_IRQCHIP);
	gvm_enter64(vm, 0, guest_main);
	gvm_run_threads(vm, 2);
	gvm_destroy(vm);
	return gvm_finish();
}
