/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What tiny kernels in C share: the way in, the console, and a driver of the machine's first virtio
 * device that polls.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, "Virtio Over PCI Bus", "Split Virtqueues".
 */
typedef unsigned char u8;
typedef unsigned short u16;
typedef unsigned int u32;
typedef unsigned long u64;

/* The setup header, and the way into main() at the 64-bit entry point. */
asm(".section .start, \"ax\"\n"
    ".include \"header.inc\"\n"
    "mov esp, 0x800000\n"
    "mov rdi, rsi\n"
    "call main\n"
    "power_off\n"
    ".att_syntax prefix\n"
    ".text\n");

#define CMDLINE_PTR	0x228		/* of the zero page */
#define SLOT		1
#define BAR		0xc0000000ul
#define NOTIFY		0x3000		/* offset in the BAR, as the capability says */

#define QSIZE		16u
#define MAX_QUEUES	3u		/* a disk's one; receive, transmit, control */
#define DESC(q)		(0x2000000ul + 0x10000ul * (q))
#define AVAIL(q)	(DESC(q) + 0x1000)
#define USED(q)		(DESC(q) + 0x2000)
#define HEADER		0x2100000ul
#define STATUS		0x2100800ul
#define DATA		0x2101000ul

#define F_NEXT		1
#define F_WRITE		2

#define PATIENCE	20000000u

struct desc {
	u64 addr;
	u32 len;
	u16 flags, next;
};

static u32 nr_queues;
static int is_net;
static u16 avail_idx[MAX_QUEUES];

int main(const u8 *zero_page);

static inline void outb(u16 port, u8 value)
{
	asm volatile("out %0, %1" : : "a"(value), "Nd"(port));
}

static inline void outl(u16 port, u32 value)
{
	asm volatile("out %0, %1" : : "a"(value), "Nd"(port));
}

static inline u32 inl(u16 port)
{
	u32 value;

	asm volatile("in %1, %0" : "=a"(value) : "Nd"(port));
	return value;
}

static inline void print(const char *s)
{
	while (*s)
		outb(0x3f8, (u8)*s++);
}

static inline void config(u32 reg, u32 value)
{
	outl(0xcf8, 0x80000000u | SLOT << 11 | reg);
	outl(0xcfc, value);
}

#define reg8(off)	(*(volatile u8 *)(BAR + (off)))
#define reg16(off)	(*(volatile u16 *)(BAR + (off)))
#define reg32(off)	(*(volatile u32 *)(BAR + (off)))
#define mem16(gpa)	(*(volatile u16 *)(gpa))

static inline void set_desc(u64 table, u32 i, u64 addr, u32 len, u16 flags, u16 next)
{
	volatile struct desc *d = (struct desc *)table + i;

	d->addr = addr;
	d->len = len;
	d->flags = flags;
	d->next = next;
}

static inline void clear(u64 gpa, u32 len)
{
	while (len--)
		*(volatile u8 *)gpa++ = 0;
}

static inline void kick(u32 q)
{
	asm volatile("" : : : "memory");
	reg16(NOTIFY + 4 * q) = (u16)q;
}

static inline void offer(u32 q, u16 head)
{
	mem16(AVAIL(q) + 4 + 2 * (avail_idx[q] % QSIZE)) = head;
	asm volatile("" : : : "memory");
	mem16(AVAIL(q) + 2) = ++avail_idx[q];
}

static inline void place_queue(u32 q, u64 desc, u64 avail, u64 used, u16 size)
{
	reg16(0x16) = (u16)q;
	reg16(0x18) = size;
	reg32(0x20) = (u32)desc;
	reg32(0x24) = (u32)(desc >> 32);
	reg32(0x28) = (u32)avail;
	reg32(0x2c) = (u32)(avail >> 32);
	reg32(0x30) = (u32)used;
	reg32(0x34) = (u32)(used >> 32);
	reg16(0x1c) = 1;
}

/* A reset is over when the register says so. */
static inline int reset(void)
{
	u32 n;

	reg8(0x14) = 0;
	for (n = 0; n < PATIENCE; n++) {
		if (!reg8(0x14))
			return 0;
	}
	return -1;
}

static inline int initialise(void)
{
	u32 low, q;

	outl(0xcf8, 0x80000000u | SLOT << 11);
	is_net = inl(0xcfc) >> 16 == 0x1041;
	config(0x10, BAR);
	config(0x04, 6);
	if (reset())
		return -1;
	nr_queues = reg16(0x12);
	if (nr_queues > MAX_QUEUES)
		nr_queues = MAX_QUEUES;
	reg8(0x14) = 3;
	reg32(0x00) = 0;
	low = reg32(0x04);
	reg32(0x08) = 0;
	reg32(0x0c) = low & ~(1u << 29);	/* all but the event index */
	reg32(0x08) = 1;
	reg32(0x0c) = 1;
	reg8(0x14) = 11;
	for (q = 0; q < nr_queues; q++) {
		avail_idx[q] = 0;
		clear(DESC(q), 0x200);
		clear(AVAIL(q), 0x100);
		clear(USED(q), 0x100);
		mem16(AVAIL(q)) = 1;	/* no interrupts, please */
		place_queue(q, DESC(q), AVAIL(q), USED(q), QSIZE);
	}
	reg8(0x14) = 15;
	return reg8(0x14) == 15 ? 0 : -1;
}

/* Wait until the device has used all that was offered. */
static inline int served(u32 q)
{
	u32 n;

	for (n = 0; n < PATIENCE; n++) {
		if (mem16(USED(q) + 2) == avail_idx[q])
			return 0;
		asm volatile("pause");
	}
	return -1;
}
