// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the tests of the VMM's ring walker: what a well-behaved driver does, every rule a hostile
 * one can break, and random rings.
 *
 * Guest RAM is two malloc'ed pieces, so the address sanitizer sees a single byte out of them.
 */
#include <endian.h>

#include "iov.h"
#include "layout.h"
#include "tap.h"
#include "virtio/virtqueue.h"

#define LOW_SIZE	0x20000ULL
#define HIGH_SIZE	0x4000ULL

#define QSIZE		8
#define DESC		0x1000ULL
#define AVAIL		0x2000ULL
#define USED		0x3000ULL
#define TABLE		0x4000ULL	/* an indirect table */
#define DATA		0x8000ULL

#define F_NEXT		1
#define F_WRITE		2
#define F_INDIRECT	4

struct desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

static struct guest_mem mem;
static struct virtqueue vq;
static struct virtq_chain chain;
static u16 avail_idx;

static void *at(gpa_t gpa)
{
	return mem.ram[0].hva + gpa;
}

static void set_up_memory(void)
{
	mem.nr = 2;
	mem.ram[0] = (struct guest_ram){ 0, LOW_SIZE, aligned_alloc(4096, LOW_SIZE) };
	mem.ram[1] = (struct guest_ram){ RAM_HIGH_BASE, HIGH_SIZE, aligned_alloc(4096, HIGH_SIZE) };
	if (!mem.ram[0].hva || !mem.ram[1].hva)
		tap_bail("no memory");
}

static void fresh_queue(void)
{
	memset(mem.ram[0].hva, 0, LOW_SIZE);
	virtqueue_init(&vq, &mem, 256);
	vq.size = QSIZE;
	vq.desc_gpa = DESC;
	vq.avail_gpa = AVAIL;
	vq.used_gpa = USED;
	avail_idx = 0;
	if (virtqueue_enable(&vq))
		tap_bail("the queue cannot be enabled");
}

static void set_desc(gpa_t table, unsigned int i, u64 addr, u32 len, u16 flags, u16 next)
{
	struct desc d = { htole64(addr), htole32(len), htole16(flags), htole16(next) };

	memcpy((struct desc *)at(table) + i, &d, sizeof(d));
}

static void offer(u16 head)
{
	u16 *ring = at(AVAIL);

	ring[2 + (avail_idx % QSIZE)] = htole16(head);
	avail_idx++;
	ring[1] = htole16(avail_idx);
}

/* One request whose descriptors are set up: the result of taking it. */
static int take(u16 head)
{
	offer(head);
	return virtqueue_pop(&vq, &chain);
}

static void test_good_chain(void)
{
	u16 *used = at(USED);
	u32 *entry = at(USED + 4);

	fresh_queue();
	tap_eq(virtqueue_pop(&vq, &chain), 0, "an empty ring has no request");
	set_desc(DESC, 2, DATA, 16, F_NEXT, 5);
	set_desc(DESC, 5, DATA + 0x100, 512, F_NEXT | F_WRITE, 0);
	set_desc(DESC, 0, RAM_HIGH_BASE, 1, F_WRITE, 0);
	tap_eq(take(2), 1, "a chain of three is taken");
	tap_ok(chain.head == 2 && chain.nr_out == 1 && chain.nr_in == 2 && chain.out_len == 16 &&
	       chain.in_len == 513, "its buffers are counted and summed");
	tap_ok(chain.iov[1].iov_base == (u8 *)at(DATA + 0x100) &&
	       chain.iov[2].iov_base == mem.ram[1].hva, "and point into RAM, around the hole");
	virtqueue_push(&vq, chain.head, 513);
	tap_ok(used[1] == 1 && entry[0] == 2 && entry[1] == 513, "it appears in the used ring");
	tap_eq(virtqueue_pop(&vq, &chain), 0, "and is not taken twice");
}

