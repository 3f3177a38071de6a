/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The types every part of the module shares: the VM, the vCPU, the vendor
 * operations, and the glossary of address kinds. What one area alone needs
 * lives in that area's own header.
 *
 * Addresses, as everywhere in the field:
 *   gva  guest virtual      what a guest instruction names
 *   gpa  guest physical     what the guest's page tables yield; gfn = gpa >> 12
 *   hva  host virtual       an address in the VMM's process
 *   hpa  host physical      what EPT yields; pfn = hpa >> 12
 */
#ifndef MINIKVM_H
#define MINIKVM_H

#include <linux/types.h>
#include <linux/bitmap.h>
#include <linux/kvm_types.h>
#include <linux/list.h>
#include <linux/mmu_notifier.h>
#include <linux/mutex.h>
#include <linux/preempt.h>
#include <linux/rcuwait.h>
#include <linux/refcount.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/srcu.h>
#include <linux/user-return-notifier.h>
#include <linux/workqueue.h>
#include <linux/xarray.h>
#include <asm/fpu/api.h>
#include <asm/fpu/types.h>

#include "../uapi/minikvm.h"
#include "inspect_types.h"
#include "stats.h"

#define MK_MAX_VCPUS		1024	/* vCPUs of one VM */
#define MK_MAX_VCPU_ID		4096	/* exclusive bound of an APIC id */
#define MK_MAX_MEMSLOTS		32764	/* user memory slots of one VM */
#define MK_MAX_CPUID_ENTRIES	256
#define MK_MAX_MSR_ENTRIES	256	/* exclusive, as KVM bounds it */
#define MK_MCE_BANKS		32
#define MK_NR_GSI		4096	/* routable GSIs of one VM */
#define MK_HALT_POLL_NS		200000	/* default of vm->halt_poll_max_ns */
#define MK_INVALID_GPA		(~(gpa_t)0)

struct file;
struct pid;
struct vm;
struct vcpu;
struct lapic;
struct ioapic;
struct pic;
struct pit;
struct irq_routing_table;
struct io_bus;
struct coalesced;
struct memslots;
struct msr_filter;

/*
 * What an exit handler decided. Errno values never travel through it: a
 * handler that fails stores a negative errno in vcpu->run_errno first.
 */
enum exit_action {
	EXIT_RESUME,	/* handled: enter the guest again */
	EXIT_TO_USER,	/* vcpu->run is filled in: RUN returns 0 */
	EXIT_FAIL,	/* RUN returns vcpu->run_errno */
};

/* Where a vCPU is, for whoever wants its attention (see vcpu_kick()). */
enum vcpu_mode {
	VCPU_OUTSIDE_GUEST,
	VCPU_IN_GUEST,
	VCPU_EXITING,
};

/*
 * Bits of vcpu->requests: work to be done by the vCPU's own thread before its
 * next entry. Set with vcpu_request(), which orders the request before a kick.
 */
enum vcpu_request {
	REQ_EVENT,		/* look for something to inject */
	REQ_TLB_FLUSH,		/* EPT translations of this VM went stale */
	REQ_TLB_FLUSH_GUEST,	/* drop this vCPU's linear translations */
	REQ_TRIPLE_FAULT,	/* leave with MINIKVM_EXIT_SHUTDOWN */
	REQ_APIC,		/* what the CPU does for the APIC changed: apic_changed() */
	REQ_CLOCK_UPDATE,	/* refresh the guest's pvclock page */
	REQ_IOAPIC_EOI,		/* split irqchip: tell userspace's I/O APIC */
	REQ_TPR_ACCESS,		/* leave with MINIKVM_EXIT_TPR_ACCESS */
	REQ_DEBUG_STEP,		/* leave with MINIKVM_EXIT_DEBUG: a step is done */
	REQ_STEAL_UPDATE,	/* refresh the guest's steal-time record */
	REQ_MSR_FILTER,		/* the VM's MSR filter changed */
	REQ_DIRTY_LOG,		/* the CPU's own log of writes goes on or off */
	REQ_INSPECT,		/* another process reads it: inspect.c */
	REQ_VM_DEAD,		/* a broken invariant: RUN returns -EIO */
};

/* Index of a general register in vcpu->regs, in instruction-encoding order. */
enum vcpu_reg {
	REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
	REG_R8, REG_R9, REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15,
	REG_RIP,
	NR_VCPU_REGS,
	/* Not in regs[], but cached with the same valid bits. */
	REG_RFLAGS = NR_VCPU_REGS,
	REG_CR0,	/* bits the guest changes without an exit */
	REG_CR3,
	REG_CR4,
	REG_SEGMENTS,
	NR_CACHED_REGS,
};

