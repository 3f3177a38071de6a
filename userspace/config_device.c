// SPDX-License-Identifier: GPL-2.0
/*
 * The table of device models, and the parser of `-device`.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config_device.h"
#include "config_parse.h"
#include "machine.h"
#include "report.h"
#include "types.h"
#include "virtio/blk.h"
#include "virtio/console.h"
#include "virtio/net.h"
#include "virtio/rng.h"

/* One row each; a model's file exports the row. */
static const struct device_model *const models[] = {
	&virtio_blk_model,
	&virtio_net_model,
	&virtio_rng_model,
	&virtio_serial_model,
	&virtconsole_model,
};

static const char *const common_keys[] = { "id", "bus", "disable-legacy", "disable-modern", NULL };

static bool listed(const char *const *names, const char *name)
{
	for (; names && *names; names++) {
		if (!strcmp(*names, name))
			return true;
	}
	return false;
}

/* QEMU has three names for a virtio device on PCI. */
static bool is_named(const struct device_model *model, const char *name)
{
	static const char modern[] = "-non-transitional", pci[] = "-pci";
	size_t len = strlen(model->name), base = len - strlen(pci);

	if (!strncmp(name, model->name, len) && (!name[len] || !strcmp(name + len, modern)))
		return true;
	return len > strlen(pci) && !strcmp(model->name + base, pci) && strlen(name) == base &&
	       !strncmp(name, model->name, base);
}

static const struct device_model *find_model(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(models); i++) {
		if (is_named(models[i], name))
			return models[i];
	}
	return NULL;
}

/* "a, b, c" into @text. */
static void join(char *text, size_t size, const char *name)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s%s", len ? ", " : "", name);
}

static int refuse_model(const char *name)
{
	char known[512] = "";
	size_t i;

	for (i = 0; i < ARRAY_SIZE(models); i++) {
		join(known, sizeof(known), models[i]->name);
	}
	return report("-device %s: not supported; there are %s", name, known);
}

static int refuse_key(const struct device_model *model, const char *key)
{
	char known[512] = "id, bus";
	size_t i;

	for (i = 0; model->keys && model->keys[i]; i++)
		join(known, sizeof(known), model->keys[i]);
	return report("-device %s: key '%s' is not supported; it takes %s", model->name, key,
		      known);
}

/* Keys of every device. The machine has one PCI bus, and modern virtio devices. */
static int set_common_key(struct device_config *dev, const char *key, const char *value)
{
	if (!strcmp(key, "id"))
		return *value ? config_set_string(&dev->id, value) :
				report("-device %s: id= is empty", dev->model->name);
	if (!strcmp(key, "bus"))
		return !strcmp(value, "pci.0") || !strcmp(value, "pcie.0") ?
			       0 :
			       report("-device %s: bus '%s' does not exist; there is pci.0",
				      dev->model->name, value);
	if (!strcmp(value, !strcmp(key, "disable-legacy") ? "on" : "off"))
		return 0;
	return report("-device %s: %s=%s is not supported; virtio devices are modern ones",
		      dev->model->name, key, value);
}

static int set_device_key(void *opaque, const char *arg, const char *key, const char *value)
{
	struct device_config *dev = opaque;
	struct device_key *keys;

	(void)arg;
	/* A model's own key comes first: virtconsole's bus is not the PCI bus. */
	if (listed(common_keys, key) && !listed(dev->model->keys, key))
		return set_common_key(dev, key, value);
	if (!listed(dev->model->keys, key))
		return refuse_key(dev->model, key);
	if (device_value(dev, key))
		return report("-device %s: %s= is given twice", dev->model->name, key);
	keys = realloc(dev->key, (dev->nr_keys + 1) * sizeof(*keys));
	if (!keys)
		return report("out of memory");
	dev->key = keys;
	keys[dev->nr_keys] = (struct device_key){ .key = NULL };
	dev->nr_keys++;
	return config_set_string(&keys[dev->nr_keys - 1].key, key) ||
		       config_set_string(&keys[dev->nr_keys - 1].value, value) ?
		       -1 :
		       0;
}

static int check_id(const struct config *cfg, const struct device_config *dev)
{
	unsigned int i;

	for (i = 0; i < cfg->nr_devices; i++) {
		const char *id = cfg->device[i].id;

		if (&cfg->device[i] != dev && id && dev->id && !strcmp(id, dev->id))
			return report("-device %s: id '%s' is taken", dev->model->name, id);
	}
	return 0;
}

int config_parse_device(struct config *cfg, const char *arg)
{
	struct device_config *dev = &cfg->device[cfg->nr_devices];
	size_t len = strcspn(arg, ",");
	char name[64];

	if (cfg->nr_devices == MAX_DEVICES)
		return report("-device %s: too many; at most %d devices", arg, MAX_DEVICES);
	snprintf(name, sizeof(name), "%.*s", (int)(len < sizeof(name) ? len : sizeof(name) - 1),
		 arg);
	dev->model = find_model(name);
	if (!dev->model)
		return refuse_model(name);
	cfg->nr_devices++;
	if (arg[len] && config_keys("-device", arg + len + 1, set_device_key, dev))
		return -1;
	return check_id(cfg, dev);
}

int config_check_devices(struct config *cfg)
{
	unsigned int i;

	for (i = 0; i < cfg->nr_devices; i++) {
		struct device_config *dev = &cfg->device[i];

		if (dev->model->check && dev->model->check(cfg, dev))
			return -1;
	}
	return 0;
}

void device_config_free(struct device_config *dev)
{
	unsigned int i;

	for (i = 0; i < dev->nr_keys; i++) {
		free(dev->key[i].key);
		free(dev->key[i].value);
	}
	free(dev->key);
	free(dev->id);
	*dev = (struct device_config){ .model = NULL };
}

int devices_create(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->cfg->nr_devices; i++) {
		const struct device_config *dev = &m->cfg->device[i];

		if (dev->model->create && dev->model->create(m, dev))
			return -1;
	}
	return 0;
}

int device_report(const struct device_config *dev, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	return report("-device %s: %s", dev->model->name, text);
}

const char *device_value(const struct device_config *dev, const char *key)
{
	unsigned int i;

	for (i = 0; i < dev->nr_keys; i++) {
		if (!strcmp(dev->key[i].key, key))
			return dev->key[i].value;
	}
	return NULL;
}

int device_number(const struct device_config *dev, const char *key, u64 min, u64 max, u64 *value)
{
	const char *text = device_value(dev, key), *end;
	u64 n;

	if (!text)
		return 0;
	if (!config_number(text, &n, &end) || *end || n < min || n > max)
		return device_report(dev, "%s=%s: give a number from %llu to %llu", key, text, min,
				     max);
	*value = n;
	return 0;
}

int device_flag(const struct device_config *dev, const char *key, bool *value)
{
	const char *text = device_value(dev, key);

	if (!text)
		return 0;
	if (strcmp(text, "on") && strcmp(text, "off"))
		return device_report(dev, "%s=%s: give on or off", key, text);
	*value = !strcmp(text, "on");
	return 0;
}
