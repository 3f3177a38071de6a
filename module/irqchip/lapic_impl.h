/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files that make up the local APIC share among themselves.
 */
#ifndef MINIKVM_LAPIC_IMPL_H
#define MINIKVM_LAPIC_IMPL_H

#include <linux/hrtimer.h>

#include "../minikvm.h"
#include "apic_regs.h"
#include "lapic.h"

/**
 * struct lapic - one local APIC
 * @vcpu: whose
 * @regs: the register page, in struct minikvm_lapic_state's layout. IRR and
 *	TMR bits are set by anyone with atomic operations; all else belongs to
 *	the holder of vcpu->mutex, and to the CPU while it is in the guest.
 * @nr_lvt: entries of its local vector table: LAPIC_NR_LVT or LAPIC_MAX_LVT
 * @posts: others leave their requests in @posted and not in the IRR
 * @delivers: the CPU delivers interrupts from @regs itself; then @irr_pending
 *	and @isr_highest are not kept
 * @posted: vectors requested and not yet in the IRR; any context
 * @any_posted: false only if no bit of @posted is set
 * @was_sw_enabled: LAPIC_SVR_ENABLED as last acted upon
 * @irr_pending: false only if no IRR bit is set
 * @isr_highest: highest vector in service, -1 if none
 * @errors: BIT(ESR_*) since the last write of the ESR; any context
 * @timer: fires when the count reaches zero or the deadline is reached
 * @timer_cpu: where @timer was armed
 * @expires: when a count that times the guest ends, on the host's monotonic clock
 * @armed_tsc: the host's TSC when vcpu->guest_timer was set
 * @timer_mode: LVT_TIMER_* bits of the LVT entry, 0 for one-shot
 * @divide_shift: log2 of the divisor
 * @count_ns: length of the programmed initial count
 * @period_ns: the same, lengthened to the shortest period allowed
 * @tsc_deadline: guest TSC value armed, 0 if none
 * @vapic_addr: GPA of the guest's TPR in memory, 0 if none
 * @tpr_access_rip: what REQ_TPR_ACCESS reports, with @tpr_access_write
 * @tpr_access_write: the access was a write
 */
struct lapic {
	struct vcpu *vcpu;
	void *regs;
	int nr_lvt;
	bool posts;
	bool delivers;
	bool any_posted;
	bool was_sw_enabled;
	bool irr_pending;
	int isr_highest;
	unsigned long errors;
	DECLARE_BITMAP(posted, 256);

	struct hrtimer timer;
	int timer_cpu;
	ktime_t expires;
	u64 armed_tsc;
	u32 timer_mode;
	u32 divide_shift;
	u64 count_ns;
	u64 period_ns;
	u64 tsc_deadline;

	gpa_t vapic_addr;
	unsigned long tpr_access_rip;
	bool tpr_access_write;
};

static inline bool apic_base_enabled(u64 base)
{
	return base & APIC_BASE_ENABLE;
}

static inline bool apic_base_x2apic(u64 base)
{
	return (base & APIC_BASE_MODE) == APIC_BASE_MODE;
}

static inline bool apic_hw_enabled(const struct lapic *apic)
{
	return apic_base_enabled(READ_ONCE(apic->vcpu->apic_base));
}

static inline bool apic_x2apic(const struct lapic *apic)
{
	return apic_base_x2apic(READ_ONCE(apic->vcpu->apic_base));
}

static inline bool apic_sw_enabled(const struct lapic *apic)
{
	return apic_reg(apic->regs, LAPIC_SVR) & LAPIC_SVR_ENABLED;
}

/* Highest vector in service, -1 if none. */
static inline int apic_isr_highest(const struct lapic *apic)
{
	if (apic->delivers)
		return apic_vector_highest(apic->regs, LAPIC_ISR);
	return apic->isr_highest;
}

/* lapic.c: a local source (LVT entry) or an error; any context. */
void lapic_local_deliver(struct lapic *apic, u32 lvt);
void lapic_error(struct lapic *apic, int esr_bit);
void lapic_recheck(struct lapic *apic);		/* priority fell: look again */
void lapic_eoi(struct lapic *apic);
void lapic_eoi_broadcast(struct lapic *apic, u8 vector);

/* lapic_virt.c */
bool lapic_post(struct lapic *apic, u8 vector);
bool lapic_collect(struct lapic *apic);
void lapic_discard_posted(struct lapic *apic);

/* lapic_vapic.c */
void lapic_report_tpr(struct lapic *apic, bool write);

/* lapic_regs.c */
#define LAPIC_REG_BIT(offset)	BIT_ULL((offset) >> 4)
#define LAPIC_REG_BANK(offset)	(0xffull << ((offset) >> 4))

/* Registers that can be read in both modes. */
#define LAPIC_READABLE									\
	(LAPIC_REG_BIT(LAPIC_ID) | LAPIC_REG_BIT(LAPIC_VERSION) |			\
	 LAPIC_REG_BIT(LAPIC_TPR) | LAPIC_REG_BIT(LAPIC_PPR) |				\
	 LAPIC_REG_BIT(LAPIC_LDR) | LAPIC_REG_BIT(LAPIC_SVR) |				\
	 LAPIC_REG_BANK(LAPIC_ISR) | LAPIC_REG_BANK(LAPIC_TMR) |			\
	 LAPIC_REG_BANK(LAPIC_IRR) | LAPIC_REG_BIT(LAPIC_ESR) |				\
	 LAPIC_REG_BIT(LAPIC_ICR) | LAPIC_REG_BIT(LAPIC_LVTT) |				\
	 LAPIC_REG_BIT(LAPIC_LVT_THERMAL) | LAPIC_REG_BIT(LAPIC_LVT_PERF) |		\
	 LAPIC_REG_BIT(LAPIC_LVT_LINT0) | LAPIC_REG_BIT(LAPIC_LVT_LINT1) |		\
	 LAPIC_REG_BIT(LAPIC_LVT_ERROR) | LAPIC_REG_BIT(LAPIC_TMICT) |			\
	 LAPIC_REG_BIT(LAPIC_TMCCT) | LAPIC_REG_BIT(LAPIC_TDCR))

int lapic_reg_write(struct lapic *apic, u32 offset, u32 val);

/* lapic_pv.c: parts of lapic_sync_to_guest() and lapic_sync_from_guest() */
void lapic_pv_eoi_arm(struct lapic *apic);
void lapic_pv_eoi_collect(struct lapic *apic);

/* lapic_ipi.c: 1 taken, 0 not; any context. */
int lapic_take(struct lapic *apic, u8 mode, u8 vector, bool assert, bool level);
void lapic_send_ipi(struct lapic *apic, u32 icr, u32 dest);

/* lapic_timer.c; all but the callback by the holder of vcpu->mutex. */
void lapic_timer_init(struct lapic *apic);
void lapic_timer_settle(struct lapic *apic);	/* one that has run out and waits for a look */
void lapic_timer_stop(struct lapic *apic);
void lapic_timer_set_mode(struct lapic *apic);		/* LVTT changed */
void lapic_timer_set_divide(struct lapic *apic);	/* TDCR changed */
void lapic_timer_start(struct lapic *apic, u32 count);	/* from @count on; TMICT is set */
u32 lapic_timer_count(struct lapic *apic);

#endif
