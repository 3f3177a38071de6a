// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rule that no argument hurts the host: ioctls with random, and with
 * slightly wrong, arguments, on VMs that run between them. What it can see from
 * here is that a well-behaved VM still works afterwards; the lab looks at the
 * kernel's log. The random numbers are the same in each run; FUZZ_SEED and
 * FUZZ_ROUNDS in the environment choose others.
 */
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <unistd.h>

#include "api.h"

#define ARENA_SIZE	0x200000UL
#define STEPS		300	/* ioctls per VM */

GUEST_ASM(good_guest, 64,
	"	movl	$0x1234, %eax\n"
	"	outw	%ax, $0xe0\n");

enum target { VM_IOCTL, VCPU_IOCTL };

/* An ioctl, and the one that reads the same structure, if there is one. */
struct target_ioctl {
	enum target target;
	unsigned long cmd;
	unsigned long get;
	size_t size;	/* with entries, for those that have some */
};

#define PAIR(t, name, s) \
	{ t, MINIKVM_SET_##name, MINIKVM_GET_##name, sizeof(struct minikvm_##s) }
#define ONE(t, name, bytes)	{ t, MINIKVM_##name, 0, bytes }

static const struct target_ioctl ioctls[] = {
	PAIR(VCPU_IOCTL, REGS, regs),
	PAIR(VCPU_IOCTL, SREGS, sregs),
	PAIR(VCPU_IOCTL, SREGS, sregs),
	PAIR(VCPU_IOCTL, FPU, fpu),
	PAIR(VCPU_IOCTL, LAPIC, lapic_state),
	PAIR(VCPU_IOCTL, LAPIC, lapic_state),
	PAIR(VCPU_IOCTL, MP_STATE, mp_state),
	ONE(VCPU_IOCTL, SET_MSRS, 8 + 16 * 4),
	ONE(VCPU_IOCTL, GET_MSRS, 8 + 16 * 4),
	ONE(VCPU_IOCTL, SET_CPUID2, 8 + 40 * 3),
	ONE(VCPU_IOCTL, GET_CPUID2, 8 + 40 * 3),
	ONE(VCPU_IOCTL, NMI, 0),
	PAIR(VCPU_IOCTL, VCPU_EVENTS, vcpu_events),
	PAIR(VCPU_IOCTL, SREGS2, sregs2),
	PAIR(VCPU_IOCTL, XSAVE, xsave),
	PAIR(VCPU_IOCTL, XCRS, xcrs),
	PAIR(VCPU_IOCTL, DEBUGREGS, debugregs),
	ONE(VCPU_IOCTL, GET_XSAVE2, sizeof(struct minikvm_xsave)),
	ONE(VCPU_IOCTL, SET_GUEST_DEBUG, sizeof(struct minikvm_guest_debug)),
	ONE(VCPU_IOCTL, TRANSLATE, sizeof(struct minikvm_translation)),
	ONE(VCPU_IOCTL, INTERRUPT, sizeof(struct minikvm_interrupt)),
	ONE(VCPU_IOCTL, SET_VAPIC_ADDR, sizeof(struct minikvm_vapic_addr)),
	ONE(VCPU_IOCTL, TPR_ACCESS_REPORTING, sizeof(struct minikvm_tpr_access_ctl)),
	ONE(VCPU_IOCTL, X86_SETUP_MCE, 8),
	ONE(VCPU_IOCTL, X86_SET_MCE, sizeof(struct minikvm_x86_mce)),
	ONE(VCPU_IOCTL, KVMCLOCK_CTRL, 0),
	ONE(VCPU_IOCTL, SET_TSC_KHZ, 0),
	ONE(VCPU_IOCTL, SET_DEVICE_ATTR, sizeof(struct minikvm_device_attr)),
	ONE(VCPU_IOCTL, GET_DEVICE_ATTR, sizeof(struct minikvm_device_attr)),
	PAIR(VM_IOCTL, CLOCK, clock_data),
	ONE(VM_IOCTL, X86_SET_MSR_FILTER, sizeof(struct minikvm_msr_filter)),
	PAIR(VM_IOCTL, IRQCHIP, irqchip),
	PAIR(VM_IOCTL, IRQCHIP, irqchip),
	PAIR(VM_IOCTL, PIT2, pit_state2),
	PAIR(VM_IOCTL, PIT, pit_state),
	ONE(VM_IOCTL, REINJECT_CONTROL, sizeof(struct minikvm_reinject_control)),
	ONE(VM_IOCTL, IRQ_LINE, sizeof(struct minikvm_irq_level)),
	ONE(VM_IOCTL, IRQ_LINE_STATUS, sizeof(struct minikvm_irq_level)),
	ONE(VM_IOCTL, SIGNAL_MSI, sizeof(struct minikvm_msi)),
	ONE(VM_IOCTL, SET_GSI_ROUTING, 8 + 48 * 4),
	ONE(VM_IOCTL, IRQFD, sizeof(struct minikvm_irqfd)),
	ONE(VM_IOCTL, IRQFD, sizeof(struct minikvm_irqfd)),
	ONE(VM_IOCTL, IOEVENTFD, sizeof(struct minikvm_ioeventfd)),
	ONE(VM_IOCTL, REGISTER_COALESCED_MMIO, sizeof(struct minikvm_coalesced_mmio_zone)),
	ONE(VM_IOCTL, UNREGISTER_COALESCED_MMIO, sizeof(struct minikvm_coalesced_mmio_zone)),
	ONE(VM_IOCTL, CREATE_PIT2, sizeof(struct minikvm_pit_config)),
	ONE(VM_IOCTL, SET_IDENTITY_MAP_ADDR, 8),
	ONE(VM_IOCTL, CREATE_IRQCHIP, 0),
	ONE(VM_IOCTL, GET_DIRTY_LOG, sizeof(struct minikvm_dirty_log)),
};

static uint64_t seed = 0x9e3779b97f4a7c15;

/* xorshift64 */
static uint64_t rnd(void)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return seed;
}

