// SPDX-License-Identifier: GPL-2.0
/*
 * The machine: the one list of its devices, built top to bottom and undone in reverse.
 */
#include <string.h>

#include "config_device.h"
#include "dev/i8042.h"
#include "dev/pci.h"
#include "dev/pm.h"
#include "dev/rtc.h"
#include "dev/serial.h"
#include "machine.h"
#include "report.h"
#include "types.h"
#include "virtio/blk.h"

/*
 * Reset runs in the same order as creation, so the PCI bus comes before what sits on it. Interrupt
 * controllers and interval timer are not here: they are the accelerator's.
 */
static int (*const board[])(struct machine *m) = {
	pm_create,
	rtc_create,
	i8042_create,
	serials_create,
	pci_host_create,
	virtio_blks_create,
	devices_create,
};

int machine_add_device(struct machine *m, const struct device_ops *ops, void *opaque)
{
	if (m->nr_devices == MACHINE_MAX_DEVICES)
		return report("too many devices");
	m->device[m->nr_devices].ops = ops;
	m->device[m->nr_devices].opaque = opaque;
	m->nr_devices++;
	return 0;
}

static int create_ram(struct machine *m)
{
	const struct config *cfg = m->cfg;
	int err;

	if (!cfg->mem_path && guest_mem_create(&m->mem, cfg->mem_size))
		return report("-m: cannot map %llu MiB of memory on this host",
			      cfg->mem_size / MIB);
	err = cfg->mem_path ? guest_mem_create_in(&m->mem, cfg->mem_size, cfg->mem_path) : 0;
	if (err)
		return report("-mem-path %s: cannot get %llu MiB of memory there: %s", cfg->mem_path,
			      cfg->mem_size / MIB, strerror(-err));
	if (cfg->mem_prealloc && guest_mem_populate(&m->mem))
		return report("-mem-prealloc: this host does not have %llu MiB of memory",
			      cfg->mem_size / MIB);
	return 0;
}

int machine_create(struct machine *m)
{
	size_t i;

	machine_pause_init(m);
	bus_init(&m->pio);
	bus_init(&m->mmio);
	if (create_ram(m))
		return -1;
	for (i = 0; i < ARRAY_SIZE(board); i++) {
		if (board[i](m))
			return -1;
	}
	return 0;
}

void machine_destroy(struct machine *m)
{
	while (m->nr_devices) {
		m->nr_devices--;
		m->device[m->nr_devices].ops->destroy(m->device[m->nr_devices].opaque);
	}
	guest_mem_destroy(&m->mem);
	bus_destroy(&m->mmio);
	bus_destroy(&m->pio);
}

int machine_start(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->nr_devices; i++) {
		if (m->device[i].ops->start && m->device[i].ops->start(m->device[i].opaque))
			return -1;
	}
	return 0;
}

void machine_reset(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->nr_devices; i++)
		m->device[i].ops->reset(m->device[i].opaque);
}

void machine_post(struct machine *m, int event)
{
	int running = MACHINE_RUNNING;

	if (atomic_compare_exchange_strong(&m->event, &running, event))
		loop_wake(&m->loop);
}
