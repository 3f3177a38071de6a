// SPDX-License-Identifier: GPL-2.0
/*
 * Raw images: the bytes of the file are the bytes of the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/block.h"
#include "report.h"
#include "types.h"

struct raw {
	struct block blk;
	int fd;
};

static struct raw *to_raw(struct block *blk)
{
	return (struct raw *)blk;
}

static int take_lock(int fd, const char *path, bool readonly)
{
	struct flock fl = { .l_type = readonly ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET };
	bool reader;

	if (!fcntl(fd, F_OFD_SETLK, &fl))
		return 0;
	if (errno != EAGAIN && errno != EACCES)
		return report("disk %s: cannot take the lock: %s", path, strerror(errno));
	reader = !fcntl(fd, F_OFD_GETLK, &fl) && fl.l_type == F_RDLCK;
	return report("disk %s: in use by another %s; stop it, or use readonly=on in both", path,
		      reader ? "reader" : "writer");
}

static int image_size(int fd, const char *path, u64 *size)
{
	struct stat st;

	if (fstat(fd, &st))
		return report("disk %s: %s", path, strerror(errno));
	if (S_ISREG(st.st_mode)) {
		*size = (u64)st.st_size;
	} else if (S_ISBLK(st.st_mode)) {
		if (ioctl(fd, BLKGETSIZE64, size))
			return report("disk %s: cannot read its size: %s", path, strerror(errno));
	} else {
		return report("disk %s: is neither a file nor a block device", path);
	}
	if (!*size)
		return report("disk %s: is empty", path);
	if (*size % SECTOR_SIZE)
		return report("disk %s: %llu bytes, no multiple of %d; use 'truncate -s %%%d'",
			      path, *size, SECTOR_SIZE, SECTOR_SIZE);
	return 0;
}

/* Giving a guest the raw bytes of a qcow2 file invites it to write a header of its own. */
static int refuse_other_formats(int fd, const char *path)
{
	static const struct {
		const char *magic;
		const char *name;
	} formats[] = {
		{ "QFI\xfb", "qcow2" }, { "KDMV", "vmdk" }, { "vhdxfile", "vhdx" }, { "QED", "qed" }
	};
	char head[8] = "";
	size_t i;

	if (pread(fd, head, sizeof(head), 0) != (ssize_t)sizeof(head))
		return 0;
	for (i = 0; i < ARRAY_SIZE(formats); i++) {
		if (!memcmp(head, formats[i].magic, strlen(formats[i].magic)))
			return report("disk %s: looks like %s; convert it, or give format=raw",
				      path, formats[i].name);
	}
	return 0;
}

/* preadv() and pwritev() until all is done: both may stop early. */
static int transfer(struct raw *raw, const struct iovec *iov, unsigned int nr, u64 offset,
		    ssize_t (*io)(int fd, const struct iovec *iov, int nr, off_t offset))
{
	while (nr) {
		ssize_t n = io(raw->fd, iov, (int)nr, (off_t)offset);
		struct iovec rest;

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			return -EIO;	/* the file has become shorter */
		offset += (u64)n;
		while (nr && (size_t)n >= iov->iov_len) {
			n -= (ssize_t)iov->iov_len;
			iov++;
			nr--;
		}
		if (!n)
			continue;
		/* Finish a buffer that was cut in the middle, then go on with the rest. */
		rest.iov_base = (u8 *)iov->iov_base + n;
		rest.iov_len = iov->iov_len - (size_t)n;
		n = transfer(raw, &rest, 1, offset, io);
		if (n)
			return (int)n;
		offset += rest.iov_len;
		iov++;
		nr--;
	}
	return 0;
}

static int raw_readv(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	return transfer(to_raw(blk), iov, nr, offset, preadv);
}

static int raw_writev(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset)
{
	return transfer(to_raw(blk), iov, nr, offset, pwritev);
}

static int raw_flush(struct block *blk)
{
	return fdatasync(to_raw(blk)->fd) ? -errno : 0;
}

static void raw_close(struct block *blk)
{
	struct raw *raw = to_raw(blk);

	close(raw->fd);
	free(raw);
}

static const struct block_ops raw_ops = {
	.readv = raw_readv, .writev = raw_writev, .flush = raw_flush, .close = raw_close,
};

struct block *raw_open(const char *path, bool readonly, bool probe)
{
	struct raw *raw = calloc(1, sizeof(*raw));

	if (!raw) {
		report("out of memory");
		return NULL;
	}
	raw->blk.ops = &raw_ops;
	raw->blk.readonly = readonly;
	raw->fd = open(path, (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK);
	if (raw->fd < 0) {
		report("disk %s: cannot open it for %s: %s", path, readonly ? "reading" : "writing",
		       strerror(errno));
		free(raw);
		return NULL;
	}
	if (image_size(raw->fd, path, &raw->blk.size) ||
	    (probe && refuse_other_formats(raw->fd, path)) || take_lock(raw->fd, path, readonly)) {
		raw_close(&raw->blk);
		return NULL;
	}
	return &raw->blk;
}
