// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of a VM's clock and of the TSC's frequency and offset as ioctls:
 * GET_CLOCK, SET_CLOCK, KVMCLOCK_CTRL, SET_TSC_KHZ, GET_TSC_KHZ, and the vCPU
 * attribute TSC_OFFSET.
 */
#include <time.h>

#include "api.h"
#include "../../uapi/minikvm_para.h"

#define NSEC		1000000000ULL
#define CLOCK_FLAGS	(MINIKVM_CLOCK_TSC_STABLE | MINIKVM_CLOCK_REALTIME | \
			 MINIKVM_CLOCK_HOST_TSC)
#define MSR_TSC		0x10

GUEST_ASM(rdtsc_guest, 64,
	"1:	rdtsc\n"
	"	outb	%al, $0xe0\n"
	"	jmp	1b\n");

static uint64_t host_tsc(void)
{
	uint32_t lo, hi;

	asm volatile("lfence; rdtsc; lfence" : "=a"(lo), "=d"(hi) : : "memory");
	return lo | (uint64_t)hi << 32;
}

static uint64_t real_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_REALTIME, &ts);
	return ts.tv_sec * NSEC + ts.tv_nsec;
}

static void get(struct vm *vm, struct minikvm_clock_data *c)
{
	memset(c, 0xff, sizeof(*c));
	if (ioctl(vm->fd, MINIKVM_GET_CLOCK, c))
		tap_bail("GET_CLOCK: %s", strerror(errno));
}

static uint64_t guest_tsc(struct vcpu *vcpu)
{
	struct minikvm_regs regs;

	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "guest reads its TSC");
	if (ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs))
		tap_bail("GET_REGS: %s", strerror(errno));
	return (uint32_t)regs.rax | regs.rdx << 32;
}

static void test_clock(struct vm *vm)
{
	struct minikvm_clock_data a, b;
	uint64_t before, after, tsc;
	int i;

	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_ADJUST_CLOCK), CLOCK_FLAGS,
	       "capability ADJUST_CLOCK lists the flags");
	test_efault(vm->fd, MINIKVM_GET_CLOCK, sizeof(a), "GET_CLOCK");
	test_efault(vm->fd, MINIKVM_SET_CLOCK, sizeof(a), "SET_CLOCK");

	get(vm, &a);
	get(vm, &b);
	tap_ok(b.clock >= a.clock && b.clock - a.clock < NSEC, "the clock runs");
	tap_eq(a.flags & ~CLOCK_FLAGS, 0, "only known flags");
	tap_eq(a.pad0 | a.pad[0] | a.pad[1] | a.pad[2] | a.pad[3], 0, "the padding is zero");

	for (i = 0; i < 32; i++) {
		if (CLOCK_FLAGS & 1u << i)
			continue;
		b = (struct minikvm_clock_data){ .clock = 5, .flags = 1u << i };
		if (ioctl(vm->fd, MINIKVM_SET_CLOCK, &b) != -1 || errno != EINVAL)
			break;
	}
	tap_eq(i, 32, "SET_CLOCK refuses every unknown flag");

	b = (struct minikvm_clock_data){ .clock = 1000 * NSEC };
	tap_errno(ioctl(vm->fd, MINIKVM_SET_CLOCK, &b), 0, "SET_CLOCK");
	before = real_ns();
	tsc = host_tsc();
	get(vm, &a);
	after = real_ns();
	tap_ok(a.clock >= 1000 * NSEC && a.clock < 1010 * NSEC, "the clock goes on from there");
	if (a.flags & MINIKVM_CLOCK_REALTIME)
		tap_ok(a.realtime >= before && a.realtime <= after, "REALTIME is the host's");
	else
		tap_skip("the host's clock is not its TSC");
	if (a.flags & MINIKVM_CLOCK_HOST_TSC)
		tap_ok(a.host_tsc >= tsc && a.host_tsc <= host_tsc(), "HOST_TSC is the host's");
	else
		tap_skip("the host's clock is not its TSC");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_CLOCK, &a), 0, "what was got can be set");

	b = (struct minikvm_clock_data){
		.clock = 50 * NSEC, .flags = MINIKVM_CLOCK_REALTIME, .realtime = real_ns() - 100 * NSEC,
	};
	tap_errno(ioctl(vm->fd, MINIKVM_SET_CLOCK, &b), 0, "SET_CLOCK of 100 s ago");
	get(vm, &a);
	tap_ok(a.clock >= 150 * NSEC && a.clock < 160 * NSEC, "the time since then is added");
	b.realtime = real_ns() + 100 * NSEC;
	tap_errno(ioctl(vm->fd, MINIKVM_SET_CLOCK, &b), 0, "SET_CLOCK of the future");
	get(vm, &a);
	tap_ok(a.clock >= 50 * NSEC && a.clock < 60 * NSEC, "nothing is taken away");
}

