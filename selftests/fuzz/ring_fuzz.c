// SPDX-License-Identifier: GPL-2.0
/*
 * Fuzzer of the ring walker: the input is memory of a guest, and what its driver does with a queue.
 *
 * The two pieces of RAM are heap blocks, so that the address sanitizer sees a byte outside them.
 * What a chain says of itself must be true.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "iov.h"
#include "layout.h"
#include "virtio/virtqueue.h"

#define LOW_SIZE	0x10000ULL
#define HIGH_SIZE	0x4000ULL
#define DESC		0x1000ULL
#define AVAIL		0x2000ULL
#define USED		0x3000ULL
#define TABLE		0x4000ULL

static struct guest_mem mem;
static struct virtqueue vq;
static struct virtq_chain chain;
static u16 avail_idx;

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

static void *at(gpa_t gpa)
{
	return mem.ram[0].hva + gpa;
}

static void put16(gpa_t gpa, u16 value)
{
	memcpy(at(gpa), &value, sizeof(value));
}

static void check_chain(void)
{
	unsigned int i, j;
	u64 out = 0, in = 0;

	if (chain.nr_out + chain.nr_in > vq.size || chain.head >= vq.size)
		fuzz_fail("a chain of %u + %u buffers", chain.nr_out, chain.nr_in);
	for (i = 0; i < chain.nr_out + chain.nr_in; i++) {
		const u8 *p = chain.iov[i].iov_base;
		bool inside = false;

		for (j = 0; j < mem.nr; j++)
			inside |= p >= mem.ram[j].hva && p < mem.ram[j].hva + mem.ram[j].size &&
				  chain.iov[i].iov_len <=
					  mem.ram[j].size - (size_t)(p - mem.ram[j].hva);
		if (!inside || !chain.iov[i].iov_len)
			fuzz_fail("buffer %u is outside RAM", i);
		*(i < chain.nr_out ? &out : &in) += chain.iov[i].iov_len;
	}
	if (out != chain.out_len || in != chain.in_len)
		fuzz_fail("lengths do not add up");
}

/* What a device does with a chain. */
static void use_chain(struct fuzz_in *in)
{
	struct iovec part[VIRTQUEUE_MAX_SIZE];
	u8 buf[64];
	u32 offset = fuzz_u16(in);

	check_chain();
	virtq_read(&chain, offset, buf, sizeof(buf));
	virtq_write(&chain, offset, buf, sizeof(buf));
	iov_slice(chain.iov, chain.nr_out, offset, 100, part);
	virtqueue_push(&vq, chain.head, (u32)chain.in_len);
	virtqueue_should_interrupt(&vq);
}

static void write_desc(struct fuzz_in *in)
{
	static const u64 bases[8] = { 0, DESC, AVAIL, USED, TABLE, LOW_SIZE - 32, RAM_HIGH_BASE,
				      RAM_HIGH_BASE + HIGH_SIZE - 16 };
	struct {
		u64 addr;
		u32 len;
		u16 flags, next;
	} desc;
	u8 where = fuzz_u8(in), how = fuzz_u8(in);

	desc.addr = how & 0x80 ? fuzz_u64(in) : bases[how & 7] + fuzz_u8(in);
	desc.len = how & 0x40 ? fuzz_u32(in) : how & 0x20 ? 16u * fuzz_u8(in) : fuzz_u8(in);
	desc.flags = how & 0x10 ? fuzz_u16(in) : fuzz_u8(in) & 7;
	desc.next = how & 8 ? fuzz_u16(in) : fuzz_u8(in) % 16;
	memcpy(at((where & 0x80 ? TABLE : DESC) + 16ULL * (where & 0x3f)), &desc, sizeof(desc));
}

static void step(struct fuzz_in *in)
{
	u8 op = fuzz_u8(in);
	u8 raw[64];
	u16 head;

	switch (op & 15) {
	case 0: case 1: case 2: case 3: case 4: case 5:
		write_desc(in);
		break;
	case 6: case 7: case 8:
		head = op & 0x80 ? fuzz_u16(in) : fuzz_u8(in) & 15;
		if (vq.enabled)
			put16(AVAIL + 4 + 2u * (avail_idx % vq.size), head);
		put16(AVAIL + 2, ++avail_idx);
		break;
	case 9:
		avail_idx = fuzz_u16(in);
		put16(AVAIL + 2, avail_idx);
		break;
	case 10:
		memcpy(at(0x1000ULL * (1 + (op >> 4) % 4) + fuzz_u8(in)), raw,
		       fuzz_bytes(in, raw, 1 + fuzz_u8(in) % sizeof(raw)));
		break;
	case 11:
		virtqueue_quiet(&vq);
		virtqueue_rearm(&vq);
		break;
	case 12:
		put16(AVAIL, fuzz_u8(in) & 1);
		put16(AVAIL + 4 + 2ull * (vq.size & 0xff), fuzz_u16(in));
		break;
	default:
		while (virtqueue_pop(&vq, &chain) > 0)
			use_chain(in);
		break;
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_in in = { data, size };
	u8 how;

	if (!mem.nr) {
		mem.nr = 2;
		mem.ram[0] = (struct guest_ram){ 0, LOW_SIZE, malloc(LOW_SIZE) };
		mem.ram[1] = (struct guest_ram){ RAM_HIGH_BASE, HIGH_SIZE, malloc(HIGH_SIZE) };
		virtqueue_init(&vq, &mem, 64);
	}
	memset(at(0), 0, 0x6000);
	avail_idx = 0;
	virtqueue_reset(&vq);
	how = fuzz_u8(&in);
	vq.size = how & 0x80 ? fuzz_u16(&in) : 1u << (how & 7);
	vq.desc_gpa = how & 0x40 ? fuzz_u64(&in) : DESC;
	vq.avail_gpa = how & 0x40 ? fuzz_u64(&in) : AVAIL;
	vq.used_gpa = how & 0x40 ? fuzz_u64(&in) : USED;
	vq.event_idx = how & 0x20;
	virtqueue_enable(&vq);
	while (in.left)
		step(&in);
	while (virtqueue_pop(&vq, &chain) > 0)
		use_chain(&in);
	return 0;
}
