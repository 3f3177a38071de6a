// SPDX-License-Identifier: GPL-2.0
/*
 * Makes what the VMX lane boots from: a disk image with the kernel's own ELF segments, the
 * initramfs and struct boot_params laid out for bootrom.S, and the boot ROM's checksum.
 *
 * usage: bootdisk BZIMAGE VMLINUX INITRAMFS COMMAND-LINE MEMORY-MB DISK
 *        bootdisk --checksum ROM
 *
 * Source of the formats: "The Linux/x86 Boot Protocol"; System V ABI, "Program Header".
 */
#include <elf.h>
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define SECTOR		512u
#define DISK_MAGIC	0x4b534944u	/* "DISK" */
#define MAX_EXTENTS	40
#define PARAMS_ADDR	0x20000u	/* boot_params, then the command line */
#define CMDLINE_ADDR	0x21000u
#define CMDLINE_MAX	2048u
#define CYLINDER	(16u * 63u * SECTOR)	/* the geometry the emulator is told */
#define MB		(1024u * 1024u)

struct extent {
	uint32_t lba;
	uint32_t sectors;
	uint32_t address;
};

/* The first sector of the disk; bootrom.S knows these offsets. */
struct disk_header {
	uint32_t magic;
	uint32_t count;
	uint32_t entry;
	uint32_t params;
	struct extent extent[MAX_EXTENTS];
};

_Static_assert(sizeof(struct disk_header) <= SECTOR, "the header is one sector");

struct image {
	const uint8_t *data;
	size_t size;
};

static int disk;
static uint32_t next_lba = 1;
static struct disk_header header = { .magic = DISK_MAGIC };

static struct image map_file(const char *path)
{
	struct image img;
	struct stat st;
	int fd = open(path, O_RDONLY);

