// SPDX-License-Identifier: GPL-2.0
/*
 * The guest's registers as the VMCS holds them: segments and descriptor
 * tables, CR0 and CR4 with the bits the guest may change on its own, EFER, and
 * the copies the rest of the module reads.
 *
 * Source: Intel SDM vol. 3C (December 2023), "Guest Register State", "Checks on
 * the Guest State Area", "Guest/Host Masks and Read Shadows for CR0 and CR4".
 */
#include <asm/msr-index.h>
#include <asm/processor-flags.h>
#include <asm/tlbflush.h>

#include "vmx.h"
#include "../x86/x86.h"

/* Nothing of ours depends on these, so the guest changes them without an exit. */
#define CR0_GUEST_OWNED	(X86_CR0_MP | X86_CR0_EM | X86_CR0_TS | X86_CR0_AM | X86_CR0_WP)
#define CR4_GUEST_OWNED	(X86_CR4_PVI | X86_CR4_TSD | X86_CR4_DE | X86_CR4_PGE | \
			 X86_CR4_PCE | X86_CR4_OSFXSR | X86_CR4_OSXMMEXCPT)

#define DR7_ALWAYS_ON	BIT(10)

/* Caching of guest memory is EPT's to decide. */
#define CR0_ALWAYS_OFF	(X86_CR0_NW | X86_CR0_CD)

struct segment_fields {
	u16 selector, base, limit, ar;
};

#define SEGMENT(seg)						\
	[SEG_##seg] = {						\
		.selector	= GUEST_##seg##_SELECTOR,	\
		.base		= GUEST_##seg##_BASE,		\
		.limit		= GUEST_##seg##_LIMIT,		\
		.ar		= GUEST_##seg##_AR_BYTES,	\
	}

static const struct segment_fields segment_fields[NR_VCPU_SEGS] = {
	SEGMENT(ES), SEGMENT(CS), SEGMENT(SS), SEGMENT(DS),
	SEGMENT(FS), SEGMENT(GS), SEGMENT(TR), SEGMENT(LDTR),
};

/* ---- caches ------------------------------------------------------------------ */

static noinline void cache_other_reg(struct vcpu *vcpu, int reg)
{
	unsigned long owned;

	switch (reg) {
	case REG_RSP:
		vcpu->regs[REG_RSP] = vmcs_readl(GUEST_RSP);
		break;
	case REG_CR0:
		owned = vcpu->cr0_guest_owned;
		vcpu->cr0 = (vcpu->cr0 & ~owned) | (vmcs_readl(GUEST_CR0) & owned);
		break;
	case REG_CR3:
		vcpu->cr3 = vmcs_readl(GUEST_CR3);
		break;
	case REG_CR4:
		owned = vcpu->cr4_guest_owned;
		vcpu->cr4 = (vcpu->cr4 & ~owned) | (vmcs_readl(GUEST_CR4) & owned);
		break;
	default:
		break;
	}
	vcpu->reg_valid |= BIT(reg);
}

/**
 * vmx_cache_reg - read one register from the VMCS into struct vcpu
 * @vcpu: loaded
 * @reg: enum vcpu_reg
 * SDM: "Guest Register State".
 */
void vmx_cache_reg(struct vcpu *vcpu, int reg)
{
	/* Nearly every exit to userspace asks for these two. */
	if (reg == REG_RIP)
		vmx_rip(vcpu);
	else if (reg == REG_RFLAGS)
		vmx_rflags(vcpu);
	else
		cache_other_reg(vcpu, reg);
}

/* ---- segments ---------------------------------------------------------------- */

/* "Format of Access Rights" SDM: "Format of Access Rights", "Checks on the Guest State Area". */
static u32 segment_to_ar(const struct minikvm_segment *var, int seg)
{
	u32 ar, type = var->type & 15;

	/* SS.DPL is the privilege level, usable or not. */
	if (var->unusable || !var->present)
		return VMX_AR_UNUSABLE_MASK | (var->dpl & 3) << VMX_AR_DPL_SHIFT;

	if (seg == SEG_TR)
		type |= 2;		/* a loaded TSS is busy */
	else if (seg != SEG_LDTR)
		type |= 1;		/* a loaded segment was accessed */
	ar = type;
	ar |= (var->s & 1) << 4;
	ar |= (var->dpl & 3) << VMX_AR_DPL_SHIFT;
	ar |= (var->present & 1) << 7;
	ar |= (var->avl & 1) << 12;
	ar |= (var->l & 1) << 13;
	ar |= (var->db & 1) << 14;
	ar |= (var->g & 1) << 15;
	return ar;
}

