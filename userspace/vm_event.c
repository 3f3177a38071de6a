// SPDX-License-Identifier: GPL-2.0
/*
 * Doorbells (IOEVENTFD) and interrupt messages (IRQFD and the routing table that it needs).
 */
#include <pthread.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "accel.h"
#include "vm_event.h"

#define NR_PINS		MINIKVM_IOAPIC_NUM_PINS
#define NR_PIC_LINES	16

/* Of the one VM there is. */
static pthread_mutex_t routes_lock = PTHREAD_MUTEX_INITIALIZER;

/* ---- the routing table ---------------------------------------------------------------------- */

struct routing {
	struct minikvm_irq_routing head;
	struct minikvm_irq_routing_entry entry[NR_PINS + NR_PIC_LINES + VM_MAX_IRQS];
};

static void add_pin(struct routing *r, unsigned int gsi, unsigned int chip, unsigned int pin)
{
	r->entry[r->head.nr++] = (struct minikvm_irq_routing_entry){
		.gsi = gsi,
		.type = MINIKVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

/* The accelerator's own table, and behind it a message for each interrupt this VM knows. */
static int write_routes(struct vm *vm)
{
	struct routing r = { .head.nr = 0 };
	unsigned int i;

	for (i = 0; i < NR_PINS; i++)
		add_pin(&r, i, MINIKVM_IRQCHIP_IOAPIC, i);
	for (i = 0; i < NR_PIC_LINES; i++)
		add_pin(&r, i, i < 8 ? MINIKVM_IRQCHIP_PIC_MASTER : MINIKVM_IRQCHIP_PIC_SLAVE,
			i % 8);
	for (i = 0; i < vm->nr_irqs; i++) {
		const struct vm_irq *irq = vm->irq[i];

		if (!irq || irq->generation != vm->generation)
			continue;
		r.entry[r.head.nr++] = (struct minikvm_irq_routing_entry){
			.gsi = irq->gsi,
			.type = MINIKVM_IRQ_ROUTING_MSI,
			.u.msi = {
				.address_lo = (u32)irq->address,
				.address_hi = (u32)(irq->address >> 32),
				.data = irq->data,
			},
		};
	}
	return ioctl(vm->fd, MINIKVM_SET_GSI_ROUTING, &r.head);
}

/* ---- interrupts ------------------------------------------------------------------------------- */

void vm_irq_init(struct vm_irq *irq)
{
	*irq = (struct vm_irq){ .fd = -1 };
}

void vm_irq_destroy(struct vm *vm, struct vm_irq *irq)
{
	pthread_mutex_lock(&routes_lock);
	if (irq->gsi)
		vm->irq[irq->gsi - NR_PINS] = NULL;
	pthread_mutex_unlock(&routes_lock);
	if (irq->fd >= 0)
		close(irq->fd);
	vm_irq_init(irq);
}

/* An eventfd and a place in the table, kept across resets of the guest. */
static bool irq_reserve(struct vm *vm, struct vm_irq *irq)
{
	if (irq->gsi)
		return true;
	if (vm->nr_irqs == VM_MAX_IRQS)
		return false;
	irq->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (irq->fd < 0)
		return false;
	irq->gsi = NR_PINS + vm->nr_irqs;
	vm->irq[vm->nr_irqs++] = irq;
	return true;
}

/* The eventfd raises this message in this VM; false: it cannot be had. */
static bool irq_ready(struct vm *vm, struct vm_irq *irq, u64 address, u32 data)
{
	struct minikvm_irqfd arg;
	bool known = irq->generation == vm->generation;

	if (known && irq->address == address && irq->data == data)
		return true;
	if (!vm->accel->irqfd || !irq_reserve(vm, irq))
		return false;
	irq->address = address;
	irq->data = data;
	irq->generation = vm->generation;
	arg = (struct minikvm_irqfd){ .fd = (u32)irq->fd, .gsi = irq->gsi };
	if (!write_routes(vm) && (known || !ioctl(vm->fd, MINIKVM_IRQFD, &arg)))
		return true;
	/* A table that was refused left the old one in force: ask anew the next time. */
	irq->generation = known ? irq->generation : 0;
	irq->address = ~0ull;
	return false;
}

void vm_irq_send(struct vm *vm, struct vm_irq *irq, u64 address, u32 data)
{
	u64 one = 1;
	bool ready;

	pthread_mutex_lock(&routes_lock);
	ready = irq_ready(vm, irq, address, data);
	pthread_mutex_unlock(&routes_lock);
	if (!ready || write(irq->fd, &one, sizeof(one)) != sizeof(one))
		vm_signal_msi(vm, address, data);
}

int vm_irq_open(struct vm *vm, struct vm_irq *irq)
{
	bool there;

	pthread_mutex_lock(&routes_lock);
	there = irq_reserve(vm, irq);
	pthread_mutex_unlock(&routes_lock);
	return there ? irq->fd : -1;
}

bool vm_irq_attach(struct vm *vm, struct vm_irq *irq, u64 address, u32 data)
{
	bool ready;

	pthread_mutex_lock(&routes_lock);
	ready = irq_ready(vm, irq, address, data);
	pthread_mutex_unlock(&routes_lock);
	/* One that was attached, and cannot be moved, would go on sending the old message. */
	if (!ready)
		vm_irq_detach(vm, irq);
	return ready;
}

void vm_irq_detach(struct vm *vm, struct vm_irq *irq)
{
	struct minikvm_irqfd arg = {
		.fd = (u32)irq->fd, .gsi = irq->gsi, .flags = MINIKVM_IRQFD_FLAG_DEASSIGN,
	};

	pthread_mutex_lock(&routes_lock);
	if (irq->gsi && irq->generation && irq->generation == vm->generation)
		(void)ioctl(vm->fd, MINIKVM_IRQFD, &arg);
	irq->generation = 0;
	pthread_mutex_unlock(&routes_lock);
}

/* ---- doorbells -------------------------------------------------------------------------------- */

void vm_doorbell(struct vm *vm, u64 gpa, int fd, bool on)
{
	struct minikvm_ioeventfd arg = {
		.addr = gpa,
		.len = vm->accel->any_length ? 0 : 2,
		.fd = fd,
		.flags = on ? 0 : MINIKVM_IOEVENTFD_FLAG_DEASSIGN,
	};

	/* Refused, the write comes to the bus; after a reset the old VM took it along. */
	if (vm->accel->ioeventfd)
		(void)ioctl(vm->fd, MINIKVM_IOEVENTFD, &arg);
}