/* Index of a segment register, in instruction-encoding order. */
enum vcpu_seg {
	SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_TR, SEG_LDTR,
	NR_VCPU_SEGS,
};

/**
 * struct queued_exception - an exception on its way into the guest
 * @pending: raised by emulation, not yet written to the VMCS
 * @injected: written to the VMCS; re-injected if the entry did not deliver it
 * @has_error_code: @error_code is pushed on the guest's stack
 * @has_payload: @payload is CR2 (#PF) or the DR6 bits (#DB), not yet applied
 * @vector: exception vector, 0..31
 * @error_code: as the guest's handler sees it
 * @payload: see @has_payload
 */
struct queued_exception {
	bool pending;
	bool injected;
	bool has_error_code;
	bool has_payload;
	u8 vector;
	u32 error_code;
	u64 payload;
};

/**
 * struct vcpu_events - what waits to be delivered to the guest
 *
 * Only the vCPU's own thread (holder of vcpu->mutex) touches it, except
 * @nmi_queued, which anyone may increment.
 */
struct vcpu_events {
	struct queued_exception exception;
	struct {
		bool injected;		/* an interrupt is in the VMCS */
		bool soft;
		u8 nr;
	} interrupt;
	bool nmi_injected;
	bool nmi_masked;		/* only without virtual NMIs */
	u32 nmi_pending;		/* 0..2 */
	atomic_t nmi_queued;
};

/**
 * struct pio_access - one IN, OUT, INS or OUTS as the exit described it
 * @port: I/O port
 * @size: bytes per element: 1, 2 or 4
 * @in: guest reads
 * @string: INS or OUTS
 * @rep: with a REP prefix
 * @addr_size: string forms: address size in bytes, 2, 4 or 8
 * @seg: string forms: segment of the memory operand (ES for INS)
 */
struct pio_access {
	u16 port;
	u8 size;
	bool in;
	bool string;
	bool rep;
	u8 addr_size;
	enum vcpu_seg seg;
};

/**
 * struct vcpu - one virtual CPU
 *
 * Embedded in the vendor's own structure (struct vcpu_vmx). Protected by
 * @mutex unless said otherwise.
 */
struct vcpu {
	struct vm *vm;
	u32 id;				/* as given to CREATE_VCPU: the APIC id */
	u32 idx;			/* position in vm->vcpus */
	struct mutex mutex;		/* held during every vCPU ioctl */
	struct minikvm_run *run;	/* the mmap'ed page */
	void *pio_data;			/* the page after it, PIO payload */

	/* Scheduling and attention; any context. */
	int cpu;			/* where it is loaded, -1 if nowhere */
	int mode;			/* enum vcpu_mode */
	unsigned long requests;
	bool unhalted;			/* vcpu_unblock(): the next halt is none */
	struct preempt_notifier preempt;
	struct rcuwait wait;
	struct pid __rcu *pid;		/* the thread that runs it; vcpu_yield.c */
	bool ready;			/* that thread waits for a CPU */
	u32 halt_poll_ns;		/* how long a HLT is waited out awake */
	bool spinning;			/* in vcpu_on_spin() */
	bool spin_passed_over;		/* ... and was passed over by another one there */

	/* RUN in progress. */
	int run_errno;
	sigset_t sigset;
	bool sigset_active;
	enum exit_action (*complete_userspace_io)(struct vcpu *vcpu);

	/* Registers. Caches of VMCS fields say so through reg_valid. */
	unsigned long regs[NR_VCPU_REGS];
	unsigned long rflags;
	unsigned long reg_valid;	/* BIT(REG_x): the copy here is current */
	unsigned long reg_dirty;	/* BIT(REG_x): newer than the VMCS */
	unsigned long cr0, cr0_guest_owned;
	unsigned long cr2;
	unsigned long cr3;
	unsigned long cr4, cr4_guest_owned;
	unsigned long cr8;		/* without an in-kernel LAPIC */
	u64 efer;
	u64 apic_base;
	u64 pdptrs[4];			/* PAE paging */
	unsigned long db[4], dr6, dr7;
	unsigned long eff_dr7;		/* the CPU's, see x86/debug.c */
	bool db_loaded;			/* hardware DRs hold the guest's */
	u64 xcr0, xss;
	u64 host_xcr0;
	u32 pkru, host_pkru;
	struct fpu_guest guest_fpu;
	bool guest_fpu_loaded;

