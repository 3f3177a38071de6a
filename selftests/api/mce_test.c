// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of the machine-check ioctls and MSRs: what a VMM may set up, and
 * what an error leaves in its bank.
 */
#include <sys/ioctl.h>

#include "api.h"

#define MSR_FEAT_CTL	0x3a
#define MSR_MCG_CAP	0x179
#define MSR_MCG_STATUS	0x17a
#define MSR_MCG_CTL	0x17b
#define MSR_MC0_CTL2	0x280
#define MSR_MC0_CTL	0x400
#define MSR_MCG_EXT_CTL	0x4d0
#define MSR_MC_STATUS(bank)	(MSR_MC0_CTL + 4 * (bank) + 1)

#define CAP_CTL_P	(1ull << 8)
#define CAP_CMCI_P	(1ull << 10)
#define CAP_SER_P	(1ull << 24)
#define CAP_LMCE_P	(1ull << 27)

#define STATUS_VAL	(1ull << 63)
#define STATUS_OVER	(1ull << 62)
#define STATUS_UC	(1ull << 61)
#define STATUS_EN	(1ull << 60)
#define STATUS_PCC	(1ull << 57)

#define APIC_VERSION	0x30
#define APIC_LVT_CMCI	0x2f0

static uint64_t supported;

static uint64_t msr(struct vcpu *vcpu, uint32_t index)
{
	uint64_t value = ~0ull;

	if (vcpu_get_msr(vcpu, index, &value) != 1)
		tap_bail("MSR %#x cannot be read", index);
	return value;
}

static int setup(struct vcpu *vcpu, uint64_t cap)
{
	return ioctl(vcpu->fd, MINIKVM_X86_SETUP_MCE, &cap);
}

static int inject(struct vcpu *vcpu, uint8_t bank, uint64_t status, uint64_t addr)
{
	struct minikvm_x86_mce mce = {
		.status = status, .addr = addr, .misc = addr + 1, .mcg_status = 0, .bank = bank,
	};

	if ((status & STATUS_UC) && (status & STATUS_PCC))
		mce.mcg_status = 4;	/* in progress */
	return ioctl(vcpu->fd, MINIKVM_X86_SET_MCE, &mce);
}

static void test_setup(struct vm *vm, struct vcpu *vcpu)
{
	unsigned int bit, bank;

	test_efault(vm->dev_fd, MINIKVM_X86_GET_MCE_CAP_SUPPORTED, 8, "GET_MCE_CAP_SUPPORTED");
	tap_errno(ioctl(vm->dev_fd, MINIKVM_X86_GET_MCE_CAP_SUPPORTED, &supported), 0,
		  "X86_GET_MCE_CAP_SUPPORTED");
	tap_eq(supported & (CAP_CTL_P | CAP_SER_P), CAP_CTL_P | CAP_SER_P,
	       "control register and recovery are supported");
	tap_eq(dev_check_extension(vm->dev_fd, MINIKVM_CAP_MCE), 32, "CAP_MCE: 32 banks");

	tap_eq(msr(vcpu, MSR_MCG_CAP), 32, "MCG_CAP at first: banks and nothing else");
	test_efault(vcpu->fd, MINIKVM_X86_SETUP_MCE, 8, "X86_SETUP_MCE");
	tap_errno(setup(vcpu, 0), EINVAL, "no bank");
	tap_errno(setup(vcpu, 33), EINVAL, "33 banks");
	for (bit = 8; bit < 64; bit++) {
		int err = (supported | 0xff0000) >> bit & 1 ? 0 : EINVAL;

		if ((setup(vcpu, 10 | 1ull << bit) ? errno : 0) != err)
			break;
	}
	tap_eq(bit, 64, "every bit but those supported is refused");
	tap_errno(setup(vcpu, supported | 10), 0, "all that is supported, ten banks");
	tap_eq(msr(vcpu, MSR_MCG_CAP), supported | 10, "MCG_CAP says so");
	tap_eq(msr(vcpu, MSR_MCG_CTL), ~0ull, "MCG_CTL is all ones");
	for (bank = 0; bank < 10; bank++)
		if (msr(vcpu, MSR_MC0_CTL + 4 * bank) != ~0ull)
			break;
	tap_eq(bank, 10, "MCi_CTL are all ones");
}

