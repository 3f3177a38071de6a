// SPDX-License-Identifier: GPL-2.0
/*
 * The local APIC itself: its life, its reset, IA32_APIC_BASE, the priority of
 * what is requested against what is in service, and GET/SET_LAPIC.
 *
 * A request travels IRR -> ISR -> EOI. Anyone may set an IRR bit, from any
 * context; the bit is there before the REQ_EVENT that announces it. The rest
 * happens in the vCPU's own thread, so ISR, PPR and the cached highest vector
 * in service need no lock.
 *
 * Source: Intel SDM vol. 3A (December 2023), "Advanced Programmable Interrupt
 * Controller (APIC)": "Local APIC State", "Interrupt Acceptance for Fixed
 * Interrupts", "Task and Processor Priorities", "Signaling Interrupt Servicing
 * Completion"; "Extended XAPIC (x2APIC)": "x2APIC State Transitions".
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <linux/gfp.h>
#include <linux/slab.h>
#include <asm/cpufeatures.h>
#include <asm/mce.h>

#include "../minikvm.h"
#include "../trace_irq.h"
#include "../x86/x86.h"
#include "irqchip.h"
#include "lapic_impl.h"

/* ---- priority ------------------------------------------------------------- */

static int lapic_highest_irr(struct lapic *apic)
{
	/* Who told the CPU of the requests so far must tell it of these, too. */
	if (lapic_collect(apic) && apic->delivers)
		vcpu_set_request(apic->vcpu, REQ_EVENT);
	if (!READ_ONCE(apic->irr_pending))
		return -1;
	return apic_vector_highest(apic->regs, LAPIC_IRR);
}

static u32 lapic_update_ppr(struct lapic *apic)
{
	u32 ppr = apic_ppr(apic_reg(apic->regs, LAPIC_TPR), apic_isr_highest(apic));

	if (ppr != apic_reg(apic->regs, LAPIC_PPR))
		apic_reg_set(apic->regs, LAPIC_PPR, ppr);
	return ppr;
}

/**
 * lapic_pending - the vector the processor should be interrupted with
 * @vcpu: the vCPU, by its own thread
 *
 * Return: the highest requested vector if its class is above the processor
 * priority, else -1.
 */
int lapic_pending(struct vcpu *vcpu)
{
	struct lapic *apic = vcpu->lapic;
	int vector;

	if (!apic || !apic_hw_enabled(apic))
		return -1;
	vector = lapic_highest_irr(apic);
	if (vector < 0 || !apic_vector_passes(vector, lapic_update_ppr(apic)))
		return -1;
	return vector;
}

/**
 * lapic_highest_request - the highest vector requested, deliverable or not
 * @vcpu: the vCPU, by its own thread
 *
 * Return: the vector or -1; what a TPR threshold is computed from, which a guest
 * whose TPR is in memory needs none of.
 */
int lapic_highest_request(struct vcpu *vcpu)
{
	if (!vcpu->lapic || vcpu->lapic->vapic_addr)
		return -1;
	return lapic_highest_irr(vcpu->lapic);
}

/**
 * lapic_accept - the processor takes a vector: request becomes service
 * @vcpu: the vCPU, by its own thread
 * @vector: what lapic_pending() returned
 */
void lapic_accept(struct vcpu *vcpu, u8 vector)
{
	struct lapic *apic = vcpu->lapic;

	/*
	 * The flag falls before the bit and rises again after a look, so that a
	 * bit set meanwhile by someone else, who raises it too, is not lost.
	 */
	WRITE_ONCE(apic->irr_pending, false);
	smp_mb__before_atomic();	/* flag, then bit, */
	clear_bit(vector & 31, apic_vector_word(apic->regs, LAPIC_IRR, vector));
	smp_mb__after_atomic();		/* then the look */
	if (apic_vector_highest(apic->regs, LAPIC_IRR) >= 0)
		WRITE_ONCE(apic->irr_pending, true);

	__set_bit(vector & 31, apic_vector_word(apic->regs, LAPIC_ISR, vector));
	/* Only a vector above all in service gets here, but state can be set. */
	apic->isr_highest = max_t(int, apic->isr_highest, vector);
	lapic_update_ppr(apic);
}

/* The processor priority may have fallen: is something deliverable now? */
void lapic_recheck(struct lapic *apic)
{
	if (lapic_pending(apic->vcpu) >= 0)
		vcpu_set_request(apic->vcpu, REQ_EVENT);
}

