// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of a network device whose pairs of queues the host's kernel serves: when it has
 * which, where it goes on, and that nothing it signals is lost or comes too late. The kernel is a
 * stand-in that keeps books; the real one runs in selftests/boot/net-cases.sh.
 */
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "net/vhost.h"
#include "net_driver.h"

#define RAM_SIZE	0x200000ULL
#define COMMAND		0x100000ULL
#define CONTROL		(2 * PAIRS)

static atomic_uint nr_calls[2 * PAIRS + 1], nr_reports;
static atomic_bool direct;
static int event[2 * PAIRS];
static struct net_backend host;
static u16 avail_idx[2 * PAIRS + 1];

/* What the kernel knows of a pair; written by the device's thread and read when that waits. */
static struct vhost {
	atomic_bool running;
	int kick[VHOST_QUEUES], call[VHOST_QUEUES], error;
	u64 accepted;
	struct vhost_ring ring[VHOST_QUEUES];
	int tap;
	u16 base[VHOST_QUEUES];		/* where it will stop */
} kernel[PAIRS];
static atomic_int refuse;

int vhost_set_up(struct vhost *v, unsigned int pair, const struct guest_mem *mem, const int *kick,
		 const int *call, int error)
{
	if (mem != &m.mem)
		tap_bail("not the guest's memory");
	memcpy(v[pair].kick, kick, sizeof(v->kick));
	memcpy(v[pair].call, call, sizeof(v->call));
	v[pair].error = error;
	return 0;
}

int vhost_start(struct vhost *v, unsigned int pair, u64 accepted, const struct vhost_ring *ring,
		int tap)
{
	if (atomic_load(&refuse))
		return -atomic_load(&refuse);
	if (atomic_load(&v[pair].running))
		tap_bail("a pair is started twice");
	v[pair].accepted = accepted;
	memcpy(v[pair].ring, ring, sizeof(v->ring));
	v[pair].tap = tap;
	atomic_store(&v[pair].running, true);
	return 0;
}

void vhost_stop(struct vhost *v, unsigned int pair, u16 *base)
{
	if (!atomic_load(&v[pair].running))
		tap_bail("a pair is stopped that does not run");
	memcpy(base, v[pair].base, sizeof(v->base));
	atomic_store(&v[pair].running, false);
}

int report(const char *fmt, ...)
{
	(void)fmt;
	nr_reports++;
	return -1;
}

static void count_call(void *opaque, unsigned int queue)
{
	(void)opaque;
	nr_calls[queue]++;
}

static int event_fd(void *opaque, unsigned int queue)
{
	(void)opaque;
	event[queue] = eventfd(0, EFD_NONBLOCK);
	return event[queue];
}

static bool event_is_direct(void *opaque, unsigned int queue)
{
	(void)opaque;
	(void)queue;
	return atomic_load(&direct);
}

static int poll_fd(struct net_backend *nb, unsigned int queue)
{
	(void)nb;
	return 1000 + (int)queue;
}

static void close_host(struct net_backend *nb)
{
	(void)nb;
}

static const struct net_backend_ops host_ops = { .poll_fd = poll_fd, .close = close_host };

static void signal_fd(int fd)
{
	u64 one = 1;

	if (write(fd, &one, sizeof(one)) != sizeof(one))
		tap_bail("cannot signal");
}

/* As the accelerator does it. */
static void notify(unsigned int queue)
{
	signal_fd(dev->ops->notify_fd(dev->opaque, queue));
}

static bool is_signalled(int fd)
{
	u64 n;

	return read(fd, &n, sizeof(n)) == sizeof(n);
}

/* Wait up to five seconds for @condition. */
#define AWAIT(condition) ({                                                \
	bool met_ = (condition);                                           \
	unsigned int i_;                                                   \
	for (i_ = 0; i_ < 50000 && !met_; i_++, met_ = (condition))        \
		nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);  \
	met_; })

