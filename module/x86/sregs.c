// SPDX-License-Identifier: GPL-2.0
/*
 * Register state as a whole: what GET and SET_(S)REGS move, and what a reset
 * leaves behind.
 */
#include <linux/bitmap.h>
#include <asm/apicdef.h>
#include <asm/cpufeature.h>
#include <asm/msr-index.h>
#include <asm/processor-flags.h>

#include "../irqchip/lapic.h"
#include "debug.h"
#include "x86.h"

/**
 * regs_get - GET_REGS
 * @vcpu: the vCPU, loaded
 * @regs: out
 */
void regs_get(struct vcpu *vcpu, struct minikvm_regs *regs)
{
	regs->rax = vcpu->regs[REG_RAX];
	regs->rbx = vcpu->regs[REG_RBX];
	regs->rcx = vcpu->regs[REG_RCX];
	regs->rdx = vcpu->regs[REG_RDX];
	regs->rsi = vcpu->regs[REG_RSI];
	regs->rdi = vcpu->regs[REG_RDI];
	regs->rsp = reg_read(vcpu, REG_RSP);
	regs->rbp = vcpu->regs[REG_RBP];
	regs->r8 = vcpu->regs[REG_R8];
	regs->r9 = vcpu->regs[REG_R9];
	regs->r10 = vcpu->regs[REG_R10];
	regs->r11 = vcpu->regs[REG_R11];
	regs->r12 = vcpu->regs[REG_R12];
	regs->r13 = vcpu->regs[REG_R13];
	regs->r14 = vcpu->regs[REG_R14];
	regs->r15 = vcpu->regs[REG_R15];
	regs->rip = rip_read(vcpu);
	regs->rflags = debug_rflags_get(vcpu);
}

/**
 * regs_set - SET_REGS
 * @vcpu: the vCPU, loaded
 * @regs: in
 *
 * An exception that waits belonged to the old registers and is dropped.
 *
 * Return: 0.
 */
int regs_set(struct vcpu *vcpu, const struct minikvm_regs *regs)
{
	vcpu->regs[REG_RAX] = regs->rax;
	vcpu->regs[REG_RBX] = regs->rbx;
	vcpu->regs[REG_RCX] = regs->rcx;
	vcpu->regs[REG_RDX] = regs->rdx;
	vcpu->regs[REG_RSI] = regs->rsi;
	vcpu->regs[REG_RDI] = regs->rdi;
	reg_write(vcpu, REG_RSP, regs->rsp);
	vcpu->regs[REG_RBP] = regs->rbp;
	vcpu->regs[REG_R8] = regs->r8;
	vcpu->regs[REG_R9] = regs->r9;
	vcpu->regs[REG_R10] = regs->r10;
	vcpu->regs[REG_R11] = regs->r11;
	vcpu->regs[REG_R12] = regs->r12;
	vcpu->regs[REG_R13] = regs->r13;
	vcpu->regs[REG_R14] = regs->r14;
	vcpu->regs[REG_R15] = regs->r15;
	reg_write(vcpu, REG_RIP, regs->rip);
	debug_rflags_set(vcpu, regs->rflags | X86_EFLAGS_FIXED);

	vcpu->events.exception.pending = false;
	vcpu_set_request(vcpu, REQ_EVENT);
	return 0;
}

/* ---- special registers -------------------------------------------------- */

/**
 * sregs_get - GET_SREGS
 * @vcpu: the vCPU, loaded
 * @sregs: out
 */
