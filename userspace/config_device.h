/* SPDX-License-Identifier: GPL-2.0 */
/*
 * `-device`: the table of device models, and how a model reads the keys it was given.
 */
#ifndef MKVM_CONFIG_DEVICE_H
#define MKVM_CONFIG_DEVICE_H

#include "config.h"
#include "types.h"

struct machine;

/**
 * struct device_model - what `-device NAME` can name
 * @name: QEMU's name; "NAME-non-transitional" means the same, and so does NAME without "-pci"
 * @keys: what it takes besides the keys every device takes (id, bus, and virtio's disable-legacy
 *	and disable-modern), ended by NULL
 * @check: NULL, or called once all options were read: resolve names (drive=, netdev=, chardev=)
 *	and check values; 0, or -1 after a report
 * @create: NULL if another device makes it, or make the device; called in the order of the
 *	options, after the devices that need no `-device`; 0, or -1 after a report
 */
struct device_model {
	const char *name;
	const char *const *keys;
	int (*check)(struct config *cfg, struct device_config *dev);
	int (*create)(struct machine *m, const struct device_config *dev);
};

/** config_parse_device() - one `-device`; 0, or -1 after a report */
int config_parse_device(struct config *cfg, const char *arg);

/** config_check_devices() - all models' @check; 0, or -1 after a report */
int config_check_devices(struct config *cfg);

/** config_check_nic() - device_model.check of virtio-net-pci: adds to cfg->net */
int config_check_nic(struct config *cfg, struct device_config *dev);

/** device_config_free() - free its strings */
void device_config_free(struct device_config *dev);

/** devices_create() - make the devices `-device` asked for; 0, or -1 after a report */
int devices_create(struct machine *m);

/** device_report() - say what is wrong with a device: "-device NAME: " and the text; returns -1 */
int device_report(const struct device_config *dev, const char *fmt, ...) __printf(2, 3);

/** device_value() - the value of a key, or NULL if it was not given */
const char *device_value(const struct device_config *dev, const char *key);

/**
 * device_number() - the value of a key that is a decimal number
 * @dev: the device
 * @key: the key
 * @min: smallest allowed
 * @max: largest allowed
 * @value: set if the key was given
 *
 * Return: 0, also if the key was not given, or -1 after a report.
 */
int device_number(const struct device_config *dev, const char *key, u64 min, u64 max, u64 *value);

/** device_flag() - likewise, for on and off */
int device_flag(const struct device_config *dev, const char *key, bool *value);

#endif
