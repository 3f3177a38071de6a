// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of GET_SREGS and SET_SREGS: which states no processor can be
 * in, that refusing one changes nothing, and that the rest comes back as set.
 */
#include "api.h"

#define CR0_PE		(1ULL << 0)
#define CR0_NW		(1ULL << 29)
#define CR0_CD		(1ULL << 30)
#define CR0_PG		(1ULL << 31)
#define CR4_PAE		(1ULL << 5)
#define CR4_SMEP	(1ULL << 20)
#define EFER_LME	(1ULL << 8)
#define EFER_LMA	(1ULL << 10)

static struct minikvm_sregs good;	/* long mode */

static void get(struct vcpu *vcpu, struct minikvm_sregs *sregs)
{
	if (ioctl(vcpu->fd, MINIKVM_GET_SREGS, sregs))
		tap_bail("GET_SREGS: %s", strerror(errno));
}

/* @bad differs from good; it must be refused and change nothing. */
static void refused(struct vcpu *vcpu, const struct minikvm_sregs *bad,
		    const char *what)
{
	struct minikvm_sregs after;

	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SREGS, bad), EINVAL, "%s", what);
	get(vcpu, &after);
	tap_ok(!memcmp(&good, &after, sizeof(good)), "%s: nothing changed", what);
}

static void test_refused(struct vcpu *vcpu)
{
	static const struct {
		uint64_t cr0_set, cr0_clear, cr4_set, cr4_clear;
		uint64_t efer_set, efer_clear;
		const char *what;
	} cases[] = {
		{ 0, CR0_PE, 0, 0, 0, 0, "CR0.PG without CR0.PE" },
		{ CR0_NW, CR0_CD, 0, 0, 0, 0, "CR0.NW without CR0.CD" },
		{ 1ULL << 32, 0, 0, 0, 0, 0, "CR0 bit 32" },
		{ 1ULL << 63, 0, 0, 0, 0, 0, "CR0 bit 63" },
		{ 0, 0, 1ULL << 31, 0, 0, 0, "CR4 bit 31" },
		{ 0, 0, 1ULL << 63, 0, 0, 0, "CR4 bit 63" },
		{ 0, 0, 0, CR4_PAE, 0, 0, "long mode without CR4.PAE" },
		{ 0, 0, 0, 0, 0, EFER_LMA, "long mode without EFER.LMA" },
		{ 0, 0, 0, 0, 0, EFER_LME, "EFER.LMA without EFER.LME" },
		{ 0, CR0_PG, 0, 0, 0, 0, "EFER.LMA without CR0.PG" },
	};
	struct minikvm_sregs bad;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		bad = good;
		bad.cr0 = (bad.cr0 | cases[i].cr0_set) & ~cases[i].cr0_clear;
		bad.cr4 = (bad.cr4 | cases[i].cr4_set) & ~cases[i].cr4_clear;
		bad.efer = (bad.efer | cases[i].efer_set) & ~cases[i].efer_clear;
		refused(vcpu, &bad, cases[i].what);
	}
	bad = good;
	bad.cr3 |= 1ULL << 52;
	refused(vcpu, &bad, "CR3 beyond the physical addresses");
	bad = good;
	bad.cr0 &= ~CR0_PG;
	bad.efer = 0;
	refused(vcpu, &bad, "a 64-bit code segment outside of long mode");
	bad = good;
	bad.apic_base |= 1;
	refused(vcpu, &bad, "APIC_BASE, reserved bit 0");
	bad = good;
	bad.apic_base |= 1ULL << 9;
	refused(vcpu, &bad, "APIC_BASE, reserved bit 9");
	bad = good;
	bad.apic_base |= 1ULL << 52;
	refused(vcpu, &bad, "APIC_BASE beyond the physical addresses");
	bad = good;
	bad.apic_base = (bad.apic_base | 1 << 10) & ~(1ULL << 11);
	refused(vcpu, &bad, "APIC_BASE, x2APIC but disabled");
}

/* A feature that CPUID does not offer cannot be switched on in CR4. */
static void test_cpuid_limits(struct vm *vm)
{
	struct minikvm_cpuid2 *cpuid = cpuid_supported(vm->dev_fd);
	struct minikvm_cpuid_entry2 *e = cpuid_find(cpuid, 7, 0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 1);
	struct minikvm_sregs sregs;

	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	get(vcpu, &sregs);
	if (!e || !(e->ebx & 1u << 7)) {
		tap_skip("this CPU has no SMEP");
		free(cpuid);
		return;
	}
	sregs.cr4 |= CR4_SMEP;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SREGS, &sregs), 0,
		  "CR4.SMEP while CPUID has SMEP");
	sregs.cr4 &= ~CR4_SMEP;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SREGS, &sregs), 0,
		  "CR4.SMEP off again");
	e->ebx &= ~(1u << 7);
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_CPUID2, cpuid), 0,
		  "SET_CPUID2 without SMEP");
	sregs.cr4 |= CR4_SMEP;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SREGS, &sregs), EINVAL,
		  "CR4.SMEP while CPUID lacks SMEP");
	free(cpuid);
}

