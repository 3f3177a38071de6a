// SPDX-License-Identifier: GPL-2.0
/*
 * Asks the CPU about each rule of the VM-entry checker: a VMCS that breaks nothing is entered, one
 * that breaks just this rule is refused in the rule's way, and the checker names the rule from the
 * same VMCS. The result, as TAP, is the file vmcs_rules of debugfs.
 *
 * Everything runs while the module loads, on one CPU with preemption off. No other hypervisor may
 * have that CPU.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/debugfs.h>
#include <linux/hw_breakpoint.h>
#include <linux/module.h>
#include <linux/objtool.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <asm/cpu_entry_area.h>
#include <asm/debugreg.h>
#include <asm/desc.h>
#include <asm/tlbflush.h>

#include "../../module/vmx/check_impl.h"
#include "../../module/vmx/vmx_insn.h"
#include "image.h"
#include "rules.h"

static char *lax = "";
module_param(lax, charp, 0444);
MODULE_PARM_DESC(lax, "emulator whose known departures from the manual are expected: bochs");

static char *only = "";
module_param(only, charp, 0444);
MODULE_PARM_DESC(only, "name of the one rule to break");

/* How a VM entry ended. */
struct outcome {
	bool failed;			/* VMfail */
	u32 error;			/* VM-instruction error then */
	u32 reason;			/* or else the exit reason */
};

/**
 * struct bench - what the tests need, made once
 * @env: of the images
 * @vmxon: region
 * @vmcs: region
 * @ept: one table of each level
 * @guest: pages of the guest
 * @data: see image.h
 * @shadow: see image.h
 * @image: the VMCS that is tried
 * @refused: VMREADs and VMWRITEs that failed: fields that the CPU does not have
 */
struct bench {
	struct image_env env;
	u32 *vmxon, *vmcs;
	u64 *ept[4];
	u8 *guest[IMAGE_GUEST_PAGES];
	u8 *data, *shadow;
	struct image image;
	unsigned int refused;
};

static struct bench *bench;
static char *report;
static size_t report_len;
static struct dentry *file;
static unsigned int points;

#define REPORT_SIZE	(64 * 1024)

static __printf(1, 2) void say(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report_len += vscnprintf(report + report_len, REPORT_SIZE - report_len, fmt, ap);
	va_end(ap);
}

void vmx_insn_failed(const char *insn, unsigned long operand, unsigned long value)
{
	bench->refused++;
}

void vmx_insn_faulted(const char *insn)
{
	pr_err_once("%s faulted\n", insn);
}

static u64 read_field(void *opaque, u32 encoding)
{
	return vmcs_read_any(encoding);
}

static u64 read_msr(void *opaque, u32 index)
{
	return image_cap(opaque, index);
}

static bool read_memory(void *opaque, u64 pa, void *buf, u32 len)
{
	if (!pfn_valid(pa >> PAGE_SHIFT))
		return false;
	return !copy_from_kernel_nofault(buf, __va(pa), len);
}

/*
 * A VM exit lands at vmcs_rules_exit with CF and ZF clear; a VMLAUNCH that fails goes on there with
 * one of them set. Guests execute nothing but HLT and CPUID.
 */
extern char vmcs_rules_exit[];

static noinline bool launch(void)
{
	bool failed;

	asm volatile("vmwrite %%rsp, %[field]\n\t"
		     "vmlaunch\n"
		     ".globl vmcs_rules_exit\n"
		     "vmcs_rules_exit:\n\t"
		     ANNOTATE_NOENDBR
		     "setbe %[failed]"
		     : [failed] "=qm" (failed)
		     : [field] "r" ((unsigned long)VMCS_F_HOST_RSP)
		     : "rax", "rbx", "rcx", "rdx", "cc", "memory");
	return failed;
}

