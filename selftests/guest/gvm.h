/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The host side of the guest tests: a VM whose memory holds a copy of the test program, vCPUs that
 * start in one of its functions, and a run loop that turns the guest's reports into TAP lines.
 */
#ifndef MINIKVM_TEST_GVM_H
#define MINIKVM_TEST_GVM_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/ioctl.h>

#include "guest.h"
#include "tap.h"
#include "vm.h"

/* What gvm_create() makes beyond RAM and vCPUs. */
#define GVM_IRQCHIP	(1u << 0)
#define GVM_PIT		(1u << 1)
#define GVM_SPLIT	(1u << 2)	/* local APICs only, GSIs 0 to 23 reserved */

struct gvm;

struct gvm_vcpu {
	struct gvm *vm;
	unsigned int index;
	int fd;
	struct minikvm_run *run;
	pthread_t thread;
	bool done;
};

struct gvm {
	struct vm *base;			/* of selftests/lib; owns the descriptors */
	int dev, fd;
	uint8_t *ram;				/* backs slot 0, GUEST_RAM_SIZE bytes */
	unsigned int ncpus;
	struct gvm_vcpu vcpu[GUEST_MAX_CPUS];
	volatile bool stop;
	unsigned int done_threads;
	/*
	 * Called by gvm_run() for every port or MMIO exit that is no report: true when served (data of a
	 * read filled in), false hands the exit to the caller of gvm_run().
	 */
	bool (*pio)(struct gvm_vcpu *v, struct minikvm_run *run, uint8_t *data);
	bool (*mmio)(struct gvm_vcpu *v, struct minikvm_run *run);
	/* Called for a GUEST_REPORT_SYNC of a vCPU that runs in a thread. */
	void (*sync)(struct gvm_vcpu *v, uint64_t stage, uint64_t value);
	uint64_t sync_stage, sync_value;	/* of the last GVM_SYNC of a vCPU run without a thread */
	int last_errno;
};

enum gvm_stop {
	GVM_DONE = 1000,			/* guest_done(), or a trap nobody expected */
	GVM_SYNC,				/* guest_sync() */
	GVM_ERROR,				/* KVM_RUN failed: last_errno */
	/* smaller values: a MINIKVM_EXIT_* the callbacks did not take */
};

/* Opens $DEV (/dev/minikvm by default); without it the whole program is skipped. Call it first. */
void gvm_start(void);

/* Ends the program: the plan, the verdict. Returns main()'s status. */
int gvm_finish(void);

/*
 * A VM with GUEST_RAM_SIZE bytes of RAM, the image and @ncpus vCPUs, which have the CPUID the device
 * supports. With GVM_IRQCHIP only vCPU 0 runs at first. Ends the program if any step fails.
 */
struct gvm *gvm_create(unsigned int ncpus, unsigned int flags);
void gvm_destroy(struct gvm *vm);

/* Puts vCPU @cpu in 64-bit mode at @fn, with its own stack. */
void gvm_enter64(struct gvm *vm, unsigned int cpu, void (*fn)(void));

/* Runs vCPU @cpu in this thread until it stops for a reason of enum gvm_stop. */
int gvm_run(struct gvm *vm, unsigned int cpu);

/* Runs vCPU 0; a point: it stops for @want. Ends the program if it does not. */
void gvm_expect(struct gvm *vm, int want, const char *what);

/* MINIKVM_INTERRUPT on vCPU 0; returns what the ioctl returned. */
int gvm_interrupt(struct gvm *vm, uint32_t vector);

/* Runs vCPU 0 to GVM_DONE; anything else is a failed check that names it. */
bool gvm_run_done(struct gvm *vm);

/*
 * Runs every vCPU in a thread of its own until @want of them have called guest_done(), then stops the
 * others. A stop other than that is a failed check.
 */
void gvm_run_threads(struct gvm *vm, unsigned int want);

/* The halves of gvm_run_threads(), for a test whose main thread has work to do meanwhile. */
void gvm_start_threads(struct gvm *vm);
void gvm_join_threads(struct gvm *vm, unsigned int want);

/* The guest's copy of something of this program: gvm_guest(vm, &variable). */
static inline void *gvm_guest(struct gvm *vm, volatile const void *p)
{
	return vm->ram + (uintptr_t)p;
}

/* ioctls that must succeed; the program ends with a message when one does not. */
void gvm_ioctl(int fd, unsigned long cmd, void *arg, const char *name);
#define GVM_IOCTL(fd, cmd, arg)	gvm_ioctl(fd, cmd, arg, #cmd)

/* Sets slot @slot; size 0 deletes it. Returns what the ioctl returned. */
int gvm_slot(struct gvm *vm, unsigned int slot, uint64_t gpa, uint64_t size, void *hva, uint32_t flags);
void gvm_irq_line(struct gvm *vm, unsigned int gsi, unsigned int level);

/* CPUID bits of the host, for tests of what only some CPUs have. */
bool gvm_cpuid_has(uint32_t leaf, uint32_t sub, unsigned int reg, unsigned int bit);

#endif /* MINIKVM_TEST_GVM_H */
