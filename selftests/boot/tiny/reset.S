/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Resets the machine through the keyboard controller.
 */
	.include "header.inc"
	outb	I8042_COMMAND, 0xfe
1:	hlt
	jmp	1b