/* Makes the bench's image the current VMCS; how many of its fields does this CPU not have? */
static unsigned int load_image(void)
{
	u64 pa = __pa(bench->vmcs);
	unsigned int i;

	vmx_vmclear(pa);
	vmx_vmptrld(pa);
	bench->refused = 0;
	for (i = 0; i < bench->image.nr; i++)
		vmcs_write_any(bench->image.field[i].encoding, bench->image.field[i].value);
	return bench->refused;
}

static struct outcome try_entry(void)
{
	struct outcome out = { 0 };
	unsigned long flags;

	local_irq_save(flags);
	out.failed = launch();
	if (out.failed)
		out.error = vmcs_read_any(VMCS_F_VM_INSTRUCTION_ERROR);
	else
		out.reason = vmcs_read_any(VMCS_F_VM_EXIT_REASON);
	/* VM exits set the limits of GDTR and TR to fixed values, and clear DR7. */
	load_fixmap_gdt(smp_processor_id());
	invalidate_tss_limit();
	if (hw_breakpoint_active())
		hw_breakpoint_restore();
	local_irq_restore(flags);
	return out;
}

static const char *tell(struct outcome out)
{
	static char text[48];

	if (out.failed)
		snprintf(text, sizeof(text), "VM-instruction error %u", out.error);
	else if (out.reason >> 31)
		snprintf(text, sizeof(text), "entry failure, exit reason %u", out.reason & 0xffff);
	else
		snprintf(text, sizeof(text), "exit reason %u", out.reason & 0xffff);
	return text;
}

static bool ended_as(struct outcome out, enum vmcs_area area)
{
	switch (area) {
	case VMCS_AREA_CONTROLS:
		return out.failed && out.error == 7;
	case VMCS_AREA_HOST:
		return out.failed && out.error == 8;
	case VMCS_AREA_GUEST:
		return !out.failed && out.reason == (BIT(31) | 33);
	default:
		return !out.failed && out.reason == (BIT(31) | 34);
	}
}

static void try_base(const struct vmcs_source *src, enum image_base base)
{
	unsigned int n, i, refused;
	struct vmcs_finding found[4];
	struct outcome out;
	bool ok;

	image_init(&bench->image, &bench->env, base);
	refused = load_image();
	n = vmcs_check_all(src, found, ARRAY_SIZE(found));
	out = try_entry();
	ok = !n && !refused && !out.failed && out.reason == image_base_exit(base);
	say("%sok %u - a valid VMCS of a %s guest keeps all rules, and its first exit is %u\n",
	    ok ? "" : "not ", ++points, image_base_name(base), image_base_exit(base));
	if (!ok)
		say("# the CPU: %s\n", tell(out));
	for (i = 0; i < min_t(unsigned int, n, ARRAY_SIZE(found)); i++)
		say("# the checker: %s\n", found[i].rule->name);
}

/* What the CPU must not have, for a rule to be broken at all. */
static bool cannot_be_broken(const struct rule_break *b)
{
	static const struct {
		const char *rule;
		u32 msr;
		u64 bit;
	} unless[] = {
		{ "eptp-accessed-dirty", CAP_EPT_VPID, BIT(21) },
		{ "injection-error-code-wanted", CAP_BASIC, CAP_BASIC_ANY_ERROR },
		{ "injection-error-code-unwanted", CAP_BASIC, CAP_BASIC_ANY_ERROR },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(unless); i++) {
		if (!strcmp(unless[i].rule, b->rule))
			return image_cap(&bench->env, unless[i].msr) & unless[i].bit;
	}
	return false;
}

/* Did the break set a control that the CPU does not have, on the way to something else? */
static bool control_missing(const struct vmcs_finding *found, unsigned int n, const char *rule)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		if (strcmp(found[i].rule->name, rule) && strstr(found[i].rule->name, "-allowed"))
			return true;
	}
	return false;
}