	struct vcpu_events events;

	/* The debugger in userspace. */
	u32 guest_debug;		/* MINIKVM_GUESTDBG_*, 0 when none */
	unsigned long debug_db[4], debug_dr7;
	unsigned long singlestep_rip;	/* linear, of the instruction to step */
	unsigned long step_causes;	/* DR6 bits, with REQ_DEBUG_STEP */

	/* Interrupt controller and multiprocessor state. */
	struct lapic *lapic;		/* NULL without in-kernel irqchip */
	u64 guest_timer;		/* host TSC that ends a stay in the guest, 0: none */
	unsigned long apic_attention;	/* APIC_ATTENTION_*, see lapic.h */
	bool user_irq_window;		/* run->request_interrupt_window counts */
	bool report_tpr;		/* TPR_ACCESS_REPORTING */
	u8 ioapic_eoi_vector;		/* REQ_IOAPIC_EOI */
	int user_extint;		/* split irqchip: the 8259's vector, or -1 */
	u32 mp_state;			/* MINIKVM_MP_STATE_* */
	unsigned long apic_events;	/* INIT and SIPI, see lapic.h; any context */
	u8 sipi_vector;

	/* CPUID. */
	struct minikvm_cpuid_entry2 *cpuid_entries;
	struct cpuid_index *cpuid_index;
	int cpuid_nent;
	u8 maxphyaddr;
	u64 reserved_gpa_bits;
	unsigned long cr4_reserved;
	u64 supported_xcr0;
	u32 pv_features;		/* MINIKVM_CPUID_FEATURES.eax, 0 if none */
	bool pv_enforce;		/* those not in there do not exist */
	bool has_run;

	/* MSRs without a home of their own. */
	u64 pat;
	u64 misc_enable;
	u64 mtrr_def_type;
	u64 mtrr_fixed[11];
	u64 mtrr_var[16];
	u64 mcg_cap, mcg_status, mcg_ctl, mcg_ext_ctl;
	u64 mce_banks[4 * MK_MCE_BANKS];
	u64 mce_ctl2[MK_MCE_BANKS];
	u64 spec_ctrl;
	u64 arch_capabilities;
	u64 microcode_version;
	u64 platform_info, misc_features_enables;
	bool cpuid_faulting;		/* CPUID outside ring 0 is #GP */
	u64 power_ctl, hwcr, smi_count;
	u64 tsc_aux;
	u64 tsc_offset;			/* guest TSC = scaled host TSC + this */
	u64 tsc_ratio;			/* guest ticks of a host tick, TSC_RATIO_ONE is 1 */
	u32 tsc_khz;
	s64 tsc_adjust;

	/* kvmclock: see x86/pvclock.c. */
	struct {
		u64 system_time_msr;
		gpa_t time_gpa;		/* MK_INVALID_GPA: off */
		u32 version;
		bool stopped;		/* tell the guest that it was paused */
		int cpu;		/* the record was made for this CPU */
		unsigned long refresh;	/* jiffies; without a common reference */
	} pvclock;

	/* Paravirtual services: see x86/steal.c, irqchip/lapic_pv.c, x86/hypercall.c. */
	struct {
		u64 msr;
		u64 run_delay;		/* of the thread, already accounted */
		bool preempted;		/* the guest's record says so */
	} steal;
	u64 pv_eoi_msr;
	u64 poll_control;
	bool at_insn_boundary;		/* nothing of an instruction is half done */

	/* Emulation in progress, across an exit to userspace. */
	struct pio_access pio;
	u32 pio_count;
	unsigned long pio_rip;
	bool cs_moved;			/* CS got another base since this was cleared */
	struct emul_ctx *emul;

	struct vcpu_stats stats;

	struct vcpu_inspect inspect;
	struct exit_ring __rcu *exit_ring;	/* exit_ring.c; NULL: nobody reads */
	struct exit_record exit_record;
};

/**
 * struct exit_info - the last exit, in the vendor's own numbers
 * @reason: @qualification: why, and the details
 * @idt_info: the event whose delivery it interrupted, 0 if none
 * @intr_info: @error_code: the event that caused it, if one did
 * @rip: guest RIP
 * @gpa: guest-physical address of the access, MK_INVALID_GPA if it was none
 */
