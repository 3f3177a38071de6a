// SPDX-License-Identifier: GPL-2.0
/*
 * Several vCPUs: INIT and SIPI start them, IPIs of every destination form reach whom they should and
 * nobody else, NMIs arrive, a remote TLB flush is seen, and INIT stops a CPU so that it can be started again.
 */
#include "gvm.h"

#define NCPUS	4
#define VEC	0x61
#define VEC_TLB	0x62

static volatile uint64_t got[GUEST_MAX_CPUS], nmis[GUEST_MAX_CPUS], loops[GUEST_MAX_CPUS];
static volatile uint64_t flushed, quit;
static volatile uint64_t flush_reads[GUEST_MAX_CPUS];
static uint64_t page_table[512] __attribute__((aligned(4096)));

static void on_ipi(struct guest_trap_frame *f)
{
	(void)f;
	__atomic_add_fetch(&got[guest_this_cpu()->id], 1, __ATOMIC_SEQ_CST);
	apic_write(APIC_EOI, 0);
}

static void on_nmi(struct guest_trap_frame *f)
{
	(void)f;
	nmis[guest_this_cpu()->id]++;
}

static void on_tlb(struct guest_trap_frame *f)
{
	(void)f;
	invlpg((void *)GUEST_EXTRA);
	flush_reads[guest_this_cpu()->id] = *(volatile uint64_t *)GUEST_EXTRA;
	__atomic_add_fetch(&flushed, 1, __ATOMIC_SEQ_CST);
	apic_write(APIC_EOI, 0);
}

/* Odd CPUs sleep in HLT between interrupts, even ones spin. */
static void ap_main(unsigned int cpu)
{
	apic_enable();
	apic_write(APIC_DFR, 0xffffffff);
	apic_write(APIC_LDR, 1u << (24 + cpu));
	(void)*(volatile uint64_t *)GUEST_EXTRA;
	__atomic_add_fetch(&loops[cpu], 1, __ATOMIC_SEQ_CST);
	while (!quit) {
		if (cpu & 1) {
			sti_hlt_cli();
		} else {
			sti();
			guest_relax();
			cli();
			guest_iret();
		}
	}
}

static void start_all(void)
{
	unsigned int i;
	bool ok;

	for (i = 1; i < NCPUS; i++) {
		ok = guest_start_ap(i, ap_main) && guest_wait(&loops[i], 1, 1000000);
		guest_check(ok, i == 1 ? "INIT and SIPI start CPU 1" : i == 2 ? "... CPU 2" : "... CPU 3");
	}
}

static bool only(volatile uint64_t *count, unsigned int mask, uint64_t want)
{
	unsigned int i, ok = 1;

	for (i = 0; i < NCPUS; i++)
		if (mask & (1 << i))
			ok &= guest_wait(&count[i], want, 1000000);
	for (i = 0; i < 200; i++)
		guest_relax();
	for (i = 0; i < NCPUS; i++)
		ok &= count[i] == (mask & (1 << i) ? want : 0);
	for (i = 0; i < NCPUS; i++)
		count[i] = 0;
	return ok;
}

static void destinations(void)
{
	unsigned int i;

	sti();
	apic_ipi(VEC, 1);
	guest_check(only(got, 2, 1), "physical destination: a halted CPU");
	apic_ipi(VEC, 2);
	guest_check(only(got, 4, 1), "physical destination: a running CPU");
	apic_ipi(VEC, 0xff);
	guest_check(only(got, 0xf, 1), "physical broadcast");
	apic_ipi(VEC | APIC_DEST_LOGICAL, 0xa);
	guest_check(only(got, 0xa, 1), "logical destination, flat model: two CPUs");
	apic_ipi(VEC | APIC_DEST_SELF, 0);
	guest_check(only(got, 1, 1), "shorthand: self");
	apic_ipi(VEC | APIC_DEST_ALL, 0);
	guest_check(only(got, 0xf, 1), "shorthand: all");
	apic_ipi(VEC | APIC_DEST_ALLBUT, 0);
	guest_check(only(got, 0xe, 1), "shorthand: all but self");
	apic_ipi(VEC, 6);
	guest_check(only(got, 0, 0), "a destination that does not exist reaches nobody");
	for (i = 0; i < 50; i++) {
		uint64_t before = got[3];

		apic_ipi(VEC, 3);
		if (!guest_wait(&got[3], before + 1, 1000000))
			break;
	}
	guest_check(i == 50 && only(got, 8, 50), "fifty IPIs in a row, none lost");
	cli();
}

