/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Disk images, as disk devices and `mkvm img` see them: open, read, write, zero, discard, flush,
 * look up.
 */
#ifndef MKVM_BLOCK_BLOCK_H
#define MKVM_BLOCK_BLOCK_H

#include <sys/uio.h>

#include "types.h"

#define SECTOR_SIZE	512

struct block;
struct block_format;
struct host_file;

/* What block_map() and block_status() say of a range. */
enum block_kind {
	BLOCK_DATA,	/* bytes stored in this image */
	BLOCK_ZERO,	/* reads as zeroes, whatever the backing image holds */
	BLOCK_ABSENT,	/* not in this image: the backing image's bytes; without one, zeroes */
	BLOCK_COMPRESSED,	/* stored in this image, but not as it is read */
};

/**
 * struct block_extent - what lies at the start of a range
 * @kind: see above
 * @len: bytes from the start of the range for which this holds; at least 1
 * @fd: the host file that holds them at @host_offset, as they are: for BLOCK_DATA, else -1
 * @host_offset: where
 * @depth: 0: in the image itself; n: in the n-th image of its backing chain (block_status() only)
 */
struct block_extent {
	enum block_kind kind;
	u64 len;
	int fd;
	u64 host_offset;
	unsigned int depth;
};

/**
 * struct block - an open image
 * @format: what it is
 * @path: as given, for messages
 * @size: bytes, a multiple of SECTOR_SIZE; changes only by block_resize()
 * @cluster_size: bytes of its unit of allocation; 0 if it has none
 * @readonly: no writes
 * @backing: the image below, owned; NULL if there is none or it was not to be opened
 * @backing_path: what the image says of it, as stored; NULL if nothing
 * @backing_format: its format as stored; NULL if it is not
 * @probed_raw: nobody said that it is raw: a write must not make it look like another format
 * @file: the host file, the format's; for those who look at it (`img info`)
 * @align: what the caller transfers itself after block_map() must have offsets, lengths and
 *	addresses that are multiples of it: 1, or more if the image was opened direct
 */
struct block {
	const struct block_format *format;
	char *path;
	u64 size;
	u32 cluster_size;
	bool readonly;
	struct block *backing;
	char *backing_path;
	char *backing_format;
	bool probed_raw;
	struct host_file *file;
	unsigned int align;
};

/**
 * struct block_options - how to open an image
 * @format: "raw", "qcow2", ...; NULL: find out
 * @readonly: others may read it, too
 * @direct: O_DIRECT on the host (cache=none); unaligned transfers are still possible, but slow
 * @shared_ok: `img info -U`: do not lock; only with @readonly
 * @no_backing: do not open the backing chain (`img info`, `img check`)
 */
struct block_options {
	const char *format;
	bool readonly;
	bool direct;
	bool shared_ok;
	bool no_backing;
};

/**
 * block_open() - open an image and its backing chain, and lock them
 * @path: file or block device
 * @opts: how
 *
 * A writer is locked against everybody, readers and backing images against writers, QEMU's
 * programs included. A backing image is found relative to the image that names it and opened for
 * reading; the chain is at most 200 deep and may not come back to itself.
 *
 * Return: the image, for block_close(); NULL after a report that names the file and what is wrong.
 */
struct block *block_open(const char *path, const struct block_options *opts);

/**
 * block_open_snapshot() - open an image so that it stays as it is: writes go to a temporary file
 * @path: file or block device; locked as a backing image is
 * @opts: how, as if it were to be written
 *
 * The file is made in $TMPDIR or /var/tmp and has no name any more when this returns.
 *
 * Return: the image, for block_close(); NULL after a report.
 */
struct block *block_open_snapshot(const char *path, const struct block_options *opts);

/**
 * block_close() - write what is pending (not the guest's flush), unlock, free the chain
 * @blk: the image; NULL is fine
 */
void block_close(struct block *blk);

/*
 * Data. Several threads may call these at once, on overlapping ranges too (the result is then one
 * of the orders). Ranges lie within @size (else -EINVAL), whole sectors or not, and are not empty;
 * @nr is any number. Each returns 0 or a negative errno; a transfer is complete or failed, and a
 * failure leaves the image consistent. Writes on a read-only image give -EROFS, writes that would
 * make a raw image look like another format -EPERM.
 */
int block_readv(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset);
int block_writev(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset);

/* The same with one buffer. */
int block_read(struct block *blk, void *buf, size_t len, u64 offset);
int block_write(struct block *blk, const void *buf, size_t len, u64 offset);

/** block_write_zeroes() - the range reads as zeroes; @unmap: its space may be given back */
int block_write_zeroes(struct block *blk, u64 offset, u64 len, bool unmap);

/**
 * block_discard() - the guest does not need the range any more; its content is then undefined (but
 * never another's data)
 */
int block_discard(struct block *blk, u64 offset, u64 len);

/** block_flush() - on return, everything that was written before the call is on stable storage */
int block_flush(struct block *blk);

/**
 * block_map() - may the range be read or written in the host file directly?
 * @blk: the image
 * @offset: first byte
 * @len: bytes
 * @write: it shall be written
 * @ext: filled in
 *
 * The fast path of asynchronous engines: where the answer is BLOCK_DATA, the caller may transfer
 * up to @ext->len bytes at @ext->host_offset of @ext->fd itself, and no block_ call is needed.
 * With @write, BLOCK_DATA is only given where such a write changes no metadata and no other
 * reader's bytes (a qcow2 cluster with the COPIED bit, any byte of a raw file). Between
 * block_map() and the end of the transfer the caller holds block_hold(), so that the mapping stays
 * true; it takes block_hold() first. A short transfer (end of the host file) is the caller's to
 * finish with block_readv() or block_writev().
 *
 * Return: 0, or a negative errno: then use block_readv() or block_writev(), which reports it.
 */
int block_map(struct block *blk, u64 offset, u64 len, bool write, struct block_extent *ext);

/**
 * block_hold() - mappings handed out stay true until block_release(): discards, zeroing, snapshots
 * and unaligned writes to direct files wait
 *
 * Any thread may release what another one held. A thread that others need for their
 * block_release() must not call what waits.
 */
void block_hold(struct block *blk);
void block_release(struct block *blk);

/**
 * block_status() - what is there, through the whole backing chain
 * @blk: the image
 * @offset: first byte
 * @len: bytes
 * @ext: filled in; BLOCK_ABSENT only where nobody in the chain has it (zeroes)
 *
 * Return: 0 or a negative errno.
 */
int block_status(struct block *blk, u64 offset, u64 len, struct block_extent *ext);

/**
 * block_resize() - change its size
 * @blk: the image; nobody uses what is cut off
 * @size: bytes, a multiple of SECTOR_SIZE; new ones read as zeroes
 *
 * Return: 0 or a negative errno.
 */
int block_resize(struct block *blk, u64 size);

/** block_probe() - name of the format that the first bytes of a file show; "raw" if no other */
const char *block_probe(const void *head, size_t len);

#endif
