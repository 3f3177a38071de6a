/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The local APIC's register map and the arithmetic on it that needs nothing
 * else: no VM, no locks, no kernel services, so that it is tested hosted.
 *
 * Offsets are those of the xAPIC page; x2APIC MSR 0x800 + n is offset n << 4.
 * Source: Intel SDM vol. 3A (December 2023), "Advanced Programmable Interrupt
 * Controller (APIC)": "Local APIC Register Address Map", "Local Vector Table",
 * "Interrupt Command Register (ICR)", "Divide Configuration Register",
 * "Task and Processor Priorities".
 */
#ifndef MINIKVM_APIC_REGS_H
#define MINIKVM_APIC_REGS_H

#include <linux/bits.h>
#include <linux/compiler.h>
#include <linux/types.h>

/* IA32_APIC_BASE. */
#define APIC_BASE_DEFAULT	0xfee00000ull
#define APIC_BASE_BSP		BIT_ULL(8)
#define APIC_BASE_X2APIC	BIT_ULL(10)
#define APIC_BASE_ENABLE	BIT_ULL(11)
#define APIC_BASE_MODE		(APIC_BASE_X2APIC | APIC_BASE_ENABLE)
#define APIC_BASE_LOW_RESERVED	0x2ffull
#define APIC_PAGE_SIZE		0x1000

#define LAPIC_ID		0x020
#define LAPIC_VERSION		0x030
#define LAPIC_TPR		0x080
#define LAPIC_APR		0x090
#define LAPIC_PPR		0x0a0
#define LAPIC_EOI		0x0b0
#define LAPIC_LDR		0x0d0
#define LAPIC_DFR		0x0e0
#define LAPIC_SVR		0x0f0
#define LAPIC_ISR		0x100	/* eight registers each */
#define LAPIC_TMR		0x180
#define LAPIC_IRR		0x200
#define LAPIC_ESR		0x280
#define LAPIC_LVT_CMCI		0x2f0
#define LAPIC_ICR		0x300
#define LAPIC_ICR2		0x310
#define LAPIC_LVTT		0x320
#define LAPIC_LVT_THERMAL	0x330
#define LAPIC_LVT_PERF		0x340
#define LAPIC_LVT_LINT0		0x350
#define LAPIC_LVT_LINT1		0x360
#define LAPIC_LVT_ERROR		0x370
#define LAPIC_TMICT		0x380
#define LAPIC_TMCCT		0x390
#define LAPIC_TDCR		0x3e0
#define LAPIC_SELF_IPI		0x3f0

#define LAPIC_NR_LVT		6	/* LVTT to LVT_ERROR */
#define LAPIC_MAX_LVT		7	/* and LVT_CMCI, if IA32_MCG_CAP has it */
#define LAPIC_VERSION_VALUE(nr_lvt)	(0x14 | ((nr_lvt) - 1) << 16)
#define LAPIC_VERSION_DIRECTED_EOI	BIT(24)

#define LAPIC_SVR_ENABLED	BIT(8)
#define LAPIC_SVR_MASK		0x3ffu	/* vector, enable, focus */
#define LAPIC_SVR_DIRECTED_EOI	BIT(12)	/* if the version has it */
#define LAPIC_DFR_FLAT		0xffffffffu
#define LAPIC_DFR_CLUSTER	0x0fffffffu
#define LAPIC_TDCR_MASK		0xbu

/* Delivery modes, as in ICR and LVT bits 10:8. */
#define IRQ_MODE_FIXED		0
#define IRQ_MODE_LOWEST	1
#define IRQ_MODE_SMI		2
#define IRQ_MODE_REMOTE_READ	3
#define IRQ_MODE_NMI		4
#define IRQ_MODE_INIT		5
#define IRQ_MODE_STARTUP	6
#define IRQ_MODE_EXTINT	7

/* LVT entries. */
#define LVT_VECTOR		0xffu
#define LVT_MODE(lvt)		(((lvt) >> 8) & 7)
#define LVT_MODE_MASK		(7u << 8)
#define LVT_POLARITY		BIT(13)
#define LVT_LEVEL		BIT(15)
#define LVT_MASKED		BIT(16)
#define LVT_TIMER_PERIODIC	BIT(17)
#define LVT_TIMER_DEADLINE	BIT(18)