/* SDM: "Format of Access Rights". */
static void ar_to_segment(u32 ar, struct minikvm_segment *var)
{
	var->unusable = !!(ar & VMX_AR_UNUSABLE_MASK);
	var->type = ar & 15;
	var->s = (ar >> 4) & 1;
	var->dpl = VMX_AR_DPL(ar);
	/* VMMs that know no "unusable" carry it through as "not present". */
	var->present = !var->unusable;
	var->avl = (ar >> 12) & 1;
	var->l = (ar >> 13) & 1;
	var->db = (ar >> 14) & 1;
	var->g = (ar >> 15) & 1;
	var->padding = 0;
}

/**
 * vmx_get_segment - read a segment register with its hidden part
 * @vcpu: loaded
 * @var: out
 * @seg: enum vcpu_seg
 */
void vmx_get_segment(struct vcpu *vcpu, struct minikvm_segment *var, int seg)
{
	const struct segment_fields *f = &segment_fields[seg];

	var->base = vmcs_readl(f->base);
	var->limit = vmcs_read32(f->limit);
	var->selector = vmcs_read16(f->selector);
	ar_to_segment(vmcs_read32(f->ar), var);
}

/**
 * vmx_set_segment - load a segment register with its hidden part
 * @vcpu: loaded
 * @var: the value; what no CPU could hold makes the next entry fail
 * @seg: enum vcpu_seg
 * SDM: "Guest Register State".
 */
void vmx_set_segment(struct vcpu *vcpu, const struct minikvm_segment *var, int seg)
{
	const struct segment_fields *f = &segment_fields[seg];

	if (seg == SEG_CS && vmcs_readl(f->base) != var->base)
		vcpu->cs_moved = true;
	vmcs_writel(f->base, var->base);
	vmcs_write32(f->limit, var->limit);
	vmcs_write16(f->selector, var->selector);
	vmcs_write32(f->ar, segment_to_ar(var, seg));
}

u64 vmx_get_segment_base(struct vcpu *vcpu, int seg)
{
	return vmcs_readl(segment_fields[seg].base);
}

/* Also right in real mode (0) and virtual-8086 mode (3). */
int vmx_get_cpl(struct vcpu *vcpu)
{
	return VMX_AR_DPL(vmcs_read32(GUEST_SS_AR_BYTES));
}

/* How wide code is: the two bits of CS that say so, for one VMREAD. */
void vmx_get_cs_db_l(struct vcpu *vcpu, bool *db, bool *l)
{
	u32 ar = vmcs_read32(GUEST_CS_AR_BYTES);

	*db = ar & VMX_AR_DB_MASK;
	*l = ar & VMX_AR_L_MASK;
}

void vmx_get_idt(struct vcpu *vcpu, struct minikvm_dtable *dt)
{
	dt->base = vmcs_readl(GUEST_IDTR_BASE);
	dt->limit = vmcs_read32(GUEST_IDTR_LIMIT);
}

void vmx_set_idt(struct vcpu *vcpu, const struct minikvm_dtable *dt)
{
	vmcs_writel(GUEST_IDTR_BASE, dt->base);
	vmcs_write32(GUEST_IDTR_LIMIT, dt->limit);
}

void vmx_get_gdt(struct vcpu *vcpu, struct minikvm_dtable *dt)
{
	dt->base = vmcs_readl(GUEST_GDTR_BASE);
	dt->limit = vmcs_read32(GUEST_GDTR_LIMIT);
}

void vmx_set_gdt(struct vcpu *vcpu, const struct minikvm_dtable *dt)
{
	vmcs_writel(GUEST_GDTR_BASE, dt->base);
	vmcs_write32(GUEST_GDTR_LIMIT, dt->limit);
}

