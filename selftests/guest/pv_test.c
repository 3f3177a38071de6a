// SPDX-License-Identifier: GPL-2.0
/*
 * Paravirtual services as a guest uses them: steal time, PV EOI, poll control, and the hypercalls: IPIs to
 * a set of CPUs, waking and yielding to one, pairing of clocks; who may call, and what the other vendor's
 * instruction becomes.
 */
#include <time.h>
#include <unistd.h>

#include "../../uapi/minikvm_para.h"
#include "gvm.h"

#define NSEC	1000000000ull
#define VEC	0x71
#define VEC2	0x72
#define PAGE_A	(GUEST_FREE + 0x100000)
#define PAGE_B	(GUEST_FREE + 0x101000)

static volatile struct minikvm_steal_time steal[GUEST_MAX_CPUS] __attribute__((aligned(64)));
static volatile struct minikvm_clock_pairing pair __attribute__((aligned(64)));
static volatile uint32_t pv_eoi __attribute__((aligned(64)));
static volatile uint64_t irqs[GUEST_MAX_CPUS], eoi_byte, woken, quit, eois_saved;
static volatile uint64_t page_table[512] __attribute__((aligned(4096)));
static bool use_pv_eoi;
static uint32_t features;

static bool has(unsigned int feature)
{
	return features & 1u << feature;
}

static int64_t hypercall(uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2, uint64_t a3)
{
	int64_t ret;

	asm volatile("vmcall" : "=a"(ret) : "a"(nr), "b"(a0), "c"(a1), "d"(a2), "S"(a3) : "memory");
	return ret;
}

/* As Linux ends an interrupt: clear the bit, and only if it was not there, write EOI. */
static void on_irq(struct guest_trap_frame *f)
{
	(void)f;
	irqs[guest_this_cpu()->id]++;
	eoi_byte = pv_eoi;
	if (use_pv_eoi && pv_eoi & MINIKVM_PV_EOI_ENABLED) {
		pv_eoi = 0;
		eois_saved++;
		return;
	}
	apic_write(APIC_EOI, 0);
}

static void send_self(unsigned int vector)
{
	uint64_t before = irqs[0];

	apic_write(APIC_ICR, APIC_DEST_SELF | vector);
	sti();
	guest_wait(&irqs[0], before + 1, 10000);
	cli();
}

static bool in_service(unsigned int vector)
{
	return apic_read(APIC_ISR + vector / 32 * 16) & 1u << vector % 32;
}

static void test_pv_eoi(void)
{
	if (!has(MINIKVM_FEATURE_PV_EOI)) {
		guest_skip("no PV EOI");
		return;
	}
	guest_eq(guest_try_wrmsr(MINIKVM_MSR_PV_EOI_EN, (uintptr_t)&pv_eoi | 3), EX_GP,
		 "PV EOI: an address that is not aligned raises #GP");
	guest_eq(guest_try_wrmsr(MINIKVM_MSR_PV_EOI_EN, 0x7fff00000001), EX_GP, "... so does one without memory");
	wrmsr(MINIKVM_MSR_PV_EOI_EN, (uintptr_t)&pv_eoi | MINIKVM_MSR_ENABLED);
	guest_eq(rdmsr(MINIKVM_MSR_PV_EOI_EN), (uintptr_t)&pv_eoi | 1, "PV EOI: the MSR reads back");
	use_pv_eoi = true;
	send_self(VEC);
	guest_check(!in_service(VEC), "an interrupt that was ended in memory or by EOI is not in service");
	send_self(VEC);
	send_self(VEC2);
	send_self(VEC);
	guest_eq(irqs[0], 4, "more of them arrive");
	guest_check(!in_service(VEC) && !in_service(VEC2), "none is in service");
	guest_eq(pv_eoi & 1, 0, "the bit is not left behind");
	guest_note("EOIs saved", eois_saved, 4);
	/* Two at once: the lower one must not be lost, whoever is ended how. */
	apic_write(APIC_ICR, APIC_DEST_SELF | VEC);
	apic_write(APIC_ICR, APIC_DEST_SELF | (VEC + 0x20));
	sti();
	guest_check(guest_wait(&irqs[0], 6, 10000), "two that wait together both arrive");
	cli();
	guest_check(!in_service(VEC) && !in_service(VEC + 0x20), "... and both are ended");
	use_pv_eoi = false;
	wrmsr(MINIKVM_MSR_PV_EOI_EN, 0);
	send_self(VEC);
	guest_eq(eoi_byte & 1, 0, "switched off, the bit is left alone");
	guest_eq(irqs[0], 7, "and interrupts arrive as before");
}

