// SPDX-License-Identifier: GPL-2.0
/*
 * The calls whose structures have a meaning: every bit of every flags word, counts without
 * bounds, wrong order and wrong state, memory slots that overlap or wrap.
 *
 * Written with the names of <linux/kvm.h>: these are calls that KVM's users make.
 */
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/kvm.h>

#include "calls.h"

#define ARG(x)	((unsigned long)&(x))

/* ---- every bit of a flags word ------------------------------------------------- */

struct flags_word {
	const char *name;
	unsigned long cmd;
	enum fd_kind fd;
	size_t offset;
	unsigned int bits;
	void (*prepare)(struct fixture *f, void *arg);
	bool lasting;		/* a success is in the way of the next: one VM each */
};

static void prepare_slot(struct fixture *f, void *arg)
{
	struct kvm_userspace_memory_region *region = arg;

	region->slot = 1;
	region->guest_phys_addr = 0x100000;
	region->memory_size = FIXTURE_MEM;
	region->userspace_addr = (uintptr_t)f->mem;
}

static void prepare_irqfd(struct fixture *f, void *arg)
{
	struct kvm_irqfd *irqfd = arg;

	(void)f;
	irqfd->fd = (uint32_t)eventfd(0, EFD_CLOEXEC);
	irqfd->gsi = 5;
	irqfd->resamplefd = irqfd->fd;
}

static void prepare_ioeventfd(struct fixture *f, void *arg)
{
	struct kvm_ioeventfd *io = arg;

	(void)f;
	io->addr = 0x600;
	io->len = 4;
	io->fd = eventfd(0, EFD_CLOEXEC);
}

static void prepare_msi(struct fixture *f, void *arg)
{
	struct kvm_msi *msi = arg;

	(void)f;
	msi->address_lo = 0xfee00000;
	msi->data = 0x4030;
}

static void prepare_route(struct fixture *f, void *arg)
{
	struct kvm_irq_routing *routing = arg;

	(void)f;
	routing->nr = 1;
	routing->entries[0].gsi = 3;
	routing->entries[0].type = KVM_IRQ_ROUTING_MSI;
	routing->entries[0].u.msi.address_lo = 0xfee00000;
	routing->entries[0].u.msi.data = 0x4030;
}

static void prepare_xcrs(struct fixture *f, void *arg)
{
	struct kvm_xcrs *xcrs = arg;

	(void)f;
	xcrs->nr_xcrs = 1;
	xcrs->xcrs[0].value = 1;
}

static void prepare_get(struct fixture *f, void *arg, unsigned long get)
{
	ioctl(f->fd[VCPU], get, arg);
}

static void prepare_events(struct fixture *f, void *arg)
{
	prepare_get(f, arg, KVM_GET_VCPU_EVENTS);
	((struct kvm_vcpu_events *)arg)->flags = 0;
}

static void prepare_sregs(struct fixture *f, void *arg) { prepare_get(f, arg, KVM_GET_SREGS); }
static void prepare_sregs2(struct fixture *f, void *arg) { prepare_get(f, arg, KVM_GET_SREGS2); }
static void prepare_debugregs(struct fixture *f, void *arg) { prepare_get(f, arg, KVM_GET_DEBUGREGS); }
static void prepare_xsave(struct fixture *f, void *arg) { prepare_get(f, arg, KVM_GET_XSAVE); }

static void prepare_clock(struct fixture *f, void *arg)
{
	ioctl(f->fd[VM], KVM_GET_CLOCK, arg);
	((struct kvm_clock_data *)arg)->flags = 0;
}

#define OFF(s, f)	offsetof(struct kvm_##s, f)

