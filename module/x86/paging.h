/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Walking the guest's page tables: everything that decides the outcome, and
 * the two operations on guest memory that it takes.
 */
#ifndef MINIKVM_PAGING_H
#define MINIKVM_PAGING_H

#include <linux/bits.h>
#include <linux/types.h>

/* What is done at the address, and by whom. */
#define PAGING_WRITE	BIT(0)
#define PAGING_FETCH	BIT(1)
#define PAGING_USER	BIT(2)
#define PAGING_SYSTEM	BIT(3)	/* implicit: descriptor tables and the like */

struct paging;

/* @size is 4 or 8 bytes, @gpa is aligned to it. */
struct paging_ops {
	/* 0, or negative: not memory. */
	int (*read)(const struct paging *p, u64 gpa, u64 *entry, u32 size);
	/* 0; -EAGAIN: the entry is not @old any more; else it cannot be written. */
	int (*cmpxchg)(const struct paging *p, u64 gpa, u64 old, u64 new, u32 size);
};

#define PAGING_LEVELS	5

/**
 * struct paging_path - the entries that a walk went through
 * @nr: how many
 * @entry_size: bytes of each, 4 or 8
 * @at: GPA of each, from the root
 * @pte: what each holds now, accessed and dirty flags included
 */
struct paging_path {
	int nr;
	int entry_size;
	u64 at[PAGING_LEVELS];
	u64 pte[PAGING_LEVELS];
};

/**
 * struct paging - the state that paging depends on; CR0.PG is set
 * @ops: how to reach the tables
 * @opaque: theirs
 * @cr0: @cr3: @cr4: @efer: the registers
 * @reserved: address bits beyond the guest's physical address width, up to 51
 * @pkru: protection keys of user pages, with CR4.PKE
 * @ac: RFLAGS.AC, with CR4.SMAP
 * @gbpages: 1 GiB pages exist
 * @path: out, if the walk succeeds and this is not NULL
 */
struct paging {
	const struct paging_ops *ops;
	void *opaque;
	u64 cr0, cr3, cr4, efer;
	u64 reserved;
	u32 pkru;
	bool ac;
	bool gbpages;
	struct paging_path *path;
};

/* 0 and @gpa, or -EFAULT and the page-fault error code. */
int paging_walk(const struct paging *p, u64 gva, u32 access, u64 *gpa, u32 *error);

#endif