struct exit_info {
	u32 reason;
	u64 qualification;
	u64 rip;
	gpa_t gpa;
	u64 idt_info;
	u32 intr_info;
	u32 error_code;
};

/**
 * struct mmu_state - the second-dimension page tables of one VM
 *
 * Owned by module/mmu; the vendor reads @root_hpa to make its root pointer.
 */
struct mmu_state {
	rwlock_t lock;			/* every table entry of the VM */
	struct page *root_page;
	hpa_t root_hpa;
	unsigned long nr_pages;		/* table pages, root included */
	struct page *apic_page;		/* see mmu/apic_page.c; NULL: not used */
	bool apic_page_shown;
	/* Host mm invalidation: see mmu/notifier.c. */
	struct mmu_notifier notifier;
	unsigned long notifier_seq;
	long notifier_count;
	hva_t notifier_start, notifier_end;
	bool notifier_registered;
};

/**
 * struct vm - one virtual machine
 *
 * Created by CREATE_VM, freed when the VM fd and every vCPU fd are closed.
 */
struct vm {
	refcount_t refcount;
	struct mm_struct *mm;		/* the creator's; other mms get -EIO */
	struct mutex lock;		/* creating vCPUs and interrupt chips */
	struct list_head list;		/* on the module's vm list */
	pid_t owner_pid;		/* for log lines */
	bool dead;			/* broken: every ioctl returns -EIO */
	bool exit_on_emulation_failure;

	/*
	 * SRCU readers: memslots, the I/O buses and interrupt routing. Taken
	 * by whoever looks, never held while the guest runs.
	 */
	struct srcu_struct srcu;

	struct mutex slots_lock;	/* changing slots or buses */
	struct memslots __rcu *memslots;
	struct xarray slot_ids;		/* slot number -> its base_gfn */
	u64 dirty_log_manual;		/* MINIKVM_DIRTY_LOG_* */
	int dirty_slots;		/* slots that log */
	unsigned long memslot_pages;	/* of all slots */
	u32 halt_poll_max_ns;		/* CAP_HALT_POLL: no HLT is waited out longer awake */
	unsigned long mmu_pages_max;	/* 0: there never was a slot; see SET_NR_MMU_PAGES */
	bool mmu_pages_requested;	/* by userspace */
	struct mmu_state mmu;
	struct vm_stats stats;
	gpa_t tss_addr;
	gpa_t identity_map_addr;

	struct vcpu *vcpus[MK_MAX_VCPUS];	/* published with nr_vcpus */
	int nr_vcpus;			/* atomic: smp_load_acquire() */
	int created_vcpus;		/* under @lock: reserved places */
	int last_boosted;		/* index in @vcpus: a hint of vcpu_on_spin() */
	u32 bsp_id;

	/* ENABLE_CAP. */
	bool exception_payload;		/* VCPU_EVENTS tells pending from injected */
	bool triple_fault_event;	/* and has the triple fault */

	struct io_bus __rcu *buses[4];	/* enum io_bus_nr */
	struct list_head ioeventfds;	/* ioeventfd.c; under @slots_lock */
	struct coalesced *coalesced;	/* coalesced.c */

	/* In-kernel interrupt chips; NULL until CREATE_IRQCHIP. */
	struct mutex irq_lock;		/* routing updates */
	struct pic *pic;
	struct ioapic *ioapic;
	struct pit *pit;
	struct irq_routing_table __rcu *routing;
	bool irqchip_ready;		/* smp_load_acquire(), see irqchip_in_kernel() */
	bool irqchip_split;		/* only the local APICs are in the kernel */
	u32 nr_reserved_gsi;		/* split: pins of userspace's I/O APIC */
	DECLARE_BITMAP(split_eoi_vectors, 256);	/* split: whose EOI it may want */
	bool x2apic_format;		/* X2APIC_API: ids in the ABI have 32 bits */
	bool x2apic_no_quirk;		/* X2APIC_API: 0xff is an id in x2APIC mode */
	struct mutex irqfd_lock;	/* assigning; the resamplers: irqfd.c */
	spinlock_t irqfd_list_lock;	/* @irqfds; inside an eventfd's own lock */
	struct list_head irqfds;
	struct list_head resamplers;
	struct mutex apic_map_lock;	/* replacing @apic_map */
	void __rcu *apic_map;		/* struct apic_map, lapic_ipi.c */

