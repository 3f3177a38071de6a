// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of CREATE_VCPU and of a vCPU's mapping: ids, limits and what
 * can be mapped and touched.
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api.h"

static int create(struct vm *vm, unsigned long id)
{
	return ioctl(vm->fd, MINIKVM_CREATE_VCPU, id);
}

static void test_ids(void)
{
	struct vm *vm = vm_new(VM_BARE);
	unsigned int limit = dev_check_extension(vm->fd, MINIKVM_CAP_MAX_VCPU_ID);
	int fd;

	fd = create(vm, 0);
	tap_ok(fd >= 0, "vCPU 0");
	tap_eq(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC,
	       "a vCPU fd is close-on-exec");
	tap_errno(create(vm, 0), EEXIST, "vCPU 0 again");
	close(fd);
	tap_errno(create(vm, 0), EEXIST, "vCPU 0 again, after its fd was closed");
	tap_errno(create(vm, limit - 1), 0, "the highest id, %u", limit - 1);
	tap_errno(create(vm, limit), EINVAL, "the id after the highest");
	tap_errno(create(vm, 0x7fffffff), EINVAL, "id 2^31-1");
	tap_errno(create(vm, 0xffffffff), EINVAL, "id 2^32-1");
	tap_errno(create(vm, 7), 0, "ids need not be dense");
	vm_free(vm);
}

static void test_number(void)
{
	struct vm *vm = vm_new(VM_BARE);
	int max = dev_check_extension(vm->fd, MINIKVM_CAP_MAX_VCPUS);
	int fds[64], i, n = max < 64 ? max : 64;

	for (i = 0; i < n; i++) {
		fds[i] = create(vm, i);
		if (fds[i] < 0)
			break;
	}
	tap_eq(i, n, "%d vCPUs", n);
	if (max <= 64)
		tap_errno(create(vm, max), EINVAL, "one vCPU too many");
	while (i-- > 0)
		close(fds[i]);
	vm_free(vm);
}

static sigjmp_buf bus_error;

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(bus_error, 1);
}

static bool touch_faults(volatile char *p)
{
	if (sigsetjmp(bus_error, 1))
		return true;
	(void)*p;
	return false;
}

static void test_mmap(void)
{
	struct sigaction sa = { .sa_handler = on_sigbus };
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);
	struct minikvm_run *again;
	char *beyond;

	tap_ok(!touch_faults((char *)vcpu->run), "the run page can be read");
	tap_eq(vcpu->run->exit_reason, MINIKVM_EXIT_UNKNOWN,
	       "exit_reason starts as 0");
	again = mmap(NULL, vcpu->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
		     vcpu->fd, 0);
	tap_ok(again != MAP_FAILED, "a vCPU can be mapped twice");
	again->immediate_exit = 1;
	tap_eq(vcpu->run->immediate_exit, 1, "both mappings are the same page");
	tap_eq(vcpu_run(vcpu), -EINTR, "and the kernel sees it too");
	munmap(again, vcpu->run_size);

	sigaction(SIGBUS, &sa, NULL);
	beyond = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd,
		      1024 * 4096);
	tap_ok(beyond == MAP_FAILED || touch_faults(beyond),
	       "there is nothing behind the mapping's size");
	tap_errno(mmap(NULL, 4096, PROT_READ, MAP_SHARED, vm->fd, 0) ==
		  MAP_FAILED ? -1 : 0, ENODEV, "a VM cannot be mapped");
	vm_free(vm);
}

/* What the manuals say of a processor after power-up. */
static void test_reset_state(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);
	struct minikvm_sregs s;
	struct minikvm_regs r;

	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_REGS, &r), 0, "GET_REGS");
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_SREGS, &s), 0, "GET_SREGS");
	tap_eq(r.rip, 0xfff0, "RIP at reset");
	tap_eq(r.rflags, 2, "RFLAGS at reset");
	tap_ok(!r.rax && !r.rbx && !r.rcx && !r.rsi && !r.rdi && !r.rbp &&
	       !r.rsp && !r.r8 && !r.r15, "general registers at reset");
	tap_eq(s.cs.selector, 0xf000, "CS selector at reset");
	tap_eq(s.cs.base, 0xffff0000, "CS base at reset");
	tap_eq(s.cs.limit, 0xffff, "CS limit at reset");
	tap_ok(s.ds.base == 0 && s.ds.limit == 0xffff && !s.ds.selector &&
	       s.ds.present && s.ds.s && s.ds.type == 3, "DS at reset");
	tap_ok(s.tr.base == 0 && s.tr.limit == 0xffff && s.tr.present,
	       "TR at reset");
	tap_ok(s.gdt.base == 0 && s.gdt.limit == 0xffff, "GDTR at reset");
	tap_ok(s.idt.base == 0 && s.idt.limit == 0xffff, "IDTR at reset");
	tap_eq(s.cr0, 0x60000010, "CR0 at reset");
	tap_ok(!s.cr2 && !s.cr3 && !s.cr4 && !s.cr8, "CR2, CR3, CR4, CR8 at reset");
	tap_eq(s.efer, 0, "EFER at reset");
	tap_eq(s.apic_base, 0xfee00900, "APIC_BASE of the boot CPU at reset");
	vm_free(vm);
}

int main(void)
{
	tap_plan(0);
	test_ids();
	test_number();
	test_mmap();
	test_reset_state();
	return tap_done();
}
