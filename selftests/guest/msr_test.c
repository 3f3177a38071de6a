// SPDX-License-Identifier: GPL-2.0
/*
 * RDMSR and WRMSR: what an operating system writes it reads back, non-canonical and reserved values and
 * MSRs that do not exist raise #GP, and the system call MSRs do what they are for.
 */
#include "gvm.h"

#define LOW	0x0000123456789000ul
#define HIGH	0xffff923456789000ul
#define BAD	0x8000000000000000ul

static void guest_expect(uint32_t msr, uint64_t v, const char *text)
{
	uint64_t old, got = 0;
	int w, r = guest_try_rdmsr(msr, &old);

	w = guest_try_wrmsr(msr, v);
	if (r == -1)
		r = guest_try_rdmsr(msr, &got);
	guest_check(r == -1 && w == -1 && got == v, text);
	if (r != -1 || w != -1 || got != v)
		guest_note("vectors of RDMSR and WRMSR", r, w);
	if (r == -1)
		guest_try_wrmsr(msr, old);
}

static void addresses(void)
{
	guest_expect(MSR_FS_BASE, LOW, "FS_BASE");
	guest_expect(MSR_FS_BASE, HIGH, "FS_BASE, upper half");
	guest_expect(MSR_KERNEL_GS_BASE, HIGH, "KERNEL_GS_BASE");
	guest_expect(MSR_LSTAR, HIGH, "LSTAR");
	guest_expect(MSR_CSTAR, LOW, "CSTAR");
	guest_expect(MSR_SYSENTER_EIP, HIGH, "SYSENTER_EIP");
	guest_expect(MSR_SYSENTER_ESP, LOW, "SYSENTER_ESP");
	guest_expect(MSR_SYSENTER_CS, 0x33, "SYSENTER_CS");
	guest_expect(MSR_STAR, 0x0023001000000000, "STAR");
	guest_expect(MSR_SFMASK, 0x47700, "SFMASK");
	guest_eq(guest_try_wrmsr(MSR_FS_BASE, BAD), EX_GP, "a non-canonical FS_BASE raises #GP");
	guest_eq(guest_try_wrmsr(MSR_LSTAR, BAD), EX_GP, "a non-canonical LSTAR raises #GP");
	guest_eq(guest_try_wrmsr(MSR_KERNEL_GS_BASE, BAD), EX_GP, "a non-canonical KERNEL_GS_BASE raises #GP");
}

static void memory_types(void)
{
	guest_expect(MSR_PAT, 0x0007040600070406, "PAT");
	guest_eq(guest_try_wrmsr(MSR_PAT, 0x0007040600070402), EX_GP, "PAT with a reserved type raises #GP");
	guest_expect(0x2ff, 0xc06, "MTRR_DEF_TYPE");
	guest_eq(guest_try_wrmsr(0x2ff, 0xc02), EX_GP, "... with a reserved type raises #GP");
	guest_expect(0x200, 0xc0000006, "MTRR_PHYSBASE0");
	guest_expect(0x250, 0x0606060606060606, "MTRR_FIX64K_00000");
}

static void apic_base(void)
{
	uint64_t base = rdmsr(MSR_APICBASE);

	guest_eq(base, APIC_BASE | 0x900, "APIC_BASE: enabled, bootstrap processor, usual address");
	guest_eq(guest_try_wrmsr(MSR_APICBASE, base | 1), EX_GP, "a reserved bit of APIC_BASE raises #GP");
	guest_eq(guest_try_wrmsr(MSR_APICBASE, (base & ~0x800ul) | 0x400), EX_GP, "x2APIC without xAPIC raises #GP");
	guest_eq(guest_try_wrmsr(MSR_APICBASE, base | 1ul << 60), EX_GP, "an address too wide raises #GP");
	guest_eq(rdmsr(MSR_APICBASE), base, "... and it stayed as it was");
}