/* The thread has seen what came before: it answers a command. -1 if it does not. */
static int command(unsigned int queue, u8 class, u8 cmd, u16 value)
{
	struct {
		u64 addr;
		u32 len;
		u16 flags, next;
	} d[2] = { { COMMAND, 4, 1, 1 }, { COMMAND + 64, 1, 2, 0 } };
	u8 text[4] = { class, cmd, (u8)value, (u8)(value >> 8) };
	u16 *avail = (u16 *)(void *)at(RING(queue) + 0x2000);
	u16 *used = (u16 *)(void *)at(RING(queue) + 0x3000);

	memcpy(at(RING(queue)), d, sizeof(d));
	memcpy(at(COMMAND), text, sizeof(text));
	*at(COMMAND + 64) = 0xee;
	avail[2 + avail_idx[queue] % NET_QUEUE_SIZE] = 0;
	avail_idx[queue]++;
	__atomic_store_n(&avail[1], avail_idx[queue], __ATOMIC_RELEASE);
	notify(queue);
	if (!AWAIT(__atomic_load_n(&used[1], __ATOMIC_ACQUIRE) == avail_idx[queue]))
		return -1;
	return *at(COMMAND + 64);
}

static int set_pairs(u16 n)
{
	return command(CONTROL, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, n);
}

/* A driver's initialisation; @queues of them are set up. */
static void start(u64 features, unsigned int nr_queues)
{
	unsigned int q;

	ops->reset(nic);
	pthread_mutex_lock(&dev->lock);
	memset(at(0), 0, COMMAND);
	memset(avail_idx, 0, sizeof(avail_idx));
	features = (features & dev->offered) | VIRTIO_VERSION_1;
	virtio_set_status(dev, 3);
	virtio_set_features(dev, 0, (u32)features);
	virtio_set_features(dev, 1, (u32)(features >> 32));
	virtio_set_status(dev, 11);
	for (q = 0; q < nr_queues; q++) {
		dev->queue[q].desc_gpa = RING(q);
		dev->queue[q].avail_gpa = RING(q) + 0x2000;
		dev->queue[q].used_gpa = RING(q) + 0x3000;
		virtio_enable_queue(dev, q);
	}
	virtio_set_status(dev, 15);
	pthread_mutex_unlock(&dev->lock);
}

#define BASIC	(FEATURE(MRG_RXBUF) | FEATURE(MAC) | FEATURE(CTRL_VQ))

static bool runs(unsigned int pair)
{
	return atomic_load(&kernel[pair].running);
}

static u64 stat_of(const char *name)
{
	struct device_stats s = { 0 };
	unsigned int i;

	ops->stats(nic, &s);
	for (i = 0; i < s.nr_counters; i++) {
		if (!strcmp(s.counter[i].name, name))
			return s.counter[i].value;
	}
	return 999;
}

static void test_start(void)
{
	const struct vhost *k = &kernel[0];
	unsigned int i, wrong = 0;

	tap_ok(!(dev->offered & (FEATURE(CTRL_RX) | FEATURE(CTRL_VLAN) | FEATURE(CTRL_RX_EXTRA))) &&
	       (dev->offered & FEATURE(CTRL_MAC_ADDR)), "filters that nobody applies are not offered");
	notify(0);
	tap_ok(!runs(0), "without a driver nothing runs");
	start(BASIC, 3);
	notify(1);
	tap_ok(AWAIT(runs(0)) && stat_of("vhost_queues") == 2, "with one, the first pair is the kernel's");
	for (i = 0; i < VHOST_QUEUES; i++)
		wrong += k->ring[i].size != NET_QUEUE_SIZE || k->ring[i].base ||
			 k->ring[i].desc != at(RING(i)) ||
			 k->ring[i].avail != at(RING(i) + 0x2000) ||
			 k->ring[i].used != at(RING(i) + 0x3000) || k->call[i] != event[i];
	tap_ok(!wrong && k->tap == 1000 && k->accepted == (BASIC | VIRTIO_VERSION_1),
	       "with its rings, its tap and its features");
	tap_ok(AWAIT(is_signalled(k->kick[0])) && AWAIT(is_signalled(k->kick[1])),
	       "and it is told to look at them");
	tap_eq(command(2, VIRTIO_NET_CTRL_MQ, VIRTIO_NET_CTRL_MQ_VQ_PAIRS_SET, 2), VIRTIO_NET_ERR,
	       "without multiqueue the third queue is the control queue");
	tap_ok(!runs(1), "and the second pair is none");
	ops->reset(nic);
	tap_ok(!runs(0), "a reset takes it back before it is done");
}

