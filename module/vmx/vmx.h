/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The VMX half of a vCPU, struct vcpu_vmx, and what the files of module/vmx
 * offer each other. Nothing outside this folder includes it.
 */
#ifndef MINIKVM_VMX_VMX_H
#define MINIKVM_VMX_VMX_H

#include <linux/percpu.h>

#include "../minikvm.h"
#include "../compat.h"
#include "caps.h"
#include "enter.h"
#include "exit_qual.h"
#include "vmx_insn.h"

/* <asm/vmx.h> has these in an exit qualification's position; ours are indices. */
#undef REG_R8
#undef REG_R9
#undef REG_R10
#undef REG_R11
#undef REG_R12
#undef REG_R13
#undef REG_R14
#undef REG_R15

/*
 * Guest MSRs that only matter in user mode or that the kernel never reads on
 * its way there: loaded once, put back when this CPU returns to user mode.
 */
enum uret_slot {
	URET_STAR,
	URET_LSTAR,
	URET_SYSCALL_MASK,
	URET_TSC_AUX,
	NR_URET,
};

/**
 * struct vmcs_controls - the control words as the VMCS holds them
 *
 * Written through vmcs_ctl_*() only, which skip a VMWRITE that changes nothing.
 */
struct vmcs_controls {
	u32 pin, proc, proc2, exit, entry;
};

/**
 * struct vmcs_host - host-state fields as the VMCS holds them
 *
 * What differs between CPUs or tasks, compared before it is written. @ds_sel,
 * @es_sel and @ldt_sel are not in the VMCS: they are put back by hand.
 */
struct vmcs_host {
	unsigned long cr3, cr4;
	unsigned long fs_base, gs_base;
	u16 fs_sel, gs_sel, ds_sel, es_sel, ldt_sel;
};

#define MSR_SWITCH_MAX	4

/**
 * struct msr_switch - the MSR-load areas of VM entry and VM exit
 * @guest: loaded by VM entry
 * @host: loaded by VM exit, same registers in the same order
 * @nr: entries in use, and what the VMCS says
 */
struct msr_switch {
	struct vmx_msr_entry guest[MSR_SWITCH_MAX];
	struct vmx_msr_entry host[MSR_SWITCH_MAX];
	u32 nr;
};

/* Bits of vcpu_vmx.exit_known: exit information already read. */
#define EXIT_KNOWN_QUAL		BIT(0)
#define EXIT_KNOWN_INTR		BIT(1)

/**
 * struct vcpu_vmx - a vCPU on VMX
 * @vcpu: first, so that one pointer is both
 * @enter: what the world switch needs
 * @vmcs: the VMCS region, one page; @vmcs_pa its address
 * @vmcs_cpu: CPU whose VMCS cache may hold it, -1 none
 * @vmcs_link: on that CPU's list; changed by that CPU, interrupts off
 * @launched: VMLAUNCH was done since the last VMCLEAR
 * @fail: the last VM entry did not exit, it failed
 * @exit_known: which of the next two are current
 * @exit_reason: @exit_qual, @intr_info: of the last exit
 * @idt_info: IDT-vectoring information of the last exit, 0 when it cannot be
 *	valid
 * @entry_intr_info: what VM_ENTRY_INTR_INFO_FIELD holds, 0 when not valid
 * @event_insn_len: instruction length of the software event being re-injected
 * @ctl: @host: copies of VMCS fields
 * @guest_state_loaded: host FS, GS and MSRs are put away, the guest's are in
 * @host_kernel_gs_base: @guest_kernel_gs_base: the one not in the register
 * @host_debugctl: IA32_DEBUGCTL of the host, which VM exits clear
 * @uret: guest values of the user-return MSRs
 * @uret_used: those that the guest can use now, by bit
 * @uret_refused: those whose value this CPU does not take
 * @uret_loaded: uret_put() must follow
 * @cstar: guest IA32_CSTAR; no Intel CPU ever uses it
 * @pat: what GUEST_IA32_PAT holds
 * @feat_ctl: guest IA32_FEATURE_CONTROL
 * @spec_ctrl_passthrough: the guest writes SPEC_CTRL without an exit
 * @rcu_told: the tick in which RCU last heard that the guest ran
 * @l1d_flush: this vCPU did something since its last entry that may have left
 *	secrets in L1D
 * @msr_bitmap: one page
 * @exits_disabled: MINIKVM_X86_DISABLE_EXITS_* of the VM when the vCPU was made
 * @vpid: 0 when none
 * @slice: VMX-preemption timer value without vcpu->guest_timer, 0 for no bound
 * @slice_ticks: the guest_slice parameter that it was made from
 * @timed: the VMCS holds what vcpu->guest_timer asked for
 * @virtual_apic: the page whose TPR the guest's CR8 is, NULL without TPR shadow
 * @x2apic_reads: @x2apic_writes: x2APIC MSRs 0x800 + n that do not exit, by bit
 * @ple_window: what PLE_WINDOW holds, 0 without PAUSE-loop exiting
 * @ple_grown: it is not the ple_window parameter
 * @tpr_threshold: what TPR_THRESHOLD holds: the guest's CR8 below it exits
 * @pml: where the CPU logs writes, see pml.c; NULL without the feature
 * @msr_switch: MSRs of the host's performance monitoring, see perf.c
 */
