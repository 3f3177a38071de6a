// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the rules of the smaller state ioctls: debug registers, XSAVE and
 * XSAVE2, extended control registers, SREGS2 and TRANSLATE.
 */
#include <unistd.h>

#include "api.h"

#define CR0_PE		(1ULL << 0)
#define CR0_PG		(1ULL << 31)
#define CR4_PAE		(1ULL << 5)

#define XSTATE_BV	512		/* offset in an XSAVE area */
#define XCOMP_BV	520
#define MXCSR		24

/* ---- debug registers ------------------------------------------------------- */

static void test_debugregs(struct vcpu *vcpu)
{
	struct minikvm_debugregs set = {
		.db = { 1, ~0ULL, 0xffff800000000000, 0x1234 },
		.dr6 = 0xffff4ff1, .dr7 = 0x402,
	}, get, bad;

	memset(&get, 0xff, sizeof(get));
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_DEBUGREGS, &get), 0, "GET_DEBUGREGS");
	tap_eq(get.dr6, 0xffff0ff0, "DR6 at reset");
	tap_eq(get.dr7, 0x400, "DR7 at reset");
	tap_ok(!get.db[0] && !get.db[3] && !get.flags && !get.reserved[0] && !get.reserved[8],
	       "the rest is zero");
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_DEBUGREGS, &set), 0, "SET_DEBUGREGS");
	ioctl(vcpu->fd, MINIKVM_GET_DEBUGREGS, &get);
	tap_ok(!memcmp(set.db, get.db, sizeof(get.db)), "the addresses are as set, any address");
	tap_eq(get.dr6, 0xffff4ff1, "DR6 is as set");
	tap_eq(get.dr7, 0x402, "DR7 is as set");

	bad = set;
	bad.flags = 1;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_DEBUGREGS, &bad), EINVAL, "flags");
	bad = set;
	bad.dr6 |= 1ULL << 32;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_DEBUGREGS, &bad), EINVAL, "DR6 bit 32");
	bad = set;
	bad.dr7 |= 1ULL << 63;
	bad.db[0] = 77;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_DEBUGREGS, &bad), EINVAL, "DR7 bit 63");
	ioctl(vcpu->fd, MINIKVM_GET_DEBUGREGS, &get);
	tap_ok(get.db[0] == 1 && get.dr7 == 0x402, "a refusal changes nothing");
	test_efault(vcpu->fd, MINIKVM_GET_DEBUGREGS, sizeof(get), "GET_DEBUGREGS");
	test_efault(vcpu->fd, MINIKVM_SET_DEBUGREGS, sizeof(get), "SET_DEBUGREGS");
	memset(&set, 0, sizeof(set));
	set.dr6 = 0xffff0ff0;
	set.dr7 = 0x400;
	ioctl(vcpu->fd, MINIKVM_SET_DEBUGREGS, &set);
}

/* ---- XSAVE ----------------------------------------------------------------- */

static void set_u64(void *area, size_t offset, uint64_t value)
{
	memcpy((char *)area + offset, &value, sizeof(value));
}

static uint64_t get_u64(const void *area, size_t offset)
{
	uint64_t value;

	memcpy(&value, (const char *)area + offset, sizeof(value));
	return value;
}

static void test_xsave(struct vm *vm, struct vcpu *vcpu)
{
	int size = dev_check_extension(vm->fd, MINIKVM_CAP_XSAVE2);
	struct minikvm_xsave get, set;
	struct minikvm_fpu fpu;
	char *big;

	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_XSAVE), 1, "CAP_XSAVE");
	tap_ok(size >= (int)sizeof(get), "CAP_XSAVE2 is at least 4096: %d", size);
	big = calloc(1, size + 64);
	memset(&get, 0xff, sizeof(get));
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_XSAVE, &get), 0, "GET_XSAVE");
	tap_eq(get_u64(&get, MXCSR) & 0xffff, 0x1f80, "MXCSR at reset");
	tap_eq(get_u64(&get, XCOMP_BV), 0, "it is the standard format");

	set = get;
	set_u64(&set, XSTATE_BV, get_u64(&get, XSTATE_BV) | 3);
	set_u64(&set, 160, 0x1122334455667788);		/* XMM0 */
	set_u64(&set, 168, 0x99aabbccddeeff00);
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_XSAVE, &set), 0, "SET_XSAVE");
	ioctl(vcpu->fd, MINIKVM_GET_FPU, &fpu);
	tap_ok(!memcmp(fpu.xmm[0], (char *)&set + 160, 16), "GET_FPU shows the XMM0 set");
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_XSAVE2, big), 0, "GET_XSAVE2");
	tap_ok(!memcmp(big + 160, (char *)&set + 160, 16), "GET_XSAVE2 too");

	set_u64(&set, XSTATE_BV, 1ULL << 62);
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_XSAVE, &set), EINVAL, "an unknown component");
	set = get;
	set_u64(&set, XCOMP_BV, 1ULL << 63);
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_XSAVE, &set), EINVAL, "the compacted format");
	set = get;
	set_u64(&set, XSTATE_BV, 3);
	set_u64(&set, MXCSR, 0xffffffffffffffff);
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_XSAVE, &set), EINVAL, "reserved bits of MXCSR");
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_XSAVE, BAD_PTR), EFAULT, "GET_XSAVE, bad pointer");
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_XSAVE, BAD_PTR), EFAULT, "SET_XSAVE, bad pointer");
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_XSAVE2, BAD_PTR), EFAULT, "GET_XSAVE2, bad pointer");
	free(big);
}

