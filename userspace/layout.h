/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The machine's address map: where RAM, firmware tables, device ports and interrupt lines are.
 * machine.c builds from it and boot/dsdt.c describes it to the guest; nobody else picks a number.
 */
#ifndef MKVM_LAYOUT_H
#define MKVM_LAYOUT_H

#define KIB			1024ULL
#define MIB			(1024 * KIB)
#define GIB			(1024 * MIB)

/* RAM: up to 3 GiB from 0; the rest starts at 4 GiB, above the PCI hole. */
#define RAM_LOW_MAX		(3 * GIB)
#define RAM_HIGH_BASE		(4 * GIB)
#define RAM_MIN			(16 * MIB)

/* The first megabyte. */
#define BOOT_GDT_GPA		0x00000500ULL	/* initial descriptor table */
#define BOOT_PARAMS_GPA		0x00007000ULL	/* the zero page */
#define BOOT_STACK_GPA		0x00008ff0ULL
#define BOOT_PML4_GPA		0x00009000ULL	/* one PML4, one PDPT, four page directories */
#define BOOT_CMDLINE_GPA	0x00020000ULL
#define BOOT_CMDLINE_MAX	0x00010000ULL
#define LOW_RAM_END		0x0009fc00ULL	/* where an extended BIOS data area would start */
#define VIDEO_BASE		0x000a0000ULL
#define ACPI_BASE		0x000e0000ULL /* the RSDP, where it is looked for, then tables */
#define ACPI_SIZE		0x00020000ULL
#define HIGH_MEM_BASE		0x00100000ULL

/* The hole below 4 GiB. */
#define PCI_MMIO_BASE		RAM_LOW_MAX
#define PCI_MMIO_END		0xfebfffffULL
#define IOAPIC_BASE		0xfec00000ULL
#define LAPIC_BASE		0xfee00000ULL
#define KVM_IDENTITY_MAP_BASE	0xfffbc000ULL	/* one page, then the three of the TSS */
#define KVM_TSS_BASE		0xfffbd000ULL

/* Ports. The 8259s (0x20, 0xa0), the 8254 (0x40) and port 0x61 are served by the kernel. */
#define I8042_DATA_PORT		0x60
#define I8042_CMD_PORT		0x64
#define RTC_PORT		0x70
#define POST_PORT		0x80
#define COM2_PORT		0x2f8
#define COM1_PORT		0x3f8
#define PM_PORT			0x600 /* PM1 event, PM1 control, PM timer, reset: see dev/pm.h */
#define PM_PORT_LEN		0x10
#define PCI_ADDR_PORT		0xcf8
#define PCI_DATA_PORT		0xcfc
#define PCI_PIO_BASE		0x1000
#define PCI_PIO_END		0xffff

/* Interrupt lines (GSIs); 0 to 15 are the ISA interrupts. */
#define COM2_GSI		3
#define COM1_GSI		4
#define RTC_GSI			8
#define SCI_GSI			9
#define PCI_GSI_BASE		16
#define PCI_GSI_COUNT		8
#define IOAPIC_PINS		24

#define MAX_VCPUS		254		/* xAPIC ids 0..253; 255 is the broadcast id */
#define MAX_SERIALS		2
#define MAX_CHARDEVS		8
#define MAX_DRIVES		24
#define MAX_DEVICES		31		/* PCI slots besides the host bridge */

#endif