static void try_break(const struct vmcs_source *src, const struct rule_break *b)
{
	const struct departure *departs = find_departure(lax, b->rule);
	unsigned int n, i, shown, refused;
	struct vmcs_finding found[4];
	struct outcome out;
	bool ok;

	image_init(&bench->image, &bench->env, b->base);
	image_break(&bench->image, &bench->env, b);
	refused = load_image();
	n = vmcs_check_all(src, found, ARRAY_SIZE(found));
	shown = min_t(unsigned int, n, ARRAY_SIZE(found));
	if (control_missing(found, shown, b->rule) || cannot_be_broken(b)) {
		say("ok %u - %s # SKIP not on this CPU: %s\n", ++points, b->rule,
		    cannot_be_broken(b) ? "nothing breaks it" : "a control it is about is missing");
		return;
	}
	out = try_entry();
	ok = n == 1 && !refused && !strcmp(found[0].rule->name, b->rule) &&
	     (departs ? departure_seen(departs, out.failed, out.failed ? out.error : out.reason) :
			ended_as(out, found[0].section->area));
	say("%sok %u - %s: %s%s%s\n", ok ? "" : "not ", ++points, b->rule, tell(out),
	    departs ? "; not as the manual says, but known: " : "", departs ? departs->why : "");
	for (i = 0; i < shown && !ok; i++)
		say("# the checker: %s (%s)\n", found[i].rule->name, found[i].section->title);
	if (!ok)
		say("# %u rules broken, %u fields refused\n", n, refused);
}

static void fill_env(void)
{
	struct image_env *env = &bench->env;
	int cpu = smp_processor_id(), i;
	struct desc_ptr idt;

	for (i = 0; i < IMAGE_CAPS; i++)
		rdmsrl_safe(IMAGE_CAP_FIRST + i, &env->caps[i]);
	env->eptp = __pa(bench->ept[0]) | 3 << 3 | 6;
	env->data = __pa(bench->data);
	env->shadow = __pa(bench->shadow);
	env->host_cr0 = read_cr0();
	env->host_cr3 = __read_cr3();
	env->host_cr4 = __read_cr4();
	rdmsrl(MSR_EFER, env->host_efer);
	rdmsrl(MSR_IA32_CR_PAT, env->host_pat);
	env->host_rip = (unsigned long)vmcs_rules_exit;
	rdmsrl(MSR_FS_BASE, env->host_fs_base);
	rdmsrl(MSR_GS_BASE, env->host_gs_base);
	env->host_tr_base = (unsigned long)&get_cpu_entry_area(cpu)->tss.x86_tss;
	env->host_gdtr_base = (unsigned long)get_cpu_gdt_ro(cpu);
	store_idt(&idt);
	env->host_idtr_base = idt.address;
	rdmsrl(MSR_IA32_SYSENTER_ESP, env->host_sysenter_esp);
	rdmsrl(MSR_IA32_SYSENTER_EIP, env->host_sysenter_eip);
	rdmsrl(MSR_IA32_SYSENTER_CS, env->host_sysenter_cs);
	env->host_cs = __KERNEL_CS;
	env->host_ss = __KERNEL_DS;
	env->host_tr = GDT_ENTRY_TSS * 8;
}

static void fill_pages(void)
{
	int i;

	/* Tables of EPT: each present entry may be read, written and executed; leaves are WB. */
	for (i = 0; i < 3; i++)
		bench->ept[i][0] = __pa(bench->ept[i + 1]) | 7;
	for (i = 0; i < IMAGE_GUEST_PAGES; i++) {
		bench->ept[3][i] = __pa(bench->guest[i]) | 6 << 3 | 7;
		image_guest_page(bench->guest[i], i);
	}
	image_data_page(bench->data, &bench->env);
	image_shadow_page(bench->shadow, &bench->env);
	*bench->vmxon = vmx_basic_vmcs_revision_id(bench->env.caps[0]);
	*bench->vmcs = *bench->vmxon;
}

