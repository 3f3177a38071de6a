// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of ENABLE_CAP for what changes a guest's environment: the bound
 * of vCPU ids, quirks, exits a guest need not make, PLATFORM_INFO, and hypercalls
 * that userspace answers.
 */
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "api.h"
#include "../../uapi/minikvm_para.h"

#define MSR_PLATFORM_INFO	0xce
#define MSR_MISC_FEATURES	0x140
#define MSR_MISC_ENABLE		0x1a0
#define CPUID_FAULT		(1ULL << 31)

#define QUIRKS	(MINIKVM_X86_QUIRK_LINT0_REENABLED | MINIKVM_X86_QUIRK_CD_NW_CLEARED |	\
		 MINIKVM_X86_QUIRK_LAPIC_MMIO_HOLE | MINIKVM_X86_QUIRK_OUT_7E_INC_RIP |	\
		 MINIKVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT |				\
		 MINIKVM_X86_QUIRK_FIX_HYPERCALL_INSN | MINIKVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS)

static int enable_cap(int fd, uint32_t cap, uint64_t arg)
{
	struct minikvm_enable_cap e = { .cap = cap, .args = { arg } };

	return ioctl(fd, MINIKVM_ENABLE_CAP, &e);
}

static void test_bad(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_enable_cap e = { .cap = MINIKVM_CAP_DISABLE_QUIRKS2, .flags = 1 };

	test_efault(vm->fd, MINIKVM_ENABLE_CAP, sizeof(e), "ENABLE_CAP of a VM");
	test_efault(vcpu->fd, MINIKVM_ENABLE_CAP, sizeof(e), "ENABLE_CAP of a vCPU");
	tap_errno(ioctl(vm->fd, MINIKVM_ENABLE_CAP, &e), EINVAL, "flags on a VM");
	e.cap = MINIKVM_CAP_ENFORCE_PV_FEATURE_CPUID;
	tap_errno(ioctl(vcpu->fd, MINIKVM_ENABLE_CAP, &e), EINVAL, "flags on a vCPU");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_USER_MEMORY, 0), EINVAL,
		  "a capability that nobody enables, on a VM");
	tap_errno(enable_cap(vcpu->fd, MINIKVM_CAP_USER_MEMORY, 0), EINVAL, "... on a vCPU");
	tap_errno(enable_cap(vm->fd, 0xffffffff, 0), EINVAL, "an unknown capability on a VM");
	tap_errno(enable_cap(vcpu->fd, 0xffffffff, 0), EINVAL, "... on a vCPU");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_HALT_POLL, 1ull << 32), EINVAL,
		  "HALT_POLL: more than 32 bits");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_HALT_POLL, 0), 0, "HALT_POLL: not at all");
	tap_errno(enable_cap(vcpu->fd, MINIKVM_CAP_DISABLE_QUIRKS2, 0), EINVAL,
		  "a VM's capability on a vCPU");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_ENFORCE_PV_FEATURE_CPUID, 1), EINVAL,
		  "a vCPU's capability on a VM");
}

static void test_max_vcpu_id(void)
{
	struct vm *vm = vm_new(VM_BARE);
	int max = dev_check_extension(vm->fd, MINIKVM_CAP_MAX_VCPU_ID);

	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_MAX_VCPU_ID, max + 1ull), EINVAL,
		  "MAX_VCPU_ID: more than there are");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_MAX_VCPU_ID, 1ull << 40), EINVAL, "... or many more");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_MAX_VCPU_ID, 3), 0, "MAX_VCPU_ID: 3");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_MAX_VCPU_ID, 3), 0, "the same again");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_MAX_VCPU_ID, 2), EINVAL, "another choice");
	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_VCPU, 3), EINVAL, "vCPU 3 is out of bounds");
	tap_errno(ioctl(vm->fd, MINIKVM_CREATE_VCPU, 2), 0, "vCPU 2 is not");
	vm_free(vm);

	vm = vm_new(VM_BARE);
	vm_add_vcpu(vm, 0);
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_MAX_VCPU_ID, 3), EINVAL, "too late: a vCPU exists");
	vm_free(vm);
}

/* ---- quirks --------------------------------------------------------------------- */

GUEST_ASM(quirk_guest, 64,
	"	out	%al, $0x7e\n"
	"	mov	0xfee00020, %eax\n"
	"	out	%al, $0xe0\n"
	"	xor	%ecx, %ecx\n"
	"	xor	%edx, %edx\n"
	"	mov	$0x40000, %eax\n"
	"	monitor\n"
	"	out	%al, $0xe1\n"
	"	hlt\n");

