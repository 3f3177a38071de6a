// SPDX-License-Identifier: GPL-2.0
/*
 * Guest writes that do not reach userspace: ioeventfds on ports and MMIO with every length, value and
 * width, and coalesced writes with their ring. A write that nobody waits for arrives at userspace.
 */
#include <sys/eventfd.h>
#include <unistd.h>

#include "gvm.h"

#define PORT		0x510
#define MMIO(off)	(*(volatile uint32_t *)(GUEST_MMIO + (off)))
#define MMIO8(off)	(*(volatile uint8_t *)(GUEST_MMIO + (off)))
#define MMIO16(off)	(*(volatile uint16_t *)(GUEST_MMIO + (off)))
#define MMIO64(off)	(*(volatile uint64_t *)(GUEST_MMIO + (off)))

#define F_MATCH	MINIKVM_IOEVENTFD_FLAG_DATAMATCH
#define F_PIO	MINIKVM_IOEVENTFD_FLAG_PIO
#define F_GONE	MINIKVM_IOEVENTFD_FLAG_DEASSIGN

#define ZONE		0x2000		/* coalesced MMIO: offset and size */
#define ZONE_SIZE	0x100
#define ZONE_PORT	0x520		/* coalesced ports, 4 of them */
#define FLOOD		400

/* What stages the guest goes through; the host looks at the eventfds after each. */
enum stage {
	PORTS, PORTS_WRONG, MEMORY, MEMORY_WRONG, ANY, ANY_STRING, MANY, AFTER, QUEUED, QUEUED_OUTSIDE, FLOODED,
	BAD_LAST, BAD_FIRST, UNQUEUED,
};

static volatile uint32_t rep_source[4] = { 1, 2, 3, 4 };

static void guest_main(void)
{
	uint32_t i = 5;

	outb(PORT, 0x11);
	outw(PORT, 0x2222);
	outl(PORT, 0x33333333);
	outl(PORT, 0x44444444);
	guest_sync(PORTS, 0);
	outw(PORT, 0x2223);
	outb(PORT + 1, 0x11);
	outl(PORT, 0x33333334);
	guest_sync(PORTS_WRONG, inb(PORT));

	MMIO8(0) = 0x11;
	MMIO16(0) = 0x2222;
	MMIO(0) = 0x33333333;
	MMIO64(0) = 0x4444444455555555;
	guest_sync(MEMORY, 0);
	MMIO16(0) = 0x2221;
	MMIO(1) = 0x33333333;
	MMIO(0) = 0x33333332;
	MMIO64(0) = 0x4444444455555554;
	guest_sync(MEMORY_WRONG, 0);

	MMIO8(0x1000) = 1;
	MMIO16(0x1000) = 2;
	MMIO(0x1000) = 3;
	MMIO64(0x1000) = 4;
	asm volatile("movl $7, (%0)" : : "r"(GUEST_MMIO + 0x1000) : "memory");
	asm volatile("xchg %0, (%1)" : "+r"(i) : "r"(GUEST_MMIO + 0x1000) : "memory");
	guest_sync(ANY, 0);
	outb(PORT + 8, 1);
	outw(PORT + 8, 1);
	outl(PORT + 8, 1);
	i = 4;
	asm volatile("rep outsl" : "+c"(i) : "d"(PORT + 8), "S"(rep_source) : "memory");
	guest_sync(ANY_STRING, 0);

	for (i = 0; i < 64; i++)
		outw(PORT + 12, i);
	guest_sync(MANY, 0);

	MMIO(0x1000) = 3;
	outb(PORT, 0x11);
	guest_sync(AFTER, 0);

	MMIO8(ZONE) = 0xa1;
	MMIO16(ZONE + 2) = 0xa2a2;
	MMIO(ZONE + 4) = 0xa3a3a3a3;
	MMIO64(ZONE + ZONE_SIZE - 8) = 0xa4a4a4a4a4a4a4a4;
	outb(ZONE_PORT, 0xb1);
	outw(ZONE_PORT + 2, 0xb2b2);
	guest_sync(QUEUED, 0);
	MMIO64(ZONE + ZONE_SIZE - 4) = 1;
	MMIO8(ZONE + ZONE_SIZE) = 1;
	outl(ZONE_PORT + 2, 1);
	(void)MMIO(ZONE);
	guest_sync(QUEUED_OUTSIDE, inb(ZONE_PORT));
	for (i = 0; i < FLOOD; i++)
		MMIO(ZONE) = i;
	guest_sync(FLOODED, 0);
	MMIO(ZONE) = 1;
	guest_sync(BAD_LAST, 0);
	for (i = 0; i < FLOOD; i++)
		MMIO(ZONE) = i;
	guest_sync(BAD_FIRST, 0);
	MMIO(ZONE) = 1;
	outb(ZONE_PORT, 1);
	guest_sync(UNQUEUED, 0);
	guest_done();
}

