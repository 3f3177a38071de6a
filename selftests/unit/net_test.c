// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the VMM's network device: frames and headers arrive as they were sent, buffers
 * are merged, and what a hostile driver puts into its rings is dropped, refused, or costs it the
 * device. The transport is a stand-in; the back end is a tap made of a pair of sockets.
 */
#include <poll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "net/tap.h"
#include "net_driver.h"

#define RAM_SIZE	0x400000ULL
#define AVAIL(q)	(RING(q) + 0x2000)
#define USED(q)		(RING(q) + 0x3000)
#define BUFFERS		0x100000ULL
#define F_NEXT		1
#define F_WRITE		2
#define ALL_OFFLOADS	(FEATURE(CSUM) | FEATURE(GUEST_CSUM) | FEATURE(HOST_TSO4) | \
			 FEATURE(GUEST_TSO4))

static struct tap *host;		/* the back end */
static int wire[PAIRS];			/* its other ends */
static u64 offloads;
static unsigned int queues;
static unsigned int nr_desc[2 * PAIRS + 1];
static u16 avail_idx[2 * PAIRS + 1];
static u64 next_buffer;

int report(const char *fmt, ...)
{
	(void)fmt;
	return -1;
}

unsigned int link_mtu(const char *name)
{
	(void)name;
	return 0;
}

bool link_exists(const char *name) { (void)name; return false; }
bool link_is_bridge(const char *name) { (void)name; return false; }
bool link_is_up(const char *name) { (void)name; return false; }
int link_set_mtu(const char *name, unsigned int mtu) { (void)name; (void)mtu; return 0; }
int link_set_up(const char *name, bool up) { (void)name; (void)up; return 0; }
int link_get_mac(const char *name, u8 *mac) { (void)name; (void)mac; return 0; }
int link_set_mac(const char *name, const u8 *mac) { (void)name; (void)mac; return 0; }
int link_join_bridge(const char *bridge, const char *name) { (void)bridge; (void)name; return 0; }

static int set_offloads(struct net_backend *nb, u64 features)
{
	(void)nb;
	offloads = features;
	return 0;
}

static int set_queues(struct net_backend *nb, unsigned int n)
{
	(void)nb;
	queues = n;
	return 0;
}

static const struct net_backend_ops host_ops = {
	.recv = tap_recv, .send = tap_send, .poll_fd = tap_poll_fd, .set_offloads = set_offloads,
	.set_queues = set_queues, .close = tap_close,
};

/* A driver's initialisation with @features of those offered; forgets all requests. */
static void start(u64 features)
{
	unsigned int q;

	ops->reset(nic);
	pthread_mutex_lock(&dev->lock);
	memset(at(0), 0, BUFFERS);
	memset(nr_desc, 0, sizeof(nr_desc));
	memset(avail_idx, 0, sizeof(avail_idx));
	next_buffer = BUFFERS;
	features &= dev->offered & ~VIRTIO_EVENT_IDX;
	virtio_set_status(dev, 3);
	virtio_set_features(dev, 0, (u32)features);
	virtio_set_features(dev, 1, (u32)(features >> 32) | VIRTIO_VERSION_1 >> 32);
	virtio_set_status(dev, 11);
	for (q = 0; q < dev->nr_queues; q++) {
		dev->queue[q].desc_gpa = RING(q);
		dev->queue[q].avail_gpa = AVAIL(q);
		dev->queue[q].used_gpa = USED(q);
		virtio_enable_queue(dev, q);
	}
	virtio_set_status(dev, 15);
	pthread_mutex_unlock(&dev->lock);
	dev->ops->notify(dev->opaque, 0);
}

/* A descriptor of the chain being built on @q. */
static u64 add(unsigned int q, u64 addr, u32 len, u16 flags)
{
	struct {
		u64 addr;
		u32 len;
		u16 flags;
		u16 next;
	} d = { addr, len, flags, (u16)((nr_desc[q] + 1) % NET_QUEUE_SIZE) };

	memcpy(at(RING(q) + 16 * (nr_desc[q] % NET_QUEUE_SIZE)), &d, sizeof(d));
	nr_desc[q]++;
	return addr;
}