static void test_steal(void)
{
	uint32_t version;

	if (!has(MINIKVM_FEATURE_STEAL_TIME)) {
		guest_skip("no steal time");
		return;
	}
	guest_eq(guest_try_wrmsr(MINIKVM_MSR_STEAL_TIME, (uintptr_t)&steal[0] | 2), EX_GP,
		 "steal time: a reserved bit raises #GP");
	steal[0].preempted = 0xff;
	wrmsr(MINIKVM_MSR_STEAL_TIME, (uintptr_t)&steal[0] | MINIKVM_MSR_ENABLED);
	guest_eq(rdmsr(MINIKVM_MSR_STEAL_TIME), (uintptr_t)&steal[0] | 1, "steal time: the MSR reads back");
	guest_check(steal[0].version && !(steal[0].version & 1), "the record is written at once, its version even");
	guest_eq(steal[0].preempted, 0, "a CPU that runs is not preempted");
	version = steal[0].version;
	guest_sync(1, 0);
	guest_check(steal[0].version != version && !(steal[0].version & 1), "it is written again after the thread was away");
	guest_eq(steal[0].preempted, 0, "still not preempted");
	guest_eq(steal[0].flags, 0, "no flags");
	wrmsr(MINIKVM_MSR_STEAL_TIME, 0);
	version = steal[0].version;
	guest_sync(2, 0);
	guest_eq(steal[0].version, version, "switched off, the record is left alone");
}

/* While this vCPU is away its page table changes, and a flush is asked for in its record. */
static void test_tlb_flush(void)
{
	uint64_t *pd = (uint64_t *)(GUEST_PML4 + 0x2000);
	volatile uint64_t *p = (void *)GUEST_EXTRA;

	if (!has(MINIKVM_FEATURE_PV_TLB_FLUSH)) {
		guest_skip("no TLB flushes by steal time");
		return;
	}
	*(volatile uint64_t *)PAGE_A = 0xa;
	*(volatile uint64_t *)PAGE_B = 0xb;
	page_table[0] = PAGE_A | 7;
	pd[GUEST_EXTRA >> 21] = (uint64_t)page_table | 7;
	write_cr3(read_cr3());
	wrmsr(MINIKVM_MSR_STEAL_TIME, (uintptr_t)&steal[0] | MINIKVM_MSR_ENABLED);
	guest_eq(*p, 0xa, "a page is mapped");
	guest_sync(4, 0);
	guest_eq(*p, 0xb, "changed while the CPU was away, it is seen after the flush");
	guest_eq(steal[0].preempted, 0, "the request for it is gone");
	wrmsr(MINIKVM_MSR_STEAL_TIME, 0);
}

static void test_msrs(void)
{
	uint64_t v;

	if (!has(MINIKVM_FEATURE_POLL_CONTROL)) {
		guest_skip("no poll control");
	} else {
		guest_eq(rdmsr(MINIKVM_MSR_POLL_CONTROL), 1, "the host polls by default");
		guest_eq(guest_try_wrmsr(MINIKVM_MSR_POLL_CONTROL, 2), EX_GP, "poll control has one bit");
		guest_eq(guest_try_wrmsr(MINIKVM_MSR_POLL_CONTROL, 0), -1, "polling is switched off");
		guest_eq(rdmsr(MINIKVM_MSR_POLL_CONTROL), 0, "it is");
	}
	guest_eq(guest_try_rdmsr(0x4b564dff, &v), EX_GP, "a paravirtual MSR that does not exist raises #GP");
}

