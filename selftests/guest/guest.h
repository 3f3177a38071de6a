/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What guest code of these tests may call: reports to the host, port and MSR access, trapped
 * instructions, local APIC helpers. Guest functions live in the test program itself; gvm.c copies the
 * program's own image into guest memory at the addresses it was linked for, so a guest sees its own
 * copy of every function and variable, identity mapped, and no libc.
 */
#ifndef MINIKVM_TEST_GUEST_H
#define MINIKVM_TEST_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GUEST_MAX_CPUS		64
#define GUEST_RT_STACK	16384

/* Fixed guest-physical places, all below the image (which is linked at 4 MiB). */
#define GUEST_PML4		0x1000ul	/* PML4, PDPT and four page directories */
#define GUEST_TRAMPOLINE	0x8000ul	/* SIPI vector 8 */
#define GUEST_LOW		0x10000ul	/* 16-bit test code and data */
#define GUEST_RAM_SIZE		0x2000000ul	/* slot 0: 32 MiB */
#define GUEST_FREE		0x1000000ul	/* first byte no image reaches */

/* Where a test may put devices or slots of its own: mapped, and no slot there by default. */
#define GUEST_MMIO		0xd0000000ul
#define GUEST_EXTRA		0x40000000ul

#define GUEST_REPORT_PORT	0xe8

#define X86_CR0_DEFAULT		0x80010033ul	/* PG WP NE ET MP PE */
#define X86_CR4_DEFAULT		0x620ul		/* OSXMMEXCPT OSFXSR PAE */
#define X86_EFER_DEFAULT	0xd01ul		/* NXE LMA LME SCE */

#define MSR_TSC			0x10
#define MSR_APICBASE		0x1b
#define MSR_TSC_ADJUST		0x3b
#define MSR_SPEC_CTRL		0x48
#define MSR_PRED_CMD		0x49
#define MSR_ARCH_CAPABILITIES	0x10a
#define MSR_SYSENTER_CS		0x174
#define MSR_SYSENTER_ESP	0x175
#define MSR_SYSENTER_EIP	0x176
#define MSR_MISC_ENABLE		0x1a0
#define MSR_PAT			0x277
#define MSR_TSC_DEADLINE	0x6e0
#define MSR_X2APIC		0x800
#define MSR_EFER		0xc0000080
#define MSR_STAR		0xc0000081
#define MSR_LSTAR		0xc0000082
#define MSR_CSTAR		0xc0000083
#define MSR_SFMASK		0xc0000084
#define MSR_FS_BASE		0xc0000100
#define MSR_GS_BASE		0xc0000101
#define MSR_KERNEL_GS_BASE	0xc0000102
#define MSR_TSC_AUX		0xc0000103

#define APIC_BASE		0xfee00000ul
#define APIC_ID			0x020
#define APIC_VERSION		0x030
#define APIC_TPR		0x080
#define APIC_PPR		0x0a0
#define APIC_EOI		0x0b0
#define APIC_LDR		0x0d0
#define APIC_DFR		0x0e0
#define APIC_SVR		0x0f0
#define APIC_ISR		0x100
#define APIC_TMR		0x180
#define APIC_IRR		0x200
#define APIC_ESR		0x280
#define APIC_ICR		0x300
#define APIC_ICR2		0x310
#define APIC_LVTT		0x320
#define APIC_LVT_LINT0		0x350
#define APIC_LVT_LINT1		0x360
#define APIC_LVT_ERROR		0x370
#define APIC_TMICT		0x380
#define APIC_TMCCT		0x390
#define APIC_TDCR		0x3e0
#define APIC_SELF_IPI		0x3f0

#define APIC_MASKED		(1u << 16)
#define APIC_TIMER_PERIODIC	(1u << 17)
#define APIC_TIMER_DEADLINE	(1u << 18)
#define APIC_DM_NMI		0x400
#define APIC_DM_INIT		0x500
#define APIC_DM_STARTUP		0x600
#define APIC_DM_EXTINT		0x700
#define APIC_LEVEL_ASSERT	(1u << 14)
#define APIC_LEVEL_TRIGGER	(1u << 15)
#define APIC_DEST_LOGICAL	(1u << 11)
#define APIC_DEST_SELF		(1u << 18)
#define APIC_DEST_ALL		(2u << 18)
#define APIC_DEST_ALLBUT	(3u << 18)

#define EX_DE	0
#define EX_DB	1
#define EX_NMI	2
#define EX_BP	3
#define EX_OF	4
#define EX_UD	6
#define EX_NM	7
#define EX_DF	8
#define EX_NP	11
#define EX_SS	12
#define EX_GP	13
#define EX_PF	14
#define EX_MF	16
#define EX_AC	17
#define EX_XM	19

