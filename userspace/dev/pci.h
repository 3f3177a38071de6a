/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A PCI function: configuration space, base address registers, capabilities, interrupt pin; and the
 * bus it sits on.
 */
#ifndef MKVM_DEV_PCI_H
#define MKVM_DEV_PCI_H

#include <pthread.h>

#include "bus.h"
#include "layout.h"
#include "types.h"

struct machine;
struct msix;

#define PCI_SLOTS		32
#define PCI_CFG_SIZE		256
#define PCI_BARS		6

/* Interrupt line of a slot's pin A. */
static inline unsigned int pci_slot_gsi(unsigned int slot)
{
	return PCI_GSI_BASE + (slot - 1) % PCI_GSI_COUNT;
}

/**
 * struct pci_bar - a memory region the guest can move
 * @size: bytes, a power of two, at least 16; 0: the register does not exist
 * @ops: who answers
 * @opaque: argument of @ops
 * @moved: NULL, or called with the configuration lock held when the region is attached at @base,
 *	and before it is detached from there
 * @base: where it is attached now, if @attached
 * @attached: it answers on the bus
 */
struct pci_bar {
	u32 size;
	const struct bus_ops *ops;
	void *opaque;
	void (*moved)(void *opaque, u64 base, bool attached);
	u64 base;
	bool attached;
};

/**
 * struct pci_ident - the read-only part of the header
 * @class_code: base class, subclass and programming interface, 24 bits
 * @vendor: vendor id
 * @device: device id
 * @subsys_vendor: subsystem vendor id
 * @subsys_device: subsystem id
 * @revision: revision id
 */
struct pci_ident {
	u16 vendor, device;
	u16 subsys_vendor, subsys_device;
	u32 class_code;
	u8 revision;
};

/**
 * struct pci_cfg_hook - a device's own registers in configuration space
 * @read: called before [@offset, @offset + @size) is read; may update pci_dev.cfg
 * @written: called after the writable bits of the range were updated
 *
 * Both are called with the bus's configuration lock held, and only for accesses at or above 0x40.
 */
struct pci_cfg_hook {
	void (*read)(void *opaque, unsigned int offset, unsigned int size);
	void (*written)(void *opaque, unsigned int offset, unsigned int size);
};

/**
 * struct pci_dev - one function; all in one device of bus 0
 * @mmio: where BARs are attached
 * @slot: device number, set by pci_host_add()
 * @cfg: configuration space, as the guest reads it; guarded by the bus's configuration lock
 * @wmask: bits of @cfg the guest can write
 * @initial: @cfg at power-on
 * @cap_end: end of the last capability
 * @bar: base address registers, 32-bit memory only
 * @msix: NULL, or told when its control register changes
 * @hook: NULL, or called for registers from 0x40 on
 * @hook_opaque: argument of @hook
 */
struct pci_dev {
	struct bus *mmio;
	unsigned int slot;
	u8 cfg[PCI_CFG_SIZE];
	u8 wmask[PCI_CFG_SIZE];
	u8 initial[PCI_CFG_SIZE];
	unsigned int cap_end;
	struct pci_bar bar[PCI_BARS];
	struct msix *msix;
	const struct pci_cfg_hook *hook;
	void *hook_opaque;
};

/* pci.c: one function; nothing here knows the machine, so that it can be tested alone */

void pci_dev_init(struct pci_dev *dev, const struct pci_ident *ident, struct bus *mmio);

/** pci_add_bar() - the guest places a region of @size bytes (a power of two, at least 16) */
void pci_add_bar(struct pci_dev *dev, unsigned int nr, u32 size, const struct bus_ops *ops,
		 void *opaque);

/**
 * pci_add_capability() - append a capability of @len bytes; return its offset, or 0 if it does not
 *	fit
 * @dev: the device
 * @id: capability id
 * @body: its bytes; the first two are filled in
 * @len: bytes
 */
unsigned int pci_add_capability(struct pci_dev *dev, u8 id, const void *body, unsigned int len);

/** pci_dev_reset() - configuration space as at power-on; BARs are detached */
void pci_dev_reset(struct pci_dev *dev);

/** pci_cfg_read() - @size is 1, 2 or 4, and @offset + @size at most 256 */
u32 pci_cfg_read(struct pci_dev *dev, unsigned int offset, unsigned int size);

/** pci_cfg_write() - likewise; read-only bits keep their value, BARs move at once */
void pci_cfg_write(struct pci_dev *dev, unsigned int offset, unsigned int size, u32 value);

/* pci_host.c: the bus */

/** pci_host_create() - host bridge, configuration ports; 0, or -1 after a report */
int pci_host_create(struct machine *m);

/**
 * pci_host_add() - put a function into the next free slot
 * @m: the machine
 * @dev: the device
 *
 * Takes the power-on state from the function as it is now, with addresses given to its BARs, as
 * firmware would.
 *
 * Return: 0, or -1 after a report.
 */
int pci_host_add(struct machine *m, struct pci_dev *dev);

/** pci_host_slot() - the function in a slot, or NULL; to be looked at while no vCPU runs */
const struct pci_dev *pci_host_slot(const struct machine *m, unsigned int slot);

/**
 * pci_set_intx() - drive the function's interrupt pin; the line is shared with other slots; any
 *	thread
 * @m: the machine
 * @dev: the device
 * @level: high or low
 */
void pci_set_intx(struct machine *m, struct pci_dev *dev, bool level);

#endif
