// SPDX-License-Identifier: GPL-2.0
/*
 * A debugger in userspace: it steps the guest through all sorts of instructions,
 * plants software and hardware breakpoints, gives exceptions back, and the
 * guest sees none of it in its registers.
 */
#include "vm.h"

#define SW	(MINIKVM_GUESTDBG_ENABLE | MINIKVM_GUESTDBG_USE_SW_BP)
#define HW	(MINIKVM_GUESTDBG_ENABLE | MINIKVM_GUESTDBG_USE_HW_BP)
#define STEP	(MINIKVM_GUESTDBG_ENABLE | MINIKVM_GUESTDBG_SINGLESTEP)

#define BAD_PTR		((void *)8)
#define DR6_NONE	0xffff0ff0ULL
#define DR6_BS		(1ULL << 14)
#define DR6_BD		(1ULL << 13)
#define RFLAGS_TF	(1ULL << 8)

static void debug(struct vcpu *vcpu, uint32_t control)
{
	struct minikvm_guest_debug dbg = { .control = control };

	if (ioctl(vcpu->fd, MINIKVM_SET_GUEST_DEBUG, &dbg))
		tap_bail("SET_GUEST_DEBUG %#x: %s", control, strerror(errno));
}

static void debug_hw(struct vcpu *vcpu, int nr, uint64_t at, uint64_t dr7)
{
	struct minikvm_guest_debug dbg = { .control = HW };

	dbg.arch.debugreg[nr] = at;
	dbg.arch.debugreg[7] = 0x400 | dr7;
	if (ioctl(vcpu->fd, MINIKVM_SET_GUEST_DEBUG, &dbg))
		tap_bail("SET_GUEST_DEBUG: %s", strerror(errno));
}

static struct minikvm_regs get_regs(struct vcpu *vcpu)
{
	struct minikvm_regs regs;

	if (ioctl(vcpu->fd, MINIKVM_GET_REGS, &regs))
		tap_bail("GET_REGS: %s", strerror(errno));
	return regs;
}

static void set_rip(struct vcpu *vcpu, uint64_t rip)
{
	struct minikvm_regs regs = get_regs(vcpu);

	regs.rip = rip;
	if (ioctl(vcpu->fd, MINIKVM_SET_REGS, &regs))
		tap_bail("SET_REGS: %s", strerror(errno));
}

static void stopped(struct vcpu *vcpu, uint32_t vector, uint64_t pc, uint64_t dr6,
		    const char *what)
{
	struct minikvm_debug_exit_arch *arch = &vcpu->run->debug.arch;

	if (!vcpu_expect_exit(vcpu, MINIKVM_EXIT_DEBUG, "%s: the debugger is told", what))
		return;
	tap_eq(arch->exception, vector, "%s: the exception", what);
	tap_eq(arch->pc, pc, "%s: where", what);
	if (vector == 1)
		tap_eq(arch->dr6, dr6, "%s: why", what);
}

/*
 * Step to @pc. The lab's emulator reports a step over an instruction that exits
 * twice, on any hypervisor that leaves the second report where it is.
 */
static void step_to(struct vcpu *vcpu, uint64_t pc, const char *what)
{
	struct minikvm_debug_exit_arch *arch = &vcpu->run->debug.arch;
	uint64_t from = get_regs(vcpu).rip;

	debug(vcpu, STEP);
	if (!vcpu_run(vcpu) && vcpu->run->exit_reason == MINIKVM_EXIT_DEBUG && arch->pc == from) {
		debug(vcpu, STEP);
		vcpu_run(vcpu);
	}
	if (!tap_eq(vcpu->run->exit_reason, MINIKVM_EXIT_DEBUG, "step over %s", what))
		return;
	tap_ok(arch->pc == pc && arch->exception == 1 && arch->dr6 == (DR6_NONE | DR6_BS),
	       "step over %s: at %#llx, DR6 %#llx", what, (unsigned long long)arch->pc,
	       (unsigned long long)arch->dr6);
	tap_ok(!(get_regs(vcpu).rflags & RFLAGS_TF), "step over %s: no TF to be seen", what);
}

/* ---- single steps ---------------------------------------------------------- */

