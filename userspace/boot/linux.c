// SPDX-License-Identifier: GPL-2.0
/*
 * The boot loader: opens and checks kernel and initrd, plans their places, loads them, and builds
 * what the 64-bit entry of Linux expects: zero page, page tables, descriptor table, memory map.
 *
 * Source: Linux Documentation/arch/x86/boot.rst, "64-bit Boot Protocol"; zero-page.rst.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <asm/bootparam.h>

#include "boot/acpi.h"
#include "boot/linux.h"
#include "boot/pvh.h"
#include "report.h"
#include "types.h"

#define E820_RAM		1
#define E820_RESERVED		2

#define LOADER_UNDEFINED	0xff	/* type_of_loader: none of the assigned numbers */
#define ENTRY_64_OFFSET		0x200
#define BOOT_FLAG		0xaa55
#define HEADER_MAGIC		0x53726448	/* "HdrS" */

#define PTE_PRESENT		BIT_ULL(0)
#define PTE_WRITE		BIT_ULL(1)
#define PTE_LARGE		BIT_ULL(7)
#define PAGE_SIZE		4096ULL

/* COMMAND_LINE_SIZE of x86 Linux, without the zero; an ELF file does not say. */
#define ELF_CMDLINE_MAX		2047

static u64 low_ram_end(const struct config *cfg)
{
	return cfg->mem_size < RAM_LOW_MAX ? cfg->mem_size : RAM_LOW_MAX;
}

/* Open a regular file for reading. Return the descriptor, or -1 after a report. */
static int open_file(const char *option, const char *path, u64 *size)
{
	struct stat st;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return report("%s %s: cannot open it: %s", option, path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return report("%s %s: is not a regular file", option, path);
	}
	*size = (u64)st.st_size;
	return fd;
}

/* An ELF file says where it goes; the rest is what Linux has everywhere. */
static const char *open_elf(struct boot_source *boot, u64 size)
{
	const char *wrong = elf_parse(&boot->elf, boot->kernel_fd, size);

	if (wrong)
		return wrong;
	boot->protocol = boot->elf.pvh ? BOOT_PVH : BOOT_LINUX64;
	boot->entry = boot->elf.pvh ? boot->elf.pvh_entry : boot->elf.entry;
	boot->kernel.pref_address = boot->elf.start & ~(PAGE_SIZE - 1);
	boot->kernel.init_size = boot->elf.end - boot->kernel.pref_address;
	boot->kernel.cmdline_max = ELF_CMDLINE_MAX;
	boot->kernel.initrd_max = UINT32_MAX;
	return NULL;
}

static int open_kernel(struct boot_source *boot)
{
	u8 head[BZIMAGE_HEAD_SIZE];
	const char *path = boot->cfg->kernel, *wrong;
	u64 size;
	ssize_t n;

	boot->kernel_fd = open_file("-kernel", path, &size);
	if (boot->kernel_fd < 0)
		return -1;
	n = pread(boot->kernel_fd, head, sizeof(head), 0);
	if (n < 0)
		return report("-kernel %s: cannot read it: %s", path, strerror(errno));
	if (elf_is_elf(head, (size_t)n))
		wrong = open_elf(boot, size);
	else
		wrong = bzimage_parse(&boot->kernel, head, (size_t)n, size);
	if (wrong)
		return report("-kernel %s: %s; give a 64-bit Linux bzImage such as /boot/vmlinuz-*, "
			      "or an ELF file", path, wrong);
	return 0;
}

/* Decide the addresses. The kernel gets the one it prefers, the initrd the top of low memory. */
static int plan(struct boot_source *boot)
{
	const struct config *cfg = boot->cfg;
	u64 end = low_ram_end(cfg), kernel_end, need;
	size_t cmdline_len = strlen(cfg->append);
	u64 cmdline_max = boot->kernel.cmdline_max;

	if (cmdline_max > BOOT_CMDLINE_MAX - 1)
		cmdline_max = BOOT_CMDLINE_MAX - 1;
	if (cmdline_len > cmdline_max)
		return report("-append: command line of %zu characters; this kernel takes %llu",
			      cmdline_len, cmdline_max);

	boot->kernel_gpa = boot->kernel.pref_address;
	if (boot->kernel_gpa < HIGH_MEM_BASE || boot->kernel_gpa >= RAM_LOW_MAX ||
	    boot->kernel_gpa % PAGE_SIZE || boot->kernel.init_size > RAM_LOW_MAX - boot->kernel_gpa)
		return report("-kernel %s: wants 0x%llx bytes at 0x%llx, which cannot be",
			      cfg->kernel, boot->kernel.init_size, boot->kernel_gpa);
	if (!boot->elf.nr_segments)
		boot->entry = boot->kernel_gpa + ENTRY_64_OFFSET;
	kernel_end = boot->kernel_gpa + boot->kernel.init_size;
	need = (kernel_end + MIB - 1) / MIB;
	if (kernel_end > end)
		return report("-m: %llu MiB is too little for this kernel; give %llu",
			      cfg->mem_size / MIB, need);
	if (!boot->initrd_size)
		return 0;

	if (end > boot->kernel.initrd_max)
		end = boot->kernel.initrd_max + 1;
	need = (kernel_end + boot->initrd_size + PAGE_SIZE + MIB - 1) / MIB;
	if (boot->initrd_size > end ||
	    ((end - boot->initrd_size) & ~(PAGE_SIZE - 1)) < kernel_end) {
		if (need * MIB > RAM_LOW_MAX || need * MIB > boot->kernel.initrd_max)
			return report("-initrd %s: %llu MiB is too large for this kernel",
				      cfg->initrd, boot->initrd_size / MIB);
		return report("-m: %llu MiB is too little for kernel and initrd; give %llu",
			      cfg->mem_size / MIB, need);
	}
	boot->initrd_gpa = (end - boot->initrd_size) & ~(PAGE_SIZE - 1);
	return 0;
}