	/* What userspace switched on or off, see cap.c. */
	u64 disabled_quirks;		/* MINIKVM_X86_QUIRK_* */
	u32 max_vcpu_ids;		/* under @lock; 0: not chosen yet */
	u32 exits_disabled;		/* MINIKVM_X86_DISABLE_EXITS_*, for new vCPUs */
	u32 user_msr_reasons;		/* MINIKVM_MSR_EXIT_REASON_* */
	u64 user_hypercalls;		/* BIT(MINIKVM_HC_*) */
	bool platform_info_hidden;
	struct msr_filter __rcu *msr_filter;	/* under @lock; x86/msr_filter.c */

	/* Time. */
	u32 default_tsc_khz;
	raw_spinlock_t tsc_lock;
	u32 tsc_last_khz;
	u64 tsc_last_write, tsc_last_nsec, tsc_cur_offset;
	s64 clock_offset;		/* kvmclock = boot time + this, ns */
	u64 clock_ref_tsc, clock_ref_ns;	/* one instant, for all vCPUs */
	bool clock_ref_valid;
	u64 wall_clock_msr;
};

/**
 * struct mmu_format - how the vendor spells a second-dimension table entry
 * @read: @write: @exec: permission bits of a present entry
 * @accessed: @dirty: hardware-set bits, 0 when the CPU has none
 * @large: marks a leaf at level 2 or 3
 * @memtype_wb: bits that make a leaf write-back whatever the guest's PAT says
 * @memtype_uc: bits of an uncacheable leaf (host device memory)
 * @mmio: value of an entry that makes every access an MMIO exit with no walk
 * @mmio_mask: which bits of an entry compare against @mmio
 * @logs_dirty: the CPU logs the pages whose dirty bit it sets
 * @memtype: bits of a leaf that hold the memory type, 0 if none do
 * @ignore_pat: makes a leaf ignore the guest's PAT, 0 if nothing does
 * @max_level: largest leaf: 1 (4 KiB), 2 (2 MiB) or 3 (1 GiB)
 */
struct mmu_format {
	u64 read, write, exec;
	u64 accessed, dirty;
	u64 large;
	u64 memtype_wb, memtype_uc;
	u64 mmio, mmio_mask;
	u64 memtype, ignore_pat;
	bool logs_dirty;
	int max_level;
};

/**
 * struct minikvm_vendor_ops - everything that depends on the CPU vendor
 *
 * Unless said otherwise an operation on a vCPU is called with vcpu->mutex
 * held, the vCPU loaded on this CPU, and may touch its VMCS.
 */
struct minikvm_vendor_ops {
	const char *name;
	size_t vcpu_size;		/* of the structure that embeds struct vcpu */

	/*
	 * Load time. @setup checks every required capability, prints one line,
	 * and returns 0, -EOPNOTSUPP (naming what is missing) or -ENOMEM.
	 */
	int (*setup)(void);
	void (*unsetup)(void);

	/*
	 * This CPU, interrupts off or migration disabled: VMXON and VMXOFF.
	 * @cpu_enable: 0, -EBUSY when another hypervisor holds VMX, -EIO.
	 */
	int (*cpu_enable)(void);
	void (*cpu_disable)(void);

	int (*vm_init)(struct vm *vm);
	void (*vm_destroy)(struct vm *vm);

	/*
	 * @vcpu_create, @vcpu_free: not loaded. @vcpu_reset: power-on (init
	 * false) or INIT (true) values of everything the vendor holds.
	 */
	int (*vcpu_create)(struct vcpu *vcpu);
	void (*vcpu_free)(struct vcpu *vcpu);
	void (*vcpu_reset)(struct vcpu *vcpu, bool init);

	/* Preemption off. @to_user: the thread returns to user mode; else it was switched out. */
	void (*vcpu_load)(struct vcpu *vcpu, int cpu);
	void (*vcpu_put)(struct vcpu *vcpu, bool to_user);
	/* Preemption off: load guest values the host does not use in the kernel. */
	void (*prepare_switch)(struct vcpu *vcpu);

	/* Interrupts off. Enter the guest once and come back. */
	void (*enter)(struct vcpu *vcpu);
	/* Interrupts off, right after @enter: NMI and machine check of the host. */
	void (*exit_irqoff)(struct vcpu *vcpu);
	/* Interrupts on: dispatch the exit. */
	enum exit_action (*handle_exit)(struct vcpu *vcpu);
	/* After @enter was prepared but not done: take injected events back. */
	void (*cancel_injection)(struct vcpu *vcpu);

