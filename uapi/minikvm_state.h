/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Owns the layout of a virtual machine's architectural state: CPU registers,
 * MSRs, CPUID, interrupt controllers, timers and events in flight, as the
 * GET and SET ioctls of minikvm.h move them.
 *
 * The conventions of minikvm.h apply. Include that header, not this one.
 */
#ifndef _UAPI_MINIKVM_STATE_H
#define _UAPI_MINIKVM_STATE_H

#include <linux/types.h>

#define MINIKVM_NR_INTERRUPTS	256	/* interrupt vectors of one CPU */

/* ---- general-purpose, segment, control and FPU state ------------------- */

/**
 * struct minikvm_regs - general-purpose registers (MINIKVM_GET/SET_REGS)
 *
 * in (SET) / out (GET), all of them.
 */
struct minikvm_regs {
	__u64 rax, rbx, rcx, rdx;
	__u64 rsi, rdi, rsp, rbp;
	__u64 r8, r9, r10, r11;
	__u64 r12, r13, r14, r15;
	__u64 rip, rflags;
};

/**
 * struct minikvm_segment - one segment register with its hidden part
 * @base: linear base address
 * @limit: limit in bytes, already scaled by the granularity bit
 * @selector: visible selector
 * @type: descriptor type field, 4 bits
 * @present: P bit
 * @dpl: descriptor privilege level, 0..3
 * @db: default operation size (CS) or stack size (SS)
 * @s: 0 system, 1 code or data
 * @l: 64-bit code segment
 * @g: granularity bit
 * @avl: bit available to software
 * @unusable: 1 if the segment was loaded with a null selector
 * @padding: ignored, reads as zero
 */
struct minikvm_segment {
	__u64 base;
	__u32 limit;
	__u16 selector;
	__u8 type;
	__u8 present, dpl, db, s, l, g, avl;
	__u8 unusable;
	__u8 padding;
};

/**
 * struct minikvm_dtable - GDTR or IDTR
 * @base: linear base address
 * @limit: table size in bytes, minus one
 * @padding: ignored, reads as zero
 */
struct minikvm_dtable {
	__u64 base;
	__u16 limit;
	__u16 padding[3];
};

/**
 * struct minikvm_sregs - special registers (MINIKVM_GET/SET_SREGS)
 *
 * in (SET) / out (GET), all of them.
 * @cr8: task priority, bits 3:0
 * @apic_base: IA32_APIC_BASE
 * @interrupt_bitmap: the external interrupt accepted but not yet delivered, as
 *	one bit per vector; at most one bit is set
 */
struct minikvm_sregs {
	struct minikvm_segment cs, ds, es, fs, gs, ss;
	struct minikvm_segment tr, ldt;
	struct minikvm_dtable gdt, idt;
	__u64 cr0, cr2, cr3, cr4, cr8;
	__u64 efer;
	__u64 apic_base;
	__u64 interrupt_bitmap[(MINIKVM_NR_INTERRUPTS + 63) / 64];
};

#define MINIKVM_SREGS2_FLAGS_PDPTRS_VALID	1

/**
 * struct minikvm_sregs2 - special registers and PDPTEs (MINIKVM_GET/SET_SREGS2)
 *
 * in (SET) / out (GET), as struct minikvm_sregs up to @apic_base.
 * @flags: MINIKVM_SREGS2_FLAGS_PDPTRS_VALID: @pdptrs counts. GET sets it while
 *	the guest uses PAE paging; SET without it reads the four from memory
 * @pdptrs: the page-directory-pointer-table entries the CPU holds
 */
struct minikvm_sregs2 {
	struct minikvm_segment cs, ds, es, fs, gs, ss;
	struct minikvm_segment tr, ldt;
	struct minikvm_dtable gdt, idt;
	__u64 cr0, cr2, cr3, cr4, cr8;
	__u64 efer;
	__u64 apic_base;
	__u64 flags;
	__u64 pdptrs[4];
};

/**
 * struct minikvm_translation - one linear address (MINIKVM_TRANSLATE)
 * @linear_address: in: gva
 * @physical_address: out: its gpa, all ones if there is none
 * @valid: out: whether the guest's page tables map it
 * @writeable: out: always 1
 * @usermode: out: always 0
 */
