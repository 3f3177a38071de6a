// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of reading a live vCPU: who may, what comes of bad arguments, that the
 * values are true, and that a vCPU that runs, halts, waits, or leaves RUN at that moment
 * is read all the same and not disturbed.
 */
#include <linux/capability.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inspect.h"

#define EXIT_REASON_IO	30

GUEST_ASM(out_guest, 64,
	"	movb	$0x5a, %al\n"
	"1:	outb	%al, $0x10\n"
	"	jmp	1b\n");

/* Halts for ever. */
GUEST_ASM(halt_guest, 64,
	"	cli\n"
	"1:	hlt\n"
	"	jmp	1b\n");

static int own_link(int fd, char *link, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	n = readlink(path, link, size - 1);
	link[n > 0 ? n : 0] = '\0';
	return n;
}

static void test_names(struct vm *vm)
{
	char link[64];

	own_link(vm->fd, link, sizeof(link));
	tap_ok(!strcmp(link, "anon_inode:minikvm-vm"), "the VM's fd is called %s", link);
	own_link(vm->vcpu[1].fd, link, sizeof(link));
	tap_ok(!strcmp(link, "anon_inode:minikvm-vcpu:7"), "vCPU 7's is called %s", link);
}

static void test_arguments(struct vm *vm)
{
	int fd = vm->vcpu[0].fd;
	struct vmcs v;
	uint32_t nr;

	memset(&v, 0, sizeof(v));
	tap_errno(ioctl(fd, MINIKVM_INSPECT_VMCS, &v.head), E2BIG, "no room for fields");
	nr = v.head.nr;
	tap_ok(nr > 100 && nr <= MINIKVM_VMCS_NR_FIELDS, "it says how much there must be: %u", nr);
	v.head.fields = PTR(page_end((nr - 1) * sizeof(v.field[0])));
	tap_errno(ioctl(fd, MINIKVM_INSPECT_VMCS, &v.head), EFAULT, "room that is not there");
	v.head.nr = 0xffffffff;
	tap_errno(ioctl(fd, MINIKVM_INSPECT_VMCS, &v.head), EFAULT, "nor with a huge number");
	v.head.fields = PTR(v.field);
	tap_errno(ioctl(fd, MINIKVM_INSPECT_VMCS, &v.head), 0, "a huge number is only room");
	tap_eq(v.head.nr, nr, "... and comes back as what there is");
	v.head.nr = nr;
	tap_errno(ioctl(fd, MINIKVM_INSPECT_VMCS, &v.head), 0, "just enough room");
	v.head.nr = nr - 1;
	tap_errno(ioctl(fd, MINIKVM_INSPECT_VMCS, &v.head), E2BIG, "one too few");
	v.head.flags = 1;
	tap_errno(ioctl(fd, MINIKVM_INSPECT_VMCS, &v.head), EINVAL, "an unknown flag");
	v.head.flags = 0;
	v.head.nr = nr;
	v.head.wait_ms = MINIKVM_INSPECT_MAX_WAIT_MS + 1;
	tap_errno(ioctl(fd, MINIKVM_INSPECT_VMCS, &v.head), EINVAL, "too long to wait");
	test_efault(fd, MINIKVM_INSPECT_VMCS, sizeof(v.head), "INSPECT_VMCS");
	test_efault(fd, MINIKVM_INSPECT_BITMAPS, sizeof(struct minikvm_inspect_bitmaps),
		    "INSPECT_BITMAPS");
	test_efault(fd, MINIKVM_INSPECT_LAPIC, sizeof(struct minikvm_inspect_lapic),
		    "INSPECT_LAPIC");

	tap_errno(ioctl(fd, _IO(MINIKVM_INSPECTIO, 0), 0), ENOTTY, "a size that is not known");
	tap_errno(ioctl(fd, _IO(MINIKVM_INSPECTIO, 0xff), 0), ENOTTY, "no such command");
	tap_errno(ioctl(fd, MINIKVM_INSPECT_SLOTS, 0), ENOTTY, "a VM's command on a vCPU");
	tap_errno(ioctl(vm->fd, MINIKVM_INSPECT_VMCS, 0), ENOTTY, "a vCPU's command on a VM");
	tap_errno(ioctl(fd, _IO(0xBF, 0), 0), EINVAL, "another magic is still EINVAL");
	tap_errno(ioctl(vm->fd, _IO(0xBF, 0), 0), ENOTTY, "... and ENOTTY on a VM");
}

