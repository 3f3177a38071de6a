/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Owns the mini-KVM user interface: every ioctl number, structure, exit reason
 * and capability that /dev/minikvm shares with its clients.
 *
 * The ABI is a numerically identical subset of the x86 ABI of Linux KVM: a
 * number or an offset here equals the one of the same name in <linux/kvm.h>
 * (MINIKVM_X is KVM_X, struct minikvm_x is struct kvm_x), which is proved by
 * selftests/unit/uapi_layout_test.c. Being listed here does not mean that the
 * module implements it: MINIKVM_CHECK_EXTENSION is the authority on that, and
 * Documentation/api.rst says what each call does and which errno it returns.
 *
 * Field comments say who writes a field: "in" userspace, "out" the kernel.
 * Unless said otherwise addresses are in bytes, guest addresses are GPAs, and
 * padding must be zero on input. The header may be included together with
 * <linux/kvm.h>; it needs nothing but the headers below.
 */
#ifndef _UAPI_MINIKVM_H
#define _UAPI_MINIKVM_H

#include <linux/types.h>
#include <linux/ioctl.h>

#include "minikvm_state.h"

#define MINIKVM_API_VERSION	12	/* what MINIKVM_GET_API_VERSION returns */
#define MINIKVMIO		0xAE	/* ioctl magic, the one KVM uses */

/* Offsets into the mmap of a vCPU fd, in pages. Page 0 is struct minikvm_run. */
#define MINIKVM_PIO_PAGE_OFFSET			1
#define MINIKVM_COALESCED_MMIO_PAGE_OFFSET	2

/* ---- the run page ------------------------------------------------------ */

#define MINIKVM_EXIT_UNKNOWN		0
#define MINIKVM_EXIT_EXCEPTION		1
#define MINIKVM_EXIT_IO			2
#define MINIKVM_EXIT_HYPERCALL		3
#define MINIKVM_EXIT_DEBUG		4
#define MINIKVM_EXIT_HLT		5
#define MINIKVM_EXIT_MMIO		6
#define MINIKVM_EXIT_IRQ_WINDOW_OPEN	7
#define MINIKVM_EXIT_SHUTDOWN		8
#define MINIKVM_EXIT_FAIL_ENTRY		9
#define MINIKVM_EXIT_INTR		10
#define MINIKVM_EXIT_SET_TPR		11
#define MINIKVM_EXIT_TPR_ACCESS		12
#define MINIKVM_EXIT_NMI		16
#define MINIKVM_EXIT_INTERNAL_ERROR	17
#define MINIKVM_EXIT_SYSTEM_EVENT	24
#define MINIKVM_EXIT_IOAPIC_EOI		26
#define MINIKVM_EXIT_X86_RDMSR		29
#define MINIKVM_EXIT_X86_WRMSR		30

#define MINIKVM_EXIT_IO_IN		0
#define MINIKVM_EXIT_IO_OUT		1

/* run.internal.suberror */
#define MINIKVM_INTERNAL_ERROR_EMULATION		1
#define MINIKVM_INTERNAL_ERROR_SIMUL_EX			2
#define MINIKVM_INTERNAL_ERROR_DELIVERY_EV		3
#define MINIKVM_INTERNAL_ERROR_UNEXPECTED_EXIT_REASON	4

#define MINIKVM_INTERNAL_ERROR_EMULATION_FLAG_INSTRUCTION_BYTES	0x1ULL

#define MINIKVM_SYSTEM_EVENT_SHUTDOWN	1
#define MINIKVM_SYSTEM_EVENT_RESET	2
#define MINIKVM_SYSTEM_EVENT_CRASH	3

/**
 * struct minikvm_debug_exit_arch - what stopped the guest (MINIKVM_EXIT_DEBUG)
 * @exception: vector, 1 (#DB) or 3 (#BP)
 * @pc: linear address of the instruction
 */
struct minikvm_debug_exit_arch {
	__u32 exception;
	__u32 pad;
	__u64 pc;
	__u64 dr6;
	__u64 dr7;
};

