/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ACPI tables: what firmware would tell an operating system about the machine.
 */
#ifndef MKVM_BOOT_ACPI_H
#define MKVM_BOOT_ACPI_H

#include "config.h"
#include "guest_mem.h"
#include "types.h"

/**
 * acpi_build() - write all tables into a buffer
 * @buf: image of guest memory from @base on, ACPI_SIZE bytes
 * @base: guest physical address of @buf[0]; the RSDP is the first thing there
 * @nr_vcpus: CPUs to list
 * @serial: serial ports; those of kind CHARDEV_NONE are not described
 * @nr_serials: entries of @serial
 *
 * Return: bytes used, or 0 if they do not fit.
 */
size_t acpi_build(u8 *buf, gpa_t base, unsigned int nr_vcpus, const struct chardev_config *serial,
		  unsigned int nr_serials);

/**
 * acpi_write() - build the tables and put them into guest RAM at ACPI_BASE
 * @rsdp: set to the address of the RSDP
 * @mem: the guest's RAM
 * @nr_vcpus: CPUs to list
 * @serial: the serial ports
 * @nr_serials: entries of @serial
 *
 * Return: 0, or -1 after a report.
 */
int acpi_write(const struct guest_mem *mem, unsigned int nr_vcpus,
	       const struct chardev_config *serial, unsigned int nr_serials, gpa_t *rsdp);

/**
 * dsdt_build() - write the AML of the DSDT, without the table header
 * @buf: room for it
 * @size: bytes of @buf
 * @serial: the serial ports
 * @nr_serials: entries of @serial
 *
 * Return: bytes used, or 0 if they do not fit.
 */
size_t dsdt_build(u8 *buf, size_t size, const struct chardev_config *serial,
		  unsigned int nr_serials);

#endif
