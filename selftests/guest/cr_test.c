// SPDX-License-Identifier: GPL-2.0
/*
 * Control registers: what a guest may write it reads back, what the manual forbids raises #GP and
 * changes nothing, and the instructions that go through CR0 by another door agree.
 */
#include "gvm.h"

#define CR0_PE (1ul << 0)
#define CR0_MP (1ul << 1)
#define CR0_EM (1ul << 2)
#define CR0_TS (1ul << 3)
#define CR0_WP (1ul << 16)
#define CR0_AM (1ul << 18)
#define CR0_NW (1ul << 29)
#define CR0_CD (1ul << 30)
#define CR0_PG (1ul << 31)
#define CR4_PAE (1ul << 5)
#define CR4_PGE (1ul << 7)
#define CR4_VMXE (1ul << 13)
#define CR4_PCIDE (1ul << 17)

static int try_cr0(uint64_t v)
{
	uint64_t err;
	int vec;

	GUEST_TRY(vec, err, "mov %[v], %%cr0", , [v] "r"(v));
	return vec;
}

static int try_cr4(uint64_t v)
{
	uint64_t err;
	int vec;

	GUEST_TRY(vec, err, "mov %[v], %%cr4", , [v] "r"(v));
	return vec;
}

static int try_cr3(uint64_t v)
{
	uint64_t err;
	int vec;

	GUEST_TRY(vec, err, "mov %[v], %%cr3", , [v] "r"(v));
	return vec;
}

static int try_cr8(uint64_t v)
{
	uint64_t err;
	int vec;

	GUEST_TRY(vec, err, "mov %[v], %%cr8", , [v] "r"(v));
	return vec;
}

static void cr0_rules(void)
{
	uint64_t cr0 = read_cr0(), msw;

	guest_eq(cr0, X86_CR0_DEFAULT, "CR0 reads as userspace set it");
	guest_check(try_cr0(cr0 | CR0_TS) == -1 && read_cr0() == (cr0 | CR0_TS), "CR0.TS sets");
	asm volatile("clts");
	guest_eq(read_cr0(), cr0, "CLTS clears it");
	asm volatile("lmsw %w0" : : "r"(0xb));
	guest_eq(read_cr0(), cr0 | CR0_TS, "LMSW sets it");
	asm volatile("lmsw %w0" : : "r"(0x2));
	guest_eq(read_cr0(), cr0, "... clears it, and cannot clear PE");
	asm volatile("smsw %0" : "=r"(msw));
	guest_eq(msw & 0xffff, cr0 & 0xffff, "SMSW agrees with CR0");
	guest_check(try_cr0(cr0 & ~CR0_WP) == -1 && !(read_cr0() & CR0_WP), "CR0.WP clears");
	guest_check(try_cr0(cr0 | CR0_AM) == -1 && read_cr0() & CR0_AM, "CR0.AM sets");
	guest_check(try_cr0(cr0 | CR0_CD) == -1 && read_cr0() & CR0_CD, "CR0.CD sets");
	guest_check(try_cr0(cr0) == -1, "all back");
	guest_eq(try_cr0(cr0 | CR0_NW), EX_GP, "NW without CD raises #GP");
	guest_eq(try_cr0(cr0 & ~CR0_PE), EX_GP, "PG without PE raises #GP");
	guest_eq(try_cr0(cr0 | 1ul << 32), EX_GP, "a bit above 31 raises #GP");
	guest_eq(read_cr0(), cr0, "... and CR0 stayed as it was");
}

