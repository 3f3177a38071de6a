/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Raises an exception without an interrupt descriptor table.
 */
	.include "header.inc"
	lidt	[rip + empty]
	ud2
empty:	.word	0
	.quad	0
