/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lives three times: counts its lives in CMOS memory, prints the count, and resets the machine
 * through port 0xcf9 until the third, in which it powers off. A byte of its own image, which each
 * life changes, shows whether the image was loaded anew.
 */
	.include "header.inc"
	mov	al, [rip + fresh]
	mov	edx, COM1
	out	dx, al
	mov	byte ptr [rip + fresh], 's'
	outb	CMOS_INDEX, 0x40
	mov	edx, CMOS_INDEX + 1
	in	al, dx
	inc	al
	out	dx, al
	mov	bl, al
	add	al, '0'
	mov	edx, COM1
	out	dx, al
	cmp	bl, 3
	jae	off
	outb	0xcf9, 6
1:	hlt
	jmp	1b
off:	power_off
fresh:	.byte	'f'
