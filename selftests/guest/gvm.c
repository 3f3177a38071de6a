// SPDX-License-Identifier: GPL-2.0
/* Creates the VMs of the guest tests, runs their vCPUs and prints what the guests report. */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <unistd.h>

#include "gvm.h"

#define GVM_SECONDS	120		/* no test may take longer; a stuck one says so and fails */

extern char guest_trampoline[], guest_trampoline_end[];
extern unsigned char guest_stacks[GUEST_MAX_CPUS][GUEST_RT_STACK];
extern uint64_t guest_gdt[], guest_idt[];
extern struct guest_cpu guest_cpus[GUEST_MAX_CPUS];
void guest_build_tables(void);

static pthread_mutex_t tap_lock = PTHREAD_MUTEX_INITIALIZER;

static const char *const report_unknown = "(text outside the image)";

void gvm_ioctl(int fd, unsigned long cmd, void *arg, const char *name)
{
	if (ioctl(fd, cmd, arg) < 0)
		tap_bail("%s failed: %s", name, strerror(errno));
}

static void on_alarm(int sig)
{
	static const char text[] = "Bail out! the test did not end in time\n";

	(void)sig;
	(void)!write(STDOUT_FILENO, text, sizeof(text) - 1);
	_exit(1);
}

static void on_kick(int sig)
{
	(void)sig;
}

void gvm_start(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };

	setvbuf(stdout, NULL, _IOLBF, 0);
	close(dev_open());		/* a missing device skips the program here */
	sigaction(SIGALRM, &sa, NULL);
	sa.sa_handler = on_kick;
	sigaction(SIGUSR1, &sa, NULL);
	alarm(GVM_SECONDS);
	guest_build_tables();
}

int gvm_finish(void)
{
	return tap_done();
}

int gvm_slot(struct gvm *vm, unsigned int slot, uint64_t gpa, uint64_t size, void *hva, uint32_t flags)
{
	return vm_set_region(vm->base, slot, gpa, size, hva, flags);
}

void gvm_irq_line(struct gvm *vm, unsigned int gsi, unsigned int level)
{
	struct minikvm_irq_level l = { .irq = gsi, .level = level };

	GVM_IOCTL(vm->fd, MINIKVM_IRQ_LINE, &l);
}

bool gvm_cpuid_has(uint32_t leaf, uint32_t sub, unsigned int reg, unsigned int bit)
{
	int dev = dev_open();
	struct minikvm_cpuid2 *c = cpuid_supported(dev);
	const struct minikvm_cpuid_entry2 *e = cpuid_find(c, leaf, sub);
	bool has = false;

	if (e) {
		const uint32_t r[4] = { e->eax, e->ebx, e->ecx, e->edx };

		has = r[reg & 3] >> (bit & 31) & 1;
	}
	free(c);
	close(dev);
	return has;
}

/* The supported CPUID, the vCPU's ids, and the TSC deadline timer if the device has it. */
static void set_cpuid(struct gvm *vm, unsigned int cpu)
{
	struct minikvm_cpuid2 *c = cpuid_supported(vm->dev);
	struct minikvm_cpuid_entry2 *e;

	for (e = c->entries; e < c->entries + c->nent; e++) {
		if (e->function == 1) {
			e->ebx = (e->ebx & 0xffffff) | cpu << 24;
			if (dev_check_extension(vm->dev, MINIKVM_CAP_TSC_DEADLINE_TIMER) > 0)
				e->ecx |= 1u << 24;
		} else if (e->function == 0xb || e->function == 0x1f) {
			e->edx = cpu;
		}
	}
	GVM_IOCTL(vm->vcpu[cpu].fd, MINIKVM_SET_CPUID2, c);
	free(c);
}

/* PML4 -> one PDPT -> four page directories of 2 MiB pages: 4 GiB, virtual = physical. */
static void build_page_tables(uint8_t *ram)
{
	uint64_t *pml4 = (uint64_t *)(ram + GUEST_PML4), *pdpt = pml4 + 512, *pd = pdpt + 512;
	unsigned int i;

	pml4[0] = (GUEST_PML4 + 0x1000) | 7;
	for (i = 0; i < 4; i++)
		pdpt[i] = (GUEST_PML4 + 0x2000 + 0x1000 * i) | 7;
	for (i = 0; i < 2048; i++)
		pd[i] = (uint64_t)i << 21 | 0x87 | (i >= 0xfec00000u >> 21 ? 0x18 : 0);
}

