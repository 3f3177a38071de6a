// SPDX-License-Identifier: GPL-2.0
/*
 * Guest user mode stays guest user mode: privileged instructions raise #GP there although they exit at
 * CPL 0, port and page permissions hold in what the host emulates, and hypercalls are refused.
 */
#include "gvm.h"

#define PORT		0x300

extern uint64_t guest_gdt[];

struct result {
	int vec;
	uint64_t err, value;
};

static volatile struct result results[16];
static volatile unsigned int mmio_seen;

#define USER_TRY(n, insn, inputs...)				\
do {								\
	uint64_t e__;						\
	int v__;						\
								\
	GUEST_TRY(v__, e__, insn, , ##inputs);			\
	results[n].vec = v__;					\
	results[n].err = e__;					\
} while (0)

static void user_code(void)
{
	uint64_t rax = 1;
	uint32_t r[4];

	USER_TRY(0, "hlt", "a"(0));
	USER_TRY(1, "in %%dx, %%al", "d"(PORT), "a"(0));
	USER_TRY(2, "outl %%eax, %%dx", "d"(PORT), "a"(0));
	USER_TRY(3, "rep insb", "d"(PORT), "c"(0), "D"(0));
	USER_TRY(4, "rdmsr", "c"(MSR_EFER), "a"(0), "d"(0));
	USER_TRY(5, "mov %%cr0, %%rax", "a"(0));
	USER_TRY(6, "mov %%db7, %%rax", "a"(0));
	USER_TRY(7, "xsetbv", "c"(0), "a"(1), "d"(0));
	USER_TRY(8, "cli", "a"(0));
	cpuid(0, 0, r);
	results[9].value = r[1] | r[2] | r[3];
	asm volatile("vmcall" : "+a"(rax) : "b"(0), "c"(0), "d"(0), "S"(0) : "memory");
	results[10].value = rax;
	USER_TRY(11, "movl %%eax, (%%rdi)", "D"(GUEST_MMIO), "a"(1));
	USER_TRY(12, "movl %%eax, (%%rdi)", "D"(GUEST_MMIO + 0x200000), "a"(1));
	USER_TRY(13, "invlpg (%%rdi)", "D"(0));
	asm volatile("int $0x80");
}

static void user_ports(void)
{
	USER_TRY(0, "in %%dx, %%al", "d"(PORT), "a"(0));
	USER_TRY(1, "in %%dx, %%al", "d"(PORT + 8), "a"(0));
	USER_TRY(2, "inl %%dx, %%eax", "d"(PORT + 4), "a"(0));
	asm volatile("int $0x80");
}

static void gp(unsigned int n, const char *text)
{
	guest_check(results[n].vec == EX_GP && results[n].err == 0, text);
}

/* A TSS of our own with an I/O permission bitmap that opens PORT..PORT+6. */
static struct {
	uint8_t tss[104];
	uint8_t bitmap[8192 + 1];
} __attribute__((aligned(16))) io_tss;

static void load_io_tss(void)
{
	uint64_t base = (uint64_t)&io_tss, old = (uint64_t)guest_gdt[8] >> 16 & 0xffffff;
	unsigned int i;

	old |= guest_gdt[8] >> 56 << 24;
	for (i = 0; i < 104; i++)
		io_tss.tss[i] = ((uint8_t *)old)[i];
	io_tss.tss[102] = 104;
	io_tss.tss[103] = 0;
	for (i = 0; i < sizeof(io_tss.bitmap); i++)
		io_tss.bitmap[i] = 0xff;
	io_tss.bitmap[PORT / 8] = 0x80;
	guest_gdt[10] = (sizeof(io_tss) - 1) | (base & 0xffffff) << 16 | 0x89ul << 40 | (base >> 24 & 0xff) << 56;
	guest_gdt[11] = base >> 32;
	asm volatile("ltr %0" : : "r"((uint16_t)0x50));
}

static void guest_main(void)
{
	uint64_t *pd = (uint64_t *)(GUEST_PML4 + 0x2000);

	pd[(GUEST_MMIO + 0x200000) >> 21] &= ~4ul;		/* supervisor only */
	write_cr3(read_cr3());
	write_cr4(read_cr4() | (1 << 18));
	guest_run_user(user_code);
	gp(0, "HLT at CPL 3 raises #GP");
	gp(1, "IN without permission raises #GP");
	gp(2, "OUT too");
	gp(3, "REP INSB too, even with count 0");
	gp(4, "RDMSR raises #GP");
	gp(5, "reading CR0 raises #GP");
	gp(6, "reading DR7 raises #GP");
	gp(7, "XSETBV raises #GP");
	gp(8, "CLI raises #GP");
	gp(13, "INVLPG raises #GP");
	guest_check(results[9].value != 0, "CPUID works at CPL 3");
	guest_eq(results[10].value, (uint64_t)-1, "a hypercall from CPL 3 is refused (-EPERM)");
	guest_check(results[11].vec == -1, "MMIO to a page user mode may use works");
	guest_check(results[12].vec == EX_PF && results[12].err == 7, "... to a supervisor page raises #PF");
	load_io_tss();
	guest_run_user(user_ports);
	guest_eq(results[0].vec, -1, "the I/O permission bitmap opens a port");
	guest_eq(results[1].vec, EX_GP, "... and no other");
	guest_eq(results[2].vec, EX_GP, "... nor an access that reaches beyond the open ones");
	guest_done();
}

static bool serve_pio(struct gvm_vcpu *v, struct minikvm_run *run, uint8_t *data)
{
	(void)v;
	data[0] = 0;
	return run->io.port == PORT;
}

static bool serve_mmio(struct gvm_vcpu *v, struct minikvm_run *run)
{
	(void)v;
	mmio_seen++;
	return run->mmio.phys_addr == GUEST_MMIO;
}

int main(void)
{
	struct gvm *vm;

	gvm_start();
	if (!gvm_cpuid_has(1, 0, 2, 26))
		tap_skip_all("the device offers no XSAVE");
	vm = gvm_create(1, 0);
	vm->pio = serve_pio;
	vm->mmio = serve_mmio;
	gvm_enter64(vm, 0, guest_main);
	gvm_run_done(vm);
	tap_eq(mmio_seen, 1, "one access reached the host's device");
	gvm_destroy(vm);
	return gvm_finish();
}
