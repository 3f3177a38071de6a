/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The x86 architecture above the vendor line: CPUID, MSRs, registers, FPU,
 * events, instruction decode and emulation, port I/O, kvmclock, hypercalls.
 */
#ifndef MINIKVM_X86_H
#define MINIKVM_X86_H

#include "../minikvm.h"
#include "fault.h"

/* ---- event.c: exceptions, interrupts, NMIs on their way in (owner: lead) ---- */
void inject_exception(struct vcpu *vcpu, u8 vector);
void inject_exception_err(struct vcpu *vcpu, u8 vector, u32 error_code);
void inject_page_fault(struct vcpu *vcpu, u64 cr2, u32 error_code);
void inject_db(struct vcpu *vcpu, u64 dr6_payload);
void inject_nmi(struct vcpu *vcpu);		/* any context */
static inline void inject_gp(struct vcpu *vcpu)
{
	inject_exception_err(vcpu, 13, 0);
}

static inline void inject_ud(struct vcpu *vcpu)
{
	inject_exception(vcpu, 6);
}

void events_deliver(struct vcpu *vcpu);		/* before entry: choose and inject */
void events_apply_payload(struct vcpu *vcpu, struct queued_exception *ex);
void events_collect_nmis(struct vcpu *vcpu);
/* event_state.c: GET_VCPU_EVENTS; SET_VCPU_EVENTS: -EINVAL, nothing changed. */
void vcpu_events_get(struct vcpu *vcpu, struct minikvm_vcpu_events *ev);
int vcpu_events_set(struct vcpu *vcpu, const struct minikvm_vcpu_events *ev);
void events_requeue_exception(struct vcpu *vcpu, u8 vector, bool has_err, u32 err);

/* ---- cpuid.c ------------------------------------------------------------ */
/* -E2BIG, -EFAULT, -ENOMEM; SET also -EINVAL */
int cpuid_get_supported(struct minikvm_cpuid2 __user *arg, bool emulated);
int cpuid_set2(struct vcpu *vcpu, struct minikvm_cpuid2 __user *arg);
int cpuid_get2(struct vcpu *vcpu, struct minikvm_cpuid2 __user *arg);
void cpuid_free(struct vcpu *vcpu);
void cpuid_exec(struct vcpu *vcpu);		/* CPUID: reads RAX/RCX, writes four, no skip */
void cpuid_lookup(struct vcpu *vcpu, u32 *eax, u32 *ebx, u32 *ecx, u32 *edx);
struct minikvm_cpuid_entry2 *cpuid_find(struct vcpu *vcpu, u32 function, u32 index);
bool guest_has(struct vcpu *vcpu, unsigned int x86_feature);	/* X86_FEATURE_* in guest CPUID */
void cpuid_update_runtime(struct vcpu *vcpu);	/* OSXSAVE, APIC, MWAIT, XSAVE size bits */
u64 cpuid_supported_xcr0(void);
void cpuid_defaults(struct vcpu *vcpu);		/* before any SET_CPUID2 */
/* cpuid_host.c: what any guest may be offered. Load time, in this order. */
void cpuid_host_init(void);			/* before vendor->setup() */
void cpuid_cap_clear(unsigned int x86_feature);	/* the vendor cannot carry it */
void cpuid_cap_set(unsigned int x86_feature);	/* the vendor emulates it */
bool cpuid_cap_has(unsigned int x86_feature);

/* ---- msr.c -------------------------------------------------------------- */
/* 0, -EINVAL, -ENOENT no such MSR (guest: #GP). @host: from userspace, looser rules. */
int msr_get(struct vcpu *vcpu, u32 index, u64 *data, bool host);
int msr_set(struct vcpu *vcpu, u32 index, u64 data, bool host);
enum exit_action msr_exec_rdmsr(struct vcpu *vcpu);
enum exit_action msr_exec_wrmsr(struct vcpu *vcpu);
int msr_get_index_list(struct minikvm_msr_list __user *arg);
int msr_get_feature_index_list(struct minikvm_msr_list __user *arg);
/* GET_MSRS (vcpu NULL: feature MSRs of the host) and SET_MSRS */
long msr_get_list(struct vcpu *vcpu, struct minikvm_msrs __user *arg);
long msr_set_list(struct vcpu *vcpu, struct minikvm_msrs __user *arg);
void msr_reset(struct vcpu *vcpu, bool init);
u64 msr_arch_capabilities(void);

/* ---- mce.c -------------------------------------------------------------- */
u64 guest_mce_supported(void);
int guest_mce_setup(struct vcpu *vcpu, u64 mcg_cap);		/* -EINVAL */
int guest_mce_inject(struct vcpu *vcpu, const struct minikvm_x86_mce *mce);	/* -EINVAL */
/* As msr_get(), msr_set(), for the registers that msr.c sends there. */
int guest_mce_get_msr(struct vcpu *vcpu, u32 index, u64 *data, bool host);
int guest_mce_set_msr(struct vcpu *vcpu, u32 index, u64 data, bool host);