/**
 * struct minikvm_run - page 0 of the mmap of a vCPU fd
 * @request_interrupt_window: in: exit with IRQ_WINDOW_OPEN as soon as an
 *	external interrupt could be injected (userspace irqchip)
 * @immediate_exit: in: nonzero makes MINIKVM_RUN finish pending I/O and return
 *	EINTR without entering the guest
 * @exit_reason: out: MINIKVM_EXIT_*, selects the member of the union
 * @ready_for_interrupt_injection: out: MINIKVM_INTERRUPT would be delivered
 * @if_flag: out: RFLAGS.IF
 * @cr8: in (userspace irqchip) / out: task priority
 * @apic_base: in (userspace irqchip) / out: IA32_APIC_BASE
 * @kvm_valid_regs: in: MINIKVM_SYNC_X86_* classes to store in @s at each exit
 * @kvm_dirty_regs: in: classes to load from @s before entry
 *
 * The page stays writable by userspace while the kernel uses it: the kernel
 * reads each "in" field once and never reads back an "out" field.
 *
 * Data of a port access are at data_offset from the start of the structure
 * (page MINIKVM_PIO_PAGE_OFFSET), count items of size bytes. For reads (IO_IN,
 * MMIO with is_write 0) userspace stores the data there or in mmio.data before
 * the next MINIKVM_RUN, which completes the instruction.
 */
struct minikvm_run {
	__u8 request_interrupt_window;
	__u8 immediate_exit;
	__u8 padding1[6];

	__u32 exit_reason;
	__u8 ready_for_interrupt_injection;
	__u8 if_flag;
	__u16 flags;

	__u64 cr8;
	__u64 apic_base;

	union {
		struct {			/* EXIT_UNKNOWN */
			__u64 hardware_exit_reason;
		} hw;
		struct {			/* EXIT_FAIL_ENTRY */
			__u64 hardware_entry_failure_reason;
			__u32 cpu;
		} fail_entry;
		struct {			/* EXIT_EXCEPTION */
			__u32 exception;
			__u32 error_code;
		} ex;
		struct {			/* EXIT_IO */
			__u8 direction;		/* MINIKVM_EXIT_IO_* */
			__u8 size;		/* 1, 2 or 4 bytes */
			__u16 port;
			__u32 count;
			__u64 data_offset;
		} io;
		struct {			/* EXIT_DEBUG */
			struct minikvm_debug_exit_arch arch;
		} debug;
		struct {			/* EXIT_MMIO */
			__u64 phys_addr;
			__u8 data[8];
			__u32 len;		/* 1 to 8 bytes */
			__u8 is_write;
		} mmio;
		struct {			/* EXIT_HYPERCALL */
			__u64 nr;
			__u64 args[6];
			__u64 ret;
			__u32 longmode;
			__u32 pad;
		} hypercall;
		struct {			/* EXIT_TPR_ACCESS */
			__u64 rip;
			__u32 is_write;
			__u32 pad;
		} tpr_access;
		struct {			/* EXIT_INTERNAL_ERROR */
			__u32 suberror;
			__u32 ndata;		/* valid entries of data */
			__u64 data[16];
		} internal;
		struct {			/* suberror EMULATION */
			__u32 suberror;
			__u32 ndata;
			__u64 flags;
			union {
				struct {
					__u8 insn_size;
					__u8 insn_bytes[15];
				};
			};
		} emulation_failure;
		struct {			/* EXIT_SYSTEM_EVENT */
			__u32 type;
			__u32 ndata;
			union {
				__u64 flags;
				__u64 data[16];
			};
		} system_event;
		struct {			/* EXIT_IOAPIC_EOI */
			__u8 vector;
		} eoi;
		struct {			/* EXIT_X86_RDMSR, _WRMSR */
			__u8 error;		/* in: nonzero injects #GP */
			__u8 pad[7];
			__u32 reason;
			__u32 index;
			__u64 data;		/* in (read) / out (write) */
		} msr;
		char padding[256];
	};

	__u64 kvm_valid_regs;
	__u64 kvm_dirty_regs;
	union {
		struct minikvm_sync_regs regs;
		char padding[2048];
	} s;
};

/**
 * struct minikvm_signal_mask - signals blocked in RUN (MINIKVM_SET_SIGNAL_MASK)
 * @len: in: bytes in @sigset, must be 8
 * @sigset: in: the kernel's sigset_t
 */
struct minikvm_signal_mask {
	__u32 len;
	__u8 sigset[];
};

/* ---- memory ------------------------------------------------------------ */

#define MINIKVM_MEM_LOG_DIRTY_PAGES	0x1UL
#define MINIKVM_MEM_READONLY		0x2UL