	if (fd < 0 || fstat(fd, &st))
		err(1, "%s", path);
	img.size = st.st_size;
	if (img.size == 0)
		errx(1, "%s: empty", path);
	img.data = mmap(NULL, img.size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (img.data == MAP_FAILED)
		err(1, "%s", path);
	close(fd);
	return img;
}

static void write_all(const void *data, size_t size, off_t where)
{
	const uint8_t *p = data;

	while (size > 0) {
		ssize_t n = pwrite(disk, p, size, where);

		if (n <= 0)
			err(1, "boot disk");
		p += n;
		where += n;
		size -= n;
	}
}

static void add_extent(const void *data, size_t size, uint32_t address)
{
	uint32_t sectors = (size + SECTOR - 1) / SECTOR;

	if (size == 0)
		return;
	if (header.count == MAX_EXTENTS)
		errx(1, "more than %d parts", MAX_EXTENTS);
	write_all(data, size, (off_t)next_lba * SECTOR);
	header.extent[header.count++] = (struct extent){ next_lba, sectors, address };
	next_lba += sectors;
}

/* Adds the kernel's loadable segments; returns the end of what it occupies. */
static uint32_t add_kernel(const char *path)
{
	struct image k = map_file(path);
	const Elf64_Ehdr *eh = (const Elf64_Ehdr *)k.data;
	uint64_t end = 0;

	if (k.size < sizeof(*eh) || memcmp(eh->e_ident, ELFMAG, SELFMAG) ||
	    eh->e_ident[EI_CLASS] != ELFCLASS64 || eh->e_phentsize != sizeof(Elf64_Phdr) ||
	    eh->e_phoff > k.size || (k.size - eh->e_phoff) / sizeof(Elf64_Phdr) < eh->e_phnum)
		errx(1, "%s: not a 64-bit ELF kernel", path);
	header.entry = eh->e_entry;
	for (unsigned int i = 0; i < eh->e_phnum; i++) {
		const Elf64_Phdr *ph = (const Elf64_Phdr *)(k.data + eh->e_phoff) + i;

		if (ph->p_type != PT_LOAD)
			continue;
		if (ph->p_offset > k.size || k.size - ph->p_offset < ph->p_filesz ||
		    ph->p_paddr < MB || ph->p_paddr + ph->p_memsz > 1024ull * MB)
			errx(1, "%s: segment %u is out of range", path, i);
		add_extent(k.data + ph->p_offset, ph->p_filesz, ph->p_paddr);
		if (ph->p_paddr + ph->p_memsz > end)
			end = ph->p_paddr + ph->p_memsz;
	}
	return end;
}

static void put32(uint8_t *p, uint32_t v)
{
	memcpy(p, &v, sizeof(v));
}

static uint32_t get32(const uint8_t *p)
{
	uint32_t v;

	memcpy(&v, p, sizeof(v));
	return v;
}

static int make_disk(char **arg)
{
	struct image bz = map_file(arg[0]), rd = map_file(arg[2]);
	const char *cmdline = arg[3];
	uint64_t memory = strtoul(arg[4], NULL, 10) * MB, end, rd_addr;
	uint8_t params[4096] = { 0 };
	unsigned int header_end;

	if (bz.size < 0x1000 || memcmp(bz.data + 0x202, "HdrS", 4))
		errx(1, "%s: no bzImage", arg[0]);
	if (strlen(cmdline) >= CMDLINE_MAX)
		errx(1, "the kernel command line is longer than %u bytes", CMDLINE_MAX - 1);
	disk = open(arg[5], O_RDWR | O_CREAT | O_TRUNC, 0600);
	if (disk < 0)
		err(1, "%s", arg[5]);

	end = add_kernel(arg[1]);
	/* init_size covers what the kernel uses before it knows the memory map. */
	if (end < 16 * MB + (uint64_t)get32(bz.data + 0x260))
		end = 16 * MB + (uint64_t)get32(bz.data + 0x260);
	rd_addr = (end + 4 * MB - 1) & ~(2ull * MB - 1);
	if (rd_addr + rd.size + 32 * MB > memory)
		errx(1, "the initramfs is %zu MB and does not fit in %s MB: raise --mem",
		     rd.size / MB, arg[4]);
	add_extent(rd.data, rd.size, rd_addr);

	header_end = 0x202 + bz.data[0x201];
	memcpy(params + 0x1f1, bz.data + 0x1f1, header_end - 0x1f1);
	params[0x210] = 0xff;			/* type_of_loader: none registered */
	params[0x211] |= 0x01;			/* LOADED_HIGH */
	put32(params + 0x218, rd_addr);		/* ramdisk_image */
	put32(params + 0x21c, rd.size);		/* ramdisk_size */
	put32(params + 0x228, CMDLINE_ADDR);	/* cmd_line_ptr */
	add_extent(params, sizeof(params), PARAMS_ADDR);
	add_extent(cmdline, strlen(cmdline) + 1, CMDLINE_ADDR);

	header.params = PARAMS_ADDR;
	write_all(&header, sizeof(header), 0);
	if (ftruncate(disk, ((off_t)next_lba * SECTOR / CYLINDER + 1) * CYLINDER))
		err(1, "%s", arg[5]);
	printf("%u\n", (unsigned int)((off_t)next_lba * SECTOR / CYLINDER + 1));
	return 0;
}

static int set_checksum(const char *path)
{
	uint8_t rom[128 * SECTOR];
	uint8_t sum = 0;
	ssize_t size;
	int fd = open(path, O_RDWR);

	if (fd < 0)
		err(1, "%s", path);
	size = read(fd, rom, sizeof(rom));
	if (size < (ssize_t)SECTOR || size % SECTOR)
		errx(1, "%s: not a whole number of sectors", path);
	for (ssize_t i = 0; i < size - 1; i++)
		sum += rom[i];
	sum = -sum;
	if (pwrite(fd, &sum, 1, size - 1) != 1)
		err(1, "%s", path);
	return 0;
}

int main(int argc, char **argv)
{
	if (argc == 3 && !strcmp(argv[1], "--checksum"))
		return set_checksum(argv[2]);
	if (argc == 7)
		return make_disk(argv + 1);
	errx(1, "usage: bootdisk BZIMAGE VMLINUX INITRAMFS COMMAND-LINE MEMORY-MB DISK");
}