static bool same_segment(const struct minikvm_segment *a,
			 const struct minikvm_segment *b)
{
	return a->base == b->base && a->limit == b->limit &&
	       a->selector == b->selector && a->type == b->type &&
	       a->present == b->present && a->dpl == b->dpl && a->db == b->db &&
	       a->s == b->s && a->l == b->l && a->g == b->g && a->avl == b->avl &&
	       a->unusable == b->unusable;
}

static void test_roundtrip(struct vcpu *vcpu)
{
	struct minikvm_sregs set = good, now;

	set.fs.base = 0x00007fff12340000;
	set.gs.base = 0xffff888012340000;
	set.fs.selector = 0x10;
	set.gs.selector = 0x13;
	set.es.unusable = 1;
	set.es.present = 0;
	set.ldt = (struct minikvm_segment){
		.base = 0x5000, .limit = 0xfff, .selector = 0x28, .type = 2,
		.present = 1,
	};
	set.gdt.base = 0xffff888000001000;
	set.gdt.limit = 0x7f;
	set.idt.base = 0x00007ffff7fff000;
	set.idt.limit = 0xfff;
	set.cr2 = 0xffffffffdeadbeef;
	set.cr8 = 0xa;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SREGS, &set), 0, "SET_SREGS");
	get(vcpu, &now);
	tap_ok(same_segment(&now.cs, &set.cs), "CS is as set");
	tap_ok(same_segment(&now.ss, &set.ss), "SS is as set");
	tap_ok(same_segment(&now.fs, &set.fs), "FS is as set");
	tap_ok(same_segment(&now.gs, &set.gs), "GS is as set");
	tap_ok(same_segment(&now.tr, &set.tr), "TR is as set");
	tap_ok(same_segment(&now.ldt, &set.ldt), "LDTR is as set");
	tap_eq(now.es.unusable, 1, "ES is unusable, as set");
	tap_ok(now.gdt.base == set.gdt.base && now.gdt.limit == set.gdt.limit,
	       "GDTR is as set");
	tap_ok(now.idt.base == set.idt.base && now.idt.limit == set.idt.limit,
	       "IDTR is as set");
	tap_eq(now.cr2, set.cr2, "CR2 is as set");
	tap_eq(now.cr3, set.cr3, "CR3 is as set");
	tap_eq(now.cr8, 0xa, "CR8 is as set");
	set.cr8 = 0x10;
	ioctl(vcpu->fd, MINIKVM_SET_SREGS, &set);
	get(vcpu, &now);
	tap_eq(now.cr8, 0xa, "a CR8 above 15 leaves the old one");
	set = good;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SREGS, &set), 0, "back again");
}

/* An interrupt accepted but not delivered is part of the state. */
static void test_interrupt_bitmap(struct vm *vm)
{
	struct vcpu *vcpu = vm_add_vcpu(vm, 2);
	struct minikvm_regs regs = {
		.rip = GUEST_CODE, .rsp = GUEST_CODE, .rflags = 0x202,
	};
	struct minikvm_sregs sregs;

	irq_guest_load(vm);
	vcpu_set_mode(vcpu, GUEST_REAL, GUEST_CODE);
	if (ioctl(vcpu->fd, MINIKVM_SET_REGS, &regs))
		tap_bail("SET_REGS: %s", strerror(errno));
	get(vcpu, &sregs);
	tap_ok(!sregs.interrupt_bitmap[0] && !sregs.interrupt_bitmap[1] &&
	       !sregs.interrupt_bitmap[2] && !sregs.interrupt_bitmap[3],
	       "no interrupt is pending at reset");
	sregs.interrupt_bitmap[0x45 / 64] = 1ULL << 0x45 % 64;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SREGS, &sregs), 0,
		  "SET_SREGS with a pending interrupt");
	get(vcpu, &sregs);
	tap_eq(sregs.interrupt_bitmap[0x45 / 64], 1ULL << 0x45 % 64,
	       "GET_SREGS shows it");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "RUN");
	tap_eq(vcpu_io_value(vcpu), 0x45, "it is delivered before anything else");
	get(vcpu, &sregs);
	tap_ok(!sregs.interrupt_bitmap[0x45 / 64], "and is pending no more");
}

int main(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_plan(0);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	get(vcpu, &good);
	test_refused(vcpu);
	test_roundtrip(vcpu);
	test_efault(vcpu->fd, MINIKVM_GET_SREGS, sizeof(good), "GET_SREGS");
	test_efault(vcpu->fd, MINIKVM_SET_SREGS, sizeof(good), "SET_SREGS");
	test_cpuid_limits(vm);
	test_interrupt_bitmap(vm);
	vm_free(vm);
	return tap_done();
}