/**
 * struct minikvm_userspace_memory_region - a memory slot
 *					    (MINIKVM_SET_USER_MEMORY_REGION)
 * @slot: in: slot number
 * @flags: in: MINIKVM_MEM_*
 * @guest_phys_addr: in: first GPA, page aligned
 * @memory_size: in: bytes, page aligned; 0 deletes the slot
 * @userspace_addr: in: hva that backs the first byte, page aligned
 */
struct minikvm_userspace_memory_region {
	__u32 slot;
	__u32 flags;
	__u64 guest_phys_addr;
	__u64 memory_size;
	__u64 userspace_addr;
};

/**
 * struct minikvm_dirty_log - pages written (MINIKVM_GET_DIRTY_LOG)
 * @slot: in
 * @dirty_bitmap: in: address of a bitmap, one bit per page, that is filled
 */
struct minikvm_dirty_log {
	__u32 slot;
	__u32 padding1;
	union {
		__u64 dirty_bitmap;
		__u64 padding2;
	};
};

/**
 * struct minikvm_clear_dirty_log - pages to track again (MINIKVM_CLEAR_DIRTY_LOG)
 * @slot: in
 * @num_pages: in: a multiple of 64, or up to the end of the slot
 * @first_page: in: first page of the slot, a multiple of 64
 * @dirty_bitmap: in: address of a bitmap; bit 0 is @first_page
 */
struct minikvm_clear_dirty_log {
	__u32 slot;
	__u32 num_pages;
	__u64 first_page;
	union {
		__u64 dirty_bitmap;
		__u64 padding2;
	};
};

/* Options of MINIKVM_CAP_MANUAL_DIRTY_LOG_PROTECT2, and its value. */
#define MINIKVM_DIRTY_LOG_MANUAL_PROTECT_ENABLE	0x1
#define MINIKVM_DIRTY_LOG_INITIALLY_SET		0x2

/* ---- interrupts and timers ---------------------------------------------- */

/**
 * struct minikvm_irq_level - an interrupt line (MINIKVM_IRQ_LINE[_STATUS])
 * @irq: in: GSI
 * @status: out, MINIKVM_IRQ_LINE_STATUS only: above 0 CPUs reached, 0 coalesced
 *	with a pending interrupt, below 0 masked or not connected
 * @level: in: 0 low, anything else high
 */
struct minikvm_irq_level {
	union {
		__u32 irq;
		__s32 status;
	};
	__u32 level;
};

/**
 * struct minikvm_interrupt - vector to queue (MINIKVM_INTERRUPT)
 * @irq: in: vector, below MINIKVM_NR_INTERRUPTS
 */
struct minikvm_interrupt {
	__u32 irq;
};

/**
 * struct minikvm_msi - a message-signalled interrupt (MINIKVM_SIGNAL_MSI)
 * @address_lo: in: message address bits 31:0
 * @address_hi: in: message address bits 63:32
 * @data: in: message data
 * @flags: in: must be zero on x86
 */
struct minikvm_msi {
	__u32 address_lo;
	__u32 address_hi;
	__u32 data;
	__u32 flags;
	__u32 devid;
	__u8 pad[12];
};

#define MINIKVM_IRQ_ROUTING_IRQCHIP	1
#define MINIKVM_IRQ_ROUTING_MSI		2

/**
 * struct minikvm_irq_routing_irqchip - route to a pin
 * @irqchip: MINIKVM_IRQCHIP_*
 * @pin: 0..7 on a PIC, 0..23 on the I/O APIC
 */
struct minikvm_irq_routing_irqchip {
	__u32 irqchip;
	__u32 pin;
};

/**
 * struct minikvm_irq_routing_msi - route to a message, as in struct minikvm_msi
 */
struct minikvm_irq_routing_msi {
	__u32 address_lo;
	__u32 address_hi;
	__u32 data;
	union {
		__u32 pad;
		__u32 devid;
	};
};

/**
 * struct minikvm_irq_routing_entry - one GSI and where it leads
 * @gsi: in
 * @type: in: MINIKVM_IRQ_ROUTING_*, selects the member of @u
 * @flags: in: must be zero on x86
 */
struct minikvm_irq_routing_entry {
	__u32 gsi;
	__u32 type;
	__u32 flags;
	__u32 pad;
	union {
		struct minikvm_irq_routing_irqchip irqchip;
		struct minikvm_irq_routing_msi msi;
		__u32 pad[8];
	} u;
};

/**
 * struct minikvm_irq_routing - the whole table (MINIKVM_SET_GSI_ROUTING)
 * @nr: in: entries, at most the value of MINIKVM_CAP_IRQ_ROUTING
 * @flags: in: must be zero
 */
