/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the files of the VM-entry checker share: the VMCS being checked, with its control words read
 * once, the names of bits, and questions that many rules ask.
 *
 * The names are the manual's; they stand here once more because <asm/vmx.h> is not for programs.
 */
#ifndef MINIKVM_VMX_CHECK_IMPL_H
#define MINIKVM_VMX_CHECK_IMPL_H

#ifdef __KERNEL__
#include <linux/bits.h>
#include <linux/compiler.h>
#else
#define __maybe_unused __attribute((unused))
#endif

#include "check.h"
#include "../../uapi/minikvm_vmcs.h"

/* Pin-based VM-execution controls */
#define PIN_EXT_INT		BIT(0)
#define PIN_NMI			BIT(3)
#define PIN_VIRTUAL_NMIS	BIT(5)
#define PIN_PREEMPTION_TIMER	BIT(6)
#define PIN_POSTED_INTERRUPTS	BIT(7)

/* Primary processor-based VM-execution controls */
#define PROC_TPR_SHADOW		BIT(21)
#define PROC_NMI_WINDOW		BIT(22)
#define PROC_IO_BITMAPS		BIT(25)
#define PROC_MONITOR_TRAP	BIT(27)
#define PROC_MSR_BITMAPS	BIT(28)
#define PROC_SECONDARY		BIT(31)

/* Secondary processor-based VM-execution controls */
#define PROC2_APIC_ACCESSES	BIT(0)
#define PROC2_EPT		BIT(1)
#define PROC2_X2APIC		BIT(4)
#define PROC2_VPID		BIT(5)
#define PROC2_UNRESTRICTED	BIT(7)
#define PROC2_APIC_REGISTERS	BIT(8)
#define PROC2_INTR_DELIVERY	BIT(9)
#define PROC2_VMFUNC		BIT(13)
#define PROC2_SHADOW_VMCS	BIT(14)
#define PROC2_PML		BIT(17)
#define PROC2_VE		BIT(18)
#define PROC2_MODE_BASED_EPT	BIT(22)
#define PROC2_TSC_SCALING	BIT(25)

/* VM-exit controls */
#define EXIT_HOST_64		BIT(9)
#define EXIT_ACK_INTERRUPT	BIT(15)
#define EXIT_LOAD_PAT		BIT(19)
#define EXIT_LOAD_EFER		BIT(21)
#define EXIT_SAVE_TIMER		BIT(22)

/* VM-entry controls */
#define ENTRY_LOAD_DEBUG	BIT(2)
#define ENTRY_IA32E		BIT(9)
#define ENTRY_SMM		BIT(10)
#define ENTRY_DUAL_MONITOR	BIT(11)
#define ENTRY_LOAD_PAT		BIT(14)
#define ENTRY_LOAD_EFER		BIT(15)

/* VM-entry interruption information */
#define INTR_VALID		BIT(31)
#define INTR_ERROR_CODE		BIT(11)
#define INTR_VECTOR(info)	((info) & 0xff)
#define INTR_TYPE(info)		(((info) >> 8) & 7)
enum intr_type {
	INTR_EXTERNAL, INTR_RESERVED, INTR_NMI, INTR_HARDWARE_EXCEPTION,
	INTR_SOFTWARE, INTR_PRIVILEGED, INTR_SOFTWARE_EXCEPTION, INTR_OTHER,
};

/* Registers of the architecture */
#define CHECK_CR0_PE		BIT_ULL(0)
#define CHECK_CR0_NW_CD		(BIT_ULL(29) | BIT_ULL(30))
#define CHECK_CR0_PG		BIT_ULL(31)
#define CHECK_CR4_PAE		BIT_ULL(5)
#define CHECK_CR4_PCIDE		BIT_ULL(17)
#define CHECK_EFER_LME		BIT_ULL(8)
#define CHECK_EFER_LMA		BIT_ULL(10)
#define CHECK_EFER_DEFINED	(BIT_ULL(0) | CHECK_EFER_LME | CHECK_EFER_LMA | BIT_ULL(11))
#define CHECK_RFLAGS_TF		BIT_ULL(8)
#define CHECK_RFLAGS_IF		BIT_ULL(9)
#define CHECK_RFLAGS_VM		BIT_ULL(17)

/* Interruptibility state and activity state */
#define BLOCK_STI		BIT(0)
#define BLOCK_MOV_SS		BIT(1)
#define BLOCK_SMI		BIT(2)
#define BLOCK_NMI		BIT(3)
enum activity { ACTIVITY_ACTIVE, ACTIVITY_HLT, ACTIVITY_SHUTDOWN, ACTIVITY_WAIT_SIPI };

/* Access rights of a segment */
#define SEG_AR_TYPE(ar)		((ar) & 15)
#define SEG_AR_S			BIT(4)
#define SEG_AR_DPL(ar)		(((ar) >> 5) & 3)
#define SEG_AR_P			BIT(7)
#define SEG_AR_L			BIT(13)
#define SEG_AR_DB			BIT(14)
#define SEG_AR_G			BIT(15)
#define SEG_AR_UNUSABLE		BIT(16)
#define SEG_AR_RESERVED		0xfffe0f00u

/* Segment registers, in the order of their fields. */
enum segment { SEG_ES, SEG_CS, SEG_SS, SEG_DS, SEG_FS, SEG_GS, SEG_LDTR, SEG_TR };