/* Requests that are given back later, in another order, or not yet. */
static void test_in_flight(void)
{
	u16 *used = at(USED);
	u32 *entry = at(USED + 4);
	unsigned int i;

	fresh_queue();
	for (i = 0; i < QSIZE; i++)
		set_desc(DESC, i, DATA + 64 * i, 16, F_WRITE, 0);
	take(3);
	take(5);
	virtqueue_push(&vq, 5, 1);
	virtqueue_push(&vq, 3, 2);
	tap_ok(used[1] == 2 && entry[0] == 5 && entry[2] == 3 && entry[3] == 2,
	       "requests come back in the order of their completion");
	take(1);
	take(2);
	virtqueue_unpop(&vq, 2);
	tap_ok(virtqueue_pop(&vq, &chain) == 1 && chain.head == 1 &&
	       virtqueue_pop(&vq, &chain) == 1 && chain.head == 2, "two put back are taken again");
	virtqueue_fill(&vq, 0, 1, 10);
	virtqueue_fill(&vq, 1, 2, 20);
	tap_eq(used[1], 2, "filled entries are not seen");
	virtqueue_flush(&vq, 2);
	tap_ok(used[1] == 4 && entry[4] == 1 && entry[6] == 2 && entry[7] == 20,
	       "before they are shown together");

	fresh_queue();
	for (i = 0; i < QSIZE; i++) {
		set_desc(DESC, i, DATA, 16, F_WRITE, 0);
		take((u16)i);
	}
	tap_ok(!vq.broken && take(0) == -EPROTO && vq.broken,
	       "no more requests are in flight than the queue has entries");
	fresh_queue();
	set_desc(DESC, 0, DATA, 16, F_WRITE, 0);
	take(0);
	offer(0);
	virtqueue_stop(&vq);
	tap_ok(!virtqueue_pop(&vq, &chain) && !virtqueue_rearm(&vq), "a stopped queue yields nothing");
	virtqueue_push(&vq, 0, 0);
	tap_eq(used[1], 1, "but takes back what is in flight");
	virtqueue_reset(&vq);
	virtqueue_push(&vq, 0, 0);
	tap_eq(used[1], 1, "until it is reset");
}

static void test_wrap(void)
{
	unsigned int i, good = 0;

	fresh_queue();
	set_desc(DESC, 0, DATA, 16, 0, 0);
	for (i = 0; i < 70000; i++) {
		good += take(0) == 1;
		virtqueue_push(&vq, chain.head, 0);
	}
	tap_ok(good == 70000 && ((u16 *)at(USED))[1] == (u16)70000, "16-bit indices wrap");
}

static void test_interrupts(void)
{
	u16 *avail = at(AVAIL), *used = at(USED);

	fresh_queue();
	set_desc(DESC, 0, DATA, 16, 0, 0);
	tap_ok(!virtqueue_should_interrupt(&vq), "no interrupt when nothing was pushed");
	take(0);
	virtqueue_push(&vq, chain.head, 0);
	tap_ok(virtqueue_should_interrupt(&vq), "interrupt after a push");
	tap_ok(!virtqueue_should_interrupt(&vq), "but only one");
	avail[0] = htole16(1);
	take(0);
	virtqueue_push(&vq, chain.head, 0);
	tap_ok(!virtqueue_should_interrupt(&vq), "the driver's flag turns it off");
	virtqueue_quiet(&vq);
	tap_eq(used[0], 1, "the device's flag asks for no notification");
	tap_ok(!virtqueue_rearm(&vq) && used[0] == 0, "rearming clears it; nothing has arrived");
	offer(0);
	tap_ok(virtqueue_rearm(&vq), "rearming sees a request that has");

	fresh_queue();
	vq.event_idx = true;
	set_desc(DESC, 0, DATA, 16, 0, 0);
	avail[2 + QSIZE] = htole16(1);	/* used_event: interrupt when entry 1 is used */
	take(0);
	virtqueue_push(&vq, chain.head, 0);
	tap_ok(!virtqueue_should_interrupt(&vq), "no interrupt before the event index");
	take(0);
	virtqueue_push(&vq, chain.head, 0);
	tap_ok(virtqueue_should_interrupt(&vq), "interrupt when the event index is passed");
	virtqueue_rearm(&vq);
	tap_eq(used[2 + 4 * QSIZE], 2, "rearming publishes the available event");
}

static void refused(int ret, const char *what)
{
	tap_ok(ret == -EPROTO && vq.broken, "no entry: %s", what);
}

