// SPDX-License-Identifier: GPL-2.0
/*
 * vCPU threads: creation, the run loop with its exit switch, and how a running vCPU is stopped.
 *
 * Stopping: machine_post() sets machine->event, machine_pause() sets machine->pause.reason; then
 * every thread is signalled. With IMMEDIATE_EXIT the handler sets run->immediate_exit, so a signal
 * that lands just before the ioctl is not lost. Without it the signal stays blocked except inside
 * the ioctl (SET_SIGNAL_MASK), to the same effect. MINIKVM_RUN completes the access it left for
 * before it notices either, so that an interrupted vCPU stands between two instructions.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "machine.h"
#include "minikvm_inspect.h"
#include "report.h"
#include "sandbox.h"
#include "thread.h"
#include "types.h"
#include "vcpu.h"

#define SIG_STOP_VCPU	SIGUSR1

static __thread struct minikvm_run *current_run;

static void on_stop_signal(int sig)
{
	(void)sig;
	if (current_run)
		__atomic_store_n(&current_run->immediate_exit, 1, __ATOMIC_RELAXED);
}

int vcpu_global_init(void)
{
	/* No SA_RESTART: a write to a serial back end that blocks must end, too. */
	struct sigaction sa = { .sa_handler = on_stop_signal };
	sigset_t set;

	sigemptyset(&sa.sa_mask);
	sigemptyset(&set);
	sigaddset(&set, SIG_STOP_VCPU);
	if (sigaction(SIG_STOP_VCPU, &sa, NULL) || pthread_sigmask(SIG_BLOCK, &set, NULL))
		return report("cannot set up signals: %s", strerror(errno));
	return 0;
}

/* Let SIG_STOP_VCPU in while the guest runs: always, or only inside MINIKVM_RUN. */
static int open_signal_window(struct vcpu *vcpu)
{
	u32 buf[3] = { sizeof(u64) };	/* struct minikvm_signal_mask: length, then the mask */
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIG_STOP_VCPU);
	if (vcpu->m->accel.immediate_exit)
		return pthread_sigmask(SIG_UNBLOCK, &set, NULL);

	pthread_sigmask(SIG_BLOCK, NULL, &set);
	sigdelset(&set, SIG_STOP_VCPU);
	static_assert(sizeof(struct minikvm_signal_mask) == sizeof(u32), "mask follows length");
	memcpy(&buf[1], &set, sizeof(u64));
	return ioctl(vcpu->fd, MINIKVM_SET_SIGNAL_MASK, buf);
}

/* The signal has done its work; what it stands for is looked at after this. */
static void acknowledge_kick(struct vcpu *vcpu)
{
	const struct timespec now = { 0 };
	sigset_t set;

	if (vcpu->m->accel.immediate_exit) {
		__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
		return;
	}
	sigemptyset(&set);
	sigaddset(&set, SIG_STOP_VCPU);
	while (sigtimedwait(&set, NULL, &now) > 0)
		;
}

static void handle_io(struct vcpu *vcpu)
{
	struct minikvm_run *run = vcpu->run;
	unsigned int size = run->io.size;
	u64 offset = run->io.data_offset;
	u64 count = run->io.count;
	u64 room = vcpu->m->accel.run_size;
	u8 *data = (u8 *)run + offset;

	if (offset > room || size * count > room - offset)
		return;
	for (; count; count--, data += size) {
		if (run->io.direction == MINIKVM_EXIT_IO_IN)
			bus_read(&vcpu->m->pio, run->io.port, data, size);
		else
			bus_write(&vcpu->m->pio, run->io.port, data, size);
	}
}

