// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of PCI configuration space and the virtio PCI transport, driven as a guest drives
 * them: through the configuration ports and the BAR. The machine around them is a stand-in.
 */
#include <pthread.h>
#include <stdatomic.h>

#include "dev/pci.h"
#include "machine.h"
#include "tap.h"
#include "virtio/device.h"
#include "virtio/pci.h"
#include "vm_event.h"

#define DOORBELL_FD	77
#define SLOT		1
#define BAR_SIZE	0x8000u
#define RAM_SIZE	0x100000ULL

static struct machine m;
static struct virtio_dev dev;
static struct virtio_pci *vpci;
static const struct device_ops *host_ops;
static void *host;
static unsigned int nr_stops;
static unsigned int nr_notified, nr_msi, nr_resets, line_level;
static unsigned int nr_doorbells;
static u64 doorbell_gpa;
static struct vm_irq *msi_irq;
static u64 msi_address;
static u32 msi_data;

int machine_add_device(struct machine *machine, const struct device_ops *ops, void *opaque)
{
	(void)machine;
	host_ops = ops;
	host = opaque;
	return 0;
}

void machine_post(struct machine *machine, int event)
{
	(void)machine;
	nr_resets += event == MACHINE_RESET;
}

void vm_irq_line(struct vm *vm, unsigned int gsi, bool level)
{
	(void)vm;
	if (gsi == pci_slot_gsi(SLOT))
		line_level = level;
}

void vm_irq_init(struct vm_irq *irq)
{
	irq->fd = -1;
}

void vm_irq_destroy(struct vm *vm, struct vm_irq *irq)
{
	(void)vm;
	(void)irq;
}

void vm_irq_send(struct vm *vm, struct vm_irq *irq, u64 address, u32 data)
{
	(void)vm;
	nr_msi++;
	msi_irq = irq;
	msi_address = address;
	msi_data = data;
}

#define EVENT_FD	88

/* The one eventfd that the host's kernel signals: what it sends, if anything. */
static bool attached, refuse_events;
static u64 event_address;
static u32 event_data;
static unsigned int nr_moves;

int vm_irq_open(struct vm *vm, struct vm_irq *irq)
{
	(void)vm;
	irq->fd = EVENT_FD;
	return EVENT_FD;
}

bool vm_irq_attach(struct vm *vm, struct vm_irq *irq, u64 address, u32 data)
{
	(void)vm;
	if (irq->fd != EVENT_FD)
		tap_bail("an interrupt without an eventfd is attached");
	attached = !refuse_events;
	event_address = address;
	event_data = data;
	return attached;
}

void vm_irq_detach(struct vm *vm, struct vm_irq *irq)
{
	(void)vm;
	(void)irq;
	attached = false;
}

static void events_moved(void *opaque)
{
	(void)opaque;
	nr_moves++;
}

/* What DEASSIGN would not find is a mistake here. */
void vm_doorbell(struct vm *vm, u64 gpa, int fd, bool on)
{
	(void)vm;
	if (fd != DOORBELL_FD || (!on && gpa != doorbell_gpa))
		tap_bail("doorbell of fd %d at %llx", fd, gpa);
	nr_doorbells += on ? 1 : -1;
	doorbell_gpa = gpa;
}

int report(const char *fmt, ...)
{
	(void)fmt;
	return -1;
}

static u8 config[8] = { 1, 2, 3, 4, 5, 6, 7, 8 };

static void config_read(void *opaque, unsigned int offset, void *buf, unsigned int len)
{
	(void)opaque;
	memcpy(buf, config + offset, len);
}

static void config_write(void *opaque, unsigned int offset, const void *buf, unsigned int len)
{
	(void)opaque;
	memcpy(config + offset, buf, len);
}

static void stop(void *opaque)
{
	(void)opaque;
	nr_stops++;
	/* Nothing new starts while a device waits for what is in flight. */
	if (dev.queue[0].enabled && virtqueue_pop(&dev.queue[0], &(struct virtq_chain){ 0 }))
		tap_bail("a request is taken while the device stops");
}

static void notify(void *opaque, unsigned int queue)
{
	(void)opaque;
	(void)queue;
	nr_notified++;
}

static int notify_fd(void *opaque, unsigned int queue)
{
	(void)opaque;
	(void)queue;
	return DOORBELL_FD;
}