static bool fields_in_order(const struct vmcs *v)
{
	uint32_t i;

	for (i = 0; i < v->head.nr; i++) {
		const struct minikvm_inspect_field *f = &v->field[i];

		if (i && f->encoding <= f[-1].encoding)
			return false;
		if (f->bytes != 2 && f->bytes != 4 && f->bytes != 8)
			return false;
		if (f->bytes < 8 && f->value >> (8 * f->bytes))
			return false;
	}
	return true;
}

/* From its first instruction on, whatever an earlier guest left. */
static void start(struct vcpu *vcpu, enum guest_mode mode)
{
	struct minikvm_mp_state runnable = { MINIKVM_MP_STATE_RUNNABLE };

	vcpu->run->immediate_exit = 1;
	vcpu_run(vcpu);
	vcpu->run->immediate_exit = 0;
	if (ioctl(vcpu->fd, MINIKVM_SET_MP_STATE, &runnable))
		tap_bail("SET_MP_STATE: %m");
	vcpu_set_mode(vcpu, mode, GUEST_CODE);
}

static void test_values(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_regs regs;
	struct vmcs v;

	vm_load(vm, out_guest);
	start(vcpu, GUEST_LONG);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "a guest writes a port");
	tap_errno(vmcs_read(vcpu->fd, 0, &v), 0, "INSPECT_VMCS of a vCPU that nobody runs");
	tap_ok(fields_in_order(&v), "ascending, with widths that hold the values");
	tap_eq(v.head.vcpu_id, vcpu->id, "the vCPU's id");
	tap_eq(vmcs_value(&v, VMCS_F_VM_EXIT_REASON), EXIT_REASON_IO, "why it exited");
	tap_eq(vmcs_value(&v, VMCS_F_EXIT_QUALIFICATION) >> 16, 0x10, "the port");
	tap_eq(vmcs_value(&v, VMCS_F_VM_EXIT_INSTRUCTION_LEN), 2, "the instruction's length");
	tap_eq(vmcs_value(&v, VMCS_F_GUEST_CR3), GUEST_PT, "the guest's CR3");
	tap_eq(vmcs_value(&v, VMCS_F_GUEST_CS_SELECTOR), GUEST_SEL_CODE64, "its CS");
	tap_eq(vmcs_field(&v, VMCS_F_GUEST_CS_SELECTOR)->bytes, 2, "... which has 16 bits");
	tap_eq(vmcs_field(&v, VMCS_F_VM_EXIT_REASON)->bytes, 4, "an exit reason has 32");
	tap_eq(vmcs_value(&v, VMCS_F_LINK_POINTER), ~0ULL, "there is no shadow VMCS");
	tap_ok(vmcs_value(&v, VMCS_F_EPT_POINTER) >> 12, "there are tables");
	tap_eq(vmcs_value(&v, VMCS_F_VM_INSTRUCTION_ERROR), 0, "looking left no error number");
	tap_eq(vmcs_value(&v, VMCS_F_GUEST_RIP), GUEST_CODE + 2, "RIP is the instruction's");

	ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs);
	tap_ok(v.head.rip == regs.rip && v.head.rsp == regs.rsp && v.head.rflags == regs.rflags,
	       "RIP, RSP and RFLAGS are what GET_REGS says");
	regs.rip = GUEST_CODE + 0x100;
	ioctl(vcpu->fd, MINIKVM_SET_REGS, &regs);
	tap_errno(vmcs_read(vcpu->fd, 0, &v), 0, "read again after SET_REGS");
	tap_ok(v.head.pending & MINIKVM_INSPECT_PENDING_RIP && v.head.rip == GUEST_CODE + 0x100,
	       "the new RIP waits for the next entry");
	tap_eq(vmcs_value(&v, VMCS_F_GUEST_RIP), GUEST_CODE + 2, "... the VMCS has the old one");
}

