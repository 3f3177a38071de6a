/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names for the guest kernel's addresses, from its vmlinux or System.map.
 */
#ifndef MKVM_INSPECT_SYMBOLS_H
#define MKVM_INSPECT_SYMBOLS_H

#include "types.h"

/**
 * struct symbol - where something begins
 * @address: as linked
 * @name: offset in struct symbols' @names
 */
struct symbol {
	u64 address;
	size_t name;
};

/**
 * struct symbols - those of one kernel
 * @list: @nr: by ascending address, one for each
 * @names: @names_len: all names, each terminated
 * @shift: how much further up the guest has it than it was linked (KASLR)
 */
struct symbols {
	struct symbol *list;
	size_t nr;
	char *names;
	size_t names_len;
	u64 shift;
};

/**
 * symbols_load() - read a file
 * @s: filled in; symbols_free() is due whatever the result
 * @path: an ELF file, or lines "ADDRESS TYPE NAME" like those of System.map; not trusted
 *
 * Only what lies in code counts: types t, T, w and W; of ELF symbols, functions and those without a
 * type in a section of code.
 *
 * Return: 0, or -1 after a report.
 */
int symbols_load(struct symbols *s, const char *path);

/** symbols_free() - give back what it took; harmless twice */
void symbols_free(struct symbols *s);

/**
 * symbols_find() - the symbol that an address of the guest lies behind
 * @s: the symbols
 * @address: as the guest has it
 *
 * Return: its name, or NULL: it is in front of all, or further behind than any code is.
 */
const char *symbols_find(const struct symbols *s, u64 address);

/** symbols_address() - the address that a name has as linked; 0: there is none */
u64 symbols_address(const struct symbols *s, const char *name);

#endif