/* ---- control registers --------------------------------------------------------- */

/**
 * vmx_set_cr0 - load CR0
 * @vcpu: loaded
 * @cr0: what the guest is to read, already checked
 * SDM: "Restrictions on VMX Operation", "Guest/Host Masks and Read Shadows for CR0 and CR4",
 * "Unrestricted Guests".
 */
void vmx_set_cr0(struct vcpu *vcpu, unsigned long cr0)
{
	vmcs_writel(CR0_READ_SHADOW, cr0);
	vmcs_writel(GUEST_CR0, (cr0 & ~CR0_ALWAYS_OFF) | vmx_caps.cr0_fixed0);
	vcpu->cr0 = cr0;
	vcpu->reg_valid |= BIT(REG_CR0);
}

void vmx_set_cr3(struct vcpu *vcpu, unsigned long cr3)
{
	vmcs_writel(GUEST_CR3, cr3);
	vcpu->cr3 = cr3;
	vcpu->reg_valid |= BIT(REG_CR3);
}

/**
 * vmx_set_cr4 - load CR4
 * @vcpu: loaded
 * @cr4: what the guest is to read, already checked
 *
 * A machine check while the guest runs is the host's: MCE stays as the host has
 * it, or the machine would shut down.
 * SDM: "Restrictions on VMX Operation", "Guest/Host Masks and Read Shadows for CR0 and CR4".
 */
void vmx_set_cr4(struct vcpu *vcpu, unsigned long cr4)
{
	unsigned long hw = cr4 & ~X86_CR4_MCE;

	hw |= cr4_read_shadow() & X86_CR4_MCE;
	if (vmx_emulates_umip()) {
		if (cr4 & X86_CR4_UMIP)
			vmcs_ctl_set_bits_proc2(to_vmx(vcpu), SECONDARY_EXEC_DESC);
		else
			vmcs_ctl_clear_bits_proc2(to_vmx(vcpu), SECONDARY_EXEC_DESC);
		hw &= ~X86_CR4_UMIP;
	}
	vmcs_writel(CR4_READ_SHADOW, cr4);
	vmcs_writel(GUEST_CR4, hw | vmx_caps.cr4_fixed0);
	vcpu->cr4 = cr4;
	vcpu->reg_valid |= BIT(REG_CR4);
}

/**
 * vmx_cr4_valid - does VMX operation allow the value
 * @vcpu: the vCPU
 * @cr4: CR4 as the guest wants it; VMX inside the guest is not offered
 * SDM: "Restrictions on VMX Operation".
 */
bool vmx_cr4_valid(struct vcpu *vcpu, unsigned long cr4)
{
	unsigned long allowed = vmx_caps.cr4_fixed1;

	if (vmx_emulates_umip())
		allowed |= X86_CR4_UMIP;
	return !(cr4 & X86_CR4_VMXE) && !(cr4 & ~allowed);
}

/*
 * A bit is the guest's own only if its CPUID says that it exists.
 * SDM: "Guest/Host Masks and Read Shadows for CR0 and CR4".
 */
void vmx_cr4_update_owned(struct vcpu *vcpu)
{
	unsigned long owned = CR4_GUEST_OWNED;
	unsigned long cr4 = cr4_read(vcpu);

	if (guest_has(vcpu, X86_FEATURE_FSGSBASE))
		owned |= X86_CR4_FSGSBASE;
	vcpu->cr4_guest_owned = owned;
	vmcs_writel(CR4_GUEST_HOST_MASK, ~owned);
	vmx_set_cr4(vcpu, cr4);
}

/*
 * A 64-bit TSS is busy or it is no TSS: VM entry checks it, loading CR0 does not.
 * SDM: "Checks on the Guest State Area".
 */
static void fix_tr_for_long_mode(void)
{
	u32 ar = vmcs_read32(GUEST_TR_AR_BYTES);

	if ((ar & VMX_AR_TYPE_MASK) != VMX_AR_TYPE_BUSY_64_TSS)
		vmcs_write32(GUEST_TR_AR_BYTES,
			     (ar & ~VMX_AR_TYPE_MASK) | VMX_AR_TYPE_BUSY_64_TSS);
}

