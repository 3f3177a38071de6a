/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Tracepoints of the in-kernel interrupt chips: lines that are driven, messages
 * between the chips and the local APICs, register accesses, acknowledgments.
 *
 * As trace.h says: KVM's names, fields and text, in the system "minikvm". These
 * are called in any context, hard interrupts included.
 */
#undef TRACE_SYSTEM
#define TRACE_SYSTEM minikvm
/* trace.h has a variable of the system's name already. */
#undef TRACE_SYSTEM_VAR
#define TRACE_SYSTEM_VAR minikvm_irq

#if !defined(MINIKVM_TRACE_IRQ_H) || defined(TRACE_HEADER_MULTI_READ)
#define MINIKVM_TRACE_IRQ_H

#include <linux/tracepoint.h>
#include <asm/apicdef.h>

#include "minikvm.h"

#ifndef MINIKVM_TRACE_IRQ_NAMES
#define MINIKVM_TRACE_IRQ_NAMES

/* kvm_apic's rw. */
#define TRACE_APIC_READ		0
#define TRACE_APIC_WRITE	1

#define trace_names_delivery						\
	{ 0, "Fixed" }, { 1, "LowPrio" }, { 2, "SMI" }, { 3, "Res3" },	\
	{ 4, "NMI" }, { 5, "INIT" }, { 6, "SIPI" }, { 7, "ExtINT" }

#define trace_names_shorthand						\
	{ 0, "dst" }, { 1, "self" }, { 2, "all" }, { 3, "all-but-self" }

#define trace_names_chip						\
	{ MINIKVM_IRQCHIP_PIC_MASTER,	"PIC master" },			\
	{ MINIKVM_IRQCHIP_PIC_SLAVE,	"PIC slave" },			\
	{ MINIKVM_IRQCHIP_IOAPIC,	"IOAPIC" }

#define trace_names_apic						\
	{ APIC_ID, "APIC_ID" }, { APIC_LVR, "APIC_LVR" },		\
	{ APIC_TASKPRI, "APIC_TASKPRI" }, { APIC_ARBPRI, "APIC_ARBPRI" }, \
	{ APIC_PROCPRI, "APIC_PROCPRI" }, { APIC_EOI, "APIC_EOI" },	\
	{ APIC_RRR, "APIC_RRR" }, { APIC_LDR, "APIC_LDR" },		\
	{ APIC_DFR, "APIC_DFR" }, { APIC_SPIV, "APIC_SPIV" },		\
	{ APIC_ISR, "APIC_ISR" }, { APIC_TMR, "APIC_TMR" },		\
	{ APIC_IRR, "APIC_IRR" }, { APIC_ESR, "APIC_ESR" },		\
	{ APIC_ICR, "APIC_ICR" }, { APIC_ICR2, "APIC_ICR2" },		\
	{ APIC_LVTT, "APIC_LVTT" }, { APIC_LVTTHMR, "APIC_LVTTHMR" },	\
	{ APIC_LVTPC, "APIC_LVTPC" }, { APIC_LVT0, "APIC_LVT0" },	\
	{ APIC_LVT1, "APIC_LVT1" }, { APIC_LVTERR, "APIC_LVTERR" },	\
	{ APIC_TMICT, "APIC_TMICT" }, { APIC_TMCCT, "APIC_TMCCT" },	\
	{ APIC_TDCR, "APIC_TDCR" }, { APIC_SELF_IPI, "APIC_SELF_IPI" }

#endif /* MINIKVM_TRACE_IRQ_NAMES */

/* ---- local APIC ------------------------------------------------------------ */

/* @reg: offset in the register page, whichever way the guest reached it. */
TRACE_EVENT(kvm_apic,
	TP_PROTO(unsigned int rw, unsigned int reg, u64 val),
	TP_ARGS(rw, reg, val),
	TP_STRUCT__entry(
		__field(unsigned int, rw)
		__field(unsigned int, reg)
		__field(u64, val)
	),
	TP_fast_assign(
		__entry->rw = rw;
		__entry->reg = reg;
		__entry->val = val;
	),
	TP_printk("apic_%s %s = 0x%llx", __entry->rw ? "write" : "read",
		  __print_symbolic(__entry->reg, trace_names_apic), __entry->val)
);

