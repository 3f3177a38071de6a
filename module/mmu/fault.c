// SPDX-License-Identifier: GPL-2.0
/*
 * The fault path: a guest-physical address that the tables do not map, or not
 * for this access, becomes a mapping, an MMIO exit or an error.
 *
 * The first write to a page that the dirty log tracks finds a mapping that only
 * lacks the permission, and gets it without looking at the host. Otherwise:
 * The host page is looked up without locks and may sleep (swapping, copying on
 * write, userfaultfd); the mapping is made under vm->mmu.lock, if nothing
 * changed since (see notifier.c). Table pages are allocated only when it turns
 * out that some are missing, which one fault in 512 finds: the lock is dropped,
 * they are allocated, and the attempt is repeated.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/srcu.h>

#include "../memslot.h"
#include "tables.h"

/* No slot: mark the hole, so that the next access exits without a walk. */
static enum mmu_result fault_mmio(struct vcpu *vcpu, struct memslots *slots, gfn_t gfn)
{
	struct mmu_table_cache cache = { .nr = 0 };
	struct vm *vm = vcpu->vm;
	int level, need;

	if (!vendor->mmu_format->mmio)
		return MMU_EMULATE;

	level = memslots_hole_level(slots, gfn, MMU_ROOT_LEVEL);
	for (;;) {
		write_lock(&vm->mmu.lock);
		need = mmu_mark_mmio(vm, gfn, level, &cache);
		write_unlock(&vm->mmu.lock);
		/* The marking only saves time: do without it if memory is short. */
		if (!need || mmu_cache_fill(&cache, need))
			break;
	}
	mmu_cache_drain(&cache);
	return MMU_EMULATE;
}

static enum mmu_result fault_hole(struct vcpu *vcpu, struct memslots *slots, gfn_t gfn, u32 flags)
{
	/* Nobody executes an APIC. */
	if (unlikely(mmu_apic_page_at(vcpu->vm, gfn)) && !(flags & MMU_FAULT_EXEC) &&
	    mmu_map_apic_page(vcpu->vm))
		return MMU_FIXED;
	return fault_mmio(vcpu, slots, gfn);
}

/* How large a leaf may be, all but the host's opinion considered. */
static int max_level(const struct memslot *slot, const struct mmu_mapping *m)
{
	/* The log counts small pages; a PFN mapping may be a patchwork. */
	if (slot->dirty_bitmap || m->special)
		return 1;
	if (m->exec && mmu_large_nx())
		return 1;
	return memslot_map_level(slot, m->gfn, vendor->mmu_format->max_level);
}

/* A host that maps the page large must have it aligned as the guest needs it. */
static int fit_level(const struct mmu_mapping *m, int level)
{
	while (level > 1 && ((m->gfn ^ m->pfn) & (mmu_level_pages(level) - 1)))
		level--;
	return level;
}

/*
 * Map the page. 0 done; -EAGAIN the host changed it, fault again; -ENOMEM.
 */
static int map_page(struct vm *vm, struct memslot *slot, struct mmu_mapping *m,
		    unsigned long seq)
{
	hva_t hva = memslot_gfn_to_hva(slot, m->gfn);
	struct mmu_table_cache cache = { .nr = 0 };
	int limit = max_level(slot, m);
	int need, err;

	do {
		err = -EAGAIN;
		need = 0;
		write_lock(&vm->mmu.lock);
		if (!mmu_notifier_blocks(vm, seq, hva)) {
			m->level = fit_level(m, host_mapping_level(vm->mm, hva, limit));
			need = mmu_map(vm, m, &cache);
			err = 0;
			/*
			 * Under the lock: who takes the bit out of the log then
			 * finds the mapping to write-protect.
			 */
			if (!need && m->write)
				memslot_mark_dirty(vm, slot, m->gfn);
		}
		write_unlock(&vm->mmu.lock);
		if (need)
			err = mmu_cache_fill(&cache, need);
	} while (need && !err);

	mmu_cache_drain(&cache);
	return err;
}

static enum mmu_result fault_error(struct vcpu *vcpu, hva_t hva, int err)
{
	switch (err) {
	case -EAGAIN:
		/* The mm is changing, or a signal came: RUN looks at signals. */
		return MMU_FIXED;
	case -EROFS:
		return MMU_EMULATE;
	case -EHWPOISON:
		/* The VMM gets what it would get had it touched the page itself. */
		send_sig_mceerr(BUS_MCEERR_AR, (void __user *)hva, PAGE_SHIFT, current);
		return MMU_FIXED;
	default:
		vcpu->run_errno = err;
		return MMU_ERROR;
	}
}