static const struct flags_word flags_words[] = {
	{ "SET_USER_MEMORY_REGION flags", KVM_SET_USER_MEMORY_REGION, VM,
	  OFF(userspace_memory_region, flags), 32, prepare_slot, true },
	{ "SET_USER_MEMORY_REGION slot", KVM_SET_USER_MEMORY_REGION, VM,
	  OFF(userspace_memory_region, slot), 32, prepare_slot, true },
	{ "SET_USER_MEMORY_REGION address", KVM_SET_USER_MEMORY_REGION, VM,
	  OFF(userspace_memory_region, guest_phys_addr), 64, prepare_slot, true },
	{ "SET_USER_MEMORY_REGION size", KVM_SET_USER_MEMORY_REGION, VM,
	  OFF(userspace_memory_region, memory_size), 64, prepare_slot, true },
	{ "IRQFD flags", KVM_IRQFD, VM, OFF(irqfd, flags), 32, prepare_irqfd, false },
	{ "IRQFD gsi", KVM_IRQFD, VM, OFF(irqfd, gsi), 32, prepare_irqfd, false },
	{ "IOEVENTFD flags", KVM_IOEVENTFD, VM, OFF(ioeventfd, flags), 32, prepare_ioeventfd, true },
	{ "IOEVENTFD length", KVM_IOEVENTFD, VM, OFF(ioeventfd, len), 32, prepare_ioeventfd, true },
	{ "IOEVENTFD address", KVM_IOEVENTFD, VM, OFF(ioeventfd, addr), 64, prepare_ioeventfd, true },
	{ "SIGNAL_MSI flags", KVM_SIGNAL_MSI, VM, OFF(msi, flags), 32, prepare_msi, false },
	{ "SIGNAL_MSI data", KVM_SIGNAL_MSI, VM, OFF(msi, data), 32, prepare_msi, false },
	{ "SIGNAL_MSI address", KVM_SIGNAL_MSI, VM, OFF(msi, address_lo), 32, prepare_msi, false },
	{ "SET_GSI_ROUTING flags", KVM_SET_GSI_ROUTING, VM, OFF(irq_routing, flags), 32, prepare_route, false },
	{ "SET_GSI_ROUTING entry's flags", KVM_SET_GSI_ROUTING, VM,
	  OFF(irq_routing, entries) + OFF(irq_routing_entry, flags), 32, prepare_route, false },
	{ "SET_GSI_ROUTING entry's gsi", KVM_SET_GSI_ROUTING, VM,
	  OFF(irq_routing, entries) + OFF(irq_routing_entry, gsi), 32, prepare_route, false },
	{ "SET_GSI_ROUTING entry's type", KVM_SET_GSI_ROUTING, VM,
	  OFF(irq_routing, entries) + OFF(irq_routing_entry, type), 32, prepare_route, false },
	{ "SET_CLOCK flags", KVM_SET_CLOCK, VM, OFF(clock_data, flags), 32, prepare_clock, false },
	{ "IRQ_LINE irq", KVM_IRQ_LINE, VM, OFF(irq_level, irq), 32, NULL, false },
	{ "CREATE_PIT2 flags", KVM_CREATE_PIT2, VM, OFF(pit_config, flags), 32, NULL, false },
	{ "SET_VCPU_EVENTS flags", KVM_SET_VCPU_EVENTS, VCPU, OFF(vcpu_events, flags), 32, prepare_events, false },
	{ "SET_VCPU_EVENTS exception", KVM_SET_VCPU_EVENTS, VCPU,
	  OFF(vcpu_events, exception), 64, prepare_events, false },
	{ "SET_VCPU_EVENTS interrupt", KVM_SET_VCPU_EVENTS, VCPU,
	  OFF(vcpu_events, interrupt), 32, prepare_events, false },
	{ "SET_DEBUGREGS flags", KVM_SET_DEBUGREGS, VCPU, OFF(debugregs, flags), 64, prepare_debugregs, false },
	{ "SET_DEBUGREGS dr6", KVM_SET_DEBUGREGS, VCPU, OFF(debugregs, dr6), 64, prepare_debugregs, false },
	{ "SET_DEBUGREGS dr7", KVM_SET_DEBUGREGS, VCPU, OFF(debugregs, dr7), 64, prepare_debugregs, false },
	{ "SET_GUEST_DEBUG control", KVM_SET_GUEST_DEBUG, VCPU, OFF(guest_debug, control), 32, NULL, false },
	{ "SET_XCRS number", KVM_SET_XCRS, VCPU, OFF(xcrs, nr_xcrs), 32, prepare_xcrs, false },
	{ "SET_XCRS flags", KVM_SET_XCRS, VCPU, OFF(xcrs, flags), 32, prepare_xcrs, false },
	{ "SET_XCRS index", KVM_SET_XCRS, VCPU, OFF(xcrs, xcrs) + OFF(xcr, xcr), 32, prepare_xcrs, false },
	{ "SET_XCRS value", KVM_SET_XCRS, VCPU, OFF(xcrs, xcrs) + OFF(xcr, value), 64, prepare_xcrs, false },
	{ "SET_XSAVE header", KVM_SET_XSAVE, VCPU, 512, 64, prepare_xsave, false },
	{ "SET_XSAVE compaction", KVM_SET_XSAVE, VCPU, 520, 64, prepare_xsave, false },
	{ "SET_XSAVE mxcsr", KVM_SET_XSAVE, VCPU, 24, 32, prepare_xsave, false },
	{ "SET_SREGS cr0", KVM_SET_SREGS, VCPU, OFF(sregs, cr0), 64, prepare_sregs, false },
	{ "SET_SREGS cr3", KVM_SET_SREGS, VCPU, OFF(sregs, cr3), 64, prepare_sregs, false },
	{ "SET_SREGS cr4", KVM_SET_SREGS, VCPU, OFF(sregs, cr4), 64, prepare_sregs, false },
	{ "SET_SREGS cr8", KVM_SET_SREGS, VCPU, OFF(sregs, cr8), 64, prepare_sregs, false },
	{ "SET_SREGS efer", KVM_SET_SREGS, VCPU, OFF(sregs, efer), 64, prepare_sregs, false },
	{ "SET_SREGS apic_base", KVM_SET_SREGS, VCPU, OFF(sregs, apic_base), 64, prepare_sregs, false },
	{ "SET_SREGS2 flags", KVM_SET_SREGS2, VCPU, OFF(sregs2, flags), 64, prepare_sregs2, false },
	{ "SET_SREGS2 pdptrs", KVM_SET_SREGS2, VCPU, OFF(sregs2, pdptrs), 64, prepare_sregs2, false },
	{ "SET_MP_STATE", KVM_SET_MP_STATE, VCPU, OFF(mp_state, mp_state), 32, NULL, false },
	{ "INTERRUPT", KVM_INTERRUPT, VCPU, OFF(interrupt, irq), 32, NULL, false },
	{ "X86_SETUP_MCE", KVM_X86_SETUP_MCE, VCPU, 0, 64, NULL, false },
	{ "SET_CPUID2 number", KVM_SET_CPUID2, VCPU, 0, 32, NULL, false },
	{ "GET_CPUID2 number", KVM_GET_CPUID2, VCPU, 0, 32, NULL, false },
	{ "GET_MSRS number", KVM_GET_MSRS, VCPU, 0, 32, NULL, false },
	{ "SET_MSRS number", KVM_SET_MSRS, VCPU, 0, 32, NULL, false },
	{ "X86_SET_MSR_FILTER flags", KVM_X86_SET_MSR_FILTER, VM, 0, 32, NULL, false },
	{ "X86_SET_MSR_FILTER range's flags", KVM_X86_SET_MSR_FILTER, VM,
	  OFF(msr_filter, ranges), 32, NULL, false },
	{ "REINJECT_CONTROL", KVM_REINJECT_CONTROL, VM, 0, 8, NULL, false },
	{ "SET_VAPIC_ADDR", KVM_SET_VAPIC_ADDR, VCPU, 0, 64, NULL, false },
	{ "CLEAR_DIRTY_LOG slot", KVM_CLEAR_DIRTY_LOG, VM, OFF(clear_dirty_log, slot), 32, NULL, false },
	{ "CLEAR_DIRTY_LOG first page", KVM_CLEAR_DIRTY_LOG, VM, OFF(clear_dirty_log, first_page), 64, NULL, false },
	{ "CLEAR_DIRTY_LOG pages", KVM_CLEAR_DIRTY_LOG, VM, OFF(clear_dirty_log, num_pages), 32, NULL, false },
	{ "GET_DIRTY_LOG slot", KVM_GET_DIRTY_LOG, VM, OFF(dirty_log, slot), 32, NULL, false },
};

