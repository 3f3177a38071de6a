/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Owns what several ABI tests share: bad pointers and a guest that interrupts
 * can reach.
 */
#ifndef SELFTESTS_API_H
#define SELFTESTS_API_H

#include "vm.h"

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define BAD_PTR		((void *)8)	/* an address that is never mapped */

bool cpu_is_intel(void);
void *page_end(size_t size);
void test_efault(int fd, unsigned long cmd, size_t size, const char *name);

/* Port numbers the guests of these tests use. */
#define PORT_READY	0x10	/* the guest reached its loop */
#define PORT_IRQ	0x11	/* AL: vector of the interrupt that arrived */

/* A real-mode guest with interrupts on; see api.c. */
extern const unsigned char irq_guest[], irq_guest_end[];
void irq_guest_load(struct vm *vm);
void irq_guest_expect(struct vcpu *vcpu, uint32_t vector, const char *what);
void lapic_enable(struct vcpu *vcpu);
uint32_t lapic_read(struct vcpu *vcpu, unsigned int reg);

/* A guest that reads and stores at one address; see api.c. */
extern const unsigned char access_guest[], access_guest_end[];
void access_start(struct vcpu *vcpu, uint64_t gpa, uint32_t store);
void access_expect_read(struct vcpu *vcpu, uint32_t want, const char *what);

/* A guest that makes no exit, with interrupts on. */
extern const unsigned char spin_guest[], spin_guest_end[];

#endif
