// SPDX-License-Identifier: GPL-2.0
/*
 * What exits cost: a guest times single operations with its own TSC and the median of many is printed,
 * one "NAME VALUE" per line. Drives the ABI directly, the same way on every device, so that the only
 * difference between two runs is the hypervisor. Where the TSC counts instructions the figures are exact.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "gvm.h"

#define SAMPLES		2048
#define WARM_UP		64
#define PORT		0x300
#define LARGE		0x200000ul
#define SMALL		0x1000ul
#define LARGE_PAGES	48
#define SMALL_PAGES	SAMPLES
#define IPI_SAMPLES	512
#define TICK_SAMPLES	256
#define GAP		400		/* no exit and return is shorter */
#define VEC		0x61
#define VEC_BACK	0x62
#define HYPERCALL_POLL	1		/* answered with 0 and no work */

enum what { EMPTY, CPUID, HYPERCALL, PIO_WRITE, PIO_READ, MMIO_WRITE, MMIO_READ, TOUCH, IPI, TICK };

/* What the guest is to do, written into its copy by the host. */
static volatile uint64_t job, job_count, job_arg;
static uint64_t samples[SAMPLES + WARM_UP];
static volatile uint64_t answered, ap_up;

static inline uint64_t stamp(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return lo | (uint64_t)hi << 32;
}

#define TIME(op)							\
	for (i = 0; i < n; i++) {					\
		uint64_t start = stamp();				\
									\
		op;							\
		samples[i] = stamp() - start;				\
	}

static void hypercall(void)
{
	uint64_t rax = HYPERCALL_POLL;

	asm volatile("vmcall" : "+a"(rax) : : "rbx", "rcx", "rdx", "rsi", "memory");
}

static void do_cpuid(uint32_t leaf)
{
	uint32_t a = leaf, c = 0;

	asm volatile("cpuid" : "+a"(a), "+c"(c) : : "ebx", "edx", "memory");
}

static void answer(struct guest_trap_frame *f)
{
	(void)f;
	apic_write(APIC_EOI, 0);
	apic_write(APIC_ICR2, 0);
	apic_write(APIC_ICR, VEC_BACK);
}

static void count_answer(struct guest_trap_frame *f)
{
	(void)f;
	answered++;
	apic_write(APIC_EOI, 0);
}

static void sleeper(unsigned int cpu)
{
	(void)cpu;
	apic_enable();
	ap_up = 1;
	for (;;)
		sti_hlt_cli();
}

/* There and back between two CPUs that sleep in HLT: both wake-ups are in it. */
static void ping(void)
{
	uint64_t want = answered + 1;

	apic_write(APIC_ICR2, 1u << 24);
	apic_write(APIC_ICR, VEC);
	while (answered < want)
		sti_hlt_cli();
}

/* Runs until something takes the CPU away from the guest: how long it was gone. */
static uint64_t next_gap(void)
{
	uint64_t last = stamp(), now;

	for (;; last = now) {
		now = stamp();
		if (now - last > GAP)
			return now - last;
	}
}

static void guest_main(void)
{
	volatile uint32_t *mmio = (volatile uint32_t *)GUEST_MMIO;
	unsigned int i, n = job_count;
	volatile uint8_t *touch = (volatile uint8_t *)GUEST_EXTRA;

	switch (job) {
	case EMPTY:
		TIME(asm volatile("" : : : "memory"));
		break;
	case CPUID:
		TIME(do_cpuid(job_arg));
		break;
	case HYPERCALL:
		TIME(hypercall());
		break;
	case PIO_WRITE:
		TIME(outb(PORT, 0));
		break;
	case PIO_READ:
		TIME(inb(PORT));
		break;
	case MMIO_WRITE:
		TIME(*mmio = i);
		break;
	case MMIO_READ:
		TIME((void)*mmio);
		break;
	case TOUCH:
		TIME(touch[i * job_arg] = 1);
		break;
	case TICK:
		/* An emulated CPU interrupts a guest only while the guest has interrupts on. */
		sti();
		for (i = 0; i < n; i++)
			samples[i] = next_gap();
		break;
	case IPI:
		guest_set_handler(VEC, answer);
		guest_set_handler(VEC_BACK, count_answer);
		apic_enable();
		guest_start_ap(1, sleeper);
		guest_wait(&ap_up, 1, 1000000);
		TIME(ping());
		break;
	}
	guest_done();
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return x < y ? -1 : x > y;
}

static bool serve_pio(struct gvm_vcpu *v, struct minikvm_run *run, uint8_t *data)
{
	(void)v;
	(void)data;
	return run->io.port == PORT;
}

