// SPDX-License-Identifier: GPL-2.0
/*
 * Arrays of buffers: parts of them, and copies into and out of them.
 */
#include <string.h>

#include "iov.h"

u64 iov_len(const struct iovec *iov, unsigned int nr)
{
	u64 len = 0;
	unsigned int i;

	for (i = 0; i < nr; i++)
		len += iov[i].iov_len;
	return len;
}

/*
 * Step through the parts of a range: *@i and *@offset say where it goes on, *@len what is left.
 * False at its end.
 */
static bool next_part(const struct iovec *in, unsigned int nr, unsigned int *i, u64 *offset,
		      u64 *len, struct iovec *part)
{
	for (; *i < nr && *len; ++*i) {
		u64 n;

		if (*offset >= in[*i].iov_len) {
			*offset -= in[*i].iov_len;
			continue;
		}
		n = in[*i].iov_len - *offset;
		if (n > *len)
			n = *len;
		part->iov_base = (u8 *)in[*i].iov_base + *offset;
		part->iov_len = n;
		*len -= n;
		*offset = 0;
		++*i;
		return true;
	}
	return false;
}

unsigned int iov_slice(const struct iovec *in, unsigned int nr, u64 offset, u64 len,
		       struct iovec *out)
{
	unsigned int i = 0, n = 0;

	while (next_part(in, nr, &i, &offset, &len, &out[n]))
		n++;
	return n;
}

size_t iov_read(const struct iovec *iov, unsigned int nr, u64 offset, void *buf, size_t len)
{
	unsigned int i = 0;
	struct iovec part;
	size_t done = 0;
	u64 left = len;

	while (next_part(iov, nr, &i, &offset, &left, &part)) {
		memcpy((u8 *)buf + done, part.iov_base, part.iov_len);
		done += part.iov_len;
	}
	return done;
}

size_t iov_write(const struct iovec *iov, unsigned int nr, u64 offset, const void *buf, size_t len)
{
	unsigned int i = 0;
	struct iovec part;
	size_t done = 0;
	u64 left = len;

	while (next_part(iov, nr, &i, &offset, &left, &part)) {
		memcpy(part.iov_base, (const u8 *)buf + done, part.iov_len);
		done += part.iov_len;
	}
	return done;
}

void iov_zero(const struct iovec *iov, unsigned int nr, u64 offset, u64 len)
{
	unsigned int i = 0;
	struct iovec part;

	while (next_part(iov, nr, &i, &offset, &len, &part))
		memset(part.iov_base, 0, part.iov_len);
}
