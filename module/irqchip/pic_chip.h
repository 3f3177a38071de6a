/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The logic of the 8259A pair, apart from locks, buses and VMs: pic_chip.c.
 */
#ifndef MINIKVM_PIC_CHIP_H
#define MINIKVM_PIC_CHIP_H

#include <linux/types.h>

#include "../../uapi/minikvm.h"

#define PIC_MASTER	0
#define PIC_SLAVE	1
#define PIC_CASCADE	2	/* the slave's INT is wired to this master line */

/**
 * struct pic_pair - a master and the slave behind its line 2
 * @chip: PIC_MASTER, PIC_SLAVE; last_irr holds the level of the lines
 * @acked: lines whose service ended since the owner last looked
 * @output: level of the master's INT
 */
struct pic_pair {
	struct minikvm_pic_state chip[2];
	u8 acked[2];
	bool output;
};

void pic_pair_init(struct pic_pair *pair);
/* Recompute the cascade and the output after a change of state. */
void pic_pair_update(struct pic_pair *pair);
/* @line 0..15: -1 masked, 0 was pending already, 1 noted. */
int pic_pair_set_line(struct pic_pair *pair, int line, bool high);
/* The INTA cycle: the vector, the spurious one if nothing is requested. */
u8 pic_pair_inta(struct pic_pair *pair);
/* @port 0: the even address, 1: the odd one. */
void pic_pair_write(struct pic_pair *pair, int chip, int port, u8 val);
u8 pic_pair_read(struct pic_pair *pair, int chip, int port);
void pic_pair_write_elcr(struct pic_pair *pair, int chip, u8 val);

#endif