static bool serve_mmio(struct gvm_vcpu *v, struct minikvm_run *run)
{
	(void)v;
	return run->mmio.phys_addr == GUEST_MMIO;
}

/* Runs @n samples of @what and returns their median, the empty measurement not taken off. */
static uint64_t measure(struct gvm *vm, enum what what, unsigned int n, uint64_t arg)
{
	uint64_t *s = gvm_guest(vm, samples);
	unsigned int skip = n > 2 * WARM_UP ? WARM_UP : 0;

	*(uint64_t *)gvm_guest(vm, &job) = what;
	*(uint64_t *)gvm_guest(vm, &job_count) = n;
	*(uint64_t *)gvm_guest(vm, &job_arg) = arg;
	gvm_enter64(vm, 0, guest_main);
	if (what == IPI)
		gvm_run_threads(vm, 1);
	else if (gvm_run(vm, 0) != GVM_DONE)
		tap_bail("measurement %d did not end", what);
	qsort(s + skip, n - skip, sizeof(*s), compare);
	return s[skip + (n - skip) / 2];
}

/* A new VM each time, so that every page is touched for the first time. */
static uint64_t first_touch(uint64_t page, unsigned int pages, bool present)
{
	size_t size = ((page * pages + LARGE - 1) & ~(LARGE - 1)) + LARGE, off;
	uint8_t *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *mem = (uint8_t *)(((uintptr_t)map + LARGE - 1) & ~(LARGE - 1));
	struct gvm *vm;
	uint64_t cost;

	if (map == MAP_FAILED)
		tap_bail("out of memory");
	if (madvise(mem, size - LARGE, page == LARGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		tap_bail("madvise: %s", strerror(errno));
	for (off = 0; present && off < page * pages; off += page)
		mem[off] = 1;
	vm = gvm_create(1, 0);
	if (gvm_slot(vm, 1, GUEST_EXTRA, size - LARGE, mem, 0))
		tap_bail("SET_USER_MEMORY_REGION: %s", strerror(errno));
	cost = measure(vm, TOUCH, pages, page);
	gvm_destroy(vm);
	munmap(map, size);
	return cost;
}

struct bench {
	const char *name;
	enum what what;
	uint64_t arg;			/* of TOUCH: the page size; of CPUID: the leaf */
	bool present;			/* of TOUCH: the host has the page already */
};

static const struct bench benches[] = {
	{ "cpuid", CPUID, 0x80000000, false },
	{ "cpuid_leaf_1", CPUID, 1, false },
	{ "hypercall", HYPERCALL, 0, false },
	{ "pio_write", PIO_WRITE, 0, false },
	{ "pio_read", PIO_READ, 0, false },
	{ "mmio_write", MMIO_WRITE, 0, false },
	{ "mmio_read", MMIO_READ, 0, false },
	{ "touch_4k", TOUCH, SMALL, true },
	{ "touch_2m", TOUCH, LARGE, true },
	{ "touch_4k_absent", TOUCH, SMALL, false },
	{ "touch_2m_absent", TOUCH, LARGE, false },
	{ "tick", TICK, 0, false },
	{ "ipi", IPI, 0, false },
};

static unsigned int samples_of(enum what what)
{
	return what == IPI ? IPI_SAMPLES : what == TICK ? TICK_SAMPLES : SAMPLES;
}

static uint64_t run_bench(const struct bench *b)
{
	struct gvm *vm;
	uint64_t cost;

	if (b->what == TOUCH)
		return first_touch(b->arg, b->arg == LARGE ? LARGE_PAGES : SMALL_PAGES, b->present);
	vm = gvm_create(b->what == IPI ? 2 : 1, GVM_IRQCHIP);
	vm->pio = serve_pio;
	vm->mmio = serve_mmio;
	cost = measure(vm, b->what, samples_of(b->what), b->arg);
	gvm_destroy(vm);
	return cost;
}

/* usage: exit_bench [NAME...]: all, or the named ones */
int main(int argc, char **argv)
{
	static const struct bench nothing = { "empty", EMPTY, 0, false };
	uint64_t empty;
	unsigned int i;
	int k;

	gvm_start();
	empty = run_bench(&nothing);
	for (i = 0; i < sizeof(benches) / sizeof(benches[0]); i++) {
		bool wanted = argc < 2;

		for (k = 1; k < argc; k++)
			wanted |= !strcmp(argv[k], benches[i].name);
		if (!wanted)
			continue;
		printf("%s %llu\n", benches[i].name, (unsigned long long)(run_bench(&benches[i]) - empty));
		fflush(stdout);
	}
	return 0;
}
