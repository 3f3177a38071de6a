/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Eventfds between a VM and its devices: a guest's write that signals one without an exit to the
 * VMM, and interrupts raised by signalling one. Where the accelerator lacks them, or refuses,
 * everything works as before: the write arrives on the bus, the interrupt goes by ioctl.
 */
#ifndef MKVM_VM_EVENT_H
#define MKVM_VM_EVENT_H

#include "types.h"

struct vm;

/**
 * struct vm_irq - one interrupt message of a device, and the eventfd that stands for it
 * @fd: -1: none yet
 * @gsi: its place in the routing table; 0: none yet
 * @generation: the VM that knows about it, as vm.generation
 * @address: the message it stands for there
 * @data: likewise
 *
 * The caller serialises all calls on one of them.
 */
struct vm_irq {
	int fd;
	unsigned int gsi;
	unsigned int generation;
	u64 address;
	u32 data;
};

/** vm_irq_init() - an interrupt that was never sent */
void vm_irq_init(struct vm_irq *irq);

/** vm_irq_destroy() - undo vm_irq_init(); it is not sent any more by any VM */
void vm_irq_destroy(struct vm *vm, struct vm_irq *irq);

/**
 * vm_irq_send() - send a message to the guest's CPUs; any thread
 * @vm: the VM
 * @irq: the interrupt; the first time, and when the guest has changed the message, the routing
 *	table is written
 * @address: of the message
 * @data: of the message
 */
void vm_irq_send(struct vm *vm, struct vm_irq *irq, u64 address, u32 data);

/**
 * vm_irq_open() - an eventfd for others to signal, in the interrupt's place
 * @vm: the VM
 * @irq: the interrupt; such a one is not sent with vm_irq_send()
 *
 * Return: the eventfd, owned by @irq and the same until vm_irq_destroy(); -1 if there are too many.
 */
int vm_irq_open(struct vm *vm, struct vm_irq *irq);

/**
 * vm_irq_attach() - let what signals the eventfd send a message; what was signalled before counts
 * @vm: the VM
 * @irq: the interrupt, after vm_irq_open()
 * @address: of the message
 * @data: of the message
 *
 * Return: true; false if the accelerator cannot do that: the events are left to who reads them.
 */
bool vm_irq_attach(struct vm *vm, struct vm_irq *irq, u64 address, u32 data);

/** vm_irq_detach() - undo that: on return the guest gets no more, and events stay in the eventfd */
void vm_irq_detach(struct vm *vm, struct vm_irq *irq);

/**
 * vm_doorbell() - let a guest's write to @gpa signal @fd instead of arriving on the bus, or not any
 *	more
 * @vm: the VM; registrations end with it
 * @gpa: the register, two bytes
 * @fd: eventfd
 * @on: begin or end
 */
void vm_doorbell(struct vm *vm, u64 gpa, int fd, bool on);

#endif