static void test_bad_indices(void)
{
	u16 *avail = at(AVAIL);

	fresh_queue();
	refused(take(QSIZE), "head equal to the queue size");
	fresh_queue();
	refused(take(0xffff), "head 65535");
	fresh_queue();
	avail[1] = htole16(QSIZE + 1);
	refused(virtqueue_pop(&vq, &chain), "available index jumps by more than the size");
	fresh_queue();
	avail[1] = htole16(0xffff);
	refused(virtqueue_pop(&vq, &chain), "available index goes backwards");
	set_desc(DESC, 0, DATA, 16, 0, 0);
	avail[1] = htole16(1);
	tap_eq(virtqueue_pop(&vq, &chain), -EPROTO, "a broken queue stays broken");
	virtqueue_reset(&vq);
	tap_eq(virtqueue_pop(&vq, &chain), 0, "a reset queue is not enabled and yields nothing");
	fresh_queue();
	set_desc(DESC, 0, DATA, 16, F_NEXT, QSIZE);
	refused(take(0), "next index equal to the queue size");
	fresh_queue();
	set_desc(DESC, 0, DATA, 16, F_NEXT, 1);
	set_desc(DESC, 1, DATA, 16, F_NEXT, 0);
	refused(take(0), "a loop of two descriptors");
	fresh_queue();
	set_desc(DESC, 3, DATA, 16, F_NEXT, 3);
	refused(take(3), "a descriptor that follows itself");
}

static void test_bad_buffers(void)
{
	static const struct {
		u64 addr;
		u32 len;
		const char *what;
	} bad[] = {
		{ LOW_SIZE, 1, "first byte behind RAM" },
		{ LOW_SIZE - 1, 2, "last byte behind RAM" },
		{ 0, (u32)LOW_SIZE + 1, "longer than RAM" },
		{ DATA, UINT32_MAX, "4 GiB - 1 long" },
		{ PCI_MMIO_BASE, 16, "in the PCI hole" },
		{ RAM_HIGH_BASE - 8, 16, "starts in the hole, ends in RAM" },
		{ RAM_HIGH_BASE + HIGH_SIZE - 8, 9, "ends behind high RAM" },
		{ UINT64_MAX - 7, 16, "wraps around address 0" },
		{ UINT64_MAX, 1, "last byte of the address space" },
		{ DATA, 0, "length 0" },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		fresh_queue();
		set_desc(DESC, 0, bad[i].addr, bad[i].len, F_WRITE, 0);
		refused(take(0), bad[i].what);
	}
	fresh_queue();
	set_desc(DESC, 0, DATA, 16, F_WRITE | F_NEXT, 1);
	set_desc(DESC, 1, DATA, 16, 0, 0);
	refused(take(0), "readable buffer after a writable one");
	fresh_queue();
	set_desc(DESC, 0, DATA, 64, F_NEXT, 1);
	set_desc(DESC, 1, DATA + 8, 64, F_WRITE, 0);
	tap_eq(take(0), 1, "overlapping buffers are the guest's own business");
}

