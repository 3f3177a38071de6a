/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Lets the CPU execute one instruction from a given register state, for tests
 * that compare an emulation with it. See exec_test.c for the layout of the
 * state: 16 general registers, RFLAGS, pad, 8 MMX registers, 16 YMM registers.
 * Without AVX (native_avx is 0) the upper halves of these go through untouched.
 */
#define FLAGS	(16 * 8)
#define MMX	(18 * 8)
#define VEC	(26 * 8)

	.text
	.globl	native_run
	.type	native_run, @function
/* void native_run(struct state *in, void *code, struct state *out) */
native_run:
	push	%rbx
	push	%rbp
	push	%r12
	push	%r13
	push	%r14
	push	%r15
	push	%rdx
	mov	%rsp, native_sp(%rip)
	mov	%rsi, native_code(%rip)
	.set	i, 0
	.irp	r, 0,1,2,3,4,5,6,7
	movq	(MMX + 8 * i)(%rdi), %mm\r
	.set	i, i + 1
	.endr
	cmpl	$0, native_avx(%rip)
	jne	2f
	.set	i, 0
	.irp	r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	movdqu	(VEC + 32 * i)(%rdi), %xmm\r
	.set	i, i + 1
	.endr
	jmp	3f
2:	.set	i, 0
	.irp	r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	vmovdqu	(VEC + 32 * i)(%rdi), %ymm\r
	.set	i, i + 1
	.endr
3:
	push	FLAGS(%rdi)
	popf
	mov	0(%rdi), %rax
	mov	8(%rdi), %rcx
	mov	16(%rdi), %rdx
	mov	24(%rdi), %rbx
	mov	32(%rdi), %rsp
	mov	40(%rdi), %rbp
	mov	48(%rdi), %rsi
	mov	64(%rdi), %r8
	mov	72(%rdi), %r9
	mov	80(%rdi), %r10
	mov	88(%rdi), %r11
	mov	96(%rdi), %r12
	mov	104(%rdi), %r13
	mov	112(%rdi), %r14
	mov	120(%rdi), %r15
	mov	56(%rdi), %rdi
	jmp	*native_code(%rip)

	.globl	native_back
native_back:
	mov	%rax, native_rax(%rip)
	mov	%rsp, native_rsp(%rip)
	mov	native_sp(%rip), %rsp
	mov	(%rsp), %rax
	mov	%rcx, 8(%rax)
	mov	%rdx, 16(%rax)
	mov	%rbx, 24(%rax)
	mov	%rbp, 40(%rax)
	mov	%rsi, 48(%rax)
	mov	%rdi, 56(%rax)
	mov	%r8, 64(%rax)
	mov	%r9, 72(%rax)
	mov	%r10, 80(%rax)
	mov	%r11, 88(%rax)
	mov	%r12, 96(%rax)
	mov	%r13, 104(%rax)
	mov	%r14, 112(%rax)
	mov	%r15, 120(%rax)
	pushf
	pop	FLAGS(%rax)
	cld
	mov	native_rax(%rip), %rcx
	mov	%rcx, 0(%rax)
	mov	native_rsp(%rip), %rcx
	mov	%rcx, 32(%rax)
	.set	i, 0
	.irp	r, 0,1,2,3,4,5,6,7
	movq	%mm\r, (MMX + 8 * i)(%rax)
	.set	i, i + 1
	.endr
	emms
	cmpl	$0, native_avx(%rip)
	jne	2f
	.set	i, 0
	.irp	r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	movdqu	%xmm\r, (VEC + 32 * i)(%rax)
	.set	i, i + 1
	.endr
	jmp	3f
2:	.set	i, 0
	.irp	r, 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15
	vmovdqu	%ymm\r, (VEC + 32 * i)(%rax)
	.set	i, i + 1
	.endr
	vzeroupper
3:
	pop	%rdx
	pop	%r15
	pop	%r14
	pop	%r13
	pop	%r12
	pop	%rbp
	pop	%rbx
	ret
	.size	native_run, . - native_run

	.bss
	.balign	8
native_sp:	.quad 0
native_rsp:	.quad 0
native_rax:	.quad 0
native_code:	.quad 0
	.globl	native_avx
native_avx:	.long 0

	.section .note.GNU-stack, "", @progbits
