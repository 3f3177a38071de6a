// SPDX-License-Identifier: GPL-2.0
/*
 * A walk of the guest's own page tables, as the CPU would do it: legacy 32-bit,
 * PAE, 4-level and 5-level paging, with every permission check, the accessed
 * and dirty flags, and the error code if it fails. Pure logic, also built into
 * the unit tests.
 *
 * Source: Intel SDM vol. 3A (December 2023), chapter "Paging".
 */
#include <linux/bits.h>
#include <linux/errno.h>
#include <linux/types.h>

#include "paging.h"

#define CR0_WP		BIT(16)
#define CR4_PSE		BIT(4)
#define CR4_PAE		BIT(5)
#define CR4_LA57	BIT(12)
#define CR4_SMEP	BIT(20)
#define CR4_SMAP	BIT(21)
#define CR4_PKE		BIT(22)
#define EFER_LMA_BIT	BIT(10)
#define EFER_NXE_BIT	BIT(11)

#define PTE_P		BIT_ULL(0)
#define PTE_RW		BIT_ULL(1)
#define PTE_US		BIT_ULL(2)
#define PTE_A		BIT_ULL(5)
#define PTE_D		BIT_ULL(6)
#define PTE_PS		BIT_ULL(7)
#define PTE_NX		BIT_ULL(63)
#define PTE_ADDR	GENMASK_ULL(51, 12)
#define PTE_PKEY_SHIFT	59

#define PF_P		BIT(0)
#define PF_WRITE	BIT(1)
#define PF_USER		BIT(2)
#define PF_RSVD		BIT(3)
#define PF_FETCH	BIT(4)
#define PF_PKEY		BIT(5)

#define WALK_RETRIES	64	/* another vCPU keeps changing the tables */

/**
 * struct walk - one walk
 * @p: the state it depends on
 * @access: PAGING_*
 * @user: the access is a user one
 * @levels: tables from the root to a 4 KiB page
 * @entry_size: bytes of an entry, 4 or 8
 * @pae_root: the first table is the four PDPTEs, which have no A, RW or US
 * @nx: execute-disable is in force
 * @reserved: bits that are reserved in every entry
 * @depth: entries seen
 * @at: GPA of each, from the root
 * @pte: value of each
 * @gpa: result
 * @error: page-fault error code
 */
struct walk {
	const struct paging *p;
	u32 access;
	bool user;
	int levels;
	int entry_size;
	bool pae_root;
	bool nx;
	u64 reserved;
	int depth;
	u64 at[PAGING_LEVELS];
	u64 pte[PAGING_LEVELS];
	u64 gpa;
	u32 error;
};

/* Choose the paging mode. */
static void walk_init(struct walk *w, const struct paging *p, u32 access)
{
	w->p = p;
	w->access = access;
	w->user = (access & (PAGING_USER | PAGING_SYSTEM)) == PAGING_USER;
	w->depth = 0;
	w->pae_root = false;
	w->entry_size = 8;
	w->nx = p->efer & EFER_NXE_BIT;
	w->reserved = p->reserved;
	if (p->efer & EFER_LMA_BIT) {
		w->levels = p->cr4 & CR4_LA57 ? 5 : 4;
	} else if (p->cr4 & CR4_PAE) {
		w->levels = 3;
		w->pae_root = true;
		w->reserved |= GENMASK_ULL(62, 52);
	} else {
		w->levels = 2;
		w->entry_size = 4;
		w->nx = false;
		w->reserved = 0;
	}
	if (!w->nx && w->entry_size == 8)
		w->reserved |= PTE_NX;

	w->error = 0;
	if (access & PAGING_WRITE)
		w->error |= PF_WRITE;
	if (w->user)
		w->error |= PF_USER;
	if ((access & PAGING_FETCH) && (w->nx || (p->cr4 & CR4_SMEP)))
		w->error |= PF_FETCH;
}

/* Is this entry a leaf? @level: 1 is the page table. */
static bool walk_is_leaf(const struct walk *w, int level, u64 pte)
{
	if (level == 1)
		return true;
	if (!(pte & PTE_PS))
		return false;
	if (w->entry_size == 4)
		return w->p->cr4 & CR4_PSE;
	return level == 2 || (level == 3 && !w->pae_root);
}

/* Reserved bits beyond those that hold for every entry. */
static u64 walk_reserved(const struct walk *w, int level, u64 pte, bool leaf)
{
	if (w->entry_size == 4)
		return leaf && level == 2 ? BIT_ULL(21) : 0;
	if (w->pae_root && level == 3)
		return GENMASK_ULL(63, 52) | GENMASK_ULL(8, 5) | GENMASK_ULL(2, 1);
	if (level >= 4)
		return PTE_PS;
	if (level == 3 && (pte & PTE_PS))
		return w->p->gbpages ? GENMASK_ULL(29, 13) : PTE_PS;
	if (level == 2 && leaf)
		return GENMASK_ULL(20, 13);
	return 0;
}

/* The GPA that a leaf gives this address. */
static u64 leaf_gpa(const struct walk *w, int level, u64 pte, u64 gva)
{
	u64 offset_mask;

	if (level == 1)
		return (pte & PTE_ADDR) | (gva & 0xfff);
	if (w->entry_size == 4)		/* PSE-36: bits 20:13 are address bits 39:32 */
		return (pte & 0xffc00000) | (pte & GENMASK_ULL(20, 13)) << 19 |
		       (gva & 0x3fffff);
	offset_mask = BIT_ULL(12 + 9 * (level - 1)) - 1;
	return (pte & PTE_ADDR & ~offset_mask) | (gva & offset_mask);
}