static void test_xcrs(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_cpuid2 *cpuid = cpuid_supported(vm->dev_fd);
	struct minikvm_cpuid_entry2 *e = cpuid_find(cpuid, 0xd, 0);
	struct minikvm_xcrs get, set;
	int bare;
	uint64_t all = e ? e->eax | (uint64_t)e->edx << 32 : 1;

	if (!dev_check_extension(vm->fd, MINIKVM_CAP_XCRS)) {
		tap_skip("no XSAVE");
		free(cpuid);
		return;
	}
	memset(&get, 0xff, sizeof(get));
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_XCRS, &get), 0, "GET_XCRS");
	tap_ok(get.nr_xcrs == 1 && !get.flags && get.xcrs[0].xcr == 0 && get.xcrs[0].value == 1,
	       "XCR0 is 1 at reset");
	tap_eq(get.xcrs[1].value | get.padding[15], 0, "the rest is zero");

	set = get;
	set.xcrs[0].value = 3;
	bare = ioctl(vm->fd, MINIKVM_CREATE_VCPU, 9);
	if (bare < 0)
		tap_bail("CREATE_VCPU: %s", strerror(errno));
	tap_errno(ioctl(bare, MINIKVM_SET_XCRS, &set), EINVAL, "SSE state before CPUID is set");
	close(bare);
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_XCRS, &set), 0, "SSE state with it");
	set.xcrs[0].value = all;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_XCRS, &set), 0, "all that CPUID offers: %#llx",
		  (unsigned long long)all);
	ioctl(vcpu->fd, MINIKVM_GET_XCRS, &get);
	tap_eq(get.xcrs[0].value, all, "and reads back");
	set.xcrs[0].value = 2;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_XCRS, &set), EINVAL, "SSE without x87");
	set.xcrs[0].value = 5;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_XCRS, &set), EINVAL, "AVX without SSE");
	set.xcrs[0].value = 3 | 1ULL << 62;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_XCRS, &set), EINVAL, "an unknown component");
	set.xcrs[0].value = 3;
	set.flags = 1;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_XCRS, &set), EINVAL, "flags");
	set.flags = 0;
	set.nr_xcrs = 17;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_XCRS, &set), EINVAL, "17 registers");
	set.nr_xcrs = 2;
	set.xcrs[0].xcr = 5;
	set.xcrs[1].xcr = 0;
	set.xcrs[1].value = 3;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_XCRS, &set), 0, "an unknown register and XCR0");
	ioctl(vcpu->fd, MINIKVM_GET_XCRS, &get);
	tap_eq(get.xcrs[0].value, 3, "the unknown one is ignored");
	set.nr_xcrs = 0;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_XCRS, &set), 0, "no register at all");
	test_efault(vcpu->fd, MINIKVM_GET_XCRS, sizeof(get), "GET_XCRS");
	test_efault(vcpu->fd, MINIKVM_SET_XCRS, sizeof(get), "SET_XCRS");
	free(cpuid);
}

/* ---- SREGS2 ---------------------------------------------------------------- */