/* Offer the chain that begins at descriptor @head. */
static void offer(unsigned int q, unsigned int head)
{
	u16 *avail = (u16 *)at(AVAIL(q));

	avail[2 + avail_idx[q] % NET_QUEUE_SIZE] = (u16)(head % NET_QUEUE_SIZE);
	avail_idx[q]++;
	__atomic_store_n(&avail[1], avail_idx[q], __ATOMIC_RELEASE);
	dev->ops->notify(dev->opaque, q);
}

/* A receive buffer of @len bytes in one piece; where it is. */
static u64 post(unsigned int q, u32 len)
{
	u64 addr = next_buffer;

	next_buffer += (len + 63) & ~63u;
	add(q, addr, len, F_WRITE);
	offer(q, nr_desc[q] - 1);
	return addr;
}

static u16 used(unsigned int q)
{
	return __atomic_load_n((u16 *)at(USED(q) + 2), __ATOMIC_ACQUIRE);
}

static u32 used_len(unsigned int q, unsigned int i)
{
	return *(u32 *)at(USED(q) + 4 + 8 * (i % NET_QUEUE_SIZE) + 4);
}

static bool failed(void)
{
	return dev->status & VIRTIO_NEEDS_RESET;
}

/* Wait up to five seconds for @n requests of @q to come back. */
static bool wait_used(unsigned int q, u16 n)
{
	struct timespec pause = { .tv_nsec = 100000 };
	unsigned int i;

	for (i = 0; i < 50000; i++) {
		if (used(q) == n || failed())
			return used(q) == n;
		nanosleep(&pause, NULL);
	}
	return false;
}

static bool wait_failed(void)
{
	struct timespec pause = { .tv_nsec = 100000 };
	unsigned int i;

	for (i = 0; i < 50000 && !failed(); i++)
		nanosleep(&pause, NULL);
	return failed();
}

/* What arrives at the host's end, header included, or 0 if nothing does. */
static size_t arrives(unsigned int pair, void *buf, size_t size, int wait_ms)
{
	struct pollfd p = { .fd = wire[pair], .events = POLLIN };
	ssize_t len = poll(&p, 1, wait_ms) == 1 ? read(wire[pair], buf, size) : 0;

	return len > 0 ? (size_t)len : 0;
}

static struct {
	struct virtio_net_hdr_v1 h;
	u8 frame[70000];
} buf;

static void fill_frame(size_t len)
{
	size_t i;

	memset(&buf.h, 0, sizeof(buf.h));
	memset(buf.frame, 0xff, MAC_LEN);
	for (i = MAC_LEN; i < len; i++)
		buf.frame[i] = (u8)(i * 7 + len);
}

static void from_host(unsigned int pair, size_t len)
{
	if (write(wire[pair], &buf, NET_HEADER_LEN + len) != (ssize_t)(NET_HEADER_LEN + len))
		tap_bail("the wire is full");
}

/* Send buf's header and @len bytes of frame; true if the host got them. */
static bool transmit(unsigned int pair, size_t len)
{
	unsigned int q = 2 * pair + 1, head = nr_desc[q];
	static u8 got[80000];
	u64 addr = BUFFERS + 0x200000;

	memcpy(at(addr), &buf, NET_HEADER_LEN + len);
	add(q, addr, 5, F_NEXT);	/* the header in pieces */
	add(q, addr + 5, (u32)(NET_HEADER_LEN + len - 5), 0);
	offer(q, head);
	if (!wait_used(q, avail_idx[q]))
		return false;
	return arrives(pair, got, sizeof(got), 20) == NET_HEADER_LEN + len &&
	       !memcmp(got + NET_HEADER_LEN, buf.frame, len) && !memcmp(got, &buf.h, 10);
}

/* A command on the control queue; its answer, or -1 if none comes. */
static int control(unsigned int q, const void *data, u32 len)
{
	u64 addr = BUFFERS + 0x1f0000, ack = addr + 0x8000;
	unsigned int head = nr_desc[q];

	memcpy(at(addr), data, len);
	*at(ack) = 0xee;
	add(q, addr, len, F_NEXT);
	add(q, ack, 1, F_WRITE);
	offer(q, head);
	return wait_used(q, avail_idx[q]) ? *at(ack) : -1;
}

#define BASIC		(FEATURE(MRG_RXBUF) | FEATURE(MAC) | FEATURE(STATUS))