static void cr0_works(void)
{
	uint64_t *pd = (uint64_t *)(GUEST_PML4 + 0x2000), err;
	int vec;

	write_cr0(read_cr0() | CR0_TS);
	GUEST_TRY(vec, err, "movaps %%xmm0, %%xmm0", );
	guest_eq(vec, EX_NM, "with TS set an SSE instruction raises #NM");
	write_cr0((read_cr0() & ~CR0_TS) | CR0_EM);
	GUEST_TRY(vec, err, "movaps %%xmm0, %%xmm0", );
	guest_eq(vec, EX_UD, "with EM set it raises #UD");
	write_cr0(X86_CR0_DEFAULT);
	pd[(GUEST_FREE + 0x400000) >> 21] &= ~2ul;
	write_cr3(read_cr3());
	GUEST_TRY(vec, err, "movb $1, (%[p])", , [p] "r"(GUEST_FREE + 0x400000));
	guest_check(vec == EX_PF && err == 3, "with WP set the kernel cannot write a read-only page");
	write_cr0(X86_CR0_DEFAULT & ~CR0_WP);
	GUEST_TRY(vec, err, "movb $1, (%[p])", , [p] "r"(GUEST_FREE + 0x400000));
	guest_eq(vec, -1, "... and with WP clear it can");
	write_cr0(X86_CR0_DEFAULT);
}

static void cr3_cr4_rules(void)
{
	uint64_t cr4 = read_cr4(), cr3 = read_cr3();
	uint32_t r[4];

	guest_eq(cr4, X86_CR4_DEFAULT, "CR4 reads as userspace set it");
	guest_check(try_cr4(cr4 | CR4_PGE) == -1 && read_cr4() == (cr4 | CR4_PGE), "CR4.PGE sets");
	write_cr4(cr4);
	guest_eq(try_cr4(cr4 | 1ul << 15), EX_GP, "a reserved bit of CR4 raises #GP");
	guest_eq(try_cr4(cr4 | 1ul << 63), EX_GP, "... also the highest");
	guest_eq(try_cr4(cr4 & ~CR4_PAE), EX_GP, "clearing PAE in long mode raises #GP");
	cpuid(1, 0, r);
	if (r[2] & (1 << 5))
		guest_skip("the guest has VMX");
	else
		guest_eq(try_cr4(cr4 | CR4_VMXE), EX_GP, "CR4.VMXE without VMX raises #GP");
	if (r[2] & (1 << 17)) {
		guest_eq(try_cr3(cr3 | 1), -1, "CR3 takes the bits of a PCID");
		guest_eq(try_cr4(cr4 | CR4_PCIDE), EX_GP, "... but PCIDE needs them to be 0");
		write_cr3(cr3);
		guest_eq(try_cr4(cr4 | CR4_PCIDE), -1, "PCIDE sets then");
		guest_check(try_cr3(cr3 | 5) == -1 && read_cr3() == (cr3 | 5), "... and CR3 holds a PCID");
		guest_check(try_cr3(cr3 | 5 | 1ul << 63) == -1 && read_cr3() == (cr3 | 5), "bit 63 is not kept");
		write_cr3(cr3);
		write_cr4(cr4);
	} else {
		guest_skip("the CPU has no PCID");
	}
	guest_eq(read_cr4(), cr4, "CR4 is as it was");
	guest_eq(try_cr3(cr3 | 1ul << 60), EX_GP, "a reserved bit of CR3 raises #GP");
	guest_eq(try_cr8(16), EX_GP, "CR8 above 15 raises #GP");
	guest_check(try_cr8(9) == -1 && read_cr8() == 9, "CR8 holds four bits");
	write_cr8(0);
}

static void efer_rules(void)
{
	uint64_t efer = rdmsr(MSR_EFER);

	guest_eq(efer, X86_EFER_DEFAULT, "EFER reads as userspace set it");
	guest_eq(guest_try_wrmsr(MSR_EFER, efer | 1ul << 1), EX_GP, "a reserved bit of EFER raises #GP");
	guest_eq(guest_try_wrmsr(MSR_EFER, efer & ~0x100ul), EX_GP, "clearing LME while paging raises #GP");
	guest_check(guest_try_wrmsr(MSR_EFER, efer & ~0x400ul) == -1 && rdmsr(MSR_EFER) & 0x400, "LMA is read-only");
	guest_check(guest_try_wrmsr(MSR_EFER, efer & ~1ul) == -1 && rdmsr(MSR_EFER) == (efer & ~1ul), "SCE clears");
	wrmsr(MSR_EFER, efer);
}

static void guest_main(void)
{
	cr0_rules();
	cr0_works();
	cr3_cr4_rules();
	efer_rules();
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