struct minikvm_irq_routing {
	__u32 nr;
	__u32 flags;
	struct minikvm_irq_routing_entry entries[];
};

#define MINIKVM_PIT_SPEAKER_DUMMY	1	/* serve port 0x61 in the kernel */

/**
 * struct minikvm_pit_config - how to make the PIT (MINIKVM_CREATE_PIT2)
 * @flags: in: 0 or MINIKVM_PIT_SPEAKER_DUMMY
 */
struct minikvm_pit_config {
	__u32 flags;
	__u32 pad[15];
};

/**
 * struct minikvm_reinject_control - ticks owed (MINIKVM_REINJECT_CONTROL)
 * @pit_reinject: in: nonzero (the default): a tick of the PIT that finds the
 *	one before unacknowledged is delivered later; 0: it is dropped
 */
struct minikvm_reinject_control {
	__u8 pit_reinject;
	__u8 reserved[31];
};

/**
 * struct minikvm_tpr_access_ctl - report accesses to the TPR
 *				   (MINIKVM_TPR_ACCESS_REPORTING)
 * @enabled: in: nonzero: each access of the guest to the APIC's TPR is followed
 *	by MINIKVM_EXIT_TPR_ACCESS
 * @flags: in: must be zero
 */
struct minikvm_tpr_access_ctl {
	__u32 enabled;
	__u32 flags;
	__u32 reserved[8];
};

/**
 * struct minikvm_vapic_addr - a TPR in guest memory (MINIKVM_SET_VAPIC_ADDR)
 * @vapic_addr: in: GPA of four bytes: TPR, 0, highest vector in service (class
 *	only), highest vector requested; 0: none
 */
struct minikvm_vapic_addr {
	__u64 vapic_addr;
};

/**
 * struct minikvm_x86_mce - a machine check (MINIKVM_X86_SET_MCE)
 * @status: in: IA32_MCi_STATUS, the valid bit set
 * @addr: in: IA32_MCi_ADDR
 * @misc: in: IA32_MCi_MISC
 * @mcg_status: in: IA32_MCG_STATUS
 * @bank: in: i
 */
struct minikvm_x86_mce {
	__u64 status;
	__u64 addr;
	__u64 misc;
	__u64 mcg_status;
	__u8 bank;
	__u8 pad1[7];
	__u64 pad2[3];
};

/* ---- eventfds, clock, capabilities ------------------------------------- */

#define MINIKVM_IRQFD_FLAG_DEASSIGN	0x1
#define MINIKVM_IRQFD_FLAG_RESAMPLE	0x2

/**
 * struct minikvm_irqfd - an eventfd that raises a GSI (MINIKVM_IRQFD)
 * @fd: in: eventfd
 * @gsi: in
 * @flags: in: MINIKVM_IRQFD_FLAG_*
 * @resamplefd: in, with RESAMPLE: eventfd signalled at EOI
 */
struct minikvm_irqfd {
	__u32 fd;
	__u32 gsi;
	__u32 flags;
	__u32 resamplefd;
	__u8 pad[16];
};

#define MINIKVM_IOEVENTFD_FLAG_DATAMATCH	0x1
#define MINIKVM_IOEVENTFD_FLAG_PIO		0x2
#define MINIKVM_IOEVENTFD_FLAG_DEASSIGN		0x4
#define MINIKVM_IOEVENTFD_FLAG_VIRTIO_CCW_NOTIFY 0x8	/* never signalled on x86 */

/**
 * struct minikvm_ioeventfd - a guest write that signals an eventfd
 *			      (MINIKVM_IOEVENTFD)
 * @datamatch: in, with DATAMATCH: the value that must be written
 * @addr: in: port or GPA
 * @len: in: 1, 2, 4 or 8 bytes; 0 any
 * @fd: in: eventfd
 * @flags: in: MINIKVM_IOEVENTFD_FLAG_*
 */
struct minikvm_ioeventfd {
	__u64 datamatch;
	__u64 addr;
	__u32 len;
	__s32 fd;
	__u32 flags;
	__u8 pad[36];
};

/**
 * struct minikvm_coalesced_mmio_zone - addresses whose writes are queued
 *			(MINIKVM_REGISTER_, MINIKVM_UNREGISTER_COALESCED_MMIO)
 * @addr: in: first port or GPA
 * @size: in: bytes
 * @pio: in: 1 for ports, 0 for memory
 */
