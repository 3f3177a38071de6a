// SPDX-License-Identifier: GPL-2.0
/*
 * Eventfds that interrupt a guest: as a message, as an edge and as a level with resample, to a CPU that
 * runs and to one that halts, from another thread and from the guest's own write (an eventfd that is
 * an ioeventfd as well).
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "gvm.h"

#define IOAPIC		0xfec00000ul
#define REDIR(pin)	(0x10 + 2 * (pin))
#define R_LEVEL		(1u << 15)
#define R_REMOTE_IRR	(1u << 14)
#define R_MASKED	(1u << 16)

#define PORT		0x510
#define GSI_MSI		40
#define PIN_EDGE	10
#define PIN_LEVEL	11
#define PIN_EDGE_ACKED	12
#define VEC_MSI		0x51
#define VEC_MSI_NEW	0x71
#define VEC_EDGE	0x52
#define VEC_LEVEL	0x53
#define VEC_EDGE_ACKED	0x54

#define KICKS		100

/* What the guest asks the host to do, with an eventfd or a vector as the value. */
enum request { SIGNAL, SIGNAL_LATER, COUNT, ROUTE, DEASSIGN };

/* The eventfds: those that raise something, then those that hear of the acknowledgment. */
enum { MSI, EDGE, LEVEL_A, LEVEL_B, EDGE_ACKED, ACK_A, ACK_B, ACK_EDGE, NR_FDS };

static volatile uint64_t hits[256], reply;
static volatile bool hold_eoi;

static void on_irq(struct guest_trap_frame *f)
{
	hits[f->vector]++;
	if (!hold_eoi)
		apic_write(APIC_EOI, 0);
}

static uint32_t io_read(unsigned int reg)
{
	*(volatile uint32_t *)IOAPIC = reg;
	return *(volatile uint32_t *)(IOAPIC + 0x10);
}

static void route(unsigned int pin, uint32_t lo)
{
	*(volatile uint32_t *)IOAPIC = REDIR(pin);
	*(volatile uint32_t *)(IOAPIC + 0x10) = lo;
}

static uint64_t ask(enum request what, uint64_t value)
{
	guest_sync(what, value);
	return reply;
}

/* KVM raises pins from a work queue, so an interrupt may take its time: wait for it, then for more. */
static void window(unsigned int vector, uint64_t want)
{
	unsigned int i;

	sti();
	guest_wait(&hits[vector], want, 20000);
	for (i = 0; i < 200; i++)
		guest_relax();
	cli();
}

static void message(void)
{
	ask(SIGNAL, MSI);
	window(VEC_MSI, 1);
	guest_eq(hits[VEC_MSI], 1, "message: one event, one interrupt");
	guest_eq(ask(COUNT, MSI), 0, "message: the event is consumed");
	ask(SIGNAL, MSI);
	ask(SIGNAL, MSI);
	window(VEC_MSI, 2);
	guest_eq(hits[VEC_MSI], 2, "message: two while interrupts are off are one");
	ask(ROUTE, VEC_MSI_NEW);
	ask(SIGNAL, MSI);
	window(VEC_MSI_NEW, 1);
	guest_check(hits[VEC_MSI] == 2 && hits[VEC_MSI_NEW] == 1, "message: a new route counts at once");
	ask(ROUTE, VEC_MSI);
}

static void edge(void)
{
	route(PIN_EDGE, VEC_EDGE);
	ask(SIGNAL, EDGE);
	window(VEC_EDGE, 1);
	guest_eq(hits[VEC_EDGE], 1, "edge: one event, one interrupt");
	ask(SIGNAL, EDGE);
	window(VEC_EDGE, 2);
	guest_eq(hits[VEC_EDGE], 2, "edge: the line has fallen again by itself");
	route(PIN_EDGE, VEC_EDGE | R_MASKED);
	ask(SIGNAL, EDGE);
	window(VEC_EDGE, 2);
	route(PIN_EDGE, VEC_EDGE);
	window(VEC_EDGE, 2);
	guest_eq(hits[VEC_EDGE], 2, "edge: masked, it is lost");
}

