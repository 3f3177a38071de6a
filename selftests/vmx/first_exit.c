// SPDX-License-Identifier: GPL-2.0
/*
 * From VMXON to the first VM exit: the smallest hypervisor there is, in 100 lines of C (comments,
 * blank lines and lone braces not counted). The guest is one function of this module, guest_main(),
 * in the kernel's own address space; it executes HLT, which exits.
 *
 *	insmod first_exit.ko; dmesg | tail -n 1; rmmod first_exit
 *
 * Source: Intel SDM vol. 3C (December 2023), "Introduction to Virtual Machine Extensions",
 * "Virtual-Machine Control Structures", "VM Entries".
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/module.h>
#include <asm/cpu_entry_area.h>
#include <asm/desc.h>
#include <asm/tlbflush.h>
#include <asm/vmx.h>

/* The first 4 bytes of either hold the revision identifier; the rest is the CPU's. */
static u32 vmxon_region[1024] __aligned(PAGE_SIZE), vmcs[1024] __aligned(PAGE_SIZE);
static char stack[1024] __aligned(16);

static noinline notrace void guest_main(void)
{
	asm volatile("hlt");
}

/* What we want of a word of controls, if the CPU has it, and what the CPU insists on. */
static u32 control(u32 index, u32 wanted)
{
	return (wanted & (native_read_msr(index) >> 32)) | (u32)native_read_msr(index);
}

static void vmwrite(unsigned long field, unsigned long value)
{
	asm volatile("vmwrite %1, %0" : : "r" (field), "rm" (value) : "cc");
}

static unsigned long vmread(unsigned long field)
{
	unsigned long value;

	asm volatile("vmread %1, %0" : "=r" (value) : "r" (field) : "cc");
	return value;
}

static void write_controls(void)
{
	vmwrite(PIN_BASED_VM_EXEC_CONTROL, control(MSR_IA32_VMX_PINBASED_CTLS, 0));
	vmwrite(CPU_BASED_VM_EXEC_CONTROL,
		control(MSR_IA32_VMX_PROCBASED_CTLS, CPU_BASED_HLT_EXITING));
	vmwrite(VM_EXIT_CONTROLS, control(MSR_IA32_VMX_EXIT_CTLS, VM_EXIT_HOST_ADDR_SPACE_SIZE));
	vmwrite(VM_ENTRY_CONTROLS, control(MSR_IA32_VMX_ENTRY_CTLS, VM_ENTRY_IA32E_MODE));
	vmwrite(VMCS_LINK_POINTER, ~0ul);
}

/* Host state, which a VM exit loads. The guest begins with the same: it is our kernel. */
static void write_host_and_guest(void)
{
	const struct cpu_entry_area *area = get_cpu_entry_area(smp_processor_id());
	const unsigned long fields[][3] = {
		{ HOST_CR0, GUEST_CR0, read_cr0() },
		{ HOST_CR3, GUEST_CR3, __read_cr3() },
		{ HOST_CR4, GUEST_CR4, __read_cr4() },
		{ HOST_CS_SELECTOR, GUEST_CS_SELECTOR, __KERNEL_CS },
		{ HOST_SS_SELECTOR, GUEST_SS_SELECTOR, __KERNEL_DS },
		{ HOST_TR_SELECTOR, GUEST_TR_SELECTOR, GDT_ENTRY_TSS * 8 },
		{ HOST_TR_BASE, GUEST_TR_BASE, (unsigned long)&area->tss.x86_tss },
		{ HOST_GDTR_BASE, GUEST_GDTR_BASE, (unsigned long)get_current_gdt_ro() },
		{ HOST_IDTR_BASE, GUEST_IDTR_BASE, CPU_ENTRY_AREA_RO_IDT },
		{ HOST_FS_BASE, GUEST_FS_BASE, native_read_msr(MSR_FS_BASE) },
		{ HOST_GS_BASE, GUEST_GS_BASE, native_read_msr(MSR_GS_BASE) },
		{ HOST_IA32_SYSENTER_CS, GUEST_SYSENTER_CS, native_read_msr(MSR_IA32_SYSENTER_CS) },
		{ HOST_IA32_SYSENTER_ESP, GUEST_SYSENTER_ESP,
		  native_read_msr(MSR_IA32_SYSENTER_ESP) },
		{ HOST_IA32_SYSENTER_EIP, GUEST_SYSENTER_EIP,
		  native_read_msr(MSR_IA32_SYSENTER_EIP) },
	};
	int i;

	for (i = 0; i < ARRAY_SIZE(fields); i++) {
		vmwrite(fields[i][0], fields[i][2]);
		vmwrite(fields[i][1], fields[i][2]);
	}
}

