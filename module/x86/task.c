// SPDX-License-Identifier: GPL-2.0
/*
 * Hardware task switches: the CPU leaves them to software as soon as it knows
 * the new task. Registers go to the old TSS and come from the new one.
 *
 * Faults found before the switch belong to the old task, which has not
 * changed; those found while segment registers are loaded belong to the new.
 *
 * Source: Intel SDM vol. 3A (December 2023), "Task Switching", "Task
 * Management Data Structures", "Exception Conditions During a Task Switch";
 * vol. 3C, "Treatment of Task Switches".
 */
#include <linux/mm.h>
#include <asm/processor-flags.h>
#include <asm/trapnr.h>

#include "../memslot.h"
#include "emul_impl.h"
#include "task.h"

#define TSS32_BYTES	104
#define TSS16_BYTES	44

/* Offsets in a 32-bit TSS; then in a 16-bit one. */
#define TSS32_CR3	0x1c
#define TSS32_EIP	0x20
#define TSS32_EFLAGS	0x24
#define TSS32_REGS	0x28
#define TSS32_SEGS	0x48
#define TSS32_LDT	0x60
#define TSS32_TRAP	0x64
#define TSS16_IP	0x0e
#define TSS16_FLAGS	0x10
#define TSS16_REGS	0x12
#define TSS16_SEGS	0x22
#define TSS16_LDT	0x2a

#define RFLAGS_VALID	0x3f7fd5ul	/* bits a CPU keeps */
#define DR7_LOCAL	0x155ul		/* L0..L3, LE */
#define DR6_BT		BIT(15)
#define DESC_BUSY	((u64)DESC_TSS_BUSY << 40)

/**
 * struct task - a switch in progress
 * @vcpu: the vCPU
 * @why: what asked for it
 * @env: for descriptors; its fault is the switch's
 * @desc: of the new TSS, as it is in memory
 * @desc_at: linear address of it
 * @seg: of the new TSS, unpacked
 * @old: the old TSS's segment, from TR
 * @tss: bytes of the new TSS
 * @no_memory: some table is not in memory: nothing can be said about it
 */
struct task {
	struct vcpu *vcpu;
	const struct task_switch *why;
	struct selector_env env;
	u64 desc, desc_at;
	struct minikvm_segment seg, old;
	u8 tss[TSS32_BYTES];
	bool no_memory;
};

static bool is_32bit(const struct minikvm_segment *tss)
{
	return tss->type & 8;
}

/* ---- memory ------------------------------------------------------------- */

static enum exec_result access(struct task *t, u64 linear, void *buf, u32 size, bool write)
{
	u32 flags = GVA_SYSTEM | (write ? GVA_WRITE : 0);
	struct vcpu *vcpu = t->vcpu;
	gpa_t gpa;
	u32 n;
	int r;

	for (; size; size -= n, buf += n, linear += n) {
		n = min_t(u32, size, PAGE_SIZE - offset_in_page(linear));
		if (gva_to_gpa(vcpu, linear, flags, &gpa, &t->env.fault))
			return EXEC_FAULT;
		r = write ? guest_write(vcpu->vm, gpa, buf, n) : guest_read(vcpu->vm, gpa, buf, n);
		if (r) {
			t->no_memory = true;
			return EXEC_UNKNOWN;
		}
	}
	return EXEC_OK;
}

static enum exec_result table_read(struct selector_env *env, u64 linear, void *buf, u32 size)
{
	return access(env->opaque, linear, buf, size, false);
}

static enum exec_result table_write(struct selector_env *env, u64 linear, const void *buf,
				    u32 size)
{
	u8 copy[8];

	memcpy(copy, buf, min_t(u32, size, sizeof(copy)));
	return access(env->opaque, linear, copy, size, true);
}

static const struct selector_ops table_ops = { .read = table_read, .write = table_write };

static u32 get(const struct task *t, u32 at, u32 size)
{
	u32 v = 0;

	memcpy(&v, t->tss + at, size);
	return v;
}

/* ---- the old task ------------------------------------------------------- */

static enum exec_result fault(struct task *t, u8 vector, u32 error_code)
{
	t->env.fault = (struct gva_fault){
		.vector = vector, .has_error_code = true, .error_code = error_code,
	};
	return EXEC_FAULT;
}

/* INT n through a task gate: the CPU leaves the gate's level to software. */
static enum exec_result check_gate(struct task *t)
{
	struct minikvm_dtable idt;
	u32 error, vector = t->why->gate_vector;
	enum exec_result res;
	u64 gate;

	if (!t->why->soft_interrupt)
		return EXEC_OK;
	error = vector << 3 | 2;
	vendor->get_idt(t->vcpu, &idt);
	if (vector * 8 + 7 > idt.limit)
		return fault(t, X86_TRAP_GP, error);
	res = access(t, (u32)(idt.base + vector * 8), &gate, 8, false);
	if (res)
		return res;
	return t->env.cpl > ((gate >> 45) & 3) ? fault(t, X86_TRAP_GP, error) : EXEC_OK;
}