/* Capability MSRs */
#define CAP_BASIC		0x480
#define CAP_PIN			0x481
#define CAP_PROC		0x482
#define CAP_EXIT		0x483
#define CAP_ENTRY		0x484
#define CAP_MISC		0x485
#define CAP_CR0_FIXED0		0x486
#define CAP_CR0_FIXED1		0x487
#define CAP_CR4_FIXED0		0x488
#define CAP_CR4_FIXED1		0x489
#define CAP_PROC2		0x48b
#define CAP_EPT_VPID		0x48c
#define CAP_VMFUNC		0x491
/* IA32_VMX_BASIC says whether there are better ones of the first four: by this much further on. */
#define CAP_BASIC_TRUE_CTLS	BIT_ULL(55)
#define CAP_TRUE_OFFSET		(0x48d - CAP_PIN)
#define CAP_BASIC_ANY_ERROR	BIT_ULL(56)
#define CAP_MISC_ZERO_LENGTH	BIT_ULL(30)

/**
 * struct vmcs_check - a VMCS being checked
 * @src: its values
 * @pin: @proc: @proc2: @exit: @entry: control words; @proc2 is 0 while it is not activated
 * @cr0: @rflags: of the guest
 * @intr: VM-entry interruption information, 0 if not valid
 */
struct vmcs_check {
	const struct vmcs_source *src;
	u32 pin, proc, proc2, exit, entry;
	u32 intr;
	u64 cr0, rflags;
};

static inline u64 field_of(const struct vmcs_check *c, u32 encoding)
{
	return c->src->field(c->src->opaque, encoding);
}

static inline u64 msr_of(const struct vmcs_check *c, u32 index)
{
	return c->src->msr(c->src->opaque, index);
}

static inline bool memory_of(const struct vmcs_check *c, u64 pa, void *buf, u32 len)
{
	return c->src->memory && c->src->memory(c->src->opaque, pa, buf, len);
}

/* Is the width known, and is there anything beyond it? */
static inline bool width_limits(unsigned int bits)
{
	return bits && bits < 64;
}

/* No bit beyond the physical-address width. */
static inline bool phys_ok(const struct vmcs_check *c, u64 pa)
{
	return !width_limits(c->src->phys_bits) || !(pa >> c->src->phys_bits);
}

/* ... and on a boundary of @align bytes, a power of two. */
static inline bool aligned_ok(const struct vmcs_check *c, u64 pa, u32 align)
{
	return !(pa & (align - 1)) && phys_ok(c, pa);
}

/* Bits from the highest of the linear-address width upwards are all the same. */
static inline bool canonical(const struct vmcs_check *c, u64 address)
{
	unsigned int bits = c->src->linear_bits, shift = 64 - bits;

	return !width_limits(bits) || (u64)((s64)(address << shift) >> shift) == address;
}

static inline bool pat_ok(u64 pat)
{
	unsigned int i;

	for (i = 0; i < 64; i += 8) {
		u8 type = pat >> i;

		if (type > 7 || type == 2 || type == 3)
			return false;
	}
	return true;
}

static inline bool unrestricted(const struct vmcs_check *c)
{
	return c->proc2 & PROC2_UNRESTRICTED;
}

static inline bool guest_ia32e(const struct vmcs_check *c)
{
	return c->entry & ENTRY_IA32E;
}

static inline bool guest_v8086(const struct vmcs_check *c)
{
	return c->rflags & CHECK_RFLAGS_VM;
}

static inline u32 seg_ar(const struct vmcs_check *c, enum segment seg)
{
	return field_of(c, VMCS_F_GUEST_ES_AR + 2 * seg);
}

static inline u16 seg_selector(const struct vmcs_check *c, enum segment seg)
{
	return field_of(c, VMCS_F_GUEST_ES_SELECTOR + 2 * seg);
}

/* Is an event of this type to be injected? */
static inline bool injects(const struct vmcs_check *c, enum intr_type type)
{
	return c->intr && INTR_TYPE(c->intr) == type;
}

/* Bits that CR0 or CR4 must have, and may have, in VMX operation. */
static inline bool fixed_bits_ok(const struct vmcs_check *c, u64 value, u32 fixed0_msr,
				 u64 ignore)
{
	u64 must = msr_of(c, fixed0_msr), may = msr_of(c, fixed0_msr + 1);

	return !(((must & ~value) | (value & ~may)) & ~ignore);
}

/* Begins the function of a rule: does the VMCS @c keep @rule? */
#define CHECK(name)								\
	static bool name(const struct vmcs_check *c __maybe_unused,		\
			 const struct vmcs_rule *rule __maybe_unused)

/* Of control words and MSR areas, for VM exits and VM entries. */
bool vmcs_required_set(const struct vmcs_check *c, const struct vmcs_rule *rule);
bool vmcs_only_allowed_set(const struct vmcs_check *c, const struct vmcs_rule *rule);
bool vmcs_msr_area_ok(const struct vmcs_check *c, const struct vmcs_rule *rule);

/* The tables; each ends with a rule without a name. */
extern const struct vmcs_rule vmcs_execution_rules[];
extern const struct vmcs_rule vmcs_exit_rules[];
extern const struct vmcs_rule vmcs_entry_rules[];
extern const struct vmcs_rule vmcs_host_register_rules[];
extern const struct vmcs_rule vmcs_host_segment_rules[];
extern const struct vmcs_rule vmcs_host_size_rules[];
extern const struct vmcs_rule vmcs_guest_register_rules[];
extern const struct vmcs_rule vmcs_guest_segment_rules[];
extern const struct vmcs_rule vmcs_guest_table_rules[];
extern const struct vmcs_rule vmcs_guest_rip_rules[];
extern const struct vmcs_rule vmcs_guest_other_rules[];
extern const struct vmcs_rule vmcs_guest_pdpte_rules[];
extern const struct vmcs_rule vmcs_msr_load_rules[];

#endif