/* ICR, low half. */
#define ICR_VECTOR		0xffu
#define ICR_MODE(icr)		(((icr) >> 8) & 7)
#define ICR_LOGICAL		BIT(11)
#define ICR_BUSY		BIT(12)
#define ICR_ASSERT		BIT(14)
#define ICR_LEVEL		BIT(15)
#define ICR_SHORTHAND(icr)	(((icr) >> 18) & 3)
#define ICR_X2APIC_RESERVED	(GENMASK_ULL(31, 20) | GENMASK_ULL(17, 16) | BIT_ULL(13))

/* Destination shorthands. */
#define APIC_SHORT_NONE		0
#define APIC_SHORT_SELF		1
#define APIC_SHORT_ALL		2
#define APIC_SHORT_OTHERS	3

#define APIC_BROADCAST		0xffu
#define X2APIC_BROADCAST	0xffffffffu

/* Error status register. */
#define ESR_REDIRECTABLE_IPI	4
#define ESR_SEND_VECTOR		5
#define ESR_RECEIVE_VECTOR	6
#define ESR_REGISTER		7

/* The LVT's entries are in a row, but for the youngest. */
static inline u32 apic_lvt_offset(int nr)
{
	return nr < LAPIC_NR_LVT ? LAPIC_LVTT + nr * 0x10 : LAPIC_LVT_CMCI;
}

static inline u32 apic_reg(const void *regs, u32 offset)
{
	return READ_ONCE(*(const u32 *)(regs + offset));
}

static inline void apic_reg_set(void *regs, u32 offset, u32 val)
{
	WRITE_ONCE(*(u32 *)(regs + offset), val);
}

/* The 256 bits of IRR, ISR and TMR: 32 in the first word of every 16 bytes. */
static inline unsigned long *apic_vector_word(void *regs, u32 bank, u8 vector)
{
	return (unsigned long *)(regs + bank + (vector >> 5) * 0x10);
}

static inline bool apic_vector_test(void *regs, u32 bank, u8 vector)
{
	return apic_reg(regs, bank + (vector >> 5) * 0x10) & (1u << (vector & 31));
}

/* Highest vector set in a bank, or -1. */
static inline int apic_vector_highest(const void *regs, u32 bank)
{
	int word;

	for (word = 7; word >= 0; word--) {
		u32 bits = apic_reg(regs, bank + word * 0x10);

		if (bits)
			return word * 32 + 31 - __builtin_clz(bits);
	}
	return -1;
}

/* Processor priority from the task priority and the highest vector in service. */
static inline u32 apic_ppr(u32 tpr, int isr)
{
	u32 service = isr < 0 ? 0 : isr & 0xf0;

	return (tpr & 0xf0) >= service ? tpr & 0xff : service;
}

/* Does a vector get past a processor priority? */
static inline bool apic_vector_passes(int vector, u32 ppr)
{
	return vector >= 0 && ((u32)vector & 0xf0) > (ppr & 0xf0);
}

/* log2 of the timer's divisor: register values 0..3, 8..10 are 2..128, 11 is 1. */
static inline u32 apic_divide_shift(u32 tdcr)
{
	u32 code = (tdcr & 3) | ((tdcr & 8) >> 1);

	return (code + 1) & 7;
}

/* The logical id is fixed in x2APIC mode: cluster in bits 31:16, one of 16 below. */
static inline u32 x2apic_ldr(u32 id)
{
	return (id >> 4) << 16 | 1u << (id & 0xf);
}

static inline bool x2apic_logical_match(u32 ldr, u32 dest)
{
	return ldr >> 16 == dest >> 16 && (ldr & dest & 0xffff);
}

/* Logical destination of an xAPIC: @ldr and @dfr are the registers as they are. */
static inline bool xapic_logical_match(u32 ldr, u32 dfr, u32 dest)
{
	u32 id = ldr >> 24;

	switch (dfr) {
	case LAPIC_DFR_FLAT:
		return id & dest & 0xff;
	case LAPIC_DFR_CLUSTER:
		return id >> 4 == dest >> 4 && (id & dest & 0xf);
	default:
		return false;
	}
}

#endif