static void test_pairing(void)
{
	uint64_t before = rdtsc();
	int64_t r = hypercall(MINIKVM_HC_CLOCK_PAIRING, (uintptr_t)&pair, MINIKVM_CLOCK_PAIRING_WALLCLOCK, 0, 0);

	guest_eq(hypercall(MINIKVM_HC_CLOCK_PAIRING, (uintptr_t)&pair, 1, 0, 0), -MINIKVM_EOPNOTSUPP,
		 "clock pairing: there is only the wall clock");
	if (r == -MINIKVM_EOPNOTSUPP) {
		guest_skip("the host's clock is not its TSC");
		guest_sync(3, 0);
		return;
	}
	guest_eq(r, 0, "clock pairing succeeds");
	guest_check(pair.tsc >= before && pair.tsc <= rdtsc(), "the TSC is the guest's");
	guest_check(pair.nsec >= 0 && pair.nsec < (int64_t)NSEC && !pair.flags, "nanoseconds are below a second");
	guest_eq(hypercall(MINIKVM_HC_CLOCK_PAIRING, 0x7fff00000000, 0, 0, 0), -MINIKVM_EFAULT, "nowhere to put it");
	guest_sync(3, pair.sec);
}

static void ap_main(unsigned int cpu)
{
	apic_enable();
	wrmsr(MINIKVM_MSR_STEAL_TIME, (uintptr_t)&steal[cpu] | MINIKVM_MSR_ENABLED);
	while (!quit) {
		sti_hlt_cli();
		woken++;
	}
}

static void test_ipi(void)
{
	guest_eq(hypercall(MINIKVM_HC_SEND_IPI, 3, 0, 0, VEC | APIC_DEST_LOGICAL), (int64_t)-MINIKVM_EINVAL,
		 "IPIs to a set: a logical destination makes no sense");
	guest_eq(hypercall(MINIKVM_HC_SEND_IPI, 3, 0, 0, VEC | APIC_DEST_SELF), (int64_t)-MINIKVM_EINVAL,
		 "... nor does a shorthand");
	guest_eq(hypercall(MINIKVM_HC_SEND_IPI, 0, 0, 0, VEC), 0, "the empty set: nobody");
	guest_eq(hypercall(MINIKVM_HC_SEND_IPI, ~0ull << 2, ~0ull, 0, VEC), 0, "CPUs that are not there: nobody");
	irqs[1] = 0;
	guest_eq(hypercall(MINIKVM_HC_SEND_IPI, 2, 0, 0, VEC), 1, "the second CPU: one");
	guest_check(guest_wait(&irqs[1], 1, 1000000), "it arrives");
	guest_eq(hypercall(MINIKVM_HC_SEND_IPI, 1, 0, 1, VEC), 1, "the set may begin at any CPU");
	guest_check(guest_wait(&irqs[1], 2, 1000000), "it arrives");
	irqs[0] = 0;
	guest_eq(hypercall(MINIKVM_HC_SEND_IPI, 3, 0, 0, VEC), 2, "both CPUs: two");
	sti();
	guest_check(guest_wait(&irqs[0], 1, 1000000) && guest_wait(&irqs[1], 3, 1000000), "both arrive");
	cli();
}