struct vcpu_vmx {
	struct vcpu vcpu;

	struct enter_ctx enter;
	bool launched;
	bool fail;
	bool guest_state_loaded;
	bool spec_ctrl_passthrough;
	bool l1d_flush;
	u8 exit_known;

	unsigned long rcu_told;

	u32 exit_reason;
	u32 idt_info;
	u32 intr_info;
	unsigned long exit_qual;
	u32 entry_intr_info;
	u32 event_insn_len;

	struct vmcs_controls ctl;
	struct vmcs_host host;
	u64 host_kernel_gs_base, guest_kernel_gs_base;
	unsigned long host_debugctl;
	u64 uret[NR_URET];
	u8 uret_used, uret_refused;
	bool uret_loaded;
	u64 cstar;
	u64 pat;
	u64 feat_ctl;

	void *vmcs;
	u64 vmcs_pa;
	int vmcs_cpu;
	struct list_head vmcs_link;
	unsigned long *msr_bitmap;
	u32 exits_disabled;
	u16 vpid;
	u32 slice, slice_ticks;
	bool timed;
	const u8 *virtual_apic;
	u32 tpr_threshold;
	u64 *pml;
	u64 x2apic_reads, x2apic_writes;
	u32 ple_window;
	bool ple_grown;
	struct msr_switch *msr_switch;
};

static inline struct vcpu_vmx *to_vmx(struct vcpu *vcpu)
{
	return container_of(vcpu, struct vcpu_vmx, vcpu);
}

/*
 * vmcs_ctl_set_pin(vmx, value), vmcs_ctl_set_bits_pin(vmx, bits), ... one
 * family per control word. Bits that were never negotiated do not compile.
 */
#define VMCS_CONTROL(word, SET, FIELD)						\
static inline u32 *vmcs_ctl_##word(struct vcpu_vmx *vmx)			\
{										\
	return (void *)&vmx->ctl + offsetof(struct vmcs_controls, word);	\
}										\
										\
static inline void vmcs_ctl_set_##word(struct vcpu_vmx *vmx, u32 value)	\
{										\
	if (*vmcs_ctl_##word(vmx) != value) {					\
		vmcs_write32(FIELD, value);					\
		*vmcs_ctl_##word(vmx) = value;					\
	}									\
}										\
										\
