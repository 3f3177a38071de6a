/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Parsing of kernels that are ELF files: a Linux vmlinux, or anything with a PVH entry point.
 */
#ifndef MKVM_BOOT_ELF_H
#define MKVM_BOOT_ELF_H

#include "types.h"

#define ELF_MAX_SEGMENTS	16

/**
 * struct elf_segment - a piece of the file that goes to memory
 * @offset: where it is in the file
 * @file_size: bytes there
 * @gpa: guest physical address it goes to, at least 1 MiB
 * @mem_size: bytes it takes in memory; what is behind @file_size is zero
 */
struct elf_segment {
	u64 offset;
	u64 file_size;
	u64 gpa;
	u64 mem_size;
};

/**
 * struct elf_kernel - what the loader needs to know
 * @segment: the pieces; may overlap, the later one wins
 * @nr_segments: how many
 * @start: lowest address of a piece
 * @end: end of the highest
 * @entry: 64-bit entry point, a physical address in a piece
 * @pvh: the file has a PVH entry point
 * @pvh_entry: it, likewise
 */
struct elf_kernel {
	struct elf_segment segment[ELF_MAX_SEGMENTS];
	unsigned int nr_segments;
	u64 start;
	u64 end;
	u64 entry;
	bool pvh;
	u64 pvh_entry;
};

/** elf_is_elf() - do the first @size bytes of a file look like one? */
bool elf_is_elf(const u8 *head, size_t size);

/**
 * elf_parse() - read and check the headers
 * @elf: filled in
 * @fd: the file, which is not trusted: every offset and size is checked
 * @file_size: its size
 *
 * Return: NULL if the kernel can be booted, otherwise what is wrong with it, to follow the file's
 * name in a message.
 */
const char *elf_parse(struct elf_kernel *elf, int fd, u64 file_size);

#endif