static void test_kick(void)
{
	uint64_t before = woken;

	guest_eq(hypercall(MINIKVM_HC_KICK_CPU, 0, 1, 0, 0), 0, "KICK_CPU succeeds");
	guest_check(guest_wait(&woken, before + 1, 1000000), "it ends a halt without an interrupt");
	guest_eq(hypercall(MINIKVM_HC_KICK_CPU, 0, 0x1234567890, 0, 0), 0, "... also for a CPU that is not there");
	guest_eq(hypercall(MINIKVM_HC_SCHED_YIELD, 1, 0, 0, 0), 0, "SCHED_YIELD succeeds");
	guest_eq(hypercall(MINIKVM_HC_SCHED_YIELD, 77, 0, 0, 0), 0, "... also to a CPU that is not there");
}

extern uint8_t other_insn[3];

static void test_other_vendor(void)
{
	int64_t ret;
	uint64_t err;
	int vec;

	/* VMMCALL where this is VMX: the first one is replaced by what works. */
	asm volatile("other_insn: .byte 0x0f, 0x01, 0xd9" : "=a"(ret) : "a"(MINIKVM_HC_VAPIC_POLL_IRQ) : "memory");
	guest_eq(ret, 0, "the other vendor's instruction makes the call");
	guest_check(other_insn[0] == 0x0f && other_insn[1] == 0x01 && other_insn[2] == 0xc1,
		    "it has become this vendor's");
	GUEST_TRY(vec, err, "ud2", , "a"(0));
	guest_eq(vec, EX_UD, "UD2 raises #UD");
	GUEST_TRY(vec, err, ".byte 0x0f, 0x01, 0xda", , "a"(0));
	guest_eq(vec, EX_UD, "another of AMD's instructions raises #UD");
}

static void guest_main(void)
{
	uint32_t r[4];

	cpuid(MINIKVM_CPUID_FEATURES, 0, r);
	features = r[0];
	guest_eq(features & 0x01003aeb, 0x01003aeb, "CPUID offers what there is");
	guest_set_handler(VEC, on_irq);
	guest_set_handler(VEC2, on_irq);
	guest_set_handler(VEC + 0x20, on_irq);
	apic_enable();
	guest_eq(hypercall(MINIKVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, 0), 0, "VAPIC_POLL_IRQ succeeds");
	guest_eq(hypercall(0x1234, 0, 0, 0, 0), -MINIKVM_ENOSYS, "an unknown hypercall does not");
	test_pv_eoi();
	test_steal();
	test_tlb_flush();
	test_msrs();
	test_pairing();
	test_other_vendor();
	if (!guest_start_ap(1, ap_main)) {
		guest_check(false, "a second vCPU starts");
		guest_done();
	}
	test_ipi();
	test_kick();
	quit = 1;
	hypercall(MINIKVM_HC_KICK_CPU, 0, 1, 0, 0);
	guest_done();
}

static uint64_t paired, real;

static void at_sync(struct gvm_vcpu *v, uint64_t stage, uint64_t value)
{
	struct timespec ts;

	volatile struct minikvm_steal_time *st = gvm_guest(v->vm, &steal[0]);

	nanosleep(&(struct timespec){ .tv_nsec = 20000000 }, NULL);
	if (stage == 4) {
		*(volatile uint64_t *)gvm_guest(v->vm, page_table) = PAGE_B | 7;
		st->preempted = MINIKVM_VCPU_PREEMPTED | MINIKVM_VCPU_FLUSH_TLB;
	}
	if (stage != 3)
		return;
	clock_gettime(CLOCK_REALTIME, &ts);
	paired = value;
	real = ts.tv_sec;
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	if (!gvm_cpuid_has(1, 0, 2, 5) && access("/sys/module/kvm_amd", 0) == 0)
		tap_skip_all("VMCALL is not AMD's instruction");
	vm = gvm_create(2, GVM_IRQCHIP);
	vm->sync = at_sync;
	gvm_enter64(vm, 0, guest_main);
	gvm_run_threads(vm, 2);
	gvm_destroy(vm);
	if (paired)
		tap_ok(real - paired < 60, "the wall clock of the pair is the host's");
	return gvm_finish();
}
