/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine: what a guest consists of, and the events that end it.
 */
#ifndef MKVM_MACHINE_H
#define MKVM_MACHINE_H

#include <pthread.h>
#include <stdatomic.h>

#include "accel.h"
#include "boot/linux.h"
#include "bus.h"
#include "config.h"
#include "guest_mem.h"
#include "layout.h"
#include "loop.h"
#include "pause.h"

struct block;
struct chardev;
struct console;
struct control;
struct machine;
struct net_backend;
struct pci_host;
struct pm;
struct vcpu;

/* Why the guest stopped. The first event of a run wins; later ones are dropped. */
enum machine_event {
	MACHINE_RUNNING = 0,
	MACHINE_POWEROFF,
	MACHINE_RESET,
	MACHINE_TRIPLE_FAULT,
	MACHINE_VCPU_ERROR,
	MACHINE_QUIT,		/* the user asked, with the escape key */
	MACHINE_SIGNAL,		/* plus the signal's number */
};

#define DEVICE_MAX_COUNTERS	24

/**
 * struct device_stats - what a device tells `mkvm info` about itself; all strings are its own
 * @kind: "block", "net", ...
 * @name: "vda", "net0", ...
 * @file: the image or the network's name, or NULL
 * @format: "raw", "tap", ..., or NULL
 * @readonly: it takes no writes
 * @counter: names as in QMP's BlockDeviceStats where they mean the same, and values
 * @nr_counters: entries of @counter
 */
struct device_stats {
	const char *kind;
	char name[32];
	const char *file;
	const char *format;
	bool readonly;
	struct {
		const char *name;
		u64 value;
	} counter[DEVICE_MAX_COUNTERS];
	unsigned int nr_counters;
};

/** device_stats_add() - one counter more; dropped if there are too many */
static inline void device_stats_add(struct device_stats *s, const char *name, u64 value)
{
	if (s->nr_counters == DEVICE_MAX_COUNTERS)
		return;
	s->counter[s->nr_counters].name = name;
	s->counter[s->nr_counters++].value = value;
}

/**
 * struct device_ops - a device as the machine sees it
 * @start: NULL, or start threads; called once, after privilege was dropped. 0, or -1 after a report
 * @reset: back to power-on state; no vCPU runs, and on return the device neither touches RAM nor
 *	raises interrupts
 * @paused: NULL, or the machine was paused: end what would touch guest RAM without end; main
 *	thread, no vCPU runs, perhaps several times in one pause
 * @resumed: NULL, or the machine goes on after a pause: try again what had to wait, and return;
 *	main thread, vCPUs may run already
 * @stats: NULL, or fill in the zeroed structure; main thread, while other threads count
 * @destroy: free it; undoes the create function
 */
struct device_ops {
	int (*start)(void *opaque);
	void (*reset)(void *opaque);
	void (*paused)(void *opaque);
	void (*resumed)(void *opaque);
	void (*stats)(void *opaque, struct device_stats *stats);
	void (*destroy)(void *opaque);
};

#define MACHINE_MAX_DEVICES	48

/**
 * struct machine - everything a guest needs
 * @cfg: what the user asked for
 * @accel: the open accelerator
 * @vm: the VM; a new one after each guest reset
 * @mem: guest RAM
 * @pio: ports
 * @mmio: memory-mapped registers
 * @pci: PCI bus 0
 * @pm: ACPI fixed hardware, with the power button
 * @loop: the main thread's event loop
 * @boot: kernel, initrd and command line
 * @serial: back ends of the serial ports; NULL where there is none
 * @chardev: the streams of `-chardev` that are no serial port's, by their place in cfg->chardev
 * @disk: opened and locked images, cfg->nr_drives of them
 * @net: open back ends of networks, cfg->net.nr_netdevs of them
 * @pidfile_written: cfg->pidfile is ours to remove
 * @control: the control socket; NULL: there is none
 * @console: what the guest wrote to @console_port; NULL: `mkvm console` has nothing to show
 * @console_port: the back end of the first serial port that is not the user's terminal
 * @vcpu: cfg->nr_vcpus of them, while the guest runs
 * @host_asked: the event was asked for on the control socket, not by the guest; main thread
 * @pause: whether the guest runs, see pause.h
 * @event: enum machine_event, see machine_post()
 * @device: the devices, in the order they were made
 * @nr_devices: entries of @device
 */
struct machine {
	const struct config *cfg;
	struct accel accel;
	struct vm vm;
	struct guest_mem mem;
	struct bus pio;
	struct bus mmio;
	struct pci_host *pci;
	struct pm *pm;
	struct loop loop;
	struct boot_source boot;
	struct chardev *serial[MAX_SERIALS];
	struct chardev *chardev[MAX_CHARDEVS];
	struct block *disk[MAX_DRIVES];
	struct net_backend *net[MAX_NETS];
	bool pidfile_written;
	struct control *control;
	struct console *console;
	struct chardev *console_port;
	struct vcpu *vcpu;
	bool host_asked;
	struct pause_state pause;
	atomic_int event;
	struct {
		const struct device_ops *ops;
		void *opaque;
	} device[MACHINE_MAX_DEVICES];
	unsigned int nr_devices;
};

/**
 * machine_create() - build the board: RAM and devices, no VM yet
 * @m: the machine
 *
 * The caller has set cfg, accel, loop, boot, serial and disk.
 *
 * Return: 0, or -1 after a report; machine_destroy() is due in both cases.
 */
int machine_create(struct machine *m);

/** machine_destroy() - free devices, in reverse order, and RAM; no vCPU may exist */
void machine_destroy(struct machine *m);

/**
 * machine_add_device() - register a device for reset and destroy; -1 after a report if there are
 *	too many
 * @m: the machine
 * @ops: what it does
 * @opaque: argument of @ops
 */
int machine_add_device(struct machine *m, const struct device_ops *ops, void *opaque);

/** machine_start() - let the devices start their threads; 0, or -1 after a report */
int machine_start(struct machine *m);

/** machine_reset() - all devices to power-on state; no vCPU may be running */
void machine_reset(struct machine *m);

/** machine_post() - end the guest's run because of @event; any thread */
void machine_post(struct machine *m, int event);

/** machine_stopping() - true from the first machine_post() on; any thread */
static inline int machine_stopping(struct machine *m)
{
	return atomic_load_explicit(&m->event, memory_order_relaxed) != MACHINE_RUNNING;
}

#endif
