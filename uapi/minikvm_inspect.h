/* SPDX-License-Identifier: GPL-2.0 WITH Linux-syscall-note */
/*
 * Owns the reading interface: ioctls of our own on the VM and vCPU fds of a live
 * VM, which show its VMCS, second-dimension tables, bitmaps, interrupt chips and
 * exits. KVM has nothing like it, so this is no part of KVM's ABI.
 *
 * They are for another process than the VMM: one that has the VM's fds by
 * pidfd_open() and pidfd_getfd(), or by SCM_RIGHTS. In /proc/PID/fd these are
 *
 *	anon_inode:minikvm-vm		the VM
 *	anon_inode:minikvm-vcpu:ID	a vCPU; ID is what CREATE_VCPU was given
 *
 * Unlike KVM's own ioctls they may be called by a process with another mm than the
 * creator's, and on a VM that the module declared dead. Each needs CAP_SYS_ADMIN in
 * the initial user namespace (EPERM otherwise), because what they show are host
 * physical addresses and the kernel's own, which would tell anyone where to aim.
 *
 * None of them changes what the guest sees. Those that say "by the vCPU" are served
 * by the thread that runs the vCPU, between an exit and the next entry, or by the
 * caller when no thread does. So they cost a running vCPU at most one exit, and a
 * halted one stays halted. They wait for it interruptibly: EINTR, nothing done.
 *
 * Flags and padding must be zero on input unless a name below says otherwise;
 * anything else is EINVAL. Pointers are to memory of the caller: EFAULT. An unknown
 * command of this magic is ENOTTY.
 */
#ifndef _UAPI_MINIKVM_INSPECT_H
#define _UAPI_MINIKVM_INSPECT_H

#include <linux/types.h>
#include <linux/ioctl.h>

#include "minikvm.h"

#define MINIKVM_INSPECTIO	0xBE	/* not in the kernel's list of ioctl numbers */

/*
 * How long a vCPU in the guest may take to exit on its own before it is made to, in
 * milliseconds. 0: it is made to at once, and what is read then tells of an exit for
 * an external interrupt. A halted vCPU is woken, and halts again, after that time.
 */
#define MINIKVM_INSPECT_MAX_WAIT_MS	10000

/* ---- the run page: why a VM entry failed ---------------------------------- */

#define MINIKVM_FAILED_ENTRY_MAGIC	0x79685721

/**
 * struct minikvm_failed_entry - the run page's union after EXIT_FAIL_ENTRY
 * @hardware_entry_failure_reason: as in fail_entry
 * @cpu: as in fail_entry
 * @magic: MINIKVM_FAILED_ENTRY_MAGIC: what follows is there. Stock KVM does not write it
 * @rule: the first check of VM entry that the VMCS fails, by the name that `mkvm vmcs check`
 *	and the kernel's log use; empty: no check that the module knows
 * @section: title of the manual's section that has it
 *
 * It needs no capability: whoever has the run page made the state that was refused.
 */
struct minikvm_failed_entry {
	__u64 hardware_entry_failure_reason;
	__u32 cpu;
	__u32 magic;
	char rule[48];
	char section[72];
};

/* ---- vCPU: the VMCS ----------------------------------------------------- */

/**
 * struct minikvm_inspect_field - a field of the VMCS
 * @encoding: as in minikvm_vmcs.h, even
 * @bytes: how wide it is here: 2, 4 or 8
 * @value: zero-extended
 */
struct minikvm_inspect_field {
	__u32 encoding;
	__u32 bytes;
	__u64 value;
};