static void level(void)
{
	route(PIN_LEVEL, VEC_LEVEL | R_LEVEL);
	hold_eoi = true;
	ask(SIGNAL, LEVEL_A);
	window(VEC_LEVEL, 1);
	guest_eq(hits[VEC_LEVEL], 1, "level: one event, one interrupt");
	guest_check(io_read(REDIR(PIN_LEVEL)) & R_REMOTE_IRR, "level: it waits for the EOI");
	guest_eq(ask(COUNT, ACK_A), 0, "level: nothing is acknowledged before");
	ask(SIGNAL, LEVEL_B);
	window(VEC_LEVEL, 2);
	guest_eq(hits[VEC_LEVEL], 1, "level: another device of the line adds nothing");
	hold_eoi = false;
	apic_write(APIC_EOI, 0);
	window(VEC_LEVEL, 2);
	guest_eq(hits[VEC_LEVEL], 1, "level: the EOI lowers the line");
	guest_check(!(io_read(REDIR(PIN_LEVEL)) & R_REMOTE_IRR), "level: nothing waits any more");
	guest_eq(ask(COUNT, ACK_A), 1, "level: the first device hears of the EOI");
	guest_eq(ask(COUNT, ACK_B), 1, "level: the second one as well");
	ask(SIGNAL, LEVEL_A);
	window(VEC_LEVEL, 2);
	guest_check(hits[VEC_LEVEL] == 2 && ask(COUNT, ACK_A) == 1, "level: asserted again, acknowledged again");
	ask(DEASSIGN, LEVEL_B);
	ask(COUNT, ACK_B);
	ask(SIGNAL, LEVEL_A);
	window(VEC_LEVEL, 3);
	guest_check(hits[VEC_LEVEL] == 3 && ask(COUNT, ACK_A) == 1, "level: one device goes, the other works on");
	guest_eq(ask(COUNT, ACK_B), 0, "level: who is gone hears nothing");
	hold_eoi = true;
	ask(SIGNAL, LEVEL_A);
	window(VEC_LEVEL, 4);
	ask(DEASSIGN, LEVEL_A);
	hold_eoi = false;
	apic_write(APIC_EOI, 0);
	window(VEC_LEVEL, 5);
	guest_eq(hits[VEC_LEVEL], 4, "level: the last device takes its level along");

	route(PIN_EDGE_ACKED, VEC_EDGE_ACKED);
	ask(SIGNAL, EDGE_ACKED);
	window(VEC_EDGE_ACKED, 1);
	guest_eq(hits[VEC_EDGE_ACKED], 1, "edge with resample: one interrupt");
	guest_eq(ask(COUNT, ACK_EDGE), 1, "edge with resample: the EOI is told as well");
	ask(SIGNAL, EDGE_ACKED);
	window(VEC_EDGE_ACKED, 2);
	guest_eq(hits[VEC_EDGE_ACKED], 2, "edge with resample: and has lowered the line");
}

static void threads(void)
{
	uint64_t before = hits[VEC_MSI], spins;
	unsigned int i;

	ask(SIGNAL_LATER, MSI);
	while (hits[VEC_MSI] == before)
		sti_hlt_cli();
	guest_eq(hits[VEC_MSI], before + 1, "from another thread: wakes a halted CPU");
	ask(SIGNAL_LATER, MSI);
	sti();
	for (spins = 0; hits[VEC_MSI] == before + 1 && spins < 2000000000; spins++)
		;
	cli();
	guest_eq(hits[VEC_MSI], before + 2, "from another thread: interrupts one that makes no exit");
	ask(SIGNAL_LATER, EDGE);
	before = hits[VEC_EDGE];
	while (hits[VEC_EDGE] == before)
		sti_hlt_cli();
	guest_check(true, "from another thread: a pin wakes a halted CPU");

	before = hits[VEC_MSI];
	sti();
	for (i = 0; i < KICKS; i++) {
		outb(PORT, 0);
		if (hits[VEC_MSI] != before + i + 1)
			break;
	}
	cli();
	guest_eq(i, KICKS, "the guest's own write interrupts it before its next instruction, each time");
}

static void guest_main(void)
{
	static const uint8_t vectors[] = { VEC_MSI, VEC_MSI_NEW, VEC_EDGE, VEC_LEVEL, VEC_EDGE_ACKED };
	unsigned int i;

	for (i = 0; i < sizeof(vectors); i++)
		guest_set_handler(vectors[i], on_irq);
	apic_enable();
	message();
	edge();
	level();
	threads();
	guest_done();
}

