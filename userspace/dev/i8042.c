// SPDX-License-Identifier: GPL-2.0
/*
 * An i8042 with nothing plugged in: enough for firmware and kernels that reset the machine or test
 * the controller through it. ACPI says it is absent, so an operating system does not look for a
 * keyboard.
 *
 * Source: IBM PS/2 Hardware Interface Technical Reference, "Keyboard and Auxiliary Device
 * Controller".
 */
#include <pthread.h>
#include <stdlib.h>

#include "dev/i8042.h"
#include "machine.h"
#include "report.h"
#include "types.h"

#define STATUS_OUTPUT_FULL	BIT(0)
#define STATUS_SYSTEM		BIT(2)	/* self test passed */
#define STATUS_COMMAND		BIT(3)	/* last write went to the command port */
#define STATUS_UNLOCKED		BIT(4)

#define CMD_READ_CONFIG		0x20
#define CMD_WRITE_CONFIG	0x60
#define CMD_DISABLE_AUX		0xa7
#define CMD_ENABLE_AUX		0xa8
#define CMD_TEST_AUX		0xa9
#define CMD_SELF_TEST		0xaa
#define CMD_TEST_KEYBOARD	0xab
#define CMD_DISABLE_KEYBOARD	0xad
#define CMD_ENABLE_KEYBOARD	0xae
#define CMD_READ_OUTPUT		0xd0
#define CMD_WRITE_OUTPUT	0xd1
#define CMD_PULSE		0xf0		/* low nibble: lines to pulse, active low */
#define PULSE_RESET		BIT(0)

#define SELF_TEST_OK		0x55
#define OUTPUT_PORT		0x03		/* not in reset, A20 enabled */
#define CONFIG_DEFAULT		0x34 /* keyboard and mouse clocks off, self test passed */

struct i8042 {
	struct machine *m;
	pthread_mutex_t lock;
	u8 config;
	u8 output;
	u8 command;	/* command that waits for its data byte, or 0 */
	bool output_full;
	bool last_was_command;
};

static void reply(struct i8042 *kbc, u8 value)
{
	kbc->output = value;
	kbc->output_full = true;
}

static u64 data_read(void *opaque, u64 offset, unsigned int size)
{
	struct i8042 *kbc = opaque;
	u8 value;

	(void)offset;
	(void)size;
	pthread_mutex_lock(&kbc->lock);
	value = kbc->output;
	kbc->output_full = false;
	pthread_mutex_unlock(&kbc->lock);
	return value;
}

static void data_write(void *opaque, u64 offset, unsigned int size, u64 value)
{
	struct i8042 *kbc = opaque;
	bool reset;

	(void)offset;
	(void)size;
	pthread_mutex_lock(&kbc->lock);
	reset = kbc->command == CMD_WRITE_OUTPUT && !(value & PULSE_RESET);
	if (kbc->command == CMD_WRITE_CONFIG)
		kbc->config = (u8)value;
	kbc->command = 0;
	kbc->last_was_command = false;
	pthread_mutex_unlock(&kbc->lock);
	if (reset)
		machine_post(kbc->m, MACHINE_RESET);
}

static u64 status_read(void *opaque, u64 offset, unsigned int size)
{
	struct i8042 *kbc = opaque;
	unsigned int status = STATUS_SYSTEM | STATUS_UNLOCKED;

	(void)offset;
	(void)size;
	pthread_mutex_lock(&kbc->lock);
	if (kbc->output_full)
		status |= STATUS_OUTPUT_FULL;
	if (kbc->last_was_command)
		status |= STATUS_COMMAND;
	pthread_mutex_unlock(&kbc->lock);
	return status;
}

static void run_command(struct i8042 *kbc, u8 command)
{
	kbc->command = 0;
	switch (command) {
	case CMD_READ_CONFIG:
		reply(kbc, kbc->config);
		break;
	case CMD_SELF_TEST:
		kbc->config = CONFIG_DEFAULT;
		reply(kbc, SELF_TEST_OK);
		break;
	case CMD_TEST_KEYBOARD:
	case CMD_TEST_AUX:
		reply(kbc, 0);
		break;
	case CMD_DISABLE_KEYBOARD:
		kbc->config |= 1 << 4;
		break;
	case CMD_ENABLE_KEYBOARD:
		kbc->config &= (u8)~BIT(4);
		break;
	case CMD_DISABLE_AUX:
		kbc->config |= 1 << 5;
		break;
	case CMD_ENABLE_AUX:
		kbc->config &= (u8)~BIT(5);
		break;
	case CMD_READ_OUTPUT:
		reply(kbc, OUTPUT_PORT);
		break;
	case CMD_WRITE_CONFIG:
	case CMD_WRITE_OUTPUT:
		kbc->command = command;
		break;
	default:
		break;
	}
}

static void command_write(void *opaque, u64 offset, unsigned int size, u64 value)
{
	struct i8042 *kbc = opaque;
	u8 command = (u8)value;

	(void)offset;
	(void)size;
	if (command >= CMD_PULSE) {
		if (!(command & PULSE_RESET))
			machine_post(kbc->m, MACHINE_RESET);
		return;
	}
	pthread_mutex_lock(&kbc->lock);
	kbc->last_was_command = true;
	run_command(kbc, command);
	pthread_mutex_unlock(&kbc->lock);
}

static const struct bus_ops data_ops = { .read = data_read, .write = data_write };
static const struct bus_ops command_ops = { .read = status_read, .write = command_write };

static void i8042_reset(void *opaque)
{
	struct i8042 *kbc = opaque;

	kbc->config = CONFIG_DEFAULT;
	kbc->output = 0;
	kbc->command = 0;
	kbc->output_full = false;
	kbc->last_was_command = false;
}

static void i8042_destroy(void *opaque)
{
	free(opaque);
}

static const struct device_ops i8042_ops = { .reset = i8042_reset, .destroy = i8042_destroy };

int i8042_create(struct machine *m)
{
	struct i8042 *kbc = calloc(1, sizeof(*kbc));

	if (!kbc)
		return report("out of memory");
	kbc->m = m;
	pthread_mutex_init(&kbc->lock, NULL);
	if (machine_add_device(m, &i8042_ops, kbc))
		return -1;
	if (bus_attach(&m->pio, I8042_DATA_PORT, 1, &data_ops, kbc) ||
	    bus_attach(&m->pio, I8042_CMD_PORT, 1, &command_ops, kbc))
		return report("the keyboard controller's ports are taken");
	return 0;
}