static void test_pairs(void)
{
	start(BASIC | FEATURE(MQ), 2 * PAIRS + 1);
	notify(0);
	tap_ok(AWAIT(runs(0)) && !runs(1), "one pair at first");
	tap_ok(set_pairs(2) == VIRTIO_NET_OK && AWAIT(runs(1)) && kernel[1].tap == 1001 &&
	       kernel[1].kick[1] == dev->ops->notify_fd(dev->opaque, 3), "then two");
	kernel[1].base[VHOST_RX] = 77;
	kernel[1].base[VHOST_TX] = 0xfffe;
	tap_ok(set_pairs(1) == VIRTIO_NET_OK && AWAIT(!runs(1)) && runs(0), "one again");
	tap_ok(set_pairs(2) == VIRTIO_NET_OK && AWAIT(runs(1)) &&
	       kernel[1].ring[VHOST_RX].base == 77 && kernel[1].ring[VHOST_TX].base == 0xfffe,
	       "the second goes on where it stopped");
	start(BASIC | FEATURE(MQ), 2 * PAIRS + 1);
	notify(0);
	tap_ok(AWAIT(runs(0)) && set_pairs(2) == VIRTIO_NET_OK && AWAIT(runs(1)) &&
	       !kernel[1].ring[VHOST_RX].base, "and at its beginning after a reset");
	start(BASIC | FEATURE(MQ), 1);
	notify(0);
	tap_ok(!AWAIT(runs(0) || atomic_load(&((struct virtio_net *)nic)->configured)) || !runs(0),
	       "half a pair is not handed over");
}

static void test_interrupts(void)
{
	unsigned int before = nr_calls[1];

	atomic_store(&direct, false);
	start(BASIC, 3);
	notify(0);
	if (!AWAIT(runs(0)))
		tap_bail("the pair does not run");
	signal_fd(event[1]);
	tap_ok(AWAIT(nr_calls[1] == before + 1) && stat_of("vhost_forwarded_interrupts") > 0,
	       "an event that the accelerator does not take becomes an interrupt");
	atomic_store(&direct, true);
	dev->ops->events_moved(dev->opaque);
	command(2, VIRTIO_NET_CTRL_MQ, 0, 0);
	signal_fd(event[1]);
	command(2, VIRTIO_NET_CTRL_MQ, 0, 0);
	tap_ok(nr_calls[1] == before + 1 && is_signalled(event[1]),
	       "one that it takes is not touched");
	signal_fd(event[1]);
	atomic_store(&direct, false);
	dev->ops->events_moved(dev->opaque);
	tap_ok(AWAIT(nr_calls[1] == before + 2), "one that was left when it ceased to is not lost");
}

static void test_pause(void)
{
	unsigned int before;

	start(BASIC, 3);
	notify(0);
	if (!AWAIT(runs(0)))
		tap_bail("the pair does not run");
	before = nr_calls[0];
	kernel[0].base[VHOST_RX] = 5;
	kernel[0].base[VHOST_TX] = 9;
	ops->paused(nic);
	ops->paused(nic);
	tap_ok(!runs(0) && stat_of("vhost_queues") == 0, "a pause takes the pair back");
	signal_fd(event[0]);
	notify(0);
	command(2, VIRTIO_NET_CTRL_MQ, 0, 0);
	tap_ok(!runs(0), "and it stays so");
	ops->resumed(nic);
	tap_ok(AWAIT(runs(0)) && kernel[0].ring[VHOST_RX].base == 5 &&
	       kernel[0].ring[VHOST_TX].base == 9, "resumed, it goes on where it stopped");
	tap_ok(AWAIT(is_signalled(kernel[0].kick[0])), "and looks at what came meanwhile");
	tap_ok(AWAIT(nr_calls[0] == before + 1), "the last interrupt before is not lost");
	ops->paused(nic);
	start(BASIC, 3);
	notify(0);
	command(2, VIRTIO_NET_CTRL_MQ, 0, 0);
	tap_ok(!runs(0), "reset while paused: nothing runs");
	ops->resumed(nic);
	tap_ok(AWAIT(runs(0)) && !kernel[0].ring[VHOST_RX].base, "and then from the beginning");
}

