/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Registers of PCI configuration space.
 *
 * Source: PCI Local Bus Specification 3.0, "Configuration Space" and "MSI-X Capability and Table
 * Structures".
 */
#ifndef MKVM_DEV_PCI_REGS_H
#define MKVM_DEV_PCI_REGS_H

#define PCI_VENDOR		0x00
#define PCI_DEVICE		0x02
#define PCI_COMMAND		0x04
#define PCI_COMMAND_IO		BIT(0)
#define PCI_COMMAND_MEMORY	BIT(1)
#define PCI_COMMAND_MASTER	BIT(2)
#define PCI_COMMAND_INTX_OFF	BIT(10)
#define PCI_STATUS		0x06
#define PCI_STATUS_CAPS		BIT(4)
#define PCI_REVISION		0x08
#define PCI_CLASS		0x09
#define PCI_CACHE_LINE		0x0c
#define PCI_HEADER_TYPE		0x0e
#define PCI_BAR0		0x10
#define PCI_SUBSYS_VENDOR	0x2c
#define PCI_SUBSYS_DEVICE	0x2e
#define PCI_CAP_POINTER		0x34
#define PCI_INT_LINE		0x3c
#define PCI_INT_PIN		0x3d
#define PCI_FIRST_CAP		0x40

#define PCI_CAP_ID_VENDOR	0x09
#define PCI_CAP_ID_MSIX		0x11

#define MSIX_CONTROL		2	/* offset in the capability */
#define MSIX_CONTROL_MASK	BIT(14)
#define MSIX_CONTROL_ENABLE	BIT(15)

#endif