struct minikvm_coalesced_mmio_zone {
	__u64 addr;
	__u32 size;
	union {
		__u32 pad;
		__u32 pio;
	};
};

/**
 * struct minikvm_coalesced_mmio - one queued write
 * @phys_addr: out: port or GPA
 * @len: out: bytes of @data
 * @pio: out: 1 for a port, 0 for memory
 */
struct minikvm_coalesced_mmio {
	__u64 phys_addr;
	__u32 len;
	union {
		__u32 pad;
		__u32 pio;
	};
	__u8 data[8];
};

/**
 * struct minikvm_coalesced_mmio_ring - the writes of all vCPUs of a VM, page
 *			MINIKVM_COALESCED_MMIO_PAGE_OFFSET of any vCPU's mapping
 * @first: in: the oldest entry, advanced by userspace
 * @last: out: behind the newest one; equal to @first: empty
 */
struct minikvm_coalesced_mmio_ring {
	__u32 first, last;
	struct minikvm_coalesced_mmio coalesced_mmio[];
};

/* Entries of the ring, both indices wrap there: what fits a page of 4096 bytes. */
#define MINIKVM_COALESCED_MMIO_MAX	170

#define MINIKVM_CREATE_DEVICE_TEST	1	/* only ask whether it could be made */

/**
 * struct minikvm_create_device - an in-kernel device of a kind (MINIKVM_CREATE_DEVICE)
 * @type: in: none is known on x86
 * @fd: out
 * @flags: in: MINIKVM_CREATE_DEVICE_TEST
 */
struct minikvm_create_device {
	__u32 type;
	__u32 fd;
	__u32 flags;
};

#define MINIKVM_CLOCK_TSC_STABLE	0x2
#define MINIKVM_CLOCK_REALTIME		0x4
#define MINIKVM_CLOCK_HOST_TSC		0x8

/**
 * struct minikvm_clock_data - the VM's kvmclock (MINIKVM_GET/SET_CLOCK)
 * @clock: in (SET) / out (GET): nanoseconds
 * @flags: MINIKVM_CLOCK_*: which fields count
 * @realtime: host CLOCK_REALTIME in nanoseconds, same instant
 * @host_tsc: host TSC, same instant
 */
struct minikvm_clock_data {
	__u64 clock;
	__u32 flags;
	__u32 pad0;
	__u64 realtime;
	__u64 host_tsc;
	__u32 pad[4];
};

/**
 * struct minikvm_enable_cap - switch a capability on (MINIKVM_ENABLE_CAP)
 * @cap: in: MINIKVM_CAP_*
 * @flags: in: must be zero
 * @args: in: meaning depends on @cap
 */
struct minikvm_enable_cap {
	__u32 cap;
	__u32 flags;
	__u64 args[4];
	__u8 pad[64];
};

/* What minikvm_enable_cap.args[0] of some capabilities is made of. */

/* CAP_DISABLE_QUIRKS2: old behaviour that stays unless it is switched off */
#define MINIKVM_X86_QUIRK_LINT0_REENABLED	0x1
#define MINIKVM_X86_QUIRK_CD_NW_CLEARED		0x2
#define MINIKVM_X86_QUIRK_LAPIC_MMIO_HOLE	0x4
#define MINIKVM_X86_QUIRK_OUT_7E_INC_RIP	0x8
#define MINIKVM_X86_QUIRK_MISC_ENABLE_NO_MWAIT	0x10
#define MINIKVM_X86_QUIRK_FIX_HYPERCALL_INSN	0x20
#define MINIKVM_X86_QUIRK_MWAIT_NEVER_UD_FAULTS	0x40

/* CAP_X86_DISABLE_EXITS: what the guest may do without an exit */
#define MINIKVM_X86_DISABLE_EXITS_MWAIT		0x1
#define MINIKVM_X86_DISABLE_EXITS_HLT		0x2
#define MINIKVM_X86_DISABLE_EXITS_PAUSE		0x4
#define MINIKVM_X86_DISABLE_EXITS_CSTATE	0x8

/* CAP_X86_USER_SPACE_MSR, and run.msr.reason */
#define MINIKVM_MSR_EXIT_REASON_INVAL		0x1
#define MINIKVM_MSR_EXIT_REASON_UNKNOWN		0x2
#define MINIKVM_MSR_EXIT_REASON_FILTER		0x4

/* CAP_X86_BUS_LOCK_EXIT */
#define MINIKVM_BUS_LOCK_DETECTION_OFF		0x1
#define MINIKVM_BUS_LOCK_DETECTION_EXIT		0x2

