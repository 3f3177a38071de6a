// SPDX-License-Identifier: GPL-2.0
/*
 * Virtio disks: requests from the queue to a block back end, in a thread per disk.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, "Block Device".
 */
#include <endian.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "block/block.h"
#include "machine.h"
#include "report.h"
#include "sandbox.h"
#include "types.h"
#include "virtio/blk.h"
#include "virtio/device.h"
#include "virtio/pci.h"

#define BLK_TYPE		2
#define CLASS_STORAGE		0x018000	/* mass storage, other */
#define QUEUE_SIZE		128
#define SEG_MAX			(QUEUE_SIZE - 2)	/* header and status take one each */

#define F_SEG_MAX		BIT_ULL(2)
#define F_RO			BIT_ULL(5)
#define F_BLK_SIZE		BIT_ULL(6)
#define F_FLUSH			BIT_ULL(9)

#define T_IN			0
#define T_OUT			1
#define T_FLUSH			4
#define T_GET_ID		8

#define S_OK			0
#define S_IOERR			1
#define S_UNSUPP		2

#define ID_SIZE			20

struct request_header {
	u32 type;
	u32 reserved;
	u64 sector;
};

/* Up to blk_size; the fields behind it belong to features that are not offered. */
struct blk_config {
	u64 capacity;
	u32 size_max;
	u32 seg_max;
	u32 geometry;
	u32 blk_size;
};

/**
 * struct virtio_blk - one disk
 * @kick_fd: eventfd: the driver added requests, or the thread shall end
 * @quit: the thread shall end
 * @chain: the request in work; thread only
 */
struct virtio_blk {
	struct virtio_dev dev;
	struct virtio_pci *pci;
	struct block *blk;
	struct blk_config config;
	char id[ID_SIZE + 1];
	int kick_fd;
	atomic_bool quit;
	bool started;
	pthread_t thread;
	struct virtq_chain chain;
};

/* Read or write: @in_len is what the device may write, without the status byte. */
static u8 transfer(struct virtio_blk *vblk, const struct request_header *h, u64 in_len,
		   u32 *written)
{
	const struct virtq_chain *c = &vblk->chain;
	bool write = le32toh(h->type) == T_OUT;
	u64 sector = le64toh(h->sector), capacity = vblk->blk->size / SECTOR_SIZE;
	u64 len = write ? c->out_len - sizeof(*h) : in_len;
	struct iovec iov[QUEUE_SIZE];
	unsigned int n;
	int err;

	if (len % SECTOR_SIZE || sector > capacity || len / SECTOR_SIZE > capacity - sector ||
	    len > INT32_MAX)
		return S_IOERR;
	if (write && vblk->blk->readonly)
		return S_IOERR;
	if (write) {
		n = virtq_slice(c->iov, c->nr_out, sizeof(*h), len, iov);
		err = block_writev(vblk->blk, iov, n, sector * SECTOR_SIZE);
	} else {
		n = virtq_slice(c->iov + c->nr_out, c->nr_in, 0, len, iov);
		err = block_readv(vblk->blk, iov, n, sector * SECTOR_SIZE);
		if (!err)
			*written = (u32)len;
	}
	return err ? S_IOERR : S_OK;
}

static u8 get_id(struct virtio_blk *vblk, u64 in_len, u32 *written)
{
	size_t len = in_len < ID_SIZE ? (size_t)in_len : ID_SIZE;

	*written = (u32)virtq_write(&vblk->chain, 0, vblk->id, len);
	return S_OK;
}

/*
 * Serve one request. Return bytes written to the guest, or -EPROTO if it is malformed beyond
 * answering.
 */
static s64 serve(struct virtio_blk *vblk)
{
	struct request_header h;
	u64 in_len;
	u32 written = 0;
	u8 status;

	if (virtq_read(&vblk->chain, 0, &h, sizeof(h)) != sizeof(h) || !vblk->chain.in_len)
		return -EPROTO;
	/* The last writable byte is the status. */
	in_len = vblk->chain.in_len - 1;
	switch (le32toh(h.type)) {
	case T_IN:
	case T_OUT:
		status = transfer(vblk, &h, in_len, &written);
		break;
	case T_FLUSH:
		status = block_flush(vblk->blk) ? S_IOERR : S_OK;
		break;
	case T_GET_ID:
		status = get_id(vblk, in_len, &written);
		break;
	default:
		status = S_UNSUPP;
		break;
	}
	virtq_write(&vblk->chain, in_len, &status, 1);
	return (s64)written + 1;
}

/*
 * Serve what is in the queue. A request is served with the queue's lock held, so a reset that has
 * taken it is complete and the device needs no stop operation.
 */
