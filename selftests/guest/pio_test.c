// SPDX-License-Identifier: GPL-2.0
/*
 * Port I/O reaches userspace and comes back: every width, both ways of naming the port, and string
 * instructions forward, backward, across pages and up to a page that is not there.
 */
#include <string.h>

#include "gvm.h"

#define PORT_LOG	0x300		/* OUT: remembered */
#define PORT_LAST	0x310		/* IN: the last value written to PORT_LOG */
#define PORT_SIZE	0x314		/* IN: its size */
#define PORT_COUNT	0x318		/* IN: how many bytes were written since the last look */
#define PORT_STREAM	0x320		/* IN: a stream of bytes 0, 1, 2, ...; OUT restarts it */
#define LOG		(GUEST_FREE + 0x40000)	/* bytes written, in guest memory so that it can look */
#define BUF		(GUEST_FREE + 0x50000)

static uint32_t last, last_size, logged, stream;

static bool serve(struct gvm_vcpu *v, struct minikvm_run *run, uint8_t *data)
{
	uint32_t bytes = run->io.size * run->io.count, i;
	uint32_t *answer = run->io.port == PORT_LAST ? &last : run->io.port == PORT_SIZE ? &last_size : &logged;

	if (bytes > 4096)
		return false;
	switch (run->io.port) {
	case PORT_LOG:
		if (!run->io.direction)
			return false;
		last = 0;
		last_size = run->io.size;
		memcpy(&last, data, run->io.size);
		memcpy(v->vm->ram + LOG + (logged & 0xfff), data, bytes);
		logged += bytes;
		return true;
	case PORT_LAST:
	case PORT_SIZE:
	case PORT_COUNT:
		memcpy(data, answer, run->io.size);
		if (run->io.port == PORT_COUNT)
			logged = 0;
		return true;
	case PORT_STREAM:
		for (i = 0; i < bytes && !run->io.direction; i++)
			data[i] = stream++;
		if (run->io.direction)
			stream = 0;
		return true;
	}
	return false;
}

static void widths(void)
{
	uint64_t rax;

	outb(PORT_LOG & 0xffff, 0xa1);
	guest_check(inl(PORT_LAST) == 0xa1 && inl(PORT_SIZE) == 1, "OUT of a byte");
	outw(PORT_LOG, 0xb2b1);
	guest_check(inl(PORT_LAST) == 0xb2b1 && inl(PORT_SIZE) == 2, "OUT of a word");
	outl(PORT_LOG, 0xc4c3c2c1);
	guest_check(inl(PORT_LAST) == 0xc4c3c2c1 && inl(PORT_SIZE) == 4, "OUT of a doubleword");
	outb(PORT_STREAM, 0);
	asm volatile("in %%dx, %%al" : "=a"(rax) : "0"(0x1122334455667788), "d"(PORT_STREAM));
	guest_eq(rax, 0x1122334455667700, "IN of a byte changes AL only");
	asm volatile("in %%dx, %%ax" : "=a"(rax) : "0"(0x1122334455667788), "d"(PORT_STREAM));
	guest_eq(rax, 0x1122334455660201, "IN of a word changes AX only");
	asm volatile("in %%dx, %%eax" : "=a"(rax) : "0"(0x1122334455667788), "d"(PORT_STREAM));
	guest_eq(rax, 0x06050403, "IN of a doubleword clears the upper half of RAX");
}

static bool logged_is(const uint8_t *p, unsigned int n)
{
	const volatile uint8_t *log = (const volatile uint8_t *)LOG;
	unsigned int i;

	if (inl(PORT_COUNT) != n)
		return false;
	for (i = 0; i < n; i++)
		if (log[i] != p[i])
			return false;
	return true;
}

static bool stream_is(const volatile uint8_t *p, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		if (p[i] != (uint8_t)i)
			return false;
	return true;
}