/* As GUEST_LONG maps only 2 MiB pages of the first 4 GiB, the APIC page is among them. */
static void test_quirks(bool off)
{
	const char *how = off ? "quirks off" : "quirks on";
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct minikvm_lapic_state lapic;
	struct minikvm_sregs sregs;
	struct minikvm_regs regs;
	struct vcpu *vcpu;
	uint32_t lint0;

	if (off)
		tap_errno(enable_cap(vm->fd, MINIKVM_CAP_DISABLE_QUIRKS2, QUIRKS), 0,
			  "all quirks are switched off");
	vcpu = vm_add_vcpu(vm, 0);
	ioctl(vcpu->fd, MINIKVM_GET_LAPIC, &lapic);
	memcpy(&lint0, lapic.regs + 0x350, sizeof(lint0));
	tap_eq(lint0, off ? 0x10000 : 0x700, "%s: LINT0 after reset", how);

	vm_load(vm, quirk_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	/* With the APIC switched off, its page is a hole or memory-mapped I/O. */
	ioctl(vcpu->fd, MINIKVM_GET_SREGS, &sregs);
	sregs.apic_base &= ~0x800ULL;
	if (ioctl(vcpu->fd, MINIKVM_SET_SREGS, &sregs))
		tap_bail("SET_SREGS: %s", strerror(errno));

	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "%s: OUT 0x7e", how);
	ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs);
	tap_eq(regs.rip, GUEST_CODE + (off ? 0 : 2), "%s: RIP at OUT 0x7e", how);
	if (off) {
		vcpu_expect_exit(vcpu, MINIKVM_EXIT_MMIO, "%s: the APIC's page exits", how);
		tap_eq(vcpu->run->mmio.phys_addr, 0xfee00020, "%s: that address", how);
		memset(vcpu->run->mmio.data, 0x5a, sizeof(vcpu->run->mmio.data));
	}
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "%s: the APIC's page was read", how);
	tap_eq(vcpu_io_value(vcpu), off ? 0x5a : 0xff, "%s: what is read there", how);
	if (off)
		vcpu_expect_exit(vcpu, MINIKVM_EXIT_SHUTDOWN, "%s: MONITOR is #UD", how);
	else
		vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "%s: MONITOR does nothing", how);
	vm_free(vm);
}

static void test_quirk_caps(struct vm *vm)
{
	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_DISABLE_QUIRKS2), QUIRKS,
	       "DISABLE_QUIRKS2 lists the quirks");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_DISABLE_QUIRKS2, 0x80), EINVAL, "an unknown quirk");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_DISABLE_QUIRKS2, 1ull << 63), EINVAL,
		  "an unknown quirk in the upper half");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_DISABLE_QUIRKS, 0x80), 0,
		  "DISABLE_QUIRKS does not look");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_DISABLE_QUIRKS2, 0), 0, "all quirks on");
}

/* ---- exits, PLATFORM_INFO ---------------------------------------------------------- */

GUEST_ASM(hlt_guest, 64,
	"	sti\n"
	"1:	hlt\n"
	"	jmp	1b\n");

static void on_alarm(int sig)
{
	(void)sig;
}

/* Interrupts RUN after 100 ms, and every 100 ms in case it has not begun. */
static void alarm_set(bool on)
{
	struct itimerval t = {};

	if (on)
		t.it_value.tv_usec = t.it_interval.tv_usec = 100000;
	sigaction(SIGALRM, &(struct sigaction){ .sa_handler = on_alarm }, NULL);
	setitimer(ITIMER_REAL, &t, NULL);
}

/* Without an irqchip HLT exits; a guest that may halt in the CPU does not come back. */
static void test_hlt(bool exits)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu;

	if (!exits)
		tap_errno(enable_cap(vm->fd, MINIKVM_CAP_X86_DISABLE_EXITS,
				     MINIKVM_X86_DISABLE_EXITS_HLT), 0, "HLT need not exit");
	vcpu = vm_add_vcpu(vm, 0);
	vm_load(vm, hlt_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	if (exits) {
		vcpu_expect_exit(vcpu, MINIKVM_EXIT_HLT, "HLT exits");
	} else {
		alarm_set(true);
		tap_eq(vcpu_run(vcpu), -EINTR, "HLT does not exit");
		alarm_set(false);
	}
	vm_free(vm);
}

static int next_vector;

/* A message for vCPU 0, in 50 ms: when it has halted. */
static void *send_later(void *arg)
{
	struct vm *vm = arg;
	struct minikvm_msi msi = { .address_lo = 0xfee00000, .data = next_vector };

	usleep(50000);
	ioctl(vm->fd, MINIKVM_SIGNAL_MSI, &msi);
	return NULL;
}

