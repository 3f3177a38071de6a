// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of what may back a slot: every kind of mapping a process can make,
 * with the rights it has there, and copy-on-write between processes.
 */
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "api.h"

#define GPA	0x40000000ULL
#define SIZE	0x200000ULL

/* @mem can be read and written by both; it takes the last page of the slot. */
static void check_rw(struct vm *vm, struct vcpu *vcpu, void *mem, const char *what)
{
	volatile uint32_t *word = mem + SIZE - 4096;

	if (mem == MAP_FAILED) {
		tap_skip("%s: %s", what, strerror(errno));
		return;
	}
	*word = 0x1234;
	tap_errno(vm_set_region(vm, 1, GPA, SIZE, mem, 0), 0, "%s: a slot", what);
	access_start(vcpu, GPA + SIZE - 4096, 0x5678);
	access_expect_read(vcpu, 0x1234, what);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "%s: guest writes", what);
	tap_eq(*word, 0x5678, "%s: the VMM sees it", what);
	*word = 0x9abc;
	access_expect_read(vcpu, 0x9abc, what);
	tap_errno(vm_set_region(vm, 1, 0, 0, NULL, 0), 0, "%s: deleted", what);
	munmap(mem, SIZE);
}

static void test_anonymous(struct vm *vm, struct vcpu *vcpu)
{
	check_rw(vm, vcpu, mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), "private anonymous");
	check_rw(vm, vcpu, mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0), "shared anonymous");
	check_rw(vm, vcpu, mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE | MAP_LOCKED, -1, 0),
		 "locked");
	check_rw(vm, vcpu, mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0), "hugetlb");
	check_rw(vm, vcpu, mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB, -1, 0),
		 "shared hugetlb");
}

static void test_file(struct vm *vm, struct vcpu *vcpu)
{
	int fd = memfd_create("backing", 0);
	uint32_t word = 0;
	void *mem;

	if (fd < 0 || ftruncate(fd, SIZE))
		tap_bail("memfd: %s", strerror(errno));
	check_rw(vm, vcpu, mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
		 "shared file");
	if (pread(fd, &word, sizeof(word), SIZE - 4096) != sizeof(word))
		tap_bail("pread: %s", strerror(errno));
	tap_eq(word, 0x9abc, "shared file: the file holds what was written");
	check_rw(vm, vcpu, mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0),
		 "private file");

	/* A page of a private mapping that is only read is the file's. */
	word = 0x11;
	if (pwrite(fd, &word, sizeof(word), 0) != sizeof(word))
		tap_bail("pwrite: %s", strerror(errno));
	mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	vm_set_region(vm, 1, GPA, SIZE, mem, 0);
	access_start(vcpu, GPA, 0x22);
	access_expect_read(vcpu, 0x11, "private file, read");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "private file: guest writes");
	tap_eq(*(volatile uint32_t *)mem, 0x22, "private file: the VMM has the copy");
	if (pread(fd, &word, sizeof(word), 0) != sizeof(word))
		tap_bail("pread: %s", strerror(errno));
	tap_eq(word, 0x11, "private file: the file is as it was");

	/* Behind the end of a file there is nothing. */
	access_start(vcpu, GPA + SIZE - 4096, 0x33);
	if (ftruncate(fd, 4096))
		tap_bail("ftruncate: %s", strerror(errno));
	tap_eq(vcpu_run(vcpu), -EFAULT, "a file that was cut short: RUN fails");
	vm_set_region(vm, 1, 0, 0, NULL, 0);
	munmap(mem, SIZE);
	close(fd);
}