static unsigned char argument[0x10000] __attribute__((aligned(64)));

static void calls_of_word(const struct flags_word *w, enum state state)
{
	struct fixture f;
	unsigned int bit;
	uint64_t value;
	int fd;

	fixture_open(&f, state);
	for (bit = 0; bit <= w->bits; bit++) {
		if (bit && w->lasting) {
			fixture_close(&f);
			fixture_open(&f, state);
		}
		memset(argument, 0, sizeof(argument));
		if (w->prepare)
			w->prepare(&f, argument);
		memcpy(&value, argument + w->offset, 8);
		value = bit < w->bits ? value ^ 1ULL << bit : value;
		memcpy(argument + w->offset, &value, w->bits > 32 ? 8 : 4);
		call(f.fd[w->fd], w->cmd, (unsigned long)argument, w->name, "%s, %s %u", state_name[state],
		     bit < w->bits ? "bit" : "no bit of", bit);
		/* An eventfd that was made for this call. */
		for (fd = f.fd[VCPU] + 1; fd < f.fd[VCPU] + 4; fd++)
			close(fd);
	}
	fixture_close(&f);
}

void calls_by_flags(void)
{
	size_t i;
	int s;

	for (i = 0; i < sizeof(flags_words) / sizeof(flags_words[0]); i++)
		for (s = flags_words[i].lasting ? IRQCHIP : BARE; s < NR_STATES; s++) {
			calls_of_word(&flags_words[i], s);
			if (flags_words[i].lasting)
				break;
		}
}