/**
 * struct minikvm_inspect_vmcs - MINIKVM_INSPECT_VMCS, by the vCPU
 * @flags: in: 0
 * @wait_ms: in: see MINIKVM_INSPECT_MAX_WAIT_MS; more is EINVAL
 * @nr: in: entries that @fields has room for; out: fields there are
 * @vcpu_id: out: as CREATE_VCPU was given it
 * @cpu: out: host CPU that read it, whose host state it may hold
 * @pending: out: MINIKVM_INSPECT_PENDING_*: these registers of the guest have a newer
 *	value than their field: the next entry writes it
 * @exits: out: exits of the vCPU so far; two calls that return the same saw one exit
 * @tsc: out: host TSC when it was read
 * @rip: @rsp: @rflags: out: what the guest goes on with
 * @fields: in: pointer to struct minikvm_inspect_field[@nr]
 *
 * Fills @fields by ascending encoding with every field of minikvm_vmcs.h that this CPU
 * has. The values are the VMCS's own, all of one moment: what the last exit saved, and
 * what the module wrote since.
 *
 * Return: 0; -1 with errno E2BIG (too little room: @nr says how much there must be,
 * nothing else is written), EINVAL, EFAULT, EPERM, EINTR, ENOMEM.
 */
struct minikvm_inspect_vmcs {
	__u32 flags;
	__u32 wait_ms;
	__u32 nr;
	__u32 vcpu_id;
	__u32 cpu;
	__u32 pending;
	__u64 exits;
	__u64 tsc;
	__u64 rip;
	__u64 rsp;
	__u64 rflags;
	__u64 fields;
};

#define MINIKVM_INSPECT_PENDING_RIP	0x1
#define MINIKVM_INSPECT_PENDING_RSP	0x2
#define MINIKVM_INSPECT_PENDING_RFLAGS	0x4

#define MINIKVM_INSPECT_VMCS	_IOWR(MINIKVM_INSPECTIO, 0x00, struct minikvm_inspect_vmcs)

/* ---- vCPU: bitmaps -------------------------------------------------------- */

#define MINIKVM_INSPECT_BITMAP_BYTES	4096

#define MINIKVM_INSPECT_BITMAP_MSR	0x1
#define MINIKVM_INSPECT_BITMAP_IO_A	0x2	/* ports 0 to 0x7fff */
#define MINIKVM_INSPECT_BITMAP_IO_B	0x4	/* ports 0x8000 to 0xffff */

/**
 * struct minikvm_inspect_bitmaps - MINIKVM_INSPECT_BITMAPS, by the vCPU
 * @flags: in: 0
 * @wait_ms: in: see MINIKVM_INSPECT_MAX_WAIT_MS
 * @present: out: MINIKVM_INSPECT_BITMAP_*: which ones the vCPU uses. Without those for
 *	I/O every port access exits.
 * @pad: in: 0
 * @msr: @io_a: @io_b: in: pointers to MINIKVM_INSPECT_BITMAP_BYTES each, or 0: not wanted
 *
 * A set bit means that the access exits. What is not present is not written. The
 * quarters of the MSR bitmap: reads of MSRs from 0 on, reads from 0xc0000000 on, and
 * writes likewise.
 *
 * Return: 0; -1 with errno EINVAL, EFAULT, EPERM, EINTR, ENOMEM.
 */
struct minikvm_inspect_bitmaps {
	__u32 flags;
	__u32 wait_ms;
	__u32 present;
	__u32 pad;
	__u64 msr;
	__u64 io_a;
	__u64 io_b;
};

#define MINIKVM_INSPECT_BITMAPS	_IOWR(MINIKVM_INSPECTIO, 0x01, struct minikvm_inspect_bitmaps)

/* ---- vCPU: the local APIC -------------------------------------------------- */

/**
 * struct minikvm_inspect_lapic - MINIKVM_INSPECT_LAPIC, by the vCPU
 * @flags: in: 0
 * @wait_ms: in: see MINIKVM_INSPECT_MAX_WAIT_MS
 * @mp_state: out: MINIKVM_MP_STATE_*
 * @has_apic: out: 0: the interrupt chips are userspace's, @regs is all zero
 * @apic_base: out: IA32_APIC_BASE
 * @regs: out: the registers, as MINIKVM_GET_LAPIC lays them out
 *
 * Return: 0; -1 with errno EINVAL, EFAULT, EPERM, EINTR, ENOMEM.
 */
