/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the fuzzers share: an input as a stream of choices, and a machine for it to play on.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include "config.h"
#include "machine.h"
#include "types.h"

/**
 * struct fuzz_in - the rest of an input
 * @data: next byte
 * @left: bytes that are left; taking more yields zeroes
 */
struct fuzz_in {
	const u8 *data;
	size_t left;
};

u8 fuzz_u8(struct fuzz_in *in);
u16 fuzz_u16(struct fuzz_in *in);
u32 fuzz_u32(struct fuzz_in *in);
u64 fuzz_u64(struct fuzz_in *in);

/** fuzz_bytes() - up to @len bytes, copied; return how many there were */
size_t fuzz_bytes(struct fuzz_in *in, void *buf, size_t len);

/** fuzz_fail() - an invariant does not hold: tell and abort, so that the input is kept */
void fuzz_fail(const char *fmt, ...) __attribute((noreturn)) __printf(1, 2);

/** fuzz_file() - a scratch file in memory with these bytes; return a path that stays valid */
const char *fuzz_file(const char *name, const void *data, size_t size);

/**
 * fuzz_machine() - a machine built as `mkvm run` builds it, but for vCPUs and accelerator: its
 * devices run, their interrupts go nowhere
 * @options: options of `mkvm run`, ending with NULL; -kernel is there already
 */
struct machine *fuzz_machine(const char *const *options);

/** fuzz_net() - a network back end: frames come from fuzz_net_deliver() and go nowhere */
struct net_backend *fuzz_net(unsigned int queues);

/** fuzz_net_deliver() - a frame from the network; false if there is no network */
bool fuzz_net_deliver(struct fuzz_in *in);

/* A guest's accesses. */
void pio_write(struct machine *m, u64 port, unsigned int size, u32 value);
u32 pio_read(struct machine *m, u64 port, unsigned int size);
void mmio_write(struct machine *m, u64 addr, unsigned int size, u64 value);
u64 mmio_read(struct machine *m, u64 addr, unsigned int size);
u32 cfg_read(struct machine *m, unsigned int slot, unsigned int reg, unsigned int size);
void cfg_write(struct machine *m, unsigned int slot, unsigned int reg, unsigned int size,
	       u32 value);

#endif
