// SPDX-License-Identifier: GPL-2.0
/*
 * Guest RAM: how it is laid out around the PCI hole, and the only translation from guest physical
 * address to pointer.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "guest_mem.h"
#include "layout.h"
#include "types.h"

#define HUGE_PAGE	(2 * MIB)

static void lay_out(struct guest_mem *mem, u8 *hva, u64 size)
{
	u64 low = size < RAM_LOW_MAX ? size : RAM_LOW_MAX;

	/* A child (or a core dump) has no business with the guest's memory. */
	(void)madvise(mem->map, mem->map_size, MADV_DONTFORK);
	(void)madvise(mem->map, mem->map_size, MADV_DONTDUMP);
	mem->ram[0] = (struct guest_ram){ .gpa = 0, .size = low, .hva = hva };
	mem->nr = 1;
	if (size > low) {
		mem->ram[1] = (struct guest_ram){
			.gpa = RAM_HIGH_BASE, .size = size - low, .hva = hva + low,
		};
		mem->nr = 2;
	}
}

int guest_mem_create(struct guest_mem *mem, u64 size)
{
	u8 *hva;

	memset(mem, 0, sizeof(*mem));
	if (size == 0 || size > SIZE_MAX - HUGE_PAGE)
		return -ENOMEM;
	/*
	 * Over-allocate so that gpa and hva agree modulo 2 MiB: only then can the kernel map huge
	 * pages.
	 */
	mem->map_size = size + HUGE_PAGE;
	mem->map = mmap(NULL, mem->map_size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (mem->map == MAP_FAILED) {
		mem->map = NULL;
		return -ENOMEM;
	}
	hva = (u8 *)(((uintptr_t)mem->map + HUGE_PAGE - 1) & ~(HUGE_PAGE - 1));
	/*
	 * Advice only: a kernel without transparent huge pages refuses, and 4 KiB pages work as
	 * well.
	 */
	(void)madvise(hva, size, MADV_HUGEPAGE);
	lay_out(mem, hva, size);
	return 0;
}

/* A file nobody else can name. Return its descriptor or a negative errno. */
static int unnamed_file(const char *dir)
{
	char path[PATH_MAX];
	int fd;

	if (snprintf(path, sizeof(path), "%s/mkvm.XXXXXX", dir) >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	(void)unlink(path);
	return fd;
}

int guest_mem_create_in(struct guest_mem *mem, u64 size, const char *dir)
{
	struct statfs fs;
	u64 page;
	int fd, err = 0;

	memset(mem, 0, sizeof(*mem));
	fd = unnamed_file(dir);
	if (fd < 0)
		return fd;
	/* The block size of a file system of huge pages is theirs. */
	page = fstatfs(fd, &fs) || fs.f_bsize <= 0 ? 0 : (u64)fs.f_bsize;
	if (!page || (page & (page - 1)) || size == 0 || size > INT64_MAX - page)
		err = -EINVAL;
	mem->map_size = (size + page - 1) & ~(page - 1);
	if (!err && ftruncate(fd, (off_t)mem->map_size))
		err = -errno;
	if (!err) {
		mem->map = mmap(NULL, mem->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		err = mem->map == MAP_FAILED ? -errno : 0;
	}
	close(fd);
	if (err) {
		memset(mem, 0, sizeof(*mem));
		return err;
	}
	lay_out(mem, mem->map, size);
	return 0;
}

int guest_mem_populate(struct guest_mem *mem)
{
	unsigned int i;
	u64 at;

	for (i = 0; i < mem->nr; i++) {
		struct guest_ram *ram = &mem->ram[i];

		if (!madvise(ram->hva, ram->size, MADV_POPULATE_WRITE))
			continue;
		if (errno != EINVAL)
			return -ENOMEM;
		/* A kernel before 5.14: touch the pages, which are zero. */
		for (at = 0; at < ram->size; at += 4096)
			*(volatile u8 *)(ram->hva + at) = 0;
	}
	return 0;
}

void guest_mem_destroy(struct guest_mem *mem)
{
	if (mem->map)
		munmap(mem->map, mem->map_size);
	memset(mem, 0, sizeof(*mem));
}

int guest_mem_iov(const struct guest_mem *mem, gpa_t gpa, u64 len, struct iovec *iov)
{
	unsigned int i;

	if (len == 0)
		return -EFAULT;
	for (i = 0; i < mem->nr; i++) {
		const struct guest_ram *ram = &mem->ram[i];

		/* Subtractions only, so that no sum can wrap. */
		if (gpa < ram->gpa || gpa - ram->gpa >= ram->size)
			continue;
		if (len > ram->size - (gpa - ram->gpa))
			return -EFAULT;
		iov->iov_base = ram->hva + (gpa - ram->gpa);
		iov->iov_len = len;
		return 0;
	}
	return -EFAULT;
}

int guest_mem_read(const struct guest_mem *mem, gpa_t gpa, void *buf, size_t len)
{
	struct iovec iov;

	if (guest_mem_iov(mem, gpa, len, &iov))
		return -EFAULT;
	memcpy(buf, iov.iov_base, len);
	return 0;
}

int guest_mem_write(const struct guest_mem *mem, gpa_t gpa, const void *buf, size_t len)
{
	struct iovec iov;

	if (guest_mem_iov(mem, gpa, len, &iov))
		return -EFAULT;
	memcpy(iov.iov_base, buf, len);
	return 0;
}

int guest_mem_zero(const struct guest_mem *mem, gpa_t gpa, size_t len)
{
	struct iovec iov;

	if (guest_mem_iov(mem, gpa, len, &iov))
		return -EFAULT;
	memset(iov.iov_base, 0, len);
	return 0;
}
