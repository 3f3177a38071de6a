/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Says that it runs, then does nothing, for ever, with interrupts on.
 */
	.include "header.inc"
	outb	COM1, 'r'
1:	pause
	jmp	1b