static void test_transmit(void)
{
	start(BASIC);
	fill_frame(60);
	tap_ok(transmit(0, 60), "a frame is sent as it is");
	fill_frame(NET_FRAME_MAX);
	tap_ok(transmit(0, NET_FRAME_MAX), "so is the longest");
	tap_ok(!transmit(0, NET_FRAME_MAX + 1) && !failed(), "a longer one is lost");
	fill_frame(13);
	tap_ok(!transmit(0, 13) && !failed(), "so is one without an Ethernet header");
	fill_frame(60);
	buf.h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	buf.h.csum_start = 34;
	tap_ok(!transmit(0, 60) && !failed(), "a checksum to be made, not negotiated: lost");

	start(BASIC | ALL_OFFLOADS);
	tap_ok(transmit(0, 60), "negotiated: the header passes");
	buf.h.csum_offset = 24;
	tap_ok(transmit(0, 60), "checksum in the last two bytes");
	buf.h.csum_offset = 25;
	tap_ok(!transmit(0, 60), "and behind the frame");
	buf.h.csum_start = 0xffff;
	buf.h.csum_offset = 0xffff;
	tap_ok(!transmit(0, 60), "and far behind it");
	fill_frame(4000);
	buf.h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	buf.h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	buf.h.gso_size = 1448;
	buf.h.hdr_len = 66;
	tap_ok(transmit(0, 4000), "a frame to be cut into segments");
	buf.h.gso_type |= VIRTIO_NET_HDR_GSO_ECN;
	tap_ok(transmit(0, 4000), "with ECN");
	buf.h.gso_size = 0;
	tap_ok(!transmit(0, 4000), "segments of no size: lost");
	buf.h.gso_size = 1448;
	buf.h.gso_type = VIRTIO_NET_HDR_GSO_TCPV6;
	tap_ok(!transmit(0, 4000), "of a kind that is not offered: lost");
	buf.h.gso_type = 77;
	tap_ok(!transmit(0, 4000), "of an unknown kind: lost");
	buf.h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
	buf.h.hdr_len = 4001;
	tap_ok(!transmit(0, 4000), "headers longer than the frame: lost");
	buf.h.hdr_len = 66;
	buf.h.flags = 0;
	tap_ok(!transmit(0, 4000), "segments without a checksum to be made: lost");
	tap_ok(!failed(), "the device works on");

	start(BASIC);
	add(1, BUFFERS, 11, 0);
	offer(1, 0);
	tap_ok(wait_failed(), "half a header: it gives up");
	start(BASIC);
	add(1, BUFFERS, 100, F_NEXT);
	add(1, BUFFERS, 100, F_WRITE);
	offer(1, 0);
	tap_ok(wait_failed(), "a writable buffer: it gives up");
}

/* Do the buffers of @n bytes at @addr hold buf's frame behind a header with @merged buffers? */
static bool holds(const u64 *addr, unsigned int n, u32 each, size_t len)
{
	struct virtio_net_hdr_v1 h;
	static u8 got[80000];
	unsigned int i;

	for (i = 0; i < n; i++)
		memcpy(got + i * each, at(addr[i]), each);
	memcpy(&h, got, sizeof(h));
	return h.num_buffers == n && !memcmp(got + sizeof(h), buf.frame, len);
}

