/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Booting Linux without firmware: where kernel, initrd and tables go, and putting them there.
 */
#ifndef MKVM_BOOT_LINUX_H
#define MKVM_BOOT_LINUX_H

#include "boot/bzimage.h"
#include "boot/elf.h"
#include "config.h"
#include "guest_mem.h"
#include "types.h"

/* Selectors the 64-bit boot protocol asks for, and the table that holds them. */
#define BOOT_CS		0x10
#define BOOT_DS		0x18
#define BOOT_GDT_SIZE	0x20

/* How a kernel is entered. */
enum boot_protocol {
	BOOT_LINUX64,	/* 64-bit mode, zero page */
	BOOT_PVH,	/* 32-bit protected mode, PVH start info */
};

/**
 * struct boot_range - a piece of the guest physical address space
 * @start: first byte
 * @end: behind the last
 * @type: as in an E820 map: 1 RAM, 2 reserved
 */
struct boot_range {
	u64 start;
	u64 end;
	u32 type;
};

#define BOOT_MAX_RANGES	8

/**
 * struct boot_source - the opened files of a boot and where they go
 * @cfg: paths and command line
 * @kernel_fd: bzImage or ELF file
 * @initrd_fd: or -1
 * @protocol: how it is entered
 * @kernel: its parsed header, or what stands for it in an ELF file
 * @elf: parsed ELF headers; elf.nr_segments is 0 for a bzImage
 * @initrd_size: bytes
 * @kernel_gpa: where the protected-mode part goes
 * @initrd_gpa: where the initrd goes
 * @entry: where vCPU 0 starts
 */
struct boot_source {
	const struct config *cfg;
	int kernel_fd;
	int initrd_fd;
	enum boot_protocol protocol;
	struct bzimage kernel;
	struct elf_kernel elf;
	u64 initrd_size;
	gpa_t kernel_gpa;
	gpa_t initrd_gpa;
	gpa_t entry;
};

/**
 * boot_open() - open and check everything a boot needs, and decide where it goes
 * @boot: filled in; boot_close() is due whatever the result
 * @cfg: the user's options, which must outlive @boot
 *
 * Return: 0, or -1 after a report.
 */
int boot_open(struct boot_source *boot, const struct config *cfg);

/**
 * boot_memory_map() - what the guest is told about its address space
 * @cfg: the size of its RAM
 * @range: filled in, in order of address; room for BOOT_MAX_RANGES
 *
 * Return: how many.
 */
unsigned int boot_memory_map(const struct config *cfg, struct boot_range *range);

/** boot_close() - close the files; harmless after a failed boot_open() */
void boot_close(struct boot_source *boot);

/**
 * boot_load() - put kernel, initrd, command line and tables into guest RAM
 * @boot: the opened files
 * @mem: the guest's RAM
 *
 * Called before every start of the guest: the first, and after each reset.
 *
 * Return: 0, or -1 after a report.
 */
int boot_load(const struct boot_source *boot, const struct guest_mem *mem);

#endif