static void write_guest(void)
{
	u32 field;

	for (field = GUEST_ES_AR_BYTES; field <= GUEST_LDTR_AR_BYTES; field += 2)
		vmwrite(field, 0x10000);		/* unusable, but for these three: */
	vmwrite(GUEST_CS_AR_BYTES, 0xa09b);		/* 64-bit code */
	vmwrite(GUEST_CS_LIMIT, 0xffffffff);
	vmwrite(GUEST_SS_AR_BYTES, 0xc093);		/* data, writable */
	vmwrite(GUEST_SS_LIMIT, 0xffffffff);
	vmwrite(GUEST_TR_AR_BYTES, 0x8b);		/* busy TSS */
	vmwrite(GUEST_TR_LIMIT, 0x67);
	vmwrite(GUEST_RFLAGS, X86_EFLAGS_FIXED);
	vmwrite(GUEST_RSP, (unsigned long)stack + sizeof(stack));
	vmwrite(GUEST_RIP, (unsigned long)guest_main);
}

/* A VM exit lands at 1: with CF and ZF clear. A VMLAUNCH that fails goes on there with one set. */
static noinline bool launch(void)
{
	bool failed;

	asm volatile("vmwrite %%rsp, %[rsp]\n\t"
		     "lea 1f(%%rip), %%rax\n\t"
		     "vmwrite %%rax, %[rip]\n\t"
		     "vmlaunch\n"
		     "1:	setbe %[failed]"
		     : [failed] "=qm" (failed)
		     : [rsp] "r" ((unsigned long)HOST_RSP), [rip] "r" ((unsigned long)HOST_RIP)
		     : "rax", "cc", "memory");
	return failed;
}

/* Interrupts are off: this CPU is ours. Between VMXON and VMXOFF it is in VMX operation. */
static void run_guest(u64 vmxon_pa, u64 vmcs_pa)
{
	cr4_set_bits(X86_CR4_VMXE);
	asm volatile("vmxon %0" : : "m" (vmxon_pa) : "cc", "memory");
	asm volatile("vmclear %0" : : "m" (vmcs_pa) : "cc", "memory");
	asm volatile("vmptrld %0" : : "m" (vmcs_pa) : "cc", "memory");
	write_controls();
	write_host_and_guest();
	write_guest();
	if (launch())
		pr_err("VMLAUNCH failed: VM-instruction error %lu\n", vmread(VM_INSTRUCTION_ERROR));
	else
		pr_info("exit reason %lu\n", vmread(VM_EXIT_REASON));
	asm volatile("vmclear %0" : : "m" (vmcs_pa) : "cc", "memory");
	asm volatile("vmxoff" : : : "cc");
	cr4_clear_bits(X86_CR4_VMXE);
	/* VM exits leave TR and GDTR with limits of their own. */
	load_fixmap_gdt(smp_processor_id());
	invalidate_tss_limit();
}

static int __init first_exit_init(void)
{
	if (!boot_cpu_has(X86_FEATURE_VMX) || __read_cr4() & X86_CR4_VMXE)
		return -EOPNOTSUPP;			/* no VMX, or somebody else has it */
	vmxon_region[0] = native_read_msr(MSR_IA32_VMX_BASIC);
	vmcs[0] = vmxon_region[0];
	local_irq_disable();
	run_guest(slow_virt_to_phys(vmxon_region), slow_virt_to_phys(vmcs));
	local_irq_enable();
	return 0;
}

static void __exit first_exit_exit(void)
{
}

module_init(first_exit_init);
module_exit(first_exit_exit);
MODULE_DESCRIPTION("From VMXON to the first VM exit");
MODULE_LICENSE("GPL");