static void test_kvmclock_ctrl(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_pvclock *rec = vm_hva(vm, GUEST_DATA);

	tap_errno(ioctl(vcpu->fd, MINIKVM_KVMCLOCK_CTRL, 0), EINVAL,
		  "KVMCLOCK_CTRL of a guest without kvmclock");
	tap_eq(vcpu_set_msr(vcpu, MINIKVM_MSR_SYSTEM_TIME_NEW, GUEST_DATA | MINIKVM_MSR_ENABLED), 1,
	       "the guest gets a kvmclock");
	guest_tsc(vcpu);
	tap_eq(rec->flags & MINIKVM_PVCLOCK_GUEST_STOPPED, 0, "it was not stopped");
	tap_errno(ioctl(vcpu->fd, MINIKVM_KVMCLOCK_CTRL, 0), 0, "KVMCLOCK_CTRL");
	guest_tsc(vcpu);
	tap_eq(rec->flags & MINIKVM_PVCLOCK_GUEST_STOPPED, MINIKVM_PVCLOCK_GUEST_STOPPED,
	       "the guest learns that it was stopped");
}

static int attr(int fd, unsigned long cmd, uint32_t group, uint64_t nr, void *value)
{
	struct minikvm_device_attr a = {
		.group = group, .attr = nr, .addr = (uintptr_t)value,
	};

	return ioctl(fd, cmd, &a);
}

static void test_offset(struct vcpu *vcpu)
{
	uint64_t offset = 0x123456789abc, seen = 0, lo, hi, tsc;

	test_efault(vcpu->fd, MINIKVM_GET_DEVICE_ATTR, sizeof(struct minikvm_device_attr),
		    "GET_DEVICE_ATTR");
	tap_errno(attr(vcpu->fd, MINIKVM_HAS_DEVICE_ATTR, MINIKVM_VCPU_TSC_CTRL,
		       MINIKVM_VCPU_TSC_OFFSET, NULL), 0, "a vCPU has TSC_OFFSET");
	tap_errno(attr(vcpu->fd, MINIKVM_HAS_DEVICE_ATTR, 1, 0, NULL), ENXIO, "no other group");
	tap_errno(attr(vcpu->fd, MINIKVM_HAS_DEVICE_ATTR, 0, 1, NULL), ENXIO, "no other attribute");
	tap_errno(attr(vcpu->fd, MINIKVM_GET_DEVICE_ATTR, 0, 1, &seen), ENXIO, "... to get");
	tap_errno(attr(vcpu->fd, MINIKVM_SET_DEVICE_ATTR, 0, 1, &seen), ENXIO, "... to set");
	tap_errno(attr(vcpu->fd, MINIKVM_SET_DEVICE_ATTR, 7, 0, &seen), ENXIO, "... in another group");
	tap_errno(attr(vcpu->fd, MINIKVM_GET_DEVICE_ATTR, 0, 0, BAD_PTR), EFAULT, "getting to nowhere");
	tap_errno(attr(vcpu->fd, MINIKVM_SET_DEVICE_ATTR, 0, 0, BAD_PTR), EFAULT, "setting from nowhere");

	tap_errno(attr(vcpu->fd, MINIKVM_SET_DEVICE_ATTR, 0, 0, &offset), 0, "TSC_OFFSET is set");
	tap_errno(attr(vcpu->fd, MINIKVM_GET_DEVICE_ATTR, 0, 0, &seen), 0, "TSC_OFFSET is got");
	tap_eq(seen, offset, "it is as set");
	lo = host_tsc() + offset;
	tsc = guest_tsc(vcpu);
	hi = host_tsc() + offset;
	tap_ok(lo <= tsc && tsc <= hi, "the guest's TSC is the host's plus the offset");
}