static bool bit_set(const uint8_t *map, unsigned int bit)
{
	return map[bit / 8] >> (bit % 8) & 1;
}

static void test_bitmaps(struct vcpu *vcpu)
{
	static uint8_t msr[4096], io[4096];
	struct minikvm_inspect_bitmaps b = { .msr = PTR(msr), .io_a = PTR(io) };

	memset(io, 0x77, sizeof(io));
	tap_errno(ioctl(vcpu->fd, MINIKVM_INSPECT_BITMAPS, &b), 0, "INSPECT_BITMAPS");
	tap_eq(b.present, MINIKVM_INSPECT_BITMAP_MSR, "there is one for MSRs, none for ports");
	tap_ok(!bit_set(msr, 0x10) && bit_set(msr, 0x800 * 8 + 0x10),
	       "reading the TSC does not exit, writing it does");
	tap_ok(!bit_set(msr, 0x400 * 8 + 0x100), "reading IA32_FS_BASE does not exit");
	tap_ok(bit_set(msr, 0x1b), "reading IA32_APIC_BASE exits");
	tap_ok(io[0] == 0x77 && io[4095] == 0x77, "what is not there is not written");
	b.msr = PTR(page_end(4095));
	tap_errno(ioctl(vcpu->fd, MINIKVM_INSPECT_BITMAPS, &b), EFAULT, "too little room");
	b.msr = 0;
	b.io_a = PTR(BAD_PTR);
	tap_errno(ioctl(vcpu->fd, MINIKVM_INSPECT_BITMAPS, &b), 0, "none wanted");
	b.pad = 1;
	tap_errno(ioctl(vcpu->fd, MINIKVM_INSPECT_BITMAPS, &b), EINVAL, "padding");
	b.pad = 0;
	b.flags = 0x80000000;
	tap_errno(ioctl(vcpu->fd, MINIKVM_INSPECT_BITMAPS, &b), EINVAL, "flags");
}

static void test_lapic(struct vcpu *vcpu)
{
	struct minikvm_lapic_state want;
	struct minikvm_inspect_lapic s;
	struct vm *bare = vm_new(0);

	memset(&s, 0, sizeof(s));
	tap_errno(ioctl(vcpu->fd, MINIKVM_INSPECT_LAPIC, &s), 0, "INSPECT_LAPIC");
	ioctl(vcpu->fd, MINIKVM_GET_LAPIC, &want);
	tap_ok(s.has_apic && !memcmp(&want, &s.regs, sizeof(want)), "as GET_LAPIC says");
	tap_eq(s.apic_base, 0xfee00900, "IA32_APIC_BASE of the boot CPU");
	s.flags = 1;
	tap_errno(ioctl(vcpu->fd, MINIKVM_INSPECT_LAPIC, &s), EINVAL, "an unknown flag");

	s.flags = 0;
	s.regs.regs[0x30] = 1;
	vm_add_vcpu(bare, 0);
	tap_errno(ioctl(bare->vcpu[0].fd, MINIKVM_INSPECT_LAPIC, &s), 0, "without an APIC");
	tap_ok(!s.has_apic && !s.regs.regs[0x30], "it says so");
	vm_free(bare);
}

static void test_spinning(struct vm *vm, struct vcpu *vcpu)
{
	unsigned int i, bad = 0, outside = 0;
	uint64_t exits = 0, first;
	struct runner r;
	struct vmcs v;

	vm_load(vm, spin_guest);
	start(vcpu, GUEST_PROT);
	runner_start(&r, vcpu, false);
	bad += vmcs_read(vcpu->fd, 0, &v) != 0;
	first = v.head.exits;
	for (i = 0; i < 30; i++) {
		bad += vmcs_read(vcpu->fd, i % 3 ? 0 : 5, &v) != 0;
		bad += v.head.exits < exits;
		exits = v.head.exits;
		outside += v.head.rip > GUEST_CODE + 3;
	}
	/* With one CPU the guest runs only while nobody reads. */
	usleep(50000);
	bad += vmcs_read(vcpu->fd, 0, &v) != 0;
	tap_eq(bad, 0, "a guest that never exits is read");
	tap_eq(outside, 0, "it is where it should be");
	tap_ok(v.head.exits > first, "it went on in between");
	tap_eq(r.runs, 0, "and RUN did not return");
	runner_stop(&r);
}