static const struct virtio_ops ops = {
	.config_read = config_read, .config_write = config_write, .notify = notify,
	.notify_fd = notify_fd, .events_moved = events_moved, .stop = stop,
};

static u32 cfg_read(unsigned int slot, unsigned int reg, unsigned int size)
{
	u32 address = BIT(31) | slot << 11 | (reg & 0xfc), value = 0;

	bus_write(&m.pio, PCI_ADDR_PORT, &address, 4);
	bus_read(&m.pio, PCI_DATA_PORT + (reg & 3), &value, size);
	return value;
}

static void cfg_write(unsigned int slot, unsigned int reg, unsigned int size, u32 value)
{
	u32 address = BIT(31) | slot << 11 | (reg & 0xfc);

	bus_write(&m.pio, PCI_ADDR_PORT, &address, 4);
	bus_write(&m.pio, PCI_DATA_PORT + (reg & 3), &value, size);
}

static u64 mem_read(u64 addr, unsigned int size)
{
	u64 value = 0;

	bus_read(&m.mmio, addr, &value, size);
	return value;
}

static void mem_write(u64 addr, unsigned int size, u64 value)
{
	bus_write(&m.mmio, addr, &value, size);
}

static u64 bar(void)
{
	return cfg_read(SLOT, 0x10, 4) & ~15u;
}

static void set_up(void)
{
	m.mem.nr = 1;
	m.mem.ram[0] = (struct guest_ram){ 0, RAM_SIZE, aligned_alloc(4096, RAM_SIZE) };
	if (!m.mem.ram[0].hva)
		tap_bail("no memory");
	memset(m.mem.ram[0].hva, 0, RAM_SIZE);
	bus_init(&m.pio);
	bus_init(&m.mmio);
	if (pci_host_create(&m))
		tap_bail("no PCI bus");
	dev.type = 2;
	dev.config_size = 8;
	dev.nr_queues = 1;
	dev.ops = &ops;
	virtio_init(&dev, &m.mem, 64);
	vpci = virtio_pci_create(&m, &dev, 0x018000);
	if (!vpci)
		tap_bail("no virtio device");
}

static void power_on(void)
{
	host_ops->reset(host);
	virtio_pci_reset(vpci);
	nr_notified = 0;
	nr_msi = 0;
	line_level = 0;
}

static void test_config_space(void)
{
	u64 base;

	power_on();
	tap_eq(cfg_read(SLOT, 0, 4), 0x10421af4, "vendor and device of a modern block device");
	tap_eq(cfg_read(2, 0, 4), 0xffffffff, "an empty slot reads as ones");
	cfg_write(SLOT, 0, 4, 0);
	cfg_write(SLOT, 8, 4, 0xffffffff);
	tap_ok(cfg_read(SLOT, 0, 4) == 0x10421af4 && cfg_read(SLOT, 8, 4) == 0x01800001,
	       "identity and class are read-only");
	base = bar();
	tap_ok(base >= PCI_MMIO_BASE && base + BAR_SIZE - 1 <= PCI_MMIO_END && !(base % BAR_SIZE),
	       "the BAR has an address, as firmware would give it");
	tap_eq(mem_read(base, 4), 0xffffffff, "which does not answer before memory decoding is on");
	cfg_write(SLOT, 4, 2, 2);
	tap_eq(mem_read(base + 0x12, 2), 1, "and does afterwards");
	tap_ok(nr_doorbells == 1 && doorbell_gpa == base + 0x3000, "the queue's doorbell is there");
	cfg_write(SLOT, 0x10, 4, 0xffffffff);
	tap_eq(cfg_read(SLOT, 0x10, 4), ~(BAR_SIZE - 1), "sizing tells the BAR's size");
	cfg_write(SLOT, 0x10, 4, 0xd0000000);
	tap_ok(mem_read(0xd0000012, 2) == 1 && mem_read(base + 0x12, 2) == 0xffff, "the BAR moves");
	tap_ok(nr_doorbells == 1 && doorbell_gpa == 0xd0003000, "and the doorbell with it");
	cfg_write(SLOT, 0x13, 1, 0xd1);
	tap_eq(mem_read(0xd1000012, 2), 1, "also when only one byte of it is written");
	cfg_write(SLOT, 4, 2, 0);
	tap_eq(mem_read(0xd1000012, 2), 0xffff, "decoding can be switched off");
	cfg_write(SLOT, 0x14, 4, 0xffffffff);
	tap_eq(cfg_read(SLOT, 0x14, 4), 0, "a BAR that does not exist reads as 0");
	tap_eq(cfg_read(SLOT, 0x3d, 1), 1, "interrupt pin A");
	power_on();
	tap_eq(bar(), base, "a reset puts the BAR back");
	tap_eq(nr_doorbells, 0, "and takes the doorbell away");
}