static void test_system_attr(struct vm *vm)
{
	uint64_t xcr0 = 0;

	tap_errno(attr(vm->dev_fd, MINIKVM_HAS_DEVICE_ATTR, 0, MINIKVM_X86_XCOMP_GUEST_SUPP, NULL), 0,
		  "the device has XCOMP_GUEST_SUPP");
	tap_errno(attr(vm->dev_fd, MINIKVM_GET_DEVICE_ATTR, 0, 0, &xcr0), 0, "it is got");
	tap_ok(!xcr0 || (xcr0 & 3) == 3, "x87 and SSE are among the state components");
	tap_errno(attr(vm->dev_fd, MINIKVM_GET_DEVICE_ATTR, 0, 0, BAD_PTR), EFAULT, "to nowhere");
	tap_errno(attr(vm->dev_fd, MINIKVM_HAS_DEVICE_ATTR, 1, 0, NULL), ENXIO, "no other group");
	tap_errno(attr(vm->dev_fd, MINIKVM_HAS_DEVICE_ATTR, 0, 5, NULL), ENXIO, "no other attribute");
	tap_errno(attr(vm->dev_fd, MINIKVM_SET_DEVICE_ATTR, 0, 0, &xcr0), EINVAL,
		  "nothing can be set");
}

static void test_khz(struct vm *vm, struct vcpu *vcpu)
{
	long host = ioctl(vcpu->fd, MINIKVM_GET_TSC_KHZ, 0);
	uint64_t t0, t1, g0, g1;

	tap_ok(host > 1000, "GET_TSC_KHZ: %ld kHz", host);
	tap_eq(ioctl(vm->fd, MINIKVM_GET_TSC_KHZ, 0), host, "GET_TSC_KHZ of the VM");
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_TSC_KHZ, host), 0, "the host's frequency");
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_TSC_KHZ, 0), 0, "0: the host's frequency");
	tap_eq(ioctl(vcpu->fd, MINIKVM_GET_TSC_KHZ, 0), host, "it is");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_TSC_KHZ, 0), 0, "0 for the VM");

	if (!dev_check_extension(vm->fd, MINIKVM_CAP_TSC_CONTROL)) {
		tap_errno(ioctl(vcpu->fd, MINIKVM_SET_TSC_KHZ, host / 2), EINVAL,
			  "half the host's frequency, without TSC scaling");
		tap_skip("the CPU has no TSC scaling");
		return;
	}
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_TSC_KHZ, 0x7fffffff), EINVAL, "2 THz");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_TSC_KHZ, 0xffffffff), EINVAL, "4 THz for the VM");
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_TSC_KHZ, host / 2), 0, "half the host's frequency");
	tap_eq(ioctl(vcpu->fd, MINIKVM_GET_TSC_KHZ, 0), host / 2, "it is");
	g0 = guest_tsc(vcpu);
	t0 = host_tsc();
	while (host_tsc() - t0 < 2000000)
		;
	g1 = guest_tsc(vcpu);
	t1 = host_tsc();
	tap_ok(g1 - g0 > (t1 - t0) / 4 && g1 - g0 < (t1 - t0) * 3 / 4 + 1000000,
	       "the guest's TSC runs at half speed");
	tap_errno(ioctl(vm->fd, MINIKVM_SET_TSC_KHZ, host * 2), 0, "twice for the VM's new vCPUs");
	tap_eq(ioctl(vm->fd, MINIKVM_GET_TSC_KHZ, 0), host * 2, "it is");
	vcpu = vm_add_vcpu(vm, 1);
	tap_eq(ioctl(vcpu->fd, MINIKVM_GET_TSC_KHZ, 0), host * 2, "a new vCPU has it");
}

int main(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_plan(0);
	vm_load(vm, rdtsc_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	/* Settles which clock the VM has. */
	guest_tsc(vcpu);
	test_clock(vm);
	test_kvmclock_ctrl(vm, vcpu);
	test_offset(vcpu);
	test_system_attr(vm);
	test_khz(vm, vcpu);
	vm_free(vm);
	return tap_done();
}
