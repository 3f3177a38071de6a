/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Names for every part of the words a VM exit leaves behind: exit
 * qualifications, interruption information, VM-exit instruction lengths.
 *
 * Source: Intel SDM vol. 3C (December 2023), "Recording VM-Exit Information and
 * Updating VM-entry Control Fields"; the table is named at each group.
 */
#ifndef MINIKVM_VMX_EXIT_QUAL_H
#define MINIKVM_VMX_EXIT_QUAL_H

#include <linux/types.h>
#include <asm/vmx.h>

/* "Format of Exit Reason" */
static inline u16 exit_reason_basic(u32 reason)
{
	return reason;
}

static inline bool exit_reason_failed_entry(u32 reason)
{
	return reason & VMX_EXIT_REASONS_FAILED_VMENTRY;
}

/* "Exit Qualification for Control-Register Accesses" */
enum cr_access {
	CR_MOV_TO,
	CR_MOV_FROM,
	CR_CLTS,
	CR_LMSW,
};

static inline int qual_cr_number(unsigned long q)
{
	return q & 0xf;
}

static inline enum cr_access qual_cr_access(unsigned long q)
{
	return (q >> 4) & 3;
}

static inline int qual_cr_reg(unsigned long q)
{
	return (q >> 8) & 0xf;
}

static inline u16 qual_cr_lmsw_source(unsigned long q)
{
	return q >> 16;
}

/* "Exit Qualification for MOV DR" */
static inline int qual_dr_number(unsigned long q)
{
	return q & 7;
}

static inline bool qual_dr_is_read(unsigned long q)
{
	return q & BIT(4);
}

static inline int qual_dr_reg(unsigned long q)
{
	return (q >> 8) & 0xf;
}

/* "Exit Qualification for I/O Instructions" */
static inline u8 qual_io_size(unsigned long q)
{
	return (q & 7) + 1;
}

static inline bool qual_io_is_in(unsigned long q)
{
	return q & BIT(3);
}

static inline bool qual_io_is_string(unsigned long q)
{
	return q & BIT(4);
}

static inline bool qual_io_is_rep(unsigned long q)
{
	return q & BIT(5);
}

static inline u16 qual_io_port(unsigned long q)
{
	return q >> 16;
}

/* "Format of the VM-Exit Instruction-Information Field as Used for INS and OUTS" */
static inline u8 insn_info_addr_size(u32 info)
{
	/* 0: 16 bits, 1: 32 bits, 2: 64 bits. */
	return 2 << ((info >> 7) & 3);
}

static inline int insn_info_segment(u32 info)
{
	return (info >> 15) & 7;
}

/* "Exit Qualification for Task Switches" */
static inline u16 qual_task_selector(unsigned long q)
{
	return q;
}

/* 0 CALL, 1 IRET, 2 JMP, 3 task gate in the IDT */
static inline int qual_task_source(unsigned long q)
{
	return (q >> 30) & 3;
}

/* "Exit Qualification for EPT Violations" */
static inline bool qual_ept_read(unsigned long q)
{
	return q & EPT_VIOLATION_ACC_READ;
}

static inline bool qual_ept_write(unsigned long q)
{
	return q & EPT_VIOLATION_ACC_WRITE;
}

static inline bool qual_ept_fetch(unsigned long q)
{
	return q & EPT_VIOLATION_ACC_INSTR;
}

/* Made to translate a linear address, not to the address it translates to. */
static inline bool qual_ept_walk(unsigned long q)
{
	return (q & (BIT(7) | BIT(8))) == BIT(7);
}

/* Any permission in the entry that was used: it was there. */
static inline bool qual_ept_present(unsigned long q)
{
	return q & (7ul << 3);
}

/* The access was by an IRET that had unblocked NMIs already. */
static inline bool qual_ept_unblocked_nmi(unsigned long q)
{
	return q & BIT(12);
}

/* "Exit Qualification for APIC-Access VM Exits from Linear Accesses" */
enum apic_access {
	APIC_ACCESS_READ,
	APIC_ACCESS_WRITE,
	APIC_ACCESS_FETCH,
	APIC_ACCESS_EVENT_DELIVERY,
};

static inline u32 qual_apic_offset(unsigned long q)
{
	return q & 0xfff;
}

static inline int qual_apic_access(unsigned long q)
{
	return (q >> 12) & 0xf;
}

/* "Format of the VM-Exit Interruption-Information Field", and the vectoring one */
static inline bool intr_info_valid(u32 info)
{
	return info & INTR_INFO_VALID_MASK;
}

static inline u8 intr_info_vector(u32 info)
{
	return info & INTR_INFO_VECTOR_MASK;
}

static inline u32 intr_info_type(u32 info)
{
	return info & INTR_INFO_INTR_TYPE_MASK;
}

static inline bool intr_info_is_nmi(u32 info)
{
	return intr_info_valid(info) && intr_info_type(info) == INTR_TYPE_NMI_INTR;
}

static inline bool intr_info_is_exception(u32 info, u8 vector)
{
	return intr_info_valid(info) && intr_info_vector(info) == vector &&
	       (intr_info_type(info) == INTR_TYPE_HARD_EXCEPTION ||
		intr_info_type(info) == INTR_TYPE_PRIV_SW_EXCEPTION);
}

#endif