static void x2apic(void)
{
	uint64_t v, base = rdmsr(MSR_APICBASE);
	uint32_t r[4];

	cpuid(1, 0, r);
	if (!(r[2] & (1 << 21))) {
		guest_skip("the device offers no x2APIC");
		return;
	}
	guest_eq(guest_try_rdmsr(MSR_X2APIC + 2, &v), EX_GP, "x2APIC registers raise #GP in xAPIC mode");
	wrmsr(MSR_APICBASE, base | 0x400);
	guest_check(guest_try_rdmsr(MSR_X2APIC + 2, &v) == -1 && v == 0, "x2APIC: the id");
	guest_check(guest_try_wrmsr(MSR_X2APIC + 8, 0x50) == -1 && read_cr8() == 5, "x2APIC: the task priority");
	guest_try_wrmsr(MSR_X2APIC + 8, 0);
	guest_eq(guest_try_wrmsr(MSR_X2APIC + 2, 1), EX_GP, "x2APIC: writing a read-only register raises #GP");
	guest_eq(guest_try_wrmsr(MSR_APICBASE, base), EX_GP, "x2APIC to xAPIC directly raises #GP");
	wrmsr(MSR_APICBASE, base & ~0x800ul);
	wrmsr(MSR_APICBASE, base);
	guest_eq(rdmsr(MSR_APICBASE), base, "... by way of off it is allowed");
}

static void absent(void)
{
	uint64_t v;

	guest_eq(guest_try_rdmsr(0x4000, &v), EX_GP, "reading an MSR that does not exist raises #GP");
	guest_eq(guest_try_wrmsr(0x4000, 0), EX_GP, "... writing it too");
	guest_eq(guest_try_rdmsr(0xc0001234, &v), EX_GP, "... in the upper range too");
	guest_eq(guest_try_rdmsr(0xdeadbeef, &v), EX_GP, "... outside both ranges too");
	guest_eq(guest_try_wrmsr(0xfe, 0), EX_GP, "writing MTRRCAP, which is read-only, raises #GP");
	guest_expect(MSR_MISC_ENABLE, rdmsr(MSR_MISC_ENABLE), "MISC_ENABLE can be written with what it holds");
}

static volatile uint64_t in_syscall, back;

static void syscalls(void)
{
	uint64_t star = (uint64_t)0x08 << 32, old = rdmsr(MSR_STAR), flags;

	/* SYSCALL from CPL 0 is legal; the flags in SFMASK are cleared on the way in. */
	wrmsr(MSR_STAR, star);
	wrmsr(MSR_SFMASK, 0x400);
	asm volatile("lea 1f(%%rip), %%rax; mov $0xc0000082, %%ecx; mov %%rax, %%rdx; shr $32, %%rdx; wrmsr\n"
		     "std; syscall\n"
		     "2: jmp 3f\n"
		     "1: pushfq; pop %[flags]; movq $1, %[in]; jmp *%%rcx\n"
		     "3: cld"
		     : [flags] "=&r"(flags), [in] "=m"(in_syscall) : : "rax", "rcx", "rdx", "r11", "memory", "cc");
	guest_check(in_syscall == 1 && !(flags & 0x400), "SYSCALL goes to LSTAR and clears what SFMASK says");
	wrmsr(MSR_STAR, old);
	wrmsr(MSR_SFMASK, 0);
	wrmsr(MSR_KERNEL_GS_BASE, 0x1111000);
	old = rdmsr(MSR_GS_BASE);
	asm volatile("swapgs");
	back = rdmsr(MSR_GS_BASE);
	asm volatile("swapgs");
	guest_check(back == 0x1111000 && rdmsr(MSR_GS_BASE) == old, "SWAPGS exchanges the bases");
}

static void guest_main(void)
{
	addresses();
	memory_types();
	apic_base();
	x2apic();
	absent();
	syscalls();
	guest_done();
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	vm = gvm_create(1, GVM_IRQCHIP);
	gvm_enter64(vm, 0, guest_main);
	gvm_run_done(vm);
	gvm_destroy(vm);
	return gvm_finish();
}