/* ---- order and state ----------------------------------------------------------------- */

static void calls_after_vcpu(enum state state)
{
	const char *group = "after a vCPU was made", *s = state_name[state];
	struct kvm_enable_cap split = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	struct kvm_pit_config pit = { 0 };
	static const unsigned long ids[] = { 0, 1, 1, 254, 255, 256, 1022, 1023, 1024, 4095, 4096, 65535, ~0u, ~0ul };
	uint64_t identity = 0xfffbc000;
	struct fixture f;
	size_t i;

	fixture_open(&f, state);
	call(f.fd[VM], KVM_CREATE_IRQCHIP, 0, group, "%s, CREATE_IRQCHIP", s);
	call(f.fd[VM], KVM_ENABLE_CAP, ARG(split), group, "%s, split irqchip", s);
	call(f.fd[VM], KVM_CREATE_PIT2, ARG(pit), group, "%s, CREATE_PIT2", s);
	call(f.fd[VM], KVM_CREATE_PIT, 0, group, "%s, CREATE_PIT", s);
	call(f.fd[VM], KVM_SET_BOOT_CPU_ID, 1, group, "%s, SET_BOOT_CPU_ID", s);
	call(f.fd[VM], KVM_SET_IDENTITY_MAP_ADDR, ARG(identity), group, "%s, SET_IDENTITY_MAP_ADDR", s);
	call(f.fd[VM], KVM_SET_TSS_ADDR, 0xfffbd000, group, "%s, SET_TSS_ADDR", s);
	call(f.fd[VM], KVM_SET_TSS_ADDR, 0xffffe000, group, "%s, SET_TSS_ADDR too high", s);
	for (i = 0; i < sizeof(ids) / sizeof(ids[0]); i++)
		call(f.fd[VM], KVM_CREATE_VCPU, ids[i], group, "%s, CREATE_VCPU %#lx, call %zu", s,
		     ids[i], i);
	fixture_close(&f);
}

static void calls_of_run(enum state state)
{
	const char *group = "RUN that must not enter", *s = state_name[state];
	struct fixture f;
	unsigned int bit;

	fixture_open(&f, state);
	f.run->immediate_exit = 1;
	for (bit = 0; bit < 64; bit++) {
		f.run->kvm_valid_regs = 1ULL << bit;
		call(f.fd[VCPU], KVM_RUN, 0, group, "%s, valid_regs bit %u", s, bit);
		f.run->kvm_valid_regs = 0;
		f.run->kvm_dirty_regs = 1ULL << bit;
		call(f.fd[VCPU], KVM_RUN, 0, group, "%s, dirty_regs bit %u", s, bit);
		f.run->kvm_dirty_regs = 0;
		f.run->cr8 = 1ULL << bit;
		call(f.fd[VCPU], KVM_RUN, 0, group, "%s, cr8 bit %u", s, bit);
		f.run->cr8 = 0;
	}
	call(f.fd[VCPU], KVM_RUN, 0, group, "%s", s);
	call(f.fd[VCPU], KVM_RUN, 1, group, "%s, with an argument", s);
	fixture_close(&f);
}