static void test_hlt_wakes(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu;
	pthread_t thread;

	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_X86_DISABLE_EXITS, MINIKVM_X86_DISABLE_EXITS_HLT), 0,
		  "HLT need not exit");
	vcpu = vm_add_vcpu(vm, 0);
	irq_guest_load(vm);
	vcpu_set_mode(vcpu, GUEST_REAL, GUEST_CODE);
	lapic_enable(vcpu);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "a guest is about to halt");
	/* The guest never ends one, so each has a higher priority than the last. */
	for (next_vector = 0x31; next_vector < 0x61; next_vector += 0x10) {
		pthread_create(&thread, NULL, send_later, vm);
		irq_guest_expect(vcpu, next_vector, "an interrupt wakes it");
		pthread_join(thread, NULL);
	}
	vm_free(vm);
}

static void test_exits(void)
{
	struct vm *vm = vm_new(VM_BARE);
	int all = dev_check_extension(vm->fd, MINIKVM_CAP_X86_DISABLE_EXITS);

	tap_eq(all & 14, 14, "HLT, PAUSE and C-states need not exit");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_X86_DISABLE_EXITS, 0x10), EINVAL, "an unknown exit");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_X86_DISABLE_EXITS, 1ull << 32), EINVAL,
		  "an unknown exit in the upper half");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_X86_DISABLE_EXITS, 0), 0, "none");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_X86_DISABLE_EXITS, 0xf), 0, "all");
	vm_free(vm);
}

GUEST_ASM(rdmsr_guest, 64,
	"	mov	$0xce, %ecx\n"
	"	rdmsr\n"
	"	outl	%eax, $0xe0\n"
	"	hlt\n");
GUEST_ASM(cpuid_guest, 64,
	"	xor	%eax, %eax\n"
	"	cpuid\n"
	"	outl	%eax, $0xe0\n"
	"	hlt\n");

static void test_platform_info(struct vm *vm, struct vcpu *vcpu)
{
	uint64_t v;

	tap_eq(vcpu_get_msr(vcpu, MSR_PLATFORM_INFO, &v), 1, "PLATFORM_INFO is read");
	tap_eq(v, CPUID_FAULT, "it offers CPUID faulting");
	vm_load(vm, rdmsr_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "the guest reads it");
	tap_eq(vcpu_io_value(vcpu), CPUID_FAULT, "and sees the same");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_MSR_PLATFORM_INFO, 0), 0, "it is hidden");
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_SHUTDOWN, "the guest gets #GP");
	tap_eq(vcpu_get_msr(vcpu, MSR_PLATFORM_INFO, &v), 1, "userspace does not");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_MSR_PLATFORM_INFO, 1), 0, "it is shown again");

	tap_eq(vcpu_set_msr(vcpu, MSR_MISC_FEATURES, 2), 0, "MISC_FEATURES_ENABLES has one bit");
	tap_eq(vcpu_set_msr(vcpu, MSR_MISC_FEATURES, 1), 1, "CPUID faulting is switched on");
	tap_eq(vcpu_set_msr(vcpu, MSR_PLATFORM_INFO, 0), 0, "and cannot be taken away now");
	vm_load(vm, cpuid_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "CPUID in ring 0 does not fault");
	tap_eq(vcpu_set_msr(vcpu, MSR_MISC_FEATURES, 0), 1, "CPUID faulting is switched off");
	tap_eq(vcpu_set_msr(vcpu, MSR_PLATFORM_INFO, 0), 1, "PLATFORM_INFO without it");
	tap_eq(vcpu_set_msr(vcpu, MSR_MISC_FEATURES, 1), 0, "cannot be switched on");
}

static bool cpuid_mwait(struct vcpu *vcpu)
{
	struct {
		struct minikvm_cpuid2 head;
		struct minikvm_cpuid_entry2 entries[256];
	} c = { .head.nent = 256 };

	if (ioctl(vcpu->fd, MINIKVM_GET_CPUID2, &c))
		tap_bail("GET_CPUID2: %s", strerror(errno));
	return cpuid_find(&c.head, 1, 0)->ecx & 8;
}

static void test_misc_enable(struct vm *vm, struct vcpu *vcpu)
{
	uint64_t old, v;

	vcpu_get_msr(vcpu, MSR_MISC_ENABLE, &old);
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_DISABLE_QUIRKS2,
			     MINIKVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT), 0, "MISC_ENABLE.MWAIT counts");
	tap_eq(vcpu_set_msr(vcpu, MSR_MISC_ENABLE, old | 1u << 18), 1, "it is set");
	tap_ok(cpuid_mwait(vcpu), "CPUID shows MWAIT");
	tap_eq(vcpu_set_msr(vcpu, MSR_MISC_ENABLE, old), 1, "it is cleared");
	tap_ok(!cpuid_mwait(vcpu), "CPUID does not");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_DISABLE_QUIRKS2, 0), 0, "it does not count");
	tap_eq(vcpu_set_msr(vcpu, MSR_MISC_ENABLE, old | 1u << 18), 1, "it is set");
	vcpu_get_msr(vcpu, MSR_MISC_ENABLE, &v);
	tap_eq(v, old | 1u << 18, "it is as set");
	tap_ok(!cpuid_mwait(vcpu), "CPUID is as before");
}

