// SPDX-License-Identifier: GPL-2.0
/*
 * Guest RAM: how it is laid out around the PCI hole, and the only translation from guest physical
 * address to pointer.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "guest_mem.h"
#include "layout.h"
#include "types.h"

#define HUGE_PAGE	(2 * MIB)

int guest_mem_create(struct guest_mem *mem, u64 size)
{
	u64 low = size < RAM_LOW_MAX ? size : RAM_LOW_MAX;
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
	/* A child (or a core dump) has no business with the guest's memory. */
	(void)madvise(hva, size, MADV_DONTFORK);
	(void)madvise(hva, size, MADV_DONTDUMP);

	mem->ram[0] = (struct guest_ram){ .gpa = 0, .size = low, .hva = hva };
	mem->nr = 1;
	if (size > low) {
		mem->ram[1] = (struct guest_ram){
			.gpa = RAM_HIGH_BASE, .size = size - low, .hva = hva + low,
		};
		mem->nr = 2;
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