	/* Events. */
	bool (*irq_allowed)(struct vcpu *vcpu);
	bool (*nmi_allowed)(struct vcpu *vcpu);
	void (*inject_irq)(struct vcpu *vcpu);		/* events.interrupt */
	void (*inject_nmi)(struct vcpu *vcpu);
	void (*inject_exception)(struct vcpu *vcpu);	/* events.exception */
	/* Breakpoints that wait for the end of an instruction: DR6 bits, forgotten. */
	unsigned long (*take_pending_db)(struct vcpu *vcpu);
	void (*request_irq_window)(struct vcpu *vcpu);
	void (*request_nmi_window)(struct vcpu *vcpu);
	bool (*get_nmi_mask)(struct vcpu *vcpu);
	void (*set_nmi_mask)(struct vcpu *vcpu, bool masked);
	/* STI/MOV-SS shadow: MINIKVM_X86_SHADOW_INT_*. */
	u32 (*get_shadow)(struct vcpu *vcpu);
	void (*set_shadow)(struct vcpu *vcpu, u32 mask);
	/* TPR or pending-interrupt priority changed; only if TPR shadow is used. */
	void (*update_tpr)(struct vcpu *vcpu, int tpr, int max_irr);
	/*
	 * @apic_changed: IA32_APIC_BASE, ioapic_eoi_vectors() or guest_debug changed:
	 * choose anew what the CPU does for the in-kernel APIC, lapic_set_delivers() included.
	 * @set_virtual_irqs: only if it delivers: the highest vectors requested and
	 * in service, -1 for none.
	 */
	void (*apic_changed)(struct vcpu *vcpu);
	void (*set_virtual_irqs)(struct vcpu *vcpu, int request, int service);
	/*
	 * Does @enter keep to vcpu->guest_timer? The exit then calls
	 * lapic_timer_check(). It may come early, not late.
	 */
	bool (*can_time_guest)(struct vcpu *vcpu);

	/* Registers. @cache_reg fills vcpu->regs[] etc. for one enum vcpu_reg. */
	void (*cache_reg)(struct vcpu *vcpu, int reg);
	void (*get_segment)(struct vcpu *vcpu, struct minikvm_segment *var, int seg);
	void (*set_segment)(struct vcpu *vcpu, const struct minikvm_segment *var, int seg);
	u64 (*get_segment_base)(struct vcpu *vcpu, int seg);
	int (*get_cpl)(struct vcpu *vcpu);
	void (*get_cs_db_l)(struct vcpu *vcpu, bool *db, bool *l);
	void (*get_idt)(struct vcpu *vcpu, struct minikvm_dtable *dt);
	void (*set_idt)(struct vcpu *vcpu, const struct minikvm_dtable *dt);
	void (*get_gdt)(struct vcpu *vcpu, struct minikvm_dtable *dt);
	void (*set_gdt)(struct vcpu *vcpu, const struct minikvm_dtable *dt);
	/* Values already checked by x86/regs.c; these cannot fail. */
	void (*set_cr0)(struct vcpu *vcpu, unsigned long cr0);
	void (*set_cr3)(struct vcpu *vcpu, unsigned long cr3);
	void (*set_cr4)(struct vcpu *vcpu, unsigned long cr4);
	void (*set_efer)(struct vcpu *vcpu, u64 efer);
	void (*set_dr7)(struct vcpu *vcpu, unsigned long dr7);
	void (*update_exceptions)(struct vcpu *vcpu);	/* guest_debug changed */
	bool (*cr4_valid)(struct vcpu *vcpu, unsigned long cr4);
	void (*set_pdptrs)(struct vcpu *vcpu);		/* vcpu->pdptrs changed */
	void (*get_pdptrs)(struct vcpu *vcpu);		/* the guest may have */

	/* MSRs the vendor keeps: -ENOENT not mine, -EINVAL refused, 0 done. */
	int (*get_msr)(struct vcpu *vcpu, u32 index, u64 *data, bool host);
	int (*set_msr)(struct vcpu *vcpu, u32 index, u64 data, bool host);
	void (*msr_filter_changed)(struct vcpu *vcpu);
	void (*set_tsc_offset)(struct vcpu *vcpu, u64 offset);
	void (*set_tsc_ratio)(struct vcpu *vcpu, u64 ratio);	/* only if has_tsc_scaling */
	bool (*has_tsc_scaling)(void);
	void (*cpuid_changed)(struct vcpu *vcpu);