static __always_inline void vmcs_ctl_set_bits_##word(struct vcpu_vmx *vmx, u32 bits) \
{										\
	BUILD_BUG_ON(!__builtin_constant_p(bits) ||				\
		     (bits & ~(u32)(SET##_REQUIRED | SET##_OPTIONAL)));		\
	vmcs_ctl_set_##word(vmx, *vmcs_ctl_##word(vmx) | bits);			\
}										\
										\
static __always_inline void vmcs_ctl_clear_bits_##word(struct vcpu_vmx *vmx, u32 bits) \
{										\
	BUILD_BUG_ON(!__builtin_constant_p(bits) ||				\
		     (bits & ~(u32)(SET##_REQUIRED | SET##_OPTIONAL)));		\
	vmcs_ctl_set_##word(vmx, *vmcs_ctl_##word(vmx) & ~bits);		\
}

VMCS_CONTROL(pin, PIN, PIN_BASED_VM_EXEC_CONTROL)
VMCS_CONTROL(proc, PROC, CPU_BASED_VM_EXEC_CONTROL)
VMCS_CONTROL(proc2, PROC2, SECONDARY_VM_EXEC_CONTROL)
VMCS_CONTROL(exit, VMEXIT, VM_EXIT_CONTROLS)
VMCS_CONTROL(entry, VMENTRY, VM_ENTRY_CONTROLS)

/* Exit information is read when the first handler asks for it. */
static inline unsigned long vmx_exit_qual(struct vcpu_vmx *vmx)
{
	if (!(vmx->exit_known & EXIT_KNOWN_QUAL)) {
		vmx->exit_qual = vmcs_readl(EXIT_QUALIFICATION);
		vmx->exit_known |= EXIT_KNOWN_QUAL;
	}
	return vmx->exit_qual;
}

static inline u32 vmx_intr_info(struct vcpu_vmx *vmx)
{
	if (!(vmx->exit_known & EXIT_KNOWN_INTR)) {
		vmx->intr_info = vmcs_read32(VM_EXIT_INTR_INFO);
		vmx->exit_known |= EXIT_KNOWN_INTR;
	}
	return vmx->intr_info;
}

/*
 * The same as rip_read() and rflags_read(), without the detour through the
 * vendor operations: every skipped instruction comes here.
 */
static inline unsigned long vmx_rip(struct vcpu *vcpu)
{
	if (!(vcpu->reg_valid & BIT(REG_RIP))) {
		vcpu->regs[REG_RIP] = vmcs_readl(GUEST_RIP);
		vcpu->reg_valid |= BIT(REG_RIP);
	}
	return vcpu->regs[REG_RIP];
}

static inline unsigned long vmx_rflags(struct vcpu *vcpu)
{
	if (!(vcpu->reg_valid & BIT(REG_RFLAGS))) {
		vcpu->rflags = vmcs_readl(GUEST_RFLAGS);
		vcpu->reg_valid |= BIT(REG_RFLAGS);
	}
	return vcpu->rflags;
}

/* ---- cpu.c -------------------------------------------------------------- */
int vmx_cpu_setup(void);
void vmx_cpu_unsetup(void);
int vmx_cpu_enable(void);
void vmx_cpu_disable(void);
int vmx_emergency_get(void);
void vmx_emergency_put(void);
/* The vCPU whose VMCS is current on a CPU, NULL if none's. */
DECLARE_PER_CPU(struct vcpu_vmx *, vmcs_current);
void vmcs_make_current(struct vcpu_vmx *vmx, int cpu);
void vmcs_with_scratch(void *region, void (*fn)(void));
void vmcs_clear_anywhere(struct vcpu_vmx *vmx);

/* ---- vmcs.c ------------------------------------------------------------- */
int vmx_vcpu_create(struct vcpu *vcpu);
void vmx_vcpu_free(struct vcpu *vcpu);
void vmx_vcpu_reset(struct vcpu *vcpu, bool init);
void vmx_vcpu_load(struct vcpu *vcpu, int cpu);
void vmx_vcpu_put(struct vcpu *vcpu, bool to_user);
void vmx_prepare_switch(struct vcpu *vcpu);
void vmx_update_exceptions(struct vcpu *vcpu);
void vmx_cpuid_changed(struct vcpu *vcpu);

/* ---- apicv.c ------------------------------------------------------------ */
void vmx_apicv_setup(void);
int vmx_apicv_vm_init(struct vm *vm);
u32 vmx_apicv_init(struct vcpu_vmx *vmx, u32 proc);
void vmx_update_tpr(struct vcpu *vcpu, int tpr, int max_irr);
void vmx_apic_changed(struct vcpu *vcpu);
void vmx_set_virtual_irqs(struct vcpu *vcpu, int request, int service);
enum exit_action exit_tpr_threshold(struct vcpu *vcpu);
enum exit_action exit_apic_access(struct vcpu *vcpu);
enum exit_action exit_apic_write(struct vcpu *vcpu);
enum exit_action exit_eoi_induced(struct vcpu *vcpu);

/* ---- ple.c -------------------------------------------------------------- */
void vmx_ple_init(struct vcpu_vmx *vmx);
void vmx_ple_forget(struct vcpu_vmx *vmx);
enum exit_action exit_pause(struct vcpu *vcpu);

/* ---- run.c -------------------------------------------------------------- */
void vmx_enter(struct vcpu *vcpu);
void vmx_exit_irqoff(struct vcpu *vcpu);
void vmx_call_nmi(void (*entry)(void));		/* enter.S */

/* ---- exit.c and the exit_*.c families ------------------------------------- */
enum exit_action vmx_handle_exit(struct vcpu *vcpu);
enum exit_action exit_cr_access(struct vcpu *vcpu);
enum exit_action exit_dr_access(struct vcpu *vcpu);
enum exit_action exit_io(struct vcpu *vcpu);
enum exit_action exit_ept_violation(struct vcpu *vcpu);
enum exit_action exit_ept_misconfig(struct vcpu *vcpu);
enum exit_action exit_exception(struct vcpu *vcpu);
enum exit_action exit_preemption_timer(struct vcpu *vcpu);
enum exit_action exit_external_interrupt(struct vcpu *vcpu);
enum exit_action exit_triple_fault(struct vcpu *vcpu);
enum exit_action exit_interrupt_window(struct vcpu *vcpu);
enum exit_action exit_nmi_window(struct vcpu *vcpu);
enum exit_action exit_task_switch(struct vcpu *vcpu);
enum exit_action exit_descriptor_table(struct vcpu *vcpu);
enum exit_action exit_cpuid(struct vcpu *vcpu);
enum exit_action exit_hlt(struct vcpu *vcpu);
enum exit_action exit_skip(struct vcpu *vcpu);
enum exit_action exit_rdpmc(struct vcpu *vcpu);
enum exit_action exit_vmcall(struct vcpu *vcpu);
enum exit_action exit_undefined(struct vcpu *vcpu);
enum exit_action exit_xsetbv(struct vcpu *vcpu);
enum exit_action exit_monitor_mwait(struct vcpu *vcpu);
void vmx_skip_insn(struct vcpu *vcpu);
enum exit_action vmx_delivery_error(struct vcpu *vcpu);
void vmx_get_exit_info(struct vcpu *vcpu, struct exit_info *info);

/* ---- inject.c ----------------------------------------------------------- */
void vmx_complete_events(struct vcpu_vmx *vmx);
void vmx_cancel_injection(struct vcpu *vcpu);
bool vmx_irq_allowed(struct vcpu *vcpu);
bool vmx_nmi_allowed(struct vcpu *vcpu);
void vmx_inject_irq(struct vcpu *vcpu);
void vmx_inject_nmi(struct vcpu *vcpu);
void vmx_inject_exception(struct vcpu *vcpu);
unsigned long vmx_take_pending_db(struct vcpu *vcpu);
void vmx_request_irq_window(struct vcpu *vcpu);
void vmx_request_nmi_window(struct vcpu *vcpu);
bool vmx_get_nmi_mask(struct vcpu *vcpu);
void vmx_set_nmi_mask(struct vcpu *vcpu, bool masked);
u32 vmx_get_shadow(struct vcpu *vcpu);
void vmx_set_shadow(struct vcpu *vcpu, u32 mask);

/* ---- regs.c ------------------------------------------------------------- */
void vmx_cache_reg(struct vcpu *vcpu, int reg);
void vmx_get_segment(struct vcpu *vcpu, struct minikvm_segment *var, int seg);
void vmx_set_segment(struct vcpu *vcpu, const struct minikvm_segment *var, int seg);
u64 vmx_get_segment_base(struct vcpu *vcpu, int seg);
int vmx_get_cpl(struct vcpu *vcpu);
void vmx_get_cs_db_l(struct vcpu *vcpu, bool *db, bool *l);
void vmx_get_idt(struct vcpu *vcpu, struct minikvm_dtable *dt);
void vmx_set_idt(struct vcpu *vcpu, const struct minikvm_dtable *dt);
void vmx_get_gdt(struct vcpu *vcpu, struct minikvm_dtable *dt);
void vmx_set_gdt(struct vcpu *vcpu, const struct minikvm_dtable *dt);
void vmx_set_cr0(struct vcpu *vcpu, unsigned long cr0);
void vmx_set_cr3(struct vcpu *vcpu, unsigned long cr3);
void vmx_set_cr4(struct vcpu *vcpu, unsigned long cr4);
bool vmx_cr4_valid(struct vcpu *vcpu, unsigned long cr4);
void vmx_set_efer(struct vcpu *vcpu, u64 efer);
void vmx_set_dr7(struct vcpu *vcpu, unsigned long dr7);
void vmx_set_pdptrs(struct vcpu *vcpu);
void vmx_get_pdptrs(struct vcpu *vcpu);
void vmx_regs_reset(struct vcpu_vmx *vmx, bool init);
void vmx_cr4_update_owned(struct vcpu *vcpu);

/* ---- msr.c -------------------------------------------------------------- */
int vmx_get_msr(struct vcpu *vcpu, u32 index, u64 *data, bool host);
int vmx_set_msr(struct vcpu *vcpu, u32 index, u64 data, bool host);
void vmx_set_tsc_offset(struct vcpu *vcpu, u64 offset);
bool vmx_has_tsc_scaling(void);
void vmx_set_tsc_ratio(struct vcpu *vcpu, u64 ratio);
void vmx_msr_filter_changed(struct vcpu *vcpu);
void vmx_msr_bitmap_init(struct vcpu_vmx *vmx);
void vmx_msr_bitmap_cpuid_changed(struct vcpu_vmx *vmx);
void vmx_msr_bitmap_x2apic(struct vcpu_vmx *vmx, u64 reads, u64 writes);
void vmx_msr_reset(struct vcpu_vmx *vmx, bool init);

/* ---- uret.c ------------------------------------------------------------- */
void uret_cpu_enable(void);
void uret_cpu_disable(void);
void uret_load(struct vcpu_vmx *vmx);
void uret_put(struct vcpu_vmx *vmx, bool to_user);
void uret_use(struct vcpu_vmx *vmx);
void uret_set(struct vcpu_vmx *vmx, enum uret_slot slot, u64 value);

/* ---- ept.c -------------------------------------------------------------- */
void vmx_ept_setup(void);
extern struct mmu_format vmx_ept_format;
void vmx_ept_load(struct vcpu_vmx *vmx);
u16 vpid_alloc(void);
void vpid_free(u16 vpid);
void vmx_flush_tlb(struct vcpu *vcpu);
void vmx_flush_tlb_guest(struct vcpu *vcpu);

/* ---- pml.c -------------------------------------------------------------- */
int pml_create(struct vcpu_vmx *vmx);
void pml_free(struct vcpu_vmx *vmx);
void vmx_dirty_log_switch(struct vcpu *vcpu);
void vmx_dirty_log_collect(struct vcpu *vcpu);
enum exit_action exit_pml_full(struct vcpu *vcpu);

/* ---- mitigate.c --------------------------------------------------------- */
int vmx_l1d_setup(void);
void vmx_l1d_unsetup(void);
void vmx_l1d_flush(struct vcpu_vmx *vmx);
DECLARE_STATIC_KEY_FALSE(vmx_l1d_should_flush);

/* ---- perf.c ------------------------------------------------------------- */
void vmx_perf_setup(void);
DECLARE_STATIC_KEY_FALSE(vmx_perf_in_use);
int vmx_perf_create(struct vcpu_vmx *vmx);
void vmx_perf_free(struct vcpu_vmx *vmx);
void vmx_perf_reset(struct vcpu_vmx *vmx);
void vmx_perf_switch(struct vcpu_vmx *vmx);

/* ---- inspect.c ---------------------------------------------------------- */
int vmx_inspect_vm_init(void);
u32 vmx_inspect_nr_fields(void);
void vmx_inspect_fields(struct vcpu *vcpu, struct minikvm_inspect_field *fields);
const void *vmx_inspect_bitmap(struct vcpu *vcpu, u32 which);
void vmx_inspect_caps(struct minikvm_inspect_caps *caps);

/* ---- dump.c ------------------------------------------------------------- */
void vmx_dump(struct vcpu *vcpu);

/* ---- why.c -------------------------------------------------------------- */
void vmx_explain_failure(struct vcpu *vcpu, u64 reason);

extern unsigned int guest_slice;

#endif
