// SPDX-License-Identifier: GPL-2.0
/*
 * PVH start info: command line, initrd, ACPI tables and memory map.
 *
 * Source: Xen public/arch-x86/hvm/start_info.h, version 1.
 */
#include <string.h>

#include "boot/pvh.h"
#include "layout.h"
#include "types.h"

#define START_MAGIC	0x336ec578
#define START_VERSION	1

struct start_info {
	u32 magic;
	u32 version;
	u32 flags;
	u32 nr_modules;
	u64 modlist;
	u64 cmdline;
	u64 rsdp;
	u64 memmap;
	u32 memmap_entries;
	u32 reserved;
};

struct start_module {
	u64 paddr;
	u64 size;
	u64 cmdline;
	u64 reserved;
};

struct start_memmap {
	u64 addr;
	u64 size;
	u32 type;	/* as in an E820 map */
	u32 reserved;
};

static_assert(sizeof(struct start_info) == 56, "hvm_start_info, version 1");
static_assert(sizeof(struct start_module) == 32, "hvm_modlist_entry");
static_assert(sizeof(struct start_memmap) == 24, "hvm_memmap_table_entry");

/* All of it, in one page. */
struct start_page {
	struct start_info info;
	struct start_module module;
	struct start_memmap memmap[BOOT_MAX_RANGES];
};

static_assert(sizeof(struct start_page) <= 4096, "the start info has a page");

int pvh_write(const struct boot_source *boot, const struct guest_mem *mem, gpa_t rsdp)
{
	struct boot_range range[BOOT_MAX_RANGES];
	unsigned int nr = boot_memory_map(boot->cfg, range), i;
	struct start_page page;

	memset(&page, 0, sizeof(page));
	page.info.magic = START_MAGIC;
	page.info.version = START_VERSION;
	page.info.cmdline = BOOT_CMDLINE_GPA;
	page.info.rsdp = rsdp;
	page.info.memmap = BOOT_PARAMS_GPA + offsetof(struct start_page, memmap);
	page.info.memmap_entries = nr;
	for (i = 0; i < nr; i++)
		page.memmap[i] = (struct start_memmap){
			.addr = range[i].start,
			.size = range[i].end - range[i].start,
			.type = range[i].type,
		};
	if (boot->initrd_size) {
		page.info.nr_modules = 1;
		page.info.modlist = BOOT_PARAMS_GPA + offsetof(struct start_page, module);
		page.module.paddr = boot->initrd_gpa;
		page.module.size = boot->initrd_size;
	}
	return guest_mem_write(mem, BOOT_PARAMS_GPA, &page, sizeof(page));
}
