/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the interrupt chips of a VM share among themselves and with the routing
 * table. The rest of the module sees irqchip.h.
 */
#ifndef MINIKVM_CHIPS_H
#define MINIKVM_CHIPS_H

#include "../minikvm.h"

#define PIT_GSI		0	/* the line the PIT's channel 0 drives */

int ioapic_create(struct vm *vm);
void ioapic_stop(struct vm *vm);		/* before the vCPUs go */
void ioapic_destroy(struct vm *vm);
int ioapic_set_irq(struct vm *vm, int pin, int source, int level);
void ioapic_rescan(struct vm *vm);
void ioapic_get(struct vm *vm, struct minikvm_ioapic_state *s);
void ioapic_set(struct vm *vm, const struct minikvm_ioapic_state *s);

int pic_create(struct vm *vm);
void pic_destroy(struct vm *vm);
/* @pin: 0..7 master, 8..15 slave. */
int pic_set_irq(struct vm *vm, int pin, int source, int level);
void pic_get(struct vm *vm, int chip, struct minikvm_pic_state *s);
void pic_set(struct vm *vm, int chip, const struct minikvm_pic_state *s);

/* split.c: as ioapic_eoi(), for an I/O APIC in userspace. */
void split_eoi(struct vcpu *vcpu, u8 vector, bool level);

void irq_free_routing(struct vm *vm);
/* Does a reserved GSI send @vector to @vcpu, with level trigger mode? */
bool irq_eoi_routed(struct vcpu *vcpu, u8 vector);

/*
 * routing.c: a chip tells whoever listens to the GSI behind a pin. @pin: 0..7 on
 * either PIC. Called without any chip's lock.
 */
void irq_acked(struct vm *vm, u32 chip, u32 pin);
void irq_unmasked(struct vm *vm, u32 chip, u32 pin);
/* Does anyone want irq_acked() for the pin? Any lock. */
bool irq_ack_wanted(struct vm *vm, u32 chip, u32 pin);

/* pit.c: process context, without a chip's lock. */
void pit_acked(struct vm *vm);
void pit_unmasked(struct vm *vm);

#endif