TRACE_EVENT(kvm_apic_ipi,
	TP_PROTO(u32 icr_low, u32 dest_id),
	TP_ARGS(icr_low, dest_id),
	TP_STRUCT__entry(
		__field(u32, icr_low)
		__field(u32, dest_id)
	),
	TP_fast_assign(
		__entry->icr_low = icr_low;
		__entry->dest_id = dest_id;
	),
	TP_printk("dst %x vec %u (%s|%s|%s|%s|%s)", __entry->dest_id, (u8)__entry->icr_low,
		  __print_symbolic(__entry->icr_low >> 8 & 7, trace_names_delivery),
		  __entry->icr_low & BIT(11) ? "logical" : "physical",
		  __entry->icr_low & BIT(14) ? "assert" : "de-assert",
		  __entry->icr_low & BIT(15) ? "level" : "edge",
		  __print_symbolic(__entry->icr_low >> 18 & 3, trace_names_shorthand))
);

/* The APIC's timer was armed: by the CPU, which ends the guest's stay, or by the host. */
TRACE_EVENT(kvm_hv_timer_state,
	TP_PROTO(unsigned int vcpu_id, unsigned int hv_timer_in_use),
	TP_ARGS(vcpu_id, hv_timer_in_use),
	TP_STRUCT__entry(
		__field(unsigned int, vcpu_id)
		__field(unsigned int, hv_timer_in_use)
	),
	TP_fast_assign(
		__entry->vcpu_id = vcpu_id;
		__entry->hv_timer_in_use = hv_timer_in_use;
	),
	TP_printk("vcpu_id %x hv_timer %x", __entry->vcpu_id, __entry->hv_timer_in_use)
);

/*
 * An APIC has got a message. @dm: the delivery mode where the ICR has it, bits
 * 10:8; @tm: level triggered. kvm_apicv_accept_irq follows where the request is
 * posted for the CPU to deliver.
 */
DECLARE_EVENT_CLASS(minikvm_accept_irq,
	TP_PROTO(u32 apicid, u16 dm, u16 tm, u8 vec),
	TP_ARGS(apicid, dm, tm, vec),
	TP_STRUCT__entry(
		__field(u32, apicid)
		__field(u16, dm)
		__field(u16, tm)
		__field(u8, vec)
	),
	TP_fast_assign(
		__entry->apicid = apicid;
		__entry->dm = dm;
		__entry->tm = tm;
		__entry->vec = vec;
	),
	TP_printk("apicid %x vec %u (%s|%s)", __entry->apicid, __entry->vec,
		  __print_symbolic(__entry->dm >> 8 & 7, trace_names_delivery),
		  __entry->tm ? "level" : "edge")
);

DEFINE_EVENT(minikvm_accept_irq, kvm_apic_accept_irq,
	TP_PROTO(u32 apicid, u16 dm, u16 tm, u8 vec),
	TP_ARGS(apicid, dm, tm, vec)
);

DEFINE_EVENT(minikvm_accept_irq, kvm_apicv_accept_irq,
	TP_PROTO(u32 apicid, u16 dm, u16 tm, u8 vec),
	TP_ARGS(apicid, dm, tm, vec)
);

/* @vector: -1 when nothing was in service. */
DECLARE_EVENT_CLASS(minikvm_eoi,
	TP_PROTO(u32 apicid, int vector),
	TP_ARGS(apicid, vector),
	TP_STRUCT__entry(
		__field(u32, apicid)
		__field(int, vector)
	),
	TP_fast_assign(
		__entry->apicid = apicid;
		__entry->vector = vector;
	),
	TP_printk("apicid %x vector %d", __entry->apicid, __entry->vector)
);

DEFINE_EVENT(minikvm_eoi, kvm_eoi,
	TP_PROTO(u32 apicid, int vector),
	TP_ARGS(apicid, vector)
);

/* The guest did it in memory, and made no exit for it. */
DEFINE_EVENT(minikvm_eoi, kvm_pv_eoi,
	TP_PROTO(u32 apicid, int vector),
	TP_ARGS(apicid, vector)
);

/* ---- lines and messages ------------------------------------------------------ */

