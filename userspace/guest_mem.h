/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Guest RAM and the one length-checked door to it. A gpa_t is a guest physical address: nobody
 * outside guest_mem.c turns one into a pointer.
 */
#ifndef MKVM_GUEST_MEM_H
#define MKVM_GUEST_MEM_H

#include <sys/uio.h>

#include "types.h"

typedef u64 gpa_t;

/**
 * struct guest_ram - one contiguous piece of guest RAM
 * @gpa: guest physical address of its first byte, 2 MiB aligned
 * @size: bytes
 * @hva: where it is mapped in this process, 2 MiB aligned
 */
struct guest_ram {
	gpa_t gpa;
	u64 size;
	u8 *hva;
};

/**
 * struct guest_mem - all RAM of a guest: one or two pieces, split around the PCI hole
 * @ram: the pieces, in address order, never adjacent
 * @nr: how many of @ram are used
 * @map: the mapping that backs them
 * @map_size: bytes of @map
 *
 * Fixed after guest_mem_create(); read by all threads without a lock.
 */
struct guest_mem {
	struct guest_ram ram[2];
	unsigned int nr;
	void *map;
	size_t map_size;
};

/**
 * guest_mem_create() - map RAM for a guest
 * @mem: filled in
 * @size: bytes, a multiple of 4 KiB
 *
 * Return: 0 or -ENOMEM.
 */
int guest_mem_create(struct guest_mem *mem, u64 size);

/**
 * guest_mem_create_in() - likewise, from a directory: a file system of huge pages
 * @mem: filled in
 * @size: bytes, a multiple of 4 KiB
 * @dir: where to make the file, which is unlinked at once
 *
 * Return: 0; -ENOMEM if there are too few huge pages; another negative errno.
 */
int guest_mem_create_in(struct guest_mem *mem, u64 size, const char *dir);

/** guest_mem_populate() - have the host give all pages now; 0 or -ENOMEM */
int guest_mem_populate(struct guest_mem *mem);

/** guest_mem_destroy() - unmap the RAM; no vCPU and no device may use it any more */
void guest_mem_destroy(struct guest_mem *mem);

/**
 * guest_mem_iov() - translate a range of guest RAM
 * @mem: the guest's RAM
 * @gpa: first byte
 * @len: bytes; 0 is refused, as there is nothing to point to
 * @iov: set to the range in this process
 *
 * The bytes can change under the caller at any time: read each once, into a local.
 *
 * Return: 0, or -EFAULT if any byte is outside RAM or @len is 0; @iov is then untouched.
 */
int guest_mem_iov(const struct guest_mem *mem, gpa_t gpa, u64 len, struct iovec *iov);

/** guest_mem_read() - copy @len bytes at @gpa into @buf; 0 or -EFAULT (nothing copied) */
int guest_mem_read(const struct guest_mem *mem, gpa_t gpa, void *buf, size_t len);

/** guest_mem_write() - copy @len bytes from @buf to @gpa; 0 or -EFAULT (nothing copied) */
int guest_mem_write(const struct guest_mem *mem, gpa_t gpa, const void *buf, size_t len);

/** guest_mem_zero() - clear @len bytes at @gpa; 0 or -EFAULT (nothing cleared) */
int guest_mem_zero(const struct guest_mem *mem, gpa_t gpa, size_t len);

#endif
