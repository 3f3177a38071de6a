// SPDX-License-Identifier: GPL-2.0
/*
 * The ring walker. Everything in a ring is under the guest's control and may change while it is
 * looked at: each field is read once, into a local, and checked there.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, "Split Virtqueues".
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "iov.h"
#include "types.h"
#include "virtio/virtqueue.h"

#define DESC_F_NEXT		1
#define DESC_F_WRITE		2
#define DESC_F_INDIRECT		4
#define AVAIL_F_NO_INTERRUPT	1
#define USED_F_NO_NOTIFY	1

#define DESC_SIZE		16

struct desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

static_assert(sizeof(struct desc) == DESC_SIZE, "descriptor");

/*
 * Ring layout. Available: flags, idx, ring[size], used_event. Used: flags, idx, { id, len }[size],
 * avail_event.
 */
#define RING_FLAGS		0
#define RING_IDX		2
#define RING_ENTRIES		4

static u64 avail_bytes(unsigned int size)
{
	return RING_ENTRIES + 2ULL * size + 2;
}

static u64 used_bytes(unsigned int size)
{
	return RING_ENTRIES + 8ULL * size + 2;
}

static u16 load16(const u8 *p)
{
	return le16toh(__atomic_load_n((const u16 *)(const void *)p, __ATOMIC_ACQUIRE));
}

static void store16(u8 *p, u16 value)
{
	__atomic_store_n((u16 *)(void *)p, htole16(value), __ATOMIC_RELEASE);
}

void virtqueue_init(struct virtqueue *vq, const struct guest_mem *mem, u16 max_size)
{
	memset(vq, 0, sizeof(*vq));
	pthread_mutex_init(&vq->lock, NULL);
	vq->mem = mem;
	vq->max_size = max_size;
	vq->size = max_size;
}

void virtqueue_reset(struct virtqueue *vq)
{
	vq->size = vq->max_size;
	vq->desc_gpa = 0;
	vq->avail_gpa = 0;
	vq->used_gpa = 0;
	vq->enabled = false;
	vq->broken = false;
	vq->event_idx = false;
	vq->stopped = false;
	vq->desc = NULL;
	vq->avail = NULL;
	vq->used = NULL;
}

void virtqueue_stop(struct virtqueue *vq)
{
	vq->stopped = true;
}

int virtqueue_enable(struct virtqueue *vq)
{
	struct iovec desc, avail, used;
	unsigned int size = vq->size;

	if (!size || (size & (size - 1)) || size > vq->max_size)
		return -EINVAL;
	if (vq->desc_gpa % 16 || vq->avail_gpa % 2 || vq->used_gpa % 4)
		return -EINVAL;
	if (guest_mem_iov(vq->mem, vq->desc_gpa, (u64)DESC_SIZE * size, &desc) ||
	    guest_mem_iov(vq->mem, vq->avail_gpa, avail_bytes(size), &avail) ||
	    guest_mem_iov(vq->mem, vq->used_gpa, used_bytes(size), &used))
		return -EFAULT;
	vq->desc = desc.iov_base;
	vq->avail = avail.iov_base;
	vq->used = used.iov_base;
	vq->last_avail = 0;
	vq->used_idx = 0;
	vq->signalled = 0;
	vq->broken = false;
	vq->enabled = true;
	return 0;
}

/*
 * One read of 16 bytes that the guest may be writing: what was copied is what counts from here on.
 */
static struct desc fetch(const u8 *table, unsigned int index)
{
	struct desc d;

	memcpy(&d, table + (size_t)index * DESC_SIZE, sizeof(d));
	/* Keep the compiler from reading the table again instead of using the copy. */
	__asm__ volatile("" : : : "memory");
	d.addr = le64toh(d.addr);
	d.len = le32toh(d.len);
	d.flags = le16toh(d.flags);
	d.next = le16toh(d.next);
	return d;
}

/* Add one buffer. Readable ones must come first. */
static int add_buffer(const struct virtqueue *vq, struct virtq_chain *chain, const struct desc *d)
{
	unsigned int nr = chain->nr_out + chain->nr_in;

	if (nr == vq->size || d->len == 0)
		return -EPROTO;
	if (!(d->flags & DESC_F_WRITE) && chain->nr_in)
		return -EPROTO;
	if (guest_mem_iov(vq->mem, d->addr, d->len, &chain->iov[nr]))
		return -EPROTO;
	if (d->flags & DESC_F_WRITE) {
		chain->nr_in++;
		chain->in_len += d->len;
	} else {
		chain->nr_out++;
		chain->out_len += d->len;
	}
	return 0;
}

/*
 * Walk a table of @entries descriptors from @index. add_buffer() refuses more buffers than the
 * queue has entries, which bounds the walk even if the descriptors form a loop. @indirect: this is
 * an indirect table already.
 */
