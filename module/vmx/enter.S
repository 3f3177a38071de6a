/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The world switch: host registers out, guest registers in, VMLAUNCH or
 * VMRESUME, and back. Nothing here decides anything but which of the two.
 *
 * Stack between entry and exit, from HOST_RSP upwards: regs, flags, ctx, the
 * host's callee-saved registers, the return address.
 *
 * Source: Intel SDM vol. 3C (December 2023), "VMLAUNCH/VMRESUME - Launch/Resume
 * Virtual Machine", "Loading Host State".
 */
#include <linux/linkage.h>
#include <asm/asm.h>
#include <asm/msr-index.h>
#include <asm/nospec-branch.h>
#include <asm/percpu.h>
#include <asm/segment.h>
#include <asm/unwind_hints.h>

#include "enter.h"

#define VMCS_HOST_RSP	0x6c14

/* Register number in an instruction = index in vcpu->regs[]. RSP is the VMCS's. */
#define REG(n)		(8 * (n))
#define RAX_		0
#define RCX_		1
#define RDX_		2
#define RBX_		3
#define RBP_		5
#define RSI_		6
#define RDI_		7

.section .noinstr.text, "ax"

/*
 * int vmx_enter_guest(struct enter_ctx *ctx, unsigned long *regs, unsigned int flags)
 * Contract in enter.h.
 * SDM: "VM Entries".
 */
SYM_FUNC_START(vmx_enter_guest)
	push	%rbp
	mov	%rsp, %rbp
	push	%r15
	push	%r14
	push	%r13
	push	%r12
	push	%rbx

	push	%rdi			/* ctx */
	push	%rdx			/* flags */
	push	%rsi			/* regs; RSP is now what an exit finds */
	mov	%edx, %ebx

	/* The stack is nearly always where it was last time. */
	cmp	%rsp, ENTER_CTX_HOST_RSP(%rdi)
	je	.Lrsp_current
	mov	$VMCS_HOST_RSP, %eax
.Lwrite_rsp:
	vmwrite	%rsp, %rax
	jbe	.Lfail
	mov	%rsp, ENTER_CTX_HOST_RSP(%rdi)
.Lrsp_current:

	/*
	 * The guest's SPEC_CTRL, if it differs. From here to the entry: no
	 * return, no indirect branch.
	 */
	ALTERNATIVE "jmp .Lspec_guest_done", "", X86_FEATURE_MSR_SPEC_CTRL
	mov	ENTER_CTX_SPEC_CTRL(%rdi), %eax
	cmp	PER_CPU_VAR(x86_spec_ctrl_current), %eax
	je	.Lspec_guest_done
	mov	$MSR_IA32_SPEC_CTRL, %ecx
	xor	%edx, %edx
	wrmsr
.Lspec_guest_done:

	/* CF = resume; MOV leaves it alone, and so does VERW. */
	mov	%rsi, %rax
	bt	$0, %ebx

	mov	REG(RCX_)(%rax), %rcx
	mov	REG(RDX_)(%rax), %rdx
	mov	REG(RBX_)(%rax), %rbx
	mov	REG(RBP_)(%rax), %rbp
	mov	REG(RSI_)(%rax), %rsi
	mov	REG(RDI_)(%rax), %rdi
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	mov	REG(\n)(%rax), %r\n
	.endr
	mov	REG(RAX_)(%rax), %rax

	/* VERW on CPUs that leak through their buffers. Changes ZF only. */
	CLEAR_CPU_BUFFERS

	jnc	.Llaunch

	/* A VM exit continues at vmx_exit_point with this very stack. */
	UNWIND_HINT_SAVE
.Lresume:
	vmresume
	jmp	.Lfail
.Llaunch:
	vmlaunch
	jmp	.Lfail

	/* VMX was switched off under us (crash, reboot): report a failure. */
	_ASM_EXTABLE(.Lresume, .Lfail)
	_ASM_EXTABLE(.Llaunch, .Lfail)
	_ASM_EXTABLE(.Lwrite_rsp, .Lfail)

