/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Sends characters to COM1 for ever.
 */
	.include "header.inc"
1:	outb	COM1, 'x'
	jmp	1b