/**
 * vmx_set_efer - load EFER
 * @vcpu: loaded
 * @efer: value with LMA as it is to be, already checked
 * SDM: "VM-Exit Control Fields", "VM-Entry Control Fields".
 */
void vmx_set_efer(struct vcpu *vcpu, u64 efer)
{
	struct vcpu_vmx *vmx = to_vmx(vcpu);

	vcpu->efer = efer;
	vmcs_write64(GUEST_IA32_EFER, efer);
	if (efer & EFER_LMA) {
		fix_tr_for_long_mode();
		vmcs_ctl_set_bits_entry(vmx, VM_ENTRY_IA32E_MODE);
	} else {
		vmcs_ctl_clear_bits_entry(vmx, VM_ENTRY_IA32E_MODE);
	}
	uret_use(vmx);
}

void vmx_set_dr7(struct vcpu *vcpu, unsigned long dr7)
{
	vmcs_writel(GUEST_DR7, dr7);
}

/* With EPT, VM entry takes them from here and never from memory. */
void vmx_set_pdptrs(struct vcpu *vcpu)
{
	vmcs_write64(GUEST_PDPTR0, vcpu->pdptrs[0]);
	vmcs_write64(GUEST_PDPTR1, vcpu->pdptrs[1]);
	vmcs_write64(GUEST_PDPTR2, vcpu->pdptrs[2]);
	vmcs_write64(GUEST_PDPTR3, vcpu->pdptrs[3]);
}

/* The guest loads them without an exit: MOV to CR3 is its own. */
void vmx_get_pdptrs(struct vcpu *vcpu)
{
	vcpu->pdptrs[0] = vmcs_read64(GUEST_PDPTR0);
	vcpu->pdptrs[1] = vmcs_read64(GUEST_PDPTR1);
	vcpu->pdptrs[2] = vmcs_read64(GUEST_PDPTR2);
	vcpu->pdptrs[3] = vmcs_read64(GUEST_PDPTR3);
}

/* ---- reset --------------------------------------------------------------------- */

/*
 * Every register field holds something a CPU could hold before x86/ sets the
 * architectural values through the calls above.
 * SDM: "Guest Register State", "Unrestricted Guests".
 */
void vmx_regs_reset(struct vcpu_vmx *vmx, bool init)
{
	static const struct minikvm_segment data = {
		.limit = 0xffff, .type = 3, .present = 1, .s = 1,
	}, tr = {
		.limit = 0xffff, .type = 11, .present = 1,
	}, ldtr = {
		.limit = 0xffff, .type = 2, .present = 1,
	};
	static const struct minikvm_dtable table = { .limit = 0xffff };
	struct vcpu *vcpu = &vmx->vcpu;
	int seg;

	for (seg = SEG_ES; seg <= SEG_GS; seg++)
		vmx_set_segment(vcpu, &data, seg);
	vmx_set_segment(vcpu, &tr, SEG_TR);
	vmx_set_segment(vcpu, &ldtr, SEG_LDTR);
	vmx_set_gdt(vcpu, &table);
	vmx_set_idt(vcpu, &table);

	vcpu->cr0_guest_owned = CR0_GUEST_OWNED;
	vmcs_writel(CR0_GUEST_HOST_MASK, ~CR0_GUEST_OWNED);
	/* INIT keeps two bits of CR0: regs_reset() looks at the old value. */
	if (!init)
		vmx_set_cr0(vcpu, X86_CR0_ET);
	vmx_set_cr3(vcpu, 0);
	vmx_set_cr4(vcpu, 0);
	vmx_set_efer(vcpu, 0);
	vmx_set_dr7(vcpu, DR7_ALWAYS_ON);
	memset(vcpu->pdptrs, 0, sizeof(vcpu->pdptrs));
	vmx_set_pdptrs(vcpu);

	reg_write(vcpu, REG_RSP, 0);
	reg_write(vcpu, REG_RIP, 0xfff0);
	rflags_write(vcpu, X86_EFLAGS_FIXED);
}
