// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of the exit ring: which exits it holds and in which order, who handled
 * them, that the times add up, what a reader who is too slow is told, and how it ends.
 */
#include <fcntl.h>
#include <unistd.h>

#include "inspect.h"

#define REASON_CPUID	10
#define REASON_HLT	12
#define REASON_IO	30
#define REASON_EPT	48

#define NR_CPUID	3
#define ENTRIES		64

/* Three CPUIDs, then one byte to a port. */
GUEST_ASM(cpuid_guest, 64,
	"1:	xorl	%eax, %eax\n"
	"	cpuid\n"
	"	xorl	%eax, %eax\n"
	"	cpuid\n"
	"	xorl	%eax, %eax\n"
	"	cpuid\n"
	"	outb	%al, $0x10\n"
	"	jmp	1b\n");

/* Halts; every time it is woken it says so. */
GUEST_ASM(sleepy_guest, 64,
	"1:	hlt\n"
	"	outb	%al, $0x11\n"
	"	jmp	1b\n");

static struct minikvm_exit_entry entries[ENTRIES];

static int ring_open(struct vcpu *vcpu, uint32_t nr)
{
	struct minikvm_exit_ring arg = { .entries = nr };

	return ioctl(vcpu->fd, MINIKVM_EXIT_RING, &arg);
}

static int ring_read(int ring, uint64_t seq, uint32_t nr, struct minikvm_exit_ring_read *arg)
{
	*arg = (struct minikvm_exit_ring_read) {
		.nr = nr, .seq = seq, .entries = PTR(entries),
	};
	return ioctl(ring, MINIKVM_EXIT_RING_READ, arg);
}

/* Exits that the host's own interrupts make are everywhere in between. */
static uint32_t only(uint32_t reason, uint32_t nr, const struct minikvm_exit_entry *found[])
{
	uint32_t i, n = 0;

	for (i = 0; i < nr; i++)
		if (entries[i].reason == reason)
			found[n++] = &entries[i];
	return n;
}

static void test_arguments(struct vcpu *vcpu)
{
	static const uint32_t bad[] = { 0, 1, 15, 17, 8, 24, 65536, 0x80000000, 0xffffffff };
	struct minikvm_exit_ring arg = { .flags = 1, .entries = 64 };
	struct minikvm_exit_ring_read read;
	unsigned int i;
	int ring;

	for (i = 0; i < ARRAY_SIZE(bad); i++)
		tap_errno(ring_open(vcpu, bad[i]), EINVAL, "a ring of %u", bad[i]);
	tap_errno(ioctl(vcpu->fd, MINIKVM_EXIT_RING, &arg), EINVAL, "an unknown flag");
	test_efault(vcpu->fd, MINIKVM_EXIT_RING, sizeof(arg), "EXIT_RING");
	ring = ring_open(vcpu, MINIKVM_EXIT_RING_MAX);
	tap_ok(ring >= 0, "the largest ring");
	tap_ok(fcntl(ring, F_GETFD) & FD_CLOEXEC, "its fd is closed on exec");
	tap_errno(ring_read(ring, 0, ENTRIES, &read), 0, "reading an empty one");
	tap_ok(!read.nr && !read.lost && !read.seq && !read.recorded, "... yields nothing");
	tap_ok(read.tsc_khz > 1000, "the TSC's frequency");
	tap_errno(ring_read(ring, 1, ENTRIES, &read), EINVAL, "from the future");
	test_efault(ring, MINIKVM_EXIT_RING_READ, sizeof(read), "EXIT_RING_READ");
	read.flags = 1;
	read.seq = 0;
	tap_errno(ioctl(ring, MINIKVM_EXIT_RING_READ, &read), EINVAL, "unknown flag");
	read.flags = 0;
	read.pad = 1;
	tap_errno(ioctl(ring, MINIKVM_EXIT_RING_READ, &read), EINVAL, "padding");
	tap_errno(ioctl(ring, MINIKVM_RUN, 0), ENOTTY, "any other command");
	close(ring);
}

static bool times_add_up(uint32_t nr)
{
	uint32_t i;

	for (i = 0; i < nr; i++) {
		const struct minikvm_exit_entry *e = &entries[i];

		if (i && (e->seq != e[-1].seq + 1 || e->tsc_exit < e[-1].tsc_entry))
			return false;
		if (i && e->guest_ticks > e->tsc_exit - e[-1].tsc_entry)
			return false;
		if (e->flags & MINIKVM_EXIT_ENTRY_OPEN)
			return i == nr - 1 && !e->tsc_entry;
		if (e->tsc_entry - e->tsc_exit !=
		    e->kernel_ticks + e->user_ticks + e->wait_ticks)
			return false;
	}
	return true;
}

