/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The in-kernel interrupt chips as the rest of the module sees them: create
 * and destroy, raise a line, send an MSI, route GSIs.
 */
#ifndef MINIKVM_IRQCHIP_H
#define MINIKVM_IRQCHIP_H

#include "../minikvm.h"

/* Who drives a line: levels of different sources are ORed. */
#define IRQ_SOURCE_USER		0
#define IRQ_SOURCE_PIT		1
#define IRQ_SOURCE_RESAMPLE	2

/* CREATE_IRQCHIP: vm->lock held, no vCPU created yet (caller checks EEXIST/EINVAL). */
int irqchip_create(struct vm *vm);
/* split.c: ENABLE_CAP(SPLIT_IRQCHIP); takes vm->lock. -EINVAL, -EEXIST, -ENOMEM. */
int irqchip_create_split(struct vm *vm, u64 nr_reserved);
enum exit_action split_eoi_exit(struct vcpu *vcpu);	/* REQ_IOAPIC_EOI */
/* user_irq.c: INTERRUPT: -EINVAL, -ENXIO, -EEXIST. In RUN, or loaded: */
int vcpu_interrupt(struct vcpu *vcpu, u32 vector);
bool vcpu_wants_irq_window(struct vcpu *vcpu);
bool vcpu_ready_for_user_irq(struct vcpu *vcpu);
/* Teardown: nothing is sent any more; vCPUs do not run, but still exist. */
void irqchip_stop(struct vm *vm);
/* Teardown, vCPUs already gone; safe when never created. */
void irqchip_destroy(struct vm *vm);

/* CREATE_PIT2: vm->lock held. -EEXIST, -ENOMEM. */
int pit_create(struct vm *vm, u32 flags);
void pit_destroy(struct vm *vm);
int pit_set_reinject(struct vm *vm, bool reinject);	/* -ENXIO */
int pit_get_state(struct vm *vm, struct minikvm_pit_state2 *ps);
int pit_set_state(struct vm *vm, const struct minikvm_pit_state2 *ps);

/* GET/SET_IRQCHIP: -EINVAL unknown chip_id. */
int irqchip_get(struct vm *vm, struct minikvm_irqchip *chip);
int irqchip_set(struct vm *vm, const struct minikvm_irqchip *chip);

/*
 * Raise or lower a GSI through the routing table. Any context that may take
 * spinlocks (hard interrupt included). Returns <0 masked/ignored, 0 coalesced,
 * >0 delivered to that many, as IRQ_LINE_STATUS reports.
 */
int irq_set_level(struct vm *vm, u32 gsi, int level, int source);
/* An edge: the GSI goes high and low again. Same contexts. */
void irq_pulse(struct vm *vm, u32 gsi);
/* SIGNAL_MSI: as irq_set_level; -EINVAL on flags. */
int irq_send_msi(struct vm *vm, const struct minikvm_msi *msi);
/* SET_GSI_ROUTING: replaces the table. -EINVAL, -ENOMEM. */
int irq_set_routing(struct vm *vm, const struct minikvm_irq_routing_entry *entries,
		    u32 nr, u32 flags);
int irq_default_routing(struct vm *vm);

/* 8259: level of the INTR wire as last computed, and the INTA cycle. */
bool pic_intr(struct vm *vm);
int pic_read_irq(struct vm *vm);		/* vector, acknowledges */

/*
 * I/O APIC, also userspace's of a split irqchip: a LAPIC finished this vector;
 * @level: requested with level trigger.
 */
void ioapic_eoi(struct vcpu *vcpu, u8 vector, bool level);
bool ioapic_handles_vector(struct vm *vm, u8 vector);
void ioapic_eoi_vectors(struct vm *vm, unsigned long *vectors);
#endif