static void drain(struct virtio_blk *vblk)
{
	struct virtio_dev *dev = &vblk->dev;
	struct virtqueue *vq = &dev->queue[0];
	s64 written;
	int ret = 0;

	pthread_mutex_lock(&vq->lock);
	while (virtio_running(dev) && !atomic_load(&vblk->quit)) {
		virtqueue_quiet(vq);
		while ((ret = virtqueue_pop(vq, &vblk->chain)) > 0) {
			written = serve(vblk);
			if (written < 0) {
				ret = -EPROTO;
				break;
			}
			virtqueue_push(vq, vblk->chain.head, (u32)written);
		}
		virtio_interrupt_queue(dev, 0);
		if (ret < 0) {
			virtio_fail(dev);
			break;
		}
		if (!virtqueue_rearm(vq))
			break;
	}
	pthread_mutex_unlock(&vq->lock);
}

static void *blk_thread(void *opaque)
{
	struct virtio_blk *vblk = opaque;
	u64 count;

	sandbox_thread(SANDBOX_DISK);
	while (!atomic_load(&vblk->quit)) {
		if (read(vblk->kick_fd, &count, sizeof(count)) < 0 && errno != EINTR)
			break;
		drain(vblk);
	}
	return NULL;
}

static void kick(struct virtio_blk *vblk)
{
	u64 one = 1;

	if (write(vblk->kick_fd, &one, sizeof(one)) < 0)
		return;
}

static void blk_notify(void *opaque, unsigned int queue)
{
	(void)queue;
	kick(opaque);
}

static int blk_notify_fd(void *opaque, unsigned int queue)
{
	struct virtio_blk *vblk = opaque;

	(void)queue;
	return vblk->kick_fd;
}

static void blk_config_read(void *opaque, unsigned int offset, void *buf, unsigned int len)
{
	struct virtio_blk *vblk = opaque;

	memcpy(buf, (const u8 *)&vblk->config + offset, len);
}

static const struct virtio_ops blk_ops = {
	.config_read = blk_config_read, .notify = blk_notify, .notify_fd = blk_notify_fd,
};

static void blk_reset(void *opaque)
{
	struct virtio_blk *vblk = opaque;

	virtio_pci_reset(vblk->pci);
}

static void blk_destroy(void *opaque)
{
	struct virtio_blk *vblk = opaque;

	if (vblk->started) {
		atomic_store(&vblk->quit, true);
		kick(vblk);
		pthread_join(vblk->thread, NULL);
	}
	if (vblk->kick_fd >= 0)
		close(vblk->kick_fd);
	virtio_pci_destroy(vblk->pci);
	free(vblk);
}

static int blk_start(void *opaque)
{
	struct virtio_blk *vblk = opaque;
	int err = pthread_create(&vblk->thread, NULL, blk_thread, vblk);

	if (err)
		return report("cannot start a disk thread: %s", strerror(err));
	vblk->started = true;
	return 0;
}

static const struct device_ops blk_device_ops = {
	.start = blk_start, .reset = blk_reset, .destroy = blk_destroy,
};

static int blk_create(struct machine *m, struct block *blk, unsigned int nr)
{
	struct virtio_blk *vblk = calloc(1, sizeof(*vblk));

	if (!vblk)
		return report("out of memory");
	vblk->blk = blk;
	vblk->kick_fd = -1;
	vblk->config.capacity = htole64(blk->size / SECTOR_SIZE);
	vblk->config.seg_max = htole32(SEG_MAX);
	vblk->config.blk_size = htole32(SECTOR_SIZE);
	snprintf(vblk->id, sizeof(vblk->id), "mkvm-disk%u", nr);
	vblk->dev.type = BLK_TYPE;
	vblk->dev.offered = F_SEG_MAX | F_BLK_SIZE | F_FLUSH | (blk->readonly ? F_RO : 0);
	vblk->dev.config_size = sizeof(vblk->config);
	vblk->dev.nr_queues = 1;
	vblk->dev.ops = &blk_ops;
	vblk->dev.opaque = vblk;
	virtio_init(&vblk->dev, &m->mem, QUEUE_SIZE);
	vblk->pci = virtio_pci_create(m, &vblk->dev, CLASS_STORAGE);
	if (!vblk->pci || machine_add_device(m, &blk_device_ops, vblk)) {
		virtio_pci_destroy(vblk->pci);
		free(vblk);
		return -1;
	}
	vblk->kick_fd = eventfd(0, EFD_CLOEXEC);
	if (vblk->kick_fd < 0)
		return report("cannot create an eventfd: %s", strerror(errno));
	return 0;
}

int virtio_blks_create(struct machine *m)
{
	unsigned int i;

	for (i = 0; i < m->cfg->nr_drives; i++) {
		if (blk_create(m, m->disk[i], i))
			return -1;
	}
	return 0;
}
