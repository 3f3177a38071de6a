// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the machine the device fuzzers play on, and a guest's accesses to it.
 */
#include <stdlib.h>
#include <unistd.h>

#include "block/block.h"
#include "chardev.h"
#include "dev/pci.h"
#include "fuzz.h"

#define MAX_OPTIONS	40

struct machine *fuzz_machine(const char *const *options)
{
	static struct machine machine;
	static struct config cfg;
	char *argv[MAX_OPTIONS] = { "run", "-kernel", "none", "-m", "16", "-accel", "/none" };
	struct machine *m = &machine;
	int argc = 7;
	unsigned int i;

	while (*options && argc < MAX_OPTIONS - 1)
		argv[argc++] = (char *)*options++;
	if (config_parse(&cfg, argc, argv) != CONFIG_OK)
		fuzz_fail("the options are refused; see FUZZ_VERBOSE=1");
	m->cfg = &cfg;
	m->vm.fd = -1;
	m->vm.accel = &m->accel;
	m->accel.fd = -1;
	if (loop_init(&m->loop))
		fuzz_fail("no event loop");
	for (i = 0; i < cfg.nr_drives; i++) {
		struct block_options opts = { .format = cfg.drive[i].format,
					      .readonly = cfg.drive[i].readonly };

		m->disk[i] = block_open(cfg.drive[i].path, &opts);
		if (!m->disk[i])
			fuzz_fail("disk %u cannot be opened", i);
	}
	for (i = 0; i < cfg.nr_serials; i++) {
		if (cfg.serial[i].kind != CHARDEV_NONE)
			m->serial[i] = chardev_open(&cfg.serial[i], m);
	}
	for (i = 0; i < cfg.nr_chardevs; i++)
		m->chardev[i] = chardev_open(&cfg.chardev[i], m);
	for (i = 0; i < cfg.net.nr_nics; i++) {
		unsigned int nr = cfg.net.nic[i].backend;

		m->net[nr] = fuzz_net(cfg.net.netdev[nr].queues);
	}
	if (machine_create(m) || machine_start(m))
		fuzz_fail("no machine");
	machine_reset(m);
	return m;
}

void pio_write(struct machine *m, u64 port, unsigned int size, u32 value)
{
	bus_write(&m->pio, port, &value, size);
}

u32 pio_read(struct machine *m, u64 port, unsigned int size)
{
	u32 value = 0;

	bus_read(&m->pio, port, &value, size);
	return value;
}

void mmio_write(struct machine *m, u64 addr, unsigned int size, u64 value)
{
	bus_write(&m->mmio, addr, &value, size);
}

u64 mmio_read(struct machine *m, u64 addr, unsigned int size)
{
	u64 value = 0;

	bus_read(&m->mmio, addr, &value, size);
	return value;
}

u32 cfg_read(struct machine *m, unsigned int slot, unsigned int reg, unsigned int size)
{
	pio_write(m, PCI_ADDR_PORT, 4, BIT(31) | slot << 11 | (reg & 0xfc));
	return pio_read(m, PCI_DATA_PORT + (reg & 3), size);
}

void cfg_write(struct machine *m, unsigned int slot, unsigned int reg, unsigned int size,
	       u32 value)
{
	pio_write(m, PCI_ADDR_PORT, 4, BIT(31) | slot << 11 | (reg & 0xfc));
	pio_write(m, PCI_DATA_PORT + (reg & 3), size, value);
}