static int fds[NR_FDS];

static void set_routes(struct gvm *vm, uint32_t msi_vector)
{
	static const uint32_t pins[] = { PIN_EDGE, PIN_LEVEL, PIN_EDGE_ACKED };
	struct {
		struct minikvm_irq_routing head;
		struct minikvm_irq_routing_entry entry[4];
	} t = { .head = { .nr = 4 } };
	unsigned int i;

	for (i = 0; i < 3; i++)
		t.entry[i] = (struct minikvm_irq_routing_entry){
			.gsi = pins[i], .type = MINIKVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip = { .irqchip = MINIKVM_IRQCHIP_IOAPIC, .pin = pins[i] },
		};
	t.entry[3] = (struct minikvm_irq_routing_entry){
		.gsi = GSI_MSI, .type = MINIKVM_IRQ_ROUTING_MSI,
		.u.msi = { .address_lo = 0xfee00000, .data = msi_vector },
	};
	GVM_IOCTL(vm->fd, MINIKVM_SET_GSI_ROUTING, &t.head);
}

static void irqfd(struct gvm *vm, unsigned int fd, uint32_t gsi, uint32_t flags, unsigned int ack)
{
	struct minikvm_irqfd arg = { .fd = fds[fd], .gsi = gsi, .flags = flags, .resamplefd = fds[ack] };

	GVM_IOCTL(vm->fd, MINIKVM_IRQFD, &arg);
}

static void signal_fd(unsigned int fd)
{
	if (write(fds[fd], &(uint64_t){ 1 }, 8) != 8)
		tap_bail("eventfd: %s", strerror(errno));
}

static void *signal_later(void *arg)
{
	usleep(20000);
	signal_fd((uintptr_t)arg);
	return NULL;
}

static void serve(struct gvm_vcpu *v, uint64_t what, uint64_t value)
{
	uint64_t *answer = gvm_guest(v->vm, &reply);
	pthread_t thread;

	*answer = 0;
	switch (what) {
	case SIGNAL:
		signal_fd(value);
		break;
	case SIGNAL_LATER:
		if (pthread_create(&thread, NULL, signal_later, (void *)(uintptr_t)value))
			tap_bail("cannot start a thread");
		pthread_detach(thread);
		break;
	case COUNT:
		if (read(fds[value], answer, sizeof(*answer)) < 0)
			*answer = 0;
		break;
	case ROUTE:
		set_routes(v->vm, value);
		break;
	case DEASSIGN:
		irqfd(v->vm, value, PIN_LEVEL, MINIKVM_IRQFD_FLAG_DEASSIGN, 0);
		break;
	}
}

int main(void)
{
	struct minikvm_ioeventfd kick = { .addr = PORT, .len = 1, .flags = MINIKVM_IOEVENTFD_FLAG_PIO };
	struct gvm *vm;
	unsigned int i;

	gvm_start();
	for (i = 0; i < NR_FDS; i++)
		fds[i] = eventfd(0, EFD_NONBLOCK);
	vm = gvm_create(1, GVM_IRQCHIP);
	vm->sync = serve;
	set_routes(vm, VEC_MSI);
	irqfd(vm, MSI, GSI_MSI, 0, 0);
	irqfd(vm, EDGE, PIN_EDGE, 0, 0);
	irqfd(vm, LEVEL_A, PIN_LEVEL, MINIKVM_IRQFD_FLAG_RESAMPLE, ACK_A);
	irqfd(vm, LEVEL_B, PIN_LEVEL, MINIKVM_IRQFD_FLAG_RESAMPLE, ACK_B);
	irqfd(vm, EDGE_ACKED, PIN_EDGE_ACKED, MINIKVM_IRQFD_FLAG_RESAMPLE, ACK_EDGE);
	kick.fd = fds[MSI];
	GVM_IOCTL(vm->fd, MINIKVM_IOEVENTFD, &kick);
	gvm_enter64(vm, 0, guest_main);
	gvm_run_done(vm);
	gvm_destroy(vm);
	return gvm_finish();
}