struct minikvm_inspect_lapic {
	__u32 flags;
	__u32 wait_ms;
	__u32 mp_state;
	__u32 has_apic;
	__u64 apic_base;
	struct minikvm_lapic_state regs;
};

#define MINIKVM_INSPECT_LAPIC	_IOWR(MINIKVM_INSPECTIO, 0x02, struct minikvm_inspect_lapic)

/* ---- vCPU: the exit ring ---------------------------------------------------- */

#define MINIKVM_EXIT_RING_MIN	16
#define MINIKVM_EXIT_RING_MAX	32768	/* 3.5 MiB */

/**
 * struct minikvm_exit_ring - MINIKVM_EXIT_RING, on a vCPU
 * @flags: in: 0
 * @entries: in: how many exits to keep, a power of two from MINIKVM_EXIT_RING_MIN to
 *	MINIKVM_EXIT_RING_MAX; out: how many the ring keeps
 *
 * Begins to record the vCPU's exits, and returns an fd to read them by. A vCPU has one
 * ring: while somebody else has an fd of it, this call returns another fd of the same
 * ring, and @entries may differ from what was asked for. Recording ends when the last
 * one is closed. While no vCPU's exits are recorded, none of this costs anything.
 *
 * Return: the fd (O_CLOEXEC); -1 with errno EINVAL, EFAULT, EPERM, ENOMEM, EMFILE,
 * EINTR.
 */
struct minikvm_exit_ring {
	__u32 flags;
	__u32 entries;
};

#define MINIKVM_EXIT_RING	_IOWR(MINIKVM_INSPECTIO, 0x03, struct minikvm_exit_ring)

/**
 * struct minikvm_exit_entry - an exit and what it took
 * @seq: its number: the first one recorded is 0, and none is left out
 * @tsc_exit: host TSC when the guest was left
 * @tsc_entry: ... when it was entered again; 0 while MINIKVM_EXIT_ENTRY_OPEN
 * @guest_ticks: TSC ticks in the guest before the exit; 0 if that began unrecorded
 * @kernel_ticks: from @tsc_exit to @tsc_entry in the kernel, less @wait_ticks. What else
 *	ran on the CPU in that time counts.
 * @user_ticks: ... and in userspace, from RUN's return to the next call
 * @wait_ticks: ... and halted, waiting for an interrupt, INIT or SIPI
 * @qualification: exit qualification
 * @rip: of the guest: that of the instruction, if one exited
 * @gpa: guest-physical address, with MINIKVM_EXIT_ENTRY_GPA
 * @reason: exit reason, all 32 bits
 * @intr_info: VM-exit interruption information; valid if its bit 31 is set
 * @error_code: VM-exit interruption error code, if @intr_info says that there is one
 * @idt_info: IDT-vectoring information; valid if its bit 31 is set
 * @flags: MINIKVM_EXIT_ENTRY_*
 * @run_reason: with MINIKVM_EXIT_ENTRY_USER: why RUN returned, MINIKVM_EXIT_*; for a
 *	RUN that returned an error the negative errno, as __s32, with
 *	MINIKVM_EXIT_ENTRY_ERROR
 */
struct minikvm_exit_entry {
	__u64 seq;
	__u64 tsc_exit;
	__u64 tsc_entry;
	__u64 guest_ticks;
	__u64 kernel_ticks;
	__u64 user_ticks;
	__u64 wait_ticks;
	__u64 qualification;
	__u64 rip;
	__u64 gpa;
	__u32 reason;
	__u32 intr_info;
	__u32 error_code;
	__u32 idt_info;
	__u32 flags;
	__u32 run_reason;
};

#define MINIKVM_EXIT_ENTRY_USER		0x1	/* RUN returned before the next entry */
#define MINIKVM_EXIT_ENTRY_GPA		0x2	/* gpa is of the exit */
#define MINIKVM_EXIT_ENTRY_ERROR	0x4	/* run_reason is a negative errno */
#define MINIKVM_EXIT_ENTRY_OPEN		0x8	/* not entered again so far */