static unsigned int exits;

static bool serve_pio(struct gvm_vcpu *v, struct minikvm_run *run, uint8_t *data)
{
	(void)v;
	if (run->io.port < PORT || run->io.port >= PORT + 0x40)
		return false;
	if (run->io.direction == MINIKVM_EXIT_IO_IN)
		memset(data, 0x5a, run->io.size);
	exits++;
	return true;
}

static bool serve_mmio(struct gvm_vcpu *v, struct minikvm_run *run)
{
	(void)v;
	exits++;
	return run->mmio.phys_addr >= GUEST_MMIO && run->mmio.phys_addr < GUEST_MMIO + 0x10000;
}

static uint64_t count(int fd)
{
	uint64_t n = 0;

	return read(fd, &n, sizeof(n)) == sizeof(n) ? n : 0;
}

static void set(struct gvm *vm, int fd, uint32_t flags, uint64_t addr, uint32_t len, uint64_t data)
{
	struct minikvm_ioeventfd arg = { .fd = fd, .flags = flags, .addr = addr, .len = len, .datamatch = data };

	GVM_IOCTL(vm->fd, MINIKVM_IOEVENTFD, &arg);
}

/* Runs to the next stage and looks how many exits userspace has seen in between. */
static void stage(struct gvm *vm, enum stage want, unsigned int want_exits, const char *what)
{
	int stop;

	exits = 0;
	stop = gvm_run(vm, 0);
	if (stop != GVM_SYNC || vm->sync_stage != want)
		tap_bail("stop %d, stage %d instead of %d", stop, (int)vm->sync_stage, want);
	tap_eq(exits, want_exits, "%s: exits to userspace", what);
}

static void zone(struct gvm *vm, unsigned long cmd, uint64_t addr, uint32_t size, uint32_t pio)
{
	struct minikvm_coalesced_mmio_zone arg = { .addr = addr, .size = size, .pio = pio };

	gvm_ioctl(vm->fd, cmd, &arg, "coalesced zone");
}

static bool entry_is(volatile struct minikvm_coalesced_mmio_ring *ring, unsigned int i, uint64_t addr,
		     uint32_t len, uint32_t pio, uint64_t data)
{
	volatile struct minikvm_coalesced_mmio *e = &ring->coalesced_mmio[i];
	uint64_t got = 0;

	memcpy(&got, (void *)e->data, len);
	return e->phys_addr == addr && e->len == len && e->pio == pio && got == data;
}

static void test_ports(struct gvm *vm, int fd[4])
{
	set(vm, fd[0], F_PIO, PORT, 1, 0);
	set(vm, fd[1], F_PIO | F_MATCH, PORT, 2, 0x2222);
	set(vm, fd[2], F_PIO | F_MATCH, PORT, 4, 0x33333333);
	set(vm, fd[3], F_PIO | F_MATCH, PORT, 4, 0x44444444);
	stage(vm, PORTS, 0, "ports of each width, and two values of one");
	tap_ok(count(fd[0]) == 1 && count(fd[1]) == 1 && count(fd[2]) == 1 && count(fd[3]) == 1,
	       "each eventfd is signalled once");
	stage(vm, PORTS_WRONG, 4, "other values, another port, and a read");
	tap_eq(vm->sync_value, 0x5a, "the read is answered by userspace");
	tap_ok(!count(fd[0]) && !count(fd[1]) && !count(fd[2]) && !count(fd[3]), "no eventfd is signalled");
}

static void test_memory(struct gvm *vm, int fd[4])
{
	set(vm, fd[0], 0, GUEST_MMIO, 1, 0);
	set(vm, fd[1], F_MATCH, GUEST_MMIO, 2, 0x2222);
	set(vm, fd[2], F_MATCH, GUEST_MMIO, 4, 0x33333333);
	set(vm, fd[3], F_MATCH, GUEST_MMIO, 8, 0x4444444455555555);
	stage(vm, MEMORY, 0, "MMIO of each width");
	tap_ok(count(fd[0]) == 1 && count(fd[1]) == 1 && count(fd[2]) == 1 && count(fd[3]) == 1,
	       "each eventfd is signalled once");
	stage(vm, MEMORY_WRONG, 4, "other values and another address");
	tap_ok(!count(fd[0]) && !count(fd[1]) && !count(fd[2]) && !count(fd[3]), "no eventfd is signalled");
}

