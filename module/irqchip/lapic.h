/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The local APIC as the rest of the module sees it.
 */
#ifndef MINIKVM_LAPIC_H
#define MINIKVM_LAPIC_H

#include "../minikvm.h"

/* Bits of vcpu->apic_events. */
#define APIC_EVENT_INIT		0
#define APIC_EVENT_SIPI		1

/*
 * Bits of vcpu->apic_attention: state of the APIC that the guest also sees in
 * its memory, and lapic_sync_*() keeps the same. Only the vCPU's own thread.
 */
#define APIC_ATTENTION_VAPIC	0
#define APIC_ATTENTION_PV_EOI	1	/* the guest may have ended an interrupt in memory */

int lapic_create(struct vcpu *vcpu);		/* sets vcpu->lapic; -ENOMEM */
void lapic_free(struct vcpu *vcpu);
void lapic_reset(struct vcpu *vcpu, bool init);

/* Interrupt delivery, any context (IRR bits are atomic). */
struct lapic_msg {
	u32 dest;
	u8 vector;
	u8 mode;		/* delivery mode, IRQ_MODE_* of apic_regs.h */
	u8 shorthand;
	bool logical;
	bool level;		/* ICR level bit: assert */
	bool trig_level;
};

/* Number of local APICs that took it; <0 none matched. @src NULL: from a chip. */
int lapic_deliver(struct vm *vm, struct vcpu *src, const struct lapic_msg *msg);
/* Would a chip's message reach this APIC? */
bool lapic_msg_is_for(struct vcpu *vcpu, const struct lapic_msg *msg);
void lapic_map_update(struct vm *vm);		/* ids changed: rebuild the fast map */
void lapic_map_free(struct vm *vm);

/* vCPU thread. Highest deliverable vector (PPR considered) or -1. */
int lapic_pending(struct vcpu *vcpu);
int lapic_highest_request(struct vcpu *vcpu);		/* -1: none; PPR not considered */
void lapic_accept(struct vcpu *vcpu, u8 vector);	/* IRR to ISR */
bool lapic_enabled(struct vcpu *vcpu);
void *lapic_regs_page(struct vcpu *vcpu);		/* as a virtual-APIC page */
bool lapic_accepts_pic(struct vcpu *vcpu);		/* LINT0 wired to the 8259 */
void lapic_nmi_wd(struct vcpu *vcpu);			/* LINT1/virtual wire NMI */
/*
 * Merge of LAPIC and 8259, also right without in-kernel chips (none pending).
 * vcpu_irq_ack() returns the vector and starts its service, or -1.
 */
bool vcpu_irq_pending(struct vcpu *vcpu);
int vcpu_irq_ack(struct vcpu *vcpu);

/* As vcpu_irq_pending(): is there one that the CPU does not deliver by itself? */
bool vcpu_irq_injectable(struct vcpu *vcpu);

/* lapic_virt.c: the CPU works on the register page. */
extern bool lapic_posting, lapic_tpr_mapped;
void lapic_eoi_vectors_changed(struct vm *vm);
void lapic_sync(struct vcpu *vcpu);
bool lapic_delivers(struct vcpu *vcpu);
void lapic_set_delivers(struct vcpu *vcpu, bool delivers);
void lapic_virtual_write(struct vcpu *vcpu, u32 offset);
void lapic_virtual_eoi(struct vcpu *vcpu, u8 vector);
void lapic_x2apic_reads(struct vcpu *vcpu, u64 *registers);
bool lapic_at_default(struct vcpu *vcpu);	/* an xAPIC at the default address */
bool lapic_is_x2apic(struct vcpu *vcpu);

/* Task priority, CR8. */
unsigned long lapic_get_cr8(struct vcpu *vcpu);
void lapic_set_tpr(struct vcpu *vcpu, unsigned long cr8);

/* MSRs: IA32_APIC_BASE (checked: -EINVAL), x2APIC 0x800..0x8ff, TSC deadline. */
int lapic_set_base(struct vcpu *vcpu, u64 value, bool host);
int lapic_msr_read(struct vcpu *vcpu, u32 msr, u64 *data);
int lapic_msr_write(struct vcpu *vcpu, u32 msr, u64 data);
u64 lapic_get_tsc_deadline(struct vcpu *vcpu);
void lapic_set_tsc_deadline(struct vcpu *vcpu, u64 tsc);

/* lapic_timer.c. vcpu_load: preemption off. */
void lapic_timer_migrate(struct vcpu *vcpu);
void lapic_timer_check(struct vcpu *vcpu);		/* vcpu->guest_timer may be over */
void lapic_timer_block(struct vcpu *vcpu);		/* about to sleep */
void lapic_timer_tsc_moved(struct vcpu *vcpu);		/* tsc_offset changed */

/* IA32_MCG_CAP, or CPUID, changed: what the version register says. */
void lapic_update_lvt_count(struct vcpu *vcpu);
void lapic_update_version(struct vcpu *vcpu);
void lapic_cmci(struct vcpu *vcpu);			/* a corrected machine check */

/*
 * lapic_vapic.c: SET_VAPIC_ADDR (-EINVAL), TPR_ACCESS_REPORTING (-EINVAL). In RUN,
 * preemption on: after each exit and before an entry with news, both only when
 * vcpu->apic_attention is not zero.
 */
int lapic_set_vapic_addr(struct vcpu *vcpu, gpa_t gpa);
int lapic_set_tpr_reporting(struct vcpu *vcpu, const struct minikvm_tpr_access_ctl *ctl);
void lapic_sync_from_guest(struct vcpu *vcpu);
void lapic_sync_to_guest(struct vcpu *vcpu);
enum exit_action lapic_tpr_access_exit(struct vcpu *vcpu);	/* REQ_TPR_ACCESS */

/* INIT and SIPI arrived: apply them (vCPU thread, before entry). */
bool lapic_has_events(struct vcpu *vcpu);
int lapic_accept_events(struct vcpu *vcpu);

int lapic_get_state(struct vcpu *vcpu, struct minikvm_lapic_state *s);
int lapic_set_state(struct vcpu *vcpu, const struct minikvm_lapic_state *s);

/* lapic_pv.c */
int lapic_set_pv_eoi(struct vcpu *vcpu, u64 data);	/* 0, -EINVAL */
long lapic_send_pv_ipi(struct vm *vm, const u64 *args, unsigned int width);

/* MMIO at APIC base: 0, -EOPNOTSUPP not this address or x2APIC/disabled. */
int lapic_mmio_read(struct vcpu *vcpu, gpa_t addr, int len, void *data);
int lapic_mmio_write(struct vcpu *vcpu, gpa_t addr, int len, const void *data);
#endif
