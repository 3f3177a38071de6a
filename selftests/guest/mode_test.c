// SPDX-License-Identifier: GPL-2.0
/*
 * A guest starts in real mode at the reset vector, as a CPU does, and walks from 16 bits to 32, to 64,
 * to compatibility mode and back down to real mode, computing something different in each.
 */
#include <string.h>

#include "gvm.h"

/*
 * The code is linked wherever the program is, but runs at GUEST_LOW: every address in it is written as
 * an offset from its first byte. Each mode reports by writing to port 0x70 + its number.
 */
/* clang-format off */
asm(".pushsection .rodata\n"
"	.globl modes_begin, modes_end, reset_stub\n"
"	.set L, 0x10000\n"
"	.code16\n"
"reset_stub:\n"				/* at ffff:fff0: CS base ffff0000 */
"	ljmpw $0x1000, $0\n"
"	.balign 16\n"
"modes_begin:\n"
"	mov $0x1234, %ax\n"
"	add $0xf000, %ax\n"		/* 16-bit wrap: 0x0234, carry */
"	mov $0, %cx\n"
"	adc $0, %cx\n"
"	out %ax, $0x70\n"
"	mov %cx, %ax\n"
"	out %ax, $0x71\n"
"	mov $0x2345, %bx\n"
"	mov %bx, %ds\n"
"	movw $0x5a5a, 0x10\n"		/* DS:10h = 0x23460 */
"	xor %ax, %ax\n"
"	mov %ax, %ds\n"
"	mov %ax, %ss\n"
"	mov $0x7000, %esp\n"
"	push $0x7777\n"
"	mov 0x6ffe, %ax\n"
"	out %ax, $0x72\n"
"	int $0x21\n"			/* through the real-mode vector table the host filled in */
"	mov $0x1000, %ax\n"
"	mov %ax, %ds\n"
"	lgdtl gdtr - modes_begin\n"
"	mov %cr0, %eax\n"
"	or $1, %al\n"
"	mov %eax, %cr0\n"
"	ljmpl $0x18, $L + prot32 - modes_begin\n"
"int21:\n"
"	mov $0x2121, %ax\n"
"	out %ax, $0x73\n"
"	iret\n"
"	.code32\n"
"prot32:\n"
"	mov $0x10, %eax\n"
"	mov %eax, %ds; mov %eax, %es; mov %eax, %ss\n"
"	mov $0x7000, %esp\n"
"	mov $0xf0000000, %eax\n"
"	add $0x20000001, %eax\n"	/* 32-bit wrap */
"	outl %eax, $0x74\n"
"	mov $0x1000, %eax\n"
"	mov %eax, %cr3\n"
"	mov %cr4, %eax\n"
"	or $0x20, %eax\n"
"	mov %eax, %cr4\n"
"	mov $0xc0000080, %ecx\n"
"	rdmsr\n"
"	or $0x100, %eax\n"
"	wrmsr\n"
"	mov %cr0, %eax\n"
"	or $0x80000000, %eax\n"
"	mov %eax, %cr0\n"
"	rdmsr\n"
"	outl %eax, $0x75\n"		/* LMA shows */
"	ljmpl $0x08, $L + long64 - modes_begin\n"
"	.code64\n"
"long64:\n"
"	movabs $0x123456789abcdef0, %rax\n"
"	rol $32, %rax\n"
"	outl %eax, $0x76\n"
"	pushq $0x18\n"
"	pushq $L + compat - modes_begin\n"
"	lretq\n"
"	.code32\n"
"compat:\n"				/* 64-bit opcodes mean something else here: 48 is DEC EAX */
"	mov $5, %eax\n"
"	.byte 0x48, 0x90\n"
"	outl %eax, $0x77\n"
"	mov %cr0, %eax\n"
"	and $0x7fffffff, %eax\n"
"	mov %eax, %cr0\n"
"	mov $0xc0000080, %ecx\n"
"	rdmsr\n"
"	outl %eax, $0x78\n"		/* LMA is gone, LME stays */
"	and $~0x100, %eax\n"
"	wrmsr\n"
"	mov $0x28, %eax\n"
"	mov %eax, %ds; mov %eax, %es; mov %eax, %ss\n"
"	ljmpl $0x20, $prot16 - modes_begin\n"
"	.code16\n"
"prot16:\n"				/* 16-bit protected mode: the segment's base is GUEST_LOW */
"	mov %cr0, %eax\n"
"	and $0xfe, %al\n"
"	mov %eax, %cr0\n"
"	ljmpw $0x1000, $real_again - modes_begin\n"
"real_again:\n"
"	mov $0x1000, %ax\n"
"	mov %ax, %ds\n"
"	mov $0xffff, %cx\n"
"	inc %cx\n"
"	mov %cx, %ax\n"
"	out %ax, $0x79\n"
"	hlt\n"
"	.balign 8\n"
"gdt:	.quad 0, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x00cf9b000000ffff\n"
"	.quad 0x00009b010000ffff, 0x000093010000ffff\n"
"gdtr:	.word 47\n"
"	.long L + gdt - modes_begin\n"
"modes_end:\n"
"	.globl int21\n"
".code64\n"
".popsection\n");
/* clang-format on */

