// SPDX-License-Identifier: GPL-2.0
/*
 * A task priority in guest memory (SET_VAPIC_ADDR) and reports of accesses to the one in the APIC
 * (TPR_ACCESS_REPORTING).
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "gvm.h"

#define VEC	0x51

static volatile uint32_t word __attribute__((aligned(4)));
static volatile uint32_t word_in_handler, hits;
static volatile uint64_t tpr;

static void on_irq(struct guest_trap_frame *f)
{
	(void)f;
	word_in_handler = word;
	hits++;
	apic_write(APIC_EOI, 0);
}

static void guest_main(void)
{
	guest_set_handler(VEC, on_irq);
	apic_enable();
	guest_sync(1, 0);
	apic_write(APIC_TPR, 0x30);
	guest_sync(2, 0);
	tpr = apic_read(APIC_TPR);
	guest_sync(3, 0);
	guest_eq(tpr, 0x30, "the accesses happened");
	apic_write(APIC_TPR, 0);

	guest_sync(4, 0);
	word = (word & ~0xffu) | 0x60;
	guest_sync(5, 0);
	sti();
	apic_ipi(VEC | APIC_DEST_SELF, 0);
	guest_relax();
	guest_eq(hits, 0, "memory holds a priority above the interrupt's");
	guest_eq(word >> 24, VEC, "the word names the vector that waits");
	word = 0;
	guest_relax();
	guest_relax();
	cli();
	guest_eq(hits, 1, "lowering the priority in memory lets it in");
	guest_eq(word_in_handler >> 8 & 0xff, VEC & 0xf0, "the word names the class in service");
	guest_sync(6, 0);
	word = 0xf0;
	sti();
	apic_ipi(VEC | APIC_DEST_SELF, 0);
	guest_relax();
	cli();
	guest_eq(hits, 2, "without an address memory does not count");
	guest_done();
}

static struct gvm *vm;

/* Where APIC accesses can be virtualized, the CPU may handle the TPR and nobody learn of it. */
static bool may_go_unreported(void)
{
	char line[4096];
	bool found = false;
	FILE *f = fopen("/proc/cpuinfo", "r");

	while (f && fgets(line, sizeof(line), f))
		if (strstr(line, "flexpriority"))
			found = true;
	if (f)
		fclose(f);
	return found;
}

/* Runs the guest over an access to the TPR; whether it was reported. */
static bool expect_report(bool write)
{
	struct minikvm_run *run = vm->vcpu[0].run;
	int got = gvm_run(vm, 0);

	if (got == GVM_SYNC && may_go_unreported()) {
		tap_skip("the CPU handles accesses to the TPR");
		return false;
	}
	tap_ok(got == MINIKVM_EXIT_TPR_ACCESS, "an access to the TPR is reported");
	tap_eq(run->tpr_access.is_write, write, "as a %s", write ? "write" : "read");
	tap_ok(run->tpr_access.rip - (uintptr_t)guest_main < 4096, "of the code that did it");
	return true;
}

static int report(uint32_t enabled, uint32_t flags)
{
	struct minikvm_tpr_access_ctl ctl = { .enabled = enabled, .flags = flags };

	return ioctl(vm->vcpu[0].fd, MINIKVM_TPR_ACCESS_REPORTING, &ctl);
}

static int set_vapic(uint64_t gpa)
{
	struct minikvm_vapic_addr addr = { .vapic_addr = gpa };

	return ioctl(vm->vcpu[0].fd, MINIKVM_SET_VAPIC_ADDR, &addr);
}

static void test_reports(void)
{
	tap_errno(report(1, 1), EINVAL, "TPR_ACCESS_REPORTING with flags");
	tap_errno(report(1, 0), 0, "TPR_ACCESS_REPORTING");
	if (expect_report(true))
		gvm_expect(vm, GVM_SYNC, "the guest goes on");
	if (expect_report(false))
		gvm_expect(vm, GVM_SYNC, "the guest goes on");
	tap_errno(report(0, 0), 0, "TPR_ACCESS_REPORTING off");
	gvm_expect(vm, GVM_SYNC, "a write that is not reported");
}

static void test_vapic(void)
{
	struct minikvm_lapic_state lapic;

	tap_errno(set_vapic(GUEST_EXTRA), EINVAL, "SET_VAPIC_ADDR where no memory is");
	tap_errno(set_vapic((uintptr_t)&word), 0, "SET_VAPIC_ADDR");
	gvm_expect(vm, GVM_SYNC, "the guest writes a priority");
	GVM_IOCTL(vm->vcpu[0].fd, MINIKVM_GET_LAPIC, &lapic);
	tap_eq(lapic.regs[APIC_TPR], 0x60, "the APIC has it");
	gvm_expect(vm, GVM_SYNC, "the guest goes on");
	tap_errno(set_vapic(0), 0, "SET_VAPIC_ADDR of nothing");
	tap_eq(gvm_run(vm, 0), GVM_DONE, "the guest is done");
}

int main(void)
{
	struct gvm *bare;

	gvm_start();
	vm = gvm_create(1, GVM_IRQCHIP);
	gvm_enter64(vm, 0, guest_main);
	gvm_expect(vm, GVM_SYNC, "the APIC is set up");
	test_reports();
	test_vapic();
	gvm_destroy(vm);

	bare = vm = gvm_create(1, 0);
	tap_errno(set_vapic(0), EINVAL, "SET_VAPIC_ADDR without an APIC");
	tap_errno(ioctl(vm->vcpu[0].fd, MINIKVM_SET_VAPIC_ADDR, 8ul), EINVAL,
		  "... comes before a bad pointer");
	tap_errno(report(1, 0), 0, "TPR_ACCESS_REPORTING without an APIC");
	gvm_destroy(bare);
	return gvm_finish();
}