static void test_receive(void)
{
	u64 addr[200];
	unsigned int i;

	start(BASIC);
	for (i = 0; i < 4; i++)
		addr[i] = post(0, 2048);
	fill_frame(1514);
	from_host(0, 1514);
	tap_ok(wait_used(0, 1) && used_len(0, 0) == 1526 && holds(addr, 1, 2048, 1514),
	       "a frame arrives in one buffer");
	fill_frame(5000);
	from_host(0, 5000);
	tap_ok(wait_used(0, 4) && used_len(0, 1) == 2048 && used_len(0, 3) == 5012 - 4096 &&
	       holds(addr + 1, 3, 2048, 5000), "a longer one in three");

	fill_frame(9000);
	from_host(0, 9000);
	for (i = 0; i < 4; i++)
		addr[i] = post(0, 2048);
	usleep(20000);
	tap_ok(used(0) == 4 && !failed(), "one longer than all buffers waits");
	addr[4] = post(0, 2048);
	tap_ok(wait_used(0, 9) && holds(addr, 5, 2048, 9000), "for more of them, and is whole");

	for (i = 0; i < 150; i++)
		addr[i] = post(0, 100);
	fill_frame(14000);
	from_host(0, 14000);
	tap_ok(wait_used(0, 9 + 141) && holds(addr, 141, 100, 14000), "one in 141 small buffers");
	fill_frame(13);
	from_host(0, 13);
	fill_frame(60);
	from_host(0, 60);
	tap_ok(wait_used(0, 9 + 142) && holds(addr + 141, 1, 100, 60),
	       "what is no frame is dropped, the next arrives");
	fill_frame(61);
	buf.h.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM;
	from_host(0, 61);
	fill_frame(62);
	from_host(0, 62);
	tap_ok(wait_used(0, 9 + 143) && holds(addr + 142, 1, 100, 62),
	       "a header that the driver cannot read does not arrive");

	start(FEATURE(MAC));
	addr[0] = post(0, 1526);
	fill_frame(1600);
	from_host(0, 1600);
	fill_frame(1514);
	from_host(0, 1514);
	tap_ok(wait_used(0, 1) && holds(addr, 1, 1526, 1514),
	       "without merging, a frame too long for its buffer is dropped");

	start(BASIC);
	add(0, BUFFERS, 11, F_WRITE);
	offer(0, 0);
	fill_frame(60);
	from_host(0, 60);
	tap_ok(wait_failed(), "a buffer too small for the header: it gives up");
	start(BASIC);
	add(0, BUFFERS, 1000, 0);
	offer(0, 0);
	tap_ok(wait_failed(), "a readable buffer: it gives up");
	/* What is still on the wire belongs to nobody. */
	start(BASIC);
	post(0, 2048);
	tap_ok(wait_used(0, 1), "after a reset it works again");
}

static void test_filter(void)
{
	static const u8 group[] = { 0x01, 0, 0x5e, 0, 0, 1 }, own[] = { 0x52, 0x54, 0, 1, 2, 3 };
	static const u8 other[] = { 0x52, 0x54, 0, 9, 9, 9 };
	struct net_filter f;
	u8 frame[18] = { 0 };

	memset(&f, 0, sizeof(f));
	memcpy(f.mac, own, MAC_LEN);
	memcpy(frame, other, MAC_LEN);
	tap_ok(!net_filter_accepts(&f, frame, 18), "a frame for somebody else is dropped");
	f.alluni = true;
	tap_ok(net_filter_accepts(&f, frame, 18), "but not if all are wanted");
	f.nouni = true;
	memcpy(frame, own, MAC_LEN);
	tap_ok(!net_filter_accepts(&f, frame, 18), "no unicast: not even the own address");
	f.nouni = false;
	f.alluni = false;
	tap_ok(net_filter_accepts(&f, frame, 18), "the own address");
	f.vlan_filtered = true;
	frame[12] = 0x81;
	frame[15] = 5;
	tap_ok(!net_filter_accepts(&f, frame, 18), "a VLAN that is not wanted");
	f.vlan[0] = BIT(5);
	tap_ok(net_filter_accepts(&f, frame, 18), "one that is");
	memcpy(frame, group, MAC_LEN);
	tap_ok(!net_filter_accepts(&f, frame, 14), "a group nobody is in");
	memcpy(f.multicast[0], group, MAC_LEN);
	f.nr_multicast = 1;
	tap_ok(net_filter_accepts(&f, frame, 14), "one in the table");
	memset(frame, 0xff, MAC_LEN);
	tap_ok(net_filter_accepts(&f, frame, 14), "broadcast");
	f.nobcast = true;
	tap_ok(!net_filter_accepts(&f, frame, 14), "not if it is unwanted");
}