static void test_indirect(void)
{
	unsigned int i;

	fresh_queue();
	set_desc(DESC, 0, TABLE, 3 * 16, F_INDIRECT, 0);
	set_desc(TABLE, 0, DATA, 16, F_NEXT, 2);
	set_desc(TABLE, 2, DATA + 64, 512, F_WRITE | F_NEXT, 1);
	set_desc(TABLE, 1, DATA + 1024, 1, F_WRITE, 0);
	tap_ok(take(0) == 1 && chain.nr_out == 1 && chain.nr_in == 2 && chain.in_len == 513,
	       "an indirect chain is taken");
	fresh_queue();
	set_desc(DESC, 0, TABLE, 15, F_INDIRECT, 0);
	refused(take(0), "indirect table shorter than a descriptor");
	fresh_queue();
	set_desc(DESC, 0, TABLE, 0, F_INDIRECT, 0);
	refused(take(0), "indirect table of length 0");
	fresh_queue();
	set_desc(DESC, 0, TABLE, 24, F_INDIRECT, 0);
	refused(take(0), "indirect table of one and a half descriptors");
	fresh_queue();
	set_desc(DESC, 0, LOW_SIZE - 16, 32, F_INDIRECT, 0);
	refused(take(0), "indirect table that leaves RAM");
	fresh_queue();
	set_desc(DESC, 0, 0, 0xfffffff0, F_INDIRECT, 0);
	refused(take(0), "indirect table of 4 GiB");
	fresh_queue();
	set_desc(DESC, 0, TABLE, 16, F_INDIRECT, 0);
	set_desc(TABLE, 0, TABLE, 16, F_INDIRECT, 0);
	refused(take(0), "indirect table inside an indirect table");
	fresh_queue();
	set_desc(DESC, 0, TABLE, 16, F_INDIRECT | F_NEXT, 1);
	set_desc(TABLE, 0, DATA, 16, 0, 0);
	refused(take(0), "indirect descriptor with a next one");
	fresh_queue();
	set_desc(DESC, 0, TABLE, 32, F_INDIRECT, 0);
	set_desc(TABLE, 0, DATA, 16, F_NEXT, 2);
	refused(take(0), "next index outside the indirect table");
	fresh_queue();
	set_desc(DESC, 0, TABLE, 32, F_INDIRECT, 0);
	set_desc(TABLE, 0, DATA, 16, F_NEXT, 1);
	set_desc(TABLE, 1, DATA, 16, F_NEXT, 0);
	refused(take(0), "a loop in an indirect table");
	fresh_queue();
	set_desc(DESC, 0, TABLE, (QSIZE + 1) * 16, F_INDIRECT, 0);
	for (i = 0; i <= QSIZE; i++)
		set_desc(TABLE, i, DATA, 16, i < QSIZE ? F_NEXT : 0, (u16)(i + 1));
	refused(take(0), "more buffers than the queue has entries");
	fresh_queue();
	set_desc(DESC, 0, TABLE, (QSIZE + 1) * 16, F_INDIRECT, 0);
	for (i = 0; i < QSIZE; i++)
		set_desc(TABLE, i, DATA, 16, i < QSIZE - 1 ? F_NEXT : 0, (u16)(i + 1));
	tap_ok(take(0) == 1 && chain.nr_out == QSIZE, "as many buffers as entries are accepted");
}

static int enable(u16 size, gpa_t desc, gpa_t avail, gpa_t used)
{
	virtqueue_init(&vq, &mem, 256);
	vq.size = size;
	vq.desc_gpa = desc;
	vq.avail_gpa = avail;
	vq.used_gpa = used;
	return virtqueue_enable(&vq);
}

static void test_enable(void)
{
	tap_eq(enable(0, DESC, AVAIL, USED), -EINVAL, "queue size 0");
	tap_eq(enable(12, DESC, AVAIL, USED), -EINVAL, "queue size 12");
	tap_eq(enable(512, DESC, AVAIL, USED), -EINVAL, "queue size above the device's");
	tap_eq(enable(QSIZE, DESC + 8, AVAIL, USED), -EINVAL, "misaligned descriptor table");
	tap_eq(enable(QSIZE, DESC, AVAIL + 1, USED), -EINVAL, "misaligned available ring");
	tap_eq(enable(QSIZE, DESC, AVAIL, USED + 2), -EINVAL, "misaligned used ring");
	tap_eq(enable(QSIZE, LOW_SIZE - 16 * QSIZE, AVAIL, USED), 0, "table at the end of RAM");
	tap_eq(enable(QSIZE, LOW_SIZE - 16 * (QSIZE - 1), AVAIL, USED), -EFAULT,
	       "table that leaves RAM");
	tap_eq(enable(QSIZE, DESC, LOW_SIZE - (6 + 2 * QSIZE), USED), 0, "and available ring");
	tap_eq(enable(QSIZE, DESC, LOW_SIZE - (4 + 2 * QSIZE), USED), -EFAULT,
	       "available ring whose event word leaves RAM");
	tap_eq(enable(QSIZE, DESC, AVAIL, LOW_SIZE - (4 + 8 * QSIZE)), -EFAULT,
	       "used ring whose event word leaves RAM");
	tap_eq(enable(QSIZE, DESC, AVAIL, UINT64_MAX - 3), -EFAULT, "used ring that wraps");
	tap_eq(enable(QSIZE, PCI_MMIO_BASE, AVAIL, USED), -EFAULT, "table in the PCI hole");
}

static u64 random_state = 88172645463325252ULL;

static u64 next_random(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state;
}

