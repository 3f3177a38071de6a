// SPDX-License-Identifier: GPL-2.0
/*
 * Asks a KVM device thousands of wrong and odd things and prints each answer on a line of its
 * own. The output depends on nothing but the device, so that of two devices can be compared.
 *
 * No guest code runs. DEV names the device, /dev/minikvm without it.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "calls.h"
#include "calls_list.h"		/* generated: every ioctl of uapi/ */

#define NR_CAPS		260
#define CPUID_ENTRIES	100

const char *const state_name[NR_STATES] = { "bare", "irqchip", "split" };
const char *const fd_name[NR_FDS] = { "device", "vm", "vcpu" };

static void die(const char *what)
{
	fprintf(stderr, "calls: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int device_open(void)
{
	const char *path = getenv("DEV");
	int fd = open(path ? path : "/dev/minikvm", O_RDWR | O_CLOEXEC);

	if (fd < 0)
		die(path ? path : "/dev/minikvm");
	return fd;
}

static void fixture_cpuid(struct fixture *f)
{
	struct minikvm_cpuid2 *cpuid;

	cpuid = calloc(1, sizeof(*cpuid) + CPUID_ENTRIES * sizeof(cpuid->entries[0]));
	if (!cpuid)
		die("calloc");
	cpuid->nent = CPUID_ENTRIES;
	if (ioctl(f->fd[DEVICE], MINIKVM_GET_SUPPORTED_CPUID, cpuid) ||
	    ioctl(f->fd[VCPU], MINIKVM_SET_CPUID2, cpuid))
		die("CPUID");
	free(cpuid);
}

void fixture_open(struct fixture *f, enum state state)
{
	struct minikvm_enable_cap split = { .cap = MINIKVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct minikvm_pit_config pit = { 0 };
	struct minikvm_userspace_memory_region region = { .memory_size = FIXTURE_MEM };
	int size;

	f->fd[DEVICE] = device_open();
	f->fd[VM] = ioctl(f->fd[DEVICE], MINIKVM_CREATE_VM, 0);
	size = ioctl(f->fd[DEVICE], MINIKVM_GET_VCPU_MMAP_SIZE, 0);
	if (f->fd[VM] < 0 || size < 0)
		die("CREATE_VM");
	if (state == IRQCHIP && (ioctl(f->fd[VM], MINIKVM_CREATE_IRQCHIP, 0) ||
				 ioctl(f->fd[VM], MINIKVM_CREATE_PIT2, &pit)))
		die("CREATE_IRQCHIP");
	if (state == SPLIT && ioctl(f->fd[VM], MINIKVM_ENABLE_CAP, &split))
		die("SPLIT_IRQCHIP");
	f->mem = mmap(NULL, FIXTURE_MEM, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (f->mem == MAP_FAILED)
		die("mmap");
	region.userspace_addr = (uintptr_t)f->mem;
	if (ioctl(f->fd[VM], MINIKVM_SET_USER_MEMORY_REGION, &region))
		die("SET_USER_MEMORY_REGION");
	f->fd[VCPU] = ioctl(f->fd[VM], MINIKVM_CREATE_VCPU, 0);
	if (f->fd[VCPU] < 0)
		die("CREATE_VCPU");
	f->run = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE, MAP_SHARED, f->fd[VCPU], 0);
	if (f->run == MAP_FAILED)
		die("mmap of the vCPU");
	fixture_cpuid(f);
}

void fixture_close(struct fixture *f)
{
	int size = ioctl(f->fd[DEVICE], MINIKVM_GET_VCPU_MMAP_SIZE, 0);
	int i;

	munmap(f->run, (size_t)size);
	munmap(f->mem, FIXTURE_MEM);
	for (i = NR_FDS - 1; i >= 0; i--)
		close(f->fd[i]);
}

static bool makes_fd(unsigned long cmd)
{
	return cmd == MINIKVM_CREATE_VM || cmd == MINIKVM_CREATE_VCPU ||
	       cmd == KVM_GET_STATS_FD;
}

int call(int fd, unsigned long cmd, unsigned long arg, const char *group, const char *fmt, ...)
{
	int r = ioctl(fd, cmd, arg), err = errno;
	va_list ap;

	printf("call %s: ", group);
	va_start(ap, fmt);
	vprintf(fmt, ap);
	va_end(ap);
	if (r < 0)
		printf(" = -%s\n", strerrorname_np(err));
	else if (r > 2 && makes_fd(cmd)) {
		printf(" = a descriptor\n");
		close(r);
	} else
		printf(" = %d\n", r);
	return r;
}

/* ---- every ioctl with every kind of pointer ------------------------------- */

#define AREA	0x10000UL

static unsigned char *area;	/* AREA bytes, then a page that is not mapped */
static unsigned char *constant;	/* a page of zeros that cannot be written */

static void areas_make(void)
{
	area = mmap(NULL, AREA + 0x1000, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	constant = mmap(NULL, 0x2000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (area == MAP_FAILED || constant == MAP_FAILED)
		die("mmap");
	munmap(area + AREA, 0x1000);
	mmap(area + AREA, 0x1000, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
}

static void call_with_pointers(int fd, const struct listed *l, const char *where)
{
	size_t size = l->cmd >> 16 & 0x3fff;
	const struct {
		const char *name;
		unsigned long arg;
		int fill;
	} pointers[] = {
		{ "NULL", 0, 0 },
		{ "1", 1, 0 },
		{ "an address with nothing there", (unsigned long)area + AREA, 0 },
		{ "an address of the kernel", 0xffffffff80000000UL, 0 },
		{ "an address that is not canonical", 1UL << 62, 0 },
		{ "four bytes before nothing", (unsigned long)area + AREA - 4, 0 },
		{ "one byte too near to nothing", (unsigned long)area + AREA - size + 1, 0 },
		{ "zeros", (unsigned long)area, 0 },
		{ "zeros, not aligned", (unsigned long)area + 1, 0 },
		{ "zeros that cannot be written", (unsigned long)constant, 0 },
		{ "all bits set", (unsigned long)area, 0xff },
	};
	size_t i;

	for (i = 0; i < sizeof(pointers) / sizeof(pointers[0]); i++) {
		/* Without an argument structure an address is a number that differs every time. */
		if (!size && i > 1 && pointers[i].arg < 1UL << 47)
			continue;
		memset(area, pointers[i].fill, AREA);
		call(fd, l->cmd, pointers[i].arg, l->name, "%s, %s", where, pointers[i].name);
	}
}

static bool is_run(const struct listed *l)
{
	return l->cmd == MINIKVM_RUN;
}

static void calls_with_pointers(void)
{
	struct fixture f;
	char where[64];
	size_t i;
	int s, k;

	areas_make();
	for (i = 0; i < sizeof(listed) / sizeof(listed[0]); i++) {
		for (s = 0; s < NR_STATES; s++) {
			for (k = s ? VM : DEVICE; k < NR_FDS; k++) {
				if (is_run(&listed[i]) && k == VCPU)
					continue;
				fixture_open(&f, s);
				snprintf(where, sizeof(where), "%s %s", state_name[s], fd_name[k]);
				call_with_pointers(f.fd[k], &listed[i], where);
				fixture_close(&f);
			}
		}
	}
}

/* ---- every number there might be a capability for ------------------------------ */

static bool enable_oddly(int fd, const char *name, unsigned int number)
{
	struct minikvm_enable_cap cap = { .cap = number, .flags = 1 };
	bool worked;

	call(fd, MINIKVM_ENABLE_CAP, (unsigned long)&cap, "ENABLE_CAP", "%s, %u, flags 1", name, number);
	cap.flags = 0;
	memset(cap.args, 0xff, sizeof(cap.args));
	worked = !call(fd, MINIKVM_ENABLE_CAP, (unsigned long)&cap, "ENABLE_CAP",
		       "%s, %u, args all set", name, number);
	memset(cap.args, 0, sizeof(cap.args));
	worked |= !call(fd, MINIKVM_ENABLE_CAP, (unsigned long)&cap, "ENABLE_CAP",
			"%s, %u, args zero", name, number);
	return worked;
}

static void calls_of_capabilities(void)
{
	bool worked = false;
	struct fixture f;
	unsigned int i;
	int k;

	fixture_open(&f, IRQCHIP);
	for (i = 0; i < NR_CAPS; i++)
		for (k = DEVICE; k <= VM; k++)
			call(f.fd[k], MINIKVM_CHECK_EXTENSION, i, "CHECK_EXTENSION", "%s, %u", fd_name[k], i);
	call(f.fd[VM], MINIKVM_CHECK_EXTENSION, -1UL, "CHECK_EXTENSION", "vm, -1");
	fixture_close(&f);
	fixture_open(&f, IRQCHIP);
	for (i = 0; i < NR_CAPS; i++) {
		for (k = VM; k <= VCPU; k++)
			worked |= enable_oddly(f.fd[k], fd_name[k], i);
		if (!worked)
			continue;
		/* Something is switched on now: the next one gets a VM without it. */
		fixture_close(&f);
		fixture_open(&f, IRQCHIP);
		worked = false;
	}
	fixture_close(&f);
}

/* ---- commands that are none ------------------------------------------------------ */

static void calls_of_unknown_commands(void)
{
	struct fixture f;
	unsigned int nr;
	int k;

	fixture_open(&f, IRQCHIP);
	for (k = 0; k < NR_FDS; k++) {
		for (nr = 0; nr < 0x100; nr++)
			call(f.fd[k], _IOC(_IOC_READ | _IOC_WRITE, 0xae, nr, 0x3ff1), 0, "unknown",
			     "%s, number %#x of an odd size", fd_name[k], nr);
		call(f.fd[k], _IO(0xaf, 0x80), 0, "unknown", "%s, another type", fd_name[k]);
		call(f.fd[k], 0, 0, "unknown", "%s, command 0", fd_name[k]);
	}
	fixture_close(&f);
}

int main(void)
{
	/* Descriptor 0 is a file that is no eventfd: structures of zeros name it. */
	close(0);
	if (open("/dev/null", O_RDWR) != 0)
		die("/dev/null");
	setvbuf(stdout, NULL, _IOLBF, 0);
	calls_of_capabilities();
	calls_of_unknown_commands();
	calls_with_pointers();
	calls_by_flags();
	calls_by_order();
	calls_with_memory();
	printf("calls: all asked\n");
	return 0;
}
