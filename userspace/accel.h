/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The accelerator (/dev/minikvm or /dev/kvm: same ABI) and a virtual machine on it, as ioctl
 * wrappers.
 */
#ifndef MKVM_ACCEL_H
#define MKVM_ACCEL_H

#include "minikvm.h"
#include "types.h"

struct guest_mem;
struct vm_irq;

/**
 * struct accel - an open accelerator device
 * @path: its path, for messages
 * @fd: the device
 * @run_size: bytes of a vCPU's run mapping
 * @max_vcpus: how many vCPUs one VM may have
 * @immediate_exit: run->immediate_exit works; otherwise SET_SIGNAL_MASK is used to stop a vCPU
 * @tsc_deadline: the in-kernel local APIC offers TSC-deadline mode
 * @ioeventfd: guest writes can signal eventfds
 * @any_length: those of any length at once
 * @irqfd: eventfds can interrupt the guest
 * @cpuid: what the accelerator can offer a guest; freed by accel_close()
 */
struct accel {
	const char *path;
	int fd;
	size_t run_size;
	unsigned int max_vcpus;
	bool immediate_exit;
	bool tsc_deadline;
	bool ioeventfd;
	bool any_length;
	bool irqfd;
	struct minikvm_cpuid2 *cpuid;
};

#define VM_MAX_IRQS	256

/**
 * struct vm - a virtual machine
 * @accel: where it lives
 * @fd: VM fd; -1 between vm_destroy() and the next vm_create()
 * @generation: counts vm_create(); 0: there was none yet
 * @irq: interrupts with a place in the routing table; of vm_event.c, as is @nr_irqs
 * @nr_irqs: entries of @irq
 *
 * The structure outlives the fd: devices keep a pointer to it across a guest reset, which makes a
 * new VM.
 */
struct vm {
	struct accel *accel;
	int fd;
	unsigned int generation;
	struct vm_irq *irq[VM_MAX_IRQS];
	unsigned int nr_irqs;
};

/**
 * accel_open() - open the device and check that it can run the machine
 * @accel: filled in
 * @name: "minikvm", "kvm" or a path that contains a slash
 *
 * Return: 0, or -1 after a report that says what is missing and what to do.
 */
int accel_open(struct accel *accel, const char *name);

/** accel_close() - close the device and free its table; harmless after a failed accel_open() */
void accel_close(struct accel *accel);

/**
 * vm_create() - make a VM with in-kernel interrupt controllers and timer, and give it its RAM
 * @vm: vm->accel is set by the caller
 * @mem: RAM; must outlive the VM
 *
 * Return: 0, or -1 after a report; nothing is left open.
 */
int vm_create(struct vm *vm, const struct guest_mem *mem);

/**
 * vm_destroy() - close the VM fd; all its vCPU fds must be closed already for its memory to be
 *	freed now
 * @vm: the VM
 */
void vm_destroy(struct vm *vm);

/** vm_irq_line() - drive a GSI high or low; any thread */
void vm_irq_line(struct vm *vm, unsigned int gsi, bool level);

/** vm_signal_msi() - deliver one message-signalled interrupt; any thread */
void vm_signal_msi(struct vm *vm, u64 address, u32 data);

#endif