static void test_any(struct gvm *vm, int fd[4])
{
	unsigned int i, ok = 0;
	int many[64];

	set(vm, fd[0], 0, GUEST_MMIO + 0x1000, 0, 0);
	stage(vm, ANY, 0, "any length of MMIO, six instructions");
	tap_eq(count(fd[0]), 6, "each of them counts");
	set(vm, fd[1], F_PIO, PORT + 8, 0, 0);
	stage(vm, ANY_STRING, 0, "any length of a port, REP OUTS as well");
	tap_eq(count(fd[1]), 7, "each item counts");

	for (i = 0; i < 64; i++) {
		many[i] = eventfd(0, EFD_NONBLOCK);
		set(vm, many[i], F_PIO | F_MATCH, PORT + 12, 2, i);
	}
	stage(vm, MANY, 0, "64 values of one port");
	for (i = 0; i < 64; i++) {
		ok += count(many[i]) == 1;
		close(many[i]);
	}
	tap_eq(ok, 64, "each of their eventfds is signalled once, though nobody else holds them");

	set(vm, fd[0], F_GONE, GUEST_MMIO + 0x1000, 0, 0);
	set(vm, fd[0], F_GONE | F_PIO, PORT, 1, 0);
	stage(vm, AFTER, 2, "after DEASSIGN");
	tap_eq(count(fd[0]), 0, "nothing is signalled");
}

static void test_coalesced(struct gvm *vm)
{
	volatile struct minikvm_coalesced_mmio_ring *ring;
	unsigned int queued;

	ring = (void *)((char *)vm->vcpu[0].run + MINIKVM_COALESCED_MMIO_PAGE_OFFSET * 4096);
	zone(vm, MINIKVM_REGISTER_COALESCED_MMIO, GUEST_MMIO + ZONE, ZONE_SIZE, 0);
	zone(vm, MINIKVM_REGISTER_COALESCED_MMIO, ZONE_PORT, 4, 1);
	stage(vm, QUEUED, 0, "writes to coalesced zones");
	tap_ok(ring->first == 0 && ring->last == 6, "six entries are in the ring");
	tap_ok(entry_is(ring, 0, GUEST_MMIO + ZONE, 1, 0, 0xa1) &&
	       entry_is(ring, 1, GUEST_MMIO + ZONE + 2, 2, 0, 0xa2a2) &&
	       entry_is(ring, 2, GUEST_MMIO + ZONE + 4, 4, 0, 0xa3a3a3a3) &&
	       entry_is(ring, 3, GUEST_MMIO + ZONE + ZONE_SIZE - 8, 8, 0, 0xa4a4a4a4a4a4a4a4) &&
	       entry_is(ring, 4, ZONE_PORT, 1, 1, 0xb1) && entry_is(ring, 5, ZONE_PORT + 2, 2, 1, 0xb2b2),
	       "they are the writes, in their order");
	stage(vm, QUEUED_OUTSIDE, 5, "writes that stick out, and reads");
	tap_eq(ring->last, 6, "none of them is in the ring");

	ring->first = 6;
	exits = 0;
	if (gvm_run(vm, 0) != GVM_SYNC || vm->sync_stage != FLOODED)
		tap_bail("the guest did not flood the ring");
	queued = (ring->last + MINIKVM_COALESCED_MMIO_MAX - ring->first) % MINIKVM_COALESCED_MMIO_MAX;
	tap_eq(queued + exits, FLOOD, "a full ring: what does not fit comes to userspace");
	/* KVM of Linux 6.1 takes the ring for full half way. */
	tap_ok(queued >= 80 && queued < MINIKVM_COALESCED_MMIO_MAX, "the ring has its size");

	ring->last = 0xfffffff0;
	stage(vm, BAD_LAST, 1, "an end that userspace moved out of the ring");
	tap_eq(ring->last, 0xfffffff0, "the ring is left alone");
	ring->last = 3;
	ring->first = 0x80000000;
	exits = 0;
	if (gvm_run(vm, 0) != GVM_SYNC || vm->sync_stage != BAD_FIRST)
		tap_bail("the guest did not survive a bad start of the ring");
	tap_ok(ring->last < MINIKVM_COALESCED_MMIO_MAX, "a start out of the ring: the end stays in it");

	ring->first = 0;
	ring->last = 0;
	zone(vm, MINIKVM_UNREGISTER_COALESCED_MMIO, GUEST_MMIO + ZONE + 8, 8, 0);
	zone(vm, MINIKVM_UNREGISTER_COALESCED_MMIO, ZONE_PORT, 4, 1);
	stage(vm, UNQUEUED, 2, "after UNREGISTER, of a part of the zone");
	tap_eq(ring->last, 0, "the ring stays empty");
}

int main(void)
{
	struct gvm *vm;
	int fd[4], i;

	gvm_start();
	for (i = 0; i < 4; i++)
		fd[i] = eventfd(0, EFD_NONBLOCK);
	vm = gvm_create(1, 0);
	vm->pio = serve_pio;
	vm->mmio = serve_mmio;
	gvm_enter64(vm, 0, guest_main);
	test_ports(vm, fd);
	test_memory(vm, fd);
	test_any(vm, fd);
	test_coalesced(vm);
	gvm_run_done(vm);
	gvm_destroy(vm);
	return gvm_finish();
}
