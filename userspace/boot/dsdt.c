// SPDX-License-Identifier: GPL-2.0
/*
 * The DSDT: describes the PCI root, the ISA devices and soft power-off, from the address map in
 * layout.h.
 *
 * Source: ACPI Specification 6.4, "Device Configuration", "\_Sx (System States)".
 */
#include "boot/acpi.h"
#include "boot/aml.h"
#include "dev/pci.h"
#include "dev/pm.h"
#include "layout.h"
#include "types.h"

static void isa_device(struct aml *aml, const char *seg, const char *hid, unsigned int uid,
		       struct aml_res *res)
{
	size_t dev = aml_begin_device(aml, seg);

	aml_name(aml, "_HID");
	aml_eisaid(aml, hid);
	aml_name(aml, "_UID");
	aml_int(aml, uid);
	aml_name(aml, "_CRS");
	aml_res_put(aml, res);
	aml_end(aml, dev);
}

/* Interrupt of each slot: pin A is wired straight to an I/O APIC input. */
static void pci_routing(struct aml *aml)
{
	size_t prt, entry;
	unsigned int slot;

	aml_name(aml, "_PRT");
	prt = aml_begin_package(aml, PCI_SLOTS - 1);
	for (slot = 1; slot < PCI_SLOTS; slot++) {
		entry = aml_begin_package(aml, 4);
		aml_int(aml, (u64)slot << 16 | 0xffff);
		aml_int(aml, 0);
		aml_int(aml, 0);
		aml_int(aml, pci_slot_gsi(slot));
		aml_end(aml, entry);
	}
	aml_end(aml, prt);
}

static void pci_root(struct aml *aml)
{
	struct aml_res res = { .len = 0 };
	size_t dev = aml_begin_device(aml, "PCI0");

	aml_name(aml, "_HID");
	aml_eisaid(aml, "PNP0A03");
	aml_name(aml, "_UID");
	aml_int(aml, 0);
	aml_name(aml, "_BBN");
	aml_int(aml, 0);
	aml_res_bus_range(&res, 0, 0);
	aml_res_io(&res, PCI_ADDR_PORT, 8);
	aml_res_io_range(&res, 0, PCI_ADDR_PORT - 1);
	aml_res_io_range(&res, PCI_PIO_BASE, PCI_PIO_END);
	aml_res_mem_range(&res, (u32)PCI_MMIO_BASE, (u32)PCI_MMIO_END);
	aml_name(aml, "_CRS");
	aml_res_put(aml, &res);
	pci_routing(aml);
	aml_end(aml, dev);
}

static void serial_ports(struct aml *aml, const struct chardev_config *serial,
			 unsigned int nr_serials)
{
	static const struct {
		const char *seg;
		u16 port;
		unsigned int gsi;
	} com[MAX_SERIALS] = { { "COM1", COM1_PORT, COM1_GSI }, { "COM2", COM2_PORT, COM2_GSI } };
	unsigned int i;

	for (i = 0; i < nr_serials && i < MAX_SERIALS; i++) {
		struct aml_res res = { .len = 0 };

		if (serial[i].kind == CHARDEV_NONE)
			continue;
		aml_res_io(&res, com[i].port, 8);
		aml_res_irq(&res, com[i].gsi);
		isa_device(aml, com[i].seg, "PNP0501", i + 1, &res);
	}
}

static void soft_off(struct aml *aml)
{
	size_t pkg;

	aml_name(aml, "\\_S5");
	pkg = aml_begin_package(aml, 4);
	aml_int(aml, PM_SLP_TYP_S5);
	aml_int(aml, PM_SLP_TYP_S5);
	aml_int(aml, 0);
	aml_int(aml, 0);
	aml_end(aml, pkg);
}

size_t dsdt_build(u8 *buf, size_t size, const struct chardev_config *serial, unsigned int nr_serials)
{
	struct aml aml = { .buf = buf, .size = size };
	struct aml_res rtc = { .len = 0 }, pm = { .len = 0 };
	size_t sb = aml_begin_scope(&aml, "\\_SB");

	pci_root(&aml);
	serial_ports(&aml, serial, nr_serials);
	aml_res_io(&rtc, RTC_PORT, 2);
	aml_res_irq(&rtc, RTC_GSI);
	isa_device(&aml, "RTC", "PNP0B00", 0, &rtc);
	/* Ports that belong to the board itself. */
	aml_res_io(&pm, PM_PORT, PM_PORT_LEN);
	isa_device(&aml, "MBRD", "PNP0C02", 0, &pm);
	aml_end(&aml, sb);
	soft_off(&aml);
	return aml.full ? 0 : aml.len;
}