static void try_all(void)
{
	struct vmcs_source src = {
		.field = read_field,
		.msr = read_msr,
		.memory = read_memory,
		.opaque = &bench->env,
		.phys_bits = cpuid_eax(0x80000008),
		.linear_bits = cpuid_eax(0x80000008) >> 8,
	};
	const struct rule_break *b;
	int base;

	for (base = 0; base < NR_BASES; base++)
		try_base(&src, base);
	for (b = rule_breaks; b->rule; b++) {
		if (!*only || !strcmp(only, b->rule))
			try_break(&src, b);
	}
	say("1..%u\n", points);
}

/* In VMX operation on this CPU, preemption off. */
static int with_vmx(void)
{
	u64 pa;

	if (__read_cr4() & X86_CR4_VMXE)
		return -EBUSY;
	cr4_set_bits(X86_CR4_VMXE);
	fill_env();
	fill_pages();
	pa = __pa(bench->vmxon);
	asm goto("1: vmxon %[pa]\n\t"
		 "jbe %l[failed]\n\t"
		 VMX_FAULTS_TO(failed)
		 : : [pa] "m" (pa) : "cc", "memory" : failed);
	try_all();
	vmx_vmclear(__pa(bench->vmcs));
	asm volatile("vmxoff" : : : "cc");
	cr4_clear_bits(X86_CR4_VMXE);
	return 0;
failed:
	cr4_clear_bits(X86_CR4_VMXE);
	return -EIO;
}

static int rules_show(struct seq_file *m, void *unused)
{
	seq_write(m, report, report_len);
	return 0;
}
DEFINE_SHOW_ATTRIBUTE(rules);

/* A page that free_bench() finds. */
static bool get_page_for(void *where)
{
	*(unsigned long *)where = get_zeroed_page(GFP_KERNEL);
	return *(unsigned long *)where;
}

static bool make_bench(void)
{
	bool ok = true;
	int i;

	bench = kzalloc(sizeof(*bench), GFP_KERNEL);
	report = kvmalloc(REPORT_SIZE, GFP_KERNEL);
	if (!bench || !report)
		return false;
	for (i = 0; i < ARRAY_SIZE(bench->ept); i++)
		ok &= get_page_for(&bench->ept[i]);
	for (i = 0; i < IMAGE_GUEST_PAGES; i++)
		ok &= get_page_for(&bench->guest[i]);
	ok &= get_page_for(&bench->vmxon);
	ok &= get_page_for(&bench->vmcs);
	ok &= get_page_for(&bench->data);
	return ok & get_page_for(&bench->shadow);
}

static void free_bench(void)
{
	int i;

	if (!bench)
		return;
	for (i = 0; i < ARRAY_SIZE(bench->ept); i++)
		free_page((unsigned long)bench->ept[i]);
	for (i = 0; i < IMAGE_GUEST_PAGES; i++)
		free_page((unsigned long)bench->guest[i]);
	free_page((unsigned long)bench->vmxon);
	free_page((unsigned long)bench->vmcs);
	free_page((unsigned long)bench->data);
	free_page((unsigned long)bench->shadow);
	kfree(bench);
	bench = NULL;
}

static int __init rules_init(void)
{
	int err = -ENOMEM;

	if (!boot_cpu_has(X86_FEATURE_VMX))
		return -EOPNOTSUPP;
	if (make_bench()) {
		preempt_disable();
		err = with_vmx();
		preempt_enable();
	}
	free_bench();
	if (err)
		kvfree(report);
	else
		file = debugfs_create_file("vmcs_rules", 0400, NULL, NULL, &rules_fops);
	return err;
}

static void __exit rules_exit(void)
{
	debugfs_remove(file);
	kvfree(report);
}

module_init(rules_init);
module_exit(rules_exit);
MODULE_DESCRIPTION("Breaks each rule of VM entry, and asks the CPU");
MODULE_LICENSE("GPL");