extern const uint8_t modes_begin[], modes_end[], reset_stub[], int21[];

struct step {
	uint16_t port;
	uint8_t size;
	uint32_t value;
	const char *what;
};

static const struct step steps[] = {
	{ 0x70, 2, 0x0234, "real mode: 16-bit arithmetic wraps" },
	{ 0x71, 2, 1, "... and carries" },
	{ 0x72, 2, 0x7777, "real mode: the stack is at SS * 16 + SP" },
	{ 0x73, 2, 0x2121, "real mode: INT goes through the vector table" },
	{ 0x74, 4, 0x10000001, "protected mode: 32-bit arithmetic wraps" },
	{ 0x75, 4, 0x500, "long mode: EFER.LMA follows CR0.PG" },
	{ 0x76, 4, 0x12345678, "long mode: 64-bit registers" },
	{ 0x77, 4, 4, "compatibility mode: 48h is an instruction, not a REX prefix" },
	{ 0x78, 4, 0x100, "leaving long mode clears EFER.LMA" },
	{ 0x79, 2, 0, "back in real mode" },
};

int main(void)
{
	struct minikvm_regs regs;
	struct minikvm_sregs sregs;
	unsigned int i;
	struct gvm *vm;
	uint8_t *rom;
	int stop;

	gvm_start();
	tap_plan(2 + sizeof(steps) / sizeof(steps[0]) + 2);
	vm = gvm_create(1, 0);
	GVM_IOCTL(vm->vcpu[0].fd, MINIKVM_GET_REGS, &regs);
	GVM_IOCTL(vm->vcpu[0].fd, MINIKVM_GET_SREGS, &sregs);
	tap_ok(regs.rip == 0xfff0 && sregs.cs.base == 0xffff0000 && sregs.cs.selector == 0xf000,
	       "a new vCPU stands at the reset vector");
	tap_ok(!(sregs.cr0 & 0x80000001) && !(sregs.efer & 0x500), "... in real mode");
	rom = vm->ram + GUEST_LOW + 0x10000;
	if (gvm_slot(vm, 1, 0xfffff000, 0x1000, rom, 0))
		tap_ok(false, "slot for the reset vector");
	memcpy(rom + 0xff0, reset_stub, modes_begin - reset_stub);
	memcpy(vm->ram + GUEST_LOW, modes_begin, modes_end - modes_begin);
	*(uint32_t *)(vm->ram + 4 * 0x21) = 0x10000000 | (uint32_t)(int21 - modes_begin);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		const struct step *s = &steps[i];
		uint32_t got = 0;

		stop = gvm_run(vm, 0);
		if (stop != MINIKVM_EXIT_IO || vm->vcpu[0].run->io.port != s->port) {
			tap_ok(false, "%s", s->what);
			tap_diag("exit %d instead of a write to port %#x", stop, s->port);
			return gvm_finish();
		}
		memcpy(&got, (uint8_t *)vm->vcpu[0].run + vm->vcpu[0].run->io.data_offset, s->size);
		if (s->port == 0x75 || s->port == 0x78)
			got &= 0x500;
		if (!tap_ok(got == s->value && vm->vcpu[0].run->io.size == s->size, "%s", s->what))
			tap_diag("got %#x", got);
	}
	stop = gvm_run(vm, 0);
	tap_ok(stop == MINIKVM_EXIT_HLT, "HLT without an interrupt controller ends in userspace");
	tap_ok(*(uint16_t *)(vm->ram + 0x23460) == 0x5a5a, "real mode: DS * 16 + offset was written");
	gvm_destroy(vm);
	return gvm_finish();
}
