// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC's timer while the vCPU is out of the guest, halts, changes its CPU, or its TSC jumps:
 * nothing is lost, comes twice or early. On mini-KVM once with the CPU timing the guest and once with a
 * timer of the host (parameter preemption_timer).
 */
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gvm.h"

#define VEC		0x40
#define VEC_OTHER	0x51
#define PARAMETER	"/sys/module/minikvm/parameters/preemption_timer"
#define MS		1000000u	/* of the count, divided by 1 */
#define FAR		10000		/* ms: does not come while the test runs */

enum stage {
	DEADLINE_OUT = 1, ONE_SHOT_OUT, PERIODIC_OUT, TSC_FORWARD, TSC_BACK, OTHER_SOON, MOVE, OVER,
};

static volatile uint64_t khz, tsc_takes_timer, fired, fired_at, other;

static void on_timer(struct guest_trap_frame *f)
{
	(void)f;
	fired_at = rdtsc();
	fired++;
	apic_write(APIC_EOI, 0);
}

static void on_other(struct guest_trap_frame *f)
{
	(void)f;
	other++;
	apic_write(APIC_EOI, 0);
}

/* ---- the guest ---------------------------------------------------------------------- */

/* Interrupts on for a moment, which delivers what is requested. */
static void window(void)
{
	sti();
	guest_relax();
	cli();
}

static void spin(uint64_t ms)
{
	uint64_t end = rdtsc() + ms * khz;

	sti();
	while (rdtsc() < end)
		;
	cli();
}

static uint64_t set_deadline(uint64_t ms)
{
	uint64_t when = rdtsc() + ms * khz;

	fired = 0;
	wrmsr(MSR_TSC_DEADLINE, when);
	return when;
}

static void mode(uint32_t lvtt)
{
	apic_write(APIC_LVTT, VEC | lvtt);
	fired = 0;
}

/* The host lets it run out while this vCPU is not in the guest. */
static void out_of_the_guest(void)
{
	uint64_t when;

	mode(APIC_TIMER_DEADLINE);
	when = set_deadline(20);
	guest_sync(DEADLINE_OUT, when);
	guest_eq(rdmsr(MSR_TSC_DEADLINE), 0, "a deadline that passed outside: the MSR reads 0");
	guest_eq(fired, 0, "... it waits while interrupts are off");
	spin(1);
	guest_eq(fired, 1, "... and came once");
	mode(0);
	apic_write(APIC_TMICT, 20 * MS);
	guest_sync(ONE_SHOT_OUT, 0);
	guest_eq(apic_read(APIC_TMCCT), 0, "a one-shot that ended outside: the count is 0");
	spin(1);
	guest_eq(fired, 1, "... and it came once");
	mode(APIC_TIMER_PERIODIC);
	apic_write(APIC_TMICT, 20 * MS);
	guest_sync(PERIODIC_OUT, 0);
	window();
	guest_check(fired == 1 || fired == 2, "periods that passed outside are one interrupt");
	while (fired < 4)
		sti_hlt_cli();
	guest_check(apic_read(APIC_TMCCT) > 0, "... and it goes on");
	apic_write(APIC_TMICT, 0);
}

static void modes(void)
{
	uint32_t before, after;

	mode(APIC_TIMER_DEADLINE);
	set_deadline(2);
	mode(0);
	spin(4);
	guest_eq(fired, 0, "another mode forgets the deadline");
	apic_write(APIC_TMICT, 2 * MS);
	mode(APIC_TIMER_PERIODIC);
	spin(20);
	guest_check(fired >= 3, "a one-shot made periodic goes on with its period");
	apic_write(APIC_TMICT, 2 * MS);
	mode(0);
	spin(9);
	guest_eq(fired, 1, "a periodic one made one-shot ends with the period that runs");
	apic_write(APIC_TMICT, 100 * MS);
	before = apic_read(APIC_TMCCT);
	apic_write(APIC_TDCR, 0);		/* by two */
	after = apic_read(APIC_TMCCT);
	guest_check(after && after <= before && after > before / 2, "another divisor keeps the count");
	apic_write(APIC_TMICT, 0);
	apic_write(APIC_TDCR, 0xb);
	apic_write(APIC_LVTT, VEC | APIC_MASKED);
	apic_write(APIC_TMICT, 2 * MS);
	spin(4);
	apic_write(APIC_TMICT, 0);
	guest_eq(fired, 1, "what ran out masked raised nothing");
}