static void test_halted(struct vm *vm, struct vcpu *vcpu)
{
	uint64_t exits;
	struct runner r;
	struct vmcs v;
	unsigned int i;

	vm_load(vm, halt_guest);
	start(vcpu, GUEST_LONG);
	runner_start(&r, vcpu, false);
	wait_mp_state(vcpu->fd, MINIKVM_MP_STATE_HALTED, "a guest halts");
	tap_errno(vmcs_read(vcpu->fd, 0, &v), 0, "a halted vCPU is read");
	tap_eq(v.head.rip, GUEST_CODE + 2, "behind the HLT");
	exits = v.head.exits;
	for (i = 0; i < 10; i++)
		vmcs_read(vcpu->fd, i == 5 ? 20 : 0, &v);
	tap_eq(v.head.exits, exits, "ten times, and it did not enter the guest once");
	tap_eq(read_mp_state(vcpu->fd), MINIKVM_MP_STATE_HALTED, "it is halted still");
	tap_eq(r.runs, 0, "and RUN did not return");
	runner_stop(&r);
}

static void test_uninitialized(struct vcpu *ap)
{
	struct runner r;
	struct vmcs v;

	runner_start(&r, ap, true);
	usleep(50000);
	tap_errno(vmcs_read(ap->fd, 0, &v), 0, "a vCPU that waits for INIT is read");
	tap_errno(vmcs_read(ap->fd, 10, &v), 0, "and again");
	tap_eq(v.head.vcpu_id, ap->id, "it is that one");
	usleep(20000);
	tap_eq(r.runs, 0, "its RUN did not return");
	runner_stop(&r);
}

/* The guest leaves RUN all the time, and something else takes the vCPU in between. */
static void test_leaving(struct vm *vm, struct vcpu *vcpu)
{
	unsigned int i, bad = 0;
	struct minikvm_regs regs;
	struct runner r;
	struct vmcs v;

	vm_load(vm, out_guest);
	start(vcpu, GUEST_LONG);
	runner_start(&r, vcpu, false);
	for (i = 0; i < 100; i++) {
		bad += vmcs_read(vcpu->fd, i % 7 == 6, &v) != 0;
		bad += !vmcs_value(&v, VMCS_F_EPT_POINTER);
		if (i % 10 == 0)
			ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs);
		/* With one CPU nobody leaves anything while we read. */
		if (i % 5 == 0)
			usleep(2000);
	}
	tap_eq(bad, 0, "100 times while RUN returns and is called again");
	runner_stop(&r);
	tap_ok(r.runs > 20, "it did, %u times", r.runs);
}

static void test_signal(struct vm *vm, struct vcpu *vcpu)
{
	struct runner r;
	struct vmcs v;
	timer_t timer;
	struct itimerspec soon = { .it_value.tv_nsec = 100000000 };
	struct sigevent ev = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2 };
	struct sigaction act = { .sa_handler = SIG_DFL };

	/* Halted, so that it does not come by itself for the time it is given. */
	vm_load(vm, halt_guest);
	start(vcpu, GUEST_LONG);
	runner_start(&r, vcpu, false);
	wait_mp_state(vcpu->fd, MINIKVM_MP_STATE_HALTED, "a guest halts again");
	sigaction(SIGUSR1, NULL, &act);
	sigaction(SIGUSR2, &act, NULL);
	/* Only this thread is to get it. */
	ev.sigev_notify = SIGEV_THREAD_ID;
	ev._sigev_un._tid = syscall(SYS_gettid);
	if (timer_create(CLOCK_MONOTONIC, &ev, &timer))
		tap_bail("timer_create: %m");
	timer_settime(timer, 0, &soon, NULL);
	/* Asleep, it is not woken for the ten seconds that it is given. */
	usleep(20000);
	tap_errno(vmcs_read(vcpu->fd, 10000, &v), EINTR, "a signal ends the wait");
	timer_delete(timer);
	tap_errno(vmcs_read(vcpu->fd, 0, &v), 0, "the next reader is served");
	runner_stop(&r);
}

