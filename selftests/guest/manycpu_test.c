// SPDX-License-Identifier: GPL-2.0
/*
 * Sixty-four vCPUs on whatever CPUs the host has: INIT and SIPI start them all, they turn their x2APICs
 * on, and IPIs reach whom they should: one by one, a cluster, everybody, everybody else; a message that
 * goes round through all of them, and all of them at once to one.
 */
#include "gvm.h"

#define NCPUS		64
#define VEC		0x61
#define VEC_RING	0x62
#define VEC_MANY	0x63
#define VEC_GO		0x64
#define X2APIC_ENABLE	0xc00ul
#define ROUNDS		3
#define SPINS		3000000

static volatile uint64_t got[NCPUS], ring[NCPUS], up, many, quit;

static void x2_write(uint32_t reg, uint64_t v)
{
	wrmsr(MSR_X2APIC + (reg >> 4), v);
}

static void x2_ipi(uint32_t icr, uint32_t dest)
{
	x2_write(APIC_ICR, (uint64_t)dest << 32 | icr);
}

static void on_ipi(struct guest_trap_frame *f)
{
	(void)f;
	got[guest_this_cpu()->id]++;
	x2_write(APIC_EOI, 0);
}

/* Pass it on; the last one passes it to the first, until it has gone round ROUNDS times. */
static void on_ring(struct guest_trap_frame *f)
{
	unsigned int me = guest_this_cpu()->id;

	(void)f;
	ring[me]++;
	x2_write(APIC_EOI, 0);
	if (me || ring[0] <= ROUNDS)
		x2_ipi(VEC_RING, (me + 1) % NCPUS);
}

static void on_many(struct guest_trap_frame *f)
{
	(void)f;
	__atomic_add_fetch(&many, 1, __ATOMIC_SEQ_CST);
	x2_write(APIC_EOI, 0);
}

/* Everybody answers at once, each by a vector of its own. */
static void on_go(struct guest_trap_frame *f)
{
	(void)f;
	x2_write(APIC_EOI, 0);
	x2_ipi(0x80 + guest_this_cpu()->id, 0);
}

static void x2apic_on(void)
{
	apic_enable();
	wrmsr(MSR_APICBASE, rdmsr(MSR_APICBASE) | X2APIC_ENABLE);
	x2_write(APIC_SVR, 0x1ff);
}

static void ap_main(unsigned int cpu)
{
	(void)cpu;
	x2apic_on();
	__atomic_add_fetch(&up, 1, __ATOMIC_SEQ_CST);
	while (!quit)
		sti_hlt_cli();
}

/* Exactly those of @mask have got one; then forget. */
static bool exactly(uint64_t mask)
{
	bool ok = true;
	unsigned int i;

	for (i = 0; i < NCPUS; i++)
		if (mask >> i & 1)
			ok &= guest_wait(&got[i], 1, SPINS);
	for (i = 0; i < 200; i++)
		guest_relax();
	for (i = 0; i < NCPUS; i++) {
		ok &= got[i] == (mask >> i & 1);
		got[i] = 0;
	}
	return ok;
}

static void start_all(void)
{
	unsigned int i;
	bool ok = true;

	for (i = 1; i < NCPUS && ok; i++)
		ok = guest_start_ap(i, ap_main);
	guest_check(ok, "INIT and SIPI start 63 processors");
	guest_check(guest_wait(&up, NCPUS - 1, SPINS), "all of them turn their x2APICs on");
}

static void destinations(void)
{
	unsigned int i;
	bool ok = true;

	for (i = 0; i < NCPUS; i++) {
		x2_ipi(VEC, i);
		ok &= guest_wait(&got[i], 1, SPINS);
	}
	guest_check(ok && exactly(~0ul), "physical destination: one after the other");
	for (i = 0, ok = true; i < 4; i++) {
		x2_ipi(VEC | APIC_DEST_LOGICAL, i << 16 | 0xffff);
		ok &= exactly(0xfffful << 16 * i);
	}
	guest_check(ok, "logical destination: each of four clusters");
	x2_ipi(VEC | APIC_DEST_LOGICAL, 2u << 16 | 0x8421);
	guest_check(exactly(0x8421ul << 32), "logical destination: four of one cluster");
	x2_ipi(VEC, 0xffffffff);
	guest_check(exactly(~0ul), "physical broadcast");
	x2_ipi(VEC | APIC_DEST_ALL, 0);
	guest_check(exactly(~0ul), "shorthand: all");
	x2_ipi(VEC | APIC_DEST_ALLBUT, 0);
	guest_check(exactly(~1ul), "shorthand: all but self");
	x2_ipi(VEC, NCPUS);
	guest_check(exactly(0), "a destination that does not exist reaches nobody");
}

static void all_to_one(void)
{
	unsigned int i;

	for (i = 0; i < NCPUS; i++)
		guest_set_handler(0x80 + i, on_many);
	x2_ipi(VEC_GO | APIC_DEST_ALLBUT, 0);
	guest_check(guest_wait(&many, NCPUS - 1, SPINS), "63 processors interrupt one, none is lost");
}

static void guest_main(void)
{
	unsigned int i;
	bool ok;

	guest_set_handler(VEC, on_ipi);
	guest_set_handler(VEC_RING, on_ring);
	guest_set_handler(VEC_GO, on_go);
	apic_enable();
	start_all();
	x2apic_on();
	sti();
	destinations();

	x2_ipi(VEC_RING, 1);
	ok = guest_wait(&ring[0], ROUNDS + 1, SPINS);
	for (i = 1; i < NCPUS; i++)
		ok &= ring[i] == ROUNDS + 1;
	guest_check(ok, "a message goes round through all of them, four times");
	all_to_one();
	cli();
	quit = 1;
	x2_ipi(VEC | APIC_DEST_ALLBUT, 0);
	guest_done();
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	if (!gvm_cpuid_has(1, 0, 2, 21))
		tap_skip_all("no x2APIC");
	vm = gvm_create(NCPUS, GVM_IRQCHIP);
	gvm_enter64(vm, 0, guest_main);
	gvm_run_threads(vm, NCPUS);
	gvm_destroy(vm);
	return gvm_finish();
}