static void nmi(void)
{
	guest_set_handler(EX_NMI, on_nmi);
	guest_iret();
	apic_ipi(APIC_DM_NMI, 1);
	guest_check(only(nmis, 2, 1), "an NMI wakes a halted CPU");
	apic_ipi(APIC_DM_NMI, 2);
	guest_check(only(nmis, 4, 1), "an NMI reaches a running CPU");
	apic_ipi(APIC_DM_NMI | APIC_DEST_SELF, 0);
	guest_relax();
	nmis[0] = 0;
	apic_ipi(APIC_DM_NMI | APIC_DEST_ALLBUT, 0);
	guest_check(only(nmis, 0xe, 1), "an NMI to all but self");
}

static void shootdown(void)
{
	uint64_t *pd = (uint64_t *)(GUEST_PML4 + 0x2000);
	unsigned int i;
	bool ok = true;

	for (i = 1; i <= 20; i++) {
		uint64_t page = GUEST_FREE + 0x100000 + (i & 1 ? 0x1000 : 0);

		*(volatile uint64_t *)page = 0x1000 + i;
		page_table[0] = page | 7;
		pd[GUEST_EXTRA >> 21] = (uint64_t)page_table | 7;
		flushed = 0;
		apic_ipi(VEC_TLB | APIC_DEST_ALLBUT, 0);
		ok &= guest_wait(&flushed, NCPUS - 1, 1000000);
		ok &= flush_reads[1] == 0x1000 + i && flush_reads[2] == 0x1000 + i && flush_reads[3] == 0x1000 + i;
	}
	guest_check(ok, "after INVLPG on every CPU each sees the new page, twenty times");
}

static void restart(void)
{
	apic_ipi(APIC_DM_INIT | APIC_LEVEL_ASSERT, 1);
	apic_ipi(VEC, 1);
	guest_check(only(got, 0, 0), "after INIT a CPU takes no interrupt");
	loops[1] = 0;
	guest_check(guest_start_ap(1, ap_main) && guest_wait(&loops[1], 1, 1000000), "... and a SIPI starts it again");
	sti();
	apic_ipi(VEC, 1);
	guest_check(only(got, 2, 1), "... with its local APIC working");
	cli();
}

static void guest_main(void)
{
	uint64_t *pd = (uint64_t *)(GUEST_PML4 + 0x2000);

	page_table[0] = (GUEST_FREE + 0x100000) | 7;
	pd[GUEST_EXTRA >> 21] = (uint64_t)page_table | 7;
	write_cr3(read_cr3());
	guest_set_handler(VEC, on_ipi);
	guest_set_handler(VEC_TLB, on_tlb);
	apic_enable();
	apic_write(APIC_DFR, 0xffffffff);
	apic_write(APIC_LDR, 1u << 24);
	guest_check(rdmsr(MSR_APICBASE) & 0x100, "vCPU 0 is the bootstrap processor");
	start_all();
	destinations();
	nmi();
	shootdown();
	restart();
	quit = 1;
	apic_ipi(VEC | APIC_DEST_ALLBUT, 0);
	guest_done();
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	vm = gvm_create(NCPUS, GVM_IRQCHIP);
	gvm_enter64(vm, 0, guest_main);
	gvm_run_threads(vm, NCPUS);
	gvm_destroy(vm);
	return gvm_finish();
}