struct minikvm_translation {
	__u64 linear_address;
	__u64 physical_address;
	__u8 valid;
	__u8 writeable;
	__u8 usermode;
	__u8 pad[5];
};

/**
 * struct minikvm_fpu - x87 and SSE state (MINIKVM_GET/SET_FPU)
 *
 * in (SET) / out (GET).
 * @fpr: ST0..ST7, ten bytes used of each
 * @ftwx: abridged tag word, as FXSAVE stores it
 * @last_opcode: x87 FOP
 * @last_ip: x87 FIP
 * @last_dp: x87 FDP
 * @xmm: XMM0..XMM15
 */
struct minikvm_fpu {
	__u8 fpr[8][16];
	__u16 fcw;
	__u16 fsw;
	__u8 ftwx;
	__u8 pad1;
	__u16 last_opcode;
	__u64 last_ip;
	__u64 last_dp;
	__u8 xmm[16][16];
	__u32 mxcsr;
	__u32 pad2;
};

/**
 * struct minikvm_xsave - XSAVE area in standard format (MINIKVM_GET/SET_XSAVE)
 * @region: in (SET) / out (GET): legacy area, header, extended components at
 *	the offsets CPUID leaf 0xD gives on the host
 * @extra: more of the same, used by MINIKVM_GET_XSAVE2 only
 */
struct minikvm_xsave {
	__u32 region[1024];
	__u32 extra[];
};

#define MINIKVM_MAX_XCRS	16

/**
 * struct minikvm_xcr - one extended control register
 * @xcr: register number; only 0 exists
 * @reserved: ignored
 * @value: its value
 */
struct minikvm_xcr {
	__u32 xcr;
	__u32 reserved;
	__u64 value;
};

/**
 * struct minikvm_xcrs - extended control registers (MINIKVM_GET/SET_XCRS)
 * @nr_xcrs: in (SET) / out (GET): valid entries of @xcrs
 * @flags: must be zero
 */
struct minikvm_xcrs {
	__u32 nr_xcrs;
	__u32 flags;
	struct minikvm_xcr xcrs[MINIKVM_MAX_XCRS];
	__u64 padding[16];
};

/**
 * struct minikvm_debugregs - debug registers (MINIKVM_GET/SET_DEBUGREGS)
 * @db: DR0..DR3
 * @flags: must be zero
 */
struct minikvm_debugregs {
	__u64 db[4];
	__u64 dr6;
	__u64 dr7;
	__u64 flags;
	__u64 reserved[9];
};

#define MINIKVM_GUESTDBG_ENABLE		0x00000001
#define MINIKVM_GUESTDBG_SINGLESTEP	0x00000002
#define MINIKVM_GUESTDBG_USE_SW_BP	0x00010000	/* INT3 leaves the guest */
#define MINIKVM_GUESTDBG_USE_HW_BP	0x00020000	/* debugreg[] is used */
#define MINIKVM_GUESTDBG_INJECT_DB	0x00040000	/* raise #DB, once */
#define MINIKVM_GUESTDBG_INJECT_BP	0x00080000	/* raise #BP, once */
#define MINIKVM_GUESTDBG_BLOCKIRQ	0x00100000	/* deliver no interrupt */

/**
 * struct minikvm_guest_debug_arch - the debugger's own debug registers
 * @debugreg: 0..3 addresses, 7 DR7; the others are ignored
 */
struct minikvm_guest_debug_arch {
	__u64 debugreg[8];
};

/**
 * struct minikvm_guest_debug - debug the guest (MINIKVM_SET_GUEST_DEBUG)
 * @control: in: MINIKVM_GUESTDBG_*; without ENABLE the others do nothing, except
 *	the two that inject
 * @arch: in: counts with MINIKVM_GUESTDBG_USE_HW_BP
 */
struct minikvm_guest_debug {
	__u32 control;
	__u32 pad;
	struct minikvm_guest_debug_arch arch;
};

/* ---- MSRs and CPUID ---------------------------------------------------- */

/**
 * struct minikvm_msr_entry - one MSR and its value
 * @index: in: MSR number, as in ECX of RDMSR
 * @reserved: ignored
 * @data: in (SET) / out (GET)
 */
struct minikvm_msr_entry {
	__u32 index;
	__u32 reserved;
	__u64 data;
};

