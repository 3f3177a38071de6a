// SPDX-License-Identifier: GPL-2.0
/*
 * How the guest reaches the local APIC's registers: the xAPIC page, the x2APIC
 * MSRs, and what a write of each register does.
 *
 * Source: Intel SDM vol. 3A (December 2023), "Local APIC Register Address Map",
 * "x2APIC Register Address Space", "Reserved Bit Checking", "Local Vector
 * Table", "Spurious Interrupt", "Error Handling".
 */
#define pr_fmt(fmt) "minikvm: " fmt

#include <asm/cpufeatures.h>

#include "../minikvm.h"
#include "../trace_irq.h"
#include "../x86/x86.h"
#include "lapic_impl.h"

#define READABLE_XAPIC (LAPIC_REG_BIT(LAPIC_APR) | LAPIC_REG_BIT(LAPIC_DFR) |		\
			LAPIC_REG_BIT(LAPIC_ICR2))

/* Registers of the xAPIC page; touching anything else there is an error. */
#define DEFINED_XAPIC (LAPIC_READABLE | READABLE_XAPIC | LAPIC_REG_BIT(LAPIC_EOI))

/* Writable bits of LVTT, LVT_THERMAL, ... LVT_ERROR; the timer's mode is added. */
static const u32 lvt_writable[LAPIC_MAX_LVT] = {
	LVT_VECTOR | LVT_MASKED,
	LVT_VECTOR | LVT_MASKED | LVT_MODE_MASK,
	LVT_VECTOR | LVT_MASKED | LVT_MODE_MASK,
	LVT_VECTOR | LVT_MASKED | LVT_MODE_MASK | LVT_POLARITY | LVT_LEVEL,
	LVT_VECTOR | LVT_MASKED | LVT_MODE_MASK | LVT_POLARITY | LVT_LEVEL,
	LVT_VECTOR | LVT_MASKED,
	LVT_VECTOR | LVT_MASKED | LVT_MODE_MASK,	/* CMCI */
};

static bool lapic_readable(struct lapic *apic, u32 offset)
{
	u64 mask = LAPIC_READABLE;

	if (!apic_x2apic(apic))
		mask |= READABLE_XAPIC;
	if (apic->nr_lvt == LAPIC_MAX_LVT)
		mask |= LAPIC_REG_BIT(LAPIC_LVT_CMCI);
	return offset < 0x400 && (mask & LAPIC_REG_BIT(offset));
}

static u32 lapic_reg_read(struct lapic *apic, u32 offset)
{
	switch (offset) {
	case LAPIC_TPR:
		if (unlikely(apic->vcpu->report_tpr))
			lapic_report_tpr(apic, false);
		return apic_reg(apic->regs, offset);
	case LAPIC_TMCCT:
		return lapic_timer_count(apic);
	case LAPIC_PPR:
		return apic_ppr(apic_reg(apic->regs, LAPIC_TPR), apic_isr_highest(apic));
	case LAPIC_APR:
		/* Arbitration went away with the APIC bus. */
		return 0;
	default:
		return apic_reg(apic->regs, offset);
	}
}

/* ---- writes ------------------------------------------------------------------ */

static void lapic_write_svr(struct lapic *apic, u32 val)
{
	u32 mask = LAPIC_SVR_MASK;
	bool enabled = val & LAPIC_SVR_ENABLED;
	int i;

	if (apic_reg(apic->regs, LAPIC_VERSION) & LAPIC_VERSION_DIRECTED_EOI)
		mask |= LAPIC_SVR_DIRECTED_EOI;
	apic_reg_set(apic->regs, LAPIC_SVR, val & mask);
	/* The page cannot tell: the CPU may have written it before us. */
	if (enabled == apic->was_sw_enabled)
		return;
	apic->was_sw_enabled = enabled;
	/* Software disable masks every local source, for as long as it lasts. */
	for (i = 0; !enabled && i < apic->nr_lvt; i++) {
		u32 offset = apic_lvt_offset(i);

		apic_reg_set(apic->regs, offset, apic_reg(apic->regs, offset) | LVT_MASKED);
	}
	lapic_map_update(apic->vcpu->vm);
}

static void lapic_write_lvt(struct lapic *apic, u32 offset, u32 val)
{
	int nr = offset == LAPIC_LVT_CMCI ? LAPIC_NR_LVT : (offset - LAPIC_LVTT) >> 4;
	u32 writable = lvt_writable[nr];

	if (offset == LAPIC_LVTT) {
		writable |= LVT_TIMER_PERIODIC;
		if (guest_has(apic->vcpu, X86_FEATURE_TSC_DEADLINE_TIMER))
			writable |= LVT_TIMER_DEADLINE;
	}
	if (!apic_sw_enabled(apic))
		val |= LVT_MASKED;
	/* What went off before the write did so under the old entry. */
	if (offset == LAPIC_LVTT)
		lapic_timer_settle(apic);
	apic_reg_set(apic->regs, offset, val & writable);

	if (offset == LAPIC_LVTT)
		lapic_timer_set_mode(apic);
	/* Unmasked LINT0 may find the 8259's output high. */
	if (offset == LAPIC_LVT_LINT0)
		vcpu_set_request(apic->vcpu, REQ_EVENT);
}

