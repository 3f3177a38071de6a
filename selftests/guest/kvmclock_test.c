// SPDX-License-Identifier: GPL-2.0
/*
 * kvmclock: the record is there after the MSR is written, follows the host's time, does not notice that the TSC
 * is moved, and is the same on every vCPU where the host says that it is.
 */
#include <time.h>

#include "../../uapi/minikvm_para.h"
#include "gvm.h"

#define NSEC	1000000000ull

static volatile struct minikvm_pvclock rec[2] __attribute__((aligned(64)));
static volatile struct minikvm_wall_clock wall __attribute__((aligned(64)));
static volatile uint64_t ap_done;

/* As Linux reads it: retry while the version is odd or changes. */
static uint64_t clock_read(unsigned int cpu)
{
	volatile struct minikvm_pvclock *r = &rec[cpu];
	uint64_t delta, ns;
	uint32_t version;

	do {
		version = r->version & ~1u;
		delta = rdtsc() - r->tsc_timestamp;
		delta = r->tsc_shift < 0 ? delta >> -r->tsc_shift : delta << r->tsc_shift;
		ns = r->system_time + (uint64_t)((unsigned __int128)delta * r->tsc_to_system_mul >> 32);
	} while (version != r->version);
	return ns;
}

static void turn_on(unsigned int cpu)
{
	wrmsr(MINIKVM_MSR_SYSTEM_TIME_NEW, (uintptr_t)&rec[cpu] | MINIKVM_MSR_ENABLED);
}

static void ap_main(unsigned int cpu)
{
	turn_on(cpu);
	ap_done = 1;
}

static void test_record(void)
{
	uint64_t t, last;
	bool ok = true;
	unsigned int i;

	rec[0].version = 0;
	turn_on(0);
	guest_eq(rdmsr(MINIKVM_MSR_SYSTEM_TIME_NEW), (uintptr_t)&rec[0] | 1, "the MSR reads back");
	guest_check(rec[0].version && !(rec[0].version & 1), "the record is written at once, its version even");
	guest_check(rec[0].tsc_to_system_mul >> 31, "the multiplier uses all its bits");
	last = clock_read(0);
	for (i = 0; i < 500; i++) {
		if (i % 5 == 0)
			guest_relax();
		t = clock_read(0);
		ok &= t >= last;
		last = t;
	}
	guest_check(ok, "it never goes back, with and without exits between");
}

static void test_tsc_moved(void)
{
	uint64_t before, after, tsc = rdtsc();
	uint32_t r[4];

	cpuid(7, 0, r);
	if (!(r[1] & 2)) {
		guest_skip("the device offers no TSC_ADJUST");
		return;
	}
	before = clock_read(0);
	wrmsr(MSR_TSC_ADJUST, rdmsr(MSR_TSC_ADJUST) + (1ul << 40));
	after = clock_read(0);
	guest_check(rdtsc() - tsc >= 1ul << 40, "the TSC was moved");
	guest_check(after >= before && after - before < NSEC, "the clock was not");
	wrmsr(MSR_TSC_ADJUST, rdmsr(MSR_TSC_ADJUST) - (1ul << 40));
	guest_check(clock_read(0) - before < NSEC, "... nor when it was moved back");
}

static void guest_main(void)
{
	uint32_t r[4], version;

	cpuid(MINIKVM_CPUID_FEATURES, 0, r);
	guest_check(r[0] & 1u << MINIKVM_FEATURE_CLOCKSOURCE2, "CPUID offers the clock");
	test_record();
	guest_sync(1, clock_read(0));
	guest_sync(2, clock_read(0));
	wrmsr(MINIKVM_MSR_WALL_CLOCK_NEW, (uintptr_t)&wall);
	guest_check(wall.version && !(wall.version & 1), "the wall clock is written, its version even");
	guest_sync(3, wall.sec * NSEC + wall.nsec + clock_read(0));
	test_tsc_moved();

	apic_enable();
	guest_check(guest_start_ap(1, ap_main) && guest_wait(&ap_done, 1, 1000000), "a second vCPU turns it on");
	if (rec[0].flags & rec[1].flags & MINIKVM_PVCLOCK_TSC_STABLE_BIT)
		guest_check(rec[0].tsc_timestamp == rec[1].tsc_timestamp &&
			    rec[0].system_time == rec[1].system_time, "one clock on both vCPUs");
	else
		guest_skip("the host's clock is not its TSC: each vCPU has its own clock");

	wrmsr(MINIKVM_MSR_SYSTEM_TIME_NEW, 0);
	version = rec[0].version;
	wrmsr(MSR_TSC, 0);
	guest_relax();
	guest_eq(rec[0].version, version, "turned off, the record is left alone");
	guest_done();
}

static uint64_t host_time(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * NSEC + ts.tv_nsec;
}

static uint64_t reading[4], host[4];

static void at_sync(struct gvm_vcpu *v, uint64_t stage, uint64_t value)
{
	(void)v;
	if (stage >= 4)
		return;
	reading[stage] = value;
	host[stage] = host_time(stage == 3 ? CLOCK_REALTIME : CLOCK_MONOTONIC_RAW);
	if (stage == 1)
		nanosleep(&(struct timespec){ .tv_nsec = 200000000 }, NULL);
}

int main(void)
{
	int64_t guest_ns, host_ns;
	struct gvm *vm;

	gvm_start();
	vm = gvm_create(2, GVM_IRQCHIP);
	vm->sync = at_sync;
	gvm_enter64(vm, 0, guest_main);
	gvm_run_threads(vm, 2);
	gvm_destroy(vm);

	guest_ns = reading[2] - reading[1];
	host_ns = host[2] - host[1];
	if (!tap_ok(llabs(guest_ns - host_ns) < host_ns / 20, "it runs at the host's speed"))
		tap_diag("guest %lld ns, host %lld ns", (long long)guest_ns, (long long)host_ns);
	tap_ok(llabs((int64_t)(reading[3] - host[3])) < 2 * (int64_t)NSEC, "wall time plus clock is the host's time");
	return gvm_finish();
}
