// SPDX-License-Identifier: GPL-2.0
/*
 * A walk of the guest's own page tables, as the CPU would do it: legacy 32-bit,
 * PAE, 4-level and 5-level paging, with every permission check, the accessed
 * and dirty flags, and the page fault the guest is owed if it fails.
 *
 * Source: Intel SDM vol. 3A (December 2023), chapter "Paging".
 */
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../memslot.h"
#include "x86.h"

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

#define WALK_MAX	5
#define WALK_RETRIES	64	/* another vCPU keeps changing the tables */

/**
 * struct walk - one walk
 * @access: GVA_*
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
	u32 access;
	int levels;
	int entry_size;
	bool pae_root;
	bool nx;
	u64 reserved;
	int depth;
	gpa_t at[WALK_MAX];
	u64 pte[WALK_MAX];
	gpa_t gpa;
	u32 error;
};

static bool walk_user(const struct walk *w)
{
	return (w->access & (GVA_USER | GVA_SYSTEM)) == GVA_USER;
}

/* Choose the paging mode. */
static void walk_init(struct vcpu *vcpu, struct walk *w, u32 access)
{
	unsigned long cr4 = cr4_read(vcpu);

	w->access = access;
	w->depth = 0;
	w->pae_root = false;
	w->entry_size = 8;
	w->nx = vcpu->efer & EFER_NX;
	w->reserved = vcpu->reserved_gpa_bits;
	if (is_long_mode(vcpu)) {
		w->levels = cr4 & X86_CR4_LA57 ? 5 : 4;
	} else if (cr4 & X86_CR4_PAE) {
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
	if (access & GVA_WRITE)
		w->error |= PF_WRITE;
	if (walk_user(w))
		w->error |= PF_USER;
	if ((access & GVA_FETCH) && (w->nx || (cr4 & X86_CR4_SMEP)))
		w->error |= PF_FETCH;
}

/* Is this entry a leaf? @level: 1 is the page table. */
static bool walk_is_leaf(struct vcpu *vcpu, const struct walk *w, int level, u64 pte)
{
	if (level == 1)
		return true;
	if (!(pte & PTE_PS))
		return false;
	if (w->entry_size == 4)
		return cr4_read(vcpu) & X86_CR4_PSE;
	return level == 2 || (level == 3 && !w->pae_root);
}

/* Reserved bits beyond those that hold for every entry. */
static u64 walk_reserved(struct vcpu *vcpu, const struct walk *w, int level, u64 pte, bool leaf)
{
	if (w->entry_size == 4)
		return leaf && level == 2 ? BIT_ULL(21) : 0;
	if (w->pae_root && level == 3)
		return GENMASK_ULL(63, 52) | GENMASK_ULL(8, 5) | GENMASK_ULL(2, 1);
	if (level >= 4)
		return PTE_PS;
	if (level == 3 && (pte & PTE_PS))
		return guest_has(vcpu, X86_FEATURE_GBPAGES) ? GENMASK_ULL(29, 13) : PTE_PS;
	if (level == 2 && leaf)
		return GENMASK_ULL(20, 13);
	return 0;
}

/* The GPA that a leaf gives this address. */
static gpa_t leaf_gpa(const struct walk *w, int level, u64 pte, gva_t gva)
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

static gpa_t root_gpa(const struct walk *w, unsigned long cr3)
{
	return w->pae_root ? cr3 & 0xffffffe0ul :
	       w->entry_size == 4 ? cr3 & 0xfffff000ul : cr3 & PTE_ADDR;
}

/* Down to the leaf. 0, or -EFAULT with w->error complete. */
static int walk_tables(struct vcpu *vcpu, struct walk *w, gva_t gva)
{
	int index_bits = w->entry_size == 4 ? 10 : 9;
	gpa_t table = root_gpa(w, cr3_read(vcpu));
	int level;
	bool leaf;

	for (level = w->levels; level > 0; level--) {
		u32 index = (gva >> (12 + (level - 1) * index_bits)) &
			    (BIT(index_bits) - 1);
		u64 pte = 0;

		if (w->pae_root && level == 3)
			index &= 3;
		w->at[w->depth] = table + index * w->entry_size;
		if (guest_read_entry(vcpu->vm, w->at[w->depth], &pte, w->entry_size) ||
		    !(pte & PTE_P))
			return -EFAULT;
		w->pte[w->depth++] = pte;

		leaf = walk_is_leaf(vcpu, w, level, pte);
		if (pte & (w->reserved | walk_reserved(vcpu, w, level, pte, leaf))) {
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
static bool pkey_allows(struct vcpu *vcpu, const struct walk *w, bool user)
{
	u32 key;

	if (!(cr4_read(vcpu) & X86_CR4_PKE) || !is_long_mode(vcpu) || (w->access & GVA_FETCH))
		return true;
	key = (vcpu->pkru >> (2 * ((w->pte[w->depth - 1] >> PTE_PKEY_SHIFT) & 0xf))) & 3;
	if (key & 1)
		return false;
	return !((key & 2) && (w->access & GVA_WRITE) &&
		 (user || (cr0_read(vcpu) & X86_CR0_WP)));
}

static int walk_check(struct vcpu *vcpu, struct walk *w)
{
	bool user = walk_user(w), page_user, page_write;
	u64 all = ~0ull, any = 0;
	int i;

	for (i = w->pae_root ? 1 : 0; i < w->depth; i++) {
		all &= w->pte[i];
		any |= w->pte[i];
	}
	page_user = all & PTE_US;
	page_write = all & PTE_RW;

	w->error |= PF_P;
	if (user && !page_user)
		return -EFAULT;
	if ((w->access & GVA_WRITE) && !page_write &&
	    (user || (cr0_read(vcpu) & X86_CR0_WP)))
		return -EFAULT;
	if (w->access & GVA_FETCH) {
		if (w->nx && (any & PTE_NX))
			return -EFAULT;
		if (!user && page_user && (cr4_read(vcpu) & X86_CR4_SMEP))
			return -EFAULT;
	} else if (!user && page_user && (cr4_read(vcpu) & X86_CR4_SMAP)) {
		if ((w->access & GVA_SYSTEM) || !(rflags_read(vcpu) & X86_EFLAGS_AC))
			return -EFAULT;
	}
	if (page_user && !pkey_allows(vcpu, w, user)) {
		w->error |= PF_PKEY;
		return -EFAULT;
	}
	return 0;
}

/*
 * Set A in every entry and D in the leaf of a write. -EAGAIN: an entry changed
 * meanwhile, walk again. Tables in read-only memory stay as they are.
 */
static int walk_set_ad(struct vcpu *vcpu, struct walk *w)
{
	int i;

	for (i = w->pae_root ? 1 : 0; i < w->depth; i++) {
		u64 want = w->pte[i] | PTE_A, old = w->pte[i];

		if (i == w->depth - 1 && (w->access & GVA_WRITE))
			want |= PTE_D;
		if (want == old)
			continue;
		if (guest_cmpxchg(vcpu->vm, w->at[i], &old, want, w->entry_size) == -EAGAIN)
			return -EAGAIN;
	}
	return 0;
}

/**
 * gva_to_gpa - translate a linear address as the guest's CPU would
 * @vcpu: the vCPU, loaded; its own thread
 * @gva: linear address
 * @access: GVA_*: what is done there, and by whom
 * @gpa: out: guest-physical address, not necessarily of memory
 * @fault: out, on failure: the #PF to inject
 *
 * Return: 0, or -EFAULT with @fault filled in.
 */
int gva_to_gpa(struct vcpu *vcpu, gva_t gva, u32 access, gpa_t *gpa, struct gva_fault *fault)
{
	struct walk w;
	int tries, r;

	if (!is_long_mode(vcpu))
		gva = (u32)gva;
	if (!is_paging(vcpu)) {
		*gpa = gva;
		return 0;
	}
	for (tries = 0; tries < WALK_RETRIES; tries++) {
		walk_init(vcpu, &w, access);
		r = walk_tables(vcpu, &w, gva);
		if (!r)
			r = walk_check(vcpu, &w);
		if (r)
			break;
		if (walk_set_ad(vcpu, &w) != -EAGAIN) {
			*gpa = w.gpa;
			return 0;
		}
	}
	/* Tables that never hold still: a spurious fault is legal, a hang is not. */
	fault->vector = X86_TRAP_PF;
	fault->has_error_code = true;
	fault->error_code = w.error;
	fault->address = gva;
	return -EFAULT;
}

/**
 * gva_inject - deliver the exception that a translation or segment check owes
 * @vcpu: the vCPU
 * @fault: what to inject
 */
void gva_inject(struct vcpu *vcpu, const struct gva_fault *fault)
{
	if (fault->vector == X86_TRAP_PF)
		inject_page_fault(vcpu, fault->address, fault->error_code);
	else if (fault->has_error_code && is_protmode(vcpu))
		inject_exception_err(vcpu, fault->vector, fault->error_code);
	else
		inject_exception(vcpu, fault->vector);
}
