// SPDX-License-Identifier: GPL-2.0
/*
 * The state a vCPU starts with, and printing the state of one that cannot go on.
 *
 * vCPU 0 enters the kernel in 64-bit mode as Linux's boot protocol asks (Linux
 * Documentation/arch/x86/boot.rst, "64-bit Boot Protocol"), or in 32-bit mode as PVH's does (Xen
 * docs/misc/pvh.pandoc, "Booting"); the others wait for INIT and SIPI in the in-kernel local APIC.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "cpuid.h"
#include "machine.h"
#include "report.h"
#include "types.h"
#include "vcpu.h"

#define CR0_PE			BIT_ULL(0)
#define CR0_ET			BIT_ULL(4)
#define CR0_NE			BIT_ULL(5)
#define CR0_PG			BIT_ULL(31)
#define CR4_PAE			BIT_ULL(5)
#define EFER_LME		BIT_ULL(8)
#define EFER_LMA		BIT_ULL(10)

#define MSR_IA32_MISC_ENABLE	0x1a0
#define MISC_ENABLE_FAST_STRING	BIT_ULL(0)
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MTRR_ENABLE_WB		0x806		/* MTRRs on, default type write-back */

#define APIC_LVT_LINT0		0x350
#define APIC_LVT_LINT1		0x360
#define LVT_MODE_NMI		0x400
#define LVT_MODE_EXTINT		0x700

static int set_cpuid(struct vcpu *vcpu)
{
	struct machine *m = vcpu->m;
	struct cpuid_topology topo = {
		.apic_id = vcpu->id,
		.nr_cores = m->cfg->nr_cores,
		.nr_threads = m->cfg->nr_threads,
		.tsc_deadline = m->accel.tsc_deadline,
	};
	struct minikvm_cpuid2 *cpuid = cpuid_build(m->accel.cpuid, &topo);
	int ret;

	if (!cpuid)
		return report("no memory for a CPUID table");
	ret = ioctl(vcpu->fd, MINIKVM_SET_CPUID2, cpuid);
	free(cpuid);
	if (ret)
		return report("%s: SET_CPUID2 failed on vCPU %u: %s", m->accel.path, vcpu->id,
			      strerror(errno));
	return 0;
}

/* What firmware leaves behind in MSRs. Both are conveniences: a refusal is no reason not to run. */
static void set_msrs(struct vcpu *vcpu)
{
	static const struct minikvm_msr_entry values[] = {
		{ .index = MSR_IA32_MISC_ENABLE, .data = MISC_ENABLE_FAST_STRING },
		{ .index = MSR_MTRR_DEF_TYPE, .data = MTRR_ENABLE_WB },
	};
	union {
		struct minikvm_msrs msrs;
		u8 room[sizeof(struct minikvm_msrs) + sizeof(struct minikvm_msr_entry)];
	} arg = { .msrs.nmsrs = 1 };
	size_t i;

	for (i = 0; i < ARRAY_SIZE(values); i++) {
		arg.msrs.entries[0] = values[i];
		if (ioctl(vcpu->fd, MINIKVM_SET_MSRS, &arg) != 1)
			report("note: %s refuses MSR 0x%x", vcpu->m->accel.path, values[i].index);
	}
}

/*
 * Virtual wire: the 8259s' output on LINT0, NMI on LINT1 (MultiProcessor Specification 1.4,
 * "Virtual Wire Mode").
 */
static int set_lapic(struct vcpu *vcpu)
{
	struct minikvm_lapic_state lapic;
	u32 lint0 = LVT_MODE_EXTINT, lint1 = LVT_MODE_NMI;

	if (ioctl(vcpu->fd, MINIKVM_GET_LAPIC, &lapic))
		return report("%s: GET_LAPIC failed on vCPU %u: %s", vcpu->m->accel.path, vcpu->id,
			      strerror(errno));
	memcpy(lapic.regs + APIC_LVT_LINT0, &lint0, sizeof(lint0));
	memcpy(lapic.regs + APIC_LVT_LINT1, &lint1, sizeof(lint1));
	if (ioctl(vcpu->fd, MINIKVM_SET_LAPIC, &lapic))
		return report("%s: SET_LAPIC failed on vCPU %u: %s", vcpu->m->accel.path, vcpu->id,
			      strerror(errno));
	return 0;
}