/* SDM: "Loading Host State". */
SYM_INNER_LABEL(vmx_exit_point, SYM_L_GLOBAL)
	UNWIND_HINT_RESTORE
	ENDBR

	push	%rax
	mov	8(%rsp), %rax		/* regs */
	pop	REG(RAX_)(%rax)
	mov	%rcx, REG(RCX_)(%rax)
	mov	%rdx, REG(RDX_)(%rax)
	mov	%rbx, REG(RBX_)(%rax)
	mov	%rbp, REG(RBP_)(%rax)
	mov	%rsi, REG(RSI_)(%rax)
	mov	%rdi, REG(RDI_)(%rax)
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	mov	%r\n, REG(\n)(%rax)
	.endr

	xor	%ebx, %ebx		/* return value */

.Lclear:
	/*
	 * No value of the guest's survives in a register: code of the host that
	 * runs ahead of its own loads shall find zeros.
	 */
	xor	%eax, %eax
	xor	%ecx, %ecx
	xor	%edx, %edx
	xor	%ebp, %ebp
	xor	%esi, %esi
	xor	%edi, %edi
	.irp n, 8, 9, 10, 11, 12, 13, 14, 15
	xor	%r\n\()d, %r\n\()d
	.endr

	add	$8, %rsp		/* regs */

	/*
	 * Before the first return that has no call of its own: no return
	 * prediction of the guest's making, and the host's SPEC_CTRL.
	 */
	FILL_RETURN_BUFFER %rcx, RSB_CLEAR_LOOPS, X86_FEATURE_RSB_VMEXIT, \
			   X86_FEATURE_RSB_VMEXIT_LITE

	pop	%rdx			/* flags */
	pop	%rdi			/* ctx */

	ALTERNATIVE "jmp .Lspec_host_done", "", X86_FEATURE_MSR_SPEC_CTRL
	mov	$MSR_IA32_SPEC_CTRL, %ecx
	test	$ENTER_SAVE_SPEC_CTRL, %dl
	jz	.Lspec_saved
	rdmsr
	mov	%eax, ENTER_CTX_SPEC_CTRL(%rdi)
.Lspec_saved:
	mov	PER_CPU_VAR(x86_spec_ctrl_current), %eax
	/* Legacy IBRS wants the write after every exit, equal or not. */
	ALTERNATIVE "", "jmp .Lspec_write", X86_FEATURE_KERNEL_IBRS
	cmp	ENTER_CTX_SPEC_CTRL(%rdi), %eax
	je	.Lspec_host_written
.Lspec_write:
	xor	%edx, %edx
	wrmsr
.Lspec_host_written:
	/* Neither branch above may be speculated past. */
	lfence
.Lspec_host_done:

	CLEAR_BRANCH_HISTORY_VMEXIT

	mov	%ebx, %eax
	pop	%rbx
	pop	%r12
	pop	%r13
	pop	%r14
	pop	%r15
	pop	%rbp
	RET

.Lfail:
	/* No exit took place; RSP is ours, the registers may be the guest's. */
	mov	$1, %ebx
	jmp	.Lclear
SYM_FUNC_END(vmx_enter_guest)

.section .text, "ax"

/*
 * void vmx_call_nmi(void (*entry)(void)): run the host's NMI handler as if the
 * NMI that ended the guest's run had arrived here. It ends in IRET, which also
 * opens the CPU for the next NMI.
 *
 * Context: interrupts off.
 */
SYM_FUNC_START(vmx_call_nmi)
	push	%rbp
	mov	%rsp, %rbp
	/* The frame the CPU would push: SS, RSP, RFLAGS, CS, and CALL's RIP. */
	and	$-16, %rsp
	push	$__KERNEL_DS
	push	%rbp
	pushf
	push	$__KERNEL_CS
	CALL_NOSPEC rdi
	/* IRET restored RSP to this value already; the unwinder cannot know. */
	mov	%rbp, %rsp
	pop	%rbp
	RET
SYM_FUNC_END(vmx_call_nmi)