void sregs_get(struct vcpu *vcpu, struct minikvm_sregs *sregs)
{
	memset(sregs, 0, sizeof(*sregs));
	vendor->get_segment(vcpu, &sregs->cs, SEG_CS);
	vendor->get_segment(vcpu, &sregs->ds, SEG_DS);
	vendor->get_segment(vcpu, &sregs->es, SEG_ES);
	vendor->get_segment(vcpu, &sregs->fs, SEG_FS);
	vendor->get_segment(vcpu, &sregs->gs, SEG_GS);
	vendor->get_segment(vcpu, &sregs->ss, SEG_SS);
	vendor->get_segment(vcpu, &sregs->tr, SEG_TR);
	vendor->get_segment(vcpu, &sregs->ldt, SEG_LDTR);
	vendor->get_idt(vcpu, &sregs->idt);
	vendor->get_gdt(vcpu, &sregs->gdt);

	sregs->cr0 = cr0_read(vcpu);
	sregs->cr2 = vcpu->cr2;
	sregs->cr3 = cr3_read(vcpu);
	sregs->cr4 = cr4_read(vcpu);
	sregs->cr8 = cr8_get(vcpu);
	sregs->efer = vcpu->efer;
	sregs->apic_base = vcpu->apic_base;
	if (vcpu->events.interrupt.injected && !vcpu->events.interrupt.soft)
		sregs->interrupt_bitmap[vcpu->events.interrupt.nr / 64] =
			BIT_ULL(vcpu->events.interrupt.nr % 64);
}

/**
 * apic_base_valid - can IA32_APIC_BASE hold this value?
 * @vcpu: the vCPU
 * @base: value
 *
 * Source: Intel SDM vol. 3A (December 2023), "Extended XAPIC (x2APIC)".
 */
bool apic_base_valid(struct vcpu *vcpu, u64 base)
{
	u64 reserved = vcpu->reserved_gpa_bits | GENMASK_ULL(63, 52) | 0x2ff;

	if (!guest_has(vcpu, X86_FEATURE_X2APIC))
		reserved |= X2APIC_ENABLE;
	return !(base & reserved) &&
	       (!(base & X2APIC_ENABLE) || (base & MSR_IA32_APICBASE_ENABLE));
}

static bool sregs_valid(struct vcpu *vcpu, const struct minikvm_sregs *sregs)
{
	if (!cr0_valid(sregs->cr0) || !efer_valid(sregs->efer))
		return false;
	if ((sregs->efer & EFER_LME) && (sregs->cr0 & X86_CR0_PG)) {
		if (!(sregs->cr4 & X86_CR4_PAE) || !(sregs->efer & EFER_LMA))
			return false;
		if (sregs->cr3 & (vcpu->reserved_gpa_bits | GENMASK_ULL(63, 52)))
			return false;
	} else if ((sregs->efer & EFER_LMA) || sregs->cs.l) {
		return false;
	}
	return cr4_valid(vcpu, sregs->cr4);
}

static void set_segments(struct vcpu *vcpu, const struct minikvm_sregs *sregs)
{
	vendor->set_segment(vcpu, &sregs->cs, SEG_CS);
	vendor->set_segment(vcpu, &sregs->ds, SEG_DS);
	vendor->set_segment(vcpu, &sregs->es, SEG_ES);
	vendor->set_segment(vcpu, &sregs->fs, SEG_FS);
	vendor->set_segment(vcpu, &sregs->gs, SEG_GS);
	vendor->set_segment(vcpu, &sregs->ss, SEG_SS);
	vendor->set_segment(vcpu, &sregs->tr, SEG_TR);
	vendor->set_segment(vcpu, &sregs->ldt, SEG_LDTR);
}

static void queue_interrupt(struct vcpu *vcpu, const struct minikvm_sregs *sregs)
{
	int i;

	for (i = 0; i < ARRAY_SIZE(sregs->interrupt_bitmap); i++) {
		if (!sregs->interrupt_bitmap[i])
			continue;
		vcpu->events.interrupt.injected = true;
		vcpu->events.interrupt.soft = false;
		vcpu->events.interrupt.nr = 64 * i + __ffs64(sregs->interrupt_bitmap[i]);
		return;
	}
}

/* PAE paging, but not as the first half of four- or five-level paging. */
static bool uses_pdptrs(u64 cr0, u64 cr4, u64 efer)
{
	return (cr0 & X86_CR0_PG) && (cr4 & X86_CR4_PAE) && !(efer & EFER_LMA);
}

