// SPDX-License-Identifier: GPL-2.0
/*
 * Virtio disks: configuration space, features, and the life of the device.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, "Block Device".
 */
#include <endian.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "block/block.h"
#include "block/format.h"
#include "machine.h"
#include "report.h"
#include "types.h"
#include "virtio/blk.h"
#include "virtio/pci.h"

#define BLK_TYPE		2
#define CLASS_STORAGE		0x018000	/* mass storage, other */
#define DEFAULT_MAX_QUEUES	4u
/* Blocking calls at once: few beside a ring, more where all requests are such calls. */
#define POOL_WITH_RING		8
#define POOL_WITHOUT_RING	16

/* ---- configuration space --------------------------------------------------------------------- */

static void blk_config_read(void *opaque, unsigned int offset, void *buf, unsigned int len)
{
	struct virtio_blk *disk = opaque;

	memcpy(buf, (const u8 *)&disk->config + offset, len);
}

static void set_write_cache(struct virtio_blk *disk, bool on)
{
	disk->config.writeback = on;
	atomic_store(&disk->write_cache, on);
}

/* The one field a driver can change, and only if it has said that it wants to. */
static void blk_config_write(void *opaque, unsigned int offset, const void *buf, unsigned int len)
{
	struct virtio_blk *disk = opaque;

	if (offset == offsetof(struct blk_config, writeback) && len == 1 &&
	    (disk->dev.accepted & BLK_F_CONFIG_WCE))
		set_write_cache(disk, *(const u8 *)buf & 1);
}

static u64 features_of(const struct virtio_blk *disk)
{
	const struct disk_config *d = &disk->drive->disk;
	u64 features = BLK_F_SEG_MAX | BLK_F_BLK_SIZE | BLK_F_FLUSH | BLK_F_TOPOLOGY;

	if (disk->dev.nr_queues > 1)
		features |= BLK_F_MQ;
	if (disk->blk->readonly)
		return features | BLK_F_RO;
	return features | (d->config_wce ? BLK_F_CONFIG_WCE : 0) |
	       (d->discard ? BLK_F_DISCARD : 0) | (d->write_zeroes ? BLK_F_WRITE_ZEROES : 0);
}

static void fill_config(struct virtio_blk *disk)
{
	const struct disk_config *d = &disk->drive->disk;
	struct blk_config *c = &disk->config;

	c->capacity = htole64(disk->blk->size / SECTOR_SIZE);
	/* Header and status take a descriptor each. */
	c->seg_max = htole32(d->queue_size - 2);
	c->blk_size = htole32(d->logical_block);
	while (d->logical_block << c->physical_block_exp < d->physical_block)
		c->physical_block_exp++;
	c->min_io_size = htole16((u16)(d->min_io / d->logical_block));
	c->opt_io_size = htole32(d->opt_io / d->logical_block);
	c->num_queues = htole16((u16)disk->dev.nr_queues);
	c->max_discard_sectors = htole32(BLK_MAX_RANGE_SECTORS);
	c->max_discard_seg = htole32(BLK_MAX_RANGES);
	c->discard_sector_alignment = htole32(d->physical_block / SECTOR_SIZE);
	c->max_write_zeroes_sectors = htole32(BLK_MAX_RANGE_SECTORS);
	c->max_write_zeroes_seg = htole32(BLK_MAX_RANGES);
	c->write_zeroes_may_unmap = d->discard;
	set_write_cache(disk, d->write_cache);
}

/* ---- notifications and reset ----------------------------------------------------------------- */

static void blk_notify(void *opaque, unsigned int queue)
{
	struct virtio_blk *disk = opaque;

	aio_wake(&disk->queue[queue].aio);
}

static int blk_notify_fd(void *opaque, unsigned int queue)
{
	struct virtio_blk *disk = opaque;

	return disk->queue[queue].aio.event_fd;
}