static void test_errors(void)
{
	unsigned int before = nr_reports;

	start(BASIC, 3);
	notify(0);
	if (!AWAIT(runs(0)))
		tap_bail("the pair does not run");
	signal_fd(kernel[0].error);
	tap_ok(AWAIT(dev->status & VIRTIO_NEEDS_RESET) && AWAIT(!runs(0)) && nr_reports == before + 1,
	       "a broken queue costs the driver the device, with a message");
	start(BASIC, 3);
	notify(0);
	tap_ok(AWAIT(runs(0)), "until a reset");
	signal_fd(kernel[0].error);
	tap_ok(AWAIT(!runs(0)) && nr_reports == before + 1, "the next time without a message");
	atomic_store(&refuse, EFAULT);
	start(BASIC, 3);
	notify(0);
	tap_ok(AWAIT(dev->status & VIRTIO_NEEDS_RESET) && !runs(0) && nr_reports == before + 2,
	       "a kernel that refuses costs the same");
	atomic_store(&refuse, 0);
}

/* Resets, pauses and pairs, while the thread is at work: the stand-in is the judge. */
static void test_storm(void)
{
	unsigned int i, wrong = 0;

	for (i = 0; i < 3000; i++) {
		start(i % 3 ? BASIC | FEATURE(MQ) : BASIC, 2 * PAIRS + 1);
		notify(i % 5);
		signal_fd(event[i % 4]);
		if (i % 2)
			ops->paused(nic);
		if (i % 4 == 1)
			wrong += runs(0) || runs(1);
		if (i % 2)
			ops->resumed(nic);
		if (i % 7 == 0)
			signal_fd(kernel[0].error);
		dev->ops->events_moved(dev->opaque);
	}
	ops->reset(nic);
	tap_ok(!wrong && !runs(0) && !runs(1), "a storm of resets and pauses");
	start(BASIC, 3);
	notify(0);
	tap_ok(AWAIT(runs(0)), "after which it works");
}

int main(void)
{
	static struct device_config d;
	unsigned int i;

	m.mem.nr = 1;
	m.mem.ram[0] = (struct guest_ram){ 0, RAM_SIZE, aligned_alloc(4096, RAM_SIZE) };
	if (!m.mem.ram[0].hva)
		tap_bail("no memory");
	transport.queue_interrupt = count_call;
	transport.event_fd = event_fd;
	transport.event_is_direct = event_is_direct;
	host.ops = &host_ops;
	host.queues = PAIRS;
	host.vhost = kernel;
	atomic_init(&host.link_up, true);
	m.cfg = &cfg;
	cfg.net.netdev[0].id = (char *)"n";
	cfg.net.nr_nics = 1;
	memcpy(cfg.net.nic[0].mac, "\x52\x54\0\1\2\3", MAC_LEN);
	m.net[0] = &host;
	if (virtio_net_model.create(&m, &d) || ops->start(nic))
		tap_bail("no device");
	test_start();
	test_pairs();
	test_interrupts();
	test_pause();
	test_errors();
	test_storm();
	ops->destroy(nic);
	tap_ok(!runs(0), "the end takes the pair back");
	for (i = 0; i < 2 * PAIRS; i++)
		close(event[i]);
	free(m.mem.ram[0].hva);
	return tap_done();
}
