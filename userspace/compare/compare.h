/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the parts of `mkvm compare` share: what is measured, on what, and where figures go.
 */
#ifndef MKVM_COMPARE_COMPARE_H
#define MKVM_COMPARE_COMPARE_H

#include <jansson.h>
#include <signal.h>

#include "compare/samples.h"
#include "types.h"

/* What can be measured; bits of struct compare's @benches. */
enum bench {
	BENCH_EXITS = BIT(0), /* cost of each class of exit, by the program exit_bench */
	BENCH_BOOT = BIT(1), /* a guest's boot to init, counters, memory */
	BENCH_BLK = BIT(2), /* virtio-blk, in the same boot */
	BENCH_NET = BIT(3), /* virtio-net, likewise */
	BENCH_REASONS = BIT(4), /* a boot once more, exits counted by reason */
	BENCH_MANY = BIT(5), /* many tiny VMs at once */
	BENCH_ALL = BIT(6) - 1,
};

#define COMPARE_MAX_NAMES 32

/**
 * struct compare - the command line, checked
 * @benches: bits of enum bench
 * @names: single benchmarks of exit_bench that were asked for; none: all
 * @nr_names: how many
 * @stock_module: module that brings stock KVM, a name or a file
 * @module: module that brings mini-KVM, likewise
 * @module_params: its parameters, never NULL
 * @mkvm: path of this program
 * @qemu: path of QEMU, NULL: no such columns
 * @kernel: of the guest
 * @initrd: of the guest; NULL: our own
 * @disk: of the guest, never written to; NULL: none but our own
 * @append: more kernel command line, never NULL
 * @marker: what a guest with its own @initrd prints when it is up
 * @modules_dir: modules of @kernel for our own initramfs, NULL: /lib/modules/RELEASE
 * @memory: of the guest, in MiB
 * @smp: its vCPUs
 * @repeat: how often each thing is measured
 * @vms: how many are started at once for BENCH_MANY
 * @timeout: seconds a guest may run
 * @unit: what the time-stamp counter counts: "cycles" or "instructions"
 * @only: id of the one column of mkvm whose hypervisor is measured, NULL: both
 * @dir: a directory of our own for temporary files
 */
struct compare {
	unsigned int benches;
	const char *names[COMPARE_MAX_NAMES];
	unsigned int nr_names;
	const char *stock_module, *module, *module_params;
	char *mkvm;
	const char *qemu;
	const char *kernel, *initrd, *disk, *append, *marker, *modules_dir;
	u64 memory, smp, repeat, vms, timeout;
	const char *unit;
	const char *only;
	char dir[64];
};

/**
 * struct column - one combination of VMM and hypervisor
 * @id: its name in the JSON file
 * @title: its name in a table
 * @device: of the hypervisor
 * @minikvm: whether that is mini-KVM
 * @qemu: whether the VMM is QEMU
 */
struct column {
	const char *id, *title, *device;
	bool minikvm, qemu;
};

#define NR_COLUMNS 4
extern const struct column columns[NR_COLUMNS];

/* Set by SIGINT and SIGTERM: everything ends early, and is put back as it was. */
extern volatile sig_atomic_t compare_stop;

/** stamp() - the time-stamp counter */
static inline u64 stamp(void)
{
	u32 lo, hi;

	asm volatile("rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return lo | (u64)hi << 32;
}

/**
 * bench_program() - find a program that comes with mkvm
 * @name: its name
 *
 * In $MKVM_LIBDIR, ../lib/mkvm beside mkvm's directory, that directory, or the source tree's
 * selftests/out/bench.
 *
 * Return: its path, to be freed; or NULL after a report.
 */
char *bench_program(const char *name);

/* One family of benchmarks each: adds to @host. 0, or -1 after a report and a note in @host. */
int measure_exits(const struct compare *c, const struct column *col, json_t *host);
int measure_guest(const struct compare *c, const struct column *col, json_t *host);
int measure_reasons(const struct compare *c, const struct column *col, json_t *host);
int measure_many(const struct compare *c, const struct column *col, json_t *host);

/** cmd_compare() - argv[0] is "compare"; the exit status */
int cmd_compare(int argc, char **argv);

#endif
