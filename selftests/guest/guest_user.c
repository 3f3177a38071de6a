// SPDX-License-Identifier: GPL-2.0
/*
 * Owns the way of a guest into its user mode and back.
 */
#include "guest.h"

extern uint8_t guest_idt[];

uint64_t guest_user_stack[512] __attribute__((aligned(16)));

/* clang-format off */
asm(".pushsection .text\n"
"	.globl enter_user, enter_user_back, enter_user_rsp\n"
"enter_user:\n"				/* rdi: function */
"	push %rbx; push %rbp; push %r12; push %r13; push %r14; push %r15\n"
"	mov %rsp, enter_user_rsp(%rip)\n"
"	pushq $0x33\n"
"	lea guest_user_stack+4088(%rip), %rax\n"
"	push %rax\n"
"	pushfq\n"
"	pushq $0x3b\n"
"	push %rdi\n"
"	iretq\n"
"enter_user_back:\n"
"	pop %r15; pop %r14; pop %r13; pop %r12; pop %rbp; pop %rbx\n"
"	ret\n"
".popsection\n"
".pushsection .data\n"
"	.balign 8\n"
"enter_user_rsp: .quad 0\n"
".popsection\n");
/* clang-format on */

void enter_user(void (*fn)(void));
extern char enter_user_back[];
extern volatile uint64_t enter_user_rsp;

static void on_return(struct guest_trap_frame *f)
{
	f->rip = (uint64_t)enter_user_back;
	f->cs = 0x08;
	f->ss = 0x10;
	f->rsp = enter_user_rsp;
}

void guest_run_user(void (*fn)(void))
{
	guest_idt[16 * GUEST_USER_VEC + 5] |= 3 << 5;	/* level 3 may use the gate */
	guest_set_handler(GUEST_USER_VEC, on_return);
	enter_user(fn);
}