static int walk(const struct virtqueue *vq, struct virtq_chain *chain, const u8 *table, u32 entries,
		u32 index, bool indirect)
{
	for (;;) {
		struct desc d;
		struct iovec sub;

		if (index >= entries)
			return -EPROTO;
		d = fetch(table, index);
		if (d.flags & DESC_F_INDIRECT) {
			/*
			 * Not inside an indirect table, not followed by more, a whole number of
			 * entries.
			 */
			if (indirect || (d.flags & DESC_F_NEXT) || !d.len || d.len % DESC_SIZE)
				return -EPROTO;
			if (guest_mem_iov(vq->mem, d.addr, d.len, &sub))
				return -EPROTO;
			return walk(vq, chain, sub.iov_base, d.len / DESC_SIZE, 0, true);
		}
		if (add_buffer(vq, chain, &d))
			return -EPROTO;
		if (!(d.flags & DESC_F_NEXT))
			return 0;
		index = d.next;
	}
}

static int broken(struct virtqueue *vq)
{
	vq->broken = true;
	return -EPROTO;
}

int virtqueue_pop(struct virtqueue *vq, struct virtq_chain *chain)
{
	u16 avail_idx, head;

	if (!vq->enabled || vq->stopped)
		return 0;
	if (vq->broken)
		return -EPROTO;
	avail_idx = load16(vq->avail + RING_IDX);
	if (avail_idx == vq->last_avail)
		return 0;
	/* Neither more new requests than entries, nor more together with those in flight. */
	if ((u16)(avail_idx - vq->last_avail) > vq->size ||
	    (u16)(vq->last_avail - vq->used_idx) >= vq->size)
		return broken(vq);
	head = load16(vq->avail + RING_ENTRIES + 2u * (vq->last_avail & (vq->size - 1u)));
	if (head >= vq->size)
		return broken(vq);

	chain->head = head;
	chain->nr_out = 0;
	chain->nr_in = 0;
	chain->out_len = 0;
	chain->in_len = 0;
	if (walk(vq, chain, vq->desc, vq->size, head, false))
		return broken(vq);
	vq->last_avail++;
	return 1;
}

void virtqueue_unpop(struct virtqueue *vq, u16 n)
{
	if (vq->enabled && !vq->broken)
		vq->last_avail -= n;
}

void virtqueue_fill(struct virtqueue *vq, u16 ahead, u16 head, u32 written)
{
	u32 entry[2] = { htole32(head), htole32(written) };
	unsigned int slot = (unsigned int)(vq->used_idx + ahead) & (vq->size - 1u);

	if (vq->enabled)
		memcpy(vq->used + RING_ENTRIES + 8u * slot, entry, sizeof(entry));
}

void virtqueue_flush(struct virtqueue *vq, u16 n)
{
	if (!vq->enabled)
		return;
	vq->used_idx += n;
	/* Release: the entries and the data before them are visible before the index is. */
	store16(vq->used + RING_IDX, vq->used_idx);
}

void virtqueue_push(struct virtqueue *vq, u16 head, u32 written)
{
	virtqueue_fill(vq, 0, head, written);
	virtqueue_flush(vq, 1);
}

bool virtqueue_should_interrupt(struct virtqueue *vq)
{
	u16 before = vq->signalled, event;

	if (!vq->enabled || vq->used_idx == before)
		return false;
	/* The driver stores its wish, then looks at the used index; we did the reverse. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (!vq->event_idx) {
		vq->signalled = vq->used_idx;
		return !(load16(vq->avail + RING_FLAGS) & AVAIL_F_NO_INTERRUPT);
	}
	event = load16(vq->avail + RING_ENTRIES + 2u * vq->size);
	vq->signalled = vq->used_idx;
	/* Has the used index passed the event index since the last interrupt? */
	return (u16)(vq->used_idx - event - 1) < (u16)(vq->used_idx - before);
}

void virtqueue_quiet(struct virtqueue *vq)
{
	/* With the event index there is nothing to do: the old value lies behind. */
	if (vq->enabled && !vq->event_idx)
		store16(vq->used + RING_FLAGS, USED_F_NO_NOTIFY);
}

bool virtqueue_rearm(struct virtqueue *vq)
{
	if (!vq->enabled || vq->broken || vq->stopped)
		return false;
	if (vq->event_idx)
		store16(vq->used + RING_ENTRIES + 8u * vq->size, vq->last_avail);
	else
		store16(vq->used + RING_FLAGS, 0);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	return load16(vq->avail + RING_IDX) != vq->last_avail;
}

size_t virtq_read(const struct virtq_chain *chain, u64 offset, void *buf, size_t len)
{
	return iov_read(chain->iov, chain->nr_out, offset, buf, len);
}

size_t virtq_write(const struct virtq_chain *chain, u64 offset, const void *buf, size_t len)
{
	return iov_write(chain->iov + chain->nr_out, chain->nr_in, offset, buf, len);
}