/* 8000h: every line is one step. */
GUEST_ASM(step_guest, 64,
	"	incq	%rax\n"			/* 8000: 3 bytes */
	"	sti\n"				/* 8003 */
	"	nop\n"				/* 8004 */
	"	movw	%ss, %bx\n"		/* 8005: 3 bytes with the prefix */
	"	movw	%bx, %ss\n"		/* 8008: 2 bytes */
	"	nop\n"				/* 800a */
	"	xorl	%eax, %eax\n"		/* 800b: 2 bytes */
	"	cpuid\n"			/* 800d: 2 bytes */
	"	cli\n"				/* 800f */
	"	movl	0x50000000, %eax\n"	/* 8010: 7 bytes, MMIO */
	"	inb	$0x10, %al\n"		/* 8017: 2 bytes */
	"	outb	%al, $0x10\n"		/* 8019: 2 bytes */
	"	nop\n"				/* 801b */
	"	hlt\n");			/* 801c */

static void test_step(struct vm *vm, struct vcpu *vcpu)
{
	vm_load(vm, step_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	step_to(vcpu, 0x8003, "INC");
	step_to(vcpu, 0x8004, "STI");
	step_to(vcpu, 0x8005, "an instruction in STI's shadow");
	step_to(vcpu, 0x8008, "MOV from SS");
	/* A debugger that steps loses MOV SS's shadow, or steps twice. */
	debug(vcpu, STEP);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_DEBUG, "step over MOV to SS");
	tap_ok(vcpu->run->debug.arch.pc == 0x800a || vcpu->run->debug.arch.pc == 0x800b,
	       "... and it moved");
	set_rip(vcpu, 0x800b);
	step_to(vcpu, 0x800d, "XOR");
	step_to(vcpu, 0x800f, "CPUID");
	step_to(vcpu, 0x8010, "CLI");

	debug(vcpu, STEP);
	if (!vcpu_run(vcpu) && vcpu->run->exit_reason == MINIKVM_EXIT_DEBUG)
		vcpu_run(vcpu);
	tap_eq(vcpu->run->exit_reason, MINIKVM_EXIT_MMIO, "a stepped MMIO read asks userspace");
	memset(vcpu->run->mmio.data, 0, 8);
	vcpu->run->mmio.data[0] = 0x5a;
	stopped(vcpu, 1, 0x8017, DR6_NONE | DR6_BS, "MMIO read");
	tap_eq(get_regs(vcpu).rax, 0x5a, "MMIO read: the value is there");

	debug(vcpu, STEP);
	if (!vcpu_run(vcpu) && vcpu->run->exit_reason == MINIKVM_EXIT_DEBUG)
		vcpu_run(vcpu);
	tap_eq(vcpu->run->exit_reason, MINIKVM_EXIT_IO, "a stepped IN asks userspace");
	((uint8_t *)vcpu->run)[vcpu->run->io.data_offset] = 0x77;
	/* The step ends with the instruction, even if the guest is not to run. */
	vcpu->run->immediate_exit = 1;
	stopped(vcpu, 1, 0x8019, DR6_NONE | DR6_BS, "IN");
	vcpu->run->immediate_exit = 0;
	tap_eq(get_regs(vcpu).rax, 0x77, "IN: the value is there");
	/* As in step_to(): the emulator may have another report of it. */
	set_rip(vcpu, 0x801b);
	debug(vcpu, STEP);
	vcpu_run(vcpu);
	debug(vcpu, 0);
	set_rip(vcpu, 0x801b);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_HLT, "without the debugger it runs on");
}

/* TF is the instruction's at which the step was ordered. */
static void test_step_moved(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_regs regs;

	vm_load(vm, step_guest);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	debug(vcpu, STEP);
	set_rip(vcpu, 0x801b);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_HLT, "no step where RIP was moved to");
	debug(vcpu, 0);
	regs = get_regs(vcpu);
	tap_ok(!(regs.rflags & RFLAGS_TF), "and no TF is left");
}

/* ---- breakpoints ----------------------------------------------------------- */

/* Handlers of #DB and #BP, which count; what they found is on the stack. */
GUEST_ASM(break_guest, 64,
	"	int3\n"				/* 8000 */
	"	nop\n"				/* 8001 */
	"	movl	$1, 0x40000\n"		/* 8002: 11 bytes */
	"	nop\n"				/* 800d */
	"	movq	%dr7, %rax\n"		/* 800e: 3 bytes */
	"	movq	%dr0, %rbx\n"		/* 8011: 3 bytes */
	"	movq	%dr6, %rcx\n"		/* 8014: 3 bytes */
	"	hlt\n"				/* 8017 */
	"	.org	break_guest + 0x100, 0x90\n"		/* 8100: #DB */
	"	incq	%r8\n"
	"	movq	(%rsp), %r9\n"
	"	btsl	$16, 16(%rsp)\n"	/* RF: not again */
	"	iretq\n"
	"	.org	break_guest + 0x180, 0x90\n"		/* 8180: #BP */
	"	incq	%r10\n"
	"	movq	(%rsp), %r11\n"
	"	iretq\n");

