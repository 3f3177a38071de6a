// SPDX-License-Identifier: GPL-2.0
/*
 * Pause and resume: who asks, how vCPU threads are brought to a halt, and what becomes of the
 * guest's clocks.
 *
 * Whoever asks only sets the reason and kicks the vCPUs, so that a device may do it with its locks
 * held. A vCPU thread looks at the reason after each interrupted MINIKVM_RUN, where no access is
 * pending, and parks. The main thread waits for that and does what must not be done before.
 */
#include <sys/ioctl.h>
#include <time.h>

#include "machine.h"
#include "pause.h"
#include "types.h"
#include "vcpu.h"

#define SETTLE_TRIES	10
#define SETTLE_NSEC	100000000L

void machine_pause_init(struct machine *m)
{
	pthread_mutex_init(&m->pause.lock, NULL);
	pthread_cond_init(&m->pause.changed, NULL);
}

const char *machine_pause_name(enum machine_pause reason)
{
	static const char * const names[] = {
		[PAUSE_NONE] = "running",
		[PAUSE_PRELAUNCH] = "prelaunch",
		[PAUSE_USER] = "paused",
		[PAUSE_IO_ERROR] = "io-error",
	};

	return names[reason];
}

enum machine_pause machine_paused(struct machine *m)
{
	return (enum machine_pause)atomic_load(&m->pause.reason);
}

void machine_pause(struct machine *m, enum machine_pause reason)
{
	struct pause_state *p = &m->pause;

	pthread_mutex_lock(&p->lock);
	if (machine_paused(m) == PAUSE_NONE) {
		atomic_store(&p->reason, reason);
		p->settled = false;
		if (p->live)
			vcpu_kick_all(m);
	}
	pthread_mutex_unlock(&p->lock);
	loop_wake(&m->loop);
}

void machine_pause_live(struct machine *m, bool live)
{
	struct pause_state *p = &m->pause;

	pthread_mutex_lock(&p->lock);
	p->live = live;
	p->settled = false;
	/* A pause that came while the threads were being started reached none of them. */
	if (live && machine_paused(m) != PAUSE_NONE)
		vcpu_kick_all(m);
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
}

void machine_park(struct machine *m)
{
	struct pause_state *p = &m->pause;

	if (machine_paused(m) == PAUSE_NONE)
		return;
	pthread_mutex_lock(&p->lock);
	p->parked++;
	pthread_cond_broadcast(&p->changed);
	while (machine_paused(m) != PAUSE_NONE && !machine_stopping(m))
		pthread_cond_wait(&p->changed, &p->lock);
	p->parked--;
	pthread_mutex_unlock(&p->lock);
}

/* Wait for the threads; called with the lock held. */
static void wait_parked(struct machine *m)
{
	struct pause_state *p = &m->pause;
	struct timespec until;
	int tries;

	for (tries = 0; p->parked < m->cfg->nr_vcpus && tries < SETTLE_TRIES; tries++) {
		if (machine_stopping(m))
			return;
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += SETTLE_NSEC;
		if (until.tv_nsec >= 1000000000L) {
			until.tv_nsec -= 1000000000L;
			until.tv_sec++;
		}
		/* A kick that came just before a thread blocked in a system call had no effect. */
		if (pthread_cond_timedwait(&p->changed, &p->lock, &until))
			vcpu_kick_all(m);
	}
}

/* What a kernel lacks is left running; kvmclock and 8254 are optional to a guest. */
static void save_clocks(struct machine *m)
{
	struct pause_state *p = &m->pause;

	p->generation = m->vm.generation;
	p->clock_valid = !ioctl(m->vm.fd, MINIKVM_GET_CLOCK, &p->clock);
	p->pit_valid = !ioctl(m->vm.fd, MINIKVM_GET_PIT2, &p->pit);
}

static void restore_clocks(struct machine *m)
{
	struct pause_state *p = &m->pause;
	unsigned int i;

	if (p->generation != m->vm.generation)
		return;
	/* Not the realtime of then: the clock goes on from where it stood, as QEMU's does. */
	p->clock.flags = 0;
	if (p->clock_valid)
		(void)ioctl(m->vm.fd, MINIKVM_SET_CLOCK, &p->clock);
	/* Drops the ticks that piled up; the guest did not miss the time they stand for. */
	if (p->pit_valid)
		(void)ioctl(m->vm.fd, MINIKVM_SET_PIT2, &p->pit);
	p->clock_valid = false;
	p->pit_valid = false;
	/* Tells the guest's watchdogs; refused if the guest has no kvmclock. */
	for (i = 0; i < m->cfg->nr_vcpus; i++)
		(void)ioctl(m->vcpu[i].fd, MINIKVM_KVMCLOCK_CTRL, 0);
}

void machine_pause_settle(struct machine *m)
{
	struct pause_state *p = &m->pause;
	bool settle, tell = false;
	unsigned int i;

	if (machine_paused(m) == PAUSE_NONE)
		return;
	pthread_mutex_lock(&p->lock);
	settle = p->live && !p->settled;
	if (settle) {
		wait_parked(m);
		p->settled = true;
		tell = !p->told;
		p->told = true;
	}
	pthread_mutex_unlock(&p->lock);
	for (i = 0; settle && i < m->nr_devices; i++) {
		if (m->device[i].ops->paused)
			m->device[i].ops->paused(m->device[i].opaque);
	}
	if (settle)
		save_clocks(m);
	if (tell && p->on_change)
		p->on_change(m, false);
}

void machine_resume(struct machine *m)
{
	struct pause_state *p = &m->pause;
	unsigned int i;

	if (machine_paused(m) == PAUSE_NONE)
		return;
	machine_pause_settle(m);
	restore_clocks(m);
	pthread_mutex_lock(&p->lock);
	atomic_store(&p->reason, PAUSE_NONE);
	p->told = false;
	pthread_cond_broadcast(&p->changed);
	pthread_mutex_unlock(&p->lock);
	if (p->on_change)
		p->on_change(m, true);
	for (i = 0; i < m->nr_devices; i++) {
		if (m->device[i].ops->resumed)
			m->device[i].ops->resumed(m->device[i].opaque);
	}
}
