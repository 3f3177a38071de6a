// SPDX-License-Identifier: GPL-2.0
/*
 * Configuration space of one PCI function: which bits are writable, where its BARs are mapped, its
 * capability list.
 */
#include <string.h>

#include "dev/msix.h"
#include "dev/pci.h"
#include "dev/pci_regs.h"
#include "types.h"

static u32 get(const u8 *p, unsigned int size)
{
	u32 value = 0;

	memcpy(&value, p, size);
	return value;
}

static void put(u8 *p, unsigned int size, u32 value)
{
	memcpy(p, &value, size);
}

static bool overlaps(unsigned int offset, unsigned int size, unsigned int start, unsigned int len)
{
	return offset < start + len && start < offset + size;
}

void pci_dev_init(struct pci_dev *dev, const struct pci_ident *ident, struct bus *mmio)
{
	memset(dev, 0, sizeof(*dev));
	dev->mmio = mmio;
	dev->cap_end = PCI_FIRST_CAP;
	put(dev->cfg + PCI_VENDOR, 2, ident->vendor);
	put(dev->cfg + PCI_DEVICE, 2, ident->device);
	put(dev->cfg + PCI_REVISION, 1, ident->revision);
	put(dev->cfg + PCI_CLASS, 3, ident->class_code);
	put(dev->cfg + PCI_SUBSYS_VENDOR, 2, ident->subsys_vendor);
	put(dev->cfg + PCI_SUBSYS_DEVICE, 2, ident->subsys_device);
	put(dev->wmask + PCI_COMMAND, 2,
	    PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER | PCI_COMMAND_INTX_OFF);
	put(dev->wmask + PCI_CACHE_LINE, 1, 0xff);
	put(dev->wmask + PCI_INT_LINE, 1, 0xff);
}

void pci_add_bar(struct pci_dev *dev, unsigned int nr, u32 size, const struct bus_ops *ops,
		 void *opaque)
{
	dev->bar[nr] = (struct pci_bar){ .size = size, .ops = ops, .opaque = opaque };
	put(dev->wmask + PCI_BAR0 + nr * 4, 4, ~(size - 1));
}

unsigned int pci_add_capability(struct pci_dev *dev, u8 id, const void *body, unsigned int len)
{
	unsigned int offset = (dev->cap_end + 3) & ~3u;
	unsigned int link = PCI_CAP_POINTER;

	if (len < 2 || offset + len > PCI_CFG_SIZE)
		return 0;
	while (dev->cfg[link])
		link = dev->cfg[link] + 1u;
	dev->cfg[link] = (u8)offset;
	memcpy(dev->cfg + offset, body, len);
	dev->cfg[offset] = id;
	dev->cfg[offset + 1] = 0;
	dev->cfg[PCI_STATUS] |= PCI_STATUS_CAPS;
	dev->cap_end = offset + len;
	return offset;
}

/* Attach each BAR where the guest put it, if it has memory decoding on. */
static void update_bars(struct pci_dev *dev)
{
	bool decode = dev->cfg[PCI_COMMAND] & PCI_COMMAND_MEMORY;
	unsigned int i;

	for (i = 0; i < PCI_BARS; i++) {
		struct pci_bar *bar = &dev->bar[i];
		u64 base;

		if (!bar->size)
			continue;
		base = get(dev->cfg + PCI_BAR0 + i * 4, 4) & ~(bar->size - 1);
		if (bar->attached && decode && base == bar->base)
			continue;
		if (bar->attached) {
			if (bar->moved)
				bar->moved(bar->opaque, bar->base, false);
			bus_detach(dev->mmio, bar->base);
		}
		bar->attached = false;
		/*
		 * An address that collides with another device stays unanswered until the guest
		 * moves one.
		 */
		if (decode && base &&
		    !bus_attach(dev->mmio, base, bar->size, bar->ops, bar->opaque)) {
			bar->attached = true;
			bar->base = base;
			if (bar->moved)
				bar->moved(bar->opaque, base, true);
		}
	}
}

void pci_dev_reset(struct pci_dev *dev)
{
	memcpy(dev->cfg, dev->initial, sizeof(dev->cfg));
	update_bars(dev);
	if (dev->msix)
		msix_reset(dev->msix);
}

u32 pci_cfg_read(struct pci_dev *dev, unsigned int offset, unsigned int size)
{
	if (offset >= PCI_FIRST_CAP && dev->hook)
		dev->hook->read(dev->hook_opaque, offset, size);
	return get(dev->cfg + offset, size);
}

void pci_cfg_write(struct pci_dev *dev, unsigned int offset, unsigned int size, u32 value)
{
	u32 mask = get(dev->wmask + offset, size);

	put(dev->cfg + offset, size, (get(dev->cfg + offset, size) & ~mask) | (value & mask));
	if (overlaps(offset, size, PCI_COMMAND, 2) ||
	    overlaps(offset, size, PCI_BAR0, PCI_BARS * 4))
		update_bars(dev);
	if (dev->msix)
		msix_config_written(dev->msix);
	if (offset >= PCI_FIRST_CAP && dev->hook)
		dev->hook->written(dev->hook_opaque, offset, size);
}