static void test_sregs2(struct vm *vm)
{
	struct vcpu *vcpu = vm_add_vcpu(vm, 1);
	struct minikvm_sregs2 set, get;
	uint64_t *pdpt = vm_hva(vm, GUEST_DATA);
	struct minikvm_sregs sregs;

	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_SREGS2), 1, "CAP_SREGS2");
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	ioctl(vcpu->fd, MINIKVM_GET_SREGS, &sregs);
	memset(&get, 0xff, sizeof(get));
	tap_errno(ioctl(vcpu->fd, MINIKVM_GET_SREGS2, &get), 0, "GET_SREGS2");
	tap_ok(!memcmp(&sregs, &get, offsetof(struct minikvm_sregs, interrupt_bitmap)),
	       "the same registers as GET_SREGS");
	tap_ok(!get.flags && !get.pdptrs[0], "long mode has no PDPTEs");
	set = get;
	set.flags = 2;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SREGS2, &set), EINVAL, "an unknown flag");
	set.flags = MINIKVM_SREGS2_FLAGS_PDPTRS_VALID;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SREGS2, &set), EINVAL, "PDPTEs in long mode");

	/* 32-bit code with PAE paging; the table in memory differs. */
	vcpu_set_mode(vcpu, GUEST_PROT, GUEST_CODE);
	ioctl(vcpu->fd, MINIKVM_GET_SREGS2, &set);
	set.cr4 |= CR4_PAE;
	set.cr0 |= CR0_PG | CR0_PE;
	set.cr3 = GUEST_DATA;
	memset(pdpt, 0, 32);
	pdpt[1] = (GUEST_DATA + 0x1000) | 1;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SREGS2, &set), 0, "PAE paging without the flag");
	ioctl(vcpu->fd, MINIKVM_GET_SREGS2, &get);
	tap_eq(get.flags, MINIKVM_SREGS2_FLAGS_PDPTRS_VALID, "the flag is there now");
	tap_ok(!get.pdptrs[0] && get.pdptrs[1] == pdpt[1], "they came from memory");
	set.flags = MINIKVM_SREGS2_FLAGS_PDPTRS_VALID;
	memset(set.pdptrs, 0, sizeof(set.pdptrs));
	set.pdptrs[2] = 0x7001;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SREGS2, &set), 0, "PDPTEs given");
	memset(&get, 0xff, sizeof(get));
	ioctl(vcpu->fd, MINIKVM_GET_SREGS2, &get);
	tap_ok(!get.pdptrs[0] && !get.pdptrs[1] && get.pdptrs[2] == 0x7001 && !get.pdptrs[3],
	       "they read back, whatever memory holds");
	set.cr4 |= 1ULL << 31;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_SREGS2, &set), EINVAL, "CR4 bit 31");
	test_efault(vcpu->fd, MINIKVM_GET_SREGS2, sizeof(get), "GET_SREGS2");
	test_efault(vcpu->fd, MINIKVM_SET_SREGS2, sizeof(get), "SET_SREGS2");
}

/* ---- TRANSLATE ------------------------------------------------------------- */

static void translates(struct vcpu *vcpu, uint64_t gva, uint64_t gpa, const char *what)
{
	struct minikvm_translation tr = { .linear_address = gva };

	if (ioctl(vcpu->fd, MINIKVM_TRANSLATE, &tr))
		tap_bail("TRANSLATE: %s", strerror(errno));
	tap_eq(tr.physical_address, gpa, "%s", what);
	tap_ok(tr.valid == (gpa != ~0ULL) && tr.writeable == 1 && !tr.usermode,
	       "%s: the other fields", what);
}

static void test_translate(struct vm *vm)
{
	struct vcpu *vcpu = vm_add_vcpu(vm, 2);

	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	translates(vcpu, 0x123456, 0x123456, "a mapped address");
	translates(vcpu, 0xfffff123, 0xfffff123, "one that is mapped and no memory");
	translates(vcpu, 0x7f0000000000, ~0ULL, "one that is not mapped");
	vcpu_set_mode(vcpu, GUEST_PROT, GUEST_CODE);
	translates(vcpu, 0x7f0000000000, 0x7f0000000000, "without paging, any");
	test_efault(vcpu->fd, MINIKVM_TRANSLATE, sizeof(struct minikvm_translation), "TRANSLATE");
}

int main(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_plan(0);
	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_DEBUGREGS), 1, "CAP_DEBUGREGS");
	test_debugregs(vcpu);
	test_xsave(vm, vcpu);
	test_xcrs(vm, vcpu);
	test_sregs2(vm);
	test_translate(vm);
	vm_free(vm);
	return tap_done();
}