static void jumps(void)
{
	uint64_t adjust;
	uint32_t r[4];

	set_deadline(FAR);
	guest_sync(TSC_FORWARD, 2 * FAR * khz);
	spin(1);
	guest_eq(fired, 1, "userspace moves the TSC past the deadline: it comes");
	set_deadline(20);
	guest_sync(TSC_BACK, -(2 * FAR * khz));
	window();
	guest_eq(fired, 0, "... and back: it does not");
	guest_check(rdmsr(MSR_TSC_DEADLINE) != 0, "... but is armed");
	wrmsr(MSR_TSC_DEADLINE, 0);
	cpuid(7, 0, r);
	if (r[1] & 2) {
		adjust = rdmsr(MSR_TSC_ADJUST);
		set_deadline(FAR);
		wrmsr(MSR_TSC_ADJUST, adjust + 2 * FAR * khz);
		spin(1);
		guest_eq(fired, 1, "the guest moves its TSC past the deadline: it comes");
		wrmsr(MSR_TSC_ADJUST, adjust);
	}
}

static void far_away(void)
{
	uint64_t when;

	fired = 0;
	wrmsr(MSR_TSC_DEADLINE, ~0ul);
	window();
	guest_eq(rdmsr(MSR_TSC_DEADLINE), ~0ul, "the farthest deadline is kept");
	guest_eq(fired, 0, "... and not reached");
	when = set_deadline(2);
	spin(4);
	guest_check(fired == 1 && fired_at >= when, "a nearer one replaces it, and does not come early");
}

/* Halts: the other interrupt wakes it first, then the timer. */
static void halts(void)
{
	uint64_t when;

	other = 0;
	when = set_deadline(200);
	guest_sync(OTHER_SOON, 0);
	while (!other)
		sti_hlt_cli();
	guest_eq(fired, 0, "another interrupt wakes it while the deadline is ahead");
	guest_eq(rdmsr(MSR_TSC_DEADLINE), when, "... which is still armed");
	while (!fired)
		sti_hlt_cli();
	guest_check(fired_at >= when, "... and wakes the next HLT, not early");
	other = 0;
	when = set_deadline(100);
	guest_sync(OTHER_SOON, 0);
	while (!other)
		sti_hlt_cli();
	sti();
	while (!fired)
		;
	cli();
	guest_check(fired_at >= when, "a deadline that was slept on comes to a running guest");
}

static void moves(void)
{
	bool early = false, missing = false;
	uint64_t when;
	int i;

	for (i = 0; i < 16; i++) {
		when = set_deadline(2);
		guest_sync(MOVE, i);
		spin(4);
		early |= fired && fired_at < when;
		missing |= fired != 1;
	}
	guest_check(!missing, "the thread changes its CPU: each deadline comes, once");
	guest_check(!early, "... none early");
}

static void guest_main(void)
{
	guest_set_handler(VEC, on_timer);
	guest_set_handler(VEC_OTHER, on_other);
	apic_enable();
	apic_write(APIC_TDCR, 0xb);
	out_of_the_guest();
	modes();
	mode(APIC_TIMER_DEADLINE);
	/* KVM leaves an armed timer where it is when the TSC moves. */
	if (tsc_takes_timer)
		jumps();
	far_away();
	halts();
	moves();
	guest_sync(OVER, 0);
	guest_done();
}

/* ---- the host ----------------------------------------------------------------------- */

static uint64_t get_deadline(struct gvm *vm)
{
	struct {
		struct minikvm_msrs head;
		struct minikvm_msr_entry entry;
	} m = { .head.nmsrs = 1, .entry.index = MSR_TSC_DEADLINE };

	if (ioctl(vm->vcpu[0].fd, MINIKVM_GET_MSRS, &m) != 1)
		tap_bail("GET_MSRS does not know the deadline");
	return m.entry.data;
}

static uint32_t get_reg(struct gvm *vm, unsigned int offset)
{
	struct minikvm_lapic_state s;
	uint32_t val;

	GVM_IOCTL(vm->vcpu[0].fd, MINIKVM_GET_LAPIC, &s);
	memcpy(&val, s.regs + offset, sizeof(val));
	return val;
}

static bool requested(struct gvm *vm)
{
	return get_reg(vm, APIC_IRR + 0x10 * (VEC / 32)) >> (VEC % 32) & 1;
}

static void move_tsc(struct gvm *vm, uint64_t delta)
{
	uint64_t offset;
	struct minikvm_device_attr attr = {
		.group = MINIKVM_VCPU_TSC_CTRL, .attr = MINIKVM_VCPU_TSC_OFFSET,
		.addr = (uintptr_t)&offset,
	};

	GVM_IOCTL(vm->vcpu[0].fd, MINIKVM_GET_DEVICE_ATTR, &attr);
	offset += delta;
	GVM_IOCTL(vm->vcpu[0].fd, MINIKVM_SET_DEVICE_ATTR, &attr);
}