static void calls_of_eventfds(enum state state)
{
	const char *group = "eventfds twice", *s = state_name[state];
	struct kvm_ioeventfd io = { .addr = 0x600, .len = 2, .flags = KVM_IOEVENTFD_FLAG_PIO };
	struct kvm_irqfd irq = { .gsi = 5 };
	struct fixture f;
	int fd = eventfd(0, EFD_CLOEXEC), other = eventfd(0, EFD_CLOEXEC);

	fixture_open(&f, state);
	irq.fd = (uint32_t)fd;
	io.fd = fd;
	call(f.fd[VM], KVM_IRQFD, ARG(irq), group, "%s, irqfd", s);
	call(f.fd[VM], KVM_IRQFD, ARG(irq), group, "%s, irqfd again", s);
	irq.gsi = 6;
	call(f.fd[VM], KVM_IRQFD, ARG(irq), group, "%s, irqfd for another gsi", s);
	irq.flags = KVM_IRQFD_FLAG_DEASSIGN;
	call(f.fd[VM], KVM_IRQFD, ARG(irq), group, "%s, irqfd removed by another gsi", s);
	irq.gsi = 5;
	call(f.fd[VM], KVM_IRQFD, ARG(irq), group, "%s, irqfd removed", s);
	call(f.fd[VM], KVM_IRQFD, ARG(irq), group, "%s, irqfd removed again", s);
	irq.flags = KVM_IRQFD_FLAG_RESAMPLE;
	irq.resamplefd = 0;
	call(f.fd[VM], KVM_IRQFD, ARG(irq), group, "%s, irqfd, resample is no eventfd", s);
	irq.resamplefd = (uint32_t)-1;
	call(f.fd[VM], KVM_IRQFD, ARG(irq), group, "%s, irqfd, resample is no descriptor", s);
	call(f.fd[VM], KVM_IOEVENTFD, ARG(io), group, "%s, ioeventfd", s);
	call(f.fd[VM], KVM_IOEVENTFD, ARG(io), group, "%s, ioeventfd again", s);
	io.fd = other;
	call(f.fd[VM], KVM_IOEVENTFD, ARG(io), group, "%s, ioeventfd, another at the same place", s);
	io.flags |= KVM_IOEVENTFD_FLAG_DATAMATCH;
	call(f.fd[VM], KVM_IOEVENTFD, ARG(io), group, "%s, ioeventfd, a value of the same place", s);
	io.len = 0;
	call(f.fd[VM], KVM_IOEVENTFD, ARG(io), group, "%s, ioeventfd, a value without a length", s);
	io.flags = KVM_IOEVENTFD_FLAG_PIO;
	call(f.fd[VM], KVM_IOEVENTFD, ARG(io), group, "%s, ioeventfd, any length at the same place", s);
	io.addr = ~0ULL;
	io.len = 8;
	io.flags = 0;
	call(f.fd[VM], KVM_IOEVENTFD, ARG(io), group, "%s, ioeventfd that wraps", s);
	io.addr = 0x10000;
	io.len = 1;
	io.flags = KVM_IOEVENTFD_FLAG_DEASSIGN;
	call(f.fd[VM], KVM_IOEVENTFD, ARG(io), group, "%s, ioeventfd removed that never was", s);
	fixture_close(&f);
	close(fd);
	close(other);
}

static void calls_of_cpuid(void)
{
	static struct { struct kvm_cpuid2 head; struct kvm_cpuid_entry2 entry[300]; } cpuid;
	static const unsigned int counts[] = { 0, 1, 5, 40, 100, 255, 256, 257, 300 };
	struct fixture f;
	size_t i;

	fixture_open(&f, IRQCHIP);
	for (i = 0; i < sizeof(counts) / sizeof(counts[0]); i++) {
		cpuid.head.nent = counts[i];
		call(f.fd[DEVICE], KVM_GET_SUPPORTED_CPUID, ARG(cpuid), "CPUID", "supported, room for %u", counts[i]);
		cpuid.head.nent = counts[i];
		call(f.fd[VCPU], KVM_GET_CPUID2, ARG(cpuid), "CPUID", "of the vCPU, room for %u", counts[i]);
		memset(cpuid.entry, 0, sizeof(cpuid.entry));
		cpuid.head.nent = counts[i];
		call(f.fd[VCPU], KVM_SET_CPUID2, ARG(cpuid), "CPUID", "set, %u empty entries", counts[i]);
	}
	fixture_close(&f);
}

