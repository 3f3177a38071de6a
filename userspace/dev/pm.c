// SPDX-License-Identifier: GPL-2.0
/*
 * ACPI fixed hardware: the PM1 registers, through which an operating system powers off, the PM
 * timer, the power button, and a reset register.
 *
 * Source: ACPI Specification 6.4, "ACPI Hardware Specification", "Fixed Hardware Features".
 */
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

#include "dev/pm.h"
#include "machine.h"
#include "report.h"
#include "types.h"

#define PM_TIMER_HZ	3579545ULL

#define CONTROL_SCI_EN	BIT(0)
#define CONTROL_SLP_TYP	(7 << 10)
#define CONTROL_SLP_EN	BIT(13)

#define STATUS_POWER_BUTTON	BIT(8)

/*
 * Enable bits: timer, global lock, power button, sleep button, RTC. The power button is the only
 * one that is ever raised here.
 */
#define EVENT_ENABLES	0x0721

struct pm {
	struct machine *m;
	pthread_mutex_t lock;	/* status, enable, control */
	u16 status;
	u16 enable;
	u16 control;
};

static u32 timer_value(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u32)((u64)ts.tv_sec * PM_TIMER_HZ +
			  (u64)ts.tv_nsec * PM_TIMER_HZ / 1000000000ULL);
}

static void update_sci(struct pm *pm)
{
	vm_irq_line(&pm->m->vm, SCI_GSI, pm->status & pm->enable);
}

/* All registers as one little-endian image, so that any width and alignment of an access works. */
static u64 pm_read(void *opaque, u64 offset, unsigned int size)
{
	struct pm *pm = opaque;
	u64 low, high, value;

	if (offset >= PM_TIMER) {
		high = timer_value();
		value = high >> ((offset - PM_TIMER) * 8);
		return offset < PM_RESET ? value : 0;
	}
	pthread_mutex_lock(&pm->lock);
	low = pm->status | (u64)pm->enable << 16 | (u64)pm->control << 32;
	pthread_mutex_unlock(&pm->lock);
	value = low >> (offset * 8);
	(void)size;
	return value;
}

static void write_control(struct pm *pm, u16 value)
{
	pthread_mutex_lock(&pm->lock);
	/* SCI_EN stays set: there is no legacy mode. SLP_EN reads as zero. */
	pm->control = (u16)((value & CONTROL_SLP_TYP) | CONTROL_SCI_EN);
	pthread_mutex_unlock(&pm->lock);
	if ((value & CONTROL_SLP_EN) && (value & CONTROL_SLP_TYP) == PM_SLP_TYP_S5 << 10)
		machine_post(pm->m, MACHINE_POWEROFF);
}

static void pm_write(void *opaque, u64 offset, unsigned int size, u64 value)
{
	struct pm *pm = opaque;

	if (offset == PM_RESET) {
		if ((value & 0xff) == PM_RESET_VALUE)
			machine_post(pm->m, MACHINE_RESET);
		return;
	}
	if (offset == PM1_CONTROL && size >= 2) {
		write_control(pm, (u16)value);
		return;
	}
	if (offset > PM1_EVENT + 2 || (offset & 1) || size < 2)
		return;
	pthread_mutex_lock(&pm->lock);
	if (offset == PM1_EVENT) {
		pm->status &= (u16)~value;
		if (size >= 4)
			pm->enable = (u16)((value >> 16) & EVENT_ENABLES);
	} else {
		pm->enable = (u16)(value & EVENT_ENABLES);
	}
	update_sci(pm);
	pthread_mutex_unlock(&pm->lock);
}

static const struct bus_ops pm_bus_ops = { .read = pm_read, .write = pm_write };

void pm_power_button(struct machine *m)
{
	struct pm *pm = m->pm;

	pthread_mutex_lock(&pm->lock);
	pm->status |= STATUS_POWER_BUTTON;
	update_sci(pm);
	pthread_mutex_unlock(&pm->lock);
}

static void pm_reset(void *opaque)
{
	struct pm *pm = opaque;

	pm->status = 0;
	pm->enable = 0;
	pm->control = CONTROL_SCI_EN;
}

static void pm_destroy(void *opaque)
{
	free(opaque);
}

static const struct device_ops pm_ops = { .reset = pm_reset, .destroy = pm_destroy };

int pm_create(struct machine *m)
{
	struct pm *pm = calloc(1, sizeof(*pm));

	if (!pm)
		return report("out of memory");
	pm->m = m;
	pthread_mutex_init(&pm->lock, NULL);
	if (machine_add_device(m, &pm_ops, pm))
		return -1;
	m->pm = pm;
	if (bus_attach(&m->pio, PM_PORT, PM_PORT_LEN, &pm_bus_ops, pm))
		return report("the power management ports are taken");
	return 0;
}
