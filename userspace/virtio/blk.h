/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Virtio block device: what its files share. blk.c is the device, blk_queue.c the threads that
 * serve its queues, blk_model.c its `-device`.
 */
#ifndef MKVM_VIRTIO_BLK_H
#define MKVM_VIRTIO_BLK_H

#include <pthread.h>
#include <stdatomic.h>

#include "block/aio.h"
#include "config.h"
#include "virtio/device.h"

struct block;
struct blk_request;
struct device_model;
struct machine;
struct virtio_blk;
struct virtio_pci;

/** virtio_blks_create() - the disks that need no `-device`; 0, or -1 after a report */
int virtio_blks_create(struct machine *m);

/** blk_create() - the disk of drive @nr; 0, or -1 after a report */
int blk_create(struct machine *m, unsigned int nr);

extern const struct device_model virtio_blk_model;

/* Feature bits. */
#define BLK_F_SEG_MAX		BIT_ULL(2)
#define BLK_F_RO		BIT_ULL(5)
#define BLK_F_BLK_SIZE		BIT_ULL(6)
#define BLK_F_FLUSH		BIT_ULL(9)
#define BLK_F_TOPOLOGY		BIT_ULL(10)
#define BLK_F_CONFIG_WCE	BIT_ULL(11)
#define BLK_F_MQ		BIT_ULL(12)
#define BLK_F_DISCARD		BIT_ULL(13)
#define BLK_F_WRITE_ZEROES	BIT_ULL(14)

/* One range per request; a quarter of a gigabyte at most, so that one cannot take for ever. */
#define BLK_MAX_RANGES		1
#define BLK_MAX_RANGE_SECTORS	(256u << 20 >> 9)

/** struct blk_config - the device's configuration space; little endian */
struct blk_config {
	u64 capacity;
	u32 size_max;
	u32 seg_max;
	u32 geometry;
	u32 blk_size;
	u8 physical_block_exp;
	u8 alignment_offset;
	u16 min_io_size;
	u32 opt_io_size;
	u8 writeback;
	u8 unused0;
	u16 num_queues;
	u32 max_discard_sectors;
	u32 max_discard_seg;
	u32 discard_sector_alignment;
	u32 max_write_zeroes_sectors;
	u32 max_write_zeroes_seg;
	u8 write_zeroes_may_unmap;
	u8 unused1[3];
} __packed;

static_assert(sizeof(struct blk_config) == 60, "virtio_blk_config");

/* What is counted, by queue and kind of request. */
enum blk_count {
	BLK_COUNT_READ,
	BLK_COUNT_WRITE,
	BLK_COUNT_FLUSH,
	BLK_COUNT_UNMAP,	/* discards and zeroes */
	BLK_COUNT_KINDS,
};

/**
 * struct blk_stats - of one kind of request; written by the queue's thread, read by any
 * @requests: done, good or bad
 * @bytes: of the good ones
 * @errors: bad ones
 */
struct blk_stats {
	_Atomic u64 requests;
	_Atomic u64 bytes;
	_Atomic u64 errors;
};

/**
 * struct blk_queue - a queue and the thread that serves it
 * @disk: the disk
 * @nr: which queue
 * @aio: its requests to the image
 * @thread: valid if @started
 * @started: see @thread
 * @quit: the thread shall end
 * @retry: the guest goes on: try what was kept
 * @idle: @in_flight became 0
 * @in_flight: requests that were taken and not given back, with those in @kept; the queue's lock
 * @kept: requests that wait for the guest to go on; thread only
 * @chain: the request just taken; thread only
 * @stats: counters
 */
struct blk_queue {
	struct virtio_blk *disk;
	unsigned int nr;
	struct aio aio;
	pthread_t thread;
	bool started;
	atomic_bool quit;
	atomic_bool retry;
	pthread_cond_t idle;
	unsigned int in_flight;
	struct blk_request *kept;
	struct virtq_chain chain;
	struct blk_stats stats[BLK_COUNT_KINDS];
};

/**
 * struct virtio_blk - one disk
 * @m: the machine
 * @drive: what the user asked for
 * @name: "vda", for messages
 * @pci: the transport
 * @blk: the image
 * @pool: threads for blocking calls
 * @config: configuration space; constant but for config.writeback, which shows @write_cache
 * @write_cache: what the driver wants if it can flush; changed with the device's lock held, read by
 *	any thread
 * @id: answer to GET_ID, not terminated if it has 20 bytes
 * @complained: an error was reported since the guest was started or went on
 * @queue: dev.nr_queues of them
 */
struct virtio_blk {
	struct machine *m;
	const struct drive_config *drive;
	char name[8];
	struct virtio_dev dev;
	struct virtio_pci *pci;
	struct block *blk;
	struct aio_pool *pool;
	struct blk_config config;
	atomic_bool write_cache;
	char id[20];
	atomic_bool complained;
	struct blk_queue *queue;
};

/* blk_queue.c */

/** blk_queue_start() - begin to serve; 0, or -1 after a report */
int blk_queue_start(struct blk_queue *q);

/** blk_queue_drain() - wait until nothing is in flight; the virtqueue is stopped */
void blk_queue_drain(struct blk_queue *q);

/** blk_queue_retry() - submit the requests that were kept again */
void blk_queue_retry(struct blk_queue *q);

/** blk_queue_end() - end the thread, if there is one; nothing is in flight */
void blk_queue_end(struct blk_queue *q);

#endif
