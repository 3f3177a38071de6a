// SPDX-License-Identifier: GPL-2.0
/*
 * Linear addresses of a vCPU: its registers and memory applied to paging.c,
 * and the faults that come of it.
 */
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../memslot.h"
#include "paging.h"
#include "x86.h"

static int entry_read(const struct paging *p, u64 gpa, u64 *entry, u32 size)
{
	struct vcpu *vcpu = p->opaque;

	return guest_read_entry(vcpu->vm, gpa, entry, size);
}

static int entry_cmpxchg(const struct paging *p, u64 gpa, u64 old, u64 new, u32 size)
{
	struct vcpu *vcpu = p->opaque;

	return guest_cmpxchg(vcpu->vm, gpa, &old, new, size);
}

static const struct paging_ops guest_paging_ops = {
	.read = entry_read,
	.cmpxchg = entry_cmpxchg,
};

static_assert(GVA_WRITE == PAGING_WRITE && GVA_FETCH == PAGING_FETCH &&
	      GVA_USER == PAGING_USER && GVA_SYSTEM == PAGING_SYSTEM);

/**
 * gva_walk - gva_to_gpa(), and where it comes from
 * @vcpu: the vCPU, loaded; its own thread
 * @gva: linear address
 * @access: GVA_*
 * @gpa: out: guest-physical address
 * @fault: out, on failure
 * @path: out: the entries of the guest's page tables, none without paging; or NULL
 *
 * Return: as gva_to_gpa().
 * SDM: "Paging".
 */
int gva_walk(struct vcpu *vcpu, gva_t gva, u32 access, gpa_t *gpa, struct gva_fault *fault,
	     struct paging_path *path)
{
	struct paging p = {
		.ops = &guest_paging_ops,
		.opaque = vcpu,
		.efer = vcpu->efer,
		.reserved = vcpu->reserved_gpa_bits,
		.pkru = vcpu->pkru,
		.path = path,
	};

	if (!is_long_mode(vcpu))
		gva = (u32)gva;
	p.cr0 = cr0_read(vcpu);
	if (!(p.cr0 & X86_CR0_PG)) {
		*gpa = gva;
		if (path)
			path->nr = 0;
		return 0;
	}
	p.cr3 = cr3_read(vcpu);
	p.cr4 = cr4_read(vcpu);
	p.ac = (p.cr4 & X86_CR4_SMAP) && (rflags_read(vcpu) & X86_EFLAGS_AC);
	p.gbpages = is_long_mode(vcpu) && guest_has(vcpu, X86_FEATURE_GBPAGES);
	if (!paging_walk(&p, gva, access, gpa, &fault->error_code))
		return 0;

	fault->vector = X86_TRAP_PF;
	fault->has_error_code = true;
	fault->address = gva;
	return -EFAULT;
}

/**
 * gva_to_gpa - translate a linear address as the guest's CPU would
 * @vcpu: the vCPU, loaded; its own thread
 * @gva: linear address
 * @access: GVA_*: what is done there, and by whom
 * @gpa: out: guest-physical address, not necessarily of memory
 * @fault: out, on failure: the #PF to inject
 *
 * Sets accessed and dirty flags.
 *
 * Return: 0, or -EFAULT with @fault filled in.
 * SDM: "Paging".
 */
int gva_to_gpa(struct vcpu *vcpu, gva_t gva, u32 access, gpa_t *gpa, struct gva_fault *fault)
{
	return gva_walk(vcpu, gva, access, gpa, fault, NULL);
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

/**
 * gva_translate - TRANSLATE
 * @vcpu: the vCPU, loaded
 * @tr: in and out
 *
 * As a read by the supervisor, accessed flags included. Without paging every
 * address is its own translation.
 */
void gva_translate(struct vcpu *vcpu, struct minikvm_translation *tr)
{
	struct gva_fault fault;
	gpa_t gpa = tr->linear_address;

	if (is_paging(vcpu) && gva_to_gpa(vcpu, tr->linear_address, 0, &gpa, &fault))
		gpa = MK_INVALID_GPA;
	tr->physical_address = gpa;
	tr->valid = gpa != MK_INVALID_GPA;
	tr->writeable = 1;
	tr->usermode = 0;
}
