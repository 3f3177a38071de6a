// SPDX-License-Identifier: GPL-2.0
/*
 * Hardware task switches, which every hypervisor on VMX does in software: by JMP, CALL and IRET, through
 * task gates of the GDT and the IDT, to 32- and 16-bit tasks, to another level and to virtual-8086 mode.
 * The guest is 32-bit code without paging; the host looks at what is left in the TSSs and the registers.
 */
#include "gvm.h"

#define GDT		0x1000u
#define IDT		0x2000u
#define TSS_A		0x3000u		/* the current one */
#define TSS_B		0x3100u
#define TSS_C		0x3200u		/* 16-bit */
#define STACK0		0x7000u
#define STACK_B		0x6000u
#define CODE		0x8000u
#define FAULT		0x4000u		/* vector and error code, by the fault handlers */

#define SEL_CODE	0x08
#define SEL_DATA	0x10
#define SEL_A		0x18
#define SEL_B		0x20
#define SEL_C		0x28
#define SEL_GATE	0x30
#define SEL_CODE16	0x38
#define SEL_LDT		0x40
#define SEL_CODE3	0x48
#define SEL_DATA3	0x50
#define SEL_ABSENT	0x58		/* data, not present */

struct tss {
	uint16_t link, r0;
	uint32_t esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
	uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
	uint32_t es, cs, ss, ds, fs, gs, ldt;
	uint16_t trap, iomap;
};

struct tss16 {
	uint16_t link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags;
	uint16_t ax, cx, dx, bx, sp, bp, si, di, es, cs, ss, ds, ldt;
};

/* clang-format off */
asm(".pushsection .rodata\n"
"	.globl task_begin, task_end\n"
"	.globl t_jmp, t_call, t_call_gate, t_int, t_gp, t_jmp16, t_busy, b_hlt, b_iret, c_hlt, f_gp, f_np, f_ts\n"
"	.globl f_ss, f_db, v86, t_iret, user\n"
"	.code32\n"
"task_begin:\n"
"t_jmp:	ljmp $0x20, $0\n"		/* a TSS: the offset does not matter */
"	hlt\n"
"t_call: lcall $0x20, $0\n"
"	hlt\n"
"t_call_gate: lcall $0x30, $0\n"
"	hlt\n"
"t_int:	int $0x30\n"
"	hlt\n"
"t_gp:	mov %ax, %ds\n"			/* far beyond the GDT */
"	hlt\n"
"t_jmp16: ljmp $0x28, $0\n"
"	hlt\n"
"t_busy: ljmp $0x18, $0\n"
"	hlt\n"
"t_iret: iret\n"			/* with NT */
"	hlt\n"
"b_iret: iret\n"
"b_hlt:	hlt\n"
"user:	int $0x31\n"			/* level 3 halts through a gate */
"	.code16\n"
"c_hlt:	hlt\n"
"v86:	mov $0x1234, %ax\n"
"	int $0x31\n"
"	.code32\n"
"f_db:	movl $1, 0x4000\n"		/* no error code */
"	hlt\n"
"f_ts:	movl $10, 0x4000\n"
"	popl 0x4004\n"
"	hlt\n"
"f_np:	movl $11, 0x4000\n"
"	popl 0x4004\n"
"	hlt\n"
"f_ss:	movl $12, 0x4000\n"
"	popl 0x4004\n"
"	hlt\n"
"f_gp:	movl $13, 0x4000\n"
"	popl 0x4004\n"
"	hlt\n"
"task_end:\n"
"	.code64\n"
"	.popsection\n");
/* clang-format on */

extern const uint8_t task_begin[], task_end[], t_jmp[], t_call[], t_call_gate[], t_int[], t_gp[], t_jmp16[], t_busy[],
	b_hlt[], b_iret[], c_hlt[], f_gp[], f_np[], f_ts[], f_ss[], f_db[], v86[], t_iret[], user[];

static struct vm *vm;
static struct vcpu *v;
static uint8_t *ram;
static struct minikvm_regs regs;
static struct minikvm_sregs sregs;

static uint32_t at(const uint8_t *label)
{
	return CODE + (label - task_begin);
}