/**
 * struct minikvm_exit_ring_read - MINIKVM_EXIT_RING_READ, on the ring's fd
 * @flags: in: 0
 * @nr: in: entries that @entries has room for; out: how many were written
 * @seq: in: number of the first one wanted, 0 for as far back as there is; out: that
 *	of the first one to ask for next
 * @lost: out: how many from @seq on had been overwritten already
 * @recorded: out: number of exits that are complete
 * @tsc_khz: out: frequency of the host's TSC
 * @pad: in: 0
 * @entries: in: pointer to struct minikvm_exit_entry[@nr]
 *
 * The oldest ones first. Never waits, neither for an exit nor for the vCPU, which knows
 * nothing of it. An exit that went to userspace and whose guest was not entered since
 * comes last, with MINIKVM_EXIT_ENTRY_OPEN, and will come again when it is complete.
 *
 * Return: 0; -1 with errno EINVAL, EFAULT, EPERM, ENOMEM.
 */
struct minikvm_exit_ring_read {
	__u32 flags;
	__u32 nr;
	__u64 seq;
	__u64 lost;
	__u64 recorded;
	__u32 tsc_khz;
	__u32 pad;
	__u64 entries;
};

#define MINIKVM_EXIT_RING_READ	_IOWR(MINIKVM_INSPECTIO, 0x04, struct minikvm_exit_ring_read)

/* ---- VM: what the CPU can do --------------------------------------------------- */

#define MINIKVM_INSPECT_NR_CAPS	32

/**
 * struct minikvm_inspect_caps - MINIKVM_INSPECT_CAPS, on a VM: VMX capability MSRs
 * @flags: out: 0
 * @first: out: the first MSR, 0x480 (IA32_VMX_BASIC)
 * @valid: out: bit n is set if this CPU has MSR @first + n
 * @value: out: @value[n] is that of MSR @first + n, 0 if there is none
 * @phys_bits: @virt_bits: out: width of physical and linear addresses
 * @pad: out: 0
 *
 * The host's, whatever of it the module uses.
 */
struct minikvm_inspect_caps {
	__u32 flags;
	__u32 first;
	__u64 valid;
	__u64 value[MINIKVM_INSPECT_NR_CAPS];
	__u32 phys_bits;
	__u32 virt_bits;
	__u64 pad[2];
};

#define MINIKVM_INSPECT_CAPS	_IOR(MINIKVM_INSPECTIO, 0x10, struct minikvm_inspect_caps)

/* ---- VM: the second-dimension tables ---------------------------------------------- */

/**
 * struct minikvm_inspect_range - guest-physical memory that is mapped alike
 * @gpa: first byte
 * @hpa: where it is in the host; of MINIKVM_INSPECT_EPT_MMIO ranges 0
 * @bytes: how long it is, a multiple of @level's page size
 * @level: of the leaves: 1 is 4 KiB, 2 is 2 MiB, 3 is 1 GiB
 * @flags: MINIKVM_INSPECT_EPT_*
 * @memtype: 0 uncacheable, 1 write-combining, 4 write-through, 5 write-protected,
 *	6 write-back
 * @slot: memory slot it belongs to, or MINIKVM_INSPECT_NO_SLOT
 *
 * One leaf, or several that follow each other here and there and differ in nothing
 * else.
 */
struct minikvm_inspect_range {
	__u64 gpa;
	__u64 hpa;
	__u64 bytes;
	__u32 level;
	__u32 flags;
	__u32 memtype;
	__u32 slot;
};

