// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the ELF loader's parser: what a good file yields, and that no header, however
 * it is made, yields a piece outside the file or outside the memory it may take.
 */
#include <elf.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "boot/elf.h"
#include "layout.h"
#include "tap.h"

#define FILE_SIZE	0x3000ULL
#define BASE		0x1000000ULL

static struct {
	Elf64_Ehdr h;
	Elf64_Phdr p[3];
	u8 rest[FILE_SIZE - sizeof(Elf64_Ehdr) - 3 * sizeof(Elf64_Phdr)];
} image;
static struct elf_kernel elf;
static int fd;

/* Two pieces, the second with a part that is zero, and one note: the PVH entry point. */
static void set_up(void)
{
	static const struct {
		Elf64_Nhdr n;
		char name[4];
		u64 entry;
	} note = { { 4, 8, 18 }, "Xen", BASE + 0x20 };

	memset(&image, 0, sizeof(image));
	memcpy(image.h.e_ident, ELFMAG, SELFMAG);
	image.h.e_ident[EI_CLASS] = ELFCLASS64;
	image.h.e_ident[EI_DATA] = ELFDATA2LSB;
	image.h.e_machine = EM_X86_64;
	image.h.e_type = ET_EXEC;
	image.h.e_entry = BASE + 0x10;
	image.h.e_phoff = sizeof(image.h);
	image.h.e_phentsize = sizeof(Elf64_Phdr);
	image.h.e_phnum = 3;
	image.p[0] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = 0x1000, .p_paddr = BASE,
				   .p_filesz = 0x1000, .p_memsz = 0x1000 };
	image.p[1] = (Elf64_Phdr){ .p_type = PT_LOAD, .p_offset = 0x2000, .p_paddr = BASE + 0x4000,
				   .p_filesz = 0x800, .p_memsz = 0x2000 };
	image.p[2] = (Elf64_Phdr){ .p_type = PT_NOTE, .p_offset = 0x400, .p_align = 4,
				   .p_filesz = sizeof(note) };
	memcpy((u8 *)&image + 0x400, &note, sizeof(note));
}

static const char *parse(void)
{
	if (ftruncate(fd, 0) || pwrite(fd, &image, sizeof(image), 0) != sizeof(image))
		tap_bail("no file");
	return elf_parse(&elf, fd, sizeof(image));
}

static void refused(const char *what, const char *text)
{
	const char *wrong = parse();

	tap_ok(wrong && strstr(wrong, text), "%s is refused (%s)", what, wrong ? wrong : "no");
	set_up();
}

static void test_good(void)
{
	set_up();
	tap_ok(!parse() && elf.nr_segments == 2 && elf.start == BASE && elf.end == BASE + 0x6000,
	       "a good file");
	tap_ok(elf.entry == BASE + 0x10 && elf.pvh && elf.pvh_entry == BASE + 0x20,
	       "both entry points");
	image.p[2].p_type = PT_NULL;
	tap_ok(!parse() && !elf.pvh, "without the note it has one");
	set_up();
	((Elf64_Nhdr *)((u8 *)&image + 0x400))->n_type = 17;
	tap_ok(!parse() && !elf.pvh, "so it has with another note");
	set_up();
	image.p[0].p_filesz = 0;
	image.p[0].p_memsz = 0;
	image.h.e_entry = image.p[1].p_paddr;
	image.p[2].p_type = PT_NULL;
	tap_ok(!parse() && elf.nr_segments == 1, "an empty piece is left out");
	set_up();
}