static uint64_t *gdt(unsigned int selector)
{
	return (uint64_t *)(ram + GDT + (selector & ~7u));
}

static struct tss *tss(uint32_t where)
{
	return (struct tss *)(ram + where);
}

static uint64_t descriptor(uint32_t base, uint32_t limit, uint32_t bits)
{
	return (limit & 0xffff) | (uint64_t)(base & 0xffffff) << 16 | (uint64_t)(bits & 0xf0ff) << 40 |
	       (uint64_t)(limit >> 16 & 15) << 48 | (uint64_t)(base >> 24) << 56;
}

static void gate(unsigned int vector, uint16_t selector, uint32_t offset, unsigned int type)
{
	uint64_t *e = (uint64_t *)(ram + IDT + 8 * vector);

	*e = (offset & 0xffff) | (uint64_t)selector << 16 | (uint64_t)type << 40 | (uint64_t)(offset >> 16) << 48;
}

static void tables(void)
{
	struct tss *b = tss(TSS_B);
	struct tss16 *c = (struct tss16 *)(ram + TSS_C);

	memset(ram + GDT, 0, CODE - GDT);
	memcpy(ram + CODE, task_begin, task_end - task_begin);
	*gdt(SEL_CODE) = descriptor(0, 0xfffff, 0xc09b);
	*gdt(SEL_DATA) = descriptor(0, 0xfffff, 0xc093);
	*gdt(SEL_A) = descriptor(TSS_A, 0x67, 0x8b);
	*gdt(SEL_B) = descriptor(TSS_B, 0x67, 0x89);
	*gdt(SEL_C) = descriptor(TSS_C, 0x2b, 0x81);
	*gdt(SEL_GATE) = (uint64_t)SEL_B << 16 | 0x85ull << 40;
	*gdt(SEL_CODE16) = descriptor(0, 0xffff, 0x9b);
	*gdt(SEL_LDT) = descriptor(0x5000, 0x1f, 0x82);
	*gdt(SEL_CODE3) = descriptor(0, 0xfffff, 0xc0fa);	/* not accessed yet */
	*gdt(SEL_DATA3) = descriptor(0, 0xfffff, 0xc0f3);
	*gdt(SEL_ABSENT) = descriptor(0, 0xfffff, 0xc013);
	gate(1, SEL_CODE, at(f_db), 0x8e);
	gate(10, SEL_CODE, at(f_ts), 0x8e);
	gate(11, SEL_CODE, at(f_np), 0x8e);
	gate(12, SEL_CODE, at(f_ss), 0x8e);
	gate(13, SEL_CODE, at(f_gp), 0x8e);
	gate(0x30, SEL_B, 0, 0x85);
	gate(0x31, SEL_CODE, at(b_hlt), 0xee);

	*b = (struct tss){
		.esp0 = STACK_B, .ss0 = SEL_DATA, .eip = at(b_hlt), .eflags = 2, .eax = 0xa0a0a0a0, .ecx = 0xc1c1c1c1,
		.edx = 0xd2d2d2d2, .ebx = 0xb3b3b3b3, .esp = STACK_B, .ebp = 0x55555555, .esi = 0x66666666,
		.edi = 0x77777777, .es = SEL_DATA, .cs = SEL_CODE, .ss = SEL_DATA, .ds = SEL_DATA, .fs = SEL_DATA,
		.ldt = SEL_LDT, .iomap = 0x68,
	};
	*c = (struct tss16){
		.ip = at(c_hlt), .flags = 2, .ax = 0x1111, .sp = 0x5ffe, .bp = 0x2222, .di = 0x3333,
		.es = SEL_DATA, .cs = SEL_CODE16, .ss = SEL_DATA, .ds = SEL_DATA,
	};
	tss(TSS_A)->esp0 = STACK0;
	tss(TSS_A)->ss0 = SEL_DATA;
}

static struct minikvm_segment flat(unsigned int selector, unsigned int type)
{
	return (struct minikvm_segment){
		.selector = selector, .limit = 0xffffffff, .type = type, .present = 1, .s = 1, .g = 1, .db = 1,
	};
}

