// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's own runtime: descriptor tables, exception entry, the trampoline an AP starts in, reports
 * and local APIC helpers. Everything here runs inside the guest, at CPL 0, with no libc.
 */
#include "guest.h"

guest_handler_t guest_handlers[256];
void (*volatile guest_ap_main)(unsigned int cpu);
volatile uint64_t guest_ap_running[GUEST_MAX_CPUS];
struct guest_cpu guest_cpus[GUEST_MAX_CPUS];

unsigned char guest_stacks[GUEST_MAX_CPUS][GUEST_RT_STACK] __attribute__((aligned(4096)));
static unsigned char ist_stacks[GUEST_MAX_CPUS][3][4096] __attribute__((aligned(4096)));

struct tss64 {
	uint32_t reserved0;
	uint64_t rsp[3];
	uint64_t reserved1;
	uint64_t ist[7];
	uint64_t reserved2;
	uint16_t reserved3;
	uint16_t iomap;
} __attribute__((packed));

struct gate64 {
	uint16_t offset_lo, selector;
	uint16_t flags;
	uint16_t offset_mid;
	uint32_t offset_hi, reserved;
};

struct tss64 guest_tss[GUEST_MAX_CPUS];
struct gate64 guest_idt[256] __attribute__((aligned(16)));

/*
 * 0x08 64-bit code, 0x10 data, 0x18 32-bit code, 0x20 16-bit code, 0x28 16-bit data,
 * 0x30 user data, 0x38 user 64-bit code, then two entries per vCPU's TSS from 0x40 on.
 */
uint64_t guest_gdt[8 + 2 * GUEST_MAX_CPUS] __attribute__((aligned(16))) = {
	0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff,
	0x00009b000000ffff, 0x000093000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff,
};

struct guest_pseudo_desc {
	uint16_t limit;
	uint64_t base;
} __attribute__((packed)) guest_idtr = { sizeof(guest_idt) - 1, (uint64_t)guest_idt };

/* clang-format off */
asm(".pushsection .text\n"
"	.balign 16\n"
"guest_vectors:\n"
"	.set vec, 0\n"
"	.rept 256\n"
"	.balign 16\n"
"	.if (vec == 8) || (vec >= 10 && vec <= 14) || (vec == 17) || (vec == 21)\n"
"	.else\n"
"	pushq $0\n"
"	.endif\n"
"	pushq $vec\n"
"	jmp guest_trap_entry\n"
"	.set vec, vec + 1\n"
"	.endr\n"
"guest_trap_entry:\n"
"	push %rax; push %rbx; push %rcx; push %rdx; push %rsi; push %rdi; push %rbp; push %r8\n"
"	push %r9; push %r10; push %r11; push %r12; push %r13; push %r14; push %r15\n"
"	mov %rsp, %rdi\n"
"	mov %rsp, %rbp\n"
"	and $-16, %rsp\n"
"	cld\n"
"	call guest_trap\n"
"	mov %rbp, %rsp\n"
"	pop %r15; pop %r14; pop %r13; pop %r12; pop %r11; pop %r10; pop %r9; pop %r8\n"
"	pop %rbp; pop %rdi; pop %rsi; pop %rdx; pop %rcx; pop %rbx; pop %rax\n"
"	add $16, %rsp\n"
"	iretq\n"
/* An AP's first instructions: copied to GUEST_TRAMPOLINE, where CS is 0x800 and IP 0. */
"	.globl guest_trampoline, guest_trampoline_end\n"
"	.code16\n"
"guest_trampoline:\n"
"	cli\n"
"	xor %eax, %eax\n"
"	mov %ax, %ds\n"
"	lgdtl 0x8000 + 2f - guest_trampoline\n"
"	mov $0x620, %eax\n"
"	mov %eax, %cr4\n"
"	mov $0x1000, %eax\n"
"	mov %eax, %cr3\n"
"	mov $0xc0000080, %ecx\n"
"	mov $0x901, %eax\n"
"	xor %edx, %edx\n"
"	wrmsr\n"
"	mov $0x80010033, %eax\n"
"	mov %eax, %cr0\n"
"	ljmpl $0x08, $guest_ap_entry\n"
"	.balign 4\n"
"2:	.word 8 * (8 + 2 * 64) - 1\n"
"	.long guest_gdt\n"
"guest_trampoline_end:\n"
"	.code64\n"
"guest_ap_entry:\n"
"	mov $0x10, %eax\n"
"	mov %eax, %ds; mov %eax, %es; mov %eax, %ss\n"
"	xor %eax, %eax\n"
"	mov %eax, %fs; mov %eax, %gs\n"
"	mov $1, %eax\n"
"	cpuid\n"
"	shr $24, %ebx\n"
"	mov %ebx, %edi\n"
"	and $63, %edi\n"
"	mov %edi, %eax\n"
"	inc %eax\n"
"	shl $14, %eax\n"
"	lea guest_stacks(%rax), %rsp\n"
"	xor %ebp, %ebp\n"
"	call guest_ap_c\n"
"	ud2\n"
".popsection\n");
/* clang-format on */

extern char guest_vectors[];
_Static_assert(GUEST_RT_STACK == 1 << 14, "guest_ap_entry shifts by 14");
_Static_assert(GUEST_MAX_CPUS == 64, "the trampoline knows the size of the GDT and masks the APIC id");

static void report(uint32_t kind, uint64_t a, uint64_t b, uint64_t c, const char *text)
{
	struct guest_report r = {
		.kind = kind, .cpu = (uint32_t)guest_this_cpu()->id, .a = a, .b = b, .c = c,
		.text = (uint64_t)text,
	};

	outl(GUEST_REPORT_PORT, (uint32_t)(uint64_t)&r);
}

