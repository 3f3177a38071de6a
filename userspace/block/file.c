// SPDX-License-Identifier: GPL-2.0
/*
 * A host file or block device that holds an image: locked, and read and written whole or not at
 * all.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "block/file.h"
#include "iov.h"
#include "report.h"
#include "types.h"

#define BOUNCE_MAX	(1U << 20)

/*
 * The lock protocol of QEMU's "file" driver: whoever uses a right read-locks byte 100 + right,
 * whoever does not let others have it read-locks byte 200 + right; then each looks whether
 * somebody has the byte that contradicts.
 */
#define IMAGE_USES	100
#define IMAGE_DENIES	200
#define IMAGE_READ	0
#define IMAGE_WRITE	1
#define IMAGE_RESIZE	3

/* How long a lock may linger: see take_lock(). */
#define LOCK_TRIES		25
#define LOCK_NSEC		20000000L

static bool lock_test(int fd, short type, off_t byte, short *found)
{
	struct flock fl = { .l_type = type, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1 };

	if (fcntl(fd, F_OFD_GETLK, &fl))
		return false;
	*found = fl.l_type;
	return fl.l_type != F_UNLCK;
}

static int lock_byte(int fd, off_t byte)
{
	struct flock fl = {
		.l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = byte, .l_len = 1
	};

	if (!fcntl(fd, F_OFD_SETLK, &fl))
		return 0;
	return errno == EACCES ? -EAGAIN : -errno;
}

static void unlock(int fd)
{
	struct flock fl = { .l_type = F_UNLCK, .l_whence = SEEK_SET };

	(void)fcntl(fd, F_OFD_SETLK, &fl);
}

/* 0; -EAGAIN if another @writer, or a reader, has the image; or another error. */
static int try_lock(int fd, bool readonly, bool *writer)
{
	short type;
	int err;

	/* If it fails, that is a write lock, and so nobody who speaks this protocol. */
	*writer = true;
	err = lock_byte(fd, IMAGE_USES + IMAGE_READ);
	if (!err)
		err = lock_byte(fd, IMAGE_DENIES + IMAGE_WRITE);
	if (!err)
		err = lock_byte(fd, IMAGE_DENIES + IMAGE_RESIZE);
	if (!err && !readonly)
		err = lock_byte(fd, IMAGE_USES + IMAGE_WRITE);
	if (!err && !readonly)
		err = lock_byte(fd, IMAGE_USES + IMAGE_RESIZE);
	if (err)
		return err;
	if (lock_test(fd, F_WRLCK, IMAGE_USES + IMAGE_WRITE, &type) ||
	    lock_test(fd, F_WRLCK, IMAGE_USES + IMAGE_RESIZE, &type) ||
	    lock_test(fd, F_WRLCK, IMAGE_DENIES + IMAGE_READ, &type))
		return -EAGAIN;
	if (!readonly && (lock_test(fd, F_WRLCK, IMAGE_DENIES + IMAGE_WRITE, &type) ||
			  lock_test(fd, F_WRLCK, IMAGE_DENIES + IMAGE_RESIZE, &type))) {
		*writer = type == F_WRLCK;
		return -EAGAIN;
	}
	return 0;
}

/*
 * A process that was killed may be gone and still have its image open for a moment: until the kernel
 * has done what was under way in its io_uring. Whoever starts it anew should not fail for that.
 */
static int take_lock(int fd, const char *path, bool readonly)
{
	const struct timespec pause = { 0, LOCK_NSEC };
	unsigned int tries;
	bool writer;
	int err;

	for (tries = 0; ; tries++) {
		err = try_lock(fd, readonly, &writer);
		if (err != -EAGAIN || tries == LOCK_TRIES)
			break;
		unlock(fd);
		nanosleep(&pause, NULL);
	}
	if (err == -EAGAIN)
		return report("disk %s: in use by another %s; stop it, or use readonly=on in both",
			      path, writer ? "writer" : "reader");
	return err ? report("disk %s: cannot take the lock: %s", path, strerror(-err)) : 0;
}

/* The file system says by EINVAL what it does not take; 4096 is the largest sector there is. */
static unsigned int direct_align(int fd)
{
	unsigned int align;
	void *buf;

	for (align = 512; align < 4096; align *= 2) {
		ssize_t n;

		if (posix_memalign(&buf, align, align))
			break;
		/* An address with no more alignment than this. */
		n = pread(fd, buf, align, 0);
		free(buf);
		if (n >= 0)
			return align;
	}
	return 4096;
}

static struct host_file *new_file(const char *path, int fd, bool readonly)
{
	struct host_file *f = calloc(1, sizeof(*f));