/* Fresh tables, and the CPU in task A about to execute @code. */
static void start(const uint8_t *code)
{
	tables();
	if (ioctl(v->fd, MINIKVM_GET_SREGS, &sregs))
		tap_bail("GET_SREGS: %s", strerror(errno));
	sregs.cs = flat(SEL_CODE, 11);
	sregs.ds = flat(SEL_DATA, 3);
	sregs.es = sregs.ds;
	sregs.fs = sregs.ds;
	sregs.gs = sregs.ds;
	sregs.ss = sregs.ds;
	sregs.tr = (struct minikvm_segment){ .selector = SEL_A, .base = TSS_A, .limit = 0x67, .type = 11, .present = 1 };
	sregs.ldt = (struct minikvm_segment){ .unusable = 1 };
	sregs.gdt = (struct minikvm_dtable){ .base = GDT, .limit = 0x5f };
	sregs.idt = (struct minikvm_dtable){ .base = IDT, .limit = 0x7ff };
	sregs.cr0 = 0x31;
	sregs.cr4 = 0;
	sregs.efer = 0;
	regs = (struct minikvm_regs){
		.rip = at(code), .rflags = 0xad7, .rax = 0xfff8, .rbx = 0x1b, .rcx = 0x1c, .rdx = 0x1d, .rsp = STACK0,
		.rbp = 0x1e, .rsi = 0x1f, .rdi = 0x20,
	};
	regs.rflags &= ~0x200ull;
	if (ioctl(v->fd, MINIKVM_SET_SREGS, &sregs) || ioctl(v->fd, MINIKVM_SET_REGS, &regs))
		tap_bail("SET_SREGS or SET_REGS: %s", strerror(errno));
}

static bool run(const char *what)
{
	int r = vcpu_run(v);
	bool ok = !r && v->run->exit_reason == MINIKVM_EXIT_HLT;

	if (!ok)
		tap_diag("RUN %d, exit %s", r, r ? strerror(errno) : exit_name(v->run->exit_reason));
	if (ioctl(v->fd, MINIKVM_GET_REGS, &regs) || ioctl(v->fd, MINIKVM_GET_SREGS, &sregs))
		tap_bail("GET_REGS or GET_SREGS: %s", strerror(errno));
	if (!ok)
		tap_diag("rip %#llx cs %#x tr %#x", (unsigned long long)regs.rip, sregs.cs.selector, sregs.tr.selector);
	return tap_ok(ok, "%s: runs to HLT", what);
}

static bool busy(unsigned int selector)
{
	return *gdt(selector) >> 41 & 1;
}

static void check_b(const char *what)
{
	const struct tss *b = tss(TSS_B);

	tap_ok(regs.rax == b->eax && regs.rcx == b->ecx && regs.rdx == b->edx && regs.rbx == b->ebx &&
	       regs.rbp == b->ebp && regs.rsi == b->esi && regs.rdi == b->edi, "%s: registers of the new task", what);
	tap_ok(sregs.tr.selector == SEL_B && sregs.tr.base == TSS_B && sregs.tr.limit == 0x67, "%s: TR", what);
	tap_ok(sregs.ldt.selector == SEL_LDT && sregs.ldt.base == 0x5000 && sregs.ldt.limit == 0x1f, "%s: LDTR", what);
	tap_ok(sregs.cs.selector == SEL_CODE && sregs.ds.selector == SEL_DATA && sregs.gs.unusable,
	       "%s: segment registers", what);
	tap_ok(sregs.cr0 & 8, "%s: CR0.TS is set", what);
	tap_ok(busy(SEL_B), "%s: the new task is busy", what);
}

static void test_jump(void)
{
	const struct tss *a = tss(TSS_A);

	start(t_jmp);
	if (!run("JMP"))
		return;
	check_b("JMP");
	tap_ok(!busy(SEL_A), "JMP: the old task is not busy");
	tap_eq(regs.rip, at(b_hlt) + 1, "JMP: EIP");
	tap_eq(regs.rsp, STACK_B, "JMP: ESP");
	tap_eq(regs.rflags & 0x4fff, 2, "JMP: EFLAGS");
	tap_eq(a->eip, at(t_jmp) + 7, "JMP: the old task's EIP is behind it");
	tap_ok(a->eax == 0xfff8 && a->ebx == 0x1b && a->ecx == 0x1c && a->edx == 0x1d && a->esp == STACK0 &&
	       a->ebp == 0x1e && a->esi == 0x1f && a->edi == 0x20, "JMP: the old task's registers are in its TSS");
	tap_ok(a->cs == SEL_CODE && a->ss == SEL_DATA && a->ds == SEL_DATA && a->es == SEL_DATA && a->fs == SEL_DATA &&
	       a->gs == SEL_DATA, "JMP: and its selectors");
	tap_eq(a->eflags & 0x8d7, 0x8d7, "JMP: and its flags");
	tap_eq(tss(TSS_B)->link, 0, "JMP: no link back");
}

