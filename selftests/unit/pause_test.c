// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of pause and resume: nothing runs once the main thread says so, whoever asks, and
 * everything runs afterwards; a machine that ends while it is paused ends. Threads that count
 * stand in for vCPUs.
 */
#include <unistd.h>

#include "machine.h"
#include "tap.h"
#include "vcpu.h"

#define NR_VCPUS	4
#define ROUNDS		500

static struct machine m;
static struct config cfg = { .nr_vcpus = NR_VCPUS };
static struct vcpu vcpus[NR_VCPUS];
static atomic_bool kicked[NR_VCPUS];
static atomic_ulong count[NR_VCPUS];
static atomic_bool stuck;
static unsigned int nr_stops, nr_resumes, nr_device;
static bool fail_again;

void vcpu_kick_all(struct machine *machine)
{
	unsigned int i;

	(void)machine;
	for (i = 0; i < NR_VCPUS; i++)
		atomic_store(&kicked[i], true);
}

/* As vcpu_thread() does: looks at the reason after a kick only. */
static void *guest(void *opaque)
{
	unsigned int i = (unsigned int)((struct vcpu *)opaque - vcpus);

	machine_park(&m);
	while (!machine_stopping(&m)) {
		if (atomic_load(&stuck) && i == 0) {
			usleep(1000);
			continue;
		}
		atomic_fetch_add(&count[i], 1);
		if (atomic_exchange(&kicked[i], false))
			machine_park(&m);
	}
	return NULL;
}

static void start(void)
{
	unsigned int i;

	atomic_store(&m.event, MACHINE_RUNNING);
	for (i = 0; i < NR_VCPUS; i++)
		pthread_create(&vcpus[i].thread, NULL, guest, &vcpus[i]);
	machine_pause_live(&m, true);
}

static void stop(void)
{
	unsigned int i;

	atomic_store(&m.event, MACHINE_RESET);
	machine_pause_live(&m, false);
	vcpu_kick_all(&m);
	for (i = 0; i < NR_VCPUS; i++)
		pthread_join(vcpus[i].thread, NULL);
}

static unsigned long total(void)
{
	unsigned long sum = 0;
	unsigned int i;

	for (i = 0; i < NR_VCPUS; i++)
		sum += atomic_load(&count[i]);
	return sum;
}

/* Does every one of them get on? */
static bool all_run(void)
{
	unsigned long before[NR_VCPUS];
	unsigned int i, tries;
	bool all = false;

	for (i = 0; i < NR_VCPUS; i++)
		before[i] = atomic_load(&count[i]);
	for (tries = 0; tries < 2000 && !all; tries++) {
		usleep(1000);
		for (i = 0, all = true; i < NR_VCPUS; i++)
			all = all && atomic_load(&count[i]) != before[i];
	}
	return all;
}

static bool none_runs(unsigned int usec)
{
	unsigned long before = total();

	usleep(usec);
	return total() == before;
}

static void on_change(struct machine *machine, bool running)
{
	(void)machine;
	if (running)
		nr_resumes++;
	else
		nr_stops++;
}

static void device_resumed(void *opaque)
{
	(void)opaque;
	nr_device++;
	if (fail_again)
		machine_pause(&m, PAUSE_IO_ERROR);
}

static const struct device_ops device = { .resumed = device_resumed };
static const struct device_ops plain_device;

static void *pauser(void *opaque)
{
	unsigned int i;

	(void)opaque;
	for (i = 0; i < ROUNDS; i++) {
		machine_pause(&m, PAUSE_IO_ERROR);
		usleep(100);
	}
	return NULL;
}

static void test_basics(void)
{
	unsigned int i, bad = 0;

	start();
	tap_ok(all_run(), "the guest runs");
	machine_pause(&m, PAUSE_USER);
	machine_pause_settle(&m);
	tap_ok(none_runs(50000), "once settled, nothing runs");
	tap_ok(machine_paused(&m) == PAUSE_USER &&
	       !strcmp(machine_pause_name(PAUSE_USER), "paused"), "the reason is known");
	machine_pause(&m, PAUSE_IO_ERROR);
	machine_pause_settle(&m);
	tap_ok(machine_paused(&m) == PAUSE_USER && nr_stops == 1, "a second pause changes nothing");
	machine_resume(&m);
	tap_ok(all_run() && nr_resumes == 1 && nr_device == 1,
	       "resumed, all run, and devices know");
	machine_resume(&m);
	tap_eq(nr_resumes, 1, "to resume what runs does nothing");
	for (i = 0; i < ROUNDS; i++) {
		machine_pause(&m, PAUSE_USER);
		machine_pause_settle(&m);
		bad += !none_runs(20);
		machine_resume(&m);
	}
	tap_ok(!bad && all_run(), "%u times", ROUNDS);
	stop();
}

static void test_ends(void)
{
	start();
	machine_pause(&m, PAUSE_USER);
	machine_pause_settle(&m);
	stop();
	tap_ok(1, "a paused machine can end");
	nr_stops = 0;
	start();
	machine_pause_settle(&m);
	tap_ok(none_runs(20000) && !nr_stops, "its next life begins paused, as before");
	machine_resume(&m);
	tap_ok(all_run(), "and goes on");
	stop();
	machine_pause(&m, PAUSE_PRELAUNCH);
	start();
	machine_pause_settle(&m);
	tap_ok(total() == 0 || none_runs(20000), "a pause before the start holds");
	machine_resume(&m);
	tap_ok(all_run(), "until it ends");
	stop();
}

static void test_others(void)
{
	pthread_t thread;
	unsigned int i, bad = 0;

	start();
	pthread_create(&thread, NULL, pauser, NULL);
	for (i = 0; i < 2 * ROUNDS; i++) {
		machine_pause_settle(&m);
		if (machine_paused(&m) != PAUSE_NONE)
			bad += !none_runs(10);
		machine_resume(&m);
	}
	pthread_join(thread, NULL);
	machine_resume(&m);
	tap_ok(!bad && all_run(), "another thread pauses, the main thread resumes, %u times",
	       2 * ROUNDS);
	fail_again = true;
	machine_pause(&m, PAUSE_IO_ERROR);
	machine_resume(&m);
	machine_pause_settle(&m);
	tap_ok(machine_paused(&m) == PAUSE_IO_ERROR && none_runs(20000),
	       "a device that still cannot write pauses anew");
	fail_again = false;
	machine_resume(&m);
	atomic_store(&stuck, true);
	machine_pause(&m, PAUSE_USER);
	machine_pause_settle(&m);
	tap_ok(none_runs(20000), "a vCPU that waits outside the guest does not hold up the pause");
	atomic_store(&stuck, false);
	usleep(100000);
	tap_ok(none_runs(20000), "and parks when it is done");
	machine_resume(&m);
	tap_ok(all_run(), "all go on");
	stop();
}

int main(void)
{
	tap_plan(0);
	m.cfg = &cfg;
	m.vm.fd = -1;
	m.vcpu = vcpus;
	m.device[0].ops = &device;
	m.device[1].ops = &plain_device;
	m.nr_devices = 2;
	m.pause.on_change = on_change;
	if (loop_init(&m.loop))
		tap_bail("no event loop");
	machine_pause_init(&m);
	test_basics();
	test_ends();
	test_others();
	loop_destroy(&m.loop);
	return tap_done();
}