static void blk_stop(void *opaque)
{
	struct virtio_blk *disk = opaque;
	unsigned int i;

	for (i = 0; i < disk->dev.nr_queues; i++)
		blk_queue_drain(&disk->queue[i]);
	set_write_cache(disk, disk->drive->disk.write_cache);
	atomic_store(&disk->complained, false);
}

static const struct virtio_ops blk_ops = {
	.config_read = blk_config_read, .config_write = blk_config_write, .notify = blk_notify,
	.notify_fd = blk_notify_fd, .stop = blk_stop,
};

/* ---- as the machine sees it ------------------------------------------------------------------ */

static int blk_start(void *opaque)
{
	struct virtio_blk *disk = opaque;
	unsigned int i;

	for (i = 0; i < disk->dev.nr_queues; i++) {
		if (blk_queue_start(&disk->queue[i]))
			return -1;
	}
	return 0;
}

static void blk_reset(void *opaque)
{
	struct virtio_blk *disk = opaque;

	virtio_pci_reset(disk->pci);
}

static void blk_resumed(void *opaque)
{
	struct virtio_blk *disk = opaque;
	unsigned int i;

	atomic_store(&disk->complained, false);
	for (i = 0; i < disk->dev.nr_queues; i++)
		blk_queue_retry(&disk->queue[i]);
}

static u64 sum(const struct virtio_blk *disk, enum blk_count kind, size_t field)
{
	unsigned int i;
	u64 n = 0;

	for (i = 0; i < disk->dev.nr_queues; i++) {
		const struct blk_stats *s = &disk->queue[i].stats[kind];

		n += *(const _Atomic u64 *)(const void *)((const u8 *)s + field);
	}
	return n;
}

static void blk_stats(void *opaque, struct device_stats *stats)
{
#define FIELD(f)	offsetof(struct blk_stats, f)
	static const struct {
		const char *name;
		enum blk_count kind;
		size_t field;
	} counters[] = {
		{ "rd_bytes", BLK_COUNT_READ, FIELD(bytes) },
		{ "rd_operations", BLK_COUNT_READ, FIELD(requests) },
		{ "failed_rd_operations", BLK_COUNT_READ, FIELD(errors) },
		{ "wr_bytes", BLK_COUNT_WRITE, FIELD(bytes) },
		{ "wr_operations", BLK_COUNT_WRITE, FIELD(requests) },
		{ "failed_wr_operations", BLK_COUNT_WRITE, FIELD(errors) },
		{ "flush_operations", BLK_COUNT_FLUSH, FIELD(requests) },
		{ "failed_flush_operations", BLK_COUNT_FLUSH, FIELD(errors) },
		{ "unmap_bytes", BLK_COUNT_UNMAP, FIELD(bytes) },
		{ "unmap_operations", BLK_COUNT_UNMAP, FIELD(requests) },
		{ "failed_unmap_operations", BLK_COUNT_UNMAP, FIELD(errors) },
	};
#undef FIELD
	const struct virtio_blk *disk = opaque;
	size_t i;

	stats->kind = "block";
	snprintf(stats->name, sizeof(stats->name), "%s", disk->name);
	stats->file = disk->drive->path;
	stats->format = disk->blk->format->name;
	stats->readonly = disk->blk->readonly;
	for (i = 0; i < ARRAY_SIZE(counters); i++)
		device_stats_add(stats, counters[i].name,
				 sum(disk, counters[i].kind, counters[i].field));
}

static void free_disk(struct virtio_blk *disk)
{
	unsigned int i;

	for (i = 0; i < disk->dev.nr_queues; i++)
		blk_queue_end(&disk->queue[i]);
	/* Its threads may still be about to wake a queue. */
	aio_pool_destroy(disk->pool);
	for (i = 0; disk->queue && i < disk->dev.nr_queues; i++) {
		aio_destroy(&disk->queue[i].aio);
		pthread_cond_destroy(&disk->queue[i].idle);
	}
	virtio_pci_destroy(disk->pci);
	free(disk->queue);
	free(disk);
}