	if (f)
		f->path = strdup(path);
	if (!f || !f->path) {
		report("out of memory");
		free(f);
		close(fd);
		return NULL;
	}
	f->fd = fd;
	f->readonly = readonly;
	f->align = 1;
	pthread_mutex_init(&f->gate, NULL);
	pthread_cond_init(&f->gate_free, NULL);
	return f;
}

static int check_type(struct host_file *f)
{
	struct stat st;

	if (fstat(f->fd, &st))
		return report("disk %s: %s", f->path, strerror(errno));
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return report("disk %s: is neither a file nor a block device", f->path);
	f->is_device = S_ISBLK(st.st_mode);
	return 0;
}

struct host_file *host_file_open(const char *path, bool readonly, bool direct, bool lock)
{
	int flags = (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC | O_NONBLOCK;
	int fd = open(path, flags | (direct ? O_DIRECT : 0));
	struct host_file *f;

	if (fd < 0) {
		report("disk %s: cannot open it for %s%s: %s", path,
		       readonly ? "reading" : "writing",
		       direct && errno == EINVAL ? " past the page cache" : "", strerror(errno));
		return NULL;
	}
	f = new_file(path, fd, readonly);
	if (!f)
		return NULL;
	if (check_type(f) || (lock && take_lock(fd, path, readonly))) {
		host_file_close(f);
		return NULL;
	}
	f->direct = direct;
	if (direct)
		f->align = direct_align(fd);
	return f;
}

struct host_file *host_file_create(const char *path)
{
	bool created = true;
	int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NONBLOCK, 0644);
	struct host_file *f;

	if (fd < 0 && errno == EEXIST) {
		created = false;
		fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	}
	if (fd < 0) {
		report("disk %s: cannot create it: %s", path, strerror(errno));
		return NULL;
	}
	f = new_file(path, fd, false);
	if (!f)
		return NULL;
	f->created = created;
	if (!check_type(f) && !take_lock(fd, path, false))
		return f;
	host_file_close(f);
	return NULL;
}

int host_file_empty(struct host_file *f)
{
	if (!f->is_device && ftruncate(f->fd, 0))
		return report("disk %s: cannot empty it: %s", f->path, strerror(errno));
	return 0;
}

void host_file_close(struct host_file *f)
{
	if (!f)
		return;
	close(f->fd);
	pthread_cond_destroy(&f->gate_free);
	pthread_mutex_destroy(&f->gate);
	free(f->path);
	free(f);
}

void host_file_hold(struct host_file *f)
{
	if (!f->direct)
		return;
	pthread_mutex_lock(&f->gate);
	while (f->closed)
		pthread_cond_wait(&f->gate_free, &f->gate);
	f->holders++;
	pthread_mutex_unlock(&f->gate);
}

void host_file_release(struct host_file *f)
{
	if (!f->direct)
		return;
	pthread_mutex_lock(&f->gate);
	if (!--f->holders)
		pthread_cond_broadcast(&f->gate_free);
	pthread_mutex_unlock(&f->gate);
}

/* Alone: nobody else has a transfer under way. */
static void gate_close(struct host_file *f)
{
	pthread_mutex_lock(&f->gate);
	while (f->closed)
		pthread_cond_wait(&f->gate_free, &f->gate);
	f->closed = true;
	while (f->holders)
		pthread_cond_wait(&f->gate_free, &f->gate);
	pthread_mutex_unlock(&f->gate);
}

static void gate_open(struct host_file *f)
{
	pthread_mutex_lock(&f->gate);
	f->closed = false;
	pthread_cond_broadcast(&f->gate_free);
	pthread_mutex_unlock(&f->gate);
}

typedef ssize_t (*vector_io)(int fd, const struct iovec *iov, int nr, off_t offset);

/* Until all is done: both calls may stop early. *@done counts bytes also on failure. */
static int transfer_counted(int fd, const struct iovec *iov, unsigned int nr, u64 offset,
			    vector_io io, u64 *done)
{
	struct iovec rest = { NULL, 0 };
	ssize_t n;

	*done = 0;
	while (nr || rest.iov_len) {
		if (rest.iov_len)
			n = io(fd, &rest, 1, (off_t)(offset + *done));
		else
			n = io(fd, iov, nr < IOV_MAX ? (int)nr : IOV_MAX, (off_t)(offset + *done));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0 && (rest.iov_len || iov_len(iov, nr < IOV_MAX ? nr : IOV_MAX)))
			return -EIO;	/* the file has become shorter */
		*done += (u64)n;
		if (rest.iov_len) {
			rest.iov_base = (u8 *)rest.iov_base + n;
			rest.iov_len -= (size_t)n;
			continue;
		}
		while (nr && (size_t)n >= iov->iov_len) {
			n -= (ssize_t)iov->iov_len;
			iov++;
			nr--;
		}
		if (!n)
			continue;
		/* A buffer was cut in the middle: finish it, then go on behind it. */
		rest.iov_base = (u8 *)iov->iov_base + n;
		rest.iov_len = iov->iov_len - (size_t)n;
		iov++;
		nr--;
	}
	return 0;
}