/**
 * struct minikvm_msrs - a batch of MSRs (MINIKVM_GET/SET_MSRS)
 * @nmsrs: in: entries that follow, below 256
 *
 * The ioctl returns how many entries were done before the first one that was
 * refused.
 */
struct minikvm_msrs {
	__u32 nmsrs;
	__u32 pad;
	struct minikvm_msr_entry entries[];
};

/**
 * struct minikvm_msr_list - MSRs worth saving (MINIKVM_GET_MSR_INDEX_LIST)
 * @nmsrs: in: room in @indices; out: length of the list, also with E2BIG
 * @indices: out
 */
struct minikvm_msr_list {
	__u32 nmsrs;
	__u32 indices[];
};

/**
 * struct minikvm_cpuid_entry2 - one CPUID leaf or sub-leaf
 * @function: EAX on input of CPUID
 * @index: ECX on input, if @flags has SIGNIFCANT_INDEX
 * @flags: MINIKVM_CPUID_FLAG_*
 * @eax: result; likewise @ebx, @ecx, @edx
 */
struct minikvm_cpuid_entry2 {
	__u32 function;
	__u32 index;
	__u32 flags;
	__u32 eax;
	__u32 ebx;
	__u32 ecx;
	__u32 edx;
	__u32 padding[3];
};

/* The spelling is part of the ABI. */
#define MINIKVM_CPUID_FLAG_SIGNIFCANT_INDEX	0x1

/**
 * struct minikvm_cpuid2 - a CPUID table (MINIKVM_GET_SUPPORTED_CPUID,
 *			   MINIKVM_SET_CPUID2, MINIKVM_GET_CPUID2)
 * @nent: in: entries, or room for them; out (GET): entries written
 */
struct minikvm_cpuid2 {
	__u32 nent;
	__u32 padding;
	struct minikvm_cpuid_entry2 entries[];
};

/* ---- interrupt controllers and timers ---------------------------------- */

#define MINIKVM_APIC_REG_SIZE	0x400

/**
 * struct minikvm_lapic_state - local APIC register page (MINIKVM_GET/SET_LAPIC)
 * @regs: the first KiB of the xAPIC MMIO page, registers at their offsets
 */
struct minikvm_lapic_state {
	char regs[MINIKVM_APIC_REG_SIZE];
};

/**
 * struct minikvm_pic_state - one 8259A of the pair
 * @last_irr: line levels seen last, for edge detection
 * @irr: interrupt request register
 * @imr: interrupt mask register
 * @isr: in-service register
 * @priority_add: line that has highest priority
 * @irq_base: vector of line 0 (ICW2)
 * @read_reg_select: OCW3 selects ISR (1) or IRR (0)
 * @poll: poll command is pending
 * @special_mask: special mask mode
 * @init_state: next ICW expected, 0 when initialised
 * @auto_eoi: automatic EOI mode
 * @rotate_on_auto_eoi: rotate priority at automatic EOI
 * @special_fully_nested_mode: ICW4.SFNM
 * @init4: ICW4 is expected
 * @elcr: edge/level control register
 * @elcr_mask: writable bits of @elcr
 */
struct minikvm_pic_state {
	__u8 last_irr;
	__u8 irr;
	__u8 imr;
	__u8 isr;
	__u8 priority_add;
	__u8 irq_base;
	__u8 read_reg_select;
	__u8 poll;
	__u8 special_mask;
	__u8 init_state;
	__u8 auto_eoi;
	__u8 rotate_on_auto_eoi;
	__u8 special_fully_nested_mode;
	__u8 init4;
	__u8 elcr;
	__u8 elcr_mask;
};

#define MINIKVM_IOAPIC_NUM_PINS	24

/**
 * struct minikvm_ioapic_state - the I/O APIC
 * @base_address: GPA of its MMIO page
 * @ioregsel: selected register
 * @id: bits 3:0 of the ID register
 * @irr: pins with a request not yet delivered
 * @redirtbl: redirection table, as a whole (bits) or by field
 */
