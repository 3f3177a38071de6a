/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Says so on COM1 and powers off through ACPI's PM1 control register.
 */
	.include "header.inc"
	outb	COM1, 'o'
	outb	COM1, 'n'
	power_off