#define MINIKVM_MSR_FILTER_MAX_RANGES		16
#define MINIKVM_MSR_FILTER_MAX_BITMAP_SIZE	0x600	/* bytes of one range's bitmap */

#define MINIKVM_MSR_FILTER_READ			0x1
#define MINIKVM_MSR_FILTER_WRITE		0x2

/**
 * struct minikvm_msr_filter_range - MSRs whose accesses a bitmap allows or denies
 * @flags: in: MINIKVM_MSR_FILTER_READ, _WRITE or both
 * @nmsrs: in: bits of @bitmap; 0: the range is not used
 * @base: in: first MSR
 * @bitmap: in: hva; a set bit allows the access
 */
struct minikvm_msr_filter_range {
	__u32 flags;
	__u32 nmsrs;
	__u32 base;
	__u8 *bitmap;
};

#define MINIKVM_MSR_FILTER_DEFAULT_ALLOW	0
#define MINIKVM_MSR_FILTER_DEFAULT_DENY		0x1

/**
 * struct minikvm_msr_filter - which MSRs guests of a VM may access
 *			       (MINIKVM_X86_SET_MSR_FILTER)
 * @flags: in: MINIKVM_MSR_FILTER_DEFAULT_*: for MSRs in no range
 * @ranges: in: the first that covers an access decides
 */
struct minikvm_msr_filter {
	__u32 flags;
	struct minikvm_msr_filter_range ranges[MINIKVM_MSR_FILTER_MAX_RANGES];
};

/**
 * struct minikvm_device_attr - one attribute of the module or a vCPU
 *				(MINIKVM_HAS/GET/SET_DEVICE_ATTR)
 * @flags: not looked at
 * @group: in: 0 on /dev/minikvm; MINIKVM_VCPU_TSC_CTRL on a vCPU
 * @attr: in: the attribute of the group
 * @addr: in: hva of the value, a __u64
 */
struct minikvm_device_attr {
	__u32 flags;
	__u32 group;
	__u64 attr;
	__u64 addr;
};

#define MINIKVM_X86_XCOMP_GUEST_SUPP	0	/* device: XCR0 bits guests may have */
#define MINIKVM_VCPU_TSC_CTRL		0	/* vCPU: group */
#define MINIKVM_VCPU_TSC_OFFSET		0	/* guest TSC minus scaled host TSC */

/* ---- ioctls of /dev/minikvm -------------------------------------------- */

#define MINIKVM_GET_API_VERSION		_IO(MINIKVMIO, 0x00)
#define MINIKVM_CREATE_VM		_IO(MINIKVMIO, 0x01)	/* VM fd */
#define MINIKVM_GET_MSR_INDEX_LIST	_IOWR(MINIKVMIO, 0x02, struct minikvm_msr_list)
#define MINIKVM_CHECK_EXTENSION		_IO(MINIKVMIO, 0x03)	/* also VM */
#define MINIKVM_GET_VCPU_MMAP_SIZE	_IO(MINIKVMIO, 0x04)	/* bytes */
#define MINIKVM_GET_SUPPORTED_CPUID	_IOWR(MINIKVMIO, 0x05, struct minikvm_cpuid2)
#define MINIKVM_GET_MSR_FEATURE_INDEX_LIST \
					_IOWR(MINIKVMIO, 0x0a, struct minikvm_msr_list)
#define MINIKVM_X86_GET_MCE_CAP_SUPPORTED _IOR(MINIKVMIO, 0x9d, __u64)

/* ---- ioctls of a VM fd -------------------------------------------------- */

#define MINIKVM_CREATE_VCPU		_IO(MINIKVMIO, 0x41)	/* vCPU fd */
#define MINIKVM_GET_DIRTY_LOG		_IOW(MINIKVMIO, 0x42, struct minikvm_dirty_log)
#define MINIKVM_SET_NR_MMU_PAGES	_IO(MINIKVMIO, 0x44)
#define MINIKVM_GET_NR_MMU_PAGES	_IO(MINIKVMIO, 0x45)
#define MINIKVM_SET_USER_MEMORY_REGION	_IOW(MINIKVMIO, 0x46, \
					     struct minikvm_userspace_memory_region)
