// SPDX-License-Identifier: GPL-2.0
/*
 * The APIC-access page: one page of a VM's own that its tables map where local
 * APICs have their registers, for CPUs that recognize accesses to such a page
 * and answer them from the vCPU's APIC. Its contents are never used.
 *
 * All vCPUs share the tables, but each has an APIC mode of its own. So the page
 * is there only while every vCPU has an xAPIC at the default address: to one
 * that has not, it would be memory, or somebody else's message board.
 */
#include <linux/gfp.h>
#include <linux/mm.h>

#include "tables.h"

/**
 * mmu_apic_page_create - set the page aside
 * @vm: a VM under construction
 *
 * Return: 0 or -ENOMEM.
 */
int mmu_apic_page_create(struct vm *vm)
{
	vm->mmu.apic_page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	return vm->mmu.apic_page ? 0 : -ENOMEM;
}

/**
 * mmu_apic_page_destroy - undo mmu_apic_page_create()
 * @vm: a VM without tables; safe when it never had the page
 */
void mmu_apic_page_destroy(struct vm *vm)
{
	if (vm->mmu.apic_page)
		__free_page(vm->mmu.apic_page);
	vm->mmu.apic_page = NULL;
}

/**
 * mmu_apic_page_show - let accesses find the page, or find nothing there
 * @vm: the VM
 * @show: whether every vCPU has an xAPIC at the default address
 *
 * When it returns, no CPU uses a translation that says otherwise.
 *
 * Context: sleeps; vm->apic_map_lock held; takes vm->mmu.lock.
 */
void mmu_apic_page_show(struct vm *vm, bool show)
{
	if (!vm->mmu.apic_page || vm->mmu.apic_page_shown == show)
		return;
	write_lock(&vm->mmu.lock);
	vm->mmu.apic_page_shown = show;
	write_unlock(&vm->mmu.lock);
	/* The mapping, or the marking as MMIO. */
	mmu_zap_gfns(vm, MMU_APIC_GFN, MMU_APIC_GFN + 1, true);
}

/**
 * mmu_map_apic_page - the guest missed the APIC-access page
 * @vm: a VM that has the page, and no slot there
 *
 * The dirty bit is set from the start: no log wants to hear of it.
 *
 * Context: vm->srcu read-locked since the slots were looked at: who adds one
 * waits for that and then zaps its range.
 * Return: true if it is mapped now.
 */
bool mmu_map_apic_page(struct vm *vm)
{
	struct mmu_table_cache cache = { .nr = 0 };
	struct mmu_mapping m = {
		.gfn = MMU_APIC_GFN,
		.level = 1,
		.writable = true,
		.write = true,
		.special = true,
	};
	bool shown;
	int need;

	m.pfn = page_to_pfn(vm->mmu.apic_page);
	do {
		need = 0;
		write_lock(&vm->mmu.lock);
		shown = vm->mmu.apic_page_shown;
		if (shown)
			need = mmu_map(vm, &m, &cache);
		write_unlock(&vm->mmu.lock);
		/* Short of memory: as long as it lasts, the access is emulated. */
		if (need && mmu_cache_fill(&cache, need)) {
			shown = false;
			need = 0;
		}
	} while (need);
	mmu_cache_drain(&cache);
	return shown;
}