	/* Move RIP past the exiting instruction and clear the shadow. */
	void (*skip_insn)(struct vcpu *vcpu);
	void (*flush_tlb)(struct vcpu *vcpu);		/* EPT, all of the VM */
	void (*flush_tlb_guest)(struct vcpu *vcpu);	/* linear, this vCPU */

	void (*get_exit_info)(struct vcpu *vcpu, struct exit_info *info);
	/*
	 * Only if mmu_format->logs_dirty. @dirty_log_switch: own thread, loaded:
	 * log while vm->dirty_slots is not 0. @dirty_log_collect: any thread,
	 * vm->srcu or vm->slots_lock: everything logged so far is in the slots'
	 * bitmaps on return.
	 */
	void (*dirty_log_switch)(struct vcpu *vcpu);
	void (*dirty_log_collect)(struct vcpu *vcpu);

	/* Log what the guest's control structure holds. */
	void (*dump)(struct vcpu *vcpu);

	/*
	 * For readers (inspect.c). @inspect_fields: as many entries as
	 * @inspect_nr_fields says, which never changes; does not sleep.
	 * @inspect_bitmap: a page, NULL if this one of MINIKVM_INSPECT_BITMAP_* is
	 * not used. @inspect_caps: any context that may read MSRs; zeroed before.
	 */
	u32 (*inspect_nr_fields)(void);
	void (*inspect_fields)(struct vcpu *vcpu, struct minikvm_inspect_field *fields);
	const void *(*inspect_bitmap)(struct vcpu *vcpu, u32 which);
	void (*inspect_caps)(struct minikvm_inspect_caps *caps);

	const struct mmu_format *mmu_format;
};

extern const struct minikvm_vendor_ops *vendor;
extern const struct minikvm_vendor_ops vmx_ops;

#include "vendor_call.h"	/* vendor_call(): the same for those that every exit calls */

/* ---- main.c ------------------------------------------------------------- */
int hardware_get(void);		/* VMXON everywhere on the first call; -EBUSY, -EIO */
void hardware_put(void);	/* VMXOFF everywhere on the last */
bool hardware_on_this_cpu(void);

/* ---- cap.c -------------------------------------------------------------- */
long check_extension(struct vm *vm, long cap);
int vm_enable_cap(struct vm *vm, const struct minikvm_enable_cap *cap);
int vcpu_enable_cap(struct vcpu *vcpu, const struct minikvm_enable_cap *cap);

/* ---- vm_ioctl.c, vcpu_ioctl.c ------------------------------------------- */
long vm_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
long vcpu_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* ---- vm.c --------------------------------------------------------------- */
int vm_create(void);		/* a new VM's fd, or -errno */
void vm_get(struct vm *vm);
void vm_put(struct vm *vm);
void vm_kill(struct vm *vm, const char *why);	/* a broken invariant: this VM ends */

static inline int vm_nr_vcpus(struct vm *vm)
{
	/* Pairs with vcpu_publish(): a counted vCPU's pointer is there. */
	return smp_load_acquire(&vm->nr_vcpus);
}

#define vm_for_each_vcpu(i, vcpu, vm) \
	for ((i) = 0; (i) < vm_nr_vcpus(vm) && ((vcpu) = (vm)->vcpus[i], 1); (i)++)

struct vcpu *vm_vcpu_by_id(struct vm *vm, u32 id);

/* ---- attention.c ---------------------------------------------------------- */
void vcpu_kick(struct vcpu *vcpu);		/* any context: wake or force an exit */
void vcpu_unblock(struct vcpu *vcpu);		/* any context: end its halt */
void vm_request_all(struct vm *vm, enum vcpu_request req);	/* set and kick */
bool vm_wait_outside_guest(struct vm *vm);	/* does not sleep */
void vm_flush_tlbs(struct vm *vm);		/* request and wait; does not sleep */

/* ---- vcpu.c ------------------------------------------------------------- */
int vcpu_create(struct vm *vm, u32 id);	/* a vCPU fd, or -errno */
void vcpu_destroy(struct vcpu *vcpu);
void vcpu_load(struct vcpu *vcpu);
void vcpu_put(struct vcpu *vcpu);
void vcpu_reset(struct vcpu *vcpu, bool init);
enum exit_action vcpu_halt(struct vcpu *vcpu);	/* HLT was executed and skipped */
bool vcpu_runnable(struct vcpu *vcpu);
long vcpu_run(struct vcpu *vcpu);		/* RUN; vcpu_run.c */
void vcpu_preempt_init(struct vcpu *vcpu);
/* vcpu_yield.c */
void vcpu_track_thread(struct vcpu *vcpu);
void vcpu_forget_thread(struct vcpu *vcpu);
int vcpu_yield_to(struct vcpu *target);		/* >0: its thread has this CPU */
void vcpu_on_spin(struct vcpu *vcpu);
enum exit_action vcpu_internal_error(struct vcpu *vcpu, u32 suberror);

