// SPDX-License-Identifier: GPL-2.0
/*
 * The Linux boot loader: opens and checks kernel and initrd, plans their places, loads them, and
 * builds what the 64-bit entry expects: zero page, page tables, descriptor table, memory map.
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
#include "report.h"
#include "types.h"

#define E820_RAM		1
#define E820_RESERVED		2

#define LOADER_UNDEFINED	0xff	/* type_of_loader: none of the assigned numbers */
#define ENTRY_64_OFFSET		0x200

#define PTE_PRESENT		BIT_ULL(0)
#define PTE_WRITE		BIT_ULL(1)
#define PTE_LARGE		BIT_ULL(7)
#define PAGE_SIZE		4096ULL

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
	wrong = bzimage_parse(&boot->kernel, head, (size_t)n, size);
	if (wrong)
		return report("-kernel %s: %s; give a 64-bit Linux bzImage such as /boot/vmlinuz-*",
			      path, wrong);
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

static void add_e820(struct boot_params *bp, u64 start, u64 end, u32 type)
{
	struct boot_e820_entry *e = &bp->e820_table[bp->e820_entries];

	if (end <= start || bp->e820_entries == E820_MAX_ENTRIES_ZEROPAGE)
		return;
	e->addr = start;
	e->size = end - start;
	e->type = type;
	bp->e820_entries++;
}

static void fill_e820(struct boot_params *bp, const struct config *cfg)
{
	add_e820(bp, 0, LOW_RAM_END, E820_RAM);
	add_e820(bp, LOW_RAM_END, VIDEO_BASE, E820_RESERVED);
	add_e820(bp, ACPI_BASE, ACPI_BASE + ACPI_SIZE, E820_RESERVED);
	add_e820(bp, HIGH_MEM_BASE, low_ram_end(cfg), E820_RAM);
	add_e820(bp, KVM_IDENTITY_MAP_BASE, KVM_TSS_BASE + 3 * PAGE_SIZE, E820_RESERVED);
	if (cfg->mem_size > RAM_LOW_MAX)
		add_e820(bp, RAM_HIGH_BASE, RAM_HIGH_BASE + (cfg->mem_size - RAM_LOW_MAX),
			 E820_RAM);
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

int boot_load(const struct boot_source *boot, const struct guest_mem *mem)
{
	const struct config *cfg = boot->cfg;
	gpa_t rsdp;

	if (load_file(mem, cfg->kernel, boot->kernel_fd, boot->kernel.payload_offset,
		      boot->kernel_gpa, boot->kernel.payload_size))
		return -1;
	if (boot->initrd_size &&
	    load_file(mem, cfg->initrd, boot->initrd_fd, 0, boot->initrd_gpa, boot->initrd_size))
		return -1;
	if (acpi_write(mem, cfg->nr_vcpus, cfg->serial, cfg->nr_serials, &rsdp))
		return -1;
	if (guest_mem_write(mem, BOOT_CMDLINE_GPA, cfg->append, strlen(cfg->append) + 1) ||
	    write_page_tables(mem) || write_gdt(mem) || write_boot_params(boot, mem, rsdp))
		return report("guest memory is too small for the boot tables");
	return 0;
}