static void test_bad(void)
{
	image.h.e_ident[EI_CLASS] = ELFCLASS32;
	refused("a 32-bit file", "not for x86-64");
	image.h.e_machine = EM_AARCH64;
	refused("another machine's", "not for x86-64");
	image.h.e_type = ET_DYN;
	refused("a shared object", "fixed address");
	image.h.e_phnum = 0;
	refused("no program headers", "malformed");
	image.h.e_phnum = 65535;
	refused("65535 program headers", "malformed");
	image.h.e_phentsize = 1;
	refused("tiny program headers", "malformed");
	image.h.e_phoff = UINT64_MAX - 8;
	refused("headers at the end of the world", "truncated");
	image.h.e_phoff = FILE_SIZE - 8;
	refused("headers across the end", "truncated");
	image.p[0].p_offset = FILE_SIZE;
	refused("a piece behind the end", "truncated");
	image.p[0].p_offset = UINT64_MAX;
	refused("an offset that wraps", "truncated");
	image.p[0].p_filesz = 0x1001;
	refused("more file than memory", "malformed segment");
	image.p[0].p_paddr = 0;
	refused("a piece in the first megabyte", "below 1 MiB");
	image.p[0].p_paddr = RAM_LOW_MAX - 1;
	refused("a piece across the end of low memory", "above 3 GiB");
	image.p[0].p_paddr = UINT64_MAX;
	refused("an address that wraps", "above 3 GiB");
	image.p[0].p_memsz = UINT64_MAX;
	refused("a size that wraps", "above 3 GiB");
	image.p[2].p_type = PT_NULL;
	image.h.e_entry = BASE + 0x1000;
	refused("an entry point between the pieces", "entry point");
	image.p[0].p_type = PT_NULL;
	image.p[1].p_type = PT_NULL;
	refused("nothing to load", "entry point");
}

/* Notes whose sizes lie end the search; the walk stays in the segment. */
static void test_notes(void)
{
	Elf64_Nhdr *n = (Elf64_Nhdr *)((u8 *)&image + 0x400);

	n->n_namesz = UINT32_MAX;
	tap_ok(!parse() && !elf.pvh, "a note with a huge name");
	set_up();
	n->n_descsz = UINT32_MAX;
	tap_ok(!parse() && !elf.pvh, "a note with a huge descriptor");
	set_up();
	n->n_descsz = 3;
	tap_ok(!parse() && !elf.pvh, "an entry point of three bytes");
	set_up();
	image.p[2].p_offset = UINT64_MAX;
	tap_ok(!parse() && !elf.pvh, "notes outside the file");
	set_up();
	image.p[2].p_filesz = UINT64_MAX;
	tap_ok(!parse() && !elf.pvh, "more notes than file");
	set_up();
	*(u64 *)((u8 *)&image + 0x410) = BASE + 0x4000 + 0x800;
	refused("a PVH entry point in what is zero", "entry point");
}

/* Random bytes over headers and notes: what is accepted lies where it must. */
static void test_random(void)
{
	unsigned int accepted = 0, wrong = 0, i, j, k;

	srand(1);
	for (i = 0; i < 3000; i++) {
		set_up();
		for (j = (unsigned int)rand() % 4; j < 4; j++)
			((u8 *)&image)[16 + (unsigned int)rand() % 0x420] = (u8)rand();
		if (parse())
			continue;
		accepted++;
		for (k = 0; k < elf.nr_segments; k++) {
			const struct elf_segment *s = &elf.segment[k];

			wrong += s->offset > FILE_SIZE || s->file_size > FILE_SIZE - s->offset ||
				 s->file_size > s->mem_size || s->gpa < HIGH_MEM_BASE ||
				 s->gpa + s->mem_size > RAM_LOW_MAX || s->gpa < elf.start ||
				 s->gpa + s->mem_size > elf.end;
		}
	}
	tap_ok(accepted > 100 && !wrong, "of 3000 damaged files %u are accepted, none wrongly",
	       accepted);
}

int main(void)
{
	tap_plan(0);
	fd = memfd_create("elf", 0);
	if (fd < 0)
		tap_bail("no file");
	test_good();
	test_bad();
	test_notes();
	test_random();
	tap_ok(elf_parse(&elf, fd, 10) != NULL, "a file of 10 bytes");
	if (ftruncate(fd, 10))
		tap_bail("no file");
	tap_ok(elf_parse(&elf, fd, FILE_SIZE) != NULL, "a file that became shorter");
	return tap_done();
}
