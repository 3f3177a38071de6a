// SPDX-License-Identifier: GPL-2.0
/*
 * What the CPU does for an in-kernel local APIC: which of the APIC
 * virtualization controls are on in which mode, the interrupts it delivers by
 * itself, and the exits that remain.
 *
 *	TPR shadow			MOV CR8 without an exit
 *	virtualize APIC accesses	xAPIC registers, at one physical address
 *	virtualize x2APIC mode		x2APIC registers, RDMSR and WRMSR
 *	APIC-register virtualization	... not the TPR only
 *	virtual-interrupt delivery	IRR to ISR, EOI and self-IPI without an exit
 *
 * All work on the register page that lapic.c keeps, so no state is moved when
 * they change. Posted interrupts are not used: who sends an interrupt to a vCPU
 * that is in the guest forces an exit, and its next entry delivers.
 *
 * Source: Intel SDM vol. 3C (December 2023), "APIC Virtualization and Virtual
 * Interrupts"; "Virtual-Machine Control Structures": "Controls for APIC
 * Virtualization".
 */
#include <linux/bitmap.h>
#include <linux/module.h>
#include <asm/apicdef.h>

#include "vmx.h"
#include "../irqchip/irqchip.h"
#include "../irqchip/lapic.h"
#include "../mmu/mmu.h"
#include "../x86/x86.h"

/* The bit of a register in a set of x2APIC MSRs. */
#define X2APIC_BIT(offset)	BIT_ULL((offset) >> 4)

/*
 * Emulated CPUs, for which guest_slice is set, may lose the vector of an interrupt
 * that they deliver, when its delivery touches a page that EPT does not map yet.
 */
static int apicv = -1;
module_param(apicv, int, 0444);
MODULE_PARM_DESC(apicv, "Let the CPU virtualize local APICs: 0 no, 1 if it can, -1 (default) if it can and guest_slice is 0");

static bool apicv_wanted(void)
{
	/* Once and for all: the answer is the same for CPUs that come later. */
	if (apicv < 0)
		apicv = !guest_slice;
	return apicv;
}

/*
 * At load: which of the controls in @proc2 are of use. None works without a TPR
 * shadow; interrupts are delivered only together with registers that show it.
 */
u32 vmx_apicv_caps(u32 proc, u32 proc2)
{
	const u32 delivery = SECONDARY_EXEC_APIC_REGISTER_VIRT |
			     SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;

	if (!apicv_wanted() || !(proc & CPU_BASED_TPR_SHADOW))
		return proc2 & ~SECONDARY_EXEC_APIC_CONTROLS;
	if ((proc2 & delivery) != delivery)
		proc2 &= ~delivery;
	return proc2;
}

/* At load, after vmx_caps_setup(). */
void vmx_apicv_setup(void)
{
	lapic_tpr_mapped = vmx_caps.proc2 & SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES;
	lapic_posting = vmx_caps.proc2 & SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;
}

/* The APIC-access page, if this CPU recognizes one. */
int vmx_apicv_vm_init(struct vm *vm)
{
	if (!(vmx_caps.proc2 & SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES))
		return 0;
	return mmu_apic_page_create(vm);
}

/*
 * "TPR shadow": MOV CR8 goes to the in-kernel APIC's register page, and exits
 * only when it drops below the priority of a waiting interrupt. Returns the
 * primary controls for it; the rest is up to vmx_apic_changed().
 * SDM: "Controls for APIC Virtualization".
 */
u32 vmx_apicv_init(struct vcpu_vmx *vmx, u32 proc)
{
	struct vm *vm = vmx->vcpu.vm;

	vmx->virtual_apic = NULL;
	if (!(proc & CPU_BASED_TPR_SHADOW))
		return proc;
	if (!vmx->vcpu.lapic)
		return proc & ~CPU_BASED_TPR_SHADOW;

	vmx->virtual_apic = lapic_regs_page(&vmx->vcpu);
	vmcs_write64(VIRTUAL_APIC_PAGE_ADDR, __pa(vmx->virtual_apic));
	if (vm->mmu.apic_page)
		vmcs_write64(APIC_ACCESS_ADDR, page_to_phys(vm->mmu.apic_page));
	vmcs_write32(TPR_THRESHOLD, 0);
	vmx->tpr_threshold = 0;
	return proc & ~(CPU_BASED_CR8_LOAD_EXITING | CPU_BASED_CR8_STORE_EXITING);
}

/**
 * vmx_update_tpr - ask for an exit when the guest's priority drops far enough
 * @vcpu: loaded, with an in-kernel APIC whose interrupts are injected
 * @tpr: the guest's CR8
 * @max_irr: the highest vector requested, -1 none
 * SDM: "Controls for APIC Virtualization".
 */
void vmx_update_tpr(struct vcpu *vcpu, int tpr, int max_irr)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u32 threshold = 0;

	if (!vmx->virtual_apic)
		return;
	/* One it does not mask is on its way already. */
	if (max_irr >= 0 && tpr >= max_irr >> 4)
		threshold = max_irr >> 4;
	if (threshold != vmx->tpr_threshold) {
		vmcs_write32(TPR_THRESHOLD, threshold);
		vmx->tpr_threshold = threshold;
	}
}

