// SPDX-License-Identifier: GPL-2.0
/*
 * Every form of instruction that drivers and firmware use on device memory does to MMIO exactly what
 * the CPU itself does to RAM: each runs once on a RAM page and once on a page that has no memory and is
 * served by the host from a copy of the same bytes; registers, flags and bytes must agree.
 */
#include <stdlib.h>
#include <string.h>

#include "gvm.h"

#define RAM_PAGE	(GUEST_FREE + 0x10000)	/* the CPU's own answer */
#define DEV_PAGE	(GUEST_FREE + 0x20000)	/* what the host's device holds */
#define BUF		(GUEST_FREE + 0x30000)	/* plain memory on the other side of a string move */
#define PAGE		0x2000u		/* two of them: accesses may cross */


struct form {
	uint64_t code, text, flags, bits;
};

struct form_regs {
	uint64_t rax, rbx, rcx, rdx, rsi, rdi, flags;
};

/* clang-format off */
#define FORM(bits, text, flags)							\
	"	.balign 4\n"							\
	"1:	" text "\n"							\
	"	ret\n"								\
	"	.pushsection .rodata.forms, \"a\"\n"				\
	"	.quad 1b, 2f, " #flags ", " #bits "\n"				\
	"	.popsection\n"							\
	"	.pushsection .rodata\n"						\
	"2:	.asciz \"" #bits "-bit: " text "\"\n"				\
	"	.popsection\n"
#define F64(text, flags) FORM(64, text, flags)
#define F32(text, flags) FORM(32, text, flags)
#define X64(text, flags) FORM(64 + 256, text, flags)	/* stock KVM 6.1 does not emulate these */
#define LOGIC 0x8c5
#define NOF 0
#define ZFO 0x40
#define XTRA 0x10000000		/* in the flags: as X64() */
#define CFO 1