/* What SET_SREGS and SET_SREGS2 share. @load_pdptrs: from memory, if used. */
static int sregs_set_common(struct vcpu *vcpu, const struct minikvm_sregs *sregs,
			    bool load_pdptrs)
{
	unsigned long cr0 = sregs->cr0 | X86_CR0_ET;

	if (!sregs_valid(vcpu, sregs))
		return -EINVAL;
	if (sregs->apic_base != vcpu->apic_base &&
	    msr_set(vcpu, MSR_IA32_APICBASE, sregs->apic_base, true))
		return -EINVAL;

	vendor->set_idt(vcpu, &sregs->idt);
	vendor->set_gdt(vcpu, &sregs->gdt);
	vcpu->cr2 = sregs->cr2;
	cr8_set(vcpu, sregs->cr8);	/* a value it cannot hold leaves the old one */
	vendor->set_efer(vcpu, sregs->efer);
	vendor->set_cr0(vcpu, cr0);
	vendor->set_cr3(vcpu, sregs->cr3);
	vendor->set_cr4(vcpu, sregs->cr4);
	if (load_pdptrs && uses_pdptrs(cr0, sregs->cr4, sregs->efer))
		pdptrs_load(vcpu, sregs->cr3);
	set_segments(vcpu, sregs);
	cpuid_update_runtime(vcpu);

	/* VMMs that reset a CPU through its registers alone mean to run it. */
	if (vcpu->id == vcpu->vm->bsp_id && !(cr0 & X86_CR0_PE) &&
	    sregs->cs.selector == 0xf000 && sregs->cs.base == 0xffff0000 &&
	    rip_read(vcpu) == 0xfff0)
		vcpu->mp_state = MINIKVM_MP_STATE_RUNNABLE;

	vcpu_set_request(vcpu, REQ_TLB_FLUSH_GUEST);
	vcpu_set_request(vcpu, REQ_EVENT);
	return 0;
}

/**
 * sregs_set - SET_SREGS
 * @vcpu: the vCPU, loaded
 * @sregs: in
 *
 * Return: 0, or -EINVAL (control registers, EFER or APIC base hold a value the
 * CPU could not hold, alone or together), which changes nothing.
 */
int sregs_set(struct vcpu *vcpu, const struct minikvm_sregs *sregs)
{
	int err = sregs_set_common(vcpu, sregs, true);

	if (!err)
		queue_interrupt(vcpu, sregs);
	return err;
}

/* The two structures begin alike. */
#define SREGS_COMMON	offsetof(struct minikvm_sregs, interrupt_bitmap)
static_assert(offsetof(struct minikvm_sregs2, flags) == SREGS_COMMON);
static_assert(offsetof(struct minikvm_sregs2, cr0) == offsetof(struct minikvm_sregs, cr0));
static_assert(offsetof(struct minikvm_sregs2, gdt) == offsetof(struct minikvm_sregs, gdt));

/**
 * sregs2_get - GET_SREGS2
 * @vcpu: the vCPU, loaded
 * @sregs: out
 */
void sregs2_get(struct vcpu *vcpu, struct minikvm_sregs2 *sregs)
{
	struct minikvm_sregs common;

	sregs_get(vcpu, &common);
	memset(sregs, 0, sizeof(*sregs));
	memcpy(sregs, &common, SREGS_COMMON);
	if (!uses_pdptrs(common.cr0, common.cr4, common.efer))
		return;
	vendor->get_pdptrs(vcpu);
	memcpy(sregs->pdptrs, vcpu->pdptrs, sizeof(sregs->pdptrs));
	sregs->flags = MINIKVM_SREGS2_FLAGS_PDPTRS_VALID;
}

/**
 * sregs2_set - SET_SREGS2
 * @vcpu: the vCPU, loaded
 * @sregs: in
 *
 * Return: 0, or -EINVAL (unknown flags, PDPTEs for a guest without PAE paging, or
 * as for SET_SREGS), which changes nothing.
 */
