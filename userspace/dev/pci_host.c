// SPDX-License-Identifier: GPL-2.0
/*
 * PCI bus 0: the host bridge, configuration mechanism #1, slot and address assignment, and the
 * interrupt lines the slots share.
 *
 * Source: PCI Local Bus Specification 3.0, "Software Generation of Configuration Transactions".
 */
#include <stdlib.h>

#include "dev/pci.h"
#include "dev/pci_regs.h"
#include "machine.h"
#include "report.h"
#include "types.h"

#define ADDR_ENABLE		BIT(31)
#define RESET_PORT		(PCI_ADDR_PORT + 1) /* reset control register, byte access only */
#define RESET_CPU		BIT(2)

#define HOST_BRIDGE_VENDOR	0x8086
#define HOST_BRIDGE_DEVICE	0x0d57		/* a generic host bridge that no driver binds to */
#define CLASS_HOST_BRIDGE	0x060000

/**
 * struct pci_host - the bus
 * @cfg_lock: configuration spaces of all functions, and @address
 * @irq_lock: @asserted, @intx; taken inside device locks, never the other way round
 * @next_bar: next free address in the memory window, at creation
 * @asserted: slots that hold each shared line high
 * @intx: slots whose pin is asserted, whether or not the guest lets it through
 */
struct pci_host {
	struct machine *m;
	struct pci_dev bridge;
	struct pci_dev *slot[PCI_SLOTS];
	pthread_mutex_t cfg_lock;
	pthread_mutex_t irq_lock;
	u32 address;
	u64 next_bar;
	u32 asserted[PCI_GSI_COUNT];
	u32 intx;
};

/* Bring the shared line of @dev in line with its pin. Called with irq_lock held. */
static void update_line(struct pci_host *host, struct pci_dev *dev)
{
	unsigned int line = pci_slot_gsi(dev->slot) - PCI_GSI_BASE;
	u32 bit = 1u << dev->slot, before = host->asserted[line];
	bool off = __atomic_load_n(&dev->cfg[PCI_COMMAND + 1], __ATOMIC_RELAXED) &
		   PCI_COMMAND_INTX_OFF >> 8;

	if ((host->intx & bit) && !off)
		host->asserted[line] |= bit;
	else
		host->asserted[line] &= ~bit;
	if (!before != !host->asserted[line])
		vm_irq_line(&host->m->vm, PCI_GSI_BASE + line, host->asserted[line]);
}

void pci_set_intx(struct machine *m, struct pci_dev *dev, bool level)
{
	struct pci_host *host = m->pci;

	pthread_mutex_lock(&host->irq_lock);
	if (level)
		host->intx |= 1u << dev->slot;
	else
		host->intx &= ~(1u << dev->slot);
	update_line(host, dev);
	pthread_mutex_unlock(&host->irq_lock);
}

/* The function the address register selects, or NULL. Called with cfg_lock held. */
static struct pci_dev *selected(struct pci_host *host)
{
	unsigned int bus = (host->address >> 16) & 0xff, function = (host->address >> 8) & 7;

	if (!(host->address & ADDR_ENABLE) || bus || function)
		return NULL;
	return host->slot[(host->address >> 11) & (PCI_SLOTS - 1)];
}

static u64 address_read(void *opaque, u64 offset, unsigned int size)
{
	struct pci_host *host = opaque;
	u32 value;

	if (offset || size != 4)
		return UINT64_MAX;
	pthread_mutex_lock(&host->cfg_lock);
	value = host->address;
	pthread_mutex_unlock(&host->cfg_lock);
	return value;
}

static void address_write(void *opaque, u64 offset, unsigned int size, u64 value)
{
	struct pci_host *host = opaque;

	if (offset == RESET_PORT - PCI_ADDR_PORT && size == 1) {
		if (value & RESET_CPU)
			machine_post(host->m, MACHINE_RESET);
		return;
	}
	if (offset || size != 4)
		return;
	pthread_mutex_lock(&host->cfg_lock);
	host->address = (u32)value & (ADDR_ENABLE | 0xfffffc);
	pthread_mutex_unlock(&host->cfg_lock);
}

