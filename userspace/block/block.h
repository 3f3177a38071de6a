/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Disk images, as a disk device sees them.
 */
#ifndef MKVM_BLOCK_BLOCK_H
#define MKVM_BLOCK_BLOCK_H

#include <sys/uio.h>

#include "types.h"

#define SECTOR_SIZE	512

struct block;

/**
 * struct block_ops - an image format
 * @readv: fill the buffers from @offset; the range is within the image
 * @writev: the reverse; never called on a read-only image
 * @flush: on return, everything written before is on stable storage
 * @close: free it
 *
 * Each returns 0 or a negative errno; a transfer is complete or failed. One thread at a time.
 */
struct block_ops {
	int (*readv)(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset);
	int (*writev)(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset);
	int (*flush)(struct block *blk);
	void (*close)(struct block *blk);
};

/**
 * struct block - an open image
 * @size: bytes, a multiple of SECTOR_SIZE
 * @ops: the format
 * @readonly: no writes
 */
struct block {
	const struct block_ops *ops;
	u64 size;
	bool readonly;
};

/**
 * raw_open() - open a raw image file or block device and lock it
 * @path: file
 * @readonly: others may read it, too
 * @probe: refuse a file that looks like another format
 *
 * The lock is an open file description lock on the whole file: shared if @readonly, else exclusive.
 * QEMU's own locks conflict with it as they should.
 *
 * Return: the image, or NULL after a report.
 */
struct block *raw_open(const char *path, bool readonly, bool probe);

#endif