/* What a guest tells the host: one OUT of the structure's address to GUEST_REPORT_PORT. */
enum guest_report_kind {
	GUEST_REPORT_CHECK = 1,		/* a: true or false, text: what was checked */
	GUEST_REPORT_EQ,		/* a: got, b: wanted */
	GUEST_REPORT_NOTE,		/* a, b: two values worth showing */
	GUEST_REPORT_SKIP,		/* text: what the host CPU lacks */
	GUEST_REPORT_SYNC,		/* a: stage, b: value; gvm_run() returns to the test */
	GUEST_REPORT_TRAP,		/* an exception nobody expected: a: vector, b: RIP, c: error code */
	GUEST_REPORT_DONE,		/* this vCPU has finished */
};

struct guest_report {
	uint32_t kind;
	uint32_t cpu;
	uint64_t a, b, c;
	uint64_t text;			/* address of a NUL-terminated string in the image */
};

struct guest_cpu {
	struct guest_cpu *self;		/* %gs:0 */
	uint64_t id;
	uint64_t scratch[6];
};

struct guest_trap_frame {
	uint64_t r15, r14, r13, r12, r11, r10, r9, r8, rbp, rdi, rsi, rdx, rcx, rbx, rax;
	uint64_t vector, error, rip, cs, rflags, rsp, ss;
};

typedef void (*guest_handler_t)(struct guest_trap_frame *frame);

extern guest_handler_t guest_handlers[256];
extern void (*volatile guest_ap_main)(unsigned int cpu);

