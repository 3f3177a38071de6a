// SPDX-License-Identifier: GPL-2.0
/*
 * `-device virtio-blk-pci`: what its keys make of a drive.
 */
#include <string.h>

#include "config_device.h"
#include "config_parse.h"
#include "machine.h"
#include "types.h"
#include "virtio/blk.h"

#define MAX_BLOCK	32768u

static const char *const keys[] = {
	"drive", "serial", "num-queues", "queue-size", "logical_block_size", "physical_block_size",
	"min_io_size", "opt_io_size", "discard", "write-zeroes", "write-cache", "config-wce", NULL
};

static struct drive_config *find_drive(struct config *cfg, const char *id)
{
	unsigned int i;

	for (i = 0; i < cfg->nr_drives; i++) {
		if (cfg->drive[i].id && !strcmp(cfg->drive[i].id, id))
			return &cfg->drive[i];
	}
	return NULL;
}

static int set_number(const struct device_config *dev, const char *key, u64 min, u64 max,
		      unsigned int *value)
{
	u64 n = *value;

	if (device_number(dev, key, min, max, &n))
		return -1;
	*value = (unsigned int)n;
	return 0;
}

static bool power_of_two(unsigned int n)
{
	return n && !(n & (n - 1));
}

static int set_sizes(const struct device_config *dev, struct disk_config *d)
{
	if (set_number(dev, "num-queues", 1, VIRTIO_MAX_QUEUES, &d->nr_queues) ||
	    set_number(dev, "queue-size", 4, VIRTQUEUE_MAX_SIZE, &d->queue_size) ||
	    set_number(dev, "logical_block_size", 512, MAX_BLOCK, &d->logical_block))
		return -1;
	if (d->physical_block < d->logical_block)
		d->physical_block = d->logical_block;
	if (set_number(dev, "physical_block_size", d->logical_block, MAX_BLOCK,
		       &d->physical_block) ||
	    set_number(dev, "min_io_size", 0, 65535 * 512, &d->min_io) ||
	    set_number(dev, "opt_io_size", 0, INT32_MAX, &d->opt_io))
		return -1;
	if (!power_of_two(d->queue_size))
		return device_report(dev, "queue-size=%u is no power of two", d->queue_size);
	if (!power_of_two(d->logical_block) || !power_of_two(d->physical_block))
		return device_report(dev, "logical_block_size=%u and physical_block_size=%u must "
				     "be powers of two",
				     d->logical_block, d->physical_block);
	if (d->min_io % d->logical_block || d->opt_io % d->logical_block)
		return device_report(dev, "min_io_size=%u and opt_io_size=%u must be multiples of "
				     "%u", d->min_io, d->opt_io, d->logical_block);
	return 0;
}

static int check(struct config *cfg, struct device_config *dev)
{
	const char *id = device_value(dev, "drive"), *serial = device_value(dev, "serial");
	struct drive_config *drive = id ? find_drive(cfg, id) : NULL;

	if (!id)
		return device_report(dev, "drive= is missing; it names a -drive id=...,if=none");
	if (!drive)
		return device_report(dev, "drive=%s: there is no -drive with this id", id);
	if (!drive->on_device)
		return device_report(dev, "drive=%s: that drive makes a disk of its own; give it "
				     "if=none", id);
	if (drive->used)
		return device_report(dev, "drive=%s: another device uses it", id);
	drive->used = true;
	if (serial && drive_set_serial(drive, "-device virtio-blk-pci", serial))
		return -1;
	if (device_flag(dev, "discard", &drive->disk.discard) ||
	    device_flag(dev, "write-zeroes", &drive->disk.write_zeroes) ||
	    device_flag(dev, "write-cache", &drive->disk.write_cache) ||
	    device_flag(dev, "config-wce", &drive->disk.config_wce))
		return -1;
	return set_sizes(dev, &drive->disk);
}

static int create(struct machine *m, const struct device_config *dev)
{
	const char *id = device_value(dev, "drive");
	unsigned int i;

	for (i = 0; i < m->cfg->nr_drives; i++) {
		const char *have = m->cfg->drive[i].id;

		if (have && !strcmp(have, id))
			return blk_create(m, i);
	}
	return device_report(dev, "drive=%s: there is no such drive", id);
}

const struct device_model virtio_blk_model = {
	.name = "virtio-blk-pci", .keys = keys, .check = check, .create = create,
};