/* ---- msr_filter.c ------------------------------------------------------- */
int msr_filter_set(struct vm *vm, const struct minikvm_msr_filter *filter);
void msr_filter_free(struct vm *vm);
bool msr_filter_allows(struct vcpu *vcpu, u32 index, u32 access);	/* MINIKVM_MSR_FILTER_* */

static inline bool msr_allowed(struct vcpu *vcpu, u32 index, u32 access)
{
	return likely(!rcu_access_pointer(vcpu->vm->msr_filter)) ||
	       msr_filter_allows(vcpu, index, access);
}

/* ---- tsc.c -------------------------------------------------------------- */
#define TSC_RATIO_FRAC_BITS	48
#define TSC_RATIO_ONE		BIT_ULL(TSC_RATIO_FRAC_BITS)
u64 guest_tsc_read(struct vcpu *vcpu);		/* guest's TSC now */
u64 guest_tsc_at(struct vcpu *vcpu, u64 host_tsc);
int guest_tsc_set_khz(struct vcpu *vcpu, u32 khz);	/* SET_TSC_KHZ; 0: the host's */
int vm_tsc_set_khz(struct vm *vm, u32 khz);
long tsc_device_attr(struct vcpu *vcpu, unsigned int cmd, void __user *argp);
void guest_tsc_shift(struct vcpu *vcpu, s64 delta);
void guest_tsc_write(struct vcpu *vcpu, u64 value, bool host);

/* ---- regs.c ------------------------------------------------------------- */
void regs_get(struct vcpu *vcpu, struct minikvm_regs *regs);
int regs_set(struct vcpu *vcpu, const struct minikvm_regs *regs);
void sregs_get(struct vcpu *vcpu, struct minikvm_sregs *sregs);
int sregs_set(struct vcpu *vcpu, const struct minikvm_sregs *sregs);	/* -EINVAL: no change */
void sregs2_get(struct vcpu *vcpu, struct minikvm_sregs2 *sregs);
int sregs2_set(struct vcpu *vcpu, const struct minikvm_sregs2 *sregs);
bool apic_base_valid(struct vcpu *vcpu, u64 base);	/* reserved bits and mode */
bool cr0_valid(unsigned long cr0);
bool cr4_valid(struct vcpu *vcpu, unsigned long cr4);
bool efer_valid(u64 efer);
unsigned long cr4_reserved_bits(struct vcpu *vcpu);
/* Guest writes: 0 or -EINVAL (#GP). */
int cr0_set(struct vcpu *vcpu, unsigned long val);
int cr3_set(struct vcpu *vcpu, unsigned long val);
int cr4_set(struct vcpu *vcpu, unsigned long val);
int cr8_set(struct vcpu *vcpu, unsigned long val);
unsigned long cr8_get(struct vcpu *vcpu);
int efer_set(struct vcpu *vcpu, u64 val, bool host);
int xcr0_set(struct vcpu *vcpu, u32 index, u64 val, bool host);
int pdptrs_load(struct vcpu *vcpu, unsigned long cr3);	/* 0 or -EINVAL (bad entry) */
bool is_long_mode(struct vcpu *vcpu);		/* EFER.LMA */
bool is_64bit_code(struct vcpu *vcpu);		/* LMA and CS.L */
static inline bool is_paging(struct vcpu *vcpu) { return cr0_read(vcpu) & (1ul << 31); }
static inline bool is_protmode(struct vcpu *vcpu) { return cr0_read(vcpu) & 1; }
void regs_reset(struct vcpu *vcpu, bool init);	/* generic part of a reset */

/* ---- debug.c; the rest of it in debug.h ---------------------------------- */
int dr_set(struct vcpu *vcpu, int nr, unsigned long val);	/* -EINVAL: #GP */
unsigned long dr_get(struct vcpu *vcpu, int nr);

/* ---- fpu.c; whose registers are in the CPU: fpu_switch.h ------------------ */
int fpu_create(struct vcpu *vcpu);
void fpu_free(struct vcpu *vcpu);
void fpu_reset(struct vcpu *vcpu, bool init);
int fpu_get(struct vcpu *vcpu, struct minikvm_fpu *fpu);
int fpu_set(struct vcpu *vcpu, const struct minikvm_fpu *fpu);
/* In RUN, one register: 16 or 32 bytes; the buffer has room for 32. */
void fpu_vec_read(struct vcpu *vcpu, int reg, void *buf, u32 size);
void fpu_vec_write(struct vcpu *vcpu, int reg, const void *buf, u32 size, bool clear);
void fpu_mmx_read(struct vcpu *vcpu, int reg, u64 *v);
void fpu_mmx_write(struct vcpu *vcpu, int reg, const u64 *v);
void fpu_save_area(struct vcpu *vcpu, struct fxregs_state *fx, bool wide);	/* in RUN */
int fpu_load_area(struct vcpu *vcpu, const struct fxregs_state *fx, bool wide);	/* -EINVAL */
void fpu_get_area(struct vcpu *vcpu, void *buf, u32 size);
int fpu_set_area(struct vcpu *vcpu, const void *buf);
int fpu_get_xsave(struct vcpu *vcpu, struct minikvm_xsave *area);
int fpu_get_xsave2(struct vcpu *vcpu, void __user *argp);
int fpu_set_xsave(struct vcpu *vcpu, void __user *argp);
void xcrs_get(struct vcpu *vcpu, struct minikvm_xcrs *xcrs);
int xcrs_set(struct vcpu *vcpu, const struct minikvm_xcrs *xcrs);