static void test_control(void)
{
	struct virtio_net *vn = dev->opaque;
	const unsigned int q = 2 * PAIRS;
	u8 c[4000];
	unsigned int i;

	start(~FEATURE(MQ));
	tap_eq(control(2, "\0\0\0", 3), 0, "promiscuous mode off; without MQ it is the third queue");
	tap_ok(!vn->filter.promisc, "it is off");
	start(~0ULL);
	tap_ok(vn->filter.promisc, "a reset switches it on");
	tap_eq(control(q, "\0\0\0", 3), 0, "with MQ it is the last queue");
	tap_eq(control(q, "\0\0", 2), 1, "a mode without its value is refused");
	tap_eq(control(q, "\0\6\1", 3), 1, "an unknown mode");
	tap_eq(control(q, "\377\0\1", 3), 1, "an unknown class");
	tap_eq(control(q, "\1\1\2\0\0\0\0\7", 8), 0, "another address");
	dev->ops->config_read(dev->opaque, 0, c, MAC_LEN);
	tap_ok(!memcmp(c, "\2\0\0\0\0\7", MAC_LEN), "is what the configuration says");
	tap_eq(control(q, "\1\1\2\0\0\0\0", 7), 1, "half an address");

	memset(c, 0, sizeof(c));
	c[0] = VIRTIO_NET_CTRL_MAC;
	c[2] = 1;
	c[2 + 4 + 6] = 2;
	tap_eq(control(q, c, 2 + 4 + 6 + 4 + 12), 0, "tables of one and two addresses");
	tap_ok(vn->filter.nr_unicast == 1 && vn->filter.nr_multicast == 2, "are there");
	tap_eq(control(q, c, 2 + 4 + 6 + 4 + 11), 1, "a table cut short is refused");
	tap_eq(control(q, c, 2 + 4 + 6 + 4 + 13), 1, "and one with a tail");
	memset(c + 2, 0xff, 4);
	tap_eq(control(q, c, 100), 1, "and one of 2^32 - 1 addresses");
	tap_ok(vn->filter.nr_unicast == 1 && vn->filter.nr_multicast == 2, "all leave the old");
	memset(c + 2, 0, sizeof(c) - 2);
	c[2] = 200;
	tap_ok(!control(q, c, 2 + 4 + 1200 + 4) && vn->filter.unicast_overflow,
	       "a table too long for us lets all pass");
	tap_eq(control(q, c, 3999 + 0), 1, "garbage behind it is refused");

	tap_eq(control(q, "\2\0\5\0", 4), 0, "a VLAN");
	tap_ok(vn->filter.vlan[0] == BIT(5), "is added");
	tap_eq(control(q, "\2\1\5\0", 4), 0, "and taken away");
	tap_eq(control(q, "\2\0\0\20", 4), 1, "VLAN 4096 is refused");
	tap_eq(control(q, "\4\0\2\0", 4), 0, "two pairs of queues");
	tap_ok(queues == 2 && vn->active == 2, "are used");
	tap_eq(control(q, "\4\0\0\0", 4), 1, "none is refused");
	tap_eq(control(q, "\4\0\3\0", 4), 1, "so are more than there are");
	tap_eq(control(q, "\5\0\2\0\0\0\0\0\0\0", 10), 0, "checksums alone to the guest");
	tap_eq(offloads, FEATURE(GUEST_CSUM), "the back end knows");
	tap_eq(control(q, "\5\0\0\1\0\0\0\0\0\0", 10), 1, "what was not negotiated is refused");
	tap_eq(control(q, "\3\0", 2), 0, "an announcement is acknowledged");

	srandom(2);
	for (i = 0; i < 500; i++) {
		u32 len = 2 + (u32)random() % 40, j;

		for (j = 0; j < len; j++)
			c[j] = (u8)random();
		c[0] %= 7;
		c[1] %= 7;
		if (control(q, c, len) < 0)
			break;
	}
	tap_eq(i, 500, "random commands are all answered");
	start(BASIC);
	tap_eq(control(2, "\0\0\0", 3), 1, "what was not negotiated is refused");
	start(~0ULL);
	add(q, BUFFERS, 1, F_NEXT);
	add(q, BUFFERS, 1, F_WRITE);
	offer(q, nr_desc[q] - 2);
	tap_ok(wait_failed(), "half a command: it gives up");
	start(~0ULL);
	add(q, BUFFERS, 3, 0);
	offer(q, 0);
	tap_ok(wait_failed(), "no room for an answer: it gives up");
}

static void test_pairs(void)
{
	u64 addr;

	start(~0ULL);
	fill_frame(60);
	addr = post(2, 2048);
	from_host(1, 60);
	usleep(20000);
	tap_eq(used(2), 0, "the second pair rests until it is switched on");
	tap_eq(control(2 * PAIRS, "\4\0\2\0", 4), 0, "it is switched on");
	tap_ok(wait_used(2, 1) && holds(&addr, 1, 2048, 60), "and receives");
	tap_ok(transmit(1, 60), "and sends");
}