/* Small numbers, single bits and edges find more than uniform ones. */
static uint64_t rnd_value(void)
{
	switch (rnd() % 6) {
	case 0:
		return rnd() % 16;
	case 1:
		return 1ULL << rnd() % 64;
	case 2:
		return ~0ULL << rnd() % 64;
	case 3:
		return (1ULL << rnd() % 64) - 1;
	case 4:
		return rnd() % 0x10000;
	default:
		return rnd();
	}
}

static void rnd_fill(unsigned char *buf, size_t size)
{
	uint64_t value;
	size_t i, n;

	for (i = 0; i < size; i += n) {
		value = rnd_value();
		n = 1u << rnd() % 4;
		n = n < size - i ? n : size - i;
		memcpy(buf + i, &value, n);
	}
}

static const uint32_t msrs[] = {
	0x10, 0x11, 0x12, 0x1b, 0x3a, 0x3b, 0x48, 0x49, 0x79, 0x8b, 0xfe, 0x10a,
	0x174, 0x175, 0x176, 0x17a, 0x1a0, 0x1d9, 0x200, 0x201, 0x250, 0x277,
	0x2ff, 0x400, 0x480, 0x6e0, 0x802, 0x808, 0x80b, 0x830, 0xda0, 0xc0000080,
	0xc0000081, 0xc0000082, 0xc0000084, 0xc0000100, 0xc0000101, 0xc0000102,
	0xc0000103, 0x4b564d00, 0x4b564d01, 0x4b564d02, 0x4b564d03, 0x4b564d04,
};

/* One of a few eventfds, signalled now and then, and now and then at its end. */
static int some_eventfd(void)
{
	static int fds[4];
	int *fd = &fds[rnd() % ARRAY_SIZE(fds)];

	if (*fd && rnd() % 8 == 0) {
		close(*fd);
		*fd = 0;
	}
	if (!*fd)
		*fd = eventfd(0, EFD_NONBLOCK);
	if (rnd() % 2 && write(*fd, &(uint64_t){ 1 }, 8) != 8)
		tap_bail("eventfd: %s", strerror(errno));
	return *fd;
}

static void mend_eventfds(unsigned long cmd, unsigned char *buf)
{
	struct minikvm_ioeventfd *io = (void *)buf;
	struct minikvm_irqfd *irq = (void *)buf;

	if (cmd == MINIKVM_IRQFD) {
		irq->fd = some_eventfd();
		irq->resamplefd = some_eventfd();
		irq->flags &= 3;
		irq->gsi %= 32;
	} else {
		io->fd = some_eventfd();
		io->flags &= 0xf;
		io->len = rnd() % 4 ? 1u << rnd() % 4 : 0;
		io->addr %= 0x1000;
	}
}

/* Puts counts that let the call get somewhere into what has a count. */
static void mend(const struct target_ioctl *t, unsigned char *buf)
{
	struct minikvm_msrs *m = (void *)buf;
	uint32_t i;

	switch (t->cmd) {
	case MINIKVM_SET_MSRS:
	case MINIKVM_GET_MSRS:
		m->nmsrs = rnd() % 5;
		for (i = 0; i < m->nmsrs; i++)
			m->entries[i].index = msrs[rnd() % ARRAY_SIZE(msrs)];
		break;
	case MINIKVM_SET_CPUID2:
	case MINIKVM_GET_CPUID2:
		((struct minikvm_cpuid2 *)buf)->nent = rnd() % 4;
		break;
	case MINIKVM_SET_GSI_ROUTING:
		((struct minikvm_irq_routing *)buf)->nr = rnd() % 5;
		((struct minikvm_irq_routing *)buf)->flags = rnd() % 8 == 0;
		break;
	case MINIKVM_IRQFD:
	case MINIKVM_IOEVENTFD:
		if (rnd() % 8)
			mend_eventfds(t->cmd, buf);
		break;
	case MINIKVM_REGISTER_COALESCED_MMIO:
		((struct minikvm_coalesced_mmio_zone *)buf)->pio &= 1;
		break;
	case MINIKVM_SET_IRQCHIP:
		((struct minikvm_irqchip *)buf)->chip_id = rnd() % 4;
		break;
	}
}

