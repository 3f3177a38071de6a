// SPDX-License-Identifier: GPL-2.0
/*
 * Machine checks as a guest gets them: #MC for an uncorrected error, CMCI for one that needs no
 * action, and a second #MC before the first is handled, which ends the machine.
 */
#include "gvm.h"

#define VEC_CMCI	0x58
#define EX_MC		18
#define X86_CR4_MCE	0x40

#define MSR_MCG_STATUS	0x17a
#define MSR_MC0_CTL2	0x280
#define MSR_MC_STATUS(bank)	(0x401 + 4 * (bank))
#define APIC_LVT_CMCI	0x2f0

#define STATUS_VAL	(1ull << 63)
#define STATUS_UC	(1ull << 61)
#define STATUS_EN	(1ull << 60)
#define STATUS_PCC	(1ull << 57)
#define FATAL		(STATUS_VAL | STATUS_UC | STATUS_EN | STATUS_PCC)
#define UCNA		(STATUS_VAL | STATUS_UC | STATUS_EN)
#define MCG_CAP		(1ull << 8 | 1ull << 10 | 1ull << 24 | 10)

static volatile uint64_t checks, cmcis, mc_status, mcg_status;

static void on_mc(struct guest_trap_frame *f)
{
	(void)f;
	checks++;
	mc_status = rdmsr(MSR_MC_STATUS(1));
	mcg_status = rdmsr(MSR_MCG_STATUS);
	wrmsr(MSR_MC_STATUS(1), 0);
	wrmsr(MSR_MCG_STATUS, 0);
}

static void on_cmci(struct guest_trap_frame *f)
{
	(void)f;
	cmcis++;
	apic_write(APIC_EOI, 0);
}

static void guest_main(void)
{
	guest_set_handler(EX_MC, on_mc);
	guest_set_handler(VEC_CMCI, on_cmci);
	apic_enable();
	write_cr4(read_cr4() | X86_CR4_MCE);
	guest_eq(guest_try_wrmsr(MSR_MC_STATUS(1), 1), EX_GP, "a guest can only clear a status");

	guest_sync(1, 0);
	guest_eq(checks, 1, "an uncorrected error is #MC");
	guest_eq(mc_status, FATAL, "the bank has its status");
	guest_eq(mcg_status, 5, "so has MCG_STATUS");

	apic_write(APIC_LVT_CMCI, VEC_CMCI);
	guest_eq(apic_read(APIC_LVT_CMCI), VEC_CMCI, "the APIC has a CMCI entry");
	sti();
	guest_sync(2, 0);
	guest_eq(cmcis, 0, "no CMCI from a bank where it is off");
	wrmsr(MSR_MC0_CTL2 + 2, 1ull << 30);
	guest_sync(3, 0);
	guest_relax();
	guest_eq(cmcis, 1, "CMCI for an error that needs no action");
	cli();
	wrmsr(MSR_MCG_STATUS, 4);
	guest_sync(4, 0);
	guest_check(false, "a second machine check ends the machine");
	guest_done();
}

static void inject(struct gvm *vm, uint8_t bank, uint64_t status, uint64_t mcg)
{
	struct minikvm_x86_mce mce = { .status = status, .mcg_status = mcg, .bank = bank };

	GVM_IOCTL(vm->vcpu[0].fd, MINIKVM_X86_SET_MCE, &mce);
}

int main(void)
{
	uint64_t supported = 0, cap = MCG_CAP;
	struct gvm *vm;

	gvm_start();
	vm = gvm_create(1, GVM_IRQCHIP);
	GVM_IOCTL(vm->dev, MINIKVM_X86_GET_MCE_CAP_SUPPORTED, &supported);
	if (cap & ~(supported | 0xff)) {
		tap_skip("this host cannot give a guest CMCI");
		return gvm_finish();
	}
	GVM_IOCTL(vm->vcpu[0].fd, MINIKVM_X86_SETUP_MCE, &cap);
	gvm_enter64(vm, 0, guest_main);
	tap_eq(gvm_run(vm, 0), GVM_SYNC, "the guest is set up");
	inject(vm, 1, FATAL, 5);
	tap_eq(gvm_run(vm, 0), GVM_SYNC, "the guest survives a machine check");
	inject(vm, 2, UCNA, 0);
	tap_eq(gvm_run(vm, 0), GVM_SYNC, "the guest goes on");
	inject(vm, 2, UCNA, 0);
	tap_eq(gvm_run(vm, 0), GVM_SYNC, "the guest goes on");
	inject(vm, 1, FATAL, 5);
	tap_eq(gvm_run(vm, 0), MINIKVM_EXIT_SHUTDOWN, "a second machine check is a shutdown");
	gvm_destroy(vm);
	return gvm_finish();
}
