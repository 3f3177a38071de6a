// SPDX-License-Identifier: GPL-2.0
/*
 * The same for real mode, as firmware and boot loaders use it on the VGA window: each form runs with its
 * segment on RAM and then on a hole that the host serves; registers, flags and bytes must agree.
 */
#include "gvm.h"

#define WINDOW	0xa0000u
#define RAM_AT	0x30000u
#define SRC_AT	0x50000u
#define SIZE	0x1000u
#define FLAGS	0x8c5u

struct form16 {
	uint64_t code, text, flags;
};

/* clang-format off */
#define F16(text, flags) FORM16(text, flags)
#define FORM16(text, flags)							\
	"1:	" text "\n"							\
	"	hlt\n"								\
	"	.pushsection .rodata.forms16, \"a\"\n"				\
	"	.quad 1b, 2f, " #flags "\n"					\
	"	.popsection\n"							\
	"	.pushsection .rodata\n"						\
	"2:	.asciz \"real mode: " text "\"\n"				\
	"	.popsection\n"

/* ES is the segment under test, DS the source; DI 80h, SI 180h, BX 90h, CX 5. */
asm(".pushsection .rodata.forms16, \"a\"\n"
"	.balign 8\n"
"forms16:\n"
"	.popsection\n"
"	.pushsection .rodata\n"
"	.globl forms16_code, forms16_end\n"
"	.code16\n"
"forms16_code:\n"
F16("movb %al, %es:(%di)", 0)		F16("movw %ax, %es:(%di)", 0)
F16("movl %eax, %es:(%di)", 0)		F16("movb %es:(%di), %ah", 0)
F16("movw %es:2(%di), %dx", 0)		F16("movl %es:0x200(%di), %eax", 0)
F16("movw $0x0720, %es:(%bx,%di)", 0)	F16("movb $65, %es:0x10", 0)
F16("movw %ax, %es:0x20", 0)		F16("movw %es:0x20, %ax", 0)
F16("addr32 movl %eax, %es:(%edi,%ecx,4)", 0)
F16("movzbw %es:(%di), %ax", 0)		F16("movsbl %es:6(%di), %eax", 0)
F16("orb $0x80, %es:(%di)", FLAGS)	F16("andw $0xf0f, %es:(%di)", FLAGS)
F16("xorw %ax, %es:(%di)", FLAGS)	F16("addw %ax, %es:(%di)", FLAGS)
F16("cmpw %ax, %es:(%di)", FLAGS)	F16("testb $1, %es:(%di)", FLAGS)
F16("xchgb %al, %es:(%di)", 0)		F16("incw %es:(%di)", FLAGS)
F16("stosb", 0)				F16("stosw", 0)
F16("rep stosw", 0)			F16("rep stosl", 0)
F16("rep movsb", 0)			F16("rep movsw", 0)
F16("std; rep movsw; cld", 0)		F16("rep movsw %es:(%si), %es:(%di)", 0)
F16("lodsw %es:(%si), %ax", 0)		F16("movw $0xff80, %di; movw %ax, %es:0x100(%di)", 0)
"forms16_end:\n"
"	.code64\n"
"	.popsection\n"
"	.pushsection .rodata.forms16, \"a\"\n"
"	.quad 0, 0, 0\n"
"	.popsection\n");
/* clang-format on */

extern const struct form16 forms16[];
extern const uint8_t forms16_code[], forms16_end[];

static uint8_t device[SIZE];

static void fill(uint8_t *p, unsigned int salt)
{
	unsigned int i;

	for (i = 0; i < SIZE; i++)
		p[i] = (uint8_t)(i * 37 + salt + (i >> 8));
}

static bool serve(struct minikvm_run *run)
{
	uint64_t off = run->mmio.phys_addr - WINDOW;

	if (off >= SIZE || run->mmio.len > 8 || off + run->mmio.len > SIZE)
		return false;
	if (run->mmio.is_write)
		memcpy(device + off, run->mmio.data, run->mmio.len);
	else
		memcpy(run->mmio.data, device + off, run->mmio.len);
	return true;
}

static struct minikvm_segment real_segment(uint32_t base, bool code)
{
	return (struct minikvm_segment){
		.base = base, .selector = base >> 4, .limit = 0xffff, .type = code ? 11 : 3, .present = 1,
		.s = 1,
	};
}

/* Runs the code at @ip with ES at @es; the vCPU's registers after HLT, or false. */
static bool run_form(struct vcpu *v, uint16_t ip, uint32_t es, struct minikvm_regs *regs)
{
	struct minikvm_sregs s;

	if (ioctl(v->fd, MINIKVM_GET_SREGS, &s))
		tap_bail("GET_SREGS: %s", strerror(errno));
	s.cs = real_segment(0, true);
	s.ds = real_segment(SRC_AT, false);
	s.es = real_segment(es, false);
	s.ss = real_segment(0, false);
	*regs = (struct minikvm_regs){
		.rip = ip, .rflags = 2, .rsp = 0x7000, .rax = 0x99aabbcc, .rbx = 0x90, .rcx = 5,
		.rdx = 0x5555, .rsi = 0x180, .rdi = 0x80,
	};
	if (ioctl(v->fd, MINIKVM_SET_SREGS, &s) || ioctl(v->fd, MINIKVM_SET_REGS, regs))
		tap_bail("SET_SREGS or SET_REGS: %s", strerror(errno));
	for (;;) {
		int r = vcpu_run(v);

		if (!r && v->run->exit_reason == MINIKVM_EXIT_MMIO && serve(v->run))
			continue;
		if (r || v->run->exit_reason != MINIKVM_EXIT_HLT) {
			tap_diag("RUN %d, exit %s", r, exit_name(v->run->exit_reason));
			return false;
		}
		break;
	}
	if (ioctl(v->fd, MINIKVM_GET_REGS, regs))
		tap_bail("GET_REGS: %s", strerror(errno));
	return true;
}

int main(void)
{
	const struct form16 *f;
	struct vcpu *v;
	struct vm *vm;
	uint8_t *ram;

	gvm_start();
	vm = vm_new(0);
	v = vm_add_vcpu(vm, 0);
	ram = vm_hva(vm, 0);
	/* Memory up to the window, and nothing there. */
	if (vm_set_region(vm, 0, 0, 0, NULL, 0) || vm_set_region(vm, 0, 0, WINDOW, ram, 0))
		tap_bail("SET_USER_MEMORY_REGION: %s", strerror(errno));
	memcpy(ram + 0x8000, forms16_code, forms16_end - forms16_code);
	fill(ram + SRC_AT, 7);
	for (f = forms16; f->code; f++) {
		uint16_t ip = 0x8000 + (f->code - (uintptr_t)forms16_code);
		struct minikvm_regs a, b;
		bool ran;

		fill(ram + RAM_AT, 0x85);
		fill(device, 0x85);
		ran = run_form(v, ip, RAM_AT, &a) && run_form(v, ip, WINDOW, &b);
		a.rflags &= f->flags;
		b.rflags &= f->flags;
		tap_ok(ran && !memcmp(&a, &b, sizeof(a)) && !memcmp(ram + RAM_AT, device, SIZE), "%s",
		       (const char *)f->text);
	}
	vm_free(vm);
	return gvm_finish();
}
