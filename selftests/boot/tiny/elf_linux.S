/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An ELF kernel without a PVH entry point, entered as a vmlinux: looks for the zero page, says its
 * command line on COM1 and powers off; "bad" if it is not there.
 * Source: Linux Documentation/arch/x86/boot.rst, "64-bit Boot Protocol".
 */
	.intel_syntax noprefix
	.set	HEADER_MAGIC, 0x53726448
	.set	ZERO_PAGE_HEADER, 0x202
	.set	ZERO_PAGE_CMDLINE, 0x228

	.text
	.code64
	.globl	_start
_start:
	cmp	dword ptr [rsi + ZERO_PAGE_HEADER], HEADER_MAGIC
	jne	bad
	mov	esi, [rsi + ZERO_PAGE_CMDLINE]
	.include "say.inc"