/* Mostly plausible values: pure noise would be refused at the first check. */
static void random_desc(gpa_t table, unsigned int i)
{
	static const u64 bases[] = { DATA, TABLE, DESC, LOW_SIZE - 64, RAM_HIGH_BASE, 0 };
	u64 r = next_random();
	u64 addr = r & 1 ? bases[(r >> 1) % ARRAY_SIZE(bases)] + (r >> 8) % 128 : next_random();
	u32 len = r & 2 ? (u32)(r >> 16) % 128 : (u32)(r >> 16) % 8 * 16;

	set_desc(table, i, addr, len, (r >> 40) & 7, (u16)((r >> 48) % (QSIZE + 1)));
}

static bool inside_ram(const struct iovec *iov)
{
	unsigned int i;

	for (i = 0; i < mem.nr; i++) {
		const u8 *p = iov->iov_base, *start = mem.ram[i].hva;

		if (p >= start && p < start + mem.ram[i].size &&
		    iov->iov_len <= mem.ram[i].size - (size_t)(p - start))
			return true;
	}
	return false;
}

static void test_random(void)
{
	unsigned int round, i, taken = 0, wrong = 0;
	u64 sum;

	for (round = 0; round < 200000; round++) {
		if (!(round % 16) || vq.broken)
			fresh_queue();
		for (i = 0; i < QSIZE; i++) {
			random_desc(DESC, i);
			random_desc(TABLE, i);
		}
		if (take((u16)(next_random() % (QSIZE + 1))) != 1)
			continue;
		taken++;
		for (sum = 0, i = 0; i < chain.nr_out + chain.nr_in; i++) {
			wrong += !inside_ram(&chain.iov[i]);
			sum += chain.iov[i].iov_len;
		}
		wrong += sum != chain.out_len + chain.in_len;
		virtqueue_push(&vq, chain.head, (u32)chain.in_len);
	}
	tap_ok(taken > 1000 && !wrong, "random rings: %u chains taken, none leaves RAM", taken);
}

/* Slices, compared byte by byte with the buffers laid out flat. */
static void test_slice(void)
{
	static u8 flat[64];
	struct iovec in[4] = { { flat, 5 }, { flat + 5, 1 }, { flat + 6, 20 }, { flat + 26, 38 } };
	struct iovec out[4];
	unsigned int offset, len, n, i, wrong = 0;

	for (offset = 0; offset <= 70; offset++) {
		for (len = 0; len <= 70; len++) {
			unsigned int pos = offset, want = offset < 64 ? 64 - offset : 0;

			want = want < len ? want : len;
			n = iov_slice(in, 4, offset, len, out);
			for (i = 0; i < n; i++) {
				wrong += out[i].iov_base != flat + pos || !out[i].iov_len;
				pos += (unsigned int)out[i].iov_len;
			}
			wrong += pos - offset != want;
		}
	}
	tap_ok(!wrong, "slices of an array of buffers are the right bytes");

	fresh_queue();
	set_desc(DESC, 0, DATA, 3, F_NEXT, 1);
	set_desc(DESC, 1, DATA + 16, 4, F_NEXT, 2);
	set_desc(DESC, 2, DATA + 32, 2, F_WRITE | F_NEXT, 3);
	set_desc(DESC, 3, DATA + 48, 2, F_WRITE, 0);
	memcpy(at(DATA), "abc", 3);
	memcpy(at(DATA + 16), "defg", 4);
	take(0);
	memset(flat, 0, sizeof(flat));
	tap_ok(virtq_read(&chain, 1, flat, 8) == 6 && !memcmp(flat, "bcdefg", 7),
	       "reading crosses buffers and stops at the end");
	tap_ok(virtq_write(&chain, 1, "xyz!", 4) == 3 && !memcmp(at(DATA + 33), "x", 2) &&
	       !memcmp(at(DATA + 48), "yz", 3), "so does writing");
}

int main(void)
{
	tap_plan(0);
	set_up_memory();
	test_good_chain();
	test_in_flight();
	test_wrap();
	test_interrupts();
	test_bad_indices();
	test_bad_buffers();
	test_indirect();
	test_enable();
	test_random();
	test_slice();
	free(mem.ram[0].hva);
	free(mem.ram[1].hva);
	return tap_done();
}