/* A write of the EOI register: the highest vector in service is done. */
void lapic_eoi(struct lapic *apic)
{
	struct vcpu *vcpu = apic->vcpu;
	int vector = apic_isr_highest(apic);

	trace_kvm_eoi(vcpu->id, vector);
	/* An EOI with nothing in service is legal and does nothing. */
	if (vector < 0)
		return;
	__clear_bit(vector & 31, apic_vector_word(apic->regs, LAPIC_ISR, vector));
	apic->isr_highest = apic_vector_highest(apic->regs, LAPIC_ISR);
	lapic_sync(vcpu);

	lapic_eoi_broadcast(apic, vector);
	lapic_recheck(apic);
}

/* The service of @vector is over: who outside this APIC wants to know? */
void lapic_eoi_broadcast(struct lapic *apic, u8 vector)
{
	struct vcpu *vcpu = apic->vcpu;

	if (ioapic_handles_vector(vcpu->vm, vector))
		ioapic_eoi(vcpu, vector, apic_vector_test(apic->regs, LAPIC_TMR, vector));
}

/* ---- local sources ---------------------------------------------------------- */

/* Deliver what an LVT entry says, unless it is masked. Any context. */
void lapic_local_deliver(struct lapic *apic, u32 lvt_offset)
{
	u32 lvt = apic_reg(apic->regs, lvt_offset);

	if (!apic_hw_enabled(apic) || (lvt & LVT_MASKED))
		return;
	lapic_take(apic, LVT_MODE(lvt), lvt & LVT_VECTOR, true, lvt & LVT_LEVEL);
}

/*
 * Remember an error for the next look at the ESR and raise the error interrupt,
 * once per error. Any context.
 */
void lapic_error(struct lapic *apic, int esr_bit)
{
	u32 lvt = apic_reg(apic->regs, LAPIC_LVT_ERROR);

	if (test_and_set_bit(esr_bit, &apic->errors))
		return;
	/* An error entry with an illegal vector must not report itself. */
	if ((lvt & LVT_VECTOR) >= 16)
		lapic_local_deliver(apic, LAPIC_LVT_ERROR);
}

/**
 * lapic_cmci - a machine check was corrected, or needs no action
 * @vcpu: the vCPU, with an in-kernel APIC that has the CMCI entry
 * SDM: "Corrected Machine Check Error Interrupt".
 */
void lapic_cmci(struct vcpu *vcpu)
{
	lapic_local_deliver(vcpu->lapic, LAPIC_LVT_CMCI);
}

/**
 * lapic_nmi_wd - a PIT tick reaches LINT0
 * @vcpu: any vCPU
 *
 * Guests that route the PIT to LINT0 in NMI mode use it as a watchdog
 * (virtual wire mode). Other modes of LINT0 are served by the 8259.
 *
 * Context: any.
 */
void lapic_nmi_wd(struct vcpu *vcpu)
{
	struct lapic *apic = vcpu->lapic;

	if (apic && LVT_MODE(apic_reg(apic->regs, LAPIC_LVT_LINT0)) == IRQ_MODE_NMI)
		lapic_local_deliver(apic, LAPIC_LVT_LINT0);
}

/**
 * lapic_accepts_pic - does the 8259's INTR reach this processor
 * @vcpu: any vCPU
 *
 * Return: true if LINT0 is an unmasked ExtINT, or the APIC is disabled and LINT0
 * is the processor's INTR pin.
 *
 * Context: any.
 */
bool lapic_accepts_pic(struct vcpu *vcpu)
{
	struct lapic *apic = vcpu->lapic;
	u32 lvt;

	if (!apic)
		return false;
	if (!apic_hw_enabled(apic))
		return true;
	lvt = apic_reg(apic->regs, LAPIC_LVT_LINT0);
	return !(lvt & LVT_MASKED) && LVT_MODE(lvt) == IRQ_MODE_EXTINT;
}

/**
 * lapic_enabled - is the APIC enabled by hardware and software
 * @vcpu: any vCPU
 */
bool lapic_enabled(struct vcpu *vcpu)
{
	struct lapic *apic = vcpu->lapic;

	return apic && apic_hw_enabled(apic) && apic_sw_enabled(apic);
}

/**
 * lapic_regs_page - the page that holds the registers
 * @vcpu: a vCPU with an in-kernel APIC
 *
 * Return: its kernel address, page aligned; a vendor may hand it to the CPU as
 * the virtual-APIC page, of which only the TPR is then written behind our back.
 */
void *lapic_regs_page(struct vcpu *vcpu)
{
	return vcpu->lapic->regs;
}

/**
 * lapic_at_default - are the registers at the address where a PC has them
 * @vcpu: any vCPU
 *
 * Return: true for an xAPIC at 0xfee00000.
 */