static int transfer(int fd, const struct iovec *iov, unsigned int nr, u64 offset, vector_io io)
{
	u64 done;

	return transfer_counted(fd, iov, nr, offset, io, &done);
}

static bool is_aligned(const struct host_file *f, const struct iovec *iov, unsigned int nr,
		       u64 offset)
{
	u64 mask = f->align - 1, bits = offset;
	unsigned int i;

	for (i = 0; i < nr; i++)
		bits |= (u64)(uintptr_t)iov[i].iov_base | iov[i].iov_len;
	return !(bits & mask);
}

/*
 * Read what there is of an aligned range; a direct read at the end of the file gives the bytes up
 * to it. The rest of the buffer is cleared.
 */
static int bounce_fill(struct host_file *f, u8 *buf, size_t len, u64 offset, u64 *got)
{
	struct iovec iov = { buf, len };
	int ret = transfer_counted(f->fd, &iov, 1, offset, preadv, got);

	memset(buf + *got, 0, len - *got);
	return ret == -EIO || (ret == -EINVAL && *got) ? 0 : ret;
}

/* One piece of an unaligned transfer, through an aligned buffer that covers it. */
static int bounce_piece(struct host_file *f, const struct iovec *iov, unsigned int nr, u64 skip,
			size_t len, u64 offset, u8 *buf, bool write)
{
	u64 start = offset & ~(u64)(f->align - 1), got, size;
	size_t cover = (size_t)((offset + len - start + f->align - 1) & ~(u64)(f->align - 1));
	struct iovec part = { buf, cover };
	int ret;

	if (!write) {
		ret = bounce_fill(f, buf, cover, start, &got);
		if (ret)
			return ret;
		if (got < offset + len - start)
			return -EIO;
		iov_write(iov, nr, skip, buf + (offset - start), len);
		return 0;
	}
	ret = host_file_size(f, &size);
	if (!ret)
		ret = bounce_fill(f, buf, cover, start, &got);
	if (ret)
		return ret;
	iov_read(iov, nr, skip, buf + (offset - start), len);
	ret = transfer(f->fd, &part, 1, start, pwritev);
	/* The file must not grow by the bytes that are only there for the alignment. */
	if (size < offset + len)
		size = offset + len;
	if (!ret && !f->is_device && start + cover > size && ftruncate(f->fd, (off_t)size))
		ret = -errno;
	return ret;
}

static int bounce(struct host_file *f, const struct iovec *iov, unsigned int nr, u64 offset,
		  bool write)
{
	u64 len = iov_len(iov, nr), done = 0;
	void *buf;
	int ret = 0;

	if (posix_memalign(&buf, 4096, BOUNCE_MAX + 2 * 4096))
		return -ENOMEM;
	if (write)
		gate_close(f);
	while (!ret && done < len) {
		size_t n = len - done < BOUNCE_MAX ? (size_t)(len - done) : BOUNCE_MAX;

		ret = bounce_piece(f, iov, nr, done, n, offset + done, buf, write);
		done += n;
	}
	if (write)
		gate_open(f);
	free(buf);
	return ret;
}

int host_file_readv(struct host_file *f, const struct iovec *iov, unsigned int nr, u64 offset)
{
	if (offset > INT64_MAX)
		return -EINVAL;
	if (f->direct && !is_aligned(f, iov, nr, offset))
		return bounce(f, iov, nr, offset, false);
	return transfer(f->fd, iov, nr, offset, preadv);
}

int host_file_writev(struct host_file *f, const struct iovec *iov, unsigned int nr, u64 offset)
{
	int ret;

	if (offset > INT64_MAX)
		return -EFBIG;
	if (f->direct && !is_aligned(f, iov, nr, offset))
		return bounce(f, iov, nr, offset, true);
	host_file_hold(f);
	ret = transfer(f->fd, iov, nr, offset, pwritev);
	host_file_release(f);
	return ret;
}

int host_file_read(struct host_file *f, void *buf, size_t len, u64 offset)
{
	struct iovec iov = { buf, len };

	return host_file_readv(f, &iov, 1, offset);
}

