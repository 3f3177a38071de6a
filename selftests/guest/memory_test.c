// SPDX-License-Identifier: GPL-2.0
/*
 * Guest memory is the host process's memory at every moment: faulted in on demand, and following
 * madvise, mprotect, munmap and fork under the guest's feet (the mmu notifier).
 */
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gvm.h"

#define SIZE	0x400000ul		/* two large pages; aligned so that they can be */
#define PAGE	0x1000ul

enum stage { ST_TOUCHED = 1, ST_DONTNEED, ST_REMAP, ST_PROTECT, ST_FORK, ST_FORKED, ST_UNMAP, ST_RETURN };

static volatile uint64_t *at(uint64_t page)
{
	return (volatile uint64_t *)(GUEST_EXTRA + page * PAGE);
}

static void guest_main(void)
{
	unsigned int i;
	bool ok = true;

	for (i = 0; i < 16; i++)
		*at(64 * i) = 0x1000 + i;
	guest_sync(ST_TOUCHED, 0);
	for (i = 0; i < 16; i++)
		ok &= *at(64 * i) == 0x1000 + i;
	guest_check(ok, "what the guest wrote is still there after an exit");
	guest_sync(ST_DONTNEED, 0);
	guest_eq(*at(0), 0, "after MADV_DONTNEED the guest reads zeros");
	guest_eq(*at(960), 0x100f, "... and only where it was asked for");
	*at(0) = 42;
	guest_sync(ST_REMAP, 0);
	guest_eq(*at(64), 0x5eed, "after mmap() over the page the guest reads the new mapping");
	guest_sync(ST_PROTECT, 0);
	guest_eq(*at(128), 0x1002, "after mprotect(PROT_READ) the guest still reads");
	guest_sync(ST_FORK, 0);
	*at(192) = 0xc0de;
	guest_eq(*at(192), 0xc0de, "after fork() the guest writes its own copy");
	guest_sync(ST_FORKED, 0);
	guest_eq(*at(256), 0xface, "a page the host wrote after fork() shows in the guest");
	guest_sync(ST_UNMAP, 0);
	*at(320) = 1;
	guest_sync(ST_RETURN, 0);
	guest_eq(*at(320), 0, "memory mapped again shows in the guest");
	guest_done();
}

static unsigned int resident(uint8_t *mem)
{
	unsigned char vec[SIZE / PAGE];
	unsigned int i, n = 0;

	if (mincore(mem, SIZE, vec))
		tap_bail("mincore: %s", strerror(errno));
	for (i = 0; i < SIZE / PAGE; i++)
		n += vec[i] & 1;
	return n;
}

static bool run_to(struct gvm *vm, uint64_t stage)
{
	int stop = gvm_run(vm, 0);

	if (stop == GVM_SYNC && vm->sync_stage == stage)
		return true;
	tap_ok(false, "the guest reaches stage %u", (unsigned int)stage);
	tap_diag("stop %d, stage %u", stop, (unsigned int)vm->sync_stage);
	return false;
}

/* The child looks at its copy only after the parent's guest has written. */
static pid_t fork_reader(uint8_t *mem, int *go)
{
	int p[2];
	pid_t pid;
	char c;

	if (pipe(p))
		tap_bail("pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (!pid) {
		close(p[1]);
		if (read(p[0], &c, 1) != 1)
			_exit(2);
		_exit(*(uint64_t *)(mem + 192 * PAGE) == 0x1003 ? 0 : 1);
	}
	close(p[0]);
	*go = p[1];
	return pid;
}

static bool fork_stages(struct gvm *vm, uint8_t *mem)
{
	int status = -1, go;
	pid_t child;

	if (!run_to(vm, ST_FORK))
		return false;
	child = fork_reader(mem, &go);
	if (!run_to(vm, ST_FORKED))
		return false;
	tap_eq(*(uint64_t *)(mem + 192 * PAGE), 0xc0de, "the parent sees the guest's write");
	if (write(go, "x", 1) != 1 || waitpid(child, &status, 0) != child)
		tap_bail("waiting for the child: %s", strerror(errno));
	close(go);
	tap_eq(status, 0, "the child's copy kept the value from before fork()");
	*(uint64_t *)(mem + 256 * PAGE) = 0xface;
	return true;
}

static bool protect_stage(struct gvm *vm, uint8_t *mem)
{
	if (!run_to(vm, ST_PROTECT))
		return false;
	if (mprotect(mem + 128 * PAGE, PAGE, PROT_READ))
		tap_bail("mprotect: %s", strerror(errno));
	return true;
}

/* A hole in the backing: the write cannot be served; KVM_RUN says EFAULT and works again afterwards. */
static bool unmap_stages(struct gvm *vm, uint8_t *mem)
{
	int stop;

	if (!run_to(vm, ST_UNMAP))
		return false;
	munmap(mem + 320 * PAGE, PAGE);
	stop = gvm_run(vm, 0);
	tap_ok(stop == GVM_ERROR && vm->last_errno == EFAULT, "a write to unmapped backing ends KVM_RUN with EFAULT");
	if (mmap(mem + 320 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		tap_bail("mmap: %s", strerror(errno));
	if (!run_to(vm, ST_RETURN))
		return false;
	tap_eq(*(uint64_t *)(mem + 320 * PAGE), 1, "mapped again, the same write goes through");
	*(uint64_t *)(mem + 320 * PAGE) = 0;
	return true;
}

static void stages(struct gvm *vm, uint8_t *mem)
{
	if (!run_to(vm, ST_TOUCHED))
		return;
	tap_ok(resident(mem) >= 16 && resident(mem) <= 64, "only the pages the guest touched are there");
	tap_eq(*(uint64_t *)(mem + 64 * PAGE), 0x1001, "userspace reads what the guest wrote");
	if (!run_to(vm, ST_DONTNEED))
		return;
	madvise(mem, PAGE, MADV_DONTNEED);
	if (!run_to(vm, ST_REMAP))
		return;
	tap_eq(*(uint64_t *)mem, 42, "a page touched again after MADV_DONTNEED is shared again");
	if (mmap(mem + 64 * PAGE, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		 0) == MAP_FAILED)
		tap_bail("mmap: %s", strerror(errno));
	*(uint64_t *)(mem + 64 * PAGE) = 0x5eed;
	if (protect_stage(vm, mem) && fork_stages(vm, mem) && unmap_stages(vm, mem))
		gvm_run_done(vm);
}

int main(void)
{
	uint8_t *map, *mem;
	struct gvm *vm;

	gvm_start();
	map = mmap(NULL, SIZE + 0x200000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		tap_bail("out of memory");
	mem = (uint8_t *)(((uintptr_t)map + 0x1fffff) & ~0x1ffffful);
	madvise(mem, SIZE, MADV_NOHUGEPAGE);
	vm = gvm_create(1, 0);
	if (gvm_slot(vm, 1, GUEST_EXTRA, SIZE, mem, 0))
		tap_bail("MINIKVM_SET_USER_MEMORY_REGION: %s", strerror(errno));
	gvm_enter64(vm, 0, guest_main);
	stages(vm, mem);
	gvm_destroy(vm);
	return gvm_finish();
}