static u64 data_read(void *opaque, u64 offset, unsigned int size)
{
	struct pci_host *host = opaque;
	u32 value = UINT32_MAX;
	struct pci_dev *dev;

	pthread_mutex_lock(&host->cfg_lock);
	dev = selected(host);
	if (dev && size <= 4)
		value = pci_cfg_read(dev, (host->address & 0xfc) + (unsigned int)offset, size);
	pthread_mutex_unlock(&host->cfg_lock);
	return value;
}

static void data_write(void *opaque, u64 offset, unsigned int size, u64 value)
{
	struct pci_host *host = opaque;
	struct pci_dev *dev;

	pthread_mutex_lock(&host->cfg_lock);
	dev = selected(host);
	if (dev && size <= 4) {
		pci_cfg_write(dev, (host->address & 0xfc) + (unsigned int)offset, size, (u32)value);
		pthread_mutex_lock(&host->irq_lock);
		if (dev->slot)
			update_line(host, dev);
		pthread_mutex_unlock(&host->irq_lock);
	}
	pthread_mutex_unlock(&host->cfg_lock);
}

static const struct bus_ops address_ops = { .read = address_read, .write = address_write };
static const struct bus_ops data_ops = { .read = data_read, .write = data_write };

static void host_reset(void *opaque)
{
	struct pci_host *host = opaque;
	unsigned int i;

	host->address = 0;
	host->intx = 0;
	for (i = 0; i < PCI_GSI_COUNT; i++)
		host->asserted[i] = 0;
	for (i = 0; i < PCI_SLOTS; i++) {
		if (host->slot[i])
			pci_dev_reset(host->slot[i]);
	}
}

static void host_destroy(void *opaque)
{
	struct pci_host *host = opaque;

	host->m->pci = NULL;
	free(host);
}

static const struct device_ops host_ops = { .reset = host_reset, .destroy = host_destroy };

/* Give each BAR an address, aligned to its size. */
static int assign_bars(struct pci_host *host, struct pci_dev *dev)
{
	unsigned int i;

	for (i = 0; i < PCI_BARS; i++) {
		u64 size = dev->bar[i].size;
		u64 base = size ? (host->next_bar + size - 1) & ~(size - 1) : 0;
		unsigned int byte;

		if (!size)
			continue;
		if (base + size - 1 > PCI_MMIO_END)
			return report("no room in the PCI memory window");
		for (byte = 0; byte < 4; byte++)
			dev->cfg[PCI_BAR0 + i * 4 + byte] |= (u8)(base >> (8 * byte));
		host->next_bar = base + size;
	}
	return 0;
}

int pci_host_add(struct machine *m, struct pci_dev *dev)
{
	struct pci_host *host = m->pci;
	unsigned int slot;

	for (slot = 0; slot < PCI_SLOTS && host->slot[slot]; slot++)
		;
	if (slot == PCI_SLOTS)
		return report("no free PCI slot; at most %d devices", PCI_SLOTS - 1);
	dev->slot = slot;
	if (dev->cfg[PCI_INT_PIN])
		dev->cfg[PCI_INT_LINE] = (u8)pci_slot_gsi(slot);
	if (assign_bars(host, dev))
		return -1;
	for (unsigned int i = 0; i < PCI_CFG_SIZE; i++)
		dev->initial[i] = dev->cfg[i];
	host->slot[slot] = dev;
	return 0;
}

const struct pci_dev *pci_host_slot(const struct machine *m, unsigned int slot)
{
	return m->pci->slot[slot];
}

int pci_host_create(struct machine *m)
{
	static const struct pci_ident ident = {
		.vendor = HOST_BRIDGE_VENDOR,
		.device = HOST_BRIDGE_DEVICE,
		.class_code = CLASS_HOST_BRIDGE,
	};
	struct pci_host *host = calloc(1, sizeof(*host));

	if (!host)
		return report("out of memory");
	host->m = m;
	host->next_bar = PCI_MMIO_BASE;
	pthread_mutex_init(&host->cfg_lock, NULL);
	pthread_mutex_init(&host->irq_lock, NULL);
	m->pci = host;
	if (machine_add_device(m, &host_ops, host))
		return -1;
	if (bus_attach(&m->pio, PCI_ADDR_PORT, 4, &address_ops, host) ||
	    bus_attach(&m->pio, PCI_DATA_PORT, 4, &data_ops, host))
		return report("the PCI configuration ports are taken");
	pci_dev_init(&host->bridge, &ident, &m->mmio);
	return pci_host_add(m, &host->bridge);
}