/* The new TSS must be one, and as busy as the way to it demands. */
static enum exec_result find_new(struct task *t)
{
	bool ret = t->why->reason == TASK_SWITCH_BY_IRET;
	u8 vector = ret ? X86_TRAP_TS : X86_TRAP_GP;
	u16 selector = t->why->selector;
	enum exec_result res;

	if (!(selector & ~3) || (selector & 4))
		return fault(t, vector, selector & ~3);
	res = selector_read(&t->env, selector, vector, &t->desc, &t->desc_at);
	if (res)
		return res;
	selector_unpack(t->desc, selector, &t->seg);
	if (t->seg.s || (t->seg.type & 5) != 1 || ret != !!(t->seg.type & DESC_TSS_BUSY))
		return fault(t, vector, selector & ~3);
	if (!t->seg.present)
		return fault(t, X86_TRAP_NP, selector & ~3);
	if (t->seg.limit < (is_32bit(&t->seg) ? TSS32_BYTES : TSS16_BYTES) - 1)
		return fault(t, X86_TRAP_TS, selector & ~3);
	return access(t, t->seg.base, t->tss, is_32bit(&t->seg) ? TSS32_BYTES : TSS16_BYTES, false);
}

static u16 selector_of(struct vcpu *vcpu, int seg)
{
	struct minikvm_segment var;

	vendor->get_segment(vcpu, &var, seg);
	return var.selector;
}

/* Everything from the instruction pointer to the last segment register. */
static enum exec_result save_old(struct task *t)
{
	struct vcpu *vcpu = t->vcpu;
	bool wide = is_32bit(&t->old);
	u32 size = wide ? 4 : 2, first = wide ? TSS32_EIP : TSS16_IP, at = 0, i;
	u64 flags = rflags_read(vcpu);
	u8 image[TSS32_BYTES] = {};
	u32 v;

	if (t->why->reason == TASK_SWITCH_BY_IRET)
		flags &= ~(u64)X86_EFLAGS_NT;
	for (i = 0; i < 10 + (wide ? 6 : 4); i++, at += size) {
		if (i == 0)
			v = t->why->next_rip;
		else if (i == 1)
			v = flags;
		else if (i < 10)
			v = reg_read(vcpu, i - 2);
		else
			v = selector_of(vcpu, i - 10);
		memcpy(image + at, &v, size);
	}
	return access(t, t->old.base + first, image, at, true);
}

/* Is the current task done with, its TSS may be entered again. */
static enum exec_result free_old(struct task *t)
{
	enum exec_result res;
	u64 desc, at;
	u8 byte;

	if (t->why->reason != TASK_SWITCH_BY_IRET && t->why->reason != TASK_SWITCH_BY_JMP)
		return EXEC_OK;
	res = selector_read(&t->env, t->old.selector, X86_TRAP_TS, &desc, &at);
	if (res)
		return res;
	byte = (desc & ~DESC_BUSY) >> 40;
	return access(t, at + 5, &byte, 1, true);
}

/* Nested tasks know which one to return to. */
static enum exec_result link_new(struct task *t)
{
	enum exec_result res = EXEC_OK;
	u16 link = t->old.selector;
	u8 byte;

	if (t->why->reason == TASK_SWITCH_BY_CALL || t->why->reason == TASK_SWITCH_BY_GATE)
		res = access(t, t->seg.base, &link, sizeof(link), true);
	if (!res && t->why->reason != TASK_SWITCH_BY_IRET) {
		byte = (t->desc | DESC_BUSY) >> 40;
		res = access(t, t->desc_at + 5, &byte, 1, true);
	}
	return res;
}

/* ---- the new task ------------------------------------------------------- */

static void load_registers(struct task *t, u64 *rflags)
{
	struct vcpu *vcpu = t->vcpu;
	bool wide = is_32bit(&t->seg);
	u32 size = wide ? 4 : 2, i;

	for (i = 0; i < 8; i++)
		reg_write(vcpu, i, get(t, (wide ? TSS32_REGS : TSS16_REGS) + i * size, size));
	reg_write(vcpu, REG_RIP, get(t, wide ? TSS32_EIP : TSS16_IP, size));
	*rflags = (get(t, wide ? TSS32_EFLAGS : TSS16_FLAGS, size) & RFLAGS_VALID) |
		  X86_EFLAGS_FIXED;
	if (t->why->reason == TASK_SWITCH_BY_CALL || t->why->reason == TASK_SWITCH_BY_GATE)
		*rflags |= X86_EFLAGS_NT;
	rflags_write(vcpu, *rflags);

	t->seg.type |= DESC_TSS_BUSY;
	vendor->set_segment(vcpu, &t->seg, SEG_TR);
	cr0_set(vcpu, cr0_read(vcpu) | X86_CR0_TS);
	dr_set(vcpu, 7, vcpu->dr7 & ~DR7_LOCAL);
	vendor->set_shadow(vcpu, 0);
}