#define MINIKVM_SET_TSS_ADDR		_IO(MINIKVMIO, 0x47)
#define MINIKVM_SET_IDENTITY_MAP_ADDR	_IOW(MINIKVMIO, 0x48, __u64)
#define MINIKVM_CREATE_IRQCHIP		_IO(MINIKVMIO, 0x60)
#define MINIKVM_IRQ_LINE		_IOW(MINIKVMIO, 0x61, struct minikvm_irq_level)
#define MINIKVM_GET_IRQCHIP		_IOWR(MINIKVMIO, 0x62, struct minikvm_irqchip)
#define MINIKVM_SET_IRQCHIP		_IOR(MINIKVMIO, 0x63, struct minikvm_irqchip)
#define MINIKVM_CREATE_PIT		_IO(MINIKVMIO, 0x64)
#define MINIKVM_GET_PIT			_IOWR(MINIKVMIO, 0x65, struct minikvm_pit_state)
#define MINIKVM_SET_PIT			_IOR(MINIKVMIO, 0x66, struct minikvm_pit_state)
#define MINIKVM_IRQ_LINE_STATUS		_IOWR(MINIKVMIO, 0x67, struct minikvm_irq_level)
#define MINIKVM_REGISTER_COALESCED_MMIO	_IOW(MINIKVMIO, 0x67, \
					     struct minikvm_coalesced_mmio_zone)
#define MINIKVM_UNREGISTER_COALESCED_MMIO _IOW(MINIKVMIO, 0x68, \
					       struct minikvm_coalesced_mmio_zone)
#define MINIKVM_SET_GSI_ROUTING		_IOW(MINIKVMIO, 0x6a, struct minikvm_irq_routing)
#define MINIKVM_REINJECT_CONTROL	_IO(MINIKVMIO, 0x71)
#define MINIKVM_IRQFD			_IOW(MINIKVMIO, 0x76, struct minikvm_irqfd)
#define MINIKVM_CREATE_PIT2		_IOW(MINIKVMIO, 0x77, struct minikvm_pit_config)
#define MINIKVM_SET_BOOT_CPU_ID		_IO(MINIKVMIO, 0x78)
#define MINIKVM_IOEVENTFD		_IOW(MINIKVMIO, 0x79, struct minikvm_ioeventfd)
#define MINIKVM_SET_CLOCK		_IOW(MINIKVMIO, 0x7b, struct minikvm_clock_data)
#define MINIKVM_GET_CLOCK		_IOR(MINIKVMIO, 0x7c, struct minikvm_clock_data)
#define MINIKVM_GET_PIT2		_IOR(MINIKVMIO, 0x9f, struct minikvm_pit_state2)
#define MINIKVM_SET_PIT2		_IOW(MINIKVMIO, 0xa0, struct minikvm_pit_state2)
#define MINIKVM_ENABLE_CAP		_IOW(MINIKVMIO, 0xa3, struct minikvm_enable_cap)
#define MINIKVM_SIGNAL_MSI		_IOW(MINIKVMIO, 0xa5, struct minikvm_msi)
#define MINIKVM_CLEAR_DIRTY_LOG		_IOWR(MINIKVMIO, 0xc0, struct minikvm_clear_dirty_log)
#define MINIKVM_CREATE_DEVICE		_IOWR(MINIKVMIO, 0xe0, struct minikvm_create_device)
#define MINIKVM_X86_SET_MSR_FILTER	_IOW(MINIKVMIO, 0xc6, struct minikvm_msr_filter)

/* ---- ioctls of a vCPU fd ------------------------------------------------ */