static u64 root_gpa(const struct walk *w)
{
	if (w->pae_root)
		return w->p->cr3 & 0xffffffe0;
	if (w->entry_size == 4)
		return w->p->cr3 & 0xfffff000;
	return w->p->cr3 & PTE_ADDR;
}

/* Down to the leaf. 0, or -EFAULT with w->error complete. */
static int walk_tables(struct walk *w, u64 gva)
{
	int index_bits = w->entry_size == 4 ? 10 : 9;
	u64 table = root_gpa(w);
	int level;
	bool leaf;

	for (level = w->levels; level > 0; level--) {
		u32 index = (gva >> (12 + (level - 1) * index_bits)) &
			    (BIT(index_bits) - 1);
		u64 pte;

		if (w->pae_root && level == 3)
			index &= 3;
		w->at[w->depth] = table + index * w->entry_size;
		if (w->p->ops->read(w->p, w->at[w->depth], &pte, w->entry_size) ||
		    !(pte & PTE_P))
			return -EFAULT;
		w->pte[w->depth++] = pte;

		leaf = walk_is_leaf(w, level, pte);
		if (pte & (w->reserved | walk_reserved(w, level, pte, leaf))) {
			w->error |= PF_P | PF_RSVD;
			return -EFAULT;
		}
		if (leaf) {
			w->gpa = leaf_gpa(w, level, pte, gva);
			return 0;
		}
		table = pte & PTE_ADDR;
	}
	return -EFAULT;
}

/* Protection keys: data accesses to user pages in IA-32e mode. */
static bool pkey_allows(const struct walk *w)
{
	const struct paging *p = w->p;
	u32 key;

	if (!(p->cr4 & CR4_PKE) || !(p->efer & EFER_LMA_BIT) || (w->access & PAGING_FETCH))
		return true;
	key = (p->pkru >> (2 * ((w->pte[w->depth - 1] >> PTE_PKEY_SHIFT) & 0xf))) & 3;
	if (key & 1)
		return false;
	return !((key & 2) && (w->access & PAGING_WRITE) && (w->user || (p->cr0 & CR0_WP)));
}

/* All entries together give the rights; "Access Rights". */
static int walk_check(struct walk *w)
{
	const struct paging *p = w->p;
	bool page_user, page_write;
	u64 all = ~0ull, any = 0;
	int i;

	for (i = w->pae_root ? 1 : 0; i < w->depth; i++) {
		all &= w->pte[i];
		any |= w->pte[i];
	}
	page_user = all & PTE_US;
	page_write = all & PTE_RW;

	w->error |= PF_P;
	if (w->user && !page_user)
		return -EFAULT;
	if ((w->access & PAGING_WRITE) && !page_write && (w->user || (p->cr0 & CR0_WP)))
		return -EFAULT;
	if (w->access & PAGING_FETCH) {
		if (w->nx && (any & PTE_NX))
			return -EFAULT;
		if (!w->user && page_user && (p->cr4 & CR4_SMEP))
			return -EFAULT;
	} else if (!w->user && page_user && (p->cr4 & CR4_SMAP)) {
		if ((w->access & PAGING_SYSTEM) || !p->ac)
			return -EFAULT;
	}
	if (page_user && !pkey_allows(w)) {
		w->error |= PF_PKEY;
		return -EFAULT;
	}
	return 0;
}

/*
 * Set A in every entry and D in the leaf of a write. -EAGAIN: an entry changed
 * meanwhile, walk again. Tables in read-only memory stay as they are.
 */
static int walk_set_ad(struct walk *w)
{
	int i;

	for (i = w->pae_root ? 1 : 0; i < w->depth; i++) {
		u64 old = w->pte[i], want = old | PTE_A;

		if (i == w->depth - 1 && (w->access & PAGING_WRITE))
			want |= PTE_D;
		if (want != old &&
		    w->p->ops->cmpxchg(w->p, w->at[i], old, want, w->entry_size) == -EAGAIN)
			return -EAGAIN;
		w->pte[i] = want;
	}
	return 0;
}

static void walk_tell_path(const struct walk *w, struct paging_path *path)
{
	int i;

	path->nr = w->depth;
	path->entry_size = w->entry_size;
	for (i = 0; i < w->depth; i++) {
		path->at[i] = w->at[i];
		path->pte[i] = w->pte[i];
	}
}

/**
 * paging_walk - translate a linear address
 * @p: the state that paging depends on
 * @gva: linear address, cut to 32 bits outside IA-32e mode
 * @access: PAGING_*
 * @gpa: out: guest-physical address, not necessarily of memory
 * @error: out, on failure: error code of the page fault
 *
 * Return: 0 or -EFAULT.
 */
int paging_walk(const struct paging *p, u64 gva, u32 access, u64 *gpa, u32 *error)
{
	struct walk w;
	int tries, r;

	for (tries = 0; tries < WALK_RETRIES; tries++) {
		walk_init(&w, p, access);
		r = walk_tables(&w, gva);
		if (!r)
			r = walk_check(&w);
		if (r)
			break;
		if (walk_set_ad(&w) != -EAGAIN) {
			*gpa = w.gpa;
			if (p->path)
				walk_tell_path(&w, p->path);
			return 0;
		}
	}
	/* Tables that never hold still: a spurious fault is legal, a hang is not. */
	*error = w.error;
	return -EFAULT;
}