static void one_ioctl(struct vm *vm)
{
	const struct target_ioctl *t = &ioctls[rnd() % ARRAY_SIZE(ioctls)];
	struct vcpu *vcpu = &vm->vcpu[rnd() % vm->nr_vcpus];
	int fd = t->target == VM_IOCTL ? vm->fd : vcpu->fd;
	static unsigned char buf[4096] __attribute__((aligned(16)));
	unsigned int i;

	rnd_fill(buf, t->size ? t->size : 8);
	mend(t, buf);
	/* Mostly the true state with a few bytes changed. */
	if (t->get && rnd() % 4) {
		ioctl(fd, t->get, buf);
		for (i = 0; i < 1 + rnd() % 3; i++)
			rnd_fill(buf + rnd() % t->size / 4 * 4,
				 t->size < 4 ? t->size : 4);
		mend(t, buf);
	}
	ioctl(fd, t->cmd, t->size ? (void *)buf : NULL);
}

/* Slots from a piece of memory that may be written to, at random places. */
static void one_slot(struct vm *vm, char *arena)
{
	uint64_t off = rnd() % (ARENA_SIZE / 4096) * 4096;
	uint64_t size = rnd() % (ARENA_SIZE / 4096) * 4096;
	uint64_t gpa = rnd() % 3 ? rnd() % 0x1000 * 4096 : rnd_value();

	if (rnd() % 16 == 0)
		size = rnd_value();
	else if (size > ARENA_SIZE - off)
		size = ARENA_SIZE - off;
	if (size > ARENA_SIZE - off && !(size & 0xfff))
		size |= 1;	/* must not reach what is behind the arena */
	vm_set_region(vm, rnd() % 6, gpa, size, arena + off, rnd() % 5);
}

static void on_alarm(int sig)
{
	(void)sig;
}

static void run_some(struct vm *vm)
{
	struct vcpu *vcpu = &vm->vcpu[rnd() % vm->nr_vcpus];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		rnd_fill((unsigned char *)vcpu->run + 32, 64);
		if (rnd() % 4 == 0)
			rnd_fill((unsigned char *)vcpu->run +
				 MINIKVM_COALESCED_MMIO_PAGE_OFFSET * 4096, 8);
		if (rnd() % 8 == 0) {
			rnd_fill((unsigned char *)vcpu->run, 2304);
			vcpu->run->immediate_exit &= 1;
		}
		vcpu_run(vcpu);
		vcpu->run->immediate_exit = 0;
		vcpu->run->kvm_valid_regs = 0;
		vcpu->run->kvm_dirty_regs = 0;
		vcpu->run->cr8 &= 0xf;
	}
}

static void fuzz_vm(char *arena)
{
	struct itimerval timer = { { 0, 5000 }, { 0, 5000 } };
	struct vm *vm = vm_new(rnd() % 4 ? VM_PIT : 0);
	unsigned int i, nr = 1 + rnd() % 3;

	for (i = 0; i < nr; i++)
		vm_add_vcpu(vm, i);
	vm_load(vm, irq_guest);
	vcpu_set_mode(&vm->vcpu[0], rnd() % 3, GUEST_CODE);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (i = 0; i < STEPS; i++) {
		one_ioctl(vm);
		if (i % 10 == 0)
			one_slot(vm, arena);
		if (i % 25 == 24)
			run_some(vm);
	}
	memset(&timer, 0, sizeof(timer));
	setitimer(ITIMER_REAL, &timer, NULL);
	vm_free(vm);
}

static bool good_vm_runs(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);
	bool good;

	vm_load(vm, good_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	good = !vcpu_run(vcpu) && vcpu->run->exit_reason == MINIKVM_EXIT_IO &&
	       vcpu_io_value(vcpu) == 0x1234;
	vm_free(vm);
	return good;
}

int main(void)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	const char *text = getenv("FUZZ_SEED");
	unsigned int i, rounds;
	char *arena;

	close(dev_open());	/* skips the program if there is no device */
	if (text)
		seed = strtoull(text, NULL, 0) | 1;
	text = getenv("FUZZ_ROUNDS");
	rounds = text ? (unsigned int)strtoul(text, NULL, 0) : 10;
	sigaction(SIGALRM, &sa, NULL);
	arena = mmap(NULL, ARENA_SIZE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (arena == MAP_FAILED)
		tap_bail("mmap: %s", strerror(errno));

	tap_plan(rounds);
	for (i = 0; i < rounds; i++) {
		uint64_t begin = seed;

		fuzz_vm(arena);
		tap_ok(good_vm_runs(), "a good VM runs after round %u (seed %#llx)",
		       i, (unsigned long long)begin);
	}
	return tap_done();
}