struct minikvm_ioapic_state {
	__u64 base_address;
	__u32 ioregsel;
	__u32 id;
	__u32 irr;
	__u32 pad;
	union {
		__u64 bits;
		struct {
			__u8 vector;
			__u8 delivery_mode:3;
			__u8 dest_mode:1;
			__u8 delivery_status:1;
			__u8 polarity:1;
			__u8 remote_irr:1;
			__u8 trig_mode:1;
			__u8 mask:1;
			__u8 reserve:7;
			__u8 reserved[4];
			__u8 dest_id;
		} fields;
	} redirtbl[MINIKVM_IOAPIC_NUM_PINS];
};

#define MINIKVM_IRQCHIP_PIC_MASTER	0
#define MINIKVM_IRQCHIP_PIC_SLAVE	1
#define MINIKVM_IRQCHIP_IOAPIC		2
#define MINIKVM_NR_IRQCHIPS		3

/**
 * struct minikvm_irqchip - one interrupt controller (MINIKVM_GET/SET_IRQCHIP)
 * @chip_id: in: MINIKVM_IRQCHIP_*
 * @chip: in (SET) / out (GET): its state
 */
struct minikvm_irqchip {
	__u32 chip_id;
	__u32 pad;
	union {
		char dummy[512];
		struct minikvm_pic_state pic;
		struct minikvm_ioapic_state ioapic;
	} chip;
};

/**
 * struct minikvm_pit_channel_state - one counter of the 8254
 * @count: reload value; 65536 stands for a programmed 0
 * @latched_count: value latched by the counter latch command
 * @count_latched: how many bytes of it are still to be read
 * @status_latched: @status holds a read-back status byte
 * @read_state: byte order state of reads; likewise @write_state
 * @write_latch: low byte of a two-byte write
 * @rw_mode: RW bits of the control word
 * @mode: counting mode 0..5
 * @gate: level of the gate input
 * @count_load_time: CLOCK_MONOTONIC nanoseconds when @count was loaded
 */
struct minikvm_pit_channel_state {
	__u32 count;
	__u16 latched_count;
	__u8 count_latched;
	__u8 status_latched;
	__u8 status;
	__u8 read_state;
	__u8 write_state;
	__u8 write_latch;
	__u8 rw_mode;
	__u8 mode;
	__u8 bcd;
	__u8 gate;
	__s64 count_load_time;
};

/**
 * struct minikvm_pit_state - the 8254's counters (MINIKVM_GET/SET_PIT)
 * @channels: counters 0..2
 */
struct minikvm_pit_state {
	struct minikvm_pit_channel_state channels[3];
};

#define MINIKVM_PIT_FLAGS_HPET_LEGACY		0x00000001
#define MINIKVM_PIT_FLAGS_SPEAKER_DATA_ON	0x00000002

/**
 * struct minikvm_pit_state2 - the 8254 (MINIKVM_GET/SET_PIT2)
 * @channels: counters 0..2
 * @flags: MINIKVM_PIT_FLAGS_*
 */
struct minikvm_pit_state2 {
	struct minikvm_pit_channel_state channels[3];
	__u32 flags;
	__u32 reserved[9];
};

/* ---- events and run state of a vCPU ------------------------------------ */

#define MINIKVM_VCPUEVENT_VALID_NMI_PENDING	0x00000001
#define MINIKVM_VCPUEVENT_VALID_SIPI_VECTOR	0x00000002
#define MINIKVM_VCPUEVENT_VALID_SHADOW		0x00000004
#define MINIKVM_VCPUEVENT_VALID_SMM		0x00000008
#define MINIKVM_VCPUEVENT_VALID_PAYLOAD		0x00000010
#define MINIKVM_VCPUEVENT_VALID_TRIPLE_FAULT	0x00000020

#define MINIKVM_X86_SHADOW_INT_MOV_SS	0x01
#define MINIKVM_X86_SHADOW_INT_STI	0x02

/**
 * struct minikvm_vcpu_events - events in flight (MINIKVM_GET/SET_VCPU_EVENTS)
 * @exception: exception being delivered (injected) or waiting (pending)
 * @interrupt: external or soft interrupt being delivered, and the shadow
 *	(MINIKVM_X86_SHADOW_*) that delays the next one
 * @nmi: NMI state; masked means that an NMI handler runs
 * @sipi_vector: vector of a start-up IPI
 * @flags: MINIKVM_VCPUEVENT_VALID_*: which optional fields count
 */