/* Operands: (rdi) is in the page under test, rsi 100h further on, rbx points into BUF. */
asm(".pushsection .rodata.forms, \"a\"\n"
"	.globl forms\n"
"	.balign 8\n"
"forms:\n"
"	.popsection\n"
"	.pushsection .text\n"
F64("movb %al, (%rdi)", NOF)		F64("movw %ax, (%rdi)", NOF)
F64("movl %eax, (%rdi)", NOF)		F64("movq %rax, (%rdi)", NOF)
F64("movb %ah, 3(%rdi)", NOF)		F64("movb %sil, 3(%rdi)", NOF)
F64("movb (%rdi), %al", NOF)		F64("movb (%rdi), %ch", NOF)
F64("movw (%rdi), %ax", NOF)		F64("movl (%rdi), %eax", NOF)
F64("movq (%rdi), %rax", NOF)		F64("movb $0x5a, (%rdi)", NOF)
F64("movw $0x5aa5, (%rdi)", NOF)	F64("movl $0x8badf00d, (%rdi)", NOF)
F64("movq $-0x7badf00d, (%rdi)", NOF)	F64("movl %edx, 0x40(%rdi)", NOF)
F64("movl %edx, 0x240(%rdi)", NOF)	F64("movl 8(%rdi,%rcx,4), %edx", NOF)
F64("movl %eax, -8(%rdi,%rcx,8)", NOF) F64("mov %rdi, %r9; movq %rax, (%r9)", NOF)
F64("mov %rdi, %r12; mov (%r12), %ecx", NOF) F64("mov %rdi, %r13; mov (%r13), %r8; mov %r8, %rax", NOF)
F64("movl %fs:(%rdi), %eax", NOF)	F64("addr32 movl (%edi), %eax", NOF)
F64("movzbw (%rdi), %ax", NOF)	F64("movzbl 5(%rdi), %eax", NOF)
F64("movzbq 5(%rdi), %rax", NOF)	F64("movzwl 2(%rdi), %eax", NOF)
F64("movzwq 2(%rdi), %rax", NOF)	F64("movsbw 6(%rdi), %ax", NOF)
F64("movsbl 6(%rdi), %eax", NOF)	F64("movsbq 6(%rdi), %rax", NOF)
F64("movswl 6(%rdi), %eax", NOF)	F64("movswq 6(%rdi), %rax", NOF)
F64("movslq 4(%rdi), %rax", NOF)
F64("addb %al, (%rdi)", LOGIC)	F64("addl %eax, (%rdi)", LOGIC)
F64("addq %rax, (%rdi)", LOGIC)	F64("addl (%rdi), %eax", LOGIC)
F64("addl $0x12345678, (%rdi)", LOGIC)	F64("addw $-3, (%rdi)", LOGIC)
F64("orb $0x81, (%rdi)", LOGIC)	F64("orl %ecx, (%rdi)", LOGIC)
F64("orl (%rdi), %ecx", LOGIC)	F64("orw $0x1234, (%rdi)", LOGIC)
F64("lock orl $0x10, (%rdi)", LOGIC)	F64("andl %eax, (%rdi)", LOGIC)
F64("andb $0x0f, (%rdi)", LOGIC)	F64("andq $-16, (%rdi)", LOGIC)
F64("andw (%rdi), %dx", LOGIC)	F64("xorl %eax, (%rdi)", LOGIC)
F64("xorb %dl, (%rdi)", LOGIC)	F64("xorq (%rdi), %rax", LOGIC)
F64("subl %eax, (%rdi)", LOGIC)	F64("subl (%rdi), %eax", LOGIC)
F64("stc; adcl %eax, (%rdi)", LOGIC)	F64("stc; sbbl (%rdi), %eax", LOGIC)
F64("cmpb $0x80, (%rdi)", LOGIC)	F64("cmpl %eax, (%rdi)", LOGIC)
F64("cmpl (%rdi), %eax", LOGIC)	F64("cmpq $-1, (%rdi)", LOGIC)
F64("cmpw $0x1234, (%rdi)", LOGIC)	F64("testb $0x80, (%rdi)", LOGIC)
F64("testl $0x80000000, (%rdi)", LOGIC) F64("testl %eax, (%rdi)", LOGIC)
F64("testq %rax, (%rdi)", LOGIC)
F64("xchgb %al, (%rdi)", NOF)		F64("xchgl %eax, (%rdi)", NOF)
F64("xchgq %rax, (%rdi)", NOF)	F64("btl $5, (%rdi)", CFO)
F64("btsl $6, (%rdi)", CFO)		F64("btrl $0, (%rdi)", CFO)
F64("btcl $31, (%rdi)", CFO)		F64("lock btsq $40, (%rdi)", CFO)
F64("incl (%rdi)", LOGIC)		F64("decw (%rdi)", LOGIC)
F64("notl (%rdi)", NOF)		F64("negb (%rdi)", LOGIC)
F64("stosb", NOF) F64("stosw", NOF)	F64("stosl", NOF) F64("stosq", NOF)
F64("rep stosb", NOF)			F64("rep stosl", NOF)
F64("rep stosq", NOF)			F64("std; rep stosw; cld", NOF)
F64("xor %ecx, %ecx; rep stosl", NOF)	F64("lodsb", NOF)
F64("lodsl", NOF)			F64("lodsq", NOF)
F64("movsb", NOF)			F64("rep movsb", NOF)
F64("rep movsl", NOF)			F64("std; rep movsl; cld", NOF)
F64("mov %rbx, %rsi; rep movsb", NOF)	F64("mov %rbx, %rsi; rep movsl", NOF)
F64("mov %rbx, %rsi; rep movsq", NOF)
F64("mov %rbx, %rdi; rep movsb", NOF)	F64("mov %rbx, %rdi; rep movsw", NOF)
F64("mov %rbx, %rdi; rep movsq", NOF)
F64("lea 0xf7a(%rdi), %rdi; movl %eax, (%rdi)", NOF)
F64("mov $24, %ecx; lea 0xf00(%rdi), %rdi; rep stosb", NOF)
F64("shldl $7, %eax, (%rdi)", CFO)	F64("shrdq %cl, %rax, (%rdi)", CFO)
F64("shll %cl, (%rdi)", LOGIC & ~0x800)	F64("sarb $3, (%rdi)", LOGIC & ~0x800)
F64("rolw (%rdi)", CFO)			F64("rcrl $9, (%rdi)", CFO)
F64("mull (%rdi)", CFO)			F64("imulq (%rdi)", CFO)
F64("imull $77, (%rdi), %eax", CFO)	F64("xor %edx, %edx; divl (%rdi)", NOF)
F64("mov $2, %edx; idivq (%rdi)", NOF)	F64("bsfl (%rdi), %eax", ZFO)
F64("bsrq (%rdi), %rax", ZFO)		F64("mov $77, %eax; btl %eax, (%rdi)", CFO)
F64("mov $777, %eax; lock btsl %eax, (%rdi)", CFO)
F64("mov $-9, %rax; btcq %rax, (%rdi)", CFO)
F64("cmpxchgl %ecx, (%rdi)", LOGIC)
F64("mov (%rdi), %eax; lock cmpxchgl %ecx, (%rdi)", LOGIC)
F64("lock xaddl %eax, (%rdi)", LOGIC)	F64("xaddb %dl, (%rdi)", LOGIC)
F64("lock cmpxchg8b (%rdi)", ZFO)
F64("mov (%rdi), %eax; mov 4(%rdi), %edx; cmpxchg8b (%rdi)", ZFO)
F64("stc; cmovcl (%rdi), %eax", NOF)	F64("clc; cmovcq (%rdi), %rax", NOF)
F64("stc; setc (%rdi)", NOF)		F64("movnti %eax, (%rdi)", NOF)
F64("cmpsb", LOGIC)			F64("repe cmpsl", LOGIC)
F64("mov %rbx, %rsi; repne cmpsb", LOGIC) F64("scasb", LOGIC)
F64("repne scasl", LOGIC)		F64("mov $0xa5, %al; repe scasb", LOGIC)
F64("push (%rdi); pop %rax", NOF)	F64("push %rax; pop (%rdi)", NOF)
F64("mov %rsp, %rdx; lea 0x200(%rdi), %rsp; push %rax; push $5; pushfq; mov %rdx, %rsp", NOF)
F64("mov %rsp, %rdx; lea 0x200(%rdi), %rsp; pop %rax; pop %rcx; mov %rdx, %rsp; xor %edx, %edx", NOF)
F64("mov %rsp, %rdx; lea 0x200(%rdi), %rsp; push 8(%rdi); pop 0x20(%rdi); mov %rdx, %rsp", NOF)
F64("mov %rbp, %rdx; mov %rsp, %rcx; lea 0x200(%rdi), %rsp; xor %ebp, %ebp; enter $16, $0; leave;"
    " mov %rdx, %rbp; mov %rcx, %rsp; xor %ecx, %ecx", NOF)
F64("lea 9f(%rip), %rax; mov %rax, (%rdi); xor %eax, %eax; jmp *(%rdi); hlt; 9:", NOF)
F64("lea 9f(%rip), %rax; mov %rax, (%rdi); call *(%rdi); hlt; 9: pop %rax; sub %rax, %rax", NOF)
F64("mov %rsp, %rdx; lea 0x200(%rdi), %rsp; call 9f; 9: mov %rdx, %rsp; xor %edx, %edx; movq %rdx, 0x1f8(%rdi)",
    NOF)
F64("movw $0x10, (%rdi); movw (%rdi), %es", NOF)	F64("movw %ds, (%rdi)", NOF)
F64("movb $5, 0x80(%rdi); mov %rbx, %rdx; mov %rdi, %rbx; mov $0x80, %eax; xlatb; mov %rdx, %rbx", NOF)
F64("movups (%rdi), %xmm1; movq %xmm1, %rax; movups %xmm1, 0x31(%rdi)", NOF)
F64("movaps (%rdi), %xmm2; movaps %xmm2, 0x40(%rdi)", NOF)
F64("movdqu 3(%rdi), %xmm9; movdqa %xmm9, 0x40(%rdi)", NOF)
F64("movdqa (%rdi), %xmm1; movntdq %xmm1, 0x50(%rdi)", NOF)
F64("movapd (%rdi), %xmm1; movntps %xmm1, 0x50(%rdi); movntpd %xmm1, 0x60(%rdi)", NOF)
F64("movups 0xf7a(%rdi), %xmm1; movups %xmm1, 0xf78(%rdi)", NOF)	/* across the page's end */
F64("movq (%rdi), %mm3; movq %mm3, 0x20(%rdi); emms", NOF)
F64("fninit; fnstcw (%rdi)", NOF)	F64("fninit; fnstsw (%rdi)", NOF)
X64("sgdt (%rdi)", NOF)			X64("sidt (%rdi)", NOF)
X64("sidt 0x40(%rdi); lidt 0x40(%rdi)", NOF)	X64("sgdt 0x40(%rdi); lgdt 0x40(%rdi)", NOF)
F64("sldt (%rdi)", NOF)			F64("str (%rdi)", NOF)
F64("smsw (%rdi); lmsw (%rdi)", NOF)	F64("clflush (%rdi); invlpg (%rdi)", NOF)
X64("movss (%rdi), %xmm1; movss %xmm1, 9(%rdi)", NOF)
X64("movsd (%rdi), %xmm1; movsd %xmm1, 9(%rdi)", NOF)
X64("movlps (%rdi), %xmm1; movhps 8(%rdi), %xmm1; movlps %xmm1, 16(%rdi); movhps %xmm1, 25(%rdi)", NOF)
X64("movd (%rdi), %xmm1; movd %xmm1, 9(%rdi)", NOF)
X64("movq (%rdi), %xmm1; movq %xmm1, 9(%rdi)", NOF)
X64("movd (%rdi), %mm1; movd %mm1, 9(%rdi); emms", NOF)
X64("movdqa (%rdi), %xmm1; movlpd 4(%rdi), %xmm1; movups %xmm1, 0x21(%rdi)", NOF)
X64("lddqu 1(%rdi), %xmm1; movups %xmm1, 0x21(%rdi)", NOF)
X64("popcntl (%rdi), %eax", LOGIC)	X64("crc32l (%rdi), %eax", NOF)
X64("fninit; fldcw 8f(%rip); fnstcw (%rdi); fninit; jmp 9f; 8: .word 0x27f; 9:", NOF)
X64("stmxcsr (%rdi); ldmxcsr (%rdi)", NOF)
X64("movw $8, (%rdi); larl (%rdi), %eax", ZFO)	X64("movw $8, (%rdi); lsll (%rdi), %eax", ZFO)
X64("movw $8, (%rdi); verr (%rdi)", ZFO)	X64("movw $8, (%rdi); verw (%rdi)", ZFO)
X64("lea 9f(%rip), %eax; mov %eax, (%rdi); movw $8, 4(%rdi); ljmp *(%rdi); hlt; 9: xor %eax, %eax", NOF)
X64("mov %rsp, %rdx; lea 0x200(%rdi), %rsp; lea 9f(%rip), %rax; mov %rax, (%rsp); movq $8, 8(%rsp); lretq; hlt;"
    " 9: mov %rdx, %rsp; xor %edx, %edx; xor %eax, %eax", NOF)
"	.code32\n"
F32("pushl (%edi); popl 8(%edi)", NOF)
F32("mov %esp, %edx; lea 0x200(%edi), %esp; xchg %eax, %esi; pusha; popa; xchg %eax, %esi; mov %edx, %esp;"
    " xor %edx, %edx; movl %edx, 0x1ec(%edi); movl %edx, 0x1fc(%edi); movl %edx, 0x1e0(%edi)", NOF | XTRA)
F32("bound %eax, 9f; jmp 8f; 9: .long -5, 0x7fffffff; 8:", NOF)
F32("movl $-5, (%edi); movl $0x7fffffff, 4(%edi); bound %eax, (%edi)", NOF | XTRA)
F32("movw $0x10, 4(%edi); les (%edi), %eax", NOF)
F32("movw $0x10, 4(%edi); lfs (%edi), %eax", NOF)
F32("movw $0x13, (%edi); mov $1, %eax; arpl %ax, (%edi)", ZFO | XTRA)
F32("movb %al, (%edi)", NOF)		F32("movw %ax, (%edi)", NOF)
F32("movl %eax, (%edi)", NOF)		F32("movb (%edi), %ah", NOF)
F32("movw (%edi), %dx", NOF)		F32("movl (%edi), %eax", NOF)
F32("movb $0x77, 1(%edi)", NOF)	F32("movw $0x1234, (%edi)", NOF)
F32("movl $0x12345678, (%edi)", NOF)	F32("movl 4(%edi,%ecx,4), %eax", NOF)
F32("movzbl 7(%edi), %eax", NOF)	F32("movzwl 6(%edi), %eax", NOF)
F32("movsbl 6(%edi), %eax", NOF)	F32("movswl 6(%edi), %eax", NOF)
F32("addl %eax, (%edi)", LOGIC)	F32("addl $5, (%edi)", LOGIC)
F32("orl $0x100, (%edi)", LOGIC)	F32("andl (%edi), %eax", LOGIC)
F32("andb $0xfe, (%edi)", LOGIC)	F32("xorw %ax, (%edi)", LOGIC)
F32("cmpl $0x12345678, (%edi)", LOGIC)	F32("testb $1, (%edi)", LOGIC)
F32("xchgl %eax, (%edi)", NOF)	F32("btl $3, (%edi)", CFO)
F32("incl (%edi)", LOGIC)		F32("rep stosl", NOF)
F32("rep movsl", NOF)			F32("mov %ebx, %esi; rep movsb", NOF)
F32("mov %ebx, %edi; rep movsw", NOF)	F32("lodsl", NOF)
"	.globl call_form, call_form32\n"
"call_form32:\n"			/* compatibility mode; ebp: struct form_regs, r8-less world */
"	mov (%ebp), %eax; mov 8(%ebp), %ebx; mov 16(%ebp), %ecx; mov 24(%ebp), %edx\n"
"	mov 32(%ebp), %esi; mov 40(%ebp), %edi\n"
"	push %ebp\n"
"	call *56(%ebp)\n"
"	pop %ebp\n"
"	mov %eax, (%ebp); mov %ebx, 8(%ebp); mov %ecx, 16(%ebp); mov %edx, 24(%ebp)\n"
"	mov %esi, 32(%ebp); mov %edi, 40(%ebp)\n"
"	pushfl; popl 48(%ebp)\n"
"	lret\n"
"	.code64\n"
"call_form:\n"				/* rdi: struct form_regs, rsi: code, rdx: 32 or 64 */
"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
"	mov %rdi, %rbp\n"
"	mov %rsi, 56(%rbp)\n"
"	cmp $32, %edx\n"
"	je 1f\n"
"	mov (%rbp), %rax; mov 8(%rbp), %rbx; mov 16(%rbp), %rcx; mov 24(%rbp), %rdx\n"
"	mov 32(%rbp), %rsi; mov 40(%rbp), %rdi\n"
"	push %rbp\n"
"	call *56(%rbp)\n"
"	pop %rbp\n"
"	mov %rax, (%rbp); mov %rbx, 8(%rbp); mov %rcx, 16(%rbp); mov %rdx, 24(%rbp)\n"
"	mov %rsi, 32(%rbp); mov %rdi, 40(%rbp)\n"
"	pushfq; popq 48(%rbp)\n"
"	jmp 2f\n"
"1:	lcall *3f\n"
"2:	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
"	ret\n"
"	.balign 8\n"
"3:	.long call_form32\n"
"	.word 0x18\n"
"	.popsection\n"
"	.pushsection .rodata.forms, \"a\"\n"
"	.quad 0, 0, 0, 0\n"
"	.popsection\n");
/* clang-format on */

