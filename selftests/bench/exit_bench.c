// SPDX-License-Identifier: GPL-2.0
/*
 * What exits cost: a guest times single operations with its own TSC; all samples of one are printed in a
 * line, "NAME VALUE VALUE...". Drives the ABI directly, the same way on every device, so that the only
 * difference between two runs is the hypervisor. Where the TSC counts instructions the figures are exact.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
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
#define MARKED		3		/* samples, the last ones */
#define VEC		0x61
#define VEC_BACK	0x62
#define HYPERCALL_POLL	1		/* answered with 0 and no work */

/* Writes that signal an eventfd, at places that userspace does not serve. */
#define KICK_PORT	0x380		/* nobody listens to that eventfd */
#define IRQ_PORT	0x388		/* it interrupts vCPU 0 */
#define IRQ1_PORT	0x38a		/* it interrupts vCPU 1 */
#define KICK_MMIO	(GUEST_MMIO + 0x800)
#define KICK_ANY	(GUEST_MMIO + 0x810)
#define GSI		40

/* A deadline so far ahead that it is armed before it is reached. */
#define DEADLINE_AHEAD	200000
#define X2APIC_EOI	0x80b
#define X2APIC_SELF	0x83f

enum what {
	EMPTY, CPUID, HYPERCALL, PIO_WRITE, PIO_READ, MMIO_WRITE, MMIO_READ, TOUCH, IPI, TICK,
	IOEVENTFD_PIO, IOEVENTFD_MMIO, IOEVENTFD_ANY, IRQFD, IRQFD_HALTED, SELF_IPI, SELF_IPI_X2APIC,
	DEADLINE, DEADLINE_HALTED, DIRTY,
};

/* What the guest is to do, written into its copy by the host. */
static volatile uint64_t job, job_count, job_arg, marks;
static uint64_t samples[SAMPLES + WARM_UP];
static volatile uint64_t answered, ap_up, fired;

static inline uint64_t stamp(void)
{
	uint32_t lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return lo | (uint64_t)hi << 32;
}

/* Bochs' debugger stops here: `make bench-vmcs` has the instructions of the last samples listed. */
static inline void mark(bool here)
{
	if (here)
		asm volatile("xchg %%bx, %%bx" : : : "memory");
}

#define EACH(sample)							\
	for (i = 0; i < n; i++) {					\
		bool marked = marks && i + MARKED >= n;			\
									\
		mark(marked);						\
		samples[i] = sample;					\
		mark(marked);						\
	}

/* How long @op takes. */
#define TIME(op)							\
	EACH(({								\
		uint64_t start = stamp();				\
									\
		op;							\
		stamp() - start;					\
	}))

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

static void count_x2apic(struct guest_trap_frame *f)
{
	(void)f;
	answered++;
	wrmsr(X2APIC_EOI, 0);
}

static void count_fired(struct guest_trap_frame *f)
{
	fired = stamp();
	count_answer(f);
}