static void lapic_write_tmict(struct lapic *apic, u32 val)
{
	if (apic->timer_mode == LVT_TIMER_DEADLINE)
		return;
	lapic_timer_stop(apic);
	apic_reg_set(apic->regs, LAPIC_TMICT, val);
	lapic_timer_start(apic, val);
}

/* Registers that only an xAPIC lets one write. */
static int lapic_write_xapic_only(struct lapic *apic, u32 offset, u32 val)
{
	if (apic_x2apic(apic))
		return -EINVAL;
	val = offset == LAPIC_DFR ? val | 0x0fffffff : val & 0xff000000;
	if (val == apic_reg(apic->regs, offset))
		return 0;
	apic_reg_set(apic->regs, offset, val);
	if (offset != LAPIC_ICR2)
		lapic_map_update(apic->vcpu->vm);
	return 0;
}

/* 0, or -EINVAL: no such register, read-only, or not in this mode. */
int lapic_reg_write(struct lapic *apic, u32 offset, u32 val)
{
	trace_kvm_apic(TRACE_APIC_WRITE, offset, val);
	switch (offset) {
	case LAPIC_EOI:
		if (val && apic_x2apic(apic))
			return -EINVAL;
		lapic_eoi(apic);
		return 0;
	case LAPIC_TPR:
		if (unlikely(apic->vcpu->report_tpr))
			lapic_report_tpr(apic, true);
		apic_reg_set(apic->regs, LAPIC_TPR, val & 0xff);
		lapic_recheck(apic);
		return 0;
	case LAPIC_ICR:
		/* Sent at once: the guest never sees it busy. */
		val &= ~(u32)ICR_BUSY;
		apic_reg_set(apic->regs, LAPIC_ICR, val);
		lapic_send_ipi(apic, val, apic_reg(apic->regs, LAPIC_ICR2) >> 24);
		return 0;
	case LAPIC_ID:
	case LAPIC_LDR:
	case LAPIC_DFR:
	case LAPIC_ICR2:
		return lapic_write_xapic_only(apic, offset, val);
	case LAPIC_SVR:
		lapic_write_svr(apic, val);
		return 0;
	case LAPIC_LVT_CMCI:
		if (apic->nr_lvt < LAPIC_MAX_LVT)
			return -EINVAL;
		lapic_write_lvt(apic, offset, val);
		return 0;
	case LAPIC_LVTT:
	case LAPIC_LVT_THERMAL:
	case LAPIC_LVT_PERF:
	case LAPIC_LVT_LINT0:
	case LAPIC_LVT_LINT1:
	case LAPIC_LVT_ERROR:
		lapic_write_lvt(apic, offset, val);
		return 0;
	case LAPIC_TMICT:
		lapic_write_tmict(apic, val);
		return 0;
	case LAPIC_TDCR:
		apic_reg_set(apic->regs, LAPIC_TDCR, val & LAPIC_TDCR_MASK);
		lapic_timer_set_divide(apic);
		return 0;
	case LAPIC_ESR:
		if (val && apic_x2apic(apic))
			return -EINVAL;
		/* A write shows the errors since the last one. */
		apic_reg_set(apic->regs, LAPIC_ESR, xchg(&apic->errors, 0));
		return 0;
	case LAPIC_SELF_IPI:
		if (!apic_x2apic(apic) || (val & ~ICR_VECTOR))
			return -EINVAL;
		lapic_send_ipi(apic, APIC_SHORT_SELF << 18 | val, 0);
		return 0;
	default:
		return -EINVAL;
	}
}

/* ---- x2APIC MSRs ---------------------------------------------------------------- */

/**
 * lapic_msr_read - RDMSR of 0x800 to 0x8ff
 * @vcpu: the vCPU, by the holder of its mutex
 * @msr: MSR number
 * @data: filled in
 *
 * Return: 0; -EINVAL (guest: #GP) outside x2APIC mode or for a register that
 * does not exist or cannot be read.
 */
int lapic_msr_read(struct vcpu *vcpu, u32 msr, u64 *data)
{
	struct lapic *apic = vcpu->lapic;
	u32 offset = (msr & 0xff) << 4;

	if (!apic || !apic_x2apic(apic) || !lapic_readable(apic, offset))
		return -EINVAL;
	*data = lapic_reg_read(apic, offset);
	if (offset == LAPIC_ICR)
		*data |= (u64)apic_reg(apic->regs, LAPIC_ICR2) << 32;
	trace_kvm_apic(TRACE_APIC_READ, offset, *data);
	return 0;
}

