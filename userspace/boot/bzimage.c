// SPDX-License-Identifier: GPL-2.0
/*
 * The bzImage header: is this a kernel that can be entered in 64-bit mode, and what does it need?
 *
 * Source: Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header" and "64-bit Boot
 * Protocol".
 */
#include <string.h>

#include <asm/bootparam.h>

#include "boot/bzimage.h"
#include "types.h"

#define BOOT_FLAG	0xaa55
#define HEADER_MAGIC	0x53726448	/* "HdrS" */
#define SECTOR		512
#define DEFAULT_SECTS	4		/* what setup_sects == 0 means */
#define MIN_PROTOCOL	0x020c		/* first with xloadflags */

const char *bzimage_parse(struct bzimage *img, const u8 *head, size_t head_size, u64 file_size)
{
	struct setup_header h;
	u64 end;

	memset(img, 0, sizeof(*img));
	if (head_size > BZIMAGE_HEAD_SIZE)
		head_size = BZIMAGE_HEAD_SIZE;
	if (head_size < BZIMAGE_HEADER_OFFSET + sizeof(h) || file_size < head_size)
		return "is no bzImage (too short)";
	memcpy(&h, head + BZIMAGE_HEADER_OFFSET, sizeof(h));
	if (h.boot_flag != BOOT_FLAG || h.header != HEADER_MAGIC)
		return "is no bzImage (no boot signature)";
	if (h.version < MIN_PROTOCOL)
		return "is too old: boot protocol 2.12 (Linux 3.8) or later is needed";
	if (!(h.loadflags & LOADED_HIGH))
		return "is a zImage, not a bzImage";
	if (!(h.xloadflags & XLF_KERNEL_64))
		return "is no 64-bit kernel";

	img->payload_offset = ((h.setup_sects ? h.setup_sects : DEFAULT_SECTS) + 1ULL) * SECTOR;
	if (img->payload_offset >= file_size)
		return "is truncated";
	img->payload_size = file_size - img->payload_offset;
	/* syssize is what the build wrote, in 16-byte units; a shorter file was cut off. */
	if ((u64)h.syssize * 16 > img->payload_size + 15)
		return "is truncated";

	img->pref_address = h.pref_address;
	img->init_size = h.init_size;
	if (img->init_size < img->payload_size)
		img->init_size = img->payload_size;
	img->cmdline_max = h.cmdline_size;
	img->initrd_max = h.initrd_addr_max;

	/* The header ends where the jump instruction at its start lands. */
	end = 0x202 + (u64)(h.jump >> 8);
	if (end <
	    BZIMAGE_HEADER_OFFSET + offsetof(struct setup_header, init_size) + sizeof(h.init_size))
		return "has a malformed header";
	if (end > head_size)
		end = head_size;
	img->header_size = end - BZIMAGE_HEADER_OFFSET;
	memcpy(img->header, head + BZIMAGE_HEADER_OFFSET, img->header_size);
	return NULL;
}