static inline void outb(uint16_t port, uint8_t v)
{
	asm volatile("outb %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void outw(uint16_t port, uint16_t v)
{
	asm volatile("outw %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline void outl(uint16_t port, uint32_t v)
{
	asm volatile("outl %0, %1" : : "a"(v), "Nd"(port) : "memory");
}

static inline uint8_t inb(uint16_t port)
{
	uint8_t v;

	asm volatile("inb %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint32_t inl(uint16_t port)
{
	uint32_t v;

	asm volatile("inl %1, %0" : "=a"(v) : "Nd"(port) : "memory");
	return v;
}

static inline uint64_t rdtsc(void)
{
	uint32_t lo, hi;

	asm volatile("lfence; rdtsc" : "=a"(lo), "=d"(hi) : : "memory");
	return lo | (uint64_t)hi << 32;
}

static inline uint64_t rdmsr(uint32_t msr)
{
	uint32_t lo, hi;

	asm volatile("rdmsr" : "=a"(lo), "=d"(hi) : "c"(msr) : "memory");
	return lo | (uint64_t)hi << 32;
}

static inline void wrmsr(uint32_t msr, uint64_t v)
{
	asm volatile("wrmsr" : : "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)) : "memory");
}

static inline void cpuid(uint32_t leaf, uint32_t sub, uint32_t r[4])
{
	asm volatile("cpuid" : "=a"(r[0]), "=b"(r[1]), "=c"(r[2]), "=d"(r[3]) : "a"(leaf), "c"(sub) : "memory");
}

#define GUEST_CR(n)									\
static inline uint64_t read_cr##n(void)							\
{											\
	uint64_t v;									\
											\
	asm volatile("mov %%cr" #n ", %0" : "=r"(v) : : "memory");			\
	return v;									\
}											\
static inline void write_cr##n(uint64_t v)						\
{											\
	asm volatile("mov %0, %%cr" #n : : "r"(v) : "memory");				\
}
GUEST_CR(0)
GUEST_CR(2)
GUEST_CR(3)
GUEST_CR(4)
GUEST_CR(8)

#define GUEST_DR(n)									\
static inline uint64_t read_dr##n(void)							\
{											\
	uint64_t v;									\
											\
	asm volatile("mov %%db" #n ", %0" : "=r"(v) : : "memory");			\
	return v;									\
}											\
static inline void write_dr##n(uint64_t v)						\
{											\
	asm volatile("mov %0, %%db" #n : : "r"(v) : "memory");				\
}
GUEST_DR(0)
GUEST_DR(1)
GUEST_DR(2)
GUEST_DR(3)
GUEST_DR(6)
GUEST_DR(7)

static inline void sti(void)
{
	asm volatile("sti" : : : "memory");
}

static inline void cli(void)
{
	asm volatile("cli" : : : "memory");
}

/* Enables interrupts and halts with no window between the two; returns with interrupts off. */
static inline void sti_hlt_cli(void)
{
	asm volatile("sti; hlt; cli" : : : "memory");
}

/*
 * IRET to the next instruction, which unblocks NMIs. An emulated CPU may hold them back from one
 * guest because another is in its NMI handler (lab.rst); a guest that has not run IRET since would
 * wait for ever.
 */
static inline void guest_iret(void)
{
	asm volatile("mov %%rsp, %%rcx\n\t"
		     "mov %%ss, %%eax\n\t"
		     "push %%rax\n\t"
		     "push %%rcx\n\t"
		     "pushf\n\t"
		     "mov %%cs, %%eax\n\t"
		     "push %%rax\n\t"
		     "lea 1f(%%rip), %%rax\n\t"
		     "push %%rax\n\t"
		     "iretq\n"
		     "1:" : : : "rax", "rcx", "memory");
}

static inline void invlpg(const void *p)
{
	asm volatile("invlpg (%0)" : : "r"(p) : "memory");
}

/*
 * Waits a little in a spin loop. CPUID always exits: a guest that spins with interrupts off would
 * otherwise keep an emulated one-CPU host from ever taking an interrupt of its own.
 */
static inline void guest_relax(void)
{
	uint32_t r[4];

	cpuid(0, 0, r);
}

static inline struct guest_cpu *guest_this_cpu(void)
{
	struct guest_cpu *c;

	asm volatile("mov %%gs:0, %0" : "=r"(c));
	return c;
}

/*
 * Runs the instructions in @insn and says which exception they raised: -1 for none, else the vector,
 * with the error code in @err. r8-r11 belong to the macro; operands follow as in extended asm.
 */
#define GUEST_TRY_MAGIC	0x7472790a

#define GUEST_TRY(vec, err, insn, outputs, inputs...)					\
do {											\
	int64_t vec__, err__;								\
											\
	asm volatile("lea 1f(%%rip), %%r10\n\t"						\
		     "mov %[magic], %%r9\n\t"						\
		     insn "\n\t"							\
		     "mov $-1, %%r9\n\t"						\
		     "xor %%r11d, %%r11d\n"						\
		     "1:\n\t"								\
		     "mov %%r9, %[vec__]\n\t"						\
		     "mov %%r11, %[err__]"						\
		     : [vec__] "=&m"(vec__), [err__] "=&m"(err__) outputs		\
		     : [magic] "i"(GUEST_TRY_MAGIC), ##inputs				\
		     : "r9", "r10", "r11", "memory", "cc");				\
	(vec) = (int)vec__;								\
	(err) = (uint64_t)err__;							\
	(void)(err);								\
} while (0)

#define GUEST_COMMA ,

static inline int guest_try_wrmsr(uint32_t msr, uint64_t v)
{
	uint64_t err;
	int vec;

	GUEST_TRY(vec, err, "wrmsr", , "c"(msr), "a"((uint32_t)v), "d"((uint32_t)(v >> 32)));
	return vec;
}

static inline int guest_try_rdmsr(uint32_t msr, uint64_t *v)
{
	uint32_t lo = 0, hi = 0;
	uint64_t err;
	int vec;

	GUEST_TRY(vec, err, "rdmsr", GUEST_COMMA "+a"(lo) GUEST_COMMA "+d"(hi), "c"(msr));
	*v = lo | (uint64_t)hi << 32;
	return vec;
}

/* Reports. Each is one exit to the host, which prints one TAP line for a check. */
void guest_check(bool ok, const char *text);
void guest_eq(uint64_t got, uint64_t want, const char *text);
void guest_note(const char *text, uint64_t a, uint64_t b);
void guest_skip(const char *text);
void guest_sync(uint64_t stage, uint64_t value);
void __attribute__((noreturn)) guest_done(void);

/* Installs an exception or interrupt handler on every vCPU; a NULL one makes the vector fatal again. */
void guest_set_handler(unsigned int vector, guest_handler_t fn);

/* Runs @fn at level 3 on one vCPU, on a stack of its own; INT GUEST_USER_VEC is its way back. */
#define GUEST_USER_VEC	0x80
void guest_run_user(void (*fn)(void));

static inline void apic_write(uint32_t reg, uint32_t v)
{
	*(volatile uint32_t *)(APIC_BASE + reg) = v;
}

static inline uint32_t apic_read(uint32_t reg)
{
	return *(volatile uint32_t *)(APIC_BASE + reg);
}

/* Turns the local APIC on with spurious vector 255 and accepts everything. */
void apic_enable(void);

/* Sends an IPI through the xAPIC's ICR: @icr as in the low half, @dest an APIC id or logical mask. */
void apic_ipi(uint32_t icr, uint32_t dest);

/* INIT, then SIPI to the trampoline; returns when @cpu has run guest_ap_main(), or false. */
bool guest_start_ap(unsigned int cpu, void (*fn)(unsigned int cpu));

/* Waits (with interrupts as they are) until *@p >= @want or about @spins relaxations have gone by. */
bool guest_wait(volatile uint64_t *p, uint64_t want, unsigned int spins);

#endif /* MINIKVM_TEST_GUEST_H */