bool lapic_at_default(struct vcpu *vcpu)
{
	u64 base = READ_ONCE(vcpu->apic_base) & ~(u64)APIC_BASE_BSP;

	return vcpu->lapic && base == (APIC_BASE_DEFAULT | APIC_BASE_ENABLE);
}

/**
 * lapic_is_x2apic - are the registers MSRs
 * @vcpu: any vCPU
 */
bool lapic_is_x2apic(struct vcpu *vcpu)
{
	return vcpu->lapic && apic_x2apic(vcpu->lapic);
}

/* ---- task priority ------------------------------------------------------------ */

/**
 * lapic_get_cr8 - the task priority class
 * @vcpu: a vCPU with an in-kernel APIC
 */
unsigned long lapic_get_cr8(struct vcpu *vcpu)
{
	return (apic_reg(vcpu->lapic->regs, LAPIC_TPR) & 0xf0) >> 4;
}

/**
 * lapic_set_tpr - a write of CR8
 * @vcpu: a vCPU with an in-kernel APIC, by its own thread
 * @cr8: bits 3:0 count
 */
void lapic_set_tpr(struct vcpu *vcpu, unsigned long cr8)
{
	apic_reg_set(vcpu->lapic->regs, LAPIC_TPR, (cr8 & 0xf) << 4);
	lapic_recheck(vcpu->lapic);
}

/* ---- IA32_APIC_BASE ------------------------------------------------------------- */

/* Value already checked; returns whether ids may have changed. */
static bool lapic_apply_base(struct vcpu *vcpu, u64 value)
{
	struct lapic *apic = vcpu->lapic;
	u64 changed = vcpu->apic_base ^ value;

	WRITE_ONCE(vcpu->apic_base, value);
	if (apic && changed)
		vendor->apic_changed(vcpu);
	if (changed & APIC_BASE_ENABLE)
		cpuid_update_runtime(vcpu);
	if (!apic || !(changed & APIC_BASE_MODE))
		return false;

	if (apic_base_x2apic(value)) {
		apic_reg_set(apic->regs, LAPIC_ID, vcpu->id);
		apic_reg_set(apic->regs, LAPIC_LDR, x2apic_ldr(vcpu->id));
	} else if (apic_base_enabled(value)) {
		apic_reg_set(apic->regs, LAPIC_ID, vcpu->id << 24);
		apic_reg_set(apic->regs, LAPIC_LDR, 0);
	}
	/* LINT0 may have become the INTR pin, or a vector deliverable. */
	vcpu_set_request(vcpu, REQ_EVENT);
	return true;
}

/**
 * lapic_set_base - a write of IA32_APIC_BASE
 * @vcpu: the vCPU, by the holder of its mutex; works without an in-kernel APIC
 * @value: new value
 * @host: written by userspace, which may make any transition
 *
 * The guest may go disabled -> xAPIC -> x2APIC -> disabled and xAPIC -> disabled.
 *
 * Return: 0; -EINVAL (guest: #GP) for reserved bits, x2APIC mode without CPUID
 * saying so, x2APIC without the enable bit, or a transition not allowed.
 * SDM: "Extended XAPIC (x2APIC)".
 */
int lapic_set_base(struct vcpu *vcpu, u64 value, bool host)
{
	u64 old = vcpu->apic_base;
	u64 reserved = vcpu->reserved_gpa_bits | GENMASK_ULL(63, 52) | APIC_BASE_LOW_RESERVED;

	if (!guest_has(vcpu, X86_FEATURE_X2APIC))
		reserved |= APIC_BASE_X2APIC;
	if (value & reserved)
		return -EINVAL;
	if ((value & APIC_BASE_MODE) == APIC_BASE_X2APIC)
		return -EINVAL;
	if (!host) {
		bool to_x2apic = apic_base_x2apic(value);

		/* Out of x2APIC only through disabled, into it only from xAPIC. */
		if (apic_base_x2apic(old) && apic_base_enabled(value) && !to_x2apic)
			return -EINVAL;
		if (!apic_base_enabled(old) && to_x2apic)
			return -EINVAL;
	}

	if (lapic_apply_base(vcpu, value))
		lapic_map_update(vcpu->vm);
	return 0;
}

/* ---- version --------------------------------------------------------------------- */

/**
 * lapic_update_version - what the version register says of this APIC
 * @vcpu: the vCPU, by the holder of its mutex; works without an in-kernel APIC
 *
 * The in-kernel I/O APIC has no EOI register, so directed EOI is offered only
 * where userspace has the I/O APIC.
 */
