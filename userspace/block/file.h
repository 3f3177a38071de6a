/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A host file or block device that holds an image: locked, and read and written whole or not at
 * all.
 */
#ifndef MKVM_BLOCK_FILE_H
#define MKVM_BLOCK_FILE_H

#include <pthread.h>
#include <sys/uio.h>

#include "types.h"

/**
 * struct host_file - an open file
 * @fd: the descriptor; the lock hangs on it
 * @path: for messages; owned
 * @readonly: opened for reading
 * @is_device: a block device: it cannot grow
 * @created: host_file_create() made it: it was not there before
 * @direct: opened with O_DIRECT
 * @align: offsets, lengths and addresses of @direct transfers are multiples of it; else 1
 * @lost: the first error of host_file_flush(): what was in the page cache may be lost, so no later
 *	flush succeeds
 * @no_punch: this file system cannot punch holes; found out on the first try
 * @gate: guards @holders and @closed
 * @gate_free: signalled when either changes
 * @holders: transfers under way that rely on the bytes around them, see host_file_hold()
 * @closed: somebody rewrites the surroundings of a part
 */
struct host_file {
	int fd;
	char *path;
	bool readonly;
	bool is_device;
	bool created;
	bool direct;
	unsigned int align;
	int lost;
	bool no_punch;
	pthread_mutex_t gate;
	pthread_cond_t gate_free;
	unsigned int holders;
	bool closed;
};

/**
 * host_file_open() - open and lock a regular file or block device
 * @path: where
 * @readonly: for reading: lock it against writers only
 * @direct: with O_DIRECT
 * @lock: false: look at it without a lock (`img info -U`)
 *
 * The locks are QEMU's: open file description locks of single bytes, so that its programs and ours
 * keep off each other's images; a lock on the whole file conflicts, too.
 *
 * Return: the file, for host_file_close(); NULL after a report.
 */
struct host_file *host_file_open(const char *path, bool readonly, bool direct, bool lock);

/**
 * host_file_create() - create a file for a new image, or open the one that is there, and lock it
 *
 * What was there is unchanged until host_file_empty(). Return: the file; NULL after a report.
 */
struct host_file *host_file_create(const char *path);

/** host_file_empty() - forget what was in a file, but not in a device; 0, or -1 after a report */
int host_file_empty(struct host_file *f);

/** host_file_close() - unlock and free it; NULL is fine */
void host_file_close(struct host_file *f);

/*
 * Each of the following returns 0 or a negative errno; -EIO where the file ends too early. Any
 * number of threads. Direct files take any alignment; unaligned transfers are slow.
 */
int host_file_readv(struct host_file *f, const struct iovec *iov, unsigned int nr, u64 offset);
int host_file_writev(struct host_file *f, const struct iovec *iov, unsigned int nr, u64 offset);
int host_file_read(struct host_file *f, void *buf, size_t len, u64 offset);
int host_file_write(struct host_file *f, const void *buf, size_t len, u64 offset);
int host_file_flush(struct host_file *f);
int host_file_size(struct host_file *f, u64 *size);
int host_file_truncate(struct host_file *f, u64 size);

/** host_file_zero() - the range reads as zeroes; @unmap: by a hole if possible, else allocated */
int host_file_zero(struct host_file *f, u64 offset, u64 len, bool unmap);

/**
 * host_file_allocate() - reserve space for a range, which reads as it did before
 * @f: the file
 * @offset: first byte
 * @len: bytes; the file grows if they are behind its end
 * @write: write zeroes instead: for a range that reads as zeroes
 *
 * Return: 0, or a negative errno: -ENOSPC, -EOPNOTSUPP, ...
 */
int host_file_allocate(struct host_file *f, u64 offset, u64 len, bool write);

/** host_file_punch() - give the space back; -EOPNOTSUPP where that is impossible */
int host_file_punch(struct host_file *f, u64 offset, u64 len);

/**
 * host_file_extent() - is there a hole?
 * @f: the file
 * @offset: first byte
 * @len: bytes
 * @hole: whether the bytes from @offset are in a hole
 *
 * Return: bytes for which that holds, 1 to @len; a file system that cannot tell has no holes.
 */
u64 host_file_extent(struct host_file *f, u64 offset, u64 len, bool *hole);

/**
 * host_file_hold() - transfers by the caller itself on @fd begin
 * @f: the file
 *
 * Unaligned writes to a direct file rewrite the bytes around them and wait until nobody holds it.
 * Never call host_file_write() from the thread that has to call host_file_release().
 */
void host_file_hold(struct host_file *f);
void host_file_release(struct host_file *f);

#endif