static unsigned int find_cap(u8 id, int type)
{
	unsigned int cap = cfg_read(SLOT, 0x34, 1), n;

	for (n = 0; cap && n < 48; n++, cap = cfg_read(SLOT, cap + 1, 1)) {
		if (cfg_read(SLOT, cap, 1) == id &&
		    (type < 0 || cfg_read(SLOT, cap + 3, 1) == (u32)type))
			return cap;
	}
	return 0;
}

static void test_capabilities(void)
{
	unsigned int type, cap, n = 0, wrong = 0;

	power_on();
	for (cap = cfg_read(SLOT, 0x34, 1); cap && n < 48; cap = cfg_read(SLOT, cap + 1, 1))
		n++;
	tap_ok((cfg_read(SLOT, 6, 2) & 0x10) && n == 6 && !cap, "six capabilities, then an end");
	for (type = 1; type <= 4; type++) {
		cap = find_cap(9, (int)type);
		wrong += !cap || cfg_read(SLOT, cap + 4, 1) != 0 ||
			 cfg_read(SLOT, cap + 8, 4) + cfg_read(SLOT, cap + 12, 4) > BAR_SIZE;
	}
	tap_ok(!wrong, "the four register blocks lie in the BAR");

	/* Access without mapping the BAR: number of queues, at 0x12 of the common block. */
	cap = find_cap(9, 5);
	cfg_write(SLOT, cap + 8, 4, 0x12);
	cfg_write(SLOT, cap + 12, 4, 2);
	tap_eq(cfg_read(SLOT, cap + 16, 2), 1, "registers can be read through configuration space");
	cfg_write(SLOT, cap + 8, 4, 0x16);
	cfg_write(SLOT, cap + 16, 2, 7);
	tap_eq(cfg_read(SLOT, cap + 16, 2), 7, "and written");
	cfg_write(SLOT, cap + 8, 4, BAR_SIZE - 1);
	cfg_read(SLOT, cap + 16, 2);
	cfg_write(SLOT, cap + 8, 4, 0xfffffffe);
	cfg_write(SLOT, cap + 16, 2, 7);
	cfg_write(SLOT, cap + 4, 1, 5);
	tap_eq(cfg_read(SLOT, 0, 4), 0x10421af4, "addresses outside the BAR do nothing");
}

static void initialise(u64 base, u64 features)
{
	cfg_write(SLOT, 4, 2, 6);
	mem_write(base + 0x14, 1, 0);
	mem_write(base + 0x14, 1, 3);
	mem_write(base + 0x08, 4, 0);
	mem_write(base + 0x0c, 4, (u32)features);
	mem_write(base + 0x08, 4, 1);
	mem_write(base + 0x0c, 4, features >> 32);
	mem_write(base + 0x14, 1, 11);
}

static void set_up_queue(u64 base, u64 desc)
{
	mem_write(base + 0x16, 2, 0);
	mem_write(base + 0x20, 4, (u32)desc);
	mem_write(base + 0x24, 4, desc >> 32);
	mem_write(base + 0x28, 4, 0x2000);
	mem_write(base + 0x30, 4, 0x3000);
	mem_write(base + 0x1c, 2, 1);
}