static void blk_destroy(void *opaque)
{
	free_disk(opaque);
}

static const struct device_ops blk_device_ops = {
	.start = blk_start, .reset = blk_reset, .resumed = blk_resumed, .stats = blk_stats,
	.destroy = blk_destroy,
};

/* ---- creation -------------------------------------------------------------------------------- */

static int check_image(const struct virtio_blk *disk)
{
	const struct drive_config *d = disk->drive;
	int err;

	if (disk->blk->size % d->disk.logical_block)
		return report("disk %s: %llu bytes, no multiple of logical_block_size=%u", d->path,
			      disk->blk->size, d->disk.logical_block);
	err = d->aio == DRIVE_AIO_RING ? aio_ring_available() : 0;
	return err ? report("disk %s: aio=io_uring: this host has none: %s; use aio=threads",
			    d->path, strerror(-err)) :
		     0;
}

/* From the first allocation on, free_disk() is due. */
static int create_queues(struct virtio_blk *disk, unsigned int nr)
{
	bool threads = disk->drive->aio == DRIVE_AIO_THREADS || aio_ring_available();
	char name[16];
	unsigned int i;
	int err = 0;

	snprintf(name, sizeof(name), "blk %s io", disk->name);
	disk->queue = calloc(nr, sizeof(disk->queue[0]));
	disk->pool = aio_pool_create(name, threads ? POOL_WITHOUT_RING : POOL_WITH_RING);
	if (!disk->queue || !disk->pool)
		return report("out of memory");
	for (i = 0; i < nr && !err; i++) {
		disk->queue[i].disk = disk;
		disk->queue[i].nr = i;
		pthread_cond_init(&disk->queue[i].idle, NULL);
		err = aio_init(&disk->queue[i].aio, disk->blk, disk->pool);
		disk->dev.nr_queues = i + 1;
	}
	return err ? report("cannot create an eventfd: %s", strerror(-err)) : 0;
}

static void fill_id(struct virtio_blk *disk, unsigned int nr)
{
	const char *serial = disk->drive->disk.serial;
	char text[sizeof(disk->id) + 1];

	snprintf(text, sizeof(text), "mkvm-disk%u", nr);
	serial = serial ? serial : text;
	memcpy(disk->id, serial, strnlen(serial, sizeof(disk->id)));
	snprintf(disk->name, sizeof(disk->name), "vd%c", 'a' + (char)nr);
}

int blk_create(struct machine *m, unsigned int nr)
{
	const struct drive_config *drive = &m->cfg->drive[nr];
	unsigned int nr_queues = drive->disk.nr_queues;
	struct virtio_blk *disk = calloc(1, sizeof(*disk));

	if (!disk)
		return report("out of memory");
	disk->m = m;
	disk->drive = drive;
	disk->blk = m->disk[nr];
	if (!nr_queues)
		nr_queues = m->cfg->nr_vcpus < DEFAULT_MAX_QUEUES ? m->cfg->nr_vcpus :
								    DEFAULT_MAX_QUEUES;
	fill_id(disk, nr);
	if (check_image(disk) || create_queues(disk, nr_queues))
		goto fail;
	fill_config(disk);
	disk->dev.type = BLK_TYPE;
	disk->dev.offered = features_of(disk);
	disk->dev.config_size = sizeof(disk->config);
	disk->dev.ops = &blk_ops;
	disk->dev.opaque = disk;
	virtio_init(&disk->dev, &m->mem, (u16)drive->disk.queue_size);
	disk->pci = virtio_pci_create(m, &disk->dev, CLASS_STORAGE);
	if (disk->pci && !machine_add_device(m, &blk_device_ops, disk))
		return 0;
fail:
	free_disk(disk);
	return -1;
}

int virtio_blks_create(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->cfg->nr_drives; i++) {
		if (!m->cfg->drive[i].on_device && blk_create(m, i))
			return -1;
	}
	return 0;
}