static void string_out(void)
{
	uint8_t *buf = (uint8_t *)BUF, back[6];
	const void *si;
	uint64_t cx;
	unsigned int i;

	for (i = 0; i < 0x2000; i++)
		buf[i] = i * 7 + (i >> 8);
	inl(PORT_COUNT);
	si = buf + 3;
	asm volatile("outsb" : "+S"(si) : "d"(PORT_LOG) : "memory");
	guest_check(logged_is(buf + 3, 1) && si == buf + 4, "OUTSB");
	si = buf;
	cx = 100;
	asm volatile("rep outsb" : "+S"(si), "+c"(cx) : "d"(PORT_LOG) : "memory");
	guest_check(logged_is(buf, 100) && si == buf + 100 && !cx, "REP OUTSB");
	si = buf + 0xff0;
	cx = 16;
	asm volatile("rep outsw" : "+S"(si), "+c"(cx) : "d"(PORT_LOG) : "memory");
	guest_check(logged_is(buf + 0xff0, 32) && si == buf + 0x1010 && !cx, "REP OUTSW across a page");
	si = buf + 0xff2;
	cx = 8;
	asm volatile("rep outsl" : "+S"(si), "+c"(cx) : "d"(PORT_LOG) : "memory");
	guest_check(logged_is(buf + 0xff2, 32) && si == buf + 0x1012, "REP OUTSL with an element across a page");
	si = buf + 4;
	cx = 3;
	for (i = 0; i < 3; i++) {
		back[2 * i] = buf[4 - 2 * i];
		back[2 * i + 1] = buf[5 - 2 * i];
	}
	asm volatile("std; rep outsw; cld" : "+S"(si), "+c"(cx) : "d"(PORT_LOG) : "memory");
	guest_check(logged_is(back, 6) && si == buf - 2 && !cx, "REP OUTSW backward");
	si = buf;
	cx = 0;
	asm volatile("rep outsb" : "+S"(si), "+c"(cx) : "d"(PORT_LOG) : "memory");
	guest_check(logged_is(buf, 0) && si == buf, "REP OUTSB with count 0 does nothing");
	si = buf;
	cx = 0x700000003ul;
	asm volatile("addr32 rep outsb" : "+S"(si), "+c"(cx) : "d"(PORT_LOG) : "memory");
	guest_check(logged_is(buf, 3) && si == buf + 3 && !(uint32_t)cx, "a 32-bit address size counts in ECX");
}

static void string_in(void)
{
	volatile uint8_t *buf = (volatile uint8_t *)BUF;
	volatile void *di;
	uint64_t cx;

	outb(PORT_STREAM, 0);
	di = buf;
	cx = 200;
	asm volatile("rep insb" : "+D"(di), "+c"(cx) : "d"(PORT_STREAM) : "memory");
	guest_check(stream_is(buf, 200) && di == buf + 200 && !cx, "REP INSB");
	outb(PORT_STREAM, 0);
	di = buf + 0xffe;
	cx = 10;
	asm volatile("rep insl" : "+D"(di), "+c"(cx) : "d"(PORT_STREAM) : "memory");
	guest_check(stream_is(buf + 0xffe, 40) && di == buf + 0xffe + 40, "REP INSL across a page");
	outb(PORT_STREAM, 0);
	di = buf + 4;
	cx = 5;
	asm volatile("std; rep insb; cld" : "+D"(di), "+c"(cx) : "d"(PORT_STREAM) : "memory");
	guest_check(buf[4] == 0 && buf[3] == 1 && buf[0] == 4 && di == buf - 1, "REP INSB backward");
	outb(PORT_STREAM, 0);
	di = buf;
	cx = 5000;
	asm volatile("rep insb" : "+D"(di), "+c"(cx) : "d"(PORT_STREAM) : "memory");
	guest_check(stream_is(buf, 5000) && !cx, "REP INSB of more than a page");
}

/* A table of 4 KiB pages for GUEST_EXTRA whose second page is absent. */
static uint64_t page_table[512] __attribute__((aligned(4096)));

static void string_faults(void)
{
	uint64_t *pd = (uint64_t *)(GUEST_PML4 + 0x2000), err;
	volatile uint8_t *extra = (volatile uint8_t *)GUEST_EXTRA;
	volatile void *p;
	uint64_t cx;
	int vec;

	page_table[0] = BUF | 7;
	pd[GUEST_EXTRA >> 21] = (uint64_t)page_table | 7;
	write_cr3(read_cr3());
	inl(PORT_COUNT);
	p = extra + 0xff8;
	cx = 16;
	GUEST_TRY(vec, err, "rep outsb", GUEST_COMMA "+S"(p) GUEST_COMMA "+c"(cx), "d"(PORT_LOG));
	guest_check(vec == EX_PF && err == 0 && read_cr2() == GUEST_EXTRA + 0x1000, "REP OUTSB into a hole faults");
	guest_check(p == extra + 0x1000 && cx == 8 && inl(PORT_COUNT) == 8, "... after what came before it");
	outb(PORT_STREAM, 0);
	p = extra + 0xffc;
	cx = 16;
	GUEST_TRY(vec, err, "rep insb", GUEST_COMMA "+D"(p) GUEST_COMMA "+c"(cx), "d"(PORT_STREAM));
	guest_check(vec == EX_PF && err == 2 && p == extra + 0x1000 && cx == 12, "REP INSB into a hole faults");
	guest_check(stream_is(extra + 0xffc, 4), "... and the bytes before it arrived");
}

static void guest_main(void)
{
	widths();
	string_out();
	string_in();
	string_faults();
	guest_done();
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	vm = gvm_create(1, 0);
	vm->pio = serve;
	gvm_enter64(vm, 0, guest_main);
	gvm_run_done(vm);
	gvm_destroy(vm);
	return gvm_finish();
}
