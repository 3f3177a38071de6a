/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An ELF kernel with a PVH entry point: looks at what the entry promises, says its command line on
 * COM1 and powers off; "bad" if a promise is broken.
 * Sources: Xen public/elfnote.h, public/arch-x86/hvm/start_info.h; docs/misc/pvh.pandoc.
 */
	.intel_syntax noprefix
	.set	START_MAGIC, 0x336ec578
	.set	START_CMDLINE, 24
	.set	START_MEMMAP_ENTRIES, 48

	.section .note.Xen, "a", @note
	.long	4, 4, 18		/* name, value; XEN_ELFNOTE_PHYS32_ENTRY */
	.asciz	"Xen"
	.long	_start

	.text
	.code32
	.globl	_start
_start:
	mov	eax, cr0		/* protected mode, no paging */
	and	eax, 0x80000001
	cmp	eax, 1
	jne	bad
	mov	eax, cr4
	test	eax, eax
	jnz	bad
	cmp	dword ptr [ebx], START_MAGIC
	jne	bad
	cmp	dword ptr [ebx + START_MEMMAP_ENTRIES], 3
	jb	bad
	cmp	dword ptr [zero], 0	/* the part that is not in the file */
	jne	bad
	inc	dword ptr [zero]
	mov	esi, [ebx + START_CMDLINE]
	.include "say.inc"

	.bss
	.balign	4096
zero:	.space	8192