/* ---- hypercalls ---------------------------------------------------------------------- */

GUEST_ASM(hypercall_guest, 64,
	"	.byte	0x0f, 0x01, 0xc1\n"
	"	outl	%eax, $0xe0\n"
	"	hlt\n");

static uint32_t hypercall(struct vcpu *vcpu, uint64_t nr, uint64_t a0, uint64_t a1, uint64_t a2,
			  const char *what)
{
	struct minikvm_regs regs = {
		.rip = GUEST_CODE, .rflags = 2, .rax = nr, .rbx = a0, .rcx = a1, .rdx = a2,
	};

	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	ioctl(vcpu->fd, MINIKVM_SET_REGS, &regs);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "%s", what);
	return vcpu_io_value(vcpu);
}

static void test_hypercalls(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_regs regs = {
		.rip = GUEST_CODE, .rflags = 2, .rax = MINIKVM_HC_MAP_GPA_RANGE,
		.rbx = 0x10000, .rcx = 3, .rdx = 0x10,
	};

	if (!cpu_is_intel()) {
		tap_skip("AMD's hypercall is another instruction");
		return;
	}
	vm_load(vm, hypercall_guest);
	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_EXIT_HYPERCALL), 1 << MINIKVM_HC_MAP_GPA_RANGE,
	       "EXIT_HYPERCALL offers MAP_GPA_RANGE");
	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_EXIT_HYPERCALL, 1), EINVAL, "and no other");
	tap_eq(hypercall(vcpu, MINIKVM_HC_MAP_GPA_RANGE, 0x10000, 1, 0, "MAP_GPA_RANGE, not asked for"),
	       (uint32_t)-MINIKVM_ENOSYS, "no such call");
	tap_eq(hypercall(vcpu, 999, 0, 0, 0, "an unknown call"), (uint32_t)-MINIKVM_ENOSYS,
	       "no such call");
	tap_eq(hypercall(vcpu, MINIKVM_HC_VAPIC_POLL_IRQ, 0, 0, 0, "VAPIC_POLL_IRQ"), 0, "succeeds");

	tap_errno(enable_cap(vm->fd, MINIKVM_CAP_EXIT_HYPERCALL, 1 << MINIKVM_HC_MAP_GPA_RANGE), 0,
		  "userspace answers MAP_GPA_RANGE");
	tap_eq(hypercall(vcpu, MINIKVM_HC_MAP_GPA_RANGE, 0x10001, 1, 0, "MAP_GPA_RANGE, not aligned"),
	       (uint32_t)-MINIKVM_EINVAL, "invalid");
	tap_eq(hypercall(vcpu, MINIKVM_HC_MAP_GPA_RANGE, 0x10000, 0, 0, "MAP_GPA_RANGE of nothing"),
	       (uint32_t)-MINIKVM_EINVAL, "invalid");
	tap_eq(hypercall(vcpu, MINIKVM_HC_MAP_GPA_RANGE, 0x10000, ~0ull, 0, "MAP_GPA_RANGE that wraps"),
	       (uint32_t)-MINIKVM_EINVAL, "invalid");
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	ioctl(vcpu->fd, MINIKVM_SET_REGS, &regs);
	if (!vcpu_expect_exit(vcpu, MINIKVM_EXIT_HYPERCALL, "MAP_GPA_RANGE exits"))
		return;
	tap_ok(vcpu->run->hypercall.nr == MINIKVM_HC_MAP_GPA_RANGE &&
	       vcpu->run->hypercall.args[0] == 0x10000 && vcpu->run->hypercall.args[1] == 3 &&
	       vcpu->run->hypercall.args[2] == 0x10 && vcpu->run->hypercall.longmode,
	       "with its arguments");
	vcpu->run->hypercall.ret = 0x1234;
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "the guest goes on");
	tap_eq(vcpu_io_value(vcpu), 0x1234, "with userspace's result");
}

int main(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_plan(0);
	test_bad(vm, vcpu);
	test_max_vcpu_id();
	test_quirk_caps(vm);
	test_quirks(false);
	if (cpu_is_intel())
		test_quirks(true);
	else
		tap_skip("AMD's MONITOR checks its operands first");
	test_exits();
	test_hlt(true);
	test_hlt(false);
	test_hlt_wakes();
	test_platform_info(vm, vcpu);
	test_misc_enable(vm, vcpu);
	test_hypercalls(vm, vcpu);
	vm_free(vm);
	return tap_done();
}