static void set_gate(struct vm *vm, int vector, uint64_t handler)
{
	uint64_t *gate = vm_hva(vm, GUEST_IDT + 16 * vector);

	gate[0] = (handler & 0xffff) | (uint64_t)GUEST_SEL_CODE64 << 16 | 0x8eULL << 40 |
		  (handler & 0xffff0000) << 32;
	gate[1] = handler >> 32;
}

static void test_software(struct vm *vm, struct vcpu *vcpu)
{
	struct minikvm_guest_debug dbg = { .control = SW | MINIKVM_GUESTDBG_INJECT_BP };

	debug(vcpu, SW);
	stopped(vcpu, 3, 0x8000, 0, "INT3");
	tap_eq(get_regs(vcpu).rip, 0x8000, "INT3: RIP is on it");
	debug(vcpu, SW);
	stopped(vcpu, 3, 0x8000, 0, "INT3 again, not skipped");
	/* It was the guest's own. */
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_GUEST_DEBUG, &dbg), 0, "INJECT_BP");
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_GUEST_DEBUG, &dbg), EBUSY, "INJECT_BP twice");
	dbg.control = SW | MINIKVM_GUESTDBG_INJECT_DB;
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_GUEST_DEBUG, &dbg), EBUSY, "and INJECT_DB");
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_HLT, "the guest goes on");
	tap_eq(get_regs(vcpu).r10, 1, "its #BP handler ran once");
	tap_eq(get_regs(vcpu).r11, 0x8001, "and returned behind INT3");

	/* The debugger is gone: #BP is the guest's. */
	debug(vcpu, 0);
	vm_load(vm, break_guest);
	set_rip(vcpu, 0x8000);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_HLT, "without the debugger INT3 makes no exit");
	tap_eq(get_regs(vcpu).r10, 2, "its handler ran again");

	/* Without ENABLE the other bits do nothing. */
	debug(vcpu, MINIKVM_GUESTDBG_USE_SW_BP | MINIKVM_GUESTDBG_SINGLESTEP);
	set_rip(vcpu, 0x8000);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_HLT, "without ENABLE, neither");
}

static void test_inject_db(struct vcpu *vcpu)
{
	struct minikvm_debugregs regs;

	debug(vcpu, 0);
	set_rip(vcpu, 0x800d);
	ioctl(vcpu->fd, MINIKVM_GET_DEBUGREGS, &regs);
	regs.dr6 = DR6_NONE | 4;
	ioctl(vcpu->fd, MINIKVM_SET_DEBUGREGS, &regs);
	debug(vcpu, MINIKVM_GUESTDBG_INJECT_DB);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_HLT, "INJECT_DB without ENABLE");
	tap_eq(get_regs(vcpu).r8, 1, "the guest's #DB handler ran");
	tap_eq(get_regs(vcpu).r9, 0x800d, "where the guest was");
	tap_eq(get_regs(vcpu).rcx, DR6_NONE | 4, "DR6 is what userspace made it");
}

static void test_hardware(struct vcpu *vcpu)
{
	struct minikvm_debugregs regs = {
		.db = { 0x1111 }, .dr6 = DR6_NONE, .dr7 = 0x400,
	};
	int i;

	ioctl(vcpu->fd, MINIKVM_SET_DEBUGREGS, &regs);
	for (i = 0; i < 4; i++) {
		set_rip(vcpu, 0x8001);
		debug_hw(vcpu, i, 0x800d, 2ULL << 2 * i);
		stopped(vcpu, 1, 0x800d, DR6_NONE | 1ULL << i, "instruction breakpoint");
		set_rip(vcpu, 0x8001);
		debug_hw(vcpu, i, 0x40000, 2ULL << 2 * i | 0xdULL << (16 + 4 * i));
		stopped(vcpu, 1, 0x800d, DR6_NONE | 1ULL << i, "watchpoint");
	}
	/* The guest reads its own registers. */
	debug_hw(vcpu, 0, 0x8001, 2);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_HLT, "no breakpoint on the way");
	tap_eq(get_regs(vcpu).rax, 0x400, "the guest reads its own DR7");
	tap_eq(get_regs(vcpu).rbx, 0x1111, "and its own DR0");
	tap_eq(get_regs(vcpu).rcx, DR6_NONE, "and its own DR6");
	ioctl(vcpu->fd, MINIKVM_GET_DEBUGREGS, &regs);
	tap_ok(regs.db[0] == 0x1111 && regs.dr7 == 0x400, "so does GET_DEBUGREGS");

	/* General detect, for the debugger. */
	set_rip(vcpu, 0x800d);
	debug_hw(vcpu, 0, 0, 1 << 13);
	stopped(vcpu, 1, 0x800e, DR6_NONE | DR6_BD, "general detect");
	debug(vcpu, 0);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_HLT, "and not without the debugger");
}