void lapic_update_version(struct vcpu *vcpu)
{
	struct lapic *apic = vcpu->lapic;
	u32 version;

	if (!apic)
		return;
	version = LAPIC_VERSION_VALUE(apic->nr_lvt);
	if (irqchip_split(vcpu->vm) && guest_has(vcpu, X86_FEATURE_X2APIC))
		version |= LAPIC_VERSION_DIRECTED_EOI;
	apic_reg_set(apic->regs, LAPIC_VERSION, version);
}

/**
 * lapic_update_lvt_count - IA32_MCG_CAP was set: is there a CMCI entry
 * @vcpu: the vCPU, with an in-kernel APIC, by the holder of its mutex
 */
void lapic_update_lvt_count(struct vcpu *vcpu)
{
	int nr_lvt = vcpu->mcg_cap & MCG_CMCI_P ? LAPIC_MAX_LVT : LAPIC_NR_LVT;
	struct lapic *apic = vcpu->lapic;

	if (nr_lvt == apic->nr_lvt)
		return;
	/* It starts like the others do. */
	if (nr_lvt > apic->nr_lvt)
		apic_reg_set(apic->regs, LAPIC_LVT_CMCI, LVT_MASKED);
	apic->nr_lvt = nr_lvt;
	lapic_update_version(vcpu);
}

/* ---- life ------------------------------------------------------------------------ */

/**
 * lapic_create - give a vCPU its local APIC
 * @vcpu: a vCPU under construction; lapic_reset() must follow
 *
 * Return: 0; -ENOMEM.
 */
int lapic_create(struct vcpu *vcpu)
{
	struct lapic *apic;

	apic = kzalloc(sizeof(*apic), GFP_KERNEL_ACCOUNT);
	if (!apic)
		return -ENOMEM;
	apic->regs = (void *)get_zeroed_page(GFP_KERNEL_ACCOUNT);
	if (!apic->regs) {
		kfree(apic);
		return -ENOMEM;
	}
	apic->vcpu = vcpu;
	apic->posts = lapic_posting;
	apic->isr_highest = -1;
	apic->nr_lvt = LAPIC_NR_LVT;
	lapic_timer_init(apic);
	vcpu->lapic = apic;
	return 0;
}

/**
 * lapic_free - undo lapic_create()
 * @vcpu: a vCPU that nobody can deliver to any more
 */
void lapic_free(struct vcpu *vcpu)
{
	struct lapic *apic = vcpu->lapic;

	if (!apic)
		return;
	vcpu->guest_timer = 0;
	lapic_timer_stop(apic);
	free_page((unsigned long)apic->regs);
	kfree(apic);
	vcpu->lapic = NULL;
}

static void lapic_reset_regs(struct lapic *apic)
{
	struct vcpu *vcpu = apic->vcpu;
	void *regs = apic->regs;
	int i;

	lapic_update_version(vcpu);
	for (i = 0; i < apic->nr_lvt; i++)
		apic_reg_set(regs, apic_lvt_offset(i), LVT_MASKED);
	/*
	 * Guests that never look at LINT0 expect what firmware would leave on
	 * the boot processor: the 8259 wired through.
	 */
	if (vcpu->id == vcpu->vm->bsp_id &&
	    vm_has_quirk(vcpu->vm, MINIKVM_X86_QUIRK_LINT0_REENABLED))
		apic_reg_set(regs, LAPIC_LVT_LINT0, IRQ_MODE_EXTINT << 8);

	apic_reg_set(regs, LAPIC_DFR, LAPIC_DFR_FLAT);
	apic_reg_set(regs, LAPIC_SVR, 0xff);
	apic_reg_set(regs, LAPIC_TPR, 0);
	apic_reg_set(regs, LAPIC_PPR, 0);
	apic_reg_set(regs, LAPIC_ESR, 0);
	apic_reg_set(regs, LAPIC_ICR, 0);
	apic_reg_set(regs, LAPIC_ICR2, 0);
	apic_reg_set(regs, LAPIC_TMICT, 0);
	apic_reg_set(regs, LAPIC_TMCCT, 0);
	apic_reg_set(regs, LAPIC_TDCR, 0);
	if (!apic_x2apic(apic))
		apic_reg_set(regs, LAPIC_LDR, 0);
	for (i = 0; i < 8; i++) {
		apic_reg_set(regs, LAPIC_IRR + i * 0x10, 0);
		apic_reg_set(regs, LAPIC_ISR + i * 0x10, 0);
		apic_reg_set(regs, LAPIC_TMR + i * 0x10, 0);
	}
	apic->isr_highest = -1;
	apic->was_sw_enabled = false;
	lapic_discard_posted(apic);
	/* Someone may be setting an IRR bit right now: a hint, so leave it up. */
	WRITE_ONCE(apic->irr_pending, true);
	WRITE_ONCE(apic->errors, 0);
}