/* The next CPU that this program may use. */
static void change_cpu(void)
{
	static cpu_set_t all;
	int cpu = sched_getcpu();
	cpu_set_t one;

	if (!CPU_COUNT(&all) && sched_getaffinity(0, sizeof(all), &all))
		tap_bail("sched_getaffinity: %s", strerror(errno));
	do
		cpu = (cpu + 1) % CPU_SETSIZE;
	while (!CPU_ISSET(cpu, &all));
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one))
		tap_bail("sched_setaffinity: %s", strerror(errno));
}

static void *send_other(void *arg)
{
	struct gvm *vm = arg;
	struct minikvm_msi msi = { .address_lo = 0xfee00000, .data = VEC_OTHER };

	usleep(10000);
	if (ioctl(vm->fd, MINIKVM_SIGNAL_MSI, &msi) != 1)
		tap_bail("SIGNAL_MSI");
	return NULL;
}

/*
 * What has run out while the vCPU was outside is in the state that userspace reads. KVM shows it only once
 * the vCPU has run again.
 */
static void run_out(struct gvm *vm, bool strict, const char *what)
{
	usleep(50000);
	if (strict)
		tap_ok(requested(vm), "%s: its interrupt is in the saved state", what);
}

static void serve(struct gvm *vm, bool strict, pthread_t *sender)
{
	switch (vm->sync_stage) {
	case DEADLINE_OUT:
		tap_ok(get_deadline(vm) == vm->sync_value, "userspace reads the deadline");
		tap_ok(!requested(vm), "... which has not come");
		run_out(vm, strict, "a deadline");
		if (strict)
			tap_ok(get_deadline(vm) == 0, "... and the MSR reads 0");
		break;
	case ONE_SHOT_OUT:
		tap_ok(get_reg(vm, APIC_TMCCT) > 0, "userspace reads the count");
		run_out(vm, strict, "a one-shot");
		if (strict)
			tap_ok(get_reg(vm, APIC_TMCCT) == 0, "... and the count is 0");
		break;
	case PERIODIC_OUT:
		run_out(vm, strict, "a period");
		if (strict)
			tap_ok(get_reg(vm, APIC_TMCCT) > 0, "... and the next one counts");
		break;
	case TSC_FORWARD:
	case TSC_BACK:
		move_tsc(vm, vm->sync_value);
		if (vm->sync_stage == TSC_BACK)
			usleep(50000);
		break;
	case OTHER_SOON:
		if (*sender)
			pthread_join(*sender, NULL);
		if (pthread_create(sender, NULL, send_other, vm))
			tap_bail("pthread_create");
		break;
	case MOVE:
		change_cpu();
		break;
	}
}

static void run(bool strict)
{
	struct gvm *vm = gvm_create(1, GVM_IRQCHIP);
	pthread_t sender = 0;
	cpu_set_t all;
	int stop;

	if (sched_getaffinity(0, sizeof(all), &all))
		tap_bail("sched_getaffinity: %s", strerror(errno));
	*(uint64_t *)gvm_guest(vm, &khz) = ioctl(vm->vcpu[0].fd, MINIKVM_GET_TSC_KHZ, 0);
	*(uint64_t *)gvm_guest(vm, &tsc_takes_timer) = strict;
	gvm_enter64(vm, 0, guest_main);
	while ((stop = gvm_run(vm, 0)) == GVM_SYNC && vm->sync_stage != OVER)
		serve(vm, strict, &sender);
	tap_ok(stop == GVM_SYNC && gvm_run_done(vm), "the guest runs to its end");
	if (sender)
		pthread_join(sender, NULL);
	sched_setaffinity(0, sizeof(all), &all);
	gvm_destroy(vm);
}

/* The parameter as it was; 0 if there is none, which is so with another device. */
static char set_parameter(char value)
{
	int fd = strcmp(dev_path(), "/dev/minikvm") ? -1 : open(PARAMETER, O_RDWR);
	char old = 0;

	if (fd < 0)
		return 0;
	if (read(fd, &old, 1) != 1 || (value && pwrite(fd, &value, 1, 0) != 1))
		tap_bail("%s: %s", PARAMETER, strerror(errno));
	close(fd);
	return old;
}

int main(void)
{
	bool strict;
	char was;
	int dev;

	gvm_start();
	strict = !strcmp(dev_path(), "/dev/minikvm");
	dev = dev_open();
	if (!dev_check_extension(dev, MINIKVM_CAP_TSC_DEADLINE_TIMER))
		tap_skip_all("the device offers no TSC deadline timer");
	close(dev);
	run(strict);
	was = set_parameter('N');
	if (was) {
		tap_diag("the same with a timer of the host");
		run(strict);
		set_parameter(was);
	}
	return gvm_finish();
}