#define MINIKVM_INSPECT_EPT_READ	0x001
#define MINIKVM_INSPECT_EPT_WRITE	0x002
#define MINIKVM_INSPECT_EPT_EXEC	0x004
#define MINIKVM_INSPECT_EPT_ACCESSED	0x008
#define MINIKVM_INSPECT_EPT_DIRTY	0x010
#define MINIKVM_INSPECT_EPT_IGNORE_PAT	0x020
#define MINIKVM_INSPECT_EPT_MMIO	0x100	/* marked: every access is userspace's */
#define MINIKVM_INSPECT_EPT_SPECIAL	0x200	/* host memory without a page of its own */
#define MINIKVM_INSPECT_EPT_HOST_WRITE	0x400	/* host and slot allow writing, now or later */

#define MINIKVM_INSPECT_NO_SLOT		0xffffffffU

/**
 * struct minikvm_inspect_ept - MINIKVM_INSPECT_EPT, on a VM
 * @flags: in: 0
 * @nr: in: entries that @ranges has room for, at least 1; out: how many were written
 * @gpa: in: where to begin, rounded down to 4 KiB; out: where to go on, which is @end if
 *	nothing is left
 * @end: in: where to end, rounded up; 0: where the tables end. out: the same in bytes
 * @root: out: host-physical address of the root table
 * @table_pages: out: 4 KiB pages that the tables take, root included
 * @max_level: out: largest leaf there may be
 * @has_ad: out: 1 if the CPU keeps accessed and dirty bits. Without, "accessed" and
 *	"dirty" are always clear.
 * @ranges: in: pointer to struct minikvm_inspect_range[@nr]
 *
 * What is mapped, by ascending gpa; holes are left out. A leaf that lies across @gpa is
 * shown from its own beginning. The tables change meanwhile: each range was so at some
 * moment during the call, but not all at one.
 *
 * Return: 0; -1 with errno EINVAL (also a @gpa behind @end), EFAULT, EPERM, ENOMEM,
 * EINTR (killed).
 */
struct minikvm_inspect_ept {
	__u32 flags;
	__u32 nr;
	__u64 gpa;
	__u64 end;
	__u64 root;
	__u64 table_pages;
	__u32 max_level;
	__u32 has_ad;
	__u64 ranges;
};

#define MINIKVM_INSPECT_EPT	_IOWR(MINIKVM_INSPECTIO, 0x11, struct minikvm_inspect_ept)

/* ---- VM: memory slots --------------------------------------------------------------- */

/**
 * struct minikvm_inspect_slot - a memory slot
 * @gpa: @bytes: the guest-physical range
 * @hva: where it is in the VMM
 * @slot: its number
 * @flags: MINIKVM_MEM_*
 */
struct minikvm_inspect_slot {
	__u64 gpa;
	__u64 bytes;
	__u64 hva;
	__u32 slot;
	__u32 flags;
};

/**
 * struct minikvm_inspect_slots - MINIKVM_INSPECT_SLOTS, on a VM
 * @flags: in: 0
 * @nr: in: entries that @slots has room for; out: slots there are
 * @slots: in: pointer to struct minikvm_inspect_slot[@nr]
 *
 * By ascending gpa, all of one moment.
 *
 * Return: 0; -1 with errno E2BIG (too little room: @nr says how much there must be),
 * EINVAL, EFAULT, EPERM, ENOMEM.
 */
struct minikvm_inspect_slots {
	__u32 flags;
	__u32 nr;
	__u64 slots;
};

#define MINIKVM_INSPECT_SLOTS	_IOWR(MINIKVM_INSPECTIO, 0x12, struct minikvm_inspect_slots)

/* ---- VM: interrupt chips --------------------------------------------------------------- */

/*
 * As MINIKVM_GET_IRQCHIP and MINIKVM_GET_PIT2. ENXIO: there is no such chip in the
 * kernel; EINVAL: an unknown chip_id.
 */
#define MINIKVM_INSPECT_IRQCHIP	_IOWR(MINIKVM_INSPECTIO, 0x13, struct minikvm_irqchip)
#define MINIKVM_INSPECT_PIT	_IOR(MINIKVM_INSPECTIO, 0x14, struct minikvm_pit_state2)

#endif