static void test_order(struct vm *vm, struct vcpu *vcpu, int ring)
{
	const struct minikvm_exit_entry *found[ENTRIES];
	struct minikvm_exit_ring_read read;
	struct minikvm_regs regs;
	uint64_t seq;
	uint32_t n;

	vm_load(vm, cpuid_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "three CPUIDs and an OUT");
	tap_errno(ring_read(ring, 0, ENTRIES, &read), 0, "EXIT_RING_READ");
	tap_ok(times_add_up(read.nr), "%u exits, the times add up", read.nr);
	tap_eq(only(REASON_CPUID, read.nr, found), NR_CPUID, "the CPUIDs are there");
	tap_ok(found[0]->rip == GUEST_CODE + 2 && found[1]->rip == GUEST_CODE + 6 &&
	       found[2]->rip == GUEST_CODE + 10, "each at its RIP");
	tap_ok(!(found[1]->flags & MINIKVM_EXIT_ENTRY_USER) && !found[1]->user_ticks &&
	       found[1]->kernel_ticks && found[1]->guest_ticks, "handled by the kernel");

	tap_eq(only(REASON_IO, read.nr, found), 1, "and the OUT");
	tap_ok(found[0] == &entries[read.nr - 1] && found[0]->flags & MINIKVM_EXIT_ENTRY_OPEN &&
	       found[0]->flags & MINIKVM_EXIT_ENTRY_USER &&
	       found[0]->run_reason == MINIKVM_EXIT_IO, "last, and not answered yet");
	tap_eq(found[0]->qualification >> 16, 0x10, "its qualification names the port");
	seq = found[0]->seq;
	tap_ok(read.recorded == seq && read.seq == seq, "it comes again");
	n = only(REASON_EPT, read.nr, found);
	tap_ok(n && found[0]->flags & MINIKVM_EXIT_ENTRY_GPA && found[0]->gpa < GUEST_MEM_SIZE,
	       "an EPT violation says where");

	usleep(20000);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "and the same again");
	tap_errno(ring_read(ring, seq, ENTRIES, &read), 0, "from that OUT on");
	tap_ok(read.nr && entries[0].seq == seq && entries[0].reason == REASON_IO &&
	       !(entries[0].flags & MINIKVM_EXIT_ENTRY_OPEN), "now it is complete");
	tap_ok(entries[0].user_ticks > entries[0].kernel_ticks &&
	       entries[0].user_ticks / read.tsc_khz >= 15, "userspace took its time");
	tap_ok(times_add_up(read.nr), "the times add up");

	/* What the reader asks for must not depend on how often. */
	seq = read.seq;
	tap_errno(ring_read(ring, 0, 2, &read), 0, "the first two");
	tap_ok(read.nr == 2 && entries[0].seq == 0 && read.seq == 2 && read.recorded == seq,
	       "... and only these");
	tap_errno(ring_read(ring, 0, 0, &read), 0, "none");
	tap_ok(!read.nr && !read.seq && read.recorded == seq, "... only how many there are");
	ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs);
	read.entries = PTR(BAD_PTR);
	read.nr = 1;
	tap_errno(ioctl(ring, MINIKVM_EXIT_RING_READ, &read), EFAULT, "to a bad pointer");
}

/* More than the ring holds. */
static void test_overrun(struct vcpu *vcpu)
{
	struct minikvm_exit_ring_read read;
	struct minikvm_exit_ring again = { .entries = 1024 };
	int ring = ring_open(vcpu, 16), other, i;
	uint64_t recorded;

	for (i = 0; i < 12; i++)
		vcpu_run(vcpu);
	tap_errno(ring_read(ring, 0, ENTRIES, &read), 0, "a reader that comes too late");
	recorded = read.recorded;
	tap_ok(recorded >= 40, "%llu exits went by", (unsigned long long)recorded);
	/* The open one takes the oldest one's place. */
	tap_ok(read.nr == 16 && read.lost == recorded - 15, "it has the last 15 and the open one");
	tap_ok(entries[0].seq == recorded - 15 && times_add_up(read.nr), "... in order");

	other = ioctl(vcpu->fd, MINIKVM_EXIT_RING, &again);
	tap_ok(other >= 0 && again.entries == 16, "a second reader shares the ring");
	close(ring);
	vcpu_run(vcpu);
	tap_errno(ring_read(other, recorded, ENTRIES, &read), 0, "the first one is gone");
	tap_ok(read.recorded > recorded, "... and is still written");
	close(other);

	vcpu_run(vcpu);
	ring = ring_open(vcpu, 32);
	tap_errno(ring_read(ring, 0, ENTRIES, &read), 0, "the next ring");
	tap_eq(read.recorded, 0, "... begins anew");
	vcpu_run(vcpu);
	ring_read(ring, 0, ENTRIES, &read);
	tap_ok(read.nr && entries[0].seq == 0 && entries[0].guest_ticks,
	       "... with the first exit after it");
	tap_ok(times_add_up(read.nr), "the times add up");
	close(ring);
}

