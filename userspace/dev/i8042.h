/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Keyboard controller without keyboard.
 */
#ifndef MKVM_DEV_I8042_H
#define MKVM_DEV_I8042_H

struct machine;

/** i8042_create() - add the device; 0, or -1 after a report */
int i8042_create(struct machine *m);

#endif