void guest_check(bool ok, const char *text)
{
	report(GUEST_REPORT_CHECK, ok, 0, 0, text);
}

void guest_eq(uint64_t got, uint64_t want, const char *text)
{
	report(GUEST_REPORT_EQ, got, want, 0, text);
}

void guest_note(const char *text, uint64_t a, uint64_t b)
{
	report(GUEST_REPORT_NOTE, a, b, 0, text);
}

void guest_skip(const char *text)
{
	report(GUEST_REPORT_SKIP, 0, 0, 0, text);
}

void guest_sync(uint64_t stage, uint64_t value)
{
	report(GUEST_REPORT_SYNC, stage, value, 0, NULL);
}

void guest_done(void)
{
	for (;;)
		report(GUEST_REPORT_DONE, 0, 0, 0, NULL);
}

__attribute__((used)) void guest_trap(struct guest_trap_frame *f);

/* First a GUEST_TRY() that wants to know, then the test's handler, else the host hears of it. */
void guest_trap(struct guest_trap_frame *f)
{
	if (f->vector < 32 && f->vector != EX_NMI && f->r9 == GUEST_TRY_MAGIC) {
		f->rip = f->r10;
		f->r9 = f->vector;
		f->r11 = f->error;
		return;
	}
	if (guest_handlers[f->vector & 255]) {
		guest_handlers[f->vector & 255](f);
		return;
	}
	report(GUEST_REPORT_TRAP, f->vector, f->rip, f->error, NULL);
	guest_done();
}

void guest_set_handler(unsigned int vector, guest_handler_t fn)
{
	guest_handlers[vector & 255] = fn;
}

/* Also called by the host (gvm.c), on its own copy, before the image is copied into a guest. */
void guest_build_tables(void)
{
	unsigned int i;

	for (i = 0; i < 256; i++) {
		uint64_t at = (uint64_t)guest_vectors + 16 * i;

		guest_idt[i] = (struct gate64){
			.offset_lo = at, .selector = 0x08, .offset_mid = at >> 16, .offset_hi = at >> 32,
			/* present, interrupt gate; #DF and NMI get stacks of their own */
			.flags = 0x8e00 | (i == EX_DF ? 1 : i == EX_NMI ? 2 : 0),
		};
	}
	guest_idt[EX_BP].flags |= 3 << 13;
	for (i = 0; i < GUEST_MAX_CPUS; i++) {
		uint64_t base = (uint64_t)&guest_tss[i];

		guest_tss[i].ist[0] = (uint64_t)&ist_stacks[i][1];
		guest_tss[i].ist[1] = (uint64_t)&ist_stacks[i][2];
		guest_tss[i].rsp[0] = (uint64_t)(&ist_stacks[i][2] + 1);
		guest_tss[i].iomap = sizeof(guest_tss[i]);
		guest_gdt[8 + 2 * i] = 0x0000890000000067 | (base & 0xffffff) << 16 |
				       (base >> 24 & 0xff) << 56;
		guest_gdt[9 + 2 * i] = base >> 32;
		guest_cpus[i].self = &guest_cpus[i];
		guest_cpus[i].id = i;
	}
}

__attribute__((used)) void guest_ap_c(unsigned int cpu);

void guest_ap_c(unsigned int cpu)
{
	asm volatile("lidt %0" : : "m"(guest_idtr));
	guest_gdt[8 + 2 * cpu] &= ~(1ul << 41);		/* not busy: a CPU may come here again after INIT */
	asm volatile("ltr %0" : : "r"((uint16_t)(0x40 + 16 * cpu)));
	wrmsr(MSR_GS_BASE, (uint64_t)&guest_cpus[cpu]);
	guest_ap_running[cpu]++;
	guest_ap_main(cpu);
	guest_done();
}

/*
 * Emulated CPUs may lose the vector of an interrupt that they deliver from a virtual APIC when the
 * delivery meets a page that the host has not mapped yet: have the tables mapped.
 */
static void touch_tables(void)
{
	unsigned int i;

	for (i = 0; i < sizeof(guest_idt); i += 64)
		(void)*(volatile unsigned char *)((char *)guest_idt + i);
	(void)*(volatile uint64_t *)&guest_gdt[1];
}

void apic_enable(void)
{
	touch_tables();
	wrmsr(MSR_APICBASE, (rdmsr(MSR_APICBASE) & 0x100) | APIC_BASE | 0x800);
	apic_write(APIC_SVR, 0x1ff);
	apic_write(APIC_TPR, 0);
}

void apic_ipi(uint32_t icr, uint32_t dest)
{
	apic_write(APIC_ICR2, dest << 24);
	apic_write(APIC_ICR, icr);
	while (apic_read(APIC_ICR) & (1u << 12))
		guest_relax();
}

bool guest_wait(volatile uint64_t *p, uint64_t want, unsigned int spins)
{
	while (*p < want) {
		if (!spins--)
			return false;
		guest_relax();
	}
	return true;
}

bool guest_start_ap(unsigned int cpu, void (*fn)(unsigned int cpu))
{
	uint64_t before = guest_ap_running[cpu];

	guest_ap_main = fn;
	apic_ipi(APIC_DM_INIT | APIC_LEVEL_ASSERT, cpu);
	apic_ipi(APIC_DM_STARTUP | GUEST_TRAMPOLINE >> 12, cpu);
	return guest_wait(&guest_ap_running[cpu], before + 1, 1000000);
}