struct minikvm_vcpu_events {
	struct {
		__u8 injected;
		__u8 nr;
		__u8 has_error_code;
		__u8 pending;
		__u32 error_code;
	} exception;
	struct {
		__u8 injected;
		__u8 nr;
		__u8 soft;
		__u8 shadow;
	} interrupt;
	struct {
		__u8 injected;
		__u8 pending;
		__u8 masked;
		__u8 pad;
	} nmi;
	__u32 sipi_vector;
	__u32 flags;
	struct {
		__u8 smm;
		__u8 pending;
		__u8 smm_inside_nmi;
		__u8 latched_init;
	} smi;
	struct {
		__u8 pending;
	} triple_fault;
	__u8 reserved[26];
	__u8 exception_has_payload;
	__u64 exception_payload;
};

#define MINIKVM_MP_STATE_RUNNABLE	0
#define MINIKVM_MP_STATE_UNINITIALIZED	1	/* AP before INIT */
#define MINIKVM_MP_STATE_INIT_RECEIVED	2	/* AP that waits for a SIPI */
#define MINIKVM_MP_STATE_HALTED		3
#define MINIKVM_MP_STATE_SIPI_RECEIVED	4

/**
 * struct minikvm_mp_state - multiprocessing state (MINIKVM_GET/SET_MP_STATE)
 * @mp_state: in (SET) / out (GET): MINIKVM_MP_STATE_*
 */
struct minikvm_mp_state {
	__u32 mp_state;
};

#define MINIKVM_SYNC_X86_REGS		0x1UL
#define MINIKVM_SYNC_X86_SREGS		0x2UL
#define MINIKVM_SYNC_X86_EVENTS		0x4UL

/**
 * struct minikvm_sync_regs - state copied through the run page on request
 */
struct minikvm_sync_regs {
	struct minikvm_regs regs;
	struct minikvm_sregs sregs;
	struct minikvm_vcpu_events events;
};

/* ---- statistics (MINIKVM_GET_STATS_FD) ----------------------------------- */

/**
 * struct minikvm_stats_header - what a statistics file begins with
 * @name_size: bytes of the id string and of each descriptor's name
 * @num_desc: number of descriptors
 * @id_offset: where in the file the id string is
 * @desc_offset: where the descriptors are
 * @data_offset: where the values are
 */
struct minikvm_stats_header {
	__u32 flags;
	__u32 name_size;
	__u32 num_desc;
	__u32 id_offset;
	__u32 desc_offset;
	__u32 data_offset;
};

#define MINIKVM_STATS_TYPE_MASK		0xf
#define MINIKVM_STATS_TYPE_CUMULATIVE	0x0	/* only grows */
#define MINIKVM_STATS_TYPE_INSTANT	0x1	/* as it is now */
#define MINIKVM_STATS_TYPE_PEAK		0x2	/* the largest so far */
#define MINIKVM_STATS_TYPE_LINEAR_HIST	0x3
#define MINIKVM_STATS_TYPE_LOG_HIST	0x4	/* item n: values of n bits */
#define MINIKVM_STATS_UNIT_MASK		0xf0
#define MINIKVM_STATS_UNIT_NONE		0x00
#define MINIKVM_STATS_UNIT_BYTES	0x10
#define MINIKVM_STATS_UNIT_SECONDS	0x20
#define MINIKVM_STATS_UNIT_CYCLES	0x30
#define MINIKVM_STATS_UNIT_BOOLEAN	0x40
#define MINIKVM_STATS_BASE_MASK		0xf00
#define MINIKVM_STATS_BASE_POW10	0x000
#define MINIKVM_STATS_BASE_POW2		0x100

/**
 * struct minikvm_stats_desc - one statistic
 * @flags: MINIKVM_STATS_*: a type, a unit and a base
 * @exponent: the unit is multiplied by base to this power
 * @size: items, each a __u64
 * @offset: bytes from the start of the values
 * @bucket_size: width of a bucket of a linear histogram, else 0
 * @name: name_size bytes, terminated
 */
struct minikvm_stats_desc {
	__u32 flags;
	__s16 exponent;
	__u16 size;
	__u32 offset;
	__u32 bucket_size;
	char name[];
};

#endif /* _UAPI_MINIKVM_STATE_H */