extern const struct form forms[];

struct form_call {
	struct form_regs r;
	uint64_t code;
};

void call_form(struct form_call *c, uint64_t code, uint64_t bits);

static void fill(uint8_t *p)
{
	unsigned int i;

	for (i = 0; i < PAGE; i++)
		p[i] = (uint8_t)(i * 37 + (i >> 8) + 0x85);
}

static bool same(const uint8_t *a, const uint8_t *b)
{
	unsigned int i;

	for (i = 0; i < PAGE; i++)
		if (a[i] != b[i])
			return false;
	return true;
}

static uint8_t buf_after_ram[PAGE];
static volatile bool stock;		/* it emulates less */

static void run_form(const struct form *f, uint64_t base, struct form_regs *out)
{
	struct form_call c = {
		.r = { .rax = 0x1122334455667788, .rbx = BUF + 0x80, .rcx = 5, .rdx = 0xfedcba98,
		       .rsi = base + 0x180, .rdi = base + 0x80 },
	};

	fill((uint8_t *)BUF);
	call_form(&c, f->code, f->bits & 255);
	*out = c.r;
	if (c.r.rsi - base < 2 * PAGE)
		out->rsi -= base;
	if (c.r.rdi - base < 2 * PAGE)
		out->rdi -= base;
	out->flags &= f->flags;
}