static void test_msrs(struct vcpu *vcpu)
{
	uint64_t value;

	tap_eq(vcpu_get_msr(vcpu, MSR_MC0_CTL + 4 * 10, &value), 0, "no eleventh bank");
	tap_eq(vcpu_set_msr(vcpu, MSR_MC0_CTL, 0), 1, "MC0_CTL can be 0");
	tap_eq(vcpu_set_msr(vcpu, MSR_MC0_CTL, 1), 0, "MC0_CTL cannot be 1");
	tap_eq(vcpu_set_msr(vcpu, MSR_MC0_CTL, ~0ull), 1, "MC0_CTL can be all ones");
	tap_eq(vcpu_set_msr(vcpu, MSR_MC_STATUS(0), 5), 1, "userspace sets a status");
	tap_eq(vcpu_set_msr(vcpu, MSR_MC_STATUS(0), 0), 1, "... and clears it");
	tap_eq(vcpu_set_msr(vcpu, MSR_MCG_CTL, 5), 0, "MCG_CTL is all or nothing");
	tap_eq(vcpu_set_msr(vcpu, MSR_MCG_CAP, 10), 0, "MCG_CAP is read-only");
	if (!(supported & CAP_CMCI_P)) {
		tap_skip("CMCI");
	} else {
		tap_eq(vcpu_set_msr(vcpu, MSR_MC0_CTL2, 1ull << 30 | 0x7fff), 1,
		       "MC0_CTL2: CMCI and threshold");
		tap_eq(msr(vcpu, MSR_MC0_CTL2), 1ull << 30 | 0x7fff, "... read back");
		tap_eq(vcpu_set_msr(vcpu, MSR_MC0_CTL2, 1ull << 15), 0, "reserved bits");
		tap_eq(vcpu_get_msr(vcpu, MSR_MC0_CTL2 + 10, &value), 0,
		       "no eleventh CTL2");
		tap_eq(lapic_read(vcpu, APIC_VERSION) >> 16 & 0xff, 6,
		       "the APIC has seven LVT entries");
		tap_eq(lapic_read(vcpu, APIC_LVT_CMCI), 0x10000, "the CMCI entry is masked");
	}
	if (!(supported & CAP_LMCE_P)) {
		tap_skip("local machine checks");
		return;
	}
	tap_eq(vcpu_set_msr(vcpu, MSR_FEAT_CTL, 1 << 20 | 1), 1, "FEAT_CTL: local MCE");
	tap_eq(vcpu_set_msr(vcpu, MSR_MCG_EXT_CTL, 1), 1, "MCG_EXT_CTL");
	tap_eq(vcpu_set_msr(vcpu, MSR_MCG_EXT_CTL, 2), 0, "MCG_EXT_CTL: reserved bits");
	tap_eq(msr(vcpu, MSR_MCG_EXT_CTL), 1, "MCG_EXT_CTL is read back");
}

static void test_corrected(struct vcpu *vcpu)
{
	struct minikvm_x86_mce mce = { 0 };

	test_efault(vcpu->fd, MINIKVM_X86_SET_MCE, sizeof(mce), "X86_SET_MCE");
	tap_errno(inject(vcpu, 10, STATUS_VAL, 0), EINVAL, "an eleventh bank");
	tap_errno(inject(vcpu, 1, STATUS_EN, 0), EINVAL, "an error that is not valid");
	tap_errno(inject(vcpu, 1, STATUS_VAL | 0x10, 0x1000), 0, "a corrected error");
	tap_eq(msr(vcpu, MSR_MC_STATUS(1)), STATUS_VAL | 0x10, "its status");
	tap_eq(msr(vcpu, MSR_MC_STATUS(1) + 1), 0x1000, "its address");
	tap_eq(msr(vcpu, MSR_MC_STATUS(1) + 2), 0x1001, "its misc");
	inject(vcpu, 1, STATUS_VAL | 0x20, 0x2000);
	tap_eq(msr(vcpu, MSR_MC_STATUS(1)), STATUS_VAL | STATUS_OVER | 0x20,
	       "a second one overwrites it and says so");
	tap_eq(vcpu_set_msr(vcpu, MSR_MC_STATUS(1), STATUS_VAL | STATUS_UC), 1,
	       "an uncorrected error was there");
	inject(vcpu, 1, STATUS_VAL | 0x30, 0x3000);
	tap_eq(msr(vcpu, MSR_MC_STATUS(1)), STATUS_VAL | STATUS_UC | STATUS_OVER,
	       "a corrected one does not overwrite that");
	tap_errno(inject(vcpu, 2, STATUS_VAL | STATUS_UC | 0x40, 0x4000), 0,
		  "an uncorrected error, no action required");
	tap_eq(msr(vcpu, MSR_MC_STATUS(2)), STATUS_VAL | STATUS_UC | 0x40, "its status");
}

static void test_uncorrected(struct vcpu *vcpu)
{
	const uint64_t fatal = STATUS_VAL | STATUS_UC | STATUS_PCC;
	struct minikvm_vcpu_events ev;

	vcpu_set_msr(vcpu, MSR_MC0_CTL + 12, 0);
	tap_errno(inject(vcpu, 3, fatal, 0x5000), 0, "an uncorrected error, bank disabled");
	tap_eq(msr(vcpu, MSR_MC_STATUS(3)), 0, "it leaves nothing");
	vcpu_set_msr(vcpu, MSR_MC0_CTL + 12, ~0ull);
	vcpu_set_msr(vcpu, MSR_MCG_CTL, 0);
	inject(vcpu, 3, fatal, 0x5000);
	tap_eq(msr(vcpu, MSR_MC_STATUS(3)), 0, "nor with all disabled");
	vcpu_set_msr(vcpu, MSR_MCG_CTL, ~0ull);
	tap_errno(inject(vcpu, 3, fatal, 0x5000), 0, "without CR4.MCE");
	ioctl(vcpu->fd, MINIKVM_GET_VCPU_EVENTS, &ev);
	tap_ok(!ev.exception.injected && !ev.exception.pending, "no exception");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_SHUTDOWN, "it is a shutdown");
}

int main(void)
{
	struct vm *vm = vm_new(VM_IRQCHIP);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_plan(0);
	test_setup(vm, vcpu);
	test_msrs(vcpu);
	test_corrected(vcpu);
	test_uncorrected(vcpu);
	vm_free(vm);
	return tap_done();
}
