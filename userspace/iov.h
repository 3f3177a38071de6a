/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Arrays of buffers: parts of them, and copies into and out of them.
 */
#ifndef MKVM_IOV_H
#define MKVM_IOV_H

#include <sys/uio.h>

#include "types.h"

/** iov_len() - bytes in all of them */
u64 iov_len(const struct iovec *iov, unsigned int nr);

/**
 * iov_slice() - part of an array of buffers, as buffers
 * @in: the array
 * @nr: its entries
 * @offset: first byte
 * @len: bytes; what exceeds the array is left out
 * @out: room for @nr entries; not @in
 *
 * Return: entries of @out.
 */
unsigned int iov_slice(const struct iovec *in, unsigned int nr, u64 offset, u64 len,
		       struct iovec *out);

/** iov_read() - copy up to @len bytes from @offset of the buffers to @buf; return bytes copied */
size_t iov_read(const struct iovec *iov, unsigned int nr, u64 offset, void *buf, size_t len);

/** iov_write() - copy up to @len bytes from @buf to @offset of the buffers; return bytes copied */
size_t iov_write(const struct iovec *iov, unsigned int nr, u64 offset, const void *buf, size_t len);

/** iov_zero() - clear up to @len bytes from @offset of the buffers */
void iov_zero(const struct iovec *iov, unsigned int nr, u64 offset, u64 len);

#endif