/* The status field, as a driver reads it. */
static u16 link_status(void)
{
	u16 status = 0;

	pthread_mutex_lock(&dev->lock);
	dev->ops->config_read(dev->opaque, 6, &status, 2);
	pthread_mutex_unlock(&dev->lock);
	return status;
}

static void test_link(void)
{
	unsigned int before = nr_config_interrupts, i;

	start(~0ULL);
	atomic_store(&host->nb.link_up, false);
	dev->ops->notify(dev->opaque, 0);
	for (i = 0; i < 1000 && nr_config_interrupts == before; i++)
		usleep(1000);
	tap_ok(!(link_status() & VIRTIO_NET_S_LINK_UP) && nr_config_interrupts > before,
	       "a pulled cable is told");
	atomic_store(&host->nb.link_up, true);
	before = nr_config_interrupts;
	dev->ops->notify(dev->opaque, 0);
	for (i = 0; i < 1000 && nr_config_interrupts == before; i++)
		usleep(1000);
	tap_eq(link_status(), VIRTIO_NET_S_LINK_UP | VIRTIO_NET_S_ANNOUNCE, "and a plugged one");
	tap_ok(!control(2 * PAIRS, "\3\0", 2), "the driver announces itself");
	for (i = 0; i < 1000 && link_status() & VIRTIO_NET_S_ANNOUNCE; i++)
		usleep(1000);
	tap_eq(link_status(), VIRTIO_NET_S_LINK_UP, "and need not do it again");
}

/* Resets while frames are on their way, and rings with anything in them. */
static void test_hostile(void)
{
	static u8 sink[80000];
	unsigned int i, j, q;

	srandom(3);
	for (i = 0; i < 300; i++) {
		start(~0ULL);
		fill_frame(3000);
		for (j = 0; j < 4; j++) {
			post(0, 500 + (u32)random() % 3000);
			(void)!write(wire[0], &buf, NET_HEADER_LEN + 60 + (size_t)random() % 6000);
		}
		for (q = 0; q <= 2 * PAIRS; q++) {
			for (j = 0; j < 8; j++)
				add(q, BUFFERS + (u64)random() % 0x400000, (u32)random() % 3000,
				    (u16)(random() & 3));
			offer(q, (unsigned int)random());
			offer(q, (unsigned int)random());
		}
		if (i % 3)
			usleep(200);
		while (arrives(0, sink, sizeof(sink), 0))
			;
	}
	ops->reset(nic);
	start(BASIC);
	fill_frame(60);
	tap_ok(transmit(0, 60), "after 300 resets in the middle of anything it sends");
}

int main(void)
{
	static struct device_config d;
	unsigned int i;
	int pair[2], size = 1 << 22;

	m.mem.nr = 1;
	m.mem.ram[0] = (struct guest_ram){ 0, RAM_SIZE, aligned_alloc(4096, RAM_SIZE) };
	host = tap_new();
	if (!m.mem.ram[0].hva || !host)
		tap_bail("no memory");
	for (i = 0; i < PAIRS; i++) {
		if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, pair))
			tap_bail("no sockets");
		setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		setsockopt(pair[1], SOL_SOCKET, SO_SNDBUF, &size, sizeof(size));
		host->fd[i] = pair[0];
		wire[i] = pair[1];
	}
	host->nb.queues = PAIRS;
	host->has_header = true;
	host->nb.ops = &host_ops;
	host->nb.features = ALL_OFFLOADS;
	m.cfg = &cfg;
	cfg.net.netdev[0].id = "n";
	cfg.net.nr_nics = 1;
	memcpy(cfg.net.nic[0].mac, "\x52\x54\0\1\2\3", MAC_LEN);
	m.net[0] = &host->nb;
	if (virtio_net_model.create(&m, &d) || ops->start(nic))
		tap_bail("no device");
	test_transmit();
	test_receive();
	test_filter();
	test_control();
	test_pairs();
	test_link();
	test_hostile();
	ops->destroy(nic);
	tap_close(&host->nb);
	free(m.mem.ram[0].hva);
	return tap_done();
}