static void test_negotiation(void)
{
	u64 base;

	power_on();
	base = bar();
	initialise(base, VIRTIO_VERSION_1);
	tap_eq(mem_read(base + 0x14, 1), 11, "a modern driver gets FEATURES_OK");
	initialise(base, 0);
	tap_eq(mem_read(base + 0x14, 1), 3, "a legacy driver does not");
	initialise(base, VIRTIO_VERSION_1 | BIT_ULL(33));
	tap_eq(mem_read(base + 0x14, 1), 3, "nor one that takes what was not offered");
	mem_write(base + 0x14, 1, 15);
	tap_ok(!virtio_running(&dev), "and without it the device does not run");
	initialise(base, VIRTIO_VERSION_1);
	mem_write(base + 0x08, 4, 0);
	mem_write(base + 0x0c, 4, 0xffffffff);
	tap_eq(dev.accepted, VIRTIO_VERSION_1, "features are frozen afterwards");
	set_up_queue(base, 0x1000);
	tap_ok(dev.queue[0].enabled && mem_read(base + 0x1c, 2) == 1, "a queue is enabled");
	mem_write(base + 0x20, 4, 0x5000);
	tap_eq(dev.queue[0].desc_gpa, 0x1000, "and then its addresses are frozen");
	mem_write(base + 0x14, 1, 15);
	mem_write(base + 0x3000, 2, 0);
	tap_ok(virtio_running(&dev) && nr_notified == 1, "it runs and is notified");
	mem_write(base + 0x3004, 2, 1);
	mem_write(base + 0x3002, 2, 1);
	tap_eq(nr_notified, 1, "a queue that does not exist is not");
	mem_write(base + 0x14, 1, 0);
	tap_ok(!dev.queue[0].enabled && !mem_read(base + 0x14, 1), "status 0 resets");
	initialise(base, VIRTIO_VERSION_1);
	set_up_queue(base, RAM_SIZE - 16);
	tap_ok((mem_read(base + 0x14, 1) & VIRTIO_NEEDS_RESET) && !dev.queue[0].enabled,
	       "a queue outside RAM is refused, and the device needs a reset");
	tap_eq(mem_read(base + 0x2000, 4), 0x04030201, "device configuration is readable");
	tap_ok(mem_read(base + 0x2006, 4) == 0 && mem_read(base + 0x2ff8, 8) == 0,
	       "but not beyond its end");
}

static void test_configuration(void)
{
	unsigned int before;
	u64 base;

	power_on();
	base = bar();
	cfg_write(SLOT, 4, 2, 6);
	mem_write(base + 0x2004, 1, 0x55);
	tap_eq(mem_read(base + 0x2004, 4), 0x08070655, "device configuration is writable");
	mem_write(base + 0x2007, 2, 0xffff);
	mem_write(base + 0x2008, 4, 0xffffffff);
	mem_write(base + 0x2ff8, 8, 0);
	tap_eq(mem_read(base + 0x2004, 4), 0x08070655, "but not beyond its end");
	before = (unsigned int)mem_read(base + 0x15, 1);
	pthread_mutex_lock(&dev.lock);
	virtio_config_changed(&dev);
	pthread_mutex_unlock(&dev.lock);
	tap_ok(mem_read(base + 0x15, 1) == ((before + 1) & 0xff) && !line_level,
	       "a change counts its generation, and does not interrupt a driver that is not there");
	initialise(base, VIRTIO_VERSION_1);
	mem_write(base + 0x14, 1, 15);
	pthread_mutex_lock(&dev.lock);
	virtio_config_changed(&dev);
	pthread_mutex_unlock(&dev.lock);
	tap_ok(line_level && mem_read(base + 0x1000, 1) == 2, "but one that is");
	before = nr_stops;
	mem_write(base + 0x14, 1, 0);
	tap_eq(nr_stops, before + 1, "a reset by the driver stops the device");
}

static void raise_queue_interrupt(void)
{
	dev.transport->queue_interrupt(dev.transport_opaque, 0);
}

static atomic_bool quit;

/* A device's thread, as it takes requests and gives them back. */
static void *worker(void *opaque)
{
	static struct virtq_chain chain;
	struct virtqueue *vq = &dev.queue[0];

	(void)opaque;
	while (!atomic_load(&quit)) {
		int ret = 0;

		pthread_mutex_lock(&vq->lock);
		while (virtio_running(&dev) && (ret = virtqueue_pop(vq, &chain)) > 0)
			virtqueue_push(vq, chain.head, 0);
		virtio_interrupt_queue(&dev, 0);
		if (ret < 0)
			virtio_fail(&dev);
		virtqueue_rearm(vq);
		pthread_mutex_unlock(&vq->lock);
	}
	return NULL;
}