/* The CPU refuses the guest's state: what it was is there to be read. */
static void test_failed_entry(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);
	struct minikvm_exit_ring ring = { .entries = 16 };
	struct minikvm_exit_ring_read read = { .nr = 1 };
	struct minikvm_exit_entry entry = { 0 };
	struct minikvm_sregs sregs;
	struct vmcs v;
	int fd;

	vm_load(vm, out_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	ioctl(vcpu->fd, MINIKVM_GET_SREGS, &sregs);
	/* "Checks on Guest Segment Registers": no code segment is of this type. */
	sregs.cs.type = 1;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SREGS, &sregs), 0, "CS becomes a data segment");
	fd = ioctl(vcpu->fd, MINIKVM_EXIT_RING, &ring);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_FAIL_ENTRY, "the CPU does not enter such a guest");
	tap_errno(vmcs_read(vcpu->fd, 0, &v), 0, "its VMCS is read");
	tap_eq(vmcs_value(&v, VMCS_F_VM_EXIT_REASON), 0x80000021, "invalid guest state");
	tap_eq(vmcs_value(&v, VMCS_F_GUEST_CS_AR) & 0xf, 1, "... which is there to be seen");
	read.entries = PTR(&entry);
	tap_errno(ioctl(fd, MINIKVM_EXIT_RING_READ, &read), 0, "so does the exit ring");
	tap_ok(read.nr == 1 && entry.reason == 0x80000021 &&
	       entry.run_reason == MINIKVM_EXIT_FAIL_ENTRY, "have it");
	close(fd);
	vm_free(vm);
}

/* ---- another process ----------------------------------------------------------- */

/* All of them as a process without the capability. Its exit status: the first to work. */
static int unprivileged(struct vm *vm)
{
	static const unsigned int vcpu_cmds[] = {
		MINIKVM_INSPECT_VMCS, MINIKVM_INSPECT_BITMAPS, MINIKVM_INSPECT_LAPIC,
		MINIKVM_EXIT_RING, _IO(MINIKVM_INSPECTIO, 0xff),
	};
	static const unsigned int vm_cmds[] = {
		MINIKVM_INSPECT_CAPS, MINIKVM_INSPECT_EPT, MINIKVM_INSPECT_SLOTS,
		MINIKVM_INSPECT_IRQCHIP, MINIKVM_INSPECT_PIT,
	};
	struct __user_cap_header_struct head = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2];
	unsigned int i;

	if (syscall(SYS_capget, &head, data))
		return 100;
	data[0].effective &= ~(1u << CAP_SYS_ADMIN);
	if (syscall(SYS_capset, &head, data))
		return 101;
	for (i = 0; i < ARRAY_SIZE(vcpu_cmds); i++)
		if (ioctl(vm->vcpu[0].fd, vcpu_cmds[i], BAD_PTR) != -1 || errno != EPERM)
			return 1 + i;
	for (i = 0; i < ARRAY_SIZE(vm_cmds); i++)
		if (ioctl(vm->fd, vm_cmds[i], BAD_PTR) != -1 || errno != EPERM)
			return 50 + i;
	return 0;
}

static void test_capability(struct vm *vm)
{
	pid_t pid = fork();
	int status;

	if (!pid)
		_exit(unprivileged(vm));
	waitpid(pid, &status, 0);
	tap_eq(status, 0, "without CAP_SYS_ADMIN each is EPERM");
}

/* A VMM: a machine that spins, until it is killed. */
static void __attribute__((noreturn)) vmm(struct vm *parents, int ready)
{
	struct vm *vm;
	struct vcpu *vcpu;

	/* They have the same names. */
	close(parents->vcpu[0].fd);
	close(parents->vcpu[1].fd);
	close(parents->fd);
	vm = vm_new(VM_IRQCHIP);
	vcpu = vm_add_vcpu(vm, 3);
	vm_load(vm, spin_guest);
	start(vcpu, GUEST_PROT);
	if (write(ready, "", 1) != 1)
		_exit(1);
	for (;;)
		vcpu_run(vcpu);
}