/* "Virtual-Interrupt Delivery": vectors whose EOI is not only the APIC's business. */
static void load_eoi_exits(struct vcpu *vcpu)
{
	DECLARE_BITMAP(vectors, 256);

	BUILD_BUG_ON(sizeof(vectors) != 4 * sizeof(u64));
	ioapic_eoi_vectors(vcpu->vm, vectors);
	vmcs_write64(EOI_EXIT_BITMAP0, vectors[0]);
	vmcs_write64(EOI_EXIT_BITMAP1, vectors[1]);
	vmcs_write64(EOI_EXIT_BITMAP2, vectors[2]);
	vmcs_write64(EOI_EXIT_BITMAP3, vectors[3]);
}

/**
 * vmx_apic_changed - choose the controls for the APIC's mode
 * @vcpu: loaded, with an in-kernel APIC
 * SDM: "APIC Virtualization and Virtual Interrupts".
 */
void vmx_apic_changed(struct vcpu *vcpu)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);
	u64 reads = 0, writes = 0;
	u32 proc2;

	/* No TPR shadow, or the VMCS has not been filled in yet. */
	if (!vmx->virtual_apic)
		return;

	proc2 = SECONDARY_EXEC_APIC_CONTROLS;
	if (!lapic_at_default(vcpu))
		proc2 &= ~SECONDARY_EXEC_VIRTUALIZE_APIC_ACCESSES;
	if (!lapic_is_x2apic(vcpu))
		proc2 &= ~SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE;
	/* What is requested must not come in, not even from the guest to itself. */
	if (vcpu->guest_debug & MINIKVM_GUESTDBG_BLOCKIRQ)
		proc2 &= ~SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;
	/* The word of memory says what is requested only if we see each request come. */
	if (test_bit(APIC_ATTENTION_VAPIC, &vcpu->apic_attention))
		proc2 &= ~SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY;
	proc2 &= vmx_caps.proc2;

	lapic_set_delivers(vcpu, proc2 & SECONDARY_EXEC_VIRTUAL_INTR_DELIVERY);
	if (lapic_delivers(vcpu)) {
		load_eoi_exits(vcpu);
		/* It has no say now, but a non-zero one must pass checks. */
		vmx_update_tpr(vcpu, 0, -1);
	}
	if (proc2 & SECONDARY_EXEC_VIRTUALIZE_X2APIC_MODE) {
		if (proc2 & SECONDARY_EXEC_APIC_REGISTER_VIRT)
			lapic_x2apic_reads(vcpu, &reads);
		reads |= X2APIC_BIT(APIC_TASKPRI);
		writes |= X2APIC_BIT(APIC_TASKPRI);
		if (lapic_delivers(vcpu))
			writes |= X2APIC_BIT(APIC_EOI) | X2APIC_BIT(APIC_SELF_IPI);
	}
	vmx_msr_bitmap_x2apic(vmx, reads, writes);
	vmcs_ctl_set_proc2(vmx, (vmx->ctl.proc2 & ~SECONDARY_EXEC_APIC_CONTROLS) | proc2);
}

/**
 * vmx_set_virtual_irqs - the "guest interrupt status": RVI and SVI
 * @vcpu: loaded; the CPU delivers its interrupts
 * @request: highest vector in the IRR, -1 for none
 * @service: highest vector in the ISR, -1 for none
 *
 * VM entry evaluates what is pending from it.
 */
void vmx_set_virtual_irqs(struct vcpu *vcpu, int request, int service)
{
	vmcs_write16(GUEST_INTR_STATUS, max(request, 0) | max(service, 0) << 8);
}

/* ---- exits ------------------------------------------------------------------- */

/* MOV CR8 or an equivalent has unmasked a request. */
enum exit_action exit_tpr_threshold(struct vcpu *vcpu)
{
	vcpu_set_request(vcpu, REQ_EVENT);
	return EXIT_RESUME;
}

/**
 * exit_apic_access - an access to the APIC-access page that the CPU left to us
 * @vcpu: the vCPU
 */
enum exit_action exit_apic_access(struct vcpu *vcpu)
{
	unsigned long qual = vmx_exit_qual(to_vmx(vcpu));
	u32 eoi = 0;

	/* What is written to the EOI register does not matter: no need to decode. */
	if (qual_apic_access(qual) == APIC_ACCESS_WRITE && qual_apic_offset(qual) == APIC_EOI) {
		lapic_mmio_write(vcpu, APIC_DEFAULT_PHYS_BASE + APIC_EOI, sizeof(eoi), &eoi);
		vmx_skip_insn(vcpu);
		return EXIT_RESUME;
	}
	return mmio_exec(vcpu, APIC_DEFAULT_PHYS_BASE + qual_apic_offset(qual));
}

/* The CPU wrote a register into the page, and the instruction is over. */
enum exit_action exit_apic_write(struct vcpu *vcpu)
{
	lapic_virtual_write(vcpu, qual_apic_offset(vmx_exit_qual(to_vmx(vcpu))) & ~0xfu);
	return EXIT_RESUME;
}

/* The CPU ended a service, and the instruction is over. */
enum exit_action exit_eoi_induced(struct vcpu *vcpu)
{
	lapic_virtual_eoi(vcpu, vmx_exit_qual(to_vmx(vcpu)));
	return EXIT_RESUME;
}
