/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Reads and writes device ports, PCI configuration space and the registers of the first PCI device
 * at random, 30000 times, sparing only what would reset the machine or switch it off. Then prints
 * E and powers off, if the VMM still serves it.
 */
	.include "header.inc"
	mov	ebp, 30000
	mov	rbx, 0x139408dcbbf7a44
next:	mov	rax, rbx		/* xorshift */
	shl	rax, 13
	xor	rbx, rax
	mov	rax, rbx
	shr	rax, 7
	xor	rbx, rax
	mov	rax, rbx
	shl	rax, 17
	xor	rbx, rax
	test	bl, 1
	jz	memory

	mov	ecx, ebx		/* one of the ports, plus 0 to 7 */
	shr	ecx, 24
	and	ecx, 7
	lea	rsi, [rip + ports]
	movzx	edx, word ptr [rsi + rcx * 2]
	mov	ecx, ebx
	shr	ecx, 28
	and	ecx, 7
	or	edx, ecx
	mov	rax, rbx
	shr	rax, 32
	test	bl, 2
	jz	input
	cmp	edx, 0xcf9
	je	again
	cmp	edx, PM1_CONTROL
	je	again
	cmp	edx, 0x60c
	je	again
	cmp	edx, I8042_COMMAND
	je	again
	out	dx, al
	test	bl, 4
	jz	again
	test	edx, 3
	jnz	again
	out	dx, eax
	jmp	again
input:	in	al, dx
	in	eax, dx
	jmp	again

memory:	mov	edx, PCI_ADDRESS	/* slot 1: memory decoding on, BAR at its usual place */
	mov	eax, 0x80000804
	out	dx, eax
	mov	edx, PCI_DATA
	mov	eax, 6
	out	dx, ax
	mov	edx, PCI_ADDRESS
	mov	eax, 0x80000810
	out	dx, eax
	mov	edx, PCI_DATA
	mov	eax, 0xc0000000
	out	dx, eax
	mov	ecx, ebx
	shr	ecx, 8
	and	ecx, 0x703f
	mov	edx, 0xc0000000
	add	rdx, rcx
	mov	rax, rbx
	shr	rax, 32
	test	bl, 2
	jz	load
	test	bl, 4
	jz	byte
	mov	[rdx], eax
	jmp	again
byte:	mov	[rdx], al
	jmp	again
load:	mov	eax, [rdx]

again:	dec	ebp
	jnz	next
	outb	COM1 + 4, 0		/* out of loopback mode, data port in front */
	outb	COM1 + 3, 3
	outb	COM1, 'E'
	power_off
ports:	.word	0x3f8, 0x2f8, 0x70, PCI_ADDRESS, PCI_DATA, 0x600, 0x608, 0x60