/* Status, enable and reset, again and again, while a thread of the device serves the queue. */
static void test_reset_storm(void)
{
	u16 *avail = (u16 *)(void *)(m.mem.ram[0].hva + 0x2000);
	unsigned int i, wrong = 0;
	pthread_t thread;
	u64 base;

	power_on();
	base = bar();
	atomic_store(&quit, false);
	if (pthread_create(&thread, NULL, worker, NULL))
		tap_bail("no thread");
	for (i = 0; i < 20000; i++) {
		initialise(base, VIRTIO_VERSION_1 | (i & 1 ? VIRTIO_EVENT_IDX : 0));
		set_up_queue(base, 0x1000);
		mem_write(base + 0x1c, 2, 1);
		/* Any index: a good driver's one time, nonsense the next. */
		__atomic_store_n(&avail[1], (u16)(i % 7), __ATOMIC_SEQ_CST);
		mem_write(base + 0x14, 1, 15);
		mem_write(base + 0x3000, 2, 0);
		if (i % 3)
			mem_write(base + 0x14, 1, 0);
		wrong += i % 3 && (mem_read(base + 0x14, 1) || dev.queue[0].enabled);
	}
	mem_write(base + 0x14, 1, 0);
	atomic_store(&quit, true);
	pthread_join(thread, NULL);
	tap_ok(!wrong, "a storm of resets while a thread serves the queue");
	memset(m.mem.ram[0].hva, 0, RAM_SIZE);
}

static void test_interrupts(void)
{
	unsigned int cap;
	u64 base;

	power_on();
	base = bar();
	cap = find_cap(0x11, -1);
	initialise(base, VIRTIO_VERSION_1);
	raise_queue_interrupt();
	tap_ok(line_level == 1 && !nr_msi, "without MSI-X the pin is asserted");
	cfg_write(SLOT, 4, 2, 0x406);
	tap_eq(line_level, 0, "the command register can silence it");
	cfg_write(SLOT, 4, 2, 6);
	tap_eq(line_level, 1, "and let it through");
	tap_ok(mem_read(base + 0x1000, 1) == 1 && !line_level, "reading the cause deasserts it");

	cfg_write(SLOT, cap + 2, 2, 0x8000);
	mem_write(base + 0x1a, 2, 1);
	tap_eq(mem_read(base + 0x1a, 2), 1, "a vector is given to the queue");
	mem_write(base + 0x10, 2, 99);
	tap_eq(mem_read(base + 0x10, 2), 0xffff, "one that does not exist is not");
	mem_write(base + 0x4010, 4, 0xfee00000);
	mem_write(base + 0x4014, 4, 0);
	mem_write(base + 0x4018, 4, 0x41);
	raise_queue_interrupt();
	tap_ok(!nr_msi && mem_read(base + 0x5000, 8) == 2, "a masked vector stays pending");
	mem_write(base + 0x401c, 4, 0);
	tap_ok(nr_msi == 1 && msi_address == 0xfee00000 && msi_data == 0x41 &&
	       !mem_read(base + 0x5000, 8), "and is sent when unmasked");
	tap_ok(msi_irq && msi_irq->fd == -1, "as an interrupt of its own");
	raise_queue_interrupt();
	tap_ok(nr_msi == 2 && !line_level, "later ones are sent at once");
	cfg_write(SLOT, cap + 2, 2, 0xc000);
	raise_queue_interrupt();
	tap_eq(nr_msi, 2, "the function mask holds them back");
	cfg_write(SLOT, cap + 3, 1, 0x80);
	tap_eq(nr_msi, 3, "until it is cleared");
	tap_eq(cfg_read(SLOT, cap + 2, 2), 0x8001, "the table size is read-only");
	mem_write(base + 0x4000 + 32, 4, 1);
	mem_write(base + 0x4002, 4, 1);
	tap_ok(mem_read(base + 0x4000 + 32, 4) == 0, "there is no third entry");
}

static bool is_direct(void)
{
	return dev.transport->event_is_direct(dev.transport_opaque, 0);
}