static void test_nested(const uint8_t *code, unsigned int len, const char *what)
{
	struct tss *b = tss(TSS_B);

	/* In the nested task first. */
	start(code);
	if (!run(what))
		return;
	check_b(what);
	tap_ok(busy(SEL_A), "%s: the old task stays busy", what);
	tap_eq(b->link, SEL_A, "%s: the link", what);
	tap_ok(regs.rflags & 0x4000, "%s: NT is set", what);

	/* And back. */
	start(code);
	b->eip = at(b_iret);
	if (!run(what))
		return;
	tap_eq(regs.rip, at(code) + len + 1, "%s, IRET: behind the call", what);
	tap_ok(sregs.tr.selector == SEL_A && busy(SEL_A) && !busy(SEL_B), "%s, IRET: the first task again", what);
	tap_ok(regs.rbx == 0x1b && regs.rsp == STACK0 && regs.rdi == 0x20, "%s, IRET: its registers", what);
	tap_eq(regs.rflags & 0x4000, 0, "%s, IRET: NT is clear", what);
	tap_eq(b->eip, at(b_hlt), "%s, IRET: the nested task goes on behind its IRET", what);
	tap_eq(b->eflags & 0x4000, 0, "%s, IRET: without NT", what);
}

static void test_exception(void)
{
	start(t_gp);
	gate(13, SEL_B, 0, 0x85);
	if (!run("#GP through a task gate"))
		return;
	tap_eq(tss(TSS_A)->eip, at(t_gp), "#GP through a task gate: the old EIP is at the instruction");
	tap_eq(regs.rsp, STACK_B - 4, "#GP through a task gate: the new stack holds the error code");
	tap_eq(*(uint32_t *)(ram + STACK_B - 4), 0xfff8, "#GP through a task gate: which is the selector");
	tap_eq(tss(TSS_B)->link, SEL_A, "#GP through a task gate: the link");
}

static bool stock(void)
{
	const char *dev = getenv("DEV");

	return dev && strstr(dev, "/kvm");
}

static void test_16bit(void)
{
	start(t_jmp16);
	if (!run("JMP to a 16-bit task"))
		return;
	tap_ok(sregs.tr.selector == SEL_C && sregs.tr.base == TSS_C && busy(SEL_C), "JMP to a 16-bit task: TR");
	tap_ok((regs.rax & 0xffff) == 0x1111 && (regs.rsp & 0xffff) == 0x5ffe && (regs.rbp & 0xffff) == 0x2222 &&
	       (regs.rdi & 0xffff) == 0x3333, "JMP to a 16-bit task: registers");
	tap_eq(regs.rip, at(c_hlt) + 1, "JMP to a 16-bit task: IP");
	tap_eq(sregs.cs.selector, SEL_CODE16, "JMP to a 16-bit task: CS");
	if (stock())		/* stock KVM 6.1 saves the old task as the new one is */
		tap_skip("JMP to a 16-bit task: the old task is saved in 32 bits");
	else
		tap_eq(tss(TSS_A)->eip, at(t_jmp16) + 7,
		       "JMP to a 16-bit task: the old task is saved in 32 bits");
}