void calls_by_order(void)
{
	int s;

	for (s = 0; s < NR_STATES; s++) {
		calls_after_vcpu(s);
		calls_of_run(s);
		calls_of_eventfds(s);
	}
	calls_of_cpuid();
}

/* ---- memory slots that touch each other ---------------------------------------------------- */

void calls_with_memory(void)
{
	static const struct {
		uint32_t slot, flags;
		uint64_t gpa, size, hva;	/* hva 0: the fixture's memory */
	} regions[] = {
		{ 1, 0, 0x100000, 0x4000, 0 },		/* made */
		{ 1, 0, 0x100000, 0x4000, 0 },		/* the same again */
		{ 2, 0, 0x103000, 0x1000, 0 },		/* in its last page */
		{ 2, 0, 0x104000, 0x1000, 0 },		/* behind it */
		{ 2, 0, 0xff000, 0x1000, 0 },		/* moved before it */
		{ 2, 0, 0x102000, 0x1000, 0 },		/* moved into it */
		{ 1, 0, 0x100000, 0x5000, 0 },		/* another size */
		{ 1, 0, 0x100000, 0x4000, 0x10000 },	/* another address of the host */
		{ 1, 1, 0x100000, 0x4000, 0 },		/* with a dirty log */
		{ 1, 2, 0x100000, 0x4000, 0 },		/* read-only */
		{ 1, 3, 0x100000, 0x4000, 0 },
		{ 1, 0, 0, 0, 0 },			/* deleted */
		{ 1, 0, 0, 0, 0 },			/* again */
		{ 1, 2, 0x100000, 0x4000, 0 },		/* made read-only */
		{ 1, 1, 0, 0, 0 },			/* deleted, with flags */
		{ 3, 0, 0x200001, 0x1000, 0 },		/* not aligned */
		{ 3, 0, 0x200000, 0x1001, 0 },
		{ 3, 0, 0x200000, 0x1000, 1 },
		{ 3, 0, 0x200000, 0x1000, 0x7ffffffff000 },	/* past a process' addresses */
		{ 3, 0, 0x200000, 0x1000, 0xffff800000000000 },
		{ 3, 0, 0x200000, 0x1000, 0xffffffffff600000 },
		{ 3, 0, 0xfffffffffffff000, 0x1000, 0 },	/* wraps */
		{ 3, 0, 0xfffffffffffff000, 0x2000, 0 },
		{ 3, 0, 0x7ffffffffffff000, 0x1000, 0 },
		{ 3, 0, 1ULL << 52, 0x1000, 0 },		/* past what a CPU can address */
		{ 3, 0, 1ULL << 40, 0x1000, 0 },
		{ 4, 0, 1ULL << 41, 1ULL << 43, 0 },		/* 2^31 pages: too many */
		{ 5, 0, 0, 0, 0 },			/* a slot that never was */
		{ 0x10000, 0, 0x300000, 0x1000, 0 },	/* another address space */
		{ 0x10005, 0, 0, 0, 0 },
		{ 508, 0, 0x400000, 0x1000, 0 },
		{ 32763, 0, 0x500000, 0x1000, 0 },	/* the last two that KVM has */
		{ 32764, 0, 0x600000, 0x1000, 0 },
		{ 0, 0, 0, 0, 0 },			/* the fixture's own */
	};
	struct kvm_userspace_memory_region r;
	struct fixture f;
	size_t i;

	fixture_open(&f, IRQCHIP);
	for (i = 0; i < sizeof(regions) / sizeof(regions[0]); i++) {
		r.slot = regions[i].slot;
		r.flags = regions[i].flags;
		r.guest_phys_addr = regions[i].gpa;
		r.memory_size = regions[i].size;
		r.userspace_addr = regions[i].hva ? regions[i].hva : (uintptr_t)f.mem;
		call(f.fd[VM], KVM_SET_USER_MEMORY_REGION, ARG(r), "memory slots", "%zu: slot %u flags %u gpa %#llx size %#llx",
		     i, r.slot, r.flags, r.guest_phys_addr, r.memory_size);
	}
	fixture_close(&f);
}