static void test_other_process(struct vm *parents)
{
	struct minikvm_inspect_ept ept = { 0 };
	struct minikvm_inspect_range range[8];
	int pipe_fds[2], vm, vcpu, status;
	struct minikvm_regs regs;
	unsigned int i;
	struct vmcs v;
	char byte;
	pid_t pid;

	if (pipe(pipe_fds))
		tap_bail("pipe: %m");
	pid = fork();
	if (!pid)
		vmm(parents, pipe_fds[1]);
	close(pipe_fds[1]);
	if (read(pipe_fds[0], &byte, 1) != 1)
		tap_bail("the VMM did not start");
	vm = steal_fd(pid, "anon_inode:minikvm-vm");
	vcpu = steal_fd(pid, "anon_inode:minikvm-vcpu:3");
	tap_ok(vm >= 0 && vcpu >= 0, "the fds of another process's VM, by their names");
	tap_errno(ioctl(vcpu, MINIKVM_GET_REGS, &regs), EIO, "KVM's ioctls are not for us");
	tap_errno(ioctl(vcpu, MINIKVM_RUN, 0), EIO, "nor is RUN");
	/* It faults its memory in before it spins. */
	for (i = 0; i < 500 && !vmcs_read(vcpu, 0, &v) && v.head.exits < 10; i++)
		usleep(10000);
	tap_errno(vmcs_read(vcpu, 0, &v), 0, "the VMCS is");
	tap_ok(v.head.rip >= GUEST_CODE && v.head.rip <= GUEST_CODE + 2, "of that guest");
	ept.nr = ARRAY_SIZE(range);
	ept.ranges = PTR(range);
	tap_errno(ioctl(vm, MINIKVM_INSPECT_EPT, &ept), 0, "and its tables");
	tap_ok(ept.nr > 0, "... which are not empty");

	kill(pid, SIGSTOP);
	waitpid(pid, &status, WUNTRACED);
	tap_errno(vmcs_read(vcpu, 0, &v), 0, "also of a VMM that is stopped");
	kill(pid, SIGKILL);
	tap_errno(vmcs_read(vcpu, 0, &v), 0, "... that is being killed");
	waitpid(pid, &status, 0);
	tap_errno(vmcs_read(vcpu, 0, &v), 0, "... and that is gone");
	ept.gpa = 0;
	ept.end = 0;
	ept.nr = ARRAY_SIZE(range);
	tap_errno(ioctl(vm, MINIKVM_INSPECT_EPT, &ept), 0, "its tables are there");
	tap_eq(ept.nr, 0, "... and empty, because its memory is gone");
	close(pipe_fds[0]);
	close(vm);
	tap_errno(vmcs_read(vcpu, 0, &v), 0, "a vCPU's fd alone keeps the VM");
	close(vcpu);
}

int main(void)
{
	struct vm *vm;

	if (strcmp(dev_path(), "/dev/minikvm"))
		tap_skip_all("KVM has no such interface, and DEV is %s", dev_path());
	if (geteuid())
		tap_skip_all("only root may read");
	vm = vm_new(VM_IRQCHIP);
	vm_add_vcpu(vm, 0);
	vm_add_vcpu(vm, 7);
	tap_plan(0);
	test_names(vm);
	test_arguments(vm);
	test_values(vm, &vm->vcpu[0]);
	test_bitmaps(&vm->vcpu[0]);
	test_lapic(&vm->vcpu[0]);
	test_spinning(vm, &vm->vcpu[0]);
	test_halted(vm, &vm->vcpu[0]);
	test_signal(vm, &vm->vcpu[0]);
	test_uninitialized(&vm->vcpu[1]);
	test_leaving(vm, &vm->vcpu[0]);
	test_failed_entry();
	test_capability(vm);
	test_other_process(vm);
	vm_free(vm);
	return tap_done();
}