int boot_open(struct boot_source *boot, const struct config *cfg)
{
	memset(boot, 0, sizeof(*boot));
	boot->cfg = cfg;
	boot->kernel_fd = -1;
	boot->initrd_fd = -1;
	if (open_kernel(boot))
		return -1;
	if (cfg->initrd) {
		boot->initrd_fd = open_file("-initrd", cfg->initrd, &boot->initrd_size);
		if (boot->initrd_fd < 0)
			return -1;
		if (!boot->initrd_size)
			return report("-initrd %s: is empty", cfg->initrd);
	}
	return plan(boot);
}

void boot_close(struct boot_source *boot)
{
	if (boot->kernel_fd >= 0)
		close(boot->kernel_fd);
	if (boot->initrd_fd >= 0)
		close(boot->initrd_fd);
	boot->kernel_fd = -1;
	boot->initrd_fd = -1;
}

/* Read [offset, offset + size) of a file straight into guest RAM. */
static int load_file(const struct guest_mem *mem, const char *path, int fd, u64 offset, gpa_t gpa,
		     u64 size)
{
	struct iovec iov;
	u64 done = 0;

	if (guest_mem_iov(mem, gpa, size, &iov))
		return report("%s: does not fit into guest memory", path);
	while (done < size) {
		ssize_t n =
			pread(fd, (u8 *)iov.iov_base + done, size - done, (off_t)(offset + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return report("%s: cannot read it: %s", path, strerror(errno));
		if (n == 0)
			return report("%s: became shorter while it was read", path);
		done += (u64)n;
	}
	return 0;
}

/* Identity map of the first 4 GiB in 2 MiB pages: one PML4, one PDPT, four page directories. */
static int write_page_tables(const struct guest_mem *mem)
{
	u64 table[512] = { 0 };
	gpa_t pdpt = BOOT_PML4_GPA + PAGE_SIZE, pd = pdpt + PAGE_SIZE;
	unsigned int i, j;
	int ret = 0;

	table[0] = pdpt | PTE_PRESENT | PTE_WRITE;
	ret |= guest_mem_write(mem, BOOT_PML4_GPA, table, sizeof(table));
	for (i = 0; i < 4; i++)
		table[i] = (pd + i * PAGE_SIZE) | PTE_PRESENT | PTE_WRITE;
	ret |= guest_mem_write(mem, pdpt, table, sizeof(table));
	for (i = 0; i < 4; i++) {
		for (j = 0; j < 512; j++)
			table[j] = (i * GIB + j * 2 * MIB) | PTE_PRESENT | PTE_WRITE | PTE_LARGE;
		ret |= guest_mem_write(mem, pd + i * PAGE_SIZE, table, sizeof(table));
	}
	return ret;
}

/* Flat 64-bit code at BOOT_CS, flat data at BOOT_DS, accessed bits set. */
static int write_gdt(const struct guest_mem *mem)
{
	const u64 gdt[BOOT_GDT_SIZE / 8] = { 0, 0, 0x00af9b000000ffffULL, 0x00cf93000000ffffULL };

	return guest_mem_write(mem, BOOT_GDT_GPA, gdt, sizeof(gdt));
}

static void add_range(struct boot_range *range, unsigned int *nr, u64 start, u64 end, u32 type)
{
	if (end > start)
		range[(*nr)++] = (struct boot_range){ .start = start, .end = end, .type = type };
}

unsigned int boot_memory_map(const struct config *cfg, struct boot_range *range)
{
	unsigned int nr = 0;

	add_range(range, &nr, 0, LOW_RAM_END, E820_RAM);
	add_range(range, &nr, LOW_RAM_END, VIDEO_BASE, E820_RESERVED);
	add_range(range, &nr, ACPI_BASE, ACPI_BASE + ACPI_SIZE, E820_RESERVED);
	add_range(range, &nr, HIGH_MEM_BASE, low_ram_end(cfg), E820_RAM);
	add_range(range, &nr, KVM_IDENTITY_MAP_BASE, KVM_TSS_BASE + 3 * PAGE_SIZE, E820_RESERVED);
	if (cfg->mem_size > RAM_LOW_MAX)
		add_range(range, &nr, RAM_HIGH_BASE,
			  RAM_HIGH_BASE + (cfg->mem_size - RAM_LOW_MAX), E820_RAM);
	return nr;
}

static void fill_e820(struct boot_params *bp, const struct config *cfg)
{
	struct boot_range range[BOOT_MAX_RANGES];
	unsigned int nr = boot_memory_map(cfg, range), i;

	for (i = 0; i < nr; i++) {
		bp->e820_table[i].addr = range[i].start;
		bp->e820_table[i].size = range[i].end - range[i].start;
		bp->e820_table[i].type = range[i].type;
	}
	bp->e820_entries = (u8)nr;
}

static int write_boot_params(const struct boot_source *boot, const struct guest_mem *mem,
			     gpa_t rsdp)
{
	struct boot_params bp;

	static_assert(sizeof(bp) == 4096, "the zero page is one page");
	static_assert(offsetof(struct boot_params, hdr) == BZIMAGE_HEADER_OFFSET,
		      "setup header in the zero page");
	memset(&bp, 0, sizeof(bp));
	memcpy((u8 *)&bp + BZIMAGE_HEADER_OFFSET, boot->kernel.header, boot->kernel.header_size);
	bp.hdr.boot_flag = BOOT_FLAG;
	bp.hdr.header = HEADER_MAGIC;
	bp.hdr.type_of_loader = LOADER_UNDEFINED;
	bp.hdr.loadflags &= (u8)~CAN_USE_HEAP;
	bp.hdr.code32_start = (u32)boot->kernel_gpa;
	bp.hdr.cmd_line_ptr = BOOT_CMDLINE_GPA;
	bp.hdr.ramdisk_image = (u32)boot->initrd_gpa;
	bp.hdr.ramdisk_size = (u32)boot->initrd_size;
	bp.hdr.setup_data = 0;
	bp.acpi_rsdp_addr = rsdp;
	bp.alt_mem_k = (u32)((low_ram_end(boot->cfg) - HIGH_MEM_BASE) / KIB);
	fill_e820(&bp, boot->cfg);
	return guest_mem_write(mem, BOOT_PARAMS_GPA, &bp, sizeof(bp));
}

static int load_elf(const struct boot_source *boot, const struct guest_mem *mem)
{
	const char *path = boot->cfg->kernel;
	unsigned int i;

	for (i = 0; i < boot->elf.nr_segments; i++) {
		const struct elf_segment *s = &boot->elf.segment[i];
		u64 rest = s->mem_size - s->file_size;

		if (s->file_size && load_file(mem, path, boot->kernel_fd, s->offset, s->gpa,
					      s->file_size))
			return -1;
		/* After a guest reset the old contents are still there. */
		if (rest && guest_mem_zero(mem, s->gpa + s->file_size, rest))
			return report("%s: does not fit into guest memory", path);
	}
	return 0;
}

static int load_kernel(const struct boot_source *boot, const struct guest_mem *mem)
{
	if (boot->elf.nr_segments)
		return load_elf(boot, mem);
	return load_file(mem, boot->cfg->kernel, boot->kernel_fd, boot->kernel.payload_offset,
			 boot->kernel_gpa, boot->kernel.payload_size);
}

/* What the kernel finds in memory besides itself. */
static int write_tables(const struct boot_source *boot, const struct guest_mem *mem, gpa_t rsdp)
{
	if (guest_mem_write(mem, BOOT_CMDLINE_GPA, boot->cfg->append,
			    strlen(boot->cfg->append) + 1))
		return -1;
	if (boot->protocol == BOOT_PVH)
		return pvh_write(boot, mem, rsdp);
	return write_page_tables(mem) || write_gdt(mem) || write_boot_params(boot, mem, rsdp);
}

int boot_load(const struct boot_source *boot, const struct guest_mem *mem)
{
	const struct config *cfg = boot->cfg;
	gpa_t rsdp;

	if (load_kernel(boot, mem))
		return -1;
	if (boot->initrd_size &&
	    load_file(mem, cfg->initrd, boot->initrd_fd, 0, boot->initrd_gpa, boot->initrd_size))
		return -1;
	if (acpi_write(mem, cfg->nr_vcpus, cfg->serial, cfg->nr_serials, &rsdp))
		return -1;
	if (write_tables(boot, mem, rsdp))
		return report("guest memory is too small for the boot tables");
	return 0;
}
