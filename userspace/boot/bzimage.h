/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Parsing of the header of a Linux bzImage.
 */
#ifndef MKVM_BOOT_BZIMAGE_H
#define MKVM_BOOT_BZIMAGE_H

#include "types.h"

/* Where the setup header lies in the file, and how far a parser must read to have all of it. */
#define BZIMAGE_HEADER_OFFSET	0x1f1
#define BZIMAGE_HEAD_SIZE	0x290

/**
 * struct bzimage - what the loader needs to know; sizes in bytes
 * @payload_offset: where the protected-mode part starts in the file
 * @payload_size: its size
 * @pref_address: guest physical address it wants to be loaded at
 * @init_size: contiguous memory it needs from @pref_address on before it knows the memory map
 * @cmdline_max: longest command line, without the terminating zero
 * @initrd_max: highest address the last byte of the initrd may have
 * @header: copy of the setup header, for the zero page
 * @header_size: valid bytes of @header
 */
struct bzimage {
	u64 payload_offset;
	u64 payload_size;
	u64 pref_address;
	u64 init_size;
	u64 cmdline_max;
	u64 initrd_max;
	u8 header[BZIMAGE_HEAD_SIZE - BZIMAGE_HEADER_OFFSET];
	size_t header_size;
};

/**
 * bzimage_parse() - check a kernel's header and take what is needed from it
 * @img: filled in
 * @head: the first bytes of the file
 * @head_size: how many of them, up to BZIMAGE_HEAD_SIZE
 * @file_size: size of the whole file
 *
 * The file is not trusted: every offset and size is checked against @file_size.
 *
 * Return: NULL if the kernel can be booted, otherwise what is wrong with it, to follow the file's
 * name in a message.
 */
const char *bzimage_parse(struct bzimage *img, const u8 *head, size_t head_size, u64 file_size);

#endif
