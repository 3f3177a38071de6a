// SPDX-License-Identifier: GPL-2.0
/*
 * Reads symbols and looks them up. See symbols.h.
 */
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "inspect/symbols.h"
#include "report.h"

#define MAX_SYMBOLS	4000000u	/* a large kernel has 200000 */
#define MAX_NAME	255u
#define MAX_DISTANCE	0x100000u	/* no function is larger */

static int add(struct symbols *s, u64 address, const char *name, size_t len)
{
	void *grown;

	if (!len || len > MAX_NAME || s->nr == MAX_SYMBOLS)
		return 0;
	if (!(s->nr & (s->nr - 1))) {
		grown = realloc(s->list, 2 * (s->nr + 1) * sizeof(*s->list));
		if (!grown)
			return report("out of memory");
		s->list = grown;
	}
	/* In steps, so that not every name moves all of them. */
	if (!s->names || (s->names_len ^ (s->names_len + len + 1)) >> 16) {
		grown = realloc(s->names, (s->names_len & ~(size_t)0xffff) + 0x20000);
		if (!grown)
			return report("out of memory");
		s->names = grown;
	}
	s->list[s->nr++] = (struct symbol){ .address = address, .name = s->names_len };
	memcpy(s->names + s->names_len, name, len);
	s->names_len += len;
	s->names[s->names_len++] = '\0';
	return 0;
}

/* ---- System.map ------------------------------------------------------------------------------ */

static int load_map(struct symbols *s, const char *path)
{
	char line[512], name[MAX_NAME + 1], type;
	unsigned long nr = 0;
	FILE *f = fopen(path, "re");
	int err = 0;
	u64 address;

	if (!f)
		return report("%s: %s", path, strerror(errno));
	while (!err && fgets(line, sizeof(line), f)) {
		nr++;
		if (sscanf(line, "%" SCNx64 " %c %255s", (uint64_t *)&address, &type, name) != 3) {
			err = report("%s: line %lu is not \"ADDRESS TYPE NAME\"; --symbols wants a "
				     "vmlinux or a System.map", path, nr);
			break;
		}
		if (strchr("tTwW", type))
			err = add(s, address, name, strlen(name));
	}
	if (!err && ferror(f))
		err = report("%s: %s", path, strerror(errno));
	fclose(f);
	return err;
}

/* ---- ELF ------------------------------------------------------------------------------------- */

static bool is_code(Elf *elf, const GElf_Sym *sym)
{
	GElf_Shdr shdr;
	Elf_Scn *scn;

	if (GELF_ST_TYPE(sym->st_info) == STT_FUNC)
		return true;
	if (GELF_ST_TYPE(sym->st_info) != STT_NOTYPE || sym->st_shndx == SHN_UNDEF ||
	    sym->st_shndx >= SHN_LORESERVE)
		return false;
	scn = elf_getscn(elf, sym->st_shndx);
	return scn && gelf_getshdr(scn, &shdr) && (shdr.sh_flags & SHF_EXECINSTR);
}

static int load_table(struct symbols *s, Elf *elf, Elf_Scn *scn, const GElf_Shdr *shdr)
{
	Elf_Data *data = elf_getdata(scn, NULL);
	size_t i, nr = shdr->sh_entsize ? shdr->sh_size / shdr->sh_entsize : 0;
	const char *name;
	GElf_Sym sym;

	for (i = 0; data && i < nr && i <= INT32_MAX; i++) {
		if (!gelf_getsym(data, (int)i, &sym))
			break;
		if (!sym.st_value || !is_code(elf, &sym))
			continue;
		name = elf_strptr(elf, shdr->sh_link, sym.st_name);
		if (name && add(s, sym.st_value, name, strlen(name)))
			return -1;
	}
	return 0;
}

static int load_elf(struct symbols *s, const char *path, int fd)
{
	Elf_Scn *scn = NULL;
	GElf_Shdr shdr;
	int err = 0;
	Elf *elf;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return report("libelf is too old");
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF) {
		err = report("%s: %s", path, elf ? "not an ELF file" : elf_errmsg(-1));
		elf_end(elf);
		return err;
	}
	while (!err && (scn = elf_nextscn(elf, scn))) {
		if (gelf_getshdr(scn, &shdr) && shdr.sh_type == SHT_SYMTAB)
			err = load_table(s, elf, scn, &shdr);
	}
	elf_end(elf);
	return err;
}

/* ---- both ------------------------------------------------------------------------------------ */

static int by_address(const void *a, const void *b)
{
	const struct symbol *one = a, *other = b;

	if (one->address != other->address)
		return one->address < other->address ? -1 : 1;
	/* Of several at one place the one that came first. */
	return one->name < other->name ? -1 : one->name > other->name;
}

static void sort(struct symbols *s)
{
	size_t i, kept = 0;

	if (!s->nr)
		return;
	qsort(s->list, s->nr, sizeof(*s->list), by_address);
	for (i = 1; i < s->nr; i++) {
		if (s->list[i].address != s->list[kept].address)
			s->list[++kept] = s->list[i];
	}
	s->nr = kept + 1;
}

int symbols_load(struct symbols *s, const char *path)
{
	unsigned char magic[SELFMAG];
	struct stat st;
	ssize_t n;
	int fd, err;

	memset(s, 0, sizeof(*s));
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return report("%s: %s", path, strerror(errno));
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return report("%s is no file", path);
	}
	n = pread(fd, magic, sizeof(magic), 0);
	if (n == SELFMAG && !memcmp(magic, ELFMAG, SELFMAG))
		err = load_elf(s, path, fd);
	else
		err = load_map(s, path);
	close(fd);
	if (err)
		return -1;
	sort(s);
	if (s->nr == 1 && !s->list[0].address)
		return report("%s has only zeros for addresses: /proc/kallsyms shows them to root",
			      path);
	return s->nr ? 0 : report("%s has no symbols of code", path);
}

void symbols_free(struct symbols *s)
{
	free(s->list);
	free(s->names);
	memset(s, 0, sizeof(*s));
}

const char *symbols_find(const struct symbols *s, u64 address)
{
	size_t low = 0, high = s->nr, mid;

	address -= s->shift;
	while (low < high) {
		mid = low + (high - low) / 2;
		if (s->list[mid].address <= address)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || address - s->list[low - 1].address > MAX_DISTANCE)
		return NULL;
	return s->names + s->list[low - 1].name;
}

u64 symbols_address(const struct symbols *s, const char *name)
{
	size_t i;

	for (i = 0; i < s->nr; i++) {
		if (!strcmp(s->names + s->list[i].name, name))
			return s->list[i].address;
	}
	return 0;
}