/* @irq_source_id: 0 userspace, else a source inside the module. */
TRACE_EVENT(kvm_set_irq,
	TP_PROTO(unsigned int gsi, int level, int irq_source_id),
	TP_ARGS(gsi, level, irq_source_id),
	TP_STRUCT__entry(
		__field(unsigned int, gsi)
		__field(int, level)
		__field(int, irq_source_id)
	),
	TP_fast_assign(
		__entry->gsi = gsi;
		__entry->level = level;
		__entry->irq_source_id = irq_source_id;
	),
	TP_printk("gsi %u level %d source %d", __entry->gsi, __entry->level,
		  __entry->irq_source_id)
);

/* @chip: 0 master, 1 slave; @pin: 0 to 7. */
TRACE_EVENT(kvm_pic_set_irq,
	TP_PROTO(u8 chip, u8 pin, u8 elcr, u8 imr, bool coalesced),
	TP_ARGS(chip, pin, elcr, imr, coalesced),
	TP_STRUCT__entry(
		__field(u8, chip)
		__field(u8, pin)
		__field(u8, elcr)
		__field(u8, imr)
		__field(bool, coalesced)
	),
	TP_fast_assign(
		__entry->chip = chip;
		__entry->pin = pin;
		__entry->elcr = elcr;
		__entry->imr = imr;
		__entry->coalesced = coalesced;
	),
	TP_printk("chip %u pin %u (%s%s)%s", __entry->chip, __entry->pin,
		  __entry->elcr & (1 << __entry->pin) ? "level" : "edge",
		  __entry->imr & (1 << __entry->pin) ? "|masked" : "",
		  __entry->coalesced ? " (coalesced)" : "")
);

/* @e: the pin's entry of the redirection table. */
TRACE_EVENT(kvm_ioapic_set_irq,
	TP_PROTO(u64 e, int pin, bool coalesced),
	TP_ARGS(e, pin, coalesced),
	TP_STRUCT__entry(
		__field(u64, e)
		__field(int, pin)
		__field(bool, coalesced)
	),
	TP_fast_assign(
		__entry->e = e;
		__entry->pin = pin;
		__entry->coalesced = coalesced;
	),
	TP_printk("pin %u dst %x vec %u (%s|%s|%s%s)%s", __entry->pin, (u8)(__entry->e >> 56),
		  (u8)__entry->e, __print_symbolic(__entry->e >> 8 & 7, trace_names_delivery),
		  __entry->e & BIT(11) ? "logical" : "physical",
		  __entry->e & BIT(15) ? "level" : "edge",
		  __entry->e & BIT(16) ? "|masked" : "",
		  __entry->coalesced ? " (coalesced)" : "")
);

TRACE_EVENT(kvm_msi_set_irq,
	TP_PROTO(u64 address, u64 data),
	TP_ARGS(address, data),
	TP_STRUCT__entry(
		__field(u64, address)
		__field(u64, data)
	),
	TP_fast_assign(
		__entry->address = address;
		__entry->data = data;
	),
	TP_printk("dst %llx vec %u (%s|%s|%s%s)",
		  (u8)(__entry->address >> 12) | (__entry->address >> 32 & 0xffffff00),
		  (u8)__entry->data, __print_symbolic(__entry->data >> 8 & 7, trace_names_delivery),
		  __entry->address & BIT(2) ? "logical" : "physical",
		  __entry->data & BIT(15) ? "level" : "edge",
		  __entry->address & BIT(3) ? "|rh" : "")
);

/* The guest finished an interrupt that came from this pin. */
TRACE_EVENT(kvm_ack_irq,
	TP_PROTO(unsigned int irqchip, unsigned int pin),
	TP_ARGS(irqchip, pin),
	TP_STRUCT__entry(
		__field(unsigned int, irqchip)
		__field(unsigned int, pin)
	),
	TP_fast_assign(
		__entry->irqchip = irqchip;
		__entry->pin = pin;
	),
	TP_printk("irqchip %s pin %u", __print_symbolic(__entry->irqchip, trace_names_chip),
		  __entry->pin)
);

#endif /* MINIKVM_TRACE_IRQ_H */

#undef TRACE_INCLUDE_PATH
#define TRACE_INCLUDE_PATH .
#undef TRACE_INCLUDE_FILE
#define TRACE_INCLUDE_FILE trace_irq

/* Outside the guard: read several times. */
#include <trace/define_trace.h>
