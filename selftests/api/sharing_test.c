// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of sharing VMX and the module: with stock KVM, with whoever
 * unloads modules, and with CPUs that come and go while a VM exists.
 *
 * They are the module's own, so there is nothing to compare with /dev/kvm.
 */
#include <fcntl.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "api.h"

#define CPU1_ONLINE	"/sys/devices/system/cpu/cpu1/online"

GUEST_ASM(out_guest, 32,
	  "1:	outb %al, $0x80\n"
	  "	jmp 1b\n");

static int delete_minikvm(void)
{
	return syscall(SYS_delete_module, "minikvm", O_NONBLOCK);
}

/* Since Linux 6.12 stock KVM may hold VMX whether it has a VM or not. */
static bool kvm_keeps_vmx(void)
{
	char c = 'N';
	int fd = open("/sys/module/kvm/parameters/enable_virt_at_load", O_RDONLY);

	if (fd >= 0) {
		if (read(fd, &c, 1) != 1)
			c = 'N';
		close(fd);
	}
	return c == 'Y';
}

static void test_stock_kvm(int dev)
{
	bool loaded = false;
	int kvm, theirs, ours;

	kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0)
		loaded = system("modprobe kvm-intel 2>/dev/null") == 0;
	if (loaded)
		kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (kvm < 0) {
		tap_skip("sharing with stock KVM: there is no /dev/kvm");
		return;
	}
	theirs = ioctl(kvm, MINIKVM_CREATE_VM, 0);
	tap_ok(theirs >= 0, "stock KVM makes a VM");
	tap_errno(ioctl(dev, MINIKVM_CREATE_VM, 0), EBUSY,
		  "CREATE_VM while stock KVM has one");
	close(theirs);
	if (kvm_keeps_vmx()) {
		tap_skip("taking turns: this kernel's KVM keeps VMX (kvm.enable_virt_at_load)");
	} else {
		ours = ioctl(dev, MINIKVM_CREATE_VM, 0);
		tap_ok(ours >= 0, "CREATE_VM when stock KVM's is gone");
		tap_errno(ioctl(kvm, MINIKVM_CREATE_VM, 0), EBUSY,
			  "stock KVM cannot make one meanwhile");
		close(ours);
		theirs = ioctl(kvm, MINIKVM_CREATE_VM, 0);
		tap_ok(theirs >= 0, "it can when ours is gone");
		close(theirs);
	}
	close(kvm);
	if (loaded && system("rmmod kvm_intel && rmmod kvm"))
		tap_bail("what was loaded for the test does not unload");
}

static void test_unload(void)
{
	struct vm *vm = vm_new(VM_BARE);
	int vcpu = ioctl(vm->fd, MINIKVM_CREATE_VCPU, 0);

	tap_errno(delete_minikvm(), EWOULDBLOCK, "unloading while a VM exists");
	close(vm->fd);
	close(vm->dev_fd);
	vm->fd = -1;
	vm->dev_fd = -1;
	tap_errno(delete_minikvm(), EWOULDBLOCK,
		  "unloading while only a vCPU's descriptor is open");
	close(vcpu);
	vm_free(vm);
}

static bool set_cpu1(const char *online)
{
	int fd = open(CPU1_ONLINE, O_WRONLY);
	bool done;

	if (fd < 0)
		return false;
	done = write(fd, online, 1) == 1;
	close(fd);
	return done;
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		tap_bail("cannot run on CPU %d: %m", cpu);
}

static void test_hotplug(void)
{
	struct vcpu *vcpu;
	struct vm *vm;

	if (access(CPU1_ONLINE, W_OK)) {
		tap_skip("CPU hotplug: this host has no second CPU to take away");
		return;
	}
	vm = vm_new(VM_IRQCHIP);
	vcpu = vm_add_vcpu(vm, 0);
	vm_load(vm, out_guest);
	vcpu_set_mode(vcpu, GUEST_PROT, GUEST_CODE);
	pin(1);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "a vCPU runs on CPU 1");
	pin(0);
	tap_ok(set_cpu1("0"), "CPU 1 goes offline while it has the VMCS");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "the vCPU moves to CPU 0");
	tap_ok(set_cpu1("1"), "CPU 1 comes back while a VM exists");
	pin(1);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "and the vCPU runs there again");
	vm_free(vm);

	/* VMX goes off everywhere and on again, the CPU that came back included. */
	vm = vm_new(VM_IRQCHIP);
	vcpu = vm_add_vcpu(vm, 0);
	vm_load(vm, out_guest);
	vcpu_set_mode(vcpu, GUEST_PROT, GUEST_CODE);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "so does the next VM's");
	vm_free(vm);
}

int main(void)
{
	int dev;

	if (strcmp(dev_path(), "/dev/minikvm"))
		tap_skip_all("these are rules of minikvm.ko, and DEV is %s", dev_path());
	if (geteuid())
		tap_skip_all("only root unloads modules and takes CPUs away");
	dev = dev_open();
	tap_plan(0);
	test_stock_kvm(dev);
	close(dev);
	test_unload();
	test_hotplug();
	return tap_done();
}