/**
 * lapic_msr_write - WRMSR of 0x800 to 0x8ff
 * @vcpu: the vCPU, by the holder of its mutex
 * @msr: MSR number
 * @data: new value
 *
 * Return: 0; -EINVAL (guest: #GP) outside x2APIC mode, for a register that does
 * not exist or cannot be written, or for reserved bits.
 */
int lapic_msr_write(struct vcpu *vcpu, u32 msr, u64 data)
{
	struct lapic *apic = vcpu->lapic;
	u32 offset = (msr & 0xff) << 4;

	if (!apic || !apic_x2apic(apic))
		return -EINVAL;
	if (offset == LAPIC_ICR) {
		if (data & ICR_X2APIC_RESERVED)
			return -EINVAL;
		/* There is no busy bit in this mode; it reads as zero. */
		data &= ~(u64)ICR_BUSY;
		trace_kvm_apic(TRACE_APIC_WRITE, offset, data);
		apic_reg_set(apic->regs, LAPIC_ICR, data);
		apic_reg_set(apic->regs, LAPIC_ICR2, data >> 32);
		lapic_send_ipi(apic, data, data >> 32);
		return 0;
	}
	if (data >> 32)
		return -EINVAL;
	return lapic_reg_write(apic, offset, data);
}

/* ---- the xAPIC page ---------------------------------------------------------------- */

/* The APIC whose page is at @addr, if this vCPU's is. */
static struct lapic *lapic_at(struct vcpu *vcpu, gpa_t addr)
{
	struct lapic *apic = vcpu->lapic;

	if (!apic || (addr ^ vcpu->apic_base) & ~(u64)(APIC_PAGE_SIZE - 1))
		return NULL;
	/* Off or in x2APIC mode it answers nothing, but hides what is behind it. */
	if ((vcpu->apic_base & APIC_BASE_MODE) != APIC_BASE_ENABLE &&
	    !vm_has_quirk(vcpu->vm, MINIKVM_X86_QUIRK_LAPIC_MMIO_HOLE))
		return NULL;
	return apic;
}

static bool lapic_is_hole(struct vcpu *vcpu)
{
	return (vcpu->apic_base & APIC_BASE_MODE) != APIC_BASE_ENABLE;
}

static void lapic_touch_undefined(struct lapic *apic, u32 offset)
{
	u64 defined = DEFINED_XAPIC;

	if (apic->nr_lvt == LAPIC_MAX_LVT)
		defined |= LAPIC_REG_BIT(LAPIC_LVT_CMCI);
	if (offset >= 0x400 || !(defined & LAPIC_REG_BIT(offset)))
		lapic_error(apic, ESR_REGISTER);
}

/**
 * lapic_mmio_read - a guest's read of the xAPIC page
 * @vcpu: the vCPU, by its own thread
 * @addr: GPA
 * @len: bytes, 1 to 8
 * @data: where they go; what no register answers reads as zero
 *
 * Return: 0; -EOPNOTSUPP when no APIC of this vCPU is at @addr.
 */
int lapic_mmio_read(struct vcpu *vcpu, gpa_t addr, int len, void *data)
{
	struct lapic *apic = lapic_at(vcpu, addr);
	u32 offset = addr & (APIC_PAGE_SIZE - 1);
	u32 val;

	if (!apic)
		return -EOPNOTSUPP;
	if (lapic_is_hole(vcpu)) {
		memset(data, 0xff, len);
		return 0;
	}
	memset(data, 0, len);
	if ((offset & 0xf) + len > 4)
		return 0;
	if (!lapic_readable(apic, offset & ~0xfu)) {
		lapic_touch_undefined(apic, offset);
		return 0;
	}
	val = lapic_reg_read(apic, offset & ~0xfu);
	trace_kvm_apic(TRACE_APIC_READ, offset & ~0xfu, val);
	memcpy(data, (char *)&val + (offset & 3), len);
	return 0;
}

/**
 * lapic_mmio_write - a guest's write to the xAPIC page
 * @vcpu: the vCPU, by its own thread
 * @addr: GPA
 * @len: bytes; only aligned writes of 4 count
 * @data: the bytes
 *
 * Return: 0; -EOPNOTSUPP when no APIC of this vCPU is at @addr.
 */
int lapic_mmio_write(struct vcpu *vcpu, gpa_t addr, int len, const void *data)
{
	struct lapic *apic = lapic_at(vcpu, addr);
	u32 offset = addr & (APIC_PAGE_SIZE - 1);
	u32 val;

	if (!apic)
		return -EOPNOTSUPP;
	if (lapic_is_hole(vcpu))
		return 0;
	if (len != 4 || (offset & 0xf))
		return 0;
	memcpy(&val, data, sizeof(val));
	/* Read-only and reserved registers swallow the write. */
	if (lapic_reg_write(apic, offset, val))
		lapic_touch_undefined(apic, offset);
	return 0;
}