static void handle_mmio(struct vcpu *vcpu)
{
	struct minikvm_run *run = vcpu->run;

	if (run->mmio.len > sizeof(run->mmio.data))
		return;
	if (run->mmio.is_write)
		bus_write(&vcpu->m->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
	else
		bus_read(&vcpu->m->mmio, run->mmio.phys_addr, run->mmio.data, run->mmio.len);
}

static void fail(struct vcpu *vcpu)
{
	vcpu_report_state(vcpu);
	machine_post(vcpu->m, MACHINE_VCPU_ERROR);
}

static void handle_internal_error(struct vcpu *vcpu)
{
	static const char * const names[] = {
		[MINIKVM_INTERNAL_ERROR_EMULATION] = "instruction cannot be emulated",
		[MINIKVM_INTERNAL_ERROR_SIMUL_EX] = "simultaneous exceptions",
		[MINIKVM_INTERNAL_ERROR_DELIVERY_EV] = "exit during event delivery",
		[MINIKVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON] = "unexpected exit reason",
	};
	struct minikvm_run *run = vcpu->run;
	unsigned int sub = run->internal.suberror, i;
	unsigned int n = run->internal.ndata < 16 ? run->internal.ndata : 16;
	char data[16 * 19 + 1] = "";

	for (i = 0; i < n; i++)
		snprintf(data + strlen(data), sizeof(data) - strlen(data), " 0x%llx",
			 run->internal.data[i]);
	report("vCPU %u: internal error of the accelerator, suberror %u (%s), data:%s", vcpu->id,
	       sub, sub < ARRAY_SIZE(names) && names[sub] ? names[sub] : "unknown",
	       n ? data : " none");
	fail(vcpu);
}

static void handle_system_event(struct vcpu *vcpu)
{
	switch (vcpu->run->system_event.type) {
	case MINIKVM_SYSTEM_EVENT_SHUTDOWN:
		machine_post(vcpu->m, MACHINE_POWEROFF);
		break;
	case MINIKVM_SYSTEM_EVENT_RESET:
		machine_post(vcpu->m, MACHINE_RESET);
		break;
	default:
		report("vCPU %u: the guest crashed (system event %u)", vcpu->id,
		       vcpu->run->system_event.type);
		fail(vcpu);
		break;
	}
}

/* On minikvm the run page names the check that failed. */
static void report_failed_entry(unsigned int id, const struct minikvm_run *run)
{
	const struct minikvm_failed_entry *why = (const void *)run->padding;
	u64 reason = run->fail_entry.hardware_entry_failure_reason;

	if (why->magic != MINIKVM_FAILED_ENTRY_MAGIC || !why->rule[0])
		report("vCPU %u: the CPU refused to enter the guest, hardware reason 0x%llx", id,
		       (unsigned long long)reason);
	else
		report("vCPU %u: the CPU refused to enter the guest, hardware reason 0x%llx: rule "
		       "%.*s is broken (SDM vol. 3C, \"%.*s\")", id, (unsigned long long)reason,
		       (int)sizeof(why->rule), why->rule, (int)sizeof(why->section), why->section);
}

static void handle_exit(struct vcpu *vcpu)
{
	struct minikvm_run *run = vcpu->run;

	switch (run->exit_reason) {
	case MINIKVM_EXIT_IO:
		handle_io(vcpu);
		break;
	case MINIKVM_EXIT_MMIO:
		handle_mmio(vcpu);
		break;
	case MINIKVM_EXIT_INTR:
	case MINIKVM_EXIT_IRQ_WINDOW_OPEN:
		break;
	case MINIKVM_EXIT_SHUTDOWN:
		machine_post(vcpu->m, MACHINE_TRIPLE_FAULT);
		break;
	case MINIKVM_EXIT_SYSTEM_EVENT:
		handle_system_event(vcpu);
		break;
	case MINIKVM_EXIT_UNKNOWN:
		report("vCPU %u: the accelerator does not know hardware exit reason 0x%llx",
		       vcpu->id, run->hw.hardware_exit_reason);
		fail(vcpu);
		break;
	case MINIKVM_EXIT_FAIL_ENTRY:
		report_failed_entry(vcpu->id, run);
		fail(vcpu);
		break;
	case MINIKVM_EXIT_INTERNAL_ERROR:
		handle_internal_error(vcpu);
		break;
	default:
		report("vCPU %u: exit reason %u, which mkvm does not know", vcpu->id,
		       run->exit_reason);
		fail(vcpu);
		break;
	}
}

static void *vcpu_thread(void *opaque)
{
	struct vcpu *vcpu = opaque;

	sandbox_thread(SANDBOX_VCPU);
	current_run = vcpu->run;
	atomic_store(&vcpu->tid, (int)gettid());
	if (open_signal_window(vcpu)) {
		report("vCPU %u: cannot set the signal mask: %s", vcpu->id, strerror(errno));
		machine_post(vcpu->m, MACHINE_VCPU_ERROR);
		return NULL;
	}

	machine_park(vcpu->m);
	while (!machine_stopping(vcpu->m)) {
		if (!ioctl(vcpu->fd, MINIKVM_RUN, 0)) {
			handle_exit(vcpu);
		} else if (errno == EINTR) {
			acknowledge_kick(vcpu);
			machine_park(vcpu->m);
		} else if (errno != EAGAIN) {
			/* EAGAIN: the vCPU has just been woken by its first SIPI. */
			report("vCPU %u: cannot run: %s", vcpu->id, strerror(errno));
			fail(vcpu);
		}
	}
	return NULL;
}

static int vcpu_create(struct vcpu *vcpu, struct machine *m, unsigned int id)
{
	void *run;

	vcpu->m = m;
	vcpu->id = id;
	vcpu->fd = ioctl(m->vm.fd, MINIKVM_CREATE_VCPU, (unsigned long)id);
	if (vcpu->fd < 0)
		return report("%s: cannot create vCPU %u: %s", m->accel.path, id, strerror(errno));
	run = mmap(NULL, m->accel.run_size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED)
		return report("%s: cannot map the run page of vCPU %u: %s", m->accel.path, id,
			      strerror(errno));
	vcpu->run = run;
	/* Nothing depends on counters. */
	vcpu->stats_fd = ioctl(vcpu->fd, MINIKVM_GET_STATS_FD, 0);
	return vcpu_reset_state(vcpu);
}

int vcpu_create_all(struct machine *m)
{
	unsigned int i;

	m->vcpu = calloc(m->cfg->nr_vcpus, sizeof(*m->vcpu));
	if (!m->vcpu)
		return report("no memory for %u vCPUs", m->cfg->nr_vcpus);
	for (i = 0; i < m->cfg->nr_vcpus; i++)
		m->vcpu[i].fd = m->vcpu[i].stats_fd = -1;
	for (i = 0; i < m->cfg->nr_vcpus; i++) {
		if (vcpu_create(&m->vcpu[i], m, i))
			return -1;
	}
	return 0;
}

int vcpu_start_all(struct machine *m)
{
	unsigned int i;
	char name[16];
	int err;

	for (i = 0; i < m->cfg->nr_vcpus; i++) {
		snprintf(name, sizeof(name), "vcpu%u", i);
		err = thread_create(&m->vcpu[i].thread, name, vcpu_thread, &m->vcpu[i]);
		if (err) {
			machine_post(m, MACHINE_VCPU_ERROR);
			return report("cannot start the thread of vCPU %u: %s", i, strerror(err));
		}
		m->vcpu[i].started = true;
	}
	machine_pause_live(m, true);
	return 0;
}

/* A signal that came just before a thread blocked in write() had no effect: send another. */
static void join(struct vcpu *vcpu)
{
	struct timespec until;

	do {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_sec++;
		pthread_kill(vcpu->thread, SIG_STOP_VCPU);
	} while (pthread_timedjoin_np(vcpu->thread, NULL, &until) == ETIMEDOUT);
	vcpu->started = false;
}

void vcpu_kick_all(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->cfg->nr_vcpus; i++) {
		if (m->vcpu[i].started)
			pthread_kill(m->vcpu[i].thread, SIG_STOP_VCPU);
	}
}

void vcpu_stop_all(struct machine *m)
{
	unsigned int i;

	machine_pause_live(m, false);
	vcpu_kick_all(m);
	for (i = 0; i < m->cfg->nr_vcpus; i++) {
		if (m->vcpu[i].started)
			join(&m->vcpu[i]);
	}
}

void vcpu_destroy_all(struct machine *m)
{
	unsigned int i;

	for (i = 0; m->vcpu && i < m->cfg->nr_vcpus; i++) {
		struct vcpu *vcpu = &m->vcpu[i];

		if (vcpu->run)
			munmap(vcpu->run, m->accel.run_size);
		if (vcpu->stats_fd >= 0)
			close(vcpu->stats_fd);
		if (vcpu->fd >= 0)
			close(vcpu->fd);
	}
	free(m->vcpu);
	m->vcpu = NULL;
}