/* ---- gva.c: the guest's own page tables --------------------------------- */
#define GVA_WRITE	BIT(0)
#define GVA_FETCH	BIT(1)
#define GVA_USER	BIT(2)
#define GVA_SYSTEM	BIT(3)	/* implicit supervisor access (descriptor tables) */
/* 0 and *gpa; -EFAULT with *fault filled in; never a host error. Sets guest A/D bits. */
int gva_to_gpa(struct vcpu *vcpu, gva_t gva, u32 access, gpa_t *gpa, struct gva_fault *fault);
struct paging_path;
/* The same; @path: out, the entries it went through, or NULL. */
int gva_walk(struct vcpu *vcpu, gva_t gva, u32 access, gpa_t *gpa, struct gva_fault *fault,
	     struct paging_path *path);
void gva_inject(struct vcpu *vcpu, const struct gva_fault *fault);
void gva_translate(struct vcpu *vcpu, struct minikvm_translation *tr);	/* TRANSLATE */

/* ---- pio.c, emulate.c --------------------------------------------------- */
/* vcpu->pio is filled in by the vendor. */
enum exit_action pio_exec(struct vcpu *vcpu);
/*
 * The instruction at RIP touched gpa, which is not memory; MK_INVALID_GPA: it
 * is not known that gpa is its operand, or something else made it exit.
 */
enum exit_action mmio_exec(struct vcpu *vcpu, gpa_t gpa);
/* INS or OUTS, its port checked by the CPU, one element after the other. */
enum exit_action mmio_exec_string_io(struct vcpu *vcpu);
void emul_free(struct vcpu *vcpu);

/* ---- failure.c: what cannot be emulated ---------------------------------- */
enum exit_action emulation_failed(struct vcpu *vcpu, const u8 *bytes, u8 nr_bytes);
enum exit_action emulation_failure_exit(struct vcpu *vcpu, const u8 *bytes, u8 nr_bytes);

/* ---- pv.c, steal.c: paravirtual services --------------------------------- */
static inline bool guest_pv_has(struct vcpu *vcpu, unsigned int feature)
{
	return !vcpu->pv_enforce || vcpu->pv_features & BIT(feature);
}

int pv_get_msr(struct vcpu *vcpu, u32 msr, u64 *data);	/* 0, -ENOENT */
int pv_set_msr(struct vcpu *vcpu, u32 msr, u64 data);	/* 0, -ENOENT, -EINVAL */
void pv_reset(struct vcpu *vcpu, bool init);
int steal_set_msr(struct vcpu *vcpu, u64 data);
void steal_update(struct vcpu *vcpu);		/* REQ_STEAL_UPDATE */
void steal_preempted(struct vcpu *vcpu);	/* preemption off: the scheduler takes the CPU */

static inline void steal_loaded(struct vcpu *vcpu)
{
	if (vcpu->steal.msr & 1)
		vcpu_set_request(vcpu, REQ_STEAL_UPDATE);
}

/* ---- hypercall.c, pvclock.c --------------------------------------------- */
enum exit_action hypercall_exec(struct vcpu *vcpu);	/* VMCALL/VMMCALL, not yet skipped */
enum exit_action hypercall_fix(struct vcpu *vcpu);	/* #UD: the other vendor's instruction? */
void pvclock_vm_init(struct vm *vm);
int pvclock_set_msr(struct vcpu *vcpu, u32 msr, u64 data);
int pvclock_get_msr(struct vcpu *vcpu, u32 msr, u64 *data);
void pvclock_update(struct vcpu *vcpu);		/* REQ_CLOCK_UPDATE */
u64 pvclock_vm_now(struct vm *vm);		/* GET_CLOCK, ns */
void pvclock_vm_set(struct vm *vm, u64 ns);
void pvclock_loaded(struct vcpu *vcpu, int cpu);	/* preemption off */
int pvclock_stopped(struct vcpu *vcpu);		/* KVMCLOCK_CTRL: -EINVAL */
long pvclock_pairing(struct vcpu *vcpu, gpa_t gpa, u64 clock);	/* HC_CLOCK_PAIRING */
long vm_clock_ioctl(struct vm *vm, unsigned int cmd, void __user *argp);
#endif