int host_file_write(struct host_file *f, const void *buf, size_t len, u64 offset)
{
	struct iovec iov = { (void *)(uintptr_t)buf, len };

	return host_file_writev(f, &iov, 1, offset);
}

int host_file_flush(struct host_file *f)
{
	int ok = 0, err = __atomic_load_n(&f->lost, __ATOMIC_RELAXED);

	if (err)
		return -err;
	if (!fdatasync(f->fd))
		return 0;
	err = errno;
	/*
	 * The kernel tells of a failed write-back once and may have dropped the pages: the next
	 * fdatasync() would succeed without them.
	 */
	if (!f->direct)
		(void)__atomic_compare_exchange_n(&f->lost, &ok, err, false, __ATOMIC_RELAXED,
						  __ATOMIC_RELAXED);
	return -err;
}

int host_file_size(struct host_file *f, u64 *size)
{
	struct stat st;

	if (f->is_device)
		return ioctl(f->fd, BLKGETSIZE64, size) ? -errno : 0;
	if (fstat(f->fd, &st))
		return -errno;
	*size = (u64)st.st_size;
	return 0;
}

int host_file_truncate(struct host_file *f, u64 size)
{
	u64 now;
	int ret;

	if (size > INT64_MAX)
		return -EFBIG;
	if (!f->is_device)
		return ftruncate(f->fd, (off_t)size) ? -errno : 0;
	ret = host_file_size(f, &now);
	if (ret)
		return ret;
	return size <= now ? 0 : -ENOSPC;
}

static int allocate(struct host_file *f, int mode, u64 offset, u64 len)
{
	int ret;

	do {
		ret = fallocate(f->fd, mode, (off_t)offset, (off_t)len) ? -errno : 0;
	} while (ret == -EINTR);
	return ret;
}

int host_file_punch(struct host_file *f, u64 offset, u64 len)
{
	int ret;

	if (f->no_punch)
		return -EOPNOTSUPP;
	ret = allocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, offset, len);
	if (ret == -EOPNOTSUPP || ret == -ENOSYS || ret == -ENODEV) {
		f->no_punch = true;
		return -EOPNOTSUPP;
	}
	return ret;
}

static int write_zeroes(struct host_file *f, u64 offset, u64 len)
{
	size_t chunk = len < BOUNCE_MAX ? (size_t)len : BOUNCE_MAX;
	void *zero;
	int ret = 0;

	if (posix_memalign(&zero, 4096, chunk))
		return -ENOMEM;
	memset(zero, 0, chunk);
	while (len && !ret) {
		if (len < chunk)
			chunk = (size_t)len;
		ret = host_file_write(f, zero, chunk, offset);
		offset += chunk;
		len -= chunk;
	}
	free(zero);
	return ret;
}

int host_file_allocate(struct host_file *f, u64 offset, u64 len, bool write)
{
	if (offset > INT64_MAX || len > INT64_MAX - offset)
		return -EFBIG;
	if (write)
		return write_zeroes(f, offset, len);
	return f->is_device || !len ? 0 : allocate(f, 0, offset, len);
}

int host_file_zero(struct host_file *f, u64 offset, u64 len, bool unmap)
{
	u64 size;
	int ret;

	if (offset > INT64_MAX || len > INT64_MAX - offset)
		return -EFBIG;
	ret = host_file_size(f, &size);
	if (ret)
		return ret;
	/* A hole at the end needs the file to reach behind it. */
	if (unmap && !f->no_punch) {
		if (offset + len > size && !f->is_device)
			ret = host_file_truncate(f, offset + len);
		if (!ret)
			ret = host_file_punch(f, offset, len);
		if (!ret)
			return 0;
		if (ret == -EIO || ret == -ENOSPC)
			return ret;
	}
	ret = allocate(f, FALLOC_FL_ZERO_RANGE, offset, len);
	if (!ret || ret == -EIO || ret == -ENOSPC)
		return ret;
	return write_zeroes(f, offset, len);
}

u64 host_file_extent(struct host_file *f, u64 offset, u64 len, bool *hole)
{
	off_t next;

	*hole = false;
	if (f->is_device)
		return len;
	next = lseek(f->fd, (off_t)offset, SEEK_DATA);
	if (next < 0) {
		/* ENXIO: nothing but a hole up to the end of the file. */
		*hole = errno == ENXIO;
		return len;
	}
	if ((u64)next > offset) {
		*hole = true;
		return (u64)next - offset < len ? (u64)next - offset : len;
	}
	next = lseek(f->fd, (off_t)offset, SEEK_HOLE);
	if (next <= (off_t)offset)
		return len;
	return (u64)next - offset < len ? (u64)next - offset : len;
}