/**
 * lapic_reset - power-up or INIT
 * @vcpu: the vCPU, by the holder of its mutex; sets vcpu->apic_base on power-up
 *	also without an in-kernel APIC
 * @init: INIT: the id and IA32_APIC_BASE stay
 */
void lapic_reset(struct vcpu *vcpu, bool init)
{
	struct lapic *apic = vcpu->lapic;

	if (apic)
		lapic_timer_stop(apic);
	vcpu->pv_eoi_msr = 0;
	if (!init) {
		u64 base = APIC_BASE_DEFAULT | APIC_BASE_ENABLE;

		if (vcpu->id == vcpu->vm->bsp_id)
			base |= APIC_BASE_BSP;
		lapic_apply_base(vcpu, base);
	}
	if (!apic)
		return;

	/* The id is set by power-up even where the mode did not change. */
	if (!init)
		apic_reg_set(apic->regs, LAPIC_ID, vcpu->id << 24);
	vcpu->apic_attention = 0;
	vendor->apic_changed(vcpu);
	lapic_reset_regs(apic);
	lapic_timer_set_mode(apic);
	lapic_timer_set_divide(apic);
	lapic_sync(vcpu);
	lapic_map_update(vcpu->vm);
	vcpu_set_request(vcpu, REQ_EVENT);
}

/* ---- GET_LAPIC, SET_LAPIC -------------------------------------------------------- */

/**
 * lapic_get_state - GET_LAPIC
 * @vcpu: the vCPU, by the holder of its mutex
 * @s: filled in; the id in bits 31:24 in either mode unless X2APIC_API gave it 32
 *	bits in x2APIC mode, the 64-bit ICR in two halves
 *
 * Return: 0; -EINVAL without an in-kernel APIC.
 */
int lapic_get_state(struct vcpu *vcpu, struct minikvm_lapic_state *s)
{
	struct lapic *apic = vcpu->lapic;
	u32 count;

	if (!apic)
		return -EINVAL;
	lapic_timer_settle(apic);
	lapic_sync(vcpu);
	lapic_update_ppr(apic);
	/* In this order a timer that fires meanwhile is seen at least once. */
	count = lapic_timer_count(apic);
	memcpy(s->regs, apic->regs, sizeof(s->regs));
	apic_reg_set(s->regs, LAPIC_TMCCT, count);
	if (apic_x2apic(apic) && !vcpu->vm->x2apic_format)
		apic_reg_set(s->regs, LAPIC_ID, vcpu->id << 24);
	return 0;
}

/**
 * lapic_set_state - SET_LAPIC
 * @vcpu: the vCPU, by the holder of its mutex; IA32_APIC_BASE is set before
 * @s: as lapic_get_state() gives it; a running count goes on from TMCCT. The
 *	version, and in x2APIC mode the id and the logical id, are not settable.
 *
 * Return: 0; -EINVAL without an in-kernel APIC, or for an id of 32 bits that is not
 * this vCPU's.
 */
int lapic_set_state(struct vcpu *vcpu, const struct minikvm_lapic_state *s)
{
	struct lapic *apic = vcpu->lapic;

	if (!apic)
		return -EINVAL;
	if (apic_x2apic(apic) && vcpu->vm->x2apic_format &&
	    apic_reg(s->regs, LAPIC_ID) != vcpu->id)
		return -EINVAL;
	lapic_timer_stop(apic);
	memcpy(apic->regs, s->regs, sizeof(s->regs));
	lapic_update_version(vcpu);
	if (apic_x2apic(apic)) {
		apic_reg_set(apic->regs, LAPIC_ID, vcpu->id);
		apic_reg_set(apic->regs, LAPIC_LDR, x2apic_ldr(vcpu->id));
	}
	WRITE_ONCE(apic->errors, 0);
	apic->was_sw_enabled = apic_sw_enabled(apic);
	apic->isr_highest = apic_vector_highest(apic->regs, LAPIC_ISR);
	lapic_discard_posted(apic);
	WRITE_ONCE(apic->irr_pending, true);
	lapic_update_ppr(apic);
	lapic_sync(vcpu);

	lapic_timer_set_mode(apic);
	lapic_timer_set_divide(apic);
	lapic_timer_start(apic, apic_reg(s->regs, LAPIC_TMCCT));
	apic_reg_set(apic->regs, LAPIC_TMCCT, 0);

	lapic_map_update(vcpu->vm);
	vcpu_set_request(vcpu, REQ_EVENT);
	return 0;
}
