/* SPDX-License-Identifier: GPL-2.0 */
/*
 * ACPI fixed hardware: power-off, reset, PM timer, power button. Offsets are from PM_PORT.
 */
#ifndef MKVM_DEV_PM_H
#define MKVM_DEV_PM_H

struct machine;

#define PM1_EVENT		0x0	/* status, then enable: 16 bits each */
#define PM1_EVENT_LEN		4
#define PM1_CONTROL		0x4
#define PM1_CONTROL_LEN		2
#define PM_TIMER		0x8
#define PM_TIMER_LEN		4
#define PM_RESET		0xc
#define PM_RESET_VALUE		1

#define PM_SLP_TYP_S5		5

/** pm_create() - add the device; 0, or -1 after a report */
int pm_create(struct machine *m);

/**
 * pm_power_button() - press the power button: the guest gets an interrupt, if it has enabled this
 *	event; main thread, while there is a VM
 * @m: the machine
 */
void pm_power_button(struct machine *m);

#endif