#define MINIKVM_RUN			_IO(MINIKVMIO, 0x80)
#define MINIKVM_GET_REGS		_IOR(MINIKVMIO, 0x81, struct minikvm_regs)
#define MINIKVM_SET_REGS		_IOW(MINIKVMIO, 0x82, struct minikvm_regs)
#define MINIKVM_GET_SREGS		_IOR(MINIKVMIO, 0x83, struct minikvm_sregs)
#define MINIKVM_SET_SREGS		_IOW(MINIKVMIO, 0x84, struct minikvm_sregs)
#define MINIKVM_TRANSLATE		_IOWR(MINIKVMIO, 0x85, struct minikvm_translation)
#define MINIKVM_INTERRUPT		_IOW(MINIKVMIO, 0x86, struct minikvm_interrupt)
#define MINIKVM_GET_MSRS		_IOWR(MINIKVMIO, 0x88, struct minikvm_msrs)
#define MINIKVM_SET_MSRS		_IOW(MINIKVMIO, 0x89, struct minikvm_msrs)
#define MINIKVM_SET_SIGNAL_MASK		_IOW(MINIKVMIO, 0x8b, struct minikvm_signal_mask)
#define MINIKVM_GET_FPU			_IOR(MINIKVMIO, 0x8c, struct minikvm_fpu)
#define MINIKVM_SET_FPU			_IOW(MINIKVMIO, 0x8d, struct minikvm_fpu)
#define MINIKVM_GET_LAPIC		_IOR(MINIKVMIO, 0x8e, struct minikvm_lapic_state)
#define MINIKVM_SET_LAPIC		_IOW(MINIKVMIO, 0x8f, struct minikvm_lapic_state)
#define MINIKVM_SET_CPUID2		_IOW(MINIKVMIO, 0x90, struct minikvm_cpuid2)
#define MINIKVM_GET_CPUID2		_IOWR(MINIKVMIO, 0x91, struct minikvm_cpuid2)
#define MINIKVM_TPR_ACCESS_REPORTING	_IOWR(MINIKVMIO, 0x92, struct minikvm_tpr_access_ctl)
#define MINIKVM_SET_VAPIC_ADDR		_IOW(MINIKVMIO, 0x93, struct minikvm_vapic_addr)
#define MINIKVM_GET_MP_STATE		_IOR(MINIKVMIO, 0x98, struct minikvm_mp_state)
#define MINIKVM_SET_MP_STATE		_IOW(MINIKVMIO, 0x99, struct minikvm_mp_state)
#define MINIKVM_NMI			_IO(MINIKVMIO, 0x9a)
#define MINIKVM_X86_SETUP_MCE		_IOW(MINIKVMIO, 0x9c, __u64)
#define MINIKVM_X86_SET_MCE		_IOW(MINIKVMIO, 0x9e, struct minikvm_x86_mce)
#define MINIKVM_SET_GUEST_DEBUG		_IOW(MINIKVMIO, 0x9b, struct minikvm_guest_debug)
#define MINIKVM_GET_VCPU_EVENTS		_IOR(MINIKVMIO, 0x9f, struct minikvm_vcpu_events)
#define MINIKVM_SET_VCPU_EVENTS		_IOW(MINIKVMIO, 0xa0, struct minikvm_vcpu_events)
#define MINIKVM_GET_DEBUGREGS		_IOR(MINIKVMIO, 0xa1, struct minikvm_debugregs)
#define MINIKVM_SET_DEBUGREGS		_IOW(MINIKVMIO, 0xa2, struct minikvm_debugregs)
#define MINIKVM_SET_TSC_KHZ		_IO(MINIKVMIO, 0xa2)	/* also VM */
#define MINIKVM_GET_TSC_KHZ		_IO(MINIKVMIO, 0xa3)	/* also VM */
#define MINIKVM_GET_XSAVE		_IOR(MINIKVMIO, 0xa4, struct minikvm_xsave)
#define MINIKVM_SET_XSAVE		_IOW(MINIKVMIO, 0xa5, struct minikvm_xsave)
#define MINIKVM_GET_XCRS		_IOR(MINIKVMIO, 0xa6, struct minikvm_xcrs)
#define MINIKVM_SET_XCRS		_IOW(MINIKVMIO, 0xa7, struct minikvm_xcrs)
#define MINIKVM_KVMCLOCK_CTRL		_IO(MINIKVMIO, 0xad)
#define MINIKVM_SMI			_IO(MINIKVMIO, 0xb7)
#define MINIKVM_GET_SREGS2		_IOR(MINIKVMIO, 0xcc, struct minikvm_sregs2)
#define MINIKVM_SET_SREGS2		_IOW(MINIKVMIO, 0xcd, struct minikvm_sregs2)
#define MINIKVM_GET_STATS_FD		_IO(MINIKVMIO, 0xce)	/* also VM */
#define MINIKVM_GET_XSAVE2		_IOR(MINIKVMIO, 0xcf, struct minikvm_xsave)
#define MINIKVM_SET_DEVICE_ATTR		_IOW(MINIKVMIO, 0xe1, struct minikvm_device_attr)
#define MINIKVM_GET_DEVICE_ATTR		_IOW(MINIKVMIO, 0xe2, struct minikvm_device_attr)
#define MINIKVM_HAS_DEVICE_ATTR		_IOW(MINIKVMIO, 0xe3, struct minikvm_device_attr)

#include "minikvm_cap.h"

#endif /* _UAPI_MINIKVM_H */