static inline void vcpu_set_request(struct vcpu *vcpu, enum vcpu_request req)
{
	/* Whatever the request announces is visible before the request is. */
	smp_wmb();
	set_bit(req, &vcpu->requests);
}

static inline bool vcpu_take_request(struct vcpu *vcpu, enum vcpu_request req)
{
	if (!test_bit(req, &vcpu->requests))
		return false;
	clear_bit(req, &vcpu->requests);
	/* Pairs with vcpu_set_request(): now read what it announced. */
	smp_mb__after_atomic();
	return true;
}

/* Any context. */
static inline void vcpu_request(struct vcpu *vcpu, enum vcpu_request req)
{
	vcpu_set_request(vcpu, req);
	vcpu_kick(vcpu);
}

static inline enum exit_action vcpu_fail(struct vcpu *vcpu, int err)
{
	vcpu->run_errno = err;
	return EXIT_FAIL;
}

/* ---- register caches ---------------------------------------------------- */
static inline void reg_ensure(struct vcpu *vcpu, int reg)
{
	if (!(vcpu->reg_valid & BIT(reg)))
		vendor_call(cache_reg)(vcpu, reg);
}

static inline unsigned long reg_read(struct vcpu *vcpu, int reg)
{
	if (reg == REG_RSP || reg == REG_RIP)
		reg_ensure(vcpu, reg);
	return vcpu->regs[reg];
}

static inline void reg_write(struct vcpu *vcpu, int reg, unsigned long val)
{
	vcpu->regs[reg] = val;
	vcpu->reg_valid |= BIT(reg);
	vcpu->reg_dirty |= BIT(reg);
}

static inline unsigned long rip_read(struct vcpu *vcpu)
{
	return reg_read(vcpu, REG_RIP);
}

static inline unsigned long rflags_read(struct vcpu *vcpu)
{
	reg_ensure(vcpu, REG_RFLAGS);
	return vcpu->rflags;
}

static inline void rflags_write(struct vcpu *vcpu, unsigned long val)
{
	vcpu->rflags = val;
	vcpu->reg_valid |= BIT(REG_RFLAGS);
	vcpu->reg_dirty |= BIT(REG_RFLAGS);
}

static inline unsigned long cr0_read(struct vcpu *vcpu)
{
	if (vcpu->cr0_guest_owned)
		reg_ensure(vcpu, REG_CR0);
	return vcpu->cr0;
}

static inline unsigned long cr3_read(struct vcpu *vcpu)
{
	reg_ensure(vcpu, REG_CR3);
	return vcpu->cr3;
}

static inline unsigned long cr4_read(struct vcpu *vcpu)
{
	if (vcpu->cr4_guest_owned)
		reg_ensure(vcpu, REG_CR4);
	return vcpu->cr4;
}

/* ---- memslot.c, guest_mem.c, mmu/: see memslot.h, mmu/mmu.h -------------- */
/* ---- iobus.c, irqchip/: see iobus.h, irqchip/irqchip.h, irqchip/lapic.h -- */
/* ---- x86/: see x86/x86.h -------------------------------------------------- */

static inline bool vm_has_quirk(struct vm *vm, u64 quirk)
{
	return !(READ_ONCE(vm->disabled_quirks) & quirk);
}

/* At least the local APICs. */
static inline bool irqchip_in_kernel(struct vm *vm)
{
	/* Pairs with irqchip_create(): a ready chip is complete. */
	return smp_load_acquire(&vm->irqchip_ready);
}

/* Local APICs in the kernel, I/O APIC and 8259 pair in userspace. */
static inline bool irqchip_split(struct vm *vm)
{
	return irqchip_in_kernel(vm) && vm->irqchip_split;
}

/* All of it in the kernel: vm->pic and vm->ioapic exist. */
static inline bool irqchip_kernel(struct vm *vm)
{
	return irqchip_in_kernel(vm) && !vm->irqchip_split;
}

#endif /* MINIKVM_H */
