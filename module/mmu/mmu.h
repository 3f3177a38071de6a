/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Two-dimensional paging: the tables that map guest-physical to host-physical
 * memory, filled on fault and kept in step with the host's mm.
 */
#ifndef MINIKVM_MMU_H
#define MINIKVM_MMU_H

#include "../minikvm.h"

struct memslot;

#define MMU_APIC_GFN		(0xfee00000ull >> PAGE_SHIFT)

/* What the guest did, as the exit described it. */
#define MMU_FAULT_READ		BIT(0)
#define MMU_FAULT_WRITE		BIT(1)
#define MMU_FAULT_EXEC		BIT(2)
#define MMU_FAULT_PRESENT	BIT(3)	/* an entry was there, permission was not */

enum mmu_result {
	MMU_FIXED,	/* mapped, or someone else did: enter again */
	MMU_EMULATE,	/* MMIO, or a write to a read-only slot */
	MMU_ERROR,	/* vcpu->run_errno says why (-EFAULT, -ENOMEM) */
};

int mmu_vm_init(struct vm *vm);		/* root table and notifier: -ENOMEM, -EINTR */
/* No vCPU can run any more, but they still exist; the mm may be gone already. */
void mmu_vm_destroy(struct vm *vm);

/* May sleep; vCPU loaded. */
enum mmu_result mmu_fault(struct vcpu *vcpu, gpa_t gpa, u32 flags);

/* apic_page.c: for vendors that can use one. */
int mmu_apic_page_create(struct vm *vm);	/* -ENOMEM */
void mmu_apic_page_destroy(struct vm *vm);
void mmu_apic_page_show(struct vm *vm, bool show);
bool mmu_map_apic_page(struct vm *vm);

/* Unless a slot is there, and while nobody hides it: a hint. */
static inline bool mmu_apic_page_at(struct vm *vm, gfn_t gfn)
{
	return gfn == MMU_APIC_GFN && READ_ONCE(vm->mmu.apic_page_shown);
}

/* vm->slots_lock held. Stale entries are gone from every CPU on return. */
void mmu_zap_slot(struct vm *vm, const struct memslot *slot);
void mmu_track_slot(struct vm *vm, const struct memslot *slot);
void mmu_collapse_slot(struct vm *vm, const struct memslot *slot);
/* Forget MMIO markings in a range that is about to become memory. */
void mmu_zap_range(struct vm *vm, gfn_t start, gfn_t end);
/* Pages @first + n for every bit n of @mask; the caller flushes if it says so. */
bool mmu_track_pages(struct vm *vm, gfn_t first, u64 mask);

/**
 * struct mmu_range_walk - a reader's position in the tables, see ranges.c
 * @gfn: @end: what is still to be looked at
 * @range: what was found last and may go on
 * @begun: @range holds something
 */
struct mmu_range_walk {
	gfn_t gfn, end;
	struct minikvm_inspect_range range;
	bool begun;
};

bool mmu_read_ranges(struct vm *vm, struct mmu_range_walk *w, struct minikvm_inspect_range *to,
		     u32 *nr);
gfn_t mmu_range_next(const struct mmu_range_walk *w);
#endif