static void load_image(uint8_t *ram)
{
	const Elf64_Phdr *ph = (const Elf64_Phdr *)getauxval(AT_PHDR);
	unsigned long i, n = getauxval(AT_PHNUM);

	for (i = 0; i < n; i++) {
		if (ph[i].p_type != PT_LOAD)
			continue;
		if (ph[i].p_vaddr + ph[i].p_memsz > GUEST_FREE)
			tap_bail("the test program is larger than the guest has room for");
		memcpy(ram + ph[i].p_vaddr, (const void *)ph[i].p_vaddr, ph[i].p_memsz);
	}
	memcpy(ram + GUEST_TRAMPOLINE, guest_trampoline, guest_trampoline_end - guest_trampoline);
}

static void create_vcpu(struct gvm *vm, unsigned int i)
{
	struct vcpu *base = vm_add_vcpu(vm->base, i);

	vm->vcpu[i] = (struct gvm_vcpu){ .vm = vm, .index = i, .fd = base->fd, .run = base->run };
	set_cpuid(vm, i);
}

struct gvm *gvm_create(unsigned int ncpus, unsigned int flags)
{
	struct minikvm_pit_config pit = { .flags = 0 };
	struct gvm *vm = calloc(1, sizeof(*vm));
	unsigned int i;

	if (!vm || ncpus > GUEST_MAX_CPUS)
		tap_bail("gvm_create: wrong use or out of memory");
	vm->base = vm_new(VM_BARE);
	vm->dev = vm->base->dev_fd;
	vm->fd = vm->base->fd;
	vm->ram = mmap(NULL, GUEST_RAM_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (vm->ram == MAP_FAILED)
		tap_bail("no memory for the guest");
	if (ioctl(vm->fd, MINIKVM_SET_TSS_ADDR, 0xfffbd000ul) < 0)
		tap_bail("MINIKVM_SET_TSS_ADDR failed: %s", strerror(errno));
	if (gvm_slot(vm, 0, 0, GUEST_RAM_SIZE, vm->ram, 0) < 0)
		tap_bail("MINIKVM_SET_USER_MEMORY_REGION failed: %s", strerror(errno));
	if (flags & GVM_SPLIT) {
		struct minikvm_enable_cap cap = {
			.cap = MINIKVM_CAP_SPLIT_IRQCHIP, .args[0] = 24,
		};

		GVM_IOCTL(vm->fd, MINIKVM_ENABLE_CAP, &cap);
	}
	if (flags & (GVM_IRQCHIP | GVM_PIT))
		GVM_IOCTL(vm->fd, MINIKVM_CREATE_IRQCHIP, NULL);
	if (flags & GVM_PIT)
		GVM_IOCTL(vm->fd, MINIKVM_CREATE_PIT2, &pit);
	build_page_tables(vm->ram);
	load_image(vm->ram);
	vm->ncpus = ncpus;
	for (i = 0; i < ncpus; i++)
		create_vcpu(vm, i);
	return vm;
}

void gvm_destroy(struct gvm *vm)
{
	vm_free(vm->base);
	munmap(vm->ram, GUEST_RAM_SIZE);
	free(vm);
}

static struct minikvm_segment segment(unsigned int selector, unsigned int type, uint64_t base)
{
	return (struct minikvm_segment){
		.base = base, .limit = 0xffffffff, .selector = selector, .type = type, .present = 1,
		.s = 1, .g = 1, .db = type < 8, .l = type >= 8,
	};
}

void gvm_enter64(struct gvm *vm, unsigned int cpu, void (*fn)(void))
{
	struct minikvm_regs regs = {
		.rip = (uintptr_t)fn, .rflags = 2, .rdi = cpu,
		.rsp = (uintptr_t)&guest_stacks[cpu] + GUEST_RT_STACK - 8,
	};
	struct minikvm_sregs s;
	int fd = vm->vcpu[cpu].fd;

	GVM_IOCTL(fd, MINIKVM_GET_SREGS, &s);
	s.cs = segment(0x08, 11, 0);
	s.ds = segment(0x10, 3, 0);
	s.es = s.ds;
	s.ss = s.ds;
	s.fs = s.ds;
	s.gs = segment(0x10, 3, (uintptr_t)&guest_cpus[cpu]);
	s.tr = (struct minikvm_segment){
		.selector = 0x40 + 16 * cpu, .type = 11, .present = 1, .limit = 0x67,
		.base = ((uint32_t)(guest_gdt[8 + 2 * cpu] >> 16) & 0xffffff) |
			(guest_gdt[8 + 2 * cpu] >> 56 << 24),
	};
	s.ldt = (struct minikvm_segment){ .unusable = 1 };
	s.gdt = (struct minikvm_dtable){ .base = (uintptr_t)guest_gdt, .limit = 8 * (8 + 2 * GUEST_MAX_CPUS) - 1 };
	s.idt = (struct minikvm_dtable){ .base = (uintptr_t)guest_idt, .limit = 256 * 16 - 1 };
	s.cr0 = X86_CR0_DEFAULT;
	s.cr3 = GUEST_PML4;
	s.cr4 = X86_CR4_DEFAULT;
	s.efer = X86_EFER_DEFAULT;
	GVM_IOCTL(fd, MINIKVM_SET_SREGS, &s);
	GVM_IOCTL(fd, MINIKVM_SET_REGS, &regs);
}

static const char *guest_text(struct gvm *vm, uint64_t at)
{
	if (at < 0x400000 || at >= GUEST_FREE || !memchr(vm->ram + at, 0, GUEST_FREE - at))
		return report_unknown;
	return (const char *)vm->ram + at;
}

/* Returns 0 to go on running, else a GVM_* stop. */
static int take_report(struct gvm_vcpu *v, uint32_t at)
{
	struct gvm *vm = v->vm;
	struct guest_report r;
	int stop = 0;

	if (at > GUEST_RAM_SIZE - sizeof(r))
		tap_bail("the guest reported from outside its memory");
	memcpy(&r, vm->ram + at, sizeof(r));
	pthread_mutex_lock(&tap_lock);
	switch (r.kind) {
	case GUEST_REPORT_CHECK:
		tap_ok(r.a, "%s", guest_text(vm, r.text));
		break;
	case GUEST_REPORT_EQ:
		tap_ok(r.a == r.b, "%s", guest_text(vm, r.text));
		if (r.a != r.b)
			tap_diag("got %#llx, expected %#llx", (unsigned long long)r.a,
			       (unsigned long long)r.b);
		break;
	case GUEST_REPORT_NOTE:
		tap_diag("%s: %#llx %#llx", guest_text(vm, r.text), (unsigned long long)r.a,
		       (unsigned long long)r.b);
		break;
	case GUEST_REPORT_SKIP:
		tap_skip("%s", guest_text(vm, r.text));
		break;
	case GUEST_REPORT_SYNC:
		stop = GVM_SYNC;
		break;
	case GUEST_REPORT_TRAP:
		tap_ok(false, "vCPU %u: no unexpected exception", v->index);
		tap_diag("vector %llu at RIP %#llx, error code %#llx", (unsigned long long)r.a,
		       (unsigned long long)r.b, (unsigned long long)r.c);
		break;
	case GUEST_REPORT_DONE:
		stop = GVM_DONE;
		break;
	default:
		tap_bail("the guest sent a report of unknown kind %u", r.kind);
	}
	pthread_mutex_unlock(&tap_lock);
	if (stop == GVM_SYNC && vm->sync) {
		vm->sync(v, r.a, r.b);
		stop = 0;
	} else if (stop == GVM_SYNC) {
		vm->sync_stage = r.a;
		vm->sync_value = r.b;
	}
	return stop;
}

int gvm_run(struct gvm *vm, unsigned int cpu)
{
	struct gvm_vcpu *v = &vm->vcpu[cpu];
	struct minikvm_run *run = v->run;
	uint8_t *data;
	int stop;

	for (;;) {
		if (ioctl(v->fd, MINIKVM_RUN, 0ul) < 0) {
			vm->last_errno = errno;
			if (errno == EAGAIN || (errno == EINTR && !vm->stop))
				continue;
			return GVM_ERROR;
		}
		switch (run->exit_reason) {
		case MINIKVM_EXIT_IO:
			data = (uint8_t *)run + run->io.data_offset;
			if (run->io.port == GUEST_REPORT_PORT && run->io.size == 4 && run->io.direction) {
				stop = take_report(v, *(uint32_t *)data);
				if (stop)
					return stop;
				continue;
			}
			if (vm->pio && vm->pio(v, run, data))
				continue;
			return MINIKVM_EXIT_IO;
		case MINIKVM_EXIT_MMIO:
			if (vm->mmio && vm->mmio(v, run))
				continue;
			return MINIKVM_EXIT_MMIO;
		default:
			return run->exit_reason;
		}
	}
}

static void bad_stop(struct gvm_vcpu *v, int stop)
{
	struct minikvm_regs r = { .rip = 0 };

	ioctl(v->fd, MINIKVM_GET_REGS, &r);
	pthread_mutex_lock(&tap_lock);
	tap_ok(false, "vCPU %u runs to its end", v->index);
	if (stop == GVM_ERROR)
		tap_diag("KVM_RUN: %s", strerror(v->vm->last_errno));
	else
		tap_diag("exit reason %s, suberror or hardware reason %#llx", exit_name(stop),
		       (unsigned long long)v->run->hw.hardware_exit_reason);
	tap_diag("rip %#llx rsp %#llx rax %#llx rcx %#llx", (unsigned long long)r.rip,
	       (unsigned long long)r.rsp, (unsigned long long)r.rax, (unsigned long long)r.rcx);
	pthread_mutex_unlock(&tap_lock);
}

void gvm_expect(struct gvm *vm, int want, const char *what)
{
	int got = gvm_run(vm, 0);

	if (!tap_ok(got == want, "%s", what))
		tap_bail("stopped with %d (errno %d), stage %llu", got, vm->last_errno,
			 (unsigned long long)vm->sync_stage);
}

int gvm_interrupt(struct gvm *vm, uint32_t vector)
{
	struct minikvm_interrupt irq = { .irq = vector };

	return ioctl(vm->vcpu[0].fd, MINIKVM_INTERRUPT, &irq);
}

bool gvm_run_done(struct gvm *vm)
{
	int stop = gvm_run(vm, 0);

	if (stop != GVM_DONE)
		bad_stop(&vm->vcpu[0], stop);
	return stop == GVM_DONE;
}

static void *vcpu_thread(void *arg)
{
	struct gvm_vcpu *v = arg;
	int stop = gvm_run(v->vm, v->index);

	if (stop != GVM_DONE && !v->vm->stop)
		bad_stop(v, stop);
	__atomic_store_n(&v->done, true, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&v->vm->done_threads, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

void gvm_start_threads(struct gvm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->ncpus; i++)
		if (pthread_create(&vm->vcpu[i].thread, NULL, vcpu_thread, &vm->vcpu[i]))
			tap_bail("cannot start a thread");
}

/* A kick can fall before the ioctl: immediate_exit closes that window, the signal ends a sleep. */
void gvm_join_threads(struct gvm *vm, unsigned int want)
{
	unsigned int i;

	while (__atomic_load_n(&vm->done_threads, __ATOMIC_SEQ_CST) < want)
		usleep(1000);
	vm->stop = true;
	for (i = 0; i < vm->ncpus; i++) {
		struct gvm_vcpu *v = &vm->vcpu[i];

		if (!__atomic_load_n(&v->done, __ATOMIC_SEQ_CST)) {
			v->run->immediate_exit = 1;
			pthread_kill(v->thread, SIGUSR1);
		}
		pthread_join(v->thread, NULL);
	}
}

void gvm_run_threads(struct gvm *vm, unsigned int want)
{
	gvm_start_threads(vm);
	gvm_join_threads(vm, want);
}