int sregs2_set(struct vcpu *vcpu, const struct minikvm_sregs2 *sregs)
{
	bool valid = sregs->flags & MINIKVM_SREGS2_FLAGS_PDPTRS_VALID;
	struct minikvm_sregs common = {};
	int err;

	if (sregs->flags & ~(u64)MINIKVM_SREGS2_FLAGS_PDPTRS_VALID)
		return -EINVAL;
	if (valid && !uses_pdptrs(sregs->cr0, sregs->cr4, sregs->efer))
		return -EINVAL;
	memcpy(&common, sregs, SREGS_COMMON);
	err = sregs_set_common(vcpu, &common, !valid);
	if (err || !valid)
		return err;
	memcpy(vcpu->pdptrs, sregs->pdptrs, sizeof(vcpu->pdptrs));
	vendor->set_pdptrs(vcpu);
	return 0;
}

/* ---- reset -------------------------------------------------------------- */

static void reset_segment(struct vcpu *vcpu, int seg, u8 type, bool system)
{
	struct minikvm_segment s = {
		.limit = 0xffff, .type = type, .present = 1, .s = !system,
	};

	if (seg == SEG_CS) {
		s.selector = 0xf000;
		s.base = 0xffff0000;
	}
	vendor->set_segment(vcpu, &s, seg);
}

/* With the local APIC in userspace, its two registers that live here. */
static void userspace_apic_reset(struct vcpu *vcpu, bool init)
{
	vcpu->cr8 = 0;
	if (init)
		return;
	vcpu->apic_base = APIC_DEFAULT_PHYS_BASE | MSR_IA32_APICBASE_ENABLE;
	if (vcpu->id == vcpu->vm->bsp_id)
		vcpu->apic_base |= MSR_IA32_APICBASE_BSP;
}

/**
 * regs_reset - register values after power-on or INIT
 * @vcpu: the vCPU, loaded; the vendor has reset its own state
 * @init: INIT, which keeps the cache bits of CR0 and the x87 and SSE state
 *
 * Source: Intel SDM vol. 3A (December 2023), "Processor State After Reset",
 * table "IA-32 and Intel 64 Processor States Following Power-up, Reset, or
 * INIT".
 */
void regs_reset(struct vcpu *vcpu, bool init)
{
	const struct minikvm_dtable table = { .limit = 0xffff };
	unsigned long cr0 = X86_CR0_CD | X86_CR0_NW;
	struct minikvm_cpuid_entry2 *model;
	int seg;

	if (init)
		cr0 &= cr0_read(vcpu);
	if (!vcpu->maxphyaddr)
		cpuid_defaults(vcpu);

	for (seg = 0; seg < REG_RIP; seg++)
		vcpu->regs[seg] = 0;
	reg_write(vcpu, REG_RSP, 0);
	model = cpuid_find(vcpu, 1, 0);
	vcpu->regs[REG_RDX] = model ? model->eax : 0x600;
	reg_write(vcpu, REG_RIP, 0xfff0);
	rflags_write(vcpu, X86_EFLAGS_FIXED);

	vcpu->cr2 = 0;
	if (!vcpu->lapic)
		userspace_apic_reset(vcpu, init);
	vendor->set_efer(vcpu, 0);
	vendor->set_cr0(vcpu, cr0 | X86_CR0_ET);
	vendor->set_cr3(vcpu, 0);
	vendor->set_cr4(vcpu, 0);

	reset_segment(vcpu, SEG_CS, 0xb, false);
	for (seg = SEG_ES; seg <= SEG_GS; seg++)
		if (seg != SEG_CS)
			reset_segment(vcpu, seg, 3, false);
	reset_segment(vcpu, SEG_LDTR, 2, true);
	reset_segment(vcpu, SEG_TR, 0xb, true);
	vendor->set_gdt(vcpu, &table);
	vendor->set_idt(vcpu, &table);

	memset(vcpu->db, 0, sizeof(vcpu->db));
	dr_set(vcpu, 6, 0);
	dr_set(vcpu, 7, 0);
	cpuid_update_runtime(vcpu);
	vcpu_set_request(vcpu, REQ_TLB_FLUSH_GUEST);
}