/* The new task runs at level 3, or in virtual-8086 mode, and comes back to level 0 through an interrupt gate. */
static void test_levels(void)
{
	struct tss *b = tss(TSS_B);

	start(t_jmp);
	b->cs = SEL_CODE3 | 3;
	b->ss = SEL_DATA3 | 3;
	b->ds = SEL_DATA3 | 3;
	b->es = 0;
	b->fs = 0;
	b->eip = at(user);
	if (run("JMP to level 3")) {
		uint32_t *frame = (uint32_t *)(ram + STACK_B - 20);

		tap_eq(frame[1], SEL_CODE3 | 3, "JMP to level 3: it ran there");
		tap_eq(frame[4], SEL_DATA3 | 3, "JMP to level 3: with its stack");
		tap_eq(*gdt(SEL_CODE3) >> 40 & 1, 1, "JMP to level 3: its code segment was accessed");
	}

	start(t_jmp);
	b->cs = CODE >> 4;
	b->ss = 0x500;
	b->ds = 0x123;
	b->esp = 0x100;
	b->eip = at(v86) - CODE;
	b->eflags = 0x23002;
	if (run("JMP to virtual-8086 mode")) {
		uint32_t *frame = (uint32_t *)(ram + STACK_B - 36);

		tap_eq(frame[1], CODE >> 4, "JMP to virtual-8086 mode: it ran there");
		tap_eq(frame[2] & 0x20000, 0x20000, "JMP to virtual-8086 mode: EFLAGS.VM");
		tap_eq(frame[6], 0x123, "JMP to virtual-8086 mode: DS");
		tap_eq(regs.rax & 0xffff, 0x1234, "JMP to virtual-8086 mode: an instruction of it");
	}
}

static void fault_is(const char *what, uint32_t vector, uint32_t code, unsigned int task)
{
	if (!run(what))
		return;
	tap_eq(*(uint32_t *)(ram + FAULT), vector, "%s: the vector", what);
	tap_eq(*(uint32_t *)(ram + FAULT + 4), code, "%s: the error code", what);
	tap_eq(sregs.tr.selector, task, "%s: the task", what);
}

/* Faults that the CPU finds itself. */
static void test_cpu_faults(void)
{
	start(t_busy);
	fault_is("JMP to a busy task", 13, SEL_A, SEL_A);
	start(t_jmp);
	*gdt(SEL_B) &= ~(1ull << 47);
	fault_is("JMP to a task that is not present", 11, SEL_B, SEL_A);
}

/* Stock KVM 6.1 finds these, and then goes on behind the instruction as if nothing were wrong. */
static void test_software_faults(void)
{
	struct tss *b = tss(TSS_B);

	start(t_jmp);
	*gdt(SEL_B) = descriptor(TSS_B, 0x66, 0x89);
	fault_is("JMP to a TSS that is too short", 10, SEL_B, SEL_A);
	tap_ok(busy(SEL_A) && !busy(SEL_B), "JMP to a TSS that is too short: nothing has changed");

	start(t_iret);
	regs.rflags |= 0x4000;
	if (ioctl(v->fd, MINIKVM_SET_REGS, &regs))
		tap_bail("SET_REGS: %s", strerror(errno));
	tss(TSS_A)->link = SEL_B;
	fault_is("IRET to a task that is not busy", 10, SEL_B, SEL_A);

	start(t_jmp);
	b->ds = SEL_ABSENT;
	fault_is("a segment of the new task is not present", 11, SEL_ABSENT, SEL_B);
	start(t_jmp);
	b->ss = SEL_CODE;
	fault_is("a stack of the new task is code", 10, SEL_CODE, SEL_B);
	start(t_jmp);
	b->ldt = SEL_DATA;
	fault_is("an LDT of the new task is data", 10, SEL_DATA, SEL_B);
	start(t_jmp);
	b->trap = 1;
	if (run("a task with its debug trap bit")) {
		tap_eq(*(uint32_t *)(ram + FAULT), 1, "a task with its debug trap bit: #DB");
	}
}

int main(void)
{
	gvm_start();
	vm = vm_new(0);
	v = vm_add_vcpu(vm, 0);
	ram = vm_hva(vm, 0);
	test_jump();
	test_nested(t_call, 7, "CALL");
	test_nested(t_call_gate, 7, "CALL through a task gate");
	test_nested(t_int, 2, "INT through a task gate");
	test_exception();
	test_16bit();
	test_levels();
	test_cpu_faults();
	if (stock())
		tap_skip("faults found in software: stock KVM 6.1 drops them");
	else
		test_software_faults();
	vm_free(vm);
	return gvm_finish();
}
