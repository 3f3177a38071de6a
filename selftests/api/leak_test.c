// SPDX-License-Identifier: GPL-2.0
/*
 * What a VM took from the host comes back: many VMs with many page tables and vCPUs,
 * closed in order or killed while their guests run, leave the host's free memory
 * as it was.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api.h"

#define SLOTS		64
#define FIRST		(1ULL << 30)
#define SPACING		(1ULL << 25)	/* each slot needs a table of its own */
#define VMS		40
#define NOISE_KB	6000		/* what the rest of the host may change */

/* RSI: first slot, RCX: slots, RBX: distance. Touches each, and again for ever. */
GUEST_ASM(toucher, 64,
	"1:	movq	%rsi, %rdi\n"
	"	movq	%rcx, %rdx\n"
	"2:	incl	(%rdi)\n"
	"	addq	%rbx, %rdi\n"
	"	decq	%rdx\n"
	"	jnz	2b\n"
	"	outb	%al, $0xe0\n"
	"	jmp	1b\n");

static long field_kb(const char *name)
{
	FILE *f = fopen("/proc/meminfo", "r");
	char line[128];
	long kb = -1;

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, name, strlen(name)))
			sscanf(line + strlen(name), ": %ld", &kb);
	if (!f || kb < 0)
		tap_bail("/proc/meminfo has no %s", name);
	fclose(f);
	return kb;
}

/* Free, or the page cache's to give. */
static long host_kb(void)
{
	return field_kb("MemFree") + field_kb("Buffers") + field_kb("Cached");
}

static struct vm *make_vm(char *mem)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct minikvm_regs regs = {
		.rip = GUEST_CODE, .rflags = 2, .rsi = FIRST, .rcx = SLOTS, .rbx = SPACING,
	};
	unsigned int i;

	for (i = 0; i < SLOTS; i++)
		if (vm_set_region(vm, i + 1, FIRST + i * SPACING, 4096, mem + i * 4096,
				  i & 1 ? MINIKVM_MEM_LOG_DIRTY_PAGES : 0))
			tap_bail("slot %u: %s", i + 1, strerror(errno));
	for (i = 0; i < 4; i++)
		vm_add_vcpu(vm, i);
	vm_load(vm, toucher);
	vcpu_set_mode(&vm->vcpu[0], GUEST_LONG, GUEST_CODE);
	if (ioctl(vm->vcpu[0].fd, MINIKVM_SET_REGS, &regs))
		tap_bail("SET_REGS: %s", strerror(errno));
	return vm;
}

static void close_one(char *mem)
{
	struct vm *vm = make_vm(mem);

	if (vcpu_run(&vm->vcpu[0]) || vm->vcpu[0].run->exit_reason != MINIKVM_EXIT_IO)
		tap_bail("the guest does not run");
	vm_free(vm);
}

/* The child is killed in RUN, or between two of them. */
static void kill_one(char *mem)
{
	int pipefd[2], status;
	char byte;
	pid_t pid;

	if (pipe(pipefd))
		tap_bail("pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (!pid) {
		struct vm *vm = make_vm(mem);

		while (!vcpu_run(&vm->vcpu[0]))
			if (write(pipefd[1], "x", 1) != 1)
				break;
		_exit(1);
	}
	close(pipefd[1]);
	if (read(pipefd[0], &byte, 1) != 1)
		tap_bail("the guest of the child does not run");
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	close(pipefd[0]);
}

static void test_leak(void (*one)(char *mem), char *mem, const char *what)
{
	long before, after = 0;
	int i, tries;

	/* The first ones fill the allocators' own stores. */
	for (i = 0; i < VMS / 4; i++)
		one(mem);
	sleep(1);
	before = host_kb();
	for (i = 0; i < VMS; i++)
		one(mem);
	/* RCU and per-CPU stores give back late. */
	for (tries = 0; tries < 5; tries++) {
		sleep(1);
		after = host_kb();
		if (after >= before - NOISE_KB)
			break;
	}
	tap_ok(after >= before - NOISE_KB, "%d VMs %s leave the host's memory as it was", VMS,
	       what);
	tap_diag("free before %ld KiB, after %ld KiB", before, after);
}

int main(void)
{
	char *mem = mmap(NULL, SLOTS * 4096, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	tap_plan(0);
	if (mem == MAP_FAILED)
		tap_bail("mmap: %s", strerror(errno));
	test_leak(close_one, mem, "that are closed");
	test_leak(kill_one, mem, "that are killed");
	return tap_done();
}
