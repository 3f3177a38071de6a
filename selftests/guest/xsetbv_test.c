// SPDX-License-Identifier: GPL-2.0
/*
 * XSETBV: what CPUID leaf 0Dh allows can be set and reads back, everything else raises #GP, and the
 * state components it turns on really work.
 */
#include "gvm.h"

static int try_xsetbv(uint32_t index, uint64_t v)
{
	uint64_t err;
	int vec;

	GUEST_TRY(vec, err, "xsetbv", , "c"(index), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
	return vec;
}

static uint64_t xgetbv(void)
{
	uint32_t lo, hi;

	asm volatile("xgetbv" : "=a"(lo), "=d"(hi) : "c"(0));
	return lo | (uint64_t)hi << 32;
}

static void guest_main(void)
{
	uint64_t err, all;
	uint32_t r[4];
	int vec;

	GUEST_TRY(vec, err, "xgetbv", , "c"(0), "a"(0), "d"(0));
	guest_eq(vec, EX_UD, "XGETBV with CR4.OSXSAVE clear raises #UD");
	guest_eq(try_xsetbv(0, 1), EX_UD, "XSETBV too");
	write_cr4(read_cr4() | 1 << 18);
	cpuid(0xd, 0, r);
	all = r[0] | (uint64_t)r[3] << 32;
	guest_note("state components", all, 0);
	guest_eq(xgetbv(), 1, "XCR0 is x87 only at reset");
	guest_eq(try_xsetbv(0, 3), -1, "XCR0 = x87 and SSE");
	guest_eq(xgetbv(), 3, "... reads back");
	guest_eq(try_xsetbv(0, 2), EX_GP, "without x87: #GP");
	guest_eq(try_xsetbv(0, 5), EX_GP, "AVX without SSE: #GP");
	guest_eq(try_xsetbv(0, 0x23), EX_GP, "a part of AVX-512: #GP");
	guest_eq(try_xsetbv(0, 1ul << 62 | 3), EX_GP, "a component that does not exist: #GP");
	guest_eq(try_xsetbv(1, 3), EX_GP, "an XCR that does not exist: #GP");
	guest_eq(xgetbv(), 3, "XCR0 stayed as it was");
	if (all & 4) {
		guest_eq(try_xsetbv(0, 7), -1, "AVX");
		GUEST_TRY(vec, err, "vxorps %%ymm0, %%ymm0, %%ymm0", );
		guest_eq(vec, -1, "... its instructions run");
		guest_eq(try_xsetbv(0, 3), -1, "AVX off");
		GUEST_TRY(vec, err, "vxorps %%ymm0, %%ymm0, %%ymm0", );
		guest_eq(vec, EX_UD, "... its instructions raise #UD");
	} else {
		guest_skip("the CPU has no AVX");
	}
	guest_eq(try_xsetbv(0, all), -1, "everything CPUID allows at once");
	guest_eq(xgetbv(), all, "... reads back");
	cpuid(0xd, 0, r);
	guest_check(r[1] >= 576 && r[1] <= r[2], "CPUID's size of the enabled components follows");
	guest_done();
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	if (!gvm_cpuid_has(1, 0, 2, 26))
		tap_skip_all("the device offers no XSAVE");
	vm = gvm_create(1, 0);
	gvm_enter64(vm, 0, guest_main);
	gvm_run_done(vm);
	gvm_destroy(vm);
	return gvm_finish();
}