static void test_wait(struct vm *vm, struct vcpu *vcpu)
{
	const struct minikvm_exit_entry *found[ENTRIES];
	struct minikvm_exit_ring_read read;
	int ring = ring_open(vcpu, ENTRIES);
	struct runner r;

	vm_load(vm, sleepy_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	runner_start(&r, vcpu, true);
	wait_mp_state(vcpu->fd, MINIKVM_MP_STATE_HALTED, "a guest halts");
	usleep(30000);
	/* Interrupts are off in the guest, an NMI is not. */
	ioctl(vm->fd, MINIKVM_SIGNAL_MSI, &(struct minikvm_msi){
		.address_lo = 0xfee00000, .data = 0x400 });
	pthread_join(r.thread, NULL);
	ring_read(ring, 0, ENTRIES, &read);
	tap_ok(only(REASON_HLT, read.nr, found) == 1, "its HLT is there");
	tap_ok(found[0]->wait_ticks / read.tsc_khz >= 20 &&
	       found[0]->kernel_ticks < found[0]->wait_ticks, "it waited, and did nothing else");
	tap_ok(times_add_up(read.nr), "the times add up");
	close(ring);
}

/* A reader never sees half an entry, however fast the ring turns. */
static void test_race(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_exit_ring_read read;
	int ring = ring_open(vcpu, 16);
	unsigned int i, bad = 0;
	uint64_t seq = 0, lost = 0, seen = 0;
	struct runner r;

	vm_load(vm, cpuid_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	runner_start(&r, vcpu, false);
	for (i = 0; i < 200; i++) {
		if (i % 50 == 0)
			usleep(20000);
		bad += ring_read(ring, seq, ENTRIES, &read) != 0;
		bad += read.seq < seq;
		/* What was given and what was lost are all there were. */
		bad += read.lost + read.nr - (read.nr && entries[read.nr - 1].flags &
					      MINIKVM_EXIT_ENTRY_OPEN) != read.seq - seq;
		bad += read.nr && !times_add_up(1);
		lost += read.lost;
		seen += read.nr;
		seq = read.seq;
	}
	runner_stop(&r);
	tap_eq(bad, 0, "read while it is written: %llu entries, %llu lost",
	       (unsigned long long)seen, (unsigned long long)lost);
	tap_ok(seen, "some were seen");
	close(ring);
}

/* The fd keeps the vCPU. */
static void test_life(void)
{
	struct minikvm_exit_ring_read read;
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);
	int ring = ring_open(vcpu, 16);

	vm_load(vm, cpuid_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	vcpu_run(vcpu);
	vm_free(vm);
	tap_errno(ring_read(ring, 0, ENTRIES, &read), 0, "when the VM's fds are closed");
	tap_ok(read.nr >= NR_CPUID + 1, "its exits are still there");
	close(ring);
}

int main(void)
{
	struct vcpu *vcpu;
	struct vm *vm;
	int ring;

	if (strcmp(dev_path(), "/dev/minikvm"))
		tap_skip_all("KVM has no such interface, and DEV is %s", dev_path());
	if (geteuid())
		tap_skip_all("only root may read");
	vm = vm_new(VM_IRQCHIP);
	vcpu = vm_add_vcpu(vm, 0);
	tap_plan(0);
	test_arguments(vcpu);
	ring = ring_open(vcpu, ENTRIES);
	test_order(vm, vcpu, ring);
	close(ring);
	test_overrun(vcpu);
	test_wait(vm, vcpu);
	test_race(vm, vcpu);
	test_life();
	vm_free(vm);
	return tap_done();
}