/* The guest's own breakpoints wait while the debugger has the registers. */
static void test_guest_breakpoint(struct vcpu *vcpu)
{
	struct minikvm_debugregs regs = {
		.db = { 0x8001 }, .dr6 = DR6_NONE, .dr7 = 0x402,
	};
	uint64_t before = get_regs(vcpu).r8;

	ioctl(vcpu->fd, MINIKVM_SET_DEBUGREGS, &regs);
	set_rip(vcpu, 0x8001);
	debug_hw(vcpu, 1, 0x800d, 2 << 2);
	stopped(vcpu, 1, 0x800d, DR6_NONE | 2, "the debugger's breakpoint");
	tap_eq(get_regs(vcpu).r8, before, "the guest's did not fire");
	debug(vcpu, 0);
	set_rip(vcpu, 0x8001);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_HLT, "without the debugger");
	tap_eq(get_regs(vcpu).r8, before + 1, "it fires");
	tap_eq(get_regs(vcpu).r9, 0x8001, "where the guest planted it");
}

/* ---- interrupts ------------------------------------------------------------ */

/* It begins with an IRET, see guest_iret(). */
GUEST_ASM(irq_loop, 64,
	"	mov	%rsp, %rcx\n"
	"	mov	%ss, %eax\n"
	"	push	%rax\n"
	"	push	%rcx\n"
	"	pushf\n"
	"	mov	%cs, %eax\n"
	"	push	%rax\n"
	"	lea	1f(%rip), %rax\n"
	"	push	%rax\n"
	"	iretq\n"
	"1:	sti\n"
	"	nop\n"
	"	nop\n"
	"	outb	%al, $0x10\n"
	"	.org	irq_loop + 0x40, 0x90\n"
	"	outb	%al, $0x11\n");		/* 8040: the NMI's handler */

static void test_blockirq(struct vm *vm, struct vcpu *vcpu)
{
	vm_load(vm, irq_loop);
	set_gate(vm, 2, 0x8040);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	debug(vcpu, MINIKVM_GUESTDBG_ENABLE | MINIKVM_GUESTDBG_BLOCKIRQ);
	if (ioctl(vcpu->fd, MINIKVM_NMI))
		tap_bail("NMI: %s", strerror(errno));
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "BLOCKIRQ");
	tap_eq(vcpu->run->io.port, 0x10, "the NMI is not delivered");
	debug(vcpu, 0);
	vcpu_expect_exit(vcpu, MINIKVM_EXIT_IO, "no BLOCKIRQ any more");
	tap_eq(vcpu->run->io.port, 0x11, "the NMI is delivered");
}

int main(void)
{
	struct vm *vm = vm_new(0);
	struct vcpu *vcpu = vm_add_vcpu(vm, 0);

	tap_plan(0);
	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_SET_GUEST_DEBUG), 1, "the capability");
	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_SET_GUEST_DEBUG2), 0x1f0003,
	       "which control bits there are");
	tap_eq(dev_check_extension(vm->fd, MINIKVM_CAP_X86_ROBUST_SINGLESTEP), 1,
	       "steps leave RFLAGS alone");
	tap_errno(ioctl(vcpu->fd, MINIKVM_SET_GUEST_DEBUG, BAD_PTR), EFAULT, "a bad pointer");
	test_step(vm, vcpu);
	test_step_moved(vm, vcpu);

	vm_load(vm, break_guest);
	set_gate(vm, 1, 0x8100);
	set_gate(vm, 3, 0x8180);
	vcpu_set_mode(vcpu, GUEST_LONG, GUEST_CODE);
	test_software(vm, vcpu);
	test_inject_db(vcpu);
	test_hardware(vcpu);
	test_guest_breakpoint(vcpu);
	test_blockirq(vm, vcpu);
	vm_free(vm);
	return tap_done();
}