/* DEV_PAGE is ordinary memory to the guest too, which is how it sees what the device holds. */
static void guest_main(void)
{
	const struct form *f;

	for (f = forms; f->code; f++) {
		struct form_regs ram, dev;
		bool regs_same, mem_same, buf_same;
		unsigned int i;

		if (stock && (f->bits & 256 || f->flags & XTRA)) {
			guest_skip((const char *)f->text);
			continue;
		}

		fill((uint8_t *)RAM_PAGE);
		fill((uint8_t *)DEV_PAGE);
		run_form(f, RAM_PAGE, &ram);
		for (i = 0; i < PAGE; i++)
			buf_after_ram[i] = ((volatile uint8_t *)BUF)[i];
		run_form(f, GUEST_MMIO, &dev);
		regs_same = ram.rax == dev.rax && ram.rcx == dev.rcx && ram.rdx == dev.rdx &&
			    ram.rsi == dev.rsi && ram.rdi == dev.rdi && ram.flags == dev.flags;
		mem_same = same((uint8_t *)RAM_PAGE, (uint8_t *)DEV_PAGE);
		buf_same = same((uint8_t *)BUF, buf_after_ram);
		guest_check(regs_same && mem_same && buf_same, (const char *)f->text);
		if (!regs_same) {
			guest_note("rax", dev.rax, ram.rax);
			guest_note("rcx", dev.rcx, ram.rcx);
			guest_note("rdi", dev.rdi, ram.rdi);
			guest_note("flags", dev.flags, ram.flags);
		}
		if (!mem_same)
			guest_note("the device's bytes differ", 0, 0);
		if (!buf_same)
			guest_note("the buffer's bytes differ", 0, 0);
	}
	guest_done();
}

static bool serve(struct gvm_vcpu *v, struct minikvm_run *run)
{
	uint64_t off = run->mmio.phys_addr - GUEST_MMIO;
	uint8_t *dev = v->vm->ram + DEV_PAGE;

	if (off >= PAGE || run->mmio.len > 8 || off + run->mmio.len > PAGE)
		return false;
	if (run->mmio.is_write)
		memcpy(dev + off, run->mmio.data, run->mmio.len);
	else
		memcpy(run->mmio.data, dev + off, run->mmio.len);
	return true;
}

int main(void)
{
	struct gvm *vm;

	const char *device = getenv("DEV");

	gvm_start();
	vm = gvm_create(1, 0);
	vm->mmio = serve;
	*(bool *)gvm_guest(vm, &stock) = device && strstr(device, "/kvm");
	gvm_enter64(vm, 0, guest_main);
	gvm_run_done(vm);
	gvm_destroy(vm);
	return gvm_finish();
}
