// SPDX-License-Identifier: GPL-2.0
/*
 * No write is lost while the dirty log is read: two vCPUs keep writing, on small
 * and on large pages, while userspace reads and clears the log, moves the slot and
 * switches logging off and on; in the end a copy made of reported pages alone
 * equals the memory.
 */
#include <pthread.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "vm.h"

#define GPA	0x40000000ULL
#define OTHER	0x60000000ULL	/* where the slot moves */
#define SIZE	0x800000ULL	/* four large pages */
#define PAGES	(SIZE / 4096)
#define LARGE	0x200000UL

/*
 * RSI: the slot, RCX: a seed, RDI: which of the two. Adds 1 to this vCPU's word of 64
 * pages that look random, tells, and again. A hole reads as userspace says.
 */
GUEST_ASM(writer, 64,
	"1:	movl	$64, %ebx\n"
	"2:	imulq	$1664525, %rcx, %rcx\n"
	"	addq	$1013904223, %rcx\n"
	"	movq	%rcx, %rax\n"
	"	shrq	$9, %rax\n"
	"	andl	$0x7ff000, %eax\n"
	"	addq	%rdi, %rax\n"
	"	incl	(%rsi, %rax)\n"
	"	decl	%ebx\n"
	"	jnz	2b\n"
	"	outb	%al, $0xe0\n"
	"	jmp	1b\n");

enum way { READING, MANUAL, INITIALLY_SET, NR_WAYS };

static const char *const way_name[NR_WAYS] = {
	"clearing by reading", "clearing by hand", "initially set",
};

struct race {
	struct vm *vm;
	char *mem, *copy;
	uint64_t log[PAGES / 64];
	enum way way;
	bool failed;
};

static volatile int stop;
static volatile unsigned long rounds[2];

static void *run_vcpu(void *arg)
{
	struct vcpu *vcpu = arg;

	while (!stop) {
		if (vcpu_run(vcpu)) {
			stop = 2;
			break;
		}
		/* While the slot is gone its pages are MMIO, which reads as it will. */
		if (vcpu->run->exit_reason == MINIKVM_EXIT_IO)
			rounds[vcpu->id]++;
		else if (vcpu->run->exit_reason != MINIKVM_EXIT_MMIO)
			stop = 3;
	}
	return NULL;
}

static void start(pthread_t *thread, struct vcpu *vcpu, unsigned int seed)
{
	struct minikvm_regs regs = {
		.rip = GUEST_CODE, .rflags = 2, .rsi = GPA, .rcx = seed,
		.rdi = vcpu->id * 8,
	};

	if (ioctl(vcpu->fd, MINIKVM_SET_REGS, &regs))
		tap_bail("SET_REGS: %s", strerror(errno));
	if (pthread_create(thread, NULL, run_vcpu, vcpu))
		tap_bail("pthread_create");
}

/* Copy what the log reports; with a log by hand, clear before looking. */
static void harvest(struct race *r)
{
	struct minikvm_dirty_log get = { .slot = 1, .dirty_bitmap = (uintptr_t)r->log };
	struct minikvm_clear_dirty_log clear = {
		.slot = 1, .num_pages = PAGES, .dirty_bitmap = (uintptr_t)r->log,
	};
	unsigned int i;

	if (ioctl(r->vm->fd, MINIKVM_GET_DIRTY_LOG, &get) ||
	    (r->way != READING && ioctl(r->vm->fd, MINIKVM_CLEAR_DIRTY_LOG, &clear)))
		r->failed = true;
	for (i = 0; i < PAGES; i++)
		if (r->log[i / 64] >> (i % 64) & 1)
			memcpy(r->copy + i * 4096, r->mem + i * 4096, 4096);
}

static void wait_rounds(unsigned long more)
{
	unsigned long goal[2] = { rounds[0] + more, rounds[1] + more };

	while (!stop && (rounds[0] < goal[0] || rounds[1] < goal[1]))
		sched_yield();
}

static void set_slot(struct race *r, uint64_t gpa, uint32_t flags)
{
	if (vm_set_region(r->vm, 1, gpa, SIZE, r->mem, flags))
		r->failed = true;
}

static void race(struct vm *vm, char *mem, enum way way, bool large)
{
	struct minikvm_enable_cap cap = {
		.cap = MINIKVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, .args = { way == READING ? 0 :
			way == MANUAL ? MINIKVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE :
			MINIKVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE | MINIKVM_DIRTY_LOG_INITIALLY_SET },
	};
	struct race r = { .vm = vm, .mem = mem, .way = way };
	pthread_t thread[2];
	unsigned int i;

	if (ioctl(vm->fd, MINIKVM_ENABLE_CAP, &cap)) {
		tap_skip("%s", way_name[way]);
		return;
	}
	r.copy = malloc(SIZE);
	if (!r.copy)
		tap_bail("no memory");
	set_slot(&r, GPA, 0);
	stop = 0;
	for (i = 0; i < 2; i++)
		start(&thread[i], &vm->vcpu[i], 12345 * (i + 1));
	wait_rounds(4);
	set_slot(&r, GPA, MINIKVM_MEM_LOG_DIRTY_PAGES);
	memcpy(r.copy, mem, SIZE);
	for (i = 0; i < 24 && !stop; i++) {
		wait_rounds(1);
		if (i == 8) {
			set_slot(&r, OTHER, MINIKVM_MEM_LOG_DIRTY_PAGES);
			set_slot(&r, GPA, MINIKVM_MEM_LOG_DIRTY_PAGES);
		}
		if (i == 16) {
			set_slot(&r, GPA, 0);
			wait_rounds(2);
			set_slot(&r, GPA, MINIKVM_MEM_LOG_DIRTY_PAGES);
			memcpy(r.copy, mem, SIZE);
		}
		harvest(&r);
	}
	tap_eq(stop, 0, "%s, %s pages: the vCPUs run on", way_name[way], large ? "large" : "small");
	stop = 1;
	for (i = 0; i < 2; i++)
		pthread_join(thread[i], NULL);
	tap_ok(!r.failed, "%s: every ioctl succeeds", way_name[way]);
	harvest(&r);
	tap_ok(!memcmp(r.copy, mem, SIZE), "%s: no write was lost", way_name[way]);
	harvest(&r);
	for (i = 0; i < PAGES / 64 && !r.log[i]; i++)
		;
	tap_eq(i, PAGES / 64, "%s: nothing more is reported", way_name[way]);
	set_slot(&r, GPA, 0);
	vm_set_region(vm, 1, 0, 0, NULL, 0);
	free(r.copy);
}

int main(void)
{
	struct vm *vm = vm_new(0);
	char *map, *mem;
	enum way way;
	int large, i;

	tap_plan(0);
	for (i = 0; i < 2; i++)
		vcpu_set_mode(vm_add_vcpu(vm, i), GUEST_LONG, GUEST_CODE);
	vm_load(vm, writer);
	for (large = 0; large < 2; large++) {
		map = mmap(NULL, SIZE + LARGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (map == MAP_FAILED)
			tap_bail("mmap: %s", strerror(errno));
		mem = (char *)(((uintptr_t)map + LARGE - 1) & ~(LARGE - 1));
		madvise(mem, SIZE, large ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
		for (way = READING; way < NR_WAYS; way++)
			race(vm, mem, way, large);
		munmap(map, SIZE + LARGE);
	}
	vm_free(vm);
	return tap_done();
}