static void test_rights(struct vm *vm, struct vcpu *vcpu)
{
	uint32_t *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
			     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	mem[0] = 0x44;
	mprotect(mem, SIZE, PROT_READ);
	vm_set_region(vm, 1, GPA, SIZE, mem, 0);
	access_start(vcpu, GPA, 0x55);
	access_expect_read(vcpu, 0x44, "not writable");
	tap_eq(vcpu_run(vcpu), -EFAULT, "not writable: the guest's write fails RUN");
	mprotect(mem, SIZE, PROT_READ | PROT_WRITE);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "writable again: the guest goes on");
	tap_eq(mem[0], 0x55, "writable again: it has written");
	mprotect(mem, SIZE, PROT_NONE);
	tap_eq(vcpu_run(vcpu), -EFAULT, "no rights at all: RUN fails");
	mprotect(mem, SIZE, PROT_READ);
	access_expect_read(vcpu, 0x55, "readable again");
	vm_set_region(vm, 1, 0, 0, NULL, 0);

	tap_errno(vm_set_region(vm, 1, GPA, SIZE, mem, MINIKVM_MEM_READONLY), 0,
		  "not writable, as a read-only slot");
	access_start(vcpu, GPA, 0x66);
	access_expect_read(vcpu, 0x55, "read-only slot");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_MMIO, "read-only slot: a write is MMIO");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "read-only slot: the guest goes on");
	tap_eq(mem[0], 0x55, "read-only slot: the memory is as it was");
	vm_set_region(vm, 1, 0, 0, NULL, 0);
	munmap(mem, SIZE);
}

/* After fork() each process has its own: the guest belongs to the parent. */
static void test_fork(struct vm *vm, struct vcpu *vcpu)
{
	volatile uint32_t *mem = mmap(NULL, SIZE, PROT_READ | PROT_WRITE,
				      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int to_child[2], status = -1;
	char byte;
	pid_t pid;

	mem[0] = 0x77;
	vm_set_region(vm, 1, GPA, SIZE, (void *)mem, 0);
	access_start(vcpu, GPA, 0x88);
	access_expect_read(vcpu, 0x77, "before fork()");
	if (pipe(to_child))
		tap_bail("pipe: %s", strerror(errno));
	pid = fork();
	if (pid < 0)
		tap_bail("fork: %s", strerror(errno));
	if (!pid) {
		/* What the guest writes from now on is not ours. */
		if (read(to_child[0], &byte, 1) != 1)
			_exit(2);
		_exit(mem[0] == 0x77 ? 0 : 1);
	}
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "after fork(): guest writes");
	tap_eq(mem[0], 0x88, "after fork(): the parent sees it");
	if (write(to_child[1], "x", 1) != 1)
		tap_bail("write: %s", strerror(errno));
	waitpid(pid, &status, 0);
	tap_eq(status, 0, "after fork(): the child does not");
	mem[0] = 0x99;
	access_expect_read(vcpu, 0x99, "the parent writes");
	vm_set_region(vm, 1, 0, 0, NULL, 0);
	munmap((void *)mem, SIZE);
}

/* The firmware below 1 MiB: a mapping of frames, which the process may only read. */
static void test_pfn(struct vm *vm, struct vcpu *vcpu)
{
	int fd = open("/dev/mem", O_RDONLY);
	volatile uint32_t *mem = MAP_FAILED;

	if (fd >= 0)
		mem = mmap(NULL, 0x10000, PROT_READ, MAP_SHARED, fd, 0xf0000);
	if (mem == MAP_FAILED) {
		tap_skip("a mapping of frames: /dev/mem: %s", strerror(errno));
		return;
	}
	vm_set_region(vm, 1, GPA, 0x10000, (void *)mem, 0);
	access_start(vcpu, GPA + 0xfff0, 1);
	access_expect_read(vcpu, mem[0xfff0 / 4], "a mapping of frames");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_MMIO, "a mapping of frames: a write is MMIO");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "a mapping of frames: the guest goes on");
	vm_set_region(vm, 1, 0, 0, NULL, 0);
	munmap((void *)mem, 0x10000);
	close(fd);
}

int main(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_plan(0);
	vm_load(vm, access_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	test_anonymous(vm, vcpu);
	test_file(vm, vcpu);
	test_rights(vm, vcpu);
	test_fork(vm, vcpu);
	test_pfn(vm, vcpu);
	vm_free(vm);
	return tap_done();
}