static u16 new_selector(const struct task *t, int seg)
{
	bool wide = is_32bit(&t->seg);

	if (!wide && (seg == SEG_FS || seg == SEG_GS))
		return 0;
	return get(t, (wide ? TSS32_SEGS : TSS16_SEGS) + seg * (wide ? 4 : 2), 2);
}

/*
 * Selectors first: a fault in the middle finds all of the new ones, at the new
 * level, with hidden parts of the old task.
 */
static void load_selectors(struct task *t)
{
	struct minikvm_segment var;
	int seg;

	for (seg = SEG_ES; seg <= SEG_GS; seg++) {
		vendor->get_segment(t->vcpu, &var, seg);
		var.selector = new_selector(t, seg);
		if (seg == SEG_CS || seg == SEG_SS)
			var.dpl = t->env.cpl;
		vendor->set_segment(t->vcpu, &var, seg);
	}
}

static enum exec_result load_segments(struct task *t)
{
	static const u8 order[] = { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS };
	struct minikvm_segment var = { .unusable = 1 };
	enum exec_result res;
	u32 i;

	vendor->set_segment(t->vcpu, &var, SEG_LDTR);
	res = selector_load(&t->env, SEG_LDTR,
			    get(t, is_32bit(&t->seg) ? TSS32_LDT : TSS16_LDT, 2),
			    TRANSFER_TASK, &var);
	if (res)
		return res;
	vendor->set_segment(t->vcpu, &var, SEG_LDTR);
	t->env.ldt = var;
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		vendor->get_segment(t->vcpu, &var, order[i]);
		res = selector_load(&t->env, order[i], new_selector(t, order[i]), TRANSFER_TASK,
				    &var);
		if (res)
			return res;
		vendor->set_segment(t->vcpu, &var, order[i]);
	}
	return EXEC_OK;
}

/* The error code of an exception that came through the gate. */
static enum exec_result push_error_code(struct task *t)
{
	struct vcpu *vcpu = t->vcpu;
	u32 size = is_32bit(&t->seg) ? 4 : 2;
	u64 rsp = reg_read(vcpu, REG_RSP), linear;
	enum exec_result res;
	struct x86_segment ss;
	u64 mask, sp;

	x86_segment_load(vcpu, SEG_SS, &ss);
	mask = ss.big ? 0xffffffff : 0xffff;
	sp = (rsp - size) & mask;
	if (x86_linearize(&ss, x86_mode(vcpu), sp, size, true, &linear, &t->env.fault))
		return EXEC_FAULT;
	res = access(t, linear, &(u32){ t->why->error_code }, size, true);
	if (!res)
		reg_write(vcpu, REG_RSP, (rsp & ~mask) | sp);
	return res;
}

static enum exec_result enter_new(struct task *t)
{
	struct vcpu *vcpu = t->vcpu;
	struct minikvm_segment cs;
	enum exec_result res;
	u64 rflags;

	if (is_32bit(&t->seg) && is_paging(vcpu) && cr3_set(vcpu, get(t, TSS32_CR3, 4)))
		return fault(t, X86_TRAP_GP, 0);
	load_registers(t, &rflags);
	t->env.vm86 = rflags & X86_EFLAGS_VM;
	t->env.cpl = t->env.vm86 ? 3 : new_selector(t, SEG_CS) & 3;
	load_selectors(t);
	res = load_segments(t);
	if (!res && t->why->has_error_code)
		res = push_error_code(t);
	if (res)
		return res;
	vendor->get_segment(vcpu, &cs, SEG_CS);
	if (rip_read(vcpu) > cs.limit)
		return fault(t, X86_TRAP_GP, 0);
	if (is_32bit(&t->seg) && (t->tss[TSS32_TRAP] & 1))
		inject_db(vcpu, DR6_BT);
	return EXEC_OK;
}

static enum exec_result leave_old(struct task *t)
{
	enum exec_result res = check_gate(t);

	if (!res)
		res = find_new(t);
	if (!res)
		res = save_old(t);
	if (!res)
		res = free_old(t);
	return res ? res : link_new(t);
}

/**
 * task_switch_exec - switch to another task
 * @vcpu: the vCPU, in RUN, RIP at the instruction if one asked for it
 * @why: what asked for it, and for which task
 *
 * Return: EXIT_RESUME, in the new task or with an exception pending;
 * EXIT_TO_USER with MINIKVM_EXIT_INTERNAL_ERROR if a table is not memory.
 * SDM: "Task Switching".
 */
enum exit_action task_switch_exec(struct vcpu *vcpu, const struct task_switch *why)
{
	struct task t = { .vcpu = vcpu, .why = why };
	enum exec_result res;

	emul_selector_env(vcpu, &t.env);
	t.env.ops = &table_ops;
	t.env.opaque = &t;
	vendor->get_segment(vcpu, &t.old, SEG_TR);

	res = leave_old(&t);
	if (!res)
		res = enter_new(&t);
	if (res == EXEC_FAULT)
		gva_inject(vcpu, &t.env.fault);
	else if (res)
		return vcpu_internal_error(vcpu, MINIKVM_INTERNAL_ERROR_EMULATION);
	return EXIT_RESUME;
}
