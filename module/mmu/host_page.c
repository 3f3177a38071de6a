// SPDX-License-Identifier: GPL-2.0
/*
 * From an address in the VMM to the host page behind it: faulting it in, what
 * may be done with it, and how large the host itself maps it.
 */
#include <linux/mm.h>
#include <linux/pgtable.h>
#include <linux/sched/signal.h>
#include <asm/e820/api.h>
#include <asm/memtype.h>

#include "../compat.h"
#include "tables.h"

/* Memory with a struct page, of which we hold a reference. */
static void take_page(struct host_page *hp, struct page *page, bool writable)
{
	hp->page = page;
	hp->pfn = page_to_pfn(page);
	hp->writable = writable;
	/* The zero page, and what a driver reserved: not ours to mark. */
	hp->special = PageReserved(page);
	hp->uncached = false;
}

/* A frame mapped by pfn: is it device memory, which must not be cached? */
static bool pfn_is_uncached(u64 pfn)
{
	if (pfn_valid(pfn))
		return PageReserved(pfn_to_page(pfn)) && !is_zero_pfn(pfn) &&
		       (!pat_enabled() || pat_pfn_immune_to_uc_mtrr(pfn));
	return !e820__mapped_raw_any(pfn << PAGE_SHIFT, ((pfn + 1) << PAGE_SHIFT) - 1,
				     E820_TYPE_RAM);
}

/* A PFN mapping of a driver: no page references, the notifier is enough. */
static int take_pfn(struct vm_area_struct *vma, hva_t hva, bool write, struct host_page *hp)
{
	bool unlocked = false;
	unsigned long pfn;
	bool writable;
	int err;

	err = compat_follow_pfn(vma, hva, &pfn, &writable);
	if (err) {
		err = fixup_user_fault(current->mm, hva, write ? FAULT_FLAG_WRITE : 0,
				       &unlocked);
		/* The lock was dropped, and @vma may be gone. */
		if (unlocked)
			return -EAGAIN;
		if (!err)
			err = compat_follow_pfn(vma, hva, &pfn, &writable);
		if (err)
			return -EFAULT;
	}
	if (write && !writable)
		return -EROFS;

	hp->page = NULL;
	hp->pfn = pfn;
	hp->writable = writable;
	hp->special = true;
	hp->uncached = pfn_is_uncached(pfn);
	return 0;
}

/* get_user_pages() does not do this address: is it a PFN mapping? */
static int get_pfn(hva_t hva, bool write, struct host_page *hp)
{
	struct vm_area_struct *vma;
	int err;

	do {
		err = -EFAULT;
		mmap_read_lock(current->mm);
		vma = vma_lookup(current->mm, hva);
		if (vma && vma->vm_flags & (VM_IO | VM_PFNMAP))
			err = take_pfn(vma, hva, write, hp);
		mmap_read_unlock(current->mm);
	} while (err == -EAGAIN && !fatal_signal_pending(current));
	return err;
}

/**
 * host_page_get - the host page behind an address, faulted in
 * @hva: address in current->mm
 * @write: it will be written now
 * @want_write: it may be written later: say so if the host allows it already
 * @hp: filled in; given back with host_page_put()
 *
 * A read does not break copy-on-write: a page that the host maps read-only
 * comes back with writable false.
 *
 * Context: sleeps; mmap_lock not held.
 *
 * Return: 0; -EFAULT: nothing is mapped there, or not for this access;
 * -EHWPOISON: the page has a memory error; -EROFS: a write to a PFN mapping that
 * is read-only; -EAGAIN: a signal interrupted it.
 */
int host_page_get(hva_t hva, bool write, bool want_write, struct host_page *hp)
{
	unsigned int flags = FOLL_HWPOISON | (write ? FOLL_WRITE : 0);
	struct page *page;
	long n;

	if (want_write && get_user_page_fast_only(hva, FOLL_WRITE, &page)) {
		take_page(hp, page, true);
		return 0;
	}

	n = get_user_pages_unlocked(hva, 1, &page, flags);
	if (n == 1) {
		take_page(hp, page, write);
		/* It may be writable now that it is there (swapped in, say). */
		if (!write && want_write &&
		    get_user_page_fast_only(hva, FOLL_WRITE, &page)) {
			put_page(hp->page);
			take_page(hp, page, true);
		}
		return 0;
	}
	if (n == -EHWPOISON)
		return n;
	if (fatal_signal_pending(current))
		return -EAGAIN;
	return get_pfn(hva, write, hp);
}

/**
 * host_page_put - give back what host_page_get() took
 * @hp: its result
 */
void host_page_put(struct host_page *hp)
{
	if (hp->page)
		put_page(hp->page);
	hp->page = NULL;
}

/**
 * host_mapping_level - how large the host maps an address
 * @mm: the VMM's
 * @hva: an address that is mapped
 * @max_level: largest level of interest
 *
 * A large leaf is right exactly while the host has one too: any change to the
 * host's goes through the mmu notifier, for its whole range.
 *
 * Context: vm->mmu.lock held, and mmu_notifier_blocks() said no, so that the
 * answer stays true until the lock is dropped. Interrupts are off during the
 * walk, which keeps the host from freeing the tables being looked at. Every
 * entry is read once: a table may turn into a large page meanwhile.
 *
 * Return: 1, 2 or 3, at most @max_level.
 */
int host_mapping_level(struct mm_struct *mm, hva_t hva, int max_level)
{
	unsigned long flags;
	int level = 1;
	pgd_t pgd;
	p4d_t p4d;
	pud_t pud;
	pmd_t pmd;

	if (max_level == 1)
		return 1;

	local_irq_save(flags);
	pgd = READ_ONCE(*pgd_offset(mm, hva));
	if (pgd_none(pgd))
		goto out;
	p4d = READ_ONCE(*p4d_offset(&pgd, hva));
	if (p4d_none(p4d) || !p4d_present(p4d))
		goto out;
	pud = READ_ONCE(*pud_offset(&p4d, hva));
	if (pud_none(pud) || !pud_present(pud))
		goto out;
	if (pud_leaf(pud)) {
		level = 3;
		goto out;
	}
	pmd = READ_ONCE(*pmd_offset(&pud, hva));
	if (!pmd_none(pmd) && pmd_present(pmd) && pmd_leaf(pmd))
		level = 2;
out:
	local_irq_restore(flags);
	return min(level, max_level);
}
