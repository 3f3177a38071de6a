/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A guest to be controlled: says S when it starts, then dots without end, and repeats what it is
 * sent; when the power button is pressed it says B and powers off.
 */
	.include "header.inc"
	.set	PM1_STATUS, 0x600
	.set	PM1_ENABLE, 0x602
	.set	POWER_BUTTON, 0x100
	.set	DOT, 64			/* rounds from dot to dot */

	mov	edx, PM1_ENABLE
	mov	eax, POWER_BUTTON
	out	dx, ax
	outb	COM1 + 4, 3		/* DTR, RTS: input may come */
	outb	COM1, 'S'
	xor	ebx, ebx
next:	inc	ebx
	test	ebx, DOT - 1
	jnz	1f
	outb	COM1, '.'
1:	mov	edx, COM1 + 5
	in	al, dx
	test	al, 1
	jz	2f
	mov	edx, COM1
	in	al, dx
	out	dx, al
2:	mov	edx, PM1_STATUS
	in	ax, dx
	test	eax, POWER_BUTTON
	jz	next
	mov	eax, POWER_BUTTON
	out	dx, ax
	in	ax, dx
	test	eax, POWER_BUTTON	/* writing one has cleared it */
	jnz	next
	outb	COM1, 'B'
	power_off
