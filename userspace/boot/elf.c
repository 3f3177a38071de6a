// SPDX-License-Identifier: GPL-2.0
/*
 * ELF headers: which pieces of the file go where, and where it is entered.
 *
 * Sources: System V Application Binary Interface, "Object Files"; Xen
 * public/elfnote.h, "XEN_ELFNOTE_PHYS32_ENTRY".
 */
#include <elf.h>
#include <string.h>
#include <unistd.h>

#include "boot/elf.h"
#include "layout.h"
#include "types.h"

#define MAX_HEADERS		64
#define MAX_NOTES		(64 * KIB)
#define NOTE_PHYS32_ENTRY	18

bool elf_is_elf(const u8 *head, size_t size)
{
	return size >= SELFMAG && !memcmp(head, ELFMAG, SELFMAG);
}

static bool read_at(int fd, u64 offset, void *buf, size_t len)
{
	return pread(fd, buf, len, (off_t)offset) == (ssize_t)len;
}

/* Does [@offset, @offset + @len) lie in a file or piece of @size bytes? */
static bool within(u64 offset, u64 len, u64 size)
{
	return offset <= size && len <= size - offset;
}

static const char *check_header(const Elf64_Ehdr *h)
{
	if (h->e_ident[EI_CLASS] != ELFCLASS64 || h->e_ident[EI_DATA] != ELFDATA2LSB ||
	    h->e_machine != EM_X86_64)
		return "is an ELF file, but not for x86-64";
	if (h->e_type != ET_EXEC)
		return "is an ELF file, but no executable at a fixed address";
	if (h->e_phentsize != sizeof(Elf64_Phdr) || !h->e_phnum || h->e_phnum > MAX_HEADERS)
		return "is an ELF file with malformed program headers";
	return NULL;
}

static const char *add_segment(struct elf_kernel *elf, const Elf64_Phdr *p, u64 file_size)
{
	if (!p->p_memsz)
		return NULL;
	if (elf->nr_segments == ELF_MAX_SEGMENTS)
		return "is an ELF file with too many segments";
	if (!within(p->p_offset, p->p_filesz, file_size))
		return "is truncated";
	if (p->p_filesz > p->p_memsz)
		return "is an ELF file with a malformed segment";
	if (p->p_paddr < HIGH_MEM_BASE || p->p_paddr >= RAM_LOW_MAX ||
	    p->p_memsz > RAM_LOW_MAX - p->p_paddr)
		return "is an ELF file that wants to be below 1 MiB or above 3 GiB";
	elf->segment[elf->nr_segments++] = (struct elf_segment){
		.offset = p->p_offset, .file_size = p->p_filesz,
		.gpa = p->p_paddr, .mem_size = p->p_memsz,
	};
	if (elf->nr_segments == 1 || p->p_paddr < elf->start)
		elf->start = p->p_paddr;
	if (p->p_paddr + p->p_memsz > elf->end)
		elf->end = p->p_paddr + p->p_memsz;
	return NULL;
}

/* Look for the PVH entry point in the notes. Malformed notes end the search. */
static void read_notes(struct elf_kernel *elf, int fd, const Elf64_Phdr *p, u64 file_size)
{
	u64 size = p->p_filesz < MAX_NOTES ? p->p_filesz : MAX_NOTES, at = 0;
	u64 align = p->p_align == 8 ? 8 : 4, desc, next;
	Elf64_Nhdr n;
	char name[4];
	u32 entry;

	if (!within(p->p_offset, size, file_size))
		return;
	while (within(at, sizeof(n), size) && read_at(fd, p->p_offset + at, &n, sizeof(n))) {
		desc = (at + sizeof(n) + n.n_namesz + align - 1) & ~(align - 1);
		next = (desc + n.n_descsz + align - 1) & ~(align - 1);
		/* Sizes are 32 bits, so that no sum can wrap. */
		if (desc > size || n.n_descsz > size - desc)
			return;
		if (n.n_type == NOTE_PHYS32_ENTRY && n.n_namesz == sizeof(name) &&
		    n.n_descsz >= sizeof(entry) &&
		    read_at(fd, p->p_offset + at + sizeof(n), name, sizeof(name)) &&
		    !memcmp(name, "Xen", sizeof(name)) &&
		    read_at(fd, p->p_offset + desc, &entry, sizeof(entry))) {
			elf->pvh = true;
			elf->pvh_entry = entry;
			return;
		}
		at = next;
	}
}

static bool is_loaded(const struct elf_kernel *elf, u64 gpa)
{
	unsigned int i;

	for (i = 0; i < elf->nr_segments; i++) {
		const struct elf_segment *s = &elf->segment[i];

		if (gpa >= s->gpa && gpa - s->gpa < s->file_size)
			return true;
	}
	return false;
}

const char *elf_parse(struct elf_kernel *elf, int fd, u64 file_size)
{
	Elf64_Ehdr h;
	Elf64_Phdr p;
	const char *wrong;
	unsigned int i;

	memset(elf, 0, sizeof(*elf));
	if (!read_at(fd, 0, &h, sizeof(h)))
		return "is truncated";
	wrong = check_header(&h);
	if (wrong)
		return wrong;
	if (!within(h.e_phoff, (u64)h.e_phnum * sizeof(p), file_size))
		return "is truncated";
	for (i = 0; i < h.e_phnum; i++) {
		if (!read_at(fd, h.e_phoff + i * sizeof(p), &p, sizeof(p)))
			return "is truncated";
		if (p.p_type == PT_LOAD)
			wrong = add_segment(elf, &p, file_size);
		else if (p.p_type == PT_NOTE && !elf->pvh)
			read_notes(elf, fd, &p, file_size);
		if (wrong)
			return wrong;
	}
	elf->entry = h.e_entry;
	if (!is_loaded(elf, elf->pvh ? elf->pvh_entry : elf->entry))
		return "is an ELF file whose entry point is not in it";
	return NULL;
}