/* An eventfd for a queue's interrupts leads to the guest as long as a message may be sent. */
static void test_events(void)
{
	unsigned int cap, before;
	u64 base;

	power_on();
	base = bar();
	cap = find_cap(0x11, -1);
	initialise(base, VIRTIO_VERSION_1);
	tap_ok(!is_direct() && dev.transport->event_fd(dev.transport_opaque, 0) == EVENT_FD,
	       "a queue has an eventfd for its interrupts");
	cfg_write(SLOT, cap + 2, 2, 0x8000);
	mem_write(base + 0x4010, 4, 0xfee00000);
	mem_write(base + 0x4018, 4, 0x41);
	mem_write(base + 0x401c, 4, 0);
	tap_ok(!attached && !is_direct(), "without a vector it leads nowhere");
	mem_write(base + 0x1a, 2, 1);
	tap_ok(attached && is_direct() && event_address == 0xfee00000 && event_data == 0x41,
	       "with one, it is the vector's message");
	mem_write(base + 0x4018, 4, 0x42);
	tap_ok(attached && event_data == 0x42, "which may change");
	before = nr_moves;
	mem_write(base + 0x401c, 4, 1);
	tap_ok(!attached && !is_direct() && nr_moves == before + 1,
	       "masked, it leads nowhere, and the device is told");
	nr_msi = 0;
	raise_queue_interrupt();
	tap_ok(!nr_msi && mem_read(base + 0x5000, 8) == 2, "what the device finds there is pending");
	mem_write(base + 0x401c, 4, 0);
	tap_ok(nr_msi == 1 && attached && is_direct() && nr_moves == before + 2,
	       "unmasked, it is sent, and the eventfd leads to the guest again");
	cfg_write(SLOT, cap + 2, 2, 0xc000);
	tap_ok(!attached, "the function mask holds all");
	cfg_write(SLOT, cap + 2, 2, 0x8000);
	mem_write(base + 0x1a, 2, 0);
	tap_ok(!attached, "another vector, which is masked");
	mem_write(base + 0x1a, 2, 1);
	refuse_events = true;
	mem_write(base + 0x4018, 4, 0x43);
	tap_ok(!is_direct(), "what the accelerator refuses is left to the device");
	refuse_events = false;
	mem_write(base + 0x4018, 4, 0x44);
	tap_ok(is_direct(), "until it takes it");
	cfg_write(SLOT, cap + 2, 2, 0);
	tap_ok(!attached && !is_direct(), "with MSI-X off there is only the pin");
	cfg_write(SLOT, cap + 2, 2, 0x8000);
	mem_write(base + 0x14, 1, 0);
	tap_ok(!attached && !is_direct(), "a reset takes the vector away");
	mem_write(base + 0x1a, 2, 1);
	tap_ok(attached, "which the driver gives anew");
	power_on();
	tap_ok(!attached && !is_direct(), "and one of the machine, too");
}

static void test_reset_register(void)
{
	u8 value = 6;
	u32 address = 0x80000000;

	nr_resets = 0;
	bus_write(&m.pio, PCI_ADDR_PORT + 1, &value, 1);
	tap_eq(nr_resets, 1, "a byte written to 0xcf9 resets the machine");
	bus_write(&m.pio, PCI_ADDR_PORT, &address, 4);
	tap_eq(nr_resets, 1, "a configuration address does not");
}

static u64 random_state = 88172645463325252ULL;

static u64 next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Anything a guest can do; the sanitizers and these invariants are the judges. */
static void test_random(void)
{
	static const unsigned int sizes[4] = { 1, 2, 4, 8 };
	unsigned int i, wrong = 0;

	power_on();
	for (i = 0; i < 400000; i++) {
		u64 r = next_random(), value = next_random();
		unsigned int size = sizes[(r >> 4) & 3], reg = (r >> 8) & 0xff;
		u64 addr = bar() + ((r >> 16) & 0x7000) + ((r >> 32) & 0x3f);

		if (r & 1)
			value &= 0xff;
		if (size == 8 || !(r & 2)) {
			if (r & 4)
				mem_write(addr, size, value);
			else
				mem_read(addr, size);
		} else if (r & 4) {
			cfg_write((r >> 40) & 1, reg & ~(size - 1), size, (u32)value);
		} else {
			cfg_read((r >> 40) & 31, reg & ~(size - 1), size);
		}
		if (!(i % 64))
			cfg_write(SLOT, 4, 2, 6);
		if (!(i % 1024))
			raise_queue_interrupt();
		wrong += m.mmio.nr > 1 || cfg_read(SLOT, 0, 4) != 0x10421af4 ||
			 (dev.queue[0].enabled && !dev.queue[0].desc) || attached != is_direct();
		virtqueue_pop(&dev.queue[0], &(struct virtq_chain){ 0 });
	}
	tap_ok(!wrong, "random accesses break nothing");
}

int main(void)
{
	tap_plan(0);
	set_up();
	test_config_space();
	test_capabilities();
	test_negotiation();
	test_configuration();
	test_interrupts();
	test_events();
	test_reset_storm();
	test_reset_register();
	test_random();
	virtio_pci_destroy(vpci);
	host_ops->destroy(host);
	free(m.mem.ram[0].hva);
	return tap_done();
}