static void set_segments(struct minikvm_sregs *sregs, bool pvh)
{
	const struct minikvm_segment code = {
		.selector = BOOT_CS,
		.limit = 0xffffffff,
		.type = 0xb,
		.present = 1,
		.s = 1,
		.l = !pvh,
		.db = pvh,
		.g = 1,
	};
	const struct minikvm_segment data = {
		.selector = BOOT_DS,
		.limit = 0xffffffff,
		.type = 0x3,
		.present = 1,
		.s = 1,
		.db = 1,
		.g = 1,
	};

	sregs->cs = code;
	sregs->ds = data;
	sregs->es = data;
	sregs->fs = data;
	sregs->gs = data;
	sregs->ss = data;
	/* VM entry wants a busy TSS and accepts no LDT. */
	sregs->tr = (struct minikvm_segment){
		.limit = pvh ? 0x67 : 0xffff, .type = 0xb, .present = 1,
	};
	sregs->ldt = (struct minikvm_segment){ .limit = 0xffff, .type = 0x2, .present = 1 };
	sregs->idt = (struct minikvm_dtable){ 0 };
}

static int set_registers(struct vcpu *vcpu)
{
	bool pvh = vcpu->m->boot.protocol == BOOT_PVH;
	struct minikvm_regs regs = { .rip = vcpu->m->boot.entry, .rflags = 2 };
	struct minikvm_sregs sregs;

	if (ioctl(vcpu->fd, MINIKVM_GET_SREGS, &sregs))
		return report("%s: GET_SREGS failed: %s", vcpu->m->accel.path, strerror(errno));
	set_segments(&sregs, pvh);
	if (pvh) {
		regs.rbx = BOOT_PARAMS_GPA;
		sregs.gdt = (struct minikvm_dtable){ 0 };
		sregs.cr0 = CR0_PE | CR0_ET | CR0_NE;
		sregs.cr3 = 0;
		sregs.cr4 = 0;
		sregs.efer = 0;
	} else {
		regs.rsi = BOOT_PARAMS_GPA;
		regs.rsp = BOOT_STACK_GPA;
		sregs.gdt = (struct minikvm_dtable){
			.base = BOOT_GDT_GPA, .limit = BOOT_GDT_SIZE - 1,
		};
		sregs.cr0 = CR0_PE | CR0_ET | CR0_NE | CR0_PG;
		sregs.cr3 = BOOT_PML4_GPA;
		sregs.cr4 = CR4_PAE;
		sregs.efer = EFER_LME | EFER_LMA;
	}
	if (ioctl(vcpu->fd, MINIKVM_SET_SREGS, &sregs))
		return report("%s: SET_SREGS failed: %s", vcpu->m->accel.path, strerror(errno));
	if (ioctl(vcpu->fd, MINIKVM_SET_REGS, &regs))
		return report("%s: SET_REGS failed: %s", vcpu->m->accel.path, strerror(errno));
	return 0;
}

int vcpu_reset_state(struct vcpu *vcpu)
{
	if (set_cpuid(vcpu))
		return -1;
	set_msrs(vcpu);
	if (set_lapic(vcpu))
		return -1;
	return vcpu->id == 0 ? set_registers(vcpu) : 0;
}

static void report_segment(const char *name, const struct minikvm_segment *s)
{
	report("  %-3s %04x base %016llx limit %08x type %x s%u dpl%u p%u db%u l%u g%u%s", name,
	       s->selector, s->base, s->limit, s->type, s->s, s->dpl,
	       s->present, s->db, s->l, s->g, s->unusable ? " unusable" : "");
}

void vcpu_report_state(struct vcpu *vcpu)
{
	struct minikvm_regs r;
	struct minikvm_sregs s;

	if (ioctl(vcpu->fd, MINIKVM_GET_REGS, &r) || ioctl(vcpu->fd, MINIKVM_GET_SREGS, &s)) {
		report("vCPU %u: registers cannot be read: %s", vcpu->id, strerror(errno));
		return;
	}
	report("vCPU %u stopped at rip %016llx, rflags %08llx, rsp %016llx", vcpu->id, r.rip,
	       r.rflags, r.rsp);
	report("  rax %016llx rbx %016llx rcx %016llx rdx %016llx", r.rax, r.rbx,
	       r.rcx, r.rdx);
	report("  rsi %016llx rdi %016llx rbp %016llx r8  %016llx", r.rsi, r.rdi,
	       r.rbp, r.r8);
	report("  r9  %016llx r10 %016llx r11 %016llx r12 %016llx", r.r9, r.r10,
	       r.r11, r.r12);
	report("  r13 %016llx r14 %016llx r15 %016llx", r.r13, r.r14, r.r15);
	report("  cr0 %08llx cr2 %016llx cr3 %016llx cr4 %08llx efer %llx", s.cr0, s.cr2,
	       s.cr3, s.cr4, s.efer);
	report_segment("cs", &s.cs);
	report_segment("ss", &s.ss);
	report_segment("ds", &s.ds);
	report_segment("tr", &s.tr);
	report("  gdt %016llx/%x idt %016llx/%x", s.gdt.base, s.gdt.limit, s.idt.base,
	       s.idt.limit);
}