/* One attempt; -EAGAIN: the host changed the page meanwhile. */
static int try_memory(struct vm *vm, struct memslot *slot, struct mmu_mapping *m, hva_t hva,
		      bool want_write)
{
	struct host_page hp;
	unsigned long seq;
	int err;

	seq = READ_ONCE(vm->mmu.notifier_seq);
	/* Pairs with the unlock in invalidate_range_end(). */
	smp_rmb();
	err = host_page_get(hva, m->write, want_write, &hp);
	if (err)
		return err;

	m->pfn = hp.pfn;
	m->host_writable = hp.writable && want_write;
	/* While the log is on, the first write to a page must be seen, here or by the CPU. */
	m->writable = m->host_writable && (m->write || !slot->dirty_bitmap ||
					   vendor->mmu_format->logs_dirty);
	m->special = hp.special;
	m->uncached = hp.uncached;
	err = map_page(vm, slot, m, seq);
	host_page_put(&hp);
	return err;
}

static enum mmu_result fault_memory(struct vcpu *vcpu, struct memslot *slot, gfn_t gfn, u32 flags)
{
	bool write = flags & MMU_FAULT_WRITE;
	bool want_write = !(slot->flags & MINIKVM_MEM_READONLY);
	struct mmu_mapping m = {
		.gfn = gfn,
		.write = write,
		.exec = flags & MMU_FAULT_EXEC,
	};
	hva_t hva = memslot_gfn_to_hva(slot, gfn);
	int tries, err;

	if (write && flags & MMU_FAULT_PRESENT && mmu_allow_write(vcpu->vm, slot, gfn)) {
		vcpu->stats.pf_fast++;
		vcpu->stats.pf_fixed++;
		return MMU_FIXED;
	}

	/*
	 * Breaking a copy-on-write is a change to the mm that we caused
	 * ourselves: trying again here is cheaper than another exit. If it was
	 * someone else, the guest may as well come again.
	 */
	for (tries = 0; tries < 2; tries++) {
		err = try_memory(vcpu->vm, slot, &m, hva, want_write);
		if (err != -EAGAIN || signal_pending(current))
			break;
	}
	if (err)
		return fault_error(vcpu, hva, err);
	vcpu->stats.pf_fixed++;
	return MMU_FIXED;
}

/**
 * mmu_fault - the guest accessed a page that is not mapped for it
 * @vcpu: the vCPU, loaded, by its own thread (current->mm is its VM's)
 * @gpa: what it accessed
 * @flags: MMU_FAULT_*
 *
 * Context: sleeps; takes vm->srcu and vm->mmu.lock.
 *
 * Return: MMU_FIXED: enter again, the access works or faults anew;
 * MMU_EMULATE: no memory there, or a write to a read-only slot;
 * MMU_ERROR with vcpu->run_errno -EFAULT: the VMM has nothing mapped behind the
 * slot, or not for this access; -ENOMEM. A page with a memory error raises
 * SIGBUS in the calling thread, as an access by itself would.
 */
enum mmu_result mmu_fault(struct vcpu *vcpu, gpa_t gpa, u32 flags)
{
	gfn_t gfn = gpa >> PAGE_SHIFT;
	struct vm *vm = vcpu->vm;
	struct memslots *slots;
	struct memslot *slot;
	enum mmu_result result;
	int idx;

	/* Beyond the tables' reach there is no slot and nothing to mark. */
	if (gfn >= MMU_GFN_END)
		return MMU_EMULATE;

	idx = srcu_read_lock(&vm->srcu);
	slots = vm_memslots(vm);
	slot = memslots_find(slots, gfn);
	if (!slot)
		result = fault_hole(vcpu, slots, gfn, flags);
	else if (slot->flags & MEMSLOT_INVALID)
		result = MMU_FIXED;	/* on its way out: look again */
	else if (flags & MMU_FAULT_WRITE && slot->flags & MINIKVM_MEM_READONLY)
		result = MMU_EMULATE;
	else
		result = fault_memory(vcpu, slot, gfn, flags);
	srcu_read_unlock(&vm->srcu, idx);
	return result;
}