static void answer_eventfd(struct guest_trap_frame *f)
{
	(void)f;
	apic_write(APIC_EOI, 0);
	outb(IRQ_PORT, 0);
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

/* As ping(), through eventfds. */
static void ping_eventfd(void)
{
	uint64_t want = answered + 1;

	outb(IRQ1_PORT, 0);
	while (answered < want)
		sti_hlt_cli();
}

static void await(uint64_t want)
{
	while (answered < want)
		;
}

/* How long after its deadline the timer's handler runs, the arming not counted. */
static uint64_t deadline(bool halt)
{
	uint64_t want = answered + 1, at = stamp() + DEADLINE_AHEAD;

	wrmsr(MSR_TSC_DEADLINE, at);
	if (halt) {
		while (answered < want)
			sti_hlt_cli();
	} else {
		sti();
		await(want);
		cli();
	}
	return fired - at;
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

/* What one CPU does with interrupts on, and writes to eventfds. */
static void interrupts(void)
{
	volatile uint8_t *touch = (volatile uint8_t *)GUEST_EXTRA;
	unsigned int i, n = job_count;

	guest_set_handler(VEC_BACK, job == SELF_IPI_X2APIC ? count_x2apic : count_fired);
	apic_enable();
	switch (job) {
	case IOEVENTFD_PIO:
		TIME(outb(KICK_PORT, 0));
		break;
	case IOEVENTFD_MMIO:
		TIME(*(volatile uint32_t *)KICK_MMIO = i);
		break;
	case IOEVENTFD_ANY:
		TIME(*(volatile uint32_t *)KICK_ANY = i);
		break;
	case IRQFD:
		sti();
		TIME(outb(IRQ_PORT, 0); await(i + 1));
		break;
	case SELF_IPI:
		sti();
		TIME(apic_write(APIC_ICR, VEC_BACK | APIC_DEST_SELF); await(i + 1));
		break;
	case SELF_IPI_X2APIC:
		wrmsr(MSR_APICBASE, rdmsr(MSR_APICBASE) | 0x400);
		sti();
		TIME(wrmsr(X2APIC_SELF, VEC_BACK); await(i + 1));
		break;
	case DEADLINE:
	case DEADLINE_HALTED:
		apic_write(APIC_LVTT, VEC_BACK | APIC_TIMER_DEADLINE);
		EACH(deadline(job == DEADLINE_HALTED));
		break;
	case DIRTY:
		for (i = 0; i < n; i++)
			touch[i * SMALL] = 1;
		guest_sync(0, 0);
		TIME(touch[i * SMALL] = 2);
		break;
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
		EACH(next_gap());
		break;
	case IPI:
	case IRQFD_HALTED:
		guest_set_handler(VEC, job == IPI ? answer : answer_eventfd);
		guest_set_handler(VEC_BACK, count_answer);
		apic_enable();
		guest_start_ap(1, sleeper);
		guest_wait(&ap_up, 1, 1000000);
		if (job == IPI)
			TIME(ping())
		else
			TIME(ping_eventfd())
		break;
	default:
		interrupts();
	}
	guest_done();
}

/* What an empty measurement gives, taken off each sample. */
static uint64_t empty;

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

/* Whether the guest marks its last samples of each measurement. */
static bool marked;

static void prepare(struct gvm *vm, enum what what, unsigned int n, uint64_t arg)
{
	*(uint64_t *)gvm_guest(vm, &job) = what;
	*(uint64_t *)gvm_guest(vm, &job_count) = n;
	*(uint64_t *)gvm_guest(vm, &job_arg) = arg;
	*(uint64_t *)gvm_guest(vm, &marks) = marked && what != EMPTY;
	gvm_enter64(vm, 0, guest_main);
}

/* Runs @n samples of @what and prints them; without a @name, returns the least. */
static uint64_t finish(struct gvm *vm, const char *name, enum what what, unsigned int n)
{
	uint64_t *s = gvm_guest(vm, samples), least = ~0ull;
	unsigned int i = n > 2 * WARM_UP ? WARM_UP : 0;

	if (what == IPI || what == IRQFD_HALTED)
		gvm_run_threads(vm, 1);
	else if (gvm_run(vm, 0) != GVM_DONE)
		tap_bail("measurement %d did not end", what);
	if (name)
		fputs(name, stdout);
	for (; i < n; i++) {
		least = s[i] < least ? s[i] : least;
		if (name)
			printf(" %llu", (unsigned long long)(s[i] > empty ? s[i] - empty : 0));
	}
	if (name)
		putchar('\n');
	fflush(stdout);
	return least;
}

static uint64_t measure(struct gvm *vm, const char *name, enum what what, unsigned int n, uint64_t arg)
{
	prepare(vm, what, n, arg);
	return finish(vm, name, what, n);
}

static void ioeventfd(struct gvm *vm, int fd, uint32_t flags, uint64_t addr, uint32_t len)
{
	struct minikvm_ioeventfd arg = { .fd = fd, .flags = flags, .addr = addr, .len = len };

	GVM_IOCTL(vm->fd, MINIKVM_IOEVENTFD, &arg);
}

/* The guest's writes to eventfds, two of which interrupt its CPUs. */
static void add_eventfds(struct gvm *vm)
{
	struct {
		struct minikvm_irq_routing head;
		struct minikvm_irq_routing_entry entry[2];
	} t = { .head = { .nr = 2 } };
	static int fd[5];
	unsigned int i;

	for (i = 0; i < 5; i++) {
		if (!fd[i])
			fd[i] = eventfd(0, EFD_NONBLOCK);
		if (fd[i] < 0)
			tap_bail("eventfd: %s", strerror(errno));
	}
	ioeventfd(vm, fd[0], MINIKVM_IOEVENTFD_FLAG_PIO, KICK_PORT, 1);
	ioeventfd(vm, fd[1], 0, KICK_MMIO, 4);
	ioeventfd(vm, fd[2], 0, KICK_ANY, 0);
	ioeventfd(vm, fd[3], MINIKVM_IOEVENTFD_FLAG_PIO, IRQ_PORT, 1);
	ioeventfd(vm, fd[4], MINIKVM_IOEVENTFD_FLAG_PIO, IRQ1_PORT, 1);
	for (i = 0; i < 2; i++)
		t.entry[i] = (struct minikvm_irq_routing_entry){
			.gsi = GSI + i, .type = MINIKVM_IRQ_ROUTING_MSI,
			.u.msi = { .address_lo = 0xfee00000 | i << 12, .data = i ? VEC : VEC_BACK },
		};
	GVM_IOCTL(vm->fd, MINIKVM_SET_GSI_ROUTING, &t.head);
	for (i = 0; i < 2; i++) {
		struct minikvm_irqfd arg = { .fd = fd[3 + i], .gsi = GSI + i };

		GVM_IOCTL(vm->fd, MINIKVM_IRQFD, &arg);
	}
}

/* The first write to each page after the log was read. */
static void dirty_write(const char *name)
{
	static uint64_t bitmap[SMALL_PAGES / 64];
	size_t size = SMALL_PAGES * SMALL;
	uint8_t *mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct minikvm_dirty_log log = { .slot = 1, .dirty_bitmap = (uintptr_t)bitmap };
	struct gvm *vm = gvm_create(1, GVM_IRQCHIP);

	if (mem == MAP_FAILED || madvise(mem, size, MADV_NOHUGEPAGE))
		tap_bail("out of memory");
	if (gvm_slot(vm, 1, GUEST_EXTRA, size, mem, MINIKVM_MEM_LOG_DIRTY_PAGES))
		tap_bail("SET_USER_MEMORY_REGION: %s", strerror(errno));
	prepare(vm, DIRTY, SMALL_PAGES, 0);
	if (gvm_run(vm, 0) != GVM_SYNC)
		tap_bail("the guest did not touch its memory");
	GVM_IOCTL(vm->fd, MINIKVM_GET_DIRTY_LOG, &log);
	if (bitmap[1] != ~0ull)
		tap_bail("the log lacks pages");
	finish(vm, name, DIRTY, SMALL_PAGES);
	gvm_destroy(vm);
	munmap(mem, size);
}

/* A new VM each time, so that every page is touched for the first time. */
static void first_touch(const char *name, uint64_t page, unsigned int pages, bool present)
{
	size_t size = ((page * pages + LARGE - 1) & ~(LARGE - 1)) + LARGE, off;
	uint8_t *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uint8_t *mem = (uint8_t *)(((uintptr_t)map + LARGE - 1) & ~(LARGE - 1));
	struct gvm *vm;

	if (map == MAP_FAILED)
		tap_bail("out of memory");
	if (madvise(mem, size - LARGE, page == LARGE ? MADV_HUGEPAGE : MADV_NOHUGEPAGE))
		tap_bail("madvise: %s", strerror(errno));
	for (off = 0; present && off < page * pages; off += page)
		mem[off] = 1;
	vm = gvm_create(1, 0);
	if (gvm_slot(vm, 1, GUEST_EXTRA, size - LARGE, mem, 0))
		tap_bail("SET_USER_MEMORY_REGION: %s", strerror(errno));
	measure(vm, name, TOUCH, pages, page);
	gvm_destroy(vm);
	munmap(map, size);
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
	{ "ioeventfd_pio", IOEVENTFD_PIO, 0, false },
	{ "ioeventfd_mmio", IOEVENTFD_MMIO, 0, false },
	{ "ioeventfd_any", IOEVENTFD_ANY, 0, false },
	{ "irqfd", IRQFD, 0, false },
	{ "irqfd_halted", IRQFD_HALTED, 0, false },
	{ "self_ipi", SELF_IPI, 0, false },
	{ "self_ipi_x2apic", SELF_IPI_X2APIC, 0, false },
	{ "tsc_deadline", DEADLINE, 0, false },
	{ "tsc_deadline_halted", DEADLINE_HALTED, 0, false },
	{ "dirty", DIRTY, 0, false },
};

static unsigned int samples_of(enum what what)
{
	switch (what) {
	case IPI:
	case IRQFD_HALTED:
		return IPI_SAMPLES;
	case TICK:
	case DEADLINE:
	case DEADLINE_HALTED:
		return TICK_SAMPLES;
	default:
		return SAMPLES;
	}
}

static void run_bench(const struct bench *b)
{
	struct gvm *vm;

	if (b->what == TOUCH)
		return first_touch(b->name, b->arg, b->arg == LARGE ? LARGE_PAGES : SMALL_PAGES, b->present);
	if (b->what == DIRTY)
		return dirty_write(b->name);
	vm = gvm_create(b->what == IPI || b->what == IRQFD_HALTED ? 2 : 1, GVM_IRQCHIP);
	if (b->what >= IOEVENTFD_PIO)
		add_eventfds(vm);
	vm->pio = serve_pio;
	vm->mmio = serve_mmio;
	measure(vm, b->name, b->what, samples_of(b->what), b->arg);
	gvm_destroy(vm);
}

/* usage: exit_bench [--marks] [NAME...]: all, or the named ones */
int main(int argc, char **argv)
{
	struct gvm *vm;
	unsigned int i;
	int k;

	if (argc > 1 && !strcmp(argv[1], "--marks")) {
		marked = true;
		argc--;
		argv++;
	}
	gvm_start();
	vm = gvm_create(1, GVM_IRQCHIP);
	empty = measure(vm, NULL, EMPTY, SAMPLES, 0);
	gvm_destroy(vm);
	for (i = 0; i < sizeof(benches) / sizeof(benches[0]); i++) {
		bool wanted = argc < 2;

		for (k = 1; k < argc; k++)
			wanted |= !strcmp(argv[k], benches[i].name);
		if (wanted)
			run_bench(&benches[i]);
	}
	return 0;
}
